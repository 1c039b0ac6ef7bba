"""Element-wise formulas as bodies of fused loops (kernels/bodies.py): NumPy functions run once on symbols."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import bodies
from ..kernels.bodies import KINDS


class NotSymbolic(Exception):
    """A formula that uses what bodies do not have."""


def trace(formula: Any, args: list, out: np.dtype) -> tuple[tuple, int]:
    """(body, number of the result) of formula(*args), converted to dtype `out`.

    args: arrays stand for operands, in order; everything else is handed on as it is.
    """
    kinds = [KINDS.get(a.dtype) for a in args if isinstance(a, np.ndarray)]
    if None in kinds or out not in KINDS:
        raise NotSymbolic

    promoted = _promoted(formula, args)

    def on_elements(*elements: Any) -> Any:
        given = iter(elements)
        mine = [next(given) if isinstance(a, np.ndarray) else a for a in args]
        if promoted:
            mine = [a.astype(d) if isinstance(a, bodies.Symbol) else a.item() if isinstance(a, np.generic) else a
                    for a, d in zip(mine, promoted)]  # fmt: skip
        return formula(*mine)

    try:
        body, results = bodies.trace(on_elements, len(kinds), 0, tuple([k for k in kinds if k]))
        if len(results) != 1:
            raise NotSymbolic
        body, result = (*body, ("cast", results[0], KINDS[out])), len(body)
        bodies.kinds(body, [k for k in kinds if k])
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        raise NotSymbolic(str(error)) from None
    return body, result


def _promoted(formula: Any, args: list) -> Any:
    """The dtypes in which a NumPy function computes these arguments, or None where they are taken as they are."""
    if isinstance(formula, np.ufunc):
        kinds = [a.dtype if isinstance(a, np.ndarray) else type(a) for a in args]
        try:
            given = [k if k in (int, float) or isinstance(k, np.dtype) else np.dtype(k) for k in kinds]
            return formula.resolve_dtypes((*given, None))[: len(args)]
        except TypeError:
            raise NotSymbolic from None
    if formula in (np.where, np.clip):
        common = np.result_type(*[a for a in args[formula is np.where :]])
        return [np.dtype(bool)] * (formula is np.where) + [common] * (len(args) - (formula is np.where))
    return None


def trace_update(formula: Any, arrays: int, names: tuple[str, ...], fixed: dict) -> tuple[tuple, tuple[int, ...]]:
    """(body, results) of an optimizer's formula(xp, p, g, *slots, **numbers); `names` are numbers given at run time."""

    def on_elements(*given: Any) -> Any:
        numbers = dict(zip(names, given[arrays:], strict=True))
        return formula(np, *given[:arrays], **numbers, **fixed)

    try:
        return bodies.trace(on_elements, arrays, len(names))
    except (TypeError, ValueError, AttributeError) as error:
        raise NotSymbolic(str(error)) from None
