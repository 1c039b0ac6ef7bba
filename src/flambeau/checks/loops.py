"""Mistakes of the training loop that show in the order of its calls: FB-LOOP-01 to 05."""

from __future__ import annotations

import ast
import weakref
from typing import Any

import numpy as np

from ..autograd.engine import next_number
from ..autograd.mode import state as grad_mode
from ..place import LIBRARY
from . import events, follow
from .findings import found, so_far
from .follow import Follow, empty, print_of
from .log import log
from .registry import library_class, real
from .sites import Site, site_at, statements, user_site, whole

# ------------------------------------------------------------------ FB-LOOP-01: gradients are never cleared


def _added_to_used(f: Follow, roots) -> None:
    """Before a backward pass: which gradients are still those that the last step has used, or were added to since?"""
    marks = f.notes.get("used")
    if marks:
        kept = {k: m for k, m in marks.items() if (g := m[0]()) is not None and print_of(g._array) == m[1]}
        f.notes["stale"] = {id(p) for p in f.params if id(p) in kept and p._grad is kept[id(p)][0]()}


def _reached(f: Follow, roots, leaves) -> None:
    """After it: those among them that were added to."""
    marks = f.notes.get("used")
    if marks:
        stale = f.notes.get("stale", set())
        here = {id(t): t for t in leaves if id(t) in stale}
        f.notes["added"] = (f.notes.get("added", set()) & stale) | set(here)
        for key, t in here.items():
            marks[key] = weakref.ref(t._grad), print_of(t._grad._array), _version(t._grad)


def _counts_uses(f: Follow) -> None:
    """Before a step: how many steps have used what the gradients hold?"""
    added, before = f.notes.pop("added", ()), f.notes.get("uses", {})
    uses = f.notes["uses"] = {key: before.get(key, 1) + 1 for key in added}
    if uses and max(uses.values()) >= 3 and not f.notes.get("said"):
        f.notes["said"] = True
        often, loss = max(uses.values()) - 1, _loss(f)
        never = f.state.zeroed == 0
        found(
            "FB-LOOP-01",
            saw=f"step {f.state.steps} of `{f.name}` ({f.kind}) uses gradients that {often} steps before it have used",
            why="backward() adds to what is in `.grad`, which is never cleared: gradients add up from the first step on"
            if never
            else f"backward() adds to what is in `.grad`, and `zero_grad()` was last called {often} steps ago",
            fix=f"call `{f.name}.zero_grad()` before `{loss}.backward()` in every step",
            steps=often + 1,
        )


def _marks_used(f: Follow) -> None:
    """After a step: the gradients that it has used."""
    marks = {}
    for p in f.params[:64]:
        g = p._grad
        if g is not None and (mark := print_of(g._array)) is not None and g._array.any():
            marks[id(p)] = weakref.ref(g), mark, _version(g)
    f.notes["used"] = marks
    f.notes["step site"] = user_site()


def _version(t) -> int:
    """How often a tensor's memory was written to."""
    return t._cell[0] if t._cell else 0


def _loss(f: Follow) -> str:
    """What the user calls the loss that is differentiated."""
    names = f.backward_site.operands() if f.backward_site is not None else []
    return names[0] if names and names[0].isidentifier() else "loss"


# Without an optimizer (`w -= lr * w.grad`) the same is told from leaves whose values and gradients both change.


def _by_hand_begins(roots) -> None:
    for key, (leaf, grad, mark, value, count) in list(log.notes.get("by hand", {}).items()):
        t, g = leaf(), grad()
        kept = t is not None and g is not None and t._grad is g and print_of(g._array) == mark
        moved = kept and print_of(t._array) != value
        log.notes["by hand"][key] = leaf, grad, mark if kept else None, value, count + 1 if moved else 0
        if moved and count + 1 >= 2 and not log.optimizers:
            name = follow.name_of(t, "w")
            found(
                "FB-LOOP-01",
                saw=f"`{name}` was updated {count + 1} times, and its gradient was not cleared in between",
                why="backward() adds to what is in `.grad`, so each update uses the gradients of all earlier steps too",
                fix=f"write `{name}.grad = None` after the update of `{name}`",
            )


