"""The parent's side of loading with workers: hand out requests, put the batches in order, end the workers.

Each worker has its own pair of pipes, so that a worker killed at any moment cannot leave a lock behind. The parent
sleeps on all pipes and on all processes at once: a death is seen when it happens.
"""

import collections
import contextlib
import os
import pickle
import selectors
import struct
import time
import weakref
from multiprocessing.connection import wait
from typing import Any

from ....checks import findings
from ....errors import StateError
from .shared import Receiver
from .worker import Failure, Job, parent_ends, pids, run, signal_name

__all__ = ["WorkerPool"]

_GRACE = 1.0  # seconds a worker gets to finish its sample before it is terminated


class _Worker:
    """One process, its two pipes, and the requests that did not fit into the pipe yet.

    Requests are written without blocking: a parent blocked on a full request pipe while its worker is blocked on a
    full result pipe would wait for ever.
    """

    def __init__(self, context, job: dict, worker_id: int, count: int, persistent: bool) -> None:
        tasks, self.tasks = context.Pipe(duplex=False)
        self.results, results = context.Pipe(duplex=True)  # duplex: a socket, which can carry descriptors
        parent_ends.update((self.tasks, self.results))
        method = context.get_start_method()
        forked = method == "fork"
        full = Job(
            **job, worker_id=worker_id, num_workers=count, parent_pid=os.getpid(), persistent=persistent, method=method
        )
        self.process = context.Process(target=run, args=(full, tasks, results, forked), daemon=True)
        try:
            self.process.start()
        finally:
            tasks.close()
            results.close()
        if os.name == "posix":
            os.set_blocking(self.tasks.fileno(), False)
        self.receiver = Receiver(self.results)
        self.backlog: collections.deque[bytes] = collections.deque()
        self.open = 0  # requests without an answer
        self.ended = False  # its stream is exhausted

    def post(self, message) -> None:
        """Send a message as soon as there is room."""
        data = pickle.dumps(message, protocol=5)
        if os.name != "posix":
            self.tasks.send_bytes(data)
            return
        size = len(data)
        head = struct.pack("!i", size) if size <= 0x7FFFFFFF else struct.pack("!iQ", -1, size)
        self.backlog.append(head + data)  # the framing of multiprocessing.Connection, which reads it
        self.flush()

    def flush(self) -> None:
        """Write what the pipe takes."""
        while self.backlog:
            data = self.backlog[0]
            try:
                written = os.write(self.tasks.fileno(), data)
            except BlockingIOError:
                return
            except OSError:
                self.backlog.clear()  # dead: noticed through its sentinel
                return
            if written == len(data):
                self.backlog.popleft()
            else:
                self.backlog[0] = data[written:]


def _stop(workers: list, owner: int) -> None:
    """End the workers: ask, then insist. Runs at most once per worker, and never in a forked child."""
    if os.getpid() != owner:
        return
    for worker in workers:
        worker.backlog.clear()
        worker.receiver.slots.clear()
        with contextlib.suppress(OSError):
            worker.results.close()  # a worker that is about to send stops there
        with contextlib.suppress(OSError):
            worker.post(None)
        with contextlib.suppress(OSError):
            worker.tasks.close()
    deadline = time.monotonic() + _GRACE
    for insist in ("join", "terminate", "kill"):
        for worker in workers:
            if insist != "join" and worker.process.is_alive():
                getattr(worker.process, insist)()
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
        deadline = time.monotonic() + _GRACE
        if not any(worker.process.is_alive() for worker in workers):
            break
    for worker in workers:
        with contextlib.suppress(ValueError):
            worker.process.close()
    workers.clear()


