"""Statistics of many attributions, one batch or example at a time: of all of them, and of each class."""

from __future__ import annotations

import copy
from collections.abc import Callable

import flambeau as torch

from ..errors import FailedAssertion
from .arguments import as_tuple

Tensor = torch.Tensor


class Stat:
    """Base of the statistics: something that tensors of one shape are added to.

    Arguments:
        name: its name in a summary.
    """

    def __init__(self, name: str):
        self.name = name

    def update(self, x: Tensor) -> None:
        """Add a tensor."""
        raise NotImplementedError

    def get(self):
        """The statistic of all tensors so far; None before the first."""
        raise NotImplementedError


class Accumulated(Stat):
    """A statistic that is a function of its last value and the next tensor.

    Arguments:
        fn: the function.
        name: its name in a summary.
    """

    def __init__(self, fn: Callable, name: str):
        super().__init__(name)
        self.fn = fn
        self.result: Tensor | None = None

    def update(self, x: Tensor) -> None:
        self.result = x.clone() if self.result is None else self.fn(self.result, x)

    def get(self) -> Tensor | None:
        return self.result


class Min(Accumulated):
    """The smallest value of each element."""

    def __init__(self, name: str | None = None, min_fn: Callable = torch.minimum):
        super().__init__(min_fn, name or "min")


class Max(Accumulated):
    """The largest value of each element."""

    def __init__(self, name: str | None = None, max_fn: Callable = torch.maximum):
        super().__init__(max_fn, name or "max")


class Sum(Accumulated):
    """The sum of each element."""

    def __init__(self, name: str | None = None, add_fn: Callable = torch.add):
        super().__init__(add_fn, name or "sum")


class Moments(Stat):
    """Base of what follows from number, mean and sum of squared deviations, by the updates of Welford (1962)."""

    def __init__(self, name: str):
        super().__init__(name)
        self.n = 0
        self.mean: Tensor | None = None
        self.squares: Tensor | None = None

    def update(self, x: Tensor) -> None:
        x = x if x.dtype.is_floating_point else x.double()
        self.n += 1
        if self.mean is None:
            self.mean, self.squares = x.clone(), torch.zeros_like(x)
            return
        before = x - self.mean
        self.mean = self.mean + before / self.n
        self.squares = self.squares + before * (x - self.mean)


class Count(Moments):
    """How many tensors there were."""

    def __init__(self, name: str | None = None):
        super().__init__(name or "count")

    def get(self) -> int | None:
        return self.n or None


class Mean(Moments):
    """The mean of each element."""

    def __init__(self, name: str | None = None):
        super().__init__(name or "mean")

    def get(self) -> Tensor | None:
        return self.mean


class MSE(Moments):
    """The sum of the squared deviations of each element from its mean."""

    def __init__(self, name: str | None = None):
        super().__init__(name or "mse")

    def get(self) -> Tensor | None:
        return self.squares


class Var(Moments):
    """The variance of each element.

    Arguments:
        name: its name in a summary. Default: "variance", or "sample_variance" for order 1.
        order: 0 divides by the number of tensors, 1 by one less. Default: 0.
    """

    def __init__(self, name: str | None = None, order: int = 0):
        super().__init__(name or {0: "variance", 1: "sample_variance"}.get(order, f"variance({order})"))
        self.order = order

    def get(self) -> Tensor | None:
        if self.squares is None or self.n <= self.order:
            return self.squares
        return self.squares.double() / (self.n - self.order)


class StdDev(Var):
    """The standard deviation of each element; arguments as in `Var`, the name "std_dev" or "sample_std_dev"."""

    def __init__(self, name: str | None = None, order: int = 0):
        super().__init__(name or {0: "std_dev", 1: "sample_std_dev"}.get(order, f"std_dev({order})"), order)

    def get(self) -> Tensor | None:
        variance = super().get()
        return None if variance is None else variance.sqrt()


