"""Element-wise functions of one tensor: trigonometry, exponentials, rounding, signs, nan replacement.

>>> import flambeau as torch
>>> torch.trunc(torch.tensor([-1.5, 2.7])), torch.log1p(torch.tensor([0, 1]))
(tensor([-1.,  2.]), tensor([0.0000, 0.6931]))
"""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes, return_types
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentTypeError, DtypeError, NotSupported
from ..kernels.record import constant
from ..tensor import Tensor, attach, wrap
from .elementwise import F32, conj, cos, not_implemented, sin, unary, with_example
from .entry import METHODS, primitive, public
from .shape import need_tensor

LN2, LN10 = math.log(2.0), math.log(10.0)


def zeros(g: Tensor) -> Tensor:
    """A gradient of zeros shaped like `g`, for functions that are constant almost everywhere."""
    return wrap(constant(np.zeros_like(g._array)))


# ---------------------------------------------------------------------------------------------- trigonometry


def _acosh_vjp(g, input):
    if input._array.dtype.kind == "c":  # two roots: sqrt(z^2 - 1) has its branch cut elsewhere
        return g * conj((input - 1).rsqrt() * (input + 1).rsqrt())
    return g * (input * input - 1).rsqrt()


tan = unary("tan", np.tan, lambda g, out: g * conj(1 + out * out), floats=True, doc="Tangent of each element."
            "\n>>> torch.tan(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 1.5574])")  # fmt: skip
acos = unary("acos", np.arccos, lambda g, input: -g * conj((1 - input * input).rsqrt()), floats=True,
             aliases=("arccos",), doc="Inverse cosine of each element."
             "\n>>> torch.acos(torch.tensor([1.0, 0.0]))\ntensor([0.0000, 1.5708])")  # fmt: skip
asin = unary("asin", np.arcsin, lambda g, input: g * conj((1 - input * input).rsqrt()), floats=True,
             aliases=("arcsin",), doc="Inverse sine of each element."
             "\n>>> torch.asin(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 1.5708])")  # fmt: skip
atan = unary("atan", np.arctan, lambda g, input: g / conj(1 + input * input), floats=True, aliases=("arctan",),
             doc="Inverse tangent of each element."
             "\n>>> torch.atan(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 0.7854])")  # fmt: skip
cosh = unary("cosh", np.cosh, lambda g, input: g * conj(sinh(input)), floats=True,
             doc="Hyperbolic cosine of each element."
             "\n>>> torch.cosh(torch.tensor([0.0, 1.0]))\ntensor([1.0000, 1.5431])")  # fmt: skip
sinh = unary("sinh", np.sinh, lambda g, input: g * conj(cosh(input)), floats=True,
             doc="Hyperbolic sine of each element."
             "\n>>> torch.sinh(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 1.1752])")  # fmt: skip
acosh = unary("acosh", np.arccosh, _acosh_vjp, floats=True, aliases=("arccosh",),
              doc="Inverse hyperbolic cosine of each element."
              "\n>>> torch.acosh(torch.tensor([1.0, 2.0]))\ntensor([0.0000, 1.3170])")  # fmt: skip
asinh = unary("asinh", np.arcsinh, lambda g, input: g * conj((1 + input * input).rsqrt()), floats=True,
              aliases=("arcsinh",), doc="Inverse hyperbolic sine of each element."
              "\n>>> torch.asinh(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 0.8814])")  # fmt: skip
atanh = unary("atanh", np.arctanh, lambda g, input: g / conj(1 - input * input), floats=True, aliases=("arctanh",),
              doc="Inverse hyperbolic tangent of each element."
              "\n>>> torch.atanh(torch.tensor([0.0, 0.5]))\ntensor([0.0000, 0.5493])")  # fmt: skip
