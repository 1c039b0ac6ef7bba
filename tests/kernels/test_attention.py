"""Attention in tiles against the formula in float64: every option, odd sizes, layouts, memory, repetition."""

import tracemalloc

import numpy as np
import pytest

import flambeau as torch
from flambeau.kernels import attention as tiled
from flambeau.kernels import fused as kernels
from flambeau.kernels.build import backend

pytestmark = pytest.mark.skipif(backend() is None, reason="no LLVM here")
F = torch.nn.functional


def formula(query, key, value, g, mask=None, causal=False, keep=None, scale=1.0):
    """(result, gradients of query, key and value) of 4-dimensional arrays, in float64."""
    query, key, value, g = (a.astype(np.float64) for a in (query, key, value, g))
    groups, shape = query.shape[1] // key.shape[1], (*key.shape[:2], -1, key.shape[2])
    key, value = np.repeat(key, groups, 1), np.repeat(value, groups, 1)
    s = query @ key.swapaxes(-1, -2) * scale
    if mask is not None:
        s = np.where(mask, s, -np.inf) if mask.dtype == bool else s + mask
    if causal:
        s = np.where(np.tri(*s.shape[-2:], dtype=bool), s, -np.inf)
    top = s.max(-1, keepdims=True)
    e = np.exp(s - np.where(top == -np.inf, 0, top))
    total = e.sum(-1, keepdims=True)
    p = e / np.where(total == 0, 1, total)
    keep = 1 if keep is None else keep
    d = g @ value.swapaxes(-1, -2) * keep
    d = p * (d - (p * d).sum(-1, keepdims=True)) * scale
    d_key, d_value = d.swapaxes(-1, -2) @ query, (p * keep).swapaxes(-1, -2) @ g
    return (p * keep) @ value, d @ key, *(a.reshape(*shape, a.shape[-1]).sum(2) for a in (d_key, d_value))


def inputs(rng, dtype, batch, heads, kv, rows, keys, width, value_width):
    shapes = (
        (batch, heads, rows, width), (batch, kv, keys, width), (batch, kv, keys, value_width),
        (batch, heads, rows, value_width),
    )  # fmt: skip
    return [rng.standard_normal(s).astype(dtype) for s in shapes]


def check(arrays, mask=None, causal=False, p=0.0):
    query, key, value, g = arrays
    scale = query.shape[-1] ** -0.5
    seed = np.array([12345, 678]) if p else None
    keep = tiled.kept(seed, (*query.shape[:3], key.shape[2]), p, query.dtype) if p else None
    y, lse = tiled.attention(query, key, value, mask, seed, p, scale, causal)
    made = (y, *tiled.attention_backward(g, query, key, value, mask, seed, y, lse, p, scale, causal))
    close = 1e-5 if query.dtype == np.float32 else 1e-13
    for got, expected in zip(made, formula(query, key, value, g, mask, causal, keep, scale), strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=close, atol=close * max(1.0, np.abs(expected).max()))
    return made


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1, 1, 1, 1, 1), (2, 3, 3, 128, 128, 32, 32), (1, 2, 2, 7, 9, 5, 3), (1, 1, 1, 200, 300, 64, 64),
     (2, 4, 2, 70, 65, 80, 17), (1, 6, 1, 49, 47, 16, 33), (1, 1, 1, 300, 5, 100, 130), (9, 1, 1, 3, 130, 2, 2)],
)  # fmt: skip
def test_sizes(sizes, causal, dtype):
    check(inputs(np.random.default_rng(0), dtype, *sizes), causal=causal)


@pytest.mark.parametrize("shape", [(2, 3, 50, 70), (2, 1, 50, 70), (50, 70), (2, 1, 1, 70), (50, 1), (70,), (1, 1)])
@pytest.mark.parametrize("kind", ["bool", "float"])
@pytest.mark.parametrize("causal", [False, True])
def test_masks(shape, kind, causal):
    rng = np.random.default_rng(1)
    mask = rng.random(shape) < 0.6 if kind == "bool" else rng.standard_normal(shape).astype(np.float32)
    check(inputs(rng, np.float32, 2, 3, 3, 50, 70, 16, 16), mask, causal)


