"""Indexing: reading and writing parts of a tensor; copy_, fill_, zero_, masked_fill, where."""

from __future__ import annotations

import builtins
import re

import numpy as np

from ..arrays import CPU, META, MetaArray, device_of, meta_empty, mixed
from ..autograd.mode import state
from ..checks import dtypes as rules
from ..checks.log import log
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentError, ArgumentTypeError, IndexOutOfRange, NotSupported, ShapeError
from ..kernels import indexed
from ..kernels.elementwise import chosen
from ..kernels.record import change, constant, into, listeners, unchanged
from ..language import warn
from ..mistakes.indices import no_such_element, outside
from ..tensor import Tensor, attach, wrap
from .entry import assign, check_writable, primitive, public, view_primitive
from .promotion import NUMBERS, as_tensor, check_devices, stored_scalar
from .shape import _select_array, _select_key, _unslice, linked, need_tensor, reshape

# ---------------------------------------------------------------------- whole-tensor writes

_overwrite = primitive(
    "copy", lambda input, src: np.broadcast_to(src, input.shape).astype(input.dtype),
    vjp={"input": lambda g: g * 0, "src": lambda g: g}, node="CopyBackwards",
)  # fmt: skip


def _write(self, source):
    """Store `source` (a tensor) in `self`, with history."""
    if type(source._array) is not np.ndarray and type(self._array) is np.ndarray:
        raise NotSupported(
            "Cannot copy out of meta tensor; no data!",
            why="a meta tensor has a shape and a dtype, but no values to copy",
            fix=f"make the source on the CPU: `torch.zeros({tuple(source.shape)})`",
        )
    if state.grad and (self.requires_grad or source.requires_grad):
        check_writable(self)
        return assign(self, _overwrite(self, source))
    check_writable(self)
    a, b = self._array, source._array
    if a.dtype.kind != "c" and b.dtype.kind == "c":
        b = b.real
    if a.size:
        into("copy", a, unchanged, b)
    self._wrote()
    return self


@public(method=True, function=False)
def copy_(self, src, non_blocking=False):
    """Copy the values of `src` (broadcast, converted) into this tensor, in place.

    >>> import flambeau as torch
    >>> torch.zeros(2).copy_(torch.tensor([1, 2]))
    tensor([1., 2.])
    """
    if not isinstance(src, Tensor):
        if not isinstance(src, NUMBERS):
            need_tensor(src, "copy_", "other")
        src = as_tensor(src, "copy_", 1, "other")
    try:
        np.broadcast_to(src._array, self._array.shape)
    except ValueError:
        raise ShapeError(
            f"The size of tensor a ({self.shape[-1] if self.ndim else 1}) must match the size of tensor b "
            f"({src.shape[-1] if src.ndim else 1}) at non-singleton dimension "
            f"{max(self.ndim, src.ndim) - 1}",
            why=f"`src` has shape {tuple(src.shape)} and must broadcast to {tuple(self.shape)}",
            fix="bring it to that shape first, with `unsqueeze`, `reshape` or `transpose`",
        ) from None
    return _write(self, src)


@public(method=True, function=True)
def fill_(self, value):
    """Set every element to `value` (a number or a 0-dimensional tensor), in place.

    >>> import flambeau as torch
    >>> torch.zeros(2).fill_(7)
    tensor([7., 7.])
    """
    need_tensor(self, "fill_")
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.",
                why=f"one value fills the whole tensor, and `value` has shape {tuple(value.shape)}",
                fix="use `x.copy_(value)` for many values",
            )
        return _write(self, value)
    if not isinstance(value, NUMBERS):
        raise ArgumentTypeError(
            f"fill_(): argument 'value' (position 1) must be Number, not {type(value).__name__}",
            why="the tensor is filled with one number",
            fix="pass a number; `x.copy_(torch.tensor(values))` copies many",
        )
    return _write(self, wrap(stored_scalar(value, self._array.dtype)))


@public(method=True, function=True)
def zero_(self):
    """Set every element to zero, in place.

    >>> import flambeau as torch
    >>> torch.ones(2).zero_()
    tensor([0., 0.])
    """
    need_tensor(self, "zero_")
    return fill_(self, 0)


