"""What a run ran on and from: versions, machine, command, seeds, the program's text and its state in git."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..generator import default_generator
from ..kernels.threads import get_num_threads
from ..place import USER, kind_of

TEXT = 200_000  # letters of the program's text that are kept
PATCH = 60_000  # and of what differs from the last commit
PATIENCE = 3.0  # seconds that git may take for one answer
VARIABLES = ("CUDA_VISIBLE_DEVICES", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED")


def environment() -> dict[str, str]:
    """Versions, machine, threads, command line and folder, by name."""
    from .. import __version__  # noqa: PLC0415 - the package is whole by now

    found = {
        "flambeau": __version__,
        "Python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "CPU": f"{cpu_name()}, {os.cpu_count()} cores",
        "threads": str(get_num_threads()),
        "memory": _memory(),
        "host": platform.node(),
        "process": str(os.getpid()),
        "command": " ".join([Path(sys.executable).name, *map(_quoted, _arguments())]),
        "folder": _folder(),
    }
    chosen = {k: v for k, v in os.environ.items() if k.startswith("FLAMBEAU_") or k in VARIABLES}
    return {k: v for k, v in {**found, **chosen}.items() if v}


def packages() -> dict[str, str]:
    """Installed packages and their versions."""
    found = {}
    for each in importlib.metadata.distributions():
        about = each.metadata
        if about["Name"]:
            found[about["Name"]] = about["Version"] or ""
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def seeds() -> dict[str, str]:
    """The seed of flambeau's generator, and fingerprints of the states of all three generators."""
    numpy_state: Any = np.random.get_state(legacy=True)
    return {
        "flambeau seed": str(default_generator.initial_seed()),
        "flambeau state": _fingerprint(default_generator.state_bytes().tobytes()),
        "NumPy state": _fingerprint(np.asarray(numpy_state[1]).tobytes() + repr(numpy_state[2:]).encode()),
        "Python state": _fingerprint(repr(random.getstate()).encode()),
    }


def code() -> list[dict[str, str]]:
    """The program: its main file, then the modules of its own folder that are loaded; (name, sha256, text) of each.

    What is longer than is kept has no text, only its fingerprint.
    """
    main = sys.modules.get("__main__")
    files, room = [], TEXT
    for name, text in [_main_text(main), *_own_modules(main)]:
        if not text:
            continue
        kept = {"name": name, "sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}
        if len(text) <= room:
            kept["text"], room = text, room - len(text)
        files.append(kept)
    return files


def repository() -> dict[str, str]:
    """The commit and branch of the program's folder, and what has changed since; empty where there is no repository."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    folder = Path(main).resolve().parent if main else Path(_folder() or ".")

    def git(*words: str) -> str | None:
        try:
            asked = subprocess.run(
                ["git", "--no-optional-locks", "-C", str(folder), *words],
                capture_output=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):  # no git, no repository, no commit, or a very slow disk
            return None
        return asked.stdout.decode("utf-8", "replace").strip("\n")

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return {}
    found = {"commit": commit, "branch": git("rev-parse", "--abbrev-ref", "HEAD") or ""}
    found["subject"] = git("log", "-1", "--format=%s") or ""
    changed = git("status", "--porcelain", "--untracked-files=normal")
    if changed is None:
        return {**found, "changes": "unknown: git took too long"}
    if changed:
        found["changes"] = changed[:PATCH]
        patch = git("diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color") or ""
        found["patch"] = patch if len(patch) <= PATCH else patch[:PATCH] + "\n..."
    return found


def _fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _main_text(main: ModuleType | None) -> tuple[str, str]:
    """(name, text) of the program; a notebook's is the cells that ran so far."""
    file = getattr(main, "__file__", None)
    if file:
        return Path(file).name, _read(file)
    cells = getattr(main, "In", None)  # IPython keeps what was entered there
    if isinstance(cells, list):
        return "notebook", "\n\n".join(f"# In [{i}]\n{cell}" for i, cell in enumerate(cells) if cell)
    return "", ""


def _own_modules(main: Any) -> list[tuple[str, str]]:
    file = getattr(main, "__file__", None)
    if not file:
        return []
    root = Path(file).resolve().parent
    found = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or module is main or not path.endswith(".py") or kind_of(path) != USER:
            continue
        real = Path(os.path.realpath(path))
        if real.is_relative_to(root):
            found[str(real.relative_to(root))] = real
    return [(name, _read(path)) for name, path in sorted(found.items())]


def _read(file: Any) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _arguments() -> list[str]:
    return list(getattr(sys, "argv", None) or [])


def _quoted(word: str) -> str:
    return word if word and not set(word) & set(" \t\n\"'\\$&|;<>()") else "'" + word.replace("'", "'\\''") + "'"


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been deleted
        return ""


def cpu_name() -> str:
    """What the processor calls itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, OSError, ValueError):
        return ""
