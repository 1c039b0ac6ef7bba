"""Notes of what is called and when, for profilers: each is an entry in memory, written by native code.

`begin(what)` and `end(what)` cost a third of what reading the clock in Python and keeping a tuple cost in the middle
of a program, where everything is slower than in a loop of its own. Without LLVM the same is done in Python.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .build import backend

WORDS = 4  # of an entry: ticks, object, thread, number
CHUNK = 1 << 15  # entries that memory is taken for at a time
CURSOR, LIMIT, COUNTER, GROW, NEEDED, STATE_SIZE = range(6)
_COUNT = object.__basicsize__  # where an `itertools.count` keeps its number
# Where the next entry goes, where memory ends, where numbers come from, who gets more memory, of how many bytes.
state = np.zeros(STATE_SIZE, np.int64)
END = -1  # the number of an end
LAUNCHES = 16  # the number of launches is minus this, minus how many ticks follow


class Entry(NamedTuple):
    """A note as it is read. `number`: END for an end; `times`: of launches, before the first and after each."""

    time: int  # nanoseconds
    what: Any
    thread: int
    number: int
    times: tuple[int, ...] = ()


class Notes:
    """Takes notes: `begin(what, number=...)` and `end(what)`; `what` is held until they are read.

    Arguments:
        numbers: an `itertools.count`. A beginning that is given no number notes the one that would come next, so that
            it can be told what was numbered before it and what later. Numbers below END are free for other notes.
    """

    begin: Callable[..., Any]
    end: Callable[..., Any]

    def __init__(self, numbers: itertools.count):
        self._chunks: list[np.ndarray] = []
        self._python: list[Entry] = []
        self._numbers = numbers
        built = _builtins() if _readable(numbers) else None
        self._native = built is not None
        if built is None:
            self.begin, self.end = self._begin, self._end
        else:
            self.begin, self.end, self._forget = built
            self._more = self._grow  # one object, whose address native code is given
            state[COUNTER], state[GROW] = id(numbers) + _COUNT, id(self._more)
            self._reference = self._pair()

    def start(self) -> None:
        """Drop what is left (of calls that ended after the last time) and begin with nothing."""
        self.read()

    def read(self) -> list[Entry]:
        """All notes taken so far, in order; they are forgotten here."""
        if not self._native:
            found, self._python[:] = self._python[:], []
            return found
        chunks = self._filled()
        return [entry for chunk in chunks for entry in self._entries(chunk, *self._rate())] if chunks else []

    # ------------------------------------------------------------------ native

    def _grow(self) -> None:
        """More memory for entries; called from native code when there is none left."""
        self._cut()
        entries = max(CHUNK, -(-int(state[NEEDED]) // (8 * WORDS)))
        chunk = np.empty((entries, WORDS), np.int64)
        self._chunks.append(chunk)
        state[CURSOR], state[LIMIT] = chunk.ctypes.data, chunk.ctypes.data + chunk.nbytes

    def _cut(self) -> None:
        """Let the last piece of memory end where the entries in it do."""
        if self._chunks:
            last = self._chunks[-1]
            self._chunks[-1] = last[: (int(state[CURSOR]) - last.ctypes.data) // (8 * WORDS)]

    def _filled(self) -> list[np.ndarray]:
        """The entries in memory, which is given up."""
        self._cut()
        chunks, self._chunks = self._chunks, []
        state[CURSOR] = state[LIMIT] = 0
        return [chunk for chunk in chunks if len(chunk)]

    def _entries(self, chunk: np.ndarray, first: int, start: int, rate: float) -> Iterator[Entry]:
        rows = chunk.tolist()
        objects: dict[int, Any] = {}
        at = 0
        while at < len(rows):
            tick, address, thread, number = rows[at]
            at += 1
            what = objects.get(address)
            if what is None:
                what = objects[address] = ctypes.cast(address, ctypes.py_object).value
            times: tuple[int, ...] = ()
            if number <= -LAUNCHES:
                count = -number - LAUNCHES
                after = at + -(-count // WORDS)
                ticks = [word for row in rows[at:after] for word in row][:count]
                times = tuple([start + round((t - first) * rate) for t in ticks])
                at = after
            yield Entry(start + round((tick - first) * rate), what, thread, number, times)
        self._forget(chunk.ctypes.data, len(rows))

    def _pair(self) -> tuple[int, int]:
        """What the native clock says, and what Python's does: ticks, nanoseconds."""
        before = time.perf_counter_ns()
        self.begin(None)
        after = time.perf_counter_ns()
        (chunk,) = self._filled()
        ticks = int(chunk[0, 0])
        self._forget(chunk.ctypes.data, 1)
        return ticks, (before + after) // 2

    def _rate(self) -> tuple[int, int, float]:
        """(ticks, nanoseconds) of one moment, and nanoseconds per tick."""
        first, start = self._reference
        ticks, now = self._pair()
        return first, start, (now - start) / (ticks - first)

    # ------------------------------------------------------------------ without LLVM

    def _begin(self, what: Any, number: int | None = None) -> None:
        number = next(self._numbers) if number is None else number
        self._python.append(Entry(time.perf_counter_ns(), what, threading.get_ident(), number))

    def _end(self, what: Any) -> None:
        self._python.append(Entry(time.perf_counter_ns(), what, threading.get_ident(), END))


def _readable(numbers: itertools.count) -> bool:
    """Whether the next number of a count lies where native code will look for it."""
    number = next(numbers)
    return ctypes.c_ssize_t.from_address(id(numbers) + _COUNT).value == number + 1


