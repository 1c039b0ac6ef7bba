"""DataLoader: batches of a data set, read in this process or by workers."""

import multiprocessing
import os
import time
import weakref
from multiprocessing.context import BaseContext
from typing import Any, Generic, TypeVar

import flambeau as fb

from ...checks import distributed as _rules  # noqa: F401  they look on
from ...checks import events
from ...checks import speed as _speed  # noqa: F401
from ...checks.log import log
from ...errors import ArgumentError, ArgumentTypeError, FailedAssertion, NotSupported
from ...language import warn
from ._utils.collate import default_collate, default_convert
from ._utils.fetch import IterableFetcher, MapFetcher
from ._utils.parallel import WorkerPool
from ._utils.worker import get_worker_info
from .dataset import Dataset, IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, draw_seed

T_co = TypeVar("T_co", covariant=True)

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]


class _DatasetKind:
    Map = 0
    Iterable = 1

    @staticmethod
    def create_fetcher(kind, dataset, auto_collation, collate_fn, drop_last):
        """The reader for a kind of data set."""
        make = MapFetcher if kind == _DatasetKind.Map else IterableFetcher
        return make(dataset, auto_collation, collate_fn, drop_last)


class _InfiniteConstantSampler(Sampler):
    """None for ever: a stream has no indices, it is only asked for the next samples."""

    def __iter__(self):
        while True:
            yield None


