"""Attributions to a layer along the path from a baseline to the input."""

from __future__ import annotations

import contextlib

import flambeau as torch

from ..told import tell
from .arguments import (
    as_args,
    as_baselines,
    as_tuple,
    baseline_tensors,
    check_targets,
    one_or_tuple,
    repeat_args,
    repeat_target,
)
from .base import GradientAttribution, LayerAttribution, leaves_no_trace
from .forward import check_output, derivatives, run_forward, variables_of
from .integrated_gradients import IntegratedGradients
from .integration import path, points_and_weights, portions, refined, weighted_sum
from .layer_values import layer_gradients, layer_replaced, layer_values

Tensor = torch.Tensor


class LayerPathAttribution(LayerAttribution, GradientAttribution):
    """Base: a method that evaluates a layer's gradients and values at points between baseline and input.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: a module of it.
        device_ids: taken for the sake of PyTorch programs; without effect.
    """

    def __init__(self, forward_func, layer, device_ids=None):
        LayerAttribution.__init__(self, forward_func, layer, device_ids)
        GradientAttribution.__init__(self, forward_func)

    def on_path(self, ends, starts, points, target, args, to_input, grad_kwargs):
        """Gradients and values of the layer at these points, for all examples: (len(points) * N, *) each."""
        n = len(points)
        check_targets(target, ends)
        return layer_gradients(
            self.forward_func, self.layer, path(ends, starts, points), repeat_target(target, n), repeat_args(args, n),
            to_input, grad_kwargs,
        )  # fmt: skip


class LayerConductance(LayerPathAttribution):
    """How much of the output's change flows through each of a layer's values on the way from the baseline to the input.

    aⱼ = ∫ ∂f/∂yⱼ dyⱼ, summed over the points of the path: Σᵢ ∂f/∂yⱼ(αᵢ) (yⱼ(αᵢ₊₁) - yⱼ(αᵢ)). Where all paths to the
    output go through the layer, the attributions of an example add up to f(x) - f(x').

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: a module of it.
        device_ids: taken for the sake of PyTorch programs; without effect.
    Source: Dhamdhere, Sundararajan, Yan: How important is a neuron?, arXiv:1805.12233; Shrikumar, Su, Kundaje:
    Computationally efficient measures of internal neuron importance, arXiv:1807.09946.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerConductance
    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Flatten())
    >>> LayerConductance(lambda x: model(x).sum(1), model[0]).attribute(torch.tensor([[-1.0, 2.0]])).round(decimals=2)
    tensor([[0., 2.]])
    """

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, n_steps=50, method="gausslegendre",
        internal_batch_size=None, return_convergence_delta=False, attribute_to_layer_input=False, grad_kwargs=None,
        tolerance=None,
    ):  # fmt: skip
        """The conductances: a tensor, or a tuple where the layer has several; with the deltas if asked for.

        Arguments:
            inputs, baselines, target, additional_forward_args, n_steps, method, internal_batch_size,
                return_convergence_delta, tolerance: as in `IntegratedGradients.attribute`.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
            grad_kwargs: further arguments of `torch.autograd.grad`.
        """
        ends = as_tuple(inputs)
        starts = as_baselines(baselines, ends)
        args = as_args(additional_forward_args)

        def compute(n_steps, internal_batch_size):
            points, _ = points_and_weights(method, n_steps + 1)
            n = len(ends[0])
            totals: list = []
            with torch.no_grad():
                for portion in portions(n_steps + 1, n, internal_batch_size, overlap=1):
                    gradients, values = self.on_path(
                        ends, starts, points[portion], target, args, attribute_to_layer_input, grad_kwargs
                    )
                    flows = [conductance(g, y, n) for g, y in zip(gradients, values, strict=True)]
                    totals = [t + flow for t, flow in zip(totals or [0] * len(flows), flows, strict=True)]
            return tuple(totals)

        given = (baseline_tensors(ends, starts), ends, target, args)
        found = refined(self, compute, given, n_steps, internal_batch_size, tolerance)
        if not return_convergence_delta:
            return one_or_tuple(found)
        return one_or_tuple(found), self.compute_convergence_delta(found, starts, ends, target, args)

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return True


def conductance(gradient: Tensor, value: Tensor, n: int) -> Tensor:
    """Σᵢ ∂f/∂y(αᵢ) (y(αᵢ₊₁) - y(αᵢ)) for `n` examples."""
    return (gradient[:-n] * (value[n:] - value[:-n])).reshape(-1, n, *value.shape[1:]).sum(0)


