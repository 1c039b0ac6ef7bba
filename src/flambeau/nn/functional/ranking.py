"""Losses of ranking and of margins, and of embeddings compared in pairs and triplets."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError, DtypeError, ShapeError
from ...ops.elementwise import relu as _relu
from ...ops.entry import public
from ...ops.fused import need_float, title
from ...ops.promotion import broadcast_error, check_devices
from ...ops.shape import need_tensor
from ...tensor import wrap
from .distance import pairwise_distance
from .losses import reduced, reduction_of

_WORDS = ("none", "mean", "sum")


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """x where target is 1, max(0, margin - x) where it is -1; x is a distance.

    >>> import flambeau as torch
    >>> torch.nn.functional.hinge_embedding_loss(torch.tensor([0.5, 0.25]), torch.tensor([1.0, -1.0]))
    tensor(0.6250)
    """
    return reduced(_hinge(input, target, margin), reduction_of(reduction, size_average, reduce))


def _hinge(input, target, margin):
    need_tensor(input, "hinge_embedding_loss")
    need_tensor(target, "hinge_embedding_loss", "target", 2)
    check_devices(input, target)
    near = wrap(np.asarray(target._array == 1))
    far = wrap(np.asarray(target._array == -1))
    # Both terms count for targets that are neither 1 nor -1.
    try:
        return input.masked_fill(far, 0.0) + _relu(margin - input).masked_fill(near, 0.0)
    except RuntimeError:
        raise broadcast_error(target.shape, input.shape) from None


@public("hinge_embedding_loss")
def _torch_hinge_embedding_loss(input, target, margin=1.0, reduction=0):
    """x where target is 1, max(0, margin - x) where it is -1; `reduction` as a number."""
    return reduced(_hinge(input, target, margin), _WORDS[reduction])


def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -target (x1 - x2) + margin): x1 should rank above x2 where target is 1, below where it is -1.

    Raises RuntimeError when the numbers of dimensions differ.

    >>> import flambeau as torch
    >>> x1, x2, y = torch.tensor([1.0]), torch.tensor([2.0]), torch.tensor([1.0])
    >>> torch.nn.functional.margin_ranking_loss(x1, x2, y, margin=0.5)
    tensor(1.5000)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.size()}, input2: {input2.size()}, target: {target.size()} ",
            why="losses are computed pair by pair: one score each, and one target",
            fix="use `squeeze` or `unsqueeze` to give all three the same dimensions",
        )
    return reduced(_relu(-target * (input1 - input2) + margin), reduction)


@public("margin_ranking_loss")
def _torch_margin_ranking_loss(input1, input2, target, margin=0.0, reduction=0):
    """max(0, -target (x1 - x2) + margin); `reduction` as a number."""
    return margin_ranking_loss(input1, input2, target, margin, reduction=_WORDS[reduction])


def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos(x1, x2) where target is 1, max(0, cos(x1, x2) - margin) where it is -1.

    Shapes: inputs (N, D) with target (N,), or inputs (D,) with target ().

    >>> import flambeau as torch
    >>> x1, x2, y = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([1.0])
    >>> torch.nn.functional.cosine_embedding_loss(x1, x2, y)
    tensor(1.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    for name, t in (("input1", input1), ("input2", input2), ("target", target)):
        need_tensor(t, "cosine_embedding_loss", name)
    if target.ndim not in (0, 1):
        raise ShapeError(
            "0D or 1D target tensor expected, multi-target not supported",
            why="target says for each pair whether the two are alike (1) or not (-1); it has shape "
            f"{tuple(target.shape)}",
            fix="use `target.squeeze(1)`"
            if tuple(target.shape[1:]) == (1,)
            else f"use a target of shape ({input1.shape[0]},)",
        )
    wanted = target.ndim + 1
    if input1.ndim != wanted or input2.ndim != wanted:
        raise ShapeError(
            f"{wanted}D input tensors expected for {target.ndim}D target tensor, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}.",
            why=f"target of shape {tuple(target.shape)} has one number for each pair of vectors",
            fix=f"give one target per row: shape ({input1.shape[0]},)"
            if input1.ndim == 2 and not target.ndim
            else "use `input.flatten(1)` for one vector per sample",
        )
    dot = (input1 * input2).sum(-1)
    length1 = (input1 * input1).sum(-1) + 1e-12
    length2 = (input2 * input2).sum(-1) + 1e-12
    cosine = dot / (length1 * length2).sqrt()
    t = target._array
    alike = (1 - cosine).masked_fill(wrap(np.asarray(t != 1)), 0.0)
    apart = _relu(cosine - margin).masked_fill(wrap(np.asarray(t != -1)), 0.0)
    return reduced(alike + apart, reduction)


@public("cosine_embedding_loss")
def _torch_cosine_embedding_loss(input1, input2, target, margin=0.0, reduction=0):
    """1 - cos where target is 1, max(0, cos - margin) where it is -1; `reduction` as a number."""
    return cosine_embedding_loss(input1, input2, target, margin, reduction=_WORDS[reduction])


# ---------------------------------------------------------------------- triplets


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, size_average=None,
                        reduce=None, reduction="mean"):  # fmt: skip
    """max(0, ‖a - p‖ - ‖a - n‖ + margin) (Balntas et al. 2016).

    swap: use the positive in place of the anchor where it is closer to the negative.

    >>> import flambeau as torch
    >>> a, p, n = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    >>> torch.nn.functional.triplet_margin_loss(a, p, n)
    tensor(2.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if margin <= 0:
        raise ArgumentError(
            f"margin must be greater than 0, got {margin}",
            why="it is how much closer the positive has to be than the negative",
            fix="use `margin=1.0`",
        )
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs",
            why="each anchor is compared with one positive and one negative",
            fix="use `squeeze` or `unsqueeze` to give all three the same shape",
        )
    return _triplet(lambda a, b: pairwise_distance(a, b, p, eps), anchor, positive, negative, margin, swap, reduction)


