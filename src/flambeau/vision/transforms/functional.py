"""Image operations as functions: on PIL images, and on tensors of shape (..., C, H, W)."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from .._pillow import is_pil
from . import _pil, _resample
from ._adjust import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    adjust_sharpness,
    autocontrast,
    equalize,
    invert,
    posterize,
    rgb_to_grayscale,
    solarize,
    to_grayscale,
)  # fmt: skip
from ._check import pair
from ._convert import (
    PIL_CODES,
    InterpolationMode,
    array_of,
    convert_image_dtype,
    get_dimensions,
    get_image_num_channels,
    get_image_size,
    interpolation_mode,
    normalize,
    numpy_dtype,
    pil_to_tensor,
    scale_bytes,
    shift_and_scale,
    to_pil_image,
    to_tensor,
    wrap,
)  # fmt: skip

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
    "adjust_sharpness", "affine", "array_of", "autocontrast", "center_crop", "convert_image_dtype", "crop",
    "crop_array", "elastic_transform", "equalize", "erase", "five_crop", "gaussian_blur", "get_dimensions",
    "get_image_num_channels", "get_image_size", "hflip", "interpolation_mode", "invert", "normalize", "numpy_dtype",
    "pad", "pad_array", "perspective", "pil_to_tensor", "posterize", "resize", "resized_crop", "resized_size",
    "rgb_to_grayscale", "rotate", "scale_bytes", "shift_and_scale", "solarize", "ten_crop", "to_grayscale",
    "to_pil_image", "to_tensor", "vflip", "wrap",
]  # fmt: skip


def _warp_mode(mode) -> str:
    mode = interpolation_mode(mode)
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ArgumentError(
            f"This interpolation mode ({mode.value}) is unsupported with Tensor input",
            why="it is for PIL images",
            fix="use `InterpolationMode.BILINEAR`",
        )
    return mode.value


def _warp_fill(a: np.ndarray, fill):
    if fill is None:
        return None
    fill = [float(fill)] if isinstance(fill, (int, float)) else [float(f) for f in fill]
    if len(fill) not in (1, a.shape[-3]):
        raise ArgumentError(
            "The number of elements in 'fill' cannot broadcast to match the number of "
            f"channels of the image ({len(fill)} != {a.shape[-3]})",
            why="each channel is filled with its own number",
            fix=f"use one number, or {a.shape[-3]}",
        )
    return fill


def resized_size(height: int, width: int, size, max_size: int | None = None) -> tuple[int, int]:
    """Height and width after `resize` with these arguments."""
    if size is not None and isinstance(size, Sequence) and len(size) == 2:
        return int(size[0]), int(size[1])
    short, long = min(height, width), max(height, width)
    if size is None:
        if not isinstance(max_size, int):
            raise ArgumentError(
                f"max_size must be an integer when size is None, but got {max_size} instead.",
                why="nothing else says how large the result is",
                fix="use an int",
            )
        new_short, new_long = int(max_size * short / long), max_size
    else:
        new_short = int(size if isinstance(size, int) else size[0])
        new_long = int(new_short * long / short)
        if max_size is not None:
            if max_size <= new_short:
                raise ArgumentError(
                    f"max_size = {max_size} must be strictly greater than the requested "
                    f"size for the smaller edge size = {size}",
                    why="the larger edge is at least as long as the smaller one",
                    fix=f"use a max_size above {new_short}",
                )
            if new_long > max_size:
                new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_short, new_long) if height <= width else (new_long, new_short)


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size: int | None = None, antialias=True):
    """Resize to `size`: (height, width), or the length of the shorter edge.

    Arguments:
        max_size: limit of the longer edge, when `size` is one number.
        antialias: average over the pixels that fall together (PIL images always do).

    Example:
        >>> import flambeau as fb
        >>> resize(fb.zeros(3, 10, 20), 5).shape
        torch.Size([3, 5, 10])
    """
    mode = interpolation_mode(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ArgumentError(
                f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element tuple/list",
                why="it is the length of the smaller edge, or (height, width)",
                fix="use an int, or (height, width)",
            )
        if max_size is not None and len(size) != 1:
            raise ArgumentError(
                "max_size should only be passed if size specifies the length of the smaller edge, "
                "i.e. size should be an int or a sequence of length 1 in torchscript mode.",
                why=f"size {tuple(size)} says how long both edges are",
                fix="leave max_size out",
            )
    _, height, width = get_dimensions(img)
    new_height, new_width = resized_size(height, width, size, max_size)
    if (new_height, new_width) == (height, width):
        return img
    if is_pil(img):
        return img.resize((new_width, new_height), PIL_CODES[mode])
    if mode.value not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ArgumentError(
            "This interpolation mode is unsupported with Tensor input",
            why=f"{mode.value} is for PIL images",
            fix="use `InterpolationMode.BILINEAR`",
        )
    return wrap(_resample.resize(array_of(img), new_height, new_width, mode.value, bool(antialias)))


def _parse_padding(padding) -> list[int]:
    """Left, top, right, bottom."""
    if isinstance(padding, int):
        return [padding] * 4
    if not isinstance(padding, (list, tuple)):
        raise ArgumentTypeError(
            "Got inappropriate padding arg",
            why=f"it is {type(padding).__name__}",
            fix="use an int, or (left, top, right, bottom)",
        )
    padding = [int(p) for p in padding]
    if len(padding) not in (1, 2, 4):
        raise ArgumentError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple",
            why="it is one number for all sides, (left and right, top and bottom), or one for each side",
            fix="use (left, top, right, bottom)",
        )
    return padding if len(padding) == 4 else (padding * (4 // len(padding)))


def pad(img, padding, fill=0, padding_mode: str = "constant"):
    """Add a border.

    Arguments:
        padding: one width; or (left and right, top and bottom); or (left, top, right, bottom).
        padding_mode: constant (`fill`), edge, reflect or symmetric.

    Example:
        >>> import flambeau as fb
        >>> pad(fb.ones(1, 1, 1), 1)
        tensor([[[0., 0., 0.],
                 [0., 1., 0.],
                 [0., 0., 0.]]])
    """
    if not isinstance(padding_mode, str):
        raise ArgumentTypeError(
            "Got inappropriate padding_mode arg",
            why=f"it is {type(padding_mode).__name__}",
            fix='use "constant", "edge", "reflect" or "symmetric"',
        )
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ArgumentError(
            "Padding mode should be either constant, edge, reflect or symmetric",
            why=f"it is {padding_mode!r}",
            fix='use "constant", "edge", "reflect" or "symmetric"',
        )
    sides = _parse_padding(padding)
    if is_pil(img):
        return _pil.pad(img, sides, fill, padding_mode)
    return wrap(pad_array(array_of(img), sides, fill, padding_mode))


def pad_array(a: np.ndarray, sides, fill=0, padding_mode: Any = "constant") -> np.ndarray:
    """The border (left, top, right, bottom) around an array; negative widths cut."""
    left, top, right, bottom = sides
    h, w = a.shape[-2:]
    a = a[..., max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
    grow = [(0, 0)] * (a.ndim - 2) + [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    if padding_mode != "constant":
        return np.pad(a, grow, mode=padding_mode)
    if isinstance(fill, (list, tuple)) and len(fill) > 1:
        out = np.empty((*a.shape[:-2], *(n + sum(g) for n, g in zip(a.shape[-2:], grow[-2:], strict=True))), a.dtype)
        out[...] = np.asarray(fill).astype(a.dtype).reshape(-1, 1, 1)
        out[..., grow[-2][0] : grow[-2][0] + a.shape[-2], grow[-1][0] : grow[-1][0] + a.shape[-1]] = a
        return out
    value = fill[0] if isinstance(fill, (list, tuple)) else (fill or 0)
    return np.pad(a, grow, constant_values=a.dtype.type(value))


def crop(img, top: int, left: int, height: int, width: int):
    """The rectangle at (top, left); what lies outside the image is 0.

    Example:
        >>> import flambeau as fb
        >>> crop(fb.arange(9).view(1, 3, 3), 1, 1, 2, 2)
        tensor([[[4, 5],
                 [7, 8]]])
    """
    if is_pil(img):
        return img.crop((left, top, left + width, top + height))
    return wrap(crop_array(array_of(img), top, left, height, width))


def crop_array(a: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """The rectangle of an array, as a copy; zeros outside."""
    h, w = a.shape[-2:]
    inner = a[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if inner.shape[-2:] == (height, width):
        return inner.copy()
    sides = [
        min(max(-left, 0), width),
        min(max(-top, 0), height),
        max(left + width - max(w, left), 0),
        max(top + height - max(h, top), 0),
    ]
    return np.pad(inner, [(0, 0)] * (a.ndim - 2) + [(sides[1], sides[3]), (sides[0], sides[2])])


def center_crop(img, output_size):
    """The middle of the image; smaller images are padded with 0.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import center_crop
    >>> center_crop(torch.arange(16).view(1, 4, 4), [2, 2])
    tensor([[[ 5,  6],
             [ 9, 10]]])
    """
    height, width = pair(output_size, "Please provide only two dimensions (h, w) for size.")
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        sides = [
            (width - w) // 2 if width > w else 0,
            (height - h) // 2 if height > h else 0,
            (width - w + 1) // 2 if width > w else 0,
            (height - h + 1) // 2 if height > h else 0,
        ]
        img = pad(img, sides, fill=0)
        _, h, w = get_dimensions(img)
        if (width, height) == (w, h):
            return img
    return crop(img, round((h - height) / 2.0), round((w - width) / 2.0), height, width)


def resized_crop(
    img,
    top: int,
    left: int,
    height: int,
    width: int,
    size,
    interpolation=InterpolationMode.BILINEAR,
    antialias: bool | None = True,
):
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img):
    """Mirror left and right.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import hflip
    >>> hflip(torch.tensor([[[1, 2, 3]]]))
    tensor([[[3, 2, 1]]])
    """
    return img.transpose(0) if is_pil(img) else wrap(array_of(img)[..., ::-1])


def vflip(img):
    """Mirror top and bottom.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import vflip
    >>> vflip(torch.tensor([[[1], [2]]])).flatten()
    tensor([2, 1])
    """
    return img.transpose(1) if is_pil(img) else wrap(array_of(img)[..., ::-1, :])


def five_crop(img, size):
    """The four corners and the middle.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import five_crop
    >>> len(five_crop(torch.zeros(1, 4, 4), [2, 2]))
    5
    """
    height, width = pair(size, "Please provide only two dimensions (h, w) for size.")
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ArgumentError(
            f"Requested crop size {size} is bigger than input size {(h, w)}",
            why="there are too few pixels to cut from",
            fix="use `resize` before it",
        )
    corners = [(0, 0), (0, w - width), (h - height, 0), (h - height, w - width)]
    return (*(crop(img, top, left, height, width) for top, left in corners), center_crop(img, [height, width]))


def ten_crop(img, size, vertical_flip: bool = False):
    """`five_crop` of the image and of its mirror image."""
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def affine(
    img,
    angle: float,
    translate,
    scale: float,
    shear,
    interpolation=InterpolationMode.NEAREST,
    fill=None,
    center=None,
):
    """Rotate (degrees, clockwise), move (pixels), scale and shear (degrees) about the centre.

    Errors: TypeError or ValueError for arguments of the wrong kind.
    """
    mode = interpolation_mode(interpolation)
    if not isinstance(angle, numbers.Number):
        raise ArgumentTypeError(
            "Argument angle should be int or float",
            why=f"it is {type(angle).__name__}",
            fix="use degrees, such as `angle=30`",
        )
    if not isinstance(translate, (list, tuple)):
        raise ArgumentTypeError(
            "Argument translate should be a sequence",
            why=f"it is {type(translate).__name__}",
            fix="use pixels to the right and down: `translate=(5, 0)`",
        )
    if len(translate) != 2:
        raise ArgumentError(
            "Argument translate should be a sequence of length 2",
            why=f"it has length {len(translate)}",
            fix="use pixels to the right and down: `translate=(5, 0)`",
        )
    if scale <= 0.0:
        raise ArgumentError(
            "Argument scale should be positive",
            why=f"it is {scale}, by which the size is multiplied",
            fix="use `scale=1.0` to leave the size",
        )
    if isinstance(shear, numbers.Number):
        shear = [shear, 0.0]
    elif not isinstance(shear, (list, tuple)):
        raise ArgumentTypeError(
            "Shear should be either a single value or a sequence of two values",
            why=f"it is {type(shear).__name__}",
            fix="use degrees, such as `shear=10`",
        )
    shear = [shear[0], shear[0]] if len(shear) == 1 else list(shear)
    if len(shear) != 2:
        raise ArgumentError(
            f"Shear should be a sequence containing two values. Got {shear}",
            why="they are degrees along x and y",
            fix="use `shear=(10, 0)`",
        )
    if center is not None and not isinstance(center, (list, tuple)):
        raise ArgumentTypeError(
            "Argument center should be a sequence",
            why=f"it is {type(center).__name__}",
            fix="use (x, y) in pixels from the upper left corner",
        )
    _, height, width = get_dimensions(img)
    if is_pil(img):
        centre = [width * 0.5, height * 0.5] if center is None else center
        matrix = _resample.inverse_affine_matrix(centre, angle, translate, scale, shear)
        return img.transform(img.size, 0, matrix, PIL_CODES[mode], fillcolor=_pil.fill_colour(img, fill))
    centre = [0.0, 0.0] if center is None else [c - s * 0.5 for c, s in zip(center, (width, height), strict=True)]
    matrix = _resample.inverse_affine_matrix(centre, angle, translate, scale, shear)
    a = array_of(img)
    return wrap(_resample.warp_affine(a, matrix, _warp_mode(mode), _warp_fill(a, fill)))


def rotate(img, angle: float, interpolation=InterpolationMode.NEAREST, expand: bool = False, center=None, fill=None):
    """Rotate counter-clockwise by `angle` degrees.

    Arguments:
        expand: make the result large enough for the whole image.
        center: (x, y) in pixels. Default: the middle.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import rotate
    >>> rotate(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), 90)
    tensor([[[2., 4.],
             [1., 3.]]])
    """
    mode = interpolation_mode(interpolation)
    if not isinstance(angle, numbers.Number):
        raise ArgumentTypeError(
            "Argument angle should be int or float",
            why=f"it is {type(angle).__name__}",
            fix="use degrees, such as `angle=30`",
        )
    if center is not None and not isinstance(center, (list, tuple)):
        raise ArgumentTypeError(
            "Argument center should be a sequence",
            why=f"it is {type(center).__name__}",
            fix="use (x, y) in pixels from the upper left corner",
        )
    if is_pil(img):
        return img.rotate(angle, PIL_CODES[mode], expand=expand, center=center, fillcolor=_pil.fill_colour(img, fill))
    _, height, width = get_dimensions(img)
    centre = [0.0, 0.0] if center is None else [c - s * 0.5 for c, s in zip(center, (width, height), strict=True)]
    matrix = _resample.inverse_affine_matrix(centre, -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    size = _resample.expanded_size(matrix, width, height) if expand else None
    a = array_of(img)
    return wrap(_resample.warp_affine(a, matrix, _warp_mode(mode), _warp_fill(a, fill), size))


def perspective(img, startpoints, endpoints, interpolation=InterpolationMode.BILINEAR, fill=None):
    """The perspective map that takes the four start points (x, y) to the four end points."""
    mode = interpolation_mode(interpolation)
    coefficients = _resample.perspective_coefficients(startpoints, endpoints)
    if is_pil(img):
        return img.transform(img.size, 2, coefficients, PIL_CODES[mode], fillcolor=_pil.fill_colour(img, fill))
    a = array_of(img)
    return wrap(_resample.warp_perspective(a, coefficients, _warp_mode(mode), _warp_fill(a, fill)))


def elastic_transform(img, displacement, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Move each pixel by a displacement (1, H, W, 2), in units of half the image."""
    if is_pil(img):
        return to_pil_image(elastic_transform(pil_to_tensor(img), displacement, interpolation, fill), img.mode)
    a = array_of(img)
    h, w = a.shape[-2:]
    move = np.asarray(displacement, np.float32).reshape(h, w, 2)
    x = np.linspace((-w + 1) / w, (w - 1) / w, w, dtype=np.float32)
    y = np.linspace((-h + 1) / h, (h - 1) / h, h, dtype=np.float32)[:, None]
    px, py = _resample.unnormalise(x + move[..., 0], w), _resample.unnormalise(y + move[..., 1], h)
    return wrap(_resample.sample(a, px, py, _warp_mode(interpolation), _warp_fill(a, fill)))


