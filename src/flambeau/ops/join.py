"""Joining tensors into one: cat, stack and their kin. `split.py` takes them apart."""

from __future__ import annotations

import numpy as np

from ..autograd.mode import state
from ..checks.tags import joined
from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from ..kernels.record import listeners
from ..tensor import Tensor
from .entry import primitive, public
from .promotion import check_devices, result_type
from .shape import _select_key, need_tensor, normal_dim, reshape

_new = object.__new__
_ndarray = np.ndarray


def tensor_list(tensors, name) -> list:
    """The argument of a function that takes a sequence of tensors, checked."""
    if isinstance(tensors, Tensor) or not hasattr(tensors, "__iter__"):
        raise ArgumentTypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}",
            why="several tensors are joined or combined",
            fix="pass them as one list: `[a, b]`",
        )
    tensors = list(tensors)
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise ArgumentTypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(t).__name__}",
                why="tensors are joined or combined",
                fix="make it one first: `torch.tensor(x)`",
            )
    return tensors


def same_dtype(tensors) -> list:
    """The tensors, all converted to the dtype they promote to."""
    first = tensors[0]._array.dtype
    for t in tensors:
        if t._array.dtype != first:
            common = result_type(*tensors)
            return [t if t.dtype is common else t.to(common) for t in tensors]
    return tensors


def _parts(g, shapes, dim, needs):
    """The piece of a joined gradient that belongs to each tensor."""
    found, start = [], 0
    for shape, need in zip(shapes, needs):
        n = shape[dim]
        found.append(narrow_to(g, dim, start, n) if need else None)
        start += n
    return found


def narrow_to(t, dim, start, length):
    """The elements start ... start + length of a dimension."""
    return _select_key(t, key=(slice(None),) * dim + (slice(start, start + length),))


_cat = primitive("cat", lambda *tensors, dim: np.concatenate(tensors, dim), vjp={"*tensors": _parts})


def _stack_array(*tensors, dim):
    new = (slice(None),) * dim + (None,)
    return np.concatenate([a[new] for a in tensors], dim)


_stack = primitive("stack", _stack_array, vjp={"*tensors": lambda g, dim: g.unbind(dim)})


@public(out=True, aliases=("concat", "concatenate"))
def cat(tensors, dim=0):
    """Tensors joined along an existing dimension; their other sizes must agree.

    Raises RuntimeError when the list is empty or the sizes differ, IndexError for a wrong dimension.

    >>> import flambeau as torch
    >>> torch.cat([torch.zeros(2, 3), torch.ones(1, 3)]).shape
    torch.Size([3, 3])
    """
    if isinstance(tensors, Tensor):
        raise ArgumentTypeError(
            "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor",
            why="several tensors are joined",
            fix="pass them as one list: `torch.cat([a, b])`",
        )
    try:  # tensors of one dtype that fit: the common case
        arrays = [t._array for t in tensors]
        d, n = arrays[0].dtype, arrays[0].ndim
        for a in arrays:
            if a.dtype is not d or a.ndim != n or type(a) is not _ndarray or n == 1 and not a.size or listeners:
                break
        else:
            made = _new(Tensor)
            made._array = np.concatenate(arrays, dim)
            if state.grad:
                for t in tensors:
                    if t._rg or t._base is not None and t.requires_grad:
                        _cat.record(tuple(tensors), (made,), {"dim": dim % n})
                        break
            if tensors[0]._tag is not None:
                joined(tensors, made)
            return made
    except (AttributeError, TypeError, ValueError, IndexError):
        pass  # to be explained below
    tensors = tensor_list(tensors, "cat")
    if not tensors:
        raise ArgumentError(
            "torch.cat(): expected a non-empty list of Tensors",
            why="the list is empty, so no shape and no dtype is known",
            fix="test `if tensors:` first",
        )
    if len(tensors) > 1:
        check_devices(*tensors)
        same = same_dtype(tensors)
        full = [t for t in same if t._array.shape != (0,)]  # PyTorch lets empty 1-d tensors join anything
        if not full:
            normal_dim(dim, 1)
            return _cat(*same, dim=0)
    else:
        full = tensors
    n = full[0]._array.ndim
    for i, t in enumerate(tensors):
        if not t._array.ndim:
            raise ShapeError(
                f"zero-dimensional tensor (at position {i}) cannot be concatenated",
                why="a single number has no dimension to be joined along",
                fix="use `torch.stack`, which joins along a new dimension",
            )
    dim = normal_dim(dim, n)
    shape = full[0]._array.shape
    for i, t in enumerate(full[1:], 1):
        other = t._array.shape
        if len(other) != n:
            raise ShapeError(
                f"Tensors must have same number of dimensions: got {n} and {len(other)}",
                why=f"tensor 0 has shape {tuple(shape)}, tensor {i} has shape {tuple(other)}",
                fix="use `torch.stack` for a new dimension, or `unsqueeze` the smaller one",
            )
        if other != shape:
            for d in range(n):
                if d != dim and other[d] != shape[d]:
                    raise ShapeError(
                        f"Sizes of tensors must match except in dimension {dim}. Expected size {shape[d]} but got size "
                        f"{other[d]} for tensor number {i} in the list.",
                        why=f"tensor 0 has shape {tuple(shape)}, tensor {i} has shape {tuple(other)}",
                        fix=f"pass `dim={d}` if they differ only there, or make them equal with slices or `F.pad`",
                    )
    return _cat(*full, dim=dim)


