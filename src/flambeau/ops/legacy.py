"""Tensor types by their old names: `torch.FloatTensor(2, 3)`, `x.type()`, `x.new(2)`."""

from __future__ import annotations

import numpy as np

from .. import devices, dtypes
from ..dtypes import dtype as _dtype
from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from ..tensor import Size, Tensor, wrap
from .entry import METHODS, REGISTRY, public
from .from_data import array_of
from .shape import sizes_of

DTYPES = {
    "FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64, "HalfTensor": dtypes.float16,
    "BFloat16Tensor": dtypes.bfloat16, "LongTensor": dtypes.int64, "IntTensor": dtypes.int32,
    "ShortTensor": dtypes.int16, "CharTensor": dtypes.int8, "ByteTensor": dtypes.uint8, "BoolTensor": dtypes.bool,
    "ComplexFloatTensor": dtypes.complex64, "ComplexDoubleTensor": dtypes.complex128,
}  # fmt: skip
NAMES = {d: n for n, d in DTYPES.items()}


def build(data, dt) -> Tensor:
    """The tensor that `FloatTensor(*data)` makes: sizes make it uninitialised, a sequence gives its values."""
    if len(data) == 1 and isinstance(data[0], (float, complex)):
        raise ArgumentTypeError(
            f"new(): data must be a sequence (got {type(data[0]).__name__})",
            why="a single number is not taken for a size or a list",
            fix=f"use `torch.tensor({data[0]})`",
        )
    if len(data) == 1 and not isinstance(data[0], (int, np.integer, Size)):
        if isinstance(data[0], Tensor):
            if data[0].dtype is not dt:
                raise ArgumentTypeError(
                    f"expected {dt} (got {data[0].dtype})",
                    why="the two dtypes differ, and values are not converted here",
                    fix=f"use `x.to(torch.{dt.name})`",
                )
            return data[0].detach()
        return wrap(array_of(data[0], dt))
    shape = sizes_of(data) if data else (0,)
    if min(shape, default=0) < 0:
        raise ShapeError(
            f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}",
            why="a size counts elements",
            fix="pass sizes of 0 or more",
        )
    return wrap(np.empty(shape, dt.numpy))


setattr(Tensor, "_legacy", staticmethod(lambda data, dt, device=None: build(data, dt)._array))  # noqa: B010


class _TypedTensor(type):
    """`isinstance(x, torch.FloatTensor)` asks for the dtype: the one thing that needs a metaclass."""

    def __instancecheck__(cls, obj):
        return isinstance(obj, Tensor) and obj.dtype is cls.dtype and not obj.is_meta


def _make(name, dt):
    def __new__(cls, *data, device=None):
        return build(data, dt)

    body = {"__new__": __new__, "dtype": dt, "__module__": "torch", "is_cuda": False,
            "__doc__": f"The old name of {dt} tensors: `torch.{name}(sizes)`, `torch.{name}(sequence)`."}  # fmt: skip
    return _TypedTensor(name, (), body)


for _name, _dt in DTYPES.items():
    REGISTRY[_name] = _make(_name, _dt)


@public("type", method=True, function=False)
def tensor_type(self, dtype=None, non_blocking=False, **kwargs):
    """The old name of the tensor's type, such as 'torch.FloatTensor'; with an argument, the tensor converted.

    >>> import flambeau as torch
    >>> torch.ones(2).type()
    'torch.FloatTensor'
    >>> torch.ones(2).type(torch.LongTensor).dtype
    torch.int64
    """
    if dtype is None:
        return f"torch.{NAMES.get(self.dtype, self.dtype.name.title() + 'Tensor')}"
    if isinstance(dtype, _dtype):
        return self.to(dtype)
    name = dtype if isinstance(dtype, str) else f"torch.{getattr(dtype, '__name__', dtype)}"
    short = name.removeprefix("torch.")
    if short == "Tensor":
        return self.to(dtypes.get_default_dtype())
    if name.startswith("torch.cuda."):
        return self.to(devices.usable("cuda"))
    if not name.startswith("torch.") or short not in DTYPES:
        raise ArgumentError(
            f"invalid type: '{name}'",
            why="dtypes and types of tensors are named as in `torch.float32` or `torch.FloatTensor`",
            fix="use `x.to(torch.float32)`",
        )
    return self.to(DTYPES[short])


@public(method=True, function=False)
def new(self, *data, device=None):
    """A tensor of this tensor's dtype: `new(sizes)` uninitialised, `new(sequence)` with values."""
    return build(data, self.dtype)


if "type_as" not in METHODS:

    @public(method=True, function=False)
    def type_as(self, other):
        """The tensor in the dtype of another."""
        return self.to(other)
