"""The sampler for several processes: each rank reads its own share of the data set."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import flambeau as fb

from ...errors import ArgumentError, StateError
from .sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index, starting at `rank`; all ranks get equally many.

    Arguments:
        num_replicas, rank: number of processes and this one's number. Default: from `flambeau.distributed`.
        shuffle: permute with a generator seeded by ``seed + epoch`` (the same on all ranks).
        drop_last: drop the tail instead of repeating the first samples to make the shares equal.

    Call `set_epoch` before each epoch, or every epoch has the same order.

    Example:
        >>> list(DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
        [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            distributed = getattr(fb, "distributed", None)
            if distributed is None or not distributed.is_available():
                raise StateError(
                    "Requires distributed package to be available",
                    why="nothing says how many processes there are, and which this one is",
                    fix="use `num_replicas=` and `rank=`",
                )
            num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
            rank = distributed.get_rank() if rank is None else rank
        if rank >= num_replicas or rank < 0:
            raise ArgumentError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]",
                why=f"there are {num_replicas} processes, numbered from 0",
                fix=f"use a rank below {num_replicas}",
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.seed = seed
        size = len(dataset)
        self.num_samples = size // num_replicas if drop_last else math.ceil(size / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            generator = fb.Generator()
            generator.manual_seed(self.seed + self.epoch)
            indices = fb.randperm(len(self.dataset), generator=generator).tolist()
        else:
            indices = list(range(len(self.dataset)))
        shares = itertools.islice(itertools.cycle(indices), self.total_size)
        return itertools.islice(shares, self.rank, None, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of this epoch."""
        self.epoch = epoch
