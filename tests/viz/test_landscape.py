"""The loss landscape: its numbers, the scaling of directions, the way between models, and that nothing changes."""

import copy

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn, viz
from flambeau.viz import landscape, style

pytest.importorskip("matplotlib")


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 2))


def curve(figure):
    return figure.axes[0].lines[0].get_data()


def test_directions_are_as_long_as_the_filters():
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(5, 2))
    with torch.no_grad():
        model[0].weight[0] *= 100
        model[0].weight[1] = 0
    way = landscape._random_way(model, np.random.RandomState(0))
    assert list(way) == ["0.weight", "3.weight"]  # neither biases nor normalisation
    for name, step in way.items():
        weight = model.get_parameter(name).detach().numpy()
        assert np.allclose(*(np.linalg.norm(v.reshape(len(v), -1), axis=1) for v in (step, weight)), rtol=1e-5)


def test_a_slice_is_the_loss_at_each_point():
    model, x, y = nn.Linear(3, 1), torch.randn(16, 3), torch.randn(16, 1)
    along, losses = curve(viz.loss_landscape(model, nn.MSELoss(), x, y, steps=5, span=2, log=False))
    assert along.tolist() == [-2, -1, 0, 1, 2] and losses[2] == pytest.approx(nn.MSELoss()(model(x), y).item())
    step = torch.from_numpy(landscape._random_way(model, np.random.RandomState(0))["weight"]).float()
    expected = nn.functional.mse_loss(x @ (model.weight - 2 * step).T + model.bias, y).item()
    assert losses[0] == pytest.approx(expected, rel=1e-5)
    closure = curve(viz.loss_landscape(model, lambda: nn.functional.mse_loss(model(x), y), steps=5, span=2, log=False))
    assert np.array_equal(closure[1], losses)
    other = curve(viz.loss_landscape(model, nn.MSELoss(), x, y, steps=5, span=2, seed=1, log=False))[1]
    assert other[2] == losses[2] and other[0] != losses[0]


def test_maps_and_surfaces():
    model, x = nn.Linear(3, 1), torch.randn(16, 3)
    figure = viz.loss_landscape(model, lambda: model(x).square().mean(), dimensions=2, steps=5, title="map")
    losses = figure.axes[0].collections[0].get_array().reshape(5, 5)
    assert losses[2, 2] == pytest.approx(model(x).square().mean().item()) and losses.min() > 0
    surface = viz.loss_landscape(model, lambda: model(x).square().mean(), dimensions=2, steps=5, surface=True)
    assert surface.axes[0].name == "3d"
    style.png(figure), style.png(surface)


def test_the_way_to_another_model():
    model, other = network().eval(), network().eval()
    with torch.no_grad():
        for p in other.parameters():
            p.add_(torch.randn_like(p))
        other[1].running_var.fill_(0.01)  # at -0.25 it would be negative in a straight line
    x, y = torch.randn(32, 4), torch.arange(32) % 2
    loss = nn.CrossEntropyLoss()
    for end in (other, other.state_dict()):
        along, losses = curve(viz.loss_landscape(model, loss, x, y, end=end, steps=7, log=False))
        assert np.allclose(along, np.arange(-1, 6) / 4) and np.isfinite(losses).all()
        assert losses[1] == pytest.approx(loss(model(x), y).item(), rel=1e-5)
        assert losses[5] == pytest.approx(loss(other(x), y).item(), rel=1e-4)  # fb: ok FB-LOOP-06


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("compiled", [False, True])
def test_nothing_changes(fails, compiled):
    model, x, y = network(), torch.randn(8, 4), torch.arange(8) % 2
    called = torch.compile(model) if compiled else model
    pending = nn.functional.cross_entropy(called(x), y)
    pending.backward(retain_graph=True)
    kept = copy.deepcopy((model.state_dict(), [p.grad for p in model.parameters()]))
    held = [id(t) for t in (*model.parameters(), *model.buffers())], [p.grad for p in model.parameters()]
    pointers = [t.data_ptr() for t in (*model.parameters(), *model.buffers())]
    calls = []

    def loss():
        calls.append(1)
        if fails and len(calls) == 3:
            raise KeyError("mine")
        return nn.functional.cross_entropy(called(x), y)

    torch.manual_seed(7)
    expected = torch.rand(1).item()
    torch.manual_seed(7)
    if fails:
        with pytest.raises(KeyError, match="mine"):
            viz.loss_landscape(called, loss, steps=5)
    else:
        losses = curve(viz.loss_landscape(called, loss, steps=5))[1]
        assert len(set(losses)) == 5
    assert torch.rand(1).item() == expected
    for name, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), kept[0][name].numpy()), name
    assert pointers == [t.data_ptr() for t in (*model.parameters(), *model.buffers())]
    assert held[0] == [id(t) for t in (*model.parameters(), *model.buffers())]
    assert all(p.grad is grad and torch.equal(grad, g) for p, grad, g in zip(model.parameters(), held[1], kept[1]))
    assert model.training and torch.is_grad_enabled()
    pending.backward()  # its graph is still good


