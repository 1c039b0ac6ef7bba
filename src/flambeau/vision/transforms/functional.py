"""Image operations as functions: on PIL images, and on tensors of shape (..., C, H, W)."""

import numbers
import sys
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np

import flambeau as fb

from .._pillow import is_pil, pillow
from . import _colour, _pil, _resample

__all__ = ["InterpolationMode"]


class InterpolationMode(Enum):
    """How to read an image between its pixels."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PIL_CODES = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}


def _interpolation_modes_from_int(code: int) -> InterpolationMode:
    return {code: mode for mode, code in list(_PIL_CODES.items())[:-1]}[code]


def interpolation_mode(value) -> InterpolationMode:
    """An interpolation given as a mode, its name, or Pillow's number."""
    if isinstance(value, InterpolationMode):
        return value
    if isinstance(value, str):
        return InterpolationMode(value.lower())
    if isinstance(value, int):
        return _interpolation_modes_from_int(value)
    raise TypeError(f"Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant, but got {value}")


def array_of(image) -> np.ndarray:
    """The memory of an image tensor.

    Errors: TypeError for what is neither a tensor nor a PIL image.
    """
    if not isinstance(image, fb.Tensor):
        raise TypeError(f"img should be PIL Image or Tensor Image. Got {type(image)}")
    return image.detach().numpy() if image.requires_grad else image.numpy()


def wrap(a: np.ndarray):
    """A tensor over an array that nobody else holds."""
    return fb.from_numpy(np.ascontiguousarray(a) if a.ndim else a)


def _warp_mode(mode) -> str:
    mode = interpolation_mode(mode)
    if mode not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(f"This interpolation mode ({mode.value}) is unsupported with Tensor input")
    return mode.value


def _warp_fill(a: np.ndarray, fill):
    if fill is None:
        return None
    fill = [float(fill)] if isinstance(fill, numbers.Number) else [float(f) for f in fill]
    if len(fill) not in (1, a.shape[-3]):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of "
            f"channels of the image ({len(fill)} != {a.shape[-3]})"
        )
    return fill


# ---------------------------------------------------------------------- sizes and conversions


def get_dimensions(img) -> list[int]:
    """Channels, height and width of an image.

    Example:
        >>> get_dimensions(fb.zeros(3, 4, 5))
        [3, 4, 5]
    """
    if isinstance(img, fb.Tensor):
        return [1 if img.ndim == 2 else img.shape[-3], img.shape[-2], img.shape[-1]]
    return _pil.dimensions(img) if is_pil(img) else list(array_of(img).shape)


def get_image_size(img) -> list[int]:
    """Width and height of an image."""
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img) -> int:
    """Number of channels of an image."""
    return get_dimensions(img)[0]


