"""FB-NUM-02: a finite loss whose gradient is not: which operation's slope is infinite, and where."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import GradientError
from . import events
from .blame import Context, replaced, say
from .inplace import operand_of
from .log import log
from .registry import name_of
from .trace import finite


class Witness:
    """Looks at what each node of a backward pass gives, and remembers the first that is not finite."""

    def __init__(self):
        self.node: Any = None
        self.inputs: list = []
        self.made = self.came = None

    def __call__(self, node, g, given):
        if self.node is not None:
            return
        for d in given:
            if d is not None and not finite(d._array):
                arrived = [x._array for x in (g if isinstance(g, (list, tuple)) else [g]) if x is not None]
                if all(map(finite, arrived)):
                    self.node, self.made, self.came = node, d._array, arrived[0] if arrived else None
                    saved = getattr(node, "saved", None) or {}
                    self.inputs = [(key, kept[0]._array) for key, kept in saved.items() if hasattr(kept[0], "_array")]
                return


def witness(roots) -> Witness | None:
    """Who looks on in this backward pass: in the first passes, then in one of 64."""
    if (log.deep > 0 or log.backwards & 63 == 0) and not log.scaled:
        if finite(roots[0]._array):
            log.witness = Witness()
            return log.witness
    log.witness = None
    return None


def check_gradients(roots, leaves):
    """After a backward pass that was looked at: say which operation's gradient is not finite."""
    w = log.witness
    if w is None or any(x.stop_at_nan for x in log.watches):
        return
    bad = next((t for t in leaves if t._grad is not None and not finite(t._grad._array)), None)
    if bad is not None:
        _explain_gradient(roots, bad, w, strict=False)


def locate_backward(roots, leaf) -> GradientError | None:
    """The error for a gradient that is not finite although the loss is, after the backward pass that gave it.

    Where nobody looked on in that pass, it is gone through again, if the graph was kept for it (`log.kept`).
    """
    w = log.witness
    if w is None and log.kept is not None:
        from ..autograd.engine import run

        w = log.witness = Witness()
        kept, seeds = log.kept
        run(kept, seeds, True, False, targets=[leaf], check=w)
    if w is None:
        return None
    if w.node is None:
        return GradientError(
            f"the gradient of {name_of(leaf)} is not finite, although the loss is",
            why="no operation of this pass gave it: it was there before, or a hook or a custom Function made it",
            fix="clear the gradients before backward(): `optimizer.zero_grad()`",
            code="FB-NUM-02",
            cause="unknown",
        )
    return _explain_gradient(roots, leaf, w, strict=True)


STEEP = {
    "sqrt",
    "pow",
    "linalg_vector_norm",
    "log",
    "div",
    "acos",
    "asin",
    "std",
    "var",
    "reciprocal",
    "rsqrt",
    "atanh",
}


def _explain_gradient(roots, leaf, w, strict):
    here = Context()
    node = w.node
    op = getattr(getattr(node, "op", None), "name", "") or type(node).__name__.removesuffix("Backward")
    spot = here.spot(node, events.graph(roots))
    bad = ~np.isfinite(w.made)
    count, total = int(bad.sum()), w.made.size
    shape = w.made.shape
    x = next((a for key, a in w.inputs if key >= 0 and a.shape == shape), None)
    if op == "div" and len(w.inputs) > 1:
        x = next((a for key, a in w.inputs if key == 1), x)
    if x is None:
        x = next((a for _, a in w.inputs if a.shape == shape), None)
    at = 0.0
    if x is not None:
        where = np.broadcast_to(x, shape)[bad] if x.ndim <= len(shape) and x.size in (1, total) else x.reshape(-1)
        at = float(where.flat[0])
    masked = bool(np.isnan(w.made).any()) and w.came is not None and bool((w.came == 0).any())
    operand = operand_of(spot, 1 if op == "div" else 0)
    better = replaced(spot, operand, "({} + 1e-08)")
    if op in ("acos", "asin", "atanh"):
        better = replaced(spot, operand, "{}.clamp(-0.999999, 0.999999)")
    name, line, shown = name_of(leaf), spot.line if spot is not None else 0, f"{at:.4g}"
    return say(
        strict,
        "FB-NUM-02",
        f"`{here.name}` is finite, but the gradient of {name} is not: that of {op} (line {line}) at {shown} is "
        f"infinite ({count} of {total} elements)"
        if line
        else f"`{here.name}` is finite, but the gradient of {name} is not: that of {op} at {shown} is infinite "
        f"({count} of {total} elements)",
        "a later where() or mask multiplies the infinite slope by 0, and 0 * inf is NaN"
        if masked
        else "the slope of the function is infinite there",
        f"keep away from that point: `{better}`; in an unused branch of where(), put a harmless value in first: "
        "`torch.where(used, x, 1.0)`"
        if better
        else "keep away from that point by adding a small number, such as `(x + 1e-8)`",
        "where-branch" if masked else op if op in STEEP else "slope",
        spot.site if spot is not None else here.site,
        count=count,
    )
