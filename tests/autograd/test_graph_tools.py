"""Hooks on saved tensors, checkpointing, gradient edges, groups of hooks, anomaly mode."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import graph
from flambeau.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

nn = torch.nn


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


def test_saved_tensors_hooks():
    x = leaf(1.0, 2.0)
    packed = []
    with graph.saved_tensors_hooks(lambda t: packed.append(t) or len(packed) - 1, lambda i: packed[i] * 10):
        y = (x * x).sum()
    y.backward()
    assert len(packed) == 2
    np.testing.assert_allclose(x.grad.numpy(), [20, 40])


def test_packed_tensors_keep_their_history():
    x = leaf(1.0, 1.0)
    with graph.saved_tensors_hooks(lambda t: t.numpy().copy(), torch.from_numpy):  # numpy(): packing is not recorded
        y = x * 2
        z = (y * y * x).sum()
    (g,) = torch.autograd.grad(z, x, create_graph=True)
    assert g.tolist() == [12, 12]
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [24, 24]


def test_numpy_of_a_parameter_inside_no_grad():
    x = leaf(1.0, 2.0)
    with torch.no_grad():
        assert x.numpy().tolist() == np.asarray(x).tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="Can't call numpy"):
        x.numpy()


def test_disabled_hooks_and_save_on_cpu():
    x = leaf(1.0)
    with graph.disable_saved_tensors_hooks("not now"):
        (x * x).backward()  # saving itself goes on
        with pytest.raises(RuntimeError, match="not now"):
            with graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                pass
    with graph.save_on_cpu():
        y = x.exp()
    y.backward()
    assert x.grad.item() == pytest.approx(2 + np.e)


def test_mutation_of_saved_tensors():
    x = leaf(1.0, 2.0)
    y = x * 2
    with graph.allow_mutation_on_saved_tensors():
        z = (y**2).sum()
        with torch.no_grad():
            y.mul_(100)
    z.backward()
    np.testing.assert_allclose(x.grad.numpy(), [8, 16])


def test_gradient_edges():
    x = leaf(1.0, 2.0)
    y = x * x
    edge = graph.get_gradient_edge(y)
    assert edge.node is y.grad_fn and edge.output_nr == 0
    (g,) = torch.autograd.grad(edge, x, torch.ones(2))
    np.testing.assert_allclose(g.numpy(), [2, 4])
    with pytest.raises(RuntimeError, match="does not require gradients"):
        graph.get_gradient_edge(torch.ones(1))
    assert isinstance(edge.node, graph.Node)


def test_increment_version():
    t = torch.ones(2)
    graph.increment_version(t)
    assert t._version == 1


@pytest.mark.parametrize("mode, expected", [("all", [[True, False, True]]), ("any", [True])])
def test_multi_grad_hook(mode, expected):
    x, unused, y = leaf(1.0), leaf(1.0), leaf(2.0)
    seen = []
    describe = lambda g: [t is not None for t in g] if isinstance(g, list) else g is not None
    handle = graph.register_multi_grad_hook([x, unused, y], lambda g: seen.append(describe(g)), mode=mode)
    (x * y).backward()
    assert seen == expected
    (x * y).backward()
    assert len(seen) == 2
    handle.remove()
    (x * y).backward()
    assert len(seen) == 2


# ------------------------------------------------------------------ checkpoint


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpoint_gives_the_same_gradients(use_reentrant):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    x = torch.randn(3, 4, requires_grad=True)
    net(x).pow(2).sum().backward()
    expected = [p.grad.clone() for p in net.parameters()] + [x.grad.clone()]
    net.zero_grad()
    x.grad = None
    checkpoint(net, x, use_reentrant=use_reentrant).pow(2).sum().backward()
    for found, g in zip([p.grad for p in net.parameters()] + [x.grad], expected):
        np.testing.assert_allclose(found.numpy(), g.numpy(), rtol=1e-6)


def test_checkpoint_keeps_nothing_and_runs_twice():
    calls = []

    def f(x):
        calls.append(1)
        return x.sin().exp().tanh()

    x = leaf(0.3)
    y = checkpoint(f, x, use_reentrant=False)
    assert len(calls) == 1
    y.backward()
    assert len(calls) == 2
    t = np.exp(np.sin(0.3))
    assert x.grad.item() == pytest.approx((1 - np.tanh(t) ** 2) * t * np.cos(0.3), rel=1e-5)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpoint_repeats_dropout(use_reentrant):
    torch.manual_seed(0)
    x = torch.ones(100, requires_grad=True)
    y = checkpoint(lambda t: nn.functional.dropout(t, 0.5) * t, x, use_reentrant=use_reentrant)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * y.detach().numpy())  # the mask is the same both times


def test_nested_checkpoint_and_autograd_grad():
    x = leaf(0.5)
    inner = lambda t: checkpoint(torch.sin, t, use_reentrant=False).exp()
    y = checkpoint(inner, x, use_reentrant=False)
    (g,) = torch.autograd.grad(y, x)
    assert g.item() == pytest.approx(np.exp(np.sin(0.5)) * np.cos(0.5), rel=1e-5)


def test_function_that_changes_its_mind():
    runs = []

    def f(x):
        runs.append(1)
        return (x * x).sum() if len(runs) == 1 else (x.unsqueeze(0) * x).sum()

    with pytest.raises(CheckpointError, match="different metadata"):
        checkpoint(f, leaf(1.0, 2.0), use_reentrant=False).backward()


def test_checkpoint_sequential_and_warnings():
    net = nn.Sequential(*[nn.Linear(2, 2) for _ in range(4)])
    x = torch.ones(1, 2, requires_grad=True)
    np.testing.assert_allclose(
        checkpoint_sequential(net, 2, x, use_reentrant=False).detach().numpy(), net(x).detach().numpy()
    )
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        checkpoint(net, x)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: foo"):
        checkpoint(net, x, use_reentrant=True, foo=1)


# ------------------------------------------------------------------ anomaly mode


def test_anomaly_mode_names_the_forward_line():
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        detect = torch.autograd.detect_anomaly()
    x = leaf(-1.0)
    with detect, pytest.warns(UserWarning) as shown:
        y = x.sqrt()  # the line that is named
        with pytest.raises(RuntimeError, match="SqrtBackward0' returned nan values in its 0th output"):
            y.backward()
    text = next(str(w.message) for w in shown if "Error detected in SqrtBackward0" in str(w.message))
    assert "the line that is named" in text


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpoint_under_autocast(use_reentrant):
    layer, x = nn.Linear(2, 2), torch.ones(1, 2, requires_grad=True)
    seen = []

    def f(x):
        y = layer(x)
        seen.append(y.dtype)
        return y.exp()

    with torch.autocast("cpu"):
        y = checkpoint(f, x, use_reentrant=use_reentrant)
    y.float().sum().backward()  # outside of autocast
    assert seen == [torch.bfloat16, torch.bfloat16]
    assert x.grad.dtype is torch.float32
