"""A batch of samples that was read in one go and need not be collated again."""

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["SampleBatch"]


class SampleBatch(Sequence):
    """What ``__getitems__`` returns when the data set has the collated batch already.

    It is a sequence of samples for whoever wants samples (each made when asked for); `default_collate` takes
    `collated`, which must be what it would have made of the samples.

    Arguments:
        collated: the batch.
        size: number of samples.
        sample: function from position to sample.
    """

    __slots__ = ("_sample", "_size", "collated")

    def __init__(self, collated: Any, size: int, sample: Callable[[int], Any]) -> None:
        self.collated = collated
        self._size = size
        self._sample = sample

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, k):
        if isinstance(k, slice):
            return [self._sample(i) for i in range(*k.indices(self._size))]
        if not -self._size <= k < self._size:
            raise IndexError(k)
        return self._sample(k % self._size)
