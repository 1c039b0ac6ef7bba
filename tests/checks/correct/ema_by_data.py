"""The same with .data, as older code writes it; and weight clipping by .data."""

import flambeau as torch
from flambeau import nn, optim

net, avg = nn.Linear(4, 1), nn.Linear(4, 1)
opt = optim.RMSprop(net.parameters(), 1e-3)
for step in range(10):
    opt.zero_grad()
    net(torch.randn(16, 4)).pow(2).mean().backward()
    opt.step()
    for p in net.parameters():
        p.data.clamp_(-0.5, 0.5)
    for a, p in zip(avg.parameters(), net.parameters()):
        a.data = 0.99 * a.data + 0.01 * p.data
