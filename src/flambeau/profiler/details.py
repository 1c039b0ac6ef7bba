"""What is noted of a call beyond its time, where it is asked for: shapes, operations, memory, and where it was made."""

from __future__ import annotations

import gc
import os
import weakref
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

from ..arrays import owner
from ..kernels.notes import Notes
from ..place import NEVER, kind_of
from ..tensor import Tensor
from . import flops
from .exchange import Watch

DETAIL, FREED = -2, -3  # numbers of notes: a `Detail` of the call that ended last, and the size of freed memory


class Detail(NamedTuple):
    """shapes: of each argument, [] for what is no tensor; stack: (code, instruction) of the user's frames, innermost
    first; allocated: bytes of new tensors that outlive the call."""

    shapes: list
    flops: int
    stack: list[tuple[CodeType, int]]
    allocated: int


class Details:
    """Notes a `Detail` after each call. Arguments: what of it is wanted."""

    def __init__(self, notes: Notes, shapes: bool, memory: bool, flops: bool, stack: bool):
        self.notes, self.shapes, self.flops, self.stack = notes, shapes, flops, stack
        self.memory = Memory(notes) if memory else None

    def __call__(self, watch: Watch, made: Any, arguments: tuple, frame: FrameType) -> None:
        given = arguments[1:] if watch.subject == "self" else arguments
        found = Detail(
            shapes=[shape_of(a) for a in given] if self.shapes else [],
            flops=_operations(watch, made, arguments) if self.flops else 0,
            stack=user_frames(frame) if self.stack and watch.kind not in ("node", "leaf") else [],
            allocated=0 if self.memory is None else self.memory.made(watch, made, arguments),
        )
        self.notes.begin(found, DETAIL)

    def note_stack(self, frame: FrameType) -> None:
        """Of a block that has ended, all that is known is where it stands."""
        if self.stack:
            self.notes.begin(Detail([], 0, user_frames(frame), 0), DETAIL)


def _operations(watch: Watch, made: Any, arguments: tuple) -> int:
    """The floating-point operations of a call of an operation, or of a node of a backward pass."""
    if watch.kind == "node":
        node, g, wanted = arguments
        name = getattr(getattr(node, "op", None), "name", "")
        out = g._array.shape if isinstance(g, Tensor) else ()
        kept = node.saved or {} if name else {}
        tensors = [
            edge[2] if edge is not None else kept[i][0]._array.shape if i in kept else ()
            for i, edge in enumerate(node.edges)
        ]
        return flops.of_node(name, tensors, out, wanted)
    if watch.kind != "op":
        return 0
    name = arguments[0].name if watch.subject == "self" else watch.name.removeprefix("aten::")
    tensors = [t._array.shape for t in _tensors(arguments)]
    return flops.of_call(name, tensors, made._array.shape if isinstance(made, Tensor) else ())


def shape_of(argument: Any) -> list:
    """The sizes of a tensor, of each of several; [] for anything else, as for a number."""
    if isinstance(argument, Tensor):
        return list(argument._array.shape)
    if isinstance(argument, (list, tuple)) and argument and all(isinstance(a, Tensor) for a in argument):
        return [list(a._array.shape) for a in argument]
    return []


def user_frames(frame: FrameType | None) -> list[tuple[CodeType, int]]:
    """The frames of the program, without those of this package and of Python's own library; the innermost first."""
    found = []
    while frame is not None:
        code = frame.f_code
        if kind_of(code.co_filename) != NEVER:
            found.append((code, frame.f_lasti))
        frame = frame.f_back
    return found


def line_number(code: CodeType, lasti: int) -> int:
    """The line of an instruction."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


def short_path(file: str) -> str:
    """A file's path from the working directory on, if it lies there."""
    try:
        inside = os.path.relpath(file) if os.path.isabs(file) else file
    except (OSError, ValueError):  # no working directory any more, or another drive
        return file
    return file if inside.startswith(os.pardir) else inside


class Memory:
    """Which arrays came into being, and when they went.

    What counts is the memory of tensors: an array that is none of the arguments', and was not there before.
    """

    def __init__(self, notes: Notes):
        self.notes = notes
        self.known: dict[int, weakref.ref] = {}
        for thing in gc.get_objects():
            if issubclass(type(thing), Tensor) and "_array" in thing.__dict__:
                self._new(owner(thing._array))

    def made(self, watch: Watch, made: Any, arguments: tuple) -> int:
        """Bytes of the tensors that a call has made and not freed."""
        tensors = [t for t in _tensors(made)]
        if watch.kind == "leaf":
            tensors = _tensors(arguments[0]._grad)
        elif watch.kind == "optimizer" and arguments:
            tensors = [t for state in arguments[0].state.values() for v in state.values() for t in _tensors(v)]
        if not tensors:
            return 0
        given = {id(owner(t._array)) for a in arguments for t in _tensors(a)}
        given |= {id(owner(a)) for a in arguments if type(a) is np.ndarray}
        return sum([self._new(owner(t._array)) for t in tensors if id(owner(t._array)) not in given])

    def _new(self, array: Any) -> int:
        """The bytes of an array seen for the first time; 0 for one that is known."""
        key = id(array)
        if key in self.known or type(array) is not np.ndarray:
            return 0
        known, note, size = self.known, self.notes.begin, array.nbytes

        def freed(_: Any) -> None:
            if known.pop(key, None) is not None:
                note(size, FREED)

        known[key] = weakref.ref(array, freed)
        return size

    def close(self) -> None:
        """Look no further."""
        self.known.clear()


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [t for v in value if v is not None for t in _tensors(v)]
    return []
