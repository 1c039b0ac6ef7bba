"""Runs the function that is explained, takes the outputs that are asked for, and differentiates them."""

from __future__ import annotations

import operator

import flambeau as torch

from ..errors import ArgumentTypeError, DtypeError, FailedAssertion, GradientError, IndexOutOfRange
from ..told import tell
from .arguments import as_args

Tensor = torch.Tensor


def run_forward(forward_func, inputs: tuple, target=None, additional_forward_args=None):
    """`forward_func(*inputs, *additional_forward_args)`, and of its result the outputs that `target` names.

    The function gets copies of the inputs, so that in-place operations change neither the caller's tensors nor leaves.

    Arguments:
        forward_func: a module or any function.
        inputs: its tensors.
        target: see `select_target`.
        additional_forward_args: what it takes after the inputs.
    """
    output = forward_func(*(input.clone() for input in inputs), *as_args(additional_forward_args))
    return output if target is None else select_target(output, target)


def select_target(output: Tensor, target) -> Tensor:
    """For each example, the output that is explained.

    Arguments:
        output: the function's result, (N, *).
        target: None where there is one output per example; an index, or a tuple of indices for outputs with more
            dimensions, for all examples; a tensor or list with an index (or a tuple of indices) for each example.

    >>> import flambeau as torch
    >>> from flambeau.attr.forward import select_target
    >>> select_target(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), [1, 0])
    tensor([2., 3.])
    """
    check_is_tensor(output)
    if isinstance(target, Tensor) and target.numel() == 1:
        target = target.item()
    if isinstance(target, Tensor | list):
        return select_each(output, target.tolist() if isinstance(target, Tensor) else target)
    return select_same(output, target)


def check_is_tensor(output) -> None:
    """Raise for a forward function that returns several things."""
    if not isinstance(output, Tensor):
        raise ArgumentTypeError(
            f"the forward function returned {type(output).__name__}, not a tensor",
            why="one number for each example is explained, and it has to be taken from a tensor",
            fix="explain a function that returns it: `lambda x: model(x)[0]`, or `.logits`",
        )


def select_same(output: Tensor, target) -> Tensor:
    """The same output of every example."""
    indices = target if isinstance(target, tuple) else (target,)
    if len(indices) > output.ndim - 1:
        raise FailedAssertion(
            f"Cannot choose target column with output shape {output.shape}.",
            why=f"`target={target}` has {len(indices)} indices, and an example's output {output.ndim - 1} dimensions",
            fix="leave `target` out where there is one output for each example; else give one index per dimension",
        )
    for index, size in zip(indices, output.shape[1:], strict=False):
        if not isinstance(index, slice):
            check_index(index, size, output)
    return output[(slice(None), *indices)]


def select_each(output: Tensor, targets: list) -> Tensor:
    """An output of its own for every example."""
    if len(targets) != len(output):
        raise FailedAssertion(
            f"there are {len(targets)} targets for {len(output)} examples",
            why="Target list length does not match output!",
            fix=f"give one index for all examples, or {len(output)} indices",
        )
    tuples = [t if isinstance(t, tuple) else (t,) for t in targets]
    for indices in tuples:
        if (
            len(indices) != len(tuples[0])
            or len(indices) > output.ndim - 1
            or (len(indices) < output.ndim - 1 and not isinstance(targets[0], tuple))
        ):
            raise FailedAssertion(
                "Output must be 2D to select tensor of targets.",
                why=f"the output has shape {tuple(output.shape)}: an example's output takes {output.ndim - 1} indices",
                fix="give a list with a tuple of indices for each example",
            )
        for index, size in zip(indices, output.shape[1:], strict=False):
            check_index(index, size, output)
    rows = torch.arange(len(output))
    columns = (torch.tensor([indices[d] for indices in tuples]) for d in range(len(tuples[0])))
    return output[(rows, *columns)]


def check_index(index, size: int, output: Tensor) -> None:
    """Raise for a target that is no index into a dimension of this size."""
    try:
        number = operator.index(index)
    except TypeError:
        raise FailedAssertion(
            f"Target type {type(index)} is not valid.",
            why=f"{index!r} is no index into an output of shape {tuple(output.shape)}",
            fix="give whole numbers: an int, a tuple of them, or a list or integer tensor with one for each example",
        ) from None
    if not -size <= number < size:
        raise IndexOutOfRange(
            f"target {number} is out of range: there are {size} outputs, 0 to {size - 1}",
            why=f"the output has shape {tuple(output.shape)}",
            fix="give the index of one of the model's outputs",
        )


