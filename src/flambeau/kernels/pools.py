"""Average pooling of arrays in one to three dimensions, as one or two passes of the kernels for images.

A line is an image of one row. A volume's windows are summed within its planes first, and then along the depth, where
planes are rows of a longer image.
"""

from __future__ import annotations

import math

import numpy as np

from . import fused, windows

ONE = (1, 1, 0, 1, 1)  # (kernel, stride, padding, dilation, windows) of a dimension that is left alone


def _passes(shape, geometry):
    """(planes, (height, width), geometry of both) of each pass over an array that ends in the pooled dimensions."""
    n = len(geometry)
    lead = math.prod(shape[: len(shape) - n])
    if n == 1:
        return [(lead, (1, shape[-1]), (ONE, geometry[0]))]
    if n == 2:
        return [(lead, tuple(shape[-2:]), geometry)]
    depth, height, width = shape[-3:]
    across = geometry[1][4] * geometry[2][4]
    whole = (1, 1, 0, 1, across)
    return [(lead * depth, (height, width), geometry[1:]), (lead, (depth, across), (geometry[0], whole))]


def _run(kernel, kind, source, counts, target, planes, size, geometry, divide):
    f = kernel.get(kind, () if counts is not None else ("counts",))
    given = () if counts is None else (counts,)
    (kh, sh, ph, dh, oh), (kw, sw, pw, dw, ow) = geometry
    sizes = (*size, kh, kw, oh, ow, sh, sw, ph, pw, dh, dw)
    return bool(f) and f(source, *given, target, planes, *sizes, divide)


def _divisor(divide, dtype):
    """(divisors of all windows or None, the one of all)"""
    if isinstance(divide, np.ndarray):
        return fused._flat(divide.astype(dtype, copy=False)).reshape(-1), 1.0
    return None, float(divide)


def mean_pool(x, geometry, divide):
    """The sum over each window divided by `divide`, a number or an array over the windows; None for NumPy."""
    kind = fused._kind(x)
    if kind is None:
        return None
    counts, number = _divisor(divide, x.dtype)
    passes = _passes(x.shape, geometry)
    made = fused._flat(x)
    for i, (planes, size, parts) in enumerate(passes):
        last = i == len(passes) - 1
        out = np.empty(planes * parts[0][4] * parts[1][4], x.dtype)
        how = (counts, out, planes, size, parts, number) if last else (None, out, planes, size, parts, 1.0)
        if not _run(windows.mean_pool, kind, made, *how):
            return None
        made = out
    return made.reshape(*x.shape[: x.ndim - len(geometry)], *[out for *_, out in geometry])


def mean_pool_backward(g, geometry, divide, shape):
    """The transpose of `mean_pool`: an array of `shape`."""
    kind = fused._kind(g)
    if kind is None:
        return None
    counts, number = _divisor(divide, g.dtype)
    made = fused._flat(g)
    for planes, size, parts in reversed(_passes(shape, geometry)):
        out = np.empty(planes * size[0] * size[1], g.dtype)
        if not _run(windows.mean_pool_backward, kind, made, counts, out, planes, size, parts, number):
            return None
        made, counts, number = out, None, 1.0
    return made.reshape(shape)
