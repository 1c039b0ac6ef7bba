"""What `torch.compile` returns: calls go to the recording that holds, or are recorded."""

from __future__ import annotations

import functools
from typing import Any

from ..autograd.mode import state
from ..kernels import fused, record, updates
from ..kernels.build import backend
from ..optim.rule import FormulaOptimizer, plain
from . import guards
from .backward import HasHooks, record_backward
from .numbers import CannotReplay
from .recorder import Recorder
from .step import Step
from .surroundings import Walk, Watcher

MOST_STEPS = 8  # signatures of one function that are kept compiled; further ones run eagerly
PATIENCE = 3  # recordings that come to nothing before a function is left to Python


class Compiled:
    """A function that is recorded at its first call for each signature, and replayed afterwards."""

    def __init__(self, function: Any, fullgraph: bool = False):
        self.function, self.fullgraph = function, fullgraph
        self.steps: list[Step] = []
        self.splits: list[tuple[str, str]] = []  # (reason, line) why the last recording was left to Python
        self.given_up = 0
        self.eager_calls = 0
        self.running = False  # whether Python is inside the function: a module calls itself again then

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if record.listeners and record.listener() is not None:
            return self._eager(args, kwargs)  # part of a step that is being recorded
        for step in self.steps:
            if step.holds(args, kwargs):
                done, result = step(args, kwargs)
                if done:
                    return result
        if self.given_up >= PATIENCE or len(self.steps) >= MOST_STEPS or backend() is None:
            self.eager_calls += 1
            return self._eager(args, kwargs)
        return self._record(args, kwargs)

    def _eager(self, args: tuple, kwargs: dict) -> Any:
        outer, self.running = self.running, True
        try:
            return self.function(*args, **kwargs)
        finally:
            self.running = outer

    @staticmethod
    def _backward(recorder: Recorder, walk: Walk, result: Any) -> Any:
        """The gradients of the result, recorded, if it has a graph that lasts."""
        try:
            return record_backward(recorder, [f.tensor for f in walk.tensors.values()], result)
        except HasHooks:
            recorder.problem("the result's graph has hooks")
        except RuntimeError as error:
            recorder.problem(f"the result has no gradient: {error}")
        return None

    def _record(self, args: tuple, kwargs: dict) -> Any:
        before = Walk().run(self.function, args, kwargs)
        started = _prepare(before)
        kept = fused.SMALL, updates.SMALL
        with Recorder() as recorder, Watcher() as watcher:
            fused.SMALL = updates.SMALL = 1
            try:
                result = self._eager(args, kwargs)
                backward = self._backward(recorder, before, result)
            finally:
                fused.SMALL, updates.SMALL = kept
        _unprepare(started)
        self.splits = list(recorder.program.problems)
        try:
            after = Walk().run(self.function, args, kwargs)
            self.splits += [(reason, "") for reason in after.problems] + watcher.impure
            for code in watcher.codes - after.codes:
                self.splits.append(
                    (
                        f"runs {code.co_name}(), which was not to be seen beforehand",
                        f"{code.co_filename}:{code.co_firstlineno}",
                    )
                )
            change = guards.changed(before, after)
            if change:
                self.splits.append((change, ""))
            if not self.splits:
                self.steps.insert(0, Step(recorder, after, result, backward))
                self.given_up = 0
        except CannotReplay as error:
            self.splits.append((str(error), ""))
        if self.splits:
            self.given_up += 1
            if self.fullgraph:
                raise RuntimeError("torch.compile(fullgraph=True): " + "; ".join(f"{r} ({w})" for r, w in self.splits))
        return result


def _prepare(walk: Walk) -> list:
    """Make the state that optimizers make at their first step, so that the recorded step is like all later ones."""
    started = []
    for optimizer in walk.optimizers.values():
        if not isinstance(optimizer, FormulaOptimizer):
            continue
        for group in optimizer.param_groups:
            options = {name: plain(value) for name, value in group.items() if name != "params"}
            names = optimizer.slots(options)
            if options.get("dampening"):
                continue  # the first step of SGD with dampening differs from the later ones
            for p in group["params"]:
                if p not in optimizer.state:
                    optimizer.prepare(p, names, options)
                    optimizer.make_slots(p, names)
                    started.append((optimizer, p, {k: v._version for k, v in optimizer.state.get(p, {}).items()}))
    return started


def _unprepare(started: list) -> None:
    """Drop the state of parameters that the step has not touched."""
    for optimizer, p, _ in started:
        if p.grad is None and p in optimizer.state:
            count = optimizer.state[p].get("step")
            if count is not None and float(count._array) == 0:
                del optimizer.state[p]


__all__ = ["Compiled", "functools", "state"]
