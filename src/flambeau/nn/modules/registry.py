"""What a module holds by name: parameters, buffers and submodules, each also a plain attribute.

Attribute reads such as `self.weight` happen at every call of every layer. `Registry` therefore writes what it holds
into its owner's `__dict__` as well, where Python finds it without calling anything; the owner's `__getattr__` runs
only for names that do not exist.
"""

from __future__ import annotations

import weakref
from copy import deepcopy

from ...errors import MissingKey


class Registry(dict):
    """A dict whose entries are also attributes of the module that owns it."""

    __slots__ = ("_owner",)

    def __init__(self, owner, items=()):
        super().__init__()
        self._owner = weakref.ref(owner)  # a strong reference would keep dropped models alive until the next gc
        for name, value in dict(items).items():
            self[name] = value

    @staticmethod
    def is_of(owner, table) -> bool:
        """Whether a table is a registry of this module."""
        return type(table) is Registry and table._owner() is owner

    def __setitem__(self, name, value):
        super().__setitem__(name, value)
        owner = self._owner()
        if owner is not None:
            owner.__dict__[name] = value

    def __delitem__(self, name):
        super().__delitem__(name)
        owner = self._owner()
        if owner is not None:
            owner.__dict__.pop(name, None)

    _absent = object()

    def pop(self, name, default=_absent):
        if name not in self:
            if default is Registry._absent:
                raise MissingKey(
                    name,
                    why=f"there are {len(self)} entries, and none of that name",
                    fix="use `pop(name, None)` for one that may be missing",
                )
            return default
        value = self[name]
        del self[name]
        return value

    def popitem(self):
        name = next(reversed(self), Registry._absent)
        if name is Registry._absent:
            raise MissingKey(
                "popitem(): dictionary is empty", why="there is nothing to take out", fix="ask `len(...)` first"
            )
        return name, self.pop(name)

    def clear(self):
        for name in list(self):
            del self[name]

    def update(self, *others, **named):
        for name, value in dict(*others, **named).items():
            self[name] = value

    def __ior__(self, other):  # type: ignore[misc]
        self.update(other)
        return self

    def setdefault(self, name, default=None):
        if name not in self:
            self[name] = default
        return self[name]

    def copy(self):
        return dict(self)

    def __reduce__(self):
        return dict, (dict(self),)

    def __deepcopy__(self, memo):
        return deepcopy(dict(self), memo)
