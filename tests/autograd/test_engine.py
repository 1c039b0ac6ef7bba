"""The graph and its replay: leaves, accumulation, retain_graph, hooks, in-place edits, views, modes, errors."""

import gc
import weakref

import numpy as np
import pytest

import flambeau as torch


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


def test_gradients_accumulate_and_graph_is_freed():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 4])
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    linear = (x + 1).sum()  # nothing is kept, so nothing is freed
    linear.backward()
    linear.backward()
    x.grad.sub_(2)
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [6, 12])


def test_names_and_next_functions():
    x = leaf(1.0)
    y = 2 * x + 1
    assert y.grad_fn.name() == "AddBackward0"
    mul = y.grad_fn.next_functions[0][0]
    assert mul.name() == "MulBackward0"
    assert y.grad_fn.next_functions[1] == (None, 0)
    accumulate = mul.next_functions[0][0]
    assert type(accumulate).__name__ == "AccumulateGrad" and accumulate.variable is x
    assert accumulate.next_functions == ()
    assert x.grad_fn is None and x.is_leaf and not y.is_leaf


def test_only_scalars_start_alone():
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (leaf(1.0, 2.0) * 2).backward()
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        torch.tensor(1.0).backward()
    x = leaf(1.0, 2.0)
    (x * 3).backward(torch.tensor([1.0, 10.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [3, 30])
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 3).backward(torch.tensor([1.0]))


def test_gradients_of_gradients():
    x = leaf(3.0)
    (g,) = torch.autograd.grad(x**3, x, torch.tensor([1.0]), create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (third,) = torch.autograd.grad(h.sum(), x)
    assert [g.item(), h.item(), third.item()] == [27.0, 18.0, 6.0]


def test_grad_of_intermediate_and_unused():
    x, unused = leaf(2.0), leaf(1.0)
    y = x * x
    z = (y * 3).sum()
    (gy,) = torch.autograd.grad(z, y, retain_graph=True)
    assert gy.item() == 3.0
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        torch.autograd.grad(z, [x, unused], retain_graph=True)
    gx, gu = torch.autograd.grad(z, [x, unused], allow_unused=True, retain_graph=True)
    assert gx.item() == 12.0 and gu is None
    _, gu = torch.autograd.grad(z, [x, unused], materialize_grads=True)
    assert gu.item() == 0.0


def test_backward_inputs_leaves_others_alone():
    x, w = leaf(2.0), leaf(5.0)
    (x * w).sum().backward(inputs=[x])
    assert x.grad.item() == 5.0 and w.grad is None


def test_broadcast_gradients_are_summed():
    x, b = torch.ones(2, 3, requires_grad=True), torch.ones(3, requires_grad=True)
    (x * b).sum().backward()
    np.testing.assert_array_equal(b.grad.numpy(), [2, 2, 2])
    assert x.grad.shape == (2, 3)


def test_the_three_ways_to_update_a_parameter():
    """The linear-regression lesson: rebinding loses the leaf, in-place is refused, no_grad works."""
    lr = 0.1
    a = leaf(1.0)
    (a * 2).sum().backward()
    a2 = a - lr * a.grad
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'zero_'"):
        a2.grad.zero_()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        a -= lr * a.grad
    with torch.no_grad():
        a -= lr * a.grad
    a.grad.zero_()
    assert a.item() == pytest.approx(0.8) and a.requires_grad and a.is_leaf


def test_version_counters_catch_edits_of_what_backward_needs():
    x = leaf(1.0, 2.0)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    w = leaf(1.0, 2.0)
    h = w * 2
    z = h * h
    h.detach().zero_()
    with pytest.raises(RuntimeError, match="version 1; expected version 0"):
        z.sum().backward()
    k = w * 2
    z = k + k
    k.data.zero_()  # nothing kept, nothing wrong
    z.sum().backward()


def test_in_place_operations_are_differentiated():
    x = leaf(1.0, 2.0)
    y = x * 1
    y.mul_(x).add_(1)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 4])


def test_in_place_on_views_reaches_the_base():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    view = y[1:]
    view.mul_(10)
    assert y.grad_fn.name() == "CopySlices"
    np.testing.assert_array_equal(y.detach().numpy(), [2, 40, 60])
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 20, 20])


def test_in_place_on_base_reaches_the_views():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    view = y[1:]
    y.mul_(10)
    view.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 20, 20])


def test_assignment_into_a_tensor():
    w = leaf(4.0)
    out = torch.zeros(3)
    out[1] = w[0] * 2
    out[2] = 5
    assert out.requires_grad
    (out * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert w.grad.item() == 20.0


def test_detach_and_requires_grad():
    x = leaf(1.0)
    d = x.detach()
    assert not d.requires_grad and d.data_ptr() == x.data_ptr()
    with pytest.raises(RuntimeError, match="only change requires_grad flags of leaf"):
        (x * 2).requires_grad = False
    with pytest.raises(RuntimeError, match="floating point"):
        torch.tensor([1, 2]).requires_grad_()


def test_modes():
    x = leaf(1.0)
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad

    @torch.no_grad()
    def f():
        return x * 2

    @torch.no_grad()
    def values():
        yield x * 2
        yield x * 3

    assert not f().requires_grad and not any(v.requires_grad for v in values()) and torch.is_grad_enabled()
    with torch.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    torch.set_grad_enabled(False)
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)
    with torch.inference_mode():
        inferred = x * 2
    assert inferred.is_inference()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        inferred * x


