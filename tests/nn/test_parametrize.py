"""Parametrizations, weight norm and spectral norm in both forms."""

import copy
import pickle

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn import utils
from flambeau.nn.utils import parametrizations, parametrize


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).T

    def right_inverse(self, a):
        return a.triu()


class Doubled(nn.Module):
    def forward(self, x):
        return x * 2


class Product(nn.Module):
    def forward(self, a, b):
        return a * b

    def right_inverse(self, x):
        return x, torch.ones_like(x)


def symmetric():
    torch.manual_seed(0)
    return parametrize.register_parametrization(nn.Linear(3, 3), "weight", Symmetric())


def test_registration():
    layer = symmetric()
    assert repr(layer) == (
        "ParametrizedLinear(\n  in_features=3, out_features=3, bias=True\n  (parametrizations): ModuleDict(\n"
        "    (weight): ParametrizationList(\n      (0): Symmetric()\n    )\n  )\n)"
    )
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    assert torch.equal(layer.weight, layer.weight.T)
    layer(torch.ones(1, 3)).sum().backward()
    assert layer.parametrizations.weight.original.grad is not None
    layer.weight = torch.eye(3)
    assert torch.equal(layer.weight, torch.eye(3))
    parametrize.register_parametrization(layer, "weight", Doubled())
    assert torch.equal(layer.weight, 2 * torch.eye(3))
    with pytest.raises(RuntimeError, match="parametrization Doubled does not implement right_inverse."):
        layer.weight = torch.eye(3)


def test_optimizers_keep_the_parameter():
    layer = nn.Linear(3, 3)
    weight = layer.weight
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert layer.parametrizations.weight.original is weight


def test_removal():
    layer = symmetric()
    value, original = layer.weight.detach().clone(), layer.parametrizations.weight.original
    parametrize.remove_parametrizations(layer, "weight")
    assert type(layer) is nn.Linear and layer.weight is original and torch.equal(layer.weight, value)
    assert not parametrize.is_parametrized(layer) and list(layer.state_dict()) == ["bias", "weight"]
    layer = symmetric()
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight.tril(-1).abs().sum() == 0
    several = parametrize.register_parametrization(nn.Linear(3, 3), "weight", Product())
    assert list(several.state_dict()) == [
        "bias", "parametrizations.weight.original0", "parametrizations.weight.original1",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="Cannot leave unparametrized"):
        parametrize.remove_parametrizations(several, "weight", leave_parametrized=False)
    parametrize.remove_parametrizations(several, "weight")
    assert isinstance(several.weight, nn.Parameter)


def test_questions_copies_and_cache():
    layer = symmetric()
    assert parametrize.is_parametrized(layer, "weight") and not parametrize.is_parametrized(layer, "bias")
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    twin = copy.deepcopy(layer)
    assert torch.equal(twin.weight, layer.weight)
    twin.parametrizations.weight.original.data.zero_()
    assert layer.weight.abs().sum() > 0
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(layer)
    assert layer.weight is not layer.weight
    with parametrize.cached():
        assert layer.weight is layer.weight
    other = parametrize.transfer_parametrizations_and_params(layer, nn.Linear(3, 3))
    assert torch.equal(other.weight, layer.weight)


def lambda_module(fn, inverse=None):
    class Made(nn.Module):
        def forward(self, x):
            return fn(x)

    if inverse is not None:
        Made.right_inverse = lambda self, x: inverse(x)
    return Made()


@pytest.mark.parametrize(
    "make, text",
    [
        (lambda: lambda_module(lambda x: x[0]), "Registering a parametrization may not change the shape"),
        (lambda: lambda_module(lambda x: x.double()), "Registering a parametrization may not change the dtype"),
        (lambda: lambda_module(lambda x: 3), "A parametrization must return a tensor. Got int."),
        (lambda: lambda_module(lambda x: x, lambda x: 3), "'right_inverse' must return a Tensor or a Sequence"),
        (lambda: lambda_module(lambda x: x, lambda x: x.double()), "it may not change the dtype"),
    ],
)
def test_errors(make, text):
    with pytest.raises(ValueError) as error:
        parametrize.register_parametrization(nn.Linear(3, 3), "weight", make())
    assert text in str(error.value)
    with pytest.raises(ValueError, match="with name 'foo'"):
        parametrize.register_parametrization(nn.Linear(3, 3), "foo", Symmetric())


def test_weight_norm_both_forms():
    torch.manual_seed(0)
    layer = nn.Conv2d(2, 3, 2)
    weight = layer.weight.detach().clone()
    new = parametrizations.weight_norm(copy.deepcopy(layer))
    with pytest.warns(FutureWarning, match="weight_norm` is deprecated"):
        old = utils.weight_norm(copy.deepcopy(layer))
    x = torch.randn(1, 2, 4, 4)
    assert torch.allclose(new.weight, weight, atol=1e-6) and torch.allclose(old(x), layer(x), atol=1e-5)
    assert old.weight_g.shape == (3, 1, 1, 1)
    fresh = parametrizations.weight_norm(nn.Conv2d(2, 3, 2))
    fresh.load_state_dict(old.state_dict())  # the old names are understood
    assert torch.allclose(fresh.weight, weight, atol=1e-6)
    utils.remove_weight_norm(old)
    assert list(old.state_dict()) == ["bias", "weight"] and not old._forward_pre_hooks
    with pytest.raises(ValueError, match="weight_norm of 'weight' not found"):
        utils.remove_weight_norm(old)


def test_spectral_norm_both_forms():
    torch.manual_seed(0)
    matrix = torch.randn(4, 6)
    for make in (parametrizations.spectral_norm, utils.spectral_norm):
        layer = nn.Linear(6, 4, bias=False)
        layer.weight.data.copy_(matrix)
        make(layer)
        for _ in range(30):
            layer(torch.ones(1, 6)).sum().backward()
        assert torch.allclose(layer.weight, matrix / torch.linalg.svdvals(matrix)[0], atol=1e-3)
    assert layer.state_dict()._metadata[""]["spectral_norm"] == {"weight.version": 1}
    utils.remove_spectral_norm(layer)
    assert list(layer.state_dict()) == ["weight"]


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
@pytest.mark.parametrize("trivialized", [True, False])
def test_orthogonal(orthogonal_map, shape, trivialized):
    torch.manual_seed(0)
    layer = parametrizations.orthogonal(
        nn.Linear(shape[1], shape[0]), orthogonal_map=orthogonal_map, use_trivialization=trivialized
    )

    def check(w):
        gram = w @ w.T if shape[0] <= shape[1] else w.T @ w
        assert torch.allclose(gram, torch.eye(len(gram)), atol=1e-4)

    check(layer.weight)
    layer(torch.ones(1, shape[1])).sum().backward()
    with torch.no_grad():
        original = layer.parametrizations.weight.original
        original -= 0.1 * original.grad
    check(layer.weight)
    if trivialized or orthogonal_map == "householder":
        wanted = torch.nn.init.orthogonal_(torch.empty(*shape))
        layer.weight = wanted
        assert torch.allclose(layer.weight, wanted, atol=1e-4)
    else:
        with pytest.raises(NotImplementedError):
            layer.weight = torch.eye(*shape)
