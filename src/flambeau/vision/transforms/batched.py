"""Whole batches through transforms at once, with the results and the random numbers of one image after another.

`plan(transform)` answers with a function from an array of images (uint8, N x H x W or N x H x W x 3) and the numbers
of the chosen ones to a tensor, or None if any of the transforms is not known here. The random numbers of a batch are
drawn together and dealt out: first all that the transforms want for image 1, then for image 2 and so on, as the loop
over images would draw them.

The conversion to a tensor and what follows it give the same number for the same byte of the same channel. So they run
on the 256 bytes only, and one pass gathers the images and looks the numbers up.
"""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

import flambeau as fb

from ...errors import ArgumentError, IndexOutOfRange
from ...kernels.images import BYTES, images
from .._pillow import pillow
from . import _colour
from . import functional as F
from . import transforms as T
from ._convert import plain

__all__ = ["plan", "to_pil"]


def to_pil(pixels: np.ndarray):
    """One image of an array as a PIL image."""
    return pillow().Image.fromarray(pixels)


class _Step:
    """One transform on a batch. `pixels`: it works before the conversion to a tensor, on uint8 N x H x W (x 3)."""

    pixels = False

    def __init__(self, transform) -> None:
        self.t = transform

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result."""
        return height, width

    def words(self, height: int, width: int) -> int:
        """How many random words of 32 bits it takes for an image of this size."""
        return 0

    def draw(self, words: np.ndarray, height: int, width: int) -> Any:
        """What it does at random, from the words: one row for each image."""
        return None

    def setting(self) -> Hashable:
        """What a pixel's result depends on besides its value and its channel. Asked of all but steps on pixels."""
        return None

    def run(self, a: np.ndarray, drawn: Any) -> np.ndarray:
        """The transformed batch."""
        raise NotImplementedError


class _ToTensor(_Step):
    """N x H x W (x C) bytes to N x C x H x W, scaled to 0 ... 1."""

    pixels = True

    def run(self, a, drawn):
        return F.scale_bytes(_channels_first(a))


class _ToBytes(_Step):
    """N x H x W (x C) to N x C x H x W."""

    pixels = True

    def run(self, a, drawn):
        return np.ascontiguousarray(_channels_first(a))


def _channels_first(a: np.ndarray) -> np.ndarray:
    return a[:, None] if a.ndim == 3 else a.transpose(0, 3, 1, 2)


class _Normalize(_Step):
    def setting(self):
        return tuple(np.asarray(plain(v), np.float64).tobytes() for v in (self.t.mean, self.t.std))

    def run(self, a, drawn):
        if a.dtype.kind != "f":
            return F.normalize(fb.from_numpy(a), self.t.mean, self.t.std).numpy()  # raises
        return F.shift_and_scale(a, self.t.mean, self.t.std, np.empty(a.shape, a.dtype))


class _ConvertDtype(_Step):
    def setting(self):
        return self.t.dtype

    def run(self, a, drawn):
        return _colour.convert_dtype(a, F.numpy_dtype(self.t.dtype))


class _Flip(_Step):
    """A mirror image of those whose coin says so."""

    pixels = True

    def words(self, height, width):
        return 1

    def draw(self, words, height, width):
        return (words[:, 0] & np.uint32(0xFFFFFF)) * 2.0**-24 < self.t.p  # as `_draw.coin`, that is rand(1) of float32

    def run(self, a, drawn):
        out = a.copy()
        out[drawn] = self.mirrored(a[drawn])
        return out

    def mirrored(self, a: np.ndarray) -> np.ndarray:
        """All images mirrored."""
        raise NotImplementedError


class Sideways(_Flip):
    """RandomHorizontalFlip."""

    def mirrored(self, a):
        return a[:, :, ::-1]


class UpsideDown(_Flip):
    """RandomVerticalFlip."""

    def mirrored(self, a):
        return a[:, ::-1]


def one_word_a_coin(t) -> bool:
    """Whether `rand` draws float32, of one word each."""
    return fb.get_default_dtype() is fb.float32


class _Crop(_Step):
    """A random part, after padding with zeros."""

    pixels = True

    def _sides(self):
        return [0] * 4 if self.t.padding is None else F._parse_padding(self.t.padding)

    def size(self, height, width):
        return tuple(self.t.size)

    def _rooms(self, height, width):
        """In how many places the part can lie: down, across."""
        left, top, right, bottom = self._sides()
        h, w = height + top + bottom, width + left + right
        th, tw = self.t.size
        if h < th or w < tw:
            raise ArgumentError(
                f"Required crop size {(th, tw)} is larger than input image size {(h, w)}",
                why="there are too few pixels to cut from",
                fix="use `pad_if_needed=True`, or `Resize` before it",
            )
        return h - th + 1, w - tw + 1

    def words(self, height, width):
        return 0 if self._rooms(height, width) == (1, 1) else 2

    def draw(self, words, height, width):
        if not words.shape[1]:
            return np.zeros((len(words), 2), np.uint32)
        return words % np.array(self._rooms(height, width), np.uint32)  # as `_draw.randint`

    def run(self, a, drawn):
        left, top, right, bottom = self._sides()
        (count, h, w, *rest), (height, width) = a.shape, self.t.size
        if any((left, top, right, bottom)):
            padded = np.zeros((count, h + top + bottom, w + left + right, *rest), a.dtype)
            padded[:, top : top + h, left : left + w] = a
            a = padded
        out = np.empty((count, height, width, *rest), a.dtype)
        for i, (row, column) in enumerate(drawn.tolist()):
            out[i] = a[i, row : row + height, column : column + width]
        return out


