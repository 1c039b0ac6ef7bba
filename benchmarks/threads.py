"""How much faster a training step is on several threads than on one.

    python threads.py [--only mlp,cnn] [--frameworks flambeau,flambeau:compile] [--threads 2] [--json out.json]

Rounds on one thread and on several are interleaved, each in a process of its own, as in bench.py.
"""

import argparse
import os
import statistics

from common import worker, write


def main():
    from workloads import WORKLOADS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="comma-separated workloads")
    parser.add_argument("--frameworks", default="flambeau,flambeau:compile")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", help="add the ratios to this file")
    args = parser.parse_args()
    for workload in args.only.split(","):
        for f in args.frameworks.split(","):
            times = {1: [], args.threads: []}
            for _ in range(args.rounds):
                for number, found in times.items():
                    threads = {"BENCH_THREADS": str(number), "OMP_NUM_THREADS": str(number)}
                    found.append(worker("bench.py", f, workload, args.seconds, **threads)["step"])
            one, many = (statistics.median(found) for found in times.values())
            print(f"{workload:9} {f:17} {one / many:5.2f}x on {args.threads} threads", flush=True)
            if args.json:
                write(args.json, {f"threads/{workload}": {f: one / many}})


if __name__ == "__main__":
    main()
