"""Tensors in another dtype or on another device: to, float, cpu..."""

from __future__ import annotations

import numpy as np

from .. import devices, dtypes
from ..arrays import meta_empty
from ..checks import dtypes as rules
from ..checks.halves import narrowed
from ..checks.log import log
from ..checks.tags import FROM_INTEGERS, tag
from ..errors import ArgumentTypeError, NotSupported
from ..kernels.casts import cast
from ..tensor import Tensor, attach, wrap
from .entry import primitive, public
from .shape import _clone, preserve_format

_to_copy = primitive("to", lambda input, dt: _astype(input, dt), vjp={"input": lambda g: g}, node="ToCopyBackward0")


def _astype(a, np_dtype):
    if a.dtype.kind == "c" and np_dtype.kind != "c":
        a = a.real
    if np_dtype.kind in "iu" and a.dtype.kind == "f":
        if np_dtype.itemsize < 8:  # as C does: through int64, then cut
            a = a.astype(np.int64)
    return cast(a, np_dtype)


def _to_device(t, dev):
    """Only the way to `meta` exists on a machine without accelerator."""
    if dev is t.device:
        return t
    if dev is devices.META:
        return wrap(meta_empty(t._array.shape, t._array.dtype))
    raise NotSupported(
        "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() "
        "instead of torch.nn.Module.to() when moving module from meta to a different device.",
        why="a meta tensor has a shape and a dtype, but no values",
        fix='use `module.to_empty(device="cpu")` and set the parameters, or `torch.empty_like(x, device="cpu")`',
    )


@public(method=True, function=False)
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=preserve_format, other=None):
    """The tensor in another dtype or on another device; itself if nothing changes.

    Forms: `to(dtype)`, `to(device, dtype)`, `to(other)`.

    >>> import flambeau as torch
    >>> torch.tensor([1, 2]).to(torch.float64)
    tensor([1., 2.], dtype=torch.float64)
    """
    for a in args:
        if isinstance(a, dtypes.dtype):
            dtype = a
        elif isinstance(a, (devices.device, str)):
            device = a
        elif isinstance(a, Tensor):
            dtype, device = a.dtype, a.device
        elif isinstance(a, bool):
            positional = [x for x in args if isinstance(x, bool)]
            non_blocking, copy = (*positional, copy)[:2] if len(positional) > 1 else (positional[0], copy)
        elif isinstance(a, int):
            device = devices.device("cuda", a)
        elif a is not None:
            raise ArgumentTypeError(
                f"to() received an invalid combination of arguments - got ({type(a).__name__}), but "
                "expected a dtype, a device or a tensor",
                why=f"a {type(a).__name__} is neither a dtype nor a device nor a tensor",
                fix='use `x.to(torch.float32)` or `x.to("cpu")`',
            )
    if other is not None:
        dtype, device = other.dtype, other.device
    made = self
    if device is not None:
        made = _to_device(made, devices.usable(device))
    if dtype is not None and dtype.numpy != made._array.dtype:
        made = _to_copy(made, dt=dtype.numpy)
        if self._array.dtype.kind in "iu" and dtype.is_floating_point:
            made._tag = FROM_INTEGERS if made._tag is None else made._tag._replace(options={"integers": True})
        elif self._array.dtype.kind == "b" and dtype.numpy.kind in "iu" and log.on:
            tag(made, "bool_cast")
    elif copy and made is self:
        made = _clone(made)
    if memory_format is not preserve_format:
        made = made.contiguous(memory_format=memory_format)
    if made is not self and log.conversions and log.on:
        log.conversions -= 1
        rules.converted(self, "to")
        if made._array.dtype == np.float16:
            narrowed(self, made)
    return made


def _cast(name, dt):
    def convert(self, memory_format=preserve_format):
        return self.to(dt, memory_format=memory_format)

    convert.__name__ = name
    convert.__doc__ = f"The tensor as {dt}; itself if it is already."
    attach(name, convert)


for _name in ("bool", "half", "bfloat16", "float", "double", "short", "int", "long", "cfloat", "cdouble"):
    _cast(_name, getattr(dtypes, _name))
_cast("byte", dtypes.uint8)
_cast("char", dtypes.int8)


@public(method=True, function=False)
def cpu(self, memory_format=preserve_format):
    """The tensor on the CPU.

    >>> import flambeau as torch
    >>> torch.tensor([1, 2]).cpu()
    tensor([1, 2])
    """
    return self.to("cpu", memory_format=memory_format)


@public(method=True, function=False)
def cuda(self, device=None, non_blocking=False, memory_format=preserve_format):
    """The tensor on a CUDA device; an error where there is none."""
    return self.to(devices.device("cuda") if device is None else device)
