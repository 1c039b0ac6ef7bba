"""`overfit_one_batch`: whether a model can learn one batch by heart, the first thing to try before a training."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from ..doctor import Report, examine
from ..doctor.batches import source_of
from ..doctor.snapshot import unchanged
from ..errors import ArgumentError
from ..language import text as _
from ..nn.modules.module import Module
from ..optim import Adam
from ..tensor import Tensor
from .loop import no_batches
from .options import check_numbers, check_parts
from .steps import Options, check_batch, explain, loss_of, make_step

LEARNED = 0.02  # of the first loss: what counts as learned by heart


class Overfitting:
    """What `overfit_one_batch` has seen; it is true if the batch was learned.

    Attributes: losses (the one before the first step, then after each), learned, report (what the doctor finds, where
    the batch was not learned; else None).
    """

    def __init__(self, losses: list[float], learned: bool, report: Report | None):
        self.losses, self.learned, self.report = losses, learned, report

    def __bool__(self) -> bool:
        return self.learned

    def __str__(self) -> str:
        first, last, steps = self.losses[0], self.losses[-1], len(self.losses) - 1
        if self.learned:
            return _(
                f"The model learns one batch by heart: {steps} steps took the loss from {first:.4g} to {last:.4g}."
            )
        said = _(
            f"The model does not learn one batch by heart: {steps} steps took the loss from {first:.4g} to {last:.4g}."
        )
        if self.report is not None and self.report.findings:
            return f"{said}\n{self.report}"
        more = _(
            "The doctor finds nothing else: a larger learning rate or more steps may do, labels that are noise in "
            "themselves or a loss with a floor above 0 (label smoothing, a penalty) may be why."
        )
        return f"{said}\n{more}"

    __repr__ = __str__


def overfit_one_batch(
    model: Module,
    batch: Any,
    loss_fn: Callable | None,
    optimizer: Any = None,
    steps: int = 200,
    *,
    step: Callable | None = None,
    restore: bool = True,
) -> Overfitting:
    """Train on one batch only: a sound model, loss and optimizer take the loss to about 0.

    Where they do not, the doctor looks for the reason. Model, optimizer and random states are afterwards as they were.

    Arguments:
        model, loss_fn, step: as for `fit`.
        batch: (inputs, targets); or a loader or data set, whose first batch is taken.
        optimizer: the one to try; default: Adam with a rate of 0.01.
        steps: at most so many; it ends when the loss is below 2 % of the first.
        restore: put everything back afterwards.

    Returns: an `Overfitting`: true if the batch was learned; printed, it says what was seen.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 3))
    >>> batch = torch.randn(16, 4), torch.randint(0, 3, (16,))
    >>> bool(torch.overfit_one_batch(net, batch, torch.nn.CrossEntropyLoss(), steps=500))
    True
    """
    check_parts(model, [], loss_fn, optimizer, step, "overfit_one_batch", need_optimizer=False)
    check_numbers("overfit_one_batch", steps=steps)
    if steps < 1:
        raise ArgumentError(f"overfit_one_batch(steps={steps}) makes no step", why="it trains", fix="use `steps=200`")
    with unchanged(model, loss_fn, optimizer, batch, step) if restore else nullcontext():
        one = _first(batch)
        if step is None:
            check_batch(one, "loader")
        losses = _train(model, one, loss_fn, optimizer, steps, step)
    learned = math.isfinite(losses[-1]) and losses[-1] <= LEARNED * abs(losses[0])
    if learned:
        return Overfitting(losses, True, None)
    forward = None if step is None else (lambda model, batch: loss_of(step(model, batch)))
    report = examine(model, [one], loss_fn if step is None else None, optimizer, forward=forward)
    report.findings = [f for f in report.findings if f.level in "EW" or f.code.startswith("FB-LOOP")]
    return Overfitting(losses, False, report)


def _first(batch: Any) -> Any:
    """A batch, or the first of what gives batches."""
    if isinstance(batch, (tuple, dict)) or isinstance(batch, list) and batch and isinstance(batch[0], Tensor):
        return batch
    found = source_of(batch)
    first = next(iter(found.loader if found.loader is not None else batch), None)
    if first is None:
        raise no_batches("batch")
    return first


def _train(model, batch, loss_fn, optimizer, steps, step) -> list[float]:
    if optimizer is None:
        optimizer = Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    take = make_step(Options(custom=step is not None), model, loss_fn, optimizer, step)
    model.train()
    losses: list[float] = []
    for _step in range(steps + 1):
        try:
            result = take(batch) if step is not None else take(*batch)
        except Exception as error:
            explain(error)
            raise
        losses.append(float(result[0] if isinstance(result, tuple) else result))
        if not math.isfinite(losses[-1]) or losses[-1] <= LEARNED * abs(losses[0]):
            break
    return losses
