"""What operations call: array in, array out, or None where the NumPy formula is to be used instead.

None is returned for small arrays (loading LLVM for them would cost more than it brings), dtypes other than float32 and
float64 (softmax takes those of 16 bits too), layouts that a kernel does not read, arrays that are not plain
`np.ndarray`s, and where there is no LLVM. The choice depends on shapes and dtypes alone, so a program gets the same
bits every time.
"""

from __future__ import annotations

import functools
import inspect
import os
from typing import Any

import numpy as np

from . import channels, norms, products, rearrange, rows, windows
from .bodies import HALVES, KINDS, trace
from .build import backend
from .loops import Loop, Output, Unsupported, run
from .pointwise import BODIES
from .updates import update as update

# Elements below which NumPy is used; FLAMBEAU_KERNELS_FROM=1 puts every array through kernels (to test them).
SMALL = int(os.environ.get("FLAMBEAU_KERNELS_FROM") or 4096)
_KIND = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}
_ndarray = np.ndarray
PAST_FROM = 12 << 20  # bytes of a result from which rows are written past the caches
PAST_COLS = 8192  # elements of such a row at most: softmax holds one on the stack


def _kind(x, small=None):
    """f4 or f8 if kernels may take x, else None."""
    return _KIND.get(x.dtype) if type(x) is _ndarray and x.size >= (SMALL if small is None else small) else None


def _flat(a):
    """The array in C order."""
    return a if a.flags.c_contiguous else np.ascontiguousarray(a)


@functools.cache
def _loop(name, kind):
    body, arrays = BODIES[name]
    lines, (result,) = trace(body, arrays, len(inspect.signature(body).parameters) - arrays)
    return Loop((kind,) * arrays, lines, (Output(result, kind),))


def pointwise(name: str, *arrays, numbers: tuple[float, ...] = ()):
    """An element-wise body of `pointwise.BODIES` on arrays of one shape and dtype."""
    x = arrays[0]
    kind = _kind(x)
    if kind is None or backend() is None:
        return None
    for a in arrays[1:]:
        if a.shape != x.shape or a.dtype != x.dtype or type(a) is not _ndarray:
            return None
    try:
        return run(_loop(name, kind), arrays, numbers)[0]
    except Unsupported:
        return None


def prefer(name: str, formula):
    """The element-wise kernel `name` where it can be used, else the NumPy formula."""

    @functools.wraps(formula)
    def either(x, *others):
        made = pointwise(name, x, *others) if x.size >= SMALL else None
        return formula(x, *others) if made is None else made

    either.formula = BODIES[name][0]  # type: ignore[attr-defined]  # for compiled steps
    return either


