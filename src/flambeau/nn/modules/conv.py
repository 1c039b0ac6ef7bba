"""Convolutions of one, two and three spatial dimensions, and transposed ones."""

from __future__ import annotations

import math

from ...errors import ArgumentError
from .. import functional as F
from .. import init
from ..parameter import Parameter, UninitializedParameter
from .lazy import LazyModuleMixin
from .module import Module
from .utils import _pair, _reverse_repeat_tuple, _single, _triple, blank

__all__ = [
    "Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "LazyConv1d",
    "LazyConv2d", "LazyConv3d", "LazyConvTranspose1d", "LazyConvTranspose2d", "LazyConvTranspose3d",
]  # fmt: skip

_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    __constants__ = [
        "stride",
        "padding",
        "dilation",
        "groups",
        "padding_mode",
        "output_padding",
        "in_channels",
        "out_channels",
        "kernel_size",
    ]

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding,
        dilation,
        transposed,
        output_padding,
        groups,
        bias,
        padding_mode,
        device=None,
        dtype=None,
    ):
        super().__init__()
        _check(in_channels, out_channels, stride, padding, groups, padding_mode)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        # `F.pad` wants (before, after) per dimension, the last dimension first.
        if isinstance(padding, str):
            self._reversed_padding_repeated_twice = [0, 0] * len(kernel_size)
            if padding == "same":
                for i, (d, k) in enumerate(zip(reversed(dilation), reversed(kernel_size), strict=True)):
                    total = d * (k - 1)
                    self._reversed_padding_repeated_twice[2 * i : 2 * i + 2] = total // 2, total - total // 2
        else:
            self._reversed_padding_repeated_twice = _reverse_repeat_tuple(padding, 2)
        channels = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(blank(*channels, *kernel_size, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(blank(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new weights, uniform within 1/sqrt(fan in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in != 0:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def extra_repr(self):
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * len(self.padding):
            text += f", padding={self.padding}"
        if self.dilation != (1,) * len(self.dilation):
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * len(self.output_padding):
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("padding_mode", "zeros")


def _check(in_channels, out_channels, stride, padding, groups, padding_mode):
    if groups <= 0:
        raise ArgumentError(
            "groups must be a positive integer",
            why=f"it is {groups}, and the channels are divided into that many groups",
            fix="use `groups=1`",
        )
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        if channels % groups != 0:
            raise ArgumentError(
                f"{name} must be divisible by groups",
                why=f"groups have equally many channels, and {channels} % {groups} = {channels % groups}",
                fix=f"use `{name}={-(-channels // groups) * groups}`, or a number of groups that divides {channels}",
            )
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ArgumentError(
                f"Invalid padding string {padding!r}, should be one of {{'same', 'valid'}}",
                why="it says whether zeros are added to keep the size",
                fix="use `padding='same'`, `padding='valid'` for none, or a number",
            )
        if padding == "same" and any(s != 1 for s in stride):
            raise ArgumentError(
                "padding='same' is not supported for strided convolutions",
                why=f"with stride {tuple(stride)} the result is smaller than the input whatever the padding",
                fix="use a number, e.g. `padding=kernel_size // 2`",
            )
    if padding_mode not in _MODES:
        modes = ", ".join(map(repr, _MODES))
        raise ArgumentError(
            f"padding_mode must be one of {{{modes}}}, but got padding_mode='{padding_mode}'",
            why="it says what is added around the input",
            fix="use `padding_mode='zeros'`",
        )


class _Conv(_ConvNd):
    """A convolution with sizes spread by `_spread` and computed by `_convolve`."""

    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        spread = self._spread
        super().__init__(
            in_channels,
            out_channels,
            spread(kernel_size),
            spread(stride),
            padding if isinstance(padding, str) else spread(padding),
            spread(dilation),
            False,
            spread(0),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input):
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input, weight, bias):
        if self.padding_mode == "zeros":
            return self._convolve(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        padded = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        return self._convolve(padded, weight, bias, self.stride, self._spread(0), self.dilation, self.groups)


class Conv1d(_Conv):
    """Convolution over a sequence.

    Arguments:
        in_channels, out_channels: channels before and after.
        kernel_size: length of the window.
        stride, padding, dilation: numbers; padding may be 'valid' or 'same'. Default: 1, 0, 1.
        groups: divide the channels into this many independent convolutions. Default: 1.
        bias: learn an offset per output channel. Default: True.
        padding_mode: 'zeros', 'reflect', 'replicate' or 'circular'. Default: 'zeros'.
    Shapes: (N, in_channels, L) or (in_channels, L) -> (N, out_channels, L') or (out_channels, L')

    >>> import flambeau as torch
    >>> torch.nn.Conv1d(16, 33, 3, stride=2)(torch.randn(20, 16, 50)).shape
    torch.Size([20, 33, 24])
    """

    _spread = staticmethod(_single)

    def _convolve(self, *args):
        return F.conv1d(*args)


class Conv2d(_Conv):
    """Convolution over images; arguments as for `Conv1d`, each size a number or (height, width).

    Shapes: (N, in_channels, H, W) or (in_channels, H, W) -> (N, out_channels, H', W') or (out_channels, H', W')

    >>> import flambeau as torch
    >>> torch.nn.Conv2d(3, 8, 3, padding=1)(torch.randn(2, 3, 10, 10)).shape
    torch.Size([2, 8, 10, 10])
    """

    _spread = staticmethod(_pair)

    def _convolve(self, *args):
        return F.conv2d(*args)


class Conv3d(_Conv):
    """Convolution over volumes; arguments as for `Conv1d`, each size a number or (depth, height, width).

    Shapes: (N, in_channels, D, H, W) or (in_channels, D, H, W) -> the same with out_channels

    >>> import flambeau as torch
    >>> torch.nn.Conv3d(1, 8, 3, padding=1)(torch.rand(2, 1, 4, 6, 6)).shape
    torch.Size([2, 8, 4, 6, 6])
    """

    _spread = staticmethod(_triple)

    def _convolve(self, *args):
        return F.conv3d(*args)


class _ConvTransposeNd(_ConvNd):
    def __init__(
        self,
        in_channels,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        if padding_mode != "zeros":
            raise ArgumentError(
                f'Only "zeros" padding mode is supported for {self.__class__.__name__}',
                why="a transposed convolution cuts its padding off the result",
                fix="leave padding_mode out",
            )
        spread = self._spread
        super().__init__(
            in_channels,
            out_channels,
            spread(kernel_size),
            spread(stride),
            spread(padding),
            spread(dilation),
            True,
            spread(output_padding),
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input, output_size=None):
        if self.padding_mode != "zeros":
            raise ArgumentError(
                f"Only `zeros` padding mode is supported for {self.__class__.__name__}",
                why="a transposed convolution cuts its padding off the result",
                fix="leave padding_mode out",
            )
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(
                input, output_size, self.stride, self.padding, self.kernel_size, len(self.kernel_size), self.dilation
            )
        return self._convolve(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _output_padding(self, input, output_size, stride, padding, kernel_size, num_spatial_dims, dilation=None):
        """The padding of the output that makes it `output_size`."""
        if output_size is None:
            return _single(self.output_padding)
        n = num_spatial_dims
        leading = input.dim() - n
        wanted = list(output_size)
        if len(wanted) == leading + n:
            wanted = wanted[leading:]
        if len(wanted) != n:
            raise ArgumentError(
                f"ConvTranspose{n}D: for {input.dim()}D input, output_size must have {n} or {leading + n} elements "
                f"(got {len(output_size)})",
                why=f"it is the size of the last {n} dimension(s), or of all",
                fix="use the size of what is to be restored: `x.size()`",
            )
        dilation = dilation if dilation is not None else (1,) * n
        least = [
            (input.size(leading + d) - 1) * stride[d] - 2 * padding[d] + dilation[d] * (kernel_size[d] - 1) + 1
            for d in range(n)
        ]
        most = [m + stride[d] - 1 for d, m in enumerate(least)]
        if any(not lo <= size <= hi for size, lo, hi in zip(wanted, least, most, strict=True)):
            raise ArgumentError(
                f"requested an output size of {output_size}, but valid sizes range from {least} to {most} "
                f"(for an input of {input.size()[leading:]})",
                why=f"a convolution with stride {tuple(stride)} maps sizes of that range to the input's",
                fix=f"use `output_size={most}` or less",
            )
        return [size - lo for size, lo in zip(wanted, least, strict=True)]


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution over a sequence: the gradient of `Conv1d` with respect to its input.

    Arguments as for `Conv1d`, and
        output_padding: added to one side of the output, whose size is otherwise ambiguous. Default: 0.
    Its call takes `output_size` instead, where that is known.

    >>> import flambeau as torch
    >>> torch.nn.ConvTranspose1d(16, 33, 3, stride=2)(torch.randn(20, 16, 50)).shape
    torch.Size([20, 33, 101])
    """

    _spread = staticmethod(_single)

    def _convolve(self, *args):
        return F.conv_transpose1d(*args)


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution over images; see `ConvTranspose1d`.

    Shapes: (N, in_channels, H, W) or (in_channels, H, W) -> the same with out_channels, and other H and W

    >>> import flambeau as torch
    >>> torch.nn.ConvTranspose2d(4, 2, 2, stride=2)(torch.rand(1, 4, 5, 5)).shape
    torch.Size([1, 2, 10, 10])
    """

    _spread = staticmethod(_pair)

    def _convolve(self, *args):
        return F.conv_transpose2d(*args)


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution over volumes; see `ConvTranspose1d`.

    Shapes: (N, in_channels, D, H, W) or (in_channels, D, H, W) -> the same with out_channels, and other sizes

    >>> import flambeau as torch
    >>> torch.nn.ConvTranspose3d(4, 2, 2, stride=2)(torch.rand(1, 4, 3, 5, 5)).shape
    torch.Size([1, 2, 6, 10, 10])
    """

    _spread = staticmethod(_triple)

    def _convolve(self, *args):
        return F.conv_transpose3d(*args)


class _LazyConvXdMixin(LazyModuleMixin):
    """A convolution that learns `in_channels` from its first input."""

    def _make_lazy(self, out_channels, bias, device, dtype):
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self):
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input, *args, **kwargs):
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._get_in_channels(input)
        if self.in_channels % self.groups != 0:
            raise ArgumentError(
                "in_channels must be divisible by groups",
                why=f"the input has {self.in_channels} channels, and {self.in_channels} / {self.groups} is not a "
                "whole number",
                fix=f"use a number of groups that divides {self.in_channels}",
            )
        if self.transposed:
            channels = self.in_channels, self.out_channels // self.groups
        else:
            channels = self.out_channels, self.in_channels // self.groups
        self.weight.materialize((*channels, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _get_in_channels(self, input):
        n = len(self.kernel_size)
        if input.dim() not in (n + 1, n + 2):
            raise ArgumentError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {self.__class__.__name__}, but got "
                f"input of size: {input.shape}",
                why=f"channels come before the last {n} dimension(s), and the batch before those",
                fix="use `x.unsqueeze(0)` to add the missing dimension",
            )
        return input.shape[1] if input.dim() == n + 2 else input.shape[0]


class _LazyConv(_LazyConvXdMixin):
    def __init__(
        self,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
        bias=True,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        # bias=False: the real bias, still without a shape, comes after.
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device, dtype)
        self._make_lazy(out_channels, bias, device, dtype)


class _LazyConvTranspose(_LazyConvXdMixin):
    def __init__(
        self,
        out_channels,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups=1,
        bias=True,
        dilation=1,
        padding_mode="zeros",
        device=None,
        dtype=None,
    ):
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode, device, dtype
        )
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """`Conv1d` that learns `in_channels` from its first input.

    Shapes: (N, C, L) -> (N, out_channels, L')

    >>> import flambeau as torch
    >>> torch.nn.LazyConv1d(8, 3)(torch.rand(2, 4, 10)).shape
    torch.Size([2, 8, 8])
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """`Conv2d` that learns `in_channels` from its first input.

    >>> import flambeau as torch
    >>> layer = torch.nn.LazyConv2d(8, 3)
    >>> _ = layer(torch.ones(1, 3, 5, 5)); layer
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """`Conv3d` that learns `in_channels` from its first input.

    Shapes: (N, C, D, H, W) -> (N, out_channels, D', H', W')

    >>> import flambeau as torch
    >>> torch.nn.LazyConv3d(8, 3)(torch.rand(2, 4, 5, 6, 6)).shape
    torch.Size([2, 8, 3, 4, 4])
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """`ConvTranspose1d` that learns `in_channels` from its first input.

    Shapes: (N, C, L) -> (N, out_channels, L')

    >>> import flambeau as torch
    >>> torch.nn.LazyConvTranspose1d(8, 2, stride=2)(torch.rand(2, 4, 5)).shape
    torch.Size([2, 8, 10])
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """`ConvTranspose2d` that learns `in_channels` from its first input.

    Shapes: (N, C, H, W) -> (N, out_channels, H', W')

    >>> import flambeau as torch
    >>> torch.nn.LazyConvTranspose2d(8, 2, stride=2)(torch.rand(2, 4, 5, 5)).shape
    torch.Size([2, 8, 10, 10])
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """`ConvTranspose3d` that learns `in_channels` from its first input.

    Shapes: (N, C, D, H, W) -> (N, out_channels, D', H', W')

    >>> import flambeau as torch
    >>> torch.nn.LazyConvTranspose3d(8, 2, stride=2)(torch.rand(2, 4, 3, 5, 5)).shape
    torch.Size([2, 8, 6, 10, 10])
    """

    cls_to_become = ConvTranspose3d
