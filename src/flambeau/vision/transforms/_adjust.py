"""Colours of PIL images and tensors."""

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError
from .._pillow import is_pil, pillow
from . import _colour, _pil
from ._convert import array_of, wrap

__all__ = [
    "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation", "adjust_sharpness",
    "autocontrast", "equalize", "invert", "posterize", "rgb_to_grayscale", "solarize", "to_grayscale",
]  # fmt: skip


def adjust_brightness(img, brightness_factor: float):
    """0 gives black, 1 the image, 2 twice the brightness.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import adjust_brightness
    >>> adjust_brightness(torch.full((3, 1, 1), 0.25), 2.0).flatten()
    tensor([0.5000, 0.5000, 0.5000])
    """
    if brightness_factor < 0:
        raise ArgumentError(
            f"brightness_factor ({brightness_factor}) is not non-negative.",
            why="the brightness is multiplied by it: 0 is black, 1 leaves it",
            fix="use a number from 0 on",
        )
    if is_pil(img):
        return pillow().ImageEnhance.Brightness(img).enhance(brightness_factor)
    return wrap(_colour.blend(array_of(img), 0.0, brightness_factor))


def adjust_contrast(img, contrast_factor: float):
    """0 gives grey, 1 the image, 2 twice the contrast."""
    if contrast_factor < 0:
        raise ArgumentError(
            f"contrast_factor ({contrast_factor}) is not non-negative.",
            why="the contrast is multiplied by it: 0 is grey, 1 leaves it",
            fix="use a number from 0 on",
        )
    if is_pil(img):
        return pillow().ImageEnhance.Contrast(img).enhance(contrast_factor)
    return wrap(_colour.adjust_contrast(array_of(img), contrast_factor))


def adjust_saturation(img, saturation_factor: float):
    """0 gives grey levels, 1 the image, 2 twice the saturation."""
    if saturation_factor < 0:
        raise ArgumentError(
            f"saturation_factor ({saturation_factor}) is not non-negative.",
            why="the saturation is multiplied by it: 0 is black and white, 1 leaves it",
            fix="use a number from 0 on",
        )
    if is_pil(img):
        return pillow().ImageEnhance.Color(img).enhance(saturation_factor)
    return wrap(_colour.adjust_saturation(array_of(img), saturation_factor))


