"""`draw`: a model as it runs, from its inputs to its outputs, with modules as boxes, frames or folded boxes."""

from __future__ import annotations

import itertools
import os
from typing import Any

from .. import nn
from ..errors import ArgumentError
from ..language import text as _
from .graph import Frame, Graph, Node
from .lettering import shorten
from .model_graph import needed
from .repeats import Repeats
from .tracing import Step, trace

READABLE = 20  # modules in a picture, at most, where the depth is chosen here
FEW = 5  # modules that tell too little
KIND_WORDS = (
    ("norm", ("Norm",)),
    ("recurrent", ("LSTM", "GRU", "RNN", "Attention")),
    ("pool", ("Pool", "Upsample", "Unpool", "PixelShuffle")),
    ("layer", ("Conv", "Linear", "Embedding", "Bilinear")),
    ("function", ("Dropout", "Identity", "Flatten", "Unflatten")),
)


def draw(
    model: Any,
    example_input: Any,
    depth: int | None = None,
    *,
    kwargs: dict | None = None,
    direction: str = "TB",
    mode: str = "eval",
    show_functions: bool = True,
    show_shapes: bool = True,
    fold_repeats: bool = True,
) -> Graph:
    """A picture of a model: its modules with their shapes, the operations between them, and what goes where.

    The model runs once on the example, without gradients; it, its buffers and the random state are afterwards as they
    were. Any shapes can be seen: put model and example on the `meta` device for a model that is too large to run.

    Arguments:
        model: an `nn.Module`.
        example_input: what it is called with: a tensor, a tuple of arguments, or a dict of keyword arguments.
        depth: how deep modules within modules are shown: down to it as frames, those at it as one box each. Default:
            as deep as leaves the picture readable (at most 20 modules).
        kwargs: further keyword arguments.
        direction: "TB" for downwards, "LR" for from left to right.
        mode: "eval" or "train", or "same" for the mode that the modules are in.
        show_functions: whether operations between modules (`add`, `cat`, `relu`) are shown.
        show_shapes: whether the shapes of results are written into the boxes.
        fold_repeats: whether of three or more equal modules in a row only the first is shown, as `12 × Block`.

    Returns a `Graph`: shown as it is in a notebook; `graph.save("model.svg")` or `"model.png"` writes it.

    Raises what the model's forward raises, as it is.

    >>> import flambeau as torch
    >>> from flambeau import nn, viz
    >>> model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> print(viz.draw(model, torch.ones(4, 2)))
      0  input (4, 2)
      1  0 · Linear (4, 8)  24 parameters  <- 0
      2  1 · ReLU  <- 1
      3  2 · Linear (4, 1)  9 parameters  <- 2
      4  output (4, 1)  <- 3
    """
    if depth is not None and (not isinstance(depth, int) or isinstance(depth, bool) or depth < 1):
        raise ArgumentError(
            f"depth must be a whole number from 1, not {depth!r}",
            why="at depth 1 each child of the model is one box",
            fix="use `depth=1`, or leave it out",
        )
    Graph(direction=direction)  # a wrong direction is said before the model runs
    found = trace(model, example_input, kwargs, mode)
    kept = needed(found)
    repeats = Repeats(found.root, kept, found.outputs) if fold_repeats else None
    return _Picture(found, kept, repeats, depth, direction, show_functions, show_shapes).graph


