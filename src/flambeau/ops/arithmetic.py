"""The arithmetic and the comparisons of Python's operators."""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..errors import DtypeError
from ..kernels.record import constant
from ..tensor import Tensor, attach
from .elementwise import (
    F32,
    F64,
    _operand,
    binary,
    conj,
    in_place_operator,
    no_derivative,
    operator,
    unary,
)
from .entry import public
from .fused import fused
from .promotion import result_type, scalar_array

_ndarray = np.ndarray

# ---------------------------------------------------------------------- arithmetic


def _no_bool(word):
    def check(input, other):
        a = input.dtype is dtypes.bool if isinstance(input, Tensor) else isinstance(input, bool)
        b = other.dtype is dtypes.bool if isinstance(other, Tensor) else isinstance(other, bool)
        if a and b:
            raise DtypeError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
                "`logical_xor()` operator instead.",
                why="truth values have no difference as numbers",
                fix="use `a ^ b`, or `a.int() - b.int()` for numbers",
            )
        if a or b:
            raise DtypeError(
                "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
                "invert a mask, use the `~` or `logical_not()` operator instead.",
                why="truth values have no difference as numbers",
                fix="use `~mask` to invert a mask, or `x - mask.float()` for numbers",
            )

    return check


def _conj_array(a):
    return a.conj() if a.dtype.kind == "c" else a


@fused(lambda g, other: g * _conj_array(other), np.multiply)
def _times_other(g, other):
    return g * conj(other)


@fused(lambda g, input: g * _conj_array(input), np.multiply)
def _times_input(g, input):
    return g * conj(input)


@fused(lambda g, other: g / _conj_array(other), np.divide)
def _over_other(g, other):
    return g / conj(other)


_add = binary("add", np.add, {"input": lambda g: g, "other": lambda g: g}, function=False, method=False, inplace=False)
_sub = binary("sub", np.subtract, {"input": lambda g: g, "other": lambda g: -g}, check=_no_bool("sub"),
              function=False, method=False, inplace=False)  # fmt: skip
mul = binary(
    "mul", np.multiply, {"input": _times_other, "other": _times_input}, aliases=("multiply",),
    doc="Product of two tensors, element by element."
    "\n>>> torch.mul(torch.tensor([1, 2]), torch.tensor([3, 4]))\ntensor([3, 8])",
)  # fmt: skip
_divide = binary(
    "div", np.divide,
    {"input": _over_other, "other": lambda g, out, other: -g * conj(out / other)},
    floats=True, function=False, method=False, inplace=False,
)  # fmt: skip


@public(method=True, inplace=True, out=True)
def add(input, other, *, alpha=1):
    """Sum of two tensors, `input + alpha * other`, element by element.

    >>> import flambeau as torch
    >>> torch.add(torch.tensor([1, 2]), 10)
    tensor([11, 12])
    """
    if alpha.__class__ is int and alpha == 1:
        return _add(input, other)
    return _add(input, _scaled(input, other, alpha, "add"))


def _scaled(input, other, alpha, name):
    common = result_type(input, other)
    if isinstance(alpha, bool) and common is not dtypes.bool:
        raise DtypeError(
            "Boolean alpha only supported for Boolean results.",
            why=f"the result is {common.name}, and `alpha` is {alpha}",
            fix="pass a number, such as `alpha=1`",
        )
    if isinstance(alpha, float) and common.category < 2:
        raise DtypeError(
            "For integral input tensors, argument alpha must not be a floating point number.",
            why=f"the result is {common.name}, and `alpha` is {alpha}",
            fix="convert the tensor, `x.float()`, or pass a whole number",
        )
    if isinstance(alpha, complex) and common.category < 3:
        raise DtypeError(
            "For non-complex input tensors, argument alpha must not be a complex number.",
            why=f"the result is {common.name}, and `alpha` is {alpha}",
            fix="convert the tensor: `x.to(torch.complex64)`",
        )
    scale = bool(alpha) if common is dtypes.bool else alpha
    return mul(_operand(other, common.numpy), Tensor.wrap(scalar_array(scale, common.numpy)))


@public(method=True, inplace=True, out=True, aliases=("subtract",))
def sub(input, other, *, alpha=1):
    """Difference of two tensors, `input - alpha * other`, element by element.

    >>> import flambeau as torch
    >>> torch.sub(torch.tensor([5, 6]), torch.tensor([1, 2]), alpha=2)
    tensor([3, 2])
    """
    if alpha.__class__ is int and alpha == 1:
        return _sub(input, other)
    _no_bool("sub")(input, other)
    return _sub(input, _scaled(input, other, alpha, "sub"))


