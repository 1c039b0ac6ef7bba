"""softmax and argmax over a dimension that does not hold the classes: the batch, or a single score."""

from __future__ import annotations

import ast
import sys
from types import FrameType
from typing import Any

import numpy as np

from ..language import warn
from ..place import LIBRARY, running, user_frame
from . import registry
from .findings import found, seen
from .log import log
from .sites import Site, applied, arguments, statements, user_site
from .tags import MOVES, Origin, origin

_ELEMENTWISE = {"mul", "div", "add", "sub", "relu", "gelu", "gelu_tanh", "tanh", "leaky_relu", "elu", "hardtanh",
                "mask", "sigmoid", "log_softmax", "softmax", "clamp", "clamp_numbers"}  # fmt: skip
_PRODUCTS = {"matmul", "matmul_nd", "addmm"}
_LOOKS = 8  # how often a kind of call is looked at


class At:
    """A place in the graph, as `origin` looks at tensors."""

    _tag = _base = _chain = _cell = None

    def __init__(self, edge):
        self._node, self.ndim = edge[0], len(edge[2])


def feature_axis(t, through=_ELEMENTWISE) -> int | None:
    """The dimension of what a layer makes: the last one of a linear layer, 1 of a convolution; None if unknown.

    Element-wise operations of the graph are looked through; dimensions that were moved or reshaped are unknown.
    """
    for _ in range(10):
        made = origin(t)
        if made.moved or made.reshaped:
            return None
        if made.kind == "linear" or made.kind in _PRODUCTS and _by_parameter(made.node):
            return t.ndim - 1
        if made.kind == "convolution":
            return 1 if t.ndim > 2 else None
        if made.kind not in through or made.node is None:
            return None
        edge = next((e for e in made.node.edges if e is not None and len(e[2]) == t.ndim), None)
        if edge is None:
            return None
        t = edge[0] if edge[1] == -1 else At(edge)
    return None


def _by_parameter(node) -> bool:
    """Whether the second factor of a product is a leaf, or a transposed one: a layer written out."""
    if node is None or not node.edges or (edge := node.edges[-1]) is None:
        return False
    if edge[1] != -1 and getattr(getattr(edge[0], "op", None), "name", "") in MOVES:
        edge = edge[0].edges[0]
    return edge is not None and edge[1] == -1 and len(edge[2]) == 2


def _fresh(*key) -> bool:
    """Whether a kind of call is still to be looked at."""
    count = log.looks.get(key, 0)
    if count >= _LOOKS or len(log.looks) > 512:
        return False
    log.looks[key] = count + 1
    return True


# ---------------------------------------------------------------------- softmax


def softmax(name: str, input, made, axis: int) -> None:
    """Look at a softmax or log_softmax over a dimension of size 1, or over the first of two."""
    a = made._array
    if type(a) is not np.ndarray or not a.size or not _fresh(name, a.shape, axis, made._node is None):
        return
    if a.shape[axis] == 1:
        if feature_axis(input, ()) == axis:
            _one_score(name, a, axis)
    if axis == 0 and a.ndim == 2 and a.shape[1] > 1 and feature_axis(input) == 1 and _returned_by_root():
        over_batch(origin(made), made, user_site())


def _one_score(name, a, axis):
    layer = _layer(sys._getframe(3))
    shape, value = tuple(a.shape), "0" if name == "log_softmax" else "1"
    text = arguments(user_site(), "input")[0]
    why = "there is only one score per sample: the result depends on nothing, and its gradient is 0"
    if layer is not None:
        path = registry.name_of_module(layer)
        found("FB-LOSS-09", f"{path} = {layer!r} of {shape} is always {value}", why,
              f"use `nn.Sigmoid()` in place of `nn.{layer!r}` ({path}), or give the layer before it one output per "
              "class", cause="one-score")  # fmt: skip
    else:
        found("FB-LOSS-09", f"{name} over dimension {axis} of `{text}` {shape} is always {value}", why,
              f"use `torch.sigmoid({text})`, or give the layer before it one output per class",
              cause="one-score")  # fmt: skip


