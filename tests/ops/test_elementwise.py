"""Element-wise functions: values against NumPy and literals, edges, dtypes of results, in-place forms, errors."""

import math

import numpy as np
import pytest

import flambeau as torch

INF, NAN = float("inf"), float("nan")
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def same(actual, expected, dtype=None):
    """Equal values with nan = nan and the sign of zero; and the dtype, if given."""
    expected = np.asarray(expected)
    values = actual.to(torch.float32).numpy() if actual.dtype is torch.bfloat16 else actual.numpy()
    np.testing.assert_array_equal(values, expected)
    if expected.dtype.kind == "f":
        zeros = expected == 0
        np.testing.assert_array_equal(np.signbit(values[zeros]), np.signbit(expected[zeros]))
    if dtype is not None:
        assert actual.dtype is dtype


NUMPY = {
    "abs": np.abs, "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sqrt": np.sqrt, "square": np.square, "ceil": np.ceil, "floor": np.floor, "trunc": np.trunc,
    "round": np.rint, "neg": np.negative, "deg2rad": np.deg2rad, "rad2deg": np.rad2deg, "reciprocal": np.reciprocal,
    "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "signbit": np.signbit, "sinc": np.sinc,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NUMPY)
def test_against_numpy(name):
    x = np.array([-INF, -2.5, -1.0, -0.3, -0.0, 0.0, 0.3, 0.5, 1.0, 1.5, 2.5, 40.0, INF, NAN])
    for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 1e-6)):
        a = x.astype(dtype)
        found = getattr(torch, name)(torch.from_numpy(a))
        expected = NUMPY[name](a)
        np.testing.assert_allclose(found.numpy(), expected, rtol=tolerance, atol=tolerance)
        assert found.numpy().dtype == expected.dtype
        method = getattr(torch.from_numpy(a.copy()), name)()
        np.testing.assert_array_equal(method.numpy(), found.numpy())


def test_edges_of_unary_functions():
    x = torch.tensor([-2.0, -0.0, 0.0, 3.0, NAN])
    same(torch.sign(x), [-1, 0, 0, 1, 0])  # 0 for nan, as in PyTorch
    same(torch.sgn(torch.tensor([-4j, 0j], dtype=torch.complex128)), [-1j, 0])
    same(torch.relu(torch.tensor([-1.0, 2.0, NAN])), [0, 2, NAN])
    same(torch.frac(torch.tensor([-1.25, 1.25])), [-0.25, 0.25])
    same(torch.rsqrt(torch.tensor([0.0, 4.0, -1.0])), [INF, 0.5, NAN])
    same(torch.sigmoid(torch.tensor([-INF, -1000.0, 0.0, 1000.0])), [0, 0, 0.5, 1])
    same(torch.angle(torch.tensor([-1.0, 0.0, NAN])), np.array([math.pi, 0, NAN], np.float32))
    replaced = torch.nan_to_num(torch.tensor([NAN, INF, -INF, 1.0]), nan=5.0, posinf=7.0)
    same(replaced, [5, 7, np.finfo("f4").min, 1])
    same(torch.isposinf(torch.tensor([INF, -INF, 1])), [True, False, False], torch.bool)
    same(torch.isreal(torch.tensor([1 + 0j, 1j])), [True, False])
    same(torch.logical_not(torch.tensor([0.0, 2.0, NAN])), [True, False, False])
    same(torch.signbit(torch.tensor([-1, 0, 2])), [True, False, False])


def test_rounding_to_places():
    x = torch.tensor([0.5, 1.5, -2.5, 123.456], dtype=torch.float64)
    same(torch.round(x), [0.0, 2, -2, 123])
    same(torch.round(x, decimals=1), [0.5, 1.5, -2.5, 123.5])
    same(torch.round(x, decimals=-2), [0.0, 0, -0.0, 100])
    same(torch.round(torch.tensor([3, -4])), [3, -4], torch.int64)
    with pytest.raises(RuntimeError, match="not implemented for 'Long'"):
        torch.round(torch.tensor([3]), decimals=1)


