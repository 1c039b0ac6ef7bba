"""Whole slices at computed places: index_select, index_add, index_copy, index_fill, index_reduce."""

from __future__ import annotations

from math import prod

import numpy as np

from ..arrays import MetaArray
from ..checks import dtypes as rules
from ..checks.log import log
from ..errors import DtypeError, IndexOutOfRange, ShapeError
from ..kernels import indexed
from ..kernels.record import constant
from ..tensor import Tensor, wrap
from .entry import check_writable, primitive, public, write_out
from .index import _rows_chosen, accumulate_at
from .promotion import check_devices, stored_scalar
from .scatter import _checked, _scatter_reduce, check_bounds
from .shape import need_tensor, normal_dim, reshape


def _select_vjp(g, index, dim, input_shape):
    if not input_shape:
        return g.sum()
    if dim == 0 and len(input_shape) > 1:
        return _select_backward(g, index, count=input_shape[0])
    return _index_add(g.new_zeros(input_shape), g, index, dim=dim)


def _select_backward_array(g, index, count):
    made = indexed.sum_rows(g, index.reshape(-1), count)
    zeros = g.dtype.type(0)
    return _index_add_array(np.full_like(g, zeros, shape=(count, *g.shape[1:])), g, index, 0) if made is None else made


_select_backward = primitive(
    "index_select_backward", _select_backward_array, node="IndexSelectBackwardBackward0",
    vjp={"g": lambda g, index, count: _index_select(g, index, dim=0)},
)  # fmt: skip


def _index_select_array(input, index, dim):
    size, flat, made = (input.shape or (1,))[dim], index.reshape(-1), None
    if input.ndim and prod(input.shape[dim + 1 :]) < 16:
        made = _checked(indexed.take_slices(input, flat, dim), index, size, dim, IndexOutOfRange)
    else:
        check_bounds(index, size, dim, IndexOutOfRange)
        made = indexed.take_rows(input, flat, dim) if input.ndim else np.broadcast_to(input, index.size).copy()
    return np.take(input, flat, axis=dim) if made is None else made


def _to_scalar(t, input):
    """Scalars indexed by anything stay scalars."""
    return reshape(t, ()) if not input.ndim and t.ndim else t


_index_select = primitive("index_select", _index_select_array, vjp={"input": _select_vjp})


def _vector_index(input, dim, index, name, kinds=("int64", "int32"), error=IndexOutOfRange):
    need_tensor(input, name)
    need_tensor(index, name, "index", 3)
    if type(input._array) is not type(index._array):
        check_devices(input, index)
    dim = normal_dim(dim, input.ndim)
    if index.ndim > 1:
        raise error(
            f"{name}(): Index is supposed to be a vector",
            why=f"`index` has shape {tuple(index.shape)}, and each index names one part along dimension {dim}",
            fix="flatten it: `index.flatten()`",
        )
    if index.dtype.name not in kinds:
        raise DtypeError(
            f"{name}(): Expected dtype int32 or int64 for index",
            why=f"`index` is {index.dtype.name}",
            fix="use `index.long()`",
        )
    return dim


@public(method=True)
def index_select(input, dim, index, *, out=None):
    """The slices of dimension `dim` that a vector of indices names, in its order.

    >>> import flambeau as torch
    >>> torch.index_select(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([1, 0]))
    tensor([[2, 1],
            [4, 3]])
    """
    dim = _vector_index(input, dim, index, "index_select")
    if index._tag is not None and log.on:
        rules.indexed(input, index, dim)
    made = _to_scalar(_index_select(input, index, dim=dim), input)
    if log.on and not input._rg and not dim:
        _rows_chosen(input, index._array, made)
    if out is None:
        return made
    check_writable(out)
    return write_out(made, out, "index_select")


def _at(dim, index):
    return (slice(None),) * dim + (index,)