def CommonStats() -> list[Stat]:
    """Mean, sample variance and standard deviation, smallest and largest value.

    >>> from flambeau.attr import CommonStats
    >>> [stat.name for stat in CommonStats()]
    ['mean', 'sample_variance', 'sample_std_dev', 'min', 'max']
    """
    return [Mean(), Var(order=1), StdDev(order=1), Min(), Max()]


class Summarizer:
    """Statistics of tensors, or of tuples of tensors, that come one after the other.

    Arguments:
        stats: the statistics.

    >>> import flambeau as torch
    >>> from flambeau.attr import Max, Mean, Summarizer
    >>> summarizer = Summarizer([Mean(), Max()])
    >>> for x in (1.0, 4.0):
    ...     summarizer.update(torch.tensor([x, 2 * x]))
    >>> summarizer.summary
    {'mean': tensor([2.5000, 5.0000]), 'max': tensor([4., 8.])}
    """

    def __init__(self, stats: list[Stat]):
        self.stats = copy.deepcopy(stats)
        self.parts: list[list[Stat]] = []
        self.of_tuples: bool | None = None

    def update(self, x) -> None:
        """Add a tensor, a number, or a tuple of them."""
        if self.of_tuples is None:
            self.of_tuples = isinstance(x, tuple)
        if self.of_tuples != isinstance(x, tuple):
            raise FailedAssertion(
                "a tuple and a single tensor cannot be summarized together",
                why="the first `update` was given the other one of the two",
                fix="use a summarizer of its own for each",
            )
        tensors = x if isinstance(x, tuple) else (x,)
        self.parts += [copy.deepcopy(self.stats) for _ in range(len(tensors) - len(self.parts))]
        for stats, tensor in zip(self.parts, tensors, strict=True):
            for stat in stats:
                stat.update(
                    torch.as_tensor(tensor, dtype=None if isinstance(tensor, Tensor) else torch.float32).detach()
                )

    @property
    def summary(self):
        """The statistics by name (for tuples a list of these, one for each tensor); None before the first update."""
        found = [{stat.name: stat.get() for stat in stats} for stats in self.parts]
        return None if not found else found if self.of_tuples else found[0]


class ClassSummarizer(Summarizer):
    """Statistics of examples, of all and of each class.

    Arguments:
        stats: the statistics.

    >>> import flambeau as torch
    >>> from flambeau.attr import ClassSummarizer, Mean
    >>> summarizer = ClassSummarizer([Mean()])
    >>> summarizer.update(torch.tensor([[1.0], [2.0], [4.0]]), labels=["cat", "dog", "dog"])
    >>> summarizer.class_summaries["dog"], summarizer.summary
    ({'mean': tensor([3.])}, {'mean': tensor([2.3333])})
    """

    def __init__(self, stats: list[Stat]):
        super().__init__(stats)
        self.summaries: dict = {}

    def update(self, x, labels=None) -> None:
        """Add a batch of examples.

        Arguments:
            x: a tensor whose first dimension counts examples, or a tuple of them.
            labels: a list or tensor with the class of each example, or one class for all. None: `x` as a whole is
                added to what is known of all.
        """
        if labels is None:
            super().update(x)
            return
        tensors = as_tuple(x)
        labels = labels.tolist() if isinstance(labels, Tensor) else labels
        labels = labels if isinstance(labels, list) else [labels]
        labels = labels * len(tensors[0]) if len(labels) == 1 else labels
        if any(len(tensor) != len(labels) for tensor in tensors):
            raise FailedAssertion(
                f"there are {len(labels)} labels for {len(tensors[0])} examples",
                why="batch size does not equal amount of labels",
                fix="give one label for each example, or one for all",
            )
        for row, label in enumerate(labels):
            example = tuple(tensor[row] for tensor in tensors)
            given = example if isinstance(x, tuple) else example[0]
            self.summaries.setdefault(label, Summarizer(self.stats)).update(given)
            super().update(given)

    @property
    def class_summaries(self) -> dict:
        """The summary of each class."""
        return {label: summarizer.summary for label, summarizer in self.summaries.items()}
