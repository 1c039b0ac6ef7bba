"""Window functions: `hann_window` and its kin, and those of `torch.signal.windows`.

Source: Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform" (1978).
"""

from __future__ import annotations

import math

import numpy as np

from .. import devices, dtypes
from ..arrays import meta_empty
from ..constants import strided
from ..devices import CPU
from ..errors import ArgumentError, ArgumentTypeError, DtypeError, ShapeError
from ..kernels.special_bessel import i0 as _bessel
from .creation import dtype_of, finish
from .entry import public


def _points(n, periodic) -> np.ndarray:
    """Positions from 0 to 1 of the points of a window; a periodic one lacks its last point."""
    return np.arange(n) / max(n if periodic else n - 1, 1)


def _cosines(x, coefficients) -> np.ndarray:
    """a0 - a1 cos(2 pi x) + a2 cos(4 pi x) - ..."""
    return sum((-1) ** k * a * np.cos(2 * math.pi * k * x) for k, a in enumerate(coefficients))


def _kaiser(x, beta) -> np.ndarray:
    inside = np.sqrt(np.maximum(0.0, 1 - (2 * x - 1) ** 2))
    return np.asarray(_bessel(beta * inside) / _bessel(np.asarray(float(beta))))


# ---------------------------------------------------------------------- torch.*_window


def _window(name, formula, length, periodic, dtype, layout, device, requires_grad):
    dt = dtype_of(dtype, None, name)
    if not dt.is_floating_point:
        raise DtypeError(
            f"{name} expects floating point dtypes, got: {dt}",
            why="a window has fractions between 0 and 1",
            fix="pass `dtype=torch.float32`",
        )
    if layout is not None and layout is not strided:
        raise DtypeError(
            f"{name} is not implemented for sparse types, got: layout={layout}",
            why="only dense tensors are implemented",
            fix="leave out `layout=`",
        )
    if length < 0:
        raise ShapeError(
            f"{name} requires non-negative window_length, got window_length={length}",
            why="it is the number of elements",
            fix="pass 0 or more",
        )
    if devices.usable(device) is not CPU:
        return finish(meta_empty((length,), dt.numpy), requires_grad)
    made = np.ones(length) if length < 2 else formula(_points(length, periodic))
    return finish(made.astype(dt.numpy), requires_grad)


@public()
def hann_window(window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
                requires_grad=False):  # fmt: skip
    """Hann's window, (1 - cos(2 pi x)) / 2.

    periodic: one period of a periodic function, for spectra; False: symmetric, for filters.

    >>> import flambeau as torch
    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("hann_window", lambda x: _cosines(x, (0.5, 0.5)), window_length, periodic, dtype, layout, device,
                   requires_grad)  # fmt: skip


@public()
def hamming_window(window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None, layout=None, device=None,
                   pin_memory=False, requires_grad=False):  # fmt: skip
    """Hamming's window, alpha - beta cos(2 pi x).

    >>> import flambeau as torch
    >>> torch.hamming_window(4)
    tensor([0.0800, 0.5400, 1.0000, 0.5400])
    """
    return _window("hamming_window", lambda x: _cosines(x, (alpha, beta)), window_length, periodic, dtype, layout,
                   device, requires_grad)  # fmt: skip


@public()
def blackman_window(window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
                    requires_grad=False):  # fmt: skip
    """Blackman's window, 0.42 - 0.5 cos(2 pi x) + 0.08 cos(4 pi x).

    >>> import flambeau as torch
    >>> torch.blackman_window(4).shape
    torch.Size([4])
    """
    return _window("blackman_window", lambda x: _cosines(x, (0.42, 0.5, 0.08)), window_length, periodic, dtype, layout,
                   device, requires_grad)  # fmt: skip


@public()
def bartlett_window(window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False,
                    requires_grad=False):  # fmt: skip
    """Bartlett's window, a triangle.

    >>> import flambeau as torch
    >>> torch.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _window("bartlett_window", lambda x: 1 - np.abs(2 * x - 1), window_length, periodic, dtype, layout, device,
                   requires_grad)  # fmt: skip


@public()
def kaiser_window(window_length, periodic=True, beta=12.0, *, dtype=None, layout=None, device=None, pin_memory=False,
                  requires_grad=False):  # fmt: skip
    """Kaiser's window, I0(beta sqrt(1 - (2x - 1)^2)) / I0(beta).

    >>> import flambeau as torch
    >>> torch.kaiser_window(4).shape
    torch.Size([4])
    """
    return _window("kaiser_window", lambda x: _kaiser(x, beta), window_length, periodic, dtype, layout, device,
                   requires_grad)  # fmt: skip


# ---------------------------------------------------------------------- torch.signal.windows


def _signal(name, formula, length, sym, dtype, layout, device, requires_grad):
    dt = dtype_of(dtype, None, name)
    if length < 0:
        raise ArgumentError(
            f"{name} requires non-negative window length, got M={length}",
            why="it is the number of elements",
            fix="pass 0 or more",
        )
    if layout is not None and layout is not strided:
        raise ArgumentError(
            f"{name} is implemented for strided tensors only, got: {layout}",
            why="only dense tensors are implemented",
            fix="leave out `layout=`",
        )
    if dt not in (dtypes.float32, dtypes.float64):
        raise ArgumentError(
            f"{name} expects float32 or float64 dtypes, got: {dt}",
            why="a window has fractions between 0 and 1",
            fix="pass `dtype=torch.float32`",
        )
    if devices.usable(device) is not CPU:
        return finish(meta_empty((length,), dt.numpy), requires_grad)
    made = np.ones(length) if length == 1 and sym is not None else formula(np.arange(length, dtype=np.float64))
    return finish(np.asarray(made).astype(dt.numpy), requires_grad)


