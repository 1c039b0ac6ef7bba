"""Order: sort, topk, max and min with their positions, kthvalue, median, mode, unique."""

from __future__ import annotations

import builtins
import operator

import numpy as np

from .. import dtypes, return_types
from ..checks import axes
from ..checks.log import log
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import IndexOutOfRange, ShapeError
from ..tensor import Tensor, wrap
from .elementwise import REGISTRY, not_implemented
from .entry import primitive, public
from .meta import array_primitive, on_device_of, plain
from .reduce import _shared, need_elements
from .shape import need_tensor, normal_dim, reshape

# ---------------------------------------------------------------------- sorting


def wide(a: np.ndarray) -> np.ndarray:
    """bfloat16 as float32, which NumPy can sort."""
    return a.astype(np.float32) if FROM_NUMPY[a.dtype] in HALVES else a


def sort_order(a: np.ndarray, dim: int, descending: bool) -> np.ndarray:
    """Stable positions that sort an array; NaN is the largest value."""
    a = wide(a)
    if a.shape[dim] >= 256 and a.dtype.kind in "fiu":
        order = _quick_order(np.moveaxis(a, dim, -1), descending)
        if order is not None:
            return np.moveaxis(order, -1, dim)
    if not descending:
        return np.argsort(a, axis=dim, kind="stable")
    # The stable ascending order of the reversed row, reversed, keeps equal elements in their order.
    back = np.flip(a, dim)
    return a.shape[dim] - 1 - np.flip(np.argsort(back, axis=dim, kind="stable"), dim)


def _quick_order(a: np.ndarray, descending: bool):
    """As `sort_order`, over the last dimension: NumPy's vectorised sort, which is not stable, then ties put in order.

    None where most elements are tied: sorting stably at once is faster then.
    """
    order = np.argsort(a, axis=-1)
    order = np.ascontiguousarray(order[..., ::-1]) if descending else order
    ranked = np.take_along_axis(a, order, -1)
    same = ranked[..., 1:] == ranked[..., :-1]
    if a.dtype.kind == "f":
        nan = np.isnan(ranked[..., -1 if not descending else 0])
        if nan.any():
            lost = np.isnan(ranked)
            same |= lost[..., 1:] & lost[..., :-1]
    count = np.count_nonzero(same)
    if not count:
        return order
    if count > same.size // 8:
        return None
    tied = np.zeros(order.shape, bool)
    tied[..., 1:] = same
    fresh = ~tied
    tied[..., :-1] |= same
    places = np.flatnonzero(tied.reshape(-1))
    flat = order.reshape(-1)
    group = np.cumsum(fresh.reshape(-1)[places])  # rises along the places, so that sorting keeps groups where they are
    flat[places] = flat[places][np.lexsort((flat[places], group))]
    return flat.reshape(order.shape)


def pick(input: np.ndarray, index: np.ndarray, dim: int) -> np.ndarray:
    """np.take_along_axis, also for arrays without dimensions."""
    return np.take_along_axis(input, index, dim) if input.ndim else input.copy()


def place_back(g, indices, dim, shape):
    """A gradient of picked elements, at the places that they came from."""
    if not shape:
        return reshape(g, ())
    return g.new_zeros(shape).scatter_add(dim, indices, g)


def _picked_vjp(g, out, dim, keepdim, input_shape):
    g, indices = g[0], out[1]
    if not input_shape:
        return reshape(g, ())
    if not keepdim:
        g, indices = g.unsqueeze(dim), indices.unsqueeze(dim)
    return place_back(g, indices, dim, input_shape)


def _sort_array(input, dim, descending):
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    order = sort_order(input, dim, descending)
    return pick(input, order, dim), np.ascontiguousarray(order)


_sort = array_primitive("sort", _sort_array, vjp={"input": lambda g, out, dim, input_shape: None if g[0] is None
                                            else place_back(g[0], out[1], dim, input_shape)})  # fmt: skip


