"""Convolutions in 1-3 dimensions, and transposed ones.

Three primitives are closed under differentiation, each being the gradient of the other two:

    out = conv(input, weight)      input gradient = spread(g, weight)      weight gradient = correlate(g, input)

A transposed convolution is `spread` used forwards. Kernels of `kernels/convolve.py` compute all three in float32 and
float64. The NumPy formulas, for other dtypes and as the reference, work sample by sample on a matrix of columns (a row
per weight, one column per output position). Depthwise convolutions, whose matrices would be a single row, are sums of
shifted products.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import MetaArray, meta_empty
from ..autograd.mode import autocasting
from ..checks.tags import CONVOLUTION
from ..dtypes import FROM_NUMPY, HALVES
from ..errors import ShapeError
from ..kernels import convolve as kernels
from ..kernels.casts import cast
from ..mistakes.channels import wrong_channels
from ..mistakes.dtypes import mixed_dtypes
from .entry import primitive, public
from .fused import title
from .linalg import c_name
from .precision import lower
from .promotion import check_devices
from .shape import need_tensor
from .sliding import kernel_offsets, per_dim, positions_of, result_size, sliding_windows, with_padding


def _wide(*arrays):
    """16-bit floats are computed in float32."""
    return [cast(a, np.dtype(np.float32)) if FROM_NUMPY[a.dtype] in HALVES else a for a in arrays]


def _is_depthwise(weight, groups):
    return groups > 1 and weight.shape[1] == 1 and weight.shape[0] == groups


# ---------------------------------------------------------------------- array-level forward and gradients


def _conv_array(input, weight, bias, stride, padding, dilation, groups):
    kernel = weight.shape[2:]
    size = result_size(input.shape[2:], kernel, stride, padding, dilation)
    n, out_channels = input.shape[0], weight.shape[0]
    if isinstance(input, MetaArray):
        return meta_empty((n, out_channels, *size), input.dtype)
    result = input.dtype
    input, weight = _wide(input, weight)
    if bias is not None:
        bias = bias.astype(input.dtype, copy=False)
    made = kernels.convolution(input, weight, bias, stride, padding, dilation, groups, size)
    if made is not None:
        return cast(made, result, copy=False)
    out = np.empty((n, out_channels, *size), input.dtype)
    if _is_depthwise(weight, groups):
        x = with_padding(input, padding)
        out[...] = 0
        for offset in kernel_offsets(kernel):
            part = x[(slice(None), slice(None), *positions_of(offset, stride, dilation, size))]
            out += part * weight[(slice(None), 0, *offset)].reshape(-1, *[1] * len(kernel))
    elif out.size:
        k, p = math.prod(weight.shape[1:]), math.prod(size)
        w = np.ascontiguousarray(weight).reshape(groups, out_channels // groups, k)
        flat = out.reshape(n, groups, out_channels // groups, p)
        for some, columns in _columns(input, kernel, stride, padding, dilation, size, groups):
            np.matmul(w, columns, out=flat[some])
    if bias is not None:
        out += bias.reshape(-1, *[1] * len(kernel))
    return cast(out, result, copy=False)


CHUNK = 1 << 20  # elements of columns at a time


def _columns(input, kernel, stride, padding, dilation, size, groups):
    """(some samples, their matrices of columns [samples, groups, weights, positions]); the buffer is used again."""
    n, channels = input.shape[:2]
    k, p = channels // groups * math.prod(kernel), math.prod(size)
    count = max(1, min(n, CHUNK // max(groups * k * p, 1)))
    buffer = np.empty((count, groups, k, p), input.dtype)
    view = sliding_windows(with_padding(input, padding), kernel, stride, dilation, size)
    for i in range(0, n, count):
        some = slice(i, min(i + count, n))
        columns = buffer[: some.stop - some.start]
        np.copyto(columns.reshape(-1, *view.shape[1:]), view[some])
        yield some, columns


def _spread_array(input, weight, shape, stride, padding, dilation, groups):
    """The gradient of a convolution's input, of spatial sizes `shape`; also its transpose used forwards."""
    kernel, size = weight.shape[2:], input.shape[2:]
    n, channels = input.shape[0], weight.shape[1] * groups
    if isinstance(input, MetaArray):
        return meta_empty((n, channels, *shape), input.dtype)
    result = input.dtype
    input, weight = _wide(input, weight)
    made = kernels.gradient_of_input(input, weight, shape, stride, padding, dilation, groups)
    if made is not None:
        return cast(made, result, copy=False)
    # Output positions may reach beyond the wanted shape when a stride does not divide it: room for both.
    room = [max(m + 2 * p, (o - 1) * s + d * (k - 1) + 1)
            for m, p, o, s, d, k in zip(shape, padding, size, stride, dilation, kernel)]  # fmt: skip
    full = np.zeros((n, channels, *room), np.result_type(input.dtype, weight.dtype))
    if _is_depthwise(weight, groups):
        for offset in kernel_offsets(kernel):
            full[(slice(None), slice(None), *positions_of(offset, stride, dilation, size))] += input * weight[
                (slice(None), 0, *offset)
            ].reshape(-1, *[1] * len(kernel))
    elif input.size:
        k, p = math.prod(weight.shape[1:]), math.prod(size)
        w = np.ascontiguousarray(weight).reshape(groups, weight.shape[0] // groups, k).swapaxes(1, 2)
        g = np.ascontiguousarray(input).reshape(n, groups, -1, p)
        columns = np.empty((groups, k, p), full.dtype)
        shaped = columns.reshape(channels, *kernel, *size)
        places = [(offset, positions_of(offset, stride, dilation, size)) for offset in kernel_offsets(kernel)]
        for i in range(n):
            np.matmul(w, g[i], out=columns)
            for offset, place in places:
                full[(i, slice(None), *place)] += shaped[(slice(None), *offset)]
    inner = full[(slice(None), slice(None), *[slice(p, p + m) for p, m in zip(padding, shape)])]
    return cast(np.ascontiguousarray(inner), result, copy=False)


def _correlate_array(g, input, kernel, stride, padding, dilation, groups):
    """The gradient of a convolution's weight."""
    out_channels, channels = g.shape[1], input.shape[1]
    shape = (out_channels, channels // groups, *kernel)
    if isinstance(g, MetaArray):
        return meta_empty(shape, g.dtype)
    result = g.dtype
    g, input = _wide(g, input)
    size = g.shape[2:]
    made = kernels.gradient_of_weight(g, input, kernel, stride, padding, dilation, groups)
    if made is not None:
        return cast(made, result, copy=False)
    if groups > 1 and channels == groups == out_channels:
        x = with_padding(input, padding)
        out = np.empty(shape, g.dtype)
        for offset in kernel_offsets(kernel):
            part = x[(slice(None), slice(None), *positions_of(offset, stride, dilation, size))]
            out[(slice(None), 0, *offset)] = (g * part).sum(axis=(0, *range(2, g.ndim)))
        return cast(out, result, copy=False)
    p = math.prod(size)
    rows = np.ascontiguousarray(g).reshape(g.shape[0], groups, out_channels // groups, p)
    total = np.zeros((groups, out_channels // groups, channels // groups * math.prod(kernel)), g.dtype)
    if g.size:
        for some, columns in _columns(input, kernel, stride, padding, dilation, size, groups):
            total += np.matmul(rows[some], columns.swapaxes(2, 3)).sum(axis=0)
    return cast(total.reshape(shape), result, copy=False)


# ---------------------------------------------------------------------- primitives


def _conj(x):
    return x.conj() if x.is_complex() else x


def _cropped(x, shape):
    """`x` without what output_padding has added beyond `shape`: those positions meet no input."""
    return x if x._array.shape == tuple(shape) else x[tuple([slice(0, n) for n in shape])]


def _channel_sum(g):
    return g.sum([0, *range(2, g.ndim)])


_conv = primitive(
    "convolution", _conv_array, node="ConvolutionBackward0",
    vjp={
        "input": lambda g, weight, input_shape, stride, padding, dilation, groups: _spread(
            g, _conj(weight), shape=tuple(input_shape[2:]), stride=stride, padding=padding, dilation=dilation,
            groups=groups),
        "weight": lambda g, input, weight_shape, stride, padding, dilation, groups: _correlate(
            g, _conj(input), kernel=tuple(weight_shape[2:]), stride=stride, padding=padding, dilation=dilation,
            groups=groups),
        "bias": lambda g: _channel_sum(g),
    },
)  # fmt: skip

_spread = primitive(
    "convolution_transpose", _spread_array, node="ConvolutionBackward0",
    vjp={
        "input": lambda g, weight, input_shape, stride, padding, dilation, groups: _cropped(_conv(
            g, _conj(weight), None, stride=stride, padding=padding, dilation=dilation, groups=groups), input_shape),
        "weight": lambda g, input, weight_shape, stride, padding, dilation, groups: _correlate(
            _conj(input), g, kernel=tuple(weight_shape[2:]), stride=stride, padding=padding, dilation=dilation,
            groups=groups),
    },
)  # fmt: skip

_correlate = primitive(
    "convolution_weight",
    lambda first, input, kernel, stride, padding, dilation, groups: _correlate_array(
        first, input, kernel, stride, padding, dilation, groups),
    node="ConvolutionBackwardBackward0",
    vjp={
        "first": lambda g, input, first_shape, stride, padding, dilation, groups: _cropped(_conv(
            _conj(input), g, None, stride=stride, padding=padding, dilation=dilation, groups=groups), first_shape),
        "input": lambda g, first, input_shape, stride, padding, dilation, groups: _spread(
            _conj(first), g, shape=tuple(input_shape[2:]), stride=stride, padding=padding, dilation=dilation,
            groups=groups),
    },
)  # fmt: skip


# ---------------------------------------------------------------------- arguments


def _check(input, weight, bias, n, stride, dilation, groups, transposed=False):
    name = f"conv{'_transpose' if transposed else ''}{n}d"
    need_tensor(input, name)
    need_tensor(weight, name, "weight", 2)
    if input._array.dtype != weight._array.dtype:
        kinds = c_name(input._array), c_name(weight._array)
        raise mixed_dtypes(
            f"expected scalar type {title(input)} but found {title(weight)}"
            if bias is None or transposed
            else f"Input type ({kinds[0]}) and bias type ({kinds[1]}) should be the same",
            input,
            weight,
        )
    if bias is not None and bias._array.dtype != input._array.dtype:
        raise mixed_dtypes(
            f"Input type ({c_name(input._array)}) and bias type ({c_name(bias._array)}) should be the same", input, bias
        )
    check_devices(input, weight, bias)
    if weight.ndim != n + 2:
        raise ShapeError(
            f"expected a {n + 2}-dimensional weight for {n}-dimensional convolution, but got weight of "
            f"size {list(weight.shape)}",
            why=f"its dimensions are output channels, input channels and {n} kernel size(s)",
            fix=f"pass a weight such as `torch.randn(8, 3, {', '.join(['3'] * n)})`",
        )
    if input.ndim not in (n + 1, n + 2):
        raise wrong_channels(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input.shape)}",
            input, n, weight.shape[0] if transposed else weight.shape[1] * max(groups, 1), name, "in_channels",
            (weight.shape[1] if transposed else weight.shape[0], *weight.shape[2:]),
        )  # fmt: skip
    if groups <= 0:
        raise ShapeError(
            "non-positive groups is not supported",
            why=f"`groups` is {groups}: the channels are divided into so many groups",
            fix="pass `groups=1`",
        )
    if any(s <= 0 for s in stride):
        raise ShapeError(
            "non-positive stride is not supported",
            why=f"the stride is {tuple(stride)}: the kernel moves by so many steps",
            fix="pass numbers of 1 or more",
        )
    if any(d <= 0 for d in dilation):
        raise ShapeError(
            "dilation should be greater than zero",
            why=f"the dilation is {tuple(dilation)}: elements of the kernel lie so far apart",
            fix="pass numbers of 1 or more",
        )
    if weight.shape[0] % groups or weight.shape[0] < groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, and divisible by "
            f"{groups}, but got weight of size {list(weight.shape)} instead",
            why=f"the {weight.shape[0]} channels are divided evenly into {groups} group(s)",
            fix=f"choose `groups` so that it divides {weight.shape[0]}",
        )
    batched = input if input.ndim == n + 2 else input.unsqueeze(0)
    channels = batched.shape[1]
    wanted = weight.shape[0] if transposed else weight.shape[1] * groups
    if channels != wanted:
        raise wrong_channels(
            f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size {list(weight.shape)}, "
            f"expected input{list(batched.shape)} to have {wanted} channels, but got {channels} channels instead",
            input, n, wanted, name, "in_channels",
            (weight.shape[1] if transposed else weight.shape[0], *weight.shape[2:]),
        )  # fmt: skip
    made = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and (bias.ndim != 1 or bias.shape[0] != made):
        raise ShapeError(
            f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size "
            f"{list(weight.shape)}, expected bias to be 1-dimensional with {made} elements, but got bias of "
            f"size {list(bias.shape)} instead",
            why="each output channel has its own bias",
            fix=f"pass a bias of shape ({made},)",
        )
    return batched


def _convolve(n, input, weight, bias, stride, padding, dilation, groups):
    if autocasting:
        input, weight, bias = lower(input, weight, bias)
    stride, dilation = per_dim(stride, n, "stride"), per_dim(dilation, n, "dilation")
    batched = _check(input, weight, bias, n, stride, dilation, groups)
    if isinstance(padding, str):
        batched, padding = _named_padding(batched, padding, weight.shape[2:], stride, dilation)
    padding = per_dim(padding, n, "padding")
    if any(p < 0 for p in padding):
        raise ShapeError(
            "negative padding is not supported",
            why=f"the padding is {tuple(padding)}",
            fix="cut the input instead: `F.pad(x, (-1, -1))`",
        )
    if any(k == 0 for k in weight.shape[2:]):
        raise ShapeError(
            "weight should have at least three dimensions, and its spatial sizes must not be 0",
            why=f"the weight has shape {tuple(weight.shape)}",
            fix="pass a weight whose kernel sizes are 1 or more",
        )
    spatial, reach = batched.shape[2:], [d * (k - 1) + 1 for k, d in zip(weight.shape[2:], dilation)]
    around = [m + 2 * p for m, p in zip(spatial, padding)]
    if any(a < r for a, r in zip(around, reach)):
        per = " x ".join
        raise ShapeError(
            f"Calculated padded input size per channel: ({per(map(str, around))}). Kernel size: "
            f"({per(map(str, reach))}). Kernel size can't be greater than actual input size",
            why=f"the input has spatial sizes {list(spatial)}: earlier layers have made it this small",
            fix="use padding, a smaller kernel, or fewer pooling layers before this one",
        )
    out = _conv(batched, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if out._node is None:
        out._tag = CONVOLUTION
    return out if batched.ndim == input.ndim else out.squeeze(0)


def _named_padding(x, padding, kernel, stride, dilation):
    """padding='valid' or 'same'; an odd total pads one more at the end, which is done here."""
    if padding == "valid":
        return x, 0
    if padding != "same":
        raise ShapeError(
            f"Invalid padding string: '{padding}'. Expected 'valid' or 'same'.",
            why="padding is a number of elements, or one of these two words",
            fix='pass `padding="same"` or `padding="valid"`',
        )
    if any(s != 1 for s in stride):
        raise ShapeError(
            "padding='same' is not supported for strided convolutions",
            why=f"the stride is {tuple(stride)}, so the output is smaller than the input",
            fix=f"pass the number of elements: `padding={kernel[0] // 2}`",
        )
    totals = [d * (k - 1) for k, d in zip(kernel, dilation)]
    if any(t % 2 for t in totals):
        x = _pad_end(x, extra=tuple([t % 2 for t in totals]))
    return x, tuple([t // 2 for t in totals])


_pad_end = primitive(
    "pad_end",
    lambda input, extra: np.pad(input, [(0, 0), (0, 0), *[(0, e) for e in extra]]),
    vjp={"input": lambda g, input_shape: g[tuple([slice(0, m) for m in input_shape])]},
    node="ConstantPadNdBackward0",
)


@public()
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """1-D convolution. input: (N, C, L) or (C, L); weight: (O, C / groups, K); result: (N, O, L').

    >>> import flambeau as torch
    >>> torch.conv1d(torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[[1.0, 1.0]]]))
    tensor([[[3., 5.]]])
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


@public()
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """2-D convolution (cross-correlation, as in every framework).

    input: (N, C, H, W) or (C, H, W); weight: (O, C / groups, R, S); result: (N, O, H', W') with
    H' = (H + 2 padding - dilation (R - 1) - 1) // stride + 1. `padding` may be "same" or "valid".

    >>> import flambeau as torch
    >>> torch.conv2d(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


@public()
def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """3-D convolution. input: (N, C, D, H, W) or (C, D, H, W); weight: (O, C / groups, ...).

    >>> import flambeau as torch
    >>> torch.conv3d(torch.ones(1, 1, 4, 4, 4), torch.ones(2, 1, 3, 3, 3)).shape
    torch.Size([1, 2, 2, 2, 2])
    """
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


@public()
def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Any convolution, as the functions above in one.

    >>> import flambeau as torch
    >>> torch.convolution(torch.ones(1, 1, 4), torch.ones(1, 1, 2), None, [1], [0], [1], False, [0], 1).shape
    torch.Size([1, 1, 3])
    """
    n = weight.ndim - 2
    if transposed:
        return _transposed(n, input, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolve(n, input, weight, bias, stride, padding, dilation, groups)


def _transposed(n, input, weight, bias, stride, padding, output_padding, groups, dilation):
    if autocasting:
        input, weight, bias = lower(input, weight, bias)
    stride, dilation = per_dim(stride, n, "stride"), per_dim(dilation, n, "dilation")
    padding, extra = per_dim(padding, n, "padding"), per_dim(output_padding, n, "output_padding")
    batched = _check(input, weight, bias, n, stride, dilation, groups, transposed=True)
    if any(p < 0 for p in padding):
        raise ShapeError(
            "negative padding is not supported", why=f"the padding is {tuple(padding)}", fix="pass numbers of 0 or more"
        )
    if any(e < 0 for e in extra):
        raise ShapeError(
            "negative output_padding is not supported",
            why=f"the output padding is {tuple(extra)}",
            fix="pass numbers of 0 or more",
        )
    if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation)):
        raise ShapeError(
            f"output padding must be smaller than either stride or dilation, but got output_padding: "
            f"{list(extra)}, stride: {list(stride)}, dilation: {list(dilation)}",
            why="it only chooses between sizes that one stride makes equal",
            fix=f"pass smaller numbers, such as `output_padding={max(stride[0] - 1, 0)}`",
        )
    shape = tuple([
        (m - 1) * s - 2 * p + d * (k - 1) + e + 1
        for m, s, p, d, k, e in zip(batched.shape[2:], stride, padding, dilation, weight.shape[2:], extra)
    ])  # fmt: skip
    if any(m <= 0 for m in shape):
        raise ShapeError(
            f"Given input size per channel: {list(batched.shape[2:])}. Calculated output size per channel: "
            f"{list(shape)}. Output size is too small",
            why="stride, padding and kernel leave nothing of it",
            fix="use less padding, or a larger input",
        )
    out = _spread(batched, weight, shape=shape, stride=stride, padding=padding, dilation=dilation, groups=groups)
    if bias is not None:
        out = out + bias.reshape(-1, *[1] * n)
    return out if batched.ndim == input.ndim else out.squeeze(0)


@public()
def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed 1-D convolution. weight: (C, O / groups, K).

    >>> import flambeau as torch
    >>> torch.conv_transpose1d(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 1.0]]]))
    tensor([[[1., 3., 2.]]])
    """
    return _transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public()
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed 2-D convolution: what conv2d does to gradients, used forwards. weight: (C, O / groups, R, S).

    >>> import flambeau as torch
    >>> torch.conv_transpose2d(torch.ones(1, 1, 4, 4), torch.ones(1, 2, 2, 2), stride=2).shape
    torch.Size([1, 2, 8, 8])
    """
    return _transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public()
def conv_transpose3d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """Transposed 3-D convolution. weight: (C, O / groups, ...).

    >>> import flambeau as torch
    >>> torch.conv_transpose3d(torch.ones(1, 1, 2, 2, 2), torch.ones(1, 2, 2, 2, 2), stride=2).shape
    torch.Size([1, 2, 4, 4, 4])
    """
    return _transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


@public()
def conv_tbc(input, weight, bias, pad=0):
    """1-D convolution with time first. input: (T, N, C); weight: (K, C, O); bias: (O,).

    >>> import flambeau as torch
    >>> torch.conv_tbc(torch.ones(5, 1, 2), torch.ones(3, 2, 4), torch.zeros(4)).shape
    torch.Size([3, 1, 4])
    """
    out = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return out.permute(2, 0, 1)
