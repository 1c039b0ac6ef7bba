"""Transforms of one image that change its colours, blur or erase."""

import numbers
from collections.abc import Sequence

import flambeau as fb

from ...errors import ArgumentError, ArgumentTypeError
from ...language import warn
from . import _check, _draw
from . import functional as F
from ._basic import OneNumber, Shown, WithProbability


class RandomInvert(WithProbability):
    """The negative, with probability `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomInvert(p=1.0)(torch.tensor([[[0.25, 1.0]]]))
    tensor([[[0.7500, 0.0000]]])
    """

    def _apply_to(self, img):
        return F.invert(img)


class RandomAutocontrast(WithProbability):
    """Full contrast, with probability `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomAutocontrast(p=1.0)(torch.tensor([[[0.25, 0.75]]]))
    tensor([[[0., 1.]]])
    """

    def _apply_to(self, img):
        return F.autocontrast(img)


class RandomEqualize(WithProbability):
    """A flat histogram, with probability `p`."""

    def _apply_to(self, img):
        return F.equalize(img)


class RandomPosterize(OneNumber):
    """Fewer bits per channel, with probability `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomPosterize(bits=1, p=1.0)(torch.tensor([[[100, 200]]], dtype=torch.uint8))
    tensor([[[  0, 128]]], dtype=torch.uint8)
    """

    _shows = ("bits",)

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def _apply_to(self, img):
        return F.posterize(img, self.bits)


class RandomSolarize(OneNumber):
    """Bright values inverted, with probability `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomSolarize(0.5, p=1.0)(torch.tensor([[[0.25, 0.75]]]))
    tensor([[[0.2500, 0.2500]]])
    """

    _shows = ("threshold",)

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def _apply_to(self, img):
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(OneNumber):
    """Another sharpness, with probability `p`."""

    _shows = ("sharpness_factor",)

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _apply_to(self, img):
        return F.adjust_sharpness(img, self.sharpness_factor)


class ColorJitter(Shown):
    """Random brightness, contrast, saturation and hue, in random order.

    Arguments: each a number x (factors from max(0, 1 - x) to 1 + x; hue from -x to x) or the interval itself.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.ColorJitter(brightness=0.2, hue=0.1)(torch.rand(3, 4, 4)).shape
    torch.Size([3, 4, 4])
    """

    _shows = ("brightness", "contrast", "saturation", "hue")

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0) -> None:
        super().__init__()
        self.brightness = _check.factor_range(brightness, "brightness")
        self.contrast = _check.factor_range(contrast, "contrast")
        self.saturation = _check.factor_range(saturation, "saturation")
        self.hue = _check.factor_range(hue, "hue", centre=0, limits=(-0.5, 0.5), clip=False)

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """The order, and a factor (or None) for each."""
        order = fb.randperm(4)
        factors = [None if r is None else _draw.uniform(r[0], r[1]) for r in (brightness, contrast, saturation, hue)]
        return (order, *factors)

    def forward(self, img):
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for k in order.tolist():
            if factors[k] is not None:
                img = adjust[k](img, factors[k])
        return img


class Grayscale(Shown):
    """Grey levels, in 1 or 3 channels.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.Grayscale()(torch.rand(3, 4, 4)).shape
    torch.Size([1, 4, 4])
    """

    _shows = ("num_output_channels",)

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img):
        return F.rgb_to_grayscale(img, self.num_output_channels)


