"""Pillow, imported when it is first needed."""

import importlib
from functools import cache
from types import SimpleNamespace
from typing import Any

from ..errors import MissingDependency

__all__ = ["is_pil", "pillow"]


@cache
def pillow() -> Any:
    """The modules of Pillow that we use, as attributes.

    Errors: ImportError saying what to install.
    """
    names = ("Image", "ImageColor", "ImageDraw", "ImageEnhance", "ImageFilter", "ImageFont", "ImageOps")
    try:
        return SimpleNamespace(**{name: importlib.import_module(f"PIL.{name}") for name in names})
    except ImportError as error:
        raise MissingDependency(
            "Pillow is needed to read, write or transform images",
            why="it is an optional dependency, and is not installed",
            fix="run `pip install 'flambeau[vision]'`",
        ) from error


def is_pil(image: Any) -> bool:
    """Whether this is a PIL image (without importing Pillow for the answer)."""
    return type(image).__module__.startswith("PIL.") or (
        any(kind.__module__ == "PIL.Image" for kind in type(image).__mro__)
    )