@public(method=True, out=True)
def sort(input, dim=-1, descending=False, stable=False):
    """(values in order, their indices) along a dimension. The order of equal elements is kept; NaN is the largest.

    >>> import flambeau as torch
    >>> torch.sort(torch.tensor([3, 1, 2])).indices
    tensor([1, 2, 0])
    """
    need_tensor(input, "sort")
    if input.is_complex():
        raise not_implemented("sort", input.dtype)
    if dim is None:
        dim = -1
    return return_types.sort(_sort(input, dim=normal_dim(dim, input.ndim), descending=builtins.bool(descending)))


@public(method=True, out=True)
def argsort(input, dim=-1, descending=False, *, stable=False):
    """The indices that sort a tensor along a dimension.

    >>> import flambeau as torch
    >>> torch.argsort(torch.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    return sort(input, dim, descending)[1]


@public(method=True, out=True)
def msort(input):
    """The tensor sorted along its first dimension.

    >>> import flambeau as torch
    >>> torch.msort(torch.tensor([3, 1, 2]))
    tensor([1, 2, 3])
    """
    return sort(input, 0)[0]


def _topk_array(input, k, dim, largest):
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    n = input.shape[dim]
    if n > 64 and 0 < k < n // 4 and type(input) is np.ndarray:
        # Cut to the k best first, then sort those.
        a = wide(input)
        part = np.argpartition(a, n - k if largest else k - 1, axis=dim)
        ends = [slice(None)] * a.ndim
        ends[dim] = slice(n - k, None) if largest else slice(0, k)
        part = np.sort(part[tuple(ends)], axis=dim)
        found = np.take_along_axis(a, part, dim)
        order = np.take_along_axis(part, sort_order(found, dim, largest), dim)
    else:
        ends = [slice(None)] * input.ndim
        ends[dim] = slice(0, k)
        order = np.ascontiguousarray(sort_order(input, dim, largest)[tuple(ends)])
    return pick(input, order, dim), order


_topk = array_primitive("topk", _topk_array, vjp={"input": lambda g, out, dim, input_shape: None if g[0] is None
                                            else place_back(g[0], out[1], dim, input_shape)})  # fmt: skip


@public(method=True, out=True)
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The `k` largest (or smallest) elements along a dimension: (values, indices).

    >>> import flambeau as torch
    >>> torch.tensor([1, 5, 3]).topk(2).values
    tensor([5, 3])
    """
    need_tensor(input, "topk")
    if input.is_complex():
        raise not_implemented("topk", input.dtype)
    dim, k = normal_dim(dim, input.ndim), operator.index(k)
    n = input.shape[dim] if input.ndim else 1
    if not 0 <= k <= n:
        raise ShapeError(
            "selected index k out of range",
            why=f"`k` is {k}, dimension {dim} has {n} element(s)",
            fix=f"pass `k` of at most {n}: `min({k}, x.shape[{dim}])`",
        )
    if k == 1 and largest and log.on and input.ndim == 2:
        axes.chosen("topk", input, dim)
    return return_types.topk(_topk(input, k=k, dim=dim, largest=builtins.bool(largest)))


# ---------------------------------------------------------------------- extremes with positions


def _arg_array(a, dim, largest):
    """Position of the extreme; the first NaN if there is one."""
    a = wide(a)
    return np.argmax(a, dim) if largest else np.argmin(a, dim)


def _extreme_array(input, dim, keepdim, largest):
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    # Both answer NaN where there is one: the value, and its first place.
    value = (np.maximum if largest else np.minimum).reduce(input, axis=dim, keepdims=keepdim)
    index = _arg_array(input, dim, largest)
    return np.asarray(value), np.expand_dims(index, dim) if keepdim else np.asarray(index)


_max_dim = array_primitive("max_dim", _extreme_array, vjp={"input": _picked_vjp}, node="MaxBackward0")
_min_dim = array_primitive("min_dim", _extreme_array, vjp={"input": _picked_vjp}, node="MinBackward0")
_max_all = primitive("max_all", lambda input, axes, keepdim: np.maximum.reduce(input, axis=axes, keepdims=keepdim),
                     vjp={"input": _shared}, node="MaxBackward1")  # fmt: skip
_min_all = primitive("min_all", lambda input, axes, keepdim: np.minimum.reduce(input, axis=axes, keepdims=keepdim),
                     vjp={"input": _shared}, node="MinBackward1")  # fmt: skip


