"""The staging language of the kernels: Python that runs once and leaves LLVM instructions behind.

A kernel body is an ordinary Python function. Run on `Value`s, `a * b + 1` emits a multiplication and an
addition, `for i in k.range(n)` emits a loop around its body, `x[i]` a load and `x[i] = v` a store. The body
may branch (in Python) on anything known while it runs (dtypes, options), never on values: `where` does that.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir

I1, I8, I16, I32, I64 = ir.IntType(1), ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)
F16, F32, F64 = ir.HalfType(), ir.FloatType(), ir.DoubleType()
PTR = ir.PointerType()
# f2 (float16) and bf (bfloat16) are loaded and stored only; nothing computes in them.
TYPES = {"f4": F32, "f8": F64, "i8": I64, "i4": I32, "i2": I16, "i1": I8, "u1": I8, "b1": I8, "p": I64,
         "f2": F16, "bf": I16}  # fmt: skip
KINDS = {F32: "f4", F64: "f8", I64: "i8", I32: "i4", I16: "i2", I8: "u1", I1: "?", F16: "f2"}
SIZES = {"f4": 4, "f8": 8, "i8": 8, "i4": 4, "i2": 2, "i1": 1, "u1": 1, "b1": 1, "p": 8, "f2": 2, "bf": 2}
_FLOATS = (ir.FloatType, ir.DoubleType)

# Multiply-add may be contracted to one FMA; nothing that changes nan, inf or signed zeros is allowed.
CONTRACT = ("contract",)
# A sum over a loop may be taken in any (but fixed) order, so that it can be kept in vector lanes.
REDUCE = ("reassoc", "contract")


def vector(kind: ir.Type, lanes: int | None) -> ir.Type:
    """The type of so many elements in one vector; of one element for None."""
    return kind if lanes is None else ir.VectorType(kind, lanes)


def element(kind: ir.Type) -> ir.Type:
    """What a vector type's lanes hold; other types as they are."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def lanes_of(kind: ir.Type) -> int | None:
    """How many lanes a vector type has; None for other types."""
    return kind.count if isinstance(kind, ir.VectorType) else None


_MANGLED = {F16: "f16", F32: "f32", F64: "f64", I8: "i8", I16: "i16", I32: "i32", I64: "i64"}


def mangled(kind: ir.Type) -> str:
    """How the names of LLVM's intrinsics spell a type."""
    lanes = lanes_of(kind)
    return ("" if lanes is None else f"v{lanes}") + _MANGLED[element(kind)]


