"""Element-wise NumPy formulas on large arrays, as fused loops: threads, vectors, and no temporary arrays.

`large(formula)` gives a function that computes the same. A formula is run once for each combination of dtypes on
symbols (`bodies.trace`); where it uses what bodies do not have, it is called as it is.
"""

from __future__ import annotations

import functools
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


@functools.cache
def _copying(kind: str) -> Loop:
    body, (result,) = trace(lambda x: x.copy(), 1, 0, (kind,))
    return Loop((kind,), body, (Output(result, kind),))


def store(target: np.ndarray, value: Any) -> None:
    """target[...] = value, on all threads where both are large arrays of one shape and dtype."""
    if (
        target.size < _CHEAP
        or not (target.__class__ is value.__class__ is np.ndarray)
        or target.dtype is not value.dtype
        or target.shape != value.shape
        or target.dtype not in KINDS
        or not target.flags.writeable
        or np.may_share_memory(target, value)
        or not backend()
    ):
        target[...] = value
        return
    try:
        run(_copying(KINDS[target.dtype]), [value], out=(target,))
    except Unsupported:
        target[...] = value


def copied(x: np.ndarray, order: str = "K") -> np.ndarray:
    """x.copy(order), on all threads where it is large."""
    if x.size < _CHEAP or x.__class__ is not np.ndarray:
        return x.copy(order=order)  # type: ignore[arg-type]
    made = np.empty_like(x, order=order, subok=False)  # type: ignore[call-overload]
    store(made, x)
    return made


@functools.cache
def _choosing(kind: str) -> Loop:
    body, (result,) = trace(lambda c, a, b: np.where(c, a, b), 3, 0, ("b1", kind, kind))
    return Loop(("b1", kind, kind), body, (Output(result, kind),))


def chosen(condition: Any, a: Any, b: Any) -> Any:
    """np.where(condition, a, b), as a loop where the condition or `b` is large."""
    if max(condition.size, b.size) >= (_FORCED or _BETWEEN) and condition.dtype == bool and a.dtype is b.dtype:
        if condition.__class__ is a.__class__ is b.__class__ is np.ndarray and a.dtype in KINDS and backend():
            try:
                return run(_choosing(KINDS[a.dtype]), [condition, a, b])[0]
            except Unsupported:
                pass
    return np.where(condition, a, b)


@functools.cache
def _squaring(kind: str) -> Loop:
    body, (result,) = trace(lambda x: x * x, 1, 0, (kind,))
    return Loop((kind,), body, (Output(result, kind, "sum"),))


def squares(x: np.ndarray, axes: Any, keepdims: bool) -> np.ndarray:
    """The sum of x * x over dimensions (None: all), without an array of squares where x is large."""
    axes = tuple(range(x.ndim)) if axes is None else axes
    if x.size >= (_FORCED or _BETWEEN) and axes and x.__class__ is np.ndarray and x.dtype.char in "fd" and backend():
        try:
            return run(_squaring(KINDS[x.dtype]), [x], reduced=axes, keepdims=keepdims)[0]
        except Unsupported:
            pass
    return np.add.reduce(x * x, axis=axes, keepdims=keepdims)  # type: ignore[call-overload]


_MOST_LOOPS = 64  # of one formula; options that take ever new values do not fill memory with code


def mapped(formula: Callable[..., Any], summed: bool = False) -> Callable[..., Any]:
    """The formula of arrays followed by options, as a loop for each value of the options where arrays are large.

    Options are numbers, None or such, given by position or by name; arrays of other than one float dtype, and what a
    body does not have, are left to the formula. summed: the result is the sum over all elements.
    """
    if summed:
        plain = formula
        formula = lambda *given, **options: np.asanyarray(np.add.reduce(plain(*given, **options), None))
    else:
        plain = formula
    known: dict[Any, Loop | None] = {}

    @functools.wraps(formula)
    def compute(first: Any, *rest: Any, **options: Any) -> Any:
        if first.__class__ is not np.ndarray or first.size < (_FORCED or _COSTLY) or first.dtype.char not in "fd":
            return formula(first, *rest, **options)
        arrays = [first]
        for x in rest:
            if x.__class__ is not np.ndarray:
                break
            arrays.append(x)
        others = rest[len(arrays) - 1 :]
        if any(isinstance(x, np.ndarray) for x in (*others, *options.values())):
            return formula(first, *rest, **options)
        key = (*[a.dtype.char for a in arrays], *others, *sorted(options.items()))
        if key not in known:
            if len(known) >= _MOST_LOOPS or not backend():
                return formula(first, *rest, **options)
            given = tuple([(a.__class__, a.dtype) for a in arrays])
            known[key] = _loop(lambda *elements: plain(*elements, *others, **options), given, "sum" if summed else "")
        loop = known[key]
        if loop is None:
            return formula(first, *rest, **options)
        try:
            return run(loop, arrays, reduced=tuple(range(first.ndim)) if summed else ())[0]
        except Unsupported:
            return formula(first, *rest, **options)

    return compute


def _loop(formula: Callable[..., Any], key: tuple[tuple[type, np.dtype], ...], reduction: str = "") -> Loop | None:
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
    return Loop(operands, body, (Output(result, kind if kind in HALVES and made == "f4" else made, reduction),))
