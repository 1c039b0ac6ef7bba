"""What `torch.compile` returns: calls go to the recording that holds, or are recorded.

A function that Python has to stay in (it reads values, prints, counts...) is split: it runs in Python, and the modules
that it calls run compiled, each by itself.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..checks import events
from ..checks.log import EARLY, log
from ..errors import CompileError
from ..kernels import fused, record, updates
from ..kernels.build import backend
from ..kernels.plans import Unsupported
from ..nn.modules.module import Module
from ..optim.rule import FormulaOptimizer, plain
from ..tensor import Tensor
from . import guards
from .backward import HasHooks, record_backward
from .control import compiled_functions, here
from .numbers import CannotReplay
from .program import Update
from .recorder import Recorder
from .standing import Standing
from .step import NOT_RUN, Step, watchers
from .surroundings import Walk, Watcher
from .symbolic import NotSymbolic

MOST_STEPS = 8  # signatures of one function that are kept compiled; further ones run eagerly
PATIENCE = 3  # recordings that come to nothing before a function is left to Python


class Compiled(Standing):
    """A function that is recorded at its first call for each signature, and replayed afterwards."""

    def __init__(self, function: Any, fullgraph: bool = False, enabled: bool = True):
        super().__init__(function, fullgraph, enabled)
        self.fullgraph, self.enabled = fullgraph, enabled
        self.running = False  # whether Python is inside the function: a module calls itself again then
        self.reset()
        compiled_functions.add(self)

    def reset(self) -> None:
        """Forget all recordings."""
        self.steps: list[Step] = []
        self.splits: list[tuple[str, str]] = []  # (reason, line) why the last recording was left to Python
        self.reasons: Counter[tuple[str, str]] = Counter()  # the same of all recordings
        self.given_up = 0
        self.eager_calls = 0  # calls in which Python ran
        self.replays = 0  # while somebody watched
        self.pieces: list[tuple[Module, Compiled]] = []  # what is compiled by itself when the function is split

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if record.listeners and record.listener() is not None:
            return self._eager(args, kwargs)  # part of a step that is being recorded
        stance = here.stance
        if stance != "force_eager":
            if watchers:
                watchers[-1].begin(self)
            for step in self.steps:
                if step.holds(args, kwargs):
                    with step.lock:  # the step's memory is one call's at a time
                        result = step.run(args, kwargs)
                    if watchers:
                        watchers[-1].end(self)
                    if result is not NOT_RUN:
                        loss = result[0] if result.__class__ is tuple and result else result
                        if log.on and loss.__class__ is Tensor and loss._array.size == 1:
                            value = loss._array.item()
                            if log.watches or value - value != 0:  # inf and nan only
                                self.replays += 1
                                rare = 1 if self.replays <= EARLY else 16  # a watch sees one of so many
                                if self.replays % rare == 0 or value - value != 0:
                                    events.replayed(self.label, value, rare)
                        return result
            if watchers:
                watchers[-1].end(self)
        if stance == "fail_on_recompile" and self.enabled:
            raise CompileError(
                "Detected recompile when torch.compile stance is 'fail_on_recompile'",
                why=f"{self.label} has {len(self.steps)} recordings, and none fits these arguments",
                fix="call it with the shapes and dtypes that it was called with before, or use `set_stance('default')`",
            )
        if stance != "default" or not self._may_record():
            self.eager_calls += 1
            if self.given_up < PATIENCE and len(self.steps) >= MOST_STEPS and not self.splits:
                self.splits = [
                    (f"more than {MOST_STEPS} signatures: further ones run eagerly", _defined(self.function))
                ]
                self.reasons.update(self.splits)
            if self.given_up < PATIENCE:
                return self._eager(args, kwargs)
            with Pieces(self.pieces):
                return self._eager(args, kwargs)
        return self._record(args, kwargs)

    def _may_record(self) -> bool:
        if not self.enabled or backend() is None:
            return False
        if not self.fullgraph:
            return self.given_up < PATIENCE and len(self.steps) < MOST_STEPS
        if len(self.steps) >= MOST_STEPS:
            raise CompileError(
                f"torch.compile(fullgraph=True): {self.label} has been recorded for {MOST_STEPS} signatures already",
                why="each set of shapes, dtypes and values of plain arguments is recorded for itself",
                fix="pad to a few shapes, or leave `fullgraph=True` out: further ones run eagerly then",
            )
        return True

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
            recorder.problem("the result's graph has hooks or a custom autograd.Function")
        except NotSymbolic:
            recorder.problem("the result's gradients are of a dtype that kernels do not have")
        except RuntimeError as error:
            recorder.problem(f"the result has no gradient: {error}")
        return None

    def _record(self, args: tuple, kwargs: dict) -> Any:
        log.compiled = True
        before = Walk().run(self.function, args, kwargs)
        started = _prepare(before)
        kept = fused.SMALL, updates.SMALL
        recorder = Recorder()
        try:
            with recorder, Watcher(recorder, before.codes) as watcher:
                fused.SMALL = updates.SMALL = 1
                result = self._eager(args, kwargs)
                backward = self._backward(recorder, before, result)
        finally:
            fused.SMALL, updates.SMALL = kept
            _unprepare(started, recorder)
        self.splits = recorder.program.problems + watcher.impure
        for_good = bool(self.splits)  # what one run reads or calls, the next one will too
        try:
            after = Walk().run(self.function, args, kwargs)
            self.splits += [(reason, "") for reason in after.problems]
            for code in watcher.codes & after.drawing:
                self.splits.append(("may draw random numbers of NumPy", f"{code.co_filename}:{code.co_firstlineno}"))
            for code in watcher.codes - after.codes:
                reason = f"runs {code.co_name}(), which was not to be seen beforehand"
                self.splits.append((reason, f"{code.co_filename}:{code.co_firstlineno}"))
            change = guards.changed(before, after, recorder.program.actions)
            if change:
                self.splits.append((change, ""))
            if not self.splits:
                self.steps.insert(0, Step(recorder, after, result, backward))
                self.given_up = 0
        except (CannotReplay, NotSymbolic, Unsupported) as error:
            self.splits.append((str(error), ""))
        if self.splits:
            self.splits = [(reason, line or _defined(self.function)) for reason, line in self.splits]
            self.reasons.update(self.splits)
            self.given_up = PATIENCE if for_good else self.given_up + 1
            if self.given_up >= PATIENCE:
                self.pieces = [(m, Compiled(m._call_impl)) for m in _outermost(before, self.function)]
            if self.fullgraph:
                raise CompileError(
                    f"torch.compile(fullgraph=True): {self.label} cannot be replayed without Python",
                    why="; ".join(f"{reason} ({line})" for reason, line in self.splits),  # not a message
                    fix="use `torch.compile.explain(function)` to see all reasons; without `fullgraph=True` it "
                    "runs eagerly",
                )
        return result


def _defined(function: Any) -> str:
    """file:line of a function's definition."""
    for found in (function, getattr(function, "forward", None), type(function).__dict__.get("__call__")):
        code = getattr(getattr(found, "__func__", found), "__code__", None)
        if code is not None:
            return f"{code.co_filename}:{code.co_firstlineno}"
    return ""


