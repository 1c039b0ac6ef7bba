"""Adaptive log-softmax: a classifier over many classes in which rare classes cost less.

Grave et al., "Efficient softmax approximation for GPUs", 2016.
"""

from __future__ import annotations

from collections import namedtuple

from ... import ops
from ...errors import ArgumentError, ShapeError, StateError
from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]

_ASMoutput = namedtuple("_ASMoutput", ["output", "loss"])


class AdaptiveLogSoftmaxWithLoss(Module):
    """Classes sorted by frequency, divided at `cutoffs`: the first into a full head, the others into smaller tails.

    Arguments:
        in_features, n_classes: sizes.
        cutoffs: where to divide the classes.
        div_value: each tail's hidden size is the last one's divided by this. Default: 4.
        head_bias: learn an offset in the head. Default: False.
    Shapes: (N, in_features), (N) -> (output (N), loss ())

    >>> import flambeau as torch
    >>> loss = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], div_value=2.0)
    >>> loss(torch.randn(4, 8), torch.tensor([0, 3, 7, 9])).output.shape
    torch.Size([4])
    """

    def __init__(self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False, device=None, dtype=None):
        super().__init__()
        cutoffs = list(cutoffs)
        if len(cutoffs) == 0:
            raise ArgumentError(
                "cutoffs should be a sequence of length larger than 0",
                why="they divide the classes into clusters of frequent and rare ones",
                fix=f"use e.g. `cutoffs=[{max(n_classes // 10, 1)}]`, or `nn.CrossEntropyLoss` without clusters",
            )
        if (
            cutoffs != sorted(cutoffs)
            or min(cutoffs) <= 0
            or max(cutoffs) > n_classes - 1
            or len(set(cutoffs)) != len(cutoffs)
            or any(int(c) != c for c in cutoffs)
        ):
            raise ArgumentError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                "value is between 1 and n_classes-1",
                why=f"they are {cutoffs}, and there are {n_classes} classes",
                fix=f"use e.g. `cutoffs=[{max(n_classes // 10, 1)}]`",
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        kind = dict(device=device, dtype=dtype)
        self.head = Linear(in_features, self.head_size, bias=head_bias, **kind)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // (div_value ** (i + 1)))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(Linear(in_features, hidden, bias=False, **kind), Linear(hidden, size, bias=False, **kind))
            )

    def reset_parameters(self):
        """Draw new weights everywhere."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_, target_):
        input, target, batched = input_, target_, target_.dim() > 0
        if target.dim() == 1:
            if input.shape[0] != target.shape[0]:
                raise ShapeError(
                    "Input and target should have the same size in the batch dimension.",
                    why=f"input has {input.shape[0]} rows and target {target.shape[0]} classes",
                    fix="give one class per row",
                )
            if input.dim() != 2:
                raise ShapeError(
                    "1D target tensor expects 2D input tensors, but found inputs with size",
                    input.size(),
                    why=f"the target has {target.shape[0]} classes, and the input has shape {tuple(input.shape)}",
                    fix="use `input.flatten(0, -2)`, and `target.flatten()`",
                )
        elif target.dim() == 0:
            if input.dim() != 1:
                raise ShapeError(
                    "0D target tensor expects 1D input tensors, but found inputs with size",
                    input.size(),
                    why=f"the target is one class, and the input has shape {tuple(input.shape)}",
                    fix="use `target.unsqueeze(0)` for a batch of one",
                )
            input, target = input.unsqueeze(0), target.unsqueeze(0)
        else:
            raise ShapeError(
                "0D or 1D target tensor expected, multi-target not supported",
                why=f"the target names one class per sample, and has shape {tuple(target.shape)}",
                fix="use `input.flatten(0, -2)`, and `target.flatten()`",
            )
        used = 0
        gather = target.new_empty(target.size(0)).copy_(target)
        output = input.new_zeros(target.size(0))
        bounds = [0, *self.cutoffs]
        for i, (low, high) in enumerate(zip(bounds[:-1], bounds[1:], strict=True)):
            rows = ((target >= low) & (target < high)).nonzero().flatten()
            if rows.numel() == 0:
                continue
            if i > 0:
                relative = target[rows] - low
                cluster = F.log_softmax(self.tail[i - 1](input.index_select(0, rows)), dim=1)
                gather = gather.index_fill(0, rows, self.shortlist_size + i - 1)
                output = output.index_copy(0, rows, cluster.gather(1, relative.unsqueeze(1)).squeeze(1))
            used += rows.numel()
        if used != target.size(0):
            raise StateError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. ",
                why=f"there are {self.n_classes} classes, numbered from 0",
                fix=f"use `n_classes={int(target.max()) + 1}`, or correct the targets"
                if target.min() >= 0
                else "number the classes from 0",
            )
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, gather.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def _get_full_log_prob(self, input, head_output):
        head = F.log_softmax(head_output, dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            # log p(class) = log p(class | cluster) + log p(cluster)
            parts.append(F.log_softmax(tail(input), dim=1) + head[:, self.shortlist_size + i].unsqueeze(1))
        return ops.cat(parts, dim=1)

    def log_prob(self, input):
        """Log probabilities of all classes: (N, in_features) -> (N, n_classes)."""
        return self._get_full_log_prob(input, self.head(input))

    def predict(self, input):
        """The most probable class of each sample: (N, in_features) -> (N)."""
        head = self.head(input)
        output = head.argmax(dim=1)
        if bool((output < self.shortlist_size).all()):
            return output
        return self.log_prob(input).argmax(dim=1)
