"""Where the time goes: waiting for data (FB-PERF-02), Python loops over the elements of tensors (FB-PERF-01)."""

from __future__ import annotations

import ast
import os
import sys
import threading
import time
from types import CodeType
from typing import Any

import numpy as np

from ..place import USER, is_tensor, kind_of
from . import events
from .codes import LIMITS
from .findings import found
from .follow import name_of
from .schedules import value_of
from .sites import Site, statements

# ------------------------------------------------------------------ FB-PERF-02


def _given(loader, iterator, data, seconds: float) -> None:
    held = loader.__dict__.get("_fb_wait")
    if held is None:
        held = loader.__dict__["_fb_wait"] = [0, 0.0, time.perf_counter() - seconds]
    if held[0] < 0:
        return  # decided
    if iterator._num_yielded == 1:
        held[:] = [0, 0.0, time.perf_counter() - seconds]
    held[0] += 1
    held[1] += seconds
    limits = LIMITS["FB-PERF-02"]
    if held[0] >= limits["batches"]:
        _waits(loader, held[1], time.perf_counter() - held[2], held[0], limits)
        held[0] = -1


def _waits(loader, waited: float, wall: float, batches: int, limits) -> None:
    if waited < limits["share"] * wall or waited < limits["seconds"] * batches:
        return
    share = f"{waited / wall:.0%}"
    sample = f"{1e3 * waited / batches / max(1, loader.batch_size or 1):.2g}"
    where = f"{type(loader.dataset).__name__}.__getitem__"
    name = name_of(loader, "loader")
    workers = min(4, max(2, (os.cpu_count() or 2) - 1))
    found(
        "FB-PERF-02",
        saw=f"over {batches} batches of `{name}`, {share} of the time was spent waiting for data: {sample} ms per "
        f"sample in `{where}` and in putting batches together",
        why="the model cannot begin before its batch is there"
        if loader.num_workers == 0
        else f"{loader.num_workers} workers do not keep up with the model",
        fix=f"pass `num_workers={workers}`, or load the data once in `{type(loader.dataset).__name__}.__init__`"
        if loader.num_workers == 0
        else f"prepare the data once and keep it: read and decode in `{type(loader.dataset).__name__}.__init__`",
        share=waited / wall,
    )


events.batch_given.append(_given)

# ------------------------------------------------------------------ FB-PERF-01

_REDUCTIONS = ("sum", "mean", "max", "min", "norm", "prod", "std", "var", "argmax", "dot")


class Sampler(threading.Thread):
    """Looks every now and then at the line that the program runs, while a watch is on."""

    def __init__(self):
        super().__init__(name="flambeau-sampler", daemon=True)
        self.watched = threading.get_ident()
        self.done = threading.Event()
        self.lines: dict[tuple[CodeType, int], list] = {}  # (code, line) -> [samples, instruction, what is in sight]
        self.taken = 0
        self.seconds = 0.0

    def run(self):
        """Sample until the watch ends: often at first, then rarely, as each look holds up the program a little."""
        began = time.perf_counter()
        while not self.done.wait(0.002 if self.taken < 50 else 0.025):
            frame = sys._current_frames().get(self.watched)
            self.taken += 1
            while frame is not None and kind_of(frame.f_code.co_filename) != USER:
                frame = frame.f_back
            if frame is None:
                continue
            held = self.lines.setdefault((frame.f_code, frame.f_lineno), [0, frame.f_lasti, None])
            held[0] += 1
            if held[0] == 2:
                held[2] = _in_sight(frame)
        self.seconds = time.perf_counter() - began

    def end(self) -> None:
        """Stop, and say what was found."""
        self.done.set()
        self.join()
        for (code, line), (samples, lasti, sight) in self.lines.items():
            limits = LIMITS["FB-PERF-01"]
            if samples >= limits["samples"] and samples >= limits["share"] * self.taken and sight is not None:
                _element_by_element(Site(code, lasti), line, samples / self.taken, self.seconds, sight, limits)


