"""Bessel functions of order 0 and 1, their modified and spherical kin, and Airy's function."""

import numpy as np

from . import special_tables as tables
from .special_common import horner, piecewise, special

SQRT_HALF = 0.7071067811865476
TWO_OVER_PI = 0.6366197723675814
SQRT_TWO_OVER_PI = 0.7978845608028654
TWO_SQRT_PI = 3.5449077018110318
INVERSE_SQRT_PI = 0.5641895835477563


# ---------------------------------------------------------------------------------------------- I0, I1


def _scaled_i(order):
    small, large = (tables.I0, tables.I0_LARGE) if order == 0 else (tables.I1, tables.I1_LARGE)

    def near(x):
        value = horner(small, 0.25 * x - 1.0)
        return value * x if order else value

    def scaled(x):
        """exp(-x) I(x) for x >= 0."""
        return piecewise((x,), (x <= 8.0, near), (x > 8.0, lambda x: horner(large, 16.0 / x - 1.0) / np.sqrt(x)))

    return scaled


_scaled_i0 = _scaled_i(0)
_scaled_i1 = _scaled_i(1)


def _exp_times(x, scaled):
    """exp(x) scaled(x), halving the exponent so that it overflows only where the product does."""
    half = np.exp(0.5 * x)
    return np.where(np.isinf(x), np.inf, half * scaled * half)


@special
def i0(x):
    """Modified Bessel function of the first kind, order 0."""
    a = np.abs(x)
    return np.where(np.isnan(x), x, _exp_times(a, _scaled_i0(a)))


@special
def i0e(x):
    """exp(-|x|) i0(x)."""
    return _scaled_i0(np.abs(x))


@special
def i1(x):
    """Modified Bessel function of the first kind, order 1."""
    a = np.abs(x)
    value = _exp_times(a, _scaled_i1(a))
    return np.where(np.isnan(x), x, np.where(x < 0.0, -value, value))


@special
def i1e(x):
    """exp(-|x|) i1(x)."""
    value = _scaled_i1(np.abs(x))
    return np.where(x < 0.0, -value, value)


# ---------------------------------------------------------------------------------------------- K0, K1


def _scaled_k(order):
    names = ("K0", "K0_MIDDLE", "K0_LARGE") if order == 0 else ("K1", "K1_MIDDLE", "K1_LARGE")
    small, middle, large = (getattr(tables, name) for name in names)

    def near(x):
        regular = horner(small, 2.0 * x * x - 1.0)
        if order == 0:
            value = regular - np.log(x) * np.exp(x) * _scaled_i0(x)
        else:
            value = regular * x + np.log(x) * np.exp(x) * _scaled_i1(x) + 1.0 / x
        return value * np.exp(x)

    def scaled(x):
        """exp(x) K(x): infinite at 0, nan below."""
        return piecewise(
            (x,),
            ((x > 0.0) & (x <= 1.0), near),
            ((x > 1.0) & (x <= 8.0), lambda x: horner(middle, (1.0 / x - 0.5625) / 0.4375) / np.sqrt(x)),
            (x > 8.0, lambda x: horner(large, 16.0 / x - 1.0) / np.sqrt(x)),
            (x == 0.0, np.inf),
        )

    return scaled


_scaled_k0 = _scaled_k(0)
_scaled_k1 = _scaled_k(1)


@special
def scaled_modified_bessel_k0(x):
    """exp(x) K0(x)."""
    return _scaled_k0(x)


@special
def scaled_modified_bessel_k1(x):
    """exp(x) K1(x)."""
    return _scaled_k1(x)


@special
def modified_bessel_k0(x):
    """Modified Bessel function of the second kind, order 0."""
    return _scaled_k0(x) * np.exp(-x)


@special
def modified_bessel_k1(x):
    """Modified Bessel function of the second kind, order 1."""
    return _scaled_k1(x) * np.exp(-x)


# ---------------------------------------------------------------------------------------------- J, Y


def _hankel(order, x):
    """sqrt(2 / (pi x)), P and Q of Hankel's form, and sine and cosine of x - (order / 2 + 1 / 4) pi; x > 8."""
    p_table, q_table = (tables.P0, tables.Q0) if order == 0 else (tables.P1, tables.Q1)
    t = 128.0 / (x * x) - 1.0
    p, q = horner(p_table, t), horner(q_table, t) / x
    sine, cosine = np.sin(x), np.cos(x)
    # the phase is expanded: subtracting pi/4 from a large x would round it away
    if order == 0:
        sine, cosine = (sine - cosine) * SQRT_HALF, (sine + cosine) * SQRT_HALF
    else:
        sine, cosine = -(sine + cosine) * SQRT_HALF, (sine - cosine) * SQRT_HALF
    return SQRT_TWO_OVER_PI / np.sqrt(x), p, q, sine, cosine