def _extreme(input, dim, keepdim, other, name, over_dim, over_all, pairwise):
    need_tensor(input, name)
    if isinstance(dim, Tensor):
        dim, other = None, dim
    if other is not None:
        return REGISTRY[pairwise](input, other)
    if input.is_complex():
        raise not_implemented(name, input.dtype)
    if dim is None:
        if not input.numel():
            raise ShapeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                "reduction dim with the 'dim' argument.",
                why=f"the largest or smallest of no elements is not defined: the shape is {tuple(input.shape)}",
                fix="test `x.numel() > 0` first",
            )
        return over_all(input, axes=tuple(range(input.ndim)), keepdim=False)
    dim = normal_dim(dim, input.ndim)
    if input.ndim:
        need_elements(input._array, (dim,), name)
        if name == "max" and log.on and (input.ndim == 2 or input._array.shape[dim] == 1):
            axes.chosen(name, input, dim)
    made = over_dim(input, dim=dim, keepdim=builtins.bool(keepdim), largest=name == "max")
    return getattr(return_types, name)(made)


@public(method=True, out=True)
def max(input, dim=None, keepdim=False, *, other=None):
    """Largest element; with `dim`: (values, indices) along it; with another tensor: `maximum`.

    >>> import flambeau as torch
    >>> torch.tensor([[1, 4], [3, 2]]).max(dim=1).values
    tensor([4, 3])
    """
    return _extreme(input, dim, keepdim, other, "max", _max_dim, _max_all, "maximum")


@public(method=True, out=True)
def min(input, dim=None, keepdim=False, *, other=None):
    """Smallest element; with `dim`: (values, indices) along it; with another tensor: `minimum`.

    >>> import flambeau as torch
    >>> torch.min(torch.tensor([3, 1, 2])), torch.min(torch.tensor([[3, 1], [0, 2]]), dim=1).indices
    (tensor(1), tensor([1, 0]))
    """
    return _extreme(input, dim, keepdim, other, "min", _min_dim, _min_all, "minimum")


def _arg(input, dim, keepdim, name, largest):
    need_tensor(input, name)
    if input.is_complex() or input.dtype is dtypes.bool:
        raise not_implemented(f"{name}_cpu", input.dtype)
    a = input._array
    if dim is None:
        if not a.size:
            raise IndexOutOfRange(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify "
                "the reduction dim with the 'dim' argument.",
                why="the place of the largest or smallest of no elements is not defined: the shape is "
                f"{tuple(input.shape)}",
                fix="test `x.numel() > 0` first",
            )
        index = np.asarray(_arg_array(plain(a).reshape(-1), 0, largest))
        return on_device_of(index.reshape((1,) * a.ndim) if keepdim else index, input)
    dim = normal_dim(dim, a.ndim)
    if not a.ndim:
        return on_device_of(np.zeros((), np.int64), input)
    need_elements(a, (dim,), name)
    if largest and log.on and (a.ndim == 2 or a.shape[dim] == 1):
        axes.chosen(name, input, dim)
    index = np.asarray(_arg_array(plain(a), dim, largest))
    return on_device_of(np.expand_dims(index, dim) if keepdim else index, input)


@public(method=True, out=True)
def argmax(input, dim=None, keepdim=False):
    """Position of the (first) largest element: in the flattened tensor, or along a dimension.

    >>> import flambeau as torch
    >>> torch.argmax(torch.tensor([3, 7, 2])), torch.argmax(torch.tensor([[3, 1], [0, 2]]), dim=1)
    (tensor(1), tensor([0, 1]))
    """
    return _arg(input, dim, keepdim, "argmax", True)


@public(method=True, out=True)
def argmin(input, dim=None, keepdim=False):
    """Position of the (first) smallest element: in the flattened tensor, or along a dimension.

    >>> import flambeau as torch
    >>> torch.argmin(torch.tensor([3, 1, 2]))
    tensor(1)
    """
    return _arg(input, dim, keepdim, "argmin", False)


# ---------------------------------------------------------------------- order statistics


def _kth_array(input, k, dim, keepdim):
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    a = wide(input)
    order = np.argsort(a, axis=dim, kind="stable")
    index = np.take(order, [k - 1], axis=dim)
    value = np.take_along_axis(input, index, dim)
    return (value, index) if keepdim else (value.squeeze(dim), index.squeeze(dim))


