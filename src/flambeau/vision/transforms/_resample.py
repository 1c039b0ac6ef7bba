"""Arrays resized, warped and blurred: the geometry that image transforms share.

All functions take arrays whose last two dimensions are height and width, and return new arrays of the same dtype;
integers are computed in float32 and rounded.
"""

import math
from functools import lru_cache

import numpy as np

__all__ = ["affine_coordinates", "convolve", "gaussian_kernel", "resize", "sample", "warp_affine"]


def to_float(a: np.ndarray) -> np.ndarray:
    """The array in the precision that images are computed in."""
    return a if a.dtype.kind == "f" and a.itemsize >= 4 else a.astype(np.float32)


def from_float(a: np.ndarray, dtype) -> np.ndarray:
    """Back to an image's dtype: integers are rounded and kept in range."""
    if dtype.kind == "f":
        return a.astype(dtype, copy=False)
    if dtype.kind == "b":
        return a >= 0.5
    info = np.iinfo(dtype)
    return np.clip(np.rint(a), info.min, info.max).astype(dtype)


def _triangle(x):
    return np.maximum(1.0 - np.abs(x), 0.0)


def _cubic(x, a):
    """Keys' cubic convolution kernel."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@lru_cache(64)
def weights(size: int, out: int, mode: str, antialias: bool) -> np.ndarray:
    """The matrix (out x size) that resizes one dimension by linear or cubic interpolation."""
    scale = size / out
    half = 1.0 if mode == "bilinear" else 2.0
    stretch = max(scale, 1.0) if antialias else 1.0
    places = np.arange(out, dtype=np.float64)
    pixels = np.arange(size, dtype=np.float64)
    if antialias:  # as Pillow: the kernel widens with the reduction, and is cut at the border
        centre = (places[:, None] + 0.5) * scale
        low = np.maximum((centre - half * stretch + 0.5).astype(np.int64), 0)
        high = np.minimum((centre + half * stretch + 0.5).astype(np.int64), size)
        x = (pixels + 0.5 - centre) / stretch
        matrix = _triangle(x) if mode == "bilinear" else _cubic(x, -0.5)
        matrix = np.where((pixels >= low) & (pixels < high), matrix, 0.0)
        matrix /= matrix.sum(axis=1, keepdims=True)
    else:
        centre = (places + 0.5) * scale - 0.5
        if mode == "bilinear":
            centre = np.maximum(centre, 0.0)
        first = np.floor(centre).astype(np.int64)
        matrix = np.zeros((out, size))
        for k in range(1 - int(half), int(half) + 1):
            x = centre - (first + k)
            w = _triangle(x) if mode == "bilinear" else _cubic(x, -0.75)
            np.add.at(matrix, (np.arange(out), np.clip(first + k, 0, size - 1)), w)
    matrix = matrix.astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def resize(a: np.ndarray, height: int, width: int, mode: str, antialias: bool = True) -> np.ndarray:
    """Resize by mode "nearest", "nearest-exact", "bilinear" or "bicubic"."""
    h, w = a.shape[-2:]
    if (h, w) == (height, width):
        return a.copy()
    if mode.startswith("nearest"):
        shift = np.float32(0.5 if mode == "nearest-exact" else 0.0)
        rows, columns = (
            np.minimum(((np.arange(out, dtype=np.float32) + shift) * np.float32(size / out)).astype(np.int64), size - 1)
            for size, out in ((h, height), (w, width))
        )
        return np.ascontiguousarray(a[..., rows[:, None], columns])
    x = to_float(a)
    if w != width:
        x = x @ weights(w, width, mode, antialias).T.astype(x.dtype, copy=False)
    if h != height:
        x = weights(h, height, mode, antialias).astype(x.dtype, copy=False) @ x
    return from_float(x, a.dtype)


def affine_coordinates(matrix, width: int, height: int, out_width: int, out_height: int):
    """Where each output pixel of an affine map lies in the input, in pixels.

    `matrix` (six numbers) takes output coordinates, measured from the centre of the image, to input coordinates.
    """
    theta = np.asarray(matrix, np.float32).reshape(2, 3)
    x = np.arange(out_width, dtype=np.float32) + np.float32(0.5 - out_width * 0.5)
    y = np.arange(out_height, dtype=np.float32) + np.float32(0.5 - out_height * 0.5)
    base = np.ones((out_height, out_width, 3), np.float32)
    base[..., 0], base[..., 1] = x, y[:, None]
    grid = base.reshape(-1, 3) @ (theta.T / np.array([0.5 * width, 0.5 * height], np.float32))
    grid = grid.reshape(out_height, out_width, 2)
    return unnormalise(grid[..., 0], width), unnormalise(grid[..., 1], height)


def unnormalise(grid: np.ndarray, size: int) -> np.ndarray:
    """From -1 ... 1 across the image to pixel numbers."""
    return ((grid + 1) * size - 1) / 2


def sample(a: np.ndarray, x: np.ndarray, y: np.ndarray, mode: str, fill=None) -> np.ndarray:
    """The image read at the given places (in pixels); `fill` (a number or one per channel) outside it."""
    h, w = a.shape[-2:]
    values = to_float(a)
    flat = values.reshape(*values.shape[:-2], h * w)
    if mode == "nearest":
        column, row = np.rint(x), np.rint(y)
        inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
        index = np.where(inside, row * w + column, 0).astype(np.int64)
        out, share = np.where(inside, flat[..., index], 0).astype(values.dtype, copy=False), inside
    else:
        left, top = np.floor(x), np.floor(y)
        out, share = np.zeros((*values.shape[:-2], *x.shape), values.dtype), np.zeros(x.shape, np.float32)
        for dx in (0, 1):
            for dy in (0, 1):
                column, row = left + dx, top + dy
                weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
                inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
                weight = np.where(inside, weight, 0).astype(np.float32)
                index = np.where(inside, row * w + column, 0).astype(np.int64)
                out += flat[..., index] * weight
                share += weight
    if fill is not None:
        colour = np.asarray(fill, np.float32).reshape(-1, 1, 1)
        if mode == "nearest":
            out = np.where(share, out, colour)
        else:
            out = out * share + (1 - share) * colour
    return from_float(out.astype(values.dtype, copy=False), a.dtype)


def warp_affine(a, matrix, mode: str, fill, out_size=None) -> np.ndarray:
    """An affine map of the image; `out_size` is (width, height)."""
    h, w = a.shape[-2:]
    out_width, out_height = out_size or (w, h)
    x, y = affine_coordinates(matrix, w, h, out_width, out_height)
    return sample(a, x, y, mode, fill)


def inverse_affine_matrix(centre, angle, translate, scale, shear, inverted: bool = True) -> list[float]:
    """Rotation, shear, scale about a centre, then translation: the map from output to input coordinates.

    With R the rotation, S the shear: M = T C R S scale C^-1, returned inverted (or not).
    """
    rot, sx, sy = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    cx, cy = centre
    tx, ty = translate
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    if inverted:
        m = [d / scale, -b / scale, 0.0, -c / scale, a / scale, 0.0]
        m[2] = m[0] * (-cx - tx) + m[1] * (-cy - ty) + cx
        m[5] = m[3] * (-cx - tx) + m[4] * (-cy - ty) + cy
        return m
    m = [a * scale, b * scale, 0.0, c * scale, d * scale, 0.0]
    m[2] = m[0] * -cx + m[1] * -cy + cx + tx
    m[5] = m[3] * -cx + m[4] * -cy + cy + ty
    return m


def expanded_size(matrix, width: int, height: int) -> tuple[int, int]:
    """(width, height) of the smallest image that holds the whole mapped one."""
    theta = np.asarray(matrix, np.float32).reshape(2, 3)
    corners = np.array([[sx * 0.5 * width, sy * 0.5 * height, 1.0] for sx in (-1, 1) for sy in (-1, 1)], np.float32)
    points = corners @ theta.T + np.array([width * 0.5, height * 0.5], np.float32)
    low, high = points.min(axis=0), points.max(axis=0)
    tolerance = 1e-4  # a corner that misses a pixel's edge by rounding alone must not add a pixel
    high = np.ceil(np.trunc(high / tolerance) * tolerance)
    low = np.floor(np.trunc(low / tolerance) * tolerance)
    size = (high - low).astype(int)
    return int(size[0]), int(size[1])


def perspective_coefficients(startpoints, endpoints) -> list[float]:
    """The eight numbers of the perspective map that takes the end points to the start points."""
    rows = []
    for (sx, sy), (ex, ey) in zip(startpoints, endpoints, strict=True):
        rows.append([ex, ey, 1, 0, 0, 0, -sx * ex, -sx * ey])
        rows.append([0, 0, 0, ex, ey, 1, -sy * ex, -sy * ey])
    target = np.asarray(startpoints, np.float64).reshape(8)
    return np.linalg.lstsq(np.asarray(rows, np.float64), target, rcond=None)[0].astype(np.float32).tolist()


def warp_perspective(a: np.ndarray, coefficients, mode: str, fill) -> np.ndarray:
    """A perspective map of the image."""
    h, w = a.shape[-2:]
    p = np.asarray(coefficients, np.float32)
    x = np.arange(w, dtype=np.float32) + np.float32(0.5)
    y = (np.arange(h, dtype=np.float32) + np.float32(0.5))[:, None]
    below = p[6] * x + p[7] * y + 1
    px = (p[0] * x + p[1] * y + p[2]) / below - 0.5
    py = (p[3] * x + p[4] * y + p[5]) / below - 0.5
    return sample(a, px, py, mode, fill)


def gaussian_kernel(size: int, sigma: float) -> np.ndarray:
    """A normalised Gaussian of `size` points."""
    half = (size - 1) * 0.5
    pdf = np.exp(-0.5 * (np.linspace(-half, half, size, dtype=np.float32) / np.float32(sigma)) ** 2)
    return pdf / pdf.sum()


def convolve(a: np.ndarray, column: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Separable convolution with reflected borders."""
    x = to_float(a)
    py, px = len(column) // 2, len(row) // 2
    x = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(py, py), (px, px)], mode="reflect")
    h, w = a.shape[-2:]
    x = sum(x[..., :, k : k + w] * row[k] for k in range(len(row)))
    x = sum(x[..., k : k + h, :] * column[k] for k in range(len(column)))
    return from_float(np.asarray(x), a.dtype)
