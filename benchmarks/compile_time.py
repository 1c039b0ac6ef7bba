"""Where the time of a compiled step's first call goes, with an empty cache on disk and with a full one.

    python compile_time.py [--only mlp,cnn] [--json out.json]

Each first call is a process of its own. Phases exclude each other: what is spent in LLVM while a plan is made counts
as LLVM. "walk" looks for what the step depends on, "record" is its eager run, "verify" launches kernels again to see
whether an operation is nothing but these launches, "IR" also loads the code.
"""

import argparse
import functools
import json
import tempfile
import time

from common import framework, worker, write

PHASES = ("walk", "record", "verify", "fuse", "plan", "IR", "LLVM", "disk", "other")


class Clock:
    """Time by phase: the innermost phase that runs is the one that counts."""

    def __init__(self):
        self.spent, self.stack, self.since = dict.fromkeys(PHASES, 0.0), ["other"], time.perf_counter()

    def switch(self):
        now = time.perf_counter()
        self.spent[self.stack[-1]] += now - self.since
        self.since = now

    def watch(self, where, name, phase):
        """Count the time that the function `name` of a module or class takes."""
        function = getattr(where, name)

        @functools.wraps(function)
        def timed(*args, **kwargs):
            self.switch()
            self.stack.append(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch()
                self.stack.pop()

        setattr(where, name, timed)


def measure(workload):
    """One first call in this process."""
    from workloads import WORKLOADS, make_step

    T, _ = framework("flambeau")
    from flambeau.compiler import function, step
    from flambeau.compiler.recorder import Recorder
    from flambeau.kernels import cache, llvm

    run, clock = make_step(T, WORKLOADS[workload], "compile"), Clock()
    for where, name, phase in (
        (function.Walk, "run", "walk"), (function.Compiled, "_eager", "record"), (Recorder, "_explained", "verify"),
        (Recorder, "_taken_apart", "verify"), (step, "fused", "fuse"), (step, "Planner", "plan"),
        (llvm, "address", "IR"), (llvm, "to_object", "LLVM"), (cache, "load", "disk"), (cache, "store", "disk"),
    ):  # fmt: skip
        clock.watch(where, name, phase)
    run()
    clock.switch()
    return {"total": sum(clock.spent.values()), **clock.spent, "compiled": llvm.counts["compiled"],
            "loaded": llvm.counts["from disk"]}  # fmt: skip


def main():
    from workloads import WORKLOADS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--only", default=",".join(WORKLOADS), help="comma-separated workloads")
    parser.add_argument("--json", help="add the shares to this file")
    args = parser.parse_args()
    if args.worker:
        return print(json.dumps(measure(args.worker)))
    print(f"{'first call':15} {'seconds':>7} " + "".join(f"{p:>8}" for p in PHASES) + "  compiled  loaded")
    for workload in args.only.split(","):
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for cache in ("empty", "full"):
                r = found[cache] = worker("compile_time.py", workload, FLAMBEAU_CACHE_DIR=folder)
                shares = "".join(f"{r[p] / r['total']:8.0%}" for p in PHASES)
                counts = f"{r['compiled']:8} {r['loaded']:7}"
                print(f"{workload:9} {cache:5} {r['total']:7.3f} {shares}  {counts}", flush=True)
        if args.json:
            shares = {
                cache: {p: r[p] / r["total"] for p in PHASES} | {"compiled": r["compiled"], "loaded": r["loaded"]}
                for cache, r in found.items()
            }
            shares["empty over full"] = found["empty"]["total"] / found["full"]["total"]
            write(args.json, {f"compile_time/{workload}": shares})


if __name__ == "__main__":
    main()
