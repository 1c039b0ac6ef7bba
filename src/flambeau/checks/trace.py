"""Follows a value that is not finite through the graph, from a loss to the operation that made it first.

What nodes have kept for their gradients gives most values; the others are computed again where everything that they
depend on is known. No random number is drawn, and nothing is recorded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import events

MASKS = {"masked_fill", "where", "triu", "tril", "masked_scatter", "index_put", "constant_pad_nd"}  # -inf by intention
RANDOM = ("dropout", "bernoulli", "rand", "normal", "exponential", "poisson", "uniform", "geometric", "cauchy")


class Culprit(NamedTuple):
    """Where something that is not finite came from.

    node: the operation (None if it came in with a leaf); op: its name; inputs: the arrays it worked on (None if
    unknown); output: what it gave (None if unknown); leaf: the leaf or constant that was not finite already; options.
    """

    node: Any
    op: str
    inputs: list
    output: Any
    leaf: Any = None
    sure: bool = True

    @property
    def options(self) -> dict:
        """The options of the operation."""
        return getattr(self.node, "options", {})


def _name(node) -> str:
    """The name of a node's operation; "" for nodes that are no primitive's."""
    return getattr(getattr(node, "op", None), "name", "")


def finite(a: Any) -> bool:
    """Whether all values of an array are finite; True for what has no floating-point values."""
    return not (isinstance(a, np.ndarray) and a.dtype.kind in "fc") or bool(np.isfinite(a).all())


def has_nan(a: Any) -> bool:
    """Whether an array has a NaN."""
    return isinstance(a, np.ndarray) and a.dtype.kind in "fc" and bool(np.isnan(a).any())


class Values:
    """The values of the results in a graph, as far as they can be known."""

    def __init__(self, root):
        self.made: dict = {}  # (id of a node, number of the result) -> array, or None if it cannot be known
        self.given: dict = {}  # (id of a node, number of the input) -> array, for inputs that are not in the graph
        self.nodes = events.graph([root])
        if root._node is not None:
            self.made[id(root._node), root._index] = root._array
        for node in self.nodes:
            for key, (t, version, unpack) in (getattr(node, "saved", None) or {}).items():
                array = getattr(t, "_array", None)
                if unpack is not None or array is None or (t._cell[0] if t._cell else 0) != version:
                    continue
                if key < 0:
                    self.made[id(node), ~key] = array
                elif key < len(node.edges) and (edge := node.edges[key]) is not None and edge[1] != -1:
                    self.made.setdefault((id(edge[0]), edge[1]), array)
                else:
                    self.given[id(node), key] = array

    def input(self, node, i) -> Any:
        """The array of an input of a node; None if it is not known."""
        edge = node.edges[i]
        if edge is None:
            return self.given.get((id(node), i))
        return edge[0]._array if edge[1] == -1 else self.output(edge[0], edge[1])

    def output(self, node, index, depth: int = 0) -> Any:
        """The array of a result of a node; None if it is not known."""
        key = id(node), index
        if key not in self.made:
            self.made[key] = None
            self.made[key] = self._again(node, index, depth)
        return self.made[key]

    def _again(self, node, index, depth) -> Any:
        op = getattr(node, "op", None)
        if op is None or depth > 60 or any(word in op.name for word in RANDOM):
            return None
        arrays = []
        for i, edge in enumerate(node.edges):
            if edge is not None and edge[1] != -1:
                arrays.append(self.output(edge[0], edge[1], depth + 1))
            else:
                arrays.append(self.input(node, i))
        if any(a is None for a in arrays):
            return None
        try:
            with np.errstate(all="ignore"):
                found = op.forward(*arrays, **node.options)
        except Exception:  # it needs what is not known here
            return None
        found = found[index] if isinstance(found, tuple) else found
        return np.asarray(found) if isinstance(found, (np.ndarray, np.generic)) else None


def culprit(root) -> Culprit | None:
    """The operation whose inputs are finite and whose output is not, behind a root that is not finite."""
    if root._node is None:
        return None
    values = Values(root)
    node, nan, seen = root._node, has_nan(root._array), set()
    index = root._index
    while True:
        seen.add(id(node))
        step = _worst(values, node, nan, seen)
        if step is None:
            break
        if step[1] is None:
            return Culprit(None, _name(node), [], None, leaf=step[0])
        node, index = step
        known = values.output(node, index)
        nan = has_nan(known) if known is not None else nan
    inputs = [values.input(node, i) for i in range(len(node.edges))]
    op = _name(node) or type(node).__name__.removesuffix("Backward")
    return Culprit(node, op, inputs, values.output(node, index))


def _worst(values, node, nan, seen):
    """(node, result) of the input to follow, or (array, None) for a leaf; None if all inputs are fine."""
    unknown, bad = None, []
    softmax = _name(node) in ("softmax", "log_softmax")
    for i, edge in enumerate(node.edges):
        a = values.input(node, i)
        inside = edge is not None and edge[1] != -1
        if a is None:
            masked = softmax and inside and _name(edge[0]) in MASKS
            if inside and id(edge[0]) not in seen and not masked and not _explains(values, node):
                unknown = edge
            continue
        if finite(a) or _meant(edge, inside, a, node):
            continue
        bad.append((has_nan(a), edge[:2] if inside and id(edge[0]) not in seen else (edge[0] if edge else a, None)))
    if bad:
        bad.sort(key=lambda b: not b[0])
        return bad[0][1]
    return unknown[:2] if unknown is not None else None


def _meant(edge, inside, a, node) -> bool:
    """Whether -inf was put in on purpose: a mask, before a softmax or an addition."""
    if not np.isneginf(a[~np.isfinite(a)]).all():
        return False
    if not inside:  # a constant mask
        return edge is None
    op = _name(edge[0])
    if op in MASKS:
        return True
    if op in ("add", "sub", "expand", "view", "reshape", "unsqueeze", "permute", "transpose", "div", "mul", "to"):
        return any(e is not None and e[1] != -1 and _name(e[0]) in MASKS for e in edge[0].edges) or (
            op == "add" and any(e is None for e in edge[0].edges)
        )
    return False


def _explains(values, node) -> bool:
    """Whether a node's known inputs are reason enough for what is not finite."""
    op = _name(node)
    last = values.input(node, len(node.edges) - 1)
    if op == "div" and last is not None:
        return bool((np.asarray(last) == 0).any())
    return False
