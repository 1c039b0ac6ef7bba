"""Hooks on modules: order, arguments, what they may change, and how they are removed."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn.modules import module as M


@pytest.fixture
def layer():
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.fill_(0.0)
    return layer


def test_order(layer):
    log = []
    layer.register_forward_pre_hook(lambda m, a: log.append("pre"))
    layer.register_forward_pre_hook(lambda m, a, k: log.append("pre first"), with_kwargs=True, prepend=True)
    layer.register_forward_hook(lambda m, a, o: log.append("forward"))
    layer.register_forward_hook(lambda m, a, k, o: log.append(("forward", k)), with_kwargs=True)
    layer.register_full_backward_pre_hook(lambda m, g: log.append(("backward pre", len(g))))
    layer.register_full_backward_hook(lambda m, gi, go: log.append(("backward", gi[0].tolist(), go[0].tolist())))
    handles = [
        M.register_module_forward_pre_hook(lambda m, a: log.append("any pre")),
        M.register_module_forward_hook(lambda m, a, o: log.append("any forward")),
        M.register_module_full_backward_pre_hook(lambda m, go: log.append("any backward pre")),
        M.register_module_full_backward_hook(lambda m, gi, go: log.append("any backward")),
    ]
    try:
        out = layer(torch.ones(1, 2, requires_grad=True))
        assert out.grad_fn.name() == "BackwardHookFunctionBackward"
        out.sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    assert log == [
        "any pre", "pre first", "pre", "any forward", "forward", ("forward", {}),
        "any backward pre", ("backward pre", 1), "any backward", ("backward", [[2.0, 2.0]], [[1.0, 1.0]]),
    ]  # fmt: skip
    log.clear()
    nn.Linear(1, 1)(torch.ones(1, 1))
    assert log == []


def test_forward_hooks_may_replace(layer):
    handle = layer.register_forward_hook(lambda m, a, o: o * 0)
    assert layer(torch.ones(1, 2)).sum() == 0
    handle.remove()
    with layer.register_forward_pre_hook(lambda m, a: a[0] * 3):
        assert layer(torch.ones(1, 2)).tolist() == [[6.0, 6.0]]
    assert layer(torch.ones(1, 2)).tolist() == [[2.0, 2.0]]
    with layer.register_forward_pre_hook(lambda m, a, k: 3, with_kwargs=True):
        with pytest.raises(RuntimeError, match="forward pre-hook must return None or a tuple"):
            layer(torch.ones(1, 2))


def test_backward_hooks_may_replace(layer):
    layer.register_full_backward_pre_hook(lambda m, go: (go[0] * 3,))
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 10,))
    x = torch.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.tolist() == [[60.0, 60.0]] and layer.weight.grad.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_backward_hook_without_gradients_of_inputs(layer):
    seen = []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    layer(torch.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1.0, 1.0]])]


def test_backward_hooks_of_a_module_that_is_gone(layer):
    names = []
    with M.register_module_full_backward_hook(lambda m, gi, go: names.append(type(m).__name__)):
        x = torch.ones(1, 2, requires_grad=True)
        nn.Sequential(layer, nn.ReLU())(x).sum().backward()
    assert names == ["ReLU", "Linear", "Sequential"]


def test_two_kinds_of_backward_hooks_are_refused(layer):
    layer.register_full_backward_hook(lambda *a: None)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full backward hooks"):
        layer.register_backward_hook(lambda *a: None)


def test_always_called():
    class Bad(nn.Module):
        def forward(self, x):
            raise ValueError("no")

    seen, bad = [], Bad()
    bad.register_forward_hook(lambda m, a, o: seen.append((a, o)), always_call=True)
    bad.register_forward_hook(lambda m, a, o: seen.append("never"))
    with pytest.raises(ValueError, match="no"):
        bad(3)
    assert seen == [((3,), None)]


def test_registration_hooks():
    log = []
    with (
        M.register_module_parameter_registration_hook(lambda m, n, p: log.append(("parameter", n))),
        M.register_module_buffer_registration_hook(lambda m, n, p: log.append(("buffer", n))),
        M.register_module_module_registration_hook(lambda m, n, p: log.append(("module", n))),
    ):
        nn.Sequential(nn.BatchNorm1d(1, affine=False), nn.Linear(1, 1))
    assert log == [
        ("parameter", "weight"), ("parameter", "bias"), ("buffer", "running_mean"), ("buffer", "running_var"),
        ("buffer", "num_batches_tracked"), ("parameter", "weight"), ("parameter", "bias"),
        ("module", "0"), ("module", "1"),
    ]  # fmt: skip


def test_deprecated_backward_hook(layer):
    seen = []
    layer.register_backward_hook(lambda m, gi, go: seen.append(len(go)))
    with pytest.warns(FutureWarning):
        out = layer(torch.ones(1, 2))
    out.sum().backward()
    assert seen == [1]
