"""Data sets: where samples come from, by index or one after another."""

import bisect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

import flambeau as fb

from ...checks.data import meet
from ...checks.log import log
from ...errors import ArgumentError, FailedAssertion, NotSupported
from ...language import warn
from ...tensor import Tensor
from ._utils.batch import SampleBatch

T_co = TypeVar("T_co", covariant=True)

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]


class Dataset(Generic[T_co]):
    """A map from an index to a sample: write ``__getitem__`` and, for samplers, ``__len__``.

    A data set that reads many samples faster than one by one may also write ``__getitems__(indices)``, which
    returns their list; `DataLoader` then calls it once per batch.

    Example:
        >>> class Squares(Dataset):
        ...     def __len__(self): return 5
        ...     def __getitem__(self, index): return index, index ** 2
        >>> Squares()[3]
        (3, 9)
    """

    def __getitem__(self, index) -> T_co:
        raise NotSupported(
            "Subclasses of Dataset should implement __getitem__.",
            why=f"{type(self).__name__} has no __getitem__ of its own",
            fix=f"define `def __getitem__(self, index):` in {type(self).__name__}",
        )

    # No __len__ here: len() of a data set without one must be a TypeError, which samplers and users test for.

    def __add__(self, other: "Dataset[T_co]") -> "ConcatDataset[T_co]":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """A stream of samples: write ``__iter__``.

    With worker processes each worker iterates over its own copy; use `get_worker_info` to give each its share.

    Example:
        >>> class Count(IterableDataset):
        ...     def __iter__(self): return iter(range(4))
        >>> list(fb.utils.data.DataLoader(Count(), batch_size=2))
        [tensor([0, 1]), tensor([2, 3])]
    """

    def __add__(self, other):
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple]):
    """Tensors whose first dimension counts the samples; sample ``i`` is the tuple of their rows ``i``.

    A batch is read from each tensor in one indexed read.

    Errors: AssertionError if the first sizes differ.

    Example:
        >>> data = TensorDataset(fb.arange(6).view(3, 2), fb.tensor([7, 8, 9]))
        >>> data[1]
        (tensor([2, 3]), tensor(8))
    """

    def __init__(self, *tensors) -> None:
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            sizes = ", ".join(str(tensor.size(0)) for tensor in tensors)
            raise FailedAssertion(
                f"Size mismatch between tensors (first dimensions: {sizes})",
                why="sample i is element i of each tensor",
                fix="give all tensors the same first dimension",
            )
        self.tensors = tensors
        if log.on:
            meet(tensors)

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __getitems__(self, indices):
        # A subclass with its own __getitem__ means it; tensors with a history must keep it.
        if type(self).__getitem__ is not TensorDataset.__getitem__ or any(t.requires_grad for t in self.tensors):
            return [self[i] for i in indices]
        try:
            chosen = np.asarray(indices, dtype=np.int64)
            batch = [Tensor.wrap(tensor._array[chosen]) for tensor in self.tensors]
        except (TypeError, ValueError, IndexError, OverflowError):
            return [self[i] for i in indices]  # raises what a single read raises, or reads what NumPy cannot
        return SampleBatch(batch, len(chosen), lambda k: tuple(column[k] for column in batch))

    def __len__(self) -> int:
        return self.tensors[0].size(0)


