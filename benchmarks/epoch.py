"""One epoch of the quickstart end to end: read MNIST, per-sample transforms, DataLoader, train, evaluate.

    MNIST_ROOT=data python epoch.py torch flambeau          # each in its own process; prints images/s and test accuracy

The same code for every framework: a map-style Dataset whose items go through PIL -> tensor -> normalise one
by one, as torchvision's ToTensor and Normalize do, with batch size 64, shuffling and 0 or 2 workers.
"""
import gzip
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

RAW = Path(os.environ.get("MNIST_ROOT", "data")).resolve() / "MNIST" / "raw"  # torchvision's layout


def idx(name, offset):
    with gzip.open(RAW / name) as f:
        return np.frombuffer(f.read(), np.uint8, offset=offset)


def plain(T, workers):
    from PIL import Image
    nn = T.nn
    Dataset, DataLoader = T.utils.data.Dataset, T.utils.data.DataLoader

    class Digits(Dataset):
        def __init__(self, split):
            self.images = idx(f"{split}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
            self.labels = idx(f"{split}-labels-idx1-ubyte.gz", 8)

        def __len__(self):
            return len(self.images)

        def __getitem__(self, i):
            image = Image.fromarray(self.images[i])
            x = T.from_numpy(np.array(image, np.uint8, copy=True)).view(1, 28, 28).to(T.float32).div(255)
            return x.sub_(0.1307).div_(0.3081), int(self.labels[i])

    T.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    loss_fn, optimizer = nn.CrossEntropyLoss(), T.optim.Adam(model.parameters(), lr=1e-3)
    train = DataLoader(Digits("train"), batch_size=64, shuffle=True, num_workers=workers)
    test = DataLoader(Digits("t10k"), batch_size=256, num_workers=workers)
    start = time.perf_counter()
    model.train()
    for x, y in train:
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    trained = time.perf_counter() - start
    model.eval()
    correct = 0
    with T.no_grad():
        for x, y in test:
            correct += (model(x).argmax(1) == y).sum().item()
    return dict(train_s=trained, images_per_s=60000 / trained, accuracy=correct / 10000)


if __name__ == "__main__":
    if sys.argv[1] == "--worker":
        print(json.dumps(plain(importlib.import_module(sys.argv[2]), int(sys.argv[3]))))
    else:
        for workers in (0, 2):
            for framework in sys.argv[1:]:
                out = subprocess.run([sys.executable, __file__, "--worker", framework, str(workers)], capture_output=True, text=True)
                result = out.stdout.strip().splitlines()[-1] if out.returncode == 0 else out.stderr.strip().splitlines()[-1]
                print(f"{framework:12} workers={workers} {result}", flush=True)
