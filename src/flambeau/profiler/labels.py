"""`record_function`: a name for a part of a program, shown in profiles."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import ArgumentTypeError
from . import session
from .parse import Label

F = TypeVar("F", bound=Callable[..., Any])


class record_function:
    """Name a block of code, or a function, in the profile that is being taken; without one it does nothing.

    Arguments:
        name: what the block is shown as.
        args: more text, shown behind the name.

    >>> import flambeau as torch
    >>> from flambeau.profiler import profile, record_function
    >>> with profile() as prof:
    ...     with record_function("square"):
    ...         y = torch.ones(3) ** 2
    >>> [event.name for event in prof.events() if event.kind == "user"]
    ['square']

    As a decorator it names each call of a function: `@record_function("preprocess")`.
    """

    def __init__(self, name: str, args: str | None = None):
        for what, value in (("name", name), ("args", args)):
            if not isinstance(value, str) and not (what == "args" and value is None):
                raise ArgumentTypeError(
                    f"record_function(): argument '{what}' must be str, not {type(value).__name__}",
                    why="it is shown in the profile",
                    fix=f"use a text: `record_function({str(value)!r})`",
                )
        self.name, self.args = name, args
        self._begun: list[Any] = []

    def __enter__(self) -> record_function:
        label = None
        if session.running():
            label = Label(self.name if self.args is None else f"{self.name}: {self.args}")
            session.notes().begin(label)
        self._begun.append(label)
        return self

    def __exit__(self, *exc: object) -> None:
        label = self._begun.pop()
        if label is not None:
            session.notes().end(label)
            session.note_stack(sys._getframe(1))

    def __call__(self, function: F) -> F:
        name, args = self.name, self.args

        @functools.wraps(function)
        def labelled(*given: Any, **options: Any) -> Any:
            with record_function(name, args):
                return function(*given, **options)

        return labelled  # type: ignore[return-value]
