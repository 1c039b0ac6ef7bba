"""The code around a kernel body: reads Python's arguments, checks every array, and shares the work out.

What it leaves to be checked by nobody: that index arrays hold good indices (kernels that gather check their own) and
that outputs do not overlap inputs (callers make the outputs).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from . import llvm as table
from . import threads
from .build import GRAIN, NUMPY_NUMBERS, PARALLEL_FROM, Kernel, Parameter
from .emit import F64, I8, I32, I64, PTR, Emitter, Number, Pointer, Value
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
    _write_entry(kernel, module, name, present, real, part)
    return str(module)


def _write_part(kernel: Kernel, module: ir.Module, name: str, present: list[Parameter], real: str,
                absent: tuple[str, ...], options: dict[str, Any]) -> ir.Function:  # fmt: skip
    """part(context, begin, end) calls the body; context is an array of 64-bit words, one per parameter.

    The body is a function of its own, whose array arguments are known not to overlap, and is inlined here.
    """
    kinds = [PTR if p.is_array else F64 if p.kind == "d" else I64 for p in present]
    inner = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64, I64, *kinds]), "body")
    inner.linkage = "internal"
    inner.attributes.add("alwaysinline")
    k = Emitter(module, ir.IRBuilder(inner.append_basic_block("entry")), real)
    given: dict[str, Any] = {a: None for a in absent}
    for p, argument in zip(present, inner.args[2:], strict=True):
        if p.is_array:
            argument.add_attribute("noalias")
            given[p.name] = Pointer(k, argument, real if p.kind == "T" else p.kind)
        else:
            given[p.name] = Number(k, argument) if p.kind == "d" else Value(k, argument)
    ordered = [given[p.name] for p in kernel.parameters]
    kernel.body(k, Value(k, inner.args[0]), Value(k, inner.args[1]), *ordered, **options)
    k.b.ret_void()

    part = ir.Function(module, PART, name)
    b = ir.IRBuilder(part.append_basic_block("entry"))
    context, begin, end = part.args
    words = []
    for i, kind in enumerate(kinds):
        words.append(b.load(b.gep(context, [ir.Constant(I64, i)], source_etype=I64), typ=kind))
    b.call(inner, [begin, end, *words])
    b.ret_void()
    return part


def _write_entry(
    kernel: Kernel, module: ir.Module, name: str, present: list[Parameter], real: str, part: ir.Function
) -> None:
    entry = ir.Function(module, ir.FunctionType(PTR, [PTR, PTR, I64]), name)
    k = Emitter(module, ir.IRBuilder(entry.append_basic_block("entry")), real)
    b = k.b
    self_, arguments, count = entry.args
    refuse = entry.append_basic_block("refuse")
    words = _field(k, self_, DATA, PTR)

    def constant(row: int) -> ir.Value:
        return b.load(b.gep(words, [ir.Constant(I64, row)], source_etype=I64), typ=I64)

    def require(condition: Value) -> None:
        on = entry.append_basic_block("good")
        b.cbranch(condition.v, on, refuse)
        b.position_at_end(on)

    context = k.reserve(max(1, len(present)))
    require(Value(k, count) == len(present))
    values: dict[str, Value] = {}
    sizes: dict[str, Value] = {}
    for i, p in enumerate(present):
        item = b.load(b.gep(arguments, [ir.Constant(I64, i)], source_etype=PTR), typ=PTR)
        type_ = Value(k, b.ptrtoint(_field(k, item, H - 8, PTR), I64))
        slot = b.gep(context, [ir.Constant(I64, i)], source_etype=I64)
        if p.kind == "n":
            require(type_ == Value(k, constant(table.INT)))
            fn = b.inttoptr(constant(table.AS_INT), PTR)
            value = Value(k, k.call_pointer(fn, ir.FunctionType(I64, [PTR]), [item]))
            require(value >= 0)  # sizes and counts; an int that does not fit gives -1 and sets an error
            values[p.name] = value
            b.store(value.v, slot)
        elif p.kind == "d":
            require(type_ == Value(k, constant(table.FLOAT)))
            b.store(_field(k, item, H, F64), slot)
        else:
            require(type_ == Value(k, constant(table.NDARRAY)))
            sizes[p.name] = _check_array(k, item, p, real, require)
            b.store(_field(k, item, DATA, PTR), slot)

    def product(names: Any) -> Value:
        total = k.int(1)
        for factor in names:
            total = total * (int(factor) if factor.isdigit() else values[factor])
        return total

    for p in present:
        if p.size:
            require(sizes[p.name] == product(p.size))

    work = product(kernel.work.split("*"))
    total = work * product(kernel.cost)
    large = total >= PARALLEL_FROM
    _limit_blas(k, kernel, constant, k.int(1))
    small_block, large_block, end = (entry.append_basic_block(n) for n in ("small", "large", "end"))
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

    for block, answer in ((end, 1), (refuse, 0)):
        b.position_at_end(block)
        if block is end:
            state = k.pointer(Value(k, constant(table.POOL_STATE)), "i8")
            _limit_blas(k, kernel, constant, state[threads.THREADS])
        if block is refuse:
            k.call_pointer(b.inttoptr(constant(table.CLEAR), PTR), ir.FunctionType(ir.VoidType(), []), [])
        fn = b.inttoptr(constant(table.BOOL), PTR)
        b.ret(k.call_pointer(fn, ir.FunctionType(PTR, [I64]), [ir.Constant(I64, answer)]))


def _limit_blas(k: Emitter, kernel: Kernel, constant: Any, number: Value) -> None:
    """Let BLAS use so many threads, if the kernel calls it."""
    if kernel.blas:
        fn = k.b.inttoptr(constant(table.BLAS_THREADS), PTR)
        k.call_pointer(fn, ir.FunctionType(ir.VoidType(), [I32]), [number.cast("i4").v])


def _field(k: Emitter, base: ir.Value, offset: int, kind: ir.Type) -> ir.Value:
    return k.b.load(k.b.gep(base, [ir.Constant(I64, offset)], source_etype=I8), typ=kind)


def _check_array(k: Emitter, item: ir.Value, p: Parameter, real: str, require: Any) -> Value:
    """Refuse an array of another type, layout or byte order; returns its number of elements."""
    numbers = NUMPY_NUMBERS[real if p.kind == "T" else p.kind]
    wanted = (ALIGNED if p.strided else CONTIGUOUS | ALIGNED) | (WRITEABLE if p.written else 0)
    fn = k.module.globals.get("array_size") or _write_array_size(k)
    given = [ir.Constant(I32, n) for n in (numbers[0], numbers[-1], wanted)]
    size = Value(k, k.b.call(fn, [item, *given]))
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
