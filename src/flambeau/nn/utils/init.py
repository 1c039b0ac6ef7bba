"""Making a module without drawing its first weights."""

from __future__ import annotations

import inspect

from ...errors import StateError
from ..modules.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls, *args, **kwargs):
    """A module with undefined parameters, made without the time that filling them takes.

    >>> import flambeau as torch
    >>> torch.nn.utils.skip_init(torch.nn.Linear, 2, 3)
    Linear(in_features=2, out_features=3, bias=True)
    """
    if not issubclass(module_cls, Module):
        raise StateError(
            f"Expected a Module; got {module_cls}",
            why="it makes a module without initialising its parameters",
            fix="give a class of torch.nn, such as `nn.Linear`",
        )
    if "device" not in inspect.signature(module_cls).parameters:
        raise StateError(
            "Module must support a 'device' arg to skip initialization",
            why="the module is made on the meta device, without memory, first",
            fix=f"give `{module_cls.__name__}.__init__` an argument `device=None` that it passes to its parameters",
        )
    final = kwargs.pop("device", "cpu")
    return module_cls(*args, **kwargs, device="meta").to_empty(device=final)
