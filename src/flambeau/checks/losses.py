"""Losses that are fed what they do not expect: probabilities for scores, scores for probabilities, sizes that differ.

The loss functions call what is here with their arguments, and go on computing. Each kind of call (function, last
operation, shape) is only looked at a few times: `fresh` decides, and is all that a call costs afterwards.
"""

from __future__ import annotations

import math

import numpy as np

from . import registry, targets
from .axes import At, over_batch
from .findings import found
from .log import log
from .loops import never_differentiated
from .safety import safe
from .sites import applied, arguments, called, user_site
from .tags import Origin, origin

_LOOKS = 8  # how often a kind of call is looked at
_IDLE = 20  # losses after which one of them should have been differentiated


def fresh(name: str, input, target) -> bool:
    """Whether a call is still to be looked at."""
    key = (name, input._node.__class__, input._tag is None, input._array.shape, target._array.shape)
    seen = log.looks.get(key, 0)
    if seen >= _LOOKS or len(log.looks) > 512:
        if seen < _IDLE:
            log.looks[key] = seen + 1
            if seen == _IDLE - 1 and not log.backwards and not log.steps and input._node is not None:
                never_differentiated()
        return False
    log.looks[key] = seen + 1
    a, t = input._array, target._array
    return type(a) is np.ndarray and type(t) is np.ndarray and a.dtype.kind == "f" and t.dtype.kind in "fiub"


# ---------------------------------------------------------------------- probabilities where scores are wanted


def _sums_to_one(a: np.ndarray, axis: int) -> bool:
    if not a.size or axis >= a.ndim:
        return False
    rows = np.moveaxis(a, axis, -1)
    rows = rows.reshape(-1, rows.shape[-1])[:256].astype(np.float64)
    return bool((rows >= 0).all() and (np.abs(rows.sum(1) - 1) < (1e-4 if a.itemsize > 2 else 2e-2)).all())


_JOINS = {"cat", "stack", "clamp", "clamp_numbers", "clamp_min", "clamp_min_number", "clamp_max", "clamp_max_number",
          "nan_to_num"}  # fmt: skip


def _through_joins(made: Origin) -> Origin:
    """What made the first of several tensors that were joined, or values that were only limited since."""
    for _ in range(8):
        edge = made.node.edges[0] if made.kind in _JOINS and made.node is not None and made.node.edges else None
        if edge is None or edge[1] == -1:
            return made
        made = origin(At(edge))
    return made


def scores_given(name: str, input, axis: int, kinds=("softmax",)) -> bool:
    """Look for probabilities (of a softmax over `axis`, or of a sigmoid) where a loss wants scores."""
    made = _through_joins(origin(input))
    if input._array.ndim > axis and input._array.shape[axis] == 1 and "sigmoid" not in kinds:
        return False
    if over_batch(made, input):
        return True
    if made.kind == "log_softmax" and "sigmoid" not in kinds and not made.moved and not made.reshaped:
        if made.options.get("axis") == axis:
            _log_softmax_twice(name)
        return False
    if made.kind not in ("softmax", "sigmoid", "hardsigmoid"):
        if "sigmoid" in kinds and _logistic(made, input):
            text = arguments(user_site(), "input")[0]
            found("FB-LOSS-05", f"{name} expects raw scores, but `{text}` is 1 / (1 + exp(-x)), a sigmoid",
                  f"{name} applies the sigmoid itself, so its probabilities can then only lie in 0.50..0.73",
                  f"give {name} the x in it, or use `F.binary_cross_entropy` (`nn.BCELoss()`)",
                  cause="by-hand")  # fmt: skip
            return True
        return "softmax" in kinds and "sigmoid" not in kinds and _softmax_by_hand(name, input, axis)
    if made.kind.removeprefix("hard") not in kinds:
        return False
    a = input._array
    if kinds == ("softmax",) and not _sums_to_one(a, axis):
        return False
    if "sigmoid" in kinds:
        _sigmoid_twice(name, made)
    else:
        _softmax_twice(name, made, a.shape[axis])
    return True


def _logistic(made: Origin, input) -> bool:
    """Whether values are 1 / (1 + exp(-x)), or exp(x) / (1 + exp(x)), written out."""
    a, node, path = input._array, made.node, [made.kind]
    if made.kind not in ("div", "reciprocal", "mul") or not a.size or a.min() < 0 or a.max() > 1:
        return False
    while node is not None and len(path) < 4 and path[-1] != "exp":
        edge = next((e for e in reversed(node.edges) if e is not None and e[1] != -1), None)
        node = edge[0] if edge is not None else None
        path.append(getattr(getattr(node, "op", None), "name", ""))
    return path[-2:] == ["add", "exp"] and path[:-2] in (["div"], ["reciprocal"], ["mul", "reciprocal"])


