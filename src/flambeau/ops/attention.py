"""Scaled dot-product attention as one primitive (Vaswani et al. 2017).

The forward keeps the attention probabilities for the backward; whatever computes them otherwise (tile by tile, say)
may keep something else, as long as the two array functions agree on it.
"""

from __future__ import annotations

import numpy as np

from ..kernels import fused as kernels
from .entry import primitive
from .fused import fused, in_single
from .linalg import matmul
from .softmax import _softmax


def _scores(query, key, mask, scale, causal):
    s = kernels.matmul(query * query.dtype.type(scale), key.swapaxes(-1, -2))
    if causal:
        rows, columns = s.shape[-2:]
        s = np.where(np.tri(rows, columns, dtype=bool), s, s.dtype.type(-np.inf))
    if mask is not None:
        s = np.where(mask, s, s.dtype.type(-np.inf)) if mask.dtype == np.bool_ else s + mask
    return s


def _probabilities(s):
    """Softmax over the last dimension, in place; rows that are masked altogether give 0."""
    if not s.size:
        return s
    top = s.max(axis=-1, keepdims=True)
    s -= np.where(top == -np.inf, s.dtype.type(0), top)
    np.exp(s, out=s)
    total = s.sum(axis=-1, keepdims=True)
    s /= np.where(total == 0, s.dtype.type(1), total)
    return s


def _fused_probabilities(query, key, mask, scale, causal):
    """Scaling, mask and softmax in one pass over the scores; None where the kernel does not take them."""
    if mask is not None and mask.dtype == np.bool_:
        mask = np.where(mask, query.dtype.type(0), query.dtype.type(-np.inf))
    if not kernels.takes(query) or query.dtype != key.dtype or (mask is not None and mask.dtype != query.dtype):
        return None
    s = kernels.matmul(query, key.swapaxes(-1, -2))
    return s if s.size >= kernels.SMALL and kernels.attention_softmax(s, mask, scale, causal) else None


@in_single
def _attention_array(query, key, value, mask, keep, scale, causal):
    """(result, what backward needs). keep: None, or the factors that dropout multiplies the probabilities by."""
    p = _fused_probabilities(query, key, mask, scale, causal)
    if p is None:
        p = _probabilities(_scores(query, key, mask, scale, causal))
    return kernels.matmul(p if keep is None else p * keep, value), p


@in_single
def _attention_backward_array(g, query, key, value, mask, keep, aux, scale, causal, needs):
    g, p = g[0], aux[1].astype(query.dtype, copy=False)
    d_query = d_key = d_value = d_scores = None
    if needs[2]:
        d_value = kernels.matmul((p if keep is None else p * keep).swapaxes(-1, -2), g)
    if needs[0] or needs[1] or needs[3]:
        d = kernels.matmul(g, value.swapaxes(-1, -2))
        if keep is not None:
            d *= keep
        if not needs[3] and kernels.attention_softmax_backward(d, p, scale, causal):
            d_query = kernels.matmul(d, key) if needs[0] else None
            d_key = kernels.matmul(d.swapaxes(-1, -2), query) if needs[1] else None
            return d_query, d_key, d_value, None
        d *= p
        d -= p * d.sum(axis=-1, keepdims=True)
        d_scores = d
        kind = query.dtype.type(scale)
        if needs[0]:
            d_query = kernels.matmul(d, key) * kind
        if needs[1]:
            d_key = kernels.matmul(d.swapaxes(-1, -2), query) * kind
    return d_query, d_key, d_value, d_scores if needs[3] else None


@fused(_attention_backward_array)
def _attention_rule(g, query, key, value, mask, keep, aux, scale, causal, needs):
    g = g[0]
    s = matmul(query, key.mT) * scale
    rows, columns = s.shape[-2:]
    blocked = _blocked(query, rows, columns, mask, causal)
    if mask is not None and mask._array.dtype != np.bool_:
        s = s + mask
    if blocked is not None:
        s = s.masked_fill(blocked, float("-inf"))
    p = _softmax(s, axis=s.ndim - 1)
    if blocked is not None:
        p = p.masked_fill(blocked, 0.0)
    kept = p if keep is None else p * keep
    d = matmul(g, value.mT)
    if keep is not None:
        d = d * keep
    d = d * p
    d = d - p * d.sum(-1, keepdim=True)
    return matmul(d, key) * scale, matmul(d.mT, query) * scale, matmul(kept.mT, g), d


def _blocked(query, rows, columns, mask, causal):
    """The pairs that may not attend, as a bool tensor; None if all may."""
    blocked = None
    if causal:
        blocked = query.wrap(~np.tri(rows, columns, dtype=bool))
    if mask is not None and mask._array.dtype == np.bool_:
        blocked = query.wrap(~mask._array) if blocked is None else query.wrap(blocked._array | ~mask._array)
    return blocked


_attention = primitive(
    "scaled_dot_product_attention", _attention_array,
    vjp={("query", "key", "value", "mask"): _attention_rule}, node="ScaledDotProductFlashAttentionForCpuBackward0",
)  # fmt: skip
