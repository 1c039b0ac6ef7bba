"""A loss that is not finite: which operation it began at, and so whether it is FB-NUM-01, 03 or 04 (02: slopes.py).

By default a loss that is not finite is a warning at backward(), with the operation that it began at; doctor.watch makes
an error of it. The graph is looked at only then: the check of each step is one comparison (events.py).
"""

from __future__ import annotations

import numpy as np

from ..errors import GradientError
from . import events
from .blame import Context, say
from .domains import outside
from .empties import nothing
from .findings import seen
from .halves import half
from .log import log
from .registry import name_of
from .trace import Culprit, culprit

# What makes a loss that is not finite: where one of these was found, nothing more is said.
CAUSES = ("FB-DATA-04", "FB-INIT-02", "FB-INIT-04", "FB-OPT-03", "FB-LOSS-06")


def _not_finite(root, value):
    if log.scaled:
        return
    for watch in log.watches:
        if watch.stop_at_nan:
            watch.not_finite(root)
            return
    log.bad_losses += 1
    if log.bad_losses <= 3:
        log.unsound = lambda: None if seen(*CAUSES) else _explain(root, value, strict=False)


events.not_finite.append(_not_finite)


def locate(root) -> GradientError | None:
    """The error for a loss that is not finite: the first operation whose inputs are finite and output is not."""
    return _explain(root, root._array.item(), strict=True)


def _explain(root, value, strict):
    try:
        c = culprit(root)
    except Exception:  # an unusual node: say what is certain
        c = None
    here = Context()
    if c is None:
        return say(
            strict,
            "FB-NUM-01",
            f"`{here.name}` is {value}",
            "the operation that it began at is not known: the graph does not keep its values",
            "stop at the first one: `with torch.autograd.detect_anomaly(): ...`",
            "unknown",
            here.site,
        )
    if c.node is None:
        return _came_in(c, here, value, strict)
    spot = here.spot(c.node, events.graph([root]))
    return (
        nothing(c, spot, here, value, strict)
        or half(c, spot, here, value, strict)
        or outside(c, spot, here, value, strict)
    )


def _came_in(c: Culprit, here, value, strict):
    """A leaf that is not finite: the data (FB-DATA-04 says so), or weights that an earlier step has destroyed."""
    leaf = c.leaf
    if hasattr(leaf, "_array") and leaf._rg:
        calm = abs(log.loss) < 1e6
        if (seen("FB-NUM-01", "FB-NUM-02", "FB-OPT-03", "FB-INIT-02", "FB-DATA-04", "FB-LOOP-08") or not calm) and (
            not strict
        ):
            return None
        name = name_of(leaf)
        return say(
            strict,
            "FB-NUM-02",
            f"`{here.name}` is {value}: `{name}` is not finite since the last optimizer step",
            "the loss was finite then, so its gradient was not",
            "find the operation: run the training under `flambeau.doctor.watch()`, which stops at the first such step",
            "weights",
            here.site,
        )
    if seen("FB-DATA-04", "FB-NUM-04") and not strict:
        return None
    array = leaf._array if hasattr(leaf, "_array") else leaf
    bad = int((~np.isfinite(array)).sum())
    name = name_of(leaf) if hasattr(leaf, "_array") else "an input"
    return say(
        strict,
        "FB-NUM-01" if strict else "FB-DATA-04",
        f"`{here.name}` is {value}: {name} has {bad} of {array.size} values that are not finite",
        "NaN and inf in the data spread to the loss, and from there to all weights",
        "look at the data: `torch.isfinite(x).all()`; leave such rows out, or fill them in",
        "input",
        here.site,
    )
