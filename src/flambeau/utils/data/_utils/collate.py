"""Samples into a batch: `default_collate` stacks, `default_convert` only turns arrays into tensors."""

import collections.abc
import contextlib
import copy
import re
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

import flambeau as fb

from ....errors import ShapeError
from ....mistakes.samples import RaggedBatchError, no_collation, uncollatable_tensors
from ....tensor import Tensor
from .batch import SampleBatch

__all__ = ["RaggedBatchError", "collate", "default_collate", "default_collate_fn_map", "default_convert"]

_NOT_NUMERIC = re.compile(r"[SaUO]")


def default_convert(data: Any) -> Any:
    """NumPy arrays and scalars inside `data` become tensors; everything else stays.

    Example:
        >>> default_convert([np.zeros(2), "a", 1])
        [tensor([0., 0.], dtype=torch.float64), 'a', 1]
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        if isinstance(data, np.ndarray) and _NOT_NUMERIC.search(data.dtype.str) is not None:
            return data
        return fb.as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(default_convert(d) for d in data))
    if isinstance(data, tuple):
        return [default_convert(d) for d in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(d) for d in data])
    return data


def collate(batch, *, collate_fn_map: dict | None = None) -> Any:
    """Collate by a table from type (or tuple of types) to function; containers are entered.

    Arguments:
        collate_fn_map: functions called as ``f(batch, collate_fn_map=...)``.

    Errors: TypeError for an element that is neither in the table nor a container.
    """
    elem = batch[0]
    kind = type(elem)
    if collate_fn_map is not None:
        if kind in collate_fn_map:
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
        for known, function in collate_fn_map.items():
            if isinstance(elem, known):
                return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(elem, Mapping):
        found = {key: collate([d[key] for d in batch], collate_fn_map=collate_fn_map) for key in elem}
        return _like_mapping(elem, found)
    if isinstance(elem, tuple) and hasattr(elem, "_fields"):
        columns = zip(*batch, strict=True)
        return kind(*(collate(column, collate_fn_map=collate_fn_map) for column in columns))
    if isinstance(elem, collections.abc.Sequence):
        size = len(elem)
        for k, other in enumerate(batch):
            if len(other) != size:
                raise ShapeError(
                    "each element in list of batch should be of equal size",
                    why=f"sample 0 of the batch has {size} elements, sample {k} has {len(other)}",
                    fix="give the samples one length, or pass a collate_fn that pads them",
                )
        made = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch, strict=True)]
        return made if isinstance(elem, tuple) else _like_sequence(elem, made)
    raise no_collation(elem, kind)


def _like_mapping(original: Mapping, found: dict) -> Any:
    """The same kind of mapping with other values; a plain dict where that kind cannot be built."""
    with contextlib.suppress(TypeError):
        if isinstance(original, MutableMapping):
            clone = copy.copy(original)
            clone.update(found)
            return clone
        return type(original)(found)  # type: ignore[call-arg]
    return found


def _like_sequence(original: Sequence, found: list) -> Any:
    """The same kind of sequence with other elements; a plain list where that kind cannot be built."""
    if type(original) is list:
        return found
    with contextlib.suppress(TypeError):
        if isinstance(original, MutableSequence):
            clone = copy.copy(original)
            for k, element in enumerate(found):
                clone[k] = element
            return clone
        return type(original)(found)  # type: ignore[call-arg]
    return found


def _stack_tensors(batch, *, collate_fn_map=None):
    """Tensors of one shape stacked along a new first dimension."""
    first = batch[0]._array
    shape, dtype = first.shape, first.dtype
    plain = type(first) is np.ndarray
    arrays = []
    for tensor in batch:
        array = tensor._array
        if array.shape != shape:
            raise uncollatable_tensors(list(batch))
        if array.dtype is not dtype or tensor.requires_grad:
            plain = False
        arrays.append(array)
    if not plain:
        return fb.stack(list(batch), 0)
    if not shape:
        return Tensor.wrap(np.array(arrays, dtype))
    return Tensor.wrap(np.concatenate(arrays).reshape(len(arrays), *shape))


def _stack_arrays(batch, *, collate_fn_map=None):
    """NumPy arrays, as tensors."""
    if _NOT_NUMERIC.search(batch[0].dtype.str) is not None:
        raise no_collation(batch[0], batch[0].dtype)
    return collate([fb.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def _scalars(batch, *, collate_fn_map=None):
    """NumPy scalars of one type."""
    array = np.array(batch)
    return fb.as_tensor(array if array.dtype == batch[0].dtype else list(batch))


def _floats(batch, *, collate_fn_map=None):
    return fb.tensor(batch, dtype=fb.float64)


def _ints(batch, *, collate_fn_map=None):
    """Python ints (or bools): one array. Anything unusual goes the long way, for its checks."""
    with contextlib.suppress(OverflowError, ValueError):
        array = np.array(batch)
        if array.ndim == 1 and (array.dtype == np.int64 or array.dtype == np.bool_):
            return Tensor.wrap(array)
    return fb.tensor(batch)


def _unchanged(batch, *, collate_fn_map=None):
    return batch


default_collate_fn_map: dict[type | tuple[type, ...], Callable] = {
    Tensor: _stack_tensors,
    np.ndarray: _stack_arrays,
    (np.bool_, np.number, np.object_): _scalars,
    float: _floats,
    int: _ints,
    bool: _ints,
    str: _unchanged,
    bytes: _unchanged,
}


def default_collate(batch):
    """A list of samples into a batch: tensors are stacked, numbers become tensors, containers are entered.

    Errors: RuntimeError for tensors of different sizes (it names the samples and how to pad); TypeError for
    elements that are none of tensor, array, number, string, mapping or sequence.

    Example:
        >>> default_collate([(fb.zeros(2), 1), (fb.ones(2), 3)])
        [tensor([[0., 0.],
                [1., 1.]]), tensor([1, 3])]
    """
    if type(batch) is SampleBatch:
        return batch.collated
    return collate(batch, collate_fn_map=default_collate_fn_map)
