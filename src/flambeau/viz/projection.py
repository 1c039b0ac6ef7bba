"""Vectors of many dimensions as points in a plane: a projection onto the two directions in which they vary most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..language import warn
from ..nn import Module
from . import style

__all__ = ["embedding"]

NAMED, CLASSES = 60, 20  # so many points have their names beside them; so many classes are in the legend


def embedding(
    vectors: Any,
    labels: Any = None,
    names: Sequence[str] | None = None,
    *,
    words: Sequence[str] | None = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Vectors as points, projected by principal component analysis, as a figure.

    The axes are the two directions in which the vectors vary most; their labels say how much of all variance each one
    shows. Points that are near each other here may be apart in the other dimensions: look at the percentages.

    Arguments:
        vectors: a tensor or array; or `nn.Embedding`, whose weights are shown.
        labels: a class for each vector, which gives its colour; or a quantity.
        names: of the classes, in order.
        words: what each vector stands for, written beside the points if there are at most 60.
        ax: axes to draw into. Default: those of a new figure.
        title: of the picture.
    Shapes: vectors (N, *), labels (N,)
    Raises RuntimeError if the shapes do not fit, ValueError if there are no finite vectors.

    Vectors that contain nan or inf are left out, with a warning.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> points = torch.tensor([[0.0, 0, 0], [3, 4, 0], [6, 8, 0]])
    >>> viz.embedding(points, words=["a", "b", "c"]).axes[0].get_xlabel()
    'first component (100% of the variance)'
    """
    given = getattr(vectors, "weight", vectors) if isinstance(vectors, Module) else vectors
    points = style.numbers(given, "vectors").astype(np.float64)
    if points.ndim < 2:
        raise ShapeError(
            f"vectors of shape {tuple(points.shape)} cannot be projected",
            why="there has to be a row for each vector",
            fix="use `torch.stack(vectors)`",
        )
    points = points.reshape(len(points), int(np.prod(points.shape[1:])))
    for what, given in (("labels", labels), ("words", words)):
        if given is not None and len(given) != len(points):
            raise ShapeError(
                f"there are {len(given)} {what} for {len(points)} vectors",
                why="each vector has one",
                fix=f"pass as many {what}",
            )
    keep = np.asarray(np.isfinite(points).all(axis=1))
    if not keep.any():
        raise ArgumentError(
            "there are no vectors to show" if not len(points) else f"all {len(points)} vectors contain nan or inf",
            why="only finite vectors have a place in the plane",
            fix="look at what the model gives: `vectors.isfinite().all()`",
        )
    if not keep.all():
        warn(f"{int((~keep).sum())} of {len(points)} vectors contain nan or inf and are left out", stacklevel=2)
    places, shares = _principal(points[keep])
    axes = style.axes_of(ax, 6.4, 5.2)
    kept = None if labels is None else style.numbers(labels, "labels").reshape(-1)[keep]
    _scatter(axes, places, kept, names)
    if words is not None and len(places) <= NAMED:
        for (x, y), word in zip(places, [word for word, there in zip(words, keep) if there]):
            axes.annotate(style.shorten(word, 20), (x, y), (3, 3), textcoords="offset points", fontsize=8)
    for axis, order, share in zip((axes.xaxis, axes.yaxis), ("first", "second"), shares):
        axis.set_label_text(f"{order} component ({share:.0%} of the variance)")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.margins(0.08)
    return style.finish(axes, title)


def _principal(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(places in the plane, share of the variance of both directions)."""
    centred = points - points.mean(0)
    scale = np.abs(centred).max(initial=0) or 1.0  # squares of huge numbers would overflow
    if len(points) > points.shape[1]:  # the smaller of both products has the same answer
        squares, directions = np.linalg.eigh((centred / scale).T @ (centred / scale))
        squares, directions = squares[::-1].clip(0), directions.T[::-1]
    else:
        _, spread, directions = np.linalg.svd(centred / scale, full_matrices=False)
        squares = np.square(spread)
    # The sign of a direction is arbitrary: its largest component is positive, so that the picture is always the same.
    directions = directions * np.sign(np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], 1))
    variance = np.zeros(2)
    variance[: len(squares)] = squares[:2] / (squares.sum() or 1.0)
    places = np.zeros((len(points), 2))
    places[:, : len(directions[:2])] = centred @ directions[:2].T
    return places, variance


def _scatter(axes: Any, places: np.ndarray, labels: np.ndarray | None, names: Sequence[str] | None) -> None:
    """The points, coloured by class or quantity."""
    size = float(np.clip(8000 / len(places), 4, 40))
    faint = 0.85 if len(places) < 5000 else 0.4
    looks = {"s": size, "alpha": faint, "linewidths": 0, "rasterized": len(places) > 5000}
    classes = np.empty(0) if labels is None else np.unique(labels[np.isfinite(labels)])
    if labels is None or (labels.dtype.kind == "f" and (labels != np.round(labels)).any()) or len(classes) > CLASSES:
        colours = {"color": style.BLUE} if labels is None else {"c": labels, "cmap": "viridis"}
        drawn = axes.scatter(*places.T, **colours, **looks)
        if labels is not None:
            axes.get_figure().colorbar(drawn, ax=axes, label="label", aspect=30, fraction=0.04)
        return
    for k, value in enumerate(classes):
        known = names is not None and 0 <= value < len(names)
        name = str(names[int(value)]) if known and names is not None else f"{value:g}"
        colour, marker = style.MANY[k % len(style.MANY)], "os"[k // len(style.MANY)]
        axes.scatter(*places[labels == value].T, color=colour, marker=marker, label=style.shorten(name), **looks)
    looks = {"fontsize": 8, "frameon": False, "markerscale": max(1.0, 4 / size**0.5)}
    for handle in axes.legend(loc="upper left", bbox_to_anchor=(1, 1), **looks).legend_handles:
        handle.set_alpha(1)
