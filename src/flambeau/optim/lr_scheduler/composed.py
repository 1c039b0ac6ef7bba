"""Schedulers made of schedulers: SequentialLR (one after another) and ChainedScheduler (all at once)."""

from __future__ import annotations

from bisect import bisect_right

from ...errors import ArgumentError, ArgumentTypeError
from ...kernels.record import action
from .base import LRScheduler, copied, telling, write
from .plateau import ReduceLROnPlateau


def _check(name, optimizer, schedulers):
    for i, scheduler in enumerate(schedulers):
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ArgumentError(
                f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                f"specified when calling `step`, but got one at index {i} in the given schedulers sequence.",
                why="its step needs the value that it watches",
                fix="step the two schedulers separately: `scheduler.step()` and `plateau.step(loss)`",
            )
        if optimizer is not scheduler.optimizer:
            raise ArgumentError(
                f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                f"{type(scheduler).__name__} at index {i} has {scheduler.optimizer}, which is different from "
                f"{type(optimizer).__name__}.",
                why="the schedulers change the learning rates of one optimizer in turn",
                fix="make all of them with the same optimizer",
            )


class _Composed(LRScheduler):
    _schedulers: list

    def state_dict(self) -> dict:
        """Everything but the optimizer; of each scheduler, its own state dict."""
        state = {k: v for k, v in self.__dict__.items() if k not in ("optimizer", "_schedulers")}
        return {**state, "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict()` returned."""
        state = dict(state_dict)
        for scheduler, saved in zip(self._schedulers, state.pop("_schedulers")):
            scheduler.load_state_dict(saved)
        self.__dict__.update(state)

    def _remember(self, scheduler):
        self._last_lr = [copied(group["lr"]) for group in scheduler.optimizer.param_groups]


class SequentialLR(_Composed):
    """The first scheduler up to the first milestone, then the second, and so on.

    Arguments:
        schedulers: on this optimizer.
        milestones: epochs at which the next one takes over; one less than schedulers.

    >>> import flambeau as torch
    >>> from flambeau.optim.lr_scheduler import ExponentialLR, LinearLR, SequentialLR
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    >>> warm_up = LinearLR(optimizer, 0.5, total_iters=2)
    >>> scheduler = SequentialLR(optimizer, [warm_up, ExponentialLR(optimizer, 0.5)], milestones=[2])
    >>> for _ in range(3):
    ...     optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch: int = -1):
        if len(schedulers) < 1:
            raise ArgumentError(
                "SequentialLR expects at least one scheduler, but got no scheduler.",
                why="there is nothing to run",
                fix="give a list: `[warmup, decay]`",
            )
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise ArgumentTypeError(
                    f"SequentialLR at index {i} should have `optimizer` as its attribute.",
                    why=f"it is {type(scheduler).__name__}",
                    fix="give schedulers, such as `LinearLR(optimizer)`",
                )
        _check("SequentialLR", optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}",
                why="a milestone is the epoch at which the next scheduler takes over",
                fix=f"give {len(schedulers) - 1} milestone(s)",
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Each scheduler wrote its first rates when it was made: begin anew, with the first one alone.
        for group in optimizer.param_groups:
            write(group, "lr", group["initial_lr"])
        for scheduler in schedulers:
            scheduler.last_epoch -= 1
        schedulers[0]._initial_step()
        self._last_lr = schedulers[0].get_last_lr()

    @action
    @telling
    def step(self) -> None:  # type: ignore[override]
        """Go on by one epoch."""
        self.last_epoch += 1
        i = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[i]
        if i > 0 and self._milestones[i - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """All schedulers at each step; their factors multiply.

    Arguments:
        schedulers: on one optimizer.
    Raises ValueError for no schedulers, or for ones on different optimizers.

    >>> import flambeau as torch
    >>> from flambeau.optim.lr_scheduler import ChainedScheduler, ConstantLR, ExponentialLR
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> scheduler = ChainedScheduler([ConstantLR(optimizer, 0.5, total_iters=9), ExponentialLR(optimizer, 0.5)])
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers, optimizer=None):
        if len(schedulers) < 1:
            raise ArgumentError(
                "ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.",
                why="there is nothing to run",
                fix="give a list: `[scheduler1, scheduler2]`",
            )
        optimizer = optimizer or schedulers[0].optimizer
        _check("ChainedScheduler", optimizer, schedulers)
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._remember(schedulers[-1])

    @action
    @telling
    def step(self) -> None:  # type: ignore[override]
        """Go on by one epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._remember(self._schedulers[-1])
