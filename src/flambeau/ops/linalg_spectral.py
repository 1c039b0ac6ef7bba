"""Orthogonal and spectral decompositions: QR, Householder products, eigenvalues, singular values, with gradients."""

from __future__ import annotations

import numpy as np

from .. import return_types
from ..errors import DtypeError, GradientError, ShapeError
from ..tensor import wrap
from .elementwise import conj
from .entry import public
from .join import cat
from .linalg import matmul
from .linalg_array import LinAlgError, householder
from .linalg_solve import _solve, _substitute, need_float, need_matrix, need_square
from .meta import array_primitive
from .reduce import title
from .shape import need_tensor

# ---------------------------------------------------------------------- QR


def _qr_array(A, mode):
    if mode == "r":
        return np.empty(0, A.dtype), np.linalg.qr(A, "r")
    q, r = np.linalg.qr(A, mode)
    return np.ascontiguousarray(q), np.ascontiguousarray(r)


def _symmetric(x):
    """x + x^H of an upper triangle, its diagonal once and real."""
    return x + x.triu(1).mH - (x.diagonal(0, -2, -1).imag * 1j).diag_embed() if x.is_complex() else x + x.triu(1).mT


def _qr_vjp(g, out, mode):
    g_q, g_r = g
    q, r = out
    if mode == "r":
        raise GradientError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') if you are going to require gradients through linalg.qr.",
            why='mode "r" leaves Q out',
            fix='use `torch.linalg.qr(A, mode="reduced")`',
        )
    m, n = q.shape[-2], r.shape[-1]
    if mode == "complete" and m > n:
        raise GradientError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
            why=f"the columns of Q beyond the first {n} of {m} are not determined by the matrix",
            fix='use `torch.linalg.qr(A, mode="reduced")`',
        )
    if g_q is None and g_r is None:
        return None
    right = None
    if m < n:  # R = [R1 R2] with R2 = Q^H A2: two steps
        r, r2 = r[..., :m], r[..., m:]
        if g_r is not None:
            g_r, g_r2 = g_r[..., :m], g_r[..., m:]
            right = matmul(q, g_r2)
            turned = matmul(matmul(q, r2), g_r2.mH)
            g_q = turned if g_q is None else g_q + turned
    inner = None
    if g_r is not None:
        inner = matmul(g_r, r.mH)
    if g_q is not None:
        part = matmul(q.mH, g_q)
        inner = -part if inner is None else inner - part
    d = matmul(q, _symmetric(inner.triu()))
    if g_q is not None:
        d = d + g_q
    d = _substitute(r, d.mH, upper=True, unit=False).mH  # d R^-H
    if m < n:
        from_right = right if right is not None else d.new_zeros((*d.shape[:-1], n - m))
        d = cat([d, from_right], -1)
    return d


_qr = array_primitive("linalg_qr", _qr_array, vjp={"A": _qr_vjp})


@public("linalg.qr", out=True)
def linalg_qr(A, mode="reduced"):
    """(Q, R) with A = Q R, Q unitary and R upper triangular; mode "reduced", "complete" or "r" (Q is empty).

    >>> import flambeau as torch
    >>> Q, R = torch.linalg.qr(torch.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> R
    tensor([[-5.0000, -2.2000],
            [ 0.0000,  0.4000]])
    """
    need_matrix(A, "linalg.qr")
    need_float(A, "linalg.qr")
    if mode not in ("reduced", "complete", "r"):
        raise ShapeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'",
            why="the mode says how much of Q is computed",
            fix='pass `mode="reduced"`',
        )
    return return_types.linalg_qr(_qr(A, mode=mode))


@public(method=True, out=True)
def qr(input, some=True):
    """(Q, R); see torch.linalg.qr.

    >>> import flambeau as torch
    >>> Q, R = torch.qr(torch.tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> Q.shape
    torch.Size([2, 2])
    """
    need_matrix(input, "linalg.qr")
    need_float(input, "linalg.qr")
    return return_types.qr(_qr(input, mode="reduced" if some else "complete"))


