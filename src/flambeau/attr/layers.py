"""Attributions to a layer from one pass: its activations, gradients times activations, Grad-CAM."""

from __future__ import annotations

import flambeau as torch

from ..errors import FailedAssertion
from ..nn import Module
from ..told import tell
from .arguments import as_tuple, like_inputs, one_or_tuple
from .base import GradientAttribution, LayerAttribution, leaves_no_trace
from .guided_backprop import GuidedBackprop
from .layer_values import layer_gradients, layer_values

Tensor = torch.Tensor


class LayerActivation(LayerAttribution):
    """The values of a layer.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: a module of it, or a list of modules.
        device_ids: taken for the sake of PyTorch programs; without effect.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerActivation
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten())
    >>> LayerActivation(model, model[0]).attribute(torch.tensor([[-1.0, 2.0]]))
    tensor([[0., 2.]])
    """

    several_layers = True

    @leaves_no_trace
    def attribute(self, inputs, additional_forward_args=None, attribute_to_layer_input=False):
        """The values: a tensor, or a tuple where the layer has several; a list of these for a list of layers.

        Arguments:
            inputs: a tensor, or a tuple of them.
            additional_forward_args: further arguments of the forward function.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
        """
        with torch.no_grad():
            values = layer_values(
                self.forward_func, self.layer, as_tuple(inputs), additional_forward_args, attribute_to_layer_input
            )
        return [one_or_tuple(of_layer) for of_layer in values] if isinstance(values, list) else one_or_tuple(values)

    @property
    def multiplies_by_inputs(self) -> bool:
        return True


class LayerGradientXActivation(LayerAttribution, GradientAttribution):
    """The gradient with respect to a layer's values, times the values.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: a module of it, or a list of modules.
        device_ids: taken for the sake of PyTorch programs; without effect.
        multiply_by_inputs: False returns the gradients. Default: True.
        memory_efficient: taken for the sake of PyTorch programs: there is no other memory to move values to.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerGradientXActivation
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten())
    >>> LayerGradientXActivation(lambda x: model(x).pow(2).sum(1), model[0]).attribute(torch.tensor([[-1.0, 2.0]]))
    tensor([[0., 8.]])
    """

    several_layers = True

    def __init__(self, forward_func, layer, device_ids=None, multiply_by_inputs=True, memory_efficient=False):
        LayerAttribution.__init__(self, forward_func, layer, device_ids)
        GradientAttribution.__init__(self, forward_func)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, target=None, additional_forward_args=None, attribute_to_layer_input=False, grad_kwargs=None
    ):
        """The products: a tensor, or a tuple where the layer has several; a list of these for a list of layers.

        Arguments:
            inputs, target, additional_forward_args: as in `Saliency.attribute`.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
            grad_kwargs: further arguments of `torch.autograd.grad`, such as {"allow_unused": True}.
        """
        gradients, values = layer_gradients(
            self.forward_func, self.layer, as_tuple(inputs), target, additional_forward_args,
            attribute_to_layer_input, grad_kwargs,
        )  # fmt: skip
        if isinstance(self.layer, list):
            return [one_or_tuple(self.products(g, v)) for g, v in zip(gradients, values, strict=True)]
        return one_or_tuple(self.products(gradients, values))

    def products(self, gradients, values) -> tuple[Tensor, ...]:
        """Gradients times values, or the gradients alone."""
        if not self.multiplies_by_inputs:
            return gradients
        return tuple(gradient * value for gradient, value in zip(gradients, values, strict=True))

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class LayerGradCam(LayerAttribution, GradientAttribution):
    """Grad-CAM: a convolution layer's channels, weighted by their mean gradients and summed.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: usually the last convolution layer.
        device_ids: taken for the sake of PyTorch programs; without effect.
    Shapes: a layer's (N, C, H, W) -> (N, 1, H, W); `LayerAttribution.interpolate` brings it to the image's size.
    Source: Selvaraju et al.: Grad-CAM, arXiv:1610.02391.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerGradCam
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 10))
    >>> LayerGradCam(model, model[0]).attribute(torch.ones(2, 1, 8, 8), target=3).shape
    torch.Size([2, 1, 6, 6])
    """

    def __init__(self, forward_func, layer, device_ids=None):
        LayerAttribution.__init__(self, forward_func, layer, device_ids)
        GradientAttribution.__init__(self, forward_func)

    @leaves_no_trace
    def attribute(
        self, inputs, target=None, additional_forward_args=None, attribute_to_layer_input=False,
        relu_attributions=False, attr_dim_summation=True, grad_kwargs=None,
    ):  # fmt: skip
        """The map: a tensor, or a tuple where the layer has several.

        Arguments:
            inputs, target, additional_forward_args: as in `Saliency.attribute`.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
            relu_attributions: set negative attributions to zero, as the paper does. Default: False.
            attr_dim_summation: sum over the channels. Default: True.
            grad_kwargs: further arguments of `torch.autograd.grad`.
        """
        gradients, values = layer_gradients(
            self.forward_func, self.layer, as_tuple(inputs), target, additional_forward_args,
            attribute_to_layer_input, grad_kwargs,
        )  # fmt: skip
        maps = [mean_of_positions(gradient) * value for gradient, value in zip(gradients, values, strict=True)]
        if attr_dim_summation:
            maps = [channels.sum(1, keepdim=True) if channels.ndim > 1 else channels for channels in maps]
        return one_or_tuple(tuple(m.clamp(min=0) if relu_attributions else m for m in maps))


