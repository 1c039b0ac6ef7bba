"""Files: traces that chrome://tracing and Perfetto take, stacks, and where they cannot be written."""

import gzip
import json

import pytest

import flambeau as torch
from flambeau.profiler import profile, record_function, schedule, tensorboard_trace_handler


@pytest.fixture(scope="module")
def prof():
    model = torch.nn.Linear(3, 2)
    with profile(record_shapes=True, profile_memory=True, with_stack=True, with_flops=True) as prof:
        with record_function("训练"):
            model(torch.ones(4, 3)).sum().backward()
    return prof


def test_slices_are_nested_and_complete(prof, tmp_path):
    path = tmp_path / "trace.json"
    prof.add_metadata("run", 'the "first"')
    prof.add_metadata_json("sizes", "[1, 2]")
    prof.export_chrome_trace(str(path))
    trace = json.loads(path.read_text(encoding="utf-8"))
    assert trace["run"] == 'the "first"' and trace["sizes"] == [1, 2]
    events = trace["traceEvents"]
    kinds = {event["ph"] for event in events}
    assert kinds == {"M", "X", "s", "f", "C"}
    for event in events:
        assert isinstance(event["name"], str) and isinstance(event["pid"], int)
        if event["ph"] != "M":
            assert event["ts"] >= 0
    slices = [event for event in events if event["ph"] == "X"]
    assert len(slices) == len(prof.events()) and all(isinstance(s["tid"], int) and s["dur"] >= 0 for s in slices)
    assert slices[0]["name"] == "训练" and slices[0]["cat"] == "user_annotation"
    for i, outer in enumerate(slices):
        for inner in slices[i + 1 :]:
            end = outer["ts"] + outer["dur"]
            assert inner["ts"] >= end - 0.002 or inner["ts"] + inner["dur"] <= end + 0.002  # apart, or inside
    linear = next(s for s in slices if s["name"] == "aten::linear")
    assert linear["args"]["Input Dims"][0] == [4, 3] and linear["args"]["FLOPs"] == 48
    assert linear["args"]["Layer"] == "Linear" and "test_trace.py" in linear["args"]["Call stack"]


def test_arrows_lead_from_operations_to_their_gradients(prof, tmp_path):
    prof.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    at = {(e["ts"], e["tid"]): e["name"] for e in events if e["ph"] == "X"}
    pairs: dict = {}
    for e in events:
        if e["ph"] in "sf":
            pairs.setdefault(e["id"], []).append(at[e["ts"], e["tid"]])
    assert sorted(pairs.values()) == [["aten::linear", "AddmmBackward0"], ["aten::sum", "SumBackward0"]]


def test_packed_traces_and_the_handler_for_tensorboard(tmp_path):
    folder = tmp_path / "log" / "记录"
    handler = tensorboard_trace_handler(str(folder), worker_name="w", use_gzip=True)
    with profile(schedule=schedule(wait=0, warmup=1, active=1, repeat=2), on_trace_ready=handler) as prof:
        for _ in range(4):
            torch.ones(1)
            prof.step()
    files = sorted(folder.iterdir())
    assert len(files) == 2 and all(f.name.startswith("w.") and f.name.endswith(".pt.trace.json.gz") for f in files)
    with gzip.open(files[0], "rt", encoding="utf-8") as file:
        names = [event["name"] for event in json.load(file)["traceEvents"]]
    assert "ProfilerStep#1" in names and "aten::ones" in names


def test_stacks(prof, tmp_path):
    path = tmp_path / "stacks.txt"
    prof.export_stacks(str(path))
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines and all(line.rpartition(" ")[2].isdigit() for line in lines)
    assert any("test_trace.py(" in line and ";" in line for line in lines)
    with pytest.raises(ValueError, match="metric should be one of"):
        prof.export_stacks(str(path), "self_cuda_time_total")


def test_paths_that_cannot_be_written(prof, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        prof.export_chrome_trace(str(tmp_path / "nowhere" / "trace.json"))
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        prof.export_chrome_trace(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="Can't create directory"):
        tensorboard_trace_handler(str(tmp_path / "file" / "log"))(prof)
    with profile() as plain:
        torch.ones(1)
    with pytest.raises(AssertionError, match="requires with_stack=True"):
        plain.export_stacks(str(tmp_path / "stacks.txt"))
    with pytest.raises(ValueError, match="no JSON"):
        plain.add_metadata_json("key", "{")
