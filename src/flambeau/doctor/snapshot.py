"""Everything that an examination may change, kept and put back bit for bit.

The examination runs the user's own model, loss, optimizer and data: copies would not do, because a function that was
passed in may refer to them. So parameters, buffers, gradients, attributes, the optimizer's state, random states of
all generators and what the checks have noted are kept here, and put back however the examination ends.
"""

from __future__ import annotations

import contextlib
import gc
import random
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..autograd.mode import is_grad_enabled, set_grad_enabled
from ..checks import events
from ..checks.findings import _state, collect
from ..checks.log import OptimizerState, log
from ..dtypes import get_default_dtype, set_default_dtype
from ..generator import Generator
from ..place import USER, kind_of
from ..tensor import Tensor

DEPTH = 6  # how deep objects within objects are followed; modules within modules without end
MANY = 4096  # elements of a list or dict that are looked into
LARGE, HUGE = 1 << 24, 1 << 30  # bytes: larger arrays are data, which nobody writes into; larger tensors cannot be kept
_SEQUENCES = (list, set, deque)
_PLAIN = (int, float, str, bytes, type(None), range)
_CODE = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType)
_NOTHING = object()
_ONE = threading.RLock()  # examinations of several threads come one after the other: they share the log


class Snapshot:
    """What some modules, an optimizer and data sets hold, and the random states; `restore()` puts it back.

    Arguments: roots: modules, functions, optimizers, data sets, loaders: whatever the examination will run.
    """

    def __init__(self, roots: Iterable[Any]):
        self.tensors: list[tuple] = []
        self.attributes: list[tuple] = []
        self.containers: list[tuple] = []
        self._met: dict[int, Any] = {}
        for root in roots:
            self.add(root)
        self.generators = [(g, _state_of(g)) for g in _generators()]
        self.grad, self.dtype, self.numpy_errors = is_grad_enabled(), get_default_dtype(), np.geterr()

    def add(self, root: Any, depth: int = DEPTH) -> None:
        """Keep what a further object holds, as it is now; of a function, what it refers to."""
        if isinstance(root, MethodType):
            self._walk(root.__self__, depth)
            root = root.__func__
        if isinstance(root, FunctionType):
            for cell in root.__closure__ or ():
                with contextlib.suppress(ValueError):  # an empty cell
                    self._walk(cell.cell_contents, depth)
            for name in root.__code__.co_names:
                self._walk(root.__globals__.get(name), depth)
        else:
            self._walk(root, depth)

    def _walk(self, thing, depth):
        if depth < 0 or isinstance(thing, _PLAIN) or id(thing) in self._met:
            return
        self._met[id(thing)] = thing
        if isinstance(thing, Tensor):
            self._keep_tensor(thing)
        elif isinstance(thing, np.ndarray):
            if thing.dtype != object and thing.nbytes < LARGE:
                self.containers.append((thing, thing.copy()))
        elif isinstance(thing, dict):
            self.containers.append((thing, list(thing.items())))
            if len(thing) <= MANY:
                for key, value in list(thing.items()):
                    self._walk(key, depth - 1)
                    self._walk(value, depth - 1)
        elif isinstance(thing, _SEQUENCES):
            self.containers.append((thing, list(thing)))
            for value in list(thing) if len(thing) <= MANY else ():
                self._walk(value, depth - 1)
        elif isinstance(thing, tuple):
            for value in thing if len(thing) <= MANY else ():
                self._walk(value, depth - 1)
        elif isinstance(thing, (FunctionType, MethodType)):
            if kind_of(getattr(thing, "__func__", thing).__code__.co_filename) == USER:
                self.add(thing, depth - 1)  # a hook, say, that writes down what it sees
        elif _has_state(thing):
            own = thing.__dict__
            self.attributes.append((thing, type(thing), dict(own)))
            for value in list(own.values()):
                self._walk(value, DEPTH if "_parameters" in own and "_modules" in own else depth - 1)

    def _keep_tensor(self, t):
        array, cell = t._array, t._cell
        data = array.copy() if type(array) is np.ndarray and array.nbytes < HUGE else None
        self.tensors.append((t, type(t), dict(t.__dict__), array, data, cell, cell[0] if cell else 0))
        if t._grad is not None:
            self._walk(t._grad, 0)
        for hook in list(t._hooks.values()) if t._hooks else ():
            self._walk(hook, 2)

    def restore(self) -> None:
        """Put everything back."""
        for thing, kind, own in self.attributes:
            _put_class(thing, kind)
            _put_attributes(thing.__dict__, own)
        for thing, content in self.containers:
            _refill(thing, content)
        for t, kind, own, array, data, cell, version in self.tensors:
            _put_class(t, kind)
            _put_attributes(t.__dict__, own)
            if data is not None and array.flags.writeable and not _same_bits(array, data):
                array[...] = data
            if cell:
                cell[0] = version
        for g, state in self.generators:
            _put_state(g, state)
        set_grad_enabled(self.grad)
        set_default_dtype(self.dtype)
        np.seterr(**self.numpy_errors)


def _has_state(thing) -> bool:
    """Whether a thing has attributes that running it may change: no class, file of Python, function or generator."""
    return not isinstance(thing, (*_CODE, Generator, random.Random)) and isinstance(
        getattr(thing, "__dict__", None), dict
    )


