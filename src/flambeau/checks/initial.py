"""Where training starts from: parameters that were never given a value, a first loss far from what guessing costs."""

from __future__ import annotations

import math
import re

import numpy as np

from ..tensor import Tensor
from . import events
from .codes import LIMITS
from .findings import found, seen
from .log import log
from .registry import name_of
from .safety import safe
from .sites import Site, user_site
from .tags import origin

# ------------------------------------------------------------------------------------------------ uninitialised


def uninitialised(p) -> tuple[Site | None] | None:
    """(where it was made,) for a tensor whose memory came from `torch.empty` and was never written to; else None."""
    mark = p._fb_empty
    if mark is None or mark[1] != id(p._array) or p._cell and p._cell[0] or not p._array.size:
        return None
    return (mark[0],)


def say_uninitialised(p, site: Site | None) -> None:
    """INIT-04 for a parameter that nobody has given a value."""
    name, shape = _name(p), tuple(p._array.shape)
    found(
        "FB-INIT-04",
        saw=f"{name} of shape {shape} was made by torch.empty and never written to before its first use"
        if " " not in name
        else f"a parameter of shape {shape} was made by torch.empty and never written to before its first use",
        why="it holds whatever its memory held before: zeros, huge numbers or NaN, different in each run",
        fix=f"give it values: `nn.init.kaiming_uniform_({_short(name)})`, or make it as "
        f"`nn.Parameter(torch.randn{shape} / {math.sqrt(_fan_in(shape)):.3g})`"
        if len(shape) > 1
        else f"give it values: `nn.init.zeros_({_short(name)})`, or make it as `nn.Parameter(torch.zeros{shape})`",
        cause="uninitialised",
        at=site,
    )


def _name(p) -> str:
    """What the user would write for a parameter: `net[0].weight`."""
    return re.sub(r"\.(\d+)\b", r"[\1]", name_of(p))


def _short(name: str) -> str:
    return name if " " not in name else "w"


def _fan_in(shape) -> int:
    return max(1, math.prod(shape[1:]))


def _look_at_leaves(roots) -> None:
    for leaf in events.leaves(events.graph(roots)):
        if leaf._fb_empty is not None and (made := uninitialised(leaf)) is not None:
            say_uninitialised(leaf, made[0])


events.before_backward_early.append(_look_at_leaves)

# ------------------------------------------------------------------------------------------------ the first loss


def first_loss(node, value: float, at: Site | None = None) -> bool:
    """LOOP-06 for the loss that an untrained model begins with; node: of a loss function, with what it kept."""
    name, saved = node.op.name, node.saved
    if not saved or node.options.get("reduction") not in ("mean", None):
        return False
    limits = LIMITS["FB-LOOP-06"]
    if 0 not in saved or not _from_a_head(saved[0][0]):
        return False
    if name == "cross_entropy_loss" and 0 in saved and 1 in saved:
        scores, target = saved[0][0]._array, saved[1][0]._array
        if saved.get(2) is not None or node.options.get("smoothing") or scores.ndim < 2:
            return False
        classes = scores.shape[1]
        chance = math.log(classes) if classes > 1 else 0.0
        if classes < 2 or target.size < 2 or not value > limits["factor"] * chance + limits["more"]:
            return False
        found(
            "FB-LOOP-06",
            saw=f"the first cross-entropy is {value:.3g}, but guessing among {classes} classes costs {chance:.3g}",
            why=_why(scores),
            fix=_fix(node),
            at=at,
            confidence="likely",
            loss=value,
            chance=chance,
        )
        return True
    if name == "binary_cross_entropy_with_logits" and 0 in saved:
        scores = saved[0][0]._array
        if any(saved.get(i) is not None for i in (2, 3)) or scores.size < 2 or not value > limits["bce"]:
            return False
        found(
            "FB-LOOP-06",
            saw=f"the first binary cross-entropy is {value:.3g}, but guessing costs {math.log(2):.3g}",
            why=_why(scores),
            fix=_fix(node),
            at=at,
            confidence="likely",
            loss=value,
            chance=math.log(2),
        )
        return True
    return False


def _from_a_head(scores) -> bool:
    """Whether scores come straight from a layer with weights of its own: no similarities, no tied embedding."""
    node = origin(scores).node
    if getattr(getattr(node, "op", None), "name", "") not in ("linear", "convolution"):
        return False
    weight = node.edges[1][0] if node.edges[1] is not None and node.edges[1][1] == -1 else None
    if weight is None:
        return False
    users = [n for n in _nodes_behind(node) if any(e is not None and e[0] is weight for e in n.edges)]
    return len(users) == 1


def _why(scores: np.ndarray) -> str:
    spread = float(np.std(scores.astype(np.float64)))
    return (
        f"the untrained model's scores have std {spread:.3g}, so it is very sure, and wrong: the first steps only undo "
        "that"
    )


def _fix(node) -> str:
    """The likely cause, as a remedy: the weight behind the scores that is furthest from its usual scale."""
    worst, weight = 0.0, None
    for leaf in events.leaves(_nodes_behind(node)):
        a = leaf._array
        if a.ndim > 1 and type(a) is np.ndarray and a.size <= 1 << 22:
            ratio = float(a.std()) / math.sqrt(2 / _fan_in(a.shape))
            if ratio > worst:
                worst, weight = ratio, leaf
    if weight is not None and worst > 3:
        name, std, usual = _name(weight), float(weight._array.std()), 1 / math.sqrt(3 * _fan_in(weight._array.shape))
        return (
            f"{name} has std {std:.3g} where {usual:.2g} is usual: leave the default, or use "
            f"`nn.init.xavier_uniform_({_short(name)})`"
        )
    return "look at the scale of the inputs (they should have a std of about 1) and at the weights of the last layer"


def _nodes_behind(node) -> list:
    root = Tensor.wrap(np.zeros(()))
    root._node = node
    return events.graph([root])


def untrained() -> bool:
    """Whether nothing in this program has been trained or loaded yet."""
    return not log.steps and not log.loaded


# What makes a first loss large: where one of these was found, nothing more is said.
_CAUSES = ("FB-DATA-02", "FB-INIT-04", "FB-LOSS-01", "FB-LOSS-05")


@safe
def look_at_loss(loss) -> None:
    """LOOP-06 for one of the first results of a loss function (or for the losses of all elements)."""
    node, a = loss._node, loss._array
    if not untrained():
        log.first_losses = 0
    elif node is not None and a.size and type(a) is np.ndarray and hasattr(node, "op"):
        log.first_losses -= 1
        value = float(a.mean(dtype=np.float64))
        if math.isfinite(value) and not seen("FB-LOOP-06", *_CAUSES):
            first_loss(node, value)


def first_loss_of(loss) -> None:
    """LOOP-06 for the loss that a whole step begins with: of a loss function, or its mean."""
    node = loss._node
    if getattr(getattr(node, "op", None), "name", "") in ("mean", "sum") and node.edges[0][1] != -1:
        node = node.edges[0][0]
    value = float(loss._array)
    if untrained() and hasattr(node, "op") and math.isfinite(value) and not seen(*_CAUSES):
        first_loss(node, value)


# ------------------------------------------------------------------------------------------------ seeds


def _seeded(value) -> None:
    """Remember where manual_seed was called first, and whether numbers had been drawn by then (REPRO-01)."""
    if "first seed" not in log.notes:
        from ..generator import default_generator  # later than this file

        log.notes["first seed"] = user_site(), not default_generator._fresh


events.seeded.append(_seeded)