def test_rows_that_see_nothing_give_zero():
    rng = np.random.default_rng(2)
    mask = np.ones((50, 70), bool)
    mask[[0, 7, 49]] = False
    y, d_query, *rest = check(inputs(rng, np.float32, 2, 3, 3, 50, 70, 16, 16), mask)
    assert not y[:, :, [0, 7, 49]].any() and not d_query[:, :, [0, 7, 49]].any()
    assert all(np.isfinite(a).all() for a in rest)
    nothing = np.full((50, 70), -np.inf, np.float32)
    assert not any(a.any() for a in check(inputs(rng, np.float32, 2, 3, 3, 50, 70, 16, 16), nothing))


def test_nan_and_inf_stay_in_their_rows():
    rng = np.random.default_rng(3)
    query, key, value, _ = inputs(rng, np.float32, 1, 1, 1, 60, 80, 8, 8)
    query[0, 0, 5, 0], query[0, 0, 9, 0] = np.nan, np.inf
    y, _ = tiled.attention(query, key, value, None, None, 0.0, 1.0, False)
    bad = np.isnan(y[0, 0]).any(-1)
    assert bad[[5, 9]].all() and bad.sum() == 2
    query[...] = 60.0 * np.sign(key[:, :, :60])  # scores of some hundreds
    assert np.isfinite(tiled.attention(query, key * 10, value, None, None, 0.0, 1.0, False)[0]).all()


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("causal", [False, True])
def test_dropout_is_the_same_in_both_directions(p, causal):
    check(inputs(np.random.default_rng(4), np.float32, 2, 4, 2, 70, 90, 16, 24), causal=causal, p=p)


def test_dropout_keeps_the_right_share():
    seed = np.array([1, 2])
    keep = tiled.kept(seed, (4, 300, 500), 0.3, np.dtype(np.float64)) * 0.7
    assert set(np.unique(keep)) == {0.0, 1.0}
    assert abs(keep.mean() - 0.7) < 0.003
    assert np.abs(keep.mean((0, 1)) - 0.7).max() < 0.07 and np.abs(keep.mean(-1) - 0.7).max() < 0.1
    for step in (1, 2, 48):  # neighbours know nothing of each other
        assert abs(np.corrcoef(keep[..., :-step].ravel(), keep[..., step:].ravel())[0, 1]) < 0.01
        assert abs(np.corrcoef(keep[:, :-step].ravel(), keep[:, step:].ravel())[0, 1]) < 0.01
    assert (keep != tiled.kept(np.array([1, 3]), (4, 300, 500), 0.3, np.dtype(np.float64)) * 0.7).mean() > 0.4


def test_layouts_are_read_where_they_lie():
    rng = np.random.default_rng(5)
    packed = rng.standard_normal((2, 70, 3 * 4 * 16)).astype(np.float32)
    query, key, value = (
        packed[:, :, i * 64 : i * 64 + 64].reshape(2, 70, 4, 16).transpose(0, 2, 1, 3) for i in range(3)
    )
    g = rng.standard_normal((2, 70, 4, 16)).astype(np.float32).transpose(0, 2, 1, 3)
    check([query, key, value, g], causal=True)
    flipped = [a[:, :, ::-1, ::-1] for a in (query, key, value)]
    check([*flipped, np.broadcast_to(np.float32(2), g.shape)])
    check([a.swapaxes(-1, -2).copy().swapaxes(-1, -2) for a in (query, key, value, g)])
    check([query, np.broadcast_to(key[:, :, :1], key.shape), np.broadcast_to(value[:1], value.shape), g])


