"""Gradient flow: the numbers drawn, the remarks, many layers, gradients over time, bad input."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn, viz
from flambeau.errors import GradientError
from flambeau.viz import gradients, style

pytest.importorskip("matplotlib")


def trained(layers=3):
    torch.manual_seed(0)
    parts = [part for _ in range(layers) for part in (nn.Linear(8, 8), nn.Sigmoid())]
    model = nn.Sequential(*parts, nn.Linear(8, 1))
    model(torch.randn(4, 8)).square().mean().backward()
    return model


def rows(figure):
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def remarks(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_bars_are_the_mean_and_largest_magnitude():
    model = trained()
    axes = viz.gradient_flow(model).axes[0]
    largest, mean = axes.containers
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    ends = [bar.get_x() + bar.get_width() for bar in mean]
    assert ends == pytest.approx([p.grad.abs().mean().item() for p in weights])
    assert [bar.get_x() + bar.get_width() for bar in largest] == pytest.approx(
        [p.grad.abs().max().item() for p in weights]
    )
    assert axes.get_xscale() == "log" and ends == sorted(ends)  # the gradients of sigmoids vanish towards the input
    assert axes.get_ylim() == (3.5, -0.5)  # the input is at the top


def test_biases_are_optional():
    model = trained(1)
    assert rows(viz.gradient_flow(model)) == ["0.weight", "2.weight"]
    assert rows(viz.gradient_flow(model, bias=True)) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert rows(viz.gradient_flow([("bias", model[0].bias)])) == ["bias"]  # better than nothing


def test_what_is_wrong_is_said_in_words():
    model = trained(5)
    weights = [p for name, p in model.named_parameters() if name.endswith("weight")]
    weights[0].grad = None
    weights[1].grad.zero_()
    weights[2].grad[0, :3] = float("nan")
    weights[2].grad[1, 0] = float("-inf")
    weights[3].grad = None
    weights[3].requires_grad_(False)
    figure = viz.gradient_flow(model)
    assert remarks(figure) == ["no gradient", "all zero", "3 nan and 1 inf", "frozen (requires_grad=False)"]
    style.png(figure)


def test_all_zero_and_all_nan():
    for value, words in ((0.0, "all zero"), (float("nan"), "64 nan")):
        model = trained(1)
        for p in model.parameters():
            p.grad.fill_(value)
        figure = viz.gradient_flow(model)
        assert words in remarks(figure)
        style.png(figure)


def test_many_layers_share_rows():
    model = nn.ModuleDict({f"block{k}": nn.Sequential(*(nn.Linear(2, 2) for _ in range(10))) for k in range(12)})
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    assert len(rows(viz.gradient_flow(model, rows=200))) == 120
    figure = viz.gradient_flow(model)
    assert rows(figure) == [f"block{k}" for k in range(12)]
    model.block3[2].weight.grad = None
    assert remarks(viz.gradient_flow(model)) == ["1 of 10 without gradient"]
    flat = gradients.groups([f"{k}.weight" for k in range(100)], 30)
    assert len(flat) == 25 and flat[0] == ("0.weight to 3.weight", [0, 1, 2, 3])


def test_gradients_over_time():
    recorded = {"first.weight": [torch.full((2,), 10.0**-k) for k in range(5)], "last.weight": [1.0, 0.0, float("nan")]}
    figure = viz.gradient_flow(recorded)
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape == (2, 5) and np.allclose(shown[0], [10.0**-k for k in range(5)])
    assert shown.mask[1].tolist() == [False, True, True, True, True]
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()] == ["nan or inf", "zero or not there"]
    style.png(figure)


def test_a_dict_of_gradients_and_given_axes():
    axes = style.figure(4, 3).add_subplot()
    figure = viz.gradient_flow({"猫": np.ones(3), "none": None}, ax=axes, title="flow")
    assert figure is axes.get_figure() and axes.get_title() == "flow" and remarks(figure) == ["no gradient"]


def test_names_of_compiled_models_are_the_models_own():
    model = trained(1)
    assert rows(viz.gradient_flow(torch.compile(model))) == ["0.weight", "2.weight"]


def test_bad_input():
    with pytest.raises(GradientError, match="call `loss.backward\\(\\)` first"):
        viz.gradient_flow(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="the model has no parameters"):
        viz.gradient_flow(nn.ReLU())
    for wrong in (3, "model", None):
        with pytest.raises(TypeError, match="takes a model, named parameters"):
            viz.gradient_flow(wrong)
    with pytest.raises(ValueError, match="nothing was recorded"):
        viz.gradient_flow({"a": []})
    for rows in (0, "a"):
        with pytest.raises(ValueError, match="is not a number of rows"):
            viz.gradient_flow({"a": torch.ones(2)}, rows=rows)
    with pytest.raises(TypeError, match="a cannot be drawn"):
        viz.gradient_flow({"a": "text"})
