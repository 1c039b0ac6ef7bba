"""Normalisation within one sample: layer, group and RMS norm, and local response."""

from __future__ import annotations

import numbers

from ...errors import ArgumentError
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .module import Module
from .utils import blank

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class LocalResponseNorm(Module):
    """Divides each value by (k + alpha · mean of squares over `size` neighbouring channels)^beta.

    Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012.

    Shapes: (N, C, *) -> (N, C, *)

    >>> import flambeau as torch
    >>> torch.nn.LocalResponseNorm(3)(torch.rand(1, 4, 5, 5)).shape
    torch.Size([1, 4, 5, 5])
    """

    __constants__ = ["size", "alpha", "beta", "k"]

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input):
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(Module):
    """`LocalResponseNorm` of images (N, C, H, W) as the first Torch computed it.

    Shapes: (N, C, H, W) -> (N, C, H, W)

    >>> import flambeau as torch
    >>> torch.nn.CrossMapLRN2d(3)(torch.rand(1, 4, 5, 5)).shape
    torch.Size([1, 4, 5, 5])
    """

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input):
        if input.dim() != 4:
            raise ArgumentError(
                f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.",
                why=f"it normalises over the channels of (N, C, H, W); the input has shape {tuple(input.shape)}",
                fix="use `nn.LocalResponseNorm`, which takes any number of dimensions",
            )
        channels = input.size(1)
        reach = min(int((self.size - 1) / 2 + 1), channels)
        squares = F.pad(input * input, (0, 0, 0, 0, reach - 1, reach - 1))
        total = squares.narrow(1, 0, channels)
        for shift in range(1, 2 * reach - 1):
            total = total + squares.narrow(1, shift, channels)
        return input * (total * (self.alpha / self.size) + self.k) ** -self.beta

    def extra_repr(self):
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _sizes(normalized_shape):
    return (normalized_shape,) if isinstance(normalized_shape, numbers.Integral) else tuple(normalized_shape)


class LayerNorm(Module):
    """Normalises the last dimensions to zero mean and unit variance, then scales and shifts each element.

    Arguments:
        normalized_shape: sizes of the last dimensions, or the size of the last one.
        eps: added to the variance. Default: 1e-5.
        elementwise_affine: learn a scale and a shift per element. Default: True.
        bias: learn the shift. Default: True.

    Ba et al., "Layer Normalization", 2016.

    >>> import flambeau as torch
    >>> torch.nn.LayerNorm(4)(torch.tensor([1.0, 2.0, 3.0, 4.0])).detach()
    tensor([-1.3416, -0.4472,  0.4472,  1.3416])
    """

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        kind = dict(device=device, dtype=dtype)
        self.register_parameter(
            "weight", Parameter(blank(*self.normalized_shape, **kind)) if elementwise_affine else None
        )
        shift = elementwise_affine and bias
        self.register_parameter("bias", Parameter(blank(*self.normalized_shape, **kind)) if shift else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Weight 1, bias 0."""
        if self.elementwise_affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input):
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Normalises groups of channels of each sample, then scales and shifts each channel.

    Arguments:
        num_groups, num_channels: the channels are divided evenly.
        eps: added to the variance. Default: 1e-5.
        affine: learn a scale and a shift per channel. Default: True.
        bias: learn the shift. Default: True.

    Wu, He, "Group Normalization", 2018.

    >>> import flambeau as torch
    >>> torch.nn.GroupNorm(3, 6)(torch.randn(20, 6, 10, 10)).shape
    torch.Size([20, 6, 10, 10])
    """

    __constants__ = ["num_groups", "num_channels", "eps", "affine"]

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        if num_groups <= 0:
            raise ArgumentError(
                f"num_groups must be a positive integer, got {num_groups}",
                why="the channels are divided into that many groups",
                fix="use `num_groups=1`, or a divisor of num_channels",
            )
        if num_channels % num_groups != 0:
            raise ArgumentError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})",
                why=f"groups have equally many channels, and {num_channels} / {num_groups} is not a whole number",
                fix=f"use one of {[d for d in range(1, num_channels + 1) if num_channels % d == 0][:12]} groups",
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        kind = dict(device=device, dtype=dtype)
        self.register_parameter("weight", Parameter(blank(num_channels, **kind)) if affine else None)
        self.register_parameter("bias", Parameter(blank(num_channels, **kind)) if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Weight 1, bias 0."""
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input):
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        shift = self.bias is not None
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={shift}"


class RMSNorm(Module):
    """Divides the last dimensions by the root of their mean square, then scales each element.

    Arguments:
        normalized_shape: sizes of the last dimensions, or the size of the last one.
        eps: added to the mean square. Default: the dtype's machine epsilon.
        elementwise_affine: learn a scale per element. Default: True.
    Shapes: (*, normalized_shape) -> the same; RuntimeError when the last sizes differ

    Zhang, Sennrich, "Root Mean Square Layer Normalization", 2019.

    >>> import flambeau as torch
    >>> torch.nn.RMSNorm(2)(torch.tensor([3.0, 4.0])).tolist()
    [0.8485281467437744, 1.1313709020614624]
    >>> torch.nn.RMSNorm(2, elementwise_affine=False)(torch.tensor([3.0, 4.0]))
    tensor([0.8485, 1.1314])
    """

    __constants__ = ["normalized_shape", "eps", "elementwise_affine"]

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _sizes(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = blank(*self.normalized_shape, device=device, dtype=dtype) if elementwise_affine else None
        self.register_parameter("weight", None if weight is None else Parameter(weight))
        self.reset_parameters()

    def reset_parameters(self):
        """Weight 1."""
        if self.elementwise_affine:
            init.ones_(self.weight)

    def forward(self, x):
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
