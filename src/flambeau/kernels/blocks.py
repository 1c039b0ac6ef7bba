"""The functions in LLVM that NumPy's arrays get their memory from: large blocks, kept for the next array when freed.

A block comes from the system by `mmap`, starts at a page and tells its own size in a header before the data, which are
aligned for the widest vectors. Freed blocks stand in a short table; the next array takes the smallest that fits and
wastes little. None of this touches Python: it runs under any lock, in any thread, in forked children and after the
interpreter has ended. Arrays below FROM bytes, and memory that did not come from here, go to NumPy's own functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from .emit import I32, I64, PTR, Emitter, Value
from .pool import State, pause

FROM = 1 << 17  # bytes; below, the C library's own lists are as fast
PAGE = 4096
HUGE = 2 << 20  # the processor's large pages: one page fault instead of 512
HUGE_FROM = 2 * HUGE
HEADER = 64  # bytes: MAGIC, the block's address, its size
MAGIC = 0x7E3D_1C5A_9B24_68F1
ENTRIES = 1024  # blocks that may be kept

# Words of the state.
HELD, COUNT, CLOCK = 0, 1, 2
ALLOCATED, CACHED, PEAK, HIGH, LIMIT, SLACK = 8, 9, 10, 11, 12, 13
REQUESTS, HITS, MAPPED, UNMAPPED, REFUSED = 16, 17, 18, 19, 20
MMAP, MUNMAP, MADVISE, YIELD, PROTECTION, FLAGS = 24, 25, 26, 27, 28, 29
CONTEXT, OLD_MALLOC, OLD_CALLOC, OLD_REALLOC, OLD_FREE = 32, 33, 34, 35, 36
SIZES, BASES, STAMPS = 40, 40 + ENTRIES, 40 + 2 * ENTRIES
STATE_SIZE = 40 + 3 * ENTRIES


class _Blocks(State):
    """The state, with what its functions have in common."""

    def plain(self, word: Any) -> ir.Value:
        """Where a word stands that is only touched while the lock is held."""
        return self.k.b.gep(self.base, [self.k.int(word).v], source_etype=I64)

    def get(self, word: Any) -> Value:
        return Value(self.k, self.k.b.load(self.plain(word), typ=I64))

    def set(self, word: Any, value: Any) -> None:
        self.k.b.store(self.k.int(value).v, self.plain(word))

    def change(self, word: int, amount: Any) -> Value:
        new = self.get(word) + amount
        self.set(word, new)
        return new

    def lock(self) -> None:
        k = self.k
        spins = k.cell(0, "i8")

        def held() -> Value:
            old = k.b.cmpxchg(self.at(HELD), ir.Constant(I64, 0), ir.Constant(I64, 1), "seq_cst", "seq_cst")
            return Value(k, k.b.extract_value(old, 1)) == 0

        for _ in k.loop_while(held):
            spins.set(spins.get() + 1)
            with k.b.if_else((spins.get() < 1000).v) as (short, long):
                with short:
                    pause(k)
                with long:
                    self.call(YIELD, I32)

    def unlock(self) -> None:
        self.write(HELD, 0)

    def remove(self, i: Value) -> None:
        """Take entry i out of the table; the last one takes its place."""
        last = self.change(COUNT, -1)
        for column in (SIZES, BASES, STAMPS):
            self.set(i + column, self.get(last + column))

    def unmap(self, base: Value, size: Value) -> None:
        self.call(MUNMAP, I32, self.k.b.inttoptr(base.v, PTR), size.v)

    def evict(self) -> None:
        """Give the block that was longest unused back to the system; there must be one."""
        k = self.k
        oldest, stamp = k.cell(0, "i8"), k.cell(self.get(STAMPS))
        for i in k.range(self.get(COUNT), vectorize=False):
            older = self.get(i + STAMPS) < stamp.get()
            oldest.set(k.select(older, i, oldest.get()))
            stamp.set(k.select(older, self.get(i + STAMPS), stamp.get()))
        base, size = self.get(oldest.get() + BASES), self.get(oldest.get() + SIZES)
        self.remove(oldest.get())
        self.change(CACHED, -size)
        self.change(UNMAPPED, 1)
        self.unmap(base, size)


def _define(
    module: ir.Module, name: str, result: ir.Type, *args: ir.Type
) -> tuple[Emitter, ir.Function, Callable[[int], _Blocks]]:
    fn = ir.Function(module, ir.FunctionType(result, args), name)
    k = Emitter(module, ir.IRBuilder(fn.append_basic_block("entry")))
    return k, fn, lambda i: _Blocks(k, fn.args[i])


def _map(module: ir.Module) -> ir.Function:
    """i64 map(state, size): fresh zeroed memory from the system; 0 if there is none."""
    k, fn, state = _define(module, "flambeau_memory_map", I64, PTR, I64)
    fn.linkage = "internal"
    s, b, size = state(0), k.b, Value(k, fn.args[1])
    huge = size >= HUGE_FROM
    asked = size + k.select(huge, k.int(HUGE), 0)
    null = ir.Constant(PTR, None)
    kinds = [s.read(word).cast("i4").v for word in (PROTECTION, FLAGS)]
    got = s.call(MMAP, PTR, null, asked.v, *kinds, ir.Constant(I32, -1), ir.Constant(I64, 0))
    base = Value(k, b.ptrtoint(got, I64))
    with b.if_then((base == -1).v):
        b.ret(ir.Constant(I64, 0))
    with b.if_then((huge == 0).v):
        b.ret(base.v)
    start = (base + (HUGE - 1)) & -HUGE
    for _ in k.when(start > base):
        s.unmap(base, start - base)
    after = start + size
    for _ in k.when(asked + base > after):
        s.unmap(after, asked + base - after)
    for _ in k.when(s.read(MADVISE) != 0):
        s.call(MADVISE, I32, b.inttoptr(start.v, PTR), size.v, ir.Constant(I32, 14))  # MADV_HUGEPAGE
    b.ret(start.v)
    return fn


def _take(module: ir.Module, map_: ir.Function) -> ir.Function:
    """ptr take(state, size, zeroed): memory for an array; null if there is none, or if it would pass the limit."""
    k, fn, state = _define(module, "flambeau_memory_take", PTR, PTR, I64, I64)
    fn.linkage = "internal"
    s, b, size, zeroed = state(0), k.b, Value(k, fn.args[1]), Value(k, fn.args[2])
    null = ir.Constant(PTR, None)
    with b.if_then(((size < 0) | (size > 1 << 46)).v):
        b.ret(null)
    need = (size + (HEADER + PAGE - 1)) & -PAGE
    s.lock()
    s.change(REQUESTS, 1)
    best, bound = k.cell(-1, "i8"), k.cell(need + (need >> 3) + 1)
    for i in k.range(s.get(COUNT), vectorize=False):
        one = s.get(i + SIZES)
        better = (one >= need) & (one < bound.get())
        best.set(k.select(better, i, best.get()))
        bound.set(k.select(better, one, bound.get()))

    def count_in(amount: Value) -> None:
        now = s.change(ALLOCATED, amount)
        for word in (PEAK, HIGH):
            s.set(word, k.maximum(s.get(word), now))

    for _ in k.when(best.get() >= 0):
        base, one = s.get(best.get() + BASES), s.get(best.get() + SIZES)
        s.remove(best.get())
        s.change(CACHED, -one)
        s.change(HITS, 1)
        count_in(one)
        s.unlock()
        data = k.pointer(base + HEADER, "u1")
        with b.if_then((zeroed != 0).v):
            k.clear(data, size)
        b.ret(data.v)

    def refused() -> None:
        s.change(REFUSED, 1)
        s.unlock()
        b.ret(null)

    wanted = s.get(ALLOCATED) + need
    with b.if_then((wanted > s.get(LIMIT)).v):
        refused()
    # What is kept never makes the process larger than it once had to be, but for SLACK.
    room = k.minimum(k.maximum(s.get(HIGH), wanted) + s.get(SLACK), s.get(LIMIT))
    for _ in k.loop_while(lambda: (s.get(COUNT) > 0) & (s.get(CACHED) + wanted > room)):
        s.evict()
    count_in(need)
    s.change(MAPPED, 1)
    s.unlock()
    fresh = k.cell(Value(k, b.call(map_, [s.base, need.v])))
    for _ in k.when(fresh.get() == 0):
        s.lock()
        for _ in k.loop_while(lambda: s.get(COUNT) > 0):
            s.evict()
        s.unlock()
        fresh.set(Value(k, b.call(map_, [s.base, need.v])))
        with b.if_then((fresh.get() == 0).v):
            s.lock()
            s.change(ALLOCATED, -need)
            s.change(MAPPED, -1)
            refused()
    header = k.pointer(fresh.get(), "i8")
    header[0], header[1], header[2] = MAGIC, fresh.get(), need
    b.ret(k.pointer(fresh.get() + HEADER, "u1").v)
    return fn


def _own(k: Emitter, data: ir.Value) -> Value:
    """The address of the block that memory belongs to; 0 where it is not from here.

    Only memory at HEADER bytes after the start of a page can be: what is before it then lies in the same page.
    """
    b = k.b
    place = Value(k, b.ptrtoint(data, I64))
    found = k.cell(0, "i8")
    for _ in k.when((place & (PAGE - 1)) == HEADER):
        header = k.pointer(place - HEADER, "i8")
        found.set(k.select((header[0] == MAGIC) & (header[1] == place - HEADER), place - HEADER, 0))
    return found.get()


def _give(module: ir.Module) -> ir.Function:
    """give(state, base): a block is free."""
    k, fn, state = _define(module, "flambeau_memory_give", ir.VoidType(), PTR, I64)
    fn.linkage = "internal"
    s, base = state(0), Value(k, fn.args[1])
    size = k.pointer(base, "i8")[2]
    s.lock()
    s.change(ALLOCATED, -size)
    for _ in k.when(s.get(COUNT) == ENTRIES):
        s.evict()
    at = s.get(COUNT)
    s.set(at + SIZES, size)
    s.set(at + BASES, base)
    s.set(at + STAMPS, s.change(CLOCK, 1))
    s.set(COUNT, at + 1)
    s.change(CACHED, size)
    s.unlock()
    k.b.ret_void()
    return fn


def functions_ir() -> str:
    """flambeau_memory_{malloc,calloc,realloc,free}, as NumPy calls them, and flambeau_memory_release(state)."""
    module = ir.Module("flambeau_memory_malloc")
    take, give = _take(module, _map(module)), _give(module)

    k, fn, state = _define(module, "flambeau_memory_malloc", PTR, PTR, I64)
    s, size = state(0), fn.args[1]
    with k.b.if_then((Value(k, size) >= FROM).v):
        k.b.ret(k.b.call(take, [s.base, size, ir.Constant(I64, 0)]))
    k.b.ret(s.call(OLD_MALLOC, PTR, k.b.inttoptr(s.read(CONTEXT).v, PTR), size))

    k, fn, state = _define(module, "flambeau_memory_calloc", PTR, PTR, I64, I64)
    s, count, size = state(0), Value(k, fn.args[1]), Value(k, fn.args[2])
    total = count * size
    # Sizes that could overflow are left to NumPy's function, which checks.
    fits = (count >= 0) & (size >= 0) & (count < 1 << 46) & (size < 1 << 16)
    with k.b.if_then((fits & (total >= FROM)).v):
        k.b.ret(k.b.call(take, [s.base, total.v, ir.Constant(I64, 1)]))
    k.b.ret(s.call(OLD_CALLOC, PTR, k.b.inttoptr(s.read(CONTEXT).v, PTR), count.v, size.v))

    k, fn, state = _define(module, "flambeau_memory_realloc", PTR, PTR, PTR, I64)
    s, data, size = state(0), fn.args[1], Value(k, fn.args[2])
    base = _own(k, data)
    with k.b.if_then((base == 0).v):
        k.b.ret(s.call(OLD_REALLOC, PTR, k.b.inttoptr(s.read(CONTEXT).v, PTR), data, size.v))
    room = k.pointer(base, "i8")[2] - HEADER
    with k.b.if_then(((size <= room) & (size > room >> 1)).v):
        k.b.ret(data)
    new = k.b.call(module.globals["flambeau_memory_malloc"], [s.base, size.v])
    with k.b.if_then((Value(k, k.b.ptrtoint(new, I64)) != 0).v):
        k.copy(k.pointer(Value(k, k.b.ptrtoint(new, I64)), "u1"), k.pointer(base + HEADER, "u1"), k.minimum(size, room))
        k.b.call(give, [s.base, base.v])
    k.b.ret(new)

    k, fn, state = _define(module, "flambeau_memory_free", ir.VoidType(), PTR, PTR, I64)
    s, data, size = state(0), fn.args[1], fn.args[2]
    base = _own(k, data)
    with k.b.if_else((base != 0).v) as (ours, others):
        with ours:
            k.b.call(give, [s.base, base.v])
        with others:
            s.call(OLD_FREE, ir.VoidType(), k.b.inttoptr(s.read(CONTEXT).v, PTR), data, size)
    k.b.ret_void()

    k, fn, state = _define(module, "flambeau_memory_release", ir.VoidType(), PTR)
    s = state(0)
    s.lock()
    for _ in k.loop_while(lambda: s.get(COUNT) > 0):
        s.evict()
    s.set(HIGH, s.get(ALLOCATED))
    s.unlock()
    k.b.ret_void()
    return str(module)