def _index_add_array(input, src, index, dim):
    size, made = (input.shape or (1,))[dim], None
    if dim == 0 and input.ndim > 1 and src.ndim == input.ndim:
        check_bounds(index, size, dim, IndexOutOfRange)
        made = indexed.sum_rows(src, index, size, base=input)
    else:
        made = _checked(indexed.add_slices(input, src, index, dim), index, size, dim, IndexOutOfRange)
    if made is not None:
        return made
    out = input.copy() if input.ndim else input.reshape(1).copy()
    if not isinstance(out, MetaArray) and index.size:
        moved = out.swapaxes(0, dim)
        values = src.reshape(src.shape or (1,)).swapaxes(0, dim)
        if out.dtype.kind == "b":
            np.logical_or.at(moved, index.reshape(-1), values)
        else:
            accumulate_at(moved, (index.reshape(-1),), values.astype(out.dtype, copy=False))
    return out.reshape(input.shape)


_index_add = primitive(
    "index_add", _index_add_array,
    vjp={"input": lambda g: g,
         "src": lambda g, index, dim, src_shape: reshape(_index_select(g, index, dim=dim), src_shape)},
)  # fmt: skip


def _check_source(input, dim, index, source, name):
    need_tensor(source, name, "source", 4)
    if type(input._array) is not type(source._array):
        check_devices(input, source)
    if source.dtype is not input.dtype:
        raise DtypeError(
            f"{name}(): self and source expected to have the same dtype, but got (self) {input.dtype} and "
            f"(source) {source.dtype}",
            why="elements are added as they are",
            fix=f"use `source.to(torch.{input.dtype.name})`",
        )
    n = index.numel()
    if source.ndim:
        if source.ndim != (input.ndim or 1):
            raise ShapeError(
                f"{name}(): When source and destination are not scalars, their dimensionality must match. "
                f"Source dimensionality ({source.ndim}), destination dimensionality ({input.ndim})",
                why=f"`source` has shape {tuple(source.shape)}, the tensor {tuple(input.shape)}",
                fix=f"bring `source` to {input.ndim} dimension(s) with `unsqueeze` or `reshape`",
            )
        if source.shape[dim] != n:
            raise ShapeError(
                f"{name}(): Number of indices ({n}) should be equal to source.size(dim): "
                f"({source.shape[dim]}), for dim: {dim}",
                why="each index has its own part of `source`",
                fix=f"pass {source.shape[dim]} indices, or a `source` of size {n} in dimension {dim}",
            )
        for d, (a, b) in enumerate(zip(input.shape, source.shape)):
            if d != dim and a != b:
                raise ShapeError(
                    "source tensor shape must match self tensor shape, excluding the specified "
                    f"dimension. Got self.shape = {list(input.shape)} source.shape = {list(source.shape)}",
                    why=f"each index names a whole part of the tensor along dimension {dim}",
                    fix=f"pass a `source` with size {a} in dimension {d}",
                )
    elif n != 1:
        raise ShapeError(
            f"{name}(): When source is scalar, index should have one element (got {n})",
            why="one number goes to one place",
            fix=f"pass one index, or a vector of {n} numbers",
        )


