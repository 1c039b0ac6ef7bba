"""The doctor for PyTorch's own modules: `examine` and `watch` take them where PyTorch is installed.

`mirror.py` follows operations (each PyTorch tensor has a flambeau twin, which the checks look at), `following.py` tells
the events, `adapter.py` makes a PyTorch module look like one of flambeau's. Nothing here is imported for flambeau's own
modules, and PyTorch is never a dependency.
"""

from __future__ import annotations

import sys
from typing import Any

from ...errors import MissingDependency


def is_foreign(thing: Any) -> bool:
    """Whether something is a module, optimizer, loader or data set of PyTorch's (or holds one, in a list)."""
    torch = sys.modules.get("torch")
    if torch is None or torch.__name__ == "flambeau":
        return False
    if isinstance(thing, (list, tuple)):
        return any(map(is_foreign, thing))
    return isinstance(
        thing, (torch.nn.Module, torch.optim.Optimizer, torch.utils.data.DataLoader, torch.utils.data.Dataset)
    )


def is_foreign_running() -> bool:
    """Whether the program has imported the real PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.__name__ != "flambeau"


def hooks_and_functions() -> tuple[Any, Any]:
    """PyTorch's modules of global hooks and of functions. Raises MissingDependency where PyTorch is not installed."""
    try:
        import torch.nn.functional
        import torch.nn.modules.module
    except ImportError as error:
        raise MissingDependency(
            "PyTorch is not installed",
            why="`--torch` runs the script on PyTorch itself",
            fix="install it, or leave `--torch` out: the script then runs on flambeau",
        ) from error
    return torch.nn.modules.module, torch.nn.functional
