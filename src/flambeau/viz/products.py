"""Counts the multiply-adds of operations as they run: matrix products, convolutions, recurrence, attention."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..kernels.record import listeners


def _matmul(input, other):
    """Each element of the result is a sum over the inner dimension."""
    inner, columns = input.shape[-1], other.shape[-1] if other.ndim > 1 else 1
    rows = input.shape[-2] if input.ndim > 1 else 1
    lead = _lead(input.shape[:-2], other.shape[:-2])
    return lead * rows * inner * columns


def _lead(*shapes):
    """How many matrices a batched product makes: leading dimensions are broadcast."""
    sizes = [1] * max(map(len, shapes))
    for shape in shapes:
        for i, n in enumerate(reversed(shape), 1):
            sizes[-i] = max(sizes[-i], n)
    return math.prod(sizes)


def _linear(input, weight, bias=None):
    rows = math.prod(input.shape[:-1])
    return rows * (_size(weight) + _size(bias))


def _convolution(input, weight, bias, out):
    places = out.shape[0] * math.prod(out.shape[2:])
    return places * (_size(weight) + _size(bias))


def _recurrent(input, weights):
    return len(input) * sum(map(_size, weights))  # a row for each time step of each sample


def _attention(query, key, value):
    """The scores and the weighted sum; what a mask hides is computed all the same."""
    lead = _lead(query.shape[:-2], key.shape[:-2])
    return lead * query.shape[-2] * key.shape[-2] * (query.shape[-1] + value.shape[-1])


def _size(array):
    return 0 if array is None else array.size


# By an operation's name, what it costs: from its arrays and its (first) result.
COSTS: dict[str, Callable[..., int]] = {
    "linear": lambda out, input, weight, bias=None: _linear(input, weight, bias),
    "addmm": lambda out, bias, input, other: _matmul(input, other) + out.size,
    "convolution": lambda out, input, weight, bias=None: _convolution(input, weight, bias, out),
    "convolution_transpose": lambda out, input, weight: input.shape[0] * math.prod(input.shape[2:]) * weight.size,
    "scaled_dot_product_attention": lambda out, query, key, value, *rest: _attention(query, key, value),
    "lstm_layer": lambda out, input, h0, c0, *weights: _recurrent(input, weights),
    "gru_layer": lambda out, input, h0, *weights: _recurrent(input, weights),
    "rnn_layer": lambda out, input, h0, *weights: _recurrent(input, weights),
    **dict.fromkeys(("matmul", "bmm", "matmul_nd", "mv", "dot"), lambda out, input, other: _matmul(input, other)),
}


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
        cost = None if self._within else COSTS.get(name)
        if cost is None:
            return function(*args, **options)
        self._within = True
        try:
            made = function(*args, **options)
        finally:
            self._within = False
        self.add(cost(made[0] if made.__class__ is tuple else made, *args))
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
