"""Everyday questions, the usual mistakes, and differentiation problems, as the lessons show them."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn


def test_a_convolution_before_a_linear_layer():
    conv = nn.Conv2d(in_channels=3, out_channels=16, kernel_size=3, stride=1, padding=1)
    out = conv(torch.randn(64, 3, 32, 32))
    assert repr(out.shape) == "torch.Size([64, 16, 32, 32])"
    with pytest.raises(RuntimeError, match=r"mat1 and mat2 shapes cannot be multiplied \(32768x32 and 16384x10\)"):
        nn.Linear(16384, 10)(out)
    flat = out.view(out.size(0), -1)
    assert repr(flat.shape) == "torch.Size([64, 16384])"
    assert nn.Linear(in_features=16384, out_features=10)(flat).shape == (64, 10)


def test_devices():
    model = nn.Linear(10, 5).to("meta")
    with pytest.raises(RuntimeError, match="device"):
        model(torch.randn(1, 10))
    assert next(model.parameters()).device == torch.device("meta")
    if not torch.cuda.is_available():
        with pytest.raises((RuntimeError, AssertionError), match="not compiled with CUDA"):
            torch.ones(2).to("cuda")


def test_losses_and_targets():
    scores = torch.randn(4, 3)
    with pytest.raises(RuntimeError):
        nn.CrossEntropyLoss()(scores, torch.tensor([0.0, 1.0, 2.0, 0.0]))
    with pytest.raises(ValueError, match="must be the same as input size"):
        nn.BCEWithLogitsLoss()(scores, torch.zeros(4, 2))
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        nn.CrossEntropyLoss()(scores, torch.tensor([0, 1, 2, 3]))


def test_what_cuts_the_graph():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="Can't call numpy\\(\\) on Tensor that requires grad"):
        (x * 2).numpy()
    assert not torch.from_numpy((x * 2).detach().numpy()).requires_grad
    assert not (x * 2).detach().requires_grad


def test_samples_of_different_size():
    ragged = [torch.zeros(3), torch.zeros(4)]
    loader = torch.utils.data.DataLoader(ragged, batch_size=2)
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        next(iter(loader))


def test_gradcheck():
    inp = torch.DoubleTensor([0.5])
    inp.requires_grad = True
    assert torch.autograd.gradcheck(lambda x: x * x * 3, (inp,), eps=1e-6, atol=1e-4)


def test_watching_gradients_with_hooks():
    model = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2))
    seen = []
    model[2].register_full_backward_hook(lambda module, grad_in, grad_out: seen.append(grad_out[0].shape))
    x = torch.randn(5, 3, requires_grad=True)
    model(x).backward(torch.randn(5, 2))
    assert seen == [torch.Size([5, 2])]
    assert all(p.grad is not None for p in model.parameters())


def test_clipping_gradients():
    layer = nn.Linear(2, 1)
    (layer(torch.ones(1, 2)) * 100).sum().backward()
    norm = nn.utils.clip_grad_norm_(layer.parameters(), max_norm=1.0)
    total = torch.sqrt(sum((p.grad**2).sum() for p in layer.parameters()))
    assert norm.item() == pytest.approx(100 * 3**0.5, rel=1e-5) and total.item() == pytest.approx(1, rel=1e-4)


def test_mixed_dtypes():
    model = nn.Linear(4, 2)
    x = torch.tensor(np.random.randn(3, 4))
    assert x.dtype == torch.float64
    with pytest.raises(RuntimeError, match="mat1 and mat2 must have the same dtype, but got Double and Float"):
        model(x)
    assert model(x.float()).dtype == torch.float32
    assert nn.CrossEntropyLoss()(model(x.float()), torch.tensor([0.0, 1.0, 1.0]).long()).ndim == 0


def test_nan_in_one_sequence_stays_there():
    a, b = np.array([[np.nan, 1], [4, 2]]), np.array([[2, 3], [4, 5]])
    x = torch.tensor(np.transpose(np.dstack((a, b)), (0, 2, 1)), dtype=torch.float32)
    assert repr(x) == "tensor([[[nan, 1.],\n         [2., 3.]],\n\n        [[4., 2.],\n         [4., 5.]]])"
    torch.manual_seed(0)
    _, (h, _) = nn.LSTM(2, 4)(x)
    assert h[0, 0].isnan().all() and not h[0, 1].isnan().any()
    filled = torch.nan_to_num(x, nan=0.0)
    mask = ~x.isnan()
    out, _ = nn.LSTM(2, 2)(filled)
    loss = ((out - filled) ** 2)[mask].mean()
    loss.backward()
    assert loss.isfinite()


def test_what_changes_gradients_and_what_does_not():
    a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    torch.cat([a, b]).reshape(2, 2).t().clone().sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [1.0, 1.0]


def test_initialisation_and_regularisation():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    for name, p in model.named_parameters():
        nn.init.constant_(p, 0.5) if name.endswith("bias") else nn.init.xavier_uniform_(p)
    assert model[0].bias.tolist() == [0.5] * 4
    l2 = sum(p.pow(2).sum() for p in model.parameters())
    l2.backward()
    assert torch.allclose(model[1].weight.grad, 2 * model[1].weight)
    assert torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-2).param_groups[0]["weight_decay"] == 1e-2


def test_rules_of_matmul():
    shape = lambda *s: torch.ones(*s)
    assert torch.matmul(shape(3), shape(3)).shape == ()
    assert torch.matmul(shape(2, 3), shape(3)).shape == (2,)
    assert torch.matmul(shape(3), shape(3, 4)).shape == (4,)
    assert torch.matmul(shape(5, 2, 3), shape(3)).shape == (5, 2)
    assert torch.matmul(shape(5, 2, 3), shape(5, 3, 4)).shape == (5, 2, 4)
    assert torch.matmul(shape(5, 1, 2, 3), shape(7, 3, 4)).shape == (5, 7, 2, 4)
    with pytest.raises(RuntimeError, match=r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 2x3\)"):
        torch.matmul(shape(2, 3), shape(2, 3))


def test_changing_parameters():
    layer = nn.Linear(2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0]]))
        layer.bias.fill_(3)
    assert layer(torch.tensor([[10.0, 100.0]])).item() == 213.0
    layer.weight.data *= 2
    assert layer.weight.tolist() == [[2.0, 4.0]] and layer.weight.requires_grad
