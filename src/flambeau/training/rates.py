"""`lr_find`: the loss over learning rates that grow from step to step, and the rate that it speaks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..doctor.snapshot import unchanged
from ..errors import ArgumentError
from ..nn.modules.module import Module
from .loop import no_batches
from .options import check_numbers, check_parts
from .steps import Options, check_batch, explain, make_step

DIVERGED = 4.0  # times the lowest loss: beyond it there is nothing to learn
LEAST = 10  # steps from which a rate can be suggested
FALL = 0.02  # of the first loss: what is a fall, and not noise


class Rates:
    """What `lr_find` has found.

    Attributes: rates, losses (of each step, smoothed), raw (as they were), steepest (the rate at which the loss falls
    fastest), valley (the middle of the longest fall), suggestion (valley, or steepest where there is no long fall; None
    if the loss never falls), diverged (whether the loss grew until the end came early).
    """

    def __init__(self, rates: list[float], raw: list[float], losses: list[float], diverged: bool):
        self.rates, self.raw, self.losses, self.diverged = rates, raw, losses, diverged
        falls = len(losses) >= LEAST and losses[0] - min(losses) > FALL * abs(losses[0])
        self.steepest, self.valley = (_steepest(rates, losses), _valley(rates, losses)) if falls else (None, None)
        self.suggestion = self.valley or self.steepest

    def __repr__(self) -> str:
        found = "none" if self.suggestion is None else f"{self.suggestion:.2g}"
        return f"Rates({len(self.rates)} steps from {self.rates[0]:.2g} to {self.rates[-1]:.2g}, suggestion={found})"

    def plot(self, ax: Any = None) -> Any:
        """The figure: the loss over the rate, with what is suggested.

        Arguments: ax: axes of matplotlib to draw into; default: a new figure's.
        """
        from ..viz import style  # noqa: PLC0415 - drawn only when asked for

        axes = style.axes_of(ax, 6.4, 4)
        axes.plot(self.rates, self.raw, color=style.FAINT, linewidth=1, label="loss of a step")
        axes.plot(self.rates, self.losses, color=style.BLUE, label="smoothed")
        if self.suggestion is not None:
            at = self.rates.index(self.suggestion)
            label = f"suggestion: {self.suggestion:.2g}"
            axes.plot(self.suggestion, self.losses[at], "o", color=style.RED, label=label)
        style.log_scale(axes.xaxis, self.rates)
        low, high = min(self.losses), max(self.losses)
        axes.set_ylim(low - 0.1 * (high - low) - 1e-9, high + 0.1 * (high - low) + 1e-9)
        axes.set(xlabel="learning rate", ylabel="loss")
        style.legend_above(axes)
        return style.finish(axes, "Loss over a growing learning rate")


def lr_find(
    model: Module,
    loader: Iterable,
    loss_fn: Callable | None,
    optimizer: Any,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    *,
    step: Callable | None = None,
    clip_norm: float | None = None,
) -> Rates:
    """Look for a learning rate: train some steps, each with a larger rate than the one before, and watch the loss.

    Model, optimizer and all random states are afterwards as they were.

    Arguments:
        model, loader, loss_fn, optimizer, step, clip_norm: as for `fit`. A short loader is gone through repeatedly.
        start, end: the first rate and the last; it grows by the same factor at each step.
        steps: how many; fewer if the loss has grown beyond four times its lowest value.

    Returns: `Rates`. Its `suggestion` is a rate to begin with; `plot()` shows why.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks" (2017).

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> net, x = torch.nn.Linear(8, 1), torch.randn(64, 8)
    >>> loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), 16)
    >>> found = torch.lr_find(net, loader, torch.nn.MSELoss(), torch.optim.SGD(net.parameters(), lr=1.0))
    >>> 1e-3 < found.suggestion < 1.0, found.diverged
    (True, True)
    """
    check_parts(model, loader, loss_fn, optimizer, step, "lr_find")
    check_numbers("lr_find", start=start, end=end, steps=steps, clip_norm=clip_norm)
    if not 0 < start < end < math.inf:
        raise ArgumentError(
            f"lr_find(start={start}, end={end}) is no range of rates",
            why="the rate grows from `start` to `end` by the same factor at each step",
            fix="use `start=1e-7, end=10`",
        )
    if steps < LEAST:
        raise ArgumentError(
            f"lr_find(steps={steps}) is too few to see where the loss falls",
            why="each step shows the loss at one rate",
            fix="use `steps=100`",
        )
    with unchanged(model, loss_fn, optimizer, loader, step):
        return _search(model, loader, loss_fn, optimizer, start, end, steps, step, clip_norm)


def _search(model, loader, loss_fn, optimizer, start, end, steps, step, clip_norm) -> Rates:
    take = make_step(Options(clip_norm=clip_norm, custom=step is not None), model, loss_fn, optimizer, step)
    factor = (end / start) ** (1 / (steps - 1))
    rates: list[float] = []
    raw: list[float] = []
    losses: list[float] = []
    mean, diverged = 0.0, False
    kept = max(0.5, 1 - 10 / steps)  # of the running mean, at each step: it looks back a tenth of the way
    model.train()
    for batch in _repeated(loader, steps):
        if step is None:
            check_batch(batch, "loader")
        rate = start * factor ** len(rates)
        for group in optimizer.param_groups:
            group["lr"] = rate
        try:
            result = take(batch) if step is not None else take(*batch)
        except Exception as error:
            explain(error)
            raise
        value = float(result[0] if isinstance(result, tuple) else result)
        mean = kept * mean + (1 - kept) * value
        smooth = mean / (1 - kept ** (len(rates) + 1))
        if not math.isfinite(value) or losses and smooth > DIVERGED * min(losses) and len(rates) >= LEAST:
            diverged = True
            break
        rates.append(rate)
        raw.append(value)
        losses.append(smooth)
    if not rates:
        raise ArgumentError(
            f"the first loss is not finite: {value}",
            why="with the smallest rate, before anything was learned",
            fix="look at the data and the model: `doctor.examine(model, loader, loss_fn)`",
        )
    return Rates(rates, raw, losses, diverged)


def _repeated(loader: Iterable, steps: int) -> Iterable:
    """So many batches of a loader, from its start again where it ends."""
    given = 0
    while given < steps:
        before = given
        for batch in loader:
            yield batch
            given += 1
            if given == steps:
                return
        if given == 0:
            raise no_batches("loader")
        if given == before:
            raise ArgumentError(
                f"loader gave only {given} of {steps} batches",
                why="it is an iterator, which can be gone through only once",
                fix=f"give a DataLoader or a list, which begin again at their end; or use `steps={given}`",
            )


def _steepest(rates: list[float], losses: list[float]) -> float | None:
    """The rate at which the loss falls fastest, per factor of the rate."""
    slopes = np.gradient(np.asarray(losses), np.log(rates))
    at = int(np.argmin(slopes))
    return float(rates[at]) if slopes[at] < 0 else None


def _valley(rates: list[float], losses: list[float]) -> float | None:
    """Two thirds into the longest stretch over which the loss falls, as far as it matters."""
    best, begin, length = 0, 0, 0
    for k in range(1, len(losses)):
        length = length + 1 if losses[k] < losses[k - 1] else 0
        if length > best:
            best, begin = length, k - length
    fall = losses[begin] - losses[begin + best]
    if best < LEAST // 2 or fall < FALL * abs(losses[begin]):
        return None
    return float(rates[begin + 2 * best // 3])
