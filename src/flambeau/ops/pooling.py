"""Pooling over windows of the last dimensions, in one, two or three dimensions alike.

A window of k elements is k shifted, strided slices of the padded input: the maximum (or sum) over windows is the
maximum (or sum) of k slices, each a whole array. Maxima remember which slice won, one byte per result.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from ..arrays import meta_empty
from ..kernels import fused as kernels
from ..kernels import pools
from .entry import primitive
from .fused import in_single


def pooled_size(size, kernel, stride, padding, dilation, ceil) -> int:
    """How many windows fit along one dimension."""
    reach = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (reach + (stride - 1 if ceil else 0)) // stride + 1
    # With ceil, a last window may hang over the end, but must begin inside the input or its left padding.
    return out - 1 if ceil and (out - 1) * stride >= size + padding else out


def _padded(x, geometry, value):
    """The input with room for every window: (kernel, stride, padding, dilation, out) per dimension."""
    n = len(geometry)
    widths, crop = [(0, 0)] * (x.ndim - n), [slice(None)] * (x.ndim - n)
    for size, (k, s, p, d, out) in zip(x.shape[-n:], geometry):
        need = (out - 1) * s + d * (k - 1) + 1
        widths.append((p, max(need - size - p, 0)))
        crop.append(slice(p, p + size))
    if any(w != (0, 0) for w in widths):
        shape = [size + a + b for size, (a, b) in zip(x.shape, widths)]
        room = np.full(shape, value, x.dtype)
        room[tuple(crop)] = x
        x = room
    return x, tuple(crop)


def _slices(geometry):
    """Per element of a window: the slice of the padded input that holds it for all windows."""
    for offsets in itertools.product(*[range(k) for k, *_ in geometry]):
        yield (..., *[
            slice(o * d, o * d + (out - 1) * s + 1, s) for o, (k, s, p, d, out) in zip(offsets, geometry)
        ])  # fmt: skip


def _result_shape(shape, geometry):
    return (*shape[: len(shape) - len(geometry)], *[out for *_, out in geometry])


def lowest(dtype):
    """The value below all others of a dtype."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return -np.inf


# ---------------------------------------------------------------------- maxima


def _as_image(geometry):
    """(kernel, stride, padding, dilation, windows), each for two dimensions: a line is an image of one row."""
    return [tuple(part) for part in zip(*((1, 1, 0, 1, 1),) * (2 - len(geometry)), *geometry)]


@in_single
def _max_pool_array(input, geometry):
    """(maxima, number of the element of each window that is it); geometry: (k, stride, padding, dilation, out) each."""
    count = math.prod(k for k, *_ in geometry)
    small = np.uint8 if count <= 256 else np.int32
    shape = _result_shape(input.shape, geometry)
    if type(input) is not np.ndarray:
        return meta_empty(shape, input.dtype), meta_empty(shape, small)
    if len(geometry) <= 2:
        *how, size = _as_image(geometry)
        made = kernels.max_pool2d(input if len(geometry) == 2 else input[..., None, :], *how, size)
        if made is not None:
            return tuple([a.reshape(shape) for a in made])
    x, _ = _padded(input, geometry, lowest(input.dtype))
    best = None
    for i, part in enumerate(_slices(geometry)):
        values = x[part]
        if best is None:
            best, winner = values.copy(), np.zeros(shape, small)
            continue
        better = values > best
        np.maximum(best, values, out=best)
        winner[better] = i
    if best.dtype.kind == "f" and np.isnan(best).any():
        winner = _nan_winners(x, geometry, best, winner)
    return best, winner


def _nan_winners(x, geometry, best, winner):
    """A nan counts as larger than anything; of several, the last one wins, as in PyTorch."""
    for i, part in enumerate(_slices(geometry)):
        winner[np.isnan(x[part])] = i
    return winner


def _max_pool_spread(g, winner, geometry, shape):
    """Each value put back to where the maximum came from."""
    if type(g) is not np.ndarray:
        return meta_empty(shape, g.dtype)
    if len(geometry) <= 2:
        *how, size = _as_image(geometry)
        lead = g.shape[: g.ndim - len(geometry)]
        image = (*lead, *[1] * (2 - len(geometry)), *shape[len(lead) :])
        made = kernels.max_pool_backward(g.reshape(*lead, *size), winner.reshape(*lead, *size), image, *how)
        if made is not None:
            return made.reshape(shape)
    room, crop = _padded(np.zeros(shape, g.dtype), geometry, 0)
    apart = all(s >= d * (k - 1) + 1 for k, s, p, d, out in geometry)  # windows do not overlap
    for i, part in enumerate(_slices(geometry)):
        if apart:
            room[part] = g * (winner == i)
        else:
            room[part] += g * (winner == i)
    return room[crop] if room.shape != tuple(shape) else room


