"""Where attention looks: the weights of each head as a map, captured from a model or given."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from ..errors import ArgumentError, ShapeError, StateError
from ..nn import Module, MultiheadAttention
from ..widths import wide
from . import capture, style

__all__ = ["attention_maps"]

TOKENS = 64  # more tokens than this are not named
_SIGNATURE = inspect.signature(MultiheadAttention.forward)


def attention_maps(
    model: Any,
    x: Any = None,
    *,
    layer: Any = None,
    tokens: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    sample: int = 0,
    axes: Any = None,
    title: str | None = None,
) -> Any:
    """Attention weights as a figure: one map for each head; rows are queries, columns the keys that they look at.

    Arguments:
        model: a model that has `nn.MultiheadAttention` layers, which is called with `x`; or weights.
        x: the model's input: a tensor, a tuple of arguments or a dict of them.
        layer: which attention layers of the model: names, or modules. Default: all, up to six, a row of maps each.
        tokens: what the queries are; and the keys, if there are as many.
        keys: what the keys are, where they are others.
        sample: which one of the batch.
        axes: as many axes as there are maps. Default: those of a new figure.
        title: of the picture.
    Shapes: weights (L, S), (heads, L, S) or (N, heads, L, S)
    Raises ValueError if the model has no such layer or the tokens do not fit, RuntimeError for other shapes.

    The model is called once, in evaluation mode and without gradients; its layers are asked for the weights of each
    head, whatever the model asks them for, and give the model what it asked for. Queries that may look at nothing
    (all masked) are grey.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> figure = viz.attention_maps(torch.softmax(torch.randn(2, 3, 3), -1), tokens=["the", "cat", "sat"])
    >>> [axes.get_title() for axes in figure.axes[:2]]
    ['head 0', 'head 1']
    """
    given = not isinstance(model, Module)
    rows = [("", _heads(model, sample, "weights"))] if given else _captured(model, x, layer, sample)
    queries, count = rows[0][1].shape[1:]
    if keys is None and queries == count:
        keys = tokens
    _match(tokens, keys, queries, count)
    top = max(float(style.finite(maps).max(initial=0)) for _, maps in rows) or 1.0
    shown = [*(tokens or () if queries <= TOKENS else ()), *(keys or () if count <= TOKENS else ())]
    longest = max((wide(_label(name)) for name in shown), default=0)
    places = _new_axes(rows, longest) if axes is None else _given_axes(rows, axes)
    for line, (name, maps) in enumerate(rows):
        for head, weights in enumerate(maps):
            ax, first, last = places[line][head]
            image = _map(ax, weights, top)
            ax.set_title(f"head {head}" if len(maps) > 1 else "", fontsize=9)
            _name(ax, weights.shape, tokens if first else None, keys if last else None)
            ax.tick_params(labelleft=first, labelbottom=last)
            if first:
                ax.set_ylabel(f"{style.shorten(name, 30)}\nquery" if name else "query", fontsize=9)
            if last:
                ax.set_xlabel("key", fontsize=9)
    every = [ax for line in places for ax, _, _ in line]
    figure = every[0].get_figure()
    figure.colorbar(image, ax=every, label="attention weight", aspect=30, fraction=0.03, shrink=0.9)
    return style.finish(figure, title)


def _new_axes(rows: list[tuple[str, np.ndarray]], longest: int) -> list[list[tuple[Any, bool, bool]]]:
    """For each map its axes, whether it is the first of its line, and whether it is the last of its column.

    `longest` is the width of the longest name beside a map, in Latin letters: there has to be room for it.
    """
    heads, (queries, keys) = max(len(maps) for _, maps in rows), rows[0][1].shape[1:]
    columns = heads if len(rows) > 1 else style.grid(heads)[1]
    side = float(np.clip(0.17 * queries, 1.8, 4.5) if heads * len(rows) > 1 else np.clip(0.28 * queries, 2.5, 9))
    wide = float(np.clip(side * keys / queries, 1, 12))
    lines = [min(columns, len(maps) - k) for _, maps in rows for k in range(0, len(maps), columns)]
    labels = 0.4 + 0.075 * longest
    figure = style.figure(columns * wide + labels + 1.2, len(lines) * (side + 0.3) + labels + 0.3)
    grid = figure.subplots(len(lines), columns, squeeze=False)
    places = []
    for line, count in enumerate(lines):
        for ax in grid[line][count:]:
            ax.set_axis_off()
        last = [line + 1 == len(lines) or lines[line + 1] <= k for k in range(count)]
        places += [(grid[line][k], k == 0, last[k]) for k in range(count)]
    ends = np.cumsum([len(maps) for _, maps in rows])
    return [places[end - len(maps) : end] for end, (_, maps) in zip(ends, rows)]


def _given_axes(rows: list[tuple[str, np.ndarray]], axes: Any) -> list[list[tuple[Any, bool, bool]]]:
    """The same for axes of the user's."""
    flat = [style.axes_of(ax, 0, 0) for ax in np.ravel(np.asarray(axes, object))]
    count = sum(len(maps) for _, maps in rows)
    if len(flat) != count:
        raise ArgumentError(
            f"there are {len(flat)} axes for {count} maps",
            why="every head has a map",
            fix=f"pass {count} axes, or none",
        )
    rest = iter(flat)
    return [[(next(rest), True, True) for _ in maps] for _, maps in rows]


