"""What a profile costs: training steps under `profiler.profile` against the same steps without.

    python profiler.py [--only mlp,cnn] [--modes eager,compile] [--rounds 9] [--full] [--json out.json]

The profiler is switched on and off within one process, block by block; each figure is the ratio of the medians over
blocks. `--full` asks for shapes, memory, operations and stacks as well.
"""

import argparse
import statistics

from checks import block
from common import write
from workloads import WORKLOADS, make_step

import flambeau
from flambeau.profiler import profile


def ratio(workload, mode, rounds, seconds, options):
    """(with / without, microseconds without, events per step) of one workload."""
    step = make_step(flambeau, WORKLOADS[workload], mode)
    block(step, 2 * seconds)
    without, within, events = [], [], 0
    for _ in range(rounds):
        without.append(block(step, seconds))
        with profile(**options) as prof:
            block(step, seconds / 4)  # calls find their functions changed, and get used to it
            within.append(block(step, seconds))
    with profile(**options) as prof:
        step()
    events = len(prof.events())
    return statistics.median(within) / statistics.median(without), statistics.median(without) * 1e6, events


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="comma-separated workloads")
    parser.add_argument("--modes", default="eager,compile")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--full", action="store_true", help="with shapes, memory, operations and stacks")
    parser.add_argument("--json", help="add the ratios to this file")
    args = parser.parse_args()
    names = ("record_shapes", "profile_memory", "with_flops", "with_stack")
    options = dict.fromkeys(names, True) if args.full else {}
    for mode in args.modes.split(","):
        every = []
        for workload in args.only.split(","):
            found, alone, events = ratio(workload, mode, args.rounds, args.seconds, options)
            every.append(found)
            print(f"{workload:9} {mode:8} {found:6.3f}x  of {alone:9.1f} us, {events:4} events a step", flush=True)
            if args.json:
                write(args.json, {f"profiler/{workload}/{mode}": {"full" if args.full else "plain": found}})
        print(f"{mode:18} median {statistics.median(every):.3f}x, worst {max(every):.3f}x", flush=True)


if __name__ == "__main__":
    main()
