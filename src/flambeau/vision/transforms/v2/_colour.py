"""Transforms of colours."""

import flambeau as fb

from ....errors import ArgumentError, ArgumentTypeError
from .. import _check, _draw
from .. import autoaugment as A
from .. import transforms as T
from . import functional as F
from ._transform import RandomApplyTransform, Transform, is_picture


class Grayscale(Transform):
    """Grey levels, in 1 or 3 channels."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt, params):
        return F.rgb_to_grayscale(inpt, self.num_output_channels)


class RGB(Transform):
    """Three channels."""

    def transform(self, inpt, params):
        return F.grayscale_to_rgb(inpt)


class RandomGrayscale(RandomApplyTransform):
    """Grey levels with probability `p`, in as many channels as the image has."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p)

    def transform(self, inpt, params):
        return F.rgb_to_grayscale(inpt, F.get_image_num_channels(inpt)) if is_picture(inpt) else inpt


class ColorJitter(Transform):
    """Random brightness, contrast, saturation and hue, in random order."""

    def __init__(self, brightness=None, contrast=None, saturation=None, hue=None) -> None:
        super().__init__()
        given = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        for name, value in given.items():
            setattr(self, name, None if value is None else _check.factor_range(value, name))
        self.hue = None if hue is None else _check.factor_range(hue, "hue", 0, (-0.5, 0.5), clip=False)

    def make_params(self, flat_inputs):
        order, *factors = T.ColorJitter.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        return {"order": order.tolist(), "factors": factors}

    def transform(self, inpt, params):
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for k in params["order"]:
            if params["factors"][k] is not None:
                inpt = adjust[k](inpt, params["factors"][k])
        return inpt


class RandomChannelPermutation(Transform):
    """Channels in random order."""

    def make_params(self, flat_inputs):
        channels = next(F.get_image_num_channels(x) for x in flat_inputs if is_picture(x))
        return {"order": fb.randperm(channels).tolist()}

    def transform(self, inpt, params):
        return F.permute_channels(inpt, params["order"])


class RandomPhotometricDistort(Transform):
    """The colour augmentation of SSD (Liu et al. 2015): each adjustment with probability `p`."""

    def __init__(
        self, brightness=(0.875, 1.125), contrast=(0.5, 1.5), saturation=(0.5, 1.5), hue=(-0.05, 0.05), p: float = 0.5
    ) -> None:
        super().__init__()
        self.brightness, self.contrast, self.hue, self.saturation = brightness, contrast, hue, saturation
        self.p = p

    def make_params(self, flat_inputs):
        channels = next(F.get_image_num_channels(x) for x in flat_inputs if is_picture(x))

        def maybe(interval):
            return _draw.uniform(*interval) if _draw.coin() < self.p else None

        params = {
            "adjust_brightness": maybe(self.brightness),
            "adjust_contrast": maybe(self.contrast),
            "adjust_saturation": maybe(self.saturation),
            "adjust_hue": maybe(self.hue),
        }
        before = _draw.coin() < 0.5
        order = fb.randperm(channels).tolist() if _draw.coin() < self.p else None
        return {"factors": params, "contrast_before": before, "order": order}

    def transform(self, inpt, params):
        contrast, rest = ["adjust_contrast"], ["adjust_saturation", "adjust_hue"]
        names = ["adjust_brightness", *(contrast + rest if params["contrast_before"] else rest + contrast)]
        for name in names:
            if params["factors"][name] is not None:
                inpt = getattr(F, name)(inpt, params["factors"][name])
        return inpt if params["order"] is None else F.permute_channels(inpt, params["order"])


class RandomEqualize(RandomApplyTransform):
    """A flat histogram, with probability `p`."""

    def transform(self, inpt, params):
        return F.equalize(inpt)


class RandomInvert(RandomApplyTransform):
    """The negative, with probability `p`."""

    def transform(self, inpt, params):
        return F.invert(inpt)


