"""Reading and writing at computed positions: gather, scatter, scatter_add, scatter_reduce; all bounds-checked."""

from __future__ import annotations

import numpy as np

from ..arrays import MetaArray, meta_empty
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentTypeError, DtypeError, ShapeError
from ..kernels import indexed
from ..kernels.record import constant
from ..mistakes.indices import outside
from ..tensor import Tensor, wrap
from .entry import primitive, public
from .index import accumulate_at
from .promotion import check_devices, scalar_array, stored_scalar
from .shape import need_tensor, normal_dim, reshape

# ---------------------------------------------------------------------- positions


def need_index(index, name, argument="index", position=3, kinds=("int64", "int32"), error=DtypeError):
    """Errors unless `index` is a tensor of integers."""
    need_tensor(index, name, argument, position)
    if index._array.dtype.name not in kinds:
        raise error(
            f"{name}(): Expected dtype int64 for index",
            why=f"this index is {index.dtype.name}",
            fix="convert it: `index.long()`",
        )


def check_bounds(index: np.ndarray, size: int, dim: int, error=ShapeError, negative=False) -> None:
    """Error unless all of `index` lie in 0 ... size - 1 (or -size ... size - 1)."""
    if not index.size or type(index) is not np.ndarray:
        return
    low = -size if negative else 0
    if indexed.first_outside(index, low, size) >= 0:
        raise outside(index, size, dim, error, low)


def _checked(made, index, size: int, dim: int, error=ShapeError):
    """The result of a kernel that looked for bad indices; None where there was no kernel: then they are looked for."""
    if made is None:
        check_bounds(index, size, dim, error)
        return None
    if made[1] >= 0:
        raise outside(index, size, dim, error)
    return made[0]


def _positions(shape, index, dim):
    """Flat positions, in a C-ordered array of `shape`, that an index array along `dim` names."""
    strides = [1] * len(shape)
    for i in range(len(shape) - 2, -1, -1):
        strides[i] = strides[i + 1] * shape[i + 1]
    at = index * strides[dim] if strides[dim] != 1 else index.astype(np.int64)
    for i, n in enumerate(index.shape):
        if i != dim and n > 1:
            at = at + (np.arange(n) * strides[i]).reshape([-1 if j == i else 1 for j in range(index.ndim)])
    return at


def _gather_array(input, index, dim):
    made = _checked(indexed.take_along(input, index, dim), index, (input.shape or (1,))[dim], dim)
    if made is not None:
        return made
    if not input.ndim:
        return np.broadcast_to(input, index.shape).copy()
    if not index.ndim:
        return input.reshape(-1)[index]
    if isinstance(input, MetaArray):
        return meta_empty(index.shape, input.dtype)
    return np.ascontiguousarray(input).reshape(-1)[_positions(input.shape, index, dim)]


_gather = primitive(
    "gather", _gather_array,
    vjp={"input": lambda g, index, dim, input_shape: _scatter_add(g.new_zeros(input_shape), g, index, dim=dim)},
)  # fmt: skip


def _corner(src, shape):
    """The leading part of `src` that an index of this shape uses."""
    return src if src.shape == shape else src[tuple(slice(0, n) for n in shape)]


def _scatter_array(input, src, index, dim):
    made = _checked(indexed.put_along(input, src, index, dim, False), index, (input.shape or (1,))[dim], dim)
    if made is not None:
        return made
    out = np.array(input, order="C", subok=True)
    if isinstance(out, MetaArray) or not index.size:
        return out
    index = index.reshape(index.shape or (1,))
    flat = out.reshape(-1)
    flat[_positions(out.shape or (1,), index, dim)] = _corner(src, index.shape) if src.ndim else src
    return out


def _scatter_add_array(input, src, index, dim):
    made = _checked(indexed.put_along(input, src, index, dim, True), index, (input.shape or (1,))[dim], dim)
    if made is not None:
        return made
    out = np.array(input, order="C", subok=True)
    if isinstance(out, MetaArray) or not index.size:
        return out
    index = index.reshape(index.shape or (1,))
    src = _corner(src.reshape(src.shape or (1,)), index.shape)
    at = _positions(out.shape or (1,), index, dim).reshape(-1)
    if out.dtype.kind == "b":
        np.logical_or.at(out.reshape(-1), at, src.reshape(-1))
        return out
    accumulate_at(out.reshape(-1), (at,), src.reshape(-1))
    return out


_scatter = primitive(
    "scatter", _scatter_array,
    vjp={"input": lambda g, index, dim: _scatter(g, wrap(constant(np.zeros((), g._array.dtype))), index, dim=dim),
         "src": lambda g, index, dim, src_shape: _into_corner(_gather(g, index, dim=dim), src_shape)},
)  # fmt: skip
_scatter_add = primitive(
    "scatter_add", _scatter_add_array,
    vjp={"input": lambda g: g,
         "src": lambda g, index, dim, src_shape: _into_corner(_gather(g, index, dim=dim), src_shape)},
)  # fmt: skip


