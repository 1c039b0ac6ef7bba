"""Which neighbours share a loop: maps over one index space are joined where data flows from one to the next.

Nothing here knows an operation by name. A node waits for another where both touch the same bytes and one of them
writes; a map joins a group of maps if all that it takes from the group is, element by element, what the group has just
computed, and if nothing outside waits for the group and is waited for by the map.
"""

from __future__ import annotations

import heapq
from collections import defaultdict

from .program import Buffer, Map, Node, Region

MOST_OPERANDS = 14
MOST_INSTRUCTIONS = 160


class Group:
    """Nodes that run as one. `needs`: a bit for every group that must run before."""

    def __init__(self, number: int, node: Node):
        self.number, self.nodes = number, [node]
        self.needs = 0
        self.axes = _axes(node)
        self.size = len(node.body) if isinstance(node, Map) else 0


def _axes(node: Node) -> tuple | None:
    """The dimensions that a map reduces over, None where it reduces nothing."""
    if isinstance(node, Map):
        for op, axes in zip(node.reduce, node.axes):
            if op:
                return axes
    return None


def fused(nodes: list[Node], outside: set[Buffer]) -> list[Node]:
    """The same program with maps joined. outside: buffers that others see, which must be written."""
    groups: list[Group] = []
    of: list[Group] = []
    touched: dict[Buffer, list[tuple[int, Region, bool]]] = defaultdict(list)
    for i, node in enumerate(nodes):
        needed = _needed(node, touched)
        target = None
        if isinstance(node, Map):
            before = {of[j].number for j in needed}
            candidates = sorted({of[j].number for j in needed} | _neighbours(node, touched, of, nodes), reverse=True)
            for number in candidates:
                if _may_join(node, groups[number], before, groups):
                    target = groups[number]
                    break
        if target is None:
            target = Group(len(groups), node)
            groups.append(target)
        else:
            target.nodes.append(node)
            target.axes = target.axes or _axes(node)
            target.size += len(node.body)  # type: ignore[attr-defined]
        of.append(target)
        for j in needed:
            if of[j] is not target:
                target.needs |= 1 << of[j].number | of[j].needs
        for g in groups:
            if g.needs >> target.number & 1:
                g.needs |= target.needs
        for region, written in (*((r, False) for r in node.reads), *((w, True) for w in node.writes)):
            touched[region.buffer].append((i, region, written))
    made = [_joined(g, of, touched, outside) if isinstance(g.nodes[0], Map) else g.nodes[0] for g in groups]
    return _ordered(groups, made)


def _needed(node: Node, touched: dict) -> set[int]:
    """The earlier nodes that a node waits for."""
    found = set()
    for region, writes in (*((r, False) for r in node.reads), *((w, True) for w in node.writes)):
        for i, other, written in touched.get(region.buffer, ()):
            if (writes or written) and region.overlaps(other):
                found.add(i)
    return found


def _neighbours(node: Map, touched: dict, of: list[Group], nodes: list[Node]) -> set[int]:
    """Groups of maps that read something that this one reads too, in the same way."""
    found = set()
    for region in node.reads:
        if region.shape == node.shape:
            for i, other, written in touched.get(region.buffer, ()):
                if not written and other == region and isinstance(nodes[i], Map):
                    found.add(of[i].number)
    return found


def _may_join(node: Map, group: Group, before: set[int], groups: list[Group]) -> bool:
    first = group.nodes[0]
    if not isinstance(first, Map) or first.shape != node.shape:
        return False
    axes = _axes(node)
    if axes is not None and group.axes is not None and axes != group.axes:
        return False
    for number in before:
        if number != group.number and groups[number].needs >> group.number & 1:
            return False
    if group.size + len(node.body) > MOST_INSTRUCTIONS:
        return False
    operands = {r for n in (*group.nodes, node) for r in (*n.reads, *n.writes)}
    if len(operands) > MOST_OPERANDS:
        return False
    for member in group.nodes:
        for w, op in zip(member.writes, member.reduce):  # type: ignore[attr-defined]
            for r in (*node.reads, *node.writes):
                if r.overlaps(w) and (op or not _same_walk(r, w, node.shape)):
                    return False
        for r in member.reads:
            for w, op in zip(node.writes, node.reduce):
                if w.overlaps(r) and (op or not _same_walk(r, w, node.shape)):
                    return False
    return True


