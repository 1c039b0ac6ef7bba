"""What users hand over, as NumPy arrays: numbers, tensors, images in any order of dimensions, videos."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...errors import ArgumentTypeError, FailedAssertion, NotSupported
from ...kernels.record import listeners
from ...tensor import Tensor
from ...told import tell


def make_np(x: Any) -> np.ndarray:
    """A tensor, array or number as an array; a tensor's memory is not copied.

    >>> import flambeau as torch
    >>> from flambeau.utils.tensorboard.arrays import make_np
    >>> make_np(3.5), make_np(torch.ones(2, dtype=torch.bfloat16)).dtype
    (array([3.5]), dtype('float16'))
    """
    if isinstance(x, np.ndarray):
        return x
    if np.isscalar(x):
        return np.array([x])
    if isinstance(x, Tensor):
        if x.device.type == "meta":
            raise ArgumentTypeError(
                "a tensor on the meta device has no values to write",
                why="it has a shape and a dtype only",
                fix="write a tensor that was computed: make it on `cpu`",
            )
        if listeners:
            x._observed("SummaryWriter")  # a compiled step is not to leave this out
        return (x.half() if x.dtype.name == "bfloat16" else x)._array
    raise NotSupported(
        f"Got {type(x)}, but numpy array or torch tensor are expected.",
        why="numbers are written from tensors, arrays, and Python's own numbers",
        fix="use `torch.tensor(value)`",
    )


def numbers(x: Any) -> np.ndarray:
    """`make_np` of something that has to hold real numbers; lists of numbers, too."""
    array = np.asarray(x) if isinstance(x, (list, tuple)) and not any(isinstance(v, Tensor) for v in x) else make_np(x)
    if array.dtype.kind not in "biuf":
        raise ArgumentTypeError(
            f"real numbers are expected, but the dtype is {array.dtype}",
            why="TensorBoard shows real numbers",
            fix="use `x.abs()` for complex numbers, and convert strings first",
        )
    return array


def checked_tag(tag: Any) -> str:
    """The name under which something is shown."""
    if not isinstance(tag, str):
        raise ArgumentTypeError(
            f"a tag should be a string, but is {tag!r} of type {type(tag).__name__}",
            why="TensorBoard shows values under names such as 'loss/train'",
            fix=f"use `{str(tag)!r}`",
        )
    return written(tag)


def written(text: str) -> str:
    """A text as it can be written: half characters, as in names of files that are no Unicode, become question marks."""
    return text.encode("utf-8", "replace").decode()


# --------------------------------------------------------------------------------------------------------- images


def pixels(tensor: Any, dataformats: str) -> np.ndarray:
    """An image (or a batch, as a grid) as bytes [height, width, channels]; floats are taken as 0 to 1."""
    array = convert_to_HWC(numbers(tensor), dataformats)
    if array.shape[2] not in (1, 2, 3, 4):
        raise FailedAssertion(
            f"an image has 1, 3 or 4 channels, but there are {array.shape[2]}: the shape is {array.shape} "
            "as height, width, channels",
            why=f"`dataformats` is {dataformats!r}: it says what each dimension is",
            fix="give the order that the image has, such as `dataformats='HWC'`",
        )
    return as_bytes(array)


def as_bytes(array: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 as bytes; bytes as they are. What lies outside is cut off, and said."""
    if array.dtype == np.uint8:
        return array
    values = array.astype(np.float32)
    if values.size:
        low, high = float(values.min()), float(values.max())  # nan where there is any
        if not (-1e-3 <= low and high <= 1 + 1e-3):
            tell(
                "the values of an image should lie between 0 and 1 (or be of dtype uint8): there are values from "
                f"{low:g} to {high:g}, and what lies outside is cut off"
            )
            values = np.nan_to_num(values, nan=0.0, posinf=1.0, neginf=0.0)
    return (values * 255).clip(0, 255).astype(np.uint8)


