"""A custom autograd.Function with a right backward."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        s = torch.sigmoid(x)
        ctx.save_for_backward(x, s)
        return x * s

    @staticmethod
    def backward(ctx, g):
        x, s = ctx.saved_tensors
        return g * (s + x * s * (1 - s))


lin, out = nn.Linear(5, 16), nn.Linear(16, 1)
opt = optim.SGD([*lin.parameters(), *out.parameters()], 0.01)
for step in range(6):
    x = torch.randn(16, 5)
    opt.zero_grad()
    F.mse_loss(out(Swish.apply(lin(x))), x[:, :1]).backward()
    opt.step()
