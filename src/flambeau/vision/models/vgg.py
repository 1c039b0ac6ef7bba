"""VGG 11 to 19, with and without batch normalisation."""

import flambeau as fb
from flambeau import nn

from ._api import build, register, weights_enum

__all__ = ["VGG"]

# Channels of the 3x3 convolutions between the poolings ("M").
_PLANS: dict[int, list] = {
    11: [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    13: [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    16: [64, 64, "M", 128, 128, "M", *[256] * 3, "M", *[512] * 3, "M", *[512] * 3, "M"],
    19: [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


class VGG(nn.Module):
    """VGG (Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556).

    Arguments:
        features: the convolutional part, see `make_layers`.

    Shapes: (N, 3, H, W) with H, W >= 32 -> (N, num_classes)
    """

    def __init__(self, features, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
                    if m.bias is not None:
                        nn.init.constant_(m.bias, 0)
                elif isinstance(m, nn.BatchNorm2d):
                    nn.init.constant_(m.weight, 1)
                    nn.init.constant_(m.bias, 0)
                elif isinstance(m, nn.Linear):
                    nn.init.normal_(m.weight, 0, 0.01)
                    nn.init.constant_(m.bias, 0)

    def forward(self, x):
        return self.classifier(fb.flatten(self.avgpool(self.features(x)), 1))


def make_layers(cfg: list, batch_norm: bool = False) -> nn.Sequential:
    """Convolutions of the given channels, and poolings.

    >>> import flambeau as torch
    >>> from flambeau.vision.models.vgg import make_layers
    >>> make_layers([8, "M"])(torch.zeros(1, 3, 4, 4)).shape
    torch.Size([1, 8, 2, 2])
    """
    layers: list[nn.Module] = []
    channels = 3
    for v in cfg:
        if v == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, v, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(v))
        layers.append(nn.ReLU(inplace=True))
        channels = v
    return nn.Sequential(*layers)


def _vgg(depth: int, batch_norm: bool, file: str):
    name = f"vgg{depth}" + ("_bn" if batch_norm else "")
    published = weights_enum(f"{name.upper()}_Weights", {"IMAGENET1K_V1": file})

    def make(**options) -> VGG:
        return VGG(make_layers(_PLANS[depth], batch_norm), **options)

    def builder(*, weights=None, progress: bool = True, **kwargs) -> VGG:
        return build(make, weights, kwargs, published)

    builder.__name__ = builder.__qualname__ = make.__name__ = name
    normalised = " and batch normalisation" if batch_norm else ""
    builder.__doc__ = f"VGG with {depth} layers{normalised}; see `VGG`."
    builder.weights = published  # type: ignore[attr-defined]
    globals()[published.__name__] = published
    __all__.extend([name, published.__name__])
    return register(builder)


vgg11 = _vgg(11, False, "vgg11-8a719046.pth")
vgg11_bn = _vgg(11, True, "vgg11_bn-6002323d.pth")
vgg13 = _vgg(13, False, "vgg13-19584684.pth")
vgg13_bn = _vgg(13, True, "vgg13_bn-abd245e5.pth")
vgg16 = _vgg(16, False, "vgg16-397923af.pth")
vgg16_bn = _vgg(16, True, "vgg16_bn-6c64b313.pth")
vgg19 = _vgg(19, False, "vgg19-dcbb9e9d.pth")
vgg19_bn = _vgg(19, True, "vgg19_bn-c79401a0.pth")
