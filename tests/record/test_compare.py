"""Runs laid side by side: by `record.compare` and by `flambeau compare`."""

import json

import pytest

import flambeau as torch
from flambeau import cli, record
from flambeau.errors import ArgumentError, CannotWrite, MissingFile


def data_of(page):
    text = page.read_text(encoding="utf-8")
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script>", start)])


@pytest.fixture
def runs(tmp_path):
    folders = []
    for lr in (0.1, 0.01):
        with torch.Run(tmp_path / f"lr {lr}", config={"lr": lr, "epochs": 3}) as run:
            for step in range(3):
                run.log(loss=lr * step, step=step)
        folders.append(run.folder)
    return folders


def test_two_runs(runs, tmp_path):
    page = record.compare(*runs, out=tmp_path / "both.html")
    data = data_of(page)
    assert page == tmp_path / "both.html" and data["kind"] == "compare" and data["programs"] == []
    assert [(r["name"], r["config"]["lr"]) for r in data["runs"]] == [("lr 0.1", 0.1), ("lr 0.01", 0.01)]
    assert data["runs"][1]["metrics"][0]["value"] == [0, 0.01, 0.02]


def test_records_are_left_as_they_are(runs):
    first, second = map(record.load, runs)
    first.state["name"] = second.state["name"] = "same"
    names = [r["name"] for r in data_of(record.compare(first, second))["runs"]]
    assert names == ["same (lr 0.1)", "same (lr 0.01)"]
    assert first.name == "same"


def test_what_changed_in_the_program(runs):
    for folder, text in zip(runs, ("a = 1\nb = 2\n", "a = 1\nb = 3\n")):
        state = json.loads((folder / "run.json").read_text())
        state["code"] = [{"name": "train.py", "sha256": "0" * 64, "text": text}]
        (folder / "run.json").write_text(json.dumps(state))
    program = data_of(record.compare(*runs))["programs"][0]
    assert (program["file"], program["from"], program["to"]) == ("train.py", "lr 0.1", "lr 0.01")
    assert program["lines"][2:] == ["@@ -1,2 +1,2 @@", " a = 1", "-b = 2", "+b = 3"]


def test_a_page_of_its_own_for_each_pair(runs):
    assert record.compare(*runs).name == "compare-lr 0.1-lr 0.01.html"
    assert record.compare(*reversed(runs)).name == "compare-lr 0.01-lr 0.1.html"


def test_what_cannot_be_compared(runs, tmp_path):
    with pytest.raises(ArgumentError, match="two or more runs, not 1"):
        record.compare(runs[0])
    with pytest.raises(MissingFile, match="no record of a run"):
        record.compare(runs[0], tmp_path / "nothing")
    with pytest.raises(CannotWrite):
        record.compare(*runs, out=tmp_path / "no" / "folder.html")


def test_the_command(runs, tmp_path, capsys):
    out = str(tmp_path / "page.html")
    assert cli.main(["compare", *map(str, runs), "--out", out]) == 0
    assert capsys.readouterr().out.strip() == out
    assert cli.main(["compare", str(runs[0]), str(tmp_path / "nothing")]) == 2
    assert "no record of a run" in capsys.readouterr().err
    assert cli.main(["compare", str(runs[0])]) == 2
