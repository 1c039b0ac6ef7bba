"""Attributions of one neuron to the inputs: the methods for outputs, with the neuron in the output's place."""

from __future__ import annotations

import flambeau as torch

from ..nn import Module
from ..told import tell
from .arguments import (
    as_args,
    as_baselines,
    as_tuple,
    check_targets,
    like_inputs,
    repeat_args,
    repeat_target,
)
from .base import GradientAttribution, NeuronAttribution, leaves_no_trace
from .deep_lift import DeepLift, DeepLiftShap
from .forward import check_output, derivatives, variables_of
from .gradient_shap import GradientShap
from .guided_backprop import Deconvolution, GuidedBackprop
from .integrated_gradients import IntegratedGradients
from .integration import path, points_and_weights, portions, weighted_sum
from .layer_values import neuron_gradient_func, run_watching, select_neuron

Tensor = torch.Tensor


class GradientOfNeuron(NeuronAttribution, GradientAttribution):
    """Base of the methods that differentiate a neuron.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs; without effect.
    """

    def __init__(self, forward_func, layer: Module, device_ids=None):
        NeuronAttribution.__init__(self, forward_func, layer, device_ids)
        GradientAttribution.__init__(self, forward_func)

    def of_neuron(self, method: GradientAttribution, neuron_selector, to_input: bool):
        """The method, explaining the neuron."""
        method.gradient_func = neuron_gradient_func(self.layer, neuron_selector, to_input)
        return method


class NeuronGradient(GradientOfNeuron):
    """The gradient of a neuron with respect to the inputs.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs; without effect.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronGradient
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Tanh())
    >>> NeuronGradient(model, model[0]).attribute(torch.ones(1, 3), neuron_selector=1)
    tensor([[0., 1., 0.]])
    """

    @leaves_no_trace
    def attribute(self, inputs, neuron_selector, additional_forward_args=None, attribute_to_neuron_input=False):
        """The gradients, of the inputs' shapes.

        Arguments:
            inputs: a tensor, or a tuple of them; the first dimension counts examples.
            neuron_selector: the neuron's index among an example's values, or a tuple of indices; slices stand for the
                sum over them; or a function that takes the layer's values and returns one number for each example.
            additional_forward_args: further arguments of the forward function.
            attribute_to_neuron_input: the neuron is in what the layer takes, not in what it returns.
        """
        func = neuron_gradient_func(self.layer, neuron_selector, attribute_to_neuron_input)
        return like_inputs(inputs, func(self.forward_func, as_tuple(inputs), None, additional_forward_args))


