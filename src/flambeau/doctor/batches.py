"""What an examination was given as data (a loader, a data set, batches, one batch), read without leaving a trace."""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ArgumentTypeError
from ..tensor import Tensor
from ..utils.data import DataLoader, Dataset, IterableDataset, default_collate
from ..utils.data.dataloader import _SingleProcessDataLoaderIter

TARGETS = ("labels", "label", "targets", "target", "y")  # names under which dicts hold what is to be predicted
SPREAD = 64  # samples taken from a data set that comes without a loader


@dataclass
class Source:
    """The data: `loader` and `dataset` where there are such, `batches`: the first ones, as the loader gives them."""

    given: Any
    loader: DataLoader | None = None
    dataset: Any = None
    batches: list = field(default_factory=list)

    @property
    def name(self) -> str:
        """What messages call it."""
        return type(self.dataset).__name__ if self.dataset is not None else "the batch"

    def __len__(self) -> int:
        """Samples in the data set; 0 if that is not known."""
        try:
            return len(self.dataset)
        except (TypeError, NotImplementedError):
            return 0


def source_of(given: Any) -> Source:
    """What kind of data was given; nothing is read yet."""
    if isinstance(given, DataLoader):
        return Source(given, given, given.dataset)
    if isinstance(given, (Tensor, tuple, Mapping)):
        return Source(given)
    if isinstance(given, list):
        return Source(given)
    if isinstance(given, Dataset) or hasattr(given, "__getitem__") and hasattr(given, "__len__"):
        return Source(given, None, given)
    if hasattr(given, "__next__"):
        raise ArgumentTypeError(
            f"examine() cannot read from {type(given).__name__}",
            why="an iterator gives each batch once, so looking at it would take batches away from the training",
            fix="pass the loader itself, or one batch: `examine(model, (x, y), loss_fn)`",
        )
    if hasattr(given, "__iter__"):
        return Source(given)
    raise ArgumentTypeError(
        f"examine() cannot read data from {type(given).__name__}",
        why="it takes a loader, a data set, a list of batches or one batch",
        fix="pass one batch: `examine(model, (x, y), loss_fn)`",
    )


def read(source: Source, most: int, seconds: float) -> None:
    """Fill `source.batches` with up to `most` batches, in this process; the user's code may raise."""
    given, end = source.given, time.perf_counter() + seconds
    if source.loader is not None:
        iterator: Any = in_process(source.loader)
    elif isinstance(source.dataset, IterableDataset):
        iterator = in_process(DataLoader(source.dataset, batch_size=32))
    elif source.dataset is not None:
        n = len(source.dataset)
        chosen = np.unique(np.linspace(0, n - 1, min(n, SPREAD)).astype(int)).tolist() if n else []
        source.batches = [default_collate([source.dataset[i] for i in chosen])] if chosen else []
        return
    elif isinstance(given, (Tensor, tuple, Mapping)) or not _is_batches(given):
        source.batches = [given]
        return
    else:
        iterator = iter(given)
    for batch in iterator:
        source.batches.append(batch)
        if len(source.batches) >= most or time.perf_counter() > end:
            break


def _is_batches(given) -> bool:
    """Whether a list (or something else that can be gone through) holds batches and not the parts of one."""
    return not isinstance(given, list) or bool(given) and isinstance(given[0], (tuple, list, Mapping))


def in_process(loader: DataLoader):
    """An iterator over a loader without its workers."""
    shadow = copy.copy(loader)
    shadow.__dict__.update(num_workers=0, timeout=0, persistent_workers=False, _iterator=None, pin_memory=False)
    iterator = _SingleProcessDataLoaderIter(shadow)
    iterator.shadow = shadow  # type: ignore[attr-defined]  # the iterator itself only holds it weakly
    return iterator


# ------------------------------------------------------------------------------------------------ parts of a batch


@dataclass
class Parts:
    """A batch taken apart: what the model is called with, and the target (None if there is none)."""

    inputs: tuple
    named: dict
    target: Any
    batch: Any

    def tensors(self) -> list[tuple[str, Tensor]]:
        """The input tensors, with a name each."""
        found: list[tuple[str, Tensor]] = []
        one = len(self.inputs) == 1
        for i, value in enumerate(self.inputs):
            found += tensors_in(value, "the input" if one else f"input {i}")
        for key, value in self.named.items():
            found += tensors_in(value, key)
        return found

    def all_tensors(self) -> list[tuple[str, Tensor]]:
        """The tensors of inputs and target."""
        return self.tensors() + tensors_in(self.target, "the target")

    @property
    def size(self) -> int:
        """The number of samples."""
        return next((t._array.shape[0] for _, t in self.tensors() if t._array.ndim), 0)

    def map(self, f) -> Parts:
        """The same with f(tensor) for each input tensor."""
        return Parts(mapped(self.inputs, f), mapped(self.named, f), self.target, mapped(self.batch, f))


