"""RMSprop: gradients divided by a running mean of their size."""

from __future__ import annotations

from .rule import FormulaOptimizer, check_eps, check_lr, check_momentum, check_weight_decay, descent, require


class RMSprop(FormulaOptimizer):
    """RMSprop (Hinton's lecture, 2012): v ← α v + (1 - α) g², p ← p - lr · g / (√v + eps).

    Arguments:
        lr: the learning rate. Default: 1e-2.
        alpha: decay of the mean. Default: 0.99.
        eps: keeps the division finite. Default: 1e-8.
        weight_decay: factor of an L2 penalty. Default: 0.
        momentum: step along b ← momentum · b + g / (√v + eps). Default: 0.
        centered: subtract the square of the mean gradient from v, an estimate of the variance (Graves, 2013).

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.9000])
    """

    def __init__(
        self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0, momentum=0, centered=False, capturable=False,
        foreach=None, maximize=False, differentiable=False,
    ):  # fmt: skip
        check_lr(lr)
        check_eps(eps)
        check_momentum(momentum)
        check_weight_decay(weight_decay)
        require(
            0.0 <= alpha,
            f"Invalid alpha value: {alpha}",
            why="it is the share of a running mean of squares that is kept",
            fix="use `alpha=0.99`",
        )
        super().__init__(params, dict(
            lr=lr, momentum=momentum, alpha=alpha, eps=eps, centered=centered, weight_decay=weight_decay,
            capturable=capturable, foreach=foreach, maximize=maximize, differentiable=differentiable,
        ))  # fmt: skip

    by_step = True

    def slots(self, options):
        momentum = ("momentum_buffer",) if options["momentum"] > 0 else ()
        return ("square_avg", *momentum, *(("grad_avg",) if options["centered"] else ()))

    def numbers(self, options, state):
        names = ("maximize", "weight_decay", "lr", "alpha", "eps", "momentum", "centered")
        return {name: options[name] for name in names}

    @staticmethod
    def update(xp, p, g, v, *rest, maximize, weight_decay, lr, alpha, eps, momentum, centered):
        g = descent(p, g, maximize, weight_decay)
        v = alpha * v + (1 - alpha) * g * g
        if centered:
            mean = rest[-1] + (1 - alpha) * (g - rest[-1])
            scale = xp.sqrt(v - mean * mean) + eps
        else:
            scale = xp.sqrt(v) + eps
        kept = (mean,) if centered else ()
        if momentum > 0:
            b = momentum * rest[0] + g / scale
            return p - lr * b, v, b, *kept
        return p - lr * g / scale, v, *kept