def to_tensor(pic):
    """A PIL image or an array (H, W[, C]) as a tensor (C, H, W); bytes become float32 in 0 ... 1.

    Errors: TypeError for anything else; ValueError for arrays of other ranks.

    Example:
        >>> to_tensor(np.full((2, 2), 255, np.uint8))
        tensor([[[1., 1.],
                 [1., 1.]]])
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        a = pic[:, :, None] if pic.ndim == 2 else pic
        a = a.transpose(2, 0, 1)
        return wrap(scale_bytes(a)) if a.dtype == np.uint8 else wrap(np.array(a))
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    a = _pil_array(pic)
    return wrap(scale_bytes(a)) if a.dtype == np.uint8 else wrap(a)


def scale_bytes(a: np.ndarray) -> np.ndarray:
    """Bytes as float32 in 0 ... 1, in C order."""
    out = np.empty(a.shape, np.float32)
    np.divide(a, np.float32(255), out=out)
    return out


def _pil_array(image) -> np.ndarray:
    """The pixels of a PIL image as a new array (C, H, W)."""
    dtype = {"I": np.int32, "I;16": np.uint16, "I;16B": np.uint16, "F": np.float32}.get(image.mode, np.uint8)
    a = np.array(image, dtype=dtype, copy=True)
    if image.mode == "1":
        a = a * np.uint8(255)
    a = a.reshape(image.height, image.width, len(image.getbands()))
    return a.transpose(2, 0, 1)


def pil_to_tensor(pic):
    """A PIL image as a tensor (C, H, W) of its own dtype.

    Errors: TypeError for anything but a PIL image.
    """
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    a = np.array(pic, copy=True)
    if a.dtype == np.bool_:
        a = a.astype(np.uint8)  # mode "1"
    return wrap(a.reshape(pic.height, pic.width, len(pic.getbands())).transpose(2, 0, 1))


def to_pil_image(pic, mode: str | None = None):
    """A tensor (C, H, W) or an array (H, W[, C]) as a PIL image; floating point 0 ... 1 becomes bytes.

    Arguments:
        mode: Pillow's mode. Default: chosen by dtype and channels.

    Errors: TypeError for other types, ValueError for other ranks, channels or a mode that does not fit.
    """
    if isinstance(pic, fb.Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        if pic.ndim == 3 and pic.shape[-3] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {pic.shape[-3]} channels.")
        a = array_of(pic)
        if a.dtype.kind == "f" and mode != "F":
            a = (a * a.dtype.type(255)).astype(np.uint8)
        a = a[..., None] if a.ndim == 2 else a.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        a = pic[:, :, None] if pic.ndim == 2 else pic
        if a.shape[-1] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {a.shape[-1]} channels.")
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")

    channels = a.shape[2]
    if channels == 1:
        a = a[:, :, 0]
        expected = {"uint8": "L", "int16": "I;16", "uint16": "I;16", "int32": "I", "float32": "F"}.get(str(a.dtype))
        if mode is not None and mode != expected:
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {a.dtype}. Should be {expected}")
        mode = expected
    else:
        allowed = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}[channels]
        if mode is not None and mode not in allowed:
            raise ValueError(f"Only modes {allowed} are supported for {channels}D inputs")
        if mode is None and a.dtype == np.uint8:
            mode = allowed[0]
    if mode is None:
        raise TypeError(f"Input type {a.dtype} is not supported")
    a = np.ascontiguousarray(a)
    # frombuffer takes any mode of the right size, where fromarray guesses from the dtype.
    raw = {"I": "I;32", "F": "F;32F" if sys.byteorder == "little" else "F;32BF"}.get(mode, mode)
    if mode == "I":
        raw = "I;32S"
    size = (a.shape[1], a.shape[0])
    return pillow().Image.frombytes(mode, size, a.tobytes(), "raw", raw)


def convert_image_dtype(image, dtype=None):
    """To another dtype, with the range of values: 255 of uint8 becomes 1.0.

    Errors: RuntimeError where the target cannot hold the source's precision.
    """
    dtype = fb.float32 if dtype is None else dtype
    if not isinstance(image, fb.Tensor):
        raise TypeError("Input img should be Tensor Image")
    if image.dtype == dtype:
        return image
    return wrap(_colour.convert_dtype(array_of(image), numpy_dtype(dtype)))


def numpy_dtype(dtype) -> np.dtype:
    """NumPy's name for a dtype."""
    return np.dtype(str(dtype).rpartition(".")[2])


