"""Error functions, the normal distribution function and their inverses."""

import numpy as np

from . import special_tables as tables
from .special_common import horner, piecewise, special

SQRT_HALF = 0.7071067811865476
SQRT_TWO = 1.4142135623730951
LOG_TWO = 0.6931471805599453


def _exp_square(x, scale):
    """exp(scale x^2) with x^2 kept to more than double precision, for |x| up to where the result is 0 or inf."""
    x = np.clip(x, -40.0, 40.0)
    high = x.astype(np.float32).astype(np.float64)  # its square is exact
    return np.exp(scale * high * high) * np.exp(scale * (x - high) * (x + high))


def _erfcx_positive(x):
    """erfcx for x >= 0 (Shepherd and Laframboise 1981: a polynomial after mapping the half line to [-1, 1])."""
    return horner(tables.ERFCX, 1.0 - 8.0 / (x + 4.0)) / (1.0 + 2.0 * x)


def _erf_small(x):
    return x * horner(tables.ERF, 2.0 * x * x - 1.0)


def _erf_large(x):
    a = np.abs(x)
    return np.copysign(1.0 - np.exp(-a * a) * _erfcx_positive(a), x)


def _erf_single(x):
    """erf in float32 alone: 1 - exp(-x p(x)) needs no branch."""
    a = np.minimum(np.abs(x), np.float32(4.0))
    a *= horner(_ERF_SINGLE, a * np.float32(0.5) - np.float32(1.0))
    np.negative(a, out=a)
    np.expm1(a, out=a)
    return np.copysign(a, x)


_ERF_SINGLE = tuple(np.float32(c) for c in tables.ERF_SINGLE)


@special(single=_erf_single)
def erf(x):
    """2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    a = np.abs(x)
    return piecewise((x,), (a <= 1.0, _erf_small), (a > 1.0, _erf_large))


@special
def erfc(x):
    """1 - erf(x), to full relative precision."""
    return piecewise(
        (x,),
        (x < -1.0, lambda x: 1.0 - _erf_large(x)),
        ((x >= -1.0) & (x <= 0.5), lambda x: 1.0 - _erf_small(x)),
        (x > 0.5, lambda x: _exp_square(x, -1.0) * _erfcx_positive(x)),
    )


@special
def erfcx(x):
    """exp(x^2) erfc(x)."""
    return piecewise(
        (x,),
        (x >= 0.0, _erfcx_positive),
        (x < 0.0, lambda x: 2.0 * _exp_square(x, 1.0) - _erfcx_positive(-x)),
    )


@special
def ndtr(x):
    """Distribution function of the standard normal."""
    return piecewise(
        (x,),
        (x < -1.0, _ndtr_tail),
        (np.abs(x) <= 1.0, lambda x: 0.5 + 0.5 * _erf_small(x * SQRT_HALF)),
        (x > 1.0, lambda x: 1.0 - _ndtr_tail(-x)),
    )


def _ndtr_tail(x):
    # the exponential takes x itself: the rounding of x / sqrt(2) would be magnified by x^2
    return 0.5 * _exp_square(x, -0.5) * _erfcx_positive(np.abs(x) * SQRT_HALF)


@special
def log_ndtr(x):
    """log of the normal distribution function, finite far into the left tail."""
    return piecewise(
        (x,),
        (x < -1.0, lambda x: np.log(0.5 * _erfcx_positive(-x * SQRT_HALF)) - 0.5 * x * x),
        (x >= -1.0, _log_ndtr_right),
        (x == -np.inf, -np.inf),
    )


def _log_ndtr_right(x):
    return np.log1p(
        piecewise(
            (x,),
            (x <= 1.0, lambda x: 0.5 * _erf_small(x * SQRT_HALF) - 0.5),
            (x > 1.0, lambda x: -_ndtr_tail(-x)),
        )
    )


def _erfinv_ratio(w):
    """erfinv(y) / y where w = -log(1 - y^2)."""
    r = np.sqrt(w)
    return piecewise(
        (w, r),
        (w < 6.0, lambda w, r: horner(tables.ERFINV_LOW, w / 3.0 - 1.0)),
        ((w >= 6.0) & (r < 4.5), lambda w, r: horner(tables.ERFINV_MIDDLE, (r - _MIDDLE) / _MIDDLE_HALF)),
        ((r >= 4.5) & (r < 10.0), lambda w, r: horner(tables.ERFINV_HIGH, (r - 7.25) / 2.75)),
        (r >= 10.0, lambda w, r: horner(tables.ERFINV_TAIL, (r - 19.0) / 9.0)),
    )


_MIDDLE = (4.5 + np.sqrt(6.0)) / 2.0
_MIDDLE_HALF = (4.5 - np.sqrt(6.0)) / 2.0


@special
def erfinv(y):
    """The x with erf(x) = y; infinite at 1 and -1, nan beyond."""
    a = np.abs(y)
    return piecewise(
        (y,),
        (a < 1.0, lambda y: y * _erfinv_ratio(np.maximum(-np.log((1.0 - np.abs(y)) * (1.0 + np.abs(y))), 0.0))),
        (a == 1.0, lambda y: np.copysign(np.inf, y)),
    )


@special
def ndtri(p):
    """The x with ndtr(x) = p; infinite at 0 and 1, nan outside."""
    return piecewise((p,), ((p > 0.0) & (p < 1.0), _ndtri_inside), (p == 0.0, -np.inf), (p == 1.0, np.inf))


def _ndtri_inside(p):
    q = np.minimum(p, 1.0 - p)
    w = np.maximum(-(np.log(q) + np.log1p(-q)) - 2.0 * LOG_TWO, 0.0)
    x = SQRT_TWO * (1.0 - 2.0 * q) * _erfinv_ratio(w)
    return np.where(p < 0.5, -x, x)
