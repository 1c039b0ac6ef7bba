"""Modules and parameters in a row, in a list, in a dict."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from itertools import chain, islice

from ...errors import ArgumentError, ArgumentTypeError, GradientError, IndexOutOfRange
from ...tensor import Tensor
from ..parameter import Parameter
from .module import Module, indent, typename

__all__ = ["Container", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


class Container(Module):
    """Deprecated; use `Module`."""

    def __init__(self, **kwargs):
        super().__init__()
        warnings.warn(
            "nn.Container is deprecated. All of it's functionality is now implemented in nn.Module. "
            "Subclass that instead.",
            FutureWarning,
            stacklevel=2,
        )
        for name, module in kwargs.items():
            self.add_module(name, module)


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
                f"index {index} is out of range", why=f"the {self._get_name()} has {size} modules, numbered from 0"
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
            raise ArgumentError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")

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
            raise ArgumentTypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ArgumentError(f"Non-positive multiplication factor {times} for {type(self)}")

    def append(self, module):
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index, module):
        """Add a module before the one at an index."""
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        size = len(self)
        if not -size <= index <= size:
            raise IndexOutOfRange(f"Index out of range: {index}")
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
                f"ModuleList.extend should be called with an iterable, but got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
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


def _pairs(what, mapping):
    """(key, value) of a mapping, or of an iterable of pairs in which each pair is checked."""
    for i, pair in enumerate(mapping):
        if not isinstance(pair, Iterable):
            raise ArgumentTypeError(f"{what} update sequence element #{i} should be Iterable; is" + type(pair).__name__)
        pair = list(pair)
        if len(pair) != 2:
            raise ArgumentError(f"{what} update sequence element #{i} has length {len(pair)}; 2 is required")
        yield pair


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
                + type(modules).__name__
            )
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else _pairs("ModuleDict", modules)
        for key, module in pairs:
            self[key] = module


def _described(value, legacy=False):
    """How a list or dict of parameters prints one of its values."""
    if not isinstance(value, Tensor):
        return "Object of type: " + type(value).__name__
    size = "x".join(map(str, value.size())) if value.dim() else ""
    kind = typename(value) if legacy else value.dtype
    kind = str(kind).replace("flambeau.", "torch.")
    where = "" if value.device.type == "cpu" else f" ({value.device})"
    return f"{'Parameter' if isinstance(value, Parameter) else 'Tensor'} containing: [{kind} of size {size}{where}]"


class ParameterList(Module):
    """Parameters in a list; tensors that are put into it become parameters, anything else stays as it is.

    >>> import flambeau as torch
    >>> scales = torch.nn.ParameterList([torch.ones(2) for _ in range(3)])
    >>> len(list(scales.parameters()))
    3
    """

    def __init__(self, values=None):
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _key_at(self, index):
        index = operator.index(index)
        if not -len(self) <= index < len(self):
            raise IndexOutOfRange(f"index {index} is out of range")
        return str(index % len(self))

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.__class__([self[i] for i in range(*index.indices(len(self)))])
        return getattr(self, self._key_at(index))

    def __setitem__(self, index, value):
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        setattr(self, self._key_at(index), value)

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter(self[i] for i in range(len(self)))

    def __iadd__(self, parameters):
        return self.extend(parameters)

    def __dir__(self):
        return [name for name in super().__dir__() if not name.isdigit()]

    def append(self, value):
        """Add a value at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values):
        """Add all values of an iterable at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise ArgumentTypeError(
                "ParameterList.extend should be called with an iterable, but got " + type(values).__name__
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self):
        return "\n".join(f"  ({i}): {_described(value)}" for i, value in enumerate(self))

    def __call__(self, *args, **kwargs):
        raise GradientError("ParameterList should not be called.")


class ParameterDict(Module):
    """Parameters in a dict; tensors that are put into it become parameters, anything else stays as it is.

    >>> import flambeau as torch
    >>> weights = torch.nn.ParameterDict({"left": torch.ones(2)})
    >>> "left" in weights
    True
    """

    def __init__(self, parameters=None):
        super().__init__()
        self._keys = {}
        if parameters is not None:
            self.update(parameters)

    def _key_to_attr(self, key):
        if not isinstance(key, str):
            raise ArgumentTypeError(
                "Index given to ParameterDict cannot be used as a key as it is not a string "
                f"(type is '{type(key).__name__}'). Open an issue on github if you need non-string keys."
            )
        return key

    def __getitem__(self, key):
        return getattr(self, self._key_to_attr(key))

    def __setitem__(self, key, value):
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        setattr(self, self._key_to_attr(key), value)
        self._keys[key] = None

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, self._key_to_attr(key))

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __reversed__(self):
        return reversed(list(self._keys))

    def __contains__(self, key):
        return key in self._keys

    def copy(self):
        """Another ParameterDict of the same parameters."""
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key, default=None):
        """The value of a key, which is set to `default` if absent."""
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self):
        """Remove everything."""
        for key in list(self._keys):
            del self[key]

    def pop(self, key):
        """Remove a key, and return its value."""
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        """Remove the last (key, value), and return it."""
        key = next(reversed(self._keys), None)
        if key is None:
            raise KeyError("popitem(): ParameterDict is empty")
        return key, self.pop(key)

    def get(self, key, default=None):
        """The value of a key, or `default`."""
        return self[key] if key in self else default

    def fromkeys(self, keys, default=None):
        """Another ParameterDict with these keys and the same value for all."""
        return ParameterDict((k, default) for k in keys)

    def keys(self):
        """The keys."""
        return self._keys.keys()

    def items(self):
        """(key, value) pairs."""
        return ((k, self[k]) for k in self._keys)

    def values(self):
        """The values."""
        return (self[k] for k in self._keys)

    def update(self, parameters):
        """Add the values of a dict, or of an iterable of (key, value); the keys of a plain dict are sorted."""
        if not isinstance(parameters, Iterable):
            raise ArgumentTypeError(
                "ParametersDict.update should be called with an iterable of key/value pairs, but got "
                + type(parameters).__name__
            )
        if isinstance(parameters, (OrderedDict, ParameterDict)):
            pairs = parameters.items()
        elif isinstance(parameters, Mapping):
            pairs = sorted(parameters.items())
        else:
            pairs = _pairs("ParameterDict", parameters)
        for key, value in pairs:
            self[key] = value

    def extra_repr(self):
        return "\n".join(f"  ({key}): {_described(value, legacy=True)}" for key, value in self.items())

    def __call__(self, input):
        raise GradientError("ParameterDict should not be called.")

    def __or__(self, other):
        joined = self.copy()
        joined.update(other)
        return joined

    def __ror__(self, other):
        joined = other.copy()
        joined.update(self)
        return joined

    def __ior__(self, other):
        self.update(other)
        return self
