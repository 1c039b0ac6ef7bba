"""Formulas with options, choices, sums of squares and copies as fused loops give what NumPy gives."""

import numpy as np
import pytest

from flambeau.kernels import elementwise

RNG = np.random.default_rng(0)
SHAPE = (57, 2999)  # large enough for every function here, and odd


def _normal(dtype):
    x = RNG.standard_normal(SHAPE).astype(dtype)
    x[0, :4] = np.inf, -np.inf, np.nan, -0.0
    return x


def _bent(x, low, slope=0.5):
    return np.where(x > x.dtype.type(low), x, np.logaddexp(x, x.dtype.type(0)) * x.dtype.type(slope))


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x.T, lambda x: x[::-2, 1::2]])
def test_options_are_part_of_the_loop(dtype, view):
    x, compute = view(_normal(dtype)), elementwise.mapped(_bent)
    for low, options in ((0.0, {}), (1.0, {"slope": 2.0}), (0.0, {})):
        found = compute(x, low, **options)
        assert found.dtype == x.dtype
        np.testing.assert_allclose(found, _bent(x, low, **options), 1e-5 if dtype == "f4" else 1e-12)


def test_summed():
    x = RNG.standard_normal(SHAPE)
    total = elementwise.mapped(lambda x, y, p: np.abs(x - y) * x.dtype.type(p), summed=True)
    np.testing.assert_allclose(total(x, x[:, ::-1], 3.0), np.sum(np.abs(x - x[:, ::-1])) * 3, 1e-12)
    assert total(x[:0], x[:0], 3.0) == 0


def test_options_that_keep_changing_do_not_pile_up():
    calls = []

    def scaled(x, by):
        calls.append(by)
        return x * x.dtype.type(by)

    compute, x = elementwise.mapped(scaled), np.ones(5000, np.float32)
    for by in range(100):
        assert compute(x, float(by))[0] == by
    assert len(calls) == 100
    assert compute(x, 99.0)[7] == 99


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "i4", "u1", "?"])
def test_chosen(dtype):
    a, b = (RNG.integers(0, 2, SHAPE).astype(dtype) for _ in range(2))
    mask = RNG.random(SHAPE) < 0.5
    for m, x, y in ((mask, a, b), (mask[:1], a, b), (mask, a[0], b[:, :1]), (mask, np.zeros((), dtype), b.T[::-1].T)):
        np.testing.assert_array_equal(elementwise.chosen(m, x, y), np.where(m, x, y))


@pytest.mark.parametrize("axes", [None, (0,), (1,), (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_squares(axes, keepdims):
    x = RNG.standard_normal(SHAPE).astype(np.float32)
    wanted = np.add.reduce(x.astype(float) ** 2, axes, keepdims=keepdims)
    found = elementwise.squares(x, axes, keepdims)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, 1e-5)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "?", "c8"])
def test_store_and_copy(dtype):
    x = RNG.integers(0, 2, (61, 5003)).astype(dtype)
    for source in (x, x.T, x[:, ::-1], x[::2, ::1][:29]):
        target = np.zeros(source.shape, dtype, order="F")
        elementwise.store(target, source)
        np.testing.assert_array_equal(target, source)
        for order in "CK":
            made = elementwise.copied(source, order)
            np.testing.assert_array_equal(made, source)
            assert made.strides == source.copy(order=order).strides
    moved = x.copy()
    elementwise.store(moved[1:], moved[:-1])  # they overlap
    np.testing.assert_array_equal(moved[1:], x[:-1])
    x.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        elementwise.store(x, moved)
