"""Losses of regression, and of distributions: mse, l1, smooth l1, Huber, Kullback-Leibler, Poisson, Gaussian."""

from __future__ import annotations

import math

from ...checks import dtypes as rules
from ...checks import losses as checks
from ...checks import targets
from ...checks.log import log
from ...checks.losses import fresh
from ...errors import ArgumentError, ArgumentTypeError, DtypeError
from ...language import warn
from ...ops import losses as L
from ...ops.entry import public
from ...ops.fused import need_float
from ...ops.precision import full_precision
from ...ops.promotion import broadcast_error, check_devices, result_type
from ...ops.shape import need_tensor
from ...tensor import Tensor
from .losses import reduced, reduction_of


def _pair(input, target, name):
    """The two tensors in their common dtype; a warning when their shapes differ."""
    need_tensor(input, name)
    need_tensor(target, name, "target", 2)
    a, b = input._array, target._array
    if a.shape != b.shape:
        targets.sizes_differ(name, input, target)
    if log.on and fresh(name, input, target):
        targets.class_numbers(name, input, target)
    if a.dtype != b.dtype:
        common = result_type(input, target)
        if log.on and common.name == "float64":
            rules.promoted(input, target)
        input, target = input.to(common), target.to(common)
    if type(a) is not type(b):
        check_devices(input, target)
    return input, target


def _distance(primitive, input, target, reduction, size=None, weight=None):
    if weight is not None:
        losses = _distance(primitive, input, target, "none", size)
        return _weighted(losses, weight, reduction)
    try:
        return primitive(input, target, reduction=reduction, size=size)
    except RuntimeError:
        try:
            input._array.shape == target._array.shape or _broadcast(input, target)
        except ValueError:
            raise broadcast_error(input.shape, target.shape, input, target) from None
        raise


def _broadcast(a, b):
    shape = []
    for m, n in zip(reversed(a.shape), reversed(b.shape)):
        if m != n and 1 not in (m, n):
            raise ValueError
        shape.append(max(m, n))
    return shape


def _weighted(losses, weight, reduction):
    """Losses times a weight of their shape; the mean divides by the sum of the weights."""
    if weight.size() != losses.size():
        raise ArgumentError(
            "Weights and input must have the same size.",
            why=f"each loss has its own weight: the weights have shape {tuple(weight.shape)}, the losses "
            f"{tuple(losses.shape)}",
            fix=f"use a weight of shape {tuple(losses.shape)}; `weight.expand_as(input)` repeats one number or row",
        )
    losses = losses * weight
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(losses, reduction)


@full_precision
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target)².

    >>> import flambeau as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair(input, target, "mse_loss")
    if input._array.dtype.kind != "f":
        need_float(input, "mse_cpu", complex=True)
    return _distance(L._mse, input, target, reduction, None, weight)


@full_precision
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|.

    >>> import flambeau as torch
    >>> torch.nn.functional.l1_loss(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 4.0]))
    tensor(1.5000)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair(input, target, "l1_loss")
    if not input.is_floating_point():
        losses = (input - target).abs()
        return reduced(losses, reduction) if weight is None else _weighted(losses, weight, reduction)
    return _distance(L._l1, input, target, reduction, None, weight)


@full_precision
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """d² / (2 beta) where |d| < beta, else |d| - beta / 2, with d = input - target (Girshick 2015).

    >>> import flambeau as torch
    >>> torch.nn.functional.smooth_l1_loss(torch.tensor([0.5, 3.0]), torch.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair(input, target, "smooth_l1_loss")
    if beta < 0:
        raise DtypeError(
            "smooth_l1_loss does not support negative values for beta.",
            why=f"beta is {beta}, the distance at which the loss turns from a square into a line",
            fix=f"use `beta={abs(beta)}`",
        )
    need_float(input, "smooth_l1_cpu")
    return _distance(L._smooth_l1 if beta else L._l1, input, target, reduction, beta)


@full_precision
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """d² / 2 where |d| <= delta, else delta (|d| - delta / 2), with d = input - target (Huber 1964).

    >>> import flambeau as torch
    >>> torch.nn.functional.huber_loss(torch.tensor([1.0, 3.0]), torch.zeros(2), reduction="none", delta=2.0)
    tensor([0.5000, 4.0000])
    """
    reduction = reduction_of(reduction)
    input, target = _pair(input, target, "huber_loss")
    if delta <= 0:
        raise DtypeError(
            "huber_loss does not support non-positive values for delta.",
            why=f"delta is {delta}, the distance at which the loss turns from a square into a line",
            fix=f"use `delta={abs(delta) or 1.0}`",
        )
    need_float(input, "huber_cpu")
    return _distance(L._huber, input, target, reduction, delta, weight)


@full_precision
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target (log(target) - input): the Kullback-Leibler divergence, for an input of log-probabilities.

    Arguments:
        reduction: "batchmean" divides the sum by the batch size, as the definition does; "mean" by the number of all.
        log_target: the target holds logarithms too.

    >>> import flambeau as torch
    >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    >>> torch.nn.functional.kl_div(q.log(), p, reduction="batchmean")
    tensor(0.1438)
    """
    batch_mean = False
    if size_average is not None or reduce is not None:
        reduction = reduction_of(reduction, size_average, reduce)
    else:
        if reduction == "mean":
            warn(
                "reduction: 'mean' divides the total loss by both the batch size and the support size."
                "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
                "'mean' will be changed to behave the same as 'batchmean' in the next major release.",
                stacklevel=2,
            )
        batch_mean = reduction == "batchmean"
        reduction = "sum" if batch_mean else reduction_of(reduction)
    if log.on and fresh("kl_div", input, target):
        checks.kl_div(input, target, log_target)
    total = reduced(_kl(input, target, log_target), reduction)
    return total / input.shape[0] if batch_mean and input.ndim else total