def test_hooks():
    x = leaf(1.0, 2.0)
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.clone()) or g * 10)
    y = x * 2
    y.retain_grad()
    y.register_hook(lambda g: g + 1)
    y.sum().backward()
    np.testing.assert_array_equal(y.grad.numpy(), [2, 2])
    np.testing.assert_array_equal(seen[0].numpy(), [4, 4])
    np.testing.assert_array_equal(x.grad.numpy(), [40, 40])
    handle.remove()
    done = []
    x.register_post_accumulate_grad_hook(lambda p: done.append(p is x))
    (x * 1).sum().backward()
    assert done == [True] and len(seen) == 1


def test_node_hooks():
    x = leaf(1.0)
    y = x * 2
    y.grad_fn.register_prehook(lambda grads: (grads[0] * 3,))
    y.grad_fn.register_hook(lambda into, out: (into[0] * 5, None))
    y.sum().backward()
    assert x.grad.item() == 30.0


def test_a_failed_backward_changes_no_gradient():
    class Bad(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, g):
            raise RuntimeError("broken")

    x, w = leaf(1.0), leaf(2.0)
    loss = (Bad.apply(x) + w).sum()
    with pytest.raises(RuntimeError, match="broken"):
        loss.backward()
    assert w.grad is None and x.grad is None and torch.is_grad_enabled()


def test_anomaly_mode_names_the_operation():
    x = leaf(0.0)
    with pytest.warns(UserWarning, match="Error detected in SqrtBackward0"):
        with torch.autograd.detect_anomaly():
            y = (x.sqrt() * 0).sum()
            with pytest.raises(RuntimeError, match="returned nan values in its 0th output"):
                y.backward()


def test_graphs_are_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        y = x.exp().tanh()
        alive = weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        assert alive() is None
    finally:
        gc.enable()


def test_gradients_do_not_share_memory():
    a, b = leaf(1.0), leaf(2.0)
    (a + b).sum().backward()
    a.grad.add_(1)
    assert b.grad.item() == 1.0


def test_deep_graphs_need_no_recursion():
    x = leaf(1.0)
    y = x
    for _ in range(5000):
        y = y + 0
    y.sum().backward()
    assert x.grad.item() == 1.0
    del y


def test_control_flow_builds_another_graph():
    b = leaf(2.0)
    loss = (b * 3).sum()
    if loss > 0:
        loss = loss + (b * b).sum()
    loss.backward()
    assert b.grad.item() == 7.0


def test_one_tensor_used_twice_and_both_operands_broadcast():
    x = leaf(1.0, 2.0)
    (x * x - x / x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [2, 4], rtol=1e-6)
    row, column = torch.ones(1, 3, requires_grad=True), torch.tensor([[2.0], [3.0]], requires_grad=True)
    (row * column).sum().backward()
    np.testing.assert_array_equal(row.grad.numpy(), [[5, 5, 5]])
    np.testing.assert_array_equal(column.grad.numpy(), [[3], [3]])
    z = torch.tensor([1 + 2j], requires_grad=True)
    (z * z).backward(torch.ones(1, dtype=torch.complex64))
    assert z.grad.item() == 2 * (1 - 2j)


def test_a_wide_graph_goes_newest_first():
    x = leaf(2.0)
    seen = []
    branches = [x * float(i) for i in range(6)]
    for i, b in enumerate(branches):
        b.register_hook(lambda g, i=i: seen.append(i))
    total = branches[0]
    for b in branches[1:]:
        total = total + b
    (total * branches[3]).sum().backward()
    assert seen == [5, 4, 3, 2, 1, 0]
    assert x.grad.item() == 180.0  # (15 x)(3 x) = 45 x^2


def test_a_chain_keeps_hooks_retained_gradients_and_version_checks():
    x = leaf(1.0, 2.0)
    a = x * x
    b = a * x
    c = b * x
    handle = b.register_hook(lambda g: g * 10)
    a.retain_grad()
    c.sum().backward(retain_graph=True)
    np.testing.assert_array_equal(a.grad.numpy(), [10, 40])
    np.testing.assert_array_equal(x.grad.numpy(), [31, 248])
    handle.remove()
    with torch.no_grad():
        b.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        c.sum().backward()


def test_what_a_node_keeps_has_names():
    x = leaf(2.0)
    node = (x * 3.0).grad_fn
    assert node._saved_self is None or node._saved_self is x
    assert node._saved_other.item() == 3.0
    assert x.exp().grad_fn._saved_result.item() == pytest.approx(np.exp(2.0))
    assert not hasattr(node, "_saved_nothing_of_that_name")
