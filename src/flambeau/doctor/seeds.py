"""REPRO-01: results that cannot be repeated, because random numbers are seeded late or not at all; hints only."""

from __future__ import annotations

import linecache
import re

from ..checks.findings import found
from ..checks.log import log
from ..checks.seeds import unordered
from ..checks.sites import user_site

_NUMPY = re.compile(r"\b(?:np|numpy)\.random\.(?!seed|default_rng|Generator|RandomState)\w+")
_NUMPY_SEED = re.compile(r"\b(?:np|numpy)\.random\.(?:seed|default_rng)\b")
_PYTHON = re.compile(r"(?<![\w.])random\.(?!seed|Random)\w+\(")
_PYTHON_SEED = re.compile(r"(?<![\w.])random\.seed\b")


def check_seeds(asked: bool) -> None:
    """Look at who has been seeded, if results are to be repeated. asked: the user said so (else: seeding shows it)."""
    first = log.notes.get("first seed")
    if first is None:
        if asked:
            found(
                "FB-REPRO-01",
                saw="torch.manual_seed was never called",
                why="weights, the order of batches and dropout differ from run to run",
                fix="begin the program with `torch.manual_seed(0)`",
                cause="missing",
                place="torch",
            )
        return
    site, late = first
    if site is not None and not site.library:
        unordered(site)
    if late:
        found(
            "FB-REPRO-01",
            saw="torch.manual_seed was called after random numbers had been drawn",
            why="what was made before it, such as weights or data, differs from run to run",
            fix="call `torch.manual_seed(...)` at the beginning, before the model and the data are made",
            cause="late",
            at=site,
            place="torch",
        )
    _others()


def _others() -> None:
    """NumPy's and Python's generators: what the user's file says of them."""
    site = user_site()
    text = "".join(linecache.getlines(site.file)) if site is not None else ""
    used = _NUMPY.search(text)
    if used and not _NUMPY_SEED.search(text):
        found(
            "FB-REPRO-01",
            saw=f"torch is seeded, but NumPy is not, and {used[0]} is used",
            why="NumPy has a generator of its own",
            fix="add `np.random.seed(0)` beside `torch.manual_seed(0)`",
            cause="partial",
            place="numpy",
        )
    used = _PYTHON.search(text)
    if used and not _PYTHON_SEED.search(text):
        found(
            "FB-REPRO-01",
            saw=f"torch is seeded, but Python's random is not, and {used[0]}...) is used",
            why="the module random has a generator of its own",
            fix="add `random.seed(0)` beside `torch.manual_seed(0)`",
            cause="partial",
            place="random",
        )
