"""Which steps are profiled, and what happens with a profile that is ready."""

from __future__ import annotations

import enum
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentTypeError, FailedAssertion, StateError
from ..language import warn


class ProfilerAction(enum.Enum):
    """What a profiler does in a step; RECORD_AND_SAVE: the last step of a cycle, after which the profile is ready."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
             skip_first_wait: int = 0) -> Callable[[int], ProfilerAction]:  # fmt: skip
    """A schedule for `profile`: cycles of steps that are waited for, that warm up, and that are recorded.

    Arguments:
        wait: steps at the beginning of a cycle in which nothing is done.
        warmup: steps that are watched but not kept: the first ones are slower.
        active: steps that are recorded.
        repeat: cycles; 0: as long as the profiler runs.
        skip_first: steps before the first cycle.
        skip_first_wait: other than 0: the first cycle does not wait.

    Raises AssertionError for a schedule that records nothing, or numbers below 0.

    >>> from flambeau.profiler import schedule
    >>> plan = schedule(wait=1, warmup=1, active=2, repeat=1)
    >>> [plan(step).name for step in range(5)]
    ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    given = {"wait": wait, "warmup": warmup, "active": active, "repeat": repeat, "skip_first": skip_first}
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise ArgumentTypeError(
                f"schedule(): argument '{name}' must be int, not {type(value).__name__}",
                why="it is a number of steps",
                fix=f"use e.g. `{name}=1`",
            )
    if min(given.values()) < 0 or active == 0:
        said = ", ".join(f"{name}={value}" for name, value in given.items())
        raise FailedAssertion(
            f"Invalid profiler schedule arguments. Got {said}.",
            why="a cycle records at least one step, and no number of steps is below 0",
            fix="use e.g. `schedule(wait=1, warmup=1, active=3, repeat=1)`",
        )
    if warmup == 0:
        warn("Profiler won't be using warmup, this can skew profiler results", stacklevel=2)
    length = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise FailedAssertion(
                f"Step must be non-negative. Got {step}.",
                why="steps are counted from 0",
                fix="call the schedule with the number of a step",
            )
        at = step - skip_first
        if at < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            at += wait
        if repeat and at >= repeat * length:
            return ProfilerAction.NONE
        at %= length
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == length - 1 else ProfilerAction.RECORD

    return action


def always(_step: int) -> ProfilerAction:
    """The schedule of a profiler without one: everything is recorded."""
    return ProfilerAction.RECORD


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None,
                              use_gzip: bool = False) -> Callable[[Any], None]:  # fmt: skip
    """For `on_trace_ready`: write each profile into a folder, as a trace that TensorBoard and Perfetto open.

    Arguments:
        dir_name: the folder, made if it is not there.
        worker_name: how the files begin; default: the computer's name and the process's number.
        use_gzip: whether they are packed.
    """

    def ready(prof: Any) -> None:
        try:
            os.makedirs(dir_name, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"Can't create directory: {dir_name}",
                why=f"the system says: {error}",
                fix="give a folder that can be written to",
            ) from error
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json{'.gz' if use_gzip else ''}"
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return ready
