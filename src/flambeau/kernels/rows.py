"""Kernels that work row by row: softmax and its kin, cross entropy, layer and RMS normalisation, sums.

Several short passes over one row, which stays in the cache; rows are shared among threads. `past`: the result is
written past the caches (see sweep.py).
"""

from __future__ import annotations

from .build import kernel
from .scalars import absolute, exp, exp_below, log, sqrt, where


def _sweep(k, out, cols, past):
    """(j, how to access arrays there, how to write `out` there) for a row."""
    if past:
        from .sweep import sweep  # which imports LLVM: only when the body runs

        yield from sweep(k, out, cols)
    else:
        for j in k.range(cols):
            yield j, _same, _same


def _same(pointer):
    return pointer


@kernel("x:T=rows*cols y:T!=rows*cols rows cols", work="rows", cost="cols",
        fits=lambda cols, past: [cols <= past] if past else [])  # fmt: skip
def softmax(k, begin, end, x, y, rows, cols, past=0):
    """e^x / sum e^x over each row. past: 0, or at least the number of columns."""
    held = None
    if past:
        from .tile import stack

        held = stack(k, past)
    for r in k.range(begin, end):
        row, out = x.at(r * cols), y.at(r * cols)
        powers = out if held is None else held
        top = k.largest(cols, lambda j: row[j])
        total = k.cell(0.0)
        for j in k.range(cols):
            e = exp_below(row[j] - top)
            powers[j] = e
            total.add(e)
        scale = 1.0 / total.get()
        for j, at, write in _sweep(k, out, cols, past):
            # What 16 bits have kept is rounded.
            power = at(powers)[j] if powers.kind == k.real else exp_below(row[j] - top)
            write(out)[j] = power * scale


@kernel("g:T=rows*cols y:T=rows*cols dx:T!=rows*cols rows cols", work="rows", cost="cols")
def softmax_backward(k, begin, end, g, y, dx, rows, cols, past=0):
    """y (g - sum(g y))"""
    for r in k.range(begin, end):
        gr, yr, out = g.at(r * cols), y.at(r * cols), dx.at(r * cols)
        dot = k.sum(cols, lambda j: gr[j] * yr[j])
        for j, at, write in _sweep(k, out, cols, past):
            write(out)[j] = at(yr)[j] * (at(gr)[j] - dot)


def _log_total(k, row, cols):
    """log(sum(e^row)), without overflow; the largest element too."""
    top = k.largest(cols, lambda j: row[j])
    # A row of -inf only has no largest number to take away.
    base = where(top == float("-inf"), k.float(0.0), top)
    return log(k.sum(cols, lambda j: exp_below(row[j] - base))) + base


@kernel("x:T=rows*cols y:T!=rows*cols rows cols", work="rows", cost="cols")
def log_softmax(k, begin, end, x, y, rows, cols, past=0):
    """x - log(sum(e^x)) over each row."""
    for r in k.range(begin, end):
        row, out = x.at(r * cols), y.at(r * cols)
        top = k.largest(cols, lambda j: row[j])
        total = log(k.sum(cols, lambda j: exp_below(row[j] - top)))
        for j, at, write in _sweep(k, out, cols, past):
            write(out)[j] = at(row)[j] - top - total


@kernel("g:T=rows*cols y:T=rows*cols dx:T!=rows*cols rows cols", work="rows", cost="cols")
def log_softmax_backward(k, begin, end, g, y, dx, rows, cols, past=0):
    """g - e^y sum(g)"""
    for r in k.range(begin, end):
        gr, yr, out = g.at(r * cols), y.at(r * cols), dx.at(r * cols)
        total = k.sum(cols, lambda j: gr[j])
        for j, at, write in _sweep(k, out, cols, past):
            write(out)[j] = at(gr)[j] - exp(at(yr)[j]) * total


@kernel("x:T=rows*cols y:T!=rows rows cols", work="rows", cost="cols")
def logsumexp(k, begin, end, x, y, rows, cols):
    """log(sum(e^x)) of each row."""
    for r in k.range(begin, end):
        row = x.at(r * cols)
        top = k.largest(cols, lambda j: row[j])
        base = where(absolute(top) == float("inf"), k.float(0.0), top)  # infinities are left to exp and log
        y[r] = log(k.sum(cols, lambda j: exp(row[j] - base))) + base


