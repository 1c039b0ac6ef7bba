"""`flambeau doctor script.py`: runs a script under the doctor, examines what it is about to train, and reports.

The script runs as it is, on flambeau. Its first forward pass and loss are remembered; before the first optimizer step
the model, batch and loss are examined (`examine`), while it trains it is watched (`watch`), and at the end its data
sets are compared.
"""

from __future__ import annotations

import functools
import inspect
import linecache
import os
import runpy
import sys
import threading
import traceback
import warnings
import weakref
from dataclasses import dataclass
from typing import Any

from ..checks import FlambeauWarning, collect, events
from ..checks.log import log
from ..checks.modules import direct_forwards
from ..checks.registry import parameters, real
from ..checks.sites import Site
from ..errors import FlambeauError, MissingFile
from ..language import part
from ..language import text as _
from ..nn import functional
from ..nn.modules import hooks
from ..nn.modules.module import Module
from ..place import USER, is_tensor, kind_of
from ..tensor import Tensor
from ..utils.data import DataLoader, Dataset
from .examination import examine, examine_data
from .pytorch import hooks_and_functions, is_foreign
from .report import Report, merged, of_error, rooted
from .watching import watch

_SEEN_HERE = ("FB-DATA", "FB-INIT", "FB-MOD-07", "FB-LOOP-06", "FB-LOOP-07", "FB-GRAD-07", "FB-OPT-03")
_VALIDATION = ("val", "test", "dev", "eval", "holdout")


class Observer:
    """Remembers what a script trains: modules, the data of their first forward, the loss that took their output."""

    def __init__(self, foreign: bool = False):
        self._hooks: Any = hooks
        self._functional: Any = functional
        if foreign:
            self._hooks, self._functional = hooks_and_functions()
        self.forwards: dict[int, Forward] = {}  # by the identity of the module, in the order of their first calls
        self.examined: set[int] = set()
        self.reports: list[Report] = []
        self.inside: list = []  # all findings of the examinations
        self.training_loaders: dict[int, Any] = {}
        self._depth = 0
        self._patched: dict[str, Any] = {}

    def __enter__(self):
        self._handles = [
            self._hooks.register_module_forward_pre_hook(self._before),
            self._hooks.register_module_forward_hook(self._after, always_call=True),
        ]
        events.before_step_early.append(self._step)
        for name, function in list(vars(self._functional).items()):
            loss = name.endswith(("_loss", "cross_entropy", "kl_div")) or "binary_cross_entropy" in name
            if loss and inspect.isfunction(function):
                self._patched[name] = function
                setattr(self._functional, name, self._noting(function))
        return self

    def __exit__(self, *exc):
        for handle in self._handles:
            handle.remove()
        events.before_step_early.remove(self._step)
        for name, function in self._patched.items():
            setattr(self._functional, name, function)

    # What runs at depth 0 was called by the script.
    def _before(self, module, args):
        self._depth += 1

    def _after(self, module, args, output):
        self._depth -= 1
        if self._depth or id(module) in self.forwards or next(module.parameters(), None) is None:
            return
        if is_tensor(output) and output.requires_grad and args and all(map(_is_data, args)):
            self.forwards[id(module)] = Forward(module, args, weakref.ref(output))

    def _noting(self, function):
        @functools.wraps(function)
        def noted(input, target=None, *args, **kwargs):
            if is_tensor(target) and len(self.examined) < len(self.forwards):
                for f in self.forwards.values():
                    if f.output() is input and f.loss is None and _is_data(target):
                        f.loss = (function, target, args, kwargs)
            return function(input, target, *args, **kwargs)

        return noted

    def _step(self, optimizer, state):
        """Before the first update of an optimizer: examine the models that it holds."""
        if threading.current_thread() is not threading.main_thread():
            return  # the others would go on training in the midst of it
        held = {id(p) for g in optimizer.param_groups for p in g["params"]}
        if log.batch is not None and (loader := log.batch.loader()) is not None:
            self.training_loaders[id(loader)] = loader
        for key, f in list(self.forwards.items()):
            if key not in self.examined and any(id(p) in held for p in parameters(f.module)):
                self.examined.add(key)
                self._examine(f, optimizer)

    def finish(self) -> None:
        """Examine what was run and never trained."""
        if not self.examined:
            for key, f in list(self.forwards.items())[:1]:
                self.examined.add(key)
                self._examine(f, None)

    def _examine(self, f: Forward, optimizer):
        batch: Any = f.args[0] if len(f.args) == 1 else f.args
        loss_fn = None
        if f.loss is not None:
            function, target, more, options = f.loss
            loss_fn, batch = _loss(function, more, options), (*f.args, target)
        try:
            report = examine(f.module, batch, loss_fn, None if optimizer is None else real(optimizer))
        except FlambeauError:  # what cannot be examined has been reported, or runs anyway
            return
        self.inside += report.findings
        # What the script does itself is judged where it does it: here only what is seen nowhere else.
        report.findings = [x for x in report.findings if x.code.startswith(_SEEN_HERE) and x.level != "E"]
        self.reports.append(report)


@dataclass
class Forward:
    """The first call of a module by the script: its arguments, its output, and the loss that took the output."""

    module: Module
    args: tuple
    output: weakref.ref
    loss: tuple | None = None  # (function, target, more arguments, options)


