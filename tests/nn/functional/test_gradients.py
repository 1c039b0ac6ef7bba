"""Gradients of the functions against finite differences, first and second order, in double precision."""

import numpy as np
import pytest

import flambeau as torch

F = torch.nn.functional
RNG = np.random.default_rng(7)


def real(*shape, low=-1.5, high=1.5):
    """Distinct numbers, so that no maximum is a tie and no number sits on a kink."""
    count = int(np.prod(shape))
    values = np.linspace(low, high, count) + 0.013
    return torch.from_numpy(RNG.permutation(values).reshape(shape)).requires_grad_()


def fixed(array):
    return torch.from_numpy(np.asarray(array))


CLASSES = fixed([1, 0, 3, -100])
SIGNS = fixed([1.0, -1.0, 1.0, -1.0])
MASK = fixed(RNG.random((3, 5)) > 0.3)
WEIGHT = fixed([0.5, 1.0, 2.0, 1.5, 0.7])
LABELS = fixed([[1, 0, -1], [2, -1, 0]])
IMAGE = (1, 2, 4, 5)

SMOOTH = {
    "linear": (F.linear, [(2, 3, 4), (5, 4), (5,)]),
    "bilinear": (F.bilinear, [(3, 2), (3, 4), (5, 2, 4), (5,)]),
    "silu": (F.silu, [(3, 4)]),
    "mish": (F.mish, [(3, 4)]),
    "gelu": (F.gelu, [(3, 4)]),
    "gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), [(3, 4)]),
    "softplus": (lambda x: F.softplus(x, beta=2.0, threshold=1.7), [(3, 4)]),
    "logsigmoid": (F.logsigmoid, [(3, 4)]),
    "softsign": (F.softsign, [(3, 4)]),
    "tanhshrink": (F.tanhshrink, [(3, 4)]),
    "elu": (lambda x: F.elu(x, 0.7), [(3, 4)]),
    "selu": (F.selu, [(3, 4)]),
    "celu": (lambda x: F.celu(x, 0.7), [(3, 4)]),
    "glu": (F.glu, [(3, 4)]),
    "softmax": (lambda x: F.softmax(x, 1), [(2, 3, 4)]),
    "softmin": (lambda x: F.softmin(x, 0), [(3, 4)]),
    "log_softmax": (lambda x: F.log_softmax(x, -1), [(2, 3, 4)]),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (3, 4), w, b), [(2, 3, 4), (3, 4), (3, 4)]),
    "rms_norm": (lambda x, w: F.rms_norm(x, (4,), w), [(3, 4), (4,)]),
    "group_norm": (lambda x, w, b: F.group_norm(x, 2, w, b), [(2, 4, 3), (4,), (4,)]),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [(4, 3), (3,), (3,)]),
    "batch_norm 4-D": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [(2, 3, 2, 2), (3,), (3,)]),
    "instance_norm": (lambda x, w, b: F.instance_norm(x, None, None, w, b), [(2, 3, 4), (3,), (3,)]),
    "local_response_norm": (lambda x: F.local_response_norm(x, 3), [(2, 4, 3)]),
    "normalize": (F.normalize, [(3, 4)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, CLASSES), [(4, 5)]),
    "cross_entropy weighted": (lambda x: F.cross_entropy(x, CLASSES, WEIGHT, label_smoothing=0.2), [(4, 5)]),
    "cross_entropy sum": (lambda x: F.cross_entropy(x, CLASSES, reduction="sum", label_smoothing=0.2), [(4, 5)]),
    "cross_entropy none": (lambda x: F.cross_entropy(x, CLASSES, WEIGHT, reduction="none"), [(4, 5)]),
    "cross_entropy images": (lambda x: F.cross_entropy(x, CLASSES[:3].reshape(1, 3) % 4, WEIGHT[:4]), [(1, 4, 3)]),
    "nll_loss": (lambda x: F.nll_loss(x, CLASSES, WEIGHT), [(4, 5)]),
    "mse_loss": (F.mse_loss, [(3, 4), (3, 4)]),
    "huber_loss": (lambda x, y: F.huber_loss(x, y, delta=0.8), [(3, 4), (3, 4)]),
    "smooth_l1_loss": (lambda x, y: F.smooth_l1_loss(x, y, beta=0.8, reduction="sum"), [(3, 4), (3, 4)]),
    "bce_with_logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, (x.detach() > 0).double(), pos_weight=WEIGHT[:4]), [(3, 4)]),
    "soft_margin_loss": (lambda x: F.soft_margin_loss(x, SIGNS), [(4,)]),
    "cosine_similarity": (F.cosine_similarity, [(3, 4), (3, 4)]),
    "cosine_embedding_loss": (lambda x, y: F.cosine_embedding_loss(x, y, SIGNS, -0.3), [(4, 3), (4, 3)]),
    "pairwise_distance": (F.pairwise_distance, [(3, 4), (3, 4)]),
    "pdist": (F.pdist, [(4, 3)]),
    "triplet_margin_loss": (F.triplet_margin_loss, [(4, 3), (4, 3), (4, 3)]),
    "kl_div": (lambda x: F.kl_div(x, WEIGHT.expand(3, 5), reduction="batchmean"), [(3, 5)]),
    "poisson_nll_loss": (lambda x: F.poisson_nll_loss(x, WEIGHT.expand(3, 5) * 3, full=True), [(3, 5)]),
    "attention": (F.scaled_dot_product_attention, [(2, 3, 4), (2, 5, 4), (2, 5, 2)]),
    "attention causal": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), [(2, 3, 4), (2, 3, 4), (2, 3, 2)]),
    "attention masked": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, MASK), [(2, 3, 4), (2, 5, 4), (2, 5, 2)]),
    "attention biased": (F.scaled_dot_product_attention, [(2, 3, 4), (2, 5, 4), (2, 5, 2), (3, 5)]),
    "interpolate bicubic": (lambda x: F.interpolate(x, (6, 3), mode="bicubic"), [IMAGE]),
    "lp_pool2d": (lambda x: F.lp_pool2d(x, 2, 2), [(1, 2, 4, 4)]),
}  # fmt: skip

