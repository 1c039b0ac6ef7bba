"""New tensors from a formula: ranges, grids of indices, powers."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .. import devices, dtypes
from ..arrays import meta_empty
from ..devices import CPU
from ..errors import ArgumentError, ArgumentTypeError, DtypeError, NotSupported, ShapeError
from ..kernels.record import constant
from ..tensor import Tensor, wrap
from .creation import check_layout, dtype_of, finish, number
from .entry import public, write_out


def _end_dtype(values, given, out):
    """The dtype of a range: int64 if all its numbers are integers, else the default dtype."""
    if given is not None:
        return dtype_of(given, None)
    if out is not None:
        return out.dtype
    whole = all(
        not v.is_floating_point() if isinstance(v, Tensor) else isinstance(v, (builtins.int, np.integer))
        for v in values
    )
    return dtypes.int64 if whole else dtypes.get_default_dtype()


def _bounds(name, start, end, step):
    """The numbers of a range, checked."""
    found = [number(v, name, a, i + 1) for i, (v, a) in enumerate(((start, "start"), (end, "end"), (step, "step")))]
    if any(isinstance(v, builtins.complex) for v in found):
        raise DtypeError(
            "value cannot be converted to type double without overflow",
            why="complex numbers have no order to walk through",
            fix="pass real numbers, and use `torch.complex` afterwards",
        )
    start, end, step = found
    if step == 0:
        raise ShapeError(
            "step must be nonzero",
            why=f"steps of 0 never lead from {start} to {end}",
            fix="leave it out, or pass another number",
        )
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ShapeError(
            f"unsupported range: {start} -> {end}",
            why="an infinite range does not fit in memory",
            fix="pass finite ends",
        )
    if (end - start) * step < 0:
        raise ShapeError(
            "upper bound and lower bound inconsistent with step sign",
            why=f"steps of {step} never lead from {start} to {end}",
            fix=f"change the sign, `step={-step}`, or swap the ends and use `x.flip(0)`",
        )
    return start, end, step


def _progression(start, step, count, dt, dev) -> np.ndarray:
    if dev is not CPU:
        return meta_empty((count,), dt.numpy)
    if dt.category == 1:
        return (np.arange(count, dtype=np.int64) * int(step) + int(start)).astype(dt.numpy, copy=False)
    made = np.arange(count, dtype=np.float64)
    if step != 1:
        made *= step
    if start != 0:
        made += start
    return made.astype(dt.numpy, copy=False)


@public()
def arange(*args, start=0, end=None, step=1, out=None, dtype=None, layout=None, device=None, requires_grad=False,
           pin_memory=False):  # fmt: skip
    """Numbers from `start` up to, not including, `end`, each larger than the last by `step`.

    Forms: `arange(end)`, `arange(start, end)`, `arange(start, end, step)`.
    Its dtype is int64 when all three are integers.

    >>> import flambeau as torch
    >>> torch.arange(1, 2.5, 0.5)
    tensor([1.0000, 1.5000, 2.0000])
    """
    if len(args) == 1 and end is None:
        end = args[0]
    elif len(args) == 1:
        start = args[0]
    elif len(args) in (2, 3):
        start, end, *rest = args
        step = rest[0] if rest else step
    if end is None or len(args) > 3:
        got = ", ".join(type(a).__name__ for a in args)
        raise ArgumentTypeError(
            f"arange() received an invalid combination of arguments - got ({got})",
            why="one to three numbers are taken",
            fix="use `torch.arange(end)`, `torch.arange(start, end)` or `torch.arange(start, end, step)`",
        )
    check_layout(layout)
    numbers = (builtins.int, builtins.float, builtins.complex, Tensor, np.generic)
    if len(args) == 1 and not isinstance(end, numbers):
        raise ArgumentTypeError(
            f"arange(): argument 'end' (position 1) must be Number, not {type(end).__name__}",
            why="the range ends before it",
            fix="pass a number, such as `len(x)`",
        )
    dt = _end_dtype((start, end, step), dtype, out)
    start, end, step = _bounds("arange", start, end, step)
    if dt.is_complex or dt is dtypes.bool:
        raise NotSupported(
            f"\"arange_cpu\" not implemented for '{'Bool' if dt is dtypes.bool else 'ComplexFloat'}'",
            why="numbers that are counted are whole or real",
            fix=f"use `torch.arange(n).to(torch.{dt.name})`",
        )
    if dt is dtypes.int64:
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ArgumentError(
                "step must be nonzero",
                why="the step became 0 when it was made a whole number",
                fix="pass a step of 1 or more, or `dtype=torch.float32`",
            )
        count = max(0, -((start - end) // step))
    else:
        count = math.ceil((end - start) / step)
    made = finish(constant(_progression(start, step, count, dt, devices.usable(device))), requires_grad)
    return made if out is None else write_out(made, out, "arange")


@public()
def range(start=0, end=None, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False,
          pin_memory=False):  # fmt: skip
    """Numbers from `start` up to and including `end`. Deprecated: use `arange`.

    >>> import flambeau as torch
    >>> torch.range(1, 3)
    tensor([1., 2., 3.])
    """
    if end is None:
        start, end = 0, start
    dt = dtype_of(dtype, None if out is None else out.dtype)
    start, end, step = _bounds("range", start, end, step)
    count = math.floor((end - start) / step) + 1
    made = finish(_progression(start, step, count, dt, devices.usable(device)), requires_grad)
    return made if out is None else write_out(made, out, "range")


def _steps(start, end, steps, name, dtype, out, device):
    """(start, end, steps, dtype, device) of a linspace or logspace, checked."""
    for v in (start, end):
        if isinstance(v, Tensor) and v.ndim:
            dims = [t.ndim if isinstance(t, Tensor) else 0 for t in (start, end)]
            raise ShapeError(
                f"{name} only supports 0-dimensional start and end tensors, but got start with {dims[0]} "
                f"dimension(s) and end with {dims[1]} dimension(s).",
                why="the ends are single numbers",
                fix="use `a + (b - a) * torch.linspace(0, 1, steps)[:, None]` for ends that are tensors",
            )
    if steps is None:
        raise ArgumentTypeError(
            f'{name}() missing 1 required positional arguments: "steps"',
            why="it is the number of elements",
            fix=f"pass it: `{name}(start, end, 10)`",
        )
    if not hasattr(steps, "__index__"):
        raise ArgumentTypeError(
            f"{name}(): argument 'steps' must be int, not {type(steps).__name__}",
            why="it is the number of elements",
            fix="convert it: `int(steps)`",
        )
    start, end = number(start, name, "start", 1), number(end, name, "end", 2)
    if steps < 0:
        raise ShapeError(
            "number of steps must be non-negative",
            why=f"it is the number of elements, and {steps} was given",
            fix="pass 0 or more",
        )
    default = dtypes.get_default_dtype()
    mixed = isinstance(start, builtins.complex) or isinstance(end, builtins.complex)
    if mixed:
        default = default.to_complex()
    dt = dtype_of(dtype, default if out is None else out.dtype)
    if mixed and not dt.is_complex:
        raise DtypeError(
            f"torch.{name}(): inferred dtype {default} can't be safely cast to passed dtype {dt}",
            why="an end is complex",
            fix="pass `dtype=torch.complex64`, or real ends",
        )
    return start, end, int(steps), dt, devices.usable(device)


def _line(start, end, steps, dt) -> np.ndarray:
    """`steps` numbers from start to end, counted from the nearer end so that the last one is exact."""
    if dt.category == 1:
        start, end = int(start), int(end)
    if steps == 1:
        return np.full(1, start, dt.numpy)
    kind = np.float64 if dt.category < 2 else np.float32 if dt in dtypes.HALVES else dt.numpy.type
    start, end = kind(start), kind(end)
    step = (end - start) / kind(steps - 1) if steps else kind(0)
    count = np.arange(steps).astype(kind)
    half = steps // 2
    return np.concatenate([count[:half] * step + start, end - count[: steps - half][::-1] * step])


@public()
def linspace(start, end, steps=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False,
             pin_memory=False):  # fmt: skip
    """`steps` evenly spaced numbers from `start` to `end`, both included.

    >>> import flambeau as torch
    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    check_layout(layout)
    start, end, steps, dt, dev = _steps(start, end, steps, "linspace", dtype, out, device)
    made = _line(start, end, steps, dt).astype(dt.numpy) if dev is CPU else meta_empty((steps,), dt.numpy)
    made = finish(made, requires_grad)
    return made if out is None else write_out(made, out, "linspace")


