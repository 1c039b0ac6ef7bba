"""Scaled dot-product attention as one primitive (Vaswani et al. 2017).

The forward keeps its result and, for each row of scores, the logarithm of the sum of their exponentials; the backward
makes the probabilities again from that. Kernels do it tile by tile, so that memory grows with the length, not its
square. The NumPy formulas do it at once; they serve small problems, masks that want a gradient, and where there is no
LLVM.
"""

from __future__ import annotations

import math

import numpy as np

from ..kernels import attention as tiled
from ..kernels import fused as kernels
from .entry import primitive
from .fused import fused, in_single
from .linalg import matmul
from .softmax import _softmax


def _groups(query, key):
    """How many heads of the query share one of the key."""
    return query.shape[-3] // key.shape[-3] if query.ndim > 2 and key.ndim > 2 and key.shape[-3] else 1


def _spread(x, groups):
    """Each head `groups` times, of an array or tensor (..., heads, length, width)."""
    if groups == 1:
        return x
    lead, rest = tuple(x.shape[:-3]), tuple(x.shape[-2:])
    wanted = (*lead, x.shape[-3], groups, *rest)
    repeated = x.reshape(*lead, x.shape[-3], 1, *rest)
    repeated = np.broadcast_to(repeated, wanted) if isinstance(x, np.ndarray) else repeated.expand(*wanted)
    return repeated.reshape(*lead, x.shape[-3] * groups, *rest)


