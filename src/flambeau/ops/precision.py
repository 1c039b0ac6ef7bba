"""What autocast does to arguments: matrix products take half precision, losses take float32."""

from __future__ import annotations

import functools

import numpy as np

from ..autograd.mode import autocasting, state
from ..dtypes import from_numpy_dtype
from ..tensor import Tensor


def lower(*tensors):
    """The tensors in autocast's dtype. Called only while some thread is in autocast; float64 stays as it is."""
    target = state.autocast
    if target is None:
        return tensors
    return tuple([_to(t, target) for t in tensors])


def full_precision(function):
    """Under autocast, give `function` its half-precision tensors as float32."""

    @functools.wraps(function)
    def called(*args, **kwargs):
        if autocasting and state.autocast is not None:
            args = [_to(a, np.float32) for a in args]
            kwargs = {k: _to(v, np.float32) for k, v in kwargs.items()}
        return function(*args, **kwargs)

    return called


def _to(t, target):
    if not isinstance(t, Tensor) or t._array.dtype == target or not t.is_floating_point() or t._array.itemsize > 4:
        return t
    return t.to(from_numpy_dtype(np.dtype(target)))
