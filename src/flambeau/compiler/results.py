"""How to make what a recorded function returned, from the arrays of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor
from .numbers import CannotReplay
from .program import Region

_new = object.__new__


def owner_of(region: Region) -> tuple[tuple[int, ...], np.dtype]:
    """np.empty's arguments for a whole buffer: the region's where that is the same thing, else bytes."""
    if is_whole(region):
        return region.shape, region.dtype
    return (max(1, region.buffer.size),), np.dtype(np.uint8)


def is_whole(region: Region) -> bool:
    """Whether a region is all of its buffer, in C order."""
    return region.offset == 0 and region.dense and region.size * region.dtype.itemsize == region.buffer.size


def seen_in(base: np.ndarray, region: Region) -> np.ndarray:
    """A region of a buffer that lies in `base`."""
    if base.dtype == region.dtype and base.shape == region.shape and base.strides == region.strides:
        return base
    raw = base.reshape(-1).view(np.uint8)
    return np.ndarray(region.shape, region.dtype, raw, region.offset, region.strides)


def maker(result: Any, tensor: Callable[[Tensor], Any]) -> Any:
    """A function of ((args, kwargs), arrays, node) that makes what was returned; `tensor` gives that of one tensor."""
    if isinstance(result, Tensor):
        return tensor(result)
    if type(result) in (list, tuple):
        kind, parts = type(result), [maker(v, tensor) for v in result]
        return lambda given, arrays, node: kind([p(given, arrays, node) for p in parts])
    if isinstance(result, tuple) and (hasattr(result, "_make") or type(result).__module__.endswith("return_types")):
        parts = [maker(v, tensor) for v in result]
        make = getattr(result, "_make", type(result))
        return lambda given, arrays, node: make([p(given, arrays, node) for p in parts])
    if type(result) is dict:
        items = {k: maker(v, tensor) for k, v in result.items()}
        return lambda given, arrays, node: {k: m(given, arrays, node) for k, m in items.items()}
    if result is None or isinstance(result, int | float | str | bool):
        return lambda given, arrays, node: result
    raise CannotReplay(f"the function returns a {type(result).__name__}")


def fresh(slot: int, region: Region, graph: Any, kept: bool) -> Any:
    """Makes a tensor over memory of this call; graph: None, a node for all calls, or the number of an output.

    kept: the backward pass reads this memory, so that a change in place has to be noticed.
    """

    def made(given: Any, arrays: list, node: Any) -> Tensor:
        new = _new(Tensor)
        new._array = seen_in(arrays[slot], region)
        if kept:
            new._cell = [0]
            node.versions.append((new._cell, 0))
        if graph is not None:
            new._rg = True
            if isinstance(graph, int):
                new._node = node
                if graph:
                    new._index = graph
            else:
                new._node = graph
        return new

    return made


def tensors(result: Any) -> list[Tensor]:
    """All tensors in nested containers."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, list | tuple):
        return [t for part in result for t in tensors(part)]
    return tensors(list(result.values())) if isinstance(result, dict) else []
