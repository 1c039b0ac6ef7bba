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
