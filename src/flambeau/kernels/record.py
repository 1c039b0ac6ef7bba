"""Where a compiled step listens to what runs. Nobody does in eager mode: `listeners` is empty, and one look tells.

A listener has a `thread`, and methods that are called instead of what they watch (see compile/recorder.py).
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

listeners: list = []
LARGE = 131072  # elements from which a copy is worth more than one thread


def listener() -> Any:
    """Who listens to this thread, or None."""
    if listeners:
        thread = threading.get_ident()
        for found in reversed(listeners):
            if found.thread == thread:
                return found
    return None


def into(name: str, target: Any, formula: Any, *args: Any, new: bool = False) -> None:
    """target[...] = formula(*args), element by element and broadcast, in place. new: nothing has used `target` yet."""
    if listeners:
        found = listener()
        if found is not None:
            if new:
                found.made(target)
            found.into(name, target, formula, args)
            target[...] = formula(*args)
            return
    if formula is unchanged and target.size >= LARGE:
        from .elementwise import store  # which imports this module

        store(target, *args)
    else:
        target[...] = formula(*args)


def change(name: str, function: Any, target: Any, *args: Any, **options: Any) -> None:
    """function(target, *args, **options), which changes the array `target` in place."""
    if listeners:
        found = listener()
        if found is not None:
            found.change(name, function, target, args, options)
    function(target, *args, **options)


def computed(name: str, function: Any, *arrays: Any) -> Any:
    """function(*arrays), a new array that is no tensor: one step of an operation made of several."""
    if listeners:
        found = listener()
        if found is not None:
            return found.call(name, function, arrays, {})
    return function(*arrays)


def constant(array: Any) -> Any:
    """The array, made from Python numbers alone: a compiled step may keep it."""
    if listeners:
        found = listener()
        if found is not None:
            found.constant(array)
    return array


@contextmanager
def unwatched() -> Iterator[None]:
    """Let a recording's profile function rest: it would double the time that kernels take to be written."""
    watcher = sys.getprofile()
    if not getattr(watcher, "rests", False):
        yield
        return
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(watcher)


def unheard(function: Any, *args: Any) -> Any:
    """function(*args), whose kernels are not told: what it does has been told as a whole."""
    found = listener() if listeners else None
    if found is None:
        return function(*args)
    found.quiet += 1
    try:
        return function(*args)
    finally:
        found.quiet -= 1


def check(found: Any, index: Any = None, low: int = 0, high: int = 0) -> None:
    """An operation is about to read `found`, written by a kernel: -1 where all is well, else it raises an error.

    A compiled step looks at it at each replay, and calls the operation itself if there is something to say; where no
    operation is running, it says itself which of the numbers in `index` is outside [low, high).
    """
    if listeners:
        listening = listener()
        if listening is not None:
            listening.check(found, index, low, high)


def unchanged(x: Any) -> Any:
    """The formula of a copy."""
    return x


def source(function: Any) -> Any:
    """Decorate a method that makes a new array which differs from call to call: it runs again in a compiled step."""

    @functools.wraps(function)
    def drawn(*args: Any, **options: Any) -> Any:
        if listeners:
            found = listener()
            if found is not None:
                return found.source(function.__name__, function, args, options)
        return function(*args, **options)

    return drawn


def action(method: Any) -> Any:
    """Decorate a method that changes numbers which later steps look up: a compiled step calls it each time."""

    @functools.wraps(method)
    def told(self: Any, *args: Any, **options: Any) -> Any:
        if listeners:
            found = listener()
            if found is not None:
                return found.action(method, self, args, options)
        return method(self, *args, **options)

    return told


def problem(reason: str) -> None:
    """Something happens that a compiled step cannot do again, or see coming."""
    found = listener() if listeners else None
    if found is not None and not found.quiet:
        found.problem(reason)


def effect(name: str, function: Any, *args: Any) -> None:
    """function(*args) is being done, which changes something that is no tensor; a compiled step does it each time."""
    found = listener() if listeners else None
    if found is not None:
        found.effect(name, function, args)
