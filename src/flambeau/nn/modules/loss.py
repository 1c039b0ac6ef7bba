"""Losses: how far a prediction is from its target.

Every loss takes `reduction`: 'mean' (default) or 'sum' over all elements, or 'none' for one loss each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...errors import ArgumentError, ArgumentTypeError, ShapeError
from ...language import warn
from .. import functional as F
from .linear import Linear
from .loss_base import _Loss, _WeightedLoss
from .margin_loss import (
    CosineEmbeddingLoss,
    HingeEmbeddingLoss,
    MarginRankingLoss,
    MultiLabelMarginLoss,
    MultiLabelSoftMarginLoss,
    MultiMarginLoss,
    SoftMarginLoss,
    TripletMarginLoss,
    TripletMarginWithDistanceLoss,
)

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LinearCrossEntropyLoss",
    "LinearCrossEntropyOptions",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "NLLLoss2d",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class L1Loss(_Loss):
    """Mean absolute error, |x - y|.

    >>> import flambeau as torch
    >>> torch.nn.L1Loss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """

    __constants__ = ["reduction"]

    def forward(self, input, target):
        return F.l1_loss(input, target, reduction=self.reduction)


class NLLLoss(_WeightedLoss):
    """Negative log likelihood: minus the input at the target class; the input holds log-probabilities.

    Arguments:
        weight: one weight per class.
        ignore_index: a target that does not count. Default: -100.
    Shapes: (N, C, ...) with target (N, ...), or (C) with target ()

    >>> import flambeau as torch
    >>> torch.nn.NLLLoss()(torch.tensor([[-0.5, -1.0], [-2.0, -0.1]]), torch.tensor([0, 1]))
    tensor(0.3000)
    """

    __constants__ = ["ignore_index", "reduction"]

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class NLLLoss2d(NLLLoss):
    """Deprecated; `NLLLoss` takes images as well."""

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
        warn(
            "`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead as a drop-in replacement and see "
            "https://pytorch.org/docs/main/nn.html#torch.nn.NLLLoss for more details.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


class PoissonNLLLoss(_Loss):
    """Negative log likelihood of counts under a Poisson distribution.

    Arguments:
        log_input: the input is the log of the rate: exp(x) - y x. Otherwise x - y log(x + eps).
        full: add Stirling's approximation of log y!.
    Shapes: input and target of one shape -> (), or that shape for 'none'

    >>> import flambeau as torch
    >>> torch.nn.PoissonNLLLoss(log_input=False)(torch.tensor([2.0]), torch.tensor([0.0]))
    tensor(2.)
    """

    __constants__ = ["log_input", "full", "eps", "reduction"]

    def __init__(self, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input, target):
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(_Loss):
    """Negative log likelihood under a normal distribution of given mean and variance: (log v + (x - y)² / v) / 2.

    Arguments:
        full: add the constant log(2π) / 2.
        eps: the least variance. Default: 1e-6.
    Shapes: input (N, *), target and var alike or with a last dimension of 1
    Raises ValueError for a negative variance.

    >>> import flambeau as torch
    >>> loss = torch.nn.GaussianNLLLoss()
    >>> loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor(2.)
    """

    __constants__ = ["full", "eps", "reduction"]

    def __init__(self, *, full=False, eps=1e-6, reduction="mean"):
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input, target, var):
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence y (log y - x), where x is a log-probability.

    Arguments:
        reduction: also 'batchmean', the sum divided by the batch size: the divergence itself.
        log_target: the target holds logs as well.

    >>> import flambeau as torch
    >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]])
    >>> torch.nn.KLDivLoss(reduction="batchmean")(q.log(), p)
    tensor(0.1438)
    """

    __constants__ = ["reduction"]

    def __init__(self, size_average=None, reduce=None, reduction="mean", log_target=False):
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input, target):
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class MSELoss(_Loss):
    """Mean squared error, (x - y)².

    >>> import flambeau as torch
    >>> torch.nn.MSELoss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """

    __constants__ = ["reduction"]

    def forward(self, input, target):
        return F.mse_loss(input, target, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """Binary cross entropy of probabilities, -(y log x + (1 - y) log(1 - x)).

    Arguments:
        weight: multiplied to each element's loss.
    Shapes: input and target (*); ValueError when they differ, RuntimeError for inputs outside [0, 1]

    >>> import flambeau as torch
    >>> torch.nn.BCELoss()(torch.tensor([0.9, 0.2]), torch.tensor([1.0, 0.0]))
    tensor(0.1643)
    """

    __constants__ = ["reduction"]

    def forward(self, input, target):
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross entropy of logits: `BCELoss` after a sigmoid, without overflow.

    Arguments:
        weight: multiplied to each element's loss.
        pos_weight: multiplied to the loss of positive targets; one per class.

    >>> import flambeau as torch
    >>> torch.nn.BCEWithLogitsLoss()(torch.zeros(2), torch.tensor([0.0, 1.0]))
    tensor(0.6931)
    """

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input, target):
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class SmoothL1Loss(_Loss):
    """(x - y)² / (2 beta) where |x - y| < beta, else |x - y| - beta / 2. Girshick, "Fast R-CNN", 2015.

    Shapes: input and target (*) -> (), or (*) for 'none'

    >>> import flambeau as torch
    >>> torch.nn.SmoothL1Loss(reduction="none")(torch.tensor([0.5, 3.0]), torch.zeros(2))
    tensor([0.1250, 2.5000])
    """

    __constants__ = ["reduction"]

    def __init__(self, size_average=None, reduce=None, reduction="mean", beta=1.0):
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input, target):
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """(x - y)² / 2 where |x - y| < delta, else delta (|x - y| - delta / 2).

    Shapes: input and target (*) -> (), or (*) for 'none'

    Huber, "Robust Estimation of a Location Parameter", 1964.

    >>> import flambeau as torch
    >>> torch.nn.HuberLoss(reduction="none", delta=2.0)(torch.tensor([1.0, 3.0]), torch.zeros(2))
    tensor([0.5000, 4.0000])
    """

    __constants__ = ["reduction", "delta"]

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction)
        if not isinstance(delta, (float, int)):
            raise ArgumentTypeError(
                f"delta must be a float or int, got: {type(delta)}",
                why="it is the distance at which the loss turns from a square into a line",
                fix="use `delta=1.0`",
            )
        self.delta = delta

    def forward(self, input, target):
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class CrossEntropyLoss(_WeightedLoss):
    """Cross entropy between logits and target classes or class probabilities: `NLLLoss` after log-softmax.

    Arguments:
        weight: one weight per class.
        ignore_index: a target that does not count. Default: -100.
        label_smoothing: how much of the target is spread evenly over all classes. Default: 0.
    Shapes: (N, C, ...) with target (N, ...) of classes or (N, C, ...) of probabilities; or (C) with () or (C)

    >>> import flambeau as torch
    >>> torch.nn.CrossEntropyLoss()(torch.zeros(3, 5), torch.tensor([1, 0, 4]))
    tensor(1.6094)
    """

    __constants__ = ["ignore_index", "reduction", "label_smoothing"]

    def __init__(
        self,
        weight=None,
        size_average=None,
        ignore_index=-100,
        reduce=None,
        reduction="mean",
        label_smoothing=0.0,
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input, target):
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


@dataclass
class LinearCrossEntropyOptions:
    """How `linear_cross_entropy` may divide its work. The result does not depend on it.

    Arguments:
        allow_retain_graph: allow several backward passes.
        batch_chunk_size: rows per piece.
        chunking_method: 'auto', 'aspect_ratio:N' or None.
        acc_policy: 'accurate', 'balanced', 'compact' or 'auto'.
        acc_dtype: dtype to accumulate in.
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None

    def __post_init__(self):
        if self.acc_policy not in ("accurate", "balanced", "compact", "auto"):
            raise ArgumentError(
                f"invalid acc_policy: {self.acc_policy!r}",
                why="it says how sums of chunks are gathered",
                fix='use "accurate", "balanced", "compact" or "auto"',
            )
        method = self.chunking_method
        if method is not None and method != "auto" and not method.startswith("aspect_ratio"):
            raise ArgumentError(
                f"invalid chunking_method: {method!r}",
                why="it says how the classes are divided into chunks",
                fix='use "auto" or None',
            )
        if self.batch_chunk_size is not None and not (
            isinstance(self.batch_chunk_size, int) and self.batch_chunk_size > 0
        ):
            raise ArgumentError(
                f"batch_chunk_size must be positive int or None, got {self.batch_chunk_size}",
                why="it is the number of samples computed at a time",
                fix="use None, or an int of at least 1",
            )


class LinearCrossEntropyLoss(_WeightedLoss):
    """A linear layer and the cross entropy of its logits, in one module.

    Arguments:
        in_features: size of each sample.
        num_classes: number of classes C.
        out_features: further dimensions of the target. Default: none.
        bias: learn an offset. Default: False.
        weight, ignore_index, label_smoothing: as for `CrossEntropyLoss`.
        options: see `LinearCrossEntropyOptions`.
    Shapes: (N, in_features) with target (N, *out_features) of classes or (N, C, *out_features) of probabilities

    >>> import flambeau as torch
    >>> torch.nn.LinearCrossEntropyLoss(8, 5)(torch.rand(2, 8), torch.tensor([1, 4])).shape
    torch.Size([])
    """

    __constants__ = ["reduction", "label_smoothing"]

    def __init__(
        self,
        in_features,
        num_classes,
        *,
        out_features=(),
        bias=False,
        device=None,
        dtype=None,
        reduction="mean",
        weight=None,
        ignore_index=None,
        label_smoothing=0.0,
        options=None,
    ):
        super().__init__(weight, None, None, reduction)
        if not 0.0 <= label_smoothing <= 1.0:
            raise ShapeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}",
                why="it is the share of probability given to the other classes",
                fix="use `label_smoothing=0.1`",
            )
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ShapeError(
                f"expected weight shape to be ({num_classes},), got {tuple(weight.shape)}",
                why=f"there are {num_classes} classes, each with one weight",
                fix=f"use `torch.ones({num_classes})` to begin with",
            )
        self.in_features = in_features
        self.num_classes = num_classes
        self.out_features = tuple(out_features)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.options = options
        self.linear = Linear(in_features, num_classes * math.prod(self.out_features), bias, device, dtype)

    def forward(self, input, target):
        if self.ignore_index is not None and target.is_floating_point():
            raise ShapeError(
                "ignore_index cannot be specified when target contains probabilities",
                why="probabilities name no single class to ignore",
                fix="leave ignore_index out, or give class indices",
            )
        logits = self.linear(input)
        if self.out_features:
            logits = logits.unflatten(-1, (self.num_classes, *self.out_features))
        return F.cross_entropy(
            logits,
            target,
            weight=self.weight,
            ignore_index=-100 if self.ignore_index is None else self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )

    def extra_repr(self):
        return (
            f"in_features={self.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
            f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


class CTCLoss(_Loss):
    """Connectionist temporal classification: minus the log probability of a label sequence over all its alignments.

    Arguments:
        blank: the class that stands for no label. Default: 0.
        zero_infinity: count impossible alignments as zero loss.
    Shapes: log_probs (T, N, C), targets (N, S) or all of them in a row, input_lengths (N), target_lengths (N)

    Graves et al., "Connectionist Temporal Classification", 2006.

    >>> import flambeau as torch
    >>> log_probs = torch.full((4, 1, 3), 1 / 3).log()
    >>> torch.nn.CTCLoss()(log_probs, torch.tensor([[1, 2]]), torch.tensor([4]), torch.tensor([2]))
    tensor(0.8432)
    """

    __constants__ = ["blank", "reduction"]

    def __init__(self, blank=0, reduction="mean", zero_infinity=False):
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs, targets, input_lengths, target_lengths):
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
