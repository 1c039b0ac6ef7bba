"""torch.compile: said plainly to be missing, until the whole-step compiler exists."""

from .errors import NotSupported


def compile(model=None, *, fullgraph=False, dynamic=None, backend="inductor", mode=None, options=None, disable=False):
    """Compile a function or module. Only `disable=True` (which returns it as it is) is supported so far.

    Raises NotImplementedError otherwise.
    """
    if disable:
        return model if model is not None else lambda f: f
    raise NotSupported(
        "flambeau.compile is not available in this version",
        fix="call the function itself; eager mode gives the same result",
    )
