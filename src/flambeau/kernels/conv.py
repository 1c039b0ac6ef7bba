"""Convolution as a matrix product in tiles of registers: packed weights times pieces of a copied window."""

from __future__ import annotations

from .build import kernel
from .window import copy_window, numbers, write_offsets


@kernel("w:T places:i8=taps packed:T!=groups*tiles*ins*taps*rows groups tiles ins taps rows outs group_step out_step "
        "in_step", work="groups*tiles", cost="ins*taps*rows")  # fmt: skip
def pack_weights(k, begin, end, w, places, packed, groups, tiles, ins, taps, rows, outs, group_step, out_step, in_step):
    """packed[group, tile, in, tap, row] = the weight of output tile * rows + row; 0 beyond the last output.

    places: where in the kernel each tap is.
    """
    for task in k.loop(begin, end):
        group, tile = task // tiles, task % tiles
        for i in k.loop(ins):
            for t in k.loop(taps):
                source = w.at(group * group_step + i * in_step + places[t])
                out = packed.at(((task * ins + i) * taps + t) * rows)
                for row in k.loop(rows):
                    number = tile * rows + row
                    real = number < outs
                    out[row] = k.select(real, source[k.select(real, number, 0) * out_step], 0.0)


@kernel("x:T packed:T bias:T? out:T! room:T! offsets:i8! plan:i8 strips weight", work="strips", cost="weight")
def convolve(k, begin, end, x, packed, bias, out, room, offsets, plan, strips, weight, rows=8, vectors=2):
    """out = weights * window (+ bias), some items (image, group, plane, band of rows, share of the outputs) per strip.

    room, offsets: for each strip, a copy of a window and where its rows begin. Plan: see window.FIELDS.
    """
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    p = numbers(k, plan)
    taps = p.kd * p.kr * p.ks
    step = lanes.count * vectors
    room_of_tile = lanes.room(rows * vectors)
    area = p.d * p.h * p.w
    full = p.fd * p.fh * p.fw
    dense = (p.tw == 1) & (p.th == 1) & (p.fw == p.ow)
    for strip in k.loop(begin, end):
        copy, where = room.at(strip * p.space), offsets.at(strip * p.block * taps)
        write_offsets(k, p, where)
        for item in k.loop(p.items * strip // strips, p.items * (strip + 1) // strips):
            share, rest = item % p.splits, item // p.splits
            band, rest = rest % p.bands, rest // p.bands
            z, image = rest % p.od, rest // p.od  # with its group
            group = image % p.groups
            y = band * p.band
            lines = k.minimum(p.band, p.oh - y)
            columns = lines * p.ow
            begins = ((z * p.td + p.ed) * p.fh + y * p.th + p.eh) * p.fw + p.ew
            for c in k.loop(0, k.maximum(p.cg, 1), p.block):
                channels = k.minimum(p.block, p.cg - c)
                again = c > 0
                copy_window(k, p, x.at((image * p.cg + c) * area), copy, channels, z, y, lines)
                for q in k.loop(0, columns, step):
                    masks = [lanes.first(columns - q - v * lanes.count) for v in range(vectors)]
                    for tile in k.loop(p.tiles * share // p.splits, p.tiles * (share + 1) // p.splits):
                        factor = packed.at(((group * p.tiles + tile) * p.cg + c) * taps * rows)
                        sums = [lanes.cell() for _ in range(rows * vectors)]
                        for i in k.range(channels * taps, vectorize=False):
                            line = copy.at(where[i] + q)
                            piece = [lanes.load(line.at(v * lanes.count), m) for v, m in enumerate(masks)]
                            for r in range(rows):
                                one = lanes.splat(factor[i * rows + r])
                                for v in range(vectors):
                                    sums[r * vectors + v].set(sums[r * vectors + v].get() + one * piece[v])
                        for v, cell in enumerate(sums):
                            lanes.store(cell.get(), room_of_tile.at(v * lanes.count))
                        for r in k.loop(k.minimum(rows, p.og - tile * rows)):
                            number = tile * rows + r
                            line, source = out.at((image * p.og + number) * full + begins), room_of_tile.at(r * step)
                            start = k.float(0.0)
                            if bias is not None:
                                start = k.select(again, 0.0, bias[group * p.og + number])
                            for _ in k.when(dense):
                                for v, mask in enumerate(masks):
                                    at = line.at(q + v * lanes.count)
                                    old = lanes.load(at, lanes.both(mask, lanes.where(again)))
                                    new = lanes.load(source.at(v * lanes.count))
                                    lanes.store(new + old + lanes.splat(start), at, mask)
                            for _ in k.when(dense == 0):
                                at, column = k.cell(q // p.ow * p.th * p.fw + q % p.ow * p.tw), k.cell(q % p.ow)
                                for e in k.loop(k.minimum(step, columns - q)):
                                    place = line.at(at.get())
                                    place[0] = source[e] + k.select(again, place[0], start)
                                    ends = column.get() == p.ow - 1
                                    at.set(at.get() + k.select(ends, p.th * p.fw - (p.ow - 1) * p.tw, p.tw))
                                    column.set(k.select(ends, k.int(0), column.get() + 1))
