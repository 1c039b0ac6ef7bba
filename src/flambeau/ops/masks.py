"""Choosing by condition or flat position: where, masked_*, take, put, nonzero, searchsorted, isin."""

from __future__ import annotations

import builtins

import numpy as np

from .. import dtypes
from ..arrays import MetaArray
from ..checks.log import log
from ..checks.tags import tag
from ..errors import ArgumentTypeError, DtypeError, IndexOutOfRange, ShapeError
from ..kernels.elementwise import chosen
from ..kernels.record import constant
from ..tensor import Tensor, wrap
from .entry import check_writable, primitive, public, write_out
from .index import accumulate_at
from .meta import on_device_of, plain
from .promotion import NUMBERS, as_tensor, broadcast_error, check_devices, result_type, stored_scalar
from .scatter import check_bounds, gather
from .shape import need_tensor, normal_dim, reshape

# ---------------------------------------------------------------------- where

_where = primitive(
    "where", lambda condition, input, other: chosen(condition, input, other),
    vjp={"input": lambda g, condition: _where(condition, g, wrap(constant(np.zeros((), g._array.dtype)))),
         "other": lambda g, condition: _where(condition, wrap(constant(np.zeros((), g._array.dtype))), g)},
)  # fmt: skip


@public(out=True)
def where(condition, input=None, other=None):
    """`input` where `condition` is True, `other` elsewhere (all broadcast together).

    With the condition alone: the indices of its True elements, as `nonzero(as_tuple=True)`.

    >>> import flambeau as torch
    >>> torch.where(torch.tensor([True, False]), torch.tensor([1, 2]), 0)
    tensor([1, 0])
    """
    if isinstance(condition, Tensor) and isinstance(input, Tensor) and isinstance(other, Tensor):
        c, a, b = condition._array, input._array, other._array
        if c.dtype == np.bool_ and a.dtype is b.dtype and type(c) is type(a) is type(b):
            try:
                return _where(condition, input, other)
            except ShapeError:
                raise _clash(condition, input, other) from None
    need_tensor(condition, "where", "condition")
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    for i, x in ((2, input), (3, other)):
        if not isinstance(x, (Tensor, *NUMBERS)):
            raise ArgumentTypeError(
                f"where(): argument '{'input' if i == 2 else 'other'}' (position {i}) must be Tensor, not "
                f"{type(x).__name__}",
                why="elements are taken from it where `condition` tells",
                fix="make it a tensor first: `torch.as_tensor(data)`",
            )
    if condition._array.dtype != np.bool_:
        if condition._array.dtype != np.uint8:
            raise DtypeError(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}",
                fix="use `condition.bool()`, or a comparison such as `x > 0`",
                why="each element of `condition` says yes or no",
            )
        condition = condition.to(dtypes.bool)
    common = result_type(input, other)
    flags = input.__class__ is int and other.__class__ is int and {input, other} == {0, 1}
    a, b = [x if isinstance(x, Tensor) and x.dtype is common else x.to(common) if isinstance(x, Tensor)
            else wrap(stored_scalar(x, common.numpy)) for x in (input, other)]  # fmt: skip
    check_devices(condition, a, b)
    try:
        np.broadcast_shapes(condition._array.shape, a._array.shape, b._array.shape)
    except ValueError:
        raise _clash(condition, a, b) from None
    made = _where(condition, a, b)
    if flags and log.on:
        tag(made, "bool_cast")
    return made


def _clash(*tensors):
    shapes = [t._array.shape for t in tensors]
    for i, x in enumerate(shapes):
        for y in shapes[i + 1 :]:
            try:
                np.broadcast_shapes(x, y)
            except ValueError:
                return broadcast_error(x, y)
    return ShapeError(
        f"shapes {[tuple(s) for s in shapes]} cannot be broadcast together",
        why="aligned from the right, sizes must be equal or 1",
        fix="bring them to one shape with `unsqueeze`, `reshape` or `transpose`",
    )


@public("where", method=True, function=False)
def _method_where(self, condition, other):
    """The elements of this tensor where `condition` is True, of `other` elsewhere."""
    return where(condition, self, other)


# ---------------------------------------------------------------------- masks


