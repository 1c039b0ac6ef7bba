"""Pooling: the maximum, mean or p-norm of windows, and its partial inverse."""

from __future__ import annotations

from ...errors import ArgumentError
from .. import functional as F
from .module import Module
from .utils import _pair, _single, _triple

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d",
    "MaxUnpool3d",
]  # fmt: skip


class _MaxPoolNd(Module):
    __constants__ = ["kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"]

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def _options(self):
        return dict(ceil_mode=self.ceil_mode, return_indices=self.return_indices)

    def extra_repr(self):
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """Maximum of each window of a sequence.

    Arguments:
        kernel_size: length of the window.
        stride: step between windows. Default: kernel_size.
        padding: minus infinity added on both sides. Default: 0.
        dilation: step within the window. Default: 1.
        return_indices: also return where the maxima were, for `MaxUnpool1d`.
        ceil_mode: keep a last window that reaches over the edge.
    Shapes: (N, C, L) or (C, L)

    >>> import flambeau as torch
    >>> torch.nn.MaxPool1d(2)(torch.arange(6.0).view(1, 6))
    tensor([[1., 3., 5.]])
    """

    def forward(self, input):
        return F.max_pool1d(input, self.kernel_size, self.stride, self.padding, self.dilation, **self._options())


class MaxPool2d(_MaxPoolNd):
    """Maximum of each window of images; arguments as for `MaxPool1d`, each a number or (height, width).

    >>> import flambeau as torch
    >>> torch.nn.MaxPool2d(3, stride=2)(torch.randn(20, 16, 50, 32)).shape
    torch.Size([20, 16, 24, 15])
    """

    def forward(self, input):
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, **self._options())


class MaxPool3d(_MaxPoolNd):
    """Maximum of each window of volumes; arguments as for `MaxPool1d`.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'

    >>> import flambeau as torch
    >>> torch.nn.MaxPool3d(2)(torch.rand(1, 3, 4, 8, 8)).shape
    torch.Size([1, 3, 2, 4, 4])
    """

    def forward(self, input):
        return F.max_pool3d(input, self.kernel_size, self.stride, self.padding, self.dilation, **self._options())


class _MaxUnpoolNd(Module):
    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        self.kernel_size = self._spread(kernel_size)
        self.stride = self._spread(stride if stride is not None else kernel_size)
        self.padding = self._spread(padding)


