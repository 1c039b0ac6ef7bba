"""The losses of classification and regression as primitives: value and gradient on arrays, reduction included.

`reduction` is "none", "mean" or "sum" throughout. Class indices out of range are found here, where they are read.
"""

from __future__ import annotations

import numpy as np

from ..arrays import MetaArray
from ..kernels import fused as kernels
from ..kernels import indexed
from ..kernels.elementwise import mapped
from ..mistakes.indices import no_such_class
from .entry import primitive
from .fused import constant, fused, in_single
from .softmax import _softmax

# ---------------------------------------------------------------------- class indices


def check_classes(target, classes, ignore_index):
    """IndexError unless every class index is a class or `ignore_index`."""
    touched = target.size * classes
    if indexed.first_outside(target, 0, classes, skip=ignore_index, touched=touched) >= 0:
        raise no_such_class(target, classes, ignore_index)


def class_indices(target, classes, ignore_index):
    """(indices with 0 in place of ignored ones, mask of those that count or None if all do).

    Raises IndexError when an index is neither a class nor `ignore_index`.
    """
    check_classes(target, classes, ignore_index)
    if not (0 <= ignore_index < classes) and (not target.size or target.min() >= 0 and target.max() < classes):
        return target, None
    valid = target != ignore_index
    return np.where(valid, target, 0), valid


def _one_class(target):
    return np.expand_dims(target, 1)


def _picked(x, target):
    """x[n, target[n, ...], ...]"""
    if x.ndim == 2 and type(x) is np.ndarray:
        return x[np.arange(x.shape[0]), target]
    return np.take_along_axis(x, _one_class(target), 1)[:, 0]


def _add_to_picked(x, target, values):
    """x[n, target[n, ...], ...] += values"""
    if x.ndim == 2:
        x[np.arange(x.shape[0]), target] += values
    else:
        where = _one_class(target)
        np.put_along_axis(x, where, np.take_along_axis(x, where, 1) + _one_class(values), 1)


def _sample_weights(x, target, valid, weight):
    """The weight of each sample (0 if ignored), or None when all are 1."""
    if weight is None:
        return None if valid is None else valid.astype(x.dtype)
    w = weight[target].astype(x.dtype, copy=False)
    return w if valid is None else w * valid


def _total(w, target, x):
    """What a mean divides by: the sum of the weights."""
    return np.asarray(target.size if w is None else w.sum(), x.dtype)


def _reduce(losses, total, reduction):
    if reduction != "mean":
        return losses if reduction == "none" else losses.sum()
    if total:
        return np.divide(losses.sum(), total, dtype=losses.dtype)
    return np.asarray(np.nan, losses.dtype)


def _per_sample(g, total, reduction, shape, dtype):
    """The gradient that reaches each sample's loss."""
    if reduction == "none":
        return g
    if reduction == "mean":
        g = g / total if total else 0  # no sample that counts: the loss is 0 / 0, its gradient 0
    return np.full(shape, g, dtype)


def _log_sum_exp(x):
    """log(sum(exp(x))) over dimension 1, kept."""
    top = x.max(axis=1, keepdims=True) if x.shape[1] else np.zeros((x.shape[0], 1, *x.shape[2:]), x.dtype)
    return np.log(np.exp(x - top).sum(axis=1, keepdims=True)) + top


@in_single
def _cross_entropy_array(input, target, weight, ignore_index, reduction, smoothing):
    """(loss, log of the sum of exponentials, sum of the weights); input (N, C, ...), target (N, ...)."""
    classes = input.shape[1]
    if type(input) is not np.ndarray:
        losses = input.sum(axis=1)
        return (losses if reduction == "none" else losses.sum()), input[:, :1], losses.sum()
    check_classes(target, classes, ignore_index)
    made = kernels.cross_entropy(input, target, ignore_index, reduction, weight, smoothing)
    if made is not None:
        return made
    target, valid = class_indices(target, classes, ignore_index)
    lse = _log_sum_exp(input)
    w = _sample_weights(input, target, valid, weight)
    losses = lse[:, 0] - _picked(input, target)
    if w is not None:
        losses = np.where(w == 0, input.dtype.type(0), losses * w)
    if smoothing:
        if weight is None:
            smooth = lse[:, 0] * classes - input.sum(axis=1)
        else:
            c = weight.reshape(-1, *[1] * (input.ndim - 2))
            smooth = (c * (lse - input)).sum(axis=1)
        if valid is not None:
            smooth = np.where(valid, smooth, input.dtype.type(0))
        losses = (1 - smoothing) * losses + (smoothing / classes) * smooth
        losses = losses.astype(input.dtype, copy=False)
    total = _total(w, target, input)
    return np.asarray(_reduce(losses, total, reduction)), lse, total


