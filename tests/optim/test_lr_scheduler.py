"""Learning rates of every scheduler, compared with rates recorded from PyTorch 2.13; saving, order and errors."""

import warnings
from copy import deepcopy

import numpy as np
import pytest

import flambeau as torch

S = torch.optim.lr_scheduler


def sgd(lr=0.1, **options):
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=lr, **{"momentum": 0.9, **options})


# name -> (how to make it, the first nine rates)
RATES = {
    "LambdaLR": (
        lambda S, o: S.LambdaLR(o, lambda e: 0.9**e),
        [0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969, 0.043046721],
    ),
    "MultiplicativeLR": (
        lambda S, o: S.MultiplicativeLR(o, lambda e: 0.9),
        [0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969, 0.043046721],
    ),
    "StepLR": (lambda S, o: S.StepLR(o, 3), [0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001]),
    "MultiStepLR": (
        lambda S, o: S.MultiStepLR(o, [2, 4, 4]),
        [0.1, 0.1, 0.01, 0.01, 0.0001, 0.0001, 0.0001, 0.0001, 0.0001],
    ),
    "ConstantLR": (
        lambda S, o: S.ConstantLR(o),
        [0.033333333, 0.033333333, 0.033333333, 0.033333333, 0.033333333, 0.1, 0.1, 0.1, 0.1],
    ),
    "LinearLR": (
        lambda S, o: S.LinearLR(o, 0.25, 0.75),
        [0.025, 0.035, 0.045, 0.055, 0.065, 0.075, 0.075, 0.075, 0.075],
    ),
    "ExponentialLR": (
        lambda S, o: S.ExponentialLR(o, 0.9),
        [0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049, 0.0531441, 0.04782969, 0.043046721],
    ),
    "PolynomialLR": (
        lambda S, o: S.PolynomialLR(o, 6, 1.5),
        [0.1, 0.076072577, 0.054433105, 0.035355339, 0.019245009, 0.0068041382, 0, 0, 0],
    ),
    "CosineAnnealingLR": (
        lambda S, o: S.CosineAnnealingLR(o, 3, 0.01),
        [0.1, 0.0775, 0.0325, 0.01, 0.0325, 0.0775, 0.1, 0.0775, 0.0325],
    ),
    "CosineAnnealingWarmRestarts": (
        lambda S, o: S.CosineAnnealingWarmRestarts(o, 2, 2),
        [0.1, 0.05, 0.1, 0.085355339, 0.05, 0.014644661, 0.1, 0.096193977, 0.085355339],
    ),
    "CyclicLR": (
        lambda S, o: S.CyclicLR(o, 0.01, 0.2, 2, 3),
        [0.01, 0.105, 0.2, 0.13666667, 0.073333333, 0.01, 0.105, 0.2, 0.13666667],
    ),
    "CyclicLR triangular2": (
        lambda S, o: S.CyclicLR(o, 0.01, 0.2, 2, mode="triangular2"),
        [0.01, 0.105, 0.2, 0.105, 0.01, 0.0575, 0.105, 0.0575, 0.01],
    ),
    "CyclicLR exp_range": (
        lambda S, o: S.CyclicLR(o, 0.01, 0.2, 2, mode="exp_range", gamma=0.9),
        [0.01, 0.0955, 0.1639, 0.079255, 0.01, 0.06609655, 0.11097379, 0.055438206, 0.01],
    ),
    "OneCycleLR": (
        lambda S, o: S.OneCycleLR(o, 0.5, total_steps=10),
        [0.02, 0.26, 0.5, 0.47524232, 0.40587283, 0.30563101, 0.19437099, 0.094129173, 0.024759684],
    ),
    "OneCycleLR three phases": (
        lambda S, o: S.OneCycleLR(o, 0.5, total_steps=10, three_phase=True, anneal_strategy="linear"),
        [0.02, 0.26, 0.5, 0.26, 0.02, 0.0160004, 0.0120008, 0.0080012, 0.0040016],
    ),
    "SequentialLR": (
        lambda S, o: S.SequentialLR(o, [S.ConstantLR(o), S.ExponentialLR(o, 0.9)], [3]),
        [0.033333333, 0.033333333, 0.033333333, 0.1, 0.09, 0.081, 0.0729, 0.06561, 0.059049],
    ),
    "ChainedScheduler": (
        lambda S, o: S.ChainedScheduler([S.ConstantLR(o), S.ExponentialLR(o, 0.9)]),
        [0.033333333, 0.03, 0.027, 0.0243, 0.02187, 0.059049, 0.0531441, 0.04782969, 0.043046721],
    ),
    "SWALR": (
        lambda S, o: torch.optim.swa_utils.SWALR(o, 0.05, 4),
        [0.1, 0.09267767, 0.075, 0.05732233, 0.05, 0.05, 0.05, 0.05, 0.05],
    ),
}


def rates(scheduler, optimizer, steps):
    found = []
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        found += scheduler.get_last_lr()
    return found


@pytest.mark.parametrize("name", RATES)
def test_rates(name):
    make, expected = RATES[name]
    optimizer = sgd()
    scheduler = make(S, optimizer)
    first = scheduler.get_last_lr()
    np.testing.assert_allclose(first + rates(scheduler, optimizer, 8), expected, rtol=1e-6)
    assert optimizer.param_groups[0]["lr"] == scheduler.get_last_lr()[0]


