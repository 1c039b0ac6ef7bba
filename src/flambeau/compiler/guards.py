"""Whether a recording still holds: one Python function, generated from what the step could see."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..arrays import owner
from ..autograd import mode
from ..nn.modules import hooks
from ..optim import optimizer
from ..tensor import Tensor
from .surroundings import PLAIN, Found, Walk


def alike(a: Any, b: Any) -> bool:
    """Whether two plain values are of one type and equal."""
    return type(a) is type(b) and bool(a == b)


def changed(before: Walk, after: Walk, actions: list) -> str | None:
    """What the step did to Python's own state, other than by actions, or None."""
    theirs = {id(held) for _, action in actions for held in action.holders()}
    old = {(id(s.container), s.key): s.value for s in before.seen}
    for s in after.seen:
        key = (id(s.container), s.key)
        if key not in old or not s.guarded and id(s.container) in theirs:
            continue
        was = old[key]
        if was is s.value or (isinstance(was, (*PLAIN, tuple, frozenset)) and alike(was, s.value)):
            continue
        return (
            f"the step changes {_readable(s.expression)}" if s.key != "len()" else "the step changes a container's size"
        )
    for number, state in after.states.items():
        if number in before.states and not _same_state(before.states[number], state):
            return "the step changes the memory, requires_grad or the hooks of a tensor"
    return None


def _same_state(a: tuple, b: tuple) -> bool:
    return a[0] is b[0] and a[1] is b[1] and len(a[2]) == len(b[2]) and len(a[3]) == len(b[3])


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
        if not s.guarded:
            continue
        if value is None or value is True or value is False:
            lines.append(f"{e} is {value}")
        elif s.key in ("len()", "in", "keys()", "content"):
            empty = s.key == "len()" and not value
            if s.key == "keys()" and not value:
                continue  # an empty container has been found empty already
            lines.append(f"not {e[4:-1]}" if empty else f"{e} == {value if s.key == 'len()' else constant(value)}")
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
            if found.tensor._rg:
                lines += _hooks(t, found.tensor, constant)
    bound.update(alike=alike, state=mode.state, flags=hooks._Active, walk=walk.constants)
    bound.update(walk.constants)
    bound.update(dtypes=dtypes, optimizer_hooks=(optimizer._step_pre_hooks, optimizer._step_post_hooks))
    lines.append(f"dtypes._default is {constant(dtypes._default)} and optimizer_hooks == {constant(_copied_hooks())}")
    lines.append(f"state.grad is {mode.state.grad} and state.inference is {mode.state.inference}")
    lines.append(
        f"state.autocast is {constant(mode.state.autocast)} and state.special is False and flags.flag is False"
    )
    return list(dict.fromkeys(lines))


def apart(arrays: list, others: frozenset) -> bool:
    """Whether arguments share no memory with each other, or with what the step refers to itself."""
    owners = [id(owner(a)) for a in arrays]
    return len(set(owners)) == len(owners) and others.isdisjoint(owners)


def _copied_hooks() -> tuple:
    return optimizer._step_pre_hooks.copy(), optimizer._step_post_hooks.copy()


def _hooks(e: str, t: Tensor, constant: Any) -> list[str]:
    """That a tensor has the hooks that it had."""
    if not t._hooks and not t._post_hooks:
        return [f"not ({e}._hooks or {e}._post_hooks)"]
    return [
        f"not {e}.{name}" if not hooks else f"tuple({e}.{name}.values()) == {constant(tuple(hooks.values()))}"
        for name, hooks in (("_hooks", t._hooks), ("_post_hooks", t._post_hooks))
    ]


def _tensor(e: str, t: Tensor, constant: Any, graph: bool) -> list[str]:
    a = t._array
    leaf = "True" if graph else f"{e}._node is None"
    return [
        f"type({e}) is {constant(type(t))}",
        *_hooks(e, t, constant),
        f"{e}._array.__class__ is {constant(np.ndarray)} and {e}._array.shape == {a.shape}",
        f"{e}._array.dtype == {constant(a.dtype)} and {e}._array.strides == {a.strides}",
        f"{e}._rg is {t._rg} and {leaf} and {e}._array.flags.writeable is {a.flags.writeable}",
    ]


def function(lines: list[str], bound: dict[str, Any]) -> Any:
    """The conditions as one function of (args, kwargs)."""
    source = "def check(args, kwargs):\n    try:\n        return (\n"
    source += "".join(f"            {line} and\n" for line in lines)
    # What the conditions name may not be there any more.
    source += (
        "            True)\n    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError):\n"
    )
    source += "        return False\n"
    scope = dict(bound)
    exec(compile(source, "<flambeau guards>", "exec"), scope)
    return scope["check"]


def memory_of(found: Found) -> int:
    """The id of the array that owns a tensor's memory."""
    return id(owner(found.tensor._array))
