"""1 x 1 convolutions as products of matrices: the results of plain sums, whatever the number of dimensions."""

import numpy as np
import pytest

from flambeau.kernels import convolve, points

CASES = [(3, 17, (5, 7), 33), (1, 16, (4, 4), 16), (2, 64, (300,), 20), (2, 16, (3, 4, 5), 31), (16, 64, (28, 28), 256)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n,channels,size,outs", CASES)
def test_products(dtype, n, channels, size, outs):
    rng, ones = np.random.default_rng(0), (1,) * len(size)
    x, g = rng.standard_normal((n, channels, *size)).astype(dtype), rng.standard_normal((n, outs, *size)).astype(dtype)
    w, bias = rng.standard_normal((outs, channels, *ones)).astype(dtype), rng.standard_normal(outs).astype(dtype)
    none, flat = (0,) * len(size), w.reshape(outs, channels)
    assert points.fits(w.shape, size, ones, none, 1)
    wanted = [
        np.einsum("oc,nc...->no...", flat, x) + bias.reshape(-1, *ones),
        np.einsum("oc,no...->nc...", flat, g),
        np.einsum("nos,ncs->oc", g.reshape(n, outs, -1), x.reshape(n, channels, -1)).reshape(w.shape),
    ]
    strided = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)  # channels last in memory
    for given in (x, strided):
        found = [
            convolve.convolution(given, w, bias, ones, none, ones, 1, size),
            convolve.gradient_of_input(g, w, size, ones, none, ones, 1),
            convolve.gradient_of_weight(g, given, ones, ones, none, ones, 1),
        ]
        for a, b in zip(found, wanted, strict=True):
            assert a.shape == b.shape and a.dtype == dtype
            np.testing.assert_allclose(a, b, 1e-5 if dtype == np.float32 else 1e-12, 1e-5 * np.abs(b).max())


def test_others_are_not_taken():
    one, none = (1, 1), (0, 0)
    assert not points.fits((32, 32, 3, 3), (9, 9), one, none, 1)
    assert not points.fits((32, 32, 1, 1), (9, 9), (2, 2), none, 1)
    assert not points.fits((32, 32, 1, 1), (9, 9), one, (1, 1), 1)
    assert not points.fits((32, 16, 1, 1), (9, 9), one, none, 2)
    assert not points.fits((4, 32, 1, 1), (9, 9), one, none, 1)
    large = np.zeros((2, 64, 4, 4), np.float32)
    assert points.gradient_of_weight(large, large) is None  # a product for each image would be larger than the images
