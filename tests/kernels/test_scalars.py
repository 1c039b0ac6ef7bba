"""The kernels' own elementary functions: accuracy over the whole range, and the special values."""

import math

import numpy as np
import pytest

from flambeau.kernels import build
from flambeau.kernels import scalars as s
from flambeau.kernels.build import kernel

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
wide_long_double = np.finfo(np.longdouble).nmant > 60


def compiled(function, arguments):
    def body(k, begin, end, *given):
        *values, y, _ = given
        for i in k.range(begin, end):
            y[i] = function(*[v[i] for v in values])

    body.__name__ = f"test_{function.__name__}"
    inputs = " ".join(f"x{i}:T=n" for i in range(arguments))
    return kernel(f"{inputs} y:T!=n n", work="n", cost="1")(body)


def _erf(x):
    return np.array([math.erf(v) for v in x.astype(np.float64)], np.longdouble)


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


# name: (units in the last place allowed in float32, in float64, reference where NumPy has another name or nothing)
ONE = {
    "exp": (1, 1, None), "log": (1, 1, None), "tanh": (1, 2, None), "sigmoid": (2, 2, _sigmoid), "erf": (2, 3, _erf),
    "exp2": (1, 2, None), "expm1": (1, 2, None), "log1p": (1, 2, None), "log2": (1, 1, None), "log10": (1, 1, None),
    "sinh": (1, 2, None), "cosh": (1, 2, None), "sin": (1, 1, None), "cos": (1, 1, None), "tan": (1, 1, None),
    "asin": (1, 1, np.arcsin), "acos": (1, 1, np.arccos), "atan": (1, 2, np.arctan),
    "softplus": (1, 2, lambda x: np.logaddexp(x, np.longdouble(0))), "rsqrt": (2, 2, lambda x: 1 / np.sqrt(x)),
    "sqrt": (0.5, 0.5, None), "absolute": (0, 0, None), "rint": (0, 0, None), "floor": (0, 0, None),
    "ceil": (0, 0, None), "trunc": (0, 0, None),
}  # fmt: skip
TWO = {"power": (1, 1, None), "atan2": (1, 2, np.arctan2), "fmod": (0, 0, None), "remainder": (0.5, 0.5, None)}
ALL = {**ONE, **TWO}
KERNELS = {name: compiled(getattr(s, name), 1 if name in ONE else 2) for name in ALL}


def special(dtype):
    f = np.finfo(dtype)
    positive = [0.0, np.inf, 0.5, 1, 2, 3, 2.5, f.max, f.max / 2, f.tiny, f.smallest_subnormal, 1e10, 2.0**23 + 1]
    return np.array([*positive, *(-v for v in positive), np.nan], dtype)


