"""Time, memory and operations by layer and by line of the program: forward and backward, all of the profile's time."""

from __future__ import annotations

import linecache
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..compiler.origins import OPTIMIZER
from ..errors import ArgumentError
from ..language import part
from ..language import text as _
from .details import short_path
from .events import EventList, FunctionEvent, format_memory, format_time
from .table import Columns, share

# Rows for what belongs to no layer, by the kind of event that the time was spent in.
_APART = {
    "data": part("(data loading)"), "optimizer": part("(optimizer)"), "checks": part("(checks)"),
    "gc": part("(garbage collector)"), "backward": part("(backward pass)"), "leaf": part("(backward pass)"),
    "compiled": part("(compiled calls)"),
}  # fmt: skip
_NO_LAYER, _NOT_WATCHED, _NO_LINE = part("(no layer)"), part("(other Python)"), part("(no line)")


@dataclass
class Row:
    """Times in microseconds, memory in bytes; for a layer with all that is inside of it, but for `own`.

    `name`: the path of the layer, `file.py:12` of a line, or, in brackets, what the time went to else. `own`: time
    spent in it and in no layer inside. `peak`: the most memory of tensors made since the profile began that there was
    while it ran. `depth`: how deep a layer lies.
    """

    name: str
    source: str = ""  # the text of a line
    calls: int = 0
    forward: float = 0.0
    backward: float = 0.0
    own: float = 0.0
    memory: int = 0
    peak: int = 0
    flops: int = 0
    depth: int = 0

    @property
    def total(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward

    @property
    def gflops(self) -> float:
        """Billions of floating-point operations per second."""
        return self.flops / self.total / 1e3 if self.total else 0.0


class Breakdown(list):
    """Rows of one kind, printed as a table. `duration`: of the profile, in microseconds: the sum of all `own`."""

    def __init__(self, rows: list[Row], title: str, duration: float, memory: bool, flops: bool):
        super().__init__(rows)
        self.title, self.duration, self._memory, self._flops = title, duration, memory, flops

    def table(self, sort_by: str | None = None, row_limit: int = 100, width: int | None = None) -> str:
        """The rows as text.

        Arguments:
            sort_by: "total", "forward", "backward", "own", "calls", "memory", "peak", "flops", "gflops" or "name";
                default: layers in the order of their first call, lines by their time.
            row_limit: how many rows; -1 for all.
            width: columns to fit it into; default: the terminal's.
        """
        rows = self.sorted(sort_by)
        rows = rows if row_limit < 0 else rows[:row_limit]
        lines_of_code = any(row.source for row in self)
        columns = Columns()
        columns.add(_(self.title), 0, left=True, end=True)
        for title, spare in ((_("Calls"), 5), (_("Forward"), 1), (_("Backward"), 2), (_("Total"), 0), ("%", 0)):
            columns.add(title, 0, spare=spare)
        if not lines_of_code:
            columns.add(_("Own"), 0, spare=6)
        if self._memory:
            columns.add(_("Memory"), 0, spare=3)
            if not lines_of_code:
                columns.add(_("Peak"), 0, spare=4)
        if self._flops:
            columns.add("FLOP", 0, spare=7)
            columns.add("GFLOP/s", 0, spare=3)
        if lines_of_code:
            columns.add(_("Source"), 0, left=True)
        for row in rows:
            columns.rows.append(self._cells(row, lines_of_code))
        columns.fit(width or shutil.get_terminal_size((100, 24)).columns)
        total = _("All of the profile: ") + format_time(self.duration)
        return "\n".join(
            [columns.line(columns.names), columns.rule, *map(columns.line, columns.rows), columns.rule, total, ""]
        )

    def sorted(self, by: str | None = None) -> list[Row]:
        """The rows by a field, the largest first."""
        fields = ("total", "forward", "backward", "own", "calls", "memory", "peak", "flops", "gflops")
        if by is None:
            return list(self)
        if by == "name":
            return sorted(self, key=lambda row: row.name)
        if by not in fields:
            raise ArgumentError(
                f"the rows cannot be sorted by {by!r}",
                why="there is no such number in a row",
                fix=f"use one of {', '.join(map(repr, (*fields, 'name')))}",
            )
        return sorted(self, key=lambda row: getattr(row, by), reverse=True)

    def _cells(self, row: Row, lines_of_code: bool) -> list[str]:
        name = _(row.name) if row.name.startswith("(") else "  " * row.depth + row.name
        cells = [name, str(row.calls) if row.calls else "", _time(row.forward), _time(row.backward), _time(row.total)]
        cells.append(share(row.total, self.duration))
        if not lines_of_code:
            cells.append(_time(row.own))
        if self._memory:
            cells.append(format_memory(row.memory))
            if not lines_of_code:
                cells.append(format_memory(row.peak) if row.peak else "")
        if self._flops:
            cells += [_count(row.flops), f"{row.gflops:.2f}"] if row.flops else ["", ""]
        return [*cells, row.source] if lines_of_code else cells

    def __str__(self) -> str:
        return self.table()

    __repr__ = __str__


def _count(number: int) -> str:
    """1234567 -> '1.23 M'."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def _time(us: float) -> str:
    return format_time(us) if us else ""


def by_module(events: EventList, duration: float, memory: list, with_memory: bool, with_flops: bool) -> Breakdown:
    """Rows for all layers that ran, in the order of their first call, then for the rest of the time."""
    rows: dict[str, Row] = {}
    apart: dict[str, Row] = {}
    live = _Live(memory)
    for event in events:
        if event.kind == "module" and event.module is not None:
            row = _layer(rows, event.module)
            row.calls += 1
            row.peak = max(row.peak, live.most(event))
    for event in events:
        for module, _line, weight in _shares(event):
            if module is None or module == OPTIMIZER:
                name = _APART["optimizer"] if module else _APART.get(event.apart or event.kind, _NO_LAYER)
                row = apart.setdefault(name, Row(name))
                row.calls += 1
                _add(row, event, weight)
                row.own += event.self_cpu_time_total * weight
                continue
            _layer(rows, module).own += event.self_cpu_time_total * weight
            while module:
                _add(rows[module], event, weight)
                module = module.rpartition(".")[0]
    found = [*_in_order(rows), *apart.values()]
    return Breakdown([*found, _rest(duration, found)], part("Layer"), duration, with_memory, with_flops)


def _layer(rows: dict[str, Row], path: str) -> Row:
    """The row of a layer; those of the containers that it is in are made, too: they need not be called themselves."""
    outer, _dot, _last = path.rpartition(".")
    if outer:
        _layer(rows, outer)
    return rows.setdefault(path, Row(path, depth=path.count(".")))


def by_line(events: EventList, duration: float, with_memory: bool, with_flops: bool) -> Breakdown:
    """Rows for all lines of the program that something watched came from, the most time first."""
    rows: dict[str, Row] = {}
    for event in events:
        for _module, line, weight in _shares(event):
            name = line or (_APART["compiled"] if event.kind == "compiled" else _NO_LINE)
            row = rows.get(name)
            if row is None:
                row = rows[name] = Row(name, _source(name) if line else "")
            _add(row, event, weight)
            row.own += event.self_cpu_time_total * weight
            outer = event.cpu_parent
            row.calls += event.scope == 0 and (outer is None or outer.line != line)
    found = sorted(rows.values(), key=lambda row: -row.total)
    return Breakdown([*found, _rest(duration, found)], part("Line"), duration, with_memory, with_flops)


def _shares(event: FunctionEvent) -> Iterator[tuple[str | None, str | None, float]]:
    """(layer, line, share) of an event: a kernel of a compiled step may do what several lines say."""
    if not event.origins:
        yield event.module, event.line, 1.0
        return
    for module, line in event.origins:
        yield module, f"{short_path(line[0])}:{line[1]}" if line else None, 1 / len(event.origins)


def _add(row: Row, event: FunctionEvent, weight: float) -> None:
    own = event.self_cpu_time_total * weight
    if event.scope:
        row.backward += own
    else:
        row.forward += own
    row.memory += round(event.self_cpu_memory_usage * weight)
    row.flops += round(event.flops * weight)


def _in_order(rows: dict[str, Row]) -> list[Row]:
    """Layers after the one that they are in, else in the order of their first call."""
    first = {name: i for i, name in enumerate(rows)}

    def key(name: str) -> list[int]:
        parts = name.split(".")
        return [first.get(".".join(parts[: i + 1]), len(first)) for i in range(len(parts))]

    return [rows[name] for name in sorted(rows, key=key)]


def _rest(duration: float, rows: list[Row]) -> Row:
    """What no event covers."""
    rest = max(0.0, duration - sum([row.own for row in rows]))
    return Row(_NOT_WATCHED, forward=rest, own=rest)


def _source(name: str) -> str:
    file, _colon, line = name.rpartition(":")
    return linecache.getline(file, int(line)).strip()


class _Live:
    """How much memory there was at each moment."""

    def __init__(self, memory: list):
        changes = sorted(memory)
        self.times = np.array([at for at, *_ in changes])
        self.totals = np.cumsum([count for *_, count in changes])

    def most(self, event: FunctionEvent) -> int:
        """The most while an event ran."""
        first, last = np.searchsorted(self.times, (event.time_range.start, event.time_range.end), side="right")
        found = self.totals[max(0, first - 1) : last]
        return int(found.max(initial=0))
