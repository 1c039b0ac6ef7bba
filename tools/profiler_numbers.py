"""Record what PyTorch's profiler says of small programs, and how it prints tables, for tests/profiler.

    python tools/profiler_numbers.py     # where there is PyTorch

The programs and the tables are written once, in tests/profiler, for both; tests/fixtures has what came out.
"""

import json
import sys
from pathlib import Path

import torch
from torch.autograd.profiler_util import EventList, FunctionEvent

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS / "profiler"))
import profiled_programs as programs  # noqa: E402
import profiled_tables  # noqa: E402


def made(events, **options):
    """A list of PyTorch's events."""
    found = EventList(
        [
            FunctionEvent(
                i, name, 1, start, end, input_shapes=shapes, stack=stack, flops=flops, cpu_memory_usage=int(m)
            )
            for i, (name, start, end, shapes, stack, flops, m) in enumerate(events)
        ],
        **options,
    )
    found._build_tree()
    return found


def main():
    """Write the numbers of all programs, and the tables."""
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
    (TESTS / "fixtures" / "profiler.json").write_text(json.dumps(found, indent=1) + "\n")
    (TESTS / "fixtures" / "profiler_tables.txt").write_text(profiled_tables.tables(made), encoding="utf-8")


if __name__ == "__main__":
    main()
