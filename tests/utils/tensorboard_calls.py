"""Calls of SummaryWriter for either library, and what their files hold, so that both can be compared."""

import hashlib
import io
import math
from pathlib import Path

import numpy as np


def write(torch, folder):
    """Call every `add_...` of `torch.utils.tensorboard.SummaryWriter` with fixed values (but videos and graphs)."""
    writer = torch.utils.tensorboard.SummaryWriter(folder, purge_step=3)
    values = torch.tensor(np.sin(np.arange(200.0)).reshape(10, 20).astype("float32"))
    image = torch.tensor(np.linspace(0, 1, 3 * 6 * 5, dtype="float32").reshape(3, 6, 5))
    writer.add_scalar("loss/train", 1.5, 1, walltime=10)
    writer.add_scalar("loss/of a tensor", torch.tensor([[2.0]]), torch.tensor(7))
    writer.add_scalar("loss/损失", np.float64(math.pi), double_precision=True, new_style=True)
    writer.add_scalar("loss/new", 0.1, 2, new_style=True)
    writer.add_scalar("loss/nan", float("nan"), 2)
    writer.add_scalar("loss/inf", float("-inf"), 3)
    writer.add_scalars("both/of them", {"a": 1, "b": torch.tensor(2.5)}, 4)
    writer.add_histogram("values", values, 1)
    writer.add_histogram("values/ints", np.array([0, 1, 1, 5, -3]), 2)
    writer.add_histogram("values/ten", values, 3, bins=10)
    writer.add_histogram("values/auto", values, 3, bins="auto")
    writer.add_histogram("values/few", values, 4, max_bins=20)
    writer.add_histogram("values/half", values.to(torch.bfloat16), 4)
    writer.add_histogram("values/equal", torch.zeros(4), 4)
    writer.add_histogram_raw("raw", 0.0, 3.0, 4, 6.0, 14.0, [1.0, 2.0, 3.0], [1, 1, 2], 5)
    writer.add_image("image", image, 1)
    writer.add_image("image/bytes", (image * 255).to(torch.uint8).numpy().transpose(1, 2, 0), 2, dataformats="HWC")
    writer.add_image("image/grey", image[0], 2, dataformats="HW")
    writer.add_image("image/one", image[:1], 2)
    writer.add_images("images", image.repeat(10, 1, 1, 1), 3)
    writer.add_images("images/last", image.repeat(3, 1, 1, 1)[:, :1].permute(0, 2, 3, 1), 3, dataformats="NHWC")
    large = image.repeat_interleave(10, 1).repeat_interleave(10, 2)
    boxes = torch.tensor([[5, 5, 30, 40], [10, 2, 45, 55]])
    writer.add_image_with_boxes("boxes", large, boxes, 4)
    writer.add_image_with_boxes("boxes/named", large, boxes.numpy(), 5, labels=["cat", "dog"], rescale=2)
    writer.add_audio("sound", torch.tensor(np.sin(np.arange(300) / 9)).float()[None], 1, sample_rate=8000)
    writer.add_text("note", "# Title\n\n中文 *text*", 1)
    writer.add_pr_curve("curve", np.arange(40) % 3 == 0, np.linspace(0, 1, 40), 1)
    weights = torch.arange(40) / 40
    even, rising = torch.arange(40) % 2, torch.linspace(0, 1, 40)
    writer.add_pr_curve("curve/w", even, rising, 1, num_thresholds=9, weights=weights.numpy())
    counts = [[4, 2], [3, 1], [0, 2], [0, 2], [0.5, 0.25], [1.0, 0.5]]
    writer.add_pr_curve_raw("curve/raw", *counts, global_step=2, num_thresholds=2)
    writer.add_custom_scalars_multilinechart(["loss/train", "loss/new"], "losses", "both")
    writer.add_custom_scalars_marginchart(["a", "b", "c"])
    writer.add_custom_scalars({"x": {"one": ["Multiline", ["a", "b"]], "two": ["Margin", ["a", "b", "c"]]}})
    writer.add_tensor("tensor", values[:2, :3], 1)
    for name in ("float16", "bfloat16", "float64", "int8", "uint8", "int16", "int32", "int64", "bool", "complex64"):
        writer.add_tensor(f"tensor/{name}", torch.tensor([[0, 1, 3]]).to(getattr(torch, name)), 1)
    points = torch.tensor(np.arange(12.0).reshape(1, 4, 3))
    faces = torch.tensor([[[0, 1, 2], [1, 2, 3]]])
    writer.add_mesh("mesh", points, global_step=3)
    writer.add_mesh("mesh/all", points, colors=faces[:, [0, 1, 0, 1]], faces=faces, config_dict={"b": 1, "a": {}})
    writer.add_embedding(values[:5], ["一", "二", "three", "4", ""], image.repeat(5, 1, 1, 1), tag="a/b")
    writer.add_embedding(values[:2], [["x", 1], ["y", 2]], metadata_header=["name", "number"], global_step=2)
    settings = {"lr": 0.1, "batch": 32, "kind": "adam", "flag": True, "none": None, "t": torch.tensor([3.0])}
    every = {"kind": ["adam", "sgd"], "batch": [16, 32]}
    writer.add_hparams(settings, {"hparam/accuracy": 0.9}, every, run_name="one", global_step=5)
    writer.close()
    writer.add_scalar("after", 1, 9)
    writer.close()


def stored(folder):
    """What lies in a folder: {file: events or text}, without times and names of files that vary."""
    from google.protobuf.json_format import MessageToDict
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    found = {}
    for path in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if "tfevents" in name:
            events = [MessageToDict(Event.FromString(raw)) for raw in RawEventFileLoader(str(path)).Load()]
            found.setdefault(name.partition("events.out")[0] + "events", []).extend(map(_plain, events))
        elif name.endswith(".png"):
            found[name] = _pixels(path.read_bytes())
        else:
            found[name] = path.read_text(encoding="utf-8")
    return found


def _plain(event):
    """An event as JSON can hold it and be compared: pixels instead of PNG files, sums of long lists."""
    import base64

    from google.protobuf.json_format import MessageToDict
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    event.pop("wallTime", None)
    for value in event.get("summary", {}).get("value", ()):
        if "image" in value:
            pixels = _pixels(base64.b64decode(value["image"]["encodedImageString"]))
            # How letters look depends on the version of pillow.
            value["image"]["encodedImageString"] = pixels[:3] if value["tag"] == "boxes/named" else pixels
        if "audio" in value:
            sound = value["audio"]["encodedAudioString"]
            value["audio"]["encodedAudioString"] = hashlib.sha256(sound.encode()).hexdigest()[:16]
        plugin = value.get("metadata", {}).get("pluginData", {})
        if plugin.get("pluginName") == "hparams":  # holds a map, whose order varies
            plugin["content"] = MessageToDict(HParamsPluginData.FromString(base64.b64decode(plugin["content"])))
    return event


def _pixels(png):
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(png)))
    return [*pixels.shape, hashlib.sha256(pixels.tobytes()).hexdigest()[:16]]