def _into_corner(d, shape):
    """The gradient of the part of `src` that was used, with zeros for the rest."""
    if d.shape == shape:
        return d
    if not shape:
        return d.sum()
    if not d.ndim:
        return reshape(d, shape) if int(np.prod(shape)) == 1 else d.new_zeros(shape)
    full = d.new_zeros(shape)
    return _scatter_key_corner(full, d)


def _scatter_key_corner(full, d):
    full[tuple(slice(0, n) for n in d.shape)] = d
    return full


def _check_scatter(input, dim, index, src, name):
    need_tensor(input, name)
    need_tensor(index, name, "index", 3)
    if type(input._array) is not type(index._array) or src is not None and type(src._array) is not type(input._array):
        check_devices(input, index, src)
    if index.numel():
        need_index(index, name, kinds=("int64", "int32"))
    n, m = input.ndim or 1, index.ndim or 1
    dim = normal_dim(dim, input.ndim)
    if index._array.size == 0:
        return dim
    if n != m:
        raise ShapeError(
            f"Index tensor must have the same number of dimensions as {'input' if src is None else 'self'} tensor",
            why=f"`index` has shape {tuple(index.shape)}, the tensor {tuple(input.shape)}",
            fix="add dimensions with `unsqueeze`, such as `index.unsqueeze(-1)`",
        )
    shape = input.shape or (1,)
    for d, k in enumerate(index.shape):
        if d != dim and k > shape[d]:
            raise ShapeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be no larger than self "
                f"{list(input.shape)} apart from dimension {dim}",
                why="each index writes at its own place in the other dimensions",
                fix=f"cut `index` down in dimension {d}, to {shape[d]} or less",
            )
    if src is not None:
        if (src.ndim or 1) != m:
            raise ShapeError(
                "Index tensor must have the same number of dimensions as src tensor",
                why=f"`index` has shape {tuple(index.shape)}, `src` {tuple(src.shape)}",
                fix="add dimensions with `unsqueeze`, or `expand` one of them",
            )
        if any(k > s for k, s in zip(index.shape, src.shape)):
            raise ShapeError(
                f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart "
                f"from dimension {dim} and to be no larger size than src {list(src.shape)}",
                why="each index needs its own element of `src`",
                fix="cut `index` down, or pass a larger `src`",
            )
        if src.dtype is not input.dtype:
            raise DtypeError(
                f"{name}(): Expected self.dtype to be equal to src.dtype",
                why=f"`src` is {src.dtype.name}, the tensor {input.dtype.name}",
                fix=f"use `src.to(torch.{input.dtype.name})`",
            )
    return dim


@public(method=True, out=True)
def gather(input, dim, index, *, sparse_grad=False):
    """Values picked along `dim`: out[i][j] = input[index[i][j]][j] for dim=0.

    index: int64, as many dimensions as `input`; the result has its shape. RuntimeError when an index is out of range.

    >>> import flambeau as torch
    >>> torch.gather(torch.tensor([[1, 2], [3, 4]]), 1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    dim = _check_scatter(input, dim, index, None, "gather")
    return _gather(input, index, dim=dim)


@public(method=True, inplace=True, out=True)
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """A copy of `input` with `src` written at the indices along `dim`; `reduce`: None, "add" or "multiply".

    >>> import flambeau as torch
    >>> torch.zeros(2, 3).scatter(1, torch.tensor([[0], [2]]), 1.0)
    tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    source = value if src is None else src
    if source is None:
        raise ArgumentTypeError(
            "scatter() received an invalid combination of arguments: src or value is missing",
            why="there is nothing to write",
            fix="pass a tensor as `src`, or a number as `value`",
        )
    if isinstance(source, Tensor) and source.ndim == 0 and index.ndim:
        source = source.item() if not source._rg else source
    number = not isinstance(source, Tensor)
    dim = _check_scatter(input, dim, index, None if number else source, "scatter")
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise DtypeError(
                "reduce argument must be either add or multiply.",
                why=f"it says how new and old elements are joined, and {reduce!r} was given",
                fix='pass `reduce="add"` or `reduce="multiply"`, or use `scatter_reduce`',
            )
        if number:
            source = wrap(np.broadcast_to(scalar_array(source, input._array.dtype), index.shape))
        if reduce == "add":
            return _scatter_add(input, source, index, dim=dim)
        return scatter_reduce(input, dim, index, source, "prod")
    if number:
        source = wrap(stored_scalar(source, input._array.dtype))
    return _scatter(input, source, index, dim=dim)


@public(method=True, inplace=True, out=True)
def scatter_add(input, dim, index, src):
    """A copy of `input` with `src` added at the indices along `dim`; repeated indices add up.

    >>> import flambeau as torch
    >>> torch.scatter_add(torch.zeros(3), 0, torch.tensor([0, 0, 2]), torch.ones(3))
    tensor([2., 0., 1.])
    """
    need_tensor(src, "scatter_add", "src", 4)
    dim = _check_scatter(input, dim, index, src, "scatter_add")
    return _scatter_add(input, src, index, dim=dim)


