"""One level of a drawing: boxes of given sizes and edges between them, put into layers; edges run round the boxes.

Lines run along the flow, and change places in the room between layers by smooth curves. A route is a list of points;
two neighbouring ones of the same x are joined by a straight line, others by an S that is vertical at both ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from .layering import acyclic, components, ranks
from .ordering import Near, Order
from .placing import Places, Segment

GAP = 26.0  # between layers, at least
NEAR = 12.0  # between the border of a frame and the first layer
BEND = 0.09  # more room between layers for each unit that an edge goes sideways
DEEPEST = 70.0  # but no more than this
BESIDE = 22.0  # between boxes of a layer
LANE = 12.0  # between long edges, and between them and boxes
SIDE = 13.0  # between arrows that end at one box
WIDEST = 1500.0  # of a layer: more sources than that are put into several
PARTS = 40.0  # between parts that are not connected

Point = tuple[float, float]


class Box:
    """A box of a level. side: "top" or "bottom" for a port of the frame around the level. tall: a frame itself."""

    def __init__(self, width: float, height: float, side: str = "", tall: bool = False):
        self.width, self.height, self.side, self.tall = width, height, side, tall
        self.x = self.y = 0.0  # the middle of its top

    def __repr__(self) -> str:
        return f"<box {self.width:.0f} x {self.height:.0f} at {self.x:.0f}, {self.y:.0f}>"


class Link:
    """An edge of a level from box u to box v; out and into: where on them, from their middle.

    line: links of the same box and line are one line as far as they can. spread: whether its end may be moved aside.
    """

    def __init__(self, u: int, v: int, line: Hashable, out: float = 0.0, into: float = 0.0, spread: bool = True):
        self.u, self.v, self.line, self.out, self.into, self.spread = u, v, line, out, into, spread
        self.route: list[Point] = []


class Level:
    """Boxes and links; `run` gives the boxes their places and the links their routes. crossings: of its links."""

    def __init__(self, boxes: Sequence[Box], links: Sequence[Link]):
        self.boxes, self.links = boxes, links
        self.width = self.height = 0.0
        self.crossings = 0

    def run(self) -> None:
        """Lay out each connected part, side by side."""
        pairs = [(link.u, link.v) for link in self.links]
        x = 0.0
        parts = [_Part(self, nodes) for nodes in components(len(self.boxes), pairs)]
        for part in parts:
            part.run()
            part.move(x - part.left)
            x += part.right - part.left + PARTS
            self.crossings += part.crossings
        self.width = max(0.0, x - PARTS)
        self.height = max((b.y + b.height for b in self.boxes), default=0.0)
        for link in self.links:
            if self.boxes[link.v].side == "bottom":
                link.route.append((link.route[-1][0], self.height))
        for box in self.boxes:
            if box.side == "bottom":
                box.y = self.height


class _Part:
    """A connected part of a level. Items are its boxes, and a point for each layer that a long line passes."""

    def __init__(self, level: Level, nodes: list[int]):
        number = {node: i for i, node in enumerate(nodes)}
        self.boxes = [level.boxes[n] for n in nodes]
        self.links = [link for link in level.links if link.u in number]
        self.ends = [(number[link.u], number[link.v]) for link in self.links]
        self.left = self.right = 0.0
        self.crossings = 0

    def run(self) -> None:
        """Ranks, order, places along and across the layers, routes."""
        self._rank()
        self._divide()
        self._order()
        self._place()
        self._spread()
        tops = self._stack() if any(b.tall for b in self.boxes) else self._rows()
        self._route(*tops)

    def move(self, dx: float) -> None:
        """Shift everything sideways."""
        for box in self.boxes:
            box.x += dx
        for link in self.links:
            link.route = [(x + dx, y) for x, y in link.route]

    # ------------------------------------------------------------------ layers

    def _rank(self) -> None:
        turned = acyclic(len(self.boxes), self.ends)
        shared = Counter((link.u, link.line) for link in self.links)
        links = [link for link in self.links if link.u != link.v]
        rank = ranks(len(self.boxes), turned, [1 if shared[link.u, link.line] > 1 else 2 for link in links])
        rank = self._in_rows(rank, turned)
        inner = [r for r, b in zip(rank, self.boxes) if not b.side] or [0]
        low, high = min(inner), max(inner)
        for i, b in enumerate(self.boxes):
            if b.side:
                rank[i] = low - 1 if b.side == "top" else high + 1
        low = min(rank, default=0)
        self.rank = [r - low for r in rank]

    def _in_rows(self, rank: list[int], edges: list) -> list[int]:
        """Where a layer has too many sources of one edge each to be seen at once, they stand in several rows."""
        degree = [0] * len(rank)
        target = [-1] * len(rank)
        for u, v in edges:
            degree[u] += 1
            degree[v] += 1
            target[u] = v
        by_target: dict[int, list[int]] = {}
        for i, v in enumerate(target):
            if degree[i] == 1 and v >= 0 and not self.boxes[i].side:
                by_target.setdefault(v, []).append(i)
        made = list(rank)
        for sources in by_target.values():
            wide = sum(self.boxes[i].width + BESIDE for i in sources)
            rows = 1
            while rows < len(sources) and wide / rows + (rows - 1) * len(sources) / rows * LANE > WIDEST:
                rows += 1
                if wide / rows < (rows - 1) * len(sources) / rows * LANE:
                    break
            for place, i in enumerate(sources):
                made[i] = rank[i] - (place % rows)
        return made

    def _divide(self) -> None:
        """Cut long lines into pieces from layer to layer; what begins with the same line shares them."""
        self.widths = [b.width for b in self.boxes]
        self.gaps = [BESIDE if b.width > LANE else LANE for b in self.boxes]
        self.item_rank = list(self.rank)
        self.owners = list(range(len(self.boxes)))  # of each item: the box that its line comes from
        self.paths: list[list[tuple[int, float]]] = []  # of each link: (item, where on it), downwards
        shared: dict[Any, list[int]] = {}  # (box, line) -> the points below it
        for link, (u, v) in zip(self.links, self.ends):
            down = self.rank[u] < self.rank[v]
            top, bottom = (u, v) if down else (v, u)
            key = (u, link.line, link.out) if down else (v, link.line, "back", id(link))
            points = shared.setdefault(key, [])
            while len(points) < self.rank[bottom] - self.rank[top] - 1:
                points.append(len(self.widths))
                self.widths.append(0.0)
                self.gaps.append(LANE)
                self.owners.append(key[0])
                self.item_rank.append(self.rank[top] + len(points))
            passed = points[: max(0, self.rank[bottom] - self.rank[top] - 1)]
            ends = (link.out, link.into) if down else (link.into, link.out)
            self.paths.append([(top, ends[0]), *((p, 0.0) for p in passed), (bottom, ends[1])])

    def _order(self) -> None:
        layers: list[list[int]] = [[] for _ in range(max(self.item_rank, default=-1) + 1)]
        for item in sorted(range(len(self.item_rank)), key=lambda i: (self.owners[i], i)):
            layers[self.item_rank[item]].append(item)
        ups: list[Near] = [[] for _ in self.widths]
        downs: list[Near] = [[] for _ in self.widths]
        self.segments: dict[Segment, int] = {}
        main = self._main_path()
        boxes = len(self.boxes)
        for path in self.paths:
            for (u, pu), (v, pv) in zip(path, path[1:]):
                if (u, v, pu, pv) in self.segments:
                    continue
                inner = u >= boxes and v >= boxes
                self.segments[u, v, pu, pv] = 3 if inner else 2 if (u, v) in main else 1
                here, there = pu / (self.widths[u] + 1), pv / (self.widths[v] + 1)
                downs[u].append((v, there, here))
                ups[v].append((u, here, there))
        order = Order(layers, ups, downs)
        self.crossings = order.minimise()
        self.layers = order.layers

    def _main_path(self) -> set[tuple[int, int]]:
        """The links that carry most on both ends: the longest way comes in and goes out through them."""
        before: list[list[int]] = [[] for _ in self.boxes]
        after: list[list[int]] = [[] for _ in self.boxes]
        for a, b in self.ends:
            u, v = (a, b) if self.rank[a] < self.rank[b] else (b, a)
            before[v].append(u)
            after[u].append(v)
        found = []
        for near, order in ((before, 1), (after, -1)):
            length = [0] * len(self.boxes)
            best: list[int] = [-1] * len(self.boxes)
            for i in sorted(range(len(self.boxes)), key=lambda n: order * self.rank[n]):
                around = sorted({(length[n] + 1, n) for n in near[i]}, reverse=True)
                length[i] = around[0][0] if around else 0
                if around and (len(around) == 1 or around[0][0] > around[1][0]):
                    best[i] = around[0][1]
            found.append(best)
        return {(u, v) for v, u in enumerate(found[0]) if u >= 0 and found[1][u] == v}

    def _place(self) -> None:
        self.xs = Places(self.layers, self.widths, self.gaps, self.segments).run()
        self.left = min((x - w / 2 for x, w in zip(self.xs, self.widths)), default=0.0)
        self.right = max((x + w / 2 for x, w in zip(self.xs, self.widths)), default=0.0)
        for box, x in zip(self.boxes, self.xs):
            box.x = x

    def _spread(self) -> None:
        """Let the arrows at a box end side by side; one from straight above stays straight."""
        arriving: dict[int, list[tuple[float, int]]] = {}
        for i, path in enumerate(self.paths):
            (before, port), (last, _) = path[-2:]
            if last < len(self.boxes) and self.links[i].spread and self.ends[i][1] == last:
                arriving.setdefault(last, []).append((self.xs[before] + port, i))
        for last, listed in arriving.items():
            if len(listed) == 1:
                continue
            listed.sort()
            straight = [j for j, (x, _) in enumerate(listed) if abs(x - self.xs[last]) < 1]
            middle = straight[len(straight) // 2] if straight else (len(listed) - 1) / 2
            side = min(SIDE, (self.widths[last] / 2 - 6) / max(middle, len(listed) - 1 - middle))
            for j, (_, i) in enumerate(listed):
                self.paths[i][-1] = last, (j - middle) * side

    # ------------------------------------------------------------------ across the layers

    def _rows(self) -> tuple[list[float], list[float]]:
        """Boxes of a layer in one row: (top, bottom) of the row of each item."""
        wide = [0.0] * (len(self.layers) + 1)  # how far edges go sideways above each layer
        for path in self.paths:
            for (u, pu), (v, pv) in zip(path, path[1:]):
                r = self.item_rank[v]
                wide[r] = max(wide[r], abs(self.xs[u] + pu - self.xs[v] - pv))
        tops, bottoms = [0.0] * len(self.widths), [0.0] * len(self.widths)
        y = 0.0
        for r, layer in enumerate(self.layers):
            y += min(DEEPEST, (NEAR if self._at_border(r) else GAP) + BEND * wide[r]) if r else 0.0
            high = max((self.boxes[i].height for i in layer if i < len(self.boxes)), default=0.0)
            for i in layer:
                tops[i], bottoms[i] = y, y + high
                if i < len(self.boxes):
                    self.boxes[i].y = y + (high - self.boxes[i].height) / 2
            y += high
        return tops, bottoms

    def _at_border(self, r: int) -> bool:
        """Whether there are but ports of the frame on one side of the room above a layer."""
        return any(all(i < len(self.boxes) and self.boxes[i].side for i in self.layers[k]) for k in (r - 1, r))

    def _stack(self) -> tuple[list[float], list[float]]:
        """Boxes as far up as what stands above them allows, where tall ones stand beside chains of small ones."""
        tops, bottoms = [0.0] * len(self.widths), [0.0] * len(self.widths)
        above: list[tuple[float, float, float]] = []  # (left, right, bottom) of what has its place

        def floor(left: float, right: float) -> float:
            return max((b for l, r, b in above if l < right and left < r), default=0.0)

        by_rank: dict[int, set[tuple[int, int, float, float]]] = {}
        for path in self.paths:
            for (u, pu), (v, pv) in zip(path, path[1:]):
                by_rank.setdefault(self.item_rank[v], set()).add((u, v, pu, pv))
        self.bands: dict[tuple[int, int, float, float], tuple[float, float]] = {}
        for r, layer in enumerate(self.layers):
            bands = []
            for u, v, pu, pv in sorted(by_rank.get(r, ())):
                a, b = self.xs[u] + pu, self.xs[v] + pv
                if abs(a - b) >= 0.5:
                    left, right = min(a, b) - 4, max(a, b) + 4
                    top = floor(left, right)
                    gap = NEAR if self._at_border(r) else GAP
                    bottom = top + min(DEEPEST, gap + BEND * abs(a - b)) - 6
                    bands.append((left, right, bottom))
                    self.bands[u, v, pu, pv] = top, bottom
            placed = []
            for i in layer:
                left, right = self.xs[i] - self.widths[i] / 2 - LANE / 2, self.xs[i] + self.widths[i] / 2 + LANE / 2
                gap = 0.0 if not r or i >= len(self.boxes) else NEAR if self._at_border(r) else GAP
                top = floor(left, right) + gap
                top = max([top, *(b + 6 for l, r_, b in bands if l < right and left < r_)])
                tops[i] = bottoms[i] = top
                if i < len(self.boxes):
                    self.boxes[i].y = top
                    bottoms[i] = top + self.boxes[i].height
                placed.append((left, right, bottoms[i]))
            above += bands + placed
        return tops, bottoms

    def _route(self, tops: list[float], bottoms: list[float]) -> None:
        bands = getattr(self, "bands", {})
        for link, path, (u, _) in zip(self.links, self.paths, self.ends):
            first, last = path[0][0], path[-1][0]
            x = self.xs[first] + path[0][1]
            route = [(x, self.boxes[first].y + self.boxes[first].height)]
            for (i, pi), (j, pj) in zip(path, path[1:]):
                a, b = self.xs[i] + pi, self.xs[j] + pj
                if abs(a - b) < 0.5:
                    continue
                high, low = bands.get((i, j, pi, pj), (bottoms[i], tops[j]))
                route += [(a, high), (b, low)]
            x = self.xs[last] + path[-1][1]
            route.append((x, self.boxes[last].y))
            made = [route[0]]
            for point in route[1:]:
                if abs(point[0] - made[-1][0]) > 0.5 or abs(point[1] - made[-1][1]) > 0.01:
                    made.append(point)
            link.route = made if first == u else made[::-1]
