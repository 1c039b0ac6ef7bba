"""Reductions, scans and statistics: values against NumPy, dtypes, gradients at ties, zeros and infinities."""

import math

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck, gradgradcheck

DATA = np.random.default_rng(0).normal(size=(3, 4, 2))
X = torch.from_numpy(DATA).requires_grad_()
Z = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 2)) + 1j).requires_grad_()
INF, NAN = float("inf"), float("nan")

REDUCTIONS = {
    "sum": (lambda x: x.sum(), lambda a: a.sum()),
    "sum dims": (lambda x: x.sum((0, -1), keepdim=True), lambda a: a.sum((0, -1), keepdims=True)),
    "mean": (lambda x: x.mean(1), lambda a: a.mean(1)),
    "prod": (lambda x: x.prod(), lambda a: a.prod()),
    "prod dim": (lambda x: x.prod(1, True), lambda a: a.prod(1, keepdims=True)),
    "amax": (lambda x: x.amax((0, 2)), lambda a: a.max((0, 2))),
    "amin": (lambda x: x.amin(1), lambda a: a.min(1)),
    "aminmax": (lambda x: torch.stack(list(x.aminmax(dim=0))), lambda a: np.stack([a.min(0), a.max(0)])),
    "max": (lambda x: x.max(), lambda a: a.max()),
    "max dim": (lambda x: x.max(1).values, lambda a: a.max(1)),
    "min dim": (lambda x: x.min(dim=-1, keepdim=True)[0], lambda a: a.min(-1, keepdims=True)),
    "var": (lambda x: x.var(), lambda a: a.var(ddof=1)),
    "var correction": (lambda x: x.var(1, correction=0), lambda a: a.var(1)),
    "std": (lambda x: x.std((0, 1), unbiased=False), lambda a: a.std((0, 1))),
    "std_mean": (lambda x: torch.stack(list(torch.std_mean(x, 1))), lambda a: np.stack([a.std(1, ddof=1), a.mean(1)])),
    "logsumexp": (lambda x: x.logsumexp((0, 1)), lambda a: np.log(np.exp(a).sum((0, 1)))),
    "norm": (lambda x: x.norm(), lambda a: np.sqrt((a * a).sum())),
    "norm 3": (lambda x: x.norm(3, 1), lambda a: (np.abs(a) ** 3).sum(1) ** (1 / 3)),
    "median": (lambda x: x.median(1).values, lambda a: np.sort(a, 1)[:, 1]),
    "kthvalue": (lambda x: x.kthvalue(3, 1).values, lambda a: np.sort(a, 1)[:, 2]),
    "quantile": (lambda x: x.quantile(torch.tensor([0.1, 0.7], dtype=torch.float64), 1),
                 lambda a: np.quantile(a, [0.1, 0.7], axis=1)),
    "nansum": (lambda x: x.nansum(0), lambda a: a.sum(0)),
    "nanmean": (lambda x: x.nanmean(0), lambda a: a.mean(0)),
    "cumsum": (lambda x: x.cumsum(1), lambda a: a.cumsum(1)),
    "cumprod": (lambda x: x.cumprod(1), lambda a: a.cumprod(1)),
    "cummax": (lambda x: x.cummax(1).values, lambda a: np.maximum.accumulate(a, 1)),
    "cummin": (lambda x: x.cummin(1).values, lambda a: np.minimum.accumulate(a, 1)),
    "logcumsumexp": (lambda x: x.logcumsumexp(1), lambda a: np.log(np.exp(a).cumsum(1))),
    "diff": (lambda x: x.diff(n=2, dim=1), lambda a: np.diff(a, 2, 1)),
    "trapezoid": (lambda x: torch.trapezoid(x, dx=0.5, dim=1), lambda a: np.trapezoid(a, dx=0.5, axis=1)),
    "cumulative_trapezoid": (lambda x: torch.cumulative_trapezoid(x[0, :, 0]),
                             lambda a: np.cumsum((a[0, 1:, 0] + a[0, :-1, 0]) / 2)),
    "gradient": (lambda x: torch.gradient(x, spacing=2.0, dim=1, edge_order=2)[0],
                 lambda a: np.gradient(a, 2.0, axis=1, edge_order=2)),
    "cov": (lambda x: x[0].cov(), lambda a: np.cov(a[0])),
    "renorm": (lambda x: x.renorm(2, 0, 1.0), lambda a: a * np.minimum(
        1, 1 / (np.sqrt((a * a).sum((1, 2), keepdims=True)) + 1e-7))),
}  # fmt: skip


