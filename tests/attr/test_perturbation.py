"""Ablation, occlusion, permutation, Shapley values, Lime and KernelShap: Captum's numbers and mathematics."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from attr.perturbation_cases import cases

import flambeau as torch
from flambeau import attr, nn
from flambeau.errors import ArgumentError, ArgumentTypeError, DtypeError, FailedAssertion

CAPTUM = json.loads((Path(__file__).parent.parent / "fixtures" / "captum_perturbation.json").read_text())
CASES = cases(torch, attr)
W = torch.tensor([[1.0, -2.0, 0.5, 3.0], [2.0, 1.0, -1.0, 0.0]])
X = torch.tensor([[1.0, 2.0, 3.0, -4.0], [0.5, -1.0, 2.0, 2.0]])
BASE = torch.tensor([[0.5, 0.0, 1.0, 1.0]])


def linear(x):
    return x @ W.T


def curved(x):
    return x[:, 0] * x[:, 1] + torch.sin(x[:, 2]) * x[:, 3] ** 2 + x[:, 0] * x[:, 2] * x[:, 3]


@pytest.mark.filterwarnings("ignore:there are .* features and only:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_captums_numbers(name):
    found = CASES[name]()
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(CAPTUM[name])
    for part, expected in zip(found, CAPTUM[name]):
        assert list(part.shape) == expected["shape"]
        np.testing.assert_allclose(part.flatten().numpy(), expected["values"], rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    "attribute",
    [
        lambda f: attr.FeatureAblation(f).attribute(X, BASE, target=1, perturbations_per_eval=3),
        lambda f: attr.Occlusion(f).attribute(X, (1,), baselines=BASE, target=1),
        lambda f: attr.ShapleyValueSampling(f).attribute(X, BASE, target=1, n_samples=3, perturbations_per_eval=9),
        lambda f: attr.ShapleyValues(f).attribute(X, BASE, target=1, perturbations_per_eval=5),
        lambda f: attr.Lime(f, attr.LinearRegression()).attribute(X, BASE, target=1, n_samples=40),
        lambda f: attr.KernelShap(f).attribute(X, BASE, target=1, n_samples=16),
        lambda f: attr.KernelShap(f).attribute(X, BASE, target=1, n_samples=12),
    ],
    ids=["ablation", "occlusion", "sampling", "shapley", "lime", "kernel shap, exact", "kernel shap, sampled"],
)
def test_linear_models_are_explained_by_weight_times_change(attribute):
    torch.manual_seed(0)
    found = attribute(linear)
    torch.testing.assert_close(found, W[1] * (X - BASE), rtol=1e-3, atol=1e-3)


def brute_force(f, x, base):
    """Shapley values by their definition: the mean over all orders."""
    n, values = x.shape[1], np.zeros(x.shape)
    for order in itertools.permutations(range(n)):
        now, before = base.expand(x.shape).clone(), f(base.expand(x.shape))
        for feature in order:
            now[:, feature] = x[:, feature]
            after = f(now)
            values[:, feature] += (after - before).numpy() / math.factorial(n)
            before = after
    return torch.tensor(values, dtype=torch.float32)


def test_shapley_values_are_the_mean_over_all_orders():
    expected = brute_force(curved, X, BASE)
    torch.testing.assert_close(attr.ShapleyValues(curved).attribute(X, BASE), expected, rtol=1e-4, atol=1e-4)
    exact = attr.KernelShap(curved).attribute(X, BASE, n_samples=16, perturbations_per_eval=16)
    torch.testing.assert_close(exact, expected, rtol=1e-3, atol=1e-3)
    torch.manual_seed(1)
    sampled = attr.ShapleyValueSampling(curved).attribute(X, BASE, n_samples=2000, perturbations_per_eval=800)
    torch.testing.assert_close(sampled, expected, rtol=0.1, atol=0.5)


def test_contributions_sum_to_the_change_of_the_output():
    change = curved(X) - curved(BASE)
    for found in (
        attr.ShapleyValues(curved).attribute(X, BASE),
        attr.ShapleyValueSampling(curved).attribute(X, BASE, n_samples=2),
        attr.KernelShap(curved).attribute(X, BASE, n_samples=12),
    ):
        torch.testing.assert_close(found.sum(1), change, rtol=1e-3, atol=1e-3)


def test_seeds_make_samples_repeatable():
    def run(seed):
        torch.manual_seed(seed)
        return (
            attr.ShapleyValueSampling(curved).attribute(X, n_samples=3),
            attr.Lime(curved).attribute(X[:1], n_samples=20),
            attr.KernelShap(curved).attribute(X[:1], n_samples=9),
            attr.FeaturePermutation(linear).attribute(torch.cat([X, X + 1]), target=0),
        )

    first, second, other = run(5), run(5), run(6)
    for a, b, c in zip(first, second, other):
        assert torch.equal(a, b) and not torch.equal(a, c)


def test_batching_changes_nothing():
    x = torch.randn(2, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    f = lambda x: (x.sin() * torch.linspace(0, 1, 50).reshape(2, 5, 5)).sum((1, 2, 3))
    for call in (
        lambda n: attr.FeatureAblation(f).attribute(x, perturbations_per_eval=n),
        lambda n: attr.Occlusion(f).attribute(x, (2, 2, 3), (1, 2, 2), perturbations_per_eval=n),
        lambda n: attr.ShapleyValueSampling(f).attribute(x, n_samples=4, perturbations_per_eval=n),
        lambda n: attr.Lime(f).attribute(x[:1], n_samples=30, perturbations_per_eval=n),
    ):
        results = []
        for n in (1, 7, 1000):
            torch.manual_seed(0)
            results.append(call(n))
        torch.testing.assert_close(results[1], results[0])
        torch.testing.assert_close(results[2], results[0])


def test_the_function_is_called_no_more_often_than_needed():
    calls = []

    def counted(x):
        calls.append(len(x))
        return linear(x)[:, 0]

    for call, expected in (
        (lambda: attr.FeatureAblation(counted).attribute(X, perturbations_per_eval=3), [2, 6, 2]),
        (lambda: attr.Occlusion(counted).attribute(X, (2,), (2,), perturbations_per_eval=2), [2, 4]),
        (lambda: attr.ShapleyValues(counted).attribute(X, perturbations_per_eval=10), [2, 20, 12]),
        (lambda: attr.ShapleyValueSampling(counted).attribute(X, n_samples=3, perturbations_per_eval=8), [2, 16, 8]),
        (lambda: attr.Lime(counted).attribute(X[:1], n_samples=5, perturbations_per_eval=2), [2, 2, 1]),
    ):
        calls.clear()
        call()
        assert calls == expected


def test_models_and_inputs_are_left_as_they_were():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).eval()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    x = X.clone().requires_grad_()
    assert not attr.FeatureAblation(model).attribute(x).requires_grad
    attr.LayerFeatureAblation(model, model[1]).attribute(x)
    with pytest.raises(ZeroDivisionError):
        attr.ShapleyValues(lambda x: 1 / 0).attribute(x)
    assert torch.is_grad_enabled() and x.grad is None and torch.equal(x, X)
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    in_place = lambda x: x.mul_(2).sum(1)
    torch.testing.assert_close(attr.FeatureAblation(in_place).attribute(x), 2 * X)
    assert torch.equal(x, X)


def test_whole_numbers_and_bools_are_inputs_too():
    table = torch.tensor([[0.0], [1.0], [10.0], [100.0]])
    words = torch.tensor([[3, 1, 2]])
    f = lambda words: nn.functional.embedding(words, table).sum((1, 2))
    expected = torch.tensor([[100.0, 1.0, 10.0]])
    assert torch.equal(attr.FeatureAblation(f).attribute(words), expected)
    assert torch.equal(attr.ShapleyValueSampling(f).attribute(words, n_samples=2), expected)
    torch.testing.assert_close(attr.KernelShap(f).attribute(words), expected, rtol=1e-3, atol=1e-3)
    flags = torch.tensor([[True, False]])
    assert attr.FeatureAblation(lambda x: x.sum(1)).attribute(flags).tolist() == [[1, 0]]


def test_truth_values_are_outputs_too():
    x = torch.tensor([[1.0, -2.0, 4.0]])
    assert attr.FeatureAblation(lambda x: x.sum(1) > 0).attribute(x).tolist() == [[0, 0, 1]]
    assert attr.ShapleyValues(lambda x: x.sum(1) > 0).attribute(x).sum().item() == pytest.approx(1)


def test_numpy_numbers_are_sizes_too():
    shape, step = np.array([2]), np.int64(1)
    found = attr.Occlusion(linear).attribute(X, tuple(shape), step, target=0, perturbations_per_eval=np.int64(2))
    assert torch.equal(found, attr.Occlusion(linear).attribute(X, (2,), target=0))


def test_double_stays_double():
    x = X.double()
    f = lambda x: (x**2).sum(1)
    for method in (attr.FeatureAblation(f), attr.ShapleyValues(f), attr.ShapleyValueSampling(f)):
        assert method.attribute(x, BASE).dtype == torch.float64
    assert attr.Occlusion(f).attribute(x, (2,)).dtype == torch.float64


def test_functions_that_return_plain_numbers():
    f = lambda x: float(x.sum())
    assert attr.FeatureAblation(f).attribute(X[:1]).tolist() == X[:1].tolist()
    assert attr.ShapleyValues(f).attribute(X).shape == (1, 4)
    torch.testing.assert_close(attr.Lime(f, attr.LinearRegression()).attribute(X[:1], n_samples=30), X[:1])


def test_layers_with_several_values_and_neurons():
    lstm = nn.LSTM(3, 2, batch_first=True)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = lstm

        def forward(self, x):
            return self.lstm(x)[0].sum((1, 2))

    x = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    found = attr.LayerFeatureAblation(Model(), lstm).attribute(x)
    output = lstm(x)[0]
    assert len(found) == 3
    torch.testing.assert_close(found[0], output.detach())
    assert not found[1].any()
    by_function = attr.NeuronFeatureAblation(Model(), lstm).attribute(x, lambda values: values[0][:, -1, 0])
    assert by_function.shape == x.shape and by_function.abs().sum() > 0


def test_layer_permutation_exchanges_the_layers_values():
    model = nn.Sequential(nn.Identity(), nn.Linear(4, 1))
    torch.manual_seed(0)
    found = attr.LayerFeaturePermutation(model, model[0]).attribute(X)  # two examples can only change places
    expected = (X - X.flip(0)) * model[1].weight.detach()
    torch.testing.assert_close(found, expected)


def test_occlusion_of_a_single_pixel():
    x = torch.zeros(1, 1, 8, 8)
    x[0, 0, 2, 5] = 7.0
    found = attr.Occlusion(lambda x: x.sum((1, 2, 3))).attribute(x, (1, 1, 1))
    torch.testing.assert_close(found, x)
    wide = attr.Occlusion(lambda x: x.sum((1, 2, 3))).attribute(x, (1, 3, 3), (1, 3, 3))[0, 0]
    assert (wide[0:3, 3:6] == 7).all() and wide.sum() == 7 * 9


def test_progress_is_shown(capsys):
    attr.FeatureAblation(linear).attribute(X, target=0, show_progress=True, perturbations_per_eval=2)
    assert "Feature Ablation attribution: 100%" in capsys.readouterr().err
    attr.KernelShap(linear).attribute(X[:1], target=0, n_samples=16, show_progress=True)
    assert "16/16" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        attr.ShapleyValues(lambda x: 1 / 0).attribute(X, show_progress=True)
    assert "0/17" in capsys.readouterr().err
    attr.ShapleyValues(linear).attribute(X, target=0, show_progress=True)
    attr.ShapleyValueSampling(linear).attribute(X, target=0, show_progress=True, perturbations_per_eval=9)
    assert "17/17" in (shown := capsys.readouterr().err) and "14/14" in shown
    attr.ShapleyValues(linear).attribute(X, target=0)
    assert capsys.readouterr().err == ""


ABLATION = attr.FeatureAblation(linear)
LONG = torch.zeros(1, 30)


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda: ABLATION.attribute(X, target=0, perturbations_per_eval=0),
            ArgumentError,
            "perturbations_per_eval is 0",
        ),
        (lambda: ABLATION.attribute(X, target=[0, 1, 1]), FailedAssertion, "3 targets for 2 examples"),
        (
            lambda: attr.IntegratedGradients(linear).attribute(X, target=[1]),
            FailedAssertion,
            "1 targets for 2 examples",
        ),
        (lambda: attr.ShapleyValues(linear).attribute(X, target=torch.zeros(3)), FailedAssertion, "3 targets for 2"),
        (lambda: ABLATION.attribute(X, feature_mask=X), DtypeError, "mask.long()"),
        (lambda: ABLATION.attribute(X, feature_mask=[0, 1]), ArgumentTypeError, "torch.as_tensor(mask)"),
        (lambda: ABLATION.attribute(X, feature_mask=torch.zeros(3, dtype=torch.long)), FailedAssertion, "(1, 4)"),
        (lambda: ABLATION.attribute((X, X), feature_mask=torch.zeros(1, 4).long()), FailedAssertion, "1 feature masks"),
        (lambda: ABLATION.attribute(torch.zeros(2, 0)), ArgumentError, "there are no features"),
        (
            lambda: attr.FeatureAblation(lambda x: x.sum()).attribute(X, perturbations_per_eval=2),
            FailedAssertion,
            "perturbations_per_eval=1",
        ),
        (
            lambda: attr.ShapleyValues(lambda x: x.sum()).attribute(X, feature_mask=torch.zeros(2, 4).long()),
            FailedAssertion,
            "Cannot provide different masks",
        ),
        (
            lambda: attr.FeatureAblation(lambda x: "no").attribute(X),
            ArgumentTypeError,
            "a tensor, int, or float",
        ),
        (lambda: attr.FeaturePermutation(linear).attribute(X[:1], target=0), FailedAssertion, "batch_size = 1"),
        (
            lambda: attr.FeaturePermutation(linear, lambda x, mask: x[:1]).attribute(X, target=0),
            ArgumentTypeError,
            "perm_func returned (1, 4)",
        ),
        (lambda: attr.Occlusion(linear).attribute(X, (5,), target=0), FailedAssertion, "cannot exceed"),
        (lambda: attr.Occlusion(linear).attribute(X, (1, 1), target=0), FailedAssertion, "shape (4,)"),
        (lambda: attr.Occlusion(linear).attribute(X, 2, target=0), FailedAssertion, "sliding_window_shapes is 2"),
        (lambda: attr.Occlusion(linear).attribute(X, None, target=0), FailedAssertion, "sliding_window_shapes=(2,)`"),
        (lambda: attr.Occlusion(linear).attribute(X, (2,), 3, target=0), FailedAssertion, "cannot be larger"),
        (lambda: attr.Occlusion(linear).attribute(X, (2,), 0, target=0), FailedAssertion, "above 0"),
        (
            lambda: attr.ShapleyValueSampling(linear).attribute(X, n_samples=0, target=0),
            ArgumentError,
            "n_samples is 0",
        ),
        (lambda: attr.ShapleyValues(lambda x: x.sum(1)).attribute(LONG), ArgumentError, "2**30 evaluations"),
        (lambda: attr.Lime(linear).attribute(X[:1]), FailedAssertion, "target=3"),
        (lambda: attr.Lime(linear).attribute(X), FailedAssertion, "4 outputs for 2 examples"),
        (lambda: attr.Lime(linear, nn.Linear(4, 1)), ArgumentTypeError, "lacks `fit`"),
        (lambda: attr.Lime(lambda x: x.sum(1) * math.nan).attribute(X[:1]), ArgumentError, "outputs are nan"),
        (
            lambda: attr.Lime(curved, similarity_func=lambda *a, **k: 0.0).attribute(X[:1]),
            ArgumentError,
            "negative, or all zero",
        ),
        (lambda: attr.get_exp_kernel_similarity_function("manhattan"), ArgumentError, "cosine or euclidean"),
        (lambda: attr.get_exp_kernel_similarity_function(kernel_width=0), ArgumentError, "kernel_width is 0"),
        (lambda: attr.Lasso(alpha=-1), ArgumentError, "alpha is -1"),
    ],
)
def test_bad_input_is_explained(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_warnings_where_a_result_would_mean_little():
    with pytest.warns(UserWarning, match="only 5 samples"):
        attr.KernelShap(lambda x: x.sum(1)).attribute(LONG, n_samples=5)
    with pytest.warns(UserWarning, match="need 65536 evaluations"):
        attr.ShapleyValues(lambda x: x.sum(1)).attribute(LONG[:, :16], perturbations_per_eval=1 << 16)
    with pytest.warns(UserWarning, match="leaves no feature.*less than") as caught:
        found = attr.Lime(lambda x: 1e-3 * x.sum(1)).attribute(X[:1])
    assert not found.any() and caught[0].filename == __file__

    with pytest.warns(UserWarning, match="1 of the function's 10 outputs are nan or infinite"):
        assert (
            attr.FeatureAblation(lambda x: 1 / x[:, 0])
            .attribute(X, torch.tensor([[1.0, 0, 0, 0], [0] * 4]))
            .isinf()
            .any()
        )

    class Stop(Exception):
        pass

    def one(x):
        raise Stop

    with pytest.warns(UserWarning, match="called 250001 times"), pytest.raises(Stop):
        attr.ShapleyValueSampling(one).attribute(torch.zeros(1, 10_000))


def test_lime_base_with_samples_of_the_input_itself():
    torch.manual_seed(0)

    def near(x, **kwargs):
        assert kwargs == {"spread": 0.1}
        for _ in range(30):
            yield x + kwargs["spread"] * torch.randn_like(x)

    method = attr.LimeBase(
        curved, attr.Ridge(alpha=1e-4), attr.get_exp_kernel_similarity_function("euclidean", 1.0), near, False, None,
        lambda sample, x, **kwargs: sample - x,
    )  # fmt: skip
    with pytest.warns(UserWarning, match="prior to given n_samples"):
        found = method.attribute(X[:1], n_samples=50, perturbations_per_eval=10, spread=0.1)
    x = X[:1].clone().requires_grad_()
    curved(x).sum().backward()
    torch.testing.assert_close(found, x.grad, rtol=0.2, atol=0.6)


def test_metrics_say_which_function_is_none():
    f = lambda x: x.sum(1)
    with pytest.raises(TypeError, match="perturb_func is int, which cannot be called"):
        attr.metrics.infidelity(f, 3, X, X)
    with pytest.raises(TypeError, match="returned Tensor, not a pair of changes"):
        attr.metrics.infidelity(f, lambda x: x * 0.9, X, X)
    with pytest.raises(TypeError, match="explanation_func is Saliency, which cannot be called"):
        attr.metrics.sensitivity_max(attr.Saliency(f), X)


def test_infidelity_is_zero_for_what_foretells_all_changes():
    @attr.metrics.infidelity_perturb_func_decorator()
    def noise(x, base):
        return x - torch.rand_like(x) * (x - base)

    torch.manual_seed(0)
    good = attr.ShapleyValues(linear).attribute(X, BASE, target=0)
    infidelity = lambda a, **options: attr.metrics.infidelity(linear, noise, X, a, BASE, target=0, **options)
    assert (infidelity(good) < 1e-9).all() and (infidelity(2 * good, normalize=True) < 1e-9).all()
    assert (infidelity(2 * good) > 0.1).all()
    assert (infidelity(good * 0, normalize=True) > 0.1).all()


def test_sensitivity_of_smooth_and_of_rough_functions():
    torch.manual_seed(0)
    assert not attr.metrics.sensitivity_max(attr.Saliency(linear).attribute, X, target=0).any()
    rough = attr.Saliency(lambda x: torch.sin(100 * x).sum(1))
    few = attr.metrics.sensitivity_max(rough.attribute, X, n_perturb_samples=1)
    many = attr.metrics.sensitivity_max(rough.attribute, X, n_perturb_samples=40, max_examples_per_batch=10)
    assert (few > 0.1).all() and (many > few).all()
    with pytest.warns(UserWarning, match="fewer than the 2 examples"):
        attr.metrics.sensitivity_max(rough.attribute, X, max_examples_per_batch=1)
    with pytest.raises(FailedAssertion, match="noise, inputs - noise"):
        attr.metrics.infidelity(linear, lambda x: (x, x[:1]), X, X, target=0)
    with pytest.raises(FailedAssertion, match="pass the `target`"):
        attr.metrics.infidelity(linear, lambda x: (x, x), X, X)
    with pytest.raises(FailedAssertion, match="its attribution"):
        attr.metrics.infidelity(linear, lambda x: (x, x), X, X[:1], target=0)


def test_lasso_meets_the_conditions_of_optimality():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 25, generator=generator, dtype=torch.float64)
    y = x[:, 0] * 3 - x[:, 3] + 0.1 * torch.randn(60, generator=generator, dtype=torch.float64)
    w = torch.rand(60, generator=generator, dtype=torch.float64)
    model = attr.Lasso(alpha=0.2).fit([(x[:30], y[:30], w[:30]), (x[30:], y[30:], w[30:])])
    found = torch.from_numpy(model._coefficients)
    left = (y - x @ found - model._bias) * w / w.mean()
    assert abs(left.mean()) < 1e-8  # the bias is not punished
    pull = (x * left[:, None]).mean(0)
    zero = found == 0
    assert 15 < int(zero.sum()) < 25
    assert (pull[zero].abs() <= 0.2 + 1e-6).all()
    torch.testing.assert_close(pull[~zero], 0.2 * found[~zero].sign(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model(x)[:, 0], x @ found + model._bias, rtol=1e-5, atol=1e-5)


def test_linear_models_refit_and_need_a_fit_first():
    with pytest.raises(RuntimeError, match="has not been fitted"):
        attr.Ridge().representation()
    x = torch.tensor([[0.0], [1.0], [2.0]])
    model = attr.LinearRegression()
    assert model.fit([(x, 3 * x[:, 0] + 1)]).representation().item() == pytest.approx(3)
    assert model.bias().item() == pytest.approx(1)
    assert model.fit([(x, -x[:, 0])]).representation().item() == pytest.approx(-1)
    constant = torch.ones(4, 2)
    for kind in (attr.LinearRegression(), attr.Ridge(), attr.Ridge(0), attr.Lasso()):
        assert not kind.fit([(constant, torch.ones(4))]).representation().any()