@in_single
def _cross_entropy_backward_array(g, input, target, weight, aux, ignore_index, reduction, smoothing):
    classes, kind = input.shape[1], input.dtype.type
    lse, total = aux[1], aux[2]
    if type(input) is not np.ndarray:
        return input * 1
    made = kernels.cross_entropy_backward(g[0], input, target, lse, total, ignore_index, reduction, weight, smoothing)
    if made is not None:
        return made
    target, valid = class_indices(target, classes, ignore_index)
    w = _sample_weights(input, target, valid, weight)
    each = _per_sample(g[0], total, reduction, target.shape, input.dtype)
    hit = each * kind(1 - smoothing) if w is None else each * w * kind(1 - smoothing)
    d = np.subtract(input, lse)
    np.exp(d, out=d)
    if not smoothing:
        d *= hit[:, None]
    else:
        miss = each * kind(smoothing / classes) if valid is None else each * valid * kind(smoothing / classes)
        all_classes = kind(classes) if weight is None else weight.sum(dtype=input.dtype)
        d *= (hit + miss * all_classes)[:, None]
        c = 1 if weight is None else weight.reshape(-1, *[1] * (input.ndim - 2))
        d -= c * miss[:, None]
    _add_to_picked(d, target, -hit)
    return d


def class_coefficients(input, target, weight, ignore_index, smoothing):
    """K with loss[n] = -sum over c of K[n, c] log_softmax(input)[n, c], as an array."""
    classes = input.shape[1]
    target, valid = class_indices(target, classes, ignore_index)
    c = np.ones(classes, input.dtype) if weight is None else weight
    k = np.empty(input.shape, input.dtype)
    k[...] = (c * (smoothing / classes)).reshape(-1, *[1] * (input.ndim - 2))
    _add_to_picked(k, target, (1 - smoothing) * c[target])
    return k if valid is None else k * valid[:, None]


@fused(_cross_entropy_backward_array)
def _cross_entropy_rule(g, input, target, weight, aux, ignore_index, reduction, smoothing):
    w = None if weight is None else weight._array
    k = class_coefficients(input._array, target._array, w, ignore_index, smoothing)
    each = g[0] / aux[2].detach() if reduction == "mean" else g[0]
    each = each.unsqueeze(1) if reduction == "none" else each
    return each * (constant(k.sum(axis=1, keepdims=True)) * _softmax(input, axis=1) - constant(k))


_cross_entropy = primitive(
    "cross_entropy_loss", _cross_entropy_array, vjp={"input": _cross_entropy_rule}, node="NllLossBackward0"
)


@in_single
def _nll_loss_array(input, target, weight, ignore_index, reduction):
    """(loss, sum of the weights); input (N, C, ...) holds log-probabilities, target (N, ...)."""
    if type(input) is not np.ndarray:
        losses = input.sum(axis=1)
        return (losses if reduction == "none" else losses.sum()), losses.sum()
    target, valid = class_indices(target, input.shape[1], ignore_index)
    w = _sample_weights(input, target, valid, weight)
    losses = -_picked(input, target)
    if w is not None:
        losses = np.where(w == 0, input.dtype.type(0), losses * w)
    total = _total(w, target, input)
    return np.asarray(_reduce(losses, total, reduction)), total


def _nll_loss_backward_array(g, total, target, weight, shape, ignore_index, reduction):
    dtype = g.dtype
    d = np.zeros(shape, dtype)
    target, valid = class_indices(target, shape[1], ignore_index)
    w = _sample_weights(d, target, valid, weight)
    each = _per_sample(g, total, reduction, target.shape, dtype)
    _add_to_picked(d, target, -each if w is None else -each * w)
    return d


def _nll_weighted(gg, total, target, weight, ignore_index, reduction):
    """The adjoint of the function above: it is linear in its gradient."""
    how = "none" if reduction == "none" else "sum"
    out = _nll_loss(gg, target, weight, ignore_index=ignore_index, reduction=how)[0]
    return out / total if reduction == "mean" else out


_nll_loss_backward = primitive(
    "nll_loss_backward", _nll_loss_backward_array, node="NllLossBackwardBackward0",
    vjp={"g": lambda g, total, target, weight, ignore_index, reduction:
         _nll_weighted(g, total, target, weight, ignore_index, reduction)},
)  # fmt: skip


def _nll_rule(g, target, weight, aux, input_shape, ignore_index, reduction):
    return _nll_loss_backward(g[0], aux[1].detach(), target, weight, shape=input_shape, ignore_index=ignore_index,
                              reduction=reduction)  # fmt: skip


_nll_loss = primitive("nll_loss", _nll_loss_array, vjp={"input": _nll_rule}, node="NllLossBackward0")

# ---------------------------------------------------------------------- functions of input - target