def _by_hand_ended(roots, leaves) -> None:
    if log.optimizers:
        log.notes.pop("by hand", None)
        return
    held = log.notes.setdefault("by hand", {})
    for t in leaves[:32]:
        g = t._grad
        if g is None or (mark := print_of(g._array)) is None or not g._array.any():
            held.pop(id(t), None)
            continue
        before = held.get(id(t))
        count = before[4] if before is not None and before[0]() is t and before[2] is not None else 0
        held[id(t)] = weakref.ref(t), weakref.ref(g), mark, print_of(t._array), count


# ------------------------------------------------------------------ FB-LOOP-02 and 03: calls missing or in wrong order


def _erased(f: Follow) -> None:
    """Before a step: is there anything to step with?"""
    if f.state.closure:
        return
    nothing = all(empty(p) for p in f.params)
    if nothing and f.backwards and f.zero_site is not None:  # backward, zero_grad, step
        pending = f.zero_site, user_site(), next_number()
        if pending[2] - f.number_backward <= 2:  # and nothing was computed in between
            _erased_again(f, pending)
        else:
            f.notes["erased"] = pending  # the next backward pass tells
    elif nothing and not f.total and log.backwards == f.born[0] and next_number() - f.number > 2 and grad_mode.grad:
        _no_backward(f)
    elif nothing and f.backwards and f.notes.get("had gradients"):  # erased by hand: `p.grad = None`
        f.notes["by hand count"] = count = f.notes.get("by hand count", 0) + 1
        if count == 2:
            _erased_by_hand(f)
    else:
        f.notes["erased count"] = f.notes["by hand count"] = 0
    f.notes["had gradients"] = False


def _had_gradients(f: Follow, roots, leaves) -> None:
    if not f.notes.get("had gradients"):
        f.notes["had gradients"] = not all(empty(p) for p in f.params)


def _erased_by_hand(f: Follow) -> None:
    step = user_site()
    line = _line_of_grad(step, f.backward_site.line if f.backward_site is not None else 0)
    found(
        "FB-LOOP-02",
        saw=f"the gradients that `{_loss(f)}.backward()` computed are gone when `{f.name}.step()` runs: 2 steps "
        "found none",
        why="they are erased between the two, and the weights do not change",
        fix=f"erase gradients before `{_loss(f)}.backward()`, with `{f.name}.zero_grad()`",
        at=site_at(step.file, line) if step is not None and line else step,
    )


def _line_of_grad(site: Site | None, after: int) -> int:
    """The line after another one on which a function writes to `.grad`; 0 if there is none."""
    lines = []
    nodes: list[Any] = [n for s in (statements(site) if site is not None else ()) for n in ast.walk(s)]
    for n in nodes:
        targets = n.targets if isinstance(n, ast.Assign) else [n.target] if isinstance(n, ast.AugAssign) else []
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr.endswith("_"):
            targets = [n.func.value]
        if any(isinstance(m, ast.Attribute) and m.attr == "grad" for t in targets for m in ast.walk(t)):
            lines.append(n.lineno)
    return min((number for number in lines if number >= after), default=0)


def _erased_again(f: Follow, pending) -> None:
    zero, _, _ = pending
    f.notes["erased count"] = count = f.notes.get("erased count", 0) + 1
    if count >= 2:
        found(
            "FB-LOOP-02",
            saw=f"`zero_grad()` on line {zero.line} runs after `{_loss(f)}.backward()` and before `{f.name}.step()`, "
            f"so {count} steps found no gradients",
            why="it erases what backward() has just computed, and the weights do not change",
            fix=f"call `{f.name}.zero_grad()` before `{_loss(f)}.backward()`",
            at=zero,
        )


