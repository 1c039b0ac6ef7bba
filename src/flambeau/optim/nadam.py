"""NAdam: Adam with Nesterov's look-ahead."""

from __future__ import annotations

from .rule import (
    FormulaOptimizer,
    check_betas,
    check_eps,
    check_lr,
    check_weight_decay,
    descent,
    require,
    scalar_tensor,
)


class NAdam(FormulaOptimizer):
    """NAdam (Dozat, 2016): the step mixes the gradient of now with the momentum that the next step will have.

    With μₜ = β₁ (1 - ½ · 0.96^(t · momentum_decay)),
    p ← p - lr ((1 - μₜ) g / (1 - Πμ) + μₜ₊₁ m / (1 - Πμ · μₜ₊₁)) / (√v̂ + eps).

    Arguments: as `Adam`; lr defaults to 2e-3, momentum_decay to 4e-3.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.NAdam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> bool(w < 1)
    True
    """

    def __init__(
        self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, momentum_decay=4e-3,
        decoupled_weight_decay=False, *, foreach=None, maximize=False, capturable=False, differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_eps(eps)
        check_betas(betas)
        check_weight_decay(weight_decay)
        require(
            0.0 <= momentum_decay,
            f"Invalid momentum_decay value: {momentum_decay}",
            why="it is the rate at which the momentum approaches its final value",
            fix="use `momentum_decay=0.004`",
        )
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay,
            decoupled_weight_decay=decoupled_weight_decay, maximize=maximize, foreach=foreach, capturable=capturable,
            differentiable=differentiable,
        ))  # fmt: skip

    def slots(self, options):
        return ("exp_avg", "exp_avg_sq")

    def start(self, p, state, options):
        state["step"] = scalar_tensor(0.0)
        state["mu_product"] = scalar_tensor(1.0)

    def numbers(self, options, state):
        t = state["step"]._array.item()
        beta1, beta2 = options["betas"]
        mu = beta1 * (1.0 - 0.5 * 0.96 ** (t * options["momentum_decay"]))
        mu_next = beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * options["momentum_decay"]))
        product = state["mu_product"]._array
        product *= mu
        product = product.item()
        return {
            "maximize": options["maximize"],
            "weight_decay": options["weight_decay"],
            "decoupled": options["decoupled_weight_decay"],
            "lr": options["lr"],
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "rate_g": options["lr"] * (1.0 - mu) / (1.0 - product),
            "rate_m": options["lr"] * mu_next / (1.0 - product * mu_next),
            "unbias2": 1 - beta2**t,
        }

    @staticmethod
    def update(
        xp, p, g, m, v, *, maximize, weight_decay, decoupled, lr, beta1, beta2, eps, rate_g, rate_m, unbias2
    ):  # fmt: skip
        if decoupled and weight_decay:
            p = p * (1 - lr * weight_decay)
        g = descent(p, g, maximize, 0 if decoupled else weight_decay)
        m = m + (1 - beta1) * (g - m)
        v = beta2 * v + (1 - beta2) * g * g
        return p - (rate_g * g + rate_m * m) / (xp.sqrt(v / unbias2) + eps), m, v
