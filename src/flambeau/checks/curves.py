"""What the curves of a watched run say: the loss diverges or stands still (FB-LOOP-08), overfitting (FB-LOOP-09)."""

from __future__ import annotations

import ast
import math
from statistics import median
from typing import Any

from . import events
from .codes import LIMITS
from .findings import found, so_far
from .log import log
from .sites import Site

# From symptom to suspects: what is likely where nothing else was found, the likeliest first.
DIVERGING = ("FB-DATA-04", "FB-OPT-03", "FB-LOOP-01", "FB-OPT-06", "FB-INIT-02", "FB-DATA-02", "FB-NUM-01", "FB-NUM-02")
STILL = (
    "FB-LOOP-03", "FB-LOOP-02", "FB-OPT-02", "FB-GRAD-04", "FB-OPT-04", "FB-MOD-01", "FB-INIT-03", "FB-GRAD-06",
    "FB-LOOP-07", "FB-DATA-05", "FB-LOSS-01", "FB-INIT-01", "FB-MOD-03", "FB-SHAPE-05", "FB-LOSS-09",
)  # fmt: skip


def _suspects(codes) -> list[str]:
    """Those of the codes that were found in this run."""
    seen = {f.code for f in so_far()}
    return [c for c in codes if c in seen]


def _one_optimizer() -> bool:
    """Whether a single optimizer steps: the losses of games (GANs, actors and critics) go up and down by nature."""
    return sum(log.of(o).steps > 0 for o in log.live_optimizers()) <= 1


# ------------------------------------------------------------------ FB-LOOP-08


def diverging(history, watch) -> None:
    """The smoothed loss stays far above its minimum."""
    limits = LIMITS["FB-LOOP-08"]
    if history.notes.get("diverging") or len(history.losses) < 2 * limits["steps"] or not _one_optimizer():
        return
    series = history.smoothed()
    if len(series) < 2 * limits["steps"]:
        return
    lowest = min(series, key=lambda p: p[1])
    last = [v for _, v in series[-int(limits["steps"]) :]]
    if lowest[1] <= 0 or min(last) <= limits["up"] * lowest[1] or _suspects(DIVERGING):
        return
    if _another_task(history.losses[history.start :], lowest[0]):
        return
    history.notes["diverging"] = True
    found(
        "FB-LOOP-08",
        cause="diverging",
        level="W",
        saw=f"the loss was {lowest[1]:.3g} at step {lowest[0]}, and has been above {min(last):.3g} for the last "
        f"{len(last)} steps (now {last[-1]:.3g})",
        why="training undoes what it had learnt: most often the learning rate is too high, or grows",
        fix="lower the learning rate, or clip the gradients: `nn.utils.clip_grad_norm_(model.parameters(), 1.0)`",
        place="loss",
        at=None,
        confidence="likely",
    )


def _another_task(losses, since: int) -> bool:
    """Whether the loss rose in one jump and falls again from there, or may yet: the next stage of a curriculum, say."""
    limits = LIMITS["FB-LOOP-08"]
    values = [v for step, v in losses if step >= since and math.isfinite(v) and v > 0]
    jumps = [
        i
        for i in range(1, len(values))
        if values[i] >= limits["up"] * values[i - 1]
        and median(values[i : i + 5]) >= limits["up"] * median(values[max(0, i - 5) : i])
    ]
    if not jumps:
        return False
    after = values[jumps[-1] :]
    return len(after) < limits["steps"] or sum(after[-10:]) < limits["recovers"] * sum(after[:10])


