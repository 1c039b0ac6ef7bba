"""What convolutions have learned, and what they see: pictures of filters and of feature maps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError
from ..nn import Module
from ..nn.modules.conv import _ConvNd, _ConvTransposeNd
from ..nn.parameter import UninitializedTensorMixin
from . import capture, style
from .tiles import tiles

__all__ = ["feature_maps", "show_filters"]

CHANNELS = 16  # input channels of a filter that are shown
LAYERS = 6  # layers that are shown if none is chosen


def show_filters(
    model: Any, layer: Any = None, *, n: int | None = None, ax: Any = None, title: str | None = None
) -> Any:
    """The weights of a convolution as images, as a figure.

    Filters of colour images are shown in colour, each from its smallest to its largest weight. Of others every input
    channel is an image of its own: orange is negative, purple positive, white zero. One-dimensional filters are images
    of (input channel, position).

    Arguments:
        model: a convolution, a model, or the weights themselves.
        layer: which layer of a model: its name, or itself. Default: the first convolution.
        n: how many filters to show at most. Default: 64, or 16 of several input channels each.
        ax: axes to draw into. Default: those of a new figure.
        title: of the picture. Default: the layer, and how many of its filters are shown.
    Shapes: weights (out, in, H, W) or (out, in, L)
    Raises ValueError if there is no convolution, RuntimeError for weights that cannot be shown.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> viz.show_filters(torch.nn.Conv2d(3, 16, 5)).axes[0].get_title()
    'Conv2d: 16 filters of 3 x 5 x 5'
    """
    _check_count(n)
    name, weights = _weights(model, layer)
    filters, inputs = weights.shape[:2]
    shape = " x ".join(map(str, weights.shape[1:]))
    if weights.ndim == 3:  # an image of (input channel, position) each
        weights, inputs = weights[:, None], 1
    count = min(n or (64 if inputs in (1, 3) else CHANNELS), filters)
    some = f"{filters} filters" if count == filters else f"the first {count} of {filters} filters"
    title = title if title is not None else f"{name}: {some} of {shape}"
    if inputs == 3:
        images = [_stretched(one.transpose(1, 2, 0)) for one in weights[:count]]
        return tiles(images, [str(k) for k in range(count)], ax=ax, title=title)
    shown = np.where(np.isfinite(weights), weights, np.nan)[:count, :CHANNELS]
    top = float(np.abs(style.finite(shown)).max(initial=0)) or 1.0
    captions = [f"{k}" if inputs == 1 else f"{k},{c}" for k in range(count) for c in range(shown.shape[1])]
    columns = None if inputs == 1 else shown.shape[1]
    if inputs > CHANNELS:
        title += f"\n(the first {CHANNELS} input channels)"
    colours = ("PuOr", -top, top, "weight")
    return tiles([*shown.reshape(-1, *shown.shape[2:])], captions, columns=columns, colours=colours, ax=ax, title=title)


def _check_count(n: int | None) -> None:
    if n is not None and n < 1:
        raise ArgumentError(f"n={n} images cannot be shown", why="a picture needs one at least", fix="use `n=16`")


def _weights(model: Any, layer: Any) -> tuple[str, np.ndarray]:
    """The name of a layer and its weights, (out, in, ...)."""
    turned = False
    if not isinstance(model, Module):
        name, weights = "weights", model
    else:
        model = capture.module(model, "show_filters")
        convolutions = [(name, part) for name, part in capture.named(model) if isinstance(part, _ConvNd)]
        found = convolutions[:1] if layer is None else capture.find(model, layer)
        if not found or not isinstance(found[0][1], _ConvNd):
            raise ArgumentError(
                "the model has no convolution" if layer is None else f"{found[0][0]} is no convolution",
                why="filters are the weights of Conv1d, Conv2d and their transposes",
                fix="pass a tensor of shape (filters, channels, height, width), such as "
                "`linear.weight.reshape(-1, 1, 28, 28)`",
            )
        name, part = found[0]
        if isinstance(part.weight, UninitializedTensorMixin):
            raise ArgumentError(
                f"{name} has no weights yet",
                why="it is lazy: its first input decides its shape",
                fix="call the model once",
            )
        weights, turned = part.weight, isinstance(part, _ConvTransposeNd)
    weights = style.numbers(weights, "weights")
    if weights.ndim not in (3, 4) or 0 in weights.shape:
        raise ShapeError(
            f"weights of shape {tuple(weights.shape)} are not pictures",
            why="filters are shown that have one or two dimensions and at least one weight",
            fix="pass one slice of a three-dimensional convolution: `conv.weight[:, :, 0]`"
            if weights.ndim == 5
            else "reshape them to (filters, channels, height, width)",
        )
    return name, weights.swapaxes(0, 1) if turned else weights


def _stretched(image: np.ndarray) -> np.ndarray:
    """Values from 0 to 1, the smallest and the largest at the ends; nan where they are not finite."""
    image = np.where(np.isfinite(image), image, np.nan).astype(np.float64)
    values = style.finite(image)
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    return (image - low) / ((high - low) or 1.0)


def feature_maps(
    model: Any,
    x: Any,
    layer: Any = None,
    *,
    n: int | None = None,
    sample: int = 0,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """What the channels of layers put out for an image, as a figure.

    The model is called once, in evaluation mode, without gradients. Modes, buffers, hooks and the random state are
    afterwards as before.

    Arguments:
        model: the model.
        x: its input: a tensor, a tuple of arguments or a dict of them. One image (C, H, W) becomes a batch of one.
        layer: one layer, or several: names, or modules. Default: up to six convolutions, from the first to the last.
        n: how many channels to show of each layer at most. Default: 64 of one, 8 of each of several.
        sample: which image of the batch.
        ax: axes to draw one layer into. Default: those of a new figure.
        title: of the picture.
    Shapes: the layers put out (N, C, H, W), (N, C, L) or (N, C).
    Raises ValueError for layers that are not there, RuntimeError for such as were not called.

    Each layer has a colour scale of its own; channels that are zero everywhere are named so.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU())
    >>> figure = viz.feature_maps(model, torch.rand(1, 8, 8), layer="0")
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['0', '1', '2', '3']
    """
    _check_count(n)
    model = capture.module(model, "feature_maps")
    if layer is None:
        convolutions = [pair for pair in capture.named(model) if isinstance(pair[1], _ConvNd)]
        if not convolutions:
            raise ArgumentError(
                "the model has no convolution",
                why="without `layer`, the outputs of its convolutions are shown",
                fix="choose a layer by name: `layer='encoder.0'`",
            )
        chosen = capture.spread(convolutions, LAYERS)
    else:
        chosen = capture.find(model, layer)
    if getattr(x, "ndim", 0) == 3 and any(
        isinstance(part, _ConvNd) and part.weight.ndim == 4 for part in model.modules()
    ):
        x = x[None]
    maps = {
        name: _channels(name, style.numbers(output, name), sample)
        for name, output in capture.outputs(model, x, chosen).items()
    }
    if len(maps) == 1:
        [(name, channels)] = maps.items()
        return _one_layer(name, channels, n or 64, None, ax, title)
    if ax is not None:
        raise ArgumentError(
            f"{len(maps)} layers do not fit into one axes",
            why="each has a row of its own",
            fix="choose one layer, or leave `ax` out",
        )
    figure = style.figure(9, 1.45 * len(maps) + 0.4)
    for (name, channels), axes in zip(maps.items(), figure.subplots(len(maps), 1)):
        _one_layer(name, channels, n or 8, n or 8, axes, None)
    return style.finish(figure, title)


def _channels(name: str, output: np.ndarray, sample: int) -> np.ndarray:
    """The channels (C, H, W) of one image."""
    if output.ndim not in (2, 3, 4) or 0 in output.shape:
        raise ShapeError(
            f"the output of {name} has shape {tuple(output.shape)}, which is no picture",
            why="feature maps are (N, C, H, W), (N, C, L) or (N, C)",
            fix="choose another layer",
        )
    if not -len(output) <= sample < len(output):
        raise ArgumentError(
            f"sample {sample} is not in a batch of {len(output)}",
            why="one image is shown",
            fix="use `sample=0`, the first",
        )
    one = output[sample]
    return one if one.ndim == 3 else one[:, None] if one.ndim == 2 else one[:, None, None]


def _one_layer(name: str, channels: np.ndarray, n: int, columns: int | None, ax: Any, title: str | None) -> Any:
    """The channels of one layer in one axes."""
    finite = style.finite(channels)
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    shown = np.where(np.isfinite(channels), channels, np.nan)[:n]
    captions = [f"{k} (zero)" if not channel.any() else str(k) for k, channel in enumerate(shown)]
    shape = " x ".join(map(str, channels.shape))
    some = f", the first {n}" if n < len(channels) else ""
    colours = ("viridis", low, high if high > low else low + 1, "activation")
    return tiles(
        list(shown), captions, columns=columns, colours=colours, ax=ax, title=title or f"{name} ({shape}{some})"
    )