def _order(f: Follow, roots) -> None:
    """A backward pass after a step without gradients: was its loss there before that step?"""
    pending = f.notes.pop("erased", None)
    node = roots[0]._node
    if pending is None or node is None:
        return
    if node.seq > pending[2]:
        _erased_again(f, pending)
        return
    f.notes["early steps"] = count = f.notes.get("early steps", 0) + 1
    if count >= 2:
        names = user_site().operands()  # type: ignore[union-attr]
        loss = names[0] if names and names[0].isidentifier() else "loss"
        found(
            "FB-LOOP-03",
            cause="step-first",
            saw=f"`{f.name}.step()` on line {pending[1].line} runs before `{loss}.backward()`: {count} steps found no "
            "gradients",
            why="the gradients that backward() computes are erased by `zero_grad()` before any step uses them",
            fix=f"call `{loss}.backward()` first, then `{f.name}.step()`",
            at=pending[1],
        )


def _no_backward(f: Follow) -> None:
    if not type(real(f.optimizer)).__module__.startswith(LIBRARY) or log.notes.get("gradients asked for"):
        return  # an optimizer of the user's own may work without gradients
    f.notes["no backward"] = count = f.notes.get("no backward", 0) + 1
    if count >= 2:
        found(
            "FB-LOOP-03",
            cause="no-backward",
            saw=f"`{f.name}.step()` ran {count} times while every gradient is None: backward() was never called",
            why=f"{f.kind} leaves parameters without a gradient as they are, so nothing is learnt",
            fix=f"call `loss.backward()` before `{f.name}.step()`",
        )


def _no_step(f: Follow, roots, leaves) -> None:
    """After a backward pass: were the gradients of earlier ones erased unused?"""
    if f.state.steps or f.notes.get("skipped") or f.state.closure:
        return
    if f.total == 8 and not f.state.zeroed and not f.notes.get("fresh"):
        _never_steps(f)
    if f.notes.pop("fresh", True):
        f.notes["rounds"] = count = f.notes.get("rounds", 0) + 1
        values = [print_of(p._array) for p in f.params]
        if f.notes.setdefault("values", values) != values:
            f.notes["values"], f.notes["rounds"] = values, 1  # they are updated by hand
        elif count == (3 if log.steps == f.born[1] else 30) and not _reads_gradients(f.backward_site):
            found(
                "FB-LOOP-03",
                cause="no-step",
                saw=f"{count} backward passes ran for the parameters of `{f.name}` ({f.kind}) and their gradients were "
                f"cleared, but `{f.name}.step()` was not called",
                why="the weights have not changed",
                fix=f"call `{f.name}.step()` after `{_loss(f)}.backward()`",
            )


def _never_steps(f: Follow) -> None:
    """Gradients add up, and nothing in the file ever steps: no accumulation over several batches, then."""
    site = f.backward_site
    if site is None or f.made is None or f.made.file != site.file or _reads_gradients(site):
        return
    if any(x.level == "W" for x in so_far()):
        return
    if _calls(site, "step") or _handed_on(site, f.name) or any(p._grad is None for p in f.params):
        return
    found(
        "FB-LOOP-03",
        cause="no-step",
        saw=f"{f.total} backward passes ran for the parameters of `{f.name}` ({f.kind}), but `{f.name}.step()` is "
        "called nowhere in this file",
        why="the weights have not changed",
        fix=f"call `{f.name}.zero_grad()` before `{_loss(f)}.backward()`, and `{f.name}.step()` after it",
    )


def _handed_on(site: Site, name: str) -> bool:
    """Whether a file passes a variable to something, a scheduler apart, that may step it."""
    tree, last = whole(site), name.rpartition(".")[2]
    for n in ast.walk(tree) if tree is not None else ():
        if isinstance(n, ast.Call):
            function = getattr(n.func, "attr", getattr(n.func, "id", ""))
            given = [*n.args, *(k.value for k in n.keywords)]
            if any(last == getattr(a, "attr", getattr(a, "id", "")) for a in given):
                if not function.endswith(("LR", "Plateau", "Restarts", "watch", "examine")):
                    return True
    return tree is None


