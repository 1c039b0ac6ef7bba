"""Places for a whole graph: each frame is a level of its own, laid out from the inside outwards, then put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from .graph import Edge, Frame, Graph, Node
from .lettering import text_width
from .level import Box, Level, Link

SIZE, SMALL, LINE = 12.0, 11.0, 1.35  # font sizes of the first line of a box and of the others; height of a line
PAD, TITLE = 12.0, 20.0  # inside frames; room for a frame's title
MARGIN = 16.0  # around the picture
CAPTION = 13.0  # font size of its caption

Port = tuple[str, Hashable]  # the key of the node that a line comes from, and the line


def measure(node: Node) -> None:
    """Give a node the size of its text."""
    small = node.kind in ("function", "constant")
    pad, first = (7.0, SMALL) if small else (10.0, SIZE)
    if node.mono:
        wide = max((text_width(line, SMALL, mono=True) for line in node.lines), default=0)
        node.width, node.height = wide + 14, len(node.lines) * SMALL * LINE + 8
        return
    wide = max(
        (text_width(line, SMALL if i else first, bold=not i and not small) for i, line in enumerate(node.lines)),
        default=0.0,
    )
    node.width = wide + 2 * pad
    node.height = first * LINE + (len(node.lines) - 1) * SMALL * LINE + (6 if small else 10)


def lay_out(graph: Graph) -> None:
    """Give the nodes, frames and edges of a graph their places, and the graph its size."""
    arriving = Counter(edge.target for edge in graph.edges)
    for node in graph.nodes:
        measure(node)
        count = arriving[node.key]  # many arrows need room
        if graph.direction == "LR":
            node.height = max(node.height, min(13.0 * count, 60.0 + 6 * count, 320.0))
        else:
            node.width = max(node.width, min(7.0 * count, 320.0))
    root = _Inside(graph, None)
    root.lay_out()
    routes: dict[int, list] = {}
    root.put(0.0, 0.0, routes)
    graph.width, graph.height, graph.crossings = root.width, root.height, root.crossings
    for edge in graph.edges:
        edge.route = _joined([point for _, piece in sorted(routes[id(edge)]) for point in piece])
    things: list[Node | Frame] = [*graph.nodes, *graph.frames]
    if graph.direction == "LR":
        graph.width, graph.height = graph.height, graph.width
        for thing in things:
            thing.x, thing.y = thing.y, thing.x
        for edge in graph.edges:
            edge.route = [(y, x) for x, y in edge.route]
    wide = text_width(graph.caption, CAPTION, bold=True)
    dx, dy = MARGIN + max(0.0, wide - graph.width) / 2, MARGIN + (CAPTION + 14 if graph.caption else 0)
    for thing in things:
        thing.x, thing.y = thing.x + dx, thing.y + dy
    for edge in graph.edges:
        edge.route = [(x + dx, y + dy) for x, y in edge.route]
    graph.width, graph.height = max(graph.width, wide) + 2 * MARGIN, graph.height + dy + MARGIN


def _joined(route: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A route without points that say nothing."""
    made: list[tuple[float, float]] = []
    for x, y in route:
        if made and abs(made[-1][0] - x) < 0.6 and abs(made[-1][1] - y) < 0.01:
            continue
        if len(made) > 1 and abs(made[-1][0] - x) < 0.01 and abs(made[-2][0] - x) < 0.01:
            made[-1] = (x, y)
        else:
            made.append((x, y))
    return made


