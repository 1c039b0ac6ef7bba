"""RAdam: Adam that trusts its second moment only when enough steps have measured it."""

from __future__ import annotations

from .rule import FormulaOptimizer, check_betas, check_eps, check_lr, check_weight_decay, descent


class RAdam(FormulaOptimizer):
    """Rectified Adam (Liu et al., 2019).

    ρ, the length of the average behind v, grows with t. Up to 5 the variance of 1/√v̂ is unbounded, and the step is
    plain momentum; beyond, Adam's step is scaled by r = √((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ)).

    Arguments: as `Adam`, without amsgrad.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.RAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.8000])
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, decoupled_weight_decay=False, *,
        foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_eps(eps)
        check_betas(betas)
        check_weight_decay(weight_decay)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, maximize=maximize, foreach=foreach,
            capturable=capturable, decoupled_weight_decay=decoupled_weight_decay, differentiable=differentiable,
        ))  # fmt: skip

    by_step = True

    def slots(self, options):
        return ("exp_avg", "exp_avg_sq")

    def numbers(self, options, state):
        t = state["step"]._array.item()
        beta1, beta2 = options["betas"]
        rho_max = 2 / (1 - beta2) - 1
        rho = rho_max - 2 * t * beta2**t / (1 - beta2**t)
        r = 0.0
        if rho > 5.0:
            r = ((rho - 4) * (rho - 2) * rho_max / ((rho_max - 4) * (rho_max - 2) * rho)) ** 0.5
        return {
            "maximize": options["maximize"],
            "weight_decay": options["weight_decay"],
            "decoupled": options["decoupled_weight_decay"],
            "lr": options["lr"],
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "rate": options["lr"] / (1 - beta1**t),
            "rectify": r * (1 - beta2**t) ** 0.5,
            "rectified": rho > 5.0,
        }

    @staticmethod
    def update(
        xp, p, g, m, v, *, maximize, weight_decay, decoupled, lr, beta1, beta2, eps, rate, rectify, rectified
    ):  # fmt: skip
        if decoupled and weight_decay:
            p = p * (1 - lr * weight_decay)
        g = descent(p, g, maximize, 0 if decoupled else weight_decay)
        m = m + (1 - beta1) * (g - m)
        v = beta2 * v + (1 - beta2) * g * g
        if rectified:
            return p - rate * m * (rectify / (xp.sqrt(v) + eps)), m, v
        return p - rate * m, m, v
