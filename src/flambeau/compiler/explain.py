"""`torch.compile.explain`: what was made of a function, as numbers and as a report."""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentTypeError
from ..kernels.build import backend
from ..tensor import Tensor
from .function import MOST_STEPS, PATIENCE, Compiled
from .module import OptimizedModule
from .plan import padded
from .program import Call, Check, Launch, Map, Node, Region
from .step import Step
from .work import operations

_WIDTHS = (5, 38, 34, 22, 10, 10, 7)


@dataclass(frozen=True)
class Launched:
    """One line of a program: a kernel, a fused loop, or a call of Python."""

    kernel: str  # the kernel's name; "loop"; "Python" for a call; "check" for a look at indices that were checked
    operations: tuple[str, ...]  # what it does; of a loop, all that share it
    shape: tuple[int, ...]  # of a loop's index space, else of the first result
    dtype: str
    bytes: int  # read and written, each byte once for every operand that it belongs to
    flops: int | None  # additions, multiplications and functions; None where it is not known
    parts: int  # that threads may run side by side; 0 for Python
    backward: bool  # whether it runs in `backward()`
    where: str  # the line of the program, for what stays a call of Python


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    block: int  # of the static block that all temporaries lie in
    temporaries: int  # that these would take side by side
    unfused: int  # that temporaries would take if every operation wrote its result
    results: int  # made at each call, for what it returns
    gradients: int  # of leaves; the memory of the last call serves again where nobody else holds it
    saved: int  # kept from a call for its backward pass

    @property
    def reuse(self) -> float:
        """How often the block is used."""
        return self.temporaries / self.block if self.block else 1.0


@dataclass(frozen=True)
class Recording:
    """One signature of a compiled function."""

    arguments: tuple[str, ...]
    recorded: int  # operations, before they were fused
    kernels: tuple[Launched, ...]
    memory: Memory
    guards: int

    @property
    def bytes(self) -> int:
        """Read and written by all kernels."""
        return sum(k.bytes for k in self.kernels)

    @property
    def flops(self) -> int:
        """Floating-point operations of the kernels whose number is known."""
        return sum(k.flops or 0 for k in self.kernels)

    @property
    def splits(self) -> tuple[Launched, ...]:
        """What stays a call of Python."""
        return tuple([k for k in self.kernels if k.kernel == "Python"])

    def __str__(self) -> str:
        kinds = {"Python": 0, "check": 0, "loop": 0}
        for k in self.kernels:
            kinds[k.kernel] = kinds.get(k.kernel, 0) + 1
        rest = len(self.kernels) - kinds["Python"] - kinds["check"] - kinds["loop"]
        lines = [
            f"({', '.join(self.arguments)}), {self.guards} guards",
            f"  {_many(self.recorded, 'operation')} became {_many(rest, 'kernel')}, {_many(kinds['loop'], 'loop')}, "
            f"{_many(kinds['check'], 'check')} and {_many(kinds['Python'], 'call')} of Python",
            "",
            _row("#", "kernel", "operations", "elements", "bytes", "flops", "parts"),
        ]
        for i, k in enumerate(self.kernels):
            if k.backward and not (i and self.kernels[i - 1].backward):
                lines.append("  backward:")
            shape = f"{k.dtype}[{', '.join(map(str, k.shape))}]"
            flops = "-" if k.flops is None else _short(k.flops)
            lines.append(_row(i + 1, k.kernel, ", ".join(k.operations), shape, _short(k.bytes), flops, k.parts or "-"))
            if k.kernel == "Python" and k.where:
                lines.append(f"        called from {k.where}")
        lines.append(_row("", "", "", "all", _short(self.bytes), _short(self.flops), ""))
        m = self.memory
        lines += [
            "",
            f"  temporaries: {_short(m.block)}B, used {m.reuse:.1f} times ({_short(m.temporaries)}B side by side, "
            f"{_short(m.unfused)}B without fusion)",
            f"  results: {_short(m.results)}B a call; gradients: {_short(m.gradients)}B; "
            f"saved for backward: {_short(m.saved)}B",
        ]
        return "\n".join(lines)

    __repr__ = __str__


@dataclass(frozen=True)
class Split:
    """A reason why calls were left to Python, the line that gave it, and how many recordings met it."""

    reason: str
    where: str
    count: int


class Explanation:
    """What torch.compile has made of a function: print it, or look at `steps` and `splits`.

    `pieces` holds the same of modules that are compiled by themselves because the function was left to Python. Call
    it with arguments to have the function called, and explained, if that has not been done yet.

    >>> import flambeau as torch
    >>> found = torch.compile.explain(lambda a, x: (a @ x + 1).relu())(torch.ones(2, 8), torch.ones(8, 3))
    >>> for step in found.steps:  # none where there is no LLVM
    ...     assert step.arguments == ("a: float32[2, 8]", "x: float32[8, 3]")
    ...     assert [(k.kernel, k.flops) for k in step.kernels] == [("gemm.product", 2 * 2 * 8 * 3), ("loop", 18)]
    ...     assert step.kernels[1].operations == ("add", "relu") and step.memory.results == 4 * 2 * 3
    >>> found.splits
    []
    """

    def __init__(self, compiled: Compiled):
        self.function = compiled
        self.steps = [_recording(compiled, step) for step in reversed(compiled.steps)]
        self.splits = [Split(reason, where, n) for (reason, where), n in compiled.reasons.items()]
        self.eager_calls = compiled.eager_calls
        self.pieces = [Explanation(piece) for _, piece in compiled.pieces]  # modules in a function left to Python

    def __call__(self, *args: Any, **kwargs: Any) -> Explanation:
        """Call the function, and explain what that has led to."""
        self.function(*args, **kwargs)
        return Explanation(self.function)

    def __str__(self) -> str:
        compiled = self.function
        lines = [
            f"{compiled.label}: {_many(len(self.steps), 'recording')}, {_many(self.eager_calls, 'call')} without one"
        ]
        if not compiled.enabled:
            lines.append("  compiled with a backend that runs eagerly")
        elif backend() is None:
            lines.append("  there is no LLVM here (llvmlite), so everything runs eagerly")
        elif not self.steps and not self.splits:
            lines.append("  nothing has been recorded: call the function, or explain(function)(*arguments)")
        for i, step in enumerate(self.steps):
            lines += ["", f"recording {i + 1} {step}"]
        if self.splits:
            lines += ["", "left to Python, because the function"]
            lines += [f"  {s.reason}{f', {s.count} times' if s.count > 1 else ''}\n    {s.where}" for s in self.splits]
        if compiled.given_up >= PATIENCE:
            rest = ", with these modules compiled by themselves:" if self.pieces else ""
            lines.append("  further calls run in Python" + rest)
            lines += ["\n" + str(piece) for piece in self.pieces]
        if len(self.steps) >= MOST_STEPS:
            lines.append(f"  {MOST_STEPS} signatures are kept: calls with further ones run eagerly")
        return "\n".join(lines)

    __repr__ = __str__


