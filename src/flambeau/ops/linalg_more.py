"""Built from the decompositions: pinv, lstsq, rank, powers and exponentials of matrices, tensor equations, cross."""

from __future__ import annotations

import math
import operator

import numpy as np

from .. import dtypes, return_types
from ..errors import ArgumentError, DtypeError, ShapeError
from ..tensor import Tensor, wrap
from .elementwise import conj
from .entry import REGISTRY, public
from .join import cat
from .linalg import matmul, multiply_chain
from .linalg_array import flat_batch
from .linalg_solve import eye, inv, is_vector, need_float, need_matrix, need_square, solve
from .linalg_spectral import _svd, linalg_qr
from .meta import array_primitive, on_device_of, plain
from .promotion import broadcast_error, check_devices, result_type
from .reduce import title
from .shape import need_tensor, normal_dim, reshape
from .views import diagonal

# ---------------------------------------------------------------------- pseudo-inverse and rank


def _tolerance(A, atol, rtol, largest):
    """The cut below which singular values count as zero: an array that broadcasts over the batch."""

    def number(x):
        return None if x is None else (plain(x._array) if isinstance(x, Tensor) else np.asarray(x))

    a, r = number(atol), number(rtol)
    default = max(A.shape[-2:]) * np.finfo(A._array.dtype).eps
    if a is None:
        a = np.asarray(0.0)
        r = np.asarray(default) if r is None else r
    elif r is None:
        r = np.where(a > 0, 0.0, default)
    return np.maximum(a, r * largest)


def _pinv_array(A, cut, hermitian):
    if hermitian:
        values, vectors = np.linalg.eigh(A, "L")
        size = np.abs(values)
        keep = size > cut[..., None]
        scaled = vectors * np.where(keep, 1 / np.where(keep, values, 1), 0)[..., None, :]
        return (scaled @ np.conj(vectors).swapaxes(-1, -2)).astype(A.dtype)
    u, s, vh = np.linalg.svd(A, full_matrices=False)
    keep = s > cut[..., None]
    v = np.conj(vh).swapaxes(-1, -2) * np.where(keep, 1 / np.where(keep, s, 1), 0)[..., None, :]
    return (v @ np.conj(u).swapaxes(-1, -2)).astype(A.dtype)


def _pinv_vjp(g, A, out):
    m, n = A.shape[-2:]
    inverse_h, g_h = out.mH, g.mH
    if m <= n:
        k = matmul(g_h, out)
        k_h = matmul(k, inverse_h)
        return (-matmul(out, k).mH + k_h - matmul(matmul(A, out), k_h)
                + matmul(matmul(inverse_h, out), g_h - matmul(k, A)))  # fmt: skip
    k = matmul(out, g_h)
    h_k = matmul(inverse_h, k)
    return (-matmul(k, out).mH + matmul(matmul(g_h - matmul(A, k), out), inverse_h) + h_k
            - matmul(matmul(h_k, out), A))  # fmt: skip


_pinv = array_primitive("linalg_pinv", _pinv_array, vjp={"A": _pinv_vjp})