KINKED = {
    "relu": (F.relu, [(3, 4)]),
    "relu6": (lambda x: F.relu6(x * 5), [(3, 4)]),
    "leaky_relu": (F.leaky_relu, [(3, 4)]),
    "prelu": (F.prelu, [(2, 3, 2), (3,)]),
    "hardtanh": (F.hardtanh, [(3, 4)]),
    "hardswish": (lambda x: F.hardswish(x * 3), [(3, 4)]),
    "hardsigmoid": (lambda x: F.hardsigmoid(x * 3), [(3, 4)]),
    "hardshrink": (F.hardshrink, [(3, 4)]),
    "softshrink": (F.softshrink, [(3, 4)]),
    "threshold": (lambda x: F.threshold(x, 0.3, 2.0), [(3, 4)]),
    "l1_loss": (F.l1_loss, [(3, 4), (3, 4)]),
    "hinge_embedding_loss": (lambda x: F.hinge_embedding_loss(x, SIGNS), [(4,)]),
    "margin_ranking_loss": (lambda x, y: F.margin_ranking_loss(x, y, SIGNS, 0.2), [(4,), (4,)]),
    "multi_margin_loss": (lambda x: F.multi_margin_loss(x, CLASSES % 3, p=2), [(4, 3)]),
    "multilabel_margin_loss": (lambda x: F.multilabel_margin_loss(x, LABELS), [(2, 3)]),
    "max_pool1d": (lambda x: F.max_pool1d(x, 3, 1, 1, 2), [(2, 3, 8)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), [(1, 2, 6, 6)]),
    "max_pool3d": (lambda x: F.max_pool3d(x, 2), [(1, 1, 4, 4, 4)]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), [(1, 2, 6, 5)]),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), [(1, 2, 7, 6)]),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, (3, 2)), [(1, 2, 7, 6)]),
    "embedding": (lambda w: F.embedding(CLASSES[:3], w), [(5, 3)]),
    "embedding_bag": (lambda w: F.embedding_bag(CLASSES[:2].expand(2, 2), w), [(5, 3)]),
    "embedding_bag max": (lambda w: F.embedding_bag(CLASSES[:2].expand(2, 2), w, mode="max"), [(5, 3)]),
    "pad": (lambda x: F.pad(x, (1, -1, 2, 0), value=3.0), [IMAGE]),
    "pad reflect": (lambda x: F.pad(x, (1, 2, 2, 0), "reflect"), [IMAGE]),
    "pad replicate": (lambda x: F.pad(x, (1, 2, -1, 0), "replicate"), [IMAGE]),
    "pad circular": (lambda x: F.pad(x, (1, 2, 2, 0), "circular"), [IMAGE]),
    "interpolate nearest": (lambda x: F.interpolate(x, scale_factor=1.5), [IMAGE]),
    "interpolate bilinear": (lambda x: F.interpolate(x, (6, 7), mode="bilinear", antialias=True), [IMAGE]),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), [(1, 4, 2, 3)]),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(x, 2), [(1, 1, 4, 6)]),
    "affine_grid": (lambda t: F.affine_grid(t, (2, 1, 3, 4), False), [(2, 2, 3)]),
}


