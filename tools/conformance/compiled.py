"""Whether compiled operators give what they give eagerly, on the samples of PyTorch's test database.

    python compiled.py [--only REGEX] [--max-samples N] [--dtype float64,int64] [--verbose]

Each sample is run by `compile(op)` three times: recorded, replayed, and replayed on arguments of the same shapes with
other values; results, arguments afterwards and exceptions are compared with those of eager calls. Prints for how many
operators all samples were replayed without Python, with calls of Python functions, or were left to Python; wrong ones
must be none.
"""

import argparse
import collections
import importlib
import os
import re
import sys

import numpy as np


def others(x, torch):
    """The arguments of a sample with the elements of every tensor in the opposite order."""
    if isinstance(x, torch.Tensor):
        if x.dtype == torch.bool or not x.numel():
            return x
        t = x.detach().clone()
        return t.copy_(x.detach().flatten().flip(0).reshape(x.shape)).requires_grad_(x.requires_grad)
    if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
        return type(x)(others(v, torch) for v in x)
    return {k: others(v, torch) for k, v in x.items()} if isinstance(x, dict) else x


class Runner:
    """Runs an operator of the candidate, eagerly or compiled."""

    def __init__(self, bridge):
        self.bridge, self.module = bridge, bridge.candidate

    def call(self, f, sample):
        """What a call gives and leaves, as nested lists of arrays; or the class of its exception."""
        memo = {}
        args, kwargs = self.bridge.convert(sample, memo)
        self.module.manual_seed(0)
        try:
            with self.module.no_grad():
                result = f(*args, **kwargs)
        except Exception as error:
            return type(error).__name__
        return [self.plain(result), [self.plain(t) for t in memo.values()]]

    def plain(self, x):
        if self.bridge.is_tensor(x):
            return x._array.copy() if not x.is_meta else x.shape
        if isinstance(x, (list, tuple)):
            return [self.plain(v) for v in x]
        return x


def alike(a, b):
    """Whether two outcomes agree to rounding."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        if a.dtype.kind not in "fcV":
            return np.array_equal(a, b)
        digits = {2: 2e-2, 4: 2e-4}.get(a.real.dtype.itemsize, 1e-9)
        a, b = (v.astype(complex if v.dtype.kind == "c" else float) for v in (a, b))
        largest = np.abs(a[np.isfinite(a)]).max(initial=0)
        return np.allclose(a, b, digits, digits * largest, equal_nan=True)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(alike, a, b))
    return type(a) is type(b) and (a == b or a != a)


def kind_of(compiled):
    """How a compiled function ran."""
    if not compiled.steps:
        return "python"
    return "calls" if any(not parts for s in compiled.steps for _, parts in s.planner.launches) else "native"


def check(runner, f, sample, torch):
    """(how it ran, what was wrong or None)."""
    args = ((sample.input, *sample.args), sample.kwargs)
    inputs = [args, args, others(args, torch)]
    expected = [runner.call(f, a) for a in inputs]
    if not alike(expected[0], expected[1]):
        return "random", None  # uninitialised memory
    compiled = runner.module.compile(lambda *a, **k: f(*a, **k))
    for i, (a, e) in enumerate(zip(inputs, expected)):
        got = runner.call(compiled, a)
        if not alike(e, got):
            return kind_of(compiled), f"call {i}: {str(got)[:200]} instead of {str(e)[:200]} {compiled.splits}"
    return kind_of(compiled), None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("--candidate", default="flambeau", metavar="MODULE")
    add("--only", default="", metavar="REGEX")
    add("--dtype", default="float64,int64")
    add("--max-samples", type=int, default=6)
    add("--verbose", action="store_true", help="a line for every operator")
    options = parser.parse_args()

    import torch  # whose samples these are

    torch.set_num_threads(1)
    from bridge import Bridge
    from suites import applicable, attempt, by_name, op_samples, resolve
    from tables import SHAPE_ONLY

    sys.path.insert(0, os.getcwd())
    bridge = Bridge(importlib.import_module(options.candidate))
    runner = Runner(bridge)
    score = collections.Counter()
    for op in applicable():
        if not re.search(options.only, op.full_name):
            continue
        f, missing = attempt(resolve, bridge, op)
        if missing:
            continue
        kinds, wrong = set(), None
        for name in options.dtype.split(","):
            if getattr(torch, name) not in op.dtypes:
                continue
            for sample in op_samples(op, getattr(torch, name), options.max_samples):
                if op.name.startswith(("empty", "new_empty")) and by_name(SHAPE_ONLY, op):
                    continue  # uninitialised
                outcome, failure = attempt(check, runner, f, sample, torch)
                if failure:
                    wrong = wrong or f"{name}: {failure.reason}"
                    continue
                kinds.add(outcome[0])
                wrong = wrong or (outcome[1] and f"{name}: {outcome[1]}")
        worst = next((k for k in ("python", "calls", "native", "random") if k in kinds), "untested")
        score["wrong" if wrong else worst] += 1
        if wrong or options.verbose:
            print(f"{'wrong' if wrong else worst:8s} {op.full_name} {wrong or ''}", flush=True)
    print("compiled:", ", ".join(f"{n} {kind}" for kind, n in sorted(score.items())))


if __name__ == "__main__":
    main()
