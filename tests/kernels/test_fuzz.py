"""Random arguments for every declared kernel: none reads or writes beyond its arrays, bad calls touch nothing.

The kernels are found in `build.declared`, so new ones are tested without being named here.
"""

import contextlib
import ctypes
import importlib
import mmap
import os
import pkgutil
import random
import signal
import sys

import numpy as np
import pytest

import flambeau.kernels
from flambeau.kernels import build

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
for module in pkgutil.iter_modules(flambeau.kernels.__path__):
    with contextlib.suppress(ImportError):
        importlib.import_module(f"flambeau.kernels.{module.name}")
KERNELS = {name: k for name, k in sorted(build.declared.items()) if not name.startswith("test_")}
# Where the size of every array is declared, any accepted call must be safe. Elsewhere the caller answers for it.
CHECKED = [name for name, k in KERNELS.items() if all(p.size or not p.is_array for p in k.parameters)]
SIZES = [0, 1, 1, 2, 2, 3, 4, 5, 8, 16, 17]


def dtype(p, real):
    return np.dtype({"T": real, "b1": "?"}.get(p.kind, p.kind))


def count(p, ints):
    size = 1
    for factor in p.size:
        size *= int(factor) if factor.isdigit() else ints[factor]
    return size


def filled(a, rng):
    """Anything for floats and bytes, small numbers of both signs for integers."""
    g = np.random.default_rng(rng.randrange(1000))
    if a.dtype.kind == "f":
        a[:] = g.standard_normal(a.size) * 10.0 ** g.integers(-3, 4)
    else:
        a[:] = g.integers(0, 2, a.size) if a.dtype.kind == "b" else g.integers(0 if a.dtype == "u1" else -3, 20, a.size)
    return a


def arguments(kernel, rng, real, make):
    """Random ints, arrays of the sizes that then are declared, random floats."""
    ints = {p.name: rng.choice(SIZES) for p in kernel.parameters if p.kind == "n"}
    given = []
    for p in kernel.parameters:
        if p.kind == "n":
            given.append(ints[p.name])
        else:
            given.append(rng.random() if p.kind == "d" else filled(make(count(p, ints), dtype(p, real)), rng))
    return given


# accepted calls


def between_guards(size, kind, at_end=True):
    """An array next to a page that may not be touched: behind it, or before it."""
    length = size * kind.itemsize
    pages = -(-length // mmap.PAGESIZE) + 2
    memory = mmap.mmap(-1, pages * mmap.PAGESIZE)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protect = ctypes.CDLL(None).mprotect
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for page in (0, pages - 1):
        assert protect(base + page * mmap.PAGESIZE, mmap.PAGESIZE, 0) == 0
    start = (pages - 1) * mmap.PAGESIZE - length if at_end else mmap.PAGESIZE
    return np.frombuffer(memory, kind, size, start) if size else np.empty(0, kind)


def outcome(run):
    """The exit status of a forked child that runs something."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(60)
            run()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "win32", reason="needs fork and mprotect")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", CHECKED)
def test_nothing_beyond_the_arrays_is_touched(name):
    kernel = KERNELS[name]
    builtin = kernel.get("f4")  # compiled here, once

    def run():
        rng = random.Random(name)
        for trial in range(60):
            make = lambda size, kind, at_end=trial % 3 > 0: between_guards(size, kind, at_end)
            builtin(*arguments(kernel, rng, "f4", make))

    assert outcome(run) == 0


# refused calls


class Subclass(np.ndarray):
    pass


def spoiled(p, value, rng):
    """Values that must be refused in place of a good one."""
    if p.kind == "n":
        return [-1, -(2**62), 2**63, 2**64 + value, float(value), None, True, "1", np.int64(value)]
    if p.kind == "d":
        return [1, None, "1.0", np.float32(1), np.float64(1)]
    other = np.float64 if value.dtype == np.float32 else np.float32
    bad = [None, 1.0, [1.0], value.astype(other), value.view(Subclass), value.astype(value.dtype.newbyteorder())
           if value.dtype.itemsize > 1 else None, value.astype(complex)]  # fmt: skip
    if value.dtype.itemsize > 1 and value.size:
        bad.append(np.zeros(value.nbytes + 1, np.uint8)[1:].view(value.dtype))  # not aligned
    if p.size:
        bad += [np.zeros(value.size + 1, value.dtype), np.zeros((2, value.size + 1), value.dtype)]
        if value.size:
            bad.append(value[:-1])
    if p.written:
        frozen = value.copy()
        frozen.flags.writeable = False
        bad.append(frozen)
    if not p.strided and value.size > 1:
        bad += [value[::-1], np.zeros(2 * value.size, value.dtype)[::2], np.broadcast_to(value[:1], value.shape)]
    return bad


@pytest.mark.parametrize("real", ["f4", "f8"])
@pytest.mark.parametrize("name", KERNELS)
def test_bad_calls_touch_nothing(name, real):
    kernel, rng = KERNELS[name], random.Random(name)
    if real == "f8" and not any(p.kind == "T" for p in kernel.parameters):
        pytest.skip("has one type only")
    builtin = kernel.get(real)
    for _ in range(3):
        good = arguments(kernel, rng, real, lambda size, kind: np.zeros(size, kind))
        before = [a.copy() if isinstance(a, np.ndarray) else a for a in good]
        for i, p in enumerate(kernel.parameters):
            for bad in spoiled(p, good[i], rng):
                assert builtin(*good[:i], bad, *good[i + 1 :]) is False, (p.name, bad)
        for shorter in (good[:-1], [*good, 1], []):
            assert builtin(*shorter) is False
        for a, b in zip(good, before, strict=True):
            assert not isinstance(a, np.ndarray) or a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", CHECKED)
def test_sizes_whose_product_overflows_are_refused(name):
    """2^32 * 2^32 is 0 in 64 bits, which is the size of an empty array."""
    kernel = KERNELS[name]
    ints = {p.name: 2**32 for p in kernel.parameters if p.kind == "n"}
    if all(len([f for f in p.size if not f.isdigit()]) < 2 for p in kernel.parameters):
        pytest.skip("has no such size")
    given = [ints[p.name] if p.kind == "n" else 0.5 if p.kind == "d" else np.zeros(count(p, ints) % 2**64 % 2**20,
             dtype(p, "f4")) for p in kernel.parameters]  # fmt: skip
    assert kernel.get("f4")(*given) is False
