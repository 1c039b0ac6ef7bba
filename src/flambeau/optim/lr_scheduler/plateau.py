"""ReduceLROnPlateau: the rate falls when a metric stops improving."""

from __future__ import annotations

from math import inf
from typing import Any

from ...errors import ArgumentError, ArgumentTypeError, StateError
from ...kernels.record import action
from ...language import warn
from .base import EPOCH_DEPRECATED, LRScheduler, check_optimizer, copied, telling, write

_MISSING: Any = object()  # the metric that step() needs


def no_metric() -> ArgumentTypeError:
    """The error for a step without the metric."""
    return ArgumentTypeError(
        "ReduceLROnPlateau.step() missing 1 required positional argument: 'metrics'",
        why="ReduceLROnPlateau decides by a metric: it lowers the rate when that no longer improves",
        fix="pass the validation loss after each validation: `scheduler.step(val_loss)`",
        code="FB-OPT-07",
    )


class ReduceLROnPlateau(LRScheduler):
    """lr ← lr · factor after more than `patience` epochs without improvement of the metric given to `step(metric)`.

    Arguments:
        mode: "min" for losses, "max" for accuracies.
        factor: below 1. Default: 0.1.
        patience: bad epochs that are put up with. Default: 10.
        threshold, threshold_mode: what counts as better: by a part ("rel") or by an amount ("abs").
        cooldown: epochs after a reduction in which nothing is counted.
        min_lr: lower bound, one value or one per group.
        eps: changes of the rate below it are not made.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.1]
    """

    def __init__(
        self, optimizer, mode="min", factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
        threshold_mode="rel", cooldown: int = 0, min_lr=0, eps: float = 1e-8,
    ):  # fmt: skip
        if factor >= 1.0:
            raise ArgumentError(
                "Factor should be < 1.0.",
                why=f"factor is {factor}, by which the learning rate is multiplied when the metric no longer improves",
                fix="use `factor=0.1`",
            )
        self.factor = factor
        check_optimizer(optimizer)
        self.optimizer = optimizer
        n = len(optimizer.param_groups)
        if isinstance(min_lr, (list, tuple)):
            if len(min_lr) != n:
                raise ArgumentError(
                    f"expected {n} min_lrs, got {len(min_lr)}",
                    why="each parameter group has its own smallest learning rate",
                    fix=f"give {n} value(s), or one number",
                )
            self.default_min_lr = None
            self.min_lrs = list(min_lr)
        else:
            self.default_min_lr = min_lr
            self.min_lrs = [min_lr] * n
        self.patience = patience
        self.cooldown = cooldown
        self.eps = eps
        self.last_epoch = 0
        self._last_lr = [copied(group["lr"]) for group in optimizer.param_groups]
        if mode not in ("min", "max"):
            raise ArgumentError(
                f"mode {mode} is unknown!",
                why="it says whether the metric is to fall or to rise",
                fix='use `mode="min"` for a loss, `mode="max"` for an accuracy',
            )
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError(
                f"threshold mode {threshold_mode} is unknown!",
                why="it says whether threshold is a part of the best value or a difference to it",
                fix='use `threshold_mode="rel"` or `"abs"`',
            )
        self.mode_worse = inf if mode == "min" else -inf
        self.mode = mode
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self._reset()

    def _reset(self):
        self.best = self.mode_worse
        self.cooldown_counter = 0
        self.num_bad_epochs = 0

    @action
    @telling
    def step(self, metrics=_MISSING, epoch=None) -> None:  # type: ignore[override]
        """Count an epoch with this metric; reduce the rate when patience is over."""
        if metrics is _MISSING:
            raise no_metric()
        current = float(metrics)
        if epoch is None:
            epoch = self.last_epoch + 1
        else:
            warn(EPOCH_DEPRECATED, UserWarning, stacklevel=2)
        self.last_epoch = epoch
        if self.is_better(current, self.best):
            self.best = current
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr(epoch)
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._last_lr = [copied(group["lr"]) for group in self.optimizer.param_groups]

    def _reduce_lr(self, epoch):
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):  # groups were added since
            if self.default_min_lr is None:
                raise StateError(
                    f"The number of param groups in the `optimizer` ({len(groups)}) differs from when "
                    f"`ReduceLROnPlateau` was initialized ({len(self.min_lrs)}), usually due to a new param group "
                    "being added to the optimizer. Please modify the `min_lrs` field to match the length of the "
                    "`optimizer` param groups.",
                    why="each group has its own smallest learning rate",
                    fix=f"set `scheduler.min_lrs` to a list of {len(groups)} values",
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, least in zip(groups, self.min_lrs):
            old = float(group["lr"])
            new = max(old * self.factor, least)
            if old - new > self.eps:
                write(group, "lr", new)

    @property
    def in_cooldown(self) -> bool:
        """Whether the last reduction is too recent to count epochs."""
        return self.cooldown_counter > 0

    def is_better(self, a, best) -> bool:
        """Whether metric `a` improves on `best` by more than the threshold."""
        if self.threshold_mode == "rel":
            return a < best * (1.0 - self.threshold) if self.mode == "min" else a > best * (1.0 + self.threshold)
        return a < best - self.threshold if self.mode == "min" else a > best + self.threshold
