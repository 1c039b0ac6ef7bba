"""Shapes that fit and are wrong: (N, 1) with (N,), views that re-cut memory, squeezed batches, the batch read as time.

The framework calls `broadcast`, `viewed`, `squeezed` and `recurrent` where an operation of that kind has run: the
first ones of a program (`log.deep`, `log.views`), or those that are rare.
"""

from __future__ import annotations

import ast
import sys

import numpy as np

from ..place import NEVER, USER, kind_of, past, running
from . import events
from .findings import found
from .log import log
from .sites import Site, user_site
from .tags import MOVES, origin

_ADDED = {"unsqueeze", "unsqueeze_key"}


def _names(site: Site | None, *fallback: str) -> list[str]:
    """The source of the operands at a site."""
    texts = site.operands() if site is not None else []
    if len(texts) == len(fallback) + 1:
        texts = texts[1:]  # `torch` of torch.mul(a, b)
    return texts if len(texts) == len(fallback) else list(fallback)


def _own_site(depth: int) -> Site | None:
    """The site of a caller, if that is the user's own code: what the package does within itself is nobody's mistake."""
    frame = past(sys._getframe(depth + 1))
    own = kind_of(frame.f_code.co_filename) == USER
    return Site(frame.f_code, frame.f_lasti) if own else None


def _steps(t):
    """Names of the operations behind a tensor, the last first, as far as views and single operands lead."""
    for _ in range(16):
        if t._base is not None:
            chain = t._chain
            while chain is not None:
                chain, op, _options = chain
                yield getattr(getattr(op, "op", op), "name", "")
            t = t._base
            continue
        node = t._node
        for _ in range(16):
            if node is None:
                return
            yield getattr(getattr(node, "op", None), "name", "")
            edge = next((e for e in node.edges if e is not None), None)
            if edge is None:
                return
            if edge[1] == -1:
                t = edge[0]
                break
            node = edge[0]
        else:
            return


def _made_by_hand(t) -> bool:
    """Whether a dimension of size 1 was added to a tensor on purpose: by `None` in a subscript or unsqueeze."""
    for name in _steps(t):
        if name in _ADDED:
            return True
        if name not in ("view", "reshape", "expand", "to", "clone", *MOVES):
            return False
    return False


# ---------------------------------------------------------------------- (N, 1) meets (N,)


def broadcast(name: str, x, y, out) -> None:
    """An element-wise operation has given more elements than either operand has."""
    a, b = x._array.shape, y._array.shape
    if len(a) == len(b) or not a or not b or out._node is None:
        return  # dimensions that both have were written down
    long, short = (x, y) if len(a) > len(b) else (y, x)
    p = long._array.shape
    q = (1,) * (len(p) - len(short._array.shape)) + tuple(short._array.shape)
    grown = [n for m, n in zip(p, q, strict=True) if m == 1 and n > 1]
    spread = [m for m, n in zip(p, q, strict=True) if n == 1 and m > 1]
    if not grown or not spread or (grown[0] != spread[0] and not _is_batch(spread[0], grown[0])):
        return
    if x.requires_grad == y.requires_grad:
        return  # both are computed: distances of all pairs are meant
    data = y if x.requires_grad else x
    site = user_site()
    if data._node is not None or site is None or site.library or _within_loss():
        return
    if (_made_by_hand(long) or _made_by_hand(short)) and not (data is long and _column_of_targets(name, long, site)):
        return
    shape = tuple(out._array.shape)
    u, v = _names(site, "a", "b")
    column, row = (u, v) if long is x else (v, u)
    whole = f"{u} {_SYMBOLS[name]} {v}" if name in _SYMBOLS else f"{name}({u}, {v})"
    wide, narrow = tuple(p), tuple(short._array.shape)
    axes = tuple(i for i, n in enumerate(p) if n == 1)
    if tuple(n for n in p if n != 1) != narrow:
        axes = (next(i for i, (m, n) in enumerate(zip(p, q, strict=True)) if m == 1 and n > 1),)
    axis = axes[0]

    def fire():
        found(
            "FB-SHAPE-04",
            f"`{whole}` combined {wide} with {narrow} into {shape}",
            "every prediction is compared with every target, so the loss is that of another problem",
            f"use `{_grouped(column)}.squeeze({axis})` or `{_grouped(row)}.unsqueeze({axis})`"
            if len(axes) == 1
            else f"use `{_grouped(column)}.squeeze({axes})` or `{_grouped(row)}.reshape({wide})`",
            at=site,
            cause="column",
        )

    events.arm(out._node, fire)


