"""`launch(task, ...)`: run a part function from Python, with arrays and numbers put into its context.

A task is an int64 array: the part function's address, the items of work, into how many parts to cut them, the number
of context words, and those words. The arguments after it replace the first words: an array by its address, a float by
its bits. Nothing else is checked: `loops` made the task for arrays of these shapes, strides and dtypes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir

from . import llvm as table
from .emit import F64, I8, I64, PTR, Emitter, Value
from .pool import PART

PART_WORD, WORK, PARTS, WORDS, HEADER = 0, 1, 2, 3, 4
MOST_WORDS = 256

DATA, TYPE = table.HEADER, table.HEADER - 8  # fields of an array object; of any object


def _launch_ir() -> str:
    module = ir.Module("flambeau_launch")
    entry = ir.Function(module, ir.FunctionType(PTR, [PTR, PTR, I64]), "flambeau_launch")
    k = Emitter(module, ir.IRBuilder(entry.append_basic_block("entry")))
    b = k.b
    self_, arguments, count = entry.args

    def field(base: ir.Value, offset: int, kind: ir.Type) -> ir.Value:
        return b.load(b.gep(base, [ir.Constant(I64, offset)], source_etype=I8), typ=kind)

    words = field(self_, DATA, PTR)

    def constant(row: int) -> Value:
        return Value(k, b.load(b.gep(words, [ir.Constant(I64, row)], source_etype=I64), typ=I64))

    def call(row: int, result: ir.Type, *args: ir.Value) -> Any:
        kind = ir.FunctionType(result, [a.type for a in args])
        return k.call_pointer(b.inttoptr(constant(row).v, PTR), kind, list(args))

    context = k.reserve(MOST_WORDS)
    task = field(b.load(arguments, typ=PTR), DATA, PTR)

    def head(word: int) -> Value:
        return Value(k, b.load(b.gep(task, [ir.Constant(I64, word)], source_etype=I64), typ=I64))

    where, to = (Value(k, b.ptrtoint(p, I64)) for p in (task, context))
    k.copy(k.pointer(to, "i8"), k.pointer(where + HEADER * 8, "i8"), k.minimum(head(WORDS), MOST_WORDS))
    good = k.cell(1, "i8")
    for i in k.range(1, Value(k, count)):
        item = b.load(b.gep(arguments, [i.v], source_etype=PTR), typ=PTR)
        kind = Value(k, field(item, TYPE, I64))
        slot = k.pointer(to + (i - 1) * 8, "i8")
        with b.if_else((kind == constant(table.FLOAT)).v) as (number, array):
            with number:
                slot[0] = Value(k, b.bitcast(field(item, table.HEADER, F64), I64))
            with array:
                good.set(k.select(kind == constant(table.NDARRAY), good.get(), 0))
                slot[0] = Value(k, field(item, DATA, I64))
    with b.if_then((good.get() == 1).v):
        part = b.inttoptr(head(PART_WORD).v, PTR)
        work, parts = head(WORK), head(PARTS)
        with b.if_else((parts <= 1).v) as (small, large):
            with small:
                k.call_pointer(part, PART, [context, ir.Constant(I64, 0), work.v])
            with large:
                # A long run gives the interpreter lock away, as NumPy does.
                thread = call(table.SAVE, PTR)
                state = b.inttoptr(constant(table.POOL_STATE).v, PTR)
                call(table.POOL_RUN, ir.VoidType(), state, part, context, work.v, parts.v)
                call(table.RESTORE, ir.VoidType(), thread)
    b.ret(call(table.BOOL, PTR, good.get().v))
    return str(module)


@cache
def builtin() -> Callable[..., bool]:
    """The function `launch`; it returns False where an argument is neither a float nor a plain array."""
    return table.builtin(table.address("flambeau_launch", "", _launch_ir), "launch", __doc__ or "")
