"""sort, topk, unique, mode, median: order, stability, NaN, gradients."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck

NAN = float("nan")
X = torch.from_numpy(np.random.default_rng(3).permutation(24).reshape(2, 3, 4) / 7.0).requires_grad_()


def test_sort_is_stable_and_nan_is_largest():
    x = torch.tensor([2.0, 1.0, 2.0, NAN, 1.0])
    values, indices = x.sort()
    assert indices.tolist() == [1, 4, 0, 2, 3] and values[-1].isnan()
    assert x.sort(descending=True).indices.tolist() == [3, 0, 2, 1, 4]
    assert x.argsort(stable=True).tolist() == [1, 4, 0, 2, 3]
    assert torch.tensor([3, -2, 0], dtype=torch.int8).sort(descending=True)[0].tolist() == [3, 0, -2]
    assert torch.tensor([True, False, True]).sort()[0].tolist() == [False, True, True]
    assert torch.msort(torch.tensor([[2, 1], [1, 2]])).tolist() == [[1, 1], [2, 2]]


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
@pytest.mark.parametrize("values", [10, 10**6])  # many ties, few ties
@pytest.mark.parametrize("descending", [False, True])
def test_long_rows_are_sorted_stably(dtype, values, descending):
    a = np.random.default_rng(0).integers(0, values, (2, 3000)).astype(dtype)
    a[:, 100:110] = a[:, 7:8]
    if dtype is np.float32:
        a[0, 50:60] = NAN
    if descending:
        expected = 2999 - np.flip(np.argsort(np.flip(a, 1), 1, kind="stable"), 1)
    else:
        expected = np.argsort(a, 1, kind="stable")
    assert np.array_equal(torch.from_numpy(a).sort(1, descending=descending).indices.numpy(), expected)


@pytest.mark.parametrize("n", [10, 500])  # by sorting all, and by partition first
@pytest.mark.parametrize("largest", [True, False])
def test_topk(n, largest):
    a = np.random.default_rng(n).permutation(n).astype(np.float32)
    values, indices = torch.from_numpy(a).topk(4, largest=largest)
    order = np.argsort(-a if largest else a)[:4]
    assert indices.tolist() == order.tolist() and values.tolist() == a[order].tolist()


def test_topk_takes_nan_first():
    a = np.arange(300.0)
    a[7] = NAN
    assert torch.from_numpy(a).topk(2).indices.tolist() == [7, 299]
    assert torch.from_numpy(a).topk(1, largest=False).indices.tolist() == [0]


@pytest.mark.parametrize("f", [
    lambda x: x.sort(1)[0], lambda x: x.sort(1, descending=True)[0], lambda x: x.topk(2, 2)[0], lambda x: x.mode(1)[0],
    lambda x: x.kthvalue(2, 0)[0], lambda x: x.median(), lambda x: x.median(2)[0], lambda x: x.nanmedian(2)[0],
    lambda x: x.msort(),
])  # fmt: skip
def test_gradients(f):
    assert gradcheck(f, (X,))


def test_unique():
    x = torch.tensor([3, 1, 3, 2, 1])
    values, inverse, counts = torch.unique(x, return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 2, 3] and inverse.tolist() == [2, 0, 2, 1, 0] and counts.tolist() == [2, 1, 2]
    assert torch.unique(torch.tensor([[2, 1], [2, 1], [0, 5]]), dim=0).tolist() == [[0, 5], [2, 1]]
    assert torch.unique(torch.tensor([NAN, NAN])).shape == (2,)
    x = torch.tensor([1, 1, 2, 1])
    values, inverse, counts = torch.unique_consecutive(x, return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 2, 1] and inverse.tolist() == [0, 0, 1, 2] and counts.tolist() == [2, 1, 1]


def test_mode_median_kthvalue():
    x = torch.tensor([[1, 3, 3, 2], [4, 2, 4, 2]])
    assert x.mode(1).values.tolist() == [3, 2]
    assert x.median(1).values.tolist() == [2, 2] and x.median().item() == 2
    assert x.kthvalue(1, 1).values.tolist() == [1, 2]


@pytest.mark.parametrize("error, call, words", [
    (RuntimeError, lambda x: x.topk(5), "selected index k out of range"),
    (IndexError, lambda x: x.sort(2), "Dimension out of range"),
    (RuntimeError, lambda x: (x * 1j).sort(), "not implemented"),
    (TypeError, lambda x: torch.sort([1, 2]), "must be Tensor"),
])  # fmt: skip
def test_errors(error, call, words):
    with pytest.raises(error, match=words):
        call(torch.ones(2, 3))