def _lines(x, axis):
    """(rows, cols) where `axis` is the last dimension, else None."""
    if not x.ndim or axis not in (-1, x.ndim - 1):
        return None
    cols = x.shape[-1]
    return (x.size // cols, cols) if cols else None


def _row_map(kernel, x, axis, *others):
    kind = KINDS.get(x.dtype) if type(x) is _ndarray and x.size >= SMALL else None
    if kind not in ("f4", "f8", *HALVES):
        return None
    lines = _lines(x, axis)
    if lines is None or any(o.shape != x.shape for o in others):
        return None
    f = kernel.get(kind, **({} if kind in HALVES else _past(x, lines[1])))
    if f is None:
        return None
    out = np.empty(x.shape, x.dtype)
    return out if f(_flat(x), *[_flat(o) for o in others], out, *lines) else None


def _past(x, cols):
    """The option that a result like x, too large to stay in the cache, is written past it."""
    return {"past": PAST_COLS} if x.nbytes >= PAST_FROM and cols <= PAST_COLS else {}


def softmax(x, axis):
    """e^x / sum e^x along the last dimension."""
    return _row_map(rows.softmax, x, axis)


def softmax_backward(g, out, axis):
    """out (g - sum(g out))"""
    return _row_map(rows.softmax_backward, g, axis, out)


def log_softmax(x, axis):
    """x - log sum e^x along the last dimension."""
    return _row_map(rows.log_softmax, x, axis)


def log_softmax_backward(g, out, axis):
    """g - e^out sum(g)"""
    return _row_map(rows.log_softmax_backward, g, axis, out)


def logsumexp(x, axis):
    """log sum e^x along the last dimension, which is dropped."""
    kind = _kind(x)
    lines = kind and _lines(x, axis)
    f = lines and rows.logsumexp.get(kind)
    if not f:
        return None
    out = np.empty(x.shape[:-1], x.dtype)
    return out if f(_flat(x), out, *lines) else None


def _classes(x, target, ignore: int):
    """(kind, the class whose rows do not count) for scores (N, C) and int64 classes (N,); None if they are not that."""
    kind = _kind(x)
    if kind is None or x.ndim != 2 or target.shape != x.shape[:1] or target.dtype != np.int64:
        return None
    return kind, ignore if 0 <= ignore < x.shape[1] else x.shape[1]


def cross_entropy(x, target, ignore: int = -1, reduction: str = "none", w=None, smoothing: float = 0.0):
    """(loss of each row, or their sum or mean; log sum e^x of each row; how many rows count, or their weights' sum).

    Rows whose class is `ignore` or not in [0, C) do not count: callers tell ignored rows from errors.
    w: a weight for each class, or None.
    """
    taken = _classes(x, target, ignore)
    f = taken and rows.cross_entropy.get(taken[0], _absent(w=w), smooth=smoothing != 0)
    if not f:
        return None
    kind, ignored = taken
    target, loss, total = _flat(target), np.empty(x.shape[0], x.dtype), np.empty((x.shape[0], 1), x.dtype)
    value, counted, w = np.empty((), x.dtype), np.empty((), x.dtype), None if w is None else _flat(w)
    whole: Any = rows.cross_entropy_total.get(kind, _absent(w=w), mean=reduction == "mean")
    if not f(_flat(x), target, *_given(w), loss, total, *x.shape, ignored, float(smoothing)):
        return None
    if not whole or not whole(loss, target, *_given(w), value, counted, *x.shape, ignored, 1):
        return None
    return loss if reduction == "none" else value, total, counted


def cross_entropy_backward(g, x, target, total, counted, ignore: int = -1, reduction: str = "none", w=None,
                           smoothing: float = 0.0):  # fmt: skip
    """The gradient of cross_entropy's first result, of which g is the gradient."""
    taken = _classes(x, target, ignore)
    options = {"each": reduction == "none", "mean": reduction == "mean", "smooth": smoothing != 0}
    f = taken and rows.cross_entropy_backward.get(taken[0], _absent(w=w), **options)
    if not f or g.size != (x.shape[0] if options["each"] else 1):
        return None
    out, w = np.empty(x.shape, x.dtype), None if w is None else _flat(w)
    done = f(_flat(x), _flat(target), *_given(w), total, _flat(g), counted, out, *x.shape, g.size, taken[1],
             float(smoothing))  # fmt: skip
    return out if done else None


def _absent(**arrays):
    return tuple(name for name, a in arrays.items() if a is None)


def _given(*arrays):
    return [a for a in arrays if a is not None]


def _blocks(count, cols):
    """Into how many blocks of rows to cut, each with its own partial sums: the shape decides, not the threads."""
    return max(1, min(32, count // 16, count * cols // 16384))


def add_up(parts):
    """The sum over the first dimension of an array that a kernel made."""
    if len(parts) == 1:
        return parts[0]
    return run(_reduction("sum", _KIND[parts.dtype]), [parts], reduced=(0,))[0]


def layer_norm(x, w, b, cols: int, eps: float):
    """(y, mean, 1 / std), normalised over the last dimensions, `cols` elements."""
    kind = _kind(x)
    f = kind and rows.layer_norm.get(kind, _absent(w=w, b=b), **_past(x, cols))
    if not f:
        return None
    lines = x.size // cols, cols
    y, mean, rstd = np.empty(x.shape, x.dtype), np.empty(lines[0], x.dtype), np.empty(lines[0], x.dtype)
    return (y, mean, rstd) if f(_flat(x), *_given(w, b), y, mean, rstd, *lines, float(eps)) else None


def layer_norm_backward(g, x, w, mean, rstd, cols: int, needs=(True, True)):
    """(dx, dw, db) of layer_norm, or of rms_norm where mean is None; needs: whether dw and db are wanted."""
    kind = _kind(x)
    if kind is None:
        return None
    blocks = _blocks(x.size // cols, cols)
    dw, db = (np.empty((blocks, cols), x.dtype) if wanted else None for wanted in needs)
    f = rows.norm_backward.get(kind, _absent(w=w, mean=mean, dw=dw, db=db), **_past(x, cols))
    dx = np.empty(x.shape, x.dtype)
    if not f or not f(_flat(g), _flat(x), *_given(w, mean), rstd, dx, *_given(dw, db), x.size // cols, cols, blocks):
        return None
    return dx, *(None if a is None else add_up(a) for a in (dw, db))


def rms_norm(x, w, cols: int, eps: float):
    """(y, 1 / rms) over the last dimensions, `cols` elements."""
    kind = _kind(x)
    f = kind and rows.rms_norm.get(kind, _absent(w=w), **_past(x, cols))
    if not f:
        return None
    y, rstd = np.empty(x.shape, x.dtype), np.empty(x.size // cols, x.dtype)
    return (y, rstd) if f(_flat(x), *_given(w), y, rstd, rstd.size, cols, float(eps)) else None


def group_norm(x, w, b, groups: int, eps: float):
    """(y, mean, 1 / std) of (N, C, ...), normalised over each of `groups` groups of channels of each sample."""
    kind = _kind(x)
    f = kind and norms.group_norm.get(kind, _absent(w=w, b=b))
    if not f:
        return None
    n, c, s = _channels(x)
    y, mean, rstd = np.empty(x.shape, x.dtype), np.empty(n * groups, x.dtype), np.empty(n * groups, x.dtype)
    done = f(
        _flat(x), *_given(w, b), y, mean, rstd, n, c, groups, c // groups, n * groups, s, c * s // groups, float(eps)
    )
    return (y, mean, rstd) if done else None


def group_norm_backward(g, x, w, mean, rstd, groups: int):
    """(dx, dw, db) of group_norm."""
    kind = _kind(x)
    f = kind and norms.group_norm_backward.get(kind, _absent(w=w))
    if not f:
        return None
    n, c, s = _channels(x)
    dx, dw, db = np.empty(x.shape, x.dtype), np.empty((n, c), x.dtype), np.empty((n, c), x.dtype)
    done = f(
        _flat(g),
        _flat(x),
        *_given(w),
        mean,
        rstd,
        dx,
        dw,
        db,
        n,
        c,
        groups,
        c // groups,
        n * groups,
        s,
        c * s // groups,
    )
    return (dx, add_up(dw), add_up(db)) if done else None


def _channels(x):
    """(samples, channels, places), and whether to go by columns."""
    n, c = x.shape[:2]
    s = x.size // (n * c)
    return n, c, s


def batch_norm(x, w, b, eps: float):
    """(y, mean, biased variance, 1 / std) with the batch's statistics per channel of (N, C, ...)."""
    kind = _kind(x)
    if kind is None or x.ndim < 2:
        return None
    n, c, s = _channels(x)
    kernel = channels.batch_norm_columns if s == 1 else channels.batch_norm
    f = kernel.get(kind, _absent(w=w, b=b))
    if f is None:
        return None
    y, given = np.empty(x.shape, x.dtype), [a for a in (w, b) if a is not None]
    mean, var, rstd = (np.empty(c, x.dtype) for _ in range(3))
    sizes = (n, c, (c + 63) // 64) if s == 1 else (n, c, s)
    return (y, mean, var, rstd) if f(_flat(x), *given, y, mean, var, rstd, *sizes, float(eps)) else None


def batch_norm_backward(g, x, w, mean, rstd):
    """(dx, dw, db) of batch_norm, through its statistics."""
    kind = _kind(x)
    if kind is None or x.ndim < 2:
        return None
    n, c, s = _channels(x)
    kernel = channels.batch_norm_columns_backward if s == 1 else channels.batch_norm_backward
    f = kernel.get(kind, _absent(w=w))
    if f is None:
        return None
    dx, given = np.empty(x.shape, x.dtype), () if w is None else (w,)
    dw, db = np.empty(c, x.dtype), np.empty(c, x.dtype)
    sizes = (n, c, (c + 63) // 64) if s == 1 else (n, c, s)
    return (dx, dw, db) if f(_flat(g), _flat(x), *given, mean, rstd, dx, dw, db, *sizes) else None


@functools.cache
def _reduction(op, kind):
    return Loop((kind,), (("in", 0),), (Output(0, kind, op),))


_REDUCTIONS = {np.add: "sum", np.multiply: "prod", np.maximum: "max", np.minimum: "min"}


def reduce(ufunc, x, axes, keepdims: bool = False):
    """ufunc.reduce of an array over a tuple of axes (None: all) in the array's dtype; 16-bit floats in float32."""
    kind, op = KINDS.get(x.dtype), _REDUCTIONS[ufunc]
    if kind is None or x.size < SMALL or type(x) is not _ndarray or backend() is None:
        return None
    axes = tuple(range(x.ndim)) if axes is None else axes
    if not axes or kind == "b1" or op in ("sum", "prod") and kind in ("u1", "i1", "i2", "i4"):
        return None
    try:
        return run(_reduction(op, kind), [x], reduced=axes, keepdims=keepdims)[0]
    except Unsupported:
        return None


def total(x, axis):
    """The sum over one dimension, dropped; or over all (axis None)."""
    return reduce(np.add, x, None if axis is None else (axis,))


def contiguous(x):
    """A C-contiguous copy of an array whose last two dimensions are swapped in memory."""
    kind = _kind(x)
    if kind is None or x.ndim < 2:
        return None
    swapped = x.swapaxes(-1, -2)
    if not swapped.flags.c_contiguous or x.flags.c_contiguous:
        return None
    f = rearrange.transpose.get(kind)
    n, m = swapped.shape[-2:]
    out = np.empty(x.shape, x.dtype)
    return out if f and f(swapped, out, x.size // (n * m), n, m, (m + 15) // 16) else None


def _sizes(x_shape, kernel, out, stride, padding, dilation):
    return (*x_shape[-2:], *kernel, *out, *stride, *padding, *dilation)


def takes(x) -> bool:
    """Whether there are kernels for arrays of this kind at all."""
    return _kind(x, 0) is not None and backend() is not None


def _planes(shape):
    return int(np.prod(shape[:-2], dtype=np.int64))


def max_pool2d(x, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple, size: tuple):
    """(values, which element of each window) for images (..., H, W) and output size `size`."""
    kind = _kind(x)
    if kind is None or kernel[0] * kernel[1] > 256:
        return None
    whole = (
        padding == (0, 0)
        and dilation == (1, 1)
        and kernel[0] * kernel[1] <= 16
        and all((o - 1) * s + k <= n for o, s, k, n in zip(size, stride, kernel, x.shape[-2:], strict=True))
    )
    f = windows.max_pool_whole.get(kind, kernel=kernel, stride=stride) if whole else windows.max_pool.get(kind)
    if not f:
        return None
    y, winner = np.empty(x.shape[:-2] + size, x.dtype), np.empty(x.shape[:-2] + size, np.uint8)
    sizes = (*x.shape[-2:], *size) if whole else _sizes(x.shape, kernel, size, stride, padding, dilation)
    return (y, winner) if f(_flat(x), y, winner, _planes(x.shape), *sizes) else None


def max_pool_backward(g, winner, shape, kernel: tuple, stride: tuple, padding: tuple, dilation: tuple):
    """Gradients added where max_pool2d found its values, in an array of `shape` (..., H, W)."""
    kind = _kind(g)
    f = kind and winner.dtype == np.uint8 and windows.max_pool_backward.get(kind)
    if not f:
        return None
    out = np.empty(shape, g.dtype)
    sizes = _sizes(shape, kernel, g.shape[-2:], stride, padding, dilation)
    return out if f(_flat(g), _flat(winner), out, _planes(shape), *sizes) else None


def matmul(a, b, out=None, bias=None):
    """np.matmul, and + bias (of at most two dimensions, broadcast), by our own kernels where they take the arrays."""
    # A small product is left to NumPy, unless NumPy would make a second pass for the bias.
    if a.ndim > 1 and b.ndim > 1 and a.size * b.shape[-1] > (SMALL - 1) * (8 if bias is None else 1):
        made = products.matmul(a, b, out, bias)
        if made is not None:
            return made
    elif (a.ndim == 1 or b.ndim == 1) and a.size > 8 * (SMALL - 1) and out is None and products.kind_of(a, b):
        # A vector is a matrix of one row or one column, which the result does not have.
        made = matmul(a if a.ndim > 1 else a[None], b if b.ndim > 1 else b[:, None])
        return made.reshape((*made.shape[:-2], *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ())))
    if a.ndim == 2 and b.ndim == 2 and out is None and type(a) is _ndarray is type(b):
        made = a.dot(b)  # at half of matmul's cost for a small one
    else:
        made = np.matmul(a, b, out=out)
    if bias is not None:
        made += bias
    return made
