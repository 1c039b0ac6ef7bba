"""Subscripts, gather and scatter, masks: values, bounds, gradients with repeated indices."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck, gradgradcheck

A = np.arange(60.0).reshape(3, 4, 5)
I, J = np.array([0, 2, 2]), np.array([[1], [3]])
MASK = A[:, :, 0] % 2 == 0


def tensor(k):
    return torch.from_numpy(k) if isinstance(k, np.ndarray) else k


KEYS = [
    1, -1, slice(1, None), slice(None, None, 2), None, Ellipsis, (1, 2), (0, slice(1, 3)), (..., 2),
    (slice(None), None, 1),
    (2, ..., slice(0, 2)), I, (I, I), (slice(None), I), (I, slice(1, 3)), (I, J), (I, J, 0), (slice(None), I, J),
    (I, None, J),
    A > 30, (MASK,), (MASK, 1), (slice(None), np.array([True, False, True, True])), (..., I), [0, 2], ([0, 1], [2, 3]),
    (np.array(1), slice(None)), True, (slice(-2, None), -1), (I[:0],), (slice(3, 1),),
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_read_write_and_gradient(key):
    ours = tuple(tensor(k) for k in key) if isinstance(key, tuple) else tensor(key)
    expected = A[key]
    x = torch.from_numpy(A.copy()).requires_grad_()
    got = x[ours]
    assert got.shape == expected.shape and np.array_equal(got.detach().numpy(), expected)
    got.sum().backward()
    count = np.zeros_like(A)
    np.add.at(count, key, 1)
    assert np.array_equal(x.grad.numpy(), count)
    changed, reference = torch.from_numpy(A.copy()), A.copy()
    changed[ours] = -1.0
    reference[key] = -1.0
    assert np.array_equal(changed.numpy(), reference)


def test_ints_are_taken_out_before_index_tensors():
    # NumPy counts the int as an index array and moves the result's dimension to the front: shape (3, 4).
    x = torch.from_numpy(A.copy())
    assert x[0, :, torch.tensor([1, 2, 3])].shape == (4, 3)
    assert x[torch.tensor(0), :, torch.tensor([1, 2])].shape == (4, 2)


def test_masks_and_bools():
    x = torch.arange(4)
    assert x[x > 1].tolist() == [2, 3]
    assert x[torch.tensor([True, False, True, False])].tolist() == [0, 2]
    assert x[True].shape == (1, 4) and x[False].shape == (0, 4)
    with pytest.warns(UserWarning, match="uint8"):
        assert x[torch.tensor([1, 0, 0, 1], dtype=torch.uint8)].tolist() == [0, 3]
    x[x > 1] = torch.tensor([7, 8])
    assert x.tolist() == [0, 1, 7, 8]


@pytest.mark.parametrize("error, key, words", [
    (IndexError, 3, "index 3 is out of bounds for dimension 0 with size 3"),
    (IndexError, (0, -5), "index -5 is out of bounds for dimension 1 with size 4"),
    (IndexError, (0, 0, 0, 0), "too many indices"),
    (IndexError, torch.tensor([0, 3]), "out of bounds"),
    (IndexError, torch.tensor([0.5]), "must be long, int, byte or bool"),
    (IndexError, torch.ones(4, dtype=torch.bool), "does not match the shape"),
    (ValueError, slice(None, None, -1), "step must be greater than zero"),
    (TypeError, "a", "valid indices"),
    (IndexError, (torch.tensor([0, 1]), torch.tensor([0, 1, 2])), "could not be broadcast"),
])  # fmt: skip
def test_errors_of_subscripts(error, key, words):
    x = torch.from_numpy(A.copy())
    with pytest.raises(error, match=words):
        x[key]
    with pytest.raises(error):
        x[key] = 0.0


def test_scalar_has_no_index():
    with pytest.raises(IndexError, match="0-dim tensor"):
        torch.tensor(1.0)[0]
    assert torch.tensor(1.0)[...].item() == 1 and torch.tensor(1.0)[None].shape == (1,)


def test_assignment_keeps_history():
    x, v = torch.zeros(3, 2, requires_grad=True), torch.ones(2, requires_grad=True)
    y = x * 2
    y[torch.tensor([0, 2])] = v
    y[1, 0] = v[1] * 3
    y.sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 2], [0, 0]] and v.grad.tolist() == [2, 5]


def test_index_put_adds_up_repeated_places():
    x = torch.zeros(3)
    i = (torch.tensor([0, 0, 2]),)
    assert x.index_put(i, torch.ones(3), accumulate=True).tolist() == [2, 0, 1]
    x.index_put_(i, torch.tensor(5.0))
    assert x.tolist() == [5, 0, 5]


X = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 4))).requires_grad_()
S = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 4))).requires_grad_()
G = torch.tensor([[0, 2, 2, 1], [1, 0, 2, 1]])
R = torch.tensor([2, 0, 2])

DIFFERENTIABLE = {
    "gather": lambda x, s: x.gather(0, G),
    "gather part": lambda x, s: x.gather(1, G[:, :2]),
    "scatter_add": lambda x, s: x.scatter_add(0, G, s),
    "scatter": lambda x, s: x.scatter(0, torch.tensor([[0, 1, 2, 0], [1, 0, 0, 1]]), s),
    "scatter number": lambda x, s: x.scatter(0, G, 2.0),
    "index_select": lambda x, s: x.index_select(1, R),
    "index_add": lambda x, s: x.index_add(0, torch.tensor([1, 1]), s, alpha=2),
    "index_copy": lambda x, s: x.index_copy(0, torch.tensor([2, 0]), s),
    "index_fill": lambda x, s: x.index_fill(0, torch.tensor([1]), 3.0),
    "take": lambda x, s: x.take(torch.tensor([[0, 5], [5, -1]])),
    "put": lambda x, s: x.put(torch.tensor([1, 3]), s[0, :2]),
    "put added": lambda x, s: x.put(torch.tensor([1, 1]), s[0, :2], accumulate=True),
    "take_along_dim": lambda x, s: x.take_along_dim(G, 0),
    "masked_fill": lambda x, s: x.masked_fill(x > 0, s[0, 0]),
    "masked_select": lambda x, s: x.masked_select(torch.tensor([True, False, True, True])),
    "masked_scatter": lambda x, s: x.masked_scatter(torch.eye(3, 4) > 0, s),
    "where": lambda x, s: torch.where(torch.tensor([[True], [False]]), x[:2], s),
    "row gather": lambda x, s: x[R],
    **{f"scatter_reduce {r}": (lambda r: lambda x, s: x.scatter_reduce(0, G, s, r))(r)
       for r in ("sum", "prod", "mean", "amax", "amin")},
    **{f"scatter_reduce {r} without self": (lambda r: lambda x, s: x.scatter_reduce(0, G, s, r, include_self=False))(r)
       for r in ("sum", "prod", "mean", "amax", "amin")},
    **{f"index_reduce {r}": (lambda r: lambda x, s: x.index_reduce(0, torch.tensor([1, 1]), s, r))(r)
       for r in ("prod", "mean", "amax", "amin")},
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients(name):
    f = DIFFERENTIABLE[name]
    assert gradcheck(f, (X, S))
    assert gradgradcheck(f, (X, S))


def test_values():
    x = torch.arange(12.0).view(3, 4)
    assert x.gather(1, torch.tensor([[3], [0], [1]])).tolist() == [[3], [4], [9]]
    assert torch.zeros(3).scatter_reduce(
        0, torch.tensor([0, 0, 2]), torch.tensor([1.0, 3, 5]), "mean", include_self=False
    ).tolist() == [2, 0, 5]
    assert torch.zeros(2, 2).scatter_(1, torch.tensor([[1], [0]]), 1).tolist() == [[0, 1], [1, 0]]
    assert torch.nonzero(torch.tensor([[0, 1], [2, 0]])).tolist() == [[0, 1], [1, 0]]
    assert [t.tolist() for t in torch.where(torch.tensor([0, 3, 4]))] == [[1, 2]]
    assert torch.searchsorted(torch.tensor([1, 3, 5]), torch.tensor([3, 6]), right=True).tolist() == [2, 3]
    assert torch.bucketize(torch.tensor([0.5, 2.0]), torch.tensor([1.0, 2.0])).tolist() == [0, 1]
    assert torch.isin(torch.tensor([1, 2, 3]), torch.tensor([2, 5])).tolist() == [False, True, False]
    assert torch.where(torch.tensor([True, False]), 1, 2.5).tolist() == [1, 2.5]


def test_prod_by_scatter_with_zeros():
    x, s = torch.ones(1, dtype=torch.float64), torch.tensor([0.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    x.scatter_reduce(0, torch.zeros(3, dtype=torch.int64), s, "prod").backward()
    assert s.grad.tolist() == [6, 0, 0]


@pytest.mark.parametrize("error, call, words", [
    (RuntimeError, lambda x: x.gather(0, torch.tensor([[3]])), "index 3 is out of bounds for dimension 0 with size 3"),
    (RuntimeError, lambda x: x.gather(0, torch.tensor([[-1]])), "out of bounds"),
    (RuntimeError, lambda x: x.gather(0, torch.tensor([0])), "same number of dimensions"),
    (RuntimeError, lambda x: x.gather(0, torch.tensor([[0.0]])), "int64"),
    (RuntimeError, lambda x: x.scatter(0, torch.tensor([[0]]), x.double()), "dtype"),
    (IndexError, lambda x: x.index_select(0, torch.tensor([3])), "out of bounds"),
    (RuntimeError, lambda x: x.scatter_reduce(0, torch.tensor([[0]]), x, "median"), "reduce argument"),
    (IndexError, lambda x: x.take(torch.tensor([12])), "out of bounds"),
    (RuntimeError, lambda x: x.masked_fill(torch.ones(3, 4), 0), "boolean mask"),
    (RuntimeError, lambda x: x.masked_scatter(x > -1, torch.ones(2)), "number of ones"),
    (RuntimeError, lambda x: torch.where(torch.ones(2), x, x), "boolean"),
    (RuntimeError, lambda x: torch.where(x > 0, x, torch.ones(3)), "must match"),
])  # fmt: skip
def test_errors(error, call, words):
    with pytest.raises(error, match=words):
        call(torch.ones(3, 4))
