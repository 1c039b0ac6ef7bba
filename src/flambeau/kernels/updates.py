"""Optimizer steps: a formula on arrays, traced once, becomes one pass over parameter, gradient and state.

The formulas are the optimizers' own (`update` of each class): here `xp` is `KernelMath`, arrays are elements, and
numbers are arguments of the kernel, except that zeros, switches and None are part of it.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from . import scalars
from .build import kernel

SMALL = int(os.environ.get("FLAMBEAU_KERNELS_FROM") or 4096)
_KIND = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}


class KernelMath:
    """The functions that formulas take from `xp`."""

    sqrt = staticmethod(scalars.sqrt)
    abs = staticmethod(scalars.absolute)
    where = staticmethod(scalars.where)

    @staticmethod
    def sign(x: Any) -> Any:
        one = x.k.lift(1.0, x.type)
        return scalars.where(x > 0.0, one, scalars.where(x < 0.0, -one, x))

    @staticmethod
    def maximum(x: Any, y: Any) -> Any:
        y = x.k.lift(y, x.type)
        return scalars.where(x < y, y, scalars.where(y != y, y, x))

    @staticmethod
    def minimum(x: Any, y: Any) -> Any:
        y = x.k.lift(y, x.type)
        return scalars.where(y < x, y, scalars.where(y != y, y, x))

    @staticmethod
    def clip(x: Any, low: Any, high: Any) -> Any:
        return KernelMath.minimum(KernelMath.maximum(x, low), high)


_serial = itertools.count()
_kernels: dict[Any, Callable[..., bool] | None] = {}
declined: set[str] = set()  # formulas that cannot be traced: they run in NumPy


def update(formula: Callable[..., Any], arrays: list[np.ndarray], numbers: dict[str, Any]) -> bool:
    """p, g, *slots = arrays; p, *slots = formula(xp, p, g, *slots, **numbers), in place. False: nothing was done."""
    p = arrays[0]
    kind = _KIND.get(p.dtype)
    if kind is None or p.size < SMALL or type(p) is not np.ndarray:
        return False
    given: list[float] = []
    fixed: list[tuple[str, Any]] = []
    for name, value in numbers.items():
        if value is None or value is True or value is False or value.__class__ is str or value == 0:
            fixed.append((name, value))
        elif isinstance(value, int | float):
            given.append(float(value))
            fixed.append((name, "number"))
        else:
            return False  # as part of the kernel it could make a new one at every step
    key = (formula, kind, len(arrays), tuple(fixed))
    if key not in _kernels:
        _kernels[key] = _trace(formula, kind, len(arrays), fixed)
    f = _kernels[key]
    return f is not None and f(*arrays, *given, p.size)


def _trace(
    formula: Callable[..., Any], kind: str, count: int, fixed: list[tuple[str, Any]]
) -> Callable[..., bool] | None:
    def body(k, begin, end, *given):
        arrays, given_numbers = given[:count], list(given[count:-1])
        numbers = {name: given_numbers.pop(0) if value == "number" else value for name, value in fixed}
        for i in k.range(begin, end):
            new = formula(KernelMath, *[a[i] for a in arrays], **numbers)
            for to, value in zip([arrays[0], *arrays[2:]], new, strict=False):
                to[i] = value

    owner = getattr(formula, "__qualname__", "formula").replace(".", "_")
    spelled = hashlib.sha256(f"{formula.__module__} {kind} {count} {fixed}".encode()).hexdigest()[:12]
    body.__name__ = f"{owner}_{spelled}_{next(_serial)}"
    names = [f"a{i}:T{'' if i == 1 else '!'}=n" for i in range(count)]
    names += [f"s{i}:d" for i, (_, value) in enumerate(fixed) if value == "number"]
    made = kernel(" ".join([*names, "n"]), work="n", cost=str(count), traced=True)(body)
    try:
        return made.get(kind)
    except TypeError:  # the formula branches on values, or needs a function that kernels lack
        declined.add(owner)
        return None
