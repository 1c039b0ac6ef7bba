"""The batch dimension that was merged or squeezed away (FB-SHAPE-03): which operation did it, far from the error."""

from __future__ import annotations

import ast
import linecache
import math
import sys
from typing import Any, NamedTuple

from ..checks.sites import Site, statements
from ..checks.sites import _tree as parsed
from ..errors import FlambeauError, IndexOutOfRange
from ..place import USER, kind_of
from ..tensor import Tensor
from .operands import called, operands

CODE = "FB-SHAPE-03"
_RESHAPES = ("view", "reshape", "flatten", "squeeze", "squeeze_dim")


class Step(NamedTuple):
    """An operation in the history of a tensor: its name, the shapes before and after it, what was computed from it."""

    name: str
    before: tuple[int, ...]
    after: tuple[int, ...]
    out_features: int = 0  # of the linear layer that took the result, if one did


def history(t: Tensor):
    """The steps that led to a tensor, the last first, along the operand that carries its rows."""
    at: Any = t
    shape, features = tuple(t._array.shape), 0
    for _ in range(64):
        node = None
        if isinstance(at, Tensor):
            if at._base is not None and at._chain is not None:
                name = getattr(getattr(at._chain[1], "op", at._chain[1]), "name", "")
                yield Step(name, tuple(at._base._array.shape), shape, features)
                at, shape, features = at._base, tuple(at._base._array.shape), 0
                continue
            node = at._node
        else:
            node = at
        if node is None:
            return
        name = getattr(getattr(node, "op", None), "name", "")
        inputs = _inputs(node)
        if not inputs:
            return
        following, before = next(((i, s) for i, s in inputs if s[:1] == shape[:1] and s), inputs[0])
        if name in _RESHAPES:
            following, before = inputs[0]
        yield Step(name, before, shape, features)
        features = shape[-1] if name == "linear" and shape else 0
        at, shape = following, before


def _inputs(node) -> list[tuple[Any, tuple[int, ...]]]:
    """(tensor or node, shape) of what a node was computed from, parameters last."""
    found, owned = [], []
    saved = getattr(node, "saved", None) or {}
    for i, edge in enumerate(node.edges):
        if edge is None:
            kept = saved.get(i)
            if kept is not None and isinstance(kept[0], Tensor):
                found.append((kept[0], tuple(kept[0]._array.shape)))
        elif edge[1] == -1:
            owned.append((edge[0], tuple(edge[2])))
        else:
            found.append((edge[0], tuple(edge[2])))
    return found + owned


def merged(t: Tensor, batch: int) -> Step | None:
    """The view, reshape or squeeze where dimension 0 stopped being `batch` samples; None where it was another thing."""
    for step in history(t):
        if step.name in _RESHAPES and step.before[:1] == (batch,) and step.after[:1] != (batch,):
            return step
        if step.before[:1] == (batch,):
            return None
    return None


def call_in_source(step: Step) -> tuple[str, str]:
    """(the call, what it is called on) of a step in the user's code, where exactly one call can have made its shape.

    The functions that are running are looked through first, from the inside out, then their files.
    """
    for scope in _scopes():
        calls = [n for s in scope for n in ast.walk(s) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        found = {(ast.unparse(c), ast.unparse(c.func.value)) for c in calls if _makes(c, step)}  # type: ignore
        if found:
            return found.pop() if len(found) == 1 else ("", "")
    return "", ""


def _scopes():
    """Lists of statements: of the user's functions on the stack, then of their files."""
    files, frame = [], sys._getframe(1)
    while frame is not None:
        if kind_of(frame.f_code.co_filename) == USER:
            files.append(frame.f_code.co_filename)
            yield statements(Site(frame.f_code, frame.f_lasti))
        frame = frame.f_back
    for file in dict.fromkeys(files):
        tree = parsed(file, len(linecache.getlines(file)))
        yield tree.body if tree is not None else []


def _number(written: ast.expr) -> int | None:
    """The value of a size that is written in numbers, such as 16 * 4 * 4; None for one with names."""
    parts = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)
    if not all(isinstance(n, parts) for n in ast.walk(written)):
        return None
    try:
        return eval(compile(ast.Expression(written), "<flambeau size>", "eval"), {"__builtins__": {}})
    except (ArithmeticError, TypeError, ValueError):
        return None


