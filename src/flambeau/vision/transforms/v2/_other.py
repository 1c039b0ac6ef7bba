"""Conversions, containers, normalisation, noise, erasing and mixing."""

import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import flambeau as fb

from ....errors import ArgumentError, ArgumentTypeError
from ....language import warn
from ... import tv_tensors
from ..._pillow import is_pil, pillow
from .. import _check, _draw
from .. import transforms as T
from . import functional as F
from ._transform import RandomApplyTransform, Transform, flatten, image_size, is_picture, is_pure


def _one_after_the_other(transforms, inputs: tuple) -> Any:
    """The results of the last transform, each being given those of the one before."""
    several = len(inputs) > 1
    for transform in transforms:
        outputs = transform(*inputs)
        inputs = outputs if several else (outputs,)
    return outputs


class Compose(Transform):
    """Transforms one after another."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise ArgumentTypeError(
                "Argument transforms should be a sequence of callables",
                why=f"it is {type(transforms).__name__}",
                fix="use a list: `[transform1, transform2]`",
            )
        if not transforms:
            raise ArgumentError(
                "Pass at least one transform",
                why="there is nothing to apply",
                fix="use a list: `[transform1, transform2]`",
            )
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        return _one_after_the_other(self.transforms, inputs)

    def extra_repr(self) -> str:
        return "\n".join(f"    {t}" for t in self.transforms)


class RandomApply(Transform):
    """All of the transforms, with probability `p`; otherwise none."""

    def __init__(self, transforms, p: float = 0.5) -> None:
        super().__init__()
        if not isinstance(transforms, (Sequence, fb.nn.ModuleList)):
            raise ArgumentTypeError(
                "Argument transforms should be a sequence of callables or a `nn.ModuleList`",
                why=f"it is {type(transforms).__name__}",
                fix="use a list: `[transform1, transform2]`",
            )
        if not 0.0 <= p <= 1.0:
            raise ArgumentError(
                "`p` should be a floating point value in the interval [0.0, 1.0].", why=f"it is {p}", fix="use `p=0.5`"
            )
        self.transforms, self.p = transforms, p

    def forward(self, *inputs: Any) -> Any:
        if _draw.coin() >= self.p:
            return inputs if len(inputs) > 1 else inputs[0]
        return _one_after_the_other(self.transforms, inputs)

    def extra_repr(self) -> str:
        return "\n".join(f"    {t}" for t in self.transforms)


class RandomChoice(Transform):
    """One of the transforms, with weights `p`."""

    def __init__(self, transforms: Sequence[Callable], p: list[float] | None = None) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise ArgumentTypeError(
                "Argument transforms should be a sequence of callables",
                why=f"it is {type(transforms).__name__}",
                fix="use a list: `[transform1, transform2]`",
            )
        if p is None:
            p = [1.0] * len(transforms)
        elif len(p) != len(transforms):
            raise ArgumentError(
                f"Length of p doesn't match the number of transforms: {len(p)} != {len(transforms)}",
                why="each transform has its own weight",
                fix=f"give {len(transforms)} number(s), or None for equal weights",
            )
        self.transforms, self.p = transforms, [w / sum(p) for w in p]

    def forward(self, *inputs: Any) -> Any:
        return self.transforms[int(fb.multinomial(fb.tensor(self.p), 1).item())](*inputs)


class RandomOrder(Transform):
    """All of the transforms, in random order."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        super().__init__()
        if not isinstance(transforms, Sequence):
            raise ArgumentTypeError(
                "Argument transforms should be a sequence of callables",
                why=f"it is {type(transforms).__name__}",
                fix="use a list: `[transform1, transform2]`",
            )
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        several = len(inputs) > 1
        for k in fb.randperm(len(self.transforms)).tolist():
            outputs = self.transforms[k](*inputs)
            inputs = outputs if several else (outputs,)
        return outputs


class Identity(Transform):
    """Nothing."""

    def transform(self, inpt, params):
        return inpt


class Lambda(Transform):
    """A function of each leaf that is one of `types`."""

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        self.lambd, self.types = lambd, types or (object,)

    def _selected(self, leaves):
        return [isinstance(x, self.types) for x in leaves]

    def transform(self, inpt, params):
        return self.lambd(inpt)

    def extra_repr(self) -> str:
        return f"{getattr(self.lambd, '__name__', '')}, types={[t.__name__ for t in self.types]}"


