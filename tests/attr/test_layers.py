"""Layers and neurons: which values are meant, what stands in their place, and what is said where there are none."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.attr import (
    DeepLift,
    DeepLiftShap,
    GradientShap,
    GuidedGradCam,
    InternalInfluence,
    LayerActivation,
    LayerAttribution,
    LayerConductance,
    LayerDeepLift,
    LayerDeepLiftShap,
    LayerGradCam,
    LayerGradientXActivation,
    LayerIntegratedGradients,
    NeuronConductance,
    NeuronGradient,
    Saliency,
)
from flambeau.errors import ArgumentTypeError, DtypeError, FailedAssertion, GradientError, IndexOutOfRange, StateError


class Net(nn.Module):
    """Layers that give and take several tensors, are run twice, by keyword, or not at all."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.pair = Pair()
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Linear(4, 2)
        self.idle = nn.Linear(4, 4)

    def forward(self, x):
        one, two = self.pair(self.relu(self.first(x)), 3)
        return self.last(input=self.relu(one) + two)


class Pair(nn.Module):
    def forward(self, x, factor):
        return x - 0.1, factor * x


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


X = torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]])


def test_values_of_layers(net):
    first = net.first(X).detach()
    assert torch.equal(LayerActivation(net, net.first).attribute(X), first)
    pair, inputs = (LayerActivation(net, net.pair).attribute(X, attribute_to_layer_input=i) for i in (False, True))
    assert isinstance(pair, tuple) and torch.equal(pair[1], 3 * first.relu()) and torch.equal(inputs, first.relu())
    several = LayerActivation(net, [net.pair, net.first]).attribute(X)
    assert isinstance(several, list) and len(several[0]) == 2 and torch.equal(several[1], first)


def test_lstm_states_are_flattened():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 2, batch_first=True)
    states, hidden, cell = LayerActivation(lambda x: lstm(x)[0][:, -1], lstm).attribute(torch.randn(2, 5, 3))
    assert states.shape == (2, 5, 2) and hidden.shape == cell.shape == (1, 2, 2)
    with pytest.raises(GradientError, match="does not depend on layer value 1"):
        LayerGradientXActivation(lambda x: lstm(x)[0][:, -1], lstm).attribute(torch.randn(2, 5, 3), 0)
    found = LayerGradientXActivation(lambda x: lstm(x)[0][:, -1], lstm).attribute(
        torch.randn(2, 5, 3), 0, grad_kwargs={"allow_unused": True}
    )
    assert float(found[0].abs().sum()) > 0 and not found[1].any()


def test_gradients_of_layers(net):
    gradients = LayerGradientXActivation(net, net.pair, multiply_by_inputs=False).attribute(X, 1)
    weight = net.last.weight[1].detach()
    positive = (net.first(X).relu() - 0.1 > 0).float()
    torch.testing.assert_close(gradients[0], weight * positive)
    torch.testing.assert_close(gradients[1], weight.expand(2, 4))
    listed = LayerGradientXActivation(net, [net.first, net.pair]).attribute(X, 1)
    assert listed[0].shape == (2, 4) and len(listed[1]) == 2


def test_frozen_parameters_and_a_layer_of_which_nothing_needs_a_gradient(net):
    net.requires_grad_(False)
    assert float(LayerGradientXActivation(net, net.first).attribute(X, 0).abs().sum()) > 0
    assert float(LayerIntegratedGradients(net, net.first).attribute(X, target=0).abs().sum()) > 0
    assert not X.requires_grad


