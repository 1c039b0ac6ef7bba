"""The code of a fused loop: one function `part(context, begin, end)` for a body, its outputs, and how memory is walked.

Sizes and strides are words of the context, so one function serves every shape of its structure. The dimensions of a
nest are `outer` ones (an item of work is at one place of each), `middle` ones (together the rows that an item loops
over) and the innermost, which is walked in vectors. An item computes some rows of a chunk of columns. In mode

    "map"       every output has an element for each place
    "rows"      some outputs are reduced over the middle and the innermost dimensions
    "columns"   some outputs are reduced over the middle dimensions: one result for each column

A reduction's item gives a partial result if its rows or columns are only some of those to be reduced: then a second
function (`finish_ir`) combines the partials. How many there are depends on shapes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from llvmlite import ir

from . import bodies, llvm, vectors
from .bodies import Body
from .emit import F64, I8, I64, PTR, SIZES, TYPES, Cell, Emitter, Value, lanes_of, vector
from .pool import PART

COLUMNS = 1024  # columns that an item in mode "columns" may have: their partial sums lie on the stack
GROUP = 8  # rows whose elements are added in registers before the sums go back to the stack


@dataclass(frozen=True)
class Nest:
    """The structure of a fused loop.

    outputs: (value of the body, kind, "" or the reduction that it goes through); inner: how each operand (inputs, then
    outputs) moves along the innermost dimension: "0" not at all, "1" to the neighbour, "s" by some bytes.
    """

    kinds: tuple[str, ...]
    body: Body
    outputs: tuple[tuple[int, str, str], ...]
    mode: str
    outer: int
    middle: int
    inner: tuple[str, ...]


def names(nest: Nest) -> list[str]:
    """What the words of the context are, in order."""
    inputs, outputs = len(nest.kinds), len(nest.outputs)
    found = [f"pointer{i}" for i in range(inputs + outputs)]
    found += [f"partials{i}" for i, (_, _, op) in enumerate(nest.outputs) if op]
    found += [f"number{j}" for j in range(1 + max((line[1] for line in nest.body if line[0] == "num"), default=-1))]
    found += ["count", "parts", "block", "rows", "row_block", "row_blocks", "n", "chunk", "chunks"]
    found += [f"outer{d}" for d in range(nest.outer)]
    found += [f"middle{d}" for d in range(nest.middle)]
    for i, step in enumerate(nest.inner):
        reduced = i >= inputs and nest.outputs[i - inputs][2]
        found += [f"stride{i}_outer{d}" for d in range(nest.outer)]
        found += [] if reduced else [f"stride{i}_middle{d}" for d in range(nest.middle)]
        found += [f"stride{i}"] if step == "s" else []
    return found


# ------------------------------------------------------------------------------------------------- reductions


def accumulator(op: str, kind: str) -> str:
    """The kind in which a reduction of values of some kind is added up."""
    if op in ("sum", "mean", "prod"):
        return "f8" if kind in ("f4", "f8", "f2", "bf", "num") else "i8"
    return "b1" if op in ("any", "all") else "f4" if kind in bodies.HALVES else kind


def combine(op: str, kind: str) -> Callable[[Value, Value], Value]:
    """What makes one of two accumulators."""
    row = {"sum": "add", "mean": "add", "prod": "mul", "max": "maximum", "min": "minimum", "any": "or", "all": "and"}
    return lambda x, y: bodies.OPS[row[op]].write(kind, x, y)


def _identity(op: str, kind: str) -> float:
    if op in ("max", "min"):
        bits = 8 * SIZES[kind]
        top = float("inf") if kind in bodies.FLOATS else 1 if kind == "b1" else 2**8 - 1 if kind == "u1" else 0
        if top:
            return (-top if kind in bodies.FLOATS else 0) if op == "max" else top
        return -(2 ** (bits - 1)) if op == "max" else 2 ** (bits - 1) - 1
    return 1 if op in ("prod", "all") else 0


def _type(kind: str) -> ir.Type:
    """What a value of some kind is in registers."""
    return ir.IntType(1) if kind == "b1" else TYPES[kind]


def start(k: Emitter, op: str, kind: str, lanes: int) -> Value:
    """An accumulator of nothing."""
    return k.lift(_identity(op, kind), vector(_type(kind), lanes))


# ------------------------------------------------------------------------------------------------- memory


def load(k: Emitter, address: Value, kind: str, lanes: int, stride: Value | None, mask: Value | None) -> Value:
    """A vector of elements as bodies take them."""
    x = vectors.load(k, address, kind, lanes, stride, mask)
    return x != 0 if kind == "b1" else x


def store(k: Emitter, address: Value, x: Value, kind: str, stride: Value | None, mask: Value | None) -> None:
    """Store a vector of values of the kind."""
    if kind == "b1":
        x = Value(k, k.b.zext(x.v, vector(I8, lanes_of(x.type))))
    vectors.store(k, address, x, kind, stride, mask)


def _load_one(k: Emitter, address: Value, kind: str) -> Value:
    x = k.pointer(address, kind)[0]
    return x != 0 if kind == "b1" else x


def _store_one(k: Emitter, address: Value, x: Value, kind: str) -> None:
    k.pointer(address, kind)[0] = Value(k, k.b.zext(x.v, I8)) if kind == "b1" else x


# ------------------------------------------------------------------------------------------------- the nest

# What operations cost, in additions; those not named cost 1.
_COSTS = {
    "exp": 14, "exp2": 20, "expm1": 30, "log": 22, "log1p": 40, "log2": 40, "log10": 40, "tanh": 24, "sigmoid": 22,
    "sinh": 30, "cosh": 30, "sin": 50, "cos": 50, "tan": 60, "asin": 50, "acos": 50, "atan": 50, "atan2": 60, "erf": 40,
    "normal_cdf": 28, "pow": 80, "div": 3, "sqrt": 4, "rsqrt": 6, "reciprocal": 3, "remainder": 100, "fmod": 100,
}  # fmt: skip


@cache
def cost(body: Body) -> int:
    """Roughly how many additions a body costs."""
    return sum(_COSTS.get(name, 0 if name in ("in", "num", "const") else 1) for name, *_ in body)


def lanes(kinds: list[str]) -> int:
    """Lanes of vectors for bodies whose values have these kinds."""
    widest = max([SIZES[kind] for kind in kinds if kind not in ("num", "f2", "bf")] or [4])
    return llvm.widest() // 8 // (max(widest, 4) if {"f2", "bf"} & set(kinds) else widest)


class _Writer:
    """Writes one nest."""

    def __init__(self, nest: Nest, name: str):
        self.nest = nest
        self.module = ir.Module(name)
        self.part = ir.Function(self.module, PART, name)
        self.k = k = Emitter(self.module, ir.IRBuilder(self.part.append_basic_block("entry")))
        context, begin, end = self.part.args
        self.begin, self.end = Value(k, begin), Value(k, end)
        self.word: dict[str, Value] = {}
        for i, word in enumerate(names(nest)):
            kind = F64 if word.startswith("number") or word == "count" else I64
            place = k.b.gep(context, [ir.Constant(I64, i)], source_etype=I64)
            self.word[word] = Value(k, k.b.load(place, typ=kind))
        self.numbers = [self.word[w] for w in self.word if w.startswith("number")]
        self.value_kinds = bodies.kinds(nest.body, nest.kinds)
        used = [*nest.kinds, *self.value_kinds, *(kind for _, kind, _ in nest.outputs)]
        self.lanes = lanes(used)
        weight = cost(nest.body)
        self.unroll = 1 if "s" in nest.inner or weight > 20 else 4 if weight <= 6 else 2
        self.inputs = len(nest.kinds)
        self.reductions: list[tuple[int, int, str, str]] = []  # (output, value, op, accumulator's kind)
        self.maps: list[tuple[int, int, str]] = []
        for i, (value, kind, op) in enumerate(nest.outputs):
            if op:
                self.reductions.append((i, value, op, accumulator(op, self.value_kinds[value])))
            else:
                self.maps.append((i, value, kind))

    def write(self) -> str:
        k, w = self.k, self.word
        if self.nest.mode == "columns":
            self.sums = {}
            with k.b.goto_entry_block():
                for i, _, _, kind in self.reductions:
                    self.sums[i] = k.b.alloca(ir.ArrayType(TYPES[kind], COLUMNS))
                    self.sums[i].align = 64
                    self.sums[i].type = PTR
        for item in k.range(self.begin, self.end):
            chunk, place = item % w["chunks"], item // w["chunks"]
            block, place = place % w["row_blocks"], place // w["row_blocks"]
            at = self._places(place, "outer", self.nest.outer, range(self.inputs + len(self.nest.outputs)))
            rows = block * w["row_block"]
            rows_end = k.minimum(rows + w["row_block"], w["rows"])
            columns = chunk * w["chunk"]
            columns_end = k.minimum(columns + w["chunk"], w["n"])
            partial = block * w["chunks"] + chunk if self.nest.mode == "rows" else block
            if self.nest.mode == "columns":
                self._columns(at, rows, rows_end, columns, columns_end, partial)
            else:
                self._rows(at, rows, rows_end, columns, columns_end, partial)
        k.b.ret_void()
        return str(self.module)

    def _is_reduction(self, operand: int) -> bool:
        return operand >= self.inputs and bool(self.nest.outputs[operand - self.inputs][2])

    def _places(self, index: Value, which: str, count: int, operands: Any) -> dict[int, Value]:
        """How far each operand is moved by an index into some dimensions: bytes, for reductions elements."""
        moved = {i: self.k.int(0) for i in operands}
        for d in reversed(range(count)):
            at = index
            if d:
                size = self.word[f"{which}{d}"]
                at, index = index % size, index // size
            moved = {i: moved[i] + at * self.word[f"stride{i}_{which}{d}"] for i in moved}
        return moved

    def _row(self, at: dict[int, Value], row: Value) -> dict[int, Value]:
        """The addresses at which a row of each operand that is not a reduction starts."""
        operands = [i for i in at if not self._is_reduction(i)]
        moved = self._places(row, "middle", self.nest.middle, operands)
        return {i: self.word[f"pointer{i}"] + at[i] + moved[i] for i in operands}

    def _address(self, start: Value, operand: int, kind: str, column: Value) -> tuple[Value, Value | None]:
        """The address of an operand's element in a column, and its stride where neighbours are not the next."""
        if self.nest.inner[operand] == "s":
            stride = self.word[f"stride{operand}"]
            return start + column * stride, stride
        return start + column * SIZES[kind], None

    def _still(self, row: dict[int, Value]) -> dict[int, Value]:
        """The elements of inputs that stay the same along a row."""
        return {
            i: _load_one(self.k, row[i], self.nest.kinds[i]) for i in range(self.inputs) if self.nest.inner[i] == "0"
        }

    def _step(
        self, row: dict[int, Value], still: dict[int, Value], column: Value, lanes: int, mask: Value | None
    ) -> list[Value]:
        """Some columns of a row: computes the body, stores the mapped outputs."""
        k, nest = self.k, self.nest

        def element(i: int) -> Value:
            if i in still:
                return still[i]
            address, stride = self._address(row[i], i, nest.kinds[i], column)
            return load(k, address, nest.kinds[i], lanes, stride, mask)

        values = bodies.emit(k, nest.body, nest.kinds, element, self.numbers)
        for i, value, kind in self.maps:
            x = self._wide(bodies.convert(values[value], self.value_kinds[value], kind), lanes)
            address, stride = self._address(row[self.inputs + i], self.inputs + i, kind, column)
            store(k, address, x, kind, stride, mask)
        return values

    def _wide(self, x: Value, lanes: int) -> Value:
        return x if lanes_of(x.type) else self.k.splat(x, lanes)

    def _over_columns(self, begin: Value, end: Value) -> Any:
        """(column, lanes, mask) for the steps of a row: long ones, then short masked ones."""
        k = self.k
        long = self.lanes * self.unroll
        whole = begin + (end - begin) // long * long
        for column in k.range(begin, whole, long):
            yield column, long, None
        for column in k.range(whole, end, self.lanes):
            yield column, self.lanes, vectors.first_lanes(k, end - column, self.lanes)

    def _added(self, old: Value, values: list[Value], value: int, op: str, kind: str, mask: Value | None) -> Value:
        """An accumulator with the lanes of one more step."""
        lanes, x = lanes_of(old.type) or 1, values[value]
        if self._halved(value, op):  # neighbours are added in float32, which leaves half the conversions
            while (lanes_of(x.type) or 1) > lanes:
                x = combine(op, "f4")(*vectors.halves(self.k, x))
        x = self._wide(bodies.convert(x, self.value_kinds[value], kind), lanes)
        if mask is not None:
            x = self.k.select(mask, x, start(self.k, op, kind, lanes))
        return combine(op, kind)(old, x)

    def _halved(self, value: int, op: str) -> bool:
        """Whether a long step's values are added up to a short one's before they go to the accumulator."""
        return op in ("sum", "mean") and self.value_kinds[value] == "f4"

    def _rows(self, at: dict[int, Value], rows: Value, rows_end: Value, columns: Value, columns_end: Value,
              partial: Value) -> None:  # fmt: skip
        k = self.k
        totals: dict[tuple[int, int], Cell] = {}
        for i, value, op, kind in self.reductions:
            for lanes in {self.lanes, self.lanes * self.unroll}:
                if lanes == self.lanes or not self._halved(value, op):
                    totals[i, lanes] = k.cell(start(k, op, kind, lanes))
        for r in k.range(rows, rows_end):
            row = self._row(at, r)
            still = self._still(row)
            for column, lanes, mask in self._over_columns(columns, columns_end):
                values = self._step(row, still, column, lanes, mask)
                for i, value, op, kind in self.reductions:
                    total = totals.get((i, lanes), totals[i, self.lanes])
                    total.set(self._added(total.get(), values, value, op, kind, mask))
        for i, _, op, kind in self.reductions:
            both = combine(op, kind)
            result = totals[i, self.lanes].get()
            if self.unroll > 1 and (i, self.lanes * self.unroll) in totals:
                wide = totals[i, self.lanes * self.unroll].get()
                while (lanes_of(wide.type) or 1) > self.lanes:
                    wide = both(*vectors.halves(k, wide))
                result = both(result, wide)
            self._finish(i, vectors.fold(k, result, both), op, kind, at, partial, None)

    def _finish(self, i: int, total: Value, op: str, kind: str, at: dict[int, Value], partial: Value,
                where: tuple[Value, Value] | None) -> None:  # fmt: skip
        """Store a result, or a partial one.

        where: in mode "columns", the column and the mask.
        """
        k, w, operand = self.k, self.word, self.inputs + i
        to = self.nest.outputs[i][1]
        with k.b.if_else((w["parts"] == 1).v) as (whole, some):
            with whole:
                done = bodies.convert(*finished(total, op, kind, w["count"]), to)
                self._put(w[f"pointer{operand}"], operand, done, to, at, where)
            with some:
                base = w[f"partials{i}"] + partial * w["block"] * SIZES[kind]
                self._put(base, operand, total, kind, at, where)

    def _put(self, base: Value, operand: int, x: Value, kind: str, at: dict[int, Value],
             where: tuple[Value, Value] | None) -> None:  # fmt: skip
        start = base + at[operand] * SIZES[kind]
        if where is None:
            _store_one(self.k, start, x, kind)
            return
        column, mask = where
        if self.nest.inner[operand] == "s":
            stride = self.word[f"stride{operand}"] * SIZES[kind]
            store(self.k, start + column * stride, x, kind, stride, mask)
        else:
            store(self.k, start + column * SIZES[kind], x, kind, None, mask)

    def _columns(self, at: dict[int, Value], rows: Value, rows_end: Value, columns: Value, columns_end: Value,
                 partial: Value) -> None:  # fmt: skip
        k = self.k
        width = columns_end - columns

        def sums(i: int, kind: str, column: Value) -> Value:
            return Value(k, k.b.ptrtoint(self.sums[i], I64)) + (column - columns) * SIZES[kind]

        for column in k.range(0, width, self.lanes):
            for i, _, op, kind in self.reductions:
                store(k, sums(i, kind, column + columns), start(k, op, kind, self.lanes), kind, None, None)
        for first in k.range(rows, rows_end, GROUP):
            last = k.minimum(first + GROUP, rows_end)
            for column, lanes, mask in self._over_columns(columns, columns_end):
                cells = {}
                for i, _, _, kind in self.reductions:
                    cells[i] = k.cell(load(k, sums(i, kind, column), kind, lanes, None, None))
                for r in k.range(first, last):
                    row = self._row(at, r)
                    values = self._step(row, self._still(row), column, lanes, mask)
                    for i, value, op, kind in self.reductions:
                        cells[i].set(self._added(cells[i].get(), values, value, op, kind, mask))
                for i, _, _, kind in self.reductions:
                    store(k, sums(i, kind, column), cells[i].get(), kind, None, None)
        for column in k.range(columns, columns_end, self.lanes):
            mask = vectors.first_lanes(k, columns_end - column, self.lanes)
            for i, _, op, kind in self.reductions:
                total = load(k, sums(i, kind, column), kind, self.lanes, None, None)
                self._finish(i, total, op, kind, at, partial, (column, mask))


