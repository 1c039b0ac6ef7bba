"""`flambeau.Run`: gathers all there is to know about a training run, and keeps its page up to date meanwhile."""

from __future__ import annotations

import atexit
import json
import operator
import os
import sys
import threading
import time
import traceback
from typing import Any

from ..checks import findings
from ..checks.log import log
from ..errors import ArgumentError, ArgumentTypeError, FlambeauError, StateError
from ..language import text as _
from ..language import warn
from ..told import tell
from . import folder, surroundings
from .contents import Contents
from .findings import plain, report, told
from .following import Following
from .records import VERSION, Record, encoded, read_metrics
from .series import Metrics
from .settings import configuration

FIRST = 1.0  # seconds after which the page is written for the first time with numbers in it
SHARE = 100  # writing the page may take one part in so many of the time
LARGEST = 1 << 53  # steps beyond it are not whole numbers in a browser
TRACE = 20_000  # letters of a traceback that are kept


class Run(Contents, Following):
    """The record of a training run: one page, `index.html` in its folder, that holds everything about it.

    Arguments:
        folder: where the record goes. A folder that holds a record already is left as it is: the run is recorded in the
            next free one (first-2, first-3...), and says so.
        config: the settings: a dict, a dataclass, parsed arguments (`argparse.Namespace`).
        name: what the run is called. Default: the folder's name.
        notes: a text about the run, shown at its top.
        resume: continue the record in the folder, if there is one.
        interval: seconds between two writings of the page while the run goes on. Default: 3.

    Use it in a `with` block, so that the end is recorded too: finished, failed (with the traceback) or interrupted; or
    give it to `flambeau.fit` as a callback. The page is written while training goes on: a run that is killed has it,
    too. Beside it lie `metrics.jsonl` (each `log` is a line, written at once), `run.json` and `pictures/`, from which
    `flambeau.record.load` reads it again.

    Attributes: folder, page (their paths), record (what is known so far).

    Raises OSError for a folder that cannot be written to, RuntimeError for one that another process is writing.

    >>> import tempfile
    >>> import flambeau
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with flambeau.Run(f"{folder}/first", config={"lr": 0.1}) as run:
    ...         for step in range(100):
    ...             run.log({"train/loss": 1 / (step + 1)}, step=step)
    ...     sorted(path.name for path in run.folder.iterdir())
    ['index.html', 'metrics.jsonl', 'run.json']
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        config: Any = None,
        *,
        name: str | None = None,
        notes: str = "",
        resume: bool = False,
        interval: float = 3.0,
    ):
        if not isinstance(interval, (int, float)) or not interval > 0:
            raise ArgumentError(
                f"Run(interval={interval}) is not a number of seconds",
                why="the page is written anew after so many seconds",
                fix="pass a number above 0, such as `interval=3.0`",
            )
        settings = configuration(config)
        self._start(folder, settings, name, notes, resume)
        self.interval = interval
        self._lock = threading.RLock()
        self._unwritten = b""
        self._labels: dict[str, str] = {}
        self._watches: list = []
        self._warned = False
        self._process = os.getpid()
        self._due = 0.0
        self.open, self.entered = True, False
        findings.listen(self._found)
        atexit.register(self._at_exit)
        self.flush()
        self._due = time.perf_counter() + min(FIRST, interval)

    def _start(self, path, settings, name, notes, resume):
        """Claim the folder; begin a record there, or another session of the one that it holds."""
        self.folder, self._file, resumed = folder.claim(path, resume)
        self.page = self.folder / folder.PAGE
        wanted = folder.path_of(path)
        if self.folder != wanted:
            print(_(f"{wanted} holds a record already: this run is recorded in {self.folder}"), file=sys.stderr)
        now = time.time()
        state: dict[str, Any] = {"version": VERSION, "started": now, "sessions": [], "config": {}, "items": []}
        metrics = Metrics()
        if resumed:
            state |= _kept(self.folder / folder.STATE)
            metrics = read_metrics(self.folder / folder.METRICS)
            metrics.continues()
        state["name"] = str(name or state.get("name") or self.folder.name)
        state["notes"] = str(notes or state.get("notes", ""))
        state["config"] |= settings
        state |= {
            "status": "running",
            "environment": surroundings.environment(),
            "packages": surroundings.packages(),
            "seeds": surroundings.seeds(),
            "repository": surroundings.repository(),
            "code": surroundings.code(),
            "failure": None,
            "ended": None,
        }
        state["sessions"].append({"started": now, "ended": None, "status": "running", "step": metrics.steps + 1})
        self.record = Record(self.folder, state, metrics)
        self._before = metrics.seconds  # of the sessions before this one
        self._began = time.perf_counter()
        if resumed:
            os.write(self._file, b'\n{"session":%d,"time":%.3f}\n' % (len(state["sessions"]), self._before))

    # ------------------------------------------------------------------ numbers

    def log(self, values: Any = None, step: int | None = None, **metrics: Any) -> None:
        """Record numbers of one step: `run.log(loss=loss, step=i)` or `run.log({"train/loss": loss}, step=i)`.

        Arguments:
            values: numbers by name; names that begin with "train/" and "val/" share a chart.
            step: the step they belong to. Default: one more than the last.
            metrics: further numbers by name. `epoch` is the epoch that the step belongs to.

        Numbers, tensors and arrays of one element are taken; NaN and infinity are kept, and marked in the charts.
        """
        now = time.perf_counter()
        if values is not None:
            metrics = {**_named(values), **metrics}
        if not self.open:
            raise StateError(
                "the run has ended: nothing can be logged to it any more",
                why="its `with` block has been left, or close() was called",
                fix='log inside of `with flambeau.Run(...) as run:`, or continue it: `Run("...", resume=True)`',
            )
        curves = self.record.metrics
        if step is not None and (step.__class__ is not int or not -LARGEST < step < LARGEST):
            step = _whole(step)
        numbers = [(n, v if v.__class__ is float else _number(n, v)) for n, v in metrics.items()]
        seconds = self._before + now - self._began
        parts = []
        with self._lock:
            if step is None:
                step = curves.steps + 1
            for name, value in numbers:
                curves.add(name, step, seconds, value)
                label = self._labels.get(name) or self._labels.setdefault(name, json.dumps(name) + ":")
                parts.append(label + (repr(value) if value - value == 0 else encoded(value)))
            self._append(f'{{"step":{step},"time":{seconds:.3f},"values":{{{",".join(parts)}}}}}\n'.encode())
            if now >= self._due:
                self.flush()

    def _append(self, data: bytes) -> None:
        """Write lines at the end of the metrics file, after those that could not be written before."""
        data = self._unwritten + data if self._unwritten else data
        try:
            done = os.write(self._file, data)
        except OSError as error:
            self._unwritten = data
            self._failed(error)
        else:
            self._unwritten = data[done:]

    def flush(self) -> None:
        """Write the page and `run.json` now, and what could not be written before."""
        if os.getpid() != self._process:
            return  # a forked child: the record is its parent's
        began = time.perf_counter()
        with self._lock:
            if self._unwritten:
                self._append(b"")
            state = self.record.state
            state["updated"] = time.time()
            state["seconds"] = self._before + began - self._began
            state["interval"] = self.interval
            if self._watches or log.watches:
                state["doctor"] = self._examined()
            try:
                folder.write(self.folder / folder.STATE, json.dumps(state, ensure_ascii=False, indent=1))
                folder.write(self.page, self.record.html())
            except OSError as error:
                self._failed(error)
        now = time.perf_counter()
        self._due = now + max(self.interval, SHARE * (now - began))

    def _failed(self, error: OSError) -> None:
        """Something could not be written: said once, and training goes on."""
        if not self._warned:
            self._warned = True
            warn(
                f"the record of the run could not be written to {str(self.folder)!r} ({error.strerror or error}): "
                "training goes on, what is logged is kept in memory, and writing is tried again",
                stacklevel=4,
            )

    # ------------------------------------------------------------------ the doctor

    def watch(self, model=None, optimizer=None, **options) -> Any:
        """Let the doctor watch the training (`doctor.watch`, with its options): what it finds is in the page."""
        from ..doctor import watch  # noqa: PLC0415 - only when asked for

        made = watch(model, optimizer, **{"quiet": True, **options})
        self._watches.append(made)
        return made

    def _found(self, finding) -> None:
        """The checks have found something, whether or not the doctor watches."""
        doctor = self.record.state.setdefault("doctor", {"facts": {}, "findings": [], "tables": [], "curves": []})
        doctor["findings"].append(plain(finding))

    def _examined(self) -> dict:
        """What the watches have seen so far, and what the checks have found beside them."""
        found = report((self._watches or log.watches)[-1].report())
        known = {(f["code"], f["where"]) for f in found["findings"]}
        before = self.record.state.get("doctor", {"findings": []})["findings"]
        found["findings"] += [f for f in before if (f["code"], f["where"]) not in known]
        return found

    # ------------------------------------------------------------------ the end

    def close(self, status: str = "finished") -> None:
        """End the record: "finished", "failed" or "interrupted". A second call does nothing."""
        if not self.open:
            return
        self.open = False
        findings.unlisten(self._found)
        atexit.unregister(self._at_exit)
        if os.getpid() != self._process:
            return
        for each in self._watches:
            each.close()
        state = self.record.state
        state["status"], state["ended"] = status, time.time()
        state["sessions"][-1] |= {"status": status, "ended": state["ended"]}
        state["seeds at the end"] = surroundings.seeds()
        known = {file["name"] for file in state["code"]}  # as it was at the start: it may have been edited since
        state["code"] += [file for file in surroundings.code() if file["name"] not in known]  # imported on the way
        self.flush()
        os.close(self._file)

    def fail(self, error: BaseException) -> None:
        """End the record with what stopped the run."""
        if isinstance(error, SystemExit) and not error.code:
            self.close()
            return
        trace = "".join(traceback.format_exception(error))
        self.record.state["failure"] = {
            "type": type(error).__name__,
            "message": str(error),
            "told": told(error) if isinstance(error, FlambeauError) else None,
            "trace": trace if len(trace) <= TRACE else trace[: TRACE // 2] + "\n...\n" + trace[-TRACE // 2 :],
        }
        self.close("interrupted" if isinstance(error, KeyboardInterrupt) else "failed")

    def __enter__(self):
        self.entered = True
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            self.close()
        else:
            self.fail(error)

    def _at_exit(self):
        """The program ends without having closed the run: by an error, if Python has one that nobody caught."""
        error = getattr(sys, "last_value", None)
        if error is None:
            self.close()
        else:
            self.fail(error)

    def __repr__(self):
        return f"<Run {self.record.name!r}: {self.record.status}, {str(self.page)!r}>"


def _kept(path) -> dict:
    """The state of a record that is continued; nothing where it was never written, or cannot be read (a warning)."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        state = None
    if isinstance(state, dict) and "version" in state:
        return state
    aside = path.with_suffix(".damaged.json")
    os.replace(path, aside)
    tell(
        f"the description of the run in {path} cannot be read: it is kept as {aside.name}, and the run goes on with "
        "its numbers, without the configuration, texts and pictures of before"
    )
    return {}


