"""Short-time Fourier transforms: stft and istft, as frames times the transform of each."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DtypeError, ShapeError
from ..tensor import wrap
from .entry import REGISTRY, public
from .fft import fft, ifft, irfft, rfft
from .index_slices import index_select
from .reduce import title
from .shape import need_tensor
from .views import _refold


def _padded(x, before, after, mode):
    """The last dimension extended at both ends."""
    n = x.shape[-1]
    if mode == "constant":
        shape = tuple(x.shape[:-1])
        return REGISTRY["cat"]([x.new_zeros((*shape, before)), x, x.new_zeros((*shape, after))], -1)
    at = np.arange(-before, n + after)
    if mode == "reflect":
        if before >= n or after >= n:
            raise ShapeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, but "
                f"got: padding ({before}, {after}) at dimension {x.ndim - 1} of input {list(x.shape)}",
                why=f"a signal of {n} samples has no {max(before, after)} to mirror beyond its end",
                fix='use a smaller `n_fft`, `pad_mode="constant"` or `center=False`',
            )
        at = np.abs(at)
        at = np.where(at >= n, 2 * (n - 1) - at, at)
    elif mode == "replicate":
        at = at.clip(0, n - 1)
    elif mode == "circular":
        at = at % n
    else:
        raise ShapeError(
            f"Unrecognised padding mode {mode}",
            why="it says how the signal goes on beyond its ends",
            fix='pass "constant", "reflect", "replicate" or "circular"',
        )
    return index_select(x, x.ndim - 1, wrap(at))


def _centered_window(window, win_length, n_fft, like):
    """The window (ones without one) with zeros on both sides up to n_fft."""
    if window is None:
        window = wrap(np.ones(win_length, like))
    if win_length < n_fft:
        left = (n_fft - win_length) // 2
        window = _padded(window, left, n_fft - win_length - left, "constant")
    return window


@public(method=True)
def stft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect", normalized=False,
         onesided=None, return_complex=None, align_to_window=None):  # fmt: skip
    """Short-time Fourier transform: (batch,) time -> (batch,) frequency x frames.

    Raises RuntimeError for sizes that do not fit, and when `return_complex` is not given for a real input.

    >>> import flambeau as torch
    >>> torch.stft(torch.ones(32), n_fft=8, window=torch.ones(8), return_complex=True).shape
    torch.Size([5, 17])
    """
    need_tensor(input, "stft")
    hop = n_fft // 4 if hop_length is None else hop_length
    win = n_fft if win_length is None else win_length
    complex_window = window is not None and window.is_complex()
    if return_complex is None:
        if not (input.is_complex() or complex_window):
            raise ShapeError(
                "stft requires the return_complex parameter be given for real inputs, and will further "
                "require that return_complex=True in a future PyTorch release.",
                why="the result is complex",
                fix="pass `return_complex=True`",
            )
        return_complex = True
    if input.dtype.category < 2:
        raise DtypeError(
            f"stft(...): expected a tensor of floating point or complex values, got {title(input.dtype)}",
            why="the transform is computed in floating point",
            fix="convert it: `x.float()`",
        )
    if input.ndim not in (1, 2):
        raise ShapeError(
            f"stft(...): expected a 1D or 2D tensor, got {input.ndim}D",
            why=f"the input is one signal, or a batch of signals, and has shape {tuple(input.shape)}",
            fix="flatten the other dimensions: `x.flatten(0, -2)`",
        )
    x = input.unsqueeze(0) if input.ndim == 1 else input
    if center:
        x = _padded(x, n_fft // 2, n_fft // 2, pad_mode)
    length = x.shape[1]
    if n_fft <= 0 or n_fft > length:
        raise ShapeError(
            f"stft(...): expected 0 < n_fft < {length}, but got n_fft={n_fft}",
            why=f"a frame of {n_fft} samples does not fit in {length}",
            fix="pass a smaller `n_fft`, or a longer signal",
        )
    if hop <= 0:
        raise ShapeError(
            f"stft(...): expected hop_length > 0, but got hop_length={hop}",
            why="frames begin `hop_length` samples apart",
            fix=f"pass a number above 0, such as `hop_length={max(n_fft // 4, 1)}`",
        )
    if not 0 < win <= n_fft:
        raise ShapeError(
            f"stft(...): expected 0 < win_length <= n_fft, but got win_length={win}",
            why=f"the window lies within the frame of {n_fft} samples",
            fix=f"pass `win_length` between 1 and {n_fft}",
        )
    if window is not None and (window.ndim != 1 or window.shape[0] != win):
        raise ShapeError(
            f"stft(...): expected a 1D window tensor of size equal to win_length={win}, but got window "
            f"with size {list(window.shape)}",
            why=f"the window scales each of the {win} samples of a frame",
            fix=f"pass `window=torch.hann_window({win})`",
        )
    frames = x.unfold(-1, n_fft, hop) * _centered_window(window, win, n_fft, input._array.real.dtype)
    if onesided is None:
        onesided = not frames.is_complex()
    norm = "ortho" if normalized else None
    made = (rfft(frames, None, -1, norm) if onesided else fft(frames, None, -1, norm)).transpose(1, 2)
    made = made.squeeze(0) if input.ndim == 1 else made
    return made if return_complex else REGISTRY["view_as_real"](made)


@public(method=True)
def istft(input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False, onesided=None,
          length=None, return_complex=False):  # fmt: skip
    """Inverse of `stft`: least-squares estimate of the signal (Griffin and Lim 1984).

    Raises RuntimeError where the windows leave a sample uncovered.

    >>> import flambeau as torch
    >>> s = torch.stft(torch.ones(32), 8, window=torch.ones(8), return_complex=True)
    >>> torch.istft(s, 8, window=torch.ones(8)).shape
    torch.Size([32])
    """
    need_tensor(input, "istft")
    hop = n_fft // 4 if hop_length is None else hop_length
    win = n_fft if win_length is None else win_length
    if not input.is_complex():
        raise ShapeError(
            "istft requires a complex-valued input tensor matching the output from stft with return_complex=True.",
            why=f"the input is {input.dtype.name}",
            fix="pass the result of `torch.stft(..., return_complex=True)`",
        )
    if not input.numel():
        raise ShapeError(
            "istft(...): input tensor cannot be empty.",
            why=f"its shape is {tuple(input.shape)}, so there are no frames to join",
            fix="pass the result of `torch.stft` unchanged",
        )
    if input.ndim not in (2, 3):
        raise ShapeError(
            f"istft(...): expected a tensor with 2 or 3 dimensions, but got {input.ndim}",
            why=f"its dimensions are batch, frequency and frame, and it has shape {tuple(input.shape)}",
            fix="pass the result of `torch.stft` unchanged",
        )
    bins = input.shape[-2]
    onesided = bins != n_fft if onesided is None else onesided
    if onesided and bins != n_fft // 2 + 1:
        raise ShapeError(
            "istft(...): expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match n_fft / 2 + 1 when onesided=True, but got {bins}",
            why=f"half of {n_fft} frequencies and one more are kept",
            fix=f"pass `n_fft={2 * (bins - 1)}`",
        )
    if not onesided and bins != n_fft:
        raise ShapeError(
            "istft(...): expected the frequency dimension (3rd to the last) of the input tensor to "
            f"match n_fft when onesided=False, but got {bins}",
            why=f"all {n_fft} frequencies are expected",
            fix=f"pass `onesided=True`, or `n_fft={bins}`",
        )
    if not 0 < hop <= win:
        raise ShapeError(
            "istft(...): expected 0 < hop_length <= win_length",
            why=f"`hop_length` is {hop}, `win_length` is {win}: frames must overlap or touch",
            fix="pass the numbers that `torch.stft` was given",
        )
    if not 0 < win <= n_fft:
        raise ShapeError(
            "istft(...): expected 0 < win_length <= n_fft",
            why=f"`win_length` is {win}, `n_fft` is {n_fft}",
            fix="pass the numbers that `torch.stft` was given",
        )
    if window is not None and (window.ndim != 1 or window.shape[0] != win):
        raise ShapeError(
            "Invalid window shape. window has to be 1D and length of `win_length`",
            why=f"`window` has shape {tuple(window.shape)}, `win_length` is {win}",
            fix=f"pass `window=torch.hann_window({win})`",
        )
    window = _centered_window(window, win, n_fft, input._array.real.dtype)
    x = input.unsqueeze(0) if input.ndim == 2 else input
    x = x.transpose(1, 2)
    norm = "ortho" if normalized else None
    if return_complex:
        if onesided:
            raise ShapeError(
                "Cannot have onesided output if window or input is complex",
                why="a complex signal has no half that follows from the other",
                fix="pass `onesided=False` here and to `torch.stft`",
            )
        frames = ifft(x, None, -1, norm)
    else:
        if window.is_complex():
            raise ShapeError(
                "Complex windows are incompatible with return_complex=False",
                why="a complex window makes a complex signal",
                fix="pass `return_complex=True`",
            )
        if not onesided:
            x = x[..., : n_fft // 2 + 1]
        frames = irfft(x, n_fft, -1, norm)
    count = frames.shape[1]
    total = n_fft + hop * (count - 1)
    frames = frames * window
    made = _refold(frames, dim=1, size=n_fft, step=hop, shape=(frames.shape[0], total))
    cover = _refold((window * window).expand((1, count, n_fft)), dim=1, size=n_fft, step=hop, shape=(1, total))
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    made, cover = made[:, start:end], cover[:, start:end]
    if float(np.abs(cover._array).min(initial=math.inf)) < 1e-11:
        raise ShapeError(
            "istft(...) window overlap add min: 1",
            why="some samples are covered by no window, or only by its zeros",
            fix="use a smaller hop_length or another window",
        )
    made = made / cover
    if end > total and length is not None:
        made = _padded(made, 0, end - total, "constant")
    return made.squeeze(0) if input.ndim == 2 else made