def normalize(tensor, mean, std, inplace: bool = False):
    """(tensor - mean) / std, channel by channel.

    Errors: TypeError if it is no floating point tensor; ValueError for fewer than 3 dimensions or a zero in `std`.
    """
    if not isinstance(tensor, fb.Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(
            f"Input tensor should be a float tensor. Got {tensor.dtype}."
            "\n  try: ToTensor() or ConvertImageDtype(flambeau.float32) before Normalize"
        )
    if tensor.ndim < 3:
        size = tuple(tensor.shape)
        raise ValueError(f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {size}")
    if tensor.requires_grad:  # the only transform that people differentiate through
        mean = fb.as_tensor(mean, dtype=tensor.dtype, device=tensor.device).view(-1, 1, 1)
        std = fb.as_tensor(std, dtype=tensor.dtype, device=tensor.device).view(-1, 1, 1)
        return tensor.sub_(mean).div_(std) if inplace else tensor.sub(mean).div(std)
    a = array_of(tensor)
    out = a if inplace else np.empty(a.shape, a.dtype)
    shift_and_scale(a, mean, std, out)
    return tensor if inplace else wrap(out)


def shift_and_scale(a: np.ndarray, mean, std, out: np.ndarray) -> np.ndarray:
    """(a - mean) / std by channel, written into `out`."""
    mean, std = (np.asarray(v, dtype=a.dtype).reshape(-1, 1, 1) for v in (_plain(mean), _plain(std)))
    if (std == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to torch.{a.dtype}, leading to division by zero.")
    np.subtract(a, mean, out=out)
    return np.divide(out, std, out=out)


def _plain(value):
    return value.tolist() if isinstance(value, fb.Tensor) else value


# ---------------------------------------------------------------------- geometry


def _setup_size(size, error_msg: str) -> tuple[int, int]:
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(error_msg)
    return size


def resized_size(height: int, width: int, size, max_size: int | None = None) -> tuple[int, int]:
    """Height and width after `resize` with these arguments."""
    if size is not None and isinstance(size, Sequence) and len(size) == 2:
        return int(size[0]), int(size[1])
    short, long = min(height, width), max(height, width)
    if size is None:
        if not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        new_short, new_long = int(max_size * short / long), max_size
    else:
        new_short = int(size if isinstance(size, int) else size[0])
        new_long = int(new_short * long / short)
        if max_size is not None:
            if max_size <= new_short:
                raise ValueError(
                    f"max_size = {max_size} must be strictly greater than the requested "
                    f"size for the smaller edge size = {size}"
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
        >>> resize(fb.zeros(3, 10, 20), 5).shape
        torch.Size([3, 5, 10])
    """
    mode = interpolation_mode(interpolation)
    if isinstance(size, (list, tuple)):
        if len(size) not in (1, 2):
            raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(size)} element tuple/list")
        if max_size is not None and len(size) != 1:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, "
                "i.e. size should be an int or a sequence of length 1 in torchscript mode."
            )
    _, height, width = get_dimensions(img)
    new_height, new_width = resized_size(height, width, size, max_size)
    if (new_height, new_width) == (height, width):
        return img
    if is_pil(img):
        return img.resize((new_width, new_height), _PIL_CODES[mode])
    if mode.value not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError("This interpolation mode is unsupported with Tensor input")
    return wrap(_resample.resize(array_of(img), new_height, new_width, mode.value, bool(antialias)))


def _parse_padding(padding) -> list[int]:
    """Left, top, right, bottom."""
    if isinstance(padding, int):
        return [padding] * 4
    if not isinstance(padding, (list, tuple)):
        raise TypeError("Got inappropriate padding arg")
    padding = [int(p) for p in padding]
    if len(padding) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
        )
    return padding if len(padding) == 4 else (padding * (4 // len(padding)))


def pad(img, padding, fill=0, padding_mode: str = "constant"):
    """Add a border.

    Arguments:
        padding: one width; or (left and right, top and bottom); or (left, top, right, bottom).
        padding_mode: constant (`fill`), edge, reflect or symmetric.

    Example:
        >>> pad(fb.ones(1, 1, 1), 1)
        tensor([[[0., 0., 0.],
                 [0., 1., 0.],
                 [0., 0., 0.]]])
    """
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    sides = _parse_padding(padding)
    if is_pil(img):
        return _pil.pad(img, sides, fill, padding_mode)
    return wrap(pad_array(array_of(img), sides, fill, padding_mode))


def pad_array(a: np.ndarray, sides, fill=0, padding_mode: str = "constant") -> np.ndarray:
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
    """The middle of the image; smaller images are padded with 0."""
    height, width = _setup_size(output_size, "Please provide only two dimensions (h, w) for size.")
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
    """Mirror left and right."""
    return img.transpose(0) if is_pil(img) else wrap(array_of(img)[..., ::-1])


def vflip(img):
    """Mirror top and bottom."""
    return img.transpose(1) if is_pil(img) else wrap(array_of(img)[..., ::-1, :])


def five_crop(img, size):
    """The four corners and the middle."""
    height, width = _setup_size(size, "Please provide only two dimensions (h, w) for size.")
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(h, w)}")
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
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if isinstance(shear, numbers.Number):
        shear = [shear, 0.0]
    elif not isinstance(shear, (list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shear = [shear[0], shear[0]] if len(shear) == 1 else list(shear)
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    _, height, width = get_dimensions(img)
    if is_pil(img):
        centre = [width * 0.5, height * 0.5] if center is None else center
        matrix = _resample.inverse_affine_matrix(centre, angle, translate, scale, shear)
        return img.transform(img.size, 0, matrix, _PIL_CODES[mode], fillcolor=_pil.fill_colour(img, fill))
    centre = [0.0, 0.0] if center is None else [c - s * 0.5 for c, s in zip(center, (width, height), strict=True)]
    matrix = _resample.inverse_affine_matrix(centre, angle, translate, scale, shear)
    a = array_of(img)
    return wrap(_resample.warp_affine(a, matrix, _warp_mode(mode), _warp_fill(a, fill)))


def rotate(img, angle: float, interpolation=InterpolationMode.NEAREST, expand: bool = False, center=None, fill=None):
    """Rotate counter-clockwise by `angle` degrees.

    Arguments:
        expand: make the result large enough for the whole image.
        center: (x, y) in pixels. Default: the middle.
    """
    mode = interpolation_mode(interpolation)
    if not isinstance(angle, numbers.Number):
        raise TypeError("Argument angle should be int or float")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if is_pil(img):
        return img.rotate(
            angle, _PIL_CODES[mode], expand=expand, center=center, fillcolor=_pil.fill_colour(img, fill)
        )
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
        return img.transform(img.size, 2, coefficients, _PIL_CODES[mode], fillcolor=_pil.fill_colour(img, fill))
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
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    for size in sizes:
        if size % 2 == 0 or size < 0:
            raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    if sigma is None:
        sigma = [k * 0.15 + 0.35 for k in sizes]
    sigmas = [float(sigma)] * 2 if isinstance(sigma, (int, float)) else [float(s) for s in sigma]
    if len(sigmas) == 1:
        sigmas *= 2
    if len(sigmas) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}")
    for s in sigmas:
        if s <= 0.0:
            raise ValueError(f"sigma should have positive values. Got {sigmas}")
    if is_pil(img):
        return to_pil_image(gaussian_blur(pil_to_tensor(img), sizes, sigmas), img.mode)
    row, column = (_resample.gaussian_kernel(k, s) for k, s in zip(sizes, sigmas, strict=True))
    return wrap(_resample.convolve(array_of(img), column, row))


def erase(img, i: int, j: int, h: int, w: int, v, inplace: bool = False):
    """Set a rectangle to `v`.

    Errors: TypeError for a PIL image.
    """
    if is_pil(img):
        raise TypeError("PIL images cannot be erased\n  try: ToTensor() before RandomErasing")
    if not inplace:
        img = img.clone()
    img[..., i : i + h, j : j + w] = v
    return img


# ---------------------------------------------------------------------- colour


def adjust_brightness(img, brightness_factor: float):
    """0 gives black, 1 the image, 2 twice the brightness."""
    if brightness_factor < 0:
        raise ValueError(f"brightness_factor ({brightness_factor}) is not non-negative.")
    if is_pil(img):
        return pillow().ImageEnhance.Brightness(img).enhance(brightness_factor)
    return wrap(_colour.blend(array_of(img), 0.0, brightness_factor))


def adjust_contrast(img, contrast_factor: float):
    """0 gives grey, 1 the image, 2 twice the contrast."""
    if contrast_factor < 0:
        raise ValueError(f"contrast_factor ({contrast_factor}) is not non-negative.")
    if is_pil(img):
        return pillow().ImageEnhance.Contrast(img).enhance(contrast_factor)
    return wrap(_colour.adjust_contrast(array_of(img), contrast_factor))


def adjust_saturation(img, saturation_factor: float):
    """0 gives grey levels, 1 the image, 2 twice the saturation."""
    if saturation_factor < 0:
        raise ValueError(f"saturation_factor ({saturation_factor}) is not non-negative.")
    if is_pil(img):
        return pillow().ImageEnhance.Color(img).enhance(saturation_factor)
    return wrap(_colour.adjust_saturation(array_of(img), saturation_factor))


def adjust_hue(img, hue_factor: float):
    """Turn the colour circle: -0.5 ... 0.5 is a whole turn."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    return _pil.hue(img, hue_factor) if is_pil(img) else wrap(_colour.adjust_hue(array_of(img), hue_factor))


def adjust_gamma(img, gamma: float, gain: float = 1):
    """gain * img ** gamma."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    return _pil.gamma(img, gamma, gain) if is_pil(img) else wrap(_colour.adjust_gamma(array_of(img), gamma, gain))


def adjust_sharpness(img, sharpness_factor: float):
    """0 gives a smoothed image, 1 the image, 2 twice the sharpness."""
    if sharpness_factor < 0:
        raise ValueError(f"sharpness_factor ({sharpness_factor}) is not non-negative.")
    if is_pil(img):
        return pillow().ImageEnhance.Sharpness(img).enhance(sharpness_factor)
    return wrap(_colour.adjust_sharpness(array_of(img), sharpness_factor))


def to_grayscale(img, num_output_channels: int = 1):
    """A PIL image in grey levels, in 1 or 3 bands."""
    if not is_pil(img):
        raise TypeError("Input should be PIL Image")
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    return _pil.grey(img, num_output_channels)


def rgb_to_grayscale(img, num_output_channels: int = 1):
    """The luminance of an RGB image, in 1 or 3 channels."""
    if is_pil(img):
        return to_grayscale(img, num_output_channels)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    a = _colour.grey(array_of(img))
    return wrap(np.repeat(a, 3, axis=-3) if num_output_channels == 3 and a.shape[-3] == 1 else a.copy())


def invert(img):
    """The negative."""
    return pillow().ImageOps.invert(img) if is_pil(img) else wrap(_colour.invert(array_of(img)))


def posterize(img, bits: int):
    """Keep only the highest `bits` bits of each byte."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    if is_pil(img):
        return _pil.posterize(img, bits)
    a = array_of(img)
    if a.dtype != np.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found torch.{a.dtype}")
    return wrap(_colour.posterize(a, bits))


def solarize(img, threshold: float):
    """Invert all values from the threshold on."""
    if is_pil(img):
        return pillow().ImageOps.solarize(img, threshold)
    a = array_of(img)
    if threshold > _colour.bound(a.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return wrap(_colour.solarize(a, threshold))


def autocontrast(img):
    """Stretch each channel to the full range."""
    return pillow().ImageOps.autocontrast(img) if is_pil(img) else wrap(_colour.autocontrast(array_of(img)))


def equalize(img):
    """Flatten the histogram."""
    if is_pil(img):
        return pillow().ImageOps.equalize(img)
    a = array_of(img)
    if a.dtype != np.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found torch.{a.dtype}")
    return wrap(_colour.equalize(a))