def _column_of_targets(name: str, long, site: Site) -> bool:
    """Whether targets that were made a column elsewhere are subtracted: pairs that are meant are written in place."""
    e = site.expression()
    sides = (e.left, e.right) if isinstance(e, ast.BinOp) else ()
    return name == "sub" and long._array.ndim == 2 and any(isinstance(s, ast.Name) for s in sides) and not any(
        isinstance(n, ast.Constant) and n.value is None or isinstance(n, ast.Attribute) and n.attr == "unsqueeze"
        for s in sides for n in ast.walk(s)
    )  # fmt: skip


def _within_loss() -> bool:
    """Whether a loss function of the package computes this: it says so itself (FB-LOSS-07)."""
    frame = sys._getframe(2)
    while kind_of(frame.f_code.co_filename) == NEVER and frame.f_back is not None:
        if frame.f_code.co_filename.endswith("regression.py"):
            return True
        frame = frame.f_back
    return False


_SYMBOLS = {"sub": "-", "add": "+", "mul": "*", "div": "/", "pow": "**"}


def _grouped(text: str) -> str:
    try:
        simple = isinstance(ast.parse(text, mode="eval").body, (ast.Name, ast.Attribute, ast.Call, ast.Subscript))
    except SyntaxError:
        return text
    return text if simple else f"({text})"


def _is_batch(m: int, n: int) -> bool:
    return log.batch is not None and m == n == log.batch.size


# ---------------------------------------------------------------------- view where permute was meant


def _strides(shape) -> list[int]:
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return strides[::-1]


def moved_sizes(old, new) -> list[int]:
    """The sizes that both shapes have once, and that stand for other elements in the new one.

    >>> moved_sizes((8, 3, 32, 32), (8, 32, 32, 3)), moved_sizes((8, 3, 32, 32), (8, 3072))
    ([3], [])
    """
    if len(old) < 2 or len(new) < 2:
        return []
    before, after = _strides(old), _strides(new)
    return [n for i, n in enumerate(old)
            if n > 1 and old.count(n) == 1 and new.count(n) == 1 and before[i] != after[new.index(n)]]  # fmt: skip


def viewed(name: str, x, out) -> None:
    """A tensor was given another shape by view or reshape."""
    old, new = x._array.shape, out._array.shape
    moved = moved_sizes(old, new)
    if not moved:
        return
    site = _own_site(2)
    if site is None:
        return
    same = sorted(n for n in old if n > 1) == sorted(n for n in new if n > 1)
    linked = x.requires_grad or origin(x).kind in ("loader", "linear", "convolution")
    if not (linked or (same and max(len(old), len(new)) > 2)) or _constant(x) or _goes_back(x, new):
        return
    text = _object(site)
    order = _order(old, new)
    found(
        "FB-SHAPE-05",
        f"{name}({tuple(old)} -> {tuple(new)}) of `{text}` does not move axes",
        f"it cuts the same memory anew, so that the axis of size {moved[0]} now holds other elements",
        f"use `{_grouped(text)}.permute{order}`"
        if order
        else f"move the axes first, with `{_grouped(text)}.transpose(...)` or `permute(...)`, and reshape then",
        at=site,
        cause="permute" if order else "merge",
    )


def _object(site: Site) -> str:
    e = site.expression()
    if not isinstance(e, ast.Call) or not isinstance(e.func, ast.Attribute):
        return "x"
    if e.func.attr in ("reshape", "squeeze") and isinstance(e.func.value, ast.Name) and e.func.value.id == "torch":
        return ast.unparse(e.args[0]) if e.args else "x"
    return ast.unparse(e.func.value)


def _order(old, new) -> tuple[int, ...]:
    """The permutation that gives the new shape; () where there is none, or more than one."""
    if sorted(old) != sorted(new):
        return ()
    left, order = list(range(len(old))), []
    for n in new:
        at = next(i for i in left if old[i] == n)  # equal sizes keep their order
        left.remove(at)
        order.append(at)
    return tuple(order)


