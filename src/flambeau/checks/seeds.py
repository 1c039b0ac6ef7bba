"""Seeds: missing, late or partial (FB-REPRO-01), and set again and again in the loop (FB-REPRO-02)."""

from __future__ import annotations

import ast
import linecache
import sys
from types import ModuleType
from typing import Any

import numpy as np

from ..autograd.mode import state as grad_mode
from ..generator import default_generator
from ..place import describe, user_frame
from . import events, registry
from .codes import LIMITS
from .findings import found
from .log import log
from .sites import Site, site_at, user_site, whole

# What may be called on NumPy's and Python's random modules without drawing from their global generators
_NUMPY = {"seed", "get_state", "set_state", "Generator", "SeedSequence", "PCG64", "MT19937", "Philox", "BitGenerator"}
_OWN_SEED = {"default_rng", "RandomState"}  # a generator of one's own: seeded if it is given a seed
_PYTHON = {"seed", "getstate", "setstate", "Random", "SystemRandom"}


def _seeded(value) -> None:
    _late(value)
    _again(value)


# ------------------------------------------------------------------ FB-REPRO-01


def _late(value) -> None:
    """The first seed of a run: was something drawn before it, and is another generator left out?"""
    if log.notes.get("asked to repeat"):
        return
    log.notes["asked to repeat"] = True
    site = user_site()
    if site is not None and not site.library:
        unordered(site)
    drawn = not default_generator._fresh and not log.steps and not log.later
    layer = next(filter(_draws, registry.modules()), None) if drawn else None
    others = _unseeded()
    if not drawn and not others:
        return
    what = describe(layer) if layer is not None else ""
    call = f"torch.manual_seed({value!r})"
    if drawn and what:
        saw = f"`{call}` came after the weights of {what} were drawn"
    elif drawn:
        saw = f"`{call}` came after random numbers were drawn"
    else:
        saw = f"`{call}` seeds torch, but {others} draws numbers too and is never seeded"
    found(
        "FB-REPRO-01",
        cause="late" if drawn else "partial",
        saw=saw,
        why=f"the next run starts from other numbers; and {others} is never seeded"
        if drawn and others
        else "the next run starts from other numbers, whatever the seed is",
        fix="first of all write `torch.manual_seed(0); np.random.seed(0); random.seed(0)`",
    )


def _draws(module) -> bool:
    """Whether a module is a layer with parameters of its own."""
    registries = object.__getattribute__(module, "__dict__")
    return not registries["_modules"] and bool(registries["_parameters"])


def _unseeded() -> str:
    """The random modules that the running file draws from and that nothing seeds: "`numpy.random`"."""
    site, frame = user_site(sys._getframe(1)), user_frame(sys._getframe(1))
    if site is None or frame is None or not any("random." in line for line in linecache.getlines(site.file)):
        return ""
    tree = whole(site)
    if tree is None:
        return ""
    scope = {**frame.f_globals, **frame.f_locals}
    draws = {"`numpy.random`": False, "`random`": False}
    for n in ast.walk(tree):
        if not isinstance(n, ast.Call):
            continue
        module, name = _of_module(n.func, scope)
        written = name or getattr(n.func, "id", getattr(n.func, "attr", ""))
        own = any(isinstance(d, ast.FunctionDef) and d.name == written for d in ast.walk(tree))
        if "seed" in written and written not in ("manual_seed", "initial_seed") and not module and not own:
            return ""  # a function of the user's that seeds, perhaps all of them
        if module and "seed" == name:
            draws.pop(module, None)
        elif module == "`numpy.random`" and module in draws:
            draws[module] = draws[module] or (not n.args if name in _OWN_SEED else name not in _NUMPY)
        elif module == "`random`" and module in draws:
            draws[module] = draws[module] or name not in _PYTHON
    return " and ".join(m for m, drawn in draws.items() if drawn)


