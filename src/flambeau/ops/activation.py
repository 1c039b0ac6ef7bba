"""Activations as primitives: value and slope on arrays, one call each way.

Those made of straight pieces have a slope that is constant in x, so their gradient is `g` times a fixed mask; the
curved ones name their derivative a second time, as a formula on tensors, for gradients of gradients.
"""

from __future__ import annotations

import math

import numpy as np

from ..errors import DtypeError, ShapeError
from ..kernels import fused as kernels
from ..kernels.elementwise import mapped
from ..kernels.record import computed
from ..kernels.special_error import erf as _erf_array
from ..tensor import Tensor, wrap
from .elementwise import tanh as _tanh
from .entry import primitive, public
from .fused import fused, in_single, need_float, title
from .shape import need_tensor

SQRT_HALF = math.sqrt(0.5)
INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)


def erf(x: Tensor) -> Tensor:
    """The error function of a tensor."""
    return x.erf()


def _lit(a, number):
    """A Python number in the dtype of an array."""
    return a.dtype.type(number)


def curved(name, value, slope, formula):
    """An activation with a smooth derivative.

    Arguments:
        value(input, **options), slope(g, input, **options): on arrays; slope is the gradient, times g.
        formula: the same gradient on tensors.
    """
    value, slope = in_single(mapped(value)), in_single(mapped(slope))
    return primitive(name, value, vjp={"input": fused(slope)(formula)}, names=("input",))


# ---------------------------------------------------------------------- smooth


def _sigmoid(a):
    # exp of a negative number only: no overflow on either side.
    e = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, e) / (1 + e)


def _sigmoid_real(a):
    return _sigmoid(a) if a.dtype.kind != "c" else 1 / (1 + np.exp(-a))


def _silu_backward(g, input):
    s = _sigmoid_real(input)
    d = s * (1 + input * (1 - s))
    return g * (d.conj() if d.dtype.kind == "c" else d)


def _silu_formula(g, input):
    s = input.sigmoid()
    d = s * (1 + input * (1 - s))
    return g * (d.conj() if d.is_complex() else d)


_silu = curved(
    "silu", kernels.prefer("silu", lambda input: input * _sigmoid_real(input)),
    kernels.prefer("silu_backward", _silu_backward), _silu_formula,
)  # fmt: skip


def _normal_cdf(a):
    return _lit(a, 0.5) * (1 + _erf_array(a * _lit(a, SQRT_HALF)))


def _gelu_backward(g, input):
    density = np.exp(input * input * _lit(input, -0.5)) * _lit(input, INV_SQRT_2PI)
    return g * (_normal_cdf(input) + input * density)


def _gelu_formula(g, input):
    cdf = 0.5 * (1 + erf(input * SQRT_HALF))
    return g * (cdf + input * (input * input * -0.5).exp() * INV_SQRT_2PI)


_gelu = curved(
    "gelu", kernels.prefer("gelu", lambda input: input * _normal_cdf(input)),
    kernels.prefer("gelu_backward", _gelu_backward), _gelu_formula,
)  # fmt: skip

_GELU_A, _GELU_B = math.sqrt(2 / math.pi), 0.044715


def _gelu_tanh_array(input):
    inner = input * (1 + _lit(input, _GELU_B) * input * input) * _lit(input, _GELU_A)
    return _lit(input, 0.5) * input * (1 + np.tanh(inner))


def _gelu_tanh_slope(input, tanh):
    square = input * input
    t = tanh(input * (1 + _GELU_B * square) * _GELU_A)
    return 0.5 * (1 + t) + 0.5 * input * (1 - t * t) * (1 + 3 * _GELU_B * square) * _GELU_A


_gelu_tanh = curved(
    "gelu_tanh", kernels.prefer("gelu_tanh", _gelu_tanh_array),
    kernels.prefer("gelu_tanh_backward", lambda g, input: g * _gelu_tanh_slope(input, np.tanh)),
    lambda g, input: g * _gelu_tanh_slope(input, _tanh),
)  # fmt: skip


def _softplus_array(input, beta, threshold):
    scaled = input * _lit(input, beta)
    return np.where(scaled > threshold, input, np.logaddexp(scaled, _lit(input, 0)) / _lit(input, beta))


