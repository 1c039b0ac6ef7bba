"""Matrix products."""

from __future__ import annotations

import numpy as np

from ..dtypes import FROM_NUMPY, HALVES
from ..errors import DtypeError, ShapeError
from ..tensor import Tensor, attach
from .elementwise import conj
from .entry import primitive, public
from .promotion import check_devices
from .shape import need_tensor


def _matmul_array(input, other):
    if input.dtype.kind in "iub":
        return np.matmul(input, other)
    if FROM_NUMPY[input.dtype] in HALVES:
        return np.matmul(input.astype(np.float32), other.astype(np.float32)).astype(input.dtype)
    return np.matmul(input, other)


def _matmul_input(g, input, other):
    if other.ndim == 1:
        return g.unsqueeze(-1) * conj(other) if input.ndim > 1 else g * conj(other)
    if input.ndim == 1:
        lead = other if other.ndim == 2 else other
        return _matmul(lead.conj() if lead.is_complex() else lead, g.unsqueeze(-1)).squeeze(-1)
    return _matmul(g, conj(other).mT)


def _matmul_other(g, input, other):
    if input.ndim == 1:
        if other.ndim == 1:
            return g * conj(input)
        return conj(input).unsqueeze(-1) * g.unsqueeze(-2)
    if other.ndim == 1:
        return _matmul(conj(input).mT, g.unsqueeze(-1)).squeeze(-1)
    if other.ndim == 2 and input.ndim > 2:
        # One large product instead of a batch of small ones that are then summed.
        k, n = other._array.shape
        return _matmul(conj(input).reshape(-1, k).mT, g.reshape(-1, n))
    return _matmul(conj(input).mT, g)


_matmul = primitive("matmul", _matmul_array, vjp={"input": _matmul_input, "other": _matmul_other}, node="MmBackward0")


@public(method=True, out=True)
def matmul(input, other):
    """Matrix product: vectors, matrices, or batches of matrices (their leading dimensions are broadcast).

    Raises RuntimeError when the inner sizes differ, or the dtypes do.

    >>> import flambeau as torch
    >>> torch.matmul(torch.ones(2, 3), torch.ones(3)).shape
    torch.Size([2])
    """
    need_tensor(input, "matmul")
    need_tensor(other, "matmul", "other", 2)
    a, b = input._array, other._array
    if a.dtype != b.dtype:
        raise DtypeError(
            f"expected m1 and m2 to have the same dtype, but got: {_c_name(a)} != {_c_name(b)}",
            fix=f"convert one of them: x.to({input.dtype})",
        )
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"both arguments to matmul need to be at least 1D, but they are {a.ndim}D and {b.ndim}D")
    if a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        raise ShapeError(
            _mismatch(a.shape, b.shape),
            why=f"the last size of the first ({a.shape[-1]}) must equal the "
            f"{'second to last' if b.ndim > 1 else 'only'} size of the second ({b.shape[-2 if b.ndim > 1 else 0]})",
            fix="transpose one of them (x.mT), or use * for an element-wise product",
        )
    check_devices(input, other)
    return _matmul(input, other)


def _c_name(a):
    return {"float32": "float", "float64": "double", "int64": "long", "int32": "int"}.get(a.dtype.name, a.dtype.name)


def _mismatch(a, b):
    if len(a) <= 2 and len(b) <= 2:
        if len(a) == 1 and len(b) == 1:
            return f"inconsistent tensor size, expected tensor {list(a)} and src {list(b)} to have the same number of " \
                   f"elements, but got {a[0]} and {b[0]} elements respectively"
        if len(b) == 1:
            return f"size mismatch, got input ({a[0]}), mat ({a[0]}x{a[1]}), vec ({b[0]})"
        m = a if len(a) == 2 else (1, *a)
        return f"mat1 and mat2 shapes cannot be multiplied ({m[0]}x{m[1]} and {b[0]}x{b[1]})"
    return f"Expected size for first two dimensions of batch2 tensor to be: {[*a[:-2], a[-1]]} but got: {list(b[:-1])}."


attach("__matmul__", lambda self, other: matmul(self, other) if isinstance(other, Tensor) else NotImplemented)
