"""Errors of the user's own code, raised while it was examined, as findings."""

from __future__ import annotations

from types import TracebackType

from ..checks.codes import CODES
from ..checks.findings import Finding
from ..checks.sites import Site
from ..errors import DeviceError, DtypeError, FlambeauError, IndexOutOfRange, ShapeError
from ..nn import Module
from ..place import NEVER, USER, kind_of

OTHER = "ERROR"  # the code of an error that is none of the known mistakes


def site_of(error: BaseException) -> Site | None:
    """The innermost line of the user's own code that an error went through."""
    found = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if kind_of(code.co_filename) == USER:
            found = Site(code, trace.tb_lasti)
        trace = trace.tb_next
    return found


def module_classes(error: BaseException) -> list[type]:
    """The classes of modules in sight of the lines of the user's own code that an error went through."""
    found: list[type] = []
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if kind_of(frame.f_code.co_filename) == USER:
            for value in [*frame.f_globals.values(), *frame.f_locals.values()]:
                if isinstance(value, type) and issubclass(value, Module) and value not in found:
                    found.append(value)
        trace = trace.tb_next
    return found


def is_users(error: BaseException) -> bool:
    """Whether an error comes from what the user's code does, not from the examination itself."""
    if isinstance(error, FlambeauError):
        return True
    trace, inside = error.__traceback__, False
    while trace is not None:
        kind = kind_of(trace.tb_frame.f_code.co_filename)
        if inside and kind != NEVER:
            return True
        inside = inside or kind == NEVER
        trace = trace.tb_next
    return False


def finding_of(error: BaseException, what: str, place: str = "", code: str = "") -> Finding:
    """The finding for an error; what: which part of the program raised it; code: if the error has none itself."""
    code = getattr(error, "code", "") or code or _code_of(error)
    if isinstance(error, FlambeauError):
        saw, why, fix = error.fact, error.why, error.fix
    else:
        saw = f"{type(error).__name__}: {error}"
        why, fix = f"{what} raised it, so training would stop here", "read the line that raised it"
    cause = getattr(error, "cause", "")
    return Finding(
        code if code in CODES else OTHER,
        "E",
        saw,
        why,
        fix,
        cause if isinstance(cause, str) else "",
        site_of(error),
        place,
    )


def _code_of(error) -> str:
    """The code for errors of a kind that one mistake nearly always causes."""
    if isinstance(error, DeviceError):
        return "FB-DEV-01"
    if isinstance(error, IndexOutOfRange):
        return "FB-SHAPE-08"
    if isinstance(error, DtypeError):
        return "FB-DTYPE-01"
    return "FB-SHAPE-06" if isinstance(error, ShapeError) and "mat1 and mat2" in error.fact else ""
