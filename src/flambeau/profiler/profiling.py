"""`profile`: what the user holds."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, FailedAssertion, NotSupported, StateError
from ..language import warn
from . import attribution, session
from .events import SELF_TIME, EventList, FunctionEventAvg
from .parse import STEP
from .schedules import ProfilerAction, always
from .session import Session
from .trace import write_stacks, write_trace

_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


class ProfilerActivity(enum.Enum):
    """What can be recorded: here the CPU."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


def supported_activities() -> set[ProfilerActivity]:
    """What a profile can record on this computer.

    >>> from flambeau.profiler import supported_activities
    >>> supported_activities()
    {<ProfilerActivity.CPU: 0>}
    """
    return {ProfilerActivity.CPU}


class Results:
    """What was recorded, and how it is looked at."""

    with_stack = False
    profile_memory = with_flops = record_shapes = False

    def __init__(self) -> None:
        self._sessions: list[Session] = []  # whose events are kept: the last, or all with `acc_events`
        self._metadata: dict[str, Any] = {}

    def _recorded(self) -> list[Session]:
        if not self._sessions:
            raise FailedAssertion(
                "Profiler must be initialized and stopped before its results are asked for",
                why="nothing has been recorded yet",
                fix="ask after the `with profile() as prof:` block, after `prof.stop()`, or in `on_trace_ready`",
            )
        return self._sessions

    def events(self) -> EventList:
        """All calls that were recorded, in the order of their beginnings."""
        recorded = self._recorded()
        if len(recorded) == 1:
            return recorded[0].events
        return EventList([e for s in recorded for e in s.events], self.profile_memory, self.with_flops)

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0,
                     group_by_overload_name: bool = False) -> EventList:  # fmt: skip
        """The events grouped by name.

        Arguments:
            group_by_input_shape: tell calls with other shapes apart; needs `record_shapes=True`.
            group_by_stack_n: tell calls apart that came from other places, by so many frames; needs `with_stack=True`.
            group_by_overload_name: without effect: operations have one form here.

        Print it, or `.table(sort_by="self_cpu_time_total", row_limit=10)` of it.
        """
        return self.events().key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self) -> FunctionEventAvg:
        """The sum over all events."""
        return self.events().total_average()

    def by_module(self) -> attribution.Breakdown:
        """Time by layer, forward and backward; memory with `profile_memory`, operations with `with_flops`.

        Each row has what is inside of the layer in it. What belongs to no layer (data loading, the optimizer, Python
        between the operations) has rows of its own, so that all own times together are the time of the profile.

        Returns: a list of `Row`s that prints as a table; `.table(sort_by=..., row_limit=..., width=...)` of it.
        """
        recorded = self._recorded()
        memory = [change for s in recorded for change in s.memory]
        return attribution.by_module(self.events(), sum(s.duration for s in recorded), memory, self.profile_memory,
                                     self.with_flops)  # fmt: skip

    def by_line(self) -> attribution.Breakdown:
        """Time by line of the program; the backward pass of an operation counts where its forward was.

        Needs `with_stack=True`, but for compiled steps. Returns: as `by_module`.
        """
        recorded = self._recorded()
        if not self.with_stack and not any(event.origins for event in self.events()):
            raise StateError(
                "by_line() requires with_stack=True",
                why="the lines that calls came from were not recorded",
                fix="use `profile(with_stack=True)`",
            )
        return attribution.by_line(self.events(), sum(s.duration for s in recorded), self.profile_memory,
                                   self.with_flops)  # fmt: skip

    def export_chrome_trace(self, path: str) -> None:
        """Write a trace for chrome://tracing, https://ui.perfetto.dev or TensorBoard; packed if it ends in `.gz`."""
        recorded = self._recorded()
        write_trace(path, self.events(), [change for s in recorded for change in s.memory], self._metadata)

    def export_stacks(self, path: str, metric: str = SELF_TIME) -> None:
        """Write the stacks of all events with their time, one a line, as flame graphs are drawn from.

        Needs `with_stack=True`.
        """
        self._recorded()
        if not self.with_stack:
            raise FailedAssertion(
                "export_stacks() requires with_stack=True",
                why="the profile was taken without stacks",
                fix="use `profile(with_stack=True)`",
            )
        write_stacks(path, self.events(), metric, [SELF_TIME])

    def add_metadata(self, key: str, value: str) -> None:
        """Put a text into the trace file under a name."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Put a value, given as JSON, into the trace file under a name."""
        try:
            self._metadata[key] = json.loads(value)
        except (TypeError, ValueError) as error:
            raise ArgumentError(
                f"the metadata {key!r} is no JSON: {value!r}",
                why=f"the parser says: {error}",
                fix="give e.g. `json.dumps(value)`, or a text to `add_metadata`",
            ) from None


