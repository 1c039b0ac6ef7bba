"""Arrays in nested tuples and lists: found, replaced, and compared with those of another run."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np

from ..arrays import address
from ..kernels import record


def is_independent(whole: tuple, outs: list, unread: list) -> bool:
    """Whether an operation gives the same bits when arguments that none of its launches reads are changed."""
    function, args, options = whole
    if any(a.dtype.kind != "f" for a in unread):
        return False
    others = {id(a): a + np.random.default_rng(0).standard_normal(a.shape).astype(a.dtype) for a in unread}
    found = record.unheard(functools.partial(function, *replace(args, lambda a: others.get(id(a), a)), **options))
    arrays = [a for a in (found if found.__class__ in (tuple, list) else [found]) if isinstance(a, np.ndarray)]
    return len(arrays) == len(outs) and all(map(same_bits, arrays, outs))


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two results differ by rounding only."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind not in "fV":
        return bool(np.array_equal(a, b))
    x, y = a.astype(np.float64), b.astype(np.float64)
    largest = np.abs(y[np.isfinite(y)]).max(initial=0.0)
    digits = 1e-9 if a.dtype.itemsize == 8 else 1e-4 if a.dtype.itemsize == 4 else 2e-2
    return bool(np.allclose(x, y, digits, digits * largest, equal_nan=True))


_memcmp = ctypes.CDLL(None).memcmp
_memcmp.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays are alike to the last bit."""
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.flags.c_contiguous and b.flags.c_contiguous:
        return _memcmp(address(a), address(b), a.nbytes) == 0
    return a.tobytes() == b.tobytes()


def arrays_in(args: Any) -> list:
    """All arrays in nested tuples and lists."""
    found = []
    for a in args:
        if isinstance(a, np.ndarray):
            found.append(a)
        elif a.__class__ in (tuple, list):
            found += arrays_in(a)
        elif a.__class__ is dict:
            found += arrays_in(list(a.values()))
    return found


def replace(args: Any, function: Any) -> Any:
    """Nested tuples and lists with function(array) in place of arrays."""
    if isinstance(args, np.ndarray):
        return function(args)
    if args.__class__ in (tuple, list):
        return args.__class__([replace(a, function) for a in args])
    return args


def otherwise(a: np.ndarray) -> np.ndarray:
    """An array of the same kind with other values, of the same range where there are several."""
    if not a.size:
        return a
    made = np.empty_like(a)
    made[...] = a.reshape(-1)[::-1].reshape(a.shape)
    if a.dtype.kind in "fc":
        made *= np.asarray(1.5, a.dtype)
        made += np.asarray(0.25, a.dtype)
    elif np.array_equal(made, a):
        made[...] = ~a if a.dtype == bool else a + np.asarray(1, a.dtype)
    return made
