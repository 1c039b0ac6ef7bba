"""Relevance propagation: what is conserved, which rules hold, and what is said of layers without one."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.attr import LRP, EpsilonRule, GammaRule, IdentityRule, LayerLRP
from flambeau.errors import ArgumentTypeError


def model_without_bias():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Dropout(0.5), nn.Flatten(),
        nn.Linear(12, 6, bias=False), nn.Tanh(), nn.Linear(6, 2, bias=False),
    ).eval()  # fmt: skip


X = torch.sin(torch.linspace(0, 20, 72)).reshape(2, 1, 6, 6)


def test_relevance_is_conserved_without_biases():
    model = model_without_bias()
    found, delta = LRP(model).attribute(X, [0, 1], return_convergence_delta=True)
    output = model(X)[[0, 1], [0, 1]].detach()
    torch.testing.assert_close(found.sum((1, 2, 3)), output, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(delta, output - found.sum((1, 2, 3)))
    of_layers, deltas = LayerLRP(model, [model[0], model[5]]).attribute(X, [0, 1], return_convergence_delta=True)
    for relevance, missing in zip(of_layers, deltas, strict=True):
        torch.testing.assert_close(relevance.flatten(1).sum(1), output, rtol=1e-4, atol=1e-6)
        assert float(missing.abs().max()) < 1e-5


def test_a_tuple_of_inputs():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)

        def forward(self, x, y):
            return torch.cat([self.a(x), self.b(y)], 1)

    model = Two()
    x, y = torch.randn(3, 2), torch.randn(3, 2)
    first, second = LRP(model).attribute((x, y), 1)
    torch.testing.assert_close(second.sum(1), model(x, y)[:, 1].detach())
    assert not first.any()


def test_rules_and_weights_are_as_before(capsys):
    model = model_without_bias()
    weights = [p.clone() for p in model.parameters()]
    rule = model[0].rule = GammaRule(0.5)
    model[5].rule = EpsilonRule(10.0)
    found = LRP(model).attribute(X, 0, verbose=True)
    assert "Applied GammaRule on layer Conv2d" in capsys.readouterr().out
    assert float(found.sum().abs()) < float(model(X)[:, 0].sum().abs())  # epsilon takes relevance away
    assert model[0].rule is rule
    assert all(torch.equal(p, before) and p.grad is None for p, before in zip(model.parameters(), weights, strict=True))


def test_layers_without_a_rule():
    model = nn.Sequential(nn.Linear(2, 2), nn.GELU())
    with pytest.raises(TypeError, match=r"GELU.* has no rule defined") as caught:
        LRP(model).attribute(torch.ones(1, 2), 0)
    assert isinstance(caught.value, ArgumentTypeError)
    model[1].rule = IdentityRule()
    assert LRP(model).attribute(torch.ones(1, 2), 0).shape == (1, 2)
    model[1].rule = "epsilon"
    with pytest.raises(TypeError, match="inherited from class PropagationRule"):
        LRP(model)


def test_relevance_that_is_not_conserved_is_warned_of():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(6))

        def forward(self, x):
            for layer in self.layers:
                x = x + layer(x)
            return x

    torch.manual_seed(0)
    with pytest.warns(UserWarning, match=r"branches are joined outside of modules .*EpsilonRule\(0.01\)"):
        LRP(Residual()).attribute(torch.ones(1, 3), 0)