@public("linalg.pinv", out=True)
def pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None):
    """Moore-Penrose inverse; singular values up to max(atol, rtol * largest) count as zero.

    >>> import flambeau as torch
    >>> torch.linalg.pinv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    need_matrix(A, "linalg.pinv")
    need_float(A, "linalg.pinv")
    rtol = rcond if rtol is None else rtol
    if not A.numel():
        return A.mT.clone()
    if hermitian:
        largest = np.abs(np.linalg.eigvalsh(plain(A._array))).max(-1)
    else:
        largest = np.linalg.svd(plain(A._array), compute_uv=False)[..., 0]
    return _pinv(A, cut=np.asarray(_tolerance(A, atol, rtol, largest)), hermitian=bool(hermitian))


@public(method=True)
def pinverse(input, rcond=1e-15):
    """Moore-Penrose inverse; see torch.linalg.pinv.

    >>> import flambeau as torch
    >>> torch.pinverse(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return pinv(input, rcond)


@public("linalg.matrix_rank", out=True)
def matrix_rank(A, tol=None, hermitian=False, *, atol=None, rtol=None):
    """Number of singular values above max(atol, rtol * largest).

    >>> import flambeau as torch
    >>> torch.linalg.matrix_rank(torch.ones(3, 3))
    tensor(1)
    """
    need_matrix(A, "linalg.matrix_rank")
    need_float(A, "linalg.matrix_rank")
    if tol is not None:
        atol, rtol = tol, 0.0
    if not A.numel():
        return on_device_of(np.zeros(A.shape[:-2], np.int64), A)
    if hermitian:
        need_square(A, "linalg.matrix_rank")
        s = np.abs(np.linalg.eigvalsh(plain(A._array)))
    else:
        s = np.linalg.svd(plain(A._array), compute_uv=False)
    cut = np.asarray(_tolerance(A, atol, rtol, s.max(-1)))
    return on_device_of(np.asarray((s > cut[..., None]).sum(-1), np.int64), A)


@public("linalg.lstsq", out=True)
def lstsq(A, B, rcond=None, *, driver=None):
    """Least squares: X that minimises the norm of A X - B, as (solution, residuals, rank, singular_values).

    >>> import flambeau as torch
    >>> torch.linalg.lstsq(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[3.0], [4.0]])).solution
    tensor([[3.],
            [2.]])
    """
    name = "torch.linalg.lstsq"
    need_matrix(A, name, "input")
    need_tensor(B, name, "other", 2)
    if not B.ndim:
        raise ShapeError(
            f"{name}: other must have at least 1 dimension",
            why="each column of it is one right-hand side",
            fix="pass a vector or a matrix",
        )
    need_float(A, name)
    if A.dtype is not B.dtype:
        raise DtypeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{title(A.dtype)} and other's dtype {title(B.dtype)}",
            why="both are parts of one equation",
            fix=f"convert it: `B.to(torch.{A.dtype.name})`",
        )
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ShapeError(
            f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)",
            why=f"it names the LAPACK routine, and {driver!r} was given",
            fix="leave out `driver=`",
        )
    driver = driver or "gelsy"
    vector = is_vector(A, B)
    rhs = B.unsqueeze(-1) if vector else B
    if A.shape[-2] != rhs.shape[-2]:
        raise ShapeError(
            f"{name}: input.size(-2) should match other.size(-{1 if vector else 2})",
            why=f"each row of A is one equation: A has shape {tuple(A.shape)}, B {tuple(B.shape)}",
            fix="give both equally many rows",
        )
    try:
        np.broadcast_shapes(A.shape[:-2], rhs.shape[:-2])
    except ValueError:
        raise broadcast_error(A.shape[:-2], rhs.shape[:-2]) from None
    m, n = A.shape[-2:]
    solution = matmul(pinv(A, rcond), rhs) if A.numel() else rhs.new_zeros((*rhs.shape[:-2], n, rhs.shape[-1]))
    singular = np.linalg.svd(A._array, compute_uv=False) if A.numel() else np.zeros((*A.shape[:-2], 0), A._array.dtype)
    eps = np.finfo(A._array.dtype).eps * max(m, n) if rcond is None else rcond
    rank = (singular > eps * singular.max(-1, initial=0)[..., None]).sum(-1)
    residuals = reshape(solution, (-1,))[:0]
    residuals = residuals.real if A.is_complex() else residuals
    if m > n and driver != "gelsy":
        if np.all(rank == n):
            apart = matmul(A, solution) - rhs
            residuals = (apart * conj(apart)).sum(-2)
            residuals = residuals.real if A.is_complex() else residuals
    nothing = np.empty(0, np.int64)
    return return_types.linalg_lstsq((
        solution.squeeze(-1) if vector else solution,
        residuals,
        wrap(np.asarray(rank, np.int64)) if driver != "gels" else wrap(nothing),
        wrap(singular if driver in ("gelsd", "gelss") else np.empty(0, singular.dtype)),
    ))  # fmt: skip


