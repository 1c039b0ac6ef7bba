"""What has happened so far: counters and short memories that the rules read. One global object, `log`.

Everything here is cheap: an event costs a few attribute writes. `log.on` is False under `FLAMBEAU_CHECKS=off`; every
hook in the framework looks at it first.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections import deque
from typing import Any

import numpy as np

from ..place import NEVER, USER, kind_of, past, user_frame
from .sites import Site, user_site

_MODE = os.path.join("autograd", "mode.py")
_THROUGH = {"_scalar", "__float__", "__int__", "__index__", "__complex__"}  # functions between float(t) and t.item()
EARLY = 25  # steps of an optimizer, calls at one place...: how long the rules look closely


class Cut:
    """A tensor's history ended here: `kind` is detach, data, numpy, item, tolist, tensor or no_grad.

    site: where; step: optimizer steps before it; shape: the tensor's; source: weak reference to the tensor that had a
    history (None for no_grad); value: what came out, for one number; leaves: ids of the leaves that were cut off, where
    they were looked up.
    """

    __slots__ = ("backwards", "kind", "leaves", "shape", "site", "source", "step", "value")

    def __init__(self, kind, site, source=None, shape=None, value=None, leaves=None):
        self.kind, self.site, self.source, self.shape, self.value = kind, site, source, shape, value
        self.leaves: set | None = leaves
        self.step, self.backwards = log.steps, log.backwards


class OptimizerState:
    """What is known of one optimizer (`log.of(optimizer)`)."""

    __slots__ = (
        "backwards_at_step", "closure", "made", "notes", "optimizer", "steps", "zeroed",
    )  # fmt: skip

    def __init__(self, optimizer, made: Site | None):
        self.optimizer = weakref.ref(optimizer)
        self.made = made  # where it was constructed
        self.steps = 0
        self.zeroed = 0  # calls of zero_grad
        self.backwards_at_step = 0  # `log.backwards` at the last step
        self.closure = False  # whether it is stepped with a closure, in which the backward runs
        self.notes: dict[str, Any] = {}  # what rules remember, by code


class Log:
    """The event log."""

    def __init__(self):
        self.on = os.environ.get("FLAMBEAU_CHECKS", "").lower() not in ("off", "0", "false", "no")
        self.later = False  # whether it was reset: what was drawn before is not this program's
        self.strict = False  # whether a rule that fails raises its error: in the tests
        self.reset()

    def reset(self):
        """Forget everything (for tests)."""
        self.steps = 0  # optimizer steps, of all optimizers
        self.backwards = 0  # calls of backward()
        self.marks = 0  # results that were marked with their place and layer (tags.py)
        self.drops = 0  # dropouts that were looked at (modes.py)
        self.handed = 0  # tags that were handed on to copies
        self.looks: dict[tuple, int] = {}  # how often calls of one kind were looked at (losses.py)
        self.clipped = False  # whether gradients are clipped: large ones are then seen to
        self.compiled = False  # whether a step was compiled: replays change gradients without a word
        self.scaled = False  # whether a gradient scaler is in use
        self.first_losses = 4  # losses whose value is still to be compared with what guessing costs (initial.py)
        self.loaded = False  # whether a state dict has been loaded into a module
        self.deep = (
            8  # backward passes whose graph is still to be looked at; a new optimizer or model makes it grow again
        )
        self.loss = 0.0  # the last finite loss
        self.recent: list = []  # weak references to the nodes that the last few backward passes began at
        self.leaks = 0  # how often graphs that are kept were looked for
        self.customs: dict | None = None  # the custom Functions that run, with their arguments, while the doctor asks
        self.unsound: Any = None  # says why the loss of this backward pass is not finite, unless another rule does
        self.bad_losses = 0  # how many were not finite
        self.kept: Any = None  # (roots, seeds) of the backward pass that is running, if its graph is kept
        self.witness: Any = None  # who looked on in the last backward pass: slopes.Witness
        self.conversions = 2000  # conversions of tensors that are still to be looked at
        self.views = 4096  # views whose shapes are still to be looked at
        self.arrays = 2000  # tensors over NumPy memory that are still to be looked at
        self.exports = 500  # NumPy arrays over tensors' memory that are still to be looked at
        self.walks = 300  # cuts whose graph may still be looked at
        self.sequence: list[int] = [0]  # numbers of the nodes that the last backward passes began at
        self.ends: list[int] = [0]  # and numbers that were next when they ended
        self.cuts: deque[Cut] = deque(maxlen=256)
        self.events: deque[tuple] = deque(maxlen=512)  # (steps, backwards, what, object's id, site) of rare events
        self.batch: Any = None  # the last loader batch: a Batch
        self.optimizers: list = []  # weak references
        self.schedulers: list = []
        self.armed: list = []  # (weak reference to a node, function(root site) to call when a backward reaches it)
        self.notes: dict[str, Any] = {}  # what rules remember, by code
        self.masks = 0  # dropout masks drawn
        self.made = 0  # parameters and optimizers made
        self.forked = 0  # blocks of fork_rng that are open
        # (site, loss function or "", value, steps) of numbers read from tensors while a watch is on
        self.read: deque[tuple] = deque(maxlen=10_000)
        self.watches: list = []  # what doctor.watch has running

    def of(self, optimizer) -> OptimizerState:
        """The state of an optimizer."""
        found = optimizer.__dict__.get("_fb_state")
        if found is None:
            found = optimizer.__dict__["_fb_state"] = OptimizerState(optimizer, None)
            self.optimizers.append(weakref.ref(optimizer))
        return found

    def passed(self, node, end: int):
        """A backward pass has ended, that began at this node; `end`: newer than all nodes."""
        sequence = self.sequence
        sequence.append(0 if node is None else node.seq)
        self.ends.append(end)
        if self.backwards < 64 or self.backwards & 63 < 6:  # six passes in a row now and then
            recent = self.recent
            if node is not None:
                recent.append(weakref.ref(node))
            if len(recent) > 5:
                if recent[0]() is not None:
                    from .memory import kept  # only where graphs may be kept

                    kept(recent)
                self.recent = []
        if len(sequence) > 64:
            del sequence[:32], self.ends[:32]

    def note(self, what: str, thing: object = None, site: Site | None = None):
        """Add a rare event to the ring: eval, train, save, load, seed, iterator..."""
        self.events.append((self.steps, self.backwards, what, id(thing), site or user_site()))

    def cut(self, kind: str, tensor, value=None):
        """The user's code turns a tensor that has a history into something without one."""
        frame = past(sys._getframe(2))
        while frame.f_code.co_name in _THROUGH and frame.f_back is not None:
            frame = frame.f_back
        if kind == "tensor":
            frame = user_frame(frame) or frame
        name = frame.f_code.co_filename
        if kind_of(name) != NEVER:  # what the package does within its own functions cuts nothing of the user's
            if tensor._fb_empty is not None:
                tensor._fb_empty = None  # its memory may be written to without its knowing (initial.py)
            site = Site(frame.f_code, frame.f_lasti) if kind_of(name) == USER else user_site(frame)
            leaves = None
            if self.deep > 0 and self.walks > 0 and tensor._node is not None:
                self.walks -= 1
                leaves = leaf_ids(tensor._node)
            self.cuts.append(Cut(kind, site, weakref.ref(tensor), tensor._array.shape, value, leaves))

    def wrote(self, cell: list, aside: str):
        """The user's code changes a memory in place: its version counter keeps where, and whether through `.data`."""
        frame: Any = sys._getframe(2)
        while frame is not None and kind_of(frame.f_code.co_filename) == NEVER:
            frame = frame.f_back
        if frame is not None:
            cell[1:] = (frame.f_code, frame.f_lasti, cell[0], aside)

    def reads(self, tensor, value):
        """The user's code reads a number while a watch is on: perhaps a validation loss."""
        frame = sys._getframe(2)
        while frame.f_code.co_name in _THROUGH and frame.f_back is not None:
            frame = frame.f_back
        if kind_of(frame.f_code.co_filename) == USER and isinstance(value, float):
            name = getattr(getattr(tensor._node, "op", None), "name", "")
            site = Site(frame.f_code, frame.f_lasti)
            self.read.append((site, name if "loss" in name or "entropy" in name else "", value, self.steps))

    def no_grad(self):
        """The user's code enters a block that does not record."""
        frame = sys._getframe(2)
        if frame.f_code.co_filename.endswith(_MODE) and kind_of(frame.f_code.co_filename) == NEVER:
            function = frame.f_locals.get("function")  # decorated by no_grad
            code = getattr(function, "__code__", None)
            if code is None or kind_of(code.co_filename) == NEVER:
                return
            self.cuts.append(Cut("no_grad", Site(code, 0)))
        elif kind_of(frame.f_code.co_filename) != NEVER:
            self.cuts.append(Cut("no_grad", user_site(frame)))

    def live_optimizers(self) -> list:
        """The optimizers that still exist."""
        found = [o for o in (r() for r in self.optimizers) if o is not None]
        if len(found) < len(self.optimizers):
            self.optimizers = [weakref.ref(o) for o in found]
        return found


def number(a: np.ndarray):
    """The number in an array of one element; 0.0 for other arrays. Compiled steps let checks look at values."""
    return a.item() if a.size == 1 and a.__class__ is np.ndarray else 0.0


class Batch:
    """What a loader gave last: `size` (samples), `number` in its epoch, `tensors` and `loader` (weak)."""

    __slots__ = ("loader", "number", "size", "tensors")

    def __init__(self, loader, tensors, size, number):
        self.loader, self.size, self.number = weakref.ref(loader), size, number
        self.tensors = [weakref.ref(t) for t in tensors]


def leaf_ids(node, limit: int = 2000) -> set:
    """The ids of the leaves behind a node."""
    stack, seen, found = [node], {id(node)}, set()
    while stack and len(seen) < limit:
        for edge in stack.pop().edges:
            if edge is not None:
                if edge[1] == -1:
                    found.add(id(edge[0]))
                elif id(edge[0]) not in seen:
                    seen.add(id(edge[0]))
                    stack.append(edge[0])
    return found


log = Log()
