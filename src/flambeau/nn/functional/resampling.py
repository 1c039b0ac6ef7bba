"""Images and volumes resized, and sampled at arbitrary places."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError, NotSupported, ShapeError
from ...language import warn
from ...ops.fused import constant, need_float
from ...ops.linalg import matmul
from ...ops.padding import _take_axis
from ...ops.shape import need_tensor
from .pooling import _adaptive_avg

_SMOOTH = {"linear": 3, "bilinear": 4, "trilinear": 5, "bicubic": 4}
DENSE = 256  # up to this size a dimension is resized by a matrix product; beyond, by a few weighted copies
_SHARP = ("nearest", "area", "nearest-exact")


def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None,
                antialias=False):  # fmt: skip
    """The input resized to `size`, or by `scale_factor`, over all dimensions after the first two.

    Arguments:
        mode: "nearest", "nearest-exact" (rounds to the middle of pixels, as other libraries do), "linear" (3
            dimensions), "bilinear", "bicubic" (4), "trilinear" (5), "area" (means).
        align_corners: corners of the input fall on corners of the output, rather than edges on edges.
        recompute_scale_factor: use the ratio of the sizes rather than the scale_factor given.
        antialias: smooth before making smaller; bilinear and bicubic only.
    Shapes: (N, C, *).

    >>> import flambeau as torch
    >>> torch.nn.functional.interpolate(torch.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    need_tensor(input, "interpolate")
    n = input.ndim - 2
    if mode in _SHARP and align_corners is not None:
        raise ArgumentError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | "
            "trilinear",
            why=f"mode {mode!r} copies pixels and interpolates nothing, so corners cannot be aligned",
            fix='leave align_corners out, or use `mode="bilinear"`',
        )
    sizes, scales = _sizes(input, size, scale_factor, recompute_scale_factor, n)
    if antialias and not (mode in ("bilinear", "bicubic") and n == 2):
        raise ArgumentError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input",
            why=f"mode is {mode!r}, and the input has {input.ndim} dimensions",
            fix='use `mode="bilinear"` with an input of shape (N, C, H, W), or leave antialias out',
        )
    if not 1 <= n <= 3 or (mode not in _SHARP and mode not in _SMOOTH):
        raise NotSupported(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the modes: nearest | "
            f"linear | bilinear | bicubic | trilinear | area | nearest-exact (got {mode})",
            why=(
                f"the input has shape {tuple(input.shape)}; dimensions 0 and 1 are batch and channels, and "
                "those after are resized"
            )
            if not 1 <= n <= 3
            else "the mode says how values between pixels are found",
            fix="use `x.unsqueeze(0)` to add the missing dimension, and `squeeze(0)` after it"
            if n < 1
            else "use `x.flatten(...)` to leave at most three dimensions after the channels"
            if n > 3
            else 'use `mode="nearest"`',
        )
    if mode in _SMOOTH and _SMOOTH[mode] != input.ndim:
        raise NotSupported(
            f"Got {input.ndim}D input, but {mode} mode needs {_SMOOTH[mode]}D input",
            why=f"mode {mode!r} resizes {_SMOOTH[mode] - 2} dimension(s) after batch and channels",
            fix=f"use `mode={ {3: 'linear', 4: 'bilinear', 5: 'trilinear'}[input.ndim]!r}`",
        )
    if any(s <= 0 for s in sizes) or 0 in input.shape[1:]:
        raise ShapeError(
            "Input and output sizes should be greater than 0, but got input "
            f"({_listed(input.shape[2:])}) and output ({_listed(sizes)})",
            why="there is nothing to resize, or nothing to resize it to",
            fix="use sizes of at least 1; a scale_factor below 1 can round a small size down to 0",
        )
    if mode == "area":
        return _adaptive_avg(input, sizes, n)
    if mode in _SHARP:
        if input.dtype.name != "uint8":
            need_float(input, f"compute_indices_weights_{mode}")
        return _nearest(input, sizes, scales, mode == "nearest-exact")
    if input.dtype.name == "uint8":
        made = interpolate(input.float(), size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
        return made.round().clamp(0, 255).to(input.dtype)
    if not input.is_floating_point():
        need_float(input, f"compute_indices_weights_{mode}")
    out = input.float() if input.itemsize == 2 else input  # one rounding at the end, not one per dimension
    for axis, (wanted, scale) in enumerate(zip(sizes, scales), 2):
        have = input.shape[axis]
        if antialias:
            weights = _smooth_matrix(have, wanted, scale, mode, bool(align_corners))
        else:
            taps = _taps(have, wanted, scale, mode, bool(align_corners))
            if have > DENSE:
                out = _by_taps(out, taps, axis)
                continue
            weights = _matrix(have, wanted, taps)
        if have != wanted or not np.array_equal(weights, np.eye(have)):
            out = _along(out, weights.astype(out._array.dtype), axis)
    return out.to(input.dtype) if out is not input else input.clone()


def _listed(sizes):
    return ", ".join(f"{'HWD'[i] if len(sizes) > 1 else 'W'}: {s}" for i, s in enumerate(sizes))


def _sizes(input, size, scale_factor, recompute, n):
    """(output sizes, scale given for each dimension or None)"""
    if size is not None and scale_factor is not None:
        raise ArgumentError(
            "only one of size or scale_factor should be defined",
            why=f"size is {size} and scale_factor {scale_factor}, and both say how large the result is",
            fix="leave one of them out",
        )
    if size is None and scale_factor is None:
        raise ArgumentError(
            "either size or scale_factor should be defined",
            why="nothing says how large the result is",
            fix="use `scale_factor=2`, or `size=(height, width)`",
        )
    given = size if size is not None else scale_factor
    given = list(given) if isinstance(given, (tuple, list)) else [given] * n
    if len(given) != n:
        if size is not None:
            raise ArgumentError(
                "Input and output must have the same number of spatial dimensions, but got input with spatial "
                f"dimensions of {list(input.shape[2:])} and output size of {size}. Please provide input tensor in "
                "(N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format.",
                why=f"size has {len(given)} numbers, and {n} dimension(s) come after batch and channels",
                fix=f"use a size of {n} numbers, or `x.unsqueeze(0)` if the input lacks its batch dimension",
            )
        raise ArgumentError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input with spatial "
            f"dimensions of {list(input.shape[2:])} and scale_factor of shape {scale_factor}. Please provide input "
            "tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format.",
            why=f"scale_factor has {len(given)} numbers, and {n} dimension(s) come after batch and channels",
            fix="use one number for all dimensions, or `x.unsqueeze(0)` if the input lacks its batch dimension",
        )
    if size is not None:
        if recompute:
            raise ArgumentError(
                "recompute_scale_factor is not meaningful with an explicit size.",
                why="it asks for the size to be computed from scale_factor",
                fix="leave it out",
            )
        if any(isinstance(s, float) for s in given):
            raise ArgumentTypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, int], but got "
                f"size with types {[type(s) for s in given]}",
                why="sizes are counted in pixels",
                fix="use whole numbers, or `scale_factor` for fractions",
            )
        return [int(s) for s in given], [None] * n
    sizes = [math.floor(have * float(s)) for have, s in zip(input.shape[2:], given)]
    return sizes, [None] * n if recompute else [float(s) for s in given]