class Value:
    """One scalar in the kernel being written, or one vector, whose lanes all do the same."""

    __slots__ = ("k", "v")

    def __init__(self, k: Emitter, v: ir.Value):
        self.k = k
        self.v = v

    @property
    def type(self) -> ir.Type:
        return self.v.type

    @property
    def kind(self) -> str:
        return KINDS[element(self.v.type)]

    @property
    def is_float(self) -> bool:
        return isinstance(element(self.v.type), _FLOATS)

    def pair(self, other: Any) -> tuple[ir.Value, ir.Value]:
        """This value and another in one type: where one is a vector, the other fills one."""
        if isinstance(other, Value) and lanes_of(other.type) and not lanes_of(self.type):
            return self.k.lift(self, other.type).v, other.v
        return self.v, self.k.lift(other, self.v.type).v

    def _binary(self, other: Any, fop: str, iop: str, swap: bool = False) -> Value:
        b = self.k.b
        x, y = self.pair(other)
        if swap:
            x, y = y, x
        if self.is_float:
            return Value(self.k, getattr(b, fop)(x, y, flags=CONTRACT))
        return Value(self.k, getattr(b, iop)(x, y))

    def __add__(self, other: Any) -> Value:
        return self._binary(other, "fadd", "add")

    def __sub__(self, other: Any) -> Value:
        return self._binary(other, "fsub", "sub")

    def __mul__(self, other: Any) -> Value:
        return self._binary(other, "fmul", "mul")

    def __rsub__(self, other: Any) -> Value:
        return self._binary(other, "fsub", "sub", swap=True)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.fdiv(*self.pair(other)))

    def __rtruediv__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.fdiv(*self.pair(other)[::-1]))

    def __floordiv__(self, other: Any) -> Value:
        """Quotient of integers that are not negative (sizes, indices)."""
        return Value(self.k, self.k.b.udiv(*self.pair(other)))

    def __mod__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.urem(*self.pair(other)))

    def __neg__(self) -> Value:
        return Value(self.k, self.k.b.fneg(self.v) if self.is_float else self.k.b.neg(self.v))

    def __and__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.and_(*self.pair(other)))

    def __or__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.or_(*self.pair(other)))

    def __xor__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.xor(*self.pair(other)))

    def __lshift__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.shl(*self.pair(other)))

    def __rshift__(self, other: Any) -> Value:
        return Value(self.k, self.k.b.ashr(*self.pair(other)))

    def _compare(self, op: str, other: Any) -> Value:
        x, y = self.pair(other)
        if self.is_float:
            # Ordered, so that a comparison with nan is false, except != which is true.
            compare = self.k.b.fcmp_unordered if op == "!=" else self.k.b.fcmp_ordered
            return Value(self.k, compare(op, x, y))
        return Value(self.k, self.k.b.icmp_signed(op, x, y))

    def __lt__(self, other: Any) -> Value:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Value:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Value:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Value:
        return self._compare(">=", other)

    def __eq__(self, other: Any) -> Value:  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: Any) -> Value:  # type: ignore[override]
        return self._compare("!=", other)

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("a kernel body cannot branch on a value; use where(condition, a, b) or k.when(condition)")

    def cast(self, kind: str | ir.Type) -> Value:
        """This value as another type; floats become integers by truncation (callers keep them in range)."""
        one = element(TYPES[kind] if isinstance(kind, str) else kind)
        b, v, frm = self.k.b, self.v, element(self.v.type)
        if frm == one:
            return self
        to = vector(one, lanes_of(v.type))
        from_float, to_float = self.is_float, isinstance(one, _FLOATS)
        if from_float and to_float:
            return Value(self.k, b.fpext(v, to) if one == F64 else b.fptrunc(v, to))
        if from_float:
            return Value(self.k, b.fptosi(v, to))
        if to_float:
            return Value(self.k, b.uitofp(v, to) if frm.width <= 8 else b.sitofp(v, to))
        if frm.width < one.width:
            return Value(self.k, b.zext(v, to) if frm.width <= 8 else b.sext(v, to))
        return Value(self.k, b.trunc(v, to))

    def bits(self) -> Value:
        """The same bits, float <-> integer."""
        to = {F32: I32, F64: I64, I32: F32, I64: F64}[element(self.v.type)]
        return Value(self.k, self.k.b.bitcast(self.v, vector(to, lanes_of(self.v.type))))


class Number(Value):
    """A loop-invariant number in float64, known not to be 0: formulas may ask `if decay:` or `decay != 0`.

    Among numbers arithmetic stays in float64; with an element of an array, in that element's type.
    """

    __slots__ = ()

    def among(self, other: Value) -> Value:
        """This number as an element of the other's type."""
        return Value(self.k, self.k.lift(self.cast(element(other.type)), other.type).v)

    def _binary(self, other: Any, fop: str, iop: str, swap: bool = False) -> Value:
        if isinstance(other, Value) and not isinstance(other, Number):
            return self.among(other)._binary(other, fop, iop, swap)
        made = super()._binary(other, fop, iop, swap)
        return Number(self.k, made.v)

    def _divided(self, other: Any, swap: bool) -> Value:
        if isinstance(other, Value) and not isinstance(other, Number):
            mine = self.among(other)
            return other / mine if swap else mine / other
        x, y = self.pair(other)[:: -1 if swap else 1]
        return Number(self.k, self.k.b.fdiv(x, y))

    def __truediv__(self, other: Any) -> Value:
        return self._divided(other, False)

    def __rtruediv__(self, other: Any) -> Value:
        return self._divided(other, True)

    def __neg__(self) -> Value:
        return Number(self.k, self.k.b.fneg(self.v))

    def _compare(self, op: str, other: Any) -> Value:
        mixed = isinstance(other, Value) and not isinstance(other, Number)
        return self.among(other)._compare(op, other) if mixed else super()._compare(op, other)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: Any) -> Any:
        if isinstance(other, int | float) and other == 0:
            return False
        return super().__eq__(other)

    def __ne__(self, other: Any) -> Any:
        if isinstance(other, int | float) and other == 0:
            return True
        return super().__ne__(other)

    __hash__ = None  # type: ignore[assignment]


