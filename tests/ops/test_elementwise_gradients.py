"""Gradients of element-wise functions against finite differences, twice; and their values where those have no say."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck, gradgradcheck

INF, NAN = float("inf"), float("nan")


def samples(low, high, shape=(2, 3), seed=0):
    x = np.random.default_rng(seed).uniform(low, high, shape)
    return torch.from_numpy(x).requires_grad_()


def complex_samples(shape=(2, 3), seed=0):
    r = np.random.default_rng(seed)
    return torch.from_numpy(r.uniform(0.2, 0.9, shape) + 1j * r.uniform(0.2, 0.9, shape)).requires_grad_()


UNARY = {
    "abs": (-2, 2), "acos": (-0.9, 0.9), "acosh": (1.2, 4), "asin": (-0.9, 0.9), "asinh": (-2, 2), "atan": (-2, 2),
    "atanh": (-0.9, 0.9), "cos": (-2, 2), "cosh": (-2, 2), "deg2rad": (-2, 2), "rad2deg": (-2, 2), "exp": (-2, 2),
    "exp2": (-2, 2), "expm1": (-2, 2), "log": (0.2, 3), "log10": (0.2, 3), "log1p": (-0.5, 3), "log2": (0.2, 3),
    "neg": (-2, 2), "reciprocal": (0.5, 2), "rsqrt": (0.5, 2), "sqrt": (0.5, 2), "square": (-2, 2), "sin": (-2, 2),
    "sinh": (-2, 2), "sinc": (0.2, 2), "sigmoid": (-2, 2), "tan": (-1, 1), "tanh": (-2, 2), "frac": (0.1, 0.8),
    "erf": (-2, 2), "erfc": (-2, 2), "erfinv": (-0.8, 0.8), "lgamma": (0.3, 4), "digamma": (0.5, 4), "i0": (-3, 3),
    "logit": (0.1, 0.9), "nan_to_num": (-1, 1), "relu": (0.2, 2),
    "special.erfcx": (-1, 2), "special.ndtr": (-2, 2), "special.log_ndtr": (-3, 2), "special.ndtri": (0.1, 0.9),
    "special.entr": (0.2, 2), "special.i0e": (0.3, 3), "special.i1": (0.3, 3), "special.i1e": (0.3, 3),
}  # fmt: skip


def find(name):
    where = torch
    for part in name.split("."):
        where = getattr(where, part)
    return where


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    x = samples(*UNARY[name])
    f = find(name)
    assert gradcheck(f, (x,))
    assert gradgradcheck(f, (x,))


HOLOMORPHIC = ("acos acosh asin asinh atan atanh cos cosh exp exp2 expm1 log log10 log1p log2 neg reciprocal rsqrt "
               "sqrt square sin sinh sinc sigmoid tan tanh").split()  # fmt: skip


@pytest.mark.parametrize("name", [*HOLOMORPHIC, "abs", "angle", "sgn", "conj", "conj_physical", "real", "imag",
                                  "view_as_real"])  # fmt: skip
def test_complex_unary(name):
    z = complex_samples()
    f = find(name)
    assert gradcheck(f, (z,))
    assert gradgradcheck(f, (z,))


BINARY = {
    "add": (-2, 2), "sub": (-2, 2), "mul": (-2, 2), "div": (0.5, 2), "pow": (0.5, 2), "atan2": (0.5, 2),
    "hypot": (0.5, 2), "fmod": (0.6, 0.9), "remainder": (0.6, 0.9), "maximum": (-2, 2), "minimum": (-2, 2),
    "fmax": (-2, 2), "fmin": (-2, 2), "copysign": (0.5, 2), "logaddexp": (-2, 2), "logaddexp2": (-2, 2),
    "xlogy": (0.5, 2), "special.xlog1py": (0.5, 2), "float_power": (0.5, 2), "ldexp": (-2, 2), "rsub": (-2, 2),
    "complex": (-2, 2), "polar": (0.5, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    x, y = samples(*BINARY[name], seed=1), samples(*BINARY[name], shape=(3,), seed=2)
    f = find(name)
    assert gradcheck(f, (x, y))
    assert gradgradcheck(f, (x, y))


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "logaddexp"])
def test_complex_binary(name):
    x, y = complex_samples(seed=1), complex_samples((3,), seed=2)
    assert gradcheck(find(name), (x, y))
    assert gradgradcheck(find(name), (x, y))
    assert gradcheck(find(name), (x, samples(0.5, 2, (3,))))  # a real operand gets a real gradient


def test_one_sided():
    x, y = samples(0.5, 3), samples(0.5, 3, seed=3)
    a = y.detach()
    assert gradcheck(lambda x: torch.igamma(a, x), (x,)) and gradcheck(lambda x: torch.igammac(a, x), (x,))
    assert gradcheck(lambda x: torch.special.zeta(a + 2, x), (x,))
    assert gradgradcheck(lambda x: torch.special.zeta(a + 2, x), (x,))
    assert gradcheck(lambda x: 2.0**x, (x,)) and gradcheck(lambda x: x**-1.5, (x,))
    assert gradcheck(lambda x: 1.0 / x, (x,)) and gradcheck(lambda x: 3 - x, (x,))
    for n in range(4):
        assert gradcheck(lambda x: torch.polygamma(n, x), (x,))
    assert gradcheck(lambda x: torch.mvlgamma(x + 1, 3), (x,))
    assert gradcheck(lambda x: torch.logit(x, 0.1), (samples(0.2, 0.8),))
    assert gradcheck(lambda x: torch.frexp(x)[0], (samples(1.1, 1.9),))


def test_three_tensors():
    x, y, w = (samples(0.5, 2, seed=i) for i in (1, 2, 3))
    for f in (torch.lerp, torch.addcmul, torch.addcdiv):
        assert gradcheck(f, (x, y, w)) and gradgradcheck(f, (x, y, w))
    assert gradcheck(lambda x, y: torch.lerp(x, y, 0.3), (x, y)) and gradcheck(lambda x, y: x.lerp(y, 0.7), (x, y))
    assert gradcheck(lambda *t: torch.addcmul(*t, value=-2.5), (x, y, w))
    assert gradcheck(lambda *t: torch.addcdiv(*t, value=-2.5), (x, y, w))
    z = [complex_samples(seed=i) for i in (1, 2, 3)]
    for f in (torch.lerp, torch.addcmul, torch.addcdiv):
        assert gradcheck(f, z)
    low, high = samples(-0.6, -0.2, (3,)), samples(0.2, 0.6, (3,))
    assert gradcheck(torch.clamp, (samples(-1, 1), low, high))
    assert gradcheck(lambda x: x.clamp(-0.5, 0.5), (samples(-1, 1),))


def gradient(f, *values, dtype=torch.float64):
    leaves = [torch.tensor(v, dtype=dtype, requires_grad=True) for v in values]
    f(*leaves).sum().backward()
    grads = [leaf.grad.numpy().tolist() for leaf in leaves]
    return grads[0] if len(grads) == 1 else grads


def same(actual, expected):
    np.testing.assert_array_equal(np.array(actual), np.array(expected))


def test_kinks_and_ties():
    same(gradient(torch.abs, [-1.0, 0.0, 2.0]), [-1, 0, 1])
    same(gradient(torch.relu, [-1.0, 0.0, 2.0]), [0, 0, 1])
    same(gradient(torch.sgn, [-1.0, 0.0]), [0, 0])
    for f in (torch.sign, torch.floor, torch.ceil, torch.trunc, torch.round):
        same(gradient(f, [-1.3, 0.0, 2.0]), [0, 0, 0])
    same(gradient(torch.maximum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), [[0.5, 0, 1], [0.5, 1, 0]])
    same(gradient(torch.minimum, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]), [[0.5, 1, 0], [0.5, 0, 1]])
    same(gradient(torch.fmax, [1.0, NAN, 3.0], [1.0, 3.0, NAN]), [[1, 0, 1], [0, 1, 0]])
    same(gradient(torch.fmin, [1.0, NAN, 3.0], [1.0, 3.0, NAN]), [[1, 0, 1], [0, 1, 0]])
    same(gradient(lambda x: x.clamp(0, 1), [-1.0, 0.0, 0.5, 1.0, 2.0]), [0, 1, 1, 1, 0])
    same(gradient(lambda x: x.clamp_min(0), [-1.0, 0.0, 0.5]), [0, 1, 1])
    same(gradient(lambda x: x.clamp_max(0), [-1.0, 0.0, 0.5]), [1, 1, 0])
    same(gradient(lambda x: x.clamp(0, 1), [NAN]), [0])
    same(gradient(lambda x: x.nan_to_num(), [1.0, NAN, INF, -INF]), [1, 0, 0, 0])


def test_singular_points():
    same(gradient(lambda x: x**2, [0.0]), [0])
    same(gradient(lambda x: x**0, [0.0]), [0])
    same(gradient(lambda x, y: x**y, [0.0], [0.0]), [[0], [0]])
    same(gradient(lambda x, y: x**y, [0.0], [2.0]), [[0], [0]])
    same(gradient(torch.atan2, [0.0], [0.0]), [[0], [0]])
    same(gradient(torch.sqrt, [0.0]), [INF])
    same(gradient(torch.sinc, [0.0]), [0])
    second = gradient(lambda x: torch.autograd.grad(x.sinc().sum(), x, create_graph=True)[0], [0.0, 1e-4])
    np.testing.assert_allclose(second, -(np.pi**2) / 3, rtol=1e-7)
    same(gradient(torch.special.i1, [0.0]), [0.5])
    same(gradient(torch.special.i1e, [0.0]), [0.5])
    same(gradient(torch.xlogy, [0.0], [0.0])[0], [0])
    same(gradient(lambda x: torch.logit(x, 0.2), [0.1, 0.9]), [0, 0])
    assert np.isnan(gradient(torch.hypot, [0.0], [0.0])).all()
    same(gradient(lambda x, y: torch.div(x, y, rounding_mode="floor"), [7.0], [2.0]), [[0], [0]])
    same(gradient(lambda x, y: torch.div(x, y, rounding_mode="trunc"), [7.0], [2.0]), [[0], [0]])


def test_broadcast_and_dtypes():
    x = torch.ones(2, 1, dtype=torch.float64, requires_grad=True)
    y = torch.ones(3, requires_grad=True)
    torch.atan2(x, y).sum().backward()
    assert x.grad.dtype is torch.float64 and x.grad.shape == (2, 1)
    assert y.grad.dtype is torch.float32 and y.grad.shape == (3,)
    half = torch.tensor([0.5], dtype=torch.bfloat16, requires_grad=True)
    torch.lgamma(half).sum().backward()
    assert half.grad.dtype is torch.bfloat16


def test_parts_of_complex_tensors():
    z = torch.tensor([3 + 4j], dtype=torch.complex128, requires_grad=True)
    z.abs().sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), [0.6 + 0.8j])
    z.grad = None
    (2 * z.imag).sum().backward()
    same(z.grad.numpy(), [2j])
    z.grad = None
    (z * z.conj()).real.sum().backward()
    same(z.grad.numpy(), [6 + 8j])
    x = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    torch.view_as_complex(x).abs().sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.full((3, 2), 0.5**0.5))


def test_names_of_nodes():
    x = torch.ones(2, requires_grad=True)
    for f, name in ((torch.log1p, "Log1PBackward0"), (torch.special.erfcx, "SpecialErfcxBackward0"),
                    (torch.square, "PowBackward0"), (lambda x: x.clamp(0, 1), "ClampBackward1"),
                    (lambda x: torch.div(x, 2, rounding_mode="floor"), "DivBackward2"),
                    (lambda x: torch.lerp(x, x, 0.5), "LerpBackward0")):  # fmt: skip
        assert f(x).grad_fn.name() == name


def test_what_has_no_derivative_says_so():
    x, y = (torch.tensor([v], requires_grad=True) for v in (2.0, 3.0))
    for f in (torch.igamma, torch.igammac, torch.special.zeta, torch.floor_divide, torch.heaviside):
        with pytest.raises(NotImplementedError, match="derivative for aten::.* is not implemented"):
            f(x, y).sum().backward()
    for name in ("bessel_j0", "airy_ai", "modified_bessel_k1"):
        assert not getattr(torch.special, name)(x).requires_grad
