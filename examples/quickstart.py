"""The quickstart: a data set, a loader, a model, a training loop, a test, and saving the result.

python quickstart.py                                            # the digits that come with the package
python quickstart.py --data fashion-mnist --root ~/data         # downloaded when it is not there
"""

import argparse
from pathlib import Path

import flambeau as torch
from flambeau.vision import datasets, transforms

nn = torch.nn


def load(name, root):
    """(training set, test set, pixels per picture)."""
    if name == "digits":
        to_tensor = transforms.ToTensor()
        return datasets.Digits("train", transform=to_tensor), datasets.Digits("test", transform=to_tensor), 8 * 8
    kind = {"mnist": datasets.MNIST, "fashion-mnist": datasets.FashionMNIST}[name]
    make = lambda train: kind(root, train=train, download=True, transform=transforms.ToTensor())
    return make(True), make(False), 28 * 28


class NeuralNetwork(nn.Module):
    """Three layers on the flattened picture; one score for each class."""

    def __init__(self, pixels, hidden):
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(
            nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)
        )

    def forward(self, x):
        return self.layers(self.flatten(x))


def train(loader, model, loss_fn, optimizer):
    """One pass over the data; returns the mean loss."""
    model.train()
    total = 0.0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item() * len(y)
    return total / len(loader.dataset)


@torch.no_grad()
def test(loader, model, loss_fn):
    """(mean loss, accuracy) on data that is not trained on."""
    model.eval()
    total, right = 0.0, 0
    for x, y in loader:
        scores = model(x)
        total += loss_fn(scores, y).item() * len(y)
        right += (scores.argmax(1) == y).sum().item()
    return total / len(loader.dataset), right / len(loader.dataset)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "mnist", "fashion-mnist"), default="digits")
    parser.add_argument("--root", default="data", help="folder of the downloaded files")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--save", default="model.pth", help="where the trained weights go")
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    training, testing, pixels = load(args.data, Path(args.root).expanduser())
    train_loader = torch.utils.data.DataLoader(training, batch_size=args.batch, shuffle=True)
    test_loader = torch.utils.data.DataLoader(testing, batch_size=256)

    device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    model = NeuralNetwork(pixels, args.hidden).to(device)
    print(model)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        loss = train(train_loader, model, loss_fn, optimizer)
        test_loss, accuracy = test(test_loader, model, loss_fn)
        print(f"epoch {epoch + 1}: loss {loss:.3f}, test loss {test_loss:.3f}, accuracy {accuracy:.1%}")

    torch.save(model.state_dict(), args.save)
    again = NeuralNetwork(pixels, args.hidden)
    again.load_state_dict(torch.load(args.save, weights_only=True))
    again.eval()
    with torch.no_grad():
        guesses = [again(testing[i][0].unsqueeze(0)).argmax(1).item() for i in range(10)]
    print(f"saved to {args.save}; loaded again, it takes the first ten test pictures for {guesses}")
    print("they are", [int(testing[i][1]) for i in range(10)])
    return accuracy


if __name__ == "__main__":
    main()
