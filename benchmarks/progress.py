"""What progress bars cost: a loop of training steps with a bar that shows the loss, against the same loop without.

    python progress.py [--only linreg,mlp] [--seconds 20] [--tqdm] [--json out.json]

The bar is drawn on a terminal (a pty that nobody reads slowly) as it is for a user; each figure is the ratio of medians
over loops in one process. The first line is the cost of a round with nothing in it, in nanoseconds, beside tqdm's.
"""

import argparse
import io
import os
import pty
import random
import statistics
import subprocess
import time

from common import write
from tqdm import tqdm
from workloads import WORKLOADS, make_step

import flambeau


def terminal():
    """A file that is a terminal, read by another process."""
    master, slave = pty.openpty()
    subprocess.Popen(["cat"], stdin=master, stdout=subprocess.DEVNULL)
    return io.TextIOWrapper(os.fdopen(slave, "wb", 0), write_through=True)


def bare(step, n):
    """Seconds of n steps in a plain loop."""
    start = time.perf_counter()
    for _ in range(n):
        loss = step()
    del loss
    return time.perf_counter() - start


def with_bar(step, n, file):
    """Seconds of n steps under a bar that shows the loss."""
    start = time.perf_counter()
    bar = flambeau.progress(range(n), "training", file=file)
    for _ in bar:
        bar.set(loss=step())
    return time.perf_counter() - start


def with_tqdm(step, n, file):
    """The same with tqdm as it is commonly used."""
    start = time.perf_counter()
    bar = tqdm(range(n), file=file, leave=False)
    for _ in bar:
        bar.set_postfix(loss=step().item(), refresh=False)
    return time.perf_counter() - start


def ratios(step, n, seconds, file, hows):
    """For each way, its median over blocks, against that of the bare loop; the blocks come in random order."""
    ways = {"bare": lambda: bare(step, n), **{name: lambda how=how: how(step, n, file) for name, how in hows.items()}}
    times = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name in random.sample(list(ways), len(ways)):
            times[name].append(ways[name]())
    return {name: statistics.median(t) / statistics.median(times["bare"]) for name, t in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="linreg,mlp", help="comma-separated workloads")
    parser.add_argument("--seconds", type=float, default=20, help="for each workload")
    parser.add_argument("--block", type=float, default=0.5, help="seconds of a loop")
    parser.add_argument("--tqdm", action="store_true", help="also measure tqdm")
    parser.add_argument("--json", help="add the ratios to this file")
    args = parser.parse_args()
    flambeau.allow().__enter__()
    file, results = terminal(), {}
    loss, n = flambeau.tensor(1.0), 300_000
    plain = min(bare(lambda: loss, n) for _ in range(5))
    for name, how in (("progress", with_bar), ("tqdm", with_tqdm)):
        each = (min(how(lambda: loss, n, file) for _ in range(5)) - plain) / n
        print(f"{name}: {each * 1e9:.0f} ns a round, with a metric")
        results[f"{name} ns"] = round(each * 1e9)
    for name in args.only.split(","):
        step = make_step(flambeau, WORKLOADS[name], "eager")
        bare(step, 500)
        took = bare(step, 200) / 200
        hows = {"progress": with_bar} | ({"tqdm": with_tqdm} if args.tqdm else {})
        found = ratios(step, max(20, int(args.block / took)), args.seconds, file, hows)
        shown = ", ".join(f"{how} {found[how] - 1:+.2%}" for how in hows)
        print(f"{name}: {took * 1e6:.0f} us a step, {shown}", flush=True)
        results[name] = {"step us": took * 1e6} | {how: found[how] for how in hows}
    if args.json:
        write(args.json, {"progress": results})


if __name__ == "__main__":
    main()