# ---------------------------------------------------------------------- powers and exponentials


@public("linalg.matrix_power", out=True, aliases=("matrix_power",))
def matrix_power(A, n):
    """Square matrices to an integer power, by repeated squaring; negative powers of the inverse.

    >>> import flambeau as torch
    >>> torch.linalg.matrix_power(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
    tensor([[1., 3.],
            [0., 1.]])
    """
    need_matrix(A, "linalg.matrix_power")
    if A.shape[-1] != A.shape[-2]:
        raise ShapeError(
            f"linalg.matrix_power: A must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices",
            why="a power multiplies the matrix by itself",
            fix="pass a matrix of shape (n, n)",
        )
    n = operator.index(n)
    if n == 0:
        return A.masked_fill(wrap(np.ones((), np.bool_)), 0) + eye(A.shape[-1], A)
    if n < 0:
        A, n = inv(A), -n
    made = None
    while n:
        if n & 1:
            made = A if made is None else matmul(made, A)
        n >>= 1
        if n:
            A = matmul(A, A)
    return made.clone() if made is A else made


public("matrix_power", method=True, function=False)(lambda self, n: matrix_power(self, n))

_PADE = (64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
         670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1)  # fmt: skip


def _expm_array(A):
    """Scaling and squaring with the [13/13] Pade approximant (Higham 2005)."""
    n = A.shape[-1]
    if not A.size:
        return A.copy()
    a = flat_batch(A)
    norm = np.abs(a).sum(-2).max(-1)
    with np.errstate(all="ignore"):
        squarings = np.where(norm > 5.37, np.ceil(np.log2(np.maximum(norm, 1e-30) / 5.37)), 0).astype(np.int64)
    squarings = np.where(np.isfinite(norm), squarings, 0)
    a = a / np.exp2(squarings).astype(a.real.dtype)[:, None, None]
    b = [a.real.dtype.type(c) for c in _PADE]
    one = np.eye(n, dtype=A.dtype)
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a2 @ a4
    u = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one)
    v = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    out = np.linalg.solve(v - u, v + u)
    for i in range(int(squarings.max(initial=0))):
        out = np.where((squarings > i)[:, None, None], out @ out, out)
    return out.reshape(A.shape).astype(A.dtype)


def _expm_vjp(g, A):
    """The derivative is the corner of the exponential of a block matrix (Al-Mohy and Higham 2009)."""
    n = A.shape[-1]
    a = A.mH
    block = cat([cat([a, g], -1), cat([a * 0, a], -1)], -2)
    return _expm(block)[..., :n, n:]


_expm = array_primitive("linalg_matrix_exp", _expm_array, vjp={"A": _expm_vjp})