def _gathered(d, groups):
    """The transpose of _spread: gradients of the copies of each head, added up."""
    if groups == 1:
        return d
    return d.reshape(*d.shape[:-3], d.shape[-3] // groups, groups, *d.shape[-2:]).sum(-3)


def _four(query, key, value, mask, shared):
    """The arrays with exactly two leading dimensions, batch and heads; the result's leading dimensions."""
    q, k, v = query.shape[:-2], key.shape[:-2], value.shape[:-2]
    if shared:
        outer = np.broadcast_shapes(q[:-1], k[:-1], v[:-1])
        lead, source = (*outer, q[-1]), (*outer, k[-1])
    else:
        lead = source = np.broadcast_shapes(q, k, v)

    def shaped(a, lead):
        if a.shape[:-2] != lead:
            a = np.broadcast_to(a, (*lead, *a.shape[-2:]))
        if a.ndim == 4:
            return a
        return a.reshape(math.prod(lead[:-1]), lead[-1] if lead else 1, *a.shape[-2:])

    if mask is not None and mask.ndim > 2:
        mask = mask.reshape(1, 1, *mask.shape[-2:]) if math.prod(mask.shape[:-2]) == 1 else shaped(mask, lead)
    return shaped(query, lead), shaped(key, source), shaped(value, source), mask, lead


def _shaped(a, lead, rest):
    """The array with other leading dimensions before its last `rest`; itself where it has them, which no view is."""
    shape = (*lead, *a.shape[-rest:])
    return a if a.shape == shape else a.reshape(shape)


def _large(query, key):
    return query.size // max(query.shape[-1], 1) * key.shape[-2] >= kernels.SMALL


@in_single
def _attention_array(query, key, value, mask, seed, scale, causal, p, shared):
    """(result, log of the sum of exponentials of each row, inf where it sees nothing).

    seed: None, or what decides which probabilities dropout (with probability p) leaves. shared: keys and values may
    have fewer heads than the query has.
    """
    if _large(query, key) and type(query) is np.ndarray:
        q, k, v, m, lead = _four(query, key, value, mask, shared)
        # PyTorch's result lies in memory as the query does, where its own tiled kernel makes it.
        plain = query.ndim == 4 and not p and query.shape[-1] == value.shape[-1] and query.shape[:-2] == lead
        made = tiled.attention(q, k, v, m, seed, p, scale, causal, query if plain else None)
        if made is not None:
            return _shaped(made[0], lead, 2), _shaped(made[1], lead, 1)
    groups = _groups(query, key) if shared else 1
    s = _scores(query, _spread(key, groups), mask, scale, causal)
    if not s.size:
        lse = np.full_like(s, np.inf, shape=s.shape[:-1]) if type(s) is np.ndarray else s.sum(axis=-1)
        return kernels.matmul(s, _spread(value, groups)), lse
    top = s.max(axis=-1, keepdims=True)
    top = np.where(top == -np.inf, s.dtype.type(0), top)
    s -= top
    np.exp(s, out=s)
    total = s.sum(axis=-1, keepdims=True)
    empty = total == 0
    s /= np.where(empty, s.dtype.type(1), total)
    with np.errstate(divide="ignore"):
        lse = np.where(empty, s.dtype.type(np.inf), np.log(total) + top)[..., 0]
    if seed is not None:
        s *= tiled.kept(seed, s.shape, p, s.dtype)
    return kernels.matmul(s, _spread(value, groups)), lse


def _scores(query, key, mask, scale, causal):
    s = kernels.matmul(query * query.dtype.type(scale), key.swapaxes(-1, -2))
    if causal:
        rows, columns = s.shape[-2:]
        s = np.where(np.tri(rows, columns, dtype=bool), s, s.dtype.type(-np.inf))
    if mask is not None:
        s = np.where(mask, s, s.dtype.type(-np.inf)) if mask.dtype == np.bool_ else s + mask
    return s


@in_single
def _attention_backward_array(g, query, key, value, mask, seed, out, scale, causal, p, shared, needs):
    g, lse = g[0], out[1]
    if not needs[3] and _large(query, key) and type(query) is np.ndarray:
        q, k, v, m, lead = _four(query, key, value, mask, shared)
        rows = (math.prod(lead[:-1]), lead[-1] if lead else 1, query.shape[-2])
        wide = (*rows, value.shape[-1])
        made = tiled.attention_backward(g.reshape(wide), q, k, v, m, seed, out[0].reshape(wide), lse.reshape(rows), p,
                                        scale, causal)  # fmt: skip
        if made is not None:
            source = (*lead[:-1], k.shape[1]) if lead else ()
            leads = (lead, source, source)
            return *(_shaped(d, a, 2) for d, a in zip(made, leads, strict=True)), None
    groups = _groups(query, key) if shared else 1
    key, value = _spread(key, groups), _spread(value, groups)
    s = _scores(query, key, mask, scale, causal)
    s -= lse[..., None]
    s = np.exp(s, out=s)
    keep = None if seed is None else tiled.kept(seed, s.shape, p, s.dtype)
    d_query = d_key = d_value = d_scores = None
    if needs[2]:
        d_value = _gathered(kernels.matmul((s if keep is None else s * keep).swapaxes(-1, -2), g), groups)
    if needs[0] or needs[1] or needs[3]:
        d = kernels.matmul(g, value.swapaxes(-1, -2))
        if keep is not None:
            d *= keep
        d *= s
        d -= s * d.sum(axis=-1, keepdims=True)
        d_scores = d
        kind = query.dtype.type(scale)
        if needs[0]:
            d_query = kernels.matmul(d, key) * kind
        if needs[1]:
            d_key = _gathered(kernels.matmul(d.swapaxes(-1, -2), query) * kind, groups)
    return d_query, d_key, d_value, d_scores if needs[3] else None


@fused(_attention_backward_array)
def _attention_rule(g, query, key, value, mask, seed, out, scale, causal, p, shared, needs):
    g = g[0]
    groups = _groups(query, key) if shared else 1
    key, value = _spread(key, groups), _spread(value, groups)
    s = matmul(query, key.mT) * scale
    rows, columns = s.shape[-2:]
    blocked = _blocked(query, rows, columns, mask, causal)
    if mask is not None and mask._array.dtype != np.bool_:
        s = s + mask
    if blocked is not None:
        s = s.masked_fill(blocked, float("-inf"))
    probabilities = _softmax(s, axis=s.ndim - 1)
    if blocked is not None:
        probabilities = probabilities.masked_fill(blocked, 0.0)
    d, kept = matmul(g, value.mT), probabilities
    if seed is not None:
        keep = query.wrap(tiled.kept(seed._array, tuple(s.shape), p, s._array.dtype))
        d, kept = d * keep, kept * keep
    d = d * probabilities
    d = d - probabilities * d.sum(-1, keepdim=True)
    d_key, d_value = matmul(d.mT, query) * scale, matmul(kept.mT, g)
    return matmul(d, key) * scale, _gathered(d_key, groups), _gathered(d_value, groups), d


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
