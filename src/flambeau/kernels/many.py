"""One launch for many sets of arrays: an element-wise kernel over all the parameters of a model.

`many(kernel, "f4")` is a builtin f(table, *numbers, *arrays of the first set, *arrays of the second...) for a kernel
whose parameters are arrays of one size `n`, then floats, then `n`. The arrays of one set have one size; the sets may
differ. `table` is room for one address of each array and the size of each set, an int64 array. The part function's
context is: the table, the number of sets, the numbers; its work are the elements of all sets in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from . import llvm
from .build import Kernel, Parameter
from .emit import F64, I64, PTR, Emitter, Pointer, Value
from .pool import PART
from .wrap import Entry, write_body

_TABLE = Parameter("table", "i8", True, False, False, ())


def many(kernel: Kernel, real: str) -> Callable[..., bool]:
    """The builtin; see the module."""
    name = f"{kernel.symbol(real, (), {})}_many"
    where = llvm.address(name, None, lambda: _write(kernel, name, real))
    return llvm.builtin(where, kernel.name, kernel.body.__doc__ or "")


def _write(kernel: Kernel, name: str, real: str) -> str:
    module = ir.Module(name)
    arrays = [p for p in kernel.parameters if p.is_array]
    numbers = sum(p.kind == "d" for p in kernel.parameters)
    part = _write_part(kernel, module, name + "_part", real, len(arrays), numbers)
    entry = Entry(module, name, real)
    k, b = entry.k, entry.k.b
    context = k.reserve(2 + numbers)
    given = entry.count - (1 + numbers)
    entry.require(given >= 0)
    sets = given // len(arrays)
    entry.require(sets * len(arrays) == given)
    address, room = entry.array(0, _TABLE, real)
    entry.require(room >= sets * (len(arrays) + 1))
    for i, word in enumerate([address, sets.v, *[entry.real(1 + i) for i in range(numbers)]]):
        b.store(word, b.gep(context, [ir.Constant(I64, i)], source_etype=I64))
    total = k.cell(0, "i8")
    for s in k.range(sets, vectorize=False, unroll=False):
        row = Pointer(k, address, "i8").at(s * (len(arrays) + 1))
        size = None
        for i, p in enumerate(arrays):
            data, elements = entry.array(s * len(arrays) + (1 + numbers + i), p, real)
            if size is None:
                size = elements
            entry.require(elements == size)
            row[i] = Value(k, b.ptrtoint(data, I64))
        row[len(arrays)] = size
        total.add(size)
    entry.finish(part, context, total.get(), total.get() * len(arrays))
    return str(module)


def _write_part(kernel: Kernel, module: ir.Module, name: str, real: str, count: int, numbers: int) -> ir.Function:
    """Elements `begin` to `end` of all sets in turn: the body for what of each set lies there."""
    inner, _ = write_body(kernel, module, kernel.parameters, real, (), {})
    part = ir.Function(module, PART, name)
    k = Emitter(module, ir.IRBuilder(part.append_basic_block("entry")), real)
    b = k.b
    context, begin, end = part.args

    def word(i: int, kind: ir.Type) -> ir.Value:
        return b.load(b.gep(context, [ir.Constant(I64, i)], source_etype=I64), typ=kind)

    table, sets = Pointer(k, word(0, PTR), "i8"), Value(k, word(1, I64))
    given = [word(2 + i, F64) for i in range(numbers)]
    before = k.cell(0, "i8")
    for s in k.range(sets, vectorize=False, unroll=False):
        row = table.at(s * (count + 1))
        start, size = before.get(), row[count]
        low = k.maximum(Value(k, begin) - start, 0)
        high = k.minimum(Value(k, end) - start, size)
        for _ in k.when(low < high):
            addresses: list[Any] = [b.inttoptr(row[i].v, PTR) for i in range(count)]
            b.call(inner, [low.v, high.v, *addresses, *given, size.v])
        before.set(start + size)
    b.ret_void()
    return part
