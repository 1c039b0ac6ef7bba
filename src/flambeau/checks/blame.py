"""How findings of numbers that are not finite are put: as an error or a warning, with the operation in the source."""

from __future__ import annotations

import ast
import copy
import sys

from ..errors import GradientError
from ..place import user_frame
from .findings import found
from .flow import Root, root_at
from .inplace import Spot, spot_of, spots
from .sites import Site

SAID = object()  # a warning was given, or is not due


def told(error):
    """What a rule gives that has an answer: the error, or SAID."""
    return error if error is not None else SAID


def say(strict, code, fact, why, fix, cause, site, **evidence):
    """The error, or the finding as a warning."""
    if strict:
        return GradientError(fact, why=why, fix=fix, code=code, cause=cause)
    found(code, saw=fact, why=why, fix=fix, cause=cause, level="W", at=site, **evidence)
    return None


class Context:
    """The user's line at backward(), and what stands there."""

    def __init__(self):
        frame = user_frame(sys._getframe(1))
        self.site = Site(frame.f_code, frame.f_lasti) if frame is not None else None
        self.root: Root | None = root_at(self.site, frame) if self.site is not None else None
        self.name = self.root.name if self.root is not None else "loss"

    def spot(self, node, nodes: list) -> Spot | None:
        """Where in the source the operation of a node stands."""
        op = getattr(getattr(node, "op", None), "name", "") or type(node).__name__.removesuffix("Backward")
        if self.root is None:
            return None
        only = spot_of(self.root, op)
        if only is not None:
            return only
        every = sorted(
            spots(self.root, op), key=lambda s: (s.step.site().file, s.line, getattr(s.node, "col_offset", 0))
        )
        same = sorted((n for n in nodes if getattr(getattr(n, "op", None), "name", "") == op), key=lambda n: n.seq)
        files = {s.step.scope.source.code for s in every}
        if len(every) == len(same) and len(files) == 1 and node in same:
            return every[same.index(node)]
        return None


class _Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        if node is self.old or (ast.dump(node) == ast.dump(self.old) and not isinstance(node, ast.Constant)):
            return self.new
        return super().generic_visit(node)


def replaced(spot: Spot | None, operand: ast.expr | None, form: str) -> str:
    """The source of an operation with another operand: `{}.clamp(min=1e-8)` of it; "" if there is no source."""
    if spot is None or operand is None:
        return ""
    text = ast.unparse(operand)
    simple = isinstance(operand, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) or form.startswith("(")
    new = ast.parse(form.format(text if simple else f"({text})"), mode="eval").body
    return ast.unparse(ast.fix_missing_locations(_Replace(operand, new).visit(copy.deepcopy(spot.node))))
