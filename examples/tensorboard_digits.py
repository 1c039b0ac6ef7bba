"""A small convolutional network on digits, everything of it written for TensorBoard.

python tensorboard_digits.py --epochs 5 --logdir runs
tensorboard --logdir runs
"""

import argparse

import flambeau as torch
from flambeau.vision.datasets import Digits

nn = torch.nn
SummaryWriter = torch.utils.tensorboard.SummaryWriter


class Net(nn.Module):
    """Two convolutions, whose features are then classified."""

    def __init__(self, width: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(width * 16, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


def tensors(split: str):
    """Images from 0 to 1 and labels of a part of the digits."""
    digits = Digits(split)
    labels = torch.tensor([digits[i][1] for i in range(len(digits))])
    return torch.as_tensor(digits.data).float().reshape(-1, 1, 8, 8) / 16, labels


def evaluate(model, images, labels, loss_fn):
    """(loss, accuracy, probabilities) without training."""
    model.eval()
    with torch.no_grad():
        scores = model(images)
    model.train()
    return loss_fn(scores, labels).item(), (scores.argmax(1) == labels).float().mean().item(), scores.softmax(1)


def train(writer, width: int, lr: float, epochs: int):
    """Train one network and write down how; the accuracy on validation images."""
    torch.manual_seed(0)
    (images, labels), (unseen, wanted) = tensors("train"), tensors("val")
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=64, shuffle=True)
    model, loss_fn = Net(width), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    writer.add_text("notes", f"{width} channels, learning rate **{lr}**", 0)
    writer.add_images("digits", images[:16], 0)
    writer.add_graph(model, images[:1])
    step = 0
    for epoch in range(epochs):
        for batch, target in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(batch), target)
            loss.backward()
            optimizer.step()
            writer.add_scalar("loss/train", loss, step)
            step += 1
        loss, accuracy, probabilities = evaluate(model, unseen, wanted, loss_fn)
        writer.add_scalar("loss/valid", loss, step)
        writer.add_scalar("accuracy/valid", accuracy, step)
        for name, p in model.named_parameters():
            writer.add_histogram(f"weights/{name}", p, epoch)
            writer.add_histogram(f"gradients/{name}", p.grad, epoch)
        writer.add_pr_curve("is it an 8?", wanted == 8, probabilities[:, 8], epoch)
    with torch.no_grad():
        features = model.features(unseen).flatten(1)
    writer.add_embedding(features, [str(int(label)) for label in wanted], unseen, tag="features")
    writer.add_hparams({"width": width, "lr": lr}, {"final/accuracy": accuracy}, run_name="hparams")
    return accuracy


def main(argv=None):
    """Two runs with different settings, to compare; their accuracies."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--logdir", default="runs")
    options = parser.parse_args(argv)
    found = {}
    for width, lr in ((8, 1e-2), (16, 3e-3)):
        with SummaryWriter(f"{options.logdir}/width{width}") as writer:
            found[width] = train(writer, width, lr, options.epochs)
        print(f"{width} channels: {found[width]:.1%} of the validation images")
    print(f"tensorboard --logdir {options.logdir}")
    return found


if __name__ == "__main__":
    main()
