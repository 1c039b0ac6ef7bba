"""LRScheduler: counts epochs and writes the learning rates. What the rates are is in the other files."""

from __future__ import annotations

import functools
import types
from copy import copy

from ...checks import events
from ...checks import schedules as rules
from ...checks.log import log
from ...errors import ArgumentError, ArgumentTypeError, MissingKey
from ...kernels.record import action, listeners, problem
from ...language import warn
from ...tensor import Tensor
from ..optimizer import Optimizer

EPOCH_DEPRECATED = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, "
    "the closed form is used instead of the new chainable form, where available. Please open an issue if "
    "you are unable to replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose."
)
WRONG_ORDER = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should "
    "call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result "
    "in PyTorch skipping the first value of the learning rate schedule. See more details at "
    "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
)


def copied(value):
    """A learning rate that does not change when the optimizer's does."""
    return value.clone() if isinstance(value, Tensor) else value


def write(group: dict, name: str, value) -> None:
    """Set an option of a parameter group; a tensor keeps its identity and takes the value."""
    if isinstance(group[name], Tensor):
        group[name].fill_(float(value))
    else:
        group[name] = value


def check_optimizer(optimizer) -> None:
    """TypeError unless it is an Optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(
            f"{type(optimizer).__name__} is not an Optimizer",
            why="a scheduler changes the learning rates of an optimizer",
            fix=f"use `Scheduler({optimizer.__name__}(model.parameters()), ...)`"
            if isinstance(optimizer, type)
            else "give the optimizer as first argument",
        )


def per_group(name: str, value, optimizer) -> list:
    """An argument that is one value, or one per parameter group, as a list."""
    n = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * n
    if len(value) != n:
        raise ArgumentError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
            f"param_groups has {n}.",
            why="it is one value for all groups, or one for each",
            fix=f"give {n} value(s), or one number",
        )
    return list(value)


def telling(step):
    """A scheduler's `step` that the checks are told of, but for the one that writes the first rates."""

    @functools.wraps(step)
    def told(self, *args, **kwargs):
        if log.on and not getattr(self, "_is_initial", False):
            events.schedules(self)
        return step(self, *args, **kwargs)

    return told


class LRScheduler:
    """Base class of the schedulers that are stepped once per epoch (or per batch).

    A subclass defines `get_lr()`: the rates at `self.last_epoch`, usually from those in the parameter groups, so that
    several schedulers on one optimizer multiply; and may define `_get_closed_form_lr()`, from `self.base_lrs` alone.

    Arguments:
        optimizer: whose parameter groups are scheduled.
        last_epoch: the epoch to resume after; -1 begins.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for epoch in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer, last_epoch: int = -1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise MissingKey(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    "last_epoch >= 0.\nThis typically happens when:\n1. You're trying to resume training from a "
                    "checkpoint but haven't properly loaded the optimizer state\n2. You're using last_epoch >= 0 for a "
                    "fresh training run (not recommended)",
                    why="the scheduler would go on from the learning rate that the group began with",
                    fix="load the optimizer's state_dict first, or leave last_epoch out",
                )
        self.base_lrs = [copied(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()
        if log.on:
            events.made_scheduler(self)

    def _initial_step(self):
        """Write the first rates."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    # ------------------------------------------------------------------ what subclasses define

    def get_lr(self) -> list:
        """The rates at `self.last_epoch`, one per parameter group."""
        raise NotImplementedError

    def _current(self) -> list:
        """The rates in use now; a warning when someone reads `get_lr` from outside."""
        if not self._get_lr_called_within_step:
            warn("To get the last learning rate computed by the scheduler, please use `get_last_lr()`.", stacklevel=3)
        return [copied(group["lr"]) for group in self.optimizer.param_groups]

    # ------------------------------------------------------------------ use

    _get_lr_called_within_step = False

    def get_last_lr(self) -> list:
        """The rates written by the last step, one per parameter group."""
        if listeners:
            problem("a scheduler's rates are looked at")
        return self._last_lr

    @action
    @telling
    def step(self, epoch=None) -> None:
        """Go on by one epoch. Call it after `optimizer.step()`."""
        early = self._step_count == 1 and not getattr(self.optimizer, "_opt_called", True) and self.last_epoch <= 0
        before = [copied(group["lr"]) for group in self.optimizer.param_groups] if early else []
        self._step_count += 1
        if epoch is not None:
            warn(EPOCH_DEPRECATED, UserWarning, stacklevel=2)
        self._update_lr(epoch)
        if early and not (log.on and rules.too_early(self, before)):
            warn(WRONG_ORDER, UserWarning, stacklevel=2)

    def _update_lr(self, epoch=None):
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                rates = self._get_closed_form_lr() if hasattr(self, "_get_closed_form_lr") else self.get_lr()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates):
            write(group, "lr", rate)
        self._last_lr = [copied(group["lr"]) for group in self.optimizer.param_groups]

    # ------------------------------------------------------------------ saving

    _not_saved: tuple = ("optimizer",)

    def state_dict(self) -> dict:
        """Everything but the optimizer."""
        if listeners:
            problem("a scheduler's state is looked at")
        return {name: value for name, value in self.__dict__.items() if name not in self._not_saved}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict()` returned."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The old name, kept for subclasses that use it."""


def saved_callable(function):
    """What a state dict holds of a function: nothing, or the attributes of a callable object."""
    return None if isinstance(function, types.FunctionType) else copy(function.__dict__)