def _j_large(order):
    def large(x):
        scale, p, q, sine, cosine = _hankel(order, x)
        return scale * (p * cosine - q * sine)

    return large


def _y_large(order):
    def large(x):
        scale, p, q, sine, cosine = _hankel(order, x)
        return scale * (p * sine + q * cosine)

    return large


def _j0_small(x):
    return horner(tables.J0, x * x * (1.0 / 32.0) - 1.0)


def _j1_small(x):
    return x * horner(tables.J1, x * x * (1.0 / 32.0) - 1.0)


@special
def bessel_j0(x):
    """Bessel function of the first kind, order 0."""
    x = np.abs(x)
    return piecewise((x,), (x <= 8.0, _j0_small), (x > 8.0, _j_large(0)), (x == np.inf, 0.0))


@special
def bessel_j1(x):
    """Bessel function of the first kind, order 1."""
    a = np.abs(x)
    value = piecewise((a,), (a <= 8.0, _j1_small), (a > 8.0, _j_large(1)), (a == np.inf, 0.0))
    return np.where(np.signbit(x), -value, value)


def _y0_small(x):
    return horner(tables.Y0, x * x * (1.0 / 32.0) - 1.0) + TWO_OVER_PI * np.log(x) * _j0_small(x)


def _y1_small(x):
    regular = horner(tables.Y1, x * x * (1.0 / 32.0) - 1.0)
    return x * regular + TWO_OVER_PI * (np.log(x) * _j1_small(x) - 1.0 / x)


@special
def bessel_y0(x):
    """Bessel function of the second kind, order 0: -inf at 0, nan below."""
    near = (x > 0.0) & (x <= 8.0)
    return piecewise((x,), (near, _y0_small), (x > 8.0, _y_large(0)), (x == 0.0, -np.inf), (x == np.inf, 0.0))


@special
def bessel_y1(x):
    """Bessel function of the second kind, order 1: -inf at 0, nan below."""
    near = (x > 0.0) & (x <= 8.0)
    return piecewise((x,), (near, _y1_small), (x > 8.0, _y_large(1)), (x == 0.0, -np.inf), (x == np.inf, 0.0))


@special
def spherical_bessel_j0(x):
    """sin(x) / x, 1 at 0 and 0 at the infinities."""
    return piecewise((x,), (np.isfinite(x), lambda x: np.sin(x) / x), (x == 0.0, 1.0), (np.isinf(x), 0.0))


# ---------------------------------------------------------------------------------------------- Airy


def _airy_phase(x):
    """x < -3: sine and cosine of z + pi/4, z = 2/3 |x|^(3/2), each with its slowly varying amplitude."""
    a = -x
    root = np.sqrt(a)
    z = (2.0 / 3.0) * a * root
    t = 24.0 / (z * z) - 1.0
    sine, cosine = np.sin(z), np.cos(z)
    f, g = horner(tables.AIRY_F, t), horner(tables.AIRY_G, t) / z
    return INVERSE_SQRT_PI * SQRT_HALF * ((sine + cosine) * f - (cosine - sine) * g) / np.sqrt(root)


def _airy_decay(x):
    """x > 4, exp(-z) with an amplitude in powers of 1 / z."""
    root = np.sqrt(x)
    z = (2.0 / 3.0) * x * root
    return horner(tables.AIRY_LARGE, (1.0 / z - 0.09375) / 0.09375) * np.exp(-z) / (TWO_SQRT_PI * np.sqrt(root))


def _airy_between(x):
    root = np.sqrt(x)
    return horner(tables.AIRY_POSITIVE, 2.0 * root - 3.0) * np.exp((-2.0 / 3.0) * x * root)


@special
def airy_ai(x):
    """Airy's function Ai, the solution of y'' = x y that vanishes at +inf; nan at the infinities of x."""
    return piecewise(
        (x,),
        (x < -3.0, _airy_phase),
        ((x >= -3.0) & (x <= 0.0), lambda x: horner(tables.AIRY_NEGATIVE, x * (2.0 / 3.0) + 1.0)),
        ((x > 0.0) & (x <= 1.0), lambda x: horner(tables.AIRY_SMALL, 2.0 * x - 1.0)),
        ((x > 1.0) & (x <= 4.0), _airy_between),
        (x > 4.0, _airy_decay),
        (np.isinf(x), np.nan),
    )
