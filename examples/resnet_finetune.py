"""Fine-tuning: a ResNet trained on one task learns another with its backbone frozen, then with a smaller rate.

python resnet_finetune.py --epochs 3
"""

import argparse

import flambeau as torch

nn = torch.nn


class Residual(nn.Module):
    """y = relu(x + f(x)): the layers learn what to change."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return torch.relu(self.shortcut(x) + self.body(x))


class ResNet(nn.Module):
    """`backbone` finds features, `head` decides."""

    def __init__(self, classes, width=8):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            Residual(width, width), Residual(width, 2 * width, 2), Residual(2 * width, 4 * width, 2),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(4 * width, classes)

    def forward(self, x):
        return self.head(self.backbone(x))


def images(n, task):
    """Coloured shapes on noise. Task 0: which shape (square, disc, cross). Task 1: is it round?"""
    size = 16
    x = 0.2 * torch.rand(n, 3, size, size)
    shape, colour = torch.randint(3, (n,)), torch.randint(2, (n,))
    row, column = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    centre = torch.randint(5, 11, (n, 2, 1, 1))
    dy, dx = (row - centre[:, 0]).abs(), (column - centre[:, 1]).abs()
    masks = torch.stack([(dy < 4) & (dx < 4), dy**2 + dx**2 < 16, ((dy < 2) | (dx < 2)) & (dy < 5) & (dx < 5)], 1)
    mask = masks[torch.arange(n), shape]
    x[torch.arange(n), colour] += 0.8 * mask.float()
    return x, shape if task == 0 else (shape == 1).long()


def run(model, optimizer, data, epochs, batch=32, train_norms=True):
    """Train; returns the last loss."""
    x, y = data
    for _ in range(epochs):
        model.train()
        if not train_norms:
            model.backbone.eval()  # frozen means the running statistics too
        for rows in torch.randperm(len(x)).split(batch):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.item()


@torch.no_grad()
def accuracy(model, data):
    """Part of the samples that are classified right."""
    model.eval()
    return (model(data[0]).argmax(1) == data[1]).float().mean().item()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=400)
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    shapes, shapes_test = images(args.samples, 0), images(200, 0)
    few, few_test = images(args.samples // 8, 1), images(200, 1)

    model = ResNet(3)
    run(model, torch.optim.Adam(model.parameters(), lr=3e-3), shapes, args.epochs)
    pretrained = accuracy(model, shapes_test)
    print(f"trained on shapes: {pretrained:.1%}")

    # A new head on the old backbone. What requires no gradient gets none, and is not updated.
    model.head = nn.Linear(model.head.in_features, 2)
    for p in model.backbone.parameters():
        p.requires_grad_(False)
    before = [p.clone() for p in model.backbone.parameters()]
    run(model, torch.optim.Adam(model.head.parameters(), lr=1e-2), few, args.epochs, train_norms=False)
    unchanged = all(torch.equal(p, q) for p, q in zip(model.backbone.parameters(), before))
    frozen = accuracy(model, few_test)
    print(f"round or not, head only: {frozen:.1%} (backbone unchanged: {unchanged})")

    # All of it, with one rate for the backbone and a larger one for the head.
    for p in model.backbone.parameters():
        p.requires_grad_(True)
    optimizer = torch.optim.SGD(
        [{"params": model.backbone.parameters(), "lr": 2e-3}, {"params": model.head.parameters()}], lr=2e-2,
        momentum=0.9, weight_decay=1e-4,
    )  # fmt: skip
    run(model, optimizer, few, args.epochs)
    tuned = accuracy(model, few_test)
    print(f"round or not, everything: {tuned:.1%}")
    return pretrained, frozen, tuned, unchanged


if __name__ == "__main__":
    main()
