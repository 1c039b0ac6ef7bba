"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from .rule import FormulaOptimizer, check_betas, check_eps, check_lr, check_weight_decay, descent


class Adamax(FormulaOptimizer):
    """Adamax (Kingma & Ba, 2014, section 7): u ← max(β₂ u, |g| + eps), p ← p - lr / (1 - β₁ᵗ) · m / u.

    Arguments: as `Adam`; lr defaults to 2e-3.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.Adamax([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, foreach=None, *, maximize=False,
        differentiable=False, capturable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_eps(eps)
        check_betas(betas)
        check_weight_decay(weight_decay)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    by_step = True

    def slots(self, options):
        return ("exp_avg", "exp_inf")

    def numbers(self, options, state):
        t = state["step"]._array.item()
        beta1, beta2 = options["betas"]
        return {
            "maximize": options["maximize"],
            "weight_decay": options["weight_decay"],
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "rate": options["lr"] / (1 - beta1**t),
        }

    @staticmethod
    def update(xp, p, g, m, u, *, maximize, weight_decay, beta1, beta2, eps, rate):
        g = descent(p, g, maximize, weight_decay)
        m = m + (1 - beta1) * (g - m)
        u = xp.maximum(beta2 * u, xp.abs(g) + eps)
        return p - rate * m / u, m, u