def explained(function: Any) -> Explanation:
    """The explanation of what torch.compile returned, of a module whose `compile()` was called, or of a function."""
    found = getattr(function, "_compiled_call_impl", None) or function
    if isinstance(found, OptimizedModule):
        found = found.__dict__["_compiled"]
    if isinstance(found, types.MethodType) and isinstance(found.__func__, Compiled):
        found = found.__func__
    if not callable(found):
        raise ArgumentTypeError(
            f"explain takes a function or a module, not {type(function).__name__}",
            why="it runs it once",
            fix="give the function itself, not its result",
        )
    return Explanation(found if isinstance(found, Compiled) else Compiled(found))


# ------------------------------------------------------------------ from a step


def _recording(compiled: Compiled, step: Step) -> Recording:
    planners = [step.planner, step.later_planner] if step.backward else [step.planner]
    kernels = []
    for planner in planners:
        parts: dict[int, list[int]] = {}  # a loop that reduces may take several launches: one line
        for node, n in planner.launches:
            parts.setdefault(id(node), []).append(n)
        kernels += [launched(n, max(parts.get(id(n), [0])), planner is not step.planner) for n in planner.nodes]
    memory = Memory(
        block=sum(p.arena_bytes for p in planners),
        temporaries=sum(padded(b.size) for p in planners for b in p.owned),
        unfused=step.unfused,
        results=sum(r.buffer.size for r in step.outputs),
        gradients=sum(grad.region.buffer.size for grad in step.grads),
        saved=sum(b.size for b in step.saved),
    )
    return Recording(_arguments(compiled.function, step), step.recorded, tuple(kernels), memory,
                     len(step.guard_lines))  # fmt: skip


def launched(node: Node, parts: int, backward: bool) -> Launched:
    reads = node.reads[:1] if isinstance(node, Check) else node.reads
    regions: Iterable[Region] = [*dict.fromkeys(reads), *dict.fromkeys(node.writes)]
    first = node.writes[0] if node.writes else node.reads[0] if node.reads else None
    name = node.name or getattr(getattr(node, "function", None), "__name__", "")
    names = tuple(["formula" if n == "<lambda>" else n for n in dict.fromkeys(name.split(", ")) if n])
    shape = node.shape if isinstance(node, Map) else first.shape if first else ()
    kind = first.dtype.name if first else ""
    where = node.where if isinstance(node, Call) else ""
    return Launched(_kernel(node), names, tuple(shape), kind, sum(map(_touched, regions)), operations(node), parts,
                    backward, where)  # fmt: skip


def _kernel(node: Node) -> str:
    if isinstance(node, Launch):
        return node.kernel.name
    return "loop" if isinstance(node, Map) else "check" if isinstance(node, Check) else "Python"


def _touched(region: Region) -> int:
    """Bytes of the elements that a region has, one that is repeated counted once."""
    return math.prod([n for n, s in zip(region.shape, region.strides) if s or not n]) * region.dtype.itemsize


def _arguments(function: Callable, step: Step) -> tuple[str, ...]:
    """Every argument with what a recording holds it to."""
    try:
        names = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):
        names = []
    found = {}
    for seen in step.walk.seen:
        if seen.argument and seen.expression[:4] in ("args", "kwar"):
            label = seen.expression
            for i, name in enumerate(names):
                label = label.replace(f"args[{i}]", name, 1) if label.startswith(f"args[{i}]") else label
            if label.startswith("kwargs['"):
                label = label.replace("kwargs['", "", 1).replace("']", "", 1)
            if isinstance(seen.value, Tensor):
                array = seen.value._array
                found[label] = f"{label}: {array.dtype.name}[{', '.join(map(str, array.shape))}]"
            elif isinstance(seen.value, int | float | str | None | np.generic):
                found[label] = f"{label} = {seen.value!r}"
    return tuple(found.values())


def _row(*cells: Any) -> str:
    """A line of the table: the first four columns to the left, numbers to the right."""
    parts = []
    for i, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True)):
        text = str(cell)
        text = text if len(text) < width else text[: width - 4] + "..."
        parts.append(text.ljust(width) if i < 4 else text.rjust(width))
    return ("  " + "".join(parts)).rstrip()


def _many(number: int, what: str) -> str:
    """'1 loop', '2 loops'."""
    return f"{number} {what}{'s' if number != 1 else ''}"


def _short(number: int) -> str:
    """1234567 -> '1.23 M'."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number} "
