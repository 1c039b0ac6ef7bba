"""Running results along a dimension: cumsum, cumprod, cummax, logcumsumexp, diff, trapezoid."""

from __future__ import annotations

import numpy as np

from .. import dtypes, return_types
from ..autograd.mode import state
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ArgumentTypeError, DtypeError, ShapeError
from ..kernels import scans
from ..tensor import Tensor, wrap
from .elementwise import not_implemented
from .entry import primitive, public
from .join import cat, narrow_to
from .meta import array_primitive
from .reduce import _sum, conj
from .shape import need_tensor, normal_dim
from .sort import place_back

# ---------------------------------------------------------------------- sums and products


def _running(ufunc):
    def forward(input, dim, reverse=False):
        if not input.ndim:
            return input.copy()
        if FROM_NUMPY[input.dtype] in HALVES:
            return forward(input.astype(np.float32), dim, reverse).astype(input.dtype)
        made = scans.running(input, dim, ufunc is np.multiply, reverse)
        if made is not None:
            return made
        if reverse:
            return np.ascontiguousarray(np.flip(ufunc.accumulate(np.flip(input, dim), dim, dtype=input.dtype), dim))
        return ufunc.accumulate(input, dim, dtype=input.dtype)

    return forward


def _backwards(t, dim):
    """A running sum from the end."""
    return _cumsum(t, dim=dim, reverse=True)


_cumsum = primitive("cumsum", _running(np.add), vjp={
    "input": lambda g, dim, reverse: _cumsum(g, dim=dim, reverse=not reverse)})  # fmt: skip


def _cumprod_vjp(g, input, out, dim):
    if not input.ndim:
        return g
    if np.all(input._array != 0):
        return _backwards(g * conj(out), dim) / conj(input)
    # With zeros: element k multiplies every product from k on; leave it out and multiply again.
    parts = []
    n = input.shape[dim]
    place = np.arange(n).reshape([-1 if i == dim else 1 for i in range(input.ndim)])
    for k in range(n):
        others = _cumprod(input.masked_fill(wrap(place == k), 1), dim=dim, reverse=False)
        parts.append(_sum(narrow_to(g * conj(others), dim, k, n - k), axes=(dim,), keepdim=True))
    return cat(parts, dim)


_cumprod = primitive("cumprod", _running(np.multiply), vjp={"input": _cumprod_vjp})


def _scan(op, input, dim, dtype, name):
    need_tensor(input, name)
    if dtype is not None:
        input = input.to(dtype)
    elif input._array.dtype.kind in "biu":
        input = input.to(dtypes.int64)
    return op(input, dim=normal_dim(dim, input.ndim), reverse=False)


