"""What values and gradients do not show: statistics, in-place flags, random draws, old arguments, devices, 16 bits."""

import warnings

import numpy as np
import pytest

import flambeau as torch

F = torch.nn.functional


def test_batch_norm_updates_running_statistics():
    x = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    mean, var = torch.zeros(2), torch.ones(2)
    F.batch_norm(x, mean, var, training=True, momentum=0.5)
    np.testing.assert_allclose(mean.numpy(), [1.0, 2.0])
    np.testing.assert_allclose(var.numpy(), [1.5, 4.5])  # unbiased: 2 and 8
    before = mean.clone()
    F.batch_norm(x, mean, var)
    assert torch.equal(mean, before)


def test_instance_norm_updates_running_statistics():
    x = torch.arange(12.0).reshape(2, 2, 3)
    mean, var = torch.zeros(2), torch.ones(2)
    F.instance_norm(x, mean, var, momentum=1.0)
    np.testing.assert_allclose(mean.numpy(), [4.0, 7.0])
    np.testing.assert_allclose(var.numpy(), [1.0, 1.0])


@pytest.mark.parametrize("name", ["relu", "relu6", "silu", "mish", "elu", "selu", "celu", "leaky_relu", "hardtanh",
                                  "hardswish", "hardsigmoid"])  # fmt: skip
def test_in_place(name):
    f = getattr(F, name)
    x = torch.linspace(-2, 2, 9)
    expected = f(x)
    assert torch.equal(x, torch.linspace(-2, 2, 9))
    assert f(x, inplace=True) is x
    assert torch.equal(x, expected)


def test_in_place_gradient():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    y = x * 3
    F.leaky_relu(y, 0.5, inplace=True)
    y.sum().backward()
    assert x.grad.tolist() == [1.5, 3.0]
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        F.relu(x, inplace=True)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "group_norm", "max_pool", "linear", "losses"])
def test_relu_in_place_after_a_layer(name):
    layers = {
        "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
        "layer_norm": lambda x: F.layer_norm(x, (4,)),
        "group_norm": lambda x: F.group_norm(x, 3),
        "max_pool": lambda x: F.max_pool2d(x, 2),
        "linear": lambda x: F.linear(x, torch.ones(2, 4)),
        "losses": lambda x: F.cross_entropy(x, torch.zeros(2, 4, 4, dtype=torch.int64), reduction="none"),
    }
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    F.relu(layers[name](x)).sum().backward()
    expected, x.grad = x.grad, None
    F.relu(layers[name](x), inplace=True).sum().backward()
    assert torch.equal(x.grad, expected)


def test_dropout_draws():
    torch.manual_seed(0)
    x = torch.ones(20000, requires_grad=True)
    y = F.dropout(x, 0.25)
    assert sorted(set(y.tolist())) == pytest.approx([0.0, 4 / 3])
    assert abs(y.mean().item() - 1) < 0.02
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    torch.manual_seed(0)
    assert torch.equal(F.dropout(torch.ones(20000), 0.25), y.detach())
    assert torch.equal(F.dropout(x, 0.25, training=False), x)
    assert F.dropout(x, 1.0).abs().sum() == 0


def test_channel_dropout_drops_channels_whole():
    torch.manual_seed(1)
    y = F.dropout2d(torch.ones(8, 16, 3, 3))
    flat = y.reshape(8 * 16, 9)
    assert torch.equal(flat.amin(1), flat.amax(1))
    assert 0 < (flat[:, 0] == 0).sum() < 8 * 16


def test_alpha_dropout_keeps_mean_and_variance():
    torch.manual_seed(2)
    y = F.alpha_dropout(torch.randn(40000), 0.3, training=True)
    assert abs(y.mean().item()) < 0.03
    assert abs(y.std().item() - 1) < 0.03


def test_gumbel_softmax():
    torch.manual_seed(3)
    logits = torch.zeros(100, 4, requires_grad=True)
    hard = F.gumbel_softmax(logits, hard=True)
    assert torch.equal(hard.detach().sum(-1), torch.ones(100))
    assert sorted(set(hard.detach().round().flatten().tolist())) == [0.0, 1.0]
    (hard * torch.arange(4.0)).sum().backward()
    assert logits.grad.abs().sum() > 0


