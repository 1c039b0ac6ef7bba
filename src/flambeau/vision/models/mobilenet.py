"""MobileNet V2 and V3: small networks of depthwise convolutions."""

from dataclasses import dataclass
from functools import partial

import flambeau as fb
from flambeau import nn

from ...errors import ArgumentError
from ._api import build, register, weights_enum
from ._layers import Conv2dNormActivation, SqueezeExcitation, init_mobile, make_divisible

__all__ = [
    "MobileNetV2",
    "MobileNetV3",
    "MobileNet_V2_Weights",
    "MobileNet_V3_Large_Weights",
    "MobileNet_V3_Small_Weights",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
]

MobileNet_V2_Weights = weights_enum(
    "MobileNet_V2_Weights",
    {"IMAGENET1K_V1": "mobilenet_v2-b0353104.pth", "IMAGENET1K_V2": "mobilenet_v2-7ebf99e0.pth"},
)
MobileNet_V3_Large_Weights = weights_enum(
    "MobileNet_V3_Large_Weights",
    {"IMAGENET1K_V1": "mobilenet_v3_large-8738ca79.pth", "IMAGENET1K_V2": "mobilenet_v3_large-5c1a4163.pth"},
)
MobileNet_V3_Small_Weights = weights_enum(
    "MobileNet_V3_Small_Weights", {"IMAGENET1K_V1": "mobilenet_v3_small-047dcff4.pth"}
)


