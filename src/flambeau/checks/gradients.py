"""Rules about gradients that do not arrive or are zero (FB-GRAD-04 to 07).

They look at the first steps of an optimizer and the first backward passes only, and when `.grad` of a tensor that is no
leaf is read.
"""

from __future__ import annotations

import ast
import sys
from typing import Any

import numpy as np

from ..place import user_frame
from . import cuts, events
from .findings import found, seen
from .flow import NOT_KNOWN, is_module, root_at
from .inplace import operand_of, spot_of
from .log import leaf_ids, log
from .registry import name_of, parameters
from .sites import user_site

# ---------------------------------------------------------------------- FB-GRAD-04: parameters without a gradient


def note_backward(roots):
    """Remember where backward() was called last, and on what."""
    site = user_site()
    log.notes["FB-GRAD-04"] = site, log.backwards


events.before_backward_early.append(note_backward)


def missing(optimizer, state):
    """Parameters of an optimizer that no gradient has reached in its first two steps; again after twenty."""
    if state.steps not in (1, 2, 20) or state.closure:
        return
    params = [p for g in optimizer.param_groups for p in g["params"] if p._rg]
    without = {id(p) for p in params if p._grad is None}
    if state.backwards_at_step == log.backwards or not without:
        state.notes["FB-GRAD-04"] = set()
        return
    before = state.notes.get("FB-GRAD-04")
    still = without if before is None else without & before
    state.notes["FB-GRAD-04"] = still
    if state.steps == 20:
        if still and len(still) < len(params) and not seen("FB-GRAD-04"):
            _unused([p for p in params if id(p) in still])
        return
    if still and (state.steps == 2 or len(still) == len(params)):
        _cut_off([p for p in params if id(p) in still], state)


events.before_step_early.insert(0, missing)


def _cut_off(params, state):
    """Report the cut that keeps gradients from parameters, if one is found on the way from the loss to them."""
    site, when = log.notes.get("FB-GRAD-04", (None, 0))
    root = root_at(site, user_frame(sys._getframe()))
    if root is None:
        return
    events_ = cuts.recent(when - 1)
    ids = {id(p) for p in params}

    def leads(event, step):
        """Whether a cut is on the way to one of the parameters."""
        if event is not None:
            return event.leaves is not None and not ids.isdisjoint(event.leaves)
        return any(id(p) in ids for m in _called(step) for p in parameters(m))

    cut = cuts.find(root, events_, leads)
    if cut is None:
        return
    behind = ids & cut.event.leaves if cut.event is not None else ids
    names = [name_of(p) for p in params if id(p) in behind]
    listed = ", ".join(names[:3])
    text, line, fixed, mark = cut.text, cut.site.line, cut.fixed(), _marked(cut)
    found(
        "FB-GRAD-04",
        saw=f"{len(names)} trainable parameters that were used have no gradient at step {state.steps}: {listed}..."
        if len(names) > 3
        else f"{listed} was used, but has no gradient at step {state.steps}"
        if len(names) == 1
        else f"{listed} were used, but have no gradient at step {state.steps}",
        why=f"`{text}` on line {line} cuts the graph on the way to `{root.name}`: what lies before it never learns",
        fix=f"keep the computation in tensors that are recorded: write `{fixed}`, and leave out `{mark}`"
        if fixed and mark
        else f"keep the computation in tensors that are recorded: write `{fixed}`, and `{cut.then}`"
        if fixed and cut.then
        else f"keep the computation in tensors that are recorded: write `{fixed}`"
        if fixed
        else f"take the computation out of `{text}`, or set requires_grad=False if they are not to learn"
        if cut.cause == "no_grad"
        else "use `.rsample()`, whose result is a function of the parameters; where there is none, use the "
        "log-probability of the sample in the loss"
        if cut.cause == "sample"
        else f"leave out what `{text}` makes a new tensor of: the tensor itself has the graph",
        cause="cut",
        # In a branch, or under no_grad for a part of the model, it may well be meant.
        level="H" if cut.cause == "no_grad" or (cut.step is not None and cut.step.maybe) else "W",
        at=cut.site,
        parameters=names,
    )


def _marked(cut) -> str:
    """The statement after a cut that sets requires_grad on its result; "" if there is none."""
    source = cut.step.scope.source if cut.step is not None else None
    for s, _, _ in source.statements if source is not None else ():
        simple = isinstance(s, (ast.Assign, ast.Expr)) and s.lineno > cut.site.line
        if simple and ("requires_grad_()" in (text := ast.unparse(s)) or "requires_grad = True" in text):
            return text
    return ""


