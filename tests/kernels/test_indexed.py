"""Rows by number: bounds checks, gathers and sums, against NumPy; bad numbers touch nothing."""

import numpy as np
import pytest

from flambeau.kernels import build, fused, indexed

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
BAD = np.array([0, -1, 4, 2**62, -(2**62)])


@pytest.fixture(autouse=True)
def every_size(monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)


@pytest.fixture(params=[np.float32, np.float64])
def normal(request):
    rng = np.random.default_rng(0)
    return lambda *shape: rng.standard_normal(shape).astype(request.param)


def guarded(*shape, dtype=np.float32):
    """An array between two runs of a number that a stray write would change."""
    size = int(np.prod(shape))
    memory = np.full(size + 128, 7, dtype)
    return memory, memory[64 : 64 + size].reshape(shape)


# ---------------------------------------------------------------------- checks


@pytest.mark.parametrize("n", [1, 7, 1000, 3 * indexed._BLOCK + 5])
def test_first_outside(n):
    index = np.random.default_rng(n).integers(0, 10, n)
    assert indexed.first_outside(index, 0, 10) == -1
    assert indexed.first_outside(index, 0, 9, skip=9) == -1
    for place in {0, n // 2, n - 1}:
        for value in (-1, 10, 2**62, -(2**63)):
            wrong = index.copy()
            wrong[place:] = value
            assert indexed.first_outside(wrong, 0, 10) == place
            assert indexed.first_outside(wrong, 0, 10, skip=value) == -1
            assert indexed.first_outside(wrong, 0, 10, skip=-100) == place


def test_first_outside_of_any_layout_and_dtype():
    index = np.arange(12).reshape(3, 4)
    assert indexed.first_outside(index.T, 0, 11) == 11
    assert indexed.first_outside(index[:, ::-1], 0, 11) == 8
    assert indexed.first_outside(index.astype(np.int32), 0, 10) == 10
    assert indexed.first_outside(np.zeros(0, np.int64), 0, 0) == -1
    assert indexed.first_outside(index, -12, 12, skip=2**70) == -1


# ---------------------------------------------------------------------- rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_take_rows(dtype, axis):
    rng = np.random.default_rng(1)
    x = rng.integers(-100, 100, (5, 7, 3)).astype(dtype)
    index = rng.integers(0, x.shape[axis], (2, 9))
    assert np.array_equal(indexed.take_rows(x, index, axis), np.take(x, index, axis))
    assert np.array_equal(indexed.take_rows(x, index.T, axis), np.take(x, index.T, axis))


def test_take_rows_leaves_other_layouts_to_numpy(normal):
    x = normal(4, 6)
    assert indexed.take_rows(x.T, np.array([0]), 0) is None
    assert indexed.take_rows(x, np.array([0], np.int32), 0) is None


@pytest.mark.parametrize("count, n, width", [(1, 1, 1), (50, 100, 130), (50, 100, 3), (3, 1000, 17), (5000, 7, 64)])
@pytest.mark.parametrize("skip", [None, 0])
@pytest.mark.parametrize("mean", [False, True])
def test_sum_rows(normal, count, n, width, skip, mean):
    index = np.random.default_rng(0).integers(0, count, n)
    g = normal(n, width)
    expected = np.zeros((count, width))
    np.add.at(expected, index, g.astype(np.float64))
    if mean:
        expected /= np.maximum(np.bincount(index, minlength=count), 1)[:, None]
    if skip is not None:
        expected[skip] = 0
    made = indexed.sum_rows(g, index, count, skip, mean)
    assert np.abs(made - expected).max() <= 1e-5 * max(1, np.abs(expected).max())
    assert made.tobytes() == indexed.sum_rows(g, index, count, skip, mean).tobytes()


def test_sum_rows_keeps_the_order_of_places():
    g = np.array([[1e8], [1.0], [-1e8], [1.0]], np.float32)
    made = indexed.sum_rows(g, np.array([1, 1, 1, 1]), 2)
    total = np.float32(0)
    for v in g[:, 0]:
        total = np.float32(total + v)
    assert made[1, 0] == total and made[0, 0] == 0


def test_bad_numbers_touch_nothing():
    x = np.ones((4, 2000), np.float32)
    memory, y = guarded(5, 2000)
    assert indexed.gather_rows.get("f4")(x, BAD, y, 1, 4, 2000, 5)
    assert (y[0] == 1).all() and (memory[64 + 2000 :] == 7).all() and (memory[:64] == 7).all()
    table = indexed.sum_rows(np.ones((5, 2000), np.float32), BAD, 4)
    assert (table[0] == 1).all() and (table[1:] == 0).all()


def test_wrong_groups_touch_nothing():
    memory, table = guarded(3, 4)
    g, order = np.ones((2, 4), np.float32), np.array([5, -(2**60)])
    starts = np.array([0, 2**60, -5, 3, 0])
    assert indexed.sum_groups.get("f4", mean=False)(g, starts, order, table, 2, 4, 3, 5, 3)
    assert (memory[:64] == 7).all() and (memory[-64:] == 7).all()


# ---------------------------------------------------------------------- along one dimension

DTYPES = [np.float32, np.float64, np.int64, np.int32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape, rows", [((9,), 20), ((5, 4), 7), ((3, 6, 130), 2), ((2, 3, 4, 5), 3)])
def test_along_every_axis(dtype, shape, rows):
    rng = np.random.default_rng(2)
    for axis, count in enumerate(shape):
        x = rng.integers(-100, 100, shape).astype(dtype)
        index = rng.integers(0, count, shape[:axis] + (rows,) + shape[axis + 1 :])
        src = rng.integers(-100, 100, index.shape).astype(dtype)
        places = [np.broadcast_to(p, index.shape) for p in np.ogrid[tuple(slice(n) for n in index.shape)]]
        places[axis] = index
        assert np.array_equal(indexed.take_along(x, index, axis), np.take_along_axis(x, index, axis))
        added, put = x.copy(), x.copy()
        np.add.at(added, tuple(places), src)
        for place in np.ndindex(*index.shape):  # the last one stays
            put[tuple(p[place] for p in places)] = src[place]
        assert np.array_equal(indexed.put_along(x, src, index, axis, True), added)
        assert np.array_equal(indexed.put_along(x, src, index, axis, False), put)
        numbers = rng.integers(0, count, rows)
        summed = x.copy()
        np.add.at(summed, (slice(None),) * axis + (numbers,), src)
        assert np.array_equal(indexed.add_slices(x, src, numbers, axis), summed)
        assert np.array_equal(indexed.add_slices(x[::-1], src, numbers, axis)[::-1], indexed.add_slices(
            np.ascontiguousarray(x[::-1]), src, numbers, axis)[::-1])  # fmt: skip


def test_bad_places_touch_nothing():
    x, src = np.ones((4, 3), np.float32), np.full((5, 3), 2, np.float32)
    index = np.repeat(BAD[:, None], 3, 1)
    memory, y = guarded(5, 3)
    assert indexed.pick.get("f4")(x, index, y, 1, 4, 5, 3)
    assert (y[0] == 1).all() and (y[1:] == 7).all() and (memory[:64] == 7).all() and (memory[79:] == 7).all()
    for add in (False, True):
        for slices, numbers in ((False, index), (True, BAD)):
            memory, y = guarded(4, 3)
            f = indexed.place.get("f4", add=add, slices=slices)
            assert f(x, src, numbers, y, 1, 4, 5, 3, numbers.size, 1, 1)
            assert (y[0] == 2 + add).all() and (y[1:] == 1).all()
            assert (memory[:64] == 7).all() and (memory[76:] == 7).all()
