"""Multi-head attention.

Vaswani et al., "Attention Is All You Need", 2017.
"""

from __future__ import annotations

from ...checks import shapes
from ...checks.log import log
from ...errors import ArgumentError, FailedAssertion
from .. import functional as F
from .. import init
from ..parameter import Parameter
from .linear import NonDynamicallyQuantizableLinear
from .module import Module
from .utils import blank

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several subspaces at once: softmax(Q Kᵀ / √d) V per head, joined by a linear map.

    Arguments:
        embed_dim: features of the query and of the result.
        num_heads: subspaces; embed_dim is divided among them.
        dropout: on the attention weights, in training. Default: 0.
        bias: learn offsets. Default: True.
        add_bias_kv: learn one more key and value. Default: False.
        add_zero_attn: add a key and a value of zeros. Default: False.
        kdim, vdim: features of key and value. Default: embed_dim.
        batch_first: batch before time. Default: False.
    Shapes: query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim)
        -> result (L, N, embed_dim), weights (N, L, S) or None

    >>> import flambeau as torch
    >>> attention, x = torch.nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(3, 5, 8)
    >>> result, weights = attention(x, x, x); weights.shape
    torch.Size([3, 5, 5])
    """

    __module__ = __name__.rpartition(".")[0] + ".activation"  # where PyTorch's pickled models look for it
    __constants__ = ["batch_first"]

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ArgumentError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and "
                f"num_heads={num_heads} instead",
                why="each head gets an equal share of the features",
                fix="use e.g. `nn.MultiheadAttention(embed_dim=64, num_heads=8)`",
            )
        kind = dict(device=device, dtype=dtype)
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = kdim if kdim is not None else embed_dim
        self.vdim = vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise FailedAssertion(
                "embed_dim must be divisible by num_heads",
                why=f"each head gets an equal share of the features, and {embed_dim} / {num_heads} is not a whole "
                "number",
                fix=f"use `embed_dim={-(-embed_dim // num_heads) * num_heads}`, or one of "
                f"{[d for d in range(1, embed_dim + 1) if embed_dim % d == 0][:12]} heads",
            )
        separate = ("q_proj_weight", embed_dim), ("k_proj_weight", self.kdim), ("v_proj_weight", self.vdim)
        if self._qkv_same_embed_dim:
            self.in_proj_weight = Parameter(blank(3 * embed_dim, embed_dim, **kind))
            for name, _ in separate:
                self.register_parameter(name, None)
        else:
            for name, features in separate:
                setattr(self, name, Parameter(blank(embed_dim, features, **kind)))
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", Parameter(blank(3 * embed_dim, **kind)) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **kind)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, Parameter(blank(1, 1, embed_dim, **kind)) if add_bias_kv else None)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self):
        if self._qkv_same_embed_dim:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def __setstate__(self, state):
        state.setdefault("_qkv_same_embed_dim", True)
        super().__setstate__(state)

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        """Attend.

        Arguments:
            key_padding_mask: (N, S), true (or -inf) at keys to leave out.
            need_weights: also return the attention weights; without them it is faster.
            attn_mask: (L, S) or (N * num_heads, L, S), true (or -inf) at pairs to leave out.
            average_attn_weights: return the mean over the heads.
            is_causal: say that attn_mask is the causal mask.
        """
        swapped = self.batch_first and query.dim() == 3
        if not swapped and query is key and log.batch is not None and log.on and query.dim() == 3:
            shapes.recurrent(self, query)
        if swapped:
            # Self-attention stays recognisable: one tensor given three times is transposed once.
            turned = {id(x): x.transpose(1, 0) for x in (query, key, value)}
            query, key, value = (turned[id(x)] for x in (query, key, value))
        separate = {}
        if not self._qkv_same_embed_dim:
            separate = dict(
                use_separate_proj_weight=True,
                q_proj_weight=self.q_proj_weight,
                k_proj_weight=self.k_proj_weight,
                v_proj_weight=self.v_proj_weight,
            )
        result, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
            **separate,
        )
        return result.transpose(1, 0) if swapped else result, weights

    def merge_masks(self, attn_mask, key_padding_mask, query):
        """Both masks as one of shape (N, heads, L, S), and its type: None, 0 (attention), 1 (padding) or 2 (both)."""
        kind, merged = None, None
        if key_padding_mask is not None:
            kind, merged = 1, key_padding_mask
        if attn_mask is not None:
            batch, length, _ = query.shape
            kind = 2
            heads = (
                attn_mask.view(1, 1, length, -1) if attn_mask.dim() == 2 else attn_mask.view(batch, -1, length, length)
            )
            merged = heads.expand(batch, self.num_heads, -1, -1)
            if key_padding_mask is not None:
                merged = merged + key_padding_mask.view(batch, 1, 1, -1).expand(-1, self.num_heads, -1, -1)
        return merged, kind
