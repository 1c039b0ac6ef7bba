"""Copies in another arrangement: flip, roll, repeat, triangles, diagonals, grids."""

from __future__ import annotations

import builtins
import itertools
import operator

import numpy as np

from .. import dtypes
from ..errors import ArgumentTypeError, DtypeError, ShapeError
from ..tensor import Tensor, wrap
from .entry import primitive, public
from .index import accumulate_at
from .index_slices import index_select
from .join import cat, stack, tensor_list
from .meta import array_primitive
from .promotion import check_devices
from .shape import contiguous_format, need_tensor, normal_dim, normal_dims, reshape, sizes_of
from .views import _diagonal_array, diagonal

# ---------------------------------------------------------------------- reversal and rotation

_flip = primitive("flip", lambda input, dims: np.flip(input, dims).copy(),
                  vjp={"input": lambda g, dims: _flip(g, dims=dims)})  # fmt: skip


@public(method=True)
def flip(input, *dims, **named):
    """A copy with the order reversed along dimensions.

    >>> import flambeau as torch
    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    need_tensor(input, "flip")
    if "dims" in named:
        given = named.pop("dims")
        dims = (given,) if isinstance(given, int) else (tuple(given),)
    if named:
        unknown = next(iter(named))
        raise ArgumentTypeError(
            f"flip() got an unexpected keyword argument '{unknown}'",
            why="the parameters are input, dims",
            fix=f"leave out `{unknown}=`",
        )
    return _flip(input, dims=normal_dims(sizes_of(dims), input.ndim) if input.ndim else _no_dims(sizes_of(dims)))


def _no_dims(dims):
    normal_dims(dims, 0)
    return ()


@public(method=True)
def fliplr(input):
    """A copy with the columns in reverse order.

    >>> import flambeau as torch
    >>> torch.fliplr(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    if input.ndim < 2:
        raise ShapeError(
            "Input must be >= 2-d.",
            why=f"left and right are the order of the second dimension, and the shape is {tuple(input.shape)}",
            fix="use `x.flip(0)` to reverse a vector",
        )
    return flip(input, 1)


@public(method=True)
def flipud(input):
    """A copy with the rows in reverse order.

    >>> import flambeau as torch
    >>> torch.flipud(torch.tensor([[1, 2], [3, 4]]))
    tensor([[3, 4],
            [1, 2]])
    """
    if input.ndim < 1:
        raise ShapeError(
            "Input must be >= 1-d.",
            why="a single number has no order to reverse",
            fix="pass a tensor with at least one dimension",
        )
    return flip(input, 0)


_roll = primitive("roll", lambda input, shifts, dims: np.roll(input, shifts, dims), vjp={
    "input": lambda g, shifts, dims: _roll(g, shifts=tuple([-s for s in shifts]), dims=dims)})  # fmt: skip


@public(method=True)
def roll(input, shifts, dims=None):
    """A copy with the elements shifted along dimensions, those that leave entering at the other end.

    >>> import flambeau as torch
    >>> torch.roll(torch.tensor([1, 2, 3, 4]), 1)
    tensor([4, 1, 2, 3])
    """
    need_tensor(input, "roll")
    shifts = sizes_of((tuple(shifts),)) if isinstance(shifts, (tuple, list)) else (operator.index(shifts),)
    if dims is None or isinstance(dims, (tuple, list)) and not dims:
        if not shifts:
            raise ShapeError(
                "`shifts` required",
                why="`shifts` says by how many places to roll",
                fix="pass a number, such as `shifts=1`",
            )
        if len(shifts) != 1:
            raise ShapeError(
                f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0",
                why="without `dims` the tensor is rolled as if flattened, by one number",
                fix=f"pass `dims` with {len(shifts)} dimension numbers",
            )
        return reshape(_roll(reshape(input, (-1,)), shifts=shifts, dims=(0,)), input.shape)
    dims = tuple(dims) if isinstance(dims, (tuple, list)) else (dims,)
    if not shifts:
        raise ShapeError(
            "`shifts` required", why="`shifts` says by how many places to roll", fix="pass a number, such as `shifts=1`"
        )
    if len(shifts) != len(dims):
        raise ShapeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}",
            why="each dimension is rolled by its own number",
            fix=f"pass {len(dims)} shift(s), one for each dimension",
        )
    if not input.ndim:
        for d in dims:
            normal_dim(d, 0, scalar=False)
    return _roll(input, shifts=shifts, dims=tuple([normal_dim(d, input.ndim) for d in dims]))


