"""The kernels' own elementary functions: accuracy over the whole range, and the special values."""

import math

import numpy as np
import pytest

from flambeau.kernels import build
from flambeau.kernels import scalars as s
from flambeau.kernels.build import kernel

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


def compiled(function):
    def body(k, begin, end, x, y, n):
        for i in k.range(begin, end):
            y[i] = function(x[i])

    body.__name__ = f"test_{function.__name__}"
    return kernel("x:T=n y:T!=n n", work="n", cost="1")(body)


KERNELS = {f.__name__: compiled(f) for f in (s.exp, s.log, s.tanh, s.sigmoid, s.erf)}
LIMITS = {"exp": 1.0, "log": 1.0, "tanh": 2.0, "sigmoid": 2.0, "erf": 2.0}  # units in the last place, float32


def exact(name, x):
    """float64 values, good enough to judge float32 by."""
    x = x.astype(np.float64)
    if name == "erf":
        return np.array([math.erf(v) for v in x])
    if name == "sigmoid":
        e = np.exp(-np.abs(x))
        return np.where(x < 0, e, 1.0) / (1 + e)
    return getattr(np, name)(x)


def run(name, x):
    y = np.empty_like(x)
    assert KERNELS[name].get(x.dtype.str[1:])(x, y, x.size)
    return y


def distance(y, reference):
    """|y - reference| in units in the last place of y's dtype; 0 where both are the same inf or nan."""
    rounded = reference.astype(y.dtype)
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    off = np.abs(y.astype(np.float64) - reference) / np.spacing(np.abs(rounded)).astype(np.float64)
    # Next to an overflow one side may be the largest number and the other inf: that is one unit.
    off = np.where(np.isinf(y) != np.isinf(rounded), 1.0, off)
    return np.where(same & ~np.isfinite(off), 0.0, off)


@pytest.mark.parametrize("name", KERNELS)
def test_accuracy_over_all_of_float32(name):
    rng = np.random.default_rng(0)
    anything = rng.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    usual = rng.uniform(-3, 3, 100_000).astype(np.float32)
    wide = rng.uniform(-110, 95, 100_000).astype(np.float32)
    x = np.concatenate([anything, usual, wide])
    with np.errstate(all="ignore"):
        assert distance(run(name, x), exact(name, x)).max() <= LIMITS[name]


@pytest.mark.parametrize("name", KERNELS)
def test_float64_follows_numpy(name):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-3, 3, 20_000), rng.uniform(-745, 709, 5_000)])
    with np.errstate(all="ignore"):
        reference, y = exact(name, x), run(name, x)
        off = np.abs(y - reference) / np.spacing(np.maximum(np.abs(reference), np.finfo(float).tiny))
    assert np.nanmax(off) <= 4 and (np.isnan(y) == np.isnan(reference)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", KERNELS)
def test_special_values(name, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, tiny, -tiny, np.finfo(dtype).max, np.finfo(dtype).min], dtype)
    with np.errstate(all="ignore"):
        reference = exact(name, x).astype(dtype)
    y = run(name, x)
    np.testing.assert_allclose(y, reference, rtol=1e-6, atol=2 * tiny)
    if name in ("tanh", "erf"):
        assert np.signbit(y[1])


@pytest.mark.parametrize("name", KERNELS)
def test_the_same_function_reads_in_numpy(name):
    x = np.linspace(0.01, 5, 500)
    np.testing.assert_allclose(getattr(s, name)(x), exact(name, x), rtol=1e-14, atol=1e-15)