class _Inside:
    """What is inside a frame (or the whole graph): a level of nodes, inner frames, and ports in its border."""

    def __init__(self, graph: Graph, frame: Frame | None, depth: int = 0):
        self.graph, self.frame, self.depth = graph, frame, depth
        self.wide = graph.direction == "LR"
        key = frame.key if frame else ""
        self.nodes = [n for n in graph.nodes if n.frame == key]
        self.inner = [_Inside(graph, f, depth + 1) for f in graph.frames if f.frame == key]
        self.holds: set[str] = {n.key for n in self.nodes}.union(*(i.holds for i in self.inner))
        self.ins: dict[Port, int] = {}  # line from outside -> the number of its box
        self.outs: dict[Port, int] = {}
        self.width = self.height = 0.0
        self.crossings = 0
        self.dx = self.dy = 0.0  # where the level begins in the frame

    def lay_out(self) -> None:
        """Places and sizes, relative to the own corner."""
        for inner in self.inner:
            inner.lay_out()
        boxes = [Box(n.height, n.width) if self.wide else Box(n.width, n.height) for n in self.nodes]
        boxes += [Box(i.width, i.height, tall=True) for i in self.inner]
        where: dict[str, int] = {n.key: i for i, n in enumerate(self.nodes)}
        for i, inner in enumerate(self.inner, len(self.nodes)):
            where |= dict.fromkeys(inner.holds, i)
        self.boxes = boxes
        self.links: dict[tuple, Link] = {}
        self.pieces: list[tuple[Edge, Link]] = []
        for number, edge in enumerate(self.graph.edges):
            u, v = where.get(edge.source), where.get(edge.target)
            if u is None and v is None or u == v and u is not None and u >= len(self.nodes):
                continue  # it does not come here, or is an inner frame's own affair
            self._add_link(edge, number, u, v)
        self.level = Level(boxes, list(self.links.values()))
        self.level.run()
        self.crossings = self.level.crossings + sum(i.crossings for i in self.inner)
        self._size()

    def _add_link(self, edge: Edge, number: int, u: int | None, v: int | None) -> None:
        port: Port = (edge.source, edge.line)
        out = into = 0.0
        if u is None:
            u = self._port(self.ins, port, "top")
        elif u >= len(self.nodes):
            out = self.inner[u - len(self.nodes)].port_at(port, False)
        whole = False  # whether other edges may be the same link: up to a border all of a line are
        if v is None:
            v, whole = self._port(self.outs, port, "bottom"), True
        elif v >= len(self.nodes):
            into, whole = self.inner[v - len(self.nodes)].port_at(port, True), True
        key = (u, port, v) if whole else (u, port, v, number)
        link = self.links.get(key)
        if link is None:
            link = self.links[key] = Link(u, v, port, out, into, spread=not whole)
        self.pieces.append((edge, link))

    def _port(self, ports: dict[Port, int], port: Port, side: str) -> int:
        if port not in ports:
            ports[port] = len(self.boxes)
            self.boxes.append(Box(0.0, 0.0, side))
        return ports[port]

    def port_at(self, port: Port, into: bool) -> float:
        """Where a line crosses the border, from the middle of the frame."""
        number = (self.ins if into else self.outs)[port]
        return self.boxes[number].x + self.dx - self.width / 2

    def _size(self) -> None:
        self.width, self.height = self.level.width, self.level.height
        if self.frame is None:
            return
        title = text_width(self.frame.title, SMALL, bold=True) + 2 * PAD
        before, after, above, below = (TITLE + PAD / 2, PAD, 10.0, 10.0) if self.wide else (PAD, PAD, TITLE, 2.0)
        self.width += before + after
        self.height += above + below
        if self.wide:
            if title > self.height:
                above += (title - self.height) / 2
                self.height = title
            self.dx, self.dy = before, above
            return
        title = min(2 * title, max(title, 1.35 * self.width))  # so that a line into the middle does not meet it
        if title > self.width:
            before += (title - self.width) / 2
            self.width = title
        self.dx, self.dy = before, above

    def put(self, x: float, y: float, routes: dict[int, list]) -> None:
        """Give everything its place in the picture, the own corner being at (x, y).

        routes: of each edge, by its id: the pieces of its way, out of frames and into others, with their order.
        """
        if self.frame is not None:
            self.frame.x, self.frame.y = x + self.width / 2, y + self.height / 2
            self.frame.width, self.frame.height = (self.height, self.width) if self.wide else (self.width, self.height)
        dx, dy = x + self.dx, y + self.dy
        for node, box in zip(self.nodes, self.boxes):
            node.x, node.y = dx + box.x, dy + box.y + box.height / 2
        for edge, link in self.pieces:
            route = [(dx + a, dy + b) for a, b in link.route]
            order = (1, 0)
            if self.boxes[link.u].side:
                route.insert(0, (route[0][0], y))
                order = (2, self.depth)
            elif self.boxes[link.v].side:
                route.append((route[-1][0], y + self.height))
                order = (0, -self.depth)
            routes.setdefault(id(edge), []).append((order, route))
        for inner, box in zip(self.inner, self.boxes[len(self.nodes) :]):
            inner.put(dx + box.x - inner.width / 2, dy + box.y, routes)
