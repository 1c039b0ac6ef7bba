"""Findings: a mistake that was seen, said once per code and place through `warnings`, silenced by code and place.

A rule calls `found("FB-LOSS-01", saw=f"...", why=f"...", fix=f"...")`. Level W goes to stderr as a warning whose class
is that of the code (`flambeau.checks.FB_LOSS_01`, a `FlambeauWarning`), so that filters and `-W error` work; level H is
only kept for the doctor. Errors (level E) are exceptions with a code: `errors.py`.
"""

from __future__ import annotations

import atexit
import contextlib
import linecache
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .codes import CODES
from .log import log
from .sites import Site, user_site


class FlambeauWarning(UserWarning):
    """Base of the warnings about silent mistakes; each code has a subclass of its own, such as FB_LOSS_01.

    >>> import flambeau, warnings
    >>> warnings.simplefilter("error", flambeau.FlambeauWarning)  # stop at the first one
    >>> warnings.simplefilter("default", flambeau.FlambeauWarning)
    """

    code = ""


WARNINGS: dict[str, type[FlambeauWarning]] = {
    code: type(
        code.replace("-", "_"), (FlambeauWarning,), {"code": code, "__doc__": entry.title, "__module__": __package__}
    )
    for code, entry in CODES.items()
}


@dataclass
class Finding:
    """One mistake, at one place."""

    code: str
    level: str  # E, W or H
    saw: str  # what was seen, with values
    why: str = ""
    fix: str = ""
    cause: str = ""  # a short name for which of the code's causes it is
    site: Site | None = None
    place: str = ""  # what it is about where there is no line: a parameter, a layer, a data set
    confidence: str = "certain"  # certain, likely or possible
    evidence: dict[str, Any] = field(default_factory=dict)  # numbers behind it
    count: int = 1  # how often it was seen at this place

    @property
    def title(self) -> str:
        """The code's title."""
        return CODES[self.code].title if self.code in CODES else "The program's own code fails"

    def text(self) -> str:
        """The message, as it is printed after the place."""
        from ..language import findings_text  # needed only when something is said

        return findings_text(self)


class _State:
    def __init__(self):
        self.reset()

    def reset(self):
        self.seen: dict[tuple, Finding] = {}  # (code, place) -> the finding
        self.allowed: list[set] = []  # codes of the `allow` blocks that are open
        self.collectors: list[list] = []
        self.listeners: list[Callable[[Finding], None]] = []  # told of each new finding: doctor.watch
        self.project: set | None = None
        self.send: Callable[[Finding], None] | None = None  # in a worker process: what takes findings to its parent


_state = _State()


def found(
    code: str,
    saw: str,
    why: str = "",
    fix: str = "",
    *,
    cause: str = "",
    level: str = "",
    at: Site | None = None,
    place: str = "",
    confidence: str = "certain",
    **evidence: Any,
) -> Finding | None:
    """Report a mistake. Returns the finding if it is new and not silenced.

    Arguments:
        saw: what was seen, with the actual values; why: the reason it is wrong; fix: what to do, code in backquotes.
        cause: which of the code's causes; level: W, E or H if not the code's own.
        at: where; default: the line of the user's own code that is running.
        place: what it is about where no line says it (a parameter's name, a layer).
        confidence: certain, likely or possible. evidence: the numbers behind it.
    """
    if not log.on and not _state.collectors:
        return None
    site = at or user_site()
    level = level or CODES[code].level
    if site is not None and site.library and level == "W":
        level = "H"  # no line of the user's own to blame
    key = (code, site.key if site is not None else "", place)
    before = _state.seen.get(key)
    if before is not None:
        before.count += 1
        return None
    if silenced(code, site):
        return None
    made = Finding(code, level, saw, why, fix, cause, site, place, confidence, evidence)
    _state.seen[key] = made
    _tell(made)
    return made


def _tell(made: Finding) -> None:
    if _state.send is not None:
        _state.send(made)
        return
    for collector in _state.collectors:
        collector.append(made)
    for listener in list(_state.listeners):
        listener(made)
    if made.level == "W":
        _register_summary()
        warn(made)


def send_to(send: Callable[[Finding], None]) -> None:
    """From now on this process, a worker, says nothing itself: new findings go to `send`, to be said by its parent."""
    _state.send = send


def arrived(made: Finding) -> None:
    """A worker has found something: it is said unless another worker, or an earlier one, has found it before."""
    key = (made.code, made.site.key if made.site is not None else "", made.place)
    before = _state.seen.get(key)
    if before is not None:
        before.count += 1
    elif not silenced(made.code, made.site):
        _state.seen[key] = made
        _tell(made)


def warn(finding: Finding) -> None:
    """Say a finding through `warnings`, at its own line."""
    site = finding.site
    file, line = (site.file, site.line) if site is not None else (finding.place or "flambeau", 1)
    warnings.warn_explicit(
        finding.text(), WARNINGS[finding.code], file, line, module=file.removesuffix(".py"), registry={}
    )


