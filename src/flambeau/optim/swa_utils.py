"""Averaged weights: AveragedModel (mean or exponential mean), update_bn, and the SWALR schedule."""

from __future__ import annotations

from copy import deepcopy
from itertools import chain
from math import cos, pi

import numpy as np

from ..autograd.mode import no_grad
from ..errors import ArgumentError, FailedAssertion
from ..nn import Module
from ..nn.modules.batchnorm import _BatchNorm
from ..tensor import Tensor
from .lr_scheduler.base import LRScheduler, per_group

__all__ = [
    "AveragedModel",
    "SWALR",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ArgumentError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.",
            why="it is the share of the old average that is kept at each update",
            fix="use `decay=0.999`",
        )


def get_ema_multi_avg_fn(decay=0.999):
    """The exponential mean over lists: mean ← decay · mean + (1 - decay) · parameter, in place.

    >>> import flambeau as torch
    >>> means = [torch.tensor([4.0])]
    >>> torch.optim.swa_utils.get_ema_multi_avg_fn(0.75)(means, [torch.tensor([8.0])], 1)
    >>> means
    [tensor([5.])]
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list, current_param_list, _):
        for mean, current in zip(ema_param_list, current_param_list):
            if mean.is_floating_point() or mean.is_complex():
                mean.lerp_(current.to(mean.dtype), 1 - decay)
            else:
                mean.copy_(mean * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn():
    """The plain mean over lists: mean ← mean + (parameter - mean) / (n + 1), in place.

    >>> import flambeau as torch
    >>> means = [torch.tensor([4.0])]
    >>> torch.optim.swa_utils.get_swa_multi_avg_fn()(means, [torch.tensor([8.0])], 1)
    >>> means
    [tensor([6.])]
    """

    @no_grad()
    def swa_update(averaged_param_list, current_param_list, num_averaged):
        n = float(num_averaged)
        for mean, current in zip(averaged_param_list, current_param_list):
            if mean.is_floating_point() or mean.is_complex():
                mean.lerp_(current.to(mean.dtype), 1 / (n + 1))
            else:
                mean.copy_(mean + (current - mean) / (n + 1))

    return swa_update


def get_ema_avg_fn(decay=0.999):
    """The exponential mean of one tensor.

    >>> import flambeau as torch
    >>> torch.optim.swa_utils.get_ema_avg_fn(0.75)(torch.tensor(4.0), torch.tensor(8.0), 1)
    tensor(5.)
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """The plain mean of one tensor.

    >>> import flambeau as torch
    >>> torch.optim.swa_utils.get_swa_avg_fn()(torch.tensor(4.0), torch.tensor(8.0), 1)
    tensor(6.)
    """

    @no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose weights are the mean of the weights given to `update_parameters`.

    Stochastic weight averaging (Izmailov et al., 2018), or an exponential mean (EMA).

    Arguments:
        model: copied at once.
        device: where the copy lives.
        avg_fn: new mean = avg_fn(mean, parameter, number averaged). Default: the plain mean.
        multi_avg_fn: the same over lists, in place.
        use_buffers: average buffers too, instead of copying them.

    >>> import flambeau as torch
    >>> model = torch.nn.Linear(1, 1)
    >>> mean = torch.optim.swa_utils.AveragedModel(model)
    >>> mean.update_parameters(model)
    >>> mean.n_averaged
    tensor(1)
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise FailedAssertion(
                "Only one of avg_fn and multi_avg_fn should be provided",
                why="both say how the average is updated",
                fix="leave one of them out",
            )
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", Tensor.wrap(np.array(0, np.int64)))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        """The copy's forward."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model) -> None:
        """Take the current weights of `model` into the mean."""
        averaged = lambda m: list(chain(m.parameters(), m.buffers())) if self.use_buffers else list(m.parameters())
        mine, current = [p.detach() for p in averaged(self.module)], [p.detach() for p in averaged(model)]
        n = self.n_averaged
        if n == 0:
            for mean, p in zip(mine, current):
                mean.copy_(p)
        elif self.avg_fn is not None:
            for mean, p in zip(mine, current):
                mean.copy_(self.avg_fn(mean, p.to(mean.device), n))
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(mine, current, n)
        if not self.use_buffers:
            for mean, b in zip(self.module.buffers(), model.buffers()):
                mean.detach().copy_(b.detach())
        self.n_averaged += 1


@no_grad()
def update_bn(loader, model, device=None) -> None:
    """Compute the batch norm statistics of `model` anew, in one pass over `loader`: averaged weights need their own.

    Arguments:
        loader: batches, or (batch, ...) tuples.

    >>> import flambeau as torch
    >>> model = torch.nn.BatchNorm1d(1)
    >>> torch.optim.swa_utils.update_bn([torch.tensor([[1.0], [3.0]])], model)
    >>> model.running_mean
    tensor([2.])
    """
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a plain mean over the batches
    for batch in loader:
        batch = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(batch if device is None else batch.to(device))
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """The rate goes to swa_lr within `anneal_epochs` and stays there.

    Arguments:
        swa_lr: one value, or one per group.
        anneal_epochs: epochs over which the rate changes. Default: 10.
        anneal_strategy: "cos" or "linear".

    >>> import flambeau as torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    >>> scheduler = torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.75]
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for group, rate in zip(optimizer.param_groups, per_group("swa_lr", swa_lr, optimizer)):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ArgumentError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}",
                why="it says how the learning rate approaches swa_lr",
                fix='use `anneal_strategy="cos"`',
            )
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ArgumentError(
                f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}",
                why="it is the number of epochs in which the learning rate approaches swa_lr",
                fix="use `anneal_epochs=10`",
            )
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t):
        """How much of the way to swa_lr is done; t goes from 0 to 1."""
        return (1 - cos(pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self):
        """The rates after `self._step_count` steps."""
        rates = self._current()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        done = lambda t: self.anneal_func(max(0, min(1, t / max(1, self.anneal_epochs))))
        before, now = done(step - 1), done(step)
        result = []
        for group, rate in zip(self.optimizer.param_groups, rates):
            target = group["swa_lr"]
            start = target if before == 1 else (rate - before * target) / (1 - before)
            result.append(target * now + start * (1 - now))
        return result
