"""Recurrent layers over whole sequences, array in, array out: products over all steps, one kernel for the time loop.

Each function answers None where the step-by-step NumPy formula is to be used instead, as `fused` does. Rows are laid
out as `steps` says: `plan` makes it from the number of samples in each step.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from . import fused, record, recurrent, threads
from .build import backend


def plan(sizes: tuple[int, ...], reverse: bool, apart: int):
    """(first row, samples) of each step, in the order of the steps, as an int64 array.

    apart: rows from one sample to the next within a step; 1 where the samples of a step lie side by side, the number
    of steps where the steps of a sample do.
    """
    return record.constant(_plan(sizes, reverse, apart))


@lru_cache(256)
def _plan(sizes: tuple[int, ...], reverse: bool, apart: int):
    steps = np.empty((len(sizes), 2), np.int64)
    steps[:, 1] = sizes
    steps[0, 0] = 0
    steps[1:, 0] = np.cumsum(steps[:-1, 1]) if apart == 1 else np.arange(1, len(sizes))
    return np.ascontiguousarray(steps[::-1]) if reverse else steps


def _kind(gates_size: int, *arrays):
    """f4 or f8 where kernels may take the arrays (None among them), else None."""
    x = arrays[0]
    kind = fused._KIND.get(x.dtype) if type(x) is np.ndarray and gates_size >= fused.SMALL else None
    if kind is None or any(a is not None and a.dtype != x.dtype for a in arrays) or backend() is None:
        return None
    return kind


def _panels(kind: str, w, transposed: bool):
    """A weight packed for the tile: itself, or its transpose, as the right factor of a product."""
    from . import tile  # needs llvmlite

    w = fused._flat(w)
    (depth, cols), (down, right) = w.shape, (w.shape[1], 1)
    if transposed:
        depth, cols, down, right = cols, depth, right, down
    width = tile.shape(kind).cols
    count = (cols + width - 1) // width
    out = np.empty((count, depth, width), w.dtype)
    f: Any = recurrent.pack.get(kind)
    return out if f(w, out, w.size, count, width, depth, cols, down, right) else None


def _flat(*arrays):
    return [None if a is None else fused._flat(a) for a in arrays]


def _run(kernel, kind: str, arrays: dict, numbers: tuple, steps: int, multiplications: int, batch: int, **options):
    """Run a time loop, the batch cut into one part for each thread; whether it was done."""
    f = kernel.get(kind, fused._absent(**arrays), **options)
    parts = max(1, min(threads.get_num_threads(), batch))
    weight = steps * (multiplications // (8 * parts) + 64)
    return f(*[a for a in arrays.values() if a is not None], *numbers, parts, weight)


def lstm(x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr, sizes: tuple[int, ...], reverse: bool, apart: int):
    """(output, last h, last c, gates i f g o, cells) of one layer in one direction."""
    (batch, hidden), size = h0.shape, w_hh.shape[0] // 4
    kind = _kind(len(x) * size * 4, x, h0, c0, w_ih, w_hh, b_ih, b_hh, w_hr)
    if kind is None:
        return None
    x, h0, c0, b_ih, b_hh = _flat(x, h0, c0, b_ih, b_hh)
    panels = _panels(kind, w_hh, True)
    project = None if w_hr is None else _panels(kind, w_hr, True)
    gates = fused.matmul(x, w_ih.T)
    rows = len(x)
    output, cells = np.empty((rows, hidden), x.dtype), np.empty((rows, size), x.dtype)
    h, c = np.empty((batch, hidden), x.dtype), np.empty((batch, size), x.dtype)
    made = None if w_hr is None else np.empty((rows, size), x.dtype)
    steps = plan(sizes, reverse, apart)
    arrays = dict(gates=gates, h0=h0, c0=c0, panels=panels, b_ih=b_ih, b_hh=b_hh, project=project, made=made,
                  steps=steps, output=output, cells=cells, h=h, c=c)  # fmt: skip
    numbers = (rows, batch, size, hidden, len(sizes), apart, panels.size, 0 if project is None else project.size)
    return (output, h, c, gates, cells) if _run(
        recurrent.lstm, kind, arrays, numbers, len(sizes), batch * 4 * size * hidden, batch) else None  # fmt: skip


def lstm_backward(d_out, d_h, d_c, out, x, h0, c0, w_hh, w_hr, sizes: tuple[int, ...], reverse: bool, apart: int):
    """(d_gates, dh, dc, before, d_w_hr): what the gradients of the weights and of the input are made of.

    before: the state h that each row met. d_w_hr: None without a projection.
    """
    output, _, _, gates, cells = out
    (batch, hidden), size, rows = h0.shape, w_hh.shape[0] // 4, len(x)
    kind = _kind(gates.size, x, h0, c0, w_hh, w_hr, d_out, d_h, d_c, *out)
    if kind is None:
        return None
    h0, c0, d_out, d_h, d_c, output, gates, cells = _flat(h0, c0, d_out, d_h, d_c, output, gates, cells)
    panels = _panels(kind, w_hh, False)
    project = None if w_hr is None else _panels(kind, w_hr, False)
    d_made: Any = None
    made = inner = None
    if w_hr is not None:
        d_made, made = np.empty((rows, hidden), x.dtype), np.empty((rows, size), x.dtype)
        inner = np.empty((batch, size), x.dtype)
    d_gates, before = np.empty(gates.shape, x.dtype), np.empty((rows, hidden), x.dtype)
    dh, dc = np.empty((batch, hidden), x.dtype), np.empty((batch, size), x.dtype)
    arrays = dict(acts=gates, cells=cells, c0=c0, output=output, h0=h0, d_out=d_out, d_h=d_h, d_c=d_c, panels=panels,
                  project=project, d_made=d_made, made=made, inner=inner, steps=plan(sizes, reverse, apart),
                  d_gates=d_gates, before=before, dh=dh, dc=dc)  # fmt: skip
    numbers = (rows, batch, size, hidden, len(sizes), apart, panels.size, 0 if project is None else project.size)
    if not _run(recurrent.lstm_backward, kind, arrays, numbers, len(sizes), batch * 4 * size * hidden, batch):
        return None
    return d_gates, dh, dc, before, None if w_hr is None else fused.matmul(d_made.T, made)


def gru(x, h0, w_ih, w_hh, b_ih, b_hh, sizes: tuple[int, ...], reverse: bool, apart: int):
    """(output, last h, gates r z n, the state's part of n before r) of one layer in one direction."""
    (batch, size), rows = h0.shape, len(x)
    kind = _kind(rows * size * 3, x, h0, w_ih, w_hh, b_ih, b_hh)
    if kind is None:
        return None
    x, h0, b_ih, b_hh = _flat(x, h0, b_ih, b_hh)
    panels = _panels(kind, w_hh, True)
    gates = fused.matmul(x, w_ih.T)
    output, inner = np.empty((rows, size), x.dtype), np.empty((rows, size), x.dtype)
    h, own = np.empty((batch, size), x.dtype), np.empty((batch, 3 * size), x.dtype)
    arrays = dict(gates=gates, h0=h0, panels=panels, b_ih=b_ih, b_hh=b_hh, steps=plan(sizes, reverse, apart),
                  output=output, inner=inner, h=h, own=own)  # fmt: skip
    numbers = (rows, batch, size, len(sizes), apart, panels.size)
    done = _run(recurrent.gru, kind, arrays, numbers, len(sizes), batch * 3 * size * size, batch)
    return (output, h, gates, inner) if done else None


def gru_backward(d_out, d_h, out, x, h0, w_hh, sizes: tuple[int, ...], reverse: bool, apart: int):
    """(d_gates, d_own, dh, before): gradients of the input's and of the state's part of the gates, and of h0."""
    output, _, gates, inner = out
    (batch, size), rows = h0.shape, len(x)
    kind = _kind(gates.size, x, h0, w_hh, d_out, d_h, *out)
    if kind is None:
        return None
    h0, d_out, d_h, output, gates, inner = _flat(h0, d_out, d_h, output, gates, inner)
    panels = _panels(kind, w_hh, False)
    d_gates, d_own = np.empty(gates.shape, x.dtype), np.empty(gates.shape, x.dtype)
    before, dh = np.empty((rows, size), x.dtype), np.empty((batch, size), x.dtype)
    arrays = dict(acts=gates, inner=inner, output=output, h0=h0, d_out=d_out, d_h=d_h, panels=panels,
                  steps=plan(sizes, reverse, apart), d_gates=d_gates, d_own=d_own, before=before, dh=dh)  # fmt: skip
    numbers = (rows, batch, size, len(sizes), apart, panels.size)
    done = _run(recurrent.gru_backward, kind, arrays, numbers, len(sizes), batch * 3 * size * size, batch)
    return (d_gates, d_own, dh, before) if done else None


def rnn(x, h0, w_ih, w_hh, b_ih, b_hh, sizes: tuple[int, ...], reverse: bool, apart: int, relu: bool):
    """(output, last h) of one layer in one direction."""
    (batch, size), rows = h0.shape, len(x)
    kind = _kind(rows * size, x, h0, w_ih, w_hh, b_ih, b_hh)
    if kind is None:
        return None
    x, h0, b_ih, b_hh = _flat(x, h0, b_ih, b_hh)
    panels = _panels(kind, w_hh, True)
    output, h = fused.matmul(x, w_ih.T), np.empty((batch, size), x.dtype)
    arrays = dict(output=output, h0=h0, panels=panels, b_ih=b_ih, b_hh=b_hh, steps=plan(sizes, reverse, apart), h=h)
    numbers = (rows, batch, size, len(sizes), apart, panels.size)
    done = _run(recurrent.rnn, kind, arrays, numbers, len(sizes), batch * size * size, batch, relu=relu)
    return (output, h) if done else None


def rnn_backward(d_out, d_h, output, x, h0, w_hh, sizes: tuple[int, ...], reverse: bool, apart: int, relu: bool):
    """(d_pre, dh, before): gradients before the activation and of h0, and the state that each row met."""
    (batch, size), rows = h0.shape, len(x)
    kind = _kind(rows * size, x, h0, w_hh, d_out, d_h, output)
    if kind is None:
        return None
    h0, d_out, d_h, output = _flat(h0, d_out, d_h, output)
    panels = _panels(kind, w_hh, False)
    d_pre, before = np.empty((rows, size), x.dtype), np.empty((rows, size), x.dtype)
    dh = np.empty((batch, size), x.dtype)
    arrays = dict(output=output, h0=h0, d_out=d_out, d_h=d_h, panels=panels, steps=plan(sizes, reverse, apart),
                  d_pre=d_pre, before=before, dh=dh)  # fmt: skip
    numbers = (rows, batch, size, len(sizes), apart, panels.size)
    done = _run(recurrent.rnn_backward, kind, arrays, numbers, len(sizes), batch * size * size, batch, relu=relu)
    return (d_pre, dh, before) if done else None
