"""Graphs as SVG: plain text with its own background, in light and dark colours as the reader's system has them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from html import escape
from typing import NamedTuple

from .graph import Edge, Frame, Graph, Node
from .layout import CAPTION, LINE, MARGIN, SIZE, SMALL
from .lettering import MONO, SANS, printable, shorten

Route = list[tuple[float, float]]
CORNER = {"input": 14.0, "output": 14.0, "function": 9.0, "constant": 9.0}


class Colours(NamedTuple):
    """fill, line and text of a kind of box, on a light page and on a dark one."""

    light: tuple[str, str, str]
    dark: tuple[str, str, str]


_GREY = Colours(("#e4e6ea", "#9aa1ab", "#23272e"), ("#3a4049", "#6d7683", "#e9ebee"))
_BLUE = Colours(("#cfe5fb", "#5b9bd5", "#12304d"), ("#1d4265", "#4f93d1", "#e3f0fc"))
_GREEN = Colours(("#d4f0cf", "#5fae55", "#173a14"), ("#22491f", "#63b058", "#e2f5de"))
_ORANGE = Colours(("#ffe0b8", "#dd9433", "#4d2e05"), ("#5a3a10", "#d9953f", "#ffeed8"))
_PLAIN = Colours(("#ffffff", "#8b93a0", "#23272e"), ("#262b33", "#7c8695", "#e9ebee"))
KINDS = {
    "operation": _GREY,
    "parameter": _BLUE,
    "output": _GREEN,
    "base": Colours(("#a9d9a0", "#3f8a37", "#0f2f0c"), ("#2f6a2a", "#79c46f", "#eaf8e7")),
    "saved": _ORANGE,
    "input": Colours(("#fdf0c4", "#cfae3c", "#453705"), ("#4b3f14", "#cbac45", "#fbf3d6")),
    "function": _GREY,
    "constant": _PLAIN,
    "buffer": Colours(("#e3edf5", "#8fb0c9", "#243746"), ("#2b3c4a", "#6f93ad", "#e4eef5")),
    "layer": _BLUE,
    "norm": Colours(("#d6f0ee", "#4fa9a2", "#103836"), ("#184744", "#4fa9a2", "#ddf4f2")),
    "activation": Colours(("#fbdcd7", "#d9796a", "#4c1710"), ("#5b251d", "#d9796a", "#fce5e1")),
    "pool": Colours(("#e2f1d4", "#85b35a", "#27390f"), ("#324919", "#8dbb62", "#edf6e3")),
    "recurrent": Colours(("#eadff8", "#9c79cf", "#2f1a52"), ("#3f2a63", "#a685d6", "#f0e8fa")),
    "module": Colours(("#f1f3f7", "#76829a", "#23272e"), ("#2d333d", "#8793a8", "#e9ebee")),
    "folded": Colours(("#dfe4f4", "#6676b5", "#1d2650"), ("#2b3358", "#8391cf", "#e6e9f8")),
}
PAGE = ("#ffffff", "#16191e")
LINES = ("#66707e", "#98a2b0")
FRAME = (("#f7f8fb", "#b9c0cc", "#4b5563"), ("#1c2027", "#4b5563", "#b7bfca"))


def svg(graph: Graph) -> str:
    """The SVG text of a graph that has been laid out."""
    body = [f'<text class="caption" x="{MARGIN:g}" y="{MARGIN + CAPTION:g}">{_text(shorten(graph.caption, 80))}</text>']
    body = (body if graph.caption else []) + [_frame(frame) for frame in graph.frames]
    body += [_edge(edge, route) for edge, route in drawn_once(graph)]
    body += [_frame_title(frame) for frame in graph.frames] + [_node(node) for node in graph.nodes]
    width, height = f"{graph.width:.0f}", f"{graph.height:.0f}"
    inside = "\n".join(body)
    name = "g" + hashlib.sha1((graph.title + inside).encode()).hexdigest()[:10]  # rules of a page's graphs stay apart
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{name}" role="img" aria-labelledby="{name}t" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" style="max-width:100%;height:auto">\n'
        f'<title id="{name}t">{_text(graph.title)}</title><desc>{_text(graph.description)}</desc>\n'
        f"<style>{_style(name, graph)}</style>\n"
        f'<defs><marker id="{name}a" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0.6L8 4L0 7.4z"/></marker></defs>\n'
        f'<rect class="page" width="{width}" height="{height}" rx="6"/>\n{inside}\n</svg>\n'
    )


def _style(name: str, graph: Graph) -> str:
    used = {n.kind for n in graph.nodes}
    kinds = {k: c for k, c in KINDS.items() if k in used}
    rules = [
        f"#{name} text{{font:{SMALL:g}px {SANS};text-anchor:middle;white-space:pre}}",
        f"#{name} .first{{font-size:{SIZE:g}px;font-weight:600}}",
        f"#{name} .mono text{{font-family:{MONO}}}#{name} .table text{{text-anchor:start}}",
        f"#{name} .flow{{marker-end:url(#{name}a)}}#{name} .dotted{{stroke-dasharray:2 4}}",
        f"#{name} .edge{{fill:none;stroke-width:1.3}}#{name} .edge:hover{{stroke-width:3}}",
        f"#{name} .caption{{font-size:{CAPTION:g}px;font-weight:600;text-anchor:start}}",
        f"#{name} .box{{stroke-width:1.2}}",
        f"#{name} .frame text{{text-anchor:start;font-weight:600;paint-order:stroke;stroke-width:5px}}",
        *_colours(name, kinds, 0),
        "@media (prefers-color-scheme: dark){",
        *_colours(name, kinds, 1),
        "}",
    ]
    return "".join(rules)


def _colours(name: str, kinds: dict[str, Colours], dark: int) -> Iterator[str]:
    yield f"#{name} .page{{fill:{PAGE[dark]}}}#{name} .caption{{fill:{FRAME[dark][2]}}}"
    yield f"#{name} .edge{{stroke:{LINES[dark]}}}#{name} .head{{fill:{LINES[dark]}}}"
    fill, line, text = FRAME[dark]
    yield f"#{name} .frame rect{{fill:{fill};stroke:{line}}}#{name} .frame text{{fill:{text};stroke:{fill}}}"
    for kind, colours in kinds.items():
        fill, line, text = colours[dark]
        yield f"#{name} .{kind} .box{{fill:{fill};stroke:{line}}}#{name} .{kind} text{{fill:{text}}}"


def _node(node: Node) -> str:
    left, top = node.x - node.width / 2, node.y - node.height / 2
    radius = CORNER.get(node.kind, 4.0)
    box = f'width="{node.width:.1f}" height="{node.height:.1f}" rx="{radius:g}"'
    kinds = " ".join([node.kind, *(["mono"] if node.mono else []), *([] if node.centred else ["table"])])
    made = [f'<g class="{kinds}"><title>{_text(node.tooltip)}</title>']
    if node.kind == "folded":
        made.append(f'<rect class="box" x="{left + 4:.1f}" y="{top + 4:.1f}" {box}/>')
    made.append(f'<rect class="box" x="{left:.1f}" y="{top:.1f}" {box}/>')
    for line, x, y, first in text_lines(node):
        kind = ' class="first"' if first else ""
        made.append(f'<text{kind} x="{x:.1f}" y="{y:.1f}">{_text(line)}</text>')
    return "".join([*made, "</g>"])


def text_lines(node: Node) -> Iterator[tuple[str, float, float, bool]]:
    """(text, x, y of its baseline, whether it is the heading) for the lines of a box."""
    if node.mono:
        y = node.y - len(node.lines) * SMALL * LINE / 2 + SMALL
        x = node.x if node.centred else node.x - node.width / 2 + 7
        for line in node.lines:
            yield line, x, y, False
            y += SMALL * LINE
        return
    small = node.kind in ("function", "constant")
    size = SMALL if small else SIZE
    y = node.y - (size + (len(node.lines) - 1) * SMALL) * LINE / 2 + size
    for i, line in enumerate(node.lines):
        yield line, node.x, y, not i and not small
        y += SMALL * LINE


def _frame(frame: Frame) -> str:
    left, top = frame.x - frame.width / 2, frame.y - frame.height / 2
    return (
        f'<g class="frame"><title>{_text(frame.tooltip or frame.title)}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{frame.width:.1f}" height="{frame.height:.1f}" rx="7"/></g>'
    )


def _frame_title(frame: Frame) -> str:
    x, y = title_place(frame)
    return f'<g class="frame"><text x="{x:.1f}" y="{y:.1f}">{_text(frame.title)}</text></g>'


def title_place(frame: Frame) -> tuple[float, float]:
    """Where a frame's title begins."""
    return frame.x - frame.width / 2 + 10, frame.y - frame.height / 2 + 15