def _called(step) -> list:
    """The modules that an expression calls."""
    found_ = []
    for call in (n for n in ast.walk(step.expression) if isinstance(n, ast.Call)):
        value: Any = step.scope.value(call.func)
        if is_module(value):
            found_.append(value)
        found_ += cuts.all_of(step.scope, call)
        own = step.scope.value(call.func.value) if isinstance(call.func, ast.Attribute) else NOT_KNOWN
        if is_module(own):
            found_.append(own)
    return found_


def _unused(params):
    """Report parameters that were never used, as a hint."""
    names = [name_of(p) for p in params]
    listed = ", ".join(names[:3])
    found(
        "FB-GRAD-04",
        saw=f"{len(names)} trainable parameters got no gradient in 20 steps, among them {listed}",
        why="the loss has not been computed from them in any of these steps",
        fix="use them in forward, or take them out of the model",
        cause="unused",
        level="H",
        parameters=names,
    )


# ---------------------------------------------------------------------- FB-GRAD-06: gradients that are zero everywhere

DRAWS = {"normal", "bernoulli"}
STEPS = DRAWS | {"round", "sign", "sgn", "floor", "ceil", "trunc", "heaviside", "floor_divide", "trunc_divide"}


def flat(roots, leaves):
    """Operations with a gradient of zero on the way to parameters that get no other: after two passes in a row."""
    nodes = events.graph(roots, 20_000)
    jumps = [n for n in nodes if getattr(getattr(n, "op", None), "name", "") in STEPS]
    seen_before = log.notes.get("FB-GRAD-06", set())
    log.notes["FB-GRAD-06"] = now = set()
    if not jumps or not np.any(roots[0]._array):
        return
    by_id = {id(t): t for t in leaves}
    for node in jumps:
        behind = [by_id[i] for i in leaf_ids(node) if i in by_id]
        key = node.op.name, frozenset(map(id, behind))
        if behind and not any(t._grad is None or np.any(t._grad._array) for t in behind):
            now.add(key)
            if key in seen_before:
                (_drawn if node.op.name in DRAWS else _no_slope)(node, behind)


events.after_backward_early.append(flat)


def _drawn(node, behind):
    site, _ = log.notes.get("FB-GRAD-04", (None, 0))
    root, op = root_at(site, user_frame(sys._getframe())), node.op.name
    spot = spot_of(root, op) if root is not None else None
    name, n = name_of(behind[0]), len(behind)
    first, second = [ast.unparse(e) if e is not None else "" for e in (operand_of(spot, 0), operand_of(spot, 1))]
    found(
        "FB-GRAD-06",
        saw=f"{op}() (line {spot.line}) draws numbers, and its gradient is zero, so {name} gets exactly 0"
        if spot is not None
        else f"{op}() draws numbers, and its gradient is zero, so {name} gets exactly 0",
        why=f"all {n} parameters before it are reached through the numbers drawn alone",
        fix=f"write the sample as a function of its parameters: `{first} + {second} * torch.randn_like({first})`"
        if op == "normal" and first and second
        else "write the sample as a function of its parameters: `mean + std * torch.randn_like(mean)`"
        if op == "normal"
        else f"use a straight-through estimator: `p = {first}`, then `p + (torch.bernoulli(p) - p).detach()`"
        if first
        else "use a straight-through estimator: `p + (torch.bernoulli(p) - p).detach()`",
        cause=op,
        at=spot.site if spot is not None else site,
        parameters=[name_of(t) for t in behind[:8]],
    )


def _no_slope(node, behind):
    site, _ = log.notes.get("FB-GRAD-04", (None, 0))
    root, op = root_at(site, user_frame(sys._getframe())), node.op.name
    spot = spot_of(root, op) if root is not None else None
    name = name_of(behind[0])
    operand = operand_of(spot, 0)
    text = ast.unparse(operand) if operand is not None else "p"
    found(
        "FB-GRAD-06",
        saw=f"{op}() (line {spot.line}) has zero gradient everywhere, so {name} gets exactly 0"
        if spot is not None
        else f"{op}() has zero gradient everywhere, so {name} gets exactly 0",
        why=f"its result jumps from one value to the next, and all {len(behind)} parameters before it are reached "
        "through it alone",
        fix=f"train on `{text}` and use {op}() only to report; or use a straight-through estimator: "
        f"`{text} + ({spot.text} - {text}).detach()`"
        if spot is not None and isinstance(operand, (ast.Name, ast.Attribute))
        else f"train on `{text}` and use {op}() only to report; or use a straight-through estimator: "
        f"`p = {text}`, then `p + (p.{op}() - p).detach()`"
        if operand is not None
        else f"train on its input and use {op}() only to report; or use a straight-through estimator: "
        f"`p + (p.{op}() - p).detach()`",
        cause=op,
        at=spot.site if spot is not None else site,
        parameters=[name_of(t) for t in behind[:8]],
    )
