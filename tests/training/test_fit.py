"""What fit does besides the loop: errors that explain, endings, compiling, the doctor, what it leaves behind."""

import math
import sys
import warnings
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from training.small import data, parts, weights

import flambeau as torch
from flambeau import nn
from flambeau.errors import ArgumentError, ArgumentTypeError, GradientError, MissingKey, NotSupported, ShapeError
from flambeau.training import Checkpoint, EarlyStopping, accuracy
from flambeau.training.display import wrapped
from flambeau.utils.data import DataLoader, TensorDataset


def fit(loader=None, model=None, loss_fn=None, **options):
    usual, usual_loss, optimizer = parts()
    if model is not None:
        optimizer = torch.optim.Adam(model.parameters())
    loader = data() if loader is None else loader
    return torch.fit(model or usual, loader, loss_fn or usual_loss, optimizer, progress=False, **options)


def test_what_it_returns():
    history = fit(epochs=3, val_loader=data(20), metrics={"accuracy": accuracy})
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert history.epochs == 3 and history.step == 18 and history.stopped == "" and history["lr"] == [0.05] * 3
    assert history.best["val_loss"] == min(history["val_loss"])


def test_means_count_samples():
    """The mean over samples, although the last batch is smaller than the others."""
    x = torch.tensor([[1.0], [1.0], [4.0]])
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loader = DataLoader(TensorDataset(x, torch.zeros(3, 1)), 2)
    history = torch.fit(model, loader, nn.L1Loss(), optimizer, val_loader=loader, progress=False,
                        metrics={"mean": lambda o, t: o.mean()})  # fmt: skip
    assert history["loss"] == [2.0] and history["val_loss"] == [2.0] and history["mean"] == [2.0]


