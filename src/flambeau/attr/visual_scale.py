"""Attributions made ready to be drawn: which sign is shown, how outliers are cut off, which colours; the figure."""

from __future__ import annotations

import difflib
import enum
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError
from ..told import tell
from ..viz import style


class ImageVisualizationMethod(enum.Enum):
    """Ways to draw the attribution of an image."""

    heat_map = 1
    blended_heat_map = 2
    original_image = 3
    masked_image = 4
    alpha_scaling = 5


class TimeseriesVisualizationMethod(enum.Enum):
    """Ways to draw the attribution of a series."""

    overlay_individual = 1
    overlay_combined = 2
    colored_graph = 3


class VisualizeSign(enum.Enum):
    """Which attributions to draw."""

    positive = 1
    absolute_value = 2
    negative = 3
    all = 4


def member(kind: type[enum.Enum], name: Any, argument: str) -> Any:
    """The member of an enumeration by its name (or itself)."""
    if isinstance(name, kind):
        return name
    names = list(kind.__members__)
    if name not in names:
        close = difflib.get_close_matches(str(name), names, 1)
        raise ArgumentError(
            f"{argument} is {name!r}, which is not one of {', '.join(map(repr, names))}",
            fix=f"did you mean `{argument}={close[0]!r}`?" if close else f"use for instance `{argument}={names[0]!r}`",
        )
    return kind[name]


def checked(values: Any, what: str) -> np.ndarray:
    """Numbers given by the user as a float64 array; they have to be real and finite."""
    array = style.numbers(values, what)
    if np.iscomplexobj(array):
        raise ArgumentTypeError(
            f"{what} holds complex numbers",
            why="colours stand for real numbers",
            fix=f"pass for instance `{what}.abs()`",
        )
    array = array.astype(np.float64)
    if array.size == 0:
        raise ArgumentError(
            f"{what} is empty: its shape is {array.shape}",
            why="there is nothing to draw",
            fix="look at the shapes of what you pass",
        )
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        where = tuple(int(i) for i in wrong[0])
        raise ArgumentError(
            f"{what} has {len(wrong)} of {array.size} numbers that are nan or infinite; the first is at {where}",
            why="colours can only stand for finite numbers",
            fix="find out where they come from: look at the model's output, at its weights and at the input",
        )
    return array


def normalized(attr: np.ndarray, sign: VisualizeSign, outlier_perc: float) -> np.ndarray:
    """Attributions from -1 to 1 (from 0 to 1 unless `sign` is `all`): the largest, which hold `outlier_perc` percent
    of the sum of all, are all drawn at full strength, and the rest is scaled by the smallest of those."""
    if not isinstance(outlier_perc, (int, float)) or not 0 <= outlier_perc <= 100:
        raise ArgumentError(
            f"outlier_perc is {outlier_perc!r}, which is not a percentage",
            fix="use a number from 0 to 100; 2 is the default",
        )
    if sign is VisualizeSign.positive:
        attr = np.maximum(attr, 0)
    elif sign is VisualizeSign.negative:
        attr = -np.minimum(attr, 0)
    elif sign is VisualizeSign.absolute_value:
        attr = np.abs(attr)
    ordered = np.sort(np.abs(attr), axis=None)
    largest = ordered[-1]
    if largest == 0:
        if sign is VisualizeSign.positive:
            tell("no attribution is positive: the picture shows nothing. Try `sign='all'`")
        elif sign is VisualizeSign.negative:
            tell("no attribution is negative: the picture shows nothing. Try `sign='all'`")
        else:
            tell(
                "all attributions are zero: the picture shows nothing. The output does not depend on this input (a "
                "ReLU that is off, a mask, another target), or input and baseline are the same"
            )
        return np.zeros_like(attr)
    if largest < 1e-5:
        tell(f"the largest attribution is {largest:.2g}: what the picture shows may be no more than rounding")
    ordered = ordered / largest  # their sum stays finite
    sums = np.cumsum(ordered)
    at = min(int(np.searchsorted(sums, sums[-1] * (100 - outlier_perc) / 100)), len(ordered) - 1)
    scale = ordered[at] or ordered[ordered > 0][0]
    return np.clip(attr / largest / scale, -1, 1)


def colours(sign: VisualizeSign, cmap: Any) -> tuple[Any, float, float]:
    """The colour map, and what its two ends stand for."""
    matplotlib = style.matplotlib()
    if cmap is None:
        from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415 - an extra

        cmap = {
            VisualizeSign.all: LinearSegmentedColormap.from_list("RdWhGn", ["red", "white", "green"]),
            VisualizeSign.positive: "Greens",
            VisualizeSign.negative: "Reds",
            VisualizeSign.absolute_value: "Blues",
        }[sign]
    if isinstance(cmap, str):
        if cmap not in matplotlib.colormaps:
            close = difflib.get_close_matches(cmap, list(matplotlib.colormaps), 1)
            raise ArgumentError(
                f"cmap is {cmap!r}, which is not the name of a colour map of matplotlib",
                fix=f"did you mean `cmap={close[0]!r}`?" if close else "use for instance `cmap='viridis'`",
            )
        cmap = matplotlib.colormaps[cmap]
    return cmap, -1.0 if sign is VisualizeSign.all else 0.0, 1.0


def opacity(alpha_overlay: float) -> float:
    """How much of the picture below is hidden, from 0 to 1."""
    if not isinstance(alpha_overlay, (int, float)) or not 0 <= alpha_overlay <= 1:
        raise ArgumentError(
            f"alpha_overlay is {alpha_overlay!r}, which is no opacity",
            fix="use a number from 0, for nothing of the heat map, to 1, for nothing of the picture",
        )
    return alpha_overlay


def new_figure(fig_size: tuple[float, float], use_pyplot: bool) -> Any:
    """An empty figure; pyplot's if it is to be shown."""
    style.matplotlib()
    if use_pyplot:
        import matplotlib.pyplot  # noqa: F401, PLC0415 - from now on it knows the figures that are made
    try:
        width, height = fig_size
        if not (0 < width < 1000 and 0 < height < 1000):
            raise ValueError("a side has to be more than 0 and less than 1000 inches")
        return style.figure(width, height, shown=use_pyplot)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"fig_size is {fig_size!r}",
            why=f"no figure can have this size: {error}",
            fix="use inches, such as `(6, 6)`",
        ) from error


def given_axes(plt_fig_axis: Any) -> tuple[Any, Any]:
    """The figure and the axes that the caller gave."""
    if not isinstance(plt_fig_axis, (tuple, list)) or len(plt_fig_axis) != 2 or not hasattr(plt_fig_axis[0], "savefig"):
        raise ArgumentTypeError(
            "plt_fig_axis is not a figure and its axes",
            why="the picture is drawn into them",
            fix="pass what `plt.subplots()` gives: `plt_fig_axis=(figure, axes)`",
        )
    return plt_fig_axis[0], plt_fig_axis[1]


def show(use_pyplot: bool) -> None:
    """Show the figures as `plt.show()` does, where there are windows or a notebook."""
    if not use_pyplot:
        return
    import matplotlib.pyplot as plt  # noqa: PLC0415

    if style.matplotlib().get_backend().lower() not in ("agg", "pdf", "svg", "ps", "pgf", "cairo", "template"):
        plt.show()
