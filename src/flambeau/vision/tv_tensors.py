"""Tensors that say what they are - image, video, mask, boxes - so that transforms treat them rightly.

Operations on them give plain tensors; transforms keep the kind.
"""

from enum import Enum
from typing import Any

import flambeau as fb

from ..errors import ArgumentError
from ._pillow import is_pil
from .transforms import functional as F

__all__ = ["BoundingBoxFormat", "BoundingBoxes", "Image", "Mask", "TVTensor", "Video", "wrap"]


class TVTensor(fb.Tensor):
    """Base of the kinds."""

    def __new__(cls, data: Any, *, dtype=None, device=None, requires_grad: bool | None = None):
        return _cast(cls, _tensor(data, dtype, device, requires_grad))

    def __init__(self, *args, **kwargs) -> None:
        """All is done by `__new__`."""

    def __reduce_ex__(self, protocol):
        return _rebuild, (type(self), fb.Tensor.wrap(self._array), _facts(self))

    def __repr__(self, *, tensor_contents=None) -> str:  # type: ignore[override]
        body = fb.Tensor.__repr__(fb.Tensor.wrap(self._array))
        facts = "".join(f", {name}={value}" for name, value in _facts(self).items())
        return f"{type(self).__name__}{body[len('tensor') : -1]}{facts})"


def _tensor(data, dtype, device, requires_grad):
    if is_pil(data):
        data = F.pil_to_tensor(data)
    tensor = fb.as_tensor(data, dtype=dtype, device=device)
    return tensor.requires_grad_() if requires_grad else tensor


def _cast(cls, tensor):
    """The same memory as another kind of tensor."""
    made = fb.Tensor.__new__(cls)
    made._array = tensor._array
    if tensor.requires_grad:
        made.requires_grad_()
    return made


def _facts(tensor) -> dict[str, Any]:
    return {name: tensor.__dict__[name] for name in ("format", "canvas_size") if name in tensor.__dict__}


def _rebuild(cls, tensor, facts):
    made = _cast(cls, tensor)
    made.__dict__.update(facts)
    return made


class Image(TVTensor):
    """An image (..., C, H, W), from a tensor, a list or a PIL image."""

    def __new__(cls, data: Any, *, dtype=None, device=None, requires_grad: bool | None = None):
        tensor = _tensor(data, dtype, device, requires_grad)
        if tensor.ndim < 2:
            raise ArgumentError(
                f"an Image has 2 or more dimensions, but got {tensor.ndim}",
                why=f"its dimensions are (..., channels, height, width), and the shape is {tuple(tensor.shape)}",
                fix="pass an image of shape (H, W) or (C, H, W)",
            )
        return _cast(cls, tensor.unsqueeze(0) if tensor.ndim == 2 else tensor)


class Video(TVTensor):
    """Frames (..., T, C, H, W)."""


class Mask(TVTensor):
    """Classes or objects of pixels (..., H, W)."""


class BoundingBoxFormat(Enum):
    """What the four numbers of a box are."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"

    def __str__(self) -> str:
        return f"BoundingBoxFormat.{self.value}"


class BoundingBoxes(TVTensor):
    """Boxes (N, 4) on an image of the size `canvas_size` (height, width)."""

    format: BoundingBoxFormat
    canvas_size: tuple[int, int]

    def __new__(cls, data: Any, *, format, canvas_size, dtype=None, device=None, requires_grad: bool | None = None):
        tensor = _tensor(data, dtype, device, requires_grad)
        made = _cast(cls, tensor.unsqueeze(0) if tensor.ndim == 1 else tensor)
        made.format = BoundingBoxFormat[format.upper()] if isinstance(format, str) else format
        made.canvas_size = tuple(canvas_size)
        return made


def wrap(wrappee, *, like, **kwargs):
    """A tensor as the kind of `like`; for boxes, `format` and `canvas_size` may change."""
    if not isinstance(like, TVTensor):
        return wrappee
    return _rebuild(type(like), wrappee, {**_facts(like), **kwargs})
