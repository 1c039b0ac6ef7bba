"""Memory of arrays: blocks are kept and found again, counted, bounded, and safe in threads and forked children."""

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import flambeau as torch
from flambeau.kernels import blocks, build, memory

pytestmark = [
    pytest.mark.skipif(build.backend() is None, reason="no LLVM here"),
    pytest.mark.skipif(not memory.memory_stats(), reason="the system's own memory functions are used"),
]
BIG = 1 << 20


def in_new_process(code, **environment):
    """What a fresh interpreter prints."""
    code = "import numpy as np, flambeau as torch\nfrom flambeau.kernels import build, memory\n" + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_freed_block_is_the_next_array():
    torch.empty_cache()
    a = np.empty(3 * BIG, np.uint8)
    where = a.ctypes.data
    before = torch.memory_stats()
    del a
    freed = torch.memory_stats()
    assert freed["allocated"] < before["allocated"] and freed["reserved"] == before["reserved"]
    b = np.empty(3 * BIG - 5000, np.uint8)
    after = torch.memory_stats()
    assert b.ctypes.data == where and after["hits"] == freed["hits"] + 1 and after["mapped"] == before["mapped"]
    c = np.empty(BIG, np.uint8)  # a block that would waste much is not taken
    del b
    d = np.empty(BIG, np.uint8)
    assert d.ctypes.data != where and c.ctypes.data != where
    torch.empty_cache()
    assert torch.memory_stats()["cached"] == 0


