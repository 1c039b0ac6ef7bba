"""The fork-join pool's two functions in LLVM: `run`, which the caller of a job executes, and `worker`."""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir

from . import threads as t
from .emit import I32, I64, PTR, Emitter, Value

SPINS = 4000  # pauses (about 20-40 us) that a thread spends waiting before it sleeps or yields

PART = ir.FunctionType(ir.VoidType(), [PTR, I64, I64])  # (context, begin, end)


class State:
    """Words that several threads read and write, atomically: the state of the pool, or of `blocks`."""

    def __init__(self, k: Emitter, base: ir.Value):
        self.k, self.base = k, base

    def at(self, word: int) -> ir.Value:
        place = self.k.b.gep(self.base, [ir.Constant(I64, word)], source_etype=I64)
        place.type = ir.PointerType(I64)  # llvmlite's atomic instructions ask what they point at
        return place

    def read(self, word: int) -> Value:
        return Value(self.k, self.k.b.load_atomic(self.at(word), "seq_cst", 8, typ=I64))

    def write(self, word: int, value: Any) -> None:
        self.k.b.store_atomic(self.k.int(value).v, self.at(word), "seq_cst", 8)

    def add(self, word: int, amount: int) -> Value:
        """Add atomically; returns what was there before."""
        return Value(self.k, self.k.b.atomic_rmw("add", self.at(word), ir.Constant(I64, amount), "seq_cst"))

    def call(self, word: int, result: ir.Type, *args: ir.Value) -> ir.Value:
        """Call the C function whose address stands in a word."""
        kind = ir.FunctionType(result, [a.type for a in args])
        fn = self.k.b.inttoptr(self.read(word).v, ir.PointerType())
        return self.k.call_pointer(fn, kind, list(args))


def function(name: str, result: ir.Type, *args: ir.Type) -> tuple[Emitter, ir.Function]:
    module = ir.Module(name)
    fn = ir.Function(module, ir.FunctionType(result, args), name)
    return Emitter(module, ir.IRBuilder(fn.append_basic_block("entry"))), fn


def pause(k: Emitter) -> None:
    if platform.machine() in ("x86_64", "AMD64"):
        fn = k.module.globals.get("llvm.x86.sse2.pause")
        if fn is None:
            fn = ir.Function(k.module, ir.FunctionType(ir.VoidType(), []), "llvm.x86.sse2.pause")
        k.b.call(fn, [])


def _work(k: Emitter, s: State) -> None:
    """Take parts of the current job until none is left.

    Tickets count down from the number of parts, set by one atomic store that comes after everything a part needs:
    a worker that wakes late either draws a ticket that is not positive and leaves, or a good one of the new job.
    """
    ticket = k.cell(s.add(t.TICKETS, -1))
    for _ in k.loop_while(lambda: ticket.get() > 0):
        count, parts, mine = s.read(t.COUNT), s.read(t.PARTS), ticket.get()
        begin, end = count * (mine - 1) // parts, count * mine // parts
        part, context = (k.b.inttoptr(s.read(word).v, PTR) for word in (t.FUNCTION, t.CONTEXT))
        k.call_pointer(part, PART, [context, begin.v, end.v])
        s.add(t.DONE, 1)
        ticket.set(s.add(t.TICKETS, -1))


def run_ir() -> str:
    """void run(state, part function, context, count, parts)"""
    k, fn = function("flambeau_pool_run", ir.VoidType(), PTR, PTR, PTR, I64, I64)
    b, s = k.b, State(k, fn.args[0])
    _, part, context, count, parts = fn.args
    alone = fn.append_basic_block("alone")
    free = fn.append_basic_block("free")
    mine = fn.append_basic_block("mine")
    threads = s.read(t.THREADS)
    b.cbranch(((threads <= 1) | (Value(k, parts) <= 1)).v, alone, free)
    b.position_at_end(free)
    old = b.cmpxchg(s.at(t.BUSY), ir.Constant(I64, 0), ir.Constant(I64, 1), "seq_cst", "seq_cst")
    b.cbranch(b.extract_value(old, 1), mine, alone)

    b.position_at_end(alone)
    k.call_pointer(part, PART, [context, ir.Constant(I64, 0), count])
    b.ret_void()

    b.position_at_end(mine)
    for _ in k.loop_while(lambda: s.read(t.STARTED) < threads - 1):
        s.add(t.STARTED, 1)  # where a thread cannot be made, the others do its work
        null = ir.Constant(PTR, None)
        s.call(t.CREATE, I32, s.at(t.HANDLE), null, b.inttoptr(s.read(t.WORKER).v, PTR), s.base)
    s.write(t.FUNCTION, Value(k, b.ptrtoint(part, I64)))
    s.write(t.CONTEXT, Value(k, b.ptrtoint(context, I64)))
    s.write(t.COUNT, Value(k, count))
    s.write(t.PARTS, Value(k, parts))
    s.write(t.DONE, 0)
    s.write(t.TICKETS, Value(k, parts))
    s.add(t.GENERATION, 1)
    with b.if_then((s.read(t.SLEEPERS) > 0).v):
        s.call(t.LOCK, I32, s.at(t.MUTEX))
        s.call(t.BROADCAST, I32, s.at(t.CONDITION))
        s.call(t.UNLOCK, I32, s.at(t.MUTEX))
    _work(k, s)
    spins = k.cell(0, "i8")
    for _ in k.loop_while(lambda: s.read(t.DONE) < Value(k, parts)):
        spins.set(spins.get() + 1)
        with b.if_else((spins.get() < SPINS).v) as (short, long):
            with short:
                pause(k)
            with long:
                s.call(t.YIELD, I32)
    s.write(t.BUSY, 0)
    b.ret_void()
    return str(k.module)


def worker_ir() -> str:
    """void *worker(state): sleep, wake, work, for ever"""
    k, fn = function("flambeau_pool_worker", PTR, PTR)
    b, s = k.b, State(k, fn.args[0])
    seen = k.cell(0, "i8")
    spins = k.cell(0, "i8")
    mine = s.add(t.NUMBER, 1)
    always = k.lift(1, "i8")
    for _ in k.loop_while(lambda: always == 1):
        spins.set(0)
        for _ in k.loop_while(lambda: (s.read(t.GENERATION) == seen.get()) & (spins.get() < SPINS)):
            spins.set(spins.get() + 1)
            pause(k)
        with b.if_then((s.read(t.GENERATION) == seen.get()).v):
            s.call(t.LOCK, I32, s.at(t.MUTEX))
            s.add(t.SLEEPERS, 1)
            for _ in k.loop_while(lambda: s.read(t.GENERATION) == seen.get()):
                s.call(t.WAIT, I32, s.at(t.CONDITION), s.at(t.MUTEX))
            s.add(t.SLEEPERS, -1)
            s.call(t.UNLOCK, I32, s.at(t.MUTEX))
        seen.set(s.read(t.GENERATION))
        for _ in k.when(mine < s.read(t.THREADS) - 1):  # more may have been started for an earlier, higher number
            _work(k, s)
    b.ret(ir.Constant(PTR, None))
    return str(k.module)
