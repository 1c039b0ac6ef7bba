"""The register tile of matrix products: C += A B for a few rows and vectors of columns, and the packing of B for it.

`panel` is what larger kernels call: A of any height times one panel of B (at most `shape(kind).cols` columns).

    @kernel(..., tile=True)
    def body(k, begin, end, a, b, c, ...):
        from . import tile                              # imports LLVM, so only when the body runs

        t = tile.shape(k.real)
        room = tile.room(k, 256)                        # on the stack, for one packed panel 256 deep
        tile.pack(k, b, b_depth, b_col, depth, cols, room)
        tile.panel(k, m, cols, depth, a, a_row, a_depth, room, t.padded(cols), c, c_row)

A is read element by element through two strides, each element broadcast, so it needs no packing. B is read in
vectors along a row of the panel; a panel whose columns are adjacent in memory and fill whole vectors may be used where
it lies. The functions are compiled once for each element type (`library_ir`) and linked to the kernels that call them.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from llvmlite import ir

from . import llvm
from .emit import I32, I64, PTR, REDUCE, SIZES, TYPES, Emitter, Pointer, Value

AHEAD = 24  # columns of A that are fetched before they are needed: where A is stored by columns, the hardware does not
AT_ONCE = 64  # rows of a panel that are transposed at once: so many stay in the first-level cache


@dataclass(frozen=True)
class Shape:
    """A tile's numbers: rows and vectors of accumulators, elements of a vector."""

    rows: int
    vectors: int
    lanes: int

    @property
    def cols(self) -> int:
        return self.vectors * self.lanes

    def padded(self, cols: Value) -> Value:
        """The width of a packed panel of so many columns: whole vectors."""
        return (cols + (self.lanes - 1)) // self.lanes * self.lanes


@cache
def shape(kind: str) -> Shape:
    """The tile for an element type on this computer.

    3 vectors of columns keep 2 multiply-adds a cycle busy with less than 1 load for each. Rows are a power of two
    (tiles are transposed by perfect shuffles); with 32 registers 8 of them, with 16 registers 4.
    """
    _, features = llvm.target()
    if "+avx512f" in features:
        size, rows = 64, 8
    elif "+avx," in features:
        size, rows = 32, 4
    else:
        size, rows = 16, 8 if platform.machine() in ("arm64", "aarch64") else 4
    return Shape(rows, 3, size // SIZES[kind])


# vectors


def vector(kind: str) -> ir.VectorType:
    return ir.VectorType(TYPES[kind], shape(kind).lanes)


def splat(k: Emitter, x: Value, lanes: int) -> ir.Value:
    """A vector with x in every lane."""
    one = k.b.insert_element(ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined), x.v, ir.Constant(I32, 0))
    return k.b.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))


def below(k: Emitter, count: Value, lanes: int) -> ir.Value:
    """The mask of the first `count` lanes: all or none where it is above or below their number."""
    steps = ir.Constant(ir.VectorType(I64, lanes), list(range(lanes)))
    return k.b.icmp_signed("<", steps, splat(k, count, lanes))


def load(k: Emitter, place: Pointer, lanes: int) -> ir.Value:
    return k.b.load(place.v, typ=ir.VectorType(place.type, lanes), align=SIZES[place.kind])


def store(k: Emitter, v: ir.Value, place: Pointer) -> None:
    k.b.store(v, place.v, align=SIZES[place.kind])


