"""Adagrad: each weight's rate falls with the squared gradients it has seen."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor
from .rule import (
    FormulaOptimizer,
    check_eps,
    check_fused,
    check_lr,
    check_weight_decay,
    descent,
    plain,
    require,
    scalar_tensor,
)


class Adagrad(FormulaOptimizer):
    """Adagrad (Duchi et al., 2011): s ← s + g², p ← p - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps).

    Arguments:
        lr: the learning rate. Default: 1e-2.
        lr_decay: how it falls with the number of steps. Default: 0.
        weight_decay: factor of an L2 penalty. Default: 0.
        initial_accumulator_value: s before the first step. Default: 0.
        eps: keeps the division finite. Default: 1e-10.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=1e-2, lr_decay=0, weight_decay=0, initial_accumulator_value=0, eps=1e-10, foreach=None, *,
        maximize=False, differentiable=False, fused=None,
    ):  # fmt: skip
        check_lr(lr)
        require(
            0.0 <= lr_decay,
            f"Invalid lr_decay value: {lr_decay}",
            why="the learning rate is divided by 1 + step * lr_decay",
            fix="use 0 for none",
        )
        check_weight_decay(weight_decay)
        value = initial_accumulator_value
        require(
            0.0 <= value,
            f"Invalid initial_accumulator_value value: {value}",
            why="it is where sums of squares begin",
            fix="use 0, or a small number such as 0.1",
        )
        check_eps(eps)
        check_fused(fused, foreach, differentiable)
        super().__init__(params, dict(
            lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay, initial_accumulator_value=value,
            foreach=foreach, maximize=maximize, differentiable=differentiable, fused=fused,
        ))  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:
                self.start(p, self.state[p], group)

    def share_memory(self):
        """Move the running sums to memory that forked processes share."""
        for state in self.state.values():
            state["sum"].share_memory_()

    by_step = True

    def slots(self, options):
        return ("sum",)

    def start(self, p, state, options):
        value = plain(options["initial_accumulator_value"])
        state["step"] = scalar_tensor(0.0)
        state["sum"] = Tensor.wrap(np.full_like(p._array, complex(value, value) if p.is_complex() else value))

    def numbers(self, options, state):
        t = state["step"]._array.item()
        return {
            "maximize": options["maximize"],
            "weight_decay": options["weight_decay"],
            "rate": options["lr"] / (1 + (t - 1) * options["lr_decay"]),
            "eps": options["eps"],
        }

    @staticmethod
    def update(xp, p, g, s, *, maximize, weight_decay, rate, eps):
        g = descent(p, g, maximize, weight_decay)
        s = s + g * g
        return p - rate * g / (xp.sqrt(s) + eps), s
