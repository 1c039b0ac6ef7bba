"""A layer's values while the model runs: watched, exchanged, differentiated by; and the choice of one neuron."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import flambeau as torch

from ..errors import FailedAssertion, IndexOutOfRange, StateError
from ..nn import Module
from ..told import tell
from .arguments import one_or_tuple
from .base import modules_of
from .forward import check_output, derivatives, run_forward, variables_of

Tensor = torch.Tensor
Values = tuple[Tensor, ...]


def tensors_in(value) -> Values:
    """The tensors in what a module takes or returns: a tensor, or tuples, lists and dicts of them."""
    if isinstance(value, Tensor):
        return (value,)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, tuple | list) else ()
    return tuple(tensor for part in parts for tensor in tensors_in(part))


def with_tensors(value, tensors: Iterator[Tensor]):
    """The same structure with other tensors in it, in the order of `tensors_in`."""
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, dict):
        return type(value)((key, with_tensors(part, tensors)) for key, part in value.items())
    if isinstance(value, tuple | list):
        parts = [with_tensors(part, tensors) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


@contextlib.contextmanager
def layer_hook(module: Module, to_input: bool, change: Callable[[Values], Values]):
    """Within the block, what the module takes (`to_input`) or returns is what `change` makes of its tensors."""

    def hook(_module, inputs, *output):
        value = inputs if to_input else output[0]
        return with_tensors(value, iter(change(tensors_in(value))))

    handle = module.register_forward_pre_hook(hook) if to_input else module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def run_watching(
    forward_func, layers: list[Module], inputs, target=None, args=None, to_input=False, differentiable=False
):
    """Run forward and note the layers' values.

    Arguments:
        forward_func, inputs, target, args: see `run_forward`.
        layers: the modules to watch.
        to_input: watch what they take, not what they return.
        differentiable: the values can be differentiated by, also where no parameter or input requires a gradient.
    Returns the output and, for each layer, its values.
    """
    seen: list[list[Values]] = [[] for _ in layers]

    def note(calls: list[Values]) -> Callable[[Values], Values]:
        def change(values: Values) -> Values:
            if differentiable:
                values = tuple(
                    value
                    if value.requires_grad or not value.dtype.is_floating_point
                    else value.detach().requires_grad_()
                    for value in values
                )
            calls.append(values)
            return tuple(value.clone() for value in values)

        return change

    with contextlib.ExitStack() as hooks:
        for module, calls in zip(layers, seen, strict=True):
            hooks.enter_context(layer_hook(module, to_input, note(calls)))
        output = run_forward(forward_func, inputs, target, args)
    for module, calls in zip(layers, seen, strict=True):
        check_was_run(forward_func, module, len(calls), bool(calls and calls[-1]))
        if len(calls) > 1:
            tell(
                f"the layer {type(module).__name__} was run {len(calls)} times in one forward pass; its last values "
                "are explained. Use a module of its own for each place"
            )
    return output, [calls[-1] for calls in seen]


def check_was_run(forward_func, module: Module, times: int, has_tensors: bool) -> None:
    """Raise if a layer has not been seen at work."""
    kind = type(module).__name__
    models = modules_of(forward_func)
    if not times and models and not any(part is module for model in models for part in model.modules()):
        raise FailedAssertion(
            f"the layer {kind} is not part of the model",
            why="Forward hook did not obtain any outputs for given layer",
            fix="take the layer from the model that is explained: `model.conv1`, or `model.get_submodule('conv1')`",
        )
    if not times:
        raise FailedAssertion(
            f"the layer {kind} was not run in the forward pass",
            why="Forward hook did not obtain any outputs for given layer: no module was called, only perhaps its "
            "`forward` method or its weights",
            fix="choose a layer that is called in `forward`; containers such as `ModuleList` are not",
        )
    if not has_tensors:
        raise FailedAssertion(
            f"the layer {kind} has no tensor there",
            why="its arguments are all given by keyword, or it returns no tensor",
            fix="attribute to the layer's output, or to the layer before it",
        )


def layer_values(forward_func, layer, inputs, args=None, to_input=False):
    """The values of a layer (a tuple of tensors), or for a list of layers a list of them."""
    layers = layer if isinstance(layer, list) else [layer]
    _, values = run_watching(forward_func, layers, inputs, args=args, to_input=to_input)
    return values if isinstance(layer, list) else values[0]


def layer_gradients(forward_func, layer, inputs, target=None, args=None, to_input=False, grad_kwargs=None):
    """The gradients of the output with respect to a layer's values, and these values: tuples, or lists of tuples."""
    layers = layer if isinstance(layer, list) else [layer]
    with torch.inference_mode(False), torch.enable_grad():
        output, values = run_watching(forward_func, layers, inputs, target, args, to_input, differentiable=True)
        flat = tuple(value for of_layer in values for value in of_layer)
        found = iter(derivatives(check_output(output, inputs), flat, of_layer=True, **grad_kwargs or {}))
    gradients = [tuple(next(found) for _ in of_layer) for of_layer in values]
    values = [tuple(value.detach() for value in of_layer) for of_layer in values]
    return (gradients, values) if isinstance(layer, list) else (gradients[0], values[0])


