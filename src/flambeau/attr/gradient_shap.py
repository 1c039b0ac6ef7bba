"""GradientShap: the expected gradient between random baselines and noisy inputs."""

from __future__ import annotations

import numpy as np

import flambeau as torch

from ..errors import FailedAssertion
from .arguments import as_baselines, as_tuple, like_inputs
from .base import GradientAttribution, leaves_no_trace
from .forward import check_differentiable
from .noise_tunnel import NoiseTunnel

Tensor = torch.Tensor


class GradientShap(GradientAttribution):
    """The mean of (x - x') ∂f/∂x at random points between noisy inputs x and baselines x' drawn from a distribution.

    In expectation the attributions add up to f(x) less the mean of f over the baselines. As in Captum, whose numbers
    these are, the noise comes from flambeau's generator and all else from NumPy's: to repeat them, call both
    `torch.manual_seed` and `numpy.random.seed`.

    Arguments:
        forward_func: the model, or any differentiable function of tensors.
        multiply_by_inputs: False leaves out the factor x - x'. Default: True.
    Source: Lundberg, Lee: A unified approach to interpreting model predictions, arXiv:1705.07874; Erion et al.:
    Learning explainable models using attribution priors, arXiv:1906.10670.

    >>> import flambeau as torch
    >>> from flambeau.attr import GradientShap
    >>> GradientShap(lambda x: 3 * x.sum(1)).attribute(torch.ones(1, 2), baselines=torch.zeros(4, 2))
    tensor([[3., 3.]])
    """

    def __init__(self, forward_func, multiply_by_inputs: bool = True):
        super().__init__(forward_func)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, baselines, n_samples=5, stdevs=0.0, target=None, additional_forward_args=None,
        return_convergence_delta=False,
    ):  # fmt: skip
        """The attributions; with `return_convergence_delta` also the delta of each sample.

        Arguments:
            inputs: a tensor, or a tuple of them; the first dimension counts examples.
            baselines: examples to draw from, (M, *), a tuple of such tensors, or a function that makes them from the
                inputs.
            n_samples: points drawn for each example. Default: 5.
            stdevs: standard deviation of the noise on the inputs; a tuple has one for each. Default: 0.
            target, additional_forward_args: as in `Saliency.attribute`.
            return_convergence_delta: return (attributions, delta), the delta of shape (N * n_samples,).
        """
        method = InputBaselineXGradient(self.forward_func, self.multiplies_by_inputs)
        method.gradient_func = self.gradient_func
        return NoiseTunnel(method).attribute(
            inputs, nt_samples=n_samples, stdevs=stdevs, draw_baseline_from_distrib=True,
            baselines=distribution_of(baselines, as_tuple(inputs)), target=target,
            additional_forward_args=additional_forward_args, return_convergence_delta=return_convergence_delta,
        )  # fmt: skip

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class InputBaselineXGradient(GradientAttribution):
    """(x - x') times the gradient at a random point between baseline and input: one sample of GradientShap.

    Arguments: those of `GradientShap`.
    """

    def __init__(self, forward_func, multiply_by_inputs: bool = True):
        super().__init__(forward_func)
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, return_convergence_delta=False
    ):
        """One sample for each example; arguments as in `IntegratedGradients.attribute`."""
        ends = as_tuple(inputs)
        starts = as_baselines(baselines, ends)
        with torch.no_grad():
            gradients = self.gradient_func(self.forward_func, between(ends, starts), target, additional_forward_args)
            found = gradients
            if self.multiplies_by_inputs:
                found = tuple((end - start) * g for g, end, start in zip(gradients, ends, starts, strict=True))
        attributions = like_inputs(inputs, found)
        if not return_convergence_delta:
            return attributions
        return attributions, self.compute_convergence_delta(found, starts, ends, target, additional_forward_args)

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


def between(ends: tuple[Tensor, ...], starts: tuple) -> tuple[Tensor, ...]:
    """For each example a random point on the line from its baseline to its input."""
    check_differentiable(ends)
    share = torch.as_tensor(np.random.uniform(0.0, 1.0, len(ends[0])))
    shares = (share.to(end.dtype).reshape(-1, *(1 for _ in end.shape[1:])) for end in ends)
    return tuple(s * end + (1 - s) * start for s, end, start in zip(shares, ends, starts, strict=True))


def distribution_of(baselines, inputs: tuple[Tensor, ...]) -> tuple:
    """Baselines to draw from."""
    found = as_baselines(baselines, inputs, distribution=True)
    if not isinstance(found[0], Tensor):
        raise FailedAssertion(
            f"Baselines distribution has to be provided in a form of a torch.Tensor {found[0]}.",
            why="a baseline is drawn from it for each sample",
            fix="give examples, such as some of the training data, or `torch.zeros_like(inputs[:1])`",
        )
    return found