deg2rad = unary("deg2rad", lambda a: np.multiply(a, a.dtype.type(math.pi / 180)), lambda g: g * (math.pi / 180),
                floats=True, refuse=(3,), doc="Degrees to radians."
                "\n>>> torch.deg2rad(torch.tensor([0.0, 180.0]))\ntensor([0.0000, 3.1416])")  # fmt: skip
rad2deg = unary("rad2deg", lambda a: np.multiply(a, a.dtype.type(180 / math.pi)), lambda g: g * (180 / math.pi),
                floats=True, refuse=(3,), doc="Radians to degrees."
                "\n>>> torch.rad2deg(torch.tensor([0.0, 3.1416]))\ntensor([  0.0000, 180.0004])")  # fmt: skip


def _sinc_array(a):
    x = a * a.dtype.type(math.pi)
    zero = x == 0
    return np.where(zero, a.dtype.type(1), np.sin(x) / np.where(zero, a.dtype.type(1), x))


def _sinc_vjp(g, input):
    near = input.abs() < 1e-2  # the quotient cancels there: Taylor's series, which holds for its derivative too
    x = math.pi * input
    t = x * x
    series = (x * (-1 / 3 + t * (1 / 30 - t / 840))).masked_fill(~near, 0)
    x = x.masked_fill(near, 1)
    quotient = ((x * cos(x) - sin(x)) / (x * x)).masked_fill(near, 0)
    return g * conj((series + quotient) * math.pi)


sinc = unary("sinc", _sinc_array, _sinc_vjp, floats=True, aliases=("special.sinc",),
             doc="sin(pi x) / (pi x) of each element, 1 at 0."
             "\n>>> torch.sinc(torch.tensor([0.0, 0.5]))\ntensor([1.0000, 0.6366])")  # fmt: skip

# ---------------------------------------------------------------------------------------------- exponentials, powers


def _exp2_array(a):
    return np.exp(a * a.dtype.type(LN2)) if a.dtype.kind == "c" else np.exp2(a)


def _rsqrt_array(a):
    root = np.sqrt(a)
    return np.divide(root.dtype.type(1), root)


exp2 = unary("exp2", _exp2_array, lambda g, out: g * conj(out) * LN2, floats=True, aliases=("special.exp2",),
             doc="2 to the power of each element."
             "\n>>> torch.exp2(torch.tensor([0.0, 3.0]))\ntensor([1., 8.])")  # fmt: skip
expm1 = unary("expm1", np.expm1, lambda g, out: g * (conj(out) + 1), floats=True, aliases=("special.expm1",),
              doc="exp(x) - 1 of each element, accurate near 0."
              "\n>>> torch.expm1(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 1.7183])")  # fmt: skip


def _log10(a):
    # NumPy's float32 log10 is a unit off at powers of ten.
    return np.log10(a.astype(np.float64)).astype(np.float32) if a.dtype == np.float32 else np.log10(a)


log10 = unary("log10", _log10, lambda g, input: g / (conj(input) * LN10), floats=True,
              doc="Logarithm to base 10 of each element."
              "\n>>> torch.log10(torch.tensor([1.0, 2.0]))\ntensor([0.0000, 0.3010])")  # fmt: skip
log2 = unary("log2", np.log2, lambda g, input: g / (conj(input) * LN2), floats=True,
             doc="Logarithm to base 2 of each element."
             "\n>>> torch.log2(torch.tensor([1.0, 8.0]))\ntensor([0., 3.])")  # fmt: skip
log1p = unary("log1p", np.log1p, lambda g, input: g / (conj(input) + 1), floats=True, aliases=("special.log1p",),
              doc="log(1 + x) of each element, accurate near 0."
              "\n>>> torch.log1p(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 0.6931])")  # fmt: skip
rsqrt = unary("rsqrt", _rsqrt_array, lambda g, out: g * conj(out * out * out) * -0.5, floats=True,
              doc="Reciprocal of the square root of each element."
              "\n>>> torch.rsqrt(torch.tensor([1.0, 4.0]))\ntensor([1.0000, 0.5000])")  # fmt: skip