def _span(length, sym):
    return max(length - 1 if sym else length, 1)


@public("signal.windows.general_cosine")
def general_cosine(M, *, a, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """a[0] - a[1] cos(2 pi x) + a[2] cos(4 pi x) - ..., of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.general_cosine(5, a=[0.5, 0.5])
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    if not isinstance(a, (list, tuple)):
        raise ArgumentTypeError(
            "Coefficients must be a list/tuple", why="each coefficient belongs to one cosine", fix="pass `a=[0.5, 0.5]`"
        )
    if not a:
        raise ArgumentError(
            "Coefficients cannot be empty", why="each coefficient belongs to one cosine", fix="pass `a=[0.5, 0.5]`"
        )
    return _signal("general_cosine", lambda n: _cosines(n / _span(M, sym), a), M, sym, dtype, layout, device,
                   requires_grad)  # fmt: skip


@public("signal.windows.hann")
def hann(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """Hann's window of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return general_cosine(M, a=[0.5, 0.5], sym=sym, dtype=dtype, layout=layout, device=device,
                          requires_grad=requires_grad)  # fmt: skip


@public("signal.windows.general_hamming")
def general_hamming(M, *, alpha=0.54, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """alpha - (1 - alpha) cos(2 pi x), of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.general_hamming(5)
    tensor([0.0800, 0.5400, 1.0000, 0.5400, 0.0800])
    """
    return general_cosine(M, a=[alpha, 1 - alpha], sym=sym, dtype=dtype, layout=layout, device=device,
                          requires_grad=requires_grad)  # fmt: skip


@public("signal.windows.hamming")
def hamming(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """Hamming's window of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.hamming(5)
    tensor([0.0800, 0.5400, 1.0000, 0.5400, 0.0800])
    """
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


@public("signal.windows.blackman")
def blackman(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """Blackman's window of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.blackman(5).shape
    torch.Size([5])
    """
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, dtype=dtype, layout=layout, device=device,
                          requires_grad=requires_grad)  # fmt: skip


@public("signal.windows.nuttall")
def nuttall(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """Nuttall's window of M points: a minimum four-term Blackman-Harris window.

    >>> import flambeau as torch
    >>> torch.signal.windows.nuttall(5).shape
    torch.Size([5])
    """
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, dtype=dtype, layout=layout,
                          device=device, requires_grad=requires_grad)  # fmt: skip


@public("signal.windows.bartlett")
def bartlett(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """A triangle of M points that begins and ends at zero.

    >>> import flambeau as torch
    >>> torch.signal.windows.bartlett(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return _signal("bartlett", lambda n: 1 - np.abs(2 * n / _span(M, sym) - 1), M, sym, dtype, layout, device,
                   requires_grad)  # fmt: skip


@public("signal.windows.cosine")
def cosine(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """Half a period of the sine, of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.cosine(3)
    tensor([0.5000, 1.0000, 0.5000])
    """
    span = M if sym else M + 1
    return _signal("cosine", lambda n: np.sin(math.pi * (n + 0.5) / span), M, sym, dtype, layout, device, requires_grad)


@public("signal.windows.exponential")
def exponential(M, *, center=None, tau=1.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """exp(-|n - center| / tau), of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.exponential(3)
    tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ArgumentError(
            f"Tau must be positive, got: {tau} instead.",
            why="it says how fast the window falls off",
            fix="pass a number above 0",
        )
    if sym and center is not None:
        raise ArgumentError(
            "Center must be None for symmetric windows",
            why=f"a symmetric window has its center in the middle, and {center} was given",
            fix="leave out `center`, or pass `sym=False`",
        )
    middle = (M if not sym and M > 1 else M - 1) / 2.0 if center is None else center
    return _signal("exponential", lambda n: np.exp(-np.abs(n - middle) / tau), M, None, dtype, layout, device,
                   requires_grad)  # fmt: skip


@public("signal.windows.gaussian")
def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """exp(-((n - middle) / std)^2 / 2), of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ArgumentError(
            f"Standard deviation must be positive, got: {std} instead.",
            why="it says how wide the window is",
            fix="pass a number above 0",
        )
    middle = (M if not sym and M > 1 else M - 1) / 2.0
    return _signal("gaussian", lambda n: np.exp(-(((n - middle) / std) ** 2) / 2), M, sym, dtype, layout, device,
                   requires_grad)  # fmt: skip


@public("signal.windows.kaiser")
def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """Kaiser's window of M points.

    >>> import flambeau as torch
    >>> torch.signal.windows.kaiser(5).shape
    torch.Size([5])
    """
    if beta < 0:
        raise ArgumentError(
            f"beta must be non-negative, got: {beta} instead.",
            why="a larger `beta` makes the window narrower, and 0 makes it flat",
            fix="pass 0 or more",
        )
    return _signal("kaiser", lambda n: _kaiser(n / _span(M, sym), beta), M, sym, dtype, layout, device, requires_grad)
