"""Views and copies: another shape over the same memory, another dtype, another memory layout."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import MetaArray, element_strides, meta_empty
from ..checks import shapes
from ..checks.log import log
from ..dtypes import dtype
from ..errors import ArgumentTypeError, ShapeError
from ..kernels import fused as kernels
from ..kernels.elementwise import copied
from ..kernels.record import unchanged
from ..mistakes.graphs import not_contiguous
from ..tensor import Tensor, attach, wrap
from .arguments import infer_size, need_tensor, normal_dim, normal_dims, sizes_of
from .entry import link_view, linked, primitive, public, view_primitive

_new = object.__new__
_ndarray = np.ndarray

# ---------------------------------------------------------------------- views


def _view_array(input, shape):
    a = input.view()
    try:
        a.shape = shape
    except AttributeError:
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead.",
            why=f"the tensor of shape {tuple(input.shape)} has strides {tuple(element_strides(input))}: it was "
            "permuted, transposed or sliced, and its elements do not lie in the order that the new shape needs",
            fix="use `x.reshape(...)`, which copies if it must, or `x.contiguous().view(...)`",
        ) from None
    return a


_view = view_primitive("view", _view_array, vjp={"input": lambda g, input_shape: reshape(g, input_shape)})
_unsafe_view = primitive(
    "reshape", lambda input, shape: input.reshape(shape), node="UnsafeViewBackward0",
    vjp={"input": lambda g, input_shape: reshape(g, input_shape)},
)  # fmt: skip


@public(method=True, function=False)
def view(self, *shape):
    """The same memory under another shape (or, given a dtype, under another element type).

    Raises RuntimeError when the shape has another number of elements, or when the memory's order does not allow it.

    >>> import flambeau as torch
    >>> torch.arange(6).view(2, -1).shape
    torch.Size([2, 3])
    """
    a, size = self._array, shape if len(shape) != 1 else shape[0]
    try:
        made = a.view()
        made.shape = size
        made = linked(self, made, _view, {"shape": size if size.__class__ is tuple else made.shape})
    except (AttributeError, TypeError, ValueError):
        pass  # said better below
    else:
        if log.views and log.on:
            log.views -= 1
            shapes.viewed("view", self, made)
        return made
    if len(shape) == 1 and isinstance(shape[0], dtype):
        return view_dtype(self, shape[0])
    sizes = shape[0] if len(shape) == 1 and shape[0].__class__ is not int else shape
    if -1 in sizes or math.prod(sizes) != a.size:
        sizes = infer_size(sizes_of((tuple(sizes),)), a.size)
    elif sizes.__class__ is not tuple:
        sizes = tuple(sizes)
    try:
        return _view(self, shape=sizes)
    except ShapeError:
        raise not_contiguous(self, sizes) from None


def view_dtype(self, to: dtype):
    """The same bytes read as another dtype; the last dimension is rescaled."""
    if to.itemsize != self.itemsize and self.ndim == 0:
        raise ShapeError(
            f"self.dim() cannot be 0 to view {self.dtype} as {to} (different element sizes)",
            why=f"an element of {self.itemsize} byte(s) is read as one of {to.itemsize}",
            fix=f"use `x.unsqueeze(0).view(torch.{to.name})`, or `x.to(torch.{to.name})` to convert the value",
        )
    if to.itemsize != self.itemsize and self.stride()[-1] != 1:
        raise ShapeError(
            f"self.stride(-1) must be 1 to view {self.dtype} as {to} (different element sizes), but got "
            f"{self.stride()[-1]}",
            why="bytes are read in the order of memory",
            fix=f"use `x.contiguous()` first, or `x.to(torch.{to.name})` to convert the values",
        )
    if to.itemsize > self.itemsize and self.shape[-1] * self.itemsize % to.itemsize:
        ratio = to.itemsize // self.itemsize
        raise ShapeError(
            f"self.size(-1) must be divisible by {ratio} to view {self.dtype} as {to} (different element "
            f"sizes), but got {self.shape[-1]}",
            why=f"{ratio} elements are read as one",
            fix=f"pad the last dimension, or use `x.to(torch.{to.name})` to convert the values",
        )
    made = wrap(self._array.view(to.numpy))
    link_view((made,), self, _view_as_dtype, {"to": to})
    return made


def _view_as_dtype(t, to):
    return view_dtype(t, to)


@public(method=True)
def reshape(input, *shape):
    """The elements in another shape: a view where the memory allows it, else a copy.

    >>> import flambeau as torch
    >>> torch.reshape(torch.arange(4), (2, 2)), torch.arange(6).reshape(2, -1).shape
    (tensor([[0, 1],
            [2, 3]]), torch.Size([2, 3]))
    """
    if not isinstance(input, Tensor):
        need_tensor(input, "reshape")
    if not shape:
        raise ArgumentTypeError(
            'reshape() missing 1 required positional arguments: "shape"',
            why="the new sizes are missing",
            fix="pass them: `x.reshape(-1)` is flat",
        )
    a, size = input._array, shape if len(shape) != 1 else shape[0]
    try:
        made = a.view()
        made.shape = size
        made = linked(input, made, _view, {"shape": size if size.__class__ is tuple else made.shape})
    except (AttributeError, TypeError, ValueError):
        pass  # an error to explain, or memory in another order: a copy
    else:
        if log.views and log.on:
            log.views -= 1
            shapes.viewed("reshape", input, made)
        return made
    sizes = infer_size(sizes_of(shape), a.size)
    try:
        made = a.view()
        made.shape = sizes
    except AttributeError:
        return _unsafe_view(input, shape=sizes)
    return linked(input, made, _view, {"shape": sizes})


_permute = view_primitive(
    "permute", lambda input, dims: input.transpose(dims),
    vjp={"input": lambda g, dims: _permute(g, dims=tuple(sorted(range(len(dims)), key=dims.__getitem__)))},
)  # fmt: skip


@public(method=True)
def permute(input, *dims):
    """A view with the dimensions in another order.

    >>> import flambeau as torch
    >>> torch.permute(torch.ones(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    if not isinstance(input, Tensor):
        need_tensor(input, "permute")
    a = input._array
    if len(dims) == 1 and dims[0].__class__ is tuple:
        dims = dims[0]
    if len(dims) == a.ndim and all([d.__class__ is int and d >= 0 for d in dims]):
        try:
            return linked(input, a.transpose(dims), _permute, {"dims": dims})
        except ValueError:
            pass  # said better below
    dims = sizes_of(dims)
    if len(dims) != input.ndim:
        raise ShapeError(
            f"permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(dims)}",
            why=f"each dimension has its own new place, and the shape is {tuple(input.shape)}",
            fix=f"name all {input.ndim} dimensions, or use `x.transpose(a, b)` to exchange two",
        )
    wanted = tuple([normal_dim(d, input.ndim) for d in dims])
    if len(set(wanted)) != len(wanted):
        raise ShapeError(
            "permute(): duplicate dims are not allowed.",
            why=f"the order is {dims}",
            fix=f"name each dimension from 0 to {input.ndim - 1} once",
        )
    return linked(input, input._array.transpose(wanted), _permute, {"dims": wanted})


_transpose = view_primitive(
    "transpose", lambda input, dim0, dim1: input.swapaxes(dim0, dim1) if input.ndim else input.view(),
    vjp={"input": lambda g, dim0, dim1: _transpose(g, dim0=dim0, dim1=dim1)},
)  # fmt: skip
_t = view_primitive("t", lambda input: input.T, vjp={"input": lambda g: _t(g)}, node="TBackward0")


@public(method=True, aliases=("swapaxes", "swapdims"))
def transpose(input, dim0, dim1):
    """A view with two dimensions exchanged.

    >>> import flambeau as torch
    >>> torch.transpose(torch.tensor([[1, 2], [3, 4]]), 0, 1)
    tensor([[1, 3],
            [2, 4]])
    """
    if not isinstance(input, Tensor):
        need_tensor(input, "transpose")
    n = input.ndim
    dim0, dim1 = normal_dim(dim0, n), normal_dim(dim1, n)
    a = input._array
    return linked(input, a.swapaxes(dim0, dim1) if n else a.view(), _transpose, {"dim0": dim0, "dim1": dim1})


@public(method=True)
def t(input):
    """The transpose of a matrix; vectors and scalars as they are.

    >>> import flambeau as torch
    >>> torch.t(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 3],
            [2, 4]])
    """
    if not isinstance(input, Tensor):
        need_tensor(input, "t")
    if input.ndim > 2:
        raise ShapeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D",
            why=f"the shape is {tuple(input.shape)}",
            fix="use `x.mT` to exchange the last two dimensions",
        )
    return linked(input, input._array.T, _t, {})


def _numpy_t(self):
    """All dimensions reversed."""
    a = self._array
    return linked(self, a.T, _permute, {"dims": (1, 0) if a.ndim == 2 else tuple(range(a.ndim))[::-1]})


def _matrix_t(self):
    """The last two dimensions exchanged."""
    if self.ndim < 2:
        raise ShapeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {self.ndim}-D tensor.",
            why=f"the shape is {tuple(self.shape)}",
            fix="use `x.unsqueeze(0)` first to make it a matrix",
        )
    return _transpose(self, dim0=self.ndim - 2, dim1=self.ndim - 1)