_masked_fill = primitive(
    "masked_fill", lambda input, mask, value: chosen(mask, value, input),
    vjp={"input": lambda g, mask: _masked_fill(g, mask, wrap(constant(np.zeros((), g._array.dtype)))),
         "value": lambda g, mask: (g * mask).sum()},
)  # fmt: skip


@public(method=True, inplace="method")
def masked_fill(input, mask, value):
    """A copy with `value` where `mask` (bool, broadcast) is True.

    >>> import flambeau as torch
    >>> x = torch.tensor([1, 2, 3])
    >>> x.masked_fill(x > 1, 0)
    tensor([1, 0, 0])
    """
    need_tensor(input, "masked_fill")
    need_tensor(mask, "masked_fill", "mask", 2)
    if type(input._array) is not type(mask._array):
        check_devices(input, mask)
    if mask._array.dtype != np.bool_:
        raise ShapeError(
            f"masked_fill only supports boolean masks, but got mask with dtype {mask.dtype}",
            why="each element of `mask` says yes or no",
            fix="use `mask.bool()`, or a comparison such as `x > 0`",
        )
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError(
                "masked_fill only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s).",
                why=f"one value is written wherever `mask` is True, and `value` has shape {tuple(value.shape)}",
                fix="use `torch.where(mask, value, x)` for many values",
            )
        value = value.to(input.dtype)
    else:
        value = wrap(stored_scalar(value, input._array.dtype))
    return _masked_fill(input, mask, value)


# ---------------------------------------------------------------------- subscripts

# What a subscript is split into: basic parts (ints, slices, None, ...), which make a view as in NumPy, and then
# arrays (index tensors and masks), which gather. PyTorch takes the ints out first, NumPy counts them as arrays.


def _plain_slice(s):
    if s.step is not None and s.step.__index__() <= 0:
        raise ArgumentError(
            "step must be greater than zero",
            why=f"the step is {s.step}, and a tensor is not walked backwards",
            fix="flip the dimension, `x.flip(dim)`, then take a positive step",
        )
    try:
        return slice(*[None if v is None else v.__index__() for v in (s.start, s.stop, s.step)])
    except AttributeError:
        raise ArgumentTypeError(
            "slice indices must be integers or None or have an __index__ method",
            why=f"the slice is {s}",
            fix="convert its ends to whole numbers: `int(i)`",
        ) from None


def _index_array(k) -> np.ndarray:
    """An index tensor, array or sequence as an integer or bool array."""
    if isinstance(k, Tensor):
        a = k._array
    else:
        a = np.asarray(_listed(k) if not isinstance(k, np.ndarray) else k)
        if a.size == 0 and a.dtype.kind == "f":
            a = a.astype(np.int64)
    kind = a.dtype.kind
    if kind == "b" or a.dtype in (np.int64, np.int32):
        return a
    if a.dtype == np.uint8:
        warn("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.", stacklevel=4)
        return a.astype(bool)
    if kind == "i" and not isinstance(k, Tensor):
        return a.astype(np.int64)
    raise IndexOutOfRange(
        "tensors used as indices must be long, int, byte or bool tensors",
        why=f"this one is {FROM_NUMPY.get(a.dtype, a.dtype)}",
        fix="convert it: `index.long()`",
    )


def _listed(k):
    if isinstance(k, (list, tuple)):
        return [_listed(x) for x in k]
    return k._array if isinstance(k, Tensor) else k


def _is_array(k):
    return isinstance(k, (Tensor, np.ndarray, list, tuple, range)) or k is True or k is False