def never_differentiated() -> None:
    """Several losses were computed, none was differentiated, although there is an optimizer."""
    f = next((f for f in follow.following() if f.optimizer is not None), None)
    site = user_site()
    if f is None or site is None or site.library or f.made is None or f.made.file != site.file:
        return
    if any(x.level == "W" for x in so_far()):
        return  # a program that shows something else, perhaps
    if log.loaded or log.notes.get("gradients asked for") or _calls(site, "backward") or _calls(site, "grad"):
        return
    found(
        "FB-LOOP-03",
        cause="no-backward",
        saw=f"20 losses were computed while `{f.name}` ({f.kind}) exists, and backward() is called nowhere in "
        "this file",
        why="no gradient is computed, so the weights do not change",
        fix=f"after the loss is computed, call `{f.name}.zero_grad()`, `loss.backward()` and `{f.name}.step()`",
    )


def _calls(site: Site, method: str) -> bool:
    """Whether the file of a site calls a method of this name, a scheduler's or a profiler's `step` apart."""
    tree = whole(site)
    for n in ast.walk(tree) if tree is not None else ():
        if isinstance(n, ast.Call):
            name = getattr(n.func, "attr", getattr(n.func, "id", ""))
            owner = ast.unparse(n.func.value).lower() if isinstance(n.func, ast.Attribute) else ""
            if name == method and not (method == "step" and ("sched" in owner or "prof" in owner)):
                return True
    return tree is None


def _fresh(f: Follow, roots) -> None:
    """Before a backward pass: were the gradients cleared since the last one?"""
    if not f.state.steps and f.total:
        f.notes["fresh"] = all(empty(p) for p in f.params)


def _no_calls(f: Follow) -> None:
    """At zero_grad: losses computed again and again, neither backward nor step."""
    if f.state.steps or f.total or log.backwards != f.born[0] or not grad_mode.grad:
        return
    number = next_number()
    before, f.notes["number"] = f.notes.get("number"), number
    if before is not None and number - before > 2 and not log.notes.get("gradients asked for"):
        f.notes["idle"] = count = f.notes.get("idle", 0) + 1
        values = [print_of(p._array) for p in f.params]
        if f.notes.setdefault("values", values) == values and count == 5:
            found(
                "FB-LOOP-03",
                cause="no-backward",
                saw=f"`zero_grad()` and a forward pass ran {count} times, and neither backward() nor `{f.name}.step()` "
                "was called",
                why="no gradient is computed, so the weights do not change",
                fix=f"call `loss.backward()` and then `{f.name}.step()` after the loss is computed",
            )


def _reads_gradients(site: Site | None) -> bool:
    """Whether the program looks at gradients itself: then passes without a step have a purpose."""
    tree = whole(site) if site is not None else None
    return tree is None or any(isinstance(n, ast.Attribute) and n.attr == "grad" for n in ast.walk(tree))


# ------------------------------------------------------------------ FB-LOOP-04: clipping in the wrong place


def _clips(parameters) -> None:
    if not parameters:
        return
    first = id(parameters[0])
    for f in follow.following():
        if f.optimizer is None:
            continue
        _ = f.params
        if first not in f.ids:
            continue
        site = user_site()
        if f.backwards or f.state.closure or site is None:
            f.notes["clip"] = None
            continue
        before = f.notes.get("clip")
        f.notes["clip"] = site, f.state.steps, f.total
        if before is None or before[0] != site or f.state.steps <= before[1] or f.total <= before[2]:
            continue
        call, after = _called(site), f.zero_site is None
        found(
            "FB-LOOP-04",
            cause="after-step" if after else "before-backward",
            saw=f"`{call}` runs after `{f.name}.step()`, so the clipped gradients are thrown away"
            if after
            else f"`{call}` runs before `backward()`, when there are no gradients to clip",
            why="the gradients that the step uses are never clipped",
            fix=f"put `{call}` between `{_loss(f)}.backward()` and `{f.name}.step()`",
            at=site,
        )


