"""The gradient of 3 x 3 weights by transformed tiles: the transpose of `winograd`.

    dg = G' [ sum over tiles (A dy A') * (B' d B) ] G

The sums over tiles are 16 matrix products: transformed inputs, a row for each channel, times transformed gradients with
outputs side by side.
"""

from __future__ import annotations

from .build import kernel
from .window import copy_window, numbers, write_offsets
from .winograd import POINTS, transform_inputs


@kernel(
    "g:T x:T partial:T! room:T! offsets:i8! plan:i8 shares cuts strips weight",
    work="strips",
    cost="weight",
    written=True,
)
def correlate_tiles(k, begin, end, g, x, partial, room, offsets, plan, shares, cuts, strips, weight, rows=8):
    """partial[share, group, point, block of outputs, channel, output] = the sums over the tiles of a share.

    A task is one share of the items (some images, or a band of one), one group, one of `cuts` ranges of channels. For
    each strip, room holds the copy of a window, gradients turned, outputs side by side, and both transformed.
    """
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    p = numbers(k, plan)
    width = 2 * lanes.count
    area, full = p.d * p.h * p.w, p.fh * p.fw
    blocks = (p.og + width - 1) // width
    span = p.panels  # tiles of an item, in whole vectors
    widest = (p.cg + cuts - 1) // cuts
    # From one point to the next, more than there is, lest all of them meet in the same lines of a cache.
    far, far_out = widest * span + lanes.count, (blocks * span + 1) * width
    rounded = (2 * p.band * p.fw + lanes.count - 1) // lanes.count * lanes.count
    tasks = shares * cuts * p.groups
    items = p.items // p.groups
    tile = lanes.room(rows * 2)
    for strip in k.loop(begin, end):
        copy, where = room.at(strip * p.space), offsets.at(strip * p.block * POINTS)
        turned = lanes.aligned(copy.at(p.block * p.kd * p.ks * p.pitch))
        inputs = turned.at(rounded * lanes.count)
        gradients = inputs.at(POINTS * far)
        write_offsets(k, p, where)
        for task in k.loop(tasks * strip // strips, tasks * (strip + 1) // strips):
            share, rest = task % shares, task // shares
            cut, group = rest % cuts, rest // cuts
            low, high = p.cg * cut // cuts, p.cg * (cut + 1) // cuts
            first_item = items * share // shares
            for item in k.loop(first_item, items * (share + 1) // shares):
                band, first = item % p.bands, item // p.bands * p.stack
                images = k.minimum(p.stack, p.n - first)
                y = band * p.band
                lines = k.minimum(p.band, p.oh - y)
                tiles = lines * p.ow
                for i in k.loop(images):
                    image = (first + i) * p.groups + group
                    for c in k.loop(low, high, p.block):
                        channels = k.minimum(p.block, high - c)
                        copy_window(k, p, x.at((image * p.cg + c) * area), copy, channels, k.int(0), y, lines)
                        for j in k.loop(channels):
                            target = inputs.at((c - low + j) * span + i * tiles)
                            for q in k.loop(0, tiles, lanes.count):
                                inside = lanes.first(tiles - q)
                                d = [lanes.load(copy.at(where[j * POINTS + t] + q), inside) for t in range(POINTS)]
                                half = [transform_inputs(*d[s::4]) for s in range(4)]
                                for a in range(4):
                                    for b, value in enumerate(transform_inputs(*(half[s][a] for s in range(4)))):
                                        lanes.store(value, target.at((a * 4 + b) * far + q), inside)
                    for o in k.loop(0, p.og, lanes.count):
                        begins = 2 * y * p.fw
                        source = g.at((image * p.og + o) * full + begins)
                        _turn(k, lanes, source, turned, p.og - o, full, k.minimum(2 * lines * p.fw, full - begins))
                        target = gradients.at((o // width * span + i * tiles) * width + o % width)
                        for row in k.loop(lines):
                            lower = lanes.where(2 * (y + row) + 1 < p.fh)
                            for column in k.loop(p.ow):
                                right = lanes.where(2 * column + 1 < p.fw)
                                at = turned.at((2 * row * p.fw + 2 * column) * lanes.count)
                                below = at.at(p.fw * lanes.count)
                                left = _transform_gradients(lanes, lanes.load(at), lanes.load(below, lower))
                                other = _transform_gradients(
                                    lanes, lanes.load(at.at(lanes.count), right),
                                    lanes.load(below.at(lanes.count), lanes.both(lower, right)))  # fmt: skip
                                to = target.at((row * p.ow + column) * width)
                                for a in range(4):
                                    for b, value in enumerate(_transform_gradients(lanes, left[a], other[a])):
                                        lanes.store(value, to.at((a * 4 + b) * far_out))
                again = lanes.where(item > first_item)
                for point in k.loop(POINTS):
                    for block in k.loop(blocks):
                        right = gradients.at(point * far_out + block * span * width)
                        number = ((share * p.groups + group) * POINTS + point) * blocks + block
                        result = partial.at((number * p.cg + low) * width)
                        for c in k.loop(0, high - low, rows):
                            left = [
                                inputs.at(point * far + k.minimum(c + r, high - low - 1) * span) for r in range(rows)
                            ]
                            sums = [lanes.cell() for _ in range(rows * 2)]
                            for t in k.range(images * tiles, vectorize=False):
                                pieces = [lanes.load(right.at(t * width + v * lanes.count)) for v in range(2)]
                                for r, line in enumerate(left):
                                    one = lanes.splat(line[t])
                                    for v in range(2):
                                        sums[r * 2 + v].set(sums[r * 2 + v].get() + one * pieces[v])
                            for i, cell in enumerate(sums):
                                lanes.store(cell.get(), tile.at(i * lanes.count))
                            for i in k.loop(k.minimum(rows, high - low - c) * 2):
                                at = result.at(c * width + i * lanes.count)
                                lanes.store(lanes.load(tile.at(i * lanes.count)) + lanes.load(at, again), at)


def _transform_gradients(lanes, a, b):
    """A times a column of gradients."""
    return a, a + b, a - b, lanes.zero - b


def _turn(k, lanes, source, turned, rows, pitch, columns):
    """turned[column, row] = source[row, column] for one vector of rows, 0 beyond the last."""
    for q in k.loop(0, columns, lanes.count):
        inside = lanes.first(columns - q)
        square = []
        for i in range(lanes.count):
            real = k.int(i) < rows
            square.append(
                lanes.load(source.at(k.select(real, k.int(i), 0) * pitch + q), lanes.both(inside, lanes.where(real)))
            )
        for i, row in enumerate(lanes.transpose(square)):
            lanes.store(row, turned.at((q + i) * lanes.count))


def _whole_tiles(blocks, width, outs):
    from .lanes import Lanes  # needs llvmlite

    return [outs <= blocks * width, width % Lanes(width.k).count == 0]


@kernel("partial:T=shares*groups*16*blocks*ins*width out:T!=groups*outs*ins*9 shares groups blocks ins width outs",
        work="groups*ins", cost="shares*outs*32", written=True, fits=_whole_tiles)  # fmt: skip
def gather_tiles(k, begin, end, partial, out, shares, groups, blocks, ins, width, outs):
    """out[group, output, in, 3, 3] = G' (the sums over the shares) G."""
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    room = lanes.room(9)
    for task in k.loop(begin, end):
        group, c = task // ins, task % ins
        for o in k.loop(0, outs, lanes.count):
            sums = [lanes.cell() for _ in range(POINTS)]
            for share in k.loop(shares):
                for point, cell in enumerate(sums):
                    at = (
                        (((share * groups + group) * POINTS + point) * blocks + o // width) * ins + c
                    ) * width + o % width
                    cell.set(cell.get() + lanes.load(partial.at(at)))
            s = [cell.get() for cell in sums]
            half = [_transform_back(lanes, *s[i::4]) for i in range(4)]
            for a in range(3):
                for b, value in enumerate(_transform_back(lanes, *(half[i][a] for i in range(4)))):
                    lanes.store(value, room.at((a * 3 + b) * lanes.count))
            for i in k.loop(k.minimum(lanes.count, outs - o)):
                for j in k.loop(9):
                    out[((group * outs + o + i) * ins + c) * 9 + j] = room[j * lanes.count + i]


def _transform_back(lanes, a, b, c, d):
    """G' times a column of sums."""
    half = lanes.splat(lanes.k.float(0.5))
    return a + (b + c) * half, (b - c) * half, (b + c) * half + d
