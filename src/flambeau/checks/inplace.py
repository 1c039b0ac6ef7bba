"""Values that were overwritten although somebody needs them: FB-INPL-02, FB-INPL-05 (backward) and FB-INPL-04 (NumPy).

The place of the last in-place change is in the version counter (`Tensor._wrote`). The place that kept the value is read
off the source: it is named only where one operation alone can be meant.
"""

from __future__ import annotations

import ast
import copy
import sys
from types import FrameType
from typing import Any

from ..errors import GradientError
from ..place import LIBRARY, user_frame
from .flow import Root, Scope, Step, dotted, is_module, names, needs_gradient, root_at, site_at, source_of
from .log import log
from .registry import optimized, owner, variable
from .sites import Site

# ---------------------------------------------------------------------- where an operation stands in the source

OPERATORS: dict[str, tuple] = {
    "mul": (ast.Mult,), "div": (ast.Div,), "pow": (ast.Pow,), "add": (ast.Add,), "sub": (ast.Sub,),
    "mm": (ast.MatMult,), "bmm": (ast.MatMult,), "matmul": (ast.MatMult,), "mv": (ast.MatMult,), "dot": (ast.MatMult,),
    "neg": (ast.USub,), "reciprocal": (ast.Div,), "rsub": (ast.Sub,), "matmul_nd": (ast.MatMult,), "square": (ast.Pow,),
}  # fmt: skip
ALIASES = {
    "mul": {"multiply", "prod"}, "div": {"divide", "true_divide"}, "pow": {"square", "pow"}, "mm": {"matmul", "linear"},
    "bmm": {"matmul"}, "addmm": {"linear"}, "linear": {"linear", "matmul"}, "amax": {"max"}, "amin": {"min"},
    "maximum": {"max"}, "minimum": {"min"}, "linalg_vector_norm": {"norm", "normalize", "vector_norm"},
    "mean_dim": {"mean"}, "sum_dim": {"sum"}, "max_dim": {"max"}, "cross_entropy_loss": {"cross_entropy"},
    "binary_cross_entropy": {"bce_loss"}, "nll_loss": {"cross_entropy", "nll_loss"}, "var": {"var", "std"},
    "log_softmax": {"cross_entropy", "log_softmax"},
}  # fmt: skip


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def spelled(step: Step, n: ast.AST, op: str) -> tuple[str, str] | None:
    """(source, path of the module that does it) if an expression may be an operation of this name."""
    if isinstance(n, (ast.BinOp, ast.UnaryOp)) and isinstance(n.op, OPERATORS.get(op, ())):
        return ast.unparse(n), ""
    if not isinstance(n, ast.Call):
        return None
    short = n.func.attr if isinstance(n.func, ast.Attribute) else dotted(n.func)
    wanted = {_plain(op), *map(_plain, ALIASES.get(op, ()))}
    value = step.scope.value(n.func)
    if is_module(value):
        for path, m in value.named_modules():
            if _plain(type(m).__name__) in wanted and type(m).__module__.startswith(LIBRARY):
                return ast.unparse(n), path or dotted(n.func)
        return None
    made = step.scope.value(n.func.func) if isinstance(n.func, ast.Call) else None  # nn.ReLU()(x)
    if isinstance(made, type) and _plain(made.__name__) in wanted:
        return ast.unparse(n), ""
    if not isinstance(value, type) and _plain(short.rstrip("_")) in wanted:
        return ast.unparse(n), ""
    return None


class Spot:
    """An operation in the user's source."""

    def __init__(self, step: Step, node: ast.AST, text: str, module: str):
        self.step, self.node, self.text, self.module = step, node, text, module

    @property
    def site(self) -> Site:
        """Its place."""
        return self.step.site(self.node)

    @property
    def line(self) -> int:
        """Its line's number."""
        return getattr(self.node, "lineno", 0)


def spots(root: Root, op: str) -> list[Spot]:
    """The places on the way to a root where an operation of this name may have run."""
    found: dict = {}
    for step in root.steps():
        for n in ast.walk(step.expression):
            match = spelled(step, n, op)
            if match is not None:
                key = id(step.scope.source), n.lineno, n.col_offset, n.end_col_offset  # type: ignore[attr-defined]
                found.setdefault(key, Spot(step, n, *match))
    return list(found.values())


