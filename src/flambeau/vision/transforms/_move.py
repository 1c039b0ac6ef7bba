"""Transforms of one image that move its pixels: sizes, crops, flips, rotations."""

import numbers
from collections.abc import Sequence

import flambeau as fb

from ...errors import ArgumentError, ArgumentTypeError
from ...language import warn
from .._pillow import is_pil
from . import _check, _draw
from . import functional as F
from ._basic import Shown, WithProbability
from .functional import InterpolationMode

_TWO = "Please provide only two dimensions (h, w) for size."


class Resize(Shown):
    """Resize to (height, width), or the shorter edge to one length.

    Arguments:
        max_size: limit of the longer edge. antialias: for tensors; PIL images always are.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.Resize(5)(torch.zeros(3, 10, 20)).shape
    torch.Size([3, 5, 10])
    """

    _shows = ("size", "interpolation", "max_size", "antialias")

    def __init__(self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True) -> None:
        super().__init__()
        if not isinstance(size, (int, Sequence)):
            raise ArgumentTypeError(
                f"Size should be int or sequence. Got {type(size)}",
                why="it is the size of the result in pixels",
                fix="use an int, or (height, width)",
            )
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ArgumentError(
                "If size is a sequence, it should have 1 or 2 values",
                why=f"it has {len(size)}",
                fix="use an int, or (height, width)",
            )
        self.size, self.max_size, self.antialias = size, max_size, antialias
        self.interpolation = F.interpolation_mode(interpolation)

    def forward(self, img):
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Shown):
    """The middle of the image.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.CenterCrop(2)(torch.arange(16).view(1, 4, 4))
    tensor([[[ 5,  6],
             [ 9, 10]]])
    """

    _shows = ("size",)

    def __init__(self, size) -> None:
        super().__init__()
        self.size = _check.pair(size, _TWO)

    def forward(self, img):
        return F.center_crop(img, self.size)


class Pad(Shown):
    """A border around the image.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.Pad(1)(torch.ones(1, 1, 1))
    tensor([[[0., 0., 0.],
             [0., 1., 0.],
             [0., 0., 0.]]])
    """

    _shows = ("padding", "fill", "padding_mode")

    def __init__(self, padding, fill=0, padding_mode: str = "constant") -> None:
        super().__init__()
        if not isinstance(padding, (numbers.Number, tuple, list)):
            raise ArgumentTypeError(
                "Got inappropriate padding arg",
                why=f"it is {type(padding).__name__}",
                fix="use an int, or (left, top, right, bottom)",
            )
        if not isinstance(fill, (numbers.Number, str, tuple, list)):
            raise ArgumentTypeError(
                "Got inappropriate fill arg",
                why=f"it is {type(fill).__name__}",
                fix="use a number, or one for each channel",
            )
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ArgumentError(
                "Padding mode should be either constant, edge, reflect or symmetric",
                why=f"it is {padding_mode!r}",
                fix='use "constant", "edge", "reflect" or "symmetric"',
            )
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ArgumentError(
                f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple",
                why="it is one number for all sides, (left and right, top and bottom), or one for each side",
                fix="use (left, top, right, bottom)",
            )
        self.padding, self.fill, self.padding_mode = padding, fill, padding_mode

    def forward(self, img):
        return F.pad(img, self.padding, self.fill, self.padding_mode)


class RandomCrop(Shown):
    """A part of the given size at a random place.

    Arguments:
        padding, fill, padding_mode: a border added before. pad_if_needed: pad images that are too small.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomCrop(32, padding=4)(torch.zeros(3, 32, 32)).shape
    torch.Size([3, 32, 32])
    """

    _shows = ("size", "padding")

    @staticmethod
    def get_params(img, output_size) -> tuple[int, int, int, int]:
        """Top, left, height, width."""
        _, h, w = F.get_dimensions(img)
        th, tw = output_size
        if h < th or w < tw:
            raise ArgumentError(
                f"Required crop size {(th, tw)} is larger than input image size {(h, w)}",
                why="there are too few pixels to cut from",
                fix="use `pad_if_needed=True`, or `Resize` before it",
            )
        if w == tw and h == th:
            return 0, 0, h, w
        return _draw.randint(0, h - th + 1), _draw.randint(0, w - tw + 1), th, tw

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant") -> None:
        super().__init__()
        self.size = tuple(_check.pair(size, _TWO))
        self.padding, self.pad_if_needed, self.fill, self.padding_mode = padding, pad_if_needed, fill, padding_mode

    def forward(self, img):
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))


