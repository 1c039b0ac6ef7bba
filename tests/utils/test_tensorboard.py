"""`utils.tensorboard`: its files beside PyTorch's, read back by TensorBoard's own reader, and bad input."""

import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import flambeau as torch
from flambeau import nn
from flambeau.utils.tensorboard import FileWriter, SummaryWriter

from .tensorboard_calls import stored, write

WRITTEN = json.loads((Path(__file__).parents[1] / "fixtures" / "tensorboard.json").read_text(encoding="utf-8"))
EVERYTHING = dict.fromkeys(("scalars", "images", "audio", "histograms", "tensors", "compressedHistograms"), 0)


def read(folder):
    found = EventAccumulator(str(folder), size_guidance=EVERYTHING)
    found.Reload()
    return found


@pytest.fixture
def writer(tmp_path):
    with SummaryWriter(tmp_path) as made:
        yield made


# --------------------------------------------------------------------------------------------------- beside PyTorch's


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("all")
    write(torch, str(folder))
    return folder


def test_the_same_files_are_written(written):
    assert set(stored(written)) == set(WRITTEN)


@pytest.mark.parametrize("name", WRITTEN)
def test_files_hold_what_pytorchs_hold(written, name):
    found = json.loads(json.dumps(stored(written)[name]))
    assert found == WRITTEN[name]


def test_every_method_of_pytorchs_is_there():
    import inspect

    names = {
        "add_scalar": "tag scalar_value global_step walltime new_style double_precision",
        "add_scalars": "main_tag tag_scalar_dict global_step walltime",
        "add_tensor": "tag tensor global_step walltime",
        "add_histogram": "tag values global_step bins walltime max_bins",
        "add_histogram_raw": "tag min max num sum sum_squares bucket_limits bucket_counts global_step walltime",
        "add_image": "tag img_tensor global_step walltime dataformats",
        "add_images": "tag img_tensor global_step walltime dataformats",
        "add_image_with_boxes": "tag img_tensor box_tensor global_step walltime rescale dataformats labels",
        "add_figure": "tag figure global_step close walltime",
        "add_video": "tag vid_tensor global_step fps walltime",
        "add_audio": "tag snd_tensor global_step sample_rate walltime",
        "add_text": "tag text_string global_step walltime",
        "add_onnx_graph": "prototxt",
        "add_graph": "model input_to_model verbose use_strict_trace",
        "add_embedding": "mat metadata label_img global_step tag metadata_header",
        "add_mesh": "tag vertices colors faces config_dict global_step walltime",
        "add_pr_curve": "tag labels predictions global_step num_thresholds weights walltime",
        "add_pr_curve_raw": "tag true_positive_counts false_positive_counts true_negative_counts "
        "false_negative_counts precision recall global_step num_thresholds weights walltime",
        "add_custom_scalars": "layout",
        "add_custom_scalars_multilinechart": "tags category title",
        "add_custom_scalars_marginchart": "tags category title",
        "add_hparams": "hparam_dict metric_dict hparam_domain_discrete run_name global_step",
        "__init__": "log_dir comment purge_step max_queue flush_secs filename_suffix",
    }
    for name, parameters in names.items():
        assert list(inspect.signature(getattr(SummaryWriter, name)).parameters)[1:] == parameters.split()


# ---------------------------------------------------------------------------------------- read back by TensorBoard


def test_scalars_come_back(writer, tmp_path):
    for step in range(200):
        writer.add_scalar("loss/损失", step / 2, step, walltime=1000 + step)
    writer.add_scalar("nan", math.nan, 1)
    writer.add_scalar("inf", -math.inf, np.int64(2))
    writer.flush()
    found = read(tmp_path)
    assert [(e.step, e.value, e.wall_time) for e in found.Scalars("loss/损失")] == [
        (i, i / 2, 1000 + i) for i in range(200)
    ]
    assert math.isnan(found.Scalars("nan")[0].value) and found.Scalars("inf")[0].value == -math.inf


def test_several_scalars_are_runs_of_their_own(writer, tmp_path):
    writer.add_scalars("loss/both", {"train": 1.0, "valid": 2.0}, 3)
    writer.flush()
    assert [e.value for e in read(tmp_path / "loss_both_valid").Scalars("loss/both")] == [2.0]


