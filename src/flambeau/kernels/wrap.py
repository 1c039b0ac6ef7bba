"""The code around a kernel body: reads Python's arguments, checks every array, and shares the work out.

What it leaves to be checked by nobody: that index arrays hold good indices (kernels that gather check their own) and
that outputs do not overlap inputs (callers make the outputs).
"""

from __future__ import annotations

import inspect
from typing import Any

from llvmlite import ir

from . import llvm as table
from .build import GRAIN, NUMPY_NUMBERS, PARALLEL_FROM, Kernel, Parameter
from .emit import F64, I8, I32, I64, PTR, Emitter, Number, Pointer, Value
from .halves import HalfPointer, computed_in
from .pool import PART

# Where PyArrayObject and its descriptor keep their fields, after the object header.
H = table.HEADER
DATA, NDIM, DIMS, DESCR, FLAGS = H, H + 8, H + 16, H + 40, H + 48
BYTE_ORDER, TYPE_NUMBER = H + 10, H + 12
CONTIGUOUS, ALIGNED, WRITEABLE = 0x0001, 0x0100, 0x0400


def write_ir(kernel: Kernel, name: str, real: str, absent: tuple[str, ...], options: dict[str, Any]) -> str:
    """The LLVM module of one specialisation: the builtin `name`, and the `<name>_part` that its threads run."""
    module = ir.Module(name)
    present = [p for p in kernel.parameters if p.name not in absent]
    part = _write_part(kernel, module, name + "_part", present, real, absent, options)
    _write_entry(kernel, module, name, present, real, part, options)
    return str(module)


def _write_part(kernel: Kernel, module: ir.Module, name: str, present: list[Parameter], real: str,
                absent: tuple[str, ...], options: dict[str, Any]) -> ir.Function:  # fmt: skip
    """part(context, begin, end) calls the body; context is an array of 64-bit words, one per parameter.

    The body is a function of its own, whose array arguments are known not to overlap, and is inlined here.
    """
    inner, kinds = write_body(kernel, module, present, real, absent, options)
    part = ir.Function(module, PART, name)
    b = ir.IRBuilder(part.append_basic_block("entry"))
    context, begin, end = part.args
    words = []
    for i, kind in enumerate(kinds):
        words.append(b.load(b.gep(context, [ir.Constant(I64, i)], source_etype=I64), typ=kind))
    b.call(inner, [begin, end, *words])
    b.ret_void()
    return part


def write_body(kernel: Kernel, module: ir.Module, present: list[Parameter], real: str, absent: tuple[str, ...],
               options: dict[str, Any]) -> tuple[ir.Function, list[ir.Type]]:  # fmt: skip
    """body(begin, end, *arguments), to be inlined, and the types of its arguments."""
    kinds = [PTR if p.is_array else F64 if p.kind == "d" else I64 for p in present]
    inner = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64, I64, *kinds]), "body")
    inner.linkage = "internal"
    inner.attributes.add("alwaysinline")
    k = Emitter(module, ir.IRBuilder(inner.append_basic_block("entry")), computed_in(real))
    given: dict[str, Any] = {a: None for a in absent}
    for p, argument in zip(present, inner.args[2:], strict=True):
        if p.is_array:
            argument.add_attribute("noalias")
            pointer = HalfPointer if p.kind == "T" and real != k.real else Pointer
            given[p.name] = pointer(k, argument, real if p.kind == "T" else p.kind)
        else:
            given[p.name] = Number(k, argument) if p.kind == "d" else Value(k, argument)
    ordered = [given[p.name] for p in kernel.parameters]
    kernel.body(k, Value(k, inner.args[0]), Value(k, inner.args[1]), *ordered, **options)
    k.b.ret_void()
    return inner, kinds


