"""Features: which elements of the inputs are changed together, given by masks with the number of each one's feature."""

from __future__ import annotations

from collections.abc import Sequence

import flambeau as torch

from ..errors import ArgumentError, ArgumentTypeError, DtypeError, FailedAssertion

Tensor = torch.Tensor


class Features:
    """The features of some inputs.

    Arguments:
        feature_mask: a tensor of whole numbers, or a tuple of them for several inputs: elements with the same number
            are one feature, also across inputs. Each can be broadcast to its input. None: each element of an example
            is a feature of its own.
        inputs: the inputs, as a tuple.

    Attributes: count: how many there are; places: for each input, the feature's place among all of them (0 to
    count - 1) for each element; members: for each feature, the inputs that have a part of it; numbers: the features'
    numbers in the masks, in order.

    >>> import flambeau as torch
    >>> from flambeau.attr.features import Features
    >>> features = Features(torch.tensor([[0, 0, 7]]), (torch.zeros(2, 3),))
    >>> features.count, features.places[0]
    (2, tensor([[0, 0, 1]]))
    """

    def __init__(self, feature_mask, inputs: tuple[Tensor, ...]):
        self.places: tuple[Tensor, ...]
        if feature_mask is None:
            ranges, start = [], 0
            for input in inputs:
                size = input[:1].numel()
                ranges.append(torch.arange(start, start + size).reshape(1, *input.shape[1:]))
                start += size
            self.places, self.numbers = tuple(ranges), torch.arange(start)
        else:
            masks = as_masks(feature_mask, inputs)
            self.numbers = torch.unique(torch.cat([mask.flatten() for mask in masks]))
            self.places = tuple(torch.searchsorted(self.numbers, mask) for mask in masks)
        self.count = len(self.numbers)
        if not self.count:
            raise ArgumentError(
                "there are no features: the inputs have no elements",
                why="their shapes are " + ", ".join(str(tuple(input.shape)) for input in inputs),
                fix="pass inputs that have elements",
            )
        self.members: list[list[int]] = [[] for _ in range(self.count)]
        for i, places in enumerate(self.places):
            for place in torch.unique(places).tolist():
                self.members[place].append(i)

    def select(self, i: int, chosen: Sequence[int]) -> Tensor:
        """Which elements of input `i` belong to each of some features: (features, 1 or N, *)."""
        places = self.places[i]
        return places == torch.tensor(chosen).reshape(-1, *(1 for _ in places.shape))

    def differ(self) -> bool:
        """Whether examples have features of their own (a mask with a row for each)."""
        return any(len(places) > 1 for places in self.places)

    def spread(self, values: Tensor, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Attributions of the inputs' elements from those of the features.

        Arguments:
            values: (features, outputs); outputs are one or several for each example, or some for the whole batch.
            inputs: the inputs.
        Returns: for each input (outputs, *shape of an example).
        """
        outputs = values.shape[1]
        spread = []
        for places, input in zip(self.places, inputs):
            if len(places) == 1:
                found = values.index_select(0, places.flatten()).t().reshape(outputs, *places.shape[1:])
            else:
                of_example = torch.arange(outputs) // (outputs // len(input))
                column = torch.arange(outputs).reshape(outputs, *(1 for _ in places.shape[1:]))
                found = values[places[of_example], column]
            spread.append(found.expand(outputs, *input.shape[1:]).contiguous())
        return tuple(spread)


def as_masks(feature_mask, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The user's masks as int64 tensors with as many dimensions as their inputs."""
    masks = feature_mask if isinstance(feature_mask, tuple) else (feature_mask,)
    if len(masks) != len(inputs):
        raise FailedAssertion(
            f"there are {len(masks)} feature masks for {len(inputs)} inputs",
            why="each input needs the mask that says which feature its elements belong to",
            fix="pass a tuple with one mask for each input",
        )
    made = []
    for i, (mask, input) in enumerate(zip(masks, inputs)):
        if not isinstance(mask, Tensor):
            raise ArgumentTypeError(
                f"the feature mask of input {i} is {type(mask).__name__}, not a tensor",
                fix="use `torch.as_tensor(mask)`",
            )
        if mask.is_floating_point() or mask.is_complex():
            raise DtypeError(
                f"the feature mask of input {i} has dtype {mask.dtype}",
                why="its elements are the numbers of features",
                fix="use `mask.long()`",
            )
        fits = mask.ndim <= input.ndim and all(m in (1, n) for m, n in zip(reversed(mask.shape), reversed(input.shape)))
        if not fits:
            raise FailedAssertion(
                f"the feature mask of input {i} has shape {tuple(mask.shape)}, the input {tuple(input.shape)}",
                why="a mask is as large as its input, or can be broadcast to it",
                fix=f"use a mask of shape {(1, *input.shape[1:])}: the same features in each example",
            )
        made.append(mask.long().reshape(*(1 for _ in range(input.ndim - mask.ndim)), *mask.shape))
    return tuple(made)


def mixed(chosen: Tensor, yes, no, input: Tensor) -> Tensor:
    """Several changed copies of a batch: `yes` where `chosen`, else `no`.

    Arguments:
        chosen: (copies, 1 or N, *), as masks are.
        yes, no: tensors like `input` (N, *), or of one example, or numbers.
        input: (N, *).
    Returns: (copies * N, *).
    """
    if input.is_floating_point():
        yes, no = (value.to(input.dtype) if isinstance(value, Tensor) else value for value in (yes, no))
    copies = torch.where(chosen, yes, no)
    return copies.expand(len(chosen), *input.shape).reshape(-1, *input.shape[1:])
