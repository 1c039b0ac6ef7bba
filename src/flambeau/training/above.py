"""Prints, warnings and log lines while bars are on the terminal: they go above the bars instead of through them."""

from __future__ import annotations

import sys
from typing import Any

from tqdm.std import tqdm

NAMES = ("stdout", "stderr")


class Above:
    """Stands in for `sys.stdout` or `sys.stderr` while bars are drawn: whole lines are written above them."""

    def __init__(self, stream: Any):
        self._wrapped = stream  # tqdm compares streams by this name
        self._rest = ""
        self._busy = False

    def write(self, text: str) -> int:
        """Write what is whole lines; the rest waits for its end."""
        drawing = sys._getframe(1).f_globals.get("__name__", "").startswith("tqdm.")
        if self._busy or drawing or not tqdm._instances:
            return self._wrapped.write(text)
        whole, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._above(whole + newline)
        return len(text)

    def flush(self) -> None:
        """Write what waits, on a line of its own: a question, say, that will be answered below it."""
        rest, self._rest = self._rest, ""
        if rest:
            self._above(rest + "\n")
        self._wrapped.flush()

    def _above(self, text: str) -> None:
        self._busy = True
        try:
            with tqdm.external_write_mode(file=self):
                for bar in list(tqdm._instances):
                    bar.fp.flush()  # the cursor is at the start of the line only then
                self._wrapped.write(text)
                self._wrapped.flush()
        finally:
            self._busy = False

    def __eq__(self, other: object) -> bool:
        return getattr(other, "_wrapped", other) is self._wrapped

    def __hash__(self) -> int:
        return hash(self._wrapped)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


def begin() -> None:
    """Let the streams that are the terminal write above bars."""
    for name in NAMES:
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Above) and stream.isatty():
            setattr(sys, name, Above(stream))


def end() -> None:
    """The streams are again what they were."""
    for name in NAMES:
        stream = getattr(sys, name)
        if isinstance(stream, Above):
            setattr(sys, name, stream._wrapped)
            if stream._rest:
                stream._wrapped.write(stream._rest)


def beneath(stream: Any) -> Any:
    """The stream itself, where it is one that writes above bars."""
    return stream._wrapped if isinstance(stream, Above) else stream
