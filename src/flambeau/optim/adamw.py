"""AdamW: Adam with weight decay applied to the weights themselves."""

from __future__ import annotations

from .adam import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2017): p ← p · (1 - lr · weight_decay), then Adam's step.

    An L2 penalty enters Adam's running means and is divided by √v̂ like the rest of the gradient; here it is not.

    Arguments: as `Adam`; weight_decay defaults to 1e-2.

    >>> import flambeau as torch
    >>> optimizer = torch.optim.AdamW(torch.nn.Linear(2, 2).parameters(), lr=1e-3, weight_decay=0.1)
    >>> optimizer.param_groups[0]["decoupled_weight_decay"]
    True
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
        foreach=None, capturable=False, differentiable=False, fused=None,
    ):  # fmt: skip
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize, capturable=capturable,
            differentiable=differentiable, fused=fused, decoupled_weight_decay=True,
        )  # fmt: skip

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