def parse_key(key, shape):
    """(basic key or None, array key or None) of a subscript of a tensor of this shape."""
    parts = key if isinstance(key, tuple) else (key,)
    simple, arrays = [], []
    for k in parts:
        if k.__class__ is int or k is None or k is Ellipsis:
            simple.append(k)
        elif isinstance(k, slice):
            simple.append(_plain_slice(k))
        elif isinstance(k, Tensor) and not k._array.ndim and k._array.dtype.kind in "iu" and k._array.dtype != np.uint8:
            simple.append(int(k))
        elif k is True or k is False or isinstance(k, np.bool_):
            simple.append(k := np.asarray(bool(k)))
            arrays.append(k)
        elif _is_array(k):
            simple.append(k := _index_array(k))
            arrays.append(k)
        elif hasattr(k, "__index__"):
            simple.append(k.__index__())
        elif isinstance(k, str):
            raise ArgumentTypeError(
                f"new(): invalid data type '{type(k).__name__}'",
                why="only integers, slices, ellipsis, None and integer or bool tensors are valid indices",
                fix="index by number; a dict or a list of names can keep the numbers of names",
            )
        else:
            raise IndexOutOfRange(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                f"(got {type(k).__name__})",
                why=f"a {type(k).__name__} is no place in a tensor",
                fix="convert it to a whole number, `int(i)`, or a tensor of indices, `i.long()`",
            )
    used = builtins.sum(k.ndim if isinstance(k, np.ndarray) and k.dtype.kind == "b" else 1
                        for k in simple if k is not None and k is not Ellipsis)  # fmt: skip
    if used > len(shape):
        raise IndexOutOfRange(
            f"too many indices for tensor of dimension {len(shape)}",
            why=f"the subscript has {used} indices, the tensor has shape {tuple(shape)}",
            fix=f"use at most {len(shape)} indices",
        )
    if builtins.sum(1 for k in simple if k is Ellipsis) > 1:
        raise IndexOutOfRange(
            "an index can only have a single ellipsis ('...')",
            why="`...` stands for all dimensions that are not named, so a second one would have no meaning",
            fix="write `:` for one whole dimension",
        )
    if not arrays:
        return tuple(simple), None
    # First all basic parts at once (with full slices in place of the arrays), then the arrays on that view.
    basic, final, dim = [], [], 0
    trivial = True
    for k in simple:
        if k is Ellipsis:
            n = len(shape) - used
            basic += [slice(None)] * n
            final += [slice(None)] * n
            dim += n
        elif isinstance(k, np.ndarray):
            if k.dtype.kind == "b":
                if k.ndim == 0:
                    basic.append(None)
                    trivial = False
                    k = k.reshape(1)
                else:
                    if k.shape != tuple(shape[dim : dim + k.ndim]):
                        bad = next(i for i in range(k.ndim) if k.shape[i] != shape[dim + i])
                        raise IndexOutOfRange(
                            f"The shape of the mask {list(k.shape)} at index {bad} does not match the shape of the "
                            f"indexed tensor {list(shape)} at index {dim + bad}",
                            why="a mask says for each element whether it is taken",
                            fix="make it from the tensor itself, such as `x[x > 0]`",
                        )
                    basic += [slice(None)] * k.ndim
                    dim += k.ndim
                final.append(k)
            else:
                basic.append(slice(None))
                final.append(k)
                dim += 1
        else:
            trivial = trivial and isinstance(k, slice) and k == slice(None)
            basic.append(k)
            if k is None:
                final.append(slice(None))
            else:
                if isinstance(k, slice):
                    final.append(slice(None))
                dim += 1
    while final and isinstance(final[-1], slice):
        final.pop()
    return None if trivial else tuple(basic), tuple(final)


def _c_order(a: np.ndarray) -> np.ndarray:
    return a if a.flags.c_contiguous else a.copy()


def _gather_array(input, key):
    if len(key) == 1 and isinstance(key[0], np.ndarray) and key[0].dtype.kind == "i" and input.ndim:
        # Rows: whole pieces of memory are copied. NumPy explains what is wrong with bad numbers.
        made, touched = None, key[0].size * input[:1].size
        if touched and indexed.first_outside(key[0], -len(input), len(input), touched=touched) < 0:
            made = indexed.take_rows(input, key[0])
        return np.take(input, key[0], 0) if made is None else made
    return _c_order(input[key])


_gather_key = primitive(
    "index", _gather_array,
    vjp={"input": lambda g, key, input_shape: _scatter_key(g, key=key, shape=input_shape)},
)  # fmt: skip


