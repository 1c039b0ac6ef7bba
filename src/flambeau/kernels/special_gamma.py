"""The gamma function's relatives: lgamma, digamma, polygamma, Hurwitz zeta, regularised incomplete gamma."""

import math

import numpy as np

from . import special_tables as tables
from .special_common import horner, piecewise, sin_pi, special
from .special_error import erfc

HALF_LOG_TWO_PI = 0.9189385332046727
LOG_PI = 1.1447298858494002
EPSILON = 2.0**-53


# ---------------------------------------------------------------------------------------------- lgamma


def _lgamma_near_two(z):
    """lgamma(2 + z), |z| <= 1/2: exact at its zero."""
    return z * horner(tables.LGAMMA, 2.0 * z)


def _stirling(x):
    """The remainder of Stirling's formula, x >= 8."""
    return horner(tables.STIRLING, 128.0 / (x * x) - 1.0) / x


def _lgamma_large(x):
    return (x - 0.5) * (np.log(x) - 1.0) + (HALF_LOG_TWO_PI - 0.5) + _stirling(x)


def _lgamma_middle(x):
    product = np.ones_like(x)
    for _ in range(6):  # down to [1.5, 2.5)
        above = x >= 2.5
        x = np.where(above, x - 1.0, x)
        product = np.where(above, product * x, product)
    return np.log(product) + _lgamma_near_two(x - 2.0)


def _lgamma_positive(x):
    return piecewise(
        (x,),
        (x < 0.5, lambda x: _lgamma_near_two(x) - np.log(x) - np.log1p(x)),
        ((x >= 0.5) & (x < 1.5), lambda x: _lgamma_near_two(x - 1.0) - np.log1p(x - 1.0)),
        ((x >= 1.5) & (x < 2.5), lambda x: _lgamma_near_two(x - 2.0)),
        ((x >= 2.5) & (x < 8.0), _lgamma_middle),
        (x >= 8.0, _lgamma_large),
    )


def _lgamma_negative(x):
    # Gamma(x) Gamma(1 - x) = pi / sin(pi x)
    # (separate logarithms: the product of two tiny factors would vanish)
    return LOG_PI - np.log(np.abs(sin_pi(x))) - np.log(-x) - _lgamma_positive(-x)


@special
def lgamma(x):
    """log |Gamma(x)|; inf at the poles 0, -1, -2, ... and at both infinities."""
    return piecewise(
        (x,), (x > 0.0, _lgamma_positive), (x < 0.0, _lgamma_negative), ((x <= 0.0) & (x == np.floor(x)), np.inf)
    )


# ---------------------------------------------------------------------------------------------- digamma


def _digamma_unit(x):
    """digamma on [1, 2], in a form that is exact at its root."""
    high, low = tables.DIGAMMA_ROOT
    return ((x - high) - low) * horner(tables.DIGAMMA, 2.0 * x - 3.0)


def _digamma_middle(x):
    total = np.zeros_like(x)
    for _ in range(6):  # digamma(x) = digamma(x - 1) + 1 / (x - 1)
        above = x > 2.0
        x = np.where(above, x - 1.0, x)
        total = np.where(above, total + 1.0 / x, total)
    return total + _digamma_unit(x)


def _digamma_large(x):
    square = x * x
    return np.log(x) - 0.5 / x - horner(tables.DIGAMMA_LARGE, 128.0 / square - 1.0) / square


def _digamma_positive(x):
    return piecewise(
        (x,),
        (x < 1.0, lambda x: _digamma_unit(x + 1.0) - 1.0 / x),
        ((x >= 1.0) & (x <= 2.0), _digamma_unit),
        ((x > 2.0) & (x < 8.0), _digamma_middle),
        (x >= 8.0, _digamma_large),
    )


def _digamma_negative(x):
    fraction = x - np.rint(x)
    return _digamma_positive(1.0 - x) - np.pi / np.tan(np.pi * fraction)


@special
def digamma(x):
    """Logarithmic derivative of the gamma function; nan at negative integers, -inf at 0 and +inf at -0."""
    return piecewise(
        (x,),
        (x > 0.0, _digamma_positive),
        (x < 0.0, _digamma_negative),
        ((x < 0.0) & (x == np.floor(x)), np.nan),
        (x == 0.0, lambda x: -np.copysign(np.inf, x)),
    )


