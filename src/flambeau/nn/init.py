"""First values of parameters. Every function fills its tensor in place, outside the graph, and returns it.

The random ones draw in PyTorch's order, so that a seed gives PyTorch's weights.
"""

from __future__ import annotations

import functools
import math

from .. import ops
from ..autograd import no_grad
from ..dtypes import bool as bool_
from ..errors import ArgumentError
from ..language import warn
from ..ops.entry import REGISTRY

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]

_LINEAR = ("linear", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)))


def calculate_gain(nonlinearity, param=None) -> float:
    """The factor that keeps the variance through an activation.

    Arguments:
        nonlinearity: 'linear', 'conv2d'..., 'sigmoid' (1), 'tanh' (5/3), 'relu' (√2), 'leaky_relu', 'selu' (3/4).
        param: the slope of leaky_relu. Default: 0.01.

    >>> import flambeau as torch
    >>> torch.nn.init.calculate_gain("leaky_relu", 0.2)
    1.3867504905630728
    """
    if nonlinearity in _LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is None:
            slope = 0.01
        elif not isinstance(param, bool) and isinstance(param, (int, float)):
            slope = param
        else:
            raise ArgumentError(
                f"negative_slope {param} not a valid number",
                why="it is the slope of leaky_relu below 0",
                fix="use a number such as `calculate_gain('leaky_relu', 0.01)`",
            )
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ArgumentError(
        f"Unsupported nonlinearity {nonlinearity}",
        why="the gain is known for linear, conv, sigmoid, tanh, relu, leaky_relu and selu",
        fix="use `calculate_gain('relu')` for functions that resemble it, or `gain=1`",
    )


def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Uniform between a and b.

    >>> import flambeau as torch
    >>> w = torch.nn.init.uniform_(torch.empty(3, 5), 1.0, 2.0)
    >>> bool((w >= 1).all() and (w <= 2).all())
    True
    """
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normal with a mean and a standard deviation.

    >>> import flambeau as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.nn.init.normal_(torch.empty(3))
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normal, with values outside [a, b] drawn again.

    Where [a, b] holds less than 0.3 of the distribution, proposals are uniform on it and accepted in proportion to the
    density; otherwise they are normal.

    >>> import flambeau as torch
    >>> w = torch.nn.init.trunc_normal_(torch.empty(3, 5))
    >>> bool((w.abs() <= 2).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be "
            "incorrect.",
            stacklevel=2,
        )

    if tensor.is_meta:  # no values to draw again
        return tensor

    def below(x):
        return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0

    with no_grad():
        low, high = (a - mean) / std, (b - mean) / std
        if below(high) - below(low) >= 0.3:
            tensor.normal_(mean, std, generator=generator)
            outside = (tensor < a) | (tensor > b)
            while bool(outside.any()):
                again = ops.empty_like(tensor).normal_(mean, std, generator=generator)
                tensor.copy_(ops.where(outside, again, tensor))
                outside = (tensor < a) | (tensor > b)
            return tensor
        peak = 0.0 if low <= 0 <= high else min(abs(low), abs(high))  # where the density is greatest
        open_ = ops.ones_like(tensor, dtype=bool_)
        while bool(open_.any()):
            proposal = ops.empty_like(tensor).uniform_(a, b, generator=generator)
            draw = ops.empty_like(tensor).uniform_(0, 1, generator=generator)
            z = (proposal - mean) / std
            taken = open_ & (draw <= ((peak * peak - z * z) / 2).exp())
            tensor.copy_(ops.where(taken, proposal, tensor))
            open_ = open_ & ~taken
        return tensor


def constant_(tensor, val):
    """One value everywhere.

    >>> import flambeau as torch
    >>> torch.nn.init.constant_(torch.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor):
    """1 everywhere.

    >>> import flambeau as torch
    >>> torch.nn.init.ones_(torch.empty(2))
    tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def zeros_(tensor):
    """0 everywhere.

    >>> import flambeau as torch
    >>> torch.nn.init.zeros_(torch.empty(2))
    tensor([0., 0.])
    """
    with no_grad():
        return tensor.zero_()


def eye_(tensor):
    """The identity matrix.

    Raises ValueError unless the tensor has two dimensions.

    >>> import flambeau as torch
    >>> torch.nn.init.eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    if tensor.dim() != 2:
        raise ArgumentError(
            "Only tensors with 2 dimensions are supported",
            why=f"an identity matrix has two; the tensor has shape {tuple(tensor.shape)}",
            fix="use `nn.init.dirac_` for the weight of a convolution"
            if tensor.dim() > 2
            else "leave biases as they are, or use `nn.init.zeros_`",
        )
    with no_grad():
        tensor.zero_()
        for i in range(min(tensor.shape)):
            tensor[i, i] = 1
    return tensor