def accumulate_at(full: np.ndarray, key: tuple, values: np.ndarray) -> None:
    """full[key] += values, where repeated positions add up (16-bit floats in float32)."""
    if type(full) is not np.ndarray:
        return
    index = key[0]
    if len(key) == 1 and index.dtype.kind in "iu" and full.ndim > 1 and index.size > 1:
        # Rows: group equal indices, add up each group at once.
        row = full.shape[1:]
        flat = index.reshape(-1) % full.shape[0]
        values = np.broadcast_to(values, index.shape + row).reshape(flat.size, *row)
        order = np.argsort(flat, kind="stable")
        at = flat[order]
        starts = np.flatnonzero(np.concatenate(([True], at[1:] != at[:-1])))
        if len(starts) == flat.size:
            full[at] += values[order]
        elif full.size:
            full[at[starts]] += np.add.reduceat(values[order], starts, axis=0)
        return
    if FROM_NUMPY[full.dtype] in HALVES:
        wide = full.astype(np.float32)
        np.add.at(wide, key, values)
        full[...] = wide
    else:
        np.add.at(full, key, values)


def _is_rows(k):
    return isinstance(k, np.ndarray) and k.dtype == np.int64


def _scatter_array(g, key, shape):
    if isinstance(g, MetaArray):
        return meta_empty(shape, g.dtype)
    if len(key) == 1 and _is_rows(key[0]) and g.shape == key[0].shape + shape[1:]:
        made = indexed.sum_rows(g, key[0], shape[0])
        if made is not None:
            return made
    full = np.zeros(shape, g.dtype)
    if len(key) == 1 and isinstance(key[0], np.ndarray) and key[0].dtype.kind == "b":
        full[key] = g  # a mask names each place at most once
    else:
        accumulate_at(full, key, g)
    return full


_scatter_key = primitive("index_backward", _scatter_array, vjp={"g": lambda g, key: _gather_key(g, key=key)})


def _slow_view(self, key):
    try:
        return _select_key(self, key=key)
    except IndexError as error:
        raise _index_error(error, key, self._array.shape) from None


def _index_error(error, key, shape):
    """The error for a subscript that NumPy refused, in PyTorch's words."""
    text = str(error)
    found = re.match(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)", text)
    too_many = text.startswith("too many indices")
    if len(shape) == 0 and (found or too_many):
        return IndexOutOfRange(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
            "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number",
            why="the tensor holds one number and has no dimensions",
            fix="use `x.item()`",
        )
    if found:
        i, d, n = map(int, found.groups())
        arrays = [k for k in key if isinstance(k, np.ndarray) and k.dtype.kind == "i"] if key.__class__ is tuple else []
        bad = next((k for k in arrays if (k == i).any()), None)
        return no_such_element(i, d, n, shape) if bad is None else outside(bad, n, d, low=-n)
    if too_many:
        return IndexOutOfRange(
            f"too many indices for tensor of dimension {len(shape)}",
            why=f"the tensor has shape {tuple(shape)}",
            fix=f"use at most {len(shape)} indices",
        )
    if "broadcast" in text and isinstance(key, tuple):
        return _unlike(key)
    return IndexOutOfRange(
        f"{text}",
        why=f"the tensor has shape {tuple(shape)}",
        fix=f"use at most {len(shape)} indices, each inside its size",
    )


def _unlike(key):
    """The error for several tensors of indices that do not broadcast."""
    shapes = ", ".join([str(list(k.shape)) for k in key if isinstance(k, np.ndarray)])
    return IndexOutOfRange(
        f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}",
        why="several tensors of indices name one element together, so they are matched element by element",
        fix="use `x[rows[:, None], columns]` for all pairs of rows and columns",
    )


def _rows_chosen(t, order, made):
    """Tell the checks that `made` holds most rows of `t`, in a certain order."""
    if order.ndim == 1 and order.dtype.kind == "i" and t._array.ndim and 2 * order.size >= t._array.shape[0]:
        from ..checks.data import rows_chosen  # noqa: PLC0415 - only when rows are put in order

        rows_chosen(t, order, made)


def _getitem(self, key):
    """x[key]: a view for ints, slices, None and ...; a copy for index tensors and masks."""
    kind = key.__class__
    if kind is int or (kind is tuple or kind is slice or key is None) and _is_quick(key):
        return _quick_view(self, key)
    if kind is Tensor and key._array.dtype == np.int64 and key._array.ndim and self._array.ndim:
        arrays = (key._array,)  # one index tensor: rows
        if key._tag is not None and log.on:
            rules.indexed(self, key)
    else:
        basic, arrays = parse_key(key, self._array.shape)
        if arrays is not None and log.on:
            _look_at_masks(self, key)
        if basic is not None:
            self = _slow_view(self, basic)
        if arrays is None:
            return self
    if type(self._array) is np.ndarray and MetaArray in map(type, arrays):
        raise mixed(META, CPU)  # index tensors of an accelerator; those on the CPU serve any tensor
    try:
        made = _gather_key(self, key=arrays)
        if log.on and len(arrays) == 1 and not self._rg:
            _rows_chosen(self, arrays[0], made)
        return made
    except IndexError as error:
        raise _index_error(error, arrays, self._array.shape) from None
    except ShapeError as error:
        raise _unlike(arrays) from error


