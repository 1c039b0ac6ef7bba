"""A training that is killed and resumed ends with the weights of one that was not, to the bit."""

import os
import random
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from training.small import data, parts, weights

import flambeau as torch
from flambeau.errors import CannotWrite, MissingFile, StateError
from flambeau.training import Checkpoint, EarlyStopping, accuracy
from flambeau.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, WeightedRandomSampler


class Killed(BaseException):
    """What ends a training without a chance to tidy up."""


class Augmented(Dataset):
    """Samples to which noise of all three sources of random numbers is added as they are read."""

    def __init__(self, own=None):
        self.x, self.y = data().dataset.tensors
        self.own = own

    def __len__(self):
        return len(self.x)

    def __getitem__(self, k):
        noise = torch.randn(6) + random.random() + float(np.random.rand())
        if self.own is not None:
            noise = noise + float(self.own.normal())
        return self.x[k] + 0.1 * noise, self.y[k]


class Stream(IterableDataset):
    """The same samples, one after the other, with noise."""

    def __iter__(self):
        for x, y in zip(*data().dataset.tensors):
            yield x + 0.1 * torch.randn(6), y


def weighted():
    return WeightedRandomSampler([1.0] * 22 + [2.0] * 22, 44)


SETUPS = {
    "plain": (data, {}),
    "shuffled": (lambda: data(shuffle=True), {}),
    "own generator": (lambda: data(shuffle=True, generator=torch.Generator().manual_seed(3)), {}),
    "distributed": (lambda: DataLoader(data().dataset, 8, sampler=DistributedSampler(data().dataset, 1, 0)), {}),
    "weighted": (lambda: DataLoader(data().dataset, 8, sampler=weighted()), {}),
    "augmented": (lambda: DataLoader(Augmented(), 8, shuffle=True), {}),
    "augmented by itself": (lambda: DataLoader(Augmented(np.random.default_rng(4)), 8, shuffle=True), {}),
    "two workers": (lambda: DataLoader(Augmented(), 8, shuffle=True, num_workers=2), {}),
    "a stream": (lambda: DataLoader(Stream(), 8), {}),
    "a list": (lambda: list(data()), {}),
    "accumulated": (lambda: data(shuffle=True), {"accumulate": 4, "clip_norm": 0.5}),
    "validated": (lambda: data(shuffle=True), {"val": True, "metrics": {"accuracy": accuracy}}),
    "scheduled": (data, {"scheduler": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=18)}),
    "plateau": (data, {"scheduler": lambda o: torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0)}),
    "stopping": (data, {"val": True, "early_stopping": lambda: EarlyStopping(1, min_delta=0.2, restore_best=True)}),
    "momentum": (data, {"kind": lambda p, lr: torch.optim.SGD(p, lr, momentum=0.9)}),
}


def train(setup, path, kill_at=None, seed=0, epochs=3):
    """Train, or go on; the model and its history."""
    make_loader, options = SETUPS[setup]
    options = dict(options)
    random.seed(seed)
    np.random.seed(seed)
    model, loss_fn, optimizer = parts(seed, kind=options.pop("kind", torch.optim.Adam))
    if "scheduler" in options:
        options["scheduler"] = options["scheduler"](optimizer)
    if "early_stopping" in options:
        options["early_stopping"] = options["early_stopping"]()
    if options.pop("val", False):
        options["val_loader"] = data(20)

    def dies(t):
        if t.step == kill_at:
            raise Killed

    class Assassin:
        on_step = staticmethod(dies)

    history = torch.fit(
        model, make_loader(), loss_fn, optimizer, epochs=epochs, progress=False, callbacks=[Assassin()], resume=True,
        checkpoint=Checkpoint(path, every=1), **options,
    )  # fmt: skip
    return model, history