_kth = array_primitive("kthvalue", _kth_array, vjp={"input": _picked_vjp})


@public(method=True, out=True)
def kthvalue(input, k, dim=-1, keepdim=False):
    """The `k`-th smallest element (k counts from 1) along a dimension: (values, indices).

    >>> import flambeau as torch
    >>> values, indices = torch.kthvalue(torch.tensor([3, 1, 2]), 2)
    >>> values, indices
    (tensor(2), tensor(2))
    """
    need_tensor(input, "kthvalue")
    dim = normal_dim(dim, input.ndim)
    n = input.shape[dim] if input.ndim else 1
    if input.ndim and not n:
        need_elements(input._array, (dim,), "kthvalue")
    if not 1 <= k <= n:
        raise ShapeError(
            f"kthvalue(): selected number k out of range for dimension {dim}",
            why=f"`k` counts from 1: it is {k}, and the dimension has {n} element(s)",
            fix=f"pass `k` between 1 and {n}",
        )
    if input.is_complex() or input.dtype is dtypes.bool:
        raise not_implemented("kthvalue_cpu", input.dtype)
    return return_types.kthvalue(_kth(input, k=operator.index(k), dim=dim, keepdim=builtins.bool(keepdim)))


def _median_array(input, dim, keepdim, ignore_nan):
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    a = wide(input)
    n = a.shape[dim]
    order = np.argsort(a, axis=dim, kind="stable")
    if a.dtype.kind == "f":
        nans = np.isnan(a)
        count = n - nans.sum(axis=dim, keepdims=True)
        if ignore_nan:
            at = np.maximum(count - 1, 0) // 2
        else:  # a row with NaN answers its first one
            at = np.where(count < n, count, (n - 1) // 2)
        index = np.take_along_axis(order, at, dim)
    else:
        index = np.take(order, [(n - 1) // 2], axis=dim)
    value = np.take_along_axis(input, index, dim)
    return (value, index) if keepdim else (value.squeeze(dim), index.squeeze(dim))


_median = array_primitive("median", _median_array, vjp={"input": _picked_vjp})


def _median_all_array(input, axes, keepdim, ignore_nan):
    if not input.size:
        return np.asarray(np.nan if input.dtype.kind == "f" else np.iinfo(input.dtype).min, input.dtype)
    return _median_array(input.reshape(-1), 0, False, ignore_nan)[0]


_median_all = array_primitive("median_all", _median_all_array, vjp={"input": _shared}, node="MedianBackward0")


def _any_median(input, dim, keepdim, name, ignore_nan):
    need_tensor(input, name)
    if input.is_complex() or input.dtype is dtypes.bool:
        raise not_implemented("median_out", input.dtype)
    if dim is None:
        return _median_all(input, axes=tuple(range(input.ndim)), keepdim=False, ignore_nan=ignore_nan)
    dim = normal_dim(dim, input.ndim)
    if input.ndim:
        need_elements(input._array, (dim,), name)
    made = _median(input, dim=dim, keepdim=builtins.bool(keepdim), ignore_nan=ignore_nan)
    return getattr(return_types, name)(made)


@public(method=True, out=True)
def median(input, dim=None, keepdim=False):
    """Median (the lower one of two); with `dim`: (values, indices). NaN if there is one.

    >>> import flambeau as torch
    >>> torch.median(torch.tensor([3, 1, 2]))
    tensor(2)
    """
    return _any_median(input, dim, keepdim, "median", False)


@public(method=True, out=True)
def nanmedian(input, dim=None, keepdim=False):
    """Median of the elements that are not NaN; with `dim`: (values, indices).

    >>> import flambeau as torch
    >>> torch.nanmedian(torch.tensor([3.0, float("nan"), 2.0]))
    tensor(2.)
    """
    return _any_median(input, dim, keepdim, "nanmedian", True)


def _mode_array(input, dim, keepdim):
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    a = np.moveaxis(wide(input), dim, -1)
    n = a.shape[-1]
    order = np.argsort(a, axis=-1, kind="stable")
    ranked = np.take_along_axis(a, order, -1)
    # Length of the run of equal values that ends at each place; its first longest wins: the smallest value.
    place = np.arange(n)
    new = np.concatenate([np.ones((*a.shape[:-1], 1), bool), ranked[..., 1:] != ranked[..., :-1]], -1)
    start = np.maximum.accumulate(np.where(new, place, 0), -1)
    last = np.argmax(place - start, -1)[..., None]
    index = np.take_along_axis(order, last, -1)
    index = np.moveaxis(index, -1, dim)
    value = np.take_along_axis(input, index, dim)
    return (value, index) if keepdim else (value.squeeze(dim), index.squeeze(dim))


_mode = array_primitive("mode", _mode_array, vjp={"input": _picked_vjp})


@public(method=True, out=True)
def mode(input, dim=-1, keepdim=False):
    """The commonest value along a dimension (the smallest of several): (values, indices).

    >>> import flambeau as torch
    >>> values, indices = torch.mode(torch.tensor([1, 2, 2]))
    >>> values, indices
    (tensor(2), tensor(2))
    """
    need_tensor(input, "mode")
    if input.is_complex():
        raise not_implemented("mode", input.dtype)
    dim = normal_dim(dim, input.ndim)
    if input.ndim:
        need_elements(input._array, (dim,), "mode")
    return return_types.mode(_mode(input, dim=dim, keepdim=builtins.bool(keepdim)))


# ---------------------------------------------------------------------- distinct values


@public(method=True)
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements in order (or slices of a dimension), with inverse indices and counts on request.

    >>> import flambeau as torch
    >>> torch.unique(torch.tensor([3, 1, 3])), torch.unique(torch.tensor([3, 1, 3]), return_counts=True)[1]
    (tensor([1, 3]), tensor([1, 2]))
    """
    need_tensor(input, "unique")
    a = input._array
    if dim is not None:
        dim = normal_dim(dim, a.ndim)
        if not a.ndim:
            a, dim = a.reshape(1), 0
        if not a.size and a.shape[dim]:
            raise ShapeError(
                "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
                why=f"the shape is {tuple(input.shape)}",
                fix="test `x.numel() > 0` first",
            )
    found = np.unique(a, return_inverse=True, return_counts=True, axis=dim, equal_nan=False)
    values, inverse, counts = found
    inverse = inverse.reshape(a.shape if dim is None else -1)
    if dim is None:
        inverse = inverse.reshape(input._array.shape)
    return _chosen(values, inverse, counts, return_inverse, return_counts)


def _chosen(values, inverse, counts, return_inverse, return_counts):
    made = [wrap(np.ascontiguousarray(values))]
    if return_inverse:
        made.append(wrap(inverse.astype(np.int64, copy=False)))
    if return_counts:
        made.append(wrap(counts.astype(np.int64, copy=False)))
    return made[0] if len(made) == 1 else tuple(made)


@public(method=True)
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements (or slices) without immediate repetitions, with inverse indices and counts on request.

    >>> import flambeau as torch
    >>> torch.unique_consecutive(torch.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    need_tensor(input, "unique_consecutive")
    a = input._array
    if dim is None:
        rows = a.reshape(-1)
    else:
        dim = normal_dim(dim, a.ndim)
        rows = np.moveaxis(a.reshape(1) if not a.ndim else a, dim, 0)
        if not rows.size and rows.shape[0]:
            raise ShapeError(
                "There are 0 sized dimensions, and they aren't selected, so unique_consecutive cannot be applied",
                why=f"the shape is {tuple(input.shape)}",
                fix="test `x.numel() > 0` first",
            )
    n = len(rows)
    if not n:
        empty = np.zeros(0, np.int64)
        return _chosen(
            a.reshape(-1) if dim is None else a,
            empty.reshape(a.shape) if dim is None else empty,
            empty,
            return_inverse,
            return_counts,
        )
    new = np.ones(n, bool)
    new[1:] = (rows[1:] != rows[:-1]).any(axis=tuple(range(1, rows.ndim)))
    inverse = np.cumsum(new) - 1
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, n))
    values = rows[starts]
    if dim is None:
        inverse = inverse.reshape(a.shape)
    else:
        values = np.moveaxis(values, 0, dim)
    return _chosen(values, inverse, counts, return_inverse, return_counts)
