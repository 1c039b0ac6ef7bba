"""Where a tensor's values come from: `origin(t)` looks through views, casts, clones and detach.

With autograd on, the graph knows it already. Where nothing is recorded, the few operations that matter leave a tag:
one attribute of the tensor, set by softmax, comparison casts, NumPy conversion and the like, never by arithmetic.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any, NamedTuple

from ..place import NEVER, kind_of
from .log import log
from .sites import Site


class Origin(NamedTuple):
    """What made the values of a tensor.

    kind: the operation ("softmax", "log_softmax", "sigmoid", "linear", "round", ... or "bool_cast", "numpy", "loader"),
    or "" if unknown; options: its options (axis...); node: its node in the graph, if recorded; moved: whether
    dimensions were permuted since; reshaped: whether the shape was changed since; site: where, for tags that note it;
    layer: weak reference to the module whose `forward` it was, for marks.
    """

    kind: str
    options: dict
    node: Any = None
    moved: bool = False
    reshaped: bool = False
    site: Any = None
    layer: Any = None

    def module(self):
        """The layer that made the values, if it still exists."""
        return None if self.layer is None else self.layer()


FROM_LOADER = Origin("loader", {})
NOTHING = Origin("", {})
# Operations that hand on the values as they are (names of primitives), and what they do to the shape.
MOVES = {"permute", "transpose", "t"}
LINEAR = Origin("linear", {})
CONVOLUTION = Origin("convolution", {})
FROM_INTEGERS = Origin("from_integers", {"integers": True})
# Tags that no longer hold once the memory has been written to.
VALUES = {"softmax", "log_softmax", "sigmoid", "linear", "convolution"}
RESHAPES = {"view", "reshape", "expand", "unsqueeze", "squeeze", "squeeze_dim", "unsqueeze_key"}
SAME = {"clone", "to", "contiguous", "to_format", "slice", "select", "index", "index_select", "masked_select",
        "reshape", "split", "unbind", "diagonal", "take_axis"}  # fmt: skip


def tag(t, kind: str, site: Any = None, **options) -> None:
    """Remember what made a tensor that the graph does not know."""
    t._tag = Origin(kind, options, None, False, False, site)


_known: dict[tuple, Origin] = {}  # marks that say nothing but kind and axis


def mark(t, kind: str, axis: int | None = None) -> None:
    """Leave on a result what made it, where and in which layer: on its node, or as a tag where nothing is recorded.

    Where and in which layer are only noted for the first few hundred: findings are made early.
    """
    node = t._node
    if log.marks < 512:
        log.marks += 1
        site, layer = _maker(sys._getframe(2))
        if node is None:
            t._tag = Origin(kind, {} if axis is None else {"axis": axis}, None, False, False, site, layer)
        else:
            node._fb_made = site, layer
    elif node is None:
        found = _known.get((kind, axis))
        if found is None:
            found = _known[kind, axis] = Origin(kind, {} if axis is None else {"axis": axis})
        t._tag = found


def _maker(frame):
    """(site, weak reference to the layer) of a call: the user's line, and the package's module that it went through."""
    layer = None
    while frame is not None and kind_of(frame.f_code.co_filename) == NEVER:
        if layer is None and frame.f_code.co_name == "forward":
            module = frame.f_locals.get("self")
            layer = None if module is None or not hasattr(module, "_modules") else weakref.ref(module)
        frame = frame.f_back
    return None if frame is None else Site(frame.f_code, frame.f_lasti), layer


def pass_on(source, made) -> None:
    """Give a copy the tag of what it was copied from."""
    if source._tag is not None:
        if made._tag is None:
            made._tag = source._tag
    elif source._base is not None or source._node is not None:
        if log.handed < 256:  # the whole way back, which is long for the running loss of every step
            log.handed += 1
            found = origin(source)
            if found.kind in VALUES:
                made._tag = found._replace(node=None)
        elif source._base is not None and source._base._tag is not None:
            made._tag = source._base._tag


def joined(tensors, made) -> None:
    """Give what several tensors were joined to the tag that all of them have."""
    kinds = {None if t._tag is None else t._tag.kind for t in tensors}
    if made._node is None and len(kinds) == 1 and kinds <= VALUES:
        made._tag = tensors[0]._tag


def origin(t) -> Origin:
    """What made the values of `t`, through views, casts, clones and detach."""
    moved = reshaped = False
    for _ in range(32):
        own = t._tag
        if own is not None and (own.kind not in VALUES or not t._cell or not t._cell[0]):
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
            site, layer = getattr(node, "_fb_made", (None, None))
            made = Origin(name or type(node).__name__, getattr(node, "options", {}), node, site=site, layer=layer)
            return made, moved, reshaped, None
        edge = next((e for e in node.edges if e is not None), None)
        if edge is None:
            break
        if edge[1] == -1:  # a leaf
            return NOTHING, moved, reshaped, edge[0]
        node = edge[0]
    return NOTHING, moved, reshaped, None