@pytest.mark.parametrize("name", SMOOTH | KINKED)
def test_first_order(name):
    function, shapes = (SMOOTH | KINKED)[name]
    assert torch.autograd.gradcheck(function, tuple(real(*s) for s in shapes))


@pytest.mark.parametrize("name", SMOOTH)
def test_second_order(name):
    function, shapes = SMOOTH[name]
    assert torch.autograd.gradgradcheck(function, tuple(real(*s) for s in shapes), atol=1e-4)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align", [True, False])
def test_grid_sample(mode, padding, align):
    grid = fixed(np.random.default_rng(3).uniform(-1.4, 1.4, (1, 3, 2, 2))).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, g: F.grid_sample(x, g, mode, padding, align), (real(1, 2, 4, 5), grid))


def test_probabilities():
    x, t = real(3, 4, low=0.1, high=0.9), real(3, 4, low=0.1, high=0.9)
    assert torch.autograd.gradcheck(F.binary_cross_entropy, (x, t))
    assert torch.autograd.gradgradcheck(lambda x: F.binary_cross_entropy(x, t.detach()), (x,), atol=1e-3)
    inputs = (real(4), real(4, low=0.1))
    assert torch.autograd.gradcheck(lambda x, v: F.gaussian_nll_loss(x, SIGNS, v, full=True), inputs)


def test_unpooling():
    x = real(1, 2, 4, 4)
    _, places = F.max_pool2d(x.detach(), 2, return_indices=True)
    assert torch.autograd.gradcheck(lambda v: F.max_unpool2d(v, places, 2), (real(1, 2, 2, 2),))


def test_ctc():
    def loss(x):
        return F.ctc_loss(F.log_softmax(x, 2), fixed([[1, 2, 2], [3, 1, 0]]), (6, 5), (3, 2), reduction="none")

    assert torch.autograd.gradcheck(loss, (real(6, 2, 4),))


@pytest.mark.parametrize("need", [True, False])
def test_attention_heads(need):
    def heads(x, w, b, o):
        return F.multi_head_attention_forward(
            x, x, x, 4, 2, w, b, None, None, False, 0.0, o, None, need_weights=need
        )[0]  # fmt: skip

    assert torch.autograd.gradcheck(heads, (real(3, 2, 4), real(12, 4), real(12), real(4, 4)))
