"""Graphs as PNG and PDF files: matplotlib draws them from the same places and colours as the SVG."""

from __future__ import annotations

import io
from typing import Any

from . import style
from .graph import Edge, Frame, Graph, Node
from .layout import CAPTION, MARGIN, SIZE, SMALL
from .lettering import shorten
from .svg import CORNER, FRAME, KINDS, LINES, PAGE, Route, curves, drawn_once, text_lines, title_place

POINT = 72 / 96  # an SVG unit in points
MOST = 20000  # pixels in either direction: larger pictures get fewer dots per inch


def painted(graph: Graph, kind: str = "png", dpi: float = 150) -> bytes:
    """The content of a PNG or PDF file that shows a graph that has been laid out."""
    style.matplotlib()
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra

    dpi = min(dpi, MOST * 96 / max(graph.width, graph.height, 1))
    figure = Figure(figsize=(graph.width / 96, graph.height / 96), facecolor=PAGE[0])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, graph.width)
    axes.set_ylim(graph.height, 0)
    axes.axis("off")
    for frame in graph.frames:
        _frame(axes, frame)
    for edge, route in drawn_once(graph):
        _edge(axes, edge, route)
    _line(axes, shorten(graph.caption, 80), MARGIN, MARGIN + CAPTION, CAPTION, FRAME[0][2], "left", True, False)
    for frame in graph.frames:
        _line(axes, frame.title, *title_place(frame), SMALL, FRAME[0][2], "left", True, False)
    for node in graph.nodes:
        _node(axes, node)
    out = io.BytesIO()
    style.finish(figure).savefig(out, format=kind, dpi=dpi)
    return out.getvalue()


def _box(axes: Any, x: float, y: float, width: float, height: float, radius: float, fill: str, line: str) -> None:
    from matplotlib.patches import FancyBboxPatch  # noqa: PLC0415 - an extra

    shape = f"round,pad=0,rounding_size={min(radius, height / 2, width / 2)}"
    axes.add_patch(FancyBboxPatch((x, y), width, height, shape, facecolor=fill, edgecolor=line, linewidth=1.2 * POINT))


def _frame(axes: Any, frame: Frame) -> None:
    left, top = frame.x - frame.width / 2, frame.y - frame.height / 2
    _box(axes, left, top, frame.width, frame.height, 7, *FRAME[0][:2])


def _edge(axes: Any, edge: Edge, route: Route) -> None:
    from matplotlib.patches import FancyArrowPatch  # noqa: PLC0415 - an extra
    from matplotlib.path import Path  # noqa: PLC0415

    points, codes = [route[0]], [Path.MOVETO]
    for curve in curves(route, edge.lying):
        points += curve
        codes += [Path.LINETO] if len(curve) == 1 else [Path.CURVE4] * 3
    arrow = "-|>,head_length=5,head_width=2.3" if edge.style == "flow" else "-"
    axes.add_patch(
        FancyArrowPatch(
            path=Path(points, codes),
            arrowstyle=arrow,
            linewidth=1.3 * POINT,
            linestyle=":" if edge.style == "dotted" else "-",
            edgecolor=LINES[0],
            facecolor=LINES[0],
            mutation_scale=1.0,
            shrinkA=0,
            shrinkB=0,
            joinstyle="miter",
        )
    )


def _node(axes: Any, node: Node) -> None:
    left, top = node.x - node.width / 2, node.y - node.height / 2
    fill, line, text = KINDS[node.kind].light
    radius = CORNER.get(node.kind, 4.0)
    if node.kind == "folded":
        _box(axes, left + 4, top + 4, node.width, node.height, radius, fill, line)
    _box(axes, left, top, node.width, node.height, radius, fill, line)
    for words, x, y, first in text_lines(node):
        _line(axes, words, x, y, SIZE if first else SMALL, text, "center" if node.centred else "left", first, node.mono)


def _line(
    axes: Any, text: str, x: float, y: float, size: float, colour: str, side: str, bold: bool, mono: bool
) -> None:
    """One line of text. matplotlib's fonts are wider than those that pages have: it is made smaller to fit."""
    if not text:
        return
    wide = 1.0 if mono else 0.87
    axes.text(
        x,
        y,
        text.replace("$", r"\$"),
        fontsize=size * POINT * wide,
        color=colour,
        ha=side,
        va="baseline",
        fontweight="bold" if bold else "normal",
        fontfamily="monospace" if mono else "sans-serif",
    )
