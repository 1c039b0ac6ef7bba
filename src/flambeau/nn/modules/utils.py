"""Numbers into tuples, and other small help for the layers."""

from __future__ import annotations

import collections.abc
from itertools import repeat

from ... import ops


def _ntuple(n, name):
    def parse(x):
        return tuple(x) if isinstance(x, collections.abc.Iterable) else tuple(repeat(x, n))

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t, n):
    """Each element n times, the last first: what `F.pad` wants from per-dimension padding."""
    return tuple(x for x in reversed(t) for _ in range(n))


def blank(*shape, device=None, dtype=None):
    """An uninitialised tensor for a parameter."""
    return ops.empty(shape, device=device, dtype=dtype)


def consume_prefix_in_state_dict_if_present(state_dict, prefix) -> None:
    """Take a prefix such as 'module.' off all keys that have it, in place, and off the metadata's.

    >>> from flambeau.nn.modules.utils import consume_prefix_in_state_dict_if_present
    >>> state = {"module.weight": 1}
    >>> consume_prefix_in_state_dict_if_present(state, "module."); state
    {'weight': 1}
    """
    for key in [k for k in state_dict if k.startswith(prefix)]:
        state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None) or {}
    for key in list(metadata):
        if key.startswith(prefix) or key == prefix.rstrip("."):
            metadata[key[len(prefix) :]] = metadata.pop(key)
