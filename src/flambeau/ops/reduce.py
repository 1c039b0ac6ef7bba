"""Reductions that add, multiply or compare: sum, mean, prod, amax, all, any, var, logsumexp and their kin."""

from __future__ import annotations

import builtins
import math

import numpy as np

from .. import dtypes, return_types
from ..arrays import MetaArray
from ..autograd.mode import state
from ..checks.halves import overflowed
from ..checks.log import log
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentTypeError, DtypeError, IndexOutOfRange, ShapeError
from ..kernels import fused as kernels
from ..kernels.casts import cast
from ..mistakes.dtypes import no_average
from ..tensor import Tensor, wrap
from .elementwise import not_implemented
from .entry import primitive, public
from .fused import fused
from .meta import array_primitive, on_device_of, plain
from .node import F32, F64
from .shape import _expand_array, need_tensor, normal_dim, normal_dims, reshape

TITLES = {"float32": "Float", "float64": "Double", "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char",
          "uint8": "Byte", "bool": "Bool", "float16": "Half", "bfloat16": "BFloat16", "complex64": "ComplexFloat",
          "complex128": "ComplexDouble"}  # fmt: skip


def title(dt) -> str:
    """PyTorch's C++ name of a dtype, which its messages use."""
    return TITLES.get(dt.name, dt.name)


def _axes(dim, ndim):
    """The axes to reduce: None or an empty list mean all."""
    if dim.__class__ is int and -ndim <= dim < ndim:
        return (dim + ndim if dim < 0 else dim,)
    if dim is None:
        return tuple(range(ndim))
    dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    if not ndim:
        normal_dims(dims, 0)
        return ()
    return normal_dims(dims, ndim) or tuple(range(ndim))


def need_elements(a: np.ndarray, axes, name) -> None:
    """IndexError when a reduction without identity would go over no elements."""
    for axis in axes:
        if a.shape[axis] == 0:
            raise IndexOutOfRange(
                f"{name}(): Expected reduction dim {axis} to have non-zero size.",
                why=f"the smallest, largest or middle one of no elements is not defined: the shape is {tuple(a.shape)}",
                fix="test `x.numel() > 0` first",
            )


F16 = np.dtype(np.float16)


def _reduced(ufunc, input, axes, keepdim):
    """ufunc.reduce in the input's dtype; 16-bit floats are added up in float32."""
    if input.size < kernels.SMALL and (input.dtype is F32 or input.dtype is F64):
        return ufunc.reduce(input, axes, None, None, keepdim)
    made = kernels.reduce(ufunc, input, axes, keepdim)
    if input.dtype is F16 and ufunc is np.add and log.on:
        made = made if made is not None else ufunc.reduce(cast(input, F32), axis=axes, keepdims=keepdim).astype(F16)
        if not np.isfinite(made).all():
            overflowed(input, axes)
    if made is not None:
        return made
    if FROM_NUMPY[input.dtype] in HALVES:
        return ufunc.reduce(cast(input, np.dtype(np.float32)), axis=axes, keepdims=keepdim).astype(input.dtype)
    return ufunc.reduce(input, axis=axes, keepdims=keepdim, dtype=input.dtype)


def _sum_array(input, axes, keepdim):
    return _reduced(np.add, input, axes, keepdim)


def unreduced(t, axes, keepdim, shape):
    """A reduced tensor with its reduced axes put back as size 1."""
    if axes is None:
        return reshape(t, (1,) * len(shape)) if shape else t
    if not keepdim and t._array.ndim != len(shape):
        return reshape(t, tuple([1 if i in axes else n for i, n in enumerate(shape)]))
    return t


def _spread(g, axes, keepdim, shape):
    """A reduced gradient broadcast back over the reduced axes."""
    return unreduced(g, axes, keepdim, shape).expand(shape)


def _sum_vjp_array(g, axes, keepdim, input_shape):
    if not keepdim and axes and g.ndim != len(input_shape):
        g = g.reshape([1 if i in axes else n for i, n in enumerate(input_shape)])
    return _expand_array(g.reshape(()) if axes is None else g, input_shape)


@fused(_sum_vjp_array, plain=True)
def _sum_vjp(g, axes, keepdim, input_shape):
    return _spread(g, axes, keepdim, input_shape)


_sum_all = primitive("sum", _sum_array, vjp=_sum_vjp)
_sum = primitive("sum_dim", _sum_array, vjp=_sum_vjp, node="SumBackward1")


