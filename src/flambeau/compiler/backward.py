"""Results that take their graph with them: the backward pass is recorded too, as a second program, and becomes a node.

A compiled module is called inside an eager step: its result needs gradients, and `loss.backward()` comes later. So the
recording goes on through the gradients of all leaves and arguments that the result depends on; memory that the second
program reads and the first one makes belongs to the node, one set for each call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..autograd.engine import FREED, LEAF, Node, edge_of, run
from ..autograd.function import _FunctionNode
from ..autograd.mode import state
from ..errors import GradientError
from ..kernels import record
from ..tensor import Tensor, wrap
from .program import Buffer, Map, Region
from .recorder import Recorder
from .symbolic import trace


class HasHooks(Exception):
    """Hooks and backward methods in Python would run once more when a step is recorded."""


@dataclass
class Backward:
    """What was recorded after the function had returned."""

    outputs: list[Tensor]
    targets: list[Tensor]  # leaves and arguments that get gradients
    seeds: list[np.ndarray]  # the gradient of each output
    grads: list[Any]
    start: int  # number of nodes before it
    reaching: list[set[int]]  # of each target: the numbers of the outputs whose gradients flow to it
    regions: list[Region | None] = field(default_factory=list)


def tensors_of(result: Any) -> list[Tensor]:
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, list | tuple):
        return [t for x in result for t in tensors_of(x)]
    if isinstance(result, dict):
        return [t for x in result.values() for t in tensors_of(x)]
    return []


def _reached(output: Tensor, ends: set[int], found: dict[int, Tensor]) -> set[int]:
    """Ids of the tensors that a result's gradient flows to; leaves are added to `found`."""
    stack: list = [output._node]
    seen: set[int] = set()
    leaves: set[int] = set()
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if id(node) in ends:
            leaves |= {key for key, t in found.items() if t._node is node}
            continue
        if node.pre_hooks or node.post_hooks or node.retained or isinstance(node, _FunctionNode):
            raise HasHooks
        for edge in node.edges:
            if edge is not None and edge[1] == LEAF:
                found[id(edge[0])] = edge[0]
                leaves.add(id(edge[0]))
            elif edge is not None:
                stack.append(edge[0])
    return leaves


def record_backward(recorder: Recorder, arguments: list[Tensor], result: Any) -> Backward | None:
    """Record the gradients of a function's result, or None where it has no graph that lasts."""
    outputs = list({id(t): t for t in tensors_of(result) if t._rg and t._node is not None}.values())
    mine = {id(t) for t in arguments}
    outputs = [t for t in outputs if id(t) not in mine and not spent(t._node)]
    if not outputs:
        return None
    found = {id(t): t for t in arguments if t._rg}
    ends = {id(t._node) for t in found.values() if t._node is not None}
    reached = [_reached(t, ends, found) for t in outputs]
    targets = list(found.values())
    if any(t._hooks or t._post_hooks or t._accumulate for t in targets):
        raise HasHooks
    seeds = [np.ones(t._array.shape, t._array.dtype) for t in outputs]
    for seed in seeds:
        recorder.region(seed)
    start = len(recorder.nodes)
    grads = run(outputs, [wrap(s) for s in seeds], retain_graph=True, targets=targets)
    reaching = [{i for i, leaves in enumerate(reached) if id(t) in leaves} for t in targets]
    made = Backward(outputs, targets, seeds, grads, start, reaching)
    taken: set[Buffer] = {recorder.region(s).buffer for s in seeds}
    for t, g in zip(targets, grads or ()):
        if g is None:
            made.regions.append(None)
            continue
        region = recorder.region(g._array)
        whole = region.dense and region.offset == 0 and region.size * region.dtype.itemsize == region.buffer.size
        first = any(region.buffer is r.buffer for n in recorder.nodes[:start] for r in (*n.reads, *n.writes))
        if region.buffer.origin != "made" or region.buffer in taken or first or not whole:
            copy = np.empty(t._array.shape, t._array.dtype)
            body, result_value = trace(record.unchanged, [g._array], copy.dtype)
            write = recorder.made(copy)
            recorder.kept.append(copy)
            recorder.nodes.append(Map([region], [write], "copy", copy.shape, body, [result_value], [], [None], [()]))
            region = write
        taken.add(region.buffer)
        made.regions.append(region)
    return made


def spent(node: Any) -> bool:
    """Whether the graph behind a node has been used up by a backward pass."""
    stack, seen = [node], set()
    while stack:
        n = stack.pop()
        if n is None or id(n) in seen:
            continue
        seen.add(id(n))
        if getattr(n, "saved", 0) is None and hasattr(n, "op") or isinstance(n, CompiledStep):
            return True
        stack += [e[0] for e in n.edges if e is not None and e[1] != LEAF]
    return False


class CompiledStep(Node):
    """Stands for the graph of a compiled step whose backward pass has been run in it."""

    def pull(self, g: Any, wanted: Any) -> Any:
        raise GradientError(FREED, why="the compiled step has run backward() itself",
                            fix="call `backward()` either inside the step or outside of it")  # fmt: skip


class CompiledBackward(Node):
    """The node of a compiled function's results: its gradients are the second program of the recording."""

    step: Any
    arrays: Any = None
    versions: Any = ()

    def release(self) -> None:
        """Give the memory back for the next call."""
        if self.arrays is not None:
            self.step.give_back(self.arrays)
            self.arrays = None

    def pull(self, g: Any, wanted: Any) -> Any:
        if self.arrays is None:
            raise GradientError(
                FREED,
                why="the memory of the compiled function's values was given back by the first backward pass",
                fix="call `backward()` once on the sum of the losses, or use `retain_graph=True` the first time",
            )
        if state.grad:
            raise GradientError(
                "torch.compile does not support gradients of gradients",
                why="the backward pass of a compiled function is compiled too, and records nothing",
                fix="call the function without torch.compile where `create_graph=True` is needed",
            )
        for cell, version in self.versions:
            if cell[0] != version:
                raise GradientError(
                    "one of the variables needed for gradient computation has been modified by an inplace operation: "
                    f"a tensor is at version {cell[0]}; expected version {version} instead.",
                    why="the compiled function keeps its arguments and parameters for its gradient",
                    fix="call `backward()` before the optimizer's step, or use `clone()` before changing a "
                    "tensor in place",
                )
        return self.step.pull(self, [g] if self.outputs == 1 else g)


def edges_to(targets: list[Any]) -> list:
    """The edges that lead to tensors (or None)."""
    return [None if t is None else edge_of(t) for t in targets]
