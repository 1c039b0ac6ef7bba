"""Attention: scaled dot-product, and the multi-head layer around it (Vaswani et al. 2017)."""

from __future__ import annotations

import math

import numpy as np

from ...autograd.mode import autocasting
from ...errors import DtypeError, FailedAssertion, ShapeError
from ...generator import default_generator
from ...language import warn
from ...ops.attention import _attention, _groups, _spread
from ...ops.dense import linear
from ...ops.entry import primitive
from ...ops.fused import title
from ...ops.join import cat
from ...ops.linalg import matmul
from ...ops.precision import lower
from ...ops.promotion import broadcast_error, check_devices
from ...ops.shape import need_tensor
from ...ops.softmax import softmax
from ...tensor import Tensor, wrap
from .dropout import dropout


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None,
                                 enable_gqa=False):  # fmt: skip
    """softmax(q kᵀ scale + mask) v over the last two dimensions.

    Arguments:
        attn_mask: bool, True where a query may look, or float, added to the scores; shape broadcast to (*, L, S).
        dropout_p: applied to the weights, always (there is no training flag).
        is_causal: query i looks at keys 0 to i. scale: default 1 / sqrt(E).
        enable_gqa: key and value may have fewer heads (dimension -3); each serves several query heads.
    Shapes: query (*, L, E), key (*, S, E), value (*, S, Ev) -> (*, L, Ev).

    >>> import flambeau as torch
    >>> x = torch.ones(1, 3, 4)
    >>> torch.nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True).shape
    torch.Size([1, 3, 4])
    """
    for position, (name, t) in enumerate((("query", query), ("key", key), ("value", value)), 1):
        need_tensor(t, "scaled_dot_product_attention", name, position)
    if autocasting:
        query, key, value = lower(query, key, value)
        if isinstance(attn_mask, Tensor):
            (attn_mask,) = lower(attn_mask)
    q, k, v = query._array, key._array, value._array
    if q.dtype != k.dtype or q.dtype != v.dtype:
        raise DtypeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{_c(query)} key.dtype: {_c(key)} and value.dtype: {_c(value)} instead.",
            why="the three are multiplied with one another, and products of different dtypes are not computed",
            fix=f"use `key.to({query.dtype}), value.to({query.dtype})`",
        )
    if q.ndim < 2 or k.ndim < 2 or v.ndim < 2:
        raise ShapeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{q.ndim} key.dim: {k.ndim} and value.dim: {v.ndim} instead.",
            why="the last two dimensions are (sequence, features)",
            fix="use `x.unsqueeze(0)` for a sequence of one element",
        )
    if not query.is_floating_point():
        raise DtypeError(
            f"expected scalar type Float but found {title(query)}",
            why=f"attention weights are fractions, which {query.dtype.name} cannot hold",
            fix="use `query.float(), key.float(), value.float()`",
        )
    if q.shape[-1] != k.shape[-1]:
        heads = math.prod(q.shape[:-2])
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{heads}, {q.shape[-1]}] but got: "
            f"[{math.prod(k.shape[:-2])}, {k.shape[-1]}].",
            why=f"the features of query {tuple(query.shape)} and key {tuple(key.shape)} are multiplied one by one, "
            "so their last sizes must be equal",
            fix=f"project the key to {q.shape[-1]} features, e.g. with `nn.Linear({k.shape[-1]}, {q.shape[-1]})`",
        )
    if k.shape[-2] != v.shape[-2]:
        raise ShapeError(
            f"Expected key and value to have the same sequence length, but got {k.shape[-2]} and {v.shape[-2]}",
            why=f"each key weights one value; key is {tuple(k.shape)} and value {tuple(v.shape)}",
            fix="make key and value from the same sequence",
        )
    shared = enable_gqa and _share_heads(query, key, value)
    if shared and key.shape[-3] != value.shape[-3]:
        key, value, shared = _spread(key, _groups(query, key)), _spread(value, _groups(query, value)), False
    if attn_mask is not None:
        attn_mask = _checked_mask(attn_mask, query, key)
    check_devices(query, key, value, attn_mask)
    if scale is None:
        scale = 1 / math.sqrt(q.shape[-1]) if q.shape[-1] else 1.0
    seed = None
    if dropout_p > 0 and type(q) is np.ndarray:
        seed = wrap(default_generator.integers(2, 0, 1 << 32))
    return _attention(query, key, value, attn_mask, seed, scale=scale, causal=bool(is_causal),
                      p=float(dropout_p) if seed is not None else 0.0, shared=shared)[0]  # fmt: skip


def _c(t):
    return {"float32": "float", "float64": "double", "int64": "long int", "int32": "int"}.get(t.dtype.name, title(t))