def _along(x, weights, axis):
    """A matrix (out, in) applied to one dimension."""
    w = constant(weights, x)
    if axis == x.ndim - 1:
        return matmul(x, w.mT)
    if axis == x.ndim - 2:
        return matmul(w, x)
    return matmul(x.movedim(axis, -1), w.mT).movedim(-1, axis)


def _by_taps(x, taps, axis):
    """The same as `_along` with the matrix of the taps."""
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    parts = [
        _take_axis(x, where=at, axis=axis) * constant(w.astype(x._array.dtype).reshape(shape), x) for at, w in taps
    ]  # fmt: skip
    return functools.reduce(operator.add, parts)


def _nearest(input, sizes, scales, exact):
    out = input
    for axis, (wanted, scale) in enumerate(zip(sizes, scales), 2):
        have = input.shape[axis]
        # In single precision, as PyTorch has it: it decides between neighbours.
        step = np.float32(1.0 / scale) if scale else np.float32(have) / np.float32(wanted)
        i = np.arange(wanted, dtype=np.float32)
        if have == wanted and not exact and not scale:
            continue
        where = np.floor((i + np.float32(0.5)) * step if exact else i * step).astype(np.int64)
        out = _take_axis(out, where=np.minimum(where, have - 1), axis=axis)
    return out if out is not input else input.clone()


def _source(wanted, have, scale, align_corners):
    """Where in the input each output lies."""
    i = np.arange(wanted, dtype=np.float64)
    if align_corners:
        return i * ((have - 1) / (wanted - 1) if wanted > 1 else 0.0)
    return (i + 0.5) * (1.0 / scale if scale else have / wanted) - 0.5


def _cubic(t, a):
    """Keys's kernel (1981) at distance |t|."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((t - 5) * t + 8) * t * a - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def _taps(have, wanted, scale, mode, align_corners):
    """[(input positions, weights), ...]: each output is the sum of a few inputs."""
    x = _source(wanted, have, scale, align_corners)
    if mode == "bicubic":
        base = np.floor(x)
        return [
            (np.clip(base + k, 0, have - 1).astype(np.int64), _cubic(x - base - k, -0.75)) for k in range(-1, 3)
        ]  # fmt: skip
    x = np.maximum(x, 0)
    low = np.minimum(x.astype(np.int64), have - 1)
    t = np.where(low < have - 1, x - low, 0)
    return [(low, 1 - t), (np.minimum(low + 1, have - 1), t)]


def _matrix(have, wanted, taps):
    """The weights of every input element in every output element, (out, in)."""
    weights = np.zeros((wanted, have))
    for where, w in taps:
        np.add.at(weights, (np.arange(wanted), where), w)
    return weights


def _smooth_matrix(have, wanted, scale, mode, align_corners):
    """As `_matrix`, with a kernel widened to the step where the output is smaller."""
    if align_corners:
        step = (have - 1) / (wanted - 1) if wanted > 1 else 0.0
    else:
        step = 1.0 / scale if scale else have / wanted
    radius = 2.0 if mode == "bicubic" else 1.0
    widen = max(step, 1.0)
    support = radius * widen
    weights = np.zeros((wanted, have))
    for i in range(wanted):
        centre = step * (i + 0.5)
        first, last = max(int(centre - support + 0.5), 0), min(int(centre + support + 0.5), have)
        t = (np.arange(first, last) - centre + 0.5) / widen
        w = _cubic(t, -0.5) if mode == "bicubic" else np.maximum(1 - np.abs(t), 0)
        weights[i, first:last] = w / w.sum()
    return weights


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The old name of `interpolate`.

    >>> import flambeau as torch
    >>> torch.nn.functional.upsample(torch.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """`interpolate` with mode "nearest".

    >>> import flambeau as torch
    >>> torch.nn.functional.upsample_nearest(torch.tensor([[[[1.0, 2.0]]]]), scale_factor=2)
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """
    warn("`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """`interpolate` with mode "bilinear" and aligned corners.

    >>> import flambeau as torch
    >>> torch.nn.functional.upsample_bilinear(torch.tensor([[[[1.0, 2.0]]]]), size=(1, 3))
    tensor([[[[1.0000, 1.5000, 2.0000]]]])
    """
    warn("`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)