def _map(ax: Any, weights: np.ndarray, top: float) -> Any:
    """One map; what is not finite is grey."""
    ax.set_facecolor("#dddddd")
    return ax.imshow(np.ma.masked_invalid(weights), cmap="Blues", vmin=0, vmax=top, interpolation="nearest")


def _name(ax: Any, shape: tuple[int, ...], tokens: Any, keys: Any) -> None:
    """Name the queries and keys, or number them."""
    for names, count, axis in ((tokens, shape[0], ax.yaxis), (keys, shape[1], ax.xaxis)):
        if names is None or count > TOKENS:
            axis.get_major_locator().set_params(integer=True, min_n_ticks=1)
            continue
        axis.set_ticks(range(count), [_label(name) for name in names], fontsize=7 if count > 12 else 8)
        if axis is ax.xaxis:
            ax.tick_params(axis="x", rotation=90)


def _label(name: Any) -> str:
    """A token as it is written beside a map; blanks as what they are."""
    return style.shorten(str(name) if str(name).strip() else repr(name)[1:-1].replace(" ", "␣"), 14)


def _match(tokens: Any, keys: Any, queries: int, count: int) -> None:
    """Check that there is a name for each query and each key."""
    if tokens is not None and len(tokens) != queries:
        raise ArgumentError(
            f"there are {len(tokens)} names for {queries} queries",
            why="each token is named, special ones and padding too",
            fix="give the names in the order of the sequence",
        )
    if keys is not None and len(keys) != count:
        raise ArgumentError(
            f"there are {len(keys)} names for {count} keys",
            why="each token is named, special ones and padding too",
            fix="give the names in the order of the sequence",
        )


def _heads(weights: Any, sample: int, what: str) -> np.ndarray:
    """Weights (heads, L, S) of one sample."""
    array = style.numbers(weights, what).astype(np.float64)
    if array.ndim == 4 and len(array):
        if not -len(array) <= sample < len(array):
            raise ArgumentError(
                f"sample {sample} is not in a batch of {len(array)}",
                why="one sample is shown",
                fix="use `sample=0`, the first",
            )
        array = array[sample]
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or 0 in array.shape:
        raise ShapeError(
            f"attention weights of shape {tuple(array.shape)} cannot be shown",
            why="they are (L, S), (heads, L, S) or (N, heads, L, S)",
            fix="ask for the weights of each head: `attention(q, k, v, average_attn_weights=False)[1]`",
        )
    return array


def _captured(model: Any, x: Any, layer: Any, sample: int) -> list[tuple[str, np.ndarray]]:
    """(name, weights of each head) of the model's attention layers."""
    model = capture.module(model, "attention_maps")
    every = [(name, part) for name, part in capture.named(model) if isinstance(part, MultiheadAttention)]
    chosen = capture.spread(every, 6) if layer is None else capture.find(model, layer)
    if not chosen or not all(isinstance(part, MultiheadAttention) for _, part in chosen):
        raise ArgumentError(
            "the model has no `nn.MultiheadAttention`"
            if layer is None
            else "the layer that was chosen is no `nn.MultiheadAttention`",
            why="only this layer can be asked for its weights",
            fix="return the weights from your own attention, and pass them: `viz.attention_maps(weights)`",
        )
    if x is None:
        raise ArgumentError(
            "the model needs an input",
            why="attention depends on what it looks at",
            fix="call `viz.attention_maps(model, x)`",
        )
    found: dict[str, Any] = {}
    asked: dict[str, tuple[bool, bool]] = {}

    def before(name):
        def hook(module, args, kwargs):
            bound = _SIGNATURE.bind(module, *args, **kwargs)
            bound.apply_defaults()
            asked[name] = bound.arguments["need_weights"], bound.arguments["average_attn_weights"]
            bound.arguments.update(need_weights=True, average_attn_weights=False)
            return bound.args[1:], bound.kwargs

        return hook

    def after(name):
        def hook(module, args, kwargs, result):
            output, weights = result
            found[name] = weights if weights.ndim == 4 else weights[None]
            needed, averaged = asked[name]
            return output, (weights.mean(-3) if averaged else weights) if needed else None

        return hook

    with ExitStack() as hooks:
        for name, part in chosen:
            hooks.enter_context(part.register_forward_pre_hook(before(name), with_kwargs=True))
            hooks.enter_context(part.register_forward_hook(after(name), with_kwargs=True))
        with capture.looking(model):
            capture.call(model, x)
    if not found:
        raise StateError(
            "no attention layer was called",
            why="the model's forward did not call " + chosen[0][0],
            fix="choose the layer that is called with `layer=`",
        )
    return [(name, _heads(found[name], sample, name)) for name, _ in chosen if name in found]