@pytest.mark.parametrize("name", RATES)
def test_saved_and_resumed(name):
    make, expected = RATES[name]
    optimizer = sgd()
    scheduler = make(S, optimizer)
    rates(scheduler, optimizer, 4)
    saved = deepcopy(scheduler.state_dict())
    assert "optimizer" not in saved
    other = sgd()
    resumed = make(S, other)
    resumed.load_state_dict(saved)
    other.load_state_dict(optimizer.state_dict())
    np.testing.assert_allclose(rates(resumed, other, 4), expected[5:], rtol=1e-6)


def test_plateau():
    optimizer = sgd()
    scheduler = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=1, min_lr=0.03)
    found = []
    for loss in (3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        scheduler.step(loss)
        found += scheduler.get_last_lr()
    np.testing.assert_allclose(found, [0.1] * 3 + [0.05] * 3 + [0.03] * 6)
    assert scheduler.state_dict()["best"] == 1.0


def test_momentum_moves_against_the_rate():
    optimizer = sgd()
    scheduler = S.OneCycleLR(optimizer, 0.5, total_steps=10)
    rates(scheduler, optimizer, 2)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.85)
    adam = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))])
    S.CyclicLR(adam, 0.01, 0.1)
    assert adam.param_groups[0]["betas"] == (0.9, 0.999)


def test_state_dict_layout():
    assert S.StepLR(sgd(), 3).state_dict() == {
        "step_size": 3, "gamma": 0.1, "base_lrs": [0.1], "last_epoch": 0, "_step_count": 1, "_is_initial": False,
        "_get_lr_called_within_step": False, "_last_lr": [0.1],
    }  # fmt: skip
    assert S.LambdaLR(sgd(), lambda e: 1.0).state_dict()["lr_lambdas"] == [None]


def test_callable_objects_are_saved():
    class Warm:
        def __init__(self):
            self.calls = 0

        def __call__(self, epoch):
            self.calls += 1
            return 1.0

    optimizer = sgd()
    scheduler = S.LambdaLR(optimizer, Warm())
    rates(scheduler, optimizer, 2)
    saved = scheduler.state_dict()
    assert saved["lr_lambdas"] == [{"calls": 3}]
    other = S.LambdaLR(sgd(), Warm())
    other.load_state_dict(saved)
    assert other.lr_lambdas[0].calls == 3


def test_tensor_rates_are_changed_in_place():
    lr = torch.tensor(0.1)
    optimizer = sgd(lr)
    scheduler = S.StepLR(optimizer, 1)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is lr
    assert lr.item() == pytest.approx(0.01)
    assert scheduler.base_lrs[0].item() == pytest.approx(0.1)


def test_warnings():
    scheduler = S.StepLR(sgd(), 1)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()  # once is enough
    with pytest.warns(UserWarning, match="The epoch parameter in `scheduler.step"):
        scheduler.step(7)
    assert scheduler.last_epoch == 7
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        scheduler.get_lr()


def test_resuming_needs_initial_lr():
    with pytest.raises(KeyError, match="param 'initial_lr' is not specified in param_groups"):
        S.StepLR(sgd(), 1, last_epoch=3)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: S.StepLR(3, 1), TypeError, "int is not an Optimizer"),
        (lambda: S.LambdaLR(sgd(), [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
        (lambda: S.ConstantLR(sgd(), 2.0), ValueError, "Constant multiplicative factor"),
        (lambda: S.LinearLR(sgd(), 0), ValueError, "Starting multiplicative factor"),
        (lambda: S.LinearLR(sgd(), 0.5, 2), ValueError, "Ending multiplicative factor"),
        (lambda: S.CyclicLR(sgd(), 0.1, 0.2, mode="x"), ValueError, "mode is invalid and scale_fn is None"),
        (lambda: S.CyclicLR(sgd(), [0.1, 0.2], 0.2), ValueError, "base_lr must have the same length"),
        (lambda: S.OneCycleLR(sgd(), 0.1), ValueError, "You must define either total_steps OR"),
        (lambda: S.OneCycleLR(sgd(), 0.1, total_steps=-1), ValueError, "Expected positive integer total_steps"),
        (lambda: S.OneCycleLR(sgd(), 0.1, total_steps=5, pct_start=2), ValueError, "between 0 and 1 pct_start"),
        (lambda: S.CosineAnnealingWarmRestarts(sgd(), 0), ValueError, "Expected positive integer T_0"),
        (lambda: S.ReduceLROnPlateau(sgd(), factor=1.0), ValueError, "Factor should be < 1.0"),
        (lambda: S.ReduceLROnPlateau(sgd(), min_lr=[1, 2]), ValueError, "expected 1 min_lrs, got 2"),
        (lambda: S.SequentialLR(sgd(), [], []), ValueError, "expects at least one scheduler"),
        (lambda: S.ChainedScheduler([]), ValueError, "expects at least one scheduler to be chained"),
        (lambda: S.ChainedScheduler([S.ReduceLROnPlateau(sgd())]), ValueError, "does not support `ReduceLROnPlateau`"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_too_many_steps():
    optimizer = sgd()
    scheduler = S.OneCycleLR(optimizer, 0.1, total_steps=3)
    with pytest.raises(ValueError, match="Tried to step 4 times. The specified number of total steps is 3"):
        rates(scheduler, optimizer, 5)
