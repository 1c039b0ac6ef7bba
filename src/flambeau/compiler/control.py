"""What is compiled and when: the functions of `torch.compiler` around `torch.compile` itself."""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentTypeError, CompileError, NotSupported
from ..kernels import record
from .standing import Standing

STANCES = ("default", "force_eager", "eager_on_recompile", "fail_on_recompile")
BACKENDS = ("inductor", "eager", "aot_eager", "aot_eager_decomp_partition")  # all but the first run eagerly
NOT_HERE = ("cudagraphs", "onnxrt", "openxla", "tvm")  # PyTorch's other ones
MODES = ("default", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")
OPTIONS = ("epilogue_fusion", "fallback_random", "max_autotune", "shape_padding", "trace.enabled", "triton.cudagraphs")

compiled_functions: weakref.WeakSet = weakref.WeakSet()  # what `reset` empties


class _Here(threading.local):
    stance = "default"


here = _Here()


def check_arguments(backend: Any, mode: Any, options: Any, dynamic: Any) -> None:
    """Raise what PyTorch raises for a backend, mode or option that there is not."""
    if callable(backend):
        raise NotSupported(
            "torch.compile: a custom backend is not supported",
            why="recordings are run by flambeau itself",
            fix="leave `backend` at its default",
        )
    if backend in NOT_HERE:
        raise NotSupported(
            f"torch.compile: backend {backend!r} is not here",
            why="it belongs to other machines",
            fix="leave `backend` at its default",
        )
    if backend not in BACKENDS:
        raise CompileError(
            f"Invalid backend: {backend!r}, see `torch._dynamo.list_backends()` for available backends.",
            why="the backend says how a recording is run",
            fix=f"use one of {', '.join(BACKENDS)}",
        )
    if mode is not None and options is not None:
        raise CompileError(
            "Either mode or options can be specified, but both can't be specified at the same time.",
            why="a mode is a set of options",
            fix="leave one of them out",
        )
    if mode is not None and mode not in MODES:
        raise CompileError(
            f"Unrecognized mode={mode}, should be one of: {', '.join(MODES)}",
            why="the mode is a trade of time for compiling against time for running",
            fix='use `mode="default"`',
        )
    for name, value in (options or {}).items():
        if name.replace("-", "_") not in OPTIONS:
            raise CompileError(
                f"Unexpected optimization option {name}, known options are {sorted(OPTIONS)}",
                why="an option that is ignored would mislead",
                fix="leave it out",
            )
        if not isinstance(value, bool):
            raise CompileError(
                f"Unexpected type of attr {name}, got {type(value).__name__} should be bool",
                why="options are switched on or off",
                fix="use True or False",
            )
    if dynamic is not None and not isinstance(dynamic, bool):
        raise ArgumentTypeError(
            f"torch.compile: `dynamic` is True, False or None, not {type(dynamic).__name__}",
            why="it says whether shapes may change",
            fix="use None",
        )


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """The names that `backend` may have: "inductor" compiles, the debugging ones run eagerly."""
    return [BACKENDS[0]] if exclude_tags and "debug" in exclude_tags else sorted(BACKENDS)


def is_compiling() -> bool:
    """Whether a step is being recorded in this thread. What code does then is what each replay does."""
    return bool(record.listeners) and record.listener() is not None


def is_dynamo_compiling() -> bool:
    """The older name of `is_compiling`."""
    return is_compiling()


def is_exporting() -> bool:
    """Whether torch.export is running, which flambeau does not have: False."""
    return False


def reset() -> None:
    """Drop everything that compiled functions have recorded; they record again at their next call."""
    for compiled in list(compiled_functions):
        compiled.reset()


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """A function that always runs eagerly. A compiled step that calls it stays with Python, all of it.

    recursive: compiled functions that it calls run eagerly as well. Also a decorator, with or without arguments.

    >>> import flambeau as torch
    >>> @torch.compiler.disable(reason="prints")
    ... def report(x):
    ...     print(x.shape)
    >>> @torch.compile
    ... def step(x):
    ...     report(x)
    ...     return x + 1
    >>> step(torch.ones(2))
    torch.Size([2])
    tensor([2., 2.])
    """
    if fn is None:
        return lambda function: disable(function, recursive, reason=reason)
    if isinstance(fn, type) or not callable(fn):
        raise ArgumentTypeError(
            f"torch.compiler.disable takes a function or a module, not {fn!r}",
            why="a class is not run",
            fix="decorate the class's methods" if isinstance(fn, type) else "use it on a function",
        )
    from ..nn.modules.module import Module
    from .module import OptimizedModule  # both are loaded at the first use only

    if isinstance(fn, OptimizedModule):
        fn = fn._orig_mod
    if isinstance(fn, Standing):
        fn = fn.function
    made = Disabled(fn, recursive, reason)
    return OptimizedModule(fn, made) if isinstance(fn, Module) else made


class Disabled(Standing):
    """A function that runs eagerly."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        recursive, reason = self.options
        listening = record.listener() if record.listeners else None
        if listening is not None:
            why = f": {reason}" if reason else ""
            listening.problem(f"{self.label} is not to be compiled (torch.compiler.disable{why})")
        if not recursive:
            return self.function(*args, **kwargs)
        before, here.stance = here.stance, "force_eager"
        try:
            return self.function(*args, **kwargs)
        finally:
            here.stance = before


def allow_in_graph(fn: Any) -> Any:
    """The function itself: everything that a step calls is recorded by what it does, so nothing has to be allowed."""
    if isinstance(fn, list | tuple):
        return [allow_in_graph(f) for f in fn]
    if not callable(fn):
        raise ArgumentTypeError(
            f"allow_in_graph takes a function, not {type(fn).__name__}",
            why="it is called as it is",
            fix="use it on a function",
        )
    return fn


def assume_constant_result(fn: Callable) -> Callable:
    """A function that runs when a step is recorded, and whose result is the same at each replay, by your word.

    >>> import flambeau as torch
    >>> @torch.compiler.assume_constant_result
    ... def table():
    ...     return torch.arange(3.0)
    >>> f = torch.compile(lambda x: x * table())
    >>> f(torch.ones(3)), f(torch.full((3,), 2.0))
    (tensor([0., 1., 2.]), tensor([0., 2., 4.]))
    """

    @functools.wraps(fn)
    def constant(*args: Any, **kwargs: Any) -> Any:
        listening = record.listener() if record.listeners else None
        return fn(*args, **kwargs) if listening is None else _aside(listening, fn, args, kwargs)

    constant.assumed_constant = True  # type: ignore[attr-defined]  # what it sees need not be looked at
    return constant


def _aside(recorder: Any, function: Callable, args: tuple, kwargs: dict) -> Any:
    """Run a function unnoticed, and note its results as constants of the step."""
    from .backward import tensors_of

    profile = sys.getprofile()
    sys.setprofile(None)
    recorder.__exit__()
    try:
        found = function(*args, **kwargs)
    finally:
        recorder.__enter__()
        sys.setprofile(profile)
    for t in tensors_of(found):
        recorder.constant(t._array)
    return found


class set_stance:
    """What compiled functions of this thread do when nothing they have recorded fits: also `with` and a decorator.

    "default": they record. "force_eager": all run eagerly, whatever has been recorded. "eager_on_recompile": they run
    eagerly where nothing fits. "fail_on_recompile": that is an error.

    >>> import flambeau as torch
    >>> f = torch.compile(lambda x: x + 1)
    >>> with torch.compiler.set_stance("force_eager"):
    ...     f(torch.ones(1)), len(f.steps)
    (tensor([2.]), 0)
    """

    def __init__(self, stance: str = "default", *, skip_guard_eval_unsafe: bool = False, force_backend: Any = None):
        if stance in ("eager_then_compile", "aot_eager_then_compile"):
            raise NotSupported(
                f"set_stance({stance!r}) is not supported",
                why="shapes are never generalised here",
                fix='use `set_stance("default")`',
            )
        if stance not in STANCES:
            raise CompileError(
                f"invalid torch.compile stance '{stance}'",
                why="a stance says whether recordings are made and used",
                fix=f"use one of {', '.join(STANCES)}",
            )
        if skip_guard_eval_unsafe or force_backend is not None:
            raise NotSupported(
                "set_stance takes the stance only",
                why="there are no guards to leave out, and one backend",
                fix=f"use `set_stance({stance!r})`",
            )
        self.stance, self.before = stance, here.stance
        here.stance = stance

    def __enter__(self) -> None:
        here.stance = self.stance

    def __exit__(self, *exc: Any) -> None:
        here.stance = self.before

    def __call__(self, fn: Callable) -> Callable:
        here.stance = self.before  # a decorator changes nothing until the function is called

        @functools.wraps(fn)
        def within(*args: Any, **kwargs: Any) -> Any:
            with set_stance(self.stance):
                return fn(*args, **kwargs)

        return within


def cudagraph_mark_step_begin() -> None:
    """Nothing: it tells PyTorch when results of the last step may be overwritten; here they never are."""
