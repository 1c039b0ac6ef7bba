"""unfold and fold: sliding blocks as columns, and columns summed back into an image."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ShapeError
from .entry import primitive
from .shape import need_tensor
from .sliding import kernel_offsets, per_dim, positions_of, result_size, sliding_windows, with_padding


def _unfold_array(input, kernel, dilation, padding, stride):
    size = result_size(input.shape[2:], kernel, stride, padding, dilation)
    n, c = input.shape[:2]
    view = sliding_windows(with_padding(input, padding), kernel, stride, dilation, size)
    return np.ascontiguousarray(view).reshape(n, c * math.prod(kernel), math.prod(size))


def _fold_array(input, shape, kernel, dilation, padding, stride):
    size = result_size(shape, kernel, stride, padding, dilation)
    n, c = input.shape[0], input.shape[1] // math.prod(kernel)
    full = np.zeros((n, c, *[m + 2 * p for m, p in zip(shape, padding)]), input.dtype)
    blocks = input.reshape(n, c, *kernel, *size)
    for offset in kernel_offsets(kernel):
        full[(slice(None), slice(None), *positions_of(offset, stride, dilation, size))] += blocks[
            (slice(None), slice(None), *offset)
        ]
    return np.ascontiguousarray(full[(slice(None), slice(None), *[slice(p, p + m) for p, m in zip(padding, shape)])])


_unfold = primitive(
    "im2col",
    _unfold_array,
    vjp={
        "input": lambda g, input_shape, kernel, dilation, padding, stride: _fold(
            g, shape=tuple(input_shape[2:]), kernel=kernel, dilation=dilation, padding=padding, stride=stride
        )
    },
)
_fold = primitive(
    "col2im",
    _fold_array,
    vjp={
        "input": lambda g, kernel, dilation, padding, stride: _unfold(
            g, kernel=kernel, dilation=dilation, padding=padding, stride=stride
        )
    },
)


def _positive(name, values, what):
    if any(v <= 0 for v in values):
        raise ShapeError(
            f"{what} should be greater than zero, but got {what}_height: {values[0]} {what}_width: {values[-1]}",
            why=f"the numbers are {tuple(values)}",
            fix="pass numbers of 1 or more",
        )


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """Sliding blocks as columns. input: (N, C, H, W) or (C, H, W); result: (N, C * R * S, blocks)."""
    need_tensor(input, "unfold")
    kernel, dilation, padding, stride = (
        per_dim(v, 2, w) for v, w in ((kernel_size, "kernel_size"), (dilation, "dilation"), (padding, "padding"),
                                       (stride, "stride"))
    )  # fmt: skip
    for values, what in ((kernel, "kernel"), (dilation, "dilation"), (stride, "stride")):
        _positive("im2col", values, what)
    if any(p < 0 for p in padding):
        raise ShapeError(
            f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}",
            why=f"the padding is {tuple(padding)}",
            fix="cut the input instead: `F.pad(x, (-1, -1))`",
        )
    if input.ndim not in (3, 4) or any(s == 0 for s in input.shape[-3:]):
        raise ShapeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions "
            f"for input, but got: {list(input.shape)}",
            why="blocks are cut out of images: their dimensions are batch, channel, height and width",
            fix="use `x[None, None]` for one image of one channel",
        )
    batched = input if input.ndim == 4 else input.unsqueeze(0)
    size = result_size(batched.shape[2:], kernel, stride, padding, dilation)
    if any(m < 1 for m in size):
        raise ShapeError(
            f"Given input with spatial size ({', '.join(map(str, batched.shape[2:]))}), kernel_size="
            f"{kernel}, dilation={dilation}, padding={padding}, stride={stride}, calculated shape of the "
            f"array of sliding blocks as {size}, but its components must be at least one.",
            why="the kernel does not fit in the input",
            fix="use a smaller kernel, or more padding",
        )
    out = _unfold(batched, kernel=kernel, dilation=dilation, padding=padding, stride=stride)
    return out if input.ndim == 4 else out.squeeze(0)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns summed back into an image; the adjoint of `unfold`. input: (N, C * R * S, blocks)."""
    need_tensor(input, "fold")
    shape, kernel, dilation, padding, stride = (
        per_dim(v, 2, w)
        for v, w in (
            (output_size, "output_size"), (kernel_size, "kernel_size"), (dilation, "dilation"), (padding, "padding"),
            (stride, "stride"),
        )
    )  # fmt: skip
    for values, what in ((kernel, "kernel"), (dilation, "dilation"), (stride, "stride")):
        _positive("col2im", values, what)
    if any(p < 0 for p in padding):
        raise ShapeError(
            f"padding should be non-negative, but got pad_height: {padding[0]} pad_width: {padding[1]}",
            why=f"the padding is {tuple(padding)}",
            fix="cut the output instead",
        )
    if input.ndim not in (2, 3):
        raise ShapeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero "
            f"dimensions for input, but got: {list(input.shape)}",
            why="its dimensions are batch, values of a block and blocks",
            fix="use `x[None]` for one without a batch",
        )
    batched = input if input.ndim == 3 else input.unsqueeze(0)
    block = math.prod(kernel)
    if batched.shape[1] % block:
        raise ShapeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={batched.shape[1]} and kernel_size=({kernel[0]}, {kernel[1]}).",
            why=f"each block holds {block} value(s) of each channel",
            fix=f"pass another `kernel_size`, or {batched.shape[1] // block * block} values",
        )
    blocks = math.prod(result_size(shape, kernel, stride, padding, dilation))
    if batched.shape[2] != blocks or min(result_size(shape, kernel, stride, padding, dilation)) < 1:
        raise ShapeError(
            f"Given output_size=({shape[0]}, {shape[1]}), kernel_size=({kernel[0]}, {kernel[1]}), "
            f"dilation=({dilation[0]}, {dilation[1]}), padding=({padding[0]}, {padding[1]}), stride=({stride[0]}, "
            f"{stride[1]}), expected size of input's dimension 2 to match the calculated number of sliding "
            f"blocks, but got input.size(2)={batched.shape[2]}.",
            why=f"{blocks} blocks of this size cover the output",
            fix="pass as `output_size` the height and width that `F.unfold` was given",
        )
    out = _fold(batched, shape=shape, kernel=kernel, dilation=dilation, padding=padding, stride=stride)
    return out if input.ndim == 3 else out.squeeze(0)
