"""Limiting gradients: by their total norm, or element by element."""

from __future__ import annotations

import warnings

from ... import ops
from ...autograd import no_grad
from ...errors import GradientError
from ...tensor import Tensor

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _listed(parameters):
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


@no_grad()
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors taken as one vector.

    Arguments:
        norm_type: p of the p-norm; inf for the greatest absolute value.
        error_if_nonfinite: raise RuntimeError when the norm is nan or infinite.
        foreach: accepted.

    >>> import flambeau as torch
    >>> torch.nn.utils.get_total_norm([torch.tensor([3.0]), torch.tensor([4.0])])
    tensor(5.)
    """
    tensors = _listed(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return ops.tensor(0.0)
    first = tensors[0]
    norms = [_norm(t, norm_type) for t in tensors]
    total = norms[0] if len(norms) == 1 else _norm(ops.stack([n.to(first.device) for n in norms]), norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise GradientError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


def _norm(t, p):
    if t.itemsize == 2:  # squares of half-precision gradients overflow
        return _norm(t.float(), p).to(t.dtype)
    if p == 2.0 and not t.is_complex():
        flat = t.reshape(-1)
        return (flat @ flat).sqrt()
    sizes = t.abs()
    if p == float("inf"):
        return sizes.max()
    if p == float("-inf"):
        return sizes.min()
    if p == 0.0:
        return (sizes != 0).sum().to(sizes.dtype)
    return sizes.pow(p).sum().pow(1 / p)


@no_grad()
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale the gradients of parameters by max_norm / total_norm where that is below one.

    >>> import flambeau as torch
    >>> w = torch.zeros(2, requires_grad=True)
    >>> (w * torch.tensor([3.0, 4.0])).sum().backward()
    >>> torch.nn.utils.clip_grads_with_norm_([w], 1.0, torch.tensor(5.0))
    >>> w.grad
    tensor([0.6000, 0.8000])
    """
    grads = [p.grad for p in _listed(parameters) if p.grad is not None]
    if not grads:
        return
    factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
    for g in grads:
        g.mul_(factor.to(g.device))


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale the gradients in place so that their total norm is at most max_norm; returns the norm before.

    Arguments:
        parameters: parameters, or one.
        max_norm: the greatest norm allowed.
        norm_type, error_if_nonfinite, foreach: see `get_total_norm`.

    Pascanu et al., "On the difficulty of training recurrent neural networks", 2013.

    >>> import flambeau as torch
    >>> p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.tensor([3.0, 4.0])
    >>> torch.nn.utils.clip_grad_norm_(p, 1.0)
    tensor(5.)
    >>> p.grad
    tensor([0.6000, 0.8000])
    """
    parameters = _listed(parameters)
    grads = [p.grad for p in parameters if p.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Deprecated; use `clip_grad_norm_`."""
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@no_grad()
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Cut every element of the gradients off at -clip_value and clip_value, in place.

    >>> import flambeau as torch
    >>> w = torch.zeros(2, requires_grad=True)
    >>> (w * torch.tensor([3.0, -0.5])).sum().backward()
    >>> torch.nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    tensor([ 1.0000, -0.5000])
    """
    clip_value = float(clip_value)
    for p in _listed(parameters):
        if p.grad is not None:
            p.grad.clamp_(min=-clip_value, max=clip_value)
