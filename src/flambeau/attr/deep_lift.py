"""DeepLIFT by the rescale rule, and its mean over a distribution of baselines.

The model runs once on the inputs and the baselines together. In the backward pass a nonlinear layer y = f(x) multiplies
by Δy/Δx, the slope between baseline and input, where a gradient would take the slope at the input.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

import flambeau as torch

from .. import nn
from ..errors import FailedAssertion
from ..nn import Module
from ..nn.modules.instancenorm import _InstanceNorm
from ..told import tell
from .arguments import (
    as_args,
    as_baselines,
    as_tuple,
    baseline_tensors,
    check_targets,
    like_inputs,
    repeat,
    repeat_args,
    repeat_target,
)
from .base import GradientAttribution, leaves_no_trace, sum_rows
from .forward import compute_gradients, select_target
from .guided_backprop import check_is_module
from .integration import gauss_legendre
from .rules import Call, Rule, following

Tensor = torch.Tensor
Values = tuple[Tensor, ...]
ELEMENTWISE = (
    nn.ReLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.GELU, nn.SiLU, nn.Mish, nn.SELU, nn.CELU,
    nn.ReLU6, nn.PReLU, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.LogSigmoid, nn.Softsign, nn.Tanhshrink,
    nn.Softshrink, nn.Hardshrink, nn.Threshold,
)  # fmt: skip
POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
JOINT = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d, nn.GLU, nn.LayerNorm, nn.GroupNorm, _InstanceNorm)
INCOMPLETE = 0.05  # part of the output's change that may be missing before a warning says so


class DeepLift(GradientAttribution):
    """What each input element's difference from the baseline contributes to the output's, layer by layer.

    Contributions of an example add up to f(x) - f(x'), in one forward and one backward pass. The rule holds for modules
    (ReLU, Sigmoid, GELU, MaxPool2d, Softmax...); other operations, such as `F.relu` in a forward method, are passed by
    their gradient, which breaks the sum where they are nonlinear.

    Arguments:
        model: a module.
        multiply_by_inputs: False returns the multipliers, without the factor x - x'. Default: True.
        eps: below this difference a layer's gradient takes the place of the slope. Default: 1e-10.
    Source: Shrikumar, Greenside, Kundaje: Learning important features through propagating activation differences,
    arXiv:1704.02685.

    >>> import flambeau as torch
    >>> from flambeau.attr import DeepLift
    >>> model = torch.nn.Sequential(torch.nn.ReLU())
    >>> DeepLift(model).attribute(torch.tensor([[2.0]]), baselines=-2.0)
    tensor([[2.]])
    """

    def __init__(self, model: Module, multiply_by_inputs: bool = True, eps: float = 1e-10):
        super().__init__(model)
        self.model = check_is_module(model, type(self).__name__)
        self.eps = eps
        self._multiply_by_inputs = multiply_by_inputs

    @leaves_no_trace
    def attribute(
        self, inputs, baselines=None, target=None, additional_forward_args=None, return_convergence_delta=False,
        custom_attribution_func=None,
    ):  # fmt: skip
        """The attributions, and with `return_convergence_delta` how far each example's sum is from f(x) - f(x').

        Arguments:
            inputs: a tensor, or a tuple of them; the first dimension counts examples.
            baselines: a number, a tensor for one or for all examples, or a tuple of these. Default: zero.
            target, additional_forward_args: as in `Saliency.attribute`.
            return_convergence_delta: return (attributions, delta).
            custom_attribution_func: makes the attributions from (multipliers), (multipliers, inputs) or (multipliers,
                inputs, baselines), all tuples. Default: multipliers times differences.
        """
        ends = as_tuple(inputs)
        starts = baseline_tensors(ends, as_baselines(baselines, ends))
        args = as_args(additional_forward_args)
        outputs: list[Tensor] = []
        with self.rescaling():
            run = self.on_both(starts, target, outputs)
            multipliers = self.gradient_func(run, ends, additional_forward_args=repeat_args(args, 2))
        with torch.no_grad():
            attributions = self.contributions(multipliers, ends, starts, custom_attribution_func)
            explains_output = self.gradient_func is compute_gradients
            if explains_output and self.multiplies_by_inputs and custom_attribution_func is None:
                warn_if_incomplete(attributions, outputs[0])
        found = like_inputs(inputs, attributions)
        if not return_convergence_delta:
            return found
        return found, self.compute_convergence_delta(attributions, starts, ends, target, args)

    def rescaling(self, without: Module | None = None):
        """Within the block, nonlinear layers follow the rescale rule; except `without`."""
        return following(self.model, lambda module: None if module is without else rule_of(module, self.eps))

    def on_both(self, starts: Values, target, outputs: list[Tensor]) -> Callable:
        """The model as a function of the inputs which runs the baselines beside them; its outputs are noted as well."""
        check_targets(target, starts)
        model, targets = self.model, repeat_target(target, 2)

        def run(*given):
            ends, args = given[: len(starts)], given[len(starts) :]
            output = model(*(torch.cat(pair) for pair in zip(ends, starts, strict=True)), *args)
            output = output if targets is None else select_target(output, targets)
            outputs.append(output)
            return output

        return run

    def contributions(self, multipliers: Values, ends: Values, starts: Values, custom: Callable | None) -> Values:
        """Multipliers times differences, or what the caller's function makes of them."""
        if custom is not None:
            return custom(*(multipliers, ends, starts)[: len(inspect.signature(custom).parameters)])
        if not self.multiplies_by_inputs:
            return multipliers
        return tuple((end - start) * m for m, end, start in zip(multipliers, ends, starts, strict=True))

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return self._multiply_by_inputs


