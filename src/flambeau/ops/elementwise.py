"""Element-wise operations: how one is made (`unary`, `binary`), and the commonest functions.

The two factories hold the hot path of eager mode. For tensors of one floating dtype a call is: look at both dtypes,
call the NumPy function, wrap the result, and record it if an operand takes part in differentiation. Everything else
(numbers, mixed dtypes, integers, 16-bit floats, other devices) goes through `_slow`.
"""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..autograd.mode import inference_depth, state
from ..checks import dtypes as rules
from ..checks.log import log as happened
from ..checks.tags import mark
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentTypeError, NotSupported
from ..kernels import elementwise
from ..kernels import fused as kernels
from ..tensor import Tensor, attach
from .arguments import wrong_type
from .entry import METHODS, REGISTRY, Primitive, in_place, write_out
from .fused import fused
from .misuse import no_memory
from .promotion import NUMBERS, as_tensor, broadcast_error, check_devices, result_type, scalar_array

_new = object.__new__
_ndarray = np.ndarray
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
_fast32: np.dtype | None = F32
_fast64: np.dtype | None = F64


def short_way(on: bool) -> None:
    """Whether tensors of the two common dtypes may take the short way, where nobody can listen (kernels/record.py)."""
    global _fast32, _fast64
    _fast32, _fast64 = (F32, F64) if on else (None, None)


_KINDS = {"uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long", "float16": "Half",
          "bfloat16": "BFloat16", "float32": "Float", "float64": "Double", "complex64": "ComplexFloat",
          "complex128": "ComplexDouble", "bool": "Bool"}  # fmt: skip


def kind_name(d) -> str:
    """PyTorch's name for a dtype in messages: Float, Long..."""
    return _KINDS.get(d.name, d.name)


def not_implemented(kernel, d) -> NotSupported:
    """The error for an operation that has no meaning, or no kernel, in a dtype."""
    return NotSupported(
        f"\"{kernel}\" not implemented for '{kind_name(d)}'",
        why=f"the operation is not defined for {d.name} numbers",
        fix="use the real part `x.real` or the size `x.abs()`, if one of them is meant"
        if d.category == 3
        else "convert it to whole numbers first: `x.long()`"
        if d.category == 2 and d.itemsize > 2
        else "convert it first: `x.float()`",
    )


def no_derivative(name, argument=""):
    """A gradient rule for what PyTorch does not differentiate either: an error instead of a silent None."""

    def rule(g):
        raise NotSupported(
            f"derivative for aten::{name} with respect to '{argument}' is not implemented"
            if argument
            else f"derivative for aten::{name} is not implemented",
            why="no gradient rule for it is known",
            fix=f"use `{argument}.detach()` before this call"
            if argument
            else "use `x.detach()` before this call, if no gradient has to pass through it",
        )

    return rule


def conj(x: Tensor) -> Tensor:
    """The complex conjugate; real tensors as they are."""
    return x.conj() if x._array.dtype.kind == "c" else x


