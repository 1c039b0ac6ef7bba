"""Matrix products in parallel parts: every layout, batches, what is left to NumPy."""

import os
import subprocess
import sys

import numpy as np
import pytest

from flambeau.kernels import build, fused, products, threads

pytestmark = pytest.mark.skipif(
    build.backend() is None or products._gemm("f4") is None, reason="no LLVM, or NumPy's BLAS is not OpenBLAS"
)


@pytest.fixture(autouse=True)
def everything(monkeypatch):
    monkeypatch.setattr(products, "SMALL", 1)
    before = threads.get_num_threads()
    threads.set_num_threads(3)
    yield
    threads.set_num_threads(before)


def normal(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def same(found, a, b):
    assert found is not None
    tolerance = 1e-4 if a.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(found, a @ b, rtol=tolerance, atol=tolerance * (1 + a.shape[-1] ** 0.5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m,k,n", [(1, 1, 1), (3, 5, 4), (1, 300, 200), (200, 300, 1), (257, 33, 65), (64, 100, 900)])
def test_matrices_in_every_layout(m, k, n, dtype):
    for a in (normal(m, k, dtype=dtype), normal(k, m, dtype=dtype).T, normal(m, k + 7, dtype=dtype)[:, 3:-4]):
        for b in (normal(k, n, dtype=dtype), normal(n, k, dtype=dtype).T, normal(n + 5, k, dtype=dtype).T[:, 2:-3]):
            same(products.matmul(a, b), a, b)
            out = np.full((m, n), np.nan, dtype)
            assert products.matmul(a, b, out) is out
            same(out, a, b)


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
        (a[::-1], b), (a[:, ::2], b[::2]), (a[:, ::-1], b), (a.astype(np.float16), b), (a, b.astype(np.float64)),
        (normal(0, 6), b), (normal(8, 0), normal(0, 8)), (normal(6), b), (a, normal(5, 8)),
        (a.astype(int), b.astype(int)), (normal(2, 3, 4, 5, 5)[::-1], normal(5, 5)),
    ]:  # fmt: skip
        assert products.matmul(x, y) is None
    assert products.matmul(a, b, np.empty((8, 16), np.float32)[:, ::2]) is None
    same(fused.matmul(a[::-1], b), a[::-1], b)
    every_second = np.broadcast_to(normal(1, 6), (8, 6))
    same(fused.matmul(every_second, b), every_second, b)


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
        np.testing.assert_allclose(other, found[0], rtol=1e-4, atol=1e-4)


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
