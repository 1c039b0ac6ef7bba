"""Modules in a row, in a list, in a dict; parameters likewise."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import chain, islice

from ...checks import modules as rules
from ...checks.log import log
from ...errors import ArgumentError, ArgumentTypeError, FailedAssertion, IndexOutOfRange
from ...language import warn
from .module import Module, indent
from .parameter_container import ParameterDict, ParameterList, checked_pairs

__all__ = ["Container", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class Container(Module):
    """Deprecated; use `Module`."""

    def __init__(self, **kwargs):
        super().__init__()
        warn(
            "nn.Container is deprecated. All of it's functionality is now implemented in nn.Module. "
            "Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        for name, module in kwargs.items():
            self.add_module(name, module)


def _look(container):
    """Tell the checks of a container that holds a module more than once."""
    modules = container._modules.values()
    if log.on and len({id(m) for m in modules}) < len(modules):
        rules.repeated(container)


class _Row(Module):
    """What `Sequential` and `ModuleList` share: children named '0', '1', ... that can be indexed."""

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules.values())

    def __dir__(self):
        return [name for name in super().__dir__() if not name.isdigit()]

    def _key_at(self, index):
        """The name of the child at a position that may be negative."""
        index, size = operator.index(index), len(self)
        if not -size <= index < size:
            raise IndexOutOfRange(
                f"index {index} is out of range",
                why=f"the {self._get_name()} has {size} modules, numbered from 0",
                fix=f"use an index from {-size} to {size - 1}" if size else "append a module first",
            )
        return next(islice(self._modules, index % size, None))

    def __setitem__(self, index, module):
        self.add_module(self._key_at(index), module)

    def __delitem__(self, index):
        if isinstance(index, slice):
            for key in list(self._modules)[index]:
                del self._modules[key]
        else:
            del self._modules[self._key_at(index)]
        self._renumber(list(self._modules.values()))

    def _renumber(self, modules):
        """Name the children by their positions again."""
        self._modules.clear()
        for i, module in enumerate(modules):
            self._modules[str(i)] = module

    def pop(self, key):
        """Remove the module at an index, and return it."""
        module = self[key]
        del self[key]
        return module


class Sequential(_Row):
    """Modules called one after the other, each on the result of the one before.

    Arguments:
        args: the modules, or one OrderedDict of them with names.

    >>> import flambeau as torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
    >>> net(torch.ones(2, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, *args):
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)
        _look(self)

    def forward(self, input):
        for module in self._modules.values():
            input = module(input)
        return input

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.__class__(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key_at(index)]

    def _only_sequential(self, other):
        if not isinstance(other, Sequential):
            raise ArgumentError(
                f"add operator supports only objects of Sequential class, but {type(other)} is given.",
                why="the modules of both are put in a row",
                fix="use `append(module)` to add a single module",
            )

    def __add__(self, other):
        self._only_sequential(other)
        return Sequential(*self, *other)

    def __iadd__(self, other):
        self._only_sequential(other)
        return self.extend(list(other))

    def __mul__(self, times):
        self._only_positive(times)
        return Sequential(*chain.from_iterable(self for _ in range(times)))

    def __rmul__(self, times):
        return self.__mul__(times)

    def __imul__(self, times):
        self._only_positive(times)
        return self.extend(list(self) * (times - 1))

    def _only_positive(self, times):
        if not isinstance(times, int):
            raise ArgumentTypeError(
                f"unsupported operand type(s) for *: {type(self)} and {type(times)}",
                why="the modules are repeated that many times",
                fix="use an int",
            )
        if times <= 0:
            raise ArgumentError(
                f"Non-positive multiplication factor {times} for {type(self)}",
                why="the modules are repeated that many times",
                fix="use 1 or more, or `nn.Sequential()` for an empty one",
            )

    def append(self, module):
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        _look(self)
        return self

    def insert(self, index, module):
        """Add a module before the one at an index."""
        if not isinstance(module, Module):
            raise FailedAssertion(
                f"module should be of type: {Module}",
                why=f"it is {type(module).__name__}",
                fix=f"use `{module.__name__}()` to make a module of the class"
                if isinstance(module, type)
                else "wrap a function in a module, e.g. `nn.Flatten()`, `nn.ReLU()`",
            )
        size = len(self)
        if not -size <= index <= size:
            raise IndexOutOfRange(
                f"Index out of range: {index}",
                why=f"the {self._get_name()} has {size} modules, so a module can come at position 0 to {size}",
                fix="use `append(module)` to add it at the end",
            )
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)
        return self

    def extend(self, sequential):
        """Add all modules of another `Sequential`, or any iterable of modules, at the end."""
        for module in sequential:
            self.append(module)
        return self


class ModuleList(_Row):
    """Modules in a list: indexed and iterated as one, registered as children.

    >>> import flambeau as torch
    >>> layers = torch.nn.ModuleList([torch.nn.Linear(3, 3) for _ in range(2)])
    >>> len(list(layers.parameters()))
    4
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.__class__(list(self)[index])
        return self._modules[self._key_at(index)]

    def __iadd__(self, modules):
        return self.extend(modules)

    def __add__(self, other):
        return self.__class__([*self, *other])

    def append(self, module):
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        _look(self)
        return self

    def insert(self, index, module):
        """Add a module before the one at an index."""
        modules = list(self)
        modules.insert(index, module)
        self._renumber(modules)

    def extend(self, modules):
        """Add all modules of an iterable at the end."""
        if not isinstance(modules, Iterable):
            raise ArgumentTypeError(
                f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}",
                why="it adds all modules of a list",
                fix="use `append(module)` to add a single module",
            )
        for module in list(modules):
            self.add_module(str(len(self)), module)
        _look(self)
        return self

    def __repr__(self):
        """Neighbours that print alike are printed once, with their number."""
        runs = []  # [text, first, last]
        for i, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][0] == text:
                runs[-1][2] = i
            else:
                runs.append([text, i, i])
        if not runs:
            return self._get_name() + "()"
        lines = []
        for text, first, last in runs:
            head = f"({first}): " if first == last else f"({first}-{last}): {last - first + 1} x "
            lines.append(indent(head + text, 2))
        return self._get_name() + "(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """Modules in a dict: looked up by name, registered as children.

    >>> import flambeau as torch
    >>> choices = torch.nn.ModuleDict({"relu": torch.nn.ReLU(), "gelu": torch.nn.GELU()})
    >>> choices["relu"]
    ReLU()
    """

    def __init__(self, modules=None):
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._modules)

    def __iter__(self):
        return iter(self._modules)

    def __contains__(self, key):
        return key in self._modules

    def clear(self):
        """Remove all modules."""
        self._modules.clear()

    def pop(self, key):
        """Remove a module by its key, and return it."""
        return self._modules.pop(key)

    def keys(self):
        """The keys."""
        return self._modules.keys()

    def items(self):
        """(key, module) pairs."""
        return self._modules.items()

    def values(self):
        """The modules."""
        return self._modules.values()

    def update(self, modules):
        """Add the modules of a dict, or of an iterable of (key, module)."""
        if not isinstance(modules, Iterable):
            raise ArgumentTypeError(
                "ModuleDict.update should be called with an iterable of key/value pairs, but got "
                f"{type(modules).__name__}",
                why="each module needs a name",
                fix='use `update({"name": module})`',
            )
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else checked_pairs("ModuleDict", modules)
        for key, module in pairs:
            self[key] = module
        _look(self)
