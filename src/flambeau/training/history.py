"""The numbers of a training, one per epoch: printable as a table, and drawn as curves."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from typing import Any

from .stopping import Best


class History(Mapping):
    """One list of numbers per column, one entry per epoch: "loss", "lr", "seconds", "val_loss", your metrics.

    It reads like a dictionary of lists, prints as a table, and is a table in notebooks.

    Attributes: stopped (why training ended before its last epoch; empty if it did not), step (optimizer steps made),
    report (what the doctor found, with `doctor=True`), monitor (the column by which `best` chooses; None for
    "val_loss", else "loss").

    >>> from flambeau.training import History
    >>> history = History()
    >>> history.append({"loss": 0.5, "val_loss": 0.6})
    >>> history.append({"loss": 0.4, "val_loss": 0.7})
    >>> history["loss"], history.best["epoch"]
    ([0.5, 0.4], 1)
    >>> print(history)
    epoch    loss  val_loss
        1  0.5000    0.6000  *
        2  0.4000    0.7000
    """

    def __init__(self, columns: Mapping[str, list[float]] | None = None, monitor: str | None = None):
        self.columns: dict[str, list[float]] = {name: list(values) for name, values in (columns or {}).items()}
        self.monitor, self.stopped, self.step = monitor, "", 0
        self.report: Any = None

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch. A column that it lacks gets NaN, as a new column does for the epochs before."""
        epochs = self.epochs
        for name in (*self.columns, *row):
            self.columns.setdefault(name, [math.nan] * epochs)
        for name, values in self.columns.items():
            values.append(row.get(name, math.nan))

    @property
    def epochs(self) -> int:
        """How many epochs there are."""
        return max(map(len, self.columns.values()), default=0)

    def row(self, epoch: int) -> dict[str, float]:
        """The numbers of one epoch, the first being 1; negative ones count from the end."""
        at = epoch - 1 if epoch > 0 else epoch
        return {name: values[at] for name, values in self.columns.items()}

    @property
    def best(self) -> dict[str, float]:
        """The numbers of the best epoch, and which one it was; empty if there is none."""
        found = Best(self.monitor)
        for epoch in range(1, self.epochs + 1):
            found.improved(self.row(epoch), epoch)
        return {"epoch": found.epoch, **self.row(found.epoch)} if found.epoch else {}

    # ------------------------------------------------------------------ a mapping

    def __getitem__(self, name: str) -> list[float]:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    # ------------------------------------------------------------------ shown

    def cells(self) -> tuple[list[str], list[list[str]], int]:
        """(the header, the rows as text, the number of the best epoch or 0)"""
        header = ["epoch", *self.columns]
        numbers = [[shown(name, v) for v in values] for name, values in self.columns.items()]
        rows = [[str(k), *row] for k, row in enumerate(zip(*numbers), 1)]
        return header, rows, int(self.best.get("epoch", 0))

    def __str__(self) -> str:
        if not self.epochs:
            return "no epochs yet"
        header, rows, best = self.cells()
        widths = [max(map(len, column)) for column in zip(header, *rows)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths)) for row in (header, *rows)]
        if len(rows) > 1:
            lines[best] += "  *" if best else ""
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"History({self.epochs} epochs: {', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        header, rows, best = self.cells()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
        body = [
            ("<tr style='font-weight:bold'>" if k == best else "<tr>") + "".join(f"<td>{c}</td>" for c in row) + "</tr>"
            for k, row in enumerate(rows, 1)
        ]
        return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"

    def plot(self, **options: Any) -> Any:
        """The curves of losses and metrics as a figure; options are those of `viz.learning_curves`."""
        from ..viz import learning_curves  # noqa: PLC0415 - drawn only when asked for

        return learning_curves({k: v for k, v in self.items() if k not in ("lr", "seconds")}, **options)


def shown(name: str, value: float) -> str:
    """A number of a column, as it is printed: accuracies as percentages, others with four digits or places."""
    if value != value:
        return "nan"
    if "acc" in name and 0 <= value <= 1:
        return f"{value:.2%}"
    if name == "seconds":
        return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.4f}" if 0.001 <= abs(value) < 100 and name != "lr" else f"{value:.4g}"
