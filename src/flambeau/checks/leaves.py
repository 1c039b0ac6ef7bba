"""FB-GRAD-05: `.grad` is read from a tensor that is no leaf, or such a tensor is given to an optimizer."""

from __future__ import annotations

import ast
import copy
import sys
from typing import NamedTuple

from ..errors import ArgumentError
from ..place import NEVER, kind_of, user_frame
from .findings import found
from .flow import Scope, dotted, names, node_at, source_of
from .sites import Site

NOT_A_LEAF = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
    "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, "
    "use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access the "
    "leaf Tensor instead."
)
MOVES = {"to", "to_copy", "clone", "contiguous", "view", "reshape", "to_format", "transpose", "permute", "t",
         "unsqueeze", "squeeze", "expand", "mul", "div", "neg", "add", "sub"}  # fmt: skip
CASTS = MOVES - {"mul", "div", "neg", "add", "sub"}


class Definition(NamedTuple):
    """What is known of a tensor that is no leaf."""

    name: str  # the user's name of it
    cause: str  # moved, rebound or intermediate
    line: int  # where it was computed; 0 if unknown
    text: str  # that statement
    fix: str  # the statement as it should be; "" if it cannot be written


def read(t) -> None:
    """`.grad` of a tensor that is no leaf is read, and it is None."""
    frame = sys._getframe(2)
    if kind_of(frame.f_code.co_filename) != NEVER:  # the package's own look
        read_at(t, frame)


def read_at(t, frame) -> None:
    """The same, in a frame of the user's."""
    site = Site(frame.f_code, frame.f_lasti)
    try:
        d = _definition(t, frame, site)
    except Exception:  # whatever the user's source looks like: what is certain is said
        d = Definition("it", "intermediate", 0, "", "")
    if d.cause == "rebound":
        found(
            "FB-GRAD-05",
            saw=NOT_A_LEAF,
            why=f"line {d.line} (`{d.text}`) made a new tensor and named it `{d.name}`: it is not the leaf any more, "
            "so its .grad stays None",
            fix=f"change the leaf in place instead: `{d.fix}`",
            cause="rebound",
            at=site,
        )
    elif d.cause == "moved":
        found(
            "FB-GRAD-05",
            saw=NOT_A_LEAF,
            why=f"`{d.name}` is the result of line {d.line} (`{d.text}`), not the tensor created with "
            "requires_grad=True: the gradient goes to that one, and `.grad` here stays None",
            fix=f"let the result be the leaf: `{d.fix}`",
            cause="moved",
            at=site,
        )
    else:
        found(
            "FB-GRAD-05",
            saw=NOT_A_LEAF,
            why=f"`{d.name}` was computed (line {d.line}: `{d.text}`), and backward() keeps gradients of leaves only"
            if d.line
            else f"`{d.name}` was computed, and backward() keeps gradients of leaves only",
            fix=f"call `{d.name}.retain_grad()` before backward(), or read the gradient of the leaf behind it",
            cause="intermediate",
            at=site,
        )


def not_optimizable(t) -> ArgumentError:
    """The error of an optimizer that is given a tensor that is no leaf."""
    frame = user_frame(sys._getframe(1))
    d = None
    if frame is not None:
        try:
            d = _definition(t, frame, Site(frame.f_code, frame.f_lasti), search=True)
        except Exception:  # whatever the user's source looks like: the error stays
            d = None
    if d is None or not d.line:
        return ArgumentError(
            "can't optimize a non-leaf Tensor",
            why="it is the result of an operation, so changing it would not change what it was made from",
            fix="optimize the tensor it was made from, or use `x = x.detach().requires_grad_()`",
            code="FB-GRAD-05",
            cause="optimizer",
        )
    return ArgumentError(
        "can't optimize a non-leaf Tensor",
        why=f"`{d.name}` is the result of line {d.line} (`{d.text}`): changing it would not change what it was made "
        "from",
        fix=f"let the result be the leaf: `{d.fix}`"
        if d.cause == "moved" and d.fix
        else f"optimize what it was made from, or make it a leaf: `{d.name} = {d.name}.detach().requires_grad_()`",
        code="FB-GRAD-05",
        cause="moved" if d.cause == "moved" else "optimizer",
    )


