"""`Recorder`: how the numbers inside a network are spread while it trains, kept as small histograms."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..autograd import is_grad_enabled
from ..compiler import set_stance
from ..compiler.function import Compiled
from ..errors import ArgumentError, ArgumentTypeError, StateError
from ..nn import Dropout, Flatten, Identity, Module, MultiheadAttention, ReLU, ReLU6, Threshold
from ..optim import Optimizer
from ..optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from ..tensor import Tensor
from . import capture, preserve, style

__all__ = ["Recorder"]

BINS = 64
SAMPLE = 1 << 13  # elements of a tensor that are looked at: more change no picture
_DULL = (Identity, Flatten, Dropout)  # what comes out is what went in
_RECTIFIERS = (ReLU, ReLU6, Threshold)


@dataclass(frozen=True)
class Spread:
    """How some numbers are spread: counts in equal bins from `low` to `high`, and what else is drawn of them.

    Attributes: broken: the share that is nan or infinite; mean, std, size (the mean magnitude): of the others.
    """

    low: float
    high: float
    counts: np.ndarray
    mean: float
    std: float
    size: float
    broken: float

    @classmethod
    def of(cls, array: np.ndarray, log: bool = False) -> Spread:
        """Of a sample of an array; `log`: of the powers of ten of the magnitudes, without zeros."""
        flat = array.reshape(-1)
        if flat.size > SAMPLE:
            flat = flat[:: flat.size // SAMPLE | 1]  # an odd stride meets all channels
        finite = flat[np.isfinite(flat)].astype(np.float64)
        broken = 1 - finite.size / max(flat.size, 1) if flat.size else 0.0
        size = float(np.abs(finite).mean()) if finite.size else float("nan")
        if log:
            finite = np.log10(np.abs(finite[finite != 0]))
        if not finite.size:
            return cls(0.0, 0.0, np.zeros(BINS, np.int32), float("nan"), float("nan"), size, broken)
        low, high = float(finite.min()), float(finite.max())
        wide = high if high > low else low + max(abs(low), 1e-30) * 1e-6
        counts = np.histogram(finite, BINS, (low, wide))[0].astype(np.int32)
        return cls(low, wide, counts, float(finite.mean()), float(finite.std()), size, broken)

    def between(self, edges: np.ndarray) -> np.ndarray:
        """The share of the numbers in other bins."""
        own = np.linspace(self.low, self.high, BINS + 1)
        below = np.concatenate([[0], np.cumsum(self.counts)]) / max(self.counts.sum(), 1)
        return np.diff(np.interp(edges, own, below))


class Recorder:
    """Records activations, weights, gradients and updates of a network while it trains; figures show them over time.

    In every tenth step (`every`), a histogram is made of each layer's output, of each weight and of its gradient, and
    the size of each weight's update in proportion to the weight. `activation_histograms`, `weight_histograms`,
    `gradient_histograms`, `update_ratios` and `dead_units` draw what was recorded.

    Arguments:
        model: the model. The outputs of its innermost modules are looked at, in calls that build a graph.
        optimizer: the one that trains it. Default: whichever steps the model's parameters first.
        every: record one step in so many, the first one to begin with.
        keep: records kept at most. When there are more, every second one is dropped, and half as many are made from
            then on: the whole training is covered, and memory is bounded.
        layers: names or modules whose outputs are recorded. Default: all.

    Use it as a context manager, or call `close()`: it works through hooks, which are then removed. In a loop that has
    no optimizer, call `step()` after each backward pass. A compiled model runs eagerly in the steps that are recorded;
    a compiled step that contains the optimizer's step runs eagerly as long as a recorder is open.

    >>> import flambeau as torch
    >>> from flambeau import viz
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> with viz.Recorder(model, optimizer, every=2) as recorder:
    ...     for step in range(5):
    ...         optimizer.zero_grad()
    ...         model(torch.randn(16, 4)).square().mean().backward()
    ...         optimizer.step()
    >>> recorder.steps
    [0, 2, 4]
    >>> figure = viz.update_ratios(recorder)
    """

    def __init__(
        self, model: Any, optimizer: Optimizer | None = None, every: int = 10, keep: int = 200, layers: Any = None
    ):
        if every < 1 or keep < 2:
            raise ArgumentError(
                f"every={every} and keep={keep} record nothing",
                why="one step in `every` is recorded, and two records at least are kept",
                fix="use `every=10, keep=200`",
            )
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise ArgumentTypeError(
                f"optimizer is {type(optimizer).__name__}",
                why="its steps are what is counted",
                fix="pass the optimizer, or leave it out and call `recorder.step()` after each backward pass",
            )
        self.model = capture.module(model, "Recorder")
        self.every, self.keep = every, keep
        self.steps: list[int] = []
        self.activations: dict[str, list[Spread | None]] = {}
        self.weights: dict[str, list[Spread | None]] = {}
        self.gradients: dict[str, list[Spread | None]] = {}
        self.ratios: dict[str, list[float | None]] = {}
        self.dead: dict[str, list[float | None]] = {}
        self._parameters = {id(p): (name, p) for name, p in self.model.named_parameters()}
        self._layers = capture.find(self.model, layers) if layers is not None else _innermost(self.model)
        self._optimizer = None if optimizer is None else weakref.ref(optimizer)
        self._count = 0
        self._before: dict[str, np.ndarray] = {}
        self._forward: list[Any] = []
        self._stance: set_stance | None = None
        self._in_compiled = False  # whether the optimizer's step is part of a compiled function
        self._now: dict[str, tuple[Spread, float | None]] = {}
        self._counting = [
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ]
        self._arm()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Recorder({type(self.model).__name__}, {len(self.steps)} records, every {self.every} steps)"

    def close(self) -> None:
        """Stop recording, and remove all hooks. What was recorded stays."""
        self._disarm()
        for handle in self._counting:
            handle.remove()
        self._counting = []

    def step(self, lr: float | None = None) -> None:
        """Count a step of a loop that has no optimizer; call it after the backward pass.

        Arguments:
            lr: the learning rate. With it, an update is taken to be lr times the gradient.
        """
        if self._optimizer is not None:
            raise StateError(
                "the optimizer's steps are counted already",
                why="`recorder.step()` is for loops without an optimizer",
                fix="leave the call out",
            )
        if self._due:
            self._look_at_parameters(lambda name, weight, gradient: None if lr is None else -lr * gradient)
            self._keep()
        self._count += 1
        self._arm()

    def gradient_sizes(self) -> dict[str, list[float]]:
        """The mean magnitude of each parameter's gradient in each record, as `gradient_flow` takes it."""
        nothing = float("nan")
        return {name: [nothing if s is None else s.size for s in found] for name, found in self.gradients.items()}

    def label(self, name: str) -> str:
        """What to call a layer in a picture: its name and its class; parameters have only names."""
        kinds = {layer: type(part).__name__ for layer, part in self._layers}
        return f"{name} {kinds[name]}" if name in kinds and name != kinds[name] else name

    # ------------------------------------------------------------------------------------------------- recording

    @property
    def _due(self) -> bool:
        return bool(self._counting) and self._count % self.every == 0

    def _arm(self) -> None:
        """Look at the layers in the coming step, if it is to be recorded; compiled functions are eager in it."""
        self._disarm()
        if self._due:
            with preserve.unnoticed():
                self._forward = [layer.register_forward_hook(self._seen(name, layer)) for name, layer in self._layers]
            self._stance = set_stance("force_eager")
        elif self._in_compiled:  # it would record the counting as part of the step, and replay the step without it
            self._stance = set_stance("eager_on_recompile")

    def _disarm(self) -> None:
        for handle in self._forward:
            handle.remove()
        self._forward, self._now = [], {}
        if self._stance is not None:
            self._stance.__exit__()
            self._stance = None

    def _seen(self, name: str, layer: Module) -> Callable:
        """The hook that looks at a layer's output; the last call before the step counts."""

        def hook(module, args, output):
            output = output[0] if isinstance(output, (tuple, list)) and output else output
            if is_grad_enabled() and isinstance(output, Tensor) and output.is_floating_point():
                array = style.numbers(output, name)
                dead = _dead(array) if isinstance(layer, _RECTIFIERS) else None
                self._now[name] = Spread.of(array), dead

        return hook

    def _is_ours(self, optimizer: Optimizer) -> bool:
        """Whether this optimizer's steps count; the first one that has parameters of the model does."""
        if self._optimizer is None and any(
            id(p) in self._parameters for g in optimizer.param_groups for p in g["params"]
        ):
            self._optimizer = weakref.ref(optimizer)
        return self._optimizer is not None and self._optimizer() is optimizer

    def _before_step(self, optimizer, args, kwargs) -> None:
        if self._is_ours(optimizer) and self._due:
            self._in_compiled = _in_compiled()
            self._before = {name: style.numbers(p, name).copy() for name, p in self._parameters.values()}

    def _after_step(self, optimizer, args, kwargs) -> None:
        if not self._is_ours(optimizer):
            return
        if self._due:
            before, self._before = self._before, {}
            self._look_at_parameters(lambda name, weight, gradient: weight - before[name])
            self._keep()
        self._count += 1
        self._arm()

    def _look_at_parameters(self, update: Callable) -> None:
        """Record weights, gradients and the ratio of updates to weights."""
        place = len(self.steps)
        for name, p in self._parameters.values():
            weight = style.numbers(p, name)
            gradient = None if p.grad is None else style.numbers(p.grad, name)
            change = None if gradient is None else update(name, weight, gradient)
            _put(self.weights, name, place, Spread.of(weight))
            _put(self.gradients, name, place, None if gradient is None else Spread.of(gradient, log=True))
            _put(self.ratios, name, place, None if change is None else _ratio(change, weight))

    def _keep(self) -> None:
        """One record is complete: the layers' outputs join it, and old ones are thinned out."""
        for name, (spread, dead) in self._now.items():
            _put(self.activations, name, len(self.steps), spread)
            if dead is not None:
                _put(self.dead, name, len(self.steps), dead)
        self.steps.append(self._count)
        tables: tuple[dict[str, list], ...] = (self.activations, self.weights, self.gradients, self.ratios, self.dead)
        for table in tables:
            for found in table.values():
                found += [None] * (len(self.steps) - len(found))
        if len(self.steps) > self.keep:
            self.every *= 2
            del self.steps[1::2]
            for table in tables:
                for found in table.values():
                    del found[1::2]


