"""Sites: where in the user's own code something happened, cheap to take and read only when somebody asks.

A site is a code object and the offset of an instruction; the line, the source and the very expression (Python keeps
the columns of each instruction) are looked up when a message is built.
"""

from __future__ import annotations

import functools
import linecache
import marshal
import os
import sys
from types import CodeType, FrameType
from typing import TYPE_CHECKING

from ..place import USER, kind_of, user_frame

if TYPE_CHECKING:
    import ast


class Site:
    """A place in a program: `code` (a code object) and `lasti` (the offset of the instruction that ran there).

    library: True where no frame of the user's own was found, but a library's.
    """

    __slots__ = ("code", "lasti", "library")

    def __init__(self, code: CodeType, lasti: int, library: bool = False):
        self.code, self.lasti, self.library = code, lasti, library

    def __reduce__(self):
        return _unpickled, (marshal.dumps(self.code), self.lasti, self.library)  # from a worker to its parent

    @property
    def file(self) -> str:
        """The file's name, as Python was given it."""
        return self.code.co_filename

    @property
    def function(self) -> str:
        """The function's name; "<module>" at the top level."""
        return self.code.co_name

    def _positions(self):
        for i, where in enumerate(self.code.co_positions()):
            if i == self.lasti // 2:
                return where
        return None, None, None, None

    @property
    def line(self) -> int:
        """The number of the line on which the statement's expression begins."""
        return self._positions()[0] or self.code.co_firstlineno

    @property
    def last_line(self) -> int:
        """The number of the line on which the expression ends."""
        return self._positions()[1] or self.line

    @property
    def source(self) -> str:
        """The source line, without its indentation; "" where it cannot be read."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def key(self) -> tuple:
        """What tells sites apart: one line of one function."""
        return self.file, self.line, self.function

    def expression(self) -> ast.expr | None:
        """The expression that the instruction belongs to (a call, an operation...), parsed; None if unreadable."""
        first, last, column, end = self._positions()
        import ast  # only needed for a message

        lines = linecache.getlines(self.file)
        if first is None or last is None or column is None or end is None or last > len(lines):
            return None
        text = [line.encode() for line in lines[first - 1 : last]]  # columns count bytes
        text[-1] = text[-1][:end]
        text[0] = text[0][column:]
        try:
            return ast.parse("(" + b"".join(text).decode() + ")", mode="eval").body
        except (SyntaxError, UnicodeDecodeError):
            return None

    def operands(self) -> list[str]:
        """The source of what the expression works on: both sides of an operator, or object and arguments.

        Keyword arguments come as "name=value". Empty where the source cannot be read.
        """
        import ast

        e = self.expression()
        if isinstance(e, ast.BinOp):
            return [ast.unparse(e.left), ast.unparse(e.right)]
        if isinstance(e, ast.Call):
            own = [e.func.value] if isinstance(e.func, ast.Attribute) else []
            return [ast.unparse(a) for a in (*own, *e.args)] + [ast.unparse(k) for k in e.keywords]
        if isinstance(e, ast.Subscript):
            return [ast.unparse(e.value), ast.unparse(e.slice)]
        if isinstance(e, ast.Attribute):
            return [ast.unparse(e.value)]
        if isinstance(e, ast.Compare):
            return [ast.unparse(e.left), *map(ast.unparse, e.comparators)]
        return []

    def __str__(self):
        name = os.path.basename(self.file) if os.path.isabs(self.file) else self.file
        return f"{name}:{self.line}"

    def __repr__(self):
        return f"<Site {self}>"

    def __eq__(self, other):
        return isinstance(other, Site) and self.code is other.code and self.lasti == other.lasti

    def __hash__(self):
        return hash((id(self.code), self.lasti))


def _unpickled(code: bytes, lasti: int, library: bool) -> Site:
    return Site(marshal.loads(code), lasti, library)


def user_site(start: FrameType | None = None) -> Site | None:
    """The site of the first frame of the user's own code; None where the whole stack is the package's."""
    frame = user_frame(start or sys._getframe(1))
    if frame is None:
        return None
    return Site(frame.f_code, frame.f_lasti, kind_of(frame.f_code.co_filename) != USER)


def site_at(file: str, line: int) -> Site | None:
    """The site of a line of a file that need not be running; None where the file cannot be read."""
    try:
        stack = [compile("".join(linecache.getlines(file)), file, "exec")]
    except (SyntaxError, ValueError):
        return None
    best: Site | None = None
    while stack:
        code = stack.pop()
        stack += [c for c in code.co_consts if isinstance(c, CodeType)]
        calls = [i for i, where in enumerate(code.co_positions()) if where[0] == line and where[2] is not None]
        if calls and (best is None or code.co_firstlineno >= best.code.co_firstlineno):
            best = Site(code, 2 * calls[-1])
    return best


def statements(site: Site) -> list[ast.stmt]:
    """The statements of the function (or module) that a site lies in, parsed; [] where the source cannot be read."""
    import ast

    tree = _tree(site.file, len(linecache.getlines(site.file)))
    if tree is None:
        return []
    if site.function == "<module>":
        return tree.body
    first = site.code.co_firstlineno
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == site.function:
            if min([node.lineno, *(d.lineno for d in node.decorator_list)]) == first:
                return node.body
    return []


def whole(site: Site) -> ast.Module | None:
    """The whole file that a site lies in, parsed; None where it cannot be read."""
    lines = len(linecache.getlines(site.file))
    return _tree(site.file, lines) if lines else None


@functools.lru_cache(32)
def _tree(file: str, lines: int) -> ast.Module | None:
    import ast

    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:
        return None


def name_in(frame: FrameType | None, value: object) -> str:
    """The name of the variable of a frame (or of its module) that holds `value`; "" if there is none."""
    if frame is None:
        return ""
    for table in (frame.f_locals, frame.f_globals):
        for name, held in list(table.items()):
            if held is value and not name.startswith("_"):
                return name
    return ""


# ---------------------------------------------------------------------- the user's own words


def arguments(site: Site | None, *names: str) -> list[str]:
    """The user's expressions for the first arguments of the call at a site; the parameters' names where unreadable."""
    import ast

    e = site.expression() if site is not None else None
    texts = list(names)
    if isinstance(e, ast.Call) and not any(isinstance(a, ast.Starred) for a in e.args):
        for i, name in enumerate(names):
            given = e.args[i] if i < len(e.args) else next((k.value for k in e.keywords if k.arg == name), None)
            if given is not None and len(text := ast.unparse(given)) <= 60:
                texts[i] = text
    return texts


def called(site: Site | None, name: str) -> str:
    """The user's expression for the function of the call at a site, such as `criterion`; `name` where unreadable."""
    import ast

    e = site.expression() if site is not None else None
    if isinstance(e, ast.Call) and len(text := ast.unparse(e.func)) <= 40:
        return text
    return name


def applied(site: Site | None) -> tuple[str, str]:
    """(the user's call at a site, what it is applied to): `F.softmax(x, 1)` and `x`; ("", "") where unreadable."""
    import ast

    e = site.expression() if site is not None else None
    if not isinstance(e, ast.Call):
        return "", ""
    inner = next((k.value for k in e.keywords if k.arg == "input"), e.args[0] if e.args else None)
    if (inner is None or isinstance(inner, (ast.Constant, ast.UnaryOp))) and isinstance(e.func, ast.Attribute):
        inner = e.func.value  # x.softmax(1)
    whole = ast.unparse(e)
    return (whole, ast.unparse(inner)) if inner is not None and len(whole) <= 100 else ("", "")
