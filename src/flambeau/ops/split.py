"""Splitting tensors: unbind, split, chunk and the like."""

from __future__ import annotations

import operator

from ..errors import ArgumentTypeError, ShapeError
from ..tensor import Tensor
from .entry import public, view_primitive
from .join import _cat, _stack, narrow_to
from .shape import _select_key, need_tensor, normal_dim, sizes_of


def _split_array(input, bounds, dim):
    lead = (slice(None),) * dim
    return tuple([input[lead + (slice(a, b),)] for a, b in bounds])


def _split_vjp(g, bounds, dim, input_shape):
    """The pieces' gradients joined again; zeros for pieces that were not used."""
    have = next(x for x in g if x is not None)
    shape = list(input_shape)
    pieces, at = [], 0
    if all(a == b for (_, a), (b, _) in zip(bounds, bounds[1:])):
        for (a, b), x in zip(bounds, g):
            shape[dim] = b - a
            pieces.append(have.new_zeros(shape) if x is None else x)
            at = b
        if bounds[0][0] == 0 and at == input_shape[dim]:
            return _cat(*pieces, dim=dim)
    total = have.new_zeros(input_shape)
    for (a, b), x in zip(bounds, g):
        if x is not None:
            shape[dim] = a
            before = have.new_zeros(shape)
            shape[dim] = input_shape[dim] - b
            total = total + _cat(before, x, have.new_zeros(shape), dim=dim)
    return total


_split = view_primitive("split", _split_array, vjp={"input": _split_vjp})
_unbind = view_primitive(
    "unbind", lambda input, dim: tuple([input[(slice(None),) * dim + (i, ...)] for i in range(input.shape[dim])]),
    vjp={"input": lambda g, dim: _restack(g, dim)},
)  # fmt: skip


def _restack(g, dim):
    have = next(x for x in g if x is not None)
    return _stack(*[have.new_zeros(have.shape) if x is None else x for x in g], dim=dim)


