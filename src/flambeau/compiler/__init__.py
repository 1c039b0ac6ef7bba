"""torch.compile: a function, a module or a whole training step, recorded once and replayed without Python."""

from __future__ import annotations

from ..errors import ArgumentTypeError, NotSupported


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False):
    """A function or module that may be called in place of `model`."""
    if callable(backend):
        raise NotSupported("torch.compile: a custom backend is not supported", fix="leave `backend` at its default")
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if model is None:
        return lambda function: compile(function, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
                                        options=options, disable=disable)  # fmt: skip
    if not callable(model):
        raise ArgumentTypeError(f"torch.compile takes a function or a module, not {type(model).__name__}")
    if disable:
        return model
    from .function import Compiled  # loaded at the first use: modules, which know of compile(), are below it

    return Compiled(model, fullgraph)
