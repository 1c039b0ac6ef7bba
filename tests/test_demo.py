"""`flambeau demo`: a short run leaves a model, pictures and a report."""

import json

import pytest

import flambeau as fb
from flambeau import demo, record
from flambeau.training import accuracy
from flambeau.utils.data import DataLoader

pytest.importorskip("PIL")


def test_short_run(tmp_path, capsys):
    out = tmp_path / "run"
    assert demo.main(["--out", str(out), "--epochs", "3", "--seed", "1"]) == 0
    shown = capsys.readouterr()
    assert str(out) in shown.out and "epoch 3/3" in shown.out and "\x1b" not in shown.out + shown.err
    facts = json.loads((out / "metrics.json").read_text())["facts"]
    assert facts["test accuracy"] > 0.9 and facts["epochs run"] == 3
    run = record.load(out)
    assert run.state["status"] == "finished" and run.config["data"] == "digits"
    assert "Each class" in (out / "index.html").read_text()


def test_the_best_weights_are_tested(tmp_path):
    """Those in best.pt are the ones whose accuracy is reported."""
    out = tmp_path / "run"
    demo.main(["--out", str(out), "--epochs", "2", "--seed", "3"])
    stored = fb.load(out / "best.pt")
    facts = json.loads((out / "metrics.json").read_text())["facts"]
    assert stored["epoch"] == facts["best epoch"]
    *_, test, names = demo.load("digits", "data", 3)
    model = demo.SmallConvNet(8, len(names))
    model.load_state_dict(stored["model"])
    _images, scores, labels = demo.predict(model, DataLoader(test, batch_size=512))
    assert float(accuracy(scores, labels)) == facts["test accuracy"]


def test_pictures(tmp_path):
    pytest.importorskip("matplotlib")
    out = tmp_path / "run"
    demo.main(["--out", str(out), "--epochs", "1"])
    pictures = list((out / "pictures").iterdir())
    assert len(pictures) == 3 and all(picture.stat().st_size > 5000 for picture in pictures)


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


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_the_learning_rate_is_a_number_above_0(value, capsys):
    with pytest.raises(SystemExit):
        demo.main(["--lr", value])
    assert "must be a number above 0, not" in capsys.readouterr().err


def test_a_training_that_fails_is_told_in_words(tmp_path, capsys):
    assert demo.main(["--lr", "1e30", "--epochs", "1", "--out", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "flambeau demo: " in told and "fix:" in told and "Traceback" not in told
    assert "failed" in (tmp_path / "run.json").read_text()


def test_results_that_cannot_be_written(tmp_path, capsys):
    taken = tmp_path / "file"
    taken.write_text("")
    assert demo.main(["--out", str(taken)]) == 1
    captured = capsys.readouterr()
    assert f"cannot write results to {taken}: File exists" in captured.err and "epoch" not in captured.out