def dirac_(tensor, groups=1):
    """A convolution that changes nothing: as many channels as possible pass through, in each group.

    Raises ValueError unless it has three to five dimensions, or when the groups do not divide the first.

    >>> import flambeau as torch
    >>> w, x = torch.nn.init.dirac_(torch.empty(1, 1, 3)), torch.tensor([[1.0, 2.0, 3.0]])
    >>> torch.nn.functional.conv1d(x, w, padding=1)
    tensor([[1., 2., 3.]])
    """
    if tensor.dim() not in (3, 4, 5):
        raise ArgumentError(
            "Only tensors with 3, 4, or 5 dimensions are supported",
            why="it is for the weight of a convolution: (out, in, *kernel); the tensor has shape "
            f"{tuple(tensor.shape)}",
            fix="use `nn.init.eye_` for a matrix"
            if tensor.dim() == 2
            else "leave biases as they are, or use `nn.init.zeros_`",
        )
    out_channels, in_channels, *kernel = tensor.size()
    if out_channels % groups != 0:
        raise ArgumentError(
            "dim 0 must be divisible by groups",
            why=f"groups have equally many channels, and {out_channels} / {groups} is not a whole number",
            fix=f"use one of {[d for d in range(1, out_channels + 1) if out_channels % d == 0][:12]} groups",
        )
    per_group = out_channels // groups
    centre = tuple(k // 2 for k in kernel)
    with no_grad():
        tensor.zero_()
        for g in range(groups):
            for d in range(min(per_group, in_channels)):
                tensor[(g * per_group + d, d, *centre)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor):
    """How many inputs each output sees, and how many outputs each input."""
    if tensor.dim() < 2:
        raise ArgumentError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions",
            why=f"the tensor has shape {tuple(tensor.shape)}",
            fix="use `nn.init.zeros_` or `nn.init.uniform_` for biases",
        )
    out_channels, in_channels, *kernel = tensor.shape
    area = math.prod(kernel)
    return in_channels * area, out_channels * area


def _calculate_correct_fan(tensor, mode):
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(
            f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']",
            why="the scale keeps the size of values going forward (fan_in) or of gradients going backward (fan_out)",
            fix='use `mode="fan_in"`',
        )
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode == "fan_in" else fan_out


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform with standard deviation gain √(2 / (fan_in + fan_out)).

    Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Raises ValueError for fewer than two dimensions.

    >>> import flambeau as torch
    >>> w = torch.nn.init.xavier_uniform_(torch.empty(100, 50))
    >>> bool(w.abs().max() <= (6 / 150) ** 0.5)
    True
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with standard deviation gain √(2 / (fan_in + fan_out)). Glorot, Bengio, 2010.

    >>> import flambeau as torch
    >>> w = torch.nn.init.xavier_normal_(torch.empty(300, 200))
    >>> round(float(w.std()), 2)
    0.06
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def _empty(tensor):
    if 0 in tensor.shape:
        warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return True
    return False


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform with standard deviation gain / √fan.

    Arguments:
        a: the slope of the leaky_relu that follows.
        mode: 'fan_in' keeps the variance forward, 'fan_out' backward.
        nonlinearity: see `calculate_gain`.

    He et al., "Delving Deep into Rectifiers", 2015.

    >>> import flambeau as torch
    >>> w = torch.nn.init.kaiming_uniform_(torch.empty(100, 50), nonlinearity="relu")
    >>> bool(w.abs().max() <= (6 / 50) ** 0.5)
    True
    """
    if _empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with standard deviation gain / √fan; see `kaiming_uniform_`. He et al., 2015.

    >>> import flambeau as torch
    >>> w = torch.nn.init.kaiming_normal_(torch.empty(300, 200), nonlinearity="relu")
    >>> round(float(w.std()), 2)
    0.1
    """
    if _empty(tensor):
        return tensor
    std = calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor, gain=1, generator=None):
    """A random matrix with orthonormal rows or columns; later dimensions count as one.

    Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2013.

    Raises ValueError for fewer than two dimensions.

    >>> import flambeau as torch
    >>> w = torch.nn.init.orthogonal_(torch.empty(2, 5))
    >>> torch.allclose(w @ w.T, torch.eye(2), atol=1e-6)
    True
    """
    if tensor.dim() < 2:
        raise ArgumentError(
            "Only tensors with 2 or more dimensions are supported",
            why=f"rows are made orthogonal to one another; the tensor has shape {tuple(tensor.shape)}",
            fix="leave out parameters with one dimension, such as biases: `if p.dim() > 1`",
        )
    if tensor.numel() == 0:
        return tensor
    rows = tensor.size(0)
    cols = tensor.numel() // rows
    with no_grad():
        flat = tensor.new_empty((rows, cols)).normal_(0, 1, generator=generator)
        if rows < cols:
            flat = flat.t()
        q, r = REGISTRY["linalg.qr"](flat)
        q = q * r.diagonal().sign()  # makes the distribution uniform
        if rows < cols:
            q = q.t()
        tensor.copy_(q.reshape(tensor.shape))
        tensor.mul_(gain)
    return tensor


def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Normal, with a fraction of every column set to zero.

    Martens, "Deep learning via Hessian-free optimization", 2010.

    Raises ValueError unless the tensor has two dimensions.

    >>> import flambeau as torch
    >>> (torch.nn.init.sparse_(torch.empty(10, 3), sparsity=0.3) == 0).sum(0)
    tensor([3, 3, 3])
    """
    if tensor.dim() != 2:
        raise ArgumentError(
            "Only tensors with 2 dimensions are supported",
            why=f"each column gets its share of zeros; the tensor has shape {tuple(tensor.shape)}",
            fix="leave out parameters of other shapes: `if p.dim() == 2`",
        )
    rows, cols = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for col in range(cols):
            tensor[ops.randperm(rows)[:zeros], col] = 0
    return tensor


def _deprecated(function):
    new = function.__name__
    old = new[:-1]

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    wrapper.__name__ = old
    wrapper.__doc__ = f"Deprecated; use `{new}`."
    return wrapper


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
