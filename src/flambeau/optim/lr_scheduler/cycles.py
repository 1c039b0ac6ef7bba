"""Rates that go up and down again, and momentum against them: CyclicLR and OneCycleLR."""

from __future__ import annotations

import types
from copy import copy
from math import cos, floor, pi

from ...errors import ArgumentError
from .base import LRScheduler, check_optimizer, per_group, write


def momentum_name(optimizer) -> str:
    """Which option carries the momentum; ValueError when there is none."""
    for name in ("momentum", "betas"):
        if name in optimizer.defaults:
            return name
    raise ArgumentError(
        "optimizer must support momentum or beta1 with `cycle_momentum` option enabled",
        why=f"the options of {type(optimizer).__name__} have neither",
        fix="use `cycle_momentum=False`",
    )


def write_momentum(group, use_beta1, value):
    """Set the momentum of a group: "momentum", or the first of "betas"."""
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class CyclicLR(LRScheduler):
    """The rate goes from base_lr to max_lr and back, over and over (Smith, 2015); stepped after each batch.

    Arguments:
        base_lr, max_lr: ends of the range, one value or one per group.
        step_size_up, step_size_down: batches upwards, and downwards (the same when None).
        mode: "triangular"; "triangular2" halves the height each cycle; "exp_range" multiplies it by gamma each batch.
        scale_fn, scale_mode: instead of mode, height = scale_fn(cycle number or "iterations").
        cycle_momentum, base_momentum, max_momentum: momentum goes the other way.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9)
    >>> scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer, base_lr, max_lr, step_size_up: int = 2000, step_size_down: int | None = None,
        mode="triangular", gamma: float = 1.0, scale_fn=None, scale_mode="cycle", cycle_momentum: bool = True,
        base_momentum: float = 0.8, max_momentum: float = 0.9, last_epoch: int = -1,
    ):  # fmt: skip
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = per_group("base_lr", base_lr, optimizer)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs):
                write(group, "lr", rate)
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        up = float(step_size_up)
        down = float(step_size_down) if step_size_down is not None else up
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ArgumentError(
                "mode is invalid and scale_fn is None",
                why=f"mode is {mode!r}",
                fix="use `mode='triangular'`, `'triangular2'` or `'exp_range'`, or give a scale_fn",
            )
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        self._choose_scale()
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentum_name(optimizer) == "betas"
            self.base_momentums = per_group("base_momentum", base_momentum, optimizer)
            self.max_momentums = per_group("max_momentum", max_momentum, optimizer)
            if last_epoch == -1:
                for group, high, low in zip(optimizer.param_groups, self.max_momentums, self.base_momentums):
                    write_momentum(group, self.use_beta1, high)
                    group["max_momentum"] = high
                    group["base_momentum"] = low
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _choose_scale(self):
        if self._scale_fn_custom is None:
            self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"

    def scale_fn(self, x):
        """Height of the triangle, relative to the first."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self):
        """The rates at batch `self.last_epoch`; also writes the momenta."""
        self._current()
        cycle = floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        rates = [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs)]
        if self.cycle_momentum:
            ranges = zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups)
            for low, high, group in ranges:
                write_momentum(group, self.use_beta1, high - (high - low) * height * scale)
        return rates

    _not_saved = ("optimizer", "_scale_fn_custom")

    def state_dict(self) -> dict:
        """Everything but the optimizer; of a scale function, the attributes of a callable object."""
        state = super().state_dict()
        custom = self._scale_fn_custom
        callable_object = custom is not None and not isinstance(custom, types.FunctionType)
        return {**state, "_scale_fn_custom": copy(custom.__dict__) if callable_object else None}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict()` returned."""
        state = dict(state_dict)
        custom = state.pop("_scale_fn_custom", None)
        super().load_state_dict(state)
        if custom is not None:
            self._scale_fn_custom.__dict__.update(custom)


class OneCycleLR(LRScheduler):
    """One rise to max_lr and one long fall to almost nothing (Smith & Topin, 2017); stepped after each batch.

    Arguments:
        max_lr: the top, one value or one per group.
        total_steps: batches in all; or epochs and steps_per_epoch.
        pct_start: part of the cycle that rises.
        anneal_strategy: "cos" or "linear".
        cycle_momentum, base_momentum, max_momentum: momentum goes the other way.
        div_factor: the first rate is max_lr / div_factor.
        final_div_factor: the last rate is the first / final_div_factor.
        three_phase: fall as long as it rose, then to the last rate.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, momentum=0.9)
    >>> scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> for _ in range(2):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [1.0]
    """

    def __init__(
        self, optimizer, max_lr, total_steps: int | None = None, epochs: int | None = None,
        steps_per_epoch: int | None = None, pct_start: float = 0.3, anneal_strategy="cos", cycle_momentum: bool = True,
        base_momentum=0.85, max_momentum=0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
        three_phase: bool = False, last_epoch: int = -1,
    ):  # fmt: skip
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = self._total(total_steps, epochs, steps_per_epoch)
        last = self.total_steps - 1
        top = float(pct_start * self.total_steps) - 1
        ends = [(top, "initial_lr", "max_lr"), (last, "max_lr", "min_lr")]
        if three_phase:
            again = float(2 * pct_start * self.total_steps) - 2
            ends = [(top, "initial_lr", "max_lr"), (again, "max_lr", "initial_lr"), (last, "initial_lr", "min_lr")]
        momenta = [("max_momentum", "base_momentum"), ("base_momentum", "max_momentum")]
        momenta.append(("max_momentum", "max_momentum"))
        self._schedule_phases = [
            {
                "end_step": end,
                "start_lr": start_lr,
                "end_lr": end_lr,
                "start_momentum": start_momentum,
                "end_momentum": end_momentum,
            }
            for (end, start_lr, end_lr), (start_momentum, end_momentum) in zip(ends, momenta)
        ]
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ArgumentError(
                f"Expected float between 0 and 1 pct_start, but got {pct_start}",
                why="it is the share of the steps in which the learning rate rises",
                fix="use `pct_start=0.3`",
            )
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}",
                why="it says how the learning rate falls",
                fix='use `anneal_strategy="cos"`',
            )
        self._anneal_func_type = anneal_strategy
        max_lrs = per_group("max_lr", max_lr, optimizer)
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, max_lrs):
                group["initial_lr"] = high / div_factor
                group["max_lr"] = high
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.use_beta1 = momentum_name(optimizer) == "betas"
            highs = per_group("max_momentum", max_momentum, optimizer)
            lows = per_group("base_momentum", base_momentum, optimizer)
            if last_epoch == -1:
                for high, low, group in zip(highs, lows, optimizer.param_groups):
                    write_momentum(group, self.use_beta1, high)
                    group["max_momentum"] = high
                    group["base_momentum"] = low
        super().__init__(optimizer, last_epoch)

    @staticmethod
    def _total(total_steps, epochs, steps_per_epoch) -> int:
        if total_steps is not None:
            if total_steps <= 0 or not isinstance(total_steps, int):
                raise ArgumentError(
                    f"Expected positive integer total_steps, but got {total_steps}",
                    why="it is the number of calls of `scheduler.step()`",
                    fix="use `total_steps=epochs * len(loader)`",
                )
            return total_steps
        if epochs is None or steps_per_epoch is None:
            raise ArgumentError(
                "You must define either total_steps OR (epochs AND steps_per_epoch)",
                why="the cycle needs an end",
                fix="use `epochs=epochs, steps_per_epoch=len(loader)`",
            )
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if not isinstance(value, int) or value <= 0:
                raise ArgumentError(
                    f"Expected positive integer {name}, but got {value}",
                    why="the cycle has epochs * steps_per_epoch steps",
                    fix="use `epochs=epochs, steps_per_epoch=len(loader)`",
                )
        return epochs * steps_per_epoch

    def _between(self, start, end, part):
        """From start to end along a cosine or a line; part goes from 0 to 1."""
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (cos(pi * part) + 1)
        return (end - start) * part + start

    def get_lr(self):
        """The rates at batch `self.last_epoch`; also writes the momenta."""
        self._current()
        t = self.last_epoch
        if t > self.total_steps:
            raise ArgumentError(
                f"Tried to step {t} times. The specified number of total steps is {self.total_steps}",
                why="step() is called once per batch, and the cycle is over",
                fix="use `total_steps=epochs * len(loader)`",
            )
        rates = []
        for group in self.optimizer.param_groups:
            start = 0.0
            for i, phase in enumerate(self._schedule_phases):
                end = phase["end_step"]
                if t <= end or i == len(self._schedule_phases) - 1:
                    part = (t - start) / (end - start)
                    rates.append(self._between(group[phase["start_lr"]], group[phase["end_lr"]], part))
                    if self.cycle_momentum:
                        ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                        write_momentum(group, self.use_beta1, self._between(*ends, part))
                    break
                start = end
        return rates