def _same_bits(a, b) -> bool:
    return a.tobytes() == b.tobytes()


def _put_class(thing, kind):
    if type(thing) is not kind:  # a lazy module or parameter that has seen its first input
        thing.__class__ = kind


def _put_attributes(now, then):
    if len(now) != len(then) or any(now.get(k, _NOTHING) is not v for k, v in then.items()):
        now.clear()
        now.update(then)


def _refill(thing, content):
    if isinstance(thing, np.ndarray):
        if thing.flags.writeable and not _same_bits(thing, content):
            thing[...] = content
    elif isinstance(thing, dict):
        if len(thing) != len(content) or any(thing.get(k, _NOTHING) is not v for k, v in content):
            thing.clear()
            for k, v in content:
                thing[k] = v
    elif len(thing) != len(content) or any(x is not y for x, y in zip(thing, content)):
        thing.clear()
        (thing.update if isinstance(thing, set) else thing.extend)(content)


# ------------------------------------------------------------------------------------------------ random states


def _generators() -> list:
    """All sources of random numbers that exist: flambeau's, NumPy's (also the global one) and Python's."""
    kinds: list[type] = [Generator, random.Random]
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        kinds += [numpy_random.Generator, numpy_random.RandomState]
    kind = tuple(kinds)
    found = {id(o): o for o in gc.get_objects() if issubclass(type(o), kind)}  # dead proxies raise
    from ..generator import default_generator  # replaced by nobody, but perhaps not tracked by the collector

    found[id(default_generator)] = default_generator
    instance = random._inst  # type: ignore[attr-defined]
    found[id(instance)] = instance
    if numpy_random is not None:
        global_one = numpy_random.mtrand._rand
        found[id(global_one)] = global_one
    return [o for o in found.values() if type(o) is not random.SystemRandom]


def _state_of(g):
    if isinstance(g, Generator):
        own = dict(g.__dict__)
        words = own.get("_words")
        return own, None if words is None else words.state, _copied(own.get("_state"))
    if isinstance(g, random.Random):
        return g.getstate()
    return g.bit_generator.state if hasattr(g, "bit_generator") else g.get_state()


def _copied(x):
    return None if x is None else np.array(x)


def _put_state(g, state):
    if isinstance(g, Generator):
        own, words, twister = state
        g.__dict__.clear()
        g.__dict__.update(own)
        if words is not None:
            g._words.state = words
        if twister is not None:
            g._state[...] = twister
    elif isinstance(g, random.Random):
        g.setstate(state)
    elif hasattr(g, "bit_generator"):
        g.bit_generator.state = state
    else:
        g.set_state(state)


# ------------------------------------------------------------------------------------------------ the checks' log


@contextlib.contextmanager
def own_log() -> Iterator[list]:
    """Findings and events of the block stand for themselves; what the checks had noted before is back afterwards.

    Gives the list of findings made in the block. Nothing is printed: warnings of findings are for the report.
    """
    kept = _state.seen, _state.listeners
    before = dict(log.__dict__)
    optimizers = [(s, _slots(s)) for s in (o.__dict__.get("_fb_state") for o in log.live_optimizers()) if s]
    rules = [(value, list(value)) for value in vars(events).values() if isinstance(value, list)]
    try:
        _state.seen, _state.listeners = {}, []
        log.reset()
        log.on = True
        for name in ("steps", "backwards", "loaded", "optimizers", "schedulers"):
            setattr(log, name, before[name])
        log.events = deque(before["events"])
        log.notes.update({k: v for k, v in before["notes"].items() if k == "first seed"})
        for listed, all_of_them in rules:  # a doctor.watch that is on does not see this
            listed[:] = [r for r in all_of_them if getattr(r, "__self__", None) not in before["watches"]]
        with warnings.catch_warnings(), collect() as made:
            warnings.simplefilter("ignore")
            yield made
    finally:
        _state.seen, _state.listeners = kept
        log.__dict__.clear()
        log.__dict__.update(before)
        for listed, all_of_them in rules:
            listed[:] = all_of_them
        for s, values in optimizers:
            for name, value in values.items():
                setattr(s, name, value)


def hand_on(findings: list) -> None:
    """Give findings that no rule reported (errors of the user's code) to those who collect."""
    for collector in _state.collectors:
        collector += findings


def _slots(s: OptimizerState) -> dict:
    values = {n: getattr(s, n) for n in OptimizerState.__slots__}
    values["notes"] = dict(values["notes"])
    return values


@contextlib.contextmanager
def unchanged(*roots: Any) -> Iterator[tuple[list, Snapshot]]:
    """Whatever runs in the block leaves no trace in these objects, nor in any random state or in the checks' log.

    Gives (findings made in the block, the snapshot).

    >>> import flambeau as torch
    >>> from flambeau.doctor.snapshot import unchanged
    >>> layer = torch.nn.Linear(2, 2)
    >>> before = layer.weight.clone()
    >>> with unchanged(layer):
    ...     _ = torch.nn.init.zeros_(layer.weight), torch.rand(3)
    >>> bool((layer.weight == before).all())
    True
    """
    with _ONE, own_log() as made:
        snapshot = Snapshot(roots)
        try:
            yield made, snapshot
        finally:
            snapshot.restore()
