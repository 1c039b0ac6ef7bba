"""Rprop: each weight has its own step size, and only the sign of the gradient counts."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor
from .rule import FormulaOptimizer, check_lr, plain, require, scalar_tensor


class Rprop(FormulaOptimizer):
    """Resilient backpropagation (Riedmiller & Braun, 1993).

    The step size of a weight grows by η₊ while its gradient keeps its sign; when the sign turns it shrinks by η₋, and
    this step is skipped. p ← p - sign(g) · size.

    Arguments:
        lr: first step size. Default: 1e-2.
        etas: η₋ and η₊. Default: (0.5, 1.2).
        step_sizes: smallest and largest step size. Default: (1e-6, 50).

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.Rprop([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=1e-2, etas=(0.5, 1.2), step_sizes=(1e-6, 50), *, capturable=False, foreach=None,
        maximize=False, differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        require(
            0.0 < etas[0] < 1.0 < etas[1],
            f"Invalid eta values: {etas[0]}, {etas[1]}",
            why="a step shrinks by the first and grows by the second",
            fix="use `etas=(0.5, 1.2)`",
        )
        super().__init__(params, dict(
            lr=lr, etas=etas, step_sizes=step_sizes, foreach=foreach, maximize=maximize,
            differentiable=differentiable, capturable=capturable,
        ))  # fmt: skip

    def slots(self, options):
        return ("prev", "step_size")

    def start(self, p, state, options):
        lr = plain(options["lr"])
        state["step"] = scalar_tensor(0.0)
        state["prev"] = Tensor.wrap(np.zeros_like(p._array))
        state["step_size"] = Tensor.wrap(np.full_like(p._array, complex(lr, lr) if p.is_complex() else lr))

    def numbers(self, options, state):
        shrink, grow = options["etas"]
        smallest, largest = options["step_sizes"]
        return {
            "maximize": options["maximize"],
            "shrink": shrink,
            "grow": grow,
            "smallest": smallest,
            "largest": largest,
        }

    @staticmethod
    def update(xp, p, g, previous, size, *, maximize, shrink, grow, smallest, largest):
        if maximize:
            g = -g
        agreement = g * previous
        turned = agreement < 0
        size = xp.where(turned, size * shrink, xp.where(agreement > 0, size * grow, size))
        size = xp.clip(size, smallest, largest)
        g = xp.where(~turned, g, 0)
        return p - xp.sign(g) * size, g, size
