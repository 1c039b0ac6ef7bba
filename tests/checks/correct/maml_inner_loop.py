"""Meta-learning: gradients of gradients, the inner step by hand."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Linear(1, 1)
meta = optim.Adam(net.parameters(), 1e-2)
for it in range(6):
    total = 0.0
    for task in range(3):
        k = torch.randn(())
        x = torch.randn(10, 1)
        w, b = net.weight, net.bias
        inner = F.mse_loss(F.linear(x, w, b), k * x)
        gw, gb = torch.autograd.grad(inner, (w, b), create_graph=True)
        x2 = torch.randn(10, 1)
        total = total + F.mse_loss(F.linear(x2, w - 0.1 * gw, b - 0.1 * gb), k * x2)
    meta.zero_grad()
    total.backward()
    meta.step()
