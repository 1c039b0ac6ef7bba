"""The base of the second generation of transforms: any structure of images, masks, boxes and labels goes through."""

import enum
from collections.abc import Callable
from typing import Any

import flambeau as fb

from ....errors import ArgumentError, ArgumentTypeError
from ... import tv_tensors
from ..._pillow import is_pil
from .. import _draw
from . import functional as F

__all__ = ["RandomApplyTransform", "Transform", "flatten", "image_size", "unflatten"]


def flatten(tree) -> tuple[list, Callable[[list], Any]]:
    """The leaves of nested tuples, lists and dicts, and a function that puts new leaves into their places."""
    leaves: list = []

    def walk(node) -> Callable[[list], Any]:
        if isinstance(node, dict):
            parts = {key: walk(value) for key, value in node.items()}
            return lambda new: type(node)((key, part(new)) for key, part in parts.items())
        if isinstance(node, tuple) and hasattr(node, "_fields"):
            made = [walk(value) for value in node]
            return lambda new: type(node)(*(part(new) for part in made))
        if type(node) in (list, tuple):
            made = [walk(value) for value in node]
            return lambda new: type(node)(part(new) for part in made)
        place = len(leaves)
        leaves.append(node)
        return lambda new: new[place]

    return leaves, walk(tree)


def unflatten(leaves: list, build: Callable[[list], Any]) -> Any:
    """The structure with these leaves."""
    return build(leaves)


def is_pure(x) -> bool:
    """A tensor that does not say what it is."""
    return isinstance(x, fb.Tensor) and not isinstance(x, tv_tensors.TVTensor)


def is_picture(x) -> bool:
    """Something with pixels that an image transform works on."""
    return isinstance(x, (tv_tensors.Image, tv_tensors.Video)) or is_pil(x) or is_pure(x)


def image_size(leaves: list) -> list[int]:
    """Height and width of the images, masks or boxes, which must agree."""
    sizes = {
        tuple(F.get_size(x))
        for x in leaves
        if is_picture(x) or isinstance(x, (tv_tensors.Mask, tv_tensors.BoundingBoxes))
    }
    if not sizes:
        raise ArgumentTypeError(
            "No image, video, mask, bounding box of keypoint was found in the sample",
            why="sizes are those of a picture, mask or boxes",
            fix="use `v2.ToImage()` before it, or wrap tensors: `tv_tensors.Image(tensor)`",
        )
    if len(sizes) > 1:
        raise ArgumentError(
            f"Found multiple HxW dimensions in the sample: {', '.join(map(str, sorted(sizes)))}",
            why="one change of geometry is applied to all of them",
            fix="use `v2.Resize` on each of them before",
        )
    return list(sizes.pop())


class Transform(fb.nn.Module):
    """Base of transforms: subclass it and write `transform`, and `make_params` if there is something random.

    The first tensor that does not say what it is counts as the image, unless there is an `Image`, `Video` or PIL
    image; other such tensors (labels) pass unchanged.
    """

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for inputs that cannot be transformed."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """The random numbers for one sample."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One leaf of the sample, transformed."""
        raise NotImplementedError

    def _selected(self, leaves: list) -> list[bool]:
        marked = any(isinstance(x, (tv_tensors.Image, tv_tensors.Video)) or is_pil(x) for x in leaves)
        chosen, pure_seen = [], marked
        for x in leaves:
            if is_pure(x):
                chosen.append(not pure_seen)
                pure_seen = True
            else:
                chosen.append(isinstance(x, tv_tensors.TVTensor) or is_pil(x))
        return chosen

    def forward(self, *inputs: Any) -> Any:
        leaves, build = flatten(inputs if len(inputs) > 1 else inputs[0])
        self.check_inputs(leaves)
        chosen = self._selected(leaves)
        params = self.make_params([x for x, c in zip(leaves, chosen, strict=True) if c])
        return build([self.transform(x, params) if c else x for x, c in zip(leaves, chosen, strict=True)])

    _hidden: tuple[str, ...] = ()

    def extra_repr(self) -> str:
        """The attributes of simple types."""
        shown = []
        for name, value in self.__dict__.items():
            if name.startswith("_") or name == "training" or name in self._hidden:
                continue
            if isinstance(value, (bool, int, float, str, tuple, list, enum.Enum)):
                shown.append(f"{name}={value}")
        return ", ".join(shown)


class RandomApplyTransform(Transform):
    """Base of transforms that happen with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ArgumentError(
                "`p` should be a floating point value in the interval [0.0, 1.0].", why=f"it is {p}", fix="use `p=0.5`"
            )
        super().__init__()
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        packed = inputs if len(inputs) > 1 else inputs[0]
        leaves, build = flatten(packed)
        self.check_inputs(leaves)
        if _draw.coin() >= self.p:
            return packed
        chosen = self._selected(leaves)
        params = self.make_params([x for x, c in zip(leaves, chosen, strict=True) if c])
        return build([self.transform(x, params) if c else x for x, c in zip(leaves, chosen, strict=True)])
