"""DeepLIFT's rules, layer by layer, and what the methods with rules say of models without such layers."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.attr import LRP, Deconvolution, DeepLift, DeepLiftShap, GuidedBackprop, LayerDeepLift
from flambeau.attr.deep_lift import ELEMENTWISE, JOINT
from flambeau.errors import ArgumentTypeError, FailedAssertion
from flambeau.nn import functional as F


def delta_of(model, shape, **arguments):
    torch.manual_seed(1)
    x, baselines = torch.randn(shape) * 3, torch.randn(shape)
    with torch.no_grad():
        change = (model(x) - model(baselines)).flatten(1)[:, 0]
    _, delta = DeepLift(model).attribute(x, baselines, return_convergence_delta=True, **arguments)
    return float(delta.abs().max()), float(change.abs().max())


@pytest.mark.parametrize("kind", ELEMENTWISE, ids=lambda kind: kind.__name__)
def test_element_wise_layers(kind):
    torch.manual_seed(0)
    layer = kind(0.1, -0.2) if kind is nn.Threshold else kind()
    missing, change = delta_of(nn.Sequential(nn.Linear(3, 5), layer, nn.Linear(5, 2)), (4, 3), target=0)
    assert change > 0 and missing <= 1e-5 * change + 1e-6


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.MaxPool1d(2), (2, 3, 6)),
        (nn.MaxPool1d(3, 1, 1), (2, 3, 6)),
        (nn.MaxPool2d(2), (2, 2, 6, 6)),
        (nn.MaxPool2d(3, 2, 1), (2, 2, 6, 6)),
        (nn.MaxPool3d(2), (2, 1, 4, 4, 4)),
        (nn.AdaptiveMaxPool2d(2), (2, 2, 5, 5)),
    ],
    ids=str,
)
def test_pools(layer, shape):
    torch.manual_seed(0)
    missing, change = delta_of(nn.Sequential(nn.Tanh(), layer, nn.Flatten(), nn.LazyLinear(2)), shape, target=0)
    assert change > 0 and missing <= 1e-5 * change + 1e-6


@pytest.mark.parametrize("layer", ["Softmax", "LogSoftmax", "Softmin", "GLU", "LayerNorm", "GroupNorm"])
def test_layers_whose_outputs_depend_on_several_inputs(layer):
    torch.manual_seed(0)
    arguments = {"GLU": (), "LayerNorm": (6,), "GroupNorm": (2, 6)}.get(layer, (1,))
    made = getattr(nn, layer)(*arguments)
    assert isinstance(made, JOINT)
    missing, change = delta_of(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), made), (4, 3), target=0)
    assert change > 0 and missing <= 1e-4 * change


def test_a_module_that_is_used_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.relu = nn.Linear(3, 4), nn.Linear(4, 2), nn.ReLU(inplace=True)

        def forward(self, x):
            hidden = self.relu(self.a(x))
            return self.relu(self.b(hidden) + hidden[:, :2])

    torch.manual_seed(0)
    missing, change = delta_of(Twice(), (5, 3), target=0)
    assert change > 0 and missing <= 1e-5 * change


def test_what_a_layer_took_and_returned_may_be_overwritten():
    class Adds(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.tanh, self.b = nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)

        def forward(self, x):
            hidden = self.a(x)
            out = self.tanh(hidden)
            hidden += 1
            out += hidden
            return self.b(out)

    torch.manual_seed(0)
    missing, change = delta_of(Adds(), (5, 3), target=0)
    assert change > 0 and missing <= 1e-5 * change
    assert LRP(Adds()).attribute(torch.ones(2, 3), 0).shape == (2, 3)


def test_a_product_of_rules_by_hand():
    model = nn.Sequential(nn.ReLU(), nn.Sigmoid())
    x, baseline = torch.tensor([[2.0]]), torch.tensor([[-1.0]])
    slope = (x.sigmoid() - 0.5) / 3
    torch.testing.assert_close(DeepLift(model, multiply_by_inputs=False).attribute(x, baseline), slope)
    torch.testing.assert_close(DeepLift(model).attribute(x, baseline), 3 * slope)
    torch.testing.assert_close(LayerDeepLift(model, model[0]).attribute(x, baseline), x.sigmoid() - 0.5)
    for custom, expected in [
        (lambda m: m, slope),
        (lambda m, x: (m[0] * x[0],), 2 * slope),
        (lambda m, x, b: (m[0] * (x[0] - b[0]),), 3 * slope),
    ]:
        torch.testing.assert_close(
            _one(DeepLift(model).attribute(x, baseline, custom_attribution_func=custom)), expected
        )


def _one(result):
    return result[0] if isinstance(result, tuple) else result


def test_functions_have_no_rule_and_it_is_said():
    class Functional(nn.Module):
        def forward(self, x):
            return F.relu(x).sum(1)

    with pytest.warns(UserWarning, match=r"miss the change of the output by up to 6, of 1.*nn.ReLU"):
        DeepLift(Functional()).attribute(torch.tensor([[-1.0, 2.0]]), torch.tensor([[3.0, -3.0]]))
    with pytest.warns(UserWarning, match=r"changes the backward pass of nn.ReLU modules, and the model has none"):
        GuidedBackprop(Functional()).attribute(torch.ones(1, 2))
    for method in (DeepLift, DeepLiftShap, GuidedBackprop, Deconvolution):
        with pytest.raises(ArgumentTypeError, match=f"{method.__name__} takes a module, not function"):
            method(lambda x: x)


def test_the_model_is_as_before():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    special = model[1].forward = lambda input: F.relu(input) + 1
    DeepLift(model).attribute(torch.ones(1, 3), target=0)
    assert vars(model[1])["forward"] is special
    del model[1].forward
    for method in (DeepLift, GuidedBackprop):
        with pytest.raises(IndexError):
            method(model).attribute(torch.ones(1, 3), target=7)
        assert "forward" not in vars(model[1])
        model.register_forward_hook(lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            method(model).attribute(torch.ones(1, 3), target=0)
        assert "forward" not in vars(model[1])
        model._forward_hooks.clear()
    assert all(p.grad is None for p in model.parameters())


def test_distributions_of_baselines():
    model = nn.Sequential(nn.Linear(3, 2))
    x = torch.ones(2, 3)
    with pytest.raises(FailedAssertion, match="more than one example"):
        DeepLiftShap(model).attribute(x, torch.zeros(1, 3), target=0)
    with pytest.raises(FailedAssertion, match="more than one example"):
        DeepLiftShap(model).attribute(x, 0, target=0)
    assert DeepLiftShap(model).attribute(x, lambda inputs: torch.cat([inputs, inputs * 0]), [0, 1]).shape == (2, 3)


def test_guided_gradients_by_hand():
    class Signs(nn.Module):
        def __init__(self):
            super().__init__()
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            return (self.relu(x * torch.tensor([1.0, 1.0, -1.0])) * torch.tensor([2.0, -2.0, 3.0])).sum(1)

    x = torch.tensor([[1.0, 1.0, 1.0], [-1.0, 1.0, -1.0]])
    assert torch.equal(GuidedBackprop(Signs()).attribute(x), torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, -3.0]]))
    assert torch.equal(Deconvolution(Signs()).attribute(x), torch.tensor([[2.0, 0.0, -3.0], [2.0, 0.0, -3.0]]))
