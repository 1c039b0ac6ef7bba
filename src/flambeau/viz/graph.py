"""A graph to be drawn: nodes, edges and frames around some of them, and its pictures as SVG, PNG and DOT text."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, CannotWrite, MissingKey
from .lettering import shorten

FORMATS = ("svg", "png", "pdf", "dot")
LONGEST = 52  # characters of a line in a box


@dataclasses.dataclass
class Node:
    """A box.

    Attributes:
        key: what edges refer to it by.
        lines: its text; the first line is set off from the others.
        kind: what it is, which decides its colour: see `svg.KINDS`.
        tooltip: what is shown when the pointer rests on it.
        frame: the key of the frame that it stands in, "" for none.
        mono: whether its text is set in a typewriter face. centred: whether its lines are, or begin at the left.
        name, op, shape: what it stands for, for programs that look at the graph.
        x, y, width, height: its place once the graph has been laid out; x and y are those of its middle.
    """

    key: str
    lines: list[str]
    kind: str = "operation"
    tooltip: str = ""
    frame: str = ""
    name: str = ""
    op: str = ""
    shape: tuple[int, ...] | None = None
    mono: bool = False
    centred: bool = True
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def label(self) -> str:
        """Its text."""
        return "\n".join(self.lines)


@dataclasses.dataclass
class Edge:
    """A line from one node to another.

    Attributes:
        source, target: keys of nodes.
        style: "flow" (with an arrow), "plain" (without), or "dotted".
        line: edges of one source and one `line` run together as far as they can.
        tooltip: what is shown when the pointer rests on it.
        route: points; neighbouring ones in line with the flow are joined straight, others by a smooth curve.
        lying: whether the flow is from left to right.
    """

    source: str
    target: str
    style: str = "flow"
    line: Hashable = None
    tooltip: str = ""
    route: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    lying: bool = False


@dataclasses.dataclass
class Frame:
    """A frame around nodes (and other frames). frame: the one around it, "" for none."""

    key: str
    title: str
    tooltip: str = ""
    frame: str = ""
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


class Graph:
    """What `make_dot` and `draw` return: shown as a picture in notebooks, and saved as one by `save`.

    Attributes:
        nodes: `Node` objects; edges: `Edge` objects; frames: `Frame` objects, outer ones first.
        title, description: what the picture is called, and what it shows, in words. caption: a line above it.
        direction: "TB" for downwards, "LR" for from left to right.
        format: what `render` writes where nothing else is said, at first "svg".

    >>> import flambeau as torch
    >>> from flambeau.viz import make_dot
    >>> w = torch.ones(2, requires_grad=True)
    >>> graph = make_dot((w * 3).sum(), params={"w": w})
    >>> graph
    <Graph of 5 nodes and 4 edges>
    >>> [node.label for node in graph.nodes if node.kind == "parameter"]
    ['w\\n(2)']
    """

    def __init__(self, title: str = "", description: str = "", direction: str = "TB"):
        if direction not in ("TB", "LR"):
            raise ArgumentError(
                f"direction must be 'TB' or 'LR', not {direction!r}",
                why="the graph is drawn downwards or from left to right",
                fix='use `direction="TB"` or `direction="LR"`',
            )
        self.title, self.description, self.direction = title, description, direction
        self.caption, self.format = "", "svg"
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.frames: list[Frame] = []
        self._drawn = False
        self.width = self.height = 0.0
        self.crossings = 0

    # ------------------------------------------------------------------ building

    def add(self, node: Node) -> Node:
        """Add a node."""
        node.tooltip = node.tooltip or node.label
        node.lines = [shorten(line, LONGEST) if not node.mono else line for line in node.lines]
        self.nodes.append(node)
        return node

    def connect(self, source: str, target: str, style: str = "flow", line: Hashable = None, tooltip: str = "") -> None:
        """Add an edge."""
        self.edges.append(Edge(source, target, style, line, tooltip, lying=self.direction == "LR"))

    def node(self, name: str) -> Node:
        """The first node of a name (or key)."""
        for node in self.nodes:
            if name in (node.name, node.key):
                return node
        raise MissingKey(
            f"the graph has no node {name!r}",
            why="a box has the dotted name of its module, or the name of its operation or tensor",
            fix="see `[node.name for node in graph.nodes]` for the names",
        )

    def arrange(self) -> Graph:
        """Give everything its place, if that has not been done; the graph itself."""
        if not self._drawn:
            from .layout import lay_out

            lay_out(self)
            self._drawn = True
        return self

    # ------------------------------------------------------------------ pictures

    def svg(self) -> str:
        """The picture as SVG text."""
        from .svg import svg

        return svg(self.arrange())

    def png(self, dpi: float = 150) -> bytes:
        """The picture as a PNG file's content; matplotlib draws it."""
        from .png import painted

        return painted(self.arrange(), "png", dpi)

    def pdf(self) -> bytes:
        """The picture as a PDF file's content; matplotlib draws it."""
        from .png import painted

        return painted(self.arrange(), "pdf")

    @property
    def source(self) -> str:
        """The graph in the DOT language, which Graphviz reads."""
        from .dot import dot

        return dot(self)

    def _repr_svg_(self) -> str:
        return self.svg()

    def save(self, path: Any) -> Path:
        """Write the picture to a file; the suffix says how: .svg, .png, .pdf, or .dot (.gv) for DOT text.

        Returns the path. The file is complete or not there: it is written under another name first.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise ArgumentTypeError(
                f"the file to write to is {path!r} of type {type(path).__name__}",
                why="a file is given by its name",
                fix='use a string or a path, such as `graph.save("graph.svg")`',
            )
        path = Path(path)
        kind = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".dot": "dot", ".gv": "dot"}.get(path.suffix.lower())
        if kind is None:
            raise ArgumentError(
                f"cannot tell the format of {path.name!r} from its suffix",
                why=f"the suffix is {path.suffix!r}; graphs are written as .svg, .png, .pdf and .dot",
                fix=f"use a name that ends in .svg, such as {str(path) + '.svg'!r}",
            )
        return self._write(path, kind)

    def render(self, filename: Any = "graph", directory: Any = None, view: bool = False, cleanup: bool = False,
               format: str | None = None) -> str:  # fmt: skip
        """Write the picture to `filename.format`, as graphviz's objects do; the path.

        Arguments:
            filename: with or without the suffix.
            directory: the folder to put it in.
            view: show it too.
            cleanup: accepted; no further file is written.
            format: "svg", "png", "pdf" or "dot". Default: that of the filename's suffix, else the graph's `format`.
        """
        format = format or (suffix if (suffix := Path(filename).suffix[1:].lower()) in FORMATS else self.format)
        if format not in FORMATS:
            raise _unknown(format)
        path = Path(directory or "") / filename
        if path.suffix.lower() != f".{format}":
            path = path.with_name(f"{path.name}.{format}")
        self._write(path, format, bool(directory))
        if view:
            self._show(path)
        return str(path)

    def pipe(self, format: str | None = None) -> bytes:
        """The content of the file that `render` writes, as graphviz's objects give it."""
        kind = format or self.format
        if kind not in FORMATS:
            raise _unknown(kind)
        return self._content(kind)

    def view(self, filename: Any = None) -> str:
        """Write the picture and open it in the browser; without `filename`, to a temporary folder. The path."""
        if filename is None:
            filename = Path(tempfile.mkdtemp(prefix="graph-")) / "graph"
        return self.render(filename, view=True)

    def _show(self, path: Path) -> None:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            print(path, file=sys.stderr)  # there is no browser here: where it is

    def _content(self, kind: str) -> bytes:
        if kind in ("png", "pdf"):
            return self.png() if kind == "png" else self.pdf()
        return (self.svg() if kind == "svg" else self.source).encode()

    def _write(self, path: Path, kind: str, make_folder: bool = False) -> Path:
        data = self._content(kind)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            if make_folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            with contextlib.suppress(OSError, ValueError):
                temporary.unlink()
            raise CannotWrite(
                f"cannot write {str(path)!r}: {getattr(error, 'strerror', None) or error}",
                why="the folder is not there" if not path.parent.is_dir() else "the folder or file cannot be written",
                fix="make the folder first" if not path.parent.is_dir() else "choose another place",
            ) from error
        return path

    # ------------------------------------------------------------------ as text

    def __repr__(self) -> str:
        nodes, edges = len(self.nodes), len(self.edges)
        return f"<Graph of {nodes} node{'s' * (nodes != 1)} and {edges} edge{'s' * (edges != 1)}>"

    def __str__(self) -> str:
        """The nodes in order, each with what leads to it."""
        number = {n.key: i for i, n in enumerate(self.nodes)}
        before: dict[str, list[int]] = {n.key: [] for n in self.nodes}
        for e in self.edges:
            before[e.target].append(number[e.source])
        rows = []
        for i, n in enumerate(self.nodes):
            text = " ".join(line.strip() for line in n.lines if line.strip())
            rows.append(f"{i:>3}  {text}" + (f"  <- {', '.join(map(str, before[n.key]))}" if before[n.key] else ""))
        return "\n".join(rows)


def _unknown(format: Any) -> ArgumentError:
    return ArgumentError(
        f"format must be one of {', '.join(map(repr, FORMATS))}, not {format!r}",
        why="these are the formats that graphs are written in",
        fix='use `format="svg"`',
    )
