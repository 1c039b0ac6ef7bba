"""Ablation inside a model: of a layer's values, and of inputs as one neuron sees them."""

from __future__ import annotations

from collections.abc import Callable

import flambeau as torch

from .ablation import FeatureAblation, FeaturePermutation
from .arguments import as_args, as_tuple, one_or_tuple
from .base import LayerAttribution, NeuronAttribution, PerturbationAttribution, leaves_no_trace
from .forward import run_forward
from .layer_values import layer_replaced, layer_values, select_neuron

Tensor = torch.Tensor


class LayerFeatureAblation(LayerAttribution, PerturbationAttribution):
    """How much the output falls when values of a layer are exchanged for baselines.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module whose values are exchanged.
        device_ids: taken for the sake of PyTorch programs.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerFeatureAblation
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> LayerFeatureAblation(model, model[1]).attribute(torch.randn(4, 2)).shape
    torch.Size([4, 3])
    """

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        layer_baselines=None,
        target=None,
        additional_forward_args=None,
        layer_mask=None,
        attribute_to_layer_input: bool = False,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ):
        """For each value of the layer the output, less the output without it.

        Arguments:
            inputs, target, additional_forward_args, perturbations_per_eval, show_progress: see
                `FeatureAblation.attribute`.
            layer_baselines: what the layer's values are exchanged for, like `baselines`. Default: 0.
            layer_mask: groups the layer's values, like `feature_mask`.
            attribute_to_layer_input: exchange what the layer takes; else what it returns.
        Returns: attributions in the shape of the layer's values; a tuple if it has several.
        """
        tensors, args = as_tuple(inputs), as_args(additional_forward_args)
        values = layer_values(self.forward_func, self.layer, tensors, args, attribute_to_layer_input)
        found = FeatureAblation(
            with_values(self.forward_func, self.layer, len(values), len(tensors), attribute_to_layer_input)
        ).attribute(
            values, layer_baselines, target, (*tensors, *args), layer_mask, perturbations_per_eval, show_progress
        )
        return one_or_tuple(found)


class LayerFeaturePermutation(LayerAttribution, PerturbationAttribution):
    """How much the output falls when values of a layer are exchanged between the examples of a batch.

    Arguments: see `LayerFeatureAblation`.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerFeaturePermutation
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> LayerFeaturePermutation(model, model[1]).attribute(torch.randn(4, 2)).shape
    torch.Size([4, 3])
    """

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        target=None,
        additional_forward_args=None,
        layer_mask=None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ):
        """For each value of the layer the output, less the output with the value permuted.

        Arguments: see `LayerFeatureAblation.attribute`; the batch needs two examples at least.
        """
        tensors, args = as_tuple(inputs), as_args(additional_forward_args)
        values = layer_values(self.forward_func, self.layer, tensors, args)
        found = FeaturePermutation(
            with_values(self.forward_func, self.layer, len(values), len(tensors), to_input=False)
        ).attribute(values, target, (*tensors, *args), layer_mask, perturbations_per_eval, show_progress)
        return one_or_tuple(found)


class NeuronFeatureAblation(NeuronAttribution, PerturbationAttribution):
    """How much a neuron's value falls when features of the input are exchanged for baselines.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronFeatureAblation
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> NeuronFeatureAblation(model, model[1]).attribute(torch.randn(4, 2), neuron_selector=0).shape
    torch.Size([4, 2])
    """

    @leaves_no_trace
    @torch.no_grad()
    def attribute(
        self,
        inputs,
        neuron_selector,
        baselines=None,
        additional_forward_args=None,
        feature_mask=None,
        attribute_to_neuron_input: bool = False,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
    ):
        """For each feature the neuron's value, less its value without the feature.

        Arguments:
            inputs, baselines, additional_forward_args, feature_mask, perturbations_per_eval, show_progress: see
                `FeatureAblation.attribute`.
            neuron_selector: an index of the layer's values, a tuple of indices, slices for the sum of several neurons,
                or a function of the layer's values that returns one number for each example.
            attribute_to_neuron_input: choose from what the layer takes; else from what it returns.
        Returns: attributions in the form of the inputs.
        """

        def neuron(*args):
            values = layer_values(self.forward_func, self.layer, args, to_input=attribute_to_neuron_input)
            return select_neuron(values, neuron_selector)

        return FeatureAblation(neuron).attribute(
            inputs, baselines, None, additional_forward_args, feature_mask, perturbations_per_eval, show_progress
        )


def with_values(forward_func: Callable, layer, count: int, inputs: int, to_input: bool) -> Callable:
    """The output as a function of a layer's values, followed by the inputs and further arguments.

    Arguments:
        count, inputs: how many values the layer has, and how many inputs the model.
        to_input: the values are those that the layer takes.
    """

    def run(*args):
        with layer_replaced(layer, args[:count], to_input):
            return run_forward(forward_func, args[count : count + inputs], None, args[count + inputs :])

    return run
