"""Models by name, and what happens when somebody asks for trained weights."""

import fnmatch
import os
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import flambeau as fb
from flambeau.errors import ArgumentError, NotSupported

from .. import transforms

__all__ = ["ImageClassification", "Weights", "get_model", "get_model_builder", "get_model_weights", "list_models"]

_BUILDERS: dict[str, Callable] = {}
_URL = "https://download.pytorch.org/models/"


class ImageClassification:
    """The preparation of images for models trained on ImageNet."""

    def __init__(
        self,
        *,
        crop_size: int = 224,
        resize_size: int = 256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        interpolation=transforms.InterpolationMode.BILINEAR,
        antialias: bool = True,
    ) -> None:
        self.crop_size, self.resize_size = [crop_size], [resize_size]
        self.mean, self.std = list(mean), list(std)
        self.interpolation, self.antialias = interpolation, antialias

    def __call__(self, img):
        F = transforms.functional
        img = F.resize(img, self.resize_size, self.interpolation, antialias=self.antialias)
        img = F.center_crop(img, self.crop_size)
        if not isinstance(img, fb.Tensor):
            img = F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(img, fb.float32), self.mean, self.std)

    def __repr__(self) -> str:
        shown = ("crop_size", "resize_size", "mean", "std", "interpolation")
        body = "\n".join(f"    {name}={getattr(self, name)}" for name in shown)
        return f"{type(self).__name__}(\n{body}\n)"


class Weights(Enum):
    """Base of the enumerations of published weights: each value is the name of a file."""

    @property
    def url(self) -> str:
        """Where the file is published."""
        return _URL + self.value[0]

    @property
    def transforms(self) -> Callable[..., ImageClassification]:
        """The preparation of images that these weights were trained with."""
        options = self.value[1]
        return lambda **changed: ImageClassification(**{**options, **changed})

    def get_state_dict(self, *args, **kwargs):
        """Refused: flambeau downloads no weights."""
        raise _no_download(self.url, "Weights.get_state_dict")


def weights_enum(name: str, files: dict[str, str], **options) -> Any:
    """An enumeration of weights; the last file is its DEFAULT."""
    members = {version: (file, options) for version, file in files.items()}
    members["DEFAULT"] = list(members.values())[-1]  # an alias of the last
    made: Any = Weights(name, members)  # type: ignore
    made.__module__ = __name__
    return made


def register(function: Callable) -> Callable:
    """Make a model builder known to `get_model` and `list_models`."""
    _BUILDERS[function.__name__] = function
    return function


def list_models(module=None, include: Iterable[str] | str | None = None, exclude: Iterable[str] | str | None = None):
    """The names of the models, sorted.

    Arguments:
        include, exclude: patterns such as "resnet*".

    Example:
        >>> list_models(include="vgg1?")
        ['vgg11', 'vgg13', 'vgg16', 'vgg19']
    """

    def matches(name: str, patterns) -> bool:
        return any(fnmatch.fnmatch(name, p) for p in ([patterns] if isinstance(patterns, str) else patterns))

    names = [name for name, f in _BUILDERS.items() if module is None or getattr(module, name, None) is f]
    names = [name for name in names if include is None or matches(name, include)]
    return sorted(name for name in names if exclude is None or not matches(name, exclude))


def get_model_builder(name: str) -> Callable:
    """The function that builds a model.

    Errors: ValueError for an unknown name.
    """
    try:
        return _BUILDERS[name.lower()]
    except KeyError:
        raise ArgumentError(
            f"Unknown model {name}",
            why="no model of that name is registered",
            fix=f"use one of {', '.join(list_models())}",
        ) from None


def get_model(name: str, **config: Any):
    """Build a model by its name; `config` goes to its builder.

    Raises ValueError for an unknown name.

    >>> import flambeau as torch
    >>> from flambeau.vision import models
    >>> models.get_model("lenet", num_classes=4)(torch.zeros(1, 1, 28, 28)).shape
    torch.Size([1, 4])
    """
    return get_model_builder(name)(**config)


def get_model_weights(name: str | Callable):
    """The enumeration of a model's published weights."""
    builder = name if callable(name) else get_model_builder(name)
    return builder.weights  # type: ignore[attr-defined]


def build(make: Callable, weights, options: dict, published=None):
    """A model with random weights, or with those of a local file.

    Arguments:
        make: the class or function to call with `options`.
        weights: None, or the path of a file with a state dict (PyTorch's .pth files too).
        options: arguments of the model; ``pretrained=False`` is dropped.

    Errors: NotImplementedError for published weights, with how to load them from a file.
    """
    if options.pop("pretrained", False) and weights is None:
        weights = "DEFAULT"
    if weights is None:
        return make(**options)
    if isinstance(weights, (str, os.PathLike)) and Path(weights).is_file():
        model = make(**options)
        model.load_state_dict(fb.load(weights, map_location="cpu"))
        return model
    if isinstance(weights, str) and published is not None:
        if weights not in published.__members__:
            names = ", ".join(published.__members__)
            raise ArgumentError(
                f"'{weights}' is neither a file nor one of the published weights ({names})",
                why=f"the published weights are {names}",
                fix="give the path of a file with a state_dict",
            )
        weights = published[weights]
    raise _no_download(getattr(weights, "url", weights), getattr(make, "__name__", "model"))


def _no_download(url, name: str) -> NotSupported:
    return NotSupported(
        f"flambeau does not download trained weights ({url})",
        why="they are files of other projects with their own licences",
        fix="download the file and pass its path as `weights=`, or use "
        "`model.load_state_dict(flambeau.load(path))`; the keys are torchvision's",
    )