def _softplus_backward(g, input, beta, threshold):
    scaled = input * _lit(input, beta)
    return np.where(scaled > threshold, g, g * _sigmoid(scaled))


def _softplus_formula(g, input, beta, threshold):
    scaled = input * beta
    slope = scaled.sigmoid()
    return g * slope.masked_fill(scaled > threshold, 1.0)


_softplus = curved("softplus", _softplus_array, _softplus_backward, _softplus_formula)


def _mish_array(input):
    return input * np.tanh(np.logaddexp(input, _lit(input, 0)))


def _mish_backward(g, input):
    t = np.tanh(np.logaddexp(input, _lit(input, 0)))
    return g * (t + input * (1 - t * t) * _sigmoid(input))


def _mish_formula(g, input):
    t = _tanh(_softplus(input, beta=1.0, threshold=20.0))
    return g * (t + input * (1 - t * t) * input.sigmoid())


_mish = curved("mish", _mish_array, _mish_backward, _mish_formula)


def _logsigmoid_array(input):
    return np.minimum(input, _lit(input, 0)) - np.log1p(np.exp(-np.abs(input)))


_logsigmoid = curved(
    "log_sigmoid", _logsigmoid_array, lambda g, input: g * _sigmoid(-input), lambda g, input: g * (-input).sigmoid()
)


# ELU and its kin: scale * (x if x > 0 else alpha * (exp(x * inside) - 1))
def _elu_array(input, alpha, scale, inside):
    low = np.expm1(np.minimum(input, _lit(input, 0)) * _lit(input, inside)) * _lit(input, alpha * scale)
    return np.where(input > 0, input * _lit(input, scale), low)


def _elu_backward(g, input, alpha, scale, inside):
    low = np.exp(np.minimum(input, _lit(input, 0)) * _lit(input, inside)) * _lit(input, alpha * scale * inside)
    return g * np.where(input > 0, _lit(input, scale), low)


def _elu_formula(g, input, alpha, scale, inside):
    positive = input > 0
    low = (input.masked_fill(positive, 0.0) * inside).exp() * (alpha * scale * inside)
    return g * low.masked_fill(positive, scale)


_elu = curved("elu", _elu_array, _elu_backward, _elu_formula)


def _softsign_backward(g, input):
    d = 1 + np.abs(input)
    return g / (d * d)


def _softsign_formula(g, input):
    d = 1 + input.abs()
    return g / (d * d)


_softsign = curved("softsign", lambda input: input / (1 + np.abs(input)), _softsign_backward, _softsign_formula)


def _hardswish_array(input):
    return input * np.clip(input + 3, 0, 6) / 6


def _hardswish_backward(g, input):
    return g * np.where(input <= -3, _lit(input, 0), np.where(input < 3, input / 3 + _lit(input, 0.5), _lit(input, 1)))


def _hardswish_formula(g, input):
    return g * (input / 3 + 0.5).masked_fill(input <= -3, 0.0).masked_fill(input >= 3, 1.0)


_hardswish = curved("hardswish", _hardswish_array, _hardswish_backward, _hardswish_formula)

# ---------------------------------------------------------------------- straight pieces

_keep = primitive(
    "mask", lambda input, mask: np.multiply(input, mask.astype(input.dtype, copy=False)),
    vjp={"input": lambda g, mask: _keep(g, mask)},
)  # fmt: skip


def _where(g, input, mask):
    """The gradient where the mask of the input's values is True, else 0."""
    return _keep(g, wrap(computed("mask", mask, input._array)))


@mapped
def _relu6_like(a, low, high):
    return np.minimum(np.maximum(a, _lit(a, low)), _lit(a, high))


_hardtanh = primitive(
    "hardtanh", lambda input, low, high: _relu6_like(input, low, high),
    vjp=lambda g, input, low, high: _where(g, input, lambda a: (a > low) & (a < high)),
)  # fmt: skip


@mapped
def _leaky_relu_array(input, slope):
    return np.where(input > 0, input, input * _lit(input, slope))


_leaky_relu = primitive(
    "leaky_relu", _leaky_relu_array,
    vjp=lambda g, input, slope: _where(g, input, lambda a: _two_slopes(a, slope)),
)  # fmt: skip


