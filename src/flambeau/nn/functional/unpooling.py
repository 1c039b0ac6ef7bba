"""Fractional max pooling (random windows), and unpooling: the way back from maxima."""

from __future__ import annotations

import math

import numpy as np

from ...errors import ArgumentError, DtypeError, ShapeError
from ...generator import default_generator
from ...ops import pooling as P
from ...ops.fused import need_float, title
from ...ops.join import cat
from ...ops.shape import need_tensor
from .pooling import _each


def _starts(sample, size, kernel, out):
    """Where pseudo-random windows begin (Graham 2014): steps of about (size - kernel) / (out - 1)."""
    if out == 1:
        return np.array([size - kernel])
    alpha = (size - kernel) / (out - 1)
    i = np.arange(out - 1)
    found = np.floor((i + sample) * alpha).astype(np.int64) - math.floor(sample * alpha)
    return np.append(found, size - kernel)


def _fractional(input, n, kernel_size, output_size, output_ratio, indices, samples):
    name = f"fractional_max_pool{n}d"
    need_tensor(input, name)
    if output_size is None and output_ratio is None:
        raise ArgumentError(
            f"{name} requires specifying either an output_size or an output_ratio",
            why="nothing says how large the result is",
            fix="use `output_ratio=0.5`",
        )
    if output_size is None:
        ratio = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * n
        if len(ratio) > n or any(not 0 < r < 1 for r in ratio):
            if len(ratio) > n:
                raise ArgumentError(
                    f"{name} requires output_ratio to either be a single Int or tuple of Ints.",
                    why=f"it has {len(ratio)} numbers, and {n} dimensions are pooled",
                    fix=f"use `output_ratio={ratio[-1]}`, or a tuple of {n} numbers",
                )
            if any(not 0 < r < 1 for r in ratio):
                raise ArgumentError(
                    f"output_ratio must be between 0 and 1 (got {output_ratio})",
                    why="it is the size of the result as a part of the input's",
                    fix="use `output_ratio=0.5` for half the size",
                )
        output_size = [int(size * r) for size, r in zip(input.shape[-n:], ratio)]
    outs = _each(output_size, n, "output_size", name)
    kernel = _each(kernel_size, n, "kernel_size", name)
    if input.ndim not in (n + 1, n + 2):
        raise ShapeError(
            f"{name}_out(): Expected {n + 1}D or {n + 2}D tensor, but got: {list(input.shape)}",
            why=f"the last {n} dimension(s) are pooled, channels come before them",
            fix="use `x.unsqueeze(0)` to add a missing channel or batch dimension",
        )
    if 0 in input.shape[input.ndim - n - 1 :]:
        raise ShapeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but got {list(input.shape)}",
            why="there is nothing to take a maximum of",
            fix="find the layer before that shrinks the input to nothing, or start from larger inputs",
        )
    sizes = input.shape[-n:]
    for word, size, k, out in zip(("time", "height", "width")[3 - n :], sizes, kernel, outs):
        if out + k - 1 > size:
            raise ShapeError(
                f"{name}_out(): pool time {k} too large relative to input time {size}"
                if word == "time"
                else f"{name}_out(): pool height {k} too large relative to input height {size}"
                if word == "height"
                else f"{name}_out(): pool width {k} too large relative to input width {size}",
                why=f"{out} windows of {k} take at least {out + k - 1} elements",
                fix=f"use an output_size of at most {size - k + 1} there",
            )
    need_float(input, name)
    batch = input if input.ndim == n + 2 else input.unsqueeze(0)
    planes, channels = batch.shape[:2]
    if samples is None:
        draws = default_generator.uniform(planes * channels * n, dtype=np.float32).reshape(planes, channels, n)
    else:
        draws = samples._array
    windows = []
    # Each plane has windows of its own. In two dimensions the last one uses the first sample, as in PyTorch.
    for axis, (size, k, out) in enumerate(zip(sizes, kernel, outs)):
        sample = draws[..., n - 1 - axis if n == 2 else axis]
        starts = np.stack([_starts(float(s), size, k, out) for s in sample.reshape(-1)]) if sample.size else (
            np.zeros((0, out), np.int64))  # fmt: skip
        windows.append(starts[:, :, None] + np.arange(k))
    found = [
        P._window_max(batch[i : i + 1, c : c + 1], windows=tuple([w[i * channels + c] for w in windows]))
        for i in range(planes) for c in range(channels)
    ]  # fmt: skip
    shape = (*input.shape[: input.ndim - n], *outs)
    if not found:
        empty = input.new_zeros(shape)
        return (empty, empty.long()) if indices else empty
    values = _stacked([v for v, _ in found], shape)
    return (values, _stacked([p for _, p in found], shape)) if indices else values


def _stacked(parts, shape):
    return cat(parts, 0).reshape(shape)


