"""Element-wise functions that read the same in NumPy and as bodies of loops: `forward` and `backward` of each.

They take the elements of their arrays, then their numbers. `fused.pointwise` runs them; the names are this table's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .scalars import erf, exp, log, normal_cdf, sigmoid, tanh, where

PDF = 1 / math.sqrt(2 * math.pi)
TANH_SCALE, TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


def gelu(x):
    """x P(X <= x) of a standard normal X."""
    return x * normal_cdf(x)


def gelu_backward(g, x):
    return g * (normal_cdf(x) + x * (exp(x * x * -0.5) * PDF))


def gelu_tanh(x):
    """Its approximation through tanh."""
    return x * 0.5 * (tanh((x + x * x * x * TANH_CUBE) * TANH_SCALE) + 1.0)


def gelu_tanh_backward(g, x):
    t = tanh((x + x * x * x * TANH_CUBE) * TANH_SCALE)
    inner = (x * x * (3 * TANH_CUBE) + 1.0) * TANH_SCALE
    return g * ((t + 1.0) * 0.5 + x * 0.5 * (1.0 - t * t) * inner)


def silu(x):
    return x * sigmoid(x)


def silu_backward(g, x):
    s = sigmoid(x)
    return g * s * (x * (1.0 - s) + 1.0)


def relu(x):
    return where(x <= 0.0, 0.0, x)  # nan stays


def relu_backward(g, out):
    return where(out <= 0.0, 0.0, g)


def leaky_relu(x, slope):
    return where(x > 0.0, x, x * slope)


def leaky_relu_backward(g, x, slope):
    return where(x > 0.0, g, g * slope)


def elu(x, alpha):
    return where(x > 0.0, x, (exp(x) - 1.0) * alpha)


def tanh_backward(g, out):
    return g * (1.0 - out * out)


def sigmoid_backward(g, out):
    return g * (1.0 - out) * out


def softplus(x):
    return where(x > 20.0, x, log(exp(where(x > 20.0, 20.0, x)) + 1.0))


def scaled(x, factor):
    return x * factor


def bce_with_logits(x, target):
    """-(t log s(x) + (1 - t) log(1 - s(x))), written so that it never overflows."""
    size = where(x < 0.0, -x, x)
    return where(x < 0.0, 0.0, x) - x * target + log(exp(-size) + 1.0)


def bce_with_logits_backward(g, x, target):
    return g * (sigmoid(x) - target)


def square_error(x, target):
    return (x - target) * (x - target)


def square_error_backward(g, x, target):
    return g * (x - target) * 2.0


# name -> (body, arrays it takes); further parameters are numbers
BODIES: dict[str, tuple[Callable[..., Any], int]] = {
    "exp": (exp, 1), "log": (log, 1), "tanh": (tanh, 1), "sigmoid": (sigmoid, 1), "erf": (erf, 1),
    "gelu": (gelu, 1), "gelu_backward": (gelu_backward, 2), "gelu_tanh": (gelu_tanh, 1),
    "gelu_tanh_backward": (gelu_tanh_backward, 2), "silu": (silu, 1), "silu_backward": (silu_backward, 2),
    "relu": (relu, 1), "relu_backward": (relu_backward, 2), "leaky_relu": (leaky_relu, 1),
    "leaky_relu_backward": (leaky_relu_backward, 2), "tanh_backward": (tanh_backward, 2),
    "sigmoid_backward": (sigmoid_backward, 2), "scaled": (scaled, 1), "softplus": (softplus, 1),
    "bce_with_logits": (bce_with_logits, 2), "bce_with_logits_backward": (bce_with_logits_backward, 3),
    "square_error": (square_error, 2), "square_error_backward": (square_error_backward, 3),
}  # fmt: skip
