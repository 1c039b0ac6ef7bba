"""An optimizer of one's own."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn


class Sign:
    def __init__(self, params, lr):
        self.params, self.lr = list(params), lr

    @torch.no_grad()
    def step(self):
        for p in self.params:
            if p.grad is not None:
                p.add_(p.grad.sign(), alpha=-self.lr)

    def zero_grad(self):
        for p in self.params:
            p.grad = None


net = nn.Linear(5, 2)
opt = Sign(net.parameters(), 1e-3)
for step in range(10):
    opt.zero_grad()
    F.cross_entropy(net(torch.randn(16, 5)), torch.randint(0, 2, (16,))).backward()
    opt.step()
