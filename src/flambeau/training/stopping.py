"""The best value so far of what is monitored, and when to give up waiting for a better one."""

from __future__ import annotations

import copy
import math
from typing import Any

from ..errors import ArgumentError, MissingKey

HIGHER = ("acc", "auc", "f1", "precision", "recall", "score", "iou", "bleu", "r2")  # of these, more is better


class Best:
    """The best value of one column of the history.

    Arguments:
        monitor: the column; None takes "val_loss", or "loss" where nothing is validated.
        mode: "min" or "max"; None takes "max" for accuracies and scores (by their name), "min" for all else.
        min_delta: how much better a value has to be to count.

    Attributes: value, epoch (0 before the first one), waited (epochs since), column (what is monitored).

    >>> from flambeau.training.stopping import Best
    >>> best = Best("val_accuracy")
    >>> [best.improved({"val_accuracy": a}, epoch) for epoch, a in enumerate((0.5, 0.7, 0.6), 1)], best.value
    ([True, True, False], 0.7)
    """

    def __init__(self, monitor: str | None = None, mode: str | None = None, min_delta: float = 0.0):
        if mode not in (None, "min", "max"):
            raise ArgumentError(
                f"mode={mode!r} is neither 'min' nor 'max'",
                why="it says whether smaller or larger values are better",
                fix="use mode='min' for losses, mode='max' for accuracies",
            )
        if not min_delta >= 0:
            raise ArgumentError(
                f"min_delta={min_delta} is negative",
                why="it is how much better a value has to be to count",
                fix="use `min_delta=0.0`",
            )
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self.value, self.epoch, self.waited = math.nan, 0, 0
        self.column = monitor or "loss"

    def improved(self, row: dict[str, float], epoch: int) -> bool:
        """Take in an epoch's numbers; whether they are the best so far. NaN never is."""
        name = self.monitor or ("val_loss" if "val_loss" in row else "loss")
        if name not in row:
            raise MissingKey(
                f"{name!r} is not a column of the history, which has {', '.join(row)}",
                why="it is what monitor= names",
                fix="name one of these columns, or add the metric: `metrics={...}`, `val_loader=...`",
            )
        self.column, value = name, row[name]
        gain = self.sign(name) * (self.value - value)
        better = value == value and (self.value != self.value or gain > self.min_delta)
        if better:
            self.value, self.epoch, self.waited = value, epoch, 0
        else:
            self.waited += 1
        return better

    def sign(self, name: str) -> int:
        """1 where smaller values of a column are better, -1 where larger ones are."""
        return -1 if self.mode == "max" or self.mode is None and any(part in name.lower() for part in HIGHER) else 1

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"value": self.value, "epoch": self.epoch, "waited": self.waited, "column": self.column}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.value, self.epoch, self.waited = state["value"], state["epoch"], state["waited"]
        self.column = state["column"]


class EarlyStopping(Best):
    """Stops a training when what it monitors has not become better for some epochs.

    Arguments:
        patience: epochs to wait for a better value.
        monitor, mode, min_delta: which column of the history, and what is better; see `Best`.
        restore_best: put the weights of the best epoch back when the training ends.

    >>> from flambeau.training import EarlyStopping
    >>> EarlyStopping(3, monitor="val_accuracy").patience
    3
    """

    def __init__(
        self,
        patience: int = 5,
        monitor: str | None = None,
        mode: str | None = None,
        min_delta: float = 0.0,
        restore_best: bool = False,
    ):
        super().__init__(monitor, mode, min_delta)
        if not isinstance(patience, int) or isinstance(patience, bool) or patience < 1:
            raise ArgumentError(
                f"patience={patience!r} is not a number of epochs",
                why="training stops after so many epochs without a better value",
                fix="use a whole number of at least 1, such as `EarlyStopping(patience=5)`",
            )
        self.patience, self.restore_best = patience, restore_best
        self.weights: Any = None

    def after(self, row: dict[str, float], epoch: int, model: Any) -> bool:
        """Take in an epoch; whether to stop."""
        if self.improved(row, epoch) and self.restore_best:
            self.weights = copy.deepcopy(model.state_dict())
        return self.waited >= self.patience

    def restore(self, model: Any) -> None:
        """The weights of the best epoch, if they were kept."""
        if self.weights is not None:
            model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes; the best weights too, if they are kept."""
        return {**super().state_dict(), "weights": self.weights}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        super().load_state_dict(state)
        self.weights = state["weights"]
