"""Many launches in one native call: what a compiled step runs.

A sequence is an int64 array of rows [part function, context, work, parts]; its first row is the header
[number of launches, whether to release the interpreter lock, number of patches, memory for the ticks of a clock before
the first and after each launch]. Before the launches, patches
[argument, address of a context word, byte offset] put the addresses of this call's arrays into the contexts.
Contexts and rows are made by compiler/plan.py, which answers for them: nothing is checked here but types.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from .build import backend

HEADER = 4  # words of one row
PARTS_BESIDE = 1  # launches of one part run on the caller, without the pool


@cache
def run() -> Any:
    """The builtin `run(rows, patches, *arrays)`; None where there is no LLVM. Returns False for wrong types."""
    llvm = backend()
    if llvm is None:
        return None
    where = llvm.address("flambeau_sequence", "", _write)
    return llvm.builtin(where, "sequence", "Run a compiled step's launches.")


@cache
def timed() -> Any:
    """`run(rows, patches, *arrays, what)`, which leaves a note of `what` with the times (kernels/notes.py)."""
    llvm = backend()
    if llvm is None:
        return None
    where = llvm.address("flambeau_sequence_timed", "", lambda: _write("flambeau_sequence_timed", timed=True))
    return llvm.builtin(where, "sequence", "Run a compiled step's launches and note the time after each.")


def _write(name: str = "flambeau_sequence", timed: bool = False) -> str:
    from llvmlite import ir  # an optional, slow import

    from . import llvm as table
    from .emit import I64, PTR, Emitter, Value
    from .notes import LAUNCHES, write_note, write_tick
    from .pool import PART
    from .wrap import DATA, _field

    module = ir.Module(name)
    entry = ir.Function(module, ir.FunctionType(PTR, [PTR, PTR, I64]), name)
    k = Emitter(module, ir.IRBuilder(entry.append_basic_block("entry")))
    b = k.b
    self_, arguments, count = entry.args
    refuse = entry.append_basic_block("refuse")
    words = k.pointer(Value(k, b.ptrtoint(_field(k, self_, DATA, PTR), I64)), "i8")
    void = ir.VoidType()

    def function(row: int, result: Any, *args: Any) -> Any:
        kind = ir.FunctionType(result, [a.type for a in args])
        return k.call_pointer(b.inttoptr(words[row].v, PTR), kind, list(args))

    # Every argument is an array, but for what is noted.
    good = k.cell(1, "i8")
    for i in k.range(Value(k, count) - int(timed)):
        item = b.load(b.gep(arguments, [i.v], source_etype=PTR), typ=PTR)
        kind = Value(k, b.ptrtoint(_field(k, item, table.HEADER - 8, PTR), I64))
        good.set(k.select(kind == words[table.NDARRAY], good.get(), k.int(0)))
    on = entry.append_basic_block("good")
    b.cbranch(((good.get() == 1) & (Value(k, count) >= 2)).v, on, refuse)
    b.position_at_end(on)

    def data(index: Value) -> Value:
        item = b.load(b.gep(arguments, [index.v], source_etype=PTR), typ=PTR)
        return Value(k, b.ptrtoint(_field(k, item, DATA, PTR), I64))

    rows, patches = k.pointer(data(k.int(0)), "i8"), k.pointer(data(k.int(1)), "i8")
    launches, release = rows[0], rows[1]
    for i in k.range(rows[2]):
        k.pointer(patches[i * 3 + 1], "i8")[0] = data(patches[i * 3]) + patches[i * 3 + 2]
    state = k.pointer(words[table.POOL_STATE], "i8")
    thread = k.cell(0, "i8")
    for _ in k.when(release != 0):
        thread.set(Value(k, b.ptrtoint(function(table.SAVE, PTR), I64)))
    ticks = k.pointer(rows[3], "i8")
    if timed:
        ticks[0] = write_tick(k, function)
    for i in k.range(launches):
        row = rows.at((i + 1) * HEADER)
        part, context = b.inttoptr(row[0].v, PTR), b.inttoptr(row[1].v, PTR)
        with b.if_else((row[3] <= PARTS_BESIDE).v) as (alone, shared):
            with alone:
                k.call_pointer(part, PART, [context, ir.Constant(I64, 0), row[2].v])
            with shared:
                function(table.POOL_RUN, void, state.v, part, context, row[2].v, row[3].v)
        if timed:
            ticks[i + 1] = write_tick(k, function)
    for _ in k.when(release != 0):
        function(table.RESTORE, void, b.inttoptr(thread.get().v, PTR))
    if timed:  # the interpreter is locked again: notes are taken one at a time
        what = b.load(b.gep(arguments, [(Value(k, count) - 1).v], source_etype=PTR), typ=PTR)
        place = write_note(k, function, words, what, -(launches + 1) - LAUNCHES, launches + 1)
        for i in k.loop(launches + 1):
            place[i] = ticks[i]
    end = entry.append_basic_block("end")
    b.branch(end)
    for block, answer in ((end, 1), (refuse, 0)):
        b.position_at_end(block)
        b.ret(function(table.BOOL, PTR, ir.Constant(I64, answer)))
    return str(module)