def seen(*codes: str) -> bool:
    """Whether one of these has been found already: rules yield to the cause of what they see."""
    return any(key[0] in codes for key in _state.seen)


def add(made: Finding) -> None:
    """Tell everybody of a finding that was made elsewhere, once."""
    key = made.code, str(made.place), made.saw
    if key not in _state.seen:
        _state.seen[key] = made
        for listener in (*[c.append for c in _state.collectors], *_state.listeners):
            listener(made)


def listen(listener: Callable[[Finding], None]) -> None:
    """Call `listener(finding)` for each new finding from now on."""
    _state.listeners.append(listener)


def unlisten(listener: Callable[[Finding], None]) -> None:
    """Stop calling a listener."""
    if listener in _state.listeners:
        _state.listeners.remove(listener)


def so_far() -> list[Finding]:
    """All findings of this process so far, hints too, in the order in which they were made."""
    return list(_state.seen.values())


@contextlib.contextmanager
def collect(fresh: bool = False) -> Iterator[list[Finding]]:
    """The findings made within the block, as a list that grows.

    fresh: forget before and after what was seen and what has happened, so that the block stands for itself.
    """
    made: list[Finding] = []
    if fresh:
        reset()
    _state.collectors.append(made)
    try:
        yield made
    finally:
        _state.collectors = [c for c in _state.collectors if c is not made]  # lists of equal contents are equal
        if fresh:
            reset()


def reset() -> None:
    """Forget all findings and events."""
    collectors, allowed = _state.collectors, _state.allowed
    _state.reset()
    _state.collectors, _state.allowed = collectors, allowed
    log.reset()
    generator = sys.modules.get("flambeau.generator")
    log.later = generator is not None and not generator.default_generator._fresh


# ---------------------------------------------------------------------- silence


class allow(contextlib.ContextDecorator):
    """Silence some codes within a block, or within a function that it decorates.

    Arguments:
        codes: such as "FB-LOSS-09"; none silences all.

    >>> import flambeau
    >>> with flambeau.allow("FB-LOSS-09"):
    ...     p = flambeau.softmax(flambeau.zeros(4, 1), 1)
    """

    def __init__(self, *codes: str):
        for code in codes:
            if code not in CODES:
                from ..errors import ArgumentError

                raise ArgumentError(
                    f"allow() does not know the code {code!r}",
                    why="codes look like FB-LOSS-09",
                    fix="`flambeau explain` lists them all",
                )
        self.codes = set(codes) or set(CODES)

    def __enter__(self):
        _state.allowed.append(self.codes)
        return self

    def __exit__(self, *exc):
        _state.allowed.remove(self.codes)


_COMMENT = re.compile(r"#\s*fb:\s*ok\b([^#]*)", re.IGNORECASE)


def silenced(code: str, site: Site | None) -> bool:
    """Whether a code is allowed at a place: by a block, by a comment on the line, or by the project's list."""
    if any(code in codes for codes in _state.allowed) or code in project_list():
        return True
    if site is None:
        return False
    for number in range(site.line, site.last_line + 1):
        comment = _COMMENT.search(linecache.getline(site.file, number))
        if comment and (code in comment[1].upper() or not comment[1].strip()):
            return True
    return False


def project_list() -> set:
    """The codes that the project allows: `allow = [...]` under [tool.flambeau] of the nearest pyproject.toml."""
    if _state.project is None:
        import tomllib  # rarely needed

        _state.project = set()
        for folder in _folders():
            while True:
                file = os.path.join(folder, "pyproject.toml")
                if os.path.isfile(file):
                    # A file that is not as it should be is for those who read it to complain of.
                    with (
                        contextlib.suppress(OSError, ValueError, AttributeError, TypeError),
                        open(file, "rb") as f,
                    ):
                        allowed = tomllib.load(f).get("tool", {}).get("flambeau", {}).get("allow", ())
                        _state.project |= {allowed} if isinstance(allowed, str) else set(allowed)
                    break
                parent = os.path.dirname(folder)
                if parent == folder:
                    break
                folder = parent
    return _state.project


def _folders() -> dict:
    """The folders of the script and of the process, without repeats; none where the current one was removed."""
    try:
        here = os.getcwd()
        return dict.fromkeys(
            (os.path.dirname(os.path.abspath(sys.argv[0])) if sys.argv and sys.argv[0] else here, here)
        )
    except OSError:
        return {}


# ---------------------------------------------------------------------- at the end of the run

_registered = 0  # the process that will say the summary: its forked children do not


def _register_summary():
    global _registered
    if not _registered:
        _registered = os.getpid()
        atexit.register(_summary)


def _summary():
    """How often each finding was seen, where that was more than once."""
    often = [f for f in _state.seen.values() if f.level == "W" and f.count > 1]
    stream = sys.stderr
    if often and log.on and _registered == os.getpid() and stream is not None and not stream.closed:
        from ..language import summary_text

        print(summary_text(often), file=stream)
