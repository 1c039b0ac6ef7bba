"""Losses of classification: cross-entropy and its parts, for one class, two classes and many labels."""

from __future__ import annotations

from ...checks import losses as checks
from ...checks.initial import look_at_loss
from ...checks.log import log
from ...checks.sites import arguments, user_site
from ...checks.targets import classes_first, same_shape
from ...dtypes import promote_types
from ...errors import ArgumentError, DtypeError, ShapeError
from ...mistakes.batches import merged, wrong_batch
from ...mistakes.targets import not_probabilities, numbers_as_scores, wrong_dtype, wrong_shape, wrong_weight
from ...ops import losses as L
from ...ops.dense import linear as _linear
from ...ops.entry import public
from ...ops.fused import need_float, title
from ...ops.precision import full_precision
from ...ops.promotion import check_devices
from ...ops.shape import need_tensor
from ...ops.softmax import _log_softmax
from .. import _reduction as _Reduction

_WORDS = ("none", "mean", "sum")


def reduction_of(reduction, size_average=None, reduce=None) -> str:
    """The reduction to use, from the argument and the two old flags; ValueError if there is none of that name."""
    if size_average is not None or reduce is not None:
        reduction = _Reduction.legacy_get_string(size_average, reduce)
    if reduction not in _WORDS:
        return _WORDS[_Reduction.get_enum(reduction)]
    return reduction


def reduced(losses, reduction):
    """The losses as they are, their mean, or their sum."""
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


# ---------------------------------------------------------------------- one class out of many