@public(method=True, inplace=True, out=True, aliases=("divide",))
def div(input, other, *, rounding_mode=None):
    """Quotient of two tensors, element by element; `rounding_mode` None, "trunc" or "floor".

    >>> import flambeau as torch
    >>> torch.div(torch.tensor([7.0, -7.0]), 2), torch.div(torch.tensor([7, -7]), 2, rounding_mode="trunc")
    (tensor([ 3.5000, -3.5000]), tensor([ 3, -3]))
    """
    if rounding_mode is None:
        return _divide(input, other)
    if rounding_mode == "floor":
        return _floored(input, other)
    if rounding_mode == "trunc":
        return _trunc_divide(input, other)
    raise DtypeError(
        f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'",
        why="it says how the quotient is made whole",
        fix='pass `rounding_mode="floor"` or "trunc", or leave it out',
    )


@public(method=True, inplace=True, out=True)
def true_divide(input, other):
    """Quotient of two tensors; the same as `div`.

    >>> import flambeau as torch
    >>> torch.true_divide(torch.tensor([3, 4]), 2)
    tensor([1.5000, 2.0000])
    """
    return _divide(input, other)


def _check_zero(b):
    if b.dtype.kind in "iu" and type(b) is np.ndarray and not b.all():
        raise DtypeError(
            "ZeroDivisionError",
            why=f"{b.size - np.count_nonzero(b)} of {b.size} whole numbers to divide by are 0",
            fix="replace them first, `y.masked_fill(y == 0, 1)`, or divide as floats: `y.float()`",
        )


def _floor_array(a, b):
    _check_zero(b)
    if a.dtype.kind == "f":
        q = np.floor_divide(a, b)
        return np.where(b == 0, a / b, q)
    return np.floor_divide(a, b)


def _trunc_array(a, b):
    _check_zero(b)
    if a.dtype.kind in "fV":
        return np.trunc(a / b)
    if a.dtype.kind == "u":
        return a // b
    q = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -q, q).astype(a.dtype)


def _no_slope(g):
    return Tensor.wrap(constant(np.zeros_like(g._array)))


floor_divide = binary("floor_divide", _floor_array,
                      {"input": no_derivative("floor_divide"), "other": no_derivative("floor_divide")},
                      node="NotImplemented", doc="Quotient rounded towards minus infinity."
                      "\n>>> torch.floor_divide(torch.tensor([7, -7]), 2)\ntensor([ 3, -4])", fast=False,
                      refuse=(0, 3))  # fmt: skip
_floored = binary("floored_divide", _floor_array, {"input": _no_slope, "other": _no_slope}, refuse=(0, 3),
                  function=False, method=False, inplace=False, fast=False, node="DivBackward2")  # fmt: skip
_trunc_divide = binary("trunc_divide", _trunc_array, {"input": _no_slope, "other": _no_slope}, refuse=(0, 3),
                       function=False, method=False, inplace=False, fast=False, node="DivBackward2")  # fmt: skip


def _negative(a):
    if a.dtype.kind == "b":
        raise DtypeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
            "mask, use the `~` or `logical_not()` operator instead.",
            why="truth values have no negative",
            fix="use `~mask`",
        )
    return np.negative(a)


neg = unary("neg", _negative, lambda g: -g, aliases=("negative",), doc="The negative of each element."
            "\n>>> torch.neg(torch.tensor([1, -2]))\ntensor([-1,  2])")  # fmt: skip


def _power(a, b):
    if a.dtype.kind == "b":
        return np.power(a.astype(np.uint8), b.astype(np.uint8)).astype(bool)
    if a.dtype.kind in "iu" and b.dtype.kind == "i" and np.any(b < 0):
        # PyTorch: 0 except for bases 1 and -1
        flip = np.where(b % 2 == 0, 1, a)
        small = np.where((a == 1) | (a == -1), flip, 0)
        return np.where(b < 0, small, np.power(a, np.where(b < 0, 0, b))).astype(a.dtype)
    if a.dtype.kind == "f" and b.ndim == 0:
        # The cheap ways of common exponents; NumPy's power is a library call per element.
        exponent = float(b)
        if exponent == 2:
            return np.multiply(a, a)
        if exponent == 0.5:
            return np.sqrt(a)
        if exponent == 3:
            return a * a * a
        if exponent == -1:
            return np.reciprocal(a)
    return np.power(a, b)


