"""Samplers: in which order, and how often, the indices of a data set are read."""

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

import flambeau as fb

from ...errors import ArgumentError, ArgumentTypeError
from ...mistakes.samples import no_length

T_co = TypeVar("T_co", covariant=True)

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]


def draw_seed(generator=None) -> int:
    """A fresh 63-bit seed from a generator (the global one by default)."""
    return int(fb.empty((), dtype=fb.int64).random_(generator=generator).item())


class Sampler(Generic[T_co]):
    """Base of all samplers: write ``__iter__`` (indices, or lists of them for a batch sampler) and ``__len__``.

    >>> from flambeau.utils.data import Sampler
    >>> class Backwards(Sampler):
    ...     def __iter__(self):
    ...         return iter([2, 1, 0])
    ...     def __len__(self):
    ...         return 3
    >>> list(Backwards())
    [2, 1, 0]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


def _length(data_source) -> int:
    """The number of samples; TypeError, as of `len`, for a data set that does not say."""
    if not hasattr(type(data_source), "__len__"):
        raise no_length(data_source)
    return len(data_source)


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... in order.

    Example:
        >>> list(SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(_length(self.data_source)))

    def __len__(self) -> int:
        return _length(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices in random order, or drawn with replacement.

    Arguments:
        replacement: draw each index independently of the others. Default: False, a permutation.
        num_samples: how many to draw. Default: the data set's length.
        generator: source of the randomness. Default: a new generator, seeded from the global one at each pass.

    Errors: TypeError or ValueError for a wrong `replacement` or `num_samples`.

    Example:
        >>> sorted(RandomSampler(range(4)))
        [0, 1, 2, 3]
    """

    def __init__(self, data_source: Sized, replacement: bool = False, num_samples: int | None = None, generator=None):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise ArgumentTypeError(
                f"replacement should be a boolean value, but got replacement={replacement}",
                why="it says whether a sample may come more than once",
                fix=f"use `replacement=True, num_samples={replacement}`"
                if isinstance(replacement, int)
                else "use `replacement=True`",
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ArgumentError(
                f"num_samples should be a positive integer value, but got num_samples={self.num_samples}",
                why="the data set is empty, and shuffling needs at least one sample"
                if self._num_samples is None
                else "it is the number of samples drawn in an epoch",
                fix="look at `len(dataset)`: the path may be wrong, or a filter too strict"
                if self._num_samples is None
                else "leave it out for as many as the data set has",
            )

    @property
    def num_samples(self) -> int:
        """How many indices one pass yields (the data set may have grown)."""
        return _length(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n, wanted, generator = _length(self.data_source), self.num_samples, self.generator
        if generator is None:
            generator = fb.Generator()
            generator.manual_seed(draw_seed())
        if self.replacement:
            # In runs of 32, as PyTorch draws them: the numbers of one seed are then the same.
            for start in range(0, wanted - wanted % 32, 32):
                del start
                yield from fb.randint(high=n, size=(32,), dtype=fb.int64, generator=generator).tolist()
            yield from fb.randint(high=n, size=(wanted % 32,), dtype=fb.int64, generator=generator).tolist()
        else:
            for _ in range(wanted // n):
                yield from fb.randperm(n, generator=generator).tolist()
            yield from fb.randperm(n, generator=generator).tolist()[: wanted % n]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, without replacement.

    Example:
        >>> sorted(SubsetRandomSampler([3, 1, 7]))
        [1, 3, 7]
    """

    def __init__(self, indices: Sequence[int], generator=None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in fb.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices 0 ... len(weights) - 1 drawn with the given weights (they need not sum to 1).

    Example:
        >>> list(WeightedRandomSampler([0.0, 1.0], num_samples=3))
        [1, 1, 1]
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True, generator=None) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ArgumentError(
                f"num_samples should be a positive integer value, but got num_samples={num_samples}",
                why="it is the number of samples drawn in an epoch",
                fix="use `num_samples=len(weights)`",
            )
        if not isinstance(replacement, bool):
            raise ArgumentError(
                f"replacement should be a boolean value, but got replacement={replacement}",
                why="it says whether a sample may come more than once",
                fix="use `replacement=True`",
            )
        tensor = fb.as_tensor(weights, dtype=fb.float64)
        if len(tensor.shape) != 1:
            shape = tuple(tensor.shape)
            raise ArgumentError(
                f"weights should be a 1d sequence but given weights have shape {shape}",
                why="each sample has one weight",
                fix="give the weight of each sample: `class_weights[labels]`",
            )
        self.weights = tensor
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        chosen = fb.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        yield from chosen.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` indices from another sampler.

    Arguments:
        drop_last: leave out a last list that is not full.

    Example:
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ArgumentError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}",
                why="it is the number of samples in a batch",
                fix=f"use `batch_size={batch_size:.0f}`"
                if isinstance(batch_size, float) and batch_size >= 1
                else "use `batch_size=1`, or `batch_size=None` in the DataLoader for single samples",
            )
        if not isinstance(drop_last, bool):
            raise ArgumentError(
                f"drop_last should be a boolean value, but got drop_last={drop_last}",
                why="it says whether a last batch that is not full is left out",
                fix="use `drop_last=True` or `drop_last=False`",
            )
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