@mapped
def _two_slopes(a, slope):
    return np.where(a > 0, _lit(a, 1), _lit(a, slope))


_hardsigmoid = primitive(
    "hardsigmoid", in_single(mapped(lambda input: np.clip(input + 3, 0, 6) / 6)),
    vjp=lambda g, input: _where(g, input, lambda a: (a > -3) & (a < 3)) / 6,
)  # fmt: skip
_threshold = primitive(
    "threshold",
    mapped(lambda input, threshold, value: np.where(input <= threshold, _lit(input, value), input)),  # nan stays
    vjp=lambda g, input, threshold: _where(g, input, lambda a: ~(a <= threshold)),
)  # fmt: skip


@mapped
def _softshrink_array(input, lambd):
    shift = _lit(input, lambd)
    return np.where(input > lambd, input - shift, np.where(input < -lambd, input + shift, input * 0))


_softshrink = primitive(
    "softshrink", _softshrink_array,
    vjp=lambda g, input, lambd: _where(g, input, lambda a: (a > lambd) | (a < -lambd)),
)  # fmt: skip
_hardshrink = primitive(
    "hardshrink",
    mapped(lambda input, lambd: np.where((input >= -lambd) & (input <= lambd), _lit(input, 0), input)),
    vjp=lambda g, input, lambd: _where(g, input, lambda a: (a > lambd) | (a < -lambd)),
)  # fmt: skip


@mapped
def _prelu_array(input, weight):
    return np.where(input > 0, input, input * weight)


def _prelu_weight(g, input):
    return g * input * wrap(input._array <= 0)


def _prelu_input(g, input, weight):
    positive = wrap(input._array > 0)
    return g * positive + g * weight * wrap(input._array <= 0)


_prelu = primitive("prelu", _prelu_array, vjp={"input": _prelu_input, "weight": _prelu_weight})


# ---------------------------------------------------------------------- those that are methods too


@public(method=True)
def prelu(input, weight):
    """x where x > 0, else weight x, with one learned weight, or one per channel (dimension 1) (He et al. 2015).

    Raises RuntimeError when the number of weights is neither 1 nor the number of channels.

    >>> import flambeau as torch
    >>> torch.prelu(torch.tensor([-2.0, 3.0]), torch.tensor([0.5]))
    tensor([-1.,  3.])
    """
    need_tensor(input, "prelu")
    need_tensor(weight, "prelu", "weight", 2)
    if input.dtype is not weight.dtype:
        raise DtypeError(
            f"prelu: Type promoting not supported. Got {title(input)} and {title(weight)}",
            why=f"`input` is {input.dtype.name}, `weight` {weight.dtype.name}",
            fix=f"convert it: `weight.to(torch.{input.dtype.name})`",
        )
    need_float(input, "prelu_cpu")
    if weight.numel() != 1:
        if input.ndim == 0:
            raise ShapeError(
                "Not allow zero-dim input tensor.",
                why=f"`weight` has {weight.numel()} elements, one for each channel, and the input has none",
                fix="pass a `weight` with one element",
            )
        channels = input.shape[1] if input.ndim > 1 else 1
        if channels != weight.numel():
            raise ShapeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} and "
                f"channel size = {channels}.",
                why=f"the input {tuple(input.shape)} has its channels in dimension 1",
                fix=f"make it with `PReLU(num_parameters={channels})`",
            )
    if weight.ndim > 1:
        raise ShapeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}",
            why="there is one slope for all channels, or one for each",
            fix="flatten it: `weight.flatten()`",
        )
    if input.ndim != 1 or weight.numel() == 1:
        weight = weight.reshape([-1 if i == 1 or input.ndim < 2 else 1 for i in range(input.ndim)])
    return _prelu(input, weight)


@public(method=True, out=True)
def hardshrink(input, lambd=0.5):
    """0 where |x| <= lambd, else x.

    >>> import flambeau as torch
    >>> torch.hardshrink(torch.tensor([-1.0, 0.2, 0.7]))
    tensor([-1.0000,  0.0000,  0.7000])
    """
    need_tensor(input, "hardshrink")
    need_float(input, "hardshrink_cpu")
    return _hardshrink(input, lambd=lambd)
