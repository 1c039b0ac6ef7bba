"""MultiheadAttention and the transformer: masks, options, recorded values, state."""

import copy

import pytest

import flambeau as torch
from flambeau import nn


def encoder(**options):
    torch.manual_seed(5)
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, **options), 2)


def test_recorded_values():
    """PyTorch's numbers for the same seed."""
    model = encoder()
    x = torch.randn(5, 2, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    assert torch.allclose(model(x, mask=mask)[3, 1], torch.tensor(CAUSAL), atol=1e-4)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    assert torch.allclose(model(x, src_key_padding_mask=padding)[2, 1], torch.tensor(PADDED), atol=1e-4)


CAUSAL = [0.12163, 1.58749, 0.8509, 0.34884, -1.38912, 0.52276, -1.42774, -0.61475]
PADDED = [0.99638, -0.7167, 0.97192, 0.91869, -1.09874, -1.74727, 0.00896, 0.66676]


def test_causal_mask_hides_the_future():
    model = encoder()
    x = torch.randn(5, 2, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    later = torch.cat([x[:3], torch.randn(2, 2, 8)])
    assert torch.allclose(model(x, mask=mask)[:3], model(later, mask=mask)[:3], atol=1e-6)
    assert torch.allclose(model(x, mask=mask, is_causal=True), model(x, mask=mask), atol=1e-6)
    boolean = torch.ones(5, 5, dtype=torch.bool).triu(1)
    assert torch.allclose(model(x, mask=boolean), model(x, mask=mask), atol=1e-6)


def test_padding_mask_equals_shorter_input():
    model = encoder(batch_first=True)
    x = torch.randn(1, 5, 8)
    padding = torch.tensor([[False, False, False, True, True]])
    assert torch.allclose(model(x, src_key_padding_mask=padding)[:, :3], model(x[:, :3]), atol=1e-6)


def test_batch_first_and_unbatched_agree():
    one, two = encoder(), encoder(batch_first=True)
    x = torch.randn(5, 2, 8)
    assert torch.allclose(one(x), two(x.transpose(0, 1)).transpose(0, 1), atol=1e-6)
    assert torch.allclose(one(x)[:, 0], one(x[:, 0]), atol=1e-6)


@pytest.mark.parametrize("options", [{"norm_first": True}, {"activation": "gelu"}, {"bias": False}])
def test_options_change_the_layer(options):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, **options)
    out = layer(torch.randn(4, 3, 8))
    out.sum().backward()
    assert out.shape == (4, 3, 8) and all(p.grad is not None for p in layer.parameters())
    assert ("linear1.bias" in layer.state_dict()) is ("bias" not in options)


def test_copies_in_a_stack_start_equal_and_are_their_own():
    model = encoder()
    assert torch.equal(model.layers[0].linear1.weight, model.layers[1].linear1.weight)
    assert model.layers[0].linear1.weight is not model.layers[1].linear1.weight


def test_attention_against_its_formula():
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2)
    q, kv = torch.randn(3, 2, 8), torch.randn(4, 2, 8)
    result, weights = attention(q, kv, kv, average_attn_weights=False)
    w, b = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    heads = lambda x, i: (x @ w[i].T + b[i]).reshape(len(x), 2, 2, 4).permute(1, 2, 0, 3)
    query, key, value = heads(q, 0), heads(kv, 1), heads(kv, 2)
    expected = (query @ key.transpose(-1, -2) / 2).softmax(-1)
    assert torch.allclose(weights, expected, atol=1e-6)
    joined = (expected @ value).permute(2, 0, 1, 3).reshape(3, 2, 8)
    assert torch.allclose(result, attention.out_proj(joined), atol=1e-6)
    assert torch.allclose(attention(q, kv, kv, need_weights=False)[0], result, atol=1e-6)


def test_attention_with_other_sizes_and_additions():
    attention = nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, kdim=4, vdim=6)
    result, weights = attention(torch.randn(3, 2, 8), torch.randn(5, 2, 4), torch.randn(5, 2, 6))
    assert result.shape == (3, 2, 8) and weights.shape == (2, 3, 7)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3), atol=1e-5)
    masked = attention(torch.randn(3, 2, 8), torch.randn(5, 2, 4), torch.randn(5, 2, 6),
                       key_padding_mask=torch.tensor([[False] * 5, [True] * 5]))[1]  # fmt: skip
    assert masked[1, :, :5].abs().sum() == 0


def test_decoder_and_transformer():
    torch.manual_seed(1)
    model = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)
    src, tgt = torch.randn(2, 4, 8), torch.randn(2, 3, 8)
    out = model(src, tgt, tgt_mask=model.generate_square_subsequent_mask(3))
    changed = tgt.clone()
    changed[:, 2] = 0
    again = model(src, changed, tgt_mask=model.generate_square_subsequent_mask(3))
    assert torch.allclose(out[:, :2], again[:, :2], atol=1e-6) and not torch.allclose(out[:, 2], again[:, 2])
    assert torch.equal(copy.deepcopy(model)(src, tgt), model(src, tgt))
    with pytest.raises(RuntimeError, match="the batch number of src and tgt must be equal"):
        model(src, tgt[:1])
    with pytest.raises(RuntimeError, match="the feature number of src and tgt must be equal to d_model"):
        model(src[..., :4], tgt)


def test_mask_values():
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    inf = float("inf")
    assert mask.tolist() == [[0, -inf, -inf], [0, 0, -inf], [0, 0, 0]]


def test_choice_of_backend():
    from flambeau.nn.attention import SDPBackend, _cur_sdpa_kernel_backends, sdpa_kernel

    before = _cur_sdpa_kernel_backends()
    with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION], set_priority=True):
        assert _cur_sdpa_kernel_backends() == [SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]
    assert _cur_sdpa_kernel_backends() == before
    with pytest.raises(AssertionError, match="Backend must be an instance of SDPBackend"):
        with sdpa_kernel(3):
            pass
