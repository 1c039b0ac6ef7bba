"""Images: data sets, transforms, models, reading and writing (torchvision's names)."""

from ..errors import ArgumentError
from ..version import __version__
from . import datasets, io, models, ops, transforms, tv_tensors, utils

__all__ = [
    "datasets",
    "get_image_backend",
    "io",
    "models",
    "ops",
    "set_image_backend",
    "transforms",
    "tv_tensors",
    "utils",
]


def set_image_backend(backend: str) -> None:
    """Accepted for "PIL", the only one.

    Errors: ValueError for another.
    """
    if backend != "PIL":
        raise ArgumentError(
            f"Invalid backend '{backend}'. Options are 'PIL'",
            why="pictures are read and changed with Pillow",
            fix='use "PIL"',
        )


def get_image_backend() -> str:
    """What reads images: "PIL"."""
    return "PIL"


def disable_beta_transforms_warning() -> None:
    """Accepted: there is no such warning here."""