@pytest.mark.parametrize("size", [blocks.FROM - 1, blocks.FROM, blocks.FROM + 1, BIG, 5 * BIG + 3, 9 * BIG])
def test_contents(size):
    for _ in range(3):
        a = np.empty(size, np.uint8)
        a[:] = 7
        del a
        z = np.zeros(size, np.uint8)
        assert not z.any()
        z[:] = 1
        z.resize(size * 2, refcheck=False)
        assert z[:size].all() and not z[size:].any()
        z.resize(size // 3, refcheck=False)
        assert z.all()
        z.resize(10, refcheck=False)
        assert z.all() and z.size == 10


def test_large_arrays_are_aligned_for_vectors():
    held = [np.empty(n, np.float32) for n in (blocks.FROM // 4, 100_001, 1_000_003, 3_000_001)]
    assert all(a.ctypes.data % 64 == 0 for a in held)


def test_many_blocks_and_no_growth():
    torch.empty_cache()
    before = torch.memory_stats()
    held = [np.empty(blocks.FROM + 8192 * (i % 40), np.uint8) for i in range(blocks.ENTRIES + 200)]
    del held
    assert torch.memory_stats()["allocated"] == before["allocated"]
    for _ in range(3):
        held = [np.empty(BIG * (1 + i % 4), np.uint8) for i in range(20)]
        del held
    mapped, reserved = (torch.memory_stats()[k] for k in ("mapped", "reserved"))
    for _ in range(20):
        held = [np.empty(BIG * (1 + i % 4), np.uint8) for i in range(20)]
        del held
    after = torch.memory_stats()
    assert after["mapped"] == mapped and after["reserved"] == reserved
    torch.empty_cache()


def test_what_is_kept_is_bounded_by_what_was_in_use():
    torch.empty_cache()
    start = torch.memory_stats()["allocated"]
    for i in range(60):
        a = np.empty((4 + i) * BIG, np.uint8)
        del a
    assert torch.memory_stats()["reserved"] <= start + 64 * BIG + memory.SLACK + BIG
    torch.empty_cache()


def test_peak():
    torch.reset_peak_memory_stats()
    low = torch.memory_stats()
    a = np.empty(8 * BIG, np.uint8)
    del a
    after = torch.memory_stats()
    assert low["peak"] == low["allocated"] and after["peak"] >= low["peak"] + 8 * BIG
    torch.reset_peak_memory_stats()
    assert torch.memory_stats()["peak"] == torch.memory_stats()["allocated"]


def test_limit():
    try:
        torch.empty_cache()
        a = np.empty(20 * BIG, np.uint8)
        del a  # is kept
        torch.set_memory_limit(torch.memory_stats()["allocated"] + 30 * BIG)
        b = np.empty(25 * BIG, np.uint8)  # what was kept goes first
        assert torch.memory_stats()["reserved"] <= torch.memory_stats()["limit"]
        refused = torch.memory_stats()["refused"]
        with pytest.raises(torch.OutOfMemoryError, match="you tried to allocate 16777216 bytes"):
            torch.empty(4 * BIG)
        with pytest.raises(torch.OutOfMemoryError, match=r"(?s)cat\(\).*the limit is"):
            torch.cat([torch.zeros(1, 1).expand(BIG, 4)])
        assert torch.memory_stats()["refused"] >= refused + 2
        del b
        assert torch.empty(4 * BIG).numel() == 4 * BIG
    finally:
        torch.set_memory_limit(None)
    assert torch.memory_stats()["limit"] == 0
    for bad, error in ((1.5, TypeError), (True, TypeError), (-1, ValueError)):
        with pytest.raises(error):
            torch.set_memory_limit(bad)


def test_settings():
    assert [memory._bytes(t) for t in ("1000", "2kB", "1.5 MiB", "2G")] == [1000, 2000, 3 << 19, 2 * 10**9]
    with pytest.raises(ValueError, match="FLAMBEAU_MEMORY_LIMIT"):
        memory._bytes("lots")
    out = in_new_process(
        """
        build.backend()
        try:
            np.empty(20 << 20, np.uint8)
        except MemoryError:
            print(torch.memory_stats()["limit"], torch.memory_stats()["refused"])
    """,
        FLAMBEAU_MEMORY_LIMIT="10MB",
    )
    assert out == "10000000 1"
    code = "build.backend(); a = np.empty(1 << 24); torch.empty_cache(); print(torch.memory_stats())"
    assert in_new_process(code, FLAMBEAU_MEMORY="system") == "{}"


def test_arrays_from_before_and_after():
    """Arrays of the C library go back to it; arrays that are alive at exit do no harm."""
    out = in_new_process("""
        early = [np.zeros(n, np.uint8) for n in (10, 5000, 200_000, 1 << 20, 50 << 20)]
        before = torch.memory_stats()
        build.backend()
        grown = np.zeros(200_000, np.uint8)
        for a in early:
            a.resize(a.size * 2, refcheck=False)
            assert not a.any()
        stats = torch.memory_stats()
        del early, a
        print(before, stats == torch.memory_stats())
        alive = torch.ones(1 << 20)
    """)
    assert out == "{} True"


def test_threads():
    wrong = []

    def work(seed):
        rng = np.random.default_rng(seed)
        held = {}
        for i in range(300):
            a = np.empty(int(rng.integers(blocks.FROM, 4 * blocks.FROM)), np.uint8)
            a[:] = seed
            held[i % 7] = a
            if not all((b[::997] == seed).all() and b[-1] == seed for b in held.values()):
                wrong.append(seed)

    running = [threading.Thread(target=work, args=(i,)) for i in range(1, 5)]
    for t in running:
        t.start()
    for t in running:
        t.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_children():
    out = in_new_process("""
        import os, threading, warnings
        warnings.simplefilter("ignore")
        build.backend()
        going = True
        def busy():
            while going:
                np.empty(1 << 18, np.uint8)
        other = threading.Thread(target=busy)
        other.start()
        kept = np.ones(1 << 20)
        codes = []
        for _ in range(20):
            child = os.fork()
            if child == 0:
                held = [np.full(1 << 18, i, np.uint8) for i in range(20)]
                good = all((h == i).all() for i, h in enumerate(held)) and kept.all()
                os._exit(0 if good else 1)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        going = False
        other.join()
        print(codes == [0] * 20, bool(kept.all()))
    """)
    assert out == "True True"
