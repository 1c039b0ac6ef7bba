"""Element-wise functions of three tensors: clamping, interpolation, addcmul and addcdiv.

>>> import flambeau as torch
>>> torch.lerp(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 4.0]), 0.25)
tensor([0.2500, 2.5000])
"""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..dtypes import HALVES
from ..errors import ArgumentTypeError, DtypeError, NotSupported
from ..kernels.elementwise import mapped
from ..kernels.record import constant
from ..tensor import Tensor, wrap
from .elementwise import F32, F64, _operand, conj, kind_name, not_implemented
from .entry import primitive, public
from .promotion import NUMBERS, broadcast_error, result_type
from .shape import need_tensor

# ---------------------------------------------------------------------------------------------- clamping


@mapped
def _clamp_array(input, min, max):
    out = input
    if min is not None:
        out = np.maximum(out, min)
    if max is not None:
        out = np.minimum(out, max)
    return out


def _clamp_input(g, input, min, max):
    inside = None
    if min is not None:
        inside = input >= min
    if max is not None:
        below = input <= max
        inside = below if inside is None else inside & below
    return g.masked_fill(~inside, 0)  # nan is not inside


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


_PLAIN = (int, float, type(None))


def _clamped(input, min, max, name):
    d = input._array.dtype if isinstance(input, Tensor) else None
    if (d is F32 or d is F64) and min.__class__ in _PLAIN and max.__class__ in _PLAIN and min is not max:
        low = None if min is None else wrap(constant(np.asarray(min, d)))
        high = None if max is None else wrap(constant(np.asarray(max, d)))
        return _CLAMPS[name][0](input, low, high)
    need_tensor(input, name)
    if min is None and max is None:
        raise DtypeError(
            "torch.clamp: At least one of 'min' or 'max' must not be None",
            why="there is no bound to clamp to",
            fix="pass `min=`, `max=` or both",
        )
    bounds = [b for b in (min, max) if b is not None]
    for b in bounds:
        if not isinstance(b, (Tensor, *NUMBERS)):
            raise ArgumentTypeError(
                f"{name}(): bounds must be numbers or tensors, not {type(b).__name__}",
                why="elements are compared with the bounds",
                fix="pass numbers or tensors",
            )
    if len(bounds) == 2 and isinstance(min, Tensor) != isinstance(max, Tensor):
        raise ArgumentTypeError(
            "clamp() received an invalid combination of arguments: 'min' and 'max' must both be "
            "numbers or both be tensors",
            why="one is a tensor, the other a number",
            fix=f"make both tensors: `torch.tensor({min if isinstance(max, Tensor) else max})`",
        )
    common = result_type(input, *bounds)
    if common.is_complex:
        raise NotSupported(
            "clamp is not supported for complex types",
            why="complex numbers have no order",
            fix="clamp `x.real` and `x.imag`, or `x.abs()`",
        )
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
    """Each element raised to at least `min`.

    >>> import flambeau as torch
    >>> torch.clamp_min(torch.tensor([-1, 2]), 0)
    tensor([0, 2])
    """
    return _clamped(input, min, None, "clamp_min")


@public(method=True, inplace=True, out=True)
def clamp_max(input, max):
    """Each element lowered to at most `max`.

    >>> import flambeau as torch
    >>> torch.clamp_max(torch.tensor([-1, 2]), 0)
    tensor([-1,  0])
    """
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
    return DtypeError(
        f"expected dtype {a} for `{argument}` but got dtype {b}",
        why=f"the result lies between tensors of one dtype, and `input` is {wanted.name}",
        fix=f"convert it: `{argument}.to(torch.{wanted.name})`",
    )


