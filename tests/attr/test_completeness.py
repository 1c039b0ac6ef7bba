"""Attributions that have to add up to the change of the output do: to a thousandth of it, with default arguments."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.attr import (
    DeepLift,
    DeepLiftShap,
    GradientShap,
    IntegratedGradients,
    LayerConductance,
    LayerDeepLift,
    LayerGradientShap,
    LayerIntegratedGradients,
    NeuronIntegratedGradients,
)
from flambeau.errors import ArgumentError


def mlp():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 4)).eval()


def cnn():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(4, 6, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(6, 5), nn.Softmax(1),
    ).eval()  # fmt: skip


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.linear = nn.Linear(8, 3)

    def forward(self, x):
        return self.linear(self.encoder(x).mean(1))


def attention():
    torch.manual_seed(0)
    return Attention().eval()


INPUTS = {mlp: (5, 6), cnn: (4, 1, 8, 8), attention: (2, 6, 8)}


@pytest.fixture(params=list(INPUTS), ids=lambda make: make.__name__)
def case(request):
    model = request.param()
    x = torch.randn(INPUTS[request.param])
    with torch.no_grad():
        change = (model(x) - model(torch.zeros_like(x)))[:, 2]
    return model, x, change


def complete(attributions, delta, change, tolerance=1e-3):
    """Whether each delta is what is missing, and a small part of the output's change."""
    torch.testing.assert_close(attributions.flatten(1).sum(1) - change, delta, rtol=0, atol=1e-5)
    return bool((delta.abs() <= tolerance * change.abs() + 1e-6).all())


def test_integrated_gradients(case):
    model, x, change = case
    arguments = {"target": 2, "return_convergence_delta": True}
    if not isinstance(model, Attention):  # normalisation makes it abrupt near zero
        assert float(IntegratedGradients(model).attribute(x, **arguments)[1].abs().max()) < 1e-3
        assert complete(*IntegratedGradients(model).attribute(x, tolerance=1e-3, **arguments), change)
    near = x + 0.3 * torch.randn_like(x)
    with torch.no_grad():
        change = (model(x) - model(near))[:, 2]
    assert complete(*IntegratedGradients(model).attribute(x, near, tolerance=1e-3, **arguments), change)


def test_what_cannot_be_complete():
    def step(x):
        return (1000 * (x - 0.12345)).sigmoid().sum(1)

    with pytest.warns(UserWarning, match=r"with \d+ steps the attributions still miss"):
        IntegratedGradients(step).attribute(torch.ones(1, 1), tolerance=1e-9)
    for method, tolerance in ((IntegratedGradients(step), 0), (IntegratedGradients(step, False), 1e-3)):
        with pytest.raises(ArgumentError, match="cannot be reached"):
            method.attribute(torch.ones(1, 1), tolerance=tolerance)


def test_more_steps_come_nearer():
    model = mlp()
    x = 3 * torch.randn(5, 6)
    method = IntegratedGradients(model)
    for rule in ("riemann_trapezoid", "riemann_middle", "riemann_left", "riemann_right"):
        few, many = (
            method.attribute(x, target=2, n_steps=n, method=rule, return_convergence_delta=True)[1].abs().sum()
            for n in (5, 500)
        )
        assert many < few / 5, rule


def test_deep_lift_of_modules(case):
    model, x, change = case
    if isinstance(model, Attention):
        with pytest.warns(UserWarning, match="DeepLift's attributions miss the change of the output"):
            DeepLift(model).attribute(x, target=2)
    else:
        assert complete(*DeepLift(model).attribute(x, target=2, return_convergence_delta=True), change, 1e-5)


def test_deep_lift_shap():
    model, x, baselines = mlp(), torch.randn(3, 6), torch.randn(7, 6)
    with torch.no_grad():
        change = (model(x) - model(baselines).mean(0))[:, 1]
    found, delta = DeepLiftShap(model).attribute(x, baselines, target=1, return_convergence_delta=True)
    assert delta.shape == (21,) and float(delta.abs().max()) < 1e-5
    torch.testing.assert_close(found.sum(1), change, rtol=0, atol=1e-5)


def test_layers(case):
    model, x, change = case
    layer = model.encoder if isinstance(model, Attention) else model[0]
    arguments = {"target": 2, "return_convergence_delta": True}
    assert complete(*LayerIntegratedGradients(model, layer).attribute(x, tolerance=1e-3, **arguments), change)
    if not isinstance(model, Attention):
        assert complete(*LayerConductance(model, layer).attribute(x, tolerance=1e-2, **arguments), change, 1e-2)
    if not isinstance(model, Attention):
        assert complete(*LayerDeepLift(model, layer).attribute(x, **arguments), change, 1e-5)


def test_layer_conductance_of_a_linear_path_is_complete():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    x = torch.randn(4, 6)
    found, delta = LayerConductance(model, model[1]).attribute(x, target=0, return_convergence_delta=True)
    assert found.shape == (4, 8) and bool((delta.abs() < 1e-3).all())


def test_gradient_shap_in_expectation():
    model, x, baselines = mlp(), torch.randn(2, 6), torch.randn(3, 6)
    with torch.no_grad():
        change = (model(x) - model(baselines).mean(0))[:, 1]
    np.random.seed(0)
    arguments = {"n_samples": 4000, "target": 1, "return_convergence_delta": True}
    found, delta = GradientShap(model).attribute(x, baselines, **arguments)
    assert delta.shape == (8000,)
    torch.testing.assert_close(found.sum(1), change, rtol=0, atol=0.02)
    of_layer, _ = LayerGradientShap(model, model[0]).attribute(x, baselines, **arguments)
    assert of_layer.shape == (2, 16)
    torch.testing.assert_close(of_layer.sum(1), change, rtol=0, atol=0.02)


def test_a_neuron():
    model, x = mlp(), torch.randn(3, 6)
    found = NeuronIntegratedGradients(model, model[1]).attribute(x, 5)
    with torch.no_grad():
        change = (model[:2](x) - model[:2](torch.zeros_like(x)))[:, 5]
    torch.testing.assert_close(found.sum(1), change, rtol=0, atol=2e-2)


def test_double_precision():
    model, x = mlp().double(), torch.randn(3, 6, dtype=torch.float64)
    found, delta = IntegratedGradients(model).attribute(x, target=0, n_steps=200, return_convergence_delta=True)
    assert found.dtype == delta.dtype == torch.float64
    found, delta = DeepLift(model).attribute(x, target=0, return_convergence_delta=True)
    assert float(delta.abs().max()) < 1e-12