def _constant(x) -> bool:
    """Whether a tensor holds one number, or evenly spaced ones: a demonstration, not data."""
    a = x._array
    if type(a) is not np.ndarray or a.size > 1 << 16:
        return False
    flat = a.reshape(-1)
    steps = flat[1:].astype(np.float64) - flat[:-1]
    return bool(np.ptp(steps) == 0) if steps.size else True


def _goes_back(x, new) -> bool:
    """Whether a view only restores the shape of the tensor that it is a view of."""
    base = x._base
    return base is not None and base._array.shape == new


# ---------------------------------------------------------------------- squeeze without dim


def squeezed(x, out) -> None:
    """`squeeze()` without a dimension has run: its results at one line must have one rank."""
    site = _own_site(3)
    if site is None:
        return
    shapes = log.notes.setdefault("FB-SHAPE-03", {})
    shape = tuple(x._array.shape)
    if len(shapes) > 1000:
        return
    first = shapes.setdefault((site.code, site.lasti, len(shape)), shape)
    if first[1:] != shape[1:] or shape[:1] == first[:1] or 1 not in (shape[0], first[0]):
        return
    many = first if shape[0] == 1 else shape
    dims = tuple(i for i, n in enumerate(many) if n == 1)
    whole, text = site.source, _object(site)
    e = site.expression()
    whole = ast.unparse(e) if e is not None else whole
    found(
        "FB-SHAPE-03",
        f"`{whole}` gave {len(many) - len(dims)} dimensions for {tuple(many)}, but {out._array.ndim} for "
        f"{(1, *many[1:])}"
        if shape[0] == 1
        else f"`{whole}` gave {len(many) - len(dims)} dimensions for {tuple(many)}, but fewer for {(1, *many[1:])}",
        "a batch of one sample loses its batch dimension too",
        f"name the dimension: `{_grouped(text)}.squeeze({dims[0] if len(dims) == 1 else dims})`"
        if dims
        else f"leave it out: `{text}`",
        level="W",
        cause="squeezed",
        at=site,
    )


# ---------------------------------------------------------------------- the batch read as time


def recurrent(layer, x) -> None:
    """A recurrent layer or transformer that takes time first was given a 3-D input."""
    batch, shape = log.batch, x._array.shape
    if batch is None or shape[0] != batch.size or shape[1] in (1, batch.size) or not _untouched(x):
        return
    site = user_site()
    for outer in running(sys._getframe(1)):
        if type(outer).__name__ in ("TransformerEncoderLayer", "TransformerDecoderLayer"):
            layer = outer  # it hands `batch_first` on
            break
    text, kind = _argument(site), type(layer).__name__
    found(
        "FB-SHAPE-07",
        f"{kind}(batch_first=False) received {tuple(shape)} from a loader with batch size {batch.size}",
        f"it treats your {shape[0]} samples as {shape[0]} time steps",
        f"pass `batch_first=True` to {kind}, or `{_grouped(text)}.transpose(0, 1)` to it",
        at=site,
        cause="batch-first",
    )


def _argument(site) -> str:
    e = site.expression() if site is not None else None
    if isinstance(e, ast.Call) and e.args and len(text := ast.unparse(e.args[0])) < 40:
        return text
    return "x"


def _untouched(x) -> bool:
    """Whether a tensor comes from a loader's batch without any move of its dimensions."""
    t = x
    for _ in range(16):
        made = origin(t)
        if made.moved:
            return False
        if made.kind == "loader":
            return True
        node = made.node
        if node is None:
            return False
        following = None
        saved = getattr(node, "saved", None) or {}
        for i, edge in enumerate(node.edges):
            kept = saved.get(i)
            if edge is None and kept is not None:
                following = kept[0]
            elif edge is not None and edge[1] != -1 and edge[2][:1] == x._array.shape[:1]:
                following = _At(edge)
                break
        if following is None:
            return False
        t = following
    return False


class _At:
    """A place in the graph, as `origin` looks at tensors."""

    _tag = _base = _chain = _cell = None

    def __init__(self, edge):
        self._node = edge[0]
