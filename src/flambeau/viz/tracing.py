"""One forward pass of a model, watched: which modules were called, what ran between them, and where tensors went.

Nothing is put into the model for it. A profile function sees the calls of Python functions: those of modules, and of
them and of the program's own code the calls of operations. Tensors are recognised by their identity.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import os
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ..autograd.function import Function
from ..autograd.mode import no_grad
from ..checks.findings import allow
from ..compiler.control import set_stance
from ..compiler.module import OptimizedModule
from ..errors import ArgumentError, ArgumentTypeError
from ..nn.modules.module import Module
from ..nn.parameter import is_lazy
from ..ops.public import REGISTRY
from ..tensor import Tensor
from .preserve import modes, random_states

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_OPERATIONS = tuple(
    _PACKAGE + part.replace("/", os.sep)
    for part in ("ops/", "nn/functional/", "nn/attention/", "tensor.py", "special.py", "linalg.py", "fft.py", "signal/",
                 "masked.py", "vision/ops.py", "autograd/function.py")
)  # fmt: skip
_UNSEEN = tuple(_PACKAGE + part + os.sep for part in ("checks", "mistakes", "kernels", "profiler"))
_CALL, _APPLY = Module.__call__.__code__, Function.apply.__func__.__code__  # type: ignore[attr-defined]
_VARIADIC = inspect.CO_VARARGS, inspect.CO_VARKEYWORDS
MANY = 4096  # elements of a list or dict that are looked into
MUCH = 1 << 30  # bytes of values that are not copied
DEEP = 6  # how deep lists, dicts and objects that hold tensors are looked into


class Step:
    """Something that happened in the pass: a module was called, an operation ran, or a tensor was there already.

    kind: "module", "op", "input", "output", "parameter", "buffer" or "constant".
    label: the module's class, the operation's name, or the name of an input or output.
    path: the dotted name of a module, parameter or buffer. call: the how-manieth call of that module it is, from 0.
    parent: the call of a module in which it happened; steps: what happened in this one, in order.
    sources: (step, number of its result) for each tensor that went in. shapes: (shape, dtype) of each result.
    """

    def __init__(self, kind: str, label: str, parent: Step | None, path: str = "", module: Any = None):
        self.kind, self.label, self.parent, self.path, self.module = kind, label, parent, path, module
        self.call = 0
        self.steps: list[Step] = []
        self.sources: list[tuple[Step, int]] = []
        self.shapes: list[tuple[tuple[int, ...], Any]] = []
        if parent is not None:
            parent.steps.append(self)

    def within(self, other: Step) -> bool:
        """Whether it happened in `other`, at whatever depth."""
        step = self.parent
        while step is not None and step is not other:
            step = step.parent
        return step is not None

    def __repr__(self) -> str:
        return f"<{self.kind} {self.path or self.label}>"


class Trace:
    """What a pass consisted of. root: the call of the model; inputs and outputs: steps; result: what it returned."""

    def __init__(self, root: Step, inputs: list[Step], outputs: list[Step], result: Any):
        self.root, self.inputs, self.outputs, self.result = root, inputs, outputs, result


def tensors_in(thing: Any, name: str = "", depth: int = DEEP) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) for the tensors in nested lists, tuples, dicts and plain objects: `name[0]`, `name['logits']`."""
    if isinstance(thing, Tensor):
        yield name, thing
    elif depth == 0 or thing is None or isinstance(thing, (str, bytes, int, float, np.ndarray, Module, type)):
        return
    elif isinstance(thing, dict):
        for key, value in itertools.islice(thing.items(), MANY):
            yield from tensors_in(value, f"{name}[{key!r}]", depth - 1)
    elif isinstance(thing, tuple) and hasattr(thing, "_fields"):
        for field, value in zip(thing._fields, thing):
            yield from tensors_in(value, f"{name}.{field}", depth - 1)
    elif isinstance(thing, (list, tuple, set, frozenset)):
        for i, value in enumerate(itertools.islice(thing, MANY)):
            yield from tensors_in(value, f"{name}[{i}]", depth - 1)
    elif isinstance(getattr(thing, "__dict__", None), dict) and not callable(thing):
        for key, value in vars(thing).items():
            yield from tensors_in(value, f"{name}.{key}", depth - 1)


