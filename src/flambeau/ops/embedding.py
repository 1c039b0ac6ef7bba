"""Rows of a table by number, and bags of rows."""

from __future__ import annotations

import numpy as np

from ..kernels import indexed
from ..mistakes.indices import no_such_row
from .entry import primitive
from .fused import in_single


def check_rows(indices, rows, width=1):
    """IndexError unless all row numbers are in range; width: elements of a row."""
    if type(indices) is np.ndarray and indexed.first_outside(indices, 0, rows, touched=rows * width) >= 0:
        raise no_such_row(indices, rows)


def _embedding_array(weight, indices):
    check_rows(indices, *weight.shape)
    made = indexed.take_rows(weight, indices)
    return weight[indices] if made is None else made


@in_single
def sum_rows(rows, indices, count, skip=None, mean=False):
    """Add row i of `rows` to row indices[i] of a table of zeros with `count` rows.

    skip: a row that stays 0. mean: divide each row by how often its number occurs.
    """
    if not indices.size or type(rows) is not np.ndarray:
        table = np.zeros((count, *rows.shape[1:]), rows.dtype)
        return table if type(rows) is np.ndarray else rows[:1].sum() * table
    made = indexed.sum_rows(rows, indices, count, skip, mean)
    if made is not None:
        return made
    # Sorting brings equal numbers together, so that each run is one sum.
    table = np.zeros((count, *rows.shape[1:]), rows.dtype)
    order = np.argsort(indices, kind="stable")
    ordered = indices[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    if starts.size == indices.size:
        table[ordered] = rows[order]
    else:
        table[ordered[starts]] = np.add.reduceat(rows[order], starts, axis=0)
    if skip is not None:
        table[skip] = 0
    if mean:
        times = np.bincount(indices, minlength=count)
        table /= np.maximum(times, 1).astype(table.dtype)[:, None]
    return table


def _embedding_backward_array(g, indices, count, padding, by_frequency):
    if type(g) is not np.ndarray:
        return g[..., :1].sum() * np.zeros((count, g.shape[-1]), g.dtype)
    flat = indices.reshape(-1)
    return sum_rows(g.reshape(flat.size, g.shape[-1]), flat, count, padding, by_frequency)


def _gathered(gg, indices, count, padding, by_frequency):
    """The adjoint of the gradient, which is linear: look up again."""
    if padding is not None or by_frequency:
        scale = np.ones((count, 1), gg._array.dtype)
        if by_frequency:
            scale[:, 0] /= np.maximum(np.bincount(indices._array.reshape(-1), minlength=count), 1)
        if padding is not None:
            scale[padding] = 0
        gg = gg * gg.wrap(scale)
    return _embedding(gg, indices, padding=None, by_frequency=False)


_embedding_backward = primitive(
    "embedding_backward", _embedding_backward_array, node="EmbeddingDenseBackwardBackward0",
    vjp={"g": _gathered},
)  # fmt: skip

_embedding = primitive(
    "embedding", lambda weight, indices, padding, by_frequency: _embedding_array(weight, indices),
    vjp={"weight": lambda g, indices, weight_shape, padding, by_frequency: _embedding_backward(
        g, indices, count=weight_shape[0], padding=padding, by_frequency=by_frequency)},
)  # fmt: skip
