"""The base of image data sets: transforms, printing, and reading whole batches at once."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import flambeau as fb
from flambeau.utils.data import Dataset
from flambeau.utils.data._utils.batch import SampleBatch

from ...errors import ArgumentError
from ..transforms import batched

__all__ = ["ArrayDataset", "StandardTransform", "VisionDataset"]


class VisionDataset(Dataset):
    """Base of image data sets: subclass it and write ``__getitem__`` and ``__len__``.

    Arguments:
        root: where the files are.
        transforms: function (image, target) -> (image, target); excludes the two that follow.
        transform, target_transform: functions of the image, of the target.

    Errors: ValueError if `transforms` is given together with one of the others.
    """

    _repr_indent = 4

    def __init__(
        self,
        root: str | Path | None = None,
        transforms: Callable | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ) -> None:
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ArgumentError(
                "Only transforms or transform/target_transform can be passed as argument",
                why="transforms takes image and target together, the others one of them each",
                fix="leave one of the two ways out",
            )
        self.transform = transform
        self.target_transform = target_transform
        if transform is not None or target_transform is not None:
            transforms = StandardTransform(transform, target_transform)
        self.transforms = transforms

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if getattr(self, "transforms", None) is not None:
            body.append(repr(self.transforms))
        return "\n".join([f"Dataset {type(self).__name__}", *(" " * self._repr_indent + line for line in body)])

    def extra_repr(self) -> str:
        """More lines for the printed form."""
        return ""


class StandardTransform:
    """One function for the image, one for the target, as a joint one."""

    def __init__(self, transform: Callable | None = None, target_transform: Callable | None = None) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        body = [type(self).__name__]
        for head, function in (("Transform: ", self.transform), ("Target transform: ", self.target_transform)):
            if function is not None:
                first, *rest = repr(function).splitlines()
                body += [head + first, *(" " * len(head) + line for line in rest)]
        return "\n".join(body)


class ArrayDataset(VisionDataset):
    """Data sets whose images lie in memory as one array of bytes.

    Subclasses give `_pixels()` (uint8, N x H x W or N x H x W x 3) and `_labels()` (N integers). Batches whose
    transforms all work on whole batches are read and transformed in one go; the result is that of one by one.
    """

    def _pixels(self) -> np.ndarray:
        raise NotImplementedError

    def _labels(self) -> Sequence[int] | np.ndarray:
        raise NotImplementedError

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Sample `index`: (image, target); the image is a PIL image unless a transform changes it."""
        image, target = batched.to_pil(self._pixels()[index]), int(self._labels()[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __getitems__(self, indices: list[int]):
        plan = None
        if type(self).__getitem__ is ArrayDataset.__getitem__ and self.target_transform is None:
            plan = batched.plan(self.transform)
        if plan is None:
            return [self[i] for i in indices]
        chosen = np.asarray(indices, np.int64)
        images = plan(self._pixels(), chosen)
        labels = fb.from_numpy(np.asarray(self._labels())[chosen].astype(np.int64, copy=False))
        return SampleBatch([images, labels], len(chosen), lambda k: (images[k], int(labels[k])))

    def __len__(self) -> int:
        return len(self._pixels())
