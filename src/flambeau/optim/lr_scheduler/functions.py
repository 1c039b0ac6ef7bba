"""Rates from the caller's own functions: LambdaLR and MultiplicativeLR."""

from __future__ import annotations

from ...errors import ArgumentError
from .base import LRScheduler, saved_callable


class _FunctionLR(LRScheduler):
    def __init__(self, optimizer, lr_lambda, last_epoch: int = -1):
        self.optimizer = optimizer
        n = len(optimizer.param_groups)
        if not isinstance(lr_lambda, (list, tuple)):
            lr_lambda = [lr_lambda] * n
        elif len(lr_lambda) != n:
            raise ArgumentError(
                f"Expected {n} lr_lambdas, but got {len(lr_lambda)}",
                why="each parameter group has its own function",
                fix=f"give {n} function(s), or a single one for all groups",
            )
        self.lr_lambdas = list(lr_lambda)
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict:
        """Everything but the optimizer; functions are left out, callable objects give their attributes."""
        state = {k: v for k, v in self.__dict__.items() if k not in ("optimizer", "lr_lambdas")}
        return {**state, "lr_lambdas": [saved_callable(function) for function in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict()` returned."""
        state = dict(state_dict)
        for function, saved in zip(self.lr_lambdas, state.pop("lr_lambdas")):
            if saved is not None:
                function.__dict__.update(saved)
        self.__dict__.update(state)


class LambdaLR(_FunctionLR):
    """lr = initial lr · lr_lambda(epoch).

    Arguments:
        lr_lambda: a function of the epoch, or one per parameter group.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.5)
    >>> torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch)).get_last_lr()
    [0.5]
    """

    def get_lr(self):
        """The rates at `self.last_epoch`."""
        self._current()
        return [base * function(self.last_epoch) for function, base in zip(self.lr_lambdas, self.base_lrs)]


class MultiplicativeLR(_FunctionLR):
    """lr ← lr · lr_lambda(epoch).

    Arguments:
        lr_lambda: a function of the epoch, or one per parameter group.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def get_lr(self):
        """The rates at `self.last_epoch`."""
        rates = self._current()
        if self._is_initial:
            return rates
        return [rate * function(self.last_epoch) for function, rate in zip(self.lr_lambdas, rates)]