def adjust_hue(img, hue_factor: float):
    """Turn the colour circle: -0.5 ... 0.5 is a whole turn."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ArgumentError(
            f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].",
            why="it turns the circle of colours, by half of it at most",
            fix="use a number from -0.5 to 0.5",
        )
    return _pil.hue(img, hue_factor) if is_pil(img) else wrap(_colour.adjust_hue(array_of(img), hue_factor))


def adjust_gamma(img, gamma: float, gain: float = 1):
    """gain * img ** gamma.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import adjust_gamma
    >>> adjust_gamma(torch.full((3, 1, 1), 0.5), 2.0).flatten()
    tensor([0.2500, 0.2500, 0.2500])
    """
    if gamma < 0:
        raise ArgumentError(
            "Gamma should be a non-negative real number",
            why=f"it is {gamma}, an exponent: above 1 darkens, below 1 brightens",
            fix="use a number from 0 on",
        )
    return _pil.gamma(img, gamma, gain) if is_pil(img) else wrap(_colour.adjust_gamma(array_of(img), gamma, gain))


def adjust_sharpness(img, sharpness_factor: float):
    """0 gives a smoothed image, 1 the image, 2 twice the sharpness."""
    if sharpness_factor < 0:
        raise ArgumentError(
            f"sharpness_factor ({sharpness_factor}) is not non-negative.",
            why="0 blurs, 1 leaves it, 2 doubles the sharpness",
            fix="use a number from 0 on",
        )
    if is_pil(img):
        return pillow().ImageEnhance.Sharpness(img).enhance(sharpness_factor)
    return wrap(_colour.adjust_sharpness(array_of(img), sharpness_factor))


def to_grayscale(img, num_output_channels: int = 1):
    """A PIL image in grey levels, in 1 or 3 bands."""
    if not is_pil(img):
        raise ArgumentTypeError(
            "Input should be PIL Image",
            why=f"it is {type(img).__name__}",
            fix="use `rgb_to_grayscale`, which takes tensors too",
        )
    if num_output_channels not in (1, 3):
        raise ArgumentError(
            "num_output_channels should be either 1 or 3",
            why=f"it is {num_output_channels}; a grey picture has one channel, or three that are equal",
            fix="use 1 or 3",
        )
    return _pil.grey(img, num_output_channels)


def rgb_to_grayscale(img, num_output_channels: int = 1):
    """The luminance of an RGB image, in 1 or 3 channels.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import rgb_to_grayscale
    >>> rgb_to_grayscale(torch.rand(3, 4, 4)).shape
    torch.Size([1, 4, 4])
    """
    if is_pil(img):
        return to_grayscale(img, num_output_channels)
    if num_output_channels not in (1, 3):
        raise ArgumentError(
            "num_output_channels should be either 1 or 3",
            why=f"it is {num_output_channels}; a grey picture has one channel, or three that are equal",
            fix="use 1 or 3",
        )
    a = _colour.grey(array_of(img))
    return wrap(np.repeat(a, 3, axis=-3) if num_output_channels == 3 and a.shape[-3] == 1 else a.copy())


def invert(img):
    """The negative.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import invert
    >>> invert(torch.tensor([[[0.25, 1.0]]]))
    tensor([[[0.7500, 0.0000]]])
    """
    return pillow().ImageOps.invert(img) if is_pil(img) else wrap(_colour.invert(array_of(img)))


def posterize(img, bits: int):
    """Keep only the highest `bits` bits of each byte.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import posterize
    >>> posterize(torch.tensor([[[100, 200]]], dtype=torch.uint8), 1)
    tensor([[[  0, 128]]], dtype=torch.uint8)
    """
    if not 0 <= bits <= 8:
        raise ArgumentError(
            f"The number if bits should be between 0 and 8. Got {bits}",
            why="that many bits of each byte are kept",
            fix="use a number from 0 to 8",
        )
    if is_pil(img):
        return _pil.posterize(img, bits)
    a = array_of(img)
    if a.dtype != np.uint8:
        raise ArgumentTypeError(
            f"Only torch.uint8 image tensors are supported, but found torch.{a.dtype}",
            why="bits of bytes are kept",
            fix="use `(img * 255).to(torch.uint8)`",
        )
    return wrap(_colour.posterize(a, bits))


def solarize(img, threshold: float):
    """Invert all values from the threshold on.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import solarize
    >>> solarize(torch.tensor([[[0.25, 0.75]]]), 0.5)
    tensor([[[0.2500, 0.2500]]])
    """
    if is_pil(img):
        return pillow().ImageOps.solarize(img, threshold)
    a = array_of(img)
    if threshold > _colour.bound(a.dtype):
        raise ArgumentTypeError(
            "Threshold should be less than bound of img.",
            why=f"it is {threshold}, and the largest value of {a.dtype} pixels is {_colour.bound(a.dtype)}",
            fix=f"use a threshold of at most {_colour.bound(a.dtype)}",
        )
    return wrap(_colour.solarize(a, threshold))


def autocontrast(img):
    """Stretch each channel to the full range.

    >>> import flambeau as torch
    >>> from flambeau.vision.transforms.functional import autocontrast
    >>> autocontrast(torch.tensor([[[0.25, 0.75]]]))
    tensor([[[0., 1.]]])
    """
    return pillow().ImageOps.autocontrast(img) if is_pil(img) else wrap(_colour.autocontrast(array_of(img)))


def equalize(img):
    """Flatten the histogram."""
    if is_pil(img):
        return pillow().ImageOps.equalize(img)
    a = array_of(img)
    if a.dtype != np.uint8:
        raise ArgumentTypeError(
            f"Only torch.uint8 image tensors are supported, but found torch.{a.dtype}",
            why="the values of bytes are counted",
            fix="use `(img * 255).to(torch.uint8)`",
        )
    return wrap(_colour.equalize(a))
