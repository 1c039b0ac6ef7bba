"""Training mode and evaluation: the wrong one, dropout that does not ask, graphs of evaluations, young statistics.

The layers that behave differently in training tell these rules when that looks odd; `train()` and `eval()` do always.
"""

from __future__ import annotations

import ast
import os
import sys
import weakref

import numpy as np

from ..place import LIBRARY, NEVER, USER, kind_of, past, running
from . import events, registry
from .codes import LIMITS
from .findings import found
from .log import log
from .sites import Site, name_in, statements, user_site
from .uses import only_reported

# A loop alone keeps three outputs: the new one, the one before, and one in what a debugger or sampler has seen.
# Freshly made layers give small values, for which the initial 0 and 1 are far off in every young network: only what is
# far in units of both the batch and the initial statistics is a reason to warn.
WATCHED = "watched"  # what `_hooked` of a module is while its calls in eval mode are looked at
# Files of the package that run modules without recording although the user records.
_APART = tuple(
    os.sep + os.path.join(*parts)
    for parts in (("utils", "checkpoint.py"), ("autograd", "function.py"), ("optim", "swa_utils.py"))
)


def _own_layers(module) -> tuple[list, list]:
    """(the dropouts that drop something, the batch norms) in a module."""
    drops, norms = [], []
    for m in module.modules():
        kind = type(m)
        if kind.__module__.startswith(("flambeau.nn.modules.", "torch.nn.modules.")):
            if "Dropout" in kind.__name__ and m.p > 0:
                drops.append(m)
            elif kind.__name__ in ("LSTM", "GRU", "RNN") and m.dropout and m.num_layers > 1:
                drops.append(m)
            elif "BatchNorm" in kind.__name__ and getattr(m, "track_running_stats", False):
                norms.append(m)
    return drops, norms


def _owned(module) -> bool:
    """Whether a live optimizer holds a parameter of a module."""
    held = registry.optimized()
    return any(id(p) in held for p in registry.parameters(module))


def _call_of_root(frame):
    """(the frame of the outermost `forward` that runs, the frame that called it, whether something runs it apart)."""
    root, caller, apart = None, None, False
    while frame is not None:
        code = frame.f_code
        kind = kind_of(code.co_filename)
        if kind == NEVER and code.co_filename.endswith(_APART):
            apart = True
        if code.co_name == "forward" and hasattr(frame.f_locals.get("self"), "_modules"):
            root, caller = frame, None
        elif kind == USER and caller is None:
            caller = frame
        frame = frame.f_back
    return root, caller, apart


def _name(frame, module) -> str:
    """What the code of a frame calls a module: by the call that is running there, else by a variable."""
    if frame is not None:
        e = Site(frame.f_code, frame.f_lasti).expression()
        if isinstance(e, ast.Call) and isinstance(e.func, (ast.Name, ast.Attribute)):
            return ast.unparse(e.func).removesuffix(".forward")
    while frame is not None:
        name = name_in(frame, module)
        if name:
            return name
        frame = frame.f_back
    return type(module).__name__


# ---------------------------------------------------------------------- evaluation in training mode


class _Run:
    """Calls of one root in training mode, one after the other, with nothing recorded and no step in between."""

    __slots__ = ("batch", "counts", "done", "moment", "moments", "root")

    def __init__(self, root):
        self.root, self.moment, self.batch, self.done = weakref.ref(root), None, None, False
        self.counts: dict[tuple, int] = {}  # by where the call is: two views of one batch are two calls of one step
        self.moments: dict[tuple, int] = {}  # the same, steps in between: an evaluation of all data after each epoch

    def __call__(self, *event):  # as a frame's trace function, which is what a call is marked with
        return self


def unrecorded() -> None:
    """A dropout or batch norm runs in training mode while nothing is recorded."""
    frame, caller, apart = _call_of_root(sys._getframe(1))
    if frame is None or caller is None or apart or sys.gettrace() is not None:
        return
    root = frame.f_locals.get("self")
    if not root.training:
        return
    runs = log.notes.setdefault("FB-MODE-01", {})
    run = runs.get(id(root))
    if run is None or run.root() is not root:
        run = runs[id(root)] = _Run(root)
    if run.done or frame.f_trace is run:
        return  # another layer of the same call
    # Frames are no weak references' objects and are used again; this slot of theirs is free while nobody traces.
    frame.f_trace = run
    moment, batch = (log.steps, log.backwards), _first_argument(caller)
    if run.moment != moment:
        run.moment, run.counts = moment, {}
    elif batch is not None and run.batch is not None and run.batch() is batch:
        return  # the same batch once more: samples of what dropout gives
    run.batch = None if batch is None else weakref.ref(batch)
    where, limit = (caller.f_code, caller.f_lasti), LIMITS["FB-MODE-01"]["batches"]
    run.counts[where] = run.counts.get(where, 0) + 1
    if run.counts[where] == 1 and log.steps:
        run.moments[where] = run.moments.get(where, 0) + 1
    # Calls at one place, or of several batches at several places and moments, if these can be read to be evaluations.
    one_place = run.counts[where] >= limit
    if one_place or log.steps and (run.moments[where] == limit or len(run.counts) == limit):
        owned = _owned(root) and not _meant(root, caller)
        run.done = one_place
        if owned and (one_place or only_reported(Site(caller.f_code, caller.f_lasti))):
            run.done = True
            _report_training(root, caller)


