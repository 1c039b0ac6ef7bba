"""What grows with every step: graphs of old steps that are kept (FB-MEM-01), hooks registered again (FB-MEM-02)."""

from __future__ import annotations

import ast
import copy
import gc
import sys
from collections import deque
from typing import Any

from ..place import user_frame
from . import events
from .findings import found
from .flow import Scope, dotted, source_of
from .log import log
from .registry import name_of, name_of_module
from .sites import Site, user_site

STEPS = 6  # passes in a row whose graphs are all alive
ROUNDS = 5  # registrations at one line

# ---------------------------------------------------------------------- FB-MEM-01


def kept(recent: list) -> None:
    """The roots of the last passes are looked at: whether all of them are alive still."""
    if log.leaks >= 3 or any(r() is None for r in recent):
        return
    nodes = [r() for r in recent]
    # Each made after the pass before had ended: not several losses of one step.
    ends = log.ends[-len(nodes) - 1 :]
    if len({id(n) for n in nodes}) < len(nodes) or not all(n.seq > end for n, end in zip(nodes, ends)):
        return
    log.leaks += 1
    del nodes
    gc.collect()  # graphs in cycles are no leak
    nodes = [r() for r in recent]
    if any(n is None for n in nodes):
        return
    try:
        _report(nodes[:-1])
    except Exception:  # a program that cannot be read: nothing is said
        return


def _report(old: list) -> None:
    frame = user_frame(sys._getframe(1))
    holder = _holder(frame, {id(n) for n in old})
    if holder is None:
        return
    name, where, container = holder
    size = _size(old)
    source = source_of(where.f_code)
    grows = [d for d in source.definitions if d.name == name and (d.adds or name in _names(d.value))] if source else []
    if not grows and source is not None and "." in name:
        grows, source = _elsewhere(name, where)
    if not grows or source is None:
        return
    d = next((d for d in reversed(grows) if d.loops), grows[-1])
    scope = Scope(source, where.f_locals, where.f_globals)
    text, better = ast.unparse(d.statement), _by_number(d.statement, name, scope)
    found(
        "FB-MEM-01",
        saw=f"`{name}` holds the graphs of {len(old)} earlier steps, one more with each step (about {size} each)",
        why=f"`{text}` puts tensors with their history in it, which keeps every tensor of those steps in memory"
        if container
        else f"`{text}` is recorded, so the result refers to the graph of every step that was added",
        fix=f"keep the number, not the tensor: `{better}`" if better else f"keep numbers: `{name}` of `loss.item()`",
        cause="container" if container else "accumulator",
        at=source.site(d.statement),
        steps=len(old),
    )


def _names(e: ast.AST) -> set:
    return {dotted(n) for n in ast.walk(e) if isinstance(n, (ast.Name, ast.Attribute))}


def _holder(frame, old: set):
    """(name, frame, whether it is a container) of the variable that keeps these nodes alive."""
    while frame is not None:
        tables = [frame.f_locals] if frame.f_locals is not frame.f_globals else []
        for table in (*tables, frame.f_globals):
            for name, value in list(table.items()):
                if name.startswith("__"):
                    continue
                if (kind := _keeps(value, old)) is not None:
                    return name, frame, kind
                if name == "self" or hasattr(value, "__dict__") and type(value).__module__ == "__main__":
                    for attribute, inner in list(getattr(value, "__dict__", {}).items()):
                        if (kind := _keeps(inner, old)) is not None:
                            return f"{name}.{attribute}", frame, kind
        frame = user_frame(frame.f_back)
    return None


def _keeps(value: Any, old: set) -> bool | None:
    """Whether a value keeps most of these nodes alive, and is a container (True) or one tensor (False)."""
    if hasattr(value, "_array") and hasattr(value, "_rg"):
        if value._node is None:
            return None
        return False if _count([value], old) >= len(old) - 1 else None
    if isinstance(value, deque) and value.maxlen is not None:
        return None  # it forgets
    if isinstance(value, (list, deque, tuple, set)):
        tensors = [t for t in list(value)[-100:] for t in _flat(t)]
        return True if tensors and _count(tensors, old) >= len(old) - 1 else None
    if isinstance(value, dict):
        tensors = [t for v in list(value.values())[-100:] for t in _flat(v)]
        return True if tensors and _count(tensors, old) >= len(old) - 1 else None
    return None


