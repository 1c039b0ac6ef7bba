"""Reductions: sum and mean to begin with."""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import DtypeError
from .entry import primitive, public
from .shape import need_tensor, normal_dims


def _axes(dim, ndim):
    """The axes to reduce: None or an empty list mean all."""
    if dim is None:
        return tuple(range(ndim))
    dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    if not ndim:
        normal_dims(dims, 0)
        return ()
    return normal_dims(dims, ndim) or tuple(range(ndim))


def _sum_array(input, axes, keepdim):
    if FROM_NUMPY[input.dtype] in HALVES:
        return np.add.reduce(input, axis=axes, dtype=np.float32, keepdims=keepdim).astype(input.dtype)
    return np.add.reduce(input, axis=axes, keepdims=keepdim)


def _spread(g, axes, keepdim, shape):
    """A reduced gradient broadcast back over the reduced axes."""
    if not keepdim and g.ndim != len(shape):
        g = g.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    return g.expand(shape)


_sum = primitive("sum", _sum_array, vjp=lambda g, axes, keepdim, input_shape: _spread(g, axes, keepdim, input_shape))


@public(method=True, out=True)
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum of all elements, or over dimension(s) `dim`. Integers and bools are summed as int64."""
    need_tensor(input, "sum")
    if dtype is not None:
        input = input.to(dtype)
    elif input._array.dtype.kind in "biu":
        input = input.to(dtypes.int64)
    return _sum(input, axes=_axes(dim, input._array.ndim), keepdim=bool(keepdim))


@public(method=True, out=True)
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """Mean of all elements, or over dimension(s) `dim`; floating-point and complex tensors only."""
    need_tensor(input, "mean")
    if dtype is not None:
        input = input.to(dtype)
    if input.dtype.category < 2:
        raise DtypeError(
            f"mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{input.dtype.name.title().replace('Int64', 'Long')}",
            fix="x.float().mean()",
        )
    axes = _axes(dim, input._array.ndim)
    count = 1
    for axis in axes:
        count *= input._array.shape[axis]
    return _mean(input, axes=axes, keepdim=bool(keepdim), count=count)


def _mean_array(input, axes, keepdim, count):
    total = np.asarray(_sum_array(input, axes, keepdim))
    return np.divide(total, np.asarray(count, total.dtype if total.dtype.kind != "c" else total.real.dtype))


_mean = primitive(
    "mean", _mean_array,
    vjp=lambda g, axes, keepdim, count, input_shape: _spread(g / count, axes, keepdim, input_shape)
    if count else _spread(g, axes, keepdim, input_shape),
)  # fmt: skip