def _max_pool_collect(g, winner, geometry):
    """The values at the positions of the maxima: the adjoint of `_max_pool_spread`."""
    x, _ = _padded(g, geometry, 0)
    out = np.zeros(winner.shape, g.dtype)
    for i, part in enumerate(_slices(geometry)):
        out += x[part] * (winner == i)
    return out


def _spread_rule(g, aux, geometry, input_shape):
    return _spread(g[0], aux[1], geometry=geometry, shape=input_shape)


_max_pool = primitive("max_pool", _max_pool_array, vjp={"input": _spread_rule}, node="MaxPool2DWithIndicesBackward0")
_spread = primitive(
    "max_pool_backward", _max_pool_spread, node="MaxPool2DWithIndicesBackwardBackward0",
    vjp={"g": lambda g, winner, geometry: _collect(g, winner, geometry=geometry)},
)  # fmt: skip
_collect = primitive(
    "max_pool_collect", _max_pool_collect,
    vjp={"g": lambda g, winner, geometry, g_shape: _spread(g, winner, geometry=geometry, shape=g_shape)},
)  # fmt: skip


def flat_positions(winner, geometry, sizes):
    """PyTorch's indices: the position of each maximum in its flattened plane."""
    if type(winner) is not np.ndarray:
        return meta_empty(winner.shape, np.int64)
    flat = np.zeros(winner.shape, np.int64)
    n = len(geometry)
    element = winner.astype(np.int64)
    strides = [math.prod(k for k, *_ in geometry[i + 1 :]) for i in range(n)]
    for i, (k, s, p, d, out) in enumerate(geometry):
        offset = element // strides[i] % k
        start = (np.arange(out) * s - p).reshape(-1, *[1] * (n - 1 - i))
        flat = flat * sizes[i] + np.clip(start + offset * d, 0, max(sizes[i] - 1, 0))
    return flat


# ---------------------------------------------------------------------- means


@functools.lru_cache(maxsize=256)
def divisors(geometry, sizes, count_include_pad, override, dtype):
    """What each window's sum is divided by: a number, or an array over the windows."""
    if override is not None:
        return override
    full = math.prod(k for k, *_ in geometry)
    per_dim = []
    for size, (k, s, p, _, out) in zip(sizes, geometry):
        start = np.arange(out) * s - p
        end = np.minimum(start + k, size + p)
        if not count_include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, size)
        per_dim.append(end - start)
    if all((c == k).all() for c, (k, *_) in zip(per_dim, geometry)):
        return full
    counts = per_dim[0]
    for c in per_dim[1:]:
        counts = counts[..., None] * c
    return counts.astype(dtype)


@in_single
def _avg_pool_array(input, geometry, divide):
    if type(input) is not np.ndarray:
        return meta_empty(_result_shape(input.shape, geometry), input.dtype)
    made = pools.mean_pool(input, geometry, divide)
    if made is not None:
        return made
    x, _ = _padded(input, geometry, 0)
    total = None
    for part in _slices(geometry):
        if total is None:
            total = x[part].copy()
        else:
            total += x[part]
    if total.dtype.kind in "iu":
        return (np.trunc(total / divide)).astype(total.dtype)
    total /= total.dtype.type(divide) if not isinstance(divide, np.ndarray) else divide.astype(total.dtype)
    return total


@in_single
def _avg_pool_spread(g, geometry, divide, shape):
    if type(g) is not np.ndarray:
        return meta_empty(shape, g.dtype)
    made = pools.mean_pool_backward(g, geometry, divide, tuple(shape))
    if made is not None:
        return made
    share = g / (g.dtype.type(divide) if not isinstance(divide, np.ndarray) else divide.astype(g.dtype))
    room, crop = _padded(np.zeros(shape, g.dtype), geometry, 0)
    for part in _slices(geometry):
        room[part] += share
    return room[crop] if room.shape != tuple(shape) else room


