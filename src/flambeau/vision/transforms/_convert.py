"""Between PIL images, arrays and tensors; what all image functions share."""

import sys
from enum import Enum

import numpy as np

import flambeau as fb

from ...errors import ArgumentError, ArgumentTypeError
from .._pillow import is_pil, pillow
from . import _colour, _pil

__all__ = [
    "InterpolationMode", "array_of", "convert_image_dtype", "get_dimensions", "get_image_num_channels",
    "get_image_size", "interpolation_mode", "normalize", "numpy_dtype", "pil_to_tensor", "plain", "scale_bytes",
    "shift_and_scale", "to_pil_image", "to_tensor", "wrap",
]  # fmt: skip


class InterpolationMode(Enum):
    """How to read an image between its pixels."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PIL_CODES = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}


def _interpolation_modes_from_int(code: int) -> InterpolationMode:
    return {code: mode for mode, code in list(PIL_CODES.items())[:-1]}[code]


def interpolation_mode(value) -> InterpolationMode:
    """An interpolation given as a mode, its name, or Pillow's number."""
    if isinstance(value, InterpolationMode):
        return value
    if isinstance(value, str):
        return InterpolationMode(value.lower())
    if isinstance(value, int):
        return _interpolation_modes_from_int(value)
    raise ArgumentTypeError(
        "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant, "
        f"but got {value}",
        why="it says how values between pixels are found",
        fix="use `InterpolationMode.BILINEAR`",
    )


def array_of(image) -> np.ndarray:
    """The memory of an image tensor.

    Errors: TypeError for what is neither a tensor nor a PIL image.
    """
    if not isinstance(image, fb.Tensor):
        raise ArgumentTypeError(
            f"img should be PIL Image or Tensor Image. Got {type(image)}",
            why="pixels are changed",
            fix="use `to_tensor(array)` for a NumPy array",
        )
    return image.detach().numpy() if image.requires_grad else image.numpy()