@public(method=True, out=True)
def geqrf(input):
    """(R and Householder vectors packed, their scales tau), as LAPACK's geqrf gives them.

    >>> import flambeau as torch
    >>> a, tau = torch.geqrf(torch.ones(3, 2))
    >>> a.shape, tau.shape
    (torch.Size([3, 2]), torch.Size([2]))
    """
    need_matrix(input, "torch.geqrf")
    need_float(input, "torch.geqrf")
    h, tau = np.linalg.qr(input._array, "raw")
    return return_types.geqrf((wrap(np.ascontiguousarray(h.swapaxes(-1, -2))), wrap(tau)))


def _reflect(A, tau, i, x, adjoint=False):
    """One reflection I - tau v v^H applied to x from the left, on tensors."""
    m = A.shape[-2]
    unit = np.zeros((m, 1), A._array.dtype)
    unit[i] = 1
    keep = np.zeros((m, 1), np.bool_)
    keep[i + 1 :] = True
    v = A[..., :, i : i + 1].masked_fill(wrap(~keep), 0) + wrap(unit)
    scale = tau[..., i].unsqueeze(-1).unsqueeze(-1)
    if adjoint:
        scale = conj(scale)
    return x - scale * matmul(v, matmul(v.mH, x))


def _check_reflectors(A, tau, name):
    need_matrix(A, name, "input")
    need_tensor(tau, name, "tau", 2)
    if A.shape[-2] < A.shape[-1]:
        raise ShapeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]",
            why="each column of `input` holds a reflector of as many elements as there are rows, and the "
            f"shape is {tuple(A.shape)}",
            fix="pass at least as many rows as columns",
        )
    if A.shape[-1] < tau.shape[-1]:
        raise ShapeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]",
            why=f"each number in `tau` belongs to one column: there are {tau.shape[-1]} for {A.shape[-1]} column(s)",
            fix="pass both as `torch.geqrf` returned them",
        )
    if A.ndim - tau.ndim != 1:
        raise ShapeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to "
            f"{tau.ndim} and input.ndim is equal to {A.ndim}",
            why="each matrix has one vector `tau`",
            fix="pass both as `torch.geqrf` returned them",
        )
    if tau.shape[:-1] != A.shape[:-2]:
        raise ShapeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(tau.shape[:-1])}",
            why=f"each matrix has one vector `tau`: the batches are {tuple(tau.shape[:-1])} and {tuple(A.shape[:-2])}",
            fix="pass both as `torch.geqrf` returned them",
        )
    if tau.dtype is not A.dtype:
        raise DtypeError(
            f"{name}: tau dtype {title(tau.dtype)} does not match input dtype {title(A.dtype)}",
            why="both are parts of one factorization",
            fix=f"convert it: `tau.to(torch.{A.dtype.name})`",
        )


@public("linalg.householder_product", out=True, aliases=("orgqr",))
def householder_product(A, tau):
    """The first columns of the product of the Householder reflections that `geqrf` packs.

    >>> import flambeau as torch
    >>> torch.linalg.householder_product(*torch.geqrf(torch.ones(3, 2))).shape
    torch.Size([3, 2])
    """
    _check_reflectors(A, tau, "torch.linalg.householder_product")
    if not (A._rg or tau._rg):
        return wrap(householder(A._array, tau._array, A.shape[-1]))
    m, n = A.shape[-2:]
    q = wrap(np.broadcast_to(np.eye(m, n, dtype=A._array.dtype), A.shape).copy())
    for i in reversed(range(tau.shape[-1])):
        q = _reflect(A, tau, i, q)
    return q if tau.shape[-1] else q + A.masked_fill(wrap(np.ones((), np.bool_)), 0)


public("orgqr", method=True, function=False)(lambda self, input2: householder_product(self, input2))


