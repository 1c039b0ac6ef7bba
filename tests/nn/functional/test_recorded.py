"""Values of the functions against numbers recorded from PyTorch 2.13."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import flambeau as torch

F = torch.nn.functional
RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())


def r(*shape):
    """Numbers from -1 to 1 that look irregular."""
    n = math.prod(shape)
    return torch.tensor([math.sin(7.0 * k * k + 3.0 * k + 1.0) for k in range(n)], dtype=torch.float64).reshape(shape)


def p(*shape):
    """Numbers between 0 and 1."""
    return r(*shape) * 0.49 + 0.5


def i(*shape):
    """Whole numbers from 0 to 4."""
    n = math.prod(shape)
    return torch.tensor([(3 * k * k + k + 1) % 5 for k in range(n)]).reshape(shape)


def s(n):
    """1, -1, 1, -1..."""
    return torch.tensor([(-1.0) ** k for k in range(n)], dtype=torch.float64)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", RECORDED)
def test_value(call):
    shape, values = RECORDED[call]
    out = eval(call)
    assert list(out.shape) == shape
    expected = np.array([float(v) for v in values]).reshape(shape)
    np.testing.assert_allclose(out.numpy(), expected, rtol=1e-6, atol=1e-8)
