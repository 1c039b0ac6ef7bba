"""FB-NUM-04: numbers outside the range of float16: sums, casts and constants, and an optimizer's eps."""

from __future__ import annotations

import numpy as np

from . import events
from .blame import SAID, say, told
from .findings import found, seen
from .log import log
from .sites import user_site
from .trace import finite, has_nan


def half(c, spot, here, value, strict):
    """The operation that a loss that is not finite began at left the range of float16."""
    out = c.output
    if not strict and seen("FB-NUM-04"):
        return SAID
    if not (isinstance(out, np.ndarray) and out.dtype == np.float16) or has_nan(out):
        return None
    known = [a for a in c.inputs if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    if not known or not all(map(finite, known)):
        return None
    line = spot.line if spot is not None else 0
    divisor = known[1] if c.op == "div" and len(known) > 1 else known[0]
    if c.op in ("div", "reciprocal", "rsqrt", "log") and (divisor == 0).any():
        return told(say(
            strict, "FB-NUM-04",
            f"{c.op} (line {line}) of float16 values received 0, so `{here.name}` is {value}" if line else
            f"{c.op} of float16 values received 0, so `{here.name}` is {value}",
            "what is below 6e-8 is 0 in float16, a small number such as 1e-8 too",
            "add a number that float16 can hold, such as `1e-4`, or compute it in float32: `x.float()`",
            "underflow", spot.site if spot is not None else here.site,
        ))  # fmt: skip
    return told(say(
        strict, "FB-NUM-04",
        f"{c.op} (line {line}) of float16 values is above the float16 maximum 65504, so `{here.name}` is {value}"
        if line else
        f"{c.op} of float16 values is above the float16 maximum 65504, so `{here.name}` is {value}",
        "float16 ends at 65504, however large the values are in float32",
        "compute it in float32, such as `x.float()` or `x.sum(dtype=torch.float32)`, or use bfloat16",
        "overflow", spot.site if spot is not None else here.site,
    ))  # fmt: skip


def overflowed(a, axes):
    """A sum of float16 values is not finite."""
    if log.scaled or not finite(a):
        return
    total = np.add.reduce(a, axes, np.float64)
    largest = float(np.abs(total).max())
    count = a.size // max(np.size(total), 1)
    site = user_site()
    given = site.operands() if site is not None else []
    name = given[0] if given and given[0].isidentifier() else f"({given[0]})" if given else "x"
    found(
        "FB-NUM-04",
        saw=f"the sum of {count} float16 values is {largest:.6g}, above the float16 maximum 65504: inf",
        why="float16 ends at 65504; the sum itself is computed in float32, and does not fit when it is stored",
        fix=f"sum in float32: `{name}.sum(dtype=torch.float32)`, or use bfloat16",
        cause="overflow",
        level="W",
        at=site,
    )


def check_eps(optimizer, state):
    """An optimizer over float16 parameters whose eps is 0 in float16."""
    eps = optimizer.defaults.get("eps")
    if not isinstance(eps, float) or not 0 < eps < 6e-8:
        return
    half = [p for g in optimizer.param_groups for p in g["params"] if p._array.dtype == np.float16]
    if half:
        kind = type(optimizer).__name__
        found(
            "FB-NUM-04",
            saw=f"{kind} with eps={eps:g} holds {len(half)} float16 parameters, and {eps:g} is 0 in float16",
            why="eps keeps the division of the update from dividing by 0; the smallest float16 is 6e-8",
            fix=f"use `eps=1e-4`, or keep the parameters in float32 and compute under `torch.autocast`: `{kind}(..., "
            "eps=1e-4)`",
            cause="eps",
            level="W",
            at=user_site(),
        )


events.optimizer_made.append(check_eps)


def half_number(value: float, made) -> None:
    """`torch.tensor(value, dtype=torch.float16)`: a number that float16 can only store as 0 or inf."""
    stored = float(made._array)
    if value == 0 or (stored != 0 and np.isfinite(stored)) or not np.isfinite(value):
        return
    found(
        "FB-NUM-04",
        saw=f"{value:g} is stored as {stored:g} in float16",
        why="float16 ends at 65504" if stored else "the smallest number above 0 in float16 is 6e-8",
        fix="use `dtype=torch.float32`, or `torch.bfloat16`"
        if stored
        else "use a larger number, such as 1e-4, or `dtype=torch.float32`",
        cause="overflow" if stored else "underflow",
        level="W",
        at=user_site(),
    )


def narrowed(x, made) -> None:
    """A tensor was cast to float16 in the user's code: whether finite values became infinite."""
    a, b = x._array, made._array
    if type(a) is not np.ndarray or a.dtype.kind != "f" or not a.size or finite(b) or not finite(a):
        return
    site = user_site()
    if site is None or site.library:
        return
    count, largest = int(np.isinf(b).sum()), float(np.abs(a).max())
    found(
        "FB-NUM-04",
        saw=f"the cast to float16 makes inf of {count} of {a.size} values: they reach {largest:.6g}",
        why="float16 ends at 65504",
        fix="scale the values first, keep them in float32, or use `torch.bfloat16`",
        cause="cast",
        level="W",
        at=site,
    )
