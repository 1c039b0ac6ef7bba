"""From nodes to what runs: static memory, contexts, and rows of launches (kernels/sequence.py)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import address
from ..kernels import loops, sequence
from .program import Buffer, Call, Check, Launch, Map, Node, Region
from .symbolic import KINDS

ALIGN = 64


@dataclass
class Place:
    """Where a buffer lies at run time: at a fixed address, or `shift` bytes before the data of array `slot`."""

    address: int = 0
    slot: int = -1
    shift: int = 0


@dataclass
class Segment:
    """Launches without a Python call among them."""

    rows: list[list[int]] = field(default_factory=list)
    patches: list[list[int]] = field(default_factory=list)
    cost: int = 0
    run: Any = None
    launches: list[tuple[Node, int]] = field(default_factory=list)  # (node, parts) of each row


class Contexts:
    """64-bit words that never move: kernels' contexts, the tables that they point to, partial sums."""

    def __init__(self) -> None:
        self.kept: list[np.ndarray] = []

    def add(self, words: np.ndarray) -> int:
        """Keep an array; returns its address."""
        self.kept.append(words)
        return address(words)


class Planner:
    """Lays out memory and writes launches. `places`: of the buffers that are not the step's own."""

    def __init__(self, nodes: list[Node], places: dict[Buffer, Place]):
        self.nodes, self.places = nodes, places
        self.contexts = Contexts()
        self.steps: list[Segment | tuple] = []
        self.numbers: list[tuple[Any, np.ndarray, int]] = []  # (number source, words, index)
        self.launches: list[tuple[Node, int]] = []
        self.scratch = 0
        self.scratch_peak = 0
        self.scratch_words: list[tuple[np.ndarray, int, int]] = []
        self._lay_out()
        for node in nodes:
            if isinstance(node, Launch):
                self._launch(node)
            elif isinstance(node, Map):
                self._map(node)
            elif isinstance(node, Call | Check):
                self._call(node)
        self._finish()

    # ------------------------------------------------------------------ memory

    def _lay_out(self) -> None:
        """Give the step's own buffers offsets in one block; those that are not alive together share memory."""
        first: dict[Buffer, int] = {}
        last: dict[Buffer, int] = {}
        for i, node in enumerate(self.nodes):
            for region in (*node.reads, *node.writes):
                first.setdefault(region.buffer, i)
                last[region.buffer] = i
        mine = [b for b in first if b not in self.places]
        ends: dict[int, list[Buffer]] = {}
        for b in mine:
            ends.setdefault(last[b], []).append(b)
        free = [(0, 1 << 62)]  # (begin, end) of gaps, in order
        offsets: dict[Buffer, int] = {}
        total = 0
        starts: dict[int, list[Buffer]] = {}
        for b in mine:
            starts.setdefault(first[b], []).append(b)
        for i in range(len(self.nodes)):
            for b in sorted(starts.get(i, ()), key=lambda b: -b.size):
                size = padded(b.size)
                at = min(
                    (k for k, (lo, hi) in enumerate(free) if hi - lo >= size), key=lambda k: free[k][1] - free[k][0]
                )
                lo, hi = free[at]
                offsets[b] = lo
                total = max(total, lo + size)
                free[at : at + 1] = [(lo + size, hi)] if lo + size < hi else []
            for b in ends.get(i, ()):
                free = _given_back(free, offsets[b], offsets[b] + padded(b.size))
        self.arena_bytes = total
        self.arena = np.empty(total + 2 * ALIGN, np.uint8)
        base = address(self.arena)
        base += -base % ALIGN
        for b, offset in offsets.items():
            self.places[b] = Place(base + offset)
        self.owned = set(mine)

    def _address(self, region: Region, words: np.ndarray, at: int, segment: Segment) -> None:
        """Write a region's address into a word, now or at each call."""
        place = self.places[region.buffer]
        if place.slot < 0:
            words[at] = place.address + region.offset
        else:
            segment.patches.append([place.slot + 2, address(words) + 8 * at, region.offset - place.shift])

    # ------------------------------------------------------------------ nodes

    def _segment(self) -> Segment:
        if not self.steps or not isinstance(self.steps[-1], Segment):
            self.steps.append(Segment())
        return self.steps[-1]  # type: ignore[return-value]

    def _launch(self, node: Launch) -> None:
        present = [p for p in node.kernel.parameters if p.name not in node.absent]
        words = np.zeros(max(1, len(present)), np.int64)
        context = self.contexts.add(words)
        segment = self._segment()
        values = {}
        for i, (p, a) in enumerate(zip(present, node.args)):
            if isinstance(a, Region):
                self._address(a, words, i, segment)
            elif p.kind == "d":
                words[i : i + 1].view(np.float64)[0] = a
            else:
                words[i] = values[p.name] = a
        part = node.kernel.part_address(node.real, node.absent, **node.options)
        work, parts = node.kernel.share(values)
        self._row(node, segment, [part, context, work, parts])

    def _row(self, node: Node, segment: Segment, row: list[int]) -> None:
        segment.rows.append(row)
        segment.launches.append((node, row[3]))
        segment.cost += row[3] > 1
        self.launches.append((node, row[3]))

    def _map(self, node: Map) -> None:
        kinds = tuple([KINDS[r.dtype] for r in node.reads])
        outputs = tuple([
            loops.Output(result, KINDS[w.dtype], op or "")
            for result, w, op in zip(node.results, node.writes, node.reduce)
        ])  # fmt: skip
        loop = loops.Loop(kinds, node.body, outputs)
        strides = [_spread(r, node.shape) for r in node.reads] + [w.strides for w in node.writes]
        reduced = next((axes for op, axes in zip(node.reduce, node.axes) if op), ())
        made = loops.plan(loop, node.shape, tuple(strides), reduced)
        regions = [*node.reads, *node.writes]
        starts = []
        for size in made.scratch:
            starts.append(self.scratch)
            self.scratch += padded(size)
        self.scratch_peak = max(self.scratch_peak, self.scratch)
        for task in made.tasks:
            segment = self._segment()
            words = task.words.copy()
            context = self.contexts.add(words)
            for i, pointer in enumerate(task.pointers):
                if pointer < len(regions):
                    self._address(regions[pointer], words, i, segment)
                else:
                    self.scratch_words.append((words, i, starts[pointer - len(regions)]))
            for j in range(task.numbers):
                at = len(task.pointers) + j
                number = node.numbers[j]
                if isinstance(number, float | int):
                    words[at : at + 1].view(np.float64)[0] = number
                else:
                    self.numbers.append((number, words, at))
            self._row(node, segment, [task.part, context, task.work, task.parts])
        self.scratch = 0  # partial results are used at once, so every node may have the same memory

    def _call(self, node: Call | Check) -> None:
        outs = node.writes if isinstance(node, Call) else node.reads[:1]
        self.steps.append((node, _maker(node.args, self.places), [_maker(w, self.places) for w in outs]))
        self.launches.append((node, 0))

    def _finish(self) -> None:
        scratch = np.empty(self.scratch_peak + ALIGN, np.uint8)
        base = self.contexts.add(scratch)
        for words, at, offset in self.scratch_words:
            words[at] = base + offset
        run = sequence.run()
        for step in self.steps:
            if isinstance(step, Segment):
                ticks = self.contexts.add(np.empty(len(step.rows) + 1, np.int64))
                header = [len(step.rows), int(step.cost > 0), len(step.patches), ticks]
                rows = np.array([header, *step.rows], np.int64)
                patches = np.array(step.patches or [[0, 0, 0]], np.int64)
                self.contexts.add(rows)
                step.run = (run, rows, patches)