@public(method=True, out=True)
def ormqr(input, tau, other, left=True, transpose=False):
    """`other` times the unitary matrix of `geqrf` (from the left or right; conjugate transposed on request).

    >>> import flambeau as torch
    >>> torch.ormqr(*torch.geqrf(torch.ones(3, 2)), torch.ones(3, 1)).shape
    torch.Size([3, 1])
    """
    name = "torch.ormqr"
    need_matrix(input, name, "input")
    need_matrix(other, name, "other")
    side = other.shape[-2 if left else -1]
    if side < tau.shape[-1]:
        raise ShapeError(
            f"{name}: other.shape[{-2 if left else -1}] must be greater than or equal to tau.shape[-1]",
            why=f"`other` has {side} row(s) or column(s) on that side, `tau` has {tau.shape[-1]} numbers",
            fix="pass a matrix that fits, or change `left`",
        )
    if side != input.shape[-2]:
        raise ShapeError(
            f"{name}: other.shape[{-2 if left else -1}] must be equal to input.shape[-2]",
            why=f"Q is a matrix with {input.shape[-2]} rows, and `other` has {side} on that side",
            fix="pass a matrix that fits, or change `left`",
        )
    if tau.shape[-1] > input.shape[-1]:
        raise ShapeError(
            f"{name}: tau.shape[-1] must be less than or equal to input.shape[-1]",
            why=f"each number in `tau` belongs to one column: there are {tau.shape[-1]} for "
            f"{input.shape[-1]} column(s)",
            fix="pass both as `torch.geqrf` returned them",
        )
    if input.ndim - tau.ndim != 1:
        raise ShapeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to "
            f"{tau.ndim} and input.ndim is equal to {input.ndim}",
            why="each matrix has one vector `tau`",
            fix="pass both as `torch.geqrf` returned them",
        )
    if input.ndim != other.ndim:
        raise ShapeError(
            f"{name}: Expected other to have the same number of dimensions as input, but got other.ndim "
            f"equal to {other.ndim} and input.ndim is equal to {input.ndim}",
            why="each matrix is multiplied by its own",
            fix=f"bring `other` to {input.ndim} dimensions with `unsqueeze` or `reshape`",
        )
    if tau.shape[:-1] != input.shape[:-2] or other.shape[:-2] != input.shape[:-2]:
        raise ShapeError(
            f"{name}: Expected batch dimensions of tau and other to be equal to input.shape[:-2]",
            why=f"the batches are {tuple(input.shape[:-2])}, {tuple(tau.shape[:-1])} and {tuple(other.shape[:-2])}",
            fix="expand all to one batch shape",
        )
    if tau.dtype is not input.dtype or other.dtype is not input.dtype:
        raise DtypeError(
            f"{name}: Expected input, tau and other to have the same dtype",
            why=f"they are {input.dtype.name}, {tau.dtype.name} and {other.dtype.name}",
            fix=f"convert them: `other.to(torch.{input.dtype.name})`",
        )
    x = other if left else other.mH
    adjoint = bool(transpose) if left else not transpose
    k = tau.shape[-1]
    for i in range(k) if adjoint else reversed(range(k)):
        x = _reflect(input, tau, i, x, adjoint)
    return x if left else x.mH


# ---------------------------------------------------------------------- eigenvalues


def _failed(name):
    return LinAlgError(
        f"{name}: The algorithm failed to converge.",
        why="the matrix has nan or inf, or is ill-conditioned",
        fix="check it with `torch.isfinite(A).all()`, or add `1e-6 * torch.eye(n)` to it",
    )


def _eigh_array(A, lower):
    try:
        values, vectors = np.linalg.eigh(A, "L" if lower else "U")
    except np.linalg.LinAlgError:
        raise _failed("linalg.eigh") from None
    return values, vectors


def _gaps(values):
    """values[j] - values[i], with infinity on the diagonal (so that a quotient is zero there)."""
    gap = values.unsqueeze(-2) - values.unsqueeze(-1)
    return gap.masked_fill(wrap(np.eye(values.shape[-1], dtype=np.bool_)), float("inf"))


