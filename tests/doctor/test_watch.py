"""doctor.watch: what it records, its budget, how it ends, bad arguments."""

import pytest

import flambeau as torch
from flambeau import doctor
from flambeau.checks import collect, events, findings, log
from flambeau.doctor.history import History
from flambeau.nn import functional as F


@pytest.fixture
def fresh():
    with collect(fresh=True):
        yield


def train(steps, w=None):
    torch.manual_seed(0)
    net = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(32, 4)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.mse_loss(net(x), x.sum(1, keepdim=True))
        loss.backward()
        optimizer.step()
    return net


def test_what_is_recorded(fresh):
    with doctor.watch(quiet=True, every=2) as w:
        train(6)
    h = w.history
    assert h.step == 6 and len(h.losses) == 6 and h.losses[0][1] > h.losses[-1][1]
    assert [s.step for s in h.samples] == [1, 2, 3, 4, 6]  # the first three, then every second
    assert (h.samples[0].update > 0).all() and len(h.samples[0].ratios()) == 1
    assert h.samples[0].update[0] == pytest.approx(0.1 * h.samples[0].gradient[0], rel=1e-5)
    report = w.report()
    assert [t.title for t in report.tables] == ["Parameters at the last sampled step"]
    assert [c.title for c in report.curves] == ["loss", "size of the gradients"]


def test_training_is_the_same_and_nothing_is_left_behind(fresh):
    plain = train(20)
    before = [len(x) for x in (events.before_step, events.after_step, events.before_backward, log.watches)]
    with doctor.watch(quiet=True, every=1):
        watched = train(20)
    assert torch.equal(plain.weight, watched.weight)
    assert before == [len(x) for x in (events.before_step, events.after_step, events.before_backward, log.watches)]


def test_names_of_the_model_and_only_its_optimizer(fresh):
    net = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with doctor.watch(net, optimizer, quiet=True) as w:
        train(3)  # another one
        net(torch.ones(2, 4)).sum().backward()
        optimizer.step()
    assert w.history.step == 1 and w.history.samples[0].names == ["weight", "bias"]


def test_as_a_callback(fresh):
    w = doctor.watch(quiet=True)
    w(loss=torch.tensor(2.0), validation=3)
    w.close()
    w.close()
    assert w.history.losses == [(0, 2.0)] and w.history.validation == [(0, 3.0)]
    with pytest.raises(ValueError, match=r"shape \(2,\) is not one number"):
        w(loss=torch.ones(2))


def test_bad_arguments(fresh):
    for options, text in (({"budget": 0}, "budget=0"), ({"every": 0}, "every=0")):
        with pytest.raises(ValueError, match=text):
            doctor.watch(**options)
    assert not log.watches


def test_the_report_is_printed_at_the_end(fresh, capsys):
    with doctor.watch():
        train(2)
    assert "steps" in capsys.readouterr().err


def test_a_gradient_that_is_not_finite_stops_the_run_before_the_weights_change(fresh):
    w = torch.nn.Parameter(torch.tensor([8.0]))
    optimizer = torch.optim.SGD([w], lr=1.0)
    with pytest.raises(RuntimeError) as raised, doctor.watch(quiet=True, every=1000):
        for _ in range(40):  # w is 0 after 32 steps of 1/4, when nobody looks on any more
            optimizer.zero_grad()
            (0.25 * w + 0 * w.sqrt()).sum().backward()
            optimizer.step()
    error = raised.value
    assert error.code == "FB-NUM-02" and "sqrt" in str(error), error
    assert w.tolist() == [0.0] and w.grad.isnan().all()


def test_graphs_are_released_under_a_watch(fresh):
    x = torch.ones(3, requires_grad=True)
    with doctor.watch(quiet=True):
        loss = (x * x).sum()
        loss.backward()
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()
        kept = (x * x).sum()
        kept.backward(retain_graph=True)
        kept.backward()


def test_another_optimizer_begins_another_curve():
    history = History()
    for step in range(200):
        if step == 100:
            history.loss(step, 5.0)
            history.begins()
        history.loss(step, 0.01 if step < 100 else 4.0)
    assert history.smoothed()[0] == (100, pytest.approx(5.0)) and len(history.smoothed()) == 101


@pytest.mark.parametrize("given", [(3,), (torch.nn.Linear(1, 1), 3), (torch.optim.SGD([torch.zeros(1)], lr=1),)])
def test_what_is_not_a_module_or_an_optimizer(given):
    with pytest.raises(ValueError, match="watch\\(\\) takes"):
        doctor.watch(*given)


def test_what_the_rules_find_at_the_end_is_in_the_report(fresh):
    def rule(history, watch):
        if not watch.open:
            findings.found("FB-LOOP-09", saw="said at the end", level="H", place="the run")

    events.watch_rules.append(("at the end", rule))
    try:
        with doctor.watch(quiet=True) as w:
            train(2)
    finally:
        events.watch_rules.pop()
    assert "FB-LOOP-09" in w.report().codes()
