"""Runs a model for a summary: which modules are called in which order, what each costs, keeps, and how long it takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd.engine import LEAF, next_number
from ..nn import Embedding, EmbeddingBag, Module
from ..tensor import Tensor
from .layer_info import LayerInfo, arranged, size_of, with_containers
from .products import counted

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


class Pass:
    """One forward pass, as it is seen from hooks on every module.

    Attributes: rows: the calls, in order; stack: the calls that have begun and not ended, with when they did; spans:
    (number of the next node of the graph, row) wherever another module's operations begin.
    """

    def __init__(self, where: dict[int, LayerInfo]):
        self.where = where
        self.rows: list[LayerInfo] = []
        self.stack: list[tuple[LayerInfo, float]] = []
        self.spans: list[tuple[int, LayerInfo]] = []

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Watch all modules in the block."""
        handles = []
        try:
            for info in self.where.values():
                handles.append(info.module.register_forward_pre_hook(self.enter, with_kwargs=True))
                handles.append(info.module.register_forward_hook(self.leave, with_kwargs=True))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def enter(self, module: Module, args: tuple, kwargs: dict) -> None:
        """A call begins."""
        place = self.where[id(module)]
        info = LayerInfo(module, place.var_name, place.name, place.depth, place.parent_info)
        info.input_size = size_of(args)[0] or size_of(kwargs)[0]
        self.rows.append(info)
        self.spans.append((next_number(), info))
        self.stack.append((info, time.perf_counter()))

    def leave(self, module: Module, args: tuple, kwargs: dict, output: Any) -> None:
        """A call ends."""
        now = time.perf_counter()
        while self.stack:
            info, start = self.stack.pop()
            if info.module is module:  # others were left by an exception that the model caught
                info.seconds, info.executed = now - start, True
                info.output_size, info.output_bytes = size_of(output)
                break
        if self.stack:
            self.spans.append((next_number(), self.stack[-1][0]))

    def multiply_adds(self, count: int) -> None:
        """An operation of the innermost call has run."""
        self.stack[-1][0].macs += count


def run(model: Module, args: list, kwargs: dict, put_back) -> list[LayerInfo]:
    """The rows of a model, from a pass that counts and passes that are timed.

    Arguments:
        args, kwargs: what the model is called with.
        put_back: called between the passes, so that each begins as the first did.
    Raises what the model raises, with a note that says in which layer.
    """
    where = places(model)
    counting = Pass(where)
    try:
        with counting.hooks(), counted(counting.multiply_adds):
            output = model(*args, **kwargs)
    except Exception as error:
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
    set_times(counting.rows, timed(model, args, kwargs, where, put_back))
    return rows


_WEIGHTS = ("weight", "bias")


def failure(seen: Pass) -> str:
    """Where a forward pass has failed."""
    done = [info for info in seen.rows if info.executed]
    after = f" after {_named(done[-1])}" if done else ""
    if not seen.stack:
        return f"flambeau.summary: the forward pass failed{after}"
    info = seen.stack[-1][0]
    return f"flambeau.summary: the forward pass failed in {_named(info)}, whose input has shape {info.input_size}{after}"


def _named(info: LayerInfo) -> str:
    return f"{info.class_name} `{info.name}`" if info.name else f"the model's own forward ({info.class_name})"


def timed(model: Module, args: list, kwargs: dict, where: dict[int, LayerInfo], put_back) -> list[list[LayerInfo]]:
    """The rows of passes in which nothing but time is taken."""
    passes = []
    begun = time.perf_counter()
    while len(passes) < RUNS and (not passes or time.perf_counter() - begun < ENOUGH):
        put_back()
        one = Pass(where)
        with one.hooks():
            model(*args, **kwargs)
        passes.append(one.rows)
    put_back()
    return passes


def set_times(rows: list[LayerInfo], passes: list[list[LayerInfo]]) -> None:
    """Give each row the median of its times in the passes; those that called other modules are left out."""
    order = [row.layer_id for row in rows]
    same = [p for p in passes if [row.layer_id for row in p] == order]
    for i, row in enumerate(rows):
        found = [p[i].seconds for p in same if p[i].seconds is not None]
        if found:
            row.seconds = statistics.median(found)


# ------------------------------------------------------------------------------------------ what the graph keeps


def keep_counts(seen: Pass, output: Any, given: list) -> None:
    """Add to each row what its operations keep for the backward pass: memory that nothing else holds, once."""
    met = {id(_memory(t._array)) for t in _tensors(given)}
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
    ahead = [t.grad_fn for t in _tensors(output) if t.grad_fn is not None]
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


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in what a model takes or makes."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from _tensors(v)
    elif hasattr(value, "__dict__"):  # dataclasses, packed sequences
        yield from _tensors([v for v in vars(value).values() if isinstance(v, (Tensor, dict, list, tuple))])