def _eigh_vjp(g, out):
    g_values, g_vectors = g
    values, vectors = out
    inner = None
    if g_vectors is not None:
        inner = matmul(vectors.mH, g_vectors) / _gaps(values)
    if g_values is not None:
        if inner is None:
            return matmul(vectors * g_values.unsqueeze(-2), vectors.mH)
        inner = inner + g_values.diag_embed()
    return None if inner is None else matmul(matmul(vectors, inner), vectors.mH)


_eigh = array_primitive("linalg_eigh", _eigh_array, vjp={"A": _eigh_vjp})


def _side(UPLO, name):
    if str(UPLO).upper() not in ("L", "U"):
        raise ShapeError(
            f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}",
            why="the matrix is symmetric, and it says which triangle is read",
            fix='pass `UPLO="L"` for the lower one',
        )
    return str(UPLO).upper() == "L"


@public("linalg.eigh", out=True)
def eigh(A, UPLO="L"):
    """(eigenvalues in ascending order, eigenvectors as columns) of Hermitian matrices; one triangle is read.

    >>> import flambeau as torch
    >>> torch.linalg.eigh(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    need_square(A, "linalg.eigh")
    return return_types.linalg_eigh(_eigh(A, lower=_side(UPLO, "linalg.eigh")))


@public("linalg.eigvalsh", out=True)
def eigvalsh(A, UPLO="L"):
    """Eigenvalues of Hermitian matrices in ascending order.

    >>> import flambeau as torch
    >>> torch.linalg.eigvalsh(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
    tensor([1., 3.])
    """
    need_square(A, "linalg.eigvalsh")
    return _eigh(A, lower=_side(UPLO, "linalg.eigvalsh"))[0]


def _eig_array(A):
    wanted = np.complex128 if A.dtype in (np.float64, np.complex128) else np.complex64
    if not np.isfinite(A).all():
        raise ShapeError(
            "torch.linalg.eig: input tensor should not contain infs or NaNs.",
            why="eigenvalues of nan or infinity are not defined",
            fix="look for the first one: `torch.isfinite(A).all()`",
        )
    try:
        values, vectors = np.linalg.eig(A)
    except np.linalg.LinAlgError:
        raise _failed("linalg.eig") from None
    return values.astype(wanted, copy=False), vectors.astype(wanted, copy=False)


def _eig_vjp(g, out):
    g_values, g_vectors = g
    values, vectors = out
    vh = vectors.mH
    if g_vectors is None:
        if g_values is None:
            return None
        return _solve(vh, g_values.unsqueeze(-1) * vh)
    inner = matmul(vh, g_vectors)
    inner = inner - matmul(vh, vectors) * inner.diagonal(0, -2, -1).real.unsqueeze(-2)
    inner = inner / conj(_gaps(values))
    diagonal = inner.diagonal(0, -2, -1)
    inner = inner - diagonal.diag_embed()
    if g_values is not None:
        inner = inner + g_values.diag_embed()
    return _solve(vh, matmul(inner, vh))


_eig = array_primitive("linalg_eig", _eig_array, vjp={"A": _eig_vjp})


@public("linalg.eig", out=True)
def eig(A):
    """(eigenvalues, eigenvectors as columns) of square matrices; complex.

    >>> import flambeau as torch
    >>> torch.linalg.eig(torch.tensor([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues.imag.abs()
    tensor([1., 1.])
    """
    need_square(A, "linalg.eig")
    return return_types.linalg_eig(_eig(A))


@public("linalg.eigvals", out=True)
def eigvals(A):
    """Eigenvalues of square matrices; complex.

    >>> import flambeau as torch
    >>> torch.linalg.eigvals(torch.tensor([[2.0, 0.0], [0.0, 1.0]])).real
    tensor([2., 1.])
    """
    need_square(A, "linalg.eigvals")
    return _eig(A)[0]


# ---------------------------------------------------------------------- singular values


def _svd_array(A, full):
    try:
        return tuple(np.linalg.svd(A, full_matrices=full))
    except np.linalg.LinAlgError:
        raise _failed("linalg.svd") from None


def _svd_vjp(g, out, full):
    g_u, g_s, g_vh = g
    u, s, vh = out
    m, n, k = u.shape[-2], vh.shape[-1], s.shape[-1]
    if full:
        u, vh = u[..., :k], vh[..., :k, :]
        g_u = g_u[..., :k] if g_u is not None else None
        g_vh = g_vh[..., :k, :] if g_vh is not None else None
    if g_u is None and g_vh is None:
        return None if g_s is None else matmul(u * g_s.unsqueeze(-2), vh)
    square = s * s
    gap = square.unsqueeze(-2) - square.unsqueeze(-1)
    gap = gap.masked_fill(wrap(np.eye(k, dtype=np.bool_)), 1)
    inner = g_s.diag_embed() if g_s is not None else None

    def plus(a, b):
        return b if a is None else a + b

    if g_u is not None:
        turn = matmul(u.mH, g_u)
        skew = turn - turn.mH
        inner = plus(inner, skew / gap * s.unsqueeze(-2))
        if u.is_complex():
            inner = inner + (skew.diagonal(0, -2, -1) / (s * 2)).diag_embed()
    if g_vh is not None:
        turn_v = matmul(vh, g_vh.mH)
        inner = plus(inner, s.unsqueeze(-1) * ((turn_v - turn_v.mH) / gap))
    left = matmul(u, inner)
    if m > k and g_u is not None:
        left = left + (g_u - matmul(u, matmul(u.mH, g_u))) / s.unsqueeze(-2)
    d = matmul(left, vh)
    if n > k and g_vh is not None:
        d = d + matmul(u / s.unsqueeze(-2), g_vh - matmul(matmul(g_vh, vh.mH), vh))
    return d


_svd = array_primitive("linalg_svd", _svd_array, vjp={"A": _svd_vjp})


@public("linalg.svd", out=True)
def linalg_svd(A, full_matrices=True, *, driver=None):
    """(U, S, Vh) with A = U diag(S) Vh; singular values in descending order.

    >>> import flambeau as torch
    >>> torch.linalg.svd(torch.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    need_matrix(A, "linalg.svd")
    need_float(A, "linalg.svd")
    _check_driver(driver, "torch.linalg.svd")
    return return_types.linalg_svd(_svd(A, full=bool(full_matrices)))


def _check_driver(driver, name):
    if driver is not None:
        raise ShapeError(
            f"{name}: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.",
            why="the CPU has one way to compute it",
            fix="leave out `driver=`",
        )


@public("linalg.svdvals", out=True)
def svdvals(A, *, driver=None):
    """Singular values of matrices, in descending order.

    >>> import flambeau as torch
    >>> torch.linalg.svdvals(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    need_matrix(A, "linalg.svdvals")
    need_float(A, "linalg.svdvals")
    _check_driver(driver, "torch.linalg.svdvals")
    return _svd(A, full=False)[1]


@public(method=True, out=True)
def svd(input, some=True, compute_uv=True):
    """(U, S, V) with input = U diag(S) V^H; see torch.linalg.svd, which returns V^H.

    >>> import flambeau as torch
    >>> U, S, V = torch.svd(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    >>> S
    tensor([4., 3.])
    """
    need_matrix(input, "svd")
    need_float(input, "svd")
    if not compute_uv:
        m, n = input.shape[-2:]
        s = _svd(input, full=False)[1]
        zeros = [wrap(np.zeros((*input.shape[:-2], k, k), input._array.dtype)) for k in (m, n)]
        return return_types.svd((zeros[0], s, zeros[1]))
    u, s, vh = _svd(input, full=not some)
    return return_types.svd((u, s, vh.mH))