@public(out=True)
def stack(tensors, dim=0):
    """Tensors of one shape joined along a new dimension.

    >>> import flambeau as torch
    >>> torch.stack([torch.zeros(3), torch.ones(3)], dim=1).shape
    torch.Size([3, 2])
    """
    tensors = tensor_list(tensors, "stack")
    if not tensors:
        raise ShapeError(
            "stack expects a non-empty TensorList",
            why="the list is empty, so no shape and no dtype is known",
            fix="test `if tensors:` first",
        )
    shape = tensors[0]._array.shape
    dim = normal_dim(dim, len(shape) + 1)
    for i, t in enumerate(tensors):
        if t._array.shape != shape:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(shape)} at entry 0 and "
                f"{list(t._array.shape)} at entry {i}",
                why="one size holds for all parts of the new dimension",
                fix="bring them to one size: `torch.nn.utils.rnn.pad_sequence` pads sequences, `torch.cat` "
                "joins different lengths",
            )
    check_devices(*tensors)
    made = _stack(*same_dtype(tensors), dim=dim)
    if tensors[0]._tag is not None:
        joined(tensors, made)
    return made


def at_least(t: Tensor, n: int) -> Tensor:
    """A view with at least `n` dimensions, as NumPy's atleast_nd orders them."""
    have = t._array.ndim
    if have >= n:
        return t
    shape = t._array.shape
    if n == 1:
        return reshape(t, (1,))
    if n == 2:
        return reshape(t, (1, shape[0] if have else 1))
    return reshape(t, (1, *shape, 1) if have == 1 else (*shape, 1) if have == 2 else (1, 1, 1))


def _all_at_least(tensors, n):
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        return tuple([at_least(t, n) for t in tensors[0]])
    for t in tensors:
        need_tensor(t, f"atleast_{n}d")
    return at_least(tensors[0], n) if len(tensors) == 1 else tuple([at_least(t, n) for t in tensors])


@public()
def atleast_1d(*tensors):
    """Each tensor as a view with at least one dimension.

    >>> import flambeau as torch
    >>> torch.atleast_1d(torch.tensor(3))
    tensor([3])
    """
    return _all_at_least(tensors, 1)


@public()
def atleast_2d(*tensors):
    """Each tensor as a view with at least two dimensions.

    >>> import flambeau as torch
    >>> torch.atleast_2d(torch.tensor([1, 2]))
    tensor([[1, 2]])
    """
    return _all_at_least(tensors, 2)


@public()
def atleast_3d(*tensors):
    """Each tensor as a view with at least three dimensions.

    >>> import flambeau as torch
    >>> torch.atleast_3d(torch.tensor([1, 2])).shape
    torch.Size([1, 2, 1])
    """
    return _all_at_least(tensors, 3)


def _nonempty(tensors, name):
    tensors = tensor_list(tensors, name)
    if not tensors:
        raise ShapeError(
            f"{name} expects a non-empty TensorList",
            why="the list is empty, so no shape and no dtype is known",
            fix="test `if tensors:` first",
        )
    return tensors


@public(out=True)
def hstack(tensors):
    """Tensors joined along dimension 1 (dimension 0 for vectors).

    >>> import flambeau as torch
    >>> torch.hstack((torch.tensor([1]), torch.tensor([2, 3])))
    tensor([1, 2, 3])
    """
    tensors = [at_least(t, 1) for t in _nonempty(tensors, "hstack")]
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


@public(out=True, aliases=("row_stack",))
def vstack(tensors):
    """Tensors joined along dimension 0; vectors are rows.

    >>> import flambeau as torch
    >>> torch.vstack((torch.tensor([1, 2]), torch.tensor([3, 4])))
    tensor([[1, 2],
            [3, 4]])
    """
    return cat([at_least(t, 2) for t in _nonempty(tensors, "vstack")], 0)


@public(out=True)
def dstack(tensors):
    """Tensors joined along dimension 2.

    >>> import flambeau as torch
    >>> torch.dstack((torch.tensor([1, 2]), torch.tensor([3, 4])))
    tensor([[[1, 3],
             [2, 4]]])
    """
    return cat([at_least(t, 3) for t in _nonempty(tensors, "dstack")], 2)


@public(out=True)
def column_stack(tensors):
    """Tensors joined along dimension 1; vectors are columns.

    >>> import flambeau as torch
    >>> torch.column_stack((torch.tensor([1, 2]), torch.tensor([3, 4])))
    tensor([[1, 3],
            [2, 4]])
    """
    tensors = _nonempty(tensors, "column_stack")
    return cat([reshape(t, (t.numel(), 1)) if t.ndim <= 1 else t for t in tensors], 1)
