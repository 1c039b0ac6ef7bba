"""What padding and resampling are made of: a constant border, and elements picked along one dimension."""

from __future__ import annotations

import numpy as np

from ..arrays import meta_empty
from .entry import primitive


def _pad_array(input, widths, value):
    shape = tuple([n + a + b for n, (a, b) in zip(input.shape, widths)])
    if type(input) is not np.ndarray:
        return meta_empty(shape, input.dtype)
    out = np.full(shape, value, input.dtype)
    # Negative widths cut the input instead.
    source = tuple([slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(input.shape, widths)])
    target = tuple([slice(max(a, 0), m - max(b, 0)) for m, (a, b) in zip(shape, widths)])
    if all(s.stop > s.start for s in source):
        out[target] = input[source]
    return out


def _unpad(g, widths):
    """Padding the other way round is its adjoint."""
    return _pad_constant(g, widths=tuple([(-a, -b) for a, b in widths]), value=0)


_pad_constant = primitive("constant_pad_nd", _pad_array, vjp={"input": _unpad})


def _take_array(input, where, axis):
    if type(input) is not np.ndarray:
        return meta_empty((*input.shape[:axis], len(where), *input.shape[axis + 1 :]), input.dtype)
    return np.take(input, where, axis=axis)


def _add_array(input, where, axis, size):
    """Add slice i of the input to slice where[i] of zeros: the adjoint of picking."""
    shape = (*input.shape[:axis], size, *input.shape[axis + 1 :])
    if type(input) is not np.ndarray:
        return meta_empty(shape, input.dtype)
    out = np.zeros(shape, input.dtype)
    at = (slice(None),) * axis
    unseen = np.ones(len(where), bool)
    # Each round adds the first not yet added occurrence of every position: mostly one or two rounds.
    while unseen.any():
        left = np.flatnonzero(unseen)
        first = left[np.unique(where[left], return_index=True)[1]]
        out[(*at, where[first])] += input[(*at, first)]
        unseen[first] = False
    return out


_take_axis = primitive(
    "take_axis", _take_array, node="IndexSelectBackward0",
    vjp={"input": lambda g, where, axis, input_shape: _add_axis(g, where=where, axis=axis, size=input_shape[axis])},
)  # fmt: skip
_add_axis = primitive(
    "add_axis", _add_array, vjp={"input": lambda g, where, axis: _take_axis(g, where=where, axis=axis)}
)
