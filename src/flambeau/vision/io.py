"""Images from files and into files, as tensors of bytes (C, H, W)."""

import io
import os
from enum import Enum
from pathlib import Path

import numpy as np

import flambeau as fb

from ..errors import ArgumentError, DtypeError, ShapeError, StateError
from ._pillow import pillow
from .datasets.utils import atomic_file

__all__ = [
    "ImageReadMode", "decode_gif", "decode_image", "decode_jpeg", "decode_png", "decode_webp", "encode_jpeg",
    "encode_png", "read_file", "read_image", "write_file", "write_jpeg", "write_png",
]  # fmt: skip


class ImageReadMode(Enum):
    """What to convert an image to when it is read."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_MODES = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}


def read_file(path: str):
    """The bytes of a file, as a uint8 tensor."""
    return fb.from_numpy(np.fromfile(path, np.uint8))


def write_file(filename: str, data) -> None:
    """Write a one-dimensional uint8 tensor to a file."""
    if data.dtype != fb.uint8 or data.ndim != 1:
        raise StateError(
            f"Input data should be a 1-dimensional uint8 tensor, got {data.ndim}-d {data.dtype}",
            why="it holds the bytes of a file",
            fix="use `encode_png(image)` or `encode_jpeg(image)` to write a picture",
        )
    with atomic_file(filename) as file:
        file.write(data.numpy().tobytes())


def _mode(mode) -> ImageReadMode:
    return ImageReadMode[mode.upper()] if isinstance(mode, str) else ImageReadMode(mode)


def decode_image(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False):
    """An encoded image (a uint8 tensor, or the path of a file) as a uint8 tensor (C, H, W).

    Arguments:
        mode: what to convert to, e.g. ``ImageReadMode.RGB`` or "RGB". Default: what is in the file.
        apply_exif_orientation: turn the picture as its EXIF data say.

    Errors: RuntimeError for data that is no image; FileNotFoundError for a missing file.
    """
    if isinstance(input, (str, os.PathLike)):
        input = read_file(str(input))
    if not isinstance(input, fb.Tensor) or input.dtype != fb.uint8 or input.ndim != 1 or input.numel() == 0:
        raise StateError(
            "Expected a non empty 1-dimensional tensor of dtype torch.uint8",
            why="it holds the bytes of a picture file",
            fix="give the path, or `read_file(path)`",
        )
    wanted = _MODES.get(_mode(mode))
    try:
        image = pillow().Image.open(io.BytesIO(input.numpy().tobytes()))
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise StateError(
            f"Unsupported image file: {error}",
            why="Pillow reads PNG, JPEG, WebP, GIF, BMP, TIFF and others",
            fix="open the file in another program: it may be damaged, or no picture",
        ) from error
    if apply_exif_orientation:
        image = pillow().ImageOps.exif_transpose(image)
    if wanted is not None:
        image = image.convert(wanted)
    elif image.mode in ("P", "1", "CMYK", "YCbCr", "HSV"):
        image = image.convert({"1": "L", "P": "RGBA" if "transparency" in image.info else "RGB"}.get(image.mode, "RGB"))
    a = np.array(image)
    a = a[:, :, None] if a.ndim == 2 else a
    return fb.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1)))


def read_image(path: str, mode=ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False):
    """The image in a file as a uint8 tensor (C, H, W); see `decode_image`."""
    return decode_image(read_file(path), mode, apply_exif_orientation)


def decode_png(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False):
    """See `decode_image`."""
    return decode_image(input, mode, apply_exif_orientation)


def decode_jpeg(input, mode=ImageReadMode.UNCHANGED, device="cpu", apply_exif_orientation: bool = False):
    """See `decode_image`; a list of tensors gives a list."""
    if isinstance(input, list):
        return [decode_image(one, mode, apply_exif_orientation) for one in input]
    return decode_image(input, mode, apply_exif_orientation)


def decode_webp(input, mode=ImageReadMode.UNCHANGED):
    """See `decode_image`."""
    return decode_image(input, mode)


def decode_gif(input):
    """See `decode_image`; the frames of an animation are stacked, (N, 3, H, W)."""
    image = pillow().Image.open(io.BytesIO(input.numpy().tobytes()))
    frames = []
    for k in range(getattr(image, "n_frames", 1)):
        image.seek(k)
        frames.append(np.array(image.convert("RGB")).transpose(2, 0, 1))
    return fb.from_numpy(np.stack(frames) if len(frames) > 1 else np.ascontiguousarray(frames[0]))


def _encode(input, name: str, **options):
    if not isinstance(input, fb.Tensor) or input.dtype != fb.uint8:
        raise DtypeError(
            f"Input tensor dtype should be uint8, got {getattr(input, 'dtype', type(input))}",
            why="a picture file holds a byte per pixel and channel",
            fix="use `(image * 255).to(torch.uint8)` for an image in 0 to 1",
        )
    if input.ndim != 3 or input.shape[0] not in (1, 3):
        raise ShapeError(
            f"The number of channels should be 1 or 3, got a tensor of shape {list(input.shape)}",
            why="an image is (channels, height, width), grey or red-green-blue",
            fix="use `image.unsqueeze(0)` for a grey one without channels"
            if input.ndim == 2
            else ("use `image.permute(2, 0, 1)` if the channels come last, or `image[:3]` to leave out transparency"),
        )
    a = input.numpy()
    image = pillow().Image.fromarray(a[0] if len(a) == 1 else np.ascontiguousarray(a.transpose(1, 2, 0)))
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return fb.from_numpy(np.frombuffer(buffer.getvalue(), np.uint8).copy())


def encode_png(input, compression_level: int = 6):
    """A uint8 tensor (1 or 3, H, W) as the bytes of a PNG file."""
    if not 0 <= compression_level <= 9:
        raise StateError(
            "Compression level should be between 0 and 9",
            why=f"it is {compression_level}",
            fix="use `compression_level=6`",
        )
    return _encode(input, "PNG", compress_level=compression_level)


def encode_jpeg(input, quality: int = 75):
    """A uint8 tensor (1 or 3, H, W), or a list of them, as the bytes of JPEG files."""
    if not 1 <= quality <= 100:
        raise ArgumentError(
            "Image quality should be a positive number between 1 and 100",
            why=f"it is {quality}",
            fix="use `quality=75`",
        )
    if isinstance(input, list):
        return [_encode(one, "JPEG", quality=quality) for one in input]
    return _encode(input, "JPEG", quality=quality)


def write_png(input, filename: str | Path, compression_level: int = 6) -> None:
    """Write a uint8 tensor (1 or 3, H, W) to a PNG file."""
    write_file(str(filename), encode_png(input, compression_level))


def write_jpeg(input, filename: str | Path, quality: int = 75) -> None:
    """Write a uint8 tensor (1 or 3, H, W) to a JPEG file."""
    write_file(str(filename), encode_jpeg(input, quality))
