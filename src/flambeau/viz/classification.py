"""What a classifier takes for what: confusion matrices, their counts, and the picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from ..ops.from_data import from_numpy
from ..widths import wide
from . import style

__all__ = ["confusion_counts", "confusion_matrix"]

NUMBERS = 100  # with more classes than this, the cells are too small for numbers
LARGEST = 10_000  # classes that are counted: 800 MB
SHARES = {None: "share of the true class", "true": "share of the true class", "pred": "share of the predicted class",
          "all": "share of all samples"}  # fmt: skip


def confusion_counts(predictions: Any, labels: Any, classes: int | None = None, ignore_index: int = -100) -> Any:
    """How often each class (row) was taken for each class (column), as an int64 tensor.

    Arguments:
        predictions: classes, or scores with one class per element of dimension 1: the largest counts.
        labels: the true classes, or one-hot rows.
        classes: how many classes there are. Default: as many as occur, or as there are scores.
        ignore_index: samples with this label do not count.
    Shapes: predictions (N, *) or (N, C, *), labels (N, *) -> (C, C)
    Raises RuntimeError if the shapes do not fit, ValueError for classes out of range, nan scores or no sample.

    >>> from flambeau import viz
    >>> viz.confusion_counts([0, 1, 1, 2], [0, 1, 2, 2])
    tensor([[1, 0, 0],
            [0, 1, 0],
            [0, 1, 1]])
    """
    true, scores = style.numbers(labels, "labels"), style.numbers(predictions, "predictions")
    if true.ndim == 2 and true.shape == scores.shape and scores.dtype.kind == "f":
        if ((true == 0) | (true == 1)).all() and (true.sum(1) == 1).all():
            true = true.argmax(1)  # one-hot
    known = scores.shape[1] if scores.ndim == true.ndim + 1 and scores.ndim > 1 else 0
    found = _classes(scores, true)
    keep = true.ravel() != ignore_index
    true, found = true.ravel()[keep], found.ravel()[keep]
    if not len(true):
        raise ArgumentError(
            "there are no samples to compare",
            why="predictions and labels are empty"
            if not keep.size
            else f"all {keep.size} labels are {ignore_index}, which does not count",
            fix="collect the predictions of a whole data set: `torch.cat([model(x) for x, _ in loader])`",
        )
    true, found = _whole(true, "labels"), _whole(found, "predictions")
    highest = int(max(true.max(), found.max())) + 1
    count = classes if classes is not None else max(highest, known)
    if highest > count:
        raise ArgumentError(
            f"class {highest - 1} occurs, but there are only {count} classes (0 to {count - 1})",
            why="each class needs a row, and a name where names are given",
            fix=f"give {highest} classes or names, or look for wrong labels: `labels.unique()`",
        )
    if count > LARGEST:
        raise ArgumentError(
            f"{count:,} classes are too many for a matrix",
            why=f"it would have {count:,} x {count:,} cells; at most {LARGEST:,} classes are counted",
            fix="look for wrong labels with `labels.unique()`, or join classes",
        )
    table = np.zeros((count, count), np.int64)
    np.add.at(table, (true, found), 1)
    return from_numpy(table)


def _classes(scores: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Predicted classes in the shape of the labels."""
    if scores.ndim == true.ndim + 1 and scores.shape[:1] + scores.shape[2:] == true.shape and scores.shape[1] != 1:
        if np.isnan(scores).any():
            raise ArgumentError(
                f"the scores of {int(np.isnan(scores).any(1).sum())} of {true.size} samples contain nan",
                why="nan has no place in an order, so there is no largest score",
                fix="find where it comes from: `flambeau.doctor.watch` names the operation",
            )
        return scores.argmax(1)
    if scores.squeeze().shape == true.squeeze().shape:
        return scores
    raise ShapeError(
        f"predictions of shape {scores.shape} do not fit labels of shape {true.shape}",
        why="there has to be one class for each label, or one row of scores",
        fix="pass predictions (N,) or scores (N, classes), and labels (N,)",
    )


def _whole(values: np.ndarray, what: str) -> np.ndarray:
    """Numbers of classes, checked."""
    whole = values.astype(np.int64) if np.isfinite(values).all() else None
    if whole is None or (whole != values).any() or whole.min() < 0:
        odd = values[~np.isfinite(values)] if whole is None else values[(whole != values) | (whole < 0)]
        raise ArgumentError(
            f"{what} have to be numbers of classes (0, 1, 2...), but {odd[0]} is among them",
            why="each row and column of the matrix is one class",
            fix="make classes of probabilities first, for two classes with `(probabilities > 0.5).long()`"
            if what == "predictions"
            else "encode the labels as numbers from 0, or leave such samples out with `ignore_index`",
        )
    return whole