# ---------------------------------------------------------------------- scatter_reduce

_UFUNCS = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum, "sum": np.add, "mean": np.add}


def _identity(reduce, dtype):
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return info.min if reduce == "amax" else info.max
    return -np.inf if reduce == "amax" else np.inf


def _scatter_reduce_array(input, src, index, dim, reduce, include_self):
    check_bounds(index, (input.shape or (1,))[dim], dim)
    out = np.array(input, order="C", subok=True)
    if isinstance(out, MetaArray) or not index.size:
        return out
    narrow = out.dtype
    if FROM_NUMPY[narrow] in HALVES:
        out = out.astype(np.float32)
    index = index.reshape(index.shape or (1,))
    src = _corner(src.reshape(src.shape or (1,)), index.shape).reshape(-1).astype(out.dtype)
    at = _positions(out.shape or (1,), index, dim).reshape(-1)
    flat = out.reshape(-1)
    if not include_self:
        flat[at] = _identity(reduce, out.dtype)
    _UFUNCS[reduce].at(flat, at, src)
    if reduce == "mean":
        count = np.full(flat.shape, 1 if include_self else 0, np.int64)
        np.add.at(count, at, 1)
        np.maximum(count, 1, out=count)
        flat[...] = flat // count if out.dtype.kind in "iub" else flat / count.astype(flat.real.dtype)
    return out.astype(narrow, copy=False)


def _scatter_reduce_vjp(g, input, src, index, out, dim, reduce, include_self, needs):
    ones = src.new_zeros(src.shape) + 1 if src.dtype.category else src
    d_self = d_src = None
    if reduce == "sum":
        d_self, d_src = g, _gather(g, index, dim=dim)
    elif reduce == "mean":
        n = g.new_zeros(g.shape) + (1 if include_self else 0)
        n = _scatter_add(n, ones, index, dim=dim).clamp(min=1)
        d_self = g / n
        d_src = _gather(d_self, index, dim=dim)
    elif reduce == "prod":
        masked = input.masked_fill(input == 0, 1)
        d_self = g * scatter_reduce(masked, dim, index, src, "prod", include_self=include_self) / masked
        zero = src == 0
        zeros_here = _gather(_scatter_add(g.new_zeros(g.shape), zero.to(src.dtype), index, dim=dim), index, dim=dim)
        single = zero & (zeros_here == 1) if index.shape == src.shape else zero
        filled = src.masked_fill(single, 1)
        rest = scatter_reduce(input, dim, index, filled, "prod", include_self=include_self)
        one = _gather(g * rest, index, dim=dim)
        many = _gather(g * out, index, dim=dim) / src.masked_fill(zero, 1)
        d_src = one * single + many.masked_fill(single, 0)
    else:
        value = _gather(out, index, dim=dim)
        own = (input == out).to(g.dtype)
        theirs = (src == value).to(g.dtype)
        count = _scatter_add(own, theirs, index, dim=dim)
        shared = g / count
        d_self = own * shared
        d_src = theirs * _gather(shared, index, dim=dim)
    if not include_self:
        d_self = _scatter(d_self, wrap(constant(np.zeros((), g._array.dtype))), index, dim=dim)
    return d_self, d_src


_scatter_reduce = primitive(
    "scatter_reduce", _scatter_reduce_array,
    vjp={("input", "src"): lambda g, input, src, index, out, dim, reduce, include_self, needs, src_shape:
         _reduce_corner(g, input, src, index, out, dim, reduce, include_self, needs, src_shape)},
)  # fmt: skip


def _reduce_corner(g, input, src, index, out, dim, reduce, include_self, needs, src_shape):
    if index.shape != src.shape and index.ndim == src.ndim:
        src = src[tuple(slice(0, n) for n in index.shape)]
    d_self, d_src = _scatter_reduce_vjp(g, input, src, index, out, dim, reduce, include_self, needs)
    return d_self, _into_corner(d_src, src_shape)


@public(method=True, inplace=True, out=True)
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """`src` reduced into `input` at the indices along `dim`: "sum", "prod", "mean", "amax" or "amin".

    >>> import flambeau as torch
    >>> torch.scatter_reduce(torch.zeros(2), 0, torch.tensor([0, 0, 1]), torch.tensor([1.0, 3.0, 2.0]), "amax")
    tensor([3., 2.])
    """
    if reduce not in _UFUNCS:
        raise DtypeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.",
            why="it says how elements with the same index are joined",
            fix='pass one of these, such as `reduce="sum"`',
        )
    need_tensor(src, "scatter_reduce", "src", 4)
    dim = _check_scatter(input, dim, index, src, "scatter_reduce")
    return _scatter_reduce(input, src, index, dim=dim, reduce=reduce, include_self=bool(include_self))
