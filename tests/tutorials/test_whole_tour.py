"""The whole of PyTorch in one page: tensors and strides, modules, autograd, modes, optimizers."""

import math

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn


def test_creation_shapes_and_types():
    assert torch.empty(3, 4).shape == torch.Size([3, 4])
    assert repr(torch.empty(2, 2, 3).shape) == "torch.Size([2, 2, 3])"
    torch.manual_seed(1729)
    assert repr(torch.rand(2, 3)) == "tensor([[0.3126, 0.3791, 0.3087],\n        [0.0736, 0.4216, 0.0691]])"
    assert torch.zeros_like(torch.empty(2, 2, 3)).shape == (2, 2, 3)
    a = torch.ones((2, 3), dtype=torch.int16)
    assert repr(a) == "tensor([[1, 1, 1],\n        [1, 1, 1]], dtype=torch.int16)"
    assert a.to(torch.float32).dtype == torch.float32
    assert repr(torch.tensor([[3.14, 2.7], [1.6, 0.007]])) == "tensor([[3.1400, 2.7000],\n        [1.6000, 0.0070]])"


def test_arithmetic_and_broadcasting():
    ones = torch.ones(2, 2)
    assert torch.equal((ones * 2) ** 2, torch.full((2, 2), 4.0))
    rand = torch.rand(2, 4)
    assert torch.equal(rand * (torch.ones(1, 4) * 2), rand * 2)
    assert torch.equal(torch.zeros(2, 2) + 1, ones)
    assert (torch.ones(3, 1) * torch.ones(1, 4)).shape == (3, 4)


def test_in_place_copies_and_out():
    a, b = torch.ones(2, 2), torch.rand(2, 2)
    a.add_(b)
    assert torch.equal(a, b + 1)
    assert a.clone().data_ptr() != a.data_ptr() and a.detach().data_ptr() == a.data_ptr()
    result = torch.zeros(2, 2)
    address = result.data_ptr()
    assert torch.add(a, b, out=result) is result and result.data_ptr() == address
    assert torch.equal(torch.tensor([1, 2]).add_(torch.tensor([3, 4])), torch.tensor([4, 6]))


def test_shapes():
    assert torch.rand(3, 226, 226).unsqueeze(0).shape == (1, 3, 226, 226)
    assert torch.rand(1, 20).squeeze(0).shape == (20,)
    assert torch.rand(6, 20, 20).reshape(6 * 20 * 20).shape == (2400,)


def test_numpy_bridge_shares_memory():
    array = np.ones((2, 3))
    tensor = torch.from_numpy(array)
    array[1, 1] = 23
    assert tensor[1, 1] == 23
    tensor.numpy()[0, 0] = 5
    assert array[0, 0] == 5 and tensor.dtype == torch.float64


def test_strides_and_storage():
    x = torch.arange(12).view(3, 4)
    assert x.stride() == (4, 1) and x.T.stride() == (1, 4) and x.T.data_ptr() == x.data_ptr()
    assert x.untyped_storage().data_ptr() == x.T.untyped_storage().data_ptr()
    assert x.layout == torch.strided and not x.T.is_contiguous()
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        x.T.view(12)
    assert x.T.reshape(12).tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert torch.equal(x[:, 1:3], torch.tensor([[1, 2], [5, 6], [9, 10]]))
    assert x[[0, 2], [1, 3]].tolist() == [1, 11]


def test_accelerator_idiom():
    device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    assert torch.rand(1, 28, 28, device=device).device.type == device
    assert not torch.backends.mps.is_available() or device == "mps"