@pytest.mark.parametrize("setup", SETUPS)
def test_killed_and_resumed(setup, tmp_path):
    whole, history = train(setup, tmp_path / "whole.pt")
    steps = history.step
    for kill_at in sorted({1, 2, steps // 3, steps // 2 + 1, steps}):
        path = tmp_path / f"{kill_at}.pt"
        with pytest.raises(Killed):
            train(setup, path, kill_at)
        torch.manual_seed(99)  # the states of the new process are other ones
        model, resumed = train(setup, path, seed=7)
        assert weights(model) == weights(whole), kill_at
        assert resumed["loss"] == history["loss"] and resumed.get("val_loss") == history.get("val_loss")
        assert resumed.step == steps


def test_killed_several_times(tmp_path):
    whole, history = train("augmented", tmp_path / "whole.pt")
    for kill_at in (2, 6, 7, 13, 17):
        with pytest.raises(Killed):
            train("augmented", tmp_path / "run.pt", kill_at, seed=0 if kill_at == 2 else kill_at)
    model, resumed = train("augmented", tmp_path / "run.pt", seed=40)
    assert weights(model) == weights(whole) and resumed["loss"] == history["loss"]


def test_going_on_with_more_epochs(tmp_path):
    whole, history = train("shuffled", tmp_path / "whole.pt", epochs=4)
    train("shuffled", tmp_path / "run.pt", epochs=2)
    model, longer = train("shuffled", tmp_path / "run.pt", epochs=4, seed=5)
    assert weights(model) == weights(whole) and longer["loss"] == history["loss"]


def test_a_training_that_has_ended_is_not_repeated(tmp_path):
    model, history = train("stopping", tmp_path / "run.pt")
    again, same = train("stopping", tmp_path / "run.pt", seed=3)
    assert weights(again) == weights(model) and same["loss"] == history["loss"] and same.stopped == history.stopped


def test_going_on_after_max_steps(tmp_path):
    def run(path, **options):
        model, loss_fn, optimizer = parts()
        torch.fit(model, data(shuffle=True), loss_fn, optimizer, epochs=9, checkpoint=path, resume=True, progress=False,
                  **options)  # fmt: skip
        return model

    whole = run(tmp_path / "whole.pt", max_steps=17)
    run(tmp_path / "run.pt", max_steps=6)  # the last of the first epoch
    run(tmp_path / "run.pt", max_steps=10)
    assert weights(run(tmp_path / "run.pt", max_steps=17)) == weights(whole)


PROGRAM = """
    import sys, os, signal
    sys.path.insert(0, sys.argv[1])
    from training.small import data, parts, weights
    import flambeau as torch

    def kills(t):
        if t.step == int(sys.argv[3]):
            os.kill(os.getpid(), getattr(signal, sys.argv[4]))

    class Callback:
        on_step = staticmethod(kills)

    model, loss_fn, optimizer = parts()
    try:
        torch.fit(model, data(shuffle=True), loss_fn, optimizer, epochs=3, checkpoint=sys.argv[2], resume=True,
                  callbacks=[Callback()], progress=False)
    except KeyboardInterrupt as error:
        print("interrupted", error.history.step, error.history.epochs)
    else:
        print(weights(model).hex())
"""


def run(folder, path, step=-1, how="SIGKILL"):
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    tests = os.path.dirname(os.path.dirname(__file__))
    command = [sys.executable, str(program), tests, str(path), str(step), how]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_processes_that_end(tmp_path):
    """SIGKILL leaves what was written last; Ctrl-C writes the step that it came in."""
    whole = run(tmp_path, tmp_path / "whole.pt").stdout
    assert len(whole) > 1000
    killed = run(tmp_path, tmp_path / "a.pt", 8)
    assert killed.returncode == -signal.SIGKILL and torch.load(tmp_path / "a.pt")["step"] == 6
    assert run(tmp_path, tmp_path / "a.pt").stdout == whole
    stopped = run(tmp_path, tmp_path / "b.pt", 9, "SIGINT")
    assert stopped.stdout == "interrupted 9 1\n" and torch.load(tmp_path / "b.pt")["step"] == 9
    assert run(tmp_path, tmp_path / "b.pt").stdout == whole


# ---------------------------------------------------------------------- files that are not right


def resume(path, **options):
    model, loss_fn, optimizer = parts()
    return torch.fit(model, data(), loss_fn, optimizer, epochs=2, resume=path, progress=False, **options)


def test_foreign_and_damaged_files(tmp_path):
    with pytest.raises(MissingFile, match="there is no checkpoint"):
        resume(tmp_path / "nothing.pt")
    torch.save(parts()[0].state_dict(), tmp_path / "weights.pt")
    with pytest.raises(StateError, match="is not a checkpoint of fit"):
        resume(tmp_path / "weights.pt")
    train("plain", tmp_path / "run.pt")
    whole = (tmp_path / "run.pt").read_bytes()
    (tmp_path / "half.pt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pt").write_text("not a checkpoint")
    for name in ("half.pt", "text.pt"):
        with pytest.raises(StateError, match="cannot be read as a checkpoint"):
            resume(tmp_path / name)


def test_a_checkpoint_of_another_model(tmp_path):
    train("plain", tmp_path / "run.pt")
    torch.manual_seed(0)
    model = torch.nn.Linear(6, 3)
    before = weights(model)
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(StateError, match="the model in the checkpoint .* does not fit"):
        torch.fit(model, data(), torch.nn.CrossEntropyLoss(), optimizer, resume=tmp_path / "run.pt", progress=False)
    assert weights(model) == before
    model, loss_fn, optimizer = parts()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.raises(StateError, match="has no scheduler"):
        torch.fit(model, data(), loss_fn, optimizer, scheduler=scheduler, resume=tmp_path / "run.pt", progress=False)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    steps = []

    class Counts:
        def on_step(self, t):
            steps.append(t.step)

    model, loss_fn, optimizer = parts()
    with pytest.raises(CannotWrite, match="cannot write checkpoints"):
        torch.fit(model, data(), loss_fn, optimizer, checkpoint=tmp_path / "file" / "run.pt", callbacks=[Counts()],
                  progress=False)  # fmt: skip
    assert steps == []


def test_the_best_state_is_kept(tmp_path):
    model, loss_fn, optimizer = parts()
    history = torch.fit(model, data(shuffle=True), loss_fn, optimizer, epochs=6, val_loader=data(20), progress=False,
                        checkpoint=tmp_path / "folder")  # fmt: skip
    best = torch.load(tmp_path / "folder" / "best.pt")
    assert best["epoch"] == history.best["epoch"] and best["best"]["value"] == min(history["val_loss"])
    assert torch.load(tmp_path / "folder" / "last.pt")["epoch"] == 6


def test_persistent_workers_are_warned_of(tmp_path):
    def loader():
        return DataLoader(Augmented(), 8, num_workers=1, persistent_workers=True)

    model, loss_fn, optimizer = parts()
    torch.fit(model, loader(), loss_fn, optimizer, checkpoint=tmp_path / "run.pt", progress=False)
    with pytest.warns(UserWarning, match="persistent workers"):
        torch.fit(model, loader(), loss_fn, optimizer, epochs=2, resume=tmp_path / "run.pt", progress=False)
