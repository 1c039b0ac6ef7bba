"""The gradient of a convolution's weights where each group has few outputs: positions lie side by side in vectors."""

from __future__ import annotations

from .build import kernel
from .window import copy_window, numbers, write_offsets


@kernel(
    "g:T x:T partial:T! room:T! offsets:i8! plan:i8 shares strips weight", work="strips", cost="weight", written=True
)
def correlate_few(k, begin, end, g, x, partial, room, offsets, plan, shares, strips, weight, rows=8):
    """partial[share, group, output, weight] = the sum of g * window over a share of the images.

    Each strip takes some tasks, one group of one share. room, offsets: for each strip, the copy of a window and where
    its rows begin.
    """
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    p = numbers(k, plan)
    taps = p.kd * p.kr * p.ks
    area, places = p.d * p.h * p.w, p.od * p.oh * p.ow
    items, tasks = p.n * p.od * p.bands, shares * p.groups
    for strip in k.loop(begin, end):
        copy, where = room.at(strip * p.space), offsets.at(strip * p.block * taps)
        write_offsets(k, p, where)
        for task in k.loop(tasks * strip // strips, tasks * (strip + 1) // strips):
            share, group = task % shares, task // shares
            first = items * share // shares
            for item in k.loop(first, items * (share + 1) // shares):
                band, rest = item % p.bands, item // p.bands
                z, image = rest % p.od, rest // p.od * p.groups + group
                y = band * p.band
                lines = k.minimum(p.band, p.oh - y)
                columns = lines * p.ow
                for c in k.loop(0, p.cg, p.block):
                    channels = k.minimum(p.block, p.cg - c)
                    copy_window(k, p, x.at((image * p.cg + c) * area), copy, channels, z, y, lines)
                    for o in k.loop(p.og):
                        gradients = g.at((image * p.og + o) * places + (z * p.oh + y) * p.ow)
                        result = partial.at(((share * p.groups + group) * p.og + o) * p.cg * taps + c * taps)
                        last = channels * taps - 1
                        for tile in k.loop(0, channels * taps, rows):
                            lines_of_x = [copy.at(where[k.minimum(tile + r, last)]) for r in range(rows)]
                            sums = [lanes.cell() for _ in range(rows)]
                            for q in k.loop(0, columns, lanes.count):
                                inside = lanes.first(columns - q)
                                factor = lanes.load(gradients.at(q), inside)
                                for cell, line in zip(sums, lines_of_x, strict=True):
                                    cell.set(cell.get() + factor * lanes.load(line.at(q), inside))
                            for r, cell in enumerate(sums):
                                for _ in k.when(tile + r <= last):
                                    old = k.select(item > first, result[tile + r], 0.0)
                                    result[tile + r] = old + lanes.total(cell.get())
