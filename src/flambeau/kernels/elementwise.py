"""Element-wise NumPy formulas on large arrays, as fused loops: threads, vectors, and no temporary arrays.

`large(formula)` gives a function that computes the same. A formula is run once for each combination of dtypes on
symbols (`bodies.trace`); where it uses what bodies do not have, it is called as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from .bodies import HALVES, KINDS, kinds, of_ufunc, trace
from .build import backend
from .loops import Loop, Output, Unsupported, run

_FORCED = int(os.environ.get("FLAMBEAU_KERNELS_FROM") or 0)
_CHEAP = 131072  # elements from which one pass over memory is worth a thread
_COSTLY = 4096  # for functions that NumPy computes slowly
_BETWEEN = 32768
_MEDIUM = {"div", "sqrt", "reciprocal", "sign", "remainder", "fmod"}
_SLOW = {"exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
         "sinh", "cosh", "tanh", "pow"}  # fmt: skip
_NOT_TRACED = (TypeError, ValueError, AttributeError, KeyError, IndexError)


def start(formula: Any) -> int:
    """How many elements an array must have for `large(formula)` to be faster than the formula."""
    name = of_ufunc(formula)
    if _FORCED:
        return _FORCED
    return _COSTLY if name in _SLOW else _BETWEEN if name is None or name in _MEDIUM else _CHEAP


def large(formula: Callable[..., Any], otherwise: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """The formula for large arrays that broadcast; arguments may also be NumPy scalars.

    otherwise: what computes arrays that no loop is made for; None: the formula.
    """
    otherwise = otherwise or formula
    known: dict[Any, Loop | None] = {}

    def compute(*given: Any) -> Any:
        key = tuple([(x.__class__, x.dtype) for x in given])
        try:
            loop = known[key]
        except KeyError:
            loop = known[key] = _loop(formula, key) if backend() else None
        if loop is None:
            return otherwise(*given)
        arrays = [x for x in given if x.__class__ is np.ndarray]
        numbers = tuple([float(x) for x in given if x.__class__ is not np.ndarray]) if len(arrays) < len(given) else ()
        try:
            return run(loop, arrays, numbers)[0]
        except Unsupported:
            return otherwise(*given)

    return compute


def _loop(formula: Callable[..., Any], key: tuple[tuple[type, np.dtype], ...]) -> Loop | None:
    """The loop of a formula of arrays, and of scalars of their one dtype; None where there is none."""
    found = {KINDS.get(dtype) for _, dtype in key}
    arrays = [issubclass(kind, np.ndarray) for kind, _ in key]
    kind = found.pop()
    if found or kind is None or not any(arrays):
        return None
    if any(owner is not np.ndarray for (owner, _), array in zip(key, arrays, strict=True) if array):
        return None  # another device's
    if not all(arrays) and kind not in ("f4", "f8"):
        return None

    def ordered(*values: Any) -> Any:
        elements, numbers = iter(values[: sum(arrays)]), iter(values[sum(arrays) :])
        return formula(*[next(elements) if array else next(numbers) for array in arrays])

    operands = (kind,) * sum(arrays)
    try:
        body, (result,) = trace(ordered, len(operands), len(arrays) - len(operands), operands)
        made = kinds(body, operands)[result]
    except _NOT_TRACED:
        return None
    if made == "num":
        return None
    return Loop(operands, body, (Output(result, kind if kind in HALVES and made == "f4" else made),))
