"""Printed tables are PyTorch's, letter by letter."""

from pathlib import Path

from profiler.profiled_tables import tables

from flambeau.profiler import EventList, FunctionEvent

RECORDED = Path(__file__).parent.parent / "fixtures" / "profiler_tables.txt"


def made(events, **options):
    found = []
    for i, (name, start, end, shapes, stack, flops, memory) in enumerate(events):
        event = FunctionEvent(i, name, "op", 1, start, end, -1)
        event.input_shapes, event.stack, event.flops = shapes, stack, flops
        event.cpu_memory_usage = event.self_cpu_memory_usage = int(memory)
        found.append(event)
    outer, inner = found[:2]
    outer.cpu_children, inner.cpu_parent = [inner], outer
    outer.self_cpu_memory_usage -= inner.cpu_memory_usage
    return EventList(found, **options)


def test_tables_are_those_of_pytorch():
    assert tables(made) == RECORDED.read_text(encoding="utf-8")


def test_an_empty_list_has_no_table():
    assert EventList().table() == "" and EventList().total_average().count == 0
