"""What a worker process does: seed its generators, fetch the batches it is asked for, send them back."""

import builtins
import contextlib
import multiprocessing
import os
import pickle
import random
import signal
import sys
import traceback
import weakref
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

import flambeau as fb

from ....checks import findings
from ....errors import FlambeauError, rebuild
from .shared import Sender

__all__ = ["Failure", "WorkerInfo", "get_worker_info", "parent_ends", "run"]

# Connections of this process to its workers. A forked worker inherits copies and closes them: a pipe only breaks,
# and so tells a worker that its parent has gone, when nobody else holds its other end.
parent_ends: weakref.WeakSet = weakref.WeakSet()


@dataclass(repr=False)
class WorkerInfo:
    """Facts about the current worker process.

    Attributes:
        id: number of the worker. num_workers: how many there are. seed: this worker's seed.
        dataset: this process's copy of the data set. worker_method: how the process was started.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any
    worker_method: str | None = None

    def __repr__(self) -> str:
        return f"WorkerInfo({', '.join(f'{field.name}={getattr(self, field.name)}' for field in fields(self))})"


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """The current worker's `WorkerInfo`; None in the main process."""
    return _info


class Failure:
    """An exception on its way to the parent: its type, and its traceback as text."""

    def __init__(self, error: BaseException, where: str) -> None:
        self.kind = type(error)
        self.text = "".join(traceback.format_exception(error))
        self.where = where
        self.state: dict[str, Any] = {}
        if isinstance(error, FlambeauError):  # its reason, remedy and place in the worker, laid out after the traceback
            self.state = {k: v for k, v in error.__dict__.items() if k in FlambeauError.PARTS}
            self.text = self.text.replace(str(error), error.fact)

    def __getstate__(self):
        try:  # an exception class that the parent cannot import must not hide the error
            pickle.dumps(self.kind)
        except Exception:
            return {**self.__dict__, "kind": RuntimeError}
        return self.__dict__

    def reraise(self) -> None:
        """Raise it here: the same type where that can be built, with the worker's traceback in the message."""
        message: Any = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.text}"
        if self.state:
            raise rebuild(self.kind, (message,), {**self.state, "fact": message})
        if self.kind is KeyError:
            message = _Verbatim(message)
        try:
            error = self.kind(message)
        except Exception:
            error = RuntimeError(message)  # a class that wants other arguments
        raise error from None


class _Verbatim(str):
    """KeyError shows the repr of its argument, which would turn a traceback into one long line."""

    def __repr__(self) -> str:
        return str(self)


def numpy_seed(base_seed: int, worker_id: int) -> list[int]:
    """Four words for NumPy's global generator, mixed so that neighbouring workers have nothing in common."""
    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return np.random.SeedSequence(words).generate_state(4).tolist()


@dataclass
class Job:
    """All that a worker is started with."""

    make_fetcher: Any
    dataset: Any
    auto_collation: bool
    collate_fn: Any
    drop_last: bool
    base_seed: int
    init_fn: Any
    worker_id: int
    num_workers: int
    parent_pid: int
    persistent: bool
    method: str | None


def run(job: Job, tasks, results, forked: bool) -> None:
    """The main function of a worker process.

    Arguments:
        tasks: where requests come from: ``(epoch, number, index, free slots)``; a number of None starts a new
            epoch; None ends the worker.
        results: where batches go: head ``(epoch, number, kind)`` with kind "batch", "failure" or "end", or
            "finding" for what the checks have found in between.
    """
    if forked:
        for end in list(parent_ends):
            with contextlib.suppress(OSError):
                end.close()
    # Control-C is the parent's to handle: it ends the workers.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError, ConnectionError, EOFError):
        _serve(job, tasks, Sender(results, job.parent_pid))
    # A forked interpreter must not run the parent's exit handlers, but its output must not be lost.
    sys.stdout.flush()
    sys.stderr.flush()


def _orphaned(job: Job) -> bool:
    """Whether the main process was killed."""
    if job.method == "forkserver":  # the parent of this process is the server
        parent = multiprocessing.parent_process()
        return parent is not None and not parent.is_alive()
    return os.getppid() != job.parent_pid


def _serve(job: Job, tasks, sender: Sender) -> None:
    global _info
    where = f"in DataLoader worker process {job.worker_id}"
    seed = job.base_seed + job.worker_id
    fb.set_num_threads(1)
    random.seed(seed)
    fb.manual_seed(seed)
    np.random.seed(numpy_seed(job.base_seed, job.worker_id))
    _info = WorkerInfo(job.worker_id, job.num_workers, seed, job.dataset, job.method)
    failed, fetcher = None, None
    noticed: list = []
    findings.send_to(lambda found: noticed.append(replace(found, evidence={})))

    def start():
        return job.make_fetcher(job.dataset, job.auto_collation, job.collate_fn, job.drop_last)

    try:
        if job.init_fn is not None:
            job.init_fn(job.worker_id)
        fetcher = start()
    except Exception as error:
        failed = Failure(error, where)

    while True:
        while not tasks.poll(2.0):
            if _orphaned(job):
                return
        request = pickle.loads(tasks.recv_bytes())
        if request is None:
            return
        epoch, number, index, freed = request
        sender.reclaim(freed)
        if number is None:
            try:
                fetcher = start()
            except Exception as error:
                failed = Failure(error, where)
            continue
        if failed is not None:
            sender.send((epoch, number, "failure"), failed)
            failed = None
            continue
        kind, value = "batch", None
        try:
            value = fetcher.fetch(index) if fetcher is not None else None
            if fetcher is None:
                kind = "end"
        except StopIteration:
            kind = "end"
            if not job.persistent:
                fetcher = None
        except Exception as error:
            kind, value = "failure", Failure(error, where)
        while noticed:
            sender.send((epoch, number, "finding"), noticed.pop(0))
        try:
            sender.send((epoch, number, kind), value)
        except (BrokenPipeError, ConnectionError):
            raise
        except Exception as error:  # what was fetched cannot be pickled
            error.add_note(f"raised while sending the batch of dataset[{index}] to the main process")
            sender.send((epoch, number, "failure"), Failure(error, where))
        del value


def pids(processes) -> str:
    """Process numbers for messages."""
    return ", ".join(str(process.pid) for process in processes)


def signal_name(number: int) -> str:
    """A signal's name, such as SIGSEGV; its number where the system has no name for it."""
    with contextlib.suppress(builtins.ValueError):
        return signal.Signals(number).name
    return str(number)
