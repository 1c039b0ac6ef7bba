"""Where a value comes from, read off the user's source: from a use backwards to what was assigned, into functions.

Only the rules' messages need this: nothing here runs before a mistake has been seen. What cannot be read (no source,
names that are computed) is left out; values of variables are looked up where a frame is at hand, without running code.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import linecache
from collections.abc import Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

from ..place import NEVER, USER, is_tensor, kind_of
from .sites import Site, _tree

CHANGES = {"append", "extend", "insert", "add", "update", "appendleft", "setdefault"}  # methods that put values in
NOT_KNOWN: Any = object()


class Definition(NamedTuple):
    """A statement that gives a name its value, or adds to it."""

    name: str
    value: ast.expr
    statement: ast.stmt
    order: int  # the statement's number in the function
    adds: bool  # the name's value before is part of the new one
    maybe: bool  # in a branch or a loop: it may not have run
    loops: tuple  # the loops around it, as nodes


class Source:
    """The statements of one function (or module), in order, and the definitions in them."""

    def __init__(self, code: CodeType, body: list[ast.stmt], arguments: list[str], node: ast.AST | None):
        self.code, self.arguments, self.node = code, arguments, node
        self.definitions: list[Definition] = []
        self.statements: list[tuple[ast.stmt, tuple, bool]] = []  # (statement, loops, whether in a branch)
        self.unrecorded: list[tuple[int, int, ast.stmt]] = []  # (first line, last line, with statement) under no_grad
        self._walk(body, (), False)

    def _walk(self, body, loops, maybe):
        for s in body:
            order = len(self.statements)
            self.statements.append((s, loops, maybe))
            self._define(s, order, loops, maybe)
            if isinstance(s, (ast.For, ast.AsyncFor, ast.While)):
                self._walk([*s.body], (*loops, s), True)
                self._walk(s.orelse, loops, True)
            elif isinstance(s, ast.If):
                self._walk([*s.body, *s.orelse], loops, True)
            elif isinstance(s, (ast.With, ast.AsyncWith)):
                if any(stops_recording(i.context_expr) for i in s.items):
                    self.unrecorded.append((s.lineno, s.end_lineno or s.lineno, s))
                self._walk(s.body, loops, maybe)
            elif isinstance(s, ast.Try):
                self._walk([*s.body, *[x for h in s.handlers for x in h.body], *s.orelse, *s.finalbody], loops, maybe)
            elif isinstance(s, ast.Match):
                self._walk([x for case in s.cases for x in case.body], loops, True)

    def _define(self, s, order, loops, maybe):
        def add(target, value, adds=False):
            if isinstance(target, (ast.Tuple, ast.List)):
                same = isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts)
                for i, t in enumerate(target.elts):
                    add(t, value.elts[i] if same else value, adds)
            elif isinstance(target, ast.Starred):
                add(target.value, value, adds)
            elif isinstance(target, ast.Subscript):
                add(target.value, value, True)
            elif name := dotted(target):
                self.definitions.append(Definition(name, value, s, order, adds, maybe, loops))

        if isinstance(s, ast.Assign):
            for target in s.targets:
                add(target, s.value)
        elif isinstance(s, ast.AugAssign):
            add(s.target, s.value, True)
        elif isinstance(s, ast.AnnAssign) and s.value is not None:
            add(s.target, s.value)
        elif isinstance(s, (ast.For, ast.AsyncFor)):
            add(s.target, s.iter)
        elif isinstance(s, (ast.With, ast.AsyncWith)):
            for item in s.items:
                if item.optional_vars is not None:
                    add(item.optional_vars, item.context_expr)
        elif isinstance(s, ast.Return) and s.value is not None:
            self.definitions.append(Definition("<return>", s.value, s, order, False, maybe, loops))
        elif isinstance(s, ast.Expr) and isinstance(s.value, ast.Call):
            f = s.value.func
            if isinstance(f, ast.Attribute) and (f.attr in CHANGES or f.attr.endswith("_")):
                given = [*s.value.args, *[k.value for k in s.value.keywords]]
                for a in given or ([f.value] if f.attr.endswith("_") else []):  # x.zero_()
                    add(ast.Subscript(f.value, ast.Constant(0), ast.Store()), a)
        for e in own_expressions(s):
            for n in ast.walk(e):
                if isinstance(n, ast.NamedExpr):
                    add(n.target, n.value)

    def at(self, line: int) -> int:
        """The number of the innermost statement that a line lies in."""
        found = -1
        for i, (s, _, _) in enumerate(self.statements):
            if s.lineno <= line <= (s.end_lineno or s.lineno):
                found = i
        return found

    def reaching(self, name: str, order: int) -> list[Definition]:
        """The definitions that a use of a name in statement `order` may see, the nearest first."""
        found = []
        mine = [d for d in self.definitions if d.name == name]
        for d in sorted((d for d in mine if d.order < order), key=lambda d: -d.order):
            found.append(d)
            if not d.adds and not d.maybe:
                break
        loops = self.statements[order][1] if 0 <= order < len(self.statements) else ()
        later = [d for d in mine if d.order >= order and any(loop in d.loops for loop in loops)]
        return found + later

    def site(self, node: ast.AST) -> Site:
        """The place of a node of this function's tree."""
        return site_at(self.code, node)


