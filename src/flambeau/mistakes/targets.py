"""Targets of cross_entropy that are not in the form it takes (FB-LOSS-02)."""

from __future__ import annotations

import numpy as np

from ..checks.sites import arguments, user_site
from ..errors import DtypeError, FlambeauError, NotSupported, ShapeError
from ..tensor import Tensor
from .dtypes import needs_float
from .operands import called, lost

CODE = "FB-LOSS-02"


def _plain(t: Tensor) -> np.ndarray | None:
    """The values of a target, where there are any to look at."""
    a = t._array
    return a if type(a) is np.ndarray and a.size else None


def _whole(values: np.ndarray | None) -> bool:
    return values is not None and values.dtype.kind == "f" and bool((values == np.floor(values)).all())


def _one_hot(values: np.ndarray | None, axis: int) -> bool:
    return values is not None and bool(((values == 0) | (values == 1)).all() and (values.sum(axis) == 1).all())


def not_probabilities(fact: str, input: Tensor, target: Tensor) -> DtypeError:
    """The error for whole-number targets of the input's shape, which are read as probabilities."""
    a, y = tuple(input._array.shape), called(target, "target")
    x = called(input, "input")
    if len(a) == 1:
        return DtypeError(
            fact,
            why=f"`{x}` has shape {a}, which is one sample with {a[0]} scores; the target has that shape too, so it is "
            "read as their probabilities",
            fix=f"for one score per sample use `F.binary_cross_entropy_with_logits({x}, {y}.float())`",
            code=CODE,
            cause="one-score",
        )
    if _one_hot(_plain(target), 1):
        return DtypeError(
            fact,
            why=f"`{y}` has the shape {a} of the scores and one 1 in each row, so it is one-hot; whole numbers are not "
            "probabilities",
            fix=f"use the class numbers, `{y}.argmax(1)`, or `{y}.float()`",
            code=CODE,
            cause="one-hot",
        )
    return DtypeError(
        fact,
        why=f"`{y}` has the shape of the scores, {a}, so it is read as probabilities, and those are fractions",
        fix=f"use `{y}.float()` for probabilities; class numbers have shape {(a[0], *a[2:])}",
        code=CODE,
        cause="shape",
    )


def wrong_dtype(fact: str, input: Tensor, target: Tensor) -> DtypeError:
    """The error for class numbers that are not int64."""
    t, y = tuple(target._array.shape), called(target, "target")
    values, name = _plain(target), target.dtype.name
    dropped = lost(target, y, ("to", "long", "type"))
    if dropped is not None:
        line, text, variable = dropped
        return DtypeError(
            fact,
            why=f"`{text}` on line {line} returned a new tensor that was not kept: `{variable}` is still {name}",
            fix=f"use `{variable} = {text}`",
            code="FB-DEV-02",
        )
    if target._array.dtype.kind == "f" and not _whole(values):
        return DtypeError(
            fact,
            why=f"cross_entropy takes class numbers, int64 of shape {t}, and `{y}` is {name} with fractions",
            fix=f"for amounts use `F.mse_loss`; probabilities have the scores' shape, {tuple(input._array.shape)}",
            code=CODE,
            cause="fractions",
        )
    low, high = (int(values.min()), int(values.max())) if values is not None else (0, 0)
    return DtypeError(
        fact,
        why=f"cross_entropy takes class numbers as int64 of shape {t}, but `{y}` is {name} holding whole numbers "
        f"{low}..{high}"
        if values is not None
        else f"cross_entropy takes class numbers as int64 of shape {t}, but `{y}` is {name}",
        fix=f"use `{y}.long()`",
        code=CODE,
        cause="dtype",
    )


def wrong_shape(fact: str, input: Tensor, target: Tensor) -> FlambeauError:
    """The error for class numbers whose shape is not that of the input without its classes."""
    a, t, y = tuple(input._array.shape), tuple(target._array.shape), called(target, "target")
    wanted = (a[0], *a[2:])
    if len(t) == len(wanted) + 1 and t[1] == 1 and (t[0], *t[2:]) == wanted:
        return ShapeError(
            fact,
            why=f"cross_entropy takes one class number for each sample, of shape {wanted}, but `{y}` has shape {t}",
            fix=f"use `{y}.squeeze(1)`"
            if target._array.dtype.kind == "i" and target._array.dtype.itemsize == 8
            else f"use `{y}.squeeze(1).long()`",
            code=CODE,
            cause="column",
        )
    axis = 1 if len(t) == len(a) else -1
    if len(t) > len(wanted) and _one_hot(_plain(target), axis):
        return ShapeError(
            fact,
            why=f"`{y}` of shape {t} is one-hot with {t[axis]} classes, but the scores are for {a[1]}",
            fix=f"give the last layer {t[axis]} outputs, and use `{y}.argmax({axis})`",
            code=CODE,
            cause="one-hot",
        )
    return ShapeError(
        fact,
        why=f"scores of shape {a} are for {a[1]} classes (dimension 1), so class numbers have shape {wanted}; "
        f"`{y}` has {t}",
        fix=f"use one class number per sample, or one probability per class, of shape {a}",
        code=CODE,
        cause="shape",
    )


def numbers_as_scores(fact: str, input: Tensor, target: Tensor) -> FlambeauError:
    """The error for whole numbers where cross_entropy wants scores: the arguments swapped, if the target is scores."""
    if target._array.dtype.kind != "f":
        return needs_float(fact, input)
    x, y = called(input, "input"), called(target, "target")
    shape, kind = tuple(input._array.shape), input.dtype.name
    return NotSupported(
        fact,
        why=f"the scores come first and the class numbers second, but `{x}` is {kind} of shape {shape} and `{y}` is "
        "floating point",
        fix=f"swap the arguments: `({y}, {x})`",
        code="FB-LOSS-10",
        cause="swapped",
    )


def wrong_weight(fact: str, input: Tensor, weight: Tensor) -> DtypeError:
    """The error for class weights of another dtype than the scores: as a rule, those from NumPy are float64."""
    given = [*arguments(user_site(), "input", "target", "weight")][2]  # "weight" where the loss object holds them
    w, name, wanted = given, weight.dtype.name, input.dtype.name
    whole = weight._array.dtype.kind in "iub"
    return DtypeError(
        fact,
        why=f"losses and class weights are multiplied with each other: the scores are {wanted}, but `{w}` is {name}",
        fix=f"convert the weights: `{w}.to(torch.{wanted})`",
        code="FB-DTYPE-02" if whole else "FB-DTYPE-01",
        cause="integers" if whole else "mixed",
    )
