"""Running sums and products as kernels against NumPy in float64, along every dimension and from both ends."""

import numpy as np
import pytest

from flambeau.kernels import build, fused, scans

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


@pytest.fixture(autouse=True)
def every_size(monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("shape", [(1,), (77,), (1, 1), (5, 9), (3, 4, 70), (7, 1, 3), (2, 130, 129)])
@pytest.mark.parametrize("product", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_running(dtype, shape, product, reverse):
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, shape) if dtype == np.int64 else 1 + 0.1 * rng.standard_normal(shape)
    x = x.astype(dtype)
    for axis in range(x.ndim):
        for array in (x, x[::-1], x.T.copy().T):
            wide = np.flip(array, axis) if reverse else array
            wide = wide if dtype == np.int64 else wide.astype(np.float64)
            expected = (np.cumprod if product else np.cumsum)(wide, axis)
            expected = np.flip(expected, axis) if reverse else expected
            made = scans.running(array, axis, product, reverse)
            np.testing.assert_allclose(made, expected, rtol=1e-6 if dtype == np.float32 else 1e-12)


def test_nan_and_infinity_stay_in_their_line():
    x = np.ones((6, 5), np.float32)
    x[1, 2], x[3, 0] = np.nan, np.inf
    for axis in (0, 1):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(scans.running(x, axis), np.cumsum(x, axis))


def test_small_numbers_are_not_lost():
    x = np.full(1 << 20, 1e-3, np.float32)
    x[0] = 1e4
    assert abs(scans.running(x, 0)[-1] - (1e4 + 1e-3 * (len(x) - 1))) < 1e-2


def test_wrong_sizes_touch_nothing():
    memory = np.full(200, 7, np.float32)
    y, x = memory[64:76], np.ones(12, np.float32)
    for thin, sizes in ((True, (3, 4, 1, 50, 1)), (False, (3, 2, 2, 50, 1))):
        f = scans.scan.get("f4", product=False, reverse=False, thin=thin)
        assert f(x, y, *sizes) and (memory[:64] == 7).all() and (memory[76:] == 7).all()
