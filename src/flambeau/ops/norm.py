"""Normalisation: layer_norm, rms_norm, group_norm and batch_norm, each a primitive that keeps 1/std for backward.

All but rms_norm subtract a mean; all divide by a standard deviation over some elements, and differ in which. The input
is seen as (rows, n): one row is one group of elements that share mean and deviation.
"""

from __future__ import annotations

import math

import numpy as np

from ..kernels import fused as kernels
from .entry import primitive
from .fused import fused, in_single


def _moments(rows, eps):
    """(rows minus their mean, mean, 1 / standard deviation) of a 2-dimensional array, row by row."""
    n = rows.shape[1]
    mean = rows.mean(axis=1)
    centred = rows - mean[:, None]
    if type(rows) is np.ndarray:
        var = np.einsum("ij,ij->i", centred, centred)
    else:
        var = np.square(centred).sum(axis=1)
    var /= rows.dtype.type(max(n, 1))
    rstd = 1 / np.sqrt(var + rows.dtype.type(eps))
    return centred, mean, rstd


def _row_means(a, b):
    """Mean of a * b over each row."""
    n = max(a.shape[1], 1)
    if type(a) is np.ndarray and type(b) is np.ndarray:
        return np.einsum("ij,ij->i", a, b)[:, None] / a.dtype.type(n)
    return (a * b).sum(axis=1)[:, None] / n


# ---------------------------------------------------------------------- layer_norm


def _line(a):
    """A weight or bias as a vector."""
    return a if a is None or a.ndim == 1 else a.reshape(-1)


