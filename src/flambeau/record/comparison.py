"""Two or more runs on one page: curves over each other, settings that differ, last values, what changed in the code."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from . import folder
from .page import page
from .records import Record, load, written

CONTEXT = 3  # lines around a change
LINES = 2000  # of one program's differences


def compare(*runs: str | os.PathLike | Record, out: str | os.PathLike | None = None) -> Path:
    """Write a page that compares runs, and return its path.

    Arguments:
        runs: the folders of two or more runs (or their records, from `load`); the first is what others are compared to.
        out: the page's file. Default: `compare-A-B.html` beside the first run's folder.

    Raises ValueError for fewer than two runs, FileNotFoundError for a folder without a record.

    >>> import tempfile
    >>> import flambeau
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for lr in (0.1, 0.01):
    ...         with flambeau.Run(f"{folder}/lr-{lr}", config={"lr": lr}) as run:
    ...             run.log(loss=lr, step=0)
    ...     flambeau.record.compare(f"{folder}/lr-0.1", f"{folder}/lr-0.01").name
    'compare-lr-0.1-lr-0.01.html'
    """
    if len(runs) < 2:
        raise ArgumentError(
            f"compare() takes two or more runs, not {len(runs)}",
            why="their curves and settings are laid side by side",
            fix='pass their folders: `flambeau.record.compare("runs/a", "runs/b")`',
        )
    records = [run if isinstance(run, Record) else load(run) for run in runs]
    if out is None:
        out = records[0].folder.with_name("-".join(["compare", *(r.folder.name for r in records[:4])]) + ".html")
    names = labels(records)
    records = [Record(r.folder, {**r.state, "name": name}, r.metrics) for r, name in zip(records, names)]
    made = page(records, "compare", " / ".join(names), programs=differences(records))
    return written(folder.path_of(out), made)


def labels(records: list[Record]) -> list[str]:
    """The runs' names, told apart by their folders where several are called the same.

    >>> from flambeau.record.series import Metrics
    >>> labels([Record(Path(f"/runs/{n}"), {"name": "first"}, Metrics()) for n in "ab"])
    ['first (a)', 'first (b)']
    """
    names = [record.name for record in records]
    made = [n if names.count(n) == 1 else f"{n} ({r.folder.name})" for n, r in zip(names, records)]
    return [n if made.count(n) == 1 else f"{n} {i}" for i, n in enumerate(made, 1)]


def differences(records: list[Record]) -> list[dict[str, Any]]:
    """How the files of each program differ from the first one's, as the lines of a unified diff."""
    found = []
    first, base = records[0], _files(records[0])
    for other in records[1:]:
        files = _files(other)
        # A main program under another name is still the main program.
        if base and files and next(iter(base)) not in files and next(iter(files)) not in base:
            pairs = [(next(iter(base)), next(iter(files)))]
        else:
            pairs = []
        named = {name for pair in pairs for name in pair}
        pairs += [(name, name) for name in dict.fromkeys([*base, *files]) if name not in named]
        for old, new in pairs:
            before, after = base.get(old, ""), files.get(new, "")
            lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, "", "", CONTEXT, ""))
            if lines:
                kept = lines[:LINES] + (["..."] if len(lines) > LINES else [])
                found.append({"file": new, "from": first.name, "to": other.name, "lines": kept})
    return found


def _files(record: Record) -> dict[str, str]:
    """The texts of the program's files by name, the main one first; a fingerprint where the text was not kept."""
    return {f["name"]: f.get("text", f"sha256 {f['sha256']}") for f in record.state["code"]}
