"""Lazy modules: they learn their sizes at the first call, and are ordinary modules after it."""

import copy

import pytest

import flambeau as torch
from flambeau import nn

CASES = [
    (lambda: nn.LazyLinear(3), (2, 5), nn.Linear(5, 3)),
    (lambda: nn.LazyConv1d(4, 3), (2, 5, 7), nn.Conv1d(5, 4, 3)),
    (lambda: nn.LazyConv2d(4, 3, groups=2, bias=False), (2, 6, 7, 7), nn.Conv2d(6, 4, 3, groups=2, bias=False)),
    (lambda: nn.LazyConv3d(4, 2), (2, 3, 4, 4, 4), nn.Conv3d(3, 4, 2)),
    (lambda: nn.LazyConvTranspose1d(4, 3), (2, 5, 7), nn.ConvTranspose1d(5, 4, 3)),
    (lambda: nn.LazyConvTranspose2d(4, 3), (2, 5, 7, 7), nn.ConvTranspose2d(5, 4, 3)),
    (lambda: nn.LazyConvTranspose3d(4, 2), (2, 5, 3, 3, 3), nn.ConvTranspose3d(5, 4, 2)),
    (lambda: nn.LazyBatchNorm1d(), (2, 5), nn.BatchNorm1d(5)),
    (lambda: nn.LazyBatchNorm2d(momentum=None), (2, 5, 3, 3), nn.BatchNorm2d(5, momentum=None)),
    (lambda: nn.LazyBatchNorm3d(affine=False), (2, 5, 2, 2, 2), nn.BatchNorm3d(5, affine=False)),
    (lambda: nn.LazyInstanceNorm1d(track_running_stats=False), (2, 5, 7), nn.InstanceNorm1d(5, affine=True)),
    (lambda: nn.LazyInstanceNorm2d(affine=False), (2, 5, 3, 3),
     nn.InstanceNorm2d(5, track_running_stats=True)),
    (lambda: nn.LazyInstanceNorm3d(), (2, 5, 2, 2, 2),
     nn.InstanceNorm3d(5, affine=True, track_running_stats=True)),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("make, shape, ordinary", CASES, ids=lambda v: type(v).__name__)
def test_becomes_the_ordinary_module(make, shape, ordinary):
    lazy = make()
    assert lazy.has_uninitialized_params() or not list(lazy.parameters())
    x = torch.randn(*shape)
    out = lazy(x)
    assert type(lazy) is type(ordinary) and repr(lazy) == repr(ordinary)
    assert [(k, v.shape) for k, v in lazy.state_dict().items()] == [
        (k, v.shape) for k, v in ordinary.state_dict().items()
    ]
    assert out.shape == ordinary(x).shape and lazy(x).shape == out.shape
    ordinary.load_state_dict(lazy.state_dict())
    assert not lazy._forward_pre_hooks and not lazy._load_state_dict_pre_hooks


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_weights_are_drawn_as_by_the_ordinary_module():
    lazy = nn.LazyLinear(3)
    torch.manual_seed(0)
    lazy(torch.ones(1, 5))
    torch.manual_seed(0)
    assert torch.equal(lazy.weight, nn.Linear(5, 3).weight)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_loading_gives_shapes():
    lazy = nn.LazyLinear(3)
    assert repr(lazy.weight) == "<UninitializedParameter>"
    twin = copy.deepcopy(lazy)
    assert isinstance(twin.weight, nn.UninitializedParameter)
    lazy.load_state_dict(nn.Linear(4, 3).state_dict())
    assert lazy.weight.shape == (3, 4)
    assert isinstance(nn.LazyLinear(2).state_dict()["weight"], nn.UninitializedParameter)


def test_what_has_no_shape_says_so():
    p = nn.UninitializedParameter()
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter or buffer"):
        p.shape
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter"):
        p + 1
    p.materialize((2, 3))
    assert type(p) is nn.Parameter and p.shape == (2, 3) and p.requires_grad
    with pytest.warns(UserWarning, match="Lazy modules are a new feature"):
        nn.LazyLinear(3)
