"""Counts the multiply-adds of operations as they run: matrix products, convolutions, recurrence, attention."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..kernels.record import listeners
from ..profiler import flops

_WEIGHTS = {"lstm_layer": 3, "gru_layer": 2, "rnn_layer": 2}  # where the weights begin among a recurrence's arrays
PRODUCTS = {
    "linear", "addmm", "convolution", "convolution_transpose", "scaled_dot_product_attention", "matmul", "bmm",
    "matmul_nd", "mv", "dot", *_WEIGHTS,
}  # fmt: skip


def multiply_adds(name: str, arrays: tuple, out: Any) -> int:
    """Of a product: half of its operations, and one for each bias that is added to an element."""
    count = flops.of_call(name, [() if a is None else a.shape for a in arrays], out.shape) // 2
    if name == "addmm" or (name in ("linear", "convolution") and len(arrays) > 2 and arrays[2] is not None):
        return count + out.size
    if name in _WEIGHTS:
        return count + len(arrays[0]) * sum(a.size for a in arrays[_WEIGHTS[name] :] if a is not None and a.ndim == 1)
    return count


class Counter:
    """Hears every operation of this thread, as a compiled step's recording does, and lets it run as it would.

    Arguments: add: called with the multiply-adds of an operation, after it has run.
    """

    quiet = 0  # raised by `kernels.record.unheard`

    def __init__(self, add: Callable[[int], None]):
        self.thread, self.add = threading.get_ident(), add
        self._within = False  # an operation that is counted as a whole may be made of others

    def call(self, name: str, function: Any, args: Any, options: dict, formula: Any = None) -> Any:
        """An operation on arrays."""
        if self._within or name not in PRODUCTS:
            return function(*args, **options)
        self._within = True
        try:
            made = function(*args, **options)
        finally:
            self._within = False
        self.add(multiply_adds(name, args, made[0] if made.__class__ is tuple else made))
        return made

    def kernel(self, kernel: Any, real: str, absent: tuple, options: dict) -> Any:
        """A kernel that is about to be launched."""
        return kernel.built(real, absent, options)

    def source(self, name: str, function: Any, args: tuple, options: dict) -> Any:
        """A draw of random numbers."""
        return function(*args, **options)

    def action(self, method: Any, owner: Any, args: tuple, options: dict) -> Any:
        """A change of numbers kept in Python."""
        return method(owner, *args, **options)

    def constant(self, array: Any) -> Any:
        """An array made of Python numbers."""
        return array

    def _nothing(self, *args: Any) -> None:
        """What costs no multiply-adds, and is done by who tells of it."""

    made = into = change = loop = check = clear = accumulates = changed = observe = looked = effect = _nothing
    update = problem = _nothing


@contextmanager
def counted(add: Callable[[int], None]) -> Iterator[None]:
    """`add` is called with the multiply-adds of each operation that runs in the block, in this thread.

    >>> import flambeau as torch
    >>> from flambeau.viz.products import counted
    >>> found = []
    >>> with counted(found.append):
    ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> found
    [24]
    """
    counter = Counter(add)
    listeners.append(counter)
    try:
        yield
    finally:
        listeners.remove(counter)