def plateau(history, watch) -> None:
    """The smoothed loss has not moved since the start."""
    limits = LIMITS["FB-LOOP-08"]
    steps = max(limits["still"], _epoch())
    if history.notes.get("plateau") or history.step < steps or len(history.losses) < steps or not _one_optimizer():
        return
    series = [v for _, v in history.smoothed(0.95)]
    if len(series) < steps:
        return
    series = series[20:]
    first, best = series[0], min(series)
    if not math.isfinite(first) or first == 0 or best < first - limits["gain"] * abs(first):
        return
    history.notes["plateau"] = True
    suspects = _suspects(STILL)
    named = ", ".join(suspects)
    found(
        "FB-LOOP-08",
        cause="plateau",
        level="H",
        saw=f"in {len(series)} steps the loss has not fallen by 1 %: it began at {first:.4g} and is {series[-1]:.4g}",
        why=f"what was found before is the likely cause: {named}"
        if suspects
        else "the model learns nothing from these steps",
        fix=f"see `flambeau explain {suspects[0]}` first"
        if suspects
        else "see whether the model can fit one batch: `flambeau.doctor.examine(model, loader, loss)`",
        place="loss",
        confidence="possible",
        suspects=suspects,
    )


def _epoch() -> int:
    """The batches of the loader that gave the last batch; 0 if unknown."""
    loader: Any = log.batch.loader() if log.batch is not None else None
    try:
        return len(loader) if loader is not None else 0
    except TypeError:
        return 0


# ------------------------------------------------------------------ FB-LOOP-09


def overfitting(history, watch) -> None:
    """The validation loss is past its minimum for good, while the training loss went on falling."""
    limits = LIMITS["FB-LOOP-09"]
    if history.notes.get("overfitting") or len(history.losses) < 10:
        return
    for series in (history.validation, *_read(history)):
        finite = [(s, v) for s, v in series if math.isfinite(v)]
        if len(finite) < limits["evaluations"] + 1:
            continue
        at, (step, best) = min(enumerate(finite), key=lambda e: e[1][1])
        after = [v for _, v in finite[at + 1 :]]
        tail = [v for _, v in finite[-3:]]
        mean = sum(tail) / len(tail)
        noise = math.sqrt(sum((v - mean) ** 2 for v in tail) / len(tail))
        recent = after[-int(limits["evaluations"]) :]
        if best <= 0 or len(recent) < limits["evaluations"] or min(recent) <= max(limits["worse"] * best, best + noise):
            continue
        losses = history.smoothed(0.5)
        if not losses:
            continue
        then = next((v for s, v in losses if s >= step), None)
        now = losses[-1][1]
        if then is None or now > limits["fell"] * then:
            continue
        history.notes["overfitting"] = True
        found(
            "FB-LOOP-09",
            saw=f"the validation loss was lowest at step {step} ({best:.3g}) and is now {finite[-1][1]:.3g}, while the "
            f"training loss fell from {then:.3g} to {now:.2g}",
            why="the model learns the training samples by heart: overfitting",
            fix="keep the weights of the best evaluation, add `weight_decay` or `nn.Dropout`, or get more data",
            place="validation loss",
            confidence="likely",
        )
        return


def _read(history) -> list[list[tuple[int, float]]]:
    """The series of losses that the program has read with item() or float() without training on them, by line.

    A line counts if what is read there is a loss (made by a loss function, or called one) and never a value that
    backward() began with. The values read between two steps are one evaluation: their mean.
    """
    shift = log.steps - history.step
    trained = {v for _, v in history.losses}
    lines: dict[Site, dict[int, list[float]]] = {}
    for site, name, value, step in log.read:
        if name or _called_a_loss(site):
            lines.setdefault(site, {}).setdefault(step - shift, []).append(value)
    found_ = []
    for groups in lines.values():
        if not any(v in trained for values in groups.values() for v in values):
            found_.append([(step, sum(v) / len(v)) for step, v in sorted(groups.items())])
    return found_


def _called_a_loss(site: Site) -> bool:
    """Whether the expression that is read looks like a loss by its names: `val_loss`, `criterion(...)`."""
    e = site.expression()
    nodes = [n for n in ast.walk(e) if isinstance(n, (ast.Name, ast.Attribute))] if e is not None else []
    names = {n.id if isinstance(n, ast.Name) else n.attr for n in nodes}
    return any(word in name.lower() for name in names for word in ("loss", "criterion", "cross_entropy"))


events.watch_rules += [("diverging", diverging), ("plateau", plateau), ("overfitting", overfitting)]
