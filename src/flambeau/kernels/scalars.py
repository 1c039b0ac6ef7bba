"""The closed set of scalar functions that kernel bodies may use, with their own polynomials.

Each works on a `Value` of a kernel being written, and on a NumPy array, so that the body of an elementwise kernel
is also its own NumPy formula. Errors: exp, log, tanh, erf, sigmoid stay within 2 units in the last place in float32
and in float64 (the tests sample the whole range). nan goes in and out; infinities, zeros and denormals are exact.
Coefficients (highest power first) come from tools/fit_scalars.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# fmt: off
EXP = {
    "f4": (
        0.0001989098087, 0.001393364103, 0.008333310934, 0.04166646501, 0.1666666668, 0.5000000013,
    ),
    "f8": (
        2.0914679376583935e-9, 2.5105206373957011e-8, 2.7557273661348636e-7, 2.7557255425746434e-6,
        2.4801587325533364e-5, 0.00019841269874800492, 0.0013888888888883752, 0.0083333333333261409,
        0.04166666666666667, 0.16666666666666671, 0.5,
    ),
}
LOG = {
    "f4": (
        0.2333046722, 0.2855082082, 0.4000012184, 0.6666666655,
    ),
    "f8": (
        0.13086626147840102, 0.13268773138656885, 0.15386239702814658, 0.18181795640132906,
        0.22222222391713917, 0.28571428570803612, 0.40000000000000877, 0.66666666666666666,
    ),
}
TANH = {
    "f4": (
        -0.006096714166, 0.020997179, -0.05385090958, 0.1333276974, -0.3333332894,
    ),
    "f8": (
        -1.724487449484433e-5, 7.959955735264808e-5, -0.00023077616269519858, 0.00058743728600943819,
        -0.001455309297534642, 0.0035920589774734553, -0.0088632298309257087, 0.021869488260559115,
        -0.053968253961395571, 0.13333333333326658, -0.33333333333333323,
    ),
}
ERF = {
    "f4": (
        7.875875063e-5, -0.0008016864287, 0.005189087423, -0.02685421201, 0.1128359472, -0.3761262667,
        0.1283791658,
    ),
    "f8": (
        -3.1793638937047702e-17, 1.1843475807220297e-15, -2.5539722975772766e-14, 4.3805305069863426e-13,
        -6.6895474705445056e-12, 9.4184462566165174e-11, -1.2289908655759642e-9, 1.4807118914939614e-8,
        -1.6365838265682278e-7, 1.6462113944350506e-6, -1.4925650337860149e-5, 0.00012055332981063426,
        -0.00085483270234328977, 0.0052239776254418937, -0.026866170645131222, 0.11283791670955126,
        -0.37612638903183752, 0.12837916709551257,
    ),
}
LOG_ERFC = {
    "f4": (
        1.643063656e-6, -4.616385863e-5, 0.0005975857702, -0.004762625833, 0.02642763715, -0.1100871665,
        -0.6318239181, -1.130231055, 0.0003185396624,
    ),
    "f8": (
        -1.9831801370411608e-18, 1.8001923769369752e-16, -7.7719364335476469e-15, 2.1229762581387763e-13,
        -4.1171260957396331e-12, 6.0282955005158318e-11, -6.9168075125467187e-10, 6.3681888834445976e-9,
        -4.7748220065758192e-8, 2.9383901426829215e-7, -1.4851529021847784e-6, 6.1101199496135215e-6,
        -1.9917342420755547e-5, 4.7740619982944734e-5, -6.2303073330357853e-5, -8.4489255549387407e-5,
        0.00073624857893429606, -0.0019253032976939411, 0.00046887735000561899, 0.018910165918444818,
        -0.10263865453009545, -0.63667683096883388, -1.1283640357368149, -1.8850180708785031e-6,
    ),
}
# fmt: on

LN2_HIGH = {"f4": 0.693359375, "f8": 6.93147180369123816490e-01}  # few bits: n * LN2_HIGH is exact
LN2_LOW = {"f4": -2.12194440e-4, "f8": 1.90821492927058770002e-10}


def _emitted(x: Any) -> bool:
    """Whether x belongs to a kernel being written (an `emit.Value`; llvmlite is not imported to find out)."""
    return hasattr(x, "k")


def _kind(x: Any) -> str:
    """Whose coefficients to use: f4 or f8."""
    if _emitted(x):
        return x.kind
    return "f8" if np.result_type(x) == np.float64 else "f4"


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b."""
    return condition.k.select(condition, a, b) if _emitted(condition) else np.where(condition, a, b)


