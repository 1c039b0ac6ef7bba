"""Vectors in kernel bodies: whole registers of elements, for tiles that are kept in registers by hand.

Loads and stores take a mask; lanes that it leaves out are not touched in memory, and are 0 when loaded. On CPUs with
AVX-512 masks cost nothing, so one piece of code serves whole tiles and ragged edges.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .emit import CONTRACT, I1, I32, I64, PTR, SIZES, TYPES, Cell, Emitter, Pointer, Value
from .llvm import widest
from .tile import stack


class Vector(Value):
    """One register of floating-point elements."""

    __slots__ = ()

    def _binary(self, other: Any, fop: str, iop: str, swap: bool = False) -> Value:
        x, y = self.v, other.v
        return Vector(self.k, getattr(self.k.b, fop)(*((y, x) if swap else (x, y)), flags=CONTRACT))


class Lanes:
    """Vectors of one element kind, as wide as the machine's registers."""

    def __init__(self, k: Emitter, kind: str | None = None):
        self.k, self.kind = k, kind or k.real
        self.count = widest() // 8 // SIZES[self.kind]
        self.type = ir.VectorType(TYPES[self.kind], self.count)
        self.bits = ir.VectorType(I1, self.count)
        self.zero = Vector(k, ir.Constant(self.type, [0.0] * self.count))
        self.every = ir.Constant(self.bits, [1] * self.count)

    def _spread(self, value: ir.Value, kind: ir.VectorType) -> ir.Value:
        b = self.k.b
        one = b.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, self.count), [0] * self.count)
        return b.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)

    def cell(self) -> Cell:
        """A vector that a loop changes, 0 at first."""
        return Cell(self.k, self.zero)

    def room(self, vectors: int) -> Pointer:
        """Memory for some vectors on the stack of this function."""
        return stack(self.k, vectors * self.count)

    def aligned(self, p: Pointer) -> Pointer:
        """The first address from p on where a vector lies on as few cache lines as it can."""
        b, size = self.k.b, self.count * SIZES[self.kind]
        up = b.and_(b.add(b.ptrtoint(p.v, I64), ir.Constant(I64, size - 1)), ir.Constant(I64, -size))
        return Pointer(self.k, b.inttoptr(up, PTR), self.kind)

    def splat(self, value: Value) -> Vector:
        """One element in every lane."""
        return Vector(self.k, self._spread(value.v, self.type))

    def first(self, count: Any) -> ir.Value:
        """The mask of the first `count` lanes: none where it is negative, all where it is larger than a vector."""
        bounded = self.k.maximum(0, self.k.minimum(count, self.count)).cast("i4")
        number = ir.Constant(ir.VectorType(I32, self.count), list(range(self.count)))
        return self.k.b.icmp_signed("<", number, self._spread(bounded.v, number.type))

    def between(self, low: Any, high: Any) -> ir.Value:
        """The mask of the lanes low <= lane < high."""
        b = self.k.b
        return b.and_(self.first(high), b.not_(self.first(low)))

    def _intrinsic(self, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
        fn = self.k.module.globals.get(name)
        return fn or ir.Function(self.k.module, ir.FunctionType(result, arguments), name)

    def _suffix(self) -> str:
        return f"v{self.count}{ {4: 'f32', 8: 'f64'}[SIZES[self.kind]] }"

    def load(self, at: Pointer, mask: ir.Value | None = None) -> Vector:
        """The elements from `at` on; 0 in the lanes that the mask leaves out."""
        size = SIZES[self.kind]
        if mask is None:
            return Vector(self.k, self.k.b.load(at.v, typ=self.type, align=size))
        name = f"llvm.masked.load.{self._suffix()}.p0"
        fn = self._intrinsic(name, self.type, [PTR, I32, self.bits, self.type])
        return Vector(self.k, self.k.b.call(fn, [at.v, ir.Constant(I32, size), mask, self.zero.v]))

    def store(self, value: Value, at: Pointer, mask: ir.Value | None = None) -> None:
        """Write the lanes of the mask."""
        size = SIZES[self.kind]
        if mask is None:
            self.k.b.store(value.v, at.v, align=size)
            return
        name = f"llvm.masked.store.{self._suffix()}.p0"
        fn = self._intrinsic(name, ir.VoidType(), [self.type, PTR, I32, self.bits])
        self.k.b.call(fn, [value.v, at.v, ir.Constant(I32, size), mask])

    def total(self, vector: Value) -> Value:
        """The sum of the lanes."""
        element = TYPES[self.kind]
        fn = self._intrinsic(f"llvm.vector.reduce.fadd.{self._suffix()}", element, [element, self.type])
        start = ir.Constant(element, -0.0)
        return Value(self.k, self.k.b.call(fn, [start, vector.v], fastmath=("reassoc",)))

    def shuffle(self, a: Vector, b: Vector, picks: list[int]) -> Vector:
        """Lanes of a (0 ... count - 1) and b (from count on), picked by number."""
        chosen = ir.Constant(ir.VectorType(I32, self.count), picks)
        return Vector(self.k, self.k.b.shuffle_vector(a.v, b.v, chosen))

    def interleave(self, a: Vector, b: Vector) -> list[Vector]:
        """a[0] b[0] a[1] b[1] ... as two vectors."""
        n = self.count
        orders = [[start + i // 2 + i % 2 * n for i in range(n)] for start in (0, n // 2)]
        return [self.shuffle(a, b, order) for order in orders]

    def transpose(self, rows: list[Vector]) -> list[Vector]:
        """The columns of a square of vectors."""
        n, half = self.count, 1
        while half < n:
            low = [i + (n - half if i & half else 0) for i in range(n)]
            high = [i + (n if i & half else half) for i in range(n)]
            made = list(rows)
            for i in range(n):
                if not i & half:
                    made[i] = self.shuffle(rows[i], rows[i + half], low)
                    made[i + half] = self.shuffle(rows[i], rows[i + half], high)
            rows, half = made, 2 * half
        return rows

    def where(self, condition: Value) -> ir.Value:
        """The mask of all lanes where the condition holds, else of none."""
        return self._spread(condition.v, self.bits)

    def both(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The lanes in both masks."""
        return self.k.b.and_(a, b)

    def choose(self, condition: Value, a: Vector, b: Vector) -> Vector:
        """a where the condition holds, else b."""
        return Vector(self.k, self.k.b.select(condition.v, a.v, b.v))
