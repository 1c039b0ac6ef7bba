"""Distributions against recorded values, by their own draws, transforms against autograd, divergences."""

import pytest

import flambeau as torch
from flambeau import distributions as D

# name, parameters, value, then PyTorch's log_prob, mean, variance, entropy, cdf (None: it has none)
CASES = [
    ("Normal", (0.3, 1.2,), 0.5, -1.1151489789, 0.3, 1.44, 1.60126009, 0.5661838326),
    ("Laplace", (0.3, 1.2,), 0.5, -1.042135404, 0.3, 2.88, 1.8754687374, 0.5767591376),
    ("Cauchy", (0.3, 1.2,), 0.5, -1.3544504168, None, None, 2.7133458038, 0.5525684567),
    ("Gumbel", (0.3, 1.2,), 0.5, -1.1954699484, 0.9926587979, 2.3687050563, 1.7595372217, 0.4289213437),
    ("Uniform", (0.1, 2.3,), 0.5, -0.7884573604, 1.2, 0.4033333333, 0.7884573604, 0.1818181818),
    ("Exponential", (1.3,), 0.5, -0.3876357355, 0.7692307692, 0.5917159763, 0.7376357355, 0.4779542232),
    ("Gamma", (1.3, 0.7,), 0.5, -0.9134467718, 1.8571428571, 2.6530612245, 1.5992574011, 0.1804692995),
    ("Chi2", (3.0,), 0.5, -1.5155121235, 3.0, 6.0, 2.0541199559, 0.0811085883),
    ("InverseGamma", (3.2, 1.1,), 0.5, 0.1308059066, 0.5, 0.2083333333, -0.0144083364, 0.6693870626),
    ("Beta", (1.4, 2.2,), 0.5, 0.2265532671, 0.3888888889, 0.0516639828, -0.1471265224, None),
    ("StudentT", (4.0, 0.1, 1.3,), 0.5, -1.3016757164, 0.1, 3.38, 1.9441242813, None),
    ("FisherSnedecor", (3.0, 5.0,), 0.5, -0.5344102474, 1.6666666667, 11.1111111111, None, None),
    ("HalfNormal", (1.1,), 0.5, -0.4244073176, 0.8776730169, 0.4396900754, 0.8211015324, 0.3505637163),
    ("HalfCauchy", (1.1,), 0.5, -0.7347089612, None, None, 1.9331872462, 0.2715994976),
    ("Pareto", (1.0, 3.0,), 1.5, -0.5232481438, 1.5, 0.75, 0.2347210447, 0.7037037037),
    ("Weibull", (1.2, 1.7,), 0.5, -0.4902782471, 1.070693403, 0.4202709512, 0.8893703442, 0.2020878898),
    ("Kumaraswamy", (1.4, 2.2,), 0.5, 0.2760986049, 0.409635998, 0.0523998404, -0.1291737498, 0.6493203744),
    ("VonMises", (0.2, 2.0,), 0.5, -0.7511976318, 0.2, 0.3022253424, None, None),
    ("Bernoulli", (0.3,), 1.0, -1.2039728043, 0.3, 0.21, 0.6108643021, None),
    ("Poisson", (2.2,), 3.0, -1.6263873881, 2.2, 2.2, None, None),
    ("Geometric", (0.3,), 2.0, -1.9173226922, 2.3333333333, 7.7777777778, 2.0362143402, None),
    ("ContinuousBernoulli", (0.3,), 0.5, -0.0297361233, 0.4302225011, 0.0804251522, -0.0293862022, 0.6043560763),
    ("LogNormal", (0.1, 0.5,), 0.5, -0.7908090721, 1.2523227162, 0.445440522, 0.8257913526, 0.0563362754),
]  # fmt: skip


def double(*values):
    return [torch.tensor(v, dtype=torch.float64) for v in values]