class ToImage(Transform):
    """Images of any kind as `Image` tensors."""

    def _selected(self, leaves):
        return [
            c if not isinstance(x, np.ndarray) else True for x, c in zip(leaves, super()._selected(leaves), strict=True)
        ]

    def transform(self, inpt, params):
        return inpt if isinstance(inpt, tv_tensors.TVTensor) else F.to_image(inpt)


class PILToTensor(Transform):
    """PIL images as tensors of bytes."""

    def transform(self, inpt, params):
        return F.pil_to_tensor(inpt) if is_pil(inpt) else inpt


class ToTensor(Transform):
    """PIL images and arrays as float tensors in 0 ... 1; better: `ToImage`, then `ToDtype(float32, scale=True)`."""

    def __init__(self) -> None:
        warn(
            f"The transform `{type(self).__name__}()` is deprecated and will be removed in a future release. "
            "Instead, please use `v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])`."
            "Output is equivalent up to float precision.",
            stacklevel=2,
        )
        super().__init__()

    def _selected(self, leaves):
        return [is_pil(x) or isinstance(x, np.ndarray) for x in leaves]

    def transform(self, inpt, params):
        return F.to_tensor(inpt)


class ToPILImage(Transform):
    """Image tensors and arrays as PIL images."""

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def _selected(self, leaves):
        return [
            c if not isinstance(x, np.ndarray) else True for x, c in zip(leaves, super()._selected(leaves), strict=True)
        ]

    def transform(self, inpt, params):
        if is_pil(inpt) or isinstance(inpt, (tv_tensors.Mask, tv_tensors.BoundingBoxes)):
            return inpt
        return F.to_pil_image(F._plain(inpt), self.mode)


class ToPureTensor(Transform):
    """Tensors that no longer say what they are."""

    def transform(self, inpt, params):
        return F._plain(inpt)


class ToDtype(Transform):
    """Another dtype; with ``scale=True`` images are brought to its range.

    Arguments:
        dtype: for images and videos, or a dict from kind to dtype ("others" for the rest).
    """

    def __init__(self, dtype, scale: bool = False) -> None:
        super().__init__()
        self.dtype, self.scale = dtype, scale

    def transform(self, inpt, params):
        if isinstance(self.dtype, dict):
            for kind, dtype in self.dtype.items():
                if kind == "others" or isinstance(inpt, kind):
                    return inpt if dtype is None or is_pil(inpt) else F.to_dtype(inpt, dtype, self.scale)
            raise ArgumentError(
                f"No dtype was specified for type {type(inpt)}",
                why=f"dtypes are given for {', '.join(getattr(k, '__name__', str(k)) for k in self.dtype)}",
                fix='use `"others": None` to leave other inputs as they are',
            )
        wanted = is_pure(inpt) or isinstance(inpt, (tv_tensors.Image, tv_tensors.Video))
        return F.to_dtype(inpt, self.dtype, self.scale) if wanted else inpt


class ConvertImageDtype(Transform):
    """Another dtype, with its range of values."""

    def __init__(self, dtype=None) -> None:
        super().__init__()
        self.dtype = fb.float32 if dtype is None else dtype

    def transform(self, inpt, params):
        return F.to_dtype(inpt, self.dtype, scale=True) if is_picture(inpt) and not is_pil(inpt) else inpt


class Normalize(Transform):
    """(image - mean) / std by channel."""

    def __init__(self, mean, std, inplace: bool = False) -> None:
        super().__init__()
        self.mean, self.std, self.inplace = list(mean), list(std), inplace

    def check_inputs(self, flat_inputs):
        if any(is_pil(x) for x in flat_inputs):
            raise ArgumentTypeError(
                f"{type(self).__name__}() does not support PIL images.",
                why="it computes with the numbers of a tensor",
                fix="put `v2.ToImage()` and `v2.ToDtype(torch.float32, scale=True)` before it",
            )

    def transform(self, inpt, params):
        return F.normalize(inpt, self.mean, self.std, self.inplace)


class GaussianBlur(Transform):
    """A blur with random strength."""

    def __init__(self, kernel_size, sigma=(0.1, 2.0)) -> None:
        super().__init__()
        checked = T.GaussianBlur(kernel_size, sigma)
        self.kernel_size = tuple(checked.kernel_size)
        self.sigma = [float(s) for s in checked.sigma]

    def make_params(self, flat_inputs):
        sigma = _draw.uniform(*self.sigma)
        return {"sigma": [sigma, sigma]}

    def transform(self, inpt, params):
        return F.gaussian_blur(inpt, list(self.kernel_size), params["sigma"])


