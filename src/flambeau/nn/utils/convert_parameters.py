"""Parameters as one vector, and back."""

from __future__ import annotations

from ... import ops
from ...errors import ArgumentTypeError
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters):
    """All parameters flattened and joined.

    >>> import flambeau as torch
    >>> torch.nn.utils.parameters_to_vector(torch.nn.Linear(2, 3).parameters()).shape
    torch.Size([9])
    """
    return ops.cat([p.view(-1) for p in parameters])


def vector_to_parameters(vec, parameters) -> None:
    """Give the parameters the values of a vector made by `parameters_to_vector`; they share its memory.

    Raises TypeError unless vec is a tensor.

    >>> import flambeau as torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> torch.nn.utils.vector_to_parameters(torch.tensor([1.0, 2.0, 3.0]), layer.parameters())
    >>> layer.bias.tolist()
    [3.0]
    """
    if not isinstance(vec, Tensor):
        raise ArgumentTypeError(
            f"expected torch.Tensor, but got: {type(vec).__name__}",
            why="its elements are dealt out to the parameters in order",
            fix="use `parameters_to_vector(parameters)`, or `torch.tensor(values)`",
        )
    start = 0
    for p in parameters:
        p.data = vec[start : start + p.numel()].view_as(p).data
        start += p.numel()