def test_dropout_is_the_same_at_every_point():
    model, x = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Dropout(0.5)), torch.ones(4, 4)
    losses = curve(viz.loss_landscape(model, lambda: model(x).square().sum(), steps=5, log=False))[1]
    with torch.no_grad():
        model[0].weight.zero_()  # directions are as long as the weights: all points are one
    assert set(curve(viz.loss_landscape(model, lambda: nn.Dropout(0.5)(x).sum(), steps=5))[1]) != set(losses)
    assert len(set(curve(viz.loss_landscape(model, lambda: nn.Dropout(0.5)(x).sum(), steps=5))[1])) == 1


def test_losses_that_are_not_finite():
    model = nn.Linear(2, 1)

    def loss():
        return (1.2 * weight - model.weight.abs().sum()).log()

    weight = model.weight.detach().abs().sum()
    figure = viz.loss_landscape(model, loss)
    along, losses = curve(figure)
    count = int(np.isnan(losses).sum())
    assert 0 < count < 51
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == f"nan, infinite at {count} of 51 points"
    for options in ({"dimensions": 2, "steps": 7}, {"dimensions": 2, "steps": 7, "surface": True}):
        style.png(viz.loss_landscape(model, loss, **options))
        style.png(viz.loss_landscape(model, lambda: float("nan"), **options))
        style.png(viz.loss_landscape(model, lambda: 2.0, **options))
    style.png(viz.loss_landscape(model, lambda: float("inf"), steps=3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: viz.loss_landscape(nn.ReLU(), lambda: 1.0), "the model has no weights to vary"),
        (lambda m: viz.loss_landscape(m, lambda: torch.ones(3)), r"shape \(3,\) and is no single number"),
        (lambda m: viz.loss_landscape(m, lambda: None), "no number but NoneType"),
        (lambda m: viz.loss_landscape(m, 3.0), "float, which cannot be called"),
        (lambda m: viz.loss_landscape(3, lambda: 1.0), "takes a module, not int"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, dimensions=3), "dimensions=3 and steps=25 make no picture"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, steps=2.5), "steps=2.5 make no picture"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, span=0), "span=0 is no distance"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, dimensions=2, end=m), "has one dimension"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, surface=True), "a surface has 2 dimensions"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, end={}), "weight is missing"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, end=nn.Linear(3, 1)), r"shape \(1, 2\), and \(1, 3\) at the end"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, end=3), "end is int"),
        (lambda m: viz.loss_landscape(m, lambda: 1.0, dimensions=2, surface=True, steps=2,
                                      ax=style.figure(2, 2).add_subplot()), "no third dimension"),
    ],
)  # fmt: skip
def test_bad_input(call, message):
    with pytest.raises((ValueError, RuntimeError, TypeError), match=message):
        call(nn.Linear(2, 1))