def _is_data(x: Any) -> bool:
    """Whether an argument is a tensor that was not computed with parameters."""
    return is_tensor(x) and not x.requires_grad and not (isinstance(x, Tensor) and x._inference)


def _loss(function, more, options):
    def loss_fn(output, target):
        return function(output, target, *more, **options)

    loss_fn.__name__ = function.__name__
    return loss_fn


def diagnose(script: str, argv: list[str] | None = None, torch: bool = False) -> tuple[Report, int]:
    """Run a script under the doctor.

    Arguments:
        script: its file; argv: its own arguments; torch: run it on PyTorch itself, not on flambeau.
    Returns: the report, and the exit code: the script's own if it failed, else 1 where something was found, else 0.
    Raises FileNotFoundError for a script that is not there.
    """
    from ..cli import as_torch  # noqa: PLC0415 - the command line imports this file

    if not os.path.isfile(script):
        raise MissingFile(
            f"there is no script {script!r}",
            why="`flambeau doctor` runs a Python file",
            fix="give the path of a file, such as `flambeau doctor train.py`",
        )
    if torch:
        hooks_and_functions()  # imported now, so that it is followed from the script's first line on
    else:
        as_torch()
    process, argv_before, path_before = os.getpid(), sys.argv[:], sys.path[:]
    kept = {name: getattr(sys, name) for name in ("argv", "path", "stdout", "stderr")}  # a script may put others there
    linecache.getlines(script)  # its lines, even when it changes the directory
    sys.argv = [script, *(argv or [])]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    code, failed, names = 0, None, {}
    with collect(fresh=True) as findings, warnings.catch_warnings(), Observer(torch) as observer:
        warnings.simplefilter("ignore", FlambeauWarning)  # they are in the report
        with watch(quiet=True, lines=True) as w:
            try:
                names = runpy.run_path(script, run_name="__main__")
            except SystemExit as stop:
                if os.getpid() != process:
                    raise  # a child that the script has forked: the report is its parent's
                code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
            except BaseException as error:
                if os.getpid() != process:
                    raise
                failed, code = w.reason(error), 1
                _print(error)
            observer.finish()
            direct_forwards(Site(compile("", script, "exec"), 0))
        watched = w.report()
        examined = [f for r in observer.reports for f in r.findings]
        inside = {id(f) for f in observer.inside}
        found = [f for f in [*findings, *watched.findings] if id(f) not in inside]
        # What the script itself has shown is shown at its own line.
        known = {f.code for f in found}
        found += [f for f in [*examined, *_compared(names, observer)] if f.code not in known]
        if failed is not None and (one := of_error(failed)) is not None:
            found.append(one)
    for name, value in kept.items():
        setattr(sys, name, value)
    sys.argv[:], sys.path[:] = argv_before, path_before
    facts = {part("script"): script, **watched.facts}
    facts.pop("model", None)
    if failed is not None and of_error(failed) is None:
        facts[part("stopped by")] = f"{type(failed).__name__}: {str(failed).partition(chr(10))[0]}"
    tables = [t for r in observer.reports for t in r.tables] + watched.tables
    curves = [c for r in observer.reports for c in r.curves] + watched.curves
    report = Report(rooted(merged(found)), tables, curves, facts)
    return report, code or report.exit_code


def _print(error: BaseException) -> None:
    """The traceback of the script's error, from its own first line on."""
    trace = error.__traceback__
    while trace is not None and kind_of(trace.tb_frame.f_code.co_filename) != USER:
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def _is_data_set(v: Any) -> bool:
    """Whether an object is a loader or a data set, of flambeau's or PyTorch's."""
    return (
        isinstance(v, (DataLoader, Dataset)) or is_foreign(v) and (hasattr(v, "dataset") or hasattr(v, "__getitem__"))
    )


def _compared(names: dict, observer: Observer) -> list:
    """The findings of the data sets and loaders that the script's variables hold: training against validation."""
    sets = {n: v for n, v in names.items() if _is_data_set(v) and not n.startswith("_")}
    validation = {n: v for n, v in sets.items() if n.lower().startswith(_VALIDATION)}
    training = [v for n, v in sets.items() if n not in validation]
    training.sort(key=lambda v: not isinstance(v, DataLoader))  # a loader says more than its data set
    if not training:
        return []
    first = next((v for v in training if id(v) in observer.training_loaders), training[0])
    other = next((v for v in validation.values() if isinstance(v, type(first))), None)
    if other is None:
        other = next(iter(validation.values()), None)
    try:
        return examine_data(first, other).findings
    except FlambeauError:  # a set that cannot be read: the script's own error says so
        return []


def report_of(script: str, argv: list[str], json: str | None, html: str | None, torch: bool = False) -> int:
    """What the command line does: run, print the report, write it where asked; returns the exit code."""
    json, html = (path and os.path.abspath(path) for path in (json, html))  # the script may change the directory
    report, code = diagnose(script, argv, torch)
    # A script may have closed the streams.
    stream = next((s for s in (sys.stdout, sys.stderr) if s is not None and not s.closed), None)
    if stream is not None:
        stream.flush()
        report.show(stream)
    if json:
        report.to_json(json)
    if html:
        report.to_html(html, _("flambeau doctor") + f": {os.path.basename(script)}")
    return code
