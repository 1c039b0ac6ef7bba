"""Kernels that move elements: transposed copies."""

from __future__ import annotations

from .build import kernel


@kernel("x:T=batch*rows*cols y:T!=batch*cols*rows batch rows cols bands", work="batch*bands", cost="rows*16")
def transpose(k, begin, end, x, y, batch, rows, cols, bands):
    """y[b, j, i] = x[b, i, j], in tiles of 16 x 16 that stay in the cache; a band is 16 columns of x."""
    for task in k.range(begin, end):
        b, band = task // bands, task % bands
        source, to = x.at(b * rows * cols), y.at(b * rows * cols)
        left = band * 16
        right = k.minimum(left + 16, cols)
        for top in k.range(0, rows, 16):
            bottom = k.minimum(top + 16, rows)
            for j in k.range(left, right):
                for i in k.range(top, bottom):
                    to[j * rows + i] = source[i * cols + j]
