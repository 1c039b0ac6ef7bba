"""Random numbers: Box and Muller's transform of the generator's words, and shuffling."""

from __future__ import annotations

import math

import numpy as np

from .build import kernel
from .scalars import fma, where

# Moshier's Cephes library, float32, highest power first; each number as float32 holds it.
LOG = [float(np.float32(c)) for c in (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
    2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)]  # fmt: skip
COS = [float(np.float32(c)) for c in (2.443315711809948e-005, -1.388731625493765e-003, 4.166664568298827e-002)]
SIN = [float(np.float32(c)) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)]
QUARTER_PI = [float(np.float32(c)) for c in (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)]  # its parts
LN2_HIGH, LN2_LOW = 0.693359375, float(np.float32(-2.12194440e-4))
SQRT_HALF = float(np.float32(math.sqrt(0.5)))
FOUR_OVER_PI = float(np.float32(4 / math.pi))
TWO_PI = float(np.float32(2 * math.pi))


def _log(x):
    """Natural logarithm, the Cephes polynomial; x positive and normal."""
    bits = x.bits()
    m = ((bits & 0x7FFFFF) | 0x3F000000).bits()  # in [0.5, 1)
    small = m < SQRT_HALF
    e = ((bits >> 23) - 126).cast("f4") - where(small, x.k.float(1.0), 0.0)
    m = where(small, m + (m - 1.0), m - 1.0)
    z = m * m
    y = x.k.lift(LOG[0], x.type)
    for c in LOG[1:]:
        y = fma(y, m, c)
    y = fma(y * m, z, e * LN2_LOW)
    return fma(e, LN2_HIGH, m + fma(z, -0.5, y))


def _sincos(x):
    """Sine and cosine, the Cephes polynomials; x non-negative and of moderate size."""
    octant = ((x * FOUR_OVER_PI).cast("i4") + 1) & ~1
    y = octant.cast("f4")
    for c in QUARTER_PI:
        x = fma(y, -c, x)
    z = x * x
    c = fma(fma(x.k.lift(COS[0], x.type), z, COS[1]), z, COS[2])
    c = fma(c * z, z, z * -0.5) + 1.0
    s = fma(fma(x.k.lift(SIN[0], x.type), z, SIN[1]), z, SIN[2])
    s = fma(s * z, x, x)
    quadrant = octant >> 1
    swap = (quadrant & 1) != 0
    sin = (where(swap, c, s).bits() ^ ((quadrant & 2) << 30)).bits()
    cos = (where(swap, s, c).bits() ^ (((quadrant + 1) & 2) << 30)).bits()
    return sin, cos


@kernel("words:i4=blocks*width y:f4!=blocks*width blocks width mean:d std:d", work="blocks", cost="width",
        fits=lambda width: [width == 16])  # fmt: skip
def box_muller(k, begin, end, words, y, blocks, width, mean, std):
    """Blocks of 16 words to 16 normal numbers: the first eight words make radii, the others angles."""
    for block in k.range(begin, end):
        base = block * 16
        for j in k.range(8, vectorize=True):
            first, second = base + j, base + j + 8
            u1 = 1.0 - (words[first] & 0xFFFFFF).cast("f4") * 2.0**-24
            u2 = (words[second] & 0xFFFFFF).cast("f4") * 2.0**-24
            radius = k.call_intrinsic("llvm.sqrt", _log(u1) * -2.0)
            sin, cos = _sincos(u2 * TWO_PI)
            y[first] = fma(cos * radius, std, mean)
            y[second] = fma(sin * radius, std, mean)


@kernel("order:i8!=n steps:i8=moves n moves once", work="once",
        fits=lambda n, moves, once: [moves <= n, once == 1])  # fmt: skip
def shuffle(k, begin, end, order, steps, n, moves, once):
    """Exchange each element with the one `steps` further on (Fisher and Yates)."""
    for i in k.range(moves):
        other = i + steps[i]
        for _ in k.when((other >= 0) & (other < n)):
            kept = order[i]
            order[i] = order[other]
            order[other] = kept


@kernel("words:i4=pairs*n y:T!=n pairs n limit value:d", work="n", fits=lambda pairs: [pairs == 2])
def keep(k, begin, end, words, y, pairs, n, limit, value):
    """`value` where a number of 53 bits, made from two words, is below the limit, else 0."""
    for i in k.range(begin, end):
        high, low = words[i * 2].cast("i8") & 0x1FFFFF, words[i * 2 + 1].cast("i8") & 0xFFFFFFFF
        y[i] = k.select(((high << 32) | low) < limit, value.cast(k.real), 0.0)
