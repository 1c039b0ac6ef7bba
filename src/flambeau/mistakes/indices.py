"""Numbers of rows and classes that are not there (FB-SHAPE-08, FB-LOSS-03): how many, where, and why they might be."""

from __future__ import annotations

import sys

import numpy as np

from ..calls import failed_call
from ..errors import IndexOutOfRange
from ..place import running, user_frame
from .operands import as_operand, name_of, operands

ROWS, LABELS = "FB-SHAPE-08", "FB-LOSS-03"


def _offenders(indices: np.ndarray, low: int, high: int, skip=None):
    """(how many, the position of the first, the values) of what lies outside low ... high - 1 and is not `skip`."""
    bad = (indices < low) | (indices >= high)
    if skip is not None:
        bad &= indices != skip
    values = indices[bad]
    first = [int(i) for i in np.unravel_index(int(np.argmax(bad)), indices.shape)] if indices.ndim else []
    return int(bad.sum()), first, values


def _cause(indices, values, size) -> str:
    """one-based, negative, special-token (one value only) or too-large."""
    if int(values.min()) < 0:
        return "negative"
    if int(indices.max()) == size and int(indices.min()) >= 1:
        return "one-based"
    return "special-token" if (values == values[0]).all() else "too-large"


def _named(array: np.ndarray, fallback: str) -> str:
    """The program's name of the index tensor that has this memory."""
    for o in operands():
        if o.tensor._array is array or np.may_share_memory(o.tensor._array, array):
            return as_operand(o.name)
    return fallback


def no_such_row(indices: np.ndarray, rows: int) -> IndexOutOfRange:
    """The error for a lookup in a table of `rows` rows."""
    count, first, values = _offenders(indices, 0, rows)
    cause, name = _cause(indices, values, rows), _named(indices, "ids")
    high = int(indices.max())
    layer = next((m for m in running(sys._getframe(1)) if hasattr(m, "num_embeddings")), None)
    table = type(layer).__name__ if layer is not None else "embedding"
    width = getattr(layer, "embedding_dim", 0)
    bigger = f"nn.{table}({high + 1}, {width})" if layer is not None else f"num_embeddings={high + 1}"
    return IndexOutOfRange(
        "index out of range in self",
        why=f"{table}({rows}) was given index {int(values[0])} at {first} ({count} of {indices.size} values); valid "
        f"indices are 0..{rows - 1}",
        fix=f"the ids look 1-based: subtract 1, `{name} - 1`, or use `{bigger}`"
        if cause == "one-based"
        else f"a row number is never negative; give the mark {int(values[0])} a row of its own, such as "
        f"`{name}.clamp(min=0)` with `padding_idx=0`"
        if cause == "negative"
        else f"use `{bigger}`, one row for each id up to {high}",
        code=ROWS,
        cause=cause,
    )


def outside(indices: np.ndarray, size: int, dim: int, error=IndexOutOfRange, low: int = 0) -> IndexOutOfRange:
    """The error for an index tensor of gather, scatter, index_select and the like.

    error: the class, where PyTorch does not raise IndexError. low: the smallest index allowed.
    """
    count, first, values = _offenders(indices, low, size)
    cause = _cause(indices, values, size)
    name, bad = _named(indices, "index"), int(values[0])
    return error(
        f"index {bad} is out of bounds for dimension {dim} with size {size}",
        why=f"`{name}` has {bad} at {first} ({count} of {indices.size} values); indices of this dimension are "
        f"{low}..{size - 1}"
        if size
        else "this dimension has no element",
        fix=f"the indices look 1-based: use `{name} - 1`"
        if cause == "one-based"
        else f"make the dimension larger, or pass only valid ones: `{name}.clamp({low}, {size - 1})`"
        if size
        else "test `x.numel() > 0` first",
        code=ROWS,
        cause=cause,
    )


def no_such_element(i: int, dim: int, size: int, shape) -> IndexOutOfRange:
    """The error for a subscript `x[i]`."""
    return IndexOutOfRange(
        f"index {i} is out of bounds for dimension {dim} with size {size}",
        why=f"the tensor has shape {tuple(shape)}, so indices run from 0 to {size - 1}"
        if size
        else f"the tensor has shape {tuple(shape)}, so it has no element",
        fix=f"use an index between -{size} and {size - 1}; the last element is `x[-1]`"
        if size
        else "test `len(x) > 0` first",
        code=ROWS,
        cause="one-based" if i == size and size else "negative" if i < 0 else "too-large",
    )


def no_such_class(target: np.ndarray, classes: int, ignore_index: int) -> IndexOutOfRange:
    """The error for a target that is no class; the input gives `classes` scores."""
    count, first, values = _offenders(target, 0, classes, ignore_index)
    counted = target[target != ignore_index]
    low, high, bad = int(counted.min()), int(counted.max()), int(values[0])
    name = _target_name(target)
    mark = bool((values == bad).all()) and (bad > 2 * classes or bad < 0)
    cause = "mark" if mark else "one-based" if low >= 1 and high == classes else "negative" if low < 0 else "too-few"
    return IndexOutOfRange(
        f"Target {bad} is out of bounds.",
        why=f"the model gives {classes} scores, so labels must be 0..{classes - 1}; {count} of {target.size} are not, "
        f"the first is {bad} at {first}; the labels go from {low} to {high}",
        fix=f"they look 1-based: use `{name} - 1`"
        if cause == "one-based"
        else f"if {bad} marks elements that do not count, pass `ignore_index={bad}`; classes are numbered from 0"
        if cause == "mark"
        else "number the classes from 0"
        if cause == "negative"
        else f"give the last layer {high + 1} outputs, one for each of the labels 0..{high}",
        code=LABELS,
        cause=cause,
    )


def _target_name(target) -> str:
    frame = sys._getframe(1)
    call = failed_call(frame, user_frame(frame))
    given = call[1].get("target") if call is not None else None
    return name_of(given) or _named(target, "target")
