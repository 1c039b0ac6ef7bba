"""Where the time and the memory of a program go. Names and arguments are those of torch.profiler."""

from .events import EventList, FunctionEvent, FunctionEventAvg
from .labels import record_function
from .profiling import ProfilerActivity, profile, supported_activities
from .schedules import ProfilerAction, schedule, tensorboard_trace_handler

__all__ = [
    "EventList", "FunctionEvent", "FunctionEventAvg", "ProfilerAction", "ProfilerActivity", "profile",
    "record_function", "schedule", "supported_activities", "tensorboard_trace_handler",
]  # fmt: skip
