"""Adadelta: steps in the units of the weights, without a learning rate to tune."""

from __future__ import annotations

from .rule import FormulaOptimizer, check_eps, check_lr, check_weight_decay, descent, require


class Adadelta(FormulaOptimizer):
    """Adadelta (Zeiler, 2012).

    v ← ρ v + (1 - ρ) g², Δ = √(u + eps) / √(v + eps) · g, u ← ρ u + (1 - ρ) Δ², p ← p - lr · Δ.

    Arguments:
        lr: factor of the step. Default: 1.0.
        rho: decay of both averages. Default: 0.9.
        eps: keeps the first steps from being zero. Default: 1e-6.
        weight_decay: factor of an L2 penalty. Default: 0.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.Adadelta([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.9968])
    """

    def __init__(
        self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0, foreach=None, *, capturable=False, maximize=False,
        differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        require(
            0.0 <= rho <= 1.0,
            f"Invalid rho value: {rho}",
            why="it is the share of a running mean of squares that is kept",
            fix="use `rho=0.9`",
        )
        check_eps(eps)
        check_weight_decay(weight_decay)
        super().__init__(params, dict(
            lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, maximize=maximize, capturable=capturable,
            foreach=foreach, differentiable=differentiable,
        ))  # fmt: skip

    by_step = True

    def slots(self, options):
        return ("square_avg", "acc_delta")

    def numbers(self, options, state):
        return {name: options[name] for name in ("maximize", "weight_decay", "lr", "rho", "eps")}

    @staticmethod
    def update(xp, p, g, v, u, *, maximize, weight_decay, lr, rho, eps):
        g = descent(p, g, maximize, weight_decay)
        v = rho * v + (1 - rho) * g * g
        delta = xp.sqrt(u + eps) / xp.sqrt(v + eps) * g
        u = rho * u + (1 - rho) * delta * delta
        return p - lr * delta, v, u
