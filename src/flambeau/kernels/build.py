"""Kernels by declaration: a signature and a body become a builtin that checks its arguments and runs in parallel.

    @kernel("x:T=rows*cols y:T!=rows*cols rows cols", work="rows", cost="cols")
    def softmax(k, begin, end, x, y, rows, cols):
        for r in k.range(begin, end): ...

Each parameter is `name`, `name:kind` or `name:kind=size`. Kinds: `T` an array of the kernel's floating-point type,
`f4 f8 i8 u1 b1` arrays of that type, `n` (default) an int, `d` a float. `!` marks an array that is written, `?` one
that may be None (a specialisation of the kernel then leaves it out), `~` one that may have any strides. `size` is a
product of other parameters: an array of another size is refused. Arrays must be plain, aligned `np.ndarray`s,
C-contiguous unless marked.

`softmax.get("f4")` is the builtin, or None where there is no LLVM: callers then use NumPy. The builtin returns True,
or False without having touched anything if an argument does not fit. The body computes items `begin` to `end`
of `work`, in as many calls as there are threads; `cost` is roughly how many elements one item touches.
"""

from __future__ import annotations

import math
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import memory
from .record import listener, listeners

NUMPY_NUMBERS = {"f4": (11,), "f8": (12,), "u1": (2,), "b1": (0,), "i8": (7, 9), "i4": (5,), "f2": (23,)}
PARALLEL_FROM = 131072  # units of cost (0.2 ns or so each); below it, waking a thread costs more than it brings
GRAIN = 32768  # units per part at least

declared: dict[str, Kernel] = {}  # by name
_building = threading.RLock()
_llvm: Any = None  # the llvm module once it is loaded, False where it cannot be


def backend() -> Any:
    """The `llvm` module, loaded at the first call; None where kernels cannot be generated."""
    global _llvm
    if _llvm is None:
        _llvm = _load() or False
    return _llvm or None


def _load() -> Any:
    if os.environ.get("FLAMBEAU_BACKEND", "").lower() == "numpy":
        return None
    try:
        from . import llvm  # llvmlite is an optional, slow import: the one place that may wait for it
    except ImportError:
        return None
    if not llvm.usable():
        return None
    memory.start(llvm.address, llvm.symbol)
    return llvm


@dataclass(frozen=True)
class Parameter:
    name: str
    kind: str
    written: bool
    optional: bool
    strided: bool
    size: tuple[str, ...]

    @property
    def is_array(self) -> bool:
        return self.kind not in ("n", "d")


_FORM = re.compile(r"(\w+)(?::(\w+?))?([!?~]*)(?:=([\w*]+))?$")


def parse(signature: str) -> list[Parameter]:
    """The parameters that a signature names."""
    found = []
    for text in signature.split():
        match = _FORM.match(text)
        if match is None:
            raise ValueError(f"kernel signature: cannot read {text!r}")
        name, kind, marks, size = match.groups()
        factors = tuple(size.split("*")) if size else ()
        found.append(Parameter(name, kind or "n", "!" in marks, "?" in marks, "~" in marks, factors))
    return found


class Kernel:
    """A declared kernel; see the module."""

    def __init__(self, body: Callable[..., None], signature: str, work: str, cost: str, traced: bool, tile: bool,
                  written: bool, fits: Callable[..., list[Any]] | None):  # fmt: skip
        self.name, self.body = f"{body.__module__.rsplit('.', 1)[-1]}.{body.__name__}", body
        if self.name in declared:
            raise ValueError(f"kernel {self.name} is declared twice; compiled code is found by this name")
        declared[self.name] = self
        self.parameters = parse(signature)
        self.work, self.cost = work, cost.split("*") if cost else []
        self.traced, self.tile, self.written, self.fits = traced, tile, written, fits
        self._built: dict[Any, Any] = {}

    def get(self, real: str = "f4", absent: tuple[str, ...] = (), **options: Any) -> Callable[..., bool] | None:
        """The builtin for a floating-point type, without the absent arrays, with the body's options."""
        if listeners:
            found = listener()
            if found is not None:
                return found.kernel(self, real, absent, options)
        return self.built(real, absent, options)

    def built(self, real: str, absent: tuple[str, ...], options: dict[str, Any]) -> Callable[..., bool] | None:
        """`get`, heard by nobody."""
        key = (real, absent, *options.items()) if options or absent else real
        try:
            return self._built[key]
        except KeyError:
            with _building:
                if key not in self._built:
                    self._built[key] = self._build(real, absent, options)
                return self._built[key]

    def part_address(self, real: str = "f4", absent: tuple[str, ...] = (), **options: Any) -> int:
        """The address of `part(context, begin, end)` of the same specialisation, or 0 where there is no LLVM.

        `context` is an array of 64-bit words, one for each parameter that is not absent: an array's address, an int,
        or the bits of a float. Nothing is checked.
        """
        if self.built(real, absent, options) is None:
            return 0
        llvm = backend()
        return llvm.symbol(self.symbol(real, absent, options) + "_part") if llvm else 0

    def share(self, values: dict[str, int]) -> tuple[int, int]:
        """(items of work, parts to cut them into) for the values of the parameters that are ints."""

        def product(factors: list[str]) -> int:
            return math.prod(int(f) if f.isdigit() else values[f] for f in factors)

        work = product(self.work.split("*"))
        total = work * product(self.cost)
        return work, min(total // GRAIN, 64, work) if total >= PARALLEL_FROM else 1

    def symbol(self, real: str, absent: tuple[str, ...], options: dict[str, Any]) -> str:
        """The name of a specialisation in compiled code."""
        spelled = "_".join([real, *("no_" + a for a in absent), *(f"{k}_{v}" for k, v in sorted(options.items()))])
        return "flambeau_" + re.sub(r"\W", "_", f"{self.name}_{spelled}")

    def _build(self, real: str, absent: tuple[str, ...], options: dict[str, Any]) -> Callable[..., bool] | None:
        llvm = backend()
        if llvm is None:
            return None
        from .wrap import write_ir  # needs llvmlite, as above

        name = self.symbol(real, absent, options)
        if self.tile:
            llvm.tile_library(real)
        key = None if self.traced else repr((real, absent, sorted(options.items())))
        where = llvm.address(name, key, lambda: write_ir(self, name, real, absent, options), self.written)
        return llvm.builtin(where, self.name, self.body.__doc__ or "")


def kernel(
    signature: str,
    work: str,
    cost: str = "",
    traced: bool = False,
    tile: bool = False,
    written: bool = False,
    fits: Callable[..., list[Any]] | None = None,
) -> Callable[[Callable[..., None]], Kernel]:
    """Declare a kernel; see the module.

    traced: its body calls code from outside this package. tile: its body calls the functions of `tile.py`. written:
    it is written in vectors (`lanes.py`), so most of LLVM's passes can be left out, which take two to three times as
    long.
    fits: conditions on ints and options, by name, that must hold too: the builtin refuses other calls.
    """
    return lambda body: Kernel(body, signature, work, cost, traced, tile, written, fits)
