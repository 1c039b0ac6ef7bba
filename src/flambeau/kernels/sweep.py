"""Writing rows past the caches: whole vectors, stored without fetching first what they replace.

A result larger than the cache will not be there when it is read again. Stored the usual way, each of its lines is first
fetched from memory, and pushes out one that may still be wanted: a third of the traffic of a pass that reads one array.
This file imports LLVM: the bodies import it when they run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from llvmlite import ir

from .emit import I32, I64, SIZES, Emitter, Pointer, Value
from .llvm import widest


class _Wide:
    """Memory indexed as a `Pointer` is, in vectors that start at the index."""

    def __init__(self, place: Pointer, lanes: int, past: bool = False):
        self.place, self.lanes, self.past = place, lanes, past

    def __getitem__(self, index: Value) -> Value:
        k, place = self.place.k, self.place
        kind = ir.VectorType(place.type, self.lanes)
        return Value(k, k.b.load(place.at(index).v, typ=kind, align=SIZES[place.kind]))

    def __setitem__(self, index: Value, value: Value) -> None:
        k, place = self.place.k, self.place
        store = k.b.store(value.v, place.at(index).v, align=SIZES[place.kind] * (self.lanes if self.past else 1))
        if self.past:
            store.set_metadata("nontemporal", k.module.add_metadata([ir.Constant(I32, 1)]))


Access = Callable[[Pointer], Any]


def sweep(k: Emitter, out: Pointer, cols: Value) -> Iterator[tuple[Value, Access, Access]]:
    """(j, how to access arrays, how to write `out`) for each vector of a row; element by element where it has no whole,
    aligned vectors: the loop's body is emitted twice.
    """
    lanes, size = widest() // 8 // SIZES[k.real], widest() // 8
    aligned = (Value(k, k.b.ptrtoint(out.v, I64)) % size == 0) & (cols % lanes == 0)
    with k.b.if_else(aligned.v) as (vectors, elements):
        with vectors:
            for j in k.range(0, cols, lanes, vectorize=False):
                yield j, lambda p: _Wide(p, lanes), lambda p: _Wide(p, lanes, past=True)
            k.b.fence("seq_cst")  # such stores become visible in any order: nobody must look before they all are
        with elements:
            for j in k.range(cols):
                yield j, lambda p: p, lambda p: p
