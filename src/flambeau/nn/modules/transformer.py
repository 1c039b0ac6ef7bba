"""The transformer: stacks of attention and feed-forward layers.

Vaswani et al., "Attention Is All You Need", 2017.
"""

from __future__ import annotations

import copy

from ... import ops
from ...dtypes import bool as bool_
from ...dtypes import get_default_dtype
from ...errors import FailedAssertion, ShapeError
from ...kernels.record import listener, listeners
from .. import functional as F
from ..init import xavier_uniform_
from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]


def _generate_square_subsequent_mask(sz, device=None, dtype=None):
    """The mask that lets each position see only those before it: 0 below the diagonal, -inf above."""
    dtype = get_default_dtype() if dtype is None else dtype
    return ops.full((sz, sz), float("-inf"), dtype=dtype, device=device).triu(diagonal=1)


def _detect_is_causal_mask(mask, is_causal=None, size=None):
    """Whether a mask is the causal one: as told, or else by comparing."""
    if is_causal is not None or mask is None:
        return is_causal is True
    if listeners and listener() is not None:
        return False  # the mask itself says the same; a compiled step could not ask what is in it
    size = size if size is not None else mask.size(-2)
    causal = _generate_square_subsequent_mask(size, mask.device, mask.dtype)
    return mask.size() == causal.size() and bool((mask == causal).all())


def _length(x, batch_first):
    """The number of time steps of (N, L, E), (L, N, E) or (L, E)."""
    if x.dim() == 2:
        return x.size(0)
    return x.size(1 if batch_first else 0)


def _activation(activation):
    if isinstance(activation, str):
        if activation not in ("relu", "gelu"):
            raise ShapeError(
                f"activation should be relu/gelu, not {activation}",
                why="it is applied between the two linear layers of the feedforward block",
                fix='use `activation="relu"`, or give the function itself: `activation=F.silu`',
            )
        return F.relu if activation == "relu" else F.gelu
    return activation


def _get_clones(module, n):
    return ModuleList([copy.deepcopy(module) for _ in range(n)])


