"""torch.testing.assert_close: what passes, and what is said when it does not."""

import math

import pytest

import flambeau as torch
from flambeau.testing import assert_close


def test_close():
    assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-6]))
    assert_close({"a": [1.0, torch.tensor(2)]}, {"a": [1.0 + 1e-9, torch.tensor(2)]})
    assert_close(torch.tensor(math.nan), torch.tensor(math.nan), equal_nan=True)
    assert_close(torch.tensor([1.0]), torch.tensor([1.1]), rtol=0.2, atol=0)
    assert_close(torch.tensor([1], dtype=torch.int32), torch.tensor([1]), check_dtype=False)


@pytest.mark.parametrize(
    "actual, expected, said",
    [
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]), "Mismatched elements: 1 / 2 (50.0%)"),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]), "Greatest absolute difference: 1.0 at index (1,)"),
        (torch.tensor([1]), torch.tensor([2]), "Tensor-likes are not equal!"),
        (torch.tensor([1.0]), torch.tensor([[1.0]]), "attribute 'shape' do not match"),
        (torch.tensor([1.0]), torch.tensor([1]), "attribute 'dtype' do not match: torch.float32 != torch.int64"),
        (torch.tensor(math.nan), torch.tensor(math.nan), "Scalars are not close!"),
        ([1, 2], [1], "length of the sequences mismatch"),
        ({"a": 1}, {"b": 1}, "keys of the mappings"),
        ({"a": torch.tensor(1.0)}, {"a": torch.tensor(2.0)}, "The failure occurred for item ['a']"),
    ],
)
def test_not_close(actual, expected, said):
    with pytest.raises(AssertionError) as raised:
        assert_close(actual, expected)
    assert said in str(raised.value)


def test_misuse():
    with pytest.raises(ValueError, match="both be specified"):
        assert_close(1.0, 1.0, rtol=1e-3)
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(torch.tensor(1.0), 1.0)