@public("linalg.matrix_exp", aliases=("matrix_exp",))
def matrix_exp(A):
    """The exponential of square matrices: the sum of A^k / k!.

    >>> import flambeau as torch
    >>> torch.linalg.matrix_exp(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if isinstance(A, Tensor) and A.dtype in dtypes.HALVES:
        return matrix_exp(A.float()).to(A.dtype)
    need_square(A, "linalg.matrix_exp")
    return _expm(A)


public("matrix_exp", method=True, function=False)(lambda self: matrix_exp(self))

# ---------------------------------------------------------------------- chains and tensor equations


@public("linalg.multi_dot", out=True)
def multi_dot(tensors):
    """The product of several matrices in the cheapest order; the first and last may be vectors.

    >>> import flambeau as torch
    >>> torch.linalg.multi_dot([torch.ones(2, 3), torch.ones(3, 4), torch.ones(4, 5)]).shape
    torch.Size([2, 5])
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise ShapeError(
            f"multi_dot(): expected at least 2 tensors but got {len(tensors)}",
            why="a chain of products has at least two matrices",
            fix="pass two tensors or more",
        )
    first, last = tensors[0], tensors[-1]
    for end in (first, last):
        if end.ndim not in (1, 2):
            raise ShapeError(
                f"multi_dot(): the first tensor must be 1D or 2D but got {end.ndim}D"
                if end is first
                else f"multi_dot(): the last tensor must be 1D or 2D but got {end.ndim}D",
                why="only matrices are chained, with a vector at either end",
                fix="use `a @ b` for batches of matrices",
            )
    for i, t in enumerate(tensors[1:-1], 1):
        if t.ndim != 2:
            raise ShapeError(
                f"multi_dot(): tensor {i} must be 2D but got {t.ndim}D",
                why="between the ends only matrices are chained",
                fix="use `a @ b` for batches of matrices",
            )
    for i, t in enumerate(tensors):
        if t.dtype is not first.dtype:
            raise DtypeError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is {first.dtype} "
                f"and tensor {i} {t.dtype}",
                why="one product has one dtype",
                fix=f"convert it: `x.to(torch.{first.dtype.name})`",
            )
    chain = [first.unsqueeze(0) if first.ndim == 1 else first, *tensors[1:-1],
             last.unsqueeze(1) if last.ndim == 1 else last]  # fmt: skip
    for i, (a, b) in enumerate(zip(chain, chain[1:])):
        if a.shape[1] != b.shape[0]:
            raise ShapeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(a.shape)} and {list(b.shape)} "
                "cannot be multiplied",
                why=f"the first has {a.shape[1]} column(s), the second {b.shape[0]} row(s), and these must be equal",
                fix="transpose one with `.mT`, or change the order",
                code="FB-SHAPE-06",
                cause="sizes",
            )
    made = multiply_chain(chain)
    shape = [*(first.shape[:1] if first.ndim == 2 else ()), *(last.shape[1:] if last.ndim == 2 else ())]
    return reshape(made, shape)


@public("linalg.tensorinv", out=True)
def tensorinv(A, ind=2):
    """The inverse of `A` as a linear map from its last dimensions to its first `ind`.

    >>> import flambeau as torch
    >>> torch.linalg.tensorinv(torch.eye(6).reshape(2, 3, 6)).shape
    torch.Size([6, 2, 3])
    """
    need_tensor(A, "linalg.tensorinv")
    if ind <= 0:
        raise ShapeError(
            "Expected a strictly positive integer for 'ind'",
            why=f"`ind` is {ind}: it is the number of dimensions that count as rows",
            fix="pass 1 or more",
        )
    head, tail = A.shape[:ind], A.shape[ind:]
    if math.prod(head) != math.prod(tail):
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            "prod(self.shape[:ind]), but got "
            f"{math.prod(tail)} != {math.prod(head)}",
            why=f"the shape {tuple(A.shape)} is cut at dimension {ind} into rows and columns, which must be "
            "equally many",
            fix="pass another `ind`",
        )
    return reshape(inv(reshape(A, (math.prod(head), -1))), (*tail, *head))


@public("linalg.tensorsolve", out=True)
def tensorsolve(A, B, dims=None):
    """X of tensordot(A, X, X.ndim) = B; `dims` of A are moved to the end first.

    >>> import flambeau as torch
    >>> torch.linalg.tensorsolve(torch.eye(6).reshape(2, 3, 6), torch.ones(2, 3))
    tensor([1., 1., 1., 1., 1., 1.])
    """
    need_tensor(A, "linalg.tensorsolve")
    need_tensor(B, "linalg.tensorsolve", "B", 2)
    if dims is not None:
        moved = [normal_dim(d, A.ndim) for d in dims]
        A = A.permute(*[d for d in range(A.ndim) if d not in moved], *moved)
    shape = A.shape[B.ndim :]
    if math.prod(shape) != math.prod(A.shape[: B.ndim]):
        raise ShapeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {math.prod(shape)} != {math.prod(A.shape[: B.ndim])}",
            why=f"A has shape {tuple(A.shape)}, B {tuple(B.shape)}",
            fix="pass a B whose shape is the first part of A's",
        )
    return reshape(solve(reshape(A, (-1, math.prod(shape))), reshape(B, (-1,))), shape)


