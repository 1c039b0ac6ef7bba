"""The loss around a network's parameters: slices along random directions, and the way from one network to another.

Random directions are scaled filter by filter to the length of the weights (Li et al., "Visualizing the loss landscape
of neural nets", 2018): without that, a network with larger weights would look flatter than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..compiler import set_stance
from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from ..nn import Module
from ..ops.from_data import from_numpy
from ..tensor import Tensor
from . import capture, preserve, style

__all__ = ["loss_landscape"]


def loss_landscape(
    model: Any,
    loss_fn: Callable,
    inputs: Any = None,
    targets: Any = None,
    *,
    dimensions: int = 1,
    end: Any = None,
    span: float = 1.0,
    steps: int | None = None,
    seed: int = 0,
    log: bool | None = None,
    surface: bool = False,
    ax: Any = None,
    title: str | None = None,
) -> Any:
    """The loss along one or two directions through the parameters, as a figure.

    Arguments:
        model: the model. It is called in the mode that it is in: `model.eval()` fixes batch normalisation and dropout.
        loss_fn: the loss of (outputs, targets), called with `inputs` and `targets`; or a function without arguments
            that calls the model itself and returns the loss, if there are no `inputs`.
        inputs, targets: one batch. A tuple of inputs is passed as arguments, a dict by name.
        dimensions: 1 for a curve, 2 for a map.
        end: another model, or its state dict: the curve runs from the model (0) to this one (1), and a quarter beyond.
        span: how far to go along random directions; 1 is as far as the weights are long.
        steps: points along each direction. Default: 51, or 25 x 25.
        seed: of the random directions. Biases and normalisation layers stay as they are.
        log: whether losses are on a logarithmic scale. Default: where they are positive and vary by 100 times.
        surface: draw two dimensions as a surface in space.
        ax: axes to draw into; for a surface, axes with `projection="3d"`. Default: those of a new figure.
        title: of the picture.
    Raises ValueError if the model has no parameters, or the loss is not one number. What the model raises comes
    through as it is.

    Parameters, buffers, gradients, modes and random states are the same afterwards, bit for bit, also after an
    error. Every point is computed with the same random numbers. Where the loss is nan or infinite, there is a gap, or
    grey. On the way to `end`, the buffers (the statistics of batch normalisation) go no further than the ends.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> model, x = torch.nn.Linear(2, 1), torch.randn(8, 2)
    >>> figure = viz.loss_landscape(model, torch.nn.functional.mse_loss, x, torch.zeros(8, 1), steps=5)
    >>> figure.axes[0].get_xlabel()
    'distance along a random direction'
    """
    style.matplotlib()  # not after all the work
    model = capture.module(model, "loss_landscape")
    steps = steps or (51 if dimensions == 1 else 25)
    if dimensions not in (1, 2) or not isinstance(steps, int) or steps < 2:
        raise ArgumentError(
            f"dimensions={dimensions} and steps={steps} make no picture",
            why="a landscape has 1 or 2 dimensions and a whole number of steps along each, at least 2",
            fix="use `dimensions=1` for a curve or `dimensions=2` for a map",
        )
    if not 0 < span < np.inf:
        raise ArgumentError(
            f"span={span} is no distance",
            why="it says how far to go from the model along each direction",
            fix="use `span=1`, which is as far as the weights are long",
        )
    if dimensions == 2 and end is not None:
        raise ArgumentError(
            "the way to `end` has one dimension, not 2",
            why="two models make a line",
            fix="leave out `dimensions`, or leave out `end` to see two random directions",
        )
    if dimensions == 1 and surface:
        raise ArgumentError("a surface has 2 dimensions", why="a slice is a curve", fix="use `dimensions=2`")
    if not callable(loss_fn):
        raise ArgumentTypeError(
            f"loss_fn is {type(loss_fn).__name__}, which cannot be called",
            why="the loss is computed anew at every point",
            fix="pass the function, not its result: `lambda: loss_fn(model(x), y)`",
        )

    def loss() -> float:
        if inputs is None:
            return _number(loss_fn())
        outputs = capture.call(model, inputs)
        return _number(loss_fn(outputs) if targets is None else loss_fn(outputs, targets))

    rng = np.random.RandomState(seed)
    ways = [_random_way(model, rng) for _ in range(dimensions)] if end is None else [_way_to(model, end)]
    along = np.linspace(-span, span, steps) if end is None else np.linspace(-0.25, 1.25, steps)
    points = [(a,) for a in along] if dimensions == 1 else [(a, b) for b in along for a in along]
    with _unchanged(model):
        losses = np.array([_at(model, ways, point, loss) for point in points])
    finite = style.finite(losses)
    if log is None:
        log = len(finite) > 0 and finite.min() > 0 and finite.max() > 100 * finite.min()
    if dimensions == 1:
        return _curve(along, losses, log, end is not None, ax, title)
    draw = _surface if surface else _map
    return draw(along, losses.reshape(steps, steps), log, ax, title)


def _number(loss: Any) -> float:
    """A loss as a number."""
    if getattr(loss, "numel", lambda: 1)() != 1 or isinstance(loss, (str, tuple, list, dict)) or loss is None:
        raise ArgumentError(
            f"the loss has shape {tuple(loss.shape)} and is no single number"
            if isinstance(loss, Tensor)
            else f"the loss is no number but {type(loss).__name__}",
            why="each point of the landscape has one height",
            fix='reduce it: `loss.mean()`, or `reduction="mean"`',
        )
    return float(loss)


def _random_way(model: Module, rng: np.random.RandomState) -> dict[str, np.ndarray]:
    """A random direction, each filter (row of a weight) as long as the filter itself."""
    way = {}
    for name, parameter in model.named_parameters():
        values = style.numbers(parameter, name)
        if values.ndim < 2 or not values.size:
            continue
        step = rng.standard_normal(values.shape)
        lengths = [np.linalg.norm(v.reshape(len(v), -1).astype(np.float64), axis=1) for v in (values, step)]
        way[name] = step * (lengths[0] / lengths[1]).reshape(-1, *[1] * (values.ndim - 1))
    if not way:
        raise ArgumentError(
            "the model has no weights to vary",
            why="directions go through parameters of two or more dimensions; biases and normalisation stay as they are",
            fix="pass a model that has layers with weights",
        )
    return way


def _way_to(model: Module, end: Any) -> dict[str, np.ndarray]:
    """The direction from a model's parameters and buffers to others'."""
    state = end.state_dict() if isinstance(end, Module) else end
    if not isinstance(state, Mapping):
        raise ArgumentTypeError(
            f"end is {type(end).__name__}",
            why="the way ends at another model's parameters",
            fix="pass the model, or its `state_dict()`",
        )
    way, own = {}, model.state_dict()
    for name, value in own.items():
        there = state.get(name)
        if there is None or tuple(there.shape) != tuple(value.shape):
            raise ShapeError(
                f"{name} is missing at the end of the way"
                if there is None
                else f"{name} has shape {tuple(value.shape)}, and {tuple(there.shape)} at the end of the way",
                why="both ends have to be parameters of the same model",
                fix="copy the state at both times: `copy.deepcopy(model.state_dict())`",
            )
        if value.is_floating_point():
            way[name] = style.numbers(there, name).astype(np.float64) - style.numbers(value, name)
    return way


@contextmanager
def _unchanged(model: Module):
    """Modes and gradients as they were, also after an error; eager all the while."""
    kept = [(parameter, parameter.grad) for parameter in model.parameters()]
    with preserve.modes(model), preserve.unnoticed(), set_stance("force_eager"), no_grad():
        for parameter, _ in kept:
            parameter.grad = None
        try:
            yield
        finally:
            for parameter, grad in kept:
                parameter.grad = grad


def _at(model: Module, ways: list[dict[str, np.ndarray]], point: tuple[float, ...], loss: Callable[[], float]) -> float:
    """The loss at a point."""
    parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
    tensors = {**parameters, **buffers}
    with preserve.memory(tensors.values()), preserve.random_states():
        for way, distance in zip(ways, point):
            for name, step in way.items():
                far = distance if name in parameters else min(max(distance, 0), 1)
                if far:
                    tensor = tensors[name]
                    tensor.data = tensor.data + from_numpy(far * step).to(tensor.dtype)
        return loss()


def _curve(along: np.ndarray, losses: np.ndarray, log: bool, ended: bool, ax: Any, title: str | None) -> Any:
    """One dimension."""
    axes = style.axes_of(ax, 6.4, 3.8)
    shown = np.where(np.isfinite(losses) & ((losses > 0) | (not log)), losses, np.nan)
    axes.plot(along, shown, color=style.BLUE, linewidth=1.8, marker="." if len(along) <= 60 else None)
    bad = np.isnan(shown)
    if bad.any():
        label = f"nan, infinite{' or not positive' if log else ''} at {bad.sum()} of {len(bad)} points"
        at_bottom = axes.get_xaxis_transform()
        axes.plot(
            along[bad], np.zeros(bad.sum()), "x", color=style.WRONG, transform=at_bottom, clip_on=False, label=label
        )
    for place, name in ((0, "start"), (1, "end")) if ended else ((0, "the model"),):
        axes.axvline(place, color=style.FAINT, linestyle=":", linewidth=1)
        axes.annotate(name, (place, 1), (3, -3), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
                      va="top", fontsize=9)  # fmt: skip
    if log and not bad.all():
        style.plain_logarithmic(axes.yaxis)
    if bad.all():
        axes.set_yticks([])
    if bad.any():
        axes.legend(fontsize=9)
    axes.set(xlabel="from start (0) to end (1)" if ended else "distance along a random direction", ylabel="loss")
    axes.grid(alpha=0.3)
    return style.finish(axes, title)


def _map(along: np.ndarray, losses: np.ndarray, log: bool, ax: Any, title: str | None) -> Any:
    """Two dimensions: colours, and lines of equal loss."""
    style.matplotlib()
    from matplotlib.colors import LogNorm, Normalize  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    axes = style.axes_of(ax, 5.8, 4.8)
    axes.set_facecolor("#dddddd")
    shown = np.ma.masked_where(~np.isfinite(losses) | ((losses <= 0) & log), losses)
    low, high = (float(shown.min()), float(shown.max())) if shown.count() else (0.0, 1.0)
    flat = high <= low
    norm = LogNorm(low, high) if log and not flat else Normalize(low, high if not flat else low + 1)
    image = axes.pcolormesh(along, along, shown, norm=norm, cmap="viridis", shading="nearest", rasterized=True)
    if not flat:
        levels = (np.geomspace if log else np.linspace)(low, high, 14)[1:-1]
        axes.contour(along, along, shown, levels=levels, colors="white", linewidths=0.7, alpha=0.8)
    axes.plot(0, 0, "o", color="white", markeredgecolor="black", label="the model")
    handles = [axes.lines[-1]]
    if shown.count() < shown.size:
        handles.append(Patch(color="#dddddd", label="nan or infinite" + (" or not positive" if log else "")))
    style.legend_above(axes, handles)
    axes.set(xlabel="first random direction", ylabel="second random direction", aspect="equal")
    axes.get_figure().colorbar(image, ax=axes, label="loss")
    return style.finish(axes, title)


def _surface(along: np.ndarray, losses: np.ndarray, log: bool, ax: Any, title: str | None) -> Any:
    """Two dimensions in space."""
    axes = style.figure(6.4, 5.2).add_subplot(projection="3d") if ax is None else ax
    if not hasattr(axes, "plot_surface"):
        raise ArgumentTypeError(
            "ax has no third dimension",
            why="a surface is drawn in space",
            fix='use `figure.add_subplot(projection="3d")`',
        )
    shown = np.where(np.isfinite(losses) & ((losses > 0) | (not log)), losses, np.nan)
    x, y = np.meshgrid(along, along)
    with np.errstate(all="ignore"):
        heights = np.log10(shown) if log else shown
    if np.isfinite(heights).any():
        ends = {"vmin": np.nanmin(heights), "vmax": np.nanmax(heights)}
        axes.plot_surface(x, y, heights, cmap="viridis", rcount=60, ccount=60, linewidth=0, **ends)
    else:
        axes.text2D(0.5, 0.5, "no finite loss", color=style.WRONG, ha="center", transform=axes.transAxes)
    axes.set(xlabel="first random direction", ylabel="second random direction", zlabel="log10 loss" if log else "loss")
    return style.finish(axes, title)
