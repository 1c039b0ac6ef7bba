"""Gradient flow: how large the gradients of a network's parameters are, layer by layer, now or over time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, GradientError
from ..nn import Module, Parameter
from ..tensor import Tensor
from . import style

__all__ = ["gradient_flow"]


@dataclass
class Size:
    """How large the gradients of one row of the picture are: of one parameter, or of several together."""

    name: str
    count: int = 0  # finite elements
    total: float = 0.0  # of their magnitudes
    largest: float = 0.0
    nans: int = 0
    infinite: int = 0
    missing: int = 0  # parameters that have no gradient,
    frozen: int = 0  # and those that were told to have none
    parameters: int = 1

    @property
    def mean(self) -> float:
        """The mean magnitude; nan if there is no finite element."""
        return self.total / self.count if self.count else float("nan")

    def remark(self) -> tuple[str, str]:
        """(what is wrong, in words; the colour to write it in), or ("", "")."""
        if self.nans or self.infinite:
            parts = [f"{n:,} {what}" for n, what in ((self.nans, "nan"), (self.infinite, "inf")) if n]
            return " and ".join(parts), style.WRONG
        if self.frozen == self.parameters:
            return "frozen (requires_grad=False)", style.FAINT
        if self.missing + self.frozen == self.parameters:
            return "no gradient", style.PURPLE
        if self.largest == 0:
            return "all zero" if self.count else "empty", style.PURPLE
        return (f"{self.missing} of {self.parameters} without gradient", style.PURPLE) if self.missing else ("", "")


def measure(name: str, gradient: Any) -> Size:
    """The size of one gradient; None is a missing one."""
    if gradient is None:
        return Size(name, missing=1)
    values = np.abs(style.numbers(gradient, name))
    finite = values[np.isfinite(values)].astype(np.float64)
    nans = int(np.isnan(values).sum())
    largest = float(finite.max()) if finite.size else 0.0
    return Size(name, finite.size, float(finite.sum()), largest, nans, values.size - finite.size - nans)


def joined(name: str, sizes: list[Size]) -> Size:
    """Several sizes as one."""
    whole = Size(name, largest=max(size.largest for size in sizes))
    for field in ("count", "total", "nans", "infinite", "missing", "frozen", "parameters"):
        setattr(whole, field, sum(getattr(size, field) for size in sizes))
    return whole


def gradient_flow(model: Any, *, bias: bool = False, rows: int = 80, ax: Any = None, title: str | None = None) -> Any:
    """The mean and the largest |gradient| of every parameter, as a figure; call it after `loss.backward()`.

    The layers come in the model's order, from the input at the top to the output at the bottom, on a logarithmic
    scale. In a healthy network the bars are about equally long. Bars that become shorter and shorter towards the top
    are vanishing gradients, bars that become longer are exploding ones. Parameters without a gradient, with nothing but
    zeros, and with nan or inf are named so.

    Arguments:
        model: a module; or (name, parameter) pairs such as `model.named_parameters()`; or a dict from names to
            parameters or gradients. If the dict holds lists, these are gradients (or their magnitudes) recorded over
            time, and the figure is a map of their mean magnitude: layers down, time across.
        bias: show biases, too.
        rows: with more parameters than this, those of a block share a row.
        ax: axes to draw into. Default: those of a new figure.
        title: of the picture.
    Raises RuntimeError if no parameter has a gradient; ValueError if there is no parameter.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> model(torch.randn(16, 4)).square().mean().backward()
    >>> figure = viz.gradient_flow(model)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['0.weight', '2.weight']
    """
    if not isinstance(rows, int) or rows < 1:
        raise ArgumentError(
            f"gradient_flow(rows={rows!r}) is not a number of rows",
            why="a picture has at least one row",
            fix="use `rows=80`, or leave it out",
        )
    named = [(name.replace("_orig_mod.", ""), value) for name, value in _named(model)]
    named = [pair for pair in named if bias or not pair[0].rpartition(".")[2].startswith("bias")] or named
    if not named:
        raise ArgumentError(
            "there is no parameter whose gradient could be shown",
            why="the model has no parameters" if isinstance(model, Module) else "the names and parameters are empty",
            fix="pass a model that has layers with weights, or its `named_parameters()`",
        )
    if any(_recorded(value) for _, value in named):
        return _over_time({name: value if _recorded(value) else [value] for name, value in named}, rows, ax, title)
    sizes = [_size(name, value) for name, value in named]
    if all(size.missing + size.frozen for size in sizes):
        raise GradientError(
            "no parameter has a gradient",
            why="`.grad` is None until a backward pass has been run, and again after `optimizer.zero_grad()`",
            fix="call `loss.backward()` first, and `viz.gradient_flow(model)` before the gradients are cleared",
        )
    return _bars([_joined(sizes, *group) for group in groups([size.name for size in sizes], rows)], ax, title)


def _named(model: Any) -> Iterator[tuple[str, Any]]:
    """(name, parameter or gradient) of whatever the user gave."""
    if isinstance(model, Module):
        model = model.named_parameters()
    elif isinstance(model, Mapping):
        model = model.items()
    if isinstance(model, str) or not isinstance(model, Iterable):
        raise ArgumentTypeError(
            f"gradient_flow() takes a model, named parameters or a dict of gradients, not {type(model).__name__}",
            why="each bar needs a name and a gradient",
            fix="pass the model, or `model.named_parameters()`",
        )
    for k, pair in enumerate(model):
        yield (str(pair[0]), pair[1]) if isinstance(pair, tuple) and len(pair) == 2 else (f"parameter {k}", pair)


def _recorded(value: Any) -> bool:
    """Whether this is a list of gradients over time."""
    return isinstance(value, (list, tuple))


def _size(name: str, value: Any) -> Size:
    """The size of a parameter's gradient, or of a gradient itself."""
    if not (isinstance(value, Tensor) and (isinstance(value, Parameter) or (value.is_leaf and value.requires_grad))):
        return measure(name, value)
    size = measure(name, value.grad)
    if not value.requires_grad and size.missing:
        size.missing, size.frozen = 0, 1
    return size


