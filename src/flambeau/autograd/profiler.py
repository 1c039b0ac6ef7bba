"""torch.autograd.profiler: the names of PyTorch's older profiler; all of it lives in `flambeau.profiler`."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import attr_error

_NAMES = {
    "profile": "legacy", "emit_nvtx": "legacy", "emit_itt": "legacy", "load_nvprof": "legacy",
    "record_function": "labels", "EventList": "events", "FunctionEvent": "events", "FunctionEventAvg": "events",
    "Interval": "events", "ProfilerActivity": "profiling",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise attr_error("torch.autograd.profiler", name, _NAMES)
    return getattr(importlib.import_module(f"...profiler.{_NAMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(_NAMES)
