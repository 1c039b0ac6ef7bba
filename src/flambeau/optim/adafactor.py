"""Adafactor: Adam's second moment in the memory of a row and a column."""

from __future__ import annotations

import numpy as np

from ..tensor import Tensor
from .rule import FormulaOptimizer, check_lr, plain, require


class Adafactor(FormulaOptimizer):
    """Adafactor (Shazeer & Stern, 2018), for large matrices.

    Of the running mean of g², only the means of its rows r and columns c are kept: v ≈ r c / mean(r). Vectors keep it
    whole. The step is relative to the size of the weights, and clipped where it is larger than usual:
    u = g / √v, p ← p - max(eps₂, rms(p)) · min(lr, 1/√t) · u / max(1, rms(u) / d).

    Arguments:
        lr: upper bound of the relative step. Default: 1e-2.
        beta2_decay: the mean decays by 1 - t^beta2_decay. Default: -0.8.
        eps: (eps₁, eps₂), the least v and the least size of the weights; None: the dtype's epsilon. Default: (None, 1e-3).
        d: clipping threshold. Default: 1.0.
        weight_decay: p ← p (1 - lr · weight_decay). Default: 0.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.ones(2, 3))
    >>> optimizer = torch.optim.Adafactor([w])
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> {name: list(value.shape) for name, value in optimizer.state[w].items()}
    {'step': [], 'row_var': [2, 1], 'col_var': [1, 3]}
    """  # noqa: E501

    elementwise = False
    takes_complex = False

    def __init__(
        self, params, lr=1e-2, beta2_decay=-0.8, eps=(None, 1e-3), d=1.0, weight_decay=0.0, *, foreach=None,
        maximize=False,
    ):  # fmt: skip
        check_lr(lr, should=True)
        require(
            0.0 >= beta2_decay,
            f"beta2_decay should be <= 0 but is: {beta2_decay}",
            why="it is the exponent by which new squares count less and less",
            fix="use `beta2_decay=-0.8`",
        )
        require(
            eps[0] is None or 0.0 <= eps[0],
            f"epsilon1 should be >= 0 but is: {eps[0]}",
            why="it is added to squares so that nothing is divided by zero",
            fix="use `eps=(None, 1e-3)`",
        )
        require(
            0.0 <= eps[1],
            f"epsilon2 should be >= 0 but is: {eps[1]}",
            why="it is the smallest size that a parameter is taken to have",
            fix="use `eps=(None, 1e-3)`",
        )
        require(
            1.0 <= d,
            f"Clipping threshold d should be >= 1 but is: {d}",
            why="updates of a larger mean size than d are scaled down to it",
            fix="use `d=1.0`",
        )
        require(
            0.0 <= weight_decay,
            f"weight_decay should be >= 0 but is: {weight_decay}",
            why="it is the rate at which weights shrink towards zero",
            fix="use `weight_decay=0.01`, or 0 for none",
        )
        super().__init__(params, dict(
            lr=lr, beta2_decay=beta2_decay, eps=eps, d=d, weight_decay=weight_decay, foreach=foreach,
            maximize=maximize,
        ))  # fmt: skip

    def start(self, p, state, options):
        super().start(p, state, options)
        array = p._array
        shape = array.shape
        if len(shape) > 1:
            state["row_var"] = Tensor.wrap(np.zeros_like(array, shape=(*shape[:-1], 1)))
            state["col_var"] = Tensor.wrap(np.zeros_like(array, shape=(*shape[:-2], 1, shape[-1])))
        else:
            state["variance"] = Tensor.wrap(np.zeros_like(array))

    def _step_in_place(self, group):
        # The slots depend on the parameter: a matrix keeps rows and columns, a vector its variance.
        options = {name: plain(value) for name, value in group.items() if name != "params"}
        jobs = []
        for p in group["params"]:
            if p.grad is not None:
                state, numbers = self._begin(p, (), options)
                kept = [value._array for name, value in state.items() if name != "step"]
                jobs.append(([p._array, p.grad._array, *kept], numbers))
                p._bump()
        self.run(jobs)

    def numbers(self, options, state):
        t = state["step"]._array.item()
        return {
            "maximize": options["maximize"],
            "shrink": 1 - options["lr"] * options["weight_decay"],
            "forget": t ** options["beta2_decay"],
            "rho": min(options["lr"], 1 / t**0.5),
            "eps": options["eps"],
            "d": options["d"],
        }

    @staticmethod
    def update(xp, p, g, *kept, maximize, shrink, forget, rho, eps, d):
        eps1 = float(np.finfo(p.dtype).eps) if eps[0] is None else eps[0]
        if maximize:
            g = -g
        alpha = max(eps[1], rms(p)) * rho
        p = p * shrink
        square = g * g
        if len(kept) == 2:
            row, col = kept
            row = row + forget * (square.mean(-1, keepdims=True) - row)
            col = col + forget * (square.mean(-2, keepdims=True) - col)
            v = row * col / xp.maximum(row.mean(-2, keepdims=True), eps1)
            kept = row, col
        else:
            v = kept[0] + forget * (square - kept[0])
            kept = (v,)
        u = g / xp.sqrt(xp.maximum(v, eps1 * eps1))
        return p - (alpha / max(1.0, rms(u) / d)) * u, *kept


def rms(x) -> float:
    """Root of the mean square of the elements."""
    return float(np.sqrt(np.mean(x * x)))
