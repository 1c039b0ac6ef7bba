"""The closed set of scalar functions that kernel bodies may use, with their own polynomials.

Each works on a `Value` of a kernel being written, and on a NumPy array, so that the body of an elementwise kernel
is also its own NumPy formula. Errors stay within 2 units in the last place in float32 and in float64, and within 1
in float32 for exp, log and tanh and for all that are computed in float64 (the tests sample the whole range).
nan goes in and out; infinities, zeros and denormals are exact.
"""

from .scalars_base import absolute, ceil, copysign, floor, fma, greater, polynomial, rint, rsqrt, sqrt, trunc, where
from .scalars_circular import acos, asin, atan, atan2, cos, sin, tan
from .scalars_exponential import (
    cosh,
    exp,
    exp2,
    exp_below,
    expm1,
    log,
    log1p,
    log2,
    log10,
    power,
    sigmoid,
    sinh,
    softplus,
    tanh,
)
from .scalars_other import erf, fmod, normal_cdf, remainder

__all__ = [
    "absolute", "acos", "asin", "atan", "atan2", "ceil", "copysign", "cos", "cosh", "erf", "exp", "exp2", "exp_below",
    "expm1", "floor", "fma", "fmod", "greater", "log", "log10", "log1p", "log2", "normal_cdf", "polynomial", "power",
    "remainder", "rint", "rsqrt", "sigmoid", "sin", "sinh", "softplus", "sqrt", "tan", "tanh", "trunc", "where",
]  # fmt: skip