def _layer(frame):
    """The softmax layer of the package that is running, if one is."""
    modules = running(frame)
    if modules and type(modules[0]).__name__ in ("Softmax", "LogSoftmax", "Softmin", "Softmax2d"):
        return modules[0]
    return None


def over_batch(made: Origin, t, at: Site | None = None) -> bool:
    """Report a softmax over the batch of a tensor (N, C), if `made` is one and the dimensions are still those."""
    a = t._array
    if made.kind not in ("softmax", "log_softmax") or made.options.get("axis") != 0 or made.moved or made.reshaped:
        return False
    if a.ndim != 2 or a.shape[1] < 2 or a.dtype.kind != "f":
        return False
    site, layer, kind = made.site or at or user_site(), made.module(), made.kind
    row = a[0].astype(np.float64)
    total = float((np.exp(row) if kind == "log_softmax" else row).sum())
    shape, count = tuple(a.shape), a.shape[0]
    whole, inner = applied(site)
    if layer is not None and type(layer).__name__ in ("Softmax", "LogSoftmax"):
        path = registry.name_of_module(layer)
        found("FB-LOSS-09", f"{path} = {layer!r} of {shape} normalises over the {count} samples: the scores of one "
              f"sample do not sum to 1 (row 0: {total:.2f})",
              "dimension 0 is the batch; every sample's result depends on the others'",
              f"use `nn.{type(layer).__name__}(dim=1)` in place of `nn.{layer!r}` ({path})",
              cause="batch", at=site)  # fmt: skip
    else:
        found("FB-LOSS-09", f"{kind} over dimension 0 of `{inner or 'input'}` {shape} normalises over the {count} "
              f"samples: the scores of one sample do not sum to 1 (row 0: {total:.2f})",
              "dimension 0 is the batch; every sample's result depends on the others'",
              f"use `dim=1` in `{whole or kind}`", cause="batch", at=site)  # fmt: skip
    return True


def implied(name: str, input, stacklevel: int) -> int:
    """The dimension that a softmax without `dim` takes, and a warning that it should be given."""
    ndim = input._array.ndim
    chosen, wanted = 0 if ndim in (0, 1, 3) else 1, -1 if ndim in (0, 1, 3) else 1
    site = user_site() if log.on else None
    if site is None or site.library:
        warn(
            f"Implicit dimension choice for {name} has been deprecated. "
            "Change the call to include dim=X as an argument.",
            stacklevel=stacklevel + 1,
        )
        return chosen
    shape = tuple(input._array.shape)
    found("FB-LOSS-09",
          f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
          f"without it, dimension {chosen} of {shape} is taken, whatever it holds",
          f"pass `dim={wanted}`", cause="implicit")  # fmt: skip
    return chosen


def _returned_by_root() -> bool:
    """Whether what the running call makes is what the outermost module that runs returns, as it is."""
    frame: FrameType | None = sys._getframe(1)
    modules = running(frame)
    inner: Any = None
    while frame is not None and (not modules or inner is not modules[-1]):
        module = frame.f_locals.get("self") if frame.f_code.co_name == "forward" else None
        if any(module is m for m in modules):
            users = user_frame(frame) is frame
            if users and not _returned(Site(frame.f_code, frame.f_lasti)):
                return False
            if not users and inner is not None and not _last(module, inner):
                return False
            inner = module
        frame = frame.f_back
    # A softmax layer that is called on its own is not the model.
    return inner is not None and not (inner is modules[0] and type(inner).__module__.startswith(LIBRARY))


def _last(module, inner) -> bool:
    """Whether a module of the package returns what the one in it that is running makes."""
    return type(module).__name__ == "Sequential" and list(module._modules.values())[-1:] == [inner]


# ---------------------------------------------------------------------- what becomes of a value


