"""LeNet-5, the first convolutional network that read digits for a living."""

from flambeau import nn

from ._api import build, register

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module):
    """LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998) with ReLU and max pooling.

    Arguments:
        num_classes: outputs. in_channels: 1 for grey images.

    Shapes: (N, in_channels, 28 or 32, 28 or 32) -> (N, num_classes); other sizes are pooled to fit.

    >>> import flambeau as torch
    >>> from flambeau.vision import models
    >>> models.lenet()(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.AdaptiveAvgPool2d(5),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


@register
def lenet(*, weights=None, progress: bool = True, **kwargs) -> LeNet:
    """See `LeNet`."""
    return build(LeNet, weights, kwargs)
