"""Matrix products of arrays: from shapes and strides to the arguments of a kernel of `gemm.py`."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import no_memory
from . import gemm
from .build import backend
from .gemm import ADD, BIAS, ZERO
from .record import listeners

_KIND = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}
_F4 = np.dtype(np.float32)
_ndarray, _empty = np.ndarray, np.empty


def kind_of(a, b):
    """f4 or f8 if kernels may multiply these arrays, else None."""
    return _KIND.get(a.dtype) if b.dtype == a.dtype and type(a) is _ndarray is type(b) else None


def matmul(a, b, out=None, bias=None, more=False):
    """a @ b + bias; None where NumPy is to do it: other dtypes, batches of odd strides, nothing to compute, no LLVM.

    Arguments:
        a, b: arrays of at least two dimensions, of any strides.
        out: a C-contiguous array for the result, apart from a and b.
        bias: an array of at most two dimensions, broadcast over the result.
        more: add to `out` instead of overwriting it; not with a bias.
    """
    dtype = a.dtype
    kind = "f4" if dtype is _F4 else _KIND.get(dtype)
    if kind is None or b.dtype != dtype or type(a) is not _ndarray or type(b) is not _ndarray:
        return None
    if bias is None:
        found = plan(kind, a.shape, a.strides, b.shape, b.strides)
    elif bias.dtype == dtype and type(bias) is _ndarray:
        found = plan(kind, a.shape, a.strides, b.shape, b.strides, bias.shape, bias.strides)
    else:
        return None
    if found is None:
        return None
    f, kernel, swapped, shape, sizes = found
    if listeners:
        f = kernel.get(kind)
    if out is None:
        try:
            out = _empty(shape, dtype)
        except MemoryError:
            raise no_memory(shape, dtype) from None
    if bias is None:
        start, bias = (ADD if more else ZERO), a  # which is then not looked at
    else:
        start = BIAS
    done = f(b, a, bias, out, start, *sizes) if swapped else f(a, b, bias, out, start, *sizes)
    return out if done else None


@lru_cache(4096)
def plan(kind: str, a_shape: tuple, a_strides: tuple, b_shape: tuple, b_strides: tuple, bias_shape: Any = None,
         bias_strides: tuple = ()) -> Any:  # fmt: skip
    """(builtin, its kernel, whether it takes b first, shape, arguments after `start`).

    None where NumPy is to do it. Shapes and strides decide, and a program has few of them.
    """
    item = 4 if kind == "f4" else 8
    found = problem(item, a_shape, a_strides, b_shape, b_strides)
    if found is None or backend() is None or any(s < 0 or s % item for s in bias_strides):
        return None
    shape, outer, inner, m, n, depth, a_outer, a_inner, a_row, a_depth, b_outer, b_inner, b_depth, b_col = found
    bias_row = bias_col = 0
    if bias_shape is not None:
        if len(bias_shape) > 2 or any(s not in (1, t) for s, t in zip(bias_shape[::-1], (n, m), strict=False)):
            return None
        steps = [0 if size == 1 else s // item for size, s in zip(bias_shape, bias_strides, strict=True)]
        bias_row, bias_col = [0, 0, *steps][-2:]
    if not b_inner and a_inner == m * a_row and not bias_row:
        m, inner, a_inner = m * inner, 1, 0  # one tall matrix
    swapped = n <= gemm.FEW and m > n
    if depth > 1 and a_depth == 1 and b_depth == 1 and (swapped or m <= gemm.FEW):
        left, right = (m, a_outer, a_inner, a_row, bias_row, n), (n, b_outer, b_inner, b_col, bias_col, 1)
        if swapped:
            left, right = right, left
        few, *few_steps, few_bias, few_out = left
        many, *many_steps, many_bias, many_out = right
        groups = -(-many // gemm.GROUP)
        sizes = (outer, inner, few, many, depth, *few_steps, *many_steps, few_bias, many_bias, few_out, many_out,
                 groups, max(1, gemm.GROUP * few * depth // gemm.UNIT))  # fmt: skip
        return gemm.dots.built(kind, (), {}), gemm.dots, swapped, shape, sizes
    swapped = n == 1 < m  # a column of results lies in memory as a row does
    left, right = (m, a_outer, a_inner, a_row, a_depth, bias_row), (n, b_outer, b_inner, b_col, b_depth, bias_col)
    if swapped:
        left, right = right, left
    m, a_outer, a_inner, a_row, a_depth, bias_row = left
    n, b_outer, b_inner, b_col, b_depth, bias_col = right
    sizes = (outer, inner, m, n, depth, a_outer, a_inner, a_row, a_depth, b_outer, b_inner, b_depth, b_col, bias_row,
             bias_col, *gemm.split(kind, outer * inner, m, n, depth))  # fmt: skip
    return gemm.product.built(kind, (), {}), gemm.product, swapped, shape, sizes


def problem(item: int, a_shape: tuple, a_strides: tuple, b_shape: tuple, b_strides: tuple) -> Any:
    """(shape, outer, inner, m, n, depth, then steps in elements: of a from one outer, inner index, row, column to the
    next, of b from one outer, inner index, row, column to the next) of a product; None where kernels do not take it."""
    if len(a_shape) < 2 or len(b_shape) < 2 or a_shape[-1] != b_shape[-2]:
        return None
    if any(s < 0 or s % item for s in (*a_strides, *b_strides)):
        return None
    found = _batch(a_shape[:-2], a_strides[:-2], b_shape[:-2], b_strides[:-2], item)
    (m, depth), n = a_shape[-2:], b_shape[-1]
    if found is None or not found[1][0] * found[2][0] * m * n:
        return None
    lead, (outer, a_outer, b_outer), (inner, a_inner, b_inner) = found
    a_row, a_depth, b_depth, b_col = (s // item for s in (*a_strides[-2:], *b_strides[-2:]))
    return (*lead, m, n), outer, inner, m, n, depth, a_outer, a_inner, a_row, a_depth, b_outer, b_inner, b_depth, b_col


def _batch(lead: tuple, a_strides: tuple, other: tuple, b_strides: tuple, item: int) -> Any:
    """(leading shape, outer, inner), each of the two as (number, step of a, step of b); None if two are too few."""
    if lead == other == ():
        return (), (1, 0, 0), (1, 0, 0)
    full = np.broadcast_shapes(lead, other)
    steps = []
    for sizes, strides in ((lead, a_strides), (other, b_strides)):
        own = [0 if size == 1 else stride // item for size, stride in zip(sizes, strides, strict=True)]
        steps.append([0] * (len(full) - len(own)) + own)
    merged: list[tuple[int, int, int]] = []
    for size, a_step, b_step in zip(full, *steps, strict=True):
        if size == 1:
            continue
        if merged and merged[-1][1:] == (a_step * size, b_step * size):
            merged[-1] = (merged[-1][0] * size, a_step, b_step)
        else:
            merged.append((size, a_step, b_step))
    if len(merged) > 2:
        return None
    outer, inner = [(1, 0, 0)] * (2 - len(merged)) + merged
    return full, outer, inner
