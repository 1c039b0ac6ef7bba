"""Matrix products: BLAS on one thread for each part of the result, the parts shared out by the pool.

BLAS's own threads wait for each other several times within one product; where something else wants the processor, each
wait lasts until the scheduler comes round. Parts that need nothing of each other never wait, and small products in
a batch run side by side. The arithmetic is that of the OpenBLAS inside NumPy, called by its address.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from . import threads
from .build import kernel

SMALL = 1 << 17  # multiplications; below it BLAS itself stays on one thread
_KIND = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}
ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112


@kernel(
    "a:T~ b:T~ c:T!=outer*inner*m*n gemm outer inner m n k lda ldb a_outer a_inner b_outer b_inner a_turned b_turned "
    "parts across weight",
    work="outer*inner*parts", cost="weight", blas=True,
)  # fmt: skip
def product(k, begin, end, a, b, c, gemm, outer, inner, m, n, depth, lda, ldb, a_outer, a_inner, b_outer, b_inner,
            a_turned, b_turned, parts, across, weight, wide=True):  # fmt: skip
    """c = a b for each of outer * inner pairs of matrices. A task is a band of rows of one, or of columns (`across`).

    lda, ldb: elements from one row to the next, of the transposed matrix where `turned`; a_outer...: from one
    matrix to the next. Callers take all of them from an array's own shape and strides.
    """
    size = "i8" if wide else "i4"
    for task in k.range(begin, end):
        pair, part = task // parts, task % parts
        i, j = pair // inner, pair % inner
        split = across != 0
        low_m, high_m = k.select(split, 0 * m, m * part // parts), k.select(split, m, m * (part + 1) // parts)
        low_n, high_n = k.select(split, n * part // parts, 0 * n), k.select(split, n * (part + 1) // parts, n)
        left = a.at(i * a_outer + j * a_inner + low_m * k.select(a_turned != 0, k.int(1), lda))
        right = b.at(i * b_outer + j * b_inner + low_n * k.select(b_turned != 0, ldb, k.int(1)))
        out = c.at(pair * m * n + low_m * n + low_n)
        sizes = [(high_m - low_m).cast(size), (high_n - low_n).cast(size), depth.cast(size)]
        turned = [k.select(t != 0, k.int(TRANSPOSED), k.int(PLAIN)).cast("i4") for t in (a_turned, b_turned)]
        k.call_address(gemm, k.lift(ROW_MAJOR, "i4"), *turned, *sizes, k.float(1.0), left, lda.cast(size), right,
                       ldb.cast(size), k.float(0.0), out, n.cast(size))  # fmt: skip


def _layout(a, item: int):
    """(row stride, whether transposed) of the last two dimensions for BLAS; None where one of them is not dense."""
    rows, cols = a.shape[-2:]
    down, right = a.strides[-2:]
    if right == item and down >= item * max(cols, 1) and down % item == 0:
        return down // item, 0
    if down == item and right >= item * max(rows, 1) and right % item == 0:
        return right // item, 1
    if rows == 1 and right == item:
        return max(cols, 1), 0
    if cols == 1 and down == item:
        return max(rows, 1), 1
    return None


def matmul(a, b, out=None):
    """a @ b for arrays of at least two dimensions; None where NumPy is to do it.

    out: a C-contiguous array for the result.
    """
    kind = _KIND.get(a.dtype)
    if kind is None or b.dtype != a.dtype or type(a) is not np.ndarray or type(b) is not np.ndarray:
        return None
    if a.ndim < 2 or b.ndim < 2:
        return None
    (m, k), (k2, n) = a.shape[-2:], b.shape[-2:]
    if k != k2 or m < 1 or n < 1 or k < 1:
        return None
    item = a.itemsize
    if b.ndim == 2 and a.ndim > 2 and out is None and a.flags.c_contiguous:
        made = matmul(a.reshape(-1, k), b)  # one tall matrix
        return made if made is None else made.reshape(*a.shape[:-1], n)
    if a.ndim == 2 and b.ndim == 2:
        outer, inner, a_steps, b_steps, shape = 1, 1, (0, 0), (0, 0), (m, n)
    else:
        batch = _batch(a, b, item)
        if batch is None:
            return None
        outer, inner, a_steps, b_steps, lead = batch
        shape = (*lead, m, n)
    each = m * n * k
    if each * outer * inner < SMALL:
        return None
    found = _gemm(kind)
    if found is None:
        return None
    f, gemm = found
    if threads.get_num_threads() == 1 and outer * inner == 1 and out is None:
        return None  # the same thing by a longer way
    left, right = _layout(a, item), _layout(b, item)
    if left is None or right is None:
        return None
    if out is None:
        out = np.empty(shape, a.dtype)
    parts, across = 1, 0
    if outer * inner < 4 * threads.get_num_threads():
        across = int(n > m)
        wanted = threads.get_num_threads() * (2 if each > 1 << 25 else 1)
        parts = max(1, min(wanted, max(m, n) // 32))  # narrow bands would copy the other factor too often
    done = f(a, b, out, gemm, outer, inner, m, n, k, left[0], right[0], *a_steps, *b_steps, left[1], right[1], parts,
             across, max(1, each // (6 * parts)))  # fmt: skip
    return out if done else None


def _batch(a, b, item):
    """(outer, inner, steps of a, steps of b, leading shape): the leading dimensions as at most two; None if more."""
    lead, other = a.shape[:-2], b.shape[:-2]
    if lead != other:  # np.broadcast_shapes costs microseconds
        lead = lead if not other else other if not lead else np.broadcast_shapes(lead, other)
    steps = []
    for x in (a, b):
        strides = [0] * (len(lead) - x.ndim + 2) + [
            0 if size == 1 else stride for size, stride in zip(x.shape[:-2], x.strides[:-2], strict=True)
        ]
        if any(s < 0 or s % item for s in strides):
            return None
        steps.append([s // item for s in strides])
    dims = [[size, sa, sb] for size, sa, sb in zip(lead, *steps, strict=True) if size != 1]
    merged: list[list[int]] = []
    for size, sa, sb in dims:
        if merged and merged[-1][1] == sa * size and merged[-1][2] == sb * size:
            merged[-1] = [merged[-1][0] * size, sa, sb]
        else:
            merged.append([size, sa, sb])
    if len(merged) > 2:
        return None
    merged = [[1, 0, 0]] * (2 - len(merged)) + merged
    (outer, ao, bo), (inner, ai, bi) = merged
    return outer, inner, (ao, ai), (bo, bi), lead


@cache
def _gemm(kind: str) -> tuple[Any, int] | None:
    """(the kernel, the address of BLAS's product), once tried against NumPy; None where there is no usable BLAS."""
    name = {"f4": "cblas_sgemm", "f8": "cblas_dgemm"}[kind]
    found = threads.blas_function(name)
    if found is None or not threads.blas_address("openblas_set_num_threads"):
        return None
    f = product.get(kind, wide=found[1])
    if f is None:
        return None
    gemm = threads.blas_address(name)
    a = np.arange(15, dtype=kind).reshape(3, 5)
    b = np.arange(20, dtype=kind).reshape(5, 4)
    out = np.empty((3, 4), kind)
    good = f(a, b, out, gemm, 1, 1, 3, 4, 5, 5, 4, 0, 0, 0, 0, 0, 0, 2, 0, 1) and np.array_equal(out, a @ b)
    return (f, gemm) if good else None
