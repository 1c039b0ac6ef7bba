"""Checks and normal forms of the arguments that most operations share: sizes, dimension numbers, tensors."""

from __future__ import annotations

import math
import operator as _operator

from ..dtypes import dtype
from ..errors import ArgumentTypeError, IndexOutOfRange, ShapeError
from ..mistakes.batches import no_such_dim
from ..mistakes.modules import returned_nothing
from ..tensor import Tensor


def sizes_of(args) -> tuple[int, ...]:
    """The sizes of `f(2, 3)` or `f((2, 3))` as a tuple of ints."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    try:
        return tuple([_operator.index(s) for s in args])
    except TypeError:
        bad = next((s for s in args if not hasattr(s, "__index__") or isinstance(s, Tensor)), args)
        raise ArgumentTypeError(
            f"sizes must be integers, not {type(bad).__name__}",
            why="a size counts elements",
            fix="convert it: `int(n)`",
        ) from None


def normal_dim(dim, ndim, scalar=True) -> int:
    """A dimension number made non-negative; IndexError if out of range (a 0-d tensor has dimensions -1 and 0)."""
    dim = _operator.index(dim)
    n = ndim or (1 if scalar else 0)
    if not -n <= dim < n:
        if n == 0:
            raise IndexOutOfRange(
                f"Dimension specified as {dim} but tensor has no dimensions",
                why="the tensor is a single number",
                fix="leave out `dim`, or use `x.unsqueeze(0)` first",
            )
        fact = f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        raise no_such_dim(fact, ndim, n)
    return dim + n if dim < 0 else dim


def normal_dims(dims, ndim) -> tuple[int, ...]:
    """Dimension numbers made non-negative, each at most once."""
    dims = tuple([normal_dim(d, ndim) for d in dims])
    if len(set(dims)) != len(dims):
        repeated = next(d for d in dims if dims.count(d) > 1)
        raise ShapeError(
            f"dim {repeated} appears multiple times in the list of dims",
            why=f"`dim` is {dims}, counted from 0",
            fix="name each dimension once",
        )
    return dims


def kind_of(x) -> str:
    """The type of an argument, as messages name it."""
    return "torch.dtype" if isinstance(x, dtype) else type(x).__name__


def wrong_type(name, argument, position, takes, x, kind="") -> ArgumentTypeError:
    """The error for an argument that is not what its parameter takes; `position` is None for one given by name."""
    kind, shown = kind or kind_of(x), _short(x)
    if x is None and takes == "Tensor":
        found = returned_nothing(
            f"{name}(): argument '{argument}' must be Tensor, not NoneType"
            if position is None
            else f"{name}(): argument '{argument}' (position {position}) must be Tensor, not NoneType"
        )
        if found is not None:
            return found
    return ArgumentTypeError(
        f"{name}(): argument '{argument}' must be {takes}, not {kind}"
        if position is None
        else f"{name}(): argument '{argument}' (position {position}) must be {takes}, not {kind}",
        why=f"`{argument}` is {shown}",
        fix=f"pass it, or look where `{argument}` comes from: a function without `return` gives None"
        if x is None
        else f"pass a tensor of numbers as `{argument}`"
        if takes == "Tensor" and isinstance(x, (str, bytes))
        else f"convert it: `torch.as_tensor({argument})`"
        if takes == "Tensor"
        else "pass True or False"
        if takes == "bool"
        else "pass a whole number; `int(x)` drops a fraction"
        if takes == "int"
        else "pass whole numbers, such as `(2, 3)`"
        if takes == "tuple of ints"
        else "pass a dtype such as `torch.float32`"
        if takes == "torch.dtype"
        else "pass one number; `x.item()` is the one in a tensor",
    )


def _short(x) -> str:
    shape = getattr(x, "shape", None)
    if shape is not None:
        return f"{type(x).__name__} of shape {tuple(shape)}" if isinstance(shape, tuple) else type(x).__name__
    shown = repr(x)
    return shown if len(shown) < 60 else type(x).__name__


def need_tensor(x, name, argument="input", position=1):
    """TypeError unless `x` is a tensor."""
    if not isinstance(x, Tensor):
        kind = "numpy.ndarray" if type(x).__name__ == "ndarray" else type(x).__name__
        raise wrong_type(name, argument, position, "Tensor", x, kind)


def infer_size(shape, count) -> tuple[int, ...]:
    """A shape whose single -1, if any, is replaced so that it has `count` elements."""
    if -1 in shape:
        known = math.prod(s for s in shape if s != -1)
        if shape.count(-1) > 1:
            raise ShapeError(
                "only one dimension can be inferred",
                why=f"the shape is {tuple(shape)}, and -1 stands for the size that is left",
                fix="write -1 once",
            )
        if known == 0 and count == 0:
            raise ShapeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension "
                "size -1 can be any value and is ambiguous",
                why="0 elements are 0 rows of any size",
                fix="write the size in place of -1",
            )
        if known and count % known == 0 and all(s >= -1 for s in shape):
            return tuple([count // known if s == -1 else s for s in shape])
    elif math.prod(shape) == count and all(s >= 0 for s in shape):
        return tuple(shape)
    bad = next((s for s in shape if s < -1), None)
    if bad is not None:
        raise ShapeError(
            f"invalid shape dimension {bad} at index {shape.index(bad)} of shape {list(shape)}",
            why="a size counts elements, and only -1 stands for the size that is left",
            fix="write -1 or a number of 0 or more",
        )
    raise ShapeError(
        f"shape '{list(shape)}' is invalid for input of size {count}",
        why=f"the new shape has {math.prod(shape)} element(s), the tensor {count}"
        if -1 not in shape
        else f"{count} element(s) cannot be divided into rows of {math.prod(s for s in shape if s != -1)}",
        fix="write -1 for one size, which is then computed, or use `x.flatten(1)` to keep the batch dimension",
    )
