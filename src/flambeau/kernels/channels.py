"""Batch normalisation: statistics per channel of arrays (samples, channels, places), forward and backward.

`places` contiguous elements lie together. Where they are few (a plain (N, C) matrix has one) channels are handled in
blocks of columns instead, so that memory is always read in long runs.
"""

from __future__ import annotations

from .build import kernel
from .scalars import sqrt


@kernel("x:T=n*c*s w:T?=c b:T?=c y:T!=n*c*s mean:T!=c var:T!=c rstd:T!=c n c s eps:d", work="c", cost="n*s")
def batch_norm(k, begin, end, x, w, b, y, mean, var, rstd, n, c, s, eps):
    """(x - mean) / sqrt(var + eps) * w + b with the batch's own mean and (biased) variance of each channel."""
    count = k.float(n * s)
    for ch in k.range(begin, end):
        total = k.cell(0.0)
        for i in k.range(n):
            run = x.at((i * c + ch) * s)
            total.add(k.sum(s, lambda j, run=run: run[j]))
        m = total.get() / count
        spread = k.cell(0.0)
        for i in k.range(n):
            run = x.at((i * c + ch) * s)
            spread.add(k.sum(s, lambda j, run=run: (run[j] - m) * (run[j] - m)))
        v = spread.get() / count
        r = 1.0 / sqrt(v + eps)
        mean[ch], var[ch], rstd[ch] = m, v, r
        scale = r if w is None else r * w[ch]
        shift = -m * scale if b is None else b[ch] - m * scale
        for i in k.range(n):
            run, out = x.at((i * c + ch) * s), y.at((i * c + ch) * s)
            for j in k.range(s):
                out[j] = run[j] * scale + shift


@kernel("g:T=n*c*s x:T=n*c*s w:T?=c mean:T=c rstd:T=c dx:T!=n*c*s dw:T!=c db:T!=c n c s", work="c", cost="n*s")
def batch_norm_backward(k, begin, end, g, x, w, mean, rstd, dx, dw, db, n, c, s):
    """Gradients of batch_norm through its statistics."""
    count = k.float(n * s)
    for ch in k.range(begin, end):
        m, r = mean[ch], rstd[ch]
        plain, along = k.cell(0.0), k.cell(0.0)
        for i in k.range(n):
            run, gr = x.at((i * c + ch) * s), g.at((i * c + ch) * s)
            for j in k.range(s):
                plain.add(gr[j])
                along.add(gr[j] * (run[j] - m))
        db[ch], dw[ch] = plain.get(), along.get() * r
        scale = r if w is None else r * w[ch]
        a, b = plain.get() / count, along.get() * r * r / count
        for i in k.range(n):
            run, gr, out = x.at((i * c + ch) * s), g.at((i * c + ch) * s), dx.at((i * c + ch) * s)
            for j in k.range(s):
                out[j] = (gr[j] - a - (run[j] - m) * b) * scale


@kernel("x:T=n*c w:T?=c b:T?=c y:T!=n*c mean:T!=c var:T!=c rstd:T!=c n c blocks eps:d", work="blocks", cost="n*64")
def batch_norm_columns(k, begin, end, x, w, b, y, mean, var, rstd, n, c, blocks, eps):
    """batch_norm of a matrix, a block of columns at a time."""
    count = k.float(n)
    for block in k.range(begin, end):
        first, last = c * block // blocks, c * (block + 1) // blocks
        for j in k.range(first, last):
            mean[j] = 0.0
            var[j] = 0.0
        for i in k.range(n):
            row = x.at(i * c)
            for j in k.range(first, last):
                mean[j] = mean[j] + row[j]
        for j in k.range(first, last):
            mean[j] = mean[j] / count
        for i in k.range(n):
            row = x.at(i * c)
            for j in k.range(first, last):
                d = row[j] - mean[j]
                var[j] = var[j] + d * d
        for j in k.range(first, last):
            v = var[j] / count
            var[j] = v
            rstd[j] = 1.0 / sqrt(v + eps)
        for i in k.range(n):
            row, out = x.at(i * c), y.at(i * c)
            for j in k.range(first, last):
                v = (row[j] - mean[j]) * rstd[j]
                v = v if w is None else v * w[j]
                out[j] = v if b is None else v + b[j]


@kernel("g:T=n*c x:T=n*c w:T?=c mean:T=c rstd:T=c dx:T!=n*c dw:T!=c db:T!=c n c blocks", work="blocks", cost="n*64")
def batch_norm_columns_backward(k, begin, end, g, x, w, mean, rstd, dx, dw, db, n, c, blocks):
    """Its gradients."""
    count = k.float(n)
    for block in k.range(begin, end):
        first, last = c * block // blocks, c * (block + 1) // blocks
        for j in k.range(first, last):
            dw[j] = 0.0
            db[j] = 0.0
        for i in k.range(n):
            row, gr = x.at(i * c), g.at(i * c)
            for j in k.range(first, last):
                dw[j] = dw[j] + gr[j] * ((row[j] - mean[j]) * rstd[j])
                db[j] = db[j] + gr[j]
        for i in k.range(n):
            row, gr, out = x.at(i * c), g.at(i * c), dx.at(i * c)
            for j in k.range(first, last):
                scale = rstd[j] if w is None else rstd[j] * w[j]
                out[j] = (gr[j] - (db[j] + (row[j] - mean[j]) * rstd[j] * dw[j]) / count) * scale
