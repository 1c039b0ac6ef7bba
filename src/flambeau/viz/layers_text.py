"""The printed form of a summary: torchinfo's own, and a narrow one for terminals that have no room for it."""

from __future__ import annotations

import math
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, ArgumentTypeError
from ..widths import shorten, wide
from .layer_info import LayerInfo

if TYPE_CHECKING:
    from .layers import ModelStatistics

NAME_WIDTH, STEP = 40, 5  # the least width of the first column, and what it grows by
LEAST = 20  # columns of a terminal below which nothing is narrowed further


class Mode(StrEnum):
    """The mode that a model is put in."""

    TRAIN, EVAL, SAME = "train", "eval", "same"


class RowSettings(StrEnum):
    """What a row shows beside its class."""

    DEPTH, VAR_NAMES, ASCII_ONLY = "depth", "var_names", "ascii_only"
    HIDE_RECURSIVE_LAYERS = "hide_recursive_layers"


class ColumnSettings(StrEnum):
    """The columns; the last four are not in torchinfo."""

    INPUT_SIZE, OUTPUT_SIZE, NUM_PARAMS = "input_size", "output_size", "num_params"
    PARAMS_PERCENT, KERNEL_SIZE, MULT_ADDS, TRAINABLE = "params_percent", "kernel_size", "mult_adds", "trainable"
    FORWARD_TIME, TIME_PERCENT = "forward_time", "time_percent"
    OUTPUT_MEMORY, SAVED_MEMORY = "output_memory", "saved_memory"


class Verbosity(IntEnum):
    """How much is printed."""

    QUIET, DEFAULT, VERBOSE = 0, 1, 2


class Units(StrEnum):
    """Units of large numbers."""

    AUTO, MEGABYTES, GIGABYTES, TERABYTES, NONE = "auto", "M", "G", "T", ""


TITLES = {
    "kernel_size": "Kernel Shape", "input_size": "Input Shape", "output_size": "Output Shape", "num_params": "Param #",
    "params_percent": "Param %", "mult_adds": "Mult-Adds", "trainable": "Trainable", "forward_time": "Time (ms)",
    "time_percent": "Time %", "output_memory": "Output Memory", "saved_memory": "Saved Memory",
}  # fmt: skip
NEEDS_INPUT = {
    "input_size", "output_size", "mult_adds", "forward_time", "time_percent", "output_memory", "saved_memory",
}  # fmt: skip
EXPENDABLE = (
    "kernel_size",
    "trainable",
    "input_size",
    "output_memory",
    "time_percent",
    "params_percent",
    "saved_memory",
    "forward_time",
    "mult_adds",
    "output_size",
)  # fmt: skip  (in this order columns are left out where there is no room)


