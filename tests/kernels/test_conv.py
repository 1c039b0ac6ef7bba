"""Convolution kernels against sums written out tap by tap in float64."""

import itertools
import math

import numpy as np
import pytest

from flambeau.kernels import build, convolve, fused, threads

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


@pytest.fixture(params=[np.float32, np.float64], ids=["f4", "f8"])
def dtype(request, monkeypatch):
    monkeypatch.setattr(fused, "SMALL", 1)
    return np.dtype(request.param)


class Case:
    """Sizes of one convolution, its arrays, and its three products by definition."""

    def __init__(self, rng, dtype, n, groups, channels, outs, size, kernel, stride, padding, dilation):
        self.kernel, self.stride, self.padding, self.dilation, self.groups = kernel, stride, padding, dilation, groups
        self.size = size
        self.out = tuple(
            (m + 2 * p - d * (k - 1) - 1) // s + 1 for m, k, s, p, d in zip(size, kernel, stride, padding, dilation)
        )
        self.dtype = dtype
        self.x = rng.standard_normal((n, groups * channels, *size)).astype(dtype)
        self.w = rng.standard_normal((groups * outs, channels, *kernel)).astype(dtype)
        self.bias = rng.standard_normal(groups * outs).astype(dtype)
        self.g = rng.standard_normal((n, groups * outs, *[max(o, 0) for o in self.out])).astype(dtype)

    @property
    def how(self):
        return self.stride, self.padding, self.dilation, self.groups

    def _taps(self, padded):
        """(index of the tap, what each output meets there as (N, groups, channels, places)), by view."""
        for tap in itertools.product(*map(range, self.kernel)):
            place = [
                slice(t * d, t * d + (o - 1) * s + 1, s)
                for t, d, o, s in zip(tap, self.dilation, self.out, self.stride, strict=True)
            ]
            yield tap, padded[(slice(None), slice(None), slice(None), *place)]

    def _padded(self, x):
        widths = [(0, 0), (0, 0), *[(p, p) for p in self.padding]]
        padded = np.pad(x.astype(np.float64), widths)
        return padded.reshape(x.shape[0], self.groups, x.shape[1] // self.groups, *padded.shape[2:])

    def _grouped(self, a):
        return a.astype(np.float64).reshape(a.shape[0], self.groups, a.shape[1] // self.groups, *a.shape[2:])

    def forward(self, bias):
        w = self.w.astype(np.float64).reshape(self.groups, -1, *self.w.shape[1:])
        out = self._grouped(np.zeros_like(self.g))
        for tap, part in self._taps(self._padded(self.x)):
            out += np.einsum("ngc...,goc->ngo...", part, w[(..., *tap)])
        out = out.reshape(self.g.shape)
        return out + self.bias.reshape(-1, *[1] * len(self.size)) if bias else out

    def input_gradient(self):
        w = self.w.astype(np.float64).reshape(self.groups, -1, *self.w.shape[1:])
        padded = self._padded(np.zeros_like(self.x))
        for tap, part in self._taps(padded):
            part += np.einsum("ngo...,goc->ngc...", self._grouped(self.g), w[(..., *tap)])
        inner = tuple(slice(p, p + m) for p, m in zip(self.padding, self.size))
        return padded[(slice(None), slice(None), slice(None), *inner)].reshape(self.x.shape)

    def weight_gradient(self):
        out = np.zeros((self.groups, self.w.shape[0] // self.groups, *self.w.shape[1:]))
        g = self._grouped(self.g)
        g = g.reshape(*g.shape[:3], math.prod(self.out))
        for tap, part in self._taps(self._padded(self.x)):
            out[(..., *tap)] = np.einsum("ngcp,ngop->goc", part.reshape(*part.shape[:3], math.prod(self.out)), g)
        return out.reshape(self.w.shape)

    def check(self):
        tolerance = 2e-5 if self.dtype == np.float32 else 1e-12
        made = {
            "forward": (convolve.convolution(self.x, self.w, None, *self.how, self.out), self.forward(False)),
            "with bias": (convolve.convolution(self.x, self.w, self.bias, *self.how, self.out), self.forward(True)),
            "input": (convolve.gradient_of_input(self.g, self.w, self.size, *self.how), self.input_gradient()),
            "weight": (convolve.gradient_of_weight(self.g, self.x, self.kernel, *self.how), self.weight_gradient()),
        }
        for name, (found, expected) in made.items():
            assert found is not None and found.dtype == self.dtype and found.shape == expected.shape, name
            scale = tolerance * (1 + np.abs(expected).max(initial=0))
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=scale, err_msg=name)


FIXED = {
    "1x1": (2, 1, 19, 21, (7, 9), (1, 1), (1, 1), (0, 0), (1, 1)),
    "3x3 padded": (3, 1, 20, 17, (9, 11), (3, 3), (1, 1), (1, 1), (1, 1)),
    "one of everything": (1, 1, 1, 1, (1, 1), (1, 1), (1, 1), (0, 0), (1, 1)),
    "strided, wide kernel": (2, 1, 3, 40, (23, 37), (7, 7), (2, 2), (3, 3), (1, 1)),
    "stride beyond the kernel": (2, 1, 5, 6, (11, 13), (2, 1), (3, 4), (1, 0), (1, 1)),
    "padding beyond the kernel": (1, 1, 4, 3, (5, 6), (2, 2), (2, 1), (4, 3), (1, 1)),
    "dilated and strided": (1, 1, 4, 9, (17, 15), (3, 2), (2, 3), (2, 1), (3, 2)),
    "grouped": (2, 3, 5, 7, (8, 8), (3, 3), (1, 1), (1, 1), (1, 1)),
    "one channel": (3, 1, 1, 32, (28, 28), (3, 3), (1, 1), (0, 0), (1, 1)),
    "many channels": (1, 1, 200, 70, (6, 7), (3, 3), (1, 1), (1, 1), (1, 1)),
    "bands of rows": (1, 1, 40, 3, (90, 70), (3, 3), (1, 1), (1, 1), (1, 1)),
    "images smaller than a vector": (9, 1, 30, 20, (2, 2), (3, 3), (1, 1), (1, 1), (1, 1)),
    "tiles of one image": (2, 1, 16, 17, (29, 30), (3, 3), (1, 1), (1, 1), (1, 1)),
    "tiles of several images": (7, 1, 20, 16, (5, 7), (3, 3), (1, 1), (0, 2), (1, 1)),
    "tiles of wide rows": (1, 2, 16, 24, (6, 75), (3, 3), (1, 1), (2, 1), (1, 1)),
    "tiles in bands": (1, 1, 130, 40, (61, 40), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise": (3, 19, 1, 1, (13, 18), (3, 3), (1, 1), (1, 1), (1, 1)),
    "depthwise, strided": (2, 5, 1, 1, (14, 70), (5, 4), (2, 2), (2, 1), (1, 1)),
    "depthwise, two outputs": (2, 5, 1, 2, (9, 8), (3, 3), (1, 1), (1, 1), (2, 2)),
    "few outputs": (2, 1, 37, 3, (9, 20), (3, 3), (1, 1), (1, 1), (1, 1)),
    "length": (2, 1, 6, 5, (301,), (5,), (2,), (3,), (2,)),
    "volume": (2, 2, 3, 5, (5, 6, 7), (3, 2, 3), (1, 2, 1), (1, 0, 2), (2, 1, 1)),
}


@pytest.mark.parametrize("name", FIXED)
def test_shapes(name, dtype):
    Case(np.random.default_rng(0), dtype, *FIXED[name]).check()


@pytest.mark.parametrize("seed", range(60))
def test_random_shapes(seed, dtype):
    rng = np.random.default_rng(seed)
    dims = int(rng.integers(1, 4))
    largest = {1: 70, 2: 20, 3: 7}[dims]

    def draw(low, high):
        return tuple(int(v) for v in rng.integers(low, high + 1, dims))

    while True:
        channels, outs = (int(v) for v in rng.integers(1, 13, 2))
        sizes = (int(rng.integers(1, 4)), int(rng.integers(1, 4)), channels, 1 if seed % 5 == 0 else outs)
        case = Case(rng, dtype, *sizes, draw(1, largest), draw(1, 5), draw(1, 4), draw(0, 4), draw(1, 3))
        if min(case.out) > 0:
            break
    case.check()


def test_results_do_not_depend_on_threads_or_runs(dtype):
    case = Case(np.random.default_rng(1), dtype, 5, 1, 33, 40, (20, 21), (3, 3), (1, 1), (1, 1), (1, 1))
    before = threads.get_num_threads()
    results = []
    try:
        for number in (1, 2, 2, 3):
            threads.set_num_threads(number)
            results.append((
                convolve.convolution(case.x, case.w, case.bias, *case.how, case.out),
                convolve.gradient_of_input(case.g, case.w, case.size, *case.how),
                convolve.gradient_of_weight(case.g, case.x, case.kernel, *case.how),
            ))  # fmt: skip
    finally:
        threads.set_num_threads(before)
    for one in results[1:]:
        for a, b in zip(results[0], one, strict=True):
            np.testing.assert_array_equal(a, b)


def test_nothing_beyond_the_arrays_is_read_or_written(dtype):
    """Inputs lie between nans, which would spread; a special value reaches exactly the outputs that meet it."""
    case = Case(np.random.default_rng(2), dtype, 2, 1, 3, 5, (7, 9), (3, 3), (2, 1), (1, 1), (1, 1))

    def guarded(a):
        room = np.full(a.size + 64, np.nan, dtype)
        room[32:-32] = a.reshape(-1)
        return room[32:-32].reshape(a.shape)

    x, w, g = guarded(case.x), guarded(case.w), guarded(case.g)
    assert np.isfinite(convolve.convolution(x, w, None, *case.how, case.out)).all()
    assert np.isfinite(convolve.gradient_of_input(g, w, case.size, *case.how)).all()
    assert np.isfinite(convolve.gradient_of_weight(g, x, case.kernel, *case.how)).all()
    case.x[1, 2, 3, 4] = np.nan
    found = np.isnan(convolve.convolution(case.x, case.w, None, *case.how, case.out))
    np.testing.assert_array_equal(found, np.isnan(case.forward(False)))
    case.x[1, 2, 3, 4] = np.inf
    with np.errstate(invalid="ignore"):
        expected = case.weight_gradient()
    found = convolve.gradient_of_weight(case.g, case.x, case.kernel, *case.how)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))


def test_transformed_tiles_are_nearly_as_exact_as_sums():
    """The largest error is within 8 roundings of the largest output, at any channel count."""
    rng = np.random.default_rng(5)
    for channels in (16, 64, 256):
        case = Case(rng, np.float32, 2, 1, channels, 32, (16, 16), (3, 3), (1, 1), (1, 1), (1, 1))
        expected = case.forward(False)
        found = convolve.convolution(case.x, case.w, None, *case.how, case.out)
        assert np.abs(found - expected).max() <= 8 * np.finfo(np.float32).eps * np.abs(expected).max()


def test_layouts(dtype):
    case = Case(np.random.default_rng(3), dtype, 2, 1, 4, 6, (8, 7), (3, 3), (1, 1), (1, 1), (1, 1))
    expected = convolve.convolution(case.x, case.w, case.bias, *case.how, case.out)
    x = np.ascontiguousarray(case.x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    w = np.repeat(case.w, 2, axis=3)[..., ::2]
    np.testing.assert_array_equal(convolve.convolution(x, w, case.bias[::-1][::-1], *case.how, case.out), expected)
    unaligned = np.empty(case.x.nbytes + 1, np.uint8)[1:].view(dtype).reshape(case.x.shape)
    assert convolve.convolution(unaligned, case.w, None, *case.how, case.out) is None
    assert convolve.convolution(case.x.astype(np.float16), case.w, None, *case.how, case.out) is None


def test_empty_ones_are_left_to_numpy(dtype):
    case = Case(np.random.default_rng(4), dtype, 0, 1, 3, 4, (5, 5), (3, 3), (1, 1), (1, 1), (1, 1))
    assert convolve.convolution(case.x, case.w, case.bias, *case.how, case.out) is None
    assert convolve.gradient_of_input(case.g, case.w, case.size, *case.how) is None
    assert convolve.gradient_of_weight(case.g, case.x, case.kernel, *case.how) is None