@full_precision
def cross_entropy(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                  label_smoothing=0.0):  # fmt: skip
    """-log softmax(input)[target], the usual loss of classification; `input` holds scores, not probabilities.

    Arguments:
        target: class indices (int64), or the probability of each class.
        weight: one factor per class. ignore_index: targets of this value do not count.
        label_smoothing: this much of each target's mass is spread evenly over all classes.
    Shapes: input (N, C, *) or (C,), target (N, *) or (), or the shape of the input for probabilities.
    Raises IndexError for a target that is no class, ValueError when batch sizes differ.

    >>> import flambeau as torch
    >>> torch.nn.functional.cross_entropy(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    need_tensor(input, "cross_entropy_loss")
    need_tensor(target, "cross_entropy_loss", "target", 2)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ShapeError(
            f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}",
            why="it is the share of probability given to the other classes",
            fix="use a value such as `label_smoothing=0.1`",
        )
    a, t = input._array, target._array
    if log.on and checks.fresh("cross_entropy", input, target):
        checks.cross_entropy(input, target, weight, ignore_index, reduction)
    if a.shape == t.shape:
        if ignore_index >= 0:
            raise DtypeError(
                "ignore_index is not supported for floating point target",
                why="probabilities name no single class to ignore",
                fix="leave ignore_index out, or give class indices",
            )
        return _soft_cross_entropy(input, target, weight, reduction, label_smoothing)
    if a.dtype.kind in "iu":
        fact = f"\"log_softmax_lastdim_kernel_impl\" not implemented for '{title(input)}'"
        raise numbers_as_scores(fact, input, target)
    need_float(input, "log_softmax_lastdim_kernel_impl")
    _check_classes(input, target, weight)
    single = a.ndim == 1
    if single:
        input, target = input.unsqueeze(0), target.reshape(1)
    loss = L._cross_entropy(input, target, weight, ignore_index=ignore_index, reduction=reduction,
                            smoothing=float(label_smoothing))[0]  # fmt: skip
    if log.first_losses and log.on:
        look_at_loss(loss)
    return loss.reshape(()) if single else loss


def _soft_cross_entropy(input, target, weight, reduction, label_smoothing):
    if not target.is_floating_point():
        fact = f"Expected floating point type for target with class probabilities, got {title(target)}"
        raise not_probabilities(fact, input, target)
    axis = 0 if input.ndim == 1 else 1
    classes = input.shape[axis]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise _wrong_weights(weight, classes)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    terms = _log_softmax(input, axis=axis) * target
    if weight is not None:
        terms = terms * weight.reshape([-1 if i == axis else 1 for i in range(input.ndim)])
    if reduction == "none":
        return -terms.sum(axis)
    total = -terms.sum()
    return total / (input.numel() // max(classes, 1)) if reduction == "mean" else total


def _wrong_weights(weight, classes):
    return ShapeError(
        "cross_entropy: weight tensor should be defined either for all "
        f"{classes} classes or no classes but got weight tensor of shape: {list(weight.shape)}",
        why=f"the input has {classes} classes, each with one weight",
        fix=f"use `torch.ones({classes})` to begin with",
    )


def _check_classes(input, target, weight, name="cross_entropy"):
    """Errors of shapes and dtypes for losses with class indices."""
    a, t = input._array, target._array
    if a.ndim < 1:
        raise ShapeError("input tensor should be 1D or 2D" if name == "nll_loss" else
                         "Expected input to have at least 1 dimension")  # fmt: skip
    if a.ndim == 1:
        if t.size != 1 or t.ndim > 1:
            raise ArgumentError(f"For 1D input, 1D target must have size 1, but got target size: {t.size}")
    elif t.ndim and a.shape[0] != t.shape[0] or not t.ndim:
        rows = t.shape[0] if t.ndim else 1
        fact = f"Expected input batch_size ({a.shape[0]}) to match target batch_size ({rows})."
        raise wrong_batch(fact, input, target)
    elif (a.shape[0], *a.shape[2:]) != t.shape:
        wanted = [a.shape[0], *a.shape[2:]]
        if a.ndim == 2:
            raise wrong_shape("0D or 1D target tensor expected, multi-target not supported", input, target)
        if t.shape == a.shape[:-1]:
            raise _classes_last(a.shape, t.shape)
        if a.ndim != 4:
            raise wrong_shape(f"Expected target size {wanted}, got {list(t.shape)}", input, target)
        if t.ndim != a.ndim - 1:
            fact = (
                f"only batches of spatial targets supported ({a.ndim - 1}D tensors) but got targets of "
                f"dimension: {t.ndim}"
            )
            raise wrong_shape(fact, input, target)
        raise wrong_shape(f"size mismatch (got input: {list(a.shape)} , target: {list(t.shape)}", input, target)
    if t.dtype.kind != "i" or t.dtype.itemsize != 8:
        if not (t.dtype.kind == "u" and t.dtype.itemsize == 1):
            raise wrong_dtype(f"expected target dtype to be Long or Byte, but got {title(target)}", input, target)
    classes = a.shape[0 if a.ndim == 1 else 1]
    if weight is not None:
        if weight.ndim != 1 or weight.shape[0] != classes:
            raise ShapeError(
                f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor "
                f"of shape: {list(weight.shape)}",
                why=f"the input has {classes} classes, each with one weight",
                fix=f"use `torch.ones({classes})` to begin with",
            )
        if weight.dtype is not input.dtype:
            raise wrong_weight(f"expected scalar type {title(input)} but found {title(weight)}", input, weight)
    check_devices(input, target, weight)


def _classes_last(a, t):
    """The error for scores (N, ..., C) where the classes have to be in dimension 1."""
    text, other = arguments(user_site(), "input", "target")
    return ShapeError(
        f"size mismatch (got input: {list(a)} , target: {list(t)}"
        if len(a) == 4
        else f"Expected target size {[a[0], *a[2:]]}, got {list(t)}",
        why=f"dimension 1 is taken as the classes, and `{text}` {tuple(a)} has them last: the target has the shape of "
        "all its other dimensions",
        fix=classes_first(a, text, other),
        code="FB-LOSS-04",
        cause="last",
    )


@full_precision
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """-input[target]: the negative log-likelihood, for an input of log-probabilities.

    Shapes: input (N, C, *) or (C,), target (N, *) or ().

    >>> import flambeau as torch
    >>> torch.nn.functional.nll_loss(torch.tensor([[-0.5, -1.0], [-2.0, -0.1]]), torch.tensor([0, 1]))
    tensor(0.3000)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    need_tensor(input, "nll_loss_nd")
    need_tensor(target, "nll_loss_nd", "target", 2)
    _check_classes(input, target, weight, "nll_loss")
    need_float(input, "nll_loss_out_frame")
    if log.on and checks.fresh("nll_loss", input, target):
        checks.nll_loss(input, target, weight, ignore_index, reduction)
    single = input.ndim == 1
    if single:
        input, target = input.unsqueeze(0), target.reshape(1)
    loss = L._nll_loss(input, target, weight, ignore_index=ignore_index, reduction=reduction)[0]
    return loss.reshape(()) if single else loss


def linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction="mean",
                         ignore_index=None, label_smoothing=0.0, options=None):  # fmt: skip
    """cross_entropy(linear(input, linear_weight, linear_bias), target): the head of a language model in one call.

    options: accepted; the product is not cut into chunks.
    Shapes: input (N, in) or (in,), linear_weight (C, *, in), linear_bias (C, *), target as for `cross_entropy`.

    >>> import flambeau as torch
    >>> torch.nn.functional.linear_cross_entropy(torch.ones(2, 3), torch.zeros(4, 3), torch.tensor([0, 3]))
    tensor(1.3863)
    """
    sizes = linear_weight.shape[:-1]
    _check_linear_loss(input, linear_weight, linear_bias, target, ignore_index)
    if linear_weight.ndim > 2:
        flat = linear_weight.reshape(-1, linear_weight.shape[-1])
        scores = _linear(input, flat, None if linear_bias is None else linear_bias.reshape(-1))
        scores = scores.reshape(input.shape[0], *sizes)
    else:
        scores = _linear(input, linear_weight, linear_bias)
    return cross_entropy(scores, target, weight, ignore_index=-100 if ignore_index is None else ignore_index,
                         reduction=reduction, label_smoothing=label_smoothing)  # fmt: skip


def _check_linear_loss(input, weight, bias, target, ignore_index):
    if input.ndim not in (1, 2):
        raise ShapeError(
            f"expected input with dimensionality 1 or 2, got {input.ndim}",
            why=f"it holds one row of features per sample, and has shape {tuple(input.shape)}",
            fix="use `input.flatten(0, -2)`, and flatten the targets likewise",
        )
    if weight.ndim < 2:
        raise ShapeError(
            f"expected linear_weight with dimensionality at least 2, got {weight.ndim}",
            why="its last dimension is in_features, the ones before it number the classes",
            fix=f"use a weight of shape (classes, {input.shape[-1]})",
        )
    if input.shape[-1] != weight.shape[-1]:
        raise ShapeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {weight.shape[-1]}, respectively",
            why="each class has one weight for each feature",
            fix=f"use `nn.Linear({input.shape[-1]}, {weight.shape[0]})` for the weight",
        )
    if weight.ndim > 2 and input.ndim != 2:
        raise ShapeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(weight.shape)} requires batched "
            "input, "
            f"(N, {weight.shape[-1]}), got unbatched input with shape {tuple(input.shape)}",
            why="several losses are computed for each sample",
            fix="use `input.unsqueeze(0)`",
        )
    if bias is not None and bias.shape != weight.shape[:-1]:
        raise ShapeError(
            f"expected linear_bias shape {tuple(weight.shape[:-1])}, got {tuple(bias.shape)}",
            why="each class has one bias",
            fix=f"use `torch.zeros{tuple(weight.shape[:-1])}`",
        )
    if ignore_index is not None and target.is_floating_point():
        raise ShapeError(
            "ignore_index cannot be specified when target contains probabilities",
            why="probabilities name no single class to ignore",
            fix="leave ignore_index out, or give class indices",
        )


# ---------------------------------------------------------------------- two classes