def _builtins() -> Any:
    """The builtins begin(what, number), end(what), forget(address, entries); None where there is no LLVM."""
    llvm = backend()
    if llvm is None:
        return None
    names = ("begin", "end", "forget")
    places = [llvm.address("flambeau_note_begin", "", _write), *(llvm.symbol(f"flambeau_note_{n}") for n in names[1:])]
    return [llvm.builtin(place, name) for place, name in zip(places, names, strict=True)]


@functools.cache
def _counts_cycles() -> bool:
    """Whether the processor's counter runs at one speed, on all cores: it is read in a few nanoseconds."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = next((line.split() for line in file if line.startswith("flags")), [])
    except OSError:
        return False
    return {"constant_tsc", "nonstop_tsc"} <= set(flags)


def write_tick(k: Any, call: Any) -> Any:
    """Emit code that reads the clock: cycles, or nanoseconds where these do not tell the time.

    Arguments:
        k: an `Emitter`; call: `call(row, result, *arguments)` calls a function of the table of addresses.
    """
    from llvmlite import ir

    from . import llvm as table
    from .emit import I32, I64, PTR, Pointer, Value

    if _counts_cycles():
        name = "llvm.readcyclecounter"
        counter = k.module.globals.get(name) or ir.Function(k.module, ir.FunctionType(I64, []), name)
        return Value(k, k.b.call(counter, []))
    place = k.reserve(2)
    call(table.CLOCK, I32, ir.Constant(I32, time.CLOCK_MONOTONIC), k.b.bitcast(place, PTR))
    seconds = Pointer(k, place, "i8")
    return seconds[0] * 1_000_000_000 + seconds[1]


def write_note(k: Any, call: Any, words: Any, what: Any, number: Any, ticks: Any = 0) -> Any:
    """Emit code that takes a note, with room for so many ticks behind it; gives that room, as a pointer."""
    from llvmlite import ir

    from . import llvm as table
    from .emit import I64, PTR, Value

    b, kept = k.b, k.pointer(words[table.NOTES], "i8")
    size = (k.int(1) + (k.int(ticks) + (WORDS - 1)) // WORDS) * (8 * WORDS)
    for _ in k.when(kept[CURSOR] + size > kept[LIMIT]):
        kept[NEEDED] = size
        more = call(table.CALL, PTR, b.inttoptr(kept[GROW].v, PTR))
        with b.if_then(b.icmp_unsigned("==", b.ptrtoint(more, I64), ir.Constant(I64, 0))):
            b.ret(more)  # an error: no memory
        call(table.DECREF, ir.VoidType(), more)
    place = k.pointer(kept[CURSOR], "i8")
    kept[CURSOR] = kept[CURSOR] + size
    call(table.INCREF, ir.VoidType(), what)
    place[0] = write_tick(k, call)
    place[1] = Value(k, b.ptrtoint(what, I64))
    place[2] = Value(k, call(table.THREAD, I64))
    place[3] = k.int(number)
    return place.at(WORDS)


def _write() -> str:
    from llvmlite import ir  # an optional, slow import

    from . import llvm as table
    from .emit import I64, PTR, Emitter, Value
    from .wrap import DATA, _field

    module = ir.Module("flambeau_notes")

    class Builtin:
        """A builtin `f(self, arguments, count)` that is being written."""

        def __init__(self, name: str):
            function = ir.Function(module, ir.FunctionType(PTR, [PTR, PTR, I64]), f"flambeau_note_{name}")
            self.k = k = Emitter(module, ir.IRBuilder(function.append_basic_block("entry")))
            self_, self.arguments, self.count = function.args
            self.words = k.pointer(Value(k, k.b.ptrtoint(_field(k, self_, DATA, PTR), I64)), "i8")

        def call(self, row: int, result: Any, *args: Any) -> Any:
            """Call the C function in a row of the table."""
            kind = ir.FunctionType(result, [a.type for a in args])
            return self.k.call_pointer(self.k.b.inttoptr(self.words[row].v, PTR), kind, list(args))

        def argument(self, i: int) -> Any:
            return self.k.b.load(self.k.b.gep(self.arguments, [ir.Constant(I64, i)], source_etype=PTR), typ=PTR)

        def integer(self, i: int) -> Value:
            return Value(self.k, self.call(table.AS_INT, I64, self.argument(i)))

        def done(self) -> None:
            self.k.b.ret(self.call(table.BOOL, PTR, ir.Constant(I64, 1)))

    f = Builtin("begin")  # (what), (what, number)
    number = f.k.cell(f.k.pointer(f.k.pointer(f.words[table.NOTES], "i8")[COUNTER], "i8")[0])
    for _ in f.k.when(Value(f.k, f.count) > 1):
        number.set(f.integer(1))
    write_note(f.k, f.call, f.words, f.argument(0), number.get())
    f.done()
    f = Builtin("end")  # (what)
    write_note(f.k, f.call, f.words, f.argument(0), END)
    f.done()
    f = Builtin("forget")  # (address of the first entry, entries)
    first, at, entries = f.integer(0), f.k.cell(0, "i8"), f.integer(1)
    for _ in f.k.loop_while(lambda: at.get() < entries):
        entry = f.k.pointer(first + at.get() * (8 * WORDS), "i8")
        f.call(table.DECREF, ir.VoidType(), f.k.b.inttoptr(entry[1].v, PTR))
        ticks = f.k.maximum(-entry[3] - LAUNCHES, 0)
        at.set(at.get() + 1 + (ticks + (WORDS - 1)) // WORDS)
    f.done()
    return str(module)
