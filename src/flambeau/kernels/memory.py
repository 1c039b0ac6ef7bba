"""Large buffers: keep freed ones for the next operation instead of giving them back to the system.

Every fresh page of a large array costs a page fault (about 0.25 us per 4 kB), more than most operations spend on it.
glibc gives blocks above 128 kB to the kernel at once when they are freed; told not to, it serves the next array
of that size from memory that is already there. This helps everything that allocates: NumPy's results too. What is kept
is bounded by what was in use at the same time, and free memory at the heap's end above KEEP goes back.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's parameter numbers
LARGEST = 32 << 20  # glibc's limit: blocks above it always come fresh from the system
KEEP = 1 << 30


def keep_freed() -> bool:
    """Set the policy for this process; returns whether the C library has it (glibc does)."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, LARGEST) and mallopt(_TRIM_THRESHOLD, KEEP) and mallopt(_TOP_PAD, 1 << 20))
