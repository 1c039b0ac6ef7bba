"""LU and LDL factors of matrices, and solving with them."""

from __future__ import annotations

import numpy as np

from .. import dtypes, return_types
from ..errors import DtypeError, ShapeError
from ..tensor import wrap
from .entry import public
from .join import cat
from .linalg import matmul
from .linalg_array import (
    LinAlgError,
    permutation_matrix,
)  # fmt: skip
from .linalg_array import (
    ldl_factor as _ldl_array,
)
from .linalg_array import (
    ldl_solve as _ldl_solve_array,
)
from .linalg_array import (
    lu_factor as _lu_array,
)
from .linalg_solve import _substitute, first, need_matrix, need_same, need_square, where
from .meta import array_primitive, on_device_of, plain
from .reduce import title

# ---------------------------------------------------------------------- LU


def _lu_vjp(g, out):
    """The gradient of the packed factors, for square, wide and tall matrices."""
    if g[0] is None:
        return None
    packed, pivots = out[0], out[1]
    m, n = packed.shape[-2:]
    k = min(m, n)
    low, up = unpack_low(packed), packed[..., :k, :].triu()
    g_low, g_up = g[0][..., :, :k].tril(-1), g[0][..., :k, :].triu()
    square_low, square_up = low[..., :k, :], up[..., :, :k]
    lower_part = matmul(square_low.mH, g_low[..., :k, :])
    upper_part = matmul(g_up[..., :, :k], square_up.mH)
    if n > m:
        lower_part = lower_part - matmul(g_up[..., :, k:], up[..., :, k:].mH)
    elif m > n:
        upper_part = upper_part - matmul(low[..., k:, :].mH, g_low[..., k:, :])
    phi = lower_part.tril(-1) + upper_part.triu()

    def over_up(x):  # x U^-H
        return _substitute(square_up, x.mH, upper=True, unit=False).mH

    def under_low(x):  # L^-H x
        return _substitute(square_low.mH, x, upper=True, unit=True)

    d = over_up(under_low(phi))
    if n > m:
        d = cat([d, under_low(g_up[..., :, k:])], -1)
    elif m > n:
        d = cat([d, over_up(g_low[..., k:, :])], -2)
    p = wrap(permutation_matrix(pivots._array, m, packed._array.dtype))
    return matmul(p, d)


_lu = array_primitive("linalg_lu_factor_ex", lambda A, pivot: _lu_array(A, pivot), vjp={"A": _lu_vjp})


def _matrix_of(pivots, m, like):
    """The permutation matrix P of pivots."""
    counts = pivots._array if type(pivots._array) is np.ndarray else np.ones(pivots.shape, np.int32)
    return on_device_of(permutation_matrix(counts, m, like._array.dtype), like)


def unpack_low(packed):
    """L (m, k) of packed factors."""
    m, n = packed.shape[-2:]
    k = min(m, n)
    ones = on_device_of(np.eye(m, k, dtype=packed._array.dtype), packed)
    return packed[..., :, :k].tril(-1) + ones


def _lu_checked(A, pivot, name, check):
    need_matrix(A, name)
    if A.dtype.category < 2 or A.dtype.itemsize < 4:
        raise DtypeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {title(A.dtype)}",
            why=f"the matrix is {A.dtype.name}",
            fix="convert it first: `x.float()`",
        )
    if not pivot:
        raise ShapeError(
            f"{name}: LU without pivoting is not implemented on the CPU",
            why="rows are exchanged to keep the division stable",
            fix="leave out `pivot=False`",
        )
    made, pivots, info = _lu(A, pivot=True)
    if check and info._array.any():
        i = first(info._array)
        raise LinAlgError(
            f"{name}: (Batch element {where(info._array)}): U[{i},{i}] is zero and using it on lu_solve would result "
            "in a division by zero. If you still want to perform the factorization, consider calling "
            "linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
            if info.ndim
            else f"{name}: U[{i},{i}] is zero and using it on lu_solve would result in a division by zero. If you "
            "still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
            "linalg.lu_factor_ex(A, pivot)",
            why="the matrix is singular: its rows depend on each other",
            fix="use `torch.linalg.lu_factor_ex`, or add a small multiple of the identity",
        )
    return made, pivots, info