class GaussianNoise(Transform):
    """Normal noise."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean, self.sigma, self.clip = mean, sigma, clip

    def transform(self, inpt, params):
        return F.gaussian_noise(inpt, self.mean, self.sigma, self.clip)


class LinearTransformation(Transform):
    """The flattened image, less a mean, times a square matrix."""

    def __init__(self, transformation_matrix, mean_vector) -> None:
        super().__init__()
        object.__setattr__(self, "_inner", T.LinearTransformation(transformation_matrix, mean_vector))

    def transform(self, inpt, params):
        return F._pixels(inpt, self._inner)


class JPEG(Transform):
    """The artefacts of JPEG at a random quality."""

    def __init__(self, quality) -> None:
        super().__init__()
        quality = [quality, quality] if isinstance(quality, int) else list(quality)
        _check.sequence(quality, "quality", (2,))
        if not 1 <= quality[0] <= quality[1] <= 100:
            raise ArgumentError(
                f"quality must be an integer from 1 to 100, got {quality=}",
                why="it is one number, or (smallest, largest)",
                fix="use `quality=75`",
            )
        self.quality = quality

    def make_params(self, flat_inputs):
        low, high = self.quality
        return {"quality": int(fb.randint(low, high + 1, ()).item())}

    def transform(self, inpt, params):
        def squeeze(x):
            buffer = io.BytesIO()
            (x if is_pil(x) else F.to_pil_image(x)).save(buffer, "JPEG", quality=params["quality"])
            image = pillow().Image.open(buffer)
            return image if is_pil(x) else F.pil_to_tensor(image)

        return F._pixels(inpt, squeeze)


class RandomErasing(RandomApplyTransform):
    """A random rectangle set to `value`, with probability `p`."""

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0.0, inplace=False) -> None:
        super().__init__(p)
        T.RandomErasing(p, scale, ratio, value, inplace)  # checks
        self.scale, self.ratio = scale, ratio
        if isinstance(value, (int, float)):
            self.value: Any = [float(value)]
        else:
            self.value = None if isinstance(value, str) else [float(v) for v in value]
        self.inplace = inplace

    def make_params(self, flat_inputs):
        picture = next(x for x in flat_inputs if is_picture(x))
        height, width = image_size(flat_inputs)
        channels = F.get_image_num_channels(picture)
        if self.value is not None and len(self.value) not in (1, channels):
            raise ArgumentError(
                f"If value is a sequence, it should have either a single value or {channels} (number of inpt channels)",
                why=f"it has {len(self.value)} values, and each channel is filled with its own",
                fix="use one number",
            )
        return {"box": _draw.erase_box(channels, height, width, self.scale, self.ratio, self.value)}

    def transform(self, inpt, params):
        return inpt if params["box"] is None else F.erase(inpt, *params["box"], inplace=self.inplace)


class _Mixing(Transform):
    """Base of `MixUp` and `CutMix`: a batch mixed with itself shifted by one; labels become probabilities."""

    def __init__(self, *, alpha: float = 1.0, num_classes: int | None = None, labels_getter="default") -> None:
        super().__init__()
        self.alpha, self.num_classes = float(alpha), num_classes
        self._labels_getter = labels_getter

    def _labels(self, inputs):
        if callable(self._labels_getter):
            return self._labels_getter(inputs)
        if isinstance(inputs, dict):
            return next((v for k, v in inputs.items() if "label" in str(k).lower() or k == "target"), None)
        return inputs[1] if isinstance(inputs, (tuple, list)) and len(inputs) > 1 else None

    def forward(self, *inputs: Any) -> Any:
        packed = inputs if len(inputs) > 1 else inputs[0]
        leaves, build = flatten(packed)
        name = type(self).__name__
        if any(is_pil(x) or isinstance(x, (tv_tensors.BoundingBoxes, tv_tensors.Mask)) for x in leaves):
            raise ArgumentError(
                f"{name}() does not support PIL images, bounding boxes, keypoints and masks.",
                why="images are mixed with one another, together with their labels",
                fix="put `v2.ToImage()` before it, and leave boxes and masks out",
            )
        labels = self._labels(packed)
        if not isinstance(labels, fb.Tensor):
            raise ArgumentError(
                f"The labels must be a tensor, but got {type(labels)} instead.",
                why="labels are mixed in the same proportion as images",
                fix="use `torch.tensor(labels)`",
            )
        if labels.ndim not in (1, 2):
            raise ArgumentError(
                "labels should be index based with shape (batch_size,) or probability based with shape "
                f"(batch_size, num_classes), but got a tensor of shape {labels.shape} instead.",
                why="labels are mixed in the same proportion as images",
                fix="use `labels.flatten()` for class indices",
            )
        if labels.ndim == 2 and self.num_classes is not None and labels.shape[-1] != self.num_classes:
            raise ArgumentError(
                "When passing 2D labels, the number of elements in last dimension must match num_classes: "
                f"{labels.shape[-1]} != {self.num_classes}. You can Leave num_classes to None.",
                why="each class has its own probability",
                fix=f"use `num_classes={labels.shape[-1]}`, or leave it out",
            )
        if labels.ndim == 1 and self.num_classes is None:
            raise ArgumentError(
                "num_classes must be passed if the labels are index-based (1D)",
                why="the indices become vectors of probabilities, one for each class",
                fix=f"use `{type(self).__name__}(num_classes=...)`",
            )
        chosen = self._selected(leaves)
        params = self.make_params([x for x, c in zip(leaves, chosen, strict=True) if c])
        out = []
        for x, c in zip(leaves, chosen, strict=True):
            if x is labels:
                out.append(self._mix_labels(x, params["share"]))
            elif c and is_picture(x):
                if x.ndim != 4 + isinstance(x, tv_tensors.Video):
                    raise ArgumentError(
                        f"Expected a batched input with 4 dims, but got {x.ndim} dimensions instead.",
                        why="images of a batch are mixed with one another: (N, C, H, W); this has shape "
                        f"{tuple(x.shape)}",
                        fix="use it after the DataLoader, or in collate_fn",
                    )
                if x.shape[0] != labels.shape[0]:
                    raise ArgumentError(
                        "The batch size of the image or video does not match the batch size of the labels: "
                        f"{x.shape[0]} != {labels.shape[0]}.",
                        why="each image has one label",
                        fix="give images and labels of the same batch",
                    )
                out.append(self.transform(x, params))
            else:
                out.append(x)
        return build(out)

    def _beta(self) -> float:
        # NumPy's beta, seeded by the global generator.
        return float(np.random.default_rng(int(fb.randint(2**31, (1,)).item())).beta(self.alpha, self.alpha))

    def _mix_labels(self, labels, share: float):
        if labels.ndim == 1:
            labels = fb.nn.functional.one_hot(labels, num_classes=self.num_classes)
        if not labels.is_floating_point():
            labels = labels.to(fb.float32)
        return fb.roll(labels, 1, 0) * (1.0 - share) + labels * share


class MixUp(_Mixing):
    """Images and labels averaged in pairs (Zhang et al. 2018, https://arxiv.org/abs/1710.09412).

    Arguments:
        alpha: of the Beta distribution of the weight. num_classes: needed for labels that are class numbers.

    Shapes: images (N, C, H, W), labels (N,) or (N, num_classes) -> the same, labels (N, num_classes)
    """

    def make_params(self, flat_inputs):
        return {"share": self._beta()}

    def transform(self, inpt, params):
        share = params["share"]
        return F._map(inpt, lambda x: fb.roll(x, 1, 0) * (1.0 - share) + x * share)


class CutMix(_Mixing):
    """A rectangle of each image from its neighbour (Yun et al. 2019, https://arxiv.org/abs/1905.04899).

    Arguments and shapes as for `MixUp`.
    """

    def make_params(self, flat_inputs):
        share = self._beta()
        height, width = image_size(flat_inputs)
        x, y = _draw.randint(0, width), _draw.randint(0, height)
        r = 0.5 * math.sqrt(1.0 - share)
        half_width, half_height = int(r * width), int(r * height)
        x1, y1 = max(x - half_width, 0), max(y - half_height, 0)
        x2, y2 = min(x + half_width, width), min(y + half_height, height)
        return {"box": (x1, y1, x2, y2), "share": 1.0 - (x2 - x1) * (y2 - y1) / (width * height)}

    def transform(self, inpt, params):
        x1, y1, x2, y2 = params["box"]

        def cut(x):
            out = x.clone()
            out[..., y1:y2, x1:x2] = fb.roll(x, 1, 0)[..., y1:y2, x1:x2]
            return out

        return F._map(inpt, cut)


class ClampBoundingBoxes(Transform):
    """Boxes cut at the image's border."""

    def transform(self, inpt, params):
        return F.clamp_bounding_boxes(inpt) if isinstance(inpt, tv_tensors.BoundingBoxes) else inpt


class ConvertBoundingBoxFormat(Transform):
    """Boxes in another format."""

    def __init__(self, format) -> None:
        super().__init__()
        self.format = format

    def transform(self, inpt, params):
        if not isinstance(inpt, tv_tensors.BoundingBoxes):
            return inpt
        return F.convert_bounding_box_format(inpt, new_format=self.format)