class profile(Results):
    """Record what runs, in all threads, and how long it takes.

    Arguments:
        activities: what to record: `[ProfilerActivity.CPU]`, the default; others have no device here.
        schedule: which steps to record (see `schedule`), told apart by calls of `step()`; default: all.
        on_trace_ready: called with the profiler at the end of each cycle of the schedule, or of the whole.
        record_shapes: note the shapes of arguments. profile_memory: memory of tensors that comes and goes.
        with_stack: the lines of the program that calls came from. with_flops: floating-point operations.
        with_modules: the layers that calls belong to; that is always known here.
        acc_events: keep the events of all cycles; default: those of the last.

    Operations are recorded under PyTorch's names, layers as `nn.Module: Linear`, nodes of a backward pass, optimizers,
    loaders and kernels of compiled steps under theirs. A profile slows a program down by less than a tenth; shapes,
    memory, operations and stacks cost more.

    >>> import flambeau as torch
    >>> from flambeau.profiler import profile
    >>> model = torch.nn.Sequential(torch.nn.Linear(8, 4), torch.nn.ReLU())
    >>> with profile(with_flops=True) as prof:
    ...     model(torch.ones(2, 8)).sum().backward()
    >>> [(e.key, e.count) for e in prof.key_averages() if e.kind == "node"]
    [('SumBackward0', 1), ('ReluBackward0', 1), ('AddmmBackward0', 1)]
    >>> [(row.name, row.flops) for row in prof.by_module() if row.flops]  # forward, and the gradient of the weight
    [('Sequential', 256), ('Sequential.0', 256)]
    """

    def __init__(self, *, activities: Iterable[ProfilerActivity] | None = None,
                 schedule: Callable[[int], ProfilerAction] | None = None,
                 on_trace_ready: Callable[..., Any] | None = None, record_shapes: bool = False,
                 profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
                 with_modules: bool = False, experimental_config: Any = None, execution_trace_observer: Any = None,
                 acc_events: bool = False, use_cuda: bool | None = None,
                 custom_trace_id_callback: Any = None) -> None:  # fmt: skip
        super().__init__()
        wanted = _activities(activities)
        if use_cuda is not None:
            warn("`use_cuda` is deprecated, use `activities` argument instead", FutureWarning, stacklevel=2)
            if use_cuda:
                wanted.add(ProfilerActivity.CUDA)
        if not wanted:
            raise FailedAssertion(
                "No valid profiler activities found",
                why="`activities` is empty, so nothing would be recorded",
                fix="use `activities=[ProfilerActivity.CPU]`, or leave it out",
            )
        if ProfilerActivity.CUDA in wanted:
            warn("CUDA is not available, disabling CUDA profiling", stacklevel=2)
        given = {"experimental_config": experimental_config, "execution_trace_observer": execution_trace_observer,
                 "custom_trace_id_callback": custom_trace_id_callback}  # fmt: skip
        for name, value in given.items():
            if value is not None:
                raise NotSupported(
                    f"profile(): argument '{name}' is not supported",
                    why="it steers Kineto, PyTorch's profiling library, which is not used here",
                    fix=f"leave `{name}` out",
                )
        for name, value in (("schedule", schedule), ("on_trace_ready", on_trace_ready)):
            if value is not None and not callable(value):
                raise ArgumentTypeError(
                    f"profile(): argument '{name}' must be callable, not {type(value).__name__}",
                    why="it is called during the profile",
                    fix="use e.g. `schedule=torch.profiler.schedule(wait=1, warmup=1, active=3)`"
                    if name == "schedule"
                    else "use e.g. `on_trace_ready=lambda prof: print(prof.key_averages())`",
                )
        self.record_steps = schedule is not None
        self.schedule = schedule or always
        self.on_trace_ready = on_trace_ready
        self.record_shapes, self.profile_memory = record_shapes or with_flops, profile_memory
        self.with_stack, self.with_flops, self.with_modules = with_stack, with_flops, with_modules
        self.acc_events = acc_events
        self.step_num = 0
        self.current_action = self._action(0)
        self._running: Session | None = None
        self._entered = False
        self._step_name = ""

    def _action(self, step: int) -> ProfilerAction:
        action = self.schedule(step)
        if not isinstance(action, ProfilerAction):
            raise ArgumentTypeError(
                f"the schedule gave {type(action).__name__} for step {step}, but should give a ProfilerAction",
                why="it says what to do in each step",
                fix="use `torch.profiler.schedule(...)`, or return e.g. `ProfilerAction.RECORD`",
            )
        return action

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin, with the action of the schedule for the present step."""
        if self._entered:
            raise StateError(
                "the profiler runs already",
                why="it was started, and has not been stopped since",
                fix="call `stop()` first, or make another profiler",
            )
        self._turn(ProfilerAction.NONE, self.current_action)
        self._entered = True
        self._begin_step()

    def stop(self) -> None:
        """End. What was recorded is ready then."""
        if not self._entered:
            raise StateError(
                "the profiler is not running",
                why="it has not been started, or was stopped before",
                fix="call `start()` first, or use `with profile() as prof:`",
            )
        self._end_step()
        self._entered = False
        self._turn(self.current_action, None)

    def step(self) -> None:
        """Say that a step of the training has ended and the next one begins."""
        if not self._entered:
            raise StateError(
                "step() of a profiler that is not running",
                why="it has not been started, or was stopped before",
                fix="call it inside of `with profile(...) as prof:`, at the end of each step",
            )
        following = self._action(self.step_num + 1)
        self._end_step()
        before, self.current_action = self.current_action, following
        self.step_num += 1
        self._turn(before, following)
        self._begin_step()

    def _begin_step(self) -> None:
        if self.record_steps and self._running is not None:
            self._step_name = f"{STEP}{self.step_num}"
            session.notes().begin(self._step_name)

    def _end_step(self) -> None:
        if self._step_name and self._running is not None:
            session.notes().end(self._step_name)
        self._step_name = ""

    def _turn(self, before: ProfilerAction, now: ProfilerAction | None) -> None:
        """From what one step did to what the next one does; None at the end."""
        if before in _RECORDING and (before is ProfilerAction.RECORD_AND_SAVE or now not in _RECORDING):
            self._finish()
            if before is ProfilerAction.RECORD_AND_SAVE or now is None:
                if self.on_trace_ready is not None:
                    self.on_trace_ready(self)
            else:
                warn(f"Incorrect schedule: RECORD followed by {now.name}", stacklevel=4)
        elif before is ProfilerAction.WARMUP and now is not ProfilerAction.WARMUP:
            self._discard()
            if now is ProfilerAction.NONE:
                warn("Incorrect schedule: WARMUP followed by NONE", stacklevel=4)
        if now in (*_RECORDING, ProfilerAction.WARMUP) and self._running is None:
            self._running = Session(self.record_shapes, self.profile_memory, self.with_flops, self.with_stack)
            try:
                self._running.start()
            except BaseException:
                self._running = None
                raise

    def _finish(self) -> None:
        recorded, self._running = self._running, None
        if recorded is not None:
            recorded.stop()
            self._sessions = [*self._sessions, recorded] if self.acc_events else [recorded]

    def _discard(self) -> None:
        recorded, self._running = self._running, None
        if recorded is not None:
            recorded.stop(keep=False)

    def __repr__(self) -> str:
        if not self._sessions:
            return "<unfinished profile>"
        return f"<profile of {len(self.events())} events>"


def _activities(given: Iterable[ProfilerActivity] | None) -> set[ProfilerActivity]:
    found = set(supported_activities() if given is None else ())
    if given is not None and (isinstance(given, ProfilerActivity) or not isinstance(given, Iterable)):
        raise ArgumentTypeError(
            f"profile(activities={given}) is no list",
            why="`activities` lists what to record",
            fix="use `activities=[ProfilerActivity.CPU]`",
        )
    for item in given or ():
        if not isinstance(item, ProfilerActivity):
            raise ArgumentTypeError(
                f"Expected ProfilerActivity, got {type(item)}",
                why="`activities` lists what to record",
                fix="use `activities=[ProfilerActivity.CPU]`",
            )
        if item in found:
            raise ArgumentError(
                f"Activity {item} specified more than once",
                why="each activity is recorded once",
                fix=f"name {item} once",
            )
        found.add(item)
    return found
