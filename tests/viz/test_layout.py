"""Layouts: boxes apart, edges beside boxes, no crossings where none are needed, the same picture every time."""

import itertools

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn
from flambeau.viz.graph import Frame, Graph, Node
from flambeau.viz.layering import acyclic, components, ranks
from flambeau.viz.svg import curves, drawn_once


def graph_of(edges, frames=(), direction="TB"):
    """A graph of named nodes. frames: (name, names of the nodes in it)."""
    graph = Graph(direction=direction)
    inside = {n: f for f, names in frames for n in names}
    for f, _ in frames:
        graph.frames.append(Frame(f, f, frame=inside.get(f, "")))
    for n in dict.fromkeys(itertools.chain.from_iterable(edges)):
        graph.add(Node(n, [n], frame=inside.get(n, "")))
    for u, v in edges:
        graph.connect(u, v)
    return graph.arrange()


def rectangle(thing, by=0.0):
    return (
        thing.x - thing.width / 2 + by, thing.y - thing.height / 2 + by,
        thing.x + thing.width / 2 - by, thing.y + thing.height / 2 - by,
    )  # fmt: skip


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def points(edge, count=16):
    """Points along an edge."""
    start = edge.route[0]
    for curve in curves(edge.route, edge.lying):
        p = np.array([start, *curve])
        for t in np.linspace(0, 1, count):
            if len(p) == 2:
                yield tuple(p[0] * (1 - t) + p[1] * t)
            else:
                yield tuple(p[0] * (1 - t) ** 3 + 3 * p[1] * t * (1 - t) ** 2 + 3 * p[2] * t**2 * (1 - t) + p[3] * t**3)
        start = curve[-1]


def check(graph):
    """What every layout has to fulfil."""
    boxes = {n.key: rectangle(n) for n in graph.nodes}
    for a, b in itertools.combinations(boxes, 2):
        assert not overlap(boxes[a], boxes[b]), (a, b)
    frames = {f.key: f for f in graph.frames}
    for f in graph.frames:
        held = [n for n in graph.nodes if _within(n.frame, f.key, frames)]
        for n in graph.nodes:
            inside = boxes[n.key]
            l, t, r, b = rectangle(f)
            if n in held:
                assert l < inside[0] and t < inside[1] and inside[2] < r and inside[3] < b
            else:
                assert not overlap(inside, rectangle(f)), (n.key, f.key)
    shrunk = {n.key: rectangle(n, 1.0) for n in graph.nodes}
    for e in graph.edges:
        for x, y in points(e):
            for key, (l, t, r, b) in shrunk.items():
                assert not (l < x < r and t < y < b), (e.source, e.target, "runs through", key)
            assert 0 <= x <= graph.width and 0 <= y <= graph.height
        ends = {n.key: n for n in graph.nodes}
        for end, point in ((ends[e.source], e.route[0]), (ends[e.target], e.route[-1])):
            l, t, r, b = rectangle(end, -1.0)
            assert l <= point[0] <= r and t <= point[1] <= b


def _within(frame, key, frames):
    while frame and frame != key:
        frame = frames[frame].frame
    return frame == key


def tree(depth):
    return [(f"n{i}", f"n{2 * i + k}") for i in range(1, 2**depth) for k in (0, 1)]


PLANAR = {
    "chain": [(f"n{i}", f"n{i + 1}") for i in range(30)],
    "tree": tree(4),
    "tree upwards": [(v, u) for u, v in tree(4)],
    "diamonds": [e for i in range(6) for e in ((f"a{i}", f"b{i}"), (f"a{i}", f"c{i}"), (f"b{i}", f"a{i + 1}"),
                                               (f"c{i}", f"a{i + 1}"))],
    "residual": [e for i in range(8) for e in ((f"a{i}", f"b{i}"), (f"b{i}", f"c{i}"), (f"c{i}", f"a{i + 1}"),
                                               (f"a{i}", f"a{i + 1}"))],
    "u": [(f"d{i}", f"d{i + 1}") for i in range(5)] + [("d5", "u5")] + [(f"u{i + 1}", f"u{i}") for i in range(5)]
    + [(f"d{i}", f"u{i}") for i in range(5)],
    "fan in": [(f"x{i}", "cat") for i in range(40)] + [("cat", "out")],
    "ladder": [e for i in range(10) for e in ((f"l{i}", f"l{i + 1}"), (f"r{i}", f"r{i + 1}"), (f"l{i}", f"r{i + 1}"))],
    "two parts": [("a", "b"), ("b", "c"), ("x", "y")],
}  # fmt: skip


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize("name", PLANAR)
def test_planar_graphs_are_drawn_without_crossings(name, direction):
    graph = graph_of(PLANAR[name], direction=direction)
    check(graph)
    assert graph.crossings == 0


