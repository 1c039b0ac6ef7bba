"""Names of a package that are imported when they are first asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .errors import attr_error


def names(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package.

    Arguments:
        package: its `__name__`.
        homes: name -> the module of the package that it is in.

    >>> from flambeau import lazy
    >>> find, _ = lazy.names("flambeau.training", {"History": "history"})
    >>> find("History")
    <class 'flambeau.training.history.History'>
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            if name.startswith("__"):  # what Python's own machinery asks for
                raise AttributeError(name)
            raise attr_error(package, name, homes)
        found = getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
        setattr(sys.modules[package], name, found)
        return found

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return __getattr__, __dir__
