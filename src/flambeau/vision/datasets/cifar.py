"""CIFAR-10 and CIFAR-100."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import StateError
from .utils import atomic_folder, download_from, extract_archive
from .vision import ArrayDataset

__all__ = ["CIFAR10", "CIFAR100"]


class _ArraysOnly(pickle.Unpickler):
    """Reads pickles of arrays, strings and containers: a data file must not be able to run code."""

    _allowed = {"_reconstruct", "ndarray", "dtype", "encode", "scalar"}

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] in ("numpy", "_codecs") and name in self._allowed:
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which no CIFAR file contains")


class CIFAR10(ArrayDataset):
    """60,000 colour images of 32 x 32 in 10 classes (Krizhevsky 2009).

    Arguments:
        root: folder that holds (or will hold) ``cifar-10-batches-py/``.
        train: the 50,000 training images, or the 10,000 test images.
        transform, target_transform: functions of the PIL image, of the label.
        download: fetch and unpack the archive if it is absent.

    Errors: RuntimeError naming the files that are missing.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if missing := self._missing():
            raise StateError(
                "Dataset not found or corrupted. You can use download=True to download it",
                why=f"{self._folder.absolute()} lacks {', '.join(missing)}",
                fix=f"use `download=True`, or unpack {self.filename} there",
            )
        parts = [self._read(name) for name, _ in (self.train_list if train else self.test_list)]
        planes = np.concatenate([part["data"] for part in parts]).reshape(-1, 3, 32, 32)
        self.data = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        self.targets: list[int] = []
        for part in parts:
            self.targets += part["labels"] if "labels" in part else part["fine_labels"]
        self.classes: list[str] = self._read(self.meta["filename"])[self.meta["key"]]
        self.class_to_idx = {name: k for k, name in enumerate(self.classes)}

    @property
    def _folder(self) -> Path:
        return Path(self.root) / self.base_folder  # type: ignore[arg-type]

    def _missing(self) -> list[str]:
        names = [name for name, _ in (*self.train_list, *self.test_list)] + [self.meta["filename"]]
        return [name for name in names if not (self._folder / name).is_file()]

    def _check_integrity(self) -> bool:
        return not self._missing()

    def _read(self, name: str) -> dict:
        with open(self._folder / name, "rb") as file:
            try:
                return _ArraysOnly(file, encoding="latin1").load()
            except (pickle.UnpicklingError, EOFError, ValueError) as error:
                raise StateError(
                    f"{self._folder / name} is damaged: {error}",
                    why="the file cannot be read to its end",
                    fix="delete it, and use `download=True`",
                ) from error

    def _pixels(self) -> np.ndarray:
        return self.data

    def _labels(self):
        return self.targets

    def download(self) -> None:
        """Fetch and unpack the archive, unless its files are there."""
        if not self._missing():
            return
        with atomic_folder(self._folder.parent) as root, tempfile.TemporaryDirectory(dir=root) as scratch:
            mirror = os.path.dirname(self.url) + "/"
            download_from([mirror], scratch, self.filename, self.tgz_md5, type(self).__name__)
            extract_archive(Path(scratch) / self.filename, scratch)
            shutil.rmtree(self._folder, ignore_errors=True)
            shutil.move(Path(scratch) / self.base_folder, self._folder)

    def extra_repr(self) -> str:
        """The split."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """60,000 colour images of 32 x 32 in 100 classes. Arguments as for `CIFAR10`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}
