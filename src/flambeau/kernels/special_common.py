"""What the special functions share: running a float64 kernel block by block, branches on values, Horner's rule."""

import functools

import numpy as np

BLOCK = 8192  # elements worked on at a time: a handful of float64 temporaries stay in the second-level cache


def horner(coefficients, t):
    """Polynomial in `t`, coefficients from the highest power down, without a temporary per step."""
    out = t * coefficients[0]
    out += coefficients[1]
    for c in coefficients[2:]:
        out *= t
        out += c
    return out


def piecewise(arrays, *cases):
    """Evaluate each case's function only where its mask holds; a later case overrides, nan where none holds.

    Arguments:
        arrays: 1-d arrays of one length, indexed by the masks and handed to the functions.
        cases: pairs (mask, function or number).
    """
    out = np.full(arrays[0].shape, np.nan)
    for mask, function in cases:
        where = np.flatnonzero(mask)
        if not where.size:
            continue
        if not callable(function):
            out[where] = function
        elif where.size == out.size:
            out = function(*arrays)
        else:
            out[where] = function(*(a[where] for a in arrays))
    return out


def result_dtype(arrays):
    """Floating dtype of the result: the inputs' common one, float64 for integers and bool."""
    dtype = np.result_type(*arrays)
    return np.dtype(np.float64) if dtype.kind in "iub" else dtype


def special(kernel=None, *, single=None):
    """Make a function of 1-d float64 blocks into one of arrays of any shape, layout and floating dtype.

    Arguments broadcast. The result has their common dtype; float32 is computed in float64 and rounded unless
    `single`, a kernel of its own for float32 blocks, is given. Arrays that are not plain ndarrays (shape-only ones)
    are never read: they get a ufunc's answer instead, which has the right shape.
    """
    if kernel is None:
        return functools.partial(special, single=single)

    @functools.wraps(kernel)
    def apply(*arrays):
        arrays = [np.asanyarray(a) for a in arrays]
        dtype = result_dtype(arrays)
        if any(type(a) is not np.ndarray for a in arrays):
            return functools.reduce(np.add, arrays).astype(dtype)
        body, working = (single, np.float32) if single is not None and dtype == np.float32 else (kernel, np.float64)
        if len(arrays) > 1:
            arrays = np.broadcast_arrays(*arrays)
        shape = arrays[0].shape
        flat = [a.reshape(-1) for a in arrays]
        size = flat[0].size
        out = np.empty(size, dtype)
        with np.errstate(all="ignore"):
            for start in range(0, size, BLOCK):
                stop = start + BLOCK
                out[start:stop] = body(*(a[start:stop].astype(working, copy=False) for a in flat))
        return out.reshape(shape)

    return apply


def sin_pi(x):
    """sin(pi x), with the argument reduced before the multiplication."""
    nearest = np.rint(x)
    sign = 1.0 - 2.0 * np.abs(np.fmod(nearest, 2.0))
    return sign * np.sin(np.pi * (x - nearest))