def _innermost(model: Module) -> list[tuple[str, Module]]:
    """The modules that contain no others, other than those that change nothing; attention counts as one."""
    whole = [
        (name, part)
        for name, part in capture.named(model)
        if not isinstance(part, _DULL)
        and (isinstance(part, MultiheadAttention) or not any(True for _ in part.children()))
    ]
    return [(name, part) for name, part in whole if not name.endswith("out_proj")]


def _in_compiled() -> bool:
    """Whether a compiled function is running."""
    frame = sys._getframe()
    while frame is not None and frame.f_code is not Compiled._eager.__code__:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None


def _put(table: dict[str, list], name: str, place: int, value: Any) -> None:
    """Add a value to a table's row; what is missing before it is None."""
    row = table.setdefault(name, [])
    row += [None] * (place - len(row))
    row.append(value)


def _ratio(change: np.ndarray, weight: np.ndarray) -> float:
    """How long an update is in proportion to the weight."""
    length = np.linalg.norm(weight.astype(np.float64))
    return float(np.linalg.norm(change.astype(np.float64)) / length) if length else float("nan")


def _dead(output: np.ndarray) -> float | None:
    """The share of a rectifier's units (channels, or features) that are zero for the whole batch."""
    if output.ndim < 2 or not output.size:
        return None
    unit = 2 if output.ndim == 3 else 1  # (N, L, features), else (N, units, ...)
    return float((~output.any(tuple(d for d in range(output.ndim) if d != unit))).mean())
