"""ResNet 18 to 152, ResNeXt and wide ResNets."""

import flambeau as fb
from flambeau import nn

from ...errors import ArgumentError, NotSupported
from ._api import build, register, weights_enum

__all__ = ["BasicBlock", "Bottleneck", "ResNet"]


def _conv3x3(inputs: int, outputs: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=dilation, groups=groups, bias=False, dilation=dilation)


def _conv1x1(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the input.

    >>> import flambeau as torch
    >>> from flambeau.vision.models.resnet import BasicBlock
    >>> BasicBlock(8, 8)(torch.zeros(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])
    """

    expansion = 1

    def __init__(
        self, inplanes, planes, stride=1, downsample=None, groups=1, base_width=64, dilation=1, norm_layer=None
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ArgumentError(
                "BasicBlock only supports groups=1 and base_width=64",
                why=f"groups is {groups} and base_width {base_width}",
                fix="use `Bottleneck`, as resnet50 does",
            )
        if dilation > 1:
            raise NotSupported(
                "Dilation > 1 not supported in BasicBlock",
                why=f"dilation is {dilation}",
                fix="use `Bottleneck`, as resnet50 does",
            )
        self.conv1 = _conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up, and the input. The stride is in the 3x3 convolution ("ResNet v1.5").

    >>> import flambeau as torch
    >>> from flambeau.vision.models.resnet import Bottleneck
    >>> Bottleneck(16, 4)(torch.zeros(1, 16, 4, 4)).shape
    torch.Size([1, 16, 4, 4])
    """

    expansion = 4

    def __init__(
        self, inplanes, planes, stride=1, downsample=None, groups=1, base_width=64, dilation=1, norm_layer=None
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = _conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = _conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = _conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += x if self.downsample is None else self.downsample(x)
        return self.relu(out)


class ResNet(nn.Module):
    """Residual networks (He et al. 2015, https://arxiv.org/abs/1512.03385).

    Arguments:
        block: `BasicBlock` or `Bottleneck`. layers: blocks in each of the four stages.
        zero_init_residual: start each block as the identity.
        groups, width_per_group: of the 3x3 convolutions of bottlenecks (ResNeXt, wide ResNets).
        replace_stride_with_dilation: for stages 2 to 4, keep the resolution.

    Shapes: (N, 3, H, W) -> (N, num_classes)

    >>> import flambeau as torch
    >>> from flambeau.vision.models.resnet import BasicBlock, ResNet
    >>> ResNet(BasicBlock, [1, 1, 1, 1], num_classes=10).eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        block,
        layers: list[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: list[bool] | None = None,
        norm_layer=None,
    ) -> None:
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes, self.dilation = 64, 1
        dilate = replace_stride_with_dilation or [False, False, False]
        if len(dilate) != 3:
            raise ArgumentError(
                f"replace_stride_with_dilation should be None or a 3-element tuple, got {replace_stride_with_dilation}",
                why="it says for the last three stages whether they dilate instead of halving the size",
                fix="use `(False, False, True)`",
            )
        self.groups, self.base_width = groups, width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2, dilate=dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2, dilate=dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2, dilate=dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
        if zero_init_residual:
            for m in self.modules():
                if isinstance(m, (BasicBlock, Bottleneck)):
                    nn.init.constant_((m.bn3 if isinstance(m, Bottleneck) else m.bn2).weight, 0)

    def _make_layer(self, block, planes: int, blocks: int, stride: int = 1, dilate: bool = False) -> nn.Sequential:
        first_dilation = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(
                _conv1x1(self.inplanes, planes * block.expansion, stride), self._norm_layer(planes * block.expansion)
            )
        rest = (self.groups, self.base_width)
        layers = [block(self.inplanes, planes, stride, downsample, *rest, first_dilation, self._norm_layer)]
        self.inplanes = planes * block.expansion
        for _ in range(1, blocks):
            layers.append(block(self.inplanes, planes, 1, None, *rest, self.dilation, self._norm_layer))
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(fb.flatten(self.avgpool(x), 1))


def _resnet(name: str, enum: str, block, layers: list[int], files: dict[str, str], **fixed):
    published = weights_enum(enum, files)

    def make(**options) -> ResNet:
        return ResNet(block, layers, **{**fixed, **options})

    def builder(*, weights=None, progress: bool = True, **kwargs) -> ResNet:
        return build(make, weights, kwargs, published)

    builder.__name__ = builder.__qualname__ = make.__name__ = name
    builder.__doc__ = f"{name}: {block.__name__} x {layers}; see `ResNet`."
    builder.weights = published  # type: ignore[attr-defined]
    globals()[enum] = published
    __all__.extend([name, enum])
    return register(builder)


def _files(name: str, first: str, second: str | None = None) -> dict[str, str]:
    files = {"IMAGENET1K_V1": f"{name}-{first}.pth"}
    return files if second is None else {**files, "IMAGENET1K_V2": f"{name}-{second}.pth"}


resnet18 = _resnet("resnet18", "ResNet18_Weights", BasicBlock, [2, 2, 2, 2], _files("resnet18", "f37072fd"))
resnet34 = _resnet("resnet34", "ResNet34_Weights", BasicBlock, [3, 4, 6, 3], _files("resnet34", "b627a593"))
resnet50 = _resnet("resnet50", "ResNet50_Weights", Bottleneck, [3, 4, 6, 3], _files("resnet50", "0676ba61", "11ad3fa6"))
resnet101 = _resnet(
    "resnet101", "ResNet101_Weights", Bottleneck, [3, 4, 23, 3], _files("resnet101", "63fe2227", "cd907fc2")
)
resnet152 = _resnet(
    "resnet152", "ResNet152_Weights", Bottleneck, [3, 8, 36, 3], _files("resnet152", "394f9c45", "f82ba261")
)
resnext50_32x4d = _resnet(
    "resnext50_32x4d", "ResNeXt50_32X4D_Weights", Bottleneck, [3, 4, 6, 3],
    _files("resnext50_32x4d", "7cdf4587", "1a0047aa"), groups=32, width_per_group=4,
)  # fmt: skip
resnext101_32x8d = _resnet(
    "resnext101_32x8d", "ResNeXt101_32X8D_Weights", Bottleneck, [3, 4, 23, 3],
    _files("resnext101_32x8d", "8ba56ff5", "110c445d"), groups=32, width_per_group=8,
)  # fmt: skip
resnext101_64x4d = _resnet(
    "resnext101_64x4d", "ResNeXt101_64X4D_Weights", Bottleneck, [3, 4, 23, 3],
    _files("resnext101_64x4d", "173b62eb"), groups=64, width_per_group=4,
)  # fmt: skip
wide_resnet50_2 = _resnet(
    "wide_resnet50_2", "Wide_ResNet50_2_Weights", Bottleneck, [3, 4, 6, 3],
    _files("wide_resnet50_2", "95faca4d", "9ba9bcbe"), width_per_group=128,
)  # fmt: skip
wide_resnet101_2 = _resnet(
    "wide_resnet101_2", "Wide_ResNet101_2_Weights", Bottleneck, [3, 4, 23, 3],
    _files("wide_resnet101_2", "32ee1156", "d733dc28"), width_per_group=128,
)  # fmt: skip