class WorkerPool:
    """The workers of one iterator."""

    def __init__(self, *, context, count: int, ahead: int, timeout: float, in_order: bool, persistent: bool, job: dict):
        self.ahead = ahead
        self.timeout = timeout
        self.in_order = in_order
        self.persistent = persistent
        self.epoch = 0
        self.workers: list[_Worker] = []
        # Also when the iterator is dropped in the middle of a loop, and when the interpreter ends.
        self._close = weakref.finalize(self, _stop, self.workers, os.getpid())
        try:
            for k in range(count):
                self.workers.append(_Worker(context, job, k, count, persistent))
        except BaseException:
            self._close()
            raise
        # poll, not epoll: nothing in the kernel that a forked worker could share with this process.
        self.selector = selectors.PollSelector() if hasattr(selectors, "PollSelector") else None
        if self.selector is not None:
            for worker in self.workers:
                self.selector.register(worker.results, selectors.EVENT_READ, (worker, False))
                self.selector.register(worker.process.sentinel, selectors.EVENT_READ, (worker, True))

    @property
    def closed(self) -> bool:
        """Whether the workers have been ended."""
        return not self._close.alive

    @property
    def processes(self) -> list:
        """The worker processes."""
        return [worker.process for worker in self.workers]

    def begin(self, indices) -> None:
        """Start an epoch: ask for the first batches. What the last epoch left unread is dropped as it arrives."""
        if self.epoch:
            for worker in self.workers:
                worker.post((self.epoch + 1, None, None, self._take_freed(worker)))
        self.epoch += 1
        self.indices = indices
        self.sent = 0  # number of the next request
        self.due = 0  # number of the next batch to give out
        self.turn = 0  # whose turn the next request is
        self.owner: dict[int, _Worker] = {}
        self.ready: dict[int, Any] = {}  # answers that arrived before their turn
        self.arrived: collections.deque[int] = collections.deque()
        for worker in self.workers:
            worker.ended = False
            worker.open = 0
        for _ in range(self.ahead * len(self.workers)):
            self._request()

    def _take_freed(self, worker: _Worker) -> list[int]:
        freed = worker.receiver.freed[:]
        del worker.receiver.freed[: len(freed)]
        return freed

    def _request(self) -> None:
        """Give the next index to the next worker that still has something to read."""
        for step in range(len(self.workers)):
            worker = self.workers[(self.turn + step) % len(self.workers)]
            if not worker.ended and (self.in_order or worker.open < self.ahead):
                break
        else:
            return
        try:
            index = next(self.indices)
        except StopIteration:
            return
        self.turn = (self.turn + step + 1) % len(self.workers)
        self.owner[self.sent] = worker
        worker.open += 1
        worker.post((self.epoch, self.sent, index, self._take_freed(worker)))
        self.sent += 1

    def next(self) -> Any:
        """The next batch; StopIteration after the last."""
        if self.closed:
            raise StopIteration
        try:
            return self._next()
        except StopIteration:
            if not self.persistent:
                self._close()
            raise
        except BaseException:  # a worker's error, its death, a time-out, Control-C: nothing may stay behind
            self._close()
            raise

    def _next(self):
        deadline = time.monotonic() + self.timeout if self.timeout > 0 else None
        while (number := self._deliverable()) is None:
            self._wait(deadline)
        make = self.ready.pop(number)
        self.owner.pop(number).open -= 1
        self._request()
        value = make()
        if isinstance(value, Failure):
            value.reraise()
        return value

    def _deliverable(self) -> int | None:
        """The number of the batch to give out now; None if it is not here yet; StopIteration at the end."""
        if not self.in_order:
            if self.arrived:
                return self.arrived.popleft()
            if not self.owner:
                raise StopIteration
            return None
        while self.due < self.sent:
            if self.due in self.ready:
                self.due += 1
                return self.due - 1
            if self.due in self.owner:
                return None
            self.due += 1  # was asked of a worker whose stream had ended
        raise StopIteration

    def _wait(self, deadline) -> None:
        """Sleep until something arrives; raise when a worker has died or the time is over."""
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if any(worker.backlog for worker in self.workers):
            left = 0.01 if left is None else min(left, 0.01)  # rare: come back to write the rest
            for worker in self.workers:
                worker.flush()
        woken = self._woken(left)
        if not woken and deadline is not None and time.monotonic() >= deadline:
            raise StateError(
                f"DataLoader timed out after {self.timeout} seconds",
                why="no worker has finished a batch in that time",
                fix="use a larger timeout or more workers, or `num_workers=0` to see what takes so long",
            )
        dead, progress = [], False
        for worker, is_end in woken:
            try:
                if is_end:
                    dead.append(worker)
                else:
                    self._take(worker)
                    progress = True
            except (EOFError, OSError):
                dead.append(worker)
        if dead and not progress:  # what has arrived is given out before the dead are reported
            self._report(list(dict.fromkeys(dead)))

    def _woken(self, timeout) -> list[tuple[_Worker, bool]]:
        """Which workers have sent something (False) or ended (True)."""
        if self.selector is not None:
            return [key.data for key, _ in self.selector.select(timeout)]
        ends: dict = {}
        for worker in self.workers:
            ends[worker.results] = (worker, False)
            ends[worker.process.sentinel] = (worker, True)
        return [ends[end] for end in wait(list(ends), timeout)]

    def _take(self, worker: _Worker) -> None:
        """Receive one answer."""
        (epoch, number, kind), make = worker.receiver.receive()
        if kind == "finding":
            findings.arrived(make())
            return
        if epoch != self.epoch:
            return  # left over from an epoch that was not read to its end
        if kind == "end":
            worker.ended = True
            worker.open -= 1
            del self.owner[number]
            self._request()
        else:
            self.ready[number] = make
            if not self.in_order:
                self.arrived.append(number)

    def _report(self, dead) -> None:
        for worker in dead:
            worker.process.join(1.0)
        codes = [worker.process.exitcode for worker in dead]
        code = next((c for c in codes if c is not None and c < 0), codes[0])  # a signal is the likelier cause
        raise StateError(
            f"DataLoader worker (pid(s) {pids(worker.process for worker in dead)}) exited unexpectedly",
            why="it was killed by signal 9, which usually comes from the kernel when memory runs out"
            if code == -9
            else f"it ended with exit code {code}"
            if code is None or code >= 0
            else f"it was killed by signal {-code} ({signal_name(-code)})",
            fix="use fewer workers (num_workers), a smaller batch_size or prefetch_factor"
            if code == -9
            else "look for `sys.exit()` or `os._exit()` in the data set; `num_workers=0` shows where"
            if code is None or code >= 0
            else "use `num_workers=0` to see where the data set crashes",
        )