def _named(values: Any) -> dict[str, Any]:
    """The numbers given to `log` by name; names within names are joined by a slash."""
    if not hasattr(values, "items"):
        raise ArgumentTypeError(
            f"log() takes numbers by name, not {type(values).__name__}",
            why="each number belongs to a curve, which has a name",
            fix="use `run.log(loss=loss)` or `run.log({'train/loss': loss}, step=i)`",
        )
    found: dict[str, Any] = {}
    for name, value in values.items():
        if not isinstance(name, str) or not name:
            raise ArgumentTypeError(
                f"log() takes names that are texts, not {name!r}",
                why="each number belongs to a curve, which has a name",
                fix="use `run.log({'train/loss': loss}, step=i)`",
            )
        if isinstance(value, dict):
            found |= {f"{name}/{key}": v for key, v in _named(value).items()}
        else:
            found[name] = value
    return found


def _number(name: str, value: Any) -> float:
    """A number, or the one element of a tensor or array."""
    size = value.numel() if hasattr(value, "numel") else getattr(value, "size", 1)
    if size != 1 or isinstance(value, (str, bytes, complex)) or value is None:
        shape = tuple(getattr(value, "shape", ()))
        raise ArgumentTypeError(
            f"log() takes numbers, but {name!r} is {value!r:.80}"
            if size == 1
            else f"log() takes numbers, but {name!r} has shape {shape}",
            why="a curve has one number at a step",
            fix=f"log one number: `{name}=value.mean()`, or `run.add_text` for a text",
        )
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ArgumentTypeError(
            f"log() takes numbers, but {name!r} is {value!r:.80}",
            why=f"it cannot be made a number: {error}",
            fix="log one number: `float(value)`",
        ) from error


def _whole(step: Any) -> int:
    try:
        number = operator.index(step.item() if hasattr(step, "item") else step)
    except TypeError:
        raise ArgumentTypeError(
            f"step={step!r:.80} is not a whole number",
            why="it is the number of the training step, the x axis of the charts",
            fix="use `step=i` of `for i, batch in enumerate(loader)`; the epoch is logged as `epoch=...`",
        ) from None
    if not -LARGEST < number < LARGEST:
        raise ArgumentError(
            f"step={number:.6g} is too large",
            why="the charts tell whole numbers apart up to 2 ** 53",
            fix="count the training steps: `for i, batch in enumerate(loader)`",
        )
    return number
