"""Sizes that do not meet in a product: the features of a linear layer (FB-SHAPE-01), matrices (FB-SHAPE-06)."""

from __future__ import annotations

import itertools
import math

import numpy as np

from ..errors import FlambeauError, ShapeError
from ..tensor import Tensor
from .batches import merged, wrong_batch
from .operands import called, is_parameter, reshaped_from

LINEAR, PRODUCT = "FB-SHAPE-01", "FB-SHAPE-06"


def wrong_features(x: Tensor, weight: Tensor, k: int, n: int, layer: bool = True) -> ShapeError:
    """The error for an input whose last dimension is not the `k` features that a weight takes.

    k, n: the features that go in and come out. layer: whether the weight is a linear layer's, else the right operand
    of a product.
    """
    a = tuple(x._array.shape)
    d, name = a[-1] if a else 1, called(x, "x")
    fact = f"mat1 and mat2 shapes cannot be multiplied ({math.prod(a[:-1])}x{d} and {k}x{n})"
    what = f"Linear(in_features={k})" if layer else f"A product with a weight of shape {tuple(weight._array.shape)}"
    start = next((i for i in (*range(1, len(a) - 1), 0) if len(a) > 1 and math.prod(a[i:]) == k), None)
    if start is not None:
        sizes = " * ".join(map(str, a[start:]))
        return ShapeError(
            fact,
            why=f"{what} received {a}, whose last dimension is {d}; {sizes} = {k}, so the input was not flattened",
            fix=f"put `nn.Flatten()` before the Linear, or pass `{name}.flatten(1)`, of shape {(a[0], k)}"
            if layer and start == 1
            else f"pass `{name}.flatten({start or ''})`, of shape {(*a[:start], k)}",
            code=LINEAR,
            cause="unflattened",
        )
    before = reshaped_from(x)
    if before is not None and len(a) == 1 and len(before) > 1 and math.prod(before[1:]) == k:
        return ShapeError(
            fact,
            why=f"{what} received {a}: all of {before} was flattened into one dimension, the batch too",
            fix=f"flatten from dimension 1 on, `.flatten(1)`, which gives {(before[0], k)}",
            code=LINEAR,
            cause="unflattened",
        )
    if len(a) > 3 and a[1] == k:
        dims = tuple(range(2, len(a)))
        return ShapeError(
            fact,
            why=f"{what} received {a}: its {k} features are in dimension 1, at {' * '.join(map(str, a[2:]))} positions",
            fix=f"average over the positions first, `{name}.mean({dims})`, which gives {(a[0], k)}; for every position "
            f"by itself, `{name}.movedim(1, -1)`",
            code=LINEAR,
            cause="transposed",
        )
    if len(a) > 1 and a[-2] == k:
        return ShapeError(
            fact,
            why=f"{what} received {a}, whose last dimension is {d}; its {k} features are in dimension {len(a) - 2}",
            fix=f"pass `{name}.transpose({len(a) - 2}, {len(a) - 1})`",
            code=LINEAR,
            cause="transposed",
        )
    if not layer:
        other = called(weight, "weight")
        if n == d:
            return ShapeError(
                fact,
                why=f"{what} received {a}: the weight has its {d} input features in the last dimension",
                fix=f"transpose the weight: `{name} @ {other}.T`, or `F.linear({name}, {other})`",
                code=LINEAR,
                cause="transposed",
            )
        return ShapeError(
            fact,
            why=f"{what} received {a}, whose last dimension is {d}, not {k}",
            fix=f"make the weight of shape {(d, n)}",
            code=LINEAR,
            cause="wrong-number",
        )
    return ShapeError(
        fact,
        why=f"{what} received {a}, which was reshaped from {before} and has {d} features"
        if before is not None
        else f"{what} received {a}, whose last dimension is {d}",
        fix=f"make the layer `nn.Linear({d}, {n})`",
        code=LINEAR,
        cause="wrong-number",
    )


def _is_weight(t: Tensor) -> bool:
    """Whether a tensor is learned: a Parameter, or another leaf that requires grad."""
    return is_parameter(t) or (t._node is None and t._rg)


def _fits(a, b) -> tuple[int, ...] | None:
    """The shape of a matrix product of these shapes; None where there is none."""
    if not a or not b or a[-1] != b[-2 if len(b) > 1 else 0]:
        return None
    try:
        batch = np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError:
        return None
    return (*batch, *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))


def _turned(shape):
    return (*shape[:-2], shape[-1], shape[-2]) if len(shape) > 1 else shape


def _t(name, ndim):
    return f"{name}.T" if ndim == 2 else f"{name}.transpose({ndim - 2}, {ndim - 1})"