def test_histograms_come_back(writer, tmp_path):
    values = np.random.default_rng(0).normal(size=1000)
    writer.add_histogram("weights", values, 4)
    writer.flush()
    (event,) = read(tmp_path).Histograms("weights")
    found = event.histogram_value
    assert (found.min, found.max, found.num, sum(found.bucket)) == (values.min(), values.max(), 1000, 1000)
    inside = np.searchsorted(found.bucket_limit, 0.5)
    assert abs(sum(found.bucket[: inside + 1]) / 1000 - (values <= 0.5).mean()) < 0.03


def test_images_come_back(writer, tmp_path):
    image = torch.arange(3 * 4 * 5).reshape(3, 4, 5).to(torch.uint8)
    writer.add_image("image", image, 1)
    writer.add_images("grid", image.repeat(9, 1, 1, 1), 1)
    writer.flush()
    (event,) = read(tmp_path).Images("image")
    pixels = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)))
    assert (pixels == image.permute(1, 2, 0).numpy()).all() and (event.width, event.height) == (5, 4)
    (event,) = read(tmp_path).Images("grid")
    assert (event.width, event.height) == (8 * 5, 2 * 4)


def test_videos_are_animated(writer, tmp_path):
    video = torch.zeros(3, 6, 1, 8, 10)
    video[:, 2:] = 1.0
    writer.add_video("video", video, 1, fps=5)
    writer.add_video("bytes", (video * 255).to(torch.uint8), 1)
    writer.flush()
    (event,) = read(tmp_path).Images("video")
    gif = Image.open(io.BytesIO(event.encoded_image_string))
    assert gif.format == "GIF" and gif.is_animated and gif.size == (40, 8) == (event.width, event.height)
    frames, times = [], 0
    for i in range(gif.n_frames):
        gif.seek(i)
        frames.append(np.asarray(gif.convert("RGB"))[0, 0, 0])
        times += gif.info["duration"]
    assert frames == [0, 255] and times == 6 * 200  # equal frames are put together
    (other,) = read(tmp_path).Images("bytes")
    assert np.asarray(Image.open(io.BytesIO(other.encoded_image_string))).shape[:2] == (8, 40)