class Cell:
    """A variable that a loop changes. LLVM turns it into a register."""

    __slots__ = ("k", "made", "slot", "type")

    def __init__(self, k: Emitter, start: Value):
        self.k, self.type = k, start.type
        self.made = Value if isinstance(start, Number) else type(start)  # a vector stays one
        with k.b.goto_entry_block():
            self.slot = k.b.alloca(start.type)
        self.set(start)

    def get(self) -> Value:
        return self.made(self.k, self.k.b.load(self.slot, typ=self.type))

    def set(self, value: Any) -> None:
        self.k.b.store(self.k.lift(value, self.type).v, self.slot)

    def add(self, value: Any) -> None:
        """Add in an order that LLVM may choose (the lanes of a vector)."""
        value = self.k.lift(value, self.type)
        old = self.get()
        if value.is_float:
            self.set(Value(self.k, self.k.b.fadd(old.v, value.v, flags=REDUCE)))
        else:
            self.set(old + value)

    def max(self, value: Value) -> None:
        """Keep the larger one; a nan is passed over (it shows in the sums that follow)."""
        self.set(self.k.call_intrinsic("llvm.maxnum", self.get(), value, flags=("nnan", "nsz")))


class Pointer:
    """Memory of one element type, indexed in elements."""

    __slots__ = ("k", "kind", "type", "v")

    def __init__(self, k: Emitter, v: ir.Value, kind: str):
        self.k, self.v, self.kind, self.type = k, v, kind, TYPES[kind]

    def at(self, offset: Any) -> Pointer:
        offset = self.k.lift(offset, I64)
        return Pointer(self.k, self.k.b.gep(self.v, [offset.v], source_etype=self.type), self.kind)

    def __getitem__(self, index: Any) -> Value:
        lanes = lanes_of(index.type) if isinstance(index, Value) else None
        if lanes:  # the elements at several places; they exist, whatever the lanes hold
            found = ir.Constant(vector(self.type, lanes), ir.Undefined)
            for i in range(lanes):
                at = Value(self.k, self.k.b.extract_element(index.v, ir.Constant(I32, i)))
                found = self.k.b.insert_element(found, self[at].v, ir.Constant(I32, i))
            return Value(self.k, found)
        return Value(self.k, self.k.b.load(self.at(index).v, typ=self.type, align=SIZES[self.kind]))

    def __setitem__(self, index: Any, value: Any) -> None:
        value = self.k.lift(value, self.type)
        self.k.b.store(value.v, self.at(index).v, align=SIZES[self.kind])


