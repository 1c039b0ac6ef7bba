"""Pictures of what in an image a prediction comes from: `visualize_image_attr` and several of it in a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..told import tell
from ..viz import style
from . import visual_scale as scale
from .visual_scale import ImageVisualizationMethod, VisualizeSign

__all__ = ["visualize_image_attr", "visualize_image_attr_multiple"]


def visualize_image_attr(
    attr: Any,
    original_image: Any = None,
    method: str = "heat_map",
    sign: str = "absolute_value",
    plt_fig_axis: tuple[Any, Any] | None = None,
    outlier_perc: float = 2,
    cmap: Any = None,
    alpha_overlay: float = 0.5,
    show_colorbar: bool = False,
    title: str | None = None,
    fig_size: tuple[float, float] = (6, 6),
    use_pyplot: bool = True,
) -> tuple[Any, Any]:
    """Draw the attribution of an image.

    The attributions are summed over the channels, then scaled so that the strongest are 1 (see `outlier_perc`).

    Arguments:
        attr: attributions as an array (H, W, C) or (H, W), or a tensor (C, H, W) or (1, C, H, W).
        original_image: the image, in the same layout: numbers from 0 to 1 or from 0 to 255. Other ranges, such as
            normalised images have, are stretched to a picture, with a warning. Needed unless `method` is "heat_map".
        method: "heat_map": the attributions alone. "blended_heat_map": over the image in grey. "original_image": the
            image alone. "masked_image": the image multiplied by them. "alpha_scaling": the image, as transparent as
            they are small.
        sign: "absolute_value", "positive", "negative" or "all"; the last not for the last two methods.
        plt_fig_axis: figure and axes to draw into. Default: a new figure.
        outlier_perc: so many percent of the sum of all attributions belong to the largest, which are all drawn at full
            strength, so that a single large one does not leave the rest pale. Default: 2.
        cmap: colour map, or its name. Default: white to blue, green or red by the sign; red, white, green for "all".
        alpha_overlay: opacity of the heat map for "blended_heat_map". Default: 0.5.
        show_colorbar: draw what the colours stand for below the picture.
        title: title of the picture.
        fig_size: width and height of a new figure in inches.
        use_pyplot: show the figure (as `plt.show()` does). False: only return it.
    Returns: figure and axes.
    Raises ValueError for shapes that do not fit, for nan, and for names that there are not.

    >>> import flambeau as torch
    >>> from flambeau.attr import visualization as viz
    >>> attr, image = torch.randn(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    >>> figure, axes = viz.visualize_image_attr(attr, image, "blended_heat_map", "all", use_pyplot=False)
    >>> axes.get_images()[1].get_array().shape
    (8, 8)
    """
    way = scale.member(ImageVisualizationMethod, method, "method")
    signed = scale.member(VisualizeSign, sign, "sign")
    if signed is VisualizeSign.all and way.name in ("masked_image", "alpha_scaling"):
        raise ArgumentError(
            f"method {way.name!r} cannot show both signs at once",
            why="it shows strength as brightness, which has no sign",
            fix="use `sign='positive'`, `'negative'` or `'absolute_value'`, or `method='blended_heat_map'`",
        )
    if original_image is None and way is not ImageVisualizationMethod.heat_map:
        raise ArgumentError(
            f"method {way.name!r} needs the image, and original_image is None",
            fix="pass the image as `original_image`, or use `method='heat_map'`",
        )
    image: Any = None if original_image is None else picture(original_image)
    strength: Any = None
    if way is not ImageVisualizationMethod.original_image:
        grid = flat(attr)
        if image is not None and image.shape[:2] != grid.shape:
            raise ArgumentError(
                f"the attributions are {grid.shape[0]} x {grid.shape[1]} and the image is "
                f"{image.shape[0]} x {image.shape[1]}",
                why="each pixel has its own attribution",
                fix=f"for attributions of a layer use `LayerAttribution.interpolate(attr, {image.shape[:2]})`",
            )
        strength = scale.normalized(grid, signed, outlier_perc)
    colours, low, high = scale.colours(signed, cmap)

    if plt_fig_axis is None:
        figure = scale.new_figure(fig_size, use_pyplot)
        axes = figure.add_subplot()
    else:
        figure, axes = scale.given_axes(plt_fig_axis)
        axes = axes[0] if isinstance(axes, (list, tuple, np.ndarray)) else axes
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    heat = None
    if way.name in ("heat_map", "blended_heat_map"):
        if way is ImageVisualizationMethod.blended_heat_map:
            _imshow(axes, image if image.ndim == 2 else image[..., :3].mean(axis=2))
        alpha = None if way is ImageVisualizationMethod.heat_map else scale.opacity(alpha_overlay)
        heat = axes.imshow(strength, cmap=colours, vmin=low, vmax=high, alpha=alpha)
    elif way is ImageVisualizationMethod.original_image:
        _imshow(axes, image)
    elif way is ImageVisualizationMethod.masked_image:
        masked = image if image.ndim == 2 else image[..., :3]
        _imshow(axes, masked * (strength if image.ndim == 2 else strength[..., None]))
    else:
        rgb = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3]
        _imshow(axes, np.concatenate([rgb, strength[..., None] * 255], axis=2))
    if show_colorbar:
        _colorbar(figure, axes, heat)
    style.finish(axes, title or None)
    scale.show(use_pyplot)
    return figure, axes


def visualize_image_attr_multiple(
    attr: Any,
    original_image: Any,
    methods: list[str],
    signs: list[str],
    titles: list[str] | None = None,
    fig_size: tuple[float, float] = (8, 6),
    use_pyplot: bool = True,
    **kwargs: Any,
) -> tuple[Any, Any]:
    """Draw the attribution of an image in several ways, side by side.

    Arguments:
        attr, original_image: as `visualize_image_attr` takes them.
        methods, signs: `method` and `sign` of each picture.
        titles: a title for each.
        fig_size, use_pyplot: as `visualize_image_attr` takes them.
        kwargs: further arguments of `visualize_image_attr`, the same for all.
    Returns: figure and a list of its axes (the axes themselves if there is one picture).

    >>> import flambeau as torch
    >>> from flambeau.attr import visualization as viz
    >>> attr, image = torch.randn(3, 8, 8), torch.rand(3, 8, 8)
    >>> _, axes = viz.visualize_image_attr_multiple(
    ...     attr, image, ["original_image", "heat_map"], ["all", "positive"], use_pyplot=False)
    >>> len(axes)
    2
    """
    if not len(methods):
        raise ArgumentError("methods is empty: there is no picture to draw", fix="pass for instance `['heat_map']`")
    if len(methods) != len(signs):
        raise ArgumentError(
            f"there are {len(methods)} methods and {len(signs)} signs",
            why="each picture has a method and a sign",
            fix="make both lists equally long",
        )
    if titles is not None and len(titles) != len(methods):
        raise ArgumentError(
            f"there are {len(titles)} titles for {len(methods)} pictures",
            fix="pass a title for each picture, or leave `titles` out",
        )
    figure = scale.new_figure(fig_size, use_pyplot)
    axes = list(figure.subplots(1, len(methods), squeeze=False)[0])
    for i, (method, sign) in enumerate(zip(methods, signs)):
        visualize_image_attr(
            attr, original_image, method, sign, (figure, axes[i]),
            title=titles[i] if titles else None, use_pyplot=False, **kwargs,
        )  # fmt: skip
    scale.show(use_pyplot)
    return figure, axes if len(axes) > 1 else axes[0]


def _imshow(axes, pixels) -> None:
    """Pixels from 0 to 255, grey if they have no channels; the scale does not depend on what is in the picture."""
    axes.imshow(np.clip(np.round(pixels), 0, 255).astype(np.uint8), cmap="gray", vmin=0, vmax=255)


def _colorbar(figure, axes, heat) -> None:
    """A bar below the picture; an invisible one where there are no colours, so that pictures in a row are aligned."""
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415 - an extra

    bar = figure.colorbar(heat or ScalarMappable(), ax=axes, location="bottom", fraction=0.05, pad=0.02)
    bar.ax.set_visible(heat is not None)


def channels_last(array: np.ndarray, is_tensor: bool, what: str) -> np.ndarray:
    """An image as (H, W) or (H, W, C), from whichever layout it can only be in."""
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 2:
        return array
    if array.ndim == 4:
        raise ArgumentError(
            f"{what} is a batch of {array.shape[0]} images: its shape is {array.shape}",
            why="one picture shows one image",
            fix=f"choose one: `{what}[0]`",
        )
    if array.ndim != 3:
        raise ArgumentError(
            f"{what} has {array.ndim} dimensions: its shape is {array.shape}",
            why="an image has height, width and channels",
            fix="pass (H, W), an array (H, W, C), or a tensor (C, H, W)",
        )
    first, last = (size in (1, 3, 4) for size in (array.shape[0], array.shape[2]))
    if first and (is_tensor or not last):
        return array.transpose(1, 2, 0)
    if is_tensor and not last:  # feature maps: channels come first in tensors, however many they are
        return array.transpose(1, 2, 0)
    return array


def flat(attr: Any) -> np.ndarray:
    """Attributions of the pixels (H, W): summed over the channels."""
    array = channels_last(scale.checked(attr, "attr"), hasattr(attr, "detach"), "attr")
    return array if array.ndim == 2 else array.sum(axis=2)


def picture(image: Any) -> np.ndarray:
    """An image as (H, W) or (H, W, 3 or 4), with numbers from 0 to 255."""
    array = channels_last(scale.checked(image, "original_image"), hasattr(image, "detach"), "original_image")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim == 3 and array.shape[2] not in (3, 4):
        raise ArgumentError(
            f"original_image has {array.shape[2]} channels: its shape, channels last, is {array.shape}",
            why="a picture has 1, 3 or 4 channels (grey, colours, colours and opacity)",
            fix="choose the channels to show",
        )
    low, high = array.min(), array.max()
    if low >= -1e-3 and high <= 1 + 1e-3:
        return array * 255
    if low >= 0 and high <= 255:
        return array
    tell(
        f"the image has numbers from {low:.3g} to {high:.3g}: they are stretched to the range of a picture. Undo the "
        "normalisation to see its real colours"
    )
    return (array - low) / (high - low) * 255 if high > low else np.full_like(array, 127)
