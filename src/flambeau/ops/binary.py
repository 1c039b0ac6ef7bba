"""Element-wise functions of two and three tensors: remainders, powers, extrema, clamping, interpolation."""

from __future__ import annotations

import math

import numpy as np

from .. import dtypes
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentTypeError, DtypeError, NotSupported
from ..tensor import Tensor, attach
from .elementwise import (
    F32,
    _check_zero,
    _operand,
    _pow,
    binary,
    conj,
    div,
    exp,
    in_place_operator,
    kind_name,
    mul,
    not_implemented,
    operator,
    sub,
)
from .entry import METHODS, _in_place, primitive, public
from .promotion import NUMBERS, broadcast_error, result_type
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
    doc="Remainder of the division rounded towards zero: the sign of `input`.",
)  # fmt: skip
remainder = binary(
    "remainder", _remainder_array,
    {"input": lambda g: g, "other": lambda g, input, other: -g * div(input, other, rounding_mode="floor")},
    refuse=(0, 3), fast=False, halves=True, doc="Remainder of the division rounded down: the sign of `other`.",
)  # fmt: skip
operator(remainder, "mod", "%")
in_place_operator("mod", Tensor.remainder_)


@public()
def rsub(input, other, *, alpha=1):
    """`other - alpha * input`."""
    need_tensor(input, "rsub")
    return sub(other, input, alpha=alpha)


# ---------------------------------------------------------------------------------------------- powers


@public(method=True, out=True)
def float_power(input, exponent):
    """`input` to the power of `exponent`, computed in float64 (complex128 if either is complex)."""
    common = result_type(input, exponent)
    wide = dtypes.complex128 if common.is_complex else dtypes.float64
    a, b = (_operand(x, wide.numpy) for x in (input, exponent))
    return _pow(a, b)


def float_power_(self, exponent):
    """`self` to the power of `exponent`, in place; `self` must be float64, or complex128 if either is complex."""
    wide = dtypes.complex128 if result_type(self, exponent).is_complex else dtypes.float64
    if self.dtype is not wide:
        raise DtypeError(f"the base given to float_power_ has dtype {kind_name(self.dtype)} but the operation's result "
                         f"requires dtype {kind_name(wide)}", fix=f"x = x.to({wide}) first")
    return _float_power_in_place(self, exponent)


_float_power_in_place = _in_place(float_power, "float_power")
attach("float_power_", float_power_)
METHODS["float_power_"] = float_power_


def _ldexp_array(input, other):
    compute = input.astype(F32) if FROM_NUMPY[input.dtype] in HALVES else input
    return np.ldexp(compute, np.clip(other, -4096, 4096).astype(np.int32)).astype(input.dtype, copy=False)


_ldexp = primitive("ldexp", _ldexp_array, vjp={"input": lambda g, other: _ldexp(g, other)})


@public(method=True, inplace=True, out=True)
def ldexp(input, other):
    """`input * 2**other`."""
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
    doc="The angle of the point (other, input), from -pi to pi.",
)  # fmt: skip
hypot = binary(
    "hypot", np.hypot,
    {"input": lambda g, input, out: g * (input / out), "other": lambda g, other, out: g * (other / out)},
    refuse=(0, 1, 3), halves=True, numbers=(), doc="sqrt(input**2 + other**2) without overflow.",
)  # fmt: skip


def _copysign_input(g, input, out):
    zero = input == 0
    return (g * (out / input.masked_fill(zero, 1))).masked_fill(zero, 0)


copysign = binary("copysign", np.copysign, {"input": _copysign_input, "other": zeros}, floats=True, halves=True,
                  refuse=(3,), numbers=(1,), doc="The modulus of `input` with the sign of `other`.")  # fmt: skip
nextafter = binary("nextafter", np.nextafter, {"input": lambda g, input, other: g.masked_fill(input == other, 0),
                                               "other": zeros},
                   refuse=(0, 1, 3), numbers=(), doc="The next floating-point number towards `other`.")  # fmt: skip


