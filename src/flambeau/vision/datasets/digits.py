"""The handwritten digits that come with the package: no download needed."""

from collections.abc import Callable
from importlib.resources import as_file, files

import numpy as np

import flambeau as fb

from .utils import verify_str_arg
from .vision import ArrayDataset

__all__ = ["Digits"]

_SIZES = {"train": 1197, "val": 300, "test": 300}


class Digits(ArrayDataset):
    """1,797 handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak, UCI, CC BY 4.0), embedded in the package.

    Arguments:
        split: "train" (1,197 images), "val" (300), "test" (300), or "all" in the original order.
        transform, target_transform: functions of the PIL image, of the label.

    `data` holds the original grey levels, 0 ... 16; images are scaled to 0 ... 255.

    Example:
        >>> digits = Digits("test")
        >>> len(digits), digits[0][0].size
        (300, (8, 8))
    """

    classes = [str(k) for k in range(10)]
    splits = (*_SIZES, "all")

    def __init__(
        self, split: str = "all", transform: Callable | None = None, target_transform: Callable | None = None
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        with as_file(files("flambeau.vision") / "data" / "digits.npz") as path, np.load(path) as stored:
            images, labels = stored["images"], stored["labels"]
        if split != "all":
            # The same split for ever: RandomState's stream is frozen.
            order = np.random.RandomState(0).permutation(len(images))
            ends = np.cumsum(list(_SIZES.values()))
            part = np.split(order, ends[:-1])[list(_SIZES).index(split)]
            images, labels = images[part], labels[part]
        self.data = fb.from_numpy(images)
        self.targets = fb.from_numpy(labels.astype(np.int64))
        self._grey = np.rint(images * (255 / 16)).astype(np.uint8)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Number of each class by name."""
        return {name: k for k, name in enumerate(self.classes)}

    def _pixels(self) -> np.ndarray:
        return self._grey

    def _labels(self):
        return self.targets.numpy()

    def extra_repr(self) -> str:
        """The split."""
        return f"Split: {self.split}"
