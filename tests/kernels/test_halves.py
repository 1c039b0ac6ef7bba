"""Kernels that read and write 16-bit floats and compute in float32."""

import ml_dtypes
import numpy as np
import pytest

import flambeau as torch
from flambeau.kernels import build, fused, rows

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
TYPES = {"f2": np.dtype(np.float16), "bf": np.dtype(ml_dtypes.bfloat16)}
HALF_UNIT = {"f2": 2.0**-11, "bf": 2.0**-8}  # what rounding may change, relative


def exact(x, g):
    """softmax, its gradient, log softmax and its gradient in float64."""
    e = np.exp(x - x.max(-1, keepdims=True))
    s = e / e.sum(-1, keepdims=True)
    return s, s * (g - (g * s).sum(-1, keepdims=True)), np.log(s), g - s * g.sum(-1, keepdims=True)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", [(1, 2), (3, 5), (37, 130), (4, 3, 1000)])
def test_softmax(monkeypatch, kind, shape):
    monkeypatch.setattr(fused, "SMALL", 1)
    rng, dtype = np.random.default_rng(0), TYPES[kind]
    x, g = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    value, slope, log_value, log_slope = exact(x.astype(float), g.astype(float))
    made = {
        "softmax": (fused.softmax(x, -1), value),
        "softmax_backward": (fused.softmax_backward(g, value.astype(dtype), -1), slope),
        "log_softmax": (fused.log_softmax(x, -1), log_value),
        "log_softmax_backward": (fused.log_softmax_backward(g, log_value.astype(dtype), -1), log_slope),
    }
    for name, (found, reference) in made.items():
        assert found.dtype == dtype and found.shape == shape
        units = 1.01 if "backward" not in name else 4  # gradients start from a rounded result
        limit = units * HALF_UNIT[kind] * np.abs(reference).max(-1, keepdims=True) + 1e-7
        if "backward" not in name:
            limit = units * HALF_UNIT[kind] * np.abs(reference) + 6e-8  # half of float16's smallest number, and more
        else:
            limit = limit + units * HALF_UNIT[kind] * np.abs(g.astype(float)).sum(-1, keepdims=True)
        assert (np.abs(found.astype(float) - reference) <= limit).all(), name


@pytest.mark.parametrize("kind", TYPES)
def test_layouts_and_special_values(monkeypatch, kind):
    monkeypatch.setattr(fused, "SMALL", 1)
    x = np.random.default_rng(0).standard_normal((6, 40)).astype(TYPES[kind])
    x[0, 3], x[1, 4], x[2, 5] = np.nan, np.inf, -np.inf
    for a in (x, x[::-1], x[:, ::2], x.T.copy().T):
        with np.errstate(all="ignore"):
            expected = exact(a.astype(float), a.astype(float))[0]
        found = fused.softmax(a, -1).astype(float)
        np.testing.assert_allclose(found, expected, rtol=1.01 * HALF_UNIT[kind], atol=1e-7)
    assert fused.softmax(x, 0) is None  # columns go another way


def test_types_are_not_confused():
    x = {kind: np.ones((2, 3), dtype) for kind, dtype in {**TYPES, "f4": np.float32}.items()}
    for kind in x:
        for other in x:
            out = np.zeros_like(x[other])
            fits = rows.softmax.get(kind)(x[kind], out, 2, 3)
            assert fits is (kind == other)
            assert kind == other or not out.astype(float).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_operation(monkeypatch, dtype):
    """Kernels and NumPy give the same operation, up to one rounding."""
    monkeypatch.setattr(fused, "SMALL", 1)
    x = torch.linspace(-3, 3, 60).reshape(4, 15).to(dtype).requires_grad_()
    out = torch.softmax(x, -1)
    out[:, 3].sum().backward()
    wide = x.detach().float().requires_grad_()
    expected = torch.softmax(wide, -1)
    expected[:, 3].sum().backward()
    assert out.dtype == x.grad.dtype == dtype
    torch.testing.assert_close(out.float(), expected, rtol=0.01, atol=1e-4)
    torch.testing.assert_close(x.grad.float(), wide.grad, rtol=0.02, atol=1e-3)
