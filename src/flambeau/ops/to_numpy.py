"""From tensors to NumPy: numpy(), the array protocol, and NumPy functions called on tensors."""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..autograd.mode import is_grad_enabled
from ..checks.buffers import exported
from ..checks.log import log
from ..errors import (
    ArgumentTypeError,
)
from ..kernels.record import listeners
from ..mistakes.devices import not_numpy
from ..tensor import Tensor, attach, wrap
from .entry import REGISTRY
from .from_data import check_array


def numpy(self, *, force=False):
    """The tensor's memory as a NumPy array; a change to one shows in the other.

    force: also for tensors that require grad or have no NumPy memory, then perhaps as a copy.
    Raises RuntimeError when the tensor requires grad, outside `no_grad`.
    """
    if listeners:
        self._observed("numpy()")
    if force:
        self = self.detach().cpu()
    elif self.requires_grad and is_grad_enabled():
        raise not_numpy(self)
    a = self._array
    if type(a) is not np.ndarray:
        raise not_numpy(self)
    if a.dtype.kind not in "biufc":
        raise ArgumentTypeError(
            f"Got unsupported ScalarType {'BFloat16' if self.dtype is dtypes.bfloat16 else self.dtype.name.title()}",
            why="NumPy has no such dtype of its own",
            fix="use `x.float().numpy()`",
        )
    if self._rg and log.on:
        log.cut("numpy", self)
    made = a.view()
    if log.exports and log.on:
        log.exports -= 1
        exported(a, made)
    return made


def __array__(self, dtype=None, copy=None):
    a = numpy(self)
    if dtype is not None and a.dtype != dtype:
        return a.astype(dtype)
    return a.copy() if copy else a


# NumPy's names for functions that have another one here.
_UFUNCS = {"multiply": "mul", "subtract": "sub", "divide": "div", "power": "pow", "absolute": "abs",
           "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
           "greater_equal": "ge", "negative": "neg", "conjugate": "conj", "invert": "bitwise_not"}  # fmt: skip


def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
    """A NumPy function on tensors gives tensors: `np.sin(x)`, and `array + x`, which Python hands to NumPy first."""
    if method == "__call__" and out is None and not options:
        function = REGISTRY.get(_UFUNCS.get(ufunc.__name__, ufunc.__name__))
        if function is not None:
            return function(*[_operand(x) for x in inputs])
    inputs = [numpy(x) if isinstance(x, Tensor) else x for x in inputs]
    if out is not None:
        options["out"] = tuple(numpy(x) if isinstance(x, Tensor) else x for x in out)
    found = getattr(ufunc, method)(*inputs, **options)
    if out is not None:
        return out[0] if len(out) == 1 else out
    return tuple(wrap(np.asarray(f)) for f in found) if isinstance(found, tuple) else wrap(np.asarray(found))


def _operand(x):
    if isinstance(x, np.ndarray):
        return wrap(check_array(x))
    return x.item() if isinstance(x, np.generic) else x


for _name, _function in {"numpy": numpy, "__array__": __array__, "__array_ufunc__": __array_ufunc__}.items():
    attach(_name, _function)
