"""Gradient rules with an array form: what the hot layers use so that one layer is one call and few memory passes.

A rule is a formula on tensors, so that gradients of gradients come for free. `fused(kernel)` gives it a second form
on arrays, used whenever the backward pass itself is not being recorded, which is nearly always:

    @fused(_softmax_backward)                     # arrays in, array out
    def _softmax_rule(g, out, axis):              # the same mathematics on tensors
        return out * (g - (g * out).sum(axis, keepdim=True))
"""

from __future__ import annotations

import functools

import numpy as np

from ..arrays import as_array, meta_empty
from ..autograd.mode import state
from ..dtypes import FROM_NUMPY, HALVES
from ..kernels.casts import cast
from ..kernels.record import listener, listeners
from ..mistakes.dtypes import needs_float
from ..tensor import Tensor, wrap
from .entry import write_out
from .node import F32

_TITLES = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char",
           "uint8": "Byte", "bool": "Bool", "float16": "Half", "bfloat16": "BFloat16", "complex64": "ComplexFloat",
           "complex128": "ComplexDouble"}  # fmt: skip


def title(t) -> str:
    """PyTorch's word for a tensor's dtype in messages: Float, Double, Long..."""
    return _TITLES.get(t.dtype.name, t.dtype.name)


def _arrays_of(x):
    """Tensors and tuples of tensors (the gradients or results of several outputs) as arrays; options as they are."""
    if x.__class__ is tuple or x.__class__ is list:
        return x.__class__([v._array if isinstance(v, Tensor) else v for v in x])
    return x._array if isinstance(x, Tensor) else x


def _heard(kernel, floats, arrays):
    """kernel(*arrays) where somebody may listen."""
    found = listener()
    if found is None:
        return kernel(*arrays)
    if floats is not None and arrays[0].dtype.kind == "f":
        return found.call(floats.__name__, floats, arrays, {}, floats)
    return found.call(
        getattr(kernel, "__name__", "rule").strip("_"), kernel, arrays, {}, getattr(kernel, "formula", None)
    )


def fused(kernel, floats=None, plain=False):
    """Give a gradient formula on tensors the array form `kernel`, which takes the same arguments as arrays.

    floats: a NumPy function that does the same for float32 and float64 arrays, element by element.
    plain: the kernel is NumPy code that saves calls only; who listens is told the formula.
    """

    def decorate(formula):
        @functools.wraps(formula)
        def rule(*args):
            if state.grad or plain and listeners:
                return formula(*args)
            arrays = [a._array if a.__class__ is Tensor else _arrays_of(a) for a in args]
            made = _heard(kernel, floats, arrays) if listeners else kernel(*arrays)
            if made.__class__ is tuple:
                return tuple([None if a is None else wrap(as_array(a)) for a in made])
            return None if made is None else wrap(as_array(made))

        rule.on_floats = floats or kernel
        return rule

    return decorate


_HALF = tuple(d.numpy for d in HALVES)


def in_single(f):
    """Compute 16-bit floats in float32: array arguments are widened, the (first) result is narrowed."""

    @functools.wraps(f)
    def widened(*args, **options):
        first = args[0]
        if first.__class__ is list or first.__class__ is tuple:
            first = next(a for a in first if a is not None)
        if first.dtype is F32:
            return f(*args, **options)
        if first.dtype.itemsize != 2 or first.dtype not in _HALF:
            return f(*args, **options)
        half = first.dtype
        made = f(*[_widen(a, half) for a in args], **{k: _widen(v, half) for k, v in options.items()})
        if made.__class__ is tuple:
            return (_narrow(made[0], half), *made[1:])
        return _narrow(made, half)

    return widened


def halves_by(kernel):
    """Let a kernel that reads and writes 16-bit floats compute them; where it declines, the function does."""

    def decorate(f):
        @functools.wraps(f)
        def chosen(first, *others, **options):
            made = None
            if first.dtype.itemsize == 2 and first.dtype in _HALF:
                made = kernel(first, *others, **options)
            return f(first, *others, **options) if made is None else made

        return chosen

    return decorate


def _widen(a, half):
    if isinstance(a, np.ndarray):
        return cast(a, F32) if a.dtype == half else a
    if a.__class__ is tuple or a.__class__ is list:
        return a.__class__([_widen(v, half) for v in a])
    return a


def _narrow(a, half):
    if isinstance(a, np.ndarray) and a.dtype == np.float32:
        return cast(a, half)
    return a.astype(half) if isinstance(a, np.generic) and a.dtype == np.float32 else a


def need_float(t, kernel, complex=False):
    """NotImplementedError unless `t` is floating-point (or complex where that is allowed)."""
    category = FROM_NUMPY[t._array.dtype].category
    if category != 2 and not (complex and category == 3):
        raise needs_float(f"\"{kernel}\" not implemented for '{title(t)}'", t)


def constant(array, like=None) -> Tensor:
    """A tensor over an array that takes no part in differentiation, on the device of `like`."""
    array = as_array(array)
    if like is not None and type(like._array) is not np.ndarray:
        array = meta_empty(array.shape, array.dtype)
    return wrap(array)


def with_out(f):
    """Give a function the keyword `out=`, a tensor that receives the result."""

    @functools.wraps(f)
    def called(*args, out=None, **options):
        made = f(*args, **options)
        return made if out is None else write_out(made, out, f.__name__)

    return called
