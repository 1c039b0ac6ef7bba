"""Views, copies in another arrangement, memory formats: shapes and values against NumPy, shared memory, gradients."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck, gradgradcheck


def grid(*shape, grad=False):
    t = torch.from_numpy(np.arange(float(np.prod(shape))).reshape(shape))
    return t.requires_grad_() if grad else t


X = np.arange(24.0).reshape(2, 3, 4)

SAME_AS_NUMPY = {
    "reshape": (lambda x: x.reshape(4, -1), lambda a: a.reshape(4, -1)),
    "view": (lambda x: x.view(6, 4), lambda a: a.reshape(6, 4)),
    "flatten": (lambda x: x.flatten(1), lambda a: a.reshape(2, 12)),
    "unflatten": (lambda x: x.unflatten(2, (2, -1)), lambda a: a.reshape(2, 3, 2, 2)),
    "ravel": (lambda x: x.ravel(), lambda a: a.ravel()),
    "permute": (lambda x: x.permute(2, 0, 1), lambda a: a.transpose(2, 0, 1)),
    "transpose": (lambda x: x.transpose(0, -1), lambda a: a.swapaxes(0, 2)),
    "mT": (lambda x: x.mT, lambda a: a.swapaxes(1, 2)),
    "movedim": (lambda x: torch.movedim(x, 0, -1), lambda a: np.moveaxis(a, 0, -1)),
    "movedim several": (lambda x: x.movedim((0, 1), (2, 0)), lambda a: np.moveaxis(a, (0, 1), (2, 0))),
    "unsqueeze": (lambda x: x.unsqueeze(-2), lambda a: a[:, :, None]),
    "squeeze": (lambda x: x[:1].squeeze(), lambda a: a[0]),
    "expand": (lambda x: x[:, :1].expand(2, 5, -1), lambda a: np.broadcast_to(a[:, :1], (2, 5, 4))),
    "broadcast_to": (lambda x: torch.broadcast_to(x, (5, 2, 3, 4)), lambda a: np.broadcast_to(a, (5, 2, 3, 4))),
    "narrow": (lambda x: x.narrow(2, -3, 2), lambda a: a[:, :, 1:3]),
    "select": (lambda x: x.select(1, -1), lambda a: a[:, -1]),
    "diagonal": (lambda x: x.diagonal(1, 1, 2), lambda a: np.diagonal(a, 1, 1, 2)),
    "diagonal outside": (lambda x: x.diagonal(9, 1, 2), lambda a: np.zeros((2, 0))),
    "unfold": (lambda x: x.unfold(2, 2, 1), lambda a: np.stack([a[..., 0:2], a[..., 1:3], a[..., 2:4]], -2)),
    "flip": (lambda x: x.flip(0, 2), lambda a: np.flip(a, (0, 2))),
    "fliplr": (lambda x: x.fliplr(), lambda a: np.fliplr(a)),
    "flipud": (lambda x: x.flipud(), lambda a: np.flipud(a)),
    "roll": (lambda x: x.roll((1, -1), (0, 2)), lambda a: np.roll(a, (1, -1), (0, 2))),
    "roll flat": (lambda x: x.roll(5), lambda a: np.roll(a, 5)),
    "rot90": (lambda x: x.rot90(1, (1, 2)), lambda a: np.rot90(a, 1, (1, 2))),
    "rot90 back": (lambda x: x.rot90(-1, (0, 1)), lambda a: np.rot90(a, -1, (0, 1))),
    "repeat": (lambda x: x.repeat(2, 1, 1, 3), lambda a: np.tile(a, (2, 1, 1, 3))),
    "tile": (lambda x: x.tile(2), lambda a: np.tile(a, 2)),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, 1), lambda a: np.repeat(a, 2, 1)),
    "repeat_interleave counts": (
        lambda x: x.repeat_interleave(torch.tensor([1, 0, 3]), 1), lambda a: np.repeat(a, [1, 0, 3], 1)),
    "tril": (lambda x: x.tril(-1), lambda a: np.tril(a, -1)),
    "triu": (lambda x: x.triu(1), lambda a: np.triu(a, 1)),
    "diag_embed": (lambda x: x[0, 0].diag_embed(), lambda a: np.diag(a[0, 0])),
    "diag": (lambda x: x[0].diag(1), lambda a: np.diag(a[0], 1)),
    "diagflat": (lambda x: x[0, :2].diagflat(), lambda a: np.diagflat(a[0, :2])),
    "kron": (lambda x: torch.kron(x[0], x[1]), lambda a: np.kron(a[0], a[1])),
    "block_diag": (
        lambda x: torch.block_diag(x[0, :1, :2], x[0, 0, :1]), lambda a: np.array([[0.0, 1, 0], [0, 0, 0]])),
    "atleast_3d": (lambda x: torch.atleast_3d(x[0]), lambda a: np.atleast_3d(a[0])),
    "slice_scatter": (lambda x: x.slice_scatter(x[:, :1] * 0, 1, 1, 2), lambda a: a * np.array([1, 0, 1])[:, None]),
    "select_scatter": (lambda x: x.select_scatter(x[0] * 0, 0, 1), lambda a: a * np.array([1, 0])[:, None, None]),
    "diagonal_scatter": (
        lambda x: x[0].diagonal_scatter(x[0, 0, :3] * 0), lambda a: a[0] * (1 - np.eye(3, 4))),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME_AS_NUMPY)
def test_values_and_gradients(name):
    f, reference = SAME_AS_NUMPY[name]
    x = torch.from_numpy(X.copy()).requires_grad_()
    expected = reference(X)
    assert f(x).shape == expected.shape
    assert np.array_equal(f(x).detach().numpy(), expected)
    if expected.size:
        assert gradcheck(f, (x,))
        assert gradgradcheck(f, (x,))


@pytest.mark.parametrize("view", [
    lambda x: x.view(-1), lambda x: x.t(), lambda x: x[1], lambda x: x[:, 1:], lambda x: x.diagonal(),
    lambda x: x.unfold(0, 2, 1), lambda x: x.as_strided((2,), (3,)), lambda x: x.expand(2, 3, 3)[1],
    lambda x: x.split(2)[0], lambda x: x.unbind(1)[2], lambda x: x.movedim(0, 1), lambda x: x.unsqueeze(0),
])  # fmt: skip
def test_views_share_memory_and_version(view):
    x = grid(3, 3)
    v = view(x)
    assert v._is_view() and v._version == 0
    x.mul_(2)
    assert v._version == 1
    assert np.array_equal(v.numpy(), view(grid(3, 3) * 2).numpy())


def test_writing_to_a_view_reaches_the_base_and_its_gradient():
    w = torch.ones(3, requires_grad=True)
    x = grid(2, 3, grad=True)
    y = x * 1
    y[1].copy_(w * 5)
    y.t()[0].mul_(2)
    y.sum().backward()
    assert x.grad.tolist() == [[2, 1, 1], [0, 0, 0]]
    assert w.grad.tolist() == [10, 5, 5]


def test_reshape_copies_only_when_it_must():
    x = grid(2, 3)
    assert x.reshape(6)._is_view()
    assert not x.t().reshape(6)._is_view()
    with pytest.raises(RuntimeError, match="view size is not compatible"):
        x.t().view(6)


def test_geometry():
    x = grid(2, 3, 4)
    assert x.stride() == (12, 4, 1)
    assert x.transpose(0, 2).stride() == (1, 4, 12)
    assert x[1, 1:].storage_offset() == 16
    assert not x.transpose(0, 1).is_contiguous() and x.transpose(0, 1).contiguous().is_contiguous()
    assert x.as_strided((2, 2), (1, 2), 3).tolist() == [[3, 5], [4, 6]]
    with pytest.raises(RuntimeError, match="out of bounds for storage"):
        x.as_strided((30,), (1,))


def test_as_strided_gradient_counts_overlap():
    x = grid(4, grad=True)
    x.as_strided((3, 2), (1, 1)).sum().backward()
    assert x.grad.tolist() == [1, 2, 2, 1]


def test_channels_last():
    x = grid(2, 3, 4, 5)
    y = x.contiguous(memory_format=torch.channels_last)
    assert y.stride() == (60, 1, 15, 3) and y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, y) and y.clone().stride() == y.stride()
    assert x.to(memory_format=torch.channels_last).stride() == y.stride()


def test_geometry_in_place():
    x = grid(1, 2, 3)
    assert x.squeeze_().shape == (2, 3) and x.t_().shape == (3, 2) and x.unsqueeze_(1).shape == (3, 1, 2)
    assert x.transpose_(0, 2).shape == (2, 1, 3)
    assert x.resize_(4).shape == (4,)


def test_grids():
    a, b = torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4, 5]), indexing="xy")
    assert a.tolist() == [[1, 2], [1, 2], [1, 2]] and b.tolist() == [[3, 3], [4, 4], [5, 5]]
    assert torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4])).tolist() == [[1, 3], [1, 4], [2, 3], [2, 4]]
    assert torch.combinations(torch.tensor([1, 2, 3])).tolist() == [[1, 2], [1, 3], [2, 3]]
    assert torch.broadcast_shapes((2, 1), (3,)) == (2, 3)


def test_fill_diagonal_and_pad():
    assert torch.zeros(3, 2).fill_diagonal_(1).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert torch.constant_pad_nd(torch.ones(2), (1, 2), 5).tolist() == [5, 1, 1, 5, 5]


def test_views_of_dtypes():
    x = torch.tensor([1.0, 2.0])
    assert x.view(torch.int32).tolist() == [1065353216, 1073741824]
    assert x.view(torch.uint8).shape == (8,) and x.view(torch.uint8).view(torch.float32).tolist() == [1, 2]


@pytest.mark.parametrize("error, call, words", [
    (RuntimeError, lambda x: x.view(5, 5), "invalid for input of size 6"),
    (RuntimeError, lambda x: x.reshape(-1, -1), "only one dimension can be inferred"),
    (IndexError, lambda x: x.unsqueeze(5), "Dimension out of range"),
    (IndexError, lambda x: x.transpose(0, 2), "Dimension out of range"),
    (RuntimeError, lambda x: x.permute(0), "does not match"),
    (RuntimeError, lambda x: x.permute(0, 0), "duplicate"),
    (RuntimeError, lambda x: x.expand(2, 4), "must match the existing size"),
    (RuntimeError, lambda x: x.narrow(0, 1, 5), "exceeds dimension size"),
    (RuntimeError, lambda x: x.unfold(0, 9, 1), "maximum size"),
    (RuntimeError, lambda x: x.repeat(2), "can not be smaller"),
    (RuntimeError, lambda x: x.flip(0, 0), "appears multiple times"),
    (RuntimeError, lambda x: x[0].tril(), "at least 2 dimensions"),
    (RuntimeError, lambda x: x.expand(3, 2, 3).add_(1), "single memory location"),
])  # fmt: skip
def test_errors(error, call, words):
    with pytest.raises(error, match=words):
        call(grid(2, 3))