@pytest.mark.parametrize("name", REDUCTIONS)
def test_values_and_gradients(name):
    f, reference = REDUCTIONS[name]
    got, expected = f(X).detach().numpy(), reference(DATA)
    assert got.shape == np.shape(expected)
    np.testing.assert_allclose(got, expected, rtol=1e-10)
    assert gradcheck(f, (X,))
    assert gradgradcheck(f, (X,))


@pytest.mark.parametrize("f", [
    lambda z: z.sum(0), lambda z: z.mean(), lambda z: z.prod(), lambda z: z.var(), lambda z: z.std(0),
    lambda z: z.norm(),
    lambda z: z.cumsum(0), lambda z: z.cumprod(0), lambda z: z.logsumexp(0), lambda z: z.logcumsumexp(0),
])  # fmt: skip
def test_complex_gradients(f):
    assert gradcheck(f, (Z,)) and gradgradcheck(f, (Z,))


def test_dtypes_of_results():
    i = torch.ones(3, dtype=torch.int32)
    assert i.sum().dtype is torch.int64 and i.cumsum(0).dtype is torch.int64 and (i > 0).sum().item() == 3
    assert i.sum(dtype=torch.float32).dtype is torch.float32
    assert torch.ones(3, dtype=torch.uint8).all().dtype is torch.uint8 and i.any().dtype is torch.bool
    half = torch.full((4096,), 0.1).half()
    assert half.sum().dtype is torch.float16 and abs(half.sum().item() - 409.4) < 0.5  # added up in float32
    for call in (lambda: i.mean(), lambda: i.std(), lambda: torch.median(i > 0)):
        with pytest.raises(RuntimeError):
            call()


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("f, x, expected", [
    (lambda x: x.amax(), (1.0, 3.0, 3.0), [0, 0.5, 0.5]),  # ties share
    (lambda x: x.max(), (3.0, 3.0), [0.5, 0.5]),
    (lambda x: x.max(0).values, (3.0, 3.0), [1, 0]),  # the position's element takes all
    (lambda x: x.prod(), (2.0, 0.0, 3.0), [0, 6, 0]),
    (lambda x: x.prod(), (0.0, 0.0, 3.0), [0, 0, 0]),
    (lambda x: x.cumprod(0).sum(), (2.0, 0.0, 3.0), [1, 2 + 6, 0]),
    (lambda x: x.norm(), (0.0, 0.0), [0, 0]),
    (lambda x: x.std(), (2.0, 2.0), [0, 0]),
    (lambda x: x.logsumexp(0), (-INF, 0.0), [0, 1]),
    (lambda x: x.nansum(), (NAN, 1.0), [0, 1]),
    (lambda x: x.sum(), (), []),
])  # fmt: skip
def test_gradients_at_edges(f, x, expected):
    x = tensor(*x)
    f(x).backward()
    assert x.grad.tolist() == expected


def test_nan_and_infinity():
    x = torch.tensor([1.0, NAN, 3.0])
    assert math.isnan(x.max()) and x.argmax().item() == 1 and x.max(0).indices.item() == 1
    assert math.isnan(x.median()) and x.nanmedian().item() == 1
    assert torch.tensor([-INF, -INF]).logsumexp(0).item() == -INF
    assert torch.tensor([1000.0, 1000.0]).logsumexp(0).item() == pytest.approx(1000 + math.log(2))
    assert x.cummax(0).indices.tolist() == [0, 1, 1]
    assert torch.tensor([1.0]).var().isnan() and torch.empty(0).mean().isnan()
    assert torch.empty(0, 3).sum(0).tolist() == [0, 0, 0] and torch.empty(0).prod().item() == 1