@public(method=True)
def unbind(input, dim=0):
    """All slices of one dimension, as a tuple of views.

    >>> import flambeau as torch
    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    need_tensor(input, "unbind")
    if not input._array.ndim:
        normal_dim(dim, 0, scalar=False)
    dim = normal_dim(dim, input._array.ndim)
    n = input._array.shape[dim]
    if n < 2:
        return (_select_key(input, key=(slice(None),) * dim + (0,)),) if n else ()
    return _unbind(input, dim=dim)


def _cut(t, sizes, dim):
    bounds, at = [], 0
    for s in sizes:
        bounds.append((at, at + s))
        at += s
    return _pieces(t, bounds, dim)


def _pieces(t, bounds, dim):
    if len(bounds) == 1:
        return (narrow_to(t, dim, bounds[0][0], bounds[0][1] - bounds[0][0]),)
    return _split(t, bounds=bounds, dim=dim)


def _need_dim(t, name):
    if not t._array.ndim:
        raise ShapeError(
            f"{name} expects at least a 1-dimensional tensor",
            why="a single number has no parts",
            fix="use `x.unsqueeze(0)` first",
        )


@public(method=True, name="split")
def split(tensor, split_size_or_sections=None, dim=0, *, split_size=None):
    """Views of `split_size` slices each (the last may be smaller), or of the sizes listed.

    >>> import flambeau as torch
    >>> [t.tolist() for t in torch.arange(5).split(2)]
    [[0, 1], [2, 3], [4]]
    """
    need_tensor(tensor, "split")
    size = split_size if split_size_or_sections is None else split_size_or_sections
    if isinstance(size, (tuple, list)):
        return split_with_sizes(tensor, size, dim)
    _need_dim(tensor, "split")
    dim = normal_dim(dim, tensor.ndim)
    size, n = operator.index(size), tensor._array.shape[dim]
    if size < 0:
        raise ShapeError(
            f"split expects split_size be non-negative, but got split_size={size}",
            why="it is the size of each part",
            fix="pass 1 or more",
        )
    if size == 0 and n:
        raise ShapeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}",
            why=f"parts of size 0 never cover {n} elements",
            fix="pass 1 or more",
        )
    sizes = [min(size, n - i) for i in range(0, n, size)] if n else [0]
    return _cut(tensor, sizes, dim)


@public(method=True)
def split_with_sizes(input, split_sizes, dim=0):
    """Views of the sizes listed, which must add up to the size of the dimension.

    >>> import flambeau as torch
    >>> torch.split_with_sizes(torch.tensor([1, 2, 3]), [1, 2])
    (tensor([1]), tensor([2, 3]))
    """
    need_tensor(input, "split_with_sizes")
    if input.ndim == 0:
        raise ShapeError(
            "split expects at least a 1-dimensional tensor",
            why="a single number has no parts",
            fix="use `x.unsqueeze(0)` first",
        )
    dim = normal_dim(dim, input.ndim)
    sizes, n = sizes_of((tuple(split_sizes),)), input._array.shape[dim]
    if any(s < 0 for s in sizes):
        raise ShapeError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}",
            why="each is the size of one part",
            fix="pass numbers of 0 or more",
        )
    if sum(sizes) != n:
        raise ShapeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {dim}), "
            f"but got split_sizes={list(sizes)}",
            why=f"they add up to {sum(sizes)}",
            fix=f"pass sizes that add up to {n}",
        )
    return _cut(input, sizes, dim)


@public(method=True)
def unsafe_split(tensor, split_size, dim=0):
    """As `split`; PyTorch skips the view bookkeeping here.

    >>> import flambeau as torch
    >>> torch.unsafe_split(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    return split(tensor, split_size, dim)


@public(method=True)
def unsafe_split_with_sizes(input, split_sizes, dim=0):
    """As `split_with_sizes`; PyTorch skips the view bookkeeping here.

    >>> import flambeau as torch
    >>> torch.unsafe_split_with_sizes(torch.tensor([1, 2, 3]), [1, 2])
    (tensor([1]), tensor([2, 3]))
    """
    return split_with_sizes(input, split_sizes, dim)


@public(out=True)
def split_copy(tensor, split_size, dim=0):
    """As `split`, with pieces of their own memory.

    >>> import flambeau as torch
    >>> torch.split_copy(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    return tuple([t.clone() for t in split(tensor, split_size, dim)])


@public(out=True)
def split_with_sizes_copy(input, split_sizes, dim=0):
    """As `split_with_sizes`, with pieces of their own memory.

    >>> import flambeau as torch
    >>> torch.split_with_sizes_copy(torch.tensor([1, 2, 3]), [1, 2])
    (tensor([1]), tensor([2, 3]))
    """
    return tuple([t.clone() for t in split_with_sizes(input, split_sizes, dim)])


@public(out=True)
def unbind_copy(input, dim=0):
    """As `unbind`, with slices of their own memory.

    >>> import flambeau as torch
    >>> torch.unbind_copy(torch.tensor([1, 2]))
    (tensor(1), tensor(2))
    """
    return tuple([t.clone() for t in unbind(input, dim)])


@public(method=True)
def chunk(input, chunks, dim=0):
    """At most `chunks` views of equal size (the last may be smaller).

    >>> import flambeau as torch
    >>> torch.chunk(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    need_tensor(input, "chunk")
    _need_dim(input, "chunk")
    chunks = operator.index(chunks)
    if chunks <= 0:
        raise ShapeError(
            f"chunk expects `chunks` to be greater than 0, got: {chunks}",
            why="it is the number of parts",
            fix="pass 1 or more",
        )
    dim = normal_dim(dim, input.ndim)
    n = input._array.shape[dim]
    size = -(-n // chunks)
    if not n:
        return _cut(input, [0] * chunks, dim)
    return split(input, size, dim)


@public(method=True)
def unsafe_chunk(input, chunks, dim=0):
    """As `chunk`; PyTorch skips the view bookkeeping here.

    >>> import flambeau as torch
    >>> torch.unsafe_chunk(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    return chunk(input, chunks, dim)


@public(method=True)
def tensor_split(input, indices_or_sections=None, dim=0, *, indices=None, sections=None):
    """Views cut at the indices listed, or `sections` of nearly equal size.

    >>> import flambeau as torch
    >>> torch.tensor_split(torch.tensor([1, 2, 3]), 2)
    (tensor([1, 2]), tensor([3]))
    """
    need_tensor(input, "tensor_split")
    _need_dim(input, "tensor_split")
    dim = normal_dim(dim, input.ndim)
    n = input._array.shape[dim]
    at = next((x for x in (indices_or_sections, indices, sections) if x is not None), None)
    if isinstance(at, Tensor):
        if at.dtype.name != "int64":
            raise ShapeError(
                f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {at.dtype}",
                why="the indices are the places to cut at",
                fix="convert it: `indices.long()`",
            )
        if at.ndim > 1:
            raise ShapeError(
                f"tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
                f"one-dimensional tensor, but got a tensor with {at.ndim} dims",
                why="the indices are the places to cut at",
                fix="flatten it: `indices.flatten()`",
            )
        at = at.tolist()
    if isinstance(at, (tuple, list)):
        cuts = [operator.index(i) for i in at]
        starts, ends = [0, *cuts], [*cuts, n]
        # As Python slices: negative counts from the end, out of range is clipped.
        bounds = [slice(a, b).indices(n)[:2] for a, b in zip(starts, ends)]
        return _pieces(input, [(a, max(a, b)) for a, b in bounds], dim)
    if at is None:
        raise ArgumentTypeError(
            'tensor_split() missing 1 required positional arguments: "indices_or_sections"',
            why="the number of parts, or the places to cut at, are missing",
            fix="pass `torch.tensor_split(x, 3)` or `torch.tensor_split(x, (1, 4))`",
        )
    count = operator.index(at)
    if count <= 0:
        raise ShapeError(
            f"number of sections must be larger than 0, got {count}",
            why="it is the number of parts",
            fix="pass 1 or more",
        )
    small, extra = divmod(n, count)
    return _cut(input, [small + 1] * extra + [small] * (count - extra), dim)


def _nd_split(input, how, name, dim, least):
    need_tensor(input, name)
    if input.ndim < least:
        raise ShapeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with "
            f"{input.ndim} dimensions!",
            why=f"the shape is {tuple(input.shape)}",
            fix="add dimensions with `unsqueeze`",
        )
    if isinstance(how, (tuple, list)):
        return tensor_split(input, how, dim)
    how, n = operator.index(how), input.shape[dim]
    if how == 0 or n % how:
        raise ShapeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {n} is "
            f"not divisible by the split_size {how}!",
            why="all parts are equally large",
            fix="use `torch.tensor_split`, which makes the last ones smaller",
        )
    return tensor_split(input, how, dim)


@public(method=True)
def hsplit(input, indices_or_sections=None, *, indices=None, sections=None):
    """Views cut along dimension 1 (dimension 0 for vectors).

    >>> import flambeau as torch
    >>> torch.hsplit(torch.tensor([1, 2, 3, 4]), 2)
    (tensor([1, 2]), tensor([3, 4]))
    """
    how = next((x for x in (indices_or_sections, indices, sections) if x is not None), None)
    return _nd_split(input, how, "hsplit", 0 if isinstance(input, Tensor) and input.ndim == 1 else 1, 1)


@public(method=True)
def vsplit(input, indices_or_sections=None, *, indices=None, sections=None):
    """Views cut along dimension 0.

    >>> import flambeau as torch
    >>> torch.vsplit(torch.tensor([[1, 2], [3, 4]]), 2)
    (tensor([[1, 2]]), tensor([[3, 4]]))
    """
    return _nd_split(input, next((x for x in (indices_or_sections, indices, sections) if x is not None), None),
                     "vsplit", 0, 2)  # fmt: skip


@public(method=True)
def dsplit(input, indices_or_sections=None, *, indices=None, sections=None):
    """Views cut along dimension 2.

    >>> import flambeau as torch
    >>> [p.shape for p in torch.dsplit(torch.ones(2, 2, 4), 2)]
    [torch.Size([2, 2, 2]), torch.Size([2, 2, 2])]
    """
    return _nd_split(input, next((x for x in (indices_or_sections, indices, sections) if x is not None), None),
                     "dsplit", 2, 3)  # fmt: skip
