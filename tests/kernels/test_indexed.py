"""Rows by number: bounds checks, gathers and sums, against NumPy; bad numbers touch nothing."""

import numpy as np
import pytest

from flambeau.kernels import build, fused, indexed

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
BAD = np.array([0, -5, 4, 2**62, -(2**62)])


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
    assert indexed.sum_groups.get("f4", ("base",), mean=False)(g, starts, order, table, 2, 4, 3, 5, 3)
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
        assert same(indexed.take_along(x, index, axis), np.take_along_axis(x, index, axis))
        added, put = x.copy(), x.copy()
        np.add.at(added, tuple(places), src)
        for place in np.ndindex(*index.shape):  # the last one stays
            put[tuple(p[place] for p in places)] = src[place]
        assert same(indexed.put_along(x, src, index, axis, True), added)
        assert same(indexed.put_along(x, src, index, axis, False), put)
        numbers = rng.integers(0, count, rows)
        assert same(indexed.take_slices(x, numbers, axis), np.take(x, numbers, axis))
        summed = x.copy()
        np.add.at(summed, (slice(None),) * axis + (numbers,), src)
        assert same(indexed.add_slices(x, src, numbers, axis), summed)
        assert same(indexed.add_slices(x[::-1], src, numbers, axis),
                    indexed.add_slices(np.ascontiguousarray(x[::-1]), src, numbers, axis)[0])  # fmt: skip


def same(made, expected):
    found, bad = made
    return bad == -1 and found.dtype == expected.dtype and np.array_equal(found, expected)


@pytest.mark.parametrize("shape", [(4,), (4, 3), (40, 500)])
@pytest.mark.parametrize("value", [-1, 4000, 2**62, -(2**62)])
def test_the_first_bad_place_is_told(shape, value):
    x = np.ones(shape, np.float32)
    for axis in range(x.ndim):
        for place in {0, x.size // 2, x.size - 1}:
            index = np.zeros(shape, np.int64)
            index.reshape(-1)[place:] = value
            assert indexed.take_along(x, index, axis)[1] == place
            for add in (False, True):
                assert indexed.put_along(x, x, index, axis, add)[1] == place
            numbers = np.zeros(shape[axis], np.int64)
            numbers[-1] = value
            assert indexed.take_slices(x, numbers, axis)[1] == len(numbers) - 1
            assert indexed.add_slices(x, x, numbers, axis)[1] == len(numbers) - 1


def test_bad_places_touch_nothing_outside():
    x, src = np.ones((4, 3), np.float32), np.full((5, 3), 2, np.float32)
    index = np.repeat(BAD[:, None], 3, 1)
    for slices, numbers in ((False, index), (True, BAD)):
        memory, y = guarded(5, 3)
        found, f = np.empty(1, np.int64), indexed.pick.get("f4", slices=slices, thin=False)
        assert f(x, numbers, y, found, 1, 4, 5, 3, numbers.size, 1, 1)
        assert found[0] == (1 if slices else 3) and (memory[:64] == 7).all() and (memory[79:] == 7).all()
        for add in (False, True):
            memory, y = guarded(4, 3)
            f = indexed.place.get("f4", add=add, slices=slices, thin=False)
            assert f(x, src, numbers, y, found, 1, 4, 5, 3, numbers.size, 1, 1)
            assert (y[0] == 2 + add).all() and (y[1:] == 1).all()
            assert (memory[:64] == 7).all() and (memory[76:] == 7).all()


def test_negative_rows_count_from_the_end(normal):
    x, index = normal(5, 40), np.array([-1, 0, -5, 4, -1])
    assert np.array_equal(indexed.take_rows(x, index), x[index])
    expected = np.zeros((5, 40))
    np.add.at(expected, index, x.astype(np.float64))
    np.testing.assert_allclose(indexed.sum_rows(x, index, 5), expected, rtol=1e-5, atol=1e-5)
    base = normal(5, 40)
    np.testing.assert_allclose(indexed.sum_rows(x, index, 5, base=base), expected + base, rtol=1e-5, atol=1e-5)
