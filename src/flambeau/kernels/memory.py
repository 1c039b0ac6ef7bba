"""Memory of arrays: large blocks are kept when freed, counted, and bounded.

Every fresh page of a large array costs a page fault (about 0.25 us per 4 kB), more than most operations spend on it.
When kernels are first used, NumPy's own functions for array memory are replaced by those of `blocks`, for every
array made from then on, whoever makes it. Until then, and with FLAMBEAU_MEMORY=system, `keep_freed` tells glibc not to
give freed blocks back at once.

FLAMBEAU_MEMORY_LIMIT (bytes, or such as 2GB) bounds the memory of arrays: what is kept goes first, then an
array that would pass it is refused with OutOfMemoryError.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's parameter numbers
LARGEST = 32 << 20  # glibc's limit: blocks above it always come fresh from the system
KEEP = 1 << 30
SLACK = 32 << 20  # what may be kept beyond what was in use at one time
NO_LIMIT = 1 << 62
_DEFAULT_HANDLER = 306  # where NumPy's table of functions has the object that holds its memory functions

_state: Any = None  # the words that `blocks` works on; never freed: arrays outlive everything
_release: Any = None
_limit = NO_LIMIT


def keep_freed() -> bool:
    """Set glibc's policy for this process; returns whether the C library has it."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, LARGEST) and mallopt(_TRIM_THRESHOLD, KEEP) and mallopt(_TOP_PAD, 1 << 20))


def _bytes(text: str) -> int:
    """The number of bytes that a setting names: 1000000, 500MB, 1.5 GiB."""
    found = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?)(i?)b?\s*", text.lower())
    try:
        return int(float(found[1]) * (1024 if found[3] else 1000) ** " kmgt".index(found[2] or " "))  # type: ignore
    except (TypeError, ValueError):
        raise ArgumentError(
            f"FLAMBEAU_MEMORY_LIMIT is {text!r}, but should be bytes, or such as 500MB or 2GiB",
            why="the environment variable says how much memory tensors may take",
            fix="set it to a number of bytes, or such as 500MB or 2GiB",
        ) from None