class _Picture:
    """Builds the graph of a trace."""

    def __init__(
        self, found: Any, kept: set[Step], repeats: Repeats | None, depth: int | None, direction: str, functions: bool,
        shapes: bool,
    ):  # fmt: skip
        self.kept, self.repeats, self.shapes, self.functions = kept, repeats, shapes, functions
        if repeats is not None:
            self.kept = kept - repeats.later()
        self.depth = depth or self._readable_depth(found.root)
        model = found.root.module
        total = sum(p.numel() for p in model.parameters())
        name = type(model).__name__
        self.graph = Graph(name, "", direction)
        self.graph.caption = f"{name} · {_count(total)}" if total else name
        self.keys: dict[Step, str] = {}  # steps that are boxes -> their keys
        self.paths: dict[str, str] = {}  # key of a frame -> dotted name of its module
        self.holder: dict[Step, Step] = {}  # steps inside a box -> that box
        for step in found.inputs:
            self._box(step, "")
        if found.root.steps:
            self._inside(found.root, 0, "")
        else:
            self._box(found.root, "")
        for step in found.outputs:
            self._box(step, "")
        self._connect()
        inputs = ", ".join(f"{s.label} {_shape(s)}" for s in found.inputs)
        outputs = ", ".join(f"{s.label} {_shape(s)}" for s in found.outputs)
        self.graph.description = _(f"The model {name} with {_number(total)} parameters, from {inputs} to {outputs}.")

    # ------------------------------------------------------------------ what is shown

    def _row(self, step: Step) -> list[Step]:
        """The equal modules in a row that a box stands for."""
        return self.repeats.rows.get(step, [step]) if self.repeats is not None else [step]

    def _content(self, step: Step) -> list[Step]:
        """What is shown inside a call; of a module that does nothing but call one other, what that one does."""
        found = [s for s in step.steps if s in self.kept]
        while len(found) == 1 and found[0].steps and len(self._row(found[0])) == 1:
            found = [s for s in found[0].steps if s in self.kept]
        return found

    def _readable_depth(self, root: Step) -> int:
        """The largest depth at which not too many modules are shown, or more if one depth less would show but a few."""
        best, before = 1, READABLE
        for depth in itertools.count(1):
            boxes, folded = self._shown(root, depth)
            if boxes <= READABLE or before < FEW and boxes <= 3 * READABLE:
                best = depth
            if boxes > READABLE or not folded:
                return best
            before = boxes
        return best

    def _shown(self, step: Step, depth: int) -> tuple[int, bool]:
        """(how many modules a picture of so many levels shows, whether something in them is left out)."""
        boxes, folded = 0, False
        for s in self._content(step):
            if s.kind == "module" and s.steps and depth > 1:
                inner = self._shown(s, depth - 1)
                boxes, folded = boxes + inner[0], folded or inner[1]
            elif s.kind == "module":
                boxes, folded = boxes + 1, folded or bool(s.steps)
        return boxes, folded

    # ------------------------------------------------------------------ boxes and frames

    def _inside(self, step: Step, level: int, frame: str) -> None:
        for s in self._content(step):
            if s.kind != "op" or self.functions:
                self._show(s, level, frame)

    def _show(self, step: Step, level: int, frame: str) -> None:
        """Add a box for a step, or a frame with what is in it."""
        if step.kind != "module" or not step.steps or level + 1 >= self.depth:
            self._box(step, frame)
            return
        inner = self._content(step)
        if len(inner) == 1 and len(self._row(step)) == 1:  # a frame around a single box would say nothing
            self._show(inner[0], level + 1, frame)
            return
        key = f"f{len(self.graph.frames)}"
        self.graph.frames.append(Frame(key, shorten(self._title(step, frame), 60), _tooltip(step), frame))
        self.paths[key] = step.path
        self._inside(step, level + 1, key)

    def _box(self, step: Step, frame: str) -> None:
        key = self.keys[step] = f"s{len(self.keys)}"
        stack = list(step.steps)
        while stack:
            s = stack.pop()
            self.holder[s] = step
            stack += s.steps
        name = step.path or step.label
        shape = step.shapes[0][0] if step.shapes else None
        node = Node(key, self._lines(step, frame), _kind(step), _tooltip(step), frame, name, step.label, shape)
        self.graph.add(node)

    def _title(self, step: Step, frame: str) -> str:
        """`conv1 · Conv2d`; of a stack of equal modules, `layer1 · 3 × Bottleneck`. Names count from the frame on."""
        module, label = step.module, step.label
        children = [type(m).__name__ for m in module.children()]
        if label in ("Sequential", "ModuleList") and len(children) > 1 and len(set(children)) == 1:
            label = f"{len(children)} × {children[0]}"
        name, outside = step.path, self.paths.get(frame, "")
        if outside and name.startswith(outside + "."):
            name = name[len(outside) + 1 :]
        row = self._row(step)
        if len(row) > 1:
            label = f"{len(row)} × {label}"
            last = row[-1].path[len(step.path) - len(name) :]
            if last != name:
                name = f"{name} … {_ending(name, last)}"
        title = f"{name} · {label}" if name else label
        outer = step.parent.call if step.parent is not None else 0
        again = step.call > outer and next(module.parameters(), None) is not None
        return _(f"{title} (call {step.call + 1})") if again else title

    def _lines(self, step: Step, frame: str) -> list[str]:
        if step.kind in ("input", "output", "parameter", "buffer"):
            return [step.label, _shape(step)] if self.shapes else [step.label]
        changes = {tuple(s) for s, _ in step.shapes} != {_of(source, i) for source, i in step.sources}
        kind = _kind(step)
        shape = _shape(step) if self.shapes and step.shapes else ""
        if step.kind != "module":
            return [f"{step.label} {shape}" if shape and changes else step.label]
        lines = [self._title(step, frame)]
        detail = _detail(step.module) if not step.steps else ""
        if detail:
            lines.append(detail)
        count = sum(p.numel() for p in {p for s in self._row(step) for p in s.module.parameters()})
        if kind == "function":
            return [" ".join([step.label, *([detail] if detail else []), *([shape] if changes else [])])]
        words = [shape] if shape and (changes or count or step.steps) else []
        if count:
            words.append(_count(count))
        return lines + (["  ".join(words)] if words else [])

    # ------------------------------------------------------------------ edges

    def _connect(self) -> None:
        """Edges between boxes; what is not shown is passed through."""
        for step, key in list(self.keys.items()):
            inner = [step]
            for s in inner:
                inner += s.steps
            seen: set = set()
            for s in inner:
                for source, index in s.sources:
                    for box, i in self._boxes(source, index):
                        if box is not step and (box, i) not in seen:
                            seen.add((box, i))
                            shape = _of(box, i)
                            tip = f"{_name(box)} → {_name(step)}" + ("" if shape is None else f": {shape}")
                            self.graph.connect(self.keys[box], key, line=i, tooltip=tip)

    def _boxes(self, source: Step, index: int) -> list[tuple[Step, int]]:
        """(box, number of its result) that something in the picture came from."""
        if self.repeats is not None:
            source = self.repeats.resolve(source)
        if source in self.keys:
            return [(source, index)]
        holder = self.holder.get(source)
        if holder is not None:
            return [(holder, _position(holder, source, index))]
        if source.kind == "op" and not self.functions:
            return [box for s, i in source.sources for box in self._boxes(s, i)]
        return []


