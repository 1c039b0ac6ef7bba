"""Does memory grow over 10,000 training steps?

    python growth.py            # prints resident memory every 1,000 steps, and the growth after the first 1,000
"""
import sys

import numpy as np


def resident_mb():
    """Resident memory of this process now, in MB."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096 / 2**20


def main(steps=10_000):
    import flambeau as torch
    from flambeau import nn

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((32, 1, 12, 12)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, 10, 32))
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1),
                          nn.Linear(200, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    first = None
    for step in range(1, steps + 1):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % 1000 == 0:
            first = first or resident_mb()
            print(f"step {step:6d}  loss {loss.item():.4f}  resident {resident_mb():.1f} MB", flush=True)
    print(f"growth after the first 1,000 steps: {resident_mb() - first:.1f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