class _Handler(ctypes.Structure):
    """PyDataMem_Handler."""

    _fields_ = [
        ("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("context", ctypes.c_void_p),
        ("malloc", ctypes.c_void_p), ("calloc", ctypes.c_void_p),
        ("realloc", ctypes.c_void_p), ("free", ctypes.c_void_p),
    ]  # fmt: skip


def _default_handler() -> _Handler | None:
    """NumPy's memory functions, in place; None where they are not laid out as expected."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(
        pointer(importlib.import_module("numpy._core._multiarray_umath")._ARRAY_API, None),
        ctypes.POINTER(ctypes.c_void_p),
    )
    holder = table[_DEFAULT_HANDLER]
    capsule = holder and ctypes.cast(holder, ctypes.POINTER(ctypes.py_object))[0]
    if type(capsule).__name__ != "PyCapsule":
        return None
    handler = _Handler.from_address(pointer(capsule, b"mem_handler") or 0)
    return handler if handler.name == b"default_allocator" and handler.version == 1 else None


def start(address: Callable[..., int], symbol: Callable[[str], int]) -> bool:
    """Serve NumPy's arrays from now on; returns whether it does.

    The default handler itself is changed: one set with `PyDataMem_SetHandler` would be seen by this thread alone.

    Arguments:
        address, symbol: `llvm.address` and `llvm.symbol`; passed in because that module imports this package.
    """
    global _state, _release, _limit
    if _state is not None or os.environ.get("FLAMBEAU_MEMORY", "").lower() == "system" or mmap.PAGESIZE != 4096:
        return _state is not None
    handler = _default_handler()
    if handler is None:
        return False
    from . import blocks as b  # needs llvmlite

    library = ctypes.CDLL(None)
    memory = library.calloc
    memory.restype, memory.argtypes = ctypes.c_void_p, [ctypes.c_size_t, ctypes.c_size_t]
    base = (memory(b.STATE_SIZE + 8, 8) + 63) & ~63
    state = (ctypes.c_int64 * b.STATE_SIZE).from_address(base)
    for word, name in {b.MMAP: "mmap", b.MUNMAP: "munmap", b.MADVISE: "madvise", b.YIELD: "sched_yield"}.items():
        if name != "madvise" or sys.platform.startswith("linux"):
            state[word] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    state[b.PROTECTION] = mmap.PROT_READ | mmap.PROT_WRITE
    state[b.FLAGS] = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    text = os.environ.get("FLAMBEAU_MEMORY_LIMIT")
    if text and _limit == NO_LIMIT:
        _limit = _bytes(text)
    state[b.LIMIT], state[b.SLACK] = _limit, SLACK
    first = address("flambeau_memory_malloc", "", b.functions_ir)
    new = [base, first, *(symbol(f"flambeau_memory_{name}") for name in ("calloc", "realloc", "free"))]
    old = [handler.context, handler.malloc, handler.calloc, handler.realloc, handler.free]
    for word, value in zip(range(b.CONTEXT, b.OLD_FREE + 1), old, strict=True):
        state[word] = value or 0
    handler.context, handler.malloc, handler.calloc, handler.realloc, handler.free = new
    release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(symbol("flambeau_memory_release"))

    def after_fork() -> None:
        """Where another thread of the parent held the lock, the table may be half-written: start an empty one."""
        if state[b.HELD]:
            state[b.COUNT] = state[b.CACHED] = state[b.HELD] = 0

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=after_fork)
    _state, _release = state, lambda: release(base)
    return True


def memory_stats() -> dict[str, int]:
    """Memory of large arrays (from 128 kB), in bytes, and how often it was asked for.

    Empty before the first kernel has run, and with FLAMBEAU_MEMORY=system.

    Returns:
        allocated: in arrays now.
        peak: the most there was since `reset_peak_memory_stats`.
        cached: kept for the next arrays.
        reserved: both together.
        limit: what `set_memory_limit` allows; 0 stands for no limit.
        requests, hits: arrays made, and how many of them got a kept block.
        mapped, unmapped: blocks taken from and given back to the system.
        refused: arrays that would have passed the limit.

    Example:
        >>> import flambeau as torch
        >>> sorted(torch.memory_stats())[:3] in ([], ["allocated", "cached", "hits"])
        True
    """
    if _state is None:
        return {}
    from . import blocks as b

    limit = _state[b.LIMIT]
    return {
        "allocated": _state[b.ALLOCATED], "cached": _state[b.CACHED],
        "reserved": _state[b.ALLOCATED] + _state[b.CACHED], "peak": _state[b.PEAK],
        "limit": 0 if limit == NO_LIMIT else limit, "requests": _state[b.REQUESTS], "hits": _state[b.HITS],
        "mapped": _state[b.MAPPED], "unmapped": _state[b.UNMAPPED], "refused": _state[b.REFUSED],
    }  # fmt: skip


def reset_peak_memory_stats() -> None:
    """Let `memory_stats()["peak"]` count from what is in use now.

    Example:
        >>> import flambeau as torch
        >>> torch.reset_peak_memory_stats()
    """
    if _state is not None:
        from . import blocks as b

        _state[b.PEAK] = _state[b.ALLOCATED]


def empty_cache() -> None:
    """Give memory that is kept for the next arrays back to the system.

    Example:
        >>> import flambeau as torch
        >>> torch.empty_cache()
        >>> torch.memory_stats().get("cached", 0)
        0
    """
    if _release is not None:
        _release()


def set_memory_limit(limit: int | None) -> None:
    """Let large arrays take at most so many bytes together; an array that would pass it raises OutOfMemoryError.

    Arguments:
        limit: bytes, or None for no limit.

    Example:
        >>> import flambeau as torch
        >>> torch.set_memory_limit(8 << 30)
        >>> torch.set_memory_limit(None)
    """
    global _limit
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise ArgumentTypeError(
            f"set_memory_limit expects an int or None, but got {type(limit).__name__}",
            why="it is the number of bytes that tensors may take together",
            fix="pass a whole number, such as `2 * 1024**3`, or None for no limit",
        )
    if limit is not None and limit < 0:
        raise ArgumentError(
            f"set_memory_limit expects a number of bytes, but got {limit}",
            why="it is the number of bytes that tensors may take together",
            fix="pass 0 or more, or None for no limit",
        )
    _limit = NO_LIMIT if limit is None else limit
    if _state is not None:
        from . import blocks as b

        _state[b.LIMIT] = _limit
        if _state[b.ALLOCATED] + _state[b.CACHED] > _limit:
            empty_cache()


def limit() -> int:
    """The bytes that arrays may take together; 0 where there is no limit."""
    return memory_stats().get("limit", 0)
