"""Gradients of the output with respect to the input, as they are and times the input."""

from __future__ import annotations

from .arguments import as_tuple, like_inputs
from .base import GradientAttribution, leaves_no_trace


class Saliency(GradientAttribution):
    """The gradient's magnitude: how strongly the output reacts to a small change of each input element.

    Arguments:
        forward_func: the model, or any differentiable function of tensors.
    Source: Simonyan, Vedaldi, Zisserman: Deep inside convolutional networks, arXiv:1312.6034.

    >>> import flambeau as torch
    >>> from flambeau.attr import Saliency
    >>> Saliency(lambda x: 3 * x[:, 0] - x[:, 1]).attribute(torch.ones(1, 2))
    tensor([[3., 1.]])
    """

    @leaves_no_trace
    def attribute(self, inputs, target=None, abs=True, additional_forward_args=None):
        """The gradients.

        Arguments:
            inputs: a tensor, or a tuple of them; the first dimension counts examples.
            target: which output is explained: an index, a tuple of indices, or a list or tensor with one for each
                example; None where there is one number for each example.
            abs: their absolute values. Default: True.
            additional_forward_args: further arguments of the forward function.
        """
        gradients = self.gradient_func(self.forward_func, as_tuple(inputs), target, additional_forward_args)
        return like_inputs(inputs, tuple(gradient.abs() for gradient in gradients) if abs else gradients)


class InputXGradient(GradientAttribution):
    """The gradient times the input: what each element contributes where the function is linear.

    Arguments:
        forward_func: the model, or any differentiable function of tensors.
    Source: Shrikumar et al.: Not just a black box, arXiv:1605.01713.

    >>> import flambeau as torch
    >>> from flambeau.attr import InputXGradient
    >>> InputXGradient(lambda x: 3 * x[:, 0] - x[:, 1]).attribute(torch.tensor([[2.0, 5.0]]))
    tensor([[ 6., -5.]])
    """

    @leaves_no_trace
    def attribute(self, inputs, target=None, additional_forward_args=None):
        """The products; arguments as in `Saliency.attribute`."""
        tensors = as_tuple(inputs)
        gradients = self.gradient_func(self.forward_func, tensors, target, additional_forward_args)
        return like_inputs(inputs, tuple(x.detach() * g for x, g in zip(tensors, gradients, strict=True)))

    @property
    def multiplies_by_inputs(self) -> bool:
        return True