def _edge(edge: Edge, route: Route) -> str:
    title = f"<title>{_text(edge.tooltip)}</title>" if edge.tooltip else ""
    x, y = route[0]
    data = [f"M{x:.1f} {y:.1f}"]
    for curve in curves(route, edge.lying):
        data.append(("C" if len(curve) > 1 else "L") + " ".join(f"{a:.1f} {b:.1f}" for a, b in curve))
    way = "".join(data)
    return f'<path class="edge {edge.style}" d="{way}">{title}</path>'


def curves(route: Route, lying: bool) -> Iterator[Route]:
    """The pieces of a route after its start: [end] of a straight one, [control, control, end] of a curve."""
    for (x, y), (a, b) in zip(route, route[1:]):
        if abs(x - a) < 0.6 or abs(y - b) < 0.6:
            yield [(a, b)]
        elif lying:
            yield [((x + a) / 2, y), ((x + a) / 2, b), (a, b)]
        else:
            yield [(x, (y + b) / 2), (a, (y + b) / 2), (a, b)]


def drawn_once(graph: Graph) -> Iterator[tuple[Edge, Route]]:
    """Each edge with its route; what it shares with an earlier one of the same line is left out."""
    before: dict[tuple, list[Route]] = {}  # the longest route of a line so far, and the last one
    for edge in graph.edges:
        line = (edge.source, edge.line)
        others = before.get(line, [])
        yield edge, min((_without(edge.route, other, edge.lying) for other in others), key=_length, default=edge.route)
        before[line] = [max([*others[:1], edge.route], key=_length), edge.route]


def _without(route: Route, other: Route, lying: bool) -> Route:
    """A route from where it leaves another one that begins at the same place."""
    same = 0
    while same < min(len(route), len(other)) and route[same] == other[same]:
        same += 1
    if not same or same == len(route):
        return route
    start, along = route[same - 1], 0 if lying else 1
    if same < len(other) and all(abs(p[1 - along] - start[1 - along]) < 0.6 for p in (route[same], other[same])):
        start = min(route[same], other[same], key=lambda p: p[along])  # both go straight on, one of them further
    return [start, *route[same:]]


def _length(route: Route) -> float:
    return sum(abs(x - a) + abs(y - b) for (x, y), (a, b) in zip(route, route[1:]))


def _text(text: str) -> str:
    lines = [printable(line) for line in str(text).split("\n")]
    return escape("\n".join(lines), quote=True)