def test_crossings_that_cannot_be_avoided_are_few():
    for a, b, fewest in ((3, 3, 9), (2, 4, 6)):  # layers of complete bipartite graphs: C(a,2) C(b,2)
        graph = graph_of([(f"u{i}", f"v{j}") for i in range(a) for j in range(b)])
        check(graph)
        assert graph.crossings == fewest


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_keep_boxes_and_edges_apart(seed):
    draw = np.random.default_rng(seed)
    n = int(draw.integers(2, 40))
    edges = [(f"n{i}", f"n{int(draw.integers(i + 1, n + 1))}") for i in range(n) for _ in range(draw.integers(1, 4))]
    edges += [("n1", "n0")] if seed % 3 == 0 else []  # a cycle
    frames = []
    if seed % 2:
        names = [f"n{i}" for i in range(n + 1)]
        frames = [("outer", names[n // 4 : n // 2] + ["inner"]), ("inner", names[n // 2 : n // 2 + n // 8])]
        frames = [(f, [x for x in held if x != "n0"]) for f, held in frames if held]
        edges = [e for e in edges if not seed % 3 == 0 or e != ("n1", "n0")]
    check(graph_of(edges, frames if len(frames) == 2 and all(h for _, h in frames) else ()))


def test_frames_stand_beside_chains_and_edges_enter_them_from_above():
    edges = [("x", "c1"), ("c1", "c2"), ("c2", "c3"), ("c3", "add"), ("x", "d1"), ("d1", "d2"), ("d2", "add")]
    for direction in ("TB", "LR"):
        graph = graph_of(edges, [("down", ["d1", "d2"])], direction)
        check(graph)
        assert graph.crossings == 0
        by_key = {n.key: n for n in graph.nodes}
        along = (lambda n: n.y) if direction == "TB" else (lambda n: n.x)
        across = (lambda n: n.x) if direction == "TB" else (lambda n: n.y)
        assert along(by_key["c2"]) < along(by_key["d2"]) + 60  # no hole as high as the frame in the chain beside it
        assert len({round(across(by_key[k])) for k in ("x", "c1", "c2", "c3", "add")}) == 1  # the main path is straight


def test_the_same_graph_gives_the_same_picture():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    from flambeau.viz import draw

    pictures = {draw(model, torch.ones(2, 3, 8), depth=4).svg() for _ in range(3)}
    assert len(pictures) == 1


def test_ranks_are_as_short_as_can_be():
    def total(edges, found):
        return sum(found[v] - found[u] for u, v in edges)

    draw = np.random.default_rng(0)
    for n in (4, 5, 6):
        for _ in range(10):
            edges = [(i, int(draw.integers(i + 1, n))) for i in range(n - 1) for _ in range(2)]
            found = ranks(n, edges)
            assert all(found[u] < found[v] for u, v in edges)
            best = min(
                total(edges, r)
                for r in itertools.product(range(n), repeat=n)
                if all(r[u] < r[v] for u, v in edges)
            )  # fmt: skip
            assert total(edges, found) == best


def test_cycles_are_broken_and_parts_are_found():
    assert acyclic(3, [(0, 1), (1, 2), (2, 0), (1, 1)]) == [(0, 1), (1, 2), (0, 2)]
    assert components(5, [(0, 3), (1, 2)]) == [[0, 3], [1, 2], [4]]


def test_large_graphs_with_long_edges():
    edges = [(f"n{i}", f"n{j}") for i in range(60) for j in range(i + 1, min(i + 7, 60))]  # as in a DenseNet
    graph = graph_of(edges)
    boxes = [rectangle(n) for n in graph.nodes]
    assert not any(overlap(a, b) for a, b in itertools.combinations(boxes, 2))


def test_lines_that_run_together_are_drawn_once():
    edges = [("x", f"c{i}") for i in range(5)] + [(f"c{i}", f"c{i + 1}") for i in range(4)]
    for direction in ("TB", "LR"):
        graph = graph_of(edges, direction=direction)
        routes = [(e, route) for e, route in drawn_once(graph) if e.source == "x"]
        assert all(route[-1] == e.route[-1] for e, route in routes)
        straight = sorted(tuple(sorted(piece)) for _, route in routes for piece in zip(route, route[1:]))
        assert len(set(straight)) == len(straight)
        assert sum(len(route) for _, route in routes) < sum(len(e.route) for e, _ in routes)


def test_an_edge_from_a_node_to_itself_and_double_edges():
    graph = graph_of([("a", "a"), ("a", "b"), ("a", "b"), ("b", "c")])
    boxes = [rectangle(n) for n in graph.nodes]
    assert not any(overlap(p, q) for p, q in itertools.combinations(boxes, 2))
    ends = [e.route[-1] for e in graph.edges if (e.source, e.target) == ("a", "b")]
    assert ends[0] != ends[1]  # two arrows
    assert graph.svg()