class InternalInfluence(LayerPathAttribution):
    """The mean gradient with respect to a layer's values on the way from the baseline to the input.

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: a module of it.
        device_ids: taken for the sake of PyTorch programs; without effect.
    Source: Leino et al.: Influence-directed explanations for deep convolutional networks, arXiv:1802.03788.

    >>> import flambeau as torch
    >>> from flambeau.attr import InternalInfluence
    >>> model = torch.nn.Sequential(torch.nn.Tanh(), torch.nn.Flatten())
    >>> InternalInfluence(lambda x: 3 * model(x).sum(1), model[0]).attribute(torch.ones(1, 2)).round(decimals=2)
    tensor([[3., 3.]])
    """

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, n_steps=50, method="gausslegendre",
        internal_batch_size=None, attribute_to_layer_input=False, grad_kwargs=None,
    ):  # fmt: skip
        """The influences: a tensor, or a tuple where the layer has several; arguments as in `LayerConductance`."""
        ends = as_tuple(inputs)
        starts = as_baselines(baselines, ends)
        args = as_args(additional_forward_args)
        points, weights = points_and_weights(method, n_steps)
        totals: list = []
        with torch.no_grad():
            for portion in portions(n_steps, len(ends[0]), internal_batch_size):
                gradients, _ = self.on_path(
                    ends, starts, points[portion], target, args, attribute_to_layer_input, grad_kwargs
                )
                means = [weighted_sum(g, weights[portion]) for g in gradients]
                totals = [t + mean for t, mean in zip(totals or [0] * len(means), means, strict=True)]
        return one_or_tuple(tuple(totals))


class LayerIntegratedGradients(LayerAttribution, GradientAttribution):
    """Integrated gradients of a layer's values: the path leads from those at the baseline to those at the input.

    With an embedding as the layer, inputs may be indices of words. Where all paths to the output go through the layer,
    the attributions of an example add up to f(x) - f(x').

    Arguments:
        forward_func: the model, or a function that runs it.
        layer: a module of it, or a list of modules of which none depends on another.
        device_ids: taken for the sake of PyTorch programs; without effect.
        multiply_by_inputs: False leaves out the factor of the difference. Default: True.
    Source: Sundararajan, Taly, Yan: Axiomatic attribution for deep networks, arXiv:1703.01365.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerIntegratedGradients
    >>> embedding = torch.nn.Embedding(10, 4)
    >>> words = torch.tensor([[1, 5, 2]])
    >>> LayerIntegratedGradients(lambda i: embedding(i).pow(2).sum((1, 2)), embedding).attribute(words).shape
    torch.Size([1, 3, 4])
    """

    several_layers = True

    def __init__(self, forward_func, layer, device_ids=None, multiply_by_inputs=True):
        LayerAttribution.__init__(self, forward_func, layer, device_ids)
        GradientAttribution.__init__(self, forward_func)
        self.ig = IntegratedGradients(forward_func, multiply_by_inputs)
        if isinstance(layer, list) and len(layer) > 1:
            tell(
                "several layers are explained together: each of them is exchanged for points of its own path, so none "
                "may depend only on the output of another"
            )

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, n_steps=50, method="gausslegendre",
        internal_batch_size=None, return_convergence_delta=False, attribute_to_layer_input=False, grad_kwargs=None,
        tolerance=None,
    ):  # fmt: skip
        """The attributions: a tensor, or a tuple where the layer has several; a list of these for a list of layers.

        Arguments:
            inputs, baselines, target, additional_forward_args, n_steps, method, internal_batch_size,
                return_convergence_delta, tolerance: as in `IntegratedGradients.attribute`.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
            grad_kwargs: further arguments of `torch.autograd.grad`.
        """
        ends = as_tuple(inputs)
        starts = baseline_tensors(ends, as_baselines(baselines, ends))
        check_targets(target, ends)
        args = as_args(additional_forward_args)
        layers = self.layer if isinstance(self.layer, list) else [self.layer]
        with torch.no_grad():
            to, frm = (
                layer_values(self.forward_func, layers, point, args, attribute_to_layer_input)
                for point in (ends, starts)
            )
        counts = [len(values) for values in to]
        self.ig.gradient_func = self.replacing(layers, counts, attribute_to_layer_input, grad_kwargs)
        flat = refined(
            self,
            lambda n, batch: self.ig.integrate(sum(to, ()), sum(frm, ()), target, (*ends, *args), n, method, batch),
            (starts, ends, target, args), n_steps, internal_batch_size, tolerance,
        )  # fmt: skip
        rest = iter(flat)
        found = [one_or_tuple(tuple(next(rest) for _ in range(count))) for count in counts]
        attributions = found if isinstance(self.layer, list) else found[0]
        if not return_convergence_delta:
            return attributions
        return attributions, self.compute_convergence_delta(flat, starts, ends, target, args)

    def replacing(self, layers, counts, to_input, grad_kwargs):
        """What computes gradients with respect to layers' values that are put in the place of their own."""

        def gradients(forward_fn, inputs, target_ind=None, additional_forward_args=None):
            with contextlib.ExitStack() as hooks, torch.inference_mode(False), torch.enable_grad():
                variables = variables_of(inputs)
                rest = iter(variables)
                for layer, count in zip(layers, counts, strict=True):
                    values = tuple(next(rest) for _ in range(count))
                    hooks.enter_context(layer_replaced(layer, values, to_input))
                output = check_output(run_forward(forward_fn, (), target_ind, additional_forward_args), inputs)
                return derivatives(output, variables, of_layer=True, **grad_kwargs or {})

        return gradients

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return self.ig.multiplies_by_inputs
