"""The loss for sequences whose alignment is unknown."""

from __future__ import annotations

import numpy as np

from ...errors import DtypeError, ShapeError
from ...ops.ctc import _ctc
from ...ops.entry import public
from ...ops.fused import need_float
from ...ops.shape import need_tensor
from ...tensor import Tensor, wrap
from .losses import reduction_of


def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean", zero_infinity=False):
    """-log of the probability of a label sequence, summed over all its alignments (Graves et al. 2006).

    Arguments:
        log_probs: (T, N, C) or (T, C), the logarithms of class probabilities at each frame.
        targets: (N, S), or all labels one after another (sum of target_lengths,); without blanks.
        input_lengths, target_lengths: (N,) or ().
        reduction: "mean" divides each loss by its target's length first.
        zero_infinity: losses of targets that do not fit into their frames count as 0.

    >>> import flambeau as torch
    >>> log_probs = torch.full((4, 1, 3), 1 / 3).log()
    >>> torch.nn.functional.ctc_loss(log_probs, torch.tensor([[1, 2]]), torch.tensor([4]), torch.tensor([2]))
    tensor(0.8432)
    """
    reduction = reduction_of(reduction)
    need_tensor(log_probs, "ctc_loss", "log_probs")
    need_tensor(targets, "ctc_loss", "targets", 2)
    need_float(log_probs, "ctc_loss_cpu")
    if targets.dtype.name not in ("int64", "int32"):
        raise DtypeError(
            f"expected targets to have integral dtype, but got {targets.dtype}",
            why="targets are numbers of classes",
            fix="use `targets.long()`",
        )
    single = log_probs.ndim == 2
    if log_probs.ndim not in (2, 3):
        raise ShapeError(
            f"log_probs must be (T, N, C) or (T, C), but has shape {list(log_probs.shape)}",
            why="it holds a log probability for each time step, sample and class",
            fix="bring it to (T, N, C), e.g. `log_probs.permute(1, 0, 2)` from (N, T, C)",
        )
    x = log_probs.unsqueeze(1) if single else log_probs
    frames_most, n, classes = x.shape
    frames, lengths = _lengths(input_lengths, "input_lengths"), _lengths(target_lengths, "target_lengths")
    if not 0 <= blank < classes:
        raise ShapeError(
            "blank must be in label range",
            why=f"blank is {blank}, and log_probs has {classes} classes, numbered 0 to {classes - 1}",
            fix=f"use `blank=0`, or give the network {classes + 1} outputs",
        )
    for name, given in (("input_lengths", frames), ("target_lengths", lengths)):
        if given.size != n:
            raise ShapeError(
                f"{name} must be of size batch_size",
                why=f"it has {given.size} lengths for a batch of {n}",
                fix=f"give {n} length(s), one per sample",
            )
    if (lengths < 0).any():
        raise ShapeError(
            f"Expected target_lengths to have value at least 0, but got value {lengths.min()}",
            why="a length counts the labels of one sample",
            fix="use 0 for a sample without labels",
        )
    if (frames < 0).any() or frames.size and frames.max() > frames_most:
        raise ShapeError(
            f"Expected input_lengths to have value at most {frames_most}, but got value {frames.max()}",
            why=f"log_probs has {frames_most} time steps, so no sample can be longer, and none shorter than 0",
            fix="compute the lengths after the network, which may shorten the sequence, or clamp them: "
            f"`input_lengths.clamp(0, {frames_most})`",
        )
    losses = _ctc(x, wrap(_rows(targets, lengths, n)), wrap(frames), wrap(lengths), blank=blank,
                  zero_infinity=bool(zero_infinity))[0]  # fmt: skip
    if zero_infinity:
        losses = losses.masked_fill(wrap(np.isinf(losses._array)), 0.0)
    if reduction == "mean":
        return (losses / wrap(np.maximum(lengths, 1).astype(losses._array.dtype))).mean()
    if reduction == "sum":
        return losses.sum()
    return losses.reshape(()) if single else losses


def _lengths(given, name):
    if isinstance(given, Tensor):
        if given._array.dtype.kind not in "iu":
            raise DtypeError(f"{name} must be integral", why="a length counts elements", fix=f"use `{name}.long()`")
        return given._array.reshape(-1).astype(np.int64)
    return np.asarray(given, np.int64).reshape(-1)


def _rows(targets, lengths, n):
    """The labels as one row per sample."""
    t = targets._array
    longest = int(lengths.max()) if lengths.size else 0
    if t.ndim == 2 or (t.ndim == 1 and n == 1 and t.size >= longest and lengths.sum() != t.size):
        t = t.reshape(n, -1)
        if t.shape[1] < longest:
            raise ShapeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size {t.shape[1]} for "
                "argument #2 'targets' (while checking arguments for ctc_loss_cpu)",
                why=f"the longest of target_lengths is {longest}, and targets have room for {t.shape[1]} labels",
                fix="pad all targets to the longest one",
            )
        rows = t[:, :longest].astype(np.int64)
    else:
        if t.size != lengths.sum():
            raise ShapeError(
                f"Expected tensor to have {lengths.sum()} elements, the sum of target_lengths, but got {t.size} for "
                "argument #2 'targets' (while checking arguments for ctc_loss_cpu)",
                why="targets that are joined into one vector are taken apart by target_lengths",
                fix="use `torch.cat(targets)` with `target_lengths=torch.tensor([len(t) for t in targets])`",
            )
        rows = np.zeros((n, longest), np.int64)
        ends = np.cumsum(lengths)
        for i, (end, length) in enumerate(zip(ends, lengths)):
            rows[i, :length] = t.reshape(-1)[end - length : end]
    rows[np.arange(longest) >= lengths[:, None]] = 0
    return rows


@public("ctc_loss")
def _torch_ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction=0, zero_infinity=False):
    """-log of the probability of a label sequence; `reduction` as a number: 0 none, 1 mean, 2 sum."""
    return ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, ("none", "mean", "sum")[reduction],
                    zero_infinity)  # fmt: skip