class DeepLiftShap(DeepLift):
    """The mean of DeepLIFT's contributions over a distribution of baselines: about the SHAP values of the inputs.

    Arguments:
        model: a module.
        multiply_by_inputs: False returns the multipliers. Default: True.
    Source: Lundberg, Lee: A unified approach to interpreting model predictions, arXiv:1705.07874.

    >>> import flambeau as torch
    >>> from flambeau.attr import DeepLiftShap
    >>> model = torch.nn.Sequential(torch.nn.ReLU())
    >>> DeepLiftShap(model).attribute(torch.tensor([[2.0]]), torch.tensor([[0.0], [1.0]]))
    tensor([[1.5000]])
    """

    def __init__(self, model: Module, multiply_by_inputs: bool = True):
        super().__init__(model, multiply_by_inputs)

    @leaves_no_trace
    def attribute(
        self, inputs, baselines, target=None, additional_forward_args=None, return_convergence_delta=False,
        custom_attribution_func=None,
    ):  # fmt: skip
        """The mean attributions; with `return_convergence_delta` also the delta of each example with each baseline.

        Arguments:
            baselines: two or more examples (a tuple of such tensors for a tuple of inputs), or a function that makes
                them from the inputs.
            inputs, target, additional_forward_args, return_convergence_delta, custom_attribution_func: as in
                `DeepLift.attribute`.
        """
        ends = as_tuple(inputs)
        starts = several_baselines(baselines, ends, "DeepLift")
        found = super().attribute(
            *crossed(ends, starts, target, additional_forward_args), return_convergence_delta, custom_attribution_func
        )
        attributions, *delta = found if return_convergence_delta else (found,)
        means = like_inputs(inputs, tuple(mean_over(a, len(ends[0])) for a in attributions))
        return (means, *delta) if return_convergence_delta else means


def several_baselines(baselines, inputs: Values, single: str) -> Values:
    """A distribution of baselines: for each input a tensor of two or more examples."""
    found = as_baselines(baselines, inputs, distribution=True)
    for baseline in found:
        if not isinstance(baseline, Tensor) or len(baseline) < 2:
            raise FailedAssertion(
                "Baselines distribution has to be provided in form of a torch.Tensor with more than one example",
                why="the mean over a distribution of baselines is taken",
                fix=f"give several examples, such as 20 of the training data; use `{single}` for a single baseline",
            )
    return found


