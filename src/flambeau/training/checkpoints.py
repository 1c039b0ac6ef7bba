"""Checkpoints of a training from which it goes on exactly, bit for bit: what is kept, and how it is put back."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, CannotWrite, FlambeauError, MissingFile, StateError
from ..generator import Generator, default_generator
from ..language import warn
from ..serialization import load, save
from ..tensor import Tensor
from ..utils.data import DataLoader, IterableDataset
from .stopping import Best

KIND, VERSION = "flambeau.fit", 1
DEPTH = 5  # how deep generators are looked for inside a loader


class Checkpoint:
    """Where `fit` keeps its state, and when it is written.

    The state is written before the first step, after each epoch, every so many steps, and when training ends or is
    stopped with Ctrl-C. A file appears whole or not at all.

    Arguments:
        path: the file of the last state; or a folder, for `last.pt` and `best.pt` in it.
        every: also write after each so many steps.
        seconds: also write when so many seconds have passed since the last time.
        best: keep the state of the best epoch too, in `best.pt` of a folder, `run.best.pt` beside a file `run.pt`.
        monitor, mode: which column of the history says what is best, as for `EarlyStopping`.

    >>> from flambeau.training import Checkpoint
    >>> Checkpoint("runs/first.pt", every=100).best_path.name
    'first.best.pt'
    """

    def __init__(
        self,
        path: str | os.PathLike,
        every: int | None = None,
        seconds: float | None = None,
        best: bool = True,
        monitor: str | None = None,
        mode: str | None = None,
    ):
        for name, value in (("every", every), ("seconds", seconds)):
            if value is not None and not value > 0:
                raise ArgumentError(
                    f"Checkpoint({name}={value}) is not more than 0",
                    why="the state is written each time that so much has passed",
                    fix=f"use `{name}=100`, or leave it out to write after each epoch only",
                )
        given = Path(path)
        folder = not given.suffix or given.is_dir()
        self.path = given / "last.pt" if folder else given
        self.best_path = given / "best.pt" if folder else given.with_name(f"{given.stem}.best{given.suffix}")
        self.every, self.seconds = every, seconds
        self.best = Best(monitor, mode) if best else None
        self._written = time.monotonic()

    def prepare(self) -> None:
        """Make the folder, and find out now rather than after an epoch whether it can be written to."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
        except OSError as error:
            raise CannotWrite(
                f"fit() cannot write checkpoints to {str(self.path.parent)!r}",
                why=f"{error.strerror or error}",
                fix="give a folder that may be written to: `checkpoint='runs/first.pt'`",
            ) from error

    def due(self, step: int) -> bool:
        """Whether to write after this step."""
        if self.every is not None and step % self.every == 0:
            return True
        return self.seconds is not None and time.monotonic() - self._written >= self.seconds

    def write(self, state: dict[str, Any], best: bool = False) -> None:
        """Write a state as the last one, or as the best."""
        save(state, self.best_path if best else self.path)
        self._written = time.monotonic()


def read(path: str | os.PathLike) -> dict[str, Any]:
    """The state in a file that `fit` has written; an explained error for any other file."""
    path = Path(path)
    if path.is_dir():
        path = path / "last.pt"
    if not path.exists():
        raise MissingFile(
            f"there is no checkpoint {str(path)!r}",
            why="`resume=` names the file to go on from",
            fix="use `resume=True` with `checkpoint=`: it begins anew where there is no file yet",
        )
    try:
        state = load(path)
    except Exception as error:  # whatever reading a damaged or a foreign file leads to
        raise StateError(
            f"{str(path)!r} cannot be read as a checkpoint",
            why=f"{getattr(error, 'fact', error)}",
            fix="delete it to begin anew, or resume from another file",
        ) from error
    if not isinstance(state, dict) or state.get("kind") != KIND:
        raise StateError(
            f"{str(path)!r} is not a checkpoint of fit()",
            why="it holds no state of a training: perhaps only a model's state_dict",
            fix="load weights with `model.load_state_dict(torch.load(path))` before fit(), without `resume=`",
        )
    if state["version"] != VERSION:
        raise StateError(
            f"{str(path)!r} was written by another version of flambeau",
            why=f"its form has number {state['version']}, and this version reads {VERSION}",
            fix="load its weights: `model.load_state_dict(torch.load(path)['model'])`",
        )
    return state


