"""The classes that every method derives from, and what holds for every call of `attribute`."""

from __future__ import annotations

import contextlib
import functools
import inspect
import types
from collections.abc import Callable
from contextvars import ContextVar

import flambeau as torch

from ..errors import ArgumentTypeError, FailedAssertion, NotSupported
from ..nn import Module
from ..nn import functional as F
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.dropout import _DropoutNd
from ..told import tell
from .arguments import as_args, as_baselines, as_tuple, baseline_tensors
from .forward import compute_gradients, run_forward

Tensor = torch.Tensor
inside: ContextVar[bool] = ContextVar(
    "inside", default=False
)  # one method uses another: only the first looks after the model


class Attribution:
    """Base of all methods: how much each input (layer, neuron) has to do with an output of a function.

    Arguments:
        forward_func: the model, or any function of tensors whose first dimension counts examples.
    """

    def __init__(self, forward_func: Callable):
        if not callable(forward_func):
            raise ArgumentTypeError(
                f"forward_func is {type(forward_func).__name__}, which cannot be called",
                why="what is explained is a function of tensors",
                fix="give the model, or a function such as `lambda x: model(x).logits`",
            )
        if isinstance(forward_func, type):
            raise ArgumentTypeError(
                f"forward_func is the class {forward_func.__name__}, not a model",
                why="a class makes models; it has no parameters and no output",
                fix=f"make one, with its arguments: `model = {forward_func.__name__}(...)`",
            )
        self.forward_func = forward_func

    def attribute(self, inputs, *args, **kwargs):
        """The attributions: for each input a tensor of its shape."""
        raise NotSupported(
            f"{type(self).__name__} has no method `attribute`",
            why="each method of attribution defines its own",
            fix="use one of them, such as `IntegratedGradients`",
        )

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether attributions are contributions to the output (gradient times change), not sensitivities."""
        return False

    def has_convergence_delta(self) -> bool:
        """Whether `attribute` takes `return_convergence_delta`."""
        return False

    @classmethod
    def get_name(cls) -> str:
        """The method's name in words.

        >>> from flambeau.attr import Attribution
        >>> Attribution.get_name()
        'Attribution'
        """
        return "".join(" " + c if c.isupper() and place else c for place, c in enumerate(cls.__name__))


class GradientAttribution(Attribution):
    """Base of the methods that differentiate.

    Attributes: gradient_func: what computes the gradients; the neuron variants exchange it.
    """

    def __init__(self, forward_func: Callable):
        Attribution.__init__(self, forward_func)
        self.gradient_func: Callable = compute_gradients

    def compute_convergence_delta(
        self, attributions, start_point, end_point, target=None, additional_forward_args=None
    ) -> Tensor:
        """For each example: the sum of its attributions, less the change of the output from the start to the end.

        It is zero where attributions are complete. Compare it with the change of the output: a thousandth of it is
        good.

        Arguments:
            attributions: what `attribute` returned.
            start_point, end_point: the baselines and the inputs.
            target, additional_forward_args: as given to `attribute`.

        >>> import flambeau as torch
        >>> from flambeau.attr import IntegratedGradients
        >>> method = IntegratedGradients(lambda x: (x**2).sum(1))
        >>> x = torch.tensor([[1.0, 2.0]])
        >>> float(method.compute_convergence_delta(method.attribute(x), 0, x).abs()) < 1e-5
        True
        """
        ends = as_tuple(end_point)
        starts = baseline_tensors(ends, as_baselines(start_point, ends))
        parts = attributions if isinstance(attributions, tuple) else (attributions,)
        for part in parts:
            if len(part) != len(ends[0]):
                raise FailedAssertion(
                    "Attributions tensor and the end_point must match on the first dimension but found "
                    f"attribution: {len(part)} and end_point: {len(ends[0])}",
                    why="a delta is worked out for each example",
                    fix="give the inputs that the attributions were computed for",
                )
        return sum(sum_rows(part) for part in parts) - self.output_change(starts, ends, target, additional_forward_args)

    def output_change(self, starts: tuple, ends: tuple, target, additional_forward_args) -> Tensor:
        """For each example, how much the output changes from the baselines to the inputs."""
        args = as_args(additional_forward_args)
        with torch.no_grad():
            end, start = (run_forward(self.forward_func, point, target, args) for point in (ends, starts))
            return sum_rows(end) - sum_rows(start)


class PerturbationAttribution(Attribution):
    """Base of the methods that change the input and look at the output; they need no gradients."""

    @property
    def multiplies_by_inputs(self) -> bool:
        return True


class InternalAttribution(Attribution):
    """Base of the methods that look into a model.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module of interest (some methods take a list of modules).
        device_ids: taken for the sake of PyTorch programs; there are no devices to distribute over.
    """

    several_layers = False  # whether `layer` may be a list

    def __init__(self, forward_func: Callable, layer, device_ids=None):
        Attribution.__init__(self, forward_func)
        if isinstance(layer, list) and not (self.several_layers and layer):
            raise ArgumentTypeError(
                f"{type(self).__name__} takes one layer, not a list of {len(layer)}"
                if layer
                else f"{type(self).__name__} was given no layer: the list is empty",
                why="a method looks at one layer, or in some methods at one or more",
                fix="give a module, such as `model.conv1`; ask for several layers one after the other",
            )
        for module in layer if isinstance(layer, list) else [layer]:
            if not isinstance(module, Module):
                raise ArgumentTypeError(
                    f"layer is {type(module).__name__}, not a module",
                    why="a layer is watched through its module's hooks",
                    fix=f"use `model.get_submodule({module!r})`" if isinstance(module, str)
                    else "give the module itself, such as `model.conv1`",
                )  # fmt: skip
        self.layer = layer
        self.device_ids = device_ids


class LayerAttribution(InternalAttribution):
    """Base of the methods that attribute to a layer's output, or to its input."""

    @staticmethod
    def interpolate(layer_attribution: Tensor, interpolate_dims, interpolate_mode: str = "nearest") -> Tensor:
        """Attributions of a layer resized, for instance to the size of the input image.

        Arguments:
            layer_attribution: (N, C, L), (N, C, H, W) or (N, C, D, H, W).
            interpolate_dims: the new sizes; one number for all.
            interpolate_mode: a mode of `torch.nn.functional.interpolate`.

        >>> import flambeau as torch
        >>> from flambeau.attr import LayerAttribution
        >>> LayerAttribution.interpolate(torch.ones(1, 1, 4, 4), (28, 28)).shape
        torch.Size([1, 1, 28, 28])
        """
        return F.interpolate(layer_attribution, interpolate_dims, mode=interpolate_mode)