def _need_mask(mask, name):
    need_tensor(mask, name, "mask", 2)
    if mask._array.dtype != np.bool_:
        raise DtypeError(
            f"{name}: expected BoolTensor for mask, but got {mask.dtype}",
            why="each element of `mask` says yes or no",
            fix="use `mask.bool()`, or a comparison such as `x > 0`",
        )


def _unmask_array(g, mask, shape):
    out = np.zeros(np.broadcast_shapes(shape, mask.shape), g.dtype)
    out[np.broadcast_to(mask, out.shape)] = g
    return out


def _masked_select_array(input, mask):
    a, m = np.broadcast_arrays(input, mask)
    return a[m]


_masked_select = primitive(
    "masked_select", _masked_select_array,
    vjp={"input": lambda g, mask, input_shape: _unmask(g, mask, shape=input_shape)},
)  # fmt: skip
_unmask = primitive("masked_select_backward", _unmask_array, vjp={"g": lambda g, mask: _masked_select(g, mask)})


@public(method=True, out=True)
def masked_select(input, mask):
    """The elements where `mask` is True, as a vector; `mask` and `input` are broadcast together.

    >>> import flambeau as torch
    >>> x = torch.tensor([1, 2, 3])
    >>> torch.masked_select(x, x > 1)
    tensor([2, 3])
    """
    need_tensor(input, "masked_select")
    _need_mask(mask, "masked_select")
    check_devices(input, mask)
    try:
        return _masked_select(input, mask)
    except ShapeError:
        raise broadcast_error(input.shape, mask.shape) from None


def _masked_scatter_array(input, source, mask):
    shape = np.broadcast_shapes(input.shape, mask.shape)
    out, m = np.broadcast_to(input, shape).copy(), np.broadcast_to(mask, shape)
    out[m] = source.reshape(-1)[: np.count_nonzero(m)]
    return out


def _masked_source(g, mask, source_shape):
    picked = _masked_select(g, mask)
    size = int(np.prod(source_shape))
    full = picked.new_zeros((size,))
    full[: picked.numel()] = picked
    return reshape(full, source_shape)


_masked_scatter = primitive(
    "masked_scatter", _masked_scatter_array,
    vjp={"input": lambda g, mask: g.masked_fill(mask, 0), "source": _masked_source},
)  # fmt: skip


@public(method=True, inplace="method")
def masked_scatter(input, mask, source):
    """A copy with the elements of `source`, in order, where `mask` is True.

    >>> import flambeau as torch
    >>> torch.masked_scatter(torch.tensor([1, 2, 3]), torch.tensor([True, False, True]), torch.tensor([8, 9]))
    tensor([8, 2, 9])
    """
    need_tensor(input, "masked_scatter")
    _need_mask(mask, "masked_scatter")
    need_tensor(source, "masked_scatter", "source", 3)
    check_devices(input, mask, source)
    if source.dtype is not input.dtype:
        raise DtypeError(
            f"masked_scatter: expected self and source to have same dtypes but got {input.dtype} and {source.dtype}",
            why="the elements of `source` are copied as they are",
            fix=f"use `source.to(torch.{input.dtype.name})`",
        )
    try:
        shape = np.broadcast_shapes(input.shape, mask.shape)
    except ValueError:
        raise broadcast_error(input.shape, mask.shape) from None
    needed = int(np.count_nonzero(np.broadcast_to(mask._array, shape)))
    if needed > source.numel():
        raise ShapeError(
            "number of elements of source < number of ones in mask",
            why=f"the mask asks for {needed}, the source has {source.numel()}",
            fix=f"pass a source of at least {needed} elements",
        )
    return _masked_scatter(input, source, mask)


# ---------------------------------------------------------------------- flat positions

_take = primitive(
    "take", lambda input, index: np.take(input, index),
    vjp={"input": lambda g, index, input_shape: _put_at(g.new_zeros(input_shape), g, index, accumulate=True)},
)  # fmt: skip


def _check_out(out, *inputs):
    """Errors of an `out=` whose elements share memory with each other or with an argument."""
    check_writable(out)
    for t in inputs:
        if np.may_share_memory(out._array, t._array) and out._array.size and t._array.size:
            raise ShapeError(
                "unsupported operation: some elements of the input tensor and the written-to tensor "
                "refer to a "
                "single memory location. Please clone() the tensor before performing the operation.",
                why="`out` lies in the memory of an argument, which would change while it is read",
                fix="pass a new tensor as `out`, or `x.clone()` as the argument",
            )
    return out


