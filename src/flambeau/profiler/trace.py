"""Files: traces for chrome://tracing and Perfetto, and stacks for flame graphs."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import ArgumentError, CannotWrite, IsAFolder, MissingFile, StateError
from .events import FunctionEvent

_CATEGORIES = {"user": "user_annotation", "step": "user_annotation", "module": "python_function", "kernel": "kernel"}
_SPACES = str.maketrans(" ;\t\n", "____")


@contextlib.contextmanager
def opened(path: str) -> Iterator[Any]:
    """A text file to write to, packed if its name ends in .gz; an error that says what is wrong where that fails."""
    name = os.fspath(path)
    try:
        with (
            gzip.open(name, "wt", encoding="utf-8") if name.endswith(".gz") else open(name, "w", encoding="utf-8") as f
        ):
            yield f
    except FileNotFoundError:
        raise MissingFile(
            f"cannot write {name!r}: there is no folder {os.path.dirname(name)!r}",
            why="a file is written into a folder that is there",
            fix=f"make it first: `os.makedirs({os.path.dirname(name)!r}, exist_ok=True)`",
        ) from None
    except IsADirectoryError:
        raise IsAFolder(
            f"cannot write {name!r}: it is a folder",
            why="the profile is written to one file",
            fix=f"give a file's name: {os.path.join(name, 'trace.json')!r}",
        ) from None
    except OSError as error:
        raise CannotWrite(
            f"cannot write {name!r}: {error.strerror or error}",
            why="the file or its folder cannot be written to",
            fix="choose another path, or see whether the disk is full",
        ) from None


def write_trace(path: str, events: Iterable[FunctionEvent], memory: Iterable[tuple[float, int, int]] = (),
                metadata: dict[str, Any] | None = None) -> None:  # fmt: skip
    """Write events as slices, arrows from operations to their nodes in backward passes, and memory as a counter."""
    events = list(events)
    pid = os.getpid()
    made: list[dict[str, Any]] = [_named("process_name", pid, 0, "flambeau")]
    made += [_named("thread_name", pid, i, f"thread {i}") for i in sorted({event.thread for event in events})]
    made += [_slice(event, pid) for event in events]
    made += _arrows(events, pid)
    total = 0
    for at, _thread, count in sorted(memory):
        total += count
        made.append({"ph": "C", "name": "memory of tensors", "pid": pid, "ts": _us(at), "args": {"bytes": total}})
    with opened(path) as file:
        json.dump({"schemaVersion": 1, "displayTimeUnit": "ms", **(metadata or {}), "traceEvents": made}, file,
                  ensure_ascii=False)  # fmt: skip


def _named(what: str, pid: int, thread: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": pid, "tid": thread, "args": {"name": name}}


def _us(at: float) -> float:
    return round(at, 3)


def _slice(event: FunctionEvent, pid: int) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if event.input_shapes:
        facts["Input Dims"] = event.input_shapes
    if event.module:
        facts["Layer"] = event.module
    if event.origins:
        facts["Layers"] = list(dict.fromkeys(m for m, _line in event.origins if m))
        facts["Lines"] = list(dict.fromkeys(f"{line[0]}:{line[1]}" for _module, line in event.origins if line))
    if event.stack:
        facts["Call stack"] = ";".join(event.stack)
    if event.flops:
        facts["FLOPs"] = event.flops
    if event.sequence_nr >= 0:
        facts["Sequence number"] = event.sequence_nr
    if event.self_cpu_memory_usage:
        facts["Bytes"] = event.self_cpu_memory_usage
    start = _us(event.time_range.start)
    return {
        "ph": "X", "cat": _CATEGORIES.get(event.kind, "cpu_op"), "name": event.name, "pid": pid, "tid": event.thread,
        "ts": start, "dur": max(0.0, _us(event.time_range.end - start)), "args": facts,
    }  # fmt: skip


def _arrows(events: list[FunctionEvent], pid: int) -> Iterator[dict[str, Any]]:
    """From each operation to the node that its backward pass ran."""
    pairs = [(event.forward, event) for event in events if event.forward is not None]
    for number, (forward, node) in enumerate(pairs, 1):
        for ph, event in (("s", forward), ("f", node)):
            yield {
                "ph": ph, "id": number, "cat": "fwdbwd", "name": "fwdbwd", "pid": pid, "tid": event.thread,
                "ts": _us(event.time_range.start), **({"bp": "e"} if ph == "f" else {}),
            }  # fmt: skip


def write_stacks(path: str, events: Iterable[FunctionEvent], metric: str, metrics: list[str]) -> None:
    """One line for each event that has a stack: its frames, the outermost first, and the metric."""
    if metric not in metrics:
        raise ArgumentError(
            f"metric should be one of: {metrics}",
            why=f"{metric!r} is no time that is measured here",
            fix=f"use `metric={metrics[0]!r}`",
        )
    events = list(events)
    if events and not any(event.stack for event in events):
        raise StateError(
            "export_stacks() requires with_stack=True",
            why="the profile was taken without stacks",
            fix="use `profile(with_stack=True)`",
        )
    with opened(path) as file:
        for event in events:
            value = int(getattr(event, metric))
            if event.stack and value > 0:
                file.write(";".join(entry.translate(_SPACES) for entry in reversed(event.stack)) + f" {value}\n")