class RandomHorizontalFlip(WithProbability):
    """Left and right exchanged, with probability `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomHorizontalFlip(p=1.0)(torch.tensor([[[1, 2, 3]]]))
    tensor([[[3, 2, 1]]])
    """

    def _apply_to(self, img):
        return F.hflip(img)


class RandomVerticalFlip(WithProbability):
    """Top and bottom exchanged, with probability `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomVerticalFlip(p=1.0)(torch.tensor([[[1], [2]]])).tolist()
    [[[2], [1]]]
    """

    def _apply_to(self, img):
        return F.vflip(img)


class RandomPerspective(Shown):
    """A random perspective, with probability `p`."""

    _shows = ("p",)

    def __init__(self, distortion_scale=0.5, p=0.5, interpolation=InterpolationMode.BILINEAR, fill=0) -> None:
        super().__init__()
        self.distortion_scale, self.p = distortion_scale, p
        self.interpolation = F.interpolation_mode(interpolation)
        self.fill = _fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float):
        """The corners before and after."""
        return _draw.perspective_points(width, height, distortion_scale)

    def forward(self, img):
        channels, height, width = F.get_dimensions(img)
        if _draw.coin() >= self.p:
            return img
        start, end = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, start, end, self.interpolation, _channels(img, self.fill, channels))


def _fill(fill):
    if fill is None:
        return 0
    if not isinstance(fill, (Sequence, numbers.Number)):
        raise ArgumentTypeError(
            "Fill should be either a sequence or a number.",
            why=f"it is {type(fill).__name__}",
            fix="use a number, or one for each channel",
        )
    return fill


def _channels(img, fill, channels: int):
    """The fill for a tensor: one number per channel."""
    if is_pil(img):
        return fill
    return [float(fill)] * channels if isinstance(fill, (int, float)) else [float(f) for f in fill]


