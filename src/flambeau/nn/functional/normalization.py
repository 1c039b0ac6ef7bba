"""Normalisation layers as functions."""

from __future__ import annotations

import math
import operator

from ...autograd.mode import no_grad
from ...checks.data import single_value_advice
from ...errors import ArgumentError, ArgumentTypeError, DivisionByZero, DtypeError, ShapeError
from ...kernels.record import into
from ...mistakes.channels import wrong_norm
from ...ops import norm as N
from ...ops.entry import public, write_out
from ...ops.fused import need_float
from ...ops.join import cat as _join
from ...ops.promotion import check_devices
from ...ops.shape import need_tensor
from ...tensor import Tensor, wrap


def _sizes(normalized_shape):
    try:
        return tuple([operator.index(s) for s in normalized_shape])
    except TypeError:
        raise ArgumentTypeError(
            "layer_norm(): argument 'normalized_shape' (position 2) must be tuple of ints, not "
            f"{type(normalized_shape).__name__}",
            why="it names the sizes of the last dimensions, e.g. (64,)",
            fix=f"use `({normalized_shape},)`"
            if isinstance(normalized_shape, int)
            else "use a tuple of ints, such as `x.shape[-1:]`",
        ) from None


def _check_normalized(input, shape, weight, bias):
    if not shape:
        raise ShapeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []",
            why="the mean is taken over the dimensions that it names",
            fix="use `input.shape[-1:]` for the last dimension",
        )
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and tuple(t.shape) != shape:
            raise ShapeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(t.shape)} and normalized_shape = {list(shape)}",
                why=f"each of the elements that are normalised together has its own {name}",
                fix=f"use a {name} of shape {shape}",
            )
    if tuple(input.shape[max(input.ndim - len(shape), 0) :]) != shape:
        stars = "".join(f", {s}" for s in shape)
        raise ShapeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*{stars}], but got input of size"
            f"{list(input.shape)}",
            why=f"the last {len(shape)} dimension(s) of the input are {tuple(input.shape[-len(shape) :])}",
            fix=f"use `nn.LayerNorm({list(input.shape[-len(shape) :])})`",
        )


def _same_dtype(input, weight, bias, name):
    for t in (weight, bias):
        if t is not None and t._array.dtype != input._array.dtype:
            if t.dtype.name == "float32" and input.dtype.itemsize == 2:
                continue  # parameters in single precision with 16-bit activations
            raise DtypeError(
                "mixed dtype (CPU): expect parameter to have scalar type of Float"
                if input.dtype.name == "float32"
                else "mixed dtype (CPU): all inputs must share same datatype.",
                why=f"the input of {name} is {input.dtype.name}, its parameters are {t.dtype.name}",
                fix=f"use `layer.to({input.dtype})`, or `x.to({t.dtype})`",
                code="FB-DTYPE-01",
                cause="mixed",
            )


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions (Ba et al. 2016).

    normalized_shape: the sizes of those dimensions; weight and bias have this shape.

    >>> import flambeau as torch
    >>> torch.nn.functional.layer_norm(torch.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    need_tensor(input, "layer_norm")
    shape = _sizes(normalized_shape)
    a = input._array
    if (
        a.shape[a.ndim - len(shape) :] != shape
        or not shape
        or a.ndim < len(shape)
        or (weight is not None and weight._array.shape != shape or bias is not None and bias._array.shape != shape)
    ):
        _check_normalized(input, shape, weight, bias)
    if a.dtype.kind != "f":
        need_float(input, "LayerNormKernelImpl")
    _same_dtype(input, weight, bias, "layer_norm")
    return N._layer_norm(input, weight, bias, shape=shape, eps=eps)[0]


@public("layer_norm")
def _torch_layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05, cudnn_enable=True):
    """(x - mean) / sqrt(var + eps) * weight + bias over the last dimensions."""
    return layer_norm(input, normalized_shape, weight, bias, eps)


