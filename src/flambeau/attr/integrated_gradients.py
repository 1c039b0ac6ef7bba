"""Integrated gradients."""

from __future__ import annotations

import flambeau as torch

from .arguments import (
    as_args,
    as_baselines,
    as_tuple,
    baseline_tensors,
    check_targets,
    like_inputs,
    repeat_args,
    repeat_target,
)
from .base import GradientAttribution, leaves_no_trace
from .integration import path, points_and_weights, portions, refined, weighted_sum

Tensor = torch.Tensor


class IntegratedGradients(GradientAttribution):
    """The change from a baseline to the input, times the mean gradient on the way between them.

    aᵢ = (xᵢ - x'ᵢ) ∫₀¹ ∂f/∂xᵢ (x' + α (x - x')) dα. The attributions of an example add up to f(x) - f(x').

    Arguments:
        forward_func: the model, or any differentiable function of tensors.
        multiply_by_inputs: False leaves out the factor x - x'. Default: True.
    Source: Sundararajan, Taly, Yan: Axiomatic attribution for deep networks, arXiv:1703.01365.

    >>> import flambeau as torch
    >>> from flambeau.attr import IntegratedGradients
    >>> IntegratedGradients(lambda x: x[:, 0] * x[:, 1]).attribute(torch.tensor([[2.0, 3.0]]))
    tensor([[3.0000, 3.0000]])
    """

    def __init__(self, forward_func, multiply_by_inputs: bool = True):
        super().__init__(forward_func)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, n_steps=50, method="gausslegendre",
        internal_batch_size=None, return_convergence_delta=False, tolerance=None,
    ):  # fmt: skip
        """The attributions, and with `return_convergence_delta` how far each example's sum is from f(x) - f(x').

        Arguments:
            inputs: a tensor, or a tuple of them; the first dimension counts examples.
            baselines: where the path begins: a number, a tensor for one or for all examples, or a tuple of these.
                Default: zero.
            target: which output is explained: an index, a tuple of indices, or a list or tensor with one for each
                example; None where there is one number for each example.
            additional_forward_args: further arguments of the forward function.
            n_steps: points on the path. Default: 50.
            method: "gausslegendre", "riemann_left", "riemann_right", "riemann_middle" or "riemann_trapezoid".
            internal_batch_size: the most examples in one forward pass. Default: all points at once.
            return_convergence_delta: return (attributions, delta).
            tolerance: double `n_steps` until no example's delta is more than this part of f(x) - f(x'); 1e-3 is a
                good value. Default: None, `n_steps` as given. (flambeau's own; Captum does not have it.)
        """
        ends = as_tuple(inputs)
        starts = as_baselines(baselines, ends)
        check_targets(target, ends)
        attributions = refined(
            self,
            lambda n, batch: self.integrate(ends, starts, target, additional_forward_args, n, method, batch),
            (baseline_tensors(ends, starts), ends, target, additional_forward_args),
            n_steps, internal_batch_size, tolerance,
        )  # fmt: skip
        found = like_inputs(inputs, attributions)
        if not return_convergence_delta:
            return found
        return found, self.compute_convergence_delta(attributions, starts, ends, target, additional_forward_args)

    def integrate(self, ends, starts, target, additional_forward_args, n_steps, method, internal_batch_size):
        """The attributions as a tuple, for inputs and baselines that are tuples."""
        points, weights = points_and_weights(method, n_steps)
        args = as_args(additional_forward_args)
        means: list = [0] * len(ends)
        with torch.no_grad():
            for portion in portions(n_steps, len(ends[0]), internal_batch_size):
                some = points[portion]
                gradients = self.gradient_func(
                    self.forward_func,
                    path(ends, starts, some),
                    repeat_target(target, len(some)),
                    repeat_args(args, len(some)),
                )
                means = [mean + weighted_sum(g, weights[portion]) for mean, g in zip(means, gradients, strict=True)]
            if not self.multiplies_by_inputs:
                return tuple(means)
            return tuple(mean * (end - start) for mean, end, start in zip(means, ends, starts, strict=True))

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs
