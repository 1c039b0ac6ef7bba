"""Element-wise functions of two tensors: remainders, powers, geometry, integers, logarithms of sums, extrema.

>>> import flambeau as torch
>>> torch.remainder(torch.tensor([-3, 3]), 2), torch.fmod(torch.tensor([-3, 3]), 2)
(tensor([1, 1]), tensor([-1,  1]))
>>> torch.maximum(torch.tensor([1.0, 5.0]), torch.tensor([2.0, float("nan")]))
tensor([2., nan])
"""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import DtypeError, NotSupported
from ..tensor import Tensor, attach
from .arithmetic import _check_zero, _pow, div, mul, sub
from .elementwise import (
    F32,
    _operand,
    binary,
    conj,
    exp,
    in_place_operator,
    kind_name,
    no_derivative,
    not_implemented,
    operator,
    with_example,
)
from .entry import METHODS, in_place, primitive, public
from .promotion import result_type
from .shape import need_tensor
from .unary import exp2, zeros

LN2 = math.log(2.0)

# ---------------------------------------------------------------------------------------------- remainders


def _fmod_array(a, b):
    _check_zero(b)
    return np.fmod(a, b)


def _remainder_array(a, b):
    _check_zero(b)
    if a.dtype.kind != "f":
        return np.remainder(a, b)
    rest = np.fmod(a, b)  # not np.remainder, whose zeros take the sign of the divisor
    return np.where((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest)


fmod = binary(
    "fmod", _fmod_array,
    {"input": lambda g: g, "other": lambda g, input, other: -g * div(input, other, rounding_mode="trunc")},
    refuse=(0, 3), fast=False, halves=True, numbers=(1,),
    doc="Remainder of the division rounded towards zero: the sign of `input`."
    "\n>>> torch.fmod(torch.tensor([7, -7]), 3)\ntensor([ 1, -1])",
)  # fmt: skip
remainder = binary(
    "remainder", _remainder_array,
    {"input": lambda g: g, "other": lambda g, input, other: -g * div(input, other, rounding_mode="floor")},
    refuse=(0, 3), fast=False, halves=True, doc="Remainder of the division rounded down: the sign of `other`."
    "\n>>> torch.remainder(torch.tensor([7, -7]), 3)\ntensor([1, 2])",
)  # fmt: skip
operator(remainder, "mod", "%")
in_place_operator("mod", Tensor.remainder_)


@public()
def rsub(input, other, *, alpha=1):
    """`other - alpha * input`.

    >>> import flambeau as torch
    >>> torch.rsub(torch.tensor([1, 2]), 10)
    tensor([9, 8])
    """
    need_tensor(input, "rsub")
    return sub(other, input, alpha=alpha)


# ---------------------------------------------------------------------------------------------- powers


@public(method=True, out=True)
def float_power(input, exponent):
    """`input` to the power of `exponent`, computed in float64 (complex128 if either is complex).

    >>> import flambeau as torch
    >>> torch.float_power(torch.tensor([1, 2, 3]), 2)
    tensor([1., 4., 9.], dtype=torch.float64)
    """
    common = result_type(input, exponent)
    wide = dtypes.complex128 if common.is_complex else dtypes.float64
    a, b = (_operand(x, wide.numpy) for x in (input, exponent))
    return _pow(a, b)


def float_power_(self, exponent):
    """`self` to the power of `exponent`, in place; `self` must be float64, or complex128 if either is complex."""
    wide = dtypes.complex128 if result_type(self, exponent).is_complex else dtypes.float64
    if self.dtype is not wide:
        raise DtypeError(
            f"the base given to float_power_ has dtype {kind_name(self.dtype)} but the operation's result "
            f"requires dtype {kind_name(wide)}",
            why=f"the power is computed in {wide.name}, and an in-place operation keeps the dtype",
            fix=f"use `x = x.to(torch.{wide.name})` first, or `x = x.float_power(exponent)`",
        )
    return _float_power_in_place(self, exponent)


_float_power_in_place = in_place(float_power, "float_power")
attach("float_power_", float_power_)
METHODS["float_power_"] = float_power_


def _ldexp_array(input, other):
    compute = input.astype(F32) if FROM_NUMPY[input.dtype] in HALVES else input
    return np.ldexp(compute, np.clip(other, -4096, 4096).astype(np.int32)).astype(input.dtype, copy=False)


_ldexp = primitive("ldexp", _ldexp_array, vjp={"input": lambda g, other: _ldexp(g, other)})


@public(method=True, inplace=True, out=True)
def ldexp(input, other):
    """`input * 2**other`.

    >>> import flambeau as torch
    >>> torch.ldexp(torch.tensor([1.0, 3.0]), torch.tensor([2, -1]))
    tensor([4.0000, 1.5000])
    """
    need_tensor(input, "ldexp")
    need_tensor(other, "ldexp", "other", 2)
    if input.dtype.is_floating_point:
        if other.dtype.category == 0:
            raise not_implemented("ldexp_cpu_exp", other.dtype)
        if other.dtype.category == 1:
            return _ldexp(input, other)
    return mul(input, _pow(2.0, other))


# ---------------------------------------------------------------------------------------------- geometry


def _atan2_square(input, other):
    square = input * input + other * other
    return square.masked_fill(square == 0, 1)


atan2 = binary(
    "atan2", np.arctan2,
    {"input": lambda g, input, other: g * other / _atan2_square(input, other),
     "other": lambda g, input, other: -g * input / _atan2_square(input, other)},
    floats=True, halves=True, refuse=(3,), aliases=("arctan2",), numbers=(),
    doc="The angle of the point (other, input), from -pi to pi."
    "\n>>> torch.atan2(torch.tensor([1.0]), torch.tensor([-1.0]))\ntensor([2.3562])",
)  # fmt: skip
hypot = binary(
    "hypot", np.hypot,
    {"input": lambda g, input, out: g * (input / out), "other": lambda g, other, out: g * (other / out)},
    refuse=(0, 1, 3), halves=True, numbers=(), doc="sqrt(input**2 + other**2) without overflow."
    "\n>>> torch.hypot(torch.tensor([3.0]), torch.tensor([4.0]))\ntensor([5.])",
)  # fmt: skip


def _copysign_input(g, input, out):
    zero = input == 0
    return (g * (out / input.masked_fill(zero, 1))).masked_fill(zero, 0)


copysign = binary("copysign", np.copysign, {"input": _copysign_input, "other": zeros}, floats=True, halves=True,
                  refuse=(3,), numbers=(1,), doc="The modulus of `input` with the sign of `other`."
                  "\n>>> torch.copysign(torch.tensor([1.0, 2.0]), -1)\ntensor([-1., -2.])")  # fmt: skip
nextafter = binary("nextafter", np.nextafter, {"input": lambda g, input, other: g.masked_fill(input == other, 0),
                                               "other": zeros},
                   refuse=(0, 1, 3), numbers=(), doc="The next floating-point number towards `other`."
                   "\n>>> torch.nextafter(torch.tensor([1.0]), torch.tensor([2.0])) > 1\ntensor([True])")  # fmt: skip


def _heaviside_check(input, other):
    if input.dtype.is_complex or other.dtype.is_complex:
        raise DtypeError(
            "heaviside is not yet implemented for complex tensors.",
            why="complex numbers have no order",
            fix="use `x.real`",
        )
    if input.dtype is not other.dtype:
        raise DtypeError(
            "heaviside is not yet implemented for tensors with different dtypes.",
            why="the result has one dtype",
            fix=f"convert it: `values.to(torch.{input.dtype.name})`",
        )


def _heaviside_array(a, b):
    return np.where(a == 0, b, np.asarray(a > 0, a.dtype))


_heaviside = binary("heaviside", _heaviside_array,
                    {"input": no_derivative("heaviside"), "other": no_derivative("heaviside")},
                    node="NotImplemented", check=_heaviside_check, numbers=(), function=False, method=False,
                    inplace=False)  # fmt: skip


@public(method=True, inplace="method", out=True)
def heaviside(input, values):
    """0 where `input` is negative, 1 where positive, and `values` where it is 0.

    >>> import flambeau as torch
    >>> torch.heaviside(torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _heaviside(input, values)


# ---------------------------------------------------------------------------------------------- integers


gcd = binary("gcd", np.gcd, refuse=(0, 2, 3), numbers=(), doc="Greatest common divisor, non-negative."
             "\n>>> torch.gcd(torch.tensor([12, 7]), torch.tensor([18, 21]))\ntensor([6, 7])")  # fmt: skip
lcm = binary("lcm", np.lcm, refuse=(0, 2, 3), numbers=(), doc="Least common multiple, non-negative."
             "\n>>> torch.lcm(torch.tensor([4, 6]), torch.tensor([6, 9]))\ntensor([12, 18])")  # fmt: skip

# ---------------------------------------------------------------------------------------------- log of sums


def _logaddexp_array(a, b):
    if a.dtype.kind != "c":
        return np.logaddexp(a, b)
    swap = a.real < b.real
    high, low = np.where(swap, b, a), np.where(swap, a, b)
    return np.where((high == low) & np.isinf(high.real), high, high + np.log1p(np.exp(low - high)))


logaddexp = binary(
    "logaddexp", _logaddexp_array,
    {"input": lambda g, input, other: g / conj(1 + exp(other - input)),
     "other": lambda g, input, other: g / conj(1 + exp(input - other))},
    refuse=(0, 1), halves=True, inplace=False, numbers=(), doc="log(exp(input) + exp(other)) without overflow."
    "\n>>> torch.logaddexp(torch.tensor([0.0]), torch.tensor([0.0]))\ntensor([0.6931])",
)  # fmt: skip
logaddexp2 = binary(
    "logaddexp2", np.logaddexp2,
    {"input": lambda g, input, other: g / (1 + exp2(other - input)),
     "other": lambda g, input, other: g / (1 + exp2(input - other))},
    refuse=(0, 1, 3), halves=True, inplace=False, numbers=(), doc="log2(2**input + 2**other) without overflow."
    "\n>>> torch.logaddexp2(torch.tensor([1.0]), torch.tensor([1.0]))\ntensor([2.])",
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- extrema


def _no_complex(name):
    def check(input, other):
        need_tensor(input, name)
        need_tensor(other, name, "other", 2)
        raise NotSupported(
            f"{name} not implemented for complex tensors.",
            why="complex numbers have no order",
            fix="use `x.real` or `x.abs()`",
        )

    return check


def _extremum(name, ufunc, less, doc):
    """`less(a, b)`: a loses to b. Equal elements share the gradient."""

    def share(g, mine, theirs):
        # halves where both are equal; nan goes the way of the comparison, as in PyTorch
        tie = mine == theirs
        return (g.masked_fill(tie, 0) + (g * 0.5).masked_fill(~tie, 0)).masked_fill(less(mine, theirs), 0)

    prim = binary(name, ufunc, {"input": lambda g, input, other: share(g, input, other),
                                "other": lambda g, input, other: share(g, other, input)},
                  halves=True, inplace=False, fast=False, function=False, method=False)  # fmt: skip
    check = _no_complex(name)

    def fn(input, other, *, out=None):
        if not (isinstance(input, Tensor) and isinstance(other, Tensor)) or input._array.dtype.kind == "c" \
                or other._array.dtype.kind == "c":  # fmt: skip
            check(input, other)
        return prim(input, other, out=out)

    fn.__name__ = fn.__qualname__ = name
    fn.__doc__ = with_example(doc)
    return public(name, method=True)(fn)


maximum = _extremum("maximum", np.maximum, lambda a, b: a < b, "The larger of two elements; nan if either is."
                    "\n>>> torch.maximum(torch.tensor([1, 5]), torch.tensor([3, 2]))\ntensor([3, 5])")  # fmt: skip
minimum = _extremum("minimum", np.minimum, lambda a, b: a > b, "The smaller of two elements; nan if either is."
                    "\n>>> torch.minimum(torch.tensor([1, 5]), torch.tensor([3, 2]))\ntensor([1, 2])")  # fmt: skip


def _fmax_wins(input, other):
    return (input >= other) | other.isnan()


def _fmin_wins(input, other):
    return (input <= other) | other.isnan()


fmax = binary(
    "fmax", np.fmax,
    {"input": lambda g, input, other: g.masked_fill(~_fmax_wins(input, other), 0),
     "other": lambda g, input, other: g.masked_fill(_fmax_wins(input, other), 0)},
    refuse=(3,), halves=True, inplace=False, numbers=(),
    doc="The larger of two elements; the other one where one is nan."
    "\n>>> torch.fmax(torch.tensor([1.0, float(\"nan\")]), torch.tensor([2.0, 3.0]))\ntensor([2., 3.])",
)  # fmt: skip
fmin = binary(
    "fmin", np.fmin,
    {"input": lambda g, input, other: g.masked_fill(~_fmin_wins(input, other), 0),
     "other": lambda g, input, other: g.masked_fill(_fmin_wins(input, other), 0)},
    refuse=(3,), halves=True, inplace=False, numbers=(),
    doc="The smaller of two elements; the other one where one is nan."
    "\n>>> torch.fmin(torch.tensor([1.0, float(\"nan\")]), torch.tensor([2.0, 3.0]))\ntensor([1., 3.])",
)  # fmt: skip
