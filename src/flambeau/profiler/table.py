"""Events as a table, in PyTorch's printed form."""

from __future__ import annotations

import math

from ..errors import ArgumentError, MissingAttribute
from ..widths import wide
from .events import EventList, format_memory, format_time

_UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0}
_FLOPS = ("FLOPs", "KFLOPs", "MFLOPs", "GFLOPs", "TFLOPs", "PFLOPs")
_DEVICES = ("cuda", "xpu", "privateuse1")
_WIDTH = 12  # of a column of numbers
_LEAST = 20  # columns that a name is left when a table is made to fit


def share(part: float, whole: float) -> str:
    """A part in per cent."""
    return f"{part * 100 / whole:.2f}%" if whole else "NaN"


def ordered(events: EventList, sort_by: str) -> list:
    """The events by a field, the largest first."""
    field = sort_by
    for name in _DEVICES:
        field = field.replace(name, "device")
    try:
        return sorted(events, key=lambda event: getattr(event, field), reverse=True)
    except (AttributeError, TypeError):
        raise MissingAttribute(
            f"events cannot be sorted by {sort_by!r}",
            why="it is no number that an event has",
            fix="use `self_cpu_time_total`, `cpu_time_total`, `cpu_time`, `count`, `flops` or `cpu_memory_usage`",
        ) from None


def cut(text: str, width: int) -> str:
    """A text that takes more columns than there are, cut at its end."""
    if wide(text) <= width:
        return text
    while text and wide(text) > width - 3:
        text = text[:-1]
    return text + "..."


def padded(text: str, width: int, left: bool) -> str:
    """A text with blanks to its right, or to its left."""
    blanks = " " * (width - wide(text))
    return text + blanks if left else blanks + text


