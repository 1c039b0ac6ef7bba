"""Pictures of attributions: what is drawn for images, series and words, and what is said of what cannot be drawn."""

import sys
import types
import warnings

import numpy as np
import pytest
from browser import opened

import flambeau as torch
from flambeau.attr import visualization as viz
from flambeau.errors import ArgumentError, ArgumentTypeError, CannotWrite

pytest.importorskip("matplotlib")
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.random((6, 8, 3))
ATTR = RANDOM.normal(size=(6, 8, 3))


def shown(attr, image=None, method="heat_map", sign="absolute_value", **options):
    """What has been drawn into the axes."""
    figure, axes = viz.visualize_image_attr(attr, image, method, sign, use_pyplot=False, **options)
    assert axes.get_figure() is figure
    figure.savefig(__import__("io").BytesIO(), format="png")
    return [np.asarray(picture.get_array()) for picture in axes.get_images()]


def test_heat_maps_sum_over_channels_and_scale_by_the_strongest():
    grid = ATTR.sum(2)
    (heat,) = shown(ATTR, sign="all", outlier_perc=0)
    np.testing.assert_allclose(heat, grid / abs(grid).max())
    (heat,) = shown(ATTR, sign="positive", outlier_perc=0)
    np.testing.assert_allclose(heat, np.maximum(grid, 0) / grid.max())
    (heat,) = shown(ATTR, sign="negative", outlier_perc=0)
    np.testing.assert_allclose(heat, np.minimum(grid, 0) / grid.min())
    (heat,) = shown(grid, outlier_perc=0)
    np.testing.assert_allclose(heat, abs(grid) / abs(grid).max())


def test_outliers_do_not_leave_the_rest_pale():
    attr = np.ones((10, 10))
    attr[0, 0] = 100  # of 199 in all, so it holds about half of the sum
    assert shown(attr, outlier_perc=0)[0].min() == pytest.approx(0.01)
    assert shown(attr, outlier_perc=60)[0].min() == 1
    assert shown(attr, outlier_perc=100)[0].max() == 1


def test_tensors_and_arrays_in_all_layouts_give_the_same_picture():
    expected = shown(ATTR, IMAGE, "blended_heat_map", "all")
    first = torch.tensor(ATTR).permute(2, 0, 1)
    image = torch.tensor(IMAGE).permute(2, 0, 1)
    for attr, picture in (
        (first, image),
        (first[None], image[None]),
        (first[None].requires_grad_(), image),
        (torch.tensor(ATTR), torch.tensor(IMAGE)),  # channels last, which nothing else can be
        (ATTR.transpose(2, 0, 1), IMAGE.transpose(2, 0, 1)),
        (ATTR, (IMAGE * 255)),
        (first.float(), image.float()),
    ):
        for got, wanted in zip(shown(attr, picture, "blended_heat_map", "all"), expected):
            np.testing.assert_allclose(got, wanted, atol=1.01 if wanted.dtype == np.uint8 else 1e-5)


def test_layers_with_many_channels_are_summed():
    attr = torch.randn(1, 32, 5, 5)
    assert shown(attr)[0].shape == (5, 5)


def test_images_alone_masked_and_transparent():
    (pixels,) = shown(None, IMAGE, "original_image")
    np.testing.assert_allclose(pixels, IMAGE * 255, atol=0.51)
    strength = shown(ATTR)[0]
    (masked,) = shown(ATTR, IMAGE, "masked_image")
    np.testing.assert_allclose(masked, IMAGE * 255 * strength[..., None], atol=0.51)
    (scaled,) = shown(ATTR, IMAGE, "alpha_scaling")
    np.testing.assert_allclose(scaled[..., 3], strength * 255, atol=0.51)
    grey = torch.rand(1, 6, 8)
    assert shown(ATTR, grey, "original_image")[0].shape == (6, 8)
    assert shown(ATTR, grey, "masked_image")[0].shape == (6, 8)
    assert shown(ATTR, grey, "alpha_scaling")[0].shape == (6, 8, 4)


