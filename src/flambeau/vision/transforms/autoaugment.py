"""Augmentation by chains of simple operations: AutoAugment, RandAugment, TrivialAugment, AugMix."""

import math
from enum import Enum

import numpy as np

import flambeau as fb

from ...errors import ArgumentError
from .._pillow import is_pil
from . import _draw
from . import functional as F
from .functional import InterpolationMode

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]


class AutoAugmentPolicy(Enum):
    """The data set a policy was learned on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# The policies found by Cubuk et al., AutoAugment (2019), tables 7 to 9. One line per sub-policy: two operations, each
# with its probability and its strength of 0 ... 9 (none where the operation has no strength).
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize 0.4 8 Rotate 0.6 9 | Solarize 0.6 5 AutoContrast 0.6 - | Equalize 0.8 - Equalize 0.6 -
        Posterize 0.6 7 Posterize 0.6 6 | Equalize 0.4 - Solarize 0.2 4 | Equalize 0.4 - Rotate 0.8 8
        Solarize 0.6 3 Equalize 0.6 - | Posterize 0.8 5 Equalize 1.0 - | Rotate 0.2 3 Solarize 0.6 8
        Equalize 0.6 - Posterize 0.4 6 | Rotate 0.8 8 Color 0.4 0 | Rotate 0.4 9 Equalize 0.6 -
        Equalize 0.0 - Equalize 0.8 - | Invert 0.6 - Equalize 1.0 - | Color 0.6 4 Contrast 1.0 8
        Rotate 0.8 8 Color 1.0 2 | Color 0.8 8 Solarize 0.8 7 | Sharpness 0.4 7 Invert 0.6 -
        ShearX 0.6 5 Equalize 1.0 - | Color 0.4 0 Equalize 0.6 - | Equalize 0.4 - Solarize 0.2 4
        Solarize 0.6 5 AutoContrast 0.6 - | Invert 0.6 - Equalize 1.0 - | Color 0.6 4 Contrast 1.0 8
        Equalize 0.8 - Equalize 0.6 -""",
    AutoAugmentPolicy.CIFAR10: """
        Invert 0.1 - Contrast 0.2 6 | Rotate 0.7 2 TranslateX 0.3 9 | Sharpness 0.8 1 Sharpness 0.9 3
        ShearY 0.5 8 TranslateY 0.7 9 | AutoContrast 0.5 - Equalize 0.9 - | ShearY 0.2 7 Posterize 0.3 7
        Color 0.4 3 Brightness 0.6 7 | Sharpness 0.3 9 Brightness 0.7 9 | Equalize 0.6 - Equalize 0.5 -
        Contrast 0.6 7 Sharpness 0.6 5 | Color 0.7 7 TranslateX 0.5 8 | Equalize 0.3 - AutoContrast 0.4 -
        TranslateY 0.4 3 Sharpness 0.2 6 | Brightness 0.9 6 Color 0.2 8 | Solarize 0.5 2 Invert 0.0 -
        Equalize 0.2 - AutoContrast 0.6 - | Equalize 0.2 - Equalize 0.6 - | Color 0.9 9 Equalize 0.6 -
        AutoContrast 0.8 - Solarize 0.2 8 | Brightness 0.1 3 Color 0.7 0 | Solarize 0.4 5 AutoContrast 0.9 -
        TranslateY 0.9 9 TranslateY 0.7 9 | AutoContrast 0.9 - Solarize 0.8 3 | Equalize 0.8 - Invert 0.1 -
        TranslateY 0.7 9 AutoContrast 0.9 -""",
    AutoAugmentPolicy.SVHN: """
        ShearX 0.9 4 Invert 0.2 - | ShearY 0.9 8 Invert 0.7 - | Equalize 0.6 - Solarize 0.6 6
        Invert 0.9 - Equalize 0.6 - | Equalize 0.6 - Rotate 0.9 3 | ShearX 0.9 4 AutoContrast 0.8 -
        ShearY 0.9 8 Invert 0.4 - | ShearY 0.9 5 Solarize 0.2 6 | Invert 0.9 - AutoContrast 0.8 -
        Equalize 0.6 - Rotate 0.9 3 | ShearX 0.9 4 Solarize 0.3 3 | ShearY 0.8 8 Invert 0.7 -
        Equalize 0.9 - TranslateY 0.6 6 | Invert 0.9 - Equalize 0.6 - | Contrast 0.3 3 Rotate 0.8 4
        Invert 0.8 - TranslateY 0.0 2 | ShearY 0.7 6 Solarize 0.4 8 | Invert 0.6 - Rotate 0.8 4
        ShearY 0.3 7 TranslateX 0.9 3 | ShearX 0.1 6 Invert 0.6 - | Solarize 0.7 2 TranslateY 0.6 7
        ShearY 0.8 4 Invert 0.8 - | ShearX 0.7 9 TranslateY 0.8 3 | ShearY 0.8 5 AutoContrast 0.7 -
        ShearX 0.7 2 Invert 0.1 -""",
}


