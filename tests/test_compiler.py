"""torch.compile in this version: the same results, and a warning that nothing is compiled."""

import warnings

import pytest

import flambeau as torch
from flambeau import nn


def test_functions_decorators_and_modules():
    with pytest.warns(UserWarning, match="runs eagerly"):
        assert torch.compile(lambda x: x + 1)(torch.ones(1)).item() == 2
    with pytest.warns(UserWarning, match="runs eagerly"):

        @torch.compile(mode="reduce-overhead")
        def double(x):
            return x * 2

    assert double(torch.ones(1)).item() == 2
    model = nn.Linear(2, 2)
    with pytest.warns(UserWarning, match="runs eagerly"):
        assert torch.compile(model, fullgraph=True)(torch.ones(1, 2)).shape == (1, 2)
    with pytest.warns(UserWarning, match="runs eagerly"):
        model.compile()


def test_what_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.compile(len, disable=True) is len
    with pytest.raises(NotImplementedError, match="custom backend"):
        torch.compile(len, backend=lambda graph, inputs: graph)
    with pytest.raises(RuntimeError, match="Either mode or options"):
        torch.compile(len, mode="default", options={})
    with pytest.raises(TypeError, match="function or a module"):
        torch.compile(3)
