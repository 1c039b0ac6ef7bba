"""Linear systems: inverse, determinant, solve, triangular solve, Cholesky, LU and LDL factors, with gradients."""

from __future__ import annotations

import numpy as np

from .. import dtypes, return_types
from ..errors import DtypeError, ShapeError
from ..tensor import Tensor, wrap
from .elementwise import conj
from .entry import REGISTRY, public
from .linalg import matmul
from .linalg_array import (
    LinAlgError,
    flat_batch,
    substitute,
)  # fmt: skip
from .linalg_array import (
    lu_factor as _lu_array,
)
from .meta import array_primitive, on_device_of
from .promotion import check_devices
from .reduce import title
from .shape import need_tensor

REGISTRY["linalg.LinAlgError"] = LinAlgError

# ---------------------------------------------------------------------- arguments


def need_float(t, name, dtype=None, argument="A"):
    """The tensor in a floating-point or complex dtype; RuntimeError for others."""
    need_tensor(t, name, argument)
    if t.dtype.category < 2:
        raise DtypeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {title(t.dtype)}",
            why="whole numbers have no place for fractions",
            fix="convert it first: `x.float()`",
        )
    if dtype is None:
        return t
    if dtype.category < 2:
        raise DtypeError(
            f"{name}: dtype should be floating point or complex, but got {title(dtype)}",
            why="whole numbers have no place for fractions",
            fix="pass `dtype=torch.float32`",
        )
    if t.is_complex() and not dtype.is_complex:
        raise DtypeError(
            f"{name}: dtype should be complex for complex inputs, but got {title(dtype)}",
            why="the result of a complex tensor is complex",
            fix="pass `dtype=torch.complex64`, or `x.real` as the input",
        )
    if dtype.is_complex and not t.is_complex():
        raise DtypeError(
            f"{name}: dtype should be real for real inputs, but got {title(dtype)}",
            why="the result of a real tensor is real",
            fix="pass `dtype=torch.float64`, or leave it out",
        )
    if dtypes.promote_types(t.dtype, dtype) is not dtype:
        raise DtypeError(
            f"{name}: the dtype of the input ({title(t.dtype)}) should be convertible without narrowing "
            f"to the specified dtype ({title(dtype)})",
            why="the result would be less exact than the input",
            fix=f"convert the input first: `x.to(torch.{dtype.name})`",
        )
    return t.to(dtype)


def need_matrix(A, name, argument="A"):
    """Error unless `A` has at least two dimensions."""
    need_tensor(A, name, argument)
    if A.ndim < 2:
        raise ShapeError(
            f"{name}: The input tensor {argument} must have at least 2 dimensions.",
            why=f"its shape is {tuple(A.shape)}",
            fix="make it a matrix: `x.unsqueeze(0)` is one row, `x.unsqueeze(1)` one column",
        )


def need_square(A, name, argument="A"):
    """Error unless `A` is a floating-point (batch of) square matrices."""
    need_matrix(A, name, argument)
    if A.shape[-1] != A.shape[-2]:
        raise ShapeError(
            f"{name}: {argument} must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices",
            why=f"the last two sizes of {tuple(A.shape)} must be equal",
            fix="use `torch.linalg.lstsq` or `torch.linalg.pinv` for other matrices",
        )
    if A.dtype.category < 2:
        raise DtypeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {title(A.dtype)}",
            why="whole numbers have no place for fractions",
            fix="convert it first: `x.float()`",
        )
    if A.dtype.itemsize < 4:
        raise DtypeError(
            f"{name}: Low precision dtypes not supported. Got {title(A.dtype)}",
            why=f"numbers of {A.dtype.itemsize} bytes are too coarse for this",
            fix="convert it first: `x.float()`",
        )


def need_same(A, B, name):
    """Error unless two tensors have one dtype."""
    if A.dtype is not B.dtype:
        raise DtypeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {title(A.dtype)} and "
            f"B of type {title(B.dtype)} instead",
            why="both are parts of one equation",
            fix=f"convert it: `B.to(torch.{A.dtype.name})`",
        )


def where(info: np.ndarray) -> int:
    """Where in the batch the first failure is."""
    return int(np.flatnonzero(info.reshape(-1))[0])


def first(info: np.ndarray) -> int:
    """The first value that is not zero."""
    flat = info.reshape(-1)
    return int(flat[np.flatnonzero(flat)[0]])


