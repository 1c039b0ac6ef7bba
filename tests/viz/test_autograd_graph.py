"""make_dot: the structure that torchviz shows, names, saved tensors, and what cannot be drawn."""

import json
from pathlib import Path

import pytest
from viz.torchviz_cases import CASES, canonical

import flambeau as torch
from flambeau import nn
from flambeau.errors import ArgumentTypeError, GradientError
from flambeau.viz import make_dot, make_dot_from_trace

RECORDED = json.loads((Path(__file__).parent.parent / "fixtures" / "torchviz.json").read_text())
# Operations that PyTorch records beside the one that computes; here they are part of it.
PARTS = {
    "mlp": ("TBackward0",),
    "convolutions": ("TBackward0", "LogSoftmaxBackward0"),
    "attention": ("ExpandBackward0", "ReshapeAliasBackward0", "ViewBackward0", "BmmBackward0", "MmBackward0"),
}


def structure(graph, without=()):
    nodes = {n.key: (n.kind, " ".join(n.label.split())) for n in graph.nodes}
    return canonical(nodes, [(e.source, e.target, e.style) for e in graph.edges], without)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_structure_is_the_one_torchviz_shows(case):
    var, params, options = case(torch)
    without = PARTS.get(case.__name__, ())
    nodes, edges = RECORDED[case.__name__]
    assert structure(make_dot(var, params=params, **options)) == canonical(nodes, edges, without)
    assert not without or canonical(nodes, edges) != canonical(nodes, edges, without)


def kinds(graph):
    """Labels of the boxes by kind."""
    found = {}
    for n in graph.nodes:
        found.setdefault(n.kind, []).append(n.label.replace("\n", " "))
    return found


def test_the_article_graphs_are_as_it_describes():
    """Two arrows into the addition, one into the product; x and y nowhere; without gradient, a is gone."""
    a, b = torch.randn(1, requires_grad=True), torch.randn(1, requires_grad=True)
    x, y = torch.rand(80, 1), torch.rand(80, 1)
    yhat = a + b * x
    error = y - yhat
    loss = (error**2).mean()
    graph = make_dot(yhat)
    assert kinds(graph) == {
        "output": ["yhat (80, 1)"],
        "operation": ["AddBackward0", "AccumulateGrad", "MulBackward0", "AccumulateGrad"],
        "parameter": ["a (1)", "b (1)"],
    }
    into = lambda name: [e.source for e in graph.edges if e.target == graph.node(name).key]
    assert len(into("AddBackward0")) == 2
    assert len(into("MulBackward0")) == 1
    more = [len(kinds(make_dot(t))["operation"]) for t in (yhat, error, loss)]
    assert more == [4, 5, 7]  # only the grey boxes become more

    a_nograd = torch.randn(1)
    assert kinds(make_dot(a_nograd + b * x))["parameter"] == ["b (1)"]

    if loss > 0:
        loss = loss + (y - b * x).mean()
    graph = make_dot(loss)
    assert kinds(graph)["operation"].count("MulBackward0") == 2
    assert kinds(graph)["parameter"] == ["a (1)", "b (1)"]
    assert graph.arrange().crossings == 0


def test_names_of_parameters():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    named = ["0.bias (3)", "0.weight (3, 2)", "1.bias (1)", "1.weight (1, 3)"]
    for params in (
        None,
        model,
        model.named_parameters(),
        dict(model.named_parameters()),
        list(model.named_parameters()),
    ):
        assert sorted(kinds(make_dot(model(torch.ones(1, 2)), params=params))["parameter"]) == named
    assert sorted(kinds(make_dot(model(torch.ones(1, 2)), params={}))["parameter"]) == [
        "(1)",
        "(1, 3)",
        "(3)",
        "(3, 2)",
    ]
    权重 = torch.ones(2, requires_grad=True)
    assert kinds(make_dot(权重.sum()))["parameter"] == ["权重 (2)"]


def test_attributes_of_operations():
    w = torch.ones(2, 3, requires_grad=True)
    graph = make_dot(w.exp().sum(1, keepdim=True), params={"w": w}, show_attrs=True)
    assert graph.node("ExpBackward0").lines == ["ExpBackward0", "-" * 22, "result: [saved tensor]"]
    assert any("keepdim: True" in " ".join(n.label.split()) for n in graph.nodes if n.op.startswith("Sum"))
    short = make_dot(w.exp(), params={"w": w}, show_attrs=True, max_attr_chars=6)
    assert short.node("ExpBackward0").lines[2] == "result: [sa..."
    assert "exponent: 2" in " ".join(make_dot(w**2, show_attrs=True).node("PowBackward0").label.split())


def test_saved_tensors_also_of_custom_functions_and_freed_graphs():
    w = torch.ones(2, requires_grad=True)
    y = (w.exp() * w).sum()
    assert kinds(make_dot(y, show_saved=True))["saved"] == ["self (2)", "result (2)"]
    assert "saved" not in kinds(make_dot(y))
    y.backward()
    with pytest.raises(GradientError, match="have already been freed") as caught:  # as torchviz does
        make_dot(y, show_saved=True)
    assert "MulBackward0" in caught.value.why
    graph = make_dot(y, show_attrs=True)  # the values are gone, the graph is not
    assert len(graph.nodes) == 6


def test_outputs_in_lists_and_dicts():
    w = torch.ones(2, requires_grad=True)
    graph = make_dot({"a": w * 2, "b": [w + 1, 3.0]})
    assert len(kinds(graph)["output"]) == 2
    assert kinds(graph)["parameter"] == ["w (2)"]


def test_a_leaf_alone_is_one_box():
    graph = make_dot(torch.ones(2, requires_grad=True))
    assert repr(graph) == "<Graph of 1 node and 0 edges>"
    assert graph.svg().startswith("<svg")


def test_no_graph_says_why():
    w = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        loss = (w * 2).sum()
    with pytest.raises(GradientError, match="there is no graph to draw") as caught:
        make_dot(loss)
    assert "no_grad" in caught.value.why
    with pytest.raises(RuntimeError, match="there is no graph to draw"):
        make_dot(torch.ones(3))


def test_wrong_arguments():
    with pytest.raises(ArgumentTypeError, match="Linear holds none"):
        make_dot(nn.Linear(2, 2))
    with pytest.raises(ArgumentTypeError, match="'w' is float"):
        make_dot(torch.ones(1, requires_grad=True), params={"w": 1.0})
    with pytest.raises(ArgumentTypeError, match="holds Tensor"):
        make_dot(torch.ones(1, requires_grad=True), params=torch.ones(1))
    with pytest.raises(ArgumentTypeError, match="max_attr_chars should be a whole number, but is 'all'"):
        make_dot(torch.ones(1, requires_grad=True), max_attr_chars="all")
    with pytest.raises(NotImplementedError, match="make_dot_from_trace"):
        make_dot_from_trace(None)


def test_deep_graphs_are_walked_without_recursion():
    x = w = torch.ones(1, requires_grad=True)
    for _ in range(3000):
        x = x + 1
    assert len(make_dot(x, params={"w": w}).nodes) == 3003