@full_precision
def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-(target log(input) + (1 - target) log(1 - input)) for probabilities `input` between 0 and 1.

    Raises RuntimeError for an input outside that range, ValueError when the shapes differ.

    >>> import flambeau as torch
    >>> torch.nn.functional.binary_cross_entropy(torch.tensor([0.9, 0.2]), torch.tensor([1.0, 0.0]))
    tensor(0.1643)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    need_tensor(input, "binary_cross_entropy")
    need_tensor(target, "binary_cross_entropy", "target", 2)
    if target.size() != input.size():
        fact = (
            f"Using a target size ({target.size()}) that is different to the input size ({input.size()}) is "
            "deprecated. Please ensure they have the same size."
        )
        if merged(input, target.shape[0] if target.ndim else 1) is not None:
            raise wrong_batch(fact, input, target)
        raise ArgumentError(
            fact,
            why=f"each prediction needs its own target: {input.numel()} predictions, {target.numel()} targets",
            fix=same_shape(input, target),
            code="FB-LOSS-07",
            cause="sizes",
        )
    if target.dtype is not input.dtype:
        raise DtypeError(f"Found dtype {title(target)} but expected {title(input)}", fix=f"target.to({input.dtype})")
    need_float(input, "binary_cross_entropy")
    a = input._array
    if a.size and not input.is_meta and not (a.min() >= 0 and a.max() <= 1):
        low, high = float(a.min()), float(a.max())
        raise ShapeError(
            "all elements of input should be between 0 and 1",
            why=f"they go from {low:g} to {high:g}",
            fix="use `F.binary_cross_entropy_with_logits` (`nn.BCEWithLogitsLoss()`), which applies the sigmoid itself",
            code="FB-LOSS-06",
            cause="scores",
        )
    if log.on and checks.fresh("bce", input, target):
        checks.swapped("binary_cross_entropy", input, target)
    losses = L._bce(input, target)
    return reduced(losses if weight is None else losses * weight, reduction)


@full_precision
def binary_cross_entropy_with_logits(input, target, weight=None, size_average=None, reduce=None, reduction="mean",
                                     pos_weight=None):  # fmt: skip
    """binary_cross_entropy(sigmoid(input), target), without overflow; `input` holds scores (logits).

    pos_weight: a factor for positive examples, one per class (broadcast).

    Raises ValueError when the shapes differ.

    >>> import flambeau as torch
    >>> torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 1.0]))
    tensor(0.4100)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    need_tensor(input, "binary_cross_entropy_with_logits")
    need_tensor(target, "binary_cross_entropy_with_logits", "target", 2)
    if target.size() != input.size():
        raise ArgumentError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})",
            why=f"each prediction needs its own target: {input.numel()} predictions, {target.numel()} targets",
            fix=same_shape(input, target),
            code="FB-LOSS-07",
            cause="sizes",
        )
    if log.on and checks.fresh("bce_logits", input, target):
        checks.bce_with_logits(input, target)
    kind = target.dtype
    if kind is not input.dtype:
        if not kind.is_floating_point:
            raise DtypeError(
                "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
                "operator instead." if kind.category == 0 else
                f"result type {title(input)} can't be cast to the desired output type {title(target)}",
                why=f"targets are probabilities, and these are {kind}",
                fix="target.float()",
            )  # fmt: skip
        common = promote_types(input.dtype, kind)
        input, target = input.to(common), target.to(common)
    losses = L._bce_logits(input, target, pos_weight).to(kind)  # PyTorch's result has the dtype of the target
    if log.first_losses and log.on and weight is None and reduction == "mean":
        look_at_loss(losses)
    return reduced(losses if weight is None else losses * weight, reduction)


@public("binary_cross_entropy_with_logits")
def _torch_bce_with_logits(input, target, weight=None, pos_weight=None, reduction=0):
    """Binary cross-entropy of scores; `reduction` as a number: 0 none, 1 mean, 2 sum."""
    return binary_cross_entropy_with_logits(input, target, weight, reduction=_WORDS[reduction], pos_weight=pos_weight)


@full_precision
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target input)) for targets 1 and -1.

    >>> import flambeau as torch
    >>> torch.nn.functional.soft_margin_loss(torch.tensor([0.0, 2.0]), torch.tensor([1.0, -1.0]))
    tensor(1.4100)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    need_tensor(input, "soft_margin_loss")
    return reduced((input * -target).exp().log1p(), reduction)


# ---------------------------------------------------------------------- several labels per sample


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Binary cross-entropy of scores, averaged over the classes (the last dimension).

    >>> import flambeau as torch
    >>> torch.nn.functional.multilabel_soft_margin_loss(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(1.4100)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if log.on and checks.fresh("multilabel_soft_margin_loss", input, target):
        checks.scores_given("multilabel_soft_margin_loss", input, 0, ("sigmoid", "softmax"))
    losses = L._bce_logits(input, target.to(input.dtype), None)
    if weight is not None:
        losses = losses * weight
    return reduced(losses.sum(-1) / input.shape[-1], reduction)