def _definition(t, frame, site, search=False) -> Definition:
    source, scope = source_of(frame.f_code), Scope.of(frame)
    node, order = node_at(source, site) if source is not None else (None, -1)
    name = ""
    if not search and isinstance(node, ast.Attribute):
        name = dotted(node.value) or ast.unparse(node.value)
    if not name or search:
        tables = [*frame.f_locals.items(), *frame.f_globals.items()]
        name = next((n for n, v in tables if v is t), name) or "it"
    if source is None or scope is None:
        return Definition(name, "intermediate", 0, "", "")
    reaching = source.reaching(name, order)
    if reaching and isinstance(
        reaching[0].statement, (ast.For, ast.AsyncFor)
    ):  # the loop's variable: another name of it
        held = [n for n, v in [*frame.f_locals.items(), *frame.f_globals.items()] if v is t and n != name]
        name = held[0] if held else name
        reaching = source.reaching(name, order)
    updates = [d for d in reaching if _updates(d.value, name)]
    if updates and not search:
        d = updates[0]
        return Definition(name, "rebound", d.statement.lineno, ast.unparse(d.statement), _in_place(d.value, name))
    if not reaching:
        return Definition(name, "intermediate", 0, "", "")
    d = reaching[0]
    text, line = ast.unparse(d.statement).splitlines()[0], d.statement.lineno
    leaf, casts = _leaf(t)
    created = _as_leaf(d.value)
    others = [n for n in names(d.value) if hasattr(scope.value(ast.parse(n, mode="eval").body), "_rg") and n != name]
    if leaf is not None and (created or (casts and not _named(leaf, frame))):
        fix = f"{name} = {created}" if created else f"{name} = {name}.detach().requires_grad_()"
        return Definition(name, "moved", line, text, fix)
    if leaf is not None and casts and not others:
        return Definition(name, "moved", line, text, f"{name} = {name}.detach().requires_grad_()")
    if leaf is not None and casts and others:
        return Definition(name, "moved", line, text, f"{name} = {ast.unparse(d.value)}.detach().requires_grad_()")
    return Definition(name, "intermediate", line, text, "")


def _named(leaf, frame) -> bool:
    """Whether the user has a name for a leaf."""
    return any(v is leaf for table in (frame.f_locals, frame.f_globals) for v in list(table.values()))


def _leaf(t):
    """(the only leaf behind a tensor, whether it is reached through casts and views alone)."""
    node, casts = t._node, True
    for _ in range(20):
        edges = [e for e in node.edges if e is not None]
        op = getattr(getattr(node, "op", None), "name", "")
        if len(edges) != 1 or op not in MOVES:
            return None, False
        casts = casts and op in CASTS
        if edges[0][1] == -1:
            return edges[0][0], casts
        node = edges[0][0]
    return None, False


def _updates(value: ast.expr, name: str) -> bool:
    """Whether an expression is an update by the gradient: `a - lr * a.grad`."""
    reads = {dotted(n.value) for n in ast.walk(value) if isinstance(n, ast.Attribute) and n.attr == "grad"}
    return bool(reads) and name in names(value)


def _in_place(value: ast.expr, name: str) -> str:
    """The update as an in-place change without recording."""
    if isinstance(value, ast.BinOp) and dotted(value.left) == name and isinstance(value.op, (ast.Sub, ast.Add)):
        sign = "-" if isinstance(value.op, ast.Sub) else "+"
        return f"with torch.no_grad(): {name} {sign}= {ast.unparse(value.right)}"
    return f"with torch.no_grad(): {name}.copy_({ast.unparse(value)})"


class _Bare(ast.NodeTransformer):
    """Takes `requires_grad=True` and `.requires_grad_()` out, and remembers whether there was one."""

    def __init__(self):
        self.had = ""

    def visit_Call(self, node):
        self.generic_visit(node)
        kept = [k for k in node.keywords if k.arg != "requires_grad"]
        if len(kept) < len(node.keywords):
            self.had = self.had or "keyword"
            node.keywords = kept
        name = dotted(node.func).rpartition(".")[2]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "requires_grad_":
            self.had = self.had or "keyword"
            return node.func.value
        if name in ("Parameter", "Variable") and node.args:
            self.had = ast.unparse(node.func)
            return node.args[0]
        return node


def _as_leaf(value: ast.expr) -> str:
    """The expression with its result as the leaf: `torch.randn(3).double().requires_grad_()`; "" without a leaf."""
    bare = _Bare()
    made = bare.visit(copy.deepcopy(value))
    if not bare.had:
        return ""
    text = ast.unparse(ast.fix_missing_locations(made))
    if bare.had != "keyword":
        return f"{bare.had}({text})"
    simple = isinstance(made, (ast.Call, ast.Name, ast.Attribute, ast.Subscript))
    return f"{text}.requires_grad_()" if simple else f"({text}).requires_grad_()"
