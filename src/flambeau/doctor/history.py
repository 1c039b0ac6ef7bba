"""What a watched run has done so far: losses, times, and now and then the size of gradients, weights and updates."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np


class Sample:
    """One sampled step: per parameter the size (root mean square) of gradient, weight and update.

    names: of the parameters; gradient, weight, update: arrays in their order (nan where there was none); zeros: the
    share of exact zeros in the gradient; matrices: which of them have two or more dimensions.
    """

    __slots__ = ("gradient", "matrices", "names", "step", "update", "weight", "zeros")

    def __init__(self, step, names, matrices):
        count = len(names)
        self.step, self.names, self.matrices = step, names, matrices
        self.gradient, self.weight, self.update, self.zeros = (np.full(count, np.nan) for _ in range(4))

    def norm(self, sizes: np.ndarray, counts: np.ndarray) -> float:
        """The norm of everything taken as one vector."""
        return float(np.sqrt(np.nansum(sizes**2 * counts)))

    def ratios(self) -> np.ndarray:
        """|update| / |weight| of the weight matrices that moved and are not zero."""
        with np.errstate(all="ignore"):
            found = (self.update / self.weight)[self.matrices]
        return found[np.isfinite(found)]


class History:
    """The series that rules look at.

    losses: (step, value) of the scalars that backward was called on; validation: (step, value) of losses outside
    training; seconds: wall time of each step; waiting: seconds of it spent in loaders; samples: `Sample`s, the last
    200; rates: (step, learning rates) when sampled.
    """

    def __init__(self):
        self.losses: list[tuple[int, float]] = []
        self.validation: list[tuple[int, float]] = []
        self.seconds: deque[float] = deque(maxlen=1000)
        self.waiting: deque[float] = deque(maxlen=1000)
        self.samples: deque[Sample] = deque(maxlen=200)
        self.rates: list[tuple[int, tuple[float, ...]]] = []
        self.step = 0
        self.start = 0  # where among the losses the present training began: another optimizer, another curve
        self.notes: dict[str, Any] = {}

    def loss(self, step: int, value: float) -> None:
        """Add a training loss; a long series is thinned to every other value of its older half."""
        self.losses.append((step, value))
        if len(self.losses) > 20_000:
            half = len(self.losses) // 2
            self.losses[:half] = self.losses[:half:2]
            self.start = max(0, self.start - half // 2)

    def begins(self) -> None:
        """Another optimizer steps than before: the last loss is the first of its curve."""
        self.start = max(0, len(self.losses) - 1)

    def smoothed(self, weight: float = 0.9) -> list[tuple[int, float]]:
        """The training losses, exponentially averaged (bias corrected), finite ones only, of the present training."""
        total = norm = 0.0
        found = []
        for step, value in self.losses[self.start :]:
            if math.isfinite(value):
                total = weight * total + (1 - weight) * value
                norm = weight * norm + (1 - weight)
                found.append((step, total / norm))
        return found


def size(a: np.ndarray) -> float:
    """The root mean square of an array; overflow gives inf, quietly."""
    if not a.size:
        return math.nan
    flat = a.reshape(-1)
    if flat.dtype.char not in "fd":
        flat = flat.astype(np.float32)
    with np.errstate(all="ignore"):
        return math.sqrt(abs(float(np.dot(flat, flat))) / a.size)
