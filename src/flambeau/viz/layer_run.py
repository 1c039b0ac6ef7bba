"""Runs a model for a summary: which modules are called, in which order, and what each costs, keeps and takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd.engine import LEAF, next_number
from ..language import text as _
from ..nn import Embedding, EmbeddingBag, Module
from ..tensor import Tensor
from .layer_info import LayerInfo, arranged, size_of, with_containers
from .products import counted
from .tracing import tensors_in

RUNS, ENOUGH = 3, 1.0  # timed runs at most; seconds after which there are no more


def places(model: Module) -> dict[int, LayerInfo]:
    """Where each module lies in the model, by id; of a module that has several places, the last (as in torchinfo)."""
    found: dict[int, LayerInfo] = {}

    def visit(module: Module, var_name: str, name: str, parent: LayerInfo | None, above: set[int]) -> None:
        found.pop(id(module), None)
        info = LayerInfo(module, var_name, name, 0 if parent is None else parent.depth + 1, parent)
        found[id(module)] = info
        for key, child in module._modules.items():
            if child is not None and id(child) not in above:
                visit(child, key, f"{name}.{key}" if name else key, info, above | {id(child)})

    visit(model, type(model).__name__, "", None, {id(model)})
    return found


def not_run(model: Module) -> list[LayerInfo]:
    """The rows of a model without a forward pass: every module, in the order of its registration."""
    return arranged(list(places(model).values()))


@contextmanager
def hooks(where: dict[int, LayerInfo], enter: Callable[..., None], leave: Callable[..., None]) -> Iterator[None]:
    """Call `enter(module, args, kwargs)` and `leave(module, args, kwargs, output)` around the calls of all modules."""
    handles = []
    try:
        for info in where.values():
            handles.append(info.module.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(info.module.register_forward_hook(leave, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


class Counting:
    """One forward pass, as hooks on every module see it.

    Attributes: rows: the calls, in order; stack: the calls that have begun and not ended; spans: (number of the next
    node of the graph, row) wherever another module's operations begin.
    """

    def __init__(self, where: dict[int, LayerInfo]):
        self.where = where
        self.rows: list[LayerInfo] = []
        self.stack: list[LayerInfo] = []
        self.spans: list[tuple[int, LayerInfo]] = []

    def enter(self, module: Module, args: tuple, kwargs: dict) -> None:
        """A call begins."""
        place = self.where[id(module)]
        info = LayerInfo(module, place.var_name, place.name, place.depth, place.parent_info)
        info.input_size = size_of(args)[0] or size_of(kwargs)[0]
        self.rows.append(info)
        self.stack.append(info)
        self.spans.append((next_number(), info))

    def leave(self, module: Module, args: tuple, kwargs: dict, output: Any) -> None:
        """A call ends."""
        while self.stack:
            info = self.stack.pop()
            if info.module is module:  # others were left by an exception that the model caught
                info.executed = True
                info.output_size, info.output_bytes = size_of(output)
                break
        if self.stack:
            self.spans.append((next_number(), self.stack[-1]))

    def multiply_adds(self, count: int) -> None:
        """An operation of the innermost call has run."""
        self.stack[-1].macs += count


class Timing:
    """The times of the calls of one forward pass: [module, seconds] in the order in which they began."""

    def __init__(self) -> None:
        self.calls: list[list] = []
        self.stack: list[tuple[list, float]] = []

    def enter(self, module: Module, args: tuple, kwargs: dict) -> None:
        """A call begins."""
        call = [module, None]
        self.calls.append(call)
        self.stack.append((call, time.perf_counter()))

    def leave(self, module: Module, args: tuple, kwargs: dict, output: Any) -> None:
        """A call ends."""
        now = time.perf_counter()
        while self.stack:
            call, start = self.stack.pop()
            if call[0] is module:
                call[1] = now - start
                break


def run(model: Module, args: list, kwargs: dict, put_back) -> list[LayerInfo]:
    """The rows of a model, from a pass that counts and passes that are timed.

    Arguments:
        args, kwargs: what the model is called with.
        put_back: called between the passes, so that each begins as the first did.
    Raises what the model raises, with a note that says in which layer.
    """
    where = places(model)
    counting = Counting(where)
    try:
        with hooks(where, counting.enter, counting.leave), counted(counting.multiply_adds):
            output = model(*args, **kwargs)
    except Exception as error:
        if counting.stack:  # else the model cannot be called in this way
            error.add_note(failure(counting))
        raise
    keep_counts(counting, output, [*args, *kwargs.values()])
    del output
    for info in counting.rows:
        if info.is_leaf_layer and not info.macs and not isinstance(info.module, (Embedding, EmbeddingBag)):
            # Weights that are in no product (normalisation, PReLU): once for each sample, as torchinfo counts.
            sizes = [p.numel() for name, p in info.module._parameters.items() if p is not None and name in _WEIGHTS]
            info.macs = sum(sizes) * info.output_size[0] if info.output_size else 0
    rows = arranged(with_containers(counting.rows))
    if not any(t.is_meta for _, t in tensors_in([*args, *kwargs.values()])):  # where nothing is computed
        take_times(model, args, kwargs, counting.rows, where, put_back)
    return rows


_WEIGHTS = ("weight", "bias")


def failure(seen: Counting) -> str:
    """Where a forward pass has failed."""
    info = seen.stack[-1]
    name = info.name or "forward"
    note = (
        _(f"The forward pass failed in `{name}` ({info.class_name}), whose input has shape {info.input_size}.")
        if info.input_size
        else _(f"The forward pass failed in `{name}` ({info.class_name}).")
    )
    done = [row.name for row in seen.rows if row.executed]
    return f"{note}\n{_(f'The last layer that ran before is `{done[-1]}`.')}" if done else note


def take_times(model: Module, args: list, kwargs: dict, rows: list[LayerInfo], where: dict, put_back) -> None:
    """Give each call the median of the times that it took in passes in which nothing else is looked at."""
    passes: list[list[list]] = []
    begun = time.perf_counter()
    while not passes or len(passes) < RUNS and time.perf_counter() - begun < ENOUGH:
        put_back()
        timing = Timing()
        with hooks(where, timing.enter, timing.leave):
            model(*args, **kwargs)
        passes.append(timing.calls)
    put_back()
    order = [row.module for row in rows]
    passes = [calls for calls in passes if [module for module, _ in calls] == order]  # not those that took another way
    for row, *calls in zip(rows, *passes):
        found = [seconds for _, seconds in calls if seconds is not None]
        row.seconds = statistics.median(found) if found else None


# ------------------------------------------------------------------------------------------ what the graph keeps


def keep_counts(seen: Counting, output: Any, given: list) -> None:
    """Add to each row what its operations keep for the backward pass: memory that nothing else holds, once."""
    met = {id(_memory(t._array)) for _, t in tensors_in(given)}
    for info in seen.where.values():
        for t in (*info.module._parameters.values(), *info.module._buffers.values()):
            if t is not None:
                met.add(id(_memory(t._array)))
    at = 0
    for node in nodes(output):
        while at + 1 < len(seen.spans) and seen.spans[at + 1][0] < node.seq:
            at += 1
        for array in kept(node):
            memory = _memory(array)
            if id(memory) not in met:
                met.add(id(memory))
                seen.spans[at][1].saved_bytes += memory.nbytes


def nodes(output: Any) -> list:
    """The nodes of the graph behind a model's output, in the order of their creation."""
    found: dict[int, Any] = {}
    ahead = [t.grad_fn for _, t in tensors_in(output) if t.grad_fn is not None]
    while ahead:
        node = ahead.pop()
        if id(node) not in found:
            found[id(node)] = node
            ahead += [edge[0] for edge in node.edges if edge is not None and edge[1] != LEAF]
    return sorted(found.values(), key=lambda node: node.seq)


def kept(node: Any) -> Iterator[np.ndarray]:
    """The arrays that a node keeps for the backward pass."""
    saved = getattr(node, "saved", None)
    held = [entry[0] for entry in saved.values()] if isinstance(saved, dict) else []
    held += [entry[0] for entry in getattr(getattr(node, "ctx", None), "_kept", None) or () if entry is not None]
    for thing in (*held, *getattr(node, "options", {}).values()):
        if isinstance(thing, Tensor):
            yield thing._array
        elif isinstance(thing, np.ndarray):
            yield thing


def _memory(array: np.ndarray) -> np.ndarray:
    """The array that owns the memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