def take_apart(batch: Any, model: Any, loss_fn: Any) -> Parts:
    """Inputs and target of a batch: (x..., y), a dict with a target under a usual name, or inputs alone."""
    if isinstance(batch, Mapping):
        name = next((n for n in TARGETS if n in batch), None)
        parameters = _parameters(getattr(model, "forward", model))
        keys = [k for k in batch if k in parameters]
        if loss_fn is None and name in parameters:
            return Parts((), {k: batch[k] for k in keys}, None, batch)
        rest = [k for k in batch if k != name]
        target = batch[name] if name is not None else None
        named = [k for k in keys if k != name]
        if len(named) == len(rest) and named or len(named) > 1:
            return Parts((), {k: batch[k] for k in named}, target, batch)
        if len(rest) == 1:
            return Parts((batch[rest[0]],), {}, target, batch)
        return Parts((batch,), {}, target, batch)
    if isinstance(batch, (tuple, list)) and not isinstance(batch, Tensor) and not hasattr(batch, "batch_sizes"):
        if len(batch) == 1:
            return Parts((batch[0],), {}, None, batch)
        if loss_fn is None and _wanted(getattr(model, "forward", model)) >= len(batch):
            return Parts(tuple(batch), {}, None, batch)
        if batch:
            return Parts(tuple(batch[:-1]), {}, batch[-1], batch)
    return Parts((batch,), {}, None, batch)


def _parameters(function) -> dict:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def _wanted(function) -> int:
    """How many positional arguments a function needs."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in kinds and p.default is p.empty for p in _parameters(function).values())


def loss_of(loss_fn: Any, output: Any, parts: Parts) -> Any:
    """The loss: what the loss function makes of output and target, or what the model itself says it is."""
    if loss_fn is None:
        loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        if loss is None and isinstance(output, Tensor) and output._array.size == 1:
            loss = output
        return loss
    loss = _called(loss_fn, output, parts)
    if isinstance(loss, Mapping):
        loss = loss.get("loss", loss)
    if isinstance(loss, (tuple, list)) and loss and isinstance(loss[0], Tensor):
        loss = loss[0]  # followed by what is to be logged
    if loss is not None and not isinstance(loss, Tensor):
        raise ArgumentTypeError(
            f"the loss function returned {type(loss).__name__}, not a tensor",
            why="a value without a history has no gradients",
            fix="return the tensor itself, without `.item()` or `float(...)`",
        )
    return loss


def _called(loss_fn: Any, output: Any, parts: Parts) -> Any:
    """What the loss function returns for the arguments that it wants."""
    inner = getattr(loss_fn, "forward", loss_fn)
    own = type(loss_fn).__module__.startswith("flambeau.") or getattr(loss_fn, "__module__", "").startswith("flambeau.")
    if own and isinstance(output, (tuple, list)):
        output = next((t for _, t in tensors_in(output, "")), output)
    if parts.target is None:
        if _wanted(inner) < 2:
            return loss_fn(output)
        return loss_fn(output, parts.inputs[0] if parts.inputs else parts.batch)  # an autoencoder: its input
    if _wanted(inner) > 2 and len(parts.inputs) == 1:
        return loss_fn(output, parts.target, parts.inputs[0])
    return loss_fn(output, parts.target)


def tensors_in(value: Any, name: str, depth: int = 4) -> list[tuple[str, Tensor]]:
    """(name, tensor) for each tensor in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        return [(name, value)]
    if depth and isinstance(value, Mapping):
        return [found for k, v in value.items() for found in tensors_in(v, str(k), depth - 1)]
    if depth and isinstance(value, (tuple, list)):
        if hasattr(value, "batch_sizes"):  # a packed sequence: its rows
            return [(name, value[0])]
        return [found for i, v in enumerate(value) for found in tensors_in(v, f"{name}[{i}]", depth - 1)]
    return []


def mapped(value: Any, f: Any) -> Any:
    """The same structure with f(tensor) for each tensor."""
    if isinstance(value, Tensor):
        return f(value)
    if isinstance(value, Mapping):
        return {k: mapped(v, f) for k, v in value.items()}
    if isinstance(value, (tuple, list)) and not hasattr(value, "batch_sizes"):
        made = [mapped(v, f) for v in value]
        return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
    return value