attach("T", property(_numpy_t))
attach("mT", property(_matrix_t))


def _expand_vjp(g, input_shape):
    return g  # the engine sums what was broadcast


def _expand_array(input, shape):
    if type(input) is _ndarray and input.size and input.flags.c_contiguous and input.dtype.kind != "V":
        # What np.broadcast_to does, at a fraction of its cost.
        strides = [0 if n == 1 else s for n, s in zip(input.shape, input.strides)]
        return _ndarray(shape, input.dtype, input, 0, [0] * (len(shape) - input.ndim) + strides)
    made = np.broadcast_to(input, shape, subok=True)
    if input.flags.writeable:  # NumPy's is read-only; whether it may be written to is for check_writable to say
        made = np.lib.stride_tricks.as_strided(input, made.shape, made.strides, subok=True)
    return made


_expand = view_primitive("expand", _expand_array,
                         vjp={"input": _expand_vjp})  # fmt: skip


@public(method=True, function=False)
def expand(self, *sizes, implicit=False):
    """A view in which dimensions of size 1 are repeated without copying; -1 keeps a size.

    >>> import flambeau as torch
    >>> torch.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    sizes, have = sizes_of(sizes), self._array.shape
    if len(sizes) < len(have):
        raise ShapeError(
            f"expand({self.dtype}{list(have)}, size={list(sizes)}): the number of sizes provided ({len(sizes)}) must "
            f"be greater or equal to the number of dimensions in the tensor ({len(have)})",
            why=f"the shape is {tuple(have)}, and new dimensions come in front of it",
            fix=f"pass {len(have)} sizes or more, with -1 for those that stay",
        )
    lead = len(sizes) - len(have)
    full = []
    for i, s in enumerate(sizes):
        n = have[i - lead] if i >= lead else None
        if s == -1:
            if n is None:
                raise ShapeError(
                    f"expand({self.dtype}{list(have)}, size={list(sizes)}): the expanded size of the "
                    f"tensor (-1) isn't allowed in a leading, non-existing dimension {i}",
                    why="a new dimension has no size of its own",
                    fix=f"pass its size, and -1 only for the last {len(have)} dimension(s)",
                )
            s = n
        elif n is not None and n != 1 and n != s:
            raise ShapeError(
                f"The expanded size of the tensor ({s}) must match the existing size ({n}) at non-singleton "
                f"dimension {i}.  Target sizes: {list(sizes)}.  Tensor sizes: {list(have)}",
                why="only sizes of 1 are expanded",
                fix="use `x.repeat(...)` or `torch.repeat_interleave` to repeat elements, or "
                "`x.unsqueeze(...)` for a new dimension",
            )
        full.append(s)
    out = _expand(self, shape=tuple(full))
    return out


_unsqueeze = view_primitive("unsqueeze", lambda input, dim: input[(slice(None),) * dim + (None,)],
                            vjp={"input": lambda g, dim: _squeeze(g, dims=(dim,))})  # fmt: skip


_WHOLE, _NEW = (slice(None),) * 64, (None,)


def _squeeze_array(input, dims):
    return input.reshape([n for i, n in enumerate(input.shape) if i not in dims]) if dims else input.view()


def _squeeze_vjp(g, dims, input_shape):
    return reshape(g, input_shape)


_squeeze_all = view_primitive("squeeze", lambda input, dims: input.squeeze(dims) if dims else input.view(),
                              vjp={"input": _squeeze_vjp})  # fmt: skip
_squeeze = view_primitive("squeeze_dim", lambda input, dims: input.squeeze(dims) if dims else input.view(),
                          vjp={"input": _squeeze_vjp}, node="SqueezeBackward1")  # fmt: skip


@public(method=True)
def unsqueeze(input, dim):
    """A view with a dimension of size 1 inserted at `dim`.

    >>> import flambeau as torch
    >>> torch.unsqueeze(torch.tensor([1, 2]), 1)
    tensor([[1],
            [2]])
    """
    need_tensor(input, "unsqueeze")
    a = input._array
    dim = normal_dim(dim, a.ndim + 1)
    return linked(input, a[_WHOLE[:dim] + _NEW], _unsqueeze, {"dim": dim})


@public(method=True)
def squeeze(input, dim=None):
    """A view without the dimensions of size 1 (all of them, or those named).

    >>> import flambeau as torch
    >>> torch.squeeze(torch.ones(1, 3, 1)).shape, torch.squeeze(torch.ones(1, 3, 1), 0).shape
    (torch.Size([3]), torch.Size([3, 1]))
    """
    shape = input._array.shape
    if dim is None:
        made = _squeeze_all(input, dims=tuple([i for i, n in enumerate(shape) if n == 1]))
        if log.on and shape:
            shapes.squeezed(input, made)
        return made
    dims = normal_dims(dim if isinstance(dim, (tuple, list)) else (dim,), len(shape))
    dims = tuple([d for d in dims if len(shape) and shape[d] == 1])
    return _squeeze(input, dims=dims)


@public(method=True)
def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions `start_dim` to `end_dim` joined into one.

    >>> import flambeau as torch
    >>> torch.flatten(torch.ones(2, 3, 4), start_dim=1).shape
    torch.Size([2, 12])
    """
    need_tensor(input, "flatten")
    shape = input._array.shape
    if not shape:
        return reshape(input, 1)
    if start_dim == 0 and end_dim == -1 and len(shape) > 1:
        return reshape(input, -1)
    start, end = normal_dim(start_dim, len(shape)), normal_dim(end_dim, len(shape))
    if start > end:
        raise ShapeError(
            "flatten() has invalid args: start_dim cannot come after end_dim",
            why=f"`start_dim` is {start}, `end_dim` is {end}, counted from 0",
            fix="swap them",
        )
    if start == end:
        return input
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