def eye(n, like) -> Tensor:
    """The identity matrix in the dtype of `like`."""
    return on_device_of(np.eye(n, dtype=like._array.dtype), like)


# ---------------------------------------------------------------------- inverse and determinant


def _inverse_array(a):
    """(inverse, info); singular matrices give what LAPACK leaves."""
    try:
        return np.linalg.inv(a), np.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        lu, pivots, info = _lu_array(a)
        out = np.empty_like(a)
        flat, source, codes = flat_batch(out), flat_batch(a), info.reshape(-1)
        for i, code in enumerate(codes):
            flat[i] = np.linalg.inv(source[i]) if not code else flat_batch(lu)[i]
        return out, info


_inv = array_primitive("linalg_inv_ex", _inverse_array, vjp={"A": lambda g, out: None if g[0] is None else
                                                       -matmul(matmul(out[0].mH, g[0]), out[0].mH)},
                 names=("A",))  # fmt: skip


@public("linalg.inv_ex", out=True)
def inv_ex(A, *, check_errors=False):
    """(inverse, info): info is not 0 where a matrix is singular; nothing is raised unless `check_errors`.

    >>> import flambeau as torch
    >>> torch.linalg.inv_ex(torch.tensor([[2.0, 0.0], [0.0, 4.0]])).inverse
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    need_square(A, "linalg.inv")
    inverse, info = _inv(A)
    if check_errors:
        _check_singular(info._array, "linalg.inv")
    return return_types.linalg_inv_ex((inverse, info))


def _check_singular(info, name):
    if info.any():
        i = first(info)
        raise LinAlgError(
            f"{name}: (Batch element {where(info)}): The diagonal element {i} is zero, the inversion could not be "
            "completed because the input matrix is singular."
            if info.ndim
            else f"{name}: The diagonal element {i} is zero, the inversion could not be completed because the input "
            "matrix is singular.",
            why="a singular matrix has no inverse: its rows depend on each other",
            fix="use `torch.linalg.pinv(A)`, or add `1e-6 * torch.eye(A.shape[-1])` to it",
        )


@public("linalg.inv", out=True, method=False, aliases=("inverse",))
def inv(A):
    """The inverse of square matrices. torch.linalg.LinAlgError when one is singular.

    >>> import flambeau as torch
    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return inv_ex(A, check_errors=True)[0]


def _method(name, function):
    public(name, method=True, function=False)(function)


_method("inverse", lambda self: inv(self))


def _det_vjp(g, A, out):
    g = g.unsqueeze(-1).unsqueeze(-1)
    if np.all(out._array != 0):
        return g * conj(out.unsqueeze(-1).unsqueeze(-1)) * _inv(A)[0].mH
    # Singular: the cofactors follow from the singular values, each left out in turn.
    u, s, vh = REGISTRY["linalg.svd"](A)
    n = A.shape[-1]
    others = s.unsqueeze(-2).expand((*s.shape, n)).masked_fill(wrap(np.eye(n, dtype=np.bool_)), 1).prod(-1)
    sign = conj(det(u) * det(vh)).unsqueeze(-1).unsqueeze(-1)
    return g * sign * matmul(u * others.unsqueeze(-2), vh)


_det = array_primitive("linalg_det", lambda A: np.linalg.det(A), vjp={"A": _det_vjp})


@public("linalg.det", out=True, aliases=("det",))
def det(A):
    """Determinant of square matrices.

    >>> import flambeau as torch
    >>> torch.linalg.det(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(-2.)
    """
    need_square(A, "linalg.det")
    return _det(A)


def _slogdet_vjp(g, A, out):
    sign_g, log_g = g
    factor = log_g
    if A.is_complex() and sign_g is not None:
        turn = -(sign_g.conj() * out[0]).imag
        imaginary = turn * 1j
        factor = imaginary if log_g is None else log_g + imaginary
    if factor is None:
        return A * 0
    return factor.unsqueeze(-1).unsqueeze(-1) * _inv(A)[0].mH


def _slogdet_array(A):
    sign, log = np.linalg.slogdet(A)
    return np.where(np.isnan(log), np.zeros_like(sign), sign), log


_slogdet = array_primitive("linalg_slogdet", _slogdet_array, vjp={"A": _slogdet_vjp})


