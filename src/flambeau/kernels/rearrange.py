"""Kernels that move elements: rows gathered and scattered by index, transposed copies."""

from __future__ import annotations

from .build import kernel


@kernel("x:T=count*width index:i8=rows y:T!=rows*width count width rows", work="rows", cost="width")
def gather_rows(k, begin, end, x, index, y, count, width, rows):
    """y[i] = x[index[i]]. Rows with an index outside [0, count) stay as they are: callers check."""
    for i in k.range(begin, end):
        at = index[i]
        for _ in k.when((at >= 0) & (at < count)):
            k.copy(y.at(i * width), x.at(at * width), width)


@kernel("g:T=rows*width index:i8=rows y:T!=count*width count width rows blocks", work="blocks", cost="rows*16")
def scatter_add_rows(k, begin, end, g, index, y, count, width, rows, blocks):
    """y[index[i]] += g[i], in order of i. A thread owns some columns, so the result is always the same."""
    for block in k.range(begin, end):
        first, last = width * block // blocks, width * (block + 1) // blocks
        for i in k.range(rows):
            at = index[i]
            for _ in k.when((at >= 0) & (at < count)):
                to, row = y.at(at * width), g.at(i * width)
                for j in k.range(first, last):
                    to[j] = to[j] + row[j]


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
