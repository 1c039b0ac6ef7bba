"""Softmax and its logarithm."""

from __future__ import annotations

import numpy as np

from ..checks import axes
from ..checks.log import log
from ..checks.tags import mark
from ..dtypes import dtype as dtype_
from ..errors import ArgumentTypeError
from ..kernels import fused as kernels
from .entry import primitive, public
from .fused import fused, halves_by, in_single, need_float
from .shape import need_tensor, normal_dim


@halves_by(kernels.softmax)
@in_single
def _softmax_array(input, axis):
    if not input.ndim:
        return np.ones_like(input)
    if not input.size:
        return input.copy()
    made = kernels.softmax(input, axis)
    if made is not None:
        return made
    out = np.subtract(input, input.max(axis=axis, keepdims=True))
    np.exp(out, out=out)
    out /= out.sum(axis=axis, keepdims=True)
    return out


@halves_by(kernels.softmax_backward)
@in_single
def _softmax_backward_array(g, out, axis):
    if not out.ndim:
        return np.zeros_like(out)
    made = kernels.softmax_backward(g, out, axis)
    if made is not None:
        return made
    d = g * out
    d -= out * d.sum(axis=axis, keepdims=True)
    return d


@fused(_softmax_backward_array)
def _softmax_rule(g, out, axis):
    d = g * out
    return d - out * d.sum(axis, keepdim=True)


_softmax = primitive("softmax", _softmax_array, vjp=_softmax_rule)


@halves_by(kernels.log_softmax)
@in_single
def _log_softmax_array(input, axis):
    if not input.ndim:
        return np.zeros_like(input)
    if not input.size:
        return input.copy()
    made = kernels.log_softmax(input, axis)
    if made is not None:
        return made
    out = np.subtract(input, input.max(axis=axis, keepdims=True))
    out -= np.log(np.exp(out).sum(axis=axis, keepdims=True))
    return out


@halves_by(kernels.log_softmax_backward)
@in_single
def _log_softmax_backward_array(g, out, axis):
    if not out.ndim:
        return np.zeros_like(out)
    made = kernels.log_softmax_backward(g, out, axis)
    if made is not None:
        return made
    d = np.exp(out)
    d *= g.sum(axis=axis, keepdims=True)
    return np.subtract(g, d, out=d)


@fused(_log_softmax_backward_array)
def _log_softmax_rule(g, out, axis):
    return g - out.exp() * g.sum(axis, keepdim=True)


_log_softmax = primitive("log_softmax", _log_softmax_array, vjp=_log_softmax_rule)


def _prepared(input, dim, dtype, name):
    need_tensor(input, name)
    if dtype is not None:
        if not isinstance(dtype, dtype_):
            raise ArgumentTypeError(
                f"{name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}",
                why="the input is converted to it first",
                fix="pass one such as `torch.float32`",
            )
        input = input.to(dtype)
    axis = normal_dim(dim, input._array.ndim)
    if input._array.dtype.kind != "f":
        need_float(input, f"{name}_{'lastdim_' if axis >= input._array.ndim - 1 else ''}kernel_impl")
    return input, axis


@public(method=True, out=True, aliases=("special.softmax",))
def softmax(input, dim, dtype=None):
    """exp(x) / sum(exp(x)) along `dim`: non-negative numbers that add up to 1. Computed without overflow.

    dtype: convert the input to this dtype first.

    >>> import flambeau as torch
    >>> torch.softmax(torch.zeros(2), 0)
    tensor([0.5000, 0.5000])
    """
    input, axis = _prepared(input, dim, dtype, "softmax")
    made = _softmax(input, axis=axis)
    if log.on:
        mark(made, "softmax", axis)
        shape = made._array.shape
        if shape and (shape[axis] == 1 or axis == 0 and len(shape) == 2):
            axes.softmax("softmax", input, made, axis)
    return made


@public(method=True, out=True, aliases=("special.log_softmax",))
def log_softmax(input, dim, dtype=None):
    """log(softmax(x)) along `dim`, accurate where softmax would round to 0 or 1.

    >>> import flambeau as torch
    >>> torch.log_softmax(torch.zeros(2), 0)
    tensor([-0.6931, -0.6931])
    """
    input, axis = _prepared(input, dim, dtype, "log_softmax")
    made = _log_softmax(input, axis=axis)
    if log.on:
        mark(made, "log_softmax", axis)
        shape = made._array.shape
        if shape and (shape[axis] == 1 or axis == 0 and len(shape) == 2):
            axes.softmax("log_softmax", input, made, axis)
    return made