def test_images_of_all_ranges():
    for image in (np.zeros((4, 4)), np.ones((4, 4)), np.full((4, 4), 255), np.full((4, 4, 3), 7, np.uint8)):
        assert shown(np.ones((4, 4)), image, "blended_heat_map")[0].shape == (4, 4)
    assert shown(None, np.full((4, 4), 1), "original_image")[0].max() == 255
    with pytest.warns(UserWarning, match="from -2 to 2"):
        stretched = shown(None, np.linspace(-2, 2, 16).reshape(4, 4), "original_image")[0]
    assert stretched.min() == 0 and stretched.max() == 255
    with pytest.warns(UserWarning, match="stretched"):
        assert shown(None, np.full((4, 4), -3.0), "original_image")[0].std() == 0


def test_nothing_to_show_is_an_empty_picture_and_a_warning():
    with pytest.warns(UserWarning, match="all attributions are zero") as caught:
        (heat,) = shown(np.zeros((4, 4)))
    assert caught[0].filename == __file__
    assert not heat.any()
    with pytest.warns(UserWarning, match="no attribution is positive"):
        (heat,) = shown(-np.ones((4, 4)), sign="positive")
    assert not heat.any()
    with pytest.warns(UserWarning, match="no attribution is negative"):
        shown(np.ones((4, 4)), sign="negative")
    with pytest.warns(UserWarning, match="may be no more than rounding"):
        (heat,) = shown(np.full((4, 4), 1e-9))
    assert heat.max() == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(shown(np.full((4, 4), 1e300))[0]).all()


def test_several_pictures_side_by_side_with_a_title_in_chinese():
    figure, axes = viz.visualize_image_attr_multiple(
        ATTR, IMAGE, ["original_image", "heat_map", "blended_heat_map"], ["all", "positive", "all"],
        titles=["原图", "热力图", "重叠"], show_colorbar=True, use_pyplot=False,
    )  # fmt: skip
    assert [a.get_title() for a in axes] == ["原图", "热力图", "重叠"]
    assert len(figure.axes) == 6
    _, axis = viz.visualize_image_attr_multiple(ATTR, None, ["heat_map"], ["all"], use_pyplot=False)
    assert not isinstance(axis, list)


def test_pictures_are_drawn_into_given_axes():
    figure = __import__("matplotlib.figure").figure.Figure()
    axes = figure.subplots(1, 2)
    got, axis = viz.visualize_image_attr(ATTR, plt_fig_axis=(figure, axes[1]), use_pyplot=False)
    assert got is figure and axis is axes[1] and len(axes[1].get_images()) == 1 and not axes[0].get_images()


def test_pyplot_knows_the_figure_only_if_it_shall():
    plt = pytest.importorskip("matplotlib.pyplot")
    before = plt.get_fignums()
    viz.visualize_image_attr(ATTR, use_pyplot=False)
    assert plt.get_fignums() == before
    figure, _ = viz.visualize_image_attr(ATTR)
    assert plt.gcf() is figure
    plt.close(figure)


SERIES = RANDOM.normal(size=(30, 2))
WEIGHTS = RANDOM.normal(size=(30, 2))


@pytest.mark.parametrize("method", ["overlay_individual", "overlay_combined", "colored_graph"])
def test_series(method):
    figure, axes = viz.visualize_timeseries_attr(
        torch.tensor(WEIGHTS), SERIES, x_values=np.linspace(0, 3, 30) ** 2, method=method, sign="all",
        channel_labels=["速度", "b"], show_colorbar=True, title="t", use_pyplot=False, outlier_perc=0, linewidth=3,
    )  # fmt: skip
    each = np.ravel(axes)
    assert len(each) == (1 if method == "overlay_combined" else 2)
    assert each[0].get_title() == "t" and each[0].get_xlim() == (0, 9)
    if method == "overlay_combined":
        np.testing.assert_allclose(each[0].lines[1].get_ydata(), SERIES[:, 1])
        assert [text.get_text() for text in each[0].get_legend().get_texts()] == ["速度", "b"]
    else:
        assert each[1].get_ylabel() == "b"
        np.testing.assert_allclose(each[1].lines[-1].get_ydata(), SERIES[:, 1])
    shades = np.ravel(each[0].collections[0].get_array())
    strength = WEIGHTS.sum(1) if method == "overlay_combined" else WEIGHTS
    strength = strength / abs(strength).max()
    expected = strength if method == "overlay_combined" else strength[:, 0]
    np.testing.assert_allclose(shades, expected[:-1] if method == "colored_graph" else expected)
    figure.savefig(__import__("io").BytesIO(), format="png")


