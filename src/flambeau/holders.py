"""Who holds memory, for the error that there is none left: live tensors, by what they are.

All objects are looked through (`gc`), which takes time: only where a program is about to end.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np

from .errors import OutOfMemoryError

OWNERS = ("parameters", "gradients", "optimizer state", "activations", "others")


def holders() -> dict[str, tuple[int, int]]:
    """(bytes, number of arrays) of every kind of owner in `OWNERS`. Memory that several share is counted once.

    >>> from flambeau.holders import holders
    >>> import flambeau as torch
    >>> before = holders()["parameters"]
    >>> layer = torch.nn.Linear(100, 10)
    >>> [after - b for after, b in zip(holders()["parameters"], before)]
    [4040, 2]
    """
    tensor, parameter = _class("tensor", "Tensor"), _class("nn.parameter", "Parameter")
    node, optimizer = _class("autograd.engine", "Node"), _class("optim.optimizer", "Optimizer")
    found: dict[str, list[Any]] = {kind: [] for kind in OWNERS}
    for x in gc.get_objects():
        cls = type(x)
        if issubclass(cls, tensor):
            found["parameters" if issubclass(cls, parameter) else "others"].append(x)
            if x._grad is not None:
                found["gradients"].append(x._grad)
        elif issubclass(cls, node):
            found["activations"] += _inside(getattr(x, "saved", None))
        elif issubclass(cls, optimizer):
            found["optimizer state"] += _inside(x.__dict__.get("state"))
    counted: set[int] = set()
    totals = {}
    for kind, tensors in found.items():
        size = count = 0
        for t in tensors:
            array = getattr(t, "_array", None) if isinstance(t, tensor) else t  # None: a tensor that is being made
            if array is None:
                continue
            while isinstance(array.base, np.ndarray):
                array = array.base
            if type(array) is np.ndarray and id(array) not in counted:
                counted.add(id(array))
                size, count = size + array.nbytes, count + 1
        totals[kind] = size, count
    return totals


def _class(module: str, name: str) -> Any:
    """A class of this package, or one without instances if its module was never imported."""
    return getattr(sys.modules.get(f"{__package__}.{module}"), name, _Nothing)


class _Nothing:
    pass


def _inside(x) -> list[Any]:
    """The tensors and arrays in nested containers."""
    if isinstance(x, (_class("tensor", "Tensor"), np.ndarray)):
        return [x]
    if isinstance(x, dict):
        x = list(x.values())
    return [t for i in x for t in _inside(i)] if isinstance(x, (list, tuple)) else []


def size_of(count: float) -> str:
    """A number of bytes in the unit that suits it.

    >>> from flambeau.holders import size_of
    >>> size_of(512), size_of(3 << 20), size_of(5 << 29)
    ('512 B', '3.0 MiB', '2.5 GiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def out_of_memory(fact: str, shape, dtype) -> OutOfMemoryError:
    """The error for an array of this shape and dtype that does not fit, with who holds the memory that there is.

    fact: PyTorch's sentence.
    """
    held = holders()
    largest, needed = max(size for size, _ in held.values()), _bytes(shape, dtype)
    parameters, gradients, state, activations, others = (f"{size_of(s)} in {n}" for s, n in held.values())
    error = OutOfMemoryError(
        fact,
        why=f"a tensor of shape {tuple(shape)} with dtype {np.dtype(dtype).name} needs {size_of(needed)}, and tensors "
        f"hold {size_of(sum(size for size, _ in held.values()))}: parameters {parameters}, gradients {gradients}, "
        f"optimizer state {state}, activations kept by graphs {activations}, others {others}",
        fix="check the shape first: an outer product or a broadcast may be unintended"
        if needed > 4 * largest
        else "use a smaller batch; evaluate under `torch.no_grad()`; keep `loss.item()`, not the loss, of every step"
        if held["activations"][0] >= largest
        else "use a smaller batch or a smaller model, and `del` tensors that are no longer needed",
    )
    error.holders = held
    return error


def _bytes(shape, dtype) -> int:
    """Bytes of an array, in Python's integers: the product may be beyond 64 bits."""
    total = np.dtype(dtype).itemsize
    for size in shape:
        total *= int(size)
    return total
