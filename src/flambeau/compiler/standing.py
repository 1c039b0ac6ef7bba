"""An object that stands for a function: it has its name, is a method where it stands in a class, can be pickled."""

from __future__ import annotations

import functools
import sys
import types
from typing import Any


class Standing:
    """Stands for `function`, made with `options`; a subclass says what a call does."""

    def __init__(self, function: Any, *options: Any):
        # Not the function's own attributes: they could have the names of these.
        functools.update_wrapper(self, function, updated=())
        self.function, self.options = function, options

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        # What a decorator has put in place of a function is found by its name, like any function.
        found: Any = sys.modules.get(getattr(self, "__module__", ""))
        for name in getattr(self, "__qualname__", "?").split("."):
            found = getattr(found, name, None)
        return self.__qualname__ if found is self else (type(self), (self.function, *self.options))

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()} {self.label}>"

    @property
    def label(self) -> str:
        """The function's name, for messages."""
        return getattr(self.function, "__qualname__", type(self.function).__name__) + "()"
