"""Running sums and products along any dimension; float32 is added up in float64."""

from __future__ import annotations

import numpy as np

from . import fused
from .build import kernel

_KIND = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8", np.dtype(np.int64): "i8"}
TOGETHER = 4  # rows that one task takes along side by side, so that their chains of additions overlap
WIDE = 64  # columns of a task


@kernel("x:T=outer*count*inner y:T!=outer*count*inner outer count inner tasks weight", work="tasks", cost="weight",
        fits=lambda inner, thin: [inner == 1 if thin else inner > 0])  # fmt: skip
def scan(k, begin, end, x, y, outer, count, inner, tasks, weight, product=False, reverse=False, thin=False):
    """y[o, c, i] = x[o, 0, i] + ... + x[o, c, i], or their product; reverse: from the end. thin: inner is 1.

    A task is TOGETHER rows where thin, else WIDE columns of one o.
    """
    from .emit import Pointer  # imports LLVM

    kind = "f8" if k.real == "f4" else k.real
    start = 1 if product else 0

    def joined(total, value):
        value = value.cast(kind)
        return total * value if product else total + value

    for task in k.range(begin, end):
        if thin:
            starts = [k.minimum(task * TOGETHER + r, outer - 1) * count for r in range(TOGETHER)]
            lines = [(x.at(s), y.at(s), k.cell(start, kind)) for s in starts]
            for turn in k.range(k.select(outer > 0, count, 0)):
                c = count - 1 - turn if reverse else turn
                for source, to, total in lines:
                    total.set(joined(total.get(), source[c]))
                    to[c] = total.get().cast(k.real)
        else:
            blocks = (inner + (WIDE - 1)) // WIDE
            o, first = task // blocks, task % blocks * WIDE
            width = k.select(o < outer, k.minimum(inner - first, WIDE), 0)
            totals = Pointer(k, k.reserve(WIDE), kind)
            for i in k.range(width):
                totals[i] = start
            for turn in k.range(count):
                c = count - 1 - turn if reverse else turn
                at = (o * count + c) * inner + first
                source, to = x.at(at), y.at(at)
                for i in k.range(width):
                    total = joined(totals[i], source[i])
                    totals[i] = total
                    to[i] = total.cast(k.real)


def running(x, axis: int, product: bool = False, reverse: bool = False):
    """np.cumsum or np.cumprod along an axis, from the end if `reverse`; None where NumPy is to do it."""
    kind = _KIND.get(x.dtype)
    if kind is None or type(x) is not np.ndarray or x.size < fused.SMALL or not x.size:
        return None
    count = x.shape[axis]
    outer, inner = int(np.prod(x.shape[:axis], dtype=np.int64)), int(np.prod(x.shape[axis + 1 :], dtype=np.int64))
    thin = inner == 1
    f = scan.get(kind, product=product, reverse=reverse, thin=thin)
    tasks = -(-outer // TOGETHER) if thin else outer * -(-inner // WIDE)
    weight = count * (TOGETHER * 4 if thin else min(inner, WIDE))
    out = np.empty(x.shape, x.dtype)
    return out if f and f(fused._flat(x), out, outer, count, inner, tasks, weight) else None
