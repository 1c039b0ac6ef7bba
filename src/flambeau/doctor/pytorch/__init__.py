"""The doctor for PyTorch's own modules: `examine` and `watch` take them where PyTorch is installed.

`mirror.py` follows operations (each PyTorch tensor has a flambeau twin, which the checks look at), `following.py` tells
the events, `adapter.py` makes a PyTorch module look like one of flambeau's. Nothing here is imported for flambeau's own
modules, and PyTorch is never a dependency.
"""

from __future__ import annotations

import sys
from typing import Any


def is_foreign(thing: Any) -> bool:
    """Whether something is a module or optimizer of PyTorch's (or holds one, in a list)."""
    torch = sys.modules.get("torch")
    if torch is None or torch.__name__ == "flambeau":
        return False
    if isinstance(thing, (list, tuple)):
        return any(map(is_foreign, thing))
    return isinstance(thing, (torch.nn.Module, torch.optim.Optimizer))


def is_foreign_running() -> bool:
    """Whether the program has imported the real PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.__name__ != "flambeau"