def _pow_input(g, input, other):
    if other._array.ndim == 0 and not other.requires_grad:
        exponent = other.item()
        if exponent == 0:
            return g * 0
        if exponent == 2:
            return g * conj(input) * 2
        return g * conj(exponent * input ** (exponent - 1))
    zero = other == 0
    return (g * conj(other * input ** (other - 1))).masked_fill(zero, 0)


def _pow_other(g, input, other, out):
    grad = g * conj(out * input.log())
    bad = (input == 0) & (other >= 0) if other._array.dtype.kind != "c" else (input == 0)
    return grad.masked_fill(bad, 0)


_pow = binary("pow", _power, {"input": _pow_input, "other": _pow_other}, refuse=(0,),
              function=False, method=False, inplace=False, fast=False)  # fmt: skip


@public(method=True, inplace=True, out=True)
def pow(input, exponent):
    """`input` to the power of `exponent`, element by element.

    >>> import flambeau as torch
    >>> torch.pow(torch.tensor([1, 2, 3]), 2)
    tensor([1, 4, 9])
    """
    kind = exponent.__class__
    if (kind is int or kind is float) and isinstance(input, Tensor):
        d = input._array.dtype
        if d is F32 or d is F64:
            return _pow(input, Tensor.wrap(constant(np.asarray(exponent, d))))
        if exponent < 0 and kind is int and input.dtype.category < 2:
            raise DtypeError(
                "Integers to negative integer powers are not allowed.",
                why=f"the exponent is {exponent}, and the result would be a fraction",
                fix=f"use `x.float() ** {exponent}`",
            )
    return _pow(input, exponent)


_rsub = binary(
    "rsub", lambda a, b: np.subtract(b, a), {"input": lambda g: -g, "other": lambda g: g}, node="RsubBackward1",
    function=False, method=False, inplace=False,
)  # fmt: skip


def _number_minus(tensor, other):
    _no_bool("sub")(tensor, other)
    return _rsub(tensor, other)


for _name, _fn, _symbol, _reflect in (
    ("add", _add, "+", _add), ("sub", _sub, "-", _number_minus), ("mul", mul, "*", mul),
    ("truediv", _divide, "/", lambda tensor, other: mul(tensor.reciprocal(), other)),
    ("floordiv", floor_divide, "//", None), ("pow", pow, "**", None),
):  # fmt: skip
    operator(_fn, _name, _symbol, _reflect)
for _name, _method in (("add", Tensor.add_), ("sub", Tensor.sub_), ("mul", Tensor.mul_), ("truediv", Tensor.div_),
                       ("floordiv", Tensor.floor_divide_), ("pow", Tensor.pow_)):  # fmt: skip
    in_place_operator(_name, _method)
attach("__rdiv__", Tensor.__rtruediv__)
attach("__idiv__", Tensor.__itruediv__)
attach("__neg__", neg)
attach("__pos__", lambda self: self.positive())

# ---------------------------------------------------------------------- comparison


def comparison(name, ufunc, doc, aliases=(), refuse=(3,)):
    """Define a comparison: promoted operands, a bool result, no gradient."""
    return binary(name, ufunc, doc=doc, aliases=aliases, result=dtypes.bool, refuse=refuse, numbers=(1,))


eq = comparison("eq", np.equal, "Whether elements are equal."
                "\n>>> torch.eq(torch.tensor([1, 2]), torch.tensor([1, 3]))\ntensor([ True, False])",
                refuse=())  # fmt: skip
ne = comparison("ne", np.not_equal, "Whether elements differ."
                "\n>>> torch.ne(torch.tensor([1, 2]), torch.tensor([1, 3]))\ntensor([False,  True])",
                aliases=("not_equal",), refuse=())  # fmt: skip
lt = comparison("lt", np.less, "Whether elements of `input` are less."
                "\n>>> torch.lt(torch.tensor([1, 2]), 2)\ntensor([ True, False])", aliases=("less",))  # fmt: skip
le = comparison("le", np.less_equal, "Whether elements of `input` are less or equal."
                "\n>>> torch.le(torch.tensor([1, 2]), 1)\ntensor([ True, False])",
                aliases=("less_equal",))  # fmt: skip
gt = comparison("gt", np.greater, "Whether elements of `input` are greater."
                "\n>>> torch.gt(torch.tensor([1, 2]), 1)\ntensor([False,  True])", aliases=("greater",))  # fmt: skip
ge = comparison("ge", np.greater_equal, "Whether elements of `input` are greater or equal."
                "\n>>> torch.ge(torch.tensor([1, 2]), 2)\ntensor([False,  True])",
                aliases=("greater_equal",))  # fmt: skip


for _fn in (eq, ne, lt, le, gt, ge):
    attach(f"__{_fn.__name__}__", _fn.operator)