def confusion_matrix(
    predictions: Any,
    labels: Any,
    names: Iterable[str] | None = None,
    normalize: str | None = None,
    *,
    ignore_index: int = -100,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """The confusion matrix as a figure: rows are the true classes, columns what they were taken for.

    Without `normalize` the numbers are counts, and the colour is the share of the true class, so that small classes
    count as much as large ones. `confusion_counts` gives the counts as a tensor.

    Arguments:
        predictions: classes, or scores with one class per element of dimension 1: the largest counts.
        labels: the true classes, or one-hot rows.
        names: of the classes, in order. Default: their numbers.
        normalize: None shows counts; "true" shares of each true class (the diagonal is the recall), "pred" shares of
            each predicted class (the diagonal is the precision), "all" shares of all samples; all in percent.
        ignore_index: samples with this label do not count.
        ax: axes to draw into. Default: those of a new figure, whose size depends on the number of classes.
        title: of the picture. Default: the accuracy.
    Shapes: predictions (N, *) or (N, C, *), labels (N, *)
    Raises RuntimeError if the shapes do not fit, ValueError for classes out of range, nan scores or no sample.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> scores = torch.tensor([[2.0, 1.0], [0.1, 0.3], [0.5, 0.2]])
    >>> viz.confusion_matrix(scores, torch.tensor([0, 1, 1]), names=["cat", "dog"]).axes[0].get_title()
    '2 of 3 right (66.7%)'
    """
    if normalize not in (None, "true", "pred", "all"):
        raise ArgumentError(
            f"normalize cannot be {normalize!r}",
            why="shares are of each true class, of each predicted class, or of all samples",
            fix='use None (counts), "true", "pred" or "all"',
        )
    if isinstance(names, str) or not (names is None or isinstance(names, Iterable)):
        raise ArgumentTypeError(
            f"names is {type(names).__name__}, not a list of names",
            why="each class has a name",
            fix="pass the names in the order of the classes, such as `dataset.classes`",
        )
    names = None if names is None else list(names)
    classes = None if names is None else len(names)
    counts = confusion_counts(predictions, labels, classes, ignore_index).numpy()
    names = [str(name) for name in (names if names is not None else range(len(counts)))]
    over = {"pred": 0, "all": (0, 1)}.get(normalize or "", 1)
    share = counts / np.maximum(counts.sum(over, keepdims=True), 1)
    cell = 0.62 if len(names) <= 10 else 0.42 if len(names) <= 30 else 0.24
    side = min(cell * len(names), 25) if len(names) <= NUMBERS else 9
    words = 0.08 * min(max(map(wide, names)), 24)
    axes = style.axes_of(ax, max(side, 3) + 1.6 + words, max(side, 2) + 1.0 + (0.7 * words if words > 0.2 else 0.2))
    shade = np.sqrt(share / max(share.max(), 1e-9) if normalize == "all" else share)  # the root: few mistakes are seen
    image = axes.imshow(share, cmap="Blues", norm=_root(share.max() if normalize == "all" else 1))
    if len(names) <= NUMBERS:
        _write(axes, counts, shade, share if normalize else None, small=cell < 0.4)
    _name(axes, names)
    axes.set(xlabel="predicted", ylabel="true")
    bar = axes.get_figure().colorbar(image, ax=axes, shrink=0.8, aspect=30, fraction=0.04, format="{x:.0%}")
    bar.set_label(SHARES[normalize])
    right, count = int(np.trace(counts)), int(counts.sum())
    return style.finish(axes, title if title is not None else f"{right:,} of {count:,} right ({right / count:.1%})")


def _root(top: float) -> Any:
    """Colours by the square root of a share."""
    from matplotlib.colors import PowerNorm  # noqa: PLC0415

    return PowerNorm(0.5, 0, max(top, 1e-9))


def _write(axes: Any, counts: np.ndarray, shade: np.ndarray, share: np.ndarray | None, small: bool) -> None:
    """The numbers in the cells; `shade` is how dark a cell is. Empty cells stay empty."""
    widest = len(str(counts.max())) if share is None else 3
    size = (5.5 if small else 9) * min(1, 4 / widest)
    for row, column in np.argwhere(counts):
        words = str(counts[row, column])
        if share is not None:
            percent = 100 * share[row, column]
            words = f"{percent:.0f}" if small or percent >= 9.95 else f"{percent:.1f}"
        colour = "white" if shade[row, column] > 0.6 else "black"
        text = axes.text(column, row, words, ha="center", va="center", color=colour, fontsize=size)
        text.set_in_layout(False)  # it is inside: to measure thousands of them takes most of the time


def _name(axes: Any, names: list[str]) -> None:
    """Names of classes along both axes; only some of them where there are too many."""
    every = 1 if len(names) <= NUMBERS else -(-len(names) // 40)
    places = range(0, len(names), every)
    shown = [style.shorten(names[k], 20) for k in places]
    size = 9 if len(names) <= 30 else 7
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, shown)) > 2 else {}
    axes.set_xticks(places, shown, fontsize=size, **turned)
    axes.set_yticks(places, shown, fontsize=size)
