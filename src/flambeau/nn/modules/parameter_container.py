"""Parameters in a list, in a dict."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from ...errors import ArgumentError, ArgumentTypeError, IndexOutOfRange, MissingKey, StateError
from ...tensor import Tensor
from ..parameter import Parameter
from .module import Module, typename


def checked_pairs(what, mapping):
    """(key, value) of a mapping, or of an iterable of pairs in which each pair is checked."""
    for i, pair in enumerate(mapping):
        if not isinstance(pair, Iterable):
            raise ArgumentTypeError(
                f"{what} update sequence element #{i} should be Iterable; is{type(pair).__name__}",
                why="each element is a pair of name and parameter",
                fix='use `update({"name": parameter})`',
            )
        pair = list(pair)
        if len(pair) != 2:
            raise ArgumentError(
                f"{what} update sequence element #{i} has length {len(pair)}; 2 is required",
                why="each element is a pair of name and parameter",
                fix='use `update({"name": parameter})`',
            )
        yield pair


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
            raise IndexOutOfRange(
                f"index {index} is out of range",
                why=f"the list has {len(self)} parameters, numbered from 0",
                fix=f"use an index from {-len(self)} to {len(self) - 1}" if len(self) else "append a parameter first",
            )
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
                f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}",
                why="it adds all parameters of a list",
                fix="use `append(parameter)` to add a single parameter",
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self):
        return "\n".join(f"  ({i}): {_described(value)}" for i, value in enumerate(self))

    def __call__(self, *args, **kwargs):
        raise StateError(
            "ParameterList should not be called.",
            why="it only holds parameters",
            fix="use the parameters in the forward of the module: `for p in self.params:`",
        )


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
                f"(type is '{type(key).__name__}'). Open an issue on github if you need non-string keys.",
                why="keys become names of attributes",
                fix=f"use `str({key!r})`",
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
            raise MissingKey(
                "popitem(): ParameterDict is empty",
                why="there is nothing to take out",
                fix="ask `len(parameters)` first",
            )
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
                f"{type(parameters).__name__}",
                why="each parameter needs a name",
                fix='use `update({"name": parameter})`',
            )
        if isinstance(parameters, (OrderedDict, ParameterDict)):
            pairs = parameters.items()
        elif isinstance(parameters, Mapping):
            pairs = sorted(parameters.items())
        else:
            pairs = checked_pairs("ParameterDict", parameters)
        for key, value in pairs:
            self[key] = value

    def extra_repr(self):
        return "\n".join(f"  ({key}): {_described(value, legacy=True)}" for key, value in self.items())

    def __call__(self, input):
        raise StateError(
            "ParameterDict should not be called.",
            why="it only holds parameters",
            fix="use the parameters in the forward of the module: `self.params['name']`",
        )

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