def _look_at_masks(x, key):
    """Tell the rules of an index tensor that was made of a mask."""
    for dim, k in enumerate(key if key.__class__ is tuple else (key,)):
        if k.__class__ is Tensor and k._tag is not None and k._array.dtype.kind == "i":
            rules.indexed(x, k, dim)


_SLICE_ENDS = (int, type(None))
_NUMBERS = (int, float, bool)


def _is_quick(key) -> bool:
    """Whether a subscript has only ints and plain slices."""
    for k in key if key.__class__ is tuple else (key,):
        c = k.__class__
        if (
            c is not int
            and k is not None
            and k is not Ellipsis
            and not (
                c is slice and k.step is None and k.start.__class__ in _SLICE_ENDS and k.stop.__class__ in _SLICE_ENDS
            )
        ):
            return False
    return True


_ndarray = np.ndarray


def _quick_view(self, key):
    """The view of a subscript of ints and plain slices: the common case, kept short."""
    a = self._array
    try:
        r = a[key]
        if not isinstance(r, _ndarray):  # NumPy gives a number; PyTorch a view without dimensions
            r = a[(*key, ...) if key.__class__ is tuple else (key, ...)]
    except IndexError as error:
        raise _index_error(error, key, a.shape) from None
    last = key[-1] if key.__class__ is tuple and key else key
    op = _select_int if last.__class__ is int else _select_key if last is not None else _select_new
    return linked(self, r, op, {"key": key})


_select_int = view_primitive(
    "select", _select_array, node="SelectBackward0",
    vjp={"input": lambda g, key, input_shape: _unslice(g, key=key, shape=input_shape)},
)  # fmt: skip


_select_new = view_primitive(
    "unsqueeze_key", _select_array, node="UnsqueezeBackward0",
    vjp={"input": lambda g, key, input_shape: _unslice(g, key=key, shape=input_shape)},
)  # fmt: skip


def _setitem(self, key, value):
    """x[key] = value."""
    a = self._array
    if (
        value.__class__ in _NUMBERS
        and not listeners
        and -60000 < value < 60000  # what any floating-point dtype holds
        and 0 not in a.strides
        and _is_quick(key)
        and a.dtype.kind == "f"
        and not (state.grad and (self._rg or self._base is not None and self.requires_grad))
    ):
        check_writable(self)
        try:
            a[key] = value
        except IndexError as error:
            raise _index_error(error, key, a.shape) from None
        self._wrote()
        return
    basic, arrays = parse_key(key, self._array.shape)
    if arrays is not None and log.on:
        _look_at_masks(self, key)
    if isinstance(value, Tensor):
        source = value
    else:
        if not isinstance(value, (*NUMBERS, np.ndarray)):
            raise ArgumentTypeError(
                f"can't assign a {type(value).__name__} to a {self.type()}",
                why="the elements of a tensor are numbers",
                fix="use `torch.tensor(value)`, which makes a tensor of a list",
            )
        source = as_tensor(value, "__setitem__", 2, "value")
        if source._array.dtype != self._array.dtype or not source._array.ndim:
            if not source._array.ndim and not isinstance(value, np.ndarray):
                source = wrap(stored_scalar(value, self._array.dtype))
            else:
                source = wrap(source._array.astype(self._array.dtype))
    target = self
    if basic is not None:
        target = _slow_view(self, basic)
    if arrays is None:
        while source.ndim > target.ndim and source.shape[0] == 1:
            source = reshape(source, source.shape[1:])
        target.copy_(source)
        return
    index_put(target, arrays, source, False)


