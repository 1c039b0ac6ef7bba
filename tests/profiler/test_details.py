"""Shapes, operations, memory and stacks, against PyTorch's numbers (tools/profiler_numbers.py) and by arithmetic."""

import gc
import json
from pathlib import Path

import pytest
from profiler import profiled_programs as programs

import flambeau as torch
from flambeau.profiler import flops, profile

NUMBERS = json.loads((Path(__file__).parent.parent / "fixtures" / "profiler.json").read_text())


def profiled(function, **options):
    function()
    with profile(**options) as prof:
        function()
    return prof


@pytest.mark.parametrize("name", NUMBERS)
def test_operations_are_those_that_pytorch_counts(name):
    prof = profiled(programs.PROGRAMS[name](torch), with_flops=True)
    assert sum(event.flops for event in prof.events()) == NUMBERS[name]["flops"]


@pytest.mark.parametrize("name", NUMBERS)
def test_memory_is_what_pytorch_counts(name):
    prof = profiled(programs.PROGRAMS[name](torch), profile_memory=True)
    ours = {event.key: event.cpu_memory_usage for event in prof.key_averages()}
    theirs = NUMBERS[name]["memory"]
    same = "linear bmm conv2d convolution ones zeros exp add mul add_ view"
    common = {f"aten::{name}" for name in same.split()} & set(ours) & set(theirs)
    assert common and {key: ours[key] for key in common} == {key: theirs[key] for key in common}


def test_what_is_made_is_freed_again():
    x = torch.ones(1000)
    gc.collect()
    with profile(profile_memory=True) as prof:
        y = x.exp().log()
        del y
        x = None
    assert sum(event.self_cpu_memory_usage for event in prof.events()) == -4000  # all that was made, and x
    changes = [count for _at, _thread, count in prof._sessions[0].memory]
    assert sorted(changes) == [-4000, -4000, -4000, 4000, 4000]


def test_the_peak_of_a_layer():
    model = torch.nn.Sequential(torch.nn.Linear(10, 1000, bias=False), torch.nn.ReLU(), torch.nn.Linear(1000, 1))
    x = torch.ones(25, 10)
    with torch.no_grad(), profile(profile_memory=True) as prof:
        model(x)
    peak = {row.name: row.peak for row in prof.by_module()}
    big = 25 * 1000 * 4
    assert peak["Sequential.0"] == big and peak["Sequential.1"] == 2 * big
    assert 2 * big <= peak["Sequential"] <= 2 * big + 100


def test_gradients_count_for_each_that_is_wanted():
    first, second = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)

    def run():
        second(first(torch.ones(5, 6))).sum().backward()

    prof = profiled(run, with_flops=True)
    nodes = [event.flops for event in prof.events() if event.name == "AddmmBackward0"]
    assert nodes == [2 * 2 * 5 * 8 * 3, 2 * 5 * 6 * 8]  # the input of the first layer needs none


def test_convolution_attention_and_recurrent_layers():
    conv = torch.nn.Conv2d(3, 4, 3, bias=False)
    x = torch.ones(2, 3, 8, 8, requires_grad=True)
    prof = profiled(lambda: conv(x).sum().backward(), with_flops=True)
    forward = 2 * (2 * 4 * 6 * 6) * (3 * 3 * 3)
    assert {e.key: e.flops for e in prof.key_averages() if e.flops} == {
        "aten::conv2d": forward, "ConvolutionBackward0": 2 * forward,
    }  # fmt: skip

    q, k, v = (torch.ones(2, 4, 5, 8, requires_grad=True) for _ in range(3))
    attend = torch.nn.functional.scaled_dot_product_attention
    prof = profiled(lambda: attend(q, k, v).sum().backward(), with_flops=True)
    forward = 2 * 2 * (2 * 4 * 5 * 5 * 8)
    assert [e.flops for e in prof.key_averages() if e.flops] == [forward, 5 * forward // 2]

    lstm = torch.nn.LSTM(3, 4)
    prof = profiled(lambda: lstm(torch.ones(5, 2, 3)), with_flops=True)
    assert prof.total_average().flops == 2 * 5 * 2 * (4 * 4 * 3 + 4 * 4 * 4)

    up = torch.nn.ConvTranspose1d(3, 5, 4, bias=False)
    prof = profiled(lambda: up(torch.ones(2, 3, 7)), with_flops=True)
    assert prof.total_average().flops == 2 * (2 * 3 * 7) * (5 * 4)


def test_formulas():
    assert flops.matmul((7, 1, 2, 3), (5, 3, 4)) == 2 * 7 * 5 * 2 * 3 * 4
    assert flops.matmul((3,), (3,)) == 6
    assert flops.of_call("linear", [], ()) == 0 and flops.of_call("unheard of", [(1,)], (1,)) == 0
    assert flops.of_node("linear", [(2, 3), (4, 3)], (2, 4), [None, None, True]) == 0


def test_shapes_of_arguments():
    prof = profiled(lambda: torch.cat([torch.ones(2, 3), torch.ones(1, 3)]).add(1), record_shapes=True)
    shapes = {event.name: event.input_shapes for event in prof.events()}
    assert shapes["aten::cat"][0] == [[2, 3], [1, 3]] and shapes["aten::add"][:2] == [[3, 3], []]
    grouped = prof.key_averages(group_by_input_shape=True)
    assert [e.input_shapes[0] for e in grouped if e.key == "aten::cat"] == [[[2, 3], [1, 3]]]
    assert "Input Shapes" in grouped.table() and "Input Shapes" not in prof.key_averages().table()


def test_stacks_and_lines():
    layer = torch.nn.Linear(2, 2)

    def forward(x):
        return layer(x)

    def run():
        loss = forward(torch.ones(1, 2)).sum()
        loss.backward()

    prof = profiled(run, with_stack=True)
    stacks = {event.name: event.stack for event in prof.events()}
    line = run.__code__.co_firstlineno + 1
    assert stacks["aten::linear"][0].endswith(f"test_details.py({forward.__code__.co_firstlineno + 1}): forward")
    assert stacks["aten::linear"][1].endswith(f"test_details.py({line}): run")
    assert stacks["AddmmBackward0"] == stacks["aten::linear"]  # a node belongs where its forward was
    assert len({tuple(e.stack) for e in prof.key_averages(group_by_stack_n=1) if e.key == "aten::linear"}) == 1
    rows = {row.name.rpartition(":")[2]: row for row in prof.by_line() if row.source}
    inner = rows[str(forward.__code__.co_firstlineno + 1)]
    assert inner.source == "return layer(x)" and inner.calls == 1 and inner.backward > 0
    assert rows[str(line)].source == "loss = forward(torch.ones(1, 2)).sum()"
    assert sum(row.own for row in prof.by_line()) == pytest.approx(prof.by_line().duration)
