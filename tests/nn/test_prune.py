"""Pruning: masks, combinations, removal, errors."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn.utils import prune


@pytest.fixture
def layer():
    layer = nn.Linear(4, 3)
    layer.weight.data = torch.arange(12.0).view(3, 4) - 5.3  # no two of the same size
    return layer


def test_what_a_pruned_layer_holds(layer):
    weight = layer.weight
    prune.l1_unstructured(layer, "weight", 3)
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_mask"] and layer.weight_orig is weight
    assert layer.weight_mask.tolist() == [[1, 1, 1, 1], [0, 0, 0, 1], [1, 1, 1, 1]]
    assert torch.equal(layer.weight, weight * layer.weight_mask) and prune.is_pruned(layer)
    layer(torch.ones(1, 4)).sum().backward()
    assert (weight.grad == 0).sum() == 3
    prune.remove(layer, "weight")
    assert list(layer.state_dict()) == ["bias", "weight"] and (layer.weight == 0).sum() == 3
    assert layer.weight is weight and not prune.is_pruned(layer)


def test_structured(layer):
    prune.ln_structured(layer, "weight", 1, n=2, dim=0)
    assert layer.weight_mask.tolist() == [[1] * 4, [0] * 4, [1] * 4]
    prune.ln_structured(layer, "weight", 0.5, n=float("-inf"), dim=1)
    assert layer.weight_mask.sum() == 4
    assert isinstance(next(iter(layer._forward_pre_hooks.values())), prune.PruningContainer)


def test_on_top_of_each_other(layer):
    prune.l1_unstructured(layer, "weight", 3)
    prune.l1_unstructured(layer, "weight", 0.5)
    assert layer.weight_mask.tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]]


def test_random(layer):
    torch.manual_seed(0)
    prune.random_unstructured(layer, "weight", 0.5)
    assert layer.weight_mask.sum() == 6
    prune.identity(layer, "bias")
    assert layer.bias_mask.tolist() == [1, 1, 1]


def test_global(layer):
    other = nn.Linear(4, 3)
    other.weight.data = layer.weight.data.clone()
    pairs = [(layer, "weight"), (other, "weight")]
    prune.global_unstructured(pairs, pruning_method=prune.L1Unstructured, amount=5)
    assert (layer.weight == 0).sum() + (other.weight == 0).sum() == 5
    scores = {(layer, "bias"): torch.tensor([3.0, 1.0, 2.0])}
    prune.global_unstructured([(layer, "bias")], prune.L1Unstructured, importance_scores=scores, amount=1)
    assert layer.bias_mask.tolist() == [1, 0, 1]


def test_custom_mask_and_prune_of_a_tensor(layer):
    prune.custom_from_mask(layer, "bias", torch.tensor([0.0, 1.0, 1.0]))
    assert layer.bias[0] == 0
    assert prune.L1Unstructured(1).prune(torch.tensor([3.0, 1.0])).tolist() == [3.0, 0.0]


@pytest.mark.parametrize(
    "call, kind, text",
    [
        (lambda m: prune.remove(m, "weight"), ValueError, "has to be pruned before pruning can be removed"),
        (lambda m: prune.l1_unstructured(m, "weight", -1), ValueError, "amount=-1 should either be a float"),
        (
            lambda m: prune.l1_unstructured(m, "weight", 100),
            ValueError,
            "amount=100 should be smaller than the number",
        ),
        (lambda m: prune.l1_unstructured(m, "weight", "a"), TypeError, "Invalid type for amount: a"),
        (lambda m: prune.ln_structured(m, "bias", 1, 2, 0), ValueError, "only be applied to multidimensional tensors"),
        (lambda m: prune.ln_structured(m, "weight", 1, 2, 5), IndexError, "Invalid index 5 for tensor of size"),
    ],
)
def test_errors_leave_the_layer_whole(layer, call, kind, text):
    with pytest.raises(kind, match=text):
        call(layer)
    assert list(layer.state_dict()) == ["weight", "bias"] or list(layer.state_dict()) == ["bias", "weight"]