def spot_of(root: Root, op: str, inputs=(), results=()) -> Spot | None:
    """The one place where an operation ran; among several, the one that works on these names, or gives them."""
    every = spots(root, op)
    if len(every) > 1 and inputs:
        every = [s for s in every if set(names(s.node)) & set(inputs)] or every
    if len(every) > 1:
        every = [s for s in every if needs_gradient(s.step.scope, s.node)] or every
    if len(every) > 1 and results:
        every = [s for s in every if any(t in results for t in _targets(s.step.statement))] or every
    return every[0] if len(every) == 1 else None


def _targets(s: ast.stmt) -> list[str]:
    return [dotted(t) for t in getattr(s, "targets", [getattr(s, "target", None)]) if t is not None]


def operand_of(spot: Spot | None, position: int) -> ast.expr | None:
    """What an operation works on, in the source."""
    n: Any = spot.node if spot is not None else None
    if isinstance(n, ast.BinOp):
        return n.right if position or isinstance(n.op, ast.Div) else n.left
    if isinstance(n, ast.Call):
        from_call = spot.step.scope.value(n.func.value) if isinstance(n.func, ast.Attribute) else None  # type: ignore
        given = [*n.args, *[k.value for k in n.keywords]]
        if isinstance(n.func, ast.Attribute) and not isinstance(from_call, type(sys)):
            given = [n.func.value, *given]
        return given[position] if position < len(given) else None
    return None


# ---------------------------------------------------------------------- FB-INPL-02 and 05


def overwritten(fact: str, op: str, t, kept_result: bool) -> GradientError:
    """The error for a value that backward needs and that was changed in place."""
    try:
        found = _overwritten(fact, op, t, kept_result)
    except Exception:  # whatever the user's source looks like: the error stays
        found = None
    if found is not None:
        return found
    return GradientError(
        fact,
        why=f"{op} kept this tensor for its gradient, and it was changed in place since",
        fix="use the out-of-place form (`x = x + 1` instead of `x += 1`), or `x.clone()` before changing it",
        code="FB-INPL-02",
        cause="in-place",
    )


def _overwritten(fact, op, t, kept_result):
    frame = user_frame(sys._getframe(3))
    cell = t._cell
    if frame is None or not log.on:
        return None
    called = held_as(frame, cell)
    root = root_at(Site(frame.f_code, frame.f_lasti), frame)
    spot = None
    if root is not None:
        spot = spot_of(root, op, () if kept_result else called, called if kept_result else ())
    saver = f"{op} (line {spot.line})" if spot is not None else op
    write = _write_of(cell, frame, called)
    if write is not None:
        site, aside = write
        source = source_of(site.code)
        node = _written(source, site) if source is not None else None
        text = ast.unparse(node) if node is not None else site.source
        better = out_of_place(node) if node is not None else ""
        aside = ".data" if ".data" in text else ".detach()" if ".detach()" in text else aside
        if aside:
            if t._node is None and t._rg:
                better = ""  # a leaf is not replaced but changed later
            return GradientError(
                fact,
                why=f"{saver} kept its result for backward, and `{text}` (line {site.line}) changed it through "
                f"`{aside}`, behind autograd's back: the gradient would be wrong"
                if kept_result
                else f"{saver} kept this value for backward, and `{text}` (line {site.line}) changed it through "
                f"`{aside}`, behind autograd's back: the gradient would be wrong",
                fix=f"use `{better}`, or change a `clone()`"
                if better
                else f"move `{text}` below backward(), next to the optimizer's step"
                if t._node is None and t._rg
                else "change a `clone()` of it",
                code="FB-INPL-05",
                cause=".data" if aside == ".data" else "detach",
            )
        layer = _in_place_layer(source, site, node)
        return GradientError(
            fact,
            why=f"{saver} kept its result for backward, and `{text}` (line {site.line}) overwrote it"
            if kept_result
            else f"{saver} kept this value for backward, and `{text}` (line {site.line}) overwrote it",
            fix=f"use `{better}`"
            if better
            else f"build `{layer}` without `inplace=True`"
            if layer
            else "use the out-of-place form of it, or change a `clone()` of the tensor",
            code="FB-INPL-02",
            cause="in-place",
        )
    if t._rg and t._node is None and id(t) in optimized():
        name = _name(t)
        return GradientError(
            fact,
            why=f"{saver} kept `{name}` for backward, and optimizer.step() has changed it since the forward pass",
            fix="call backward() on all losses before step(), or compute the loss again after it",
            code="FB-INPL-02",
            cause="optimizer-step",
        )
    return None


