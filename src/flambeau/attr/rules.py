"""Modules whose backward pass follows another rule than the derivative, for as long as a block runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import flambeau as torch

from ..nn import Module

Tensor = torch.Tensor
# A rule: what goes back to the input, from the module, its input and output, and what has come back to the output.
Rule = Callable[["Call", Tensor, Tensor, Tensor], Tensor]


class Call:
    """One call of a module's own forward method.

    Attributes: module; forward: its method.
    """

    def __init__(self, module: Module):
        self.module, self.forward = module, module.forward

    def vjp(self, input: Tensor, gradient: Tensor) -> Tensor:
        """What the true derivative would send back to `input`."""
        with torch.enable_grad():
            point = input.detach().clone().requires_grad_()
            return torch.autograd.grad(self.forward(point.clone()), point, gradient)[0]


class Follow(torch.autograd.Function):
    """A module's forward pass, and a rule as its backward pass. Each call keeps its own input and output."""

    @staticmethod
    def forward(ctx, input, call: Call, rule: Rule):
        output = call.forward(input.clone())
        ctx.kept = input.clone(), output.clone()  # copies: what follows may be done in place
        ctx.call, ctx.rule = call, rule
        return output

    @staticmethod
    def backward(ctx, gradient):
        return ctx.rule(ctx.call, *ctx.kept, gradient), None, None


@contextlib.contextmanager
def following(model: Module, rule_of: Callable[[Module], Rule | None]):
    """Within the block, each part of the model for which `rule_of` has a rule follows it in the backward pass.

    Returns the modules that do.
    """
    changed: list[tuple[Module, dict]] = []
    try:
        for module in model.modules():
            rule = rule_of(module)
            if rule is not None:
                changed.append((module, {k: v for k, v in vars(module).items() if k == "forward"}))
                module.forward = follower(Call(module), rule)
        yield [module for module, _ in changed]
    finally:
        for module, before in changed:
            vars(module).pop("forward", None)
            vars(module).update(before)


def follower(call: Call, rule: Rule) -> Callable[[Tensor], Tensor]:
    """What takes the place of a module's forward method."""

    def forward(input):
        return Follow.apply(input, call, rule)

    return forward
