"""What the user calls the tensors of a failed call, and what the source says about them."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
import sys
from types import FrameType
from typing import Any, NamedTuple

from ..calls import called_by, failed_call
from ..checks import registry
from ..checks.log import log
from ..checks.sites import Site, name_in, statements
from ..place import running, user_frame
from ..tensor import Tensor


class Operand(NamedTuple):
    """A tensor of a failed call.

    name: code that names it; parameter: whether a module owns it; known: whether the name is one of the program's.
    """

    tensor: Tensor
    name: str
    parameter: bool
    known: bool = True


def user() -> FrameType | None:
    """The user's frame."""
    return user_frame(sys._getframe(1))


def operands() -> list[Operand]:
    """The tensors that the failed call was given, in order."""
    frame = sys._getframe(1)
    line = user_frame(frame)
    call = failed_call(frame, line)
    written = _written(frame, line)
    found: list[Operand] = []

    def look(name, value, depth=2):
        if isinstance(value, Tensor):
            if not any(o.tensor is value for o in found):
                found.append(operand(value, written.get(id(value), name)))
        elif depth and isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                look(f"{name}[{i}]", item, depth - 1)

    if call is not None:
        for name, value in call[1].items():
            look("input" if name.startswith("*") or name == "self" else name, value)
    return found


def called(t: Tensor, fallback: str) -> str:
    """What the program calls one tensor of the failed call: a variable, a parameter's path, or the expression given."""
    frame = sys._getframe(1)
    return as_operand(operand(t, _written(frame, user_frame(frame)).get(id(t), fallback)).name)


def is_parameter(t: Tensor) -> bool:
    """Whether a tensor is an `nn.Parameter`."""
    return any(c.__name__ == "Parameter" for c in type(t).__mro__)


def reshaped_from(t: Tensor) -> tuple[int, ...] | None:
    """The shape that a tensor had before the view, reshape or flatten that made it; None if none of them did."""
    node = t._node
    if getattr(getattr(node, "op", None), "name", "") in _RESHAPES:
        return tuple(node.edges[0][2])
    chain = t._chain
    if t._base is not None and chain is not None and chain[1].name in _RESHAPES and chain[0] is None:
        return tuple(t._base._array.shape)
    return None


_RESHAPES = ("view", "reshape", "flatten")


def _written(start, line) -> dict[int, str]:
    """What the source of the failing line writes for the tensors that it hands on: id -> expression."""
    if line is None:
        return {}
    given = list(called_by(start, line).values())
    texts = [t for t in Site(line.f_code, line.f_lasti).operands() if not re.match(r"\w+=", t)]
    if len(texts) == len(given) + 1:
        del texts[0]  # what the function is an attribute of: a module, or `self`
    if len(texts) > len(given):
        return {}
    return {id(x): text for x, text in zip(given, texts) if isinstance(x, Tensor)}


def operand(t: Tensor, fallback: str) -> Operand:
    """A tensor with its name in the user's program; `fallback` is the name of the parameter that takes it."""
    root, path = owner(t)
    if root is not None:
        variable = registry.variable(root)
        return Operand(t, f"{variable or type(root).__name__}.{path}", True, bool(variable))
    return Operand(t, name_of(t) or fallback, False)


def is_name(text: str) -> bool:
    """Whether a value can be assigned to this code: a variable or an attribute, or an element of one."""
    return re.fullmatch(r"[A-Za-z_][\w.]*(\[\w+\]|\['\w+'\])?", text) is not None


def name_of(t: object) -> str:
    """The user's variable or attribute that holds an object; "" if there is none."""
    frame = user_frame(sys._getframe(1))
    return name_in(frame, t) or attribute(frame, t)


def owner(t: Tensor) -> tuple[Any, str]:
    """(root module, dotted name) of a parameter or buffer; (None, "") if no module has it."""
    for root in registry.roots():
        with contextlib.suppress(Exception):  # a module of the user's with an unusual __getattribute__
            for name, p in itertools.chain(root.named_parameters(), root.named_buffers()):
                if p is t:
                    return root, name
    return None, ""


