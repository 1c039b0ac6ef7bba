"""What `torch.autograd.profiler` has beside `torch.profiler`: `profile` without schedules, and what needs a GPU."""

from __future__ import annotations

from typing import Any

from ..errors import FailedAssertion, NotSupported, StateError
from ..language import warn
from .profiling import Results
from .session import Session


class profile(Results):
    """Record everything in a block.

    Arguments:
        enabled: False: do nothing.
        use_cuda, use_device: there is no device here; a warning says so.
        record_shapes, with_flops, profile_memory, with_stack, with_modules, acc_events: as for
            `torch.profiler.profile`.
        use_kineto: without effect. use_cpu: must be True: there is nothing else to record.

    Printed, it is the table of all events.

    >>> import flambeau as torch
    >>> with torch.autograd.profiler.profile() as prof:
    ...     y = torch.ones(3).exp()
    >>> [event.name for event in prof.function_events]
    ['aten::ones', 'aten::exp']
    """

    def __init__(self, enabled: bool = True, *, use_cuda: bool = False, use_device: str | None = None,
                 record_shapes: bool = False, with_flops: bool = False, profile_memory: bool = False,
                 with_stack: bool = False, with_modules: bool = False, use_kineto: bool = False, use_cpu: bool = True,
                 experimental_config: Any = None, acc_events: bool = False,
                 custom_trace_id_callback: Any = None) -> None:  # fmt: skip
        super().__init__()
        self.enabled = enabled
        if use_cuda or use_device == "cuda":
            warn("CUDA is not available, disabling CUDA profiling", stacklevel=2)
        elif use_device is not None:
            warn(f"The {use_device} is not a valid device option.", stacklevel=2)
        if not use_cpu:
            raise FailedAssertion(
                "No activities specified for the profiler",
                why="with `use_cpu=False` nothing would be recorded",
                fix="leave `use_cpu` out",
            )
        for name, value in (
            ("experimental_config", experimental_config),
            ("custom_trace_id_callback", custom_trace_id_callback),
        ):
            if value is not None:
                raise NotSupported(
                    f"profile(): argument '{name}' is not supported",
                    why="it steers Kineto, PyTorch's profiling library, which is not used here",
                    fix=f"leave `{name}` out",
                )
        self.record_shapes, self.profile_memory = record_shapes or with_flops, profile_memory
        self.with_stack, self.with_flops, self.with_modules = with_stack, with_flops, with_modules
        self.acc_events = acc_events
        self._running: Session | None = None

    def __enter__(self) -> profile | None:
        if not self.enabled:
            return None
        if self._running is not None:
            raise StateError(
                "Profiler context manager is not reentrant",
                why="this profiler runs already",
                fix="make another profiler for another block",
            )
        session = Session(self.record_shapes, self.profile_memory, self.with_flops, self.with_stack)
        session.start()
        self._running = session
        return self

    def __exit__(self, *exc: object) -> None:
        recorded, self._running = self._running, None
        if recorded is not None:
            recorded.stop()
            self._sessions = [*self._sessions, recorded] if self.acc_events else [recorded]

    @property
    def function_events(self) -> Any:
        """All events."""
        return self.events()

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events, in microseconds."""
        return self.events().self_cpu_time_total

    def table(self, *args: Any, **options: Any) -> str:
        """The table of all events; arguments as those of `EventList.table`."""
        return self.events().table(*args, **options)

    def __str__(self) -> str:
        return str(self.events()) if self._sessions else "<unfinished torch.autograd.profile>"

    __repr__ = __str__


def _needs_gpu(name: str) -> type:
    def __init__(self: Any, *args: Any, **options: Any) -> None:
        raise NotSupported(
            f"torch.autograd.profiler.{name} needs a tool of the maker of a processor, and is not supported",
            why="it marks operations for that tool, which records them",
            fix="use `torch.profiler.profile()`, whose `export_chrome_trace()` shows the same on a time line",
        )

    return type(name, (), {"__init__": __init__, "__doc__": "Not supported: raises an error that says so."})


emit_nvtx, emit_itt, load_nvprof = map(_needs_gpu, ("emit_nvtx", "emit_itt", "load_nvprof"))
