"""Matrix products with an epilogue: a body (see `bodies.py`) on each block of the product while it is in the cache."""

from __future__ import annotations

import numpy as np

from . import bodies, gemm, products
from .build import backend, kernel

MOST = 4  # operands, numbers and results of a body at most

_OPERANDS = " ".join(f"e{i}:T~? e{i}_outer e{i}_inner e{i}_row" for i in range(MOST))
_RESULTS = " ".join(f"y{i}:T!?=outer*inner*m*n" for i in range(1, MOST))
_NUMBERS = " ".join(f"n{i}:d" for i in range(MOST))


@kernel(
    f"a:T~ b:T~ {_OPERANDS} c:T!=outer*inner*m*n {_RESULTS} {_NUMBERS} outer inner m n depth a_outer a_inner a_row "
    "a_depth b_outer b_inner b_depth b_col high wide row_parts col_parts weight",
    work="outer*inner*row_parts*col_parts", cost="weight", tile=True,
)  # fmt: skip
def mapped(k, begin, end, a, b, *rest, body=(("in", 0),), results=(0,), dense=()):
    """c, y1... = the values `results` of a body, whose operand 0 is the product of a and b, whose others are e0...

    dense: for each of these whether its columns are adjacent, or one stands for all.
    """
    from . import tile  # imports LLVM
    from .emit import Value

    operands, rest = [rest[4 * i : 4 * i + 4] for i in range(MOST)], rest[4 * MOST :]
    outputs, numbers, rest = rest[:MOST], rest[MOST : 2 * MOST], rest[2 * MOST :]
    outer, inner, m, n, depth, a_outer, a_inner, a_row, a_depth, b_outer, b_inner, b_depth, b_col = rest[:13]
    high, wide, row_parts, col_parts, weight = rest[13:]
    lanes = tile.shape(k.real).lanes
    for pair, top, left, rows, cols, out in gemm.tasks(
        k, begin, end, outputs[0], m, n, high, wide, row_parts, col_parts
    ):
        i, j = pair // inner, pair % inner
        a_part = a.at(i * a_outer + j * a_inner + top * a_row)
        b_part = b.at(i * b_outer + j * b_inner + left * b_col)
        never = k.int(0) > 0
        gemm.multiply(k, rows, cols, depth, a_part, a_row, a_depth, b_part, b_depth, b_col, out, n, never)
        places = [
            e.at(i * e_outer + j * e_inner + top * e_row + (left if adjacent else 0))
            for (e, e_outer, e_inner, e_row), adjacent in zip(operands, dense, strict=False)
        ]
        others = [y.at((pair * m + top) * n + left) for y in outputs[1 : len(results)]]
        for r in k.range(rows, unroll=False):
            for s in k.range(0, cols, lanes, unroll=False):
                mask = tile.below(k, cols - s, lanes)

                def element(number, r=r, s=s, mask=mask, out=out, places=places):
                    if number == 0:
                        return Value(k, tile.masked_load(k, out.at(r * n + s), mask))
                    place = places[number - 1].at(r * operands[number - 1][3])
                    if dense[number - 1]:
                        return Value(k, tile.masked_load(k, place.at(s), mask))
                    return Value(k, tile.splat(k, place[0], lanes))

                values = bodies.emit(k, body, [k.real] * (1 + len(dense)), element, numbers)
                for to, number in zip([out, *others], results, strict=True):
                    value = values[number].cast(k.real)
                    wide_value = value.v if value.type != to.type else tile.splat(k, value, lanes)
                    tile.masked_store(k, wide_value, to.at(r * n + s), mask)


def matmul(a, b, body, results=(-1,), operands=(), numbers=()):
    """Arrays of some values of a body on each element of a @ b, or None where the caller is to do it in two steps.

    Arguments:
        a, b: arrays of one dtype, at least two dimensions.
        body: its operand 0 is the product, the others are `operands`, all of the product's dtype; `numbers` are floats.
        results: which of its values (at most MOST) to return.
        operands: arrays (at most MOST) of at most two dimensions that broadcast over the product, or of its shape.
    """
    kind = products.kind_of(a, b)
    if kind is None or backend() is None or max(len(results), len(operands), len(numbers)) > MOST:
        return None
    problem = products.problem(a.itemsize, a.shape, a.strides, b.shape, b.strides)
    if problem is None:
        return None
    shape, outer, inner, m, n, depth, *steps = problem
    given, dense = [], []
    for e in operands:
        found = _operand(e, a.dtype, shape, inner)
        if found is None:
            return None
        given += [e, *found[:3]]
        dense.append(found[3])
    for _ in range(len(operands), MOST):
        given += [0, 0, 0]
    absent = [f"e{i}" for i in range(len(operands), MOST)] + [f"y{i}" for i in range(len(results), MOST)]
    f = mapped.get(kind, tuple(absent), body=body, results=tuple(r % len(body) for r in results), dense=tuple(dense))
    outputs = [np.empty(shape, a.dtype) for _ in results]
    spread = [float(x) for x in (*numbers, *[0.0] * (MOST - len(numbers)))]
    cut = gemm.split(kind, outer * inner, m, n, depth)
    return outputs if f and f(a, b, *given, *outputs, *spread, outer, inner, m, n, depth, *steps, *cut) else None


def _operand(e, dtype, shape, inner):
    """(elements from one outer, inner index and row to the next, whether columns are adjacent), or None."""
    if type(e) is not np.ndarray or e.dtype != dtype:
        return None
    m, n = shape[-2:]
    if e.ndim > 2:
        return (inner * m * n, m * n, n, True) if e.shape == shape and e.flags.c_contiguous else None
    rows, cols = (1, 1, *e.shape)[-2:]
    down, right = (0, 0, *e.strides)[-2:]
    if rows not in (1, m) or cols not in (1, n) or down < 0 or down % e.itemsize:
        return None
    if cols > 1 and right != e.itemsize:
        return None
    return 0, 0, 0 if rows == 1 else down // e.itemsize, cols > 1
