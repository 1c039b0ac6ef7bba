"""Adam: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from ..tensor import Tensor
from .rule import (
    FormulaOptimizer,
    check_betas,
    check_eps,
    check_fused,
    check_lr,
    check_not_tensors,
    check_weight_decay,
    descent,
)


class Adam(FormulaOptimizer):
    """Adam (Kingma & Ba, 2014).

    m ← β₁ m + (1 - β₁) g and v ← β₂ v + (1 - β₂) g² are running means that start at zero; divided by 1 - βᵗ they are
    unbiased. The step is p ← p - lr · m̂ / (√v̂ + eps).

    Arguments:
        params: tensors or parameter groups.
        lr: the learning rate. Default: 1e-3.
        betas: β₁ and β₂. Default: (0.9, 0.999).
        eps: keeps the division finite. Default: 1e-8.
        weight_decay: factor of an L2 penalty. Default: 0.
        amsgrad: divide by the largest v so far (Reddi et al., 2018). Default: False.
        decoupled_weight_decay: shrink the weights directly, as AdamW does. Default: False.
        foreach, fused, capturable: accepted; there is one implementation.
        maximize, differentiable: as in SGD.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, amsgrad=False, *, foreach=None,
        maximize=False, capturable=False, differentiable=False, fused=None, decoupled_weight_decay=False,
    ):  # fmt: skip
        if isinstance(lr, Tensor) and foreach and not capturable:
            check_not_tensors(lr, betas, foreach, capturable)
        check_lr(lr)
        check_eps(eps)
        check_betas(betas)
        check_weight_decay(weight_decay)
        check_not_tensors(lr, betas, foreach, capturable)
        check_fused(fused, foreach, differentiable)
        super().__init__(params, dict(
            lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad, maximize=maximize,
            foreach=foreach, capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=decoupled_weight_decay,
        ))  # fmt: skip

    by_step = True

    def slots(self, options):
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if options["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def numbers(self, options, state):
        t = state["step"]._array.item()
        beta1, beta2 = options["betas"]
        return {
            "maximize": options["maximize"],
            "weight_decay": options["weight_decay"],
            "decoupled": options["decoupled_weight_decay"],
            "lr": options["lr"],
            "beta1": beta1,
            "beta2": beta2,
            "eps": options["eps"],
            "rate": options["lr"] / (1 - beta1**t),
            "root2": (1 - beta2**t) ** 0.5,
        }

    @staticmethod
    def update(
        xp, p, g, m, v, v_max=None, *, maximize, weight_decay, decoupled, lr, beta1, beta2, eps, rate, root2
    ):  # fmt: skip
        if decoupled and weight_decay:
            p = p * (1 - lr * weight_decay)
        g = descent(p, g, maximize, 0 if decoupled else weight_decay)
        m = m + (1 - beta1) * (g - m)
        v = beta2 * v + (1 - beta2) * g * g
        if v_max is None:
            return p - rate * m / (xp.sqrt(v) / root2 + eps), m, v
        v_max = xp.maximum(v_max, v)
        return p - rate * m / (xp.sqrt(v_max) / root2 + eps), m, v, v_max
