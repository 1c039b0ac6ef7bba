"""Learning-rate schedulers stepped too early, too often or too rarely: FB-OPT-05 and 06."""

from __future__ import annotations

import ast
import sys
import weakref
from typing import Any

from ..place import user_frame
from . import events
from .codes import LIMITS
from .findings import found
from .follow import name_of
from .log import log
from .sites import Site, statements, user_site

# What a scheduler counts its own length in: class -> attribute
_LENGTHS = {
    "StepLR": "step_size", "CosineAnnealingLR": "T_max", "OneCycleLR": "total_steps", "PolynomialLR": "total_iters",
    "LinearLR": "total_iters", "ExponentialLR": "gamma", "MultiStepLR": "milestones",
}  # fmt: skip


def number(value: Any) -> float:
    """A rate as a number: a tensor is read without its methods, which would be events themselves."""
    return float(getattr(value, "_array", value))


# ------------------------------------------------------------------ FB-OPT-05


def too_early(scheduler, before: list) -> bool:
    """A scheduler has stepped, from the rates `before`, although its optimizer has not. Returns whether it is said."""
    optimizer = scheduler.optimizer
    opt, sched = name_of(optimizer, "optimizer"), name_of(scheduler, "scheduler")
    skipped, rate = number(before[0]), number(optimizer.param_groups[0]["lr"])
    made = found(
        "FB-OPT-05",
        saw=f"Detected call of `lr_scheduler.step()` before `optimizer.step()`: `{sched}.step()` ran before "
        f"`{opt}.step()` ever did",
        why=f"the first learning rate, {skipped:g}, is never used: training starts at {rate:g}"
        if rate != skipped
        else f"the learning rate is still {rate:g}, but the whole schedule runs one step early",
        fix=f"call `{opt}.step()` first, then `{sched}.step()`",
        skipped=skipped,
        rate=rate,
    )
    return made is not None


# ------------------------------------------------------------------ FB-OPT-06


class _Rhythm:
    """How one scheduler has been stepped so far."""

    def __init__(self, scheduler):
        self.scheduler = weakref.ref(scheduler)
        self.made: Site | None = user_site()
        self.count = 0
        self.first = 0  # optimizer steps at its first step
        self.base = number(
            scheduler.optimizer.param_groups[0].get("initial_lr", scheduler.optimizer.param_groups[0]["lr"])
        )
        self.high = False  # whether the rate was ever near its base
        self.low_at = 0  # optimizer steps when it had fallen to next to nothing, 0 while it has not
        self.done = False


def _rhythm(scheduler) -> _Rhythm:
    held = log.notes.setdefault("rhythms", {})
    found_ = held.get(id(scheduler))
    if found_ is None or found_.scheduler() is not scheduler:
        found_ = held[id(scheduler)] = _Rhythm(scheduler)
    return found_


