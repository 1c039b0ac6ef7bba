"""`make_dot`: the graph that autograd has recorded, from the parameters down to the outputs, as torchviz shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..autograd.engine import AccumulateGrad, Node
from ..checks import registry
from ..checks.graphs import no_graph
from ..errors import ArgumentTypeError, GradientError, NotSupported
from ..language import text as _
from ..nn.modules.module import Module
from ..ops.node import FREED, OpNode
from ..tensor import Tensor
from . import graph as drawing
from .lettering import printable
from .tracing import tensors_in


def make_dot(
    var: Any,
    params: Any = None,
    show_attrs: bool = False,
    show_saved: bool = False,
    max_attr_chars: int = 50,
    *,
    direction: str = "TB",
) -> drawing.Graph:
    """The autograd graph of one or several tensors: what `backward()` will go through, from the bottom upwards.

    Blue boxes are leaves that require grad: their `.grad` will be filled. Grey boxes are operations that were recorded.
    Green boxes are the outputs; a darker green one is the tensor that an output is a view of. Orange boxes are tensors
    that operations keep for backward. What needs no gradient, such as the data, does not appear.

    Arguments:
        var: a tensor, or tuples, lists and dicts of tensors.
        params: names for the blue boxes: a dict of name to tensor, pairs such as `model.named_parameters()`, or a
            module. Without it, parameters of modules have their module's names, and other leaves the names of the
            variables that hold them.
        show_attrs: also write the operations' own values (`dim`, `keepdim`) into their boxes.
        show_saved: also show the tensors that operations keep for backward. Those that a custom `Function` keeps are
            always shown.
        max_attr_chars: how much of a value is written, at most.
        direction: "TB" for downwards, "LR" for from left to right.

    Returns a `Graph`: shown as it is in a notebook; `graph.save("graph.svg")` or `graph.render("graph", format="png")`
    writes it.

    Raises RuntimeError if none of the tensors has a graph, or if `backward()` has freed what `show_saved` is to show.

    >>> import flambeau as torch
    >>> from flambeau.viz import make_dot
    >>> a, b = torch.zeros(1, requires_grad=True), torch.ones(1, requires_grad=True)
    >>> print(make_dot(a + b * torch.ones(3), params={"a": a, "b": b}))
      0  (3)  <- 1
      1  AddBackward0  <- 2, 4
      2  AccumulateGrad  <- 3
      3  a (1)
      4  MulBackward0  <- 5
      5  AccumulateGrad  <- 6
      6  b (1)
    """
    outputs = [t for _, t in tensors_in(var)]
    if not outputs:
        raise ArgumentTypeError(
            f"make_dot takes tensors, but {type(var).__name__} holds none",
            why="the graph is found through the tensors that were computed",
            fix="pass the loss, or the output of the model, not the model: `make_dot(model(x))`"
            if isinstance(var, Module)
            else "pass the loss, or the output of the model",
        )
    if not any(t.requires_grad for t in outputs):
        raise _without_graph(outputs[0])
    if not isinstance(max_attr_chars, int):
        raise ArgumentTypeError(
            f"max_attr_chars should be a whole number, but is {max_attr_chars!r}",
            why="it says how many characters of a value are written",
            fix="leave it out, or use `max_attr_chars=50`",
        )
    names = _names(params)
    made = _Builder(names, show_attrs, show_saved, max(3, max_attr_chars), direction)
    for t in outputs:
        made.output(t, "output")
    made.graph.description = made.described()
    return made.graph


def make_dot_from_trace(trace: Any) -> drawing.Graph:
    """torchviz's name for what it has given up too; its programs import it. Raises NotImplementedError."""
    raise NotSupported(
        "make_dot_from_trace is not supported: there are no traces of torch.jit",
        why="the modules and operations of a model are found by running it once",
        fix="use `flambeau.viz.draw(model, example_input)`, or `writer.add_graph(model, input)` for TensorBoard",
    )


def _without_graph(t: Tensor) -> GradientError:
    """The error for a tensor without history, with the reason where the program tells it."""
    known = no_graph(0, t)
    return GradientError(
        "there is no graph to draw: the tensor was not made by recorded operations, and does not require grad itself",
        why=known.why,  # not a message: what that error says
        fix=known.fix,  # not a message
        code=known.code,
        cause=known.cause,
    )