def _counts(t, cols, ignored):
    return (t >= 0) & (t < cols) & (t != ignored)


@kernel("x:T=rows*cols target:i8=rows w:T?=cols loss:T!=rows total:T!=rows rows cols ignored smoothing:d",
        work="rows", cost="cols")  # fmt: skip
def cross_entropy(k, begin, end, x, target, w, loss, total, rows, cols, ignored, smoothing, smooth=False):
    """w[t] (log(sum(e^x)) - x[t]) of each row with target t; 0 where that is no class, or `ignored`.

    `total` keeps log(sum(e^x)) for the gradient. smooth: that is worth 1 - smoothing, the mean of the same over all
    classes the rest.
    """
    for r in k.range(begin, end):
        row, t = x.at(r * cols), target[r]
        lse = _log_total(k, row, cols)
        good = _counts(t, cols, ignored)
        place = where(good, t, 0)
        total[r] = lse
        value = lse - row[place]
        if w is not None:
            value = where(w[place] == 0.0, k.float(0.0), value * w[place])
        if smooth:
            over = k.sum(cols, lambda j: lse - row[j] if w is None else (lse - row[j]) * w[j])
            value = value * k.float(1.0 - smoothing) + over / k.float(cols) * k.float(smoothing)
        loss[r] = where(good, value, 0.0)


@kernel("loss:T=rows target:i8=rows w:T?=cols value:T!=1 counted:T!=1 rows cols ignored once", work="once")
def cross_entropy_total(k, begin, end, loss, target, w, value, counted, rows, cols, ignored, once, mean=False):
    """The sum (or mean) of the losses of rows that count, and how many those are, or the sum of their weights."""
    number, weight = k.cell(0, "i8"), k.cell(0.0)
    for r in k.range(rows):
        good = _counts(target[r], cols, ignored)
        if w is None:
            number.add(k.select(good, k.int(1), 0))
        else:
            weight.add(where(good, w[where(good, target[r], 0)], 0.0))
    total, count = k.sum(rows, lambda r: loss[r]), k.float(number.get()) if w is None else weight.get()
    value[0], counted[0] = total / count if mean else total, count


@kernel("x:T=rows*cols target:i8=rows w:T?=cols total:T=rows g:T=given counted:T=1 dx:T!=rows*cols rows cols given "
        "ignored smoothing:d", work="rows", cost="cols")  # fmt: skip
def cross_entropy_backward(k, begin, end, x, target, w, total, g, counted, dx, rows, cols, given, ignored, smoothing,
                           each=False, mean=False, smooth=False):  # fmt: skip
    """g w[t] (softmax(x) - onehot(t)), 0 for rows that do not count. each: g is given for each row.

    mean: g is that of the mean over the rows that count. smooth: see cross_entropy.
    """
    everything = k.float(cols) if w is None else k.sum(cols, lambda j: w[j])
    for r in k.range(begin, k.select(given == (rows if each else 1), end, begin)):
        row, out, lse, t = x.at(r * cols), dx.at(r * cols), total[r], target[r]
        up = g[r] if each else g[0]
        good = _counts(t, cols, ignored)
        up = where(good & (counted[0] != 0.0), up / counted[0], 0.0) if mean else where(good, up, 0.0)
        hit = up if w is None else up * w[where(good, t, 0)]
        if smooth:
            hit, miss = hit * k.float(1.0 - smoothing), up / k.float(cols) * k.float(smoothing)
            all_ = hit + miss * everything
            for j in k.range(cols):
                out[j] = exp_below(row[j] - lse) * all_ - (miss if w is None else miss * w[j])
        else:
            for j in k.range(cols):
                out[j] = exp_below(row[j] - lse) * hit
        for _ in k.when(good):
            out[t] = out[t] - hit


@kernel("x:T=rows*cols w:T?=cols b:T?=cols y:T!=rows*cols mean:T!=rows rstd:T!=rows rows cols eps:d",
        work="rows", cost="cols")  # fmt: skip
