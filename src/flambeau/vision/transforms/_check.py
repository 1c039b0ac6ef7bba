"""Checks of transforms' arguments, in torchvision's words."""

import numbers
from collections.abc import Sequence

__all__ = ["factor_range", "pair", "sequence", "symmetric_range"]


def sequence(x, name: str, sizes: tuple[int, ...]) -> None:
    """A sequence of one of these lengths."""
    message = str(sizes[0]) if len(sizes) < 2 else " or ".join(str(s) for s in sizes)
    if not isinstance(x, Sequence):
        raise TypeError(f"{name} should be a sequence of length {message}.")
    if len(x) not in sizes:
        raise ValueError(f"{name} should be a sequence of length {message}.")


def symmetric_range(x, name: str, sizes: tuple[int, ...] = (2,)) -> list[float]:
    """A number x as (-x, x); a sequence as floats."""
    if isinstance(x, numbers.Number):
        if x < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be positive.")
        x = [-x, x]  # type: ignore[operator]
    else:
        sequence(x, name, sizes)
    return [float(d) for d in x]


def factor_range(value, name: str, centre: float = 1, limits=(0, float("inf")), clip: bool = True):
    """The interval that a colour factor is drawn from; None if it is the neutral value alone."""
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        value = [centre - float(value), centre + float(value)]  # type: ignore[arg-type]
        if clip:
            value[0] = max(value[0], 0.0)
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        value = [float(value[0]), float(value[1])]
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not limits[0] <= value[0] <= value[1] <= limits[1]:
        raise ValueError(f"{name} values should be between {limits}, but got {value}.")
    return None if value[0] == value[1] == centre else tuple(value)


def pair(size, error_msg: str) -> tuple[int, int]:
    """A number or a sequence of one or two as two numbers."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(error_msg)
    return size
