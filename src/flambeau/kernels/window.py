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
    "tiles splits items"  # the parts
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
    twice = p.sw == 2
    for c in k.loop(channels * p.kd):
        depth = z * p.sd - p.pd + c % p.kd * p.dd
        deep = (depth >= 0) & (depth < p.d)
        plane = image.at((c // p.kd * p.d + k.select(deep, depth, 0)) * p.h * p.w)
        for j in k.loop(p.ks):
            to = copy.at((c * p.ks + j) * p.pitch)
            for o in k.loop(0, p.ow, width):
                # Lane i is to hold source column start + i * sw, if that lies in the image.
                start = o * p.sw + j * p.dw - p.pw
                inside = lanes.first(p.ow - o)
                near = lanes.between(-start, p.w - start)
                far = lanes.both(lanes.between(-start - width, p.w - start - width), lanes.where(twice))
                for r in k.loop(p.phases * used):
                    f, r = r // used, r % used
                    row = (y + r) * p.sh + f - p.ph
                    good = deep & (row >= 0) & (row < p.h)
                    source = plane.at(k.select(good, row, 0) * p.w + start)
                    target = to.at((f * p.high + r) * p.ow + o)
                    for _ in k.when(p.sw <= 2):
                        whole = lanes.where(good)
                        a = lanes.load(source, lanes.both(near, whole))
                        b = lanes.load(source.at(width), lanes.both(far, whole))
                        even = lanes.shuffle(a, b, [2 * i for i in range(width)])
                        lanes.store(lanes.choose(twice, even, a), target, inside)
                    for _ in k.when(p.sw > 2):
                        for e in k.loop(k.minimum(p.ow - o, width)):
                            column = e * p.sw + start
                            hit = good & (column >= 0) & (column < p.w)
                            value = source[k.select(hit, e * p.sw, -start)]
                            target[e] = k.select(hit, value, 0.0)
