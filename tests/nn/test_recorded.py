"""Modules made under a seed: how they print, their state's names, shapes and first values, and their errors.

`recorded.json` holds what PyTorch 2.13 gives for each expression. The random number after construction shows that the
same amount of randomness was used.
"""

import builtins
import json
import math
from pathlib import Path

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn.utils import prune  # noqa: F401  used by the expressions

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())


def same(found, expected):
    return all(math.isclose(a, b, rel_tol=3e-5, abs_tol=3e-5) for a, b in zip(found, expected))


def check_values(t, shape, first, total):
    assert list(t.shape) == shape
    values = t.detach().double().flatten()
    assert same(values[:4].tolist(), first), (values[:4].tolist(), first)
    assert math.isclose(values.sum().item(), total, rel_tol=1e-4, abs_tol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("expression", RECORDED)
def test_as_recorded(expression):
    expected = RECORDED[expression]
    torch.manual_seed(0)
    names = {"nn": nn, "torch": torch}
    if "raises" in expected:
        with pytest.raises(getattr(builtins, expected["raises"])) as error:
            eval(expression, names)
        assert str(error.value).split("\n")[0] == expected["message"].split("\n")[0]
        return
    made = eval(expression, names)
    if "tensor" in expected:
        check_values(made, *expected["tensor"])
        assert round(float(torch.rand(1)), 6) == expected["next"]
        return
    assert repr(made) == expected["repr"]
    if "state" not in expected:
        return
    state = made.state_dict()
    assert list(state) == list(expected["state"])
    for name, recorded in expected["state"].items():
        if recorded is None:
            assert isinstance(state[name], (nn.UninitializedParameter, nn.UninitializedBuffer))
        else:
            check_values(state[name], *recorded)
    assert round(float(torch.rand(1)), 6) == expected["next"]