def test_figures_come_back_and_are_closed(writer, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, other = plt.figure(figsize=(3, 2), dpi=50), plt.figure(figsize=(3, 2), dpi=50)
    canvas = figure.canvas
    writer.add_figure("figure", figure, 1, close=False)
    assert plt.fignum_exists(figure.number) and figure.canvas is canvas
    writer.add_figure("figures", [figure, other], 2)
    assert not plt.fignum_exists(figure.number) and not plt.fignum_exists(other.number)
    writer.flush()
    found = read(tmp_path)
    assert [(e.width, e.height) for e in found.Images("figure") + found.Images("figures")] == [(150, 100), (300, 100)]


def test_sounds_come_back(writer, tmp_path):
    import wave

    sound = torch.sin(torch.arange(800) / 5)
    writer.add_audio("tone", sound, 1, sample_rate=8000)
    writer.flush()
    (event,) = read(tmp_path).Audio("tone")
    with wave.open(io.BytesIO(event.encoded_audio_string)) as found:
        samples = np.frombuffer(found.readframes(800), "<i2")
    assert event.sample_rate == 8000 and event.length_frames == 800
    assert np.abs(samples / 32767 - sound.numpy()).max() < 1e-4


def test_texts_and_tensors_come_back(writer, tmp_path):
    writer.add_text("note", "**中文**", 1)
    writer.add_tensor("tensor", torch.arange(6.0).reshape(2, 3), 1)
    writer.flush()
    found = read(tmp_path)
    assert make_ndarray(found.Tensors("note/text_summary")[0].tensor_proto)[0].decode() == "**中文**"
    assert make_ndarray(found.Tensors("tensor")[0].tensor_proto).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_curves_are_precision_and_recall(writer, tmp_path):
    labels = torch.tensor([1, 1, 0, 1, 0, 0])
    scores = torch.tensor([0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
    writer.add_pr_curve("curve", labels, scores, 1, num_thresholds=11)
    writer.flush()
    tp, fp, tn, fn, precision, recall = make_ndarray(read(tmp_path).Tensors("curve")[0].tensor_proto)
    assert (tp[5], fp[5], tn[5], fn[5]) == (2, 1, 2, 1)
    assert precision[5] == pytest.approx(2 / 3) and recall[5] == pytest.approx(2 / 3)


# ------------------------------------------------------------------------------------------------------------- graphs


def graph_of(writer, *args):
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    writer.add_graph(*args)
    writer.flush()
    return {node.name: node for node in GraphDef.FromString(read(writer.get_logdir()).Graph().SerializeToString()).node}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
        self.头 = nn.Linear(2 * 36, 3)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        h = self.features(x).flatten(1)
        return self.头(h) * self.scale + self.头(h)


def test_a_graph_has_modules_as_boxes(writer):
    model = Net()
    before = model.features[1].running_mean.clone()
    found = graph_of(writer, model, torch.ones(2, 1, 8, 8))
    conv = found["Net/Sequential[features]/Conv2d[0]/Conv2d"]
    assert conv.op == "Conv2d" and list(conv.input) == [
        "input/x", "Net/Sequential[features]/Conv2d[0]/weight", "Net/Sequential[features]/Conv2d[0]/bias"
    ]  # fmt: skip
    assert [d.size for d in conv.attr["_output_shapes"].list.shape[0].dim] == [2, 2, 6, 6]
    assert b"kernel_size=(3, 3)" in conv.attr["attr"].s
    assert list(found["output/output"].input) == ["Net/add"]
    assert set(found["Net/add"].input) == {"Net/mul", "Net/Linear[头]/Linear_1"}
    assert found["Net/Sequential[features]/ReLU[2]"].op == "ReLU"
    names = set(found)
    assert all(source in names for node in found.values() for source in node.input)
    assert model.training and torch.equal(model.features[1].running_mean, before)


def test_a_graph_of_several_inputs_and_outputs(writer, capsys):
    class Two(nn.Module):
        def forward(self, a, b):
            return {"sum": a + b, "rest": (a * b, a - b)}

    found = graph_of(writer, Two(), (torch.ones(2), torch.ones(2)), True)
    assert {"input/a", "input/b", "Two/add", "Two/mul", "Two/sub"} <= set(found)
    assert sum(name.startswith("output/") for name in found) == 3
    assert "add" in capsys.readouterr().out


def test_a_graph_needs_an_input_that_the_model_takes(writer):
    with pytest.raises(ValueError, match="needs an input"):
        writer.add_graph(nn.Linear(2, 1))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        writer.add_graph(nn.Linear(2, 1), torch.ones(1, 5))


def test_onnx_is_not_supported(writer):
    with pytest.raises(NotImplementedError, match="add_graph"):
        writer.add_onnx_graph("model.onnx")


# ---------------------------------------------------------------------------------------------------------- embeddings


def test_labels_of_an_embedding_keep_their_rows(writer, tmp_path):
    labels = ["一\t二", "three\nlines", " x "]
    writer.add_embedding(torch.eye(3), labels, torch.rand(3, 1, 4, 6), tag="点")
    text = (tmp_path / "00000" / "点" / "metadata.tsv").read_text(encoding="utf-8")
    assert text == "一 二\nthree lines\n x \n"
    assert Image.open(tmp_path / "00000" / "点" / "sprite.png").size == (12, 12)
    with pytest.warns(UserWarning, match="Embedding dir exists"):
        writer.add_embedding(torch.eye(3), tag="点")
    config = (tmp_path / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert config.count("tensor_path") == 2


# ----------------------------------------------------------------------------------------------------------- the files


def test_the_default_folder_has_date_machine_and_comment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_第一") as writer:
        folder = writer.get_logdir()
    assert folder.startswith("runs" + os.sep) and folder.endswith("_第一")
    assert time.strftime("%b%d") in folder and os.listdir(folder)[0].startswith("events.out.tfevents")


def test_a_purged_step_hides_what_came_after_a_crash(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        for step in range(10):
            writer.add_scalar("loss", step, step)
    time_of_first = time.time()
    while time.time() <= time_of_first:  # files are read in the order of their names, which hold the second
        pass
    with SummaryWriter(tmp_path, purge_step=5, filename_suffix=".again") as writer:
        writer.add_scalar("loss", 50, 5)
    assert any(name.endswith(".again") for name in os.listdir(tmp_path))
    assert [(e.step, e.value) for e in read(tmp_path).Scalars("loss")] == [*((i, i) for i in range(5)), (5, 50)]


def test_writing_after_close_opens_another_file(tmp_path):
    writer = SummaryWriter(tmp_path)
    writer.close()
    writer.close()
    writer.flush()
    writer.add_scalar("late", 1.0, 1)
    writer.close()
    assert len(os.listdir(tmp_path)) == 2 and read(tmp_path).Scalars("late")


def test_a_file_writer_can_be_reopened(tmp_path):
    from tensorboard.compat.proto.event_pb2 import Event

    writer = FileWriter(tmp_path)
    writer.reopen()
    writer.close()
    writer.reopen()
    writer.add_event(Event(), step=3)
    writer.close()
    assert len(os.listdir(tmp_path)) == 2 and writer.get_logdir() == str(tmp_path)


def test_threads_may_share_a_writer(writer, tmp_path):
    def work(number):
        for step in range(50):
            writer.add_scalar(f"thread/{number}", step, step)
            writer.add_scalars("all", {str(number): step}, step)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()
    found = read(tmp_path)
    assert all([e.step for e in found.Scalars(f"thread/{i}")] == list(range(50)) for i in range(6))
    assert all(len(read(tmp_path / f"all_{i}").Scalars("all")) == 50 for i in range(6))


def test_a_compiled_step_writes_each_time(writer, tmp_path):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    @torch.compile
    def step(x, number):
        optimizer.zero_grad()
        loss = model(x).pow(2).mean()
        loss.backward()
        optimizer.step()
        writer.add_scalar("loss", loss, number)
        writer.add_histogram("weight", model.weight, number)

    for number in range(6):
        step(torch.ones(4, 3), number)
    writer.flush()
    found = read(tmp_path)
    values = [event.value for event in found.Scalars("loss")]
    assert len(values) == 6 and values == sorted(values, reverse=True) and len(found.Histograms("weight")) == 6


PROGRAM = """
import sys
from flambeau.utils.tensorboard import SummaryWriter
writer = SummaryWriter(sys.argv[1])
for step in range(300):
    writer.add_scalar("loss", step, step)
{}
"""


@pytest.mark.parametrize(
    "end, least",
    [("", 300), ("1 / 0", 300), ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 250)],
    ids=["without close", "with an error", "killed"],
)
def test_a_program_that_ends_leaves_a_readable_file(tmp_path, end, least):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(end), str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == {"": 0, "1 / 0": 1}.get(end, -signal.SIGKILL)
    events = read(tmp_path).Scalars("loss")
    assert len(events) >= least and [e.step for e in events] == list(range(len(events)))


# ----------------------------------------------------------------------------------------------------------- bad input


BAD = [
    (TypeError, "a tag should be a string", lambda w: w.add_scalar(3, 1.0)),
    (TypeError, "a tag should be a string", lambda w: w.add_histogram(None, torch.ones(2))),
    (TypeError, "a tag should be a string", lambda w: w.add_image(("a",), torch.ones(3, 2, 2))),
    (TypeError, "a tag should be a string", lambda w: w.add_scalars("a", {1: 2.0})),
    (AssertionError, "one element", lambda w: w.add_scalar("a", torch.ones(3))),
    (ValueError, "to a number", lambda w: w.add_scalar("a", "text")),
    (NotImplementedError, "numpy array or torch tensor", lambda w: w.add_scalar("a", None)),
    (TypeError, "whole number", lambda w: w.add_scalar("a", 1.0, "first")),
    (TypeError, "whole number", lambda w: w.add_scalar("a", 1.0, math.inf)),
    (ValueError, "64 bits", lambda w: w.add_scalar("a", 1.0, 2**63)),
    (TypeError, "number of seconds", lambda w: w.add_scalar("a", 1.0, walltime="noon")),
    (TypeError, "dict of names and numbers", lambda w: w.add_scalars("a", [1.0, 2.0])),
    (TypeError, "a tag should be a string", lambda w: w.add_scalars(3, {"a": 2.0})),
    (ValueError, "bins='tenths'", lambda w: w.add_histogram("a", torch.ones(3), bins="tenths")),
    (ValueError, "bins=0", lambda w: w.add_histogram("a", torch.ones(3), bins=0)),
    (ValueError, "sample_rate", lambda w: w.add_audio("a", torch.ones(9), sample_rate=0)),
    (TypeError, "dict of categories", lambda w: w.add_custom_scalars([1])),
    (TypeError, "dict of categories", lambda w: w.add_custom_scalars({"a": {"b": ["Multiline", "x"]}})),
    (ValueError, "'Multiline' or 'Margin'", lambda w: w.add_custom_scalars({"a": {"b": ["Lines", ["x"]]}})),
    (TypeError, "name of a folder", lambda w: SummaryWriter(3)),
    (TypeError, "flush_secs", lambda w: SummaryWriter(w.log_dir, flush_secs="often")),
    (TypeError, "meta device", lambda w: w.add_scalar("a", torch.ones(1, device="meta"))),
    (ValueError, "no element", lambda w: w.add_histogram("a", torch.ones(0))),
    (ValueError, "nan or infinite", lambda w: w.add_histogram("a", torch.full((3,), math.nan))),
    (ValueError, "lies in a bin", lambda w: w.add_histogram("a", torch.ones(3), bins=[5.0, 6.0])),
    (TypeError, "real numbers", lambda w: w.add_histogram("a", torch.ones(3, dtype=torch.complex64))),
    (ValueError, "bucket_limits", lambda w: w.add_histogram_raw("a", 0, 1, 1, 1, 1, [1.0, 2.0], [1])),
    (AssertionError, "are different", lambda w: w.add_image("a", torch.ones(2, 2))),
    (AssertionError, "twice", lambda w: w.add_image("a", torch.ones(3, 2, 2), dataformats="HHW")),
    (AssertionError, "should name", lambda w: w.add_image("a", torch.ones(3, 2, 2), dataformats="XYZ")),
    (AssertionError, "channels", lambda w: w.add_image("a", torch.ones(7, 8, 9))),
    (AssertionError, "3 channels", lambda w: w.add_images("a", torch.ones(2, 5, 8, 9))),
    (ValueError, "one pixel", lambda w: w.add_image("a", torch.ones(3, 0, 9))),
    (TypeError, "real numbers", lambda w: w.add_image("a", np.array([["x"]]), dataformats="HW")),
    (RuntimeError, "shape", lambda w: w.add_image_with_boxes("a", torch.ones(3, 9, 9), torch.ones(2, 3))),
    (AssertionError, "N, T, C, H, W", lambda w: w.add_video("a", torch.ones(3, 9, 9))),
    (ValueError, "fps", lambda w: w.add_video("a", torch.ones(1, 2, 3, 4, 4), fps=0)),
    (AssertionError, "1 dimensional", lambda w: w.add_audio("a", torch.ones(2, 9))),
    (AssertionError, "1 dimensional", lambda w: w.add_audio("a", torch.ones(0))),
    (TypeError, "expects a string", lambda w: w.add_text("a", 3)),
    (TypeError, "matplotlib figure", lambda w: w.add_figure("a", "figure")),
    (AssertionError, "2D", lambda w: w.add_embedding(torch.ones(3))),
    (AssertionError, "labels", lambda w: w.add_embedding(torch.ones(3, 2), ["a"])),
    (AssertionError, "images", lambda w: w.add_embedding(torch.ones(3, 2), label_img=torch.ones(2, 3, 4, 4))),
    (RuntimeError, "label_img", lambda w: w.add_embedding(torch.ones(3, 2), label_img=torch.ones(3, 4, 4))),
    (AssertionError, "header", lambda w: w.add_embedding(torch.ones(1, 2), [["a"]], metadata_header=["x", "y"])),
    (RuntimeError, "one shape", lambda w: w.add_pr_curve("a", torch.ones(3), torch.ones(4))),
    (ValueError, "between 0 and 1", lambda w: w.add_pr_curve("a", torch.ones(2), torch.tensor([0.5, 3.0]))),
    (ValueError, "0 or 1", lambda w: w.add_pr_curve("a", torch.tensor([0, 2]), torch.tensor([0.5, 0.3]))),
    (RuntimeError, "one length", lambda w: w.add_pr_curve_raw("a", [1], [1], [1], [1], [1], [1, 2])),
    (AssertionError, "3 tags", lambda w: w.add_custom_scalars_marginchart(["a"])),
    (AssertionError, "three tags", lambda w: w.add_custom_scalars({"a": {"b": ["Margin", ["x"]]}})),
    (TypeError, "should be dictionary", lambda w: w.add_hparams([], {})),
    (ValueError, "should be one of", lambda w: w.add_hparams({"a": [1]}, {})),
    (TypeError, "list of same type", lambda w: w.add_hparams({"a": 1}, {}, {"a": ["x"]})),
    (RuntimeError, "batch", lambda w: w.add_mesh("a", torch.ones(4, 3))),
    (TypeError, "expects a tensor", lambda w: w.add_tensor("a", np.ones(2))),
    (ValueError, "unsupported tensor dtype", lambda w: w.add_tensor("a", torch.ones(2).to(torch.uint16))),
]


@pytest.mark.parametrize("kind, words, call", BAD, ids=[f"{i} {words}" for i, (_, words, _) in enumerate(BAD)])
def test_bad_input_is_explained(writer, kind, words, call):
    with pytest.raises(kind, match=words) as caught:
        call(writer)
    assert caught.value.why and caught.value.fix and "\n  at:" in str(caught.value)


@pytest.mark.parametrize(
    "words, call",
    [
        ("between 0 and 1", lambda w: w.add_image("a", torch.full((3, 2, 2), 255.0))),
        ("between 0 and 1", lambda w: w.add_image("a", torch.full((3, 2, 2), math.nan))),
        ("nan or infinite: left out", lambda w: w.add_histogram("a", torch.tensor([1.0, math.nan]))),
        ("amplitude", lambda w: w.add_audio("a", torch.full((9,), 3.0))),
        ("labels for", lambda w: w.add_image_with_boxes("a", torch.ones(3, 9, 9), torch.ones(1, 4), labels=["a", "b"])),
    ],
)
def test_doubtful_input_is_written_with_a_warning(writer, tmp_path, words, call):
    with pytest.warns(UserWarning, match=words) as caught:
        call(writer)
    assert caught[0].filename == __file__  # the line of the program, not one in the package
    writer.flush()
    assert any("a" in tags for tags in read(tmp_path).Tags().values() if isinstance(tags, list))


def test_values_within_rounding_need_no_warning(writer):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        writer.add_image("a", torch.tensor([[-1e-7, 1 + 1e-6]]), dataformats="HW")
        writer.add_image("b", torch.tensor([[True, False]]), dataformats="HW")


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="could not be made") as caught:
        SummaryWriter(tmp_path / "file" / "run")
    assert caught.value.fix
    with pytest.raises(OSError, match="could not be made"):
        SummaryWriter("no\0folder")


def test_a_folder_that_was_removed_is_said_once_and_can_be_made_again(tmp_path, capfd):
    writer = SummaryWriter(tmp_path / "run")
    writer.add_scalar("a", 1.0, 0)
    writer.flush()
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(OSError, match="no longer be written") as caught:
        writer.add_scalar("a", 2.0, 1)
    assert "was removed" in caught.value.why and "close()" in caught.value.fix
    writer.close()
    with writer:
        writer.add_scalar("a", 3.0, 2)
    assert [event.step for event in read(tmp_path / "run").Scalars("a")] == [2]
    assert "Traceback" not in capfd.readouterr().err


def test_closing_says_that_values_were_lost_and_closes_the_other_files(tmp_path):
    writer = SummaryWriter(tmp_path / "run")
    writer.add_scalars("a", {"x": 1.0}, 0)
    writer.flush()
    inner = writer.all_writers[f"{tmp_path / 'run'}/a_x"]
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(OSError, match="no longer be written"):
        writer.close()
    assert writer.all_writers is None
    inner.reopen()
    assert (tmp_path / "run" / "a_x").is_dir()
    inner.close()


def test_a_folder_that_is_gone_when_the_program_ends_is_one_line(tmp_path):
    program = (
        "import shutil, sys\n"
        "from flambeau.utils.tensorboard import SummaryWriter\n"
        "writer = SummaryWriter(sys.argv[1])\n"
        "shutil.rmtree(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")], capture_output=True, text=True)
    assert "are lost: the event file can no longer be written" in done.stderr
    assert "Traceback" not in done.stderr and done.returncode == 0


def test_names_that_are_no_unicode_are_written_with_question_marks(writer, tmp_path):
    writer.add_scalar("file\ud800", 1.0)
    writer.add_text("text", "\ud800 and more")
    writer.add_embedding(torch.ones(2, 2), metadata=["\ud800.png", "b.png"])
    writer.add_hparams({"data": "\ud800"}, {"accuracy": 1.0}, {"data": ["\ud800", "b"]}, run_name="hparams")
    model = nn.Sequential()
    model.add_module("\ud800", nn.ReLU())
    writer.add_graph(model, torch.ones(1))
    writer.flush()
    assert "file?" in read(tmp_path).Tags()["scalars"]


def test_without_tensorboard_its_name_is_said():
    program = (
        "import sys; sys.modules['tensorboard'] = None\n"
        "import flambeau as torch\n"
        "try:\n    from flambeau.utils.tensorboard import SummaryWriter\n"
        "except ImportError as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "MissingDependency" in done.stdout and "pip install 'flambeau[viz]'" in done.stdout