@public()
def logspace(start, end, steps=None, base=10.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False,
             pin_memory=False):  # fmt: skip
    """`steps` powers of `base`, whose exponents are evenly spaced from `start` to `end`.

    >>> import flambeau as torch
    >>> torch.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    check_layout(layout)
    start, end, steps, dt, dev = _steps(start, end, steps, "logspace", dtype, out, device)
    if dev is CPU:
        line = _line(start, end, steps, dt)
        with np.errstate(all="ignore"):
            made = np.power(line.dtype.type(base), line).astype(dt.numpy)
    else:
        made = meta_empty((steps,), dt.numpy)
    made = finish(made, requires_grad)
    return made if out is None else write_out(made, out, "logspace")


def _triangle(name, row, col, offset, dtype, device, mask):
    for what, count in (("row", row), ("col", col)):
        if count < 0:
            raise ShapeError(
                f"{what} must be non-negative, got{count}", why="it is the size of the matrix", fix="pass 0 or more"
            )
    dt = dtype_of(dtype, dtypes.int64)
    if dt not in (dtypes.int64, dtypes.int32):
        raise NotSupported(
            f"\"{name}\" not implemented for '{dt.name.title()}'",
            why="the result holds indices",
            fix="pass `dtype=torch.int64`",
        )
    found = constant(np.array(np.nonzero(mask(np.ones((row, col), bool), offset))).astype(dt.numpy))
    return wrap(found if devices.usable(device) is CPU else meta_empty(found.shape, dt.numpy))


@public()
def tril_indices(row, col, offset=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """Row and column numbers of the lower triangle of a matrix, as the two rows of a tensor.

    >>> import flambeau as torch
    >>> torch.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    return _triangle("tril_indices", row, col, offset, dtype, device, np.tril)


@public()
def triu_indices(row, col, offset=0, *, dtype=None, layout=None, device=None, pin_memory=False):
    """Row and column numbers of the upper triangle of a matrix, as the two rows of a tensor.

    >>> import flambeau as torch
    >>> torch.triu_indices(2, 2)
    tensor([[0, 0, 1],
            [0, 1, 1]])
    """
    return _triangle("triu_indices", row, col, offset, dtype, device, np.triu)
