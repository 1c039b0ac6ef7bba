"""A model's modules, the operations between them, and what goes from where to where, as plain data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from ..errors import MissingKey
from .tracing import Step, Trace, trace


@dataclasses.dataclass
class ModuleNode:
    """One module that was called, operation that ran, or tensor that came in.

    Attributes:
        name: unique: the dotted name of a module (`layer1.0.conv1`), the module's name and the operation's
            (`layer1.0.add`), the name of an input, output or parameter. A second one of the same name ends in `#2`.
        kind: "module", "op", "input", "output", "parameter", "buffer" or "constant".
        op: the class of a module, or the name of an operation.
        inputs: the names of the nodes whose results go in.
        shapes, dtypes: of its results.
        module: the module itself, for one.
        details: what the module's printed form says, such as `in_features=2, out_features=8, bias=True`.
    """

    name: str
    kind: str
    op: str
    inputs: list[str]
    shapes: list[tuple[int, ...]]
    dtypes: list[str]
    module: Any = None
    details: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of its first result."""
        return self.shapes[0] if self.shapes else ()


@dataclasses.dataclass
class ModuleGraph:
    """The nodes in the order in which they ran; result: what the model returned."""

    nodes: list[ModuleNode]
    result: Any = None

    @property
    def edges(self) -> list[tuple[str, str]]:
        """(from, to) pairs of names."""
        return [(source, node.name) for node in self.nodes for source in node.inputs]

    def __getitem__(self, name: str) -> ModuleNode:
        for node in self.nodes:
            if node.name == name:
                return node
        raise MissingKey(
            f"the graph has no node {name!r}",
            why=f"it has {len(self.nodes)} nodes, with the dotted names of modules",
            fix="see `[node.name for node in graph]` for the names",
        )

    def __iter__(self) -> Iterator[ModuleNode]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        rows = [(n.name, n.op, str(n.shape), ", ".join(n.inputs)) for n in self.nodes]
        wide = [max(map(len, column)) for column in zip(*rows)][:3]
        return "\n".join(
            "  ".join([*(cell.ljust(w) for cell, w in zip(row, wide)), f"<- {row[3]}" if row[3] else ""]).rstrip()
            for row in rows
        )


def module_graph(model: Any, inputs: Any, kwargs: dict | None = None, mode: str = "eval") -> ModuleGraph:
    """The layers of a model and the operations between them, as they ran for one input.

    The model runs once, without gradients; it, its buffers and the random state are afterwards as they were.

    Arguments:
        model: an `nn.Module`.
        inputs: what it is called with: a tensor, a tuple of arguments, or a dict of keyword arguments.
        kwargs: further keyword arguments.
        mode: "eval" or "train", or "same" for the mode that the modules are in.

    Raises what the model's forward raises.

    >>> import flambeau as torch
    >>> from flambeau.viz import module_graph
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> print(module_graph(model, torch.ones(4, 2)))
    input   input   (4, 2)
    0       Linear  (4, 8)  <- input
    1       ReLU    (4, 8)  <- 0
    2       Linear  (4, 1)  <- 1
    output  output  (4, 1)  <- 2
    """
    found = trace(model, inputs, kwargs, mode)
    steps = [*found.inputs, *leaves(found.root, needed(found)), *found.outputs]
    names = _unique(steps)
    nodes = []
    for step in steps:
        op = "input" if step.kind == "input" else step.kind if step.kind == "output" else step.label
        nodes.append(
            ModuleNode(
                names[step],
                step.kind,
                op,
                [names[source] for source, _ in step.sources if source in names],
                [shape for shape, _ in step.shapes],
                [dtype.name for _, dtype in step.shapes],
                step.module,
                step.module.extra_repr() if step.module is not None else "",
            )
        )
    return ModuleGraph(nodes, found.result)


def leaves(step: Step, wanted: set[Step]) -> list[Step]:
    """The innermost steps of a call, in order, leaving out operations that nothing comes from."""
    if not step.steps:
        return [step]
    return [leaf for s in step.steps if s in wanted for leaf in leaves(s, wanted)]


def needed(found: Trace) -> set[Step]:
    """The steps that are worth showing: all modules, and what leads to one or to an output."""
    wanted: set[Step] = set()
    stack = [s for s in _all(found.root) if s.kind == "module"] + list(found.outputs)
    if not found.outputs:
        stack += _all(found.root)
    while stack:
        step = stack.pop()
        if step not in wanted:
            wanted.add(step)
            stack += [source for source, _ in step.sources]
    return wanted


def _all(step: Step) -> list[Step]:
    return [step, *(inner for s in step.steps for inner in _all(s))]


def _unique(steps: list[Step]) -> dict[Step, str]:
    """A name for each step that no other has."""
    names: dict[Step, str] = {}
    used: dict[str, int] = {}
    for step in steps:
        name = step.path
        if step.kind in ("input", "output"):
            name = step.label
        elif not name:
            inside = step.parent.path if step.parent is not None else ""
            name = f"{inside}.{step.label}" if inside else step.label
        used[name] = count = used.get(name, 0) + 1
        names[step] = name if count == 1 else f"{name}#{count}"
    return names
