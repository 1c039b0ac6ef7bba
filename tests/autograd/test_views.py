"""Views and in-place changes: which history each sees, what is forbidden, hooks and inference tensors around them."""

import pytest

import flambeau as torch


def leaf(n):
    return torch.arange(1.0, n + 1, requires_grad=True)


# ---------------------------------------------------------------------- a view made before its base gets a history


def test_view_sees_the_history_that_its_base_receives_later():
    w, out = leaf(3), torch.zeros(3)
    row, shaped = out[1:], out.view(3, 1)
    out.copy_(w * 2)
    assert row.requires_grad
    (row * torch.tensor([5.0, 7.0])).sum().backward(retain_graph=True)
    assert w.grad.tolist() == [0, 10, 14]
    w.grad = None
    (shaped**2).sum().backward()
    assert w.grad.tolist() == [8, 16, 24]


def test_history_is_derived_wherever_it_is_first_asked_for():
    w, out = leaf(3), torch.ones(3)
    part = out[:2]
    out.mul_(w)
    with torch.no_grad():
        assert part.requires_grad
    part.exp().sum().backward()
    torch.testing.assert_close(w.grad, torch.tensor([1.0, 2.0, 0.0]).exp() * torch.tensor([1.0, 1.0, 0.0]))


def test_two_views_of_one_base():
    w, out = leaf(2), torch.zeros(4)
    a, b = out[:2], out[1:3]
    a.copy_(w)
    b.mul_(3)
    (a.sum() + out.sum()).backward()
    assert a.tolist() == [1, 6] and w.grad.tolist() == [2, 6]


def test_rows_filled_one_after_the_other():
    w, h, outs = leaf(1), torch.zeros(3), []
    for i in range(3):
        h[i] = w[0] * (i + 1)
        outs.append(h[i])
    sum(outs).backward()
    assert w.grad.tolist() == [6]


# ---------------------------------------------------------------------- what is forbidden


def no_grad_view(x):
    with torch.no_grad():
        return x[:1]


FORBIDDEN = [
    (
        lambda x: x.unbind()[0].mul_(2),
        "Output 0 of Unbind is a view and is being modified inplace. This view is the output",
    ),
    (lambda x: x.split(2)[1].add_(1), "Output 1 of Split is a view and is being modified inplace"),
    (lambda x: x.chunk(2)[0].exp_(), "Output 0 of Split is a view and is being modified inplace"),
    (lambda x: [row.zero_() for row in x], "Output 0 of Unbind"),
    (
        lambda x: no_grad_view(x).mul_(2),
        "A view was created in no_grad mode and is being modified inplace with grad mode",
    ),
    (lambda x: no_grad_view(x)[:1].mul_(2), "A view was created in no_grad mode"),
    (lambda x: no_grad_view(torch.zeros(2)).mul_(x[:1]), "A view was created in no_grad mode"),
]


@pytest.mark.parametrize("change, text", FORBIDDEN)
def test_forbidden_changes(change, text):
    x = leaf(4) * 1
    with pytest.raises(RuntimeError) as caught:
        change(x)
    assert str(caught.value).startswith(text)
    assert x.tolist() == [1, 2, 3, 4]


def test_use_after_the_base_was_changed():
    x = leaf(4) * 1
    a, _ = x.split(2)
    x.mul_(2)
    with pytest.raises(RuntimeError, match="Output 0 of Split is a view and its base or another view"):
        a * 2


def test_what_stays_allowed():
    x = torch.zeros(2, 2)
    for row in x:  # no history: nothing to get wrong
        row += 1
    assert x.tolist() == [[1, 1], [1, 1]]
    w = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        for part in w:
            part.mul_(2)
    assert w.tolist() == [2, 2]
    rows = torch.zeros(1, 3).expand(2, 3)
    rows[0] = 1  # one row of expanded memory is no overlap
    assert rows.tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("change", [lambda x: x[:1].add_(1), lambda x: x.__setitem__(0, 1.0), lambda x: x.add_(1)])
def test_view_that_was_made_a_leaf(change):
    x = torch.zeros(2, 3).reshape(3, 2).requires_grad_()
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        change(x)


# ---------------------------------------------------------------------- gradients kept, hooks


def test_retain_grad_goes_with_the_tensor():
    x = leaf(3)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    y[0].mul_(5)
    y.sum().backward()
    assert y.grad.tolist() == [1, 1, 1] and x.grad.tolist() == [30, 6, 6]