class StackDataset(Dataset):
    """Several data sets of one length side by side: samples are tuples (or dicts, for keyword arguments).

    Example:
        >>> StackDataset([1, 2], [3, 4])[0], StackDataset(a=[1, 2], b=[3, 4])[1]
        ((1, 3), {'a': 2, 'b': 4})
    """

    def __init__(self, *args, **kwargs) -> None:
        if args and kwargs:
            raise ArgumentError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given.",
                why="a sample is a tuple of the data sets' samples, or a dict of them",
                fix="give all data sets by position, or all by name",
            )
        if not args and not kwargs:
            raise ArgumentError(
                "At least one dataset should be passed", why="there is nothing to stack", fix="give a data set"
            )
        self.datasets: Any = args or kwargs
        members = list(args or kwargs.values())
        self._length = len(members[0])
        if any(len(dataset) != self._length for dataset in members):
            raise ArgumentError(
                "Size mismatch between datasets",
                why=f"they have {[len(dataset) for dataset in members]} samples, and sample i is made of sample i of "
                "each",
                fix=f"cut them to {min(len(dataset) for dataset in members)} with `Subset`",
            )

    def __getitem__(self, index):
        if isinstance(self.datasets, dict):
            return {key: dataset[index] for key, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list):
        named = isinstance(self.datasets, dict)
        columns = []
        for dataset in self.datasets.values() if named else self.datasets:
            many = getattr(dataset, "__getitems__", None)
            items = many(indices) if callable(many) else [dataset[i] for i in indices]
            if len(items) != len(indices):
                raise ArgumentError(
                    f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}",
                    why=f"`__getitems__` of {type(dataset).__name__} returns one sample for each index",
                    fix="return a list as long as the list of indices",
                )
            columns.append(items)
        rows = zip(*columns, strict=True)
        return [dict(zip(self.datasets, row, strict=True)) for row in rows] if named else list(rows)

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Data sets one after another, as one.

    Example:
        >>> both = ConcatDataset([[1, 2], [3]])
        >>> len(both), both[2], both[-1]
        (3, 3, 3)
    """

    @staticmethod
    def cumsum(sequence) -> list[int]:
        """Running totals of the lengths."""
        return list(itertools.accumulate(len(part) for part in sequence))

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise FailedAssertion(
                "datasets should not be an empty iterable",
                why="there is nothing to join",
                fix="give a list of data sets; a generator can be read only once",
            )
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise FailedAssertion(
                "ConcatDataset does not support IterableDataset",
                why="samples are found by number, which a stream cannot",
                fix="use `ChainDataset`",
            )
        self.cumulative_sizes = self.cumsum(self.datasets)

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx):
        if idx < 0:
            if -idx > len(self):
                raise ArgumentError(
                    "absolute value of index should not exceed dataset length",
                    why=f"index {idx} is before the first of {len(self)} samples",
                    fix=f"use an index from {-len(self)} to {len(self) - 1}",
                )
            idx += len(self)
        part = bisect.bisect_right(self.cumulative_sizes, idx)
        start = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][idx - start]


class ChainDataset(IterableDataset):
    """Iterable data sets one after another.

    Example:
        >>> class Two(IterableDataset):
        ...     def __iter__(self): return iter("ab")
        >>> list(ChainDataset([Two(), Two()]))
        ['a', 'b', 'a', 'b']
    """

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = datasets

    def __iter__(self) -> Iterator:
        for dataset in self._checked():
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self._checked())

    def _checked(self):
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise FailedAssertion(
                    "ChainDataset only supports IterableDataset",
                    why=f"the samples of a {type(dataset).__name__} are found by number",
                    fix="use `ConcatDataset`",
                )
            yield dataset


class Subset(Dataset[T_co]):
    """The samples of a data set at the given indices.

    Example:
        >>> list(Subset("abcdef", [4, 0]))
        ['e', 'a']
    """

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        own = type(self)
        if own.__getitem__ is not Subset.__getitem__ and own.__getitems__ is Subset.__getitems__:
            raise NotSupported(
                f"{own.__name__} overrides __getitem__ but not __getitems__. When subclassing Subset and overriding "
                "__getitem__, you must also override __getitems__ to ensure DataLoader works correctly with your "
                "custom logic. A simple implementation:\n\n"
                "def __getitems__(self, indices):\n"
                "    return [self.__getitem__(idx) for idx in indices]",
                why="the loader asks for whole batches of samples, and would not call __getitem__",
                fix=f"define `__getitems__` in {own.__name__}",
            )

    def __getitem__(self, idx):
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list[int]):
        chosen = [self.indices[i] for i in indices]
        many = getattr(self.dataset, "__getitems__", None)
        return many(chosen) if callable(many) else [self.dataset[i] for i in chosen]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Any = None) -> list[Subset]:
    """Split a data set at random into parts that do not overlap.

    Arguments:
        lengths: sizes of the parts, or fractions that sum to 1 (what rounding leaves over goes to the first parts).
        generator: where the permutation comes from. Default: the global generator.

    Errors: ValueError if the sizes do not sum to the data set's.

    Example:
        >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
        [8, 2]
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ArgumentError(
                    f"Fraction at index {i} is not between 0 and 1",
                    why=f"the fractions are {list(lengths)}",
                    fix="use fractions such as `[0.8, 0.2]`",
                )
        sizes = [math.floor(len(dataset) * fraction) for fraction in lengths]
        for i in range(len(dataset) - sum(sizes)):
            sizes[i % len(sizes)] += 1
        for i, size in enumerate(sizes):
            if size == 0:
                warn(f"Length of split at index {i} is 0. This might result in an empty dataset.", stacklevel=2)
        lengths = sizes
    if sum(lengths) != len(dataset):
        raise ArgumentError(
            "Sum of input lengths does not equal the length of the input dataset!",
            why=f"lengths {list(lengths)} add up to {sum(lengths)}, and the data set has {len(dataset)} samples",
            fix=f"use `[{len(dataset) - len(dataset) // 5}, {len(dataset) // 5}]`, or fractions such as `[0.8, 0.2]`",
        )
    order = fb.randperm(sum(lengths), generator=generator).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, lengths, strict=True)]
