"""`doctor.watch`: looks on while a model trains, within a time budget, and stops a run at its first NaN.

It listens to the events of the checks (checks/events.py). Each step costs it a few hundred nanoseconds; every k-th step
is sampled (sizes of gradients, weights and updates), and k grows until the sampling stays within the budget.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import time
import weakref
from typing import Any

import numpy as np

from ..checks import curves as _curves  # noqa: F401  rules about the curves of a run
from ..checks import events, findings, numbers, slopes, speed
from ..checks.log import log
from ..checks.modules import direct_forwards
from ..checks.registry import owner
from ..checks.sites import user_site
from ..errors import ArgumentError, FlambeauError, NotSupported
from ..language import part
from ..language import text as _
from ..nn.modules.module import Module
from . import trends as _trends  # noqa: F401  rules about layers while they train
from .history import History, Sample, size
from .pytorch import is_foreign, is_foreign_running
from .report import Curve, Report, Table, merged, of_error, rooted

FIRST = 50  # steps that are all looked at
LOOK = 12e-6  # seconds that a look at a step costs which is not sampled
LARGEST = 1 << 22  # elements that a sampled step copies at most to see how far they move


class watch:
    """Watch a training run: as a context manager, as a callback of the loop, or by one call.

    Arguments:
        model: the module that is trained; None watches everything.
        optimizer: its optimizer, or several; None watches all there are.
        budget: the share of the run's time that sampling may take. Default: 0.02.
        stop_at_nan: raise GradientError when the loss or a gradient is not finite, before the weights are changed.
        every: sample each n-th step; default: as often as the budget allows.
        quiet: do not print the report at the end.
        lines: also look at which lines take the time (FB-PERF-01): a thread looks every few milliseconds, which
            programs of very short steps feel.

    `watch(...)` begins at once and ends with `close()`, with its `with` block, or with the program; `report()` says
    what has been seen so far. `w(loss=...)` in a loop (or as a callback) adds values that are not seen otherwise,
    such as those of a compiled step; `w.validation(value)` adds a validation loss.

    >>> import flambeau as torch
    >>> from flambeau import doctor
    >>> net, x = torch.nn.Linear(4, 1), torch.randn(32, 4)
    >>> optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> with doctor.watch(net, optimizer, quiet=True) as w:
    ...     for _ in range(5):
    ...         optimizer.zero_grad()
    ...         torch.nn.functional.mse_loss(net(x), x.sum(1, keepdim=True)).backward()
    ...         optimizer.step()
    >>> w.report().ok, w.history.step
    (True, 5)
    """

    def __init__(
        self, model=None, optimizer=None, *, budget=0.02, stop_at_nan=True, every=None, quiet=False, lines=False
    ):
        if not isinstance(budget, (int, float)) or not 0 < budget <= 1:
            raise ArgumentError(
                f"watch(budget={budget}) is not a share of the time",
                why="it is the part of the run's time that sampling may take",
                fix="pass a number above 0 and up to 1, such as `budget=0.02`",
            )
        if every is not None and every < 1:
            raise ArgumentError(
                f"watch(every={every}) is not a number of steps",
                why="each `every`-th step is sampled",
                fix="pass 1 or more, or leave it out",
            )
        if not log.on:
            raise NotSupported(
                "doctor.watch needs the checks, which are switched off",
                why="FLAMBEAU_CHECKS=off is set",
                fix="run without FLAMBEAU_CHECKS=off",
            )
        self.model = model
        self._foreign: Any = None
        if is_foreign(model) or is_foreign(optimizer) or model is None and is_foreign_running():
            from .pytorch.following import Following

            self._foreign = Following()
            self._foreign.__enter__()
        given = optimizer if isinstance(optimizer, (list, tuple)) else [] if optimizer is None else [optimizer]
        if self._foreign is not None:
            given = [self._foreign.optimizer(o) for o in given]
        if model is not None and self._foreign is None and not isinstance(model, Module):
            raise ArgumentError(
                f"watch() takes a module as model, not {type(model).__name__}",
                why="it names the parameters by their module",
                fix="pass the model, then its optimizer: `watch(model, optimizer)`, or leave both out",
            )
        for each in given:
            if not hasattr(each, "param_groups"):
                raise ArgumentError(
                    f"watch() takes an optimizer, not {type(each).__name__}",
                    why="it follows the steps of optimizers",
                    fix="pass the model, then its optimizer: `watch(model, optimizer)`, or leave both out",
                )
        self._optimizers = [weakref.ref(o) for o in given]
        self.lines = lines
        self.budget, self.stop_at_nan, self.quiet = budget, stop_at_nan, quiet
        self.every = every or 1
        self._fixed = every is not None
        self.history = History()
        self.findings: list = []
        self._names: dict[int, str] = {}
        self._before: list | None = None
        self._spent = 0.0  # seconds of sampling
        self._wake = 1  # the step at which to look next
        self._sampled = 0
        self._typical = 0.0  # seconds of a step
        self._looked = 0  # the step of the last look
        self._began = self._last = time.perf_counter()
        self._waited = 0.0
        self._lists = (
            (events.before_step, self._step), (events.batch_given, self._batch), (events.before_backward, self._loss),
            (events.after_backward, self._gradients),
        )  # fmt: skip
        self.open = True
        self._process = os.getpid()
        self._stepping: Any = None  # what is known of the optimizer that stepped last
        for rules, rule in self._lists:
            rules.append(rule)
        log.watches.append(self)
        findings.listen(self.findings.append)
        self._made = user_site()
        speed.watch_began(self)
        atexit.register(self.close)

    # ------------------------------------------------------------------ use

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        found = of_error(self.reason(error)) if error is not None else None
        if found is not None:
            self.findings.append(found)
        self.close()

    def __call__(self, *, loss=None, validation=None) -> None:
        """Add the values of this step: a training loss, a validation loss (numbers or tensors of one element)."""
        if loss is not None:
            self.history.loss(self.history.step, _number(loss))
        if validation is not None:
            self.validation(validation)

    def replayed(self, label: str, value, replays: int) -> None:
        """A compiled step was replayed, and gave this number the last time; called by the compiler."""
        self.history.step += replays
        self.history.loss(self.history.step, float(value))

    def validation(self, value) -> None:
        """Add a validation loss."""
        self.history.validation.append((self.history.step, _number(value)))

    @property
    def failed(self) -> list[str]:
        """What rules could not cope with in a PyTorch program."""
        return [] if self._foreign is None else self._foreign.failed

    def reason(self, error: BaseException) -> BaseException:
        """The explained error for one that PyTorch has raised, if there is one; else the error itself."""
        return error if self._foreign is None else self._foreign.mirror.reason_of(error) or error

    def close(self) -> None:
        """Stop watching, and print the report unless `quiet`. A second call does nothing."""
        if not self.open:
            return
        self.open = False
        if os.getpid() != self._process:
            return  # a forked child: what there is to say, its parent says
        for rules, rule in self._lists:
            self._listen(rules, rule, False)
        self._listen(events.after_step, self._stepped, False)
        log.watches.remove(self)
        speed.watch_ended(self)
        self._run_rules()  # what the whole run shows belongs in the report, too
        if self._made is not None:
            direct_forwards(self._made)
        findings.unlisten(self.findings.append)
        if self._foreign is not None:
            self._foreign.__exit__(None, None, None)
        atexit.unregister(self.close)
        if not self.quiet:
            self.report().show(sys.stderr)

    def report(self) -> Report:
        """What has been seen so far."""
        if self.open:
            self._run_rules()
        h = self.history
        seconds = time.perf_counter() - self._began
        facts = {
            part("model"): type(self.model).__name__ if self.model is not None else _("everything"),
            part("steps"): h.step,
            part("seconds"): round(seconds, 3),
            part("sampled steps"): _(f"{len(h.samples)} ({self._spent / max(seconds, 1e-9):.1%} of the time)"),
        }
        tables, curves = [], []
        if h.samples:
            last = h.samples[-1]
            rows = [
                [n, float(last.weight[i]), float(last.gradient[i]), float(last.update[i] / last.weight[i])]
                for i, n in enumerate(last.names)
                if last.weight[i]
            ]
            columns = [part("parameter"), part("weight"), part("gradient"), part("update / weight")]
            tables.append(Table(part("Parameters at the last sampled step"), columns, rows))
            shown = sorted(range(len(last.names)), key=lambda i: -np.nan_to_num(last.gradient[i]))[:8]
            curves.append(Curve(part("size of the gradients"), {
                last.names[i]: [(s.step, float(s.gradient[i])) for s in h.samples if len(s.names) == len(last.names)]
                for i in shown
            }, log=True))  # fmt: skip
        if h.losses:
            lines = {"training": [(float(s), v) for s, v in h.losses[:: max(1, len(h.losses) // 500)]]}
            if h.validation:
                lines["validation"] = [(float(s), v) for s, v in h.validation]
            curves.insert(0, Curve(part("loss"), lines))
        return Report(rooted(merged(self.findings)), tables, curves, facts)

    # ------------------------------------------------------------------ events

    @staticmethod
    def _listen(rules, rule, wanted):
        """Add a rule to an event, or take it off: what is needed now and then costs nothing in between."""
        if wanted != (rule in rules):
            (rules.append if wanted else rules.remove)(rule)

    def _batch(self, loader, iterator, data, seconds):
        self._waited += seconds

    def _loss(self, roots):
        root = roots[0]
        if root._array.size == 1 and root._array.__class__ is np.ndarray:
            value = root._array.item()
            if isinstance(value, (int, float)):
                self.history.loss(self.history.step, value)

    def not_finite(self, root) -> None:
        """The loss is not finite; called by the checks, at each backward pass."""
        error = numbers.locate(root)
        if error is not None:
            self._raise(error)

    def _gradients(self, roots, leaves):
        if not self.stop_at_nan or log.scaled:
            return
        # What is not finite spreads to everything upstream: one element of the last leaf shows it nearly always, and
        # costs nothing. Sampled steps look at all of them.
        whole = self._due(self.history.step + 1)
        for leaf in leaves if whole else leaves[-1:]:
            g = leaf._grad
            if g is None or g._array.dtype.kind != "f" or g._array.__class__ is not np.ndarray or not g._array.size:
                continue
            value = float(_total(g._array)) if whole else g._array.item(0)
            if value - value != 0:
                error = slopes.locate_backward(roots, leaf)
                if error is not None:
                    self._raise(error)

    def _raise(self, error: FlambeauError):
        found = of_error(error)
        if found is not None:
            self.findings.append(found)
        raise error

    def _ours(self, optimizer) -> bool:
        return not self._optimizers or any(r() is optimizer for r in self._optimizers)

    def _step(self, optimizer, state):
        if self._optimizers and not any(r() is optimizer for r in self._optimizers):
            return
        h = self.history
        if state is not self._stepping:
            self._stepping = state
            h.begins()
        h.step += 1
        if h.step + 1 >= self._wake:
            self._look(optimizer)

    def _look(self, optimizer):
        """Once in a while: note the time, sample what is due, and say when to look next."""
        h, now = self.history, time.perf_counter()
        if h.step < self._wake:
            self._hear(True)  # of the step that will be looked at
            return
        steps = h.step - self._looked
        took = (now - self._last) / steps
        h.seconds.append(took)
        # A running mean that one long pause (a validation, say) does not move much.
        self._typical += 0.1 * (min(took, 4 * self._typical) - self._typical) if self._typical else took
        h.waiting.append(self._waited / steps)
        self._last, self._waited, self._looked = now, 0.0, h.step
        if self._due(h.step):
            self._before = self._sample(optimizer)
            self._listen(events.after_step, self._stepped, True)
            self._spent += time.perf_counter() - now
        rest = 1 if self._fixed or h.step < FIRST else math.ceil(LOOK / (self.budget / 2 * self._typical))
        self._wake = min(h.step + rest, (h.step // self.every + 1) * self.every) if h.step >= 3 else h.step + 1
        self._hear(self._wake == h.step + 1)

    def _hear(self, wanted):
        self._listen(events.before_backward, self._loss, wanted)
        self._listen(events.after_backward, self._gradients, wanted)

    def _due(self, step) -> bool:
        return step % self.every == 0 or step <= 3

    def _sample(self, optimizer):
        """(sample, parameters, copies of the weights) of this step."""
        parameters = [p for g in optimizer.param_groups for p in g["params"]]
        sample = Sample(
            self.history.step,
            [self._name(p) for p in parameters],
            np.array([p._array.ndim > 1 for p in parameters], bool),
        )
        copies, room = [], LARGEST
        for i, p in enumerate(parameters):
            a = p._array
            if a.__class__ is not np.ndarray or a.dtype.kind != "f":
                copies.append(None)
                continue
            sample.weight[i] = size(a)
            if p._grad is not None and p._grad._array.__class__ is np.ndarray:
                sample.gradient[i] = size(p._grad._array)
                sample.zeros[i] = 1 - np.count_nonzero(p._grad._array) / max(1, a.size)
            room -= a.size
            copies.append(a.copy() if room >= 0 else None)
        return sample, parameters, copies

    def _stepped(self, optimizer, state):
        if self._before is None or not self._ours(optimizer):
            return
        began = time.perf_counter()
        sample, parameters, copies = self._before
        self._before = None
        self._listen(events.after_step, self._stepped, False)
        for i, (p, c) in enumerate(zip(parameters, copies)):
            if c is not None and c.shape == p._array.shape:
                np.subtract(p._array, c, out=c)
                sample.update[i] = size(c)
        h = self.history
        h.samples.append(sample)
        self._sampled += 1
        h.rates.append((h.step, tuple(float(g["lr"]) for g in optimizer.param_groups if "lr" in g)))
        self._run_rules()
        now = time.perf_counter()
        self._spent += now - began
        self._last = now
        if not self._fixed and h.step > 3:
            # The next sample is due when this one's cost is within the budget of the time passed since.
            cost = self._spent / max(1, self._sampled)
            self.every = max(1, math.ceil(cost / (self.budget / 2 * max(self._typical, 1e-6))))

    def _run_rules(self):
        for _name, rule in events.watch_rules:
            rule(self.history, self)

    def _name(self, p) -> str:
        found = self._names.get(id(p))
        if found is None:
            twin = self._foreign.mirror.twin if self._foreign is not None else lambda q: q
            root = self.model if self.model is not None else owner(p)[0]
            if root is not None:
                self._names |= {id(twin(q)): n for n, q in root.named_parameters()}
            found = self._names.setdefault(id(p), f"parameter {len(self._names)} {tuple(p._array.shape)}")
        return found


def _total(a):
    with np.errstate(all="ignore"):
        return np.add.reduce(a, axis=None)


def _number(value) -> float:
    array = getattr(value, "_array", None)
    if array is not None:
        if array.size != 1:
            raise ArgumentError(
                f"a loss of shape {tuple(array.shape)} is not one number",
                why="the watch follows one value per step",
                fix="pass `loss.mean()`",
            )
        return float(array.item())
    return float(value)
