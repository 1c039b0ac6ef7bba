"""Connectionist temporal classification on arrays (Graves et al. 2006), all samples of a batch at once.

The target of n labels is written with blanks around each: 2 n + 1 symbols. alpha[t, s] is the log-probability of all
ways to have emitted symbols 0 to s after frame t, beta[t, s] that of all ways from symbol s at frame t to the end.
"""

from __future__ import annotations

import numpy as np

from ..errors import GradientError
from .entry import primitive

INF = np.inf


def _extended(targets, blank):
    """(N, S) labels with blanks in between and around, (N, 2 S + 1); and where a step may jump over a blank."""
    n, s = targets.shape
    symbols = np.full((n, 2 * s + 1), blank, np.int64)
    symbols[:, 1::2] = targets
    jump = np.zeros(symbols.shape, bool)
    jump[:, 2:] = (symbols[:, 2:] != blank) & (symbols[:, 2:] != symbols[:, :-2])
    return symbols, jump


def _shift(a, by):
    """Columns moved to the right (or left), -inf coming in."""
    out = np.full_like(a, -INF)
    if by > 0:
        out[:, by:] = a[:, :-by]
    else:
        out[:, :by] = a[:, -by:]
    return out


def _logadd(a, b):
    with np.errstate(all="ignore"):
        return np.logaddexp(a, b)


def _alphas(emitted, jump, lengths):
    alpha = np.full_like(emitted, -INF)
    if not len(emitted):
        return alpha
    alpha[0, :, 0] = emitted[0, :, 0]
    if emitted.shape[2] > 1:
        alpha[0, :, 1] = np.where(lengths > 0, emitted[0, :, 1], -INF)
    for t in range(1, len(emitted)):
        a = alpha[t - 1]
        reach = _logadd(a, _shift(a, 1))
        reach = _logadd(reach, np.where(jump, _shift(a, 2), -INF))
        alpha[t] = reach + emitted[t]
    return alpha


def _betas(emitted, jump, frames, lengths):
    beta = np.full_like(emitted, -INF)
    rows = np.arange(emitted.shape[1])
    leap = np.zeros_like(jump)  # leap[s]: a step from s may go to s + 2
    leap[:, :-2] = jump[:, 2:]
    last = np.full(emitted.shape[1:], -INF, emitted.dtype)
    last[rows, 2 * lengths] = 0
    some = lengths > 0
    last[rows[some], 2 * lengths[some] - 1] = 0
    for t in range(len(emitted) - 1, -1, -1):
        if t + 1 < len(emitted):
            b = beta[t + 1]
            reach = _logadd(b, _shift(b, -1))
            reach = _logadd(reach, np.where(leap, _shift(b, -2), -INF))
        else:
            reach = np.full_like(last, -INF)
        ends = frames - 1 == t
        reach = np.where(ends[:, None], last, reach)
        beta[t] = np.where((t < frames)[:, None], reach + emitted[t], -INF)
    return beta


def _emitted(log_probs, symbols):
    return np.take_along_axis(log_probs, np.broadcast_to(symbols, (len(log_probs), *symbols.shape)), 2)


def _ctc_array(log_probs, targets, frames, lengths, blank):
    """(losses (N,), alpha); log_probs (T, N, C), targets (N, S)."""
    symbols, jump = _extended(targets, blank)
    alpha = _alphas(_emitted(log_probs, symbols), jump, lengths)
    rows = np.arange(len(frames))
    start = np.where(lengths == 0, 0.0, INF).astype(log_probs.dtype)
    if not len(log_probs):
        return start, alpha
    final = alpha[np.maximum(frames - 1, 0), rows]
    ends = _logadd(final[rows, 2 * lengths], np.where(lengths > 0, final[rows, np.maximum(2 * lengths - 1, 0)], -INF))
    return np.where(frames > 0, -ends, start).astype(log_probs.dtype), alpha


def _ctc_gradient(g, log_probs, targets, frames, lengths, losses, alpha, blank, zero_infinity):
    """PyTorch's gradient: that of the loss after a log_softmax, in which probabilities add up to 1."""
    symbols, jump = _extended(targets, blank)
    beta = _betas(_emitted(log_probs, symbols), jump, frames, lengths)
    both = alpha + beta
    per_class = np.full_like(log_probs, -INF)
    rows = np.arange(len(frames))
    for s in range(symbols.shape[1]):
        inside = s <= 2 * lengths
        at = rows[inside], symbols[inside, s]
        per_class[:, at[0], at[1]] = _logadd(per_class[:, at[0], at[1]], both[:, inside, s])
    with np.errstate(all="ignore"):
        d = np.exp(log_probs) - np.exp(per_class + losses[:, None] - log_probs)
        d *= g[:, None]
    if zero_infinity:
        d[:, losses == INF] = 0
    d[np.arange(len(log_probs))[:, None] >= frames] = 0
    return d.astype(log_probs.dtype, copy=False)


def _no_second_order(g):
    raise GradientError(
        "derivative for aten::_ctc_loss_backward is not implemented",
        why="second derivatives of ctc_loss are not available",
        fix="leave out `create_graph=True`",
    )


_ctc_backward = primitive("ctc_loss_backward", _ctc_gradient, vjp={("g", "log_probs"): _no_second_order})


def _ctc_rule(g, log_probs, targets, frames, lengths, out, blank, zero_infinity):
    losses, alpha = (t.detach() for t in out)
    return _ctc_backward(g[0], log_probs, targets, frames, lengths, losses, alpha, blank=blank,
                         zero_infinity=zero_infinity)  # fmt: skip


def _ctc_forward(log_probs, targets, frames, lengths, blank, zero_infinity):
    return _ctc_array(log_probs, targets, frames, lengths, blank)


_ctc = primitive("ctc_loss", _ctc_forward, vjp={"log_probs": _ctc_rule})
