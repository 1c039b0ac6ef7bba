"""A PINN: derivatives with respect to the inputs, create_graph."""

import flambeau as torch
from flambeau import nn, optim

net = nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 1))
opt = optim.Adam(net.parameters(), 1e-3)
t = torch.linspace(0, 1, 20).view(-1, 1).requires_grad_(True)
for step in range(8):
    u = net(t)
    du = torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]
    loss = (du + u).pow(2).mean() + (net(torch.zeros(1, 1)) - 1).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