@public(method=True)
def take(input, index, *, out=None):
    """The elements at flat positions; the result has the shape of `index`.

    >>> import flambeau as torch
    >>> torch.take(torch.tensor([[1, 2], [3, 4]]), torch.tensor([0, 3]))
    tensor([1, 4])
    """
    need_tensor(input, "take")
    need_tensor(index, "take", "index", 2)
    check_devices(input, index)
    if index.dtype is not dtypes.int64:
        raise DtypeError(
            f"take(): Expected a long tensor for index, but got {index.dtype}",
            why="an index counts elements",
            fix="use `index.long()`",
        )
    if not input.numel() and index.numel():
        raise IndexOutOfRange(
            "take(): tried to take from an empty tensor",
            why=f"`input` has shape {tuple(input.shape)}, `index` asks for {index.numel()} element(s)",
            fix="test `x.numel() > 0` first",
        )
    check_bounds(index._array, input.numel(), 0, IndexOutOfRange, negative=True)
    made = _take(input, index)
    return made if out is None else write_out(made, _check_out(out, input, index), "take")


def _put_array(input, source, index, accumulate):
    out = np.array(input, order="C", subok=True)
    if isinstance(out, MetaArray) or not index.size:
        return out
    flat, at = out.reshape(-1), index.reshape(-1)
    if accumulate:
        accumulate_at(flat, (at,), source.reshape(-1))
    else:
        flat[at] = source.reshape(-1)
    return out


_put_at = primitive(
    "put", _put_array,
    vjp={"input": lambda g, index, accumulate: g if accumulate else _put_at(
            g, wrap(np.zeros(index.shape, g._array.dtype)), index, accumulate=False),
         "source": lambda g, index, source_shape: reshape(_take(g, index), source_shape)},
)  # fmt: skip


@public(method=True, inplace="method")
def put(input, index, source, accumulate=False):
    """A copy with `source` written (or added) at flat positions.

    >>> import flambeau as torch
    >>> torch.put(torch.tensor([1, 2, 3]), torch.tensor([0, 2]), torch.tensor([8, 9]))
    tensor([8, 2, 9])
    """
    need_tensor(input, "put")
    need_tensor(index, "put", "index", 2)
    need_tensor(source, "put", "source", 3)
    check_devices(input, index, source)
    if index.dtype is not dtypes.int64:
        raise DtypeError(
            f"put_(): Expected a long tensor for index, but got {index.dtype}",
            why="an index counts elements",
            fix="use `index.long()`",
        )
    if source.dtype is not input.dtype:
        raise DtypeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype} and source.dtype = {source.dtype}",
            why="the elements of `source` are copied as they are",
            fix=f"use `source.to(torch.{input.dtype.name})`",
        )
    if index.numel() != source.numel():
        raise ShapeError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.numel()}, index.numel() = {index.numel()}",
            why="each index has its own new element",
            fix=f"pass {index.numel()} elements as `source`",
        )
    check_bounds(index._array, input.numel(), 0, IndexOutOfRange, negative=True)
    return _put_at(input, source, index, accumulate=bool(accumulate))


@public(method=True, out=True)
def take_along_dim(input, indices, dim=None):
    """Values at `indices` along a dimension (broadcast over the others), or at flat positions without one.

    >>> import flambeau as torch
    >>> torch.take_along_dim(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1], [0]]), dim=1)
    tensor([[2],
            [3]])
    """
    need_tensor(input, "take_along_dim")
    need_tensor(indices, "take_along_dim", "indices", 2)
    if indices.dtype is not dtypes.int64:
        raise DtypeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got {indices.dtype}",
            why="an index counts elements",
            fix="use `indices.long()`",
        )
    if dim is None:
        return _from_ends(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    if input.ndim != indices.ndim:
        raise ShapeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but "
            f"got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices",
            why="along all dimensions but `dim` the two are matched",
            fix="add dimensions with `unsqueeze`: results of `argmax` need `keepdim=True`",
        )
    dim = normal_dim(dim, input.ndim)
    size = list(np.broadcast_shapes(_without(input.shape, dim), _without(indices.shape, dim)))
    size[dim] = input.shape[dim]
    wide = input.expand(size)
    size[dim] = indices.shape[dim]
    return _from_ends(wide, dim, indices.expand(size))