def layer_norm(k, begin, end, x, w, b, y, mean, rstd, rows, cols, eps, past=0):
    """(x - mean) / sqrt(var + eps) * w + b over each row."""
    n = k.float(cols)
    for r in k.range(begin, end):
        row, out = x.at(r * cols), y.at(r * cols)
        m = k.sum(cols, lambda j: row[j]) / n
        var = k.sum(cols, lambda j: (row[j] - m) * (row[j] - m)) / n
        s = 1.0 / sqrt(var + eps)
        mean[r], rstd[r] = m, s
        for j, at, write in _sweep(k, out, cols, past):
            v = (at(row)[j] - m) * s
            v = v if w is None else v * at(w)[j]
            write(out)[j] = v if b is None else v + at(b)[j]


@kernel("g:T=rows*cols x:T=rows*cols w:T?=cols mean:T?=rows rstd:T=rows dx:T!=rows*cols dw:T!?=blocks*cols "
        "db:T!?=blocks*cols rows cols blocks", work="blocks", cost="16384")  # fmt: skip
def norm_backward(k, begin, end, g, x, w, mean, rstd, dx, dw, db, rows, cols, blocks, past=0):
    """Gradients of layer_norm, or of rms_norm where there is no mean.

    Rows are cut into blocks, each with its own sums for weight and bias. Four rows are done at a time, so that there
    are few passes over the sums.
    """
    from .emit import Pointer  # which imports LLVM: only when the body runs

    n, kept = k.float(cols), Pointer(k, k.reserve(8), k.real)

    def centred(r):
        m = 0.0 if mean is None else mean[r]
        return lambda j, at=_same: at(x)[r * cols + j] - m

    def weighted(r):
        return lambda j, at=_same: at(g)[r * cols + j] if w is None else at(g)[r * cols + j] * at(w)[j]

    def finish(lines, four, sums):
        values = [(r, weighted(r), centred(r), rstd[r], kept[(r - four) * 2], kept[(r - four) * 2 + 1]) for r in lines]
        for j, at, write in _sweep(k, dx.at(lines[0] * cols), cols, past):
            for r, gw, h, s, a, b in values:
                write(dx)[r * cols + j] = (gw(j, at) - a - h(j, at) * b) * s
            if dw is not None:
                terms = [at(g)[r * cols + j] * (h(j, at) * s) for r, _, h, s, _, _ in values]
                at(sums[0])[j] = at(sums[0])[j] + _tree(terms)
            if db is not None:
                at(sums[1])[j] = at(sums[1])[j] + _tree([at(g)[r * cols + j] for r in lines])

    for block in k.range(begin, end):
        first, last = rows * block // blocks, rows * (block + 1) // blocks
        sums = [None if array is None else array.at(block * cols) for array in (dw, db)]
        for part in sums:
            if part is not None:
                for j in k.range(cols):
                    part[j] = 0.0
        for four in k.range(first, last, 4):
            high = k.minimum(four + 4, last)
            for r in k.range(four, high):
                gw, h, s = weighted(r), centred(r), rstd[r]
                plain, along = k.cell(0.0), k.cell(0.0)
                for j in k.range(cols):
                    if mean is not None:
                        plain.add(gw(j))
                    along.add(gw(j) * h(j))
                kept[(r - four) * 2] = plain.get() / n
                kept[(r - four) * 2 + 1] = along.get() / n * s * s
            with k.b.if_else((high - four == 4).v) as (all_, some):
                with all_:
                    finish([four + i for i in range(4)], four, sums)
                with some:
                    for r in k.range(four, high):
                        finish([r], four, sums)


def _tree(terms):
    """The sum of the terms, added pair by pair."""
    while len(terms) > 1:
        terms = [sum(pair[1:], pair[0]) for pair in zip(terms[::2], terms[1::2], strict=True)]
    return terms[0]


@kernel("x:T=rows*cols w:T?=cols y:T!=rows*cols rstd:T!=rows rows cols eps:d", work="rows", cost="cols")
def rms_norm(k, begin, end, x, w, y, rstd, rows, cols, eps, past=0):
    """x / sqrt(mean(x^2) + eps) * w over each row."""
    for r in k.range(begin, end):
        row, out = x.at(r * cols), y.at(r * cols)
        s = 1.0 / sqrt(k.sum(cols, lambda j: row[j] * row[j]) / k.float(cols) + eps)
        rstd[r] = s
        for j, at, write in _sweep(k, out, cols, past):
            write(out)[j] = at(row)[j] * s if w is None else at(row)[j] * s * at(w)[j]
