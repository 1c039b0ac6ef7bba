"""A check that fails must not stop a program: what goes wrong inside one is said once, and the program goes on.

Errors and warnings that a rule raises on purpose pass. With `log.strict` (as in the tests) everything passes.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from .log import log

F = TypeVar("F", bound=Callable[..., Any])
_said: set[str] = set()


def stumbled(error: BaseException, where: str) -> None:
    """A rule failed with this error: raise it on where it was meant, else say it once."""
    from ..errors import FlambeauError

    if log.strict or isinstance(error, (FlambeauError, Warning)) or not isinstance(error, Exception):
        raise error
    if where not in _said:
        _said.add(where)
        warnings.warn(
            f"a check of flambeau's failed and is left out ({where}: {type(error).__name__}: {error}). Your program "
            "goes on; please report it, with the program",
            RuntimeWarning,
            stacklevel=2,
        )


def safe(rule: F) -> F:
    """A rule that the framework calls: what goes wrong in it does not reach the program; it then gives None."""

    @functools.wraps(rule)
    def call(*args, **kwargs):
        try:
            return rule(*args, **kwargs)
        except Exception as error:
            stumbled(error, f"{rule.__module__}.{rule.__qualname__}")
            return None

    return call  # type: ignore[return-value]


def tell(rules: list, *args: Any) -> None:
    """Call each rule of an event."""
    for rule in rules:
        try:
            rule(*args)
        except Exception as error:
            stumbled(error, f"{rule.__module__}.{rule.__qualname__}")
