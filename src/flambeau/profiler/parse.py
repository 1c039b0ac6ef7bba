"""From notes to events: which call ran in which, what it is called, and to what layer and line it belongs.

A node of a backward pass belongs where its forward was: nodes are numbered, and every note of a beginning holds the
number that the next node would have got (kernels/notes.py).
"""

from __future__ import annotations

import bisect
from types import CodeType
from typing import Any

from ..autograd.engine import Node
from ..compiler import program
from ..compiler.function import Compiled
from ..compiler.plan import Segment
from ..kernels.notes import END, Entry
from ..nn.modules.module import Module
from ..ops.primitive import Primitive
from .details import DETAIL, FREED, Detail, line_number, short_path
from .events import FunctionEvent
from .exchange import Watch
from .kernels import Kernel, kernel_of, kernels_of

STEP = "ProfilerStep#"
_APART = ("data", "optimizer", "checks", "gc")  # kinds of events that belong to no layer, with all that runs in them
COLLECTION = "gc: all objects"
_PREFIXES = {
    "Optimizer.": "optimizer",
    "LRScheduler.": "optimizer",
    "enumerate(DataLoader)": "data",
    STEP: "step",
    COLLECTION: "gc",
}


class Label(str):
    """A name that the program gave."""


class Parser:
    """Makes events of the notes of one profile. `started`: the time that is 0 in the events."""

    def __init__(self, started: int, ended: int):
        self.started, self.ended = started, ended
        self.events: list[FunctionEvent] = []
        self.open: dict[int, list[tuple[FunctionEvent, Any]]] = {}  # by thread
        self.last: dict[int, tuple[FunctionEvent, int]] = {}  # the call that ended last in a thread, and when
        self.lost: dict[int, int] = {}  # nanoseconds that the profiler itself has taken so far in a thread
        self.details: dict[FunctionEvent, Detail] = {}
        self.modules: dict[FunctionEvent, Any] = {}
        self.names: dict[int, dict[int, str]] = {}  # root -> module -> path
        self.memory: list[tuple[float, int, int]] = []  # (time, thread, bytes), freed if negative
        self.kernels: dict[int, list[Kernel]] = {}
        self.frames: dict[tuple[int, int], tuple[str, str]] = {}
        self.kept: list[Any] = []  # what must live while ids stand for it

    def parse(self, entries: list[Entry]) -> list[FunctionEvent]:
        """All events, in the order of their beginnings."""
        threads: dict[int, int] = {}
        for now, what, ident, number, times in entries:
            thread = threads.setdefault(ident, len(threads) + 1)
            lost = self.lost.get(thread, 0) + self.started
            if number == END:
                self._ends(what, thread, now)
            elif number == DETAIL:
                self._detailed(what, thread, now)
            elif times:
                self._launched(what, thread, [(t - lost) / 1e3 for t in times])
            elif number == FREED:
                self._memory(thread, (now - lost) / 1e3, -what)
            else:
                self._begins(what, thread, (now - lost) / 1e3, number)
        for thread, stack in self.open.items():
            for event, _ in stack:  # calls that had not ended
                event.time_range.end = self._time(self.ended, thread)
        self._merge()
        self._attribute()
        self._count_once()
        for event in reversed(self.events):  # children come after their parents
            event.cpu_memory_usage += event.self_cpu_memory_usage
            if event.cpu_parent is not None:
                event.cpu_parent.cpu_memory_usage += event.cpu_memory_usage
        return self.events

    def _time(self, now: int, thread: int) -> float:
        """Microseconds from the beginning, without those that the profiler has taken for details."""
        return (now - self.started - self.lost.get(thread, 0)) / 1e3

    @property
    def duration(self) -> float:
        """Of the whole, in microseconds, by the clock of the thread that was heard first."""
        return self._time(self.ended, 1)

    # ------------------------------------------------------------------ the tree

    def _begins(self, what: Any, thread: int, at: float, number: int) -> None:
        kind, name = _named(what)
        event = self._event(name, kind, thread, at, at, number)
        self.open.setdefault(thread, []).append((event, what))
        if kind == "module":
            self.modules[event] = what
        elif kind == "kernel":
            self._kernel(event, kernel_of(what))

    def _event(self, name: str, kind: str, thread: int, start: float, end: float, number: int) -> FunctionEvent:
        event = FunctionEvent(len(self.events), name, kind, thread, start, end, number)
        self.events.append(event)
        stack = self.open.get(thread)
        if stack:
            parent = stack[-1][0]
            event.cpu_parent = parent
            parent.cpu_children.append(event)
            event.scope = parent.scope
        if kind in ("node", "backward"):
            event.scope = 1
        return event

    def _ends(self, what: Any, thread: int, now: int) -> None:
        stack = self.open.get(thread, [])
        if not any(begun is what for _, begun in stack):
            self.last.pop(thread, None)
            return  # begun before the profile
        while True:
            event, begun = stack.pop()
            event.time_range.end = self._time(now, thread)
            if begun is what:
                break
        self.last[thread] = event, now

    def _launched(self, segment: Segment, thread: int, times: list[float]) -> None:
        """Kernels of a compiled step have run."""
        known = self.kernels.get(id(segment))
        if known is None:
            known = self.kernels[id(segment)] = kernels_of(segment)
            self.kept.append(segment)
        for kernel, start, end in zip(known, times[:-1], times[1:], strict=True):
            self._kernel(self._event(kernel.name, "kernel", thread, start, end, -1), kernel)

    def _kernel(self, event: FunctionEvent, kernel: Kernel) -> None:
        event.flops, event.origins = kernel.flops, kernel.origins
        event.scope = int(kernel.backward or event.scope)

    # ------------------------------------------------------------------ what is known beyond times

    def _detailed(self, detail: Detail, thread: int, now: int) -> None:
        if thread not in self.last:
            return
        event, ended = self.last.pop(thread)
        self.lost[thread] = self.lost.get(thread, 0) + now - ended
        self.details[event] = detail
        event.input_shapes = detail.shapes
        event.flops = detail.flops
        event.stack = [self._frame(*frame)[0] for frame in detail.stack]
        if detail.allocated:
            event.self_cpu_memory_usage += detail.allocated
            self.memory.append((event.time_range.end, thread, detail.allocated))

    def _frame(self, code: CodeType, lasti: int) -> tuple[str, str]:
        """(`file.py(12): function`, `file.py:12`) of a frame."""
        found = self.frames.get((id(code), lasti))
        if found is None:
            file, line = short_path(code.co_filename), line_number(code, lasti)
            found = self.frames[id(code), lasti] = f"{file}({line}): {code.co_name}", f"{file}:{line}"
            self.kept.append(code)
        return found

    def _memory(self, thread: int, at: float, count: int) -> None:
        """Memory was freed: the call that is running did it."""
        self.memory.append((at, thread, count))
        stack = self.open.get(thread)
        event = stack[-1][0] if stack else self._event("[memory]", "memory", thread, at, at, -1)
        event.self_cpu_memory_usage += count

    def _attribute(self) -> None:
        """Layer and line of each event."""
        begun = [e for e in self.events if e.sequence_nr >= 0 and e.kind not in ("node", "backward")]
        numbers = [e.sequence_nr for e in begun]
        pulled: dict[FunctionEvent, FunctionEvent] = {}  # backward pass -> its last node so far
        for event in self.events:
            source = event.cpu_parent
            if event.kind == "node":
                at = bisect.bisect_right(numbers, event.sequence_nr) - 1
                forward = begun[at] if at >= 0 and begun[at].scope == 0 else None
                event.module, event.line = (forward.module, forward.line) if forward else (None, None)
                event.forward = forward
                if source is not None and source.kind == "backward":
                    pulled[source] = event
                if forward is not None:
                    event.fwd_thread, event.stack = forward.thread, forward.stack
                continue
            if source is not None:
                # What the engine does with a node's gradients (sums of several, of broadcast ones) is that node's.
                source = pulled.get(source, source)
                event.module, event.line = source.module, source.line
            event.apart = event.kind if event.kind in _APART else source.apart if source is not None else ""
            if event.apart:
                event.module = None
            elif event.kind == "module":
                event.module = self._path(event)
            detail = self.details.get(event)
            if detail is not None and detail.stack and (event.scope == 0 or event.kind == "backward"):
                event.line = self._frame(*detail.stack[0])[1]
        for event in self.events:
            if event.kind not in ("op", "node"):
                event.sequence_nr = -1

    def _path(self, event: FunctionEvent) -> str:
        """The path of a module from the outermost one that runs: `Net.features.3`."""
        module, root, outer = self.modules[event], None, event.cpu_parent
        while outer is not None:
            if outer.kind == "module":
                root = self.modules[outer]
            outer = outer.cpu_parent
        if root is None:
            return type(module).__name__
        names = self.names.get(id(root))
        if names is None:
            names = self.names[id(root)] = {id(m): name for name, m in root.named_modules()}
        name = names.get(id(module))
        if name is None:
            return type(module).__name__
        return f"{type(root).__name__}.{name}" if name else type(root).__name__

    def _merge(self) -> None:
        """An operation that consists of another of the same name, and of nothing else, is one."""
        gone = set()
        for event in reversed(self.events):
            parent = event.cpu_parent
            if parent is not None and parent.name == event.name and len(parent.cpu_children) == 1:
                parent.cpu_children = event.cpu_children
                for child in event.cpu_children:
                    child.cpu_parent = parent
                parent.self_cpu_memory_usage += event.self_cpu_memory_usage
                parent.flops = parent.flops or event.flops
                gone.add(event.id)
        if gone:
            self.events = [event for event in self.events if event.id not in gone]
        for i, event in enumerate(self.events):
            event.id = i

    def _count_once(self) -> None:
        """Operations count where they are counted first: for a function as a whole, not for what it is made of."""
        covered: set[int] = set()
        for event in self.events:
            parent = event.cpu_parent
            if parent is not None and (parent.id in covered or (parent.kind in ("op", "node") and parent.flops)):
                covered.add(event.id)
                event.flops = 0


def _named(what: Any) -> tuple[str, str]:
    """(kind, name) of what was noted."""
    if isinstance(what, Watch):
        return what.kind, what.name
    if isinstance(what, Label):
        return "user", what
    if isinstance(what, str):
        return next(kind for start, kind in _PREFIXES.items() if what.startswith(start)), what
    if isinstance(what, Module):
        return "module", f"nn.Module: {type(what).__name__}"
    if isinstance(what, Primitive):
        return "op", f"aten::{what.name}"
    if isinstance(what, program.Node):
        return "kernel", kernel_of(what).name
    if isinstance(what, Compiled):
        return "compiled", f"compiled: {what.label}"
    if issubclass(what, Node):
        return "node", what.__name__
    return "op", what.__name__
