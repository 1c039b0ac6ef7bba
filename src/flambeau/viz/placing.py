"""Places along the ranks: long edges and the main path straight, neighbours apart, after Brandes and Köpf.

"Fast and Simple Horizontal Coordinate Assignment" (2001), with the sizes and ports of Rüegg et al. (2015): chains of
nodes are put into blocks, which are packed towards each of two sides for alignments upwards and downwards; a node's
place is the mean of the two middle ones. Nodes choose whom to align with by the importance of the edge.
"""

from __future__ import annotations

Segment = tuple[int, int, float, float]  # (upper node, lower node, where on the upper one, where on the lower one)


class Places:
    """Coordinates of ordered layers. widths and gaps: of nodes and the room on each side; weight: of each segment."""

    def __init__(self, layers: list[list[int]], widths: list[float], gaps: list[float], segments: dict[Segment, int]):
        self.layers, self.widths, self.gaps = layers, widths, gaps
        self.position = [0] * len(widths)
        for layer in layers:
            for i, node in enumerate(layer):
                self.position[node] = i
        self.conflicts = self._conflicts(segments)
        self.ups: list[list] = [[] for _ in widths]  # (node, its port, the own port, weight)
        self.downs: list[list] = [[] for _ in widths]
        for (u, v, pu, pv), weight in segments.items():
            self.ups[v].append((u, pu, pv, weight))
            self.downs[u].append((v, pv, pu, weight))

    def _conflicts(self, segments: dict[Segment, int]) -> set[tuple[int, int]]:
        """Segments that cross one of a long edge (weight 3): they must not be straight, so that it can."""
        position = self.position
        by_layer: dict[int, list] = {}
        rank = {node: r for r, layer in enumerate(self.layers) for node in layer}
        for (u, v, *_), weight in segments.items():
            by_layer.setdefault(rank[v], []).append((position[u], position[v], weight, u, v))
        found = set()
        for listed in by_layer.values():
            inner = [s for s in listed if s[2] >= 3]
            for a, b, weight, u, v in listed:
                if weight < 3 and any((a - c) * (b - d) < 0 for c, d, *_ in inner):
                    found.add((u, v))
        return found

    def run(self) -> list[float]:
        """The centre of each node."""
        if not any(self.layers):
            return []
        found = []
        for upwards in (False, True):
            for mirrored in (False, True):
                roots, shifts = self._align(upwards, mirrored)
                places = self._pack(roots, shifts, mirrored)
                found.append(places)
        return self._balanced(found)

    def _align(self, upwards: bool, mirrored: bool) -> tuple[list[int], list[float]]:
        """(the first node of the block of each node, its place in the block)."""
        layers = self.layers[-2::-1] if upwards else self.layers[1:]
        near = self.downs if upwards else self.ups
        roots = list(range(len(self.widths)))
        shifts = [0.0] * len(self.widths)
        taken = [False] * len(self.widths)  # nodes that have been aligned with from this side
        side = -1 if mirrored else 1
        position = self.position
        for layer in layers:
            chosen: list[tuple[int, int]] = []  # (position there, position here) of what has been aligned
            wishes = []
            for node in layer:
                around = sorted(near[node], key=lambda n: side * (position[n[0]] + 0.001 * n[1]))
                middle = (len(around) - 1) / 2
                for i, (other, there, here, weight) in enumerate(around):
                    if weight >= 2 or abs(i - middle) < 1:
                        wishes.append((-weight, abs(i - middle), side * position[node], i, node, other, here, there))
            wishes.sort()
            done: set[int] = set()
            for *_, node, other, here, there in wishes:
                if node in done or taken[other]:
                    continue
                pair = (other, node) if not upwards else (node, other)
                a, b = position[other], position[node]
                if pair in self.conflicts or any((a - c) * (b - d) <= 0 for c, d in chosen):
                    continue
                done.add(node)
                taken[other] = True
                chosen.append((a, b))
                roots[node] = roots[other]
                shifts[node] = shifts[other] + there - here
        return roots, shifts

    def _pack(self, roots: list[int], shifts: list[float], mirrored: bool) -> list[float]:
        """Blocks as far to the left (mirrored: to the right) as they go, then back as far as others allow."""
        apart: dict[int, dict[int, float]] = {root: {} for root in roots}  # block -> block on its right -> distance
        before: dict[int, dict[int, float]] = {root: {} for root in roots}
        widths, gaps = self.widths, self.gaps
        for layer in self.layers:
            for u, v in zip(layer, layer[1:]):
                a, b = roots[u], roots[v]
                space = (widths[u] + widths[v]) / 2 + max(gaps[u], gaps[v]) + shifts[u] - shifts[v]
                if space > apart[a].get(b, float("-inf")):
                    apart[a][b] = before[b][a] = space
        if mirrored:
            apart, before = before, apart
        order = _topological(apart, before)
        places: dict[int, float] = {}
        for block in order:
            places[block] = max((places[b] + space for b, space in before[block].items()), default=0.0)
        for block in reversed(order):
            room = min((places[b] - space for b, space in apart[block].items()), default=None)
            if room is not None:
                places[block] = max(places[block], room)
        sign = -1 if mirrored else 1
        return [sign * places[root] + shift for root, shift in zip(roots, shifts)]

    def _balanced(self, found: list[list[float]]) -> list[float]:
        """The four candidates moved onto the narrowest one; the mean of the two middle ones for each node."""
        nodes = [node for layer in self.layers for node in layer]
        lows = [min(p[n] - self.widths[n] / 2 for n in nodes) for p in found]
        highs = [max(p[n] + self.widths[n] / 2 for n in nodes) for p in found]
        narrow = min(range(4), key=lambda i: highs[i] - lows[i])
        for i, places in enumerate(found):
            move = lows[narrow] - lows[i] if i % 2 == 0 else highs[narrow] - highs[i]
            found[i] = [p + move for p in places]
        return [sum(sorted(four)[1:3]) / 2 for four in zip(*found)]


def _topological(after: dict[int, dict], before: dict[int, dict]) -> list[int]:
    missing = {block: len(b) for block, b in before.items()}
    order = [block for block, count in missing.items() if not count]
    for block in order:
        for other in after[block]:
            missing[other] -= 1
            if not missing[other]:
                order.append(other)
    return order