def test_series_of_one_channel_one_step_and_channels_first():
    _, axes = viz.visualize_timeseries_attr(WEIGHTS[:, 0], SERIES[:, 0], use_pyplot=False)
    assert not isinstance(axes, np.ndarray)
    viz.visualize_timeseries_attr(np.ones((1, 1)), np.ones((1, 1)), use_pyplot=False)
    _, axes = viz.visualize_timeseries_attr(WEIGHTS.T, SERIES.T, channels_last=False, use_pyplot=False)
    assert len(axes) == 2
    _, axes = viz.visualize_timeseries_attr(torch.tensor(WEIGHTS)[None], torch.tensor(SERIES)[None], use_pyplot=False)
    assert len(axes) == 2
    with pytest.warns(UserWarning, match="channels_last=False"):
        viz.visualize_timeseries_attr(np.ones((2, 3)), np.ones((2, 3)), use_pyplot=False)


BAD = [
    (lambda: viz.visualize_image_attr(ATTR, method="heatmap"), "did you mean `method='heat_map'`"),
    (lambda: viz.visualize_image_attr(ATTR, sign="positiv"), "did you mean `sign='positive'`"),
    (lambda: viz.visualize_image_attr(ATTR, IMAGE, "masked_image", "all"), "cannot show both signs"),
    (lambda: viz.visualize_image_attr(ATTR, None, "blended_heat_map"), "needs the image"),
    (lambda: viz.visualize_image_attr(ATTR, IMAGE[:4], "blended_heat_map"), "interpolate(attr, (4, 8))"),
    (lambda: viz.visualize_image_attr(ATTR * np.nan), "144 of 144 numbers that are nan or infinite"),
    (lambda: viz.visualize_image_attr(ATTR, IMAGE / 0.0, "original_image"), "original_image has 144 of 144"),
    (lambda: viz.visualize_image_attr(ATTR[0, 0]), "has 1 dimensions"),
    (lambda: viz.visualize_image_attr(torch.zeros(2, 3, 4, 4)), "`attr[0]`"),
    (lambda: viz.visualize_image_attr(ATTR, np.zeros((6, 8, 5)), "original_image"), "5 channels"),
    (lambda: viz.visualize_image_attr(np.zeros((0, 3))), "attr is empty"),
    (lambda: viz.visualize_image_attr(ATTR, outlier_perc=101), "not a percentage"),
    (lambda: viz.visualize_image_attr(ATTR, outlier_perc="2"), "not a percentage"),
    (lambda: viz.visualize_image_attr(ATTR, IMAGE, "blended_heat_map", alpha_overlay=5), "no opacity"),
    (lambda: viz.visualize_timeseries_attr(WEIGHTS, SERIES, alpha_overlay=-1), "no opacity"),
    (lambda: viz.visualize_image_attr(ATTR, fig_size=(0, 0), use_pyplot=False), "more than 0"),
    (lambda: viz.visualize_image_attr(ATTR, cmap="Blue"), "did you mean `cmap='Blues'`"),
    (lambda: viz.visualize_image_attr(ATTR, fig_size=3, use_pyplot=False), "use inches"),
    (lambda: viz.visualize_image_attr(ATTR, plt_fig_axis=3), "plt.subplots()"),
    (lambda: viz.visualize_image_attr(ATTR + 1j), "complex numbers"),
    (lambda: viz.visualize_image_attr("picture.png"), "str is not a tensor"),
    (lambda: viz.visualize_image_attr_multiple(ATTR, IMAGE, ["heat_map"], []), "1 methods and 0 signs"),
    (lambda: viz.visualize_image_attr_multiple(ATTR, IMAGE, [], []), "no picture to draw"),
    (lambda: viz.visualize_image_attr_multiple(ATTR, IMAGE, ["heat_map"], ["all"], ["a", "b"]), "2 titles for 1"),
    (lambda: viz.visualize_timeseries_attr(WEIGHTS, SERIES[:20]), "each value has its own attribution"),
    (lambda: viz.visualize_timeseries_attr(np.ones((2, 3, 4)), np.ones((2, 3, 4))), "`attr[0]`"),
    (lambda: viz.visualize_timeseries_attr(WEIGHTS, SERIES, np.zeros(30)), "do not increase"),
    (lambda: viz.visualize_timeseries_attr(WEIGHTS, SERIES, np.arange(3)), "3 numbers for 30 steps"),
    (lambda: viz.visualize_timeseries_attr(WEIGHTS, SERIES, channel_labels=["a"]), "1 names for 2 channels"),
    (lambda: viz.visualize_timeseries_attr(WEIGHTS, SERIES, method="overlay"), "overlay_combined"),
    (
        lambda: viz.visualize_timeseries_attr(WEIGHTS, SERIES, plt_fig_axis=viz.visualize_image_attr(ATTR)),
        "has 1 axes, and 2 are needed",
    ),
]


