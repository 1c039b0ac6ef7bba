"""Fused loops: what is computed, and the plan of how it is run: native tasks for arrays of some layout.

`plan` merges and orders dimensions, cuts the work into items, and fills in the words that a part function reads. Code
is compiled once for a structure (`nests.Nest`), not for each shape.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .bodies import Body, kinds
from .build import GRAIN, PARALLEL_FROM, backend

CHUNK = 8192  # elements of an item of work, roughly
TILE = 64  # rows and columns of an item where operands lie across each other
MOST_PARTS = 64
SIZES = {"f4": 4, "f8": 8, "i8": 8, "i4": 4, "i2": 2, "i1": 1, "u1": 1, "b1": 1, "f2": 2, "bf": 2}


@dataclass(frozen=True)
class Output:
    """A value of a body that is stored as some kind, each element or reduced: sum mean prod max min any all."""

    value: int
    kind: str
    reduction: str = ""


@dataclass(frozen=True)
class Loop:
    """What is computed: the kinds of the operands, the body, its outputs. `run` keeps its plans in it."""

    kinds: tuple[str, ...]
    body: Body
    outputs: tuple[Output, ...]
    ready: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Task:
    """One native launch.

    Attributes:
        part: address of `part(context, begin, end)`.
        words: the context; pointers and numbers are still 0 in it.
        work, parts: items of work, and into how many parts to cut them.
        pointers: which array's address each of the first words is: inputs, then outputs, then scratch arrays; for
            the first task these are all of them, in order.
        numbers: how many words after those are run-time numbers (float64).
    """

    part: int
    words: np.ndarray
    work: int
    parts: int
    pointers: tuple[int, ...]
    numbers: int


@dataclass(frozen=True)
class Plan:
    """Tasks to be run one after the other; scratch: bytes of each array that they need besides inputs and outputs."""

    tasks: tuple[Task, ...]
    scratch: tuple[int, ...]


class Unsupported(ValueError):
    """Memory that a fused loop does not walk: the caller computes in another way."""


def plan(
    loop: Loop, shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...], reduced: tuple[int, ...] = ()
) -> Plan:
    """How to run a loop over arrays of some layout.

    Arguments:
        shape: of the whole iteration.
        strides: for each input, then each output, in bytes and of the shape's length; 0 where an input is broadcast,
            and in the reduced dimensions of a reduced output.
        reduced: the dimensions over which reduced outputs are reduced.
    Outputs must not overlap each other, nor inputs, except that one may be the same memory walked in the same way.
    """
    _check(loop, shape, strides, reduced)
    dims, order = _merged(loop, shape, strides, set(reduced))
    return _cut(loop, dims, order, math.prod(shape[d] for d in reduced))


def _check(loop: Loop, shape: Any, strides: Any, reduced: Any) -> None:
    inputs = len(loop.kinds)
    if len(strides) != inputs + len(loop.outputs):
        raise ValueError(f"{inputs + len(loop.outputs)} operands, but {len(strides)} strides")
    items = [SIZES[kind] for kind in (*loop.kinds, *(o.kind for o in loop.outputs))]
    for i, (steps, item) in enumerate(zip(strides, items, strict=True)):
        if len(steps) != len(shape):
            raise ValueError("strides and shape differ in length")
        if any(s % item for s in steps):
            raise Unsupported("elements that do not lie whole elements apart")
        if i >= inputs:
            keeps = [d for d in range(len(shape)) if not (loop.outputs[i - inputs].reduction and d in reduced)]
            if any(not steps[d] and shape[d] > 1 for d in keeps) and all(shape):
                raise ValueError("an output would be written twice in one place")
    if not math.prod(shape[d] for d in reduced) and any(o.reduction in ("max", "min") for o in loop.outputs):
        raise ValueError("the largest or smallest of no elements")


@dataclass
class _Dim:
    """A dimension of the loop: size, whether it is reduced, and each operand's stride in bytes."""

    size: int
    reduced: bool
    strides: list[int]