@in_single
def _layer_norm_array(input, weight, bias, shape, eps):
    size = math.prod(shape)
    made = kernels.layer_norm(input, _line(weight), _line(bias), size, eps)
    if made is not None:
        return made
    rows = input.reshape(input.size // size if size else 0, size)
    out, mean, rstd = _moments(rows, eps)
    out *= rstd[:, None]
    if weight is not None:
        out *= weight.reshape(-1)
    if bias is not None:
        out += bias.reshape(-1)
    return out.reshape(input.shape), mean, rstd


@in_single
def _layer_norm_backward_array(g, input, weight, out, shape, eps, needs):
    size = math.prod(shape)
    made = kernels.layer_norm_backward(g[0], input, _line(weight), out[1], out[2], size, needs[1:])
    if made is not None:
        return made[0], *(d if d is None or d.shape == shape else d.reshape(shape) for d in made[1:])
    rows = input.reshape(input.size // size if size else 0, size)
    g = g[0].reshape(rows.shape)
    rstd = out[2][:, None]
    normal = (rows - out[1][:, None]) * rstd
    d_input = d_weight = d_bias = None
    if needs[2]:
        d_bias = g.sum(axis=0).reshape(shape)
    if needs[1]:
        d_weight = np.einsum("ij,ij->j", g, normal) if type(g) is np.ndarray else (g * normal).sum(axis=0)
        d_weight = d_weight.reshape(shape)
    if needs[0]:
        d = g if weight is None else g * weight.reshape(-1)
        d_input = _normal_backward(d, normal, rstd).reshape(input.shape)
    return d_input, d_weight, d_bias


def _normal_backward(d, normal, rstd):
    """Gradient through (rows - mean) * rstd; overwrites `normal`."""
    shift = d.mean(axis=1, keepdims=True)
    normal *= _row_means(d, normal)
    made = d - shift
    made -= normal
    made *= rstd
    return made


def _normal_formula(rows, eps):
    """(normalised rows, 1 / standard deviation) on tensors."""
    centred = rows - rows.mean(1, keepdim=True)
    rstd = ((centred * centred).mean(1, keepdim=True) + eps) ** -0.5
    return centred * rstd, rstd


def _normal_backward_formula(d, normal, rstd):
    return rstd * (d - d.mean(1, keepdim=True) - normal * (d * normal).mean(1, keepdim=True))


@fused(_layer_norm_backward_array)
def _layer_norm_rule(g, input, weight, aux, shape, eps, needs):
    size = math.prod(shape)
    g = g[0].reshape(-1, size)
    normal, rstd = _normal_formula(input.reshape(-1, size), eps)
    d = g if weight is None else g * weight.reshape(-1)
    d_input = _normal_backward_formula(d, normal, rstd).reshape(input.shape)
    return d_input, (g * normal).sum(0).reshape(shape) if needs[1] else None, g.sum(0).reshape(shape)


_layer_norm = primitive(
    "native_layer_norm", _layer_norm_array, vjp={("input", "weight", "bias"): _layer_norm_rule},
    node="NativeLayerNormBackward0",
)  # fmt: skip

# ---------------------------------------------------------------------- rms_norm


def _rms_norm_array(input, weight, shape, eps):
    size = math.prod(shape)
    made = kernels.rms_norm(input, _line(weight), size, eps)
    if made is not None:
        return made
    rows = input.reshape(input.size // size if size else 0, size)
    rstd = 1 / np.sqrt(_row_means(rows, rows)[:, 0] + rows.dtype.type(eps))
    out = rows * rstd[:, None]
    if weight is not None:
        out *= weight.reshape(-1)
    return out.reshape(input.shape), rstd


def _rms_norm_backward_array(g, input, weight, out, shape, eps, needs):
    size = math.prod(shape)
    made = kernels.layer_norm_backward(g[0], input, _line(weight), None, out[1], size, (needs[1], False))
    if made is not None:
        return made[0], made[1] if made[1] is None or made[1].shape == shape else made[1].reshape(shape)
    rows, rstd = input.reshape(input.size // size if size else 0, size), out[1][:, None]
    g, normal = g[0].reshape(rows.shape), rows * rstd
    d = g if weight is None else g * weight.reshape(-1)
    d_input = (rstd * (d - normal * _row_means(d, normal))).reshape(input.shape)
    return d_input, (g * normal).sum(axis=0).reshape(shape) if needs[1] else None


@fused(_rms_norm_backward_array)
def _rms_norm_rule(g, input, weight, aux, shape, eps, needs):
    size = math.prod(shape)
    rows, g = input.reshape(-1, size), g[0].reshape(-1, size)
    rstd = ((rows * rows).mean(1, keepdim=True) + eps) ** -0.5
    normal = rows * rstd
    d = g if weight is None else g * weight.reshape(-1)
    d_input = (rstd * (d - normal * (d * normal).mean(1, keepdim=True))).reshape(input.shape)
    return d_input, (g * normal).sum(0).reshape(shape) if needs[1] else None


_rms_norm = primitive(
    "rms_norm", _rms_norm_array, vjp={("input", "weight"): _rms_norm_rule}, node="MulBackward0",
)  # fmt: skip

# ---------------------------------------------------------------------- group_norm


def _grouped(input, groups):
    """(rows shape, channel shape): one row per sample and group; (N, C, everything else)."""
    n, c = input.shape[:2]
    rest = math.prod(input.shape[2:])
    return (n * groups, c * rest // groups if groups else 0), (n, c, rest)


@in_single
def _group_norm_array(input, weight, bias, groups, eps):
    made = kernels.group_norm(input, weight, bias, groups, eps)
    if made is not None:
        return made
    rows, channels = _grouped(input, groups)
    out, mean, rstd = _moments(input.reshape(rows), eps)
    out *= rstd[:, None]
    out = out.reshape(channels)
    if weight is not None:
        out *= weight[:, None]
    if bias is not None:
        out += bias[:, None]
    return out.reshape(input.shape), mean, rstd


@in_single
def _group_norm_backward_array(g, input, weight, out, groups, eps, needs):
    made = kernels.group_norm_backward(g[0], input, weight, out[1], out[2], groups)
    if made is not None:
        return made
    rows, channels = _grouped(input, groups)
    rstd = out[2][:, None]
    normal = (input.reshape(rows) - out[1][:, None]) * rstd
    g = g[0].reshape(channels)
    d_input = d_weight = d_bias = None
    if needs[2]:
        d_bias = g.sum(axis=(0, 2))
    if needs[1]:
        d_weight = _channel_sum(g, normal.reshape(channels))
    if needs[0]:
        d = g if weight is None else g * weight[:, None]
        d_input = _normal_backward(d.reshape(rows), normal, rstd).reshape(input.shape)
    return d_input, d_weight, d_bias


@fused(_group_norm_backward_array)
def _group_norm_rule(g, input, weight, aux, groups, eps, needs):
    rows, channels = _grouped(input, groups)
    normal, rstd = _normal_formula(input.reshape(rows), eps)
    g = g[0].reshape(channels)
    d = g if weight is None else g * weight.unsqueeze(1)
    d_input = _normal_backward_formula(d.reshape(rows), normal, rstd).reshape(input.shape)
    return d_input, (g * normal.reshape(channels)).sum((0, 2)) if needs[1] else None, g.sum((0, 2))


_group_norm = primitive(
    "native_group_norm", _group_norm_array, vjp={("input", "weight", "bias"): _group_norm_rule},
    node="NativeGroupNormBackward0",
)  # fmt: skip

# ---------------------------------------------------------------------- batch_norm


def _channel_sum(a, b):
    """Sum of a * b over everything but dimension 1, of arrays of shape (N, C) or (N, C, rest)."""
    if type(a) is not np.ndarray or type(b) is not np.ndarray:
        return (a * b).sum(axis=0 if a.ndim == 2 else (0, 2))
    if a.ndim == 2:
        return np.einsum("nc,nc->c", a, b)
    return np.einsum("ncl,ncl->nc", a, b).sum(axis=0)


def _by_channel(a):
    """(N, C, ...) as (N, C) or (N, C, rest), so that a per-channel array broadcasts with [:, None] at most."""
    return a if a.ndim == 2 else a.reshape(*a.shape[:2], math.prod(a.shape[2:]))


def _spread(per_channel, like):
    return per_channel if like.ndim == 2 else per_channel[:, None]


@in_single
def _batch_norm_array(input, weight, bias, mean, var, training, eps):
    """(result, mean, 1/std, variance); `mean` and `var` are the statistics to use when not training."""
    x = _by_channel(input)
    if training:
        made = kernels.batch_norm(x, weight, bias, eps)
        if made is not None:
            return made[0].reshape(input.shape), made[1], made[3], made[2]
        count = x.size // max(x.shape[1], 1)
        mean = x.mean(axis=0 if x.ndim == 2 else (0, 2))
        out = x - _spread(mean, x)
        var = _channel_sum(out, out)
        var /= x.dtype.type(max(count, 1))
        rstd = 1 / np.sqrt(var + x.dtype.type(eps))
        out *= _spread(rstd if weight is None else rstd * weight, x)
        if bias is not None:
            out += _spread(bias, x)
        return out.reshape(input.shape), mean, rstd, var
    rstd = 1 / np.sqrt(var + var.dtype.type(eps))
    scale = rstd if weight is None else rstd * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    out = x * _spread(scale.astype(x.dtype, copy=False), x)
    out += _spread(shift.astype(x.dtype, copy=False), x)
    return out.reshape(input.shape), mean, rstd, var


@in_single
def _batch_norm_backward_array(g, input, weight, out, training, eps, needs):
    x, g = _by_channel(input), _by_channel(g[0])
    mean, rstd = out[1], out[2]
    made = kernels.batch_norm_backward(g, x, weight, mean, rstd) if training else None
    if made is not None:
        return made[0].reshape(input.shape), *made[1:]
    d_input = d_weight = d_bias = None
    axes = 0 if x.ndim == 2 else (0, 2)
    if training and needs[0] or needs[2]:
        d_bias = g.sum(axis=axes)
    scale = rstd if weight is None else rstd * weight
    if training and needs[0] or needs[1]:
        centred = x - _spread(mean.astype(x.dtype, copy=False), x)
        d_weight = _channel_sum(g, centred) * rstd
    if needs[0] and not training:
        d_input = g * _spread(scale.astype(g.dtype, copy=False), x)
    elif needs[0]:
        count = x.dtype.type(max(x.size // max(x.shape[1], 1), 1))
        centred *= _spread(-scale * rstd * d_weight / count, x)
        centred -= _spread(scale * d_bias / count, x)
        d_input = g * _spread(scale, x)
        d_input += centred
    return d_input if d_input is None else d_input.reshape(input.shape), d_weight, d_bias


@fused(_batch_norm_backward_array)
def _batch_norm_rule(g, input, weight, aux, training, eps, needs):
    dims = (0, *range(2, input.ndim))
    shape = (1, -1, *[1] * (input.ndim - 2))
    g = g[0]
    if training:
        centred = input - input.mean(dims, keepdim=True)
        rstd = ((centred * centred).mean(dims, keepdim=True) + eps) ** -0.5
    else:
        centred, rstd = input - aux[1].detach().reshape(shape), aux[2].detach().reshape(shape)
    normal = centred * rstd
    d = g if weight is None else g * weight.reshape(shape)
    if training:
        d = d - d.mean(dims, keepdim=True) - normal * (d * normal).mean(dims, keepdim=True)
    return d * rstd, (g * normal).sum(dims) if needs[1] else None, g.sum(dims)


_batch_norm = primitive(
    "native_batch_norm", _batch_norm_array, vjp={("input", "weight", "bias"): _batch_norm_rule},
    node="NativeBatchNormBackward0",
)  # fmt: skip
