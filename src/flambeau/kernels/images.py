"""Batches of images from bytes in one pass: gathered by number, looked up in a table of values, channels first."""

from __future__ import annotations

import numpy as np

from . import fused
from .build import kernel

BYTES = 256
_LINE = 64  # bytes of a line of the cache
_AHEAD = 4096  # bytes of the next image to fetch; the processor then sees by itself how it goes on
_KINDS = {np.dtype("float32"): "f4", np.dtype("float64"): "f8"}
_CHANNELS = (1, 3)


@kernel("x:u1=count*area*channels index:i8=rows table:T=channels*values y:T!=rows*channels*area count area channels "
        "values rows", work="rows", cost="channels*area*2",
        fits=lambda channels, values, several: [channels == several, values == BYTES])  # fmt: skip
def look_up(k, begin, end, x, index, table, y, count, area, channels, values, rows, several=1):
    """y[i, c, p] = table[c, x[index[i], p, c]]; negative numbers count from the end. several: `channels`.

    Rows of bad numbers stay: callers check.
    """
    from .tile import prefetch  # needs llvmlite

    def number(row):
        at = index[row]
        at = k.select(at < 0, at + count, at)
        return at, (at >= 0) & (at < count)

    for row in k.range(begin, end):
        # Chosen images lie anywhere in memory, so that nobody but us knows which one follows.
        following, good = number(k.minimum(row + 1, end - 1))
        for _ in k.when(good):
            image = x.at(following * area * several)
            for place in k.range(0, k.minimum(area * several, _AHEAD), _LINE):
                prefetch(k, image.at(place))
        at, good = number(row)
        for _ in k.when(good):
            image, out = x.at(at * area * several), y.at(row * several * area)
            # A gather of a vector of table entries is slower than loads one by one.
            for p in k.range(area, vectorize=False):
                for c in range(several):
                    byte = image[p * several + c].cast("i8")
                    out[p if c == 0 else area * c + p] = table[byte + BYTES * c if c else byte]


def images(pixels: np.ndarray, index: np.ndarray, table: np.ndarray) -> np.ndarray | None:
    """table[c, pixels[index[i], ..., c]] as an array (i, c, ...); None where NumPy is to do it.

    Arguments:
        pixels: bytes, N x H x W or N x H x W x C.
        index: int64 numbers in -N ... N - 1.
        table: C x 256 values.
    """
    kind, channels, rows = _KINDS.get(table.dtype), len(table), len(index)
    count, height, width = pixels.shape[:3]
    if kind is None or channels not in _CHANNELS or rows * height * width * channels < fused.SMALL:
        return None
    f = look_up.get(kind, several=channels)
    out = np.empty((rows, channels, height, width), table.dtype)
    return out if f and f(pixels, index, table, out, count, height * width, channels, BYTES, rows) else None
