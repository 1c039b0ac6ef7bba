"""Rates along a line, a power or a cosine: LinearLR, PolynomialLR, CosineAnnealingLR, CosineAnnealingWarmRestarts."""

from __future__ import annotations

from math import cos, log, pi

from ...errors import ArgumentError
from ...kernels.record import action
from .base import LRScheduler, copied, telling, write


class LinearLR(LRScheduler):
    """lr = initial lr · a factor that goes from start_factor to end_factor in `total_iters` epochs: a warm-up.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self, optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5,
        last_epoch: int = -1,
    ):  # fmt: skip
        if start_factor > 1.0 or start_factor <= 0:
            raise ArgumentError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to 1.",
                why=f"start_factor is {start_factor}, by which the first learning rate is multiplied",
                fix="set the optimizer's lr to the largest learning rate, and begin with a part of it",
            )
        if end_factor > 1.0 or end_factor < 0:
            raise ArgumentError(
                "Ending multiplicative factor expected to be between 0 and 1.",
                why=f"end_factor is {end_factor}, by which the last learning rate is multiplied",
                fix="set the optimizer's lr to the largest learning rate",
            )
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The rates at `self.last_epoch`."""
        rates, t = self._current(), self.last_epoch
        if t == 0:
            return [rate * self.start_factor for rate in rates]
        if self._is_initial or t > self.total_iters:
            return rates
        rise = self.end_factor - self.start_factor
        return [rate * (1.0 + rise / (self.total_iters * self.start_factor + (t - 1) * rise)) for rate in rates]

    def _get_closed_form_lr(self):
        rise = self.end_factor - self.start_factor
        t = min(self.total_iters, self.last_epoch)
        return [base * (self.start_factor + rise * t / self.total_iters) for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """lr = initial lr · (1 - epoch / total_iters) ^ power.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(self, optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The rates at `self.last_epoch`."""
        rates, t = self._current(), self.last_epoch
        if self._is_initial or t > self.total_iters:
            return rates
        left, left_before = 1.0 - t / self.total_iters, 1.0 - (t - 1) / self.total_iters
        return [rate * (left / left_before) ** self.power for rate in rates]

    def _get_closed_form_lr(self):
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [base * left**self.power for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + ½ (initial lr - eta_min) (1 + cos(π epoch / T_max)) (Loshchilov & Hutter, 2016).

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> [round(lr, 6) for lr in scheduler.get_last_lr()]
    [0.5]
    """

    def __init__(self, optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The rates at `self.last_epoch`."""
        rates, t = self._current(), self.last_epoch
        if self._is_initial:
            return rates
        if self._step_count == 1 and t > 0:
            return [self.eta_min + (base - self.eta_min) * (1 + cos(t * pi / self.T_max)) / 2 for base in self.base_lrs]
        if (t - 1 - self.T_max) % (2 * self.T_max) == 0:  # up again from eta_min: the ratio below would be 0 / 0
            return [
                rate + (base - self.eta_min) * (1 - cos(pi / self.T_max)) / 2
                for base, rate in zip(self.base_lrs, rates)
            ]
        ratio = (1 + cos(pi * t / self.T_max)) / (1 + cos(pi * (t - 1) / self.T_max))
        return [ratio * (rate - self.eta_min) + self.eta_min for rate in rates]

    def _get_closed_form_lr(self):
        height = 1 + cos(pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """A cosine from the initial rate to eta_min in T_0 epochs, begun again and again, each T_mult times as long.

    SGDR (Loshchilov & Hutter, 2016). `step(epoch)` takes fractions: epoch + batch / batches.

    Raises ValueError unless T_0 and T_mult are integers of at least 1.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> rates = [scheduler.step(epoch) or round(scheduler.get_last_lr()[0], 6) for epoch in range(4)]
    >>> rates
    [1.0, 0.5, 1.0, 0.5]
    """

    def __init__(self, optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ArgumentError(
                f"Expected positive integer T_0, but got {T_0}",
                why="it is the number of epochs until the first restart",
                fix=f"use `T_0={max(T_0, 1):.0f}`" if isinstance(T_0, (int, float)) else "use an int such as `T_0=10`",
            )
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ArgumentError(
                f"Expected integer T_mult >= 1, but got {T_mult}",
                why="each period is that many times as long as the one before",
                fix="use `T_mult=1` for periods of one length",
            )
        if not isinstance(eta_min, (float, int)):
            raise ArgumentError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}",
                why="it is the smallest learning rate",
                fix="use `eta_min=0.0`",
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The rates at `self.T_cur` epochs into the cycle."""
        self._current()
        height = 1 + cos(pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    @action
    @telling
    def step(self, epoch=None):
        """Go on by one epoch, or to `epoch`, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ArgumentError(
                f"Expected non-negative epoch, but got {epoch}",
                why="epochs are counted from 0",
                fix="use `step()` to go on by one",
            )
        elif epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_i, self.T_cur = self.T_0, epoch % self.T_0
        else:
            n = int(log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**n - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**n
        self.last_epoch = int(epoch // 1)
        self._get_lr_called_within_step = True
        try:
            rates = self.get_lr()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates):
            write(group, "lr", rate)
        self._last_lr = [copied(group["lr"]) for group in self.optimizer.param_groups]