def test_division_and_its_remainders():
    a = torch.tensor([7.0, -7.0, 7.0, -7.0, 0.0, 4.0, 1.0, 1.0])
    b = torch.tensor([3.0, 3.0, -3.0, -3.0, -2.0, -2.0, 0.0, -INF])
    same(torch.remainder(a, b), [1, 2, -2, -1, 0, 0, NAN, -INF])
    same(torch.fmod(a, b), [1, -1, 1, -1, 0, 0, NAN, 1])
    same(torch.floor_divide(a, b), [2, -3, -3, 2, -0.0, -2, INF, -1])
    same(torch.div(a, b, rounding_mode="trunc"), [2, -2, -2, 2, -0.0, -2, INF, -0.0])
    i, j = torch.tensor([7, -7, 7, -7]), torch.tensor([3, 3, -3, -3])
    same(i // j, [2, -3, -3, 2], torch.int64)
    same(i % j, [1, 2, -2, -1], torch.int64)
    same(i.fmod(j), [1, -1, 1, -1], torch.int64)
    same(torch.div(i, j, rounding_mode="trunc"), [2, -2, -2, 2], torch.int64)
    same(i / j, np.array([7 / 3, -7 / 3, -7 / 3, 7 / 3], np.float32), torch.float32)
    same(7 % torch.tensor([4, -4]), [3, -1])
    for f in (torch.floor_divide, torch.remainder, torch.fmod):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            f(i, 0)


def test_powers():
    same(torch.tensor([2, -3]) ** 3, [8, -27], torch.int64)
    same(torch.tensor([1, -1, 2]) ** torch.tensor([-3, -3, -1]), [1, -1, 0], torch.int64)
    same(2 ** torch.tensor([3.0, -1.0]), [8, 0.5])
    same(torch.tensor([-8.0, 4.0]) ** 0.5, [NAN, 2])
    same(torch.float_power(torch.tensor([2]), -2), [0.25], torch.float64)
    same(torch.ldexp(torch.tensor([1.5, -3.0]), torch.tensor([4, -1])), [24, -1.5])
    same(torch.exp2(torch.tensor([3])), [8.0], torch.float32)
    with pytest.raises(RuntimeError, match="Integers to negative integer powers are not allowed"):
        torch.tensor([2]) ** -1
    with pytest.raises(RuntimeError, match="dtype Float but the operation's result requires dtype Double"):
        torch.ones(2).float_power_(2)
    mantissa, exponent = torch.frexp(torch.tensor([3.0, -0.25, 0.0]))
    same(mantissa, [0.75, -0.5, 0])
    same(exponent, [2, -1, 0], torch.int32)


def test_extrema_and_clamping():
    a, b = torch.tensor([1.0, NAN, 3.0]), torch.tensor([2.0, 2.0, NAN])
    same(torch.maximum(a, b), [2, NAN, NAN])
    same(torch.minimum(a, b), [1, NAN, NAN])
    same(torch.fmax(a, b), [2, 2, 3])
    same(torch.fmin(a, b), [1, 2, 3])
    x = torch.tensor([-1.0, 0.5, 2.0, NAN])
    same(x.clamp(0, 1), [0, 0.5, 1, NAN])
    same(x.clamp(min=0), [0, 0.5, 2, NAN])
    same(torch.clip(x, max=1), [-1, 0.5, 1, NAN])
    same(torch.clamp(x, 2, 1), [1, 1, 1, NAN])  # the maximum wins
    same(torch.clamp(x, torch.zeros(4), torch.tensor(1.0)), [0, 0.5, 1, NAN])
    same(torch.clamp(torch.tensor([1, 5]), 2.5), [2.5, 5], torch.float32)
    with pytest.raises(RuntimeError, match="At least one of 'min' or 'max' must not be None"):
        torch.clamp(x)
    with pytest.raises(TypeError):
        torch.clamp(x, torch.zeros(4), 1)
    with pytest.raises(NotImplementedError):
        torch.maximum(torch.tensor([1j]), torch.tensor([1j]))


def test_integers_and_bits():
    a, b = torch.tensor([12, -18, 0]), torch.tensor([18, 12, 5])
    same(torch.gcd(a, b), [6, 6, 5])
    same(torch.lcm(a, b), [36, 36, 0])
    same(a & b, [0, 12, 0])
    same(a | b, [30, -18, 5])
    same(a ^ 1, [13, -17, 1])
    same(~a, [-13, 17, -1])
    same(torch.tensor([1, -8]) << 2, [4, -32])
    same(torch.tensor([1, -8]) >> 70, [0, -1])
    same(torch.tensor([1, -8]) << 70, [0, 0])
    same(5 << torch.tensor([3]), [40])
    flags = torch.tensor([True, False])
    same(flags & torch.tensor([True, True]), [True, False], torch.bool)
    same(~flags, [False, True], torch.bool)
    same(flags ^ True, [False, True], torch.bool)
    x = torch.tensor([1.0])
    for f in (lambda: x & 1, lambda: torch.bitwise_not(x), lambda: torch.tensor([1]) << 1.0, lambda: torch.gcd(x, x)):
        with pytest.raises(NotImplementedError, match="not implemented for 'Float'"):
            f()
    with pytest.raises(TypeError, match="only implemented on integer and Boolean-type tensors"):
        ~torch.tensor([1.0])


def test_logic_and_comparison():
    a, b = torch.tensor([0.0, 1.0, NAN]), torch.tensor([2, 0, 0])
    same(torch.logical_and(a, b), [False, False, False], torch.bool)
    same(torch.logical_or(a, b), [True, True, True])
    same(torch.logical_xor(a, b), [True, True, True])
    same(a == a, [True, True, False], torch.bool)
    same(torch.less_equal(b, 1), [False, True, True])
    assert torch.equal(torch.tensor([1, 2]), torch.tensor([1.0, 2.0]))
    assert not torch.equal(torch.tensor([1]), torch.tensor([[1]]))
    x, y = torch.tensor([1.0, INF, NAN, 1.0]), torch.tensor([1 + 1e-6, INF, NAN, 1.1])
    same(torch.isclose(x, y), [True, True, False, False])
    same(torch.isclose(x, y, equal_nan=True, atol=0.2), [True, True, True, True])
    assert torch.allclose(x[:2], y[:2]) and not torch.allclose(x, y)
    with pytest.raises(RuntimeError, match="Float did not match Long"):
        torch.isclose(x, torch.tensor([1, 2, 3, 4]))
    with pytest.raises(RuntimeError, match="rtol must be greater than or equal to zero"):
        torch.isclose(x, y, rtol=-1)
    with pytest.raises(NotImplementedError, match="not implemented for 'ComplexFloat'"):
        torch.tensor([1j]) < 1
    with pytest.raises(TypeError):
        torch.logical_and(a, 1)
    values = torch.tensor([-1.0, 0.0, 2.0])
    same(torch.heaviside(values, torch.tensor(0.5)), [0, 0.5, 1])
    with pytest.raises(RuntimeError, match="different dtypes"):
        torch.heaviside(values, torch.tensor([1]))


def test_two_and_three_tensors():
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([4.0, -1.0])
    same(torch.hypot(a, b), [5, 1])
    np.testing.assert_allclose(torch.atan2(a, b).numpy(), np.arctan2([3, 0], [4, -1]), rtol=1.2e-7)
    same(torch.copysign(a, torch.tensor([-0.0, 1.0])), [-3, 0])
    same(torch.logaddexp(torch.tensor([-INF, 1000.0]), torch.tensor([-INF, -INF])), [-INF, 1000])
    same(torch.logaddexp2(torch.tensor([3.0]), torch.tensor([3.0])), [4])
    same(torch.xlogy(torch.tensor([0.0, 0.0, 2.0]), torch.tensor([0.0, NAN, 1.0])), [0, NAN, 0])
    same(torch.nextafter(torch.tensor([0.0]), torch.tensor([1.0])), np.float32([1.401298464324817e-45]))
    same(torch.rsub(a, 1), [-2, 1])
    same(torch.rsub(a, b, alpha=2), [-2, -1])
    same(torch.add(a, b, alpha=2), [11, -2])
    same(torch.lerp(a, b, 0.5), [3.5, -0.5])
    same(torch.lerp(a, b, torch.tensor([0.0, 1.0])), [3, -1])
    same(torch.addcmul(a, b, b, value=0.5), [11, 0.5])
    same(torch.addcdiv(a, a, b), [3.75, 0])
    same(torch.addcmul(torch.tensor([1]), torch.tensor([2]), torch.tensor([3])), [7], torch.int64)
    with pytest.raises(RuntimeError, match="Integer division with addcdiv is no longer supported"):
        torch.addcdiv(torch.tensor([1.0]), torch.tensor([2]), torch.tensor([3]))
    with pytest.raises(RuntimeError, match="expected dtype float for `end` but got dtype double"):
        torch.lerp(a, b.double(), 0.5)
    with pytest.raises(RuntimeError, match=r"The size of tensor a \(2\) must match the size of tensor b \(3\)"):
        torch.hypot(a, torch.ones(3))
    with pytest.raises(RuntimeError, match="must match the size"):
        torch.lerp(a, torch.ones(3), 0.5)


def test_complex_parts():
    z = torch.tensor([3 + 4j, -1j], dtype=torch.complex128)
    same(z.real, [3, 0])
    same(z.imag, [4.0, -1])
    same(z.abs(), [5, 1], torch.float64)
    same(z.angle(), np.angle([3 + 4j, -1j]))
    same(z.conj(), [3 - 4j, 1j])
    same(torch.view_as_real(z), [[3, 4], [0, -1]])
    same(torch.view_as_complex(torch.tensor([[1.0, 2.0]])), np.complex64([1 + 2j]))
    same(torch.complex(torch.tensor([1.0]), torch.tensor([2.0])), [1 + 2j], torch.complex64)
    np.testing.assert_allclose(torch.polar(torch.tensor([2.0]), torch.tensor([math.pi / 2])).numpy(), [2j], atol=1e-6)
    z.real[0] = 7.0  # a view
    z.imag = torch.tensor([1.0, 2.0], dtype=torch.float64)
    same(z, [7 + 1j, 2j])
    torch.view_as_real(z)[1, 0] = 9
    same(z, [7 + 1j, 9 + 2j])
    x = torch.ones(2)
    assert x.real is x and x.conj() is x and torch.conj_physical(x) is x
    with pytest.raises(RuntimeError, match="imag is not implemented for tensors with non-complex dtypes"):
        x.imag
    with pytest.raises(RuntimeError, match="view_as_real is only supported for complex tensors"):
        torch.view_as_real(x)
    with pytest.raises(RuntimeError, match="Tensor must have a last dimension of size 2"):
        torch.view_as_complex(torch.ones(3))
    with pytest.raises(RuntimeError, match="In-place abs is not supported for complex tensors"):
        z.abs_()
    with pytest.raises(RuntimeError, match="Expected both inputs to be Half, Float or Double"):
        torch.complex(torch.tensor([1]), torch.tensor([2]))


# ---------------------------------------------------------------------------------------------- dtypes


@pytest.mark.parametrize("name", ["sin", "exp", "sqrt", "erf", "lgamma", "sigmoid", "reciprocal", "atan", "log1p"])
def test_float_functions_of_integers(name):
    f = getattr(torch, name)
    for dtype in (torch.bool, *INTEGERS):
        assert f(torch.ones(2, dtype=dtype)).dtype is torch.float32
    for dtype in FLOATS:
        assert f(torch.ones(2, dtype=dtype)).dtype is dtype


def test_promotion():
    one = {d: torch.ones(2, dtype=d) for d in (torch.bool, *INTEGERS, *FLOATS, torch.complex64, torch.complex128)}
    zero_dim = torch.tensor(2.0, dtype=torch.float64)
    table = [
        (one[torch.int32] + one[torch.uint8], torch.int32), (one[torch.int8] + one[torch.uint8], torch.int16),
        (one[torch.int64] * 1.5, torch.float32), (one[torch.float16] * one[torch.int64], torch.float16),
        (one[torch.float16] + one[torch.bfloat16], torch.float32), (one[torch.float32] + zero_dim, torch.float32),
        (one[torch.int32] + zero_dim, torch.float64), (one[torch.bool] + 1, torch.int64),
        (one[torch.bool] + one[torch.bool], torch.bool), (one[torch.float64] + 1j, torch.complex128),
        (one[torch.bfloat16] * 1j, torch.complex64), (one[torch.float64] * one[torch.complex64], torch.complex128),
        (one[torch.int8] / one[torch.int8], torch.float32), (one[torch.int8] // 2, torch.int8),
        (one[torch.int8] * 1000, torch.int8), (torch.atan2(one[torch.int8], one[torch.int64]), torch.float32),
        (torch.square(one[torch.bool]), torch.int64), (one[torch.bool] ** 2, torch.int64),
        (torch.add(one[torch.int8], one[torch.bool], alpha=2), torch.int8),
        (torch.xlogy(one[torch.int8], 2), torch.float32), (torch.abs(one[torch.complex64]), torch.float32),
    ]  # fmt: skip
    for made, dtype in table:
        assert made.dtype is dtype
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.sin(one[torch.int32]).dtype is torch.float64 and (one[torch.int32] / 2).dtype is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_bool_arithmetic_is_refused():
    flags = torch.tensor([True])
    for f in (lambda: flags - 1, lambda: 1 - flags, lambda: torch.ones(1) - flags, lambda: torch.rsub(flags, 1)):
        with pytest.raises(RuntimeError, match="Subtraction, the `-` operator, with a bool tensor is not supported"):
            f()
    with pytest.raises(RuntimeError, match="with two bool tensors"):
        flags - flags
    with pytest.raises(RuntimeError, match="Negation, the `-` operator, on a bool tensor"):
        -flags
    with pytest.raises(RuntimeError, match="The `\\+` operator, on a bool tensor"):
        +flags
    for f in (torch.ceil, torch.frac, torch.abs, lambda x: x // x, lambda x: x % x, lambda x: x**x):
        with pytest.raises(NotImplementedError, match="not implemented for 'Bool'"):
            f(flags)


def test_integers_wrap_around():
    same(torch.tensor([127], dtype=torch.int8) + 1, [-128])
    same(-torch.tensor([1], dtype=torch.uint8), [255])
    same(torch.abs(torch.tensor([-128], dtype=torch.int8)), [-128])


# ---------------------------------------------------------------------------------------------- forms


def test_in_place_out_and_aliases():
    x = torch.tensor([0.25, 4.0])
    y = x
    assert x.sqrt_() is y
    same(y, [0.5, 2])
    x.mul_(2).add_(1, alpha=3).clamp_(max=5)
    same(x, [4, 5])
    out = torch.empty(0)
    assert torch.lgamma(torch.tensor([1.0, 2.0]), out=out) is out
    same(out, [0, 0])
    same(torch.arccos(torch.tensor([1.0])), [0])
    same(torch.special.expit(torch.tensor([0.0])), [0.5])
    aliases = {"abs": "absolute", "atan2": "arctan2", "clamp": "clip", "trunc": "fix", "neg": "negative"}
    for short, long in aliases.items():
        assert getattr(torch, short) is getattr(torch, long)
    i = torch.tensor([1, 2])
    for f in (i.sqrt_, lambda: i.div_(2), lambda: i.add_(1.5), lambda: i.mul_(1j)):
        with pytest.raises(RuntimeError, match="can't be cast to the desired output type Long"):
            f()
    same(i.add_(torch.tensor([1], dtype=torch.int8)), [2, 3])
    i |= 8
    same(i, [10, 11])
    i <<= 1
    i %= 16
    same(i, [4, 6])
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        torch.ones(2).hypot_(torch.ones(3, 2))
    with pytest.raises(TypeError, match="argument 'other' \\(position 2\\) must be Tensor, not int"):
        torch.gcd(i, 2)
    with pytest.raises(TypeError, match="argument 'input' \\(position 1\\) must be Tensor, not float"):
        torch.erf(1.0)


def test_multivariate_and_polygamma():
    x = torch.tensor([3.0, 4.5], dtype=torch.float64)
    expected = sum(np.array([math.lgamma(v - i / 2) for v in (3.0, 4.5)]) for i in range(3)) + 1.5 * math.log(math.pi)
    np.testing.assert_allclose(torch.mvlgamma(x, 3).numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(torch.polygamma(1, torch.tensor([1.0])).numpy(), [math.pi**2 / 6], rtol=1e-6)
    np.testing.assert_array_equal(x.polygamma(0).numpy(), torch.digamma(x).numpy())
    with pytest.raises(RuntimeError, match="does not support negative n"):
        torch.polygamma(-1, x)
    with pytest.raises(RuntimeError, match="p has to be greater than or equal to 1"):
        torch.mvlgamma(x, 0)


def test_shapes_only():
    x = torch.empty(100_000, 1, 100_000, device="meta")
    y = torch.empty(7, 1, device="meta")
    for f in (torch.hypot, torch.atan2, torch.remainder, torch.fmod, torch.maximum, torch.xlogy, torch.special.zeta,
              torch.copysign, torch.lt, torch.logical_and, torch.div, torch.pow, torch.logaddexp):  # fmt: skip
        made = f(x, y)
        assert made.shape == (100_000, 7, 100_000) and made.device.type == "meta"
    for f in (torch.erf, torch.sinc, torch.nan_to_num, torch.sign, torch.sigmoid, torch.logit, torch.round, torch.isinf,
              torch.digamma, torch.lgamma, torch.angle, lambda t: t.clamp(0, 1), torch.signbit):  # fmt: skip
        assert f(x).shape == x.shape
