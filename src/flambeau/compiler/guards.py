"""Whether a recording still holds: one Python function, generated from what the step could see."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import owner
from ..autograd import mode
from ..nn.modules import hooks
from ..tensor import Tensor
from .surroundings import PLAIN, Found, Walk


def alike(a: Any, b: Any) -> bool:
    """Whether two plain values are of one type and equal."""
    return type(a) is type(b) and bool(a == b)


def changed(before: Walk, after: Walk) -> str | None:
    """What the step did to Python's own state, or None."""
    old = {(id(s.container), s.key): s.value for s in before.seen}
    for s in after.seen:
        key = (id(s.container), s.key)
        if key not in old:
            continue
        was = old[key]
        if was is s.value or (isinstance(was, PLAIN) and alike(was, s.value)):
            continue
        return (
            f"the step changes {_readable(s.expression)}" if s.key != "len()" else "the step changes a container's size"
        )
    return None


def _readable(expression: str) -> str:
    """An expression for people: the names of constants mean nothing to them."""
    name, _, rest = expression.partition("[")
    return f"'{rest.rstrip(']').strip(chr(39))}'" if rest else name


def condition(walk: Walk, bound: dict[str, Any], graph: bool = False) -> list[str]:
    """The conditions, as Python source, under which everything that a step could see is as it was.

    graph: arguments may be results of other operations, which get their gradients through the step's own node.
    """
    lines: list[str] = []

    def constant(value: Any) -> str:
        name = f"v{len(bound)}"
        bound[name] = value
        return name

    first: dict[int, str] = {}
    for s in walk.seen:
        value, e = s.value, s.expression
        if value is None or value is True or value is False:
            lines.append(f"{e} is {value}")
        elif s.key == "len()":
            lines.append(f"{e} == {value}")
        elif isinstance(value, PLAIN):
            name = constant(value)
            lines.append(f"({e} is {name} or alike({e}, {name}))")
        elif s.argument and isinstance(value, Tensor):
            found = walk.tensors[id(value)]
            if not found.argument:
                lines.append(f"{e} is {constant(value)}")
            elif id(value) in first:
                lines.append(f"{e} is {first[id(value)]}")
            else:
                first[id(value)] = e
                lines += _tensor(e, value, constant, graph)
        elif s.argument and isinstance(value, dict | list | tuple):
            lines.append(f"type({e}) is {constant(type(value))}")
        else:
            lines.append(f"{e} is {constant(value)}")
    for found in walk.tensors.values():
        if not found.argument:
            t = constant(found.tensor)
            lines.append(f"{t}._array is {constant(found.tensor._array)} and {t}._rg is {found.tensor._rg}")
    bound.update(alike=alike, state=mode.state, flags=hooks._Active, walk=walk.constants)
    bound.update(walk.constants)
    lines.append(f"state.grad is {mode.state.grad} and state.inference is {mode.state.inference}")
    lines.append(
        f"state.autocast is {constant(mode.state.autocast)} and state.special is False and flags.flag is False"
    )
    return list(dict.fromkeys(lines))


def _tensor(e: str, t: Tensor, constant: Any, graph: bool) -> list[str]:
    a = t._array
    leaf = "True" if graph else f"{e}._node is None"
    return [
        f"type({e}) is {constant(type(t))}",
        f"{e}._array.__class__ is {constant(np.ndarray)} and {e}._array.shape == {a.shape}",
        f"{e}._array.dtype is {constant(a.dtype)} and {e}._array.strides == {a.strides}",
        f"{e}._rg is {t._rg} and {leaf} and {e}._array.flags.writeable is {a.flags.writeable}",
    ]


def function(lines: list[str], bound: dict[str, Any]) -> Any:
    """The conditions as one function of (args, kwargs)."""
    source = (
        "def check(args, kwargs):\n    return (\n"
        + "".join(f"        {line} and\n" for line in lines)
        + "        True)\n"
    )
    scope = dict(bound)
    exec(compile(source, "<guards>", "exec"), scope)
    check = scope["check"]

    def holds(args: tuple, kwargs: dict) -> bool:
        try:
            return check(args, kwargs)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError):
            return False  # something that the conditions name is not there any more

    return holds


def memory_of(found: Found) -> int:
    """The id of the array that owns a tensor's memory."""
    return id(owner(found.tensor._array))