def test_one_hot_target_transform():
    y = 3
    hot = torch.zeros(10, dtype=torch.float).scatter_(0, torch.tensor(y), value=1)
    assert hot.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear_relu_stack = nn.Sequential(
            nn.Linear(28 * 28, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
        )

    def forward(self, x):
        return self.linear_relu_stack(self.flatten(x))


def test_the_quickstart_model():
    model = NeuralNetwork()
    assert repr(model) == (
        "NeuralNetwork(\n  (flatten): Flatten(start_dim=1, end_dim=-1)\n  (linear_relu_stack): Sequential(\n"
        "    (0): Linear(in_features=784, out_features=512, bias=True)\n    (1): ReLU()\n"
        "    (2): Linear(in_features=512, out_features=512, bias=True)\n    (3): ReLU()\n"
        "    (4): Linear(in_features=512, out_features=10, bias=True)\n  )\n)"
    )
    probabilities = nn.Softmax(dim=1)(model(torch.rand(1, 28, 28)))
    assert probabilities.sum().item() == pytest.approx(1) and 0 <= probabilities.argmax(1).item() < 10


def test_the_graph_of_a_sine():
    a = torch.linspace(0.0, 2.0 * math.pi, steps=25, requires_grad=True)
    b = torch.sin(a)
    c = 2 * b
    d = c + 1
    out = d.sum()
    assert "grad_fn=<SumBackward0>" in repr(out) and out.item() == pytest.approx(25)
    assert repr(a) == (
        "tensor([0.0000, 0.2618, 0.5236, 0.7854, 1.0472, 1.3090, 1.5708, 1.8326, 2.0944,\n"
        "        2.3562, 2.6180, 2.8798, 3.1416, 3.4034, 3.6652, 3.9270, 4.1888, 4.4506,\n"
        "        4.7124, 4.9742, 5.2360, 5.4978, 5.7596, 6.0214, 6.2832],\n       requires_grad=True)"
    )
    kinds = lambda node: [(type(n).__name__ if n else None, i) for n, i in node.next_functions]
    assert type(d.grad_fn).__name__ == "AddBackward0" and kinds(d.grad_fn) == [("MulBackward0", 0), (None, 0)]
    mul = d.grad_fn.next_functions[0][0]
    assert kinds(mul) == [("SinBackward0", 0), (None, 0)]
    assert kinds(mul.next_functions[0][0]) == [("AccumulateGrad", 0)]
    assert mul.next_functions[0][0].next_functions[0][0].next_functions == () and a.grad_fn is None
    out.backward()
    np.testing.assert_allclose(a.grad.numpy(), 2 * np.cos(a.detach().numpy()), atol=1e-6)
    assert b.is_leaf is False


def test_accumulating_with_retain_graph():
    inp = torch.eye(4, 5, requires_grad=True)
    out = (inp + 1).pow(2).t()
    expected = 2 * (torch.eye(4, 5) + 1)
    out.backward(torch.ones_like(out), retain_graph=True)
    assert repr(inp.grad) == (
        "tensor([[4., 2., 2., 2., 2.],\n        [2., 4., 2., 2., 2.],\n        [2., 2., 4., 2., 2.],\n"
        "        [2., 2., 2., 4., 2.]])"
    )
    out.backward(torch.ones_like(out), retain_graph=True)
    assert torch.equal(inp.grad, 2 * expected)
    inp.grad.zero_()
    out.backward(torch.ones_like(out), retain_graph=True)
    assert torch.equal(inp.grad, expected)


def test_grad_fn_grad_and_backward():
    x = torch.tensor(2.0, requires_grad=True)
    y = x**2 + 3 * x + 1
    assert repr(y) == "tensor(11., grad_fn=<AddBackward0>)"
    y.backward()
    assert x.grad == 7.0
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    z = (x * 3).sum()
    z.backward()
    assert repr(x.grad) == "tensor([3., 3.])"
    x.grad = None
    (x**2).backward(torch.tensor([1.0, 1.0]))
    assert x.grad.tolist() == [2.0, 4.0]
    x = torch.tensor(3.0, requires_grad=True)
    a = x**2
    a.retain_grad()
    a.backward()
    assert a.grad == 1.0


def test_no_grad():
    x, w = torch.tensor([2.0]), torch.tensor([3.0], requires_grad=True)
    with torch.no_grad():
        assert not torch.tensor([4.0]).requires_grad
        z = w * x
        assert not z.requires_grad
    assert w.requires_grad
    with pytest.raises(RuntimeError, match="does not require grad"):
        z.sum().backward()


def test_training_and_evaluation_mode():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
    x = torch.randn(16, 4)
    model.train()
    assert model.training and not torch.equal(model(x), model(x))
    model.eval()
    before = model[1].running_mean.clone()
    assert not model[2].training and torch.equal(model(x), model(x)) and torch.equal(before, model[1].running_mean)
    with pytest.raises(AttributeError, match="'Sequential' object has no attribute 'test'"):
        model.test()


def test_one_training_step_of_the_tiny_model():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1000, 100), nn.ReLU(), nn.Linear(100, 10))
    x, ideal = torch.randn(16, 1000), torch.randn(16, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    weight = model[2].weight
    before = weight[0][0:10].detach().clone()
    assert "grad_fn=<SliceBackward0>" in repr(weight[0][0:10]) and weight.grad is None
    loss = (ideal - model(x)).pow(2).sum()
    loss.backward()
    assert torch.equal(weight[0][0:10], before)
    first = weight.grad[0][0:10].clone()
    optimizer.step()
    assert torch.allclose(weight[0][0:10], before - 0.001 * first)
    for _ in range(5):
        (ideal - model(x)).pow(2).sum().backward()
    assert not torch.equal(weight.grad[0][0:10], first)
    optimizer.zero_grad(set_to_none=False)
    assert weight.grad[0][0:10].tolist() == [0.0] * 10


def test_the_optimizer_lesson():
    class SimpleNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(10, 2)

        def forward(self, x):
            return self.fc(x)

    torch.manual_seed(0)
    model, criterion = SimpleNet(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    inputs, targets = torch.randn(32, 10), torch.randint(0, 2, (32,))
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose([losses[0], losses[-1]], [0.6615027785301208, 0.6471828818321228], rtol=1e-5)
    for scheduler in (torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1),
                      torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)):  # fmt: skip
        scheduler.step()
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", patience=5)
    plateau.step(1.0)
    calls = []
    optimizer.register_load_state_dict_pre_hook(lambda opt, state: calls.append("pre"))
    optimizer.register_load_state_dict_post_hook(lambda opt: calls.append("post"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls == ["pre", "post"]


def test_saving_and_loading(tmp_path):
    model, path = NeuralNetwork(), tmp_path / "model.pth"
    torch.save(model.state_dict(), path)
    again = NeuralNetwork()
    again.load_state_dict(torch.load(path))
    x = torch.rand(2, 28, 28)
    assert torch.equal(model(x), again(x))


def test_parameter_groups():
    model = nn.ModuleDict({"base": nn.Linear(2, 2), "classifier": nn.Linear(2, 2)})
    optimizer = torch.optim.Adam(
        [{"params": model["base"].parameters(), "lr": 1e-2}, {"params": model["classifier"].parameters(), "lr": 1e-3}],
        lr=1e-2,
    )
    assert [g["lr"] for g in optimizer.param_groups] == [1e-2, 1e-3]