def _heaviside_check(input, other):
    if input.dtype.is_complex or other.dtype.is_complex:
        raise DtypeError("heaviside is not yet implemented for complex tensors.")
    if input.dtype is not other.dtype:
        raise DtypeError("heaviside is not yet implemented for tensors with different dtypes.",
                         fix=f"values.to({input.dtype})")


def _heaviside_array(a, b):
    return np.where(a == 0, b, np.asarray(a > 0, a.dtype))


_heaviside = binary("heaviside", _heaviside_array, check=_heaviside_check, numbers=(), function=False, method=False,
                    inplace=False)  # fmt: skip


@public(method=True, inplace="method", out=True)
def heaviside(input, values):
    """0 where `input` is negative, 1 where positive, and `values` where it is 0."""
    return _heaviside(input, values)


# ---------------------------------------------------------------------------------------------- integers


gcd = binary("gcd", np.gcd, refuse=(0, 2, 3), numbers=(), doc="Greatest common divisor, non-negative.")
lcm = binary("lcm", np.lcm, refuse=(0, 2, 3), numbers=(), doc="Least common multiple, non-negative.")

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
    refuse=(0, 1), halves=True, inplace=False, numbers=(), doc="log(exp(input) + exp(other)) without overflow.",
)  # fmt: skip
logaddexp2 = binary(
    "logaddexp2", np.logaddexp2,
    {"input": lambda g, input, other: g / (1 + exp2(other - input)),
     "other": lambda g, input, other: g / (1 + exp2(input - other))},
    refuse=(0, 1, 3), halves=True, inplace=False, numbers=(), doc="log2(2**input + 2**other) without overflow.",
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- extrema


def _no_complex(name):
    def check(input, other):
        need_tensor(input, name)
        need_tensor(other, name, "other", 2)
        raise NotSupported(f"{name} not implemented for complex tensors.")

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
    fn.__doc__ = doc
    return public(name, method=True)(fn)


maximum = _extremum("maximum", np.maximum, lambda a, b: a < b, "The larger of two elements; nan if either is.")
minimum = _extremum("minimum", np.minimum, lambda a, b: a > b, "The smaller of two elements; nan if either is.")


def _fmax_wins(input, other):
    return (input >= other) | other.isnan()


def _fmin_wins(input, other):
    return (input <= other) | other.isnan()


fmax = binary(
    "fmax", np.fmax,
    {"input": lambda g, input, other: g.masked_fill(~_fmax_wins(input, other), 0),
     "other": lambda g, input, other: g.masked_fill(_fmax_wins(input, other), 0)},
    refuse=(3,), halves=True, inplace=False, numbers=(),
    doc="The larger of two elements; the other one where one is nan.",
)  # fmt: skip
fmin = binary(
    "fmin", np.fmin,
    {"input": lambda g, input, other: g.masked_fill(~_fmin_wins(input, other), 0),
     "other": lambda g, input, other: g.masked_fill(_fmin_wins(input, other), 0)},
    refuse=(3,), halves=True, inplace=False, numbers=(),
    doc="The smaller of two elements; the other one where one is nan.",
)  # fmt: skip

# ---------------------------------------------------------------------------------------------- clamping


def _clamp_array(input, min, max):
    out = input
    if min is not None:
        out = np.maximum(out, min)
    if max is not None:
        out = np.minimum(out, max)
    return out


def _clamp_input(g, input, min, max):
    outside = None
    if min is not None:
        outside = input < min
    if max is not None:
        above = input > max
        outside = above if outside is None else outside | above
    return g.masked_fill(outside, 0)


def _clamp_min_vjp(g, input, min, max):
    keep = input < min
    return g.masked_fill(~(keep if max is None else keep & (min < max)), 0)


def _clamp_max_vjp(g, input, min, max):
    keep = input > max
    return g.masked_fill(~(keep if min is None else keep | (max < min)), 0)


def _clamp_node(name, node):
    rules = {"input": _clamp_input, "min": _clamp_min_vjp, "max": _clamp_max_vjp}
    return primitive(name, _clamp_array, vjp=rules, node=node)


# PyTorch's nodes are numbered by the overload: bounds that are tensors, or numbers
_CLAMPS = {
    "clamp": (_clamp_node("clamp_numbers", "ClampBackward1"), _clamp_node("clamp", "ClampBackward0")),
    "clamp_min": (_clamp_node("clamp_min_number", "ClampMinBackward0"), _clamp_node("clamp_min", "ClampMinBackward1")),
    "clamp_max": (_clamp_node("clamp_max_number", "ClampMaxBackward0"), _clamp_node("clamp_max", "ClampMaxBackward1")),
}


def _clamped(input, min, max, name):
    need_tensor(input, name)
    if min is None and max is None:
        raise DtypeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    bounds = [b for b in (min, max) if b is not None]
    for b in bounds:
        if not isinstance(b, (Tensor, *NUMBERS)):
            raise ArgumentTypeError(f"{name}(): bounds must be numbers or tensors, not {type(b).__name__}")
    if len(bounds) == 2 and isinstance(min, Tensor) != isinstance(max, Tensor):
        raise ArgumentTypeError("clamp() received an invalid combination of arguments: 'min' and 'max' must both be "
                                "numbers or both be tensors")  # fmt: skip
    common = result_type(input, *bounds)
    if common.is_complex:
        raise NotSupported("clamp is not supported for complex types")
    if common is dtypes.bool and len(bounds) == 1 and name != "clamp" and not isinstance(bounds[0], Tensor):
        raise not_implemented(f"{name}_scalar_cpu", common)
    compute = F32 if common in HALVES else common.numpy
    tensors = [None if x is None else _operand(x, compute) for x in (input, min, max)]
    try:
        made = _CLAMPS[name][isinstance(bounds[0], Tensor)](*tensors)
    except RuntimeError:
        shapes = [t._array.shape for t in tensors if t is not None]
        for s in shapes[1:]:
            try:
                np.broadcast_shapes(shapes[0], s)
            except ValueError:
                raise broadcast_error(shapes[0], s) from None
        raise
    return made if compute is common.numpy else made.to(common)


@public(method=True, inplace=True, out=True, aliases=("clip",))
def clamp(input, min=None, max=None):
    """Each element limited to [min, max]; numbers or tensors, either may be None. `max` wins where min > max.

    >>> import flambeau as torch
    >>> torch.clamp(torch.tensor([-1.0, 0.5, 2.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return _clamped(input, min, max, "clamp")


@public(method=True, inplace=True, out=True)
def clamp_min(input, min):
    """Each element raised to at least `min`."""
    return _clamped(input, min, None, "clamp_min")


@public(method=True, inplace=True, out=True)
def clamp_max(input, max):
    """Each element lowered to at most `max`."""
    return _clamped(input, None, max, "clamp_max")


# ---------------------------------------------------------------------------------------------- three tensors


def _lerp_array(input, end, weight):
    # from the nearer end, so that weight 1 gives exactly `end`
    if weight.ndim == 0 and type(weight) is np.ndarray:
        gap = end - input
        return input + weight * gap if abs(weight) < 0.5 else end - gap * (1 - weight)
    gap = end - input
    return np.where(np.abs(weight) < 0.5, input + weight * gap, end - gap * (1 - weight))


_lerp = primitive(
    "lerp", _lerp_array,
    vjp={"input": lambda g, weight: g * conj(1 - weight), "end": lambda g, weight: g * conj(weight),
         "weight": lambda g, input, end: g * conj(end - input)},
)  # fmt: skip


def _lerp_dtype(argument, wanted, given):
    a, b = (kind_name(d).lower() for d in (wanted, given))
    return DtypeError(f"expected dtype {a} for `{argument}` but got dtype {b}", fix=f"{argument}.to({wanted})")


@public(method=True, inplace="method", out=True)
def lerp(input, end, weight):
    """Linear interpolation, `input + weight * (end - input)`; `weight` is a number or a tensor."""
    need_tensor(input, "lerp")
    need_tensor(end, "lerp", "end", 2)
    d = input.dtype
    if end.dtype is not d:
        raise _lerp_dtype("end", d, end.dtype)
    if d.category < 2:
        raise not_implemented("lerp_kernel_scalar", d)
    if isinstance(weight, Tensor):
        if weight.dtype is not d and not (weight.dtype.category >= 2 and weight.ndim == 0 and d.category == 3):
            raise _lerp_dtype("weight", d, weight.dtype)
    elif not isinstance(weight, NUMBERS):
        raise TypeError(f"lerp(): argument 'weight' must be Tensor or number, not {type(weight).__name__}")
    elif isinstance(weight, complex) and d.category < 3:
        raise DtypeError(f"value cannot be converted to type {kind_name(d).lower()} without overflow")
    compute = F32 if d in HALVES else d.numpy
    made = _guarded(_lerp, [_operand(x, compute) for x in (input, end, weight)])
    return made if compute is d.numpy else made.to(d)


def _guarded(op, tensors, **options):
    """Run a primitive; its shape error names the two shapes that differ."""
    try:
        return op(*tensors, **options)
    except RuntimeError:
        shape = tensors[0]._array.shape
        for t in tensors[1:]:
            try:
                shape = np.broadcast_shapes(shape, t._array.shape)
            except ValueError:
                raise broadcast_error(shape, t._array.shape) from None
        raise


def _addcmul_array(input, tensor1, tensor2, value):
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * input.dtype.type(value))


def _addcdiv_array(input, tensor1, tensor2, value):
    quotient = tensor1 / tensor2
    return input + (quotient if value == 1 else quotient * input.dtype.type(value))


def _scaled(g, value):
    return g if value == 1 else g * (value.conjugate() if isinstance(value, complex) else value)


_addcmul = primitive(
    "addcmul", _addcmul_array,
    vjp={"input": lambda g: g,
         "tensor1": lambda g, tensor2, value: _scaled(g * conj(tensor2), value),
         "tensor2": lambda g, tensor1, value: _scaled(g * conj(tensor1), value)},
)  # fmt: skip
_addcdiv = primitive(
    "addcdiv", _addcdiv_array,
    vjp={"input": lambda g: g,
         "tensor1": lambda g, tensor2, value: _scaled(g / conj(tensor2), value),
         "tensor2": lambda g, tensor1, tensor2, value: -_scaled(g * conj(tensor1 / (tensor2 * tensor2)), value)},
)  # fmt: skip


def _three(op, name, input, tensor1, tensor2, value):
    for t, argument in ((input, "input"), (tensor1, "tensor1"), (tensor2, "tensor2")):
        need_tensor(t, name, argument)
    common = result_type(input, tensor1, tensor2)
    if common is dtypes.bool:
        raise not_implemented(f"{name}_cpu_out", common)
    if isinstance(value, Tensor):
        value = value.item()
    if isinstance(value, complex) and common.category < 3:
        raise DtypeError(f"value cannot be converted to type {kind_name(common).lower()} without overflow")
    if common.category < 2 and not isinstance(value, (bool, int, np.integer)):
        value = int(value)
    compute = F32 if common in HALVES else common.numpy
    made = _guarded(op, [_operand(t, compute) for t in (input, tensor1, tensor2)], value=value)
    return made if compute is common.numpy else made.to(common)


@public(method=True, inplace="method", out=True)
def addcmul(input, tensor1, tensor2, *, value=1):
    """`input + value * tensor1 * tensor2`."""
    return _three(_addcmul, "addcmul", input, tensor1, tensor2, value)


@public(method=True, inplace="method", out=True)
def addcdiv(input, tensor1, tensor2, *, value=1):
    """`input + value * tensor1 / tensor2`; floating-point and complex tensors."""
    need_tensor(tensor1, "addcdiv", "tensor1", 2)
    need_tensor(tensor2, "addcdiv", "tensor2", 3)
    if tensor1.dtype.category < 2 and tensor2.dtype.category < 2:
        raise DtypeError(
            "Integer division with addcdiv is no longer supported, and in a future release addcdiv will perform a true "
            "division of tensor1 and tensor2.",
            fix="input + value * torch.trunc(tensor1 / tensor2), or convert the tensors to a floating dtype",
        )
    return _three(_addcdiv, "addcdiv", input, tensor1, tensor2, value)