@public("linalg.slogdet", out=True)
def linalg_slogdet(A):
    """(sign, log of the absolute value) of the determinant of square matrices.

    >>> import flambeau as torch
    >>> sign, logabsdet = torch.linalg.slogdet(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    >>> sign, logabsdet
    (tensor(-1.), tensor(0.6931))
    """
    need_square(A, "linalg.slogdet")
    return return_types.linalg_slogdet(_slogdet(A))


@public("slogdet", method=True, out=True)
def _slogdet_old(input):
    """(sign, logabsdet) of the determinant; see torch.linalg.slogdet.

    >>> import flambeau as torch
    >>> sign, logabsdet = torch.slogdet(torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    >>> sign, logabsdet
    (tensor(-1.), tensor(0.6931))
    """
    need_square(input, "linalg.slogdet")
    return return_types.slogdet(_slogdet(input))


@public(method=True)
def logdet(input):
    """Log of the determinant of square matrices: nan when it is negative, -inf when it is zero.

    >>> import flambeau as torch
    >>> torch.logdet(torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor(1.7918)
    """
    need_square(input, "logdet")
    sign, log = _slogdet(input)
    if input.is_complex():
        return sign.log() + log
    return log.masked_fill(sign == -1, float("nan"))


_method("det", lambda self: det(self))

# ---------------------------------------------------------------------- solve


def _solve_array(A, B):
    try:
        return np.linalg.solve(A, B)
    except np.linalg.LinAlgError:
        info = _lu_array(np.broadcast_to(A, np.broadcast_shapes(A.shape[:-2], B.shape[:-2]) + A.shape[-2:]))[2]
        i = first(info) if info.any() else A.shape[-1]
        raise LinAlgError(
            f"torch.linalg.solve: (Batch element {where(info)}): The solver failed because the input matrix is "
            "singular."
            if info.ndim and info.any()
            else "torch.linalg.solve: The solver failed because the input matrix is singular.",
            why=f"the diagonal element {i} of its factor U is zero",
            fix=f"use `torch.linalg.lstsq(A, B)`, or add a small multiple of `torch.eye({A.shape[-1]})` to the matrix",
        ) from None


def _solve_vjp(g, A, out, needs):
    d = _solve(A.mH, g)
    return -matmul(d, out.mH) if needs[0] else None, d


_solve = array_primitive("linalg_solve_ex", _solve_array, vjp={("A", "B"): _solve_vjp})


def is_vector(A, B):
    """Whether `B` is a batch of vectors rather than of matrices, by PyTorch's rule."""
    return B.ndim == 1 or (A.ndim - 1 == B.ndim and B.shape == A.shape[:-1])


def _solved(A, B, left, name):
    need_square(A, name)
    need_tensor(B, name, "B", 2)
    need_same(A, B, name)
    check_devices(A, B)
    vector = is_vector(A, B)
    if vector:
        if not left:
            raise ShapeError(
                f"{name}: Vector broadcasting of the left hand side is not supported for left=False. In "
                f"this case {name} is equivalent to B / A.squeeze(-1)",
                why="a vector of unknowns stands on the right of the matrix",
                fix="pass a matrix: `B.unsqueeze(-1)`",
            )
        B = B.unsqueeze(-1)
    if B.ndim < 2:
        raise ShapeError(
            f"{name}: The input tensor B must have at least 2 dimensions.",
            why=f"its shape is {tuple(B.shape)}",
            fix="pass `B.unsqueeze(-1)` for one right-hand side",
        )
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise ShapeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})",
            why=f"A has shape {tuple(A.shape)}, B {tuple(B.shape)}",
            fix="give both equally many rows (with `left=False` columns)",
        )
    made = _solve(A, B) if left else _solve(A.mT, B.mT).mT
    return made.squeeze(-1) if vector else made


