"""SparseAdam: named for completeness; flambeau's gradients are dense."""

from __future__ import annotations

from ..errors import StateError
from .rule import FormulaOptimizer, check_betas, check_lr, require


class SparseAdam(FormulaOptimizer):
    """Adam that touches only the rows a sparse gradient has. Gradients in flambeau are dense, and it refuses those.

    Raises RuntimeError at the first step with a gradient.
    """

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, maximize=False):
        check_lr(lr)
        require(
            0.0 < eps,
            f"Invalid epsilon value: {eps}",
            why="it is added to a root so that nothing is divided by zero",
            fix="use `eps=1e-8`",
        )
        check_betas(betas)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, maximize=maximize))
        bad = [[i, j] for i, g in enumerate(self.param_groups) for j, p in enumerate(g["params"]) if p.is_complex()]
        require(
            not bad,
            f"Complex params at indices {bad}: SparseAdam does not support complex parameters",
            why="its rule squares real gradients",
            fix="use `torch.optim.Adam`",
        )

    def numbers(self, options, state):
        raise StateError(
            "SparseAdam does not support dense gradients, please consider Adam instead",
            why="flambeau has no sparse tensors; embeddings give dense gradients",
            fix="use `torch.optim.Adam`, with the same arguments",
        )
