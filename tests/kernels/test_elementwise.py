"""NumPy formulas on large arrays as fused loops, and what is left to NumPy."""

import ml_dtypes
import numpy as np
import pytest

from flambeau.kernels import build
from flambeau.kernels.elementwise import large, start

needs_llvm = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
RNG = np.random.default_rng(4)


def heard(formula):
    """The formula, and a list with an entry for each call of it on arrays."""
    calls = []

    def counted(*given):
        if isinstance(given[0], np.ndarray):
            calls.append(given)
        return formula(*given)

    return large(counted), calls


@needs_llvm
@pytest.mark.parametrize("formula", [np.add, np.multiply, np.divide, np.maximum, np.less,
                                     lambda a, b: np.where(a > b, a, b * b.dtype.type(2))])  # fmt: skip
def test_floats_that_broadcast(formula):
    f, calls = heard(formula)
    for dtype in ("f4", "f8"):
        x, y = (RNG.standard_normal((50, 40)).astype(dtype) for _ in range(2))
        for a, b in [(x, y), (x, y[:1]), (x[:, :1], y), (x.T, y.T), (x[::-1], y[:, ::-1]), (x, y[0, 0]), (x, y[:1, 0])]:
            made = f(a, b if isinstance(b, np.ndarray) else np.asarray(b))
            np.testing.assert_array_equal(made, formula(a, b))
    assert not calls


@needs_llvm
def test_scalars_are_run_time_numbers():
    f, calls = heard(np.multiply)
    x = RNG.standard_normal(100).astype("f4")
    for v in (0.1, 2.0, np.nan):
        np.testing.assert_array_equal(f(x, np.float32(v)), x * np.float32(v))
    assert not calls


@needs_llvm
@pytest.mark.parametrize("dtype", ["i8", "i4", "u1", "?", np.float16, ml_dtypes.bfloat16])
def test_other_dtypes(dtype):
    x, y = (np.abs(RNG.standard_normal(300) * 9).astype(dtype) for _ in range(2))
    for formula in (np.add, np.multiply, np.maximum, np.equal, np.divide):
        with np.errstate(all="ignore"):
            made, want = large(formula)(x, y), formula(x, y)
        assert made.dtype == want.dtype
        np.testing.assert_array_equal(made.astype("f8"), want.astype("f8"))


@needs_llvm
def test_what_has_no_loop_is_left_to_the_formula():
    f, calls = heard(np.hypot)
    x = RNG.standard_normal(50)
    np.testing.assert_array_equal(f(x, x), np.hypot(x, x))
    assert len(calls) == 1
    f, calls = heard(np.add)
    np.testing.assert_array_equal(f(x, x.astype("f4")), x + x.astype("f4"))
    np.testing.assert_array_equal(f(x + 1j, x + 1j), 2 * x + 2j)
    assert len(calls) == 2
    narrowed = large(np.hypot, lambda a, b: np.hypot(a.astype("f8"), b.astype("f8")).astype(a.dtype))
    assert narrowed(x.astype("f4"), x.astype("f4")).dtype == np.float32
    with pytest.raises(ValueError, match="broadcast"):
        large(np.add)(np.ones(3), np.ones(4))


def test_cheap_formulas_start_later():
    assert start(np.exp) <= start(np.divide) <= start(np.add)
