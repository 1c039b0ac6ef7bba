"""Figures of what a `Recorder` has recorded: histograms over time, update ratios, dead units."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError
from . import capture, style
from .recorder import Recorder, Spread

__all__ = ["activation_histograms", "dead_units", "gradient_histograms", "update_ratios", "weight_histograms"]

PANELS = 16  # layers that are shown if none is chosen
LINES = 10  # with more lines than this, their colour says how deep the layer is


def activation_histograms(recorder: Recorder, layers: Any = None, *, axes: Any = None, title: str | None = None) -> Any:
    """How each layer's outputs are spread over the steps, as a figure: the darker, the more values.

    The red line is the mean. In a healthy network, the spread of deep layers is about that of early ones. It shrinking
    from layer to layer means that the signal fades; values at the ends of a sigmoid or tanh that they saturate.

    Arguments:
        recorder: a `Recorder` that has recorded something.
        layers: names of the layers to show. Default: all, or 16 of them from the first to the last.
        axes: as many axes as there are layers. Default: those of a new figure.
        title: of the picture.
    Raises ValueError if nothing was recorded, or there is no such layer.
    """
    return _histograms(recorder, "activations", layers, axes, title, "activation")


def weight_histograms(recorder: Recorder, layers: Any = None, *, axes: Any = None, title: str | None = None) -> Any:
    """How each parameter's values are spread over the steps, as a figure.

    Arguments and errors: as for `activation_histograms`; `layers` are names of parameters. Default: those of two or
    more dimensions.
    """
    return _histograms(recorder, "weights", layers, axes, title, "weight")


def gradient_histograms(recorder: Recorder, layers: Any = None, *, axes: Any = None, title: str | None = None) -> Any:
    """How the magnitudes of each parameter's gradient are spread over the steps, in powers of ten, as a figure.

    Arguments and errors: as for `weight_histograms`. Zeros have no power of ten, and are left out.
    """
    return _histograms(recorder, "gradients", layers, axes, title, "log10 |gradient|")


def _chosen(recorder: Any, table: str, layers: Any) -> tuple[dict[str, list], int]:
    """The rows to show, and how many there are in all."""
    if not isinstance(recorder, Recorder):
        raise ArgumentTypeError(
            f"a Recorder is needed, not {type(recorder).__name__}",
            why="the picture shows what was recorded while training",
            fix="train within `with viz.Recorder(model, optimizer) as recorder:`, then pass `recorder`",
        )
    rows = {name: row for name, row in getattr(recorder, table).items() if any(one is not None for one in row)}
    if not rows:
        raise ArgumentError(
            f"there is nothing in `recorder.{table}`",
            why="no training step was made while the recorder was open"
            if not recorder.steps
            else "the model has no `nn.ReLU` module that is called: `F.relu` is not seen"
            if table == "dead"
            else f"{len(recorder.steps)} steps were recorded, but they had none",
            fix="make the activation a module, `nn.ReLU()`, and train within the `with` block"
            if table == "dead"
            else "train within the `with` block; in a loop without an optimizer, call `recorder.step(lr)`",
        )
    if layers is not None:
        names = [layers] if isinstance(layers, str) else list(layers)
        for name in names:
            if name not in rows:
                raise ArgumentError(
                    f"`recorder.{table}` has no {name!r}",
                    why="layers and parameters are found by their names",
                    fix="choose among " + ", ".join(f"`{known}`" for known in list(rows)[:20]),
                )
        return {name: rows[name] for name in names}, len(names)
    if table in ("weights", "gradients", "ratios"):
        sizes = {name: p.ndim for name, p in recorder._parameters.values()}
        rows = {name: row for name, row in rows.items() if sizes[name] > 1} or rows
    return rows, len(rows)


def _histograms(recorder: Any, table: str, layers: Any, axes: Any, title: str | None, what: str) -> Any:
    """One panel for each row."""
    rows, count = _chosen(recorder, table, layers)
    if layers is None:
        rows = dict(capture.spread(list(rows.items()), PANELS))
    height, width = style.grid(len(rows))
    if axes is None:
        figure = style.figure(3.3 * width + 0.4, 2.3 * height + 0.3)
        places = list(figure.subplots(height, width, squeeze=False).flat)
        for unused in places[len(rows) :]:
            unused.set_axis_off()
    else:
        places = [style.axes_of(ax, 0, 0) for ax in np.ravel(np.asarray(axes, object))]
        figure = places[0].get_figure()
        if len(places) != len(rows):
            raise ArgumentError(
                f"there are {len(places)} axes for {len(rows)} layers",
                why="each layer has a panel",
                fix=f"pass {len(rows)} axes, or none",
            )
    for k, (ax, (name, row)) in enumerate(zip(places, rows.items())):
        _panel(ax, recorder.steps, row)
        ax.set_title(style.shorten(recorder.label(name), 34), fontsize=9)
        ax.tick_params(labelsize=8)
        if axes is not None or k % width == 0:
            ax.set_ylabel(what, fontsize=8)
        if axes is not None or k + width >= len(rows):
            ax.set_xlabel("step", fontsize=8)
    if title is None and len(rows) < count:
        title = f"{len(rows)} of {count} layers"
    return style.finish(figure, title)


def _panel(ax: Any, steps: list[int], row: list[Spread | None]) -> None:
    """The spread of one layer over time."""
    from matplotlib.colors import PowerNorm  # noqa: PLC0415 - an extra

    there = [spread for spread in row if spread is not None and spread.counts.any()]
    if there:
        edges = _edges(there)
        shares = np.array([np.full(len(edges) - 1, np.nan) if s is None else s.between(edges) for s in row]).T
        norm = PowerNorm(0.5, 0, max(float(np.nanmax(shares)), 1e-9))
        ax.pcolormesh(_borders(steps), edges, np.ma.masked_invalid(shares), norm=norm, cmap="Blues", rasterized=True)
        means = [np.nan if s is None else s.mean for s in row]
        ax.plot(steps, means, color=style.WRONG, linewidth=1, marker="." if len(steps) == 1 else None)
        ax.set_ylim(edges[0], edges[-1])
    else:
        ax.set_yticks([])
    broken = [k for k, spread in enumerate(row) if spread is not None and spread.broken]
    borders = _borders(steps)
    for k in broken:
        ax.axvspan(borders[k], borders[k + 1], color=style.WRONG, alpha=0.35, linewidth=0)
    words = f"nan or inf in {len(broken)} of {len(row)} records" if broken else "" if there else "all zero"
    if words:
        ax.text(0.5, 0.93, words, color=style.WRONG, ha="center", va="top", fontsize=8, transform=ax.transAxes)
    ax.set_xlim(borders[0], borders[-1])
    _step_axis(ax, steps)


def _step_axis(ax: Any, steps: list[int]) -> None:
    """Whole numbers along the axis of the steps."""
    if len(steps) == 1:
        ax.set_xticks(steps)
    else:
        ax.xaxis.get_major_locator().set_params(integer=True, nbins=5)


def _borders(steps: list[int]) -> np.ndarray:
    """Where the columns of the steps begin and end."""
    half = (steps[1] - steps[0]) / 2 if len(steps) > 1 else 0.5
    return np.array([*(step - half for step in steps), steps[-1] + half])


def _edges(spreads: list[Spread]) -> np.ndarray:
    """Bins for all of some spreads, without the thousandth at either end, which would make all else narrow."""
    low, high = min(s.low for s in spreads), max(s.high for s in spreads)
    fine = np.linspace(low, high, 2049)
    share = np.cumsum(np.mean([s.between(fine) for s in spreads], axis=0))
    first, last = np.searchsorted(share, [0.001, 0.999])
    low, high = fine[first], fine[min(last + 1, 2048)]
    room = 0.05 * (high - low)
    return np.linspace(low - room, high + room, 81)


def update_ratios(recorder: Recorder, layers: Any = None, *, ax: Any = None, title: str | None = None) -> Any:
    """How large each weight's updates are in proportion to the weight, over the steps, as a figure.

    A ratio of about 1e-3 (the dashed line) is usual. Far above it, weights change so much that training becomes
    unstable: lower the learning rate. Far below it, they hardly learn.

    Arguments:
        recorder: a `Recorder` that has recorded something.
        layers: names of parameters. Default: those of two or more dimensions.
        ax: axes to draw into. Default: those of a new figure.
        title: of the picture.
    Raises ValueError if no updates were recorded, or there is no such parameter.
    """
    rows, _ = _chosen(recorder, "ratios", layers)
    axes = style.axes_of(ax, 7, 4)
    values = _lines(axes, recorder, rows)
    style.log_scale(axes.yaxis, [*style.finite(values), 1e-3])
    axes.axhline(1e-3, color=style.FAINT, linestyle="--", linewidth=1)
    axes.set_ylabel("|update| / |weight|")
    return style.finish(axes, title)


def dead_units(recorder: Recorder, layers: Any = None, *, ax: Any = None, title: str | None = None) -> Any:
    """The share of each ReLU's units that are zero for a whole batch, over the steps, as a figure.

    A unit that is zero for all inputs gets no gradient, and stays so. Units are channels, or features.

    Arguments:
        recorder: a `Recorder` that has recorded something.
        layers: names of `nn.ReLU` modules. Default: all. What `F.relu` computes has no module, and is not seen.
        ax: axes to draw into. Default: those of a new figure.
        title: of the picture.
    Raises ValueError if no ReLU was recorded, or there is no such layer.
    """
    rows, _ = _chosen(recorder, "dead", layers)
    axes = style.axes_of(ax, 7, 4)
    _lines(axes, recorder, rows)
    axes.set_ylabel("units that are zero for the whole batch")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_ylim(-0.02, 1.02)
    return style.finish(axes, title)


def _lines(axes: Any, recorder: Recorder, rows: dict[str, list]) -> np.ndarray:
    """One line for each row; returns all numbers drawn."""
    steps, names = recorder.steps, [recorder.label(name) for name in rows]
    style.matplotlib()
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415
    from matplotlib.colors import Normalize  # noqa: PLC0415

    values = np.array([[np.nan if one is None else one for one in row] for row in rows.values()], np.float64)
    broken = np.array([[one is not None for one in row] for row in rows.values()]) & ~np.isfinite(values)
    values[~np.isfinite(values)] = np.nan
    last = max(len(rows) - 1, 1)
    depth = ScalarMappable(Normalize(0, last), "viridis")
    for k, (name, row) in enumerate(zip(names, values)):
        colour = style.MANY[k] if len(rows) <= LINES else depth.cmap(k / last)
        marker = "." if len(steps) <= 50 else None
        axes.plot(steps, row, color=colour, label=style.shorten(name, 30), linewidth=1.4, marker=marker)
    if broken.any():
        at = np.asarray(steps)[broken.any(0)]
        axes.plot(
            at, 0 * at, "x", color=style.WRONG, transform=axes.get_xaxis_transform(), clip_on=False, label="nan or inf"
        )
    if len(rows) <= LINES:
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    else:
        bar = axes.get_figure().colorbar(depth, ax=axes, ticks=[0, last])
        bar.ax.set_yticklabels([style.shorten(name, 20) for name in (names[0], names[-1])], fontsize=8)
    axes.set_xlabel("step")
    _step_axis(axes, steps)
    axes.grid(alpha=0.3)
    return values