def _parse(text: str):
    """Sub-policies as pairs of (operation, probability, strength)."""
    rows = []
    for chunk in text.replace("\n", "|").split("|"):
        words = chunk.split()
        if words:
            half = [
                (name, float(p), None if strength == "-" else int(strength))
                for name, p, strength in (words[:3], words[3:])
            ]
            rows.append(tuple(half))
    return rows


def apply_op(img, name: str, magnitude: float, interpolation, fill, functions=F):
    """One operation with a given strength, from a module of functions."""
    F = functions
    still = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    options = {"interpolation": interpolation, "fill": fill}
    if name == "Identity":
        return img
    if name in ("ShearX", "ShearY"):
        # About the corner, as the paper's code does with Pillow.
        degrees = math.degrees(math.atan(magnitude))
        shear = [degrees, 0.0] if name == "ShearX" else [0.0, degrees]
        return F.affine(img, **{**still, "shear": shear}, **options, center=[0, 0])
    if name in ("TranslateX", "TranslateY"):
        shift = [int(magnitude), 0] if name == "TranslateX" else [0, int(magnitude)]
        return F.affine(img, **{**still, "translate": shift}, **options)
    if name == "Rotate":
        return F.rotate(img, magnitude, **options)
    factors = {
        "Brightness": F.adjust_brightness,
        "Color": F.adjust_saturation,
        "Contrast": F.adjust_contrast,
        "Sharpness": F.adjust_sharpness,
    }
    if name in factors:
        return factors[name](img, 1.0 + magnitude)
    if name == "Posterize":
        return F.posterize(img, int(magnitude))
    if name == "Solarize":
        return F.solarize(img, magnitude if is_pil(img) or img.dtype == fb.uint8 else magnitude / 255.0)
    plain = {"AutoContrast": F.autocontrast, "Equalize": F.equalize, "Invert": F.invert}
    if name not in plain:
        raise ArgumentError(
            f"The provided operator {name} is not recognized.",
            why="an operator is named by what it does to the picture",
            fix='use a name such as "Rotate", "Color" or "Posterize"',
        )
    return plain[name](img)


_PLAIN = ("AutoContrast", "Equalize")
_FACTORS = ("Brightness", "Color", "Contrast", "Sharpness")


def _space(bins: int, reach: dict[str, float], posterize: tuple[int, int], order) -> dict:
    """For each operation its strengths (None for those without) and whether they have a sign."""
    table: dict = {}
    for name in order:
        if name in reach:
            table[name] = (np.linspace(0.0, reach[name], bins, dtype=np.float32), True)
        elif name == "Posterize":
            top, levels = posterize
            table[name] = (top - np.rint(np.arange(bins, dtype=np.float32) / ((bins - 1) / levels)), False)
        elif name == "Solarize":
            table[name] = (np.linspace(255.0, 0.0, bins, dtype=np.float32), False)
        else:
            table[name] = (None, False)
    return table


_ORDER = (
    "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", *_FACTORS, "Posterize", "Solarize", *_PLAIN,
)  # fmt: skip


class _Augment(fb.nn.Module):
    """What the four have in common."""

    def __init__(self, interpolation, fill) -> None:
        super().__init__()
        self.interpolation = F.interpolation_mode(interpolation)
        self.fill = fill

    _functions = F

    @staticmethod
    def _negative() -> bool:
        """Whether a strength that has a sign is taken with a minus."""
        return bool(fb.randint(2, (1,)).item())

    def _perform(self, img, name: str, magnitude: float, fill):
        return apply_op(img, name, magnitude, self.interpolation, fill, self._functions)

    def _fill_for(self, img, channels: int):
        fill = self.fill
        if is_pil(img) or fill is None:
            return fill
        return [float(fill)] * channels if isinstance(fill, (int, float)) else [float(f) for f in fill]

    def _reach(self, height: int, width: int) -> dict[str, float]:
        part = 150.0 / 331.0
        return {
            "ShearX": 0.3, "ShearY": 0.3, "TranslateX": part * width, "TranslateY": part * height, "Rotate": 30.0,
            **dict.fromkeys(_FACTORS, 0.9),
        }  # fmt: skip


