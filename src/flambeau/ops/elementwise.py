"""Element-wise operations: how one is made (`unary`, `binary`, `comparison`), and the arithmetic of Python's operators.

The two factories hold the hot path of eager mode. For tensors of one floating dtype a call is: look at both dtypes,
call the NumPy function, wrap the result, and record it if an operand takes part in differentiation. Everything else
(numbers, mixed dtypes, integers, 16-bit floats, other devices) goes through `_slow`.
"""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..autograd.mode import inference_depth, state
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import DtypeError, NotSupported
from ..kernels import fused as kernels
from ..tensor import Tensor, attach
from .entry import METHODS, REGISTRY, Primitive, in_place, public, write_out
from .fused import fused
from .promotion import NUMBERS, as_tensor, broadcast_error, check_devices, result_type, scalar_array

_new = object.__new__
_ndarray = np.ndarray
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


_KINDS = {"uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "float16": "Half",
          "bfloat16": "BFloat16", "float32": "Float", "float64": "Double", "complex64": "ComplexFloat",
          "complex128": "ComplexDouble", "bool": "Bool"}  # fmt: skip


def kind_name(d) -> str:
    """PyTorch's name for a dtype in messages: Float, Long..."""
    return _KINDS.get(d.name, d.name)


def not_implemented(kernel, d) -> NotSupported:
    """The error for an operation that has no meaning, or no kernel, in a dtype."""
    return NotSupported(f"\"{kernel}\" not implemented for '{kind_name(d)}'")


def no_derivative(name, argument=""):
    """A gradient rule for what PyTorch does not differentiate either: an error instead of a silent None."""

    def rule(g):
        of = f" with respect to '{argument}'" if argument else ""
        raise NotSupported(f"derivative for aten::{name}{of} is not implemented", fix="x.detach() before this call")

    return rule


def conj(x: Tensor) -> Tensor:
    """The complex conjugate; real tensors as they are."""
    return x.conj() if x._array.dtype.kind == "c" else x


def unary(name, ufunc, vjp=None, *, floats=False, integers=None, doc="", aliases=(), inplace=True, method=True,
          result=None, function=True, refuse=(), node=None):  # fmt: skip
    """Define an element-wise function of one tensor.

    Arguments:
        ufunc: array -> array of the same shape. vjp: rule (see entry.py).
        floats: integers and bools are computed in the default float dtype.
        integers: None, or what computes integer and bool arrays instead of `ufunc`.
        result: None, or the dtype of the result (torch.bool for predicates).
        refuse: dtype categories (0 bool, 1 integer, 2 float, 3 complex) that raise.
    """
    short = name.rsplit(".", 1)[-1]

    def forward(input):
        d = FROM_NUMPY[input.dtype]
        if d.category < 2:
            if floats:
                input = input.astype(dtypes.get_default_dtype().numpy)
            elif integers is not None:
                return integers(input)
        elif d in HALVES:
            out = ufunc(input.astype(F32))
            return out if result is not None else out.astype(input.dtype)
        return ufunc(input)

    prim = Primitive(short, forward, vjp, node or _node(name), names=("input",))
    record = prim.record
    tracks = vjp is not None

    def fn(input, *, out=None):
        if out is None and isinstance(input, Tensor):
            a = input._array
            d = a.dtype
            if d is F32 or d is F64:
                t = _new(Tensor)
                r = ufunc(a)
                t._array = r if isinstance(r, _ndarray) else np.asarray(r)
                if (input._rg or input._base is not None and input.requires_grad) and tracks and state.grad:
                    record((input,), (t,), {})
                elif inference_depth and state.inference:
                    t._inference = True
                return t
        return slow(input, out)

    def slow(input, out):
        if not isinstance(input, Tensor):
            raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
        category = input.dtype.category
        if category in refuse:
            raise not_implemented(short + "_cpu", input.dtype)
        made = prim(input)
        return made if out is None else write_out(made, out, short)

    if 2 in refuse:  # floats must not take the fast way past the check
        fn = lambda input, *, out=None: slow(input, out)
    doc = _documented(doc, ("input",), floats, result, refuse)
    return _publish(fn, name, doc, aliases, inplace, method, function)


def _node(name):
    return "".join(word.title() for word in name.replace(".", "_").split("_")) + "Backward0"