@public(method=True, out=True)
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum of all elements, or over dimension(s) `dim`. Integers and bools are summed as int64.

    >>> import flambeau as torch
    >>> torch.ones(2, 3).sum(dim=0)
    tensor([2., 2., 2.])
    """
    if not isinstance(input, Tensor):
        need_tensor(input, "sum")
    if dtype is not None:
        input = input.to(dtype)
    elif input._array.dtype.kind in "biu":
        input = input.to(dtypes.int64)
    if dim is None:
        return _sum_all(input, axes=None, keepdim=True if keepdim else False)
    return _sum(input, axes=_axes(dim, input._array.ndim), keepdim=builtins.bool(keepdim))


def _floating(input, name, dtype=None):
    if dtype is not None:
        if dtype.category < 2:
            raise DtypeError(
                f"{name}(): could not infer output dtype. Optional dtype must be either a floating "
                f"point or complex dtype. Got: {title(dtype)}",
                why="the average of whole numbers may be a fraction",
                fix="pass `dtype=torch.float32`",
            )
        return input.to(dtype)
    if input.dtype.category < 2:
        raise no_average(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {title(input.dtype)}",
            input,
            name,
        )
    return input


@public(method=True, out=True)
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """Mean of all elements, or over dimension(s) `dim`; floating-point and complex tensors only.

    >>> import flambeau as torch
    >>> torch.mean(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
    tensor([2., 3.])
    """
    need_tensor(input, "mean")
    input = _floating(input, "mean", dtype)
    axes = _axes(dim, input._array.ndim)
    count = 1
    for axis in axes:
        count *= input._array.shape[axis]
    return (_mean_all if dim is None else _mean)(input, axes=axes, keepdim=builtins.bool(keepdim), count=count)


def _mean_array(input, axes, keepdim, count):
    if count and input.dtype.itemsize == 2 and FROM_NUMPY[input.dtype] in HALVES and type(input) is np.ndarray:
        total = _sum_array(cast(input, F32), axes, keepdim)  # which the narrow dtype need not be able to hold
        return np.asarray(total / np.float32(count)).astype(input.dtype)
    total = _sum_array(input, axes, keepdim)
    if count and not isinstance(input, MetaArray):
        return total / count if total.dtype.kind != "V" else np.true_divide(total, total.dtype.type(count))
    with np.errstate(all="ignore"):
        return np.divide(total, np.asarray(count, total.dtype if total.dtype.kind != "c" else total.real.dtype))


def _mean_vjp_array(g, axes, keepdim, count, input_shape):
    each = np.asarray(np.divide(g, np.asarray(count, g.dtype))) if count else g
    return _sum_vjp_array(each, axes, keepdim, input_shape)


@fused(_mean_vjp_array, plain=True)
def _mean_vjp(g, axes, keepdim, count, input_shape):
    return _spread(g / count if count else g, axes, keepdim, input_shape)


_mean_all = primitive("mean", _mean_array, vjp=_mean_vjp)
_mean = primitive("mean_dim", _mean_array, vjp=_mean_vjp, node="MeanBackward1")


@public(method=True, out=True)
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum that counts NaN as zero.

    >>> import flambeau as torch
    >>> torch.nansum(torch.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    need_tensor(input, "nansum")
    if input.is_complex():
        raise not_implemented("nansum", input.dtype)
    if input.is_floating_point():
        input = input.masked_fill(input != input, 0)
    return sum(input, dim, keepdim, dtype=dtype)


@public(method=True, out=True)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """Mean of the elements that are not NaN.

    >>> import flambeau as torch
    >>> torch.nanmean(torch.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5000)
    """
    need_tensor(input, "nanmean")
    if input.dtype.category < 2:
        raise DtypeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {title(input.dtype)}",
            why="the average of whole numbers may be a fraction",
            fix="use `x.float().nanmean()`",
        )
    count = (input == input).sum(dim, keepdim)
    return (
        nansum(input, dim, keepdim, dtype=dtype) / count
        if not input.is_complex()
        else (input.masked_fill(input != input, 0).sum(dim, keepdim, dtype=dtype) / count)
    )


# ---------------------------------------------------------------------- products


def _prod_array(input, axes, keepdim):
    return _reduced(np.multiply, input, axes, keepdim)


def conj(t):
    """The complex conjugate; real tensors as they are."""
    return t.conj() if t._array.dtype.kind == "c" else t


def _prod_vjp(g, input, out, axes, keepdim):
    shape = input._array.shape
    if not axes:
        return g
    g, out = unreduced(g, axes, keepdim, shape), unreduced(out, axes, keepdim, shape)
    if np.all(input._array != 0):
        return g * conj(out / input)
    # With zeros among the factors no quotient gives the product of the others.
    if len(axes) > 1:
        flat = reshape(input, (-1,))
        return reshape(reshape(g, (1,)) * conj(_others(flat, 0)), shape)
    return g * conj(_others(input, axes[0]))


def _others(x, dim):
    """For each element, the product of the other elements of its row."""
    n = x._array.shape[dim]
    if not state.grad:
        a = np.moveaxis(x._array, dim, -1)
        before, after = np.ones_like(a), np.ones_like(a)
        np.cumprod(a[..., :-1], -1, out=before[..., 1:])
        after[..., :-1] = np.cumprod(a[..., :0:-1], -1)[..., ::-1]
        return wrap(np.moveaxis(before * after, -1, dim))
    # Differentiable again: row i of an n x n table is the factors with factor i replaced by one.
    table = x.unsqueeze(dim).expand((*x.shape[:dim], n, *x.shape[dim:]))
    eye = wrap(np.eye(n, dtype=np.bool_).reshape((n, n) + (1,) * (x.ndim - dim - 1)))
    return _prod(table.masked_fill(eye, 1), axes=(dim + 1,), keepdim=False)


_prod = primitive("prod", _prod_array, vjp={"input": _prod_vjp})


@public(method=True, out=True)
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """Product of all elements, or over one dimension. The gradient is right at zeros too.

    >>> import flambeau as torch
    >>> torch.prod(torch.tensor([2, 3, 4]))
    tensor(24)
    """
    need_tensor(input, "prod")
    if dtype is not None:
        input = input.to(dtype)
    elif input._array.dtype.kind in "biu":
        input = input.to(dtypes.int64)
    if isinstance(dim, (tuple, list)):
        raise ArgumentTypeError(
            "prod(): argument 'dim' must be int, not tuple",
            why="one dimension is multiplied at a time",
            fix="multiply twice, as in `x.prod(-1).prod(-1)`",
        )
    return _prod(input, axes=_axes(dim, input.ndim), keepdim=builtins.bool(keepdim))


# ---------------------------------------------------------------------- extremes


def _shared(g, input, out, axes, keepdim):
    """The gradient of an extreme value, shared evenly among the elements that attain it."""
    shape = input._array.shape
    g, out = unreduced(g, axes, keepdim, shape), unreduced(out, axes, keepdim, shape)
    hit = (input == out) | (input != input)
    return g * hit / _sum(hit.to(g.dtype.to_real()), axes=axes, keepdim=True)


def _extreme(name, ufunc):
    def forward(input, axes, keepdim):
        if input.ndim and not axes:
            return input.copy()
        made = kernels.reduce(ufunc, input, axes, keepdim)
        return ufunc.reduce(input, axis=axes, keepdims=keepdim) if made is None else made

    return primitive(name, forward, vjp={"input": _shared})


_amax, _amin = _extreme("amax", np.maximum), _extreme("amin", np.minimum)


def _extremes(input, dim, keepdim, name, op):
    need_tensor(input, name)
    if input.is_complex():
        raise not_implemented(name, input.dtype)
    axes = _axes(None if isinstance(dim, (tuple, list)) and not dim else dim, input.ndim)
    if dim is None or isinstance(dim, (tuple, list)) and not dim:
        if not input.numel():
            raise ShapeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                "reduction dim with the 'dim' argument.",
                why=f"the largest or smallest of no elements is not defined: the shape is {tuple(input.shape)}",
                fix="test `x.numel() > 0` first",
            )
    need_elements(input._array, axes, name)
    return op(input, axes=axes, keepdim=builtins.bool(keepdim))


@public(method=True, out=True)
def amax(input, dim=(), keepdim=False):
    """Largest element, or largest over dimension(s) `dim`; ties share the gradient evenly.

    >>> import flambeau as torch
    >>> torch.amax(torch.tensor([[1, 5], [7, 3]]), dim=1)
    tensor([5, 7])
    """
    return _extremes(input, dim, keepdim, "amax", _amax)


@public(method=True, out=True)
def amin(input, dim=(), keepdim=False):
    """Smallest element, or smallest over dimension(s) `dim`; ties share the gradient evenly.

    >>> import flambeau as torch
    >>> torch.amin(torch.tensor([[1, 5], [7, 3]]), dim=1)
    tensor([1, 3])
    """
    return _extremes(input, dim, keepdim, "amin", _amin)


@public(method=True, out=True)
def aminmax(input, *, dim=None, keepdim=False):
    """Smallest and largest element, or over one dimension, as (min, max).

    >>> import flambeau as torch
    >>> low, high = torch.aminmax(torch.tensor([3, 1, 2]))
    >>> low, high
    (tensor(1), tensor(3))
    """
    need_tensor(input, "aminmax")
    if input.is_complex():
        raise not_implemented("aminmax", input.dtype)
    if dim is None:
        if not input.numel():
            raise ShapeError(
                "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.",
                why=f"the largest or smallest of no elements is not defined: the shape is {tuple(input.shape)}",
                fix="test `x.numel() > 0` first",
            )
        axes = tuple(range(input.ndim))
    else:
        axes = (normal_dim(dim, input.ndim),) if input.ndim else _axes(dim, 0)
        need_elements(input._array, axes, "aminmax")
    keepdim = builtins.bool(keepdim)
    return return_types.aminmax((_amin(input, axes=axes, keepdim=keepdim), _amax(input, axes=axes, keepdim=keepdim)))


# ---------------------------------------------------------------------- logic and counts


def _logical(input, dim, keepdim, name, ufunc):
    need_tensor(input, name)
    a = input._array
    none = isinstance(dim, (tuple, list)) and not dim  # no dimensions here, all of them in the other reductions
    out = ufunc.reduce(a.astype(np.bool_), axis=() if none else _axes(dim, a.ndim), keepdims=builtins.bool(keepdim))
    if isinstance(a, MetaArray):
        return wrap(out)
    return wrap(np.asarray(out, np.uint8 if a.dtype == np.uint8 else np.bool_))


@public(method=True, out=True)
def all(input, dim=None, keepdim=False):
    """Whether all elements are true (not zero), or all over dimension(s) `dim`.

    >>> import flambeau as torch
    >>> torch.all(torch.tensor([True, False]))
    tensor(False)
    """
    return _logical(input, dim, keepdim, "all", np.logical_and)


@public(method=True, out=True)
def any(input, dim=None, keepdim=False):
    """Whether any element is true (not zero), or any over dimension(s) `dim`.

    >>> import flambeau as torch
    >>> torch.any(torch.tensor([[True, False], [False, False]]), dim=1)
    tensor([ True, False])
    """
    return _logical(input, dim, keepdim, "any", np.logical_or)


@public(method=True)
def count_nonzero(input, dim=None):
    """Number of elements that are not zero, or over dimension(s) `dim`.

    >>> import flambeau as torch
    >>> torch.count_nonzero(torch.tensor([0, 1, 2]))
    tensor(2)
    """
    need_tensor(input, "count_nonzero")
    axes = _axes(dim, input.ndim)
    return on_device_of(np.add.reduce(plain(input._array) != 0, axis=axes, dtype=np.int64), input)


# ---------------------------------------------------------------------- spread


def _var_array(input, axes, keepdim, correction):
    if FROM_NUMPY[input.dtype] in HALVES:
        return _var_array(cast(input, np.dtype(np.float32)), axes, keepdim, correction).astype(input.dtype)
    count = math.prod(input.shape[i] for i in axes)
    with np.errstate(all="ignore"):
        if axes:
            middle = np.add.reduce(input, axis=axes, keepdims=True) / input.real.dtype.type(count)
            apart = input - middle
        else:
            apart = input - input
        squares = apart.real * apart.real + apart.imag * apart.imag if input.dtype.kind == "c" else apart * apart
        total = np.add.reduce(squares, axis=axes, keepdims=keepdim)
        return total / total.dtype.type(builtins.max(count - correction, 0))


def _apart(input, axes):
    count = math.prod(input._array.shape[i] for i in axes)
    return (input - _mean(input, axes=axes, keepdim=True, count=count) if axes else input * 0), count


def _var_vjp(g, input, axes, keepdim, correction):
    apart, count = _apart(input, axes)
    g = unreduced(g, axes, keepdim, input._array.shape)
    if count - correction <= 0:
        return g * (apart * math.nan if count == correction else apart * math.inf)
    return g * apart * (2 / (count - correction))


def _std_vjp(g, input, out, axes, keepdim, correction):
    g = (g / (out * 2)).masked_fill(out == 0, 0)
    return _var_vjp(g, input, axes, keepdim, correction)


_var = primitive("var", _var_array, vjp={"input": _var_vjp})
_std = primitive("std", lambda input, axes, keepdim, correction: np.sqrt(_var_array(input, axes, keepdim, correction)),
                 vjp={"input": _std_vjp})  # fmt: skip


def _spread_arguments(input, dim, unbiased, correction, name):
    need_tensor(input, name)
    if input.dtype.category < 2:
        raise no_average("std and var only support floating point and complex dtypes", input, name)
    if isinstance(dim, builtins.bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    axes = _axes(dim, input.ndim)
    return axes, correction


@public(method=True, out=True)
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Variance, divided by the number of elements less `correction` (default 1).

    >>> import flambeau as torch
    >>> torch.var(torch.tensor([1.0, 2.0, 3.0])), torch.var(torch.tensor([1.0, 3.0]), correction=0)
    (tensor(1.), tensor(1.))
    """
    axes, correction = _spread_arguments(input, dim, unbiased, correction, "var")
    return _var(input, axes=axes, keepdim=builtins.bool(keepdim), correction=correction)


@public(method=True, out=True)
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """Standard deviation: the square root of `var`.

    >>> import flambeau as torch
    >>> torch.std(torch.tensor([1.0, 2.0, 3.0]))
    tensor(1.)
    """
    axes, correction = _spread_arguments(input, dim, unbiased, correction, "std")
    return _std(input, axes=axes, keepdim=builtins.bool(keepdim), correction=correction)


@public()
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(variance, mean).

    >>> import flambeau as torch
    >>> torch.var_mean(torch.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    middle = None if isinstance(dim, builtins.bool) else dim
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, middle, keepdim)


@public()
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(standard deviation, mean).

    >>> import flambeau as torch
    >>> torch.std_mean(torch.tensor([1.0, 2.0, 3.0]))
    (tensor(1.), tensor(2.))
    """
    middle = None if isinstance(dim, builtins.bool) else dim
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, middle, keepdim)


# ---------------------------------------------------------------------- logsumexp


def _logsumexp_array(input, axes, keepdim):
    if FROM_NUMPY[input.dtype] in HALVES:
        return _logsumexp_array(cast(input, np.dtype(np.float32)), axes, keepdim).astype(input.dtype)
    with np.errstate(all="ignore"):
        if not input.size and builtins.any(input.shape[i] == 0 for i in axes):
            return np.log(np.add.reduce(input, axis=axes, keepdims=keepdim))
        real = input.real
        top = np.maximum.reduce(real, axis=axes, keepdims=True) if axes else real
        top = np.where(np.isfinite(top), top, 0).astype(real.dtype)
        total = np.log(np.add.reduce(np.exp(input - top), axis=axes, keepdims=True)) + top
    return total if keepdim else np.asarray(total).reshape([n for i, n in enumerate(input.shape) if i not in axes])


def _logsumexp_vjp(g, input, out, axes, keepdim):
    g, out = [unreduced(t, axes, keepdim, input._array.shape) for t in (g, out)]
    share = (input - out).exp()
    if not input.is_complex():
        share = share.masked_fill((out == -math.inf) & (input == -math.inf), 0)
    return g * conj(share)


_logsumexp = array_primitive("logsumexp", _logsumexp_array, vjp={"input": _logsumexp_vjp})


@public(method=True, out=True, aliases=("special.logsumexp",))
def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(x))) over dimension(s) `dim`, without overflow.

    >>> import flambeau as torch
    >>> torch.logsumexp(torch.tensor([0.0, 0.0]), dim=0)
    tensor(0.6931)
    """
    need_tensor(input, "logsumexp")
    if input.dtype.category < 2:
        input = input.to(dtypes.get_default_dtype())
    return _logsumexp(input, axes=_axes(dim, input.ndim), keepdim=builtins.bool(keepdim))


@public(method=True, function=False)
def sum_to_size(self, *size):
    """The sum over the dimensions that broadcasting from `size` would have added.

    >>> import flambeau as torch
    >>> torch.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])
    """
    size = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else tuple(size)
    shape = self._array.shape
    lead = len(shape) - len(size)
    if lead < 0 or builtins.any(n not in (1, shape[lead + i]) for i, n in enumerate(size)):
        raise ShapeError(
            f"size {list(size)} is not expandable to size {list(shape)}.",
            why="sizes stay as they are, or are added up to 1",
            fix=f"pass a shape from which {tuple(shape)} is broadcast",
        )
    dims = [*range(lead), *[lead + i for i, n in enumerate(size) if n == 1 and shape[lead + i] != 1]]
    if not dims:
        return self.view(size) if size else sum(self)
    made = sum(self, dims, True)
    return reshape(made, size) if made.shape != size else made
