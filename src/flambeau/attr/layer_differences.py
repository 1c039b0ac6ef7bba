"""Attributions to a layer by its difference from baselines: DeepLIFT, its mean over baselines, and GradientShap."""

from __future__ import annotations

import flambeau as torch

from ..nn import Module
from .arguments import as_args, as_baselines, as_tuple, baseline_tensors, one_or_tuple, repeat_args
from .base import GradientAttribution, LayerAttribution, leaves_no_trace
from .deep_lift import DeepLift, crossed, mean_over, several_baselines
from .gradient_shap import between, distribution_of
from .layer_values import layer_gradients, layer_values
from .noise_tunnel import NoiseTunnel


class LayerDeepLift(LayerAttribution, DeepLift):
    """What the difference of each of a layer's values from its value at the baseline contributes to the output's.

    Arguments:
        model: a module.
        layer: a module of it.
        multiply_by_inputs: False returns the multipliers. Default: True.
    Source: Shrikumar, Greenside, Kundaje, arXiv:1704.02685.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerDeepLift
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> LayerDeepLift(model, model[0]).attribute(torch.ones(5, 3), target=1).shape
    torch.Size([5, 4])
    """

    def __init__(self, model: Module, layer: Module, multiply_by_inputs: bool = True):
        LayerAttribution.__init__(self, model, layer)
        DeepLift.__init__(self, model, multiply_by_inputs)

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, return_convergence_delta=False,
        attribute_to_layer_input=False, custom_attribution_func=None, grad_kwargs=None,
    ):  # fmt: skip
        """The attributions: a tensor, or a tuple where the layer has several; with the deltas if asked for.

        Arguments:
            inputs, baselines, target, additional_forward_args, return_convergence_delta, custom_attribution_func: as in
                `DeepLift.attribute`.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
            grad_kwargs: further arguments of `torch.autograd.grad`.
        """
        ends = as_tuple(inputs)
        starts = baseline_tensors(ends, as_baselines(baselines, ends))
        args = as_args(additional_forward_args)
        with self.rescaling(without=None if attribute_to_layer_input else self.layer):
            gradients, values = layer_gradients(
                self.on_both(starts, target, []), self.layer, ends, None, repeat_args(args, 2),
                attribute_to_layer_input, grad_kwargs,
            )  # fmt: skip
        with torch.no_grad():
            to, frm = (tuple(half) for half in zip(*(value.chunk(2) for value in values), strict=True))
            multipliers = tuple(gradient.chunk(2)[0] for gradient in gradients)
            found = self.contributions(multipliers, to, frm, custom_attribution_func)
        if not return_convergence_delta:
            return one_or_tuple(found)
        return one_or_tuple(found), self.compute_convergence_delta(found, starts, ends, target, args)


class LayerDeepLiftShap(LayerDeepLift):
    """The mean of a layer's DeepLIFT contributions over a distribution of baselines.

    Arguments:
        model: a module.
        layer: a module of it.
        multiply_by_inputs: False returns the multipliers. Default: True.
    Source: Lundberg, Lee, arXiv:1705.07874.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerDeepLiftShap
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> LayerDeepLiftShap(model, model[0]).attribute(torch.ones(5, 3), torch.zeros(2, 3), target=1).shape
    torch.Size([5, 4])
    """

    @leaves_no_trace
    def attribute(
        self, inputs, baselines, target=None, additional_forward_args=None, return_convergence_delta=False,
        attribute_to_layer_input=False, custom_attribution_func=None,
    ):  # fmt: skip
        """The mean attributions; arguments as in `DeepLiftShap.attribute` and `LayerDeepLift.attribute`."""
        ends = as_tuple(inputs)
        starts = several_baselines(baselines, ends, "LayerDeepLift")
        found = super().attribute(
            *crossed(ends, starts, target, additional_forward_args), return_convergence_delta, attribute_to_layer_input,
            custom_attribution_func,
        )  # fmt: skip
        attributions, *delta = found if return_convergence_delta else (found,)
        parts = attributions if isinstance(attributions, tuple) else (attributions,)
        means = one_or_tuple(tuple(mean_over(part, len(ends[0])) for part in parts))
        return (means, *delta) if return_convergence_delta else means


class LayerGradientShap(LayerAttribution, GradientAttribution):
    """A layer's change from random baselines, times its gradient at random points on the way to noisy inputs.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: a module of it.
        device_ids: taken for the sake of PyTorch programs; without effect.
        multiply_by_inputs: False leaves out the factor of the change. Default: True.
    Source: Lundberg, Lee, arXiv:1705.07874.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerGradientShap
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> LayerGradientShap(model, model[0]).attribute(torch.ones(5, 3), torch.zeros(2, 3), target=1).shape
    torch.Size([5, 4])
    """

    def __init__(self, forward_func, layer, device_ids=None, multiply_by_inputs=True):
        LayerAttribution.__init__(self, forward_func, layer, device_ids)
        GradientAttribution.__init__(self, forward_func)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, baselines, n_samples=5, stdevs=0.0, target=None, additional_forward_args=None,
        return_convergence_delta=False, attribute_to_layer_input=False,
    ):  # fmt: skip
        """The attributions: a tensor, or a tuple where the layer has several; with the deltas if asked for.

        Arguments:
            inputs, baselines, n_samples, stdevs, target, additional_forward_args, return_convergence_delta: as in
                `GradientShap.attribute`.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
        """
        method = LayerInputBaselineXGradient(self.forward_func, self.layer, self.device_ids, self.multiplies_by_inputs)
        return NoiseTunnel(method).attribute(
            inputs, nt_samples=n_samples, stdevs=stdevs, draw_baseline_from_distrib=True,
            baselines=distribution_of(baselines, as_tuple(inputs)), target=target,
            additional_forward_args=additional_forward_args, return_convergence_delta=return_convergence_delta,
            attribute_to_layer_input=attribute_to_layer_input,
        )  # fmt: skip

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class LayerInputBaselineXGradient(LayerAttribution, GradientAttribution):
    """A layer's change times its gradient at a random point from baseline to input: one sample of LayerGradientShap.

    Arguments: those of `LayerGradientShap`.
    """

    def __init__(self, forward_func, layer, device_ids=None, multiply_by_inputs=True):
        LayerAttribution.__init__(self, forward_func, layer, device_ids)
        GradientAttribution.__init__(self, forward_func)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, return_convergence_delta=False,
        attribute_to_layer_input=False, grad_kwargs=None,
    ):  # fmt: skip
        """One sample for each example; arguments as in `LayerConductance.attribute`."""
        ends = as_tuple(inputs)
        starts = baseline_tensors(ends, as_baselines(baselines, ends))
        args = as_args(additional_forward_args)
        with torch.no_grad():
            found, _ = layer_gradients(
                self.forward_func,
                self.layer,
                between(ends, starts),
                target,
                args,
                attribute_to_layer_input,
                grad_kwargs,
            )
            if self.multiplies_by_inputs:
                to, frm = (
                    layer_values(self.forward_func, self.layer, point, args, attribute_to_layer_input)
                    for point in (ends, starts)
                )
                found = tuple((b - a) * g for g, b, a in zip(found, to, frm, strict=True))
        if not return_convergence_delta:
            return one_or_tuple(found)
        return one_or_tuple(found), self.compute_convergence_delta(found, starts, ends, target, args)

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs
