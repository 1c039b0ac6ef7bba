"""Convolutions of arrays by generated kernels: the three products of a convolution, in one to three dimensions.

Each function answers None where the NumPy formula is to be used. How a convolution is cut up is decided once for each
combination of sizes and kept.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from . import conv as kernels
from . import fused, points, threads
from .conv_gradients import correlate, gather_weights
from .depthwise import correlate_few
from .fused import _flat
from .window import FIELDS
from .winograd import ROWS, pack_transformed, winograd
from .winograd_gradients import correlate_tiles, gather_tiles

DEPTH = 160  # rows of the matrix that a tile adds up at a time: what it needs of them stays in the nearest cache
ROOM = 1 << 16  # elements of a copied window, about
TRANSFORMED, SUMMED = 1 << 17, 1 << 16  # elements of transformed tiles for results and for weight gradients, about


def _tile(outs: int) -> tuple[int, int]:
    """(outputs, vectors of positions) of a tile: where there are few outputs, more positions."""
    return (1, 4) if outs == 1 else (4, 4) if outs <= 4 else (ROWS, 2)


def _takes(a, b, work):
    """f4 or f8 if kernels are to take a convolution of two arrays with so many multiplications, else None."""
    return fused._kind(a, 0) if a.dtype == b.dtype and work >= fused.SMALL and type(b) is np.ndarray else None


class Shape(NamedTuple):
    """One stride-wise regular convolution: everything per dimension in (depth, height, width)."""

    n: int
    groups: int
    channels: int  # of the source, per group
    outs: int  # per group
    source: tuple[int, ...]
    taps: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: tuple[int, ...]
    size: tuple[int, ...]  # results that are computed
    full: tuple[int, ...]  # the array they lie in
    step: tuple[int, ...] = (1, 1, 1)
    start: tuple[int, ...] = (0, 0, 0)


class Plan(NamedTuple):
    words: np.ndarray
    strips: int
    room: int
    offsets: int
    weight: int
    tiles: int
    depth: int


def _up(x: int, unit: int) -> int:
    return -(-x // unit) * unit


@functools.lru_cache(4096)
def _plan(s: Shape, rows: int, workers: int, held: int = 0) -> Plan:
    """How to cut up a convolution; held: elements per position that a strip keeps besides its window."""
    (d, h, w), (kd, kr, ks), (od, oh, ow) = s.source, s.taps, s.size
    taps = kd * kr * ks
    block = max(1, min(s.channels, DEPTH // max(taps, 1)))
    count = -(-s.channels // block)
    block = max(1, -(-s.channels // max(count, 1)))
    reach = (kr - 1) * s.dilation[1]
    phases = max(1, min(s.stride[1], reach + 1))
    extra = reach // s.stride[1]
    line = max(1, block * kd * ks * phases * ow)
    tiles = -(-s.outs // rows)
    band = max(1, min(oh, ROOM // line - extra, ROOM // max(held * ow, 1)))
    images = s.n * s.groups * od
    bands = -(-oh // band)
    while images * bands < 4 * workers and band > 4:
        band = -(-band // 2)
        bands = -(-oh // band)
    splits = max(1, min(tiles, 2 * workers // max(images * bands, 1)))
    high = band + extra
    pitch = _up(phases * high * ow, 16)
    if pitch % 256 == 0:
        pitch += 16
    space = _up(block * kd * ks * pitch, 16)
    items = images * bands * splits
    strips = max(1, min(items, 4 * workers))
    values = dict(
        n=s.n, groups=s.groups, cg=s.channels, d=d, h=h, w=w, og=s.outs, od=od, oh=oh, ow=ow, kd=kd, kr=kr, ks=ks,
        block=block, phases=phases, high=high, pitch=pitch, band=band, bands=bands, space=space,
        tiles=tiles, splits=splits, items=items, stack=1, panels=0,
    )  # fmt: skip
    values.update(_per_axis(s))
    words = _words(values)
    work = s.n * s.groups * s.outs * s.channels * taps * math.prod(s.size)
    return Plan(words, strips, strips * space, strips * block * taps, max(1, work // (8 * strips)), tiles,
                s.channels * taps)  # fmt: skip


def _words(values: dict[str, int]) -> np.ndarray:
    words = np.array([values[name] for name in FIELDS], np.int64)
    words.flags.writeable = False
    return words


def _per_axis(s: Shape) -> dict[str, int]:
    """The plan's numbers that there are three of."""
    named = {"s": s.stride, "d": s.dilation, "p": s.padding, "f": s.full, "t": s.step, "e": s.start}
    return {letter + axis: v for letter, three in named.items() for axis, v in zip("dhw", three, strict=True)}