def _from_ends(input, dim, index):
    """gather, where negative indices count from the end."""
    n = input.shape[dim] if input.ndim else 1
    check_bounds(index._array, n, dim, IndexOutOfRange, negative=True)
    return gather(input, dim, wrap(np.where(index._array < 0, index._array + n, index._array)))


def _without(shape, dim):
    return tuple([1 if i == dim else n for i, n in enumerate(shape)])


# ---------------------------------------------------------------------- positions of what is not zero


@public(method=True)
def nonzero(input, *, as_tuple=False, out=None):
    """Indices of the elements that are not zero: a matrix with one row each, or a tuple of index vectors.

    >>> import flambeau as torch
    >>> torch.nonzero(torch.tensor([[0, 5], [7, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    need_tensor(input, "nonzero")
    a = input._array
    if as_tuple:
        return tuple([wrap(i) for i in np.nonzero(a.reshape(1) if not a.ndim else a)])
    made = wrap(np.ascontiguousarray(np.argwhere(a)))
    if out is None:
        return made
    from_out = _write(made, out)
    return from_out


def _write(made, out):
    from_shape = made._array
    if out.dtype is not dtypes.int64:
        raise DtypeError(
            f"nonzero(): Expected out tensor to have dtype Long but got {out.dtype}",
            why="the result holds indices",
            fix="pass `out=torch.empty(0, dtype=torch.int64)`",
        )
    check_writable(out)
    if out._array.shape != from_shape.shape:
        out._array = np.empty(from_shape.shape, np.int64)
    out._array[...] = from_shape
    out._wrote()
    return out


@public(method=True)
def argwhere(input):
    """Indices of the elements that are not zero, one row each.

    >>> import flambeau as torch
    >>> torch.argwhere(torch.tensor([0, 1, 2]))
    tensor([[1],
            [2]])
    """
    return nonzero(input)


@public(method=True, out=True)
def nonzero_static(input, *, size, fill_value=-1):
    """As `nonzero`, cut or filled up to `size` rows.

    >>> import flambeau as torch
    >>> torch.nonzero_static(torch.tensor([0, 1]), size=2)
    tensor([[ 1],
            [-1]])
    """
    need_tensor(input, "nonzero_static")
    if size < 0:
        raise ShapeError(
            "nonzero_static: 'size' must be an non-negative integer",
            why=f"`size` is the number of rows of the result, and {size} was given",
            fix="pass 0 or more",
        )
    found = np.argwhere(input._array)[:size]
    out = np.full((size, input.ndim), fill_value, np.int64)
    out[: len(found)] = found
    return wrap(out)


# ---------------------------------------------------------------------- sorted sequences and sets


def _search(sequence, values, right, sorter):
    """np.searchsorted over the last dimension, row by row; NaN counts as the largest."""
    if sorter is not None:
        sequence = np.take_along_axis(sequence, sorter, -1)
    side = "right" if right else "left"
    if sequence.ndim == 1:
        return np.searchsorted(sequence, values, side)
    out = np.empty(values.shape, np.int64)
    n = sequence.shape[-1]
    if not out.size or not n:
        out[...] = 0
        return out
    rows, wanted = sequence.reshape(-1, n), values.reshape(-1, values.shape[-1])
    flat = out.reshape(-1, values.shape[-1])
    for i in range(len(rows)):
        flat[i] = np.searchsorted(rows[i], wanted[i], side)
    return out


@public(out=True)
def searchsorted(sorted_sequence, input=None, *, out_int32=False, right=False, side=None, sorter=None, self=None):
    """Where values would be inserted in (the rows of) a sorted sequence.

    right / side="right": after equal elements instead of before. sorter: indices that sort the sequence.

    >>> import flambeau as torch
    >>> torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([2, 3, 9]))
    tensor([1, 1, 3])
    """
    need_tensor(sorted_sequence, "searchsorted", "sorted_sequence")
    input = self if input is None else input
    number = not isinstance(input, Tensor)
    values = as_tensor(input, "searchsorted", 2, "self")
    check_devices(sorted_sequence, values)
    if number:
        values = wrap(np.asarray(input).astype(sorted_sequence._array.dtype))
    if side not in (None, "left", "right"):
        raise DtypeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}",
            why="`side` says where an equal element goes",
            fix='pass `side="left"` or `side="right"`',
        )
    if right and side == "left":
        raise DtypeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True",
            why='`right=True` means `side="right"`',
            fix="pass only `side`",
        )
    if values.dtype is not sorted_sequence.dtype:
        raise DtypeError(
            "torch.searchsorted(): boundary tensor and input value tensor should have same dtype, but "
            "got "
            f"boundary tensor dtype {sorted_sequence.dtype} and input value tensor dtype {values.dtype}",
            why="the two are compared",
            fix=f"convert the values: `values.to(torch.{sorted_sequence.dtype.name})`",
        )
    if not values.ndim and sorted_sequence.ndim != 1:
        raise ShapeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is "
            f"1, but we got boundaries tensor dim({sorted_sequence.ndim}) and input value's dim(0)",
            why="one value has one sorted sequence to be searched in",
            fix=f"pass `value.expand({sorted_sequence.shape[0]}, 1)`, one value for each sequence",
        )
    if not sorted_sequence.ndim:
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension",
            why="there is no sequence to search in",
            fix="pass a vector of boundaries",
        )
    if sorted_sequence.ndim != 1 and sorted_sequence.shape[:-1] != values.shape[:-1]:
        raise ShapeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
            f"boundaries tensor and input value tensor must match, but we got boundaries tensor "
            f"{list(sorted_sequence.shape)} and input value tensor {list(values.shape)}",
            why="each row of values is searched in its own row of boundaries",
            fix="pass one vector of boundaries, or as many rows of each",
        )
    order = None
    if sorter is not None:
        if sorter.shape != sorted_sequence.shape:
            raise ShapeError(
                "torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
                f"tensor {list(sorted_sequence.shape)}and got sorter tensor {list(sorter.shape)}",
                why="`sorter` gives the order of the boundaries, one index for each",
                fix="pass `sorter=torch.argsort(boundaries)`",
            )
        if sorter.dtype is not dtypes.int64:
            raise DtypeError(
                f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {sorter.dtype}",
                why="`sorter` holds indices",
                fix="pass `sorter=torch.argsort(boundaries)`",
            )
        order = sorter._array
        if order.size and not (order.min() >= 0 and order.max() < sorted_sequence.shape[-1]):
            raise ShapeError(
                "torch.searchsorted(): sorter index out of range",
                why=f"an index is outside 0 to {sorted_sequence.shape[-1] - 1}",
                fix="pass `sorter=torch.argsort(boundaries)`",
            )
    found = _search(plain(sorted_sequence._array), plain(values._array), right or side == "right", plain(order))
    return on_device_of(np.asarray(found, np.int32 if out_int32 else np.int64), values, sorted_sequence)


@public(out=True)
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """The number of the bucket, between sorted `boundaries`, that each value falls in.

    >>> import flambeau as torch
    >>> torch.bucketize(torch.tensor([2, 3, 9]), torch.tensor([1, 3, 5]))
    tensor([1, 1, 3])
    """
    need_tensor(boundaries, "bucketize", "boundaries", 2)
    if boundaries.ndim != 1:
        raise ShapeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})",
            why="the boundaries are one ascending sequence",
            fix="pass a vector: `boundaries.flatten()`",
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@public(out=True)
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Whether each element is among `test_elements`.

    >>> import flambeau as torch
    >>> torch.isin(torch.tensor([1, 2, 3]), torch.tensor([2, 5]))
    tensor([False,  True, False])
    """
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise ArgumentTypeError(
            "isin(): one of the arguments must be a Tensor",
            why="elements of tensors are compared",
            fix="make one a tensor: `torch.tensor(elements)`",
        )
    common = result_type(elements, test_elements)
    a, b = [np.asarray(plain(x._array) if isinstance(x, Tensor) else x).astype(common.numpy)
            for x in (elements, test_elements)]  # fmt: skip
    found = np.isin(a, b, assume_unique=builtins.bool(assume_unique), invert=builtins.bool(invert))
    return on_device_of(found, elements, test_elements)
