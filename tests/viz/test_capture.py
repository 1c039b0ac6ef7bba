"""Filters, feature maps and attention maps: what is shown, which layers, and that looking changes nothing."""

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn, viz
from flambeau.viz import style

pytest.importorskip("matplotlib")


def captions(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def pixels(figure, k=0):
    return [np.ma.getdata(image.get_array()) for image in figure.axes[k].images]


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Dropout(),
        nn.Flatten(), nn.Linear(6 * 36, 3),
    )  # fmt: skip


def test_filters_of_each_kind():
    grey = nn.Conv2d(1, 5, 3)
    found = pixels(viz.show_filters(grey))
    assert len(found) == 5 and np.allclose(found[2], grey.weight[2, 0].detach().numpy())
    colour = pixels(viz.show_filters(nn.Conv2d(3, 4, 5)))
    assert [image.shape for image in colour] == [(5, 5, 3)] * 4 and colour[0].min() == 0 and colour[0].max() == 1
    assert [image.shape for image in pixels(viz.show_filters(nn.Conv1d(8, 3, 9)))] == [(8, 9)] * 3
    many = viz.show_filters(nn.Conv2d(20, 40, 3))
    assert captions(many)[:17] == [*(f"0,{c}" for c in range(16)), "1,0"] and len(captions(many)) == 256
    assert many.axes[0].get_title() == "Conv2d: the first 16 of 40 filters of 20 x 3 x 3\n(the first 16 input channels)"
    turned = nn.ConvTranspose2d(6, 1, 3)  # its weights are (in, out, H, W)
    assert np.allclose(pixels(viz.show_filters(turned))[5], turned.weight[5, 0].detach().numpy())
    assert len(captions(viz.show_filters(torch.randn(3, 1, 4, 4), n=2, title="linear"))) == 2


def test_filters_of_a_model():
    model = network()
    assert viz.show_filters(model).axes[0].get_title() == "0: 4 filters of 1 x 3 x 3"
    assert viz.show_filters(model, "3").axes[0].get_title() == "3: 6 filters of 4 x 3 x 3"
    assert len(captions(viz.show_filters(torch.compile(model), model[3]))) == 24


def test_constant_and_broken_filters():
    weights = torch.zeros(2, 1, 3, 3)
    weights[1, 0, 0] = float("nan")
    figure = viz.show_filters(weights)
    assert captions(figure) == ["0", "1 (3 not finite)"]
    style.png(figure)
    style.png(viz.show_filters(torch.full((2, 3, 3, 3), float("inf"))))


def test_feature_maps_are_the_layers_outputs():
    model, image = network(), torch.rand(1, 8, 8)
    model.eval()
    expected = model[:3](image[None])[0].detach().numpy()
    model.train()
    figure = viz.feature_maps(model, image, "2")
    assert all(np.allclose(found, one) for found, one in zip(pixels(figure), expected, strict=True))
    assert figure.axes[0].get_title() == "2 (4 x 8 x 8)"
    both = viz.feature_maps(model, image[None], [model[0], "3"], n=3, title="both")
    assert [len(pixels(both, k)) for k in (0, 1)] == [3, 3]
    assert [ax.get_title() for ax in both.axes[:2]] == ["0 (4 x 8 x 8, the first 3)", "3 (6 x 6 x 6, the first 3)"]
    assert [ax.get_title() for ax in viz.feature_maps(model, image).axes[:2]] == ["0 (4 x 8 x 8)", "3 (6 x 6 x 6)"]
    assert pixels(viz.feature_maps(model, image, "7"))[0].shape == (1, 1)  # (N, C)


def test_channels_that_are_zero():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
    with torch.no_grad():
        model[0].bias.copy_(torch.tensor([-9.0, 9.0]))
    assert captions(viz.feature_maps(model, torch.rand(1, 4, 4), "1")) == ["0 (zero)", "1"]