def _crop_is_plain(t) -> bool:
    return t.fill == 0 and t.padding_mode == "constant" and not t.pad_if_needed and min(_Crop(t)._sides()) >= 0


_STEPS: dict[type, tuple[type[_Step], Callable[[Any], bool]]] = {
    T.ToTensor: (_ToTensor, lambda t: True),
    T.PILToTensor: (_ToBytes, lambda t: True),
    T.Normalize: (_Normalize, lambda t: not t._forward_hooks and not t._forward_pre_hooks),
    T.ConvertImageDtype: (_ConvertDtype, lambda t: True),
    T.RandomHorizontalFlip: (Sideways, one_word_a_coin),
    T.RandomVerticalFlip: (UpsideDown, one_word_a_coin),
    T.RandomCrop: (_Crop, _crop_is_plain),
}


def register(kind: type, step: type[_Step], fits: Callable[[Any], bool] = lambda t: True) -> None:
    """Make a transform known: exactly this class, not those derived from it."""
    _STEPS[kind] = (step, fits)


COMPOSE: set[type] = {T.Compose}


def _flatten(transform) -> list:
    if type(transform) in COMPOSE:
        return [step for inner in transform.transforms for step in _flatten(inner)]
    return [transform]


def plan(transform) -> Callable[[np.ndarray, np.ndarray], Any] | None:
    """A function from images and int64 numbers of them to the transformed batch; None where that is not known.

    The function raises IndexError for numbers that are out of range.
    """
    if transform is None:
        return None
    steps: list[_Step] = []
    converted = -1
    for t in _flatten(transform):
        found = _STEPS.get(type(t))
        if found is None or not found[1](t):
            return None
        step = found[0](t)
        if step.pixels == (converted >= 0):  # pixels after the conversion, or tensors before it
            return None
        if isinstance(step, (_ToTensor, _ToBytes)):
            converted = len(steps)
        steps.append(step)
    return _Plan(steps[:converted], steps[converted:]) if converted >= 0 else None


_tables: dict[Hashable, np.ndarray] = {}


class _Plan:
    """Steps that move or change pixels, then those that turn bytes into numbers."""

    def __init__(self, moves: list[_Step], values: list[_Step]) -> None:
        self.moves, self.values = moves, values

    def __call__(self, pixels: np.ndarray, index: np.ndarray):
        count = len(pixels)
        if index.size and not -count <= int(index.min()) <= int(index.max()) < count:
            raise IndexOutOfRange(
                f"there are {count} images; asked for {index.min()} ... {index.max()}",
                why=f"images are numbered 0 to {count - 1}",
                fix="use indices in that range",
            )
        if self.moves:
            pixels = self._moved(pixels[index])
            index = np.arange(len(pixels))
        table = self._table(pixels.shape[3] if pixels.ndim == 4 else 1)
        out = images(pixels, index, table)
        return fb.from_numpy(_run(self.values, pixels[index]) if out is None else out)

    def _moved(self, pixels):
        sizes, wanted = [pixels.shape[1:3]], []
        for step in self.moves:
            wanted.append(step.words(*sizes[-1]))
            sizes.append(step.size(*sizes[-1]))
        count = sum(wanted)
        words = fb.default_generator.full_range(len(pixels) * count, np.uint32).reshape(len(pixels), count)
        at = 0
        for step, size, count in zip(self.moves, sizes, wanted, strict=False):
            pixels = step.run(pixels, step.draw(words[:, at : at + count], *size))
            at += count
        return pixels

    def _table(self, channels: int) -> np.ndarray:
        """What becomes of each byte in each channel: channels x 256."""
        key = (channels, *((type(step), step.setting()) for step in self.values))
        found = _tables.get(key)
        if found is None:
            if len(_tables) >= 64:
                _tables.clear()
            every = np.repeat(np.arange(BYTES, dtype=np.uint8), channels).reshape(1, 1, BYTES, channels)
            found = _tables[key] = _run(self.values, every).reshape(channels, BYTES)
        return found


def _run(steps: list[_Step], pixels: np.ndarray) -> np.ndarray:
    for step in steps:
        pixels = step.run(pixels, None)
    return pixels