reciprocal = unary("reciprocal", lambda a: np.divide(a.dtype.type(1), a), lambda g, out: -g * conj(out * out),
                   floats=True, doc="1 / x of each element."
                   "\n>>> torch.reciprocal(torch.tensor([2.0, 4.0]))\ntensor([0.5000, 0.2500])")  # fmt: skip


def _square_integers(a):
    return a.astype(np.int64) if a.dtype.kind == "b" else np.square(a)


square = unary("square", np.square, lambda g, input: g * (conj(input) * 2), integers=_square_integers,
               node="PowBackward0", doc="Square of each element."
               "\n>>> torch.square(torch.tensor([2, -3]))\ntensor([4, 9])")  # fmt: skip

# ---------------------------------------------------------------------------------------------- rounding


def _rounding(name, ufunc, doc, aliases=(), refuse=(0, 3)):
    return unary(name, ufunc, zeros, integers=lambda a: a.copy(), aliases=aliases, refuse=refuse, doc=doc)


ceil = _rounding("ceil", np.ceil, "The smallest integer not below each element."
                 "\n>>> torch.ceil(torch.tensor([-1.5, 1.2]))\ntensor([-1.,  2.])")  # fmt: skip
floor = _rounding("floor", np.floor, "The largest integer not above each element."
                  "\n>>> torch.floor(torch.tensor([-1.5, 1.2]))\ntensor([-2.,  1.])")  # fmt: skip
trunc = _rounding("trunc", np.trunc, "The integer part of each element."
                  "\n>>> torch.trunc(torch.tensor([-1.5, 2.7]))\ntensor([-1.,  2.])", aliases=("fix",))  # fmt: skip
frac = unary("frac", lambda a: a - np.trunc(a), lambda g: g, refuse=(0, 1, 3),
             doc="The fractional part of each element, with its sign."
             "\n>>> torch.frac(torch.tensor([-1.5, 1.25]))\ntensor([-0.5000,  0.2500])")  # fmt: skip


def _round_array(input, decimals):
    if input.dtype.kind in "iu":
        return input.copy()
    a = input.astype(F32) if FROM_NUMPY[input.dtype] in HALVES else input
    if decimals == 0:
        out = np.rint(a)
    else:
        scale = a.dtype.type(10.0 ** abs(decimals))
        out = np.rint(a * scale) / scale if decimals > 0 else np.rint(a / scale) * scale
    return out.astype(input.dtype, copy=False)


_round = primitive("round", _round_array, vjp={"input": zeros})


@public(method=True, inplace=True, out=True, aliases=("special.round",))
def round(input, *, decimals=0):
    """Each element rounded to the nearest integer, halves to even; or to `decimals` places.

    >>> import flambeau as torch
    >>> torch.round(torch.tensor([0.5, 1.5, -2.7]))
    tensor([ 0.,  2., -3.])
    """
    need_tensor(input, "round")
    if not isinstance(decimals, (int, np.integer)):
        raise ArgumentTypeError(
            f"round(): argument 'decimals' must be int, not {type(decimals).__name__}",
            why="it is the number of digits after the point",
            fix="pass a whole number, such as `decimals=2`",
        )
    if input.dtype.category in (0, 3) or (decimals and input.dtype.category == 1):
        raise not_implemented("round_cpu", input.dtype)
    return _round(input, decimals=int(decimals))


# ---------------------------------------------------------------------------------------------- sign


def _sign_array(a):
    if a.dtype.kind == "b":
        return a.copy()
    if a.dtype.kind == "f":  # 0 for nan, which np.sign would keep
        return np.subtract(a > 0, a < 0, dtype=a.dtype)
    return np.sign(a)


_sign = unary("sign", _sign_array, zeros, doc="", function=False, method=False, inplace=False)


