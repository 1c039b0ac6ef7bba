"""A run as a callback of `flambeau.fit`: what it takes from the training at its start, steps, epochs and end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .settings import configuration

EVERY = 10  # steps between two losses of single batches


class Following:
    """The methods of `Run` that `fit` calls: `callbacks=[run]`.

    Charts: the loss of single batches (batch/loss), means over epochs (train/loss, val/loss, and metrics), the learning
    rate. Without a `with` block of its own the record ends with the training.
    """

    entered: bool

    def on_start(self: Any, training: Any) -> None:
        """The training begins: its settings, its model, and what the doctor says of them."""
        known = {k: v for k, v in configuration(training.settings).items() if k not in self.record.config}
        self.record.config.update(known)
        self.add_model(training.model)
        if training.report is not None:
            self.add_report(training.report)
        self.flush()

    def on_step(self: Any, training: Any) -> None:
        """A step has been taken: now and then its loss."""
        if training.step % EVERY == 0 or training.step < EVERY:
            epoch = training.epoch - 1
            if training.batches:
                epoch += training.batch / training.batches
            self.log({"batch/loss": training.loss, "epoch": epoch}, training.step)

    def on_epoch(self: Any, training: Any) -> None:
        """An epoch has ended: all its numbers."""
        row = {name: values[-1] for name, values in training.history.columns.items() if values}
        named = {_name(name): value for name, value in row.items() if value is not None}
        self.log({**named, "epoch": training.epoch}, training.step)

    def on_end(self: Any, training: Any) -> None:
        """The training has ended: what the doctor found, and the checkpoints that there are."""
        self._take(training)
        if not self.entered:
            self.close()

    def on_error(self: Any, training: Any, error: BaseException) -> None:
        """The training has ended by an error."""
        self._take(training)
        if not self.entered:
            self.fail(error)

    def _take(self: Any, training: Any) -> None:
        if training.stopped:
            self.add_text("stopped early", training.stopped)
        if training.report is not None:
            self.add_report(training.report)
        for name, note in (("path", ""), ("best_path", "best")):
            path = getattr(training.checkpoint, name, None)
            if path is not None and Path(path).is_file():
                self.add_checkpoint(path, note=note)


def _name(column: str) -> str:
    """A column of the history as the name of a curve: what belongs together shares a chart.

    >>> [_name(c) for c in ("loss", "val_loss", "lr")]
    ['train/loss', 'val/loss', 'lr']
    """
    if column in ("lr", "seconds"):
        return column
    return f"val/{column[4:]}" if column.startswith("val_") else f"train/{column}"