@pytest.mark.parametrize("name, args, value, log_prob, mean, variance, entropy, cdf", CASES, ids=[c[0] for c in CASES])
def test_recorded_values(name, args, value, log_prob, mean, variance, entropy, cdf):
    d, (x,) = getattr(D, name)(*double(*args)), double(value)
    assert d.log_prob(x).item() == pytest.approx(log_prob, rel=1e-8, abs=1e-9)
    for expected, found in ((mean, lambda: d.mean), (variance, lambda: d.variance), (entropy, d.entropy),
                            (cdf, lambda: d.cdf(x))):  # fmt: skip
        if expected is not None:
            assert found().item() == pytest.approx(expected, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name, args", [(c[0], c[1]) for c in CASES if c[4] is not None and c[5] is not None])
def test_draws_have_the_mean(name, args):
    torch.manual_seed(0)
    d = getattr(D, name)(*double(*args))
    draws = d.sample((4000,))
    if name != "VonMises":
        assert abs(draws.mean().item() - d.mean.item()) < 6 * d.variance.item() ** 0.5 / 4000**0.5 + 1e-3
    assert bool(d.support.check(draws).all())


def test_categorical_and_mixture():
    d = D.Categorical(probs=torch.tensor([1.0, 1.0, 2.0]))
    assert d.log_prob(torch.tensor([0, 2])).exp().tolist() == pytest.approx([0.25, 0.5])
    torch.manual_seed(0)
    assert d.sample((2000,)).bincount(minlength=3)[2].item() == pytest.approx(1000, abs=120)
    with pytest.raises(ValueError, match="within the support"):
        d.log_prob(torch.tensor(3))
    mix = D.MixtureSameFamily(d, D.Normal(torch.tensor([0.0, 1.0, 2.0]), torch.ones(3)))
    assert mix.mean.item() == pytest.approx(1.25) and mix.sample((5,)).shape == (5,)


def test_reparametrised_draws_carry_gradients():
    loc, scale = torch.zeros(1, requires_grad=True), torch.ones(1, requires_grad=True)
    D.Normal(loc, scale).rsample((100,)).sum().backward()
    assert loc.grad.item() == 100
    torch.manual_seed(0)
    a = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    D.Gamma(a, torch.ones_like(a)).rsample((4000,)).mean().backward()
    assert a.grad.item() == pytest.approx(1.0, abs=0.1)  # the mean of Gamma(a, 1) is a


@pytest.mark.parametrize("transform, x", [
    (D.ExpTransform(), 0.3), (D.SigmoidTransform(), 0.3), (D.TanhTransform(), 0.3), (D.SoftplusTransform(), 0.3),
    (D.AffineTransform(1.0, -2.0), 0.3), (D.PowerTransform(torch.tensor(2.0)), 0.3),
])  # fmt: skip
def test_transforms_against_autograd(transform, x):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = transform(x)
    (slope,) = torch.autograd.grad(y, x)
    assert transform.log_abs_det_jacobian(x, y).item() == pytest.approx(slope.abs().log().item(), rel=1e-6)
    assert transform.inv(y).item() == pytest.approx(0.3, rel=1e-6)


def test_divergences():
    p, q = D.Normal(1.0, 1.0), D.Normal(0.0, 2.0)
    torch.manual_seed(0)
    x = p.sample((20000,))
    estimate = (p.log_prob(x) - q.log_prob(x)).mean().item()
    assert D.kl_divergence(p, q).item() == pytest.approx(estimate, abs=0.03)
    with pytest.raises(NotImplementedError, match="No KL"):
        D.kl_divergence(p, D.Poisson(1.0))


def test_shapes_validation_and_printing():
    d = D.Normal(torch.zeros(3, 1), torch.ones(2))
    assert (
        d.batch_shape == (3, 2) and d.sample((4,)).shape == (4, 3, 2) and d.expand((5, 3, 2)).batch_shape == (5, 3, 2)
    )
    assert repr(d) == "Normal(loc: torch.Size([3, 2]), scale: torch.Size([3, 2]))"
    with pytest.raises(ValueError, match="Expected parameter scale"):
        D.Normal(0.0, -1.0)
    assert D.transform_to(D.constraints.positive)(torch.tensor(-1.0)).item() == pytest.approx(0.36787945)
    assert D.biject_to(D.constraints.simplex)(torch.zeros(2)).sum().item() == pytest.approx(1)