@public(method=True, inplace=True, out=True)
def index_add(input, dim, index, source, *, alpha=1):
    """A copy of `input` with `alpha * source` added to the slices of `dim` named by `index`; repeats add up.

    >>> import flambeau as torch
    >>> torch.index_add(torch.zeros(3), 0, torch.tensor([0, 2]), torch.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    dim = _vector_index(input, dim, index, "index_add")
    _check_source(input, dim, index, source, "index_add")
    if alpha.__class__ is not int or alpha != 1:
        source = source * alpha
        source = source if source.dtype is input.dtype else source.to(input.dtype)
    return _index_add(input, source, index, dim=dim)


def _index_copy_array(input, src, index, dim):
    check_bounds(index, (input.shape or (1,))[dim], dim, IndexOutOfRange)
    out = input.copy() if input.ndim else input.reshape(1).copy()
    if index.size:
        out[_at(dim, index.reshape(-1))] = src.reshape(src.shape or (1,)) if src.ndim else src
    return out.reshape(input.shape)


_index_copy = primitive(
    "index_copy", _index_copy_array,
    vjp={"input": lambda g, index, dim: _index_copy(g, wrap(constant(np.zeros((), g._array.dtype))), index, dim=dim),
         "src": lambda g, index, dim, src_shape: reshape(_index_select(g, index, dim=dim), src_shape)
         if src_shape else _index_select(g, index, dim=dim).sum()},
)  # fmt: skip


@public(method=True, inplace=True, out=True)
def index_copy(input, dim, index, source):
    """A copy of `input` whose slices of `dim` named by `index` are those of `source`.

    >>> import flambeau as torch
    >>> torch.index_copy(torch.zeros(3), 0, torch.tensor([0, 2]), torch.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    dim = _vector_index(input, dim, index, "index_copy", ("int64",))
    _check_source(input, dim, index, source, "index_copy")
    return _index_copy(input, source, index, dim=dim)


@public(method=True, inplace=True)
def index_fill(input, dim, index, value):
    """A copy of `input` with `value` in the slices of `dim` named by `index`.

    >>> import flambeau as torch
    >>> torch.index_fill(torch.tensor([1, 2, 3]), 0, torch.tensor([0, 2]), 9)
    tensor([9, 2, 9])
    """
    dim = _vector_index(input, dim, index, "index_fill", ("int64",))
    check_bounds(index._array, (input.shape or (1,))[dim], dim, IndexOutOfRange, negative=True)
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s).",
                why=f"one value is written at all indices, and `value` has shape {tuple(value.shape)}",
                fix="use `x.index_copy(dim, index, source)` for many values",
            )
        if value.dtype is not input.dtype:
            value = value.to(input.dtype)
    else:
        if isinstance(value, complex) and not input.is_complex():
            raise DtypeError(
                "index_fill_(): Converting complex Scalar to non-complex type is not supported",
                why=f"the tensor is {input.dtype.name}, which has no imaginary part",
                fix="pass a real number, or convert the tensor with `x.to(torch.complex64)`",
            )
        value = wrap(stored_scalar(value, input._array.dtype))
    mask = np.zeros(input.shape[dim] if input.ndim else 1, np.bool_)
    mask[index._array.reshape(-1)] = True
    if not input.ndim:
        return input.masked_fill(wrap(mask.reshape(())), value)
    return input.masked_fill(wrap(mask.reshape([-1 if i == dim else 1 for i in range(input.ndim)])), value)


@public(method=True, inplace=True, out=True)
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """`source` reduced into the slices of `dim` named by `index`: "prod", "mean", "amax" or "amin".

    >>> import flambeau as torch
    >>> torch.index_reduce(torch.ones(2), 0, torch.tensor([0, 0]), torch.tensor([2.0, 3.0]), "prod")
    tensor([6., 1.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise DtypeError(
            f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.",
            why="it says how elements with the same index are joined",
            fix='pass one of these, such as `reduce="mean"`',
        )
    dim = _vector_index(input, dim, index, "index_reduce")
    _check_source(input, dim, index, source, "index_reduce")
    check_bounds(index._array, (input.shape or (1,))[dim], dim, IndexOutOfRange)
    if not input.ndim:
        full = reshape(index, ()) if index.ndim else index
        return _scatter_reduce(input, reshape(source, ()), full, dim=0, reduce=reduce, include_self=bool(include_self))
    shape = [1] * input.ndim
    shape[dim] = -1
    spread = list(input.shape)
    spread[dim] = index.numel()
    full = reshape(index, tuple(shape)).expand(spread)
    source = source if source.ndim else source.expand(spread)
    return _scatter_reduce(input, source, full.long(), dim=dim, reduce=reduce, include_self=bool(include_self))
