"""Occlusion: slide a window that hides a part of the input, and see where the output falls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral

import numpy as np

import flambeau as torch

from ..errors import FailedAssertion
from .ablation import FeatureAblation
from .arguments import as_baselines, as_tuple, like_inputs
from .base import leaves_no_trace

Tensor = torch.Tensor


class Occlusion(FeatureAblation):
    """How much the output falls when a window of the input is exchanged for its baseline; the window slides.

    An element's attribution is the mean over all windows that it was in.

    Arguments:
        forward_func: the model, or any function of tensors.
    Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, arxiv.org/abs/1311.2901.

    >>> import flambeau as torch
    >>> from flambeau.attr import Occlusion
    >>> method = Occlusion(lambda x: x[:, 0, 1, 1])
    >>> method.attribute(torch.ones(1, 1, 3, 3), sliding_window_shapes=(1, 2, 2))[0, 0]
    tensor([[1., 1., 1.],
            [1., 1., 1.],
            [1., 1., 1.]])
    """

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        sliding_window_shapes,
        strides=None,
        baselines=None,
        target=None,
        additional_forward_args=None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ):
        """For each element, the mean fall of the output over the windows that it is in.

        Arguments:
            inputs: a tensor whose first dimension counts examples, or a tuple of them.
            sliding_window_shapes: the window: sizes for all dimensions after the first, such as (3, 8, 8) for images
                of three channels; a tuple of such tuples for several inputs.
            strides: by how much the window moves: a number, or one for each dimension; a tuple of these for several
                inputs. No larger than the window. Default: 1.
            baselines, target, additional_forward_args, show_progress: see `FeatureAblation.attribute`.
            perturbations_per_eval: how many windows are evaluated in one call of `forward_func`; more are faster.
        Returns: attributions, in the form of the inputs.
        """
        tensors = as_tuple(inputs)
        replacements = as_baselines(baselines, tensors)
        windows = [
            (i, window)
            for i, (shape, stride) in enumerate(zip(*as_windows(sliding_window_shapes, strides, tensors)))
            for window in slide(tensors[i].shape[1:], shape, stride)
        ]

        def occluded(some: Sequence) -> tuple[Tensor, ...]:
            copies = [input.expand(len(some), *input.shape).clone() for input in tensors]
            for place, (i, window) in enumerate(some):
                new = replacements[i]
                new = new[(slice(None), *window)] if isinstance(new, Tensor) else new
                copies[i][(place, slice(None), *window)] = new
            return tuple(copy.reshape(-1, *copy.shape[2:]) for copy in copies)

        falls = self._falls(
            tensors, windows, occluded, target, additional_forward_args, perturbations_per_eval, show_progress
        )
        totals = [np.zeros((*input.shape[1:], falls.shape[1])) for input in tensors]
        counts = [np.zeros((*input.shape[1:], 1)) for input in tensors]
        for (i, window), fall in zip(windows, falls.double().numpy()):
            totals[i][window] += fall
            counts[i][window] += 1
        dtype = falls.dtype if falls.is_floating_point() else torch.float32
        means = (np.moveaxis(total / count, -1, 0) for total, count in zip(totals, counts))
        return like_inputs(inputs, tuple(torch.from_numpy(mean).to(dtype).contiguous() for mean in means))


def slide(sizes: Sequence[int], shape: Sequence[int], strides: Sequence[int]) -> list[tuple[slice, ...]]:
    """All places of a window, the first dimension moving fastest; at the end the window may be cut off.

    >>> from flambeau.attr.occlusion import slide
    >>> slide((5,), (2,), (2,))
    [(slice(0, 2, None),), (slice(2, 4, None),), (slice(4, 5, None),)]
    """
    found: list[tuple[slice, ...]] = [()]
    for size, width, stride in zip(sizes, shape, strides):
        starts = range(0, (math.ceil((size - width) / stride) + 1) * stride, stride)
        found = [(*before, slice(start, min(start + width, size))) for start in starts for before in found]
    return found


def as_windows(shapes, strides, inputs: tuple[Tensor, ...]) -> tuple[list[tuple], list[tuple]]:
    """The windows' shapes and strides for each input, checked, with a stride for each dimension."""
    shapes = (shapes,) if isinstance(shapes, tuple | list) and shapes and isinstance(shapes[0], Integral) else shapes
    strides = 1 if strides is None else strides
    if isinstance(strides, Integral):
        strides = (strides,) * len(inputs)
    elif len(inputs) == 1 and isinstance(strides, tuple | list) and not isinstance(strides[0], tuple | list):
        strides = (strides,)
    for given, name in ((shapes, "sliding_window_shapes"), (strides, "strides")):
        if not isinstance(given, tuple | list) or len(given) != len(inputs):
            smallest = tuple(min(2, size) for size in inputs[0].shape[1:])
            raise FailedAssertion(
                f"{name} is {given!r}, for {len(inputs)} inputs",
                why="each input has its own window",
                fix=f"pass a tuple with a window for each input, such as `{name}=((3, 4, 4), (2,))`"
                if len(inputs) > 1
                else f"pass a size for each dimension after the first, such as `{name}={smallest}`",
            )
    made: tuple[list, list] = ([], [])
    for i, (input, shape, stride) in enumerate(zip(inputs, shapes, strides)):
        sizes = tuple(input.shape[1:])
        stride = (stride,) * len(sizes) if isinstance(stride, Integral) else stride
        for given, name in ((shape, "sliding_window_shapes"), (stride, "strides")):
            whole = isinstance(given, tuple | list) and all(isinstance(n, Integral) and int(n) > 0 for n in given)
            if not whole or len(given) != len(sizes):
                raise FailedAssertion(
                    f"{name} for input {i} is {given!r}, and an example of it has shape {sizes}",
                    why=f"a window has a size, and a step, for each of these {len(sizes)} dimensions",
                    fix=f"pass {len(sizes)} whole numbers above 0; 1 for a dimension that it moves along alone",
                )
        for size, width, step in zip(sizes, shape, stride):
            if width > size:
                raise FailedAssertion(
                    f"Sliding window dimensions {tuple(shape)} cannot exceed input dimensions{sizes}.",
                    why=f"the window of input {i} is {width} wide where the input has {size} elements",
                    fix=f"use a window of at most {sizes}",
                )
            if step > width and width < size:
                raise FailedAssertion(
                    f"Stride dimension {tuple(stride)} cannot be larger than sliding window shape dimension "
                    f"{tuple(shape)}.",
                    why="what lies between two windows would get no attribution",
                    fix=f"use strides of at most {tuple(shape)}",
                )
        made[0].append(tuple(map(int, shape)))
        made[1].append(tuple(map(int, stride)))
    return made
