"""Operands of two dtypes: float64 from NumPy (FB-DTYPE-01), whole numbers where floats are needed (FB-DTYPE-02)."""

from __future__ import annotations

import numpy as np

from ..checks.tags import origin
from ..errors import DtypeError, FlambeauError, NotSupported
from ..tensor import Tensor
from .operands import Operand, as_operand, assigned, called, is_name, is_parameter, lost, operand

FLOATS, WHOLE = "FB-DTYPE-01", "FB-DTYPE-02"
_WHOLE = "iub"


def mixed_dtypes(fact: str, x: Tensor, weight: Tensor, ids: bool = False) -> DtypeError:
    """The error for a product of two dtypes.

    fact: PyTorch's sentence. x, weight: the data, and the layer's parameter or the other operand. ids: whether whole
    numbers in `x` may be meant as numbers of rows.
    """
    if x._array.dtype.kind in _WHOLE:
        return _whole(fact, x, called(x, "x"), weight.dtype.name, ids)
    if weight._array.dtype.kind in _WHOLE:
        return _whole(fact, weight, called(weight, "other"), x.dtype.name, False)
    blamed, other = (x, weight) if is_parameter(weight) or not is_parameter(x) else (weight, x)
    if not is_parameter(other) and other.dtype.name == "float64" and blamed.dtype.name != "float64":
        blamed, other = other, blamed
    b, o = operand(blamed, called(blamed, "x")), operand(other, called(other, "weight"))
    where, wanted = origin(blamed), other.dtype.name
    dropped = None if b.parameter else lost(blamed, b.name, ("to", "float", "double", "half", "bfloat16", "type"))
    if dropped is not None:
        return _not_kept(fact, b, dropped)
    short = {"float32": "float", "float64": "double", "float16": "half", "bfloat16": "bfloat16"}.get(wanted)
    cast = f"{as_operand(b.name)}.{short}()" if short else f"{as_operand(b.name)}.to(torch.{wanted})"
    if blamed.dtype.name == "float64" and where.kind == "numpy":
        line = where.site.line if where.site is not None else 0
        return DtypeError(
            fact,
            why=f"`{o.name}` is {wanted}, but `{b.name}` is float64: it came from a NumPy array (line {line}), and "
            "NumPy floats are 64-bit"
            if line
            else f"`{o.name}` is {wanted}, but `{b.name}` is float64: it came from a NumPy array, and NumPy floats are "
            "64-bit",
            fix=_convert(b, cast),
            code=FLOATS,
            cause="numpy",
        )
    if blamed.dtype.name == "float64" and where.kind == "loader":
        return DtypeError(
            fact,
            why=f"`{o.name}` is {wanted}, but `{b.name}` is float64: the loader makes that of NumPy arrays and of "
            "Python's floats",
            fix=f"return float32 from the data set, or convert the batch: `{cast}`",
            code=FLOATS,
            cause="loader",
        )
    line = assigned(b.name)
    return DtypeError(
        fact,
        why=f"`{o.name}` is {wanted}, but `{b.name}`, assigned on line {line}, is {blamed.dtype.name}"
        if line
        else f"`{o.name}` is {wanted}, but `{b.name}` is {blamed.dtype.name}",
        fix=_convert(b, cast),
        code=FLOATS,
        cause="mixed",
    )


def _not_kept(fact: str, b: Operand, dropped) -> DtypeError:
    line, text, name = dropped
    return DtypeError(
        fact,
        why=f"`{text}` on line {line} returned a new tensor that was not kept: `{name}` is still {b.tensor.dtype.name}",
        fix=f"use `{name} = {text}`",
        code="FB-DEV-02",
    )


def _convert(b: Operand, cast: str) -> str:
    return f"convert it: `{b.name} = {cast}`" if is_name(b.name) and not b.parameter else f"convert it: `{cast}`"


def _range(x: Tensor):
    """(smallest, largest) of whole numbers; None where there are no values to look at."""
    a = x._array
    return (int(a.min()), int(a.max())) if type(a) is np.ndarray and a.size else None


def _whole(fact: str, x: Tensor, name: str, wanted: str, ids: bool) -> DtypeError:
    found, kind = _range(x), x.dtype.name
    low, high = found or (0, 0)
    if ids and x._array.dtype.kind == "i" and x._array.ndim <= 2 and low >= 0 and high > 1:
        return DtypeError(
            fact,
            why=f"the layer needs floating point but got {kind} `{name}` with values {low}..{high}, like ids",
            fix=f"look them up with `nn.Embedding({high + 1}, ...)`, or use `F.one_hot({name}).float()`; for amounts "
            f"`{name}.float()`",
            code=WHOLE,
            cause="ids",
        )
    image = kind == "uint8" or (x._array.ndim > 2 and 1 < high <= 255 and low >= 0)
    return DtypeError(
        fact,
        why=f"{wanted} is needed, but `{name}` is {kind} with values {low}..{high}"
        if found
        else f"{wanted} is needed, but `{name}` is {kind}",
        fix=f"use `{name}.float() / 255`" if image and high > 1 else f"use `{name}.float()`",
        code=WHOLE,
        cause="image" if image and high > 1 else "integers",
    )


def needs_float(fact: str, x: Tensor) -> FlambeauError:
    """The error for an operation that is defined for floating point only (NotImplementedError, as in PyTorch)."""
    name, found = called(x, "x"), _range(x) if x._array.dtype.kind in _WHOLE else None
    low, high = found or (0, 0)
    return NotSupported(
        fact,
        why=f"it is defined for floating point numbers, and `{name}` is {x.dtype.name} with values {low}..{high}"
        if found
        else f"it is defined for floating point numbers, and `{name}` is {x.dtype.name}",
        fix=f"use `{name}.float() / 255`" if x.dtype.name == "uint8" and high > 1 else f"use `{name}.float()`",
        code=WHOLE if x._array.dtype.kind in _WHOLE else "",
        cause="integers" if x._array.dtype.kind in _WHOLE else "",
    )


def no_average(fact: str, x: Tensor, function: str) -> DtypeError:
    """The error for mean, std and var of whole numbers."""
    name = called(x, "x")
    return DtypeError(
        fact,
        why=f"the result may be a fraction, and `{name}` is {x.dtype.name}",
        fix=f"use `{name}.float().{function}()`",
        code=WHOLE,
        cause="integers",
    )