def test_nothing_is_written_beside_the_result(monkeypatch):
    rng = np.random.default_rng(6)
    query, key, value, g = inputs(rng, np.float32, 1, 8, 8, 53, 67, 19, 21)
    fences = []

    def fenced(a):
        batch, heads, rows, width = a.shape
        fences.append(np.full((batch, heads, rows + 4, width + 5), 7.0, np.float32))
        return fences[-1][:, :, 2:-2, 2:-3]

    y = np.empty((1, 8, 53, 21), np.float32)
    monkeypatch.setattr(tiled, "_like", fenced)
    inside, lse = tiled.attention(query, key, value, None, None, 0.0, 1.0, True, y)
    made = (inside, *tiled.attention_backward(g, query, key, value, None, None, inside, lse, 0.0, 1.0, True))
    for fence, got, want in zip(fences, made, formula(query, key, value, g, causal=True), strict=True):
        assert got.base is fence
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
        got[...] = 7.0
        assert (fence == 7.0).all()


def test_the_same_bits_every_time_with_any_number_of_threads():
    arrays = inputs(np.random.default_rng(7), np.float32, 1, 2, 1, 500, 500, 32, 32)
    first = check(arrays, causal=True, p=0.2)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        again = check(arrays, causal=True, p=0.2)
    finally:
        torch.set_num_threads(threads)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def peak(length):
    x = torch.randn(1, 2, length, 32, requires_grad=True)
    tracemalloc.start()
    F.scaled_dot_product_attention(x, x, x, dropout_p=0.1, is_causal=True).sum().backward()
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return top


def test_memory_grows_with_the_length_only():
    peak(512)  # compiles
    short, long = peak(512), peak(2048)
    assert long < 4.5 * short and long < 2048 * 2048 * 4


def test_large_and_small_problems_have_one_answer(monkeypatch):
    """The kernels, the NumPy formulas and the formula that is differentiated again agree, dropout included."""
    x = torch.randn(3, 2, 4, 9, 8, dtype=torch.float64)
    mask = torch.rand(3, 1, 1, 9, 9) < 0.7

    def run(again, threshold):
        monkeypatch.setattr(kernels, "SMALL", threshold)
        torch.manual_seed(1)
        q, k, v = (t.clone().requires_grad_() for t in (x, x[:, :, :2], x[:, :, 2:]))
        y = F.scaled_dot_product_attention(q, k, v, mask, 0.3, enable_gqa=True)
        return y, *torch.autograd.grad((y * y).sum(), (q, k, v), create_graph=again)

    first = run(False, 1)
    for again, threshold in ((False, 1 << 30), (True, 1), (True, 1 << 30)):
        assert all(torch.allclose(a, b) for a, b in zip(first, run(again, threshold), strict=True))


def test_result_lies_in_memory_as_the_query_does():
    packed = torch.randn(2, 70, 3 * 64)
    q, k, v = (t.view(2, 70, 4, 16).transpose(1, 2) for t in packed.split(64, 2))
    assert F.scaled_dot_product_attention(q, k, v).stride() == (70 * 64, 16, 64, 1)
    assert F.scaled_dot_product_attention(q.contiguous(), k, v).is_contiguous()
    assert F.scaled_dot_product_attention(q, k, v, dropout_p=0.5).is_contiguous()


def test_changing_the_result_is_noticed():
    """PyTorch's tiled kernel keeps its result too."""
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="output 0 of ScaledDotProductFlashAttentionForCpu"):
        F.scaled_dot_product_attention(x, x, x).relu_().sum().backward()


def test_several_heads_without_weights_take_the_same_way():
    torch.manual_seed(0)
    layer = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    x, hidden = torch.randn(2, 70, 32), torch.zeros(2, 70, dtype=torch.bool)
    hidden[1, 50:] = True
    with_weights = layer(x, x, x, key_padding_mask=hidden)[0]
    without = layer(x, x, x, key_padding_mask=hidden, need_weights=False)[0]
    assert torch.allclose(with_weights, without, atol=1e-5)
