"""nn.init: what is not a matter of recorded numbers (those are in test_recorded.py)."""

import math

import pytest

import flambeau as torch
from flambeau.nn import init


def test_everything_returns_its_tensor_and_records_nothing():
    p = torch.nn.Parameter(torch.empty(4, 4))
    for fill in (init.uniform_, init.normal_, init.trunc_normal_, init.ones_, init.zeros_, init.eye_, init.orthogonal_,
                 init.xavier_uniform_, init.xavier_normal_, init.kaiming_uniform_, init.kaiming_normal_):  # fmt: skip
        assert fill(p) is p and p.grad_fn is None and p.requires_grad
    assert init.constant_(p, 3.0) is p and init.sparse_(p, 0.5) is p


def test_orthogonal_is_orthogonal():
    for shape in ((3, 5), (5, 3), (4, 2, 3)):
        flat = init.orthogonal_(torch.empty(*shape)).flatten(1)
        gram = flat @ flat.T if flat.shape[0] <= flat.shape[1] else flat.T @ flat
        assert torch.allclose(gram, torch.eye(len(gram)), atol=1e-5)


@pytest.mark.filterwarnings("ignore:mean is more than")
@pytest.mark.parametrize("low, high", [(-2, 2), (0.5, 1.0), (-9, -3), (-0.1, 0.1)])
def test_trunc_normal_stays_inside_and_keeps_the_distribution(low, high):
    torch.manual_seed(0)
    t = init.trunc_normal_(torch.empty(20000), a=low, b=high)
    assert t.min() >= low and t.max() <= high
    density = lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    below = lambda x: (1 + math.erf(x / math.sqrt(2))) / 2
    mean = (density(low) - density(high)) / (below(high) - below(low))
    assert abs(t.mean().item() - mean) < 0.02


def test_dirac_passes_channels_through():
    weight = init.dirac_(torch.empty(4, 2, 3, 3), groups=2)
    x = torch.randn(1, 4, 5, 5)
    assert torch.equal(torch.nn.functional.conv2d(x, weight, padding=1, groups=2), x)


def test_sparse_columns():
    t = init.sparse_(torch.empty(10, 4), 0.25)
    assert ((t == 0).sum(0) == 3).all()


def test_generator_is_used():
    a = init.normal_(torch.empty(3), generator=torch.Generator().manual_seed(1))
    torch.manual_seed(1)
    assert torch.equal(a, torch.randn(3))


def test_fans():
    assert init._calculate_fan_in_and_fan_out(torch.empty(4, 3, 5, 5)) == (75, 100)
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        init.kaiming_uniform_(torch.empty(3))


def test_deprecated_names_and_empty_tensors_warn():
    with pytest.warns(FutureWarning, match="`nn.init.uniform` is now deprecated in favor of `nn.init.uniform_`"):
        init.uniform(torch.empty(2))
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op"):
        init.kaiming_normal_(torch.empty(0, 3))
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal_(torch.empty(2), mean=5.0)
