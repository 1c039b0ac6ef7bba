"""Samplers: the numbers of PyTorch 2.13 for the same seeds."""

import pytest

import flambeau as fb
from flambeau.utils import data


def seeded(seed):
    generator = fb.Generator()
    generator.manual_seed(seed)
    return generator


def test_random_sampler_orders():
    with_replacement = data.RandomSampler(range(7), replacement=True, num_samples=40, generator=seeded(1))
    assert list(with_replacement) == [
        0, 3, 4, 3, 3, 6, 0, 5, 0, 3, 4, 6, 5, 5, 2, 5, 6, 3, 4, 1,
        3, 2, 4, 6, 2, 5, 5, 2, 3, 5, 0, 5, 2, 6, 2, 5, 4, 1, 4, 4,
    ]  # fmt: skip
    more = data.RandomSampler(range(5), num_samples=12, generator=seeded(1))
    assert list(more) == [0, 4, 2, 3, 1, 3, 2, 4, 1, 0, 4, 1] and len(more) == 12
    assert list(data.SubsetRandomSampler([9, 8, 7, 6], generator=seeded(1))) == [8, 6, 7, 9]


def test_random_sampler_errors():
    with pytest.raises(TypeError, match="replacement should be a boolean"):
        data.RandomSampler(range(3), replacement=1)
    with pytest.raises(ValueError, match="num_samples should be a positive integer value, but got num_samples=0"):
        data.RandomSampler([])


def test_weighted_sampler():
    g = seeded(1)
    assert list(data.WeightedRandomSampler([0.1, 0.2, 0.3, 0.9], 6, generator=g)) == [0, 2, 2, 1, 3, 1]
    assert list(data.WeightedRandomSampler([0.1, 0.2, 0.3, 0.9], 3, replacement=False, generator=g)) == [3, 2, 1]
    with pytest.raises(ValueError, match="1d sequence"):
        data.WeightedRandomSampler([[0.5]], 1)
    with pytest.raises(ValueError, match="num_samples should be a positive integer"):
        data.WeightedRandomSampler([1.0], True)


@pytest.mark.parametrize("drop_last, expected", [(False, [[0, 1], [2, 3], [4]]), (True, [[0, 1], [2, 3]])])
def test_batch_sampler(drop_last, expected):
    sampler = data.BatchSampler(data.SequentialSampler(range(5)), 2, drop_last)
    assert list(sampler) == expected and len(sampler) == len(expected)


def test_batch_sampler_errors():
    with pytest.raises(ValueError, match="batch_size should be a positive integer"):
        data.BatchSampler(range(3), 0, False)
    with pytest.raises(ValueError, match="drop_last should be a boolean"):
        data.BatchSampler(range(3), 1, 1)


def test_distributed_sampler():
    assert list(data.DistributedSampler(range(10), 3, 1, seed=4)) == [4, 7, 8, 0]
    assert list(data.DistributedSampler(range(10), 3, 2, drop_last=True)) == [7, 9, 6]
    sampler = data.DistributedSampler(range(2), 5, 4, shuffle=False)
    assert list(sampler) == [0] and len(sampler) == 1
    first = list(data.DistributedSampler(range(100), 2, 0))
    later = data.DistributedSampler(range(100), 2, 0)
    later.set_epoch(1)
    assert first != list(later)
    with pytest.raises(ValueError, match=r"interval \[0, 1\]"):
        data.DistributedSampler(range(3), 2, 2)