@pytest.mark.parametrize("samples", [44, 32, 9, 13])
def test_accumulation_is_one_large_batch(samples):
    """Also where the last group is not full and its last batch is smaller."""

    def run(batch, **options):
        torch.manual_seed(0)
        model = nn.Linear(6, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        torch.fit(model, data(samples, batch), nn.CrossEntropyLoss(), optimizer, epochs=2, progress=False, **options)
        return model.weight

    assert torch.allclose(run(4, accumulate=3), run(12), atol=1e-6)


def test_the_mode_is_as_before():
    model = parts()[0].eval()
    fit(model=model, val_loader=data(20))
    assert not model.training and not model[2].training


def test_no_graph_outlives_a_step():
    losses = []
    fit(callbacks=[type("Keeps", (), {"on_step": lambda self, t: losses.append(t.loss)})()])
    assert all(loss.grad_fn is None and not loss.requires_grad for loss in losses)


# ---------------------------------------------------------------------- endings


def test_early_stopping():
    history = fit(epochs=50, val_loader=data(20), early_stopping=EarlyStopping(2, min_delta=10.0))
    assert history.epochs == 3 and history.stopped == "no better val_loss for 2 epochs"


def test_the_best_weights_come_back():
    kept = {}
    model, loss_fn, optimizer = parts(rate=0.5)

    def keep(t):
        kept[t.epoch] = weights(t.model)

    history = torch.fit(model, data(), loss_fn, optimizer, epochs=12, val_loader=data(20), progress=False,
                        early_stopping=EarlyStopping(12, restore_best=True), callbacks=[keep])  # fmt: skip
    assert history.best["epoch"] < 12 and weights(model) == kept[history.best["epoch"]]


def test_ctrl_c_ends_after_the_step(tmp_path):
    import signal

    class Presses:
        def on_step(self, t):
            if t.step == 4:
                signal.raise_signal(signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit(epochs=3, callbacks=[Presses()], checkpoint=tmp_path / "run.pt")
    assert torch.load(tmp_path / "run.pt")["step"] == 4 and caught.value.history.step == 4
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_error_of_the_model_comes_through(tmp_path):
    class Fails(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.calls = nn.Linear(6, 3), 0

        def forward(self, x):
            self.calls += 1
            if self.calls == 8:
                raise ZeroDivisionError("in forward")
            return self.layer(x)

    with pytest.raises(ZeroDivisionError, match="in forward") as caught:
        fit(model=Fails(), epochs=3, checkpoint=tmp_path / "run.pt")
    assert caught.value.history.epochs == 1 and torch.load(tmp_path / "run.pt")["step"] == 6


class Explodes(nn.Module):
    """Its third output is the logarithm of a negative number."""

    def __init__(self):
        super().__init__()
        self.layer, self.calls = nn.Linear(6, 3), 0

    def forward(self, x):
        self.calls += 1
        y = self.layer(x)
        return torch.log(-y.square()) if self.calls == 3 else y


def test_a_loss_that_is_not_finite_is_located_before_it_spoils_the_weights():
    model = Explodes()
    with pytest.raises(GradientError) as caught:
        fit(model=model)
    assert "log" in str(caught.value) and caught.value.code.startswith("FB-NUM")
    assert all(torch.isfinite(p).all() for p in model.parameters()) and caught.value.history.step == 2


def test_stopping_at_a_loss_that_is_not_finite():
    model = Explodes()
    with pytest.warns(UserWarning, match="stopped in epoch 1 after 2 steps"):
        history = fit(model=model, epochs=3, on_nan="stop")
    assert history.stopped == "the loss is not finite" and history.epochs == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        history = fit(model=Explodes(), epochs=2, on_nan="ignore")
    assert history.epochs == 2 and math.isnan(history["loss"][0])


# ---------------------------------------------------------------------- compiled and watched


def test_a_compiled_step_gives_nearly_the_same(recwarn):
    eager, compiled = parts(), parts()
    for (model, loss_fn, optimizer), how in ((eager, False), (compiled, True)):
        torch.manual_seed(3)
        torch.fit(model, data(40), loss_fn, optimizer, epochs=3, compile=how, progress=False)
    for a, b in zip(eager[0].parameters(), compiled[0].parameters()):
        assert torch.allclose(a, b, atol=1e-5)
    assert not recwarn


def test_it_says_why_a_step_is_not_compiled():
    def loss_fn(outputs, targets):
        if outputs.sum().item() > 1e9:
            raise AssertionError
        return nn.functional.cross_entropy(outputs, targets)

    with pytest.warns(UserWarning, match=r"not compiled as a whole: item\(\) .*test_fit.py"):
        fit(loss_fn=loss_fn, compile=True)


def test_the_doctor_looks_on():
    model = nn.Sequential(nn.Linear(6, 16), nn.Linear(16, 3), nn.Softmax(1))
    history = fit(model=model, epochs=2, doctor=True, val_loader=data(20))
    assert "FB-LOSS-01" in history.report.codes() and history.report.facts["steps"] == 12


def test_the_doctor_hears_of_compiled_steps():
    history = fit(epochs=3, doctor=True, compile=True, metrics={"accuracy": accuracy})
    assert history.report.facts["steps"] > 12


# ---------------------------------------------------------------------- what cannot be meant


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"loader": []}, ArgumentError, "train_loader gave no batches"),
        ({"loader": iter(list(data())), "epochs": 2}, ArgumentError, "no batches in epoch 2"),
        ({"val_loader": []}, ArgumentError, "val_loader gave no batches"),
        ({"loader": 3}, ArgumentTypeError, "something that gives batches, not int"),
        ({"loss_fn": "mse"}, ArgumentTypeError, "a function as loss_fn, not str"),
        ({"epochs": 0}, ArgumentError, "less than 1"),
        ({"epochs": 1.5}, ArgumentTypeError, "not a whole number"),
        ({"clip_norm": -1.0}, ArgumentError, "not more than 0"),
        ({"clip_norm": "1"}, ArgumentTypeError, "clip_norm='1'"),
        ({"seed": "x"}, ArgumentTypeError, "seed='x'"),
        ({"compile": "yes"}, ArgumentTypeError, "compile='yes'"),
        ({"step": 3}, ArgumentTypeError, "a function as step, not int"),
        ({"scheduler": 3}, ArgumentTypeError, "takes a scheduler, not 3"),
        ({"scheduler": torch.optim.lr_scheduler.StepLR}, ArgumentTypeError, "takes a scheduler, not <class"),
        ({"callbacks": print}, ArgumentTypeError, "a list of callbacks, not builtin"),
        ({"callbacks": "print"}, ArgumentTypeError, "a list of callbacks, not str"),
        ({"callbacks": [3]}, ArgumentTypeError, "3 cannot be called back"),
        ({"callbacks": [torch.Run]}, ArgumentTypeError, "Run is a class"),
        ({"metrics": {"loss": accuracy}}, ArgumentError, "cannot be called 'loss'"),
        ({"metrics": {"val_x": accuracy}}, ArgumentError, "cannot be called 'val_x'"),
        ({"metrics": {3: accuracy}}, ArgumentTypeError, "not a name and a function"),
        ({"metrics": {"a": "accuracy"}}, ArgumentTypeError, "not a name and a function"),
        ({"metrics": {"a": lambda o, t: None}}, ArgumentTypeError, "'a' gave NoneType"),
        ({"metrics": {"a": lambda o, t: "1"}}, ArgumentTypeError, "'a' gave str"),
        ({"metrics": {"a": lambda o, t: o}}, ArgumentTypeError, r"'a' gave a tensor of shape \(8, 3\)"),
        ({"on_nan": "explode"}, ArgumentError, "neither 'raise', 'stop' nor 'ignore'"),
        ({"resume": True}, ArgumentError, "does not know from which file"),
        ({"early_stopping": 0}, ArgumentError, "not a number of epochs"),
        ({"early_stopping": EarlyStopping(3, "val_loss")}, MissingKey, "not a column of the history, which has loss"),
        ({"checkpoint": 3}, ArgumentTypeError, "cannot take int as checkpoint"),
        ({"metrics": [accuracy]}, ArgumentTypeError, "cannot take list as metrics"),
        ({"metrics": {"a": accuracy}, "step": lambda m, b: m(b[0]).sum()}, ArgumentError, "metrics= of a custom step="),
        ({"scheduler_every": "batch"}, ArgumentError, "neither 'step' nor 'epoch'"),
        ({"loader": [torch.ones(2, 6)]}, ArgumentError, r"one tensor of shape \(2, 6\)"),
        ({"loader": [{"x": torch.ones(2, 6)}]}, ArgumentError, "a dictionary of 'x'"),
        ({"loader": [(1, 2, 3)]}, ArgumentError, "3 parts"),
        ({"loss_fn": nn.CrossEntropyLoss(reduction="none")}, ShapeError, r"shape \(8,\), not one element"),
        ({"loss_fn": lambda o, t: o.sum().item()}, ArgumentTypeError, "the loss is float, not a tensor"),
        ({"step": lambda m, b: {"mse": m(b[0]).sum()}}, ArgumentError, "has no 'loss', but 'mse'"),
    ],
)  # fmt: skip
def test_bad_arguments(options, error, text):
    with pytest.raises(error, match=text) as caught:
        fit(**options)
    assert caught.value.why and caught.value.fix


