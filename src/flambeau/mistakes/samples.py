"""Samples that cannot be put into a batch (FB-DATA-01): which field, which samples, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentTypeError, FlambeauError, MissingKey, ShapeError
from ..tensor import Tensor

CODE = "FB-DATA-01"
_WRONG = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found"


class RaggedBatchError(ShapeError):
    """Tensors of different sizes in one batch. `details`: positions of two samples that differ, and their shapes."""

    details: tuple = ()


def _first(samples, field: str = "") -> tuple[str, str, int, Any, Any] | None:
    """(what is wrong, the field, the position of a sample, its value, that of sample 0) of samples; None if nothing."""
    head = samples[0]
    for k, x in enumerate(samples):
        if x is None:
            return "none", field, k, x, head
    if isinstance(head, (Tensor, np.ndarray)):
        for k, x in enumerate(samples):
            if not isinstance(x, (Tensor, np.ndarray)):
                return "mixed", field, k, x, head
            if tuple(x.shape) != tuple(head.shape):
                return "ragged", field, k, x, head
        kind = head.dtype.kind if isinstance(head, np.ndarray) else "f"
        return ("type", field, 0, head, head) if kind in "OSU" else None
    if isinstance(head, (bool, int, float, str, bytes, np.generic)):
        for k, x in enumerate(samples):
            if isinstance(x, (str, bytes)) != isinstance(head, (str, bytes)) or isinstance(x, (Mapping, list, tuple)):
                return "mixed", field, k, x, head
        return None
    if isinstance(head, Mapping):
        for k, x in enumerate(samples):
            if not isinstance(x, Mapping) or set(x) != set(head):
                return ("keys" if isinstance(x, Mapping) else "mixed"), field, k, x, head
        parts = (_first([s[key] for s in samples], f"{field}[{key!r}]") for key in head)
        return next((p for p in parts if p is not None), None)
    if isinstance(head, Sequence):
        for k, x in enumerate(samples):
            if not isinstance(x, Sequence) or len(x) != len(head):
                return ("lengths" if isinstance(x, Sequence) else "mixed"), field, k, x, head
        parts = (_first([s[i] for s in samples], f"{field}[{i}]") for i in range(len(head)))
        return next((p for p in parts if p is not None), None)
    return "type", field, 0, head, head


def uncollatable(dataset: Any, samples: list, places: list) -> FlambeauError | None:
    """The error for samples that the default collate function cannot put into a batch; places: their indices."""
    found = _first(samples) if samples else None
    if found is None:
        return None
    what, field, k, x, head = found
    name, part = type(dataset).__name__, f"sample{field}"
    a, b = places[0], places[k]
    if what == "ragged":
        error = RaggedBatchError(
            f"stack expects each tensor to be equal size, but got {list(head.shape)} at entry 0 and {list(x.shape)} at "
            f"entry {k}",
            why=f"{name}: `{part}` has shape {tuple(head.shape)} for dataset[{a}] (sample 0 of the batch) and "
            f"{tuple(x.shape)} for dataset[{b}] (sample {k} of the batch), so they cannot be stacked",
            fix="resize or crop all samples to one shape in `__getitem__`, such as `F.interpolate`"
            if len(head.shape) > 2
            else "pad them in the collate_fn: `DataLoader(..., collate_fn=lambda batch: pad_sequence(batch, "
            "batch_first=True))`"
            if not field
            else f"pad them in a collate_fn: `pad_sequence([sample{field} for sample in batch], batch_first=True)`",
            code=CODE,
            cause="ragged",
        )
        error.details = (0, tuple(head.shape), k, tuple(x.shape))
        return error
    if what == "none":
        return ArgumentTypeError(
            f"{_WRONG} <class 'NoneType'>",
            why=f"{name}: `{part}` is None for dataset[{b}]: a branch of `__getitem__` has no return",
            fix="return a sample in every branch, or leave such indices out of the data set",
            code=CODE,
            cause="none",
        )
    if what == "lengths":
        return ShapeError(
            "each element in list of batch should be of equal size",
            why=f"{name}: `{part}` has {len(head)} elements for dataset[{a}] and {len(x)} for dataset[{b}]",
            fix="return a tensor for each field, or pass a collate_fn that pads the lists",
            code=CODE,
            cause="ragged",
        )
    if what == "keys":
        missing = sorted(map(repr, set(head) ^ set(x)))[0]
        return MissingKey(
            f"{missing}",
            why=f"{name}: the dictionaries of dataset[{a}] and dataset[{b}] have different keys",
            fix="give every sample the same keys",
            code=CODE,
            cause="keys",
        )
    if what == "mixed":
        return ArgumentTypeError(
            f"{_WRONG} {type(x)}",
            why=f"{name}: `{part}` is {type(head).__name__} for dataset[{a}] and {type(x).__name__} for dataset[{b}]",
            fix="return one type for each field",
            code=CODE,
            cause="type",
        )
    kind = f"{head.dtype}" if isinstance(head, np.ndarray) else f"{type(head)}"
    image = type(head).__module__.startswith("PIL.")
    return ArgumentTypeError(
        f"{_WRONG} {kind}",
        why=f"{name}: `{part}` of dataset[{b}] is {type(head).__name__}, which cannot be made a tensor of",
        fix="convert it in `__getitem__`: `transforms.ToTensor()(image)`"
        if image
        else "return tensors, arrays or numbers from `__getitem__`, or pass a collate_fn for this type",
        code=CODE,
        cause="type",
    )


def uncollatable_tensors(batch: list) -> FlambeauError:
    """The error for tensors of different shapes; the fetcher says more where it knows the data set."""
    head = batch[0]
    k, x = next((k, x) for k, x in enumerate(batch) if x.shape != head.shape)
    error = RaggedBatchError(
        f"stack expects each tensor to be equal size, but got {list(head.shape)} at entry 0 and {list(x.shape)} at "
        f"entry {k}",
        why=f"sample 0 of the batch has shape {tuple(head.shape)}, sample {k} of the batch {tuple(x.shape)}",
        fix="pad them in the collate_fn: `pad_sequence(samples, batch_first=True)`, or make all samples one size",
        code=CODE,
        cause="ragged",
    )
    error.details = (0, tuple(head.shape), k, tuple(x.shape))
    return error


def no_collation(element: Any, kind: Any) -> ArgumentTypeError:
    """The error for an element that is neither a tensor nor a container of such."""
    return ArgumentTypeError(
        f"{_WRONG} {kind}",
        why=f"an element of the batch is {type(element).__name__}, which cannot be made a tensor of",
        fix="return tensors, arrays or numbers from the data set, or pass a collate_fn for this type",
        code=CODE,
        cause="none" if element is None else "type",
    )


def no_length(dataset: Any) -> ArgumentTypeError:
    """The error for a data set without `__len__`."""
    name = type(dataset).__name__
    return ArgumentTypeError(
        f"object of type '{name}' has no len()",
        why=f"the loader draws indices 0 .. len({name}) - 1",
        fix=f"define `def __len__(self): return ...` in {name}; for a stream derive it from `IterableDataset`",
        code=CODE,
        cause="no-len",
    )
