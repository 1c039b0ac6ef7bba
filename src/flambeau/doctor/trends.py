"""While a model trains: gradients that vanish or explode, units that no sample reaches any more (INIT-01 to 03).

`doctor.watch` calls these rules at the steps that it samples; gradients are still there then.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import events
from ..checks.findings import found, seen
from ..checks.log import log
from .statistics import LIMITS


def vanishes(history, watch) -> None:
    """INIT-01: the first layers get (almost) nothing of the gradient that the last one gets, sample after sample."""
    sample, limits = history.samples[-1], LIMITS["FB-INIT watch"]
    if sample.step < 5:  # gates and branches that begin at zero have had their first steps
        return
    usable = sample.matrices & (sample.gradient > 0) & (sample.weight > 0)
    relative = (sample.gradient / np.where(sample.weight > 0, sample.weight, 1))[usable]
    ratio = relative[0] / relative[-1] if len(relative) >= LIMITS["FB-INIT-01"]["layers"] else 1.0
    steps = relative[1:] / relative[:-1]
    weak = ratio < LIMITS["FB-INIT-01"]["ratio"] and np.median(steps) > limits["steady"]
    history.notes["vanishing"] = count = history.notes.get("vanishing", 0) + 1 if weak else 0
    if count == limits["samples"]:
        names = [n for n, u in zip(sample.names, usable) if u]
        found(
            "FB-INIT-01",
            saw=f"the gradient of {names[0]} is {ratio:.1g} of that of {names[-1]}, relative to the weights, in "
            f"{count} samples in a row",
            why=f"it shrinks through each of {len(names)} layers: the first ones hardly learn",
            fix="use `nn.ReLU()` or `nn.GELU()` in place of sigmoid or tanh, normalisation layers, or skip connections",
            cause="vanishing",
            place=names[0],
            confidence="likely",
            ratio=float(ratio),
        )


def explodes(history, watch) -> None:
    """INIT-02: gradients far above what they usually are, more than once."""
    limits = LIMITS["FB-INIT watch"]
    norms = [float(np.nanmax(s.gradient, initial=0.0)) for s in history.samples]
    if len(norms) <= limits["before"] or seen("FB-OPT-03", "FB-NUM-01", "FB-NUM-02", "FB-DATA-04"):
        return
    usual, high = float(np.median(norms)), history.notes.get("burst")
    if usual > 0 and norms[-1] > limits["burst"] * usual:
        history.notes["burst"] = history.samples[-1]
        return
    history.notes["burst"] = None
    if high is None:  # a burst is over when the next sample is as usual; where gradients stay large, the loss diverges
        return
    history.notes["bursts"] = count = history.notes.get("bursts", 0) + 1
    if count == limits["samples"]:
        name, size = high.names[int(np.nanargmax(high.gradient))], float(np.nanmax(high.gradient))
        found(
            "FB-INIT-02",
            saw=f"gradients were {size / usual:.0f} times their usual size, in {count} of {len(norms)} samples; "
            f"{name} has the largest",
            why="a few such steps move the weights further than all the others",
            fix="clip them between backward and step: `nn.utils.clip_grad_norm_(model.parameters(), 1.0)`",
            cause="bursts",
            level="H" if log.clipped else "W",
            place=name,
            confidence="likely",
            usual=usual,
        )


def dies(history, watch) -> None:
    """INIT-03: most units of a layer have had no gradient in any sample."""
    limits, sample = LIMITS["FB-INIT watch"], history.samples[-1]
    dead = history.notes.setdefault("dead units", {})
    embeddings, relu = _kinds(watch.model)
    if not relu:
        return
    for name, p in watch.model.named_parameters():
        g = p._grad
        if g is None or p._array.ndim < 2 or id(p) in embeddings or type(g._array) is not np.ndarray:
            continue
        zero: Any = ~g._array.reshape(len(g._array), -1).any(axis=1)
        if len(zero) < limits["units"]:
            continue
        before, count = dead.get(name, (None, 0))
        dead[name] = (zero if before is None else before & zero), count + 1
        gone = int(dead[name][0].sum())
        whole = gone == len(zero) and zero.all()
        if count + 1 == limits["dead"] and gone > LIMITS["FB-INIT-03"]["share"] * len(zero):
            found(
                "FB-INIT-03",
                saw=f"{gone} of {len(zero)} units of {name} had no gradient in {count + 1} samples, up to step "
                f"{sample.step}",
                why="a ReLU that is 0 for every sample passes no gradient, so they stay dead",
                fix="lower the learning rate, start with a bias of 0, or use `nn.LeakyReLU()`",
                cause="training",
                level="H" if whole else "W",  # all of them: the layer may not have run
                place=name,
                confidence="likely",
                share=gone / len(zero),
            )


def _kinds(model) -> tuple[set[int], bool]:
    """(ids of the weights of embeddings, whether there are ReLUs)."""
    if model is None:
        return set(), False
    kinds = [(type(m).__name__, m) for m in model.modules()]
    return {id(m.weight) for k, m in kinds if k.startswith("Embedding")}, any(k.startswith("ReLU") for k, _ in kinds)


def layers(history, watch) -> None:
    """The three rules, once for each sample."""
    if history.samples and history.samples[-1] is not history.notes.get("layers seen"):
        history.notes["layers seen"] = history.samples[-1]
        vanishes(history, watch)
        explodes(history, watch)
        dies(history, watch)


events.watch_rules.append(("layers", layers))
