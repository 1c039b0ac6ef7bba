"""The gradient of a convolution's weights: gradients of the results times the copied window, summed over positions."""

from __future__ import annotations

from .build import kernel
from .window import copy_window, numbers, write_offsets

POSITIONS = 256  # positions that a tile adds up at a time: that many of a tile's gradients stay in the nearest cache


@kernel("g:T x:T partial:T! room:T! turned:T! offsets:i8! plan:i8 shares cuts strips weight", work="strips",
        cost="weight", written=True)  # fmt: skip
def correlate(k, begin, end, g, x, partial, room, turned, offsets, plan, shares, cuts, strips, weight, rows=8,
              vectors=2):  # fmt: skip
    """partial[share, group, block of outputs, weight, output] = the sum of g * window over a share of the images.

    A task is one share of the bands of images, one group, and one of `cuts` ranges of channels. For each strip: room
    holds the copy of a window, offsets where its rows begin, turned the gradients of a band, outputs side by side.
    """
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    p = numbers(k, plan)
    taps = p.kd * p.kr * p.ks
    width = lanes.count * vectors
    blocks = (p.og + width - 1) // width
    room_of_tile = lanes.room(rows * vectors)
    # Room for whole squares of vectors, which are turned at a time.
    rounded = (p.band * p.ow + lanes.count - 1) // lanes.count * lanes.count
    items, tasks = p.n * p.od * p.bands, shares * cuts * p.groups
    area, places = p.d * p.h * p.w, p.od * p.oh * p.ow
    for strip in k.loop(begin, end):
        copy, where = room.at(strip * p.space), offsets.at(strip * p.block * taps)
        band_of_g = turned.at(strip * blocks * rounded * width)
        write_offsets(k, p, where)
        for task in k.loop(tasks * strip // strips, tasks * (strip + 1) // strips):
            share, rest = task % shares, task // shares
            cut, group = rest % cuts, rest // cuts
            first_item, first_channel = items * share // shares, p.cg * cut // cuts
            for item in k.loop(first_item, items * (share + 1) // shares):
                band, rest = item % p.bands, item // p.bands
                z, image = rest % p.od, rest // p.od * p.groups + group
                y = band * p.band
                lines = k.minimum(p.band, p.oh - y)
                columns = lines * p.ow
                source = g.at(image * p.og * places + (z * p.oh + y) * p.ow)
                for o in k.loop(0, blocks * width, lanes.count):
                    target = band_of_g.at(o // width * rounded * width + o % width)
                    for q in k.loop(0, columns, lanes.count):
                        inside = lanes.first(columns - q)
                        square = []
                        for i in range(lanes.count):
                            real = o + i < p.og
                            at = source.at(k.select(real, o + i, 0) * places + q)
                            square.append(lanes.load(at, lanes.both(inside, lanes.where(real))))
                        for i, row in enumerate(lanes.transpose(square)):
                            lanes.store(row, target.at((q + i) * width))
                for c in k.loop(first_channel, p.cg * (cut + 1) // cuts, p.block):
                    channels = k.minimum(p.block, p.cg * (cut + 1) // cuts - c)
                    copy_window(k, p, x.at((image * p.cg + c) * area), copy, channels, z, y, lines)
                    for q in k.loop(0, columns, POSITIONS):
                        count = k.minimum(POSITIONS, columns - q)
                        again = lanes.where((item > first_item) | (q > 0))
                        for block in k.loop(blocks):
                            gradients = band_of_g.at((block * rounded + q) * width)
                            result = partial.at(
                                (((share * p.groups + group) * blocks + block) * p.cg + c) * taps * width
                            )
                            for tile in k.loop(0, channels * taps, rows):
                                last = channels * taps - 1
                                lines_of_x = [copy.at(where[k.minimum(tile + r, last)] + q) for r in range(rows)]
                                sums = [lanes.cell() for _ in range(rows * vectors)]
                                for i in k.range(count, vectorize=False):
                                    piece = [
                                        lanes.load(gradients.at(i * width + v * lanes.count)) for v in range(vectors)
                                    ]
                                    for r, line in enumerate(lines_of_x):
                                        one = lanes.splat(line[i])
                                        for v in range(vectors):
                                            sums[r * vectors + v].set(sums[r * vectors + v].get() + one * piece[v])
                                for i, cell in enumerate(sums):
                                    lanes.store(cell.get(), room_of_tile.at(i * lanes.count))
                                for r in k.loop(k.minimum(rows, channels * taps - tile)):
                                    for v in range(vectors):
                                        at = result.at((tile + r) * width + v * lanes.count)
                                        new = lanes.load(room_of_tile.at(r * width + v * lanes.count))
                                        lanes.store(new + lanes.load(at, again), at)


@kernel("partial:T=shares*groups*blocks*depth*width out:T!=groups*outs*depth shares groups blocks depth width outs",
        work="groups*outs", cost="shares*depth*4",
        fits=lambda blocks, width, outs: [outs <= blocks * width])  # fmt: skip
def gather_weights(k, begin, end, partial, out, shares, groups, blocks, depth, width, outs):
    """out[group, output, weight] = the sum over the shares."""
    for task in k.loop(begin, end):
        group, o = task // outs, task % outs
        for i in k.loop(depth):
            total = k.cell(0.0)
            for share in k.loop(shares):
                at = (((share * groups + group) * blocks + o // width) * depth + i) * width + o % width
                total.set(total.get() + partial[at])
            out[task * depth + i] = total.get()