def _first_argument(caller):
    """The tensor that is given first in the call that runs in a frame, if it is a variable there."""
    e = Site(caller.f_code, caller.f_lasti).expression()
    if not isinstance(e, ast.Call) or not e.args or not isinstance(e.args[0], ast.Name):
        return None
    value = caller.f_locals.get(e.args[0].id, caller.f_globals.get(e.args[0].id))
    return value if hasattr(value, "_array") else None


def _meant(root, caller) -> bool:
    """Whether train() was called for this very loop, or the results are thrown away: statistics are measured anew."""
    for steps, backwards, what, thing, _ in reversed(log.events):
        if thing == id(root) and what in ("train", "eval"):
            if what == "train" and (steps, backwards) == (log.steps, log.backwards):
                return True
            break
    site = Site(caller.f_code, caller.f_lasti)
    for statement in statements(site):
        for s in ast.walk(statement):
            if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call):
                call = site.expression() if s.lineno <= site.line <= (s.end_lineno or 0) else None
                if call is not None and ast.unparse(s.value) == ast.unparse(call):
                    return True
    return False


def _report_training(root, caller):
    drops, norms = _own_layers(root)
    drops, norms = [m for m in drops if m.training], [m for m in norms if m.training]
    name, site = _name(caller, root), Site(caller.f_code, caller.f_lasti)
    fix = f"call `{name}.eval()` before the evaluation, and `{name}.train()` after it"
    if norms:
        norm = f"{type(norms[0]).__name__}({norms[0].num_features})"
        if drops:
            found("FB-MODE-01", f"`{name}` is in training mode while it is evaluated under no_grad: {drops[0]!r} is "
                  f"active, and {norm} uses and updates batch statistics",
                  "the outputs are random and depend on what else is in the batch, and evaluated data gets into the "
                  "running statistics", fix, cause="both", at=site)  # fmt: skip
        else:
            found("FB-MODE-01", f"`{name}` is in training mode while it is evaluated under no_grad: {norm} uses and "
                  "updates batch statistics",
                  "the outputs depend on what else is in the batch, and evaluated data gets into the running "
                  "statistics", fix, cause="norm", at=site)  # fmt: skip
    else:
        drop = repr(drops[0]) if drops else "F.dropout"
        found("FB-MODE-01", f"`{name}` is in training mode while it is evaluated under no_grad: {drop} is active",
              "the outputs are random, and worse than what the model has learnt", fix,
              cause="dropout", at=site)  # fmt: skip


# ---------------------------------------------------------------------- training in eval mode, graphs of evaluations


class _Evaluated:
    """A module that the user put in eval mode: since when, steps since, and its recorded outputs by call site."""

    def __init__(self, module, site):
        self.module, self.site, self.steps_before, self.steps = weakref.ref(module), site, log.steps, 0
        self.backwards = log.backwards
        self.outputs: dict = {}  # site -> [number of calls, weak references to the nodes of the outputs]
        self.calls, self.done = 0, False  # calls that were looked at; whether its graphs have been reported
        self.reported = False  # whether steps in eval mode have been looked at

    def name(self) -> str:
        """What the user calls it: what `.eval()` was called on."""
        e = self.site.expression() if self.site is not None else None
        if isinstance(e, ast.Call) and isinstance(e.func, ast.Attribute) and e.func.attr in ("eval", "train"):
            if isinstance(e.func.value, (ast.Name, ast.Attribute)):
                return ast.unparse(e.func.value)
        return registry.name_of_module(self.module())


def _mode_set(module, training: bool) -> None:
    table = log.notes.setdefault("eval", {})
    if training:
        table.pop(id(module), None)
        if module.__dict__.get("_hooked") is WATCHED:
            del module.__dict__["_hooked"]
        return
    old = table.get(id(module))
    if old is None or old.module() is not module or old.steps == 0:  # else eval() again, and train() never since
        table[id(module)] = _Evaluated(module, user_site())
    if not getattr(module, "_hooked", True):
        module.__dict__["_hooked"] = WATCHED
    if _stepping not in events.before_step:
        events.before_step.append(_stepping)


