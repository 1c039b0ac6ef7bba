"""What methods of attribution are given: inputs, baselines, targets, further arguments; what is said of bad ones."""

import pytest

import flambeau as torch
from flambeau import attr, nn
from flambeau.attr import IntegratedGradients, LayerAttribution, Saliency
from flambeau.attr.arguments import as_baselines, repeat_args, repeat_target
from flambeau.errors import (
    ArgumentError,
    ArgumentTypeError,
    DtypeError,
    FailedAssertion,
    GradientError,
    IndexOutOfRange,
)

X = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
W = torch.tensor([[1.0, -1.0, 2.0], [0.0, 3.0, 1.0], [2.0, 2.0, -2.0], [5.0, 0.0, 1.0]])


def scores(x):
    return x @ W.T


def test_targets_in_all_forms():
    for target, rows in [
        (1, [1, 1]),
        (-1, [3, 3]),
        ((2,), [2, 2]),
        (torch.tensor(3), [3, 3]),
        (torch.tensor([1]), [1, 1]),
        (torch.tensor([0, 2]), [0, 2]),
        ([3, 1], [3, 1]),
        ([(3,), (1,)], [3, 1]),
    ]:
        assert torch.equal(Saliency(scores).attribute(X, target, abs=False), W[rows]), target


def test_targets_of_outputs_with_more_dimensions():
    def grid(x):
        return torch.stack([scores(x), 10 * scores(x)], 2)

    assert torch.equal(Saliency(grid).attribute(X, (1, 1)), 10 * W[[1, 1]].abs())
    assert torch.equal(Saliency(grid).attribute(X, [(1, 1), (2, 0)]), torch.stack([10 * W[1].abs(), W[2].abs()]))
    with pytest.raises(FailedAssertion, match="takes 2 indices"):
        Saliency(grid).attribute(X, [(1, 1), (2,)])
    with pytest.raises(FailedAssertion, match="takes 2 indices"):
        Saliency(grid).attribute(X, [1, 2])


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (None, FailedAssertion, r"4 numbers for each example\n.*attribute\(inputs, target=3\)"),
        (4, IndexOutOfRange, "target 4 is out of range: there are 4 outputs, 0 to 3"),
        ([0, 9], IndexOutOfRange, "target 9 is out of range"),
        (torch.tensor([0, 9]), IndexOutOfRange, "target 9 is out of range"),
        ((1, 2), FailedAssertion, "Cannot choose target column"),
        ([1], FailedAssertion, "1 targets for 2 examples"),
        ("cat", FailedAssertion, "'cat' is no index"),
        (torch.tensor([0.5, 1.0]), FailedAssertion, "0.5 is no index"),
    ],
)
def test_bad_targets(target, error, words):
    with pytest.raises(error, match=words):
        Saliency(scores).attribute(X, target)


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        ([1.0, 2.0], FailedAssertion, "`inputs` must be a torch.Tensor or a tuple"),
        ((X, None), FailedAssertion, "input 1 is not a tensor"),
        ((), ArgumentError, "empty tuple"),
        (torch.zeros(0, 3), ArgumentError, r"no example in input 0: its shape is \(0, 3\)"),
        (torch.tensor(1.0), ArgumentError, "no example in input 0"),
        (torch.ones(2, 3, dtype=torch.int64), DtypeError, "LayerIntegratedGradients"),
    ],
)
def test_bad_inputs(inputs, error, words):
    with pytest.raises(error, match=words):
        Saliency(scores).attribute(inputs, 0)


def test_baselines_in_all_forms():
    method = IntegratedGradients(scores)
    for baselines in (1, 1.0, torch.ones(2, 3), torch.ones(1, 3), (torch.ones(1, 3),)):
        torch.testing.assert_close(method.attribute(X, baselines, 0), W[0] * (X - 1))
    assert as_baselines(lambda: 3, (X,)) == (3,)
    assert as_baselines(lambda x: x[:1], (X,))[0].shape == (1, 3)


@pytest.mark.parametrize(
    ("baselines", "words"),
    [
        (torch.zeros(2, 2), r"baseline of input 0 has shape \(2, 2\), the input \(2, 3\)"),
        (torch.zeros(3, 3), r"use a baseline of shape \(1, 3\), or with 2 in the place of the 1, or a number"),
        ((0, 0), "baseline has 2 features whereas input has 1"),
        ("zero", "baseline input argument must be either a torch.Tensor or a number"),
    ],
)
def test_bad_baselines(baselines, words):
    with pytest.raises(FailedAssertion, match=words):
        IntegratedGradients(scores).attribute(X, baselines, 0)


