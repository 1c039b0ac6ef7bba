"""`progress`: how far a loop is, how fast, and when it ends; on a terminal, in a notebook, or as lines in a file.

The loop itself pays for one comparison per round: the clock is looked at a few times between two drawings, whose
rounds are foreseen from the rate, and a metric's tensor is read only when it is drawn.
"""

from __future__ import annotations

import importlib.util
import math
import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm.std import tqdm
from tqdm.utils import _screen_shape_wrapper, _supports_unicode

from ..errors import ArgumentError, ArgumentTypeError
from ..tensor import Tensor
from . import above
from .lines import BLOCKS, State, fitted, plain

REDRAW = 0.1  # seconds between two drawings on a terminal
SHARE = 400  # drawing may take one part in so many of the time, cold caches and all
LOOKS = 4  # looks at the clock between two drawings
SPACED, GROWTH = 10.0, 20  # seconds between two lines of a file; later a 20th of the time that has passed
NESTED = 1.0  # an inner loop that took fewer seconds leaves no line in a file
SMOOTH = 3.0  # seconds over which the rate is averaged

_open: list[Progress] = []  # the bars that are drawn now, the outermost first


class Progress:
    """A loop whose progress is shown; what `progress` makes.

    Attributes: n (rounds so far), total, desc, metrics (what `set` was given).
    """

    def __init__(
        self,
        iterable: Iterable | None = None,
        desc: str | None = None,
        total: int | None = None,
        *,
        unit: str | None = None,
        scale: float | None = None,
        leave: bool | None = None,
        disable: bool = False,
        file: Any = None,
        every: float | None = None,
    ):
        if iterable is not None and not isinstance(iterable, Iterable):
            raise ArgumentTypeError(
                f"progress() takes something to loop over, not {type(iterable).__name__}",
                why="it gives out its elements, one after the other",
                fix=f"use `progress(range({iterable}))`" if isinstance(iterable, int) else "give a loader or a list",
            )
        if total is not None and (not isinstance(total, int) or total < 0):
            raise ArgumentError(
                f"progress(total={total!r}) is not a number of rounds",
                why="the share that is done is computed from it",
                fix="give a whole number, or leave it out",
            )
        self.iterable, self.desc, self.leave, self.file, self.every = iterable, desc or "", leave, file, every
        self.total = _length(iterable) if total is None else total
        batch = _batch_size(iterable)
        self.unit = unit or ("samples" if batch else "it")
        self.scale = scale or batch or 1
        self.disable = disable
        self.metrics: dict[str, Any] = {}
        self.n = 0
        self._due: float = math.inf  # the round at which to look at the clock next
        self._shown: Any = None  # what draws; None while the loop does not run

    # ------------------------------------------------------------------ use

    def __iter__(self) -> Iterator:
        if self.iterable is None:
            raise ArgumentTypeError(
                "this progress() has nothing to loop over",
                why="it was made with a total only",
                fix="call `bar.update()` after each round, or give what to loop over: `progress(loader)`",
            )
        self.begin()
        n, due = 0, self._due
        try:
            for item in self.iterable:
                yield item
                n += 1
                if n >= due:
                    self.n = n
                    due = self._look()
        finally:
            self.n = n
            self.close()

    def set(self, **metrics: Any) -> None:
        """Numbers to show: floats, or tensors of one element, which are read only when the bar is drawn again.

        Nothing of a tensor but its value is kept: its graph can go.
        """
        held = self.metrics
        for name, value in metrics.items():
            held[name] = value._array if value.__class__ is Tensor else _without_graph(value)

    def update(self, n: int = 1) -> None:
        """Count rounds, where there is nothing to loop over."""
        if self._shown is None and not self.disable:
            self.begin()
        self.n += n
        if self.n >= self._due:
            self._look()

    def write(self, text: str) -> None:
        """Print a line above the bars, as `print` does."""
        print(text, flush=True)

    def __enter__(self) -> Progress:
        self.begin()
        return self

    def __exit__(self, *details: Any) -> None:
        self.close()

    def __len__(self) -> int:
        if self.total is None:
            raise ArgumentTypeError(
                "the length of this progress() is not known",
                why="what it loops over has no length",
                fix="give it: `progress(iterable, total=100)`",
            )
        return self.total

    # ------------------------------------------------------------------ drawing

    def begin(self, n: int = 0) -> None:
        """Start the clock, and draw for the first time. n: rounds that are done already."""
        if self._shown is not None or self.disable:
            return
        self.n = self._n_began = self._n_drawn = self._n_looked = n
        self._began = self._drawn = self._looked = time.perf_counter()
        self._rate = self._cost = 0.0  # rounds per second; seconds of a drawing
        nested = bool(_open)
        file = above.beneath(sys.stderr if self.file is None else self.file)
        kind = _notebook() if self.file is None else None
        if kind is None:
            kind = Terminal if _is_terminal(file) else Lines
        self._shown = kind(self, file, not nested if self.leave is None else self.leave)
        _open.append(self)
        if kind is Terminal:
            above.begin()
        self._due = n + 1
        self._shown.draw(self.state())

    def close(self) -> None:
        """Draw for the last time, and leave the terminal clean. A second call does nothing."""
        shown, self._shown, self._due = self._shown, None, math.inf
        if shown is None:
            return
        now = time.perf_counter()
        self._rate = (self.n - self._n_began) / max(now - self._began, 1e-9)  # in the end, that of the whole loop
        try:
            shown.close(self.state())
        finally:
            if self in _open:
                _open.remove(self)
            if not any(isinstance(bar._shown, Terminal) for bar in _open):
                above.end()

    def refresh(self) -> None:
        """Draw now."""
        if self._shown is not None:
            self._draw(time.perf_counter())

    def state(self) -> State:
        """How far it is."""
        return State(
            self.desc, self.n, self.total, time.perf_counter() - self._began, self._rate, self.unit, self.scale,
            self.metrics,
        )  # fmt: skip

    def _look(self) -> float:
        """Look at the clock; draw if it is time, and foresee the round of the next look."""
        now = time.perf_counter()
        pause = max(self._shown.pause(now - self._began) if self.every is None else self.every, SHARE * self._cost)
        if now - self._drawn >= pause:
            self._draw(now)
        took = (now - self._looked) / max(self.n - self._n_looked, 1)  # of a round, lately
        self._looked, self._n_looked = now, self.n
        ahead = min(pause, REDRAW) / LOOKS / max(took, 1e-9)
        self._due = self.n + max(1, min(ahead, 2 * (self.n - self._n_began)))
        return self._due

    def _draw(self, now: float) -> None:
        passed = now - self._drawn
        if passed > 0 and self.n > self._n_drawn:
            rate = (self.n - self._n_drawn) / passed
            weight = 1 - math.exp(-passed / SMOOTH) if self._rate else 1.0
            self._rate += weight * (rate - self._rate)
        self._drawn, self._n_drawn = now, self.n
        self._shown.draw(self.state())
        self._cost += 0.5 * (time.perf_counter() - now - self._cost)