class MaxUnpool1d(_MaxUnpoolNd):
    """Puts maxima back where `MaxPool1d` with return_indices found them, and zero elsewhere.

    Shapes: (N, C, L) or (C, L), with indices of that shape -> the same with the length before pooling

    >>> import flambeau as torch
    >>> out, indices = torch.nn.MaxPool1d(2, return_indices=True)(torch.tensor([[1.0, 3.0, 5.0, 2.0]]))
    >>> torch.nn.MaxUnpool1d(2)(out, indices)
    tensor([[0., 3., 5., 0.]])
    """

    _spread = staticmethod(_single)

    def forward(self, input, indices, output_size=None):
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpoolNd):
    """Puts maxima back where `MaxPool2d` with return_indices found them, and zero elsewhere.

    >>> import flambeau as torch
    >>> pool, unpool = torch.nn.MaxPool2d(2, return_indices=True), torch.nn.MaxUnpool2d(2)
    >>> unpool(*pool(torch.arange(4.0).view(1, 2, 2)))
    tensor([[[0., 0.],
             [0., 3.]]])
    """

    _spread = staticmethod(_pair)

    def forward(self, input, indices, output_size=None):
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(_MaxUnpoolNd):
    """Puts maxima back where `MaxPool3d` with return_indices found them, and zero elsewhere.

    Shapes: (N, C, D, H, W), with indices of that shape -> the sizes before pooling

    >>> import flambeau as torch
    >>> out, indices = torch.nn.MaxPool3d(2, return_indices=True)(torch.rand(1, 1, 4, 4, 4))
    >>> torch.nn.MaxUnpool3d(2)(out, indices).shape
    torch.Size([1, 1, 4, 4, 4])
    """

    _spread = staticmethod(_triple)

    def forward(self, input, indices, output_size=None):
        return F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class _AvgPoolNd(Module):
    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"]

    def extra_repr(self):
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPoolNd):
    """Mean of each window of a sequence.

    Arguments:
        kernel_size, stride, padding, ceil_mode: as for `MaxPool1d`.
        count_include_pad: count the zeros of the padding. Default: True.

    >>> import flambeau as torch
    >>> torch.nn.AvgPool1d(3, stride=2)(torch.tensor([[1.0, 2, 3, 4, 5, 6, 7]]))
    tensor([[2., 4., 6.]])
    """

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        super().__init__()
        self.kernel_size = _single(kernel_size)
        self.stride = _single(stride if stride is not None else kernel_size)
        self.padding = _single(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input):
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPool23(_AvgPoolNd):
    __constants__ = ["kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"]

    def __init__(
        self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride if stride is not None else kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def _arguments(self):
        return (
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )


class AvgPool2d(_AvgPool23):
    """Mean of each window of images; `divisor_override` divides by another number than the window's size.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H' and W'

    >>> import flambeau as torch
    >>> torch.nn.AvgPool2d(2)(torch.arange(8.0).reshape(1, 2, 4))
    tensor([[[2.5000, 4.5000]]])
    """

    def forward(self, input):
        return F.avg_pool2d(input, *self._arguments())


class AvgPool3d(_AvgPool23):
    """Mean of each window of volumes.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'

    >>> import flambeau as torch
    >>> torch.nn.AvgPool3d(2)(torch.rand(1, 3, 4, 8, 8)).shape
    torch.Size([1, 3, 2, 4, 4])
    """

    def forward(self, input):
        return F.avg_pool3d(input, *self._arguments())


class _FractionalMaxPoolNd(Module):
    __constants__ = ["kernel_size", "return_indices", "output_size", "output_ratio"]

    def __init__(self, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        super().__init__()
        self.kernel_size = self._spread(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = self._spread(output_size) if output_size is not None else None
        self.output_ratio = self._spread(output_ratio) if output_ratio is not None else None
        name = self.__class__.__name__
        if output_size is None and output_ratio is None:
            raise ArgumentError(
                f"{name} requires specifying either an output size, or a pooling ratio",
                why="nothing says how large the result is",
                fix="use `output_ratio=0.5`",
            )
        if output_size is not None and output_ratio is not None:
            raise ArgumentError(
                "only one of output_size and output_ratio may be specified",
                why="both say how large the result is",
                fix="leave one of them out",
            )
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ArgumentError(
                f"output_ratio must be between 0 and 1 (got {output_ratio})",
                why="it is the size of the result as a part of the input's",
                fix="use `output_ratio=0.5` for half the size",
            )

    def _arguments(self):
        return self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maximum of windows of random positions, for output sizes that do not divide the input's.

    Arguments:
        kernel_size: size of the windows.
        output_size: target sizes. One of this and the next is given.
        output_ratio: target sizes as a fraction of the input's.
        return_indices: also return where the maxima were.
    Shapes: (N, C, H, W) or (C, H, W) -> the same with the output's sizes

    Graham, "Fractional MaxPooling", 2014.

    >>> import flambeau as torch
    >>> torch.nn.FractionalMaxPool2d(2, output_size=5)(torch.rand(1, 3, 8, 8)).shape
    torch.Size([1, 3, 5, 5])
    """

    _spread = staticmethod(_pair)

    def forward(self, input):
        return F.fractional_max_pool2d(input, *self._arguments())


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """`FractionalMaxPool2d` for volumes.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with the output's sizes

    >>> import flambeau as torch
    >>> torch.nn.FractionalMaxPool3d(2, output_size=5)(torch.rand(1, 3, 8, 8, 8)).shape
    torch.Size([1, 3, 5, 5, 5])
    """

    _spread = staticmethod(_triple)

    def forward(self, input):
        return F.fractional_max_pool3d(input, *self._arguments())


class _LPPoolNd(Module):
    __constants__ = ["norm_type", "kernel_size", "stride", "ceil_mode"]

    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False):
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def _arguments(self):
        return float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode

    def extra_repr(self):
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """p-norm of each window of a sequence, (Σ xᵖ)^(1/p).

    Shapes: (N, C, L) or (C, L) -> the same with L'

    >>> import flambeau as torch
    >>> torch.nn.LPPool1d(2, 2)(torch.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """

    def forward(self, input):
        return F.lp_pool1d(input, *self._arguments())


class LPPool2d(_LPPoolNd):
    """p-norm of each window of images.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with H' and W'

    >>> import flambeau as torch
    >>> torch.nn.LPPool2d(2, 2)(torch.ones(1, 2, 4))
    tensor([[[2., 2.]]])
    """

    def forward(self, input):
        return F.lp_pool2d(input, *self._arguments())


class LPPool3d(_LPPoolNd):
    """p-norm of each window of volumes.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with D', H', W'

    >>> import flambeau as torch
    >>> torch.nn.LPPool3d(2, 2)(torch.ones(1, 4, 4, 4)).shape
    torch.Size([1, 2, 2, 2])
    """

    def forward(self, input):
        return F.lp_pool3d(input, *self._arguments())


class _AdaptiveMaxPoolNd(Module):
    __constants__ = ["output_size", "return_indices"]

    def __init__(self, output_size, return_indices=False):
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self):
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Maximum of windows chosen so that the output has a given length.

    Shapes: (N, C, L) or (C, L) -> the same with output_size

    >>> import flambeau as torch
    >>> torch.nn.AdaptiveMaxPool1d(2)(torch.tensor([[1.0, 4.0, 2.0, 3.0]]))
    tensor([[4., 3.]])
    """

    def forward(self, input):
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Maximum of windows chosen so that the output has given sizes; None keeps the input's.

    Shapes: (N, C, H, W) or (C, H, W) -> the same with the output's sizes

    >>> import flambeau as torch
    >>> torch.nn.AdaptiveMaxPool2d((2, None))(torch.rand(1, 3, 8, 6)).shape
    torch.Size([1, 3, 2, 6])
    """

    def forward(self, input):
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Maximum of windows chosen so that the output has given sizes; None keeps the input's.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with the output's sizes

    >>> import flambeau as torch
    >>> torch.nn.AdaptiveMaxPool3d(2)(torch.rand(1, 3, 4, 8, 6)).shape
    torch.Size([1, 3, 2, 2, 2])
    """

    def forward(self, input):
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)


class _AdaptiveAvgPoolNd(Module):
    __constants__ = ["output_size"]

    def __init__(self, output_size):
        super().__init__()
        self.output_size = output_size

    def extra_repr(self):
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Mean of windows chosen so that the output has a given length.

    Shapes: (N, C, L) or (C, L) -> the same with output_size

    >>> import flambeau as torch
    >>> torch.nn.AdaptiveAvgPool1d(2)(torch.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[2., 3.]])
    """

    def forward(self, input):
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Mean of windows chosen so that the output has given sizes; None keeps the input's.

    >>> import flambeau as torch
    >>> torch.nn.AdaptiveAvgPool2d((5, 7))(torch.randn(1, 64, 8, 9)).shape
    torch.Size([1, 64, 5, 7])
    """

    def forward(self, input):
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Mean of windows chosen so that the output has given sizes; None keeps the input's.

    Shapes: (N, C, D, H, W) or (C, D, H, W) -> the same with the output's sizes

    >>> import flambeau as torch
    >>> torch.nn.AdaptiveAvgPool3d((1, None, 2))(torch.rand(1, 3, 4, 8, 6)).shape
    torch.Size([1, 3, 1, 8, 2])
    """

    def forward(self, input):
        return F.adaptive_avg_pool3d(input, self.output_size)
