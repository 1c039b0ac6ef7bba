"""Vision transformers."""

import math
from collections import OrderedDict
from functools import partial

import flambeau as fb
from flambeau import nn

from ...errors import FailedAssertion
from ._api import build, register, weights_enum

__all__ = ["VisionTransformer"]


class MLPBlock(nn.Sequential):
    """Linear, GELU, dropout, linear, dropout."""

    def __init__(self, in_dim: int, mlp_dim: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(in_dim, mlp_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(mlp_dim, in_dim), nn.Dropout(dropout)
        )
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)


class EncoderBlock(nn.Module):
    """Attention and MLP, each after a normalisation and around a skip connection."""

    def __init__(self, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.ln_1 = norm_layer(hidden_dim)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = norm_layer(hidden_dim)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, input):
        x = self.ln_1(input)  # (N, S, E)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = self.dropout(x) + input
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """Position embedding and the blocks."""

    def __init__(
        self, seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
    ) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(fb.empty(1, seq_length, hidden_dim).normal_(std=0.02))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.Sequential(
            OrderedDict(
                (
                    f"encoder_layer_{k}",
                    EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer),
                )
                for k in range(num_layers)
            )
        )
        self.ln = norm_layer(hidden_dim)

    def forward(self, input):
        return self.ln(self.layers(self.dropout(input + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """ViT (Dosovitskiy et al. 2020, https://arxiv.org/abs/2010.11929).

    Arguments:
        image_size, patch_size: side of the image, and of the squares it is cut into.
        num_layers, num_heads, hidden_dim, mlp_dim: of the encoder.
        representation_size: width of an extra layer before the classifier.

    Shapes: (N, 3, image_size, image_size) -> (N, num_classes)

    >>> import flambeau as torch
    >>> from flambeau.vision.models import VisionTransformer
    >>> VisionTransformer(8, 4, 1, 2, 16, 32, num_classes=10)(torch.zeros(1, 3, 8, 8)).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        representation_size: int | None = None,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise FailedAssertion(
                "Input shape indivisible by patch size!",
                why=f"{image_size} pixels are divided into patches of {patch_size}, and {image_size % patch_size} "
                "would be left",
                fix=f"use `image_size={image_size - image_size % patch_size}`",
            )
        self.image_size, self.patch_size, self.hidden_dim, self.mlp_dim = image_size, patch_size, hidden_dim, mlp_dim
        self.attention_dropout, self.dropout = attention_dropout, dropout
        self.num_classes, self.representation_size, self.norm_layer = num_classes, representation_size, norm_layer
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(fb.zeros(1, 1, hidden_dim))
        self.seq_length = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(
            self.seq_length, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout, norm_layer
        )
        heads: OrderedDict[str, nn.Module] = OrderedDict()
        if representation_size is None:
            heads["head"] = nn.Linear(hidden_dim, num_classes)
        else:
            heads["pre_logits"] = nn.Linear(hidden_dim, representation_size)
            heads["act"] = nn.Tanh()
            heads["head"] = nn.Linear(representation_size, num_classes)
        self.heads = nn.Sequential(heads)

        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (3 * patch_size**2)))
        nn.init.zeros_(self.conv_proj.bias)
        if representation_size is not None:
            nn.init.trunc_normal_(heads["pre_logits"].weight, std=math.sqrt(1 / hidden_dim))
            nn.init.zeros_(heads["pre_logits"].bias)
        nn.init.zeros_(heads["head"].weight)
        nn.init.zeros_(heads["head"].bias)

    def forward(self, x):
        n, _, h, w = x.shape
        if h != self.image_size or w != self.image_size:
            raise FailedAssertion(
                f"Wrong image height! Expected {self.image_size} but got {h}!"
                if h != self.image_size
                else f"Wrong image width! Expected {self.image_size} but got {w}!",
                why="there is one learned position for each patch of an image of that size",
                fix=f"resize the images to ({self.image_size}, {self.image_size})",
            )
        x = self.conv_proj(x).flatten(2).permute(0, 2, 1)  # (N, patches, E)
        x = fb.cat([self.class_token.expand(n, -1, -1), x], dim=1)
        return self.heads(self.encoder(x)[:, 0])


def _vit(name: str, patch: int, layers: int, heads: int, hidden: int, mlp: int, files: dict[str, str]):
    enum = "ViT_" + name[4:].upper() + "_Weights"
    published = weights_enum(enum, files)

    def make(image_size: int = 224, **options) -> VisionTransformer:
        return VisionTransformer(image_size, patch, layers, heads, hidden, mlp, **options)

    def builder(*, weights=None, progress: bool = True, **kwargs) -> VisionTransformer:
        return build(make, weights, kwargs, published)

    builder.__name__ = builder.__qualname__ = make.__name__ = name
    builder.__doc__ = f"ViT with {layers} layers on patches of {patch} x {patch}; see `VisionTransformer`."
    builder.weights = published  # type: ignore[attr-defined]
    globals()[enum] = published
    __all__.extend([name, enum])
    return register(builder)


vit_b_16 = _vit("vit_b_16", 16, 12, 12, 768, 3072, {"IMAGENET1K_V1": "vit_b_16-c867db91.pth"})
vit_b_32 = _vit("vit_b_32", 32, 12, 12, 768, 3072, {"IMAGENET1K_V1": "vit_b_32-d86f8d99.pth"})
vit_l_16 = _vit("vit_l_16", 16, 24, 16, 1024, 4096, {"IMAGENET1K_V1": "vit_l_16-852ce7e3.pth"})
vit_l_32 = _vit("vit_l_32", 32, 24, 16, 1024, 4096, {"IMAGENET1K_V1": "vit_l_32-c7638314.pth"})
vit_h_14 = _vit("vit_h_14", 14, 32, 16, 1280, 5120, {"IMAGENET1K_SWAG_E2E_V1": "vit_h_14_swag-80465313.pth"})