HOOKS = [
    (lambda x, y: x.register_hook(lambda g: torch.ones(3)), RuntimeError,
     "hook '<lambda>' has changed the size of value"),
    (lambda x, y: y.register_hook(lambda g: torch.ones(3)), RuntimeError,
     "hook '<lambda>' has changed the size of value"),
    (lambda x, y: x.register_hook(lambda g: g.double()), RuntimeError,
     "hook '<lambda>' has changed the type of value (was "
     "torch.FloatTensor got torch.DoubleTensor)"),
    (lambda x, y: x.register_hook(lambda g: 3), TypeError, "expected Variable, but hook returned 'int'"),
    (lambda x, y: y.grad_fn.register_prehook(lambda g: 3), TypeError, "expected tuple, but hook returned 'int'"),
    (lambda x, y: y.grad_fn.register_hook(lambda a, b: (1, 2, 3)), RuntimeError,
     "hook '<lambda>' has returned an incorrect number of values (got 3, but expected 2)"),
]  # fmt: skip


@pytest.mark.parametrize("add, error, text", HOOKS)
def test_hooks_that_return_something_else(add, error, text):
    x = leaf(2)
    y = x * 2
    add(x, y)
    with pytest.raises(error) as caught:
        y.sum().backward()
    assert str(caught.value).startswith(text) and x.grad is None


def test_saved_tensors_hooks_are_checked():
    x, hooks = leaf(2), torch.autograd.graph.saved_tensors_hooks
    with hooks(lambda t: 3, lambda t: t):
        y = (x * x).sum()
    with pytest.raises(TypeError, match="unpack_hook expected to be a Tensor but got result of type int"):
        y.backward()
    with hooks(lambda t: t.mul_(2), lambda t: t), pytest.raises(RuntimeError, match="pack hook is modifying its input"):
        (x * 2).exp()


# ---------------------------------------------------------------------- inference tensors


def test_inference_tensors():
    with torch.inference_mode():
        x = torch.ones(2)
        x[0] = 3
        base = torch.zeros(2)
        with torch.enable_grad():
            assert not (leaf(2) * 2).requires_grad
    assert x.is_inference() and x[:1].is_inference() and not x.clone().is_inference() and not (x + 1).is_inference()
    for change in (lambda: x.add_(1), lambda: x.__setitem__(0, 1.0), lambda: torch.add(base, 1, out=x)):
        with pytest.raises(RuntimeError, match="Inplace update to inference tensor outside InferenceMode"):
            change()
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        leaf(2) * x
    with pytest.raises(RuntimeError, match="Setting requires_grad=True on inference tensor"):
        x.requires_grad_()
    normal = torch.zeros(2)
    with torch.inference_mode():
        view = normal[:1]
    assert not view.is_inference()
    view.add_(1)  # without history this is allowed
    with pytest.raises(RuntimeError, match="A view was created in inference mode and is being modified inplace"):
        view.add_(leaf(1))


# ---------------------------------------------------------------------- assignments


@pytest.mark.parametrize("change, error, text", [
    (lambda x: setattr(x,
     "grad", torch.ones(3)), RuntimeError, "attempting to assign a gradient of size '[3]' to a tensor of "
     "size '[2]'. Please ensure that the gradient and the tensor are the same size"),
    (lambda x: setattr(x, "grad", torch.ones(2).double()), RuntimeError, "attempting to assign a gradient with dtype"),
    (lambda x: setattr(x,
     "grad", torch.ones(2, device="meta")), RuntimeError, "attempting to assign a gradient with device"),
    (lambda x: setattr(x,
     "grad", 3), TypeError, "assigned grad expected to be a Tensor or None but got grad of type int"),
    (lambda x: setattr(x,
     "data", torch.ones(2).long()), RuntimeError, "data set to a tensor that requires gradients must be"),
    (lambda x: setattr(x, "requires_grad", "yes"), RuntimeError, "requires_grad must be a bool"),
    (lambda x: setattr(x * 1, "requires_grad", True), RuntimeError, "you can only change requires_grad flags of leaf"),
    (lambda x: torch.autograd.grad(x.sum(), [None]), RuntimeError, "all inputs have to be Tensors or GradientEdges"),
])  # fmt: skip
def test_assignments(change, error, text):
    with pytest.raises(error) as caught:
        change(leaf(2))
    assert str(caught.value).startswith(text)
