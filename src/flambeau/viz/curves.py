"""Learning curves: how losses and metrics go over the epochs, training beside validation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError
from . import style

__all__ = ["learning_curves"]

# What the parts of the data are called in names of metrics, and how their lines look.
_PARTS = {"train": "training", "training": "training", "val": "validation", "valid": "validation",
          "validation": "validation", "eval": "validation", "dev": "validation", "test": "test"}  # fmt: skip
_COLOURS = {"training": style.BLUE, "validation": style.RED, "test": style.GREEN}


def learning_curves(
    history: Any,
    *,
    x: Any = None,
    xlabel: str = "epoch",
    log: bool | None = None,
    axes: Any = None,
    title: str | None = None,
) -> Any:
    """Losses and metrics over the epochs, as a figure: one panel for each, training and validation in the same one.

    Arguments:
        history: a dict from names to lists of numbers; or a list of dicts, one for each epoch. `train_loss`, `loss/val`
            and `val_loss` share the panel of `loss`. A list of (x, number) pairs brings its own places. There is a gap
            where a number is nan or inf, and none where it is None: it was not measured.
        x: where the numbers belong, as many as the longest list. Default: 1, 2, 3...
        xlabel: what x is.
        log: whether the vertical axis is logarithmic. Default: for losses that are positive and vary by 30 times.
        axes: as many axes as there are panels. Default: those of a new figure.
        title: of the picture.
    Raises ValueError if there is nothing to draw, TypeError for anything but numbers.

    A dotted line marks the best epoch of the validation loss. Numbers that are not finite are marked at the bottom, and
    counted in the legend.

    >>> from flambeau import viz
    >>> history = {"train_loss": [1.0, 0.5, 0.4], "val_loss": [1.1, 0.7, 0.8], "val_accuracy": [0.5, 0.8, 0.8]}
    >>> figure = viz.learning_curves(history)
    >>> [axes.get_title() for axes in figure.axes]
    ['loss', 'accuracy']
    """
    panels = _panels(_lines(history, x))
    if axes is None:
        rows, columns = style.grid(len(panels), None if len(panels) > 3 else len(panels))
        figure = style.figure(5 * columns, 3.6 * rows)
        places = list(figure.subplots(rows, columns, squeeze=False).flat)
        for unused in places[len(panels) :]:
            unused.set_axis_off()
    else:
        places = [style.axes_of(ax, 0, 0) for ax in np.ravel(np.asarray(axes, object))]
        figure = places[0].get_figure()
        if len(places) != len(panels):
            raise ArgumentError(
                f"there are {len(places)} axes for {len(panels)} panels",
                why="each metric has a panel: " + ", ".join(panels),
                fix=f"pass {len(panels)} axes, or none",
            )
    best = _best(panels)
    for ax, (metric, lines) in zip(places, panels.items()):
        _panel(ax, metric, lines, best, log)
        ax.set_xlabel(xlabel)
    return style.finish(figure, title)


def _lines(history: Any, x: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """name -> (places, numbers)."""
    if (
        isinstance(history, Sequence)
        and not isinstance(history, str)
        and all(isinstance(one, Mapping) for one in history)
    ):
        names = list(dict.fromkeys(name for one in history for name in one))
        history = {name: [one.get(name) for one in history] for name in names}
    if not isinstance(history, Mapping):
        history = getattr(history, "history", None) or getattr(history, "__dict__", history)
    if not isinstance(history, Mapping):
        raise ArgumentTypeError(
            f"learning_curves() takes a dict from names to lists of numbers, not {type(history).__name__}",
            why="each curve needs a name",
            fix='pass `{"train_loss": [...], "val_loss": [...]}`, or a list of dicts, one for each epoch',
        )
    found = {}
    for name, values in history.items():
        numbers = _numbers(str(name), values)
        if numbers is None:
            continue
        if numbers.ndim == 2:
            found[str(name)] = numbers[:, 0], numbers[:, 1]
        else:
            places = np.arange(1, len(values) + 1) if x is None else style.numbers(x, "x").reshape(-1)
            if len(places) < len(values):
                raise ArgumentError(
                    f"x has {len(places)} places for the {len(values)} numbers of {name}",
                    why="each number belongs to one place",
                    fix="give as many, or leave `x` out",
                )
            measured = [k for k, value in enumerate(values) if value is not None]
            found[str(name)] = places[measured], numbers
    if not any(len(numbers) for _, numbers in found.values()):
        raise ArgumentError(
            "there are no numbers to draw",
            why="the history has no curves" if not found else "all lists are empty",
            fix="train at least one epoch first",
        )
    return {name: line for name, line in found.items() if len(line[1])}


def _numbers(name: str, values: Any) -> np.ndarray | None:
    """The numbers of one curve, (N,) or (N, 2); None for what is no list, such as a setting beside the curves."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
        return None
    numbers = style.numbers([value for value in values if value is not None], name)
    if numbers.ndim not in (1, 2) or (numbers.ndim == 2 and numbers.shape[1] != 2) or numbers.dtype.kind == "c":
        raise ArgumentTypeError(
            f"{name} is no curve: its shape is {tuple(numbers.shape)}",
            why="a curve is a list of numbers, or of (x, number) pairs",
            fix="record one number for each epoch: `history[name].append(loss.item())`",
        )
    return numbers.astype(np.float64)