class NeuronIntegratedGradients(GradientOfNeuron):
    """Integrated gradients of a neuron.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs; without effect.
        multiply_by_inputs: False leaves out the factor x - x'. Default: True.
    Source: Sundararajan, Taly, Yan, arXiv:1703.01365.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronIntegratedGradients
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    >>> NeuronIntegratedGradients(model, model[0]).attribute(torch.tensor([[3.0, 2.0]]), 1).round(decimals=2)
    tensor([[0., 2.]])
    """

    def __init__(self, forward_func, layer: Module, device_ids=None, multiply_by_inputs=True):
        super().__init__(forward_func, layer, device_ids)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, neuron_selector, baselines=None, additional_forward_args=None, n_steps=50,
        method="gausslegendre", internal_batch_size=None, attribute_to_neuron_input=False,
    ):  # fmt: skip
        """The attributions; arguments as in `NeuronGradient.attribute` and `IntegratedGradients.attribute`."""
        ig = IntegratedGradients(self.forward_func, self.multiplies_by_inputs)
        return self.of_neuron(ig, neuron_selector, attribute_to_neuron_input).attribute(
            inputs, baselines, None, additional_forward_args, n_steps, method, internal_batch_size
        )

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class NeuronConductance(GradientOfNeuron):
    """How much of an output's change flows from each input through one neuron.

    aᵢ = (xᵢ - x'ᵢ) ∫₀¹ ∂f/∂y ∂y/∂xᵢ dα for the neuron y.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs; without effect.
        multiply_by_inputs: False leaves out the factor x - x'. Default: True.
    Source: Dhamdhere, Sundararajan, Yan, arXiv:1805.12233.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronConductance
    >>> model = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Linear(2, 2))
    >>> NeuronConductance(model, model[0]).attribute(torch.ones(3, 2), 1, target=0).shape
    torch.Size([3, 2])
    """

    def __init__(self, forward_func, layer: Module, device_ids=None, multiply_by_inputs=True):
        super().__init__(forward_func, layer, device_ids)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, neuron_selector, baselines=None, target=None, additional_forward_args=None, n_steps=50,
        method="riemann_trapezoid", internal_batch_size=None, attribute_to_neuron_input=False, grad_kwargs=None,
    ):  # fmt: skip
        """The attributions; arguments as in `NeuronGradient.attribute` and `LayerConductance.attribute`."""
        if callable(neuron_selector):
            tell(
                "neuron_selector is a function: it may only choose a neuron of the layer; what it computes from "
                "several is not what the conductance is defined for"
            )
        ends = as_tuple(inputs)
        starts = as_baselines(baselines, ends)
        args = as_args(additional_forward_args)
        check_targets(target, ends)
        points, weights = points_and_weights(method, n_steps)
        means: list = [0] * len(ends)
        with torch.no_grad():
            for portion in portions(n_steps, len(ends[0]), internal_batch_size):
                n = len(points[portion])
                products = self.chained(
                    path(ends, starts, points[portion]), neuron_selector, repeat_target(target, n),
                    repeat_args(args, n), attribute_to_neuron_input, grad_kwargs or {},
                )  # fmt: skip
                means = [mean + weighted_sum(p, weights[portion]) for mean, p in zip(means, products, strict=True)]
            if self.multiplies_by_inputs:
                means = [mean * (end - start) for mean, end, start in zip(means, ends, starts, strict=True)]
        return like_inputs(inputs, tuple(means))

    def chained(self, inputs, neuron_selector, target, args, to_input, grad_kwargs):
        """∂f/∂y ∂y/∂x for each example."""
        with torch.inference_mode(False), torch.enable_grad():
            variables = variables_of(inputs)
            output, (values,) = run_watching(
                self.forward_func, [self.layer], variables, target, args, to_input, differentiable=True
            )
            to_layer = derivatives(
                check_output(output, inputs), values, of_layer=True, retain_graph=True, **grad_kwargs
            )
            outer = select_neuron(to_layer, neuron_selector)
            inner = derivatives(select_neuron(values, neuron_selector), variables)
        return tuple(outer.reshape(-1, *(1 for _ in i.shape[1:])) * i for i in inner)

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class NeuronDeepLift(GradientOfNeuron):
    """DeepLIFT's contributions to a neuron.

    Arguments:
        model: a module.
        layer: the module that the neuron belongs to.
        multiply_by_inputs: False returns the multipliers. Default: True.
    Source: Shrikumar, Greenside, Kundaje, arXiv:1704.02685.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronDeepLift
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    >>> NeuronDeepLift(model, model[0]).attribute(torch.tensor([[3.0, 2.0]]), 1, baselines=-2.0)
    tensor([[0., 2.]])
    """

    def __init__(self, model: Module, layer: Module, multiply_by_inputs: bool = True):
        super().__init__(model, layer)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, neuron_selector, baselines=None, additional_forward_args=None, attribute_to_neuron_input=False,
        custom_attribution_func=None,
    ):  # fmt: skip
        """The contributions; arguments as in `NeuronGradient.attribute` and `DeepLift.attribute`."""
        method = DeepLift(self.forward_func, self.multiplies_by_inputs)
        return self.of_neuron(method, neuron_selector, attribute_to_neuron_input).attribute(
            inputs, baselines, additional_forward_args=additional_forward_args,
            custom_attribution_func=custom_attribution_func,
        )  # fmt: skip

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class NeuronDeepLiftShap(NeuronDeepLift):
    """The mean of DeepLIFT's contributions to a neuron over a distribution of baselines.

    Arguments: those of `NeuronDeepLift`.
    Source: Lundberg, Lee, arXiv:1705.07874.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronDeepLiftShap
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    >>> NeuronDeepLiftShap(model, model[0]).attribute(torch.tensor([[3.0]]), 0, torch.tensor([[1.0], [2.0]]))
    tensor([[1.5000]])
    """

    @leaves_no_trace
    def attribute(
        self, inputs, neuron_selector, baselines, additional_forward_args=None, attribute_to_neuron_input=False,
        custom_attribution_func=None,
    ):  # fmt: skip
        """The mean contributions; arguments as in `NeuronGradient.attribute` and `DeepLiftShap.attribute`."""
        method = DeepLiftShap(self.forward_func, self.multiplies_by_inputs)
        return self.of_neuron(method, neuron_selector, attribute_to_neuron_input).attribute(
            inputs, baselines, additional_forward_args=additional_forward_args,
            custom_attribution_func=custom_attribution_func,
        )  # fmt: skip