@public("triplet_margin_loss")
def _torch_triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, reduction=0):
    """max(0, ‖a - p‖ - ‖a - n‖ + margin); `reduction` as a number."""
    return triplet_margin_loss(anchor, positive, negative, margin, p, eps, swap, reduction=_WORDS[reduction])


def _triplet(distance, anchor, positive, negative, margin, swap, reduction):
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced(_relu(near - far + margin), reduction)


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
                                      reduction="mean"):  # fmt: skip
    """triplet_margin_loss with a distance of one's own; default `pairwise_distance`.

    >>> import flambeau as torch
    >>> l1 = lambda x, y: (x - y).abs().sum(-1)
    >>> a, p, n = torch.zeros(1, 2), torch.ones(1, 2), torch.full((1, 2), 0.5)
    >>> torch.nn.functional.triplet_margin_with_distance_loss(a, p, n, distance_function=l1)
    tensor(2.)
    """
    if reduction not in _WORDS:
        raise ArgumentError(
            f"{reduction} is not a valid value for reduction",
            why="the losses are returned as they are, averaged or summed",
            fix='use "none", "mean" or "sum"',
        )
    if margin <= 0:
        raise ArgumentError(
            f"margin must be greater than 0, got {margin}",
            why="it is how much closer the positive has to be than the negative",
            fix="use `margin=1.0`",
        )
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ShapeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs",
            why="each anchor is compared with one positive and one negative",
            fix="use `squeeze` or `unsqueeze` to give all three the same shape",
        )
    return _triplet(distance_function or pairwise_distance, anchor, positive, negative, margin, swap, reduction)