def _position(holder: Step, source: Step, index: int) -> int:
    """A number for a result of a step inside a box, among the results of the box."""
    made = [s for s in _steps(holder) if s is not holder]
    return made.index(source) * 100 + index


def _steps(step: Step) -> list[Step]:
    found = [step]
    for s in found:
        found += s.steps
    return found


def _of(step: Step, index: int) -> tuple[int, ...] | None:
    """The shape of a result."""
    return tuple(step.shapes[index][0]) if index < len(step.shapes) else None


def _shape(step: Step) -> str:
    shapes = [str(tuple(s)) for s, _ in step.shapes]
    return ", ".join(shapes) if len(shapes) < 3 else _(f"{shapes[0]} and {len(shapes) - 1} more")


def _name(step: Step) -> str:
    return step.path or step.label


def _ending(first: str, last: str) -> str:
    """The part of the last of several names that is not in the first: `3` of `blocks.0` and `blocks.3`."""
    shared = os.path.commonprefix([first.rstrip("0123456789"), last])
    rest = last[len(shared) :]
    return rest if rest.isdigit() else last.removeprefix(first.rpartition(".")[0] + ".")


def _kind(step: Step) -> str:
    if step.kind == "op":
        return "function"
    if step.kind != "module":
        return step.kind
    if step.steps:
        return "folded" if any(s.kind == "module" for s in step.steps) else "module"
    if isinstance(step.module, _activations()) and not step.label.endswith("Attention"):
        return "activation"
    for kind, words in KIND_WORDS:
        if any(word in step.label for word in words):
            return kind
    return "module"


def _detail(module: Any) -> str:
    """What a learner wants to know of a layer beside its shapes, in a few words."""
    words = []
    size = getattr(module, "kernel_size", None)
    if size is not None:
        dims = next((int(c) for c in type(module).__name__ if c in "123"), 2)
        words.append(_times(size, dims))
        stride = getattr(module, "stride", None)
        if stride is not None and _same(stride) != "1":
            words.append(f"stride {_same(stride)}")
        if getattr(module, "groups", 1) != 1:
            words.append(f"groups {module.groups}")
    elif "Dropout" in type(module).__name__:
        words.append(f"p={getattr(module, 'p', 0):g}")
    elif getattr(module, "num_heads", None) is not None:
        words.append(f"{module.num_heads} heads")
    elif getattr(module, "num_embeddings", None) is not None:
        words.append(f"{module.num_embeddings} × {module.embedding_dim}")
    elif getattr(module, "hidden_size", None) is not None and hasattr(module, "num_layers"):
        words.append(f"{module.num_layers} layers" if module.num_layers > 1 else f"{module.hidden_size} units")
        if module.bidirectional:
            words.append("both ways")
    return ", ".join(words)


def _times(size: Any, dims: int = 1) -> str:
    return "×".join(map(str, size if isinstance(size, (tuple, list)) else [size] * dims))


def _same(size: Any) -> str:
    return str(size[0]) if isinstance(size, (tuple, list)) and len(set(size)) == 1 else _times(size)


def _activations() -> tuple[type, ...]:
    """The classes of the modules that apply a function to each element, or to each row."""
    return tuple(
        kind
        for kind in vars(nn).values()
        if isinstance(kind, type) and kind.__module__.endswith((".activation", ".rectifier"))
    )


def _tooltip(step: Step) -> str:
    lines = [_name(step)]
    if step.module is not None:
        shown = repr(step.module)
        lines = [
            step.path or "the model",
            shown if len(shown) < 400 else f"{step.label} of {len(list(step.module.children()))}",
        ]
        count = sum(p.numel() for p in step.module.parameters())
        if count:
            lines.append(_(f"{count:,} parameters"))
    for shape, dtype in step.shapes[:8]:
        lines.append(f"{tuple(shape)} {dtype.name}")
    return "\n".join(lines)


def _count(n: int) -> str:
    """`9 parameters`, `9.4k parameters`, `25.6M parameters`."""
    return _("1 parameter") if n == 1 else _(f"{_number(n)} parameters")


def _number(n: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{n / size:.3g}{unit}"
    return str(n)
