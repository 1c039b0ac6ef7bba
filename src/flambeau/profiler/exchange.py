"""How functions are watched at no cost while nobody watches: their code is exchanged for one that takes notes.

The code of a function can be replaced while the function stays the same object. So whoever holds the function (a name
imported from here, a method, the closure of another operation) calls the watched one while a profiler is active, and
exactly what it called before once that has ended: operations have no hook in them that could cost anything.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from collections.abc import Iterable
from typing import Any

from ..kernels.notes import Notes

# What stands in place of a function's code. `constants` are put in afterwards: they are objects, not source.
_TEMPLATE = """
def outer():
    {free}
    def watched({parameters}):
        call_, begin_, end_, what_ = "constants"
        what_ = {subject}
        begin_(what_{number})
        try:
            return call_({arguments})
        finally:
            end_(what_)
        {use}
    return watched
"""
# The same where more is asked for: `detail(watch, result, arguments, frame of the caller)` comes after the end.
_DETAILED = """
def outer():
    {free}
    def watched({parameters}):
        call_, begin_, end_, what_, detail_, frame_ = "constants"
        watch_, made_, what_ = what_, None, {subject}
        begin_(what_{number})
        try:
            made_ = call_({arguments})
            return made_
        finally:
            end_(what_)
            detail_(watch_, made_, ({values}), frame_(1))
        {use}
    return watched
"""


class Watch:
    """What is noted of the calls of one function.

    Arguments:
        function: which.
        kind: what sort of thing it is (parse.py).
        name: what the call is shown as, where that is always the same.
        subject: an expression of the function's parameters for what is noted in place of this object.
        number: an expression of the parameters for the number that is noted.
    """

    __slots__ = ("function", "kind", "name", "number", "subject")

    def __init__(self, function: Any, kind: str, name: str = "", subject: str = "", number: str = ""):
        self.function, self.kind, self.name, self.subject, self.number = function, kind, name, subject, number

    def __repr__(self) -> str:
        return f"<Watch {self.kind} {self.name or self.subject}>"


class Exchange:
    """Functions that take notes between `on` and `off`."""

    def __init__(self, watches: Iterable[Watch], notes: Notes, detail: Any = None):
        self.notes, self.detail = notes, detail
        self._codes = [(w.function, w.function.__code__, self._watched(w)) for w in watches]
        self.count = len(self._codes)

    def on(self) -> None:
        """Let the functions take notes."""
        for function, _, watched in self._codes:
            function.__code__ = watched

    def off(self) -> None:
        """Give all functions their own code back."""
        for function, own, _ in self._codes:
            function.__code__ = own

    def _watched(self, watch: Watch) -> types.CodeType:
        function, code = watch.function, watch.function.__code__
        inner = code
        if code.co_kwonlyargcount and not code.co_flags & inspect.CO_VARARGS:  # called by position, which is quicker
            inner = code.replace(co_argcount=code.co_argcount + code.co_kwonlyargcount, co_kwonlyargcount=0)
        call = types.FunctionType(inner, function.__globals__, function.__name__, None, function.__closure__)
        constants: tuple = (call, self.notes.begin, self.notes.end, watch)
        if self.detail is not None:
            constants += (self.detail, sys._getframe)
        made = _template(_signature(code), code.co_freevars, watch.subject, watch.number, self.detail is not None)
        return made.replace(
            co_consts=tuple([constants if c == "constants" else c for c in made.co_consts]),
            co_name=code.co_name,
            co_qualname=code.co_qualname,
        )


def _signature(code: types.CodeType) -> tuple:
    """(positional parameters, how many of them take no keyword, *name, keyword parameters, **name)."""
    names, count = code.co_varnames, code.co_argcount
    at = count + code.co_kwonlyargcount
    starred = names[at] if code.co_flags & inspect.CO_VARARGS else ""
    double = names[at + bool(starred)] if code.co_flags & inspect.CO_VARKEYWORDS else ""
    return names[:count], code.co_posonlyargcount, starred, names[count:at], double


@functools.cache
def _line_of(name: str) -> int:
    """The line on which the text of that name begins."""
    with open(__file__, encoding="utf-8") as file:
        return next(i for i, line in enumerate(file, 1) if line.startswith(f"{name} ="))


@functools.cache
def _template(signature: tuple, free: tuple[str, ...], subject: str, number: str, detailed: bool) -> types.CodeType:
    """The code that stands for functions of one signature."""
    positional, only, starred, keywords, double = signature
    parameters, arguments, values = list(positional), list(positional), list(positional)
    if only:
        parameters.insert(only, "/")
    if starred:
        for names in (parameters, arguments, values):
            names.append(f"*{starred}")
    elif keywords:
        parameters.append("*")
    parameters += keywords
    arguments += [f"{name}={name}" for name in keywords] if starred else keywords
    values += keywords
    if double:
        parameters.append(f"**{double}")
        arguments.append(f"**{double}")
        values.append(f"*{double}.values()")
    source = (_DETAILED if detailed else _TEMPLATE).format(
        free=" = ".join([*free, "None"]), use="; ".join(free), parameters=", ".join(parameters),
        arguments=", ".join(arguments), values="".join(f"{value}, " for value in values), subject=subject or "what_",
        number=f", {number}" if number else "",
    )  # fmt: skip
    scope: dict[str, Any] = {}
    above = "\n" * (_line_of("_DETAILED" if detailed else "_TEMPLATE") - 1)  # tracebacks show the lines of this file
    exec(compile(above + source, __file__, "exec"), scope)
    return scope["outer"]().__code__