def _described(t: Tensor) -> tuple[tuple[int, ...], Any]:
    return tuple(t._array.shape), t.dtype


class Tracer:
    """The profile function of one pass."""

    rests = True  # while kernels are written (kernels/record.py)

    def __init__(self, model: Module):
        self.paths = {id(m): name.replace("._orig_mod", "") for name, m in model.named_modules()}
        self.held = {id(p): ("parameter", name.replace("._orig_mod", "")) for name, p in model.named_parameters()}
        self.held |= {id(b): ("buffer", name) for name, b in model.named_buffers()}
        self.made: dict[int, tuple[Any, Step, int]] = {}  # id of a tensor -> (weak reference, its step, which result)
        self.calls: dict[int, int] = {}  # id of a module -> how often it was called
        self.kinds: dict[CodeType, str] = {}
        self.root = Step("module", type(model).__name__, None, "", model)
        self.current = self.root  # the innermost module that is running
        self.inside: FrameType | None = None  # an operation that is running: what it calls is its own affair
        self.started: list = []  # (name, tensors that went in) of the operation that is running
        self.open: list[tuple[FrameType, list]] = []  # modules that are running: (frame, sources of their arguments)

    def __call__(self, frame: FrameType, event: str, arg: Any) -> None:
        if self.inside is not None:
            if event == "return" and frame is self.inside:
                self.inside = None
                if self.started:
                    (name, given, changes), self.started = self.started, []
                    self._operate(name, given, changes, arg)
        elif event == "call":
            code = frame.f_code
            kind = self.kinds.get(code)
            if kind is None:
                kind = self.kinds[code] = self._kind(code)
            if kind == "module":
                self._enter(frame)
            elif kind:
                self.inside = frame
                if kind == "op":
                    self.started = [*_operation(frame)]
        elif event == "return" and self.open and frame is self.open[-1][0]:
            self._leave(arg)

    def _kind(self, code: CodeType) -> str:
        """What a call of this code is: "module", "op", "unseen" (with all that it calls), or "" for any other code."""
        if code is _CALL:
            return "module"
        if code.co_filename.startswith(_OPERATIONS):
            return "op" if "autograd" not in code.co_filename or code is _APPLY else ""
        return "unseen" if code.co_filename.startswith(_UNSEEN) else ""

    # ------------------------------------------------------------------ modules

    def _enter(self, frame: FrameType) -> None:
        given = frame.f_locals
        module = given["self"]
        count = self.calls.get(id(module), 0)
        self.calls[id(module)] = count + 1
        if isinstance(module, OptimizedModule) or module is self.root.module and not count:
            return  # what is in it comes next; the root's step is there already
        step = Step("module", type(module).__name__, self.current, self.paths.get(id(module), ""), module)
        step.call = count
        tensors = [t for _, t in tensors_in((given["args"], given["kwargs"]))]
        self.open.append((frame, [self.source(t) for t in tensors]))
        self.current = step

    def _leave(self, result: Any) -> None:
        step = self.current
        assert step.parent is not None
        self.current = step.parent
        self.close(step, self.open.pop()[1], result)

    def close(self, step: Step, given: list[tuple[Step, int]], result: Any) -> None:
        """Note what a call has returned, whose arguments came from `given`."""
        outs = [t for _, t in tensors_in(result)]
        step.shapes = [_described(t) for t in outs]
        library = type(step.module).__module__.startswith("flambeau.nn.")
        if not step.steps or library and all(s.kind != "module" for s in step.steps):
            step.steps = []  # a layer: what happens inside is its own affair
            step.sources = list(dict.fromkeys(given))
            for i, t in enumerate(outs):
                self.note(t, step, i)
            return
        for t in outs:
            source = self.source(t)
            if not source[0].within(step):  # what came in goes out again unchanged
                same = Step("op", "identity", step)
                same.sources, same.shapes = [source], [_described(t)]
                self.note(t, same, 0)

    # ------------------------------------------------------------------ operations

    def _operate(self, name: str, given: list[Tensor], changes: bool, result: Any) -> None:
        outs = given[:1] if changes and given else [t for _, t in tensors_in(result)]
        if not outs or not changes and all(any(o is t for t in given) for o in outs):
            return  # no tensor comes out, or what came in
        sources = [self.source(t) for t in given]
        step = Step("op", name, self.current)
        step.sources, step.shapes = list(dict.fromkeys(sources)), [_described(t) for t in outs]
        for i, t in enumerate(outs):
            self.note(t, step, i)
            if changes and t._base is not None:
                self.note(t._base, step, i)

    # ------------------------------------------------------------------ tensors

    def note(self, t: Tensor, step: Step, index: int) -> None:
        """Remember what made a tensor, as long as it lives."""
        key, made = id(t), self.made

        def forget(dead: Any) -> None:
            if key in made and made[key][0] is dead:  # another tensor may have got the id since
                del made[key]

        made[key] = weakref.ref(t, forget), step, index

    def source(self, t: Tensor) -> tuple[Step, int]:
        """(step, number of its result) that a tensor came from; one that was there before becomes a step here."""
        found = self.made.get(id(t))
        if found is not None and found[0]() is t:
            kept = found[1]
            if kept.kind not in ("parameter", "buffer", "constant") or kept.parent is self.current:
                return kept, found[2]
        kind, path = self.held.get(id(t), ("constant", ""))
        step = Step(kind, type(t).__name__ if kind == "constant" else path.rpartition(".")[2], self.current, path)
        step.shapes = [_described(t)]
        self.note(t, step, 0)
        return step, 0