class NeuronAttribution(InternalAttribution):
    """Base of the methods that attribute one neuron of a layer to the inputs."""


def sum_rows(values: Tensor) -> Tensor:
    """The sum of each example's values."""
    return values.reshape(len(values), -1).sum(1) if values.ndim else values.reshape(1)


def leaves_no_trace(method: Callable) -> Callable:
    """Decorator of `attribute` methods: warns of training mode, and leaves running statistics as they were."""

    @functools.wraps(method)
    def attribute(self, *args, **kwargs):
        if inside.get():
            return method(self, *args, **kwargs)
        token = inside.set(True)
        try:
            with running_statistics_kept(self):
                return method(self, *args, **kwargs)
        finally:
            inside.reset(token)

    return attribute


@contextlib.contextmanager
def running_statistics_kept(method: Attribution):
    """Put back what forward passes in training mode change; warn that they make attributions random."""
    norms, dropouts = [], []
    for model in modules_of(method.forward_func):
        for name, module in model.named_modules():
            if module.training and isinstance(module, _BatchNorm):
                norms.append((name or type(module).__name__, module))
            if module.training and isinstance(module, _DropoutNd) and module.p > 0:
                dropouts.append(name or type(module).__name__)
    if dropouts:
        tell(
            f"the model is in training mode: the dropout of `{dropouts[0]}` makes attributions random. "
            "Call `model.eval()` first"
        )
    elif norms:
        tell(
            f"the model is in training mode: `{norms[0][0]}` normalises by the batch, so an example's attributions "
            "depend on the others. Call `model.eval()` first"
        )
    kept = [(buffer, buffer.clone()) for _, module in norms for buffer in module.buffers(recurse=False)]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)


def modules_of(function) -> list[Module]:
    """The modules that a function is known to run: itself, the object of a method, what a function's code refers to."""
    if isinstance(function, Module):
        return [function]
    if isinstance(function, functools.partial):
        return modules_of(function.func)
    if isinstance(function, types.MethodType):
        return [function.__self__] if isinstance(function.__self__, Module) else []
    if isinstance(function, types.FunctionType):
        seen = inspect.getclosurevars(function)
        return [value for value in {**seen.globals, **seen.nonlocals}.values() if isinstance(value, Module)]
    return []
