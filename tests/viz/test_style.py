"""How figures are made: no display, no settings changed, text in any language, axes for any numbers."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import flambeau as torch
from flambeau import viz
from flambeau.errors import MissingDependency
from flambeau.viz import fonts, style

matplotlib = pytest.importorskip("matplotlib")
from matplotlib import font_manager


@pytest.fixture
def only_default_fonts(monkeypatch):
    """A machine that has nothing but the fonts that come with matplotlib."""
    fonts._for_characters.cache_clear()
    own = [entry for entry in font_manager.fontManager.ttflist if "mpl-data" in entry.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *args, **kwargs: [])
    yield
    fonts._for_characters.cache_clear()


def run(code):
    """The output of a program of its own: this process may have imported pyplot."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_no_display_and_no_settings_changed():
    assert run("""
import matplotlib, sys
settings = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}  # to ask chooses one
before = settings()
from flambeau.viz import style
axes = style.axes_of(None, 4, 3)
axes.plot([1, 2])
style.png(style.finish(axes, "title")), style.svg(axes.get_figure())
print(before == settings(), "matplotlib.pyplot" in sys.modules)
""").split() == ["True", "False"]


def test_pyplot_shows_the_figure_if_the_program_uses_it():
    assert run("""
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
from flambeau.viz import style
figure = style.figure(4, 3)
print(plt.gcf() is figure, len(plt.get_fignums()))
style.figure(4, 3, shown=False)
print(len(plt.get_fignums()))
""").split() == ["True", "1", "1"]


def test_a_backend_with_windows_but_no_display():
    assert (
        run("""
import os
os.environ.update(MPLBACKEND="tkagg"); os.environ.pop("DISPLAY", None); os.environ.pop("WAYLAND_DISPLAY", None)
import matplotlib.pyplot as plt
from flambeau.viz import style
print(len(style.png(style.figure(4, 3))) > 1000)
""")
        == "True"
    )


@pytest.mark.parametrize("pyplot", [False, True])
def test_a_figure_that_ends_a_notebooks_cell_is_shown_once(pyplot):
    assert (
        run(f"""
import sys, types
shown = []
display = types.ModuleType("IPython.display")
display.Image, display.display = (lambda data: data[1:4]), shown.append
sys.modules.update({{"ipykernel": types.ModuleType("ipykernel"), "IPython": types.ModuleType("IPython")}})
sys.modules["IPython.display"] = display
sys.modules["IPython"].version_info = (9, 0)
if {pyplot}:
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    matplotlib.get_backend = lambda: "module://matplotlib_inline.backend_inline"
from flambeau.viz import style
figure = style.figure(4, 3)
figure._ipython_display_()
print(*shown, plt.get_fignums() if {pyplot} else [])
""")
        == "b'PNG' []"
    )


def test_without_matplotlib(monkeypatch):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU())
    images = torch.rand(2, 1, 8, 8)
    with viz.Recorder(model) as recorder:
        model(images).sum().backward()
        recorder.step(lr=0.1)
    for name in list(sys.modules):
        if name.partition(".")[0] == "matplotlib":
            monkeypatch.setitem(sys.modules, name, None)
    for draw in (
        lambda: style.figure(4, 3),
        lambda: viz.gradient_flow(model),
        lambda: viz.confusion_matrix([0, 1], [0, 1]),
        lambda: viz.show_batch(images),
        lambda: viz.show_augmentations(images[0], lambda image: image),
        lambda: viz.show_filters(model),
        lambda: viz.feature_maps(model, images),
        lambda: viz.attention_maps(torch.ones(2, 2)),
        lambda: viz.embedding(torch.rand(4, 3)),
        lambda: viz.learning_curves({"loss": [1, 2]}),
        lambda: viz.loss_landscape(model, lambda: pytest.fail("too late")),
        lambda: viz.activation_histograms(recorder),
        lambda: viz.weight_histograms(recorder),
        lambda: viz.gradient_histograms(recorder),
        lambda: viz.update_ratios(recorder),
        lambda: viz.dead_units(recorder),
    ):
        with pytest.raises(MissingDependency, match=r"pip install 'flambeau\[viz\]'"):
            draw()


def test_ax_has_to_be_axes():
    made = style.figure(4, 3)
    grid = made.subplots(2, 2)
    assert style.axes_of(grid[0, 0], 4, 3) is grid[0, 0]
    for wrong in (grid, made, "axes"):
        with pytest.raises(TypeError, match="not the axes of a figure"):
            style.axes_of(wrong, 4, 3)


def test_chinese_text_gets_a_font_that_has_it():
    if not fonts.for_text("猫")[0]:
        pytest.skip("no font with Chinese characters is installed")
    axes = style.axes_of(None, 4, 3)
    axes.bar([0, 1], [1, 2])
    axes.set_xticks([0, 1], ["猫", "dog"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of each character that it cannot draw
        style.png(style.finish(axes, "损失"))
    assert len(axes.get_xticklabels()[1].get_fontfamily()) == 1


def test_text_without_a_font_gets_one_warning_and_boxes(only_default_fonts):
    axes = style.axes_of(None, 4, 3)
    axes.set_title("损失 loss")
    with pytest.warns(UserWarning) as caught:
        style.png(style.finish(axes))
        style.png(style.finish(axes))
    assert len(caught) == 1 and "失损" in str(caught[0].message) and "fonts-noto-cjk" in str(caught[0].message)
    assert axes.get_title() == "□□ loss"


def test_names_with_dollars():
    axes = style.axes_of(None, 4, 3)
    axes.set_xticks([0, 1, 2], ["$x{$", "$10", r"$\alpha$"])
    style.png(style.finish(axes, "$\\frac{$"))
    assert [label.get_parse_math() for label in axes.get_xticklabels()] == [False, True, True]


def test_log_scale_leaves_out_what_has_no_logarithm():
    axes = style.axes_of(None, 4, 3)
    low = style.log_scale(axes.yaxis, [0.0, 1e-4, np.nan, np.inf, -1, 10])
    assert axes.get_yscale() == "log" and axes.get_ylim() == pytest.approx((1e-5, 100))
    assert low == axes.get_ylim()[0]
    for nothing in ([], [0.0, np.nan]):
        style.log_scale(axes.xaxis, nothing)
        assert axes.get_xlim() == pytest.approx((1e-9, 10))
    style.log_scale(axes.xaxis, [5e-324, 1e308])
    style.png(style.finish(axes))


def test_numbers_of_all_kinds():
    half = torch.tensor([1.5, 2.5], dtype=torch.bfloat16, requires_grad=True)
    for given in (half, [1.5, 2.5], np.float32([1.5, 2.5]), [torch.tensor(1.5), torch.tensor(2.5)]):
        assert style.numbers(given, "x").tolist() == [1.5, 2.5]
    for wrong in ("abc", None, [[1], [1, 2]], {"a": 1}):
        with pytest.raises(TypeError, match="losses cannot be drawn"):
            style.numbers(wrong, "losses")


def test_names_lose_their_middle():
    assert style.shorten("short") == "short"
    assert style.shorten("a" * 30 + "end", 10) == "aaaaa…aend"
    assert style.shorten("two\nlines") == "two lines"
    assert style.shorten("很长的类别名称", 10) == "很长…名称"
