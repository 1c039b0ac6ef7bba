"""Activation functions."""

from __future__ import annotations

import numpy as np

from ...checks.axes import implied
from ...dtypes import finfo
from ...errors import ArgumentError, DtypeError, NotSupported, ShapeError
from ...generator import default_generator
from ...language import warn
from ...ops import activation as A
from ...ops import softmax as _softmax_ops
from ...ops.activation import hardshrink as hardshrink
from ...ops.activation import prelu as prelu
from ...ops.elementwise import relu as _relu
from ...ops.elementwise import sigmoid as _sigmoid
from ...ops.elementwise import tanh as _tanh
from ...ops.entry import assign, check_writable, public
from ...ops.fused import need_float, title, with_out
from ...ops.shape import need_tensor, normal_dim
from ...tensor import wrap


def _in_place(input, result, inplace):
    """The result, stored in the input itself if asked for."""
    if not inplace:
        return result
    return assign(input, result)


def _start(input, name, inplace=False, kernel=None):
    need_tensor(input, name)
    if kernel is not None:
        need_float(input, kernel)
    if inplace:
        check_writable(input)


def relu(input, inplace=False):
    """max(0, x).

    inplace: overwrite `input` with the result.

    >>> import flambeau as torch
    >>> torch.nn.functional.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input.relu_() if inplace else _relu(input)


def relu_(input):
    """In-place `relu`.

    Returns: the input, changed.

    >>> import flambeau as torch
    >>> x = torch.tensor([-1.0, 2.0])
    >>> torch.nn.functional.relu_(x) is x, x
    (True, tensor([0., 2.]))
    """
    return input.relu_()


def relu6(input, inplace=False):
    """min(max(0, x), 6).

    >>> import flambeau as torch
    >>> torch.nn.functional.relu6(torch.tensor([-1.0, 3.0, 8.0]))
    tensor([0., 3., 6.])
    """
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """x limited to the range from `min_val` to `max_val`.

    Raises ValueError when min_val is greater than max_val.

    >>> import flambeau as torch
    >>> torch.nn.functional.hardtanh(torch.tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    _start(input, "hardtanh", inplace)
    if min_val > max_val:
        raise ArgumentError(
            "min_val cannot be greater than max_val",
            why=f"values are limited to min_val to max_val, and {min_val} > {max_val}",
            fix=f"swap them: `min_val={max_val}, max_val={min_val}`",
        )
    category = input.dtype.category
    if category == 0 or category == 3:
        if category == 0:
            raise DtypeError(
                "Bool inputs not supported for hardtanh",
                why="True and False have no limits to be kept within",
                fix="use `x.float()`",
            )
        raise NotSupported(
            "clamp is not supported for complex types",
            why="complex numbers have no order, so no limits",
            fix="use `x.real.clamp(min, max)` for the real part",
        )
    if category == 1:
        if not input.dtype.is_signed and min(min_val, max_val) < 0:
            raise DtypeError(
                "cannot do hardtanh on an unsigned type with negative limits",
                why=f"{input.dtype.name} holds no negative numbers, and the limits are {min_val} and {max_val}",
                fix="use `x.float()`",
            )
        min_val, max_val = int(min_val), int(max_val)
    return _in_place(input, A._hardtanh(input, low=min_val, high=max_val), inplace)


def hardtanh_(input, min_val=-1.0, max_val=1.0):
    """In-place `hardtanh`.

    >>> import flambeau as torch
    >>> torch.nn.functional.hardtanh_(torch.tensor([-2.0, 0.5, 2.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    return hardtanh(input, min_val, max_val, True)


def sigmoid(input):
    """1 / (1 + exp(-x)).

    >>> import flambeau as torch
    >>> torch.nn.functional.sigmoid(torch.tensor([0.0, 2.0]))
    tensor([0.5000, 0.8808])
    """
    return _sigmoid(input)


def tanh(input):
    """The hyperbolic tangent.

    >>> import flambeau as torch
    >>> torch.nn.functional.tanh(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return _tanh(input)


def silu(input, inplace=False):
    """x sigmoid(x), also called swish (Hendrycks and Gimpel 2016, Elfwing et al. 2017).

    >>> import flambeau as torch
    >>> torch.nn.functional.silu(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.2689,  0.0000,  1.7616])
    """
    _start(input, "silu", inplace)
    need_float(input, "silu_cpu", complex=True)
    return _in_place(input, A._silu(input), inplace)


def mish(input, inplace=False):
    """x tanh(softplus(x)) (Misra 2019).

    >>> import flambeau as torch
    >>> torch.nn.functional.mish(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.3034,  0.0000,  1.9440])
    """
    _start(input, "mish", inplace, "mish_cpu")
    return _in_place(input, A._mish(input), inplace)


@with_out
def gelu(input, approximate="none"):
    """x times the probability that a standard normal variable is below x (Hendrycks and Gimpel 2016).

    approximate: "none" for the exact function, "tanh" for its usual approximation.

    Raises RuntimeError for another `approximate`.

    >>> import flambeau as torch
    >>> torch.nn.functional.gelu(torch.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """
    _start(input, "gelu", kernel="GeluKernelImpl")
    if approximate == "none":
        return A._gelu(input)
    if approximate == "tanh":
        return A._gelu_tanh(input)
    raise DtypeError(
        "approximate argument must be either none or tanh.",
        why=f"it is {approximate!r}",
        fix='use `approximate="none"` for the exact function, or `approximate="tanh"` for the faster formula',
    )


@with_out
def softplus(input, beta=1, threshold=20):
    """log(1 + exp(beta x)) / beta, a smooth relu; x itself where beta x > threshold.

    >>> import flambeau as torch
    >>> torch.nn.functional.softplus(torch.tensor([0.0, 30.0]))
    tensor([ 0.6931, 30.0000])
    """
    _start(input, "softplus", kernel="softplus_cpu")
    return A._softplus(input, beta=beta, threshold=threshold)


@with_out
def logsigmoid(input):
    """log(sigmoid(x)).

    >>> import flambeau as torch
    >>> torch.nn.functional.logsigmoid(torch.tensor([0.0, 2.0]))
    tensor([-0.6931, -0.1269])
    """
    _start(input, "log_sigmoid", kernel="log_sigmoid_cpu")
    return A._logsigmoid(input)


def softsign(input):
    """x / (1 + |x|).

    >>> import flambeau as torch
    >>> torch.nn.functional.softsign(torch.tensor([-1.0, 3.0]))
    tensor([-0.5000,  0.7500])
    """
    need_tensor(input, "softsign")
    return A._softsign(input) if input.is_floating_point() else input / (input.abs() + 1)


def tanhshrink(input):
    """x - tanh(x).

    >>> import flambeau as torch
    >>> torch.nn.functional.tanhshrink(torch.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """
    need_tensor(input, "tanhshrink")
    return input - _tanh(input)


def elu(input, alpha=1.0, inplace=False):
    """x where x > 0, else alpha (exp(x) - 1) (Clevert et al. 2015).

    >>> import flambeau as torch
    >>> torch.nn.functional.elu(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.6321,  0.0000,  2.0000])
    """
    _start(input, "elu", inplace, "elu_cpu")
    return _in_place(input, A._elu(input, alpha=alpha, scale=1.0, inside=1.0), inplace)


def elu_(input, alpha=1.0):
    """In-place `elu`.

    >>> import flambeau as torch
    >>> torch.nn.functional.elu_(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.6321,  0.0000,  2.0000])
    """
    return elu(input, alpha, True)


def selu(input, inplace=False):
    """A scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017).

    >>> import flambeau as torch
    >>> torch.nn.functional.selu(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-1.1113,  0.0000,  2.1014])
    """
    _start(input, "selu", inplace, "elu_cpu")
    made = A._elu(input, alpha=1.6732632423543772848170429916717, scale=1.0507009873554804934193349852946, inside=1.0)
    return _in_place(input, made, inplace)


def celu(input, alpha=1.0, inplace=False):
    """x where x > 0, else alpha (exp(x / alpha) - 1) (Barron 2017).

    >>> import flambeau as torch
    >>> torch.nn.functional.celu(torch.tensor([-1.0, 0.0, 2.0]), alpha=2.0)
    tensor([-0.7869,  0.0000,  2.0000])
    """
    _start(input, "celu", inplace)
    if alpha == 0:
        raise DtypeError(
            "ZeroDivisionError: alpha cannot be 0 for CELU",
            why="the formula divides by alpha: alpha * (exp(x / alpha) - 1)",
            fix="use `F.relu(x)`, which is what small values of alpha tend to",
        )
    need_float(input, "elu_cpu")
    return _in_place(input, A._elu(input, alpha=alpha, scale=1.0, inside=1.0 / alpha), inplace)


@public("celu")
def _torch_celu(input, alpha=1.0):
    """x where x > 0, else alpha (exp(x / alpha) - 1)."""
    return celu(input, alpha)


@public("celu_", function=True)
def celu_(input, alpha=1.0):
    """In-place `celu`.

    >>> import flambeau as torch
    >>> torch.nn.functional.celu_(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-0.6321,  0.0000,  2.0000])
    """
    return celu(input, alpha, True)


@public("selu")
def _torch_selu(input):
    """A scaled elu that keeps mean 0 and variance 1."""
    return selu(input)


@public("selu_")
def selu_(input):
    """In-place `selu`.

    >>> import flambeau as torch
    >>> torch.nn.functional.selu_(torch.tensor([-1.0, 0.0, 2.0]))
    tensor([-1.1113,  0.0000,  2.1014])
    """
    return selu(input, True)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """x where x > 0, else negative_slope x.

    >>> import flambeau as torch
    >>> torch.nn.functional.leaky_relu(torch.tensor([-2.0, 3.0]), 0.1)
    tensor([-0.2000,  3.0000])
    """
    _start(input, "leaky_relu", inplace, "leaky_relu_cpu")
    return _in_place(input, A._leaky_relu(input, slope=negative_slope), inplace)


def leaky_relu_(input, negative_slope=0.01):
    """In-place `leaky_relu`.

    >>> import flambeau as torch
    >>> torch.nn.functional.leaky_relu_(torch.tensor([-2.0, 3.0]))
    tensor([-0.0200,  3.0000])
    """
    return leaky_relu(input, negative_slope, True)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """x where x >= 0, else a x with a drawn from [lower, upper] per element in training, their mean otherwise.

    >>> import flambeau as torch
    >>> torch.nn.functional.rrelu(torch.tensor([-2.0, 3.0]), 0.25, 0.75)
    tensor([-1.,  3.])
    """
    _start(input, "rrelu", inplace, "rrelu_with_noise_out_cpu" if training else "leaky_relu_cpu")
    if lower > upper:
        raise ShapeError(
            "Lower bound should be less than or equal to the upper bound",
            why=f"slopes are drawn between them, and {lower} > {upper}",
            fix=f"swap them: `lower={upper}, upper={lower}`",
        )
    if not training:
        return _in_place(input, A._leaky_relu(input, slope=(lower + upper) / 2), inplace)
    a = input._array
    factor = a
    if input.device.type == "cpu":
        factor, negative = np.ones(a.shape, a.dtype), a <= 0
        factor[negative] = default_generator.uniform(np.count_nonzero(negative), lower, upper, np.float64)
    return _in_place(input, input * wrap(np.asarray(factor)), inplace)


@public("rrelu")
def _torch_rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, generator=None):
    """x where x >= 0, else a x with random a."""
    return rrelu(input, lower, upper, training)


@public("rrelu_")
def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """In-place `rrelu`.

    >>> import flambeau as torch
    >>> torch.nn.functional.rrelu_(torch.tensor([-2.0, 3.0]), 0.25, 0.75)
    tensor([-1.,  3.])
    """
    return rrelu(input, lower, upper, training, True)


def glu(input, dim=-1):
    """a sigmoid(b), where a and b are the halves of the input along `dim` (Dauphin et al. 2016).

    Raises RuntimeError when the dimension's size is odd.

    >>> import flambeau as torch
    >>> torch.nn.functional.glu(torch.tensor([2.0, 4.0, 0.0, 100.0]))
    tensor([1., 4.])
    """
    need_tensor(input, "glu")
    if input.ndim == 0:
        raise ShapeError(
            "glu does not support 0-dimensional tensors",
            why="the input is halved along a dimension, and a single number has none",
            fix="give it a dimension of even size, such as `x.expand(2)`",
        )
    dim = normal_dim(dim, input.ndim)
    size = input.shape[dim]
    if size % 2:
        raise ShapeError(
            f"Halving dimension must be even, but dimension {dim} is size {size}",
            why="its first half is gated by its second half, so both need the same size",
            fix=f"let the layer before produce {size + 1} instead of {size}",
        )
    need_float(input, "glu_cpu")
    return input.narrow(dim, 0, size // 2) * _sigmoid(input.narrow(dim, size // 2, size // 2))


def hardswish(input, inplace=False):
    """x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019).

    >>> import flambeau as torch
    >>> torch.nn.functional.hardswish(torch.tensor([-4.0, 1.5, 4.0]))
    tensor([-0.0000, 1.1250, 4.0000])
    """
    _start(input, "hardswish", inplace, "hardswish_cpu")
    return _in_place(input, A._hardswish(input), inplace)


def hardsigmoid(input, inplace=False):
    """min(max(x + 3, 0), 6) / 6.

    >>> import flambeau as torch
    >>> torch.nn.functional.hardsigmoid(torch.tensor([-4.0, 0.0, 1.5]))
    tensor([0.0000, 0.5000, 0.7500])
    """
    _start(input, "hardsigmoid", inplace, "hardsigmoid")
    return _in_place(input, A._hardsigmoid(input), inplace)


@with_out
def softshrink(input, lambd=0.5):
    """0 where |x| <= lambd, else x moved towards 0 by lambd.

    Raises RuntimeError for a negative lambd.

    >>> import flambeau as torch
    >>> torch.nn.functional.softshrink(torch.tensor([-1.0, 0.3, 2.0]))
    tensor([-0.5000,  0.0000,  1.5000])
    """
    _start(input, "softshrink", kernel="softshrink_cpu")
    if lambd < 0:
        raise ShapeError(
            f"lambda must be in range [0, {finfo(input.dtype).max:g}] for input dtype {title(input)}, but found "
            f"{lambd:g}",
            why="values within lambda of zero become zero, so it is a distance",
            fix=f"use `lambd={abs(lambd):g}`",
        )
    return A._softshrink(input, lambd=lambd)


def threshold(input, threshold, value, inplace=False):
    """x where x > threshold, else value.

    >>> import flambeau as torch
    >>> torch.nn.functional.threshold(torch.tensor([0.2, 0.8]), 0.5, -1.0)
    tensor([-1.0000,  0.8000])
    """
    _start(input, "threshold", inplace)
    if input.dtype.category in (0, 3):
        raise NotSupported(
            f"\"threshold_cpu\" not implemented for '{title(input)}'",
            why="the values are compared with a threshold, which needs real numbers of more than two values",
            fix="use `x.float()`",
        )
    return _in_place(input, A._threshold(input, threshold=threshold, value=value), inplace)


@public("threshold", out=True)
def _torch_threshold(input, threshold, value):
    """x where x > threshold, else value."""
    return A._threshold(input, threshold=threshold, value=value)


@public("threshold_")
def threshold_(input, threshold_value, value):
    """In-place `threshold`.

    >>> import flambeau as torch
    >>> torch.nn.functional.threshold_(torch.tensor([0.2, 0.8]), 0.5, -1.0)
    tensor([-1.0000,  0.8000])
    """
    return threshold(input, threshold_value, value, True)


# ---------------------------------------------------------------------- along one dimension


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(x) / sum(exp(x)) along `dim`; dtype: convert the input first.

    >>> import flambeau as torch
    >>> torch.nn.functional.softmax(torch.zeros(1, 2), dim=1)
    tensor([[0.5000, 0.5000]])
    """
    if dim is None:
        dim = implied("softmax", input, _stacklevel)
    return _softmax_ops.softmax(input, dim, dtype=dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-x) along `dim`.

    >>> import flambeau as torch
    >>> torch.nn.functional.softmin(torch.tensor([1.0, 1.0, 3.0]), dim=0)
    tensor([0.4683, 0.4683, 0.0634])
    """
    if dim is None:
        dim = implied("softmin", input, _stacklevel)
    return _softmax_ops.softmax(-input, dim, dtype=dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(x)) along `dim`; dtype: convert the input first.

    >>> import flambeau as torch
    >>> torch.nn.functional.log_softmax(torch.tensor([1.0, 1.0, 3.0]), dim=0)
    tensor([-2.2395, -2.2395, -0.2395])
    """
    if dim is None:
        dim = implied("log_softmax", input, _stacklevel)
    return _softmax_ops.log_softmax(input, dim, dtype=dtype)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A sample from a relaxed categorical distribution (Jang et al. 2016, Maddison et al. 2016).

    Arguments:
        tau: temperature; small values give almost one-hot samples.
        hard: return one-hot samples whose gradient is that of the relaxed ones.

    >>> import flambeau as torch
    >>> torch.nn.functional.gumbel_softmax(torch.zeros(2, 3), hard=True).sum(-1)
    tensor([1., 1.])
    """
    if eps != 1e-10:
        warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    a = logits._array
    if not logits.is_floating_point():
        raise DtypeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a floating point but "
            f"you specified {title(logits)}",
            why="the noise that is added to the logits is continuous",
            fix="use `logits.float()`",
        )
    draws = default_generator.exponential(a.size).reshape(a.shape)
    noise = -np.log(draws).astype(a.dtype)
    soft = _softmax_ops.softmax((logits + wrap(noise)) / tau, dim)
    if not hard:
        return soft
    axis = normal_dim(dim, logits.ndim)
    best = np.expand_dims(soft._array.argmax(axis), axis)
    one_hot = np.zeros_like(soft._array)
    np.put_along_axis(one_hot, best, 1, axis)
    return wrap(one_hot) - soft.detach() + soft
