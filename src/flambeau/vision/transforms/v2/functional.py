"""The operations of `transforms.functional`, for images, videos, masks and boxes alike."""

import numpy as np

import flambeau as fb

from ....errors import ArgumentError, ArgumentTypeError
from ... import tv_tensors
from ..._pillow import is_pil
from .. import _colour
from .. import functional as F
from ..functional import (
    InterpolationMode,
    get_dimensions,
    get_image_num_channels,
    pil_to_tensor,
    to_pil_image,
)

get_num_channels = get_image_num_channels


def get_size(inpt) -> list[int]:
    """Height and width of an image, mask or canvas."""
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        return list(inpt.canvas_size)
    if isinstance(inpt, fb.Tensor):
        return [inpt.shape[-2], inpt.shape[-1]]
    return get_dimensions(inpt)[1:]


def _plain(inpt):
    return fb.Tensor.wrap(inpt._array) if isinstance(inpt, tv_tensors.TVTensor) else inpt


def _map(inpt, function):
    """An operation on pixels, keeping the kind of tensor."""
    return tv_tensors.wrap(function(_plain(inpt)), like=inpt) if isinstance(inpt, fb.Tensor) else function(inpt)


def _pixels(inpt, function):
    """An operation on colours: masks and boxes are none of its business."""
    return inpt if isinstance(inpt, (tv_tensors.Mask, tv_tensors.BoundingBoxes)) else _map(inpt, function)


def _corners(boxes) -> np.ndarray:
    """Boxes as corners (x1, y1, x2, y2), float."""
    a = boxes._array.astype(np.float64)
    if boxes.format is tv_tensors.BoundingBoxFormat.XYWH:
        return np.concatenate([a[:, :2], a[:, :2] + a[:, 2:]], 1)
    if boxes.format is tv_tensors.BoundingBoxFormat.CXCYWH:
        return np.concatenate([a[:, :2] - a[:, 2:] / 2, a[:, :2] + a[:, 2:] / 2], 1)
    return a


def _boxes(like, corners: np.ndarray, canvas_size, clamp: bool = True):
    """Corners back in the format of `like`, cut at the canvas."""
    if clamp:
        height, width = canvas_size
        corners = np.clip(corners, 0, [width, height, width, height])
    low, high = corners[:, :2], corners[:, 2:]
    if like.format is tv_tensors.BoundingBoxFormat.XYWH:
        corners = np.concatenate([low, high - low], 1)
    elif like.format is tv_tensors.BoundingBoxFormat.CXCYWH:
        corners = np.concatenate([(low + high) / 2, high - low], 1)
    dtype = like._array.dtype
    made = fb.from_numpy((np.rint(corners) if dtype.kind in "iu" else corners).astype(dtype))
    return tv_tensors.wrap(made, like=like, canvas_size=tuple(canvas_size))


def convert_bounding_box_format(inpt, old_format=None, new_format=None, inplace: bool = False):
    """Boxes in another format."""
    if isinstance(new_format, str):
        new_format = tv_tensors.BoundingBoxFormat[new_format.upper()]
    like = tv_tensors.wrap(_plain(inpt), like=inpt, format=new_format)
    return _boxes(like, _corners(inpt), inpt.canvas_size, clamp=False)


def clamp_bounding_boxes(inpt):
    """Boxes cut at the canvas."""
    return _boxes(inpt, _corners(inpt), inpt.canvas_size)


def to_image(inpt):
    """A PIL image, array (H, W, C) or tensor as an `Image`."""
    if isinstance(inpt, np.ndarray):
        a = inpt[:, :, None] if inpt.ndim == 2 else inpt
        return tv_tensors.Image(fb.from_numpy(np.ascontiguousarray(a.transpose(2, 0, 1))))
    if is_pil(inpt):
        return tv_tensors.Image(pil_to_tensor(inpt))
    if isinstance(inpt, fb.Tensor):
        return tv_tensors.Image(_plain(inpt))
    raise ArgumentTypeError(
        f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} instead.",
        why="pixels are copied into a tensor",
        fix="use `np.asarray(inpt)`",
    )


def to_dtype(inpt, dtype=None, scale: bool = False):
    """Another dtype; with `scale`, images are brought to its range of values."""
    dtype = fb.float32 if dtype is None else dtype
    if not scale or isinstance(inpt, (tv_tensors.Mask, tv_tensors.BoundingBoxes)):
        return _map(inpt, lambda x: x.to(dtype))
    return _map(inpt, lambda x: F.wrap(scale_dtype(F.array_of(x), F.numpy_dtype(dtype))))


def scale_dtype(a: np.ndarray, dtype) -> np.ndarray:
    """As `_colour.convert_dtype`, but integers are scaled by the reciprocal of their range, as v2 does."""
    if a.dtype.kind in "iu" and dtype.kind == "f":
        return a.astype(dtype) * dtype.type(1.0 / _colour.bound(a.dtype))
    return _colour.convert_dtype(a, dtype)


