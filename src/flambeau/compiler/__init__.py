"""torch.compile and torch.compiler: a function, a module or a whole training step, recorded once and replayed."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentTypeError
from .control import allow_in_graph as allow_in_graph
from .control import assume_constant_result as assume_constant_result
from .control import check_arguments
from .control import cudagraph_mark_step_begin as cudagraph_mark_step_begin
from .control import disable as disable
from .control import is_compiling as is_compiling
from .control import is_dynamo_compiling as is_dynamo_compiling
from .control import is_exporting as is_exporting
from .control import list_backends as list_backends
from .control import reset as reset
from .control import set_stance as set_stance


def compile(
    model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None, backend: Any = "inductor",
    mode: str | None = None, options: dict | None = None, disable: bool = False,
) -> Any:  # fmt: skip
    """A function or module that may be called in place of `model`, and does the same without Python where it can.

    The first call with arguments of some shapes and dtypes runs eagerly and is recorded; later ones replay it. A call
    that cannot be replayed runs eagerly, always with the results of eager mode; `compile.explain` says what was done.

    Arguments:
        fullgraph: raise an error where a call cannot be replayed.
        dynamic: taken as PyTorch takes it, with no effect: each set of shapes is recorded for itself, up to
            `function.MOST_STEPS` of them; calls with further ones run eagerly.
        backend: "inductor"; with "eager", "aot_eager" and "aot_eager_decomp_partition" all calls run eagerly.
        mode, options: PyTorch's names are taken, and change nothing: there is one way to compile.
        disable: return `model` itself.

    >>> import flambeau as torch
    >>> @torch.compile
    ... def f(x):
    ...     return (x * 2 + 1).relu()
    >>> f(torch.tensor([-1.0, 1.0])), f(torch.tensor([3.0, -3.0]))
    (tensor([0., 3.]), tensor([7., 0.]))
    """
    check_arguments(backend, mode, options, dynamic)
    if model is None:
        return lambda function: compile(function, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
                                        options=options, disable=disable)  # fmt: skip
    if not callable(model):
        raise ArgumentTypeError(
            f"torch.compile takes a function or a module, not {type(model).__name__}",
            why="what it returns is called in its place",
            fix="use `@torch.compile` on a function, or `torch.compile(model)`",
        )
    if disable:
        return model
    # Loaded at the first use: modules, which know of compile(), are below it.
    from ..nn.modules.module import Module
    from .function import Compiled
    from .module import OptimizedModule

    if isinstance(model, Compiled | OptimizedModule):
        return model
    made = Compiled(model, fullgraph, backend == "inductor")
    return OptimizedModule(model, made) if isinstance(model, Module) else made


def _explain(function: Any) -> Any:
    """What torch.compile has made of a function or module, as an object that prints as a report.

    Nothing is called; `explain(function)(*arguments)` calls the function first.
    """
    from .explain import explained

    return explained(function)


compile.explain = _explain  # type: ignore[attr-defined]
