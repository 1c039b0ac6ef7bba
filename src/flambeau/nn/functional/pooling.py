"""Pooling: maxima and means over windows, fixed, adaptive or random; and the way back from maxima."""

from __future__ import annotations

import math
import operator

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError, IndexOutOfRange, NotSupported, ShapeError
from ...ops import pooling as P
from ...ops.entry import public
from ...ops.fused import constant, need_float, title, with_out
from ...ops.linalg import matmul
from ...ops.shape import need_tensor
from ...tensor import wrap

_COUNTS = {1: "one int", 2: "two ints", 3: "three ints"}


def _each(value, n, name, function):
    """One int, or one per dimension, as a tuple of `n` ints."""
    if not isinstance(value, (tuple, list)):
        if not hasattr(value, "__index__"):
            raise ArgumentTypeError(
                f"{function}(): argument '{name}' must be tuple of ints, not {type(value).__name__}",
                why="a size has one whole number per dimension, or one for all",
                fix=f"use `{name}={value:.0f}`"
                if isinstance(value, float)
                else f"use `{name}=2` or a tuple of {n} ints",
            )
        return (operator.index(value),) * n
    if len(value) == 1:
        value = list(value) * n
    if len(value) != n:
        if n == 1:
            raise ShapeError(
                f"{function}() {name} must be an int, list of ints or tuple of ints of size 1 but got size "
                f"{len(value)}",
                why=f"it is {tuple(value)}, and one dimension is pooled",
                fix=f"use `{name}={value[-1] if value else 2}`",
            )
        raise ShapeError(
            f"{function}: {name} must either be a single int, or a tuple of {_COUNTS[n]}",
            why=f"it is {tuple(value)}, and {n} dimensions are pooled",
            fix=f"use `{name}={value[-1] if value else 2}`, or a tuple of {n} ints",
        )
    for at, v in enumerate(value, 1):
        if not hasattr(v, "__index__"):
            raise ArgumentTypeError(
                f"{function}(): argument '{name}' failed to unpack the object at pos {at} with error "
                f'"type must be tuple of ints,but got {type(v).__name__}"',
                why=f"a size has one whole number per dimension; {name} is {tuple(value)}",
                fix="convert its elements with `int()`",
            )
    return tuple([operator.index(v) for v in value])


def _check_rank(input, n, name):
    """RuntimeError unless the input is (C, *) or (N, C, *) with n pooled dimensions."""
    shape = list(input.shape)
    if input.ndim in (n + 1, n + 2):
        return
    if name == "avg_pool2d" and input.ndim >= 3:
        raise _empty(input, n)
    if name == "avg_pool2d":
        raise IndexOutOfRange(
            f"Dimension out of range (expected to be in range of [{-max(input.ndim, 1)}, {max(input.ndim, 1) - 1}], "
            "but got -3)",
            why="the last 2 dimensions are pooled; channels come before them, and the batch before those",
            fix="use `x.unsqueeze(0)` to add the missing dimension",
        )
    raise ShapeError(
        f"max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:{shape}"
        if name == "max_pool1d"
        else f"Expected 2 to 3 dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' (while "
        f"checking arguments for {name})"
        if n == 1
        else f"non-empty {n + 1}D or {n + 2}D (batch mode) tensor expected for input",
        why=f"the last {n} dimension(s) of {tuple(shape)} are pooled; channels come before them, and the batch before "
        "those",
        fix=f"use `x.unsqueeze(0)`, which has shape {(1, *shape)}"
        if input.ndim == n
        else f"give an input of {n + 1} or {n + 2} dimensions",
    )


def _empty(input, n, prefix=""):
    return ShapeError(
        f"{prefix}Expected {n + 1}D or {n + 2}D (batch mode) tensor with optional 0 dim batch size for input, but "
        f"got:{list(input.shape)}",
        why="there is nothing to take a maximum or mean of, as only the batch may be empty",
        fix="find the layer before that shrinks the input to nothing, or start from larger inputs",
    )


