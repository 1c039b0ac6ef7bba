"""What the doctor found, as plain data in all three languages, for a page whose reader chooses among them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from .. import pages
from ..checks.findings import Finding
from ..doctor.report import Report, where
from ..errors import FlambeauError
from ..language import LANGUAGES
from ..translation import catalogue
from .series import short, thinned

CURVE = 400  # points of one of the doctor's curves


def everywhere(english: str) -> dict[str, str]:
    """An English message and its translations, by language."""
    found = {"en": english}
    for name in LANGUAGES[1:]:
        translated = catalogue(name).translate(english) if english else None
        if translated:
            found[name] = translated
    return found


def plain(f: Finding) -> dict[str, Any]:
    """One finding."""
    found = {
        "code": f.code,
        "level": f.level,
        "title": everywhere(f.title),
        "saw": everywhere(f.saw),
        "why": everywhere(f.why),
        "fix": everywhere(f.fix),
        "where": where(f),
        "count": f.count,
        "evidence": {str(k): v if isinstance(v, (int, str)) else _number(v) for k, v in f.evidence.items()},
    }
    if f.code in pages.codes():
        found["page"] = _page(f.code)
    return found


@lru_cache(64)
def _page(code: str) -> dict[str, str]:
    return {name: pages.page(code, name) for name in LANGUAGES}


def told(error: FlambeauError) -> dict[str, Any]:
    """What an error of flambeau's own says."""
    place = str(error.place) if error.place is not None else ""
    return {name: everywhere(getattr(error, name)) for name in ("fact", "why", "fix")} | {"where": place}


def report(made: Report) -> dict[str, Any]:
    """A report: its facts, findings, tables and curves."""
    return {
        "facts": {str(k): _cell(v) for k, v in made.facts.items()},
        "findings": [plain(f) for f in made.findings],
        "tables": [
            {"title": t.title, "columns": [str(c) for c in t.columns], "rows": [[_cell(v) for v in r] for r in t.rows]}
            for t in made.tables
        ],
        "curves": [
            {"title": c.title, "log": c.log, "lines": {name: _line(points) for name, points in c.lines.items()}}
            for c in made.curves
        ],
    }


def _line(points: list) -> dict:
    finite = [(x, 0.0, y) for x, y in points if y - y == 0]
    marks = [[x, 0, short(y)] for x, y in points if y - y != 0]
    if len(finite) > CURVE:
        finite = thinned(finite, 2 * (len(finite) // CURVE + 1))
    return {"step": [short(p[0]) for p in finite], "value": [short(p[2]) for p in finite], "marks": marks}


def _cell(value: Any):
    return short(value) if isinstance(value, float) else value if isinstance(value, int) else str(value)


def _number(value: Any):
    try:
        return short(float(value))
    except (TypeError, ValueError):
        return re.sub(r"\s+", " ", str(value))[:200]