def wrap(a: np.ndarray):
    """A tensor over an array that nobody else holds."""
    return fb.from_numpy(np.ascontiguousarray(a) if a.ndim else a)


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
            raise ArgumentError(
                f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.",
                why="a picture is (height, width, channels) or (height, width)",
                fix="use `to_tensor` for each picture of a batch",
            )
        a = pic[:, :, None] if pic.ndim == 2 else pic
        a = a.transpose(2, 0, 1)
        return wrap(scale_bytes(a)) if a.dtype == np.uint8 else wrap(np.array(a))
    if not is_pil(pic):
        raise ArgumentTypeError(
            f"pic should be PIL Image or ndarray. Got {type(pic)}",
            why="pixels are copied into a tensor",
            fix="leave ToTensor out: it is a tensor already" if isinstance(pic, fb.Tensor) else "use `np.asarray(pic)`",
        )
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
        raise ArgumentTypeError(
            f"pic should be PIL Image. Got {type(pic)}",
            why="pixels are copied into a tensor",
            fix="use `torch.as_tensor(array).permute(2, 0, 1)` for an array",
        )
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
            raise ArgumentError(
                f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.",
                why="a picture is (channels, height, width) or (height, width)",
                fix="use `to_pil_image` for each picture of a batch",
            )
        if pic.ndim == 3 and pic.shape[-3] > 4:
            raise ArgumentError(
                f"pic should not have > 4 channels. Got {pic.shape[-3]} channels.",
                why="the channels are dimension 0 of a tensor",
                fix="use `pic.permute(2, 0, 1)` if they come last",
            )
        a = array_of(pic)
        if a.dtype.kind == "f" and mode != "F":
            a = (a * a.dtype.type(255)).astype(np.uint8)
        a = a[..., None] if a.ndim == 2 else a.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ArgumentError(
                f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.",
                why="a picture is (height, width, channels) or (height, width)",
                fix="use `to_pil_image` for each picture of a batch",
            )
        a = pic[:, :, None] if pic.ndim == 2 else pic
        if a.shape[-1] > 4:
            raise ArgumentError(
                f"pic should not have > 4 channels. Got {a.shape[-1]} channels.",
                why="the channels are the last dimension of an array",
                fix="use `pic.transpose(1, 2, 0)` if they come first",
            )
    else:
        raise ArgumentTypeError(
            f"pic should be Tensor or ndarray. Got {type(pic)}.",
            why="pixels are copied into a picture",
            fix="use `np.asarray(pic)`",
        )

    channels = a.shape[2]
    if channels == 1:
        a = a[:, :, 0]
        expected = {"uint8": "L", "int16": "I;16", "uint16": "I;16", "int32": "I", "float32": "F"}.get(str(a.dtype))
        if mode is not None and mode != expected:
            raise ArgumentError(
                f"Incorrect mode ({mode}) supplied for input type {a.dtype}. Should be {expected}",
                why="the mode says what a pixel is",
                fix=f"use `mode={expected!r}`, or leave it out",
            )
        mode = expected
    else:
        allowed = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}[channels]
        if mode is not None and mode not in allowed:
            raise ArgumentError(
                f"Only modes {allowed} are supported for {channels}D inputs",
                why="the mode says what a pixel is",
                fix=f"use `mode={allowed[0]!r}`, or leave it out",
            )
        if mode is None and a.dtype == np.uint8:
            mode = allowed[0]
    if mode is None:
        raise ArgumentTypeError(
            f"Input type {a.dtype} is not supported",
            why="pictures of several channels hold bytes",
            fix="use `pic.astype(np.uint8)`",
        )
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

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import convert_image_dtype
    >>> convert_image_dtype(torch.tensor([0, 255], dtype=torch.uint8), torch.float32)
    tensor([0., 1.])
    """
    dtype = fb.float32 if dtype is None else dtype
    if not isinstance(image, fb.Tensor):
        raise ArgumentTypeError(
            "Input img should be Tensor Image", why=f"it is {type(image).__name__}", fix="use `to_tensor(image)`"
        )
    if image.dtype == dtype:
        return image
    return wrap(_colour.convert_dtype(array_of(image), numpy_dtype(dtype)))


def numpy_dtype(dtype) -> np.dtype:
    """NumPy's name for a dtype."""
    return np.dtype(str(dtype).rpartition(".")[2])


def normalize(tensor, mean, std, inplace: bool = False):
    """(tensor - mean) / std, channel by channel.

    Errors: TypeError if it is no floating point tensor; ValueError for fewer than 3 dimensions or a zero in `std`.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import normalize
    >>> normalize(torch.tensor([[[0.0, 1.0]]]), (0.5,), (0.5,))
    tensor([[[-1.,  1.]]])
    """
    if not isinstance(tensor, fb.Tensor):
        raise ArgumentTypeError(
            f"img should be Tensor Image. Got {type(tensor)}",
            why="mean and standard deviation are those of numbers",
            fix="put `ToTensor()` before Normalize",
        )
    if not tensor.is_floating_point():
        raise ArgumentTypeError(
            f"Input tensor should be a float tensor. Got {tensor.dtype}.",
            why="what is normalised has fractions",
            fix="put `ToTensor()` or `ConvertImageDtype(torch.float32)` before Normalize",
        )
    if tensor.ndim < 3:
        size = tuple(tensor.shape)
        raise ArgumentError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {size}",
            why="each channel has its own mean and standard deviation",
            fix="use `tensor.unsqueeze(0)` to add the channel dimension",
        )
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
    mean, std = (np.asarray(v, dtype=a.dtype).reshape(-1, 1, 1) for v in (plain(mean), plain(std)))
    if (std == 0).any():
        raise ArgumentError(
            f"std evaluated to zero after conversion to torch.{a.dtype}, leading to division by zero.",
            why="values are divided by it",
            fix="use a std above 0, e.g. computed over many images",
        )
    np.subtract(a, mean, out=out)
    return np.divide(out, std, out=out)


def plain(value):
    """A tensor's numbers as a list; anything else as it is."""
    return value.tolist() if isinstance(value, fb.Tensor) else value
