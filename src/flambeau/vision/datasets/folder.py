"""Images in one folder per class."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import ArgumentError, MissingFile
from .._pillow import pillow
from .vision import VisionDataset

__all__ = ["IMG_EXTENSIONS", "DatasetFolder", "ImageFolder", "default_loader", "find_classes", "make_dataset"]

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Whether a file name ends with one of the extensions, in upper or lower case."""
    return filename.lower().endswith(extensions if isinstance(extensions, str) else tuple(extensions))


def is_image_file(filename: str) -> bool:
    """Whether a file name looks like that of an image.

    >>> from flambeau.vision.datasets.folder import is_image_file
    >>> is_image_file("cat.PNG"), is_image_file("notes.txt")
    (True, False)
    """
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | Path) -> tuple[list[str], dict[str, int]]:
    """The names of the folders in a folder, sorted, and the number of each."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise MissingFile(
            f"Couldn't find any class folder in {directory}.",
            why="each class has a folder of its own: root/dog/1.png, root/cat/2.png",
            fix="give the folder above them, or move the pictures into one folder per class",
        )
    return classes, {name: k for k, name in enumerate(classes)}


def make_dataset(
    directory: str | Path,
    class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[tuple[str, int]]:
    """The list of (path, class number) of all samples below a folder with one folder per class."""
    directory = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    elif not class_to_idx:
        raise ArgumentError(
            "'class_to_index' must have at least one entry to collect any samples.",
            why="without classes there are no samples",
            fix="leave class_to_idx out to take the names of the folders",
        )
    if (extensions is None) == (is_valid_file is None):
        raise ArgumentError(
            "Both extensions and is_valid_file cannot be None or not None at the same time",
            why="either the end of a file's name says whether it counts, or a function",
            fix='use `extensions=(".png", ".jpg")`',
        )
    if extensions is not None:

        def is_valid_file(path: str) -> bool:
            return has_file_allowed_extension(path, extensions)

    samples: list[tuple[str, int]] = []
    empty = []
    for name in sorted(class_to_idx):
        paths: list[str] = []
        for folder, _, files in sorted(os.walk(os.path.join(directory, name), followlinks=True)):
            paths += [os.path.join(folder, file) for file in sorted(files)]
        found = [(path, class_to_idx[name]) for path in paths if is_valid_file(path)]  # type: ignore[misc]
        samples += found
        if not found:
            empty.append(name)
    if empty and not allow_empty:
        kinds = extensions if isinstance(extensions, str) or extensions is None else ", ".join(extensions)
        raise MissingFile(
            f"Found no valid file for the classes {', '.join(empty)}. "
            if extensions is None
            else f"Found no valid file for the classes {', '.join(empty)}. Supported extensions are: {kinds}",
            why=f"their folders in {directory} have no file that counts",
            fix="use `allow_empty=True` to leave these classes without samples, or look at the names of the files",
        )
    return samples


def pil_loader(path: str):
    """The image in a file, as RGB."""
    with open(path, "rb") as file:
        return pillow().Image.open(file).convert("RGB")


def default_loader(path: str) -> Any:
    """How `ImageFolder` reads a file."""
    return pil_loader(path)


class DatasetFolder(VisionDataset):
    """Samples of any kind in one folder per class: ``root/class_x/xxx.ext``.

    Arguments:
        loader: path -> sample.
        extensions, is_valid_file: which files count (one of the two).
        allow_empty: whether a class may have no file.

    Attributes: `classes`, `class_to_idx`, `samples` (path, class number), `targets`.
    """

    def __init__(
        self,
        root: str | Path,
        loader: Callable[[str], Any],
        extensions: tuple[str, ...] | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)  # type: ignore[arg-type]
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(directory, class_to_idx, extensions=None, is_valid_file=None, allow_empty=False):
        """See `make_dataset`; override to look for samples in another way."""
        if class_to_idx is None:
            raise ArgumentError(
                "The class_to_idx parameter cannot be None.",
                why="it tells the number of each class",
                fix="use `find_classes(directory)[1]`",
            )
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: str | Path) -> tuple[list[str], dict[str, int]]:
        """See `find_classes`; override for another layout."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return sample, target

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images in one folder per class: ``root/dog/xxx.png``, ``root/cat/123.png``.

    Arguments as for `DatasetFolder`; images are read with Pillow as RGB.
    Errors: FileNotFoundError for a folder without classes, or a class without images.

    >>> import flambeau as torch
    >>> import tempfile, pathlib
    >>> from flambeau.vision import datasets, transforms
    >>> folder = tempfile.TemporaryDirectory()
    >>> root = pathlib.Path(folder.name)
    >>> (root / "cat").mkdir()
    >>> transforms.ToPILImage()(torch.zeros(3, 4, 6)).save(root / "cat" / "a.png")
    >>> images = datasets.ImageFolder(root, transforms.ToTensor())
    >>> images.classes, images[0][0].shape, images[0][1]
    (['cat'], torch.Size([3, 4, 6]), 0)
    """

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform=transform,
            target_transform=target_transform,
            is_valid_file=is_valid_file,
            allow_empty=allow_empty,
        )
        self.imgs = self.samples
