"""Averaged models: the mean of weights, exponential means, batch norm statistics, the SWALR schedule."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.optim import swa_utils

nn = torch.nn


def with_weight(value):
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def averaged(values, **options):
    mean = swa_utils.AveragedModel(with_weight(values[0]), **options)
    for value in values:
        mean.update_parameters(with_weight(value))
    return mean


def test_plain_mean():
    mean = averaged([1.0, 2.0, 6.0])
    assert mean.module.weight.item() == pytest.approx(3.0)
    assert mean.n_averaged.item() == 3
    assert list(mean.state_dict()) == ["n_averaged", "module.weight"]
    assert mean(torch.ones(1, 1)).item() == pytest.approx(3.0)


@pytest.mark.parametrize(
    "options",
    [
        dict(multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.9)),
        dict(avg_fn=swa_utils.get_ema_avg_fn(0.9)),
        dict(avg_fn=lambda mean, p, n: 0.9 * mean + 0.1 * p),
    ],
)
def test_exponential_mean(options):
    assert averaged([1.0, 2.0, 6.0], **options).module.weight.item() == pytest.approx(0.9 * 1.1 + 0.6)


def test_plain_means_agree():
    one = averaged([1.0, 2.0, 6.0], avg_fn=swa_utils.get_swa_avg_fn())
    many = averaged([1.0, 2.0, 6.0], multi_avg_fn=swa_utils.get_swa_multi_avg_fn())
    assert one.module.weight.item() == pytest.approx(many.module.weight.item())


def test_the_original_is_not_touched():
    model = with_weight(1.0)
    mean = swa_utils.AveragedModel(model)
    mean.update_parameters(with_weight(5.0))
    assert model.weight.item() == 1.0


def test_buffers_are_copied_or_averaged():
    def norm(value):
        layer = nn.BatchNorm1d(1)
        layer.running_mean.fill_(value)
        return layer

    for use_buffers, expected in ((False, 4.0), (True, 3.0)):
        mean = swa_utils.AveragedModel(norm(0.0), use_buffers=use_buffers)
        mean.update_parameters(norm(2.0))
        mean.update_parameters(norm(4.0))
        assert mean.module.running_mean.item() == pytest.approx(expected)


def test_update_bn():
    torch.manual_seed(0)
    x = torch.randn(40, 3) * 2 + 5
    model = nn.Sequential(nn.BatchNorm1d(3))
    model.eval()
    swa_utils.update_bn([(batch, None) for batch in x.split(10)], model)
    np.testing.assert_allclose(model[0].running_mean.numpy(), x.numpy().mean(0), rtol=1e-5)
    assert model[0].momentum == 0.1 and not model.training


def test_errors():
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn should be provided"):
        averaged([1.0], avg_fn=swa_utils.get_ema_avg_fn(), multi_avg_fn=swa_utils.get_ema_multi_avg_fn())
    with pytest.raises(ValueError, match="Invalid decay value 2 provided"):
        swa_utils.get_ema_multi_avg_fn(2)
    optimizer = torch.optim.SGD(with_weight(1.0).parameters(), lr=0.1)
    with pytest.raises(ValueError, match="anneal_strategy must be one of 'cos' or 'linear'"):
        swa_utils.SWALR(optimizer, 0.1, anneal_strategy="x")
