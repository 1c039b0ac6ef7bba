"""Colours of arrays: the point operations that image transforms share.

Images are (..., C, H, W) with 1 or 3 channels; floating point ones lie in 0 ... 1, integers in 0 ... their maximum.
"""

import numpy as np

from ...errors import DtypeError

__all__ = [
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "autocontrast",
    "blend",
    "convert_dtype",
    "equalize",
    "grey",
    "invert",
    "posterize",
    "solarize",
]


def bound(dtype) -> float:
    """The value of full brightness."""
    if dtype.kind == "f":
        return 1.0
    return 1 if dtype.kind == "b" else np.iinfo(dtype).max


def _float(a: np.ndarray) -> np.ndarray:
    return a if a.dtype.kind == "f" else a.astype(np.float32)


def blend(first: np.ndarray, second, ratio: float) -> np.ndarray:
    """ratio * first + (1 - ratio) * second, kept in range."""
    mixed = ratio * _float(first) + (1.0 - ratio) * second
    return np.clip(mixed, 0, bound(first.dtype)).astype(first.dtype)


def convert_dtype(a: np.ndarray, dtype) -> np.ndarray:
    """To another dtype with its range: 255 of uint8 becomes 1.0 of float32."""
    old, new = a.dtype, np.dtype(dtype)
    if old == new:
        return a
    if old.kind == "f":
        if new.kind == "f":
            return a.astype(new)
        if (old == np.float32 and new in (np.int32, np.int64)) or (old == np.float64 and new == np.int64):
            raise DtypeError(
                f"The cast from torch.{old} to torch.{new} cannot be performed safely.",
                why="the largest integers of that type are no float exactly",
                fix="use a smaller integer type, such as `torch.uint8`",
            )
        # The small number keeps 1.0 from becoming one too much, and gives every level an equal share.
        return (a * old.type(bound(new) + 1.0 - 1e-3)).astype(new)
    if new.kind == "f":
        return a.astype(new) / new.type(bound(old))
    high, low = int(bound(old)), int(bound(new))
    if high > low:
        return (a // ((high + 1) // (low + 1))).astype(new)
    return a.astype(new) * new.type((low + 1) // (high + 1))


def grey(a: np.ndarray) -> np.ndarray:
    """Luminance, one channel, of the same dtype."""
    if a.shape[-3] == 1:
        return a
    red, green, blue = (_float(a[..., k, :, :]) for k in range(3))
    light = 0.2989 * red + 0.587 * green + 0.114 * blue
    return light.astype(a.dtype)[..., None, :, :]


def adjust_contrast(a: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the mean of the luminance."""
    mean = _float(grey(a)).mean(axis=(-3, -2, -1), keepdims=True)
    return blend(a, mean, factor)


def adjust_saturation(a: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the grey image."""
    return a.copy() if a.shape[-3] == 1 else blend(a, _float(grey(a)), factor)


def adjust_hue(a: np.ndarray, factor: float) -> np.ndarray:
    """Turn the colour circle by `factor` (-0.5 ... 0.5, a whole turn is 1)."""
    if a.shape[-3] == 1:
        return a.copy()
    x = convert_dtype(a, np.float32) if a.dtype.kind != "f" else a
    hue, saturation, value = _to_hsv(x)
    return convert_dtype(_from_hsv((hue + np.float32(factor)) % 1.0, saturation, value), a.dtype)


def _to_hsv(x: np.ndarray):
    red, green, blue = x[..., 0, :, :], x[..., 1, :, :], x[..., 2, :, :]
    high, low = x.max(axis=-3), x.min(axis=-3)
    flat = high == low
    range_ = high - low
    saturation = range_ / np.where(flat, 1, high)
    divisor = np.where(flat, 1, range_)
    rc, gc, bc = (high - red) / divisor, (high - green) / divisor, (high - blue) / divisor
    hue = np.where(high == red, bc - gc, np.where(high == green, 2.0 + rc - bc, 4.0 + gc - rc))
    return np.fmod(hue / 6.0 + 1.0, 1.0), saturation, high


def _from_hsv(hue, saturation, value) -> np.ndarray:
    sector = np.floor(hue * 6.0)
    fraction = hue * 6.0 - sector
    sector = sector.astype(np.int64) % 6
    p = np.clip(value * (1.0 - saturation), 0.0, 1.0)
    q = np.clip(value * (1.0 - saturation * fraction), 0.0, 1.0)
    t = np.clip(value * (1.0 - saturation * (1.0 - fraction)), 0.0, 1.0)
    red = np.choose(sector, [value, q, p, p, t, value])
    green = np.choose(sector, [t, value, value, q, p, p])
    blue = np.choose(sector, [p, p, t, value, value, q])
    return np.stack([red, green, blue], axis=-3).astype(value.dtype)


def adjust_gamma(a: np.ndarray, gamma: float, gain: float = 1.0) -> np.ndarray:
    """gain * a ** gamma, in the range 0 ... 1."""
    x = a if a.dtype.kind == "f" else convert_dtype(a, np.float32)
    return convert_dtype(np.clip(gain * x**gamma, 0, 1).astype(x.dtype), a.dtype)


def invert(a: np.ndarray) -> np.ndarray:
    """Full brightness minus the image."""
    return ~a if a.dtype.kind == "b" else (a.dtype.type(bound(a.dtype)) - a)


def posterize(a: np.ndarray, bits: int) -> np.ndarray:
    """Keep the highest `bits` of 8 bits."""
    if a.dtype.kind == "f":
        levels = np.float32(1 << bits)
        return np.clip(np.floor(a * levels), 0, levels - 1).astype(a.dtype) / levels
    return a & np.uint8(256 - (1 << (8 - bits)))


def solarize(a: np.ndarray, threshold: float) -> np.ndarray:
    """Invert what is at least as bright as the threshold."""
    return np.where(a >= threshold, invert(a), a)


def adjust_sharpness(a: np.ndarray, factor: float) -> np.ndarray:
    """Blend with the image smoothed by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13; the border stays."""
    h, w = a.shape[-2:]
    if h <= 2 or w <= 2:
        return a.copy()
    x = _float(a)
    smooth = 4 * x[..., 1:-1, 1:-1]
    for dy in range(3):
        for dx in range(3):
            smooth = smooth + x[..., dy : dy + h - 2, dx : dx + w - 2]
    smooth /= 13
    blurred = x.copy()
    blurred[..., 1:-1, 1:-1] = smooth if a.dtype.kind == "f" else np.rint(smooth)
    return blend(a, blurred, factor)


def autocontrast(a: np.ndarray) -> np.ndarray:
    """Stretch each channel to the full range."""
    top = bound(a.dtype)
    x = _float(a)
    low, high = x.min(axis=(-2, -1), keepdims=True), x.max(axis=(-2, -1), keepdims=True)
    flat = low == high
    scale = top / np.where(flat, 1, high - low)
    return np.clip((x - np.where(flat, 0, low)) * np.where(flat, 1, scale), 0, top).astype(a.dtype)


def equalize(a: np.ndarray) -> np.ndarray:
    """Flatten the histogram of each channel (8 bits)."""
    x = a if a.dtype == np.uint8 else convert_dtype(a, np.uint8)
    out = np.empty_like(x)
    planes, results = x.reshape(-1, x.shape[-2] * x.shape[-1]), out.reshape(-1, x.shape[-2] * x.shape[-1])
    for plane, result in zip(planes, results, strict=True):
        histogram = np.bincount(plane, minlength=256)
        filled = histogram[histogram != 0]
        step = filled[:-1].sum() // 255
        if step == 0:
            result[:] = plane
            continue
        table = np.empty(256, np.int64)
        table[0] = 0
        table[1:] = (np.cumsum(histogram)[:-1] + step // 2) // step
        result[:] = np.clip(table, 0, 255).astype(np.uint8)[plane]
    return out if a.dtype == np.uint8 else convert_dtype(out, a.dtype)
