"""A graph in the DOT language: what Graphviz would take."""

from __future__ import annotations

from .graph import Frame, Graph
from .lettering import printable

FILLS = {
    "parameter": "lightblue",
    "output": "darkolivegreen1",
    "base": "darkolivegreen3",
    "saved": "orange",
    "operation": "lightgrey",
}  # what torchviz fills boxes with


def dot(graph: Graph) -> str:
    """The DOT text of a graph."""
    number = {n.key: f"n{i}" for i, n in enumerate(graph.nodes)}
    lines = ["digraph {", f"  graph [rankdir={graph.direction}]", "  node [shape=box style=filled fillcolor=white]"]
    lines += _inside(graph, "", number, "  ")
    for e in graph.edges:
        style = {"plain": " [dir=none]", "dotted": " [style=dotted]"}.get(e.style, "")
        lines.append(f"  {number[e.source]} -> {number[e.target]}{style}")
    return "\n".join([*lines, "}", ""])


def _inside(graph: Graph, key: str, number: dict[str, str], indent: str) -> list[str]:
    made = []
    for n in graph.nodes:
        if n.frame == key:
            fill = f" fillcolor={FILLS[n.kind]}" if n.kind in FILLS else ""
            font = " fontname=monospace align=left fontsize=10" if n.mono else ""
            made.append(f"{indent}{number[n.key]} [label={_quoted(n.lines)}{fill}{font}]")
    for i, f in enumerate(graph.frames):
        if f.frame == key:
            made += _cluster(graph, f, i, number, indent)
    return made


def _cluster(graph: Graph, frame: Frame, i: int, number: dict[str, str], indent: str) -> list[str]:
    inner = indent + "  "
    inside = _inside(graph, frame.key, number, inner)
    return [f"{indent}subgraph cluster_{i} {{", f"{inner}label={_quoted([frame.title])}", *inside, indent + "}"]


def _quoted(lines: list[str]) -> str:
    text = "\\n".join(printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return f'"{text}"'