def _tile_words(s: Shape, band: int, stack: int, **more: int) -> dict[str, int]:
    """The plan of a convolution by tiles: that of one with 4 x 4 taps in steps of two, whose results are tiles."""
    th, tw = -(-s.size[1] // 2), -(-s.size[2] // 2)
    s = s._replace(stride=(1, 2, 2))
    d, h, w = s.source
    bands = -(-th // band)
    return dict(
        n=s.n, groups=s.groups, cg=s.channels, d=d, h=h, w=w, og=s.outs, od=1, oh=th, ow=tw, kd=1, kr=4, ks=4,
        block=max(1, min(s.channels, ROOM // (32 * (band + 1) * tw))), phases=2, high=band + 1,
        pitch=_up(2 * (band + 1) * tw, 16), band=band, bands=bands, tiles=-(-s.outs // ROWS), splits=1,
        items=s.groups * -(-s.n // stack) * bands, stack=stack, **_per_axis(s), **more,
    )  # fmt: skip


def _bands(s: Shape, lanes: int, most: int) -> tuple[int, int]:
    """(rows of tiles, images) of an item of at most about so many vectors of tiles, filling vectors well."""
    th, tw = -(-s.size[1] // 2), -(-s.size[2] // 2)

    def vectors(lines):
        return -(-lines * tw // lanes)

    fitting = [b for b in range(1, th + 1) if vectors(b) <= most] or [1]
    band = min(fitting, key=lambda b: (th // b * vectors(b) + vectors(th % b), -b))
    return band, 1 if band < th else max(1, min(s.n, 8, most // vectors(th)))


@functools.lru_cache(4096)
def _tile_plan(s: Shape, lanes: int, workers: int) -> Plan:
    """How to cut up a convolution that goes by transformed tiles."""
    band, stack = _bands(s, lanes, max(1, TRANSFORMED // (16 * s.channels * lanes)))
    th, tw = -(-s.size[1] // 2), -(-s.size[2] // 2)
    while s.groups * -(-s.n // stack) * -(-th // band) < 2 * workers and (stack > 1 or band > 2):
        stack, band = max(1, stack // 2), band if stack > 1 else -(-band // 2)
    panels = (stack * -(-band * tw // lanes) + 1) // 2
    values = _tile_words(s, band, stack, panels=panels)
    inputs, sums = panels * 16 * (s.channels + 1) * 2 * lanes, 16 * (values["tiles"] * ROWS + 1) * 2 * lanes
    space = _up(values["block"] * 4 * values["pitch"] + inputs + sums + lanes, 16)
    strips = max(1, min(values["items"], 2 * workers))
    work = s.n * s.groups * s.outs * s.channels * 4 * th * tw
    return Plan(_words(values | {"space": space}), strips, strips * space, strips * values["block"] * 16,
                max(1, work // (2 * strips)), values["tiles"], s.channels)  # fmt: skip


class Sums(NamedTuple):
    """How the weight gradient by tiles is cut up. The shape alone decides, so the bits are the same on any machine."""

    words: np.ndarray
    shares: int
    cuts: int
    blocks: int
    space: int
    offsets: int
    weight: int


@functools.lru_cache(4096)
def _tile_sums(s: Shape, lanes: int) -> Sums:
    band, stack = _bands(s, lanes, max(1, min(8, SUMMED // (16 * max(s.channels, s.outs) * lanes))))
    tw = -(-s.size[2] // 2)
    span = _up(stack * band * tw, lanes)
    values = _tile_words(s, band, stack, panels=span)
    items = values["items"] // s.groups
    shares = max(1, min(items, 8, s.n * -(-s.size[1] // 2) * tw // 128))
    cuts = max(1, min(s.channels // 16, 8 // (s.groups * shares)))
    blocks = -(-s.outs // (2 * lanes))
    space = values["block"] * 4 * values["pitch"] + lanes + _up(2 * band * s.full[2], lanes) * lanes
    space += 16 * (-(-s.channels // cuts) * span + lanes) + 16 * (blocks * span + 1) * 2 * lanes
    work = s.n * s.outs * s.channels * math.prod(s.size)
    return Sums(_words(values | {"space": _up(space, 16)}), shares, cuts, blocks, _up(space, 16), values["block"] * 16,
                work)  # fmt: skip


def _three(values: Any, fill: int) -> tuple[int, ...]:
    return (fill,) * (3 - len(values)) + tuple(values)


def convolution(x, w, bias, stride, padding, dilation, groups, size):
    """The convolution of (N, C, ...) with weights (O, C / groups, ...), of spatial sizes `size`."""
    kind = _takes(x, w, x.shape[0] * math.prod(size) * w.size)
    if kind is None or (bias is not None and bias.dtype != x.dtype):
        return None
    x, w = _flat(x), _flat(w)
    if points.fits(w.shape, size, stride, padding, groups):
        found = points.convolution(x, w, bias)
        if found is not None:
            return found
    out = np.empty((x.shape[0], w.shape[0], *size), x.dtype)
    kernel = _three(w.shape[2:], 1)
    sizes = _three(size, 1)
    shape = Shape(x.shape[0], groups, w.shape[1], w.shape[0] // groups, _three(x.shape[2:], 1), kernel,
                  _three(stride, 1), _three(dilation, 1), _three(padding, 0), sizes, sizes)  # fmt: skip
    places = math.prod(kernel)
    steps = (w.shape[1] * places, places)
    return out if _run(kind, shape, x, w, bias, out, _places(kernel), steps) else None


@functools.lru_cache(1024)
def _places(kernel, first=(0, 0, 0), step=(1, 1, 1), counts=None, turned=False):
    """The flat positions in a kernel of the taps first + i * step, i below counts, in order or in reverse."""
    counts = counts or kernel
    z, y, x = (f + s * np.arange(c) for f, s, c in zip(first, step, counts, strict=True))
    flat = ((z[:, None, None] * kernel[1] + y[:, None]) * kernel[2] + x).reshape(-1)
    flat = np.ascontiguousarray(flat[::-1] if turned else flat, np.int64)
    flat.flags.writeable = False
    return flat


def _by_tiles(s: Shape) -> bool:
    """Whether transformed tiles pay: enough channels to outweigh the transforms, weights that stay in a cache."""
    plain = s.stride == s.dilation == s.step == (1, 1, 1) and s.taps == (1, 3, 3) and s.source[0] == s.full[0] == 1
    return plain and min(s.channels, s.outs) >= 16 and s.channels * s.outs <= 1 << 15 and min(s.size[1:]) >= 3


def _run_tiles(kind, shape, x, w, bias, out, places, steps) -> bool:
    """Transform the weights and run one convolution by transformed tiles."""
    plan = _tile_plan(shape, _vector(x.itemsize), threads.get_num_threads())
    pack, f = pack_transformed.get(kind), winograd.get(kind, ("bias",) if bias is None else (), rows=ROWS)
    if not f or not pack:
        return False
    far = (plan.depth + 2) * ROWS
    packed = np.empty(shape.groups * plan.tiles * 16 * far, x.dtype)
    if not pack(
        w, places, packed, shape.groups, plan.tiles, plan.depth, ROWS, shape.outs, w.size // shape.groups, *steps, far
    ):
        return False
    room, offsets = np.empty(plan.room, x.dtype), np.empty(plan.offsets, np.int64)
    given = () if bias is None else (_flat(bias),)
    return f(x, packed, *given, out, room, offsets, plan.words, plan.strips, plan.weight)


def _run(kind, shape, x, w, bias, out, places, steps) -> bool:
    """Pack the weights and run one regular convolution."""
    if _by_tiles(shape):
        return _run_tiles(kind, shape, x, w, bias, out, places, steps)
    rows, vectors = _tile(shape.outs)
    plan = _plan(shape, rows, threads.get_num_threads())
    pack = kernels.pack_weights.get(kind)
    f = kernels.convolve.get(kind, ("bias",) if bias is None else (), rows=rows, vectors=vectors)
    if not f or not pack:
        return False
    packed = np.empty(shape.groups * plan.tiles * plan.depth * rows, x.dtype)
    taps = math.prod(shape.taps)
    group_step = w.size // shape.groups
    if plan.depth and not pack(w, places, packed, shape.groups, plan.tiles, shape.channels, taps, rows, shape.outs,
                               group_step, *steps):  # fmt: skip
        return False
    room, offsets = np.empty(plan.room, x.dtype), np.empty(plan.offsets, np.int64)
    given = () if bias is None else (_flat(bias),)
    return f(x, packed, *given, out, room, offsets, plan.words, plan.strips, plan.weight)


def gradient_of_input(g, w, shape, stride, padding, dilation, groups):
    """The gradient of a convolution's input (N, C, ...) of spatial sizes `shape`: its transpose.

    Input positions are taken by their remainders modulo the stride: those of one remainder meet the same places of the
    kernel, in steps of one, so each remainder is a convolution of g without stride.
    """
    kind = _takes(g, w, g.shape[0] * math.prod(g.shape[2:]) * w.size)
    if kind is None:
        return None
    g, w = _flat(g), _flat(w)
    if points.fits(w.shape, shape, stride, padding, groups):
        found = points.gradient_of_input(g, w)
        if found is not None:
            return found
    met = all(len({r * d % s for r in range(k)}) == s for k, s, d in zip(w.shape[2:], stride, dilation, strict=True))
    out = (np.empty if met else np.zeros)((g.shape[0], w.shape[1] * groups, *shape), g.dtype)
    kernel, source, full = _three(w.shape[2:], 1), _three(g.shape[2:], 1), _three(shape, 1)
    stride, padding, dilation = _three(stride, 1), _three(padding, 0), _three(dilation, 1)
    steps = (math.prod(kernel), w.shape[1] * math.prod(kernel))
    for remainder in itertools.product(*map(range, stride)):
        taps = [_phase(*numbers) for numbers in zip(remainder, kernel, full, stride, padding, dilation, strict=True)]
        first, step, counts, apart, lead, size = zip(*taps, strict=True)
        if not all(size) or not all(counts):
            continue  # none of these positions exist, or no tap meets them
        one = Shape(g.shape[0], groups, w.shape[0] // groups, w.shape[1], source, counts, (1, 1, 1), apart, lead, size,
                    full, stride, remainder)  # fmt: skip
        if not _run(kind, one, g, w, None, out, _places(kernel, first, step, counts, True), steps):
            return None
    return out


def _phase(remainder, kernel, full, stride, padding, dilation):
    """In one dimension: (first tap, step, count, distance of taps in g, padding, results) of one remainder.

    Result t lies at remainder + t * stride and meets tap r at g's position t + (remainder + padding - r * dilation) /
    stride, where that is whole.
    """
    size = len(range(remainder, full, stride))
    good = [r for r in range(kernel) if (remainder + padding - r * dilation) % stride == 0]
    if not good:
        return 0, 1, 0, 1, 0, size
    step = stride // math.gcd(stride, dilation)
    lead = (good[-1] * dilation - remainder - padding) // stride
    return good[0], step, len(good), step * dilation // stride, lead, size


def gradient_of_weight(g, x, kernel, stride, padding, dilation, groups):
    """The gradient of a convolution's weights, of shape (O, C / groups, *kernel)."""
    kind = _takes(g, x, g.size * math.prod(kernel) * x.shape[1] // groups)
    if kind is None:
        return None
    g, x = _flat(g), _flat(x)
    if points.fits((g.shape[1], x.shape[1] // groups, *kernel), g.shape[2:], stride, padding, groups):
        found = points.gradient_of_weight(g, x)
        if found is not None:
            return found.reshape(*found.shape, *kernel)
    size, taps = _three(g.shape[2:], 1), _three(kernel, 1)
    shape = Shape(x.shape[0], groups, x.shape[1] // groups, g.shape[1] // groups, _three(x.shape[2:], 1), taps,
                  _three(stride, 1), _three(dilation, 1), _three(padding, 0), size, size)  # fmt: skip
    if _by_tiles(shape):
        return _gradient_by_tiles(kind, shape, g, x, kernel)
    few = shape.outs <= 4
    f = correlate_few.get(kind) if few else correlate.get(kind)
    gather = gather_weights.get(kind)
    if not f or not gather:
        return None
    width = 1 if few else 2 * _vector(g.dtype.itemsize)
    blocks = -(-shape.outs // width)
    plan = _plan(shape, 1, 1, 0 if few else blocks * width)
    # The shape alone decides how many sums there are, so results do not depend on the number of threads.
    space, block, band, bands = (int(plan.words[FIELDS.index(name)]) for name in ("space", "block", "band", "bands"))
    items = shape.n * size[0] * bands
    shares = max(1, min(items, 16, shape.n * math.prod(size) // 512))
    cuts = 1 if few else max(1, min(shape.channels, 8 // (groups * shares)))
    strips = min(shares * cuts * groups, 4 * threads.get_num_threads())
    partial = np.empty(shares * groups * blocks * plan.depth * width, g.dtype)
    room, offsets = np.empty(strips * space, g.dtype), np.empty(strips * block * math.prod(taps), np.int64)
    out = np.empty((g.shape[1], shape.channels, *kernel), g.dtype)
    work = max(1, shape.n * g.shape[1] * plan.depth * math.prod(size) // (8 * strips))
    if few:
        done = f(g, x, partial, room, offsets, plan.words, shares, strips, work)
    else:
        rounded = _up(band * size[2], width // 2)
        turned = np.empty(strips * blocks * rounded * width, g.dtype)
        done = f(g, x, partial, room, turned, offsets, plan.words, shares, cuts, strips, work)
    if not done:
        return None
    return out if gather(partial, out, shares, groups, blocks, plan.depth, width, shape.outs) else None


def _gradient_by_tiles(kind, shape, g, x, kernel):
    """gradient_of_weight by transformed tiles."""
    f, gather = correlate_tiles.get(kind), gather_tiles.get(kind)
    if not f or not gather:
        return None
    width = 2 * _vector(g.dtype.itemsize)
    plan = _tile_sums(shape, width // 2)
    strips = min(plan.shares * plan.cuts * shape.groups, 4 * threads.get_num_threads())
    partial = np.empty(plan.shares * shape.groups * 16 * plan.blocks * shape.channels * width, g.dtype)
    room, offsets = np.empty(strips * plan.space, g.dtype), np.empty(strips * plan.offsets, np.int64)
    out = np.empty((g.shape[1], shape.channels, *kernel), g.dtype)
    if not f(g, x, partial, room, offsets, plan.words, plan.shares, plan.cuts, strips, max(1, plan.weight // strips)):
        return None
    return (
        out if gather(partial, out, plan.shares, shape.groups, plan.blocks, shape.channels, width, shape.outs) else None
    )


@functools.cache
def _vector(item: int) -> int:
    """Elements in a vector register."""
    from .llvm import widest  # needs llvmlite

    return widest() // 8 // item