class DataLoader(Generic[T_co]):
    """Iterates over a data set in batches; each ``for`` loop over it is one epoch.

    Arguments:
        dataset: map-style (``__getitem__``, ``__len__``) or `IterableDataset`.
        batch_size: samples per batch; None gives single samples, not collated. Default: 1.
        shuffle: new random order each epoch. Default: False.
        sampler, batch_sampler: own order of indices, or of lists of indices.
        num_workers: processes that read ahead; 0 reads in this process. Default: 0.
        collate_fn: list of samples -> batch. Default: `default_collate`.
        pin_memory, pin_memory_device: accepted; without an accelerator there is nothing to pin (a warning says so).
        drop_last: leave out the last batch if it is not full.
        timeout: seconds to wait for a batch from the workers; 0 waits for ever.
        worker_init_fn: called with the worker's number in each worker, after seeding.
        multiprocessing_context: "fork", "spawn", "forkserver" or a context.
        generator: source of the order and of the workers' seeds. Default: the global one.
        prefetch_factor: batches that each worker reads ahead. Default: 2.
        persistent_workers: keep the workers between epochs.
        in_order: batches in the order of the sampler (default), or as they come.

    Errors: ValueError for arguments that exclude each other.

    Example:
        >>> loader = DataLoader(range(5), batch_size=2)
        >>> list(loader), len(loader)
        ([tensor([0, 1]), tensor([2, 3]), tensor([4])], 3)
    """

    dataset: Dataset[T_co]
    batch_size: int | None
    num_workers: int
    pin_memory: bool
    drop_last: bool
    timeout: float
    sampler: Any
    pin_memory_device: str
    prefetch_factor: int | None
    _iterator: "_BaseDataLoaderIter | None"
    _initialized = False

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler=None,
        batch_sampler=None,
        num_workers: int = 0,
        collate_fn=None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ArgumentError(
                "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.",
                why=f"it is {num_workers}, the number of processes that load data",
                fix="use `num_workers=0` to load in this process",
            )
        if timeout < 0:
            raise ArgumentError(
                "timeout option should be non-negative",
                why=f"it is {timeout} seconds",
                fix="use `timeout=0` to wait without limit",
            )
        if num_workers == 0 and prefetch_factor is not None:
            raise ArgumentError(
                "prefetch_factor option could only be specified in multiprocessing."
                "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None.",
                why=f"batches are fetched ahead by workers, and prefetch_factor is {prefetch_factor}",
                fix="use `num_workers=2`, or leave prefetch_factor out",
            )
        if num_workers > 0 and prefetch_factor is None:
            prefetch_factor = 2
        elif prefetch_factor is not None and prefetch_factor < 0:
            raise ArgumentError(
                "prefetch_factor option should be non-negative",
                why=f"it is {prefetch_factor}, the number of batches that each worker fetches ahead",
                fix="use `prefetch_factor=2`",
            )
        if persistent_workers and num_workers == 0:
            raise ArgumentError(
                "persistent_workers option needs num_workers > 0",
                why="there are no workers to keep",
                fix="use `num_workers=2`, or leave persistent_workers out",
            )

        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order

        if isinstance(dataset, IterableDataset):
            self._dataset_kind = _DatasetKind.Iterable
            for name, given in (("shuffle", shuffle if shuffle else None), ("sampler", sampler)):
                if given is not None:
                    raise ArgumentError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={given}",
                        why="a stream gives its samples in its own order",
                        fix="shuffle inside the data set's __iter__",
                    )
            if batch_sampler is not None:
                raise ArgumentError(
                    "DataLoader with IterableDataset: expected unspecified "
                    f"batch_sampler option, but got batch_sampler={batch_sampler}",
                    why="a stream gives its samples in its own order",
                    fix="leave batch_sampler out, and use batch_size",
                )
        else:
            shuffle = bool(shuffle)
            self._dataset_kind = _DatasetKind.Map

        if sampler is not None and shuffle:
            raise ArgumentError(
                "sampler option is mutually exclusive with shuffle",
                why="a sampler says in which order the samples come, and shuffle=True asks for a random one",
                fix="leave shuffle out, or use `RandomSampler(dataset)` as sampler",
            )
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ArgumentError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last",
                    why="a batch_sampler gives whole batches of indices, so these options would do nothing",
                    fix="give them to the batch sampler: `BatchSampler(sampler, batch_size, drop_last)`",
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ArgumentError(
                "batch_size=None option disables auto-batching and is mutually exclusive with drop_last",
                why="without batches there is no last one",
                fix="leave drop_last out",
            )

        if sampler is None:
            if self._dataset_kind == _DatasetKind.Iterable:
                sampler = _InfiniteConstantSampler()
            else:
                source: Any = dataset
                sampler = RandomSampler(source, generator=generator) if shuffle else SequentialSampler(source)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)

        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.generator = generator
        if collate_fn is None:
            collate_fn = default_collate if self._auto_collation else default_convert
        self.collate_fn = collate_fn
        self.persistent_workers = persistent_workers
        self._IterableDataset_len_called = None
        self._iterator = None
        self._initialized = True
        self.check_worker_number_rationality()
        if log.on:
            events.made_loader(self)

    _FIXED = frozenset({"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"})

    def __setattr__(self, attr, val) -> None:
        if self._initialized and attr in self._FIXED:
            raise ArgumentError(
                f"{attr} attribute should not be set after {self.__class__.__name__} is initialized",
                why="the iterators that exist already were made with it",
                fix="make a new DataLoader",
            )
        super().__setattr__(attr, val)

    @property
    def multiprocessing_context(self):
        """How worker processes are started: a context of `multiprocessing`, or None for its default."""
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context) -> None:
        if context is not None:
            if self.num_workers == 0:
                raise ArgumentError(
                    "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
                    f"but got num_workers={self.num_workers}",
                    why="it says how worker processes are started",
                    fix="use `num_workers=2`, or leave it out",
                )
            if isinstance(context, str):
                methods = multiprocessing.get_all_start_methods()
                if context not in methods:
                    raise ArgumentError(
                        f"multiprocessing_context option should specify a valid start method in {methods!r}, "
                        f"but got multiprocessing_context={context!r}",
                        why="it says how worker processes are started",
                        fix=f"use `multiprocessing_context={methods[0]!r}`",
                    )
                context = multiprocessing.get_context(context)
            if not isinstance(context, BaseContext):
                raise ArgumentTypeError(
                    "multiprocessing_context option should be a valid context object or a string specifying the "
                    f"start method, but got multiprocessing_context={context}",
                    why=f"it is {type(context).__name__}",
                    fix="use `multiprocessing.get_context('spawn')`",
                )
        self._context = context

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self):
        return self.batch_sampler if self._auto_collation else self.sampler

    def _get_iterator(self) -> "_BaseDataLoaderIter":
        return _SingleProcessDataLoaderIter(self) if self.num_workers == 0 else _MultiProcessingDataLoaderIter(self)

    def __iter__(self) -> "_BaseDataLoaderIter":
        iterator = self._epoch()
        if log.on:
            events.starts_loader(self, iterator)
        return iterator

    def _epoch(self):
        if not self.persistent_workers:
            return self._get_iterator()
        if self._iterator is None or self._iterator.closed:
            self._iterator = self._get_iterator()
        else:
            self._iterator._reset(self)
        return self._iterator

    def __len__(self) -> int:
        if self._dataset_kind == _DatasetKind.Map:
            return len(self._index_sampler)
        # What a stream says of its length is believed; a warning tells when it yields more.
        length = self._IterableDataset_len_called = len(self.dataset)  # type: ignore[arg-type, assignment]
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_fb_")}

    def check_worker_number_rationality(self) -> None:
        """Warn when there are more workers than processors."""
        if not self.num_workers:
            return
        known = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if known else os.cpu_count()
        if cores is None or self.num_workers > cores:
            warn(
                f"This DataLoader will create {self.num_workers} worker processes in total. DataLoader is not able to "
                "compute a suggested max number of worker in current system. Please be aware that excessive worker "
                "creation might get DataLoader running slow or even freeze, lower the worker number to avoid potential "
                "slowness/freeze if necessary."
                if cores is None
                else f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested max "
                f"number of worker in current system is {cores}, which is smaller than what this DataLoader is "
                "going to create. Please be aware that excessive worker creation might get DataLoader running "
                "slow or even freeze, lower the worker number to avoid potential slowness/freeze if necessary."
                if known
                else f"This DataLoader will create {self.num_workers} worker processes in total. Our suggested max "
                f"number of worker in current system is {cores} (`cpuset` is not taken into account), which is smaller "
                "than what this DataLoader is going to create. Please be aware that excessive worker creation might "
                "get DataLoader running slow or even freeze, lower the worker number to avoid potential "
                "slowness/freeze if necessary.",
                stacklevel=3,
            )


