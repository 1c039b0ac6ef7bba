"""FB-NUM-03: reductions over nothing: a softmax of a masked row, a mean without elements, a std of one value."""

from __future__ import annotations

import re

import numpy as np

from .blame import say, told
from .findings import found
from .flow import dotted, source_of
from .sites import user_site
from .tags import origin
from .trace import has_nan


def nothing(c, spot, here, value, strict):
    """FB-NUM-03: a reduction over nothing."""
    x = c.inputs[0] if c.inputs else None
    line = spot.line if spot is not None else 0
    site = spot.site if spot is not None else here.site
    if c.op in ("softmax", "log_softmax"):
        axis = c.options.get("axis", c.options.get("dim", -1))
        if x is not None:
            rows = np.isneginf(x).all(axis)
        elif c.output is not None:
            rows = np.isnan(c.output).all(axis)
        if (x is None and c.output is None) or not rows.any():
            return None
        count, first = int(rows.sum()), int(np.flatnonzero(rows.reshape(-1))[0])
        text = _bounded(spot) if spot is not None else ""
        return told(say(
            strict, "FB-NUM-03",
            f"{count} of {rows.size} rows of the {c.op} on line {line} are masked completely (the first: row {first}), "
            f"so they are NaN, and `{here.name}` too" if line else
            f"{count} of {rows.size} rows of a {c.op} are masked completely (the first: row {first}), so they are NaN, "
            f"and `{here.name}` too",
            "softmax over nothing but -inf divides 0 by 0",
            f"keep at least one position in each row, or mask with a large finite number: `{text}`" if text else
            "keep at least one position in each row, or mask with a large finite number: `masked_fill(mask, -1e9)`",
            "masked-row", site, rows=count,
        ))  # fmt: skip
    if not isinstance(x, np.ndarray):
        return None
    if c.op in ("cross_entropy_loss", "nll_loss") and len(c.inputs) > 1 and c.inputs[1] is not None:
        ignored = c.options.get("ignore_index", -100)
        target = c.inputs[1]
        if target.dtype.kind == "i" and target.size and (target == ignored).all():
            return told(say(
                strict, "FB-NUM-03",
                f"all {target.size} targets are ignore_index={ignored}, so `{here.name}` is the mean of nothing: NaN",
                "the mean divides by the number of targets that count, and there are none",
                "leave such batches out: `if (target != "
                f"{ignored}).any(): ...`, or divide a sum: `F.cross_entropy(scores, target, reduction='sum') / "
                f"max((target != {ignored}).sum(), 1)`",
                "ignored-targets", site,
            ))  # fmt: skip
    if x.size == 0:
        return told(say(
            strict, "FB-NUM-03",
            f"{c.op} (line {line}) takes the mean of a tensor of shape {x.shape}, without elements: NaN" if line else
            f"{c.op} takes the mean of a tensor of shape {x.shape}, without elements: NaN",
            "a mean divides by the number of elements",
            "leave empty selections out: `if x.numel(): ...`, or divide the sum: `x.sum() / max(x.numel(), 1)`",
            "empty", site,
        ))  # fmt: skip
    if c.op in ("std", "var", "std_mean", "var_mean"):
        axes = c.options.get("axes")
        count = int(np.prod([x.shape[i] for i in axes])) if axes is not None else x.size
        if count - c.options.get("correction", 1) <= 0:
            return told(say(
                strict, "FB-NUM-03",
                f"the {c.op} on line {line} is taken of {count} value: NaN" if line else
                f"a {c.op} is taken of {count} value: NaN",
                "it divides by the number of values less one",
                f"use `correction=0`, or leave `{c.op}` out where there is one value only",
                "one-value", site,
            ))  # fmt: skip
    return None


def _bounded(spot) -> str:
    """The source of a softmax whose mask is a large finite number; "" where it has no mask of its own."""
    text = re.sub(r"float\(['\"]-inf['\"]\)|-float\(['\"]inf['\"]\)|-(torch|math|np|numpy)\.inf", "-1e9", spot.text)
    return "" if text == spot.text else text


def shown(t):
    """A tensor is printed: rows of a softmax that are NaN are seen by the user now."""
    a = t._array
    if a.__class__ is not np.ndarray or not has_nan(a):
        return
    of = origin(t)
    if of.kind not in ("softmax", "log_softmax") or of.moved:
        return
    rows = np.isnan(a).all(-1)
    if not rows.any():
        return
    site = of.site or user_site()
    name = _assigned(site) or "weights"
    found(
        "FB-NUM-03",
        saw=f"{int(rows.sum())} of {rows.size} rows of a {of.kind} are NaN: they are masked completely",
        why="softmax over nothing but -inf divides 0 by 0",
        fix=f"keep at least one position in each row, or set such rows to 0: `{name} = torch.nan_to_num({name})`",
        cause="masked-row",
        level="W",
        at=site,
    )


def _assigned(site) -> str:
    """The variable that the statement at a place gives its value."""
    source = source_of(site.code) if site is not None else None
    order = source.at(site.line) if source is not None else -1
    targets = getattr(source.statements[order][0], "targets", []) if source is not None and order >= 0 else []
    return dotted(targets[0]) if targets else ""
