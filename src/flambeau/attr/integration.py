"""Integrals over the straight path from the baseline to the input, as weighted sums over its points.

The integral of f over [0, 1] is about Σᵢ wᵢ f(αᵢ). The n points of the Gauss-Legendre rule are exact for polynomials up
to degree 2n - 1; Riemann sums take points at equal distances.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np

import flambeau as torch

from ..errors import ArgumentError, FailedAssertion
from ..told import tell
from .forward import check_differentiable

Tensor = torch.Tensor
SUPPORTED_METHODS = ["riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid", "gausslegendre"]
MOST_STEPS = 6400  # of the methods that take more steps until the attributions are complete


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
    if not isinstance(n, int) or n < least:
        raise FailedAssertion(
            f"The number of steps must be a positive integer. Given: {n}",
            why=f"the method {method} needs at least {least}",
            fix="use 20 to 300 steps",
        )
    if method == "gausslegendre":
        return gauss_legendre(n)
    weights = np.full(n, 1 / n)
    if method == "riemann_trapezoid":
        weights[[0, -1]] /= 2
        return np.linspace(0, 1, n), weights
    first = {"riemann_left": 0, "riemann_middle": 0.5, "riemann_right": 1}[method] / n
    return first + np.arange(n) / n, weights


@functools.lru_cache(maxsize=64)
def gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    """The zeros of the Legendre polynomial Pₙ, moved to [0, 1], and their weights; by Newton's method for all at once.

    (NumPy finds them as eigenvalues, which takes minutes for thousands of points.)
    """
    x = -np.cos(np.pi * (np.arange(n) + 0.75) / (n + 0.5))
    for _ in range(5):
        before, value = np.ones(n), x
        for k in range(2, n + 1):  # k Pₖ = (2k - 1) x Pₖ₋₁ - (k - 1) Pₖ₋₂
            before, value = value, ((2 * k - 1) * x * value - (k - 1) * before) / k
        slope = n * (x * value - before) / (x * x - 1) if n > 1 else np.ones(1)
        x = x - value / slope
    weights = 1 / ((1 - x * x) * slope * slope)
    return (x + 1) / 2, weights


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
        tell(
            f"internal_batch_size={internal_batch_size} is too small: each forward pass takes {least} examples "
            f"(at least {1 + overlap} steps of the path for each of {examples} examples)"
        )
    at_once = max(internal_batch_size // examples, 1 + overlap)
    start = 0
    while start + overlap < n:
        yield slice(start, min(start + at_once, n))
        start += at_once - overlap


def refined(method, compute: Callable, given: tuple, n_steps: int, internal_batch_size: int | None, tolerance):
    """A method's attributions from `n_steps` points, or from as many more as it takes to be complete.

    Arguments:
        method: the `GradientAttribution`.
        compute: makes the attributions, a tuple, from a number of steps and an internal batch size.
        given: baselines, inputs, target and further arguments of the forward function.
        n_steps, internal_batch_size: to begin with.
        tolerance: the part of an output's change that may be missing; None takes the attributions as they are.
    """
    if tolerance is None:
        return compute(n_steps, internal_batch_size)
    if not tolerance > 0 or not method.multiplies_by_inputs:
        raise ArgumentError(
            f"tolerance={tolerance} cannot be reached",
            why="it is a positive part of the output's change, and only attributions that are multiplied by the "
            "inputs' change add up to it",
            fix="use tolerance=1e-3 with multiply_by_inputs=True",
        )
    change = method.output_change(*given)
    at_once = internal_batch_size or n_steps * len(change)
    while True:
        found = compute(n_steps, at_once)
        sums = sum(part.reshape(len(change), -1).sum(1) for part in found)
        missing = float(((sums - change).abs() / change.abs().clamp(min=1e-12)).max())
        if not missing > tolerance:
            return found
        if 2 * n_steps > MOST_STEPS:
            tell(
                f"with {n_steps} steps the attributions still miss {missing:.2g} of the output's change, more than "
                f"tolerance={tolerance}: it hardly changes, or abruptly. Choose another baseline or a larger tolerance"
            )
            return found
        n_steps *= 2


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
