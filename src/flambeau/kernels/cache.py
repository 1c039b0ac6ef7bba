"""Compiled kernels on disk: one file each, checked by its own hash, written whole or not at all.

A reader never trusts a file: magic, key and SHA-256 must agree, else the kernel is compiled again. Writers make a
temporary file and rename it, so concurrent processes and a killed writer leave nothing half-written behind.
A disk that cannot be written only costs the time to compile.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path

MAGIC = b"flambeau kernel 1\n"
LIMIT = 64 << 20  # bytes; a kernel is 5-40 kB, so this holds thousands
LOOK = 16  # the folder's size is looked at once in so many files written
FRESH = 3600  # seconds for which a file counts as just used: its time is not written again

_written = 0


def folder() -> Path | None:
    """Where kernels are kept: FLAMBEAU_CACHE_DIR, or ~/.cache/flambeau (XDG_CACHE_HOME), with `kernels` below it.

    None where there is no home: a folder that others could write to would let them run code here.
    """
    root = os.environ.get("FLAMBEAU_CACHE_DIR")
    if not root:
        root = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "flambeau")
    return None if root.startswith("~") else Path(root) / "kernels"


def load(key: str) -> bytes | None:
    """The object code stored under a key, or None where there is none that is whole."""
    directory = folder()
    if directory is None:
        return None
    path = directory / f"{key}.o"
    try:
        data = path.read_bytes()
    except OSError:
        return None
    head = len(MAGIC) + 64
    body = data[head:]
    if not data.startswith(MAGIC) or data[len(MAGIC) : head] != _seal(key, body):
        return None
    try:
        if time.time() - path.stat().st_mtime > FRESH:
            os.utime(path)  # `_bound` drops what was longest unused
    except OSError:
        pass  # a folder that is only read, or another process dropped the file
    return body


def store(key: str, body: bytes) -> None:
    """Keep object code under a key; does nothing where the disk does not let it."""
    global _written
    directory = folder()
    if directory is None:
        return
    temporary = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=directory, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + _seal(key, body) + body)
        os.replace(temporary, directory / f"{key}.o")
        temporary = None
        _written += 1
        if _written % LOOK == 1:
            _bound(directory)
    except OSError:
        return
    finally:
        if temporary is not None:
            try:
                os.unlink(temporary)
            except OSError:
                pass  # nothing can be done about it, and a stray file is dropped like an old one


def _seal(key: str, body: bytes) -> bytes:
    return hashlib.sha256(key.encode() + body).hexdigest().encode()


def _bound(directory: Path) -> None:
    """Drop the files longest unused until the folder is within its limit."""
    files = []
    for entry in os.scandir(directory):
        try:
            status = entry.stat()
        except OSError:
            continue  # another process removed it
        files.append((status.st_mtime, status.st_size, entry.path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LIMIT:
            break
        try:
            os.unlink(path)
        except OSError:
            pass
        total -= size
