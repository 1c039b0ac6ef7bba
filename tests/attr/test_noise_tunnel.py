"""NoiseTunnel and GradientShap: what is drawn, and what is made of it."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.attr import (
    DeepLift,
    GradientShap,
    IntegratedGradients,
    LayerGradCam,
    NeuronGradientShap,
    NoiseTunnel,
    Saliency,
)
from flambeau.errors import ArgumentError, DtypeError, FailedAssertion


def square(x, factor=1.0):
    return (factor * x**2).sum(1)


X = torch.tensor([[1.0, -2.0], [3.0, 0.5]])


def test_moments_of_noisy_gradients():
    """The gradient 2x + 2 noise has mean 2x, variance 4 s², mean square 4x² + 4s²."""
    tunnel = NoiseTunnel(Saliency(square))
    for kind, expected in (("smoothgrad", 2 * X), ("smoothgrad_sq", 4 * X**2 + 0.36), ("vargrad", 0.36 + 0 * X)):
        torch.manual_seed(0)
        found = tunnel.attribute(X, nt_type=kind, nt_samples=4000, stdevs=0.3, abs=False)
        torch.testing.assert_close(found, expected, rtol=0.02, atol=0.06)


def test_batches_of_samples_draw_the_same_noise():
    found = []
    for size in (None, 3):
        torch.manual_seed(0)
        arguments = {"nt_samples": 7, "nt_samples_batch_size": size, "target": None}
        found.append(NoiseTunnel(Saliency(square)).attribute(X[:1], abs=False, **arguments))
    torch.testing.assert_close(*found)


def test_arguments_are_repeated_for_the_samples():
    factor = torch.tensor([[1.0], [10.0]])
    method = NoiseTunnel(IntegratedGradients(square))
    found, delta = method.attribute(
        (X,), nt_samples=3, stdevs=(0.0,), baselines=torch.tensor([[0.0, 0.0], [1.0, 1.0]]),
        additional_forward_args=factor, return_convergence_delta=True,
    )  # fmt: skip
    expected = torch.stack([X[0] ** 2, 10 * (X[1] ** 2 - 1)])
    torch.testing.assert_close(found[0], expected)
    assert delta.shape == (6,) and float(delta.abs().max()) < 1e-4
    assert method.has_convergence_delta() and method.multiplies_by_inputs


def test_layers_and_targets():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3))
    x = torch.randn(2, 1, 6, 6)
    tunnel = NoiseTunnel(LayerGradCam(model, model[0]))
    assert tunnel.attribute(x, target=[0, 2], stdevs=0.1).shape == (2, 1, 4, 4)
    drawn = NoiseTunnel(DeepLift(model)).attribute(
        x, target=1, baselines=torch.randn(5, 1, 6, 6), draw_baseline_from_distrib=True
    )
    assert drawn.shape == x.shape


def test_bad_arguments():
    tunnel = NoiseTunnel(Saliency(square))
    with pytest.raises(FailedAssertion, match="Noise types must be either"):
        tunnel.attribute(X, nt_type="smooth")
    with pytest.raises(ArgumentError, match="nt_samples must be positive, but got 0"):
        tunnel.attribute(X, nt_samples=0)
    with pytest.raises(FailedAssertion, match="number of input tensors in 1"):
        tunnel.attribute(X, stdevs=(1.0, 2.0))
    with pytest.raises(FailedAssertion, match="stdevs must be type float"):
        tunnel.attribute(X, stdevs=-1.0)
    with pytest.raises(ArgumentError, match="not a method of attribution"):
        NoiseTunnel(square)
    with pytest.raises(DtypeError):
        tunnel.attribute(torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(FailedAssertion, match="Baselines distribution"):
        GradientShap(square).attribute(X, 0)


def test_seeds_repeat_gradient_shap():
    baselines = torch.randn(6, 2)
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        np.random.seed(seed)
        runs.append(GradientShap(square).attribute(X, baselines, stdevs=0.1))
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[0], runs[2])


def test_gradient_shap_of_a_neuron():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    found = NeuronGradientShap(model, model[0]).attribute(X, 1, torch.zeros(3, 2))
    torch.testing.assert_close(found, model[0].weight[1].detach() * X)
