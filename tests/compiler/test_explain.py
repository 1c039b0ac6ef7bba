"""torch.compile.explain: what it tells agrees with what is known of small steps."""

import time

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.kernels.build import backend

pytestmark = pytest.mark.skipif(backend() is None, reason="no LLVM here")
explain = torch.compile.explain


def test_products_and_fused_loops():
    found = explain(lambda a, x: torch.tanh(a @ x * 2 + 1))(torch.ones(5, 8), torch.ones(8, 3))
    assert found.steps, found.splits
    (step,) = found.steps
    product, loop = step.kernels
    assert product.kernel == "gemm.product" and product.flops == 2 * 5 * 8 * 3
    assert product.bytes == 4 * (5 * 8 + 8 * 3 + 5 * 3)
    assert loop.kernel == "loop" and loop.operations == ("mul", "add", "tanh") and loop.flops == 3 * 15
    assert loop.bytes in (4 * 2 * 15, 4 * (2 * 15 + 2))  # the two numbers may be operands
    assert loop.shape == (5, 3) and loop.dtype == "float32" and loop.parts == 1
    assert step.bytes == product.bytes + loop.bytes and step.flops == product.flops + loop.flops
    assert step.recorded == 4 and step.guards > 4 and not step.splits and not found.splits
    assert step.memory.results == 60 and step.memory.temporaries == 64 and step.memory.unfused == 3 * 64
    text = str(found)
    assert "a: float32[5, 8], x: float32[8, 3]" in text and "gemm.product" in text and "mul, add, tanh" in text


@pytest.mark.parametrize("groups, size, stride", [(1, 3, 1), (1, 3, 2), (2, 5, 1), (4, 3, 1)])
def test_convolutions_count_as_direct_ones(groups, size, stride):
    layer = nn.Conv2d(4, 8, size, stride, groups=groups)
    f = torch.compile(layer)
    x = torch.ones(2, 4, 12, 11)
    y = f(x)
    assert f.steps, f.splits
    (step,) = explain(f).steps
    multiplied = 2 * y.numel() * 4 // groups * size * size
    found = [k.flops for k in step.kernels if k.operations == ("convolution",) and k.flops]
    gradient = [k.flops for k in step.kernels if k.operations == ("convolution_weight",) and k.flops]
    assert found == [multiplied] and gradient == [multiplied]
    assert [k.backward for k in step.kernels] == sorted(k.backward for k in step.kernels)


def test_transformed_convolutions_count_as_direct_ones_too():
    f = torch.compile(nn.Conv2d(64, 64, 3, padding=1))
    f(torch.ones(8, 64, 16, 16, requires_grad=True))
    (step,) = explain(f).steps
    counted = [k for k in step.kernels if k.flops and "convolution" in k.operations[0]]
    found = {k.flops for k in counted if "winograd" in k.kernel}  # none where vectors are short
    assert found <= {2 * 8 * 64 * 64 * 9 * 256} and len(counted) == 3


def test_attention_and_recurrent_layers():
    f = torch.compile(lambda q: nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True))
    f(torch.ones(2, 4, 64, 16))
    (step,) = explain(f).steps
    assert step.flops == 2 * 4 * 64 * 64 * (16 + 16)
    f = torch.compile(nn.GRU(8, 16))
    with torch.no_grad():
        f(torch.ones(5, 3, 8))
    (step,) = explain(f).steps
    assert sum(k.flops or 0 for k in step.kernels if k.kernel != "loop") == 2 * 15 * 3 * 16 * (8 + 16)


def test_a_training_step():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(4, 6), torch.tensor([0, 1, 2, 0])

    @torch.compile
    def step():
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(2):
        step()
    (found,) = explain(step).steps
    assert not found.arguments and found.memory.reuse >= 1
    assert found.memory.gradients == 4 * sum(p.numel() for p in model.parameters()) and found.memory.saved == 0
    assert sum(k.operations[-1:] == ("SGD",) for k in found.kernels) == 4
    assert all(k.where.startswith(__file__) for k in found.splits)
    assert sum(k.kernel == "check" for k in found.kernels) == 1
    products = [k.flops for k in found.kernels if k.kernel.startswith("gemm.")]
    assert sum(products) == 2 * 4 * (2 * 6 * 5 + 3 * 5 * 3)  # the input needs no gradient


def test_modules_compiled_in_place_and_their_backward_pass():
    model = nn.Linear(4, 2)
    model.compile()
    assert not explain(model).steps
    model(torch.ones(3, 4)).sum().backward()
    (step,) = explain(model).steps
    assert step.memory.saved == 0 or step.memory.saved > 0
    assert {k.backward for k in step.kernels} == {False, True} and "backward:" in str(step)


def test_reasons_name_their_lines():
    def step(x):
        time.time()
        return x + 1

    f = torch.compile(step)
    for _ in range(5):
        f(torch.ones(2))
    found = explain(f)
    (split,) = found.splits
    assert split.reason == "calls time" and split.count >= 1 and not found.steps
    assert found.eager_calls == 5 - split.count
    assert split.where == f"{__file__}:{step.__code__.co_firstlineno + 1}"
    assert "left to Python" in str(found) and split.where in str(found)


def test_a_split_step_shows_its_modules():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())

    def step(x):
        loss = model(x).sum()
        loss.backward()
        return time.time(), float(loss.detach())

    f = torch.compile(step)
    for _ in range(6):
        f(torch.ones(2, 4))
    found = explain(f)
    assert found.splits and not found.steps
    (piece,) = found.pieces
    assert len(piece.steps) == 1 and piece.steps[0].memory.saved >= 0
    assert "with these modules compiled" in str(found) and "gemm.product" in str(found)


def test_what_has_not_been_called():
    found = explain(lambda x: x + 1)
    assert not found.steps and "nothing has been recorded" in repr(found)
    assert len(found(torch.ones(2)).steps) == 1
    with pytest.raises(TypeError, match="function or a module"):
        explain(3)
    assert "runs eagerly" in str(explain(torch.compile(lambda x: x, backend="eager")))


def test_plain_arguments_and_methods():
    class Scaled:
        @torch.compile
        def by(self, x, n, *, m=1):
            return x * n * m

    scaled = Scaled()
    scaled.by(torch.ones(2), 3, m=2)
    (step,) = explain(scaled.by).steps
    assert step.arguments == ("x: float32[2]", "n = 3", "m = 2")