class Entry:
    """The builtin being written, `f(self, arguments, count)`: it may refuse its arguments until `finish`."""

    def __init__(self, module: ir.Module, name: str, real: str):
        self.function = ir.Function(module, ir.FunctionType(PTR, [PTR, PTR, I64]), name)
        self.k = Emitter(module, ir.IRBuilder(self.function.append_basic_block("entry")), computed_in(real))
        self.refuse = self.function.append_basic_block("refuse")
        self.words = _field(self.k, self.function.args[0], DATA, PTR)
        self.count = Value(self.k, self.function.args[2])

    def constant(self, row: int) -> ir.Value:
        """A word of llvm.table()."""
        b = self.k.b
        return b.load(b.gep(self.words, [ir.Constant(I64, row)], source_etype=I64), typ=I64)

    def require(self, condition: Value) -> None:
        """Refuse the arguments unless the condition holds."""
        on = self.function.append_basic_block("good")
        self.k.b.cbranch(condition.v, on, self.refuse)
        self.k.b.position_at_end(on)

    def item(self, i: Any, kind: int) -> ir.Value:
        """Argument number i, which must be of the type in that row of llvm.table()."""
        b = self.k.b
        item = b.load(b.gep(self.function.args[1], [self.k.int(i).v], source_etype=PTR), typ=PTR)
        type_ = Value(self.k, b.ptrtoint(_field(self.k, item, H - 8, PTR), I64))
        self.require(type_ == Value(self.k, self.constant(kind)))
        return item

    def integer(self, i: Any) -> Value:
        """Argument number i, a size or count."""
        item = self.item(i, table.INT)
        fn = self.k.b.inttoptr(self.constant(table.AS_INT), PTR)
        value = Value(self.k, self.k.call_pointer(fn, ir.FunctionType(I64, [PTR]), [item]))
        self.require(value >= 0)  # an int that does not fit gives -1 and sets an error
        return value

    def real(self, i: Any) -> ir.Value:
        """Argument number i, a float."""
        return _field(self.k, self.item(i, table.FLOAT), H, F64)

    def array(self, i: Any, p: Parameter, real: str) -> tuple[ir.Value, Value]:
        """(address, number of elements) of argument number i, an array as the parameter says."""
        item = self.item(i, table.NDARRAY)
        kind = real if p.kind == "T" else p.kind
        if kind == "bf":
            numbers = [Value(self.k, self.constant(table.BFLOAT16)).cast("i4").v]
        else:
            numbers = [ir.Constant(I32, n) for n in NUMPY_NUMBERS[kind]]
        size = _check_array(self.k, item, p, numbers, self.require)
        return _field(self.k, item, DATA, PTR), size

    def finish(self, part: ir.Function, context: ir.Value, work: Value, total: Value) -> None:
        """Run part(context, 0, work), by several threads if the total cost is worth it, and return True."""
        k, b, constant = self.k, self.k.b, self.constant
        large = total >= PARALLEL_FROM
        small_block, large_block, end = (self.function.append_basic_block(n) for n in ("small", "large", "end"))
        b.cbranch(large.v, large_block, small_block)
        b.position_at_end(small_block)
        b.call(part, [context, ir.Constant(I64, 0), work.v])
        b.branch(end)
        b.position_at_end(large_block)
        # A long run gives the interpreter lock away, as NumPy does.
        thread = k.call_pointer(b.inttoptr(constant(table.SAVE), PTR), ir.FunctionType(PTR, []), [])
        parts = k.minimum(k.minimum(total // GRAIN, 64), work)
        run = ir.FunctionType(ir.VoidType(), [PTR, PTR, PTR, I64, I64])
        state = b.inttoptr(constant(table.POOL_STATE), PTR)
        k.call_pointer(b.inttoptr(constant(table.POOL_RUN), PTR), run, [state, part, context, work.v, parts.v])
        k.call_pointer(b.inttoptr(constant(table.RESTORE), PTR), ir.FunctionType(ir.VoidType(), [PTR]), [thread])
        b.branch(end)

        for block, answer in ((end, 1), (self.refuse, 0)):
            b.position_at_end(block)
            if block is self.refuse:
                k.call_pointer(b.inttoptr(constant(table.CLEAR), PTR), ir.FunctionType(ir.VoidType(), []), [])
            fn = b.inttoptr(constant(table.BOOL), PTR)
            b.ret(k.call_pointer(fn, ir.FunctionType(PTR, [I64]), [ir.Constant(I64, answer)]))


def _write_entry(kernel: Kernel, module: ir.Module, name: str, present: list[Parameter], real: str, part: ir.Function,
                 options: dict[str, Any]) -> None:  # fmt: skip
    entry = Entry(module, name, real)
    k, b = entry.k, entry.k.b
    context = k.reserve(max(1, len(present)))
    entry.require(entry.count == len(present))
    values: dict[str, Value] = {}
    sizes: dict[str, Value] = {}
    for i, p in enumerate(present):
        slot = b.gep(context, [ir.Constant(I64, i)], source_etype=I64)
        if p.kind == "n":
            values[p.name] = entry.integer(i)
            b.store(values[p.name].v, slot)
        elif p.kind == "d":
            b.store(entry.real(i), slot)
        else:
            address, sizes[p.name] = entry.array(i, p, real)
            b.store(address, slot)

    def product(names: Any) -> Value:
        total = k.int(1)
        for factor in names:
            total = total * (int(factor) if factor.isdigit() else values[factor])
        return total

    checked: list[set[str]] = []
    for p in present:
        if p.size:
            entry.require(sizes[p.name] == product(p.size))
            named = [f for f in p.size if not f.isdigit()]
            if len(named) > 1 and set(named) not in checked:  # a product of huge numbers must not come round to this
                checked.append(set(named))
                magnitude = k.lift(1.0, "f8")
                for factor in named:
                    magnitude = magnitude * values[factor].cast("f8")
                entry.require(magnitude < 2.0**60)
    if kernel.fits:
        chosen = {n: o.default for n, o in inspect.signature(kernel.body).parameters.items()} | options | values
        for condition in kernel.fits(*[chosen[n] for n in inspect.signature(kernel.fits).parameters]):
            entry.require(condition)
    work = product(kernel.work.split("*"))
    entry.finish(part, context, work, work * product(kernel.cost))


def _field(k: Emitter, base: ir.Value, offset: int, kind: ir.Type) -> ir.Value:
    return k.b.load(k.b.gep(base, [ir.Constant(I64, offset)], source_etype=I8), typ=kind)


def _check_array(k: Emitter, item: ir.Value, p: Parameter, numbers: list[ir.Value], require: Any) -> Value:
    """Refuse an array of another type, layout or byte order; returns its number of elements."""
    wanted = (ALIGNED if p.strided else CONTIGUOUS | ALIGNED) | (WRITEABLE if p.written else 0)
    fn = k.module.globals.get("array_size") or _write_array_size(k)
    size = Value(k, k.b.call(fn, [item, numbers[0], numbers[-1], ir.Constant(I32, wanted)]))
    require(size >= 0)
    return size


def _write_array_size(k: Emitter) -> ir.Function:
    """size(array, type number, another, flags), shared by all arrays: code for each would be most of the module."""
    fn = ir.Function(k.module, ir.FunctionType(I64, [PTR, I32, I32, I32]), "array_size")
    fn.linkage = "internal"
    fn.attributes.add("noinline")
    k = Emitter(k.module, ir.IRBuilder(fn.append_basic_block("entry")), k.real)
    item, number, other, wanted = fn.args[0], *(Value(k, a) for a in fn.args[1:])
    descr = _field(k, item, DESCR, PTR)
    found = Value(k, _field(k, descr, TYPE_NUMBER, I32))
    order = Value(k, _field(k, descr, BYTE_ORDER, I8))
    flags = Value(k, _field(k, item, FLAGS, I32))
    fits = ((found == number) | (found == other)) & ((order == ord("=")) | (order == ord("|")))
    dims = Pointer(k, _field(k, item, DIMS, PTR), "i8")
    size = k.cell(1, "i8")
    for d in k.range(Value(k, _field(k, item, NDIM, I32)).cast("i8"), vectorize=False, unroll=False):
        size.set(size.get() * dims[d])
    k.b.ret(k.select(fits & ((flags & wanted) == wanted), size.get(), -1).v)
    return fn
