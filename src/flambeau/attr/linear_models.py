"""Linear models that are easy to read: what Lime and KernelShap fit to a network near one example."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

import flambeau as torch

from ..errors import ArgumentError, ShapeError, StateError
from ..told import tell

Tensor = torch.Tensor


class LinearModel:
    """Base of the linear models: y = x · coefficients + bias, fitted by weighted least squares.

    What `LimeBase` needs of an interpretable model is `fit(loader)` and `representation()`.
    """

    def __init__(self):
        self._coefficients: np.ndarray | None = None
        self._bias = 0.0

    def fit(self, train_data: Iterable) -> LinearModel:
        """Fit to batches of (features (N, F), outputs (N,), weights (N,)); without weights all count alike.

        Fitting again begins anew.
        """
        batches = [[np.asarray(part.detach().cpu().numpy(), np.float64) for part in batch] for batch in train_data]
        if not batches:
            raise ArgumentError(
                "there are no samples to fit to", why="the loader gave no batch", fix="pass one with samples"
            )
        parts = [np.concatenate(column) for column in zip(*batches)]
        x, y = parts[0], parts[1].ravel()
        weights = parts[2].ravel() if len(parts) > 2 else np.ones(len(y))
        if x.ndim != 2 or not len(x) == len(y) == len(weights):
            raise ShapeError(
                f"features are {x.shape}, outputs {parts[1].shape} and weights {weights.shape}",
                why="each sample is a row of features, with one output and one weight",
                fix="pass (N, F), (N,) and (N,)",
            )
        for values, name in ((x, "features"), (y, "outputs"), (weights, "weights")):
            if not np.isfinite(values).all():
                raise ArgumentError(
                    f"{(~np.isfinite(values)).sum()} of the {values.size} {name} are nan or infinite",
                    why="no linear model fits them",
                    fix="look at the model's output for changed inputs; a baseline may be far from all real data",
                )
        if (weights < 0).any() or not weights.any():
            raise ArgumentError(
                "the weights of the samples are negative, or all zero",
                why="a weight says how much a sample counts",
                fix="use a similarity function with positive values; a larger `kernel_width` reaches further",
            )
        weights = weights / weights.mean()
        x_mean, y_mean = np.average(x, axis=0, weights=weights), np.average(y, weights=weights)
        root = np.sqrt(weights)
        self._coefficients = self._solve((x - x_mean) * root[:, None], (y - y_mean) * root)
        self._bias = float(y_mean - x_mean @ self._coefficients)
        return self

    def _solve(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The coefficients for samples with mean zero and weight one."""
        raise NotImplementedError

    def representation(self) -> Tensor:
        """The coefficients (1, F)."""
        if self._coefficients is None:
            raise StateError(
                f"{type(self).__name__} has not been fitted", why="it has no coefficients yet", fix="call `fit` first"
            )
        return torch.tensor(self._coefficients, dtype=torch.float32).reshape(1, -1)

    def bias(self) -> Tensor:
        """The constant term (1,)."""
        return torch.tensor([self._bias], dtype=torch.float32)

    def __call__(self, x: Tensor) -> Tensor:
        """What the model says about features (N, F): (N, 1)."""
        return x @ self.representation().mT.to(x.dtype) + self._bias


class LinearRegression(LinearModel):
    """Least squares without a penalty; the smallest coefficients where there are fewer samples than features.

    >>> import flambeau as torch
    >>> from flambeau.attr import LinearRegression
    >>> x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    >>> LinearRegression().fit([(x, 2 * x[:, 0] - x[:, 1] + 3)]).representation()
    tensor([[ 2., -1.]])
    """

    def _solve(self, x, y):
        a, b = torch.from_numpy(x), torch.from_numpy(y[:, None])
        return torch.linalg.lstsq(a, b, driver="gelsd").solution.numpy()[:, 0]


class Ridge(LinearModel):
    """Least squares with a penalty on the coefficients' squares: alpha · |coefficients|².

    Arguments:
        alpha: strength of the penalty. Default: 1.

    >>> import flambeau as torch
    >>> from flambeau.attr import Ridge
    >>> x = torch.tensor([[-1.0], [1.0]])
    >>> Ridge(alpha=2.0).fit([(x, x[:, 0])]).representation()
    tensor([[0.5000]])
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__()
        self.alpha = penalty(alpha)

    def _solve(self, x, y):
        if self.alpha == 0:
            return LinearRegression._solve(self, x, y)
        matrix = x.T @ x + self.alpha * np.eye(x.shape[1])
        return torch.linalg.solve(torch.from_numpy(matrix), torch.from_numpy(x.T @ y)).numpy()


class Lasso(LinearModel):
    """Least squares with a penalty on the coefficients' sizes, which makes many of them exactly zero.

    Minimises the mean of the squared errors / 2 + alpha · |coefficients|₁ by coordinate descent.

    Arguments:
        alpha: strength of the penalty. Default: 1.
        max_iter: how often to go through all coefficients, at most. Default: 1000.
        tol: stop when no coefficient changes by more than this part of the largest. Default: 1e-7.
    Source: Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate
    descent", 2010.

    >>> import flambeau as torch
    >>> from flambeau.attr import Lasso
    >>> x = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    >>> Lasso(alpha=0.5).fit([(x, 2 * x[:, 0] + 0.1 * x[:, 1])]).representation()
    tensor([[1.5000, 0.0000]])
    """

    def __init__(self, alpha: float = 1.0, max_iter: int = 1000, tol: float = 1e-7):
        super().__init__()
        self.alpha, self.max_iter, self.tol = penalty(alpha), max_iter, tol

    def _solve(self, x, y):
        columns = np.ascontiguousarray(x.T)
        lengths = (columns**2).sum(1)
        threshold = self.alpha * len(y)
        strongest = np.abs(columns @ y).max(initial=0.0) / len(y)
        if 0 < strongest <= self.alpha:
            tell(
                f"Lasso(alpha={self.alpha:g}) leaves no feature: all attributions are zero. Outputs that vary little, "
                f"such as probabilities, need a small alpha, here less than {strongest:.2g}"
            )
        found, left = np.zeros(len(columns)), y.copy()  # left: what is not explained yet
        everything = [j for j in range(len(columns)) if lengths[j] > 0]
        some = everything
        for _ in range(self.max_iter):
            largest = 0.0
            for j in some:
                old = found[j]
                pull = columns[j] @ left + lengths[j] * old
                new = np.sign(pull) * max(abs(pull) - threshold, 0.0) / lengths[j]
                if new != old:
                    left -= (new - old) * columns[j]
                    found[j] = new
                    largest = max(largest, abs(new - old))
            if largest <= self.tol * np.abs(found).max(initial=0.0):
                if some is everything:
                    break
                some = everything  # nothing changes among those that are not zero: look at all once more
            else:
                some = [j for j in everything if found[j]]
        return found


def penalty(alpha) -> float:
    """A strength of a penalty, which is no negative number."""
    if not isinstance(alpha, int | float) or not 0 <= alpha < float("inf"):
        raise ArgumentError(
            f"alpha is {alpha!r}, and has to be a number that is at least 0",
            why="it says how strongly large coefficients are punished",
            fix="use for instance `alpha=0.01`",
        )
    return float(alpha)
