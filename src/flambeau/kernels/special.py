"""Special functions on arrays: the error, gamma and Bessel families, orthogonal polynomials and x log y's kin.

All take arrays that broadcast and return float32 for float32 and float64 for float64 (integers count as float64), with
about 1e-14 relative error in float64, away from zeros of oscillating functions. nan, infinities and poles as PyTorch.
"""

import numpy as np

from .special_bessel import (
    airy_ai,
    bessel_j0,
    bessel_j1,
    bessel_y0,
    bessel_y1,
    i0,
    i0e,
    i1,
    i1e,
    modified_bessel_k0,
    modified_bessel_k1,
    scaled_modified_bessel_k0,
    scaled_modified_bessel_k1,
    spherical_bessel_j0,
)
from .special_error import erf, erfc, erfcx, erfinv, log_ndtr, ndtr, ndtri
from .special_gamma import digamma, gammainc, gammaincc, lgamma, polygamma, zeta
from .special_polynomials import (
    chebyshev_polynomial_t,
    chebyshev_polynomial_u,
    chebyshev_polynomial_v,
    chebyshev_polynomial_w,
    hermite_polynomial_h,
    hermite_polynomial_he,
    laguerre_polynomial_l,
    legendre_polynomial_p,
    shifted_chebyshev_polynomial_t,
    shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v,
    shifted_chebyshev_polynomial_w,
)

modified_bessel_i0 = i0
modified_bessel_i1 = i1


def entr(x):
    """-x log x; 0 at 0 and -inf below."""
    with np.errstate(all="ignore"):
        inside = -x * np.log(np.where(x > 0, x, x.dtype.type(1)))
        rest = np.where(x == 0, x.dtype.type(0), np.where(np.isnan(x), x, x.dtype.type(-np.inf)))
        return np.where(x > 0, inside, rest)


def xlogy(x, y):
    """x log y, 0 where x is 0 unless y is nan."""
    with np.errstate(all="ignore"):
        return np.where((x == 0) & ~np.isnan(y), np.zeros((), np.result_type(x, y)), x * np.log(y))


def xlog1py(x, y):
    """x log(1 + y), 0 where x is 0 unless y is nan."""
    with np.errstate(all="ignore"):
        return np.where((x == 0) & ~np.isnan(y), np.zeros((), np.result_type(x, y)), x * np.log1p(y))


def sinc(x):
    """sin(pi x) / (pi x), 1 at 0."""
    with np.errstate(all="ignore"):
        scaled = x * x.dtype.type(np.pi)
        return np.where(x == 0, x.dtype.type(1), np.sin(scaled) / scaled)


def logit(x, eps=None):
    """log(x / (1 - x)), after clamping x to [eps, 1 - eps] if `eps` is given; nan outside [0, 1] without it."""
    with np.errstate(all="ignore"):
        if eps is not None:
            x = np.clip(x, x.dtype.type(eps), x.dtype.type(1 - eps))
        return np.log(x / (1 - x))


__all__ = [
    "airy_ai",
    "bessel_j0",
    "bessel_j1",
    "bessel_y0",
    "bessel_y1",
    "chebyshev_polynomial_t",
    "chebyshev_polynomial_u",
    "chebyshev_polynomial_v",
    "chebyshev_polynomial_w",
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "gammainc",
    "gammaincc",
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
    "lgamma",
    "log_ndtr",
    "logit",
    "modified_bessel_i0",
    "modified_bessel_i1",
    "modified_bessel_k0",
    "modified_bessel_k1",
    "ndtr",
    "ndtri",
    "polygamma",
    "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
    "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w",
    "sinc",
    "spherical_bessel_j0",
    "xlog1py",
    "xlogy",
    "zeta",
]
