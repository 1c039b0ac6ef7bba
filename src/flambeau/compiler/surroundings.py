"""What a function can see: everything that Python code called from it may read, with the expression that reaches it.

The walk starts at the function and its arguments and follows closures, globals, attributes and containers, as far as
their names occur in the code that it finds on the way. It is done twice: before the step is recorded, and after, when
each value must be what it was, else the step has changed Python's own state and cannot be replayed without Python.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import types
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..devices import device
from ..dtypes import dtype
from ..generator import Generator
from ..nn.modules.module import Module
from ..optim.lr_scheduler.base import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from .standing import Standing

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_SITE = os.path.dirname(os.path.dirname(np.__file__)) + os.sep
OURS = (PACKAGE, *(_SITE + name + os.sep for name in ("numpy", "llvmlite", "ml_dtypes")))
STANDARD = (sysconfig.get_paths()["stdlib"] + os.sep, "<frozen ")
PLAIN = (
    int,
    float,
    complex,
    str,
    bytes,
    bool,
    type(None),
    dtype,
    device,
    np.dtype,
    np.generic,
    slice,
    range,
    type(...),
)
LARGE = 1000  # elements of a container that are looked at


class Seen(NamedTuple):
    """One value: the container that holds it (kept alive), under which key, the value, and how to get it again."""

    container: Any
    key: Any
    value: Any
    expression: str  # Python source, in terms of the constants of `Walk`, args and kwargs
    argument: bool  # reached through the arguments: another object of the same kind may stand there at the next call
    guarded: bool = True  # False: the step must not change it, but anybody may between the calls


class Found(NamedTuple):
    """A tensor, and how to get it again; an argument may be another one at the next call."""

    tensor: Tensor
    expression: str
    argument: bool


def tensor_state(t: Tensor) -> tuple:
    """What a tensor is beside its values: its memory, whether it requires grad, and its hooks."""
    return t._array, t._rg, tuple((t._hooks or {}).values()), tuple((t._post_hooks or {}).values())


def is_library(code: types.CodeType) -> bool:
    """Whether code belongs to this package, NumPy or the standard library: it is not looked into."""
    return is_library_file(code.co_filename)


def is_library_file(name: str) -> bool:
    """`is_library` of code, by its file."""
    if name.startswith(OURS):
        return True
    return name.startswith(STANDARD) and "site-packages" not in name


def is_library_module(name: str) -> bool:
    """`is_library` of a module, by name."""
    if name not in sys.modules or name == "__main__":
        return False  # loaded by hand, or the program itself
    file = getattr(sys.modules[name], "__file__", None)
    return file is None or is_library_file(file)


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of all functions written inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


class Walk:
    """The walk from one function and its arguments. After `run`, `seen` and `tensors` hold what was found."""

    def __init__(self) -> None:
        self.names: set[str] = {"training", "forward"}
        self.codes: set[types.CodeType] = set()
        self.drawing: set[types.CodeType] = set()  # code that may draw random numbers of NumPy
        self.constants: dict[str, Any] = {}  # what expressions refer to by name
        self.problems: list[str] = []

    def run(self, function: Any, args: tuple, kwargs: dict) -> Walk:
        """Walk until no new names turn up."""
        while True:
            before = len(self.names)
            self.seen: list[Seen] = []
            self.tensors: dict[int, Found] = {}  # by id
            self.optimizers: dict[int, Optimizer] = {}
            self.modules: dict[int, Module] = {}
            self.states: dict[int, tuple] = {}  # of the tensors, by id
            self.visited: set[int] = set()
            self.queue: deque = deque()
            self.problems = []
            self._visit(function, self.constant(function), "the function")
            for i, a in enumerate(args):
                self._visit(a, f"args[{i}]", f"argument {i}", (args, i), True)
            for name, a in kwargs.items():
                self._visit(a, f"kwargs[{name!r}]", f"argument {name}", (kwargs, name), True)
            while self.queue:
                self._open(*self.queue.popleft())
            if len(self.names) == before:
                return self

    def constant(self, value: Any) -> str:
        """A name for an object in expressions."""
        name = f"k{id(value)}"
        self.constants[name] = value
        return name

    def _visit(self, value: Any, expression: str, what: str, place: tuple | None = None, argument=False) -> None:
        if place is not None:
            self.seen.append(Seen(place[0], place[1], value, expression, argument))
        if isinstance(value, PLAIN):
            return
        if isinstance(value, Tensor):
            known = self.tensors.get(id(value))
            if known is None or known.argument and not argument:
                self.tensors[id(value)] = Found(value, expression, argument)
            if known is None:
                self.states[id(value)] = tensor_state(value)
                for hook in (*self.states[id(value)][2], *self.states[id(value)][3]):
                    self._visit(hook, self.constant(hook), "a tensor's hook")
            return
        if id(value) not in self.visited:
            self.visited.add(id(value))
            self.queue.append((value, expression, what, argument))

    def _open(self, value: Any, expression: str, what: str, argument: bool) -> None:
        """Look into a value."""
        if isinstance(value, Module):
            self.modules[id(value)] = value
            self._module(value)
        elif isinstance(value, Optimizer):
            self.optimizers[id(value)] = value
            for group in value.param_groups:
                for p in group["params"]:
                    self._visit(p, self.constant(p), "a parameter")
            self._optimizer(value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, LRScheduler):
            self._visit(value.optimizer, self.constant(value.optimizer), "the optimizer")
            for name, v in value.__dict__.items():
                self.seen.append(Seen(value.__dict__, name, v, f"{type(value).__name__}.{name}", False, False))
            self._attributes(value, what)
        elif isinstance(value, np.ndarray):
            self._array(value, expression, what, argument)
        elif isinstance(value, Standing):
            self._visit(value.function, self.constant(value.function), "a compiled function")
        elif type(value).__module__.startswith("numpy.random") or _is_random(value):
            self.problems.append(f"{what} draws random numbers of NumPy")
        elif isinstance(value, Iterator):
            self.problems.append(f"{what} is an iterator, which is at another place after each call")
        elif isinstance(value, Generator):
            pass
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.MethodType):
            self._visit(value.__self__, self.constant(value.__self__), "self")
            self._visit(value.__func__, self.constant(value.__func__), "a method")
        elif isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self._visit(part, self.constant(part), "a partial function's part")
        elif isinstance(value, dict | list | tuple | set | frozenset | deque):
            self._container(value, expression, what, argument)
        elif isinstance(value, types.ModuleType):
            self._attributes(value, what)
        elif isinstance(value, types.BuiltinFunctionType):
            pass
        else:
            self._class(type(value))
            wrapped = getattr(value, "__wrapped__", None)
            if isinstance(wrapped, types.FunctionType):
                self._visit(wrapped, self.constant(wrapped), "a wrapped function")
            self._attributes(value, what)

    def _container(self, value: Any, expression: str, what: str, argument: bool) -> None:
        if len(value) > LARGE:
            self.problems.append(f"{what} has {len(value)} elements, too many to look at each time")
            return
        name = expression if argument else self.constant(value)
        self.seen.append(Seen(value, "len()", len(value), f"len({name})", argument))
        if isinstance(value, dict):
            for key, v in value.items():
                at = repr(key) if isinstance(key, str | int) else self.constant(key)
                self._visit(v, f"{name}[{at}]", f"{what}[{key!r}]", (value, key), argument)
            keys = tuple(value)
            self.seen.append(Seen(value, "keys()", keys, f"tuple({name})", argument))
        elif isinstance(value, set | frozenset):
            self.seen.append(Seen(value, "in", frozenset(value), f"frozenset({name})", argument))
            for v in value:
                self._visit(v, self.constant(v), f"an element of {what}")
        else:
            for i, v in enumerate(value):
                self._visit(v, f"{name}[{i}]", f"{what}[{i}]", (value, i), argument)

    def _array(self, value: np.ndarray, expression: str, what: str, argument: bool) -> None:
        """A NumPy array, which has no hooks: all of it is compared."""
        if value.nbytes > LARGE or value.dtype.hasobject:
            self.problems.append(f"{what} is a NumPy array, too large to be compared each time; make it a tensor")
            return
        name = expression if argument else self.constant(value)
        held = (value.dtype.str, value.shape, value.tobytes())
        self.seen.append(Seen(value, "content", held, f"({name}.dtype.str, {name}.shape, {name}.tobytes())", argument))

    def _optimizer(self, value: Optimizer) -> None:
        """Hooks and options. Steps look up options that are numbers when they run."""
        for name in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
            self._visit(value.__dict__[name], f"{self.constant(value)}.{name}", "hooks", (value.__dict__, name))
        if "param_groups" in self.names:
            self._visit(value.param_groups, self.constant(value.param_groups), "the parameter groups")
        groups = value.param_groups
        e = f"{self.constant(value)}.param_groups"
        self.seen.append(Seen(value.__dict__, "param_groups", groups, e, False))
        self.seen.append(Seen(groups, "len()", len(groups), f"len({self.constant(groups)})", False))
        for i, group in enumerate(groups):
            e = f"{self.constant(groups)}[{i}]"
            self.seen.append(Seen(groups, i, group, e, False))
            self.seen.append(Seen(group["params"], "len()", len(group["params"]), f"len({e}['params'])", False))
            for name, v in group.items():
                self.seen.append(Seen(group, name, v, f"{e}[{name!r}]", False, name == "params"))

    def _attributes(self, value: Any, what: str) -> None:
        attributes = getattr(value, "__dict__", None)
        if isinstance(value, types.ModuleType):
            file = getattr(value, "__file__", None) or ""
            if not file or file.startswith((*OURS, *STANDARD)):
                return
        if not isinstance(attributes, dict):
            for cls in type(value).__mro__:
                for name in getattr(cls, "__slots__", ()):
                    if name in self.names and hasattr(value, name):
                        v = getattr(value, name)
                        self._visit(v, f"{self.constant(value)}.{name}", f"{what}.{name}", (value, name))
            return
        held = self.constant(attributes)
        if not isinstance(value, types.ModuleType | LRScheduler):
            self.seen.append(Seen(attributes, "len()", len(attributes), f"len({held})", False))
        for name in sorted(self.names.intersection(attributes)):
            self._visit(attributes[name], f"{held}[{name!r}]", f"{what}.{name}", (attributes, name))

    def _module(self, module: Module) -> None:
        ours = type(module).__module__.startswith(__name__.partition(".")[0] + ".")
        attributes = module.__dict__
        held, label = self.constant(attributes), type(module).__name__
        if not ours:
            self._class(type(module))
        for table in ("_modules", "_parameters", "_buffers"):
            registry = attributes.get(table, {})
            self.seen.append(Seen(registry, "len()", len(registry), f"len({self.constant(registry)})", False))
            for name, part in registry.items():
                if part is not None:
                    self._visit(part, f"{held}[{name!r}]", f"{label}.{name}", (attributes, name))
        if attributes.get("_hooked"):
            for table in [n for n in attributes if n.endswith("_hooks")]:
                if isinstance(attributes[table], dict):
                    self._visit(attributes[table], f"{held}[{table!r}]", "hooks", (attributes, table))
        self.seen.append(Seen(attributes, "len()", len(attributes), f"len({held})", False))
        self.seen.append(Seen(attributes, "_hooked", attributes.get("_hooked"), f"{held}.get('_hooked')", False))
        for name, v in attributes.items():
            if name[:1] != "_" if ours else name in self.names:
                if name not in attributes["_modules"] and name not in attributes["_parameters"]:
                    self._visit(v, f"{held}[{name!r}]", f"{label}.{name}", (attributes, name))

    def _class(self, cls: type) -> None:
        """What user code may find in a class that was written by the user: functions, and values."""
        for c in cls.__mro__:
            if is_library_module(c.__module__):
                continue
            held = self.constant(c)
            for name, raw in list(vars(c).items()):
                if name not in self.names and name[:2] != "__" or name in _OF_EVERY_CLASS:
                    continue
                f = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
                if isinstance(f, types.FunctionType):
                    self.seen.append(Seen(c, name, raw, f"{held}.__dict__[{name!r}]", False))
                    self._visit(f, self.constant(f), f"{cls.__name__}.{name}")
                else:
                    self._visit(raw, f"{held}.__dict__[{name!r}]", f"{cls.__name__}.{name}", (c, name))

    def _function(self, f: types.FunctionType) -> None:
        if is_library(f.__code__):
            wrapped = None if hasattr(f, "assumed_constant") else getattr(f, "__wrapped__", None)
            if wrapped is not None:  # a decorator of this package or the standard library
                self._visit(wrapped, self.constant(wrapped), "a wrapped function")
            return
        self.seen.append(Seen(f, "__code__", f.__code__, f"{self.constant(f)}.__code__", False))
        for code in codes(f.__code__):
            self.codes.add(code)
            self.names.update(code.co_names)
            self.names.update(c for c in code.co_consts if isinstance(c, str) and c.isidentifier())
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            try:
                v = cell.cell_contents
            except ValueError:
                continue
            self._visit(v, f"{self.constant(cell)}.cell_contents", name, (cell, "cell_contents"))
        self.seen.append(Seen(f, "__defaults__", f.__defaults__, f"{self.constant(f)}.__defaults__", False))
        for v in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values()):
            self._visit(v, self.constant(v), "a default")
        held = self.constant(f.__globals__)
        for code in codes(f.__code__):
            for name in code.co_names:
                if name in f.__globals__:
                    if f.__globals__[name] is np and "random" in code.co_names or f.__globals__[name] is np.random:
                        self.drawing.add(code)
                    self._visit(f.__globals__[name], f"{held}[{name!r}]", name, (f.__globals__, name))
                elif name in sys.modules:  # imported within the function
                    self._visit(sys.modules[name], self.constant(sys.modules[name]), name)


# Methods of arrays whose results Python can decide by; and our files that may call them: their numbers are worked
# out again at each call, or follow from what Python has said. What checks and the doctor see changes no result.
_READS = {"item", "tolist", "any", "all", "max", "min", "argmax", "argmin", "nonzero", "tobytes", "sum", "reduce"}
_READERS = tuple(
    [
        PACKAGE + name
        for name in ("optim/", "kernels/", "generator", "compiler/", "arrays", "normal", "checks/", "doctor/")
    ]
)
_OF_EVERY_CLASS = {"__module__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__qualname__",
                   "__static_attributes__", "__firstlineno__"}  # fmt: skip
_PURE_MODULES = {"math", "cmath", "_operator", "operator", "itertools", "_functools", "functools", "_collections",
                 "_abc", "_struct", "collections", "numpy"}  # fmt: skip
# Modules of the standard library written in Python whose functions only compute.
_PURE_PYTHON = {"functools", "contextlib", "collections", "copy", "copyreg", "dataclasses", "enum", "abc", "typing",
                "_collections_abc", "types", "operator", "numbers", "fractions", "statistics", "bisect", "heapq",
                "string", "re", "textwrap", "inspect", "weakref", "warnings", "keyword", "reprlib", "itertools",
                "posixpath"}  # fmt: skip
_PURE_BUILTINS = {
    "abs", "all", "any", "ascii", "bin", "callable", "chr", "divmod", "format", "getattr", "hasattr", "hash", "hex",
    "id", "isinstance", "issubclass", "iter", "len", "max", "min", "next", "oct", "ord", "pow", "repr", "round",
    "sorted", "sum", "vars", "dir", "setattr", "__build_class__",
}  # fmt: skip
_PURE_SELVES = (list, dict, tuple, str, bytes, set, frozenset, int, float, complex, deque, type, np.ndarray, np.generic,
                Tensor, types.CodeType, property, type(object.__init__))  # fmt: skip


class Watcher:
    """A profile function that notes which code runs outside this package, and calls that do more than compute."""

    rests = True  # while kernels are written and compiled (kernels/record.py: unwatched)

    def __init__(self, recorder: Any = None, known: Iterable[types.CodeType] = ()) -> None:
        self.recorder = recorder
        self.known = frozenset(known)  # what the walk has met: the user's, though no file may hold it (notebooks)
        self.codes: set[types.CodeType] = set()
        self.impure: list[tuple[str, str]] = []

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        code = frame.f_code
        if event == "call":
            if code.co_filename.startswith(STANDARD) and is_library(code):
                back = frame.f_back
                if not code.co_filename.startswith(OURS) and back is not None and back.f_code in self.codes:
                    if frame.f_globals.get("__name__", "").partition(".")[0] not in _PURE_PYTHON:
                        self.impure.append((f"calls {code.co_qualname}", f"{back.f_code.co_filename}:{back.f_lineno}"))
            elif code not in self.codes and not is_library(code):
                # Code that this package's own tools run (dataclasses, import hooks) is none of the step's business.
                back = frame.f_back
                from_user = back is not None and back.f_code in self.codes
                from_here = back is not None and back.f_code.co_filename.startswith(PACKAGE)
                if from_user or from_here and (code in self.known or os.path.isfile(code.co_filename)):
                    self.codes.add(code)
        elif event == "c_call":
            if is_library(code):
                if arg.__name__ in _READS and self.recorder is not None:
                    self._reads(frame, arg)
            elif code in self.codes and not _is_pure(arg):
                name = getattr(arg, "__qualname__", None) or repr(arg)
                self.impure.append((f"calls {name}", f"{code.co_filename}:{frame.f_lineno}"))

    def _reads(self, frame: Any, function: Any) -> None:
        """Note where this package looks at an array's values other than within an operation."""
        array = function.__self__
        if isinstance(array, np.ufunc):
            array = frame.f_locals.get("obj")
        recorder = self.recorder
        if type(array) is not np.ndarray or recorder.log is not None or recorder.quiet:
            return
        while frame is not None and not frame.f_code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
        if frame is not None and not frame.f_code.co_filename.startswith(_READERS):
            recorder.looked(array, frame.f_code.co_name.strip("_"))

    def __enter__(self) -> Watcher:
        self.before = sys.getprofile()
        sys.setprofile(self)
        return self

    def __exit__(self, *exc: Any) -> None:
        if self.before is None or callable(self.before):
            sys.setprofile(self.before)
        else:
            self.before.enable()  # a cProfile.Profile, which is no profile function of its own


def _is_pure(function: Any) -> bool:
    module, bound = getattr(function, "__module__", None), getattr(function, "__self__", None)
    if module == "builtins":
        return function.__name__ in _PURE_BUILTINS
    if module is not None:
        return module.partition(".")[0] in _PURE_MODULES and "random" not in module
    if isinstance(bound, type):
        return bound.__module__ in ("builtins", "collections") or bound.__module__.startswith("flambeau")
    return isinstance(bound, _PURE_SELVES) or bound is None


def _is_random(value: Any) -> bool:
    """Whether a value is a function of NumPy's random numbers."""
    bound = getattr(value, "__self__", None)
    return bound is not None and type(bound).__module__.startswith("numpy.random")