@public("linalg.solve", out=True)
def solve(A, B, *, left=True):
    """X of A X = B (or X A = B with left=False) for square matrices A; B is a vector or matrix, or a batch of them.

    >>> import flambeau as torch
    >>> torch.linalg.solve(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    return _solved(A, B, left, "linalg.solve")


@public("linalg.solve_ex", out=True)
def solve_ex(A, B, *, left=True, check_errors=False):
    """(X, info): info is not 0 where A is singular; nothing is raised unless `check_errors`.

    >>> import flambeau as torch
    >>> torch.linalg.solve_ex(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([2.0, 8.0])).result
    tensor([1., 2.])
    """
    need_square(A, "linalg.solve")
    try:
        made = _solved(A, B, left, "linalg.solve")
        info = np.zeros(A.shape[:-2], np.int32)
    except LinAlgError:
        if check_errors:
            raise
        info = _lu_array(A._array)[2]
        made = B * float("nan")
    return return_types.linalg_solve_ex((made, on_device_of(info, A)))


def _triangle_vjp(g, A, out, upper, unit, needs):
    d = _substitute(A.mH, g, upper=not upper, unit=unit)
    if not needs[0]:
        return None, d
    grad = -matmul(d, out.mH)
    k = 1 if unit else 0
    return grad.triu(k) if upper else grad.tril(-k), d


_substitute = array_primitive("linalg_solve_triangular", lambda A, B, upper, unit: substitute(A, B, upper, unit),
                        vjp={("A", "B"): _triangle_vjp})  # fmt: skip


@public("linalg.solve_triangular", out=True)
def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X of A X = B (or X A = B) for triangular matrices A, of which only the triangle is read.

    >>> import flambeau as torch
    >>> torch.linalg.solve_triangular(torch.tensor([[1.0, 1.0], [0.0, 2.0]]), torch.tensor([[3.0], [4.0]]), upper=True)
    tensor([[1.],
            [2.]])
    """
    name = "linalg.solve_triangular"
    need_square(A, name)
    need_matrix(B, name, "B")
    need_same(A, B, name)
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise ShapeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})",
            why=f"A has shape {tuple(A.shape)}, B {tuple(B.shape)}",
            fix="give both equally many rows (with `left=False` columns)",
        )
    if left:
        return _substitute(A, B, upper=bool(upper), unit=bool(unitriangular))
    return _substitute(A.mT, B.mT, upper=not upper, unit=bool(unitriangular)).mT


@public(method=True, out=True)
def triangular_solve(input, A, upper=True, transpose=False, unitriangular=False):
    """(solution of A X = input for a triangular A, A); see torch.linalg.solve_triangular.

    >>> import flambeau as torch
    >>> torch.triangular_solve(torch.tensor([[3.0], [4.0]]), torch.tensor([[1.0, 1.0], [0.0, 2.0]])).solution
    tensor([[1.],
            [2.]])
    """
    need_matrix(input, "triangular_solve", "b")
    need_square(A, "triangular_solve")
    if input.shape[-2] != A.shape[-1]:
        raise ShapeError(
            f"triangular_solve: Incompatible matrix sizes for A and b: {list(A.shape)} and {list(input.shape)}",
            why="each row of A is one equation, with one row of b",
            fix="give both equally many rows",
        )
    if transpose:
        made = _substitute(A.mT, input, upper=not upper, unit=bool(unitriangular))
    else:
        made = _substitute(A, input, upper=bool(upper), unit=bool(unitriangular))
    batch = made.shape[:-2]
    return return_types.triangular_solve((made, A.expand((*batch, *A.shape[-2:])).clone()))


# ---------------------------------------------------------------------- Cholesky