def _write_of(cell, frame, called) -> tuple[Site, str] | None:
    """(place, ".data" if through that) of the last in-place change: as it was noted, else the only one there is."""
    if len(cell) > 1 and cell[3] == cell[0]:
        return Site(cell[1], cell[2]), cell[4]
    source = source_of(frame.f_code)
    if source is None or len(cell) > 1:
        return None
    writes = [d for d in source.definitions if d.name in called and d.adds]
    return (source.site(writes[0].statement), "") if len(writes) == 1 else None


def _in_place_layer(source, site: Site, node) -> str:
    """The layer with `inplace=True` that a call runs, as it prints."""
    if node is None or source is None:
        return ""
    frame = user_frame(sys._getframe(4))
    while frame is not None and frame.f_code is not site.code:
        frame = frame.f_back
    scope = Scope.of(frame) if frame is not None else Scope(source, {}, {})
    for call in (n for n in ast.walk(node) if isinstance(n, ast.Call)):
        if any(k.arg == "inplace" for k in call.keywords):
            return ast.unparse(call.func)
        value = scope.value(call.func) if scope is not None else None
        for m in value.modules() if is_module(value) else ():  # type: ignore[union-attr]
            if getattr(m, "inplace", False):
                return type(m).__name__
    return ""


def _name(t) -> str:
    root, path = owner(t)
    return f"{variable(root) or type(root).__name__}.{path}" if root is not None else variable(t) or "a parameter"


def held_as(frame: FrameType | None, cell) -> list[str]:
    """The names under which the user holds tensors with this version counter."""
    from .graphs import _held

    return [name for name, t, _ in _held(frame) if t._cell is cell]


def _written(source, site: Site) -> ast.AST | None:
    """The statement or call that writes, at a place."""
    order = source.at(site.line)
    if order < 0:
        return None
    s = source.statements[order][0]
    if isinstance(s, (ast.AugAssign, ast.Assign)) and not isinstance(getattr(s, "value", None), ast.Call):
        return s
    first, _, column, _ = site._positions()
    for n in ast.walk(s):
        if isinstance(n, ast.Call) and (n.lineno, n.col_offset) == (first, column):
            return n
    return s if isinstance(s, (ast.AugAssign, ast.Assign, ast.Expr)) else None


class _Recorded(ast.NodeTransformer):
    """Takes `.data` and `.detach()` out."""

    def visit_Attribute(self, node):
        self.generic_visit(node)
        return node.value if node.attr == "data" else node

    def visit_Call(self, node):
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "detach" and not node.args:
            return node.func.value
        return node


SIGNS = {"mul": "*", "add": "+", "sub": "-", "div": "/", "pow": "**"}


def out_of_place(node: ast.AST) -> str:
    """The statement that does the same as an in-place one without overwriting: `y = y * 2`; "" if there is none."""
    node = _Recorded().visit(copy.deepcopy(node))
    if isinstance(node, ast.Expr):
        node = node.value
    if isinstance(node, ast.AugAssign):
        target = ast.unparse(node.target)
        sign = ast.unparse(ast.BinOp(ast.Name("a"), node.op, ast.Name("b")))[2:-2]
        if isinstance(node.target, ast.Subscript):
            base = ast.unparse(node.target.value)
            return f"{base} = {base}.clone(); {ast.unparse(node)}"
        value = ast.unparse(node.value)
        value = f"({value})" if isinstance(node.value, (ast.BinOp, ast.IfExp, ast.Compare)) else value
        return f"{target} = {target} {sign} {value}"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        base = ast.unparse(node.targets[0].value)
        return f"{base} = {base}.clone(); {ast.unparse(node)}"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        of, name = ast.unparse(node.func.value), node.func.attr
        if isinstance(node.func.value, (ast.Name, ast.Attribute)) and name.endswith("_"):
            if name[:-1] in SIGNS and len(node.args) == 1 and not node.keywords:
                value = ast.unparse(node.args[0])
                value = f"({value})" if isinstance(node.args[0], (ast.BinOp, ast.IfExp)) else value
                return f"{of} = {of} {SIGNS[name[:-1]]} {value}"
            if name in ("zero_", "fill_"):
                full = ast.unparse(node.args[0]) if node.args else "0"
                return f"{of} = torch.full_like({of}, {full})" if full != "0" else f"{of} = torch.zeros_like({of})"
            given = ", ".join([*map(ast.unparse, node.args), *map(ast.unparse, node.keywords)])
            return f"{of} = {of}.{name[:-1]}({given})"
        if isinstance(node.func.value, ast.Subscript) and name.endswith("_"):
            base = ast.unparse(node.func.value.value)
            return f"{base} = {base}.clone(); {ast.unparse(node)}"
    return ""


__all__ = ["overwritten", "site_at", "spot_of", "spots"]