def _documented(doc, arguments, floats, result, refuse):
    """A docstring: the sentence given, and what the factory's arguments say about dtypes and shapes."""
    taken = ", ".join(w for i, w in enumerate(("bool", "integer", "floating-point", "complex")) if i not in refuse)
    gives = f"{result}" if result else "the arguments' dtype" + ("; integers and bools give float32" if floats else "")
    shapes = "any shape" if len(arguments) == 1 else "shapes that broadcast"
    return doc and (
        f"{doc.rstrip()}\n\n    Arguments:\n        {', '.join(arguments)}: {taken} tensors; {shapes}.\n"
        f"        out: a tensor to store the result in.\n    Returns: a tensor of {gives}.\n    "
    )


def _publish(fn, name, doc, aliases, inplace, method, function):
    short = name.rsplit(".", 1)[-1]
    fn.__name__ = fn.__qualname__ = short
    fn.__doc__ = doc
    fn.__flambeau_name__ = name
    for n in (name, *aliases):
        if function:
            REGISTRY[n] = fn
        last = n.rsplit(".", 1)[-1]
        if method and last not in METHODS:
            METHODS[last] = fn
            attach(last, fn)
        if inplace and last + "_" not in METHODS:
            changed = in_place(fn, last)
            METHODS[last + "_"] = changed
            attach(last + "_", changed)
            if function and "." not in n:
                REGISTRY[last + "_"] = changed
    return fn


def binary(name, ufunc, vjp=None, *, floats=False, doc="", aliases=(), inplace=True, method=True, result=None,
           refuse=(), function=True, fast=True, check=None, halves=False, node=None, numbers=(0, 1)):  # fmt: skip
    """Define an element-wise function of two tensors, or a tensor and a number.

    Arguments: as for `unary`; `check(input, other)` may raise before anything is computed, unless both are tensors of
    one of the two common dtypes; `halves`: 16-bit floats are computed in float32; `fast=False`: `ufunc` must not be
    called with a Python number; `numbers`: which of the two arguments may be one.
    """
    short = name.rsplit(".", 1)[-1]
    fast = fast and 1 in numbers
    prim = Primitive(short, ufunc, vjp, node or _node(name), names=("input", "other"))
    record = prim.record
    tracks = vjp is not None

    def fn(input, other, *, out=None):
        if out is None and isinstance(input, Tensor):
            a = input._array
            d = a.dtype
            if d is F32 or d is F64:
                if isinstance(other, Tensor):
                    b = other._array
                    if b.dtype is d:
                        try:
                            r = ufunc(a, b)
                        except ValueError:
                            raise broadcast_error(a.shape, b.shape) from None
                        t = _new(Tensor)
                        t._array = r if isinstance(r, _ndarray) else np.asarray(r)
                        if (
                            (input._rg or other._rg or input._base is not None and input.requires_grad
                             or other._base is not None and other.requires_grad)
                            and tracks and state.grad
                        ):  # fmt: skip
                            record((input, other), (t,), {})
                        elif inference_depth and state.inference:
                            t._inference = True
                        return t
                elif fast and (other.__class__ is float or other.__class__ is int):
                    r = ufunc(a, d.type(other))
                    t = _new(Tensor)
                    t._array = r if isinstance(r, _ndarray) else np.asarray(r)
                    if (input._rg or input._base is not None and input.requires_grad) and tracks and state.grad:
                        scalar = _new(Tensor)
                        scalar._array = np.asarray(other, d)
                        record((input, scalar), (t,), {})
                    elif inference_depth and state.inference:
                        t._inference = True
                    return t
        return slow(input, other, out)

    def slow(input, other, out=None):
        if not isinstance(input, Tensor):
            if 0 not in numbers or not isinstance(other, Tensor):
                raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")
            if not isinstance(input, NUMBERS):
                as_tensor(input, name)
        elif not isinstance(other, Tensor):
            if 1 not in numbers:
                raise TypeError(f"{name}(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}")
            if not isinstance(other, NUMBERS):
                other = as_tensor(other, name, 2, "other")
        if check is not None:
            check(input, other)
        common = result_type(input, other)
        if floats and common.category < 2:
            common = dtypes.get_default_dtype()
        if common.category in refuse:
            raise not_implemented(short + "_cpu", common)
        compute = F32 if halves and common in HALVES else common.numpy
        x, y = _operand(input, compute), _operand(other, compute)
        check_devices(x, y)
        try:
            made = prim(x, y)
        except ValueError:
            raise broadcast_error(x.shape, y.shape) from None
        except RuntimeError:
            if _broadcasts(x, y):
                raise
            raise broadcast_error(x.shape, y.shape) from None
        if compute is not common.numpy and result is None:
            made = made.to(common)
        return made if out is None else write_out(made, out, short)

    if 2 in refuse:
        fn = lambda input, other, *, out=None: slow(input, other, out)
    doc = _documented(doc, ("input", "other"), floats, result, refuse)
    return _publish(fn, name, doc, aliases, inplace, method, function)