def test_forward_functions_that_cannot_be_explained():
    with pytest.raises(ArgumentTypeError, match="cannot be called"):
        Saliency(3)
    with pytest.raises(ArgumentTypeError, match=r"is the class Linear, not a model"):
        Saliency(nn.Linear)
    with pytest.raises(DtypeError, match="argmax"):
        Saliency(lambda x: scores(x).argmax(1)).attribute(X)
    with pytest.raises(GradientError, match="does not depend on the input through differentiable"):
        Saliency(lambda x: scores(x).detach()).attribute(X, 0)
    with pytest.raises(GradientError, match="does not depend on input 1"):
        Saliency(lambda x, y: scores(x)).attribute((X, X), 0)
    with pytest.raises(FailedAssertion, match="one number for 2 examples"):
        Saliency(lambda x: scores(x).sum()).attribute(X)
    with pytest.raises(ArgumentTypeError, match="returned dict"):
        Saliency(lambda x: {"logits": scores(x)}).attribute(X, 0)
    with pytest.raises(ZeroDivisionError):
        Saliency(lambda x: x / (1 // 0)).attribute(X, 0)
    with pytest.warns(UserWarning, match="1 of 2 outputs are not finite"):
        Saliency(lambda x: (x[:, 0] - 2.5).sqrt().nan_to_num(1.0, 0, 0) * torch.tensor([1.0, float("nan")])).attribute(
            X
        )


def test_further_arguments_and_tuples():
    def both(x, y, scale, power=1):
        return ((x * scale).sum(1) + 2 * y.sum(1)) ** power

    one, two = Saliency(both).attribute((X, X[:, :2]), additional_forward_args=(torch.tensor([[1.0], [3.0]]), 1))
    assert torch.equal(one, torch.tensor([[1.0], [3.0]]).expand(2, 3)) and torch.equal(two, torch.full((2, 2), 2.0))
    found, delta = IntegratedGradients(both).attribute(
        (X, X), additional_forward_args=(torch.tensor([[1.0], [3.0]]), 2), return_convergence_delta=True
    )
    assert isinstance(found, tuple) and delta.shape == (2,) and float(delta.abs().max()) < 1e-2


def test_repeats():
    assert repeat_target([1, 2], 2) == [1, 2, 1, 2] and repeat_target([1, 2], 2, each=True) == [1, 1, 2, 2]
    assert repeat_target(3, 4) == 3 and repeat_target(torch.tensor([5, 6]), 2).tolist() == [5, 6, 5, 6]
    flat, other, scalar = repeat_args((torch.tensor([1, 2]), "text", torch.tensor(7)), 2, each=True)
    assert flat.tolist() == [1, 1, 2, 2] and other == "text" and scalar.ndim == 0


def test_nothing_is_left_behind():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = X.clone()
    with pytest.warns(UserWarning, match=r"training mode: the dropout of `3`.*\n?.*model.eval"):
        IntegratedGradients(lambda x: model(x)).attribute(x, target=1)
    with torch.no_grad(), pytest.warns(UserWarning):
        Saliency(model).attribute(x, target=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training and all(p.grad is None for p in model.parameters())
    assert not x.requires_grad and torch.equal(x, X)


def test_in_place_operations_on_the_input():
    x = X - 3
    found = Saliency(nn.Sequential(nn.ReLU(inplace=True), nn.Flatten())).attribute(x, 0)
    assert torch.equal(found[:, 0], torch.tensor([0.0, 1.0])) and torch.equal(x, X - 3)


def test_layers_are_resized_and_named():
    assert LayerAttribution.interpolate(torch.ones(1, 1, 2, 2), (6, 5)).shape == (1, 1, 6, 5)
    assert IntegratedGradients.get_name() == "Integrated Gradients"
    model = nn.Linear(3, 2)
    with pytest.raises(ArgumentTypeError, match=r"model.get_submodule\('conv'\)"):
        LayerAttribution(model, "conv")


def test_names_that_there_are_not():
    with pytest.raises(AttributeError, match=r"did you mean `flambeau.attr.Saliency`\?"):
        attr.Salience  # noqa: B018


def test_warnings_name_the_users_line():
    model = nn.Sequential(nn.Dropout(0.5), nn.Flatten())
    with pytest.warns(UserWarning, match="training mode") as caught:
        Saliency(model).attribute(X, 0)
    assert caught[0].filename == __file__
