"""Collating: types, structures and errors as PyTorch's."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import flambeau as fb
from flambeau.utils.data import DataLoader, default_collate, default_convert
from flambeau.utils.data._utils.collate import collate, default_collate_fn_map

Point = namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "batch, dtype, values",
    [
        ([1, 2], fb.int64, [1, 2]),
        ([1.5, 2], fb.float64, [1.5, 2.0]),
        ([True, False], fb.bool, [True, False]),
        ([np.float32(1), np.float32(2)], fb.float32, [1.0, 2.0]),
        ([np.int16(1), np.int16(2)], fb.int16, [1, 2]),
        ([np.zeros(2), np.ones(2)], fb.float64, [[0.0, 0.0], [1.0, 1.0]]),
        ([fb.tensor(1), fb.tensor(2)], fb.int64, [1, 2]),
        ([fb.zeros(0), fb.zeros(0)], fb.float32, [[], []]),
    ],
)
def test_leaves(batch, dtype, values):
    made = default_collate(batch)
    assert made.dtype == dtype and made.tolist() == values


def test_structures():
    assert default_collate(["a", "b"]) == ["a", "b"]
    made = default_collate([Point(1, 2.0), Point(3, 4.0)])
    assert isinstance(made, Point) and made.x.tolist() == [1, 3] and made.y.dtype == fb.float64
    made = default_collate([OrderedDict(a=1, b="x"), OrderedDict(a=2, b="y")])
    assert isinstance(made, OrderedDict) and made["a"].tolist() == [1, 2] and made["b"] == ["x", "y"]
    made = default_collate([(1, [2, 3]), (4, [5, 6])])
    assert isinstance(made, list) and made[0].tolist() == [1, 4] and [t.tolist() for t in made[1]] == [[2, 5], [3, 6]]


def test_tensors_of_mixed_dtype_are_promoted():
    assert default_collate([fb.tensor([1]), fb.tensor([1.5])]).tolist() == [[1.0], [1.5]]


def test_gradients_pass():
    x = fb.ones(2, requires_grad=True)
    default_collate([x, x]).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_ragged_error_names_samples_and_cure():
    with pytest.raises(RuntimeError) as caught:
        default_collate([fb.zeros(3), fb.zeros(4)])
    text = str(caught.value)
    assert text.startswith("stack expects each tensor to be equal size, but got [3] at entry 0 and [4] at entry 1")
    assert "pad_sequence" in text

    loader = DataLoader([fb.zeros(2), fb.zeros(2), fb.zeros(2), fb.zeros(5)], batch_size=2)
    with pytest.raises(
        RuntimeError, match=r"has shape \(2,\) for dataset\[2\] \(sample 0 of the batch\) and \(5,\) for dataset\[3\]"
    ):
        list(loader)


def test_errors():
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal size"):
        default_collate([[1, 2], [3]])
    with pytest.raises(
        TypeError, match="batch must contain tensors, numpy arrays, numbers, dicts or lists; found <class 'object'"
    ):
        default_collate([object()])
    with pytest.raises(TypeError, match="found <U1"):
        default_collate([np.array(["a"])])


def test_convert():
    made = default_convert({"a": np.zeros(2), "b": [1, "x"], "c": (np.float32(1),)})
    assert made["a"].dtype == fb.float64 and made["b"] == [1, "x"] and made["c"][0].item() == 1.0
    strings = np.array(["a"])
    assert default_convert(strings) is strings


def test_own_table():
    class Box:
        def __init__(self, value):
            self.value = value

    def boxes(batch, *, collate_fn_map=None):
        return sum(box.value for box in batch)

    made = collate([(Box(1), 2), (Box(3), 4)], collate_fn_map={**default_collate_fn_map, Box: boxes})
    assert made[0] == 4 and made[1].tolist() == [2, 4]
