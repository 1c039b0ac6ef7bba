"""The search for a learning rate, and the overfitting of one batch: what they find, and that they leave no trace."""

import random

import pytest
from training.small import data, parts, weights

import flambeau as torch
from flambeau import nn
from flambeau.errors import ArgumentError, ArgumentTypeError
from flambeau.utils.data import DataLoader, TensorDataset


def test_the_rate_of_a_parabola():
    """Of w²/2, gradient descent converges below 2 and is fastest at 1."""
    model = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    step = lambda model, batch: 0.5 * model.weight.square().sum()
    found = torch.lr_find(model, [torch.ones(1)], None, optimizer, 1e-4, 100.0, step=step)
    assert 0.02 < found.suggestion < 2
    assert found.rates[0] == 1e-4 and len(found.rates) == len(found.losses) == len(found.raw)


def state(model, optimizer):
    return weights(model), str(optimizer.state_dict()), random.getstate(), bytes(torch.get_rng_state().numpy())


def test_nothing_is_changed():
    model, loss_fn, optimizer = parts()
    loader = data(shuffle=True)
    torch.fit(model, loader, loss_fn, optimizer, progress=False)
    model[2].eval()
    before = state(model, optimizer)
    torch.lr_find(model, loader, loss_fn, optimizer)
    assert state(model, optimizer) == before and model.training and not model[2].training
    torch.overfit_one_batch(model, loader, loss_fn, optimizer, steps=5)
    torch.overfit_one_batch(model, loader, loss_fn, steps=5)
    assert state(model, optimizer) == before

    def fails(outputs, targets):
        if loader.dataset.calls == 3:
            raise ZeroDivisionError
        loader.dataset.calls += 1
        return loss_fn(outputs, targets)

    loader.dataset.calls = 0
    for call in (torch.lr_find, torch.overfit_one_batch):
        with pytest.raises(ZeroDivisionError):
            call(model, loader, fails, optimizer)
    assert state(model, optimizer) == before


def test_rates_that_show_nothing():
    model, loss_fn, optimizer = parts()
    flat = torch.lr_find(model, data(), lambda o, t: 0 * o.sum() + 1.0, optimizer, steps=20)
    assert flat.suggestion is None and "suggestion=none" in repr(flat) and not flat.diverged
    with pytest.raises(ArgumentError, match="no range of rates"):
        torch.lr_find(model, data(), loss_fn, optimizer, 1.0, 0.1)
    with pytest.raises(ArgumentError, match="too few"):
        torch.lr_find(model, data(), loss_fn, optimizer, steps=3)
    with pytest.raises(ArgumentError, match="no batches"):
        torch.lr_find(model, [], loss_fn, optimizer)
    with pytest.raises(ArgumentError, match="the first loss is not finite"):
        torch.lr_find(model, data(), lambda o, t: o.sum() * float("nan"), optimizer)


def test_the_picture():
    pytest.importorskip("matplotlib")
    model, loss_fn, optimizer = parts()
    figure = torch.lr_find(model, data(), loss_fn, optimizer).plot()
    assert figure.axes[0].get_xscale() == "log"


def test_a_batch_is_learned():
    model, loss_fn, _ = parts()
    del model[2]  # what drops out cannot be learned by heart
    for batch in (next(iter(data())), data(), data().dataset):
        found = torch.overfit_one_batch(model, batch, loss_fn, torch.optim.Adam(model.parameters(), 0.03))
        assert found and found.report is None and "by heart: " in str(found)
        assert found.losses[-1] <= 0.02 * found.losses[0]


def test_why_a_batch_is_not_learned():
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1))
    found = torch.overfit_one_batch(model, data(), nn.CrossEntropyLoss(), steps=30)
    assert not found and "does not learn" in str(found) and found.report.codes()[0] == "FB-LOSS-01"
    noise = TensorDataset(torch.ones(8, 6), torch.tensor([0, 1] * 4))
    model = parts()[0]
    found = torch.overfit_one_batch(model, DataLoader(noise, 8), nn.CrossEntropyLoss(), steps=30)
    assert not found and found.losses[-1] > 0.6


def test_weights_may_be_kept():
    model, loss_fn, _ = parts()
    before = weights(model)
    torch.overfit_one_batch(model, data(), loss_fn, steps=3, restore=False)
    assert weights(model) != before


@pytest.mark.parametrize("options", [{"steps": "a"}, {"steps": 20.5}, {"start": "a"}, {"clip_norm": "a"}])
def test_what_is_no_number(options):
    model, loss_fn, optimizer = parts()
    with pytest.raises(ArgumentTypeError, match="number") as caught:
        torch.lr_find(model, data(), loss_fn, optimizer, **options)
    assert caught.value.why and caught.value.fix


def test_an_optimizer_of_another_model():
    model, loss_fn, _ = parts()
    other = parts()[2]
    with pytest.raises(ArgumentError, match="lr_find.. has none of the model's parameters"):
        torch.lr_find(model, data(), loss_fn, other)
    with pytest.raises(ArgumentError, match="overfit_one_batch.. has none of the model's parameters"):
        torch.overfit_one_batch(model, data(), loss_fn, other)
    with pytest.raises(ArgumentTypeError, match="is not a whole number"):
        torch.overfit_one_batch(model, data(), loss_fn, steps=2.5)


def test_loaders_that_end_are_named():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = (torch.ones(4, 2), torch.ones(4, 1))
    with pytest.raises(ArgumentError, match=r"^loader gave only 2 of 30 batches\n.*iterator"):
        torch.lr_find(model, iter([batch, batch]), nn.MSELoss(), optimizer, steps=30)
    with pytest.raises(ArgumentError, match="^batch gave no batches"):
        torch.overfit_one_batch(model, [], nn.MSELoss(), optimizer)
