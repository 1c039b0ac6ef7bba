"""Dropout: zeroing at random during training, so that no unit can rely on another.

Srivastava et al., "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014.
"""

from __future__ import annotations

from ...errors import ArgumentError
from .. import functional as F
from .module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    __constants__ = ["p", "inplace"]

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ArgumentError(
                f"dropout probability has to be between 0 and 1, but got {p}",
                why="p is the share of elements that become zero",
                fix=f"use `p={p / 100:g}` if {p:g} percent are meant"
                if 1 < p <= 100
                else "use a number between 0 and 1, such as `p=0.5`",
            )
        self.p = p
        self.inplace = inplace

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """Zeroes each element with probability p during training and scales the others by 1/(1-p).

    Arguments:
        p: probability of zeroing. Default: 0.5.
        inplace: change the input itself. Default: False.

    >>> import flambeau as torch
    >>> torch.nn.Dropout(0.2).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input):
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """Zeroes whole channels of (N, C, L) or (C, L) with probability p during training.

    Shapes: (N, C, L) or (C, L) -> the same
    Raises ValueError for p outside [0, 1].

    >>> import flambeau as torch
    >>> torch.nn.Dropout1d(0.5).eval()(torch.ones(1, 2, 3))
    tensor([[[1., 1., 1.],
             [1., 1., 1.]]])
    """

    def forward(self, input):
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """Zeroes whole channels of (N, C, H, W) with probability p during training.

    Tompson et al., "Efficient Object Localization Using Convolutional Networks", 2015.

    Shapes: (N, C, H, W) -> (N, C, H, W)

    >>> import flambeau as torch
    >>> out = torch.nn.Dropout2d(0.5)(torch.ones(1, 100, 2, 2))
    >>> out.unique()
    tensor([0., 2.])
    """

    def forward(self, input):
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """Zeroes whole channels of (N, C, D, H, W) with probability p during training.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same

    >>> import flambeau as torch
    >>> torch.nn.Dropout3d(0.2)(torch.ones(1, 100, 2, 2, 2)).unique()
    tensor([0.0000, 1.2500])
    """

    def forward(self, input):
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout for SELU networks: keeps zero mean and unit deviation.

    Klambauer et al., "Self-Normalizing Neural Networks", 2017.

    Shapes: (*) -> (*)

    >>> import flambeau as torch
    >>> torch.nn.AlphaDropout(0.2).eval()(torch.tensor([1.0, -1.0]))
    tensor([ 1., -1.])
    """

    def forward(self, input):
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """`AlphaDropout` of whole channels.

    Shapes: (N, C, *) -> (N, C, *)

    >>> import flambeau as torch
    >>> torch.nn.FeatureAlphaDropout(0.2).eval()(torch.ones(1, 1, 2))
    tensor([[[1., 1.]]])
    """

    def forward(self, input):
        return F.feature_alpha_dropout(input, self.p, self.training)
