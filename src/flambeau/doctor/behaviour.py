"""What the model does before training: whether it looks at its input, can fit one batch, and with which learning rate.

These run the model a few times more, after the one step from which statistics are taken; the examination restores
everything afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..checks.codes import LIMITS
from ..checks.findings import allow, found, seen
from ..checks.registry import variable
from ..generator import default_generator
from ..tensor import Tensor
from .batches import Parts, tensors_in


def outputs(run: Callable[[Parts], Any], parts: Parts) -> list[np.ndarray]:
    """The arrays that the model gives for a batch (recorded as in training: forward may ask for gradients itself)."""
    state = default_generator.get_state()  # each call is to draw the same numbers
    with allow():
        made = run(parts)
    default_generator.set_state(state)
    arrays = [t._array for _, t in tensors_in(made, "output")]
    return [a for a in arrays if type(a) is np.ndarray and a.dtype.kind in "fc"]


def rolled(parts: Parts) -> Parts:
    """The batch with its samples moved on by one."""
    n = parts.size
    return parts.map(lambda t: wrap(np.roll(t._array, 1, axis=0)) if _counts(t, n) else t)


def with_other_first(parts: Parts) -> Parts:
    """The batch with another first sample (the last one's values)."""
    n = parts.size

    def changed(t):
        if not _counts(t, n):
            return t
        a = t._array.copy()
        a[0] = t._array[-1]
        return wrap(a)

    return parts.map(changed)


def _counts(t, n) -> bool:
    return t._array.ndim > 0 and t._array.shape[0] == n and type(t._array) is np.ndarray


def wrap(array) -> Tensor:
    """A tensor over an array."""
    return Tensor.wrap(array)


def varies(parts: Parts) -> bool:
    """Whether the samples of a batch differ (without a sequence that is packed: those are left alone)."""
    n = parts.size
    if n < 3 or any(hasattr(v, "batch_sizes") for v in (*parts.inputs, *parts.named.values())):
        return False
    tensors = [t for _, t in parts.tensors() if _counts(t, n)]
    return bool(tensors) and any(not np.array_equal(t._array[0], t._array[-1]) for t in tensors)


def ignores_input(run: Callable[[Parts], Any], parts: Parts) -> bool:
    """LOOP-07 (a): whether the outputs stay as they are when the samples change places."""
    if not varies(parts):
        return False
    here, there = outputs(run, parts), outputs(run, rolled(parts))
    n = parts.size
    pairs = [(a, b) for a, b in zip(here, there) if a.ndim and a.shape[0] == n and a.shape == b.shape]
    return bool(pairs) and all(_same(a, b) for a, b in pairs)


def _same(a, b) -> bool:
    scale = max(float(np.abs(a).max(initial=0)), 1e-12)
    return bool(np.isfinite(scale)) and float(np.abs(a - b).max(initial=0)) <= LIMITS["FB-LOOP-07"]["same"] * scale


def reaches_input(run: Callable[[Parts], Any], parts: Parts) -> bool | None:
    """Whether the graph of the output leads back to any floating-point input; None if there is no such input."""
    from ..checks import events

    leaves: list[Tensor] = []

    def leaf(t):
        if t._array.dtype.kind != "f":
            return t
        made = wrap(t._array)
        made._rg = True
        leaves.append(made)
        return made

    own = parts.map(leaf)
    if not leaves:
        return None
    with allow():
        made = run(own)
    roots = [t for _, t in tensors_in(made, "output")]
    ids = {id(t) for t in leaves}
    if any(id(t) in ids for t in roots):
        return True
    return any(id(t) in ids for t in events.leaves(events.graph(roots)))


def say_ignored(model: Any) -> None:
    """LOOP-07 for a model whose output does not depend on its input."""
    name = type(model).__name__
    found(
        "FB-LOOP-07",
        saw=f"{name} gives the same output for different samples",
        why="nothing in forward depends on the values of the input, so it can only learn the frequencies of the labels",
        fix=f"follow the input through {name}.forward: somewhere it is replaced (`zeros_like(x)`, a constant, a wrong "
        "variable)",
        cause="ignores-input",
        place=name,
    )


def mixes_samples(run: Callable[[Parts], Any], parts: Parts, model: Any, recurrent: list[tuple]) -> None:
    """SHAPE-07, or a hint, where the output of one sample depends on another one (in eval mode).

    recurrent: (path, module, input shape) of the layers that read dimension 0 as time.
    """
    if not varies(parts) or seen("FB-MOD-03", "FB-SHAPE-07", "FB-LOSS-09", "FB-SHAPE-05", "FB-SHAPE-03", "FB-SHAPE-04"):
        return
    n = parts.size
    here, there = outputs(run, parts), outputs(run, with_other_first(parts))
    pairs = [(a, b) for a, b in zip(here, there) if a.ndim and a.shape[0] == n and a.shape == b.shape]
    if pairs and any(
        not np.allclose(a[1:], b[1:], rtol=1e-3, atol=1e-5 * max(1e-9, np.abs(a).max())) for a, b in pairs
    ):
        for path, layer, shape in recurrent:
            if len(shape) == 3 and shape[0] == n and shape[1] != n:
                _say_time_first(path, layer, shape)
                return
        name = type(model).__name__
        found(
            "FB-SHAPE-05",
            saw=f"with another first sample, {name} gives other outputs for the remaining ones, in eval mode",
            why="the samples of a batch are mixed: by a view over the batch dimension, by a softmax or mean over it, "
            "or by a recurrent layer that reads the batch as time",
            fix="keep dimension 0 for the samples in every view, softmax and reduction; if the mixing is meant, "
            "ignore this",
            cause="samples-mixed",
            level="H",
            confidence="possible",
            place=name,
        )


def _say_time_first(path, layer, shape) -> None:
    kind = type(layer).__name__
    found(
        "FB-SHAPE-07",
        saw=f"{path} = {kind}(batch_first=False) received {shape} for a batch of {shape[0]} samples, and the output of "
        "one sample depends on the others",
        why=f"it reads your {shape[0]} samples as {shape[0]} time steps",
        fix=f"pass `batch_first=True` to nn.{kind}, or give it `x.transpose(0, 1)`",
        cause="batch-as-time",
        place=path,
    )


# ------------------------------------------------------------------------------------------------ a few steps


def fit(step: Callable[[Any], float], model: Any, first: float) -> list[float]:
    """LOOP-07 (b): the losses of a few steps of Adam on one batch."""
    from ..optim import Adam

    limits = LIMITS["FB-LOOP-07"]
    parameters = [p for p in model.parameters() if p._rg]
    optimizer = Adam(parameters, lr=limits["lr"])
    losses = [first]
    for _ in range(int(limits["steps"])):
        losses.append(step(optimizer))
        if not math.isfinite(losses[-1]):
            break
    return losses


def judge_fit(losses: list[float], model: Any) -> None:
    """LOOP-07 (b) as a hint: one batch could not be fitted at all."""
    finite = [v for v in losses if math.isfinite(v)]
    if len(finite) < 4 or finite[0] <= 1e-3:
        return
    best, cut = min(finite[1:]), LIMITS["FB-LOOP-07"]["cut"]
    if best < finite[0] - cut * abs(finite[0]):
        return
    found(
        "FB-LOOP-07",
        saw=f"{len(losses) - 1} steps on one batch took the loss from {finite[0]:.4g} to {best:.4g} at best",
        why="a model that cannot fit a single batch cannot fit the data",
        fix="look at the other findings first; then at the loss, the targets and what forward returns",
        cause="cannot-fit",
        level="H",
        confidence="possible",
        place=type(model).__name__,
        losses=losses,
    )


def probe_rate(step: Callable[[Any], float], again: Callable[[], None], optimizer: Any, first: float) -> list[float]:
    """OPT-03: a few steps with the user's optimizer; if they raise the loss, as many with a tenth of its rate.

    again() puts the parameters back where they were.
    """
    limits = LIMITS["FB-OPT-03"]
    steps = int(limits["steps"])
    rates = [g["lr"] for g in optimizer.param_groups]
    losses = [first, *(step(optimizer) for _ in range(steps))]
    worst = max((v if math.isfinite(v) else math.inf) for v in losses[1:])
    again()
    if not all(isinstance(r, (int, float)) for r in rates) or losses[-1] <= first:
        return losses
    if not worst > limits["rise"] * abs(first) + 1e-3:
        return losses
    for factor in (10, 100):
        for g, rate in zip(optimizer.param_groups, rates):
            g["lr"] = rate / factor
        lower = [first, *(step(optimizer) for _ in range(steps))]
        again()
        if math.isfinite(lower[-1]) and lower[-1] < first:
            _say_rate(optimizer, rates[0], rates[0] / factor, losses, worst, lower[-1])
            break
    return losses


def _say_rate(optimizer, rate, better, losses, worst, reached) -> None:
    first, steps = losses[0], len(losses) - 1
    found(
        "FB-OPT-03",
        saw=f"{steps} steps with lr={rate:g} took the loss on one batch from {first:.3g} to {worst:.3g}",
        why=f"with lr={better:g} it falls to {reached:.3g}: the steps are too large",
        fix=f"use `lr={better:g}`, and go on from there",
        cause="probe",
        place=variable(optimizer) or type(optimizer).__name__,
        confidence="likely",
        losses=losses,
    )
