"""The configuration of a run: a dict, dataclass, Namespace or anything with attributes, as plain data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from ..errors import ArgumentTypeError

DEPTH = 8  # of settings within settings
ITEMS = 200  # of one list


def configuration(given: Any) -> dict[str, Any]:
    """Settings by name; within each, only what JSON can hold.

    >>> import argparse
    >>> configuration(argparse.Namespace(lr=0.1, layers=(64, 10)))
    {'lr': 0.1, 'layers': [64, 10]}
    """
    if given is None:
        return {}
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        given = {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    elif not isinstance(given, Mapping):
        if isinstance(given, (str, bytes, int, float, list, tuple, set)) or not hasattr(given, "__dict__"):
            raise ArgumentTypeError(
                f"config= takes settings by name, not {type(given).__name__}",
                why="each setting is shown, and compared with those of other runs, by its name",
                fix='pass a dict, a dataclass or the parsed arguments: `config={"lr": 0.1}`, `config=args`',
            )
        given = {k: v for k, v in vars(given).items() if not k.startswith("_")}
    return {str(k): plain(v) for k, v in given.items()}


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it; anything it does not know as text."""
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth < DEPTH:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return {str(k): plain(v, depth + 1) for k, v in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            kept = [plain(v, depth + 1) for v in list(value)[:ITEMS]]
            return kept if len(value) <= ITEMS else [*kept, f"... ({len(value)})"]
        if isinstance(value, PurePath):
            return str(value)
        if hasattr(value, "item") and getattr(value, "size", None) == 1:  # a number of NumPy's
            return plain(value.item(), depth + 1)
    return str(value) if isinstance(value, type) or not callable(value) else getattr(value, "__qualname__", str(value))


def flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Settings within settings, each under its whole name: what can be laid side by side.

    >>> flat({"lr": 0.1, "model": {"width": 64, "layers": [1, 2]}})
    {'lr': 0.1, 'model.width': 64, 'model.layers': [1, 2]}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found