def _operation(frame: FrameType) -> tuple[str, list[Tensor], bool]:
    """(name, tensors that go in, whether the first of them is changed) of an operation that is being called."""
    code, local = frame.f_code, frame.f_locals
    count = code.co_argcount + code.co_kwonlyargcount + sum(bool(code.co_flags & flag) for flag in _VARIADIC)
    names = code.co_varnames[:count]
    if code is _APPLY:
        return local["cls"].__name__, [t for _, t in tensors_in(local["args"])], False
    name = _names().get(_key(code, [local.get(n) for n in code.co_freevars]))
    if name is None:  # no function of the package's own list; what wraps another one says which
        name = getattr(local.get("fn"), "__name__", code.co_name) if "fn" in code.co_freevars else code.co_name
    given = [t for _, t in tensors_in([local.get(n) for n in names])]
    dunder = name.startswith("__") and name.endswith("__")
    changes = name.endswith("_") and not dunder or name == "__setitem__" or name[:3] == "__i" and name in _AUGMENTED
    short = name.strip("_") if dunder else name.lstrip("_")
    if dunder:
        short = short[1:] if name in _AUGMENTED or name in _REFLECTED else short
    return short or code.co_name, given, changes or local.get("inplace") is True


_ARITHMETIC = (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
)
_AUGMENTED = {f"__i{n}__" for n in _ARITHMETIC}
_REFLECTED = {f"__r{n}__" for n in _ARITHMETIC}
_known: dict = {}


def _key(code: CodeType, cells: list) -> tuple:
    return (code, *map(id, cells))


def _names() -> dict:
    """Code and what it closes over -> name, for the functions and methods of tensors: many share their code."""
    if not _known:
        methods = {n: getattr(f, "fget", f) for n, f in vars(Tensor).items()}
        for name, f in [*methods.items(), *((n.rpartition(".")[2], f) for n, f in REGISTRY.items())]:
            code = getattr(f, "__code__", None)
            if code is not None:
                with contextlib.suppress(ValueError):  # an empty cell
                    key = _key(code, [c.cell_contents for c in f.__closure__ or ()])
                    if key not in _known or f.__name__ == name:  # not one of its other names
                        _known[key] = name
    return _known


