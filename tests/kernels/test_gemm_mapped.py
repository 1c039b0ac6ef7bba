"""Epilogues of matrix products: bodies with bias, activation, residual, several results; edges and batches."""

import numpy as np
import pytest

from flambeau.kernels import build, gemm_mapped
from flambeau.kernels.bodies import trace
from flambeau.kernels.scalars import tanh, where

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM")


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def relu_of_biased(x, bias):
    y = x + bias
    return where(y > 0.0, y, 0.0 * y), y


def everything(x, bias, scale, other, number):
    return tanh(x * scale + bias) + other * number


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m,k,n", [(1, 1, 1), (7, 5, 17), (65, 30, 96), (9, 600, 50)])
def test_operands_of_every_shape(m, k, n, dtype):
    tolerance = 2e-4 if dtype == np.float32 else 1e-11
    body, results = trace(everything, 4, 1)
    a, b = normal(m, k, dtype=dtype), normal(n, k, seed=1, dtype=dtype).T
    for shapes in [((n,), (m, 1), (m, n)), ((1, n), (), (n,)), ((1, 1), (m, n), (m, 1))]:
        bias, scale, other = (normal(*s, seed=i, dtype=dtype) for i, s in enumerate(shapes))
        bias, scale, other = np.asarray(bias), np.asarray(scale), np.asarray(other)
        (found,) = gemm_mapped.matmul(a, b, body, results, (bias, scale, other), (0.5,))
        np.testing.assert_allclose(found, np.tanh(a @ b * scale + bias) + other * 0.5, rtol=tolerance, atol=tolerance)


def test_two_results_in_batches():
    body, results = trace(relu_of_biased, 2)
    a, b = normal(3, 5, 8), normal(3, 8, 20, seed=1)
    for bias in (normal(20), normal(5, 1), normal(3, 5, 20)):
        active, biased = gemm_mapped.matmul(a, b, body, results, (bias,))
        np.testing.assert_allclose(biased, a @ b + bias, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(active, np.maximum(biased, 0))
    tall = normal(4, 6, 8)
    for bias in (normal(20), normal(6, 20), normal(4, 6, 20)):
        _, biased = gemm_mapped.matmul(tall, normal(8, 20), body, results, (bias,))
        np.testing.assert_allclose(biased, tall @ normal(8, 20) + bias, rtol=1e-4, atol=1e-5)


def test_nan_and_inf_go_through():
    body, results = trace(relu_of_biased, 2)
    bias = normal(20)
    bias[3], bias[4] = np.nan, -np.inf
    active, biased = gemm_mapped.matmul(normal(5, 8), normal(8, 20), body, results, (bias,))
    assert np.isnan(biased[:, 3]).all() and np.isneginf(biased[:, 4]).all()
    assert not np.isnan(np.delete(active, [3, 4], 1)).any()


def test_what_is_refused():
    body, results = trace(relu_of_biased, 2)
    a, b = normal(5, 8), normal(8, 20)
    for bias in (normal(19), normal(20, dtype=np.float64), normal(20, 5).T, normal(40)[::2], normal(2, 5, 20)):
        assert gemm_mapped.matmul(a, b, body, results, (bias,)) is None
    assert gemm_mapped.matmul(a, b.astype(np.float64), body, results, (normal(20),)) is None