def padded(size: int) -> int:
    """Bytes that a buffer takes in the block."""
    return max(ALIGN, size + -size % ALIGN)


def _given_back(free: list, lo: int, hi: int) -> list:
    """The gaps with one more, neighbours merged."""
    found: list = []
    for a, b in sorted([*free, (lo, hi)]):
        if found and found[-1][1] == a:
            found[-1] = (found[-1][0], b)
        else:
            found.append((a, b))
    return found


def _spread(region: Region, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a region broadcast to a shape."""
    lead = len(shape) - len(region.shape)
    return (0,) * lead + tuple([0 if n == 1 else s for n, s in zip(region.shape, region.strides)])


class Memory:
    """Raw memory at an address, which NumPy can make arrays of."""

    def __init__(self, where: int, region: Region):
        self.__array_interface__ = {
            "data": (where, False), "shape": region.shape, "strides": region.strides, "version": 3,
            "typestr": region.dtype.str if region.dtype.kind != "V" else f"|V{region.dtype.itemsize}",
        }  # fmt: skip


def view_at(where: int, region: Region) -> np.ndarray:
    """An array over memory that somebody else keeps."""
    made = np.asarray(Memory(where, region))
    return made.view(region.dtype) if made.dtype != region.dtype else made


def _maker(args: Any, places: dict[Buffer, Place]) -> Any:
    """A function of the arrays of a call that gives the arguments with arrays in place of regions."""
    if isinstance(args, Region):
        place = places[args.buffer]
        if place.slot < 0:
            made = view_at(place.address + args.offset, args)
            return lambda given: made
        slot, shift = place.slot, args.offset - place.shift
        return lambda given: view_at(address(given[slot]) + shift, args)
    if type(args) in (tuple, list):
        kind, makers = type(args), [_maker(a, places) for a in args]
        return lambda given: kind([m(given) for m in makers])
    return lambda given: args