# ------------------------------------------------------------------ the pass


@contextlib.contextmanager
def untouched(model: Module, tensors: Iterable[Tensor] = ()) -> Iterator[None]:
    """Whatever runs in the block: modes, tensors, gradients and attributes of modules, and random states, are put back.

    Arguments:
        model: whose modules are looked after. Of one that takes more than a gigabyte no values are copied.
        tensors: others whose values are put back, such as the model's input.

    >>> import flambeau as torch
    >>> from flambeau.viz.tracing import untouched
    >>> norm = torch.nn.BatchNorm1d(2)
    >>> with untouched(norm):
    ...     _ = norm(torch.randn(4, 2)), norm.eval()
    >>> norm.training, int(norm.num_batches_tracked)
    (True, 0)
    """
    held = [(m, dict(m.__dict__)) for m in model.modules()]
    containers = [(c, c.copy()) for _, own in held for c in own.values() if isinstance(c, (list, dict, set, deque))]
    parameters = list(model.parameters())
    values = [*parameters, *model.buffers(), *tensors]
    real = {id(t) for t in values if type(t._array) is np.ndarray}
    if sum(t._array.nbytes for t in values if id(t) in real) > MUCH:
        real = set()
    kept = [(t, t._array, t._array.copy() if id(t) in real else None, t._cell, t._version) for t in values]
    gradients = [(p, p._grad) for p in parameters]
    for p in parameters:
        p._grad = None  # a backward pass in the block makes its own
    try:
        with random_states():
            yield
    finally:
        for module, own in held:
            module.__dict__.clear()
            module.__dict__.update(own)
        for now, before in containers:
            _put_back(now, before)
        for t, array, copied, cell, version in kept:
            t._array, t._cell = array, cell
            if copied is not None and array.flags.writeable:
                array[...] = copied
            if cell:
                cell[0] = version
        for p, gradient in gradients:
            p._grad = gradient


def _ids(held: Any) -> list[int]:
    return [*map(id, held), *(map(id, held.values()) if isinstance(held, dict) else ())]


def _put_back(now: Any, before: Any) -> None:
    """Give a list, dict, set or deque the elements that it had."""
    if _ids(now) != _ids(before):
        now.clear()
        if isinstance(now, (dict, set)):
            now.update(before)
        else:
            now.extend(before)


def arguments(model: Module, example: Any, keywords: dict | None = None) -> tuple[tuple, dict]:
    """What `model` is to be called with: a tuple or list gives several arguments, a dict keyword arguments.

    They are one argument where `forward` cannot take them as several.
    """
    given = dict(keywords or {})
    if isinstance(example, (tuple, list)) and not hasattr(example, "_fields"):
        if _takes(model, tuple(example), given) or not _takes(model, (example,), given):
            return tuple(example), given
    elif isinstance(example, dict) and all(isinstance(k, str) for k in example):
        if _takes(model, (), {**example, **given}):
            return (), {**example, **given}
    return (example,), given


def _takes(model: Module, args: tuple, kwargs: dict) -> bool:
    """Whether `forward` can be called with these arguments."""
    try:
        inspect.signature(model.forward).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # it has no signature
        pass
    return True


