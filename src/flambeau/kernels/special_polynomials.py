"""Classical orthogonal polynomials p_n(x) with an array of degrees, by their three-term recurrences."""

import numpy as np

from .special_common import special


def _recurrence(first, step, start=1.0):
    """A polynomial family from p_1(x) and the rule for p_(k+1) from k, x, p_k and p_(k-1).

    The degree is cut to an integer; negative degrees give 0, p_0 is `start`.
    """

    def evaluate(x, n):
        n = np.trunc(n)
        out = np.where(n < 0.0, 0.0, start)
        out = np.where(np.isnan(n), np.nan, out)
        before, current = np.full_like(x, start), first(x)
        k = 1
        remaining = n[n >= 1.0]
        last = np.max(remaining) if remaining.size else 0.0
        while k <= last:
            out = np.where(n >= k, current, out)
            if not np.isfinite(current).any():
                break  # overflowed: the higher degrees stay infinite or nan
            before, current = current, step(k, x, current, before)
            k += 1
        return out

    return evaluate


def _chebyshev_step(k, x, current, before):
    return 2.0 * x * current - before


def _oscillating(recurrence, form):
    """High degrees inside (-1, 1) by the trigonometric form, which costs the same for every degree."""

    def evaluate(x, n):
        n = np.trunc(n)
        trigonometric = (n > 64.0) & (np.abs(x) < 1.0)
        out = recurrence(x, np.where(trigonometric, 0.0, n))
        if trigonometric.any():
            out = np.where(trigonometric, form(np.arccos(np.clip(x, -1.0, 1.0)), n), out)
        return out

    return evaluate


_t = _oscillating(_recurrence(lambda x: x.copy(), _chebyshev_step), lambda angle, n: np.cos(n * angle))
_u = _oscillating(
    _recurrence(lambda x: 2.0 * x, _chebyshev_step), lambda angle, n: np.sin((n + 1.0) * angle) / np.sin(angle)
)
_v = _oscillating(
    _recurrence(lambda x: 2.0 * x - 1.0, _chebyshev_step),
    lambda angle, n: np.cos((n + 0.5) * angle) / np.cos(0.5 * angle),
)
_w = _oscillating(
    _recurrence(lambda x: 2.0 * x + 1.0, _chebyshev_step),
    lambda angle, n: np.sin((n + 0.5) * angle) / np.sin(0.5 * angle),
)
_h = _recurrence(lambda x: 2.0 * x, lambda k, x, current, before: 2.0 * (x * current - k * before))
_he = _recurrence(lambda x: x.copy(), lambda k, x, current, before: x * current - k * before)
_l = _recurrence(lambda x: 1.0 - x, lambda k, x, c, b: ((2 * k + 1 - x) * c - k * b) / (k + 1))
_p = _recurrence(lambda x: x.copy(), lambda k, x, c, b: ((2 * k + 1) * x * c - k * b) / (k + 1))


def _family(name, evaluate, formula):
    def polynomial(x, n):
        return evaluate(x, n)

    polynomial.__name__ = name
    polynomial.__doc__ = f"{formula}, degree `n` (cut to an integer; 0 where it is negative) at `x`."
    return special(polynomial)


def _shifted(evaluate):
    return lambda x, n: evaluate(2.0 * x - 1.0, n)


chebyshev_polynomial_t = _family("chebyshev_polynomial_t", _t, "Chebyshev polynomial of the first kind")
chebyshev_polynomial_u = _family("chebyshev_polynomial_u", _u, "Chebyshev polynomial of the second kind")
chebyshev_polynomial_v = _family("chebyshev_polynomial_v", _v, "Chebyshev polynomial of the third kind")
chebyshev_polynomial_w = _family("chebyshev_polynomial_w", _w, "Chebyshev polynomial of the fourth kind")
shifted_chebyshev_polynomial_t = _family("shifted_chebyshev_polynomial_t", _shifted(_t), "T_n(2 x - 1)")
shifted_chebyshev_polynomial_u = _family("shifted_chebyshev_polynomial_u", _shifted(_u), "U_n(2 x - 1)")
shifted_chebyshev_polynomial_v = _family("shifted_chebyshev_polynomial_v", _shifted(_v), "V_n(2 x - 1)")
shifted_chebyshev_polynomial_w = _family("shifted_chebyshev_polynomial_w", _shifted(_w), "W_n(2 x - 1)")
hermite_polynomial_h = _family("hermite_polynomial_h", _h, "Physicist's Hermite polynomial")
hermite_polynomial_he = _family("hermite_polynomial_he", _he, "Probabilist's Hermite polynomial")
laguerre_polynomial_l = _family("laguerre_polynomial_l", _l, "Laguerre polynomial")
legendre_polynomial_p = _family("legendre_polynomial_p", _p, "Legendre polynomial")