@public("linalg.lu_factor", out=True)
def lu_factor(A, *, pivot=True):
    """(L and U packed in one matrix, pivots) of A = P L U.

    >>> import flambeau as torch
    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> LU
    tensor([[ 4.0000,  4.0000],
            [ 0.5000, -1.0000]])
    """
    return return_types.linalg_lu_factor(_lu_checked(A, pivot, "torch.linalg.lu_factor", True)[:2])


@public("linalg.lu_factor_ex", out=True)
def lu_factor_ex(A, *, pivot=True, check_errors=False):
    """(packed factors, pivots, info): info is not 0 where U is singular.

    >>> import flambeau as torch
    >>> LU, pivots, info = torch.linalg.lu_factor_ex(torch.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> pivots, info
    (tensor([2, 2], dtype=torch.int32), tensor(0, dtype=torch.int32))
    """
    return return_types.linalg_lu_factor_ex(_lu_checked(A, pivot, "torch.linalg.lu_factor_ex", check_errors))


@public("linalg.lu", out=True)
def linalg_lu(A, *, pivot=True):
    """(P, L, U) with A = P L U.

    >>> import flambeau as torch
    >>> P, L, U = torch.linalg.lu(torch.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> U
    tensor([[ 4.,  4.],
            [ 0., -1.]])
    """
    packed, pivots, _ = _lu_checked(A, pivot, "linalg.lu", False)
    return return_types.linalg_lu(_unpacked(packed, pivots))


def _unpacked(packed, pivots):
    m, n = packed.shape[-2:]
    p = _matrix_of(pivots, m, packed)
    return p, unpack_low(packed), packed[..., : min(m, n), :].triu()


@public()
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True, *, out=None):
    """(P, L, U) from packed factors and pivots.

    >>> import flambeau as torch
    >>> P, L, U = torch.lu_unpack(*torch.linalg.lu_factor(torch.tensor([[2.0, 1.0], [4.0, 4.0]])))
    >>> L
    tensor([[1.0000, 0.0000],
            [0.5000, 1.0000]])
    """
    if LU_pivots.dtype is not dtypes.int32:
        raise DtypeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.",
            why=f"it is {LU_pivots.dtype.name}",
            fix="pass both as `torch.linalg.lu_factor` returned them",
        )
    nothing = wrap(np.empty(0, LU_data._array.dtype))
    p = low = up = nothing
    if unpack_pivots:
        p = _matrix_of(LU_pivots, LU_data.shape[-2], LU_data)
    if unpack_data:
        low, up = unpack_low(LU_data), LU_data[..., : min(LU_data.shape[-2:]), :].triu()
    made = return_types.lu_unpack((p, low, up))
    if out is not None:
        for t, o in zip(made, out):
            o.resize_(t.shape).copy_(t)
        return return_types.lu_unpack(out)
    return made


@public(method=True)
def lu(A, pivot=True, get_infos=False, out=None):
    """(packed factors, pivots) and infos on request; see torch.linalg.lu_factor.

    >>> import flambeau as torch
    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> pivots
    tensor([2, 2], dtype=torch.int32)
    """
    made, pivots, info = _lu_checked(A, pivot, "torch.lu", not get_infos)
    made = (return_types.linalg_lu_factor_ex((made, pivots, info)) if get_infos
            else return_types.linalg_lu_factor((made, pivots)))  # fmt: skip
    if out is not None:
        for t, o in zip(made, out):
            o.resize_(t.shape).copy_(t)
        return out
    return made