def fma(a: Any, b: Any, c: Any) -> Any:
    """a * b + c with one rounding in kernels."""
    if not _emitted(a):
        return a * b + c
    return a.k.call_intrinsic("llvm.fma", a, a.k.lift(b, a.type), a.k.lift(c, a.type))


def polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Horner's scheme, highest power first."""
    total: Any = coefficients[0]
    if _emitted(x):
        total = x.k.lift(total, x.type)
    for c in coefficients[1:]:
        total = fma(total, x, c)
    return total


def absolute(x: Any) -> Any:
    return x.k.call_intrinsic("llvm.fabs", x) if _emitted(x) else np.abs(x)


def sqrt(x: Any) -> Any:
    return x.k.call_intrinsic("llvm.sqrt", x) if _emitted(x) else np.sqrt(x)


def copysign(x: Any, sign: Any) -> Any:
    """x with the sign of another number."""
    return x.k.call_intrinsic("llvm.copysign", x, sign) if _emitted(x) else np.copysign(x, sign)


def greater(x: Any, y: Any) -> Any:
    """The larger of two numbers; x where y is nan, nan where x is."""
    return where(x < y, y, x)


def exp(x: Any) -> Any:
    """e to the power x."""
    if not _emitted(x):
        return np.exp(x)
    kind = _kind(x)
    single = kind == "f4"
    low, high = (-104.0, 89.0) if single else (-746.0, 710.0)
    x = where(x < low, low, x)
    x = where(x > high, high, x)  # a nan passes both
    # Adding 1.5 * 2^p leaves the nearest whole number in the low bits, for nan too.
    magic = 12582912.0 if single else 6755399441055744.0
    shifted = fma(x, 1.4426950408889634, magic)
    n = shifted - magic
    r = fma(n, -LN2_HIGH[kind], x)
    r = fma(n, -LN2_LOW[kind], r)
    p = fma(polynomial(EXP[kind], r), r * r, r) + 1.0
    whole = shifted.bits() - x.k.lift(magic, x.type).bits()
    half = whole >> 1
    bias, place = (127, 23) if single else (1023, 52)
    # Two factors, because 2^n itself may lie outside the range where the result does not.
    return p * ((half + bias) << place).bits() * ((whole - half + bias) << place).bits()


def log(x: Any) -> Any:
    """Natural logarithm."""
    if not _emitted(x):
        return np.log(x)
    kind = _kind(x)
    single = kind == "f4"
    place, tiny, lift, root_half = (
        (23, 2.0**-126, 2.0**23, 0x3F3504F3) if single else (52, 2.0**-1022, 2.0**54, 0x3FE6A09E667F3BCD)
    )
    small = x < tiny
    scaled = where(small, x * lift, x)
    bits = scaled.bits()
    exponent = (bits - root_half) >> place
    mantissa = (bits - (exponent << place)).bits()
    e = exponent.cast(x.type) - where(small, x.k.lift(23.0 if single else 54.0, x.type), 0.0)
    f = mantissa - 1.0
    s = f / (f + 2.0)
    z = s * s
    rest = z * polynomial(LOG[kind], z)
    half_square = f * f * 0.5
    result = e * LN2_HIGH[kind] - ((half_square - (s * (half_square + rest) + e * LN2_LOW[kind])) - f)
    result = where(x > 0.0, result, where(x == 0.0, x.k.lift(float("-inf"), x.type), float("nan")))
    return where(x < float("inf"), result, x)  # inf and nan


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    if not _emitted(x):
        return np.tanh(x)
    size, z = absolute(x), x * x
    near = fma(x, z * polynomial(TANH[_kind(x)], z), x)
    far = 1.0 - 2.0 / (exp(size * 2.0) + 1.0)
    return copysign(where(size < 0.625, near, far), x)  # -0 stays -0


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-x)."""
    e = exp(-absolute(x))  # never overflows, so that tiny results keep their digits
    above, below = where(x < 0.0, e, 1.0), e + 1.0
    inverse = 1.0 / below
    quotient = above * inverse
    # What rounding took away from e + 1, and from the quotient, put back.
    rest = fma(-quotient, below, above) - quotient * (e - (below - 1.0))
    return fma(rest, inverse, quotient)


def erf(x: Any) -> Any:
    """Error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x."""
    kind = _kind(x)
    split, end = (0.9, 4.0) if kind == "f4" else (1.5, 6.0)
    size = absolute(x)
    near_x = x if _emitted(x) else np.clip(x, -1.5, 1.5)
    near = fma(near_x, polynomial(ERF[kind], near_x * near_x), near_x)
    far = 1.0 - exp(polynomial(LOG_ERFC[kind], where(size > end, end, size)))
    return where(size < split, near, copysign(far, x))
