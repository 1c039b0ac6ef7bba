"""One recurrent layer over a whole sequence: LSTM, GRU and plain RNN, each with a hand-written backward through time.

One primitive computes one layer in one direction. Its sequence is the packed form of `PackedSequence`: the rows of all
samples at step 0, then those at step 1, and so on, with `sizes[t]` rows at step t, the longest samples first. A padded
batch is the case in which all sizes are equal. It may also hold all steps of sample 0, then those of sample 1, and so
on: then `apart`, from one sample's row to the next one's, is the number of steps.

The products with the input's weights are one matrix product over all steps; `kernels/recurrent_layers.py` runs the
rest as one kernel. `_lstm_steps` and its kin are the same in NumPy. Gradients of gradients are taken through `_steps`,
the same recurrence written with differentiable operations.
"""

from __future__ import annotations

import numpy as np

from ..arrays import meta_empty
from ..autograd.api import grad as gradients_of
from ..kernels import fused as kernels
from ..kernels import recurrent_layers
from ..kernels.casts import cast
from .entry import REGISTRY, primitive
from .fused import fused

_HALVES = (2,)  # item sizes that are computed in float32


def _spans(sizes, reverse, apart):
    """The rows of every step as a slice, in the order in which the steps are taken."""
    steps = recurrent_layers.plan(tuple(sizes), reverse, apart).tolist()
    return [slice(first, first + (n - 1) * apart + 1, apart) for first, n in steps]


def _wide(*arrays):
    """The arrays in a dtype that can be computed with: half precision becomes float32."""
    return [cast(a, np.dtype(np.float32)) if a is not None and a.dtype.itemsize in _HALVES else a for a in arrays]


def _narrowed(found, needs, input):
    """The gradients that are needed, in the input's dtype."""
    kind = input.dtype
    return tuple(cast(d, kind, copy=False) if n and d is not None else None for d, n in zip(found, needs, strict=True))


def _sigmoid(x):
    """1 / (1 + exp(-x)), in place."""
    np.negative(x, out=x)
    np.exp(x, out=x)
    x += 1
    np.reciprocal(x, out=x)
    return x


def _previous(out, first, spans):
    """For every row of `out` the row of the step before; `first` where there is none."""
    before = np.empty((len(out), first.shape[1]), out.dtype)
    carried = first.copy()
    for at in spans:
        n = len(before[at])
        before[at] = carried[:n]
        carried[:n] = out[at]
    return before


def _sum_rows(a):
    made = kernels.total(a, 0)
    return a.sum(0) if made is None else made


# ---------------------------------------------------------------------------------------------- LSTM


