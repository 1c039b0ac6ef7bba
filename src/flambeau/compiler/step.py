"""One compiled signature of a function: checks that it still holds, then runs without Python."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np

from ..arrays import address, owner
from ..autograd.engine import Node as GraphNode
from ..errors import GradientError
from ..optim.rule import FormulaOptimizer, plain
from ..tensor import Tensor
from . import guards
from .fuse import fused
from .plan import Place, Planner, Segment, view_at
from .program import Buffer, Check, Map, Node, Region, Update
from .recorder import Recorder, fill
from .surroundings import Walk
from .symbolic import KINDS, NotSymbolic, trace_update

_new = object.__new__
_refs = sys.getrefcount


class CannotReplay(Exception):
    """Why a recording has to stay with Python."""


class CompiledStep(GraphNode):
    """Stands for the graph of a compiled step whose backward pass has been run in it."""

    def pull(self, g: Any, wanted: Any) -> Any:
        raise GradientError(
            "Trying to backward through the graph a second time: the compiled step has run backward() itself",
            fix="call backward() inside the step or outside of it, not both",
        )


class Numbers:
    """The numbers of an optimizer's formula for the parameters that have taken equally many steps."""

    def __init__(self, node: Update, names: tuple[str, ...]):
        self.optimizer, self.group, self.parameter = node.optimizer, node.group, node.parameter
        self.names = names
        self.fixed = {k: v for k, v in node.numbers.items() if k not in names}
        self.counts: list[np.ndarray] = []
        self.places: dict[str, list[tuple[np.ndarray, int]]] = {name: [] for name in names}
        self.last: dict[str, float] = {}
        self.options: dict = {}

    def advance(self) -> bool:
        """Count the step and put its numbers in place; False, with nothing changed, where another formula is needed."""
        options = {name: plain(value) for name, value in self.group.items() if name != "params"}
        for count in self.counts:
            count += 1
        values = self.optimizer.numbers(options, self.optimizer.state.get(self.parameter, {}))
        for name, value in self.fixed.items():
            if values[name] is not value and values[name] != value:
                self.retreat()
                return False
        for name, places in self.places.items():
            value = float(values[name])
            if value == 0 or not isinstance(values[name], int | float):
                self.retreat()
                return False
            if value != self.last.get(name):
                self.last[name] = value
                for words, at in places:
                    words[at] = value
        self.optimizer._opt_called = True
        return True

    def retreat(self) -> None:
        """Take the count back."""
        for count in self.counts:
            count -= 1


