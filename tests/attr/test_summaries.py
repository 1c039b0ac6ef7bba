"""Statistics of attributions: those of all tensors at once."""

import pytest

import flambeau as torch
from flambeau.attr import MSE, ClassSummarizer, CommonStats, Count, Max, Mean, Min, StdDev, Sum, Summarizer, Var
from flambeau.errors import FailedAssertion

torch.manual_seed(0)
X = torch.randn(7, 2, 3)


def test_statistics_are_those_of_all_at_once():
    summarizer = Summarizer([*CommonStats(), Count(), Sum(), MSE(), Var(), StdDev()])
    assert summarizer.summary is None
    for x in X:
        summarizer.update(x)
    found = summarizer.summary
    assert found["count"] == 7
    for name, expected in {
        "mean": X.mean(0), "sample_variance": X.var(0).double(), "sample_std_dev": X.std(0).double(), "min": X.amin(0),
        "max": X.amax(0), "sum": X.sum(0), "mse": ((X - X.mean(0)) ** 2).sum(0),
        "variance": X.var(0, correction=0).double(), "std_dev": X.std(0, correction=0).double(),
    }.items():  # fmt: skip
        torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-6)


def test_tuples_numbers_and_whole_numbers():
    summarizer = Summarizer([Mean(), Max(name="most")])
    summarizer.update((torch.tensor([1, 2]), 3.0))
    summarizer.update((torch.tensor([2, 2]), 4.0))
    first, second = summarizer.summary
    assert first["mean"].tolist() == [1.5, 2.0] and first["most"].tolist() == [2, 2]
    assert second["mean"].item() == 3.5
    with pytest.raises(FailedAssertion, match="cannot be summarized together"):
        summarizer.update(X)


def test_classes():
    summarizer = ClassSummarizer([Mean(), Count(), Min()])
    summarizer.update(X[:4], torch.tensor([0, 1, 0, 1]))
    summarizer.update(X[4:], 1)
    assert set(summarizer.class_summaries) == {0, 1}
    torch.testing.assert_close(summarizer.class_summaries[0]["mean"], X[[0, 2]].mean(0))
    torch.testing.assert_close(summarizer.class_summaries[1]["mean"], X[[1, 3, 4, 5, 6]].mean(0))
    torch.testing.assert_close(summarizer.summary["mean"], X.mean(0))
    assert summarizer.summary["count"] == 7
    with pytest.raises(FailedAssertion, match="there are 2 labels for 7 examples"):
        summarizer.update(X, [0, 1])
