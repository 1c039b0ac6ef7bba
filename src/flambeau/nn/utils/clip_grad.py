"""Limiting gradients: by their total norm, or element by element."""

from __future__ import annotations

import numpy as np

from ... import ops
from ...autograd import no_grad
from ...checks import events
from ...checks.log import log
from ...errors import GradientError
from ...kernels import fused
from ...kernels.record import listeners
from ...language import warn
from ...tensor import Tensor, wrap

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _listed(parameters):
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)


def _told(parameters):
    parameters = _listed(parameters)
    if log.on:
        events.clips(parameters)
    return parameters


def _plain_arrays(tensors):
    """The arrays of tensors that are ordinary (of one common dtype, in C order, writeable), or None if one is not."""
    arrays = [t._array for t in tensors]
    for t, a in zip(tensors, arrays):
        if (
            a.dtype is not arrays[0].dtype or a.dtype.char not in "fd" or a.__class__ is not np.ndarray
            or not a.flags.carray or t._inference or t._rg
        ):  # fmt: skip
            return None
    return None if listeners else arrays


def _change(tensors, arrays, formula, **numbers):
    """Set each array to formula(xp, array, **numbers), in place: one launch where there is enough to do."""
    for (a,), _ in fused.update(formula, [([a], numbers) for a in arrays]):
        a[...] = formula(np, a, **numbers)[0]
    for t in tensors:
        t._bump()


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
    arrays = _plain_arrays(tensors) if norm_type == 2.0 else None
    if arrays:
        squares = [a.dot(a) for a in [a.reshape(-1) for a in arrays]]
        total = wrap(np.asarray(np.sqrt(np.add.reduce(squares, dtype=np.float64)), arrays[0].dtype))
    else:
        norms = [_norm(t, norm_type) for t in tensors]
        total = norms[0] if len(norms) == 1 else _norm(ops.stack([n.to(tensors[0].device) for n in norms]), norm_type)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise GradientError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`",
            why=f"the norm is {float(total)}",
            fix="find what made a gradient NaN or infinite: look at `p.grad.isfinite().all()` for each parameter",
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


def _scaled(xp, g, *, factor):
    return (g * factor,)


def _clipped(xp, g, *, limit):
    return (xp.clip(g, -limit, limit),)


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
    arrays = _plain_arrays(grads)
    if arrays and isinstance(factor, Tensor) and factor._array.dtype == arrays[0].dtype and factor.numel() == 1:
        _change(grads, arrays, _scaled, factor=factor.item())
        return
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
    parameters = _told(parameters)
    grads = [p.grad for p in parameters if p.grad is not None]
    total = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Deprecated; use `clip_grad_norm_`."""
    warn(
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
    parameters = _told(parameters)
    limit = float(clip_value)
    grads = [p.grad for p in parameters if p.grad is not None]
    arrays = _plain_arrays(grads)
    if arrays and limit >= 0:
        _change(grads, arrays, _clipped, limit=limit)
        return
    for g in grads:
        g.clamp_(min=-limit, max=limit)
