"""Exponentials, logarithms and powers of kernel bodies; hyperbolic and logistic functions.

exp, log, tanh and sigmoid are computed in the kernel's own type, the others in float64. Where float64 results
need more digits than float64 has, a number is a sum of two (`high`, `low`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .scalars_base import (
    LN2_HIGH,
    LN2_LOW,
    MAGIC,
    absolute,
    copysign,
    emitted,
    fast_two_sum,
    floor,
    fma,
    in_float64,
    kind_of,
    named,
    polynomial,
    power_of_two,
    two_product,
    two_sum,
    where,
)
from .scalars_tables import EXP, LOG, LOG_TAIL, SINH, TANH

LOG2_E = 1.4426950408889634
INFINITY = float("inf")


def exp(x: Any) -> Any:
    """e to the power x."""
    return _exp(x) if emitted(x) else np.exp(x)


def _exp(x: Any, more: int = 0, precision: str = "") -> Any:
    """e^x * 2^more in the type of x; `more` is -1 or 0, `precision` whose coefficients are good enough."""
    kind = kind_of(x)
    single = kind == "f4"
    low, high = (-104.0, 90.0) if single else (-746.0, 711.0)
    x = where(x < low, low, x)
    x = where(x > high, high, x)  # a nan passes both
    shifted = fma(x, LOG2_E, MAGIC[kind])
    n = shifted - MAGIC[kind]
    r = fma(n, -LN2_HIGH[kind], x)
    r = fma(n, -LN2_LOW[kind], r)
    p = fma(polynomial(EXP[precision or kind], r), r * r, r) + 1.0
    whole = _whole(shifted) + more
    half = whole >> 1
    # Two factors, because 2^n itself may lie outside the range where the result does not.
    return p * power_of_two(half) * power_of_two(whole - half)


def exp_below(x: Any) -> Any:
    """e to the power x for x below 88: where nothing overflows, at two thirds of the cost. Denormal results are 0."""
    if not emitted(x):
        return np.exp(x)
    kind = kind_of(x)
    low = -88.0 if kind == "f4" else -709.1  # gives a power of two that is just 0
    x = where(x < low, low, x)  # a nan passes
    shifted = fma(x, LOG2_E, MAGIC[kind])
    n = shifted - MAGIC[kind]
    r = fma(n, -LN2_LOW[kind], fma(n, -LN2_HIGH[kind], x))
    p = fma(polynomial(EXP[kind], r), r * r, r) + 1.0
    return p * power_of_two(_whole(shifted))


def _whole(shifted: Any) -> Any:
    """The integer that adding MAGIC left in the low bits."""
    return shifted.bits() - shifted.k.lift(MAGIC[shifted.kind], shifted.type).bits()


def _exp_parts(kind: str, high: Any, low: Any = 0.0) -> tuple[Any, Any, Any, Any]:
    """(n, n as an integer, r, rest): e^(high + low) = 2^n (1 + r + rest); high within +-800."""
    shifted = fma(high, LOG2_E, MAGIC["f8"])
    n = shifted - MAGIC["f8"]
    first = fma(n, -LN2_HIGH["f8"], high)
    second = fma(n, -LN2_LOW["f8"], high.k.lift(low, high.type))
    r, error = two_sum(first, second)
    return n, _whole(shifted), r, fma(polynomial(EXP[kind], r), r * r, error)


def _scaled(kind: str, p: Any, n: Any) -> Any:
    """p * 2^n; for float32 results n is within the exponents of float64."""
    if kind == "f4":
        return p * power_of_two(n)
    half = n >> 1
    return p * power_of_two(half) * power_of_two(n - half)


def _clamped(x: Any, low: float, high: float) -> Any:
    """x within bounds; nan stays."""
    x = where(x < low, low, x)
    return where(x > high, high, x)


@in_float64(np.exp2)
def exp2(kind: str, x: Any) -> Any:
    """2 to the power x."""
    x = _clamped(x, -1080.0, 1025.0) if kind == "f8" else _clamped(x, -200.0, 200.0)
    shifted = x + MAGIC["f8"]
    r = (x - (shifted - MAGIC["f8"])) * math.log(2)
    return _scaled(kind, fma(polynomial(EXP[kind], r), r * r, r) + 1.0, _whole(shifted))


@in_float64(np.expm1)
def expm1(kind: str, x: Any) -> Any:
    """e^x - 1, without loss of digits near 0."""
    made = _expm1(kind, _clamped(x, -60.0, 711.0 if kind == "f8" else 100.0))
    return where(x == 0.0, x, made)  # -0 stays -0


def _expm1(kind: str, x: Any) -> Any:
    n, whole, r, rest = _exp_parts(kind, x)
    far = n > 200.0
    inverse = where(far, 0.0, power_of_two(-where(far, x.k.lift(0, whole.type), whole)))
    total, error = fast_two_sum(1.0 - inverse, r)
    return _scaled(kind, total + (error + rest), whole)


def log(x: Any) -> Any:
    """Natural logarithm."""
    if not emitted(x):
        return np.log(x)
    kind = kind_of(x)
    e, mantissa = _split(x)
    return _log_limits(x, _log_near_one(kind, kind, e, mantissa - 1.0))


def _log_near_one(kind: str, work: str, e: Any, f: Any) -> Any:
    """e ln 2 + ln(1 + f) for 1 + f within sqrt(1/2) and sqrt(2)."""
    s = f / (f + 2.0)
    z = s * s
    half_square = f * f * 0.5
    rest = z * polynomial(LOG[kind], z)
    return e * LN2_HIGH[work] - ((half_square - (s * (half_square + rest) + e * LN2_LOW[work])) - f)


def _log_limits(x: Any, made: Any) -> Any:
    """A logarithm of x with its special values put in."""
    made = where(x > 0.0, made, where(x == 0.0, x.k.lift(-INFINITY, x.type), float("nan")))
    return where(x < INFINITY, made, x)  # inf and nan


def _split(x: Any) -> tuple[Any, Any]:
    """(e, m) with x = 2^e m, m from sqrt(1/2) to sqrt(2), for positive finite x."""
    single = x.kind == "f4"
    place, tiny, lift, root_half = (
        (23, 2.0**-126, 2.0**23, 0x3F3504F3) if single else (52, 2.0**-1022, 2.0**54, 0x3FE6A09E667F3BCD)
    )
    small = x < tiny
    bits = where(small, x * lift, x).bits()
    exponent = (bits - root_half) >> place
    mantissa = (bits - (exponent << place)).bits()
    return exponent.cast(x.type) - where(small, x.k.lift(23.0 if single else 54.0, x.type), 0.0), mantissa


@in_float64(np.log1p)
def log1p(kind: str, x: Any) -> Any:
    """ln(1 + x), without loss of digits near 0."""
    made = _log1p(kind, x)
    made = where(x > -1.0, made, where(x == -1.0, x.k.lift(-INFINITY, "f8"), float("nan")))
    return where((x == 0.0) | (x == INFINITY) | (x != x), x, made)


def _log1p(kind: str, x: Any) -> Any:
    u, lost = two_sum(x, 1.0)
    e, mantissa = _split(u)
    n = where((e < 60.0) & (e > -60.0), e, 0.0)  # beyond, what u lost is below its last place by far
    lost = where((e < 60.0) & (e > -60.0), lost * power_of_two(_whole(-n + MAGIC["f8"])), 0.0)
    return _log_near_one(kind, "f8", e, where(e == 0.0, x, (mantissa - 1.0) + lost))


def _log_parts(kind: str, x: Any) -> tuple[Any, Any]:
    """ln(x) as (high, low), for positive finite x: some 64 bits for float64 results, 48 for float32 ones."""
    e, m = _split(x)
    u, lost = fast_two_sum(x.k.lift(1.0, "f8"), m)
    f, inverse = m - 1.0, 1.0 / u
    s = f * inverse
    tail = LOG_TAIL[kind]
    if kind == "f4":
        z = s * s
        value = s * 2.0 + s * z * (polynomial(tail, z) * z + 2 / 3)
        return e * LN2_HIGH["f8"] + (value + e * LN2_LOW["f8"]), x.k.lift(0.0, "f8")
    s_low = (fma(-s, u, f) - s * lost) * inverse
    z, z_low = two_product(s, s)
    z_low = fma(s * 2.0, s_low, z_low)
    cube, cube_low = two_product(s, z)
    cube_low = cube_low + s * z_low + s_low * z
    term, term_low = two_product(cube, 2 / 3)
    term_low = term_low + cube * (2 / 3 / 2**54) + cube_low * (2 / 3)  # 2/3 rounds down by its 2^-54th part
    total, error = fast_two_sum(e * LN2_HIGH["f8"], s * 2.0)
    total, error_2 = fast_two_sum(total, term)
    low = cube * z * polynomial(tail, z) + (term_low + s_low * 2.0 + e * LN2_LOW["f8"] + error + error_2)
    return fast_two_sum(total, low)


def _log_to_base(kind: str, x: Any, inverse: float, inverse_low: float) -> Any:
    """ln(x) times the inverse of ln(base), a sum of two numbers: exact where the result is an integer."""
    high, low = _log_parts(kind, x)
    product, error = two_product(high, inverse)
    return _log_limits(x, product + (error + (high * inverse_low + low * inverse)))


@in_float64(np.log2)
def log2(kind: str, x: Any) -> Any:
    """Logarithm to the base 2."""
    return _log_to_base(kind, x, 1.4426950408889634, 2.0355273740931033e-17)


@in_float64(np.log10)
def log10(kind: str, x: Any) -> Any:
    """Logarithm to the base 10."""
    return _log_to_base(kind, x, 0.4342944819032518, 1.098319650216765e-17)


@in_float64(np.power)
def power(kind: str, x: Any, y: Any) -> Any:
    """x to the power y, with the special values of C99."""
    k, size = x.k, absolute(x)
    inf, one, nan = k.lift(INFINITY, "f8"), k.lift(1.0, "f8"), k.lift(float("nan"), "f8")
    high, low = _log_parts(kind, where((size > 0.0) & (size < INFINITY), size, 1.0))
    limit = 800.0 if kind == "f8" else 200.0
    product, error = two_product(high, y)
    within = absolute(product) < limit
    product = _clamped(product, -limit, limit)
    _, whole, r, rest = _exp_parts(kind, product, where(within, fma(low, y, error), 0.0))
    made = _scaled(kind, (r + rest) + 1.0, whole)

    extreme = (size == 0.0) | (size == INFINITY) | ((absolute(y) == INFINITY) & (size != 1.0))
    # (size > 1) == (y > 0): towards infinity, else towards zero.
    made = where(extreme, where((size > 1.0) ^ (y > 0.0), 0.0, inf), made)
    made = where((size == 1.0) & (absolute(y) == INFINITY), 1.0, made)
    integer = floor(y) == y
    odd = integer & (floor(y * 0.5) != y * 0.5)
    negative = copysign(one, x) < 0.0
    made = where(odd & negative, -made, made)
    broken = (x < 0.0) & (size < INFINITY) & (absolute(y) < INFINITY) & (floor(y) != y)
    made = where(broken | (x != x) | (y != y), nan, made)
    return where((x == 1.0) | (y == 0.0), 1.0, made)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    if not emitted(x):
        return np.tanh(x)
    size, z = absolute(x), x * x
    rest = polynomial(TANH[kind_of(x)], z)
    near = fma(x, fma(z, rest, fma(x, x, -z) * rest), x)  # with what rounding took from z
    far = 1.0 - 2.0 / (exp(size * 2.0) + 1.0)
    return copysign(where(size < (0.95 if kind_of(x) == "f4" else 0.625), near, far), x)  # -0 stays -0


@in_float64(np.sinh)
def sinh(kind: str, x: Any) -> Any:
    """Hyperbolic sine."""
    size, z = absolute(x), x * x
    half = _exp(size, -1, kind)
    near = fma(x, z * polynomial(SINH[kind], z), x)
    return where(size < 1.0, near, copysign(half - 0.25 / half, x))


@in_float64(np.cosh)
def cosh(kind: str, x: Any) -> Any:
    """Hyperbolic cosine."""
    half = _exp(absolute(x), -1, kind)
    return half + 0.25 / half


@named
def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    e = exp(-absolute(x))  # never overflows, so that tiny results keep their digits
    above, below = where(x < 0.0, e, 1.0), e + 1.0
    inverse = 1.0 / below
    quotient = above * inverse
    # What rounding took away from e + 1, and from the quotient, put back.
    rest = fma(-quotient, below, above) - quotient * (e - (below - 1.0))
    return fma(rest, inverse, quotient)


def _softplus(x: Any) -> Any:
    return np.logaddexp(x, np.zeros((), np.result_type(x)))


@in_float64(_softplus)
def softplus(kind: str, x: Any) -> Any:
    """ln(1 + e^x)."""
    size = absolute(x)
    size = where(size > 200.0, 200.0, size) if kind == "f4" else size  # keeps e^-size a normal number
    return where(x > 0.0, x, 0.0) + where(x != x, x, _log1p(kind, _exp(-size, 0, kind)))