def crossed(ends: Values, starts: Values, target, additional_forward_args) -> tuple:
    """Every example with every baseline: inputs, baselines, targets and further arguments."""
    n, samples = len(ends[0]), len(starts[0])
    check_targets(target, ends)
    return (
        tuple(repeat(end, samples, each=True) for end in ends),
        tuple(repeat(start, n) for start in starts),
        repeat_target(target, samples, each=True),
        repeat_args(as_args(additional_forward_args), samples, each=True),
    )


def mean_over(attribution: Tensor, n: int) -> Tensor:
    """The mean over the samples of each of `n` examples, (n * samples, *) -> (n, *)."""
    return attribution.reshape(n, -1, *attribution.shape[1:]).mean(1)


def rule_of(module: Module, eps: float) -> Rule | None:
    """The rule for a nonlinear layer; None for any other module."""
    if isinstance(module, ELEMENTWISE):
        return functools.partial(slope, eps=eps)
    if isinstance(module, POOLS) and not module.return_indices:
        return functools.partial(pooled, eps=eps)
    return mean_derivative if isinstance(module, JOINT) else None


def slope(call: Call, input: Tensor, output: Tensor, gradient: Tensor, eps: float) -> Tensor:
    """y = f(x) for each element: g Δy/Δx."""
    return ratio(gradient * difference(output), difference(input), call.vjp(input, gradient), eps)


def pooled(call: Call, input: Tensor, output: Tensor, gradient: Tensor, eps: float) -> Tensor:
    """Maxima: Δy goes to where the maximum was, up to max(y, y') in the input and from there in the baseline."""
    end, start = output.chunk(2)
    top = torch.maximum(end, start)
    shares = call.vjp(input, gradient * torch.cat([top - start, end - top]))
    both = sum(shares.chunk(2))
    return ratio(torch.cat([both, both]), difference(input), call.vjp(input, gradient), eps)


def mean_derivative(call: Call, input: Tensor, output: Tensor, gradient: Tensor) -> Tensor:
    """Outputs that depend on several inputs: ∫₀¹ J(x' + α Δx)ᵀ g dα, which is g Δy/Δx where they depend on one each."""
    start = torch.cat([input.chunk(2)[1]] * 2)
    points, weights = gauss_legendre(50)
    return sum(
        weight * call.vjp(start + point * difference(input), gradient)
        for point, weight in zip(points.tolist(), weights.tolist(), strict=True)
    )


def difference(values: Tensor) -> Tensor:
    """Inputs less baselines, for both halves of the batch."""
    end, start = values.chunk(2)
    return torch.cat([end - start] * 2)


def ratio(above: Tensor, below: Tensor, otherwise: Tensor, eps: float) -> Tensor:
    """above / below; `otherwise` where that is no number."""
    small = below.abs() < eps
    return torch.where(small, otherwise, above / below.masked_fill(small, 1))


def warn_if_incomplete(attributions: Values, outputs: Tensor) -> None:
    """Say so if much of the output's change has no attribution: then there are operations without a rule."""
    end, start = outputs.detach().reshape(2, -1)
    change = end - start
    missing = sum(sum_rows(part) for part in attributions) - change
    largest = float(change.abs().max())
    if float(missing.abs().max()) > INCOMPLETE * largest + 1e-4 * float(outputs.detach().abs().max()):
        tell(
            f"DeepLift's attributions miss the change of the output by up to {float(missing.abs().max()):.3g}, of "
            f"{largest:.3g}: the model computes something nonlinear outside of modules that have a rule. Use modules "
            "such as `nn.ReLU()` in place of `F.relu`, or `IntegratedGradients`"
        )
