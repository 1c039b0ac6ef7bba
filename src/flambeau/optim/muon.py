"""Muon: momentum made orthogonal, for the weight matrices of hidden layers."""

from __future__ import annotations

import ml_dtypes
import numpy as np

from .rule import FormulaOptimizer, check_lr, require


class Muon(FormulaOptimizer):
    """Muon (Jordan et al., 2024): the momentum B = U S Vᵀ is replaced by U Vᵀ, so that no direction dominates.

    B ← momentum · B + (1 - momentum) · G, then a few Newton-Schulz iterations X ← a X + (b A + c A²) X with A = X Xᵀ,
    in bfloat16, drive all singular values towards 1. Use it for matrices; embeddings, biases and heads go to AdamW.

    Arguments:
        lr: the learning rate. Default: 1e-3.
        weight_decay: decoupled, as in AdamW. Default: 0.1.
        momentum: share of the step before that is kept. Default: 0.95.
        nesterov: mix the gradient in once more. Default: True.
        ns_coefficients: (a, b, c). Default: (3.4445, -4.775, 2.0315).
        eps: keeps the normalisation finite. Default: 1e-7.
        ns_steps: number of iterations, below 100. Default: 5.
        adjust_lr_fn: scale of lr by shape: "original", √max(1, rows/columns), or "match_rms_adamw",
            0.2 √max(rows, columns), with which AdamW's lr and weight_decay can be kept.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.eye(2))
    >>> optimizer = torch.optim.Muon([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> bool(w[0, 0] < 0.95)
    True
    """

    elementwise = False
    takes_complex = False

    def __init__(
        self, params, lr=1e-3, weight_decay=0.1, momentum=0.95, nesterov=True,
        ns_coefficients=(3.4445, -4.7750, 2.0315), eps=1e-7, ns_steps=5, adjust_lr_fn=None,
    ):  # fmt: skip
        check_lr(lr, should=True)
        require(
            0.0 <= momentum,
            f"momentum should be >= 0 but is: {momentum}",
            why="it is the share of the former steps that is kept",
            fix="use `momentum=0.95`",
        )
        require(
            0.0 <= weight_decay,
            f"weight decay should be >= 0 but is: {weight_decay}",
            why="it is the rate at which weights shrink towards zero",
            fix="use `weight_decay=0.1`, or 0 for none",
        )
        require(
            adjust_lr_fn in (None, "original", "match_rms_adamw"),
            f"Adjust learning rate function {adjust_lr_fn} is not supported",
            why="it says how the learning rate depends on the shape of a matrix",
            fix="use 'original' or 'match_rms_adamw'",
        )
        super().__init__(params, dict(
            lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov, ns_coefficients=ns_coefficients,
            eps=eps, ns_steps=ns_steps, adjust_lr_fn=adjust_lr_fn,
        ))  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:
                require(
                    p.ndim == 2,
                    f"Muon only supports 2D parameters whereas we found a parameter with size: {p.size()}",
                    why="the step is a matrix made orthogonal",
                    fix="give vectors, embeddings and convolutions to `torch.optim.AdamW`",
                )

    def slots(self, options):
        return ("momentum_buffer",)

    def start(self, p, state, options):
        pass

    def numbers(self, options, state):
        require(
            options["ns_steps"] < 100,
            "Number of steps must be less than 100 for computational efficiency",
            why=f"ns_steps is {options['ns_steps']}, and each step takes three products of matrices",
            fix="use `ns_steps=5`",
        )
        require(
            len(options["ns_coefficients"]) == 3,
            "Coefficients must be a tuple of exactly 3 values",
            why=f"there are {len(options['ns_coefficients'])}, and each step is a polynomial with three",
            fix="leave ns_coefficients out",
        )
        return {
            "lr": options["lr"],
            "shrink": 1 - options["lr"] * options["weight_decay"],
            "momentum": options["momentum"],
            "nesterov": options["nesterov"],
            "coefficients": options["ns_coefficients"],
            "steps": options["ns_steps"],
            "eps": options["eps"],
            "adjust": options["adjust_lr_fn"],
        }

    @staticmethod
    def update(xp, p, g, b, *, lr, shrink, momentum, nesterov, coefficients, steps, eps, adjust):
        b = b + (1 - momentum) * (g - b)
        direction = g + momentum * (b - g) if nesterov else b
        rows, columns = p.shape
        scale = 0.2 * max(rows, columns) ** 0.5 if adjust == "match_rms_adamw" else max(1, rows / columns) ** 0.5
        return p * shrink - lr * scale * orthogonal(direction, coefficients, steps, eps).astype(p.dtype), b


def orthogonal(x: np.ndarray, coefficients, steps: int, eps: float) -> np.ndarray:
    """The nearest semi-orthogonal matrix, roughly: singular values between 0.7 and 1.2."""
    a, b, c = coefficients
    # Products are summed in float32 and rounded to bfloat16 once, as matrix units do.
    rounded = lambda value: value.astype(ml_dtypes.bfloat16).astype(np.float32)
    x = rounded(x)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = rounded(x / max(float(rounded(np.sqrt(np.sum(x * x)))), eps))
    for _ in range(steps):
        gram = rounded(x @ x.T)
        x = rounded(a * x + rounded(b * gram + c * (gram @ gram)) @ x)
    return x.T if tall else x
