"""The plain program of fit: run by itself, it ends with the same weights, to the bit."""

import pytest
from training.small import data, parts, weights

import flambeau as torch
from flambeau.training import Checkpoint, EarlyStopping, accuracy
from flambeau.utils.data import DataLoader, DistributedSampler

F = torch.nn.functional
METRICS = {"accuracy": accuracy}


def custom(model, batch):
    inputs, targets = batch
    outputs = model(inputs)
    return {"loss": F.cross_entropy(outputs, targets), "accuracy": accuracy(outputs, targets)}


def custom_fast(model, batch):
    loss = plain_loss(model, batch)
    return {"loss": loss, "twice": 2 * loss.detach()}


def plain_loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


CASES = {
    "nothing": {},
    "epochs": {"epochs": 3},
    "validation": {"epochs": 3, "val": True},
    "metrics": {"epochs": 2, "val": True, "metrics": METRICS},
    "metrics without validation": {"epochs": 2, "metrics": METRICS},
    "clipping": {"epochs": 2, "clip_norm": 0.05, "clip_value": 0.01},
    "accumulation": {"epochs": 2, "accumulate": 4},
    "accumulation and metrics": {"epochs": 2, "accumulate": 4, "val": True, "metrics": METRICS, "clip_norm": 0.1},
    "compiled": {"epochs": 2, "compile": True, "metrics": METRICS},
    "compiled accumulation": {"epochs": 2, "compile": True, "accumulate": 2, "val": True},
    "scheduler": {"epochs": 4, "schedule": lambda o: torch.optim.lr_scheduler.StepLR(o, 1, 0.5)},
    "plateau": {"epochs": 4, "val": True,
                "schedule": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, threshold=10.0)},
    "plateau on a metric": {"epochs": 4, "val": True, "metrics": METRICS,
                            "schedule": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0)},
    "one cycle": {"epochs": 2, "schedule": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=12)},
    "each step": {"epochs": 2, "schedule": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9),
                  "scheduler_every": "step"},
    "max_steps": {"epochs": 5, "max_steps": 8, "val": True},
    "max_steps and accumulation": {"epochs": 5, "max_steps": 3, "accumulate": 2, "metrics": METRICS},
    "early stopping": {"epochs": 9, "val": True, "early_stopping": EarlyStopping(2, min_delta=0.3)},
    "early stopping on a metric": {"epochs": 9, "val": True, "metrics": METRICS,
                                   "early_stopping": EarlyStopping(1, "val_accuracy", restore_best=True)},
    "early stopping on the loss": {"epochs": 9, "early_stopping": EarlyStopping(1, "loss", "max", restore_best=True)},
    "stopped in the best epoch": {"epochs": 9, "max_steps": 8, "val": True,
                                  "early_stopping": EarlyStopping(5, restore_best=True)},
    "any name": {"epochs": 2, "val": True, "metrics": {'<b>"\\{x}准确率': accuracy}},
    "custom step": {"epochs": 2, "step": custom, "val": True},
    "custom loss": {"epochs": 2, "step": plain_loss},
    "custom, accumulated": {"epochs": 2, "step": custom, "accumulate": 4, "val": True},
    "custom, compiled": {"epochs": 2, "step": custom_fast, "compile": True},
    "seed": {"epochs": 2, "seed": 5, "shuffle": True},
    "shuffled": {"epochs": 2, "shuffle": True, "val": True},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_program_does_what_fit_does(name, capsys):
    options = CASES[name]

    def make():
        model, loss_fn, optimizer = parts()
        given = {k: v for k, v in options.items() if k not in ("schedule", "val", "shuffle")}
        if isinstance(given.get("early_stopping"), EarlyStopping):
            old = given["early_stopping"]
            given["early_stopping"] = EarlyStopping(
                old.patience, old.monitor, old.mode, old.min_delta, old.restore_best
            )
        if "schedule" in options:
            given["scheduler"] = options["schedule"](optimizer)
        if "val" in options:
            given["val_loader"] = data(20)
        return (model, data(shuffle="shuffle" in options), loss_fn, optimizer), given

    (fitted, *rest), given = make()
    history = torch.fit(fitted, *rest, **given, progress=False)

    (model, train_loader, loss_fn, optimizer), given = make()
    program = torch.fit.plain(model, train_loader, loss_fn, optimizer, **given)
    names = {"model": model, "train_loader": train_loader, "loss_fn": loss_fn, "optimizer": optimizer, **given}
    names["training_step"] = given.get("step")
    exec(compile(program, "plain.py", "exec"), names)
    assert weights(model) == weights(fitted), program
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == history.epochs
    assert f"{history['loss'][-1]:.4g}" in lines[-1]


def test_only_what_is_asked_for_is_written():
    model, loss_fn, optimizer = parts()
    program = torch.fit.plain(model, data(), loss_fn, optimizer, epochs=3)
    assert len(program.splitlines()) == 14
    for word in ("clip", "islice", "validate", "scheduler", "compile", "save", "seed", "metrics"):
        assert word not in program


def test_checkpoints_of_the_program(tmp_path, capsys):
    def run(folder, epochs, resume):
        model, loss_fn, optimizer = parts()
        given = {"epochs": epochs, "val_loader": data(20), "resume": resume,
                 "checkpoint": Checkpoint(folder / "run.pt", every=4)}  # fmt: skip
        program = torch.fit.plain(model, data(), loss_fn, optimizer, **given)
        names = {"model": model, "train_loader": data(), "loss_fn": loss_fn, "optimizer": optimizer, **given}
        exec(compile(program, "plain.py", "exec"), names)
        return model

    run(tmp_path, 2, False)
    assert torch.load(tmp_path / "run.pt")["epoch"] == 2 and (tmp_path / "run.best.pt").exists()
    capsys.readouterr()
    run(tmp_path, 3, True)
    assert capsys.readouterr().out.startswith("epoch 3/3")


def test_a_sampler_is_told_of_the_epoch():
    model, loss_fn, optimizer = parts()
    dataset = data().dataset
    loader = DataLoader(dataset, 8, sampler=DistributedSampler(dataset, 1, 0))
    program = torch.fit.plain(model, loader, loss_fn, optimizer, epochs=2)
    assert "train_loader.sampler.set_epoch(epoch - 1)" in program
