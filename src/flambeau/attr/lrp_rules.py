"""Rules of layer-wise relevance propagation: how a layer hands the relevance of its outputs to its inputs.

All of them are Rᵢ = xᵢ Σⱼ ∂zⱼ/∂xᵢ Rⱼ / (zⱼ ± ε) for the layer's outputs z = f(x), computed with other weights in some.
"""

from __future__ import annotations

import contextlib

import flambeau as torch

from ..nn import Module
from .rules import Call

Tensor = torch.Tensor


class PropagationRule:
    """Base of the rules. Set one for a layer as `layer.rule = GammaRule()` before `LRP(model)` is asked.

    Attributes: STABILITY_FACTOR: the ε that keeps a quotient finite.
    """

    STABILITY_FACTOR = 1e-9

    def weights(self, module: Module) -> dict[str, Tensor]:
        """Parameters that take the place of the layer's own while relevance is handed on."""
        return {}

    def __call__(self, call: Call, input: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        """The relevance of the layer's input, from that of its output."""
        with exchanged(call.module, self.weights(call.module)), torch.enable_grad():
            point = input.detach().clone().requires_grad_()
            value = call.forward(point.clone())
            sign = torch.where(value.detach() < 0, -1.0, 1.0).to(value.dtype)
            share = relevance / (value.detach() + sign * self.STABILITY_FACTOR)
            return input * torch.autograd.grad(value, point, share)[0]


class EpsilonRule(PropagationRule):
    """The layer as it is. A larger ε takes relevance from outputs near zero.

    Arguments:
        epsilon: ε. Default: 1e-9.
    Source: Bach et al.: On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation, PLOS ONE 10(7), 2015.
    """

    def __init__(self, epsilon: float = 1e-9):
        self.STABILITY_FACTOR = epsilon


class GammaRule(PropagationRule):
    """Weights w + γ max(w, 0): what speaks for an output counts more than what speaks against it.

    Arguments:
        gamma: γ. Default: 0.25.
        set_bias_to_zero: leave out the bias. Default: False.
    Source: Montavon et al.: Layer-wise relevance propagation: an overview, 2019.
    """

    def __init__(self, gamma: float = 0.25, set_bias_to_zero: bool = False):
        self.gamma, self.set_bias_to_zero = gamma, set_bias_to_zero

    def weights(self, module: Module) -> dict[str, Tensor]:
        return changed(module, lambda w: w + self.gamma * w.clamp(min=0), self.set_bias_to_zero)


class Alpha1_Beta0_Rule(PropagationRule):
    """Positive weights only: relevance goes to what speaks for an output.

    Arguments:
        set_bias_to_zero: leave out the bias. Default: False.
    Source: Montavon et al.: Layer-wise relevance propagation: an overview, 2019.
    """

    def __init__(self, set_bias_to_zero: bool = False):
        self.set_bias_to_zero = set_bias_to_zero

    def weights(self, module: Module) -> dict[str, Tensor]:
        return changed(module, lambda w: w.clamp(min=0), self.set_bias_to_zero)


class IdentityRule(EpsilonRule):
    """Relevance passes unchanged; for layers whose output has the shape of their input."""

    def __call__(self, call: Call, input: Tensor, output: Tensor, relevance: Tensor) -> Tensor:
        return relevance


def changed(module: Module, of_weight, without_bias: bool) -> dict[str, Tensor]:
    """Parameters with another weight, and perhaps without bias."""
    found = {}
    if getattr(module, "weight", None) is not None:
        found["weight"] = of_weight(module.weight.detach())
    if without_bias and getattr(module, "bias", None) is not None:
        found["bias"] = torch.zeros_like(module.bias.detach())
    return found


@contextlib.contextmanager
def exchanged(module: Module, parameters: dict[str, Tensor]):
    """Within the block, the module has these parameters."""
    before = {name: module._parameters[name] for name in parameters}
    module._parameters.update(parameters)
    try:
        yield
    finally:
        module._parameters.update(before)