def unary(name, ufunc, vjp=None, *, floats=False, integers=None, doc="", aliases=(), inplace=True, method=True,
          result=None, function=True, refuse=(), node=None, marked=False):  # fmt: skip
    """Define an element-wise function of one tensor.

    Arguments:
        ufunc: array -> array of the same shape. vjp: rule (see entry.py).
        floats: integers and bools are computed in the default float dtype.
        integers: None, or what computes integer and bool arrays instead of `ufunc`.
        result: None, or the dtype of the result (torch.bool for predicates).
        refuse: dtype categories (0 bool, 1 integer, 2 float, 3 complex) that raise.
        marked: results remember where they were made (checks/tags.py).
    """
    short = name.rsplit(".", 1)[-1]

    def small(input):
        if FROM_NUMPY[input.dtype] in HALVES:
            out = ufunc(input.astype(F32))
            return out if result is not None else out.astype(input.dtype)
        return ufunc(input)

    start, large = elementwise.start(ufunc), elementwise.large(getattr(ufunc, "formula", ufunc), small)

    def forward(input):
        d = FROM_NUMPY[input.dtype]
        if d.category < 2:
            if floats:
                input = input.astype(dtypes.get_default_dtype().numpy)
            elif integers is not None:
                return integers(input)
        return small(input) if input.size < start else large(input)

    prim = Primitive(short, forward, vjp, node or _node(name), names=("input",))
    prim.formula, prim.float_formula = getattr(ufunc, "formula", ufunc), integers is not None or floats
    record = prim.record_one
    tracks = vjp is not None

    def fn(input, *, out=None):
        if out is None and isinstance(input, Tensor):
            a = input._array
            d = a.dtype
            if d is _fast32 or d is _fast64:
                t = _new(Tensor)
                try:
                    r = ufunc(a) if a.size < start else large(a)
                except MemoryError as error:
                    raise no_memory(short, error) from None
                t._array = r if isinstance(r, _ndarray) else np.asarray(r)
                if (input._rg or input._base is not None and input.requires_grad) and tracks and state.grad:
                    record(input, t)
                elif inference_depth and state.inference:
                    t._inference = True
                return t
        return slow(input, out)

    def slow(input, out):
        if not isinstance(input, Tensor):
            if input is None:
                raise wrong_type(name, "input", 1, "Tensor", None)
            raise ArgumentTypeError(
                f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}",
                why="the function works on each element of a tensor",
                fix="use `torch.as_tensor(x)`, or Python's `math` for numbers",
            )
        category = input.dtype.category
        if category in refuse:
            raise not_implemented(short + "_cpu", input.dtype)
        made = prim(input)
        return made if out is None else write_out(made, out, short)

    if 2 in refuse:  # floats must not take the fast way past the check
        fn = lambda input, *, out=None: slow(input, out)
    if marked:
        fn = _marked(fn, short)
    doc = _documented(doc, ("input",), floats, result, refuse)
    return _publish(fn, name, doc, aliases, inplace, method, function)


def _marked(function, name):
    """A function of one tensor whose results remember where they were made."""

    def fn(input, *, out=None):
        made = function(input, out=out)
        if happened.on and out is None:
            mark(made, name)
        return made

    return fn


def _node(name):
    return "".join(word.title() for word in name.replace(".", "_").split("_")) + "Backward0"


def with_example(doc, details="") -> str:
    """A docstring for a function that a factory makes: the sentence and the details, then the example of `doc`.

    The example begins at the first line of `doc` with a prompt; the import that it needs is put before it.
    """
    said, prompt, example = doc.partition("\n>>> ")
    lines = ["", ">>> import flambeau as torch", *(">>> " + example).split("\n")] if prompt else []
    return f"{said.rstrip()}{details}" + "".join(f"\n    {line}" if line else "\n" for line in lines) + "\n    "