class RandomGrayscale(WithProbability):
    """Grey levels with probability `p`, in as many channels as the image has.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomGrayscale(p=1.0)(torch.rand(3, 4, 4)).shape
    torch.Size([3, 4, 4])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def _apply_to(self, img):
        return F.rgb_to_grayscale(img, F.get_dimensions(img)[0])


class RandomErasing(Shown):
    """A random rectangle set to `value` (a number, one per channel, or "random"), with probability `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomErasing(p=1.0)(torch.ones(3, 8, 8)).unique()
    tensor([0., 1.])
    """

    _shows = ("p", "scale", "ratio", "value", "inplace")

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False) -> None:
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise ArgumentTypeError(
                "Argument value should be either a number or str or a sequence",
                why=f"it is {type(value).__name__}",
                fix='use `value=0`, or `value="random"`',
            )
        if isinstance(value, str) and value != "random":
            raise ArgumentError(
                "If value is str, it should be 'random'", why=f"it is {value!r}", fix='use `value="random"`'
            )
        if not isinstance(scale, Sequence):
            raise ArgumentTypeError(
                "Scale should be a sequence",
                why=f"it is {scale!r}, the range of the part that is erased",
                fix="use `scale=(0.02, 0.33)`",
            )
        if not isinstance(ratio, Sequence):
            raise ArgumentTypeError(
                "Ratio should be a sequence",
                why=f"it is {ratio!r}, the range of width to height",
                fix="use `ratio=(0.3, 3.3)`",
            )
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        if scale[0] < 0 or scale[1] > 1:
            raise ArgumentError(
                "Scale should be between 0 and 1",
                why=f"it is {tuple(scale)}, the range of the part that is erased",
                fix="use `scale=(0.02, 0.33)`",
            )
        if p < 0 or p > 1:
            raise ArgumentError(
                "Random erasing probability should be between 0 and 1", why=f"it is {p}", fix="use `p=0.5`"
            )
        self.p, self.scale, self.ratio, self.value, self.inplace = p, scale, ratio, value, inplace

    @staticmethod
    def get_params(img, scale, ratio, value=None):
        """Top, left, height, width and values."""
        found = _draw.erase_box(*img.shape[-3:], scale, ratio, value)
        return found or (0, 0, *img.shape[-2:], img)

    def forward(self, img):
        if _draw.coin() >= self.p:
            return img
        value = self.value
        if isinstance(value, numbers.Number):
            value = [float(value)]  # type: ignore[arg-type]
        elif isinstance(value, str):
            value = None
        else:
            value = [float(v) for v in value]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ArgumentError(
                f"If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels)",
                why=f"it has {len(value)} values, and each channel is filled with its own",
                fix="use one number",
            )
        return F.erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)


class GaussianBlur(Shown):
    """A blur with random strength.

    Arguments:
        kernel_size: odd number, or (width, height). sigma: number, or interval.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.GaussianBlur(3)(torch.rand(3, 8, 8)).shape
    torch.Size([3, 8, 8])
    """

    _shows = ("kernel_size", "sigma")

    def __init__(self, kernel_size, sigma=(0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = _check.pair(kernel_size, "Kernel size should be a tuple/list of two integers")
        if any(k <= 0 or k % 2 == 0 for k in self.kernel_size):
            raise ArgumentError(
                "Kernel size value should be an odd and positive number.",
                why=f"it is {self.kernel_size}; a kernel has a pixel in its middle",
                fix="use `kernel_size=5`",
            )
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:  # type: ignore[operator]
                raise ArgumentError(
                    "If sigma is a single number, it must be positive.",
                    why=f"it is {sigma}, the width of the blur in pixels",
                    fix="use `sigma=1.0`",
                )
            sigma = (sigma, sigma)
        elif isinstance(sigma, Sequence) and len(sigma) == 2:
            if not 0.0 < sigma[0] <= sigma[1]:
                raise ArgumentError(
                    "sigma values should be positive and of the form (min, max).",
                    why=f"they are {tuple(sigma)}, the range of the width of the blur in pixels",
                    fix="use `sigma=(0.1, 2.0)`",
                )
        else:
            raise ArgumentError(
                "sigma should be a single number or a list/tuple with length 2.",
                why=f"it is {sigma!r}, the width of the blur in pixels",
                fix="use `sigma=(0.1, 2.0)`",
            )
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """The strength."""
        return _draw.uniform(sigma_min, sigma_max)

    def forward(self, img):
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, list(self.kernel_size), [sigma, sigma])