def _softmax_twice(name, made: Origin, classes):
    floor = math.log(1 + (classes - 1) / math.e)
    text = arguments(user_site(), "input")[0]
    layer, site = made.module(), made.site
    why = f"{name} applies a softmax itself; two of them keep the loss above {floor:.2f} for {classes} classes"
    if layer is not None:
        path = registry.name_of_module(layer)
        found("FB-LOSS-01", f"{name} expects raw scores, but `{text}` is the output of {path} = {layer!r}", why,
              f"drop `nn.{layer!r}` ({path}); apply softmax only where you read probabilities",
              cause="layer", classes=classes)  # fmt: skip
        return
    whole, inner = applied(site)
    if whole:
        found("FB-LOSS-01", f"{name} expects raw scores, but `{text}` was made by softmax at {site}: `{whole}`", why,
              f"use `{inner}` in place of `{whole}`", cause="function", classes=classes)  # fmt: skip
    else:
        found("FB-LOSS-01", f"{name} expects raw scores, but `{text}` is the output of softmax", why,
              f"give {name} what the softmax is applied to", cause="function", classes=classes)  # fmt: skip


def _log_softmax_twice(name):
    text = arguments(user_site(), "input")[0]
    found("FB-LOSS-01", f"{name} applies log_softmax itself, and `{text}` is the output of one",
          "the second one changes nothing: log-probabilities stay what they are",
          f"use `F.nll_loss` (`nn.NLLLoss()`) for `{text}`, or give {name} the raw scores", level="H",
          cause="log-softmax")  # fmt: skip


def _softmax_by_hand(name, input, axis) -> bool:
    """A softmax that was written out: every row of many is a distribution, neither one-hot nor even."""
    a = input._array
    if a.ndim < 2 or a.shape[axis] < 3 or a.size < 8 * a.shape[axis] or not _sums_to_one(a, axis):
        return False
    if ((a == 0) | (a == 1)).all() or (a == a.flat[0]).all():
        return False
    rows, classes = a.size // a.shape[axis], a.shape[axis]
    text = arguments(user_site(), "input")[0]
    floor = math.log(1 + (classes - 1) / math.e)
    found("FB-LOSS-01", f"{name} expects raw scores, but the {rows} rows of `{text}` are probabilities: none is "
          "negative and each row sums to 1",
          f"{name} applies a softmax itself; two of them keep the loss above {floor:.2f} for {classes} classes",
          f"give {name} the scores that these probabilities are made of", cause="by-hand",
          confidence="likely", classes=classes)  # fmt: skip
    return True


def _sigmoid_twice(name, made: Origin):
    text = arguments(user_site(), "input")[0]
    layer, site, kind = made.module(), made.site, made.kind
    why = f"{name} applies the sigmoid itself, so its probabilities can then only lie in 0.50..0.73"
    if layer is not None:
        path = registry.name_of_module(layer)
        found("FB-LOSS-05", f"{name} expects raw scores, but `{text}` is the output of {path} = {layer!r}", why,
              f"drop `nn.{layer!r}` ({path}), or use `F.binary_cross_entropy` (`nn.BCELoss()`) with it",
              cause="layer")  # fmt: skip
        return
    whole, inner = applied(site)
    if whole:
        found("FB-LOSS-05", f"{name} expects raw scores, but `{text}` was made by {kind} at {site}: `{whole}`", why,
              f"use `{inner}` in place of `{whole}`, or `F.binary_cross_entropy` (`nn.BCELoss()`) as the loss",
              cause="function")  # fmt: skip
    else:
        found("FB-LOSS-05", f"{name} expects raw scores, but `{text}` is the output of {kind}", why,
              f"give {name} what the {kind} is applied to, or use `F.binary_cross_entropy` (`nn.BCELoss()`)",
              cause="function")  # fmt: skip


# ---------------------------------------------------------------------- scores where (log-)probabilities are wanted

_NORMALISING = {"log_softmax", "logsumexp", "log", "logaddexp", "log_sigmoid"}


def _normalised_before(t) -> bool:
    """Whether one of the last operations behind a tensor was a logarithm or a log_softmax."""
    from .events import graph

    return any(getattr(getattr(n, "op", None), "name", "") in _NORMALISING for n in graph([t], 12))


