"""Pictures of tensors: grids, files, boxes and masks drawn on images."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

import flambeau as fb

from ..errors import ArgumentError, ArgumentTypeError
from ._pillow import pillow

__all__ = ["draw_bounding_boxes", "draw_keypoints", "draw_segmentation_masks", "make_grid", "save_image"]


def make_grid(
    tensor,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
):
    """Many images as one.

    Arguments:
        tensor: (N, C, H, W), one image, or a list of images of one size.
        nrow: images per row.
        normalize: stretch to 0 ... 1, from `value_range` or from the extremes of all (or, `scale_each`, of each).

    Errors: TypeError for anything but tensors.

    Example:
        >>> make_grid(fb.zeros(4, 3, 8, 8), nrow=2).shape
        torch.Size([3, 22, 22])
    """
    if not isinstance(tensor, fb.Tensor):
        if not isinstance(tensor, list):
            raise ArgumentTypeError(
                f"tensor or list of tensors expected, got {type(tensor)}",
                why="images are put side by side",
                fix="use `torch.as_tensor(array)`, or `list(images)`",
            )
        for t in tensor:
            if not isinstance(t, fb.Tensor):
                raise ArgumentTypeError(
                    f"tensor or list of tensors expected, got a list containing {type(t)}",
                    why="images are put side by side",
                    fix="use `to_tensor(image)` for each PIL image",
                )
        tensor = fb.stack(tensor, dim=0)
    a = tensor.detach().numpy()
    if a.ndim == 2:
        a = a[None]
    if a.ndim == 3:
        a = np.concatenate([a] * 3) if len(a) == 1 else a
        a = a[None]
    if a.ndim == 4 and a.shape[1] == 1:
        a = np.concatenate([a] * 3, axis=1)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise ArgumentTypeError(
                "value_range has to be a tuple (min, max) if specified. min and max are numbers",
                why="the range is moved to 0 to 1",
                fix="use `value_range=(-1, 1)`",
            )
        a = a.astype(np.float32) if a.dtype.kind != "f" else a.copy()
        for part in a if scale_each else [a]:
            low, high = value_range if value_range is not None else (float(part.min()), float(part.max()))
            np.clip(part, low, high, out=part)
            part -= low
            part /= max(high - low, 1e-5)
    if len(a) == 1:
        return fb.from_numpy(np.ascontiguousarray(a[0]))
    count, channels, h, w = a.shape
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = h + padding, w + padding
    grid = np.full((channels, height * rows + padding, width * columns + padding), pad_value, a.dtype)
    for k in range(count):
        top, left = k // columns * height + padding, k % columns * width + padding
        grid[:, top : top + h, left : left + w] = a[k]
    return fb.from_numpy(grid)


def save_image(tensor, fp: str | Path | BinaryIO, format: str | None = None, **kwargs) -> None:
    """Save an image, or a grid of images (`kwargs` as for `make_grid`), with values 0 ... 1, to a file."""
    grid = make_grid(tensor, **kwargs).numpy()
    pixels = np.clip(grid * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    pillow().Image.fromarray(np.ascontiguousarray(pixels)).save(fp, format=format)


def _colours(colors, count: int) -> list[tuple[int, ...]]:
    """One RGB colour for each object."""
    if colors is None:
        palette = np.array([2**25 - 1, 2**15 - 1, 2**21 - 1])
        return [tuple(int(v) for v in (k * palette) % 255) for k in range(count)]
    if isinstance(colors, list):
        if len(colors) < count:
            raise ArgumentError(
                f"Number of colors must be equal or larger than the number of objects, but got {len(colors)} < "
                f"{count}.",
                why="each object has its own colour",
                fix=f"give {count} colours, or None to have them chosen",
            )
    else:
        colors = [colors] * count
    return [pillow().ImageColor.getrgb(c) if isinstance(c, str) else tuple(c) for c in colors]


def _canvas(image):
    """An RGB picture of an image tensor, to draw on."""
    if not isinstance(image, fb.Tensor):
        raise ArgumentTypeError(
            f"Tensor expected, got {type(image)}",
            why="what is drawn becomes part of a tensor",
            fix="use `pil_to_tensor(image)`",
        )
    if not (image.dtype == fb.uint8 or image.is_floating_point()):
        raise ArgumentError(
            f"The image dtype must be uint8 or float, got {image.dtype}",
            why="pixels are bytes, or numbers from 0 to 1",
            fix="use `image.to(torch.uint8)`",
        )
    if image.ndim != 3:
        raise ArgumentError(
            "Pass individual images, not batches",
            why=f"an image is (channels, height, width), and this has shape {tuple(image.shape)}",
            fix="use `image[0]`, or a loop over the batch",
        )
    if image.shape[0] not in (1, 3):
        raise ArgumentError(
            "Only grayscale and RGB images are supported",
            why=f"the image has {image.shape[0]} channels",
            fix="use `image[:3]`",
        )
    a = image.detach().numpy()
    if a.dtype != np.uint8:
        a = (a * 255).astype(np.uint8)
    a = np.repeat(a, 3, axis=0) if len(a) == 1 else a
    return pillow().Image.fromarray(np.ascontiguousarray(a.transpose(1, 2, 0)))


def _result(picture, image):
    a = np.ascontiguousarray(np.array(picture).transpose(2, 0, 1))
    return fb.from_numpy(a if image.dtype == fb.uint8 else (a / np.float32(255)).astype(image.numpy().dtype))


def draw_bounding_boxes(
    image,
    boxes,
    labels: list[str | None] | None = None,
    colors=None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
    label_colors=None,
    label_background_colors=None,
    fill_labels: bool = False,
):
    """Boxes (N, 4: xmin, ymin, xmax, ymax) and labels drawn on an image (C, H, W); returns an RGB image.

    Errors: TypeError or ValueError for images or boxes of other kinds.
    """
    picture = _canvas(image)
    corners = boxes.tolist()
    if any(x1 > x2 or y1 > y2 for x1, y1, x2, y2 in corners):
        raise ArgumentError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format",
            why="a box ends before it begins",
            fix="use `torchvision.ops.box_convert(boxes, 'xywh', 'xyxy')` for boxes given by a corner and their size",
        )
    if not corners:
        return image
    if labels is not None and len(labels) != len(corners):
        raise ArgumentError(
            f"Number of boxes ({len(corners)}) and labels ({len(labels)}) mismatch. Please specify labels for "
            "each box.",
            why="each box has its own label",
            fix="use None as label of boxes without one",
        )
    colours = _colours(colors, len(corners))
    text_colours = _colours(label_colors, len(corners)) if label_colors is not None else colours
    grounds = _colours(label_background_colors, len(corners)) if label_background_colors is not None else colours
    letters = pillow().ImageFont
    face = letters.truetype(font, font_size or 10) if font is not None else letters.load_default()
    draw = pillow().ImageDraw.Draw(picture, "RGBA" if fill else "RGB")
    for k, box in enumerate(corners):
        draw.rectangle(box, width=width, outline=colours[k], fill=(*colours[k], 100) if fill else None)
        if labels is not None and labels[k] is not None:
            place = (box[0] + width + 1, box[1] + width + 1)
            if fill_labels:
                draw.rectangle(draw.textbbox(place, labels[k], font=face), fill=grounds[k])
            draw.text(place, labels[k], fill=text_colours[k] if not fill_labels or label_colors else "black", font=face)
    return _result(picture, image)


def draw_segmentation_masks(image, masks, alpha: float = 0.8, colors=None):
    """Boolean masks (N, H, W) or (H, W) laid over an RGB image (3, H, W) in colours."""
    m = masks.numpy()
    m = m[None] if m.ndim == 2 else m
    if m.dtype != np.bool_:
        raise ArgumentError(
            f"The masks must be of dtype bool. Got {masks.dtype}",
            why="a mask says which pixels belong to an object",
            fix="use `masks.bool()`, or `masks > 0.5`",
        )
    if m.shape[-2:] != tuple(image.shape[-2:]):
        raise ArgumentError(
            "The image and the masks must have the same height and width",
            why=f"the image has shape {tuple(image.shape)}, the masks {tuple(m.shape)}",
            fix="resize the masks to the image's height and width",
        )
    base = np.array(_canvas(image)).astype(np.float32)
    over = base.copy()
    for mask, colour in zip(m, _colours(colors, len(m)), strict=True):
        over[mask] = colour
    return _result(pillow().Image.fromarray((base * (1 - alpha) + over * alpha).astype(np.uint8)), image)


def draw_keypoints(image, keypoints, connectivity=None, colors=None, radius: int = 2, width: int = 3, visibility=None):
    """Points (N, K, 2: x, y) drawn on an image, and lines between the pairs in `connectivity`."""
    picture = _canvas(image)
    draw = pillow().ImageDraw.Draw(picture)
    seen = None if visibility is None else visibility.numpy().reshape(keypoints.shape[:2]).astype(bool)
    for n, points in enumerate(keypoints.tolist()):
        colour = _colours(colors if colors is not None else "white", 1)[0]
        for k, (x, y) in enumerate(points):
            if seen is None or seen[n, k]:
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour, outline=None)
        for a, b in connectivity or ():
            if seen is None or (seen[n, a] and seen[n, b]):
                draw.line((*points[a], *points[b]), width=width, fill=colour)
    return _result(picture, image)
