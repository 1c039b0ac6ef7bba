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
from .sites import user_site, whole

LIMITS["FB-REPRO-02"] = {"times": 3, "epoch": 20}  # steps between two seeds from which they count as once per epoch
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
        if "seed" in written and written not in ("manual_seed", "initial_seed") and not module:
            return ""  # a function of the user's that seeds, perhaps all of them
        if module and "seed" == name:
            draws.pop(module, None)
        elif module == "`numpy.random`" and module in draws:
            draws[module] = draws[module] or (not n.args if name in _OWN_SEED else name not in _NUMPY)
        elif module == "`random`" and module in draws:
            draws[module] = draws[module] or name not in _PYTHON
    return " and ".join(m for m, drawn in draws.items() if drawn)


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