def own_expressions(s: ast.stmt) -> list[ast.expr]:
    """The expressions of a statement itself, not those of the statements within it."""
    if isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return []
    return [n for n in ast.iter_child_nodes(s) if isinstance(n, ast.expr)] + [
        i.context_expr for i in getattr(s, "items", ()) if isinstance(i, ast.withitem)
    ]


def stops_recording(e: ast.expr) -> bool:
    """Whether an expression makes a context without recording: `torch.no_grad()` and the like."""
    call = e.func if isinstance(e, ast.Call) else e
    name = call.attr if isinstance(call, ast.Attribute) else call.id if isinstance(call, ast.Name) else ""
    if name in ("no_grad", "inference_mode"):
        return True
    first = e.args[0] if isinstance(e, ast.Call) and e.args else None
    return name == "set_grad_enabled" and isinstance(first, ast.Constant) and first.value is False


def dotted(e: ast.AST) -> str:
    """`self.h` for a name or a chain of attributes; "" for anything else."""
    if isinstance(e, ast.Name):
        return e.id
    if isinstance(e, ast.Attribute):
        inner = dotted(e.value)
        return f"{inner}.{e.attr}" if inner else ""
    return ""


def names(e: ast.AST) -> list[str]:
    """The names that an expression uses, each with its prefixes: `self.h` and `self`."""
    found = []
    for n in ast.walk(e):
        if isinstance(n, (ast.Name, ast.Attribute)) and (name := dotted(n)):
            found.append(name)
    return list(dict.fromkeys(found))


def site_at(code: CodeType, node: ast.AST) -> Site:
    """The site of an expression or statement in a function's code."""
    line, column = getattr(node, "lineno", code.co_firstlineno), getattr(node, "col_offset", 0)
    end = getattr(node, "end_col_offset", None)
    best, score = 0, -1
    for i, (first, _, start, stop) in enumerate(code.co_positions()):
        if first == line:
            s = 1 + (start == column) + 2 * (start == column and stop == end)
            if s > score:
                best, score = i, s
    return Site(code, 2 * best)


