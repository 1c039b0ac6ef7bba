"""The row-wise halves of attention: masked softmax of scores in place, and its gradient in place."""

from __future__ import annotations

from .build import kernel
from .scalars import exp, where


@kernel("s:T!=heads*rows*cols mask:T?=masks*rows*cols masks heads rows cols scale:d", work="heads*rows", cost="cols")
def softmax(k, begin, end, s, mask, masks, heads, rows, cols, scale, causal=False):
    """softmax(s * scale + mask) over each row, in place; causal: row i sees columns up to i, the rest becomes 0.

    The masks, one for each head or one for all of them, are used in turn.

    A row that sees nothing becomes 0, as PyTorch's attention has it.
    """
    scale = k.float(scale)
    for task in k.range(begin, end):
        row = s.at(task * cols)
        seen = k.minimum(task % rows + 1, cols) if causal else cols

        added = None if mask is None else mask.at(task % (masks * rows) * cols)

        def score(j, row=row, added=added):
            return row[j] * scale if added is None else row[j] * scale + added[j]

        top = k.largest(seen, score)
        base = where(top == float("-inf"), k.float(0.0), top)
        total = k.cell(0.0)
        for j in k.range(seen):
            e = exp(score(j) - base)
            row[j] = e
            total.add(e)
        factor = where(total.get() == 0.0, k.float(0.0), 1.0 / total.get())
        for j in k.range(seen):
            row[j] = row[j] * factor
        for j in k.range(seen, cols):
            row[j] = 0.0


@kernel("d:T!=heads*rows*cols p:T=heads*rows*cols heads rows cols scale:d", work="heads*rows", cost="cols")
def softmax_backward(k, begin, end, d, p, heads, rows, cols, scale, causal=False):
    """d = p (d - sum(d p)) scale over each row, in place."""
    for task in k.range(begin, end):
        g, prob = d.at(task * cols), p.at(task * cols)
        seen = k.minimum(task % rows + 1, cols) if causal else cols
        dot = k.sum(seen, lambda j, g=g, prob=prob: g[j] * prob[j])
        for j in k.range(seen):
            g[j] = prob[j] * (g[j] - dot) * scale
        for j in k.range(seen, cols):
            g[j] = 0.0
