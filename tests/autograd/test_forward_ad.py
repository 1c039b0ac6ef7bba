"""Dual tensors."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import forward_ad as fwd


def test_tangents():
    x, t = torch.tensor([1.0, 2.0]), torch.tensor([1.0, -1.0])
    with fwd.dual_level():
        dual = fwd.make_dual(x, t)
        assert fwd.unpack_dual(dual).tangent is t
        value, tangent = fwd.unpack_dual((dual**3).sum())
        assert value.item() == 9 and tangent.item() == pytest.approx(3 - 12)
        np.testing.assert_allclose(fwd.unpack_dual(dual.exp() * x).tangent.numpy(), np.exp([1, 2]) * [1, -2], rtol=1e-6)
        assert fwd.unpack_dual(x * 2).tangent is None
    assert fwd.unpack_dual(dual).tangent is None  # the level is over


def test_two_inputs():
    with fwd.dual_level():
        a = fwd.make_dual(torch.tensor(2.0), torch.tensor(1.0))
        b = fwd.make_dual(torch.tensor(5.0), torch.tensor(10.0))
        assert fwd.unpack_dual(a * b).tangent.item() == 5 + 20


def test_modules():
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2)
    x, t = torch.randn(3), torch.randn(3)
    with fwd.dual_level():
        tangent = fwd.unpack_dual(layer(fwd.make_dual(x, t))).tangent
    np.testing.assert_allclose(tangent.numpy(), (layer.weight @ t).detach().numpy(), rtol=1e-5)


def test_errors():
    with pytest.raises(RuntimeError, match="no level exists"):
        fwd.make_dual(torch.ones(1), torch.ones(1))
    with fwd.dual_level():
        with pytest.raises(RuntimeError, match="Nested forward mode AD is not supported"):
            with fwd.dual_level():
                pass
        with pytest.raises(ValueError, match="floating point or complex"):
            fwd.make_dual(torch.ones(1, dtype=torch.int64), torch.ones(1))