class Pieces:
    """While it lasts, calls of some modules go to what was compiled of them."""

    def __init__(self, pieces: list[tuple[Module, Compiled]]):
        self.pieces = [(m, c) for m, c in pieces if m._compiled_call_impl is None]

    def __enter__(self) -> None:
        self.hooked = [m.__dict__.get("_hooked") for m, _ in self.pieces]
        for module, compiled in self.pieces:
            module.__dict__.update(_compiled_call_impl=compiled, _hooked=True)

    def __exit__(self, *exc: Any) -> None:
        for (module, _), hooked in zip(self.pieces, self.hooked):
            del module.__dict__["_compiled_call_impl"]
            if hooked is None:
                del module.__dict__["_hooked"]


def _outermost(walk: Walk, function: Any) -> list[Module]:
    """The modules with parameters that a function can see, without those inside others; not its own module."""
    mine = getattr(function, "__self__", function)
    seen = [m for m in walk.modules.values() if m is not mine]
    opened = [m for m in seen if type(m).forward is not Module.forward]  # a list of modules is not called
    inner = {id(sub) for m in opened for sub in m.modules() if sub is not m}
    return [m for m in opened if id(m) not in inner and any(True for _ in m.parameters())]


def _prepare(walk: Walk) -> list:
    """Make the state that optimizers make at their first step, so that the recorded step is like all later ones."""
    started = []
    for optimizer in walk.optimizers.values():
        if not isinstance(optimizer, FormulaOptimizer):
            continue
        for group in optimizer.param_groups:
            options = {name: plain(value) for name, value in group.items() if name != "params"}
            names = optimizer.slots(options)
            if options.get("dampening") or options.get("differentiable"):
                continue  # the first step of SGD with dampening differs from the later ones
            for p in group["params"]:
                if p not in optimizer.state:
                    optimizer.prepare(p, names, options)
                    optimizer.make_slots(p, names)
                    started.append((optimizer, p))
    return started


def _unprepare(started: list, recorder: Recorder) -> None:
    """Drop the state of parameters that the step has not updated."""
    updated = {id(node.parameter) for node in recorder.nodes if isinstance(node, Update)}
    for optimizer, p in started:
        count = optimizer.state.get(p, {}).get("step")
        if id(p) not in updated and (count is None or count._array.item() == 0):
            optimizer.state.pop(p, None)
