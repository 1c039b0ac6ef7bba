"""Fused loops: a body over arrays of any shape and strides, with mapped and reduced outputs, as one native task.

    loop = Loop(("f4", "f4"), body, (Output(2, "f4"), Output(2, "f4", "sum")))
    y, total = run(loop, [a, b], reduced=(0,))

`plan` decides how memory is walked (dimensions merged, ordered, cut into items of work) and gives tasks that run
without Python; code is compiled once for a structure, not for each shape. `run` plans, makes the outputs and launches.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from .bodies import Body, kinds
from .build import GRAIN, PARALLEL_FROM, backend

CHUNK = 8192  # elements of an item of work, roughly
MOST_PARTS = 64
_SIZES = {"f4": 4, "f8": 8, "i8": 8, "i4": 4, "i2": 2, "i1": 1, "u1": 1, "b1": 1, "f2": 2, "bf": 2}


@dataclass(frozen=True)
class Output:
    """A value of a body that is stored as some kind, each element or reduced: sum mean prod max min any all."""

    value: int
    kind: str
    reduction: str = ""


@dataclass(frozen=True)
class Loop:
    """What is computed: the kinds of the operands, the body, its outputs."""

    kinds: tuple[str, ...]
    body: Body
    outputs: tuple[Output, ...]

    def __hash__(self) -> int:
        return _hash(self)


def _hash(loop: Loop) -> int:
    made = loop.__dict__.get("_hash")
    if made is None:
        made = hash((loop.kinds, loop.body, loop.outputs))
        object.__setattr__(loop, "_hash", made)
    return made


@dataclass(frozen=True)
class Task:
    """One native launch.

    Attributes:
        part: address of `part(context, begin, end)`.
        words: the context; pointers and numbers are still 0 in it.
        work, parts: items of work, and into how many parts to cut them.
        pointers: which array's address each of the first words is: inputs, then outputs, then scratch arrays.
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