def _intrinsic(k: Emitter, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
    found = k.module.globals.get(name)
    return found or ir.Function(k.module, ir.FunctionType(result, arguments), name)


def _suffix(kind: ir.VectorType) -> str:
    return f"v{kind.count}f{32 if isinstance(kind.element, ir.FloatType) else 64}"


def masked_load(k: Emitter, place: Pointer, mask: ir.Value) -> ir.Value:
    """The lanes that the mask holds; 0 in the others, whose memory is not touched."""
    kind = ir.VectorType(place.type, mask.type.count)
    fn = _intrinsic(k, f"llvm.masked.load.{_suffix(kind)}.p0", kind, [PTR, I32, mask.type, kind])
    zero = ir.Constant(kind, [0.0] * kind.count)
    return k.b.call(fn, [place.v, ir.Constant(I32, SIZES[place.kind]), mask, zero])


def masked_store(k: Emitter, v: ir.Value, place: Pointer, mask: ir.Value) -> None:
    """Store the lanes that the mask holds; the memory of the others is not touched."""
    fn = _intrinsic(k, f"llvm.masked.store.{_suffix(v.type)}.p0", ir.VoidType(), [v.type, PTR, I32, mask.type])
    k.b.call(fn, [v, place.v, ir.Constant(I32, SIZES[place.kind]), mask])


def fma(k: Emitter, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """a b + c; fused where the computer can."""
    fn = _intrinsic(k, f"llvm.fmuladd.{_suffix(a.type)}", a.type, [a.type] * 3)
    return k.b.call(fn, [a, b, c])


def prefetch(k: Emitter, place: Pointer) -> None:
    """Have a line of memory brought to the cache; a place that does not exist does no harm."""
    fn = _intrinsic(k, "llvm.prefetch.p0", ir.VoidType(), [PTR, I32, I32, I32])
    k.b.call(fn, [place.v, *(ir.Constant(I32, flag) for flag in (0, 3, 1))])  # to read, to keep, data


def transpose(k: Emitter, vectors: list[ir.Value]) -> list[tuple[int, int, ir.Value]]:
    """The transposed matrix of the given rows (their number a power of two), as (row, first column, vector)."""
    n, lanes = len(vectors), vectors[0].type.count
    orders = [[half * lanes // 2 + i // 2 + i % 2 * lanes for i in range(lanes)] for half in (0, 1)]
    masks = [ir.Constant(ir.VectorType(I32, lanes), order) for order in orders]
    for _ in range(n.bit_length() - 1):  # perfect shuffles
        vectors = [k.b.shuffle_vector(vectors[i // 2], vectors[i // 2 + n // 2], masks[i % 2]) for i in range(n)]
    size = min(n, lanes)
    found = []
    for at in range(0, n * lanes, size):
        whole, first = vectors[at // lanes], at % lanes
        order = ir.Constant(ir.VectorType(I32, size), list(range(first, first + size)))
        found.append((at // n, at % n, k.b.shuffle_vector(whole, whole, order) if size < lanes else whole))
    return found


def total(k: Emitter, v: ir.Value) -> Value:
    """The sum of a vector's lanes."""
    one = v.type.element
    fn = _intrinsic(k, f"llvm.vector.reduce.fadd.{_suffix(v.type)}", one, [one, v.type])
    return Value(k, k.b.call(fn, [ir.Constant(one, 0.0), v], fastmath=REDUCE))


def nothing(k: Emitter) -> ir.Value:
    """A vector of zeros."""
    kind = ir.VectorType(TYPES[k.real], shape(k.real).lanes)
    return ir.Constant(kind, [0.0] * kind.count)


# the functions that are compiled once


def _micro(k: Emitter, rows: int, vectors: int) -> ir.Function:
    """void(depth, a, a_row, a_depth, b, b_depth, first, out, out_row, high): one tile, all of which is stored.

    Only the first `high` rows of a exist; the others are computed from the last one. first: what each row starts from.
    """
    kinds = [I64, PTR, I64, I64, PTR, I64, PTR, PTR, I64, I64]
    k, fn = _function(k.module, f"tile_{rows}x{vectors}", kinds, k.real)
    fn.linkage = "internal"
    fn.attributes.add("noinline")
    depth, a, a_row, a_depth, b, b_depth, first, out, out_row, high = _given(k, fn)
    lanes, build = shape(k.real).lanes, k.b
    start = [load(k, first.at(v * lanes), lanes) for v in range(vectors)] * rows
    lines = [a.at(k.minimum(r, high - 1) * a_row) for r in range(rows)]
    # Sums are registers from the start: as variables they would double the code and the time to compile it.
    before, loop, after = build.block, build.append_basic_block("loop"), build.append_basic_block("after")
    build.cbranch((depth > 0).v, loop, after)
    build.position_at_end(loop)
    p = build.phi(I64)
    sums = [build.phi(start[0].type) for _ in start]
    ahead = Value(k, p) + AHEAD
    prefetch(k, lines[0].at(ahead * a_depth))
    row = b.at(Value(k, p) * b_depth)
    right = [load(k, row.at(v * lanes), lanes) for v in range(vectors)]
    left = [splat(k, line[Value(k, p) * a_depth], lanes) for line in lines]
    following = [fma(k, left[i // vectors], right[i % vectors], total) for i, total in enumerate(sums)]
    step = build.add(p, ir.Constant(I64, 1))
    k.hint(build.cbranch(build.icmp_signed("<", step, depth.v), loop, after), unroll=False)
    build.position_at_end(after)
    results = [build.phi(total.type) for total in sums]
    for phi, old, value in [(p, step.type(0), step), *zip(sums + results, start * 2, following * 2, strict=True)]:
        phi.add_incoming(old, before)
        phi.add_incoming(value, loop)
    for i, result in enumerate(results):
        store(k, result, out.at(out_row * (i // vectors) + i % vectors * lanes))
    build.ret_void()
    return fn


def _write_panel(module: ir.Module, kind: str) -> None:
    k, fn = _function(module, f"flambeau_tile_panel_{kind}", PANEL, kind)
    t = shape(kind)
    m, cols, depth, a, a_row, a_depth, b, b_depth, c, c_row, more, first = _given(k, fn)
    held = stack(k, t.rows * t.cols)
    zeros = stack(k, t.cols)
    for v in range(t.vectors):
        store(k, nothing(k), zeros.at(v * t.lanes))
    given = k.b.icmp_unsigned("!=", first.v, ir.Constant(PTR, None))
    first = Pointer(k, k.b.select(given, first.v, zeros.v), kind)
    for vectors in range(1, t.vectors + 1):
        for _ in k.when((cols > (vectors - 1) * t.lanes) & (cols <= vectors * t.lanes)):
            tall = _micro(k, t.rows, vectors)
            # Half the rows take less time only where there are many vectors.
            short = _micro(k, t.rows // 2, vectors) if vectors == t.vectors else tall
            masks = [below(k, cols - v * t.lanes, t.lanes) for v in range(vectors)]
            adding = below(k, more * t.lanes, t.lanes)
            for i in k.range(0, m, t.rows, vectorize=False, unroll=False):
                high = k.minimum(m - i, t.rows)
                whole = (high == t.rows) & (cols == vectors * t.lanes) & (more == 0)
                out = Pointer(k, k.b.select(whole.v, c.at(i * c_row).v, held.v), kind)
                out_row = k.select(whole, c_row, k.int(vectors * t.lanes))
                arguments = depth, a.at(i * a_row), a_row, a_depth, b, b_depth, first, out, out_row, high
                with k.b.if_else((high > t.rows // 2).v) as (most, few):
                    with most:
                        _call(k, tall, *arguments)
                    with few:
                        _call(k, short, *arguments)
                for r in k.range(k.select(whole, k.int(0), high), vectorize=False, unroll=False):
                    for v, mask in enumerate(masks):
                        place = c.at((i + r) * c_row + v * t.lanes)
                        found = load(k, held.at((r * vectors + v) * t.lanes), t.lanes)
                        old = masked_load(k, place, k.b.and_(mask, adding))
                        masked_store(k, k.b.fadd(found, old), place, mask)
    k.b.ret_void()


def _write_pack(module: ir.Module, kind: str) -> None:
    k, fn = _function(module, f"flambeau_tile_pack_{kind}", PACK, kind)
    t = shape(kind)
    b, b_depth, b_col, depth, cols, out = _given(k, fn)
    width = t.padded(cols)
    with k.b.if_else((b_col == 1).v) as (rows, others):
        with rows:
            for p in k.range(depth, vectorize=False, unroll=False):
                for j in k.range(0, width, t.lanes, vectorize=False, unroll=False):
                    store(k, masked_load(k, b.at(p * b_depth + j), below(k, cols - j, t.lanes)), out.at(p * width + j))
        with others:
            # Lanes that only fill up a vector are 0: what the stack holds could be slow to compute with.
            for _ in k.when(cols < width):
                for p in k.range(depth, vectorize=False, unroll=False):
                    store(k, nothing(k), out.at(p * width + width - t.lanes))
            done = k.cell(0, "i8")
            for _ in k.when(b_depth == 1):
                done.set(depth // t.lanes * t.lanes)
                for first in k.range(0, done.get(), AT_ONCE, vectorize=False, unroll=False):
                    last = k.minimum(first + AT_ONCE, done.get())
                    for j in k.range(0, cols, t.rows, vectorize=False, unroll=False):
                        columns = [b.at(k.minimum(j + i, cols - 1) * b_col) for i in range(t.rows)]
                        for p in k.range(first, last, t.lanes, vectorize=False, unroll=False):
                            for row, col, piece in transpose(k, [load(k, x.at(p), t.lanes) for x in columns]):
                                store(k, piece, out.at((p + row) * width + j + col))
            for p in k.range(done.get(), depth, vectorize=False, unroll=False):
                for j in k.range(cols, vectorize=False, unroll=False):
                    out[p * width + j] = b[p * b_depth + j * b_col]
    k.b.ret_void()


def _function(module: ir.Module, name: str, kinds: list[ir.Type], kind: str) -> tuple[Emitter, ir.Function]:
    fn = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), name)
    return Emitter(module, ir.IRBuilder(fn.append_basic_block("entry")), kind), fn


def _given(k: Emitter, fn: ir.Function) -> Iterator[Any]:
    for argument in fn.args:
        yield Pointer(k, argument, k.real) if argument.type == PTR else Value(k, argument)


def library_ir(kind: str) -> str:
    """The module of the functions that kernels with `tile=True` are linked to."""
    module = ir.Module(f"flambeau_tile_{kind}")
    _write_panel(module, kind)
    _write_pack(module, kind)
    return str(module)


# what kernel bodies call

PANEL = [I64, I64, I64, PTR, I64, I64, PTR, I64, PTR, I64, I64, PTR]
PACK = [PTR, I64, I64, I64, I64, PTR]


def _call(k: Emitter, fn: ir.Function, *arguments: Any) -> None:
    k.b.call(fn, [a.v if isinstance(a, Pointer) else k.int(a).v for a in arguments])


def _call_library(k: Emitter, name: str, kinds: list[ir.Type], *arguments: Any) -> None:
    name = f"flambeau_tile_{name}_{k.real}"
    found = k.module.globals.get(name)
    _call(k, found or ir.Function(k.module, ir.FunctionType(ir.VoidType(), kinds), name), *arguments)


def stack(k: Emitter, count: int) -> Pointer:
    """Room for so many elements on the stack, aligned to cache lines."""
    with k.b.goto_entry_block():
        slot = k.b.alloca(ir.ArrayType(TYPES[k.real], count))
    slot.align = 64
    slot.type = PTR
    return Pointer(k, slot, k.real)


def only(k: Emitter, condition: Value, place: Pointer) -> Pointer:
    """The place where the condition holds, else none: for `first` of `panel`."""
    return Pointer(k, k.b.select(condition.v, place.v, ir.Constant(PTR, None)), place.kind)


def room(k: Emitter, depth: int) -> Pointer:
    """Room on the stack for a packed panel of so many rows."""
    return stack(k, depth * shape(k.real).cols)


def pack(k: Emitter, b: Pointer, b_depth: Any, b_col: Any, depth: Any, cols: Any, out: Pointer) -> None:
    """out (depth, `Shape.padded(cols)`) = b, whose rows and columns are `b_depth` and `b_col` elements apart.

    Columns that only fill up a vector hold anything.
    """
    _call_library(k, "pack", PACK, b, b_depth, b_col, depth, cols, out)


def panel(k: Emitter, m: Any, cols: Any, depth: Any, a: Pointer, a_row: Any, a_depth: Any, b: Pointer, b_depth: Any,
          c: Pointer, c_row: Any, more: Any = 0, first: Pointer | None = None) -> None:  # fmt: skip
    """c (m, cols) = or += a (m, depth) b (depth, cols), cols being at most `Shape.cols`.

    Arguments:
        a_row, a_depth: elements from one row and one column of a to the next.
        b, b_depth: rows of whole vectors (`Shape.padded`), so many elements apart; what stands beyond `cols` must be
            readable and does not matter.
        c_row: elements from one row of c to the next.
        more: 1 to add to c, 0 to overwrite it.
        first: whole vectors that are added to each row of the result.
    """
    first = first or Pointer(k, ir.Constant(PTR, None), k.real)
    _call_library(k, "panel", PANEL, m, cols, depth, a, a_row, a_depth, b, b_depth, c, c_row, more, first)
