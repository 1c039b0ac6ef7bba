"""Run the benchmarks one after the other, print their tables, and keep the ratios as JSON.

    python run.py [--json results.json] [--full] [--only bench,micro,...] [--rivals torch,torch:compile,jax]

The quick set takes some minutes; --full has more rounds and the long ones. Without PyTorch give `--rivals ""`: what
compares with it is left out. Nothing else should run on the machine.
"""

import argparse
import subprocess
import sys

from common import HERE

QUICK = {
    "bench": ["--rounds", "2", "--seconds", "0.5"], "micro": ["--rounds", "1"], "roofline": [], "compile_time": [],
    "threads": ["--rounds", "1", "--seconds", "0.5"], "growth": ["--batch", "--sequence", "--steps", "1000"],
}  # fmt: skip
FULL = {
    "bench": [], "micro": [], "roofline": ["--seconds", "0.2"], "compile_time": [], "threads": [],
    "growth": ["--batch", "--sequence", "--steps", "10000"],
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", default="results.json", help="results are added to this file")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default=",".join(QUICK))
    parser.add_argument("--rivals", default="torch", help="comma-separated; the first is what ratios refer to")
    args = parser.parse_args()
    rivals = [r for r in args.rivals.split(",") if r]
    failed = []
    for name in args.only.split(","):
        if name == "micro" and not rivals:
            continue
        modes = {"bench": [*rivals, "flambeau", "flambeau:compile"], "micro": [*rivals[:1], "flambeau"]}.get(name, [])
        print(f"\n{name} {' '.join(modes)}", flush=True)
        command = [sys.executable, str(HERE / f"{name}.py"), *modes, *(FULL if args.full else QUICK)[name]]
        if subprocess.run([*command, "--json", args.json]).returncode:
            failed.append(name)
    return f"failed: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main())