def finished(total: Value, op: str, kind: str, count: Value) -> tuple[Value, str]:
    """A reduction's result and its kind."""
    if op != "mean":
        return total, kind
    lanes = lanes_of(total.type)
    return total / (total.k.splat(count, lanes) if lanes else count), kind


def nest_ir(nest: Nest, name: str) -> str:
    """The LLVM module with the part function of a nest."""
    return _Writer(nest, name).write()


FINISH = ["partials", "pointer", "count", "parts", "block"]  # the words of the second function's context


def finish_ir(op: str, kind: str, to: str, name: str) -> str:
    """The part function that combines partial results: items are stretches of the `block` results of each partial."""
    module = ir.Module(name)
    part = ir.Function(module, PART, name)
    k = Emitter(module, ir.IRBuilder(part.append_basic_block("entry")))
    context, begin, end = part.args
    w = {}
    for i, word in enumerate(FINISH):
        place = k.b.gep(context, [ir.Constant(I64, i)], source_etype=I64)
        w[word] = Value(k, k.b.load(place, typ=F64 if word == "count" else I64))
    count = lanes([kind, to])
    for column in k.range(Value(k, begin) * count, k.minimum(Value(k, end) * count, w["block"]), count):
        mask = vectors.first_lanes(k, w["block"] - column, count)
        total = k.cell(start(k, op, kind, count))
        for p in k.range(w["parts"]):
            address = w["partials"] + (p * w["block"] + column) * SIZES[kind]
            total.set(combine(op, kind)(total.get(), load(k, address, kind, count, None, mask)))
        done = bodies.convert(*finished(total.get(), op, kind, w["count"]), to)
        store(k, w["pointer"] + column * SIZES[to], done, to, None, mask)
    k.b.ret_void()
    return str(module)
