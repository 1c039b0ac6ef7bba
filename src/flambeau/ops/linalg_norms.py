"""Norms and what follows from them: vector and matrix norms, cond, distances, renorm."""

from __future__ import annotations

import math

import numpy as np

from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentError, DtypeError, IndexOutOfRange, ShapeError
from ..kernels.elementwise import squares
from .entry import public
from .linalg_solve import inv_ex, need_float, need_matrix
from .linalg_spectral import svdvals
from .meta import array_primitive
from .reduce import _amax, _amin, _axes, _sum, title, unreduced
from .shape import need_tensor, normal_dim, reshape

# ---------------------------------------------------------------------- vector norms


def _norm_array(input, ord, axes, keepdim):
    if FROM_NUMPY[input.dtype] in HALVES:
        return _norm_array(input.astype(np.float32), ord, axes, keepdim).astype(input.dtype)
    with np.errstate(all="ignore"):
        if ord == 2 and input.dtype.kind != "c":
            return np.sqrt(squares(input, axes, keepdim))
        a = np.abs(input)
        real = a.dtype.type
        if ord == 0:
            return np.asarray(np.add.reduce(a != 0, axis=axes, keepdims=keepdim)).astype(a.dtype)
        if ord == math.inf:
            return np.maximum.reduce(a, axis=axes, keepdims=keepdim, initial=None if a.size else 0)
        if ord == -math.inf:
            return np.minimum.reduce(a, axis=axes, keepdims=keepdim, initial=None if a.size else math.inf)
        if ord == 1:
            return np.add.reduce(a, axis=axes, keepdims=keepdim)
        if ord == 2:
            return np.sqrt(np.add.reduce(a * a, axis=axes, keepdims=keepdim))
        return np.power(np.add.reduce(np.power(a, real(ord)), axis=axes, keepdims=keepdim), real(1 / ord))


def _norm_vjp(g, input, out, ord, axes, keepdim):
    shape = input._array.shape
    g, out = unreduced(g, axes, keepdim, shape), unreduced(out, axes, keepdim, shape)
    if ord == 0:
        return g * input * 0
    if ord == 1:
        return g * input.sgn()
    if ord == 2:
        return input * (g / out).masked_fill(out == 0, 0)
    if abs(ord) == math.inf:
        hit = (input.abs() == out) | (out != out)
        return input.sgn() * (g * hit / _sum(hit.to(g.dtype), axes=axes, keepdim=True))
    size = input.abs()
    if ord < 2:
        scale = (g / out ** (ord - 1)).masked_fill(out == 0, 0) if ord >= 1 else g * out ** (1 - ord)
        return (input.sgn() * size ** (ord - 1)).masked_fill(size == 0, 0) * scale
    return input * size ** (ord - 2) * (g / out ** (ord - 1)).masked_fill(out == 0, 0)


_vector_norm = array_primitive("linalg_vector_norm", _norm_array, vjp={"input": _norm_vjp})


