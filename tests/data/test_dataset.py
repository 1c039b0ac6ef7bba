"""Data sets: wrapping, splitting, reading many samples at once."""

import numpy as np
import pytest

import flambeau as fb
from flambeau.utils import data
from flambeau.utils.data._utils.batch import SampleBatch


def test_dataset_without_getitem_says_so():
    with pytest.raises(NotImplementedError, match="should implement __getitem__"):
        data.Dataset()[0]


def test_tensor_dataset_reads_rows():
    x, y = fb.arange(6).view(3, 2), fb.tensor([7, 8, 9])
    dataset = data.TensorDataset(x, y)
    assert len(dataset) == 3
    a, b = dataset[1]
    assert a.tolist() == [2, 3] and b.item() == 8
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        data.TensorDataset(x, fb.zeros(2))


def test_tensor_dataset_batch_equals_samples():
    dataset = data.TensorDataset(fb.randn(10, 3), fb.arange(10), fb.arange(10) % 2 == 0)
    batch = dataset.__getitems__([3, -1, 3])
    assert isinstance(batch, SampleBatch) and len(batch) == 3
    fast = data.default_collate(batch)
    slow = data.default_collate([dataset[i] for i in (3, -1, 3)])
    for a, b in zip(fast, slow, strict=True):
        assert a.dtype == b.dtype and fb.equal(a, b)
    assert batch[1][1].item() == 9 and len(list(batch)) == 3
    with pytest.raises(IndexError):
        dataset.__getitems__([10])


def test_tensor_dataset_subclass_keeps_its_getitem():
    class Twice(data.TensorDataset):
        def __getitem__(self, index):
            return super().__getitem__(index)[0] * 2

    loader = data.DataLoader(Twice(fb.arange(4)), batch_size=4)
    assert next(iter(loader)).tolist() == [0, 2, 4, 6]


def test_tensor_dataset_keeps_gradients():
    x = fb.ones(4, 2, requires_grad=True)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(x), batch_size=2)))
    batch.sum().backward()
    assert x.grad.sum().item() == 4


def test_concat_and_add():
    both = data.ConcatDataset([[1, 2], [3]])
    assert [both[i] for i in (0, 2, -1, -3)] == [1, 3, 3, 1]
    assert both.cumulative_sizes == [2, 3]
    with pytest.raises(ValueError, match="absolute value of index"):
        both[-4]
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        data.ConcatDataset([])
    one = data.TensorDataset(fb.arange(2))
    assert len(one + one) == 4


def test_stack_dataset():
    assert data.StackDataset([1, 2], [3, 4]).__getitems__([1, 0]) == [(2, 4), (1, 3)]
    named = data.StackDataset(a=data.TensorDataset(fb.arange(3)), b=[4, 5, 6])
    rows = named.__getitems__([2])
    assert rows[0]["b"] == 6 and rows[0]["a"][0].item() == 2
    with pytest.raises(ValueError, match="Size mismatch between datasets"):
        data.StackDataset([1], [1, 2])
    with pytest.raises(ValueError, match="At least one dataset"):
        data.StackDataset()


class Letters(data.IterableDataset):
    def __init__(self, text):
        self.text = text

    def __iter__(self):
        return iter(self.text)

    def __len__(self):
        return len(self.text)


def test_chain_dataset():
    chain = Letters("ab") + Letters("c")
    assert list(chain) == ["a", "b", "c"] and len(chain) == 3
    with pytest.raises(AssertionError, match="ChainDataset only supports IterableDataset"):
        list(data.ChainDataset([[1]]))
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        data.ConcatDataset([Letters("a")])


def test_subset():
    part = data.Subset("abcdef", [4, 0])
    assert list(part) == ["e", "a"] and len(part) == 2
    nested = data.Subset(data.TensorDataset(fb.arange(10)), [9, 8, 7])
    assert data.default_collate(nested.__getitems__([2, 0]))[0].tolist() == [7, 9]

    class Half(data.Subset):
        def __getitem__(self, index):
            return 0

    with pytest.raises(NotImplementedError, match="overrides __getitem__ but not __getitems__"):
        Half([1], [0])


def test_random_split_is_pytorchs():
    generator = fb.Generator()
    generator.manual_seed(2)
    parts = data.random_split(range(10), [0.5, 0.3, 0.2], generator=generator)
    assert [list(part.indices) for part in parts] == [[8, 7, 1, 5, 6], [9, 0, 4], [2, 3]]
    with pytest.raises(ValueError, match="does not equal the length"):
        data.random_split(range(10), [3, 3])
    with pytest.raises(ValueError, match="not between 0 and 1"):
        data.random_split(range(10), [1.5, -0.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        data.random_split(range(3), [0.99, 0.01])


def test_sample_batch_is_a_sequence():
    batch = SampleBatch("collated", 3, lambda k: k * 10)
    assert list(batch) == [0, 10, 20] and batch[-1] == 20 and batch[1:] == [10, 20]
    with pytest.raises(IndexError):
        batch[3]


def test_numpy_targets():
    dataset = data.StackDataset(np.arange(4.0), [1, 2, 3, 4])
    x, y = next(iter(data.DataLoader(dataset, batch_size=2)))
    assert x.dtype == fb.float64 and y.dtype == fb.int64