def check_output(output, inputs: tuple) -> Tensor:
    """The output if it is one floating-point number for each example; else an error that says what is missing."""
    check_is_tensor(output)
    if output.ndim == 0 and (not inputs or len(inputs[0]) == 1):
        output = output.reshape(1)
    if output.ndim == 0:
        raise FailedAssertion(
            f"the forward function returned one number for {len(inputs[0])} examples",
            why="each example's own output is explained",
            fix="return one number for each example, without `.sum()` or `.mean()` over the batch",
        )
    if output.dtype.is_floating_point is False and not output.dtype.is_complex:
        raise DtypeError(
            f"the output that is explained is of dtype {output.dtype}",
            why="whole numbers have no gradient, so nothing says how they depend on the input",
            fix="explain scores or probabilities, not the predicted class: leave out `argmax` and comparisons",
        )
    if len(output) and output[0].numel() != 1:
        raise FailedAssertion(
            "Target not provided when necessary, cannot take gradient with respect to multiple outputs.",
            why=f"the output has shape (N, {', '.join(map(str, output.shape[1:]))}): {output[0].numel()} numbers for "
            "each example",
            fix="say which is explained: `attribute(inputs, target=3)`, or a list with a class for each example",
        )
    values = output.detach()
    if not bool(torch.isfinite(values).all()):
        bad = int((~torch.isfinite(values)).sum())
        tell(f"{bad} of {values.numel()} outputs are not finite, so the attributions of these examples mean nothing")
    return output


def derivatives(output: Tensor, variables: tuple[Tensor, ...], of_layer: bool = False, **options) -> tuple[Tensor, ...]:
    """The gradients of the sum of `output`, that is of each example's own output, with respect to `variables`.

    Arguments:
        output: one number for each example.
        variables: tensors that it was computed from.
        of_layer: they are values of a layer, not inputs (for the errors).
        options: further arguments of `torch.autograd.grad`.
    """
    if not output.requires_grad:
        raise GradientError(
            "the output does not depend on the layer through differentiable operations"
            if of_layer
            else "the output does not depend on the input through differentiable operations",
            why="it has no gradient function: `detach`, `no_grad`, `argmax`, `.numpy()` or `.item()` has cut it off",
            fix="let the forward function compute with tensors from the input to the output",
        )
    unused_is_zero = options.pop("allow_unused", False) or options.get("materialize_grads", False)
    found = torch.autograd.grad(output.sum(), variables, **options, allow_unused=True)
    for place, gradient in enumerate(found):
        if gradient is None and not unused_is_zero:
            raise GradientError(
                f"the output does not depend on layer value {place}"
                if of_layer
                else f"the output does not depend on input {place}",
                why="it is not used in the forward function, or its path to the output is cut by `detach` or `no_grad`",
                fix="explain the tensors that are used; others can be given as `additional_forward_args`",
            )
    return tuple(
        torch.zeros_like(variable) if gradient is None else gradient.detach()
        for gradient, variable in zip(found, variables, strict=True)
    )


def variables_of(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Fresh leaves with the values of the inputs, to differentiate by."""
    check_differentiable(inputs)
    return tuple(input.detach().clone().requires_grad_() for input in inputs)


def check_differentiable(inputs: tuple[Tensor, ...]) -> None:
    """Raise for inputs of whole numbers."""
    for place, input in enumerate(inputs):
        if not input.dtype.is_floating_point and not input.dtype.is_complex:
            raise DtypeError(
                f"input {place} is of dtype {input.dtype}, which has no gradient",
                why="whole numbers, such as the indices of words, cannot be changed a little",
                fix="attribute to the embedding's output with `LayerIntegratedGradients(model, model.embedding)`, or "
                "give it as `additional_forward_args`",
            )


def compute_gradients(forward_fn, inputs: tuple[Tensor, ...], target_ind=None, additional_forward_args=None):
    """The gradient of each example's target output with respect to each input.

    Arguments: those of `run_forward`.
    """
    with torch.inference_mode(False), torch.enable_grad():
        variables = variables_of(inputs)
        output = check_output(run_forward(forward_fn, variables, target_ind, additional_forward_args), inputs)
        return derivatives(output, variables)
