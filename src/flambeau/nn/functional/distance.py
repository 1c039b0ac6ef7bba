"""Distances and angles between vectors."""

from __future__ import annotations

import numpy as np

from ...errors import DtypeError, ShapeError
from ...ops.entry import public
from ...ops.fused import title
from ...ops.promotion import broadcast_error, result_type
from ...ops.shape import need_tensor, normal_dim
from ...tensor import wrap


@public()
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) along `dim`.

    >>> import flambeau as torch
    >>> torch.cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([0.6000])
    """
    need_tensor(x1, "cosine_similarity", "x1")
    need_tensor(x2, "cosine_similarity", "x2", 2)
    common = result_type(x1, x2)
    if not (common.is_floating_point or common.is_complex):
        raise DtypeError(
            f"expected common dtype to be floating point, yet common dtype is {title(x1)}",
            why="the cosine is a fraction, which integers cannot hold",
            fix="use `x1.float(), x2.float()`",
        )
    shape = np.broadcast_shapes(x1.shape, x2.shape) if _fit(x1, x2) else None
    if shape is None:
        raise broadcast_error(x1.shape, x2.shape)
    dim = normal_dim(dim, len(shape))
    a, b = (x.to(common).expand(shape) for x in (x1, x2))
    # The norm is clamped outside the graph, so that a zero vector has a gradient.
    return (_unit(a, dim, eps) * _unit(b, dim, eps)).sum(dim)


def _fit(x1, x2):
    try:
        np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        return False
    return True


def _unit(x, dim, eps):
    norm = (x * x).sum(dim, keepdim=True).sqrt() if not x.is_complex() else (x * x.conj()).real.sum(dim, True).sqrt()
    small = wrap(np.asarray(norm._array < eps))
    return x / norm.masked_fill(small, eps)


@public()
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """‖x1 - x2 + eps‖_p over the last dimension.

    >>> import flambeau as torch
    >>> torch.pairwise_distance(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """
    need_tensor(x1, "pairwise_distance", "x1")
    need_tensor(x2, "pairwise_distance", "x2", 2)
    out = max(x1.ndim, x2.ndim)
    return (x1 - x2 + eps).norm(p, out - 1, keepdim=keepdim)


@public()
def pdist(input, p=2.0):
    """The p-norm distance of every pair of rows, i < j, as a vector.

    Shapes: (N, M) -> (N (N - 1) / 2,).
    Raises RuntimeError for another number of dimensions or a negative p.

    >>> import flambeau as torch
    >>> torch.nn.functional.pdist(torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]))
    tensor([5., 3., 4.])
    """
    need_tensor(input, "pdist")
    if input.ndim != 2:
        raise ShapeError(
            f"pdist only supports 2D tensors, got: {input.ndim}D",
            why="distances are taken between the rows of a matrix",
            fix="use `x.flatten(1)` for one row per sample"
            if input.ndim > 2
            else "use `x.unsqueeze(1)` for points with one coordinate",
        )
    if not input.is_floating_point():
        raise DtypeError(
            "pdist only supports floating-point dtypes",
            why=f"distances are fractions, which {input.dtype.name} cannot hold",
            fix="use `x.float()`",
        )
    if p < 0:
        raise ShapeError(
            "pdist only supports non-negative p values",
            why=f"p is {p:g}, and a p-norm needs p of at least 0",
            fix="use `p=2.0` for the Euclidean distance",
        )
    n = input.shape[0]
    i, j = np.triu_indices(n, 1)
    if not input.shape[1]:
        return input.new_zeros((len(i),))
    return (input[wrap(i)] - input[wrap(j)]).norm(p, 1)
