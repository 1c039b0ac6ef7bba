"""Matrix products: every layout and size, batches, biases, what is left to NumPy, nothing touched outside."""

import ctypes
import mmap
import os
import subprocess
import sys

import numpy as np
import pytest

from flambeau.kernels import build, fused, products, threads

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM")


@pytest.fixture(autouse=True)
def three_threads():
    before = threads.get_num_threads()
    threads.set_num_threads(3)
    yield
    threads.set_num_threads(before)


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def same(found, a, b, added=0):
    assert found is not None
    wide = np.float64 if a.dtype == np.float32 else np.longdouble
    exact = a.astype(wide) @ b.astype(wide) + added
    bound = np.abs(a).astype(wide) @ np.abs(b).astype(wide) + np.abs(added)
    assert found.shape == exact.shape
    assert (np.abs(found - exact) <= (8 + a.shape[-1] / 4) * np.finfo(a.dtype).eps * bound).all()


def layouts(rows, cols, dtype):
    """The same kind of matrix by rows, by columns, with gaps between rows, columns and elements, repeated."""
    yield normal(rows, cols, dtype=dtype)
    yield normal(cols, rows, dtype=dtype).T
    yield normal(rows, cols + 7, dtype=dtype)[:, 3:-4]
    yield normal(cols + 5, rows, dtype=dtype).T[:, 2:-3]
    yield normal(2 * rows, 3 * cols, dtype=dtype)[::2, ::3]
    yield np.broadcast_to(normal(1, cols, dtype=dtype), (rows, cols))
    yield np.broadcast_to(normal(rows, 1, dtype=dtype), (rows, cols))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "m,k,n",
    [(1, 1, 1), (3, 5, 4), (1, 300, 200), (200, 300, 1), (3, 70, 90), (90, 70, 3), (257, 33, 65), (64, 60, 100),
     (5, 1100, 49), (800, 5, 16), (4, 0, 3)],
)  # fmt: skip
def test_matrices_in_every_layout(m, k, n, dtype):
    for a in layouts(m, k, dtype):
        for b in layouts(k, n, dtype):
            same(products.matmul(a, b), a, b)
            out = np.full((m, n), np.nan, dtype)
            assert products.matmul(a, b, out) is out
            same(out, a, b)
            before = out.copy()
            same(products.matmul(a, b, out, more=True), a, b, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sizes(dtype):
    rng = np.random.default_rng(0)
    for m, k, n in rng.integers(1, 71, (150, 3)):
        a, b = normal(m, k, dtype=dtype), normal(k, n, dtype=dtype)
        a, b = [np.asfortranarray(x) if turned else x for x, turned in zip((a, b), rng.integers(0, 2, 2), strict=True)]
        same(products.matmul(a, b), a, b)


@pytest.mark.parametrize("m,k,n", [(1, 30, 20), (20, 30, 1), (20, 30, 17), (3, 1100, 50)])
def test_bias(m, k, n):
    for a in layouts(m, k, np.float32):
        b = normal(n, k).T
        for shape in [(n,), (1,), (), (m, n), (m, 1), (1, n), (1, 1)]:
            bias = normal(*shape)
            same(products.matmul(a, b, bias=np.asarray(bias)), a, b, bias)
        same(products.matmul(a, b, bias=normal(n, m).T), a, b, normal(n, m).T)
        same(products.matmul(a, b, bias=normal(2 * n)[::2]), a, b, normal(2 * n)[::2])
    tall = normal(4, 5, 6)
    same(products.matmul(tall, normal(6, 7), bias=normal(7)), tall, normal(6, 7), normal(7))
    same(products.matmul(tall, normal(6, 7), bias=normal(5, 1)), tall, normal(6, 7), normal(5, 1))


def test_nothing_else_is_written():
    for m, k, n in [(1, 40, 1), (7, 3, 5), (9, 20, 17), (50, 10, 47), (30, 600, 49)]:
        around = np.full(m * n + 128, 7, np.float32)
        out = around[64:-64].reshape(m, n)
        same(products.matmul(normal(m, k), normal(k, n), out), normal(m, k), normal(k, n))
        assert (around[:64] == 7).all() and (around[-64:] == 7).all()


def test_nothing_else_is_read():
    """The factors end where memory ends."""
    page = mmap.PAGESIZE
    size = 64 * page
    memory = mmap.mmap(-1, size + page)
    library = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert library.mprotect(ctypes.c_void_p(address + size), ctypes.c_size_t(page), 0) == 0
    last = np.frombuffer(memory, np.float32, size // 4)
    last[:] = 1
    for m, k, n in [(1, 40, 1), (7, 3, 5), (9, 20, 17), (50, 30, 47), (3, 33, 70), (30, 600, 49), (800, 17, 16)]:
        for turned in (False, True):
            a, b = [
                last[-rows * cols :].reshape((cols, rows) if turned else (rows, cols))
                for rows, cols in ((m, k), (k, n))
            ]
            a, b = (a.T, b.T) if turned else (a, b)
            assert (products.matmul(a, b) == k).all()


def test_batches():
    heads = normal(2, 7, 3, 4, 6)  # (batch, time, which, head, size), as a projection to queries, keys and values gives
    q, k, v = (heads[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
    same(products.matmul(q, k.swapaxes(-1, -2)), q, k.swapaxes(-1, -2))
    p = normal(2, 4, 7, 7)
    same(products.matmul(p, v), p, v)
    same(products.matmul(p.swapaxes(-1, -2), v), p.swapaxes(-1, -2), v)
    for a, b in [
        ((5, 3, 4), (4, 6)), ((3, 4), (5, 4, 6)), ((1, 3, 4), (5, 4, 6)), ((2, 1, 3, 4), (1, 5, 4, 6)),
        ((2, 5, 3, 4), (5, 4, 6)), ((40, 9, 8), (40, 8, 7)), ((2, 2, 2, 3, 4), (4, 5)),
    ]:  # fmt: skip
        a, b = normal(*a), normal(*b)
        same(products.matmul(a, b), a, b)


def test_what_is_left_to_numpy():
    a, b = normal(8, 6), normal(6, 8)
    for x, y in [
        (a[::-1], b), (a[:, ::-1], b), (a.astype(np.float16), b), (a, b.astype(np.float64)),
        (normal(0, 6), b), (normal(6), b), (a, normal(5, 8)), (a, b[:, :0]), (normal(0, 8, 6), b),
        (a.astype(int), b.astype(int)), (normal(2, 3, 4, 5, 5)[::-1], normal(5, 5)),
        (normal(2, 3, 4, 5, 5)[:, ::2, ::3], normal(2, 1, 2, 5, 5)),
    ]:  # fmt: skip
        assert products.matmul(x, y) is None
    assert products.matmul(a, b, np.empty((8, 16), np.float32)[:, ::2]) is None
    same(fused.matmul(a[::-1], b), a[::-1], b)
    assert products.matmul(a, b, bias=np.zeros(8)) is None
    assert products.matmul(a, b, bias=normal(3)) is None


def test_vectors(monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)
    v, w = normal(6), normal(8)
    for a, b in [
        (v, normal(6, 8)),
        (normal(8, 6), v),
        (v, v),
        (v, normal(3, 6, 8)),
        (normal(3, 8, 6), v),
        (w[:1], w[:1]),
    ]:
        found = fused.matmul(a, b)
        assert found.shape == (a @ b).shape
        np.testing.assert_allclose(found, a @ b, rtol=1e-5, atol=1e-6)


def test_nan_and_inf_go_through():
    a, b = normal(40, 40), normal(40, 40)
    a[3, 4], b[5, 6] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(np.isnan(products.matmul(a, b)), np.isnan(a @ b))


def test_the_number_of_threads_does_not_matter():
    a, b = normal(300, 200), normal(200, 310)
    found = []
    for number in (2, 3, 4):
        threads.set_num_threads(number)
        found.append(products.matmul(a, b))
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_after_fork():
    code = """
import os, warnings
import numpy as np
from flambeau.kernels import products, fused
warnings.simplefilter("ignore")
a = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)
first = fused.matmul(a, a)
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(fused.matmul(a, a), first) and np.allclose(a @ a, first, atol=1e-3) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "OMP_NUM_THREADS": "2"})  # fmt: skip
    assert done.stdout.strip() == "0", done.stderr
