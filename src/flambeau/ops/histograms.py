"""Histograms and counts: bincount, histc, histogram, histogramdd."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .. import dtypes, return_types
from ..errors import DtypeError, NotSupported, ShapeError
from ..tensor import Tensor, wrap
from .elementwise import not_implemented
from .entry import public
from .promotion import check_devices
from .shape import need_tensor


@public(method=True)
def bincount(input, weights=None, minlength=0):
    """How often each value 0, 1, 2, ... occurs in a vector of integers (or the sum of its weights).

    >>> import flambeau as torch
    >>> torch.bincount(torch.tensor([0, 1, 1, 3]))
    tensor([1, 2, 0, 1])
    """
    need_tensor(input, "bincount")
    check_devices(input, weights)
    if input.dtype.category != 1:
        raise not_implemented("bincount_cpu", input.dtype)
    if minlength < 0:
        raise ShapeError(
            "minlength should be >= 0",
            why=f"`minlength` is a number of counters, and {minlength} was given",
            fix="pass `minlength=0` or more",
        )
    if input.ndim != 1 or (input.numel() and int(input._array.min()) < 0):
        raise ShapeError(
            "bincount only supports 1-d non-negative integral inputs.",
            why=f"each element is the number of its counter: the input has shape {tuple(input.shape)} and "
            f"dtype {input.dtype.name}",
            fix="flatten it, `x.flatten()`, and shift negative numbers to start at 0",
        )
    a = input._array.astype(np.int64)
    if weights is None:
        return wrap(np.bincount(a, minlength=minlength).astype(np.int64))
    if weights.shape != input.shape:
        raise ShapeError(
            "weights should be 1-d and have the same length as input",
            why=f"`weights` has shape {tuple(weights.shape)}, `input` {tuple(input.shape)}: there is one "
            "weight for each element",
            fix="pass as many weights as elements",
        )
    kind = np.float32 if weights.dtype is dtypes.float32 else np.float64
    return wrap(np.bincount(a, weights=weights._array.astype(np.float64), minlength=minlength).astype(kind))


def _range(a, low, high, name, widen=1):
    if low == high:
        if not a.size and widen < 1:
            return 0.0, 1.0
        if a.size:
            if not np.isfinite(a).all():
                raise ShapeError(
                    f"{name}: range of [{a.min()}, {a.max()}] is not finite",
                    why="the tensor has nan or inf, so no bins can be laid over it",
                    fix="pass the range yourself, or drop them: `x[x.isfinite()]`",
                )
            low, high = float(a.min()), float(a.max())
        if low == high:
            low, high = low - widen, high + widen
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ShapeError(
            f"{name}: range of [{low}, {high}] is not finite",
            why="bins of equal width need finite ends",
            fix="pass finite numbers as the ends of the range",
        )
    if low > high:
        raise ShapeError(
            f"{name}: max must be larger than min", why=f"the range goes from {low} to {high}", fix="swap the two ends"
        )
    return low, high


@public(method=True, out=True)
def histc(input, bins=100, min=0, max=0):
    """Counts of the elements in `bins` equal bins between min and max (of the data, when both are 0).

    >>> import flambeau as torch
    >>> torch.histc(torch.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    need_tensor(input, "histc")
    if input.dtype.category != 2:
        raise not_implemented("histogram_cpu", input.dtype)
    if bins <= 0:
        raise ShapeError(
            "bins must be > 0", why=f"`bins` is the number of bins, and {bins} was given", fix="pass `bins=1` or more"
        )
    a = input._array
    low, high = _range(a, float(min), float(max), "torch.histc")
    return wrap(_counts(a.reshape(-1), bins, low, high, None).astype(a.dtype))


def _counts(a, bins, low, high, weights):
    """Counts in equal bins; the last bin includes its upper edge."""
    with np.errstate(all="ignore"):
        inside = (a >= low) & (a <= high)
        at = ((a[inside] - low) / (high - low) * bins).astype(np.int64)
    at = np.minimum(at, bins - 1)
    return np.bincount(at, weights=None if weights is None else weights.reshape(-1)[inside], minlength=bins)


@public(method=True)
def histogram(input, bins, *, range=None, weight=None, density=False, out=None):
    """(counts, bin edges): `bins` equal bins over `range`, or bins between the edges given.

    >>> import flambeau as torch
    >>> hist, edges = torch.histogram(torch.tensor([1.0, 2.0, 1.0]), bins=3, range=(0.0, 3.0))
    >>> hist, edges
    (tensor([0., 2., 1.]), tensor([0., 1., 2., 3.]))
    """
    need_tensor(input, "histogram")
    if input.dtype.category != 2:
        raise not_implemented("histogram_cpu", input.dtype)
    a = input._array.reshape(-1)
    w = None
    if weight is not None:
        if weight.shape != input.shape:
            raise ShapeError(
                "torch.histogram: if weight tensor is provided it should have the same shape as the "
                "input tensor excluding its innermost dimension",
                why=f"`weight` has shape {tuple(weight.shape)}, `input` {tuple(input.shape)}: there is one "
                "weight for each element",
                fix="pass as many weights as elements",
            )
        if weight.dtype is not input.dtype:
            raise DtypeError(
                "torch.histogram: if weight tensor is provided, input tensor and weight tensor should "
                "have the same dtype",
                why=f"`weight` is {weight.dtype.name}, `input` is {input.dtype.name}",
                fix="convert it: `weight.to(x.dtype)`",
            )
        w = weight._array.reshape(-1)
    hist, edges = _one_histogram(a, bins, range, w, density, "torch.histogram")
    made = return_types.histogram((wrap(hist), wrap(edges)))
    if out is not None:
        for t, o in zip(made, out):
            o.resize_(t.shape).copy_(t)
        return return_types.histogram(out)
    return made


def _edges(a, bins, bounds, name):
    if isinstance(bins, Tensor):
        if bins.ndim != 1:
            raise ShapeError(
                f"{name}: bins tensor should have one dimension, but got {bins.ndim} dimensions",
                why=f"the tensor holds the edges of the bins, and its shape is {tuple(bins.shape)}",
                fix="pass a vector: `bins.flatten()`",
            )
        if bins._array.dtype != a.dtype:
            raise DtypeError(
                f"{name}: input tensor and bins tensors should have the same dtype, but got input with "
                f"dtype {a.dtype} and bins with dtype {bins.dtype}",
                why="elements are compared with the edges of the bins",
                fix="convert the edges: `bins.to(x.dtype)`",
            )
        if bins.numel() < 1:
            raise ShapeError(
                f"{name}: bins tensor should have at least 1 element",
                why="the tensor holds the edges of the bins, and it is empty",
                fix="pass at least two edges, such as `torch.linspace(0, 1, 11)`",
            )
        return bins._array
    if bins <= 0:
        raise ShapeError(
            f"{name}: bins must be > 0, but got {bins}", why="`bins` is the number of bins", fix="pass 1 or more"
        )
    if bounds is None:
        low, high = _range(a, 0.0, 0.0, name, 0.5)
    else:
        low, high = bounds
        if low > high:
            raise ShapeError(
                f"{name}: min should not exceed max, but got min {low} max {high}",
                why="the lower end comes first",
                fix=f"swap the two ends: `({high}, {low})`",
            )
        low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ShapeError(
                f"{name}: range [{low}, {high}] is not finite",
                why="bins of equal width need finite ends",
                fix="pass finite numbers as the ends of the range",
            )
    return np.linspace(low, high, bins + 1).astype(a.dtype)


def _place(a, edges):
    """The bin of each value; -1 outside."""
    if np.all(edges[1:] >= edges[:-1]):
        at = np.searchsorted(edges, a, "right") - 1
    else:  # no order to search in: the same steps as a binary search gives the same bins as PyTorch
        first, count = np.zeros(a.shape, np.int64), np.full(a.shape, len(edges))
        while (count > 0).any():
            half = count // 2
            right = (count > 0) & ~(a < edges[np.minimum(first + half, len(edges) - 1)])
            first = np.where(right, first + half + 1, first)
            count = np.where(count > 0, np.where(right, count - half - 1, half), 0)
        at = first - 1
    at = np.minimum(at, len(edges) - 2)
    return np.where((a >= edges[0]) & (a <= edges[-1]), at, -1)


def _one_histogram(a, bins, bounds, w, density, name):
    edges = _edges(a, bins, bounds, name)
    at = _place(a, edges)
    inside = at >= 0
    hist = np.bincount(at[inside], weights=None if w is None else w[inside], minlength=len(edges) - 1).astype(a.dtype)
    if density:
        hist = hist / hist.sum() / np.diff(edges)
    return hist.astype(a.dtype), edges


@public()
def histogramdd(input, bins, *, range=None, weight=None, density=False, out=None):
    """(counts, tuple of bin edges) of points (rows of `input`) in several dimensions."""
    need_tensor(input, "histogramdd")
    if out is not None:
        raise NotSupported(
            "histogramdd() takes no out=",
            why="the result is a histogram and a list of edges",
            fix="assign the result: `hist, edges = torch.histogramdd(...)`",
        )
    if input.ndim < 2:
        raise ShapeError(
            f"torch.histogramdd: input tensor should have at least 2 dimensions, but got {input.ndim}",
            why="the last dimension holds the coordinates of one point",
            fix="use `torch.histogram` for single numbers, or `x.unsqueeze(-1)`",
        )
    n = input.shape[-1]
    points = input._array.reshape(-1, n)
    if isinstance(bins, int):
        bins = [bins] * n
    bins = list(bins)
    if len(bins) != n:
        raise ShapeError(
            "torch.histogramdd: The size of bins must be equal to the innermost dimension of the input.",
            why=f"there are {len(bins)} numbers of bins for points with {n} coordinates",
            fix=f"pass {n} of them",
        )
    if range is not None and len(range) != 2 * n:
        raise ShapeError(
            f"torch.histogramdd: for a {n}-dimensional histogram range should have {2 * n} elements, "
            f"but got {len(range)}",
            why="each coordinate has a lower and an upper end",
            fix=f"pass {2 * n} numbers: low, high, low, high, ...",
        )
    bounds = [None if range is None else tuple(range[2 * i : 2 * i + 2]) for i in builtins.range(n)]
    edges = [_edges(points[:, i], bins[i], bounds[i], "torch.histogramdd") for i in builtins.range(n)]
    shape = [len(e) - 1 for e in edges]
    places = [_place(points[:, i], e) for i, e in enumerate(edges)]
    inside = np.logical_and.reduce([p >= 0 for p in places]) if places else np.ones(len(points), bool)
    flat = np.ravel_multi_index([p[inside] for p in places], shape) if inside.any() else np.zeros(0, np.int64)
    w = None if weight is None else weight._array.reshape(-1)[inside]
    hist = np.bincount(flat, weights=w, minlength=math.prod(shape)).reshape(shape).astype(points.dtype)
    if density:
        volume = np.ones((), points.dtype)
        for e in edges:
            volume = np.multiply.outer(volume, np.diff(e))
        hist = (hist / hist.sum() / volume).astype(points.dtype)
    return return_types.histogramdd((wrap(hist), tuple([wrap(e) for e in edges])))
