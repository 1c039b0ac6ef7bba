"""Record what PyTorch's profiler says of small programs: operations and memory, for tests/profiler.

    python tools/profiler_numbers.py > tests/fixtures/profiler.json     # where there is PyTorch

The programs are written once, in tests/profiler/profiled_programs.py, and run under either.
"""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "profiler"))
import profiled_programs as programs  # noqa: E402


def main():
    """Print the numbers of all programs as JSON."""
    found = {}
    for name, program in programs.PROGRAMS.items():
        run = program(torch)
        run()
        with torch.profiler.profile(with_flops=True, profile_memory=True) as prof:
            run()
        events = prof.key_averages()
        found[name] = {
            "flops": sum(e.flops or 0 for e in events),
            "by name": {e.key: e.flops for e in events if e.flops},
            "memory": {e.key: e.cpu_memory_usage for e in events if e.key.startswith("aten::")},
        }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