class Step:
    """A recording made runnable. `holds(args, kwargs)` says whether it may stand for a call."""

    def __init__(self, recorder: Recorder, walk: Walk, result: Any):
        self.recorder, self.walk = recorder, walk
        self.kept: list[Any] = []
        self.places: dict[Buffer, Place] = {}
        self.arguments: list[str] = []  # expressions of the arrays given at each call
        self.lock = threading.Lock()
        nodes = list(recorder.nodes)
        self._find_memory(nodes)
        self.conditions: list[str] = []
        self._gradients()
        self._results(result)
        nodes, prologue = self._updates(nodes)
        self.nodes = fused(nodes, set(self.places))
        self.planner = Planner(self.nodes, self.places)
        self._bind(prologue)
        bound: dict[str, Any] = dict(self.extra)
        lines = guards.condition(walk, bound) + self.conditions
        self.holds = guards.function(lines, bound)
        self.guard_lines = lines
        scope: dict[str, Any] = dict(walk.constants)
        exec(f"def collect(args, kwargs):\n    return [{', '.join(self.arguments)}]\n", scope)
        self.collect = scope["collect"]
        self.cells = [t._cell for t in recorder.bumped.values() if t._cell is not None]
        self.recorder = None  # type: ignore[assignment]

    # ------------------------------------------------------------------ what memory is whose

    def _find_memory(self, nodes: list[Node]) -> None:
        """Give every buffer that the step did not make a place, or say whose it cannot be."""
        self.extra: dict[str, Any] = {}
        static: dict[int, Tensor] = {}
        moving: dict[int, list[tuple[Tensor, str]]] = {}
        for found in self.walk.tensors.values():
            if found.argument:
                moving.setdefault(guards.memory_of(found), []).append((found.tensor, found.expression))
            else:
                static[guards.memory_of(found)] = found.tensor
                if found.tensor._grad is not None:
                    static.setdefault(id(owner(found.tensor._grad._array)), found.tensor._grad)
        for optimizer in self.walk.optimizers.values():
            for state in optimizer.state.values():
                for name, value in state.items():
                    if isinstance(value, Tensor):
                        static[id(owner(value._array))] = value
                        self._guard_state(state, name, value)
        used = {r.buffer for node in nodes for r in (*node.reads, *node.writes)}
        written = {r.buffer for node in nodes for r in node.writes}
        starts: list[Node] = []
        for buffer in used:
            if buffer.origin == "made":
                continue
            base = buffer.owner
            self.kept.append(base)
            if id(base) in static and id(base) in moving:
                raise CannotReplay("an argument shares memory with something that the step refers to itself")
            if id(base) in moving:
                self._moving(buffer, moving[id(base)], nodes)
            elif id(base) in static or (buffer.origin == "constant" and buffer not in written):
                self.places[buffer] = Place(buffer.address)
            elif buffer.origin == "constant":
                first = buffer.ref
                whole = Region(buffer, 0, base.shape, base.strides, base.dtype)
                starts.append(_restored(whole, first, self.places, self.kept))
            else:
                raise CannotReplay(f"memory of unknown origin is used, first at {buffer.where}")
        nodes[:0] = starts

    def _guard_state(self, state: dict, name: str, value: Tensor) -> None:
        at, t, a = (f"e{len(self.extra) + i}" for i in range(3))
        self.extra.update({at: state, t: value, a: value._array})
        self.state_lines = getattr(self, "state_lines", [])
        self.state_lines.append(f"{at}.get({name!r}) is {t} and {t}._array is {a}")

    def _moving(self, buffer: Buffer, tensors: list[tuple[Tensor, str]], nodes: list[Node]) -> None:
        """A buffer that an argument lies in: the array comes with each call."""
        arrays = {id(t._array): (t._array, e) for t, e in tensors}
        if len(arrays) > 1:
            raise CannotReplay("two arguments share memory")
        ((array, expression),) = arrays.values()
        low = address(array) - buffer.address
        inside = Region(buffer, low, array.shape, array.strides, array.dtype).span()
        for node in nodes:
            for r in (*node.reads, *node.writes):
                if r.buffer is buffer and (r.span()[0] < inside[0] or r.span()[1] > inside[1]):
                    raise CannotReplay("memory beside an argument is used")
        self.places[buffer] = Place(slot=2 + len(self.arguments), shift=low)
        self.arguments.append(f"{expression}._array")

    # ------------------------------------------------------------------ what stays after a call

    def _slot(self, buffer: Buffer) -> int:
        self.places[buffer] = Place(slot=self.next_slot)
        self.next_slot += 1
        return self.next_slot - 1

    def _gradients(self) -> None:
        """Leaves whose .grad the step leaves behind."""
        self.next_slot = 2 + len(self.arguments)
        self.grads: list[list[Any]] = []  # [leaf, slot, array owner, tensor or None, shape, strides]
        self.dropped: list[Tensor] = []
        arguments = {id(f.tensor) for f in self.walk.tensors.values() if f.argument}
        statics = {id(f.tensor) for f in self.walk.tensors.values() if not f.argument}
        for leaf, before, cleared in self.recorder.accumulated.values():
            if id(leaf) in arguments:
                raise CannotReplay("an argument collects a gradient")
            if id(leaf) not in statics:
                continue  # a leaf made in the step is gone with it
            if not cleared:
                name, was = f"e{len(self.extra)}", f"e{len(self.extra) + 1}"
                self.extra.update({name: leaf, was: before})
                self.conditions.append(f"{name}._grad is {was}")
                if before is not None:
                    continue  # added to in place
            grad = leaf._grad
            if grad is None:
                self.dropped.append(leaf)
                continue
            if grad._rg:
                raise CannotReplay("a gradient has a graph of its own")
            region = self.recorder.region(grad._array)
            if region.buffer in self.places:
                raise CannotReplay("a gradient shares memory with something else")
            self.grads.append([leaf, self._slot(region.buffer), None, None, region])
        for leaf in self.recorder.cleared.values():
            if leaf._grad is None and id(leaf) in statics and leaf not in self.dropped:
                self.dropped.append(leaf)
        self.conditions += getattr(self, "state_lines", [])

    def _results(self, result: Any) -> None:
        """How to make what the function returned."""
        self.outputs: list[tuple[int, Region]] = []  # slot, and what of its buffer is returned
        consumed = CompiledStep(())
        made: dict[Buffer, int] = {}
        expressions = {id(f.tensor): f.expression for f in self.walk.tensors.values()}

        def tensor(t: Tensor) -> Any:
            if id(t) in expressions:
                e = expressions[id(t)]
                found = next(f for f in self.walk.tensors.values() if f.tensor is t)
                if not found.argument:
                    return lambda given, arrays: t
                code = eval(f"lambda args, kwargs: {e}")  # an argument, returned as it came
                return lambda given, arrays: code(*given)
            if type(t) is not Tensor or t._base is not None and t._base._rg:
                raise CannotReplay("a view or a subclass of Tensor is returned")
            if t._rg and not _spent(t._node):
                raise CannotReplay("the result takes its graph with it")
            region = self.recorder.region(t._array)
            if not self.recorder.knows(t._array) or region.buffer.origin is None:
                raise CannotReplay("the result lies in memory that the step did not make")
            node = consumed if t._rg else None
            if region.buffer in self.places and region.buffer not in made:
                raise CannotReplay("the result shares memory with something else that outlives the step")
            if region.buffer not in made:
                made[region.buffer] = self._slot(region.buffer)
                self.outputs.append((made[region.buffer], region))
            slot = made[region.buffer]
            whole = region.dense and region.offset == 0 and region.size * region.dtype.itemsize == region.buffer.size

            def wrapped(given: Any, arrays: list) -> Tensor:
                new = _new(Tensor)
                base = arrays[slot]
                if whole and base.shape == region.shape:
                    new._array = base
                else:
                    raw = base.reshape(-1).view(np.uint8)
                    new._array = np.ndarray(region.shape, region.dtype, raw, region.offset, region.strides)
                if node is not None:
                    new._node, new._rg = node, True
                return new

            return wrapped

        def maker(x: Any) -> Any:
            if isinstance(x, Tensor):
                return tensor(x)
            if type(x) in (list, tuple):
                kind, parts = type(x), [maker(v) for v in x]
                return lambda given, arrays: kind([p(given, arrays) for p in parts])
            if isinstance(x, tuple) and hasattr(x, "_fields"):
                kind, parts = type(x), [maker(v) for v in x]
                return lambda given, arrays: kind(*[p(given, arrays) for p in parts])
            if type(x) is dict:
                items = {k: maker(v) for k, v in x.items()}
                return lambda given, arrays: {k: m(given, arrays) for k, m in items.items()}
            if x is None or isinstance(x, int | float | str | bool):
                return lambda given, arrays: x
            raise CannotReplay(f"the function returns a {type(x).__name__}")

        self.rebuild = maker(result)

    # ------------------------------------------------------------------ optimizers and other actions

    def _updates(self, nodes: list[Node]) -> tuple[list[Node], list]:
        """Optimizer formulas as maps; and what is done in Python at each call, in order."""
        found: list[Node] = []
        prologue: list[tuple[int, Any]] = list(self.recorder.program.actions)
        groups: dict[Any, Numbers] = {}
        for i, node in enumerate(nodes):
            if not isinstance(node, Update):
                found.append(node)
                continue
            if not isinstance(node.optimizer, FormulaOptimizer) or not node.optimizer.elementwise:
                raise CannotReplay(f"{node.name}'s formula is not element by element")
            if any(r.dtype not in KINDS for r in node.reads):
                raise CannotReplay(f"{node.name} updates {node.reads[0].dtype}")
            names = tuple(k for k, v in node.numbers.items() if _is_number(v))
            state = node.optimizer.state.get(node.parameter, {})
            count = state.get("step")
            taken = None if count is None else float(count._array)
            key = (id(node.optimizer), id(node.group), taken, names, tuple(node.numbers.values()))
            if key not in groups:
                groups[key] = Numbers(node, names)
                prologue.append((i, groups[key]))
            if count is not None:
                groups[key].counts.append(count._array)
            try:
                body, results = trace_update(node.formula, len(node.reads), names, groups[key].fixed)
            except NotSymbolic as error:
                raise CannotReplay(f"{node.name}'s formula cannot be traced: {error}") from None
            numbers = [(groups[key], name) for name in names]
            shape = node.reads[0].shape
            count_of = len(node.writes)
            found.append(Map(node.reads, node.writes, node.name, shape, body, list(results[:count_of]), numbers,
                             [None] * count_of, [()] * count_of))  # fmt: skip
        return found, [what for _, what in sorted(prologue, key=lambda entry: entry[0])]

    def _bind(self, prologue: list) -> None:
        """Connect the numbers with the context words that they go to."""
        for (numbers, name), words, at in self.planner.numbers:
            numbers.places[name].append((words.view(np.float64), at))
        self.prologue = [p for p in prologue]

    # ------------------------------------------------------------------ running

    def __call__(self, args: tuple, kwargs: dict) -> tuple[bool, Any]:
        """(True, the result), or (False, None) with nothing done."""
        with self.lock:
            return self._run(args, kwargs)

    def _run(self, args: tuple, kwargs: dict) -> tuple[bool, Any]:
        advanced: list[Numbers] = []
        for entry in self.prologue:
            if isinstance(entry, Numbers):
                if not entry.advance():
                    for done in advanced:
                        done.retreat()
                    return False, None
                advanced.append(entry)
            else:
                entry()
        arrays: list[Any] = [None, None, *self.collect(args, kwargs)]
        for grad in self.grads:
            # The gradient of the last call serves again unless somebody else has taken hold of it.
            tensor = grad[3]
            if tensor is None or _refs(tensor) > 3 + (grad[0]._grad is tensor) or _refs(grad[2]) > 3:
                region = grad[4]
                grad[2] = _owner(region)
                tensor = grad[3] = _new(Tensor)
                tensor._array = _seen(grad[2], region)
            arrays.append(grad[2])
        for _, region in self.outputs:
            arrays.append(_owner(region))
        try:
            for step in self.planner.steps:
                if isinstance(step, Segment):
                    run, arrays[0], arrays[1] = step.run
                    run(*arrays)
                else:
                    self._python(step, arrays)
        except BaseException:
            for done in advanced:
                done.retreat()
            raise
        for leaf, _, _, tensor, _ in self.grads:
            leaf._grad = tensor
        for leaf in self.dropped:
            leaf._grad = None
        for cell in self.cells:
            cell[0] += 1
        return True, self.rebuild((args, kwargs), arrays)

    @staticmethod
    def _python(step: tuple, arrays: list) -> None:
        node, given, outs = step
        if isinstance(node, Check):
            if outs[0](arrays).max(initial=-1) >= 0:
                node.function(*given(arrays), **node.options)
            return
        found = node.function(*given(arrays), **node.options)
        if found is None:
            return
        found = [a for a in (found if isinstance(found, tuple | list) else (found,)) if a is not None]
        for maker, value in zip(outs, found):
            target = maker(arrays)
            if np.shape(value) != target.shape:
                raise RuntimeError(
                    f"{node.name} gave shape {np.shape(value)} where the recorded step had {target.shape}"
                )
            if target.size:
                target[...] = value