@pytest.mark.parametrize("fails", [False, True])
def test_looking_changes_nothing(fails):
    model = network()
    model[5].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pointers = [p.data_ptr() for p in model.parameters()] + [b.data_ptr() for b in model.buffers()]
    torch.manual_seed(5)
    expected = torch.rand(1).item()
    torch.manual_seed(5)
    if fails:
        with pytest.raises(RuntimeError):
            viz.feature_maps(model, torch.rand(1, 3, 8, 8))
        torch.manual_seed(5)
    else:
        viz.feature_maps(model, torch.full((1, 1, 8, 8), 0.5))
    assert torch.rand(1).item() == expected
    assert [module.training for module in model] == [True] * 5 + [False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert pointers == [p.data_ptr() for p in model.parameters()] + [b.data_ptr() for b in model.buffers()]
    assert not any(module._forward_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters()) and torch.is_grad_enabled()


def test_compiled_models_are_looked_into():
    model = network()
    compiled = torch.compile(model)
    compiled(torch.rand(2, 1, 8, 8))
    assert len(pixels(viz.feature_maps(compiled, torch.rand(1, 8, 8), "0"))) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.show_filters(nn.Linear(2, 2)), "the model has no convolution"),
        (lambda: viz.show_filters(network(), "7"), "7 is no convolution"),
        (lambda: viz.show_filters(nn.Conv3d(1, 2, 3)), r"conv.weight\[:, :, 0\]"),
        (lambda: viz.show_filters("weights"), "weights cannot be drawn"),
        (lambda: viz.show_filters(nn.Conv2d(1, 2, 3), n=0), "n=0 images cannot be shown"),
        (lambda: viz.feature_maps(network(), torch.rand(1, 8, 8), "nope"), "no layer 'nope'.*`0`, `1`"),
        (lambda: viz.feature_maps(network(), torch.rand(1, 8, 8), nn.ReLU()), "not part of the model"),
        (lambda: viz.feature_maps(network(), torch.rand(1, 8, 8), sample=3), "sample 3 is not in a batch of 1"),
        (lambda: viz.feature_maps(nn.Linear(2, 2), torch.rand(2, 2)), "the model has no convolution"),
        (lambda: viz.feature_maps(lambda x: x, torch.rand(2, 2)), "takes a module, not function"),
        (lambda: viz.attention_maps(network(), torch.rand(1, 8, 8)), "no `nn.MultiheadAttention`"),
        (lambda: viz.attention_maps(nn.MultiheadAttention(4, 2)), "needs an input"),
        (lambda: viz.attention_maps(torch.rand(3)), r"shape \(3,\) cannot be shown"),
        (lambda: viz.attention_maps(torch.rand(0, 2, 3, 3)), "cannot be shown"),
        (lambda: viz.attention_maps(torch.rand(2, 2, 3, 3), sample=2), "sample 2 is not in a batch of 2"),
        (lambda: viz.attention_maps(torch.rand(3, 3), tokens=["a"]), "1 names for 3 queries"),
        (lambda: viz.attention_maps(torch.rand(2, 3, 3), axes=[style.figure(2, 2).add_subplot()]), "1 axes for 2 maps"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises((ValueError, RuntimeError, TypeError), match=f"(?s){message}"):
        call()


def test_a_layer_that_is_not_called():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(RuntimeError, match="no output of `idle` was seen"):
        viz.feature_maps(Idle(), torch.rand(1, 4, 4), "idle")


def maps(figure):
    return [np.ma.getdata(axes.images[0].get_array()) for axes in figure.axes[:-1]]


@pytest.mark.parametrize("needed", [{"need_weights": False}, {"average_attn_weights": False}, {}])
def test_attention_of_a_model_is_each_heads(needed):
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x):
            self.kept = self.attention(x, x, x, **needed)
            return self.kept[0]

    torch.manual_seed(0)
    model, x = Reader(), torch.randn(3, 5, 8)
    expected = model.attention(x, x, x, average_attn_weights=False)[1]
    model(x)
    plain = model.kept
    figure = viz.attention_maps(model, x, sample=1, tokens=["我", "爱", " ", "c", "d"])
    for found, head in zip(maps(figure), expected[1], strict=True):
        assert np.allclose(found, head.detach().numpy(), atol=1e-6)
    # The model got what it asked for.
    assert (model.kept[1] is None) == (plain[1] is None)
    assert plain[1] is None or torch.allclose(model.kept[1], plain[1])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["我", "爱", "␣", "c", "d"]
    assert not model.attention._forward_hooks and not model.attention._forward_pre_hooks


def test_attention_of_several_layers_and_given_weights():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3)
    figure = viz.attention_maps(model, torch.randn(1, 4, 8), title="encoder")
    assert len(maps(figure)) == 6 and figure.axes[2].get_ylabel() == "layers.1.self_attn\nquery"
    assert len(maps(viz.attention_maps(model, torch.randn(1, 4, 8), layer="layers.2.self_attn"))) == 2
    weights = torch.softmax(torch.randn(2, 12, 5, 9), -1)
    weights[1, 0, 3] = float("nan")
    figure = viz.attention_maps(weights, sample=1, tokens="ABCDE", keys="abcdefghi")
    assert len(maps(figure)) == 12 and np.isnan(maps(figure)[0][3]).all()
    style.png(figure)
    given = style.figure(4, 2).subplots(1, 2)
    assert viz.attention_maps(weights[0, :2], axes=given) is given[0].get_figure()
    style.png(viz.attention_maps(torch.ones(1, 1)))


def test_long_tokens_have_room():
    figure = viz.attention_maps(torch.rand(2, 3, 3), tokens=["<script>", "$x$y$", "很长的词语" * 5])
    style.png(figure)
    box, inner = figure.bbox, [ax.get_tightbbox() for ax in figure.axes]
    assert all(0 <= b.x0 and 0 <= b.y0 and b.x1 <= box.width and b.y1 <= box.height for b in inner)