def progress(
    iterable: Iterable | None = None,
    desc: str | None = None,
    total: int | None = None,
    *,
    unit: str | None = None,
    scale: float | None = None,
    leave: bool | None = None,
    disable: bool = False,
    file: Any = None,
    every: float | None = None,
) -> Progress:
    """Loop over something and show how far it is: the share, the rate, the time left, and metrics.

    On a terminal it is a bar, in a notebook a widget, elsewhere (a file, a log) a plain line every ten seconds and at
    the end. For a `DataLoader` the rate is in samples per second. Loops may lie inside each other; `print` inside the
    loop writes above the bar.

    Arguments:
        iterable: a loader, a list, a generator...; None where `bar.update()` counts the rounds.
        desc: what the loop does, before the bar.
        total: the number of rounds; default: the iterable's length, if it has one.
        unit, scale: what is counted in the rate, and how many in a round; default: "samples" of a loader, else "it".
        leave: keep the bar when the loop has ended; default: only of a loop that is in no other.
        disable: show nothing.
        file: where to write; default: sys.stderr.
        every: seconds between two drawings; default: 0.1 on a terminal, 10 and later more in a file.

    Returns: a `Progress`, to loop over. `bar.set(loss=loss)` shows a number: tensors are read only when the bar is
    drawn, and their graphs are not kept. `bar.write(text)` prints a line above the bars.

    >>> import io
    >>> import flambeau as torch
    >>> bar = torch.progress([3.0, 2.0, 1.0], "counting", file=io.StringIO())
    >>> for x in bar:
    ...     bar.set(x=torch.tensor(x))
    >>> bar.n, bar.metrics
    (3, {'x': array(1., dtype=float32)})
    """
    return Progress(
        iterable, desc, total, unit=unit, scale=scale, leave=leave, disable=disable, file=file, every=every
    )  # fmt: skip


def _without_graph(value: Any) -> Any:
    """What is kept of a metric: of a tensor, of flambeau or of another library, its value."""
    if isinstance(value, Tensor):
        return value._array
    return value.detach() if hasattr(value, "detach") else value


def _length(iterable: Any) -> int | None:
    try:
        return len(iterable)
    except (TypeError, AttributeError, NotImplementedError):
        return None


