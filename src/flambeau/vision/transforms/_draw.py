"""Random numbers for transforms, drawn from the global generator in torchvision's order."""

import math

import flambeau as fb

__all__ = ["coin", "randint", "resized_crop_box", "uniform"]


def uniform(low: float, high: float) -> float:
    """One number from the interval."""
    return fb.empty(1).uniform_(float(low), float(high)).item()


def coin() -> float:
    """One number from 0 ... 1."""
    return fb.rand(1).item()


def randint(low: int, high: int) -> int:
    """One integer, `high` excluded."""
    return int(fb.randint(low, high, size=(1,)).item())


def area_and_ratio(area: int, scale, ratio) -> tuple[float, float]:
    """A part of an area and a ratio of its sides (uniform in the logarithm)."""
    part = area * uniform(scale[0], scale[1])
    low, high = fb.log(fb.tensor(ratio)).tolist()
    return part, fb.exp(fb.empty(1).uniform_(low, high)).item()


def resized_crop_box(height: int, width: int, scale, ratio) -> tuple[int, int, int, int]:
    """Top, left, height, width of a random part of an image; the middle if ten tries do not fit."""
    for _ in range(10):
        area, aspect = area_and_ratio(height * width, scale, ratio)
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            return randint(0, height - h + 1), randint(0, width - w + 1), h, w
    whole = width / height
    w, h = width, height
    if whole < min(ratio):
        h = round(w / min(ratio))
    elif whole > max(ratio):
        w = round(h * max(ratio))
    return (height - h) // 2, (width - w) // 2, h, w


def erase_box(channels: int, height: int, width: int, scale, ratio, value):
    """Top, left, height, width and values of a random rectangle; None if ten tries do not fit."""
    for _ in range(10):
        area, aspect = area_and_ratio(height * width, scale, ratio)
        h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if not (h < height and w < width):
            continue
        if value is None:
            v = fb.empty([channels, h, w], dtype=fb.float32).normal_()
        else:
            v = fb.tensor(value)[:, None, None]
        return randint(0, height - h + 1), randint(0, width - w + 1), h, w, v
    return None


def perspective_points(width: int, height: int, distortion: float):
    """The corners, and where they go."""
    dx, dy = int(distortion * (width // 2)), int(distortion * (height // 2))
    left, right = (0, dx + 1), (width - dx - 1, width)
    top, bottom = (0, dy + 1), (height - dy - 1, height)
    ends = [
        [randint(*across), randint(*down)]
        for across, down in ((left, top), (right, top), (right, bottom), (left, bottom))
    ]
    return [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], ends


def affine_parameters(degrees, translate, scale, shear, width: int, height: int):
    """Angle, shift in pixels, scale and shear."""
    angle = uniform(degrees[0], degrees[1])
    shift = (0, 0)
    if translate is not None:
        dx, dy = float(translate[0] * width), float(translate[1] * height)
        shift = (round(uniform(-dx, dx)), round(uniform(-dy, dy)))
    factor = 1.0 if scale is None else uniform(scale[0], scale[1])
    shear_x = shear_y = 0.0
    if shear is not None:
        shear_x = uniform(shear[0], shear[1])
        if len(shear) == 4:
            shear_y = uniform(shear[2], shear[3])
    return angle, shift, factor, (shear_x, shear_y)