def mean_of_positions(gradient: Tensor) -> Tensor:
    """The mean over all dimensions after the channels."""
    return gradient.mean(tuple(range(2, gradient.ndim)), keepdim=True) if gradient.ndim > 2 else gradient


class GuidedGradCam(GradientAttribution):
    """Guided backpropagation times the Grad-CAM map, resized to the input: fine where the class is.

    Arguments:
        model: a module.
        layer: usually the last convolution layer.
        device_ids: taken for the sake of PyTorch programs; without effect.
    Source: Selvaraju et al.: Grad-CAM, arXiv:1610.02391.

    >>> import flambeau as torch
    >>> from flambeau.attr import GuidedGradCam
    >>> conv, relu, flat = torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten()
    >>> model = torch.nn.Sequential(conv, relu, flat, torch.nn.Linear(144, 10))
    >>> GuidedGradCam(model, conv).attribute(torch.ones(2, 1, 8, 8), target=3).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(self, model: Module, layer: Module, device_ids=None):
        super().__init__(model)
        self.grad_cam = LayerGradCam(model, layer, device_ids)
        self.guided_backprop = GuidedBackprop(model)

    @leaves_no_trace
    def attribute(
        self, inputs, target=None, additional_forward_args=None, interpolate_mode="nearest",
        attribute_to_layer_input=False,
    ):  # fmt: skip
        """The products, of the inputs' shapes.

        Arguments:
            inputs, target, additional_forward_args: as in `Saliency.attribute`.
            interpolate_mode: a mode of `torch.nn.functional.interpolate` for the map.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
        """
        tensors = as_tuple(inputs)
        cam = self.grad_cam.attribute(
            tensors, target, additional_forward_args, attribute_to_layer_input, relu_attributions=True
        )
        if isinstance(cam, tuple):
            raise FailedAssertion(
                "GuidedGradCAM attributions for layer with multiple inputs / outputs is not supported.",
                why=f"the layer has {len(cam)} tensors there",
                fix="choose a layer with one output, such as a convolution",
            )
        gradients = self.guided_backprop.attribute(tensors, target, additional_forward_args)
        return like_inputs(inputs, tuple(focused(gradient, cam, interpolate_mode) for gradient in gradients))


def focused(gradient: Tensor, cam: Tensor, mode: str) -> Tensor:
    """The gradient times the map in its size; empty, with a warning, if the map cannot be resized to it."""
    if cam.ndim != gradient.ndim or cam.ndim < 3:
        tell(
            f"the layer's map of shape {tuple(cam.shape)} cannot be resized to an input of shape "
            f"{tuple(gradient.shape)}: the attributions of this input are empty"
        )
        return torch.empty(0)
    return gradient * LayerAttribution.interpolate(cam, tuple(gradient.shape[2:]), mode)
