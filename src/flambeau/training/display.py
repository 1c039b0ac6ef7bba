"""What `fit` shows: a bar over all steps, and a line for each epoch."""

from __future__ import annotations

import shutil
import sys
from typing import Any

from ..language import text as _
from .bars import Progress
from .history import shown
from .lines import columns


class Display:
    """A callback that draws: the bar while training goes on, the numbers of an epoch when it has ended."""

    def __init__(self, training: Any):
        total = None if training.batches is None else training.batches * training.epochs
        self.bar = Progress(training.train_loader, total=total, leave=False)
        if training.max_steps is not None:
            left = training.max_steps * training.accumulate
            self.bar.total = left if total is None else min(total, left)

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *details: Any) -> None:
        self.bar.close()

    def on_start(self, t: Any) -> None:
        """Begin where the training does: an earlier part of it may be done already."""
        self.bar.desc = f"epoch {t.finished + 1}/{t.epochs}"
        done = t.batch + t.finished * (t.batches or 0)
        if t.stopped or t.finished >= t.epochs:
            self.bar.write(_(f"has been trained already: {t.finished} epochs, {t.step} steps"))
            return
        if t.step:
            self.bar.write(_(f"goes on after epoch {t.finished}, step {t.step}"))
        self.bar.begin(done)

    def on_step(self, t: Any) -> None:
        """Count, and show the means of this epoch."""
        self.bar.desc = f"epoch {t.epoch}/{t.epochs}"
        self.bar.metrics = t.means
        self.bar.update(t.accumulate)

    def on_epoch(self, t: Any) -> None:
        """The line of the epoch; a star where it is the best so far."""
        row = t.history.row(-1)
        width = len(str(t.epochs))
        star = "*" if t.history.best.get("epoch") == t.history.epochs > 1 else " "
        parts = [f"{name} {shown(name, v):>6}" for name, v in row.items() if name not in ("lr", "seconds")]
        self.bar.write(wrapped(f"epoch {t.epoch:{width}}/{t.epochs}{star}", parts))

    def on_end(self, t: Any) -> None:
        """Clear the bar, and say why training has ended early."""
        self.bar.close()
        if t.stopped and t.epoch:
            self.bar.write(_(f"stopped after epoch {t.epoch}: {t.stopped}"))

    def on_error(self, t: Any, error: BaseException) -> None:
        """Clear the bar, so that what is said of the error stands by itself."""
        self.bar.close()


def wrapped(first: str, parts: list[str]) -> str:
    """The parts of a line, two spaces apart; on a terminal that is too narrow they go on in the next line."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    lines = [first]
    for part in parts:
        gap = " " if lines == [first] else "  "
        if width and columns(lines[-1] + gap + part) > width:
            lines.append("    " + part)
        else:
            lines[-1] += gap + part
    return "\n".join(lines)