class InvertedResidual(nn.Module):
    """Widen, convolve each channel, narrow; plus the input where sizes allow."""

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: float, norm_layer=None) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ArgumentError(
                f"stride should be 1 or 2 instead of {stride}",
                why="a block keeps the size or halves it",
                fix="use 1 or 2",
            )
        norm_layer = norm_layer or nn.BatchNorm2d
        hidden = round(inp * expand_ratio)
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        block = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        layers: list[nn.Module] = [] if expand_ratio == 1 else [block(inp, hidden, kernel_size=1)]
        layers += [
            block(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, oup, 1, 1, 0, bias=False),
            norm_layer(oup),
        ]
        self.conv = nn.Sequential(*layers)
        self.out_channels = oup

    def forward(self, x):
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """MobileNet V2 (Sandler et al. 2018, https://arxiv.org/abs/1801.04381).

    Arguments:
        width_mult: factor of all channels, which are rounded to multiples of `round_nearest`.
        inverted_residual_setting: rows (widening, channels, repeats, stride).

    Shapes: (N, 3, H, W) -> (N, num_classes)

    >>> import flambeau as torch
    >>> from flambeau.vision.models import MobileNetV2
    >>> MobileNetV2(num_classes=10, width_mult=0.25).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    _SETTING = [
        [1, 16, 1, 1],
        [6, 24, 2, 2],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting=None,
        round_nearest: int = 8,
        block=None,
        norm_layer=None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        block, norm_layer = block or InvertedResidual, norm_layer or nn.BatchNorm2d
        setting = self._SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or len(setting[0]) != 4:
            raise ArgumentError(
                f"inverted_residual_setting should be non-empty or a 4-element list, got {inverted_residual_setting}",
                why="each row of it is (expansion, channels, repetitions, stride)",
                fix="leave it out for the published setting",
            )
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.ReLU6)
        channels = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features = [conv(3, channels, stride=2)]
        for t, c, n, s in setting:
            out = make_divisible(c * width_mult, round_nearest)
            for k in range(n):
                features.append(block(channels, out, s if k == 0 else 1, expand_ratio=t, norm_layer=norm_layer))
                channels = out
        features.append(conv(channels, self.last_channel, kernel_size=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout), nn.Linear(self.last_channel, num_classes))
        init_mobile(self)

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(fb.flatten(x, 1))


@dataclass
class Row:
    """One line of the tables of the MobileNet V3 paper."""

    input_channels: int
    kernel: int
    expanded_channels: int
    out_channels: int
    use_se: bool
    activation: str
    stride: int
    dilation: int = 1


class InvertedResidualV3(nn.Module):
    """The block of V3: with squeeze-and-excitation and a choice of activation."""

    def __init__(self, row: Row, norm_layer) -> None:
        super().__init__()
        if not 1 <= row.stride <= 2:
            raise ArgumentError(
                "illegal stride value", why=f"it is {row.stride}; a block keeps the size or halves it", fix="use 1 or 2"
            )
        self.use_res_connect = row.stride == 1 and row.input_channels == row.out_channels
        activation = nn.Hardswish if row.activation == "HS" else nn.ReLU
        block = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation)
        wide = row.expanded_channels
        layers: list[nn.Module] = []
        if wide != row.input_channels:
            layers.append(block(row.input_channels, wide, kernel_size=1))
        stride = 1 if row.dilation > 1 else row.stride
        layers.append(block(wide, wide, row.kernel, stride, groups=wide, dilation=row.dilation))
        if row.use_se:
            layers.append(SqueezeExcitation(wide, make_divisible(wide // 4), scale_activation=nn.Hardsigmoid))
        layers.append(block(wide, row.out_channels, kernel_size=1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.out_channels = row.out_channels

    def forward(self, input):
        return self.block(input) + input if self.use_res_connect else self.block(input)


class MobileNetV3(nn.Module):
    """MobileNet V3 (Howard et al. 2019, https://arxiv.org/abs/1905.02244).

    Arguments:
        inverted_residual_setting: the rows of the paper's table. last_channel: width before the classifier.

    Shapes: (N, 3, H, W) -> (N, num_classes)
    """

    def __init__(
        self,
        inverted_residual_setting: list[Row],
        last_channel: int,
        num_classes: int = 1000,
        block=None,
        norm_layer=None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if not inverted_residual_setting:
            raise ArgumentError(
                "The inverted_residual_setting should not be empty",
                why="each row of it describes a block",
                fix="use `mobilenet_v3_small()` or `mobilenet_v3_large()` for the published settings",
            )
        block = block or InvertedResidualV3
        norm_layer = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        conv = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.Hardswish)
        last = inverted_residual_setting[-1].out_channels
        self.features = nn.Sequential(
            conv(3, inverted_residual_setting[0].input_channels, kernel_size=3, stride=2),
            *(block(row, norm_layer) for row in inverted_residual_setting),
            conv(last, 6 * last, kernel_size=1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * last, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        init_mobile(self)

    def forward(self, x):
        return self.classifier(fb.flatten(self.avgpool(self.features(x)), 1))


def _table(text: str, width_mult: float, reduced_tail: bool, dilated: bool) -> list[Row]:
    """Rows from text: input, kernel, widened, output, SE, activation, stride; "/" marks the tail, which may shrink."""
    rows = []
    for line in text.strip().splitlines():
        cells = line.split()
        numbers = []
        for k in (0, 2, 3):
            shrink = 2 if reduced_tail and cells[k].endswith("/") else 1
            numbers.append(make_divisible(int(cells[k].rstrip("/")) // shrink * width_mult))
        tail = cells[3].endswith("/")
        rows.append(
            Row(
                numbers[0],
                int(cells[1]),
                numbers[1],
                numbers[2],
                cells[4] == "SE",
                cells[5],
                int(cells[6]),
                2 if dilated and tail else 1,
            )
        )
    return rows


_LARGE = """
    16   3  16   16   -  RE 1
    16   3  64   24   -  RE 2
    24   3  72   24   -  RE 1
    24   5  72   40   SE RE 2
    40   5  120  40   SE RE 1
    40   5  120  40   SE RE 1
    40   3  240  80   -  HS 2
    80   3  200  80   -  HS 1
    80   3  184  80   -  HS 1
    80   3  184  80   -  HS 1
    80   3  480  112  SE HS 1
    112  3  672  112  SE HS 1
    112  5  672  160/ SE HS 2
    160/ 5  960/ 160/ SE HS 1
    160/ 5  960/ 160/ SE HS 1
"""
_SMALL = """
    16   3  16   16   SE RE 2
    16   3  72   24   -  RE 2
    24   3  88   24   -  RE 1
    24   5  96   40   SE HS 2
    40   5  240  40   SE HS 1
    40   5  240  40   SE HS 1
    40   5  120  48   SE HS 1
    48   5  144  48   SE HS 1
    48   5  288  96/  SE HS 2
    96/  5  576/ 96/  SE HS 1
    96/  5  576/ 96/  SE HS 1
"""


def _v3(table: str, last: int, *, width_mult=1.0, reduced_tail=False, dilated=False, **options) -> MobileNetV3:
    rows = _table(table, width_mult, reduced_tail, dilated)
    return MobileNetV3(rows, make_divisible(last // (2 if reduced_tail else 1) * width_mult), **options)


@register
def mobilenet_v2(*, weights=None, progress: bool = True, **kwargs) -> MobileNetV2:
    """See `MobileNetV2`."""
    return build(MobileNetV2, weights, kwargs, MobileNet_V2_Weights)


@register
def mobilenet_v3_large(*, weights=None, progress: bool = True, **kwargs) -> MobileNetV3:
    """The large variant; see `MobileNetV3`."""
    return build(partial(_v3, _LARGE, 1280), weights, kwargs, MobileNet_V3_Large_Weights)


@register
def mobilenet_v3_small(*, weights=None, progress: bool = True, **kwargs) -> MobileNetV3:
    """The small variant; see `MobileNetV3`."""
    return build(partial(_v3, _SMALL, 1024), weights, kwargs, MobileNet_V3_Small_Weights)


mobilenet_v2.weights = MobileNet_V2_Weights  # type: ignore[attr-defined]
mobilenet_v3_large.weights = MobileNet_V3_Large_Weights  # type: ignore[attr-defined]
mobilenet_v3_small.weights = MobileNet_V3_Small_Weights  # type: ignore[attr-defined]