def index_put(target, key, source, accumulate):
    """target[key] = source (or += source) for an array key; returns target."""
    check_writable(target)
    a = target._array
    try:
        shape = a.view(np.ndarray)[key].shape
    except IndexError as error:
        raise _index_error(error, key, a.shape) from None
    b = source._array
    if type(a) is not type(b) and b.ndim or type(a) is np.ndarray and MetaArray in map(type, key):
        raise mixed(device_of(a), device_of(b) if b.ndim and type(a) is not type(b) else META)
    while b.ndim > len(shape) and b.shape[0] == 1:
        source = reshape(source, b.shape[1:])
        b = source._array
    try:
        np.broadcast_to(b, shape)
    except ValueError:
        raise ShapeError(
            f"shape mismatch: value tensor of shape {list(b.shape)} cannot be broadcast to indexing "
            f"result of shape {list(shape)}",
            why=f"the subscript selects elements of shape {tuple(shape)}",
            fix="pass a value of that shape, or one that broadcasts to it",
        ) from None
    if state.grad and (target.requires_grad or source.requires_grad):
        return assign(target, _put(target, source, key=key, accumulate=accumulate))
    change("index_put", _put_into, a, b, key, accumulate)
    target._wrote()
    return target


def _put_into(a, b, key, accumulate):
    if accumulate:
        accumulate_at(a, key, b.astype(a.dtype, copy=False))
    elif type(a) is np.ndarray:
        a[key] = b.real if b.dtype.kind == "c" and a.dtype.kind != "c" else b


def _put_array(input, src, key, accumulate):
    out = input.copy()
    if accumulate:
        accumulate_at(out, key, src.astype(out.dtype, copy=False))
    else:
        out[key] = src
    return out


_put = primitive(
    "index_put", _put_array,
    vjp={"input": lambda g, key, accumulate: g if accumulate
         else _put(g, wrap(constant(np.zeros((), g._array.dtype))), key=key, accumulate=False),
         "src": lambda g, key: _gather_key(g, key=key)},
)  # fmt: skip

attach("__getitem__", _getitem)
attach("__setitem__", _setitem)


def _put_key(input, indices):
    indices = tuple(indices)
    for k in indices:
        if k is not None and not isinstance(k, Tensor):
            raise ArgumentTypeError(
                f"index_put_(): argument 'indices' (position 1) must be tuple of Tensors, not "
                f"tuple of {type(k).__name__}",
                why="there is one tensor of indices for each dimension",
                fix="pass `(torch.tensor([0, 1]),)`",
            )
    key = tuple([slice(None) if k is None else k for k in indices])
    parts = [wrap(k._array.reshape(1)) if isinstance(k, Tensor) and not k.ndim else k for k in key]
    basic, arrays = parse_key(tuple(parts), input._array.shape)
    return arrays


@public("index_put", method=True, aliases=())
def _index_put(input, indices, values, accumulate=False):
    """A copy with `values` stored (or added) where the index tensors point.

    indices: tuple of index tensors, or None for a whole dimension.

    >>> import flambeau as torch
    >>> torch.index_put(torch.zeros(3), (torch.tensor([0, 2]),), torch.tensor([1.0, 2.0]))
    tensor([1., 0., 2.])
    """
    need_tensor(input, "index_put")
    if values.dtype is not input.dtype:
        raise IndexOutOfRange(
            f"Index put requires the source and destination dtypes match, got {input.dtype} for the "
            f"destination and {values.dtype} for the source.",
            why="values are stored as they are",
            fix=f"use `values.to(torch.{input.dtype.name})`",
        )
    key = _put_key(input, indices)
    return input.clone() if key is None else index_put(input.clone(), key, values, accumulate)


@public(method=True)
def index_put_(input, indices, values, accumulate=False):
    """Store (or add) `values` where the index tensors point, in place.

    >>> import flambeau as torch
    >>> torch.zeros(3).index_put_((torch.tensor([0, 0]),), torch.tensor([1.0, 2.0]), accumulate=True)
    tensor([3., 0., 0.])
    """
    if values.dtype is not input.dtype:
        raise IndexOutOfRange(
            f"Index put requires the source and destination dtypes match, got {input.dtype} for the "
            f"destination and {values.dtype} for the source.",
            why="values are stored as they are",
            fix=f"use `values.to(torch.{input.dtype.name})`",
        )
    key = _put_key(input, indices)
    return input if key is None else index_put(input, key, values, accumulate)
