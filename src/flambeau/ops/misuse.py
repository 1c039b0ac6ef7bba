"""What was wrong with a call that failed: the argument of the wrong type, or a NumPy error, in PyTorch's words.

Nothing here runs while calls succeed. When one fails, the arguments are compared with what their parameters take, as
PyTorch does before anything else; an error in NumPy's or plain Python's words is replaced by one that names the
function.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import numbers
import os
import re

import numpy as np

from ..dtypes import dtype
from ..errors import (
    ArgumentTypeError,
    DtypeError,
    FlambeauError,
    IndexOutOfRange,
    NotSupported,
    OutOfMemoryError,
    ShapeError,
)
from ..holders import out_of_memory
from ..kernels import memory
from ..mistakes.modules import returned_nothing
from ..tensor import Tensor
from .arguments import kind_of, wrong_type

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NUMPY = os.path.dirname(os.path.abspath(np.__file__))

_TENSOR = frozenset(
    """
    input tensor1 tensor2 mat1 mat2 mat vec vec1 vec2 batch1 batch2 index indices mask source weight bias running_mean
    running_var target pos_weight input1 input2 input3 x1 x2 anchor positive negative log_probs boundaries
    sorted_sequence A B LU LU_data LU_pivots LD pivots hx w_ih w_hh b_ih b_hh v grid theta condition
    per_sample_weights the_template fweights aweights cdf append prepend query
""".split()
)
_MAY_BE_NONE = frozenset("running_mean running_var weight bias hx b_ih b_hh".split())
_SEQUENCE_TOO = frozenset("indices index weight bias query hx".split())
_NUMBER_TOO = frozenset("other exponent src end".split())  # a tensor or a number
_TENSORS = frozenset(("tensors", "matrices"))
_BOOL = frozenset(
    """
    keepdim descending largest sorted training ceil_mode count_include_pad align_corners unbiased upper left transpose
    unitriangular accumulate equal_nan return_inverse return_counts hermitian log_target full compute_uv full_matrices
    density normalized onesided return_complex return_indices include_self swap zero_infinity train bidirectional
    batch_first has_biases use_input_stats scale_grad_by_freq sparse include_last_offset non_blocking copy requires_grad
    pin_memory pivot adjoint sparse_grad log_input recompute_scale_factor antialias inplace stable hard with_replacement
    out_int32 right increasing
""".split()
)
_INT = frozenset(
    """
    dim0 dim1 axis0 axis1 diagonal k num_classes chunks start_dim end_dim groups num_groups offset decimals
    upscale_factor downscale_factor minlength num_samples blank num_layers padding_idx ignore_index
    start length dimension step steps sections storage_offset window_length
""".split()
)
_INTS = frozenset(
    """
    dim dims size sizes shape kernel_size stride padding dilation output_size output_padding normalized_shape pad shifts
    source_dim destination_dim
""".split()
)
_NUMBER = frozenset(
    """
    eps alpha beta momentum lambd negative_slope margin threshold smoothing rtol atol norm_type delta fill_value
    max_norm label_smoothing rcond value
