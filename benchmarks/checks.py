"""What the checks cost: training steps with checks on against off, and under doctor.watch against checks on.

    python checks.py [--only mlp,cnn] [--modes eager,compile] [--rounds 7] [--json out.json]

Checks are switched on and off within one process, block by block, so that memory and clocks are the same for all; each
figure is the ratio of the medians over blocks. Under FLAMBEAU_CHECKS=off the same code runs as in the blocks without.
"""

import argparse
import statistics
import time

from common import write
from workloads import WORKLOADS, make_step

import flambeau
from flambeau import doctor
from flambeau.checks import log


def block(step, seconds):
    """The median time of a step over some seconds."""
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.mean(sorted(times)[: max(1, len(times) * 9 // 10)])  # without the slowest tenth: interruptions


def ratios(workload, mode, rounds, seconds):
    """(checks on / off, watched / checks on) of one workload."""
    step = make_step(flambeau, WORKLOADS[workload], mode)
    block(step, seconds)
    found = {"off": [], "on": [], "watched": []}
    for _ in range(rounds):
        log.on = False
        found["off"].append(block(step, seconds))
        log.on = True
        found["on"].append(block(step, seconds))
        with doctor.watch(quiet=True):
            block(step, 2 * seconds)  # it learns how often it may sample
            found["watched"].append(block(step, seconds))
    off, on, watched = (statistics.median(v) for v in found.values())
    return on / off, watched / on


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="comma-separated workloads")
    parser.add_argument("--modes", default="eager,compile")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--json", help="add the ratios to this file")
    args = parser.parse_args()
    # Steps that run while the checks are off look to them like missing ones: nothing is to be said here.
    flambeau.allow().__enter__()
    for mode in args.modes.split(","):
        every = []
        for workload in args.only.split(","):
            every.append(ratios(workload, mode, args.rounds, args.seconds))
            on, watched = every[-1]
            print(f"{workload:9} {mode:8} checks {on:6.3f}x  watch {watched:6.3f}x", flush=True)
            if args.json:
                write(args.json, {f"checks/{workload}/{mode}": {"checks": on, "watch": watched}})
        for name, values in zip(("checks", "watch"), zip(*every)):
            print(f"{mode:18} {name:6} median {statistics.median(values):.3f}x, worst {max(values):.3f}x", flush=True)


if __name__ == "__main__":
    main()