@public("linalg.vector_norm", out=True)
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """Norm of the elements (over dimensions `dim`) as a vector: (sum |x|^ord)^(1/ord); inf, -inf and 0 too.

    >>> import flambeau as torch
    >>> torch.linalg.vector_norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    x = need_float(x, "linalg.vector_norm", dtype)
    ord = float(ord)
    axes = _axes(dim, x.ndim)
    if ord < 0 or ord == math.inf:
        for axis in axes:
            if not x.shape[axis]:
                raise ShapeError(
                    f"linalg.vector_norm cannot compute the {ord:g} norm on an empty tensor because the operation "
                    "does not have an identity"
                    if dim is None
                    else f"linalg.vector_norm cannot compute the {ord:g} norm on an empty dimension {axis} because the "
                    "operation does not have an identity",
                    why=f"the smallest or largest of no numbers is not defined: the shape is {tuple(x.shape)}",
                    fix="test `x.numel() > 0` first",
                )
    return _vector_norm(x, ord=ord, axes=axes, keepdim=bool(keepdim))


# ---------------------------------------------------------------------- matrix norms


@public("linalg.matrix_norm", out=True)
def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """Norm of matrices: "fro", "nuc", inf, -inf, 1, -1, 2 or -2.

    >>> import flambeau as torch
    >>> torch.linalg.matrix_norm(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(5.)
    """
    need_matrix(A, "linalg.matrix_norm")
    A = need_float(A, "linalg.matrix_norm", dtype)
    dims = tuple(dim)
    if len(dims) != 2:
        raise ShapeError(
            f"linalg.matrix_norm: dim must be a 2-tuple. Got {list(dims)}",
            why="a matrix has rows and columns",
            fix="pass two dimensions, such as `dim=(-2, -1)`",
        )
    rows, columns = [normal_dim(d, A.ndim) for d in dims]
    if rows == columns:
        raise ShapeError(
            f"linalg.matrix_norm: dims must be different. Got ({dims[0]}, {dims[1]})",
            why="both numbers name one dimension",
            fix="pass two different ones, such as `dim=(-2, -1)`",
        )
    if isinstance(ord, str):
        if ord == "fro":
            return vector_norm(A, 2, (rows, columns), keepdim)
        if ord == "nuc":
            return _of_singular_values(A, rows, columns, keepdim, lambda s: s.sum(-1))
        raise ShapeError(
            f"linalg.matrix_norm: Order {ord} not supported.",
            why='matrices have the norms "fro", "nuc", 1, -1, 2, -2, inf and -inf',
            fix="use `torch.linalg.vector_norm(x, ord)` to treat the matrix as one vector",
        )
    if abs(ord) == 2:
        return _of_singular_values(A, rows, columns, keepdim, lambda s: _outermost(s, s.ndim - 1, False, ord > 0))
    if abs(ord) not in (1, math.inf):
        raise ShapeError(
            f"linalg.matrix_norm: Order {ord} not supported.",
            why='matrices have the norms "fro", "nuc", 1, -1, 2, -2, inf and -inf',
            fix=f"use `torch.linalg.vector_norm(x, {ord})` to treat the matrix as one vector",
        )
    over, rest = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(A, 1, over, keepdim)
    if not keepdim and rest > over:
        rest -= 1
    return _outermost(sums, rest, bool(keepdim), ord > 0)


def _outermost(sizes, dim, keepdim, largest):
    """The largest (0 of none) or smallest (of at least one) of sizes."""
    if largest and not sizes.shape[dim]:
        return _sum(sizes, axes=(dim,), keepdim=keepdim)
    if not sizes.shape[dim]:
        raise IndexOutOfRange(
            f"amin(): Expected reduction dim {dim} to have non-zero size.",
            why=f"the smallest or largest of no singular values is not defined: the shape is {tuple(sizes.shape)}",
            fix="test `x.numel() > 0` first",
        )
    return (_amax if largest else _amin)(sizes, axes=(dim,), keepdim=keepdim)


def _of_singular_values(A, rows, columns, keepdim, reduce):
    lead = [d for d in range(A.ndim) if d not in (rows, columns)]
    out = reduce(svdvals(A.permute(*lead, rows, columns)))
    if keepdim:
        out = reshape(out, tuple([1 if d in (rows, columns) else n for d, n in enumerate(A.shape)]))
    return out


@public("linalg.norm", out=True)
def linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """Vector or matrix norm, by the number of dimensions (or `dim` given).

    >>> import flambeau as torch
    >>> torch.linalg.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    need_tensor(A, "linalg.norm")
    if dim is not None:
        dims = tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
        if len(dims) not in (1, 2):
            raise ShapeError(
                f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}",
                why="a norm is that of vectors, along one dimension, or of matrices, along two",
                fix="use `torch.linalg.vector_norm(x, dim=...)` for more dimensions",
            )
    elif ord is not None:
        if A.ndim not in (1, 2):
            raise ShapeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D.",
                why="whether the norm of vectors or matrices is meant is not known",
                fix="pass `dim=-1` for vectors, or `dim=(-2, -1)` for matrices",
            )
    if ord is not None and (len(dims) == 2 if dim is not None else A.ndim == 2):
        return matrix_norm(A, ord, dims if dim is not None else (0, 1), keepdim, dtype=dtype)
    if isinstance(ord, str):
        if len(dims) == 1 if dim is not None else A.ndim == 1:
            raise ShapeError(
                f"linalg.norm: Order {ord} is not supported for a vector",
                why='"fro" and "nuc" are norms of matrices',
                fix="use `torch.linalg.vector_norm(x)`, or two dimensions: `dim=(-2, -1)`",
            )
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)


@public(method=True, out=True)
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """Norm of all elements, or over `dim`; `p`: a number, "fro" or "nuc". See also torch.linalg.norm.

    >>> import flambeau as torch
    >>> torch.norm(torch.tensor([3.0, 4.0])), torch.norm(torch.tensor([3.0, 4.0]), p=1)
    (tensor(5.), tensor(7.))
    """
    need_tensor(input, "norm")
    if isinstance(p, str):
        if p == "fro":
            if isinstance(dim, (tuple, list)) and len(dim) > 2:
                raise ShapeError(
                    f"norm with p='fro' takes at most 2 dimensions, got {len(dim)}",
                    why="the Frobenius norm is that of a matrix",
                    fix="use `torch.linalg.vector_norm(x, 2, dim=...)`",
                )
            return vector_norm(input, 2, dim, keepdim, dtype=dtype)
        if p == "nuc":
            if dim is None:
                if input.ndim != 2:
                    raise ShapeError(
                        f"linalg.matrix_norm: nuclear norm needs a matrix, got {input.ndim}D",
                        why="the nuclear norm is the sum of a matrix's singular values",
                        fix="pass `dim=(-2, -1)`",
                    )
                return matrix_norm(input, "nuc", (0, 1), keepdim, dtype=dtype)
            return matrix_norm(input, "nuc", dim, keepdim, dtype=dtype)
        raise DtypeError(
            f"only valid string values are 'fro' and 'nuc', found {p}",
            why="a norm is named by its number or by one of these two words",
            fix="pass a number, such as `p=2`",
        )
    return vector_norm(input, 2 if p is None else p, dim, keepdim, dtype=dtype)