def fractional_max_pool2d(input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
                          _random_samples=None):  # fmt: skip
    """The maximum over windows at pseudo-random places, so many that the output has the size asked for (Graham 2014).

    output_size, or output_ratio of the input's size between 0 and 1: one of them.

    >>> import flambeau as torch
    >>> torch.nn.functional.fractional_max_pool2d(torch.rand(1, 3, 8, 8), 2, output_size=5).shape
    torch.Size([1, 3, 5, 5])
    """
    return _fractional(input, 2, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
                          _random_samples=None):  # fmt: skip
    """`fractional_max_pool2d` over three dimensions.

    >>> import flambeau as torch
    >>> torch.nn.functional.fractional_max_pool3d(torch.rand(1, 3, 8, 8, 8), 2, output_ratio=0.5).shape
    torch.Size([1, 3, 4, 4, 4])
    """
    return _fractional(input, 3, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool2d_with_indices(input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
                                       _random_samples=None):  # fmt: skip
    """(maxima, positions of the maxima)."""
    return _fractional(input, 2, kernel_size, output_size, output_ratio, True, _random_samples)


def fractional_max_pool3d_with_indices(input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
                                       _random_samples=None):  # fmt: skip
    """(maxima, positions of the maxima)."""
    return _fractional(input, 3, kernel_size, output_size, output_ratio, True, _random_samples)


# ---------------------------------------------------------------------- unpooling


def _unpool(input, indices, n, kernel_size, stride, padding, output_size):
    name = f"max_unpool{n}d"
    need_tensor(input, name)
    need_tensor(indices, name, "indices", 2)
    kernel = _each(kernel_size, n, "kernel_size", name)
    stride = kernel if stride is None or stride == () or stride == [] else _each(stride, n, "stride", name)
    padding = _each(padding, n, "padding", name)
    if indices.dtype.name != "int64":
        raise DtypeError(
            f"elements in indices should be type int64 but got: {title(indices)}",
            why="they are the positions of the maxima",
            fix="use those that `max_pool` returns with `return_indices=True`",
        )
    if input.ndim not in (n + 1, n + 2):
        raise ShapeError(
            f"Input to {name} should be a {n + 1}d or {n + 2}d Tensor",
            why=f"the last {n} dimension(s) are unpooled; the input has shape {tuple(input.shape)}",
            fix="use `x.unsqueeze(0)` to add a missing channel or batch dimension",
        )
    if indices.shape != input.shape:
        raise ShapeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}",
            why="each value goes to its own position",
            fix="use the indices that pooling of this very layer returned",
        )
    if any(s <= 0 for s in stride):
        raise ShapeError(
            f"strides should be greater than zero, but got stride: {list(stride)}",
            why="it is the distance between the windows",
            fix="leave it out to use kernel_size",
        )
    default = [(size - 1) * s - 2 * p + k for size, k, s, p in zip(input.shape[-n:], kernel, stride, padding)]
    if output_size is None:
        sizes = default
    else:
        sizes = list(output_size)[-n:] if len(output_size) in (n, n + 2) else list(output_size)
        if len(sizes) != n:
            raise ArgumentError(
                f"output_size should be a sequence containing {n} or {n + 2} elements, but it has a length of "
                f"'{len(output_size)}'",
                why=f"{n} dimensions are unpooled",
                fix="use the size of what was pooled: `x.size()`",
            )
        low, high = [d - s for d, s in zip(default, stride)], [d + s for d, s in zip(default, stride)]
        if any(not a < size < b for a, size, b in zip(low, sizes, high)):
            off = next(i for i, (size, a, b) in enumerate(zip(sizes, low, high)) if not a < size < b)
            raise ArgumentError(
                f'invalid output_size "{sizes}" (dim {off} must be between {low[off]} and {high[off]})',
                why=f"pooling a size with stride {stride[off]} gives {input.shape[off - n]} only from sizes in between",
                fix=f"use the size of what was pooled, or leave it out for {default}",
            )
    at = indices._array
    count = math.prod(sizes)
    if at.size and not indices.is_meta and (at.min() < 0 or at.max() >= count):
        bad = int(at.min() if at.min() < 0 else at.max())
        raise ShapeError(
            f"Found an invalid max index: {bad} (output volumes are of size {'x'.join(map(str, sizes))}"
            if n == 3
            else f"max_unpool2d(): found an invalid max index: {bad} (output volumes are of size {count}",
            why=f"the result has {count} elements, and an index is the position of a maximum among them",
            fix="use the indices that pooling of this very layer returned, and the size of what was pooled as "
            "output_size",
        )
    return P._unpool(input, indices, sizes=tuple(sizes))


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """The maxima put back at their positions among zeros: undoes `max_pool1d` in part.

    Arguments:
        indices: what max_pool1d returned with return_indices=True; the other arguments as given to it.
        output_size: settles the size where several inputs give one output.

    >>> import flambeau as torch
    >>> torch.nn.functional.max_unpool1d(torch.tensor([[3.0, 5.0]]), torch.tensor([[1, 2]]), 2)
    tensor([[0., 3., 5., 0.]])
    """
    return _unpool(input, indices, 1, kernel_size, stride, padding, output_size)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """`max_unpool1d` over two dimensions.

    >>> import flambeau as torch
    >>> out, indices = torch.nn.functional.max_pool2d(torch.rand(1, 1, 4, 4), 2, return_indices=True)
    >>> torch.nn.functional.max_unpool2d(out, indices, 2).shape
    torch.Size([1, 1, 4, 4])
    """
    return _unpool(input, indices, 2, kernel_size, stride, padding, output_size)


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """`max_unpool1d` over three dimensions.

    >>> import flambeau as torch
    >>> out, indices = torch.nn.functional.max_pool3d(torch.rand(1, 1, 4, 4, 4), 2, return_indices=True)
    >>> torch.nn.functional.max_unpool3d(out, indices, 2).shape
    torch.Size([1, 1, 4, 4, 4])
    """
    return _unpool(input, indices, 3, kernel_size, stride, padding, output_size)