def test_optimizers_that_cannot_be_used():
    model, loss_fn, optimizer = parts()
    with pytest.raises(NotSupported, match="LBFGS"):
        torch.fit(model, data(), loss_fn, torch.optim.LBFGS(model.parameters()))
    with pytest.raises(ArgumentTypeError, match="an optimizer, not float"):
        torch.fit(model, data(), loss_fn, 0.1)
    other = torch.optim.lr_scheduler.StepLR(torch.optim.SGD(model.parameters(), lr=0.1), 1)
    with pytest.raises(ArgumentError, match="belongs to another optimizer"):
        torch.fit(model, data(), loss_fn, optimizer, scheduler=other)
    elsewhere = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    with pytest.raises(ArgumentError, match="none of the model's parameters"):
        torch.fit(model, data(), loss_fn, elsewhere)
    with pytest.raises(ArgumentError, match="every=0"):
        Checkpoint("run.pt", every=0)


def test_batches_of_any_form():
    def step(model, batch):
        return {"loss": nn.functional.cross_entropy(model(batch["x"]), batch["y"]), "size": len(batch["y"])}

    batches = [{"x": x, "y": y} for x, y in data()]
    history = fit(batches, step=step, val_loader=batches, epochs=2)
    assert list(history)[:4] == ["loss", "size", "val_loss", "val_size"]
    assert history["size"] == [(5 * 64 + 16) / 44] * 2


# ---------------------------------------------------------------------- what is shown


def test_a_line_for_each_epoch(capsys):
    model, loss_fn, optimizer = parts()
    history = torch.fit(model, data(), loss_fn, optimizer, epochs=2, val_loader=data(20),
                        metrics={"accuracy": accuracy})  # fmt: skip
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert (
        len(lines) == 2
        and shown.err == ""
        and lines[0].startswith("epoch 1/2  loss ")
        and lines[1].startswith("epoch 2/2* loss ")
    )
    assert f"val_accuracy {history['val_accuracy'][1]:.2%}" in lines[1]


def test_the_line_of_an_epoch_on_a_narrow_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setenv("COLUMNS", "40")
    parts = ["val_accuracy 34.59%", "val_准确率 0.3459"]  # Chinese letters are two columns wide
    assert wrapped("epoch 1/3", parts) == "epoch 1/3 val_accuracy 34.59%\n    val_准确率 0.3459"


def test_it_says_where_it_goes_on(tmp_path, capsys):
    for epochs, said in (
        (1, ""),
        (2, "goes on after epoch 1, step 6"),
        (2, "has been trained already: 2 epochs, 12 steps"),
    ):
        model, loss_fn, optimizer = parts()
        torch.fit(model, data(), loss_fn, optimizer, epochs=epochs, checkpoint=tmp_path / "run.pt", resume=True)
        assert capsys.readouterr().out.startswith(said or "epoch 1/1")


def test_the_history_as_a_table():
    history = fit(epochs=2, val_loader=data(20))
    table = str(history).splitlines()
    assert len(table) == 3 and len({len(line.removesuffix("  *")) for line in table}) == 1
    assert history._repr_html_().count("<tr") == 3 and "bold" in history._repr_html_()
    assert str(torch.training.History()) == "no epochs yet"
    pytest.importorskip("matplotlib")
    assert len(history.plot().axes) >= 1


@pytest.mark.parametrize("fails", [False, True])
def test_every_layer_is_in_its_mode_again(fails):
    model = nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.5))
    model[1].eval()
    seen = []

    def loss_fn(output, target):
        seen.append(model[1].training)
        if fails:
            raise KeyError("the loss's own")
        return nn.functional.cross_entropy(output, target)

    with pytest.raises(KeyError) if fails else nullcontext():
        fit(model=model, loss_fn=loss_fn, epochs=1)
    assert all(seen) and [m.training for m in model.modules()] == [True, True, False]