def _documented(doc, arguments, floats, result, refuse):
    """A docstring: the sentence given, what the factory's arguments say about dtypes and shapes, the example given."""
    taken = ", ".join(w for i, w in enumerate(("bool", "integer", "floating-point", "complex")) if i not in refuse)
    gives = f"{result}" if result else "the arguments' dtype" + ("; integers and bools give float32" if floats else "")
    shapes = "any shape" if len(arguments) == 1 else "shapes that broadcast"
    return doc and with_example(doc, (
        f"\n\n    Arguments:\n        {', '.join(arguments)}: {taken} tensors; {shapes}.\n"
        f"        out: a tensor to store the result in.\n    Returns: a tensor of {gives}."
    ))  # fmt: skip


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
    start, large = elementwise.start(ufunc), elementwise.large(ufunc)

    def forward(input, other):
        return ufunc(input, other) if input.size < start and other.size < start else large(input, other)

    prim = Primitive(short, forward, vjp, node or _node(name), names=("input", "other"))
    prim.formula = ufunc
    record = prim.record_pair
    tracks = vjp is not None

    def hot(otherwise):
        """The function's hot path; what is not for it goes to `otherwise`."""

        def fn(input, other, *, out=None):
            if out is None and isinstance(input, Tensor):
                a = input._array
                d = a.dtype
                if d is _fast32 or d is _fast64:
                    if isinstance(other, Tensor):
                        b = other._array
                        if b.dtype is d:
                            try:
                                r = ufunc(a, b) if a.size < start else large(a, b)
                            except ValueError:
                                raise broadcast_error(a.shape, b.shape, input, other, short) from None
                            except MemoryError as error:
                                raise no_memory(short, error) from None
                            t = _new(Tensor)
                            t._array = r if isinstance(r, _ndarray) else np.asarray(r)
                            if (
                                (input._rg or other._rg or input._base is not None and input.requires_grad
                                 or other._base is not None and other.requires_grad)
                                and tracks and state.grad
                            ):  # fmt: skip
                                record(input, other, t)
                            elif inference_depth and state.inference:
                                t._inference = True
                            return t
                    elif fast and (other.__class__ is float or other.__class__ is int):
                        b = np.asarray(other, d)
                        try:
                            r = ufunc(a, b) if a.size < start else large(a, b)
                        except MemoryError as error:
                            raise no_memory(short, error) from None
                        t = _new(Tensor)
                        t._array = r if isinstance(r, _ndarray) else np.asarray(r)
                        if (input._rg or input._base is not None and input.requires_grad) and tracks and state.grad:
                            scalar = _new(Tensor)
                            scalar._array = b
                            record(input, scalar, t)
                        elif inference_depth and state.inference:
                            t._inference = True
                        return t
            return otherwise(input, other) if out is None else slow(input, other, out)

        return fn

    def slow(input, other, out=None):
        if not isinstance(input, Tensor):
            if 0 not in numbers or not isinstance(other, Tensor):
                raise ArgumentTypeError(
                    f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}",
                    why="the function works on each element of a tensor",
                    fix="use `torch.as_tensor(x)`",
                )
            if not isinstance(input, NUMBERS):
                as_tensor(input, name)
        elif not isinstance(other, Tensor):
            if 1 not in numbers:
                raise ArgumentTypeError(
                    f"{name}(): argument 'other' (position 2) must be Tensor, not {type(other).__name__}",
                    why="the function works on each element of two tensors",
                    fix="use `torch.as_tensor(x)`",
                )
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
            raise broadcast_error(x.shape, y.shape, x, y, short) from None
        except RuntimeError:
            if _broadcasts(x, y):
                raise
            raise broadcast_error(x.shape, y.shape, x, y, short) from None
        if compute is not common.numpy and result is None:
            made = made.to(common)
        if happened.on and result is None:
            if common.itemsize == 1:
                if common is not dtypes.bool:
                    rules.narrow(short, x, y, made)
            elif common is dtypes.float64 and isinstance(input, Tensor) and isinstance(other, Tensor):
                if input._array.dtype == F32 or other._array.dtype == F32:
                    rules.promoted(input, other)
        return made if out is None else write_out(made, out, short)

    fn = hot(slow) if 2 not in refuse else lambda input, other, *, out=None: slow(input, other, out)
    fn.operator = hot(ours_only(slow)) if 2 not in refuse else ours_only(slow)
    fn.operator.__wrapped__ = ours_only(slow)  # the signature: Python's operators take no `out`
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


def ours_only(fn):
    """`fn` of two arguments, but NotImplemented where the second is of a type that tensors know nothing of."""

    def forward(self, other):
        if isinstance(other, Tensor) or isinstance(other, NUMBERS) or isinstance(other, _ndarray):
            return fn(self, other)
        return NotImplemented

    return forward


def operator(fn, name, symbol, reflect=None):
    """Python's operator for a function: NotImplemented for foreign types, so that Python can ask the other side.

    reflect: what computes `number OP tensor` as f(tensor, number); it decides what the graph shows, as in PyTorch.
    """

    def reflected(self, other):
        if isinstance(other, _ndarray):
            other = Tensor.wrap(other)
        elif not isinstance(other, NUMBERS) and not isinstance(other, Tensor):
            return NotImplemented
        return fn(other, self) if reflect is None else reflect(self, other)

    forward = getattr(fn, "operator", None) or ours_only(fn)
    attach(f"__{name}__", forward)
    attach(f"__r{name}__", forward if reflect is fn else reflected)


