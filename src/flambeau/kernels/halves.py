"""Arrays of 16-bit floats in kernels that compute in float32: converted where they are read and written."""

from __future__ import annotations

from typing import Any

from .bodies import HALVES, convert
from .emit import Pointer, Value, lanes_of


class HalfPointer(Pointer):
    """Memory of float16 (f2) or bfloat16 (bf) whose elements are float32 to the body."""

    __slots__ = ()

    def at(self, offset: Any) -> Pointer:
        return HalfPointer(self.k, super().at(offset).v, self.kind)

    def __getitem__(self, index: Any) -> Value:
        if isinstance(index, Value) and lanes_of(index.type):
            raise TypeError("16-bit floats are not gathered; read them one by one")
        return convert(super().__getitem__(index), self.kind, "f4")

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, convert(self.k.lift(value, "f4"), "f4", self.kind))


def computed_in(real: str) -> str:
    """The kind that kernels of a storage kind compute in."""
    return "f4" if real in HALVES else real
