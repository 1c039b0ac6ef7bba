"""Vectors in kernels: loads and stores of whole vectors, of their first lanes, or of elements at any distance."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from .emit import I32, I64, PTR, SIZES, TYPES, Emitter, Value, lanes_of, mangled, vector


def _intrinsic(k: Emitter, name: str, result: ir.Type, args: list[ir.Value], fastmath: tuple[str, ...] = ()) -> Value:
    fn = k.module.globals.get(name)
    if fn is None:
        fn = ir.Function(k.module, ir.FunctionType(result, [a.type for a in args]), name)
    return Value(k, k.b.call(fn, args, fastmath=fastmath))


def _lanes(kind: ir.Type, values: Any) -> ir.Value:
    values = list(values)
    return ir.Constant(ir.VectorType(kind, len(values)), values)


def first_lanes(k: Emitter, count: Value, lanes: int) -> Value:
    """The mask of the first `count` of so many lanes."""
    most = k.minimum(count, lanes).cast("i4")
    return Value(k, k.b.icmp_signed("<", _lanes(I32, range(lanes)), k.splat(most, lanes).v))


def _addresses(k: Emitter, address: Value, stride: Value, lanes: int) -> ir.Value:
    """Vector of pointers to elements that lie `stride` bytes apart."""
    steps = k.splat(stride, lanes) * Value(k, _lanes(I64, range(lanes)))
    return k.b.inttoptr((k.splat(address, lanes) + steps).v, ir.VectorType(PTR, lanes))


def _each(k: Emitter, address: Value, stride: Value, lanes: int) -> list[ir.Value]:
    """The pointers of `_addresses` one by one, in fours that share a base."""
    fours = [address + stride * first for first in range(0, lanes, 4)]
    return [k.b.inttoptr((fours[i // 4] + stride * (i % 4)).v, PTR) for i in range(lanes)]


def load(k: Emitter, address: Value, kind: str, lanes: int, stride: Value | None, mask: Value | None) -> Value:
    """A vector from memory, as it lies there.

    Arguments:
        address: of the first element, as an integer. stride: bytes between elements; None: they are neighbours.
        mask: lanes to be read, the others are 0; None: all.
    """
    wide = vector(TYPES[kind], lanes)
    align = ir.Constant(I32, SIZES[kind])
    zero = ir.Constant(wide, None)
    if stride is not None and mask is None:  # faster than a gather
        made = ir.Constant(wide, ir.Undefined)
        for i, place in enumerate(_each(k, address, stride, lanes)):
            one = k.b.load(place, typ=TYPES[kind], align=SIZES[kind])
            made = k.b.insert_element(made, one, ir.Constant(I32, i))
        return Value(k, made)
    if mask is None:
        return Value(k, k.b.load(k.b.inttoptr(address.v, PTR), typ=wide, align=SIZES[kind]))
    if stride is None:
        place = k.b.inttoptr(address.v, PTR)
        return _intrinsic(k, f"llvm.masked.load.{mangled(wide)}.p0", wide, [place, align, mask.v, zero])
    places = _addresses(k, address, stride, lanes)
    return _intrinsic(k, f"llvm.masked.gather.{mangled(wide)}.v{lanes}p0", wide, [places, align, mask.v, zero])


def store(k: Emitter, address: Value, value: Value, kind: str, stride: Value | None, mask: Value | None) -> None:
    """Store a vector; as `load`."""
    lanes = lanes_of(value.type) or 1
    align = ir.Constant(I32, SIZES[kind])
    if stride is not None and mask is None:
        for i, place in enumerate(_each(k, address, stride, lanes)):
            k.b.store(k.b.extract_element(value.v, ir.Constant(I32, i)), place, align=SIZES[kind])
    elif mask is None:
        k.b.store(value.v, k.b.inttoptr(address.v, PTR), align=SIZES[kind])
    elif stride is None:
        name = f"llvm.masked.store.{mangled(value.type)}.p0"
        _intrinsic(k, name, ir.VoidType(), [value.v, k.b.inttoptr(address.v, PTR), align, mask.v])
    else:
        places = _addresses(k, address, stride, lanes)
        name = f"llvm.masked.scatter.{mangled(value.type)}.v{lanes}p0"
        _intrinsic(k, name, ir.VoidType(), [value.v, places, align, mask.v])


def halves(k: Emitter, x: Value) -> tuple[Value, Value]:
    """The lower and the upper lanes of a vector."""
    count = lanes_of(x.type) or 2
    none = ir.Constant(x.type, ir.Undefined)
    parts = [range(count // 2), range(count // 2, count)]
    low, high = (Value(k, k.b.shuffle_vector(x.v, none, _lanes(I32, p))) for p in parts)
    return low, high


def fold(k: Emitter, x: Value, combine: Any) -> Value:
    """All lanes combined into one, in a fixed order: halves with each other until one is left."""
    while (lanes_of(x.type) or 1) > 1:
        x = combine(*halves(k, x))
    return Value(k, k.b.extract_element(x.v, ir.Constant(I32, 0))) if lanes_of(x.type) else x