def convert_to_HWC(tensor: np.ndarray, input_format: str) -> np.ndarray:  # noqa: N802 - PyTorch's name
    """An image in the order of dimensions `input_format`, as [height, width, channels]; a batch becomes a grid.

    >>> import numpy as np
    >>> from flambeau.utils.tensorboard.arrays import convert_to_HWC
    >>> convert_to_HWC(np.zeros((5, 3, 8, 9)), "NCHW").shape
    (8, 45, 3)
    """
    order = str(input_format).upper()
    if len(set(order)) != len(order):
        raise FailedAssertion(
            f"You can not use the same dimension shorthand twice. input_format: {input_format}",
            why="each letter stands for one dimension: N, C, H and W",
            fix="name each dimension once, such as 'NCHW'",
        )
    if len(tensor.shape) != len(order):
        raise FailedAssertion(
            "size of input tensor and input format are different. "
            f"tensor shape: {tensor.shape}, input_format: {input_format}",
            why=f"the image has {tensor.ndim} dimensions, and `dataformats` names {len(order)}",
            fix="use `add_images` for a batch, and `dataformats='HW'` for an image without channels",
        )
    wanted = {4: "NCHW", 3: "HWC", 2: "HW"}.get(len(order), "")
    if not wanted or set(order) != set(wanted):
        raise FailedAssertion(
            f"dataformats should name the dimensions by N, C, H and W, but is {input_format!r}",
            why="an image has a height, a width and perhaps channels; a batch of images a number besides",
            fix="use 'CHW', 'HWC', 'HW', 'NCHW' or 'NHWC'",
        )
    tensor = tensor.transpose([order.find(c) for c in wanted])
    if len(order) == 4:
        return make_grid(tensor).transpose(1, 2, 0)
    if len(order) == 2:
        return np.stack([tensor] * 3, 2)
    return np.concatenate([tensor] * 3, 2) if tensor.shape[2] == 1 else tensor


def make_grid(images: np.ndarray, ncols: int = 8) -> np.ndarray:
    """A batch [number, channels, height, width] as one image [3, height, width], so many to a row."""
    if images.ndim == 4 and images.shape[1] == 1:
        images = np.concatenate([images] * 3, 1)
    if images.ndim != 4 or images.shape[1] != 3:
        raise FailedAssertion(
            f"Input should be a 4D numpy array with 3 channels, but its shape is {images.shape}",
            why="a grid is made of images with 1 or 3 channels",
            fix="leave the fourth channel out, or give the order that the images have as `dataformats`",
        )
    count, channels, height, width = images.shape
    ncols = max(1, min(count, ncols))
    nrows = math.ceil(count / ncols)
    canvas = np.zeros((channels, height * nrows, width * ncols), images.dtype)
    for i, image in enumerate(images):
        y, x = divmod(i, ncols)
        canvas[:, y * height : (y + 1) * height, x * width : (x + 1) * width] = image
    return canvas


def frames(tensor: Any) -> np.ndarray:
    """A batch of videos [number, time, channels, height, width] as frames of bytes [time, height, width, channels].

    The videos stand side by side in each frame, in a grid whose number of places is a power of two (as PyTorch's).
    """
    videos = numbers(tensor)
    if videos.ndim != 5 or videos.shape[2] not in (1, 3) or 0 in videos.shape:
        raise FailedAssertion(
            f"a video should have the shape (N, T, C, H, W) with 1 or 3 channels, but has {videos.shape}",
            why="N videos of T frames stand side by side",
            fix="use `video.unsqueeze(0)` for a single one, and `video.permute(...)` for another order",
        )
    videos = as_bytes(videos)
    count, time, channels, height, width = videos.shape
    places = 1 << (count - 1).bit_length()
    if places != count:
        videos = np.concatenate([videos, np.zeros((places - count, *videos.shape[1:]), np.uint8)])
    rows = 2 ** ((count.bit_length() - 1) // 2)
    grid = videos.reshape(rows, places // rows, time, channels, height, width).transpose(2, 0, 4, 1, 5, 3)
    made = grid.reshape(time, rows * height, places // rows * width, channels)
    return np.concatenate([made] * 3, 3) if channels == 1 else made
