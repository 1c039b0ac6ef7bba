"""From indices to a batch: read the samples, collate them, and say which sample an error came from."""

import itertools
from typing import Any

from ....mistakes.samples import uncollatable
from .batch import SampleBatch
from .collate import default_collate

__all__ = ["IterableFetcher", "MapFetcher"]


class MapFetcher:
    """Reads a map-style data set."""

    def __init__(self, dataset, auto_collation: bool, collate_fn, drop_last: bool = False) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        many = getattr(dataset, "__getitems__", None)
        self.many = many if callable(many) else None

    def fetch(self, index: Any) -> Any:
        """The batch of these indices (one sample, when batching is off)."""
        if not self.auto_collation:
            return self.collate_fn(self._read_one(index))
        if self.many is not None:
            samples = self._read_many(index)
        else:
            dataset, samples = self.dataset, []
            at: Any = None
            try:
                for at in index:
                    samples.append(dataset[at])
            except Exception as error:
                note(error, f"raised while reading dataset[{at}] (sample {len(samples)} of the batch)")
                raise
        return self._collate(samples, index)

    def _read_one(self, index):
        try:
            return self.dataset[index]
        except Exception as error:
            note(error, f"raised while reading dataset[{index}]")
            raise

    def _read_many(self, indices):
        try:
            samples = self.many(indices)
        except Exception as error:
            note(error, f"raised while reading {len(indices)} samples at once, dataset.__getitems__({indices})")
            raise
        # Only the default function knows what to do with a batch that is collated already.
        return samples if self.collate_fn is default_collate or type(samples) is not SampleBatch else list(samples)

    def _collate(self, samples, indices):
        try:
            return self.collate_fn(samples)
        except Exception as error:
            better = uncollatable(self.dataset, list(samples), list(indices)) if _plain(self.collate_fn) else None
            if better is not None:
                raise better from None
            note(error, f"raised while collating dataset{list(indices)}")
            raise


class IterableFetcher:
    """Reads a stream."""

    def __init__(self, dataset, auto_collation: bool, collate_fn, drop_last: bool = False) -> None:
        self.dataset = dataset
        self.stream = iter(dataset)
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False
        self.count = 0

    def fetch(self, index: Any) -> Any:
        """The next samples, as many as `index` has elements; StopIteration at the end of the stream."""
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(self._next())
        samples: list = []
        wanted = len(index)
        try:
            samples.extend(itertools.islice(self.stream, wanted))
        except Exception as error:
            note(error, f"raised by the data set's iterator after {self.count + len(samples)} samples")
            raise
        if len(samples) < wanted:
            self.ended = True
            if not samples or self.drop_last:
                raise StopIteration
        indices = range(self.count, self.count + len(samples))
        self.count += len(samples)
        try:
            return self.collate_fn(samples)
        except Exception:
            better = uncollatable(self.dataset, samples, list(indices)) if _plain(self.collate_fn) else None
            if better is None:
                raise
            raise better from None

    def _next(self):
        sample = next(self.stream)
        self.count += 1
        return sample


def _plain(collate_fn) -> bool:
    """Whether samples are collated by the default function, whose failures can be explained."""
    return collate_fn is default_collate


def note(error: BaseException, text: str) -> None:
    """Add a line to what the error prints, once."""
    if text not in getattr(error, "__notes__", ()):
        error.add_note(text)
