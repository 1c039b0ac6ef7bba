"""Conversions of 16-bit floats: every value, every rounding, the same bits as NumPy's."""

import itertools

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import build, casts, fused

TYPES = [np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16), np.dtype(np.float32), np.dtype(np.float64)]


def values(dtype):
    """Every 16-bit number; in wider types these, the numbers half-way between neighbours, and any others."""
    bits = np.arange(65536, dtype=np.uint16)
    if dtype.itemsize == 2:
        return bits.view(dtype)
    rng = np.random.default_rng(0)
    with np.errstate(all="ignore"):
        single = [rng.integers(0, 2**32, 100_000, np.uint32).view(np.float32)]
        for half in TYPES[:2]:
            one, next_ = (b.view(half).astype(np.float32) for b in (bits, bits + np.uint16(1)))
            single += [one, (one + next_) / 2, np.nextafter(one, np.float32(0))]
        return np.concatenate(single).astype(dtype)


@pytest.mark.parametrize("frm, to", itertools.permutations(TYPES, 2), ids=str)
def test_the_same_bits_as_numpy(frm, to):
    x = values(frm)
    with np.errstate(all="ignore"):
        made, expected = casts.cast(x, to), x.astype(to)
    assert made.dtype == to
    nan = np.isnan(expected.astype(np.float32))
    assert (np.isnan(made.astype(np.float32)) == nan).all()
    bits = f"u{to.itemsize}"
    assert (made.view(bits) == expected.view(bits))[~nan].all()


@pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
def test_layouts_and_sizes(monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)
    rng = np.random.default_rng(0)
    single, half = TYPES[2], TYPES[1]
    for shape in [(1,), (0,), (7, 0), (33, 65), (3, 5, 7)]:
        x = rng.standard_normal(shape).astype(single)
        for a in (x, x.T, x[..., ::2], x[::-1], np.broadcast_to(x[:1], shape)):
            made = casts.cast(a, half)
            assert made.shape == a.shape and (made == a.astype(half)).all()
            assert (casts.cast(made, single) == made.astype(single)).all()
    x = np.ones(5, single)
    assert casts.cast(x, single) is not x and casts.cast(x, single, copy=False) is x
    assert casts.cast(np.arange(5), single).dtype == single