def log_probabilities_given(name: str, input, axis: int) -> bool:
    """Look for scores or probabilities where nll_loss wants log-probabilities."""
    made = origin(input)
    if over_batch(made, input):
        return True
    a = input._array
    if made.kind == "log_softmax" or a.shape[axis if a.ndim > 1 else 0] == 1:
        return False
    rows = np.moveaxis(a, axis if a.ndim > 1 else 0, -1)
    rows = rows.reshape(-1, rows.shape[-1])[:128].astype(np.float64)
    if not rows.size or not np.isfinite(rows).all():
        return False
    sums = np.exp(np.minimum(rows, 50)).sum(1)
    off = np.abs(np.log(sums)) > (1e-2 if a.itemsize > 2 else 5e-2)
    text = arguments(user_site(), "input")[0]
    if _sums_to_one(a, axis if a.ndim > 1 else 0) and rows.shape[1] > 1:
        found("FB-LOSS-06", f"{name} expects log-probabilities, but `{text}` holds probabilities: row 0 sums to 1",
              f"{name} only picks -`{text}`[target]: without the logarithm the loss can never leave -1..0",
              f"use `F.log_softmax` (`nn.LogSoftmax(dim={axis})`) in place of softmax, or `F.cross_entropy` on the "
              "raw scores", cause="probabilities")  # fmt: skip
        return True
    if not ((rows > 1e-6).any() or off.any()) or _normalised_before(input):
        return False
    row = int(np.argmax(off))
    target = arguments(user_site(), "input", "target")[1]
    found("FB-LOSS-06", f"{name} expects log-probabilities, but row {row} of `{text}` sums to {sums[row]:.3g} after "
          "exp: these are raw scores",
          f"{name} only picks -`{text}`[target], so the loss can fall without limit",
          f"use `F.cross_entropy({text}, {target})`, or give {name} `F.log_softmax({text}, dim={axis})`",
          cause="scores")  # fmt: skip
    return True


def divergence_given(input, target, log_target: bool) -> bool:
    """Look for scores or probabilities where kl_div wants log-probabilities, and for logarithms as its target."""
    a, t = input._array, target._array
    if not a.size or not t.size or a.dtype.kind != "f" or t.dtype.kind != "f":
        return False
    text, other = arguments(user_site(), "input", "target")
    top = float(a.max())
    if top > 1e-6:
        made, axis = origin(input), max(a.ndim - 1, 0)
        if made.kind in ("softmax", "sigmoid") or _sums_to_one(a, axis):
            found("FB-LOSS-06", f"kl_div expects log-probabilities, but `{text}` holds probabilities (up to {top:.3g})",
                  "kl_div takes the logarithm of the target only, never of its input",
                  f"give it the logarithm: `F.log_softmax` in place of softmax, or `{text}.log()`",
                  cause="probabilities")  # fmt: skip
        else:
            found("FB-LOSS-06", f"kl_div expects log-probabilities, but `{text}` goes up to {top:.3g}",
                  "a log-probability is never above 0: these are raw scores, and the loss can fall without limit",
                  f"give it `F.log_softmax({text}, dim={axis})`", cause="scores")  # fmt: skip
        return True
    low = float(t.min())
    if not log_target and low < -1e-6:
        found("FB-LOSS-06", f"kl_div expects probabilities as its target, but `{other}` goes down to {low:.3g}",
              "a probability is never below 0; the logarithm of these values is NaN",
              "pass `log_target=True` if they are log-probabilities", cause="target")  # fmt: skip
        return True
    return False


# ---------------------------------------------------------------------- arguments the wrong way round


@safe
def swapped(name: str, input, target, level: str = "W") -> bool:
    """Look for a loss whose target carries the gradient, and not its input."""
    if input.requires_grad or not target.requires_grad:
        return False
    site = user_site()
    text, other = arguments(site, "input", "target")
    function = called(site, name)
    found("FB-LOSS-10", f"{name} got `{text}`, which needs no gradient, as its input and `{other}`, which needs one, "
          "as its target",
          f"{name} is not symmetric: the prediction comes first, the target second",
          f"swap them: `{function}({other}, {text})`", level=level, cause="swapped")  # fmt: skip
    return True


# ---------------------------------------------------------------------- what the functions call


@safe
def cross_entropy(input, target, weight, ignore_index: int, reduction: str) -> None:
    """Look at the arguments of cross_entropy."""
    a, t = input._array, target._array
    axis = 1 if a.ndim > 1 else 0
    if a.shape == t.shape and swapped("cross_entropy", input, target):
        return
    if targets.classes_last("cross_entropy", input, target) or scores_given("cross_entropy", input, axis):
        return
    if a.shape != t.shape:
        targets.padding("cross_entropy", input, target, weight, ignore_index, reduction)


@safe
def nll_loss(input, target, weight, ignore_index: int, reduction: str) -> None:
    """Look at the arguments of nll_loss."""
    axis = 1 if input._array.ndim > 1 else 0
    if targets.classes_last("nll_loss", input, target) or log_probabilities_given("nll_loss", input, axis):
        return
    targets.padding("nll_loss", input, target, weight, ignore_index, reduction)


@safe
def bce_with_logits(input, target) -> None:
    """Look at the arguments of binary_cross_entropy_with_logits."""
    name = "binary_cross_entropy_with_logits"
    if not swapped(name, input, target):
        scores_given(name, input, 0, ("sigmoid", "softmax"))


@safe
def kl_div(input, target, log_target: bool) -> None:
    """Look at the arguments of kl_div."""
    if over_batch(origin(input), input) or over_batch(origin(target), target):
        return
    # Both in logarithms: the divergence the other way round is asked for now and then, by who knows.
    if not swapped("kl_div", input, target, "H" if log_target else "W"):
        divergence_given(input, target, log_target)
