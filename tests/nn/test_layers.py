"""Layers: behaviour that recorded constructions do not show."""

import math

import pytest

import flambeau as torch
from flambeau import nn


def test_linear_and_bilinear():
    layer = nn.Linear(3, 2)
    x = torch.randn(4, 5, 3)
    assert torch.allclose(layer(x), x @ layer.weight.T + layer.bias, atol=1e-6)
    layer = nn.Bilinear(3, 4, 2)
    a, b = torch.randn(5, 3), torch.randn(5, 4)
    expected = torch.stack([(a @ layer.weight[k] * b).sum(1) for k in range(2)], 1) + layer.bias
    assert torch.allclose(layer(a, b), expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_conv_padding_modes(mode):
    layer = nn.Conv1d(1, 1, 3, padding=2, padding_mode=mode, bias=False)
    x = torch.arange(5.0).view(1, 1, 5)
    padded = torch.nn.functional.pad(x, (2, 2), {"zeros": "constant"}.get(mode, mode))
    assert torch.allclose(layer(x), torch.nn.functional.conv1d(padded, layer.weight))


def test_conv_same_keeps_sizes():
    assert nn.Conv2d(1, 2, (3, 4), padding="same", dilation=(2, 1))(torch.ones(1, 1, 7, 8)).shape == (1, 2, 7, 8)
    layer = nn.Conv1d(1, 1, 4, padding="same", padding_mode="circular")
    assert layer(torch.ones(1, 1, 6)).shape == (1, 1, 6)


def test_transposed_output_size():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2)
    x = torch.ones(1, 1, 3, 3)
    assert layer(x).shape == (1, 1, 7, 7) and layer(x, output_size=(8, 8)).shape == (1, 1, 8, 8)
    assert layer(x, output_size=(1, 1, 8, 7)).shape == (1, 1, 8, 7)
    with pytest.raises(ValueError, match="requested an output size of .*, but valid sizes range from"):
        layer(x, output_size=(20, 20))
    with pytest.raises(ValueError, match="output_size must have 2 or 4 elements"):
        layer(x, output_size=(8,))


def test_batch_norm_statistics():
    norm, plain = nn.BatchNorm1d(2, momentum=0.5), nn.BatchNorm1d(2, momentum=None)
    batches = [torch.randn(8, 2) * 3 + 1 for _ in range(3)]
    mean, var = torch.zeros(2), torch.ones(2)
    for x in batches:
        out = norm(x)
        plain(x)
        assert torch.allclose(out, (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt(), atol=1e-5)
        mean, var = (mean + x.mean(0)) / 2, (var + x.var(0)) / 2
    assert torch.allclose(norm.running_mean, mean, atol=1e-5) and torch.allclose(norm.running_var, var, atol=1e-4)
    assert torch.allclose(plain.running_mean, torch.stack([x.mean(0) for x in batches]).mean(0), atol=1e-5)
    assert norm.num_batches_tracked == 3
    norm.eval()
    assert torch.allclose(norm(batches[0]), (batches[0] - mean) / (var + 1e-5).sqrt(), atol=1e-4)
    norm.reset_running_stats()
    assert norm.num_batches_tracked == 0 and norm.running_var.tolist() == [1, 1]
    untracked = nn.BatchNorm1d(2, track_running_stats=False).eval()
    assert abs(untracked(batches[0]).mean().item()) < 1e-5


def test_batch_norm_errors():
    with pytest.raises(ValueError, match="expected 4D input \\(got 2D input\\)"):
        nn.BatchNorm2d(3)(torch.ones(2, 3))
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        nn.BatchNorm1d(3)(torch.ones(1, 3))


def test_sync_batch_norm_conversion():
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm2d(2)))
    sync = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert type(sync[1]) is nn.SyncBatchNorm and type(sync[2][0]) is nn.SyncBatchNorm
    assert sync[1].weight is net[1].weight if type(net[1]) is nn.BatchNorm2d else True
    assert sync(torch.randn(2, 1, 3, 3)).shape == (2, 2, 3, 3)