@public("linalg.lu_solve", out=True)
def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """X of A X = B (X A = B; with A^H for adjoint=True) from the packed factors of A.

    >>> import flambeau as torch
    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> torch.linalg.lu_solve(LU, pivots, torch.tensor([[3.0], [8.0]]))
    tensor([[1.],
            [1.]])
    """
    name = "linalg.lu_solve"
    need_square(LU, name, "LU")
    need_matrix(B, name, "B")
    if LU.dtype is not B.dtype:
        raise DtypeError(
            f"{name}: Expected LU and B to have the same dtype, but found LU of type {title(LU.dtype)} "
            f"and B of type {title(B.dtype)} instead",
            why="both are parts of one equation",
            fix=f"convert it: `B.to(torch.{LU.dtype.name})`",
        )
    if pivots.dtype is not dtypes.int32:
        raise DtypeError(
            f"{name}: pivots should be a Tensor of scalar type torch.int32",
            why=f"they are {pivots.dtype.name}",
            fix="pass both as `torch.linalg.lu_factor` returned them",
        )
    if pivots.shape != LU.shape[:-1]:
        raise ShapeError(
            f"{name}: Number of pivots per batch should be same as the dimension of the matrix",
            why=f"`pivots` has shape {tuple(pivots.shape)}, `LU` {tuple(LU.shape)}",
            fix="pass both as `torch.linalg.lu_factor` returned them",
        )
    if B.shape[-2 if left else -1] != LU.shape[-1]:
        raise ShapeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({LU.shape[-2]}x{LU.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})",
            why=f"LU has shape {tuple(LU.shape)}, B {tuple(B.shape)}",
            fix="give both equally many rows (with `left=False` columns)",
        )
    if not left:
        return linalg_lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
    p = _matrix_of(pivots, LU.shape[-1], LU)
    if adjoint:  # A^H = U^H L^H P^T
        y = _substitute(LU.mH, B, upper=False, unit=False)
        return matmul(p, _substitute(LU.mH, y, upper=True, unit=True))
    y = _substitute(LU, matmul(p.mT, B), upper=False, unit=True)
    return _substitute(LU, y, upper=True, unit=False)


@public(method=True, out=True)
def lu_solve(b, LU_data, LU_pivots):
    """X of A X = b from the packed factors of A; see torch.linalg.lu_solve.

    >>> import flambeau as torch
    >>> LU, pivots = torch.linalg.lu_factor(torch.tensor([[2.0, 1.0], [4.0, 4.0]]))
    >>> torch.lu_solve(torch.tensor([[3.0], [8.0]]), LU, pivots)
    tensor([[1.],
            [1.]])
    """
    return linalg_lu_solve(LU_data, LU_pivots, b)


# ---------------------------------------------------------------------- LDL


@public("linalg.ldl_factor_ex", out=True)
def ldl_factor_ex(A, *, hermitian=False, check_errors=False):
    """(L and D packed, pivots, info) of symmetric (or Hermitian) matrices A = L D L^T."""
    need_square(A, "torch.linalg.ldl_factor_ex")
    made, pivots, info = _ldl_array(plain(A._array), bool(hermitian))
    if check_errors and info.any():
        raise LinAlgError(
            f"torch.linalg.ldl_factor_ex: D[{first(info)},{first(info)}] is zero",
            why="the matrix is singular: its rows depend on each other",
            fix="leave out `check_errors`, or add a small multiple of the identity to the matrix",
        )
    return return_types.linalg_ldl_factor_ex([on_device_of(x, A) for x in (made, pivots, info)])


@public("linalg.ldl_factor", out=True)
def ldl_factor(A, *, hermitian=False):
    """(L and D packed, pivots) of symmetric (or Hermitian) matrices A = L D L^T.

    >>> import flambeau as torch
    >>> LD, pivots = torch.linalg.ldl_factor(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    >>> LD.diagonal()
    tensor([4., 4.])
    """
    return return_types.linalg_ldl_factor(ldl_factor_ex(A, hermitian=hermitian)[:2])


@public("linalg.ldl_solve", out=True)
def ldl_solve(LD, pivots, B, *, hermitian=False):
    """X of A X = B from the factors of `ldl_factor`.

    >>> import flambeau as torch
    >>> LD, pivots = torch.linalg.ldl_factor(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    >>> torch.linalg.ldl_solve(LD, pivots, torch.tensor([[8.0], [12.0]]))
    tensor([[1.],
            [2.]])
    """
    name = "torch.linalg.ldl_solve"
    need_square(LD, name, "LD")
    need_matrix(B, name, "B")
    need_same(LD, B, name)
    if pivots.shape != LD.shape[:-1]:
        raise ShapeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got "
            f"{list(LD.shape[:-1])} and "
            f"{list(pivots.shape)}",
            why="each row has one pivot",
            fix="pass both as `torch.linalg.ldl_factor` returned them",
        )
    if B.shape[-2] != LD.shape[-1]:
        raise ShapeError(
            f"{name}: Incompatible matrix sizes: {list(LD.shape)} and {list(B.shape)}",
            why="each row of the matrix is one equation, with one row of B",
            fix="give both equally many rows",
        )
    if LD.is_meta:
        return on_device_of(plain(matmul(LD, B)._array), LD)
    return wrap(_ldl_solve_array(LD._array, pivots._array, B._array, bool(hermitian)))
