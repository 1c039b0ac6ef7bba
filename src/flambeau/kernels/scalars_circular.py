"""Circular functions of kernel bodies and their inverses, computed in float64.

Angles are reduced with 2 / pi in as many digits as it takes, so that the results hold for every float, however large.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .scalars_base import (
    MAGIC,
    absolute,
    copysign,
    exactly,
    fast_two_sum,
    fma,
    in_float64,
    polynomial,
    power_of_two,
    rint,
    sqrt,
    two_product,
    two_sum,
    where,
)
from .scalars_tables import ASIN, ATAN, COS, SIN

HALF_PI, HALF_PI_LOW = 1.5707963267948966, 6.123233995736766e-17
SPAN = {"f4": 24, "f8": 8}  # bits from one row of `two_over_pi` to the next
TINY = 2.0**-26  # sin(x) and tan(x) round to x below


@cache
def two_over_pi(kind: str) -> list[list[float]]:
    """Rows of numbers whose sum is 2 / pi without its leading row * SPAN bits, times 2^(row * SPAN).

    Those bits make multiples of 4 (quarter turns) with any float of the exponents that the row is for.
    """
    bits = 1400
    one = 1 << bits + 32

    def arctan_of_inverse(n: int) -> int:
        total, power, i = 0, one // n, 1
        while power:
            total += power // i if i % 4 == 1 else -(power // i)
            power //= n * n
            i += 2
        return total

    pi = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))  # Machin's formula
    digits = (2 * one << bits) // pi  # 2 / pi in units of 2^-bits
    rows = []
    for row in range({"f4": 4, "f8": 123}[kind]):
        rest = digits & ((1 << bits - row * SPAN[kind]) - 1)
        numbers = []
        for _ in range(3 if kind == "f4" else 4):
            length = max(0, rest.bit_length() - 53)
            numbers.append(float(rest >> length) * 2.0 ** (length - bits + row * SPAN[kind]))
            rest &= (1 << length) - 1
        rows.append(numbers)
    return rows


def _factors(kind: str, x: Any) -> tuple[Any, list[Any]]:
    """x over 2^(row * SPAN), and the row of `two_over_pi` for it."""
    k, rows = x.k, two_over_pi(kind)
    if kind == "f4":
        size = absolute(x)
        found, scale = [k.lift(number, "f8") for number in rows[0]], k.lift(1.0, "f8")
        for i, row in enumerate(rows[1:]):
            below = size < 2.0 ** (49 + 24 * i)
            found = [where(below, f, number) for f, number in zip(found, row, strict=True)]
            scale = where(below, scale, 2.0 ** (-24 * (i + 1)))
        return x * scale, found
    exponent = ((absolute(x).bits() >> 52) - 1023 - 54) >> 3
    row = where(exponent < 0, k.int(0), exponent)
    table = k.table("two_over_pi", [number for numbers in rows for number in numbers])
    return x * power_of_two(-(row << 3)), [table[row * 4 + i] for i in range(4)]


def _reduced(kind: str, x: Any) -> tuple[Any, Any, Any]:
    """(quarter turns nearest to x as bits whose low two count, what is left in radians, and its low part)."""
    x, c = _factors(kind, x)
    first, e1 = two_product(x, c[0])
    second, e2 = two_product(x, c[1])
    # The product's whole turns go: exact, as is what is left.
    first = exactly("fsub", first, rint(first * 0.25) * 4.0)
    e1 = exactly("fsub", e1, rint(e1 * 0.25) * 4.0)
    shifted = exactly("fadd", first, exactly("fadd", e1, second)) + MAGIC["f8"]
    n = shifted - MAGIC["f8"]
    a, a_low = two_sum(exactly("fsub", first, n), e1)
    a, b_low = two_sum(a, second)
    if kind == "f4":
        left = a + (a_low + b_low + fma(x, c[2], e2))
        return shifted.bits(), left * HALF_PI, left
    third, e3 = two_product(x, c[2])
    rest, rest_low = two_sum(a_low, b_low)
    rest_2, rest_low_2 = two_sum(e2, third)
    rest, rest_low_3 = two_sum(rest, rest_2)
    a, low = two_sum(a, rest)
    low = low + (rest_low + rest_low_2 + rest_low_3 + fma(x, c[3], e3))
    a, low = fast_two_sum(a, low)
    angle, angle_low = two_product(a, HALF_PI)
    return shifted.bits(), angle, angle_low + (a * HALF_PI_LOW + low * HALF_PI)


def _sin_cos(kind: str, r: Any, low: Any) -> tuple[Any, Any, Any, Any]:
    """(sin, what to add to it, cos, what to add to it) of r + low, |r| <= pi / 4."""
    z = r * r
    half = z * 0.5
    sin_rest, cos_rest = r * z * polynomial(SIN[kind], z), z * z * polynomial(COS[kind], z)
    near_one = 1.0 - half
    if kind == "f8":
        sin_rest = sin_rest + fma(-half, low, low)
        cos_rest = cos_rest - r * low + (exactly("fsub", exactly("fsub", r.k.lift(1.0, "f8"), near_one), half))
    return r, sin_rest, near_one, cos_rest


def _turned(kind: str, x: Any, quarters: int) -> Any:
    bits, r, low = _reduced(kind, x)
    s, s_rest, c, c_rest = _sin_cos(kind, r, low)
    turns = bits + quarters
    value = where((turns & 1) == 0, s + s_rest, c + c_rest)
    return where((turns & 2) == 0, value, -value)


@in_float64(np.sin)
def sin(kind: str, x: Any) -> Any:
    """Sine."""
    return where(absolute(x) < TINY, x, _turned(kind, x, 0))


@in_float64(np.cos)
def cos(kind: str, x: Any) -> Any:
    """Cosine."""
    return where(absolute(x) < TINY, 1.0, _turned(kind, x, 1))


@in_float64(np.tan)
def tan(kind: str, x: Any) -> Any:
    """Tangent."""
    bits, r, low = _reduced(kind, x)
    s, s_rest, c, c_rest = _sin_cos(kind, r, low)
    s, s_rest = fast_two_sum(s, s_rest)
    c, c_rest = fast_two_sum(c, c_rest)
    even = (bits & 1) == 0
    above, above_rest = where(even, s, -c), where(even, s_rest, -c_rest)
    below, below_rest = where(even, c, s), where(even, c_rest, s_rest)
    quotient = above / below
    if kind == "f8":
        quotient = quotient + (fma(-quotient, below, above) + (above_rest - quotient * below_rest)) / below
    return where(absolute(x) < TINY, x, quotient)


def _arctan_of_ratio(kind: str, a: Any, b: Any) -> Any:
    """The angle of the point (b, a) for 0 <= a <= b, b > 0."""
    k = a.k
    far = a > b * 0.41421356237309503
    if kind == "f8":
        scale = where(b > 2.0**1000, k.lift(0.25, "f8"), 1.0)  # a + b must not overflow
        a, b = where(far, a * scale, a), where(far, b * scale, b)
    t = where(far, exactly("fsub", a, b), a) / where(far, exactly("fadd", a, b), b)
    z = t * t
    base, low = where(far, k.lift(HALF_PI / 2, "f8"), 0.0), where(far, k.lift(HALF_PI_LOW / 2, "f8"), 0.0)
    return base + (t + (fma(t * z, polynomial(ATAN[kind], z), low)))


@in_float64(np.arctan)
def atan(kind: str, x: Any) -> Any:
    """The angle, from -pi/2 to pi/2, whose tangent is x."""
    size = absolute(x)
    over = size > 1.0
    one = x.k.lift(1.0, "f8")
    finite = where(size < 2.0**70, size, 2.0**70)
    angle = _arctan_of_ratio(kind, where(over, one, size), where(over, finite, 1.0))
    angle = where(over, HALF_PI - (angle - HALF_PI_LOW), angle)
    return where(x != x, x, copysign(angle, x))


@in_float64(np.arctan2)
def atan2(kind: str, y: Any, x: Any) -> Any:
    """The angle, from -pi to pi, of the point (x, y), with the special values of C99."""
    size_x, size_y, k = absolute(x), absolute(y), x.k
    infinite = k.lift(float("inf"), "f8")
    both = (size_x == infinite) & (size_y == infinite)
    one = k.lift(1.0, "f8")
    size_x, size_y = where(both, one, size_x), where(both, one, size_y)
    steep = size_y > size_x
    a, b = where(steep, size_x, size_y), where(steep, size_y, size_x)
    # An infinite or zero b stands with a finite or zero a: the angle is 0.
    flat = (b == infinite) | (b == 0.0)
    angle = _arctan_of_ratio(kind, where(flat, 0.0, a), where(flat, one, b))
    angle = where(steep, HALF_PI - (angle - HALF_PI_LOW), angle)
    left = copysign(one, x) < 0.0
    angle = where(left, 2 * HALF_PI - (angle - 2 * HALF_PI_LOW), angle)
    return where((x != x) | (y != y), x + y, copysign(angle, y))


def _arcsine_parts(kind: str, x: Any) -> tuple[Any, Any, Any, Any]:
    """(whether |x| <= 1/2, then asin(|x|); else sqrt((1 - |x|) / 2) and what to add to it for half of acos(|x|))."""
    size = absolute(x)
    near = size <= 0.5
    z = where(near, x * x, (1.0 - size) * 0.5)
    root = sqrt(z)
    s = where(near, size, root)
    rest = s * z * polynomial(ASIN[kind], z)
    # What the square root's rounding took away.
    lost = where(near | (z == 0.0), 0.0, fma(-root, root, z) / (root * 2.0))
    return near, s, rest, lost


@in_float64(np.arcsin)
def asin(kind: str, x: Any) -> Any:
    """The angle, from -pi/2 to pi/2, whose sine is x."""
    near, s, rest, lost = _arcsine_parts(kind, x)
    twice, low = s * 2.0, (rest + lost) * 2.0
    total, error = fast_two_sum(x.k.lift(HALF_PI, "f8"), -twice)
    return copysign(where(near, s + rest, total + (error + (HALF_PI_LOW - low))), x)


@in_float64(np.arccos)
def acos(kind: str, x: Any) -> Any:
    """The angle, from 0 to pi, whose cosine is x."""
    near, s, rest, lost = _arcsine_parts(kind, x)
    signed = copysign(s, x)
    total, error = fast_two_sum(x.k.lift(HALF_PI, "f8"), -signed)
    middle = total + (error + (HALF_PI_LOW - copysign(rest, x)))
    twice, low = s * 2.0, (rest + lost) * 2.0
    total, error = fast_two_sum(x.k.lift(2 * HALF_PI, "f8"), -twice)
    outer = where(x < 0.0, total + (error + (2 * HALF_PI_LOW - low)), twice + low)
    return where(near, middle, outer)
