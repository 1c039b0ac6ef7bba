"""Which pixels make a digit what it is: a small network, and what six methods of attribution say about it.

python attribution_digits.py --save digits.png
"""

import argparse

import numpy as np

import flambeau as torch
from flambeau import attr
from flambeau.vision import datasets, transforms

nn = torch.nn


class Net(nn.Module):
    """Three convolutions, the mean over all positions, and a score for each class."""

    def __init__(self, channels=32):
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(inplace=True)
        self.conv2, self.relu2 = nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)
        self.conv3, self.relu3 = nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)
        self.linear = nn.Linear(channels, 10)

    def forward(self, x):
        x = self.relu1(self.conv1(x))
        x = self.relu2(self.conv2(x))
        x = self.relu3(self.conv3(x))
        return self.linear(x.mean((2, 3)))


def load(split):
    """All pictures and labels of a part of the digits."""
    digits = datasets.Digits(split, transform=transforms.ToTensor())
    return torch.stack([x for x, _ in digits]), torch.tensor([y for _, y in digits])


def train(model, x, y, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


def explain(model, x, y):
    """What each method says about these pictures and their classes."""
    cam = attr.LayerGradCam(model, model.relu2).attribute(x, y)
    return {
        "integrated gradients": attr.IntegratedGradients(model).attribute(x, target=y, tolerance=1e-3),
        "DeepLift": attr.DeepLift(model).attribute(x, target=y),
        "GradientShap": attr.GradientShap(model).attribute(x, torch.zeros(1, 1, 8, 8), n_samples=50, target=y),
        "smoothed gradients": attr.NoiseTunnel(attr.Saliency(model)).attribute(
            x, nt_samples=20, stdevs=0.2, target=y, abs=False
        ),
        "Grad-CAM": attr.LayerAttribution.interpolate(cam, (8, 8)),
        "occlusion": attr.Occlusion(model).attribute(x, (1, 2, 2), target=y),
    }


def draw(x, y, found, path):
    """A row for each digit: the picture, and a map from each method."""
    from matplotlib.figure import Figure

    from flambeau.attr import visualization as viz

    figure = Figure(figsize=(1.7 * (len(found) + 1), 1.7 * len(x)), layout="constrained")
    for i, row in enumerate(figure.subplots(len(x), len(found) + 1, squeeze=False)):
        for ax, (name, values) in zip(row, {"": x, **found}.items(), strict=True):
            viz.visualize_image_attr(
                values[i], x[i], "heat_map" if name else "original_image", "all", plt_fig_axis=(figure, ax),
                title=(name or f"a {y[i]}") if i == 0 or not name else None, use_pyplot=False,
            )  # fmt: skip
    figure.savefig(path, dpi=120)


def main(args=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--save", default="", help="file for the picture, such as digits.png")
    options = parser.parse_args(args)

    torch.manual_seed(0)
    np.random.seed(0)  # GradientShap draws from NumPy's generator
    model = Net()
    train(model, *load("train"), options.epochs)
    model.eval()
    x, y = load("test")
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean().item()
        chosen = torch.tensor([int((y == digit).nonzero()[0]) for digit in (0, 3, 5, 8)])
        x, y = x[chosen], y[chosen]
        change = (model(x) - model(torch.zeros_like(x)))[range(len(x)), y]
    print(f"accuracy {accuracy:.3f}")

    found = explain(model, x, y)
    print(f"{'change of the output':24}", "  ".join(f"{value:6.2f}" for value in change))
    for name, values in found.items():
        print(f"{name:24}", "  ".join(f"{value:6.2f}" for value in values.sum((1, 2, 3))))
    if options.save:
        draw(x, y, found, options.save)
    return accuracy, change, found


if __name__ == "__main__":
    main()
