"""Checks and compiled steps: a recording is not disturbed by what the checks look at, and replays are followed."""

import warnings

import flambeau as torch
from flambeau import doctor
from flambeau.checks import collect
from flambeau.nn import functional as F


def step_of(scale=1.0):
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(16, 4)
    y = x.sum(1, keepdim=True) * scale

    @torch.compile
    def step():
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_step_with_checks_on_is_replayed_whole():
    step = step_of()
    with collect(fresh=True):
        for _ in range(5):
            step()
    assert not step.splits and len(step.steps) == 1


def test_a_watch_follows_replays():
    with collect(fresh=True), doctor.watch(quiet=True) as w:
        step = step_of()
        values = [float(step().detach()) for _ in range(4)]
    assert [v for _, v in w.history.losses] == values


def test_a_replay_that_is_not_finite_is_told():
    step = step_of(1e30)
    with warnings.catch_warnings(), collect(fresh=True) as findings:
        warnings.simplefilter("ignore")
        for _ in range(4):
            step()
    assert "compiled" in [f.cause for f in findings if f.code == "FB-NUM-01"]
