"""cat, stack and their kin; split, chunk, unbind: values, dtypes, views, gradients, errors."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck, gradgradcheck

A = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3))).requires_grad_()
B = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3))).requires_grad_()

JOINED = {
    "cat": (lambda a, b: torch.cat((a, b)), lambda a, b: np.concatenate((a, b))),
    "cat last": (lambda a, b: torch.concat([a, b, a], -1), lambda a, b: np.concatenate((a, b, a), -1)),
    "stack": (lambda a, b: torch.stack([a, b], 1), lambda a, b: np.stack((a, b), 1)),
    "hstack": (lambda a, b: torch.hstack([a, b]), lambda a, b: np.hstack((a, b))),
    "vstack": (lambda a, b: torch.vstack([a[0], b[1]]), lambda a, b: np.vstack((a[0], b[1]))),
    "dstack": (lambda a, b: torch.dstack([a, b]), lambda a, b: np.dstack((a, b))),
    "column_stack": (lambda a, b: torch.column_stack([a[:, 0], b]), lambda a, b: np.column_stack((a[:, 0], b))),
}


@pytest.mark.parametrize("name", JOINED)
def test_joining(name):
    f, reference = JOINED[name]
    assert np.array_equal(f(A, B).detach().numpy(), reference(A.detach().numpy(), B.detach().numpy()))
    assert gradcheck(f, (A, B)) and gradgradcheck(f, (A, B))


def test_dtypes_are_promoted():
    assert torch.cat([torch.ones(1, dtype=torch.int64), torch.ones(1)]).dtype is torch.float32
    assert torch.stack([torch.tensor(1), torch.tensor(2.0)]).dtype is torch.float32
    assert torch.cat([torch.ones(2, 3), torch.ones(0)]).shape == (2, 3)  # empty vectors join anything


def pieces(made):
    return [t.tolist() for t in made]


def test_splitting():
    x = torch.arange(7)
    assert pieces(x.split(3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert pieces(x.split([2, 5])) == [[0, 1], [2, 3, 4, 5, 6]]
    assert pieces(x.chunk(3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert pieces(x.tensor_split(3)) == [[0, 1, 2], [3, 4], [5, 6]]
    assert pieces(x.tensor_split((2, 9))) == [[0, 1], [2, 3, 4, 5, 6], []]
    assert pieces(x.view(1, 7).unbind(1)) == [[i] for i in range(7)]
    assert pieces(torch.hsplit(torch.arange(4), 2)) == [[0, 1], [2, 3]]
    a, *_, z = x
    assert (a.item(), z.item()) == (0, 6)


@pytest.mark.parametrize("f", [
    lambda a: a.split(2, 1), lambda a: a.split(2, 1)[0], lambda a: a.unbind(0)[1], lambda a: a.chunk(2, 1)[1],
    lambda a: a.tensor_split((1, 2), 1)[1], lambda a: torch.stack(a.unbind(1)[::-1]), lambda a: a.split(5)[0],
])  # fmt: skip
def test_gradients_of_pieces(f):
    assert gradcheck(f, (A,)) and gradgradcheck(f, (A,))


@pytest.mark.parametrize("error, call, words", [
    (ValueError, lambda: torch.cat([]), "non-empty"),
    (TypeError, lambda: torch.cat([torch.ones(1), 2]), "expected Tensor as element 1"),
    (TypeError, lambda: torch.cat(torch.ones(2)), "must be tuple of Tensors"),
    (RuntimeError, lambda: torch.cat([torch.ones(2, 3), torch.ones(2, 4)]), "Expected size 3 but got size 4 for "
                                                                            "tensor number 1"),
    (RuntimeError, lambda: torch.cat([torch.tensor(1.0)]), "zero-dimensional"),
    (IndexError, lambda: torch.cat([torch.ones(2)], 1), "Dimension out of range"),
    (RuntimeError, lambda: torch.stack([torch.ones(2), torch.ones(3)]), "equal size"),
    (RuntimeError, lambda: torch.ones(4).split([1, 2]), "sum exactly to 4"),
    (RuntimeError, lambda: torch.ones(4).chunk(0), "greater than 0"),
    (RuntimeError, lambda: torch.tensor(1.0).split(1), "at least a 1-dimensional"),
    (RuntimeError, lambda: torch.ones(5).hsplit(2), "not divisible"),
])  # fmt: skip
def test_errors(error, call, words):
    with pytest.raises(error, match=words):
        call()
