"""What the methods are given, in one form: tuples of inputs, baselines for each of them, targets, further arguments.

`n` times as many examples are made of all of them in one of two orders: `repeat` goes through the whole batch again and
again (a b a b), `each` repeats every example (a a b b).
"""

from __future__ import annotations

import inspect

import flambeau as torch

from ..errors import ArgumentError, FailedAssertion

Tensor = torch.Tensor
NUMBERS = (int, float)


def as_tuple(inputs) -> tuple[Tensor, ...]:
    """The inputs as a tuple of tensors that have examples along their first dimension.

    >>> import flambeau as torch
    >>> from flambeau.attr.arguments import as_tuple
    >>> [t.shape for t in as_tuple(torch.zeros(2, 3))]
    [torch.Size([2, 3])]
    """
    tensors = inputs if isinstance(inputs, tuple) else (inputs,)
    for place, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise FailedAssertion(
                f"`inputs` must be a torch.Tensor or a tuple[torch.Tensor] but found: {type(tensor)}",
                why=f"input {place} is not a tensor",
                fix="use `torch.as_tensor` for arrays and lists, and `additional_forward_args` for what is no tensor",
            )
        if tensor.ndim == 0 or len(tensor) == 0:
            raise ArgumentError(
                f"there is no example in input {place}: its shape is {tuple(tensor.shape)}",
                why="the first dimension of an input counts examples",
                fix="give at least one example; `input.unsqueeze(0)` makes a batch of a single one",
            )
    if not tensors:
        raise ArgumentError(
            "`inputs` is an empty tuple",
            why="there is nothing to attribute the output to",
            fix="give the model's input tensors, `inputs=(x1, x2)`",
        )
    return tensors


def like_inputs(inputs, attributions: tuple):
    """The attributions as the inputs came: a tuple for a tuple, one tensor for one tensor."""
    return attributions if isinstance(inputs, tuple) else attributions[0]


def one_or_tuple(tensors: tuple):
    """A layer's values as Captum returns them: a tuple only where there are several."""
    return tensors if len(tensors) > 1 else tensors[0]


def as_args(additional_forward_args) -> tuple:
    """Further arguments of the forward function, as a tuple."""
    if additional_forward_args is None:
        return ()
    return additional_forward_args if isinstance(additional_forward_args, tuple) else (additional_forward_args,)


def as_baselines(baselines, inputs: tuple[Tensor, ...], distribution: bool = False) -> tuple:
    """A baseline (a tensor or a number) for each input: zero where none is given.

    Arguments:
        baselines: None, a number, a tensor, or a tuple of these; a function of the inputs, or of nothing, that
            returns one of them.
        inputs: the inputs, as a tuple.
        distribution: the baselines are samples to draw from, any number of them.

    >>> import flambeau as torch
    >>> from flambeau.attr.arguments import as_baselines
    >>> as_baselines(None, (torch.zeros(2, 3),))
    (0,)
    """
    if callable(baselines) and not isinstance(baselines, Tensor):
        given = one_or_tuple(inputs)
        baselines = baselines(given) if inspect.signature(baselines).parameters else baselines()
    if baselines is None:
        return tuple(False if input.dtype is torch.bool else 0 for input in inputs)
    baselines = baselines if isinstance(baselines, tuple) else (baselines,)
    if len(baselines) != len(inputs):
        raise FailedAssertion(
            "Input and baseline must have the same dimensions, baseline has "
            f"{len(baselines)} features whereas input has {len(inputs)}.",
            why="each input tensor needs its baseline",
            fix="give a tuple `baselines` with one tensor or number for each input",
        )
    for place, (baseline, input) in enumerate(zip(baselines, inputs, strict=True)):
        check_baseline(place, baseline, input, distribution)
    return baselines


def check_baseline(place: int, baseline, input: Tensor, distribution: bool) -> None:
    """Raise if this cannot be the baseline of input number `place`."""
    if isinstance(baseline, NUMBERS):
        return
    if not isinstance(baseline, Tensor):
        raise FailedAssertion(
            f"baseline input argument must be either a torch.Tensor or a number however {type(baseline)} detected",
            why=f"it is the baseline of input {place}",
            fix="give a tensor of the input's shape, or a number for all its elements",
        )
    fits = baseline.ndim > 0 and (
        baseline.shape[1:] == input.shape[1:] if distribution
        else baseline.shape == input.shape or (baseline.ndim == input.ndim and len(baseline) == 1)
    )  # fmt: skip
    if not fits or len(baseline) == 0:
        one, n = ", ".join(map(str, (1, *input.shape[1:]))), "N" if distribution else str(len(input))
        raise FailedAssertion(
            f"the baseline of input {place} has shape {tuple(baseline.shape)}, the input {tuple(input.shape)}",
            why="a baseline is a tensor for one example, one for each example, or a number for all elements",
            fix=f"use a baseline of shape ({one}), or a number"
            if n == "1"
            else f"use a baseline of shape ({one}), or with {n} in the place of the 1, or a number",
        )


def baseline_tensors(inputs: tuple[Tensor, ...], baselines: tuple) -> tuple[Tensor, ...]:
    """The baselines as tensors of the inputs' shapes."""
    return tuple(
        torch.full_like(input, baseline) if isinstance(baseline, NUMBERS)
        else baseline.expand(input.shape) if len(baseline) == 1 and len(input) > 1 else baseline
        for input, baseline in zip(inputs, baselines, strict=True)
    )  # fmt: skip


def check_targets(target, inputs: tuple[Tensor, ...]) -> None:
    """Raise if there are targets for single examples, and not one for each."""
    count = len(target) if isinstance(target, list) or (isinstance(target, Tensor) and target.ndim) else 1
    if count != len(inputs[0]) and (count > 1 or isinstance(target, list)):
        raise FailedAssertion(
            f"there are {count} targets for {len(inputs[0])} examples",
            why="Target list length does not match output!",
            fix="give one index for all examples, or a list with an index for each",
        )


def repeat(tensor: Tensor, n: int, each: bool = False) -> Tensor:
    """`n` times as many examples: the batch again and again, or each example `n` times in a row.

    >>> import flambeau as torch
    >>> from flambeau.attr.arguments import repeat
    >>> repeat(torch.tensor([1, 2]), 2), repeat(torch.tensor([1, 2]), 2, each=True)
    (tensor([1, 2, 1, 2]), tensor([1, 1, 2, 2]))
    """
    return tensor.repeat_interleave(n, dim=0) if each else tensor.repeat(n, *(1 for _ in tensor.shape[1:]))


def repeat_target(target, n: int, each: bool = False):
    """The targets of `n` times as many examples; one target for all examples stays as it is."""
    if isinstance(target, list):
        return [t for t in target for _ in range(n)] if each else target * n
    if isinstance(target, Tensor) and target.numel() > 1:
        return repeat(target, n, each)
    return target


def repeat_args(args: tuple, n: int, each: bool = False) -> tuple:
    """The further arguments of `n` times as many examples; what is no tensor, or a tensor without dimensions, stays."""
    return tuple(repeat(arg, n, each) if isinstance(arg, Tensor) and arg.ndim else arg for arg in args)
