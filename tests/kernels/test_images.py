"""Batches of images through a table of their bytes, against NumPy; bad numbers and sizes touch nothing."""

import numpy as np
import pytest

from flambeau.kernels import build, fused
from flambeau.kernels.images import BYTES, images, look_up

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


@pytest.fixture(autouse=True)
def every_size(monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)


def case(count, height, width, channels, dtype, rows, seed=0):
    rng = np.random.default_rng(seed)
    shape = (count, height, width) + (() if channels == 1 else (channels,))
    table = rng.standard_normal((channels, BYTES)).astype(dtype)
    table[:, 7] = np.nan
    return rng.integers(0, BYTES, shape, np.uint8), rng.integers(-count, count, rows), table


def expected(pixels, index, table):
    chosen = pixels[index].reshape(len(index), *pixels.shape[1:3], len(table))
    return np.stack([row[chosen[..., c]] for c, row in enumerate(table)], 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width", "rows"), [(1, 1, 1), (3, 5, 7), (28, 28, 64), (32, 32, 129)])
def test_as_numpy(height, width, rows, channels, dtype):
    given = case(20, height, width, channels, dtype, rows)
    found = images(*given)
    assert found.dtype == dtype and found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected(*given))


def test_what_does_not_fit_is_left_to_numpy():
    pixels, index, table = case(4, 3, 3, 1, np.float32, 5)
    assert images(pixels[:, ::-1], index, table) is None
    assert images(pixels, index.astype(np.int32), table) is None
    assert images(pixels.astype(np.int64), index, table) is None
    assert images(pixels, index, table.astype(np.float16)) is None
    assert images(pixels, index, table[:, :200]) is None
    assert images(pixels, index[:0], table) is None
    two = case(4, 3, 3, 2, np.float32, 5)
    assert images(*two) is None


def test_bad_numbers_touch_nothing():
    pixels, _, table = case(4, 3, 3, 1, np.float32, 1)
    index = np.array([4, -5, 2**62, -(2**63), 1])
    memory = np.full(64 + index.size * 9 + 64, 3, np.float32)
    out = memory[64:-64]
    assert look_up.get("f4", several=1)(pixels, index, table, out, 4, 9, 1, BYTES, index.size)
    np.testing.assert_array_equal(out[-9:], table[0][pixels[1].ravel()])
    assert (memory[: 64 + 4 * 9] == 3).all() and (memory[-64:] == 3).all()


def test_sizes_are_checked():
    pixels, index, table = case(4, 3, 3, 3, np.float32, 5)
    out = np.zeros((5, 3, 3, 3), np.float32)
    f = look_up.get("f4", several=3)
    assert f(pixels, index, table, out, 4, 9, 3, BYTES, 5)
    assert not f(pixels, index, table, out, 4, 27, 1, BYTES, 5)  # as many bytes, but of other channels
    assert not f(pixels, index, table[:, :255].copy(), out, 4, 9, 3, 255, 5)
    assert not f(pixels, index, table, out[:4], 4, 9, 3, BYTES, 5)
    assert not f(pixels[:3], index, table, out, 4, 9, 3, BYTES, 5)
