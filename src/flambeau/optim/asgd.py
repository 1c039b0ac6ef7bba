"""ASGD: the average of the weights along the way."""

from __future__ import annotations

import numpy as np

from .rule import FormulaOptimizer, check_lr, check_weight_decay, descent, plain, scalar_tensor


class ASGD(FormulaOptimizer):
    """Averaged stochastic gradient descent (Polyak & Juditsky, 1992).

    p ← p (1 - λ η) - η g with η = lr / (1 + λ lr t)^α; state "ax" is the mean of p from step t0 on.

    Arguments:
        lr: the learning rate. Default: 1e-2.
        lambd: λ, decay of the weights. Default: 1e-4.
        alpha: power of the fall of η. Default: 0.75.
        t0: step at which averaging begins. Default: 1e6.
        weight_decay: factor of an L2 penalty. Default: 0.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.ASGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.8000])
    """

    def __init__(
        self, params, lr=1e-2, lambd=1e-4, alpha=0.75, t0=1e6, weight_decay=0, foreach=None, maximize=False,
        differentiable=False, capturable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_weight_decay(weight_decay)
        super().__init__(params, dict(
            lr=lr, lambd=lambd, alpha=alpha, t0=t0, weight_decay=weight_decay, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def slots(self, options):
        return ("ax",)

    def start(self, p, state, options):
        state["step"] = scalar_tensor(0.0)
        state["eta"] = scalar_tensor(plain(options["lr"]))
        state["mu"] = scalar_tensor(1.0)

    def numbers(self, options, state):
        t = state["step"]._array.item()
        eta, mu = state["eta"]._array, state["mu"]._array
        now = {
            "maximize": options["maximize"],
            "weight_decay": options["weight_decay"],
            "shrink": 1 - options["lambd"] * eta.item(),
            "eta": eta.item(),
            "mu": mu.item(),
        }
        lr, alpha = plain(options["lr"]), options["alpha"]
        # The rates of the next step, in single precision as in PyTorch; with foreach=True each operation is rounded.
        if options["foreach"]:
            eta[...] = (1 / (np.float32(t) * (options["lambd"] * lr) + 1) ** alpha) * lr
        else:
            eta[...] = np.float32(lr / (1 + options["lambd"] * lr * t) ** alpha)
        mu[...] = np.float32(1 / max(1, t - options["t0"]))
        return now

    @staticmethod
    def update(xp, p, g, mean, *, maximize, weight_decay, shrink, eta, mu):
        g = descent(p, g, maximize, weight_decay)
        p = p * shrink - eta * g
        return p, (p if mu == 1 else mean + mu * (p - mean))