def gaussian_blur(img, kernel_size, sigma=None):
    """Blur by a Gaussian.

    Arguments:
        kernel_size: one odd number, or (width, height).
        sigma: one number, or (x, y). Default: 0.3 ((kernel_size - 1) / 2 - 1) + 0.8.
    """
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ArgumentError(
            f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}",
            why="it is one number, or (width, height)",
            fix="use `kernel_size=5`",
        )
    for size in sizes:
        if size % 2 == 0 or size < 0:
            raise ArgumentError(
                f"kernel_size should have odd and positive integers. Got {sizes}",
                why="a kernel has a pixel in its middle",
                fix="use `kernel_size=5`",
            )
    if sigma is None:
        sigma = [k * 0.15 + 0.35 for k in sizes]
    sigmas = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else [float(s) for s in sigma]
    if len(sigmas) == 1:
        sigmas *= 2
    if len(sigmas) != 2:
        raise ArgumentError(
            f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}",
            why="it is one number, or one along each direction",
            fix="use `sigma=1.0`",
        )
    for s in sigmas:
        if s <= 0.0:
            raise ArgumentError(
                f"sigma should have positive values. Got {sigmas}",
                why="it is the width of the blur in pixels",
                fix="use `sigma=1.0`",
            )
    if is_pil(img):
        return to_pil_image(gaussian_blur(pil_to_tensor(img), sizes, sigmas), img.mode)
    row, column = (_resample.gaussian_kernel(k, s) for k, s in zip(sizes, sigmas, strict=True))
    return wrap(_resample.convolve(array_of(img), column, row))


def erase(img, i: int, j: int, h: int, w: int, v, inplace: bool = False):
    """Set a rectangle to `v`.

    Errors: TypeError for a PIL image.
    """
    if is_pil(img):
        raise ArgumentTypeError(
            "PIL images cannot be erased",
            why="pixels of a tensor are overwritten",
            fix="put `ToTensor()` before RandomErasing",
        )
    if not inplace:
        img = img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
