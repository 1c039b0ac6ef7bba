"""Transforms of places: size, position, orientation."""

import flambeau as fb

from ....errors import ArgumentError
from ... import tv_tensors
from .. import _check, _draw
from .. import transforms as T
from . import functional as F
from ._transform import RandomApplyTransform, Transform, image_size

_TWO = "Please provide only two dimensions (h, w) for size."


def _fill_for(fill, inpt):
    """The fill of a kind of input: masks get 0 unless they are named."""
    if isinstance(fill, dict):
        return next((value for kind, value in fill.items() if kind == "others" or isinstance(inpt, kind)), None)
    return 0 if isinstance(inpt, tv_tensors.Mask) else fill


class RandomHorizontalFlip(RandomApplyTransform):
    """Left and right exchanged, with probability `p`."""

    def transform(self, inpt, params):
        return F.horizontal_flip(inpt)


class RandomVerticalFlip(RandomApplyTransform):
    """Top and bottom exchanged, with probability `p`."""

    def transform(self, inpt, params):
        return F.vertical_flip(inpt)


class Resize(Transform):
    """Resize to (height, width), or the shorter edge to one length."""

    def __init__(self, size, interpolation="bilinear", max_size=None, antialias=True) -> None:
        super().__init__()
        if isinstance(size, int):
            size = [size]
        elif size is not None and not (isinstance(size, (list, tuple)) and len(size) in (1, 2)):
            raise ArgumentError(
                f"size can be an integer, a sequence of one or two integers, or None, but got {size} instead.",
                why="it is the length of the smaller edge, or (height, width)",
                fix="use an int, or (height, width)",
            )
        self.size = None if size is None else list(size)
        self.interpolation = interpolation
        self.max_size = max_size
        if antialias is not None:
            self.antialias = antialias
        self._antialias = antialias

    def transform(self, inpt, params):
        return F.resize(inpt, self.size, self.interpolation, self.max_size, self._antialias)


class CenterCrop(Transform):
    """The middle."""

    def __init__(self, size) -> None:
        super().__init__()
        self.size = tuple(_check.pair(size, _TWO))

    def transform(self, inpt, params):
        return F.center_crop(inpt, self.size)


class RandomResizedCrop(Transform):
    """A random part, resized."""

    def __init__(
        self,
        size,
        scale=(0.08, 1.0),
        ratio=(3.0 / 4.0, 4.0 / 3.0),
        interpolation="bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = tuple(_check.pair(size, _TWO))
        _check.sequence(scale, "scale", (2,))
        _check.sequence(ratio, "ratio", (2,))
        self.scale, self.ratio = scale, ratio
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs):
        return {"box": _draw.resized_crop_box(*image_size(flat_inputs), self.scale, self.ratio)}

    def transform(self, inpt, params):
        return F.resized_crop(inpt, *params["box"], self.size, self.interpolation, self.antialias)


class FiveCrop(Transform):
    """The corners and the middle of images, as a tuple."""

    def __init__(self, size) -> None:
        super().__init__()
        self.size = tuple(_check.pair(size, _TWO))

    def transform(self, inpt, params):
        return F.five_crop(inpt, self.size)