class FormattingOptions:
    """How a summary is printed.

    Attributes: max_depth, verbose, col_names, col_width, row_settings: as `summary` takes them; layer_name_width: the
    width of the first column (None: as wide as the names need).
    """

    def __init__(self, max_depth: int, verbose: int, col_names: tuple, col_width: int, row_settings: set):
        self.max_depth, self.verbose, self.col_width = max_depth, verbose, col_width
        self.col_names, self.row_settings = tuple(map(str, col_names)), set(map(str, row_settings))
        self.layer_name_width: int | None = None

    @staticmethod
    def checked(depth, verbose, col_names, col_width, row_settings, has_input: bool) -> FormattingOptions:
        """The options of a call of `summary`, checked."""
        if verbose is None:
            verbose = 0 if hasattr(sys, "ps1") and sys.ps1 else 1
        if verbose not in (0, 1, 2):
            raise ArgumentError(
                "Verbose must be either 0 (quiet), 1 (default), or 2 (verbose).",
                why=f"it is {verbose!r}",
                fix="pass one of the three numbers",
            )
        for name, value in (("col_width", col_width), ("depth", depth)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ArgumentTypeError(
                    f"{name} must be a whole number, but is {value!r}",
                    why="it counts characters or levels",
                    fix="pass an int",
                )
        if col_width <= 0:
            raise ArgumentError(
                f"Column width must be greater than 0: col_width={col_width}",
                why="there would be no room for anything",
                fix="pass a larger number, such as 25",
            )
        if depth < 0:
            raise ArgumentError(
                f"depth must be 0 or more, but is {depth}",
                why="it says how many levels of nested modules have rows: 0 is the model alone",
                fix="pass a larger number, such as 3",
            )
        every = [str(name.value) for name in ColumnSettings]
        if isinstance(col_names, str):
            col_names = every if col_names == "all" else (col_names,)
        if col_names is None:
            columns: tuple[str, ...] = ("output_size", "num_params") if has_input else ("num_params",)
        else:
            columns = tuple(_known(name, every, "col_names") for name in col_names)
            if not has_input and NEEDS_INPUT & set(columns):
                missing = sorted(NEEDS_INPUT & set(columns))
                raise ArgumentError(
                    f"You must pass input_data or input_size in order to use columns: {missing}",
                    why="they are known only after a forward pass",
                    fix="pass `input_size=` with the shape of a batch",
                )
        if isinstance(row_settings, str):
            row_settings = (row_settings,)
        known = [str(name.value) for name in RowSettings]
        rows = {"depth"} if row_settings is None else {_known(name, known, "row_settings") for name in row_settings}
        return FormattingOptions(depth, verbose, columns, col_width, rows)

    def terminal_width(self) -> int | None:
        """The columns of the terminal that standard output is; None where it is none."""
        try:
            if not sys.stdout.isatty():
                return None
        except (AttributeError, ValueError):  # no stream, or a closed one
            return None
        return max(shutil.get_terminal_size().columns, LEAST)


def _known(name: Any, names: list[str], what: str) -> str:
    found = str(name.value) if isinstance(name, Enum) else name
    if found not in names:
        raise ArgumentError(
            f"{found!r} is not one of the values that {what} takes",
            why=f"it takes {', '.join(names)}",
            fix="pass values of this list",
        )
    return found


# ----------------------------------------------------------------------------------------------------------- cells


def or_dashes(value: Any) -> str:
    """The value, or dashes for nothing."""
    return str(value) if value else "--"


def size(count: int) -> str:
    """Bytes with a unit.

    >>> from flambeau.viz.layers_text import size
    >>> size(96), size(401_408), size(12_845_056)
    ('96 B', '401.4 kB', '12.85 MB')
    """
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 999_950 else f"{count / 1e6:,.2f} MB"


def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds, to three figures where they are short."""
    ms = seconds * 1e3
    return f"{ms:,.1f}" if ms >= 99.95 else f"{ms:.2f}" if ms >= 0.995 else f"{ms:.3f}"


def _params(row: LayerInfo, last: bool, stats: ModelStatistics) -> str:
    if not row.num_params:
        return "--"
    if row.is_recursive:
        return "(recursive)"
    count = row.total("own_params") if last else row.own_params
    if not count:
        return "(shared)" if row.shares or (last and any(c.shares for c in row.children)) else "--"
    return f"{count:,}" if row.trainable_params or not (last or row.is_leaf_layer) else f"({count:,})"


def _percent(row: LayerInfo, last: bool, stats: ModelStatistics) -> str:
    if row.is_recursive and row.num_params:
        return "(recursive)"
    count = row.total("own_params") if last else row.own_params
    return f"{count / stats.total_params:>7.2%}" if count and stats.total_params else "     --"


def _mult_adds(row: LayerInfo, last: bool, stats: ModelStatistics) -> str:
    count = row.total("macs") if last else row.macs
    return f"{count:,}" if count else "--"


def _time(row: LayerInfo, last: bool, stats: ModelStatistics) -> str:
    return "--" if row.seconds is None else milliseconds(row.seconds)


def _share_of_time(row: LayerInfo, last: bool, stats: ModelStatistics) -> str:
    own = row.seconds if last else row.seconds_alone
    return "--" if own is None or not stats.total_seconds else f"{own / stats.total_seconds:>7.2%}"


def _saved(row: LayerInfo, last: bool, stats: ModelStatistics) -> str:
    count = row.total("saved_bytes") if last else row.saved_bytes
    return size(count) if count else "--"


CELLS: dict[str, Callable[[LayerInfo, bool, Any], str]] = {
    "kernel_size": lambda row, last, stats: or_dashes(row.kernel_size),
    "input_size": lambda row, last, stats: or_dashes(row.input_size),
    "output_size": lambda row, last, stats: or_dashes(row.output_size),
    "num_params": _params,
    "params_percent": _percent,
    "mult_adds": _mult_adds,
    "trainable": lambda row, last, stats: row.trainable,
    "forward_time": _time,
    "time_percent": _share_of_time,
    "output_memory": lambda row, last, stats: size(row.output_bytes) if row.output_bytes else "--",
    "saved_memory": _saved,
}  # what stands in a column; last: whether what lies below the row is not shown


def rows_shown(stats: ModelStatistics) -> Iterable[tuple[LayerInfo, bool]]:
    """(row, whether what lies below it is not shown) of the rows to print."""
    options = stats.formatting
    for row in stats.summary_list:
        if row.depth <= options.max_depth and not (
            row.is_recursive and "hide_recursive_layers" in options.row_settings
        ):
            yield row, row.depth == options.max_depth


# ----------------------------------------------------------------------------------------------------------- table


def report(stats: ModelStatistics, room: int | None = None) -> str:
    """The whole printed form; room: the columns of the terminal that it is for."""
    options = stats.formatting
    lines = _lines(stats)
    width = options.layer_name_width or _name_width(stats, lines)
    widths = dict.fromkeys(options.col_names, options.col_width)
    total = width + sum(widths.values())
    narrow = False  # whether the tree is
    if room is not None and room < total:
        width, widths, narrow = _narrowed(lines, options, room)
        total = room
    divider = "=" * total
    table = []
    for line in lines:
        made = pad(line.name(options, width, narrow), width) + " "
        for column in widths:
            made += pad(line.cells.get(column, ""), widths[column]) + " "
        table.append(made.rstrip())
    missing = [TITLES[column] for column in options.col_names if column not in widths]
    if missing:
        table += [divider, *textwrap.wrap(f"Left out, as there is no room: {', '.join(missing)}", total)]
    return "\n".join([divider, table[0], divider, *table[1:], divider, *_totals(stats, divider), divider])


class _Line:
    """A line of the table: its place in the tree, what it is called, and its cells by column."""

    def __init__(self, depth: int, title: str, cells: dict[str, str]):
        self.depth, self.title, self.cells = depth, title, cells

    def name(self, options: FormattingOptions, width: int, narrow: bool) -> str:
        """The first column, in which a narrow table has one character for each level."""
        plain = "ascii_only" in options.row_settings
        bar, branch = ("|", "+") if plain else ("│", "└")
        if narrow:
            start = bar * (self.depth - 1) + branch if self.depth else ""
        elif self.depth < 2:
            start = ("+ " if plain else "├─") if self.depth else ""
        else:
            start = (bar + " " * 4) * (self.depth - 1) + ("+ " if plain else "└─")
        return start + (shorten(self.title, width - len(start)) if narrow else self.title)


def _lines(stats) -> list[_Line]:
    """The head and every row."""
    options = stats.formatting
    var_names, depth = "var_names" in options.row_settings, "depth" in options.row_settings
    head = "Layer (type" + (" (var_name)" if var_names else "") + (":depth-idx" if depth else "") + ")"
    lines = [_Line(0, head, {column: TITLES[column] for column in options.col_names})]
    for row, last in rows_shown(stats):
        cells = {column: CELLS[column](row, last, stats) for column in options.col_names}
        lines.append(_Line(row.depth, row.title(var_names, depth), cells))
        if options.verbose == Verbosity.VERBOSE:
            for i, (name, shape, count) in enumerate(row.parameters):
                mark = "└─" if i == len(row.parameters) - 1 else "├─"
                if "ascii_only" in options.row_settings:
                    mark = "+ "
                inner = {"kernel_size": str(shape), "num_params": f"{mark}{count:,}"}
                lines.append(_Line(row.depth + 1, name, inner))
    return lines


def _name_width(stats, lines) -> int:
    """The width of the first column, as torchinfo works it out: over all rows, shown or not."""
    options = stats.formatting
    settings = "var_names" in options.row_settings, "depth" in options.row_settings
    longest = max(wide(row.title(*settings)) + row.depth * STEP + 1 for row in stats.summary_list)
    longest = max(longest, *(wide(line.name(options, 0, False)) for line in lines))
    return NAME_WIDTH if longest < NAME_WIDTH else math.ceil(longest / STEP) * STEP


def _narrowed(lines, options, room) -> tuple[int, dict[str, int], bool]:
    """(width of the names, widths of the columns that stay, whether the tree is narrow) for `room` columns."""
    columns = lines[0].cells
    widths = {column: max(wide(line.cells.get(column, "")) for line in lines) for column in columns}
    longest = max(wide(line.name(options, 0, False)) for line in lines)
    if longest + sum(n + 1 for n in widths.values()) <= room:
        return longest, widths, False
    longest = max(line.depth + wide(line.title) for line in lines)
    needed = max((line.depth + wide(line.title) for line in lines[1:]), default=0)  # the head may be shortened
    for column in EXPENDABLE:
        left = room - sum(n + 1 for n in widths.values())
        if left >= min(needed, max(16, room // 2)) or len(widths) < 2:
            break
        widths.pop(column, None)
    left = room - sum(n + 1 for n in widths.values())
    return max(6, min(longest, left)), widths, True


def _totals(stats, divider) -> list[str]:
    """What stands below the table."""
    frozen = stats.total_params - stats.trainable_params
    lines = [
        f"Total params: {stats.total_params:,}",
        f"Trainable params: {stats.trainable_params:,}",
        f"Non-trainable params: {frozen:,}",
    ]
    if not stats.input_size:
        return lines
    total = stats.total_input + stats.total_output_bytes + stats.total_param_bytes
    return [
        *lines,
        f"Total mult-adds{large(stats.total_mult_adds)}",
        divider,
        f"Input size (MB): {stats.total_input / 1e6:0.2f}",
        f"Forward/backward pass size (MB): {stats.total_output_bytes / 1e6:0.2f}",
        f"Params size (MB): {stats.total_param_bytes / 1e6:0.2f}",
        f"Estimated Total Size (MB): {total / 1e6:0.2f}",
        divider,
        f"Kept for the backward pass (MB): {stats.total_saved_bytes / 1e6:0.2f}",
        *([] if stats.total_seconds is None else [f"Forward pass (ms): {milliseconds(stats.total_seconds)}"]),
    ]


def large(number: int) -> str:
    """A number in millions or more, with its unit before the colon: ` (M): 1.81`."""
    unit, size = ("T", 1e12) if number >= 1e12 else ("G", 1e9) if number >= 1e9 else ("M", 1e6)
    value = number / size
    return f" ({unit}): {int(value):,}" if value.is_integer() else f" ({unit}): {value:,.2f}"


# --------------------------------------------------------------------------------------------------- widths of text


def pad(text: str, width: int) -> str:
    """The text with spaces after it, up to a width."""
    return text + " " * (width - wide(text))
