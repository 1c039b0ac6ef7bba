"""What the framework tells the rules: one function per event, and the lists of rules that are called.

The framework calls these functions only when `log.on`. A rule is a plain function in the file of its group, appended
to a list here when that file is imported. The lists named `..._early` are only gone through during the first steps of
an optimizer (or the first backward passes after something new appeared): what can be decided there costs nothing later.
"""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable

import numpy as np

from ..place import NEVER, kind_of
from .findings import found
from .log import EARLY, Batch, OptimizerState, log
from .safety import tell
from .sites import user_site
from .tags import FROM_LOADER

optimizer_made: list[Callable] = []  # (optimizer, state)
before_step: list[Callable] = []  # (optimizer, state), each step; `state.steps` counts this one already
before_step_early: list[Callable] = []  # the same, in the first EARLY steps of an optimizer
after_step: list[Callable] = []
after_step_early: list[Callable] = []
zeroed: list[Callable] = []  # (optimizer, state)
module_zeroed: list[Callable] = []  # (module): zero_grad() of a module
skipped: list[Callable] = []  # (optimizer): a gradient scaler leaves out its step
before_backward: list[Callable] = []  # (roots)
not_finite: list[Callable] = []  # (root, value): backward() is called on a number that is inf or nan
before_backward_early: list[Callable] = []  # while `log.deep` > 0
after_backward: list[Callable] = []  # (roots, leaves): the leaves whose gradient was added to
after_backward_early: list[Callable] = []
scheduler_made: list[Callable] = []  # (scheduler)
scheduled: list[Callable] = []  # (scheduler), before its step
clipped: list[Callable] = []  # (parameters)
seeded: list[Callable] = []  # (value)
loader_made: list[Callable] = []  # (loader)
loader_started: list[Callable] = []  # (loader, iterator)
batch_given: list[Callable] = []  # (loader, iterator, data, seconds)
mode_set: list[Callable] = []  # (module, training): train() or eval() called by the user
state_taken: list[Callable] = []  # (module, state dict)
state_loading: list[Callable] = []  # (module, state dict), before anything is copied
state_loaded: list[Callable] = []  # (module, state dict, strict, incompatible keys)
saved: list[Callable] = []  # (object, file)
loaded: list[Callable] = []  # (object, file)
watch_rules: list[tuple[str, Callable]] = []  # (name, rule(history, watch)): at each sampled step of a watch


retired: list[tuple] = []  # (list, rule) to be taken out when none of the lists is being gone through


def retire(rules: list, rule: Callable) -> None:
    """Take a rule out of its list, from the next optimizer step on: it may be running from that very list."""
    retired.append((rules, rule))


def put(rules: list, rule: Callable) -> None:
    """Add a rule to a list, if it is not there, and forget that it was to be retired."""
    retired[:] = [(held, r) for held, r in retired if held is not rules or r is not rule]
    if rule not in rules:
        rules.append(rule)


def _take_out():
    for rules, rule in retired:
        if rule in rules:
            rules.remove(rule)
    retired.clear()


def made_optimizer(optimizer) -> None:
    """An optimizer was constructed."""
    optimizer.__dict__["_fb_state"] = state = OptimizerState(optimizer, user_site())
    log.optimizers.append(weakref.ref(optimizer))
    log.deep = max(log.deep, 8)
    tell(optimizer_made, optimizer, state)


def steps(optimizer, args=(), kwargs=None) -> OptimizerState:
    """An optimizer is about to step; args, kwargs: of its `step`, the optimizer itself first."""
    state = optimizer.__dict__.get("_fb_state") or log.of(optimizer)
    if retired:
        _take_out()
    log.steps += 1
    state.steps += 1
    state.closure = len(args) > 1 and args[1] is not None or bool(kwargs) and kwargs.get("closure") is not None
    if before_step:
        tell(before_step, optimizer, state)
    if state.steps <= EARLY:
        tell(before_step_early, optimizer, state)
    state.backwards_at_step = log.backwards
    return state


def stepped(optimizer, state: OptimizerState) -> None:
    """An optimizer has stepped."""
    if after_step:
        tell(after_step, optimizer, state)
    if state.steps <= EARLY:
        tell(after_step_early, optimizer, state)


def zeroes(optimizer) -> None:
    """zero_grad() is called; the gradients are still there."""
    state = optimizer.__dict__.get("_fb_state") or log.of(optimizer)
    if zeroed:
        tell(zeroed, optimizer, state)
    state.zeroed += 1


def zeroes_module(module) -> None:
    """zero_grad() of a module is called; the gradients are still there."""
    tell(module_zeroed, module)


def skips(optimizer) -> None:
    """A gradient scaler does not step an optimizer, because gradients overflowed."""
    optimizer._opt_called = True
    tell(skipped, optimizer)


def backward_begins(roots) -> None:
    """backward() is called with these tensors."""
    log.backwards += 1
    a = roots[0]._array
    if a.size == 1 and a.__class__ is np.ndarray:
        value = a.item()
        if value - value != 0.0:  # inf or nan: one comparison in each step
            tell(not_finite, roots[0], value)
        elif value.__class__ is float:
            log.loss = value
    if before_backward:
        tell(before_backward, roots)
    if log.deep > 0:
        tell(before_backward_early, roots)
    if log.armed:
        _fire(roots)
    if log.unsound is not None:
        explain, log.unsound = log.unsound, None
        tell([explain])


