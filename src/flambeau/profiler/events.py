"""Events: one call each, as `profile.events()` gives them, their averages, and the list that holds either."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError

SELF_TIME = "self_cpu_time_total"


class Interval:
    """From `start` to `end`, in microseconds since the profile began."""

    __slots__ = ("end", "start")

    def __init__(self, start: float, end: float):
        self.start, self.end = start, end

    def elapsed_us(self) -> float:
        """How long it is."""
        return self.end - self.start

    def __repr__(self) -> str:
        return f"Interval({self.start:.3f}, {self.end:.3f})"


def format_time(us: float) -> str:
    """A time in the unit that fits it: `12.345us`, `1.234ms`, `1.234s`."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if us >= size:
            return f"{us / size:.3f}{unit}"
    return f"{us:.3f}us"


def format_memory(count: int) -> str:
    """Bytes in the unit that fits them: `12 B`, `1.50 KB`."""
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if abs(count) >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} B"


def _text(name: str) -> property:
    return property(lambda self: format_time(getattr(self, name)), doc=f"`{name}` with its unit.")


class Times:
    """What events and averages share. Times are in microseconds; there is no device beside the CPU."""

    count: int
    cpu_time_total: Any
    self_cpu_time_total: Any
    node_id = -1
    is_async = is_remote = is_legacy = False
    overload_name = ""
    use_device: str | None = None
    device_type = "cpu"
    device_time = device_time_total = self_device_time_total = 0
    device_memory_usage = self_device_memory_usage = 0

    @property
    def cpu_time(self) -> float:
        """Of one call, on average."""
        return self.cpu_time_total / self.count if self.count else 0.0

    cpu_time_str, cpu_time_total_str, self_cpu_time_total_str = map(_text, ("cpu_time", "cpu_time_total", SELF_TIME))


class FunctionEvent(Times):
    """One call of an operation, a module, a node of the graph, a kernel of a compiled step, or a labelled block.

    Attributes:
        id: its place in the list of events; name (also `key`).
        kind: "op", "module", "node" (of a backward pass), "backward" (a whole one), "optimizer", "data", "compiled"
            (a call of a compiled function), "kernel" (of one), "checks" (this package looks for mistakes), "gc"
            (Python's garbage collector), "step" (of the profiler), "memory" or "user" (`record_function`).
        time_range: `.start` and `.end` in microseconds; thread.
        cpu_parent, cpu_children: the event in which this one ran, and those that ran in it.
        input_shapes: with `record_shapes`; flops: with `with_flops`; stack: with `with_stack`, the innermost frame
            first.
        cpu_memory_usage: with `profile_memory`, bytes allocated less bytes freed while it ran.
        sequence_nr: of a node, the number of the operation that made it; -1 where there is none.
        scope: 0 forward, 1 backward.
        module: the path of the layer that it belongs to, such as `Net.features.3`, or None. A node of a backward pass
            belongs to the layer of its forward.
        line: `file.py:12`, the line of the user's program, with `with_stack`; None where it is not known.
    """

    count = 1
    fwd_thread: int | None = None
    kernels: list = []  # launched on other devices

    def __init__(self, id: int, name: str, kind: str, thread: int, start_us: float, end_us: float, sequence_nr: int):
        self.id, self.name, self.kind, self.thread, self.sequence_nr = id, name, kind, thread, sequence_nr
        self.time_range = Interval(start_us, end_us)
        self.cpu_children: list[FunctionEvent] = []
        self.cpu_parent: FunctionEvent | None = None
        self.scope = 0
        self.input_shapes: list | str = []
        self.stack: list[str] = []
        self.flops = 0
        self.self_cpu_memory_usage = 0
        self.cpu_memory_usage = 0
        self.apart = ""  # "data", "optimizer" or "checks" if it is, or runs in, one of these
        self.module: str | None = None
        self.line: str | None = None
        self.forward: FunctionEvent | None = None  # of a node: the operation that made it
        self.origins: tuple = ()  # of a kernel: (module, line) of each operation that it does

    @property
    def key(self) -> str:
        """What events are grouped by: the name, one for all steps of the profiler."""
        return "ProfilerStep*" if self.kind == "step" else self.name

    trace_name = property(lambda self: self.name, doc="The name in a trace.")
    is_user_annotation = property(lambda self: self.kind in ("user", "step"), doc="Whether the program named it.")

    @property
    def cpu_time_total(self) -> float:
        """From its start to its end."""
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:
        """Without what ran within it."""
        return self.cpu_time_total - sum([child.cpu_time_total for child in self.cpu_children])

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time_str} "
            f"start_us={self.time_range.start:.3f} end_us={self.time_range.end:.3f} "
            f"cpu_children={[child.id for child in self.cpu_children]} thread={self.thread} "
            f"input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage} seq_nr={self.sequence_nr}>"
        )


_SUMS = ("cpu_time_total", SELF_TIME, "cpu_memory_usage", "self_cpu_memory_usage", "count", "flops")