def _batch_size(iterable: Any) -> int | None:
    """The samples of a batch of a loader; None for anything else."""
    if not hasattr(iterable, "dataset"):
        return None
    size = getattr(iterable, "batch_size", None) or getattr(
        getattr(iterable, "batch_sampler", None), "batch_size", None
    )
    return size if isinstance(size, int) else None


# ---------------------------------------------------------------------- where it is shown


def _is_terminal(file: Any) -> bool:
    """Whether a line on it can be written over."""
    try:
        return bool(file.isatty()) and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # no such method; closed
        return False


def _notebook() -> Any:
    """What draws in a notebook: widgets where they are installed, else text that is written over; None elsewhere."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if type(shell).__name__ != "ZMQInteractiveShell":
        return None
    return Widget if importlib.util.find_spec("ipywidgets") else Terminal


class _Bar(tqdm):
    """tqdm's bar: its place among others, how it is cleared and written over; the text is ours."""

    monitor_interval = 0  # no thread: drawing happens between two rounds
    text = ""

    def __str__(self) -> str:
        return self.text


class Terminal:
    """A bar on a terminal."""

    def __init__(self, progress: Progress, file: Any, leave: bool):
        self.file = file
        self.blocks = BLOCKS if _supports_unicode(file) else "-#"
        self.size = _screen_shape_wrapper()
        rows = self.size(file)[1] if self.size is not None else None
        rows = rows if rows is not None and rows > 1 else 24
        self.bar = _Bar(
            total=progress.total, file=file, leave=leave, mininterval=0, delay=1e9, ncols=self.width(), nrows=rows
        )
        self.bar.last_print_t = self.bar.start_t  # closed like one that has been drawn

    @staticmethod
    def pause(elapsed: float) -> float:
        """Seconds to the next drawing."""
        return REDRAW

    def width(self) -> int:
        """Columns of the terminal now; the last one stays free, for terminals that break the line there."""
        columns = self.size(self.file)[0] if self.size is not None else None
        return columns - 1 if columns is not None and columns > 1 else 79  # 0: a terminal that does not know

    def draw(self, state: State) -> None:
        """Write the line over the last one."""
        self.bar.text = fitted(state, self.width(), self.blocks)
        self.bar.refresh()

    def close(self, state: State) -> None:
        """The last line stays, or goes."""
        self.bar.text = fitted(state, self.width(), self.blocks)
        self.bar.delay = 0
        self.bar.close()


class Widget:
    """A bar in a notebook."""

    def __init__(self, progress: Progress, file: Any, leave: bool):
        from tqdm.notebook import tqdm as widget  # noqa: PLC0415 - only where there are notebooks

        form = "{desc}{percentage:3.0f}%{bar}{n_fmt}/{total_fmt} [{elapsed}<{remaining}{postfix}]"
        self.bar = widget(
            total=progress.total, desc=progress.desc, leave=leave, bar_format=form if progress.total else None
        )

    @staticmethod
    def pause(elapsed: float) -> float:
        """Seconds to the next drawing: each is a message to the browser."""
        return 2 * REDRAW

    def draw(self, state: State) -> None:
        """Show the state."""
        self.bar.n = state.n
        self.bar.set_description(state.desc or None, refresh=False)
        line = plain(State("", 0, None, 0, state.rate, state.unit, state.scale, state.metrics))
        self.bar.set_postfix_str(line.partition(", ")[2].replace("]", ",").rstrip(","), refresh=False)
        self.bar.refresh()

    def close(self, state: State) -> None:
        """Show the end; unfinished bars turn red."""
        self.draw(state)
        self.bar.close()


class Lines:
    """Plain lines, for files and logs: one every so often, one at the end; inner loops name the outer one's round."""

    def __init__(self, progress: Progress, file: Any, leave: bool):
        self.progress, self.file = progress, file
        self.outer = [bar for bar in _open if isinstance(bar._shown, Lines)]
        self.leave = leave or (progress.leave is None and bool(self.outer))

    @staticmethod
    def pause(elapsed: float) -> float:
        """Seconds to the next line."""
        return max(SPACED, elapsed / GROWTH)

    def draw(self, state: State) -> None:
        """Write a line, if something has happened."""
        if state.n:
            self._write(state)

    def close(self, state: State) -> None:
        """The last line; of short inner loops none, for the outer one speaks for them."""
        if self.leave and (not self.outer or state.elapsed >= NESTED):
            self._write(state)

    def _write(self, state: State) -> None:
        before = "".join(f"{bar.desc} {bar.n + 1}/{bar.total}, " if bar.total else f"{bar.desc} {bar.n + 1}, "
                         for bar in self.outer)  # fmt: skip
        print(before.lstrip() + plain(state), file=self.file, flush=True)