def _names(params: Any) -> dict[int, str] | None:
    """id of a tensor -> its name; None if they are to be found."""
    if params is None:
        return None
    if isinstance(params, Module):
        pairs: Iterable = params.named_parameters()
    elif isinstance(params, Mapping):
        pairs = params.items()
    else:
        pairs = list(params) if isinstance(params, Iterable) and not isinstance(params, (str, Tensor)) else [params]
    names = {}
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Tensor)):
            raise ArgumentTypeError(
                f"params gives names to tensors, but holds {type(pair).__name__}"
                if not isinstance(pair, tuple) or len(pair) != 2
                else f"params gives names to tensors, but {pair[0]!r} is {type(pair[1]).__name__}",
                why="each blue box is named after the tensor's name in it",
                fix="use `params=dict(model.named_parameters())`, or a dict such as `{'a': a, 'b': b}`",
            )
        names[id(pair[1])] = str(pair[0])
    return names


class _Builder:
    """Goes through the graph as torchviz does: an output, its node, and from each node to those before it."""

    def __init__(self, names: dict[int, str] | None, attrs: bool, saved: bool, most: int, direction: str):
        self.graph = drawing.Graph(_("Autograd graph"), direction=direction)
        self.names, self.attrs, self.saved, self.most = names, attrs, saved, most
        self.keys: dict[int, str] = {}  # id of a tensor or node -> key of its box
        self.boxes: set[str] = set()  # keys of the boxes that have been added
        self.held: list = []  # what has a key: ids must not be used again meanwhile
        self.found: dict[int, str] | None = None  # id of a parameter -> its name in a module

    def described(self) -> str:
        """What the picture shows, in words."""
        count = Counter(n.kind for n in self.graph.nodes)
        return _(
            f"Gradients go from the outputs (green, {count['output']}) through the operations (grey, "
            f"{count['operation']}) up to the leaves (blue, {count['parameter']})."
        )

    # ------------------------------------------------------------------ boxes

    def _key(self, thing: Any) -> str:
        """The key of the box of a tensor or node, whether it has been added or will be."""
        key = self.keys.get(id(thing))
        if key is None:
            key = self.keys[id(thing)] = f"n{len(self.keys)}"
            self.held.append(thing)
        return key

    def _tensor(self, t: Tensor, kind: str, name: str = "") -> str:
        """The key of a tensor's box, which is added if it is not there."""
        key = self._key(t)
        if key not in self.boxes:
            self.boxes.add(key)
            name = printable(name or self._name(t))
            size = f"({', '.join(map(str, t.shape))})"
            lines = [name, size] if name else [size]
            tip = f"{name} {size} {t.dtype.name}".strip()
            self.graph.add(drawing.Node(key, lines, kind, tip, name=name, shape=tuple(t.shape), mono=True))
        return key

    def _name(self, t: Tensor) -> str:
        """The name of a leaf: the one given, its name in a module, or the variable that holds it."""
        if self.names is not None:
            return self.names.get(id(t), "")
        if t.grad_fn is not None:
            return registry.variable(t)
        if self.found is None:
            self.found = {}
            for root in registry.roots():
                for name, p in root.named_parameters():
                    self.found.setdefault(id(p), name)
        return self.found.get(id(t)) or registry.variable(t)

    # ------------------------------------------------------------------ the walk

    def output(self, t: Tensor, kind: str) -> None:
        """Add an output with what leads to it, and what it is a view of."""
        while self._key(t) not in self.boxes:
            key = self._tensor(t, kind)
            if t.grad_fn is not None:
                self._nodes(t.grad_fn)
                self.graph.connect(self._key(t.grad_fn), key, line=t.output_nr)
            if not t._is_view():
                return
            self.graph.connect(self._key(t._base), key, "dotted", line="view")
            t, kind = t._base, "base"

    def _nodes(self, first: Node) -> None:
        """Add a node and all before it, depth first."""
        stack = [iter([first])]
        while stack:
            for node in stack[-1]:
                if self._key(node) not in self.boxes:
                    stack.append(iter(self._node(node)))
                    break
            else:
                stack.pop()

    def _node(self, node: Node) -> list[Node]:
        """Add the box of a node with the tensors that it holds, and the edges to it; the nodes before it."""
        key, title = self._key(node), type(node).__name__
        self.boxes.add(key)
        lines = [title, *(self._attributes(node, title) if self.attrs else [])]
        box = drawing.Node(key, lines, "operation", node.name(), name=title, op=title, mono=True)
        box.centred = len(lines) == 1
        self.graph.add(box)
        if self.saved and isinstance(node, OpNode) and node.saved is None:
            raise GradientError(
                FREED,  # not a message: the sentence of the engine
                why=f"`show_saved=True` shows what {title} keeps for backward, and `backward()` has freed it",
                fix="draw the graph before `backward()`, pass `retain_graph=True` to it, or leave `show_saved` out",
            )
        for name, t in _kept(node) if self.saved else ():
            if t.requires_grad and t.grad_fn is None:  # it has, or will have, a box of its own, above
                self.graph.connect(self._tensor(t, "parameter"), key, "plain", line="saved")
            else:
                self.graph.connect(key, self._tensor(t, "saved", name), "plain", line="saved")
        if isinstance(node, AccumulateGrad):
            self.graph.connect(self._tensor(node.variable, "parameter"), key)
        before = [(n, i) for n, i in node.next_functions if n is not None]
        for n, i in before:
            self.graph.connect(self._key(n), key, line=i)
        for t in _kept_by_function(node):
            self.graph.connect(self._tensor(t, "saved"), key, "plain", line="saved")
        return [n for n, _ in before]

    def _attributes(self, node: Node, title: str) -> list[str]:
        """Lines of a node's own values, as torchviz lays them out."""
        values = {k: str(v) for k, v in getattr(node, "options", {}).items() if not isinstance(v, Tensor)}
        values |= {name: f"{t.item():g}" for name, t in _held(node) if _is_number(node, t)}
        values |= dict.fromkeys((name for name, _ in _kept(node)), "[saved tensor]")
        if not values:
            return []
        left = max(map(len, values))
        right = min(max(map(len, values.values())), self.most)
        rows = []
        for name in sorted(values):
            value = " ".join(printable(values[name]).split())
            if len(value) > right:
                value = value[: right - 3] + "..."
            rows.append(f"{name:<{left}}: {value:>{right}}")
        return ["-" * max(left + right + 2, len(title)), *rows]