class RandomAutocontrast(RandomApplyTransform):
    """Full contrast, with probability `p`."""

    def transform(self, inpt, params):
        return F.autocontrast(inpt)


class RandomPosterize(RandomApplyTransform):
    """Fewer bits per channel, with probability `p`."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def transform(self, inpt, params):
        return F.posterize(inpt, self.bits)


class RandomSolarize(RandomApplyTransform):
    """Bright values inverted, with probability `p`."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def transform(self, inpt, params):
        return F.solarize(inpt, self.threshold)


class RandomAdjustSharpness(RandomApplyTransform):
    """Another sharpness, with probability `p`."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt, params):
        return F.adjust_sharpness(inpt, self.sharpness_factor)


class _Drawn:
    """The draws of the second generation, and its functions, which also take floating point images."""

    _functions = F

    @staticmethod
    def _negative() -> bool:
        return fb.rand(()).item() <= 0.5


class _AutoAugment(_Drawn, A.AutoAugment):
    def forward(self, img):
        channels, height, width = F.get_dimensions(img)
        space = A._space(10, self._reach(height, width), (8, 4), (*A._ORDER, "Invert"))
        fill = self._fill_for(img, channels)
        for name, p, strength in self.policies[int(fb.randint(len(self.policies), ()).item())]:
            if fb.rand(()).item() > p:
                continue
            strengths, signed = space[name]
            magnitude = 0.0 if strengths is None else float(strengths[strength])
            if signed and self._negative():
                magnitude = -magnitude
            img = self._perform(img, name, magnitude, fill)
        return img


class _RandAugment(_Drawn, A.RandAugment):
    pass


class _TrivialAugmentWide(_Drawn, A.TrivialAugmentWide):
    pass


class _AugMix(_Drawn, A.AugMix):
    pass


class _OfImages(Transform):
    """A transform of the first generation, for the image in a sample; masks and boxes must not be there."""

    def _use(self, inner, interpolation) -> None:
        object.__setattr__(self, "_inner", inner)
        self.interpolation = interpolation

    def transform(self, inpt, params):
        if not is_picture(inpt):
            raise ArgumentTypeError(
                f"Inputs of type {type(inpt).__name__} are not supported by {type(self).__name__}()",
                why="it changes the colours of images and videos",
                fix="use `v2.ToImage()` before it",
            )
        return F._map(inpt, self._inner)


class AutoAugment(_OfImages):
    """See `flambeau.vision.transforms.AutoAugment`."""

    def __init__(self, policy=A.AutoAugmentPolicy.IMAGENET, interpolation="nearest", fill=None) -> None:
        super().__init__()
        self._use(_AutoAugment(policy, interpolation, fill), interpolation)
        self.policy = policy


class RandAugment(_OfImages):
    """See `flambeau.vision.transforms.RandAugment`."""

    def __init__(self, num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation="nearest", fill=None) -> None:
        super().__init__()
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ArgumentError(
                f"num_ops should be a non-negative integer, but got {num_ops} instead.",
                why="it is the number of operators applied to each image",
                fix="use `num_ops=2`",
            )
        self._use(_RandAugment(num_ops, magnitude, num_magnitude_bins, interpolation, fill), interpolation)
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins


class TrivialAugmentWide(_OfImages):
    """See `flambeau.vision.transforms.TrivialAugmentWide`."""

    def __init__(self, num_magnitude_bins=31, interpolation="nearest", fill=None) -> None:
        super().__init__()
        self._use(_TrivialAugmentWide(num_magnitude_bins, interpolation, fill), interpolation)
        self.num_magnitude_bins = num_magnitude_bins


class AugMix(_OfImages):
    """See `flambeau.vision.transforms.AugMix`."""

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation="bilinear",
        fill=None,
    ) -> None:
        super().__init__()
        inner = _AugMix(severity, mixture_width, chain_depth, alpha, all_ops, interpolation, fill)
        self._use(inner, interpolation)
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops = alpha, all_ops