@pytest.mark.parametrize("call, words", BAD)
def test_what_cannot_be_drawn_is_explained(call, words):
    with np.errstate(all="ignore"), pytest.raises((ArgumentError, ArgumentTypeError)) as caught:
        call()
    assert words in str(caught.value)


def record(words, weights, **changes):
    given = {
        "word_attributions": weights, "pred_prob": 0.75, "pred_class": "好", "true_class": "坏", "attr_class": 1,
        "attr_score": 0.5, "raw_input_ids": words, "convergence_score": 0.0,
    } | changes  # fmt: skip
    return viz.VisualizationDataRecord(**given)


def test_words_are_escaped_and_coloured_by_sign_and_strength():
    cell = viz.format_word_importances(["<b>&", "<pad>", "fine"], [-1.0, 0.0, 3.0])
    assert "&lt;b&gt;&amp;</mark>" in cell and "#pad</mark>" in cell
    assert "hsla(0, 75%, 50%, 0.75)" in cell and "hsla(120, 60%, 35%, 0.75)" in cell and ", 0.00)" in cell
    assert 'title="+3"' in cell and cell.count("dashed") == 1
    assert viz.format_word_importances(["x"], torch.tensor([0.5])) == viz.format_word_importances(["x"], [0.5])
    assert "<script>" not in viz.visualize_text([record(["</mark><script>"], [1.0], pred_class="<script>")]).data
    assert viz.format_word_importances([], []) == viz.format_word_importances(["a"], None) == "<td></td>"


def test_text_as_a_page_light_and_dark(tmp_path):
    words = ["这", "电影", "很", "好", "!", "\n"]
    page = viz.visualize_text([record(words, torch.linspace(-1, 1, 6)), record(["so", "so"], [0.1, -0.1])])
    assert page._repr_html_() == page.data == str(page)
    page.save(tmp_path / "词.html", title="情感 <1>")
    for dark in (False, True):
        with opened(tmp_path / "词.html", dark=dark, width=400) as (window, complaints):
            assert window.title() == "情感 <1>"
            assert window.locator("mark").all_inner_texts() == ["这", "电影", "很", "好", "!", "↵", "so", "so"]
            assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert not complaints


def test_text_in_a_notebook_is_displayed(monkeypatch):
    displayed = []
    display = types.SimpleNamespace(display=displayed.append)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: object(), display=display))
    page = viz.visualize_text(iter([record(["a"], [1.0])]), legend=False)
    assert displayed == [page] and "Legend" not in page.data


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: viz.format_word_importances(["a", "b"], [1.0]), ArgumentError, "2 words and 1 attributions"),
        (lambda: viz.format_word_importances(["a"], [np.nan]), ArgumentError, "word 0 ('a') is nan"),
        (lambda: viz.format_word_importances(["a"], torch.zeros(1, 4)), ArgumentError, "sum(dim=-1)"),
        (lambda: viz.visualize_text([1]), ArgumentTypeError, "not int"),
        (lambda: viz.visualize_text(None), ArgumentTypeError, "not NoneType"),
        (lambda: viz.visualize_text([record(["a"], [1.0], pred_prob="high")]), ArgumentTypeError, "pred_prob"),
    ],
)
def test_words_that_cannot_be_shown(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert words in str(caught.value)


def test_words_without_colour_are_warned_of():
    with pytest.warns(UserWarning, match="next to nothing will be coloured"):
        viz.visualize_text([record(["a", "b"], [1e-4, -1e-3])])


def test_a_page_that_cannot_be_written(tmp_path):
    with pytest.raises(CannotWrite, match="folder that exists"):
        viz.visualize_text(record(["a"], [1.0])).save(tmp_path / "no" / "page.html")
