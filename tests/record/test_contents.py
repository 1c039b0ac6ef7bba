"""What a run's record can hold beside numbers: figures, images, tables, the model, a profile, checkpoints."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest

import flambeau as torch
from flambeau.errors import ArgumentError, ArgumentTypeError, MissingFile
from flambeau.record import pictures
from flambeau.record.page import content
from flambeau.record.settings import plain

Image = pytest.importorskip("PIL.Image")


def shown(run):
    """What the page shows of a run."""
    return content(run.record)


def picture(run, number=-1):
    """A picture of the page, as Pillow reads it."""
    kind, data = shown(run)["items"][number]["source"].split(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_figures(tmp_path):
    plt = pytest.importorskip("matplotlib.figure")
    figure = plt.Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    with torch.Run(tmp_path / "run") as run:
        run.add_figure("曲线", figure, 3, caption="rising")
        assert picture(run).size == (260, 130)
        item = shown(run)["items"][0]
        assert (item["name"], item["step"], item["caption"]) == ("曲线", 3, "rising")
        with pytest.raises(ArgumentTypeError, match="takes a figure, not Tensor"):
            run.add_figure("x", torch.ones(2))
        with pytest.raises(ArgumentTypeError, match="is a text, not Figure"):
            run.add_figure(figure, "x")
    assert (run.folder / "pictures" / "0001.png").is_file()


def test_images(tmp_path):
    with torch.Run(tmp_path / "run") as run:
        run.add_image("grey", torch.tensor([[0.0, 0.5], [1.0, torch.nan]]))
        assert np.asarray(picture(run)).tolist() == [[0, 128], [255, 0]]
        run.add_image("colours", np.zeros((3, 4, 5), np.uint8))
        assert picture(run).size == (5, 4) and picture(run).mode == "RGB"
        run.add_image("last", np.zeros((4, 5, 3)), dataformats="HWC")
        assert picture(run).size == (5, 4)
        run.add_image("bools", torch.tensor([[True, False]]))
        assert np.asarray(picture(run)).tolist() == [[255, 0]]
        run.add_image("batch", torch.zeros(2, 1, 4, 4, dtype=torch.bfloat16))
        assert picture(run).size == (9, 4)
        path = tmp_path / "mine.png"
        picture(run).save(path)
        run.add_image("file", path)
        run.add_image("pillow", Image.open(path))
        assert picture(run).size == picture(run, -2).size == (9, 4)


@pytest.mark.parametrize(
    ("image", "options", "error", "message"),
    [
        (torch.zeros(3), {}, ArgumentError, r"shape \(3,\) cannot be shown"),
        (torch.zeros(0, 4), {}, ArgumentError, r"shape \(0, 4\)"),
        (torch.zeros(7, 5, 5), {}, ArgumentError, "7 channels"),
        (torch.zeros(4, 4), {"dataformats": "CHW"}, ArgumentError, "as CHW"),
        (None, {}, ArgumentTypeError, "takes pixels, not NoneType"),
        ("nothing.png", {}, MissingFile, "there is no picture"),
        (__file__, {}, ArgumentError, "'.py' is not a picture"),
    ],
)
def test_what_is_no_image(image, options, error, message, tmp_path):
    with torch.Run(tmp_path / "run") as run, pytest.raises(error, match=message):
        run.add_image("x", image, **options)
    assert run.record.state["items"] == []


def test_many_pictures_of_one_name(tmp_path):
    with torch.Run(tmp_path / "run") as run:
        for step in range(30):
            run.add_image("weights", torch.zeros(2, 2), step)
    steps = [item["step"] for item in shown(run)["items"]]
    assert steps[0] == 0 and steps[-1] == 29 and len(steps) == 8
    assert len(list((run.folder / "pictures").iterdir())) == 30


class Frame:
    """As much of a data frame as is used."""

    columns = ["a", "b"]

    def itertuples(self, index):
        return [(1, "x"), (2, "y")]


@pytest.mark.parametrize(
    ("rows", "columns", "wanted"),
    [
        ([[1, "x"], [2, "y"]], ["a", "b"], (["a", "b"], [[1, "x"], [2, "y"]])),
        ([{"a": 1, "b": "x"}, {"b": "y"}], None, (["a", "b"], [[1, "x"], ["", "y"]])),
        ({"a": torch.tensor(2.5), "b": None}, None, (["name", "value"], [["a", 2.5], ["b", None]])),
        (torch.tensor([[1, 2]]), None, (["", ""], [[1, 2]])),
        (Frame(), None, (["a", "b"], [[1, "x"], [2, "y"]])),
        ([[1], [1, float("nan")]], ["n"], (["n", ""], [[1, ""], [1, "nan"]])),
        ([], ["a"], (["a"], [])),
    ],
)
def test_tables(rows, columns, wanted):
    assert pictures.table(rows, columns) == wanted


@pytest.mark.parametrize("rows", [3, "text", [1, 2], ["ab"]])
def test_what_is_no_table(rows, tmp_path):
    with torch.Run(tmp_path / "run") as run, pytest.raises(ArgumentTypeError, match="takes rows"):
        run.add_table("x", rows)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_model(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(), torch.nn.LazyLinear(2))
    with torch.Run(tmp_path / "run") as run:
        run.add_model(model)
        assert shown(run)["model"]["parameters"] == 15 and shown(run)["model"]["source"] == ""
        model(torch.zeros(1, 4))
        run.add_model(model, torch.zeros(5, 4))
        found = shown(run)["model"]
        assert found["parameters"] == found["trainable"] == 23 and "[5, 2]" in found["text"]
        assert found["source"].startswith("data:image/svg+xml;base64,") and model.training
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            run.add_model(model, torch.zeros(5, 3))
        with pytest.raises(ArgumentTypeError, match="takes a module"):
            run.add_model(torch.zeros(1))


def test_a_profile(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    with torch.Run(tmp_path / "run") as run:
        with torch.profiler.profile() as profile:
            model(torch.zeros(2, 4))
        run.add_profile(profile, rows=2)
        found = shown(run)["profile"]
        assert (
            len(found["rows"]) == 2 and "aten::linear" in [row[0] for row in found["rows"]] and found["left_out"] >= 0
        )
        own = [row[2] for row in found["rows"]]
        assert own == sorted(own, reverse=True) and sum(own) <= found["total"]
        assert {"Sequential", "Sequential.0", "Sequential.1"} <= {row[0] for row in found["layers"]}
        with pytest.raises(ArgumentTypeError, match="takes a profile, not str"):
            run.add_profile("fast")


def test_checkpoints(tmp_path):
    with torch.Run(tmp_path / "run") as run:
        torch.save({}, run.folder / "best.pt")
        run.add_checkpoint(run.folder / "best.pt", 5, note="best")
        run.add_checkpoint(tmp_path / "gone.pt")
    first, second = shown(run)["items"]
    assert (first["name"], first["step"], first["note"]) == ("best.pt", 5, "best") and first["size"] > 100
    assert second["name"] == str(tmp_path / "gone.pt") and second["size"] is None


def test_settings_of_any_kind():
    class Odd:
        def __repr__(self):
            return "<odd>"

    given = {"inner": {1: (1, 2)}, "path": Path("a/b"), "array": np.float32(0.5), "odd": Odd(), "f": len}
    assert plain(given) == {"inner": {"1": [1, 2]}, "path": "a/b", "array": 0.5, "odd": "<odd>", "f": "len"}
    deep: dict = {}
    deep["self"] = deep
    assert "..." in str(plain(deep)) and len(plain(list(range(1000)))) == 201