def unordered(site: Site) -> None:
    """Class numbers taken from the order of a set of strings, or of a folder's files: different in each run."""
    tree = whole(site)
    if tree is None:
        return
    parents = {id(c): n for n in ast.walk(tree) for c in ast.iter_child_nodes(n)}
    numbered = {ast.unparse(a) for n in ast.walk(tree) for a in _numbered(n)}
    nodes: list[Any] = list(ast.walk(tree))
    for n in nodes:
        kind = _order_of(n)
        parent = parents.get(id(n))
        if not kind or parent is None:
            continue
        if isinstance(parent, ast.Call) and getattr(parent.func, "id", "") in ("list", "tuple"):
            n, parent = parent, parents.get(id(parent))
        names = {ast.unparse(t) for t in parent.targets} if isinstance(parent, ast.Assign) else set()
        sorted_later = any(
            f"{name}.sort()" in ast.unparse(tree) or f"sorted({name})" in ast.unparse(tree) for name in names
        )
        if ast.unparse(n) in numbered or names & numbered and not sorted_later:
            text = ast.unparse(n)
            found(
                "FB-REPRO-01",
                cause="order",
                saw=f"`{text}` gives numbers to classes in an order that differs from run to run"
                if kind == "set"
                else f"`{text}` gives numbers to classes in the order of the file system",
                why="strings come out of a set in another order each time that Python starts, whatever the seeds are"
                if kind == "set"
                else "another machine, or another file, changes the order, and with it what a class number means",
                fix=f"write `sorted({ast.unparse(n.args[0])})`"
                if isinstance(n, ast.Call) and getattr(n.func, "id", "") in ("list", "tuple") and n.args
                else f"write `sorted({text})`",
                at=site_at(site.file, n.lineno),
            )


def _order_of(n: ast.AST) -> str:
    """ "set" for a call of set(), "folder" for a listing of a folder, "" otherwise."""
    if not isinstance(n, ast.Call):
        return "set" if isinstance(n, ast.SetComp) else ""
    name = getattr(n.func, "attr", getattr(n.func, "id", ""))
    if name == "set" and isinstance(n.func, ast.Name) and n.args:
        return "set"
    return "folder" if name in ("listdir", "scandir", "iterdir", "glob", "iglob") else ""


def _numbered(n: ast.AST) -> list[ast.expr]:
    """The expressions whose order gives numbers: `enumerate(x)`, `x.index(c)`, a loop over x with `d[c] = len(d)`."""
    if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "enumerate" and n.args:
        return [n.args[0]]
    if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "index":
        return [n.func.value]
    if isinstance(n, ast.For):
        for s in ast.walk(n):
            if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Subscript) and isinstance(s.value, ast.Call):
                if getattr(s.value.func, "id", "") == "len":
                    return [n.iter]
    return []


def _of_module(function: ast.expr, scope: dict[str, Any]) -> tuple[str, str]:
    """(random module, name) of a function such as `np.random.rand`, `random.choice`."""
    if not isinstance(function, ast.Attribute):
        return "", ""
    owner = function.value
    held = scope.get(owner.id) if isinstance(owner, ast.Name) else None
    if isinstance(owner, ast.Attribute) and owner.attr == "random" and isinstance(owner.value, ast.Name):
        return "`numpy.random`" if scope.get(owner.value.id) is np else "", function.attr
    name = getattr(held, "__name__", "") if held is not None and type(held) is ModuleType else ""
    return f"`{name}`" if name in ("random", "numpy.random") else "", function.attr


# ------------------------------------------------------------------ FB-REPRO-02


def _again(value) -> None:
    """The same seed on the same line: was something trained since the last time, and nothing new made?"""
    site = user_site()
    if site is None or log.forked or not grad_mode.grad:
        return
    seeds = log.notes.setdefault("seeds", {})
    now = log.steps, log.backwards, log.masks
    before = seeds.get(site.key)
    passes = log.notes.get("passes", 0)
    seeds[site.key] = record = [value, log.made, now, passes, 1, True]
    if before is None or before[0] != value or before[1] != log.made:
        return
    record[4], record[5] = before[4], before[5]
    if now == before[2]:
        return
    limits = LIMITS["FB-REPRO-02"]
    record[4] += 1
    record[5] = record[5] and now[0] - before[2][0] < limits["epoch"] and passes == before[3]
    if record[4] >= limits["times"]:
        found(
            "FB-REPRO-02",
            level="W" if record[5] else "H",
            saw=f"`torch.manual_seed({value!r})` ran {record[4]} times on this line, with training in between",
            why="the same random numbers begin again: dropout keeps the same units, noise and shuffling repeat",
            fix=f"move `torch.manual_seed({value!r})` before the loop",
            at=site,
        )


def _made(optimizer, state) -> None:
    log.made += 1


def _started(loader, iterator) -> None:
    log.notes["passes"] = log.notes.get("passes", 0) + 1


events.seeded.append(_seeded)
events.optimizer_made.append(_made)
events.loader_started.append(_started)
