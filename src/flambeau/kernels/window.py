"""What the convolution kernels share: the numbers of a convolution, and the copy of the input that they read.

A convolution is a matrix product whose right factor has a row for each weight (channel, then place in the kernel) and
a column for each output position. That matrix is never made. A part copies some channels of a band of input rows, once
for each column of the kernel, zero in the padding, with exactly as many columns as the output has. A row of the matrix
is then a contiguous piece of the copy, and the rows of the kernel differ by an offset only. Where rows are strided, the
copy has first all rows of remainder 0, then those of remainder 1, and so on.

In three dimensions a channel and a place along the depth of the kernel together are one channel of an image.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .emit import Emitter, Pointer, Value

FIELDS = (
    "n groups cg d h w og od oh ow kd kr ks sd sh sw dd dh dw pd ph pw "  # the convolution, pd ph pw may be negative
    "block phases high pitch band bands space "  # the copy: channels; remainders and rows of each; elements; bands
    "fd fh fw td th tw ed eh ew "  # the array of results: sizes, and step and start of those that are computed
    "tiles splits items "  # the parts
    "stack panels"  # for transformed tiles: images and panels of an item
).split()


def numbers(k: Emitter, plan: Pointer) -> SimpleNamespace:
    """The numbers of a convolution, by name."""
    return SimpleNamespace(**{name: plan[i] for i, name in enumerate(FIELDS)})


def write_offsets(k: Emitter, p: SimpleNamespace, offsets: Pointer) -> None:
    """Where in the copy each row of the matrix begins, for `block` channels."""
    for c in k.loop(p.block * p.kd):
        for i in k.loop(p.kr):
            row = ((i * p.dh) % p.sh * p.high + (i * p.dh) // p.sh) * p.ow
            for j in k.loop(p.ks):
                offsets[(c * p.kr + i) * p.ks + j] = (c * p.ks + j) * p.pitch + row


def copy_window(k: Emitter, p: SimpleNamespace, image: Pointer, copy: Pointer, channels: Any, z: Value, y: Value,
                rows: Value) -> None:  # fmt: skip
    """Copy what output rows y ... y + rows of plane z meet in `channels` channels of an image."""
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    width = lanes.count
    used = rows + ((p.kr - 1) * p.dh) // p.sh
    for c in k.loop(channels * p.kd):
        depth = z * p.sd - p.pd + c % p.kd * p.dd
        deep = (depth >= 0) & (depth < p.d)
        plane = image.at((c // p.kd * p.d + k.select(deep, depth, 0)) * p.h * p.w)
        for f in k.loop(p.phases):
            # Row r of the copy is row r * sh + begin of the image, if that is there.
            begin = y * p.sh + f - p.ph
            low = k.select(deep, k.minimum(used, _quotient(k, p.sh - 1 - begin, p.sh)), used)
            high = k.maximum(low, k.minimum(used, _quotient(k, p.h - begin + p.sh - 1, p.sh)))
            for j in k.loop(p.ks):
                to = copy.at((c * p.ks + j) * p.pitch + f * p.high * p.ow)
                for o in k.loop(0, p.ow, width):
                    # Lane i is column start + i * sw, if that is there.
                    start = o * p.sw + j * p.dw - p.pw
                    inside = lanes.first(p.ow - o)
                    for r in k.loop(low):
                        lanes.store(lanes.zero, to.at(r * p.ow + o), inside)
                    _copy_lines(k, lanes, p, plane.at(begin * p.w + start), to.at(o), start, p.ow - o, low, high)
                    for r in k.loop(high, used):
                        lanes.store(lanes.zero, to.at(r * p.ow + o), inside)


def _quotient(k: Emitter, x: Value, y: Value) -> Value:
    """x / y, or 0 where x is negative."""
    return k.maximum(x, 0) // y


def _copy_lines(k: Emitter, lanes: Any, p: SimpleNamespace, source: Pointer, to: Pointer, start: Value, left: Value,
                low: Value, high: Value) -> None:  # fmt: skip
    """Rows low ... high of one vector of columns, of which `left` are wanted."""
    inside = lanes.first(left)
    near = lanes.between(-start, p.w - start)
    far = lanes.between(-start - lanes.count, p.w - start - lanes.count)
    for _ in k.when(p.sw == 1):
        for r in k.loop(low, high):
            lanes.store(lanes.load(source.at(r * p.sh * p.w), near), to.at(r * p.ow), inside)
    for _ in k.when(p.sw == 2):
        for r in k.loop(low, high):
            line = source.at(r * p.sh * p.w)
            pair = lanes.load(line, near), lanes.load(line.at(lanes.count), far)
            lanes.store(lanes.shuffle(*pair, [2 * i for i in range(lanes.count)]), to.at(r * p.ow), inside)
    for _ in k.when(p.sw > 2):
        for r in k.loop(low, high):
            line, target = source.at(r * p.sh * p.w), to.at(r * p.ow)
            for e in k.loop(k.minimum(left, lanes.count)):
                hit = (start + e * p.sw >= 0) & (start + e * p.sw < p.w)
                target[e] = k.select(hit, line[k.select(hit, e * p.sw, -start)], 0.0)
