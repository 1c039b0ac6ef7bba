"""Tensors that are no scalar (FB-GRAD-01), a leaf changed in place (FB-INPL-01), not contiguous (FB-INPL-03)."""

from __future__ import annotations

import ast

from ..arrays import element_strides
from ..checks.sites import Site, statements
from ..errors import GradientError, ShapeError
from ..tensor import Tensor
from .operands import assigned, called, object_of_method, user

_MOVES = {"permute": "permuted", "transpose": "transposed", "t": "transposed", "expand": "expanded", "select": "sliced",
          "slice": "sliced", "unfold": "unfolded", "diagonal": "taken from a diagonal"}  # fmt: skip


def not_scalar(t: Tensor) -> GradientError:
    """The error for backward() of a tensor that is no scalar."""
    name, shape = object_of_method("backward") or called(t, "loss"), tuple(t._array.shape)
    made = t._node.name() if t._node is not None else "the graph"
    return GradientError(
        "grad can be implicitly created only for scalar outputs",
        why=f"`{name}`, made by {made}, has shape {shape}: one value per sample, and there is one gradient per number"
        if len(shape) and shape[0] > 1
        else f"`{name}`, made by {made}, has shape {shape}, and there is one gradient per number",
        fix=f"reduce it: `{name}.mean().backward()`; for that of the sum pass `gradient=torch.ones_like({name})`",
        code="FB-GRAD-01",
    )


def _statement() -> str:
    """The source of the statement that failed, on one line; "" where it is not a simple one."""
    frame = user()
    if frame is None:
        return ""
    found = ""
    for body in statements(Site(frame.f_code, frame.f_lasti)):
        for node in ast.walk(body):
            simple = isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign))
            if simple and node.lineno <= frame.f_lineno <= (node.end_lineno or node.lineno):  # type: ignore[attr-defined]
                found = ast.unparse(node)
    return found if "\n" not in found else ""


def leaf_in_place(fact: str, t: Tensor) -> GradientError:
    """The error for an in-place change of a leaf that requires grad, or of a view of one."""
    name, source = called(t, "w"), _statement()
    update = ".grad" in source
    return GradientError(
        fact,
        why=f"`{source}` would overwrite a parameter inside the graph"
        if update
        else f"the graph refers to the value of `{name}`; changing it would make its gradient wrong",
        fix=f"wrap the update: `with torch.no_grad(): {source}`; or let an optimizer do it"
        if update
        else f"wrap the change: `with torch.no_grad(): {source}`"
        if source
        else "wrap the change in `with torch.no_grad():`",
        code="FB-INPL-01",
        cause="update" if update else "change",
    )


def not_contiguous(t: Tensor, sizes) -> ShapeError:
    """The error for a view() that the order of the memory does not allow."""
    name, shape, sizes = object_of_method("view") or called(t, "x"), tuple(t._array.shape), tuple(sizes)
    how, line = _moved(t), assigned(name)
    new = ", ".join(map(str, sizes))
    return ShapeError(
        "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
        "contiguous subspaces). Use .reshape(...) instead.",
        why=f"`{name}` of shape {shape} was {how} on line {line}: its elements do not lie in the order of {sizes}"
        if how and line
        else f"`{name}` of shape {shape} was {how}: its elements do not lie in the order of {sizes}"
        if how
        else f"`{name}` of shape {shape} has strides {tuple(element_strides(t._array))}: its elements do not lie "
        f"in the order of {sizes}",
        fix=f"use `{name}.reshape({new})`, which copies; if the original order is wanted, reshape before it is {how}"
        if how
        else f"use `{name}.reshape({new})`, which copies",
        code="FB-INPL-03",
        cause=how if how in ("permuted", "transposed", "expanded", "sliced") else "",
    )


def _moved(t: Tensor) -> str:
    """What made a tensor's memory lie in another order: "transposed"..., or "" if its history does not say."""
    chain = t._chain
    while chain is not None:
        chain, op, _ = chain
        name = getattr(getattr(op, "op", op), "name", "")
        if name in _MOVES:
            return _MOVES[name]
    node = t._node
    for _ in range(8):
        name = getattr(getattr(node, "op", None), "name", "")
        if name in _MOVES:
            return _MOVES[name]
        edge = next((e for e in getattr(node, "edges", ()) if e is not None and e[1] != -1), None)
        if edge is None:
            break
        node = edge[0]
    return ""
