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
from .build import backend, kernel

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

Job = tuple[list[np.ndarray], dict[str, Any]]


def update(formula: Callable[..., Any], jobs: list[Job]) -> list[Job]:
    """For each job, ([p, g, *slots], numbers): p, *slots = formula(xp, p, g, *slots, **numbers), in place.

    Jobs that share their `numbers` are one launch, if there is enough to do. Returns those that were not done.
    """
    left: list[Job] = []
    groups: dict[Any, list[Job]] = {}
    for job in jobs:
        p = job[0][0]
        kind = _KIND.get(p.dtype)
        if kind is None or p.__class__ is not np.ndarray:
            left.append(job)
        else:
            groups.setdefault((id(job[1]), kind), []).append(job)
    for (_, kind), members in groups.items():
        if sum([job[0][0].size for job in members]) < SMALL:
            left += members
        elif len({id(job[0][0]) for job in members}) < len(members) or not _launch(formula, kind, members):
            # Parameters that share memory take turns; one that does not fit must not hold the others up.
            left += [job for job in members if job[0][0].size < SMALL or not _launch(formula, kind, [job])]
    return left


def _launch(formula: Callable[..., Any], kind: str, jobs: list[Job]) -> bool:
    given: list[float] = []
    fixed: list[tuple[str, Any]] = []
    for name, value in jobs[0][1].items():
        if value is None or value is True or value is False or value.__class__ is str or value == 0:
            fixed.append((name, value))
        elif isinstance(value, int | float):
            given.append(float(value))
            fixed.append((name, "number"))
        else:
            return False  # as part of the kernel it could make a new one at every step
    count = len(jobs[0][0])
    key = (formula, kind, count, tuple(fixed))
    if key not in _kernels:
        _kernels[key] = _trace(formula, kind, count, fixed)
    f = _kernels[key]
    if f is None:
        return False
    arrays = jobs[0][0] if len(jobs) == 1 else [a for job in jobs for a in job[0]]
    return f(np.empty(len(jobs) * (count + 1), np.int64), *given, *arrays)


def _trace(
    formula: Callable[..., Any], kind: str, count: int, fixed: list[tuple[str, Any]]
) -> Callable[..., bool] | None:
    if backend() is None:
        return None
    from .many import many  # needs llvmlite, which is optional

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
        return many(made, kind)
    except TypeError:  # the formula branches on values, or needs a function that kernels lack
        declined.add(owner)
        return None