convert_image_dtype = F.convert_image_dtype


def normalize(inpt, mean, std, inplace: bool = False):
    """(image - mean) / std by channel."""
    return _pixels(inpt, lambda x: F.normalize(x, mean, std, inplace))


def resize(inpt, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """Resize images, masks (without mixing classes) and boxes."""
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        height, width = inpt.canvas_size
        new = F.resized_size(height, width, size, max_size)
        ratio = np.array([new[1] / width, new[0] / height] * 2)
        return _boxes(inpt, _corners(inpt) * ratio, new)
    if isinstance(inpt, tv_tensors.Mask):
        interpolation, antialias = InterpolationMode.NEAREST, False
    height, width = F.resized_size(*get_size(inpt), size, max_size)
    return _map(inpt, lambda x: F.resize(x, [height, width], interpolation, None, antialias))


def crop(inpt, top: int, left: int, height: int, width: int):
    """The rectangle at (top, left)."""
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        return _boxes(inpt, _corners(inpt) - [left, top, left, top], (height, width))
    return _map(inpt, lambda x: F.crop(x, top, left, height, width))


def center_crop(inpt, output_size):
    """The middle."""
    height, width = F.pair(output_size, "Please provide only two dimensions (h, w) for size.")
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        h, w = inpt.canvas_size
        return crop(inpt, round((h - height) / 2.0), round((w - width) / 2.0), height, width)
    return _map(inpt, lambda x: F.center_crop(x, [height, width]))


def resized_crop(
    inpt, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR, antialias: bool | None = True
):
    """`crop`, then `resize`."""
    return resize(crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


def pad(inpt, padding, fill=None, padding_mode: str = "constant"):
    """A border."""
    sides = F._parse_padding(padding)
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        left, top, right, bottom = sides
        height, width = inpt.canvas_size
        return _boxes(inpt, _corners(inpt) + [left, top] * 2, (height + top + bottom, width + left + right))
    return _map(inpt, lambda x: F.pad(x, sides, 0 if fill is None else fill, padding_mode))


def horizontal_flip(inpt):
    """Left and right exchanged."""
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        a, width = _corners(inpt), inpt.canvas_size[1]
        return _boxes(inpt, np.stack([width - a[:, 2], a[:, 1], width - a[:, 0], a[:, 3]], 1), inpt.canvas_size)
    return _map(inpt, F.hflip)


def vertical_flip(inpt):
    """Top and bottom exchanged."""
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        a, height = _corners(inpt), inpt.canvas_size[0]
        return _boxes(inpt, np.stack([a[:, 0], height - a[:, 3], a[:, 2], height - a[:, 1]], 1), inpt.canvas_size)
    return _map(inpt, F.vflip)


hflip, vflip = horizontal_flip, vertical_flip


def _warp(inpt, function, interpolation):
    """A warp of images and masks; for boxes, of the box that holds the warped one, found on a drawn mask."""
    if isinstance(inpt, tv_tensors.Mask):
        a = inpt._array
        image = fb.from_numpy(np.ascontiguousarray(a[None] if a.ndim == 2 else a))
        out = function(image, InterpolationMode.NEAREST)
        return tv_tensors.wrap(out[0] if a.ndim == 2 else out, like=inpt)
    if isinstance(inpt, tv_tensors.BoundingBoxes):
        boxes, size = [], inpt.canvas_size
        for x1, y1, x2, y2 in _corners(inpt):
            drawn = np.zeros((1, *size), np.uint8)
            drawn[0, round(y1) : max(round(y2), round(y1) + 1), round(x1) : max(round(x2), round(x1) + 1)] = 1
            warped = function(fb.from_numpy(drawn), InterpolationMode.NEAREST).numpy()[0]
            size = warped.shape
            rows, columns = np.flatnonzero(warped.any(1)), np.flatnonzero(warped.any(0))
            found = len(rows) > 0
            boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] if found else [0, 0, 0, 0])
        return _boxes(inpt, np.array(boxes, np.float64).reshape(-1, 4), size)
    return _map(inpt, lambda x: function(x, interpolation))


def rotate(inpt, angle, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=None):
    """Counter-clockwise by `angle` degrees."""
    return _warp(inpt, lambda x, mode: F.rotate(x, angle, mode, expand, center, fill), interpolation)


def affine(inpt, angle, translate, scale, shear, interpolation=InterpolationMode.NEAREST, fill=None, center=None):
    """Rotation, translation, scale and shear."""
    return _warp(inpt, lambda x, mode: F.affine(x, angle, translate, scale, shear, mode, fill, center), interpolation)


def perspective(inpt, startpoints, endpoints, interpolation=InterpolationMode.BILINEAR, fill=None):
    """The perspective map from four points to four points."""
    return _warp(inpt, lambda x, mode: F.perspective(x, startpoints, endpoints, mode, fill), interpolation)


