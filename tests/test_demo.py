"""`flambeau demo`: a short run leaves a model, pictures and a report."""

import io
import json

import pytest
from rich.console import Console

import flambeau as fb
from flambeau import demo

pytest.importorskip("PIL")


def test_short_run(tmp_path, capsys):
    out = tmp_path / "run"
    assert demo.main(["--out", str(out), "--epochs", "3", "--seed", "1"]) == 0
    shown = capsys.readouterr().out
    assert str(out) in shown and "epoch  3/3" in shown and "\x1b" not in shown
    facts = json.loads((out / "metrics.json").read_text())["facts"]
    assert facts["test accuracy"] > 0.9 and facts["epochs run"] == 3
    stored = fb.load(out / "best.pt")
    assert set(stored) == {"epoch", "model", "optimizer", "val_loss", "val_accuracy"}
    page = (out / "report.html").read_text()
    assert "flambeau demo: digits" in page and "Each class" in page


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "run"
    demo.main(["--out", str(out), "--epochs", "1"])
    for name in ("curves", "confusion", "samples"):
        assert (out / f"{name}.png").stat().st_size > 5000
    assert (out / "report.html").read_text().count("data:image/png;base64,") == 3


def test_offline_error_is_readable(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo.datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert demo.main(["--data", "mnist", "--root", str(tmp_path / "root"), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "train-images-idx3-ubyte.gz" in error and "by hand" in error
    assert list(tmp_path.iterdir()) == []


def test_help(capsys):
    with pytest.raises(SystemExit):
        demo.main(["--help"])
    assert "--data" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--epochs", "--batch-size", "--patience"])
def test_counts_are_positive(option, capsys):
    for value in ("0", "-3"):
        with pytest.raises(SystemExit):
            demo.main([option, value])
        assert f"must be at least 1, not {value}" in capsys.readouterr().err


def test_results_that_cannot_be_written(tmp_path, capsys):
    taken = tmp_path / "file"
    taken.write_text("")
    assert demo.main(["--out", str(taken)]) == 1
    captured = capsys.readouterr()
    assert f"cannot write results to {taken}: File exists" in captured.err and "epoch" not in captured.out


@pytest.mark.parametrize("width", [40, 70, 100])
def test_progress_fits_the_terminal(width, monkeypatch):
    monkeypatch.setattr(demo.time, "perf_counter", iter([0.0, 4.5]).__next__)
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=width, color_system=None)
    with demo.progress_bar(console, 16, 1000) as show:
        show(12, 500, 0.12345, 0.98765)
    last = [line for line in text.getvalue().replace("\x1b[2K", "").split("\r") if "12/16" in line][-1].partition("\n")[
        0
    ]
    assert "loss 0.1235" in last and "acc 98.77%" in last and "\N{HORIZONTAL ELLIPSIS}" not in last
    assert ("img/s" in last) == (width > 60) and len(last.rstrip()) <= width
