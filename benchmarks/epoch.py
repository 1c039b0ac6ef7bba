"""One epoch of digits end to end: read, transform, train, evaluate; images per second and accuracy.

    python benchmarks/epoch.py torch flambeau flambeau:batched      # each in a process of its own

A program is FRAMEWORK[:DATA[:STEP]]:
    DATA  plain: a map-style data set whose items go through PIL, tensor and normalisation one by one (default);
          batched: `vision.datasets` with `ToTensor` and `Normalize`, which flambeau applies to whole batches.
    STEP  eager (default for plain) or compiled (default for batched): the training step through `compile`.

Model, seeds, order of the images and optimizer are the same for all. The data are MNIST's, if --data or MNIST_ROOT names
the folder that holds MNIST/raw, else the 1,197 digits that are embedded in flambeau (too few for more than a smoke test).
"""

import argparse
import gzip
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

MEAN, STD, BATCH = 0.1307, 0.3081, 64
DEFAULT_STEP = {"plain": "eager", "batched": "compiled"}


def idx(path, offset):
    """The bytes of a packed file after its header."""
    with gzip.open(path) as f:
        return np.frombuffer(f.read(), np.uint8, offset=offset)


def arrays(folder, train):
    """Images (N, H, W) and labels."""
    if folder is None:
        from flambeau.vision.datasets import Digits

        digits = Digits("train" if train else "test")
        return np.rint(digits.data.numpy() * (255 / 16)).astype(np.uint8), digits.targets.numpy()
    stem = str(Path(folder) / "MNIST" / "raw" / ("train" if train else "t10k"))
    return idx(stem + "-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28), idx(stem + "-labels-idx1-ubyte.gz", 8)


def plain(T, folder):
    """Training and test set of samples that are transformed one by one."""
    from PIL import Image

    class Samples(T.utils.data.Dataset):
        def __init__(self, train):
            self.images, self.labels = arrays(folder, train)

        def __len__(self):
            return len(self.images)

        def __getitem__(self, i):
            pixels = np.array(Image.fromarray(self.images[i]), np.uint8, copy=True)
            x = T.from_numpy(pixels).view(1, *pixels.shape).to(T.float32).div(255)
            return x.sub_(MEAN).div_(STD), int(self.labels[i])

    return Samples(True), Samples(False)


def batched(T, folder):
    """Training and test set of flambeau's own."""
    from flambeau.vision import datasets, transforms

    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((MEAN,), (STD,))])
    if folder is None:
        return datasets.Digits("train", transform), datasets.Digits("test", transform)
    return datasets.MNIST(folder, True, transform), datasets.MNIST(folder, False, transform)


def run(T, data, step, folder, workers):
    """One epoch, then the test set."""
    nn, DataLoader = T.nn, T.utils.data.DataLoader
    train_set, test_set = data(T, folder)
    inputs = train_set[0][0].numel()
    T.manual_seed(0)
    layers = nn.Linear(inputs, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    model = nn.Sequential(nn.Flatten(), *layers)
    loss_fn, optimizer = nn.CrossEntropyLoss(), T.optim.Adam(model.parameters(), lr=1e-3)
    train = DataLoader(train_set, batch_size=BATCH, shuffle=True, num_workers=workers)
    test = DataLoader(test_set, batch_size=256, num_workers=workers)

    def training_step(x, y):
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if step == "compiled":
        training_step = T.compile(training_step)
    start = time.perf_counter()
    model.train()
    for x, y in train:
        training_step(x, y)
    seconds = time.perf_counter() - start
    model.eval()
    correct = 0
    with T.no_grad():
        for x, y in test:
            correct += (model(x).argmax(1) == y).sum().item()
    return {"images_per_s": len(train_set) / seconds, "accuracy": correct / len(test_set), "seconds": seconds}


def parse(program):
    """(framework, data, step) of a program."""
    framework, data, step = (*program.split(":"), "", "")[:3]
    data = data or "plain"
    step = step or DEFAULT_STEP.get(data)
    if data not in DEFAULT_STEP or step not in DEFAULT_STEP.values() or data == "batched" and framework != "flambeau":
        raise argparse.ArgumentTypeError(f"{program}: not FRAMEWORK[:plain|:batched][:eager|:compiled]")
    return framework, data, step


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+", type=parse, metavar="FRAMEWORK[:DATA[:STEP]]")
    parser.add_argument("--data", default=os.environ.get("MNIST_ROOT"), help="the folder that holds MNIST/raw")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2], help="worker processes (default: 0, then 2)")
    parser.add_argument("--here", action="store_true", help="run the first program in this process, print JSON")
    options = parser.parse_args()
    if options.here:
        framework, data, step = options.programs[0]
        make = {"plain": plain, "batched": batched}[data]
        result = run(importlib.import_module(framework), make, step, options.data, options.workers[0])
        print(json.dumps(result))
        return 0
    failed = False
    for workers in options.workers:
        reference = None
        for program in options.programs:
            name = ":".join(program)
            where = [] if options.data is None else ["--data", options.data]
            command = [sys.executable, __file__, "--here", *where, "--workers", str(workers), "--", name]
            out = subprocess.run(command, capture_output=True, text=True)
            if out.returncode:
                print(f"{name:26} workers={workers}  {out.stderr.strip().splitlines()[-1]}", flush=True)
                failed = True
                continue
            r = json.loads(out.stdout.splitlines()[-1])
            reference = reference or r["images_per_s"]
            print(f"{name:26} workers={workers}  {r['images_per_s']:9,.0f} images/s  "
                  f"{r['images_per_s'] / reference:5.2f}x  accuracy {r['accuracy']:.4f}", flush=True)  # fmt: skip
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