class AutoAugment(_Augment):
    """One of 25 learned pairs of operations (Cubuk et al. 2019, https://arxiv.org/abs/1805.09501).

    Arguments:
        policy: learned on ImageNet, CIFAR10 or SVHN.
        interpolation, fill: for the geometric operations.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.AutoAugment()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(self, policy=AutoAugmentPolicy.IMAGENET, interpolation=InterpolationMode.NEAREST, fill=None) -> None:
        super().__init__(interpolation, fill)
        self.policy = policy
        if policy not in _POLICIES:
            raise ArgumentError(
                f"The provided policy {policy} is not recognized.",
                why="a policy is a list of operators found for a data set",
                fix="use `AutoAugmentPolicy.IMAGENET`, `CIFAR10` or `SVHN`",
            )
        self.policies = _parse(_POLICIES[policy])

    @staticmethod
    def get_params(transform_num: int):
        """Number of the pair, a probability and a sign for each of the two."""
        return int(fb.randint(transform_num, (1,)).item()), fb.rand((2,)), fb.randint(2, (2,))

    def forward(self, img):
        channels, height, width = F.get_dimensions(img)
        chosen, chances, signs = self.get_params(len(self.policies))
        space = _space(10, self._reach(height, width), (8, 4), (*_ORDER, "Invert"))
        fill = self._fill_for(img, channels)
        for k, (name, p, strength) in enumerate(self.policies[chosen]):
            if chances[k].item() <= p:
                strengths, signed = space[name]
                magnitude = float(strengths[strength]) if strength is not None and strengths is not None else 0.0
                if signed and signs[k].item() == 0:
                    magnitude = -magnitude
                img = self._perform(img, name, magnitude, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(_Augment):
    """`num_ops` random operations of one strength (Cubuk et al. 2020, https://arxiv.org/abs/1909.13719).

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandAugment()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(
        self, num_ops=2, magnitude=9, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins

    def forward(self, img):
        channels, height, width = F.get_dimensions(img)
        space = _space(self.num_magnitude_bins, self._reach(height, width), (8, 4), ("Identity", *_ORDER))
        fill = self._fill_for(img, channels)
        for _ in range(self.num_ops):
            name = list(space)[int(fb.randint(len(space), (1,)).item())]
            strengths, signed = space[name]
            magnitude = 0.0 if strengths is None else float(strengths[self.magnitude])
            if signed and self._negative():
                magnitude = -magnitude
            img = self._perform(img, name, magnitude, fill)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, fill={self.fill})"
        )


class TrivialAugmentWide(_Augment):
    """One random operation of random strength (Mueller and Hutter 2021, https://arxiv.org/abs/2103.10158).

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.TrivialAugmentWide()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(self, num_magnitude_bins=31, interpolation=InterpolationMode.NEAREST, fill=None) -> None:
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img):
        channels = F.get_dimensions(img)[0]
        reach = {
            "ShearX": 0.99, "ShearY": 0.99, "TranslateX": 32.0, "TranslateY": 32.0, "Rotate": 135.0,
            **dict.fromkeys(_FACTORS, 0.99),
        }  # fmt: skip
        space = _space(self.num_magnitude_bins, reach, (8, 6), ("Identity", *_ORDER))
        name = list(space)[int(fb.randint(len(space), (1,)).item())]
        strengths, signed = space[name]
        magnitude = 0.0
        if strengths is not None:
            magnitude = float(strengths[int(fb.randint(len(strengths), (1,), dtype=fb.int64).item())])
        if signed and self._negative():
            magnitude = -magnitude
        return self._perform(img, name, magnitude, self._fill_for(img, channels))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


class AugMix(_Augment):
    """A mixture of several chains of operations (Hendrycks et al. 2020, https://arxiv.org/abs/1912.02781).

    Arguments:
        severity: strength, 1 ... 10. mixture_width: number of chains. chain_depth: their length; -1 draws 1 to 3.
        alpha: of the Dirichlet distribution of the weights. all_ops: colour operations too.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.AugMix()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    _LEVELS = 10

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation=InterpolationMode.BILINEAR,
        fill=None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not 1 <= severity <= self._LEVELS:
            raise ArgumentError(
                f"The severity must be between [1, {self._LEVELS}]. Got {severity} instead.",
                why="it says how far the operators go",
                fix="use `severity=3`",
            )
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops = alpha, all_ops

    def forward(self, img):
        picture = F.pil_to_tensor(img) if is_pil(img) else img
        channels, height, width = F.get_dimensions(picture)
        reach = {**self._reach(height, width), "TranslateX": width / 3.0, "TranslateY": height / 3.0}
        order = [name for name in _ORDER if name not in _FACTORS] + (list(_FACTORS) if self.all_ops else [])
        space = _space(self._LEVELS, reach, (4, 4), order)
        fill = self._fill_for(picture, channels)
        # Dirichlet weights come from NumPy, seeded by the global generator.
        random = np.random.default_rng(int(fb.randint(2**31, (1,)).item()))
        keep = random.beta(self.alpha, self.alpha)
        weights = random.dirichlet([self.alpha] * self.mixture_width) * (1 - keep)
        mixed = keep * picture.to(fb.float32)
        for weight in weights.tolist():
            chain = picture
            depth = self.chain_depth if self.chain_depth > 0 else _draw.randint(1, 4)
            for _ in range(depth):
                name = list(space)[int(fb.randint(len(space), (1,)).item())]
                strengths, signed = space[name]
                level = int(fb.randint(self.severity, (1,)).item())
                magnitude = 0.0 if strengths is None else float(strengths[level])
                if signed and self._negative():
                    magnitude = -magnitude
                chain = self._perform(chain, name, magnitude, fill)
            mixed = mixed + weight * chain.to(fb.float32)
        mixed = mixed.to(picture.dtype)
        return F.to_pil_image(mixed) if is_pil(img) else mixed

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(severity={self.severity}, mixture_width={self.mixture_width}, "
            f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