class RandomResizedCrop(Shown):
    """A random part of the image, resized to `size`: the usual augmentation for ImageNet.

    Arguments:
        scale: part of the area. ratio: width to height.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomResizedCrop(8)(torch.zeros(3, 20, 30)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        size,
        scale=(0.08, 1.0),
        ratio=(3.0 / 4.0, 4.0 / 3.0),
        interpolation=InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = _check.pair(size, _TWO)
        if not isinstance(scale, Sequence):
            raise ArgumentTypeError(
                "Scale should be a sequence",
                why=f"it is {scale!r}, the range of the part that is cut out",
                fix="use `scale=(0.08, 1.0)`",
            )
        if not isinstance(ratio, Sequence):
            raise ArgumentTypeError(
                "Ratio should be a sequence",
                why=f"it is {ratio!r}, the range of width to height",
                fix="use `ratio=(0.75, 1.33)`",
            )
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            warn("Scale and ratio should be of kind (min, max)", stacklevel=2)
        self.interpolation = F.interpolation_mode(interpolation)
        self.antialias, self.scale, self.ratio = antialias, scale, ratio

    @staticmethod
    def get_params(img, scale, ratio) -> tuple[int, int, int, int]:
        """Top, left, height, width."""
        _, height, width = F.get_dimensions(img)
        return _draw.resized_crop_box(height, width, scale, ratio)

    def forward(self, img):
        box = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *box, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(v, 4) for v in x) for x in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class FiveCrop(Shown):
    """The corners and the middle, as a tuple.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> [crop.shape for crop in transforms.FiveCrop(2)(torch.zeros(1, 4, 4))][0]
    torch.Size([1, 2, 2])
    """

    _shows = ("size",)

    def __init__(self, size) -> None:
        super().__init__()
        self.size = _check.pair(size, _TWO)

    def forward(self, img):
        return F.five_crop(img, self.size)


class TenCrop(Shown):
    """`FiveCrop` of the image and of its mirror image.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> len(transforms.TenCrop(2)(torch.zeros(1, 4, 4)))
    10
    """

    _shows = ("size", "vertical_flip")

    def __init__(self, size, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size, self.vertical_flip = _check.pair(size, _TWO), vertical_flip

    def forward(self, img):
        return F.ten_crop(img, self.size, self.vertical_flip)


class RandomRotation(fb.nn.Module):
    """A rotation by a random angle.

    Arguments:
        degrees: largest angle, or (lowest, highest). expand, center, fill: as for `functional.rotate`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomRotation((90, 90))(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    tensor([[[2., 4.],
             [1., 3.]]])
    """

    def __init__(self, degrees, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=0) -> None:
        super().__init__()
        self.interpolation = F.interpolation_mode(interpolation)
        self.degrees = _check.symmetric_range(degrees, "degrees")
        if center is not None:
            _check.sequence(center, "center", (2,))
        self.center, self.expand, self.fill = center, expand, _fill(fill)

    @staticmethod
    def get_params(degrees) -> float:
        """The angle."""
        return _draw.uniform(degrees[0], degrees[1])

    def forward(self, img):
        fill = _channels(img, self.fill, F.get_dimensions(img)[0])
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        text = f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}"
        text += f", expand={self.expand}"
        text += f", center={self.center}" if self.center is not None else ""
        return text + f", fill={self.fill})"


class RandomAffine(fb.nn.Module):
    """A random rotation, translation (part of the size), scale and shear (degrees).

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomAffine(10, translate=(0.1, 0.1))(torch.rand(3, 8, 8)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(
        self,
        degrees,
        translate=None,
        scale=None,
        shear=None,
        interpolation=InterpolationMode.NEAREST,
        fill=0,
        center=None,
    ) -> None:
        super().__init__()
        self.interpolation = F.interpolation_mode(interpolation)
        self.degrees = _check.symmetric_range(degrees, "degrees")
        if translate is not None:
            _check.sequence(translate, "translate", (2,))
            if not all(0.0 <= t <= 1.0 for t in translate):
                raise ArgumentError(
                    "translation values should be between 0 and 1",
                    why=f"they are {tuple(translate)}, parts of the width and height",
                    fix="use `translate=(0.1, 0.1)`",
                )
        if scale is not None:
            _check.sequence(scale, "scale", (2,))
            if any(s <= 0 for s in scale):
                raise ArgumentError(
                    "scale values should be positive",
                    why=f"they are {tuple(scale)}, by which the size is multiplied",
                    fix="use `scale=(0.8, 1.2)`",
                )
        self.translate, self.scale = translate, scale
        self.shear = None if shear is None else _check.symmetric_range(shear, "shear", (2, 4))
        if center is not None:
            _check.sequence(center, "center", (2,))
        self.fill, self.center = _fill(fill), center

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """Angle, shift, scale, shear; `img_size` is (width, height)."""
        return _draw.affine_parameters(degrees, translate, scale_ranges, shears, *img_size)

    def forward(self, img):
        channels, height, width = F.get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        fill = _channels(img, self.fill, channels)
        return F.affine(img, *drawn, interpolation=self.interpolation, fill=fill, center=self.center)

    def __repr__(self) -> str:
        text = f"{type(self).__name__}(degrees={self.degrees}"
        for name in ("translate", "scale", "shear"):
            text += f", {name}={getattr(self, name)}" if getattr(self, name) is not None else ""
        if self.interpolation != InterpolationMode.NEAREST:
            text += f", interpolation={self.interpolation.value}"
        text += f", fill={self.fill}" if self.fill != 0 else ""
        return text + (f", center={self.center})" if self.center is not None else ")")


class ElasticTransform(fb.nn.Module):
    """Random smooth displacements, as seen through water.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.ElasticTransform()(torch.rand(3, 8, 8)).shape
    torch.Size([3, 8, 8])
    """

    def __init__(self, alpha=50.0, sigma=5.0, interpolation=InterpolationMode.BILINEAR, fill=0) -> None:
        super().__init__()
        self.alpha = [float(alpha)] * 2 if isinstance(alpha, numbers.Number) else [float(a) for a in alpha]  # type: ignore[arg-type]
        self.sigma = [float(sigma)] * 2 if isinstance(sigma, numbers.Number) else [float(s) for s in sigma]  # type: ignore[arg-type]
        self.interpolation = F.interpolation_mode(interpolation)
        self.fill = [float(fill)] if isinstance(fill, numbers.Number) else [float(f) for f in fill]  # type: ignore[arg-type]

    @staticmethod
    def get_params(alpha, sigma, size):
        """The displacement (1, H, W, 2)."""
        moves = []
        for k in (0, 1):
            move = fb.rand([1, 1, *size]) * 2 - 1
            if sigma[k] > 0.0:
                kernel = int(8 * sigma[k] + 1)
                kernel += 1 - kernel % 2
                move = F.gaussian_blur(move, [kernel, kernel], list(sigma))
            moves.append(move * alpha[k] / size[1 - k])
        return fb.cat(moves, 1).permute(0, 2, 3, 1)

    def forward(self, tensor):
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
