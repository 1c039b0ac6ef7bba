"""Convolution by 3 x 3 kernels in steps of one, 16 multiplications for 4 results instead of 36: Winograd's F(2, 3).

Tiles of 4 x 4 inputs overlap by 2 and give 2 x 2 outputs each. With every tile d and kernel g transformed,

    out = A' [ (G g G') * (B' d B) ] A,

the products in the brackets, summed over channels, are 16 matrix products; the transforms of tiles only add and
subtract. A result may be off by a few roundings of the largest terms in its tile (the plain sum: of its own terms),
and an input that is not finite reaches all 4 outputs of its tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .build import kernel
from .window import copy_window, numbers, write_offsets

if TYPE_CHECKING:
    from .lanes import Lanes

POINTS = 16
ROWS = 8  # outputs of a tile of registers


@kernel("w:T places:i8=9 packed:T!=groups*tiles*16*far groups tiles ins rows outs group_step out_step in_step far",
        work="groups*tiles", cost="ins*rows*16", written=True)  # fmt: skip
def pack_transformed(
    k, begin, end, w, places, packed, groups, tiles, ins, rows, outs, group_step, out_step, in_step, far
):
    """packed[group, tile, point, in, row] = G g G' of the weights of output tile * rows + row; 0 beyond the last.

    far: elements from one point to the next.
    """
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    held = lanes.room(9 * (ROWS // lanes.count + 1))
    for task in k.loop(begin, end):
        group, tile = task // tiles, task % tiles
        for i in k.loop(ins):
            source = w.at(group * group_step + i * in_step)
            for row in k.loop(rows):
                number = tile * rows + row
                real = number < outs
                mine = source.at(k.select(real, number, 0) * out_step)
                for t in range(9):
                    held[t * rows + row] = k.select(real, mine[places[t]], 0.0)
            for row in k.loop(0, rows, lanes.count):
                inside = lanes.first(rows - row)
                g = [lanes.load(held.at(t * rows + row), inside) for t in range(9)]
                half = [_transform_taps(lanes, *g[s::3]) for s in range(3)]
                for a in range(4):
                    for b, value in enumerate(_transform_taps(lanes, *(half[s][a] for s in range(3)))):
                        to = (task * POINTS + a * 4 + b) * far + i * rows + row
                        lanes.store(value, packed.at(to), inside)


def _transform_taps(lanes: Lanes, a: Any, b: Any, c: Any) -> tuple[Any, ...]:
    """G times a column of taps."""
    half = lanes.splat(lanes.k.float(0.5))
    return a, (a + c + b) * half, (a + c - b) * half, c


def transform_inputs(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, ...]:
    """B' times a column of inputs."""
    return a - c, b + c, c - b, b - d


def _transform_sums(a: Any, b: Any, c: Any, d: Any) -> tuple[Any, ...]:
    """A' times a column of sums."""
    return a + b + c, b - c - d