def groups(names: list[str], rows: int) -> list[tuple[str, list[int]]]:
    """(name, numbers of the parameters) of at most so many rows: blocks as small as possible, in the model's order.

    >>> from flambeau.viz.gradients import groups
    >>> groups(["block1.conv.weight", "block1.norm.weight", "head.weight"], 2)
    [('block1', [0, 1]), ('head', [2])]
    """
    parts = [name.split(".") for name in names]
    for depth in range(max(map(len, parts)), 0, -1):
        found: list[tuple[str, list[int]]] = []
        for k, part in enumerate(parts):
            name = ".".join(part[:depth])
            if found and found[-1][0] == name:
                found[-1][1].append(k)
            else:
                found.append((name, [k]))
        if len(found) <= rows:
            return found
    size = -(-len(names) // rows)  # one level of many layers: neighbours share a row
    runs = [list(range(k, min(k + size, len(names)))) for k in range(0, len(names), size)]
    return [(f"{names[run[0]]} to {names[run[-1]]}", run) for run in runs]


def _joined(sizes: list[Size], name: str, numbers: list[int]) -> Size:
    return sizes[numbers[0]] if len(numbers) == 1 else joined(name, [sizes[k] for k in numbers])


def _bars(sizes: list[Size], ax: Any, title: str | None) -> Any:
    """The picture of one backward pass."""
    axes = style.axes_of(ax, 8, 1.3 + 0.22 * len(sizes))
    rows = np.arange(len(sizes))
    low = style.log_scale(axes.xaxis, [[size.mean, size.largest] for size in sizes])
    largest, mean = (np.array([getattr(size, part) for size in sizes]) for part in ("largest", "mean"))
    for values, colour, height, label in (
        (largest, style.CYAN, 0.8, "largest |gradient|"),
        (mean, style.BLUE, 0.45, "mean |gradient|"),
    ):
        shown = np.where(np.isfinite(values) & (values > low), values, low)
        axes.barh(rows, shown - low, height, left=low, color=colour, label=label)
    for row, size in enumerate(sizes):
        words, colour = size.remark()
        if words:
            beside = max(size.largest, low) if np.isfinite(size.largest) else low
            axes.annotate(
                words, (beside, row), (4, 0), textcoords="offset points", va="center", fontsize=8, color=colour
            )
            axes.axhspan(row - 0.5, row + 0.5, color=colour, alpha=0.12, linewidth=0)
    _rows_named(axes, [size.name for size in sizes])
    axes.set_xlabel("|gradient|")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    style.legend_above(axes)
    return style.finish(axes, title)


def _over_time(recorded: dict[str, Any], rows: int, ax: Any, title: str | None) -> Any:
    """The picture of many backward passes."""
    length = max(map(len, recorded.values()))
    if not length:
        raise ArgumentError(
            "the lists of recorded gradients are empty",
            why="nothing was recorded yet",
            fix="record after `loss.backward()`, or pass the model itself to see its gradients now",
        )
    sizes = [[measure(name, value) for value in values] for name, values in recorded.items()]
    shared = groups(list(recorded), rows)
    table = np.full((len(shared), length), np.nan)
    broken = np.zeros_like(table, bool)
    for row, (name, numbers) in enumerate(shared):
        for step in range(length):
            there = [sizes[k][step] for k in numbers if step < len(sizes[k])]
            if there:
                size = joined(name, there)
                table[row, step] = size.mean
                broken[row, step] = size.nans + size.infinite > 0
    axes = style.axes_of(ax, 8, 1.5 + 0.22 * len(shared))
    style.heat_map(axes, table, broken, "mean |gradient|")
    _rows_named(axes, [name for name, _ in shared])
    axes.set_xlabel("record")
    return style.finish(axes, title)


def _rows_named(axes: Any, names: list[str]) -> None:
    """Name the rows of a picture, the first at the top."""
    axes.set_yticks(range(len(names)), [style.shorten(name, 40) for name in names], fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
