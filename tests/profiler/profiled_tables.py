"""Tables of made-up events, printed by PyTorch (tools/profiler_numbers.py) and by flambeau."""

EVENTS = [  # name, start, end, shapes, stack, operations, memory
    ("aten::linear", 0, 1234.5, [[5, 10], [20, 10], []], ["train.py(12): forward", "train.py(40): <module>"], 0, 460),
    ("aten::addmm", 100, 1100.25, [[20], [5, 10], [10, 20]], ["train.py(12): forward"], 2000, 460),
    ("a_very_long_name_of_an_operation_that_does_not_fit_into_a_column_at_all", 2e3, 2.5e6, [[1]], [], 123456789, -3e6),
    ("aten::exp", 2600000, 2600000.5, [], [f"/very/long/{'x' * 90}/file.py(3): g"], 7, 0),
]
LISTS = ({}, {"profile_memory": True}, {"with_flops": True, "profile_memory": True})
GROUPS = ((False, 0), (True, 0), (False, 1), (True, 5))
TABLES = (
    {},
    {"sort_by": "self_cpu_time_total", "row_limit": 2},
    {"header": "Head", "top_level_events_only": True},
    {"time_unit": "ms", "max_name_column_width": 20, "max_src_column_width": 30, "max_shapes_column_width": 15},
    {"row_limit": -1, "max_name_column_width": None},
)


def tables(made):
    """All tables as one text. `made(events, **options)` makes a list of events, in which the second is in the first."""
    found = []
    for options in LISTS:
        for group in GROUPS:
            if options.get("with_flops") and group[1]:
                continue  # PyTorch puts operations under the heading of stacks, and the other way round
            found += [made(EVENTS, **options).key_averages(*group).table(**table) for table in TABLES]
    return "\n".join(found)
