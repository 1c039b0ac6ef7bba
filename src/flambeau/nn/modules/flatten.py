"""Joining dimensions and splitting them."""

from __future__ import annotations

from ...errors import ArgumentTypeError
from .module import Module

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Joins a range of dimensions into one; by default all but the batch.

    Arguments:
        start_dim, end_dim: first and last dimension of the range.

    >>> import flambeau as torch
    >>> torch.nn.Flatten()(torch.ones(32, 1, 5, 5)).shape
    torch.Size([32, 25])
    """

    __constants__ = ["start_dim", "end_dim"]

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input):
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits one dimension into several.

    Arguments:
        dim: the dimension, by number or name.
        unflattened_size: the sizes it becomes; one may be -1.

    >>> import flambeau as torch
    >>> torch.nn.Unflatten(1, (2, 5, 5))(torch.ones(2, 50)).shape
    torch.Size([2, 2, 5, 5])
    """

    __constants__ = ["dim", "unflattened_size"]

    def __init__(self, dim, unflattened_size):
        super().__init__()
        if isinstance(dim, int):
            _require_ints(unflattened_size)
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input):
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _require_ints(sizes):
    if not isinstance(sizes, (tuple, list)):
        raise ArgumentTypeError(
            f"unflattened_size must be a tuple of ints, but found type {type(sizes).__name__}",
            why="a dimension is divided into these",
            fix=f"use `(-1, {sizes})`" if isinstance(sizes, int) else "use a tuple such as `(3, -1)`",
        )
    for i, size in enumerate(sizes):
        if not isinstance(size, int):
            raise ArgumentTypeError(
                f"unflattened_size must be tuple of ints, but found element of type {type(size).__name__} at pos {i}",
                why=f"the sizes are {tuple(sizes)}, and a size is a whole number",
                fix="convert them with `int()`",
            )
