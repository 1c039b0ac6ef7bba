"""Windows that slide over arrays: padding, views of windows, sizes of results; for convolutions and fold."""

from __future__ import annotations

import numpy as np

from ..errors import ShapeError


def with_padding(x, padding):
    """`x` with zeros around its spatial dimensions."""
    if not any(padding):
        return x
    out = np.zeros((*x.shape[:2], *[n + 2 * p for n, p in zip(x.shape[2:], padding)]), x.dtype)
    out[(slice(None), slice(None), *[slice(p, p + n) for n, p in zip(x.shape[2:], padding)])] = x
    return out


def sliding_windows(x, kernel, stride, dilation, size):
    """The view of a padded array [..., *spatial] as [..., *kernel, *size]: each weight's row of inputs.

    The geometry never leaves `x`: `size` was computed from its spatial dimensions.
    """
    lead = x.ndim - len(kernel)
    steps = x.strides[lead:]
    return np.lib.stride_tricks.as_strided(
        x,
        (*x.shape[:lead], *kernel, *size),
        (*x.strides[:lead], *[s * d for s, d in zip(steps, dilation)], *[s * t for s, t in zip(steps, stride)]),
    )


def result_size(spatial, kernel, stride, padding, dilation) -> tuple[int, ...]:
    """Spatial sizes of a convolution's result."""
    return tuple([
        (n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(spatial, kernel, stride, padding, dilation)
    ])  # fmt: skip


def kernel_offsets(kernel):
    """Every position inside the kernel."""
    return np.ndindex(*kernel)


def positions_of(offset, stride, dilation, size):
    """The inputs that weight `offset` meets, as a subscript of the padded spatial dimensions."""
    return tuple([
        slice(o * d, o * d + (n - 1) * s + 1, s) for o, d, s, n in zip(offset, dilation, stride, size)
    ])  # fmt: skip


def per_dim(value, n, name):
    """An argument given once or per dimension, as a tuple of n ints."""
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            value = tuple(value) * n
        if len(value) != n:
            raise ShapeError(
                f"expected {name} to be a single integer value or a list of {n} values to match the "
                f"convolution dimensions, but got {name}={list(value)}",
                why=f"there are {n} spatial dimension(s), and each has its own number",
                fix=f"pass one number for all, or {n} of them",
            )
        return tuple([v.__index__() for v in value])
    return (value.__index__(),) * n