@public("linalg.vander")
def vander(x, *, N=None):
    """Powers of a vector as rows: 1, x, x^2, ...

    >>> import flambeau as torch
    >>> torch.linalg.vander(torch.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    need_tensor(x, "linalg.vander", "x")
    x = reshape(x, (1,)) if not x.ndim else x
    n = x.shape[-1] if N is None else operator.index(N)
    if n < 1 and N is not None:
        raise ShapeError(
            "N must be greater than 1.",
            why=f"`N` is the number of powers, and {n} is what it is here",
            fix="pass `N=1` or more",
        )
    if x.dtype.category < 2 and x.dtype is not dtypes.int64 or x.dtype is dtypes.bool:
        x = x.to(dtypes.int64)
    ones = x.new_zeros((*x.shape, 1)) + 1
    if n == 1:
        return ones
    return cat([ones, x.unsqueeze(-1).expand((*x.shape, n - 1)).cumprod(-1)], -1)


@public("vander")
def _vander_old(x, N=None, increasing=False):
    """Powers of a vector as rows, falling unless `increasing`.

    >>> import flambeau as torch
    >>> torch.vander(torch.tensor([1, 2, 3]), increasing=True)
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    if x.ndim != 1:
        raise ShapeError(
            "x must be a one-dimensional tensor.",
            why=f"each element makes one row, and the shape is {tuple(x.shape)}",
            fix="flatten it: `x.flatten()`",
        )
    n = len(x) if N is None else N
    if n < 0:
        raise ShapeError(
            "N must be non-negative", why=f"`N` is the number of powers, and {n} was given", fix="pass 0 or more"
        )
    if n == 0:
        return x.new_zeros((len(x), 0))
    made = vander(x, N=n)
    return made if increasing else made.flip(-1)


@public("linalg.vecdot", out=True, aliases=())
def vecdot(x, y, *, dim=-1):
    """Inner products of vectors along a dimension, the first one conjugated.

    >>> import flambeau as torch
    >>> torch.linalg.vecdot(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
    tensor(11.)
    """
    need_tensor(x, "linalg.vecdot", "x")
    need_tensor(y, "linalg.vecdot", "y", 2)
    if x.dtype is not y.dtype:
        raise DtypeError(
            "linalg.vecdot: Expected x and y to have the same dtype, but found x of type "
            f"{title(x.dtype)} and y of type {title(y.dtype)} instead",
            why="one product has one dtype",
            fix=f"convert it: `y.to(torch.{x.dtype.name})`",
        )
    made = (conj(x) * y).sum(dim)
    return made.to(x.dtype) if made.dtype is not x.dtype else made


