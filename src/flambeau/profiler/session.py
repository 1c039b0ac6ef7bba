"""One stretch of time that is profiled: begins, ends, and gives its events. There is one at a time in a process."""

from __future__ import annotations

import contextlib
import gc
import itertools
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from ..autograd.engine import next_number
from ..errors import StateError
from ..kernels.notes import Notes
from .details import Details
from .events import EventList
from .exchange import Exchange
from .kernels import Listener
from .parse import COLLECTION, Parser
from .watched import watches

_lock = threading.Lock()
_running: Session | None = None
_notes: Notes | None = None
_exchange: Exchange | None = None  # without details: the same for all profiles


def notes() -> Notes:
    """The notes of this process: native code has one place to write them to."""
    global _notes
    if _notes is None:
        numbers: Any = next_number.__self__  # type: ignore[attr-defined]
        assert isinstance(numbers, itertools.count)
        _notes = Notes(numbers)
    return _notes


def running() -> bool:
    """Whether a profile is being taken."""
    return _running is not None


def _collects(phase: str, info: dict) -> None:
    """Note when the garbage collector goes through all objects, which takes long enough to be seen."""
    if info["generation"] == 2:
        (notes().begin if phase == "start" else notes().end)(COLLECTION)


def note_stack(frame: FrameType) -> None:
    """Where a block stands that has ended just now."""
    details = _running.details if _running is not None else None
    if details is not None:
        details.note_stack(frame)


class Session:
    """Arguments: what is noted of each call beside its time."""

    def __init__(self, record_shapes: bool, profile_memory: bool, with_flops: bool, with_stack: bool):
        self.profile_memory, self.with_flops, self.with_stack = profile_memory, with_flops, with_stack
        self.options = record_shapes, profile_memory, with_flops, with_stack
        self.events = EventList()
        self.memory: list[tuple[float, int, int]] = []  # (time, thread, bytes) allocated, or freed if negative
        self.started = self.ended = 0
        self.duration = 0.0  # in microseconds, without what the profiler itself took for details
        self.details: Details | None = None

    def start(self) -> None:
        """Begin; StateError where another profile runs."""
        global _running, _exchange
        with _lock:
            if _running is not None:
                raise StateError(
                    "a profile is already being taken",
                    why="functions are watched by one profiler at a time, in all threads",
                    fix="leave the other profile first, or use `record_function('name')` inside of it to mark a part",
                )
            self.details = Details(notes(), *self.options) if any(self.options) else None
            if self.details is not None:
                self.exchange = Exchange(watches(), notes(), self.details)
            else:
                # Classes of nodes and optimizers may have come since the last time.
                found = watches()
                if _exchange is None or _exchange.count != len(found):
                    _exchange = Exchange(found, notes())
                self.exchange = _exchange
            self.listener = Listener(notes())
            _running = self
        notes().start()
        gc.callbacks.append(_collects)
        self.listener.on()
        self.exchange.on()
        self.started = time.perf_counter_ns()

    def stop(self, keep: bool = True) -> None:
        """End, and work the events out unless they are not to be kept."""
        global _running
        self.ended = time.perf_counter_ns()
        self.exchange.off()
        self.listener.off()
        gc.callbacks.remove(_collects)
        with _lock:
            _running = None
        if self.details is not None and self.details.memory is not None:
            self.details.memory.close()
        entries = notes().read()
        if not keep:
            return
        parser = Parser(self.started, self.ended)
        with _no_collection():
            self.events = EventList(parser.parse(entries), self.profile_memory, self.with_flops)
        self.memory, self.duration = parser.memory, parser.duration


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Let the garbage collector rest: so many objects are made and kept that it would take most of the time."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()
