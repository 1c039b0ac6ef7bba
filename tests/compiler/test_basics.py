"""torch.compile: the same results as eager, without Python where a step allows it."""

import warnings

import pytest

import flambeau as torch
from flambeau import nn


def test_functions_decorators_and_modules():
    assert torch.compile(lambda x: x + 1)(torch.ones(1)).item() == 2

    @torch.compile(mode="reduce-overhead")
    def double(x):
        return x * 2

    for _ in range(3):
        assert double(torch.ones(1)).item() == 2
    model = nn.Linear(2, 2)
    assert torch.compile(model, fullgraph=False)(torch.ones(1, 2)).shape == (1, 2)
    model.compile()
    assert model(torch.ones(1, 2)).shape == (1, 2)


def test_what_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.compile(len, disable=True) is len
    with pytest.raises(NotImplementedError, match="custom backend"):
        torch.compile(len, backend=lambda graph, inputs: graph)
    with pytest.raises(RuntimeError, match="Either mode or options"):
        torch.compile(len, mode="default", options={})
    with pytest.raises(TypeError, match="function or a module"):
        torch.compile(3)


@pytest.mark.parametrize("make", [
    lambda p: torch.optim.SGD(p, lr=0.1), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    lambda p: torch.optim.Adam(p, lr=0.01), lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True),
    lambda p: torch.optim.RMSprop(p, lr=0.01),
])  # fmt: skip
def test_a_whole_step_is_the_eager_one(make):
    def run(compiled):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(7, 16, bias=False), nn.BatchNorm1d(16), nn.GELU(), nn.Linear(16, 3))
        optimizer = make(model.parameters())
        x, y = torch.randn(9, 7), torch.randint(0, 3, (9,))

        def step():
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        f = torch.compile(step) if compiled else step
        losses = [float(f().detach()) for _ in range(6)]
        if compiled:
            assert len(f.steps) == 1, f.splits
        return losses, [p.detach().clone() for p in model.parameters()], [b.clone() for b in model.buffers()]

    eager, compiled = run(False), run(True)
    torch.testing.assert_close(torch.tensor(compiled[0]), torch.tensor(eager[0]), rtol=1e-4, atol=1e-5)
    for a, b in zip(compiled[1] + compiled[2], eager[1] + eager[2]):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_a_step_that_python_has_to_stay_in_is_split():
    def train(compiled):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(7, 16), nn.Tanh(), nn.Linear(16, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        log = []

        def step(x, y):
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            if loss.item() > 1.1:
                nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            log.append(loss.item())

        f = torch.compile(step) if compiled else step
        for i in range(6):
            n = 9 if i < 4 else 5
            f(torch.randn(n, 7), torch.randint(0, 3, (n,)))
        if compiled:
            assert not f.steps and any("item()" in reason for reason, _ in f.splits)
            assert [len(c.steps) for _, c in f.pieces] == [2]
        return log

    torch.testing.assert_close(torch.tensor(train(True)), torch.tensor(train(False)), rtol=1e-5, atol=1e-6)


def test_a_compiled_module_in_an_eager_step():
    def train(compiled):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 3))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        called = torch.compile(model) if compiled else model
        losses = []
        for _ in range(5):
            x, y = torch.randn(9, 7), torch.randint(0, 3, (9,))
            loss = nn.functional.cross_entropy(called(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    torch.testing.assert_close(torch.tensor(train(True)), torch.tensor(train(False)), rtol=1e-5, atol=1e-6)


def test_gradients_of_arguments_and_a_graph_used_twice():
    layer = nn.Linear(4, 4)
    f = torch.compile(lambda x: layer(x).tanh())
    x = torch.randn(3, 4, requires_grad=True)
    for _ in range(3):
        h = x * 2
        (f(h) * f(h + 1)).sum().backward()
    compiled, x.grad = x.grad, None
    (layer(x * 2).tanh() * layer(x * 2 + 1).tanh()).sum().backward()
    torch.testing.assert_close(compiled, 3 * x.grad)
    y = f(x)
    y.sum().backward()
    with pytest.raises(RuntimeError, match="a second time"):
        y.sum().backward()


def test_classes_of_modules_that_were_loaded_by_hand():
    source = "import flambeau.nn as nn\nclass Twice(nn.Module):\n    def forward(self, x):\n        return x * 2\n"
    scope: dict = {"__name__": "loaded_by_hand"}
    exec(compile(source, __file__, "exec"), scope)
    f = torch.compile(scope["Twice"]())
    for _ in range(3):
        assert f(torch.ones(2)).tolist() == [2, 2]
    assert len(f.steps) == 1, f.splits


@pytest.mark.parametrize("make", [
    lambda: (nn.LSTM(5, 6, num_layers=2, dropout=0.3), lambda m, x: m(x)[0]),
    lambda: (nn.TransformerEncoder(nn.TransformerEncoderLayer(5, 1, 8, dropout=0.0, batch_first=True), 1),
             lambda m, x: m(x, mask=nn.Transformer.generate_square_subsequent_mask(4))),
])  # fmt: skip
def test_steps_of_larger_layers_are_replayed(make):
    def run(compiled):
        torch.manual_seed(0)
        model, call = make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        x = torch.randn(3, 4, 5)

        def step():
            loss = call(model, x).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        f = torch.compile(step) if compiled else step
        losses = [f().item() for _ in range(4)]
        if compiled:
            assert len(f.steps) == 1, f.splits
        return torch.tensor(losses)

    torch.testing.assert_close(run(True), run(False), rtol=1e-5, atol=1e-6)