@kernel(
    "x:T packed:T bias:T? out:T! room:T! offsets:i8! plan:i8 strips weight", work="strips", cost="weight", written=True
)
def winograd(k, begin, end, x, packed, bias, out, room, offsets, plan, strips, weight, rows=ROWS):
    """out = the convolution of x (+ bias), some items (group, some images, band of rows of tiles) per strip.

    The plan is that of a convolution with 4 x 4 taps in steps of two, whose outputs are tiles. Each image of an item
    takes whole vectors of tiles; a panel is two of them.
    """
    from .lanes import Lanes  # needs llvmlite

    lanes = Lanes(k)
    p = numbers(k, plan)
    width = 2 * lanes.count
    area, full = p.d * p.h * p.w, p.fh * p.fw
    # From one point to the next: one row more than there are, lest all of them meet in the same lines of a cache.
    far_in, far_out = (p.cg + 1) * width, (p.tiles * rows + 1) * width
    stage = lanes.room(4)
    for strip in k.loop(begin, end):
        copy, where = room.at(strip * p.space), offsets.at(strip * p.block * POINTS)
        inputs = lanes.aligned(copy.at(p.block * p.kd * p.ks * p.pitch))
        sums = inputs.at(p.panels * POINTS * far_in)
        write_offsets(k, p, where)
        for item in k.loop(p.items * strip // strips, p.items * (strip + 1) // strips):
            band, rest = item % p.bands, item // p.bands
            group, first = rest % p.groups, rest // p.groups * p.stack
            images = k.minimum(p.stack, p.n - first)
            y = band * p.band
            lines = k.minimum(p.band, p.oh - y)
            tiles = lines * p.ow
            vectors = (tiles + lanes.count - 1) // lanes.count  # of one image
            for image in k.loop(images):
                for c in k.loop(0, p.cg, p.block):
                    channels = k.minimum(p.block, p.cg - c)
                    source = x.at((((first + image) * p.groups + group) * p.cg + c) * area)
                    copy_window(k, p, source, copy, channels, k.int(0), y, lines)
                    for i in k.loop(channels):
                        for v in k.loop(vectors):
                            inside = lanes.first(tiles - v * lanes.count)
                            d = [lanes.load(copy.at(where[i * POINTS + j] + v * lanes.count), inside)
                                 for j in range(POINTS)]  # fmt: skip
                            number = image * vectors + v
                            target = inputs.at(
                                number // 2 * POINTS * far_in + (c + i) * width + number % 2 * lanes.count
                            )
                            half = [transform_inputs(*d[s::4]) for s in range(4)]
                            for a in range(4):
                                for b, value in enumerate(transform_inputs(*(half[s][a] for s in range(4)))):
                                    lanes.store(value, target.at((a * 4 + b) * far_in))
            total = images * vectors
            for panel in k.loop((total + 1) // 2):
                for point in k.loop(POINTS):
                    right = inputs.at((panel * POINTS + point) * far_in)
                    for tile in k.loop(p.tiles):
                        left = packed.at(((group * p.tiles + tile) * POINTS + point) * (p.cg + 2) * rows)
                        result = sums.at(point * far_out + tile * rows * width)
                        for _ in k.when(panel * 2 + 1 < total):
                            _product(k, lanes, left, right, result, p.cg, rows, 2)
                        for _ in k.when(panel * 2 + 1 >= total):
                            _product(k, lanes, left, right, result, p.cg, rows, 1)
                for v in k.loop(panel * 2, k.minimum(panel * 2 + 2, total)):
                    q = v % vectors * lanes.count
                    image = (first + v // vectors) * p.groups + group
                    for o in k.loop(p.og):
                        at = sums.at(o * width + v % 2 * lanes.count)
                        m = [lanes.load(at.at(j * far_out)) for j in range(POINTS)]
                        half = [_transform_sums(*m[s::4]) for s in range(4)]
                        for a in range(2):
                            even, odd = _transform_sums(*(half[s][a] for s in range(4)))
                            if bias is not None:
                                plus = lanes.splat(bias[group * p.og + o])
                                even, odd = even + plus, odd + plus
                            for i, pair in enumerate(lanes.interleave(even, odd)):
                                lanes.store(pair, stage.at((a * 2 + i) * lanes.count))
                        target = out.at((image * p.og + o) * full)
                        _write_rows(k, lanes, p, stage, target, y, q, k.minimum(lanes.count, tiles - q))


def _product(k: Any, lanes: Lanes, left: Any, right: Any, result: Any, depth: Any, rows: int, vectors: int) -> None:
    """result = left (depth, rows)' times the first vectors of right (depth, 2 vectors)."""
    width = 2 * lanes.count
    sums = [[lanes.cell() for _ in range(vectors)] for _ in range(rows)]
    for i in k.range(depth, vectorize=False):
        pieces = [lanes.load(right.at(i * width + v * lanes.count)) for v in range(vectors)]
        for r in range(rows):
            one = lanes.splat(left[i * rows + r])
            for v in range(vectors):
                sums[r][v].set(sums[r][v].get() + one * pieces[v])
    for r in range(rows):
        for v in range(vectors):
            lanes.store(sums[r][v].get(), result.at(r * width + v * lanes.count))


def _write_rows(k: Any, lanes: Lanes, p: Any, stage: Any, target: Any, y: Any, q: Any, count: Any) -> None:
    """Write the two rows of outputs of `count` tiles, from tile q of a band on; rows of tiles may end among them."""
    done, row, column = k.cell(0, "i8"), k.cell(q // p.ow, "i8"), k.cell(q % p.ow, "i8")
    for _ in k.loop_while(lambda: done.get() < count):
        run = k.minimum(count - done.get(), p.ow - column.get())
        wide = k.minimum(2 * run, p.fw - 2 * column.get())
        for a in k.loop(k.minimum(2, p.fh - 2 * (y + row.get()))):
            to = target.at((2 * (y + row.get()) + a) * p.fw + 2 * column.get())
            source = stage.at(a * 2 * lanes.count + 2 * done.get())
            for e in k.loop(0, wide, lanes.count):
                mask = lanes.first(wide - e)
                lanes.store(lanes.load(source.at(e), mask), to.at(e), mask)
        done.set(done.get() + run)
        row.set(row.get() + 1)
        column.set(0)