def _broadcasts(x, y):
    try:
        np.broadcast_shapes(x._array.shape, y._array.shape)
    except ValueError:
        return False
    return True


def _operand(x, np_dtype) -> Tensor:
    """An operand in the dtype of the computation, with its history."""
    if isinstance(x, Tensor):
        return x if x._array.dtype == np_dtype else x.to(FROM_NUMPY[np_dtype])
    return Tensor.wrap(scalar_array(x, np_dtype))


def operator(fn, name, symbol, reflect=None):
    """Python's operator for a function: NotImplemented for foreign types, so that Python can ask the other side.

    reflect: what computes `number OP tensor` as f(tensor, number); it decides what the graph shows, as in PyTorch.
    """

    def forward(self, other):
        if isinstance(other, Tensor) or isinstance(other, NUMBERS) or isinstance(other, _ndarray):
            return fn(self, other)
        return NotImplemented

    def reflected(self, other):
        if isinstance(other, _ndarray):
            other = Tensor.wrap(other)
        elif not isinstance(other, NUMBERS) and not isinstance(other, Tensor):
            return NotImplemented
        return fn(other, self) if reflect is None else reflect(self, other)

    attach(f"__{name}__", forward)
    attach(f"__r{name}__", reflected)


def in_place_operator(name, method):
    """Python's augmented assignment, by the in-place method."""
    attach(f"__i{name}__", lambda self, other: method(self, other))


# ---------------------------------------------------------------------- arithmetic


def _no_bool(word):
    def check(input, other):
        a = input.dtype is dtypes.bool if isinstance(input, Tensor) else isinstance(input, bool)
        b = other.dtype is dtypes.bool if isinstance(other, Tensor) else isinstance(other, bool)
        if a and b:
            raise DtypeError("Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
                             "`logical_xor()` operator instead.")
        if a or b:
            raise DtypeError("Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
                             "invert a mask, use the `~` or `logical_not()` operator instead.")

    return check


_add = binary("add", np.add, {"input": lambda g: g, "other": lambda g: g}, function=False, method=False, inplace=False)
_sub = binary("sub", np.subtract, {"input": lambda g: g, "other": lambda g: -g}, check=_no_bool("sub"),
              function=False, method=False, inplace=False)  # fmt: skip
