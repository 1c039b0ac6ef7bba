"""Learning curves and projections: what goes into which panel, gaps, colours, odd numbers, bad input."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn, viz
from flambeau.viz import style

pytest.importorskip("matplotlib")


def panels(figure):
    """title -> {label: (x, y)} of the curves."""
    return {
        axes.get_title(): {line.get_label(): line.get_data() for line in axes.lines if len(line.get_xdata()) > 2}
        for axes in figure.axes
        if axes.get_title()
    }


def test_training_and_validation_share_a_panel():
    numbers = [3.0, 2.0, 1.0]
    for names in (
        ("train_loss", "val_loss"),
        ("loss/train", "loss/valid"),
        ("loss", "val_loss"),
        ("train.loss", "dev.loss"),
    ):
        found = panels(viz.learning_curves(dict.fromkeys(names, numbers)))
        assert list(found) == ["loss"] and set(found["loss"]) >= {"training", "validation"}
    found = panels(viz.learning_curves({"train_top_1": numbers, "损失": numbers, "val_top_1": numbers, "lr": numbers}))
    assert list(found) == ["top_1", "损失", "lr"]


def test_histories_of_all_forms():
    for history in (
        {"loss": [1, 2, 3], "epochs": 3, "name": "run"},
        [{"loss": 1.0}, {"loss": torch.tensor(2.0, requires_grad=True)}, {"loss": np.float32(3)}],
        {"loss": torch.tensor([1.0, 2, 3])},
        {"loss": [(1, 1.0), (2, 2.0), (3, 3.0)]},
    ):
        [(x, y)] = panels(viz.learning_curves(history))["loss"].values()
        assert list(x) == [1, 2, 3] and list(y) == [1, 2, 3]
    [(x, _)] = panels(viz.learning_curves({"loss": [1, 2, 3]}, x=[10, 20, 30], xlabel="step"))["loss"].values()
    assert list(x) == [10, 20, 30]


def test_gaps_and_what_was_not_measured():
    figure = viz.learning_curves({"train_acc": [1, float("nan"), 2, float("inf")], "val_acc": [1.0, None, 3.0, 4.0]})
    lines = panels(figure)["acc"]
    assert np.isnan(lines["training, 2 not finite"][1]).tolist() == [False, True, False, True]
    assert lines["validation"][0].tolist() == [1, 3, 4]
    marks = [line.get_xdata().tolist() for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert marks == [[2, 4]]
    nothing = viz.learning_curves({"loss": [float("nan")] * 3})
    assert "no finite number" in [text.get_text() for text in nothing.axes[0].texts]
    style.png(nothing)


def test_scale_and_best_epoch():
    losses = [100.0, 10, 1, 2]
    figure = viz.learning_curves({"val_loss": losses, "val_acc": [0.1, 0.2, 0.3, 0.4]})
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    assert [text.get_text() for text in figure.axes[1].get_legend().get_texts()] == ["validation", "best (3)"]
    assert viz.learning_curves({"val_loss": losses}, log=False).axes[0].get_yscale() == "linear"
    assert viz.learning_curves({"loss": [0.0, *losses]}).axes[0].get_yscale() == "linear"
    style.png(viz.learning_curves({"loss": [-1.0, 0.0, 1.0]}, log=True))
    style.png(viz.learning_curves({"loss": [1.0]}))


@pytest.mark.parametrize(
    ("history", "options", "message"),
    [
        ({}, {}, "no numbers to draw.*has no curves"),
        ({"loss": []}, {}, "all lists are empty"),
        ({"loss": torch.tensor(3.0)}, {}, "has no curves"),
        ([1, 2], {}, "not list"),
        (None, {}, "not NoneType"),
        ({"loss": ["a"]}, {}, "loss cannot be drawn"),
        ({"loss": np.zeros((2, 3))}, {}, r"loss is no curve: its shape is \(2, 3\)"),
        ({"loss": [1, 2]}, {"x": [1]}, "x has 1 places for the 2 numbers of loss"),
        ({"a": [1], "b": [1]}, {"axes": [style.figure(2, 2).add_subplot()]}, "1 axes for 2 panels"),
    ],
)
def test_bad_histories(history, options, message):
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        viz.learning_curves(history, **options)


def offsets(figure):
    return np.concatenate([np.asarray(drawn.get_offsets()) for drawn in figure.axes[0].collections])


def test_projection_keeps_distances_in_the_plane_of_most_variance():
    rng = np.random.RandomState(0)
    plane = rng.randn(50, 2) * (5, 2)
    turn, _ = np.linalg.qr(rng.randn(20, 20))
    vectors = plane @ turn[:2] + 3
    for given in (vectors, torch.from_numpy(vectors.T.copy()).T, vectors[:15]):  # more and fewer than dimensions
        figure = viz.embedding(given)
        places, original = offsets(figure), plane[: len(given)]
        distances = [np.linalg.norm(points[:, None] - points[None], axis=-1) for points in (places, original)]
        assert np.allclose(*distances)
        shares = np.linalg.eigvalsh(np.cov(original.T))[::-1] / np.trace(np.cov(original.T))
        assert figure.axes[0].get_xlabel() == f"first component ({shares[0]:.0%} of the variance)"


def test_classes_quantities_and_words():
    vectors = torch.randn(30, 5)
    figure = viz.embedding(vectors, torch.arange(30) % 3, ["猫", "dog"], words=[str(k) for k in range(30)], title="t")
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["猫", "dog", "2"]
    assert len(figure.axes[0].texts) == 30
    assert len(viz.embedding(vectors, torch.randn(30)).axes) == 2  # a colour bar
    assert len(offsets(viz.embedding(nn.Embedding(7, 4)))) == 7
    style.png(viz.embedding(torch.ones(1, 5)))
    style.png(viz.embedding(torch.arange(4.0)[:, None] * 1e38))


def test_vectors_that_are_not_finite_are_left_out():
    vectors = torch.randn(5, 3)
    vectors[1, 0] = float("nan")
    with pytest.warns(UserWarning, match="1 of 5 vectors contain nan or inf"):
        figure = viz.embedding(vectors, [0, 1, 0, 1, 1], words=list("abcde"))
    assert len(offsets(figure)) == 4 and [text.get_text() for text in figure.axes[0].texts] == list("acde")


@pytest.mark.parametrize(
    ("vectors", "options", "message"),
    [
        (torch.zeros(3), {}, r"shape \(3,\) cannot be projected"),
        (torch.zeros(0, 3), {}, "no vectors to show"),
        (torch.full((3, 2), float("nan")), {}, "all 3 vectors contain nan"),
        (torch.zeros(3, 2), {"labels": [1]}, "1 labels for 3 vectors"),
        (torch.zeros(3, 2), {"words": ["a"]}, "1 words for 3 vectors"),
    ],
)
def test_bad_vectors(vectors, options, message):
    with pytest.raises((ValueError, RuntimeError), match=message):
        viz.embedding(vectors, **options)