def backward_ended(roots, leaves, node, end: int) -> None:
    """backward() has accumulated into `leaves`; `node`, `end`: as `log.passed` takes them."""
    if after_backward:
        tell(after_backward, roots, leaves)
    if log.deep > 0:
        log.deep -= 1
        tell(after_backward_early, roots, leaves)
    log.passed(node, end)


def arm(node, fire: Callable[[], None]) -> None:
    """Call `fire()` once a backward pass reaches `node`: for what is only a mistake if it is trained on."""
    if len(log.armed) < 64:
        log.armed.append((weakref.ref(node), fire))


def _fire(roots) -> None:
    """Call what is armed on the nodes behind these roots."""
    armed = {id(n): fire for n, fire in ((r(), fire) for r, fire in log.armed) if n is not None}
    if armed:
        reached = [n for n in graph(roots) if id(n) in armed]
        for node in reached:
            tell([armed[id(node)]])
        done = {id(n) for n in reached}
        log.armed = [(r, f) for r, f in log.armed if r() is not None and id(r()) not in done]
    else:
        log.armed = []


def graph(roots, limit: int = 100_000) -> list:
    """The nodes behind some tensors, each once, roots first."""
    stack = [t._node for t in roots if t._node is not None]
    seen = {id(n) for n in stack}
    found: list = []
    while stack and len(found) < limit:
        node = stack.pop()
        found.append(node)
        for edge in node.edges:
            if edge is not None and edge[1] != -1 and id(edge[0]) not in seen:
                seen.add(id(edge[0]))
                stack.append(edge[0])
    return found


def leaves(nodes) -> list:
    """The leaf tensors that nodes lead to directly, each once."""
    found = {id(e[0]): e[0] for n in nodes for e in n.edges if e is not None and e[1] == -1}
    return list(found.values())


def replayed(label: str, value, replays: int) -> None:
    """A compiled step was replayed and gave one number, usually its loss; told if it is not finite, or watched.

    replays: how many there were since this was told last.
    """
    for watch in log.watches:
        watch.replayed(label, value, replays)
    if value != value or value in (math.inf, -math.inf):
        # The operations of a replay are not seen one by one: where it began, only an eager run can tell.
        found(
            "FB-NUM-01",
            saw=f"the compiled step `{label}` gave {value}",
            why="in a replay no operation is looked at by itself, so the first one that went wrong is not known",
            fix="run the step without compiling it (`torch.compiler.set_stance('force_eager')`) under "
            "`flambeau.doctor.watch()`: it names the operation and the line",
            cause="compiled",
        )


def made_scheduler(scheduler) -> None:
    """A learning-rate scheduler was constructed."""
    log.schedulers = [r for r in log.schedulers if r() is not None] + [weakref.ref(scheduler)]
    tell(scheduler_made, scheduler)


def schedules(scheduler) -> None:
    """A scheduler is about to step."""
    tell(scheduled, scheduler)


def clips(parameters) -> None:
    """clip_grad_norm_ or clip_grad_value_ is called."""
    log.clipped = True
    tell(clipped, parameters)


def seeds(value) -> None:
    """manual_seed is called."""
    log.note("seed", None)
    tell(seeded, value)


def made_loader(loader) -> None:
    """A DataLoader was constructed."""
    loader.__dict__["_fb_site"] = user_site()
    tell(loader_made, loader)


def starts_loader(loader, iterator) -> None:
    """An iterator over a DataLoader was made."""
    tell(loader_started, loader, iterator)


def gives(loader, iterator, data, seconds: float) -> None:
    """A DataLoader gives a batch, which took `seconds` to make."""
    from ..tensor import Tensor

    tensors = _tensors(data, Tensor)
    size = next((t._array.shape[0] for t in tensors if t._array.ndim), 0)
    log.batch = Batch(loader, tensors, size, iterator._num_yielded)
    for t in tensors:
        if t._tag is None:
            t._tag = FROM_LOADER
    tell(batch_given, loader, iterator, data, seconds)


def _tensors(data, kind, depth=3) -> list:
    if isinstance(data, kind):
        return [data]
    if depth and isinstance(data, dict):
        return [t for v in data.values() for t in _tensors(v, kind, depth - 1)]
    if depth and isinstance(data, (tuple, list)):
        return [t for v in data for t in _tensors(v, kind, depth - 1)]
    return []


def sets_mode(module, training: bool) -> None:
    """train() or eval() is called by the user on a module."""
    caller = sys._getframe(2).f_code
    if caller.co_name == "train" and kind_of(caller.co_filename) == NEVER:
        return  # a parent passes it on
    log.note("train" if training else "eval", module)
    tell(mode_set, module, training)


def takes_state(module, state) -> None:
    """state_dict() of a module was taken by the user."""
    tell(state_taken, module, state)


def loading_state(module, state) -> None:
    """load_state_dict() was called by the user; nothing has been copied yet."""
    tell(state_loading, module, state)


def loads_state(module, state, strict, keys) -> None:
    """load_state_dict() was called by the user."""
    log.loaded = True
    tell(state_loaded, module, state, strict, keys)


def saves(thing, file) -> None:
    """torch.save was called."""
    tell(saved, thing, file)


def loads(thing, file) -> None:
    """torch.load has read something."""
    tell(loaded, thing, file)
