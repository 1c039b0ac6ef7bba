"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from .rule import FormulaOptimizer, check_fused, check_lr, check_momentum, check_weight_decay, descent, require


class SGD(FormulaOptimizer):
    """Stochastic gradient descent, p ← p - lr · g; with momentum, p ← p - lr · b where b ← momentum · b + g.

    Arguments:
        params: tensors or parameter groups.
        lr: the learning rate. Default: 1e-3.
        momentum: how much of the previous direction is kept. Default: 0.
        dampening: the gradient enters b with the factor 1 - dampening. Default: 0.
        weight_decay: factor of an L2 penalty. Default: 0.
        nesterov: look ahead, step along g + momentum · b (Sutskever et al., 2013). Default: False.
        maximize: climb instead of descend.
        foreach, fused: accepted; there is one implementation.
        differentiable: record the step in the graph.

    >>> import flambeau as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> optimizer = torch.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.8000])
    """

    _foreach_differentiable_error = False

    def __init__(
        self, params, lr=1e-3, momentum=0, dampening=0, weight_decay=0, nesterov=False, *, maximize=False,
        foreach=None, differentiable=False, fused=None,
    ):  # fmt: skip
        check_lr(lr)
        check_momentum(momentum)
        check_weight_decay(weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            require(
                False,
                "Nesterov momentum requires a momentum and zero dampening",
                why=f"momentum is {momentum} and dampening {dampening}",
                fix="use `momentum=0.9, dampening=0`",
            )
        check_fused(fused, foreach, differentiable)
        super().__init__(params, dict(
            lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov,
            maximize=maximize, foreach=foreach, differentiable=differentiable, fused=fused,
        ))  # fmt: skip

    def slots(self, options):
        return ("momentum_buffer",) if options["momentum"] != 0 else ()

    def start(self, p, state, options):
        pass

    def numbers(self, options, state):
        return {
            "maximize": options["maximize"],
            "weight_decay": options["weight_decay"],
            "lr": options["lr"],
            "momentum": options["momentum"],
            "dampening": options["dampening"],
            "nesterov": options["nesterov"],
            "first": state.get("momentum_buffer") is None,
        }

    @staticmethod
    def update(xp, p, g, b=None, *, maximize, weight_decay, lr, momentum, dampening, nesterov, first):
        g = descent(p, g, maximize, weight_decay)
        if b is None:
            return (p - lr * g,)
        b = g if first else momentum * b + (1 - dampening) * g
        return p - lr * (g + momentum * b if nesterov else b), b
