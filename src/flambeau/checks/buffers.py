"""FB-INPL-04: tensors over one NumPy buffer that is rewritten while they are in use, or arrays over one tensor.

Looked at in the first calls of `from_numpy` and `as_tensor` only: a few bytes of the memory are remembered, and
compared when the next tensor over the same memory is made.
"""

from __future__ import annotations

import ast
import sys
import weakref
from typing import Any

import numpy as np

from ..place import NEVER, USER, kind_of, past
from .findings import found
from .flow import dotted, names, node_at, own_expressions, source_of
from .log import log
from .sites import Site


def shared(array: np.ndarray, tensor) -> None:
    """A tensor over the memory of an array of the user's was made."""
    frame: Any = sys._getframe(3)
    while frame is not None and frame.f_code.co_filename.endswith("misuse.py"):
        frame = frame.f_back
    frame = past(frame)
    if frame is None or kind_of(frame.f_code.co_filename) == NEVER or not array.flags.writeable or not array.size:
        return
    table: dict[Any, list] = log.notes.setdefault("FB-INPL-04", {})
    key = array.__array_interface__["data"][0], array.shape, array.strides, array.dtype.str
    sample = _sample(array)
    before = [(r, s, w) for r, s, w in table.get(key, ()) if r() is not None]
    table[key] = [*before, (weakref.ref(tensor), sample, Site(frame.f_code, frame.f_lasti))][-8:]
    if len(table) > 256:
        table.pop(next(iter(table)))
    rewritten = [(r(), w) for r, s, w in before if s != sample]
    if any(_written(r()) for r, _, _ in before):
        return
    if rewritten and (len(rewritten) > 1 or not _replaced(frame, rewritten[0][0])):
        _report(frame, rewritten)


def exported(array: np.ndarray, made: np.ndarray) -> None:
    """An array over a tensor's memory was made: whether older ones from the same line show newer values than they did.

    The history of a weight, as it is meant, shows the last values only: the optimizer changes them in place.
    """
    frame = past(sys._getframe(2))
    if kind_of(frame.f_code.co_filename) != USER or not array.size:
        return
    table: dict[Any, list] = log.notes.setdefault("arrays of tensors", {})
    key = array.__array_interface__["data"][0], array.shape, frame.f_code, frame.f_lasti
    sample = _sample(array)
    before = [(r, s) for r, s in table.get(key, ()) if r() is not None]
    table[key] = [*before, (weakref.ref(made), sample)][-8:]
    if len(table) > 256:
        table.pop(next(iter(table)))
    if len(before) < 2 or before[-1][1] == sample or before[-2][1] == sample:
        return
    site = Site(frame.f_code, frame.f_lasti)
    e = site.expression()
    text = ast.unparse(e) if isinstance(e, ast.Call) else "x.numpy()"
    count = len(before) + 1
    found(
        "FB-INPL-04",
        saw=f"{count} arrays in use are one memory, that of the tensor in `{text}`, which was changed in place since",
        why="`.numpy()` does not copy: all of them now show the newest values",
        fix=f"copy the values: `{text}.copy()`",
        cause="shared-tensor",
        at=site,
        arrays=count,
    )


def _sample(a: np.ndarray) -> bytes:
    """64 bytes of an array's values, or fewer."""
    flat = a.reshape(-1) if a.flags.c_contiguous else a.flat
    step = max(1, a.size * a.itemsize // 64)
    return bytes(np.asarray(flat[::step][:64]).tobytes())


def _written(t) -> bool:
    """Whether it was the tensor that was written to."""
    return t._cell is not None and t._cell[0] > 0


def _replaced(frame, old) -> bool:
    """Whether the variable that holds the older tensor is about to be given another value, or not read again."""
    name = next((n for n, v in [*frame.f_locals.items(), *frame.f_globals.items()] if v is old), "")
    source = source_of(frame.f_code)
    if source is None:
        return True
    if not name:
        return False  # in a list, or an attribute
    _, order = node_at(source, Site(frame.f_code, frame.f_lasti))
    if order < 0:
        return True
    statement = source.statements[order][0]
    if name in [dotted(t) for t in getattr(statement, "targets", [])]:
        return True
    for s, _, _ in source.statements[order:]:
        for e in own_expressions(s):
            read = e if not isinstance(s, ast.Assign) or e not in s.targets else None
            if read is not None and name in names(read):
                return False
        if name in [dotted(t) for t in getattr(s, "targets", [])]:
            return True
    return True


def _report(frame, rewritten) -> None:
    site = Site(frame.f_code, frame.f_lasti)
    given = site.operands()
    buffer = next((g for g in reversed(given) if g not in ("torch",) and "=" not in g), "buffer")
    count = len(rewritten) + 1
    found(
        "FB-INPL-04",
        saw=f"{count} tensors in use share the memory of `{buffer}`, which was rewritten after they were made",
        why="a tensor made from a NumPy array is a view of it: all of them now show the newest values",
        fix=f"copy the values: `torch.tensor({buffer})`, or `torch.from_numpy({buffer}.copy())`",
        cause="shared-buffer",
        at=site,
        tensors=count,
    )