mul = binary(
    "mul", np.multiply, {"input": lambda g, other: g * conj(other), "other": lambda g, input: g * conj(input)},
    aliases=("multiply",), doc="Product of two tensors, element by element.",
)  # fmt: skip
_divide = binary(
    "div", np.divide,
    {"input": lambda g, other: g / conj(other), "other": lambda g, out, other: -g * conj(out / other)},
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
        raise DtypeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and common.category < 2:
        raise DtypeError("For integral input tensors, argument alpha must not be a floating point number.")
    if isinstance(alpha, complex) and common.category < 3:
        raise DtypeError("For non-complex input tensors, argument alpha must not be a complex number.")
    scale = bool(alpha) if common is dtypes.bool else alpha
    return mul(_operand(other, common.numpy), Tensor.wrap(scalar_array(scale, common.numpy)))


@public(method=True, inplace=True, out=True, aliases=("subtract",))
def sub(input, other, *, alpha=1):
    """Difference of two tensors, `input - alpha * other`, element by element."""
    if alpha.__class__ is int and alpha == 1:
        return _sub(input, other)
    _no_bool("sub")(input, other)
    return _sub(input, _scaled(input, other, alpha, "sub"))


@public(method=True, inplace=True, out=True, aliases=("divide",))
def div(input, other, *, rounding_mode=None):
    """Quotient of two tensors, element by element; `rounding_mode` None, "trunc" or "floor"."""
    if rounding_mode is None:
        return _divide(input, other)
    if rounding_mode == "floor":
        return _floored(input, other)
    if rounding_mode == "trunc":
        return _trunc_divide(input, other)
    raise DtypeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


@public(method=True, inplace=True, out=True)
def true_divide(input, other):
    """Quotient of two tensors; the same as `div`."""
    return _divide(input, other)


def _check_zero(b):
    if b.dtype.kind in "iu" and type(b) is np.ndarray and not b.all():
        raise DtypeError("ZeroDivisionError", fix="mask the zeros of the divisor first")


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
    return Tensor.wrap(np.zeros_like(g._array))


floor_divide = binary("floor_divide", _floor_array,
                      {"input": no_derivative("floor_divide"), "other": no_derivative("floor_divide")},
                      node="NotImplemented", doc="Quotient rounded towards minus infinity.", fast=False,
                      refuse=(0, 3))  # fmt: skip
_floored = binary("floored_divide", _floor_array, {"input": _no_slope, "other": _no_slope}, refuse=(0, 3),
                  function=False, method=False, inplace=False, fast=False, node="DivBackward2")  # fmt: skip
_trunc_divide = binary("trunc_divide", _trunc_array, {"input": _no_slope, "other": _no_slope}, refuse=(0, 3),
                       function=False, method=False, inplace=False, fast=False, node="DivBackward2")  # fmt: skip


def _negative(a):
    if a.dtype.kind == "b":
        raise DtypeError("Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
                         "mask, use the `~` or `logical_not()` operator instead.")
    return np.negative(a)


neg = unary("neg", _negative, lambda g: -g, aliases=("negative",), doc="The negative of each element.")


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
    """`input` to the power of `exponent`, element by element."""
    kind = exponent.__class__
    if (kind is int or kind is float) and isinstance(input, Tensor):
        d = input._array.dtype
        if d is F32 or d is F64:
            return _pow(input, Tensor.wrap(np.asarray(exponent, d)))
        if exponent < 0 and kind is int and input.dtype.category < 2:
            raise DtypeError("Integers to negative integer powers are not allowed.")
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


eq = comparison("eq", np.equal, "Whether elements are equal.", refuse=())
ne = comparison("ne", np.not_equal, "Whether elements differ.", aliases=("not_equal",), refuse=())
lt = comparison("lt", np.less, "Whether elements of `input` are less.", aliases=("less",))
le = comparison("le", np.less_equal, "Whether elements of `input` are less or equal.", aliases=("less_equal",))
gt = comparison("gt", np.greater, "Whether elements of `input` are greater.", aliases=("greater",))
ge = comparison("ge", np.greater_equal, "Whether elements of `input` are greater or equal.", aliases=("greater_equal",))


def _compare(fn):
    def forward(self, other):
        if isinstance(other, Tensor) or isinstance(other, NUMBERS) or isinstance(other, _ndarray):
            return fn(self, other)
        return NotImplemented

    return forward


for _fn in (eq, ne, lt, le, gt, ge):
    attach(f"__{_fn.__name__}__", _compare(_fn))

# ---------------------------------------------------------------------- the commonest functions


@fused(kernels.prefer("tanh_backward", lambda g, out: g * np.conj(1 - out * out)))
def _tanh_rule(g, out):
    return g * conj(1 - out * out)


@fused(kernels.prefer("sigmoid_backward", lambda g, out: g * np.conj((1 - out) * out)))
def _sigmoid_rule(g, out):
    return g * conj((1 - out) * out)


exp = unary("exp", kernels.prefer("exp", np.exp), lambda g, out: g * conj(out), floats=True,
            doc="e to the power of each element.")  # fmt: skip
log = unary("log", kernels.prefer("log", np.log), lambda g, input: g / conj(input), floats=True,
            doc="Natural logarithm of each element.")  # fmt: skip
sqrt = unary("sqrt", np.sqrt, lambda g, out: g / (2 * conj(out)), floats=True, doc="Square root of each element.")
sin = unary("sin", np.sin, lambda g, input: g * conj(cos(input)), floats=True, doc="Sine of each element.")
cos = unary("cos", np.cos, lambda g, input: -g * conj(sin(input)), floats=True, doc="Cosine of each element.")
tanh = unary("tanh", kernels.prefer("tanh", np.tanh), _tanh_rule, floats=True,
             doc="Hyperbolic tangent of each element.")  # fmt: skip


def _sigmoid(a):
    if a.dtype.kind == "c":
        return 1 / (1 + np.exp(-a))
    # exp of a negative number only: no overflow on either side.
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1 / (1 + e), e / (1 + e)).astype(a.dtype, copy=False)


sigmoid = unary("sigmoid", kernels.prefer("sigmoid", _sigmoid), _sigmoid_rule, floats=True,
                aliases=("special.expit",), doc="1 / (1 + exp(-x)) of each element.")  # fmt: skip
relu = unary("relu", kernels.prefer("relu", lambda a: np.maximum(a, a.dtype.type(0))),
             fused(kernels.prefer("relu_backward", lambda g, out: g * (out > 0)))(lambda g, out: g * (out > 0)),
             refuse=(0, 3), doc="max(x, 0) of each element.")  # fmt: skip
