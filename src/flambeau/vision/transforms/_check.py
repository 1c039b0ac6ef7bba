"""Checks of transforms' arguments, in torchvision's words."""

import numbers
from collections.abc import Sequence

from ...errors import ArgumentError, ArgumentTypeError

__all__ = ["factor_range", "pair", "sequence", "symmetric_range"]


def sequence(x, name: str, sizes: tuple[int, ...]) -> None:
    """A sequence of one of these lengths."""
    if not isinstance(x, Sequence):
        raise ArgumentTypeError(
            f"{name} should be a sequence of length {sizes[0]}."
            if len(sizes) == 1
            else f"{name} should be a sequence of length {sizes[0]} or {sizes[1]}.",
            why=f"it is {type(x).__name__}",
            fix="use a tuple of numbers",
        )
    if len(x) not in sizes:
        raise ArgumentError(
            f"{name} should be a sequence of length {sizes[0]}."
            if len(sizes) == 1
            else f"{name} should be a sequence of length {sizes[0]} or {sizes[1]}.",
            why=f"it has {len(x)} elements",
            fix=f"use a tuple of {sizes[0]} numbers",
        )


def symmetric_range(x, name: str, sizes: tuple[int, ...] = (2,)) -> list[float]:
    """A number x as (-x, x); a sequence as floats."""
    if isinstance(x, numbers.Number):
        if x < 0:  # type: ignore[operator]
            raise ArgumentError(
                f"If {name} is a single number, it must be positive.",
                why=f"it is {x}, and stands for the range from -{name} to {name}",
                fix="use a positive number",
            )
        x = [-x, x]  # type: ignore[operator]
    else:
        sequence(x, name, sizes)
    return [float(d) for d in x]


def factor_range(value, name: str, centre: float = 1, limits=(0, float("inf")), clip: bool = True):
    """The interval that a colour factor is drawn from; None if it is the neutral value alone."""
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ArgumentError(
                f"If {name} is a single number, it must be non negative.",
                why=f"it is {value}, the largest change that is drawn",
                fix="use a number from 0 on",
            )
        value = [centre - float(value), centre + float(value)]  # type: ignore[arg-type]
        if clip:
            value[0] = max(value[0], 0.0)
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        value = [float(value[0]), float(value[1])]
    else:
        raise ArgumentTypeError(
            f"{name} should be a single number or a list/tuple with length 2.",
            why=f"it is {value!r}",
            fix=f"use `{name}=0.2`, or a range such as `{name}=(0.8, 1.2)`",
        )
    if not limits[0] <= value[0] <= value[1] <= limits[1]:
        raise ArgumentError(
            f"{name} values should be between {limits}, but got {value}.",
            why="a range is (smallest, largest)",
            fix=f"use a range within {limits}",
        )
    return None if value[0] == value[1] == centre else tuple(value)


def pair(size, error_msg: str) -> tuple[int, int]:
    """A number or a sequence of one or two as two numbers."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ArgumentError(error_msg, why=f"it has {len(size)} numbers", fix="use one number, or (height, width)")
    return size