@contextlib.contextmanager
def layer_replaced(module: Module, values: Values, to_input: bool = False):
    """Within the block, the layer takes (`to_input`) or returns these values, whatever it is called with."""
    calls: list[None] = []

    def change(own: Values) -> Values:
        calls.append(None)
        if len(calls) > 1:
            raise StateError(
                f"the layer {type(module).__name__} is run several times in one forward pass",
                why="its values are exchanged, and there is one set of values for all calls",
                fix="use a module of its own for each place",
            )
        return tuple(value.clone() for value in values)

    with layer_hook(module, to_input, change):
        yield


def select_neuron(values: Values, selector) -> Tensor:
    """For each example, the neuron that is explained.

    Arguments:
        values: a layer's values.
        selector: an index or a tuple of indices of one neuron; slices stand for the sum over them; or a function of
            the layer's values that returns one number for each example.

    >>> import flambeau as torch
    >>> from flambeau.attr.layer_values import select_neuron
    >>> select_neuron((torch.tensor([[1.0, 2.0, 3.0]]),), slice(0, 2))
    tensor([3.])
    """
    if callable(selector):
        return check_neuron(selector(one_or_tuple(values)), selector)
    if len(values) > 1:
        raise FailedAssertion(
            "Cannot select neuron index from layer with multiple tensors,consider providing a neuron selector function "
            "instead.",
            why=f"the layer has {len(values)} tensors there",
            fix="give a function such as `lambda tensors: tensors[0][:, 3]`",
        )
    (value,) = values
    indices = selector if isinstance(selector, tuple) else (selector,)
    if len(indices) > value.ndim - 1:
        raise FailedAssertion(
            f"Cannot choose target column with output shape {value.shape}.",
            why=f"`neuron_selector={selector}` has {len(indices)} indices, an example {value.ndim - 1} dimensions",
            fix="give one index for each dimension after the first",
        )
    for index, size in zip(indices, value.shape[1:], strict=False):
        if isinstance(index, int) and not -size <= index < size:
            raise IndexOutOfRange(
                f"neuron {selector} is out of range: the layer's values have shape {tuple(value.shape)}",
                why=f"index {index} is not below {size}",
                fix="give indices of one neuron; the first dimension counts examples and is left out",
            )
    chosen = value[(slice(None), *indices)]
    if any(isinstance(index, slice) for index in indices):
        return chosen.reshape(len(chosen), -1).sum(1)
    return check_neuron(chosen, selector)


def check_neuron(chosen: Tensor, selector) -> Tensor:
    """What a selector has chosen, if it is one number for each example."""
    if not isinstance(chosen, Tensor) or chosen.ndim == 0 or chosen[0].numel() != 1:
        shape = tuple(chosen.shape) if isinstance(chosen, Tensor) else type(chosen).__name__
        raise FailedAssertion(
            f"neuron_selector={selector!r} chooses {shape}, not one number for each example",
            why="one neuron is explained, or the sum of several",
            fix="give an index for each dimension, such as (channel, row, column), or slices to explain their sum",
        )
    return chosen


def neuron_gradient_func(layer: Module, selector, to_input: bool = False) -> Callable:
    """What differentiates a neuron with respect to the inputs: takes the place of `compute_gradients`.

    Arguments:
        layer, to_input: where the neuron is.
        selector: see `select_neuron`.
    """

    def neuron_gradients(forward_fn, inputs: Values, target_ind=None, additional_forward_args=None) -> Values:
        with torch.inference_mode(False), torch.enable_grad():
            variables = variables_of(inputs)
            _, (values,) = run_watching(forward_fn, [layer], variables, args=additional_forward_args, to_input=to_input)
            return derivatives(select_neuron(values, selector), variables)

    return neuron_gradients
