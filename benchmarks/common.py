"""What the benchmarks share: workers in processes of their own, resident memory, results as JSON."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def worker(script, *args, **environment):
    """What `script --worker args` prints as its last line, read as JSON; {"error": ...} if it fails."""
    command = [sys.executable, str(HERE / script), "--worker", *map(str, args)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=HERE, env=os.environ | environment)
    if out.returncode:
        return {"error": (out.stderr.strip().splitlines() or [f"exit {out.returncode}"])[-1]}
    return json.loads(out.stdout.strip().splitlines()[-1])


def resident_mb(what="VmRSS"):
    """Resident memory of this process in MB: now, or at its highest ("VmHWM")."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what + ":"))


def best(function, seconds):
    """The shortest of many calls, after one that does not count."""
    function()
    found, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function()
        found = min(found, time.perf_counter() - start)
    return found


def framework(name):
    """(module, mode) of "torch", "flambeau:compile" and such; the module may use as many threads as BENCH_THREADS."""
    import importlib

    module, _, mode = name.partition(":")
    T = importlib.import_module(module)
    if hasattr(T, "set_num_threads"):
        T.set_num_threads(int(os.environ.get("BENCH_THREADS", os.cpu_count())))
    return T, mode or "eager"


def write(path, results):
    """Add results to those that a JSON file holds."""
    path = Path(path)
    known = json.loads(path.read_text()) if path.exists() else {}
    for name, value in results.items():
        known[name] = known.get(name, {}) | value if isinstance(value, dict) else value
    path.write_text(json.dumps(_rounded(known), indent=1) + "\n")


def _rounded(value):
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return float(f"{value:.3g}") if isinstance(value, float) else value
