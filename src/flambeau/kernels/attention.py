"""Attention in tiles (Dao et al. 2022): softmax(q kT scale + mask) v and its gradients, in memory linear in length.

One task is a block of query rows, as wide as the tile of `tile.py`. Everything is computed transposed: a query is a
lane of the vectors, so that maxima and sums of scores run down columns, and keys and values are read where they lie.
A column of scores is made 64 keys at a time, and normalised as it goes (Milakov and Gimelshein 2018). The forward keeps
the logarithm of each row's sum, from which the backward makes the same probabilities again.

Dropout needs no mask in memory: whether query i keeps key j is a hash of (seed, i, j), the same in both directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .build import backend, kernel
from .fused import add_up
from .scalars import log, where

KEYS = 64  # scores of so many keys at a time: a tile of them stays in the first-level cache with what it meets
LISTS = 32  # the tasks are dealt to at most so many lists, each with room of its own
CHUNKS = 8  # the query blocks of few heads are cut into at most so many parts in the backward, each with its own sums
_KIND = {np.dtype(np.float32): "f4", np.dtype(np.float64): "f8"}

# ---------------------------------------------------------------------- dropout

GOLDEN, _FIRST, _SECOND = 0x9E3779B9, 0x85EBCA6B, 0xC2B2AE35


def signed(word: int) -> int:
    """A 32-bit word as the signed number with the same bits."""
    return word - (1 << 32) if word >= 1 << 31 else word


def mixed(h: Any) -> Any:
    """MurmurHash3's finaliser (Appleby) of 32-bit words, emitted or in NumPy."""
    if isinstance(h, np.ndarray):
        for shift, factor in ((16, _FIRST), (13, _SECOND)):
            h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
        return h ^ (h >> np.uint32(16))
    for shift, factor in ((16, _FIRST), (13, _SECOND)):
        h = (h ^ ((h >> shift) & ((1 << (32 - shift)) - 1))) * signed(factor)
    return h ^ ((h >> 16) & 0xFFFF)


def _limit(p: float) -> int:
    """A 31-bit word below this one leaves its probability in place."""
    return min(round((1 - p) * 2.0**31), 2**31 - 1)


def _keep(p: float) -> float:
    return 1 / (1 - p) if p < 1 else 0.0


def kept(seed: np.ndarray, shape: tuple[int, ...], p: float, dtype: np.dtype) -> np.ndarray:
    """What the kernels' dropout multiplies probabilities of `shape` (..., rows, keys) by: 0 or 1 / (1 - p)."""
    rows, keys = int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]
    first, second = (np.uint32(w & 0xFFFFFFFF) for w in seed.tolist())
    row = mixed(np.arange(rows).astype(np.uint32) ^ first)[:, None] + second
    words = mixed(row + (np.arange(keys).astype(np.uint32) * np.uint32(GOLDEN))[None]) >> np.uint32(1)
    return np.where(words.reshape(shape) < np.uint32(_limit(p)), dtype.type(_keep(p)), dtype.type(0))


# ---------------------------------------------------------------------- kernels
#
# q_b, q_h, q_r...: elements from one batch, head and row of the query to the next; m_q, m_k: of the mask.

_GIVEN = (
    "query:T~ key:T~ value:T~ bias:T~? seen:b1~? seed:i8?=2 batch heads kv rows keys width value_width scale:d "
    "limit keep:d q_b q_h q_r k_b k_h k_r v_b v_h v_r m_b m_h m_q m_k "
)


@kernel(_GIVEN + "y:T~! lse:T!=batch*heads*rows room:T!=lists*space y_b y_h y_r lists space weight",
        work="lists", cost="weight", tile=True)  # fmt: skip