def plan(loop: Loop, shape: tuple[int, ...], strides: tuple[tuple[int, ...], ...], reduced: tuple[int, ...] = ()) -> Plan:
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
    items = [_SIZES[kind] for kind in (*loop.kinds, *(o.kind for o in loop.outputs))]
    for i, (steps, item) in enumerate(zip(strides, items, strict=True)):
        if len(steps) != len(shape):
            raise ValueError("strides and shape differ in length")
        if any(s % item for s in steps):
            raise Unsupported("elements that do not lie whole elements apart")
        if i >= inputs:
            keeps = [d for d in range(len(shape)) if not (loop.outputs[i - inputs].reduction and d in reduced)]
            if any(not steps[d] and shape[d] > 1 for d in keeps):
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
    dims = [
        _Dim(size, d in reduced, [s[d] for s in strides])
        for d, size in enumerate(shape)
        if size != 1
    ]
    ordered: list[_Dim] = []
    for dim in dims:  # insertion, so that dimensions that nothing orders stay as they are
        at = len(ordered)
        while at and _outside(dim, ordered[at - 1]):
            at -= 1
        ordered.insert(at, dim)
    merged: list[_Dim] = []
    for dim in ordered:
        last = merged[-1] if merged else None
        if last and last.reduced == dim.reduced and all(
            a == b * dim.size for a, b in zip(last.strides, dim.strides, strict=True)
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
    from .nests import COLUMNS, Nest, cost, names  # needs llvmlite

    operands = len(loop.kinds) + len(loop.outputs)
    *rest, last = dims
    nothing = _Dim(1, False, [0] * operands)
    if mode == "map":
        outer, middle = rest[:-1], rest[-1:] or [nothing]
    else:
        outer, middle = [d for d in rest if not d.reduced], [d for d in rest if d.reduced] or [nothing]
    rows, n = math.prod(d.size for d in middle), last.size
    places = math.prod(d.size for d in outer)
    block = places * (n if mode == "columns" else 1)
    most = MOST_PARTS if _dense(loop, dims, block) else 1
    if mode == "map":
        chunk = n if n <= 2 * CHUNK else CHUNK
        row_block = max(1, min(rows, CHUNK // max(chunk, 1)))
        if any(abs(last.strides[i]) > abs(middle[0].strides[i]) > 0 for i in range(operands)):
            chunk, row_block = min(n, 64), min(rows, 64)  # an operand lies the other way round: square tiles
    elif mode == "rows":
        wanted = max(1, min(most // max(places, 1), rows * n // CHUNK))
        row_block, chunk = max(1, math.ceil(rows / wanted)), n
        if rows < wanted:
            chunk = max(64, math.ceil(n * rows / wanted / 64) * 64)
    else:
        chunk = min(n, COLUMNS)
        stretches = max(1, places * math.ceil(n / chunk))
        wanted = max(1, min(most // 2 // stretches, rows * n // CHUNK, rows // 16))
        row_block = max(1, math.ceil(rows / wanted))
    chunk = max(1, chunk)
    row_blocks, chunks = max(1, math.ceil(rows / row_block)), max(1, math.ceil(n / chunk))
    parts = row_blocks * (chunks if mode == "rows" else 1) if mode != "map" else 1
    items = [_SIZES[kind] for kind in (*loop.kinds, *(o.kind for o in loop.outputs))]
    inner = tuple([_step(last, i, items[i], mode, loop) for i in range(operands)])
    outputs = tuple([(o.value, o.kind, o.reduction) for o in loop.outputs])
    nest = Nest(loop.kinds, loop.body, outputs, mode, len(outer), len(middle), inner)
    known: dict[str, int] = {
        "parts": parts, "block": block, "rows": rows, "row_block": row_block, "row_blocks": row_blocks,
        "n": n, "chunk": chunk, "chunks": chunks,
    }  # fmt: skip
    for which, found in (("outer", outer), ("middle", middle)):
        for d, dim in enumerate(found):
            known[f"{which}{d}"] = dim.size
            for i in range(operands):
                scale = items[i] if i >= len(loop.kinds) and loop.outputs[i - len(loop.kinds)].reduction else 1
                known[f"stride{i}_{which}{d}"] = dim.strides[i] // scale
    for i in range(operands):
        scale = items[i] if i >= len(loop.kinds) and loop.outputs[i - len(loop.kinds)].reduction else 1
        known[f"stride{i}"] = last.strides[i] // scale
    words = names(nest)
    context = np.array([known.get(word, 0) for word in words], np.int64)
    context[words.index("count") :][:1].view(np.float64)[0] = count
    reductions = [i for i, o in enumerate(loop.outputs) if o.reduction]
    numbers = sum(word.startswith("number") for word in words)
    work = places * row_blocks * chunks if places * rows * n or mode != "map" else 0
    weight = places * rows * n * max(1, (cost(loop.body) + operands) // 4)
    first = Task(_part(nest), context, work, _parts(weight, work),
                 (*range(operands), *range(operands, operands + len(reductions))), numbers)  # fmt: skip
    if parts == 1:
        return Plan((first,), (0,) * len(reductions))
    found, scratch = [first], []
    value_kinds = kinds(loop.body, loop.kinds)
    for at, i in enumerate(reductions):
        found.append(_finish(loop.outputs[i], value_kinds[loop.outputs[i].value], len(loop.kinds) + i, operands + at,
                             parts, block, count))  # fmt: skip
        scratch.append(8 * parts * block)
    return Plan(tuple(found), tuple(scratch))


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
    words[2:3].view(np.float64)[0] = count
    part = _address(name, "", lambda: finish_ir(output.reduction, kind, output.kind, name))
    work = math.ceil(block / lanes([kind, output.kind]))
    return Task(part, words, work, _parts(2 * parts * block, work), (scratch, pointer), 0)


def _dense(loop: Loop, dims: list[_Dim], block: int) -> bool:
    """Whether reduced outputs fill their memory, so that partial results can be laid out in the same way."""
    for i, output in enumerate(loop.outputs, len(loop.kinds)):
        if output.reduction:
            steps = [(d.size - 1) * d.strides[i] for d in dims if not d.reduced]
            if min(steps, default=0) < 0 or sum(steps) // _SIZES[output.kind] + 1 != block:
                return False
    return True


_addresses: dict[Any, int] = {}


def _address(name: str, key: str, write: Callable[[], str]) -> int:
    found = _addresses.get(name)
    if found is None:
        llvm = backend()
        if llvm is None:
            raise Unsupported("no LLVM here")
        found = _addresses[name] = llvm.address(name, key, write)
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


# ------------------------------------------------------------------------------------------------- running

_ready: dict[Any, Any] = {}  # plans as `launch` takes them
_MOST_READY = 4096
DTYPES = {kind: np.dtype(code) for kind, code in {
    "f4": "f4", "f8": "f8", "i8": "i8", "i4": "i4", "i2": "i2", "i1": "i1", "u1": "u1", "b1": "?", "f2": "f2"}.items()}
DTYPES["bf"] = np.dtype(ml_dtypes.bfloat16)
KINDS = {dtype: kind for kind, dtype in DTYPES.items()}


def run(loop: Loop, arrays: list[np.ndarray], numbers: tuple[float, ...] = (), reduced: tuple[int, ...] = (),
        keepdims: bool = False, out: tuple[np.ndarray | None, ...] = ()) -> tuple[np.ndarray, ...]:  # fmt: skip
    """The outputs of a loop on arrays that broadcast, whose dtypes are the loop's kinds.

    out: arrays for the outputs, of the shape of the result; None (or missing): a new one. An array may be one of
    the inputs, otherwise it must not overlap them. Unsupported: nothing was done.
    """
    key = (loop, reduced, keepdims, *[x for a in arrays for x in (a.shape, a.strides)], *[
        None if o is None else o.strides for o in out])  # fmt: skip
    ready = _ready.get(key)
    if ready is None:
        if len(_ready) >= _MOST_READY:
            _ready.clear()
        ready = _ready[key] = _prepare(loop, arrays, reduced, keepdims, out)
    launch, tasks, makes, scratch = ready
    outputs = [
        out[i] if i < len(out) and out[i] is not None else np.empty(shape, dtype).transpose(order)
        for i, (shape, dtype, order) in enumerate(makes)
    ]
    given = [*arrays, *outputs, *[np.empty(size, np.uint8) for size in scratch]]
    for words, pointers in tasks:
        if not launch(words, *[given[i] for i in pointers], *numbers):
            raise TypeError("fused loops take plain arrays and floats")
        numbers = ()
    return tuple(outputs)


def _prepare(loop: Loop, arrays: list[np.ndarray], reduced: tuple[int, ...], keepdims: bool, out: Any) -> Any:
    """What `run` keeps for arrays of these shapes and strides."""
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    reduced = tuple(sorted(d % len(shape) for d in reduced))
    strides = [np.broadcast_to(a, shape).strides for a in arrays]
    # New arrays are laid out as the first input of the full shape is.
    full = next((s for s, a in zip(strides, arrays, strict=True) if a.shape == shape), None)
    order = list(range(len(shape))) if full is None else sorted(range(len(shape)), key=lambda d: -abs(full[d]))
    makes = []
    for i, o in enumerate(loop.outputs):
        mine = out[i] if i < len(out) else None
        kept = [d for d in range(len(shape)) if not (o.reduction and d in reduced)]
        if mine is None:
            inside = [d for d in order if d in kept]
            steps, step = [0] * len(shape), _SIZES[o.kind]
            for d in reversed(inside):
                steps[d], step = step, step * shape[d]
            dims = sorted([*kept, *reduced]) if o.reduction and keepdims else kept
            made = [d for d in dims if d not in kept] + inside
            sizes = tuple([shape[d] if d in kept else 1 for d in made])
            makes.append((sizes, DTYPES[o.kind], tuple([made.index(d) for d in dims])))
        else:
            dims = kept if mine.ndim == len(kept) else range(len(shape))
            steps = [0] * len(shape)
            for d, s in zip(dims, mine.strides, strict=True):
                steps[d] = s if d in kept else 0
            makes.append((mine.shape, mine.dtype, ()))
        strides.append(tuple(steps))
    made = plan(loop, shape, tuple(strides), reduced)
    tasks = []
    for task in made.tasks:
        head = [task.part, task.work, task.parts, len(task.words)]
        tasks.append((np.concatenate([np.array(head, np.int64), task.words]), task.pointers))
    from .launch import builtin

    return builtin(), tasks, makes, made.scratch
