"""What transforms share: printing, probability; and the containers and conversions."""

import random
from collections.abc import Sequence

import flambeau as fb

from ...errors import ArgumentError, ArgumentTypeError
from . import _draw
from . import functional as F
from .functional import InterpolationMode

__all__ = [
    "Compose", "ConvertImageDtype", "Lambda", "LinearTransformation", "Normalize", "PILToTensor", "RandomApply",
    "RandomChoice", "RandomOrder", "RandomTransforms", "ToPILImage", "ToTensor",
]  # fmt: skip


class Shown(fb.nn.Module):
    """A module that prints the attributes named in `_shows`: Name(a=1, b=2)."""

    _shows: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_plain(getattr(self, name))}" for name in self._shows)
        return f"{type(self).__name__}({shown})"


def _plain(value):
    return value.value if isinstance(value, InterpolationMode) else value


def _nested(name: str, lines) -> str:
    return "\n".join([f"{name}(", *(f"    {line}" for line in lines), ")"])


class Compose:
    """Transforms one after another.

    Example:
        >>> Compose([ToTensor(), Normalize((0.5,), (0.5,))])
        Compose(
            ToTensor()
            Normalize(mean=(0.5,), std=(0.5,))
        )
    """

    def __init__(self, transforms) -> None:
        self.transforms = transforms

    def __call__(self, img):
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms)


class ToTensor:
    """A PIL image or array (H, W, C) as a tensor (C, H, W); bytes become float32 in 0 ... 1.

    >>> from flambeau.vision import transforms
    >>> import numpy as np
    >>> transforms.ToTensor()(np.array([[[0], [255]]], dtype=np.uint8))
    tensor([[[0., 1.]]])
    """

    def __call__(self, pic):
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PILToTensor:
    """A PIL image as a tensor (C, H, W) with the values of the image."""

    def __call__(self, pic):
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ConvertImageDtype(fb.nn.Module):
    """Another dtype, with its range of values.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.ConvertImageDtype(torch.float32)(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([0., 1.])
    """

    def __init__(self, dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image):
        return F.convert_image_dtype(image, self.dtype)


class ToPILImage:
    """A tensor (C, H, W) or array (H, W, C) as a PIL image.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.ToPILImage()(torch.zeros(3, 4, 6)).size
    (6, 4)
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic):
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class Normalize(Shown):
    """(image - mean) / std by channel, for floating point tensors.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.Normalize((0.5,), (0.5,))(torch.tensor([[[0.0, 1.0]]]))
    tensor([[[-1.,  1.]]])
    """

    _shows = ("mean", "std")

    def __init__(self, mean, std, inplace: bool = False) -> None:
        super().__init__()
        self.mean, self.std, self.inplace = mean, std, inplace

    def forward(self, tensor):
        return F.normalize(tensor, self.mean, self.std, self.inplace)


class Lambda:
    """A function as a transform.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.Lambda(lambda x: x * 2)(torch.ones(1))
    tensor([2.])
    """

    def __init__(self, lambd) -> None:
        if not callable(lambd):
            raise ArgumentTypeError(
                f"Argument lambd should be callable, got {type(lambd).__name__!r}",
                why="it is called with each image",
                fix="use `Lambda(lambda img: ...)`",
            )
        self.lambd = lambd

    def __call__(self, img):
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomTransforms:
    """Base of transforms that choose among others."""

    def __init__(self, transforms) -> None:
        if not isinstance(transforms, Sequence):
            raise ArgumentTypeError(
                "Argument transforms should be a sequence",
                why=f"it is {type(transforms).__name__}",
                fix="use a list: `[transform1, transform2]`",
            )
        self.transforms = transforms

    def __call__(self, *args, **kwargs):
        raise NotImplementedError

    def __repr__(self) -> str:
        return _nested(type(self).__name__, self.transforms)


class RandomApply(fb.nn.Module):
    """All of the transforms, with probability `p`; otherwise none.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomApply([lambda x: x * 2], p=1.0)(torch.ones(1))
    tensor([2.])
    """

    def __init__(self, transforms, p: float = 0.5) -> None:
        super().__init__()
        self.transforms, self.p = transforms, p

    def forward(self, img):
        if self.p < _draw.coin():
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return _nested(type(self).__name__, [f"p={self.p}", *self.transforms])


class RandomOrder(RandomTransforms):
    """All of the transforms, in random order.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomOrder([lambda x: x + 1, lambda x: x + 2])(torch.ones(1))
    tensor([4.])
    """

    def __call__(self, img):
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for k in order:
            img = self.transforms[k](img)
        return img


class RandomChoice(RandomTransforms):
    """One of the transforms, with weights `p`.

    >>> import flambeau as torch
    >>> from flambeau.vision import transforms
    >>> transforms.RandomChoice([lambda x: x + 1, lambda x: x + 1])(torch.ones(1))
    tensor([2.])
    """

    def __init__(self, transforms, p=None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise ArgumentTypeError(
                "Argument p should be a sequence",
                why="each transform has its own probability",
                fix="use a list of numbers",
            )
        self.p = p

    def __call__(self, *args):
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"


class WithProbability(Shown):
    """A transform that happens with probability `p`."""

    _shows = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def _apply_to(self, img):
        raise NotImplementedError

    def forward(self, img):
        return self._apply_to(img) if _draw.coin() < self.p else img


class OneNumber(WithProbability):
    """Prints as Name(number=...,p=...)."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._shows[0]}={getattr(self, self._shows[0])},p={self.p})"


class LinearTransformation(fb.nn.Module):
    """The flattened image, less a mean, times a square matrix (whitening)."""

    def __init__(self, transformation_matrix, mean_vector) -> None:
        super().__init__()
        rows, columns = transformation_matrix.shape
        if rows != columns:
            raise ArgumentError(
                f"transformation_matrix should be square. Got {rows} x {columns} rectangular matrix.",
                why="it maps the pixels of an image to as many numbers",
                fix="use a matrix of shape (D, D) with D = C * H * W",
            )
        if mean_vector.shape[0] != rows:
            raise ArgumentError(
                f"mean_vector should have the same length {mean_vector.shape[0]} as any one of the dimensions "
                f"of the transformation_matrix [{rows} x {columns}]",
                why="it is subtracted from the pixels of an image",
                fix=f"use a vector of {rows} numbers",
            )
        self.transformation_matrix, self.mean_vector = transformation_matrix, mean_vector

    def forward(self, tensor):
        shape = tensor.shape
        n = shape[-3] * shape[-2] * shape[-1]
        if n != self.transformation_matrix.shape[0]:
            raise ArgumentError(
                f"Input tensor and transformation matrix have incompatible shape.[{shape[-3]} x {shape[-2]} x "
                f"{shape[-1]}] != {self.transformation_matrix.shape[0]}",
                why="the matrix maps the pixels of an image of fixed size",
                fix=f"resize the image so that it has {self.transformation_matrix.shape[0]} numbers",
            )
        return fb.mm(tensor.reshape(-1, n) - self.mean_vector, self.transformation_matrix).reshape(shape)

    def __repr__(self) -> str:
        matrix, mean = self.transformation_matrix.tolist(), self.mean_vector.tolist()
        return f"{type(self).__name__}(transformation_matrix={matrix}, mean_vector={mean})"
