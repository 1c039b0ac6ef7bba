"""Pictures of when in a series a prediction comes from: `visualize_timeseries_attr`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..told import tell
from ..viz import style
from . import visual_scale as scale
from .visual_scale import TimeseriesVisualizationMethod, VisualizeSign

__all__ = ["visualize_timeseries_attr"]


def visualize_timeseries_attr(
    attr: Any,
    data: Any,
    x_values: Any = None,
    method: str = "overlay_individual",
    sign: str = "absolute_value",
    channel_labels: list[str] | None = None,
    channels_last: bool = True,
    plt_fig_axis: tuple[Any, Any] | None = None,
    outlier_perc: float = 2,
    cmap: Any = None,
    alpha_overlay: float = 0.7,
    show_colorbar: bool = False,
    title: str | None = None,
    fig_size: tuple[float, float] = (6, 6),
    use_pyplot: bool = True,
    **pyplot_kwargs: Any,
) -> tuple[Any, Any]:
    """Draw a series together with the attribution of each of its values.

    Arguments:
        attr, data: attributions and values, arrays or tensors (N, C): N steps of C channels; (N,) is one channel.
        x_values: where on the x axis the steps are. Default: 0 to N - 1.
        method: "overlay_individual": one plot for each channel, on a background coloured by the attributions.
            "overlay_combined": all channels in one plot, on a background of their attributions' sum. "colored_graph":
            one plot for each channel, whose line has the colours.
        sign: "absolute_value", "positive", "negative" or "all".
        channel_labels: a name for each channel.
        channels_last: False if `attr` and `data` are (C, N).
        plt_fig_axis: figure and axes to draw into (as many as the method needs). Default: a new figure.
        outlier_perc, cmap, show_colorbar, title, fig_size, use_pyplot: as `visualize_image_attr` takes them.
        alpha_overlay: opacity of the background.
        pyplot_kwargs: further arguments for the lines, such as `linewidth=2`.
    Returns: figure and axes: one, or an array of them where the method makes a plot for each of several channels.

    >>> import flambeau as torch
    >>> from flambeau.attr import visualization as viz
    >>> figure, axes = viz.visualize_timeseries_attr(torch.randn(50, 2), torch.randn(50, 2), use_pyplot=False)
    >>> axes.shape
    (2,)
    """
    way = scale.member(TimeseriesVisualizationMethod, method, "method")
    signed = scale.member(VisualizeSign, sign, "sign")
    grid, values = (_series(given, name, channels_last) for given, name in ((attr, "attr"), (data, "data")))
    if grid.shape != values.shape:
        raise ArgumentError(
            f"attr is {grid.shape} and data is {values.shape} (channels, steps)",
            why="each value has its own attribution",
            fix="pass both with the same shape",
        )
    channels, steps = values.shape
    if channels > steps:
        tell(
            f"there are {channels} channels and only {steps} steps: if it is the other way round, pass "
            f"`channels_last={not channels_last}`"
        )
    labels = _named("channel_labels", channel_labels, channels)
    x = np.arange(steps) if x_values is None else scale.checked(x_values, "x_values").ravel()
    if len(x) != steps or (np.diff(x) <= 0).any():
        raise ArgumentError(
            f"x_values are {len(x)} numbers for {steps} steps" if len(x) != steps else "x_values do not increase",
            why="each step has its place on the x axis, from left to right",
            fix="pass one increasing number for each step, or leave `x_values` out",
        )
    if way is TimeseriesVisualizationMethod.overlay_combined:
        grid = grid.sum(axis=0, keepdims=True)
    strength = scale.normalized(grid, signed, outlier_perc)
    colours, low, high = scale.colours(signed, cmap)
    scale.opacity(alpha_overlay)

    if plt_fig_axis is None:
        figure = scale.new_figure(fig_size, use_pyplot)
        plots = figure.subplots(len(strength), sharex=True)
    else:
        figure, plots = scale.given_axes(plt_fig_axis)
    each = np.ravel(np.asarray(plots, dtype=object))
    if len(each) != len(strength):
        raise ArgumentError(
            f"plt_fig_axis has {len(each)} axes, and {len(strength)} are needed",
            why=f"method {way.name!r} makes so many plots for {channels} channels",
            fix=f"use `plt.subplots({len(strength)}, sharex=True)`",
        )
    if way is TimeseriesVisualizationMethod.overlay_combined:
        each[0].set_prop_cycle(color=[style.matplotlib().colormaps["Dark2"](i % 8) for i in range(channels)])
        for channel, label in zip(values, labels):
            each[0].plot(x, channel, label=label, **pyplot_kwargs)
        if any(labels):
            each[0].legend(loc="best")
    for axes, channel, shades, label in zip(each, values, strength, labels):
        if way is TimeseriesVisualizationMethod.colored_graph:
            _coloured_line(axes, x, channel, shades, colours, low, high, pyplot_kwargs)
        else:
            _background(axes, x, shades, colours, low, high, alpha_overlay)
            if way is TimeseriesVisualizationMethod.overlay_individual:
                axes.plot(x, channel, **pyplot_kwargs)
        if label and way is not TimeseriesVisualizationMethod.overlay_combined:
            axes.set_ylabel(label)
        if steps > 1:
            axes.set_xlim(x[0], x[-1])
    if show_colorbar:
        from matplotlib.cm import ScalarMappable  # noqa: PLC0415 - an extra
        from matplotlib.colors import Normalize  # noqa: PLC0415

        alpha = None if way is TimeseriesVisualizationMethod.colored_graph else alpha_overlay
        shown = ScalarMappable(Normalize(low, high), colours)
        figure.colorbar(shown, ax=list(each), location="bottom", fraction=0.05, pad=0.05, alpha=alpha)
    for i, axes in enumerate(each):
        style.finish(axes, title if title and i == 0 else None)
    scale.show(use_pyplot)
    return figure, plots


def _series(given, name, channels_last) -> np.ndarray:
    """Series of the user as (channels, steps)."""
    array = scale.checked(given, name)
    if array.ndim == 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 1:
        return array[None]
    if array.ndim != 2:
        raise ArgumentError(
            f"Expected {name} of shape (N, C), got {array.shape}",
            why="one picture shows one series: N steps of C channels",
            fix=f"choose one of the batch: `{name}[0]`" if array.ndim == 3 else "",
        )
    return array.T if channels_last else array


def _named(argument, labels, channels) -> list:
    """A label, or None, for each channel."""
    if labels is None:
        return [None] * channels
    if len(labels) != channels:
        raise ArgumentError(
            f"{argument} has {len(labels)} names for {channels} channels", fix="pass one for each channel"
        )
    return list(labels)


def _background(axes, x, shades, colours, low, high, alpha) -> None:
    """The attributions as coloured columns behind the lines, each from half-way to its neighbours."""
    middles = (x[1:] + x[:-1]) / 2
    ends = (2 * x[:1] - middles[:1], 2 * x[-1:] - middles[-1:]) if len(x) > 1 else (x - 0.5, x + 0.5)
    edges = np.concatenate([ends[0], middles, ends[1]])
    axes.pcolormesh(
        edges, [0, 1], shades[None], cmap=colours, vmin=low, vmax=high, alpha=alpha, linewidth=0,
        transform=axes.get_xaxis_transform(), zorder=0,
    )  # fmt: skip


def _coloured_line(axes, x, values, shades, colours, low, high, options) -> None:
    """A line whose pieces have the colours of the steps that they start from."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - an extra
    from matplotlib.colors import Normalize  # noqa: PLC0415

    axes.plot(x, values, color=style.FAINT, linewidth=2.5, alpha=0.5)  # where the colours are pale
    points = np.stack([x, values], axis=1)
    lines = LineCollection(
        list(np.stack([points[:-1], points[1:]], axis=1)), cmap=colours, norm=Normalize(low, high), **options
    )
    lines.set_array(shades[:-1])
    axes.add_collection(lines)
