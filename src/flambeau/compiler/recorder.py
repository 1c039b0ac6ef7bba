"""Watches one eager run of a step, and writes down what it did to which memory.

The run computes as always, on ordinary arrays; operations tell the recorder what they did (kernels/record.py). Arrays
are known by the memory they own, so views need no bookkeeping: any view is a region of its owner. What an operation
did inside is taken apart where it consists of kernel launches only, which is checked by launching them a second time
on other memory and comparing every bit, or of NumPy steps that can be noted one by one (tracer.py); else the operation
is kept as a Python call.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import weakref
from typing import Any

import numpy as np

from ..arrays import MetaArray, address, owner
from ..errors import IndexOutOfRange
from ..kernels import record
from ..ops import elementwise
from ..tensor import Tensor
from .actions import Action
from .nested import arrays_in, close, is_independent, otherwise, replace, same_bits
from .origins import Noted
from .program import Buffer, Call, Check, Launch, Looped, Map, Program, Region, Update
from .symbolic import KINDS, NotSymbolic, trace
from .tracer import NotTraceable, Tracer, same_place

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def user_line() -> str:
    """file:line of the innermost frame outside this package."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?"


class Recorder:
    """Listens while `with recorder:` lasts. `program` is what was recorded."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.program = Program(Noted(), [], [], [])
        self.nodes = self.program.nodes
        self.buffers: dict[int, Buffer] = {}  # id of the owner -> its buffer, while the owner lives
        self.log: list[tuple[Any, tuple, dict]] | None = None  # launches of the operation that is running
        self.name = ""
        self.kept: list = []  # arrays that must not be freed while recording
        self.quiet = 0  # not 0: within a function that is noted as a whole
        self.written = 0  # whose memory was last noted as written
        self.bumped: dict[int, Any] = {}  # tensors from before the step whose version was counted, by id
        self.cleared: dict[int, Any] = {}  # leaves whose gradient was dropped: id -> leaf
        self.accumulated: dict[int, tuple] = {}  # leaves that got a gradient: id -> (leaf, .grad before the first time)

    def __enter__(self) -> Recorder:
        record.listeners.append(self)
        elementwise.short_way(False)
        return self

    def __exit__(self, *exc: Any) -> None:
        record.listeners.remove(self)
        elementwise.short_way(not record.listeners)

    def problem(self, reason: str) -> None:
        """Note that the step cannot be replayed without Python, and where."""
        found = (reason, user_line())
        if found not in self.program.problems:
            self.program.problems.append(found)

    # ------------------------------------------------------------------ memory

    def region(self, array: np.ndarray) -> Region:
        """Where an array lies."""
        base = owner(array)
        buffer = self.buffers.get(id(base))
        if buffer is None:
            buffer = self._add(base)
            buffer.owner, buffer.where = base, user_line()
        return Region(buffer, address(array) - buffer.address, array.shape, array.strides, array.dtype)

    def _add(self, base: np.ndarray) -> Buffer:
        low = address(base)
        high = low + base.itemsize
        for n, s in zip(base.shape, base.strides):
            low, high = (low + (n - 1) * s, high) if s < 0 else (low, high + (n - 1) * s)
        buffer = Buffer(len(self.program.buffers), low, 0 if not base.size else high - low)
        self.program.buffers.append(buffer)
        self.buffers[id(base)] = buffer
        return buffer

    def knows(self, array: np.ndarray) -> bool:
        """Whether the memory of an array has been seen in this step."""
        return id(owner(array)) in self.buffers

    def made(self, array: np.ndarray) -> Region:
        """The region of an operation's result; memory not seen before was made by it."""
        base = owner(array)
        if id(base) not in self.buffers:
            buffer, key = self._add(base), id(base)
            buffer.origin = "made"
            buffers = self.buffers
            # The owner's id may be used again once it is gone.
            buffer.ref = weakref.ref(base, lambda _: buffers.pop(key, None))
        return self.region(array)

    def _is_constant(self, array: np.ndarray) -> bool:
        return self.knows(array) and self.buffers[id(owner(array))].origin == "constant"

    def constant(self, array: np.ndarray, first: np.ndarray | None = None) -> np.ndarray:
        """Note that an array was made from Python numbers alone: it is the same at each replay.

        first: what its owner held before the step changed it.
        """
        base = owner(array)
        if id(base) not in self.buffers:
            buffer = self._add(base)
            buffer.owner, buffer.origin = base, "constant"
            buffer.ref = base.copy() if first is None else first  # its first value: the step may change it
        return array

    # ------------------------------------------------------------------ what operations tell

    def call(self, name: str, function: Any, args: Any, options: dict, formula: Any = None) -> Any:
        """Run an array-level function and note it. formula: the same element by element, where it is one."""
        watching = sys.getprofile()
        sys.setprofile(None)  # no user's code runs below, and watching costs more than the work
        try:
            return self._call(name, function, args, options, formula)
        finally:
            sys.setprofile(watching)

    def _call(self, name: str, function: Any, args: Any, options: dict, formula: Any) -> Any:
        inside = arrays_in(list(options.values()))
        if inside:  # an index among the options is an argument like the others
            if any(a.dtype == bool and not self._is_constant(a) for a in inside):
                self.problem(f"{name} takes as many elements as a mask says")
            names, given = tuple(options), function
            args, options = (tuple(args), tuple(options.values())), {}
            function = lambda args, values: given(*args, **dict(zip(names, values)))
        outer, self.log, before, self.name = self.log, [], self.name, name
        try:
            found = function(*args, **options)
        finally:
            log, self.log, self.name = self.log, outer, before
        outs = [a for a in (found if found.__class__ in (tuple, list) else (found,)) if isinstance(a, np.ndarray)]
        if found.__class__ not in (tuple, list) and not outs and found is not None:
            found = np.asarray(found)
            outs = [found]
        arrays = arrays_in(args)
        if any(isinstance(a, MetaArray) for a in (*arrays, *outs)):
            self.problem(f"{name} runs on the meta device")
            return found
        if outer is not None:  # inside another operation: that one is noted
            outer += log
            return found
        if not log and all(any(owner(o) is owner(a) for a in arrays) for o in outs):
            return found  # a view, or an argument itself
        self._note(name, function, args, options, formula, found, outs, arrays, log)
        return found

    def _note(self, name, function, args, options, formula, found, outs, arrays, log) -> None:
        if formula is not None and len(outs) == 1 and not options:
            try:
                self._map(name, formula, list(args), outs[0])
                return
            except NotSymbolic:
                pass
        if log and self._explained(arrays, outs, log, (function, args, options)):
            return
        if self._taken_apart(name, function, args, options, outs):
            return
        reads = [self.region(a) for a in arrays]
        template = replace(args, self.region)
        writes = [self.made(a) for a in outs]
        self.nodes.append(Call(reads, writes, name, function, template, options, user_line()))

    def _taken_apart(self, name: str, function: Any, args: Any, options: dict, outs: list) -> bool:
        """Whether an operation is a few steps of NumPy that have kernels; then they are noted in its place."""
        tracer = Tracer()
        try:
            found = record.unheard(functools.partial(tracer.run, function, args, options))
        except NotTraceable:
            return False
        found = [a for a in (found if found.__class__ is list else [found]) if a is not None]
        if len(found) != len(outs) or not all(map(close, found, outs)):
            return False
        if tracer.assumed and not self._same_constants(tracer, function, args, options):
            return False
        before = len(self.nodes)
        for a, first in tracer.constants:
            self.constant(a, first)
        try:
            for kind, formula, given, made in tracer.notes:
                if kind == "map":
                    self._map(name, formula, given, made)
                elif kind == "into":
                    self.made(made)
                    self._map(name, formula, given, made, made)
                elif kind == "fill":
                    self.made(made)
                    self.nodes.append(fill(self.region(made), formula, name))
                elif not self.reduced(name, formula, given[0], given[1], made):
                    raise NotSymbolic
        except NotSymbolic:
            del self.nodes[before:]
            return False
        self.kept += tracer.alive
        for traced, out in zip(found, outs):
            self._stands_for(name, traced, out)
        return True

    def _same_constants(self, tracer: Tracer, function: Any, args: Any, options: dict) -> bool:
        """Whether a run on other values takes the same steps with the same constants."""
        again = Tracer()
        try:
            record.unheard(functools.partial(again.run, function, replace(args, otherwise), options))
        except NotTraceable:
            return False
        if [n[:2] for n in tracer.notes if n[0] == "reduce"] != [n[:2] for n in again.notes if n[0] == "reduce"]:
            return False
        return len(tracer.notes) == len(again.notes) and tracer.assumed == again.assumed

    def _stands_for(self, name: str, traced: np.ndarray, out: np.ndarray) -> None:
        """The result of the second run is what the step goes on with."""
        if self.knows(out):
            return
        if self.knows(traced) and same_place(traced, out) and self.region(traced).buffer.origin == "made":
            base = owner(out)
            buffer, key, buffers = self.region(traced).buffer, id(base), self.buffers
            buffer.address = address(base)
            buffers.pop(id(owner(traced)))
            buffers[key] = buffer
            buffer.ref = weakref.ref(base, lambda _: buffers.pop(key, None))
        else:
            self._map(name, record.unchanged, [traced], out)

    def _map(self, name: str, formula: Any, args: list, out: np.ndarray, target: np.ndarray | None = None) -> None:
        """An element-wise node: out (or target, where the result was stored) = formula(args)."""
        body, result = trace(formula, args, out.dtype if target is None else target.dtype)
        reads = [self.region(a) for a in args if isinstance(a, np.ndarray)]
        write = self.made(out) if target is None else self.region(target)
        self.nodes.append(Map(reads, [write], name, write.shape, body, [result], [], [None], [()]))

    def reduced(self, name: str, op: str, x: np.ndarray, axes: Any, out: np.ndarray, formula: Any = None) -> bool:
        """Note out = op over axes of formula(x); False where that has no kernel."""
        axes = tuple(range(x.ndim)) if axes is None else tuple(sorted(a % x.ndim for a in axes))
        try:
            body, result = trace(formula or (lambda v: v), [x], out.dtype)
        except NotSymbolic:
            return False
        write = self.made(out)
        kept = iter(write.strides)
        if len(write.shape) == x.ndim:
            strides = tuple(0 if i in axes else s for i, s in enumerate(write.strides))
        else:
            strides = tuple(0 if i in axes else next(kept) for i in range(x.ndim))
        spread = Region(write.buffer, write.offset, x.shape, strides, write.dtype)
        node = Map([self.region(x)], [spread], name, x.shape, body, [result], [], [op], [axes])
        self.nodes.append(node)
        return True

    def into(self, name: str, target: np.ndarray, formula: Any, args: tuple) -> None:
        """Note target[...] = formula(*args), which has not been done yet."""
        self.written = id(owner(target))
        if not target.size:
            return
        for a in args:
            if isinstance(a, np.ndarray):
                self.region(a)
        try:
            self._map(name, formula, list(args), target, target)
        except NotSymbolic:

            def store(target: np.ndarray, *args: Any) -> None:
                target[...] = formula(*args)

            reads = [self.region(a) for a in args if isinstance(a, np.ndarray)]
            template = replace((target, *args), self.region)
            self.nodes.append(Call(reads, [self.region(target)], name, store, template, {}, user_line()))

    def source(self, name: str, function: Any, args: tuple, options: dict) -> Any:
        """Run and note a function without array arguments whose result differs at each call: random numbers."""
        found = record.unheard(functools.partial(function, *args, **options))
        if self.quiet:
            return found
        self.nodes.append(Call([], [self.made(found)], name, function, args, options, user_line()))
        return found

    def update(self, optimizer: Any, group: dict, p: Any, formula: Any, arrays: list, numbers: dict) -> None:
        """Note an optimizer's formula on one parameter, before it runs."""
        regions = [self.region(a) for a in arrays]
        writes = [regions[0], *regions[2:]]
        self.nodes.append(Update(regions, writes, type(optimizer).__name__, optimizer, group, p, formula, numbers))
        self.written = id(owner(arrays[0]))

    def action(self, method: Any, scheduler: Any, args: tuple, options: dict) -> Any:
        """Run a scheduler's step and note that it is to be called at each replay."""
        if self.quiet or any(isinstance(a, Tensor) for a in (*args, *options.values())):
            return method(scheduler, *args, **options)
        if any(isinstance(v, Tensor) for g in scheduler.optimizer.param_groups for k, v in g.items() if k != "params"):
            self.problem("a scheduler changes an option that is a tensor")
        action = Action(method, scheduler, args, options)
        self.program.actions.append((len(self.nodes), action))
        return record.unheard(action.unwatched)

    def effect(self, name: str, function: Any, args: tuple) -> None:
        """Note a change of something that is no memory, which is to be done again at each replay, in its turn."""
        if not self.quiet:
            self.nodes.append(Call([], [], name, function, args, {}))

    def change(self, name: str, function: Any, target: np.ndarray, args: tuple, options: dict) -> None:
        """Note function(target, *args), which changes `target` in place and has not been called yet."""
        if any(not self._is_constant(a) for a in arrays_in(list(options.values()))):
            self.problem(f"{name} takes an array that was worked out outside of an operation")
        arrays = [target, *arrays_in(args)]
        template = replace((target, *args), self.region)
        reads, writes = [self.region(a) for a in arrays], [self.region(target)]
        self.nodes.append(Call(reads, writes, name, function, template, options, user_line()))
        self.written = id(owner(target))

    def changed(self, tensor: Any) -> None:
        """A tensor's version was counted: what changed it must have been noted."""
        if self.region(tensor._array).buffer.origin is None:
            self.bumped[id(tensor)] = tensor
        if tensor._array.size and self.written != id(owner(tensor._array)):
            self.problem("memory is changed in place in a way that cannot be replayed")

    def observe(self, tensor: Any, what: str) -> None:
        """Note that Python has read a value."""
        if self._is_constant(tensor._array):
            return
        self.problem(f"{what} reads a value that the step computes, so Python decides what follows")

    def looked(self, array: np.ndarray, where: str) -> None:
        """Note that this package looks at values outside of an operation."""
        if not self._is_constant(array):
            self.problem(f"{where}() looks at values, so Python decides what follows")

    def check(self, found: np.ndarray, index: Any, low: int, high: int) -> None:
        """Note that the operation that is running decides by `found` whether to raise an error."""
        if self.quiet:
            return
        if self.log is not None:
            unplaced: Any = [found]
            self.log.append((Check(unplaced, []), (), {}))
        elif index is None:
            self.problem("an index check outside of an operation")
        else:
            read = [self.region(found), self.region(index)]
            self.nodes.append(Check(read, [], "index", _outside, (read[1],), {"low": low, "high": high}))

    def clear(self, leaf: Any, grad: Any) -> None:
        """Note that a leaf's gradient was set."""
        if grad is not None:
            self.problem("a gradient is assigned")
        self.cleared[id(leaf)] = leaf

    def accumulates(self, leaf: Any) -> None:
        """Note that a leaf is about to get a gradient."""
        if id(leaf) not in self.accumulated:
            self.accumulated[id(leaf)] = (leaf, leaf._grad, id(leaf) in self.cleared)

    # ------------------------------------------------------------------ kernels

    def kernel(self, kernel: Any, real: str, absent: tuple, options: dict) -> Any:
        """The builtin of a kernel, which tells when it is launched."""
        f = kernel.built(real, absent, options)
        if f is None or self.quiet:
            return f
        present = [p for p in kernel.parameters if p.name not in absent]

        def launch(*args: Any) -> bool:
            written = [a for a, p in zip(args, present) if p.is_array and p.written]
            before = {id(owner(a)): owner(a).copy() for a in written if self.knows(a)}
            done = f(*args)
            if done:
                node = Launch([], [], self.name or kernel.name, kernel, real, absent, options, list(args))
                if self.log is not None:
                    self.log.append((node, tuple(written), before))
                else:
                    self._keep(node, present, args)
            return done

        return launch

    def loop(self, loop: Any, arrays: Any, numbers: tuple, reduced: tuple, keepdims: bool, outputs: list) -> None:
        """Note a fused loop that has been run."""
        if self.quiet:
            return
        node = Looped([], [], self.name or "loop", loop, [*arrays, *outputs], numbers, reduced, keepdims)
        if self.log is None:
            self.nodes.append(node.map(self.region, self.made))
        elif any(self.knows(o) for o in outputs):
            self.problem("a fused loop changes an array in place")
        else:
            self.log.append((node, tuple(outputs), {}))

    def _keep(self, node: Launch, present: list, args: tuple) -> None:
        for a, p in zip(args, present):
            if p.is_array:
                region = self.made(a) if p.written else self.region(a)
                (node.writes if p.written else node.reads).append(region)
        # A written array may be added to: it counts as read too, unless this is the first that is seen of it.
        node.args = [self.region(a) if isinstance(a, np.ndarray) else a for a in args]
        self.nodes.append(node)

    def _explained(self, arrays: list, outs: list, log: list, whole: tuple) -> bool:
        """Whether an operation is the launches in `log` and nothing else; then they are noted in its place."""
        everything, log = log, [entry for entry in log if not isinstance(entry[0], Check)]
        touched = {id(owner(a)) for node, *_ in log for a in node.args if isinstance(a, np.ndarray)}
        written = {id(owner(a)) for _, arrays_written, _ in log for a in arrays_written}
        unread = [a for a in arrays if a.size and id(owner(a)) not in touched]
        if unread and not is_independent(whole, outs, unread):
            return False
        if any(o.size and id(owner(o)) not in written for o in outs):
            return False
        fresh = {}  # memory that these launches wrote first: id -> owner
        for _, arrays_written, _ in log:
            for a in arrays_written:
                if not self.knows(a):
                    fresh[id(owner(a))] = owner(a)
        inputs = {id(owner(a)) for a in arrays}
        for node, *_ in log:
            for a in node.args:
                if isinstance(a, np.ndarray) and not (self.knows(a) or id(owner(a)) in fresh or id(owner(a)) in inputs):
                    if a.flags.writeable:
                        return False  # read, but made by something else
                    self.constant(a)  # a table that follows from shapes
        key = _flow(log, outs, arrays, fresh)
        if key not in _verified:
            for zeroed in (False, True):
                if self._again(outs, log, fresh, zeroed):
                    _verified[key] = zeroed
                    break
            else:
                return False
        zeroed = _verified[key]
        for base in fresh.values():
            region = self.made(base)
            if zeroed:
                self.nodes.append(fill(region, 0, self.name))
        for node, *_ in everything:
            if isinstance(node, Check):
                unplaced: Any = node.reads
                reads = [self.region(unplaced[0]), *(self.region(a) for a in arrays)]
                function, args, options = whole
                self.nodes.append(Check(reads, [], self.name, function, replace(args, self.region), options))
                continue
            if isinstance(node, Looped):
                self.nodes.append(node.map(self.region, self.made))
                continue
            present = [p for p in node.kernel.parameters if p.name not in node.absent]
            self._keep(node, present, tuple(node.args))
        return True

    def _again(self, outs: list, log: list, fresh: dict, zeroed: bool) -> bool:
        """Launch again on other memory, and compare the results bit by bit."""
        moved: dict[int, np.ndarray] = {}
        for key, base in fresh.items():
            moved[key] = np.full(max(base.nbytes, 1) + 64, 0 if zeroed else 0xAB, np.uint8)
        for _, _, before in log:
            for key, copy in before.items():
                if key not in moved:
                    moved[key] = np.ascontiguousarray(copy).reshape(-1).view(np.uint8)
                    if copy.strides != np.ascontiguousarray(copy).strides:
                        return False

        def place(a: Any) -> Any:
            base = owner(a) if isinstance(a, np.ndarray) else None
            if base is None or id(base) not in moved:
                return a
            raw = moved[id(base)]
            skip = -address(raw) % 64 if id(base) in fresh else 0
            offset = address(a) - address(base) + skip
            return np.ndarray(a.shape, a.dtype, raw, offset, a.strides)

        return record.unheard(self._launch_all, log, outs, place)

    @staticmethod
    def _launch_all(log: list, outs: list, place: Any) -> bool:
        for node, *_ in log:
            if isinstance(node, Looped):
                node.again(place)
                continue
            f = node.kernel.built(node.real, node.absent, node.options)
            if not f(*[place(a) for a in node.args]):
                return False
        return all(same_bits(place(o), o) for o in outs)


