"""MNIST and the data sets that share its format: KMNIST, FashionMNIST, EMNIST."""

import gzip
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

import flambeau as fb

from ...errors import StateError
from .utils import atomic_folder, download_from, extract_archive, gunzip, verify_str_arg
from .vision import ArrayDataset

__all__ = ["EMNIST", "KMNIST", "MNIST", "FashionMNIST", "read_idx"]


def read_idx(path: str | Path) -> np.ndarray:
    """The array in a file of the IDX format (bytes), packed with gzip or not.

    Errors: RuntimeError if the file is truncated or not of this format.
    """
    path = Path(path)
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StateError(
            f"{path} is damaged ({error})", why="it cannot be unpacked", fix="delete it, and use `download=True`"
        ) from error
    rank = raw[3] if len(raw) > 3 else 0
    if raw[:3] != b"\x00\x00\x08" or len(raw) < 4 + 4 * rank:
        raise StateError(
            f"{path} is not an IDX file of bytes: it starts with {raw[:4].hex(' ')}, not with 00 00 08",
            why="the first bytes of a file of this format say what it holds",
            fix="delete it, and use `download=True`",
        )
    shape = tuple(np.frombuffer(raw, ">u4", rank, 4).tolist())
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * rank)
    if len(data) != np.prod(shape, dtype=np.int64):
        raise StateError(
            f"{path} is truncated: its header says {list(shape)}, that is {np.prod(shape)} bytes, but "
            f"{len(data)} follow",
            why="it was copied or downloaded in part",
            fix="delete it, and use `download=True`",
        )
    return data.reshape(shape)


class MNIST(ArrayDataset):
    """Handwritten digits, 60,000 for training and 10,000 for testing, 28 x 28 (LeCun, Cortes, Burges).

    Arguments:
        root: folder that holds (or will hold) ``MNIST/raw/`` with the four IDX files, packed or not.
        train: the training images, or the test images.
        transform, target_transform: functions of the PIL image, of the label.
        download: fetch the files that are absent, with a check of their sums.

    Errors: RuntimeError naming the files that are missing, or the one that is damaged.
    """

    mirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    training_file = "training.pt"
    test_file = "test.pt"
    classes = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

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
        self.data, self.targets = self._load_data()

    def _file(self, name: str) -> Path | None:
        """The file of that name, unpacked or packed; None if there is neither."""
        packed = Path(self.raw_folder) / name
        plain = packed.with_suffix("")
        return next((path for path in (plain, packed) if path.is_file()), None)

    def _missing(self) -> list[str]:
        return [name for name, _ in self.resources if self._file(name) is None]

    def _check_exists(self) -> bool:
        return not self._missing()

    def _names(self) -> tuple[str, str]:
        split = "train" if self.train else "t10k"
        return f"{split}-images-idx3-ubyte.gz", f"{split}-labels-idx1-ubyte.gz"

    def _load_data(self):
        paths = [self._file(name) for name in self._names()]
        if None in paths:
            absent = [name for name, path in zip(self._names(), paths, strict=True) if path is None]
            raise StateError(
                "Dataset not found. You can use download=True to download it",
                why=f"{Path(self.raw_folder).absolute()} lacks {', '.join(absent)}",
                fix="use `download=True`, or put the files there (packed with gzip or not)",
            )
        images, labels = (read_idx(path) for path in paths)  # type: ignore[arg-type]
        if len(images) != len(labels):
            raise StateError(
                f"{paths[0]} has {len(images)} images, but {paths[1]} has {len(labels)} labels",
                why="each image has one label, so the files belong to different data sets",
                fix="delete both, and use `download=True`",
            )
        return fb.from_numpy(images.copy()), fb.from_numpy(labels.astype(np.int64))

    def _pixels(self) -> np.ndarray:
        return self.data.numpy()

    def _labels(self):
        return self.targets.numpy()

    @property
    def raw_folder(self) -> str:
        """Where the files are."""
        return os.path.join(self.root, type(self).__name__, "raw")  # type: ignore[arg-type]

    @property
    def processed_folder(self) -> str:
        """Where older versions kept what they had made of the files."""
        return os.path.join(self.root, type(self).__name__, "processed")  # type: ignore[arg-type]

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Number of each class by name."""
        return {name: k for k, name in enumerate(self.classes)}

    train_labels = test_labels = property(lambda self: self.targets)
    train_data = test_data = property(lambda self: self.data)

    def download(self) -> None:
        """Fetch the files that are absent; files that are there are taken as they are."""
        sums = dict(self.resources)
        missing = self._missing()
        if not missing:
            return
        with atomic_folder(self.raw_folder) as folder:
            for name in missing:
                download_from(self.mirrors, folder, name, sums[name], type(self).__name__)
                gunzip(folder / name, (folder / name).with_suffix(""))

    def extra_repr(self) -> str:
        """The split."""
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Articles of clothing in MNIST's format (Xiao, Rasul, Vollgraf 2017). Arguments as for `MNIST`."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """Cursive Japanese characters in MNIST's format (Clanuwat et al. 2018). Arguments as for `MNIST`."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


class EMNIST(MNIST):
    """Handwritten letters and digits in MNIST's format (Cohen et al. 2017).

    Arguments:
        split: byclass, bymerge, balanced, letters, digits or mnist; the others as for `MNIST`.
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    _merged = set("cijklmopsuvwxyz")
    _all = set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    classes_split_dict = {
        "byclass": sorted(_all),
        "bymerge": sorted(_all - _merged),
        "balanced": sorted(_all - _merged),
        "letters": ["N/A", *"abcdefghijklmnopqrstuvwxyz"],
        "digits": list("0123456789"),
        "mnist": list("0123456789"),
    }

    def __init__(self, root: str | Path, split: str, **kwargs) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.classes = self.classes_split_dict[self.split]
        super().__init__(root, **kwargs)

    def _names(self) -> tuple[str, str]:
        stem = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        return f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz"

    def _missing(self) -> list[str]:
        return [name for name in self._names() if self._file(name) is None]

    def download(self) -> None:
        """Fetch and unpack the archive if this split's files are absent."""
        if not self._missing():
            return
        with atomic_folder(self.raw_folder) as folder, tempfile.TemporaryDirectory(dir=folder) as scratch:
            download_from([self.url.rsplit("/", 1)[0] + "/"], scratch, "gzip.zip", self.md5, "EMNIST")
            extract_archive(Path(scratch) / "gzip.zip", scratch)
            for packed in Path(scratch, "gzip").glob("*.gz"):
                shutil.move(packed, folder / packed.name)