def _flat(value: Any, depth: int = 2) -> list:
    if hasattr(value, "_array") and hasattr(value, "_rg"):
        return [value] if value._node is not None else []
    if depth and isinstance(value, (list, tuple)):
        return [t for v in value[-100:] for t in _flat(v, depth - 1)]
    if depth and isinstance(value, dict):
        return [t for v in list(value.values())[-100:] for t in _flat(v, depth - 1)]
    return []


def _count(tensors: list, old: set) -> int:
    """How many of these nodes are behind tensors."""
    return len({id(n) for n in events.graph(tensors, 20_000)} & old)


def _size(old: list) -> str:
    """What one step's graph takes, about."""

    class Root:
        def __init__(self, node):
            self._node = node

    nodes = events.graph([Root(n) for n in old], 20_000)
    arrays: dict[int, int] = {}
    for n in nodes:
        for entry in (getattr(n, "saved", None) or {}).values():
            a = getattr(entry[0], "_array", None)
            if a is not None:
                arrays[id(a)] = a.nbytes
    total = (600 * len(nodes) + sum(arrays.values())) / len(old)
    return f"{total / 1e6:.1f} MB" if total > 5e5 else f"{total / 1e3:.1f} KB"


class _Item(ast.NodeTransformer):
    def __init__(self, name, scope):
        self.name, self.scope = name, scope

    def _wrap(self, node):
        value = self.scope.value(node)
        if dotted(node) != self.name and isinstance(node.ctx, ast.Load) and hasattr(value, "_rg") and value._rg:
            method = "item" if value._array.size == 1 else "detach"
            return ast.Call(ast.Attribute(node, method, ast.Load()), [], [])
        return None

    def visit_Name(self, node):
        return self._wrap(node) or node

    def visit_Attribute(self, node):
        return self._wrap(node) or self.generic_visit(node)

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("detach", "item"):
            return node
        return self.generic_visit(node)


def _by_number(statement: ast.stmt, name: str, scope: Scope) -> str:
    """The statement with numbers in place of tensors; "" where nothing changes."""
    before = ast.unparse(statement)
    made = ast.unparse(ast.fix_missing_locations(_Item(name, scope).visit(copy.deepcopy(statement))))
    return "" if made == before else made


def _elsewhere(name: str, frame):
    """(definitions, source) of an attribute that another method of the object's class adds to."""
    start, _, attribute = name.partition(".")
    thing = frame.f_locals.get(start, frame.f_globals.get(start))
    for kind in type(thing).__mro__:
        for function in list(vars(kind).values()):
            source = source_of(function.__code__) if hasattr(function, "__code__") else None
            if source is not None:
                grows = [d for d in source.definitions if d.name == f"self.{attribute}" and d.adds]
                if grows:
                    return grows, source
    return [], None


# ---------------------------------------------------------------------- FB-MEM-02


KINDS = {"_forward_hooks": "forward", "_forward_pre_hooks": "forward-pre", "_backward_hooks": "backward",
         "_backward_pre_hooks": "backward-pre"}  # fmt: skip


def hooked(owner, table, key: int, number: int) -> None:
    """A hook was registered. number: newer than any node, so that work done in between shows."""
    site = user_site()
    if site is None or site.library:
        return
    places: dict = owner.__dict__.setdefault("_fb_hooks", {})
    before = [entry for entry in places.get(site.key, ()) if entry[0] in table]
    places[site.key] = mine = [*before, (key, number, log.backwards)][-2 * ROUNDS :]
    rounds = sum(b[1] - a[1] > 1 or b[2] > a[2] for a, b in zip(mine, mine[1:]))
    if len(mine) >= ROUNDS and rounds >= ROUNDS - 1:
        kind = next((KINDS[n] for n, held in owner.__dict__.items() if held is table and n in KINDS), "gradient")
        _repeated(owner, site, len(before) + 1, kind)


def _repeated(owner, site: Site, count: int, kind: str) -> None:
    name = name_of_module(owner) if hasattr(owner, "_parameters") else name_of(owner)
    found(
        "FB-MEM-02",
        saw=f"{name} has {count} {kind} hooks from line {site.line}, one more each time that the line runs",
        why="hooks stay until they are removed: each call runs all of them, and keeps what they hold",
        fix="register once, before the loop; or keep the handle, and take it off again: `handle = ...`, then "
        "`handle.remove()`",
        cause=kind,
        at=site,
        hooks=count,
    )