def elastic(inpt, displacement, interpolation=InterpolationMode.BILINEAR, fill=None):
    """Each pixel displaced."""
    return _warp(inpt, lambda x, mode: F.elastic_transform(x, displacement, mode, fill), interpolation)


elastic_transform = elastic


def five_crop(inpt, size):
    """The corners and the middle."""
    return tuple(
        tv_tensors.wrap(x, like=inpt) if isinstance(inpt, fb.Tensor) else x for x in F.five_crop(_plain(inpt), size)
    )


def ten_crop(inpt, size, vertical_flip: bool = False):
    """`five_crop` of the image and of its mirror image."""
    crops = F.ten_crop(_plain(inpt), size, vertical_flip)
    return tuple(tv_tensors.wrap(x, like=inpt) if isinstance(inpt, fb.Tensor) else x for x in crops)


def gaussian_blur(inpt, kernel_size, sigma=None):
    """Blur by a Gaussian."""
    return _pixels(inpt, lambda x: F.gaussian_blur(x, kernel_size, sigma))


def gaussian_noise(inpt, mean: float = 0.0, sigma: float = 0.1, clip: bool = True):
    """Normal noise added to a floating point image."""

    if sigma < 0:
        raise ArgumentError(
            f"sigma shouldn't be negative. Got {sigma}",
            why="it is the standard deviation of the noise",
            fix=f"use `sigma={abs(sigma)}`",
        )

    def noisy(x):
        if is_pil(x):
            raise ArgumentError(
                "Gaussian Noise is not implemented for PIL images.",
                why="noise is added to the numbers of a tensor",
                fix="put `v2.ToImage()` before it",
            )
        if x.is_floating_point():
            out = x + (mean + fb.randn_like(x) * sigma)
            return fb.clamp(out, 0, 1) if clip else out
        if x.dtype != fb.uint8:
            raise ArgumentError(
                f"Input tensor is expected to be in uint8 or float dtype, got dtype={x.dtype}",
                why="noise is added to bytes, or to numbers from 0 to 1",
                fix="use `x.to(torch.float32)`",
            )
        out = x + (mean * 255 + fb.randn(x.shape) * (sigma * 255)).to(fb.int16)
        return (fb.clamp(out, 0, 255) if clip else out).to(fb.uint8)

    return _pixels(inpt, noisy)


def erase(inpt, i: int, j: int, h: int, w: int, v, inplace: bool = False):
    """A rectangle set to `v`."""
    if is_pil(inpt):
        return to_pil_image(F.erase(pil_to_tensor(inpt), i, j, h, w, v, inplace=True), inpt.mode)
    return _pixels(inpt, lambda x: F.erase(x, i, j, h, w, v, inplace))


def rgb_to_grayscale(inpt, num_output_channels: int = 1):
    """Grey levels."""
    return _pixels(inpt, lambda x: F.rgb_to_grayscale(x, num_output_channels))


to_grayscale = rgb_to_grayscale


def grayscale_to_rgb(inpt):
    """Three equal channels of one."""
    if is_pil(inpt):
        return inpt.convert("RGB")
    return _pixels(inpt, lambda x: x if x.shape[-3] == 3 else fb.cat([x] * 3, dim=-3))


def posterize(inpt, bits: int):
    """Fewer bits per channel."""
    return _pixels(
        inpt, lambda x: F._pil.posterize(x, bits) if is_pil(x) else F.wrap(_colour.posterize(F.array_of(x), bits))
    )


def equalize(inpt):
    """A flat histogram."""
    return _pixels(inpt, lambda x: F.equalize(x) if is_pil(x) else F.wrap(_colour.equalize(F.array_of(x))))


def _point(name: str, doc: str):
    inner = getattr(F, name)

    def operation(inpt, *args, **kwargs):
        return _pixels(inpt, lambda x: inner(x, *args, **kwargs))

    operation.__name__ = operation.__qualname__ = name
    operation.__doc__ = doc
    return operation


adjust_brightness = _point("adjust_brightness", "0 gives black, 1 the image.")
adjust_contrast = _point("adjust_contrast", "0 gives grey, 1 the image.")
adjust_saturation = _point("adjust_saturation", "0 gives grey levels, 1 the image.")
adjust_hue = _point("adjust_hue", "The colour circle turned: -0.5 ... 0.5.")
adjust_gamma = _point("adjust_gamma", "gain * image ** gamma.")
adjust_sharpness = _point("adjust_sharpness", "0 gives a smoothed image, 1 the image.")
invert = _point("invert", "The negative.")
solarize = _point("solarize", "Bright values inverted.")
autocontrast = _point("autocontrast", "Each channel stretched to the full range.")


def permute_channels(inpt, permutation: list[int]):
    """Channels in another order."""
    if is_pil(inpt):
        return to_pil_image(permute_channels(pil_to_tensor(inpt), permutation))
    return _pixels(inpt, lambda x: F.wrap(F.array_of(x)[..., permutation, :, :]))
