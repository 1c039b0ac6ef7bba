"""Random images, for trying a program without any files."""

from collections.abc import Callable
from typing import Any

import flambeau as fb

from ...errors import IndexOutOfRange
from .. import transforms
from .vision import VisionDataset

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """Random PIL images with random labels; sample `i` is the same each time.

    Example:
        >>> image, label = FakeData(size=4, image_size=(3, 8, 8))[0]
        >>> image.size, label
        ((8, 8), 6)
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexOutOfRange(
                f"{type(self).__name__} index out of range",
                why=f"there are {len(self)} images, numbered from 0",
                fix=f"use an index below {len(self)}",
            )
        # The global generator is left as it was.
        state = fb.get_rng_state()
        fb.manual_seed(index + self.random_offset)
        image = fb.randn(*self.image_size)
        target = fb.randint(0, self.num_classes, size=(1,), dtype=fb.int64)[0]
        fb.set_rng_state(state)
        image = transforms.ToPILImage()(image)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target.item() if isinstance(target, fb.Tensor) else target

    def __len__(self) -> int:
        return self.size
