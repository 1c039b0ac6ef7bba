"""Layers that join the optimizer later."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
net[0].requires_grad_(False)
opt = optim.SGD(net[2].parameters(), 0.05)
for epoch in range(8):
    if epoch == 4:
        net[0].requires_grad_(True)
        opt.add_param_group({"params": net[0].parameters(), "lr": 0.01})
    opt.zero_grad()
    F.cross_entropy(net(torch.randn(16, 6)), torch.randint(0, 2, (16,))).backward()
    opt.step()