def _check_window(name, n, k, s, p, d):
    """Errors of one dimension's numbers, in PyTorch's order."""
    half = ((k - 1) * d + 1) // 2
    if n == 1 and name == "max_pool1d":
        for word, value in (("kernel_size", k), ("stride", s)):
            if value <= 0:
                raise ShapeError(
                    f"max_pool1d() {word} must be greater than zero, but got {value}",
                    why="windows have at least one element, and move by at least one",
                    fix=f"use `{word}=2`",
                )
        if d <= 0:
            raise ShapeError(
                f"max_pool1d() dilation must be greater than zero, but got {d}",
                why="it is the distance between the elements of a window",
                fix="use `dilation=1`",
            )
    if s == 0:
        raise ShapeError(
            "stride should not be zero",
            why="windows that do not move would never reach the end",
            fix="use `stride=1`, or leave it out for windows side by side",
        )
    if k <= 0 or s < 0:
        raise ShapeError(
            f"kernel size should be greater than zero, but got {k}"
            if k <= 0
            else f"stride should be greater than zero, but got {s}",
            why="windows have at least one element, and move by at least one",
            fix="use `kernel_size=2`" if k <= 0 else "use `stride=1`, or leave it out for windows side by side",
        )
    if d <= 0:
        raise ShapeError(
            f"dilation should be greater than zero, but got {d}",
            why="it is the distance between the elements of a window",
            fix="use `dilation=1`",
        )
    if p < 0:
        raise ShapeError(
            f"pad must be non-negative, but got pad: {p}",
            why="it is the number of elements added at both ends",
            fix=f"use `x[..., {-p}:{p}]` to take elements away before pooling",
        )
    if p > half:
        raise ShapeError(
            f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={d}",
            why=f"a window of {(k - 1) * d + 1} could otherwise lie wholly in the padding",
            fix=f"use `padding={half}` or less",
        )


_known: dict = {}  # geometries of calls that were found to be right


def _geometry(input, n, kernel, stride, padding, dilation, ceil, name):
    """((kernel, stride, padding, dilation, windows), ...) per dimension, checked."""
    need_tensor(input, name)
    key = (name, input._array.shape, kernel, stride, padding, dilation, ceil)
    try:
        return _known[key]
    except KeyError:
        if len(_known) > 1000:
            _known.clear()
        found = _known[key] = _new_geometry(input, n, kernel, stride, padding, dilation, ceil, name)
        return found
    except TypeError:  # a list among the arguments
        return _new_geometry(input, n, kernel, stride, padding, dilation, ceil, name)


