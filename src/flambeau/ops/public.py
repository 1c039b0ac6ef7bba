"""Public names of operations: in `flambeau` and its namespaces, as methods, in place, with `out=`, under aliases."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import ArgumentTypeError
from ..tensor import attach
from .inplace import assign, check_writable, write_out
from .misuse import explained, guarded
from .primitive import parameter_names

REGISTRY: dict[str, Callable[..., Any]] = {}  # public name ("sin", "special.erf") -> function
METHODS: dict[str, Callable[..., Any]] = {}  # name of a Tensor method -> function


def public(name=None, *, method=False, function=True, inplace=False, out=False, aliases=()):
    """Give a function its public name, its method, its in-place form, its `out=` and its other names.

    name: default the function's own; "special.erf" puts it in a submodule.
    """

    def register(fn):
        full = name or fn.__name__
        short = full.rsplit(".", 1)[-1]
        parameters = parameter_names(fn)
        numpy_names = "dim" in parameters or "keepdim" in parameters
        called = _with_keywords(fn, out, numpy_names) if out or numpy_names else fn
        if called is fn and full not in _SHORT_CALLS and not isinstance(fn, type):
            called = guarded(fn)
        called.__flambeau_name__ = full
        for n in (full, *aliases):
            if function:
                REGISTRY[n] = called
        for n in dict.fromkeys((short, *(a.rsplit(".", 1)[-1] for a in aliases))):
            if method:
                METHODS[n] = called
                attach(n, called)
            if inplace:
                METHODS[n + "_"] = changed = in_place(fn, n)
                attach(n + "_", changed)
                if function and "." not in full and inplace != "method":
                    REGISTRY[n + "_"] = changed
        return called

    return register


# Called so often that one more call around them would be felt; they say themselves what is wrong.
_SHORT_CALLS = frozenset(("reshape", "permute", "transpose", "t", "flatten", "view", "clone", "expand", "contiguous",
                          "to", "empty", "zeros", "ones", "matmul", "copy_", "fill_", "zero_"))  # fmt: skip


def _with_keywords(fn, takes_out, numpy_names):
    """Give a function the keyword `out`, or let it take NumPy's `axis` and `keepdims` for `dim` and `keepdim`."""

    @functools.wraps(fn)
    def called(*args, **kwargs):
        out = None
        if kwargs:
            if takes_out:
                out = kwargs.pop("out", None)
            if numpy_names:
                _rename(fn, kwargs)
        try:
            made = fn(*args, **kwargs)
            return made if out is None else write_out(made, out, fn.__name__)
        except Exception as error:
            better = explained(fn, fn.__name__, args, kwargs, error)
            if better is None:
                raise
            raise better from error

    if takes_out:
        called.__flambeau_out__ = True
    return called


def _rename(fn, kwargs):
    if "axis" in kwargs:
        kwargs["dim"] = kwargs.pop("axis")
    if "keepdims" in kwargs:
        kwargs["keepdim"] = kwargs.pop("keepdims")
    keepdim = kwargs.get("keepdim", False)
    if keepdim is not False and keepdim is not True and not isinstance(keepdim, np.bool_):
        given = type(keepdim).__name__
        raise ArgumentTypeError(
            f"{fn.__name__}(): argument 'keepdim' must be bool, not {given}",
            why="it says whether reduced dimensions are kept with size 1",
            fix="pass `keepdim=True` or `keepdim=False`",
        )


def in_place(fn, name):
    """The in-place form of `fn`: its result is stored in its first argument."""

    @functools.wraps(fn)
    def changed(self, *args, **kwargs):
        try:
            check_writable(self)
            return assign(self, fn(self, *args, **kwargs))
        except Exception as error:
            better = explained(fn, name + "_", (self, *args), kwargs, error)
            if better is None:
                raise
            raise better from error

    changed.__name__ = name + "_"
    return changed


def namespace(prefix: str) -> dict:
    """The public functions below a prefix: {"norm": ...} for "linalg"."""
    return {n[len(prefix) + 1 :]: f for n, f in REGISTRY.items() if n.startswith(prefix + ".") and
            "." not in n[len(prefix) + 1 :]}  # fmt: skip