class _BaseDataLoaderIter:
    """One epoch: what the iterators with and without workers share."""

    closed = False

    def __init__(self, loader: DataLoader) -> None:
        self._loader = weakref.ref(loader)
        # `for x in DataLoader(...)`: nobody else holds the loader, which the checks ask about. A loader with persistent
        # workers holds its iterator itself.
        self._kept = None if loader.persistent_workers else loader
        self._dataset = loader.dataset
        self._dataset_kind = loader._dataset_kind
        self._IterableDataset_len_called = loader._IterableDataset_len_called
        self._auto_collation = loader._auto_collation
        self._drop_last = loader.drop_last
        self._index_sampler = loader._index_sampler
        self._num_workers = loader.num_workers
        self._collate_fn = loader.collate_fn
        self._timeout = loader.timeout
        if loader.pin_memory and not fb.accelerator.is_available():
            warn(
                "'pin_memory' argument is set as true but no accelerator is found, "
                "then device pinned memory won't be used.",
                stacklevel=4,
            )
        self._sampler_iter = iter(self._index_sampler)
        # Drawn even without workers, as PyTorch does: the numbers that follow are then the same too.
        self._base_seed = draw_seed(loader.generator)
        self._num_yielded = 0

    def __iter__(self):
        return self

    def _reset(self, loader: DataLoader) -> None:
        self._sampler_iter = iter(self._index_sampler)
        self._num_yielded = 0
        self._IterableDataset_len_called = loader._IterableDataset_len_called

    def _next_data(self) -> Any:
        raise NotImplementedError

    def __next__(self) -> Any:
        began = time.perf_counter()
        data = self._next_data()
        self._num_yielded += 1
        if log.on and (loader := self._loader()) is not None:
            events.gives(loader, self, data, time.perf_counter() - began)
        if (said := self._IterableDataset_len_called) is not None and self._num_yielded > said:
            warn(
                f"Length of IterableDataset {self._dataset} was reported to be {said} (when accessing "
                f"len(dataloader)), but {self._num_yielded} samples have been fetched. "
                if self._num_workers == 0
                else f"Length of IterableDataset {self._dataset} was reported to be {said} (when accessing "
                f"len(dataloader)), but {self._num_yielded} samples have been fetched. "
                "For multiprocessing data-loading, this could be caused by not properly configuring the "
                "IterableDataset replica at each worker: use get_worker_info() to give each worker its share.",
                stacklevel=2,
            )
        return data

    def __len__(self) -> int:
        return len(self._index_sampler)

    def __getstate__(self):
        raise NotSupported(
            f"{self.__class__.__name__} cannot be pickled",
            why="it holds the place in an epoch, and processes",
            fix="pickle the data set, and make a DataLoader from it",
        )


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if self._timeout != 0:
            raise FailedAssertion(
                "_SingleProcessDataLoaderIter requires timeout == 0",
                why="nothing is waited for",
                fix="use `timeout=0`, or `num_workers=2`",
            )
        self._fetch = _DatasetKind.create_fetcher(
            self._dataset_kind, self._dataset, self._auto_collation, self._collate_fn, self._drop_last
        ).fetch

    def _next_data(self):
        return self._fetch(next(self._sampler_iter))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    def __init__(self, loader: DataLoader) -> None:
        if not loader.prefetch_factor:
            raise FailedAssertion(
                "prefetch_factor must be at least 1 when num_workers > 0",
                why="workers that fetch nothing ahead would never fetch",
                fix="use `prefetch_factor=2`",
            )
        super().__init__(loader)
        self._pool = WorkerPool(
            context=loader.multiprocessing_context or multiprocessing.get_context(),
            count=loader.num_workers,
            ahead=loader.prefetch_factor,
            timeout=loader.timeout,
            in_order=loader.in_order,
            persistent=loader.persistent_workers,
            job={
                "make_fetcher": MapFetcher if self._dataset_kind == _DatasetKind.Map else IterableFetcher,
                "dataset": loader.dataset,
                "auto_collation": self._auto_collation,
                "collate_fn": loader.collate_fn,
                "drop_last": loader.drop_last,
                "base_seed": self._base_seed,
                "init_fn": loader.worker_init_fn,
            },
        )
        self._pool.begin(self._sampler_iter)

    @property
    def closed(self) -> bool:  # type: ignore[override]
        """Whether the workers are gone."""
        return self._pool.closed

    @property
    def _workers(self):
        return self._pool.processes

    def _reset(self, loader: DataLoader) -> None:
        super()._reset(loader)
        self._pool.begin(self._sampler_iter)

    def _next_data(self):
        return self._pool.next()