def test_layers_that_cannot_be_watched(net):
    with pytest.raises(FailedAssertion, match="Linear is not part of the model"):
        LayerActivation(net, nn.Linear(3, 3)).attribute(X)
    with pytest.raises(FailedAssertion, match="Linear was not run in the forward pass"):
        LayerConductance(net, net.idle).attribute(X, target=0)
    with pytest.raises(FailedAssertion, match="Linear has no tensor there"):
        LayerActivation(net, net.last).attribute(X, attribute_to_layer_input=True)
    with pytest.raises(ArgumentTypeError, match=r"model.get_submodule\('first'\)"):
        LayerGradCam(net, "first")
    with pytest.raises(ArgumentTypeError, match="LayerConductance takes one layer, not a list of 2"):
        LayerConductance(net, [net.first, net.pair])
    with pytest.raises(ArgumentTypeError, match="LayerActivation was given no layer"):
        LayerActivation(net, [])
    with pytest.warns(UserWarning, match="ReLU was run 2 times"):
        LayerActivation(net, net.relu).attribute(X)
    with pytest.raises(StateError, match="run several times"), pytest.warns(UserWarning):
        LayerIntegratedGradients(net, net.relu).attribute(X, target=0)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_hooks_are_taken_away_after_an_error(net):
    handle = net.last.register_forward_hook(lambda *_: 1 // 0)
    for method in (LayerActivation, LayerDeepLift, LayerConductance, LayerIntegratedGradients):
        with pytest.raises(ZeroDivisionError):
            method(net, net.first).attribute(X)
    handle.remove()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_integrated_gradients_of_words():
    torch.manual_seed(0)
    embedding, linear = nn.Embedding(9, 3), nn.Linear(3, 2)

    def model(words, scale):
        return linear(embedding(words).tanh().sum(1)) * scale

    words, pad, scale = torch.tensor([[1, 2, 3], [4, 5, 0]]), torch.zeros(1, 3, dtype=torch.int64), torch.ones(2, 1)
    found, delta = LayerIntegratedGradients(model, embedding).attribute(
        words, pad, target=[0, 1], additional_forward_args=scale, return_convergence_delta=True
    )
    assert found.shape == (2, 3, 3) and float(delta.abs().max()) < 1e-5
    torch.testing.assert_close(found[1, 2], torch.zeros(3))
    with pytest.raises(DtypeError, match="LayerIntegratedGradients"):
        LayerConductance(model, embedding).attribute(words, target=0, additional_forward_args=scale)


def test_two_layers_together():
    torch.manual_seed(0)
    left, right = nn.Linear(2, 3), nn.Linear(2, 3)

    def model(x, y):
        return (left(x) * right(y)).sum(1)

    x, y = torch.randn(4, 2), torch.randn(4, 2)
    with pytest.warns(UserWarning, match="several layers are explained together"):
        method = LayerIntegratedGradients(model, [left, right])
    found, delta = method.attribute((x, y), return_convergence_delta=True)
    assert isinstance(found, list) and [part.shape for part in found] == [(4, 3), (4, 3)]
    assert float(delta.abs().max()) < 1e-5


def test_portions_of_the_path_add_up_to_the_whole(net):
    for method in (LayerConductance, InternalInfluence, LayerIntegratedGradients):
        whole, parts = (
            method(net, net.first).attribute(X, 0.5, 1, n_steps=11, internal_batch_size=size) for size in (None, 6)
        )
        torch.testing.assert_close(whole, parts)
        with pytest.warns(UserWarning, match="internal_batch_size=1 is too small"):
            torch.testing.assert_close(
                whole, method(net, net.first).attribute(X, 0.5, 1, n_steps=11, internal_batch_size=1)
            )
    whole, parts = (
        NeuronConductance(net, net.first).attribute(X, 2, 0.5, 1, n_steps=11, internal_batch_size=size)
        for size in (None, 6)
    )
    torch.testing.assert_close(whole, parts)


def test_neurons(net):
    weight = net.first.weight.detach()
    assert torch.equal(NeuronGradient(net, net.first).attribute(X, 2), weight[2].expand(2, 3))
    assert torch.equal(NeuronGradient(net, net.first).attribute(X, -1), weight[3].expand(2, 3))
    both = (weight[1] + weight[2]).expand(2, 3)
    torch.testing.assert_close(NeuronGradient(net, net.first).attribute(X, slice(1, 3)), both)
    torch.testing.assert_close(NeuronGradient(net, net.first).attribute(X, lambda v: v[:, 1:3].sum(1)), both)
    pair = NeuronGradient(net, net.pair).attribute(X, lambda tensors: tensors[1][:, 0])
    torch.testing.assert_close(pair, 3 * weight[0] * (net.first(X)[:, :1] > 0).float())


@pytest.mark.parametrize(
    ("selector", "error", "words"),
    [
        (9, IndexOutOfRange, "neuron 9 is out of range"),
        ((1, 1), FailedAssertion, "Cannot choose target column"),
        (lambda values: values, FailedAssertion, "not one number for each example"),
        (lambda values: 3, FailedAssertion, "chooses int"),
    ],
)
def test_bad_neurons(net, selector, error, words):
    with pytest.raises(error, match=words):
        NeuronGradient(net, net.first).attribute(X, selector)
    with pytest.raises(FailedAssertion, match="layer with multiple tensors"):
        NeuronGradient(net, net.pair).attribute(X, 0)


def test_grad_cam_is_the_weighted_sum_of_channels():
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 3, 3)
    model = nn.Sequential(conv, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    x = torch.randn(2, 1, 6, 6)
    found = LayerGradCam(model, model[1]).attribute(x, 1)
    weights = model[4].weight[1].detach() / 16
    torch.testing.assert_close(found, (weights.reshape(1, 3, 1, 1) * conv(x).relu()).sum(1, keepdim=True).detach())
    assert LayerAttribution.interpolate(found, (6, 6), "bilinear").shape == (2, 1, 6, 6)
    assert float(LayerGradCam(model, conv).attribute(x, 1, relu_attributions=True).min()) >= 0
    both = GuidedGradCam(model, conv).attribute((x,), 1)
    assert isinstance(both, tuple) and both[0].shape == x.shape
    with pytest.warns(UserWarning, match="cannot be resized"):
        assert GuidedGradCam(model, model[4]).attribute(x, 1).shape == (0,)


def test_results_need_no_gradient(net):
    x = X.clone().requires_grad_()
    for found in (
        Saliency(net).attribute(x, 0),
        LayerGradientXActivation(net, net.first).attribute(x, 0),
        LayerIntegratedGradients(net, net.first).attribute(x, target=0),
        LayerDeepLift(net, net.first).attribute(x, target=0),
        NeuronConductance(net, net.first).attribute(x, 0, target=0),
    ):
        assert not found.requires_grad
    assert x.grad is None and x.requires_grad


def test_targets_are_counted_before_they_are_repeated(net):
    """Six points of a path take two targets as well as three, and would mix up the examples."""
    for method in (
        LayerConductance(net, net.first), InternalInfluence(net, net.first), LayerIntegratedGradients(net, net.first),
        DeepLift(net), LayerDeepLift(net, net.first),
    ):  # fmt: skip
        with pytest.raises(FailedAssertion, match="there are 3 targets for 2 examples"):
            method.attribute(X, target=[0, 1, 0])
    for method in (DeepLiftShap(net), LayerDeepLiftShap(net, net.first), GradientShap(net)):
        with pytest.raises(FailedAssertion, match="there are 3 targets for 2 examples"):
            method.attribute(X, torch.zeros(2, 3), target=[0, 1, 0])
    with pytest.raises(FailedAssertion, match="there are 3 targets for 2 examples"):
        NeuronConductance(net, net.first).attribute(X, 0, target=[0, 1, 0])