@public(method=True, inplace=True, out=True)
def sign(input):
    """-1, 0 or 1 by the sign of each element; use `sgn` for complex tensors.

    >>> import flambeau as torch
    >>> torch.sign(torch.tensor([-1.5, 0.0, 2.0]))
    tensor([-1.,  0.,  1.])
    """
    if isinstance(input, Tensor) and input._array.dtype.kind == "c":
        raise NotSupported(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.",
            why="a complex number has a direction in place of a sign",
            fix="use `torch.sgn(x)`",
        )
    return _sign(input)


def _sgn_array(a):
    if a.dtype.kind == "c":
        size = np.abs(a)
        zero = size == 0
        return np.where(zero, a.dtype.type(0), a / np.where(zero, size.dtype.type(1), size))
    return _sign_array(a)


def _sgn_vjp(g, input, out):
    if input._array.dtype.kind != "c":
        return zeros(g)
    size = input.abs()
    zero = size == 0
    along = (conj(g) * out).real  # the part of g along the result changes only the length
    return ((g - out * along) / size.masked_fill(zero, 1)).masked_fill(zero, 0)


sgn = unary("sgn", _sgn_array, _sgn_vjp, doc="The sign of each element; z / |z| of complex ones, 0 at 0."
            "\n>>> torch.sgn(torch.tensor([3 + 4j, 0j]))\ntensor([0.6000+0.8000j, 0.0000+0.0000j])")  # fmt: skip


@public(method=True, out=True)
def signbit(input):
    """Whether the sign bit of each element is set: -0.0 counts as negative.

    >>> import flambeau as torch
    >>> torch.signbit(torch.tensor([-1.0, -0.0, 2.0]))
    tensor([ True,  True, False])
    """
    need_tensor(input, "signbit")
    if input._array.dtype.kind == "c":
        raise NotSupported(
            "signbit is not implemented for complex tensors.",
            why="a complex number has no sign",
            fix="use `x.real` or `x.imag`",
        )
    return _signbit(input)


def _signbit_array(input):
    if input.dtype.kind in "biu":
        return input < input.dtype.type(0) if input.dtype.kind == "i" else np.zeros_like(input, dtype=bool)
    return np.signbit(input.astype(F32) if FROM_NUMPY[input.dtype] in HALVES else input)


_signbit = primitive("signbit", _signbit_array)


@public(method=True)
def positive(input):
    """The tensor itself, as the operator +x does; RuntimeError for bool tensors.

    >>> import flambeau as torch
    >>> torch.positive(torch.tensor([1, -2]))
    tensor([ 1, -2])
    """
    need_tensor(input, "positive")
    if input._array.dtype.kind == "b":
        raise DtypeError(
            "The `+` operator, on a bool tensor is not supported.",
            why="truth values have no sign",
            fix="use the tensor itself, or `x.int()` for numbers",
        )
    return input


# ---------------------------------------------------------------------------------------------- classification


def predicate(name, floating, doc, *, integral=False, complexes=None):
    """Define a test of each element: `floating` for floats, a constant for integers, `complexes` (None refuses)."""

    def forward(input):
        d = FROM_NUMPY[input.dtype]
        if d.category < 2:
            return np.full_like(input, integral, dtype=bool)
        if d in HALVES or d.itemsize == 1:
            input = input.astype(F32)
        return (complexes if d.category == 3 else floating)(input)

    test = primitive(name, forward)

    def fn(input):
        need_tensor(input, name)
        if complexes is None and input._array.dtype.kind == "c":
            raise DtypeError(
                f"{name} does not support complex inputs.",
                why="complex numbers have no order and no such value",
                fix="use `x.real`, `x.imag` or `x.abs()`",
            )
        return test(input)

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = with_example(doc)
    return public(name, method=True, out=complexes is None)(fn)


isnan = predicate("isnan", np.isnan, "Whether each element is nan."
                  "\n>>> torch.isnan(torch.tensor([1.0, float('nan')]))\ntensor([False,  True])",
                  complexes=np.isnan)  # fmt: skip