def _in_sight(frame) -> tuple[dict[str, tuple], dict[str, int]]:
    """(shapes of the tensors, values of the integers) that the names of a running function stand for."""
    shapes, numbers = {}, {}
    code, local, outer = frame.f_code, frame.f_locals, frame.f_globals
    for name in (*code.co_names, *code.co_varnames, *code.co_freevars):
        value: Any = local.get(name, outer.get(name))
        if is_tensor(value):
            shapes[name] = value._array.shape
        elif isinstance(value, int):
            numbers[name] = value
    return shapes, numbers


def _element_by_element(site: Site, line: int, share: float, seconds: float, sight, limits) -> None:
    """A line that takes much of the time: is it the body of a loop that picks tensors apart by its variable?"""
    shapes, numbers = sight
    loops = [n for s in statements(site) for n in ast.walk(s) if isinstance(n, ast.For)]
    around = [
        n for n in loops if isinstance(n.target, ast.Name) and n.body[0].lineno <= line <= (n.end_lineno or n.lineno)
    ]
    if not around:
        return
    loop = max(around, key=lambda n: n.lineno)
    variable = loop.target.id  # type: ignore[union-attr, attr-defined]
    body = [n for s in loop.body if s.lineno <= line <= (s.end_lineno or s.lineno) for n in ast.walk(s)]
    picked = [
        n.value.id
        for n in body
        if isinstance(n, ast.Subscript)
        and isinstance(n.value, ast.Name)
        and n.value.id in shapes
        and shapes[n.value.id]
        if any(isinstance(m, ast.Name) and m.id == variable for m in ast.walk(n.slice))
    ]
    if not picked:
        return
    times = _times(loop.iter, shapes, numbers)
    work = sum(isinstance(n, (ast.Call, ast.BinOp, ast.Subscript)) for n in body)
    small = all(np.prod(shapes[name][1:], dtype=np.int64) <= limits["elements"] for name in picked)
    if times is None or times * work < limits["operations"] or not small:
        return
    spent, operations, tensor = f"{1e3 * share * seconds:.2g}", times * work, _read_from(body, picked)
    calls = [n.func.attr for n in body if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    powers = any(isinstance(n, ast.Pow) for n in body) or "pow" in calls or "square" in calls
    euclid = powers and "sum" in calls and "sqrt" in calls
    whole = "norm" if euclid else next((c for c in calls if c in _REDUCTIONS), "")
    found(
        "FB-PERF-01",
        saw=f"line {line} ran about {operations} small operations in a loop: {spent} ms of {1e3 * seconds:.2g} ms",
        why=f"each operation on a few elements of `{tensor}` costs more for the call than for the numbers",
        fix=f"do all rows in one call: `{tensor}.{whole}(dim=1)`"
        if whole and len(shapes[tensor]) > 1
        else f"work on the whole tensor `{tensor}` in one expression, without `[{variable}]`",
        at=site,
        share=share,
    )


def _read_from(body: list, picked: list[str]) -> str:
    """The first of the tensors that is not only written to."""
    parts = [n for n in body if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Load)]
    read = [n.value.id for n in parts if isinstance(n.value, ast.Name)]
    return next((name for name in read if name in picked), picked[0])


def _times(e: ast.expr, shapes, numbers) -> int | None:
    """How often a loop runs: over `range(n)`, `range(len(x))`, a tensor."""
    if isinstance(e, ast.Name):
        return shapes[e.id][0] if e.id in shapes and shapes[e.id] else None
    if not isinstance(e, ast.Call) or getattr(e.func, "id", "") != "range" or not e.args:
        return None
    last = e.args[min(1, len(e.args) - 1)]
    inner = next((n.id for n in ast.walk(last) if isinstance(n, ast.Name) and n.id in shapes), None)
    if inner is not None:
        return shapes[inner][0] if shapes[inner] else None
    return value_of(last, numbers)


_samplers: dict[int, Sampler] = {}


def watch_began(watch) -> None:
    """A watch begins: sample the lines that run, if it asks for that."""
    if not watch.lines:
        return
    sampler = _samplers[id(watch)] = Sampler()
    sampler.start()


def watch_ended(watch) -> None:
    """A watch has ended."""
    sampler = _samplers.pop(id(watch), None)
    if sampler is not None:
        sampler.end()
