"""`FileWriter`: one event file of TensorBoard's, and what is said where it cannot be written."""

from __future__ import annotations

import atexit
import contextlib
import os
import time
import weakref
from typing import Any

from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from ...errors import ArgumentError, ArgumentTypeError, CannotWrite
from ...language import warn

_open: weakref.WeakSet[FileWriter] = weakref.WeakSet()


@atexit.register
def _flush_all() -> None:
    """A program that ends without closing its writers loses nothing."""
    for writer in list(_open):
        try:
            writer.flush()
        except CannotWrite:  # an error while Python ends would only be printed, with the frames around it
            warn(f"the last values for {writer.get_logdir()!r} are lost: the event file can no longer be written")


class FileWriter:
    """One event file, written by a thread of its own.

    Arguments:
        log_dir: the folder; it is made if need be.
        max_queue: how many events may wait for the thread before a call waits for it.
        flush_secs: seconds after which what was written is brought to the disk.
        filename_suffix: what the file's name ends in.

    Raises OSError where the folder cannot be written to, from the beginning or later: removed, or on a full disk.
    """

    def __init__(self, log_dir, max_queue=10, flush_secs=120, filename_suffix=""):
        if not isinstance(log_dir, (str, os.PathLike)):
            raise ArgumentTypeError(
                f"log_dir should be the name of a folder, but is {log_dir!r} of type {type(log_dir).__name__}",
                why="the event file is made in it",
                fix="use a string or a path, such as `SummaryWriter('runs/first')`",
            )
        for name, value in (("max_queue", max_queue), ("flush_secs", flush_secs)):
            if not isinstance(value, (int, float)) or value != value:
                raise ArgumentTypeError(
                    f"{name} should be a number, but is {value!r}",
                    why="it says how long values may wait until they are written",
                    fix="leave it out, or pass a number such as 10",
                )
        self._options = os.fspath(log_dir), max_queue, flush_secs, filename_suffix
        self._begin()

    def _begin(self):
        try:
            self.event_writer = EventFileWriter(*self._options)
        except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
            raise CannotWrite(
                f"the event file could not be made in {self._options[0]!r}",
                why=f"{getattr(error, 'strerror', None) or error}",
                fix="give a folder that may be written to as `log_dir`",
            ) from error
        self._local = os.path.isdir(self._options[0])  # else a place that has no folders of this machine
        self._broken = False
        _open.add(self)

    @contextlib.contextmanager
    def _writing(self):
        """What has happened to the file is said here, not by the thread that finds it out."""
        try:
            gone = self._local and not os.path.isdir(self._options[0])
            if gone:
                raise FileNotFoundError
            yield
        except OSError as error:
            self._broken = True
            _open.discard(self)
            raise CannotWrite(
                f"the event file in {self._options[0]!r} can no longer be written",
                why="the folder was removed while it was written to" if gone else f"{error.strerror or error}",
                fix="call `writer.close()`: the next `add_...` begins a new file, and makes the folder if need be",
            ) from error

    def get_logdir(self) -> str:
        """The folder."""
        return self.event_writer.get_logdir()

    def add_event(self, event, step=None, walltime=None) -> None:
        """Write an `Event`, with the time and the step."""
        event.wall_time = time.time() if walltime is None else _seconds(walltime)
        if step is not None:
            event.step = checked_step(step)
        with self._writing():
            self.event_writer.add_event(event)

    def add_summary(self, summary, global_step=None, walltime=None) -> None:
        """Write a `Summary`."""
        self.add_event(event_pb2.Event(summary=summary), global_step, walltime)

    def add_graph(self, graph_profile, walltime=None) -> None:
        """Write a graph: a pair of a `GraphDef` and a `RunMetadata`."""
        made, stats = graph_profile
        self.add_event(event_pb2.Event(graph_def=made.SerializeToString()), None, walltime)
        tagged = event_pb2.TaggedRunMetadata(tag="step1", run_metadata=stats.SerializeToString())
        self.add_event(event_pb2.Event(tagged_run_metadata=tagged), None, walltime)

    def flush(self) -> None:
        """Bring everything to the disk."""
        with self._writing():
            self.event_writer.flush()

    def close(self) -> None:
        """Bring everything to the disk, and close the file. One that could not be written was told of already."""
        _open.discard(self)
        if self._broken:
            with contextlib.suppress(OSError):
                self.event_writer.close()
            return
        try:
            with self._writing():
                self.event_writer.flush()
        finally:
            with contextlib.suppress(OSError):
                self.event_writer.close()

    def reopen(self) -> None:
        """Begin another file in the same folder, if this one was closed."""
        if self not in _open:
            self._begin()


def checked_step(step: Any) -> int:
    try:
        number = int(step)
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentTypeError(
            f"global_step should be a whole number, but is {step!r}",
            why="TensorBoard draws values over it",
            fix="count the steps: `for step, batch in enumerate(loader):`",
        ) from error
    if not -(2**63) <= number < 2**63:
        raise ArgumentError(
            f"global_step should be a number of 64 bits, but is {number}",
            why="TensorBoard's files have no room for larger ones",
            fix="count the steps: `for step, batch in enumerate(loader):`",
        )
    return number


def _seconds(walltime: Any) -> float:
    try:
        return float(walltime)
    except (TypeError, ValueError) as error:
        raise ArgumentTypeError(
            f"walltime should be a number of seconds, but is {walltime!r}",
            why="it stands for the time of the call, counted as `time.time()` counts",
            fix="leave it out, or pass `moment.timestamp()` for a datetime",
        ) from error