class FunctionEventAvg(Times):
    """What events of one key have in common, and their sums: fields as those of `FunctionEvent`."""

    def __init__(self) -> None:
        self.key: str | None = None
        self.count = self.flops = self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.cpu_time_total = self.self_cpu_time_total = 0.0
        self.input_shapes: Any = None
        self.stack: list[str] = []
        self.scope = 0
        self.kind = ""
        self.module: str | None = None
        self.line: str | None = None
        self.cpu_parent: FunctionEvent | None = None
        self.cpu_children: list[FunctionEvent] = []
        self.is_user_annotation = False

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        """Take an event, or another average of the same key, in."""
        if self.key is None:
            for name in ("key", "input_shapes", "stack", "scope", "kind", "module", "line", "cpu_parent",
                         "cpu_children", "is_user_annotation"):  # fmt: skip
                setattr(self, name, getattr(other, name))
        if other.key != self.key:
            raise ArgumentError(
                f"cannot add an event of `{other.key}` to the average of `{self.key}`",
                why="an average is of events with one key",
                fix="use `total_average()` of a list of events for a sum over all of them",
            )
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    __iadd__ = add

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} "
            f"cpu_time={self.cpu_time_str} input_shapes={self.input_shapes} cpu_memory_usage={self.cpu_memory_usage}>"
        )


class EventList(list):
    """A list of events or of averages. Printed, it is its table."""

    def __init__(self, events: Iterable = (), profile_memory: bool = False, with_flops: bool = False):
        super().__init__(events)
        self._profile_memory, self._with_flops = profile_memory, with_flops

    def __str__(self) -> str:
        return self.table()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all together, in microseconds."""
        return sum([event.self_cpu_time_total for event in self])

    def table(self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int | None = 75,
              max_name_column_width: int | None = 55, max_shapes_column_width: int | None = 80,
              header: str | None = None, top_level_events_only: bool = False,
              time_unit: str | None = None) -> str:  # fmt: skip
        """The events as a table.

        Arguments:
            sort_by: a field to sort by, the largest first: `cpu_time_total`, `self_cpu_time_total`, `count`, `flops`,
                `cpu_memory_usage`... Default: in the order of their first call.
            row_limit: how many rows; -1 for all.
            max_src_column_width, max_name_column_width, max_shapes_column_width: None for no bound.
            header: a line above the table.
            top_level_events_only: leave out what ran within other events.
            time_unit: "s", "ms" or "us" for all times; default: what fits each.
        """
        from .table import table

        return table(self, sort_by, row_limit, max_src_column_width, max_name_column_width, max_shapes_column_width,
                     header, top_level_events_only, time_unit, self._profile_memory, self._with_flops)  # fmt: skip

    def grouped(self, key: Callable[[Any], Any]) -> Iterator[tuple[Any, FunctionEventAvg]]:
        """(key, average) for the events with each key, in the order of their first."""
        found: dict[Any, FunctionEventAvg] = {}
        for event in self:
            group = key(event)
            average = found.get(group)
            if average is None:
                average = found[group] = FunctionEventAvg()
            average.add(event)
        yield from found.items()

    def key_averages(self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0,
                     group_by_overload_name: bool = False) -> EventList:  # fmt: skip
        """The events grouped by name, and if asked for, by the shapes of their arguments and the innermost frames.

        Arguments:
            group_by_input_shapes: calls with other shapes are another row.
            group_by_stack_n: calls from other places are another row; so many innermost frames tell places apart.
            group_by_overload_name: makes no difference: operations have one form here.
        """
        if not isinstance(group_by_stack_n, int) or isinstance(group_by_stack_n, bool):
            raise ArgumentTypeError(
                f"group_by_stack_n must be an int, but got {type(group_by_stack_n).__name__}",
                why="it is the number of stack frames that events of one group share",
                fix="use e.g. `group_by_stack_n=5`",
            )

        def key(event: Any) -> tuple:
            shapes = str(event.input_shapes) if group_by_input_shapes else None
            return event.key, event.is_user_annotation, shapes, tuple(event.stack[: max(0, group_by_stack_n)])

        averages = [average for _, average in self.grouped(key)]
        for average in averages:
            average.stack = average.stack[: max(0, group_by_stack_n)]
            if not group_by_input_shapes:
                average.input_shapes = ""
        return EventList(averages, self._profile_memory, self._with_flops)

    def total_average(self) -> FunctionEventAvg:
        """The sum over all events, as one average with the key `Total`."""
        total = FunctionEventAvg()
        total.key, total.input_shapes = "Total", ""
        for event in self:
            for name in _SUMS:
                setattr(total, name, getattr(total, name) + getattr(event, name))
        return total

    def export_chrome_trace(self, path: str) -> None:
        """Write the events to a file that chrome://tracing and Perfetto open."""
        from .trace import write_trace

        write_trace(path, self)

    def supported_export_stacks_metrics(self) -> list[str]:
        """What `export_stacks` can weigh stacks by."""
        return [SELF_TIME]

    def export_stacks(self, path: str, metric: str = SELF_TIME) -> None:
        """Write one line for each event, `outer;...;inner time`, as flame graphs are drawn from."""
        from .trace import write_stacks

        write_stacks(path, self, metric, self.supported_export_stacks_metrics())