def _node_at(site: Site) -> tuple[ast.AST | None, list]:
    """(the expression at a site, the statements of its function)."""
    first, last, column, end = site._positions()
    body = statements(site)
    for statement in body:
        for node in ast.walk(statement):
            where = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
            if where == (first, last) and isinstance(node, ast.Call):
                if (node.col_offset, node.end_col_offset) == (column, end):
                    return node, body
    return None, body


def _names_of(node, body) -> set[str]:
    """The variables that an expression's value (or a part of it, `pred = out.max(1)[1]`) is assigned to."""
    names = set()
    for statement in body:
        for s in ast.walk(statement):
            if isinstance(s, (ast.Assign, ast.AnnAssign)) and s.value is not None:
                value = s.value
                while isinstance(value, (ast.Subscript, ast.Attribute)):
                    value = value.value
                if value is node:
                    targets = s.targets if isinstance(s, ast.Assign) else [s.target]
                    names |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return names - {"_"}


def _returned(site: Site) -> bool:
    """Whether the function at a site returns the value of the call there, and nothing else."""
    node, body = _node_at(site)
    if node is None:
        return False
    names = _names_of(node, body)
    returns = [s.value for statement in body for s in ast.walk(statement) if isinstance(s, ast.Return)]
    return bool(returns) and all(r is node or isinstance(r, ast.Name) and r.id in names for r in returns)


def _compared(site: Site) -> bool:
    """Whether the value of the call at a site is compared with something, or given to a measure of accuracy."""
    node, body = _node_at(site)
    if node is None:
        return False
    names = _names_of(node, body)

    def inside(e):
        return any(n is node or isinstance(n, ast.Name) and n.id in names for n in ast.walk(e))

    for statement in body:
        for e in ast.walk(statement):
            if isinstance(e, ast.Compare) and isinstance(e.ops[0], (ast.Eq, ast.NotEq)):
                if inside(e.left) or inside(e.comparators[0]):
                    return True
            elif isinstance(e, ast.Call):
                name = e.func.attr if isinstance(e.func, ast.Attribute) else getattr(e.func, "id", "")
                if name in ("eq", "ne", "equal") or any(w in name.lower() for w in ("acc", "metric", "correct")):
                    if any(inside(x) for x in (e.func, *e.args)):
                        return True
    return False


# ---------------------------------------------------------------------- argmax


def chosen(name: str, input, axis: int) -> None:
    """Look at an argmax, or a max with positions, along one dimension."""
    a = input._array
    if type(a) is not np.ndarray or a.size < 2 or not _fresh(name, a.shape, axis, input._node.__class__):
        return
    made = origin(input)
    if axis == a.ndim - 1 and over_batch(made, input):
        return
    site = user_site()
    if site is None or site.library:
        return
    text, shape = applied(site)[1] or "x", tuple(a.shape)
    if a.shape[axis] == 1:
        if made.kind in ("softmax", "log_softmax") and seen("FB-LOSS-09"):
            return  # its cause
        direct = made.kind == "sigmoid" and not made.moved and not made.reshaped and a.ndim == 2 and axis == 1
        if direct or feature_axis(input) == axis:
            limit = "0.5" if made.kind == "sigmoid" else "0"
            found("FB-LOOP-10", f"{name} over dimension {axis} of `{text}` {shape} is always 0: there is one score per "
                  "sample", "the largest of one number is that number, whatever the model has learnt",
                  f"with one score per sample use `({text}.squeeze({axis}) > {limit})`", cause="one-score")  # fmt: skip
    elif axis == 0 and a.ndim == 2 and _is_batch(a) and _compared(site):
        if feature_axis(input) == 1 or made.kind in ("softmax", "log_softmax") and made.options.get("axis") == 1:
            count, classes = shape
            found("FB-LOOP-10", f"{name} over dimension 0 of `{text}` {shape} picks one of the {count} samples for "
                  f"each of the {classes} classes", "the class of each sample is the largest score of its row",
                  "use `dim=1`", cause="batch")  # fmt: skip


def _is_batch(a) -> bool:
    """Whether dimension 0 can be the batch that was given last."""
    return log.batch is None or log.batch.size == a.shape[0]
