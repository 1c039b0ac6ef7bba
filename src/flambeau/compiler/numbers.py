"""Optimizer formulas in a compiled step: traced into maps, their numbers worked out in Python at each call."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..optim.rule import FormulaOptimizer, plain
from ..tensor import Tensor
from .program import Map, Node, Update
from .symbolic import KINDS, NotSymbolic, trace_update


class CannotReplay(Exception):
    """Why a recording has to stay with Python."""


class Numbers:
    """The numbers of an optimizer's formula for the parameters that have taken equally many steps."""

    def __init__(self, node: Update, names: tuple[str, ...]):
        self.optimizer, self.group, self.parameter = node.optimizer, node.group, node.parameter
        self.fixed = {k: v for k, v in node.numbers.items() if k not in names}
        self.counts: list[np.ndarray] = []  # the parameters' numbers of steps
        self.places: dict[str, list[tuple[np.ndarray, int]]] = {name: [] for name in names}
        self.last: dict[str, float] = {}
        self.options: Any = None  # the group as it was when the numbers were last worked out
        self.state = node.optimizer.state.get(node.parameter, {})
        self.scalars = scalars_of(node)  # what `numbers` changes itself
        self.before: list = []  # what they were

    def advance(self) -> bool:
        """Count the step and put its numbers in place; False, with nothing changed, where another formula is needed."""
        self.optimizer._opt_called = True
        if not self.counts and self.group == self.options:  # the very objects, mostly: no value is compared
            return True
        self.before = [a.copy() for a in self.scalars]
        for count in self.counts:
            count += 1
        if len({count.item() for count in self.counts}) > 1:
            self.retreat()  # another step has updated some of the parameters meanwhile
            return False
        options = {name: plain(value) for name, value in self.group.items() if name != "params"}
        values = self.optimizer.numbers(options, self.state)
        for name, value in self.fixed.items():
            if values[name] is not value and values[name] != value:
                self.retreat()
                return False
        for name in self.places:
            if values[name] == 0 or not isinstance(values[name], int | float):
                self.retreat()
                return False
        for name, places in self.places.items():
            value = float(values[name])
            if value != self.last.get(name):
                self.last[name] = value
                for words, at in places:
                    words[at] = value
        moving = any(isinstance(v, Tensor) for v in self.group.values())
        self.options = None if moving else dict(self.group)
        return True

    def retreat(self) -> None:
        """Take the count back."""
        for count in self.counts:
            count -= 1
        for scalar, value in zip(self.scalars, self.before):
            scalar[...] = value


def scalars_of(node: Update) -> list[np.ndarray]:
    """The scalars in a parameter's state, beside the count of steps, that belong to it alone."""
    if node.optimizer.by_step:
        return []
    state = node.optimizer.state.get(node.parameter, {})
    slots = node.optimizer.slots({name: plain(value) for name, value in node.group.items() if name != "params"})
    return [v._array for k, v in state.items() if k != "step" and k not in slots and isinstance(v, Tensor)]


def traced_updates(nodes: list[Node]) -> tuple[list[Node], list[tuple[int, Numbers]]]:
    """Nodes with maps in place of optimizer formulas; and the numbers to work out, each with its first place."""
    found: list[Node] = []
    prologue: list[tuple[int, Numbers]] = []
    groups: dict[Any, Numbers] = {}
    for i, node in enumerate(nodes):
        if not isinstance(node, Update):
            found.append(node)
            continue
        if not isinstance(node.optimizer, FormulaOptimizer) or not node.optimizer.elementwise:
            raise CannotReplay(f"{node.name}'s formula is not element by element")
        if len({r.dtype for r in node.reads}) > 1 or node.reads[0].dtype not in KINDS:
            raise CannotReplay(f"{node.name} updates {node.reads[0].dtype}")
        names = tuple(k for k, v in node.numbers.items() if _is_number(v))
        count = node.optimizer.state.get(node.parameter, {}).get("step")
        taken = None if count is None else float(count._array)
        key: tuple = (id(node.optimizer), id(node.group), taken, names, tuple(node.numbers.values()))
        if scalars_of(node):
            key = (*key, id(node.parameter))
        if key not in groups:
            groups[key] = Numbers(node, names)
            prologue.append((i, groups[key]))
        if count is not None:
            groups[key].counts.append(count._array)
        try:
            body, results = trace_update(node.formula, len(node.reads), names, groups[key].fixed)
        except NotSymbolic as error:
            raise CannotReplay(f"{node.name}'s formula cannot be traced: {error}") from None
        numbers = [(groups[key], name) for name in names]
        outs = len(node.writes)
        found.append(Map(node.reads, node.writes, node.name, node.reads[0].shape, body, list(results[:outs]), numbers,
                         [None] * outs, [()] * outs, origins=node.origins))  # fmt: skip
    return found, prologue


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0
