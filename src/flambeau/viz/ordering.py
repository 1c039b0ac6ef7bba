"""The order of nodes within their ranks: few crossings of edges, by barycentres and exchanges of neighbours."""

from __future__ import annotations

from bisect import bisect_right, insort

SWEEPS = 24
Near = list[tuple[int, float, float]]  # (node, where on that node the edge is, where on this one), -0.5 to 0.5


class Order:
    """Layers of nodes, and the edges between neighbouring ones.

    layers: the nodes of each rank; ups and downs: the neighbours of each node in the rank above and below.
    """

    def __init__(self, layers: list[list[int]], ups: list[Near], downs: list[Near]):
        self.layers, self.ups, self.downs = layers, ups, downs
        self.position = [0] * len(ups)
        self._renumber()

    def _renumber(self) -> None:
        for layer in self.layers:
            for i, node in enumerate(layer):
                self.position[node] = i

    def minimise(self) -> int:
        """Reorder the layers; the number of crossings that is left."""
        best, fewest = [list(layer) for layer in self.layers], self.crossings()
        for start in (self._from_top, self._from_bottom) if fewest else ():
            start()
            self._renumber()
            idle = 0
            for sweep in range(SWEEPS):
                if not fewest or idle > 5:
                    break
                self._sweep(sweep % 2 == 0, sweep % 4 > 1)
                self._exchange()
                count = self.crossings()
                idle += 1
                if count < fewest:
                    best, fewest, idle = [list(layer) for layer in self.layers], count, 0
        self.layers[:] = best
        self._renumber()
        return fewest

    def _from_top(self) -> None:
        """Depth first from the sources: what hangs together stands together."""
        self._walk(self.layers, self.downs)

    def _from_bottom(self) -> None:
        self._walk(self.layers[::-1], self.ups)

    def _walk(self, layers: list[list[int]], nexts: list[Near]) -> None:
        rank = {node: r for r, layer in enumerate(self.layers) for node in layer}
        seen: set[int] = set()
        made: list[list[int]] = [[] for _ in self.layers]
        for start in [node for layer in layers for node in sorted(layer)]:
            stack = [start]
            while stack:
                node = stack.pop()
                if node not in seen:
                    seen.add(node)
                    made[rank[node]].append(node)
                    stack += [other for other, *_ in sorted(nexts[node], key=lambda n: (n[2], n[0]), reverse=True)]
        self.layers[:] = made

    def _sweep(self, downwards: bool, right: bool) -> None:
        """Sort each layer by the mean position of its neighbours in the one before. right: equal ones change places."""
        layers = self.layers[1:] if downwards else self.layers[-2::-1]
        near = self.ups if downwards else self.downs
        position = self.position
        for layer in layers:
            value = {}
            for node in layer:
                around = near[node]
                if around:
                    value[node] = sum(position[n] + at for n, at, _ in around) / len(around)
            free = [(i, n) for i, n in enumerate(layer) if n not in value]
            fixed = [n for n in layer if n in value]
            if right:
                fixed.reverse()
            fixed.sort(key=value.__getitem__)
            for i, node in free:  # what has no neighbour there keeps its place
                fixed.insert(i, node)
            layer[:] = fixed
            for i, node in enumerate(layer):
                position[node] = i

    def _exchange(self) -> None:
        """Exchange neighbours as long as that saves crossings."""
        for _ in range(8):
            better = False
            for layer in self.layers:
                for i in range(len(layer) - 1):
                    u, v = layer[i], layer[i + 1]
                    if self._between(u, v) > self._between(v, u):
                        layer[i], layer[i + 1] = v, u
                        self.position[u], self.position[v] = i + 1, i
                        better = True
            if not better:
                return

    def _between(self, u: int, v: int) -> int:
        """Crossings of the edges of two nodes, u standing left of v."""
        count = 0
        for near in (self.ups, self.downs):
            right = sorted(self.position[n] + at for n, at, _ in near[v])
            for n, at, _ in near[u] if right else ():
                place = self.position[n] + at
                for other in right:
                    if other >= place:
                        break
                    count += 1
        return count

    def crossings(self) -> int:
        """How many pairs of edges cross."""
        position, count = self.position, 0
        for layer in self.layers[:-1]:
            ends = sorted(
                (position[u] + here, position[v] + there) for u in layer for v, there, here in self.downs[u]
            )  # fmt: skip
            seen: list[float] = []
            for _, end in ends:
                count += len(seen) - bisect_right(seen, end)
                insort(seen, end)
        return count
