"""Whole batches through transforms at once, with the results and the random numbers of one image after another.

`plan(transform)` answers with a function from an array of images (uint8, N x H x W or N x H x W x 3) and the numbers
of the chosen ones to a tensor, or None if any of the transforms is not known here. Each random transform draws for
image 1, then for image 2 and so on, as the loop over images would; only the work on pixels is done together.

The conversion to a tensor and what follows it give the same number for the same byte of the same channel. So they run
on the 256 bytes only, and one pass gathers the images and looks the numbers up.
"""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

import flambeau as fb

from ...kernels.images import BYTES, images
from .._pillow import pillow
from . import _colour, _draw
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

    def draw(self, height: int, width: int) -> Any:
        """The random numbers for one image."""
        return None

    def setting(self) -> Hashable:
        """What a pixel's result depends on besides its value and its channel. Asked of all but steps on pixels."""
        return None

    def run(self, a: np.ndarray, drawn: list) -> np.ndarray:
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

    def draw(self, height, width):
        return _draw.coin() < self.t.p

    def run(self, a, drawn):
        chosen = np.array(drawn)
        out = a.copy()
        if type(self.t) is T.RandomHorizontalFlip:
            out[chosen] = a[chosen][:, :, ::-1]
        else:
            out[chosen] = a[chosen][:, ::-1]
        return out


class _Crop(_Step):
    """A random part, after padding with a constant."""

    pixels = True

    def _sides(self):
        return [0] * 4 if self.t.padding is None else F._parse_padding(self.t.padding)

    def size(self, height, width):
        return tuple(self.t.size)

    def draw(self, height, width):
        left, top, right, bottom = self._sides()
        h, w = height + top + bottom, width + left + right
        th, tw = self.t.size
        if h < th or w < tw:
            raise ValueError(f"Required crop size {(th, tw)} is larger than input image size {(h, w)}")
        if (h, w) == (th, tw):
            return 0, 0
        return _draw.randint(0, h - th + 1), _draw.randint(0, w - tw + 1)

    def run(self, a, drawn):
        left, top, right, bottom = self._sides()
        widths = [(0, 0), (top, bottom), (left, right)] + [(0, 0)] * (a.ndim - 3)
        a = np.pad(a, widths) if self.t.padding is not None else a
        height, width = self.t.size
        corners = np.array(drawn)
        rows = corners[:, 0, None] + np.arange(height)
        columns = corners[:, 1, None] + np.arange(width)
        return a[np.arange(len(a))[:, None, None], rows[:, :, None], columns[:, None, :]]


def _crop_is_plain(t) -> bool:
    return t.fill == 0 and t.padding_mode == "constant" and not t.pad_if_needed and min(_Crop(t)._sides()) >= 0


_STEPS: dict[type, tuple[type[_Step], Callable[[Any], bool]]] = {
    T.ToTensor: (_ToTensor, lambda t: True),
    T.PILToTensor: (_ToBytes, lambda t: True),
    T.Normalize: (_Normalize, lambda t: not t._forward_hooks and not t._forward_pre_hooks),
    T.ConvertImageDtype: (_ConvertDtype, lambda t: True),
    T.RandomHorizontalFlip: (_Flip, lambda t: True),
    T.RandomVerticalFlip: (_Flip, lambda t: True),
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
            raise IndexError(f"there are {count} images; asked for {index.min()} ... {index.max()}")
        if self.moves:
            pixels = self._moved(pixels[index])
            index = np.arange(len(pixels))
        table = self._table(pixels.shape[3] if pixels.ndim == 4 else 1)
        out = images(pixels, index, table)
        return fb.from_numpy(_run(self.values, pixels[index]) if out is None else out)

    def _moved(self, pixels):
        drawn: list[list] = [[] for _ in self.moves]
        for _ in range(len(pixels)):
            size = pixels.shape[1:3]
            for step, values in zip(self.moves, drawn, strict=True):
                values.append(step.draw(*size))
                size = step.size(*size)
        for step, values in zip(self.moves, drawn, strict=True):
            pixels = step.run(pixels, values)
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
        pixels = step.run(pixels, [])
    return pixels