class Columns:
    """Rows under headings, with the widths and alignments of the columns."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.widths: list[int] = []
        self.left: list[bool] = []
        self.end: list[bool] = []  # whether the end of a text is what is kept if it is cut
        self.spare: list[int] = []  # in which order columns are left out where there is no room; 0: never
        self.rows: list[list[str]] = []

    def add(self, name: str, width: int = _WIDTH, left: bool = False, end: bool = False, spare: int = 0) -> None:
        """One more column."""
        self.names.append(name)
        self.widths.append(width)
        self.left.append(left)
        self.end.append(end)
        self.spare.append(spare)

    def line(self, cells: list[str]) -> str:
        """One row as text."""
        return "".join(
            padded(cell, width, left) + "  " for cell, width, left in zip(cells, self.widths, self.left, strict=True)
        )

    def fit(self, width: int) -> None:
        """Make columns as wide as what is in them; leave some out, and cut what is to the left, to fit into `width`."""
        for i, name in enumerate(self.names):
            self.widths[i] = max([wide(name), *[wide(row[i]) for row in self.rows]])
        while any(self.spare) and self._least() > width:
            self._drop(max(range(len(self.names)), key=lambda i: self.spare[i]))
        for i in sorted([i for i, left in enumerate(self.left) if left], reverse=True):
            over = sum(self.widths) + 2 * len(self.widths) - 2 - width
            if over > 0:
                self.widths[i] = max(min(self.widths[i], _LEAST), self.widths[i] - over)
                for row in self.rows:
                    row[i] = (_end_of if self.end[i] else cut)(row[i], self.widths[i])

    def _least(self) -> int:
        """The width of a row in which all that may be cut is."""
        widths = [min(w, _LEAST) if left else w for w, left in zip(self.widths, self.left, strict=True)]
        return sum(widths) + 2 * len(widths) - 2

    def _drop(self, i: int) -> None:
        for cells in (self.names, self.widths, self.left, self.end, self.spare, *self.rows):
            del cells[i]  # type: ignore[attr-defined]

    @property
    def rule(self) -> str:
        """The line between heading and rows."""
        return "".join("-" * width + "  " for width in self.widths)

    @property
    def width(self) -> int:
        """Of a whole row, without the blanks at its end."""
        return len(self.rule) - 2


def table(events: EventList, sort_by: str | None, row_limit: int, source_width: int | None, name_width: int | None,
          shapes_width: int | None, header: str | None, top_level: bool, time_unit: str | None, memory: bool,
          flops: bool) -> str:  # fmt: skip
    """See `EventList.table`."""
    if time_unit is not None and time_unit not in _UNITS:
        raise ArgumentError(
            f"time_unit must be 's', 'ms', 'us' or None, but got {time_unit!r}",
            why="it is the unit of all times in the table",
            fix="leave it out for the unit that fits each time",
        )
    if not events:
        return ""
    rows = ordered(events, sort_by) if sort_by is not None else list(events)
    total = sum([event.self_cpu_time_total for event in events])
    shapes = any(event.input_shapes for event in events)
    stacks = [event.stack for event in events if event.stack]
    scale = _scale([event.flops for event in events if event.flops > 0]) if flops else None

    columns = Columns()
    names = _bound(max(wide(event.key) for event in events) + 4, name_width)
    columns.add("Name", names)
    for title in ("Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg"):
        columns.add(title)
    if memory:
        columns.add("CPU Mem")
        columns.add("Self CPU Mem")
    columns.add("# of Calls")
    if shapes:
        columns.add("Input Shapes", _bound(max(len(str(event.input_shapes)) for event in events) + 4, shapes_width))
        shapes_at = columns.widths[-1]
    if stacks:
        columns.add("Source Location", _bound(max(len(s) for stack in stacks for s in stack) + 4, source_width), True)
        source_at = columns.widths[-1]
    if scale is not None:
        columns.add(f"Total {scale[1]}")

    def time(us: float) -> str:
        return format_time(us) if time_unit is None else f"{us / _UNITS[time_unit]:.3f}{time_unit}"

    lines = ["=" * columns.width, header] if header is not None else []
    if top_level:
        lines += ["=" * columns.width, "This report only display top-level ops statistics"]
        rows = [event for event in rows if event.cpu_parent is None]
    lines += [columns.rule, columns.line(columns.names), columns.rule]
    for event in rows if row_limit < 0 else rows[:row_limit]:
        cells = [
            _cut(event.key, name_width), share(event.self_cpu_time_total, total), time(event.self_cpu_time_total),
            share(event.cpu_time_total, total), time(event.cpu_time_total), time(event.cpu_time),
        ]  # fmt: skip
        if memory:
            cells += [format_memory(event.cpu_memory_usage), format_memory(event.self_cpu_memory_usage)]
        cells.append(str(event.count))
        if shapes:
            cells.append(str(event.input_shapes)[:shapes_at])
        if stacks:
            cells.append(_end_of(event.stack[0], source_at) if event.stack else "")
        if scale is not None:
            cells.append(f"{event.flops * scale[0]:8.3f}" if event.flops > 0 else "--")
        lines.append(columns.line(cells))
        if stacks:
            at = columns.names.index("Source Location")
            for entry in [*event.stack[1:], ""]:
                blank = [""] * len(columns.names)
                blank[at] = _end_of(entry, source_at)
                lines.append(columns.line(blank))
    lines += [columns.rule, f"Self CPU time total: {time(total)}", ""]
    return "\n".join(lines)


def _bound(width: int, most: int | None) -> int:
    return width if most is None else min(width, most)


def _cut(name: str, width: int | None) -> str:
    """A name that is too long for its column, cut at its end."""
    if width is None or wide(name) < width - 3:
        return name
    while wide(name) > width - 3:
        name = name[:-1]
    return name + "..."


def _end_of(path: str, width: int) -> str:
    """A path that is too long for its column, cut at its beginning."""
    if wide(path) <= width:
        return path
    indent = path[: len(path) - len(path.lstrip())]
    path = path.lstrip()
    while path and wide(path) > width - 3 - len(indent):
        path = path[1:]
    return f"{indent}...{path}"


def _scale(found: list[int]) -> tuple[float, str] | None:
    """(factor, heading) for the unit that fits the smallest number; None where there are none."""
    if not found:
        return None
    power = min(int(math.log10(min(found)) / 3), len(_FLOPS) - 1)
    return 10.0 ** (-3 * power), _FLOPS[power]