def samples(dtype, n):
    """Any bits, the usual range, around 1, small numbers, integers, special values."""
    rng = np.random.default_rng(0)
    bits = {4: np.uint32, 8: np.uint64}[np.dtype(dtype).itemsize]
    anything = rng.integers(0, np.iinfo(bits).max, n, bits, endpoint=True).view(dtype)
    parts = [anything, rng.uniform(-3, 3, n), rng.uniform(-1, 1, n), rng.uniform(-110, 95, n),
             rng.uniform(-760, 720, n // 2), 1 + rng.standard_normal(n // 2) * 1e-3,
             rng.standard_normal(n // 2) * 10.0 ** rng.uniform(-30, 12, n // 2), np.arange(-1080, 1080)]  # fmt: skip
    return np.concatenate([p.astype(dtype) for p in [*parts, special(dtype)]])


def pairs(dtype, n):
    """Samples with each other, every two special values, and pairs whose power is within range."""
    rng = np.random.default_rng(1)
    x = samples(dtype, n)
    a, b = (v.ravel() for v in np.meshgrid(special(dtype), special(dtype)))
    base = [rng.uniform(0, 20, n), rng.integers(-40, 40, n), 1 + rng.standard_normal(n) * 1e-4]
    other = [rng.uniform(-10, 10, n), rng.integers(-40, 40, n), rng.standard_normal(n) * 1e5]
    first, second = [x, a, *base], [rng.permutation(x), b, *other]
    return tuple(np.concatenate([p.astype(dtype) for p in parts]) for parts in (first, second))


def run(name, *arrays):
    y = np.empty_like(arrays[0])
    assert KERNELS[name].get(y.dtype.str[1:])(*arrays, y, y.size)
    return y


def reference(name, *arrays):
    """In more digits than the result has."""
    wider = [a.astype(np.longdouble) for a in arrays]
    return (ALL[name][2] or getattr(np, name))(*wider)


def distance(y, exact):
    """|y - exact| in units in the last place of y's dtype; inf where one of them is nan, or overflows alone."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(y.dtype)
        same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
        off = np.abs(y.astype(np.longdouble) - exact) / np.spacing(np.abs(rounded)).astype(np.longdouble)
        beside = np.abs(exact) > np.longdouble(np.finfo(y.dtype).max) * (1 - 2.0**-20)  # next to an overflow
    off = np.where(np.isinf(y) != np.isinf(rounded), np.where(beside, 0.0, np.inf), off)
    off = np.where(np.isnan(y) != np.isnan(rounded), np.inf, off)
    return np.where(same & ~np.isfinite(off), 0.0, off)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.skipif(
    not wide_long_double, reason="no type here has more digits than float64"))])  # fmt: skip
@pytest.mark.parametrize("name", ALL)
def test_accuracy_over_the_whole_range(name, dtype):
    n = 5_000 if name in ("erf", "fmod", "remainder") else 40_000
    arrays = (samples(dtype, n),) if name in ONE else pairs(dtype, n // 2)
    with np.errstate(all="ignore"):
        exact = reference(name, *arrays)
    y = run(name, *arrays)
    off = distance(y, exact)
    worst = int(off.argmax())
    limit = ALL[name][0 if dtype == np.float32 else 1]
    assert off[worst] <= limit, [a[worst] for a in arrays]
    zeros = (y == 0) & (exact == 0)
    assert (np.signbit(y) == np.signbit(exact))[zeros].all()


EXP_BELOW = compiled(s.exp_below, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_below(dtype):
    """exp where nothing overflows; the least normal numbers end it."""
    x = samples(dtype, 20000)
    x = np.concatenate([x[~(x > 80)], -np.linspace(80, 90, 999, dtype=dtype), -np.linspace(700, 720, 999, dtype=dtype)])
    y, tiny = np.empty_like(x), np.finfo(dtype).tiny
    assert EXP_BELOW.get(y.dtype.str[1:])(x, y, y.size)
    with np.errstate(invalid="ignore"):  # some samples are signalling nans
        exact = np.exp(x.astype(np.longdouble))
    ends = exact < tiny * 2
    assert (np.abs(y[ends]) <= tiny * 2).all() and not y[exact < tiny / 2].any()
    assert distance(y[~ends], exact[~ends]).max() < 1.01


def test_angles_next_to_a_multiple_of_a_quarter_turn():
    """Where the most digits of 2 / pi are needed; the numbers are from exact arithmetic."""
    x = np.array([6381956970095103 * 2.0**797, -6381956970095103 * 2.0**797, 1e22, 2.0**1023])
    np.testing.assert_array_max_ulp(run("cos", x)[0], -4.687165924254628e-19, 1)
    np.testing.assert_array_max_ulp(run("sin", x)[[2]], np.array([-0.8522008497671888]), 1)
    assert run("sin", x)[1] == -run("sin", x)[0] == -1
    single = np.array([16367173.0 * 2.0**72], np.float32)  # the float32 nearest to one
    exact = np.cos(single.astype(np.longdouble))
    assert distance(run("cos", single), exact).max() <= 1 and abs(exact[0]) < 1e-8


def test_tanh_where_its_two_formulas_meet():
    x = np.arange(0.85, 1.0, 2.0**-24).astype(np.float32)
    assert distance(run("tanh", x), np.tanh(x.astype(np.longdouble))).max() <= 1


@pytest.mark.parametrize("name", ALL)
def test_the_same_function_reads_in_numpy(name):
    x = np.linspace(0.01, 0.99, 500)
    given = (x,) if name in ONE else (x, x[::-1].copy())
    np.testing.assert_allclose(getattr(s, name)(*given), reference(name, *given).astype(float), rtol=1e-14, atol=1e-15)


def test_numbers_and_elements_mix():
    @kernel("x:T=n y:T!=n n exponent:d", work="n", cost="1")
    def test_mixed(k, begin, end, x, y, n, exponent):
        for i in k.range(begin, end):
            y[i] = s.power(x[i], exponent) + s.power(2.0, x[i]) + s.atan2(x[i], 1.0)

    x = np.linspace(0, 3, 50, dtype=np.float32)
    y = np.empty_like(x)
    assert test_mixed.get("f4")(x, y, 50, 2.5)
    np.testing.assert_allclose(y, x**2.5 + 2**x + np.arctan(x), rtol=1e-6)


def test_normal_cdf():
    x = np.concatenate([np.linspace(-13, 13, 40_001), special("f4")]).astype("f4")
    made = np.empty_like(x)
    kernel_of = compiled(s.normal_cdf, 1)
    assert kernel_of.get("f4")(x, made, x.size)
    exact = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x.astype("f8")])
    np.testing.assert_allclose(made, exact, rtol=0, atol=2e-7)
    np.testing.assert_allclose(made[x < 0], exact[x < 0], rtol=4e-6, atol=1e-38)
    x = x.astype("f8")
    wide = np.empty_like(x)
    assert kernel_of.get("f8")(x, wide, x.size)
    np.testing.assert_allclose(wide, exact, rtol=0, atol=1e-15)