def _edited(f: Follow) -> None:
    """At zero_grad: were gradients changed by hand since the step that used them?"""
    marks = f.notes.get("used")
    if not marks or f.backwards or f.state.closure or f.notes.get("clip") or log.compiled:
        return
    changed = 0
    for p in f.params[:64]:
        mark, g = marks.get(id(p)), p._grad
        if mark is not None and g is not None and type(g._array) is np.ndarray and g._array.any():
            changed += g is not mark[0]() or print_of(g._array) != mark[1] or _version(g) != mark[2]
    if not changed:
        return
    f.notes["edited"] = count = f.notes.get("edited", 0) + 1
    if count != 2:
        return
    step: Site | None = f.notes.get("step site")
    line = _line_of_grad(step, step.line) if step is not None else 0
    found(
        "FB-LOOP-04",
        cause="after-step",
        saw=f"the gradients of {changed} parameters are changed after `{f.name}.step()`, and then erased by "
        "`zero_grad()`",
        why="the gradients that the step uses are never changed",
        fix=f"move what changes `.grad` between `{_loss(f)}.backward()` and `{f.name}.step()`",
        at=site_at(step.file, line) if step is not None and line else step,
    )


def _called(site: Site) -> str:
    e = site.expression()
    name = e.func if isinstance(e, ast.Call) else None
    return f"{name.attr if isinstance(name, ast.Attribute) else getattr(name, 'id', 'clip_grad_norm_')}()"


# ------------------------------------------------------------------ FB-LOOP-05: next(iter(loader)) again and again


class _Draws:
    """What is known of the iterators of one loader."""

    __slots__ = ("batches", "given", "number", "site", "started", "steps")

    def __init__(self):
        self.site: Site | None = None
        self.given = self.number = self.batches = self.steps = self.started = 0


def _starts(loader, iterator) -> None:
    site = user_site()
    draws = loader.__dict__.get("_fb_draws")
    if draws is None:
        draws = loader.__dict__["_fb_draws"] = _Draws()
    draws.started += 1
    batches, steps = log.notes.get("batches", 0), log.steps
    same = site is not None and site == draws.site and draws.given == 1
    near = batches - draws.batches <= 3 and steps - draws.steps <= 3 and grad_mode.grad
    draws.number = draws.number + 1 if same and near else 1
    draws.site, draws.given, draws.batches, draws.steps = site, 0, batches, steps
    if draws.number == 4:
        _always_the_first(loader, site)


def _given(loader, iterator, data, seconds) -> None:
    draws = loader.__dict__.get("_fb_draws")
    if draws is not None:
        draws.given += 1
    log.notes["batches"] = log.notes.get("batches", 0) + 1
    if draws is not None and draws.number == 3 and draws.given == 1:
        draws.number = 4  # said while the third batch is given
        _always_the_first(loader, draws.site)


def _always_the_first(loader, site) -> None:
    call = site.expression()
    if not isinstance(call, ast.Call) or not _is_iter(call.func) or not hasattr(loader.dataset, "__getitem__"):
        return
    try:
        batches, samples = len(loader), len(loader.dataset)
    except TypeError:
        return
    sampler = loader.sampler
    plain = loader.batch_sampler is None or library_class(loader.batch_sampler) == "BatchSampler"
    if batches < 2 or not plain:
        return
    name = follow.name_of(loader, "loader")
    if library_class(sampler) == "SequentialSampler":
        found(
            "FB-LOOP-05",
            saw=f"3 new iterators of `{name}` were made on one line, and only the first batch was taken from each",
            why=f"without shuffle that is always the same {min(loader.batch_size or 1, samples)} of {samples} samples",
            fix=f"iterate: `for batch in {name}:`",
            at=site,
        )
    elif library_class(sampler) == "RandomSampler":
        found(
            "FB-LOOP-05",
            level="H",
            saw=f"3 new iterators of `{name}` were made on one line, and only the first batch was taken from each",
            why="epochs never finish, samples come more than once before others come at all, and workers start again "
            "for each batch",
            fix=f"iterate: `for batch in {name}:`",
            at=site,
        )


def _is_iter(function: Any) -> bool:
    return getattr(function, "id", None) == "iter" or getattr(function, "attr", None) == "__iter__"


follow.backward_begins += [_added_to_used, _order, _fresh]
follow.backward_ended += [_reached, _no_step, _had_gradients]
follow.cleared += [_no_calls, _edited]
follow.steps += [_counts_uses, _erased]
follow.stepped.append(_marks_used)
events.before_backward_early.append(_by_hand_begins)
events.after_backward_early.append(_by_hand_ended)
events.clipped.append(_clips)
events.loader_started.append(_starts)
events.batch_given.append(_given)
