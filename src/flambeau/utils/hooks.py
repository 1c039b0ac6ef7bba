"""Handles of registered hooks."""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from typing import Any

_numbers = itertools.count()


class RemovableHandle:
    """Removes a hook again: `handle.remove()`, or the end of a `with` block.

    Arguments:
        hooks_dict: the table that the hook is in, an OrderedDict, under the handle's `id`.
        extra_dict: further tables with entries under the same id.
    """

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.id = next(_numbers)
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        extra = [] if extra_dict is None else extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extra)

    def remove(self) -> None:
        """Take the hook out of its tables."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            table = reference()
            if table is not None:
                table.pop(self.id, None)

    def __getstate__(self):
        tables = (self.hooks_dict_ref(), *(r() for r in self.extra_dict_ref))
        return tables, self.id

    def __setstate__(self, state) -> None:
        tables, self.id = state
        self.hooks_dict_ref, *extra = (weakref.ref(OrderedDict() if t is None else t) for t in tables)
        self.extra_dict_ref = tuple(extra)

    def __enter__(self):
        return self

    def __exit__(self, *exc) -> None:
        self.remove()