def _stepping(optimizer, of) -> None:
    """Before a step: is a module that it trains still in eval mode?"""
    table = log.notes.get("eval")
    if not table:
        return
    for key, e in list(table.items()):
        module = e.module()
        if module is None or module.training:
            del table[key]
        elif not e.reported and (of.closure or log.backwards > max(of.backwards_at_step, e.backwards)):
            e.steps += 1
            if e.steps >= LIMITS["FB-MODE-02"]["steps"]:
                e.reported = True
                _report_eval(module, e, optimizer)


def _report_eval(module, e, optimizer):
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in held and p._grad is not None for p in registry.parameters(module)):
        return
    drops, norms = ([m for m in layers if not m.training] for layers in _own_layers(module))
    drops = drops or module in log.notes.get("F.dropout", ())
    if not drops and not norms or registry.path_of(module)[1]:
        return
    name, site, steps = e.name(), e.site, e.steps_before
    level, fix = ("W" if steps else "H"), f"put `{name}.train()` at the start of each epoch"
    place = f"{site}" if site is not None else ""
    if not steps:
        found("FB-MODE-02", f"`{name}.eval()` ({place}) was called before the first step, and the training goes on in "
              "eval mode", "dropout is off and batch norm uses its running statistics as they are",
              f"call `{name}.train()` before the loop, unless this is meant", level=level, at=site,
              cause="from-the-start")  # fmt: skip
        return
    why = "dropout is off for the rest of the training"
    if norms:
        why = "batch norm does not follow the data any more, for the rest of the training"
    if drops and norms:
        why = "dropout is off, and batch norm does not follow the data any more, for the rest of the training"
    found("FB-MODE-02", f"`{name}.eval()` ({place}) was called after step {steps}, and `{name}.train()` was not called "
          "again", why, fix, level=level, at=site, cause="norm" if norms else "dropout")  # fmt: skip


def evaluated(module, args, result, depth: int = 3) -> None:
    """A module that the user put in eval mode has been called, and autograd is recording; depth: frames to the call."""
    if getattr(result, "_array", None) is not None and result._node is None:
        return
    e = log.notes.get("eval", {}).get(id(module))
    if e is None or e.done or e.module() is not module or e.calls > 500:
        if module.__dict__.get("_hooked") is WATCHED:
            del module.__dict__["_hooked"]
        return
    e.calls += 1
    from ..tensor import Tensor  # which imports part of this package

    outputs, inputs = events._tensors(result, Tensor), events._tensors(args, Tensor)
    if not outputs or outputs[0]._node is None or any(t.requires_grad for t in inputs):
        return
    if log.notes.get("gradients asked for"):
        return
    if e.outputs.get("moment") != log.backwards:
        e.outputs = {"moment": log.backwards}
    frame = past(sys._getframe(depth))
    if running(frame):
        return  # a part of another module
    site = user_site(frame)
    if site is None:
        return
    calls = e.outputs.setdefault(site, [0, []])
    calls[0] += 1
    calls[1] = [r for r in calls[1] if r() is not None] + [weakref.ref(outputs[0]._node)]
    alive = len(calls[1])
    trained_before = e.steps_before > 0 or not _owned(module)
    enough = LIMITS["FB-MODE-03"]["alive" if trained_before else "alive_unsure"]
    if alive >= enough and alive >= calls[0] - 1:  # all of them: something collects them
        e.done = True
        count = _bytes([r() for r in calls[1]])
        size = f"{count / 2**20:.1f} MB" if count >= 2**20 else f"{count / 2**10:.1f} kB"
        name = e.name()
        found("FB-MODE-03", f"`{name}` is in eval mode, but autograd is recording: {alive} outputs and their graphs "
              f"are alive ({size})",
              "eval() only changes layers such as Dropout and BatchNorm; recording goes on",
              "wrap the loop in `with torch.no_grad():`", level="W", at=site, cause="kept")  # fmt: skip
    elif calls[0] >= 6 and alive <= 2:
        e.done = True
        name = e.name()
        found("FB-MODE-03", f"`{name}` is in eval mode, but autograd is recording graphs that nobody uses",
              "eval() only changes layers such as Dropout and BatchNorm; recording goes on and takes time",
              "wrap the loop in `with torch.no_grad():`", level="H", at=site, cause="unused")  # fmt: skip