isinf = predicate("isinf", np.isinf, "Whether each element is infinite."
                  "\n>>> torch.isinf(torch.tensor([1.0, float('-inf')]))\ntensor([False,  True])",
                  complexes=np.isinf)  # fmt: skip
isfinite = predicate("isfinite", np.isfinite, "Whether each element is neither infinite nor nan."
                     "\n>>> torch.isfinite(torch.tensor([1.0, float('inf')]))\ntensor([ True, False])",
                     integral=True, complexes=np.isfinite)  # fmt: skip
isposinf = predicate("isposinf", lambda a: a == np.inf, "Whether each element is +inf."
                     "\n>>> torch.isposinf(torch.tensor([1.0, float('inf')]))\ntensor([False,  True])")  # fmt: skip
isneginf = predicate("isneginf", lambda a: a == -np.inf, "Whether each element is -inf."
                     "\n>>> torch.isneginf(torch.tensor([1.0, float('-inf')]))\ntensor([False,  True])")  # fmt: skip
isreal = predicate("isreal", lambda a: np.ones_like(a, dtype=bool), "Whether each element is real."
                   "\n>>> torch.isreal(torch.tensor([1 + 0j, 1j]))\ntensor([ True, False])",
                   integral=True,
                   complexes=lambda a: a.imag == 0)  # fmt: skip


def _nan_to_num_array(input, nan, posinf, neginf):
    if input.dtype.kind in "biu":
        return input.copy()
    if input.dtype.kind == "c":
        out = np.empty_like(input)
        out.real = _nan_to_num_array(input.real, nan, posinf, neginf)
        out.imag = _nan_to_num_array(input.imag, nan, posinf, neginf)
        return out
    limits = dtypes.finfo(FROM_NUMPY[input.dtype])
    kind = input.dtype.type
    out = np.where(np.isnan(input), kind(0 if nan is None else nan), input)
    out = np.where(out == np.inf, kind(limits.max if posinf is None else posinf), out)
    return np.where(out == -np.inf, kind(limits.min if neginf is None else neginf), out).astype(input.dtype, copy=False)


def _nan_to_num_vjp(g, input):
    if input._array.dtype.kind == "c":
        return g * isfinite(input)
    return g.masked_fill(~isfinite(input), 0)


_nan_to_num = primitive("nan_to_num", _nan_to_num_array, vjp={"input": _nan_to_num_vjp})


@public(method=True, inplace=True, out=True)
def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """nan replaced by `nan` (0), infinities by `posinf` and `neginf` (the largest finite values of the dtype).

    >>> import flambeau as torch
    >>> torch.nan_to_num(torch.tensor([float("nan"), 1.0]))
    tensor([0., 1.])
    """
    need_tensor(input, "nan_to_num")
    return _nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


def _frexp_array(input):
    if FROM_NUMPY[input.dtype] in HALVES:
        mantissa, exponent = np.frexp(input.astype(F32))
        return mantissa.astype(input.dtype), exponent
    return tuple(np.frexp(input))


_frexp = primitive("frexp", _frexp_array, vjp={"input": lambda g, out: g[0] / exp2(out[1].detach())})


@public(method=True, out=True)
def frexp(input):
    """Mantissa in (-1, -1/2] or [1/2, 1) and int32 exponent with input = mantissa * 2**exponent.

    >>> import flambeau as torch
    >>> mantissa, exponent = torch.frexp(torch.tensor([6.0]))
    >>> mantissa, exponent
    (tensor([0.7500]), tensor([3], dtype=torch.int32))
    """
    need_tensor(input, "frexp")
    if not input.dtype.is_floating_point:
        raise DtypeError(
            "torch.frexp() only supports floating-point dtypes",
            why=f"the tensor is {input.dtype.name}, and a mantissa is a fraction",
            fix="convert it: `x.float()`",
        )
    return return_types.frexp(_frexp(input))


attach("__abs__", lambda self: self.abs())
METHODS["__abs__"] = Tensor.__abs__
