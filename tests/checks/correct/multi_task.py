"""Two heads, losses of different kinds, learnt weights of the tasks."""

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

trunk = nn.Sequential(nn.Linear(10, 32), nn.ReLU())
cls, reg = nn.Linear(32, 4), nn.Linear(32, 1)
logvar = nn.Parameter(torch.zeros(2))
opt = optim.Adam([*trunk.parameters(), *cls.parameters(), *reg.parameters(), logvar], 1e-3)
for step in range(10):
    h = trunk(torch.randn(32, 10))
    l1 = F.cross_entropy(cls(h), torch.randint(0, 4, (32,)))
    l2 = F.mse_loss(reg(h).squeeze(1), torch.randn(32))
    loss = (torch.exp(-logvar) * torch.stack([l1, l2]) + logvar).sum()
    opt.zero_grad()
    loss.backward()
    opt.step()