def _outside(index: np.ndarray, low: int, high: int) -> None:
    """Say which number is out of range."""
    place = int(np.flatnonzero((index < low) | (index >= high))[0])
    raise IndexOutOfRange(
        f"index {int(index.reshape(-1)[place])} is out of bounds for dimension with size {high}",
        why=f"it is number {place} of {index.size} in a compiled step's index of shape {tuple(index.shape)}",
        fix=f"use indices from {low} to {high - 1}",
    )


def fill(region: Region, value: Any, name: str) -> Map:
    """A node that sets a whole region to a number."""
    if region.dtype not in KINDS:
        raise NotSymbolic
    number = bool(value) if region.dtype == bool else float(value) if region.dtype.kind in "fV" else int(value)
    body = (("const", number, KINDS[region.dtype]),)
    return Map([], [region], name, region.shape, body, [0], [], [None], [()])


# Flows of launches that explain an operation -> whether their memory must start at zero.
_verified: dict[Any, bool] = {}


def _flow(log: list, outs: list, arrays: list, fresh: dict) -> Any:
    """What was launched, with which numbers, and how memory goes from arguments to results."""
    known = {id(owner(a)): i for i, a in enumerate(arrays)}
    known.update({key: len(arrays) + i for i, key in enumerate(fresh)})

    def spelled(a: Any) -> Any:
        if isinstance(a, np.ndarray):
            return (known.get(id(owner(a)), -1), a.shape, a.strides, address(a) - address(owner(a)))
        return a

    steps = []
    for node, *_ in log:
        if isinstance(node, Looped):
            what: tuple = (node.loop, node.numbers, node.reduced, node.keepdims)
        else:
            what = (node.kernel.name, node.real, node.absent, tuple(sorted(node.options.items())))
        steps.append((what, tuple([spelled(a) for a in node.args])))
    return (tuple(steps), tuple([spelled(o) for o in outs]))
