"""How figures are made here: without a display, without changing matplotlib's settings, readable in any language.

matplotlib is imported when the first figure is made. Whatever draws makes its figure with `figure` or `axes_of`, and
calls `finish` at the end, which sees to characters that the default font lacks.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import sys
from typing import Any

import numpy as np

from ..errors import ArgumentTypeError, MissingDependency
from ..widths import shorten as shortened
from . import fonts

# Told apart with any kind of colour vision, and in print (Paul Tol's schemes "bright", without its grey, and "muted").
BLUE, RED, GREEN, YELLOW, CYAN, PURPLE = "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"
MANY = ("#332288", "#88ccee", "#cc6677", "#117733", "#ddcc77", "#882255", "#44aa99", "#999933", "#aa4499", "#777777")
WRONG, FAINT = "#cc3311", "#999999"  # what is wrong (always said in words too); what is only a guide
DPI = 110


def matplotlib() -> Any:
    """The matplotlib package, or an error that says how to get it."""
    try:
        import matplotlib  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingDependency(
            "pictures need matplotlib, which is not installed",
            why="it is an optional dependency: training does not need it",
            fix="run `pip install 'flambeau[viz]'`",
        ) from error
    return matplotlib


def figure(width: float, height: float, shown: bool = True) -> Any:
    """An empty figure of so many inches, laid out so that nothing overlaps.

    It needs no display. If the program has imported `matplotlib.pyplot`, pyplot knows the figure, so that
    `plt.show()` shows it; `shown=False` is for figures that are only written into files.

    >>> from flambeau.viz.style import figure
    >>> figure(4, 3).add_subplot()
    <Axes: >
    """
    matplotlib()
    from matplotlib.figure import Figure  # noqa: PLC0415

    pyplot = sys.modules.get("matplotlib.pyplot")
    made: Any = None
    if shown and pyplot is not None:
        # A backend with windows may have been asked for where there is no display: ImportError, TclError, ...
        with contextlib.suppress(Exception):
            made = pyplot.figure(figsize=(width, height), layout="constrained")
    if shown and "ipykernel" in sys.modules and (made is None or "inline" in matplotlib().get_backend()):
        made = made or Figure(figsize=(width, height), layout="constrained")
        made._ipython_display_ = functools.partial(_show_in_notebook, made)
    return made or Figure(figsize=(width, height), layout="constrained")


def _show_in_notebook(made: Any) -> None:
    """Show a figure that ends a cell, and once: pyplot would show its own ones again at the end of the cell."""
    from IPython.display import Image, display  # noqa: PLC0415 - only notebooks call this

    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(made)
    display(Image(data=png(made)))


def axes_of(ax: Any, width: float, height: float) -> Any:
    """The axes to draw into: those that the caller gave, else those of a new figure of this size."""
    if ax is None:
        return figure(width, height).add_subplot()
    if not hasattr(ax, "get_figure") or not hasattr(ax, "plot"):
        raise ArgumentTypeError(
            f"ax is {type(ax).__name__}, not the axes of a figure",
            why="the picture is drawn into it",
            fix="pass what `figure.add_subplot()` or `plt.subplots()` gave (one element of it), or leave `ax` out",
        )
    return ax


def finish(drawn: Any, title: str | None = None) -> Any:
    """The figure that `drawn` (axes or a figure) belongs to, with a title if one is given and fonts for all text."""
    matplotlib()
    from matplotlib.figure import FigureBase  # noqa: PLC0415

    whole = isinstance(drawn, FigureBase)
    if title is not None:
        drawn.suptitle(title) if whole else drawn.title.set_text(title)  # keeps the room that a legend takes
    texts = _texts(drawn)
    families, lacking = fonts.for_text("".join(text.get_text() for text in texts))
    for text in texts if families or lacking else ():
        if not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *families])
            text.set_text(text.get_text().translate(dict.fromkeys(map(ord, lacking), "□")))
    for text in texts:
        if text.get_text().count("$") > 1 and not _is_formula(text.get_text()):
            text.set_parse_math(False)  # a name with dollars in it
    return drawn if whole else drawn.get_figure()


def _is_formula(text: str) -> bool:
    """Whether matplotlib can set what stands between the dollars of a text."""
    from matplotlib.mathtext import MathTextParser  # noqa: PLC0415

    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def _texts(drawn) -> list:
    """All texts of axes or of a figure, tick labels among them."""
    from matplotlib.text import Text  # noqa: PLC0415

    for axes in (
        drawn.axes if isinstance(drawn.axes, list) else [drawn]
    ):  # the text of tick labels is made when asked for
        for axis in (axes.xaxis, axes.yaxis):
            axis.get_ticklabels(which="both")
    return [text for text in drawn.findobj(Text) if text.get_text()]


def grid(count: int, columns: int | None = None) -> tuple[int, int]:
    """Rows and columns for so many small pictures: about square, a little wider than high.

    >>> from flambeau.viz.style import grid
    >>> grid(6), grid(64), grid(10, columns=4)
    ((2, 3), (8, 8), (3, 4))
    """
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    return math.ceil(count / columns), columns


def shorten(name: Any, most: int = 24) -> str:
    """A name on one line, in at most so many columns; Chinese characters take two.

    >>> from flambeau.viz.style import shorten
    >>> shorten("encoder.layers.11.self_attn.out_proj.weight", 24)
    'encoder.laye…proj.weight'
    """
    return shortened(" ".join(str(name).split()), most)


def finite(values: Any) -> np.ndarray:
    """The finite ones of some numbers, flat, in float64."""
    flat = np.asarray(values, np.float64).ravel()
    return flat[np.isfinite(flat)]


def log_scale(axis: Any, values: Any) -> float:
    """Make an axis (`axes.xaxis`, `axes.yaxis`) logarithmic, from one power of ten to another around its values.

    Arguments:
        axis: the axis.
        values: what will be drawn. Zeros, negative numbers, nan and infinities have no place on the axis.
    Returns: the lower end of the axis: where to draw what is too small. Without any positive value the axis runs from
    1e-9 to 10.
    """
    positive = finite(values)
    positive = positive[positive > 0]
    low, high = np.log10([positive.min(), positive.max()]) if len(positive) else (-8.0, 0.0)
    # Ticks beyond 200 would overflow.
    low, high = 10.0 ** max(math.floor(low - 0.1), -200), 10.0 ** min(math.ceil(high + 0.05), 200)
    (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(low, high)
    axis._set_axes_scale("log")  # after the limits: it would look for some in the data, and warn if it finds none
    return low


def legend_above(axes: Any, handles: list | None = None) -> None:
    """A legend in one line above the axes, where it hides nothing; a title goes above it."""
    axes.set_title("", pad=24)
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(-0.01, 1), ncols=6, frameon=False, fontsize=9)


def heat_map(axes: Any, table: np.ndarray, broken: np.ndarray, label: str) -> None:
    """Magnitudes as a map on a logarithmic colour scale: what is zero or not there stays grey, what is broken is red.

    Arguments:
        axes: where to draw.
        table: (rows, columns); zero and nan have no colour.
        broken: where something was nan or infinite.
        label: of the colour scale.
    """
    from matplotlib.colors import ListedColormap, LogNorm  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    axes.set_facecolor("#dddddd")
    positive = finite(table)[finite(table) > 0]
    shown = np.ma.masked_where(~(np.isfinite(table) & (table > 0)) | broken, table)
    ends = (positive.min(), positive.max()) if len(positive) else (1e-8, 1.0)
    norm = LogNorm(ends[0], max(ends[1], ends[0] * 1.01))
    image = axes.imshow(shown, norm=norm, cmap="viridis", aspect="auto", interpolation="nearest")
    axes.get_figure().colorbar(image, ax=axes, label=label)
    if broken.any():
        red = np.ma.masked_where(~broken, broken)
        axes.imshow(red, cmap=ListedColormap([WRONG]), aspect="auto", interpolation="nearest")
    empty = ~broken & ~(np.isfinite(table) & (table > 0))
    marks = [(WRONG, "nan or inf", broken.any()), ("#dddddd", "zero or not there", empty.any())]
    handles = [Patch(color=colour, label=text) for colour, text, there in marks if there]
    if handles:
        legend_above(axes, handles)


def plain_logarithmic(axis: Any) -> None:
    """Make an axis logarithmic as the data has it, with numbers such as 0.02, as few as are needed."""
    from matplotlib.ticker import LogFormatter  # noqa: PLC0415

    axis._set_axes_scale("log")
    for minor in (False, True):
        formatter = LogFormatter(labelOnlyBase=not minor, minor_thresholds=(1.5, 0.5))
        (axis.set_minor_formatter if minor else axis.set_major_formatter)(formatter)


def numbers(values: Any, what: str) -> np.ndarray:
    """Numbers that the user gave (a tensor on any device, an array, a list) as a NumPy array.

    Arguments:
        values: the numbers.
        what: their name in messages.
    Raises TypeError for anything else.
    """
    if hasattr(values, "detach"):  # flambeau's tensors, and PyTorch's
        values = values.detach()
        values = values.resolve_conj().cpu() if hasattr(values, "cpu") else values
        if values.dtype.is_floating_point and values.dtype.itemsize < 4:  # 16-bit and 8-bit floats have no NumPy dtype
            values = values.float()
        return values.numpy()
    if isinstance(values, (list, tuple)) and any(hasattr(v, "detach") for v in values):
        return np.stack([numbers(v, what) for v in values])
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.empty(0, object)
    if array.dtype.kind not in "biufc":
        raise ArgumentTypeError(
            f"{what} cannot be drawn: {type(values).__name__} is not a tensor, an array or a list of numbers",
            why="a picture shows numbers",
            fix="pass a tensor, a NumPy array, or a list whose rows are equally long",
        )
    return array


def png(drawn: Any) -> bytes:
    """A figure as the content of a PNG file."""
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=DPI)
    return out.getvalue()


def svg(drawn: Any) -> str:
    """A figure as an `<svg>` element; the same figure gives the same text."""
    out = io.StringIO()
    with matplotlib().rc_context({"svg.hashsalt": "flambeau"}):
        drawn.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()[out.getvalue().index("<svg") :]
