"""autocast and GradScaler."""

import numpy as np
import pytest

import flambeau as torch

nn, F = torch.nn, torch.nn.functional


def test_autocast_dtypes():
    a, layer = torch.ones(2, 2), nn.Linear(2, 2)
    with torch.autocast("cpu"):
        y = layer(a)
        assert torch.is_autocast_enabled("cpu")
        for low in (y, a @ a, torch.softmax(y, 0), y.exp(), nn.LSTM(2, 2)(a)[0], nn.Conv1d(2, 2, 1)(a[None])):
            assert low.dtype is torch.bfloat16
        for high in (a + a, y + a, F.mse_loss(y, a), F.cross_entropy(y, torch.tensor([0, 1]))):
            assert high.dtype is torch.float32
        with torch.autocast("cpu", enabled=False):
            assert layer(a).dtype is torch.float32
    assert layer(a).dtype is torch.float32
    with torch.autocast("cpu", dtype=torch.float16):
        assert (a @ a).dtype is torch.float16
    assert (a.double() @ a.double()).dtype is torch.float64


def test_autocast_gradients_and_decorator():
    torch.manual_seed(0)
    layer, x = nn.Linear(8, 4), torch.randn(5, 8)

    @torch.autocast("cpu", dtype=torch.bfloat16)
    def loss():
        return F.mse_loss(layer(x), torch.zeros(5, 4))

    loss().backward()
    assert layer.weight.grad.dtype is torch.float32
    found = layer.weight.grad.numpy().copy()
    layer.zero_grad()
    F.mse_loss(layer(x), torch.zeros(5, 4)).backward()
    np.testing.assert_allclose(found, layer.weight.grad.numpy(), rtol=0.05, atol=0.01)


def test_autocast_refuses():
    with pytest.warns(UserWarning, match="target dtype is not supported"):
        torch.autocast("cpu", dtype=torch.float64)
    with pytest.warns(UserWarning, match="CUDA is not available"):
        torch.autocast("cuda")


def problem():
    p = nn.Parameter(torch.ones(2))
    return p, torch.optim.SGD([p], lr=0.1)


def test_scaler_step():
    p, optimizer = problem()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1)
    scaler.scale((p * 2).sum()).backward()
    np.testing.assert_allclose(p.grad.numpy(), [8, 8])
    scaler.unscale_(optimizer)
    np.testing.assert_allclose(p.grad.numpy(), [2, 2])
    with pytest.raises(RuntimeError, match="unscale_\\(\\) has already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    np.testing.assert_allclose(p.detach().numpy(), [0.8, 0.8])
    assert scaler.get_scale() == 8.0


def test_scaler_skips_overflow():
    p, optimizer = problem()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(p.sum()).backward()
    p.grad[0] = float("inf")
    scaler.step(optimizer)
    scaler.update()
    assert (p == 1).all() and scaler.get_scale() == 2.0
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to update"):
        scaler.update()


def test_scaler_state():
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    assert scaler.state_dict() == {
        "scale": 4.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000, "_growth_tracker": 0,
    }  # fmt: skip
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 4.0


def test_disabled_scaler():
    p, optimizer = problem()
    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler = torch.amp.GradScaler()
    scaler.scale(p.sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert p[0].item() == pytest.approx(0.9) and scaler.state_dict() == {} and scaler.get_scale() == 1.0


def test_old_names_run_without_cuda():
    from flambeau.cuda.amp import GradScaler, autocast

    p, optimizer = problem()
    with pytest.warns(FutureWarning, match="is deprecated"):
        scaler, mode = GradScaler(), autocast()
    with mode:
        loss = (p @ p).sum()
    assert loss.dtype is torch.float32
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    assert p[0].item() == pytest.approx(0.8)
