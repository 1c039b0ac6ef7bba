"""A small fork-join pool for generated kernels, and the number of threads that everything may use.

One job at a time is cut into parts, which the caller and the workers take from a shared counter until none is left.
What a part computes depends on its number alone, so results do not depend on who ran it. A second caller that
finds the pool busy (another Python thread), or a forked child, runs its parts itself. Workers are POSIX threads that
never touch Python; they spin for some microseconds after a job and then sleep.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy

from ..errors import ArgumentTypeError, StateError

# Words of the pool's state. Those written by several threads stand on cache lines of their own.
GENERATION, TICKETS, DONE, BUSY = 0, 8, 16, 24
FUNCTION, CONTEXT, COUNT, PARTS = 32, 33, 34, 35
SLEEPERS, THREADS, STARTED, NUMBER = 40, 41, 42, 43
LOCK, UNLOCK, WAIT, BROADCAST, CREATE, YIELD, WORKER = 48, 49, 50, 51, 52, 53, 54
MUTEX, CONDITION, HANDLE, STATE_SIZE = 64, 96, 128, 136

_state: Any = None  # never freed: sleeping workers hold its address


def _from_environment() -> int:
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:
        cpus = os.cpu_count() or 1
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return max(1, int(text)) if text.isdigit() else cpus


_threads = _from_environment()
_interop = _threads


def get_num_threads() -> int:
    """How many threads one operation may use.

    Example:
        >>> import flambeau as torch
        >>> torch.get_num_threads() >= 1
        True
    """
    return _threads


def set_num_threads(number: int) -> None:
    """Let one operation use at most `number` threads: generated kernels and NumPy's matrix products.

    Example:
        >>> import flambeau as torch
        >>> torch.set_num_threads(torch.get_num_threads())
    """
    global _threads
    if not isinstance(number, int) or isinstance(number, bool):
        raise ArgumentTypeError(
            f"set_num_threads expects an int, but got {type(number).__name__}",
            why="it is the number of threads that kernels use",
            fix="pass a whole number, such as 4",
        )
    if number <= 0:
        raise StateError("set_num_threads expects a positive integer", why=f"{number} was given", fix="pass 1 or more")
    _threads = number
    if _state is not None:
        _state[THREADS] = number
    _blas_threads(number)


def get_num_interop_threads() -> int:
    """How many operations may run side by side (accepted; operations run one after the other)."""
    return _interop


def set_num_interop_threads(number: int) -> None:
    """Accepted for compatibility: operations run one after the other."""
    global _interop
    if number <= 0:
        raise StateError(
            "set_num_interop_threads expects a positive integer", why=f"{number} was given", fix="pass 1 or more"
        )
    _interop = number


def _blas_threads(number: int) -> None:
    """Tell the OpenBLAS inside NumPy how many threads to use; other BLAS libraries read OMP_NUM_THREADS."""
    found = blas_function("openblas_set_num_threads")
    if found is not None:
        found[0](number)


@cache
def blas_function(name: str) -> tuple[Any, bool] | None:
    """(a function of the OpenBLAS inside NumPy, whether its sizes are 64-bit integers), or None."""
    root = Path(numpy.__file__).parent
    for path in [*root.parent.glob("numpy.libs/*openblas*"), *root.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(path))
        for prefix in ("scipy_", ""):
            for suffix in ("64_", ""):
                found = getattr(library, f"{prefix}{name}{suffix}", None)
                if found is not None:
                    return found, bool(suffix)
    return None


def blas_address(name: str) -> int:
    """Where that function is; 0 if nowhere."""
    found = blas_function(name)
    return ctypes.cast(found[0], ctypes.c_void_p).value or 0 if found else 0


def start(address: Callable[..., int]) -> tuple[int, int]:
    """Make the pool (no thread starts before the first large job). Returns the addresses of its `run` and state.

    Arguments:
        address: compiles a function, `llvm.address`; passed in because that module imports this one.
    """
    global _state
    from . import pool

    library = ctypes.CDLL(None)
    memory = library.calloc
    memory.restype, memory.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]
    base = (memory(STATE_SIZE + 8, 8) + 63) & ~63
    state = (ctypes.c_int64 * STATE_SIZE).from_address(base)
    names = {LOCK: "pthread_mutex_lock", UNLOCK: "pthread_mutex_unlock", WAIT: "pthread_cond_wait",
             BROADCAST: "pthread_cond_broadcast", CREATE: "pthread_create", YIELD: "sched_yield"}  # fmt: skip
    for word, name in names.items():
        state[word] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    state[WORKER] = address("flambeau_pool_worker", "", pool.worker_ir)
    run = address("flambeau_pool_run", "", pool.run_ir)

    def reset() -> None:
        """An empty pool; in a forked child too, where the parent's workers do not exist."""
        for word in (GENERATION, TICKETS, DONE, BUSY, SLEEPERS, STARTED, NUMBER):
            state[word] = 0
        library.pthread_mutex_init(ctypes.c_void_p(base + 8 * MUTEX), None)
        library.pthread_cond_init(ctypes.c_void_p(base + 8 * CONDITION), None)

    reset()
    state[THREADS] = _threads
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=reset)
    _state = state
    return run, base