def _bytes(nodes) -> int:
    """The memory of what some nodes, and the nodes behind them, have kept, parameters aside."""
    seen: dict[int, int] = {}
    stack = [n for n in nodes if n is not None]
    visited: set[int] = set()
    while stack and len(visited) < 10_000:
        node = stack.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        for kept in (getattr(node, "saved", None) or {}).values():
            if kept and not getattr(kept[0], "is_leaf", True) or kept and not getattr(kept[0], "_rg", True):
                array = kept[0]._array
                seen[id(array)] = array.nbytes
        stack += [edge[0] for edge in node.edges if edge is not None and edge[1] != -1]
    return sum(seen.values())


events.mode_set.append(_mode_set)


# ---------------------------------------------------------------------- dropout that does not ask


def by_hand() -> None:
    """F.dropout drops something: remember the outermost module, unless a layer of the package called it."""
    modules = running(sys._getframe(2))
    if modules and not type(modules[0]).__module__.startswith(LIBRARY):
        log.notes.setdefault("F.dropout", weakref.WeakSet()).add(modules[-1])


class _Unsaid(int):
    """True as the default of F.dropout's `training`: what is told apart from a True that the user has written."""

    def __repr__(self):
        return "True"


UNSAID = _Unsaid(1)


def unsaid(name: str, p: float) -> None:
    """F.dropout was called without `training`: is the module that it runs in, in eval mode?"""
    modules = running(sys._getframe(2))
    if not modules or modules[0].training or not p:
        return
    kind, function = type(modules[0]).__name__, f"F.{name}"
    found("FB-MODE-04", f"{function}(p={p:g}) in {kind}.forward is active although the {kind} is in eval mode",
          "its `training` is True unless it is given: eval() does not reach it",
          "pass `training=self.training`, or use an `nn.Dropout` layer", cause="default")  # fmt: skip


# ---------------------------------------------------------------------- statistics of batch norm


def first_evaluation(layer, input) -> None:
    """A batch norm runs in eval mode: have its running statistics come near the data yet?"""
    looked = log.notes.setdefault("FB-MODE-05", weakref.WeakKeyDictionary())
    count = int(layer.num_batches_tracked._array)
    if looked.get(layer) == count:
        return
    looked[layer] = count
    momentum, a = layer.momentum, input._array
    limit = LIMITS["FB-MODE-05"]
    if not count or momentum is None or not 0 < momentum < 1 or (1 - momentum) ** count <= limit["initial"]:
        return
    if layer in log.notes.get("loaded norms", ()) or type(a) is not np.ndarray or a.dtype.kind != "f":
        return
    channels = np.moveaxis(a, 1, 0).reshape(a.shape[1], -1).astype(np.float64)
    if channels.shape[1] < limit["values"]:
        return
    mean, var = channels.mean(1), channels.var(1) + 1e-12
    running_mean, running_var = layer.running_mean._array, layer.running_var._array
    off = np.abs(mean - running_mean) > np.maximum(limit["stds"] * np.sqrt(var), limit["least"])
    off |= running_var < limit["low"] * var
    if off.mean() <= limit["channels"]:
        return
    share = (1 - momentum) ** count
    name, kind = registry.name_of_module(layer), f"{type(layer).__name__}({layer.num_features})"
    at = int(np.argmax(off))
    found("FB-MODE-05", f"{name} = {kind} has seen {count} batches: its running statistics are still {share:.0%} the "
          "initial 0 and 1, and far from this batch",
          f"channel {at} is normalised with mean {running_mean[at]:.3g} and variance {running_var[at]:.3g}, and has "
          f"mean {mean[at]:.3g} and variance {var[at]:.3g}",
          "train longer before `eval()`, or set `momentum=None` for a plain average", cause="young",
          batches=count)  # fmt: skip


def frozen(layer) -> None:
    """A batch norm whose weights do not learn runs in training mode: its statistics follow the data all the same."""
    looked = log.notes.setdefault("frozen norms", weakref.WeakSet())
    if log.steps and layer not in looked:
        looked.add(layer)
        name, kind = registry.name_of_module(layer), f"{type(layer).__name__}({layer.num_features})"
        found("FB-MODE-05", f"{name} = {kind} is frozen, but its running statistics keep changing",
              "requires_grad=False holds the weights only; the statistics are updated in training mode",
              f"call `{name}.eval()` after each `train()`", level="H", cause="frozen", place=name)  # fmt: skip


def _loaded(module, state_dict, strict, keys) -> None:
    """Statistics that were loaded are what they are."""
    norms = _own_layers(module)[1]
    if norms:
        log.notes.setdefault("loaded norms", weakref.WeakSet()).update(norms)


events.state_loaded.append(_loaded)