@public(method=True, inplace="method", out=True)
def cumsum(input, dim, *, dtype=None):
    """Running sum along a dimension.

    >>> import flambeau as torch
    >>> torch.cumsum(torch.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    return _scan(_cumsum, input, dim, dtype, "cumsum")


@public(method=True, inplace="method", out=True)
def cumprod(input, dim, *, dtype=None):
    """Running product along a dimension. The gradient is right at zeros too.

    >>> import flambeau as torch
    >>> torch.cumprod(torch.tensor([1, 2, 3]), dim=0)
    tensor([1, 2, 6])
    """
    return _scan(_cumprod, input, dim, dtype, "cumprod")


# ---------------------------------------------------------------------- extremes


def _running_extreme(ufunc, at_least):
    def forward(input, dim):
        if not input.ndim:
            return input.copy(), np.zeros((), np.int64)
        a = input.astype(np.float32) if FROM_NUMPY[input.dtype] in HALVES else input
        values = ufunc.accumulate(a, dim)
        place = np.arange(a.shape[dim]).reshape([-1 if i == dim else 1 for i in range(a.ndim)])
        here = (a == values) | (a != a)
        return values.astype(input.dtype, copy=False), np.maximum.accumulate(np.where(here, place, 0), dim)

    return forward


_cummax = array_primitive("cummax", _running_extreme(np.maximum, np.greater_equal), vjp={
    "input": lambda g, out, dim, input_shape: place_back(g[0], out[1], dim, input_shape)})  # fmt: skip
_cummin = array_primitive("cummin", _running_extreme(np.minimum, np.less_equal), vjp={
    "input": lambda g, out, dim, input_shape: place_back(g[0], out[1], dim, input_shape)})  # fmt: skip


@public(method=True, out=True)
def cummax(input, dim):
    """Running maximum along a dimension: (values, indices).

    >>> import flambeau as torch
    >>> values, indices = torch.cummax(torch.tensor([1, 3, 2]), dim=0)
    >>> values, indices
    (tensor([1, 3, 3]), tensor([0, 1, 1]))
    """
    need_tensor(input, "cummax")
    if input.is_complex():
        raise not_implemented("cummax", input.dtype)
    return return_types.cummax(_cummax(input, dim=normal_dim(dim, input.ndim)))


@public(method=True, out=True)
def cummin(input, dim):
    """Running minimum along a dimension: (values, indices).

    >>> import flambeau as torch
    >>> values, indices = torch.cummin(torch.tensor([3, 1, 2]), dim=0)
    >>> values, indices
    (tensor([3, 1, 1]), tensor([0, 1, 1]))
    """
    need_tensor(input, "cummin")
    if input.is_complex():
        raise not_implemented("cummin", input.dtype)
    return return_types.cummin(_cummin(input, dim=normal_dim(dim, input.ndim)))


# ---------------------------------------------------------------------- logcumsumexp


def _logcumsumexp_array(input, dim):
    if not input.ndim:
        return input.copy()
    if FROM_NUMPY[input.dtype] in HALVES:
        return _logcumsumexp_array(input.astype(np.float32), dim).astype(input.dtype)
    a = np.moveaxis(input, dim, 0)
    if not a.shape[0]:
        return input.copy()
    out = np.empty_like(a)
    out[0] = a[0]
    with np.errstate(all="ignore"):
        if a.dtype.kind != "c":
            np.logaddexp.accumulate(a, 0, out=out)
        else:
            for i in range(1, len(a)):
                x, y = out[i - 1], a[i]
                first = x.real >= y.real
                high, low = np.where(first, x, y), np.where(first, y, x)
                # The angle is not brought back into -pi ... pi: the larger number's is kept and turned.
                made = np.log1p(np.exp(low - high)) + high
                flat = ~np.isfinite(high.real) & (low.real == high.real)
                made = np.where(flat & (high.real > 0), np.log(np.exp(low) + np.exp(high)), np.where(flat, low, made))
                out[i] = np.where(np.isnan(x) | np.isnan(y), np.nan, made)
    return np.ascontiguousarray(np.moveaxis(out, 0, dim))


def _logcumsumexp_vjp(g, input, out, dim):
    if not input.ndim:
        return g
    if input.is_complex() or state.grad:
        # g * exp(-out), shifted so that exp stays in range; differentiable again, which the logarithms below are not.
        top = np.maximum.reduce(out._array.real, axis=dim, keepdims=True, initial=-np.inf)
        top = wrap(np.where(np.isfinite(top), top, 0).astype(out._array.real.dtype))
        return _backwards(g * conj((top - out).exp()), dim) * conj((input - top).exp())
    # Positive and negative gradients apart, in logarithms, so that nothing overflows. The smallest finite number stands
    # for the logarithm of 0: with -inf the gradient of this gradient would be nan.
    lowest = float(np.finfo(g._array.dtype).min)
    positive = g.masked_fill(g <= 0, 1).log().masked_fill(g <= 0, lowest)
    negative = (-g).masked_fill(g >= 0, 1).log().masked_fill(g >= 0, lowest)
    back = lambda t: _logcumsumexp((t - out).flip(dim), dim=dim).flip(dim)
    return (back(positive) + input).exp() - (back(negative) + input).exp()


_logcumsumexp = array_primitive("logcumsumexp", _logcumsumexp_array, vjp={"input": _logcumsumexp_vjp})


@public(method=True, out=True)
def logcumsumexp(input, dim):
    """log of the running sum of exp along a dimension, without overflow.

    >>> import flambeau as torch
    >>> torch.logcumsumexp(torch.tensor([0.0, 0.0]), dim=0)
    tensor([0.0000, 0.6931])
    """
    need_tensor(input, "logcumsumexp")
    if input.dtype.category < 2:
        raise not_implemented("logcumsumexp_out_cpu", input.dtype)
    return _logcumsumexp(input, dim=normal_dim(dim, input.ndim))


# ---------------------------------------------------------------------- differences and integrals


@public(method=True, out=True)
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The `n`-th difference of neighbours along a dimension.

    >>> import flambeau as torch
    >>> torch.diff(torch.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    need_tensor(input, "diff")
    if not input.ndim:
        raise ShapeError(
            "diff expects input to be at least one-dimensional",
            why="neighbours are subtracted, and a single number has none",
            fix="use `x.unsqueeze(0)` first",
        )
    dim = normal_dim(dim, input.ndim)
    if n < 0:
        raise ShapeError(
            f"order must be non-negative but got {n}",
            why="it is how many times differences are taken",
            fix="pass 0 or more",
        )
    for extra in (prepend, append):
        if extra is not None and extra.ndim != input.ndim:
            raise ShapeError(
                "diff expects prepend or append to be the same dimension as input",
                why=f"`input` has {input.ndim} dimension(s), and what is joined to it {extra.ndim}",
                fix="add dimensions with `unsqueeze`",
            )
        if extra is not None and any(a != b for i, (a, b) in enumerate(zip(extra.shape, input.shape)) if i != dim):
            raise ShapeError(
                "diff expects the shape of tensor to prepend or append to match that of input except "
                "along the differencing dimension;",
                why=f"`input` has shape {tuple(input.shape)}, and what is joined to it {tuple(extra.shape)}",
                fix=f"give both the same sizes except in dimension {dim}",
            )
    if n == 0:
        return input.clone()
    parts = [t for t in (prepend, input, append) if t is not None]
    t = cat(parts, dim) if len(parts) > 1 else input
    if n >= t.shape[dim]:
        return narrow_to(t, dim, 0, 0).clone()
    for _ in range(n):
        m = t.shape[dim]
        after, before = narrow_to(t, dim, 1, m - 1), narrow_to(t, dim, 0, m - 1)
        t = after.logical_xor(before) if t.dtype is dtypes.bool else after - before
    return t


def _pairs(y, x, dx, dim, name):
    """(sum of each pair of neighbours, width of each interval)."""
    need_tensor(y, name)
    if y.dtype is dtypes.bool:
        raise DtypeError(
            f"{name}: received a bool input for `y`, but bool is not supported",
            why="areas are computed from numbers",
            fix="convert it: `y.float()`",
        )
    if not y.ndim:
        normal_dim(dim, 0, scalar=False)
    dim = normal_dim(dim, y.ndim)
    n = y.shape[dim]
    both = narrow_to(y, dim, 0, max(n - 1, 0)) + narrow_to(y, dim, 1, max(n - 1, 0)) if n else y
    if x is None:
        return both, dx, dim, None
    if isinstance(x, Tensor) and x.dtype is dtypes.bool:
        raise DtypeError(
            f"{name}: received a bool input for `x`, but bool is not supported",
            why="areas are computed from numbers",
            fix="convert it: `x.float()`",
        )
    if not isinstance(x, Tensor):
        return both, x, dim, None
    if not x.ndim:
        raise ShapeError(
            f"{name}: expected x to be at least a 1-dimensional tensor",
            why="`x` holds the place of each sample",
            fix="pass a vector, or the distance of the samples as `dx`",
        )
    if x.ndim == 1:
        if x.shape[0] != n:
            raise ShapeError(
                f"{name}: There must be one `x` value for each sample point",
                why=f"`x` has {x.shape[0]} element(s), `y` has {n} along dimension {dim}",
                fix=f"pass {n} of them, or the distance of the samples as `dx`",
            )
        widths = diff(x).reshape([-1 if i == dim else 1 for i in range(y.ndim)])
        return both, widths, dim, widths
    lead = y.ndim - x.ndim
    full = x if lead <= 0 else x.reshape((1,) * lead + tuple(x.shape))
    at = dim if lead >= 0 else dim - lead
    if full.shape[at] != n:
        raise ShapeError(
            f"{name}: There must be one `x` value for each sample point",
            why=f"`x` has {full.shape[at]} along that dimension, `y` has {n}",
            fix=f"pass {n} of them, or the distance of the samples as `dx`",
        )
    widths = diff(full, dim=at)
    return both, widths, dim, widths


@public(aliases=("trapz",))
def trapezoid(y, x=None, *, dx=None, dim=-1):
    """Integral along a dimension by the trapezoidal rule, over spacing `dx` or the points `x`.

    >>> import flambeau as torch
    >>> torch.trapezoid(torch.tensor([1.0, 2.0, 3.0]))
    tensor(4.)
    """
    if x is not None and dx is not None and isinstance(x, Tensor):
        raise ArgumentTypeError(
            "trapezoid() received an invalid combination of arguments: x and dx",
            why="`x` says where the samples lie, `dx` how far apart",
            fix="pass one of both",
        )
    if isinstance(y, Tensor) and y.ndim and y.shape[normal_dim(dim, y.ndim)] == 0:
        return y.sum(dim) * 1.0 if y.dtype.category < 2 else y.sum(dim)
    both, widths, dim, spread = _pairs(y, x, 1 if dx is None else dx, dim, "trapezoid")
    if spread is None:
        return both.sum(dim) * widths / 2 if y.dtype.category >= 2 else both.sum(dim) * widths / 2.0
    made = both * widths
    return made.sum(made.ndim - y.ndim + dim if made.ndim > y.ndim else dim) / 2


@public()
def cumulative_trapezoid(y, x=None, *, dx=None, dim=-1):
    """Running integral along a dimension by the trapezoidal rule.

    >>> import flambeau as torch
    >>> torch.cumulative_trapezoid(torch.tensor([1.0, 2.0, 3.0]))
    tensor([1.5000, 4.0000])
    """
    both, widths, dim, spread = _pairs(y, x, 1 if dx is None else dx, dim, "cumulative_trapezoid")
    made = both * widths
    return cumsum(made, made.ndim - y.ndim + dim if made.ndim > y.ndim else dim) / 2
