"""Optimizers followed through their first steps: what the rules about the training loop are told of each one.

While an optimizer is young (WINDOW steps), its backward passes, clearings and steps are looked at closely: `Follow`
keeps what happened between two steps. When no optimizer is young, none of this runs: the functions below are taken
out of the event lists again, so a long training pays nothing.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.engine import next_number
from ..place import user_frame
from . import events
from .log import OptimizerState, log
from .registry import parameters, real
from .sites import Site, user_site

WINDOW = 50  # steps of an optimizer that are followed
LONGEST = 1000  # backward passes, of whatever, after which it is left alone even if it stepped less

backward_begins: list[Callable] = []  # (follow, roots)
passed: list[Callable] = []  # (roots, leaves reached): every backward pass while an optimizer is young
backward_ended: list[Callable] = []  # (follow, roots, leaves reached), for backward passes that reach its parameters
cleared: list[Callable] = []  # (follow): zero_grad() of the optimizer or of a module that holds its parameters
steps: list[Callable] = []  # (follow), before the step
stepped: list[Callable] = []  # (follow), after it
done: list[Callable] = []  # (follow): its WINDOW steps are over


class Follow:
    """What happened to one young optimizer."""

    def __init__(self, optimizer, state: OptimizerState):
        self._optimizer = weakref.ref(optimizer)
        self.state = state
        self.made = state.made
        self.born = log.backwards, log.steps  # when it was made
        self.ids: set[int] = set()  # of its parameters
        self.groups = -1
        self.backwards = 0  # backward passes that reached its parameters since its last step
        self.total = 0  # and since it was made
        self.seen = 0  # backward passes of whatever kind
        self.others = log.steps  # optimizer steps of all optimizers at its last step
        self.zero_site: Site | None = None  # the last clearing after the last backward pass that reached it
        self.backward_site: Site | None = None
        self.number = next_number()  # graph nodes with a smaller number were there at its last step
        self.number_backward = self.number  # and at the last backward pass that reached it
        self.notes: dict[str, Any] = {}  # what rules remember

    @property
    def optimizer(self) -> Any:
        """The optimizer, None once it is gone."""
        return self._optimizer()

    @property
    def params(self) -> list:
        """Its parameters."""
        optimizer = self.optimizer  # which the garbage collector may take between two rules
        found = [] if optimizer is None else [p for g in optimizer.param_groups for p in g["params"]]
        if len(found) != self.groups:
            self.groups, self.ids = len(found), {id(p) for p in found}
        return found

    @property
    def name(self) -> str:
        """The user's name for the optimizer."""
        return name_of(self.optimizer, "optimizer")

    @property
    def kind(self) -> str:
        """The optimizer's class, such as SGD."""
        return type(self.optimizer).__name__

    @property
    def alone(self) -> bool:
        """Whether no other optimizer has stepped since this one was made."""
        return log.steps - self.born[1] == self.state.steps


def following() -> list[Follow]:
    """The optimizers that are followed at present."""
    found = log.notes.get("follow")
    if found is None:
        found = log.notes["follow"] = []
    return found


def follow_of(optimizer) -> Follow | None:
    """The Follow of an optimizer; None if it is not young any more."""
    return next((f for f in following() if f.optimizer is optimizer), None)


# ------------------------------------------------------------------ what the event lists call


def _made(optimizer, state):
    followed = following()
    followed[:] = [f for f in followed if f.optimizer is not None]
    followed.append(Follow(optimizer, state))
    _install()


def _begins(roots):
    for f in _young():
        f.seen += 1
        if f.seen > LONGEST:
            following().remove(f)
            if not following():
                _uninstall()
            continue
        for rule in backward_begins:
            rule(f, roots)


def _ended(roots, leaves):
    ids = {id(t) for t in leaves}
    for rule in passed:
        rule(roots, leaves)
    for f in _young():
        _ = f.params
        if f.ids.isdisjoint(ids):
            continue
        f.backwards += 1
        f.total += 1
        f.zero_site = None
        f.backward_site = user_site()
        f.number_backward = next_number()
        for rule in backward_ended:
            rule(f, roots, leaves)


def _zeroed(optimizer, state):
    f = follow_of(optimizer)
    if f is not None:
        f.zero_site = user_site()
        for rule in cleared:
            rule(f)


def _module_zeroed(module):
    ids = {id(p) for p in parameters(module)}
    for f in _young():
        _ = f.params
        if not f.ids.isdisjoint(ids):
            f.zero_site = user_site()
            for rule in cleared:
                rule(f)


def _steps(optimizer, state):
    f = follow_of(optimizer)
    if f is not None:
        for rule in steps:
            rule(f)
        f.number = next_number()
        f.backwards = 0


def _stepped(optimizer, state):
    f = follow_of(optimizer)
    if f is not None:
        for rule in stepped:
            rule(f)
        f.others = log.steps
        if state.steps >= WINDOW:
            for rule in done:
                rule(f)
            following().remove(f)
            if not following():
                _uninstall()


def _skipped(optimizer):
    """A gradient scaler left out a step, because gradients overflowed."""
    f = follow_of(optimizer)
    if f is not None:
        f.backwards = 0
        f.notes["skipped"] = f.notes.get("skipped", 0) + 1


def _young() -> list[Follow]:
    return [f for f in following() if f.optimizer is not None]


_HOOKS = (
    (events.before_backward, _begins),
    (events.after_backward, _ended),
    (events.zeroed, _zeroed),
    (events.module_zeroed, _module_zeroed),
    (events.before_step, _steps),
    (events.after_step, _stepped),
    (events.skipped, _skipped),
)


def _install():
    for rules, rule in _HOOKS:
        events.put(rules, rule)


def _uninstall():
    for rules, rule in _HOOKS:
        events.retire(rules, rule)


events.optimizer_made.append(_made)


# ------------------------------------------------------------------ what rules look at


def print_of(array) -> bytes | None:
    """A few elements of an array as bytes, to see later whether it was changed; None for one without memory."""
    if type(array) is not np.ndarray:
        return None
    return array.flat[:: max(1, array.size // 16)].tobytes()


def empty(p) -> bool:
    """Whether a parameter has no gradient, or one that is all zero."""
    g = p._grad
    return g is None or type(g._array) is np.ndarray and not g._array.any()


def name_of(thing, default: str) -> str:
    """The variable or attribute (`opt`, `self.opt`) that the running code knows an object by."""
    frame, thing = user_frame(sys._getframe(1)), real(thing)
    while frame is not None:
        for table in (frame.f_locals, frame.f_globals):
            for name, held in list(table.items()):
                if held is thing and not name.startswith("_"):
                    return name
        holder = frame.f_locals.get("self")
        for name, held in list(getattr(holder, "__dict__", {}).items()):
            if held is thing:
                return f"self.{name}"
        frame = frame.f_back
    return default
