"""Many small images in one picture: how batches, filters and feature maps are laid out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..widths import wide
from . import style

# Up to so many images: inches and points of the caption of each (0: none).
SIZES = ((1, 3.0, 11), (9, 1.7, 10), (25, 1.25, 9), (100, 0.95, 8), (400, 0.6, 5.5), (math.inf, 0.35, 0))


def tiles(
    images: list[np.ndarray],
    captions: list[str],
    wrong: Sequence[bool] = (),
    *,
    columns: int | None = None,
    colours: tuple[str, float, float, str] | None = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Images in rows and columns in one axes, each with a caption, as a figure.

    Arguments:
        images: (H, W) or (H, W, C), from 0 to 1; nan is red.
        captions: of the images.
        wrong: which captions are red, with a frame around the image.
        columns: how many. Default: so many that the picture is about square.
        colours: for images (H, W) of other numbers: the colour map, the values at its ends, the label of its bar.
        ax, title: as everywhere.
    """
    style.matplotlib()
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415
    from matplotlib.colors import Normalize  # noqa: PLC0415
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    cmap, low, high, label = colours or ("gray", 0.0, 1.0, "")
    rows, columns = style.grid(len(images), columns)
    inches, size = next((i, s) for most, i, s in SIZES if len(images) <= most)
    captions = (
        [_with_remark(caption, image) for caption, image in zip(captions, images)] if size else [""] * len(images)
    )
    captions = [_fitted(caption, int(inches * 72 / (0.6 * size))) if caption else "" for caption in captions]
    lines = max(caption.count("\n") + 1 if caption else 0 for caption in captions)
    tall = max(image.shape[0] / max(image.shape[:2]) for image in images)
    wide = max(image.shape[1] / max(image.shape[:2]) for image in images)
    room = lines * size * 1.3 / 72 / inches + 0.06
    axes = style.axes_of(
        ax,
        max(columns * (wide + 0.08) * inches + 0.2, 3) + 1.1 * bool(label),
        rows * (tall + room) * inches + 0.5 * bool(title) + 0.1,
    )
    axes.set_axis_off()
    for k, image in enumerate(images):
        height, width = (side / max(image.shape[:2]) for side in image.shape[:2])
        left = k % columns * (wide + 0.08) + (wide - width) / 2
        top = k // columns * (tall + room) + room + (tall - height) / 2
        bad = bool(wrong and wrong[k])
        extent = (left, left + width, top + height, top)
        sharp = "nearest" if max(image.shape) < 64 else "auto"
        shown = _red_where_nan(image, cmap, low, high)
        axes.imshow(shown, cmap=cmap, vmin=low, vmax=high, extent=extent, interpolation=sharp)
        edge, thick = (style.WRONG, 2.0) if bad else ("#aaaaaa", 0.4)
        axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=edge, linewidth=thick))
        colour = {"color": style.WRONG} if bad else {}
        axes.text(left + width / 2, top - 0.02, captions[k], ha="center", va="bottom", fontsize=size or 1, **colour)
    axes.set(xlim=(-0.04, columns * (wide + 0.08) - 0.04), ylim=(rows * (tall + room), 0), aspect="equal")
    if label:
        made = ScalarMappable(Normalize(low, high), cmap)
        axes.get_figure().colorbar(made, ax=axes, label=label, aspect=30, fraction=0.04, shrink=0.9)
    return style.finish(axes, title)


def _with_remark(caption: str, image: np.ndarray) -> str:
    bad = int(np.isnan(image.reshape(*image.shape[:2], -1)).any(2).sum())
    return f"{caption} ({bad:,} not finite)".strip() if bad else caption


def _fitted(caption: str, room: int) -> str:
    """A caption in at most two lines of so many letters; Chinese ones take the room of two."""
    lines = [caption] if wide(caption) <= room else caption.replace(", not ", "\nnot ").split("\n")
    return "\n".join(style.shorten(line, max(4, room)) for line in lines)


def _red_where_nan(image: np.ndarray, cmap: str, low: float, high: float) -> np.ndarray:
    bad = np.isnan(image) if image.ndim == 2 else np.isnan(image).any(2)
    if not bad.any():
        return image
    if image.ndim == 2:
        image = style.matplotlib().colormaps[cmap](np.clip((image - low) / ((high - low) or 1.0), 0, 1))
    image = image[..., :3].copy()
    image[bad] = (0.73, 0, 0)
    return image