def in_place_operator(name, method):
    """Python's augmented assignment, by the in-place method."""
    attach(f"__i{name}__", lambda self, other: method(self, other))


# ---------------------------------------------------------------------- the commonest functions


@fused(kernels.prefer("tanh_backward", lambda g, out: g * np.conj(1 - out * out)))
def _tanh_rule(g, out):
    return g * conj(1 - out * out)


@fused(kernels.prefer("sigmoid_backward", lambda g, out: g * np.conj((1 - out) * out)))
def _sigmoid_rule(g, out):
    return g * conj((1 - out) * out)


exp = unary("exp", kernels.prefer("exp", np.exp), lambda g, out: g * conj(out), floats=True,
            doc="e to the power of each element."
            "\n>>> torch.exp(torch.tensor([0.0, 1.0]))\ntensor([1.0000, 2.7183])")  # fmt: skip
log = unary("log", kernels.prefer("log", np.log), lambda g, input: g / conj(input), floats=True,
            doc="Natural logarithm of each element."
            "\n>>> torch.log(torch.tensor([1.0, 2.0]))\ntensor([0.0000, 0.6931])")  # fmt: skip
sqrt = unary("sqrt", np.sqrt, lambda g, out: g / (2 * conj(out)), floats=True, doc="Square root of each element."
             "\n>>> torch.sqrt(torch.tensor([4.0, 2.0]))\ntensor([2.0000, 1.4142])")  # fmt: skip
sin = unary("sin", np.sin, lambda g, input: g * conj(cos(input)), floats=True, doc="Sine of each element."
            "\n>>> torch.sin(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 0.8415])")  # fmt: skip
cos = unary("cos", np.cos, lambda g, input: -g * conj(sin(input)), floats=True, doc="Cosine of each element."
            "\n>>> torch.cos(torch.tensor([0.0, 1.0]))\ntensor([1.0000, 0.5403])")  # fmt: skip
tanh = unary("tanh", kernels.prefer("tanh", np.tanh), _tanh_rule, floats=True,
             doc="Hyperbolic tangent of each element."
             "\n>>> torch.tanh(torch.tensor([0.0, 1.0]))\ntensor([0.0000, 0.7616])")  # fmt: skip


_ZERO, _ONE = ({d: np.full((), value, d) for d in (F32, F64)} for value in (0, 1))


def _sigmoid(a):
    if a.dtype.kind == "c":
        return 1 / (1 + np.exp(-a))
    if not a.ndim:
        return _sigmoid(a.reshape(1)).reshape(())
    # e^min(a, 0) / (1 + e^-|a|): exp of a negative number only, so no overflow on either side.
    out = np.minimum(a, _ZERO[a.dtype])
    np.exp(out, out)
    d = np.abs(a)
    np.negative(d, d)
    np.exp(d, d)
    np.add(d, _ONE[a.dtype], d)
    return np.divide(out, d, out)


sigmoid = unary("sigmoid", kernels.prefer("sigmoid", _sigmoid), _sigmoid_rule, floats=True, marked=True,
                aliases=("special.expit",), doc="1 / (1 + exp(-x)) of each element."
                "\n>>> torch.sigmoid(torch.tensor([0.0, 2.0]))\ntensor([0.5000, 0.8808])")  # fmt: skip
relu = unary("relu", kernels.prefer("relu", lambda a: np.maximum(a, _ZERO.get(a.dtype, 0))),
             fused(kernels.prefer("relu_backward", lambda g, out: g * np.not_equal(out, _ZERO.get(out.dtype, 0))))(
                 lambda g, out: g * ~(out <= 0)),
             refuse=(0, 3), doc="max(x, 0) of each element."
             "\n>>> torch.relu(torch.tensor([-1.0, 2.0]))\ntensor([0., 2.])")  # fmt: skip