@public(method=True, inplace="method", out=True)
def lerp(input, end, weight):
    """Linear interpolation, `input + weight * (end - input)`; `weight` is a number or a tensor.

    >>> import flambeau as torch
    >>> torch.lerp(torch.tensor([0.0, 1.0]), torch.tensor([10.0, 3.0]), 0.5)
    tensor([5., 2.])
    """
    if weight.__class__ is float and _all_of_one(input, end, end):
        return _guarded(_lerp, (input, end, wrap(constant(np.asarray(weight, input._array.dtype)))))
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
        raise ArgumentTypeError(
            f"lerp(): argument 'weight' must be Tensor or number, not {type(weight).__name__}",
            why="it says how far to go from `input` to `end`",
            fix="pass a number such as 0.5",
        )
    elif isinstance(weight, complex) and d.category < 3:
        raise DtypeError(
            f"value cannot be converted to type {kind_name(d).lower()} without overflow",
            why=f"`weight` is {weight}, and the tensors are real",
            fix="pass a real number, or complex tensors",
        )
    compute = F32 if d in HALVES else d.numpy
    made = _guarded(_lerp, [_operand(x, compute) for x in (input, end, weight)])
    return made if compute is d.numpy else made.to(d)


def _all_of_one(a, b, c):
    """Whether three arguments are tensors of one of the two common dtypes: nothing to check or convert."""
    if isinstance(a, Tensor) and isinstance(b, Tensor) and isinstance(c, Tensor):
        d = a._array.dtype
        return (d is F32 or d is F64) and b._array.dtype is d and c._array.dtype is d
    return False


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
    if _all_of_one(input, tensor1, tensor2) and value.__class__ in (int, float):
        return _guarded(op, (input, tensor1, tensor2), value=value)
    for t, argument in ((input, "input"), (tensor1, "tensor1"), (tensor2, "tensor2")):
        need_tensor(t, name, argument)
    common = result_type(input, tensor1, tensor2)
    if common is dtypes.bool:
        raise not_implemented(f"{name}_cpu_out", common)
    if isinstance(value, Tensor):
        value = value.item()
    if isinstance(value, complex) and common.category < 3:
        raise DtypeError(
            f"value cannot be converted to type {kind_name(common).lower()} without overflow",
            why=f"`value` is {value}, and the tensors are real",
            fix="pass a real number, or complex tensors",
        )
    if common.category < 2 and not isinstance(value, (bool, int, np.integer)):
        value = int(value)
    compute = F32 if common in HALVES else common.numpy
    made = _guarded(op, [_operand(t, compute) for t in (input, tensor1, tensor2)], value=value)
    return made if compute is common.numpy else made.to(common)


@public(method=True, inplace="method", out=True)
def addcmul(input, tensor1, tensor2, *, value=1):
    """`input + value * tensor1 * tensor2`.

    >>> import flambeau as torch
    >>> torch.addcmul(torch.ones(2), torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]), value=0.5)
    tensor([2.5000, 5.0000])
    """
    return _three(_addcmul, "addcmul", input, tensor1, tensor2, value)


@public(method=True, inplace="method", out=True)
def addcdiv(input, tensor1, tensor2, *, value=1):
    """`input + value * tensor1 / tensor2`; floating-point and complex tensors.

    >>> import flambeau as torch
    >>> torch.addcdiv(torch.ones(2), torch.tensor([1.0, 2.0]), torch.tensor([4.0, 4.0]), value=2)
    tensor([1.5000, 2.0000])
    """
    need_tensor(tensor1, "addcdiv", "tensor1", 2)
    need_tensor(tensor2, "addcdiv", "tensor2", 3)
    if tensor1.dtype.category < 2 and tensor2.dtype.category < 2:
        raise DtypeError(
            "Integer division with addcdiv is no longer supported, and in a future release addcdiv will perform a true "
            "division of tensor1 and tensor2.",
            why=f"`tensor1` is {tensor1.dtype.name} and `tensor2` {tensor2.dtype.name}",
            fix="use `input + value * torch.trunc(tensor1 / tensor2)`, or convert with `.float()`",
        )
    return _three(_addcdiv, "addcdiv", input, tensor1, tensor2, value)