def _scheduled(scheduler) -> None:
    rhythm = _rhythm(scheduler)
    if rhythm.done:
        return
    steps = log.of(scheduler.optimizer).steps
    rhythm.count += 1
    rate = number(scheduler.optimizer.param_groups[0]["lr"])
    if rate > LIMITS["FB-OPT-06"]["low"] * rhythm.base:
        rhythm.high = rhythm.high or rate >= 0.5 * rhythm.base
        rhythm.low_at = 0
    elif rhythm.high and steps >= rhythm.count:
        rhythm.low_at = rhythm.low_at or steps
        if steps >= rhythm.low_at + max(3, rhythm.low_at // 5) and rhythm.count * 2 > steps:
            _collapsed(rhythm, scheduler, steps, rate)
    if rhythm.count == 1:
        rhythm.first = steps
    elif rhythm.count == 2:
        _rarely(rhythm, scheduler, steps - rhythm.first)
    if type(scheduler).__name__ == "CosineAnnealingLR" and scheduler.last_epoch == 2 * scheduler.T_max:
        batches, first = _first_pass()
        if first and batches >= 4 * scheduler.T_max and rhythm.count * 2 > steps >= rhythm.count:
            _too_often(rhythm, scheduler, steps, rate)


def _first_pass() -> tuple[int, bool]:
    """(batches of the loader that gave the last batch, or 0; whether it is in its first pass)"""
    loader: Any = log.batch.loader() if log.batch is not None else None
    draws = loader.__dict__.get("_fb_draws") if loader is not None else None
    if draws is None:
        return 0, False
    try:
        return len(loader), draws.started == 1 and draws.given < len(loader)
    except TypeError:
        return 0, False


def _collapsed(rhythm: _Rhythm, scheduler, steps: int, rate: float) -> None:
    """The rate is next to nothing, and the scheduler is stepped with the optimizer: was that meant?"""
    batches, first = _first_pass()
    if batches == 1:
        return  # a step is an epoch
    if first and rhythm.low_at <= batches // 2 or steps >= 2 * rhythm.low_at:
        _too_often(rhythm, scheduler, steps, rate)


def _too_often(rhythm: _Rhythm, scheduler, steps: int, rate: float) -> None:
    rhythm.done = True
    batches, first = _first_pass()
    name, kind = name_of(scheduler, "scheduler"), type(scheduler).__name__
    length = _LENGTHS.get(kind)
    value = getattr(scheduler, length, None) if length else None
    if length == "milestones" and value is not None:
        value = sorted(value)
    title = f"{kind}({length}={value})" if length else kind
    found(
        "FB-OPT-06",
        cause="too-often",
        saw=f"{title} is stepped once per batch: after {steps} batches, still in the first epoch of {batches}, the "
        f"learning rate is {rate:.2g} (it started at {rhythm.base:g})"
        if first
        else f"{title} is stepped at every step of the optimizer: after {steps} steps the learning rate is {rate:.2g} "
        f"(it started at {rhythm.base:g}), and training goes on",
        why="its length is counted in epochs, so the rate falls to nothing long before the training ends",
        fix=f"call `{name}.step()` once per epoch, after the batch loop, or use `{length}={value} * len(loader)`"
        if length in ("step_size", "T_max", "total_iters")
        else f"call `{name}.step()` once per epoch, after the batch loop",
    )


def _rarely(rhythm: _Rhythm, scheduler, gap: int) -> None:
    """Second step of a scheduler that knows its length: is it stepped once per epoch, but counted in batches?"""
    kind = type(scheduler).__name__
    if kind not in ("OneCycleLR", "CosineAnnealingLR") or gap < 2:
        return
    site, frame = user_site(), user_frame(sys._getframe(1))
    if site is None or frame is None:
        return
    length = _LENGTHS[kind]
    total, limit = getattr(scheduler, length), LIMITS["FB-OPT-06"]["part"]
    epochs, in_batches = _loops(site, frame), _counted_in_batches(rhythm.made)
    few = epochs is not None and epochs < limit * total
    if epochs is None:
        wrong = in_batches
    elif kind == "OneCycleLR":
        wrong = few
    else:
        wrong = few and (in_batches or abs(total - epochs * gap) <= 0.2 * total)
    if not wrong:
        return
    rhythm.done = True
    name, opt = name_of(scheduler, "scheduler"), name_of(scheduler.optimizer, "optimizer")
    found(
        "FB-OPT-06",
        cause="too-rarely",
        saw=f"{kind}({length}={total}) is stepped once in {gap} steps of `{opt}`: only {epochs} of its {total} steps "
        "will happen"
        if epochs is not None
        else f"{kind}({length}={total}) is stepped once in {gap} steps of `{opt}`, but counts its length in batches",
        why="it stays in the first part of its curve: the learning rate hardly follows the schedule",
        fix=f"call `{name}.step()` after each `{opt}.step()`, in the batch loop",
        at=site,
    )


def _loops(site: Site, frame) -> int | None:
    """How often the innermost loop around a line runs, if it is over a `range` that can be worked out."""
    loops = [n for s in statements(site) for n in ast.walk(s) if isinstance(n, ast.For)]
    around = [n for n in loops if n.lineno <= site.line <= (n.end_lineno or n.lineno)]
    if not around:
        return None
    call = max(around, key=lambda n: n.lineno).iter
    if not isinstance(call, ast.Call) or getattr(call.func, "id", "") not in ("range", "trange"):
        return None
    scope = {**frame.f_globals, **frame.f_locals}
    values = [value_of(a, scope) for a in call.args[:2]]
    if not values or None in values:
        return None
    return values[0] if len(values) == 1 else values[1] - values[0]  # type: ignore[operator]


def value_of(e: ast.expr, names: dict) -> int | None:
    """The value of a simple expression: a number, a variable, an attribute of one, sums and products of these."""
    if isinstance(e, ast.Constant):
        return e.value if isinstance(e.value, int) else None
    if isinstance(e, ast.Name):
        value = names.get(e.id)
        return value if isinstance(value, int) else None
    if isinstance(e, ast.Attribute) and isinstance(e.value, ast.Name):
        value = getattr(names.get(e.value.id), "__dict__", {}).get(e.attr)
        return value if isinstance(value, int) else None
    if isinstance(e, ast.BinOp) and isinstance(e.op, (ast.Add, ast.Sub, ast.Mult)):
        left, right = value_of(e.left, names), value_of(e.right, names)
        if left is None or right is None:
            return None
        return (
            left + right if isinstance(e.op, ast.Add) else left - right if isinstance(e.op, ast.Sub) else left * right
        )
    return None


def _counted_in_batches(made: Site | None) -> bool:
    """Whether a scheduler was made with a number of batches: `steps_per_epoch=`, or a product with `len(loader)`."""
    call = made.expression() if made is not None else None
    if made is None or not isinstance(call, ast.Call):
        return False
    if any(k.arg == "steps_per_epoch" for k in call.keywords):
        return True
    assigned = {
        target.id: n.value
        for s in statements(made)
        for n in ast.walk(s)
        if isinstance(n, ast.Assign)
        for target in n.targets
        if isinstance(target, ast.Name)
    }
    for e in [*call.args[1:], *(k.value for k in call.keywords)]:
        for n in ast.walk(e):
            inner = assigned.get(n.id) if isinstance(n, ast.Name) else None
            for m in (n, *(ast.walk(inner) if inner is not None else ())):
                if isinstance(m, ast.Call) and getattr(m.func, "id", "") == "len":
                    return True
    return False


events.scheduler_made.append(_rhythm)
events.scheduled.append(_scheduled)
