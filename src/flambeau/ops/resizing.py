"""Other sizes, or other memory, for a tensor that exists: resize_, resize_as_, set_."""

from __future__ import annotations

import builtins

import numpy as np

from ..arrays import meta_empty
from ..errors import DtypeError, GradientError, NotSupported, ShapeError
from ..tensor import Tensor
from .entry import public
from .shape import contiguous_format, preserve_format, sizes_of


def _resized(t, shape):
    have = t._array
    if type(have) is not np.ndarray:
        t._array = meta_empty(shape, have.dtype)
        return t
    count = int(np.prod(shape))
    flat = np.zeros(count, have.dtype)
    kept = builtins.min(count, have.size)
    flat[:kept] = have.reshape(-1)[:kept]
    t._array = flat.reshape(shape)
    return t


@public(method=True, function=False)
def resize_(self, *sizes, memory_format=contiguous_format):
    """Give the tensor another size in place; elements that remain keep their order in memory, new ones are zero."""
    shape = sizes_of(sizes)
    if memory_format is not contiguous_format and memory_format is not preserve_format:
        raise NotSupported(
            f"resize_() with memory_format={memory_format} is not implemented",
            why="the memory order is kept as it is",
            fix="give the size first, `x.resize_(sizes)`, then `x = x.contiguous(memory_format=...)`",
        )
    if self.requires_grad:
        raise GradientError(
            "cannot resize variables that require grad",
            why=f"the history of this tensor fits its present shape {tuple(self.shape)}",
            fix="use `x.detach().resize_(...)`, or `x.reshape(...)` for the same elements",
        )
    if builtins.any(s < 0 for s in shape):
        raise ShapeError(
            f"Trying to create tensor with negative dimension {builtins.min(shape)}: {list(shape)}",
            why="a size counts elements",
            fix="pass sizes of 0 or more",
        )
    a = self._array
    if a.shape == shape:
        return self
    if a.size == int(np.prod(shape)) and a.flags.c_contiguous:
        self._array = a.reshape(shape)
        return self
    return _resized(self, shape)


@public(method=True)
def resize_as_(input, the_template, *, memory_format=contiguous_format):
    """`resize_` to the size of another tensor."""
    return resize_(input, the_template.shape, memory_format=memory_format)


@public(method=True, function=False)
def set_(self, source=None, storage_offset=0, size=None, stride=None):
    """Let the tensor use the memory and geometry of another one."""
    if source is None:
        self._array = np.empty(0, self._array.dtype)
        return self
    if isinstance(source, Tensor):
        if source.dtype is not self.dtype:
            raise DtypeError(
                f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}",
                why="two tensors share memory only if both read it as the same dtype",
                fix=f"convert the source: `source.to(torch.{self.dtype.name})`",
            )
        self._array = source._array if size is None else source.as_strided(size, stride, storage_offset)._array
        self._cell = source._cell = source._cell or [0]
    return self