class Emitter:
    """Writes one LLVM function; `k` in kernel bodies."""

    def __init__(self, module: ir.Module, builder: ir.IRBuilder, real: str = "f4"):
        self.module, self.b = module, builder
        self.real = real  # the kernel's floating-point kind, 'T' in signatures

    # values

    def lift(self, x: Any, type: ir.Type | str) -> Value:
        """A Python number or value as a value of the given type; a vector stays one where its lanes are of the type."""
        if isinstance(type, str):
            type = TYPES[type]
        if isinstance(x, Value):
            if x.type == type or lanes_of(x.type) and element(x.type) == type:
                return x
            if isinstance(x, Number):
                x = x.cast(element(type))
            if isinstance(type, ir.VectorType) and x.type == type.element:
                return self.splat(x, type.count)
            if x.type != type:
                raise TypeError(f"kernel body mixes {x.type} with {type}; cast one of them")
            return x
        one = element(type)
        constant = ir.Constant(one, float(x) if isinstance(one, _FLOATS) else int(x))
        if isinstance(type, ir.VectorType):
            text = ir.FormattedConstant(type, "")  # formatted once, not lane by lane
            text.constant = "<" + ", ".join([f"{one} {constant.get_reference()}"] * type.count) + ">"
            return Value(self, text)
        return Value(self, constant)

    def splat(self, x: Value, lanes: builtins.int) -> Value:
        """A scalar in every lane of a vector."""
        wide = ir.VectorType(x.type, lanes)
        first = self.b.insert_element(ir.Constant(wide, ir.Undefined), x.v, ir.Constant(I32, 0))
        mask = ir.Constant(ir.VectorType(I32, lanes), 0)
        return Value(self, self.b.shuffle_vector(first, ir.Constant(wide, ir.Undefined), mask))

    def int(self, x: Any) -> Value:
        return self.lift(x, I64)

    def float(self, x: Any) -> Value:
        """A Python number, or a value of any type, as the kernel's floating-point kind."""
        return x.cast(self.real) if isinstance(x, Value) else self.lift(x, self.real)

    def cell(self, start: Any, kind: str | None = None) -> Cell:
        return Cell(self, start if isinstance(start, Value) else self.lift(start, TYPES[kind or self.real]))

    def call_intrinsic(self, name: str, *args: Value, flags: tuple[str, ...] = ()) -> Value:
        wide = next((a.type for a in args if lanes_of(a.type)), args[0].type)
        args = tuple([self.lift(a, wide) for a in args])
        full = f"{name}.{mangled(wide)}"
        fn = self.module.globals.get(full)
        if fn is None:
            fn = ir.Function(self.module, ir.FunctionType(args[0].type, [a.type for a in args]), full)
        return Value(self, self.b.call(fn, [a.v for a in args], fastmath=flags))

    def select(self, condition: Value, a: Any, b: Any) -> Value:
        """a where the condition holds, else b."""
        given = [x for x in (a, b) if isinstance(x, Value)]
        given.sort(key=lambda x: isinstance(x, Number))  # a number takes the other's type
        kind = vector(element(given[0].type) if given else TYPES[self.real], lanes_of(condition.type))
        return Value(self, self.b.select(condition.v, self.lift(a, kind).v, self.lift(b, kind).v))

    def choose(self, condition: Value, a: Pointer, b: Pointer) -> Pointer:
        """Place a where the condition holds, else b."""
        return Pointer(self, self.b.select(condition.v, a.v, b.v), a.kind)

    def minimum(self, x: Any, y: Any) -> Value:
        """The smaller of two integers."""
        x = self.int(x)
        y = self.int(y)
        return Value(self, self.b.select((x < y).v, x.v, y.v))

    def maximum(self, x: Any, y: Any) -> Value:
        x = self.int(x)
        y = self.int(y)
        return Value(self, self.b.select((x > y).v, x.v, y.v))

    # control

    def range(
        self,
        start: Any,
        stop: Any = None,
        step: Any = 1,
        vectorize: bool | None = None,
        unroll: bool = True,
        masked: bool = False,
    ) -> Iterator[Value]:
        """`for i in k.range(n)`: a loop whose body is what the Python loop body emits.

        vectorize: whether LLVM puts iterations into vectors (None: it decides). masked: it does, and takes the rest
        that does not fill a vector with masks instead of one by one: for long bodies and few iterations.
        """
        if stop is None:
            start, stop = 0, start
        start, stop = self.int(start), self.int(stop)
        b = self.b
        before = b.block
        body, after = b.append_basic_block("loop"), b.append_basic_block("done")
        b.cbranch((start < stop).v, body, after)
        b.position_at_end(body)
        i = b.phi(I64)
        i.add_incoming(start.v, before)
        yield Value(self, i)
        following = b.add(i, self.int(step).v, flags=("nsw",))
        i.add_incoming(following, b.block)
        branch = b.cbranch((Value(self, following) < stop).v, body, after)
        self.hint(branch, vectorize, unroll, masked)
        b.position_at_end(after)

    def hint(self, branch: Any, vectorize: bool | None = None, unroll: bool = True, masked: bool = False) -> None:
        """Tell LLVM what to do with the loop that a branch closes."""
        m, hints = self.module, []
        if masked:
            hints.append([ir.MetaDataString(m, "llvm.loop.vectorize.predicate.enable"), ir.Constant(I1, 1)])
            vectorize = True
        if vectorize is not None:
            hints.append([ir.MetaDataString(m, "llvm.loop.vectorize.enable"), ir.Constant(I1, int(vectorize))])
        if not unroll:
            hints.append([ir.MetaDataString(m, "llvm.loop.unroll.disable")])
        if hints:
            loop = ir.MDValue(m, [], name=str(len(m.metadata)))
            loop.operands = (loop, *(m.add_metadata(hint) for hint in hints))  # LLVM wants it to name itself first
            branch.set_metadata("llvm.loop", loop)

    def when(self, condition: Value) -> Iterator[None]:
        """`for _ in k.when(c)`: what the body emits runs only where c holds."""
        with self.b.if_then(condition.v):
            yield None

    def loop_while(self, condition: Callable[[], Value]) -> Iterator[None]:
        """`for _ in k.loop_while(lambda: c)`: repeats while the condition, taken anew each time, holds."""
        b = self.b
        test, body, after = b.append_basic_block("test"), b.append_basic_block("body"), b.append_basic_block("after")
        b.branch(test)
        b.position_at_end(test)
        b.cbranch(condition().v, body, after)
        b.position_at_end(body)
        yield None
        b.branch(test)
        b.position_at_end(after)

    def loop(self, start: Any, stop: Any = None, step: Any = 1) -> Iterator[Value]:
        """`range` for loops that are to stay as they are."""
        return self.range(start, stop, step, vectorize=False, unroll=False)

    # reductions

    def sum(self, n: Any, term: Callable[[Value], Value], start: Any = 0.0) -> Value:
        """term(0) + ... + term(n - 1), in vector lanes."""
        total = self.cell(start)
        for i in self.range(n):
            total.add(term(i))
        return total.get()

    def largest(self, n: Any, term: Callable[[Value], Value]) -> Value:
        """The largest of term(0) ... term(n - 1), passing over nan; -inf where n is 0."""
        best = self.cell(float("-inf"))
        for i in self.range(n):
            best.max(term(i))
        return best.get()

    # memory

    def pointer(self, address: Value, kind: str) -> Pointer:
        return Pointer(self, self.b.inttoptr(address.v, PTR), kind)

    def table(self, name: str, numbers: list[Any], kind: str = "f8") -> Pointer:
        """Constants of the module, as an array."""
        place = self.module.globals.get(name)
        if place is None:
            constant = ir.Constant(ir.ArrayType(TYPES[kind], len(numbers)), numbers)
            place = ir.GlobalVariable(self.module, constant.type, name)
            place.linkage, place.global_constant, place.initializer = "internal", True, constant
        return Pointer(self, self.b.bitcast(place, PTR), kind)

    def reserve(self, words: builtins.int) -> ir.Value:
        """Room for some 64-bit words on the stack of this function."""
        with self.b.goto_entry_block():
            slot = self.b.alloca(ir.ArrayType(I64, words))
        slot.type = PTR
        return slot

    def function(self, name: str, kinds: list[ir.Type]) -> tuple[ir.Function, Emitter | None]:
        """A function of this module, never inlined, and an emitter for its body where it is new."""
        found = self.module.globals.get(name)
        if found is not None:
            return found, None
        made = ir.Function(self.module, ir.FunctionType(ir.VoidType(), kinds), name)
        made.linkage = "internal"
        made.attributes.add("noinline")
        return made, Emitter(self.module, ir.IRBuilder(made.append_basic_block("entry")), self.real)

    def call_pointer(self, fn: ir.Value, kind: ir.FunctionType, args: list[ir.Value]) -> ir.Value:
        """Call a function of some type by its address."""
        fn.type = ir.PointerType(kind)
        return self.b.call(fn, args)

    def call_address(self, address: Value, *args: Any) -> None:
        """Call a C function of no result by its address; pointers and values are its arguments."""
        kinds = [PTR if isinstance(a, Pointer) else a.type for a in args]
        fn = self.b.inttoptr(address.v, PTR)
        self.call_pointer(fn, ir.FunctionType(ir.VoidType(), kinds), [a.v for a in args])

    def copy(self, to: Pointer, source: Pointer, count: Any) -> None:
        """Copy `count` elements between places that do not overlap."""
        fn = self.module.globals.get("llvm.memcpy.p0.p0.i64")
        if fn is None:
            fn = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [PTR, PTR, I64, I1]), "llvm.memcpy.p0.p0.i64")
        size = self.int(count) * SIZES[to.kind]
        self.b.call(fn, [to.v, source.v, size.v, ir.Constant(I1, 0)])

    def clear(self, to: Pointer, count: Any) -> None:
        """Set `count` elements to zero."""
        fn = self.module.globals.get("llvm.memset.p0.i64")
        if fn is None:
            fn = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [PTR, I8, I64, I1]), "llvm.memset.p0.i64")
        size = self.int(count) * SIZES[to.kind]
        self.b.call(fn, [to.v, ir.Constant(I8, 0), size.v, ir.Constant(I1, 0)])