def test_other_normalisations():
    x = torch.randn(2, 6, 4)
    flat = x.reshape(2, 2, -1)
    expected = (flat - flat.mean(2, keepdim=True)) / (flat.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
    assert torch.allclose(nn.GroupNorm(2, 6)(x), expected.reshape(x.shape), atol=1e-5)
    assert torch.allclose(nn.InstanceNorm1d(6)(x), nn.GroupNorm(6, 6)(x), atol=1e-5)
    assert torch.allclose(nn.InstanceNorm1d(6)(x[0]), nn.InstanceNorm1d(6)(x)[0], atol=1e-5)
    rms = x / ((x * x).mean(-1, keepdim=True) + torch.finfo(torch.float32).eps).sqrt()
    assert torch.allclose(nn.RMSNorm(4)(x), rms, atol=1e-5)
    assert torch.allclose(nn.LayerNorm(4)(x).mean(-1), torch.zeros(2, 6), atol=1e-5)
    image = torch.randn(1, 5, 2, 2)
    assert torch.allclose(nn.CrossMapLRN2d(3)(image), nn.LocalResponseNorm(3)(image), atol=1e-6)
    with pytest.raises(ValueError, match="expected input's size at dim=1 to match num_features \\(3\\), but got: 6."):
        nn.InstanceNorm1d(3, affine=True)(x)


def test_dropout():
    torch.manual_seed(0)
    layer = nn.Dropout(0.25)
    out = layer(torch.ones(10000))
    assert out.unique().tolist() == pytest.approx([0, 4 / 3]) and abs(out.mean().item() - 1) < 0.05
    assert torch.equal(layer.eval()(torch.ones(5)), torch.ones(5))
    channels = nn.Dropout2d(0.5)(torch.ones(4, 8, 3, 3)).flatten(2)
    assert ((channels == 0).all(-1) | (channels == 2).all(-1)).all()
    with pytest.raises(ValueError, match="dropout probability has to be between 0 and 1, but got 3"):
        nn.Dropout(3)


def test_embedding():
    table = nn.Embedding(5, 3, padding_idx=0)
    assert table.weight[0].abs().sum() == 0
    table(torch.tensor([0, 1, 1])).sum().backward()
    assert table.weight.grad[0].abs().sum() == 0 and table.weight.grad[1].tolist() == [2, 2, 2]
    short = nn.Embedding(5, 3, max_norm=0.1)
    assert (short(torch.tensor([1, 2])).norm(dim=1) <= 0.1001).all() and short.weight[1].norm() <= 0.1001
    frozen = nn.Embedding.from_pretrained(torch.eye(3))
    assert not frozen.weight.requires_grad and frozen(torch.tensor([2])).tolist() == [[0, 0, 1]]
    with pytest.raises(IndexError):
        table(torch.tensor([5]))


def test_embedding_bag():
    bag = nn.EmbeddingBag.from_pretrained(torch.eye(4), mode="sum")
    assert bag(torch.tensor([0, 1, 3, 3]), torch.tensor([0, 2])).tolist() == [[1, 1, 0, 0], [0, 0, 0, 2]]
    bag = nn.EmbeddingBag.from_pretrained(torch.eye(4), mode="mean", padding_idx=0, freeze=False)
    assert bag(torch.tensor([[0, 1], [2, 3]])).tolist() == [[0, 1, 0, 0], [0, 0, 0.5, 0.5]]


def test_pooling_and_unpooling():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    pooled, where = nn.MaxPool2d(2, return_indices=True)(x)
    assert pooled.flatten().tolist() == [5, 7, 13, 15]
    back = nn.MaxUnpool2d(2)(pooled, where)
    assert back.sum() == 40 and back[0, 0, 1, 1] == 5
    assert nn.AvgPool2d(2)(x).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert nn.AdaptiveAvgPool2d((1, None))(x).shape == (1, 1, 1, 4)
    assert nn.LPPool1d(1, 2)(x[0]).shape == (1, 4, 2)
    assert nn.FractionalMaxPool2d(2, output_size=(3, 2))(x).shape == (1, 1, 3, 2)


def test_activations_under_their_options():
    x = torch.tensor([-2.0, -0.5, 0.0, 0.5, 8.0])
    assert nn.ReLU6()(x).tolist() == [0, 0, 0, 0.5, 6]
    assert nn.Hardtanh(-1, 2)(x).tolist() == [-1, -0.5, 0, 0.5, 2]
    assert nn.Threshold(0.1, 20)(x).tolist() == [20, 20, 20, 0.5, 8]
    assert nn.LeakyReLU(0.5)(x).tolist() == [-1, -0.25, 0, 0.5, 8]
    assert nn.PReLU(init=0.1)(x).tolist() == pytest.approx([-0.2, -0.05, 0, 0.5, 8])
    assert nn.RReLU().eval()(x)[0].item() == pytest.approx(-2 * (1 / 8 + 1 / 3) / 2)
    y = x.clone()
    assert nn.ReLU(inplace=True)(y) is y and y.tolist() == [0, 0, 0, 0.5, 8]
    assert nn.GLU()(torch.ones(2, 4)).shape == (2, 2) and nn.Softmin(0)(x).sum().item() == pytest.approx(1)
    with pytest.raises(ValueError, match="Softmax2d: expected input to be 3D or 4D, got 1D instead"):
        nn.Softmax2d()(x)
    with pytest.raises(AssertionError):
        nn.Hardtanh(1, -1)


def test_shuffles_flatten_upsample_pad():
    x = torch.arange(16.0).view(1, 4, 2, 2)
    assert torch.equal(nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(x)), x)
    assert nn.ChannelShuffle(2)(x)[0, :, 0, 0].tolist() == [0, 8, 4, 12]
    assert nn.Unflatten(1, (2, 2))(nn.Flatten()(x)[:, :4]).shape == (1, 2, 2)
    assert nn.Upsample(scale_factor=2, mode="bilinear")(x).shape == (1, 4, 4, 4)
    assert nn.ZeroPad2d((1, 0, 2, 0))(x).shape == (1, 4, 4, 3)
    assert nn.CircularPad1d(1)(torch.arange(3.0).view(1, 3)).tolist() == [[2, 0, 1, 2, 0]]
    assert torch.equal(
        nn.Fold((4, 4), 2, stride=2)(nn.Unfold(2, stride=2)(torch.ones(1, 1, 4, 4))), torch.ones(1, 1, 4, 4)
    )
    with pytest.raises(ValueError, match="expected 2D or 3D input \\(got 1D input\\)"):
        nn.CircularPad1d(1)(torch.ones(3))


