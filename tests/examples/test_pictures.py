"""Examples on pictures: fine-tuning, VAE, DCGAN, attribution."""

import flambeau as torch


def test_resnet_finetune(run):
    pretrained, frozen, tuned, unchanged = run("resnet_finetune", "--epochs", 10)
    assert unchanged
    assert pretrained > 0.8 and frozen > 0.8 and tuned > 0.9


def test_vae(run):
    history, made = run("vae", "--epochs", 4)
    assert history[-1] < history[0] < 45
    assert made.shape == (5, 8, 8) and made.min() >= 0 and made.max() <= 1


def test_dcgan(run):
    history, made = run("dcgan", "--epochs", 2)
    assert all(0 < judge < 3 and 0 < draw < 6 for judge, draw in history)
    assert made.shape == (5, 1, 8, 8) and made.abs().max() <= 1 and made.std() > 0.1


def test_attribution_digits(run, tmp_path):
    accuracy, change, found = run("attribution_digits", "--epochs", 4, "--save", tmp_path / "digits.png")
    assert accuracy > 0.7 and len(found) == 6
    assert (tmp_path / "digits.png").stat().st_size > 10_000
    for name in ("integrated gradients", "DeepLift"):
        torch.testing.assert_close(found[name].sum((1, 2, 3)), change, rtol=2e-3, atol=1e-4)


def test_tensorboard_digits(run, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = run("tensorboard_digits", "--epochs", 2, "--logdir", tmp_path)
    assert min(found.values()) > 0.8
    written = EventAccumulator(str(tmp_path / "width8"))
    written.Reload()
    tags = written.Tags()
    assert "loss/train" in tags["scalars"] and "weights/head.bias" in tags["histograms"] and tags["graph"]
    assert (tmp_path / "width16" / "projector_config.pbtxt").exists()


def test_record_a_run(run, tmp_path):
    found = run("record_a_run", "--epochs", 3, "--folder", tmp_path)
    assert max(accuracy for _, accuracy in found) > 0.8
    assert {p.name for p in tmp_path.iterdir()} == {"lr-0.1", "lr-0.01", "compare-lr-0.1-lr-0.01.html"}
    first = torch.record.load(found[0][0])
    assert first.status == "finished" and first.config["lr"] == 0.1 and len(first.values("val/loss")[0]) == 3


def test_fit_digits(run, tmp_path, capsys):
    options = ("--epochs", 4, "--folder", tmp_path / "run", "--doctor")
    reached = run("fit_digits", *options)
    assert reached > 0.9 and (tmp_path / "run" / "index.html").exists()
    capsys.readouterr()
    assert run("fit_digits", *options) == reached and "trained already: 4 epochs" in capsys.readouterr().out
    assert run("fit_digits", "--show") is None and "clip_grad_norm_" in capsys.readouterr().out
