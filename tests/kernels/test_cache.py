"""The kernels on disk: damaged, foreign and half-written files, disks that fail, several processes and versions."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import flambeau
from flambeau.kernels import build, cache

needs_llvm = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")
KERNEL = """
    import numpy as np
    from flambeau.kernels import build, fused
    x = np.linspace(-1, 1, 5000, dtype=np.float32)
    assert np.allclose(fused.pointwise("exp", x), np.exp(x), rtol=1e-6)
    counts = build.backend().counts
    print(counts["compiled"], counts["from disk"])
"""  # the pool's two functions, those for memory, the one that launches loops, and exp
COLD, WARM = "5 0", "0 5"


def start(code, **environment):
    environment = {**os.environ, "FLAMBEAU_MEMORY": "", **environment}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip


def run(code=KERNEL, **environment):
    """What a fresh interpreter prints."""
    process = start(code, **environment)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return out.strip()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty cache, for this process too."""
    monkeypatch.setenv("FLAMBEAU_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kernels"


@needs_llvm
def test_damaged_and_foreign_files(place):
    assert run() == COLD
    assert run() == WARM
    files = sorted(place.iterdir())
    assert len(files) == 5 and all(f.suffix == ".o" for f in files)
    damage = [
        lambda b: b[:50],
        lambda b: b"",
        lambda b: b[:-1] + bytes([b[-1] ^ 1]),
        lambda b: b + b"x",
        lambda b: b[1:],
    ]
    for file, spoil in zip(files, damage, strict=True):
        file.write_bytes(spoil(file.read_bytes()))
    assert run() == COLD
    files[0].write_bytes(files[1].read_bytes())  # a whole file under another kernel's name
    assert run() == "1 4"
    assert run() == WARM


@needs_llvm
def test_processes_at_once(place):
    running = [start(KERNEL) for _ in range(4)]
    outputs = [p.communicate(timeout=120) for p in running]
    assert all(p.returncode == 0 for p in running), outputs
    assert run() == WARM
    assert len(list(place.iterdir())) == 5


@needs_llvm
def test_a_writer_that_is_killed(place):
    killed = """
        import os, signal
        from flambeau.kernels import cache
        cache.os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    """
    process = start(textwrap.dedent(killed) + textwrap.dedent(KERNEL))
    process.communicate(timeout=120)
    assert process.returncode == -9
    assert [f.suffix for f in place.iterdir()] == [".part"]
    assert run() == COLD
    assert run() == WARM


@needs_llvm
@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_disk_that_is_full(place):
    full = """
        import resource, signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
    """
    assert run(textwrap.dedent(full) + textwrap.dedent(KERNEL)) == COLD
    assert list(place.iterdir()) == []


@needs_llvm
def test_disks_that_cannot_be_used(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    assert run(FLAMBEAU_CACHE_DIR=str(blocked)) == COLD
    where = {"FLAMBEAU_CACHE_DIR": "", "XDG_CACHE_HOME": ""}
    assert run(**where, HOME=str(blocked)) == COLD
    assert run(**where, HOME=str(tmp_path / "home")) == COLD
    assert run(**where, HOME=str(tmp_path / "home")) == WARM


def test_no_home(monkeypatch):
    for name in ("FLAMBEAU_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert cache.folder() is None and cache.load("key") is None
    cache.store("key", b"body")
    assert cache.load("key") is None and not Path("~").exists()


def test_a_folder_that_is_only_read(place, monkeypatch):
    cache.store("key", b"body")
    os.utime(place / "key.o", (0, 0))

    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(cache.tempfile, "mkstemp", refuse)
    monkeypatch.setattr(os, "utime", refuse)
    cache.store("other", b"body")
    assert cache.load("key") == b"body" and cache.load("other") is None


@needs_llvm
def test_two_versions_side_by_side(place, tmp_path):
    source = Path(flambeau.__file__).parent
    shutil.copytree(source, tmp_path / "flambeau", ignore=shutil.ignore_patterns("__pycache__"))
    with open(tmp_path / "flambeau" / "kernels" / "rows.py", "a") as file:
        file.write("# another version\n")
    other = {"PYTHONPATH": str(tmp_path)}
    assert run() == COLD
    assert run(**other) == COLD
    assert run() == WARM
    assert run(**other) == WARM


def test_what_was_longest_unused_goes_first(place, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 5000)
    monkeypatch.setattr(cache, "LOOK", 1_000_000)
    for i in range(10):
        cache.store(f"key{i}", bytes(1000))
        os.utime(place / f"key{i}.o", (i + 1, i + 1))
    (place / "stray.part").write_bytes(bytes(100))
    os.utime(place / "stray.part", (0, 0))
    assert cache.load("key2") == bytes(1000)  # is now the one last used
    cache._bound(place)
    left = {f.name for f in place.iterdir()}
    assert left == {"key2.o", "key7.o", "key8.o", "key9.o"}
    assert cache.load("key0") is None and cache.load("no such") is None


def test_the_folder_is_looked_at_now_and_then(place, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT", 3000)
    for i in range(3 * cache.LOOK):
        cache.store(f"key{i}", bytes(1000))
    assert len(list(place.iterdir())) <= cache.LOOK + 3
