"""Confusion matrices: counts of all kinds of predictions, shares, names, many classes, bad input."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import viz
from flambeau.viz import style

pytest.importorskip("matplotlib")


def cells(figure):
    """(row, column) -> what is written there."""
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in figure.axes[0].texts}


def test_counts_of_classes_and_of_scores():
    labels = [0, 1, 2, 2]
    expected = [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    scores = torch.eye(3)[torch.tensor([0, 1, 1, 2])] * 5 - 2
    one_hot = torch.eye(3)[torch.tensor(labels)]
    for found, true in (
        ([0, 1, 1, 2], labels),
        (np.array([0.0, 1.0, 1.0, 2.0]), torch.tensor(labels)),
        (scores.half().requires_grad_(), torch.tensor(labels)),
        (scores, one_hot),
        (torch.tensor([[0], [1], [1], [2]]), labels),
    ):
        counts = viz.confusion_counts(found, true)
        assert counts.tolist() == expected and counts.dtype == torch.int64


def test_counts_of_segmentations_and_ignored_labels():
    scores = torch.zeros(2, 3, 2, 2)
    scores[:, 1] = 1
    labels = torch.tensor([[[1, 1], [0, -100]], [[2, 2], [1, -100]]])
    assert viz.confusion_counts(scores, labels).tolist() == [[0, 1, 0], [0, 3, 0], [0, 2, 0]]
    # Two classes per position, not one-hot rows.
    assert viz.confusion_counts([[0, 1], [1, 0]], [[0, 1], [0, 1]]).tolist() == [[1, 1], [1, 1]]


def test_classes_that_do_not_occur_keep_their_places():
    assert viz.confusion_counts([0], [0], classes=3).shape == (3, 3)
    assert viz.confusion_counts(torch.zeros(2, 4), [0, 1]).shape == (4, 4)
    figure = viz.confusion_matrix([0, 1], [0, 1], names=["a", "b", "unused"])
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["a", "b", "unused"]


def test_what_is_written_in_the_cells():
    found, true = [0] * 9 + [1] + [1] * 30, [0] * 10 + [1] * 30
    figure = viz.confusion_matrix(found, true)
    assert cells(figure) == {(0, 0): "9", (0, 1): "1", (1, 1): "30"}
    assert figure.axes[0].get_title() == "39 of 40 right (97.5%)"
    assert np.allclose(figure.axes[0].images[0].get_array(), [[0.9, 0.1], [0, 1]])
    assert cells(viz.confusion_matrix(found, true, normalize="true")) == {(0, 0): "90", (0, 1): "10", (1, 1): "100"}
    assert cells(viz.confusion_matrix(found, true, normalize="pred")) == {(0, 0): "100", (0, 1): "3.2", (1, 1): "97"}
    assert cells(viz.confusion_matrix(found, true, normalize="all")) == {(0, 0): "22", (0, 1): "2.5", (1, 1): "75"}


@pytest.mark.parametrize("count", [1, 100, 250])
def test_few_and_many_classes(count):
    classes = np.arange(count)
    figure = viz.confusion_matrix(classes, classes, names=[f"类别 {k}" for k in classes], title="all")
    labels = figure.axes[0].get_yticklabels()
    assert len(labels) == (count if count <= 100 else 36)
    assert len(cells(figure)) == (count if count <= 100 else 0)
    assert figure.axes[0].get_title() == "all" and len(style.png(figure)) > 2000


@pytest.mark.parametrize(
    ("found", "true", "options", "message"),
    [
        ([], [], {}, "there are no samples"),
        ([0, 1], [-100, -100], {}, "all 2 labels are -100"),
        ([0.3, 0.7], [0, 1], {}, r"0.3 is among them.*probabilities > 0.5"),
        ([[0.5], [0.7]], [0, 1], {}, r"0.5 is among them"),
        ([0, float("nan")], [0, 1], {}, "nan is among them"),
        ([0, 1], [-1, 1], {}, "labels have to be.*-1 is among them"),
        ([[float("nan"), 1.0]], [0], {}, "scores of 1 of 1 samples contain nan"),
        ([0, 5], [0, 1], {"names": ["a", "b"]}, "class 5 occurs, but there are only 2 classes"),
        ([0], [0], {"normalize": "rows"}, "normalize cannot be 'rows'"),
        (np.zeros((4, 3)), [0, 1, 2], {}, r"\(4, 3\) do not fit labels of shape \(3,\)"),
        (["cat"], ["dog"], {}, "labels cannot be drawn"),
        ([0, 10**9], [0, 1], {}, "1,000,000,001 classes are too many"),
        ([0], [0], {"names": 3}, "names is int"),
        ([0], [0], {"names": "ab"}, "names is str"),
    ],
)
def test_bad_input(found, true, options, message):
    with pytest.raises((ValueError, RuntimeError, TypeError), match=f"(?s){message}"):
        viz.confusion_matrix(found, true, **options)