@public()
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """x / sqrt(mean(x²) + eps) * weight over the last dimensions (Zhang and Sennrich 2019).

    eps: default the machine epsilon of the dtype.

    >>> import flambeau as torch
    >>> torch.nn.functional.rms_norm(torch.tensor([3.0, 4.0]), (2,))
    tensor([0.8485, 1.1314])
    """
    need_tensor(input, "rms_norm")
    shape = _sizes(normalized_shape)
    _check_normalized(input, shape, weight, None)
    kind = input.dtype
    if not (kind.is_floating_point or kind.is_complex):
        need_float(input, "rms_norm")
    if eps is None:
        eps = {2: 2.0**-10 if kind.name == "float16" else 2.0**-7, 4: 2.0**-23}.get(kind.to_real().itemsize, 2.0**-52)
    if kind.is_floating_point and kind.itemsize > 2 and (weight is None or weight.dtype is kind):
        return N._rms_norm(input, weight, shape=shape, eps=eps)[0]
    dims = tuple(range(input.ndim - len(shape), input.ndim))
    x = input.float() if kind.itemsize == 2 else input
    out = x * ((x * x).mean(dims, keepdim=True) + eps) ** -0.5
    out = out.to(kind)
    return out if weight is None else out * weight


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Each group of channels of each sample normalised to mean 0 and variance 1 (Wu and He 2018).

    Shapes: input (N, C, *), weight and bias (C,).
    Raises RuntimeError when the groups do not divide the channels.

    >>> import flambeau as torch
    >>> torch.nn.functional.group_norm(torch.tensor([[1.0, 3.0, 10.0, 30.0]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    need_tensor(input, "group_norm")
    if input.ndim < 2:
        raise ShapeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}",
            why=f"channels are dimension 1: (N, C, *); the input has shape {tuple(input.shape)}",
            fix="use `x.unsqueeze(0)` to add the batch dimension",
        )
    channels = input.shape[1]
    if num_groups == 0:
        raise DivisionByZero(
            "integer division or modulo by zero",
            why="the channels are divided into that many groups",
            fix="use a divisor of the number of channels",
        )
    if num_groups < 0:
        raise ShapeError(
            f"Expected num groups to be greater than 0, got {num_groups}",
            why=f"the {channels} channels are divided into that many groups",
            fix=f"use a divisor of {channels}",
        )
    if weight is not None and weight._array.ndim == 1 and weight._array.size != channels and channels % num_groups:
        raise wrong_norm(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}",
            input,
            weight._array.size,
            "GroupNorm",
        )
    if channels % num_groups:
        raise ShapeError(
            f"Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}",
            why=f"groups have equally many channels, and {channels} / {num_groups} is not a whole number",
            fix=f"use one of {[d for d in range(1, channels + 1) if channels % d == 0][:12]} groups",
        )
    for name, t in (("weight", weight), ("bias", bias)):
        if t is not None and tuple(t.shape) != (channels,):
            raise wrong_norm(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got "
                f"{name} of shape {list(t.shape)} and input of shape {list(input.shape)}",
                input,
                t._array.size,
                "GroupNorm",
            )
    size = input.shape[0] * channels // num_groups if channels else 0
    _check_values_per_channel((input.shape[0] * channels // num_groups, num_groups, *input.shape[2:]), size, input)
    need_float(input, "GroupNormKernelImpl")
    _same_dtype(input, weight, bias, "group_norm")
    return N._group_norm(input, weight, bias, groups=num_groups, eps=eps)[0]


@public("group_norm")
def _torch_group_norm(input, num_groups, weight=None, bias=None, eps=1e-5, cudnn_enabled=True):
    """Each group of channels of each sample normalised to mean 0 and variance 1."""
    return group_norm(input, num_groups, weight, bias, eps)


def _check_values_per_channel(shape, *unused):
    """ValueError when there is one value per channel: its variance is 0."""
    if math.prod((*shape[:1], *shape[2:])) != 1:
        return
    data, samples, size = single_value_advice()
    raise ArgumentError(
        f"Expected more than 1 value per channel when training, got input size torch.Size({list(shape)})",
        why=f"the {samples} samples of {data} in batches of {size} leave a last batch of 1, and a single value per "
        "channel has no variance to normalise by"
        if data
        else "a single value has no variance to normalise by",
        fix=f"use `DataLoader(..., batch_size={size}, drop_last=True)`, or a batch size that leaves no single sample"
        if data
        else "use a batch of at least 2 samples (drop_last=True in the DataLoader drops a last batch of one), or "
        "`model.eval()`",
        code="" if unused else "FB-DATA-09",
    )


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Each channel normalised over the batch (Ioffe and Szegedy 2015).

    Arguments:
        running_mean, running_var: used instead of the batch's statistics unless `training`; updated in training as
            running += momentum (new - running), with the unbiased variance.
    Shapes: input (N, C, *); all others (C,).

    >>> import flambeau as torch
    >>> torch.nn.functional.batch_norm(torch.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    need_tensor(input, "batch_norm")
    if training:
        _check_values_per_channel(input.shape)
        if eps <= 0.0:
            raise ArgumentError(
                f"batch_norm eps must be positive during training, but got {eps}",
                why="it keeps the division safe where the variance is 0",
                fix="use `eps=1e-5`",
            )
    given = (("running_mean", running_mean), ("running_var", running_var), ("weight", weight), ("bias", bias))
    channels = input._array.shape[1] if input._array.ndim > 1 else 0
    for name, t in given:
        if t is not None and t._array.size != channels:
            raise wrong_norm(
                f"{name} should contain {channels} elements not {t._array.size}", input, t._array.size, "BatchNorm"
            )
    if not training and (running_mean is None or running_var is None):
        missing = "running_mean" if running_mean is None else "running_var"
        raise ShapeError(
            f"{missing} must be defined in evaluation mode",
            why="evaluation normalises with the statistics gathered in training",
            fix="use `training=True` to take those of the batch, or give running_mean and running_var",
        )
    if input._array.dtype.kind != "f":
        need_float(input, "batch_norm")
    if running_mean is not None and type(running_mean._array) is not type(input._array):
        check_devices(input, running_mean)
    _same_dtype(input, weight, bias, "batch_norm")
    if input._array.ndim < 2:
        return input * 1
    if not training:
        _same_dtype(input, running_mean, running_var, "batch_norm")
        return N._batch_norm(input, weight, bias, _plain(running_mean), _plain(running_var), training=False, eps=eps)[0]
    out, mean, _, var = N._batch_norm(input, weight, bias, None, None, training=True, eps=eps)
    count = input._array.size // max(channels, 1)
    if not count:
        return out
    _update(running_mean, mean, momentum)
    _update(running_var, var, momentum, count / max(count - 1, 1))
    return out


def _plain(t):
    return t if not t._rg else wrap(t._array)


def _update(running, new, momentum, factor=1.0):
    """running += momentum (factor new - running), in place and outside the graph."""
    if running is None or running.is_meta:
        return
    a = running._array
    into("running", a, lambda a, new: a + momentum * (factor * new - a), a, new._array)
    running._bump()


@public("batch_norm")
def _torch_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled=True):
    """Each channel normalised over the batch, or by running statistics when not training."""
    return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
                  momentum=0.1, eps=1e-5):  # fmt: skip
    """Each channel of each sample normalised by itself (Ulyanov et al. 2016).

    use_input_stats: False normalises by the running statistics instead.

    >>> import flambeau as torch
    >>> torch.nn.functional.instance_norm(torch.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    need_tensor(input, "instance_norm")
    if use_input_stats:
        spatial = math.prod(input.shape[2:])
        if spatial == 1:
            raise ArgumentError(
                f"Expected more than 1 spatial element when training, got input size torch.Size({list(input.shape)})",
                why="one element alone has no variance to normalise by",
                fix="normalise before the map has shrunk to one element, or use `F.layer_norm` over the channels",
            )
    n, c = input.shape[:2]
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ShapeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false",
                why="without the input's own statistics, there is nothing else to normalise by",
                fix="use `use_input_stats=True`, or give running_mean and running_var",
            )
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if running_mean is None and running_var is None:
        need_float(input, "batch_norm")
        _same_dtype(input, weight, bias, "instance_norm")
        return N._group_norm(input, weight, bias, groups=c, eps=eps)[0]
    flat = input.reshape(1, n * c, *input.shape[2:])
    tiled = [None if t is None else wrap(t._array).repeat(n) for t in (running_mean, running_var)]
    scale = [None if t is None else t.repeat(n) for t in (weight, bias)]
    out = batch_norm(flat, tiled[0], tiled[1], scale[0], scale[1], True, momentum, eps)
    for t, new in zip((running_mean, running_var), tiled):
        if t is not None:
            with no_grad():
                t.copy_(new.reshape(n, c).mean(0))
    return out.reshape(input.shape)


@public("instance_norm")
def _torch_instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps,
                         cudnn_enabled=True):  # fmt: skip
    """Each channel of each sample normalised by itself."""
    return instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """x / (k + alpha mean(x² over `size` neighbouring channels))^beta (Krizhevsky et al. 2012).

    Shapes: input (N, C, *).

    >>> import flambeau as torch
    >>> torch.nn.functional.local_response_norm(torch.ones(1, 2, 1), 2, alpha=1.0)
    tensor([[[0.7378],
             [0.5946]]])
    """
    need_tensor(input, "local_response_norm")
    if input.ndim < 3:
        raise ArgumentError(
            f"Expected 3D or higher dimensionality                          input (got {input.ndim} dimensions)",
            why=f"sums run over neighbouring channels of (N, C, *); the input has shape {tuple(input.shape)}",
            fix="use `x.unsqueeze(0)` to add the batch dimension",
        )
    if input.numel() == 0:
        return input
    square = input * input
    n, c = input.shape[:2]
    before, after = size // 2, (size - 1) // 2
    rest = input.shape[2:]
    padded = _cat([square.new_zeros((n, before, *rest)), square, square.new_zeros((n, after, *rest))])
    total = padded.narrow(1, 0, c)
    for i in range(1, size):
        total = total + padded.narrow(1, i, c)
    return input / (total * (alpha / size) + k) ** beta


def _cat(parts) -> Tensor:
    return _join([p for p in parts if p.shape[1]], 1)


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """x / max(‖x‖_p, eps) along `dim`.

    >>> import flambeau as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    need_tensor(input, "normalize")
    made = input / input.norm(p, dim, keepdim=True).clamp_min(eps).expand_as(input)
    if out is None:
        return made
    return write_out(made, out, "normalize")