def _new_geometry(input, n, kernel, stride, padding, dilation, ceil, name):
    kernel = _each(kernel, n, "kernel_size", name)
    stride = kernel if stride is None or stride == [] or stride == () else _each(stride, n, "stride", name)
    padding, dilation = _each(padding, n, "padding", name), _each(dilation, n, "dilation", name)
    shape = input._array.shape
    if len(shape) not in (n + 1, n + 2):
        _check_rank(input, n, name)
    found = []
    for size, k, s, p, d in zip(shape[-n:], kernel, stride, padding, dilation):
        if not (k > 0 and s > 0 and d > 0 and 0 <= p <= ((k - 1) * d + 1) // 2):
            _check_window(name, n, k, s, p, d)
        found.append((k, s, p, d, P.pooled_size(size, k, s, p, d, ceil)))
    if 0 in shape[len(shape) - n - 1 :]:
        if name == "max_pool3d":
            raise ShapeError(
                "max_pool3d_with_indices_out_cpu_template(): Expected input's non-batch dimensions to have positive "
                f"length, but input has a shape of {list(shape)} and non-batch dimension 0 has length zero!",
                why="there is nothing to take a maximum of, as only the batch may be empty",
                fix="find the layer before that shrinks the input to nothing, or start from larger inputs",
            )
        raise _empty(input, n, "max_pool1d: " if name == "max_pool1d" else "")
    if any(out <= 0 for *_, out in found):
        raise _too_small(shape, n, found, name)
    return tuple(found)


def _too_small(shape, n, geometry, name):
    given = tuple(shape[len(shape) - n - 1 :])
    if name == "max_pool1d":
        k, s, p, d, out = geometry[0]
        return ShapeError(
            f"max_pool1d() Invalid computed output size: {out}",
            why=f"a window of {(k - 1) * d + 1} does not fit into {shape[-1]} with padding {p}",
            fix="pool less often, use a smaller kernel, or start from longer inputs",
        )
    if n == 1:
        given = (given[0], 1, given[1])
    made = (*given[: len(given) - n], *[out for *_, out in geometry])
    size, (k, _, p, d, _) = next((size, g) for size, g in zip(shape[-n:], geometry) if g[-1] <= 0)
    return ShapeError(
        f"Given input size: ({'x'.join(map(str, given))}). Calculated output size: ({'x'.join(map(str, made))}). "
        "Output size is too small",
        why=f"a window of {(k - 1) * d + 1} does not fit into a dimension of {size} with padding {p}",
        fix="pool less often, use a smaller kernel, or start from larger inputs",
    )


# ---------------------------------------------------------------------- maxima


def _max_pool(input, n, kernel, stride, padding, dilation, ceil, indices, name):
    geometry = _geometry(input, n, kernel, stride, padding, dilation, ceil, name)
    if input._array.dtype.kind not in "fiuV":
        raise NotSupported(
            f"\"{name}\" not implemented for '{title(input)}'",
            why=f"{input.dtype.name} has no order to take a maximum by",
            fix="use `x.float()`",
        )
    out, winner = P._max_pool(input, geometry=geometry)
    if not indices:
        return out
    return out, wrap(P.flat_positions(winner._array, geometry, input._array.shape[-n:]))


def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The maximum over windows of the last dimension.

    Arguments:
        stride: distance between windows; default kernel_size.
        padding: added on both sides, as -inf; at most half the kernel. dilation: distance within a window.
        ceil_mode: let a last window hang over the end.
        return_indices: return (maxima, positions of the maxima).
    Shapes: (N, C, L) or (C, L).

    >>> import flambeau as torch
    >>> torch.nn.functional.max_pool1d(torch.tensor([[1.0, 3.0, 5.0, 2.0]]), 2)
    tensor([[3., 5.]])
    """
    return _max_pool(input, 1, kernel_size, stride, padding, dilation, ceil_mode, return_indices, "max_pool1d")


def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The maximum over windows of the last two dimensions; arguments as for `max_pool1d`.

    Shapes: (N, C, H, W) or (C, H, W). Raises RuntimeError when no window fits.

    >>> import flambeau as torch
    >>> torch.nn.functional.max_pool2d(torch.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return _max_pool(input, 2, kernel_size, stride, padding, dilation, ceil_mode, return_indices, "max_pool2d")


def max_pool3d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The maximum over windows of the last three dimensions; arguments as for `max_pool1d`.

    >>> import flambeau as torch
    >>> torch.nn.functional.max_pool3d(torch.rand(1, 3, 4, 8, 8), 2).shape
    torch.Size([1, 3, 2, 4, 4])
    """
    return _max_pool(input, 3, kernel_size, stride, padding, dilation, ceil_mode, return_indices, "max_pool3d")


def _with_indices(fn, n):
    def pooled(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        return fn(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    pooled.__name__ = pooled.__qualname__ = f"max_pool{n}d_with_indices"
    pooled.__doc__ = f"(maxima, positions of the maxima); see `max_pool{n}d`."
    return pooled


max_pool1d_with_indices = public("max_pool1d_with_indices")(_with_indices(max_pool1d, 1))
max_pool2d_with_indices = _with_indices(max_pool2d, 2)
max_pool3d_with_indices = _with_indices(max_pool3d, 3)


def _torch_max_pool(fn, n):
    def pooled(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        return fn(input, kernel_size, stride, padding, dilation, ceil_mode)

    pooled.__doc__ = f"The maximum over windows of the last {n} dimension(s)."
    return public(f"max_pool{n}d")(pooled)


for _n, _fn in ((1, max_pool1d), (2, max_pool2d), (3, max_pool3d)):
    _torch_max_pool(_fn, _n)


# ---------------------------------------------------------------------- means


def _avg_pool(input, n, kernel, stride, padding, ceil, include, override, name):
    geometry = _geometry(input, n, kernel, stride, padding, 1, ceil, name)
    if override == 0:
        raise ShapeError(
            "divisor must be not zero",
            why="each sum is divided by it",
            fix="leave divisor_override out to divide by the number of elements in the window",
        )
    if input._array.dtype.kind not in "fViu" or input._array.dtype.kind in "iu" and input.dtype.name != "int64":
        raise NotSupported(
            f"\"{name}\" not implemented for '{title(input)}'",
            why=f"a mean is a fraction, which {input.dtype.name} cannot hold",
            fix="use `x.float()`",
        )
    divide = P.divisors(geometry, input._array.shape[-n:], include, override, input._array.dtype)
    return P._avg_pool(input, geometry=geometry, divide=divide)


@public()
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean over windows of the last dimension.

    count_include_pad: padded zeros count in the mean.

    Shapes: (N, C, L) or (C, L).

    >>> import flambeau as torch
    >>> torch.nn.functional.avg_pool1d(torch.tensor([[1.0, 3.0, 5.0, 2.0]]), 2)
    tensor([[2.0000, 3.5000]])
    """
    return _avg_pool(input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, None, "avg_pool1d")


@with_out
def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):  # fmt: skip
    """The mean over windows of the last two dimensions; divisor_override: divide by this instead of the count.

    Shapes: (N, C, H, W) or (C, H, W). Raises RuntimeError for a divisor of 0.

    >>> import flambeau as torch
    >>> torch.nn.functional.avg_pool2d(torch.arange(8.0).reshape(1, 2, 4), 2)
    tensor([[[2.5000, 4.5000]]])
    """
    return _avg_pool(input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
                     "avg_pool2d")  # fmt: skip


@with_out
def avg_pool3d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):  # fmt: skip
    """The mean over windows of the last three dimensions; divisor_override: divide by this instead of the count.

    Shapes: (N, C, D, H, W) or (C, D, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.avg_pool3d(torch.rand(1, 3, 4, 8, 8), 2).shape
    torch.Size([1, 3, 2, 4, 4])
    """
    return _avg_pool(input, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override,
                     "avg_pool3d")  # fmt: skip


def _lp_pool(input, p, n, kernel_size, stride, ceil_mode):
    kernel = _each(kernel_size, n, "kernel_size", f"lp_pool{n}d")
    name = f"lp_pool{n}d"
    powers = input**p
    means = _avg_pool(powers, n, kernel, stride, 0, ceil_mode, True, None, name)
    # Negative sums (odd p) keep their sign under the root.
    return (
        (means.sign() * means.abs().relu() * math.prod(kernel)).relu() ** (1.0 / p)
        if p % 2 == 0
        else ((means.sign() * (means.abs().relu())) * math.prod(kernel)) ** (1.0 / p)
    )


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p)^(1/p) over windows of the last dimension, p = norm_type.

    Shapes: (N, C, L) or (C, L).

    >>> import flambeau as torch
    >>> torch.nn.functional.lp_pool1d(torch.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _lp_pool(input, norm_type, 1, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p)^(1/p) over windows of the last two dimensions, p = norm_type.

    Shapes: (N, C, H, W) or (C, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.lp_pool2d(torch.ones(1, 2, 4), 2, 2)
    tensor([[[2., 2.]]])
    """
    return _lp_pool(input, norm_type, 2, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(sum of x^p)^(1/p) over windows of the last three dimensions, p = norm_type.

    Shapes: (N, C, D, H, W) or (C, D, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.lp_pool3d(torch.ones(1, 4, 4, 4), 2, 2).shape
    torch.Size([1, 2, 2, 2])
    """
    return _lp_pool(input, norm_type, 3, kernel_size, stride, ceil_mode)


# ---------------------------------------------------------------------- adaptive windows


def _output_sizes(input, output_size, n, name):
    """The wanted size of each pooled dimension; None keeps one."""
    need_tensor(input, name)
    shape = input._array.shape
    wanted = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * n
    if n > 1 and isinstance(output_size, (tuple, list)) and len(shape) <= len(wanted):
        raise ArgumentError(
            f"Input dimension should be at least {len(wanted) + 1}",
            why=f"the last {len(wanted)} dimensions are pooled and channels come before them; the input has shape "
            f"{tuple(shape)}",
            fix="use `x.unsqueeze(0)` to add the missing dimension",
        )
    if len(wanted) != n:
        if n == 1:
            raise ShapeError(
                f"{name}() argument 'output_size' should contain one int (got {len(wanted)})",
                why="one dimension is pooled",
                fix=f"use `output_size={wanted[-1] if wanted else 1}`",
            )
        raise ShapeError(
            f"{name}(): internal error: output_size.size() must be {n}"
            if "max" in name
            else f"{name}: output_size must be {n}",
            why=f"it has {len(wanted)} numbers, and {n} dimensions are pooled",
            fix=f"use `output_size={wanted[-1] if wanted else 1}`, or a tuple of {n} ints",
        )
    if len(shape) not in (n + 1, n + 2):
        if n == 1:
            _check_rank(input, n, name)
        colon = ":" if "max" in name else ""
        raise ShapeError(
            f"{name}(): Expected {n + 1}D or {n + 2}D tensor, but got{colon} {list(shape)}",
            why=f"the last {n} dimension(s) are pooled, channels come before them",
            fix="use `x.unsqueeze(0)` to add a missing channel or batch dimension",
        )
    for i in range(len(shape) - n - 1, len(shape)):
        if shape[i] == 0:
            raise ShapeError(
                f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has "
                f"sizes {list(shape)} with dimension {i} being empty",
                why="there is nothing to take a maximum or mean of",
                fix="find the layer before that shrinks the input to nothing, or start from larger inputs",
            )
    sizes = tuple([size if w is None else operator.index(w) for w, size in zip(wanted, shape[-n:])])
    if any(s < 0 for s in sizes):
        if "max" in name:
            made = [*shape[: len(shape) - n], *([1] if n == 1 else []), *sizes]
            raise ShapeError(
                f"Trying to create tensor with negative dimension {min(sizes)}: {made}",
                why=f"output_size {tuple(sizes)} is the size of the result",
                fix="use None for a dimension that keeps its size",
            )
        raise ShapeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {[*sizes]}",
            why="it is the size of the result",
            fix="use None for a dimension that keeps its size",
        )
    return sizes


def _bounds(size, out):
    """Where each adaptive window begins and ends."""
    i = np.arange(out)
    return i * size // max(out, 1), -((-(i + 1) * size) // max(out, 1))


def _adaptive_avg(input, output_size, n):
    name = f"adaptive_avg_pool{n}d"
    sizes = _output_sizes(input, output_size, n, name)
    if input.dtype.category != 2:
        need_float(input, f"adaptive_avg_pool{n}d_cpu" if n > 2 else f"adaptive_avg_pool{n}d")
    shape = input._array.shape
    if all(s == 1 for s in sizes):
        return input.mean(tuple(range(-n, 0)), keepdim=True)
    if all(s and have % s == 0 for s, have in zip(sizes, shape[-n:])):
        kernel = tuple([have // s for s, have in zip(sizes, shape[-n:])])
        geometry = tuple([(k, k, 0, 1, s) for k, s in zip(kernel, sizes)])
        return P._avg_pool(input, geometry=geometry, divide=math.prod(kernel))
    out = input.float() if input.itemsize == 2 else input
    for axis in range(n):
        # Windows of one dimension are a matrix of weights; the whole is their product, one dimension at a time.
        have, wanted = shape[axis - n], sizes[axis]
        if have == wanted:
            continue
        start, end = _bounds(have, wanted)
        at = np.arange(have)
        inside = (at >= start[:, None]) & (at < end[:, None])
        weights = (inside / np.maximum(end - start, 1)[:, None]).astype(out._array.dtype)
        out = matmul(out.movedim(axis - n, -1), constant(weights, out).mT).movedim(-1, axis - n)
    return out.to(input.dtype)


@public()
def adaptive_avg_pool1d(input, output_size):
    """The mean over as many windows as `output_size` says, of the last dimension.

    Shapes: (N, C, L) or (C, L).

    >>> import flambeau as torch
    >>> torch.nn.functional.adaptive_avg_pool1d(torch.tensor([[1.0, 3.0, 2.0, 4.0]]), 2)
    tensor([[2., 3.]])
    """
    return _adaptive_avg(input, output_size, 1)


def adaptive_avg_pool2d(input, output_size):
    """The mean over (height, width) windows of the last two dimensions; None keeps a size.

    Shapes: (N, C, H, W) or (C, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.adaptive_avg_pool2d(torch.rand(1, 3, 8, 6), (1, None)).shape
    torch.Size([1, 3, 1, 6])
    """
    return _adaptive_avg(input, output_size, 2)


def adaptive_avg_pool3d(input, output_size):
    """The mean over (depth, height, width) windows of the last three dimensions; None keeps a size.

    Shapes: (N, C, D, H, W) or (C, D, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.adaptive_avg_pool3d(torch.rand(1, 3, 4, 8, 6), 1).shape
    torch.Size([1, 3, 1, 1, 1])
    """
    return _adaptive_avg(input, output_size, 3)


def _adaptive_max(input, output_size, n, indices):
    name = f"adaptive_max_pool{n}d"
    sizes = _output_sizes(input, output_size, n, name)
    need_float(input, name)
    windows = []
    for have, wanted in zip(input._array.shape[-n:], sizes):
        start, end = _bounds(have, wanted)
        longest = int((end - start).max()) if wanted else 1
        windows.append(np.minimum(start[:, None] + np.arange(longest), end[:, None] - 1))
    out = P._window_max(input, windows=tuple(windows))
    return out if indices else out[0]


def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The maximum over as many windows as `output_size` says, of the last dimension.

    Shapes: (N, C, L) or (C, L).

    >>> import flambeau as torch
    >>> torch.nn.functional.adaptive_max_pool1d(torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 2)
    tensor([[4., 3.]])
    """
    return _adaptive_max(input, output_size, 1, return_indices)


def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The maximum over (height, width) windows of the last two dimensions; None keeps a size.

    Shapes: (N, C, H, W) or (C, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.adaptive_max_pool2d(torch.rand(1, 3, 8, 6), (2, None)).shape
    torch.Size([1, 3, 2, 6])
    """
    return _adaptive_max(input, output_size, 2, return_indices)


def adaptive_max_pool3d(input, output_size, return_indices=False):
    """The maximum over (depth, height, width) windows of the last three dimensions; None keeps a size.

    Shapes: (N, C, D, H, W) or (C, D, H, W).

    >>> import flambeau as torch
    >>> torch.nn.functional.adaptive_max_pool3d(torch.rand(1, 3, 4, 8, 6), 2).shape
    torch.Size([1, 3, 2, 2, 2])
    """
    return _adaptive_max(input, output_size, 3, return_indices)


@public("adaptive_max_pool1d")
def adaptive_max_pool1d_with_indices(input, output_size, return_indices=False):
    """(maxima, positions of the maxima)."""
    return _adaptive_max(input, output_size, 1, True)


def adaptive_max_pool2d_with_indices(input, output_size, return_indices=False):
    """(maxima, positions of the maxima)."""
    return _adaptive_max(input, output_size, 2, True)


def adaptive_max_pool3d_with_indices(input, output_size, return_indices=False):
    """(maxima, positions of the maxima)."""
    return _adaptive_max(input, output_size, 3, True)
