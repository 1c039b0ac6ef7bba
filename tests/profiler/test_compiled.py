"""Compiled steps: their kernels, also where the step was compiled before, with their layers and lines."""

import pytest

import flambeau as torch
from flambeau.kernels.build import backend
from flambeau.profiler import profile

pytestmark = pytest.mark.skipif(backend() is None, reason="needs LLVM")


@pytest.fixture(scope="module")
def step():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.randn(5, 6), torch.randint(0, 3, (5,))

    @torch.compile
    def step():
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step()
    step()
    return step


@pytest.fixture(scope="module")
def prof(step):
    with profile() as prof:
        step()
        step()
    return prof


def test_each_kernel_appears_with_the_operations_that_it_fuses(step, prof):
    kernels = [event for event in prof.events() if event.kind == "kernel"]
    explained = torch.compile.explain(step).steps[0].kernels
    assert len(kernels) % 2 == 0
    first = kernels[: len(kernels) // 2]
    assert list(dict.fromkeys(e.name for e in first)) == list(
        dict.fromkeys(f"kernel {k.kernel}: {', '.join(k.operations)}" for k in explained)
    )
    assert any(e.name.startswith("kernel gemm.") and "linear" in e.name for e in first)
    assert sum(e.flops for e in first) == sum(k.flops or 0 for k in explained)


def test_kernels_lie_within_the_call_and_do_not_overlap(prof):
    calls = [event for event in prof.events() if event.kind == "compiled"]
    assert len(calls) == 2 and calls[0].name.endswith("step()")
    for call in calls:
        at = call.time_range.start
        for kernel in call.cpu_children:
            assert at - 0.01 <= kernel.time_range.start <= kernel.time_range.end
            at = kernel.time_range.end
        assert at <= call.time_range.end + 0.01


def test_kernels_belong_to_layers_and_lines(prof):
    rows = {row.name: row for row in prof.by_module()}
    for name in ("Sequential.0", "Sequential.1", "Sequential.2"):
        assert rows[name].forward > 0 and rows[name].backward > 0, name
    sources = [row.source for row in prof.by_line() if row.source]
    assert {"loss = torch.nn.functional.cross_entropy(model(x), y)", "optimizer.step()"} <= set(sources)


def test_the_step_is_as_before_afterwards(step):
    losses = [step().item() for _ in range(3)]
    with profile():
        losses.append(step().item())
    losses.append(step().item())
    assert losses == sorted(losses, reverse=True)


def test_a_compiled_module_in_an_eager_step():
    layer = torch.compile(torch.nn.Linear(4, 3))
    x = torch.ones(2, 4)
    for _ in range(2):
        layer(x).sum().backward()
    with profile() as prof:
        layer(x).sum().backward()
    scopes = {event.scope for event in prof.events() if event.kind == "kernel"}
    assert scopes == {0, 1}
    assert [e.name for e in prof.events() if e.kind == "node"] == ["SumBackward0", "CompiledBackward"]


def test_a_step_that_is_compiled_during_a_profile():
    step = torch.compile(lambda x: (x * 2 + 1).exp())
    with profile() as prof:
        step(torch.ones(3))
        step(torch.ones(3))
    assert [e.name for e in prof.events() if e.kind == "kernel"] == ["kernel loop: mul, add, exp"]
    assert torch.compile.explain(step).splits == []