@public(method=True)
def dist(input, other, p=2):
    """The p-norm of input - other.

    >>> import flambeau as torch
    >>> torch.dist(torch.tensor([0.0, 0.0]), torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return vector_norm(input - other, p)


@public()
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """p-norm distances between each row of `x1` (..., P, M) and each row of `x2` (..., R, M): (..., P, R).

    >>> import flambeau as torch
    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    for i, x in enumerate((x1, x2), 1):
        need_tensor(x, "cdist", f"x{i}", i)
        if x.dtype.category != 2:
            raise DtypeError(
                f"cdist only supports floating-point dtypes, X{i} got: {title(x.dtype)}",
                why="distances are computed in floating point",
                fix="convert it: `x.float()`",
            )
        if x.ndim < 2:
            raise ShapeError(
                f"cdist only supports at least 2D tensors, X{i} got: {x.ndim}D",
                why=f"each row is a point, and the shape is {tuple(x.shape)}",
                fix="use `x.unsqueeze(0)` for one point",
            )
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}",
            why="each row is a point, and distances are those of points with equally many coordinates",
            fix="give both tensors the same last size",
        )
    if compute_mode not in ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist",
                            "donot_use_mm_for_euclid_dist"):  # fmt: skip
        raise ArgumentError(
            f"{compute_mode} is not a valid value for compute_mode",
            why="it says whether a matrix product may be used",
            fix='leave it out, or pass "use_mm_for_euclid_dist" or "donot_use_mm_for_euclid_dist"',
        )
    if p < 0:
        raise ShapeError(
            "cdist only supports non-negative p values",
            why=f"`p` is {p}, and distances are p-norms",
            fix="pass `p=2` for the Euclidean distance, or another number of 0 or more",
        )
    apart = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    if not x1.shape[-1]:
        return apart.sum(-1)
    return _vector_norm(apart, ord=float(p), axes=(apart.ndim - 1,), keepdim=False)


@public(method=True, inplace="method", out=True)
def renorm(input, p, dim, maxnorm):
    """A copy whose slices of dimension `dim` have p-norms of at most `maxnorm`.

    >>> import flambeau as torch
    >>> torch.renorm(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), p=2, dim=0, maxnorm=1)
    tensor([[0.6000, 0.8000],
            [0.0000, 1.0000]])
    """
    need_tensor(input, "renorm")
    if input.ndim < 2:
        raise ShapeError(
            f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions",
            why="each part along `dim` is scaled by its own norm",
            fix="use `x * min(1, maxnorm / x.norm())` for a vector",
        )
    if p <= 0:
        raise ShapeError(
            "renorm: non-positive-norm not supported",
            why=f"`p` is {p}, and norms are p-norms",
            fix="pass `p=2` for the Euclidean norm, or another number above 0",
        )
    if maxnorm < 0:
        raise ShapeError(
            f"renorm: expected maxnorm to be >= 0 but got {maxnorm}",
            why="a norm is never below 0",
            fix="pass `maxnorm` of 0 or more",
        )
    dim = normal_dim(dim, input.ndim)
    rest = tuple(d for d in range(input.ndim) if d != dim)
    size = _vector_norm(input, ord=float(p), axes=rest, keepdim=True)
    scale = (maxnorm / (size + 1e-7)).masked_fill(size <= maxnorm, 1)
    return input * scale


@public("linalg.cond", out=True)
def cond(A, p=None):
    """Condition number of matrices in a norm: None (2), "fro", "nuc", 1, -1, 2, -2, inf, -inf.

    >>> import flambeau as torch
    >>> torch.linalg.cond(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(2.)
    """
    need_matrix(A, "linalg.cond")
    need_float(A, "linalg.cond")
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise ShapeError(
            f"linalg.cond got an invalid norm type: {p}",
            why='the condition number uses the norm "fro", "nuc", 1, -1, 2, -2, inf or -inf',
            fix="pass one of these, or None for 2",
        )
    if not isinstance(p, str) and p is not None and abs(p) not in (1, 2, math.inf):
        raise ShapeError(
            f"linalg.cond got an invalid norm type: {p}",
            why='the condition number uses the norm "fro", "nuc", 1, -1, 2, -2, inf or -inf',
            fix="pass one of these, or None for 2",
        )
    if p is None or p in (2, -2):
        s = svdvals(A)
        if not s.shape[-1]:
            return s.new_zeros(s.shape[:-1])
        return s.select(-1, -1) / s.select(-1, 0) if p == -2 else s.select(-1, 0) / s.select(-1, -1)
    if A.shape[-1] != A.shape[-2]:
        raise ShapeError(
            f"linalg.cond(ord={p!r}): A must be batches of square matrices, but they are {A.shape[-2]} by "
            f"{A.shape[-1]} matrices",
            why="in this norm the inverse of the matrix is needed",
            fix="use `p=2`, which takes any matrix",
        )
    if not A.numel():
        return A.new_zeros(A.shape[:-2], dtype=A.dtype.to_real())
    inverse, info = inv_ex(A)
    singular = info != 0
    made = matrix_norm(A, p) * matrix_norm(inverse, p)
    return made.masked_fill(singular, math.inf)