def _owner(region: Region) -> np.ndarray:
    """New memory for a whole buffer, as an array of the region's shape where that is the same thing."""
    if region.offset == 0 and region.dense and region.size * region.dtype.itemsize == region.buffer.size:
        return np.empty(region.shape, region.dtype)
    return np.empty(max(1, region.buffer.size), np.uint8)


def _seen(base: np.ndarray, region: Region) -> np.ndarray:
    if base.dtype == region.dtype and base.shape == region.shape:
        return base
    return np.ndarray(region.shape, region.dtype, base, region.offset, region.strides)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value != 0


def _spent(node: Any) -> bool:
    """Whether the graph behind a node has been used up by a backward pass."""
    stack, seen = [node], set()
    while stack:
        n = stack.pop()
        if n is None or id(n) in seen:
            continue
        seen.add(id(n))
        if getattr(n, "saved", 0) is None and hasattr(n, "op"):
            return True
        stack += [e[0] for e in n.edges if e is not None and e[1] != -1]
    return False


def _restored(whole: Region, first: np.ndarray, places: dict, kept: list) -> Map:
    """A node that gives a constant, which the step changes, its first value again."""
    source = Buffer(-1, address(first), first.nbytes)
    source.owner, source.origin = first, "constant"
    places[source] = Place(source.address)
    kept.append(first)
    node = fill(whole, 0, "constant")
    region = Region(source, 0, first.shape, first.strides, first.dtype)
    from .symbolic import trace

    body, result, numbers = trace(lambda x: x, [first], first.dtype)
    node.reads, node.body, node.results, node.numbers = [region], body, [result], numbers
    return node


__all__ = ["CannotReplay", "Step", "view_at"]
