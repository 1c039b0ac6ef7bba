"""A check that fails does not stop a program; what it raises on purpose does."""

import warnings

import pytest

import flambeau as torch
from flambeau.checks import collect, events, found, log
from flambeau.checks.safety import safe


@pytest.fixture
def lenient():
    log.strict = False
    yield
    log.strict = True


def broken(optimizer, state):
    raise ZeroDivisionError("in a rule")


def test_a_broken_rule_is_said_once_and_the_program_goes_on(lenient):
    events.before_step.append(broken)
    try:
        w = torch.nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([w], lr=0.5)
        w.grad = torch.ones(2)
        with warnings.catch_warnings(record=True) as said, collect(fresh=True):
            warnings.simplefilter("always")
            optimizer.step()
            optimizer.step()
    finally:
        events.before_step.remove(broken)
    assert w.tolist() == [0.0, 0.0]
    assert [w.category for w in said if "ZeroDivisionError: in a rule" in str(w.message)] == [RuntimeWarning]


def test_a_safe_rule_gives_none(lenient):
    with pytest.warns(RuntimeWarning, match="KeyError"):
        assert safe(lambda: {}["x"])() is None


def test_a_warning_turned_into_an_error_passes(lenient):
    with warnings.catch_warnings(), collect(fresh=True):
        warnings.simplefilter("error", torch.FlambeauWarning)
        with pytest.raises(torch.FlambeauWarning):
            safe(lambda: found("FB-LOSS-09", saw="x"))()
