"""Pictures of images: a batch with its labels and predictions, and what augmentation makes of one image."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from ..utils.data import Dataset, IterableDataset
from ..vision._pillow import is_pil
from . import style
from .preserve import random_states, unnoticed
from .tiles import tiles

__all__ = ["show_augmentations", "show_batch"]

CHANNELS = (1, 3, 4)  # of a picture: grey, colours, colours with transparency


def show_batch(
    batch: Any,
    names: Sequence[str] | None = None,
    predictions: Any = None,
    *,
    n: int = 16,
    mean: Any = None,
    std: Any = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """Images side by side with their labels, as a figure; with predictions, wrong ones are red.

    Arguments:
        batch: images; or (images, labels); or a loader or data set, of which the first ones are shown.
        names: of the classes, in order. Default: their numbers.
        predictions: classes, or scores (N, classes), of the images.
        n: how many to show at most.
        mean, std: numbers per channel with which the images were normalised; they are shown as they were before.
        ax: axes to draw into. Default: those of a new figure.
        title: of the picture. Default: how many there are, if not all are shown.
    Shapes: images (N, C, H, W) or (N, H, W, C) with 1, 3 or 4 channels, (N, H, W), (C, H, W) or (H, W); or a list of
    these without N, of any sizes.
    Raises RuntimeError for what has not the shape of images, ValueError if there are none.

    Integers of one byte are grey levels from 0 to 255, other numbers from 0 to 1; if some are outside, from the
    smallest to the largest in the batch. Pixels that are nan or infinite are red, and counted in the caption. The
    random state stays as it is, though a loader is begun.

    >>> from flambeau import viz
    >>> from flambeau.vision.datasets import Digits
    >>> figure = viz.show_batch(Digits("test"), n=8)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['8', '8', '2', '2', '2', '9', '8', '8']
    """
    if n < 1:
        raise ArgumentError(f"n={n} images cannot be shown", why="a picture needs one at least", fix="use `n=16`")
    given, labels = _opened(batch, n)
    images, count = _images(given, labels, n)
    images = _scaled([_unnormalised(image, mean, std) for image in images])
    captions = [_caption(_classes(labels, "labels", count), k, names) for k in range(len(images))]
    wrong = [False] * len(images)
    if predictions is not None:
        found, true = _classes(predictions, "predictions", count), _classes(labels, "labels", count)
        for k in range(len(images)):
            words = _caption(found, k, names)
            wrong[k] = true is not None and found[k] != true[k] and not _measured(found[k]) and not _measured(true[k])
            if wrong[k]:
                captions[k] = f"{words}, not {captions[k]}"
            else:
                captions[k] = words if true is None or words == captions[k] else f"{words} ({captions[k]})"
    if title is None and count > len(images):
        title = f"the first {len(images)} of {count:,}"
    return tiles(images, captions, wrong, ax=ax, title=title)


def show_augmentations(
    image: Any,
    transform: Callable,
    *,
    n: int = 11,
    mean: Any = None,
    std: Any = None,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """An image, and what a random transform makes of it each time, as a figure.

    Arguments:
        image: a PIL image, a tensor or an array; or a sample (image, label) of a data set.
        transform: the function of an image; it is called `n` times.
        n: how many results to show.
        mean, std: numbers per channel with which the transform normalises.
        ax, title: as in `show_batch`.

    The random state stays as it is.

    >>> from flambeau import viz
    >>> from flambeau.vision import transforms
    >>> from flambeau.vision.datasets import Digits
    >>> figure = viz.show_augmentations(Digits("test")[0], transforms.RandomRotation(30), n=3)
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['original', '1', '2', '3']
    """
    if isinstance(image, tuple):
        image = image[0]
    with random_states():
        made = [transform(image) for _ in range(n)]
    original = _scaled([_one(image)])
    results = _scaled([_unnormalised(_one(result), mean, std) for result in made])
    return tiles([*original, *results], ["original", *map(str, range(1, n + 1))], ax=ax, title=title)


def _rank(thing: Any) -> int:
    """How many dimensions something has, as far as can be seen without looking at all of it."""
    if hasattr(thing, "ndim"):
        return thing.ndim
    if is_pil(thing):
        return 3
    return (
        1 + _rank(thing[0])
        if isinstance(thing, (list, tuple)) and len(thing)
        else int(isinstance(thing, (list, tuple)))
    )


def _opened(batch: Any, n: int) -> tuple[Any, Any]:
    """(images, labels or None) of a batch, of a loader's first batch or of a data set's first samples."""
    if isinstance(batch, (tuple, list)):
        ranks = [_rank(part) for part in batch[:2]]
        pair = len(ranks) == 2 and ranks[0] >= 2 and (ranks[1] < 2 or ranks[0] - ranks[1] > 1)
        return (batch[0], batch[1]) if pair else (batch, None)
    if hasattr(batch, "detach") or isinstance(batch, np.ndarray) or is_pil(batch):
        return batch, None
    if isinstance(batch, (str, bytes, Mapping)) or not (hasattr(batch, "__iter__") or hasattr(batch, "__getitem__")):
        raise ArgumentTypeError(
            f"show_batch() takes images, (images, labels), a loader or a data set, not {type(batch).__name__}",
            why="images and labels are looked for in it",
            fix="pass them as a pair, such as `(batch['image'], batch['label'])`",
        )
    with random_states(), unnoticed():
        if not isinstance(batch, Dataset):
            first = next(iter(batch), None)
            return (first, None) if first is None else _opened(first, n)
        endless = isinstance(batch, IterableDataset)
        samples = list(islice(batch, n)) if endless else [batch[k] for k in range(min(n, len(batch)))]  # type: ignore
    if all(isinstance(sample, (tuple, list)) and len(sample) >= 2 for sample in samples):
        return [sample[0] for sample in samples], [sample[1] for sample in samples]
    return samples, None


def _images(given: Any, labels: Any, n: int) -> tuple[list[np.ndarray], int]:
    """The first n images, (H, W) or (H, W, C), and how many there are in all."""
    if given is None or (isinstance(given, (list, tuple)) and not given):
        given = np.zeros((0, 1, 1))
    if isinstance(given, (list, tuple)) and _rank(given[0]) >= 2:
        return [_one(image) for image in given[:n]], len(given)
    if is_pil(given):
        return [_one(given)], 1
    array = style.numbers(given, "images")
    many = array.ndim == 4 or (array.ndim == 3 and (_rank(labels) > 0 or not _channels(array.shape)))
    if array.ndim not in (2, 3, 4) or (array.ndim == 2 and _rank(labels) > 0):
        raise _no_image(array.shape)
    if 0 in array.shape:
        raise ArgumentError(
            f"there are no images in a batch of shape {tuple(array.shape)}",
            why="one of its sizes is 0",
            fix="look at what the loader or the slice gives: `len(batch)`",
        )
    return ([_one(image) for image in array[:n]], len(array)) if many else ([_one(array)], 1)


def _channels(shape: tuple[int, ...]) -> bool:
    """Whether this is the shape of one image with channels: four in front are rather four grey images."""
    return shape[0] in (1, 3) or shape[-1] in CHANNELS


def _one(image: Any) -> np.ndarray:
    """One image as (H, W) or (H, W, C)."""
    if is_pil(image):
        image = np.asarray(image.convert("RGB") if image.mode in ("P", "CMYK", "YCbCr", "HSV", "LAB") else image)
    array = style.numbers(image, "image")
    if array.ndim == 3 and array.shape[0] in CHANNELS:
        array = np.moveaxis(array, 0, -1)
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in CHANNELS) or array.dtype.kind == "c":
        raise _no_image(array.shape)
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array


def _no_image(shape: tuple[int, ...]) -> ShapeError:
    side = math.isqrt(shape[-1]) if shape else 0
    square = len(shape) == 2 and side * side == shape[-1] and side > 1
    return ShapeError(
        f"data of shape {tuple(shape)} are not images",
        why="images are (N, C, H, W) or (N, H, W, C) with 1, 3 or 4 channels, or (N, H, W) grey levels",
        fix=f"if these are flattened images, use `x.reshape(-1, 1, {side}, {side})`"
        if square
        else "choose three channels, such as `x[:, :3]`; `viz.feature_maps` shows the channels of a layer",
    )


def _unnormalised(image: np.ndarray, mean: Any, std: Any) -> np.ndarray:
    """The image as it was before `(image - mean) / std`."""
    if mean is None and std is None:
        return image
    channels = image.shape[2] if image.ndim == 3 else 1
    numbers = []
    for name, given, default in (("mean", mean, 0.0), ("std", std, 1.0)):
        numbers.append(np.ravel(style.numbers(default if given is None else given, name)).astype(np.float64))
        if len(numbers[-1]) not in (1, channels):
            raise ShapeError(
                f"{name} has {len(numbers[-1])} numbers, but the images have {channels} channels",
                why="every channel was normalised with a number of its own, or all with one",
                fix=f"give {channels} numbers, or one",
            )
    return image * numbers[1] + numbers[0]


def _scaled(images: list[np.ndarray]) -> list[np.ndarray]:
    """The images with values from 0 to 1; nan where they are not finite."""
    if all(image.dtype == np.uint8 for image in images):
        return [image / 255 for image in images]
    images = [np.where(np.isfinite(image), image, np.nan).astype(np.float64) for image in images]
    values = style.finite(np.concatenate([image.ravel() for image in images]))
    low, high = (values.min(), values.max()) if len(values) else (0.0, 1.0)
    if low < -0.02 or high > 1.02:  # less is the rounding of a normalisation taken back
        images = [(image - low) / ((high - low) or 1.0) for image in images]
    return [np.clip(image, 0, 1) for image in images]


def _classes(given: Any, what: str, count: int) -> Any:
    """What is said of each image: a list of numbers or words. Scores become classes."""
    if given is None:
        return None
    if isinstance(given, (list, tuple)) and any(isinstance(one, str) for one in given):
        found = list(given)
    else:
        array = style.numbers(given, what)
        array = array.argmax(1) if array.ndim == 2 and array.shape[1] > 1 else array.reshape(-1)
        found = array.tolist()
    if len(found) < count:
        raise ShapeError(
            f"there are {len(found)} {what} for {count} images",
            why="each image has one",
            fix=f"pass as many {what} as images, in the same order",
        )
    return found


def _measured(value: Any) -> bool:
    """Whether this is a quantity and not a class: no prediction of it is exactly right."""
    return isinstance(value, float) and not value.is_integer()


def _caption(classes: Any, k: int, names: Sequence[str] | None) -> str:
    """What to write over image k."""
    if classes is None:
        return ""
    value = classes[k]
    if isinstance(value, str):
        return value
    if names is not None and not _measured(value) and 0 <= value < len(names):
        return " ".join(str(names[int(value)]).split())  # in one line
    return f"{value:.3g}" if isinstance(value, float) else str(value)