# ---------------------------------------------------------------------------------------------- zeta, polygamma

_BERNOULLI = (  # B_2j / (2 j)!
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
    -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000,
)  # fmt: skip


def _zeta_positive(s, q):
    """Hurwitz zeta for s > 1, q > 0 by Euler and Maclaurin's summation after ten terms."""
    total = np.power(q, -s)
    for k in range(1, 10):
        total += np.power(q + k, -s)
    a = q + 10.0
    power = np.power(a, -s)
    tail = power * (a / (s - 1.0) + 0.5)
    factor = s * power / a
    square = a * a
    for j, b in enumerate(_BERNOULLI):
        tail += b * factor
        factor = factor * ((s + (2 * j + 1)) * (s + (2 * j + 2))) / square
    # an infinite factor times a vanished power: the tail is negligible wherever that happens
    return total + np.where(np.isfinite(tail), tail, 0.0)


def _zeta_negative(s, q):
    """q < 0 and no integer, s an integer: the terms with a negative base are summed by reflection."""
    count = np.ceil(-q)
    f = q + count
    sign = 1.0 - 2.0 * np.abs(np.fmod(s, 2.0))
    return _zeta_positive(s, f) + sign * (_zeta_positive(s, 1.0 - f) - _zeta_positive(s, 1.0 - q))


def _zeta(s, q):
    pole = (q <= 0.0) & (q == np.floor(q))
    return piecewise(
        (s, q),
        ((s > 1.0) & (q > 0.0), _zeta_positive),
        ((s > 1.0) & (q < 0.0) & (s == np.floor(s)), _zeta_negative),
        ((s > 1.0) & pole, np.inf),
        ((s > 1.0) & (q == np.inf), 0.0),
        (s == 1.0, np.inf),
    )


@special
def zeta(s, q):
    """Hurwitz zeta: the sum of (k + q)^-s over k >= 0; inf at s = 1 and at the poles in q, nan for s < 1."""
    return _zeta(s, q)


@special
def _trigamma(x):
    return piecewise(
        (x,),
        (x >= 0.5, lambda x: _zeta_positive(2.0, x)),
        (x < 0.5, lambda x: (np.pi / sin_pi(x)) ** 2 - _zeta_positive(2.0, 1.0 - x)),
        (x == np.inf, 0.0),
        (x == -np.inf, np.nan),
    )


def polygamma(n, x):
    """The n-th derivative of digamma, n a non-negative int: (-1)^(n+1) n! zeta(n + 1, x)."""
    if n == 0:
        return digamma(x)
    if n == 1:
        return _trigamma(x)
    factorial = math.gamma(n + 1.0) if n < 171 else math.inf
    factor = factorial if n % 2 else -factorial
    return special(lambda x: factor * _zeta(np.full_like(x, n + 1.0), x))(x)


# ---------------------------------------------------------------------------------------------- incomplete gamma


def _log1p_minus(m):
    """log(1 + m) - m without cancellation."""
    s = m / (2.0 + m)
    square = s * s

    def near(m, s, square):
        series = np.full_like(m, 1.0 / 39.0)
        for k in range(37, 1, -2):
            series *= square
            series += 1.0 / k
        return 2.0 * s * square * series - m * s

    small = np.abs(m) <= 0.5
    return piecewise((m, s, square), (small, near), (~small, lambda m, s, square: np.log1p(m) - m))


def _log_ratio_minus(a, x):
    """log(x / a) - (x - a) / a."""
    m = (x - a) / a
    return np.where(np.abs(m) <= 0.5, _log1p_minus(np.clip(m, -0.5, 0.5)), np.log(x / a) - m)


def _prefactor(a, x):
    """x^a exp(-x) / Gamma(a), whose exponents nearly cancel for large a."""
    return piecewise(
        (a, x),
        (a < 8.0, lambda a, x: np.exp(a * np.log(x) - x - _lgamma_positive(a))),
        (
            a >= 8.0,
            lambda a, x: np.sqrt(a / (2.0 * np.pi)) * np.exp(a * _log_ratio_minus(a, x) - _stirling(a)),
        ),
    )