_avg_pool = primitive(
    "avg_pool", _avg_pool_array, node="AvgPool2DBackward0",
    vjp={"input": lambda g, geometry, divide, input_shape: _avg_spread(g, geometry=geometry, divide=divide,
                                                                       shape=input_shape)},
)  # fmt: skip
_avg_spread = primitive(
    "avg_pool_backward", _avg_pool_spread, node="AvgPool2DBackwardBackward0",
    vjp={"g": lambda g, geometry, divide: _avg_pool(g, geometry=geometry, divide=divide)},
)  # fmt: skip

# ---------------------------------------------------------------------- windows given by index


def _window_max_array(input, windows):
    """(maxima, flat positions) over windows that are products of index sets.

    windows: per dimension an array (out, k) of positions; a shorter set repeats its last one.
    """
    n = len(windows)
    if type(input) is not np.ndarray:
        shape = (*input.shape[:-n], *[w.shape[0] for w in windows])
        return meta_empty(shape, input.dtype), meta_empty(shape, np.int64)
    sizes = input.shape[-n:]
    outs = [w.shape[0] for w in windows]
    flat = np.zeros((), np.int64)
    for i, w in enumerate(windows):
        shape = [1] * (2 * n)
        shape[i], shape[n + i] = w.shape
        flat = flat * sizes[i] + w.reshape(shape)
    flat = flat.reshape(math.prod(outs), -1)
    lead = input.shape[:-n]
    planes = input.reshape(math.prod(lead), math.prod(sizes))
    values = planes[:, flat]
    at = values.argmax(axis=2) if values.dtype.kind != "V" else values.astype(np.float32).argmax(axis=2)
    position = np.take_along_axis(np.broadcast_to(flat, values.shape), at[..., None], 2)[..., 0]
    best = np.take_along_axis(values, at[..., None], 2)[..., 0]
    return best.reshape(*lead, *outs), position.reshape(*lead, *outs)


_window_max = primitive(
    "window_max", _window_max_array, node="AdaptiveMaxPool2DBackward0",
    vjp={"input": lambda g, aux, windows, input_shape: _put_flat(g[0], aux[1], sizes=input_shape[-len(windows):])},
)  # fmt: skip


def _put_flat_array(g, positions, sizes):
    """Add values to their flat positions in planes of zeros of the given sizes."""
    n = len(sizes)
    lead, plane = g.shape[: g.ndim - n], math.prod(sizes)
    if type(g) is not np.ndarray:
        return meta_empty((*lead, *sizes), g.dtype)
    planes = math.prod(lead)
    room = np.zeros(planes * plane, g.dtype)
    each = math.prod(positions.shape[positions.ndim - n :])
    where = positions.reshape(planes, each) + (np.arange(planes) * plane)[:, None]
    np.add.at(room, where.reshape(-1), g.reshape(-1))
    return room.reshape(*lead, *sizes)


def _take_flat_array(g, positions, n):
    """The values at flat positions in planes: the adjoint of `_put_flat_array`."""
    lead = g.shape[: g.ndim - n]
    planes, plane = math.prod(lead), math.prod(g.shape[g.ndim - n :])
    if type(g) is not np.ndarray:
        return meta_empty(positions.shape, g.dtype)
    each = math.prod(positions.shape[positions.ndim - n :])
    got = np.take_along_axis(g.reshape(planes, plane), positions.reshape(planes, each), 1)
    return got.reshape(positions.shape)


_put_flat = primitive(
    "put_flat", _put_flat_array,
    vjp={"g": lambda g, positions, sizes: _take_flat(g, positions, n=len(sizes))},
)  # fmt: skip
_take_flat = primitive(
    "take_flat", _take_flat_array,
    vjp={"g": lambda g, positions, n, g_shape: _put_flat(g, positions, sizes=g_shape[len(g_shape) - n :])},
)  # fmt: skip


def _unpool_array(input, positions, sizes):
    """Values written (not added) to their flat positions in planes of zeros."""
    n = len(sizes)
    lead, plane = input.shape[: input.ndim - n], math.prod(sizes)
    if type(input) is not np.ndarray:
        return meta_empty((*lead, *sizes), input.dtype)
    planes = math.prod(lead)
    room = np.zeros((planes, plane), input.dtype)
    each = math.prod(input.shape[input.ndim - n :])
    np.put_along_axis(room, positions.reshape(planes, each), input.reshape(planes, each), 1)
    return room.reshape(*lead, *sizes)


_unpool = primitive(
    "max_unpool", _unpool_array, node="MaxUnpool2DBackward0",
    vjp={"input": lambda g, positions, sizes: _take_flat(g, positions, n=len(sizes))},
)  # fmt: skip
