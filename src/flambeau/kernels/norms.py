"""Group normalisation: statistics over a group of channels of one sample, forward and backward.

A row is such a group: channels of `s` elements each, which share weight and bias. Instance normalisation has one
channel in each group.
"""

from __future__ import annotations

from .build import kernel
from .scalars import sqrt


def _consistent(n, c, groups, each, rows, s, cols):
    return [rows == n * groups, groups * each == c, each * s == cols]


def _channels(k, row, c, groups, each, s):
    """For each channel of the group: (its number in the sample, sample * c + that, where its elements start)."""
    sample, group = row // groups, row % groups
    for i in k.range(each):
        channel = group * each + i
        place = sample * c + channel
        yield channel, place, place * s


@kernel("x:T=n*c*s w:T?=c b:T?=c y:T!=n*c*s mean:T!=rows rstd:T!=rows n c groups each rows s cols eps:d",
        work="rows", cost="cols", fits=_consistent)  # fmt: skip
def group_norm(k, begin, end, x, w, b, y, mean, rstd, n, c, groups, each, rows, s, cols, eps):
    """(x - mean) / sqrt(var + eps) * w + b, mean and variance over each of `groups` groups of each sample's channels.

    rows is n * groups, each the channels and cols the elements of a group.
    """
    count = k.float(cols)
    for r in k.range(begin, end):
        row = x.at(r * cols)
        m = k.sum(cols, lambda j, row=row: row[j]) / count
        v = k.sum(cols, lambda j, row=row, m=m: (row[j] - m) * (row[j] - m)) / count
        scale = 1.0 / sqrt(v + eps)
        mean[r], rstd[r] = m, scale
        for channel, _, start in _channels(k, r, c, groups, each, s):
            factor = scale if w is None else scale * w[channel]
            shift = k.float(0.0) if b is None else b[channel]
            run, out = x.at(start), y.at(start)
            for j in k.range(s):
                out[j] = (run[j] - m) * factor + shift


@kernel("g:T=n*c*s x:T=n*c*s w:T?=c mean:T=rows rstd:T=rows dx:T!=n*c*s dw:T!=n*c db:T!=n*c "
        "n c groups each rows s cols", work="rows", cost="cols", fits=_consistent)  # fmt: skip
def group_norm_backward(k, begin, end, g, x, w, mean, rstd, dx, dw, db, n, c, groups, each, rows, s, cols):
    """Gradients of group_norm; those of weight and bias for each sample."""
    for r in k.range(begin, end):
        m, scale = mean[r], rstd[r]
        plain, along = k.cell(0.0), k.cell(0.0)
        for channel, place, start in _channels(k, r, c, groups, each, s):
            run, gr = x.at(start), g.at(start)
            total, with_x = k.cell(0.0), k.cell(0.0)
            for j in k.range(s):
                total.add(gr[j])
                with_x.add(gr[j] * (run[j] - m))
            db[place], dw[place] = total.get(), with_x.get() * scale
            weight = 1.0 if w is None else w[channel]
            plain.set(plain.get() + total.get() * weight)
            along.set(along.get() + with_x.get() * weight)
        a = plain.get() / k.float(cols)
        b = along.get() / k.float(cols) * scale * scale
        for channel, _, start in _channels(k, r, c, groups, each, s):
            run, gr, out = x.at(start), g.at(start), dx.at(start)
            for j in k.range(s):
                weighted = gr[j] if w is None else gr[j] * w[channel]
                out[j] = (weighted - a - (run[j] - m) * b) * scale
