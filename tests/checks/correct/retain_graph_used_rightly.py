"""Two losses on one graph, the first backward keeps it."""

import flambeau as torch
from flambeau import nn, optim

trunk, a, b = nn.Linear(5, 8), nn.Linear(8, 1), nn.Linear(8, 1)
opt = optim.SGD([*trunk.parameters(), *a.parameters(), *b.parameters()], 0.01)
for step in range(6):
    h = torch.tanh(trunk(torch.randn(16, 5)))
    opt.zero_grad()
    a(h).pow(2).mean().backward(retain_graph=True)
    b(h).pow(2).mean().backward()
    opt.step()