@public(method=True)
def rot90(input, k=1, dims=(0, 1)):
    """A copy turned by 90 degrees `k` times in the plane of two dimensions, from the first towards the second.

    >>> import flambeau as torch
    >>> torch.rot90(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    need_tensor(input, "rot90")
    dims = tuple(dims)
    if len(dims) != 2:
        raise ShapeError(
            f"expected total rotation dims == 2, but got dims = {len(dims)}",
            why="a rotation turns one dimension towards another",
            fix="pass two dimensions, such as `dims=(0, 1)`",
        )
    if input.ndim < 2:
        raise ShapeError(
            f"expected total dims >= 2, but got total dims = {input.ndim}",
            why=f"a rotation needs a plane, and the shape is {tuple(input.shape)}",
            fix="use `x.flip(0)` to reverse a vector",
        )
    if dims[0] == dims[1] or abs(dims[0] - dims[1]) == input.ndim:
        raise ShapeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}",
            why="both numbers name the same dimension",
            fix="pass two different dimensions, such as `dims=(0, 1)`",
        )
    for i, d in enumerate(dims):
        if not -input.ndim <= d < input.ndim:
            raise ShapeError(
                f"Rotation dim{i} out of range, dim{i} = {d}",
                why=f"the tensor has {input.ndim} dimensions",
                fix=f"pass a number between {-input.ndim} and {input.ndim - 1}",
            )
    a, b = dims
    turn = k % 4
    if turn == 0:
        return input.clone(memory_format=contiguous_format)
    if turn == 2:
        return flip(input, a, b)
    return flip(input, b if turn == 1 else a).transpose(a, b)


# ---------------------------------------------------------------------- repetition


@public(method=True, function=False)
def repeat(self, *repeats):
    """A copy repeated along each dimension; more numbers than dimensions add leading ones.

    >>> import flambeau as torch
    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    sizes = repeats[0] if len(repeats) == 1 and isinstance(repeats[0], (tuple, list)) else repeats
    sizes = sizes_of((tuple(sizes),))
    if len(sizes) < self.ndim:
        raise ShapeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor",
            why=f"there are {len(sizes)} numbers for a tensor of shape {tuple(self.shape)}",
            fix=f"pass {self.ndim} numbers or more, with 1 for dimensions that stay",
        )
    if builtins.any(s < 0 for s in sizes):
        raise ShapeError(
            f"Trying to create tensor with negative dimension {builtins.min(sizes)}: {list(sizes)}",
            why=f"a dimension cannot be repeated {builtins.min(sizes)} times",
            fix="pass numbers of 0 or more",
        )
    shape = (1,) * (len(sizes) - self.ndim) + tuple(self._array.shape)
    # Each dimension n becomes (times, n) by broadcasting; the copy is one reshape.
    paired = tuple(itertools.chain.from_iterable((1, n) for n in shape))
    wide = tuple(itertools.chain.from_iterable(zip(sizes, shape)))
    made = reshape(reshape(self, paired).expand(wide), tuple([r * n for r, n in zip(sizes, shape)]))
    return made.clone() if made._base is not None else made


