"""`flambeau demo`: a short run leaves a model, pictures and a report."""

import json

import pytest

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
