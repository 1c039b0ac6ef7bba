"""The doctor's report: findings in the order in which to deal with them, tables and curves; as text, JSON or HTML."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from ..checks.codes import CODES
from ..checks.findings import Finding
from ..language import language, line, translate
from ..language import text as _
from ..mistakes.modules import returned_nothing
from .failures import module_classes, site_of

_LEVELS = {"E": 0, "W": 1, "H": 2}
_CONFIDENCE = {"certain": 0, "likely": 1, "possible": 2}
# What comes first in a training run is to be put right first: what follows may go away with it.
_ORDER = ("DEV", "DTYPE", "DATA", "SHAPE", "MOD", "LOSS", "INPL", "GRAD", "OPT", "INIT", "NUM", "LOOP", "MODE", "SAVE",
          "REPRO", "MEM", "DIST", "PERF")  # fmt: skip


@dataclass
class Table:
    """A table of the report: a title, column names and rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Curve:
    """Numbers over steps: `lines` maps a name to its (x, y) points. log: a logarithmic y axis."""

    title: str
    lines: dict[str, list[tuple[float, float]]]
    log: bool = False


def order(finding: Finding) -> tuple:
    """The sort key of a finding: what to do first."""
    group = finding.code.split("-")[1] if finding.code in CODES else _ORDER[0]
    return _LEVELS[finding.level], _CONFIDENCE.get(finding.confidence, 1), _ORDER.index(group), finding.code


def advice(finding: Finding) -> dict[str, str]:
    """A finding's sentences in the language that is set: saw, why, fix; original where it was translated."""
    said = {
        "saw": _(finding.saw),
        "why": _(finding.why),
        "fix": _(finding.fix),
        "title": _(finding.title),
        "original": "",
    }
    if translate(finding.saw):
        said["original"] = finding.saw
    return said


@dataclass
class Report:
    """What the doctor found.

    Attributes: findings (most urgent first), tables, curves, facts (name -> value: model, parameters, seconds...).

    >>> from flambeau.doctor import Report
    >>> Report([]).ok, Report([]).exit_code
    (True, 0)
    """

    findings: list[Finding] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        self.findings = sorted(self.findings, key=order)

    @property
    def ok(self) -> bool:
        """Whether nothing of level E or W was found."""
        return not any(f.level in "EW" for f in self.findings)

    @property
    def exit_code(self) -> int:
        """0 if all is well (hints do not count), 1 otherwise: for continuous integration."""
        return 0 if self.ok else 1

    def codes(self, levels: str = "EWH") -> list[str]:
        """The codes found, most urgent first."""
        return [f.code for f in self.findings if f.level in levels]

    # ------------------------------------------------------------------ forms

    def __str__(self) -> str:
        """The report as plain text."""
        lines = [f"{_(str(name))}: {value}" for name, value in self.facts.items()]
        if not self.findings:
            lines.append(_("The doctor found nothing wrong."))
        for number, f in enumerate(self.findings, 1):
            said = advice(f)
            lines += ["", f"{number}. {f.code} [{_level(f)}] {said['title']}", f"   {said['saw']}"]
            if said["original"]:
                lines.append(f"   {said['original']}")
            for label, what in ((_("why:"), said["why"]), (_("fix:"), said["fix"]), (_("at:"), where(f))):
                if what:
                    lines.append(" " + line(label, what))
        for table in self.tables:
            lines += ["", _(table.title), *_aligned(table)]
        return "\n".join(lines)

    def show(self, file: TextIO | None = None, width: int | None = None) -> None:
        """Print the report as tables (by rich, where it is installed; else as plain text)."""
        file = file or sys.stdout
        try:
            from .terminal import show  # noqa: PLC0415 - rich is an extra
        except ImportError:
            print(self, file=writable(file))
        else:
            show(self, file, width)

    def to_dict(self) -> dict:
        """The report as plain data."""
        return {
            "version": 1,
            "language": language(),
            "ok": self.ok,
            "facts": {name: _plain(value) for name, value in self.facts.items()},
            "findings": [
                {
                    "code": f.code,
                    "title": f.title,
                    "level": f.level,
                    "cause": f.cause,
                    "confidence": f.confidence,
                    "saw": f.saw,
                    "why": f.why,
                    "fix": f.fix,
                    "translated": {k: v for k, v in advice(f).items() if k != "original"},
                    "file": f.site.file if f.site is not None else None,
                    "line": f.site.line if f.site is not None else None,
                    "source": f.site.source if f.site is not None else None,
                    "place": f.place,
                    "count": f.count,
                    "evidence": {k: _plain(v) for k, v in f.evidence.items()},
                    "page": page_link(f.code),
                }
                for f in self.findings
            ],
            "tables": [
                {"title": t.title, "columns": list(t.columns), "rows": [[_plain(v) for v in row] for row in t.rows]}
                for t in self.tables
            ],
            "curves": [{"title": c.title, "log": c.log, "lines": c.lines} for c in self.curves],
        }

    def to_json(self, path: str | os.PathLike | None = None) -> str:
        """The report as JSON text; written to `path` too, if one is given."""
        made = json.dumps(self.to_dict(), ensure_ascii=False, indent=1)
        if path is not None:
            _write(path, made)
        return made

    def to_html(self, path: str | os.PathLike | None = None, title: str = "flambeau doctor") -> str:
        """The report as one self-contained page (plots by matplotlib); written to `path` too, if one is given."""
        from .html import page  # noqa: PLC0415 - only for this form

        made = page(self, title)
        if path is not None:
            _write(path, made)
        return made

    def _repr_html_(self) -> str:
        from .html import section  # noqa: PLC0415 - only in notebooks

        return section(self)