def trace(model: Any, example: Any, keywords: dict | None = None, mode: str = "eval") -> Trace:
    """Run a model once, without gradients, and say what happened; the model is as before afterwards.

    Arguments:
        model: an `nn.Module`.
        example: its input: a tensor, a tuple (or list) of arguments, or a dict of keyword arguments.
        keywords: further keyword arguments.
        mode: "eval" or "train", or "same" for the mode that the modules are in.

    Raises what the model's forward raises.
    """
    if not isinstance(model, Module):
        raise ArgumentTypeError(
            f"the model must be an nn.Module, not {type(model).__name__}",
            why="its modules are what is looked at",
            fix="the model comes first, then its input" if isinstance(example, Module) else "use the model itself, not "
            "its class: `Net()`" if isinstance(model, type) else "put the function into the forward of an nn.Module",
        )  # fmt: skip
    if mode not in ("eval", "train", "same"):
        raise ArgumentError(
            f"mode must be 'eval', 'train' or 'same', not {mode!r}",
            why="it is the mode that the model runs in",
            fix='use `mode="eval"`',
        )
    if isinstance(model, OptimizedModule):
        model = model._orig_mod
    args, kwargs = arguments(model, example, keywords)
    if any(is_lazy(p) for p in model.parameters()):
        _first_call(model, args, kwargs)
    tracer, named = Tracer(model), list(_named(model, args, kwargs))
    inputs, outputs = [], []
    for name, t in named:
        step = Step("input", name, None)
        step.shapes = [_described(t)]
        tracer.note(t, step, 0)
        inputs.append(step)
    with untouched(model, [t for _, t in named]), no_grad(), allow(), set_stance("force_eager"):
        for m in model.modules():
            m.__dict__.pop("_compiled_call_impl", None)
            if mode != "same":
                m.training = mode == "train"
        sources = [tracer.source(t) for _, t in named]
        try:
            result = _watched(tracer, model, args, kwargs)
        except Exception as error:
            if args == (example,) and _is_shape(example):
                raise _shape_given(example) from error
            raise
    if inspect.isgenerator(result):
        raise ArgumentTypeError(
            f"the forward of {type(model).__name__} gives a generator, so none of its layers was called",
            why="a generator runs only when its values are asked for",
            fix="look at a module that asks for them: its forward returns `list(self.inner(x))`",
        )
    tracer.close(tracer.root, sources, result)
    for name, t in tensors_in(result, "output"):
        step = Step("output", name, None)
        step.shapes, step.sources = [_described(t)], [tracer.source(t)]
        outputs.append(step)
    return Trace(tracer.root, inputs, outputs, result)


def _is_shape(example: Any) -> bool:
    return isinstance(example, tuple) and len(example) > 1 and all(type(n) is int and n > 0 for n in example)


def _shape_given(shape: tuple) -> ArgumentTypeError:
    """The error for the shape of an input in the place of the input, as other functions take it."""
    return ArgumentTypeError(
        f"the example input is {tuple(shape)}: the shape of an input rather than an input",
        why="the model is run on it once, to see what goes from where to where",
        fix=f"pass a tensor of this shape, such as `torch.randn{tuple(shape)}`",
    )


def _first_call(model: Module, args: tuple, kwargs: dict) -> None:
    """Let lazy modules learn their sizes."""
    with modes(model, False), no_grad(), allow():
        model(*args, **kwargs)


def _watched(tracer: Tracer, model: Callable, args: tuple, kwargs: dict) -> Any:
    before: Any = sys.getprofile()
    sys.setprofile(tracer)
    try:
        return model(*args, **kwargs)
    finally:
        sys.setprofile(None)
        if callable(before):
            sys.setprofile(before)
        elif before is not None:  # cProfile's
            before.enable()


def _named(model: Module, args: tuple, kwargs: dict) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of the inputs, under the names of forward's parameters."""
    names: list[str] = []
    with contextlib.suppress(TypeError, ValueError):  # a forward that has no signature
        for p in inspect.signature(model.forward).parameters.values():
            names += [f"{p.name}[{i}]" for i in range(len(args))] if p.kind is p.VAR_POSITIONAL else [p.name]
    names += [f"input[{i}]" for i in range(len(names), len(args))]
    for name, value in [*zip(names, args), *kwargs.items()]:
        yield from tensors_in(value, name)