def test_old_reduction_arguments():
    x, y = torch.ones(2, 2), torch.zeros(2, 2)
    with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
        assert F.mse_loss(x, y, size_average=False) == 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert F.mse_loss(x, y, reduce=False).shape == (2, 2)


def test_unequal_shapes_warn():
    with pytest.warns(UserWarning, match="different to the input size"):
        F.mse_loss(torch.ones(3, 1), torch.ones(3))


def test_softmax_without_dim_warns():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        F.softmax(torch.ones(2, 2))


def test_cross_entropy_of_huge_scores():
    x = torch.tensor([[1e4, -1e4], [0.0, 0.0]], requires_grad=True)
    loss = F.cross_entropy(x, torch.tensor([1, 0]), reduction="sum")
    loss.backward()
    assert loss.item() == pytest.approx(2e4 + np.log(2), rel=1e-6)
    np.testing.assert_allclose(x.grad.numpy(), [[1, -1], [-0.5, 0.5]])


def test_cross_entropy_with_every_target_ignored():
    x = torch.ones(2, 3, requires_grad=True)
    loss = F.cross_entropy(x, torch.tensor([-100, -100]))
    loss.backward()
    assert loss.isnan()
    assert x.grad.abs().sum() == 0


def test_attention_of_hidden_rows_is_zero():
    q = torch.ones(1, 2, 3)
    mask = torch.tensor([[False, False], [True, False]])
    out = F.scaled_dot_product_attention(q, q, q, mask)
    assert out[0].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_embedding_padding_row_gets_no_gradient():
    w = torch.ones(3, 2, requires_grad=True)
    F.embedding(torch.tensor([0, 1, 1, 2]), w, padding_idx=1).sum().backward()
    assert w.grad.tolist() == [[1, 1], [0, 0], [1, 1]]
    w.grad = None
    F.embedding(torch.tensor([0, 1, 1]), w, scale_grad_by_freq=True).sum().backward()
    assert w.grad.tolist() == [[1, 1], [1, 1], [0, 0]]


def test_max_pool_of_nan():
    x = torch.tensor([[[1.0, float("nan"), 3.0, 4.0]]])
    out, where = F.max_pool1d(x, 2, return_indices=True)
    assert out[0, 0, 0].isnan() and out[0, 0, 1] == 4
    assert where.tolist() == [[[1, 3]]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bits_are_computed_in_single_precision(dtype):
    x = torch.linspace(-3, 3, 60).reshape(3, 20)
    half = x.to(dtype)
    for f in (F.gelu, F.silu, lambda t: F.softmax(t, 1), lambda t: F.layer_norm(t, (20,)), F.mish):
        out = f(half)
        assert out.dtype is dtype
        expected = f(half.float()).to(dtype)
        assert (out.float() - expected.float()).abs().max() < 2e-2
    w = torch.ones(2, 20, dtype=dtype, requires_grad=True)
    F.linear(half, w).sum().backward()
    assert w.grad.dtype is dtype


def test_shapes_alone():
    x = torch.empty(8, 3, 32, 32, device="meta")
    w = torch.empty(4, 3 * 16 * 16, device="meta")
    y = F.max_pool2d(F.relu(F.batch_norm(x, None, None, training=True)), 2)
    y = F.linear(F.dropout(y).flatten(1), w)
    assert y.is_meta and y.shape == (8, 4)
    assert F.interpolate(x, (7, 9), mode="bilinear").shape == (8, 3, 7, 9)
    assert F.softmax(y, 1).is_meta


def test_names_in_the_top_module():
    x = torch.tensor([[1.0, 2.0]])
    assert torch.equal(torch.softmax(x, 1), F.softmax(x, 1))
    assert torch.equal(torch.layer_norm(x, (2,)), F.layer_norm(x, (2,)))
    assert torch.equal(torch.embedding(x, torch.tensor([0])), x)
    assert torch.dropout(x, 0.5, False) is x
    mean, var = torch.zeros(2), torch.ones(2)
    assert torch.allclose(torch.batch_norm(x, None, None, mean, var, False, 0.1, 0.0, False), x)
    assert torch.max_pool2d(torch.ones(1, 4, 4), 2).shape == (1, 2, 2)
    assert torch.kl_div(x, x, reduction=2).ndim == 0
