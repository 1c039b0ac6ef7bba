"""What a recorded step consists of: buffers, regions of them, and what was done to regions, in program order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..kernels import loops


class Buffer:
    """One allocation. `origin`: "made" in the step, a "constant" of it, or None for memory that was there before."""

    __slots__ = ("index", "address", "size", "owner", "ref", "origin", "where")

    def __init__(self, index: int, address: int, size: int):
        self.index, self.address, self.size = index, address, size
        self.owner: Any = None  # the array that owns the memory, held for what outlives the step
        self.ref: Any = None
        self.origin: str | None = None
        self.where = ""  # the line that first used memory of unknown origin

    def __repr__(self) -> str:
        return f"b{self.index}"


class Region(NamedTuple):
    """A part of a buffer, seen as an array: byte offset, shape, strides in bytes, dtype."""

    buffer: Buffer
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def dense(self) -> bool:
        """Whether the elements lie one after the other in C order."""
        expected = self.dtype.itemsize
        for n, s in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1 and s != expected:
                return False
            expected *= n
        return True

    def span(self) -> tuple[int, int]:
        """First byte and end of what it touches within the buffer."""
        low = high = self.offset
        for n, s in zip(self.shape, self.strides, strict=True):
            if n == 0:
                return self.offset, self.offset
            if s < 0:
                low += (n - 1) * s
            else:
                high += (n - 1) * s
        return low, high + self.dtype.itemsize

    def overlaps(self, other: Region) -> bool:
        """Whether both may touch the same bytes."""
        if self.buffer is not other.buffer:
            return False
        a, b = self.span(), other.span()
        return a[0] < b[1] and b[0] < a[1]


@dataclass
class Node:
    """Something done: what it reads, what it writes, and the operation it belongs to."""

    reads: list[Region]
    writes: list[Region]
    name: str = ""
    origins: tuple = field(default=(), kw_only=True)  # of what it does: see origins.py
    backward: bool = field(default=False, kw_only=True)  # whether it was recorded in a backward pass


@dataclass
class Launch(Node):
    """A kernel's part function with its arguments: regions, ints and floats, in the order of its parameters."""

    kernel: Any = None
    real: str = "f4"
    absent: tuple[str, ...] = ()
    options: dict = field(default_factory=dict)
    args: list = field(default_factory=list)


@dataclass
class Map(Node):
    """A scalar body over an index space: outs[i] = value of instruction results[i] at every place.

    Reads are broadcast to `shape`; a write with reduce[i] set is reduced by it ("sum", "max"...) over `axes[i]`, and
    its region has stride 0 there.
    """

    shape: tuple[int, ...] = ()
    body: tuple = ()
    results: list[int] = field(default_factory=list)
    numbers: list = field(default_factory=list)
    reduce: list = field(default_factory=list)
    axes: list = field(default_factory=list)


@dataclass
class Looped(Node):
    """A fused loop that an operation has run (kernels/loops.py), on arrays; becomes a Map."""

    loop: Any = None
    args: list = field(default_factory=list)  # inputs, then outputs
    numbers: tuple = ()
    reduced: tuple[int, ...] = ()
    keepdims: bool = False

    def again(self, place: Any) -> bool:
        """Run it on other memory."""
        inputs = [place(a) for a in self.args[: len(self.loop.kinds)]]
        outputs = tuple([place(a) for a in self.args[len(self.loop.kinds) :]])
        loops.run(self.loop, inputs, self.numbers, self.reduced, self.keepdims, outputs)
        return True

    def map(self, region: Any, made: Any) -> Map:
        """The node, given functions that tell where an array lies."""
        inputs, outputs = self.args[: len(self.loop.kinds)], self.args[len(self.loop.kinds) :]
        shape = np.broadcast_shapes(*[a.shape for a in inputs])
        writes = []
        for o, a in zip(self.loop.outputs, outputs):
            write = made(a)
            if o.reduction:
                kept = iter(write.strides)
                full = len(write.shape) == len(shape)
                strides = [next(kept) if full or d not in self.reduced else 0 for d in range(len(shape))]
                strides = [0 if d in self.reduced else s for d, s in enumerate(strides)]
                write = Region(write.buffer, write.offset, shape, tuple(strides), write.dtype)
            writes.append(write)
        outs = self.loop.outputs
        return Map([region(a) for a in inputs], writes, self.name, shape, self.loop.body, [o.value for o in outs],
                   list(self.numbers), [o.reduction or None for o in outs],
                   [self.reduced if o.reduction else () for o in outs])  # fmt: skip


@dataclass
class Call(Node):
    """A Python function of arrays, called as in eager mode; its results are copied to `writes`."""

    function: Any = None
    args: Any = ()  # nested tuples and lists, with regions in place of arrays
    options: dict = field(default_factory=dict)
    where: str = ""  # the line of the program that led to it


@dataclass
class Check(Node):
    """Goes on if all of reads[0] is negative; else function(*args), an operation as in eager mode, raises its error."""

    function: Any = None
    args: Any = ()
    options: dict = field(default_factory=dict)


@dataclass
class Update(Node):
    """One optimizer formula on one parameter: reads p, g and the slots, writes p and the slots."""

    optimizer: Any = None
    group: dict = field(default_factory=dict)
    parameter: Any = None
    formula: Any = None
    numbers: dict = field(default_factory=dict)


@dataclass
class Program:
    """Everything recorded of one call."""

    nodes: list[Node]
    buffers: list[Buffer]
    problems: list[tuple[str, str]]  # (reason, line): why it cannot be replayed without Python
    actions: list  # Python functions to call at each replay, in order, before anything runs
