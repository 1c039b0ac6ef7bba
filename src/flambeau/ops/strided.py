"""as_strided: views with sizes and strides given by hand, and their gradients."""

from __future__ import annotations

import builtins
import operator

import numpy as np

from ..arrays import MetaArray, element_strides, meta_empty
from ..arrays import as_strided as strided_array
from ..arrays import storage_offset as storage_start
from ..errors import ShapeError
from .arguments import need_tensor, sizes_of
from .entry import primitive, public, view_primitive
from .shape import contiguous_format


def _as_strided_array(input, size, stride, offset):
    return strided_array(input, size, stride, offset)


def _as_strided_vjp(g, size, stride, offset, geometry):
    return _unstride(g, size=size, stride=stride, offset=offset, geometry=geometry)


def _unstride_array(g, size, stride, offset, geometry):
    """The gradient of a strided view: each place of the memory adds up what was read from it."""
    shape, strides, start = geometry
    if isinstance(g, MetaArray):
        return meta_empty(shape, g.dtype)

    def places(sizes, steps, at):
        flat = np.asarray(at)
        for n, s in zip(sizes, steps):
            flat = flat[..., None] + np.arange(n) * s
        return flat

    wanted, own = places(size, stride, offset), places(shape, strides, start)
    memory = np.zeros(builtins.max(wanted.max(initial=-1), own.max(initial=-1)) + 1, g.dtype)
    np.add.at(memory, wanted, g)
    count = np.zeros(memory.shape, np.int64)
    np.add.at(count, own, 1)
    return memory[own] / np.maximum(count[own], 1).astype(g.real.dtype)


_unstride = primitive(
    "as_strided_backward", _unstride_array,
    vjp={"g": lambda g, size, stride, offset, geometry: _restride(g, size=size, stride=stride, offset=offset,
                                                                 geometry=geometry)},
)  # fmt: skip


def _restride_array(g, size, stride, offset, geometry):
    shape, strides, start = geometry
    return strided_array(np.ascontiguousarray(g), size, stride, offset).copy()


_restride = primitive("as_strided_again", _restride_array,
                      vjp={"g": lambda g, size, stride, offset, geometry: _unstride(
                          g, size=size, stride=stride, offset=offset, geometry=geometry)})  # fmt: skip
_as_strided = view_primitive(
    "as_strided", lambda input, size, stride, offset, geometry: _as_strided_array(input, size, stride, offset),
    vjp={"input": _as_strided_vjp},
)  # fmt: skip


@public(method=True)
def as_strided(input, size, stride, storage_offset=None):
    """A view of the storage with any sizes, strides and offset, in elements; RuntimeError if it would leave it.

    >>> import flambeau as torch
    >>> torch.as_strided(torch.arange(6), (2, 2), (3, 1))
    tensor([[0, 1],
            [3, 4]])
    """
    need_tensor(input, "as_strided")
    size, stride = sizes_of((tuple(size),)), sizes_of((tuple(stride),))
    if len(size) != len(stride):
        raise ShapeError(
            f"mismatch in length of strides and shape: {len(stride)} and {len(size)}",
            why="each dimension has a size and a stride",
            fix=f"pass {len(size)} strides",
        )
    if any(s < 0 for s in size):
        raise ShapeError(
            f"as_strided: sizes must be non-negative, got {list(size)}",
            why="a size counts elements",
            fix="pass sizes of 0 or more",
        )
    a = input._array
    start = storage_start(a)
    offset = start if storage_offset is None else operator.index(storage_offset)
    return _as_strided(input, size=size, stride=stride, offset=offset, geometry=(a.shape, element_strides(a), start))


@public(method=True, inplace=False)
def as_strided_(input, size, stride, storage_offset=None):
    """Give the tensor other sizes and strides over its storage, in place."""
    made = as_strided(input, size, stride, storage_offset)
    input._array = made._array
    if made._rg:
        input._node, input._index, input._rg = made._node, made._index, True
    return input


@public(out=True)
def as_strided_copy(input, size, stride, storage_offset=None):
    """As `as_strided`, with its own memory."""
    return as_strided(input, size, stride, storage_offset).clone(memory_format=contiguous_format)


def into_view(input, src, view_of, name):
    """A copy of `input` in which the part that `view_of` reads holds `src`."""
    need_tensor(input, name)
    need_tensor(src, name, "src", 2)
    made = input.clone()
    part = view_of(made)
    if part.shape != src.shape:
        raise ShapeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice "
            f"size = {list(part.shape)}",
            why="`src` replaces the slice element by element",
            fix=f"pass a `src` of shape {tuple(part.shape)}",
        )
    part.copy_(src)
    return made


@public(method=True, out=True)
def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of `input` whose strided part holds `src`.

    >>> import flambeau as torch
    >>> torch.as_strided_scatter(torch.zeros(4), torch.ones(2), (2,), (2,))
    tensor([1., 0., 1., 0.])
    """
    need_tensor(input, "as_strided_scatter")
    base = input.clone(memory_format=contiguous_format) if storage_start(input._array) == 0 else input.clone()
    return into_view(base, src, lambda t: as_strided(t, size, stride, storage_offset), "as_strided_scatter")