def _lower_series(a, x):
    """P(a, x) by its power series (DLMF 8.11.4); for x < a + 1."""
    term = np.ones_like(x)
    total = np.ones_like(x)
    denominator = a.copy()
    for _ in range(2000):
        denominator += 1.0
        term *= x / denominator
        total += term
        if np.all(term <= EPSILON * total):
            break
    return _prefactor(a, x) * total / a


def _upper_fraction(a, x):
    """Q(a, x) by Legendre's continued fraction (DLMF 8.9.2) in Lentz's form; for x >= a + 1."""
    b = x + 1.0 - a
    c = np.full_like(x, 1e300)
    d = 1.0 / b
    h = d.copy()
    for i in range(1, 2000):
        an = i * (a - i)
        b += 2.0
        d = 1.0 / _away_from_zero(an * d + b)
        c = _away_from_zero(b + an / c)
        step = c * d
        h *= step
        if np.all(np.abs(step - 1.0) <= 2.0 * EPSILON):
            break
    return _prefactor(a, x) * h


def _away_from_zero(x):
    return np.where(np.abs(x) < 1e-300, 1e-300, x)


def _upper_series(a, x):
    """Q(a, x) for small x and a, where 1 - P would cancel."""
    exponent = a * np.log(x) - _lgamma_positive(a + 1.0)
    term = np.ones_like(x)
    total = np.zeros_like(x)
    for n in range(1, 60):
        term *= -x / n
        part = term / (a + n)
        total += part
        if np.all(np.abs(part) <= EPSILON * np.abs(total)):
            break
    return -np.expm1(exponent) - np.exp(exponent) * a * total


_TEMME = tuple(getattr(tables, f"TEMME_{k}") for k in range(10))


def _uniform(a, x, sign):
    """P (sign -1) or Q (sign +1) by Temme's uniform expansion (DLMF 8.12): large a, x near a."""
    phi = _log1p_minus((x - a) / a)
    eta = np.copysign(np.sqrt(np.maximum(-2.0 * phi, 0.0)), x - a)
    total = np.zeros_like(a)
    for row in reversed(_TEMME):
        total = total / a + (horner(row, eta) if len(row) > 1 else row[0])
    rest = total * np.exp(a * phi) / np.sqrt(2.0 * np.pi * a)
    return 0.5 * erfc(sign * eta * np.sqrt(0.5 * a)) + sign * rest


def _incomplete(a, x, upper):
    inside = (a > 0.0) & (x > 0.0) & np.isfinite(a) & np.isfinite(x)
    uniform = inside & (a > 50.0) & (np.abs(x - a) < 0.4 * a)
    tiny = inside & ~uniform & (x < 1.1) & (a < 1.0)
    fraction = inside & ~uniform & ~tiny & (x >= a + 1.0)
    series = inside & ~uniform & ~tiny & ~fraction
    if upper:
        cases = (
            (uniform, lambda a, x: _uniform(a, x, 1.0)),
            (tiny, _upper_series),
            (fraction, _upper_fraction),
            (series, lambda a, x: 1.0 - _lower_series(a, x)),
        )
    else:
        cases = (
            (uniform, lambda a, x: _uniform(a, x, -1.0)),
            (fraction, lambda a, x: 1.0 - _upper_fraction(a, x)),
            (series | tiny, _lower_series),
        )
    below, above = (1.0, 0.0) if upper else (0.0, 1.0)
    return piecewise(
        (a, x),
        *cases,
        ((a > 0.0) & (x == 0.0), below),
        ((a == 0.0) & (x > 0.0), above),
        (np.isposinf(a) & (x >= 0.0), below),
        (np.isposinf(x) & (a >= 0.0), above),
        (np.isposinf(a) & np.isposinf(x), np.nan),
    )


@special
def gammainc(a, x):
    """Regularised lower incomplete gamma function P(a, x)."""
    return _incomplete(a, x, upper=False)


@special
def gammaincc(a, x):
    """Regularised upper incomplete gamma function Q(a, x)."""
    return _incomplete(a, x, upper=True)
