"""Ranks of a layered drawing: every edge leads downwards, and their lengths add up to as little as can be.

Nodes that hang on a single edge stay next to their neighbour; the rest is a linear programme, solved by the network
simplex method of Gansner, Koutsofios, North and Vo, "A Technique for Drawing Directed Graphs" (1993).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

Edge = tuple[int, int]


def acyclic(count: int, edges: Iterable[Edge]) -> list[Edge]:
    """The edges, with those turned round that close a cycle; loops are left out."""
    following: list[list[int]] = [[] for _ in range(count)]
    for u, v in edges:
        following[u].append(v)
    back: set[Edge] = set()
    state = [0] * count  # 1 while a node's successors are being visited, 2 after that
    for start in range(count):
        stack = [(start, iter(following[start]))] if not state[start] else []
        while stack:
            node, rest = stack[-1]
            state[node] = 1
            for v in rest:
                if state[v] == 1:
                    back.add((node, v))
                elif not state[v]:
                    stack.append((v, iter(following[v])))
                    break
            else:
                state[node] = 2
                stack.pop()
    return [(v, u) if (u, v) in back else (u, v) for u, v in edges if u != v]


def components(count: int, edges: Iterable[Edge]) -> list[list[int]]:
    """The nodes of each connected part, in the order of their first nodes."""
    near: list[list[int]] = [[] for _ in range(count)]
    for u, v in edges:
        near[u].append(v)
        near[v].append(u)
    seen = [False] * count
    found = []
    for start in range(count):
        if not seen[start]:
            part, stack = [], [start]
            seen[start] = True
            while stack:
                node = stack.pop()
                part.append(node)
                for other in near[node]:
                    if not seen[other]:
                        seen[other] = True
                        stack.append(other)
            found.append(sorted(part))
    return found


def ranks(count: int, edges: Iterable[Edge], costs: Iterable[int] | None = None) -> list[int]:
    """A rank from 0 for each node of a connected graph without cycles, such that edges lead to higher ranks.

    costs: what a rank more costs for each edge; 1 if not given.

    >>> ranks(5, [(0, 1), (1, 2), (2, 3), (0, 3), (4, 3)])
    [0, 1, 2, 3, 2]
    """
    weights: dict[Edge, int] = {}
    for edge, cost in zip(edges, itertools.repeat(1) if costs is None else costs):
        weights[edge] = weights.get(edge, 0) + cost
    core, peeled = _peel(count, weights)
    found = _Simplex(core, {e: w for e, w in weights.items() if e[0] in core and e[1] in core}).run()
    for node, neighbour, above in reversed(peeled):
        found[node] = found[neighbour] + (-1 if above else 1)
    lowest = min(found.values(), default=0)
    return [found[i] - lowest for i in range(count)]


def _peel(count: int, edges: Iterable[Edge]) -> tuple[set[int], list[tuple[int, int, bool]]]:
    """Take off the nodes that hang on one edge, again and again: (what is left, (node, neighbour, node is above))."""
    near: list[dict[int, bool]] = [{} for _ in range(count)]
    for u, v in edges:
        near[u][v] = True
        near[v][u] = False
    core, peeled = set(range(count)), []
    stack = [i for i in range(count) if len(near[i]) == 1]
    while stack and len(core) > 1:
        node = stack.pop()
        if len(near[node]) != 1:
            continue
        (neighbour, above) = near[node].popitem()
        del near[neighbour][node]
        core.discard(node)
        peeled.append((node, neighbour, above))
        if len(near[neighbour]) == 1:
            stack.append(neighbour)
    return core, peeled


class _Simplex:
    """The network simplex method for ranks."""

    def __init__(self, nodes: set[int], weights: dict[Edge, int]):
        self.nodes = sorted(nodes)
        self.edges = list(weights)
        self.balance = dict.fromkeys(
            self.nodes, 0
        )  # weights of a node's outgoing edges less those of its incoming ones
        self.incident: dict[int, list[Edge]] = {n: [] for n in self.nodes}
        for edge, weight in weights.items():
            u, v = edge
            self.balance[u] += weight
            self.balance[v] -= weight
            self.incident[u].append(edge)
            self.incident[v].append(edge)
        self.rank = self._longest_paths()

    def run(self) -> dict[int, int]:
        """The ranks. Each turn takes the edge out of the tree whose two sides gain most by moving apart."""
        tree = self._tight_tree()
        for _ in range(4 * len(self.nodes)):
            parents, order = self._rooted(tree)
            leaving, side = self._worst(parents, order)
            if leaving is None:
                break
            entering, slack = self._replacement(side, leaving[0] in side)
            tree.discard(leaving)
            tree.add(entering)
            step = -slack if leaving[0] in side else slack
            for node in side:
                self.rank[node] += step
        return self.rank

    def _longest_paths(self) -> dict[int, int]:
        missing = {n: sum(v == n for _, v in self.incident[n]) for n in self.nodes}
        rank = dict.fromkeys(self.nodes, 0)
        ready = [n for n in self.nodes if not missing[n]]
        while ready:
            node = ready.pop()
            for u, v in self.incident[node]:
                if u == node:
                    rank[v] = max(rank[v], rank[node] + 1)
                    missing[v] -= 1
                    if not missing[v]:
                        ready.append(v)
        return rank

    def _slack(self, edge: Edge) -> int:
        return self.rank[edge[1]] - self.rank[edge[0]] - 1

    def _tight_tree(self) -> set[Edge]:
        """A spanning tree of edges of length 1, after moving nodes for it."""
        tree: set[Edge] = set()
        inside = {self.nodes[0]}
        fringe = [self.nodes[0]]
        while True:
            while fringe:
                node = fringe.pop()
                for edge in self.incident[node]:
                    other = edge[0] if edge[1] == node else edge[1]
                    if other not in inside and not self._slack(edge):
                        inside.add(other)
                        tree.add(edge)
                        fringe.append(other)
            if len(inside) == len(self.nodes):
                return tree
            border = [e for e in self.edges if (e[0] in inside) != (e[1] in inside)]
            edge = min(border, key=self._slack)
            step = self._slack(edge) if edge[0] not in inside else -self._slack(edge)
            for node in inside:
                self.rank[node] -= step
            fringe = [edge[0] if edge[0] in inside else edge[1]]

    def _rooted(self, tree: set[Edge]) -> tuple[dict[int, Edge], list[int]]:
        """(the tree edge from each node towards the root, the nodes with parents first)."""
        parents: dict[int, Edge] = {}
        order = [self.nodes[0]]
        seen = {self.nodes[0]}
        for node in order:
            for edge in self.incident[node]:
                other = edge[0] if edge[1] == node else edge[1]
                if other not in seen and edge in tree:
                    seen.add(other)
                    parents[other] = edge
                    order.append(other)
        return parents, order

    def _worst(self, parents: dict[int, Edge], order: list[int]) -> tuple[Edge | None, set[int]]:
        """(tree edge with the most negative cut value, the nodes below it in the tree); (None, ...) if none has."""
        total = dict(self.balance)
        worst, value, below = None, 0, -1
        for node in reversed(order[1:]):
            edge = parents[node]
            other = edge[0] if edge[1] == node else edge[1]
            total[other] += total[node]
            cut = total[node] if edge[0] == node else -total[node]
            if cut < value:
                worst, value, below = edge, cut, node
        side: set[int] = set()
        if worst is not None:
            side.add(below)
            for node in order[order.index(below) + 1 :]:
                edge = parents[node]
                if (edge[0] if edge[1] == node else edge[1]) in side:
                    side.add(node)
        return worst, side

    def _replacement(self, side: set[int], tail_inside: bool) -> tuple[Edge, int]:
        """The shortest edge across the cut in the other direction, and its slack."""
        across = [e for e in self.edges if (e[0] in side) != tail_inside and (e[1] in side) == tail_inside]
        edge = min(across, key=self._slack)
        return edge, self._slack(edge)
