"""Layer-wise relevance propagation: the output is handed back through the layers, each of which divides it."""

from __future__ import annotations

from collections.abc import Callable

import flambeau as torch

from .. import nn
from ..errors import ArgumentTypeError
from ..nn import Module
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.dropout import _DropoutNd
from ..told import tell
from .arguments import as_tuple, like_inputs, one_or_tuple
from .base import GradientAttribution, LayerAttribution, leaves_no_trace, sum_rows
from .forward import compute_gradients, run_forward
from .guided_backprop import check_is_module
from .layer_values import layer_gradients
from .lrp_rules import EpsilonRule, IdentityRule, PropagationRule
from .rules import Rule, following

Tensor = torch.Tensor
LINEAR = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d, _BatchNorm,
)  # fmt: skip
ACTIVATIONS = (nn.ReLU, nn.Tanh, _DropoutNd)
SHAPES = (nn.Flatten, nn.Unflatten, nn.Identity)
MANY = 10  # times the output: a sum of relevances that means nothing


class LRP(GradientAttribution):
    """Relevance: the output, divided among the inputs layer by layer in proportion to what each has contributed.

    Relevances of an example add up to the output itself (not to its difference from a baseline), less what biases and ε
    keep. Linear, convolution, pooling and normalisation layers follow the ε rule unless they have a `rule` of their
    own; relevance passes ReLU, Tanh and dropout unchanged. Operations in a forward method that are no modules pass it
    by their gradient.

    Arguments:
        model: a module.
    Source: Bach et al.: On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation, PLOS ONE 10(7), 2015.

    >>> import flambeau as torch
    >>> from flambeau.attr import LRP
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1, bias=False), torch.nn.ReLU())
    >>> model[0].weight.data = torch.tensor([[2.0, 1.0]])
    >>> LRP(model).attribute(torch.tensor([[3.0, 1.0]]))
    tensor([[6.0000, 1.0000]])
    """

    def __init__(self, model: Module):
        super().__init__(model)
        self.model = check_is_module(model, type(self).__name__)
        for module in model.modules():
            if not isinstance(getattr(module, "rule", None), PropagationRule | None):
                raise ArgumentTypeError(
                    f"Please select propagation rules inherited from class PropagationRule for module: {module}",
                    why=f"its `rule` is {type(module.rule).__name__}",
                    fix="set `layer.rule = EpsilonRule()`, or another rule of `flambeau.attr`",
                )

    @leaves_no_trace
    def attribute(
        self, inputs, target=None, additional_forward_args=None, return_convergence_delta=False, verbose=False
    ):
        """The relevances; with `return_convergence_delta` also the output less their sum, for each example.

        Arguments:
            inputs, target, additional_forward_args: as in `Saliency.attribute`.
            return_convergence_delta: return (relevances, delta).
            verbose: print which rule each layer follows.
        """
        tensors = as_tuple(inputs)
        with following(self.model, rules(self.model, verbose)):
            shares = compute_gradients(self.model, tensors, target, additional_forward_args)
        output = self.output_of(tensors, target, additional_forward_args)
        relevances = tuple(scaled(share, output) for share in shares)
        found = like_inputs(inputs, relevances)
        delta = self.compute_convergence_delta(relevances, output)
        if bool((delta.abs() > MANY * output.flatten().abs()).any()):
            tell(
                f"relevances add up to more than {MANY} times the output: branches are joined outside of modules "
                "(`x + y` hands all relevance to both), or values near zero are divided by. Give layers a rule with a "
                "larger epsilon, such as `layer.rule = EpsilonRule(0.01)`"
            )
        return (found, delta) if return_convergence_delta else found

    def output_of(self, inputs, target, additional_forward_args) -> Tensor:
        """The output whose relevance is handed back."""
        with torch.no_grad():
            return run_forward(self.model, inputs, target, additional_forward_args)

    def compute_convergence_delta(self, attributions, output) -> Tensor:  # type: ignore[override]
        """For each example: the output, less the sum of its relevances.

        Arguments:
            attributions: what `attribute` returned.
            output: the output that it explains.
        """
        parts = attributions if isinstance(attributions, tuple) else (attributions,)
        return output.flatten() - sum(sum_rows(part) for part in parts)

    def has_convergence_delta(self) -> bool:
        return True

    @property
    def multiplies_by_inputs(self) -> bool:
        return True


class LayerLRP(LRP, LayerAttribution):
    """The relevance of a layer's values.

    Arguments:
        model: a module.
        layer: a module of it, or a list of modules.
    Source: Bach et al., PLOS ONE 10(7), 2015.

    >>> import flambeau as torch
    >>> from flambeau.attr import LayerLRP
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    >>> LayerLRP(model, model[0]).attribute(torch.ones(5, 3), target=1).shape
    torch.Size([5, 4])
    """

    several_layers = True

    def __init__(self, model: Module, layer):
        LayerAttribution.__init__(self, model, layer)
        LRP.__init__(self, model)

    @leaves_no_trace
    def attribute(
        self, inputs, target=None, additional_forward_args=None, return_convergence_delta=False,
        attribute_to_layer_input=False, verbose=False,
    ):  # fmt: skip
        """The relevances: a tensor, or a tuple where the layer has several; a list of these for a list of layers.

        Arguments:
            inputs, target, additional_forward_args, return_convergence_delta, verbose: as in `LRP.attribute`.
            attribute_to_layer_input: what goes into the layer, not what comes out of it.
        """
        tensors = as_tuple(inputs)
        layers = self.layer if isinstance(self.layer, list) else [self.layer]
        with following(self.model, rules(self.model, verbose)):
            shares, _ = layer_gradients(
                self.model, layers, tensors, target, additional_forward_args, attribute_to_layer_input
            )
        output = self.output_of(tensors, target, additional_forward_args)
        parts = [tuple(scaled(share, output) for share in of_layer) for of_layer in shares]
        deltas = [self.compute_convergence_delta(part, output) for part in parts]
        found = [one_or_tuple(part) for part in parts]
        if not isinstance(self.layer, list):
            return (found[0], deltas[0]) if return_convergence_delta else found[0]
        return (found, deltas) if return_convergence_delta else found


def scaled(share: Tensor, output: Tensor) -> Tensor:
    """Shares of 1, made shares of each example's output."""
    return share * output.reshape(-1, *(1 for _ in share.shape[1:]))


def rules(model: Module, verbose: bool) -> Callable[[Module], Rule | None]:
    """What gives each layer its rule; raises for layers that have none."""
    leaves = {module for module in model.modules() if not any(True for _ in module.children())}

    def rule_of(module: Module) -> Rule | None:
        rule = getattr(module, "rule", None)
        if rule is None and module in leaves and not isinstance(module, SHAPES):
            rule = default_rule(module)
        if rule is not None and verbose:
            print(f"Applied {type(rule).__name__} on layer {module}")
        return rule

    return rule_of


def default_rule(module: Module) -> PropagationRule:
    """The rule of a layer that has not been given one."""
    if isinstance(module, LINEAR):
        return EpsilonRule()
    if isinstance(module, ACTIVATIONS):
        return IdentityRule()
    raise ArgumentTypeError(
        f"Module of type {type(module)} has no rule defined and no default rule exists for this module type.",
        why="relevance passes linear layers, pooling, normalisation, ReLU, Tanh and dropout",
        fix="set a rule that suits this kind of layer: `layer.rule = EpsilonRule()`, or `IdentityRule()`",
    )
