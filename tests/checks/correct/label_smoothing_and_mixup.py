"""Soft targets, mixed inputs."""

import numpy as np

import flambeau as torch
import flambeau.nn.functional as F
from flambeau import nn, optim

net = nn.Linear(10, 4)
opt = optim.SGD(net.parameters(), 0.05, nesterov=True, momentum=0.9)
crit = nn.CrossEntropyLoss(label_smoothing=0.1)
for step in range(6):
    x, y = torch.randn(32, 10), torch.randint(0, 4, (32,))
    lam, perm = np.random.beta(0.4, 0.4), torch.randperm(32)
    out = net(lam * x + (1 - lam) * x[perm])
    loss = lam * crit(out, y) + (1 - lam) * crit(out, y[perm])
    soft = F.one_hot(y, 4).float() * 0.9 + 0.025
    loss = loss + F.cross_entropy(out, soft)
    opt.zero_grad()
    loss.backward()
    opt.step()