# ---------------------------------------------------------------------- margins between classes


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Mean over the other classes of max(0, margin - x[target] + x[class])^p.

    Shapes: input (N, C) or (C,), target (N,) or ().

    >>> import flambeau as torch
    >>> torch.nn.functional.multi_margin_loss(torch.tensor([[0.1, 0.2, 0.4, 0.8]]), torch.tensor([3]))
    tensor(0.3250)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    need_tensor(input, "multi_margin_loss")
    if p not in (1, 2):
        raise ArgumentError(
            "only p == 1 and p == 2 supported",
            why=f"p is {p}, the power to which a violated margin is raised",
            fix="use `p=1` or `p=2`",
        )
    if weight is not None and weight.ndim != 1:
        raise ArgumentError(
            "weight must be one-dimensional",
            why=f"it holds one number per class, and has shape {tuple(weight.shape)}",
            fix="use `weight.flatten()`",
        )
    if input.ndim > 2 or not input.numel() and 0 in input.shape[1:] or input.ndim == 1 and not input.numel():
        raise ShapeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}",
            why="each sample has a row of scores, one per class",
            fix="use `input.reshape(-1, classes)`, and flatten the targets likewise"
            if input.ndim > 2
            else "leave empty batches out",
        )
    x = input if input.ndim == 2 else input.reshape(1, -1)
    n, classes = x.shape
    if target.ndim > 1 or target.numel() != n:
        raise ShapeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{n}], but got {list(target.shape)}. Input has shape {list(input.shape)}.",
            why="the target names one class per sample",
            fix=f"use `target.flatten()` to have shape ({n},)" if target.numel() == n else f"give {n} class indices",
        )
    if weight is not None and weight.numel() != classes:
        raise ShapeError(
            f"inconsistent weight size, expected {classes} but got {list(weight.shape)}",
            why=f"the input has {classes} classes, each with one weight",
            fix=f"use `torch.ones({classes})` to begin with",
        )
    if target.dtype.name != "int64":
        raise DtypeError(
            f"expected scalar type Long but found {title(target)}",
            why="class indices are 64-bit integers",
            fix="use `target.long()`",
        )
    need_float(input, "multi_margin_loss")
    t = target._array.reshape(n)
    if t.size and (t.min() < 0 or t.max() >= classes):
        raise ShapeError(
            "target out of range",
            why=f"there are {classes} classes, numbered 0 to {classes - 1}; the targets run from {t.min()} to "
            f"{t.max()}",
            fix=f"give the network {t.max() + 1} outputs, or correct the targets"
            if t.min() >= 0
            else "number the classes from 0",
        )
    rows = wrap(np.arange(n))
    picked = x[rows, wrap(t)].unsqueeze(1)
    losses = _relu(margin - picked + x)
    if p == 2:
        losses = losses * losses
    if weight is not None:
        losses = losses * weight[wrap(t)].unsqueeze(1)
    others = np.ones((n, classes), x._array.dtype)
    others[np.arange(n), t] = 0
    losses = (losses * wrap(others)).sum(1) / classes
    return reduced(losses.reshape(target.shape) if input.ndim < 2 and reduction == "none" else losses, reduction)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Sum over target classes t and other classes j of max(0, 1 - (x[t] - x[j])), divided by the number of classes.

    Shapes: input and target (N, C) or (C,); the targets of a row end at its first -1.

    >>> import flambeau as torch
    >>> torch.nn.functional.multilabel_margin_loss(torch.tensor([0.1, 0.2, 0.4, 0.8]), torch.tensor([3, 0, -1, 1]))
    tensor(0.8500)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    need_tensor(input, "multilabel_margin_loss")
    if input.ndim > 2 or 0 in input.shape[1:] or input.ndim == 1 and not input.numel():
        raise ShapeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}",
            why="each sample has a row of scores, one per class",
            fix="use `input.reshape(-1, classes)`, and the targets likewise"
            if input.ndim > 2
            else "leave empty batches out",
        )
    if target.shape != input.shape and not (input.ndim == 0 and target.numel() == 1):
        raise ShapeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}",
            why="each row lists the classes of one sample, filled up with -1",
            fix=f"pad the rows with -1 to shape {tuple(input.shape)}",
        )
    if target.dtype.name != "int64":
        raise DtypeError(
            f"expected scalar type Long but found {title(target)}",
            why="class indices are 64-bit integers",
            fix="use `target.long()`",
        )
    need_float(input, "multilabel_margin_loss")
    x, t = input.reshape(-1, input.shape[-1] if input.ndim else 1), target._array
    n, classes = x.shape
    t = t.reshape(n, classes)
    if t.size and (t.min() < -1 or t.max() >= classes):
        raise ShapeError(
            "target out of range",
            why=f"there are {classes} classes, numbered 0 to {classes - 1}, and -1 ends a row; the targets run from "
            f"{t.min()} to {t.max()}",
            fix=f"give the network {t.max() + 1} outputs, or correct the targets"
            if t.min() >= -1
            else "number the classes from 0, and fill up with -1",
        )
    counts = np.cumprod(t >= 0, axis=1).astype(bool)
    is_target = np.zeros((n, classes), bool)
    row, column = np.nonzero(counts)
    is_target[row, t[row, column]] = True
    picked = x.gather(1, wrap(np.where(counts, t, 0)))
    pairs = counts[:, :, None] & ~is_target[:, None, :]
    losses = _relu(1 - picked.unsqueeze(2) + x.unsqueeze(1)) * wrap(pairs.astype(x._array.dtype))
    losses = losses.sum((1, 2)) / classes
    return reduced(losses if input.ndim == 2 else losses.reshape(()), reduction)
