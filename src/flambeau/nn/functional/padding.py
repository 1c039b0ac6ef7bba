"""Padding of the last dimensions: with a constant, by reflection, by repeating the edge, or around in a circle."""

from __future__ import annotations

import operator

import numpy as np

from ...errors import ArgumentTypeError, DtypeError, NotSupported, ShapeError
from ...ops.padding import _pad_constant, _take_axis
from ...ops.promotion import scalar_array
from ...ops.shape import need_tensor
from ...tensor import Tensor


def pad(input, pad, mode="constant", value=None):
    """The input with room added (or, for negative numbers, taken away) at both ends of its last dimensions.

    Arguments:
        pad: (left, right) of the last dimension, then (top, bottom) of the one before it, and so on.
        mode: "constant", "reflect" (without repeating the edge), "replicate" (the edge) or "circular"; all but the
            first take (C, *) or (N, C, *) with one, two or three padded dimensions.
        value: what to fill with in mode "constant"; default 0.

    >>> import flambeau as torch
    >>> torch.nn.functional.pad(torch.tensor([[1, 2, 3]]), (2, 0), mode="constant", value=9)
    tensor([[9, 9, 1, 2, 3]])
    """
    need_tensor(input, "pad")
    sizes = _numbers(pad)
    if len(sizes) % 2:
        raise ShapeError(
            "Padding length must be divisible by 2",
            why=f"it has {len(sizes)} numbers, and each padded dimension takes two: before and after",
            fix=f"use {len(sizes) + 1} numbers, with 0 where nothing is to be added",
        )
    if len(sizes) > 2 * input.ndim:
        raise ShapeError(
            "Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(sizes)} and input of dimension {input.ndim}",
            why="each dimension takes two numbers, the last dimension first",
            fix=f"use at most {2 * input.ndim} numbers",
        )
    pairs = list(zip(sizes[::2], sizes[1::2]))[::-1]  # first padded dimension first
    if mode == "constant":
        return _constant(input, pairs, 0 if value is None else value)
    if value is not None and value != 0:
        raise ShapeError(
            f'Padding mode "{mode}" doesn\'t take in value argument',
            why=f"mode {mode!r} fills with values of the input itself",
            fix='leave value out, or use `mode="constant"`',
        )
    if mode not in _POSITIONS:
        raise NotSupported(
            f"Unrecognised padding mode {mode}",
            why="the mode says what fills the new elements",
            fix='use "constant", "reflect", "replicate" or "circular"',
        )
    n = len(pairs)
    if not (n in (1, 2, 3) and input.ndim in (n + 1, n + 2)):
        raise NotSupported(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now",
            why=f"mode {mode!r} pads the last 1, 2 or 3 dimensions of (C, *) or (N, C, *); the input has "
            f"{input.ndim} dimensions and the padding names {n}",
            fix='use `x.unsqueeze(0)` to add the missing dimension, or `mode="constant"`',
        )
    return _by_position(input, pairs, mode)


def _numbers(pad) -> list[int]:
    if not isinstance(pad, (tuple, list)) and not isinstance(pad, Tensor):
        raise ArgumentTypeError(
            f"pad(): argument 'pad' (position 2) must be tuple of ints, not {type(pad).__name__}",
            why="it names how many elements to add before and after, from the last dimension on",
            fix=f"use `({pad}, {pad})` for the last dimension"
            if isinstance(pad, int)
            else "use a tuple such as `(1, 1)`",
        )
    try:
        return [operator.index(p) for p in pad]
    except TypeError:
        at = next(i for i, p in enumerate(pad) if not hasattr(p, "__index__"))
        raise ArgumentTypeError(
            "pad(): argument 'pad' (position 2) must be tuple of ints, but found element of type "
            f"{type(pad[at]).__name__} at pos {at}",
            why="it counts elements",
            fix=f"use `int({pad[at]!r})` if that is what is meant",
        ) from None


def _constant(input, pairs, value):
    lead = input.ndim - len(pairs)
    widths = ((0, 0),) * lead + tuple(pairs)
    for i, (size, (low, high)) in enumerate(zip(input.shape, widths)):
        if size + low + high < 0 and (low > 0 or high > 0):
            raise ShapeError(
                f"The input size {size}, plus negative padding {low} and {high} resulted in a negative output size, "
                f"which is invalid. Check dimension {i} of your input.",
                why=f"negative padding takes {-min(low, high)} elements away, and there are {size + max(low, high)}",
                fix=f"take at most {size} away in all",
            )
        if size + low + high < 0:
            raise ShapeError(
                "narrow(): length must be non-negative.",
                why=f"padding ({low}, {high}) takes more than dimension {i} of size {size} has",
                fix=f"take at most {size} away in all",
            )
    dtype = input._array.dtype
    if dtype.kind == "b":
        value = bool(value)
    elif dtype.kind in "iu" and isinstance(value, float):
        value = int(value)
    return _pad_constant(input, widths=widths, value=scalar_array(value, dtype)[()])


def _reflected(low, high, size):
    i = np.arange(-low, size + high)
    period = 2 * (size - 1)
    i = np.abs(i) % period if period else i * 0
    return np.where(i >= size, period - i, i)


def _circular(low, high, size):
    """Negative padding is cut off first; what is left goes round."""
    first, left = max(-low, 0), size - max(-low, 0) - max(-high, 0)
    return first + np.arange(-max(low, 0), left + max(high, 0)) % left


def _repeated(low, high, size):
    return np.clip(np.arange(-low, size + high), 0, size - 1)


_POSITIONS = {"reflect": _reflected, "replicate": _repeated, "circular": _circular}


def _by_position(input, pairs, mode):
    n = len(pairs)
    shape = input.shape
    if 0 in shape[-n - 1 :]:
        raise ShapeError(
            f"Expected {n + 1}D or {n + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(shape)}",
            why=f"the new elements are copies of those along the last {n} dimension(s), and one of these is empty",
            fix='use `mode="constant"`, or find out why the input is empty',
        )
    out = input
    for axis, (low, high) in zip(range(input.ndim - n, input.ndim), pairs):
        size = shape[axis]
        if mode == "reflect" and (low >= size or high >= size):
            raise ShapeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({low}, {high}) at dimension {axis} of input {list(shape)}",
                why=f"reflection leaves the edge itself out, so there are only {size - 1} element(s) to reflect",
                fix='use a smaller padding, or `mode="replicate"`',
            )
        if mode == "circular" and (low > size or high > size):
            raise ShapeError(
                "Padding value causes wrapping around more than once.",
                why=f"padding ({low}, {high}) repeats more than the {size} elements that dimension {axis} has",
                fix=f"use at most {size} on each side, or `x.repeat(...)` first",
            )
        if size + low + high <= 0 and (low < 0 or high < 0):
            raise DtypeError(
                f"input (with size {size} in dimension {axis}) is too small for padding ({low}, {high}): the "
                f"calculated output size is {size + low + high}",
                why="negative padding takes away more than there is",
                fix=f"take less than {size} away in all",
            )
        if low or high:
            where = _POSITIONS[mode](low, high, size)
            out = _take_axis(out, where=where, axis=axis)
    return out if out is not input else input.clone()