# ---------------------------------------------------------------------- copies


def _keep_layout(a):
    """A copy that keeps the memory order of its source, as PyTorch's preserve_format does."""
    return copied(a)


_clone = primitive("clone", lambda input: _keep_layout(input), vjp={"input": lambda g: g})


def _contiguous_array(input):
    made = kernels.contiguous(input)
    if made is None:
        made = input if input.flags.c_contiguous else copied(input, "C")
    return made


_contiguous = primitive("contiguous", _contiguous_array, vjp={"input": lambda g: g}, node="CloneBackward0")
_clone.formula = _contiguous.formula = unchanged


class memory_format:
    """How the dimensions lie in memory: torch.contiguous_format, channels_last, channels_last_3d, preserve_format."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"torch.{self.name}"

    def __reduce__(self):
        return (memory_format_named, (self.name,))


contiguous_format = memory_format("contiguous_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
preserve_format = memory_format("preserve_format")
_FORMATS = {f.name: f for f in (contiguous_format, channels_last, channels_last_3d, preserve_format)}


def memory_format_named(name):
    """The memory format of a name (for pickling)."""
    return _FORMATS[name]


def in_format(a: np.ndarray, form) -> np.ndarray:
    """A copy of an array in a memory format."""
    if form is channels_last or form is channels_last_3d:
        n = 4 if form is channels_last else 5
        if a.ndim != n:
            raise ShapeError(
                f"required rank {n} tensor to use {form.name} format",
                why=f"the shape is {tuple(a.shape)}",
                fix="use `torch.contiguous_format` for other shapes",
            )
        moved = np.ascontiguousarray(np.moveaxis(a, 1, -1))
        return np.moveaxis(moved if moved.base is not a and moved is not a else moved.copy(), -1, 1)
    return np.array(a, order="C", subok=True)


_reformat = primitive("to_format", lambda input, form: in_format(input, form), vjp={"input": lambda g: g},
                      node="CloneBackward0")  # fmt: skip


def has_format(a: np.ndarray, form) -> bool:
    """Whether an array lies in memory in a format."""
    if form is channels_last or form is channels_last_3d:
        n = 4 if form is channels_last else 5
        return a.ndim == n and np.moveaxis(a, 1, -1).flags.c_contiguous
    return a.flags.c_contiguous


@public(method=True)
def clone(input, *, memory_format=preserve_format):
    """A copy with its own memory; gradients flow through it.

    >>> import flambeau as torch
    >>> torch.clone(torch.tensor([1, 2]))
    tensor([1, 2])
    """
    if not isinstance(input, Tensor):
        need_tensor(input, "clone")
    if memory_format is preserve_format:
        return _clone(input)
    return _reformat(input, form=memory_format)


@public(method=True, function=False)
def contiguous(self, memory_format=contiguous_format):
    """The tensor itself if its elements lie in order in memory, else a copy that does.

    >>> import flambeau as torch
    >>> torch.ones(2, 3).t().contiguous().is_contiguous()
    True
    """
    if memory_format is contiguous_format:
        return self if self._array.flags.c_contiguous else _contiguous(self)
    return self if has_format(self._array, memory_format) else _reformat(self, form=memory_format)


@public(method=True, function=False)
def is_contiguous(self, memory_format=contiguous_format):
    """Whether the elements lie in memory in the order of the format.

    >>> import flambeau as torch
    >>> torch.ones(2, 3).t().is_contiguous()
    False
    """
    return has_format(self._array, memory_format)


# ---------------------------------------------------------------------- basic indexing


def _select_array(input, key):
    made = input[key]
    if isinstance(made, np.ndarray):
        return made
    return input[(*key, ...) if key.__class__ is tuple else (key, ...)]  # a view, where NumPy gives a number


_select_key = view_primitive(
    "slice", _select_array, node="SliceBackward0",
    vjp={"input": lambda g, key, input_shape: _unslice(g, key=key, shape=input_shape)},
)  # fmt: skip


def _unslice_array(g, key, shape):
    if isinstance(g, MetaArray):
        return meta_empty(shape, g.dtype)
    full = np.zeros_like(g, shape=shape)
    full[key] = g
    return full


_unslice = primitive("slice_backward", _unslice_array, vjp={"g": lambda g, key: _select_key(g, key=key)})