def _cholesky_array(A, upper):
    """(factor, info); where a matrix is not positive definite, what could be computed."""
    low = A if not upper else np.conj(A).swapaxes(-1, -2)
    try:
        out, info = np.linalg.cholesky(low), np.zeros(A.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        out = np.tril(low).copy()
        flat = flat_batch(out)
        info = np.zeros(len(flat), np.int32)
        for i, one in enumerate(flat_batch(low)):
            n = len(one)
            try:
                flat[i] = np.linalg.cholesky(one)
            except np.linalg.LinAlgError:
                for k in range(1, n + 1):
                    try:
                        np.linalg.cholesky(one[:k, :k])
                    except np.linalg.LinAlgError:
                        info[i] = k
                        break
        info = info.reshape(A.shape[:-2])
    return np.ascontiguousarray(np.conj(out).swapaxes(-1, -2)) if upper else out, info


def _cholesky_vjp(g, out, upper):
    if g[0] is None:
        return None
    low, g = (out[0].mH, g[0].mH) if upper else (out[0], g[0])
    phi = matmul(low.mH, g).tril()
    phi = (phi + phi.tril(-1).mH) * 0.5
    # L^-H phi L^-1
    left = _substitute(low.mH, phi, upper=True, unit=False)
    return _substitute(low.mH, left.mH, upper=True, unit=False).mH


_cholesky = array_primitive("linalg_cholesky_ex", _cholesky_array, vjp={"A": _cholesky_vjp})


@public("linalg.cholesky_ex", out=True)
def cholesky_ex(A, *, upper=False, check_errors=False):
    """(factor, info): info is not 0 where a matrix is not positive definite.

    >>> import flambeau as torch
    >>> torch.linalg.cholesky_ex(torch.tensor([[4.0, 2.0], [2.0, 5.0]])).L
    tensor([[2., 0.],
            [1., 2.]])
    """
    need_square(A, "linalg.cholesky")
    made, info = _cholesky(A, upper=bool(upper))
    if check_errors and info._array.any():
        raise LinAlgError(
            f"linalg.cholesky: (Batch element {where(info._array)}): The factorization could not be completed because "
            f"the input is not positive-definite (the leading minor of order {first(info._array)} is not "
            "positive-definite)."
            if info.ndim
            else "linalg.cholesky: The factorization could not be completed because the input is not "
            f"positive-definite (the leading minor of order {first(info._array)} is not positive-definite).",
            why="a covariance or a kernel matrix often misses it by rounding",
            fix=f"add `1e-6 * torch.eye({A.shape[-1]})` to the matrix, and check that `A` equals `A.mT`",
        )
    return return_types.linalg_cholesky_ex((made, info))


@public("linalg.cholesky", out=True)
def linalg_cholesky(A, *, upper=False):
    """L of A = L L^H for Hermitian positive definite matrices (or its conjugate transpose, upper=True).

    >>> import flambeau as torch
    >>> torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    return cholesky_ex(A, upper=upper, check_errors=True)[0]


@public(method=True, out=True)
def cholesky(input, upper=False):
    """See torch.linalg.cholesky.

    >>> import flambeau as torch
    >>> torch.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    return cholesky_ex(input, upper=upper, check_errors=True)[0]


def _gram(L, upper):
    low = np.conj(np.triu(L)).swapaxes(-1, -2) if upper else np.tril(L)
    return low


def _cholesky_solve_array(B, L, upper):
    low = _gram(L, upper)
    y = substitute(low, B, upper=False)
    return substitute(np.conj(low).swapaxes(-1, -2), y, upper=True)


def _cholesky_solve_vjp(g, L, out, upper, needs):
    d = _cholesky_solve(g, L, upper=upper)
    if not needs[1]:
        return d, None
    both = matmul(d, out.mH)
    both = both + both.mH
    return d, -matmul(L, both) if upper else -matmul(both, L)


_cholesky_solve = array_primitive("cholesky_solve", _cholesky_solve_array, vjp={("B", "L"): _cholesky_solve_vjp})


@public(method=True, out=True)
def cholesky_solve(B, L, upper=False):
    """X of A X = B from the Cholesky factor of A.

    >>> import flambeau as torch
    >>> torch.cholesky_solve(torch.tensor([[4.0], [9.0]]), torch.tensor([[2.0, 0.0], [0.0, 3.0]]))
    tensor([[1.],
            [1.]])
    """
    need_matrix(B, "cholesky_solve", "B")
    need_square(L, "cholesky_solve", "A")
    if B.shape[-2] != L.shape[-1]:
        raise ShapeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {L.shape[-1]} by "
            f"{L.shape[-1]} but each b matrix is {B.shape[-2]} by {B.shape[-1]}",
            why="each row of A is one equation, with one row of b",
            fix="give both equally many rows",
        )
    need_same(L, B, "cholesky_solve")
    return _cholesky_solve(B, L, upper=bool(upper))


def _cholesky_inverse_vjp(g, L, out, upper):
    both = matmul(out, matmul(g + g.mH, out))
    return -matmul(L, both) if upper else -matmul(both, L)


_cholesky_inverse = array_primitive(
    "cholesky_inverse",
    lambda L, upper: _cholesky_solve_array(np.broadcast_to(np.eye(L.shape[-1], dtype=L.dtype), L.shape), L, upper),
    vjp={"L": _cholesky_inverse_vjp},
)  # fmt: skip


@public(method=True, out=True)
def cholesky_inverse(L, upper=False):
    """The inverse of A from its Cholesky factor.

    >>> import flambeau as torch
    >>> torch.cholesky_inverse(torch.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    need_square(L, "cholesky_inverse")
    return _cholesky_inverse(L, upper=bool(upper))
