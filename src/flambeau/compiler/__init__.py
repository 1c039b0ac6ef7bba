"""torch.compile: scripts that call it run, eagerly, and are told so once. There is no step compiler in this version."""

import warnings

from ..errors import ArgumentTypeError, NotSupported


def _say_eager(what: str):
    warnings.warn(
        f"{what} runs eagerly: flambeau has no step compiler in this version. The results are the same; `fullgraph`, "
        "`dynamic`, `mode` and `options` have nothing to act on.",
        UserWarning,
        stacklevel=3,
    )


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False):
    """A function or module that may be called in place of `model`: in this version `model` itself, with a warning.

    Works as a function and as a decorator. A custom `backend` (a callable) is refused with NotImplementedError, since
    it would never be called.

    >>> import warnings, flambeau as torch
    >>> with warnings.catch_warnings(record=True) as said:
    ...     step = torch.compile(lambda x: x + 1)
    >>> step(torch.ones(1))
    tensor([2.])
    """
    if callable(backend):
        raise NotSupported("torch.compile: a custom backend is not supported", fix="leave `backend` at its default")
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if model is None:
        return lambda function: compile(function, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode,
                                        options=options, disable=disable)  # fmt: skip
    if not callable(model):
        raise ArgumentTypeError(f"torch.compile takes a function or a module, not {type(model).__name__}")
    if not disable:
        _say_eager("torch.compile(...)")
    return model
