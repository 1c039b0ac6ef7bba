"""One line that says how far a loop is, made to fit a width: what matters most stays, whole."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from tqdm.utils import disp_len, disp_trim

from ..tensor import Tensor

SMALLEST_BAR, LARGEST_BAR = 8, 40
BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclass
class State:
    """How far a loop is."""

    desc: str = ""
    n: int = 0
    total: int | None = None
    elapsed: float = 0.0
    rate: float = 0.0  # iterations per second
    unit: str = "it"
    scale: float = 1.0  # units in an iteration: the samples of a batch
    metrics: dict[str, Any] = field(default_factory=dict)

    @property
    def left(self) -> float:
        """Seconds to the end, by the rate; NaN if not known."""
        if self.total is None or not self.rate:
            return math.nan
        return max(self.total - self.n, 0) / self.rate


def fitted(s: State, width: int, blocks: str = BLOCKS) -> str:
    """The line within a width: the bar goes first, then the length of the unit, the times, the count, the rate.

    >>> from flambeau.training.lines import State, fitted
    >>> s = State("epoch 3/16", 281, 938, 12.0, 23.4, "samples", 32, {"loss": 0.3456789, "acc": 0.971})
    >>> for width in (80, 70, 60, 40, 26):
    ...     print(fitted(s, width, "-#"))
    epoch 3/16: 30% 281/938 [0:12<0:28, 749 samples/s] loss 0.3457, acc 0.971
    epoch 3/16: 30% 281/938 [0:12<0:28, 749/s] loss 0.3457, acc 0.971
    epoch 3/16: 30% [0:12<0:28, 749/s] loss 0.3457, acc 0.971
    epoch 3/16 30% 0:28 loss 0.346 acc 0.971
    epoch 3/16 30% 0:28
    """
    metrics = [f"{name} {number(value)}" for name, value in s.metrics.items()]
    head = f"{s.desc}: " if s.desc else ""
    done = f"{s.n}/{s.total}" if s.total is not None else f"{s.n}"
    share = f"{min(s.n / s.total, 1):4.0%} " if s.total else ""
    left = "" if s.left != s.left or s.n == s.total else clock(s.left)
    times = clock(s.elapsed) + (f"<{left}" if left else "")
    long, short = rates(s)
    forms = (
        (f"[{times}{long}]", done),
        (f"[{times}{short}]", done),
        (f"[{times}{short}]", ""),
        (f"[{left or times}{short}]", ""),
        (left or times, ""),
    )
    for inside, count in forms:
        after = " ".join(part for part in (count, inside, ", ".join(metrics)) if part)
        room = width - columns(head + share + after) - 3
        if share and count and long in inside and room >= SMALLEST_BAR:
            return f"{head}{share}|{drawn(s.n / s.total, min(room, LARGEST_BAR), blocks)}| {after}"  # type: ignore[operator]
        if room >= -3:
            return head + share.lstrip() + after
    words = [s.desc, share.strip(), left, *(f"{name} {number(value, 3)}" for name, value in s.metrics.items())]
    tight = [words, [s.desc, *words[2:]], *(words[:end] for end in range(len(words) - 1, 1, -1))]
    for line in (" ".join(filter(None, part)) for part in tight):
        if columns(line) <= width:
            return line
    return disp_trim(s.desc or share.strip(), max(width, 0)).rstrip()


def plain(s: State) -> str:
    """The line for a file: no bar, nothing left out."""
    metrics = ", ".join(f"{name} {number(value)}" for name, value in s.metrics.items())
    head = f"{s.desc}: " if s.desc else ""
    done = f"{s.n}/{s.total}" if s.total is not None else f"{s.n}"
    share = f"{min(s.n / s.total, 1):.0%} " if s.total and s.n != s.total else ""
    left = "" if s.left != s.left or s.n == s.total else f"<{clock(s.left)}"
    return f"{head}{share}{done} [{clock(s.elapsed)}{left}{rates(s)[0]}] {metrics}".rstrip()


def columns(text: str) -> int:
    """How many columns a text takes: Chinese letters take two."""
    return len(text) if text.isascii() else disp_len(text)


def drawn(share: float, width: int, blocks: str) -> str:
    """A bar, with the last block in parts of a block."""
    fine = len(blocks) - 1
    filled = int(min(share, 1) * width * fine)
    whole, part = divmod(filled, fine)
    return (blocks[-1] * whole + (blocks[part] if whole < width else "")).ljust(width, blocks[0])


def rates(s: State) -> tuple[str, str]:
    """(", " and the rate with its unit, the same in a shorter form); empty while there is none"""
    if not s.rate:
        return "", ""
    rate = s.rate * s.scale
    if s.rate < 1 and s.scale == 1:
        return f", {1 / s.rate:.1f} s/{s.unit}", f", {1 / s.rate:.1f}s"
    exact = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    power = 0 if rate < 9999.5 else min(int(math.log10(rate) // 3), 4)
    short = exact.replace(",", "") if not power else f"{rate / 1000**power:.3g}{' kMGT'[power]}"
    return f", {exact} {s.unit}/s", f", {short}/s"


def clock(seconds: float) -> str:
    """Seconds as 0:07, 1:02:03 or 2d 3:04:05."""
    if seconds != seconds or seconds > 1e9:
        return "?"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    text = f"{hours}:{minutes:02d}:{seconds:02d}" if hours or days else f"{minutes}:{seconds:02d}"
    return f"{days}d {text}" if days else text


def number(value: Any, digits: int = 4) -> str:
    """A metric as text: numbers with so many digits, tensors of one element as numbers, anything else as it prints."""
    if isinstance(value, Tensor):
        value = value._array
    if getattr(value, "size", 1) == 1 and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return " ".join(str(value).split())[:24]
