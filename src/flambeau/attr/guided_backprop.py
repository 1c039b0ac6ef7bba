"""Gradients in which ReLU layers let only positive gradients through."""

from __future__ import annotations

from ..errors import ArgumentTypeError
from ..nn import Module, ReLU
from ..told import tell
from .arguments import as_tuple, like_inputs
from .base import GradientAttribution, leaves_no_trace
from .rules import following


def check_is_module(model, method: str) -> Module:
    """The model if it is one: methods with rules for layers have to see the layers."""
    if not isinstance(model, Module):
        raise ArgumentTypeError(
            f"{method} takes a module, not {type(model).__name__}",
            why="its rules belong to the model's layers, and a plain function shows none",
            fix="give the model itself; wrap what else is needed in a module's `forward`",
        )
    return model


class ModifiedReluGradientAttribution(GradientAttribution):
    """The gradient with another backward pass of the ReLU layers.

    Arguments:
        model: a module; the rule holds for its `nn.ReLU` modules, not for calls of `F.relu`.
        use_relu_grad_output: the deconvolution rule, not that of guided backpropagation.
    """

    def __init__(self, model: Module, use_relu_grad_output: bool = False):
        super().__init__(model)
        self.model = check_is_module(model, type(self).__name__)
        self.use_relu_grad_output = use_relu_grad_output

    @leaves_no_trace
    def attribute(self, inputs, target=None, additional_forward_args=None):
        """The gradients by the rule; arguments as in `Saliency.attribute`."""
        rule = deconvolution if self.use_relu_grad_output else guided
        with following(self.model, lambda module: rule if isinstance(module, ReLU) else None) as changed:
            if not changed:
                tell(
                    f"{self.get_name()} changes the backward pass of nn.ReLU modules, and the model has none: the "
                    "result is the plain gradient. Calls of `F.relu` are not seen"
                )
            gradients = self.gradient_func(self.forward_func, as_tuple(inputs), target, additional_forward_args)
        return like_inputs(inputs, gradients)


class GuidedBackprop(ModifiedReluGradientAttribution):
    """Guided backpropagation: ReLU layers pass back positive gradients where their input was positive.

    Arguments:
        model: a module; the rule holds for its `nn.ReLU` modules, not for calls of `F.relu`.
    Source: Springenberg et al.: Striving for simplicity, arXiv:1412.6806.

    >>> import flambeau as torch
    >>> from flambeau.attr import GuidedBackprop
    >>> GuidedBackprop(torch.nn.Sequential(torch.nn.ReLU())).attribute(torch.tensor([[-1.0], [2.0]]))
    tensor([[0.],
            [1.]])
    """

    def __init__(self, model: Module):
        super().__init__(model, use_relu_grad_output=False)


class Deconvolution(ModifiedReluGradientAttribution):
    """The deconvolution network: ReLU layers pass back positive gradients, whatever their input was.

    Arguments:
        model: a module; the rule holds for its `nn.ReLU` modules, not for calls of `F.relu`.
    Source: Zeiler, Fergus: Visualizing and understanding convolutional networks, arXiv:1311.2901.

    >>> import flambeau as torch
    >>> from flambeau.attr import Deconvolution
    >>> Deconvolution(torch.nn.Sequential(torch.nn.ReLU())).attribute(torch.tensor([[-1.0], [2.0]]))
    tensor([[1.],
            [1.]])
    """

    def __init__(self, model: Module):
        super().__init__(model, use_relu_grad_output=True)


def guided(call, input, output, gradient):
    """The rule of guided backpropagation: the derivative, of which positive values go on."""
    return call.vjp(input, gradient).clamp(min=0)


def deconvolution(call, input, output, gradient):
    """The rule of deconvolution: what comes, of which positive values go on."""
    return gradient.clamp(min=0)