def test_losses():
    logits, target = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([1])
    p = logits.softmax(1)[0]
    assert nn.CrossEntropyLoss()(logits, target).item() == pytest.approx(-math.log(p[1].item()), abs=1e-5)
    smooth = nn.CrossEntropyLoss(label_smoothing=0.3)(logits, target).item()
    assert smooth == pytest.approx(-(0.7 * p.log()[1] + 0.1 * p.log().sum()).item(), abs=1e-5)
    x, y = torch.tensor([0.2, -1.5]), torch.tensor([1.0, 0.0])
    assert nn.SmoothL1Loss(reduction="none")(x, y).tolist() == pytest.approx([0.32, 1.0])
    assert nn.HuberLoss(delta=0.5)(x, y).item() == pytest.approx((0.275 + 0.625) / 2)
    assert nn.BCEWithLogitsLoss()(x, y).item() == pytest.approx(nn.BCELoss()(x.sigmoid(), y).item(), abs=1e-6)
    assert nn.TripletMarginLoss()(x[None], x[None], y[None] * 100).item() == 0
    joined = nn.LinearCrossEntropyLoss(4, 3, bias=True)
    x = torch.randn(5, 4)
    target = torch.tensor([0, 1, 2, 0, 1])
    assert torch.allclose(joined(x, target), nn.CrossEntropyLoss()(joined.linear(x), target))
    with pytest.warns(UserWarning, match="please use reduction='sum' instead"):
        assert nn.L1Loss(size_average=False).reduction == "sum"


def test_adaptive_log_softmax():
    torch.manual_seed(0)
    loss = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [3, 6], div_value=2.0)
    x, target = torch.randn(4, 8), torch.tensor([0, 3, 7, 9])
    output, total = loss(x, target)
    table = loss.log_prob(x)
    assert torch.allclose(table.exp().sum(1), torch.ones(4), atol=1e-5)
    assert torch.allclose(output, table.gather(1, target[:, None])[:, 0], atol=1e-5)
    assert total.item() == pytest.approx(-output.mean().item(), abs=1e-6)
    assert torch.equal(loss.predict(x), table.argmax(1))
    assert torch.allclose(loss(x[0], target[0]).output, output[0], atol=1e-5)
    total.backward()
    assert loss.head.weight.grad is not None
    with pytest.raises(RuntimeError, match="Target values should be in \\[0, 9\\]"):
        loss(x, torch.tensor([0, 3, 7, 10]))


def test_data_parallel_has_pytorchs_keys():
    wrapped = nn.DataParallel(nn.Linear(1, 1))
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    assert wrapped(torch.ones(1, 1)).shape == (1, 1)


def test_factory_kwargs():
    assert nn.factory_kwargs(None) == {}
    assert nn.factory_kwargs({"device": "cpu", "dtype": torch.float64}) == {"device": "cpu", "dtype": torch.float64}
    with pytest.raises(TypeError, match="unexpected kwargs"):
        nn.factory_kwargs({"x": 1})
