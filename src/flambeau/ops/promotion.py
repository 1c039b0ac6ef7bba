"""Which dtype a mixture of tensors and Python numbers computes in, and the arrays in that dtype."""

from __future__ import annotations

import math
import numbers

import numpy as np

from .. import dtypes
from ..arrays import device_of, mixed
from ..dtypes import FROM_NUMPY, dtype, promote_types
from ..errors import ArgumentTypeError, DtypeError, FlambeauError, ShapeError, TooLarge
from ..kernels.record import constant
from ..mistakes.products import clash
from ..tensor import Tensor, wrap

NUMBERS = (int, float, complex, bool, np.generic)


def number_dtype(x) -> dtype:
    """The dtype that a Python number stands for."""
    if isinstance(x, (bool, np.bool_)):
        return dtypes.bool
    if isinstance(x, (int, np.integer)):
        return dtypes.int64
    if isinstance(x, (float, np.floating)):
        return dtypes.get_default_dtype()
    return dtypes.get_default_dtype().to_complex()


def _combine(high: dtype | None, low: dtype | None) -> dtype | None:
    """The dtype of operands of two priorities: the lower one counts only if its category is higher."""
    if high is None or low is None:
        return high or low
    if high.is_complex:
        return high
    if high.is_floating_point:
        return high.to_complex() if low.is_complex else high
    if high is dtypes.bool or low.category > 1:
        return promote_types(high, low)
    return high


def result_type(*operands) -> dtype:
    """The dtype in which PyTorch computes with these tensors and numbers.

    >>> import flambeau as torch
    >>> torch.result_type(torch.tensor([1, 2], dtype=torch.int8), 1.5)
    torch.float32
    """
    full = zero = number = None
    for x in operands:
        if isinstance(x, Tensor):
            d = x.dtype
            if x._array.ndim:
                full = d if full is None else promote_types(full, d)
            else:
                zero = d if zero is None else promote_types(zero, d)
        elif isinstance(x, dtype):
            full = x if full is None else promote_types(full, x)
        else:
            d = number_dtype(x)
            number = d if number is None else promote_types(number, d)
    return _combine(_combine(full, zero), number)  # type: ignore[return-value]  # there is at least one operand


def as_tensor(x, name="", position=1, argument="input") -> Tensor:
    """A tensor argument: tensors as they are, numbers and arrays wrapped; TypeError for anything else."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, NUMBERS) or isinstance(x, numbers.Number):
        return wrap(constant(np.asarray(x, number_dtype(x).numpy)))
    if isinstance(x, np.ndarray):
        return wrap(x)
    raise ArgumentTypeError(
        f"{name}(): argument '{argument}' (position {position}) must be Tensor, not {type(x).__name__}",
        why="the function works on tensors",
        fix=f"use `torch.as_tensor({argument})`",
    )


def cast(array: np.ndarray, np_dtype) -> np.ndarray:
    """An array in another dtype; the same one if it has it already."""
    return array if array.dtype == np_dtype else array.astype(np_dtype)


_C_NAMES = {"float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16"}


def stored_scalar(x, np_dtype) -> np.ndarray:
    """A Python number to be stored in a tensor, as a 0-dimensional array. RuntimeError when the dtype cannot hold it.

    As in PyTorch, negative numbers wrap around in unsigned dtypes.
    """
    kind, fits = np_dtype.kind, True
    if isinstance(x, int) and not -(1 << 63) <= x < 1 << 64:
        raise TooLarge(
            "int too big to convert",
            why=f"{x} needs more than 64 bits",
            fix="use a float, such as `float(x)`, with a floating point tensor",
        )
    if kind == "c" or kind == "b":
        return np.asarray(x).astype(np_dtype)
    if isinstance(x, (complex, np.complexfloating)):
        fits, x = x.imag == 0, x.real
    if kind in "iu":
        info = np.iinfo(np_dtype)
        fits = fits and math.isfinite(x) and (info.min or -info.max - 1) <= int(x) <= info.max
        if fits:
            return scalar_array(int(x), np_dtype)
    elif math.isfinite(x):
        with np.errstate(all="ignore"):
            fits = fits and bool(np.isfinite(np.asarray(x, np_dtype).astype(np.float64)))
    if not fits:
        d = FROM_NUMPY[np_dtype].name
        raise DtypeError(
            f"value cannot be converted to type {_C_NAMES.get(d, d + '_t')} without overflow",
            why=f"{x} is not a number that {d} holds",
            fix="convert the tensor to a wider dtype first: `x.to(torch.float64)`",
        )
    return constant(np.asarray(x, np_dtype))


def scalar_array(x, np_dtype) -> np.ndarray:
    """A Python number as a 0-dimensional array; integers wrap around as in PyTorch."""
    if isinstance(x, int) and not -(1 << 63) <= x < 1 << 64:
        raise TooLarge(
            "int too big to convert",
            why=f"{x} needs more than 64 bits",
            fix="use a float, such as `float(x)`, with a floating point tensor",
        )
    if np_dtype.kind in "iu" and isinstance(x, int) and not isinstance(x, bool):
        bits = np_dtype.itemsize * 8
        x &= (1 << bits) - 1
        if np_dtype.kind == "i" and x >> (bits - 1):
            x -= 1 << bits
    return constant(np.asarray(x, np_dtype)) if not isinstance(x, np.ndarray) else x.astype(np_dtype)


def broadcast_error(a, b, x=None, y=None, name="") -> FlambeauError:
    """The error for two shapes that do not broadcast; x, y, name: the tensors and the operation, where known."""
    n = max(len(a), len(b))
    pa, pb = (1,) * (n - len(a)) + tuple(a), (1,) * (n - len(b)) + tuple(b)
    for i in reversed(range(n)):
        if pa[i] != pb[i] and 1 not in (pa[i], pb[i]):
            return clash(
                f"The size of tensor a ({pa[i]}) must match the size of tensor b ({pb[i]}) at non-singleton "
                f"dimension {i}",
                tuple(a), tuple(b), x, y, name,
            )  # fmt: skip
    return ShapeError(
        f"shapes {tuple(a)} and {tuple(b)} cannot be broadcast together",
        why="aligned from the right, sizes must be equal or 1",
        fix="bring them to one shape with `unsqueeze`, `reshape` or `transpose`",
    )


def check_devices(*tensors):
    """DeviceError when tensors live on different devices (0-dimensional CPU tensors go anywhere)."""
    first = None
    for t in tensors:
        if t is not None and t._array.ndim:
            here = device_of(t._array)
            if first is None:
                first = here
            elif here is not first:
                raise mixed(first, here)


def dtype_of(array: np.ndarray) -> dtype:
    """The dtype of an array."""
    return FROM_NUMPY[array.dtype]