def _panels(lines: dict) -> dict[str, dict[str, tuple]]:
    """metric -> {part of the data: line}."""
    panels: dict[str, dict[str, tuple]] = {}
    for name, line in lines.items():
        words = re.split(r"[_/.\- ]", name)
        parts = [word for word in (words[0], words[-1]) if word.lower() in _PARTS]
        metric, part = name, ""
        if parts and len(words) > 1:
            part = _PARTS[parts[0].lower()]
            metric = name[len(parts[0]) + 1 :] if parts[0] == words[0] else name[: -len(parts[0]) - 1]
        panels.setdefault(metric, {})[part] = line
    for panel in panels.values():
        if "" in panel and len(panel) > 1:  # Keras says `loss` and `val_loss`
            panel.setdefault("training", panel.pop(""))
    return {metric: dict(sorted(panel.items())) for metric, panel in panels.items()}


def _best(panels: dict) -> float | None:
    """Where the validation loss is smallest."""
    places, numbers = panels.get("loss", {}).get("validation", ([], np.empty(0)))
    finite = np.where(np.isfinite(numbers), numbers, np.inf)
    return float(places[finite.argmin()]) if len(numbers) > 1 and np.isfinite(finite).any() else None


def _panel(ax: Any, metric: str, lines: dict[str, tuple], best: float | None, log: bool | None) -> None:
    """One metric."""
    whole = np.concatenate([numbers for _, numbers in lines.values()])
    finite = style.finite(whole)
    if log is None:
        log = "loss" in metric.lower() and len(finite) > 0 and finite.min() > 0 and finite.max() > 30 * finite.min()
    for part, (places, numbers) in lines.items():
        shown = np.where(np.isfinite(numbers) & ((numbers > 0) | (not log)), numbers, np.nan)
        lost = int(np.isnan(shown).sum())
        label = ", ".join(([part] if part else []) + ([f"{lost:,} not finite"] if lost else []))
        colour = _COLOURS.get(part, style.BLUE)
        ax.plot(
            places, shown, label=label or None, color=colour, linewidth=1.6, marker="." if len(places) <= 50 else None
        )
        if lost:
            there = np.asarray(places)[np.isnan(shown)]
            ax.plot(there, np.zeros(lost), "x", color=style.WRONG, transform=ax.get_xaxis_transform(), clip_on=False)
    if log and (finite > 0).any():
        style.plain_logarithmic(ax.yaxis)
    if best is not None:
        ax.axvline(best, color=style.FAINT, linewidth=1, linestyle=":", label=f"best ({best:g})")
    left, right = min(min(p) for p, _ in lines.values()), max(max(p) for p, _ in lines.values())
    ax.set_xlim(left - 0.5, right + 0.5) if right - left < 30 else ax.set_xlim(left, right)
    if left == right:
        ax.set_xticks([left])
    else:
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    if not len(finite):
        ax.set_yticks([])
        ax.text(0.5, 0.5, "no finite number", color=style.WRONG, ha="center", transform=ax.transAxes)
    ax.set_title(style.shorten(metric, 40 if metric.isascii() else 20))  # Chinese letters are twice as wide
    ax.grid(alpha=0.3)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=9)