def _share_heads(query, key, value):
    """Whether heads of key and value serve several of the query."""
    wanted = query.shape[-3]
    for have in (key.shape[-3], value.shape[-3]):
        if have == 0 or wanted % have:
            raise ShapeError(
                "Number of heads in key and value must divide the number of heads in query",
                why=f"query has {wanted} heads and key or value has {have}; each of these serves equally many query "
                "heads",
                fix=f"use a number of heads that divides {wanted}",
            )
    return key.shape[-3] != wanted or value.shape[-3] != wanted


def _checked_mask(mask, query, key):
    if mask.dtype.name != "bool" and mask.dtype is not query.dtype:
        if mask.dtype.name != "float32":
            raise DtypeError(
                "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
                f"{_c(mask)} and  query.dtype: {_c(query)} instead.",
                why="a mask either says which positions are allowed (bool) or is added to the scores",
                fix=f"use `attn_mask.bool()`, or `attn_mask.to({query.dtype})`",
            )
        mask = mask.to(query.dtype)
    scores = (*query.shape[:-1], key.shape[-2])
    try:
        np.broadcast_shapes(scores, mask.shape)
    except ValueError:
        raise broadcast_error(scores, mask.shape) from None
    return mask


# ---------------------------------------------------------------------- several heads


def _mha_shape_check(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether the inputs have a batch dimension; AssertionError when their ranks do not fit together."""
    if query.ndim not in (2, 3):
        raise FailedAssertion(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor",
            why=f"it is (sequence, batch, features) or (sequence, features), and has shape {tuple(query.shape)}",
            fix="use `x.unsqueeze(0)` to add the missing dimension"
            if query.ndim < 2
            else "use `x.flatten(2)` for one vector of features per element of the sequence",
        )
    batched = query.ndim == 3
    rank = query.ndim
    if key.ndim != rank or value.ndim != rank:
        raise FailedAssertion(
            f"For batched (3-D) `query`, expected `key` and `value` to be 3-D but found {key.ndim}-D and "
            f"{value.ndim}-D tensors respectively"
            if batched
            else f"For unbatched (2-D) `query`, expected `key` and `value` to be 2-D but found {key.ndim}-D and "
            f"{value.ndim}-D tensors respectively",
            why=f"query has shape {tuple(query.shape)}, key {tuple(key.shape)} and value {tuple(value.shape)}",
            fix="use `unsqueeze(1)`, or `unsqueeze(0)` with batch_first=True, to add a missing batch dimension",
        )
    if key_padding_mask is not None and key_padding_mask.ndim != rank - 1:
        raise FailedAssertion(
            "For batched (3-D) `query`, expected `key_padding_mask` to be `None` or 2-D but found "
            f"{key_padding_mask.ndim}-D tensor instead"
            if batched
            else "For unbatched (2-D) `query`, expected `key_padding_mask` to be `None` or 1-D but found "
            f"{key_padding_mask.ndim}-D tensor instead",
            why="it says for each sample which elements of key are padding: (batch, source), or (source,) without "
            "batch",
            fix="use `attn_mask` for a mask of (target, source)",
        )
    if attn_mask is not None:
        if attn_mask.ndim not in (2, 3):
            raise FailedAssertion(
                "For batched (3-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
                f"{attn_mask.ndim}-D tensor instead"
                if batched
                else "For unbatched (2-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
                f"{attn_mask.ndim}-D tensor instead",
                why="it is (target, source) for all, or (batch * heads, target, source)",
                fix="use `key_padding_mask` for a mask of padding, or `mask.flatten(0, 1)` to join batch and heads",
            )
        wanted = (num_heads, query.shape[0], key.shape[0])
        if not batched and attn_mask.ndim == 3 and tuple(attn_mask.shape) != wanted:
            raise FailedAssertion(
                f"Expected `attn_mask` shape to be {wanted} but got {attn_mask.shape}",
                why=f"there are {num_heads} heads, {query.shape[0]} target and {key.shape[0]} source positions",
                fix=f"give a mask of shape {wanted[1:]} for all heads, or of shape {wanted}",
            )
    return batched


_added = primitive("mask", lambda blocked, dtype: np.asarray(np.where(blocked, -np.inf, 0.0)).astype(dtype))


def _canonical_mask(mask, mask_name, other_type, other_name, target_type, check_other=True):
    """A bool mask (True: hidden) as one to add to the scores."""
    if mask is None:
        return None
    if mask.dtype.name != "bool" and not mask.is_floating_point():
        raise FailedAssertion(
            f"only bool and floating types of {mask_name} are supported",
            why=f"it is {mask.dtype.name}; a mask either says what to hide (bool) or is added to the scores",
            fix="use `mask.bool()`, where True hides a position",
        )
    if check_other and other_type is not None and mask.dtype is not other_type:
        warn(f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for both "
                      "instead.",
                      stacklevel=3)  # fmt: skip
    if mask.is_floating_point():
        return mask
    return _added(mask, dtype=target_type.numpy)


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, add_zero_attn,
    dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None, need_weights=True, attn_mask=None,
    use_separate_proj_weight=False, q_proj_weight=None, k_proj_weight=None, v_proj_weight=None, static_k=None,
    static_v=None, average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """Attention in several heads, each in its own linear projection; the computation of `nn.MultiheadAttention`.

    Shapes: query (L, N, E) or (L, E), key (S, N, Ek), value (S, N, Ev) -> ((L, N, E), weights (N, L, S) or None).

    >>> import flambeau as torch
    >>> mha = torch.nn.MultiheadAttention(8, 2)
    >>> x = torch.rand(5, 1, 8)
    >>> proj, out = (mha.in_proj_weight, mha.in_proj_bias), (mha.out_proj.weight, mha.out_proj.bias)
    >>> torch.nn.functional.multi_head_attention_forward(x, x, x, 8, 2, *proj, None, None, False, 0.0, *out)[0].shape
    torch.Size([5, 1, 8])
    """
    batched = _mha_shape_check(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = query.unsqueeze(1), key.unsqueeze(1), value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    length, n, width = query.shape
    source = key.shape[0]
    key_padding_mask = _canonical_mask(key_padding_mask, "key_padding_mask", attn_mask.dtype if attn_mask is not None
                                       else None, "attn_mask", query.dtype)  # fmt: skip
    if is_causal and attn_mask is None:
        raise ShapeError(
            "Need attn_mask if specifying the is_causal hint.",
            why="the hint only says that the mask given is a causal one",
            fix=f"use `attn_mask=torch.nn.Transformer.generate_square_subsequent_mask({length})`",
        )
    causal_hint = is_causal and key_padding_mask is None and not need_weights
    if causal_hint:
        attn_mask = None
    else:
        attn_mask = _canonical_mask(attn_mask, "attn_mask", None, "", query.dtype, False)
        if key_padding_mask is not None:
            is_causal = False
    if width != embed_dim_to_check:
        raise FailedAssertion(
            f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}",
            why=f"query has {width} features in its last dimension, and the layer was made for {embed_dim_to_check}",
            fix=f"use `nn.MultiheadAttention({width}, num_heads)`, or project the query to {embed_dim_to_check} "
            "features",
        )
    head = width // num_heads
    if head * num_heads != width:
        raise FailedAssertion(
            f"embed_dim {width} not divisible by num_heads {num_heads}",
            why=f"each head gets an equal share of the features, and {width} / {num_heads} is not a whole number",
            fix=f"use an embed_dim of {-(-width // num_heads) * num_heads}, or a number of heads that divides {width}",
        )
    if use_separate_proj_weight:
        if key.shape[:2] != value.shape[:2]:
            raise FailedAssertion(
                f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
                why="each key weights one value",
                fix="make key and value from the same sequence",
            )
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        for name, w in zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), weights):
            if w is None:
                raise FailedAssertion(
                    f"use_separate_proj_weight is True but {name} is None",
                    why="query, key and value are then projected with a weight of their own each",
                    fix=f"give {name}, or in_proj_weight for all three",
                )
    else:
        if key.shape != value.shape:
            raise FailedAssertion(
                f"key shape {key.shape} does not match value shape {value.shape}",
                why="each key weights one value, and both are projected with weights of the same size",
                fix="make key and value from the same sequence; for other features than the query's, use kdim= and "
                "vdim=",
            )
        if in_proj_weight is None:
            raise FailedAssertion(
                "use_separate_proj_weight is False but in_proj_weight is None",
                why="query, key and value are then projected with one joined weight",
                fix=f"give in_proj_weight of shape {(3 * width, width)}",
            )
        weights = in_proj_weight.chunk(3)
    q, k, v = _projections(query, key, value, in_proj_weight, weights, in_proj_bias)
    if attn_mask is not None:
        attn_mask = _placed_mask(attn_mask, length, source, n * num_heads)
    if bias_k is not None and bias_v is not None:
        if static_k is not None or static_v is not None:
            raise FailedAssertion(
                "bias cannot be added to static key."
                if static_k is not None
                else "bias cannot be added to static value.",
                why="a static key or value is used as it is",
                fix="leave bias_k and bias_v out, or static_k and static_v",
            )
        k, v = cat([k, bias_k.expand(1, n, width)]), cat([v, bias_v.expand(1, n, width)])
        attn_mask, key_padding_mask = _wider(attn_mask), _wider(key_padding_mask)
    else:
        if bias_k is not None or bias_v is not None:
            raise FailedAssertion(
                "bias_k must be None when bias_v is None"
                if bias_k is not None
                else "bias_v must be None when bias_k is None",
                why="one more key needs one more value",
                fix="give both or neither",
            )
    q = q.reshape(length, n * num_heads, head).transpose(0, 1)
    k = _heads(k, static_k, "static_k", n, num_heads, head)
    v = _heads(v, static_v, "static_v", n, num_heads, head)
    if add_zero_attn:
        k = cat([k, k.new_zeros((n * num_heads, 1, head))], 1)
        v = cat([v, v.new_zeros((n * num_heads, 1, head))], 1)
        attn_mask, key_padding_mask = _wider(attn_mask), _wider(key_padding_mask)
    source = k.shape[1]
    if key_padding_mask is not None:
        if tuple(key_padding_mask.shape) != (n, source):
            raise FailedAssertion(
                f"key_padding_mask must have shape ({n}, {source}), but got {tuple(key_padding_mask.shape)}",
                why=f"key has {source} elements for each of the {n} samples",
                fix="use `mask.T`"
                if tuple(key_padding_mask.shape) == (source, n)
                else f"build it with shape ({n}, {source}); True hides an element",
            )
        hidden = key_padding_mask.reshape(n, 1, 1, source).expand(n, num_heads, 1, source)
        hidden = hidden.reshape(n * num_heads, 1, source)
        attn_mask = hidden if attn_mask is None else attn_mask + hidden
    if not training:
        dropout_p = 0.0
    if need_weights:
        scores = matmul(q * math.sqrt(1.0 / head), k.mT)
        p = softmax(scores if attn_mask is None else scores + attn_mask, -1)
        if dropout_p > 0:
            p = dropout(p, dropout_p)
        out = matmul(p, v).transpose(0, 1).reshape(length * n, width)
        p = p.reshape(n, num_heads, length, source)
        if average_attn_weights:
            p = p.mean(1)
        shown = p if batched else p.squeeze(0)
    else:
        if attn_mask is not None:
            attn_mask = attn_mask.reshape(*((1, 1) if attn_mask.shape[0] == 1 else (n, num_heads)), -1, source)
        q, k, v = (t.reshape(n, num_heads, -1, head) for t in (q, k, v))
        out = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal and attn_mask is None)
        out = out.permute(2, 0, 1, 3).reshape(length * n, width)
        shown = None
    out = linear(out, out_proj_weight, out_proj_bias).reshape(length, n, -1)
    return (out if batched else out.squeeze(1)), shown


def _projections(query, key, value, packed, weights, bias):
    """Query, key and value in their own projections; one product where they are the same tensor."""
    width = query.shape[-1]
    if packed is not None and query is key and key is value and weights[0].shape == weights[2].shape:
        together = linear(query, packed, bias)
        return together.split([width, width, together.shape[-1] - 2 * width], -1)
    biases = bias.chunk(3) if bias is not None else (None, None, None)
    return tuple(linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases))


def _placed_mask(mask, length, source, heads):
    wanted = (length, source) if mask.ndim == 2 else (heads, length, source)
    if mask.ndim not in (2, 3):
        raise ShapeError(
            f"attn_mask's dimension {mask.ndim} is not supported",
            why="it is (target, source) for all heads or (batch * heads, target, source); it has shape "
            f"{tuple(mask.shape)}",
            fix=f"give a mask of shape ({length}, {source}), or ({heads}, {length}, {source})",
        )
    if tuple(mask.shape) != wanted:
        raise ShapeError(
            f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {wanted}.",
            why=f"there are {length} target and {source} source positions, and {heads} pairs of sample and head",
            fix=f"build it as `torch.zeros({length}, {source})` with -inf where attention is not allowed",
        )
    return mask.unsqueeze(0) if mask.ndim == 2 else mask


def _wider(mask: Tensor | None):
    """A mask with one more key, which nobody hides."""
    return None if mask is None else cat([mask, mask.new_zeros((*mask.shape[:-1], 1))], -1)


def _heads(t, static, name, n, num_heads, head):
    if static is None:
        return t.reshape(t.shape[0], n * num_heads, head).transpose(0, 1)
    for at, size in ((0, n * num_heads), (2, head)):
        if static.shape[at] != size:
            raise FailedAssertion(
                f"expecting {name}.size({at}) of {size}, but got {static.shape[at]}",
                why=f"there are {n} samples, {num_heads} heads and {head} features per head",
                fix=f"give it the shape (batch * heads, source, features): ({n * num_heads}, source, {head})",
            )
    return static