def _lstm_array(input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse, apart):
    """(output, last h, last c, gates i f g o, cells) of one layer in one direction."""
    kind, rows, hidden = input.dtype, len(input), w_hh.shape[0] // 4
    if type(input) is not np.ndarray:
        return tuple(
            meta_empty(shape, kind)
            for shape in ((rows, h0.shape[1]), h0.shape, c0.shape, (rows, 4 * hidden), (rows, hidden))
        )
    given = _wide(input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    made = recurrent_layers.lstm(*given, sizes, reverse, apart) or _lstm_steps(*given, _spans(sizes, reverse, apart))
    return tuple(cast(a, kind, copy=False) for a in made)


def _lstm_steps(input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, spans):
    hidden = w_hh.shape[0] // 4
    gates = kernels.matmul(input, w_ih.T)
    if b_ih is not None:
        gates += b_ih + b_hh
    rows, kind = len(gates), gates.dtype
    output, cells = np.empty((rows, h0.shape[1]), kind), np.empty((rows, hidden), kind)
    h, c, w = h0.astype(kind), c0.astype(kind), w_hh.T
    with np.errstate(over="ignore"):
        for at in spans:
            z, cell = gates[at], cells[at]
            n = len(z)
            z += h[:n] @ w
            _sigmoid(z[:, : 2 * hidden])
            g = z[:, 2 * hidden : 3 * hidden]
            np.tanh(g, out=g)
            o = _sigmoid(z[:, 3 * hidden :])
            np.multiply(z[:, hidden : 2 * hidden], c[:n], out=cell)
            cell += z[:, :hidden] * g
            c[:n] = cell
            made = np.tanh(cell)
            made *= o
            if w_hr is not None:
                made = made @ w_hr.T
            output[at] = made
            h[:n] = made
    return output, h, c, gates, cells


def _lstm_back_array(g, out, needs, input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse, apart):
    x, h0, c0, wi, wh, wr, *d = _wide(input, h0, c0, w_ih, w_hh, w_hr, *g[:3])
    made = _wide(*out)
    found = [None] * 8
    back = recurrent_layers.lstm_backward(*d, made, x, h0, c0, wh, wr, sizes, reverse, apart)
    if back is None:
        back = _lstm_steps_back(*d, made, h0, c0, wh, wr, _spans(sizes, reverse, apart))
    d_gates, found[1], found[2], before, found[7] = back
    if needs[0]:
        found[0] = kernels.matmul(d_gates, wi)
    if needs[3]:
        found[3] = kernels.matmul(d_gates.T, x)
    if needs[4]:
        found[4] = kernels.matmul(d_gates.T, before)
    if needs[5] or needs[6]:
        found[5] = found[6] = _sum_rows(d_gates)
    return _narrowed(found, needs, input)


def _lstm_steps_back(d_out, d_h, d_c, out, h0, c0, wh, wr, spans):
    """(d_gates, dh, dc, the state that each row met, gradient of the projection)"""
    output, _, _, gates, cells = out
    hidden = wh.shape[0] // 4
    dh = np.zeros_like(h0) if d_h is None else d_h.copy()
    dc = np.zeros_like(c0) if d_c is None else d_c.copy()
    before = _previous(cells, c0, spans)
    through = np.tanh(cells)
    d_gates = np.empty_like(gates)
    d_made = np.empty_like(output) if wr is not None else None
    for at in reversed(spans):
        z, dz, t = gates[at], d_gates[at], through[at]
        n = len(z)
        d = dh[:n]
        if d_out is not None:
            d = d + d_out[at]
        if wr is not None:
            d_made[at] = d
            d = d @ wr
        i, f, c, o = (z[:, k * hidden : (k + 1) * hidden] for k in range(4))
        dcell = d * o
        dcell *= 1 - t * t
        dcell += dc[:n]
        dz[:, :hidden] = dcell * c * i * (1 - i)
        dz[:, hidden : 2 * hidden] = dcell * before[at] * f * (1 - f)
        dz[:, 2 * hidden : 3 * hidden] = dcell * i * (1 - c * c)
        dz[:, 3 * hidden :] = d * t * o * (1 - o)
        dc[:n] = dcell * f
        dh[:n] = dz @ wh
    projected = None if wr is None else d_made.T @ (gates[:, 3 * hidden :] * through)
    return d_gates, dh, dc, _previous(output, h0, spans), projected


@fused(_lstm_back_array)
def _lstm_back(g, out, needs, input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse, apart):
    tensors = (input, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    return _twice(_lstm_cell, tensors, g[:3], needs, sizes, reverse, apart, 2)


lstm_layer = primitive(
    "lstm_layer",
    _lstm_array,
    vjp={("input", "h0", "c0", "w_ih", "w_hh", "b_ih", "b_hh", "w_hr"): _lstm_back},
    node="LstmBackward0",
)


# ---------------------------------------------------------------------------------------------- GRU


def _gru_array(input, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse, apart):
    """(output, last h, gates r z n, the state's part of n before r) of one layer in one direction."""
    kind, rows, hidden = input.dtype, len(input), h0.shape[1]
    if type(input) is not np.ndarray:
        return tuple(
            meta_empty(shape, kind) for shape in ((rows, hidden), h0.shape, (rows, 3 * hidden), (rows, hidden))
        )
    given = _wide(input, h0, w_ih, w_hh, b_ih, b_hh)
    made = recurrent_layers.gru(*given, sizes, reverse, apart) or _gru_steps(*given, _spans(sizes, reverse, apart))
    return tuple(cast(a, kind, copy=False) for a in made)


def _gru_steps(input, h0, w_ih, w_hh, b_ih, b_hh, spans):
    hidden = h0.shape[1]
    gates = kernels.matmul(input, w_ih.T)
    if b_ih is not None:
        gates += b_ih
    rows, kind = len(gates), gates.dtype
    output, inner = np.empty((rows, hidden), kind), np.empty((rows, hidden), kind)
    h, w = h0.astype(kind), w_hh.T
    with np.errstate(over="ignore"):
        for at in spans:
            z = gates[at]
            n = len(z)
            own = h[:n] @ w
            if b_hh is not None:
                own += b_hh
            z[:, : 2 * hidden] += own[:, : 2 * hidden]
            _sigmoid(z[:, : 2 * hidden])
            inner[at] = own[:, 2 * hidden :]
            new = z[:, 2 * hidden :]
            new += z[:, :hidden] * own[:, 2 * hidden :]
            np.tanh(new, out=new)
            made = h[:n] - new
            made *= z[:, hidden : 2 * hidden]
            made += new
            output[at] = made
            h[:n] = made
    return output, h, gates, inner


def _gru_back_array(g, out, needs, input, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse, apart):
    x, h0, wi, wh, *d = _wide(input, h0, w_ih, w_hh, *g[:2])
    made = _wide(*out)
    found = [None] * 6
    back = recurrent_layers.gru_backward(*d, made, x, h0, wh, sizes, reverse, apart)
    if back is None:
        back = _gru_steps_back(*d, made, h0, wh, _spans(sizes, reverse, apart))
    d_gates, d_own, found[1], before = back
    if needs[0]:
        found[0] = kernels.matmul(d_gates, wi)
    if needs[2]:
        found[2] = kernels.matmul(d_gates.T, x)
    if needs[3]:
        found[3] = kernels.matmul(d_own.T, before)
    if needs[4]:
        found[4] = _sum_rows(d_gates)
    if needs[5]:
        found[5] = _sum_rows(d_own)
    return _narrowed(found, needs, input)


def _gru_steps_back(d_out, d_h, out, h0, wh, spans):
    """(gradient of the input's part of the gates, of the state's part, dh, the state that each row met)"""
    output, _, gates, inner = out
    hidden = h0.shape[1]
    dh = np.zeros_like(h0) if d_h is None else d_h.copy()
    before = _previous(output, h0, spans)
    d_gates, d_own = np.empty_like(gates), np.empty_like(gates)
    for at in reversed(spans):
        dz, mine = d_gates[at], d_own[at]
        n = len(dz)
        d = dh[:n]
        if d_out is not None:
            d = d + d_out[at]
        r, z, new = (gates[at][:, k * hidden : (k + 1) * hidden] for k in range(3))
        d_new = d * (1 - z)
        d_new *= 1 - new * new
        dz[:, :hidden] = d_new * inner[at] * r * (1 - r)
        dz[:, hidden : 2 * hidden] = d * (before[at] - new) * z * (1 - z)
        dz[:, 2 * hidden :] = d_new
        mine[:, : 2 * hidden] = dz[:, : 2 * hidden]
        mine[:, 2 * hidden :] = d_new * r
        dh[:n] = d * z + mine @ wh
    return d_gates, d_own, dh, before


@fused(_gru_back_array)
def _gru_back(g, out, needs, input, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse, apart):
    tensors = (input, h0, w_ih, w_hh, b_ih, b_hh)
    return _twice(_gru_cell, tensors, g[:2], needs, sizes, reverse, apart, 1)


gru_layer = primitive(
    "gru_layer",
    _gru_array,
    vjp={("input", "h0", "w_ih", "w_hh", "b_ih", "b_hh"): _gru_back},
    node="GruBackward0",
)


# ---------------------------------------------------------------------------------------------- plain RNN


def _rnn_array(input, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse, relu, apart):
    """(output, last h) of one layer in one direction."""
    kind = input.dtype
    if type(input) is not np.ndarray:
        return meta_empty((len(input), h0.shape[1]), kind), meta_empty(h0.shape, kind)
    given = _wide(input, h0, w_ih, w_hh, b_ih, b_hh)
    made = recurrent_layers.rnn(*given, sizes, reverse, apart, relu)
    output, h = made or _rnn_steps(*given, _spans(sizes, reverse, apart), relu)
    return cast(output, kind, copy=False), cast(h, kind, copy=False)


def _rnn_steps(input, h0, w_ih, w_hh, b_ih, b_hh, spans, relu):
    output = kernels.matmul(input, w_ih.T)
    if b_ih is not None:
        output += b_ih + b_hh
    h, w = h0.astype(output.dtype), w_hh.T
    for at in spans:
        z = output[at]
        n = len(z)
        z += h[:n] @ w
        if relu:
            np.maximum(z, 0, out=z)
        else:
            np.tanh(z, out=z)
        h[:n] = z
    return output, h


def _rnn_back_array(g, out, needs, input, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse, relu, apart):
    x, h0, wi, wh, output, *d = _wide(input, h0, w_ih, w_hh, out[0], *g[:2])
    found = [None] * 6
    back = recurrent_layers.rnn_backward(*d, output, x, h0, wh, sizes, reverse, apart, relu)
    if back is None:
        back = _rnn_steps_back(*d, output, h0, wh, _spans(sizes, reverse, apart), relu)
    d_pre, found[1], before = back
    if needs[0]:
        found[0] = kernels.matmul(d_pre, wi)
    if needs[2]:
        found[2] = kernels.matmul(d_pre.T, x)
    if needs[3]:
        found[3] = kernels.matmul(d_pre.T, before)
    if needs[4] or needs[5]:
        found[4] = found[5] = _sum_rows(d_pre)
    return _narrowed(found, needs, input)


def _rnn_steps_back(d_out, d_h, output, h0, wh, spans, relu):
    """(gradient before the activation, dh, the state that each row met)"""
    dh = np.zeros_like(h0) if d_h is None else d_h.copy()
    d_pre = np.empty_like(output)
    for at in reversed(spans):
        made = output[at]
        n = len(made)
        d = dh[:n]
        if d_out is not None:
            d = d + d_out[at]
        d_pre[at] = d * (made > 0 if relu else 1 - made * made)
        dh[:n] = d_pre[at] @ wh
    return d_pre, dh, _previous(output, h0, spans)


@fused(_rnn_back_array)
def _rnn_back(g, out, needs, input, h0, w_ih, w_hh, b_ih, b_hh, sizes, reverse, relu, apart):
    tensors = (input, h0, w_ih, w_hh, b_ih, b_hh)
    return _twice(_relu_cell if relu else _tanh_cell, tensors, g[:2], needs, sizes, reverse, apart, 1)


rnn_layer = primitive(
    "rnn_layer",
    _rnn_array,
    vjp={("input", "h0", "w_ih", "w_hh", "b_ih", "b_hh"): _rnn_back},
    node="RnnBackward0",
)


# ---------------------------------------------------------------------------------------------- step by step


def _twice(cell, tensors, g, needs, sizes, reverse, apart, states):
    """Gradients that can themselves be differentiated: the recurrence again, step by step, and its gradients."""
    # A tensor given twice is two inputs here, hence an alias of each.
    inputs = [None if t is None else t.view_as(t) if t.requires_grad else t for t in tensors]
    outs = _steps(cell, inputs, sizes, reverse, apart, states)
    pairs = [(o, d) for o, d in zip(outs, g, strict=True) if d is not None]
    wanted = [i for i, n in enumerate(needs) if n]
    grads = gradients_of(
        [o for o, _ in pairs],
        [inputs[i] for i in wanted],
        [d for _, d in pairs],
        create_graph=True,
        allow_unused=True,
    )
    found = [None] * len(tensors)
    for i, d in zip(wanted, grads, strict=True):
        found[i] = d
    return found


def _steps(cell, inputs, sizes, reverse, apart, states):
    """(output, last states...) by calling `cell` for every step."""
    cat = REGISTRY["cat"]
    input, carried, weights = inputs[0], list(inputs[1 : 1 + states]), inputs[1 + states :]
    made = []
    for at, n in zip(_spans(sizes, reverse, apart), sizes[::-1] if reverse else sizes, strict=True):
        full = n == carried[0].shape[0]
        now = cell(input[at], [s if full else s[:n] for s in carried], *weights)
        carried = [new if full else cat([new, old[n:]]) for new, old in zip(now, carried, strict=True)]
        made.append(now[0])
    made = made[::-1] if reverse else made
    return (cat(made) if apart == 1 else REGISTRY["stack"](made, 1).flatten(0, 1), *carried)


def _affine(x, w, b):
    y = x @ w.t()
    return y if b is None else y + b


def _lstm_cell(x, states, w_ih, w_hh, b_ih, b_hh, w_hr=None):
    h, c = states
    i, f, g, o = (_affine(x, w_ih, b_ih) + _affine(h, w_hh, b_hh)).chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    h = o.sigmoid() * c.tanh()
    return h if w_hr is None else h @ w_hr.t(), c


def _gru_cell(x, states, w_ih, w_hh, b_ih, b_hh):
    (h,) = states
    r, z, n = _affine(x, w_ih, b_ih).chunk(3, 1)
    own_r, own_z, own_n = _affine(h, w_hh, b_hh).chunk(3, 1)
    z = (z + own_z).sigmoid()
    n = (n + (r + own_r).sigmoid() * own_n).tanh()
    return (n + z * (h - n),)


def _tanh_cell(x, states, w_ih, w_hh, b_ih, b_hh):
    return ((_affine(x, w_ih, b_ih) + _affine(states[0], w_hh, b_hh)).tanh(),)


def _relu_cell(x, states, w_ih, w_hh, b_ih, b_hh):
    return ((_affine(x, w_ih, b_ih) + _affine(states[0], w_hh, b_hh)).relu(),)