def test_positions_and_counts():
    x = torch.tensor([[1, 5, 5], [7, 0, 7]])
    assert x.argmax().item() == 3 and x.argmax(1).tolist() == [1, 0]
    assert x.argmin(0, keepdim=True).tolist() == [[0, 1, 0]]
    assert x.count_nonzero(1).tolist() == [3, 2] and x.all().item() is False and x.any(0).tolist() == [True] * 3
    assert torch.bincount(torch.tensor([1, 1, 3]), minlength=5).tolist() == [0, 2, 0, 1, 0]
    assert torch.histc(torch.tensor([1.0, 2, 1]), bins=4, min=0, max=3).tolist() == [0, 2, 1, 0]
    hist, edges = torch.histogram(torch.tensor([1.0, 2, 1]), 2, range=(0.0, 3.0))
    assert hist.tolist() == [2, 1] and edges.tolist() == [0, 1.5, 3]
    assert x.max(1)._fields == ("values", "indices") and "torch.return_types.max(" in repr(x.max(1))


def test_other_forms():
    x = torch.tensor([[3.0, 1.0], [2.0, 4.0]])
    assert torch.max(x, torch.tensor(2.5)).tolist() == [[3, 2.5], [2.5, 4]]
    assert x.sum(axis=0, keepdims=True).tolist() == [[5, 5]]
    values, indices = torch.empty(2), torch.empty(2, dtype=torch.int64)
    torch.max(x, 1, out=(values, indices))
    assert values.tolist() == [3, 4] and indices.tolist() == [0, 1]
    assert x.var(False).item() == 1.25 and x.std(0, False).tolist() == [0.5, 1.5]
    y = x.clone()
    assert y.cumsum_(0) is y and y.tolist() == [[3, 1], [5, 5]]


@pytest.mark.parametrize("error, call, words", [
    (IndexError, lambda x: x.sum(2), "Dimension out of range"),
    (RuntimeError, lambda x: x.sum((0, 0)), "appears multiple times"),
    (RuntimeError, lambda x: torch.empty(0).max(), "reduction dim"),
    (IndexError, lambda x: torch.empty(0, 2).max(0), "non-zero size"),
    (IndexError, lambda x: torch.empty(0).argmax(), "reduction dim"),
    (RuntimeError, lambda x: x.kthvalue(5), "out of range"),
    (RuntimeError, lambda x: x.quantile(1.5), "range"),
    (RuntimeError, lambda x: torch.bincount(torch.tensor([-1])), "non-negative"),
    (RuntimeError, lambda x: x.sum(0, out=torch.empty(2, requires_grad=True)), "automatic differentiation"),
])  # fmt: skip
def test_errors(error, call, words):
    with pytest.raises(error, match=words):
        call(torch.ones(2, 2))


@pytest.mark.parametrize("f, shape", [
    (lambda x: x.sort(1)[1], (2, 3)), (lambda x: x.topk(2)[0], (2, 2)), (lambda x: x.max(0).values, (3,)),
    (lambda x: x.argmax(), ()), (lambda x: x.logsumexp(1), (2,)), (lambda x: x.std(0), (3,)), (lambda x: x.norm(), ()),
    (lambda x: x.cummax(0)[0], (2, 3)), (lambda x: torch.linalg.inv(x @ x.mT), (2, 2)),
    (lambda x: torch.linalg.svd(x)[2], (3, 3)), (lambda x: x.gather(1, x.argmax(1, True)), (2, 1)),
    (lambda x: torch.cat([x, x]).view(-1)[2:5], (3,)), (lambda x: torch.fft.rfft(x), (2, 2)),
])  # fmt: skip
def test_meta_tensors_have_shapes_only(f, shape):
    made = f(torch.ones(2, 3).to("meta"))
    assert made.shape == shape and made.device.type == "meta"
