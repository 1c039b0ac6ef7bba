"""The loader in one process: order, arguments, lengths, errors."""

import warnings

import pytest

import flambeau as fb
from flambeau.utils import data
from flambeau.utils.data import DataLoader


def lists(loader):
    return [batch.tolist() for batch in loader]


def test_shuffle_is_pytorchs():
    fb.manual_seed(0)
    loader = DataLoader(range(10), batch_size=4, shuffle=True)
    assert lists(loader) == [[6, 7, 1, 4], [2, 0, 9, 8], [3, 5]]
    assert lists(loader) == [[2, 4, 7, 0], [8, 9, 5, 3], [6, 1]]
    assert fb.rand(1).item() == pytest.approx(0.455627977848053)


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"batch_size": 2}, [[0, 1], [2, 3], [4]]),
        ({"batch_size": 2, "drop_last": True}, [[0, 1], [2, 3]]),
        ({"sampler": [3, 1]}, [[3], [1]]),
        ({"batch_sampler": [[0, 4], [2]]}, [[0, 4], [2]]),
    ],
)
def test_batches_and_length(options, expected):
    loader = DataLoader(range(5), **options)
    assert lists(loader) == expected and len(loader) == len(expected)


def test_no_batching():
    loader = DataLoader([1, "a", fb.zeros(1)], batch_size=None)
    assert list(loader)[:2] == [1, "a"] and len(loader) == 3


def test_collate_fn_and_getitems():
    class Many(data.Dataset):
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            return [i * 10 for i in indices]

    assert list(DataLoader(Many(), batch_size=3, collate_fn=sum)) == [30, 30]
    tensors = data.TensorDataset(fb.arange(4))
    # A function of one's own sees a plain list of samples.
    assert list(DataLoader(tensors, batch_size=4, collate_fn=lambda s: (type(s), len(s)))) == [(list, 4)]


class Count(data.IterableDataset):
    def __init__(self, n, said=None):
        self.n, self.said = n, n if said is None else said

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.said


def test_iterable():
    loader = DataLoader(Count(5), batch_size=2)
    assert lists(loader) == [[0, 1], [2, 3], [4]] and len(loader) == 3
    assert lists(DataLoader(Count(5), batch_size=2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Count(3), batch_size=None)) == [0, 1, 2]


def test_iterable_longer_than_it_says():
    loader = DataLoader(Count(4, said=2), batch_size=1)
    assert len(loader) == 2
    with pytest.warns(UserWarning, match="Length of IterableDataset .* was reported to be 2"):
        assert len(lists(loader)) == 4


@pytest.mark.parametrize(
    "options, error, match",
    [
        ({"num_workers": -1}, ValueError, "num_workers option should be non-negative"),
        ({"timeout": -1}, ValueError, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, ValueError, "prefetch_factor option could only be specified"),
        ({"persistent_workers": True}, ValueError, "persistent_workers option needs num_workers > 0"),
        ({"sampler": [0], "shuffle": True}, ValueError, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, ValueError, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, ValueError, "disables auto-batching"),
        ({"multiprocessing_context": "fork"}, ValueError, "can only be used with multi-process loading"),
        ({"num_workers": 1, "multiprocessing_context": "x"}, ValueError, "valid start method"),
        ({"num_workers": 1, "multiprocessing_context": 3}, TypeError, "valid context object"),
        ({"batch_size": 0}, ValueError, "batch_size should be a positive integer"),
    ],
)
def test_argument_errors(options, error, match):
    with pytest.raises(error, match=match):
        DataLoader(range(3), **options)


def test_iterable_argument_errors():
    with pytest.raises(ValueError, match="expected unspecified shuffle option"):
        DataLoader(Count(3), shuffle=True)
    with pytest.raises(ValueError, match="expected unspecified sampler option"):
        DataLoader(Count(3), sampler=[1])
    with pytest.raises(ValueError, match="batch_sampler"):
        DataLoader(Count(3), batch_sampler=[[1]])


def test_fixed_attributes():
    loader = DataLoader(range(3))
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader is initialized"):
        loader.batch_size = 2
    loader.num_workers = 0


def test_pin_memory_warns_and_works():
    with pytest.warns(UserWarning, match="pin_memory"):
        assert lists(DataLoader(range(2), pin_memory=True)) == [[0], [1]]


def test_error_names_the_sample():
    class Bad(data.Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, i):
            if i == 3:
                raise KeyError("column")
            return i

    with pytest.raises(KeyError) as caught:
        list(DataLoader(Bad(), batch_size=2))
    assert any("dataset[3] (sample 1 of the batch)" in note for note in caught.value.__notes__)
    with pytest.raises(KeyError) as caught:
        list(DataLoader(Bad(), batch_size=None))
    assert any("dataset[3]" in note for note in caught.value.__notes__)


def test_too_many_workers_warns():
    with pytest.warns(UserWarning, match="will create 1000 worker processes"):
        DataLoader(range(3), num_workers=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DataLoader(range(3), num_workers=1)


def test_iterator_has_length_and_cannot_be_pickled():
    import pickle

    iterator = iter(DataLoader(range(5), batch_size=2))
    assert len(iterator) == 3
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        pickle.dumps(iterator)