def where(f: Finding) -> str:
    """The place of a finding: file, line and source, or what it is about."""
    if f.site is None:
        return f.place
    source = f.site.source
    return (f"{f.place}; " if f.place else "") + f"{f.site}" + (f": `{source}`" if source else "")


def page_link(code: str) -> str:
    """Where the page of a code is, from the documentation's root."""
    return f"codes/{code}.html"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without repeats: one per code and place."""
    kept: dict[tuple, Finding] = {}
    for f in findings:
        key = (f.code, f.site.key if f.site is not None else "", f.place)
        if key not in kept:
            kept[key] = f
    return list(kept.values())


# What else may be found where another mistake is the cause of it
_ROOTS = {
    "FB-NUM-01": ("FB-DATA-04", "FB-OPT-03", "FB-INIT-02"),
    "FB-NUM-02": ("FB-DATA-04", "FB-OPT-03", "FB-INIT-02"),
    "FB-OPT-05": ("FB-LOOP-03",),
    "FB-LOOP-06": ("FB-DATA-02", "FB-INIT-02", "FB-INIT-04"),
}


def rooted(findings: list[Finding]) -> list[Finding]:
    """Findings without those whose cause is among them."""
    codes = {f.code for f in findings if f.level in "EW"}
    return [f for f in findings if codes.isdisjoint(_ROOTS.get(f.code, ()))]


def of_error(error: BaseException) -> Finding | None:
    """The finding that an exception with a code stands for; None for other exceptions."""
    code = getattr(error, "code", "")
    if code not in CODES and isinstance(error, (TypeError, AttributeError)) and "NoneType" in str(error):
        nothing = returned_nothing("None is given where a tensor is needed", module_classes(error))
        if nothing is None:
            return None
        return Finding(
            nothing.code, "E", f"{type(error).__name__}: {error}", nothing.why, nothing.fix, site=site_of(error)
        )
    if code not in CODES:
        return None
    place: Any = getattr(error, "place", None)
    made = Finding(
        code, "E", str(getattr(error, "fact", error)), getattr(error, "why", ""), getattr(error, "fix", ""),
        getattr(error, "cause", ""), None, str(place) if place is not None else "",
    )  # fmt: skip
    return made


def _level(f: Finding) -> str:
    return {"E": _("error"), "W": _("warning"), "H": _("hint")}[f.level]


def _aligned(table: Table) -> list[str]:
    rows = [[_(str(c)) for c in table.columns]] + [[_shown(v) for v in row] for row in table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.columns))]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value)


class _Escaping:
    """A stream over another whose encoding lacks some letters: it writes their escapes in their place."""

    def __init__(self, file):
        self._file = file

    def write(self, text):
        return self._file.write(text.encode(self._file.encoding, "backslashreplace").decode(self._file.encoding))

    def __getattr__(self, name):
        return getattr(self._file, name)


def writable(file: Any) -> Any:
    """The stream, or one over it if there are letters that it cannot write (an ASCII terminal)."""
    encoding = getattr(file, "encoding", None) or "utf-8"
    if encoding.lower().startswith("utf") or getattr(file, "errors", "") != "strict":
        return file
    return _Escaping(file)


def _write(path, text: str) -> None:
    from ..errors import CannotWrite  # noqa: PLC0415 - only when something is written

    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise CannotWrite(
            f"the report could not be written to {os.fspath(path)!r}",
            why=f"{getattr(error, 'strerror', None) or error}",
            fix="give the path of a file in a folder that exists and may be written to",
        ) from error
