"""How losses reduce: the names, and the two old flags that `reduction` replaced."""

from __future__ import annotations

from ..errors import ArgumentError
from ..language import warn

_NUMBERS = {"none": 0, "mean": 1, "elementwise_mean": 1, "sum": 2}


def get_enum(reduction: str) -> int:
    """0, 1 or 2 for 'none', 'mean' or 'sum'."""
    if reduction not in _NUMBERS:
        raise ArgumentError(
            f"{reduction} is not a valid value for reduction",
            why="the losses are returned as they are, averaged or summed",
            fix='use "none", "mean" or "sum"',
        )
    return _NUMBERS[reduction]


def legacy_get_string(size_average, reduce, emit_warning: bool = True) -> str:
    """The reduction that the old arguments size_average and reduce mean."""
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    found = "none" if not reduce else "mean" if size_average else "sum"
    if emit_warning:
        warn(f"size_average and reduce args will be deprecated, please use reduction='{found}' instead.", stacklevel=4)
    return found


def legacy_get_enum(size_average, reduce, emit_warning: bool = True) -> int:
    """The number of the reduction that the old arguments mean."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
