"""Sampling at the places that a grid names: spatial transformers (Jaderberg et al. 2015)."""

from __future__ import annotations

import itertools
import math

import numpy as np

from ...errors import ArgumentError, DtypeError, NotSupported, ShapeError
from ...language import warn
from ...ops.entry import public
from ...ops.fused import constant, need_float, title
from ...ops.linalg import matmul
from ...ops.pooling import _take_flat
from ...ops.shape import need_tensor
from ...tensor import wrap

_MODES, _PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def _not_aligned():
    warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please specify "
        "align_corners=True if the old behavior is desired. See the documentation of grid_sample for details.",
        stacklevel=3,
    )
    return False


def affine_grid(theta, size, align_corners=None):
    """The grid that `grid_sample` needs for an affine map.

    Arguments:
        theta: (N, 2, 3) or (N, 3, 4) matrices. size: the output's (N, C, H, W) or (N, C, D, H, W).
        align_corners: -1 and 1 are the centres of the corner pixels, rather than the edges.
    Raises ValueError when theta's shape does not fit the size.

    Jaderberg et al., "Spatial Transformer Networks", 2015.

    >>> import flambeau as torch
    >>> theta = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> torch.nn.functional.affine_grid(theta, (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    if align_corners is None:
        align_corners = _not_aligned()
    need_tensor(theta, "affine_grid", "theta")
    size = list(size)
    if not theta.is_floating_point():
        raise ArgumentError(
            f"Expected theta to have floating point type, but got {theta.dtype}",
            why="coordinates are fractions between -1 and 1",
            fix="use `theta.float()`",
        )
    if len(size) not in (4, 5):
        raise NotSupported(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{size}.",
            why="the size is (N, C, H, W), or (N, C, D, H, W)",
            fix="use the input's own: `x.size()`",
        )
    n = len(size) - 2
    if theta.ndim != 3 or theta.shape[-2] != n or theta.shape[-1] != n + 1:
        shape = "Nx2x3" if n == 2 else "Nx3x4"
        raise ArgumentError(
            f"Expected a batch of {n}D affine matrices of shape {shape} for size {size}. Got {list(theta.shape)}.",
            why=f"each of the {n} coordinates has {n} factors and a shift",
            fix=f"use a theta of shape ({size[0]}, {n}, {n + 1})",
        )
    if min(size) <= 0:
        raise ArgumentError(
            f"Expected non-zero, positive output size. Got {size}",
            why="it is the size of the result",
            fix="use sizes of at least 1",
        )
    dtype = theta._array.dtype
    points = [_steps(s, align_corners) for s in size[2:]]
    # The last dimension comes first in a point: x, y, z.
    mesh = np.stack([*np.meshgrid(*points, indexing="ij")[::-1], np.ones(size[2:])], axis=-1)
    base = constant(mesh.reshape(-1, n + 1).astype(dtype), theta)
    return matmul(base, theta.mT).reshape(size[0], *size[2:], n)


def _steps(size, align_corners):
    if size == 1:
        return np.zeros(1)
    x = np.linspace(-1, 1, size)
    return x if align_corners else x * (size - 1) / size


@public("affine_grid_generator")
def _torch_affine_grid_generator(theta, size, align_corners):
    """The grid that grid_sample needs for an affine map."""
    return affine_grid(theta, size, align_corners)


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """The input's values at the places in `grid`, which run from -1 to 1 in each dimension.

    Arguments:
        grid: (N, Ho, Wo, 2) of (x, y), or (N, Do, Ho, Wo, 3) of (x, y, z).
        mode: "bilinear", "nearest" or "bicubic" (4-D input only).
        padding_mode: what lies outside: "zeros", "border" (the nearest edge) or "reflection".
        align_corners: -1 and 1 are the centres of the corner pixels, rather than the edges.
    Shapes: input (N, C, H, W) or (N, C, D, H, W) -> (N, C, *grid's places).

    >>> import flambeau as torch
    >>> grid = torch.tensor([[[[0.0, 0.0], [1.0, 0.0]]]])
    >>> torch.nn.functional.grid_sample(torch.tensor([[[[1.0, 3.0]]]]), grid, align_corners=True)
    tensor([[[[2., 3.]]]])
    """
    if mode not in _MODES:
        raise ArgumentError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'",
            why="the mode says how values between pixels are found",
            fix='use `mode="bilinear"`',
        )
    if padding_mode not in _PADDINGS:
        raise ArgumentError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'",
            why="the mode says what lies outside of the input",
            fix='use `padding_mode="zeros"`',
        )
    if align_corners is None:
        align_corners = _not_aligned()
    need_tensor(input, "grid_sampler")
    need_tensor(grid, "grid_sampler", "grid", 2)
    _check_grid(input, grid, mode)
    n = input.ndim - 2
    sizes = input.shape[2:]
    places = grid.shape[1:-1]
    flat = grid.reshape(grid.shape[0], math.prod(places), n)
    # Point coordinates come last dimension first.
    axes = [_pixels(flat.select(2, n - 1 - i), sizes[i], align_corners) for i in range(n)]
    planes = input.reshape(*input.shape[:2], math.prod(sizes))
    if mode != "bicubic":
        axes = [_folded(x, size, padding_mode, align_corners) for x, size in zip(axes, sizes)]
        taps = [_nearest_taps(x) if mode == "nearest" else _linear_taps(x) for x in axes]
        bound = lambda i, size: i
    else:
        taps = [_cubic_taps(x) for x in axes]
        bound = lambda i, size: _folded_array(i.astype(np.float64), size, padding_mode, align_corners)
    out = None
    for corner in itertools.product(*taps):
        weight, where, inside = None, 0, True
        for (i, w), size in zip(corner, sizes):
            i = bound(i, size)
            ok = (i >= 0) & (i < size)
            where = where * size + np.where(ok, i, 0).astype(np.int64)
            inside = inside & ok
            weight = w if weight is None else weight * w
        where = np.broadcast_to(where[:, None], (*planes.shape[:2], where.shape[1])).copy()
        picked = _take_flat(planes, wrap(where), n=1)
        mask = wrap(inside.astype(input._array.dtype))
        part = picked * (weight * mask).unsqueeze(1)
        out = part if out is None else out + part
    return out.reshape(*input.shape[:2], *places)


@public("grid_sampler")
def _torch_grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """grid_sample with its modes as numbers."""
    return grid_sample(input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners)


public("grid_sampler_2d")(_torch_grid_sampler)
public("grid_sampler_3d")(_torch_grid_sampler)


def _check_grid(input, grid, mode):
    need_float(input, "grid_sampler")
    if grid.dtype is not input.dtype:
        raise DtypeError(
            f"grid_sampler(): expected input and grid to have same dtype, but input has {title(input)} "
            f"and grid has {title(grid)}",
            why="positions in the grid are multiplied with values of the input",
            fix=f"use `grid.to({input.dtype})`",
        )
    if input.ndim not in (4, 5) or input.ndim != grid.ndim:
        raise ShapeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got "
            f"input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}",
            why="input is (N, C, H, W) with grid (N, H_out, W_out, 2), or one dimension more for each",
            fix="use `unsqueeze(0)` to add the missing batch dimension",
        )
    if input.shape[0] != grid.shape[0]:
        raise ShapeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}",
            why="each sample has its own grid",
            fix=f"use `grid.expand({input.shape[0]}, ...)` for one grid for all"
            if grid.shape[0] == 1
            else f"give {input.shape[0]} grids",
        )
    if grid.shape[-1] != input.ndim - 2:
        raise ShapeError(
            f"grid_sampler(): expected grid to have size {input.ndim - 2} in last dimension, but got grid "
            f"with sizes {list(grid.shape)}",
            why=f"each position has {input.ndim - 2} coordinates",
            fix="move the coordinates to the end, e.g. `grid.permute(0, 2, 3, 1)`"
            if grid.ndim == 4 and grid.shape[1] == 2
            else f"use a grid of shape (N, ..., {input.ndim - 2})",
        )
    if 0 in input.shape[2:]:
        raise ShapeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
            f"{list(input.shape)}",
            why="there is nothing to sample from",
            fix="find the layer before that shrinks the input to nothing, or start from larger inputs",
        )
    if mode == "bicubic" and input.ndim == 5:
        raise ShapeError(
            "grid_sampler(): bicubic interpolation only supports 4D input",
            why="the input has three spatial dimensions",
            fix='use `mode="bilinear"`, which is trilinear for these',
        )


def _pixels(x, size, align_corners):
    """From -1..1 to pixel numbers."""
    return (x + 1) * ((size - 1) / 2) if align_corners else ((x + 1) * size - 1) / 2


def _reflection(x, size, align_corners):
    """(sign, offset): where each number goes when mirrored into range, as sign * x + offset."""
    low, span = (0.0, float(size - 1)) if align_corners else (-0.5, float(size))
    if span == 0:
        return np.zeros_like(x), np.zeros_like(x)
    side = np.where(x < low, -1.0, 1.0)
    away = np.abs(x - low)
    flips = np.floor(away / span)
    even = flips % 2 == 0
    sign = np.where(even, side, -side)
    shift = flips * span
    # even: away - shift + low; odd: span - (away - shift) + low, with away = side * (x - low)
    offset = np.where(even, -shift + low, span + shift + low) - sign * low
    return sign.astype(x.dtype), offset.astype(x.dtype)


def _folded(x, size, padding_mode, align_corners):
    """Coordinates brought inside by the padding mode; differentiable."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        sign, offset = _reflection(x._array, size, align_corners)
        x = x * wrap(sign) + wrap(offset)
    a = x._array
    inside = (a > 0) & (a < size - 1)
    return x * wrap(inside.astype(a.dtype)) + wrap(np.where(inside, 0, np.clip(a, 0, size - 1)).astype(a.dtype))


def _folded_array(i, size, padding_mode, align_corners):
    if padding_mode == "zeros":
        return i
    if padding_mode == "reflection":
        sign, offset = _reflection(i, size, align_corners)
        i = sign * i + offset
    return np.clip(i, 0, size - 1)


def _nearest_taps(x):
    # A weight of 1 that depends on x only formally: the grid has a gradient, and it is 0.
    return [(np.rint(x._array), x.masked_fill(wrap(np.ones(x.shape, bool)), 1.0))]


def _linear_taps(x):
    low = np.floor(x._array)
    t = x - wrap(low)
    return [(low, 1 - t), (low + 1, t)]


def _cubic_taps(x, a=-0.75):
    low = np.floor(x._array)
    t = x - wrap(low)
    near = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1
    far = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return [(low - 1, far(t + 1)), (low, near(t)), (low + 1, near(1 - t)), (low + 2, far(2 - t))]