class _Stack(Module):
    """Copies of one layer on top of each other."""

    __constants__ = ["norm"]

    def __init__(self, layer, num_layers, norm=None):
        super().__init__()
        self.layers = _get_clones(layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm


class TransformerEncoder(_Stack):
    """A stack of encoder layers.

    Arguments:
        encoder_layer: the layer to copy; the copies start from the same weights.
        num_layers: how many.
        norm: a normalisation of the result.
        enable_nested_tensor, mask_check: accepted; padding is masked, not removed.

    >>> import flambeau as torch
    >>> layer = torch.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)
    >>> torch.nn.TransformerEncoder(layer, 2)(torch.randn(3, 5, 16)).shape
    torch.Size([3, 5, 16])
    """

    def __init__(self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True):
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = False
        self.mask_check = mask_check

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        """Encode.

        Arguments:
            mask: (L, L), true (or -inf) at pairs to leave out.
            src_key_padding_mask: (N, L), true (or -inf) at padding.
            is_causal: whether mask is the causal one; None to find out.
        """
        src_key_padding_mask = _as_float_mask(src_key_padding_mask, src, "src_key_padding_mask")
        mask = _as_float_mask(mask, src, "mask")
        causal = _detect_is_causal_mask(mask, is_causal, _length(src, self.layers[0].self_attn.batch_first))
        for layer in self.layers:
            src = layer(src, src_mask=mask, is_causal=causal, src_key_padding_mask=src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(_Stack):
    """A stack of decoder layers; arguments as for `TransformerEncoder`.

    Shapes: (T, N, E) with memory (S, N, E) -> (T, N, E); the batch first if the layers say so

    >>> import flambeau as torch
    >>> decoder = torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(8, 2), num_layers=2)
    >>> decoder(torch.rand(5, 1, 8), torch.rand(7, 1, 8)).shape
    torch.Size([5, 1, 8])
    """

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        """Decode `tgt`, looking at the encoder's result `memory`."""
        causal = _detect_is_causal_mask(tgt_mask, tgt_is_causal, _length(tgt, self.layers[0].self_attn.batch_first))
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


def _as_float_mask(mask, like, name):
    """A mask of booleans (true: leave out) as one that is added: -inf or 0. None stays None."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != bool_:
        raise FailedAssertion(
            f"only bool and floating types of {name} are supported",
            why=f"it is {mask.dtype.name}; a mask either says what to hide (bool) or is added to the scores",
            fix="use `mask.bool()`, where True hides a position",
        )
    return ops.zeros_like(mask, dtype=like.dtype).masked_fill_(mask, float("-inf"))


class TransformerEncoderLayer(Module):
    """Self-attention, then a feed-forward network, each with a residual connection and a normalisation.

    Arguments:
        d_model: features.
        nhead: attention heads.
        dim_feedforward: hidden features of the feed-forward network. Default: 2048.
        dropout: everywhere. Default: 0.1.
        activation: 'relu', 'gelu' or a function.
        layer_norm_eps: of the normalisations.
        batch_first: batch before time. Default: False.
        norm_first: normalise before attention and network instead of after. Default: False.
        bias: learn offsets. Default: True.

    >>> import flambeau as torch
    >>> torch.nn.TransformerEncoderLayer(16, 4, 32)(torch.randn(5, 3, 16)).shape
    torch.Size([5, 3, 16])
    """

    __constants__ = ["norm_first"]

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        kind = dict(device=device, dtype=dtype)
        super().__init__()
        self.self_attn = MultiheadAttention(d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **kind)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **kind)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **kind)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = _activation(activation)

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("activation", F.relu)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        src_key_padding_mask = _as_float_mask(src_key_padding_mask, src, "src_key_padding_mask")
        src_mask = _as_float_mask(src_mask, src, "src_mask")
        x = src
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), src_mask, src_key_padding_mask, is_causal=is_causal)
            return x + self._ff_block(self.norm2(x))
        x = self.norm1(x + self._sa_block(x, src_mask, src_key_padding_mask, is_causal=is_causal))
        return self.norm2(x + self._ff_block(x))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        x, _ = self.self_attn(
            x,
            x,
            x,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            need_weights=False,
            is_causal=is_causal,
        )
        return self.dropout1(x)

    def _ff_block(self, x):
        return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class TransformerDecoderLayer(Module):
    """Self-attention, attention to the encoder's result, then a feed-forward network.

    Arguments as for `TransformerEncoderLayer`.

    >>> import flambeau as torch
    >>> layer = torch.nn.TransformerDecoderLayer(16, 4, 32)
    >>> layer(torch.randn(7, 3, 16), torch.randn(5, 3, 16)).shape
    torch.Size([7, 3, 16])
    """

    __constants__ = ["norm_first"]

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        kind = dict(device=device, dtype=dtype)
        attention = dict(dropout=dropout, batch_first=batch_first, bias=bias, **kind)
        super().__init__()
        self.self_attn = MultiheadAttention(d_model, nhead, **attention)
        self.multihead_attn = MultiheadAttention(d_model, nhead, **attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **kind)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **kind)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)
        self.norm2 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)
        self.norm3 = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(activation)

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("activation", F.relu)

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=False,
        memory_is_causal=False,
    ):
        own = tgt_mask, tgt_key_padding_mask, tgt_is_causal
        other = memory_mask, memory_key_padding_mask, memory_is_causal
        x = tgt
        if self.norm_first:
            x = x + self._sa_block(self.norm1(x), *own)
            x = x + self._mha_block(self.norm2(x), memory, *other)
            return x + self._ff_block(self.norm3(x))
        x = self.norm1(x + self._sa_block(x, *own))
        x = self.norm2(x + self._mha_block(x, memory, *other))
        return self.norm3(x + self._ff_block(x))

    def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
        x, _ = self.self_attn(
            x,
            x,
            x,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            is_causal=is_causal,
            need_weights=False,
        )
        return self.dropout1(x)

    def _mha_block(self, x, mem, attn_mask, key_padding_mask, is_causal=False):
        x, _ = self.multihead_attn(
            x,
            mem,
            mem,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            is_causal=is_causal,
            need_weights=False,
        )
        return self.dropout2(x)

    def _ff_block(self, x):
        return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))


class Transformer(Module):
    """Encoder and decoder.

    Arguments:
        d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias: as for
            `TransformerEncoderLayer`.
        num_encoder_layers, num_decoder_layers: heights of the stacks. Default: 6.
        custom_encoder, custom_decoder: modules to use instead.

    >>> import flambeau as torch
    >>> model = torch.nn.Transformer(16, 4, 2, 2, 32)
    >>> model(torch.randn(10, 3, 16), torch.randn(20, 3, 16)).shape
    torch.Size([20, 3, 16])
    """

    def __init__(
        self,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        custom_encoder=None,
        custom_decoder=None,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        kind = dict(device=device, dtype=dtype)
        layer = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)
        super().__init__()
        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            one = TransformerEncoderLayer(*layer, **kind)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)
            self.encoder = TransformerEncoder(one, num_encoder_layers, norm)
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            one = TransformerDecoderLayer(*layer, **kind)
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kind)
            self.decoder = TransformerDecoder(one, num_decoder_layers, norm)
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def forward(
        self,
        src,
        tgt,
        src_mask=None,
        tgt_mask=None,
        memory_mask=None,
        src_key_padding_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        src_is_causal=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        """Encode `src`, and decode `tgt` looking at the result."""
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.size(batch) != tgt.size(batch):
            raise ShapeError(
                "the batch number of src and tgt must be equal",
                why=f"src has {src.size(batch)} samples and tgt {tgt.size(batch)}, in dimension {batch}",
                fix="give one target per source; with batch first, use `batch_first=True`",
            )
        if src.size(-1) != self.d_model or tgt.size(-1) != self.d_model:
            raise ShapeError(
                "the feature number of src and tgt must be equal to d_model",
                why=f"src has {src.size(-1)} features, tgt {tgt.size(-1)}, and d_model is {self.d_model}",
                fix=f"project them to {self.d_model} features, e.g. with `nn.Linear` or `nn.Embedding`",
            )
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        """The causal mask: 0 on and below the diagonal, -inf above.

        >>> import flambeau as torch
        >>> torch.nn.Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        return _generate_square_subsequent_mask(sz, device, dtype)

    def _reset_parameters(self):
        for p in self.parameters():
            if p.dim() > 1:
                xavier_uniform_(p)