_PYTORCH: dict[Any, str] = {"input": "self", ("pow", "other"): "exponent"}


def _kept(node: Node) -> list[tuple[str, Tensor]]:
    """(name, tensor) for the tensors that an operation keeps for backward; nothing once it is freed."""
    return [(name, t) for name, t in _held(node) if not _is_number(node, t)]


def _held(node: Node) -> list[tuple[str, Tensor]]:
    """(name, tensor) for all that an operation keeps, under PyTorch's names."""
    if not isinstance(node, OpNode) or not node.saved:
        return []
    names = {i: name for name, i in node.op.positions.items()}
    several = node.outputs > 1 or node.op.multi
    found = []
    for key, (t, _version, unpack) in node.saved.items():
        if unpack is None:  # else a hook has put something else in its place
            name = names.get(key, f"tensors[{key}]") if key >= 0 else f"result{~key}" if several else "result"
            found.append((_PYTORCH.get((node.op.name, name)) or _PYTORCH.get(name, name), t))
    return sorted(found, key=lambda pair: pair[0])


def _is_number(node: Any, t: Tensor) -> bool:
    """Whether what is kept was given as a Python number, and PyTorch keeps it as one."""
    return node.op.name in ("pow", "clamp") and t.dim() == 0 and t.is_cpu and t.grad_fn is None and not t.requires_grad


def _kept_by_function(node: Node) -> list[Tensor]:
    """What a custom Function has given to `save_for_backward`."""
    kept = getattr(vars(node).get("ctx"), "_kept", None)
    return [entry[0] for entry in kept or () if entry is not None and entry[3] is None]
