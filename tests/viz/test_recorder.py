"""The recorder: what it measures, when, that it leaves nothing behind, compiled code, and the figures of it."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn, viz
from flambeau.optim import optimizer as optimizers
from flambeau.viz import style
from flambeau.viz.recorder import Spread, _dead

pytest.importorskip("matplotlib")


def network(activation=nn.ReLU, depth=2):
    torch.manual_seed(0)
    layers = [part for _ in range(depth) for part in (nn.Linear(8, 8), activation())]
    return nn.Sequential(*layers, nn.Linear(8, 1))


def train(model, optimizer, steps, x=None):
    x = torch.randn(16, 8) if x is None else x
    for _ in range(steps):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()


def recorded(model=None, steps=5, lr=0.1, **options):
    model = network() if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    with viz.Recorder(model, optimizer, **{"every": 1, **options}) as recorder:
        train(model, optimizer, steps)
    return recorder


def test_spreads():
    values = np.random.RandomState(0).randn(5000)
    spread = Spread.of(values)
    assert (spread.low, spread.high) == (values.min(), values.max()) and spread.counts.sum() == 5000
    assert spread.mean == pytest.approx(values.mean()) and spread.std == pytest.approx(values.std())
    edges = np.array([-9.0, -1, 0, 1, 9])
    assert np.allclose(spread.between(edges), np.histogram(values, edges)[0] / 5000, atol=0.01)
    broken = Spread.of(np.array([1.0, 2.0, np.nan, np.inf]))
    assert (broken.broken, broken.mean) == (0.5, 1.5)
    powers = Spread.of(np.array([0.0, 1e-3, -10.0]), log=True)
    assert (powers.low, powers.high, powers.size) == pytest.approx((-3, 1, (1e-3 + 10) / 3))
    for nothing in ([], [np.nan], [0.0]):
        Spread.of(np.array(nothing), log=True).between(edges)
    assert Spread.of(np.full(9, 3.0)).between(edges).sum() == pytest.approx(1)
    many = np.tile([0.0] * 63 + [1.0], 100000)  # one channel in 64 is 1
    assert Spread.of(many).mean == pytest.approx(1 / 64, rel=0.1)


def test_updates_and_gradients_are_the_real_ones():
    model, x = network(), torch.randn(16, 8)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    before = model[0].weight.detach().clone()
    with viz.Recorder(model, optimizer, every=1) as recorder:
        train(model, optimizer, 1, x)
    after = model[0].weight.detach()
    assert recorder.ratios["0.weight"] == [pytest.approx(((after - before).norm() / after.norm()).item(), rel=1e-5)]
    assert recorder.weights["0.weight"][0].mean == pytest.approx(after.mean().item(), rel=1e-4)
    gradient = model[0].weight.grad.abs()
    assert recorder.gradient_sizes()["0.weight"] == [pytest.approx(gradient.mean().item(), rel=1e-5)]
    assert recorder.gradients["0.weight"][0].high == pytest.approx(gradient.max().log10().item(), rel=1e-5)
    with torch.no_grad():
        model[0].weight.copy_(before)
    assert recorder.activations["0"][0].mean == pytest.approx(model[0](x).mean().item(), abs=1e-6)


def test_which_steps_are_recorded():
    assert recorded(every=3, steps=8).steps == [0, 3, 6]
    thinned = recorded(every=1, keep=4, steps=11)
    assert thinned.steps == [0, 4, 8] and thinned.every == 4
    assert {len(row) for row in thinned.weights.values()} == {3} == {len(row) for row in thinned.activations.values()}


def test_the_optimizer_is_found():
    model, other = network(), network()
    mine, others = (torch.optim.SGD(m.parameters(), lr=0.1) for m in (model, other))
    with viz.Recorder(model, every=1) as recorder:
        train(other, others, 3)
        train(model, mine, 2)
        train(other, others, 3)
    assert recorder.steps == [0, 1]


def test_loops_without_an_optimizer():
    model = network()
    with viz.Recorder(model, every=2) as recorder:
        for _ in range(3):
            model.zero_grad()
            model(torch.ones(4, 8)).sum().backward()
            recorder.step(lr=0.5)
    p = model[0].weight
    assert recorder.steps == [0, 2]
    assert recorder.ratios["0.weight"][1] == pytest.approx((0.5 * p.grad.norm() / p.norm()).item(), rel=1e-5)
    with viz.Recorder(model, torch.optim.SGD(model.parameters())) as recorder:
        with pytest.raises(RuntimeError, match="counted already"):
            recorder.step()


def test_evaluation_in_between_is_not_recorded():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    with viz.Recorder(model, optimizer, every=1) as recorder:
        model(torch.ones(4, 8)).sum().backward()
        with torch.no_grad():
            model(torch.full((4, 8), 1e6))
        optimizer.step()
    assert recorder.activations["0"][0].high < 10


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(fails):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    try:
        with viz.Recorder(model, optimizer, every=1):
            train(model, optimizer, 2)
            if fails:
                raise KeyError
    except KeyError:
        pass
    assert not any(module._forward_hooks for module in model.modules())
    assert not optimizers._step_pre_hooks and not optimizers._step_post_hooks
    compiled = torch.compile(model)
    compiled(torch.ones(2, 8)), compiled(torch.ones(2, 8))
    assert len(compiled.steps) == 1  # compiled functions are not eager any more


def test_recording_changes_no_number():
    plain, watched = network(), network()
    x = torch.randn(16, 8)
    train(plain, torch.optim.Adam(plain.parameters()), 5, x)
    optimizer = torch.optim.Adam(watched.parameters())
    with viz.Recorder(watched, optimizer, every=2):
        train(watched, optimizer, 5, x)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), watched.parameters(), strict=True))


def test_compiled_models_are_compiled_between_records():
    model = network()
    compiled = torch.compile(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with viz.Recorder(compiled, optimizer, every=3) as recorder:
        train(compiled, optimizer, 7, torch.ones(4, 8))
    assert recorder.steps == [0, 3, 6] and {len(row) for row in recorder.activations.values()} == {3}
    assert len(compiled.steps) == 1 and not compiled.splits
    assert "0.weight" in recorder.weights


@pytest.mark.parametrize("before", [0, 2])
def test_compiled_steps_are_eager_while_a_recorder_is_open(before):
    model, x = network(), torch.ones(4, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    @torch.compile
    def step():
        train(model, optimizer, 1, x)

    for _ in range(before):
        step()
    with viz.Recorder(model, optimizer, every=2) as recorder:
        for _ in range(5):
            step()
    assert recorder.steps == [0, 2, 4]
    for _ in range(2):
        step()
    assert step.steps and not step.splits  # compiled again


def test_dead_units():
    assert _dead(np.array([[0.0, 1, 0], [0, 0, 2]])) == pytest.approx(1 / 3)
    assert _dead(np.zeros((2, 4, 3, 3))) == 1 and _dead(np.zeros(3)) is None
    words = np.ones((2, 3, 4))
    words[:, :, 1] = 0
    assert _dead(words) == 0.25
    model = network()
    with torch.no_grad():
        model[0].bias[:4] = -100
    recorder = recorded(model, steps=2, lr=0.0)
    assert list(recorder.dead) == ["1", "3"] and recorder.dead["1"][0] >= 0.5
    axes = viz.dead_units(recorder, "1").axes[0]
    assert axes.lines[0].get_ydata().tolist() == recorder.dead["1"] and axes.lines[0].get_label() == "1 ReLU"


def titles(figure):
    return [axes.get_title() for axes in figure.axes if axes.get_title()]


def test_histograms_over_time():
    recorder = recorded(steps=4)
    assert titles(viz.activation_histograms(recorder)) == ["0 Linear", "1 ReLU", "2 Linear", "3 ReLU", "4 Linear"]
    assert titles(viz.weight_histograms(recorder)) == ["0.weight", "2.weight", "4.weight"]
    assert titles(viz.gradient_histograms(recorder, ["0.bias"])) == ["0.bias"]
    figure = viz.activation_histograms(recorder, "0", title="first")
    mesh = figure.axes[0].collections[0].get_array()
    assert mesh.shape == (80, 4) and np.allclose(mesh.sum(0), 1, atol=0.02)
    assert figure.axes[0].lines[0].get_ydata().tolist() == [s.mean for s in recorder.activations["0"]]
    given = style.figure(6, 2).subplots(1, 2)
    assert viz.weight_histograms(recorder, ["0.weight", "2.weight"], axes=given) is given[0].get_figure()
    style.png(figure)


def test_many_layers_are_some_of_them():
    recorder = recorded(network(depth=20), steps=2)
    figure = viz.activation_histograms(recorder)
    assert len(titles(figure)) == 16 and figure.get_suptitle() == "16 of 41 layers"
    assert len(viz.update_ratios(recorder).axes) == 2  # colours instead of a legend
    style.png(viz.update_ratios(recorder))


def test_numbers_that_are_not_finite():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with viz.Recorder(model, optimizer, every=1) as recorder:
        train(model, optimizer, 2)
        with torch.no_grad():
            model[0].weight.fill_(float("nan"))
        train(model, optimizer, 1)
    figure = viz.activation_histograms(recorder)
    assert [text.get_text() for text in figure.axes[0].texts] == ["nan or inf in 1 of 3 records"]
    for draw in (viz.weight_histograms, viz.gradient_histograms, viz.update_ratios, viz.dead_units):
        style.png(draw(recorder))
    style.png(viz.gradient_flow(recorder.gradient_sizes()))
    style.png(figure)


def test_update_ratios():
    recorder = recorded(steps=3)
    axes = viz.update_ratios(recorder, title="updates").axes[0]
    assert axes.get_yscale() == "log" and len(axes.lines) == 4 and axes.lines[-1].get_ydata()[0] == 1e-3
    assert axes.lines[1].get_ydata().tolist() == recorder.ratios["2.weight"]
    style.png(viz.update_ratios(recorded(steps=1, lr=0.0)))  # nothing moves: no line


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.activation_histograms(recorded(steps=0)), "nothing in `recorder.activations`.*no training step"),
        (lambda: viz.dead_units(recorded(nn.Linear(8, 1))), "nothing in `recorder.dead`.*nn.ReLU"),
        (lambda: viz.weight_histograms(recorded(), "nope"), "`recorder.weights` has no 'nope'.*`0.weight`"),
        (lambda: viz.weight_histograms(nn.Linear(2, 2)), "a Recorder is needed, not Linear"),
        (lambda: viz.weight_histograms(recorded(), axes=[style.figure(2, 2).add_subplot()]), "1 axes for 3 layers"),
        (lambda: viz.Recorder(3), "takes a module, not int"),
        (lambda: viz.Recorder(nn.Linear(1, 1), every=0), "every=0 and keep=200 record nothing"),
        (lambda: viz.Recorder(nn.Linear(1, 1), nn.Linear(1, 1)), "optimizer is Linear"),
        (lambda: viz.Recorder(nn.Linear(1, 1), layers="nope"), "no layer 'nope'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, RuntimeError, TypeError), match=f"(?s){message}"):
        call()


def test_ratios_that_are_not_finite_are_marked():
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with viz.Recorder(model, optimizer, every=1) as recorder:
        for factor in (1.0, float("nan"), 1.0):
            optimizer.zero_grad()
            model(torch.ones(4, 3)).sum().backward()
            for parameter in model.parameters():
                parameter.grad *= factor
            optimizer.step()
    axes = viz.update_ratios(recorder).axes[0]
    marks = {line.get_label(): line.get_xdata() for line in axes.lines}
    assert list(marks["nan or inf"]) == [1, 2]
    style.png(axes.get_figure())
