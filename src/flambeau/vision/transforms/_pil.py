"""The same operations on PIL images, by Pillow."""

import numbers

import numpy as np

from ...errors import ArgumentError
from .._pillow import pillow

__all__: list[str] = []


def dimensions(image) -> list[int]:
    """Channels, height, width."""
    return [len(image.getbands()), image.height, image.width]


def fill_colour(image, fill):
    """The fill as Pillow wants it: one number, or one per band."""
    bands = len(image.getbands())
    if fill is None:
        fill = 0
    if isinstance(fill, (int, float)) and bands > 1:
        fill = (fill,) * bands
    if isinstance(fill, (list, tuple)):
        if len(fill) == 1 and bands > 1:
            fill = tuple(fill) * bands
        if len(fill) != bands:
            raise ArgumentError(
                "The number of elements in 'fill' does not match the number of channels of the image "
                f"({len(fill)} != {bands})",
                why="each channel is filled with its own number",
                fix=f"use one number, or {bands}",
            )
        fill = tuple(fill) if bands > 1 else fill[0]
    if image.mode != "F":
        fill = tuple(int(f) for f in fill) if isinstance(fill, tuple) else int(fill)
    return fill


def pad(image, padding, fill, mode):
    """Borders (left, top, right, bottom) added; negative ones cut."""
    left, top, right, bottom = padding
    if mode == "constant":
        if image.mode == "P":
            palette = image.getpalette()
            image = pillow().ImageOps.expand(image, border=(left, top, right, bottom), fill=int(fill or 0))
            image.putpalette(palette)
            return image
        return pillow().ImageOps.expand(image, border=(left, top, right, bottom), fill=fill_colour(image, fill))
    cut = [max(-p, 0) for p in padding]
    if any(cut):
        image = image.crop((cut[0], cut[1], image.width - cut[2], image.height - cut[3]))
        left, top, right, bottom = (max(p, 0) for p in padding)
    a = np.asarray(image)
    widths = ((top, bottom), (left, right)) + (((0, 0),) if a.ndim == 3 else ())
    padded = pillow().Image.fromarray(np.pad(a, widths, mode=mode))
    if image.mode == "P":
        padded = pillow().Image.fromarray(np.pad(a, widths, mode=mode), mode="P")
        padded.putpalette(image.getpalette())
    return padded


def grey(image, channels: int):
    """Luminance in one or three bands."""
    image = image.convert("L")
    if channels == 3:
        a = np.array(image, dtype=np.uint8)
        return pillow().Image.fromarray(np.dstack([a, a, a]), "RGB")
    return image


def hue(image, factor: float):
    """The colour circle turned by `factor`."""
    if image.mode in {"L", "1", "I", "F"}:
        return image
    h, s, v = image.convert("HSV").split()
    turned = np.array(h, dtype=np.uint8) + np.int32(factor * 255).astype(np.uint8)
    h = pillow().Image.fromarray(turned, "L")
    return pillow().Image.merge("HSV", (h, s, v)).convert(image.mode)


def gamma(image, exponent: float, gain: float):
    """gain * image ** exponent."""
    mode = image.mode
    table = [int((255 + 1 - 1e-3) * gain * pow(k / 255.0, exponent)) for k in range(256)] * 3
    return image.convert("RGB").point(table).convert(mode)


def posterize(image, bits: int):
    """Fewer bits per band."""
    return pillow().ImageOps.posterize(image, bits)


def is_number(value) -> bool:
    """Whether a fill or a size is one number."""
    return isinstance(value, numbers.Number)