class NeuronGradientShap(GradientOfNeuron):
    """GradientShap of a neuron.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs; without effect.
        multiply_by_inputs: False leaves out the factor x - x'. Default: True.
    Source: Lundberg, Lee, arXiv:1705.07874.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronGradientShap
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    >>> NeuronGradientShap(model, model[0]).attribute(torch.tensor([[3.0, 2.0]]), 1, torch.zeros(4, 2))
    tensor([[0., 2.]])
    """

    def __init__(self, forward_func, layer: Module, device_ids=None, multiply_by_inputs=True):
        super().__init__(forward_func, layer, device_ids)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, neuron_selector, baselines, n_samples=5, stdevs=0.0, additional_forward_args=None,
        attribute_to_neuron_input=False,
    ):  # fmt: skip
        """The attributions; arguments as in `NeuronGradient.attribute` and `GradientShap.attribute`."""
        method = GradientShap(self.forward_func, self.multiplies_by_inputs)
        return self.of_neuron(method, neuron_selector, attribute_to_neuron_input).attribute(
            inputs, baselines, n_samples, stdevs, additional_forward_args=additional_forward_args
        )

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class RuleOfNeuron(GradientOfNeuron):
    """The gradients of a neuron, where ReLU modules hand gradients on by the `rule` of another method."""

    rule: type[GuidedBackprop] | type[Deconvolution]

    def __init__(self, model: Module, layer: Module, device_ids=None):
        super().__init__(model, layer, device_ids)
        self.method = self.rule(model)

    @leaves_no_trace
    def attribute(self, inputs, neuron_selector, additional_forward_args=None, attribute_to_neuron_input=False):
        """The gradients by the rule; arguments as in `NeuronGradient.attribute`."""
        return self.of_neuron(self.method, neuron_selector, attribute_to_neuron_input).attribute(
            inputs, None, additional_forward_args
        )


class NeuronGuidedBackprop(RuleOfNeuron):
    """Guided backpropagation from a neuron.

    Arguments:
        model: a module; the rule holds for its `nn.ReLU` modules.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs; without effect.
    Source: Springenberg et al., arXiv:1412.6806.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronGuidedBackprop
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    >>> NeuronGuidedBackprop(model, model[0]).attribute(torch.tensor([[3.0, -2.0]]), 0)
    tensor([[1., 0.]])
    """

    rule = GuidedBackprop


class NeuronDeconvolution(RuleOfNeuron):
    """The deconvolution network from a neuron.

    Arguments:
        model: a module; the rule holds for its `nn.ReLU` modules.
        layer: the module that the neuron belongs to.
        device_ids: taken for the sake of PyTorch programs; without effect.
    Source: Zeiler, Fergus, arXiv:1311.2901.

    >>> import flambeau as torch
    >>> from flambeau.attr import NeuronDeconvolution
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Tanh())
    >>> NeuronDeconvolution(model, model[0]).attribute(torch.tensor([[3.0, -2.0]]), 1)
    tensor([[0., 1.]])
    """

    rule = Deconvolution
