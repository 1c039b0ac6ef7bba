"""AlexNet."""

import flambeau as fb
from flambeau import nn

from ._api import build, register, weights_enum

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]

AlexNet_Weights = weights_enum("AlexNet_Weights", {"IMAGENET1K_V1": "alexnet-owt-7be5be79.pth"})


class AlexNet(nn.Module):
    """AlexNet in the variant of Krizhevsky 2014, "One weird trick" (https://arxiv.org/abs/1404.5997).

    Shapes: (N, 3, H, W) with H, W >= 63 -> (N, num_classes)
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x):
        return self.classifier(fb.flatten(self.avgpool(self.features(x)), 1))


@register
def alexnet(*, weights=None, progress: bool = True, **kwargs) -> AlexNet:
    """See `AlexNet`."""
    return build(AlexNet, weights, kwargs, AlexNet_Weights)


alexnet.weights = AlexNet_Weights  # type: ignore[attr-defined]