def _merged(loop: Loop, shape: Any, strides: Any, reduced: set[int]) -> tuple[list[_Dim], str]:
    """Dimensions from the outermost to the innermost, neighbours merged where memory allows; and the mode."""
    dims = [_Dim(size, d in reduced, [s[d] for s in strides]) for d, size in enumerate(shape) if size != 1]
    ordered: list[_Dim] = []
    for dim in dims:  # insertion, so that dimensions that nothing orders stay as they are
        at = len(ordered)
        while at and _outside(dim, ordered[at - 1]):
            at -= 1
        ordered.insert(at, dim)
    merged: list[_Dim] = []
    for dim in ordered:
        last = merged[-1] if merged else None
        if (
            last
            and last.reduced == dim.reduced
            and all(a == b * dim.size for a, b in zip(last.strides, dim.strides, strict=True))
        ):
            merged[-1] = _Dim(last.size * dim.size, dim.reduced, dim.strides)
        else:
            merged.append(dim)
    if not merged:
        merged = [_Dim(1, bool(reduced), [0] * len(strides))]
    reduces = any(o.reduction for o in loop.outputs)
    mode = "map" if not reduces else "rows" if merged[-1].reduced else "columns"
    return merged, mode


def _outside(a: _Dim, b: _Dim) -> bool:
    """Whether a should be outside of b: what most operands' strides say."""
    votes = 0
    for x, y in zip(a.strides, b.strides, strict=True):
        x, y = abs(x), abs(y)
        if x and y:
            votes += (x > y) - (x < y)
    return votes > 0


