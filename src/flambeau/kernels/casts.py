"""Conversions between floating-point types as loops: those of 16 bits take NumPy a nanosecond an element and more."""

from __future__ import annotations

import functools

import numpy as np

from . import fused
from .bodies import DTYPES, HALVES
from .build import backend
from .loops import Loop, Output, Unsupported, run

_FLOATS = {DTYPES[kind]: kind for kind in ("f4", "f8", *HALVES)}


@functools.cache
def _loop(frm: str, to: str) -> Loop | None:
    """The loop that converts one kind into another, None where NumPy has to."""
    if not {frm, to} & set(HALVES) or frm == "f8":
        return None  # NumPy's own are fast; float64 would be rounded twice
    llvm = backend()
    if llvm is None or "f2" in (frm, to) and "-f16c" in llvm.target()[1]:
        return None
    if frm in HALVES and to in HALVES:
        return Loop((frm,), (("in", 0), ("cast", 0, "f4")), (Output(1, to),))
    return Loop((frm,), (("in", 0), ("cast", 0, "f4" if to in HALVES else to)), (Output(1, to),))


def cast(a: np.ndarray, dtype: np.dtype, copy: bool = True) -> np.ndarray:
    """a.astype(dtype, copy=copy)."""
    if not copy and a.dtype == dtype:
        return a
    frm, to = _FLOATS.get(a.dtype), _FLOATS.get(dtype)
    if frm is None or to is None or type(a) is not np.ndarray or a.size < fused.SMALL:
        return a.astype(dtype)
    loop = _loop(frm, to)
    if loop is None:
        return a.astype(dtype)
    try:
        return run(loop, [a])[0]
    except Unsupported:
        return a.astype(dtype)
