"""From NumPy to tensors: the linear-regression lesson, with every wrong turn on the way."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn, optim


@pytest.fixture
def data():
    np.random.seed(42)
    x = np.random.rand(100, 1)
    y = 1 + 2 * x + 0.1 * np.random.randn(100, 1)
    idx = np.arange(100)
    np.random.shuffle(idx)
    return x[idx[:80]], y[idx[:80]], x[idx[80:]], y[idx[80:]]


@pytest.fixture
def tensors(data):
    return tuple(torch.from_numpy(a).float() for a in data[:2])


def test_with_numpy(data):
    x, y = data[:2]
    np.random.seed(42)
    a, b = np.random.randn(1), np.random.randn(1)
    assert (a[0], b[0]) == (pytest.approx(0.49671415), pytest.approx(-0.1382643))
    for _ in range(1000):
        error = y - (a + b * x)
        a = a - 0.1 * (-2 * error.mean())
        b = b - 0.1 * (-2 * (x * error).mean())
    np.testing.assert_allclose([a[0], b[0]], [1.02354094, 1.96896411], atol=1e-8)


def test_from_numpy_and_types(data):
    x = torch.from_numpy(data[0])
    assert x.dtype == torch.float64 and x.type() == "torch.DoubleTensor"
    x = x.float().to("cuda" if torch.cuda.is_available() else "cpu")
    assert isinstance(x, torch.Tensor) and x.type() == "torch.FloatTensor"
    assert isinstance(x.numpy(), np.ndarray)


def test_four_ways_to_make_a_parameter():
    a = torch.randn(1, requires_grad=True, dtype=torch.float)
    assert a.is_leaf and "requires_grad=True" in repr(a)
    moved = torch.randn(1, requires_grad=True, dtype=torch.float).to("cpu", copy=True)
    assert not moved.is_leaf and "grad_fn=<" in repr(moved)
    later = torch.randn(1, dtype=torch.float).to("cpu")
    later.requires_grad_()
    assert later.is_leaf and later.requires_grad
    torch.manual_seed(42)
    a = torch.randn(1, requires_grad=True, dtype=torch.float, device="cpu")
    b = torch.randn(1, requires_grad=True, dtype=torch.float, device="cpu")
    assert (repr(a), repr(b)) == ("tensor([0.3367], requires_grad=True)", "tensor([0.1288], requires_grad=True)")


def start():
    torch.manual_seed(42)
    return (torch.randn(1, requires_grad=True, dtype=torch.float),
            torch.randn(1, requires_grad=True, dtype=torch.float))  # fmt: skip


def test_autograd_and_the_three_updates(tensors):
    x, y = tensors
    a, b = start()
    lr = 1e-1
    ((y - (a + b * x)) ** 2).mean().backward()
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'zero_'"):
        lost = a - lr * a.grad
        lost.grad.zero_()
    with pytest.raises(
        RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation."
    ):
        a -= lr * a.grad
    a.grad.zero_()
    b.grad.zero_()
    for _ in range(1000):
        ((y - (a + b * x)) ** 2).mean().backward()
        with torch.no_grad():
            a -= lr * a.grad
            b -= lr * b.grad
        a.grad.zero_()
        b.grad.zero_()
    assert repr(a) == "tensor([1.0235], requires_grad=True)"
    assert repr(b) == "tensor([1.9690], requires_grad=True)"


def test_the_graph(tensors):
    x, y = tensors
    a, b = start()
    yhat = a + b * x
    error = y - yhat
    loss = (error**2).mean()
    names = []
    node = loss.grad_fn
    while node is not None:
        names.append(node.name().removesuffix("0"))
        following = [n for n, _ in node.next_functions if n is not None]
        node = following[-1] if following else None
    assert names == ["MeanBackward", "PowBackward", "SubBackward", "AddBackward", "MulBackward",
                     "torch::autograd::AccumulateGrad"]  # fmt: skip
    assert [n for n, _ in (a.detach() + b * x).grad_fn.next_functions][0] is None
    if loss > 0:
        loss += (y - b * x).mean()
    loss.backward()
    assert a.grad is not None and b.grad is not None


def test_optimizer_and_loss(tensors):
    x, y = tensors
    a, b = start()
    optimizer, loss_fn = optim.SGD([a, b], lr=1e-1), nn.MSELoss(reduction="mean")
    for _ in range(1000):
        loss_fn(y, a + b * x).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (repr(a), repr(b)) == ("tensor([1.0235], requires_grad=True)", "tensor([1.9690], requires_grad=True)")


def test_model_data_loader_and_evaluation(tensors, data):
    class LinearRegression(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 1)

        def forward(self, x):
            return self.linear(x)

    dataset = torch.utils.data.TensorDataset(*tensors)
    assert repr(dataset[0]) == "(tensor([0.7713]), tensor([2.4745]))"
    torch.manual_seed(42)
    model = LinearRegression()
    assert list(model.state_dict()) == ["linear.weight", "linear.bias"]
    assert repr(model) == "LinearRegression(\n  (linear): Linear(in_features=1, out_features=1, bias=True)\n)"
    loss_fn, optimizer = nn.MSELoss(), optim.SGD(model.parameters(), lr=1e-1)
    loader = torch.utils.data.DataLoader(dataset, batch_size=16, shuffle=True)
    assert len(loader) == 5
    for _ in range(100):
        model.train()
        for x, y in loader:
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    model.eval()
    with torch.no_grad():
        x, y = (torch.from_numpy(a).float() for a in data[2:])
        assert loss_fn(model(x), y).item() < 0.02
    assert model.linear.bias.item() == pytest.approx(1.02, abs=0.03)
    assert model.linear.weight.item() == pytest.approx(1.97, abs=0.05)