@public("linalg.diagonal")
def linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """A view of the diagonals of the last two dimensions (by default).

    >>> import flambeau as torch
    >>> torch.linalg.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return diagonal(A, offset, dim1, dim2)


# ---------------------------------------------------------------------- cross product


def _cross_array(input, other, dim):
    x, y = np.moveaxis(input, dim, -1), np.moveaxis(other, dim, -1)
    out = np.stack([x[..., 1] * y[..., 2] - x[..., 2] * y[..., 1], x[..., 2] * y[..., 0] - x[..., 0] * y[..., 2],
                    x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]], dim if dim >= 0 else -1)  # fmt: skip
    return out


_cross = array_primitive("linalg_cross", _cross_array, vjp={
    "input": lambda g, other, dim: _cross(conj(other), g, dim=dim),
    "other": lambda g, input, dim: _cross(g, conj(input), dim=dim)})  # fmt: skip


@public("linalg.cross", out=True)
def linalg_cross(input, other, *, dim=-1):
    """Cross products of vectors of three elements along a dimension; the others are broadcast.

    >>> import flambeau as torch
    >>> torch.linalg.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    need_tensor(input, "linalg.cross")
    need_tensor(other, "linalg.cross", "other", 2)
    if input.ndim != other.ndim:
        raise ShapeError(
            f"linalg.cross: inputs must have the same number of dimensions, got {input.ndim} and {other.ndim}",
            why=f"the vectors are multiplied in pairs: the shapes are {tuple(input.shape)} and {tuple(other.shape)}",
            fix="add dimensions with `unsqueeze`",
        )
    dim = normal_dim(dim, input.ndim)
    if not input.ndim or input.shape[dim] != 3 or other.shape[dim] != 3:
        raise ShapeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got "
            f"{input.shape[dim] if input.ndim else 1} and {other.shape[dim] if other.ndim else 1}",
            why="the cross product is that of vectors with three components",
            fix="pass the dimension of size 3 as `dim`",
        )
    common = result_type(input, other)
    input, other = [t if t.dtype is common else t.to(common) for t in (input, other)]
    try:
        shape = np.broadcast_shapes(input.shape, other.shape)
    except ValueError:
        raise broadcast_error(input.shape, other.shape) from None
    return _cross(input.expand(shape), other.expand(shape), dim=dim)


@public(method=True, out=True)
def cross(input, other, dim=None):
    """Cross products along a dimension: the first of size 3, unless `dim` says.

    >>> import flambeau as torch
    >>> torch.cross(torch.tensor([1, 0, 0]), torch.tensor([0, 1, 0]), dim=0)
    tensor([0, 0, 1])
    """
    need_tensor(input, "cross")
    need_tensor(other, "cross", "other", 2)
    check_devices(input, other)
    if dim is None:
        dim = next((i for i, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise ShapeError(
                "no dimension of size 3 in input",
                why=f"the vectors of a cross product have three components, and the shape is {tuple(input.shape)}",
                fix="pass tensors with a dimension of size 3",
            )
    return linalg_cross(input, other, dim=dim)


# ---------------------------------------------------------------------- low rank


@public()
def svd_lowrank(A, q=6, niter=2, M=None):
    """Approximate (U, S, V) of rank `q` by random projection (Halko, Martinsson and Tropp 2009).

    >>> import flambeau as torch
    >>> U, S, V = torch.svd_lowrank(torch.ones(4, 3), q=2)
    >>> U.shape, S.shape, V.shape
    (torch.Size([4, 2]), torch.Size([2]), torch.Size([3, 2]))
    """
    q = 6 if q is None else q
    m, n = A.shape[-2:]
    if M is not None:
        A = A - M.expand(A.shape)
    draw = REGISTRY["randn"]
    flip = m < n
    B = A.mH if flip else A
    probe = draw(B.shape[-1], q, dtype=A.dtype)
    base = linalg_qr(matmul(B, probe))[0]
    for _ in range(niter):
        base = linalg_qr(matmul(B.mH, base))[0]
        base = linalg_qr(matmul(B, base))[0]
    u, s, vh = _svd(matmul(base.mH, B), full=False)
    u, v = matmul(base, u), vh.mH
    return (v, s, u) if flip else (u, s, v)


@public()
def pca_lowrank(A, q=None, center=True, niter=2):
    """Approximate principal components (U, S, V) of the rows of `A`.

    >>> import flambeau as torch
    >>> U, S, V = torch.pca_lowrank(torch.ones(4, 3), q=2)
    >>> U.shape, S.shape, V.shape
    (torch.Size([4, 2]), torch.Size([2]), torch.Size([3, 2]))
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ArgumentError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}",
            why="a matrix has no more components than rows or columns",
            fix=f"pass `q={min(m, n)}` or less",
        )
    if not niter >= 0:
        raise ArgumentError(
            f"niter(={niter}) must be non-negative integer",
            why="it is the number of times that the subspace is refined",
            fix="pass `niter=2`",
        )
    return svd_lowrank(A - A.mean(-2, True) if center else A, q, niter)