@public(method=True)
def tile(input, *dims):
    """A copy repeated along each dimension; fewer numbers than dimensions leave the leading ones alone.

    >>> import flambeau as torch
    >>> torch.tile(torch.tensor([1, 2]), (2,))
    tensor([1, 2, 1, 2])
    """
    dims = sizes_of(dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


_repeat_rows = primitive(
    "repeat_interleave", lambda input, repeats, dim: np.repeat(input, repeats, dim),
    vjp={"input": lambda g, repeats, dim, input_shape: _gather_rows(g, repeats=repeats, dim=dim, shape=input_shape)},
    node="IndexSelectBackward0",
)  # fmt: skip


def _gather_rows_array(g, repeats, dim, shape):
    out = np.zeros(shape, g.dtype)
    index = np.repeat(np.arange(shape[dim]), repeats)
    if index.size:
        accumulate_at(out.swapaxes(0, dim), (index,), g.swapaxes(0, dim))
    return out


_gather_rows = primitive("repeat_interleave_backward", _gather_rows_array, vjp={
    "g": lambda g, repeats, dim: _repeat_rows(g, repeats=repeats, dim=dim)})  # fmt: skip


@public(method=True)
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """A copy with each element (or slice of a dimension) repeated in place, as often as `repeats` says.

    >>> import flambeau as torch
    >>> torch.repeat_interleave(torch.tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    need_tensor(input, "repeat_interleave")
    if repeats is None:
        repeats = input
        if repeats.ndim != 1:
            raise ShapeError(
                "repeat_interleave only accept 1D vector as repeat",
                why=f"`repeats` has shape {tuple(repeats.shape)}, and each number says how often its own index "
                "is repeated",
                fix="flatten it: `repeats.flatten()`",
            )
        if repeats.dtype not in (dtypes.int64, dtypes.int32):
            raise DtypeError(
                "repeats has to be Long or Int tensor",
                why=f"`repeats` is {repeats.dtype.name}, and it counts",
                fix="convert it: `repeats.long()`",
            )
        if repeats.numel() and int(repeats._array.min()) < 0:
            raise ShapeError(
                "repeats can not be negative",
                why=f"the smallest number is {int(repeats._array.min())}",
                fix="pass numbers of 0 or more: `repeats.clamp(min=0)`",
            )
        return wrap(np.repeat(np.arange(repeats.numel()), repeats._array).astype(repeats._array.dtype))
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    elif not input.ndim:
        normal_dim(dim, 0)
        input, dim = reshape(input, (1,)), 0
    else:
        dim = normal_dim(dim, input.ndim)
    n = input.shape[dim]
    if isinstance(repeats, Tensor):
        check_devices(input, repeats)
        if repeats.ndim > 1:
            raise ShapeError(
                "repeats must be 0-dim or 1-dim tensor",
                why=f"`repeats` has shape {tuple(repeats.shape)}",
                fix="pass one number for each element: `repeats.flatten()`",
            )
        if repeats.dtype not in (dtypes.int64, dtypes.int32):
            raise DtypeError(
                "repeats has to be Long or Int tensor",
                why=f"`repeats` is {repeats.dtype.name}, and it counts",
                fix="convert it: `repeats.long()`",
            )
        if repeats.ndim and repeats.numel() not in (1, n):
            raise ShapeError(
                "repeats must have the same size as input along dim, but got repeats.size(0) = "
                f"{repeats.numel()} and input.size({dim}) = {n}",
                why=f"each of the {n} parts along dimension {dim} has its own number",
                fix=f"pass {n} numbers, or one for all",
            )
        counts = repeats._array if repeats.ndim and repeats.numel() != 1 else int(repeats._array.reshape(-1)[0])
    elif isinstance(repeats, (tuple, list)):
        counts = np.asarray(repeats, np.int64)
    else:
        counts = operator.index(repeats)
    if np.min(counts, initial=0) < 0:
        raise ShapeError(
            "Repeats must be non-negative",
            why=f"an element cannot be repeated {np.min(counts)} times",
            fix="pass numbers of 0 or more",
        )
    total = int(np.sum(counts)) if isinstance(counts, np.ndarray) else counts * n
    if output_size is not None and output_size != total:
        raise ShapeError(
            "allocated size does not match required size",
            why=f"`output_size` is {output_size}, but the repeats make {total}",
            fix=f"pass `output_size={total}`, or leave it out",
        )
    return _repeat_rows(input, repeats=counts, dim=dim)


# ---------------------------------------------------------------------- triangles and diagonals


_SHOWN = {
    "tril": """

    >>> import flambeau as torch
    >>> torch.tril(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 0],
            [3, 4]])
    """,
    "triu": """

    >>> import flambeau as torch
    >>> torch.triu(torch.tensor([[1, 2], [3, 4]]))
    tensor([[1, 2],
            [0, 4]])
    """,
}


def _triangle(name, function):
    prim = primitive(name, lambda input, k: function(input, k), vjp={"input": lambda g, k: prim(g, k=k)})

    def part(input, diagonal=0):
        need_tensor(input, name)
        if input.ndim < 2:
            raise ShapeError(
                f"{name}: input tensor must have at least 2 dimensions",
                why=f"a triangle is cut out of a matrix, and the shape is {tuple(input.shape)}",
                fix="make it a matrix first: `x.unsqueeze(0)`",
            )
        return prim(input, k=operator.index(diagonal))

    part.__name__ = part.__qualname__ = name
    side = "below" if name == "tril" else "above"
    part.__doc__ = (
        f"A copy of (a batch of) matrices with only the part on and {side} a diagonal kept; zeros elsewhere."
        f"{_SHOWN[name]}"
    )
    return public(method=True, inplace="method", out=True)(part)


tril, triu = _triangle("tril", np.tril), _triangle("triu", np.triu)


def _embed_array(input, offset, dim1, dim2):
    n = input.shape[-1] + abs(offset)
    order = [i for i in range(input.ndim + 1) if i not in (dim1, dim2)]
    shape = [0] * (input.ndim + 1)
    for d, size in zip(order, input.shape[:-1]):
        shape[d] = size
    shape[dim1] = shape[dim2] = n
    out = np.zeros(shape, input.dtype)
    _diagonal_array(out, offset, dim1, dim2)[...] = input
    return out


_embed = array_primitive(
    "diag_embed", _embed_array,
    vjp={"input": lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2)},
)  # fmt: skip


@public(method=True)
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices in dimensions `dim1` and `dim2` with the last dimension of `input` on a diagonal.

    >>> import flambeau as torch
    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    need_tensor(input, "diag_embed")
    a, b = [normal_dim(d, input.ndim + 1) for d in (dim1, dim2)]
    if a == b:
        raise ShapeError(
            f"diagonal dimensions cannot be identical {dim1}, {dim2}",
            why="both numbers name one dimension",
            fix="pass two different dimensions, such as `dim1=-2, dim2=-1`",
        )
    return _embed(input, offset=operator.index(offset), dim1=a, dim2=b)


@public(method=True, out=True)
def diag(input, diagonal=0):
    """The diagonal of a matrix (a copy), or the matrix with a vector on its diagonal.

    >>> import flambeau as torch
    >>> torch.diag(torch.tensor([1, 2])), torch.diag(torch.tensor([[1, 2], [3, 4]]))
    (tensor([[1, 0],
            [0, 2]]), tensor([1, 4]))
    """
    need_tensor(input, "diag")
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim == 2:
        return _pick_diagonal(input, diagonal)
    raise ShapeError(
        f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D",
        why="it makes a matrix from a vector, or takes the diagonal of a matrix",
        fix="use `torch.diagonal(x, dim1=-2, dim2=-1)` for a batch of matrices",
    )


def _pick_diagonal(input, offset):
    return diagonal(input, offset).clone()


@public(method=True)
def diagflat(input, offset=0):
    """The matrix with all elements of `input` on a diagonal.

    >>> import flambeau as torch
    >>> torch.diagflat(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    return diag_embed(reshape(input, (-1,)), offset)


@public()
def block_diag(*tensors):
    """A matrix with the matrices given along its diagonal; vectors are rows.

    >>> import flambeau as torch
    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor([3]))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    for t in tensors:
        need_tensor(t, "torch.block_diag")
        if t.ndim > 2:
            raise ShapeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input has {t.ndim} dimensions",
                why=f"each tensor becomes a block of one matrix, and one has shape {tuple(t.shape)}",
                fix="pass matrices: `torch.block_diag(*x)` for a batch of them",
            )
    parts = [reshape(t, (1, t.numel())) if t.ndim < 2 else t for t in tensors]
    if not parts:
        return wrap(np.empty((1, 0), dtypes.get_default_dtype().numpy))
    width = builtins.sum(t.shape[1] for t in parts)
    rows, left = [], 0
    for t in parts:
        h, w = t.shape
        rows.append(cat([t.new_zeros((h, left)), t, t.new_zeros((h, width - left - w))], 1))
        left += w
    return cat(rows, 0)


# ---------------------------------------------------------------------- grids and combinations


@public()
def meshgrid(*tensors, indexing=None):
    """Coordinate grids: from vectors, one grid for each, all of shape (len(first), len(second), ...).

    indexing: "ij" (default), or "xy" for Cartesian order of the first two.

    >>> import flambeau as torch
    >>> torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4]), indexing="ij")
    (tensor([[1, 1],
            [2, 2]]), tensor([[3, 4],
            [3, 4]]))
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    tensors = tensor_list(tensors, "meshgrid")
    if not tensors:
        raise ShapeError(
            "meshgrid expects a non-empty TensorList",
            why="a grid is made from the coordinates along its axes",
            fix="pass at least one vector",
        )
    check_devices(*tensors)
    for t in tensors:
        if t.ndim > 1:
            raise ShapeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {list(t.shape)}",
                why="each tensor holds the coordinates along one axis",
                fix="pass vectors: `x.flatten()`",
            )
        if t.dtype is not tensors[0].dtype:
            raise DtypeError(
                "torch.meshgrid expects all tensors to have the same dtype",
                why=f"one is {t.dtype.name}, the first {tensors[0].dtype.name}",
                fix=f"convert it: `x.to(torch.{tensors[0].dtype.name})`",
            )
    if indexing not in (None, "ij", "xy"):
        raise ShapeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}',
            why='"ij" counts rows first, as for matrices, and "xy" columns first, as for plots',
            fix='pass `indexing="ij"`',
        )
    swap = indexing == "xy" and len(tensors) >= 2
    if swap:
        tensors[0], tensors[1] = tensors[1], tensors[0]
    n = len(tensors)
    shape = [t.numel() for t in tensors]
    grids = [reshape(t, (1,) * i + (-1,) + (1,) * (n - i - 1)).expand(shape) for i, t in enumerate(tensors)]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@public()
def cartesian_prod(*tensors):
    """All combinations of one element of each vector, one row each.

    >>> import flambeau as torch
    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tensors[0]
    for t in tensors:
        if t.ndim != 1:
            raise ShapeError(
                f"Expect a 1D vector, but got shape {list(t.shape)}",
                why="the product takes one element of each vector",
                fix="flatten it: `x.flatten()`",
            )
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(g, (-1,)) for g in meshgrid(*tensors)], 1)


@public()
def combinations(input, r=2, with_replacement=False):
    """All combinations of `r` elements of a vector, one row each.

    >>> import flambeau as torch
    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    if input.ndim != 1:
        raise ShapeError(
            f"Expect a 1D vector, but got shape {list(input.shape)}",
            why="the elements to choose from are those of a vector",
            fix="flatten it: `x.flatten()`",
        )
    if r < 0:
        raise ShapeError(
            f"Expect a non-negative number, but got {r}",
            why="`r` is the number of elements chosen each time",
            fix="pass `r=2`, or another number of 0 or more",
        )
    if r == 0:
        return wrap(np.empty(0, input._array.dtype))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input.numel()), r)), np.int64).reshape(-1, r)
    return reshape(index_select(input, 0, wrap(rows.reshape(-1))), rows.shape)