def _kl(input, target, log_target):
    if log_target:
        return target.exp() * (target - input)
    return target.xlogy(target) - target * input


@public("kl_div")
def _torch_kl_div(input, target, reduction=0, *, log_target=False):
    """The Kullback-Leibler divergence; `reduction` as a number: 0 none, 1 mean, 2 sum."""
    return reduced(_kl(input, target, log_target), ("none", "mean", "sum")[reduction])


@full_precision
def poisson_nll_loss(input, target, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
                     reduction="mean"):  # fmt: skip
    """The negative log-likelihood of counts `target` under Poisson distributions.

    Arguments:
        log_input: the input is the logarithm of the rate.
        full: add Stirling's approximation of log(target!).

    >>> import flambeau as torch
    >>> torch.nn.functional.poisson_nll_loss(torch.tensor([2.0]), torch.tensor([0.0]), log_input=False)
    tensor(2.)
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(reduction, size_average, reduce)
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(
            f"{reduction} is not a valid value for reduction",
            why="the losses are returned as they are, averaged or summed",
            fix='use "none", "mean" or "sum"',
        )
    targets.all_pairs("poisson_nll_loss", input, target)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + stirling.masked_fill(target <= 1, 0)
    return reduced(losses, reduction)


@public("poisson_nll_loss")
def _torch_poisson_nll_loss(input, target, log_input, full, eps, reduction):
    """The Poisson negative log-likelihood; `reduction` as a number: 0 none, 1 mean, 2 sum."""
    return poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=("none", "mean", "sum")[reduction])


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log(var) + (input - target)² / var) / 2: the negative log-likelihood under normal distributions.

    Arguments:
        var: variances, a number, or a tensor of the input's shape, with its last dimension 1 or missing.
        full: add log(2 pi) / 2. eps: smallest variance.
    Raises ValueError for a negative variance or a var of another shape.

    >>> import flambeau as torch
    >>> torch.nn.functional.gaussian_nll_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor(2.)
    """
    if isinstance(var, (int, float)):
        if var < 0:
            raise ArgumentError(
                "var has negative entry/entries",
                why=f"it is {var}, and a variance is a mean of squares",
                fix="let the network predict its logarithm: `var = log_var.exp()`",
            )
        var = var * (input * 0 + 1).detach()
    elif not isinstance(var, Tensor):
        raise ArgumentTypeError(
            f"gaussian_nll_loss(): argument 'var' must be Tensor or float, not {type(var).__name__}",
            why="it is the variance that belongs to each prediction",
            fix="use a float, or a tensor of the input's shape",
        )
    if var.size() != input.size():
        unlike = [n for n, m in zip(var.shape, input.shape) if n != m]
        if tuple(input.shape[:-1]) == tuple(var.shape):
            var = var.unsqueeze(-1)
        elif var.ndim != input.ndim or unlike != [1]:
            raise ArgumentError(
                "var is of incorrect size",
                why=f"var has shape {tuple(var.shape)} and input {tuple(input.shape)}: one variance per prediction, "
                "or per row with a last dimension of 1",
                fix=f"give var the shape {tuple(input.shape)}, or {(*input.shape[:-1], 1)}",
            )
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(
            f"{reduction} is not valid",
            why="the losses are returned as they are, averaged or summed",
            fix='use "none", "mean" or "sum"',
        )
    if not var.is_meta and (var._array < 0).any():
        raise ArgumentError(
            "var has negative entry/entries",
            why=f"the smallest is {float(var._array.min()):g}, and a variance is a mean of squares",
            fix="let the network predict its logarithm: `var = log_var.exp()`",
        )
    targets.all_pairs("gaussian_nll_loss", input, target)
    # The floor moves the value, not the gradient.
    floored = var + (var.detach().clamp_min(eps) - var.detach())
    losses = 0.5 * (floored.log() + (input - target) ** 2 / floored)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


__all__ = ["gaussian_nll_loss", "huber_loss", "kl_div", "l1_loss", "mse_loss", "poisson_nll_loss", "smooth_l1_loss"]