def _makes(call, step) -> bool:
    """Whether a call can have made the shape of a step: its literal sizes agree, and there are as many."""
    name = call.func.attr
    if name not in _RESHAPES:
        return False
    if name in ("flatten", "squeeze"):
        return step.name.startswith(name) or (name == "flatten" and step.name in ("view", "reshape") and not call.args)
    if step.name not in ("view", "reshape"):
        return False
    sizes = call.args[0].elts if len(call.args) == 1 and isinstance(call.args[0], ast.Tuple) else call.args
    if len(sizes) != len(step.after) or any(isinstance(s, ast.Starred) for s in sizes):
        return False
    for written, size in zip(sizes, step.after, strict=True):
        if _number(written) not in (None, -1, size):
            return False
    return True


class BatchError(FlambeauError, ValueError, RuntimeError):
    """Batches of different sizes: PyTorch's losses raise ValueError, its other operations RuntimeError."""


def wrong_batch(fact: str, input: Tensor, target: Tensor) -> BatchError:
    """The error for predictions and targets of different numbers of samples."""
    a, t = tuple(input._array.shape), tuple(target._array.shape)
    x, y = called(input, "input"), called(target, "target")
    step = merged(input, t[0]) if t else None
    if step is not None:
        call, owner = call_in_source(step)
        values, rows = math.prod(step.before[1:]), step.after[0] if step.after else 1
        done = call or f"{step.name} to {step.after}"
        keep = f"{owner or 'x'}.flatten(1)"
        return BatchError(
            fact,
            why=f"`{x}` has {a[0] if a else 1} rows for {t[0]} targets: `{done}` turned {t[0]} samples of "
            f"{' * '.join(map(str, step.before[1:]))} = {values} values into {rows} rows",
            fix=f"use `{keep}` and `nn.Linear({values}, {step.out_features})`"
            if step.out_features
            else f"use `{keep}`, which keeps the batch: {(step.before[0], values)}",
            code=CODE,
            cause="merged" if not step.name.startswith("squeeze") else "squeezed",
        )
    step = merged(target, a[0]) if a else None
    if step is not None:
        call, owner = call_in_source(step)
        done = call or f"{step.name} to {step.after}"
        return BatchError(
            fact,
            why=f"`{y}` has shape {t} for {a[0]} rows of `{x}`: `{done}` turned {step.before} into {step.after}",
            fix=f"leave out `{done}`: the targets had one row per sample before it",
            code=CODE,
            cause="merged" if not step.name.startswith("squeeze") else "squeezed",
        )
    if len(a) == 3 and t == (a[0] * a[1],):
        return BatchError(
            fact,
            why=f"`{x}` has shape {a}, `{y}` {t}, one target for each of {a[0]} * {a[1]} positions",
            fix=f"use `{x}.flatten(0, 1)`, of shape {(a[0] * a[1], a[2])}",
        )
    if len(t) == 2 and a and a[0] == t[0] * t[1]:
        return BatchError(
            fact,
            why=f"`{x}` has shape {a}, `{y}` {t}",
            fix=f"use `{y}.flatten()`, one target for each row of `{x}`",
        )
    return BatchError(
        fact,
        why=f"`{x}` has shape {a}, `{y}` {t}",
        fix="pass one target per row of the input",
    )


def no_such_dim(fact: str, ndim: int, n: int) -> IndexOutOfRange:
    """The error for a dimension that a tensor does not have; `n` of them may be named."""
    for o in operands():
        if o.tensor._array.ndim != ndim:
            continue
        for step in history(o.tensor):
            if step.name == "squeeze" and len(step.before) > len(step.after):
                call, owner = call_in_source(step)
                keep = tuple(i for i, s in enumerate(step.before) if s == 1 and i)
                good = keep[0] if len(keep) == 1 else keep
                return IndexOutOfRange(
                    fact,
                    why=f"`{o.name}` has shape {tuple(o.tensor._array.shape)}: `{call or 'squeeze()'}` took every "
                    f"dimension of size 1 out of {step.before}, the batch of one too",
                    fix=f"name the dimension, `{owner or 'x'}.squeeze({good})`"
                    if keep
                    else f"leave out `{call or 'squeeze()'}`",
                    code=CODE,
                    cause="squeezed",
                )
        return IndexOutOfRange(
            fact,
            why=f"`{o.name}` has {ndim} dimension(s), its shape is {tuple(o.tensor._array.shape)}",
            fix=f"pass `dim` between {-n} and {n - 1}",
        )
    return IndexOutOfRange(
        fact,
        why=f"the tensor has {ndim} dimension(s)",
        fix=f"pass `dim` between {-n} and {n - 1}",
    )
