"""What grows that should not: memory with the steps, time per sample with the batch, time and memory with the length.

    python growth.py [--steps 10000] [--batch] [--sequence] [--frameworks torch,flambeau] [--json out.json]

--steps: resident memory over many steps of a small network. --batch: the perceptron with 1 to 4,096 samples, time per
sample. --sequence: the transformer on one sequence of 64 to 4,096 tokens: time over the operations that it takes
(those of attention grow with the square of the length), and memory. Memory is the most that the process
had, less what it had after the import.
"""

import argparse
import json
import statistics
import time

import numpy as np
from common import framework, resident_mb, worker, write

BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
LENGTHS = (64, 256, 1024, 4096)


def steps(number):
    """MB that a process grows by from the first tenth of `number` training steps to the last."""
    import flambeau as torch
    from flambeau import nn

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((32, 1, 12, 12)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, 10, 32))
    layers = [nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.1)]
    model = nn.Sequential(*layers, nn.Linear(200, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, number)
    sizes = []
    for step in range(1, number + 1):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        if step % (number // 10) == 0:
            sizes.append(resident_mb())
            print(f"step {step:6d}  loss {loss.item():.4f}  resident {sizes[-1]:.1f} MB", flush=True)
    print(f"growth after the first {number // 10:,} steps: {sizes[-1] - sizes[0]:.1f} MB")
    return sizes[-1] - sizes[0]


def operations(length):
    """Multiply-adds x 2 of a step of the transformer on one sequence; half of attention is behind the diagonal."""
    layers = 3 * 2 * length * (4 * 12 * 128 * 128 + 65 * 128)
    return layers + 4 * (4 + 10) * length * length * 128 / 2  # attention: 2 products forward, 5 backward


def measure(name, kind, size, seconds):
    """One process: the median step, and memory."""
    import workloads

    T, mode = framework(name)
    sizes = {"batch": size} if kind == "mlp" else {"batch": 1, "context": size}
    step = workloads.make_step(T, lambda T: getattr(workloads, kind)(T, **sizes), mode)
    before = resident_mb()
    step(), step()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return {"step": statistics.median(times), "mb": resident_mb("VmHWM") - before}


def grow(kind, sizes, work, frameworks, seconds, path):
    """Print and keep, for each size, time per unit of work over the least of all sizes, and memory."""
    for f in frameworks:
        found = {size: worker("growth.py", f, kind, size, seconds) for size in sizes}
        per = {size: r["step"] / work(size) for size, r in found.items()}
        least, seen, rise = min(per.values()), float("inf"), 1.0
        for size in sizes:
            seen = min(seen, per[size])
            rise = max(rise, per[size] / seen)  # how far it is above that of some smaller size
            print(
                f"{kind} {size:5} {f:17} {per[size] / least:6.2f} of the best  {found[size]['mb']:7.0f} MB", flush=True
            )
        print(f"{kind}       {f:17} rises by {rise:.2f} at most")
        if path:
            table = {str(size): {"of_best": per[size] / least, "mb": found[size]["mb"]} for size in sizes}
            write(path, {f"growth/{kind}/{f}": table | {"rise": rise}})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--batch", action="store_true")
    parser.add_argument("--sequence", action="store_true")
    parser.add_argument("--frameworks", default="flambeau,flambeau:compile")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--json", help="add the results to this file")
    args = parser.parse_args()
    if args.worker:
        name, kind, size, seconds = args.worker
        return print(json.dumps(measure(name, kind, int(size), float(seconds))))
    frameworks = args.frameworks.split(",")
    if args.batch:
        grow("mlp", BATCHES, lambda size: size, frameworks, args.seconds, args.json)
    if args.sequence:
        grow("gpt", LENGTHS, operations, frameworks, args.seconds, args.json)
    if args.steps or not (args.batch or args.sequence):
        number = args.steps or 10_000
        found = steps(number)
        if args.json:
            write(args.json, {"growth/steps": {"steps": number, "mb": found}})


if __name__ == "__main__":
    main()
