"""The element-wise halves of LSTM and GRU cells, forward and backward; the matrix products around them are BLAS's.

Gates lie side by side in a row, in PyTorch's order: i f g o for the LSTM, r z n for the GRU.
"""

from __future__ import annotations

from .build import kernel
from .scalars import sigmoid, tanh


@kernel("gates:T=batch*4*size rec:T=batch*4*size c0:T=batch*size acts:T!=batch*4*size c:T!=batch*size "
        "h:T!=batch*size batch size", work="batch", cost="size*16")  # fmt: skip
def lstm(k, begin, end, gates, rec, c0, acts, c, h, batch, size):
    """c = f c0 + i g, h = o tanh(c). `gates` is the input's part of the gates, rec the state's; `acts` the results."""
    for b in k.range(begin, end):
        row, add, to = gates.at(b * 4 * size), rec.at(b * 4 * size), acts.at(b * 4 * size)
        old, new, out = c0.at(b * size), c.at(b * size), h.at(b * size)
        for j in k.range(size):
            i = sigmoid(row[j] + add[j])
            f = sigmoid(row[size + j] + add[size + j])
            g = tanh(row[size * 2 + j] + add[size * 2 + j])
            o = sigmoid(row[size * 3 + j] + add[size * 3 + j])
            cell = f * old[j] + i * g
            new[j] = cell
            out[j] = o * tanh(cell)
            to[j], to[size + j], to[size * 2 + j], to[size * 3 + j] = i, f, g, o


@kernel("acts:T=batch*4*size c0:T=batch*size c:T=batch*size dh:T=batch*size dc:T!=batch*size "
        "dgates:T!=batch*4*size batch size", work="batch", cost="size*8")  # fmt: skip
def lstm_backward(k, begin, end, acts, c0, c, dh, dc, dgates, batch, size):
    """Gradients before the activations; `dc` comes in as the gradient of c and leaves as that of c0."""
    for b in k.range(begin, end):
        row, out = acts.at(b * 4 * size), dgates.at(b * 4 * size)
        old, new, gh, gc = c0.at(b * size), c.at(b * size), dh.at(b * size), dc.at(b * size)
        for j in k.range(size):
            i, f, g, o = row[j], row[size + j], row[size * 2 + j], row[size * 3 + j]
            t = tanh(new[j])
            d = gc[j] + gh[j] * o * (1.0 - t * t)
            out[j] = d * g * i * (1.0 - i)
            out[size + j] = d * old[j] * f * (1.0 - f)
            out[size * 2 + j] = d * i * (1.0 - g * g)
            out[size * 3 + j] = gh[j] * t * o * (1.0 - o)
            gc[j] = d * f


@kernel("gates:T=batch*3*size rec:T=batch*3*size h0:T=batch*size acts:T!=batch*3*size h:T!=batch*size batch size",
        work="batch", cost="size*12")  # fmt: skip
def gru(k, begin, end, gates, rec, h0, acts, h, batch, size):
    """n = tanh(gates_n + r rec_n), h = n + z (h0 - n); `acts` are the activations r z n."""
    for b in k.range(begin, end):
        row, add, old, out = gates.at(b * 3 * size), rec.at(b * 3 * size), h0.at(b * size), h.at(b * size)
        to = acts.at(b * 3 * size)
        for j in k.range(size):
            r = sigmoid(row[j] + add[j])
            z = sigmoid(row[size + j] + add[size + j])
            n = tanh(row[size * 2 + j] + r * add[size * 2 + j])
            out[j] = n + z * (old[j] - n)
            to[j], to[size + j], to[size * 2 + j] = r, z, n


@kernel("acts:T=batch*3*size inner:T=batch*size h0:T=batch*size dh:T!=batch*size dgates:T!=batch*3*size "
        "drec:T!=batch*3*size batch size", work="batch", cost="size*6")  # fmt: skip
def gru_backward(k, begin, end, acts, inner, h0, dh, dgates, drec, batch, size):
    """Gradients of `gates` and `rec`, whose part n is `inner`; `dh` leaves as what reaches h0 not through rec."""
    for b in k.range(begin, end):
        row, add, old, gh = acts.at(b * 3 * size), inner.at(b * size), h0.at(b * size), dh.at(b * size)
        to, to_rec = dgates.at(b * 3 * size), drec.at(b * 3 * size)
        for j in k.range(size):
            r, z, n, d = row[j], row[size + j], row[size * 2 + j], gh[j]
            dn = d * (1.0 - z) * (1.0 - n * n)
            dz = d * (old[j] - n) * z * (1.0 - z)
            dr = dn * add[j] * r * (1.0 - r)
            to[j], to[size + j], to[size * 2 + j] = dr, dz, dn
            to_rec[j], to_rec[size + j], to_rec[size * 2 + j] = dr, dz, dn * r
            gh[j] = d * z
