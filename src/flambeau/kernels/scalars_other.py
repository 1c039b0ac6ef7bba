"""Error functions and remainders of kernel bodies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .scalars_base import absolute, copysign, emitted, floor, fma, kind_of, named, polynomial, where
from .scalars_exponential import exp
from .scalars_tables import ERF, LOG_ERFC, NORMAL_TAIL

STEP = 28  # bits of a quotient that are found at a time: times 24 bits of a float32 they are exact in float64


@named
def erf(x: Any) -> Any:
    """Error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    kind = kind_of(x)
    split, end = (0.9, 4.0) if kind == "f4" else (1.5, 6.0)
    size = absolute(x)
    near_x = x if emitted(x) else np.clip(x, -1.5, 1.5)
    near = fma(near_x, polynomial(ERF[kind], near_x * near_x), near_x)
    far = 1.0 - exp(polynomial(LOG_ERFC[kind], where(size > end, end, size)))
    return where(size < split, near, copysign(far, x))


@named
def normal_cdf(x: Any) -> Any:
    """P(X <= x) of a standard normal X; in float32 within 2e-7, for negative x also within 4e-6 of its own size.

    The tail is e^(-x^2 / 2) times a polynomial, so it keeps its digits where (1 + erf) / 2 has none left.
    """
    if not emitted(x) or x.kind == "f8":
        return (erf(x * math.sqrt(0.5)) + 1.0) * 0.5
    size = absolute(x)
    s = 1.0 / fma(size, 0.35, 1.0)
    tail = exp(x * x * -0.5) * (s * polynomial(NORMAL_TAIL["f4"], s))
    return where(x < 0.0, tail, 1.0 - tail)


def fmod(x: Any, y: Any) -> Any:
    """What is left of x after y went into it as often as it does: exact, with the sign of x; as C's fmod."""
    if not (emitted(x) or emitted(y)):
        return np.fmod(x, y)
    k = x.k if emitted(x) else y.k
    kind = "f4" if any(emitted(v) and v.kind == "f4" for v in (x, y)) else "f8"
    x, y = k.lift(x, kind), k.lift(y, kind)
    if kind == "f8":
        return type(x)(k, k.b.frem(x.v, y.v))
    left, size = absolute(x).cast("f8"), absolute(y).cast("f8")
    inverse = 1.0 / size
    for step in range(9, -1, -1):
        piece = size * 2.0 ** (STEP * step)
        quotient = floor(left * (inverse * 2.0 ** (-STEP * step)))
        left = fma(-quotient, piece, left)
        left = where(left < 0.0, left + piece, left)  # the quotient may be one too large, or too small
        left = where(left >= piece, left - piece, left)
    nan = k.lift(float("nan"), "f8")
    good = (absolute(x) < float("inf")) & (y != 0.0)
    left = where(size == float("inf"), absolute(x).cast("f8"), left)
    made = where(good & (y == y), left, nan).cast("f4")
    return copysign(made, x)


def remainder(x: Any, y: Any) -> Any:
    """fmod with the sign of y, as Python's %."""
    if not (emitted(x) or emitted(y)):
        return np.remainder(x, y)
    left = fmod(x, y)
    y = left.k.lift(y, left.type)
    zero = left.k.lift(0.0, left.type)
    other = (left < 0.0) ^ (y < 0.0)
    return where(left == 0.0, copysign(zero, y), where(other, left + y, left))
