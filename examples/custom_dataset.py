"""A data set of one's own: images in files with a table of labels, read lazily, transformed, batched and shuffled.

python custom_dataset.py --epochs 5
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np

import flambeau as torch

nn = torch.nn
data = torch.utils.data


def write_files(folder: Path, n: int) -> None:
    """Drawings of horizontal, vertical and diagonal bars as .npy files, and labels.csv."""
    rng = np.random.default_rng(0)
    with open(folder / "labels.csv", "w", newline="") as file:
        table = csv.writer(file)
        for i in range(n):
            label = i % 3
            image = rng.integers(0, 60, (12, 12), dtype=np.uint8)
            at = rng.integers(2, 10)
            if label == 0:
                image[at] = 255
            elif label == 1:
                image[:, at] = 255
            else:
                image[np.arange(12), (np.arange(12) + at) % 12] = 255
            np.save(folder / f"{i}.npy", image)
            table.writerow([f"{i}.npy", label])


class Drawings(data.Dataset):
    """One sample per line of labels.csv.

    Three methods make a data set: how to open it, how long it is, and what its i-th sample is.
    """

    def __init__(self, folder, transform=None):
        self.folder = Path(folder)
        with open(self.folder / "labels.csv") as file:
            self.table = [(name, int(label)) for name, label in csv.reader(file)]
        self.transform = transform

    def __len__(self):
        return len(self.table)

    def __getitem__(self, i):
        name, label = self.table[i]
        image = torch.from_numpy(np.load(self.folder / name))
        return (self.transform(image) if self.transform else image), label


def to_float(image):
    """Bytes to one channel of numbers between 0 and 1."""
    return image.unsqueeze(0).float() / 255


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--workers", type=int, default=0)
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), args.samples)
        drawings = Drawings(folder, transform=to_float)
        held_out = args.samples // 5
        train, test = data.random_split(drawings, [args.samples - held_out, held_out])
        train_loader = data.DataLoader(train, batch_size=20, shuffle=True, num_workers=args.workers)
        test_loader = data.DataLoader(test, batch_size=50, num_workers=args.workers)

        model = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(8, 3)
        )
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        for epoch in range(args.epochs):
            for images, labels in train_loader:
                loss = nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            print(f"epoch {epoch + 1}: loss {loss.item():.3f}")
        with torch.no_grad():
            right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test_loader)
    accuracy = right / held_out
    print(f"accuracy on {held_out} drawings that were not trained on: {accuracy:.1%}")
    return accuracy


if __name__ == "__main__":
    main()