""".split()
)


def _whole(x) -> bool:
    """Whether something can stand for an int."""
    if isinstance(x, Tensor):
        return x._array.ndim == 0 and x._array.dtype.kind in "iu"
    return hasattr(x, "__index__") and not isinstance(x, bool)


def _number(x) -> bool:
    return isinstance(x, (numbers.Number, np.generic)) or isinstance(x, Tensor) and x._array.ndim == 0


def wanted(name, x, names) -> str | None:
    """What the parameter `name` takes, if `x` is not that."""
    if name in _TENSOR and not (name == "source" and "destination" in names):
        if isinstance(x, Tensor) or "other" in names and _number(x):
            return None
        if name in _SEQUENCE_TOO and isinstance(x, (tuple, list, numbers.Number)):
            return None  # a number or a sequence in some functions
        return "Tensor"
    if name in _NUMBER_TOO:
        return None if isinstance(x, Tensor) or _number(x) else "Tensor"
    if name in _BOOL:
        return None if isinstance(x, (bool, np.bool_)) else "bool"
    if name in _INT:
        fits = _whole(x) or name in ("start", "step", "k", "offset") and (_number(x) or isinstance(x, (Tensor, tuple)))
        return None if fits else "int"
    if name in _INTS:
        if _whole(x) or name == "padding" and isinstance(x, str) or name == "size" and isinstance(x, Tensor):
            return None
        fits = isinstance(x, (tuple, list)) and all(_whole(i) or isinstance(i, (tuple, list)) or i is None for i in x)
        return None if fits else "int" if name == "dim" else "tuple of ints"
    if name in _NUMBER:
        tensor = name == "value" and isinstance(x, Tensor) and not {"query", "indices", "mask"}.isdisjoint(names)
        return None if tensor or _number(x) else "Number"
    if name == "dtype":
        return None if isinstance(x, (dtype, type, str)) else "torch.dtype"
    return None


def misfit(fn, name, args, kwargs) -> ArgumentTypeError | None:
    """The error for the first argument of a type that its parameter does not take."""
    try:
        bound = inspect.signature(fn).bind(*args, **kwargs)
    except (TypeError, ValueError):
        return None
    parameters = bound.signature.parameters
    for position, (argument, x) in enumerate(bound.arguments.items(), 1):
        p = parameters[argument]
        if p.kind is p.VAR_KEYWORD or type(x) is type(p.default) or x is None and argument in _MAY_BE_NONE:
            continue
        if argument in _TENSORS:
            items = x[0] if p.kind is p.VAR_POSITIONAL and len(x) == 1 and isinstance(x[0], (tuple, list)) else x
            if not isinstance(items, (tuple, list)):
                if not isinstance(items, Tensor):
                    return ArgumentTypeError(
                        f"{name}(): argument '{argument}' (position {position}) must be tuple of "
                        f"Tensors, not {kind_of(x)}",
                        why="several tensors are joined or combined",
                        fix="pass them as one list: `[a, b]`",
                    )
                continue
            for i, t in enumerate(items):
                if not isinstance(t, Tensor) and not isinstance(t, (tuple, list)):
                    nothing = returned_nothing(f"expected Tensor as element {i} in argument 0, but got NoneType")
                    if t is None and nothing is not None:
                        return nothing
                    return ArgumentTypeError(
                        f"expected Tensor as element {i} in argument 0, but got {kind_of(t)}",
                        why="tensors are joined or combined",
                        fix=f"make it one first: `torch.tensor({t!r})`"
                        if isinstance(t, numbers.Number)
                        else "make it a tensor first: `torch.as_tensor(x)`",
                    )
            continue
        if p.kind is p.VAR_POSITIONAL:
            continue
        if isinstance(p.default, float) and _number(x):
            continue  # `upper` is a bool in some functions and a number in others
        takes = wanted(argument, x, parameters)
        if argument == "dim" and isinstance(p.default, int) and isinstance(x, (tuple, list)):
            takes = "int"  # where several dimensions may be given, the default is None
        if takes:
            return wrong_type(name, argument, position if position <= len(args) else None, takes, x)
    return None


_UNKNOWN = re.compile(r"([\w.<>]+)\(\) got an unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r"([\w.<>]+)\(\) missing (\d+) required (positional|keyword-only) arguments?: (.*)")
_TOO_MANY = re.compile(
    r"([\w.<>]+)\(\) takes (?:from (\d+) to )?(\d+) positional arguments? but (\d+)(?: positional arguments .*)? "
    r"w(?:as|ere) given"
)


def miscalled(fn, args, kwargs, text) -> ArgumentTypeError | None:
    """The error for a call that does not fit the function's parameters; `text` is Python's sentence."""
    signature = inspect.signature(fn)
    try:
        signature.bind(*args, **kwargs)
        return None
    except TypeError:
        pass
    names = [n for n, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD and n[0] != "_"]
    takes = ", ".join(names)
    if found := _UNKNOWN.match(text):
        name, unknown = found.groups()
        near = next(iter(difflib.get_close_matches(unknown, names, 1)), None)
        return ArgumentTypeError(
            f"{name}() got an unexpected keyword argument '{unknown}'",
            why=f"the parameters are {takes}",
            fix=f"did you mean `{near}`?" if near else f"leave out `{unknown}=`",
        )
    if found := _MISSING.match(text):
        name, count, kind, missing = found.groups()
        return ArgumentTypeError(
            f"{name}() missing {count} required positional argument: {missing}"
            if kind == "positional" and count == "1"
            else f"{name}() missing {count} required positional arguments: {missing}"
            if kind == "positional"
            else f"{name}() missing {count} required keyword-only argument: {missing}"
            if count == "1"
            else f"{name}() missing {count} required keyword-only arguments: {missing}",
            why=f"the parameters are {takes}",
            fix=f"pass {missing} too",
        )
    if found := _TOO_MANY.match(text):
        name, least, most, count = found.groups()
        return ArgumentTypeError(
            f"{name}() takes from {least} to {most} positional arguments but {count} were given"
            if least
            else f"{name}() takes {most} positional argument but {count} were given"
            if most == "1"
            else f"{name}() takes {most} positional arguments but {count} were given",
            why=f"the parameters are {takes}",
            fix="leave out the rest, or pass options by name",
        )
    return None


_NUMPYISH = re.compile(
    r"operands could not|could not be broadcast|cannot reshape|\baxis\b|\baxes\b|shape mismatch|ufunc|array|newaxis|"
    r"zero-size|dimensions must|is not in list|read-only|unpack|min\(\)|max\(\)|cannot convert|empty sequence|"
    r"iterable argument is empty|output shape|einstein|maximum supported|must be non-?negative|negative dimensions"
)


def _ours(error) -> bool:
    """Whether an error comes from this package or NumPy, not from a function that the user gave."""
    tb = error.__traceback__
    while tb.tb_next is not None:
        tb = tb.tb_next
    file = tb.tb_frame.f_code.co_filename
    return file.startswith((_PACKAGE, _NUMPY)) or file.startswith("<")


def explained(fn, name, args, kwargs, error) -> Exception | None:
    """The error to raise instead of `error`; None where it says enough."""
    if not _ours(error) or isinstance(error, FlambeauError) and error.code:
        return None
    found = misfit(fn, name, args, kwargs)
    if found is not None:
        return found
    if isinstance(error, (FlambeauError, AssertionError)):
        return None
    text = str(error)
    if type(error) is TypeError and (found := miscalled(fn, args, kwargs, text)):
        return found
    if isinstance(error, MemoryError):
        return no_memory(name, error)
    if isinstance(error, np.exceptions.AxisError):
        return IndexOutOfRange(
            f"{name}(): Dimension out of range",
            why=f"the call failed inside with: {text}",
            fix="pass dimension numbers below `x.dim()`, counted from 0, or from -1 backwards",
        )
    if isinstance(error, TypeError) and "is unsupported in linalg" in text:
        kind = next((a.dtype.name for a in args if isinstance(a, Tensor)), "float16")
        return NotSupported(
            f"{name}(): not implemented for {kind}",
            why="linear algebra is computed in float32, float64 and their complex kin",
            fix="convert it first: `x.float()`",
        )
    if isinstance(error, AttributeError) and re.search(r"'[\w.]+' object has no attribute '\w+'", text):
        return _invalid(name, text)
    if isinstance(error, TypeError) and (
        re.search(
            r"unsupported operand|ufunc|ndarray|not iterable|not subscriptable|cannot be interpreted|has no len|"
            r"NoneType|must be real|not supported between|object is not|__index__|isn't a valid|'float' object|"
            r"expected a sequence",
            text,
        )
        or type(error) is not TypeError
        and text.startswith("ufunc")
    ):
        return _invalid(name, text)
    if isinstance(error, OverflowError):
        return DtypeError(
            "value cannot be converted without overflow",
            why=f"the call failed inside with: {text}",
            fix="use smaller numbers, or convert the tensor first: `x.double()`",
        )
    if isinstance(error, (ZeroDivisionError, KeyError, UnboundLocalError)) or (
        isinstance(error, (ValueError, IndexError)) and _NUMPYISH.search(text)
    ):
        error_class = IndexOutOfRange if isinstance(error, IndexError) else ShapeError
        text = text or type(error).__name__
        return error_class(
            f"{name}(): the arguments do not fit together",
            why=f"the call failed inside with: {text}",
            fix="compare the arguments with the example in the function's docstring",
        )
    return None


def _invalid(name, text) -> ArgumentTypeError:
    return ArgumentTypeError(
        f"{name}() received an invalid combination of arguments",
        why=f"the call failed inside with: {text}",
        fix="compare the arguments with the example in the function's docstring",
    )


def no_memory(name, error: MemoryError) -> OutOfMemoryError:
    """The error for an operation whose result, or an array that it needs on the way, does not fit."""
    if isinstance(error, OutOfMemoryError):
        return error
    shape, kind = getattr(error, "shape", ()), getattr(error, "dtype", np.dtype(np.uint8))
    limit = memory.limit()
    return out_of_memory(
        f"{name}(): DefaultCPUAllocator: can't allocate memory; the limit is {limit} bytes"
        if limit
        else f"{name}(): DefaultCPUAllocator: can't allocate memory",
        shape,
        kind,
    )


def guarded(fn, name=None):
    """`fn`, whose failures are explained (see the module's docstring)."""
    name = name or fn.__name__

    @functools.wraps(fn)
    def call(*args, **kwargs):
        try:
            return fn(*args, **kwargs)
        except Exception as error:
            better = explained(fn, name, args, kwargs, error)
            if better is None:
                raise
            raise better from error

    return call