def attribute(frame: FrameType | None, t: object) -> str:
    """`self.mask`, `self.masks[0]`: the attribute of the frame's `self` that holds an object; "" if none does."""
    owner = frame.f_locals.get("self") if frame is not None else None
    for name, value in getattr(owner, "__dict__", {}).items():
        if value is t:
            return f"self.{name}"
        if isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                if item is t:
                    return f"self.{name}[{i}]"
        elif isinstance(value, dict) and not name.startswith("_"):
            for key, item in value.items():
                if item is t:
                    return f"self.{name}[{key!r}]"
    return ""


def plain_attribute(t: object) -> tuple[Any, str] | None:
    """(module, attribute) where a running module holds a tensor that is neither parameter nor buffer."""
    for module in running(sys._getframe(1)):
        for name, value in module.__dict__.items():
            if value is t:
                return module, name
            if isinstance(value, (list, tuple)) and any(item is t for item in value):
                return module, name
    return None


def in_forward(frame: FrameType | None) -> list[str]:
    """The names of the arguments of `forward`, if the frame is that of a module's; else nothing."""
    if frame is None or frame.f_code.co_name != "forward" or "self" not in frame.f_locals:
        return []
    code = frame.f_code
    return [n for n in code.co_varnames[1 : code.co_argcount] if n in frame.f_locals]


def thrown_away(name: str, methods: tuple[str, ...]) -> tuple[int, str] | None:
    """(line, source) of a statement before the failing one that calls a method of a variable and drops the result."""
    frame = user()
    if frame is None or not name:
        return None
    found = None
    for statement in _before(frame):
        call = statement.value if isinstance(statement, ast.Expr) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in methods:
            if ast.unparse(call.func.value) == name:
                found = statement.lineno, ast.unparse(statement)
        elif isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(ast.unparse(n) == name for t in targets for n in ast.walk(t) if isinstance(n, ast.expr)):
                found = None  # the name means something else from here on
    return found


def lost(t: Tensor, name: str, methods: tuple[str, ...]) -> tuple[int, str, str] | None:
    """(line, source, variable) of a call of one of these methods of a tensor whose result was dropped."""
    for held, line, variable, source in log.notes.get("dropped", ()):
        if held() is t and source.rpartition("(")[0].rpartition(".")[2] in methods:
            return line, source, variable
    found = thrown_away(name, methods)
    return None if found is None else (*found, name)


def assigned(name: str) -> int:
    """The line before the failing one that gave a variable its value last, as far as the source tells; 0 if none."""
    frame = user()
    line = 0
    for statement in _before(frame) if frame is not None else ():
        targets: list = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, (ast.AnnAssign, ast.For)):
            targets = [statement.target]
        if any(ast.unparse(n) == name for t in targets for n in ast.walk(t) if isinstance(n, ast.expr)):
            line = statement.lineno
    return line


def _before(frame):
    """The statements of a frame's function that begin before its line, in the order of the source."""
    body = statements(Site(frame.f_code, frame.f_lasti))
    every = [n for s in body for n in ast.walk(s) if isinstance(n, ast.stmt)]
    return sorted((n for n in every if n.lineno < frame.f_lineno), key=lambda n: (n.lineno, n.col_offset))


def object_of_method(name: str) -> str:
    """The source of what the failing method was called on: `out.detach()` of `out.detach().numpy()`; "" if unknown."""
    call = source()
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == name:
        return as_operand(ast.unparse(call.func.value))
    return ""


def as_operand(text: str) -> str:
    """Code in brackets if something written behind it would not belong to all of it: `a + b`, then `.sum()`."""
    try:
        value = ast.parse(text, mode="eval").body
    except SyntaxError:
        return text
    return text if isinstance(value, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) else f"({text})"


def source() -> ast.expr | None:
    """The expression of the user's line that failed, parsed; None where it cannot be read."""
    frame = user()
    return None if frame is None else Site(frame.f_code, frame.f_lasti).expression()