def distance_loss(name, value, slope, formula):
    """A loss that is a function of d = input - target.

    Arguments: value(d, size), slope(d, size) on arrays, formula(d, size) the slope on tensors; size: the loss's own
    parameter, such as the delta of Huber's.
    """

    total = mapped(lambda input, target, size: value(input - target, size), summed=True)

    @in_single
    def forward(input, target, reduction, size):
        if reduction == "none" or isinstance(input, MetaArray) or input.shape != target.shape:
            return _whole(value(input - target, size), reduction)
        return _average(total(input, target, size), input.size, reduction)

    @in_single
    def backward(g, input, target, reduction, size, needs):
        d = slope(input - target, size)
        d = d * _share(g, d.size, reduction, d.dtype)
        return d if needs[0] else None, -d if needs[1] else None

    @fused(backward)
    def rule(g, input, target, reduction, size, needs):
        difference = input - target
        d = formula(difference, size) * (g / difference.numel() if reduction == "mean" else g)
        return d, -d

    return primitive(name, forward, vjp={("input", "target"): rule})


def _whole(losses, reduction):
    if reduction == "none":
        return losses
    if isinstance(losses, MetaArray):
        return losses.sum()
    return _average(np.add.reduce(losses, None), losses.size, reduction)  # as losses.mean(), without its checks


def _average(total, size, reduction):
    """The sum of `size` losses, or their mean."""
    if reduction != "mean":
        return np.asarray(total)
    return np.asarray(total / size if size else total * np.nan, total.dtype)


def _share(g, count, reduction, dtype):
    """The gradient of each element's loss."""
    return np.divide(g, np.asarray(count or 1, dtype), dtype=dtype) if reduction == "mean" else g


_mse = distance_loss("mse_loss", lambda d, size: d * d, lambda d, size: d + d, lambda d, size: d * 2)
_l1 = distance_loss("l1_loss", lambda d, size: np.abs(d), lambda d, size: np.sign(d), lambda d, size: d.sign())


@mapped
def _smooth_value(d, beta):
    a, kind = np.abs(d), d.dtype.type
    return np.where(a < beta, a * a * kind(0.5 / beta if beta else 0), a - kind(0.5 * beta))


@mapped
def _smooth_slope(d, beta):
    return np.clip(d / d.dtype.type(beta), -1, 1)


_smooth_l1 = distance_loss("smooth_l1_loss", _smooth_value, _smooth_slope, lambda d, beta: (d / beta).clamp(-1.0, 1.0))


@mapped
def _huber_value(d, delta):
    a, kind = np.abs(d), d.dtype.type
    return np.where(a <= delta, a * a * kind(0.5), (a - kind(0.5 * delta)) * kind(delta))


_huber = distance_loss(
    "huber_loss", _huber_value, lambda d, delta: np.clip(d, d.dtype.type(-delta), d.dtype.type(delta)),
    lambda d, delta: d.clamp(-delta, delta),
)  # fmt: skip

# ---------------------------------------------------------------------- two classes


@in_single
def _bce_array(input, target):
    with np.errstate(all="ignore"):
        floor = input.dtype.type(-100)
        yes, no = np.maximum(np.log(input), floor), np.maximum(np.log1p(-input), floor)
    return (target - 1) * no - target * yes


@in_single
def _bce_backward_array(g, input, target):
    return g * (input - target) / np.maximum((1 - input) * input, input.dtype.type(1e-12))


@fused(_bce_backward_array)
def _bce_rule(g, input, target):
    return g * (input - target) / ((1 - input) * input).clamp_min(1e-12)


_bce = primitive(
    "binary_cross_entropy", _bce_array,
    vjp={"input": _bce_rule,
         "target": lambda g, input: g * ((1 - input).log().clamp_min(-100.0) - input.log().clamp_min(-100.0))},
)  # fmt: skip


@in_single
def _bce_logits_array(input, target, pos_weight):
    # log(1 + exp(-x)) without overflow
    tail = np.log1p(np.exp(-np.abs(input))) - np.minimum(input, input.dtype.type(0))
    if pos_weight is not None:
        tail *= 1 + (pos_weight - 1) * target
    return (1 - target) * input + tail


def _logistic(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


@in_single
def _bce_logits_backward_array(g, input, target, pos_weight):
    p = _logistic(input)
    if pos_weight is None:
        return g * (p - target)
    t = pos_weight * target
    return g * ((t + 1 - target) * p - t)


@fused(_bce_logits_backward_array)
def _bce_logits_rule(g, input, target, pos_weight):
    p = input.sigmoid()
    if pos_weight is None:
        return g * (p - target)
    t = pos_weight * target
    return g * ((t + 1 - target) * p - t)


def _bce_logits_target(g, input, pos_weight):
    if pos_weight is None:
        return -g * input
    tail = -_log_sigmoid(input)
    return g * ((pos_weight - 1) * tail - input)


def _log_sigmoid(x):
    return x.clamp_max(0.0) - ((-x.abs()).exp() + 1).log()


_bce_logits = primitive(
    "binary_cross_entropy_with_logits", _bce_logits_array,
    vjp={"input": _bce_logits_rule, "target": _bce_logits_target},
)  # fmt: skip