def _cut(loop: Loop, dims: list[_Dim], mode: str, count: int) -> Plan:
    """Sizes of the items of work, and the words of the contexts."""
    from .nests import Nest, cost, names  # needs llvmlite

    inputs, operands = len(loop.kinds), len(loop.kinds) + len(loop.outputs)
    *rest, last = dims
    nothing = _Dim(1, False, [0] * operands)
    if mode == "map":
        outer, middle = rest[:-1], rest[-1:] or [nothing]
    else:
        outer, middle = [d for d in rest if not d.reduced], [d for d in rest if d.reduced] or [nothing]
    rows, n = math.prod(d.size for d in middle), last.size
    places = math.prod(d.size for d in outer)
    block = places * (n if mode == "columns" else 1)
    weight = places * rows * n * max(1, (cost(loop.body) + operands) // 4)
    most = MOST_PARTS if weight >= PARALLEL_FROM and _dense(loop, dims, block) else 1
    if mode == "map" and any(abs(x) > abs(y) > 0 for x, y in zip(last.strides, middle[0].strides, strict=True)):
        row_block, chunk = min(rows, TILE), min(n, TILE)  # an operand lies the other way round
    else:
        row_block, chunk = _item(mode, places, rows, n, most)
    row_blocks, chunks = max(1, math.ceil(rows / row_block)), max(1, math.ceil(n / chunk))
    parts = {"map": 1, "rows": row_blocks * chunks, "columns": row_blocks}[mode]
    items = [SIZES[kind] for kind in (*loop.kinds, *(o.kind for o in loop.outputs))]
    inner = tuple([_step(last, i, items[i], mode, loop) for i in range(operands)])
    outputs = tuple([(o.value, o.kind, o.reduction) for o in loop.outputs])
    nest = Nest(loop.kinds, loop.body, outputs, mode, len(outer), len(middle), inner)
    known: dict[str, int] = {
        "parts": parts, "block": block, "rows": rows, "row_block": row_block, "row_blocks": row_blocks,
        "n": n, "chunk": chunk, "chunks": chunks,
    }  # fmt: skip
    named = [("", last), *((f"outer{d}", dim) for d, dim in enumerate(outer)),
             *((f"middle{d}", dim) for d, dim in enumerate(middle))]  # fmt: skip
    for name, dim in named:
        known[name] = dim.size
        for i in range(operands):
            counted = i >= inputs and loop.outputs[i - inputs].reduction  # these strides are in elements
            known[f"stride{i}_{name}".rstrip("_")] = dim.strides[i] // (items[i] if counted else 1)
    words = names(nest)
    context = np.array([known.get(word, 0) for word in words], np.int64)
    _put_float(context, words.index("count"), count)
    reductions = [i for i, o in enumerate(loop.outputs) if o.reduction]
    numbers = sum(word.startswith("number") for word in words)
    work = places * row_blocks * chunks if places * rows * n or mode != "map" else 0
    every = tuple(range(operands + len(reductions)))
    first = Task(_part(nest), context, work, _parts(weight, work), every, numbers)
    if parts == 1:
        return Plan((first,), (0,) * len(reductions))
    values = kinds(loop.body, loop.kinds)
    more = [
        _finish(loop.outputs[i], values[loop.outputs[i].value], inputs + i, operands + at, parts, block, count)
        for at, i in enumerate(reductions)
    ]
    return Plan((first, *more), (8 * parts * block,) * len(reductions))


def _item(mode: str, places: int, rows: int, n: int, most: int) -> tuple[int, int]:
    """Rows and columns of an item of work; of a reduction there are at most `most` at each place."""
    from .nests import COLUMNS

    if mode == "map":
        chunk = max(1, n if n <= 2 * CHUNK else CHUNK)
        return max(1, min(rows, CHUNK // chunk)), chunk
    if mode == "columns":
        chunk = max(1, min(n, COLUMNS))
        stretches = max(1, places * math.ceil(n / chunk))
        wanted = max(1, min(most // 2 // stretches, rows * n // CHUNK, rows // 16))
        return max(1, math.ceil(rows / wanted)), chunk
    wanted = max(1, min(most // max(places, 1), rows * n // CHUNK))
    chunk = n if rows >= wanted else math.ceil(n * rows / wanted / 64) * 64
    return max(1, math.ceil(rows / wanted)), max(1, chunk)


def _put_float(words: np.ndarray, at: int, value: float) -> None:
    words[at : at + 1].view(np.float64)[0] = value


def _parts(weight: int, work: int) -> int:
    return min(weight // GRAIN, MOST_PARTS, work) if weight >= PARALLEL_FROM else 1


def _step(last: _Dim, i: int, item: int, mode: str, loop: Loop) -> str:
    """How operand i moves along the innermost dimension."""
    output = i >= len(loop.kinds)
    if output and loop.outputs[i - len(loop.kinds)].reduction and mode == "rows":
        return "0"
    if last.size == 1 and output or last.strides[i] == item:
        return "1"
    return "s" if last.strides[i] else "0"


def _finish(output: Output, kind: str, pointer: int, scratch: int, parts: int, block: int, count: int) -> Task:
    """The task that combines partial results."""
    from .nests import accumulator, finish_ir, lanes

    kind = accumulator(output.reduction, kind)
    name = f"flambeau_finish_{output.reduction}_{kind}_{output.kind}"
    words = np.array([0, 0, 0, parts, block], np.int64)
    _put_float(words, 2, count)
    part = _address(name, "", lambda: finish_ir(output.reduction, kind, output.kind, name))
    work = math.ceil(block / lanes([kind, output.kind]))
    return Task(part, words, work, _parts(2 * parts * block, work), (scratch, pointer), 0)


def _dense(loop: Loop, dims: list[_Dim], block: int) -> bool:
    """Whether reduced outputs fill their memory, so that partial results can be laid out in the same way."""
    for i, output in enumerate(loop.outputs, len(loop.kinds)):
        if output.reduction:
            steps = [(d.size - 1) * d.strides[i] for d in dims if not d.reduced]
            if min(steps, default=0) < 0 or sum(steps) // SIZES[output.kind] + 1 != block:
                return False
    return True


_addresses: dict[Any, int] = {}


def _address(name: str, key: str, write: Callable[[], str]) -> int:
    found = _addresses.get(name)
    if found is None:
        llvm = backend()
        if llvm is None:
            raise Unsupported("no LLVM here")
        found = _addresses[name] = llvm.address(name, key, write, written=True)
    return found


_parts_of: dict[Any, int] = {}


def _part(nest: Any) -> int:
    found = _parts_of.get(nest)
    if found is None:
        from .nests import nest_ir

        key = repr(nest)
        name = f"flambeau_loop_{hashlib.sha256(key.encode()).hexdigest()[:24]}"
        found = _parts_of[nest] = _address(name, key, lambda: nest_ir(nest, name))
    return found
