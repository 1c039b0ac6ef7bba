"""Box and Muller's transform in blocks of 16, bit for bit as PyTorch's vectorised CPU code does it.

Each block of 16 uniform numbers gives 16 normal ones: the first eight make radii, the last eight angles. In float32
the logarithm, sine and cosine are the Cephes polynomials (Moshier) with fused multiply-adds, which NumPy does not
have: a product of two float32 numbers is exact in float64, so multiply, add and round there. Where there is LLVM a
kernel does the same with the processor's own instruction.
"""

from __future__ import annotations

import math

import numpy as np

from .kernels.random import COS, FOUR_OVER_PI, LN2_HIGH, LN2_LOW, LOG, QUARTER_PI, SIN, SQRT_HALF, TWO_PI, box_muller

_F = np.float32
_BLOCK = 1 << 14  # pairs worked on at a time, so that the intermediate arrays stay in the cache


def _fma(a, b, c):
    """a * b + c with one rounding to float32."""
    t = np.multiply(a, b, dtype=np.float64)
    t += c
    return t.astype(np.float32)


def log32(x):
    """Natural logarithm of positive float32 numbers."""
    m, e = np.frexp(x)
    small = m < _F(SQRT_HALF)
    e = (e - small).astype(np.float64)
    m = np.where(small, m + (m - _F(1)), m - _F(1))
    z = m * m
    wide = m.astype(np.float64)
    y = _fma(wide, LOG[0], LOG[1])
    for c in LOG[2:]:
        y = _fma(y, wide, c)
    y *= m
    y = _fma(y, z, (e * LN2_LOW).astype(np.float32))
    y = _fma(z, -0.5, y)
    return _fma(e, LN2_HIGH, m + y)


def sincos32(x):
    """Sine and cosine of non-negative float32 numbers of moderate size."""
    octant = (x * _F(FOUR_OVER_PI)).astype(np.int32)
    octant = (octant + 1) & ~1
    y = octant.astype(np.float64)
    for c in QUARTER_PI:
        x = _fma(y, -c, x)
    z = x * x
    wide = z.astype(np.float64)
    c = _fma(_fma(wide, COS[0], COS[1]), wide, COS[2])
    c *= z
    c = _fma(c, wide, -(z * _F(0.5)))
    c += _F(1)
    s = _fma(_fma(wide, SIN[0], SIN[1]), wide, SIN[2])
    s *= z
    s = _fma(s, x, x)
    quadrant = octant >> 1
    swap = (quadrant & 1).astype(bool)
    sin = np.where(swap, c, s)
    cos = np.where(swap, s, c)
    np.negative(sin, out=sin, where=(quadrant & 2).astype(bool))
    np.negative(cos, out=cos, where=((quadrant + 1) & 2).astype(bool))
    return sin, cos


def _pair32(u1, u2, mean, std):
    radius = np.sqrt(_F(-2) * log32(_F(1) - u1))
    sin, cos = sincos32(_F(TWO_PI) * u2)
    cos *= radius
    sin *= radius
    if mean != 0 or std != 1:
        cos, sin = _fma(cos, float(_F(std)), float(_F(mean))), _fma(sin, float(_F(std)), float(_F(mean)))
    return cos, sin


def normals32(draw, n, mean, std):
    """16 or more float32 normal numbers; `draw(n)` gives words of 32 bits."""
    run = box_muller.get("f4")
    if run is None:
        units = words_to_units(draw(n))
        return box_muller32(units, words_to_units(draw(16)) if n % 16 else None, mean, std)
    made, whole = np.empty(n, np.float32), n // 16
    run(draw(n).view(np.int32)[: whole * 16], made[: whole * 16], whole, 16, float(mean), float(std))
    if n % 16:
        run(draw(16).view(np.int32), made[-16:], 1, 16, float(mean), float(std))
    return made


def words_to_units(words):
    """Words of 32 bits, which are overwritten, to float32 numbers of [0, 1) with 24 random bits."""
    np.bitwise_and(words, np.uint32(0xFFFFFF), out=words)
    # Below 2**24, so the signed conversion, which the processor has, is exact.
    made = words.view(np.int32).astype(np.float32)
    made *= _F(2.0**-24)
    return made


def box_muller32(units, tail, mean, std):
    """Overwrite float32 uniforms (16 or more) by normal numbers; `tail`: 16 more, for the last 16 results."""
    whole = len(units) // 16
    blocks = units[: whole * 16].reshape(whole, 2, 8)
    step = _BLOCK // 8
    for start in range(0, whole, step):
        part = blocks[start : start + step]
        part[:, 0], part[:, 1] = _pair32(part[:, 0], part[:, 1], mean, std)
    if tail is not None:
        units[-16:] = box_muller32(tail, None, mean, std)
    return units


def fma(a, b, c):
    """a * b + c in the precision of `a`, rounded once (float64: nearly always, through extended precision)."""
    if a.dtype == np.float32:
        return _fma(a, float(b), float(c))
    return (a.astype(np.longdouble) * b + c).astype(np.float64)


def libm(function, x):
    """A function of the C library, which PyTorch calls as well; NumPy's own differ in the last bit now and then."""
    return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def box_muller64(units, tail, mean, std):
    """As box_muller32, for float64."""
    whole = len(units) // 16
    blocks = units[: whole * 16].reshape(whole, 2, 8)
    radius = np.sqrt(-2.0 * libm(math.log, 1.0 - blocks[:, 0]))
    theta = 2.0 * math.pi * blocks[:, 1]
    blocks[:, 0] = radius * libm(math.cos, theta)
    blocks[:, 1] = radius * libm(math.sin, theta)
    if mean != 0 or std != 1:
        blocks[...] = fma(blocks, std, mean)
    if tail is not None:
        units[-16:] = box_muller64(tail, None, mean, std)
    return units