def _same_walk(a: Region, b: Region, shape: tuple[int, ...]) -> bool:
    """Whether two regions give the same element at every place of the index space."""
    if a.buffer is not b.buffer or a.offset != b.offset or a.dtype != b.dtype:
        return False
    return a.shape == b.shape == shape and all(x == y for x, y, n in zip(a.strides, b.strides, shape) if n != 1)


def _joined(group: Group, of: list[Group], touched: dict, outside: set[Buffer]) -> Map:
    """One map for all of a group."""
    if len(group.nodes) == 1:
        return group.nodes[0]  # type: ignore[return-value]
    lines: list[tuple] = []
    known: dict[tuple, int] = {}
    reads: list[Region] = []
    numbers: list = []
    values: list[tuple[Region, int]] = []  # what the group has stored so far
    outs: dict[int, tuple] = {}
    shape = group.nodes[0].shape  # type: ignore[attr-defined]

    def line(*instruction: object) -> int:
        key = tuple((type(x), repr(x)) for x in instruction)
        if key not in known:
            known[key] = len(lines)
            lines.append(instruction)
        return known[key]

    for node in group.nodes:
        assert isinstance(node, Map)
        mine: list[int] = []
        first_number = len(numbers)
        numbers += node.numbers
        for name, *rest in node.body:
            if name == "in":
                region = node.reads[rest[0]]
                stored = next((v for r, v in reversed(values) if _same_walk(r, region, shape)), None)
                if stored is None:
                    if region not in reads:
                        reads.append(region)
                    stored = line("in", reads.index(region))
                mine.append(stored)
            elif name == "num":
                mine.append(line("num", first_number + rest[0]))
            elif name == "const":
                mine.append(line(name, *rest))
            elif name == "cast":
                mine.append(line("cast", mine[rest[0]], rest[1]))
            else:
                mine.append(line(name, *[mine[k] for k in rest]))
        for w, result, op, axes in zip(node.writes, node.results, node.reduce, node.axes):
            if not op:
                for key, (other, *_) in list(outs.items()):
                    if _same_walk(other, w, shape):
                        del outs[key]  # overwritten
                values.append((w, mine[result]))
            outs[len(outs) + len(values) * 1000] = (w, mine[result], op, axes)
    kept = [o for o in outs.values() if o[2] or o[0].buffer in outside or _read_elsewhere(o[0], group, of, touched)]
    name = ", ".join(dict.fromkeys(n.name for n in group.nodes))
    return Map(reads, [o[0] for o in kept], name, shape, tuple(lines), [o[1] for o in kept], numbers,
               [o[2] for o in kept], [o[3] for o in kept], origins=tuple([x for n in group.nodes for x in n.origins]),
               backward=all(n.backward for n in group.nodes))  # fmt: skip


def _read_elsewhere(region: Region, group: Group, of: list[Group], touched: dict) -> bool:
    return any(not written and of[i] is not group and region.overlaps(other)
               for i, other, written in touched[region.buffer])  # fmt: skip


def _ordered(groups: list[Group], made: list[Node]) -> list[Node]:
    """Groups in an order that their needs allow, as near to the program's as possible."""
    waiting = {g.number: g.needs for g in groups}
    followers: dict[int, list[int]] = defaultdict(list)
    for g in groups:
        bits = g.needs
        while bits:
            low = bits & -bits
            followers[low.bit_length() - 1].append(g.number)
            bits ^= low
    ready = [n for n, bits in waiting.items() if not bits]
    heapq.heapify(ready)
    order: list[Node] = []
    while ready:
        number = heapq.heappop(ready)
        if not isinstance(made[number], Map) or made[number].writes:
            order.append(made[number])
        for f in followers[number]:
            waiting[f] &= ~(1 << number)
            if not waiting[f]:
                heapq.heappush(ready, f)
    return order