def put_back(state: dict[str, Any], part: str, target: Any, path: Any) -> None:
    """Load one part of a state into the model, optimizer or scheduler; an explained error if it does not fit."""
    if state[part] is None and target is not None:
        raise StateError(
            f"the checkpoint {str(path)!r} has no {part}",
            why="it was written by a training without one",
            fix=f"resume without a {part}, or begin anew",
        )
    if target is None:
        return
    try:
        target.load_state_dict(state[part])
    except (FlambeauError, KeyError, ValueError, RuntimeError) as error:
        raise StateError(
            f"the {part} in the checkpoint {str(path)!r} does not fit the one given to fit()",
            why=f"{getattr(error, 'fact', error)}",
            fix=f"make the {part} as it was when the checkpoint was written, or begin anew with another file",
        ) from error


# ---------------------------------------------------------------------- random states


def generators(loader: Any) -> dict[str, Any]:
    """The sources of random numbers that a loader, its samplers and its data set hold, by where they were found."""
    kinds: tuple[type, ...] = (Generator, random.Random)
    if "numpy.random" in sys.modules:
        kinds += (np.random.Generator, np.random.RandomState)
    found: dict[str, Any] = {}
    met: set[int] = set()

    def visit(thing: Any, path: str, depth: int) -> None:
        if id(thing) in met or thing is default_generator or isinstance(thing, (Tensor, np.ndarray)):
            return
        met.add(id(thing))
        if isinstance(thing, kinds):
            found[path] = thing
        elif depth and isinstance(getattr(thing, "__dict__", None), dict) and not isinstance(thing, type):
            for name, value in thing.__dict__.items():
                visit(value, f"{path}.{name}", depth - 1)
        elif depth and isinstance(thing, (list, tuple)) and len(thing) < 100:
            for k, value in enumerate(thing):
                visit(value, f"{path}[{k}]", depth - 1)

    visit(loader, "loader", DEPTH)
    return found


def random_states(loaders: list[Any]) -> dict[str, Any]:
    """All random states that a training depends on: flambeau's, Python's, NumPy's, and those inside its loaders."""
    held = {f"{k}.{path}": g for k, loader in enumerate(loaders) for path, g in generators(loader).items()}
    numpy_state = np.random.get_state(legacy=False) if "numpy.random" in sys.modules else None
    return {
        "flambeau": default_generator.get_state(),
        "python": random.getstate(),
        "numpy": _plain(numpy_state),
        "loaders": {path: _state_of(g) for path, g in held.items()},
    }


def set_random_states(states: dict[str, Any], loaders: list[Any]) -> None:
    """Put back what `random_states` gave."""
    default_generator.set_state(states["flambeau"])
    random.setstate(states["python"])
    if states["numpy"] is not None:
        np.random.set_state(_arrays(states["numpy"]))
    for k, loader in enumerate(loaders):
        for path, g in generators(loader).items():
            state = states["loaders"].get(f"{k}.{path}")
            if state is None:
                continue
            if isinstance(g, Generator):
                g.set_state(state)
            elif isinstance(g, random.Random):
                g.setstate(state)
            elif isinstance(g, np.random.RandomState):
                g.set_state(_arrays(state))
            else:
                g.bit_generator.state = _arrays(state)


def _state_of(g: Any) -> Any:
    if isinstance(g, Generator):
        return g.get_state()
    if isinstance(g, random.Random):
        return g.getstate()
    return _plain(g.get_state(legacy=False) if isinstance(g, np.random.RandomState) else g.bit_generator.state)


def _plain(state: Any) -> Any:
    """NumPy's state with its array as a list, which a file of weights may hold."""
    if isinstance(state, dict):
        return {name: _plain(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state


def _arrays(state: Any) -> Any:
    if isinstance(state, dict):
        return {name: _arrays(value) for name, value in state.items()}
    return np.array(state, np.uint64 if max(state) >> 32 else np.uint32) if isinstance(state, list) else state


# ---------------------------------------------------------------------- the place in an epoch


def skipped(loader: Any, batches: int) -> Iterator:
    """An iterator over a loader that begins after some batches.

    A `DataLoader` without workers only moves its sampler on; of anything else, the batches are read again and dropped,
    because what follows may depend on their having been read: workers have random states of their own.
    """
    iterator = iter(loader)
    if batches and isinstance(loader, DataLoader) and not loader.num_workers:
        if not isinstance(loader.dataset, IterableDataset):
            for _ in islice(iterator._sampler_iter, batches):  # type: ignore[attr-defined]
                iterator._num_yielded += 1  # type: ignore[attr-defined]
            return iterator
    for _ in islice(iterator, batches):
        pass
    return iterator


def warn_of_persistent_workers(loader: Any) -> None:
    """Say so where going on cannot be exact: the random states of workers that have lived through earlier epochs."""
    if getattr(loader, "persistent_workers", False):
        warn(
            "fit(resume=...): the loader has persistent workers, whose random numbers go on from epoch to epoch; the "
            "new ones begin afresh, so random augmentation differs from that of an uninterrupted training. Leave "
            "`persistent_workers=True` out for exact results."
        )
