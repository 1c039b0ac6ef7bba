"""Indexing: reading and writing parts of a tensor; copy_, fill_, zero_, masked_fill, where."""

from __future__ import annotations

import numpy as np

from ..arrays import MetaArray
from ..autograd.mode import state
from ..errors import GradientError, IndexOutOfRange, ShapeError
from ..tensor import Tensor, attach, wrap
from .entry import assign, check_writable, primitive, public
from .promotion import as_tensor, result_type, scalar_array
from .shape import _select_key, need_tensor

# ---------------------------------------------------------------------- whole-tensor writes

_overwrite = primitive(
    "copy", lambda input, src: np.broadcast_to(src, input.shape).astype(input.dtype),
    vjp={"input": lambda g: g * 0, "src": lambda g: g}, node="CopyBackwards",
)  # fmt: skip


def _write(self, source):
    """Store `source` (a tensor) in `self`, with history."""
    if state.grad and (self._rg or source._rg):
        check_writable(self)
        return assign(self, _overwrite(self, source))
    check_writable(self)
    a, b = self._array, source._array
    if a.dtype.kind != "c" and b.dtype.kind == "c":
        b = b.real
    a[...] = b
    self._bump()
    return self


@public(method=True, function=False)
def copy_(self, src, non_blocking=False):
    """Copy the values of `src` (broadcast, converted) into this tensor, in place."""
    src = as_tensor(src, "copy_", 1, "other")
    try:
        np.broadcast_to(src._array, self._array.shape)
    except ValueError:
        raise ShapeError(f"The size of tensor a ({self.shape[-1] if self.ndim else 1}) must match the size of tensor b "
                         f"({src.shape[-1] if src.ndim else 1}) at non-singleton dimension "
                         f"{max(self.ndim, src.ndim) - 1}") from None
    return _write(self, src)


@public(method=True, function=True)
def fill_(self, value):
    """Set every element to `value` (a number or a 0-dimensional tensor), in place."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
        return _write(self, value)
    return _write(self, wrap(scalar_array(value, self._array.dtype) if not isinstance(value, complex)
                             else np.asarray(value)))  # fmt: skip


@public(method=True, function=True)
def zero_(self):
    """Set every element to zero, in place."""
    return fill_(self, 0)


_masked_fill = primitive(
    "masked_fill", lambda input, mask, value: np.where(mask, value, input),
    vjp={"input": lambda g, mask: _masked_fill(g, mask, wrap(np.zeros((), g._array.dtype))),
         "value": lambda g, mask: (g * mask).sum()},
)  # fmt: skip


@public(method=True, inplace="method")
def masked_fill(input, mask, value):
    """A copy with `value` where `mask` (bool, broadcast) is True."""
    need_tensor(input, "masked_fill")
    need_tensor(mask, "masked_fill", "mask", 2)
    if mask._array.dtype != np.bool_:
        raise ShapeError(f"masked_fill only supports boolean masks, but got mask with dtype {mask.dtype}",
                         fix="mask.bool()")
    if isinstance(value, Tensor):
        if value.ndim:
            raise ShapeError("masked_fill only supports a 0-dimensional value tensor, but got tensor with "
                             f"{value.ndim} dimension(s).")
        value = value.to(input.dtype)
    else:
        if isinstance(value, complex) and not input.is_complex():
            raise ShapeError("value cannot be converted to type without overflow")
        value = wrap(scalar_array(value, input._array.dtype))
    return _masked_fill(input, mask, value)


# ---------------------------------------------------------------------- subscripts

_BASIC = (int, slice, type(None), type(Ellipsis), np.integer)


def _is_basic(key) -> bool:
    if key.__class__ is tuple:
        for k in key:
            if k.__class__ is bool or not isinstance(k, _BASIC):
                return False
        return True
    return key.__class__ is not bool and isinstance(key, _BASIC)


def _plain(key):
    """NumPy's form of a subscript: tensors become arrays."""
    if isinstance(key, Tensor):
        a = key._array
        return int(a) if a.ndim == 0 and a.dtype.kind in "iu" else a
    if isinstance(key, tuple):
        return tuple([_plain(k) for k in key])
    if isinstance(key, list):
        return np.asarray([_plain(k) for k in key], dtype=None if key else np.int64)
    if isinstance(key, slice):
        if key.step is not None and key.step <= 0:
            raise ValueError("step must be greater than zero")
        return slice(*[None if v is None else v.__index__() for v in (key.start, key.stop, key.step)])
    return key


_gather_key = primitive(
    "index", lambda input, key: np.ascontiguousarray(input[key]) if input.ndim else input[key],
    vjp={"input": lambda g, key, input_shape: _scatter_key(g, key=key, shape=input_shape)},
)  # fmt: skip


def _scatter_array(g, key, shape):
    full = np.zeros(shape, g.dtype)
    np.add.at(full, key, g)
    return full


_scatter_key = primitive("index_backward", _scatter_array, vjp={"g": lambda g, key: _gather_key(g, key=key)})


def _getitem(self, key):
    basic = _is_basic(key)
    plain = key if basic and key.__class__ is int else _plain(key)
    try:
        if basic or _is_basic(plain):
            return _select_key(self, key=plain)
        return _gather_key(self, key=plain)
    except IndexError as error:
        raise IndexOutOfRange(str(error), why=f"the tensor has shape {list(self.shape)}") from None


def _setitem(self, key, value):
    plain = _plain(key)
    if isinstance(value, Tensor):
        source = value
    else:
        source = as_tensor(value, "__setitem__", 2, "value")
        source = wrap(source._array.astype(self._array.dtype))
    try:
        if _is_basic(plain):
            target = _select_key(self, key=plain)
            while source.ndim > target.ndim and source.shape[0] == 1:
                source = source[0]
            target.copy_(source)
            return
        check_writable(self)
        if state.grad and (self._rg or source._rg):
            assign(self, _put(self, source, key=plain))
            return
        self._array[plain] = source._array
        self._bump()
    except IndexError as error:
        raise IndexOutOfRange(str(error), why=f"the tensor has shape {list(self.shape)}") from None


def _put_array(input, src, key):
    out = input.copy()
    out[key] = src
    return out


_put = primitive(
    "index_put", _put_array,
    vjp={"input": lambda g, key: _put(g, wrap(np.zeros((), g._array.dtype)), key=key),
         "src": lambda g, key: _gather_key(g, key=key)},
)  # fmt: skip

attach("__getitem__", _getitem)
attach("__setitem__", _setitem)