@functools.lru_cache(128)
def source_of(code: CodeType) -> Source | None:
    """The statements of a function, from its file; None where they cannot be read."""
    tree = _tree(code.co_filename, len(linecache.getlines(code.co_filename)))
    if tree is None:
        return None
    if code.co_name == "<module>":
        return Source(code, tree.body, [], tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
            if min([node.lineno, *(d.lineno for d in node.decorator_list)]) == code.co_firstlineno:
                a = node.args
                return Source(code, node.body, [p.arg for p in (*a.posonlyargs, *a.args)], node)
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno:
            result = ast.copy_location(ast.Return(node.body), node.body)
            return Source(code, [result], [p.arg for p in node.args.args], node)
    return None


class Scope:
    """What names mean in a function: the values that a frame has, or what is known of a call that has returned."""

    def __init__(self, source: Source, known: dict, outer: dict, frame: FrameType | None = None):
        self.source, self.known, self.outer, self.frame = source, known, outer, frame

    @staticmethod
    def of(frame: FrameType) -> Scope | None:
        """The scope of a running frame."""
        code = frame.f_code
        source = source_of(code)
        return None if source is None else Scope(source, frame.f_locals, frame.f_globals, frame)

    def given(self, name: str) -> tuple[Scope, ast.expr, int] | None:
        """What the frame's caller passed for a parameter: (the caller's scope, expression, statement's number)."""
        back = self.frame and self.frame.f_back
        if name not in self.source.arguments or back is None or kind_of(back.f_code.co_filename) != USER:
            return None
        outer = Scope.of(back)
        if outer is None:
            return None
        call, order = node_at(outer.source, Site(back.f_code, back.f_lasti))
        if not isinstance(call, ast.Call):
            return None
        for k in call.keywords:
            if k.arg == name:
                return outer, k.value, order
        place = self.source.arguments.index(name) - (self.source.arguments[0] == "self")
        if place >= len(call.args) or any(isinstance(a, ast.Starred) for a in call.args[: place + 1]):
            return None
        return outer, call.args[place], order

    def value(self, e: ast.AST) -> Any:
        """The value of a name, a chain of attributes or a constant subscript; NOT_KNOWN if it cannot be told."""
        if isinstance(e, ast.Name):
            for table in (self.known, self.outer, builtins.__dict__):
                if e.id in table:
                    return table[e.id]
        elif isinstance(e, ast.Attribute):
            return attribute(self.value(e.value), e.attr)
        elif isinstance(e, ast.Constant):
            return e.value
        elif isinstance(e, ast.Subscript) and isinstance(e.slice, ast.Constant):
            held = self.value(e.value)
            try:
                if isinstance(held, (list, tuple, dict)):
                    return held[e.slice.value]  # type: ignore[index]
                if type(held).__name__ in ("ModuleList", "Sequential", "ModuleDict"):
                    return list(held._modules.values())[e.slice.value] if isinstance(e.slice.value, int) else (
                        held._modules[e.slice.value])  # fmt: skip
            except (LookupError, TypeError):
                pass
        return NOT_KNOWN


def attribute(thing: Any, name: str) -> Any:
    """An attribute, if it can be had without running anybody's code."""
    if thing is NOT_KNOWN:
        return NOT_KNOWN
    own = getattr(thing, "__dict__", {})
    for table in (own, own.get("_modules") or {}, own.get("_parameters") or {}, own.get("_buffers") or {}):
        if name in table:
            return table[name]
    found = inspect.getattr_static(thing, name, NOT_KNOWN)
    if isinstance(found, (staticmethod, classmethod)):
        return found.__func__
    return NOT_KNOWN if isinstance(found, property) else found


class Step(NamedTuple):
    """An expression that a value was computed by: in which function, in which statement."""

    scope: Scope
    expression: ast.expr
    statement: ast.stmt
    maybe: bool  # whether only one of several branches leads here

    def covers(self, site: Site | None) -> bool:
        """Whether a place lies in this expression's lines."""
        e = self.expression
        return (
            site is not None
            and site.file == self.scope.source.code.co_filename
            and e.lineno <= site.line <= (e.end_lineno or e.lineno)
        )

    def site(self, node: ast.AST | None = None) -> Site:
        """The place of the expression, or of a node in it."""
        return self.scope.source.site(node or self.expression)


def back(scope: Scope, e: ast.expr, order: int, limit: int = 200) -> Iterator[Step]:
    """The expressions that the value of `e`, used in statement `order`, was computed by; the nearest first."""
    source = scope.source
    statement = source.statements[order][0] if 0 <= order < len(source.statements) else ast.Pass()
    queue: list[tuple] = [(scope, e, statement, order, False, 0)]
    seen: set = set()
    while queue and len(seen) < limit:
        scope, e, statement, order, maybe, depth = queue.pop(0)
        key = id(scope.source), getattr(e, "lineno", 0), getattr(e, "col_offset", 0), ast.dump(e)
        if key in seen:
            continue
        seen.add(key)
        yield Step(scope, e, statement, maybe)
        for name in names(e):
            reaching = scope.source.reaching(name, order)
            if not reaching and (given := scope.given(name)) is not None:
                outer, passed, there = given
                queue.append((outer, passed, outer.source.statements[there][0], there, maybe, depth))
            for d in reaching:
                branch = maybe or (d.maybe and _branches(scope.source, d))
                queue.append((scope, d.value, d.statement, d.order, branch, depth))
        if depth < 6:
            for call in (n for n in ast.walk(e) if isinstance(n, ast.Call)):
                for inner in callees(scope, call):
                    for d in inner.source.definitions:
                        if d.name == "<return>":
                            queue.append((inner, d.value, d.statement, d.order, maybe, depth + 1))


def _branches(source: Source, d: Definition) -> bool:
    """Whether a definition stands in an `if` (a loop alone is no branch)."""
    return any(
        isinstance(s, ast.If) and s.lineno <= d.statement.lineno <= (s.end_lineno or s.lineno)
        for s, _, _ in source.statements
    )


def callees(scope: Scope, call: ast.Call) -> list[Scope]:
    """The scopes of the user's own functions that a call leads to: forward of modules, parts of containers too."""
    return [s for s in map(_entered, targets(scope, call)) if s is not None]


def targets(scope: Scope, call: ast.Call) -> list[tuple]:
    """(function, what `self` is, the call's scope, the call) for the Python functions that a call runs."""
    called = scope.value(call.func)
    own = scope.value(call.func.value) if isinstance(call.func, ast.Attribute) else NOT_KNOWN
    return _targets(called, own, scope, call)


def _targets(called, own, scope, call, depth=0):
    if called is NOT_KNOWN or depth > 8:
        return []
    if hasattr(called, "__self__") and hasattr(called, "__func__"):
        called, own = called.__func__, called.__self__
    if is_module(called):
        forward = inspect.unwrap(type(called).forward)
        if kind_of(forward.__code__.co_filename) != NEVER:
            return [(forward, called, scope, call)]
        return [t for m in called._modules.values() for t in _targets(m, NOT_KNOWN, scope, call, depth + 1)]
    if isinstance(called, functools.partial):
        return _targets(called.func, NOT_KNOWN, scope, call, depth + 1)
    function = inspect.unwrap(called) if hasattr(called, "__wrapped__") else called
    if getattr(function, "__code__", None) is not None and kind_of(function.__code__.co_filename) == USER:
        return [(function, own, scope, call)]
    return []


def _entered(target) -> Scope | None:
    function, own, scope, call = target
    source = source_of(function.__code__)
    if source is None:
        return None
    known: dict = {}
    if function.__closure__:
        for name, cell in zip(function.__code__.co_freevars, function.__closure__):
            try:
                known[name] = cell.cell_contents
            except ValueError:  # not filled yet
                pass
    parameters = list(source.arguments)
    if parameters and (parameters[0] == "self" or is_module(own)):
        known[parameters.pop(0)] = own
    for name, given in zip(parameters, call.args):
        known[name] = NOT_KNOWN if isinstance(given, ast.Starred) else scope.value(given)
    for k in call.keywords:
        if k.arg:
            known[k.arg] = scope.value(k.value)
    return Scope(source, {n: v for n, v in known.items() if v is not NOT_KNOWN}, function.__globals__)


def is_module(x: Any) -> bool:
    """Whether an object is a module."""
    return hasattr(type(x), "forward") and "_parameters" in getattr(x, "__dict__", {})


def needs_gradient(scope: Scope, e: ast.AST) -> bool | None:
    """Whether what an expression is made from requires grad; None if nothing in it is known."""
    known: bool | None = None
    made = bool([n for n in ast.walk(e) if isinstance(n, ast.Name)])  # of nothing but numbers: torch.zeros(3).long()
    for n in ast.walk(e):
        v = scope.value(n) if isinstance(n, (ast.Name, ast.Attribute)) else NOT_KNOWN
        if is_tensor(v):
            if v._rg:
                return True
            known = False
        elif is_module(v) and any(p._rg for p in v.parameters()):
            return True
        if isinstance(n, ast.Name):
            made = made and (isinstance(v, (ModuleType, int, float)) or is_tensor(v))
        elif isinstance(n, ast.keyword) and n.arg == "requires_grad":
            made = False
    return False if made else known


def node_at(source: Source, site: Site) -> tuple[ast.AST | None, int]:
    """(the node of the tree that an instruction belongs to, the number of its statement)."""
    first, last, column, end = site._positions()
    for order, (s, _, _) in enumerate(source.statements):
        if first is not None and s.lineno <= first <= (s.end_lineno or s.lineno):
            for e in own_expressions(s):
                for n in ast.walk(e):
                    if (getattr(n, "lineno", 0), getattr(n, "col_offset", 0)) == (first, column):
                        if (n.end_lineno, n.end_col_offset) == (last, end):  # type: ignore[attr-defined]
                            return n, order
    return None, source.at(site.line)


class Root(NamedTuple):
    """What backward() was called on: the expression, in a scope, in which statement."""

    scope: Scope
    expression: ast.expr
    order: int

    @property
    def name(self) -> str:
        """Its source."""
        return ast.unparse(self.expression)

    def steps(self) -> Iterator[Step]:
        """The expressions that it was computed by, the nearest first."""
        return back(self.scope, self.expression, self.order)


def root_at(site: Site | None, frame: FrameType | None) -> Root | None:
    """What backward() (or autograd.grad) was called on, at a place where `frame` is, or was."""
    if site is None:
        return None
    source = source_of(site.code)
    if source is None:
        return None
    while frame is not None and frame.f_code is not site.code:
        frame = frame.f_back
    scope = Scope.of(frame) if frame is not None else Scope(source, {}, {})
    call, order = node_at(source, site)
    if not isinstance(call, ast.Call) or scope is None:
        return None
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("backward", "grad"):
        if dotted(call.func.value).rpartition(".")[2] not in ("autograd", "torch"):
            return Root(scope, call.func.value, order)
    given = [*call.args, *[k.value for k in call.keywords if k.arg in ("tensors", "outputs")]]
    return Root(scope, given[0], order) if given else None