def wrong_product(fact: str, x: Tensor, y: Tensor, symbol: str = "@") -> ShapeError:
    """The error for a matrix product whose sizes do not meet; what would make it legal is proposed.

    fact: PyTorch's sentence. symbol: what joins the operands in the source, or a function's name.
    """
    a, b = tuple(x._array.shape), tuple(y._array.shape)
    if _is_weight(y) and not _is_weight(x) and len(b) == 2 and a and a[-1] != b[0]:
        return wrong_features(x, y, b[0], b[1], layer=False)
    p, q = called(x, "a"), called(y, "b")
    join = f"{p} @ {q}" if symbol == "@" else f"{symbol}({p}, {q})"
    last, inner = a[-1] if a else 1, b[-2 if len(b) > 1 else 0] if b else 1

    def proposal(left, right, shape, cause):
        made = f"{left} @ {right}" if symbol == "@" else f"{symbol}({left}, {right})"
        return ShapeError(
            fact,
            why=f"`{join}` multiplies {a} with {b}: the last size of the first, {last}, does not meet {inner}",
            fix=f"use `{made}`, which gives {shape}",
            code=PRODUCT,
            cause=cause,
        )

    if a and b and a[-1] != inner:
        if (shape := _fits(a, _turned(b))) is not None and len(b) > 1:
            return proposal(p, _t(q, len(b)), shape, "transpose-second")
        if (shape := _fits(_turned(a), b)) is not None and len(a) > 1:
            return proposal(_t(p, len(a)), q, shape, "transpose-first")
        if (shape := _fits(b, a)) is not None:
            return proposal(q, p, shape, "swapped")
        for text, other in ((f"{q}.unsqueeze(0)", (1, *b)), (f"{q}.unsqueeze(-1)", (*b, 1))):
            if len(b) < 3 and (shape := _fits(a, other)) is not None:
                return proposal(p, text, shape, "dimension")
        for text, other in ((f"{p}.unsqueeze(-1)", (*a, 1)), (f"{p}.unsqueeze(0)", (1, *a))):
            if len(a) < 3 and (shape := _fits(other, b)) is not None:
                return proposal(text, q, shape, "dimension")
    if a and b and a[-1] == inner:
        if len(b) >= 2 and len(a) >= 2 and a[:-2] != b[:-2]:
            return ShapeError(
                fact,
                why=f"`{join}` multiplies {a} with {b}: the batches {a[:-2]} and {b[:-2]} do not go together",
                fix="give both operands one batch, or one of them a batch of 1 with `unsqueeze(0)` and use `@`",
                code=PRODUCT,
                cause="batch",
            )
    return ShapeError(
        fact,
        why=f"`{join}` multiplies {a} with {b}: the last size of the first, {last}, does not meet {inner}",
        fix=f"use `{p} * {q}` for the element-wise product"
        if a == b
        else "make these two sizes equal: no transposition or added dimension does it",
        code=PRODUCT,
        cause="sizes",
    )


def clash(fact: str, a, b, x: Tensor | None, y: Tensor | None, name: str) -> FlambeauError:
    """The error for shapes that do not broadcast: whether `@` was meant, or which added dimension makes them fit."""
    p, q = ("a", "b") if x is None or y is None else (called(x, "a"), called(y, "b"))
    shape = _fits(a, b)
    if name == "mul" and len(a) > 1 and len(b) > 1 and shape is not None:
        return ShapeError(
            fact,
            why=f"`{p} * {q}` multiplies element by element, and {a} and {b} do not broadcast",
            fix=f"use `{p} @ {q}` for the matrix product, which gives {shape}",
            code=PRODUCT,
            cause="star-for-at",
        )
    if x is not None and y is not None and a and b and a[0] != b[0]:
        for t, rows in ((x, b[0]), (y, a[0])):
            step = merged(t, rows)
            if step is not None:
                return wrong_batch(fact, x, y)
    for text, left, right in _widened(p, q, a, b):
        try:
            made = np.broadcast_shapes(left, right)
        except ValueError:
            continue
        return ShapeError(
            fact,
            why=f"shapes {a} and {b} are aligned from the right, and sizes must be equal or 1",
            fix=f"use `{text}`: the result then has shape {made}",
        )
    return ShapeError(
        fact,
        why=f"shapes {a} and {b} are aligned from the right, and sizes must be equal or 1",
        fix="bring them to one shape with `unsqueeze`, `reshape` or `transpose`",
    )


def _widened(p, q, a, b):
    """(code, shape, shape): what would be tried by hand, added dimensions first."""
    for shape, other, name, first in ((b, a, q, False), (a, b, p, True)):
        for d in range(len(shape), 0, -1) if len(shape) < len(other) else ():
            wide = (*shape[:d], 1, *shape[d:])
            yield f"{name}.unsqueeze({d})", *((wide, other) if first else (other, wide))
    if len(a) == len(b) == 2 and a == b[::-1]:
        yield f"{q}.T", a, b[::-1]


def wrong_letters(fact: str, labels, operands, i: int) -> ShapeError:
    """The error for an einsum whose operand `i` has another size than its letters have elsewhere."""
    t = operands[i]
    sizes: dict[str, int] = {}
    for j, (names, o) in enumerate(zip(labels, operands, strict=True)):
        if j != i:
            sizes.update(zip(names, o._array.shape, strict=True))
    own = list(labels[i])
    for order in itertools.permutations(own) if len(own) < 7 and "".join(own).isalpha() else ():
        if all(sizes.get(c, n) in (n, 1) or n == 1 for c, n in zip(order, t._array.shape, strict=True)):
            return ShapeError(
                fact,
                why=f"operand {i}, named `{''.join(own)}`, has shape {tuple(t._array.shape)}",
                fix=f"name its dimensions in their order: `{''.join(order)}` instead of `{''.join(own)}`",
                code=PRODUCT,
                cause="letters",
            )
    return ShapeError(
        fact,
        why=f"operand {i}, named `{''.join(own)}`, has shape {tuple(t._array.shape)}, and a letter stands for one size",
        fix="name dimensions of different sizes by different letters",
        code=PRODUCT,
        cause="sizes",
    )
