"""Normalisations that also return what backward needs: torch.native_layer_norm and its kin; detach as a function."""

from __future__ import annotations

from ..autograd.api import detach as _detach
from ..autograd.api import detach_ as _detach_
from .entry import public
from .shape import need_tensor


@public()
def detach(input):
    """The same memory without history.

    >>> import flambeau as torch
    >>> torch.detach(torch.ones(2, requires_grad=True)).requires_grad
    False
    """
    need_tensor(input, "detach")
    return _detach(input)


@public()
def detach_(input):
    """Cut a tensor out of the graph, in place."""
    need_tensor(input, "detach_")
    return _detach_(input)


@public()
def get_device(input):
    """Index of the accelerator that a tensor lives on; -1 on the CPU."""
    need_tensor(input, "get_device")
    return input.get_device()


def _normalised(x, dims, eps):
    """(x with mean 0 and variance 1 over `dims`, its mean, 1 / its standard deviation)."""
    mean = x.mean(dims, keepdim=True)
    rstd = (x.var(dims, unbiased=False, keepdim=True) + eps).rsqrt()
    return (x - mean) * rstd, mean, rstd


@public()
def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """(layer_norm(input), mean, 1 / standard deviation) over the last dimensions.

    >>> import flambeau as torch
    >>> torch.native_layer_norm(torch.tensor([[1.0, 3.0]]), [2], None, None, 0.0)[0]
    tensor([[-1.,  1.]])
    """
    need_tensor(input, "native_layer_norm")
    out, mean, rstd = _normalised(input, list(range(input.ndim - len(normalized_shape), input.ndim)), eps)
    out = out if weight is None else out * weight
    return (out if bias is None else out + bias), mean, rstd


@public()
def native_group_norm(input, weight, bias, N, C, HxW, group, eps):
    """(group_norm(input), mean, 1 / standard deviation); input: (N, C, ...), the statistics (N, group)."""
    need_tensor(input, "native_group_norm")
    out, mean, rstd = _normalised(input.reshape(N, group, C * HxW // group), [2], eps)
    out = out.reshape(input.shape)
    shape = (1, C) + (1,) * (input.ndim - 2)
    out = out if weight is None else out * weight.reshape(shape)
    return (out if bias is None else out + bias.reshape(shape)), mean.reshape(N, group), rstd.reshape(N, group)


@public(out=True)
def native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """(batch_norm(input), mean, 1 / standard deviation); the statistics are empty outside training."""
    need_tensor(input, "native_batch_norm")
    shape = (1, -1) + (1,) * (input.ndim - 2)
    dims = [0, *range(2, input.ndim)]
    if training:
        out, mean, rstd = _normalised(input, dims, eps)
        mean, rstd = mean.reshape(-1), rstd.reshape(-1)
        if running_mean is not None:
            running_mean.mul_(1 - momentum).add_(mean.detach() * momentum)
        if running_var is not None:
            spread = input.detach().var(dims, unbiased=input.numel() > input.shape[1])
            running_var.mul_(1 - momentum).add_(spread * momentum)
    else:
        out = (input - running_mean.reshape(shape)) * (running_var.reshape(shape) + eps).rsqrt()
        mean = rstd = input.new_zeros(0)
    out = out if weight is None else out * weight.reshape(shape)
    return (out if bias is None else out + bias.reshape(shape)), mean, rstd