class TenCrop(Transform):
    """`FiveCrop` of the image and of its mirror image."""

    def __init__(self, size, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size, self.vertical_flip = tuple(_check.pair(size, _TWO)), vertical_flip

    def transform(self, inpt, params):
        return F.ten_crop(inpt, self.size, self.vertical_flip)


class Pad(Transform):
    """A border."""

    def __init__(self, padding, fill=0, padding_mode: str = "constant") -> None:
        super().__init__()
        T.Pad(padding, 0, padding_mode)  # checks
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill, self.padding_mode = fill, padding_mode

    def transform(self, inpt, params):
        return F.pad(inpt, self.padding, _fill_for(self.fill, inpt), self.padding_mode)


class RandomZoomOut(RandomApplyTransform):
    """The image on a larger canvas, with probability `p`."""

    def __init__(self, fill=0, side_range=(1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p)
        self.fill = fill
        _check.sequence(side_range, "side_range", (2,))
        if side_range[0] < 1.0 or side_range[0] > side_range[1]:
            raise ArgumentError(
                f"Invalid side range provided {side_range}.",
                why="the sides become that many times as long, from the first number to the second",
                fix="use `side_range=(1.0, 4.0)`",
            )
        self.side_range = side_range

    def make_params(self, flat_inputs):
        height, width = image_size(flat_inputs)
        low, high = self.side_range
        factor = low + _draw.coin() * (high - low)
        across, down = int(width * factor), int(height * factor)
        x, y = fb.rand(2).tolist()
        left, top = int((across - width) * x), int((down - height) * y)
        return {"padding": [left, top, across - left - width, down - top - height]}

    def transform(self, inpt, params):
        return F.pad(inpt, params["padding"], _fill_for(self.fill, inpt))


class RandomRotation(Transform):
    """A random angle."""

    def __init__(self, degrees, interpolation="nearest", expand=False, center=None, fill=0) -> None:
        super().__init__()
        self.degrees = _check.symmetric_range(degrees, "degrees")
        self.interpolation, self.expand, self.fill = interpolation, expand, fill
        self.center = center

    def make_params(self, flat_inputs):
        return {"angle": _draw.uniform(*self.degrees)}

    def transform(self, inpt, params):
        fill = _fill_for(self.fill, inpt)
        return F.rotate(inpt, params["angle"], self.interpolation, self.expand, self.center, fill)


class RandomAffine(Transform):
    """Random rotation, translation, scale and shear."""

    def __init__(
        self,
        degrees,
        translate=None,
        scale=None,
        shear=None,
        interpolation="nearest",
        fill=0,
        center=None,
    ) -> None:
        super().__init__()
        checked = T.RandomAffine(degrees, translate, scale, shear, interpolation)
        self.degrees, self.translate, self.scale, self.shear = checked.degrees, translate, scale, checked.shear
        self.interpolation, self.fill, self.center = interpolation, fill, center

    def make_params(self, flat_inputs):
        height, width = image_size(flat_inputs)
        names = ("angle", "translate", "scale", "shear")
        drawn = _draw.affine_parameters(self.degrees, self.translate, self.scale, self.shear, width, height)
        return dict(zip(names, drawn, strict=True))

    def transform(self, inpt, params):
        fill = _fill_for(self.fill, inpt)
        return F.affine(inpt, **params, interpolation=self.interpolation, fill=fill, center=self.center)


class RandomCrop(Transform):
    """A part of the given size at a random place."""

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant") -> None:
        super().__init__()
        self.size = tuple(_check.pair(size, _TWO))
        if padding is not None:
            left, top, right, bottom = F.F._parse_padding(padding)
            self.padding: list[int] | None = [left, right, top, bottom]
        else:
            self.padding = None
        self.pad_if_needed, self.fill, self.padding_mode = pad_if_needed, fill, padding_mode

    def make_params(self, flat_inputs):
        height, width = image_size(flat_inputs)
        left, right, top, bottom = self.padding or [0, 0, 0, 0]
        need = self.size[0] - (height + top + bottom), self.size[1] - (width + left + right)
        if self.pad_if_needed:
            top, bottom = top + max(need[0], 0), bottom + max(need[0], 0)
            left, right = left + max(need[1], 0), right + max(need[1], 0)
        height, width = height + top + bottom, width + left + right
        if height < self.size[0] or width < self.size[1]:
            raise ArgumentError(
                f"Required crop size {self.size} is larger than input image size {(height, width)}."
                if self.padding is None
                else f"Required crop size {self.size} is larger than padded input image size {(height, width)}.",
                why="there are too few pixels to cut from",
                fix="use `pad_if_needed=True`, or `v2.Resize` before it",
            )
        at = [
            int(fb.randint(0, have - want + 1, size=()).item()) if have > want else 0
            for have, want in zip((height, width), self.size, strict=True)
        ]
        return {"padding": [left, top, right, bottom], "at": at}

    def transform(self, inpt, params):
        if any(params["padding"]):
            inpt = F.pad(inpt, params["padding"], _fill_for(self.fill, inpt), self.padding_mode)
        return F.crop(inpt, *params["at"], *self.size)


class RandomPerspective(RandomApplyTransform):
    """A random perspective, with probability `p`."""

    def __init__(self, distortion_scale=0.5, p=0.5, interpolation="bilinear", fill=0) -> None:
        super().__init__(p)
        if not 0 <= distortion_scale <= 1:
            raise ArgumentError(
                "Argument distortion_scale value should be between 0 and 1",
                why=f"it is {distortion_scale}, the part of the picture by which corners move",
                fix="use `distortion_scale=0.5`",
            )
        self.distortion_scale = distortion_scale
        self.interpolation, self.fill = interpolation, fill

    def make_params(self, flat_inputs):
        height, width = image_size(flat_inputs)
        return {"points": _draw.perspective_points(width, height, self.distortion_scale)}

    def transform(self, inpt, params):
        return F.perspective(inpt, *params["points"], self.interpolation, _fill_for(self.fill, inpt))


class ElasticTransform(Transform):
    """Random smooth displacements."""

    def __init__(self, alpha=50.0, sigma=5.0, interpolation="bilinear", fill=0) -> None:
        super().__init__()
        two = [[float(v)] * 2 if isinstance(v, (int, float)) else [float(x) for x in v] for v in (alpha, sigma)]
        self.alpha, self.sigma = two
        self.interpolation, self.fill = interpolation, fill

    def make_params(self, flat_inputs):
        return {"displacement": T.ElasticTransform.get_params(self.alpha, self.sigma, image_size(flat_inputs))}

    def transform(self, inpt, params):
        return F.elastic(inpt, params["displacement"], self.interpolation, _fill_for(self.fill, inpt))


class ScaleJitter(Transform):
    """Resize by a random factor relative to a target size."""

    def __init__(self, target_size, scale_range=(0.1, 2.0), interpolation="bilinear", antialias=True) -> None:
        super().__init__()
        self.target_size, self.scale_range = target_size, scale_range
        self.interpolation, self.antialias = interpolation, antialias

    def make_params(self, flat_inputs):
        height, width = image_size(flat_inputs)
        low, high = self.scale_range
        scale = low + _draw.coin() * (high - low)
        r = min(self.target_size[1] / height, self.target_size[0] / width) * scale
        return {"size": (int(height * r), int(width * r))}

    def transform(self, inpt, params):
        return F.resize(inpt, params["size"], self.interpolation, antialias=self.antialias)


class RandomShortestSize(Transform):
    """The shorter edge resized to one of several lengths."""

    def __init__(self, min_size, max_size=None, interpolation="bilinear", antialias=True) -> None:
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size
        self.interpolation, self.antialias = interpolation, antialias

    def make_params(self, flat_inputs):
        height, width = image_size(flat_inputs)
        shortest = self.min_size[int(fb.randint(len(self.min_size), ()).item())]
        r = shortest / min(height, width)
        if self.max_size is not None:
            r = min(r, self.max_size / max(height, width))
        return {"size": (int(height * r), int(width * r))}

    def transform(self, inpt, params):
        return F.resize(inpt, params["size"], self.interpolation, antialias=self.antialias)


class RandomResize(Transform):
    """The shorter edge resized to a random length."""

    def __init__(self, min_size, max_size, interpolation="bilinear", antialias=True) -> None:
        super().__init__()
        self.min_size, self.max_size = min_size, max_size
        self.interpolation, self.antialias = interpolation, antialias

    def make_params(self, flat_inputs):
        return {"size": [int(fb.randint(self.min_size, self.max_size, ()).item())]}

    def transform(self, inpt, params):
        return F.resize(inpt, params["size"], self.interpolation, antialias=self.antialias)