def forward(k, begin, end, query, key, value, bias, seen, seed, batch, heads, kv, rows, keys, width, value_width, scale,
            limit, keep, q_b, q_h, q_r, k_b, k_h, k_r, v_b, v_h, v_r, m_b, m_h, m_q, m_k, y, lse, room, y_b, y_h, y_r,
            lists, space, weight, causal=False):  # fmt: skip
    """y = attention, lse = log of each row's sum of exponentials, inf for a row that sees nothing: it gives 0."""
    given = dict(locals())
    from . import attention_block, tile

    cols = tile.shape(k.real).cols
    blocks = (rows + cols - 1) // cols
    for each, task in attention_block.tasks(k, begin, end, lists, batch * heads * blocks):
        head, first = task // blocks, task % blocks * cols
        block = attention_block.Block(k, given, head // heads, head % heads, first, causal)
        top = room.at(each * space)
        total, queries, s = top.at(cols), top.at(2 * cols), top.at((width + 2) * cols)
        out = s.at(KEYS * cols)
        block.pack_queries(queries)
        for column in block.columns():
            block.store(block.all(float("-inf")), top.at(column))
            block.store(block.all(0.0), total.at(column))
        for start in k.range(0, block.end, KEYS, vectorize=False, unroll=False):
            count = k.minimum(block.end - start, KEYS)
            block.scores(s, queries, start, count)
            for column in block.columns():
                block.normalise(s.at(column), out.at(column), top.at(column), total.at(column), column, start, count)
            tile.panel(k, value_width, block.padded, count, block.value.at(start * v_r), 1, v_r, s, cols, out, cols,
                       k.select(start > 0, k.int(1), k.int(0)))  # fmt: skip
        for column in block.columns():
            sums = block.load(total.at(column))
            inverse = where(sums == 0.0, block.all(0.0), 1.0 / sums)
            for c in k.range(value_width, vectorize=False, unroll=False):
                place = out.at(c * cols + column)
                block.store(block.load(place) * inverse, place)
            ends = where(sums == 0.0, block.all(float("inf")), log(sums) + block.load(top.at(column)))
            mask = tile.below(k, block.rows - column, block.t.lanes)
            tile.masked_store(k, ends.v, lse.at(block.number + column), mask)
        block.turn_out(out, value_width, y.at(block.batch * y_b + block.head * y_h + first * y_r), y_r, s)


@kernel(_GIVEN + "g:T~ y:T~ lse:T=batch*heads*rows dq:T~! dk:T~! dv:T~! room:T!=lists*space g_b g_h g_r y_b y_h y_r "
        "dq_b dq_h dq_r dk_c dk_b dk_h dk_r dv_c dv_b dv_h dv_r lists space weight chunks",
        work="lists", cost="weight", tile=True)  # fmt: skip
def backward(k, begin, end, query, key, value, bias, seen, seed, batch, heads, kv, rows, keys, width, value_width,
             scale, limit, keep, q_b, q_h, q_r, k_b, k_h, k_r, v_b, v_h, v_r, m_b, m_h, m_q, m_k, g, y, lse, dq, dk, dv,
             room, g_b, g_h, g_r, y_b, y_h, y_r, dq_b, dq_h, dq_r, dk_c, dk_b, dk_h, dk_r, dv_c, dv_b, dv_h, dv_r,
             lists, space, weight, chunks, causal=False):  # fmt: skip
    """The gradients of query, key and value.

    A task is one head of key and value with every `chunks`-th block of the queries that use it; each chunk has sums of
    its own in dk and dv, dk_c and dv_c elements apart.
    """
    given = dict(locals())
    from . import attention_block, tile

    cols, lanes = tile.shape(k.real).cols, tile.shape(k.real).lanes
    blocks, group = (rows + cols - 1) // cols, heads // kv
    for each, task in attention_block.tasks(k, begin, end, lists, batch * kv * chunks):
        chunk, source, b = task % chunks, task // chunks % kv, task // (chunks * kv)
        d_key = dk.at(chunk * dk_c + b * dk_b + source * dk_h)
        d_value = dv.at(chunk * dv_c + b * dv_b + source * dv_h)
        for d_row, row, size in ((d_key, dk_r, width), (d_value, dv_r, value_width)):
            for j in k.range(keys, vectorize=False, unroll=False):
                for c in k.range(size):
                    d_row[j * row + c] = 0.0
        total = room.at(each * space)
        dot, queries, gradients = total.at(cols), total.at(2 * cols), total.at((width + 2) * cols)
        s = gradients.at(value_width * cols)
        d, out = s.at(KEYS * cols), s.at(2 * KEYS * cols)
        plain_q = out.at(k.maximum(width, value_width) * cols)
        plain_g = plain_q.at((width + lanes) * cols)
        for i in k.range((group * blocks - chunk + chunks - 1) // chunks, vectorize=False, unroll=False):
            number = chunk + i * chunks
            head, first = source * group + number // blocks, number % blocks * cols
            block = attention_block.Block(k, given, b, head, first, causal)
            gradient = g.at(b * g_b + head * g_h + first * g_r)
            result = y.at(b * y_b + head * y_h + first * y_r)
            block.pack_queries(queries)
            tile.pack(k, gradient, 1, g_r, value_width, block.rows, gradients)
            _pack_panels(k, block.query, q_r, block.rows, width, plain_q)
            _pack_panels(k, gradient, g_r, block.rows, value_width, plain_g)
            tile.pack(k, result, 1, y_r, value_width, block.rows, out)
            for column in block.columns():
                along = k.cell(block.all(0.0))
                for c in k.range(value_width, vectorize=False, unroll=False):
                    place = c * block.padded + column
                    along.set(along.get() + block.load(gradients.at(place)) * block.load(out.at(place)))
                block.store(along.get(), dot.at(column))
                mask = tile.below(k, block.rows - column, lanes)
                tile.store(k, tile.masked_load(k, lse.at(block.number + column), mask), total.at(column))
            for start in k.range(0, block.end, KEYS, vectorize=False, unroll=False):
                count = k.minimum(block.end - start, KEYS)
                block.scores(s, queries, start, count)
                tile.panel(k, count, block.padded, value_width, block.value.at(start * v_r), v_r, 1, gradients,
                           block.padded, d, cols)  # fmt: skip
                for column in block.columns():
                    block.score_gradients(s.at(column), d.at(column), total.at(column), dot.at(column), column, start,
                                          count)  # fmt: skip
                _add_products(k, s, count, block.rows, plain_g, value_width, d_value.at(start * dv_r), dv_r)
                _add_products(k, d, count, block.rows, plain_q, width, d_key.at(start * dk_r), dk_r)
                tile.panel(k, width, block.padded, count, block.key.at(start * k_r), 1, k_r, d, cols, out, cols,
                           k.select(start > 0, k.int(1), k.int(0)))  # fmt: skip
            block.turn_out(out, width, dq.at(b * dq_b + head * dq_h + first * dq_r), dq_r, s)


def _pack_panels(k, source, row, rows, width, out):
    """The panels of source (rows, width), one after the other."""
    from . import attention_block, tile

    cols = tile.shape(k.real).cols
    attention_block.panels(k, width, lambda c, n: tile.pack(k, source.at(c), row, 1, rows, n, out.at(c * cols)))


def _add_products(k, left, count, rows, packed, width, to, row):
    """to (count, width) += left (count, rows) times the packed panels."""
    from . import attention_block, tile

    t = tile.shape(k.real)
    attention_block.panels(k, width, lambda c, n: tile.panel(
        k, count, n, rows, left, t.cols, 1, packed.at(c * t.cols), t.padded(n), to.at(c), row, 1))  # fmt: skip


# ---------------------------------------------------------------------- array in, array out


def _readable(a: np.ndarray) -> np.ndarray:
    """The array, or a copy, with adjacent elements in the last dimension and no negative stride."""
    item = a.itemsize
    adjacent = a.strides[-1] == item or a.shape[-1] == 1
    if adjacent and all(s >= 0 and s % item == 0 for s in a.strides) and a.flags.aligned:
        return a
    return np.ascontiguousarray(a)


def _like(a: np.ndarray) -> np.ndarray:
    """A new array whose dimensions lie in memory in the order of a's, where its last elements are adjacent then."""
    made = np.empty_like(a)
    return made if made.strides[-1] == a.itemsize else np.empty(a.shape, a.dtype)


def _steps(a: np.ndarray) -> tuple[int, ...]:
    """Elements from one index to the next in all dimensions but the last."""
    return tuple(s // a.itemsize for s in a.strides[:-1])


def _mask(mask: np.ndarray | None, shape: tuple[int, ...]) -> tuple[tuple[np.ndarray, ...], tuple[int, ...]]:
    """The mask as an argument of a kernel, and its strides when it is broadcast to `shape`."""
    if mask is None:
        return (), (0, 0, 0, 0)
    if any(s < 0 or s % mask.itemsize for s in mask.strides) or not mask.flags.aligned:
        mask = np.ascontiguousarray(mask)
    return (mask,), tuple(s // mask.itemsize for s in np.broadcast_to(mask, shape).strides)


def _builtin(which: Any, query: np.ndarray, others: tuple[np.ndarray, ...], mask: Any, seed: Any, causal: bool) -> Any:
    """The builtin for these arrays; None where NumPy is to be used."""
    kind = _KIND.get(query.dtype)
    if kind is None or backend() is None or any(a.dtype != query.dtype or not a.size for a in (query, *others)):
        return None
    if any(type(a) is not np.ndarray for a in (query, *others, *([] if mask is None else [mask]))):
        return None
    if mask is not None and mask.dtype not in (query.dtype, np.bool_) or query.shape[1] % others[0].shape[1]:
        return None
    present = "" if mask is None else "seen" if mask.dtype == np.bool_ else "bias"
    absent = [name for name in ("bias", "seen") if name != present] + ["seed"] * (seed is None)
    return which.get(kind, tuple(absent), causal=causal)


def _cols(kind: np.dtype) -> int:
    from . import tile  # imports LLVM, which is there when this is called

    return tile.shape(_KIND[kind]).cols


def attention(query, key, value, mask, seed, p: float, scale: float, causal: bool, like=None):
    """(result, log of each row's sum) of 4-dimensional arrays (batch, heads, length, width); None: use NumPy.

    Arguments:
        key, value: may have fewer heads, each of which serves several of the query's.
        mask: bool (True: may look) or of the query's dtype, to be broadcast to (batch, heads, rows, keys).
        seed: int64, two elements, or None for no dropout. p: dropout's probability.
        like: an array of the result's shape whose order of dimensions in memory the result takes.
    """
    f = _builtin(forward, query, (key, value), mask, seed, causal)
    if f is None:
        return None
    query, key, value = _readable(query), _readable(key), _readable(value)
    (batch, heads, rows, width), kv, (keys, value_width) = query.shape, key.shape[1], value.shape[2:]
    masks, mask_steps = _mask(mask, (batch, heads, rows, keys))
    y = np.empty((batch, heads, rows, value_width), query.dtype) if like is None else _like(like)
    lse = np.empty((batch, heads, rows), query.dtype)
    cols = _cols(query.dtype)
    lists, space = min(batch * heads * ((rows + cols - 1) // cols), LISTS), (2 + width + KEYS + value_width) * cols
    weight = batch * heads * rows * keys * (width + value_width + 32) // (64 * lists)
    f(query, key, value, *masks, *([] if seed is None else [seed]), batch, heads, kv, rows, keys, width, value_width,
      float(scale), _limit(p), _keep(p), *_steps(query), *_steps(key), *_steps(value), *mask_steps, y, lse,
      np.empty(lists * space, query.dtype), *_steps(y), lists, space, weight)  # fmt: skip
    return y, lse


def attention_backward(g, query, key, value, mask, seed, y, lse, p: float, scale: float, causal: bool):
    """Gradients of query, key and value, from what `attention` was given and gave; None: use NumPy."""
    f = _builtin(backward, query, (key, value, g, y, lse), mask, seed, causal)
    if f is None:
        return None
    dq, dk, dv = _like(query), _like(key), _like(value)
    g, y, query, key, value = (_readable(a) for a in (g, y, query, key, value))
    (batch, heads, rows, width), kv, (keys, value_width) = query.shape, key.shape[1], value.shape[2:]
    masks, mask_steps = _mask(mask, (batch, heads, rows, keys))
    cols = _cols(query.dtype)
    chunks = max(1, min(CHUNKS // (batch * kv), heads // kv * ((rows + cols - 1) // cols)))
    # With several chunks the sums of each come first, then their sum.
    part_k, part_v = ((np.empty((chunks, *a.shape), a.dtype) if chunks > 1 else a[None]) for a in (dk, dv))
    lists = min(batch * kv * chunks, LISTS)
    # `cols` for the last vectors of two panels.
    space = (2 + 2 * (width + value_width + KEYS) + max(width, value_width) + cols) * cols
    weight = batch * heads * rows * keys * (3 * width + 2 * value_width + 32) // (64 * lists)
    f(query, key, value, *masks, *([] if seed is None else [seed]), batch, heads, kv, rows, keys, width, value_width,
      float(scale), _limit(p), _keep(p), *_steps(query), *_steps(key), *_steps(value), *mask_steps, g, y,
      np.ascontiguousarray(lse), dq, part_k, part_v, np.empty(lists * space, query.dtype), *_steps(g), *_steps(y),
      *_steps(dq), *_steps(part_k), *_steps(part_v), lists, space, weight, chunks)  # fmt: skip
    return (dq, dk, dv) if chunks == 1 else (dq, add_up(part_k), add_up(part_v))
