"""Where a tensor's values come from: `origin(t)` looks through views, casts, clones and detach.

With autograd on, the graph knows it already. Where nothing is recorded, the few operations that matter leave a tag:
one attribute of the tensor, set by softmax, comparison casts, NumPy conversion and the like, never by arithmetic.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Origin(NamedTuple):
    """What made the values of a tensor.

    kind: the operation ("softmax", "log_softmax", "sigmoid", "linear", "round", ... or "bool_cast", "numpy", "loader"),
    or "" if unknown; options: its options (axis...); node: its node in the graph, if recorded; moved: whether
    dimensions were permuted since; reshaped: whether the shape was changed since; site: where, for tags that note it.
    """

    kind: str
    options: dict
    node: Any = None
    moved: bool = False
    reshaped: bool = False
    site: Any = None


FROM_LOADER = Origin("loader", {})
NOTHING = Origin("", {})
# Operations that hand on the values as they are (names of primitives), and what they do to the shape.
MOVES = {"permute", "transpose", "t"}
RESHAPES = {"view", "reshape", "expand", "unsqueeze", "squeeze", "squeeze_dim", "unsqueeze_key"}
SAME = {"clone", "to", "to_copy", "contiguous", "to_format", "slice", "select", "index", "index_select",
        "masked_select", "copy"}  # fmt: skip


def tag(t, kind: str, site: Any = None, **options) -> None:
    """Remember what made a tensor that the graph does not know."""
    t._tag = Origin(kind, options, None, False, False, site)


def origin(t) -> Origin:
    """What made the values of `t`, through views, casts, clones and detach."""
    moved = reshaped = False
    for _ in range(32):
        own = t._tag
        if own is not None:
            return own._replace(moved=own.moved or moved, reshaped=own.reshaped or reshaped)
        chain, base = t._chain, t._base
        if base is not None:
            while chain is not None:
                chain, op, _ = chain
                name = getattr(getattr(op, "op", op), "name", "")
                moved = moved or name in MOVES
                reshaped = reshaped or name in RESHAPES
            t = base
            continue
        node = t._node
        if node is None:
            return NOTHING
        found, moved, reshaped, leaf = _through(node, moved, reshaped)
        if leaf is None:
            return found._replace(moved=moved, reshaped=reshaped)
        t = leaf
    return NOTHING


def _through(node, moved, reshaped):
    """(origin, moved, reshaped, the leaf tensor at the end if the way led to one) behind a node of the graph."""
    for _ in range(64):
        op = getattr(node, "op", None)
        name = getattr(op, "name", "")
        if name in MOVES:
            moved = True
        elif name in RESHAPES:
            reshaped = True
        elif name not in SAME:
            return Origin(name or type(node).__name__, getattr(node, "options", {}), node), moved, reshaped, None
        edge = next((e for e in node.edges if e is not None), None)
        if edge is None:
            break
        if edge[1] == -1:  # a leaf
            return NOTHING, moved, reshaped, edge[0]
        node = edge[0]
    return NOTHING, moved, reshaped, None
