"""Padding layers: one class per mode and number of spatial dimensions.

Padding is given as the number of elements before and after, the last dimension first, or as one number for all sides.
"""

from __future__ import annotations

from ...errors import ArgumentError
from .. import functional as F
from .module import Module
from .utils import _ntuple, _pair, _quadruple

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
    "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
    "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip

_sextuple = _ntuple(6, "_sextuple")


class _Pad(Module):
    __constants__ = ["padding"]
    mode: str

    def forward(self, input):
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self):
        return f"{self.padding}"


class _ConstantPadNd(_Pad):
    __constants__ = ["padding", "value"]

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, input):
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPadNd):
    """Pads the last dimension with a value.

    >>> import flambeau as torch
    >>> torch.nn.ConstantPad1d((1, 2), 7.0)(torch.zeros(1, 2))
    tensor([[7., 0., 0., 7., 7.]])
    """

    def __init__(self, padding, value):
        super().__init__(value)
        self.padding = _pair(padding)


class ConstantPad2d(_ConstantPadNd):
    """Pads the last two dimensions with a value: (left, right, top, bottom).

    Shapes: (*, H, W) -> (*, top + H + bottom, left + W + right)

    >>> import flambeau as torch
    >>> torch.nn.ConstantPad2d((1, 0, 0, 1), 7.0)(torch.zeros(1, 1, 2))
    tensor([[[7., 0., 0.],
             [7., 7., 7.]]])
    """

    __constants__ = ["padding", "value"]

    def __init__(self, padding, value):
        super().__init__(value)
        self.padding = _quadruple(padding)


class ConstantPad3d(_ConstantPadNd):
    """Pads the last three dimensions with a value.

    Shapes: (*, D, H, W) -> (*, D', H', W'), each plus its two sides

    >>> import flambeau as torch
    >>> torch.nn.ConstantPad3d(1, 7.0)(torch.zeros(1, 2, 3, 4)).shape
    torch.Size([1, 4, 5, 6])
    """

    def __init__(self, padding, value):
        super().__init__(value)
        self.padding = _sextuple(padding)


class _ZeroPad:
    def extra_repr(self):
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pads the last dimension with zeros.

    Shapes: (*, L) -> (*, left + L + right)

    >>> import flambeau as torch
    >>> torch.nn.ZeroPad1d((2, 1))(torch.ones(1, 2))
    tensor([[0., 0., 1., 1., 0.]])
    """

    def __init__(self, padding):
        super().__init__(padding, 0.0)


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pads the last two dimensions with zeros: (left, right, top, bottom).

    Shapes: (*, H, W) -> (*, top + H + bottom, left + W + right)

    >>> import flambeau as torch
    >>> torch.nn.ZeroPad2d((1, 0, 0, 1))(torch.ones(1, 1, 2))
    tensor([[[0., 1., 1.],
             [0., 0., 0.]]])
    """

    def __init__(self, padding):
        super().__init__(padding, 0.0)


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pads the last three dimensions with zeros.

    Shapes: (*, D, H, W) -> (*, D', H', W'), each plus its two sides

    >>> import flambeau as torch
    >>> torch.nn.ZeroPad3d(1)(torch.ones(1, 2, 3, 4)).shape
    torch.Size([1, 4, 5, 6])
    """

    def __init__(self, padding):
        super().__init__(padding, 0.0)


class _CircularPadNd(_Pad):
    mode = "circular"

    def forward(self, input):
        n = len(self.padding) // 2
        if input.dim() not in (n + 1, n + 2):
            raise ArgumentError(
                f"expected {n + 1}D or {n + 2}D input (got {input.dim()}D input)",
                why=f"the last {n} dimension(s) are padded and channels come before them; the input has shape "
                f"{tuple(input.shape)}",
                fix="use `x.unsqueeze(0)` to add the missing dimension",
            )
        return F.pad(input, self.padding, self.mode)


class CircularPad1d(_CircularPadNd):
    """Pads the last dimension with what stands at its other end.

    Shapes: (N, C, L) or (C, L) -> the same with left + L + right

    >>> import flambeau as torch
    >>> torch.nn.CircularPad1d(1)(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _pair(padding)


class CircularPad2d(_CircularPadNd):
    """Pads the last two dimensions with what stands at their other ends.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with top + H + bottom, left + W + right

    >>> import flambeau as torch
    >>> torch.nn.CircularPad2d((1, 0, 0, 0))(torch.tensor([[[1.0, 2.0, 3.0]]]))
    tensor([[[3., 1., 2., 3.]]])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _quadruple(padding)


class CircularPad3d(_CircularPadNd):
    """Pads the last three dimensions with what stands at their other ends.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same, each size plus its two sides

    >>> import flambeau as torch
    >>> torch.nn.CircularPad3d(1)(torch.ones(1, 2, 3, 4)).shape
    torch.Size([1, 4, 5, 6])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _sextuple(padding)


class _ReflectionPadNd(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPadNd):
    """Pads the last dimension with its mirror image, the edge itself not repeated.

    >>> import flambeau as torch
    >>> torch.nn.ReflectionPad1d(2)(torch.arange(4.0).view(1, 4))
    tensor([[2., 1., 0., 1., 2., 3., 2., 1.]])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _pair(padding)


class ReflectionPad2d(_ReflectionPadNd):
    """Pads the last two dimensions with their mirror image.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with top + H + bottom, left + W + right
    Raises RuntimeError when a side is not smaller than the size that it mirrors.

    >>> import flambeau as torch
    >>> torch.nn.ReflectionPad2d((2, 0, 0, 0))(torch.tensor([[[1.0, 2.0, 3.0]]]))
    tensor([[[3., 2., 1., 2., 3.]]])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _quadruple(padding)


class ReflectionPad3d(_ReflectionPadNd):
    """Pads the last three dimensions with their mirror image.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same, each size plus its two sides

    >>> import flambeau as torch
    >>> torch.nn.ReflectionPad3d(1)(torch.ones(1, 2, 3, 4)).shape
    torch.Size([1, 4, 5, 6])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _sextuple(padding)


class _ReplicationPadNd(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPadNd):
    """Pads the last dimension by repeating its edges.

    Shapes: (N, C, L) or (C, L) -> the same with left + L + right

    >>> import flambeau as torch
    >>> torch.nn.ReplicationPad1d((2, 1))(torch.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 1., 2., 3., 3.]])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _pair(padding)


class ReplicationPad2d(_ReplicationPadNd):
    """Pads the last two dimensions by repeating their edges.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with top + H + bottom, left + W + right

    >>> import flambeau as torch
    >>> torch.nn.ReplicationPad2d((2, 1, 0, 0))(torch.tensor([[[1.0, 2.0]]]))
    tensor([[[1., 1., 1., 2., 2.]]])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _quadruple(padding)


class ReplicationPad3d(_ReplicationPadNd):
    """Pads the last three dimensions by repeating their edges.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same, each size plus its two sides

    >>> import flambeau as torch
    >>> torch.nn.ReplicationPad3d(1)(torch.ones(1, 2, 3, 4)).shape
    torch.Size([1, 4, 5, 6])
    """

    def __init__(self, padding):
        super().__init__()
        self.padding = _sextuple(padding)
