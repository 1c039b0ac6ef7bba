"""Integrals over the straight path from the baseline to the input, as weighted sums over its points.

The integral of f over [0, 1] is about Σᵢ wᵢ f(αᵢ). The n points of the Gauss-Legendre rule are exact for polynomials up
to degree 2n - 1; Riemann sums take points at equal distances.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import flambeau as torch

from ..errors import FailedAssertion
from ..language import warn
from .forward import check_differentiable

Tensor = torch.Tensor
SUPPORTED_METHODS = ["riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre"]


def points_and_weights(method: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The points αᵢ in [0, 1] and weights wᵢ of a rule.

    >>> from flambeau.attr.integration import points_and_weights
    >>> points, weights = points_and_weights("riemann_middle", 2)
    >>> points.tolist(), weights.tolist()
    ([0.25, 0.75], [0.5, 0.5])
    """
    if method not in SUPPORTED_METHODS:
        raise FailedAssertion(
            f"Approximation method must be one for the following {SUPPORTED_METHODS}. Given {method}",
            why="these are the rules for the integral over the path",
            fix="leave `method` at its default, 'gausslegendre'",
        )
    least = 1 if method == "gausslegendre" else 2
    if n < least:
        raise FailedAssertion(
            f"The number of steps must be a positive integer. Given: {n}",
            why=f"the method {method} needs at least {least}",
            fix="use 20 to 300 steps",
        )
    if method == "gausslegendre":
        points, weights = np.polynomial.legendre.leggauss(n)  # on [-1, 1]
        return (points + 1) / 2, weights / 2
    weights = np.full(n, 1 / n)
    if method == "riemann_trapezoid":
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n), weights
    first = {"riemann_left": 0, "riemann_middle": 0.5, "riemann_right": 1}[method] / n
    return first + np.arange(n) / n, weights


def portions(n: int, examples: int, internal_batch_size: int | None, overlap: int = 0) -> Iterator[slice]:
    """Which of `n` points are evaluated together: all, or as many as keep a batch within `internal_batch_size`.

    Arguments:
        n: the number of points.
        examples: the number of examples; each point is evaluated for all of them.
        internal_batch_size: the largest batch, or None.
        overlap: how many points a portion shares with the next one.
    """
    if internal_batch_size is None:
        yield slice(0, n)
        return
    least = examples * (1 + overlap)
    if internal_batch_size < least:
        warn(
            f"internal_batch_size={internal_batch_size} is too small: each forward pass takes {least} examples "
            f"(at least {1 + overlap} steps of the path for each of {examples} examples)"
        )
    at_once = max(internal_batch_size // examples, 1 + overlap)
    start = 0
    while start + overlap < n:
        yield slice(start, min(start + at_once, n))
        start += at_once - overlap


def path(inputs: tuple[Tensor, ...], baselines: tuple, points: np.ndarray) -> tuple[Tensor, ...]:
    """The points of the path for all examples, (len(points) * N, *): the first of every example, then the second."""
    check_differentiable(inputs)
    return tuple(
        (baseline + column(points, input) * (input - baseline).unsqueeze(0)).reshape(-1, *input.shape[1:])
        for input, baseline in zip(inputs, baselines, strict=True)
    )


def weighted_sum(values: Tensor, weights: np.ndarray) -> Tensor:
    """Σᵢ wᵢ valuesᵢ for values at the points of a path, (len(weights) * N, *) -> (N, *)."""
    rows = values.reshape(len(weights), -1)
    summed = torch.as_tensor(weights, dtype=values.dtype, device=values.device) @ rows
    return summed.reshape(len(values) // len(weights), *values.shape[1:])


def column(points: np.ndarray, input: Tensor) -> Tensor:
    """The points as a tensor that is broadcast over examples: (len(points), 1, ...)."""
    return torch.as_tensor(points, dtype=input.dtype, device=input.device).reshape(-1, *(1 for _ in input.shape))
