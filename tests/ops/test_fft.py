"""Fourier transforms: NumPy's values for every normalisation and size, precision, gradients, stft and back."""

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck, gradgradcheck

REAL = np.random.default_rng(0).normal(size=(3, 6))
COMPLEX = REAL + 1j * np.random.default_rng(1).normal(size=(3, 6))
NORMS = [None, "backward", "ortho", "forward"]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 4, 7])
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_one_dimension(name, n, norm):
    a = REAL if name in ("rfft", "ihfft") else COMPLEX
    got = getattr(torch.fft, name)(torch.from_numpy(a), n, norm=norm)
    np.testing.assert_allclose(got.numpy(), getattr(np.fft, name)(a, n, norm=norm), atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["fft2", "ifft2", "rfft2", "irfft2", "fftn", "ifftn", "rfftn", "irfftn"])
def test_several_dimensions(name, norm):
    a = REAL if name.startswith("rfft") else COMPLEX
    got = getattr(torch.fft, name)(torch.from_numpy(a), (2, 8), norm=norm)
    np.testing.assert_allclose(got.numpy(), getattr(np.fft, name)(a, (2, 8), axes=(0, 1), norm=norm), atol=1e-12)


def test_hermitian_transforms_are_inverse():
    x = torch.from_numpy(REAL)
    for there, back in ((torch.fft.ihfftn, torch.fft.hfftn), (torch.fft.ihfft2, torch.fft.hfft2)):
        np.testing.assert_allclose(back(there(x), (3, 6)).numpy(), REAL, atol=1e-12)


def test_precision_follows_the_input():
    assert torch.fft.fft(torch.ones(4)).dtype is torch.complex64
    assert torch.fft.rfft(torch.ones(4, dtype=torch.int64)).dtype is torch.complex64
    assert torch.fft.irfft(torch.ones(3, dtype=torch.complex128)).dtype is torch.float64


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "ifft2", "rfft2", "irfft2",
                                  "hfft2",
                                  "ihfft2", "fftn", "rfftn", "irfftn", "hfftn", "ihfftn"])  # fmt: skip
def test_gradients(name):
    a = REAL if name.startswith(("rfft", "ihfft")) else COMPLEX
    x = torch.from_numpy(a[:2, :4].copy()).requires_grad_()
    f = getattr(torch.fft, name)
    assert gradcheck(f, (x,)) and gradgradcheck(f, (x,))
    if name.endswith("fft"):
        assert gradcheck(lambda t: f(t, 5, norm="ortho"), (x,)) and gradcheck(lambda t: f(t, 2), (x,))


def test_shift_and_frequencies():
    assert torch.fft.fftshift(torch.arange(5)).tolist() == [3, 4, 0, 1, 2]
    assert torch.fft.ifftshift(torch.fft.fftshift(torch.arange(5))).tolist() == [0, 1, 2, 3, 4]
    assert torch.fft.fftfreq(4, 0.5).tolist() == [0, 0.5, -1, -0.5]
    assert torch.fft.rfftfreq(4).tolist() == [0, 0.25, 0.5]


def test_stft_and_back():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 64))).requires_grad_()
    window = torch.from_numpy(np.hanning(17)[:-1].copy())
    s = torch.stft(x, 16, 4, window=window, return_complex=True)
    assert s.shape == (2, 9, 17)
    padded = np.pad(x.detach().numpy(), ((0, 0), (8, 8)), "reflect")
    np.testing.assert_allclose(s[:, :, 3].detach().numpy(), np.fft.rfft(padded[:, 12:28] * window.numpy()), atol=1e-12)
    back = torch.istft(s, 16, 4, window=window, length=64)
    np.testing.assert_allclose(back.detach().numpy(), x.detach().numpy(), atol=1e-12)
    short = torch.from_numpy(np.random.default_rng(1).normal(size=12)).requires_grad_()
    assert gradcheck(lambda t: torch.stft(t, 4, 2, return_complex=True), (short,))
    assert gradcheck(lambda t: torch.istft(torch.stft(t, 4, 1, return_complex=True), 4, 1), (short,))


@pytest.mark.parametrize("error, call, words", [
    (RuntimeError, lambda: torch.fft.fft(torch.ones(4), 0), "Invalid number of data points"),
    (RuntimeError, lambda: torch.fft.fft(torch.ones(4), norm="half"), "Invalid normalization mode"),
    (RuntimeError, lambda: torch.fft.rfft(torch.ones(4) * 1j), "real input"),
    (RuntimeError, lambda: torch.fft.fft2(torch.ones(4, 4), dim=(0, 0)), "unique"),
    (IndexError, lambda: torch.fft.fft(torch.ones(4), dim=3), "Dimension out of range"),
    (RuntimeError, lambda: torch.stft(torch.ones(8), 4), "return_complex"),
    (RuntimeError, lambda: torch.istft(torch.ones(3, 4), 4), "complex-valued"),
])  # fmt: skip
def test_errors(error, call, words):
    with pytest.raises(error, match=words):
        call()
